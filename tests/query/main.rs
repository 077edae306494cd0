//! The query languages: parsing, printing, and what each function makes of samples and rows. Tests of whole queries against stored data
//! are in `tests/it`.

mod calls;
mod functions;
mod generator;
mod language;
mod models;
mod rollups;
mod shapes;
mod small;
mod tables;
mod vmrange;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Functions that take turns with others do all at once where there is nobody else.
trait AtOnce: Future + Sized {
    fn at_once(self) -> Self::Output {
        match pin!(self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("there is nobody to wait for"),
        }
    }
}

impl<F: Future> AtOnce for F {}
