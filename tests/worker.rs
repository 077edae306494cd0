//! Files in IndexedDB, from within a dedicated worker.
#![cfg(target_arch = "wasm32")]

mod fs_contract;
mod next_turn;

use fs_contract::Driver;
use next_turn::NextTurn;
use sandglass::fs::IndexedDbFileSystem;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn indexed_db_keeps_the_contract() {
    IndexedDbFileSystem::destroy("worker").await.unwrap();
    let mut driver = Driver::new(IndexedDbFileSystem::open("worker", || ()).await.unwrap());
    fs_contract::check(&mut driver, &NextTurn).await;
    drop(driver);
    let mut driver = Driver::new(IndexedDbFileSystem::open("worker", || ()).await.unwrap());
    fs_contract::check_left_behind(&mut driver, &NextTurn).await;
}
