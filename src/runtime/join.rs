//! Several things waited for at once by one job.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

/// Runs `work` to its end, and `beside` as far as it gets until then.
pub async fn beside<T>(work: impl Future<Output = T>, beside: impl Future<Output = ()>) -> T {
    let (mut work, mut beside) = (pin!(work), pin!(beside));
    let mut has_ended = false;
    std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        if polled.is_pending() && !has_ended {
            has_ended = beside.as_mut().poll(context).is_ready();
        }
        polled
    })
    .await
}

/// Runs all futures to their end, each while the others wait, and answers what they answer, in their order. Storage
/// operations of different futures are thus under way at once.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut ended: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut all_ended = true;
        for (future, output) in running.iter_mut().zip(&mut ended) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all_ended = false,
                }
            }
        }
        if all_ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ended.into_iter().flatten().collect()
}
