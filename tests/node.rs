//! What runs in WebAssembly outside of a browser: the file systems in memory, in Node.
#![cfg(target_arch = "wasm32")]

mod fs_contract;

use fs_contract::{Driver, Idle};
use sandglass::fs::{MemoryFileSystem, SimFileSystem};
use wasm_bindgen_test::wasm_bindgen_test;

/// Nothing has to happen before memory answers.
struct NoIdle;

impl Idle for NoIdle {
    async fn idle(&self) {}
}

#[wasm_bindgen_test]
async fn memory_keeps_the_contract() {
    let mut driver = Driver::new(MemoryFileSystem::new());
    fs_contract::check(&mut driver, &NoIdle).await;
    fs_contract::check_left_behind(&mut driver, &NoIdle).await;
}

#[wasm_bindgen_test]
async fn a_slow_disk_keeps_the_contract() {
    let mut driver = Driver::new(SimFileSystem::new(1).with_delays(20));
    fs_contract::check(&mut driver, &NoIdle).await;
    fs_contract::check_left_behind(&mut driver, &NoIdle).await;
}
