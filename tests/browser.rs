//! What only a browser can show: files in IndexedDB.
#![cfg(target_arch = "wasm32")]

mod fs_contract;
mod next_turn;

use bytes::Bytes;
use fs_contract::{Driver, Idle, link, path, pattern, publish, put, remove};
use next_turn::NextTurn;
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::indexed_db::{BLOB_BYTES, CHUNK_BYTES as STORED_CHUNK_BYTES};
use sandglass::fs::{FileSystem, IndexedDbFileSystem, Notice, Reply, Request};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Files of a few of these are stored while they grow.
const CHUNK_BYTES: usize = STORED_CHUNK_BYTES;

// Another program's hands in the same databases, and a browser with whims.
#[wasm_bindgen(inline_js = r#"
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const connect = (name) => done(indexedDB.open("sandglass:" + name));
/** A database of any version with any stores. `fill` gets the stores by name. */
export async function make(name, version, stores, fill) {
  await done(indexedDB.deleteDatabase("sandglass:" + name));
  const request = indexedDB.open("sandglass:" + name, version);
  request.onupgradeneeded = () => {
    const made = Object.fromEntries(stores.split(" ").map((store) => [store, request.result.createObjectStore(store)]));
    new Function("stores", fill)(made);
  };
  (await done(request)).close();
}
/** Changes what is stored. `code` gets the stores by name. */
export async function meddle(name, code) {
  const db = await connect(name);
  const transaction = db.transaction([...db.objectStoreNames], "readwrite");
  new Function("stores", code)(Object.fromEntries([...db.objectStoreNames].map((store) => [store, transaction.objectStore(store)])));
  await new Promise((resolve) => (transaction.oncomplete = resolve));
  db.close();
}
/** All that is stored, as text. */
export async function stored(name) {
  const db = await connect(name);
  const found = { version: db.version };
  const transaction = db.transaction([...db.objectStoreNames]);
  const read = [...db.objectStoreNames].map((store) => [done(transaction.objectStore(store).getAllKeys()), done(transaction.objectStore(store).getAll())]);
  const text = async (value) => {
    const bytes = value instanceof Blob ? new Uint8Array(await value.arrayBuffer()) : value;
    return bytes instanceof Uint8Array ? bytes.length + " bytes, " + bytes.reduce((sum, byte) => (sum * 31 + byte) >>> 0, 0) : value;
  };
  for (const [at, store] of [...db.objectStoreNames].entries()) {
    const [keys, values] = await Promise.all(read[at]);
    found[store] = await Promise.all(keys.map(async (key, at) => [key, await text(values[at])]));
  }
  db.close();
  return JSON.stringify(found);
}
/** One number of `meta`. */
export async function meta(name, key) {
  const db = await connect(name);
  const found = await done(db.transaction("meta").objectStore("meta").get(key));
  db.close();
  return found ?? 0;
}
/** A tab that holds on to the database while another wants to delete it. The answer lets go. */
export async function hold(name) {
  const db = await connect(name);
  const deleting = done(indexedDB.deleteDatabase("sandglass:" + name));
  const back = hasten();
  return async () => {
    back();
    db.close();
    await deleting;
  };
}
/** Makes timers twenty times as fast. The answer takes it back. */
export function hasten() {
  const patient = globalThis.setTimeout;
  globalThis.setTimeout = (call, ms, ...rest) => patient(call, ms / 20, ...rest);
  return () => (globalThis.setTimeout = patient);
}
/** A tab that was put to sleep in the midst of a transaction. The answer lets go. */
export async function occupy(name) {
  const db = await connect(name);
  const transaction = db.transaction([...db.objectStoreNames], "readwrite");
  const ended = new Promise((resolve) => (transaction.oncomplete = resolve));
  let asleep = true;
  const goOn = () => {
    if (asleep) transaction.objectStore("meta").get("format").onsuccess = goOn;
  };
  goOn();
  await done(transaction.objectStore("meta").get("format"));
  return async () => {
    asleep = false;
    await ended;
    db.close();
  };
}
/** A pause of 5 ms, whatever timers there are. */
export const nap = (() => {
  const patient = globalThis.setTimeout;
  return () => new Promise((resolve) => patient(resolve, 5));
})();
/** Puts something else in place of `indexedDB`. The answer takes it back. */
export function replace(code) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "indexedDB");
  Object.defineProperty(globalThis, "indexedDB", { get: new Function(code), configurable: true });
  return () => (before === undefined ? delete globalThis.indexedDB : Object.defineProperty(globalThis, "indexedDB", before));
}
/** Lets the next `times` readings of a `Blob` fail, as when the browser's storage process dies. The answer takes it back. */
export function deny(times) {
  const { slice } = Blob.prototype;
  Blob.prototype.slice = function (...range) {
    if (times-- > 0) return { arrayBuffer: () => Promise.reject(new DOMException("it can't be read", "NotReadableError")) };
    return slice.apply(this, range);
  };
  return () => (Blob.prototype.slice = slice);
}
/** Lets no `Blob` be read, nor refused. The answer takes it back. */
export function silence() {
  const { slice } = Blob.prototype;
  Blob.prototype.slice = () => ({ arrayBuffer: () => new Promise(() => {}) });
  return () => (Blob.prototype.slice = slice);
}
/** A storage without any room: what puts something is refused with this error, what only removes is not. `untilRemoved`: there is
 * room again when chunks were removed. The answer takes it back. */
