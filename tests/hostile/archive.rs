//! Data directories out of `tests/golden`.

use sandglass::fs::MemoryFileSystem;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Files by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files of `tests/golden/<name>.tar.gz`.
pub fn read(name: &str) -> Files {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.tar.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files = Files::new();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
    }
    assert!(!files.is_empty(), "{name} is empty");
    files
}

/// A file system in memory that holds them.
pub fn disk(files: &Files) -> MemoryFileSystem {
    let mut disk = MemoryFileSystem::new();
    for (path, bytes) in files {
        disk.put(path, bytes.clone()).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    disk
}
