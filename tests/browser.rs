//! What only a browser can show: files in IndexedDB.
#![cfg(target_arch = "wasm32")]

mod fs_contract;
mod next_turn;

use bytes::Bytes;
use fs_contract::{Driver, Idle, link, path, pattern, publish, put, remove};
use next_turn::NextTurn;
use sandglass::error::ErrorKind;
use sandglass::fs::indexed_db::CHUNK_BYTES;
use sandglass::fs::{FileSystem, IndexedDbFileSystem, Request};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

async fn open(name: &str) -> Driver<IndexedDbFileSystem> {
    Driver::new(IndexedDbFileSystem::open(name, || ()).await.expect("the database opens"))
}

async fn open_new(name: &str) -> Driver<IndexedDbFileSystem> {
    IndexedDbFileSystem::destroy(name).await.expect("the database is deleted");
    open(name).await
}

#[wasm_bindgen_test]
async fn indexed_db_keeps_the_contract() {
    let mut driver = open_new("contract").await;
    fs_contract::check(&mut driver, &NextTurn).await;
    fs_contract::check_left_behind(&mut driver, &NextTurn).await;
    drop(driver);
    let mut driver = open("contract").await;
    fs_contract::check_left_behind(&mut driver, &NextTurn).await;
    // It grows on from where it was.
    driver.append("tmp/more", &pattern(3 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/more", "more"), remove("kept/a")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("contract").await;
    assert_eq!(driver.list("kept", &NextTurn).await, "b/");
    assert_eq!(driver.read("kept/b/one", 0..5, &NextTurn).await.unwrap(), b"hello");
    let len = 3 * CHUNK_BYTES as u64;
    assert!(driver.read("more", 0..len, &NextTurn).await.unwrap() == pattern(3 * CHUNK_BYTES, 1));
    assert!(IndexedDbFileSystem::list_databases().await.unwrap().contains(&"contract".to_owned()));
    drop(driver);
    IndexedDbFileSystem::destroy("contract").await.unwrap();
    assert!(!IndexedDbFileSystem::list_databases().await.unwrap().contains(&"contract".to_owned()));
}

#[wasm_bindgen_test]
async fn what_was_not_committed_is_gone_and_takes_no_room() {
    let mut driver = open_new("orphans").await;
    driver.append("tmp/whole", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    driver.run(Request::Sync { file: path("tmp/whole") }, &NextTurn).await.unwrap();
    driver.commit(vec![put("kept", b"1")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("orphans").await;
    assert_eq!(driver.list("", &NextTurn).await, "kept:1");
    // The next file gets new chunks, and not the bytes of one that is gone.
    driver.append("tmp/other", &pattern(CHUNK_BYTES, 2), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/other", "other")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("orphans").await;
    assert!(driver.read("other", 0..CHUNK_BYTES as u64, &NextTurn).await.unwrap() == pattern(CHUNK_BYTES, 2));
}

#[wasm_bindgen_test]
async fn a_lost_connection_is_made_anew() {
    let mut driver = open_new("lost").await;
    driver.append("tmp/f", &pattern(5 * CHUNK_BYTES + 9, 1), &NextTurn).await.unwrap();
    driver.files.disconnect();
    driver.append("tmp/f", &pattern(7 * CHUNK_BYTES, 2), &NextTurn).await.unwrap();
    let commit = driver.submit(Request::Commit { changes: vec![publish("tmp/f", "f"), link("f", "g")] });
    driver.files.disconnect();
    driver.finish(commit, &NextTurn).await.unwrap();
    let whole = [pattern(5 * CHUNK_BYTES + 9, 1), pattern(7 * CHUNK_BYTES, 2)].concat();
    driver.files.disconnect();
    assert!(driver.read("g", 0..whole.len() as u64, &NextTurn).await.unwrap() == whole);
}

#[wasm_bindgen_test]
async fn the_first_owner_can_write_nothing_after_a_second_has_come() {
    let mut first = open_new("owners").await;
    first.append("tmp/f", b"first", &NextTurn).await.unwrap();
    let mut second = open("owners").await;
    let refused = first.commit(vec![publish("tmp/f", "f")], &NextTurn).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Locked);
    let refused = first.append("tmp/f", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(first.list("tmp", &NextTurn).await, "f:5");
    second.commit(vec![put("f", b"second")], &NextTurn).await.unwrap();
    assert_eq!(second.read("f", 0..6, &NextTurn).await.unwrap(), b"second");
}

#[wasm_bindgen_test]
async fn deleting_the_database_closes_it_here() {
    let mut driver = open_new("deleted").await;
    driver.commit(vec![put("f", b"1")], &NextTurn).await.unwrap();
    IndexedDbFileSystem::destroy("deleted").await.unwrap();
    assert_eq!(driver.read("f", 0..1, &NextTurn).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[wasm_bindgen_test]
async fn the_owner_is_told_once_there_is_something_to_poll() {
    IndexedDbFileSystem::destroy("told").await.unwrap();
    let told = Rc::new(Cell::new(0));
    let files = IndexedDbFileSystem::open("told", {
        let told = told.clone();
        move || told.set(told.get() + 1)
    });
    let mut files = files.await.unwrap();
    let op = sandglass::fs::OpId(0);
    files.submit(op, Request::Commit { changes: vec![put("f", b"1")] });
    let mut done = Vec::new();
    files.poll(0, &mut done);
    assert!(done.is_empty() && told.get() == 0, "a commit takes its time");
    while told.get() == 0 {
        NextTurn.idle().await;
    }
    files.poll(0, &mut done);
    assert_eq!(done.len(), 1);
}

/// Prints how fast files are written and read, for the record.
#[wasm_bindgen_test]
async fn throughput() {
    let mut driver = open_new("throughput").await;
    let now = || js_sys::Date::now();
    let total = 32 << 20;
    let piece = Bytes::from(pattern(64 << 10, 1));
    let start = now();
    let mut last = None;
    for _ in 0..total / piece.len() {
        last = Some(driver.submit(Request::Append { file: path("tmp/f"), bytes: piece.clone() }));
        driver.finish(last.unwrap(), &NextTurn).await.unwrap();
    }
    assert!(last.is_some());
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    let written = now();
    for (len, count) in [(4 << 10, 200), (64 << 10, 200), (1 << 20, 32)] {
        let start = now();
        let ops: Vec<_> = (0..count)
            .map(|at| {
                let from = (at * 999_983 % (total - len)) as u64;
                driver.submit(Request::Read { file: path("f"), range: from..from + len as u64 })
            })
            .collect();
        for op in ops {
            driver.finish(op, &NextTurn).await.unwrap();
        }
        let ms = now() - start;
        console_log!("{count} reads of {len} bytes: {ms} ms, {:.1} MB/s", (count * len) as f64 / 1000.0 / ms);
    }
    let ms = written - start;
    console_log!("{total} bytes written and committed in {ms} ms, {:.1} MB/s", total as f64 / 1000.0 / ms);
    let start = now();
    for at in 0..50_u64 {
        driver.commit(vec![put("small", if at % 2 == 0 { b"even" } else { b"odd" })], &NextTurn).await.unwrap();
    }
    console_log!("a small commit: {:.1} ms", (now() - start) / 50.0);
    drop(driver);
    IndexedDbFileSystem::destroy("throughput").await.unwrap();
}