export function fill(error, message, untilRemoved) {
  const [store, transaction] = [IDBObjectStore.prototype, IDBTransaction.prototype];
  const { put, delete: remove } = store;
  const { commit } = transaction;
  const puts = new WeakSet();
  let isFull = true;
  store.put = function (...args) {
    puts.add(this.transaction);
    return put.apply(this, args);
  };
  store.delete = function (...args) {
    const { transaction } = this;
    if (untilRemoved && this.name === "chunks") transaction.addEventListener("complete", () => (isFull = false));
    return remove.apply(this, args);
  };
  transaction.commit = function () {
    if (!isFull || !puts.has(this)) return commit.call(this);
    Object.defineProperty(this, "error", { value: new DOMException(message, error) });
    this.abort();
  };
  return () => (Object.assign(store, { put, delete: remove }), Object.assign(transaction, { commit }));
}
/** Lets the put of this number, counted from now on, fail before it is one. The answer takes it back. */
export function breakPut(number) {
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (...args) {
    if (number-- === 0) throw new DOMException("it can't be cloned", "DataCloneError");
    return put.apply(this, args);
  };
  return () => (IDBObjectStore.prototype.put = put);
}
/** Stores no `Blob`, as in WebKit's private windows: the request fails, later on. The answer takes it back. */
export function refuseBlobs() {
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (value, key) {
    if (value instanceof Blob) {
      const message = "Error preparing Blob/File data to be stored in object store";
      Object.defineProperty(this.transaction, "error", { value: new DOMException(message, "UnknownError"), configurable: true });
      const { transaction } = this;
      queueMicrotask(() => transaction.abort());
    }
    return put.call(this, value, key);
  };
  return () => (IDBObjectStore.prototype.put = put);
}
export async function call(end) {
  await end();
}
"#)]
extern "C" {
    async fn make(name: &str, version: u32, stores: &str, fill: &str);
    async fn meddle(name: &str, code: &str);
    async fn stored(name: &str) -> JsValue;
    async fn meta(name: &str, key: &str) -> JsValue;
    async fn hold(name: &str) -> JsValue;
    async fn occupy(name: &str) -> JsValue;
    async fn nap();
    fn replace(code: &str) -> JsValue;
    fn deny(times: u32) -> JsValue;
    fn silence() -> JsValue;
    fn hasten() -> JsValue;
    fn fill(error: &str, message: &str, until_removed: bool) -> JsValue;
    #[wasm_bindgen(js_name = breakPut)]
    fn break_put(number: u32) -> JsValue;
    #[wasm_bindgen(js_name = refuseBlobs)]
    fn refuse_blobs() -> JsValue;
    async fn call(end: &JsValue);
}

/// Lets what takes seconds go on.
struct Nap;

impl Idle for Nap {
    async fn idle(&self) {
        nap().await;
    }
}

const STORES: &str = "entries inodes chunks meta";

async fn dump(name: &str) -> String {
    stored(name).await.as_string().unwrap()
}

async fn open_error(name: &str) -> Error {
    IndexedDbFileSystem::open(name, || ()).await.err().expect("the database was opened")
}

async fn open_to_read(name: &str) -> Driver<IndexedDbFileSystem> {
    Driver::new(IndexedDbFileSystem::open_for_reading(name, || ()).await.expect("the database opens"))
}

async fn refresh(driver: &mut Driver<IndexedDbFileSystem>) -> bool {
    match driver.run(Request::Refresh, &NextTurn).await {
        Ok(Reply::Refreshed(has_moved)) => has_moved,
        other => panic!("a look for news answered {other:?}"),
    }
}

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
    driver.files.lose_connection(true);
    driver.append("tmp/f", &pattern(7 * CHUNK_BYTES, 2), &NextTurn).await.unwrap();
    let commit = driver.submit(Request::Commit { changes: vec![publish("tmp/f", "f"), link("f", "g")] });
    driver.files.lose_connection(true);
    driver.finish(commit, &NextTurn).await.unwrap();
    let whole = [pattern(5 * CHUNK_BYTES + 9, 1), pattern(7 * CHUNK_BYTES, 2)].concat();
    driver.files.lose_connection(true);
    assert!(driver.read("g", 0..whole.len() as u64, &NextTurn).await.unwrap() == whole);
}

