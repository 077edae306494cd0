//! What runs in WebAssembly outside of a browser, in Node: the file systems in memory, and the golden vectors, since the code that
//! reads and writes blocks is another one there, with vectors of 128 bits and numbers of 32.
#![cfg(target_arch = "wasm32")]

mod fs_contract;
#[path = "it/golden/mod.rs"]
mod golden;
#[path = "it/golden_block.rs"]
mod golden_block;
#[path = "it/golden_encoding.rs"]
mod golden_encoding;
#[path = "it/golden_formats.rs"]
mod golden_formats;
#[path = "it/golden_index.rs"]
mod golden_index;
#[path = "it/golden_part.rs"]
mod golden_part;
#[path = "it/golden_tag_rows.rs"]
mod golden_tag_rows;
#[path = "it/machine.rs"]
#[allow(dead_code, reason = "tests outside of this file need more of it")]
mod machine;

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
