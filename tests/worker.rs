//! Files in IndexedDB and in the origin private file system, from within a dedicated worker.
#![cfg(target_arch = "wasm32")]

mod fs_contract;
mod next_turn;

use bytes::Bytes;
use fs_contract::{Driver, Idle, link, path, pattern, publish, put, put_briefly, remove};
use js_sys::{Function, IteratorNext, Reflect, Uint8Array};
use next_turn::NextTurn;
use sandglass::engine::{Answer, Clock, Command, Config, Engine, SeriesData, Ticket};
use sandglass::error::{Error, ErrorKind};
use sandglass::fs::opfs::{MAX_HANDLES, Readers};
use sandglass::fs::{Change, FileSystem, IndexedDbFileSystem, OpfsFileSystem, OpfsReader, Reply, Request};
use sandglass::time::{MAX_RETENTION_MS, TimeRange};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemReadWriteOptions,
    FileSystemRemoveOptions, FileSystemSyncAccessHandle, StorageManager,
};
use xxhash_rust::xxh64::xxh64;

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

// ---- the origin private file system, from the outside ------------------------------------------------------------------

async fn sandglass_directory() -> FileSystemDirectoryHandle {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap();
    let storage: StorageManager = Reflect::get(&navigator, &"storage".into()).unwrap().unchecked_into();
    let root: FileSystemDirectoryHandle = JsFuture::from(storage.get_directory()).await.unwrap().unchecked_into();
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    JsFuture::from(root.get_directory_handle_with_options("sandglass", &options)).await.unwrap().unchecked_into()
}

async fn directory(database: &str) -> FileSystemDirectoryHandle {
    JsFuture::from(sandglass_directory().await.get_directory_handle(database)).await.unwrap().unchecked_into()
}

async fn files_directory(database: &str) -> FileSystemDirectoryHandle {
    JsFuture::from(directory(database).await.get_directory_handle("files")).await.unwrap().unchecked_into()
}

/// The names of the stored files that hold anything, sorted as texts. One that is empty is ready for the next commit.
async fn stored_files(database: &str) -> Vec<String> {
    let files = files_directory(database).await;
    let keys = files.keys();
    let mut names = Vec::new();
    loop {
        let next: IteratorNext = JsFuture::from(keys.next().unwrap()).await.unwrap().unchecked_into();
        if next.done() {
            names.sort();
            return names;
        }
        let name = next.value().as_string().unwrap();
        // It may go meanwhile.
        let Ok(file) = JsFuture::from(files.get_file_handle(&name)).await else { continue };
        let Ok(file) = JsFuture::from(file.unchecked_into::<FileSystemFileHandle>().get_file()).await else { continue };
        if file.unchecked_into::<web_sys::File>().size() > 0.0 {
            names.push(name);
        }
    }
}

