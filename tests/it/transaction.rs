//! Databases that were left in the midst of a transaction, by a server or by somebody who copied them (data-dir-layout §1.1).

use crate::support::{EngineExt, SharedFiles, config, open};
use sandglass::error::ErrorKind;
use sandglass::fs::MemoryFileSystem;
use std::cell::RefCell;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

const CASES: [&str; 4] =
    ["txn-absolute-done", "txn-absolute-pending", "page-txn-data-relative", "page-txn-index-absolute"];
const MONTH: &str = "data/small/2024_03";
const TABLE: &str = "indexdb/18EA4AA884B4239C";

/// The files of `tests/golden/<name>.tar.gz` that `keep` wants.
fn files(name: &str, keep: impl Fn(&str) -> bool) -> MemoryFileSystem {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.tar.gz"));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut files = MemoryFileSystem::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() && keep(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.put(&path, bytes).unwrap();
        }
    }
    files
}

/// All is there, and no transaction is left; and so it is when the database is opened once more.
fn expect_all(files: MemoryFileSystem, what: &str) {
    let disk = SharedFiles(Rc::new(RefCell::new(files)));
    for _ in 0..2 {
        let mut engine = open(disk.clone(), config()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let series = engine.all("{__name__!=\"\"}").unwrap();
        let samples: usize = series.iter().map(|series| series.timestamps.len()).sum();
        assert_eq!((series.len(), samples), (3, 12), "{what}");
        let leftover =
            disk.0.borrow().paths().find(|path| path.contains("/txn/") || path.contains("/tmp/")).map(str::to_owned);
        assert_eq!(leftover, None, "{what}");
    }
}

#[test]
fn what_a_server_has_begun_is_finished_whatever_its_paths_began_with() {
    for case in CASES {
        expect_all(files(case, |_| true), case);
    }
}

#[test]
fn old_parts_stay_when_a_copy_lacks_the_new_one() {
    for case in ["page-txn-data-relative", "page-txn-index-absolute"] {
        expect_all(files(case, |path| !path.contains("/tmp/")), case);
    }
}

#[test]
fn transactions_that_lead_elsewhere_are_refused_with_their_path_and_touch_nothing() {
    let data = "12_3_20240309160000.000_20240309160200.001_18EA4AA891B8650A";
    let index = "40_1_18EA4AA889CA6B26";
    for (home, part) in [(MONTH, data), (TABLE, index)] {
        let (elsewhere, other) = if home == MONTH { (TABLE, index) } else { (MONTH, data) };
        for text in [
            "".to_owned(),
            "no arrow\n".to_owned(),
            format!("{home}/{part}\n"),
            format!("{home}/tmp/1 -> {home}/x"),
            format!("{elsewhere}/{other}\n{home}/tmp/1 -> {home}/x\n"),
            format!("/vm/{elsewhere}/{other}\n/vm/{home}/tmp/1 -> /vm/{home}/x\n"),
            format!("/vm/{home}/../../{elsewhere}/{other}\n/vm/{home}/tmp/1 -> /vm/{home}/x\n"),
            format!("{home}\n{home}/tmp/1 -> {home}/x\n"),
            format!("{home}/..\n{home}/tmp/1 -> {home}/x\n"),
            format!("{home}/{part}\n{home}/tmp/1 -> {home}/{part}\n"),
            format!("/etc/passwd\n{home}/tmp/1 -> {home}/x\n"),
            format!("{home}/tmp/1 -> /vm/{elsewhere}/x\n"),
            format!("{home}/{part} -> {home}/x\n"),
        ] {
            let mut files = files("txn-absolute-done", |path| !path.contains("/txn/"));
            let file = format!("{home}/txn/18EA4AA891B86600");
            files.put(&file, text.clone()).unwrap();
            let disk = SharedFiles(Rc::new(RefCell::new(files)));
            let Err(error) = open(disk.clone(), config()) else { panic!("{text:?} was carried out") };
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{text:?}: {error}");
            assert!(error.message().contains(&file), "{text:?}: {error}");
            for part in [format!("{MONTH}/{data}/values.bin"), format!("{TABLE}/{index}/items.bin")] {
                assert!(disk.0.borrow().file(&part).is_some(), "{text:?} has removed {part}");
            }
        }
    }
}