#[wasm_bindgen_test]
async fn a_range_is_read_without_the_rest_of_its_chunk() {
    const EVEN: usize = 5 * CHUNK_BYTES;
    for (name, tail) in [("small tail", 9), ("large tail", BLOB_BYTES + 9), ("no tail", 0)] {
        let whole = pattern(EVEN + tail, 1);
        let mut driver = open_new("ranges").await;
        driver.append("tmp/f", &whole, &NextTurn).await.unwrap();
        driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
        drop(driver);
        let mut driver = open("ranges").await;
        let end = whole.len();
        for range in
            [0..0, 0..1, 7..4_000, CHUNK_BYTES - 1..CHUNK_BYTES + 1, EVEN - 300_000..EVEN, EVEN - 3..end, end..end]
        {
            let before = driver.files.stats().read_bytes;
            let read = driver.read("f", range.start as u64..range.end as u64, &NextTurn).await.unwrap();
            assert!(read == whole[range.clone()], "{name}: {range:?}");
            let fetched = driver.files.stats().read_bytes - before;
            // Only a small piece, which is no `Blob`, is fetched whole.
            assert!(fetched <= (range.len() + 9) as u64, "{name}: {fetched} bytes were fetched for {range:?}");
        }
        // Ranges that overlap, while the connection goes, and while the file is removed behind them.
        driver.files.lose_connection(true);
        assert!(driver.read("f", 1..EVEN as u64, &NextTurn).await.unwrap() == whole[1..EVEN]);
        let reads: Vec<_> = (0..20)
            .map(|n| (n * 1_000, n * 20_000 + 20_000))
            .map(|(start, end)| {
                (driver.submit(Request::Read { file: path("f"), range: start..end }), start as usize..end as usize)
            })
            .collect();
        let removal = driver.submit(Request::Commit { changes: vec![remove("f")] });
        for (op, range) in reads {
            let Ok(Reply::Bytes(read)) = driver.finish(op, &NextTurn).await else { panic!("{name}: {range:?}") };
            assert!(read[..] == whole[range.clone()], "{name}: {range:?}");
        }
        assert!(matches!(driver.finish(removal, &NextTurn).await, Ok(Reply::Done)));
    }
    IndexedDbFileSystem::destroy("ranges").await.unwrap();
}