/// Their numbers, sorted.
async fn stored_numbers(database: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = stored_files(database).await.iter().map(|name| name.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

async fn handle(dir: &FileSystemDirectoryHandle, name: &str) -> FileSystemSyncAccessHandle {
    let file: FileSystemFileHandle = JsFuture::from(dir.get_file_handle(name)).await.unwrap().unchecked_into();
    JsFuture::from(file.create_sync_access_handle()).await.unwrap().unchecked_into()
}

async fn content(dir: &FileSystemDirectoryHandle, name: &str) -> Vec<u8> {
    let handle = handle(dir, name).await;
    let bytes = Uint8Array::new_with_length(handle.get_size().unwrap() as u32);
    handle.read_with_js_u8_array(&bytes).unwrap();
    handle.close();
    bytes.to_vec()
}

async fn overwrite(dir: &FileSystemDirectoryHandle, name: &str, at: usize, bytes: &[u8]) {
    let handle = handle(dir, name).await;
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at as f64);
    handle.write_with_js_u8_array_and_options(&Uint8Array::from(bytes), &options).unwrap();
    handle.flush().unwrap();
    handle.close();
}

/// Removes a database, whatever is in the way for a moment.
async fn destroy(database: &str) {
    let options = FileSystemRemoveOptions::new();
    options.set_recursive(true);
    for _ in 0..1000 {
        match JsFuture::from(sandglass_directory().await.remove_entry_with_options(database, &options)).await {
            Ok(_) => return,
            Err(error) if Reflect::get(&error, &"name".into()).unwrap() == "NotFoundError" => return,
            Err(_) => NextTurn.idle().await,
        }
    }
    panic!("{database} can't be removed");
}

async fn open(name: &str) -> Driver<OpfsFileSystem> {
    Driver::new(OpfsFileSystem::open(name, None, || ()).await.expect("the database opens"))
}

async fn open_new(name: &str) -> Driver<OpfsFileSystem> {
    destroy(name).await;
    open(name).await
}

async fn refusal(name: &str) -> Error {
    match OpfsFileSystem::open(name, None, || ()).await {
        Ok(_) => panic!("{name} opens"),
        Err(error) => error,
    }
}

// ---- its file system ---------------------------------------------------------------------------------------------------

#[wasm_bindgen_test]
async fn opfs_keeps_the_contract() {
    let mut driver = open_new("contract").await;
    fs_contract::check(&mut driver, &NextTurn).await;
    fs_contract::check_left_behind(&mut driver, &NextTurn).await;
    drop(driver);
    let mut driver = open("contract").await;
    fs_contract::check_left_behind(&mut driver, &NextTurn).await;
    // It grows on from where it was.
    driver.append("tmp/more", &pattern(3 << 20, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/more", "more"), remove("kept/a")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("contract").await;
    assert_eq!(driver.list("kept", &NextTurn).await, "b/");
    assert_eq!(driver.read("kept/b/one", 0..5, &NextTurn).await.unwrap(), b"hello");
    assert!(driver.read("more", 0..3 << 20, &NextTurn).await.unwrap() == pattern(3 << 20, 1));
}

#[wasm_bindgen_test]
async fn a_file_that_does_not_get_open_fails_and_is_let_go_of_later() {
    let run = |code: &str| Function::new_no_args(code).call0(&JsValue::UNDEFINED).unwrap().unchecked_into::<Function>();
    let timers_back = run("const patient = globalThis.setTimeout;
        globalThis.setTimeout = (call, ms, ...rest) => patient(call, ms / 20, ...rest);
        return () => (globalThis.setTimeout = patient);");
    let mut driver = open_new("silent").await;
    driver.append("tmp/f", &pattern(1 << 20, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    let files = stored_files("silent").await;
    let open_at_last =
        run("const { prototype } = FileSystemFileHandle, { createSyncAccessHandle } = prototype, late = [];
        prototype.createSyncAccessHandle = function () {
          return new Promise((resolve) => late.push(() => resolve(createSyncAccessHandle.call(this))));
        };
        return () => {
          prototype.createSyncAccessHandle = createSyncAccessHandle;
          late.forEach((open) => open());
        };");
    let read = driver.submit(Request::Read { file: path("f"), range: 0..9 });
    let mut done = Vec::new();
    while done.is_empty() {
        NextTurn.idle().await;
        driver.files.poll(0, &mut done);
    }
    assert_eq!(done[0].op, read);
    assert_eq!(done[0].result.as_ref().map(drop).unwrap_err().kind(), ErrorKind::Storage);
    timers_back.call0(&JsValue::UNDEFINED).unwrap();
    open_at_last.call0(&JsValue::UNDEFINED).unwrap();
    assert!(driver.read("f", 0..9, &NextTurn).await.unwrap() == pattern(9, 1));
    assert_eq!(stored_files("silent").await, files);
}

#[wasm_bindgen_test]
async fn a_file_that_somebody_else_has_open_ends_nothing() {
    let mut driver = open_new("open elsewhere").await;
    driver.append("tmp/f", &pattern(1 << 20, 1), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    let files = stored_files("open elsewhere").await;
    let elsewhere = handle(&files_directory("open elsewhere").await, &files[0]).await;
    let read = driver.submit(Request::Read { file: path("f"), range: 0..9 });
    let mut done = Vec::new();
    while done.is_empty() {
        NextTurn.idle().await;
        driver.files.poll(0, &mut done);
    }
    assert_eq!(done[0].op, read);
    assert_eq!(done[0].result.as_ref().map(drop).unwrap_err().kind(), ErrorKind::Storage);
    elsewhere.close();
    assert!(driver.read("f", 0..9, &NextTurn).await.unwrap() == pattern(9, 1));
}

#[wasm_bindgen_test]
async fn what_was_not_committed_is_gone_and_takes_no_room() {
    let mut driver = open_new("orphans").await;
    driver.append("tmp/whole", &pattern(1 << 20, 1), &NextTurn).await.unwrap();
    driver.commit(vec![put("kept", b"1"), put("flag", b"2")], &NextTurn).await.unwrap();
    driver.commit(vec![remove("flag")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("orphans").await;
    assert_eq!(driver.list("", &NextTurn).await, "kept:1");
    assert_eq!(stored_files("orphans").await.len(), 1);
    driver.append("tmp/other", &pattern(600 << 10, 2), &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/other", "other")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("orphans").await;
    assert!(driver.read("other", 0..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 2));
    assert_eq!(driver.read("kept", 0..1, &NextTurn).await.unwrap(), b"1");
    driver.commit(vec![remove("other"), remove("kept")], &NextTurn).await.unwrap();
    for _ in 0..1000 {
        if stored_files("orphans").await.is_empty() {
            return;
        }
    }
    panic!("files that were removed are still stored");
}

#[wasm_bindgen_test]
async fn the_small_files_of_a_commit_share_a_stored_file_until_the_last_is_gone() {
    let mut driver = open_new("together").await;
    driver.append("tmp/p/large", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    for (file, len) in [("one", 1000), ("empty", 0), ("two", 2000)] {
        driver.append(&format!("tmp/p/{file}"), &pattern(len, 2), &NextTurn).await.unwrap();
    }
    driver.append("tmp/left", b"unpublished", &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/p", "p"), put("state", b"state")], &NextTurn).await.unwrap();
    assert_eq!(stored_files("together").await.len(), 2);
    for _ in 0..2 {
        assert!(driver.read("p/one", 0..1000, &NextTurn).await.unwrap() == pattern(1000, 2));
        assert!(driver.read("p/two", 7..1999, &NextTurn).await.unwrap() == pattern(2000, 2)[7..1999]);
        assert_eq!(driver.read("p/empty", 0..0, &NextTurn).await.unwrap(), b"");
        assert_eq!(driver.read("state", 1..5, &NextTurn).await.unwrap(), b"tate");
        assert!(driver.read("p/large", 0..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 1));
        drop(driver);
        driver = open("together").await;
    }
    driver.commit(vec![remove("p")], &NextTurn).await.unwrap();
    drop(driver);
    driver = open("together").await;
    assert_eq!(stored_files("together").await.len(), 1);
    assert_eq!(driver.read("state", 0..5, &NextTurn).await.unwrap(), b"state");
    driver.commit(vec![put("state", b"other")], &NextTurn).await.unwrap();
    drop(driver);
    driver = open("together").await;
    assert_eq!(driver.read("state", 0..5, &NextTurn).await.unwrap(), b"other");
    assert_eq!(stored_files("together").await.len(), 1);
    drop(driver);
    destroy("together").await;
}

/// Where two states of a file differ: from the first byte to behind the last.
fn difference(a: &[u8], b: &[u8]) -> std::ops::Range<usize> {
    let differs = |at: &usize| a.get(*at) != b.get(*at);
    let len = a.len().max(b.len());
    (0..len).find(differs).unwrap()..(0..len).rfind(differs).unwrap() + 1
}

#[wasm_bindgen_test]
async fn a_torn_end_of_the_journal_is_ignored_and_damage_before_it_is_not() {
    drop(open_new("torn").await);
    let home = directory("torn").await;
    let mut states = vec![content(&home, "journal-a").await];
    for file in ["first", "second", "third"] {
        let mut driver = open("torn").await;
        let change = Change::Put { file: path(file), bytes: Bytes::copy_from_slice(file.as_bytes()) };
        driver.commit(vec![change], &NextTurn).await.unwrap();
        drop(driver);
        states.push(content(&home, "journal-a").await);
    }
    let [_, _, second, third] = &states[..] else { panic!() };
    let last_record = difference(second, third);
    for torn_at in [last_record.start + 1, last_record.start + 33, last_record.end - 1] {
        overwrite(&home, "journal-a", 0, third).await;
        overwrite(&home, "journal-a", torn_at, &second[torn_at..last_record.end]).await;
        let mut driver = open("torn").await;
        assert_eq!(driver.list("", &NextTurn).await, "first:5 second:6", "torn at {torn_at}");
        drop(driver);
        assert_eq!(stored_files("torn").await.len(), 2, "the file of the torn commit is still there");
    }
    // A commit after that takes the place of the torn one.
    let mut driver = open("torn").await;
    driver.commit(vec![put("fourth", b"4")], &NextTurn).await.unwrap();
    drop(driver);
    let good = content(&home, "journal-a").await;
    for at in difference(&states[1], second).step_by(7) {
        overwrite(&home, "journal-a", at, &[good[at] ^ 0x10]).await;
        let refused = refusal("torn").await;
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
        overwrite(&home, "journal-a", at, &[good[at]]).await;
    }
    assert!(content(&home, "journal-a").await == good);
    assert_eq!(stored_files("torn").await.len(), 3, "nothing was deleted");
    assert_eq!(open("torn").await.list("", &NextTurn).await, "first:5 fourth:1 second:6");
}

#[wasm_bindgen_test]
async fn a_lost_or_shortened_file_is_named_and_nothing_is_deleted() {
    let mut driver = open_new("lost").await;
    for (file, content) in [("keep/a", b"aaaa"), ("keep/b", b"bbbb"), ("c", b"cccc")] {
        driver.commit(vec![put(file, content)], &NextTurn).await.unwrap();
    }
    driver.append("tmp/orphan", &pattern(600 << 10, 2), &NextTurn).await.unwrap();
    drop(driver);
    let files = files_directory("lost").await;
    let names = stored_files("lost").await;
    let mut victim = None;
    for name in &names {
        if content(&files, name).await == b"bbbb" {
            victim = Some(name.clone());
        }
    }
    let victim = victim.expect("the file of keep/b");
    let shortened = handle(&files, &victim).await;
    shortened.truncate_with_u32(3).unwrap();
    shortened.close();
    let mut driver = open("lost").await;
    let refused = driver.read("keep/b", 0..1, &NextTurn).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Corrupt && refused.message().contains("keep/b"), "{refused}");
    assert_eq!(driver.read("keep/a", 0..4, &NextTurn).await.unwrap(), b"aaaa");
    driver.append("tmp/orphan", &pattern(600 << 10, 2), &NextTurn).await.unwrap();
    drop(driver);
    JsFuture::from(files.remove_entry(&victim)).await.unwrap();
    let before = stored_files("lost").await;
    let refused = refusal("lost").await;
    assert!(refused.kind() == ErrorKind::Corrupt && refused.message().contains("keep/b"), "{refused}");
    assert_eq!(stored_files("lost").await, before);
    // Without the journal nobody can tell what the files are.
    let home = directory("lost").await;
    for journal in ["journal-a", "journal-b"] {
        JsFuture::from(home.remove_entry(journal)).await.unwrap();
    }
    let refused = refusal("lost").await;
    assert!(refused.kind() == ErrorKind::Corrupt && refused.message().contains("no journal"), "{refused}");
    assert_eq!(stored_files("lost").await, before);
}

#[wasm_bindgen_test]
async fn a_page_that_goes_away_needs_no_turn_for_its_last_commits() {
    let mut driver = open_new("departure").await;
    driver.commit(vec![put("a", b"aa"), link("a", "again")], &NextTurn).await.unwrap();
    driver.append("tmp/large", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    let large = driver.submit(Request::Commit { changes: vec![publish("tmp/large", "large"), remove("a")] });
    // The first of these has an empty file ready, the second would have to wait until there is one.
    let mut small = vec![
        driver.submit(Request::Commit { changes: vec![put("e", b"e")] }),
        driver.submit(Request::Commit { changes: vec![put("f", b"ff")] }),
    ];
    let mut done = Vec::new();
    driver.files.poll(0, &mut done);
    assert!(!done.iter().any(|done| done.op == small[1]), "{done:?}");
    driver.files.leave();
    for changes in [vec![put("b", b"bbb"), remove("again")], vec![put("c", b"cccc"), put("d", b"d")]] {
        small.push(driver.submit(Request::Commit { changes }));
    }
    driver.files.poll(0, &mut done);
    for op in small {
        assert!(done.iter().any(|done| done.op == op && done.result.is_ok()), "{done:?}");
    }
    if !done.iter().any(|done| done.op == large) {
        driver.finish(large, &NextTurn).await.unwrap();
    }
    assert_eq!(driver.read("f", 0..2, &NextTurn).await.unwrap(), b"ff");
    drop(driver);

    // The process has ended before the contents got into files.
    let files = files_directory("departure").await;
    for name in stored_files("departure").await {
        let file = handle(&files, &name).await;
        // After a power cut their lengths may be there, and nothing else.
        let len = file.get_size().unwrap();
        if (2.0..100.0).contains(&len) {
            file.write_with_js_u8_array(&Uint8Array::new_with_length(len as u32)).unwrap();
        }
        file.close();
    }
    let mut reader = Driver::new(OpfsReader::open("departure", || ()).await.unwrap());
    assert_eq!(reader.read("c", 1..4, &NextTurn).await.unwrap(), b"ccc");
    drop(reader);
    for _ in 0..2 {
        let mut driver = open("departure").await;
        assert_eq!(driver.list("", &NextTurn).await, format!("b:3 c:4 d:1 e:1 f:2 large:{}", 600 << 10));
        for (name, content) in [("b", &b"bbb"[..]), ("c", b"cccc"), ("d", b"d"), ("f", b"ff")] {
            assert_eq!(driver.read(name, 0..content.len() as u64, &NextTurn).await.unwrap(), content, "{name}");
        }
        assert!(driver.read("large", 0..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 1));
    }
}

#[wasm_bindgen_test]
async fn what_soon_goes_lies_in_the_journal_alone_as_long_as_it_is_there() {
    let mut driver = open_new("brief").await;
    driver.commit(vec![put("lasting", b"lasting")], &NextTurn).await.unwrap();
    let is_there = |number: usize, from: usize| number + 10 > from || number % 50 == 7;
    let name = |number: usize| format!("log/{number:03}");
    // Nothing of these needs a turn. They are more than the journal is long between two checkpoints.
    let mut done = Vec::new();
    for number in 0..200 {
        let mut changes = vec![put_briefly(&name(number), &pattern(3000 + number, number as u8))];
        if number >= 10 && !is_there(number - 10, number) {
            changes.push(remove(&name(number - 10)));
        }
        driver.submit(Request::Commit { changes });
        done.clear();
        driver.files.poll(0, &mut done);
        assert!(done.len() == 1 && done[0].result.is_ok(), "{done:?}");
    }
    // More than that, and more at once, goes into files.
    driver.commit(vec![put_briefly("large", &pattern(100 << 10, 1))], &NextTurn).await.unwrap();
    for number in 0..5 {
        driver.commit(vec![put_briefly(&format!("many/{number}"), &pattern(60 << 10, 2))], &NextTurn).await.unwrap();
    }
    let files = stored_files("brief").await.len();
    assert!((4..=6).contains(&files), "{files}");
    drop(driver);
    let home = directory("brief").await;
    let longest = content(&home, "journal-a").await.len().max(content(&home, "journal-b").await.len());
    assert!(longest < 2 << 20, "{longest}");

    let mut driver = open("brief").await;
    let mut reader = Driver::new(OpfsReader::open("brief", || ()).await.unwrap());
    for round in 0..3 {
        for number in (0..200).filter(|number| is_there(*number, 199)) {
            let (len, content) = ((3000 + number) as u64, pattern(3000 + number, number as u8));
            assert!(
                driver.read(&name(number), 0..len, &NextTurn).await.unwrap() == content,
                "{number} in round {round}"
            );
            assert!(reader.read(&name(number), 0..len, &NextTurn).await.unwrap() == content, "{number} for a reader");
        }
        assert!(driver.read("many/4", 0..60 << 10, &NextTurn).await.unwrap() == pattern(60 << 10, 2));
        drop(driver);
        driver = open("brief").await;
    }
    // What a full storage has no room for is refused, and does not take the room of what is removed.
    let full = BadWrites::begin(500, "return 4294967288;");
    for number in 300..400 {
        let refused = driver.commit(vec![put_briefly(&name(number), &pattern(2000, 3))], &NextTurn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
    }
    driver.commit(vec![remove("log"), remove("many"), remove("large")], &NextTurn).await.unwrap();
    drop(full);
    driver.commit(vec![put_briefly("log/last", b"last")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("brief").await;
    assert_eq!(driver.list("", &NextTurn).await, "lasting:7 log/");
    assert_eq!(driver.read("log/last", 0..4, &NextTurn).await.unwrap(), b"last");
    drop(driver);
    assert_eq!(stored_files("brief").await.len(), 1);
    destroy("brief").await;
}

#[wasm_bindgen_test]
async fn a_second_opener_is_locked_out_until_the_first_is_gone() {
    let mut first = open_new("locked").await;
    assert_eq!(refusal("locked").await.kind(), ErrorKind::Locked);
    first.commit(vec![put("f", b"1")], &NextTurn).await.unwrap();
    assert_eq!(refusal("locked").await.kind(), ErrorKind::Locked);
    drop(first);
    assert_eq!(open("locked").await.list("", &NextTurn).await, "f:1");
}

#[wasm_bindgen_test]
async fn another_versions_database_is_left_alone() {
    let mut driver = open_new("version").await;
    driver.commit(vec![put("f", b"1")], &NextTurn).await.unwrap();
    driver.append("tmp/g", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    drop(driver);
    let home = directory("version").await;
    let mut head = content(&home, "journal-a").await[..24].to_vec();
    head[8] = 7;
    let checksum = xxh64(&head, 0);
    head.extend_from_slice(&checksum.to_le_bytes());
    overwrite(&home, "journal-a", 0, &head).await;
    let before = (content(&home, "journal-a").await, content(&home, "journal-b").await, stored_files("version").await);
    let refused = refusal("version").await;
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.message().contains("layout 7") && refused.message().contains("layout 1"), "{refused}");
    let after = (content(&home, "journal-a").await, content(&home, "journal-b").await, stored_files("version").await);
    assert!(before == after);
}

#[wasm_bindgen_test]
async fn hundreds_of_files_need_few_handles() {
    const FILES: usize = 320;
    let mut driver = open_new("handles").await;
    let commits: Vec<_> = (0..FILES)
        .map(|file| {
            let bytes = Bytes::from(pattern(1000 + file, file as u8));
            let change = Change::Put { file: path(&format!("many/{file}")), bytes };
            driver.submit(Request::Commit { changes: vec![change] })
        })
        .collect();
    for commit in commits {
        driver.finish(commit, &NextTurn).await.unwrap();
    }
    drop(driver);
    let mut driver = open("handles").await;
    // All at once, in an order that asks for the same files again after others.
    let numbers: Vec<usize> = (0..2 * FILES).map(|at| at * 7 % FILES).collect();
    let reads: Vec<_> = numbers
        .iter()
        .map(|file| {
            let range = 0..(1000 + file) as u64;
            driver.submit(Request::Read { file: path(&format!("many/{file}")), range })
        })
        .collect();
    for (file, op) in numbers.iter().zip(reads) {
        assert!(driver.files.open_handles() <= MAX_HANDLES);
        match driver.finish(op, &NextTurn).await.unwrap() {
            Reply::Bytes(bytes) => assert!(bytes == pattern(1000 + file, *file as u8), "{file}"),
            reply => panic!("{reply:?}"),
        }
    }
    // With its handle open a file answers at once.
    let mut done = Vec::new();
    driver.files.poll(0, &mut done);
    let last = numbers.last().unwrap();
    driver.submit(Request::Read { file: path(&format!("many/{last}")), range: 0..1 });
    driver.files.poll(0, &mut done);
    assert_eq!(done.len(), 1);
    driver.commit(vec![link("many", "again"), remove("many")], &NextTurn).await.unwrap();
    assert_eq!(stored_files("handles").await.len(), FILES);
    driver.commit(vec![remove("again")], &NextTurn).await.unwrap();
    drop(driver);
    let driver = open("handles").await;
    assert_eq!((driver.files.stats().files, stored_files("handles").await.len()), (0, 0));
}

#[wasm_bindgen_test]
async fn many_commits_keep_the_journal_short() {
    let mut driver = open_new("log").await;
    driver.commit(vec![put("file", b"content")], &NextTurn).await.unwrap();
    let place = |round: i32, name: i32| format!("a/rather/long/path/to/one/of/many/links/{round}/{name}");
    for round in 0..150 {
        let mut changes: Vec<Change> = (0..40).map(|name| link("file", &place(round, name))).collect();
        changes.push(remove(&format!("a/rather/long/path/to/one/of/many/links/{}", round - 1)));
        driver.commit(changes, &NextTurn).await.unwrap();
    }
    drop(driver);
    let home = directory("log").await;
    let lengths = [content(&home, "journal-a").await.len(), content(&home, "journal-b").await.len()];
    assert!(lengths.iter().all(|len| (64 << 10..512 << 10).contains(len)), "{lengths:?}");
    let mut driver = open("log").await;
    assert_eq!(driver.read(&place(149, 39), 0..7, &NextTurn).await.unwrap(), b"content");
    assert_eq!(driver.files.stats().links, 41);
}

/// Lets `FileSystemSyncAccessHandle.prototype.write` do something else for writes that are longer than `len`, until dropped.
struct BadWrites;

impl BadWrites {
    fn begin(len: usize, body: &str) -> Self {
        let code = format!(
            "const prototype = FileSystemSyncAccessHandle.prototype; prototype.goodWrite ??= prototype.write;
             prototype.write = function (bytes, options) {{ if (bytes.length <= {len}) return this.goodWrite(bytes, options); {body} }};"
        );
        Function::new_no_args(&code).call0(&JsValue::NULL).unwrap();
        Self
    }
}

impl Drop for BadWrites {
    fn drop(&mut self) {
        let code = "const prototype = FileSystemSyncAccessHandle.prototype; prototype.write = prototype.goodWrite;";
        Function::new_no_args(code).call0(&JsValue::NULL).unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_full_storage_refuses_what_does_not_fit_and_keeps_the_rest() {
    let mut driver = open_new("full").await;
    driver.commit(vec![put("a", b"aaaa"), put("b", b"bbbb")], &NextTurn).await.unwrap();
    driver.append("tmp/growing", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    let bodies = [
        // Chrome at its quota, Firefox at its own, and what the standard says.
        "return 4294967288;",
        "return this.goodWrite(bytes.slice(0, bytes.length >> 1), options);",
        "this.goodWrite(bytes.slice(0, 3), options); throw new DOMException('simulated', 'QuotaExceededError');",
    ];
    for body in bodies {
        let before = driver.files.stats();
        // Records of the journal still find their room; contents don't.
        let full = BadWrites::begin(500, body);
        let large = Change::Put { file: path("large"), bytes: Bytes::from(pattern(2000, 3)) };
        let refused = driver.commit(vec![remove("a"), large], &NextTurn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
        let refused = driver.append("tmp/growing", &pattern(600 << 10, 2), &NextTurn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
        let refused = driver.append("tmp/new", &pattern(600 << 10, 2), &NextTurn).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
        let after = driver.files.stats();
        assert_eq!(
            (after.files, after.stored_bytes, after.written_bytes),
            (before.files, before.stored_bytes, before.written_bytes)
        );
        assert_eq!(driver.list("", &NextTurn).await, "a:4 b:4 tmp/");
        assert_eq!(driver.read("a", 0..4, &NextTurn).await.unwrap(), b"aaaa");
        assert!(driver.read("tmp/growing", 0..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 1));
        drop(full);
    }
    // What fails is the journal itself.
    let full = BadWrites::begin(4, bodies[0]);
    let refused = driver.commit(vec![remove("a")], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
    let refused = driver.commit(vec![remove("b")], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Storage, "taking the record back failed as well: {refused}");
    assert_eq!(driver.list("", &NextTurn).await, "a:4 b:4 tmp/");
    drop(full);
    drop(driver);
    let full = BadWrites::begin(500, bodies[1]);
    let mut driver = open("full").await;
    assert_eq!(driver.list("", &NextTurn).await, "a:4 b:4");
    // Files can be removed all the same.
    driver.commit(vec![remove("a")], &NextTurn).await.unwrap();
    drop(full);
    driver.append("tmp/growing", &pattern(600 << 10, 2), &NextTurn).await.unwrap();
    driver.append("tmp/growing", b"and more", &NextTurn).await.unwrap();
    driver.commit(vec![publish("tmp/growing", "grown")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("full").await;
    assert_eq!(driver.list("", &NextTurn).await, "b:4 grown:614408");
    assert!(driver.read("grown", 0..614_400, &NextTurn).await.unwrap() == pattern(600 << 10, 2));
}

#[wasm_bindgen_test]
async fn a_page_that_goes_away_on_a_full_storage_is_told_what_has_no_room_and_keeps_the_rest() {
    let mut driver = open_new("full departure").await;
    driver.commit(vec![put("a", b"aa"), put("kept", b"kept")], &NextTurn).await.unwrap();
    let full = BadWrites::begin(500, "return 4294967288;");
    driver.files.leave();
    let large = Change::Put { file: path("large"), bytes: Bytes::from(pattern(2000, 3)) };
    let refused = driver.submit(Request::Commit { changes: vec![large, remove("kept")] });
    let brief = driver.submit(Request::Commit { changes: vec![put_briefly("brief", &pattern(2000, 4))] });
    let small = driver.submit(Request::Commit { changes: vec![put("b", b"b"), remove("a")] });
    let mut done = Vec::new();
    driver.files.poll(0, &mut done);
    let outcome = |op| done.iter().find(|done| done.op == op).map(|done| done.result.as_ref().map(drop));
    assert!(outcome(small).is_some_and(|outcome| outcome.is_ok()), "{done:?}");
    for op in [refused, brief] {
        if let Some(outcome) = outcome(op) {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Quota, "{done:?}");
        }
    }
    drop(driver);
    drop(full);
    let mut driver = open("full departure").await;
    assert_eq!(driver.list("", &NextTurn).await, "b:1 kept:4");
    assert_eq!(driver.read("kept", 0..4, &NextTurn).await.unwrap(), b"kept");
    driver.commit(vec![put("c", b"c")], &NextTurn).await.unwrap();
    drop(driver);
    destroy("full departure").await;
}

#[wasm_bindgen_test]
async fn numbers_of_files_are_not_given_out_again() {
    let mut driver = open_new("numbers").await;
    driver.commit(vec![put("stays", b"0")], &NextTurn).await.unwrap();
    let stays = stored_numbers("numbers").await;
    driver.commit(vec![put("goes", b"1")], &NextTurn).await.unwrap();
    let last = stored_numbers("numbers").await.last().copied();
    driver.commit(vec![remove("goes")], &NextTurn).await.unwrap();
    drop(driver);
    let mut driver = open("numbers").await;
    driver.commit(vec![put("second", b"2")], &NextTurn).await.unwrap();
    let found = stored_numbers("numbers").await;
    assert!(found.len() == 2 && found[0] == stays[0] && found.last().copied() > last, "{found:?} after {last:?}");
    let last = found.last().copied();
    // And when a checkpoint has come since.
    driver.commit(vec![remove("second")], &NextTurn).await.unwrap();
    for number in 0..100 {
        let name = |number| format!("{}/{number}", "x".repeat(1_500));
        let from = if number == 0 { "stays".to_owned() } else { name(number - 1) };
        driver.commit(vec![publish(&from, &name(number))], &NextTurn).await.unwrap();
    }
    drop(driver);
    let mut driver = open("numbers").await;
    driver.commit(vec![put("third", b"3")], &NextTurn).await.unwrap();
    let found = stored_numbers("numbers").await;
    assert!(found.len() == 2 && found[0] == stays[0] && found.last().copied() > last, "{found:?} after {last:?}");
}

#[wasm_bindgen_test]
async fn a_commit_that_can_not_be_taken_back_keeps_its_content() {
    let mut driver = open_new("uncertain").await;
    driver.commit(vec![put("a", b"aaaa")], &NextTurn).await.unwrap();
    // The content is stored, the record is as well, but said to be not, and nothing can be erased.
    let body = "if (bytes.length === 2000) return this.goodWrite(bytes, options);
                if (bytes.length > 32) this.goodWrite(bytes, options);
                return 4294967288;";
    let bad = BadWrites::begin(4, body);
    let large = |byte| Change::Put { file: path("large"), bytes: Bytes::from(pattern(2000, byte)) };
    let refused = driver.commit(vec![large(1)], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Quota, "{refused}");
    let refused = driver.commit(vec![large(2)], &NextTurn).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Storage, "{refused}");
    drop(bad);
    drop(driver);
    let mut driver = open("uncertain").await;
    assert_eq!(driver.list("", &NextTurn).await, "a:4 large:2000");
    assert!(driver.read("large", 0..2000, &NextTurn).await.unwrap() == pattern(2000, 1));
}

#[wasm_bindgen_test]
async fn the_owner_is_told_once_there_is_something_to_poll() {
    destroy("told").await;
    let told = Rc::new(Cell::new(0));
    let files = OpfsFileSystem::open("told", None, {
        let told = told.clone();
        move || told.set(told.get() + 1)
    });
    let mut files = files.await.unwrap();
    files.submit(sandglass::fs::OpId(0), Request::Commit { changes: vec![put("f", b"1")] });
    let mut done = Vec::new();
    files.poll(0, &mut done);
    assert!(done.is_empty() && told.get() == 0, "a new file takes a turn");
    while told.get() == 0 {
        NextTurn.idle().await;
    }
    files.poll(0, &mut done);
    assert_eq!(done.len(), 1);
}

/// Holds a lock of the browser's until the function that it answers is called.
async fn hold(lock: &str) -> js_sys::Function {
    let source = format!(
        "return new Promise((held) => navigator.locks.request({lock:?}, {{ mode: 'shared' }}, () => new Promise((letGo) => held(letGo))))"
    );
    let held = js_sys::Function::new_no_args(&source).call0(&JsValue::UNDEFINED).unwrap();
    JsFuture::from(held.unchecked_into::<js_sys::Promise>()).await.unwrap().unchecked_into()
}

async fn open_reader(name: &str) -> Driver<OpfsReader> {
    Driver::new(OpfsReader::open(name, || ()).await.expect("the database can be read"))
}

#[wasm_bindgen_test]
async fn a_reader_sees_commits_beside_the_writer_and_changes_nothing() {
    destroy("read").await;
    assert_eq!(OpfsReader::open("read", || ()).await.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    let mut writer = open("read").await;
    writer.append("tmp/large", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    writer.commit(vec![publish("tmp/large", "large"), put("state", b"first")], &NextTurn).await.unwrap();
    writer.append("tmp/unpublished", &pattern(600 << 10, 2), &NextTurn).await.unwrap();
    let mut reader = open_reader("read").await;
    assert_eq!(reader.list("", &NextTurn).await, "large:614400 state:5");
    assert!(reader.read("large", 9..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 1)[9..]);
    assert_eq!(reader.read("large", 5..5, &NextTurn).await.unwrap(), b"");
    assert_eq!(reader.read("large", 0..614_401, &NextTurn).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let before = stored_files("read").await;
    reader.commit(vec![put("own", b"mine"), publish("large", "moved"), remove("state")], &NextTurn).await.unwrap();
    assert_eq!(reader.list("", &NextTurn).await, "moved:614400 own:4");
    assert_eq!(reader.read("moved", 0..1, &NextTurn).await.unwrap(), &pattern(1, 1)[..]);
    assert_eq!(reader.read("own", 0..4, &NextTurn).await.unwrap(), b"mine");
    assert!(matches!(reader.run(Request::Refresh, &NextTurn).await.unwrap(), Reply::Refreshed(false)));
    assert_eq!(reader.list("", &NextTurn).await, "moved:614400 own:4");
    assert_eq!(stored_files("read").await, before);
    // The writer goes on, and the reader follows when it asks.
    writer.commit(vec![put("state", b"second"), remove("large")], &NextTurn).await.unwrap();
    while stored_files("read").await.len() > 2 {
        NextTurn.idle().await;
    }
    assert!(matches!(reader.run(Request::Refresh, &NextTurn).await.unwrap(), Reply::Refreshed(true)));
    assert_eq!(reader.list("", &NextTurn).await, "state:6");
    assert_eq!(reader.read("state", 0..6, &NextTurn).await.unwrap(), b"second");
    // What was removed under its feet is gone, and said to be.
    writer.commit(vec![put("other", b"1"), remove("state")], &NextTurn).await.unwrap();
    drop(writer);
    let mut writer = open("read").await;
    assert_eq!(reader.read("state", 0..6, &NextTurn).await.unwrap_err().kind(), ErrorKind::NotFound);
    // It keeps up with a journal that is written all the time.
    for round in 0..60 {
        let changes = (0..40).map(|name| link("other", &format!("links/{round}/{name}"))).collect();
        let commit = writer.submit(Request::Commit { changes });
        let refresh = reader.submit(Request::Refresh);
        writer.finish(commit, &NextTurn).await.unwrap();
        reader.finish(refresh, &NextTurn).await.unwrap();
        reader.run(Request::Refresh, &NextTurn).await.unwrap();
        assert_eq!(reader.list(&format!("links/{round}"), &NextTurn).await.split(' ').count(), 40);
    }
}

#[wasm_bindgen_test]
async fn a_reader_comes_to_the_end_of_a_file_that_is_removed_meanwhile() {
    destroy("leaving").await;
    let readers = Readers { lock: "readers of leaving".into(), delay_ms: 400 };
    let mut writer = Driver::new(OpfsFileSystem::open("leaving", Some(readers), || ()).await.unwrap());
    let let_go = hold("readers of leaving").await;
    writer.append("tmp/large", &pattern(600 << 10, 1), &NextTurn).await.unwrap();
    writer.commit(vec![publish("tmp/large", "large"), put("state", b"first")], &NextTurn).await.unwrap();
    let mut reader = open_reader("leaving").await;
    assert!(reader.read("large", 0..9, &NextTurn).await.unwrap() == pattern(9, 1));
    writer.commit(vec![remove("large"), put("state", b"second")], &NextTurn).await.unwrap();
    assert!(reader.read("large", 9..600 << 10, &NextTurn).await.unwrap() == pattern(600 << 10, 1)[9..]);
    assert_eq!(reader.read("state", 0..5, &NextTurn).await.unwrap(), b"first");
    // It goes by itself, or with who has kept it.
    while stored_files("leaving").await.len() > 1 {
        NextTurn.idle().await;
    }
    writer.commit(vec![put("state", b"third")], &NextTurn).await.unwrap();
    assert_eq!(stored_files("leaving").await.len(), 2);
    // Without readers nothing is kept.
    let_go.call0(&JsValue::UNDEFINED).unwrap();
    while stored_files("leaving").await.len() > 1 {
        NextTurn.idle().await;
    }
    drop(writer);
    while stored_files("leaving").await.len() > 1 {
        NextTurn.idle().await;
    }
}

/// Prints how fast files are written and read, for the record.
#[wasm_bindgen_test]
async fn throughput() {
    let mut driver = open_new("throughput").await;
    let now = || js_sys::Date::now();
    let total = 32 << 20;
    let piece = Bytes::from(pattern(64 << 10, 1));
    let start = now();
    for _ in 0..total / piece.len() {
        let request = Request::Append { file: path("tmp/f"), bytes: piece.clone() };
        driver.run(request, &NextTurn).await.unwrap();
    }
    driver.commit(vec![publish("tmp/f", "f")], &NextTurn).await.unwrap();
    let ms = now() - start;
    console_log!("{total} bytes written and committed in {ms} ms, {:.1} MB/s", total as f64 / 1000.0 / ms);
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
    let start = now();
    for at in 0..50_u64 {
        driver.commit(vec![put("small", if at % 2 == 0 { b"even" } else { b"odd" })], &NextTurn).await.unwrap();
    }
    console_log!("a small commit: {:.1} ms", (now() - start) / 50.0);
    drop(driver);
    let start = now();
    drop(open("throughput").await);
    console_log!("opening: {:.1} ms", now() - start);
    destroy("throughput").await;
}

// ---- the engine over it ------------------------------------------------------------------------------------------------

const START: i64 = 1_710_072_000_000;

async fn answer(engine: &mut Engine, ticket: Ticket) -> Answer {
    for _ in 0..100_000 {
        engine.pump(START, u64::MAX);
        if let Some(answer) = engine.take(ticket) {
            return answer.unwrap();
        }
        NextTurn.idle().await;
    }
    panic!("{ticket:?} is never answered");
}

async fn open_engine(name: &str) -> Engine {
    start(OpfsFileSystem::open(name, None, || ()).await.unwrap(), false).await
}

async fn start(files: impl FileSystem + 'static, read_only: bool) -> Engine {
    let config = Config { clock: Clock::Manual, retention_ms: MAX_RETENTION_MS, read_only, ..Config::new(START) };
    let (mut engine, opened) = Engine::open(Box::new(files), config).unwrap();
    answer(&mut engine, opened).await;
    engine
}

async fn all(engine: &mut Engine) -> Vec<SeriesData> {
    let range = TimeRange { min: START - 10_000_000, max: START + 10_000_000 };
    let ticket = engine.send(Command::Select { selector: "{job=\"node\"}".into(), range });
    match answer(engine, ticket).await {
        Answer::Series(series) => series,
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
async fn an_engine_finds_its_samples_again() {
    destroy("engine").await;
    let mut engine = open_engine("engine").await;
    for round in 0..4_i64 {
        for machine in 0..20_i64 {
            let instance = format!("host-{machine}");
            let series = engine.series(&[("__name__", "load"), ("job", "node"), ("instance", &instance)]).unwrap();
            let timestamps: Vec<i64> = (0..500).map(|at| START - 4_000_000 + round * 1_000_000 + at * 1000).collect();
            let values: Vec<f64> = (0..500).map(|at| ((machine * 31 + at * 7 + round) % 97) as f64 / 4.0).collect();
            if let Some(ticket) = engine.append(series, &timestamps, &values).unwrap() {
                answer(&mut engine, ticket).await;
            }
        }
        let ticket = engine.send(Command::Sync);
        answer(&mut engine, ticket).await;
    }
    let ticket = engine.send(Command::ForceMerge { partition_prefix: String::new() });
    answer(&mut engine, ticket).await;
    let before = all(&mut engine).await;
    assert_eq!((before.len(), before.iter().map(|series| series.values.len()).sum::<usize>()), (20, 40_000));
    let mut reader = start(OpfsReader::open("engine", || ()).await.unwrap(), true).await;
    assert!(all(&mut reader).await == before);
    drop(reader);
    // It goes as a process that is killed would: nothing is closed, and nothing more is written.
    drop(engine);
    let mut engine = open_engine("engine").await;
    assert!(all(&mut engine).await == before);
    let ticket = engine.send(Command::Close);
    answer(&mut engine, ticket).await;
    drop(engine);
    let mut engine = open_engine("engine").await;
    assert!(all(&mut engine).await == before);
}
