//! Data directories of a server (v1.79.5) that was killed in the midst of merges: one while a new part was being written, one behind
//! its transaction file, with the old part half removed. The server's own next start has exported what there was to find.

use crate::archive;
use crate::support::{EngineExt, SharedFiles, config, open};
use sandglass::engine::Engine;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

type Series = BTreeMap<Vec<(String, String)>, (Vec<i64>, Vec<f64>)>;

/// What the server has exported.
fn exported(name: &str) -> Series {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.export.jsonl.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut series = Series::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let metric = line["metric"].as_object().unwrap();
        let labels = metric.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
        let numbers = |name: &str| line[name].as_array().unwrap().clone();
        let (timestamps, values) = series.entry(labels).or_default();
        timestamps.extend(numbers("timestamps").iter().map(|number| number.as_i64().unwrap()));
        values.extend(numbers("values").iter().map(|number| number.as_f64().unwrap()));
    }
    series
}

fn found(engine: &mut Engine) -> Series {
    let found = engine.all("{__name__!=\"\"}").unwrap();
    found.into_iter().map(|series| (series.labels, (series.timestamps, series.values))).collect()
}

#[test]
fn a_killed_servers_directory_opens_with_all_that_the_server_finds_in_it() {
    for name in ["killed-v1.79.5-writing", "killed-v1.79.5-removing"] {
        let files = archive::read(name);
        assert!(files.keys().any(|path| path.contains("/tmp/")), "{name} was not killed in a merge");
        let wanted = exported(name);
        assert!(wanted.len() > 30);
        let disk = SharedFiles(Rc::new(RefCell::new(archive::disk(&files))));
        for _ in 0..2 {
            let mut engine = open(disk.clone(), config()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let found = found(&mut engine);
            assert!(found == wanted, "{name}: {} series of {}, or other samples", found.len(), wanted.len());
            engine.ask(sandglass::engine::Command::Close).unwrap();
        }
        let is_left = |path: &str| path.contains("/txn/") || path.contains("/tmp/");
        assert!(!disk.0.borrow().paths().any(is_left), "{name}: something is left of the merge");
    }
}
