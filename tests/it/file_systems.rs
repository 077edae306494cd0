//! The file systems that run outside of a browser, held to the contract.

use crate::fs_contract::{self, Driver, Idle};
use sandglass::fs::MemoryFileSystem;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Nothing has to happen before memory answers.
struct NoIdle;

impl Idle for NoIdle {
    async fn idle(&self) {}
}

/// Runs a future that never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits for something"),
    }
}

#[test]
fn memory_keeps_the_contract() {
    let mut driver = Driver::new(MemoryFileSystem::new());
    run(fs_contract::check(&mut driver, &NoIdle));
    run(fs_contract::check_left_behind(&mut driver, &NoIdle));
}