#[wasm_bindgen_test]
async fn a_chunk_that_can_not_be_read_is_tried_again() {
    let whole = pattern(3 * CHUNK_BYTES, 1);
    let mut driver = open_new("denied").await;
    driver.append("tmp/f", &whole, &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f"), put("small", b"1")], &NextTurn).await.unwrap();
    for (times, is_read) in [(1, true), (2, true), (u32::MAX, false), (0, true)] {
        let back = deny(times);
        let read = driver.read("f", 0..10, &NextTurn).await;
        let small = driver.read("small", 0..1, &NextTurn).await;
        back.unchecked_ref::<js_sys::Function>().call0(&JsValue::UNDEFINED).unwrap();
        assert_eq!(small.unwrap(), b"1", "{times}");
        match read {
            Ok(read) => assert!(is_read && read == whole[..10], "{times}"),
            Err(error) => assert!(!is_read && error.kind() == ErrorKind::Storage, "{times}: {error}"),
        }
    }
    IndexedDbFileSystem::destroy("denied").await.unwrap();
}

#[wasm_bindgen_test]
async fn what_grew_when_the_page_went_is_cleared() {
    let mut driver = open_new("growing").await;
    driver.append("tmp/f", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    driver.append("tmp/g", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/g", "g")], &NextTurn).await.unwrap();
    let whole = format!("{STORED_CHUNK_BYTES} bytes");
    assert_eq!(dump("growing").await.matches(&whole).count(), 2 * 9);
    drop(driver);
    drop(open("growing").await);
    assert_eq!(dump("growing").await.matches(&whole).count(), 9);
    drop(open_to_read("growing").await);
    IndexedDbFileSystem::destroy("growing").await.unwrap();
}

#[wasm_bindgen_test]
async fn names_of_one_file_that_go_as_the_page_does_leave_no_file_without_a_name() {
    let mut driver = open_new("leaving").await;
    driver.commit(vec![put("part", b"123"), link("part", "snapshot"), put("other", b"1")], &NextTurn).await.unwrap();
    let first = driver.submit(Request::Commit { changes: vec![remove("part")] });
    driver.files.leave();
    let second = driver.submit(Request::Commit { changes: vec![remove("snapshot")] });
    let third = driver.submit(Request::Commit { changes: vec![put("rows", b"4"), remove("other")] });
    for commit in [third, second, first] {
        driver.finish(commit, &NextTurn).await.unwrap();
    }
    drop(driver);
    let mut driver = open("leaving").await;
    assert_eq!(driver.list("", &NextTurn).await, "rows:1");
    IndexedDbFileSystem::destroy("leaving").await.unwrap();
}

#[wasm_bindgen_test]
async fn a_commit_of_unknown_outcome_takes_place_once() {
    let mut driver = open_new("doubt").await;
    for round in 0..10_u8 {
        let and_undoes = round % 2 == 0;
        let (tmp, file) = (format!("tmp/{round}"), format!("files/{round}"));
        driver.append(&tmp, &pattern(5 * CHUNK_BYTES, round), &NextTurn).await.unwrap();
        let commit = driver.submit(Request::Commit { changes: vec![publish(&tmp, &file), put("last", b"x")] });
        for _ in 0..round / 2 {
            NextTurn.idle().await;
        }
        driver.files.lose_connection(and_undoes);
        driver.finish(commit, &NextTurn).await.unwrap();
        assert_eq!(meta("doubt", "commits").await.as_f64(), Some(f64::from(round) + 1.0), "round {round}");
        let len = 5 * CHUNK_BYTES as u64;
        assert!(driver.read(&file, 0..len, &NextTurn).await.unwrap() == pattern(5 * CHUNK_BYTES, round));
    }
    let mut notices = Vec::new();
    driver.files.take_notices(&mut notices);
    // Told in turns, as a trouble is over before the next one.
    for told in notices.chunks(2) {
        let [Notice::Trouble(error), Notice::Over] = told else { panic!("{notices:?}") };
        assert!(error.kind() == ErrorKind::Storage && error.message().contains("closed the connection"), "{error}");
    }
    assert!(!notices.is_empty());
    drop(driver);
    assert_eq!(open("doubt").await.list("files", &NextTurn).await.split(' ').count(), 10);
}

#[wasm_bindgen_test]
async fn a_commit_that_fails_again_and_again_ends_nothing() {
    let mut driver = open_new("again").await;
    driver.append("tmp/f", &pattern(5 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    for round in 1..=2 {
        let before = dump("again").await;
        let commit = driver.submit(Request::Commit { changes: vec![publish("tmp/f", "f"), put("last", b"x")] });
        let mut done = Vec::new();
        while done.is_empty() {
            driver.files.lose_connection(true);
            NextTurn.idle().await;
            driver.files.poll(0, &mut done);
        }
        assert_eq!(done[0].op, commit);
        assert_eq!(done[0].result.as_ref().map(drop).unwrap_err().kind(), ErrorKind::Storage, "round {round}");
        assert_eq!(dump("again").await, before, "round {round}");
    }
    // What it would have published is still there, and can be.
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    assert_eq!(meta("again", "commits").await.as_f64(), Some(1.0));
    drop(driver);
    let len = 5 * CHUNK_BYTES as u64;
    assert!(open("again").await.read("f", 0..len, &NextTurn).await.unwrap() == pattern(5 * CHUNK_BYTES, 1));
}

#[wasm_bindgen_test]
async fn what_another_tab_holds_up_fails_and_works_when_it_lets_go() {
    let whole = pattern(9 * CHUNK_BYTES, 1);
    let mut driver = open_new("stalled").await;
    let mut reader = open_to_read("stalled").await;
    let timers_back = hasten();
    driver.append("tmp/f", &whole, &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    driver.append("tmp/g", &whole, &NextTurn).await.unwrap();
    assert!(refresh(&mut reader).await);
    let before = dump("stalled").await;
    let let_go = occupy("stalled").await;
    let requests = [
        Request::Read { file: path("f"), range: 0..10 },
        Request::Append { file: path("tmp/g"), bytes: whole.clone().into() },
        Request::Append { file: path("tmp/h"), bytes: whole.clone().into() },
        Request::Commit { changes: vec![put("small", b"1"), remove("f")] },
    ];
    let ops = requests.clone().map(|request| driver.submit(request));
    let read = reader.submit(Request::Read { file: path("f"), range: 0..10 });
    for op in ops {
        assert_eq!(driver.finish(op, &Nap).await.unwrap_err().kind(), ErrorKind::Storage, "{op:?}");
    }
    assert_eq!(reader.finish(read, &Nap).await.unwrap_err().kind(), ErrorKind::Storage);
    call(&timers_back).await;
    call(&let_go).await;
    // Nothing of it has come true, and nothing does later.
    assert_eq!(dump("stalled").await, before);
    for request in requests {
        driver.run(request, &NextTurn).await.unwrap();
    }
    driver.commit(vec![publish("tmp/g", "g"), publish("tmp/h", "h")], &NextTurn).await.unwrap();
    let mut notices = Vec::new();
    driver.files.take_notices(&mut notices);
    assert!(matches!(&notices[..], [Notice::Trouble(_), .., Notice::Over]), "{notices:?}");
    assert!(refresh(&mut reader).await);
    let twice = [&whole[..], &whole[..]].concat();
    for (file, expected) in [("g", &twice), ("h", &whole)] {
        assert!(reader.read(file, 0..expected.len() as u64, &NextTurn).await.unwrap() == *expected, "{file}");
    }
    assert_eq!(meta("stalled", "commits").await.as_f64(), Some(3.0));
}

#[wasm_bindgen_test]
async fn a_chunk_that_never_comes_fails() {
    let mut driver = open_new("silent").await;
    let timers_back = hasten();
    driver.append("tmp/f", &pattern(CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    let back = silence();
    let error = driver.read("f", 0..10, &Nap).await.unwrap_err();
    back.unchecked_ref::<js_sys::Function>().call0(&JsValue::UNDEFINED).unwrap();
    call(&timers_back).await;
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    assert_eq!(driver.read("f", 0..10, &NextTurn).await.unwrap(), pattern(10, 1));
}

#[wasm_bindgen_test]
async fn a_connection_that_comes_late_ends_nothing() {
    let mut driver = open_new("late").await;
    driver.commit(vec![put("f", b"1")], &NextTurn).await.unwrap();
    let mut reader = open_to_read("late").await;
    let timers_back = hasten();
    let let_go = occupy("late").await;
    // Nobody knows of the commit before there is a connection; what comes behind it is told that there is none.
    let commit = driver.submit(Request::Commit { changes: vec![put("g", b"2")] });
    driver.files.lose_connection(true);
    let error = driver.read("f", 0..1, &Nap).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    let error = reader.run(Request::Refresh, &Nap).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    call(&timers_back).await;
    call(&let_go).await;
    driver.finish(commit, &Nap).await.unwrap();
    assert_eq!(meta("late", "commits").await.as_f64(), Some(2.0));
    assert_eq!(driver.read("f", 0..1, &Nap).await.unwrap(), b"1");
    assert!(refresh(&mut reader).await);
    assert_eq!(reader.read("g", 0..1, &NextTurn).await.unwrap(), b"2");
}

#[wasm_bindgen_test]
async fn a_writer_that_was_replaced_is_fenced_for_good() {
    let mut first = open_new("epochs").await;
    first.commit(vec![put("f", b"first")], &NextTurn).await.unwrap();
    first.append("tmp/f", b"first", &NextTurn).await.unwrap();
    let mut second = open("epochs").await;
    second.commit(vec![put("f", b"second")], &NextTurn).await.unwrap();
    let before = dump("epochs").await;
    let refused = first.commit(vec![remove("f"), publish("tmp/f", "g")], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    assert!(refused.message().contains("a newer writer"), "{refused}");
    // From then on nothing is done, and nothing is asked of the browser either.
    for request in [
        Request::Append { file: path("tmp/h"), bytes: pattern(9 * CHUNK_BYTES, 1).into() },
        Request::Read { file: path("f"), range: 0..1 },
        Request::List { dir: path("tmp") },
        Request::Commit { changes: vec![put("h", b"1")] },
    ] {
        assert_eq!(first.run(request, &NextTurn).await.unwrap_err().kind(), ErrorKind::Locked);
    }
    assert_eq!(dump("epochs").await, before);
    assert_eq!(second.read("f", 0..6, &NextTurn).await.unwrap(), b"second");
    // One that lost its connection and its place learns of it when it comes back.
    let commit = second.submit(Request::Commit { changes: vec![put("f", b"third")] });
    second.files.lose_connection(true);
    let mut third = open("epochs").await;
    assert_eq!(second.finish(commit, &NextTurn).await.unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(third.read("f", 0..6, &NextTurn).await.unwrap(), b"second");
}

#[wasm_bindgen_test]
async fn nobody_goes_on_in_a_database_that_has_taken_the_place_of_another() {
    let mut first = open_new("replaced").await;
    first.commit(vec![put("f", b"first")], &NextTurn).await.unwrap();
    let mut reader = open_to_read("replaced").await;
    first.files.lose_connection(true);
    reader.files.lose_connection(true);
    // The new one has the same epoch, the same count of commits and the same names.
    let mut second = open_new("replaced").await;
    second.commit(vec![put("f", b"second")], &NextTurn).await.unwrap();
    let before = dump("replaced").await;
    for request in [
        Request::Commit { changes: vec![put("f", b"third")] },
        Request::Append { file: path("tmp/h"), bytes: pattern(9 * CHUNK_BYTES, 1).into() },
        Request::Read { file: path("f"), range: 0..1 },
    ] {
        let refused = first.run(request, &NextTurn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
        assert!(refused.message().contains("has removed the database"), "{refused}");
    }
    assert_eq!(reader.run(Request::Refresh, &NextTurn).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(dump("replaced").await, before);
    assert_eq!(second.read("f", 0..6, &NextTurn).await.unwrap(), b"second");
}

#[wasm_bindgen_test]
async fn a_reader_sees_the_last_commit_and_writes_nothing() {
    IndexedDbFileSystem::destroy("reader").await.unwrap();
    let too_early =
        IndexedDbFileSystem::open_for_reading("reader", || ()).await.err().expect("there is nothing to read");
    assert_eq!(too_early.kind(), ErrorKind::NotFound);
    assert!(!IndexedDbFileSystem::list_databases().await.unwrap().contains(&"reader".to_owned()));

    let mut writer = open("reader").await;
    writer.append("tmp/a", &pattern(6 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    writer.commit(vec![publish("tmp/a", "a"), put("b", b"old")], &NextTurn).await.unwrap();
    writer.append("tmp/c", &pattern(6 * CHUNK_BYTES, 2), &NextTurn).await.unwrap();
    let before = dump("reader").await;
    let mut reader = open_to_read("reader").await;
    assert_eq!(reader.list("", &NextTurn).await, format!("a:{} b:3", 6 * CHUNK_BYTES));
    assert!(!refresh(&mut reader).await);
    // Its own changes are its own.
    reader.append("tmp/x", &pattern(6 * CHUNK_BYTES, 3), &NextTurn).await.unwrap();
    reader.commit(vec![publish("tmp/x", "x"), publish("a", "moved"), remove("b")], &NextTurn).await.unwrap();
    assert!(reader.read("x", 0..9, &NextTurn).await.unwrap() == pattern(9, 3));
    let moved = reader.read("moved", CHUNK_BYTES as u64..CHUNK_BYTES as u64 * 2, &NextTurn).await.unwrap();
    assert!(moved == pattern(2 * CHUNK_BYTES, 1)[CHUNK_BYTES..]);
    assert_eq!(dump("reader").await, before);

    // What the writer does is seen when it is looked for.
    writer.commit(vec![remove("a"), put("b", b"new"), publish("tmp/c", "c")], &NextTurn).await.unwrap();
    assert!(reader.read("moved", 0..1, &NextTurn).await.is_err(), "a file that is gone was read");
    assert!(refresh(&mut reader).await);
    assert!(!refresh(&mut reader).await);
    assert_eq!(reader.list("", &NextTurn).await, format!("b:3 c:{}", 6 * CHUNK_BYTES));
    assert_eq!(reader.read("b", 0..3, &NextTurn).await.unwrap(), b"new");
    // It goes on over a connection that is lost, and beside a writer that comes after.
    reader.files.lose_connection(true);
    drop(writer);
    let mut writer = open("reader").await;
    writer.commit(vec![put("d", b"d")], &NextTurn).await.unwrap();
    assert!(refresh(&mut reader).await);
    assert_eq!(reader.read("d", 0..1, &NextTurn).await.unwrap(), b"d");
    writer.commit(vec![remove("d")], &NextTurn).await.unwrap();
}

const NO_ROOM: &str = "QuotaExceededError";

#[wasm_bindgen_test]
async fn a_storage_without_any_room_lets_files_be_removed() {
    let mut writer = open_new("full").await;
    for file in ["a", "b", "c", "d"] {
        let tmp = format!("tmp/{file}");
        writer.append(&tmp, &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
        writer.commit(vec![publish(&tmp, file), link(file, &format!("links/{file}"))], &NextTurn).await.unwrap();
    }
    writer.append("tmp/e", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    let mut reader = open_to_read("full").await;
    let before = dump("full").await;
    for (error, message) in [(NO_ROOM, ""), ("DataError", "Failed to write blobs (IOError)")] {
        let back = fill(error, message, false);
        for change in [put("small", b"1"), link("a", "more"), publish("tmp/e", "e")] {
            let refused = writer.commit(vec![remove("b"), change], &NextTurn).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
        }
        call(&back).await;
    }
    assert_eq!(dump("full").await, before);

    let back = fill(NO_ROOM, "", false);
    writer.commit(vec![remove("a"), remove("links/a")], &NextTurn).await.unwrap();
    writer.commit(vec![remove("b")], &NextTurn).await.unwrap();
    writer.commit(vec![remove("tmp")], &NextTurn).await.unwrap();
    assert!(refresh(&mut reader).await, "a reader is not told of what was removed");
    assert!(!refresh(&mut reader).await);
    let nine = 9 * CHUNK_BYTES;
    assert_eq!(reader.list("", &NextTurn).await, format!("c:{nine} d:{nine} links/"));
    assert!(reader.read("links/b", 0..nine as u64, &NextTurn).await.unwrap() == pattern(nine, 1));
    assert_eq!(dump("full").await.matches(&format!("{STORED_CHUNK_BYTES} bytes")).count(), 3 * 9);
    // Nobody knows of one whether it took place, and it takes place all the same.
    for (file, and_undoes) in [("c", true), ("d", false)] {
        let removal = writer.submit(Request::Commit { changes: vec![remove(file)] });
        writer.files.lose_connection(and_undoes);
        writer.finish(removal, &NextTurn).await.unwrap();
    }
    assert_eq!(writer.list("", &NextTurn).await, "links/");
    call(&back).await;
    writer.commit(vec![put("small", b"1")], &NextTurn).await.unwrap();
    assert!(refresh(&mut reader).await);
    assert_eq!(reader.list("", &NextTurn).await, "links/ small:1");
    drop(writer);
    let mut writer = open("full").await;
    assert_eq!(writer.list("", &NextTurn).await, "links/ small:1");
    assert_eq!(writer.list("links", &NextTurn).await, format!("b:{nine} c:{nine} d:{nine}"));
}

#[wasm_bindgen_test]
async fn a_storage_that_leftovers_fill_is_opened_without_them() {
    let mut first = open_new("leftovers").await;
    first.commit(vec![put("f", b"first")], &NextTurn).await.unwrap();
    first.append("tmp/f", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();
    let timers_back = hasten();
    let back = fill(NO_ROOM, "", true);
    let mut second = open("leftovers").await;
    call(&back).await;
    assert_eq!(dump("leftovers").await.matches(&format!("{STORED_CHUNK_BYTES} bytes")).count(), 0);
    assert_eq!(meta("leftovers", "epoch").await.as_f64(), Some(2.0));
    // Without its chunks the file must not be published.
    let refused = first.commit(vec![publish("tmp/f", "g")], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    second.append("tmp/f", &pattern(9 * CHUNK_BYTES, 1), &NextTurn).await.unwrap();

    // There is no room, whatever is removed.
    let back = fill(NO_ROOM, "", false);
    assert_eq!(open_error("leftovers").await.kind(), ErrorKind::Quota);
    call(&back).await;
    call(&timers_back).await;
    assert_eq!(second.commit(vec![remove("f")], &NextTurn).await.unwrap_err().kind(), ErrorKind::Locked);
    let mut third = open("leftovers").await;
    assert_eq!(meta("leftovers", "epoch").await.as_f64(), Some(3.0), "an epoch comes twice");
    assert_eq!(third.list("", &NextTurn).await, "f:5");
}

#[wasm_bindgen_test]
async fn what_can_not_be_put_together_changes_nothing() {
    let mut driver = open_new("broken").await;
    driver.commit(vec![put("old", b"1")], &NextTurn).await.unwrap();
    let whole = pattern(9 * CHUNK_BYTES + BLOB_BYTES, 1);
    let append = Request::Append { file: path("tmp/f"), bytes: whole.clone().into() };
    let commit = Request::Commit { changes: vec![publish("tmp/f", "f"), put("small", b"1"), remove("old")] };
    for (request, least_puts) in [(append, 10), (commit, 7)] {
        for number in 0.. {
            let before = dump("broken").await;
            let back = break_put(number);
            let result = driver.run(request.clone(), &NextTurn).await;
            call(&back).await;
            let Err(error) = result else {
                assert_eq!(number, least_puts);
                break;
            };
            assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
            assert_eq!(dump("broken").await, before, "put {number} of {request:?}");
        }
    }
    drop(driver);
    let mut driver = open("broken").await;
    assert_eq!(driver.list("", &NextTurn).await, format!("f:{} small:1", whole.len()));
    assert!(driver.read("f", 0..whole.len() as u64, &NextTurn).await.unwrap() == whole);
    assert_eq!(meta("broken", "commits").await.as_f64(), Some(2.0));
}

#[wasm_bindgen_test]
async fn a_browser_that_stores_no_blob_gets_arrays() {
    let mut driver = open_new("no blobs").await;
    let whole = pattern(9 * CHUNK_BYTES + BLOB_BYTES, 1);
    let back = refuse_blobs();
    driver.append("tmp/f", &whole, &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("no blobs").await;
    call(&back).await;
    let range = 1_000..whole.len() as u64;
    assert!(driver.read("f", range, &NextTurn).await.unwrap() == whole[1_000..]);
}

#[wasm_bindgen_test]
async fn another_versions_database_is_refused_and_left_alone() {
    for (version, layout, named) in [(7, 1, "7"), (1, 3, "3")] {
        let fill = format!("stores.meta.put({layout}, 'format'); stores.entries.put({{ of: 'another kind' }}, 'a/b');");
        make("versions", version, STORES, &fill).await;
        let before = dump("versions").await;
        let to_read = IndexedDbFileSystem::open_for_reading("versions", || ()).await.err();
        for error in [open_error("versions").await, to_read.expect("it was opened for reading")] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.message().contains(&format!("its layout is {named}, this version knows 1")), "{error}");
        }
        assert_eq!(dump("versions").await, before);
    }
    IndexedDbFileSystem::destroy("versions").await.unwrap();
}

#[wasm_bindgen_test]
async fn a_database_that_lacks_something_is_corrupt_and_left_alone() {
    make("halves", 1, "entries meta", "stores.meta.put(1, 'format')").await;
    let before = dump("halves").await;
    let error = open_error("halves").await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("inodes"), "{error}");
    assert_eq!(dump("halves").await, before);

    for (damage, named) in [
        ("stores.inodes.clear()", "small"),
        ("stores.entries.clear()", "has no name"),
        ("stores.inodes.put('much', 77)", "\"much\""),
        ("stores.inodes.put(-2, 77)", "-2"),
        ("stores.entries.put(1.5, 'odd')", "1.5"),
        ("stores.entries.put(0, '../up')", "../up"),
        ("stores.entries.put(0, 12)", "a path is no text"),
        ("stores.meta.put('many', 'commits')", "\"many\""),
        ("stores.meta.delete('format')", "layout"),
    ] {
        let mut driver = open_new("halves").await;
        driver.commit(vec![put("small", b"1")], &NextTurn).await.unwrap();
        drop(driver);
        meddle("halves", damage).await;
        let before = dump("halves").await;
        let error = open_error("halves").await;
        let kind = if named == "layout" { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
        assert_eq!(error.kind(), kind, "{damage}: {error}");
        assert!(error.message().contains(named), "{damage}: {error}");
        assert_eq!(dump("halves").await, before, "{damage}");
    }

    const ALL: u64 = 3 * STORED_CHUNK_BYTES as u64 + 9;
    for damage in [
        "stores.chunks.clear()",
        "stores.chunks.delete([ID, 1])",
        "stores.chunks.delete([ID, 3])",
        "stores.chunks.put(new Uint8Array(5), [ID, 1])",
        "stores.chunks.put(new Uint8Array(5), [ID, 3])",
        "stores.chunks.put(new Uint8Array(300000), [ID, 1])",
        "stores.chunks.put(new Blob(['short']), [ID, 1])",
        "stores.chunks.put(new Blob([]), [ID, 3])",
        "stores.chunks.put(new Blob([new Uint8Array(300000)]), [ID, 1])",
        "stores.chunks.put({ size: 131072 }, [ID, 1])",
        "stores.chunks.put('text', [ID, 2])",
    ] {
        let mut driver = open_new("halves").await;
        driver.append("tmp/long", &pattern(ALL as usize, 1), &NextTurn).await.unwrap();
        driver.commit(vec![publish("tmp/long", "long")], &NextTurn).await.unwrap();
        drop(driver);
        // The first file of the first epoch.
        meddle("halves", &damage.replace("ID", "4294967296")).await;
        let before = dump("halves").await;
        let mut driver = open("halves").await;
        let error = driver.read("long", 0..ALL, &NextTurn).await.expect_err(damage);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{damage}: {error}");
        assert!(error.message().contains("long"), "{damage}: {error}");
        drop(driver);
        // The opening has taken the next epoch, and no more.
        let after = dump("halves").await.replace("poch\",2]", "poch\",1]").replace("[\"ended 1\",1],", "");
        assert_eq!(after, before, "{damage}");
    }
    IndexedDbFileSystem::destroy("halves").await.unwrap();
}

#[wasm_bindgen_test]
async fn a_browser_that_keeps_nothing_is_told_from_one_that_fails() {
    let refuses = "return { open() { throw new DOMException('not here', 'SecurityError'); } }";
    let denies = "throw new DOMException('denied by policy', 'SecurityError')";
    for (indexed_db, why) in [("", "no IndexedDB"), (denies, "denied by policy"), (refuses, "not here")] {
        let back = replace(indexed_db);
        let error = IndexedDbFileSystem::open("nowhere", || ()).await.err();
        back.unchecked_ref::<js_sys::Function>().call0(&JsValue::UNDEFINED).unwrap();
        let error = error.expect("it was opened");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(why) && error.message().contains("\"memory\""), "{error}");
    }
}

#[wasm_bindgen_test]
async fn opening_behind_another_tab_comes_to_an_end() {
    drop(open_new("held").await);
    let let_go = hold("held").await;
    assert_eq!(open_error("held").await.kind(), ErrorKind::Locked);
    call(&let_go).await;
    drop(open("held").await);
    IndexedDbFileSystem::destroy("held").await.unwrap();
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
