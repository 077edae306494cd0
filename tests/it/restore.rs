//! Archives of real servers restored into empty databases: the samples are exactly those the server exports, and what comes out is
//! an ordinary database.

use super::support::{EngineExt, START, SharedFiles, SlowFiles, config, get, open};
use sandglass::archive::scan::Content;
use sandglass::archive::{Layout, Scan};
use sandglass::encoding::int::{put_varuint, zigzag};
use sandglass::encoding::zstd::{self, Effort};
use sandglass::engine::answer::RestoreRecord;
use sandglass::engine::{Answer, Command, Config, Engine, Origin, SnapshotFile};
use sandglass::error::{ErrorKind, Result};
use sandglass::fs::MemoryReader;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::http::HttpRequest;
use sandglass::time::DAY_MS;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A staleness marker.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

type Samples = BTreeMap<Vec<(String, String)>, Vec<(i64, u64)>>;

fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Larger fixtures beside the checkout; none where there are no such.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    path.exists().then_some(path)
}

fn restore(engine: &mut Engine, archive: &[u8], piece: usize) -> Result<RestoreRecord> {
    engine.ask(Command::RestoreBegin)?;
    for bytes in archive.chunks(piece) {
        engine.ask(Command::RestoreFeed { bytes: bytes.to_vec().into() })?;
    }
    match engine.ask(Command::RestoreEnd)? {
        Answer::Restored(record) => Ok(record),
        other => panic!("restore was answered with {other:?}"),
    }
}

fn all(engine: &mut Engine) -> Samples {
    let mut samples = Samples::new();
    for series in engine.all("{__name__!=\"\"}").unwrap() {
        let mut rows: Vec<(i64, u64)> =
            series.timestamps.iter().zip(&series.values).map(|(time, value)| (*time, value.to_bits())).collect();
        rows.sort_unstable();
        samples.insert(series.labels, rows);
    }
    samples
}

/// A server's export: JSON lines, in which some servers write infinities without quotes.
fn exported(text: &[u8]) -> Samples {
    let text = std::str::from_utf8(text).unwrap();
    let list = |line: &str, name: &str| -> Vec<String> {
        let begin = line.find(&format!("\"{name}\":")).unwrap();
        let open = begin + line[begin..].find('[').unwrap() + 1;
        let close = open + line[open..].find(']').unwrap();
        line[open..close].split(',').map(|item| item.trim().trim_matches('"').to_owned()).collect()
    };
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let labels = &line[line.find("\"metric\":").unwrap() + 9..];
        let labels: Value = serde_json::Deserializer::from_str(labels).into_iter().next().unwrap().unwrap();
        let mut labels: Vec<(String, String)> =
            labels.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
        labels.sort();
        let bits: Vec<u64> = if line.contains("\"bits\":") {
            list(line, "bits").iter().map(|bits| u64::from_str_radix(bits, 16).unwrap()).collect()
        } else {
            let value = |text: &String| {
                if text == "null" || text == "NaN" { STALE_BITS } else { text.parse::<f64>().unwrap().to_bits() }
            };
            list(line, "values").iter().map(value).collect()
        };
        let times = list(line, "timestamps").into_iter().map(|time| time.parse::<i64>().unwrap());
        samples.entry(labels).or_default().extend(times.zip(bits));
    }
    samples.values_mut().for_each(|rows| rows.sort_unstable());
    samples
}

/// Later than all samples of all fixtures.
const LATE: i64 = 1_800_000_000_000;

fn empty() -> Engine {
    open(MemoryFileSystem::new(), Config { start_time: LATE, ..config() }).unwrap()
}

fn check(name: &str, archive: &[u8], export: &[u8], format: &str) {
    let mut engine = empty();
    let record = restore(&mut engine, archive, 100_000).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (found, expected) = (all(&mut engine), exported(export));
    assert!(found.keys().eq(expected.keys()), "{name}: {} series, {} expected", found.len(), expected.len());
    for (labels, rows) in &expected {
        let differing = found[labels].iter().zip(rows).find(|(found, expected)| found != expected);
        assert!(found[labels] == *rows, "{name}: {labels:?} has other samples, such as {differing:x?}");
    }
    assert_eq!(record.format, format, "{name}");
    assert_eq!(record.series, expected.len() as u64, "{name}");
    assert_eq!(record.left_out, [], "{name}");
    let samples: u64 = expected.values().map(|rows| rows.len() as u64).sum();
    assert!(record.samples >= samples, "{name}: {} samples, {samples} expected", record.samples);
    // It is an ordinary database: samples come, parts of both are merged, and it is opened again.
    let (labels, rows) = expected.first_key_value().unwrap();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let new = rows.last().unwrap().0 + 1000;
    engine.put(&labels, &[new], &[12.5]).unwrap();
    engine.put(&[("__name__", "another")], &[new], &[1.0]).unwrap();
    engine.ask(Command::Sync).unwrap();
    engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    let after = all(&mut engine);
    assert_eq!(after.len(), expected.len() + 1, "{name}");
    assert_eq!(after[&expected.keys().next().unwrap().clone()].len(), rows.len() + 1, "{name}");
    engine.ask(Command::SnapshotCreate).unwrap();
    engine.ask(Command::Close).unwrap();
}

const OLD: &str = "VictoriaMetrics up to 1.89";
const LISTED: &str = "VictoriaMetrics 1.90 to 1.132";
const MONTHLY: &str = "VictoriaMetrics 1.133 and later";

#[test]
fn archives_of_servers_give_exactly_their_exports() {
    for (name, format) in [("tiny", OLD), ("tiny_v1.150.0", MONTHLY)] {
        let archive = read(&golden(&format!("{name}.tar.gz")));
        check(name, &archive, &read(&golden("tiny.export.jsonl.gz")), format);
    }
    let archive = read(&golden("datadir-v1.72.0.tar.gz"));
    check("datadir-v1.72.0", &archive, &read(&golden("datadir-v1.72.0.jsonl.gz")), OLD);
}

#[test]
fn all_fixtures_give_exactly_their_exports() {
    for (name, format) in [
        ("deleted", OLD),
        ("mixed", OLD),
        ("mixed_merged", OLD),
        ("mixed_v1.93.16", LISTED),
        ("mixed_v1.150.0", MONTHLY),
        ("nab", OLD),
        ("node_exporter", OLD),
        ("upgraded_1.79.5_to_v1.150.0", MONTHLY),
    ] {
        let Some(archive) = shared(&format!("fixtures/snapshots/{name}.tar")) else { return };
        let export = shared(&format!("fixtures/snapshots/{name}.export.jsonl.gz")).unwrap();
        check(name, &read(&archive), &read(&export), format);
    }
    for (name, format) in [("v1.72.0", OLD), ("v1.79.5", OLD), ("v1.93.16", LISTED), ("v1.150.0", MONTHLY)] {
        let Some(archive) = shared(&format!("vectors/fixtures/datadir-{name}.tar.gz")) else { return };
        let export = shared(&format!("vectors/fixtures/datadir-{name}.jsonl.gz")).unwrap();
        check(name, &read(&archive), &read(&export), format);
    }
}

#[test]
fn pieces_and_packing_make_no_difference() {
    let archive = read(&golden("tiny.tar.gz"));
    let expected = exported(&read(&golden("tiny.export.jsonl.gz")));
    let mut packed = Vec::new();
    for piece in archive.chunks(9_000) {
        zstd::compress(piece, Effort::Fast, &mut packed).unwrap();
    }
    for archive in [&archive, &packed] {
        for piece in [1, 511, 10_000, archive.len()] {
            let mut engine = empty();
            restore(&mut engine, archive, piece).unwrap();
            assert_eq!(all(&mut engine), expected, "in pieces of {piece}");
        }
    }
}

/// What a snapshot is when it is looked at where it lies, and its samples.
fn looked_at(archive: &[u8]) -> Result<(RestoreRecord, Samples)> {
    let mut scan = Scan::of_tar(archive.len() as u64);
    let mut read_bytes = 0;
    while let Some((_, range)) = scan.wanted() {
        read_bytes += range.end - range.start;
        scan.feed(&archive[range.start as usize..range.end as usize])?;
    }
    assert!(read_bytes <= archive.len() as u64 * 2 + (64 << 10), "{read_bytes} bytes were read");
    let (plan, contents) = scan.finish(1)?;
    let mut files = MemoryFileSystem::new();
    for (path, content) in contents {
        match content {
            Content::Stored(extent) => {
                let range = extent.offset as usize..(extent.offset + extent.size_bytes) as usize;
                files.put(&path, archive.get(range).unwrap_or_default().to_vec())?;
            }
            Content::Made(bytes) => files.put(&path, bytes)?,
        }
    }
    let left_out = plan.left_out.into_iter().map(|one| (one.path, one.message)).collect();
    let origin = Origin { format: plan.format.text(), left_out };
    let reader = MemoryReader::open(Rc::new(RefCell::new(files)));
    let mut engine = open(reader, Config { read_only: true, origin: Some(origin), ..config() })?;
    let error = engine.ask(Command::SnapshotCreate).unwrap_err();
    assert!(error.message().contains("to be looked at"), "{error}");
    match engine.ask(Command::Origin)? {
        Answer::Restored(record) => Ok((record, all(&mut engine))),
        other => panic!("the origin was answered with {other:?}"),
    }
}

#[test]
fn snapshots_are_looked_at_where_they_lie() {
    for name in ["tiny", "tiny_v1.150.0", "upgraded_1.79.5_to_v1.150.0", "datadir-v1.72.0", "deleted"] {
        let archive = read(&golden(&format!("{name}.tar.gz")));
        let mut engine = empty();
        let restored = restore(&mut engine, &archive, 100_000).unwrap();
        let (record, samples) = looked_at(&archive).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(record, restored, "{name}");
        assert_eq!(samples, all(&mut engine), "{name}");
    }
}

#[test]
fn of_a_broken_snapshot_what_is_whole_is_looked_at() {
    let mut files = files_of(&read(&golden("upgraded_1.79.5_to_v1.150.0.tar.gz")));
    let (whole, _) = looked_at(&pack(&files)).unwrap();
    let broken = files.iter_mut().find(|(path, _)| path.starts_with("data/small/") && path.ends_with("metaindex.bin"));
    broken.unwrap().1.remove(0);
    let (record, samples) = looked_at(&pack(&files)).unwrap();
    assert_eq!((record.parts, record.left_out.len()), (whole.parts - 1, 1));
    assert!(!samples.is_empty());
    // The last files of a tar that was cut are those of the index; what they are missing in is named.
    let archive = pack(&files_of(&read(&golden("deleted.tar.gz"))));
    let mut named = 0;
    for cut in (archive.len() / 3..archive.len() - 1100).step_by(1009) {
        if let Ok((record, _)) = looked_at(&archive[..cut]) {
            assert!(record.left_out.iter().any(|one| one.message.contains("cut off")), "{:?}", record.left_out);
            named += 1;
        }
    }
    assert!(named > 0);
    // Behind a header that is damaged nothing can be found, and what is before it is whole.
    let headers =
        (0..archive.len()).step_by(512).filter(|at| archive[*at..].get(257..262) == Some(b"ustar".as_slice()));
    let mut named = 0;
    for header in headers.skip(1) {
        let mut damaged = archive.clone();
        damaged[header] ^= 1;
        if let Ok((record, _)) = looked_at(&damaged) {
            assert!(
                record.left_out.iter().any(|one| one.message.contains("is damaged behind")),
                "{:?}",
                record.left_out
            );
            named += 1;
        }
    }
    assert!(named > 0);
}

#[test]
fn snapshots_are_written_in_the_layouts_of_newer_servers() {
    let archive = read(&golden("deleted.tar.gz"));
    let mut engine = empty();
    restore(&mut engine, &archive, 10_000).unwrap();
    let expected = all(&mut engine);
    let Ok(Answer::Snapshot(name)) = engine.ask(Command::SnapshotCreate) else { panic!("no snapshot") };
    for (layout, format) in [(Layout::V1_72, OLD), (Layout::V1_93, LISTED), (Layout::V1_150, MONTHLY)] {
        let Ok(Answer::Files(files)) = engine.ask(Command::SnapshotFiles { name: name.clone(), layout }) else {
            panic!("no files")
        };
        let mut contents = Vec::new();
        for SnapshotFile { path, source, size_bytes, content } in files {
            let bytes = match content {
                Some(content) => content.into_bytes(),
                None => match engine.ask(Command::SnapshotRead { source, offset: 0, length: size_bytes }) {
                    Ok(Answer::Bytes(bytes)) => bytes.to_vec(),
                    other => panic!("{path}: {other:?}"),
                },
            };
            assert_eq!(bytes.len() as u64, size_bytes, "{path}");
            contents.push((path, bytes));
        }
        assert!(contents.is_sorted(), "{layout:?}");
        if layout != Layout::V1_72 {
            let names = contents.iter().map(|(path, _)| path.as_str());
            assert!(names.clone().all(|path| !path.contains("min_dedup_interval") && !path.contains("converted")));
            let parts =
                names.filter(|path| path.ends_with("/metaindex.bin")).map(|path| path.rsplit('/').nth(1).unwrap());
            assert!(parts.clone().count() > 1 && parts.clone().all(|part| part.len() == 16));
        }
        let mut again = empty();
        let record = restore(&mut again, &pack(&contents), 10_000).unwrap();
        assert_eq!((record.format.as_str(), record.left_out), (format, Vec::new()), "{layout:?}");
        assert_eq!(all(&mut again), expected, "{layout:?}");
    }
}

#[test]
fn a_restored_database_is_found_after_a_restart() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    restore(&mut engine, &read(&golden("tiny_v1.150.0.tar.gz")), 1000).unwrap();
    drop(engine);
    let mut engine = open(files.clone(), config()).unwrap();
    assert_eq!(all(&mut engine), exported(&read(&golden("tiny.export.jsonl.gz"))));
    assert!(files.0.borrow().paths().all(|path| !path.starts_with("tmp/")));
}

// ---- archives made by hand ---------------------------------------------------------------------------------------------

/// The files of an archive by path.
fn files_of(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.push((entry.path().unwrap().to_str().unwrap().to_owned(), content));
        }
    }
    files
}

fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, &content[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn link(builder: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &str, target: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    builder.append_link(&mut header, path, target).unwrap();
}

fn refusal(archive: &[u8]) -> (ErrorKind, String) {
    let mut engine = empty();
    let error = restore(&mut engine, archive, 10_000).unwrap_err();
    // Nothing of it remains, and the database is as it was.
    engine.put(&[("__name__", "own")], &[START], &[1.0]).unwrap();
    engine.flush().unwrap();
    assert_eq!(all(&mut engine).len(), 1);
    (error.kind(), error.message().to_owned())
}

#[test]
fn what_people_call_a_snapshot_is_met_with_words() {
    let mut builder = tar::Builder::new(Vec::new());
    for dir in ["data/small", "data/big"] {
        link(&mut builder, tar::EntryType::Symlink, &format!("snap/{dir}"), "../../../data/small/snapshots/snap");
    }
    let (kind, message) = refusal(&builder.into_inner().unwrap());
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("symbolic links") && message.contains("tar -chf"), "{message}");

    let (kind, message) = refusal(&pack(&[]));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("it is empty"), "{message}");

    let (_, message) = refusal(&pack(&[("notes/a.txt".into(), b"a".to_vec())]));
    assert!(message.contains("\u{201c}notes/a.txt\u{201d}"), "{message}");

    let (kind, message) = refusal(b"this is no tar, and not even a picture");
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(message.contains("this is no tar"), "{message}");
    let (_, message) = refusal(&[7; 2000]);
    assert!(message.contains("this is no tar"), "{message}");

    let files = files_of(&read(&golden("tiny.tar.gz")));
    let without_index: Vec<_> = files.iter().filter(|(path, _)| !path.contains("indexdb/")).cloned().collect();
    let (kind, message) = refusal(&pack(&without_index));
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(message.contains("no index"), "{message}");

    let mut unfinished = files.clone();
    unfinished.push(("restore-in-progress".into(), Vec::new()));
    assert!(refusal(&pack(&unfinished)).1.contains("vmrestore"));

    let both: Vec<_> = ["one/", "two/"]
        .iter()
        .flat_map(|root| files.iter().map(move |(path, content)| (format!("{root}{path}"), content.clone())))
        .collect();
    assert!(refusal(&pack(&both)).1.contains("several data directories, in one/ and in two/"));
}

#[test]
fn what_lies_beside_the_data_makes_no_difference() {
    let expected = exported(&read(&golden("tiny.export.jsonl.gz")));
    for name in ["tiny", "tiny_v1.150.0"] {
        let mut files = files_of(&read(&golden(&format!("{name}.tar.gz"))));
        let part = files.iter().find(|(path, _)| path.ends_with("values.bin")).unwrap().0.clone();
        let dir = part.strip_suffix("/values.bin").unwrap();
        for strange in [
            format!("{dir}/._values.bin"),
            format!("{dir}.must-remove.17/values.bin"),
            "cache/metricID_tsid/metaindex.bin".into(),
            "flock.lock".into(),
            "__MACOSX/data/small/2024_03/a/values.bin".into(),
            "data/small/snapshots/20240101000000-17A3/2024_03/x/values.bin".into(),
            "snapshots/20240101000000-17A3/metadata/minTimestampForCompositeIndex".into(),
            "data/small/2024_03/appliedRetention.txt".into(),
        ] {
            files.push((strange, b"strange".to_vec()));
        }
        let files: Vec<_> = files.into_iter().map(|(path, content)| (format!("./vm/{path}"), content)).collect();
        let mut engine = empty();
        let record = restore(&mut engine, &pack(&files), 3000).unwrap();
        assert_eq!(record.left_out, [], "{name}");
        assert_eq!(all(&mut engine), expected, "{name}");
    }
}

/// A golden archive as a server's directory is packed whose snapshot comes first: the live files are hard links to those of the snapshot.
fn with_links(name: &str) -> Vec<u8> {
    let shared = |path: &str| {
        let rest = path.strip_prefix("data/small/").filter(|rest| !rest.ends_with("parts.json"))?;
        Some(format!("data/small/snapshots/20240101000000-17A3/{rest}"))
    };
    let mut builder = tar::Builder::new(Vec::new());
    let files = files_of(&read(&golden(&format!("{name}.tar.gz"))));
    for (path, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let path = shared(path).unwrap_or_else(|| path.clone());
        builder.append_data(&mut header, path, &content[..]).unwrap();
    }
    for (path, _) in &files {
        if let Some(target) = shared(path) {
            link(&mut builder, tar::EntryType::Link, path, &target);
        }
    }
    builder.into_inner().unwrap()
}

#[test]
fn what_a_kill_leaves_of_a_restoration_goes_at_the_next_start() {
    let files = SharedFiles::default();
    let mut engine = open(files.clone(), config()).unwrap();
    engine.ask(Command::RestoreBegin).unwrap();
    engine.ask(Command::RestoreFeed { bytes: with_links("tiny").into() }).unwrap();
    let is_staged = || files.0.borrow().paths().any(|path| path.starts_with("tmp/"));
    drop(engine);
    assert!(is_staged());
    open(files.clone(), config()).unwrap();
    assert!(!is_staged());
}

#[test]
fn live_data_may_be_linked_to_a_snapshot_that_was_packed_before() {
    let expected = exported(&read(&golden("tiny.export.jsonl.gz")));
    for name in ["tiny", "tiny_v1.150.0"] {
        let archive = with_links(name);
        let mut engine = empty();
        let restored = restore(&mut engine, &archive, 3000).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(restored.left_out, [], "{name}");
        assert_eq!(all(&mut engine), expected, "{name}");
        let (record, samples) = looked_at(&archive).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((record, samples), (restored, expected.clone()), "{name}");
    }
}

#[test]
fn snapshots_may_follow_data_that_is_linked_to_others() {
    let files = files_of(&read(&golden("tiny.tar.gz")));
    let is_part = |path: &str| path.starts_with("data/small/");
    let shared = |path: &str| path.replace("data/small/", "data/small/snapshots/20240101000000-17A3/");
    let mut builder = tar::Builder::new(Vec::new());
    let add = |builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content).unwrap();
    };
    files.iter().filter(|(path, _)| !is_part(path)).for_each(|(path, content)| add(&mut builder, path, content));
    let parts: Vec<_> = files.iter().filter(|(path, _)| is_part(path)).collect();
    let (first, last) = parts.split_at(parts.len() - 1);
    first.iter().for_each(|(path, content)| add(&mut builder, &shared(path), content));
    // One of them is taken away before the next one comes.
    link(&mut builder, tar::EntryType::Link, &first[0].0, &shared(&first[0].0));
    last.iter().for_each(|(path, content)| add(&mut builder, &shared(path), content));
    parts[1..].iter().for_each(|(path, _)| link(&mut builder, tar::EntryType::Link, path, &shared(path)));
    let mut engine = empty();
    let record = restore(&mut engine, &builder.into_inner().unwrap(), 512).unwrap();
    assert_eq!(record.left_out, []);
    assert_eq!(all(&mut engine), exported(&read(&golden("tiny.export.jsonl.gz"))));
}

#[test]
fn a_piece_that_comes_while_it_is_given_up_is_refused() {
    let is_held = Rc::new(Cell::new(false));
    let files = SlowFiles::new(SharedFiles::default(), is_held.clone());
    let mut engine = open(files, Config { start_time: LATE, ..config() }).unwrap();
    engine.ask(Command::RestoreBegin).unwrap();
    is_held.set(true);
    let given_up = engine.send(Command::RestoreAbort);
    for _ in 0..10 {
        engine.pump(LATE, 1_000);
    }
    let piece = engine.send(Command::RestoreFeed { bytes: "a".into() });
    for _ in 0..10 {
        engine.pump(LATE, 1_000);
    }
    is_held.set(false);
    assert_eq!(engine.run(piece).unwrap_err().kind(), ErrorKind::Invalid);
    engine.run(given_up).unwrap();
    engine.put(&[("__name__", "own")], &[START], &[1.0]).unwrap();
    engine.flush().unwrap();
    assert_eq!(all(&mut engine).len(), 1);
    assert!(engine.ask(Command::RestoreBegin).unwrap_err().message().contains("empty"));
    engine.put(&[("__name__", "own")], &[START + 1], &[1.0]).unwrap();
}

#[test]
fn a_restore_begins_however_much_is_asked_meanwhile() {
    let mut engine = empty();
    // It takes several turns to write so many samples.
    let query = || get("/api/v1/query_range?query=time()&start=0&end=10000&step=1");
    let mut asked: Vec<_> = (0..3).map(|_| engine.send(query())).collect();
    let begun = engine.send(Command::RestoreBegin);
    for _ in 0..10_000 {
        engine.pump(LATE, 1);
        if let Some(answer) = engine.take(begun) {
            answer.unwrap();
            engine.ask(Command::RestoreAbort).unwrap();
            return;
        }
        asked.retain(|ticket| engine.take(*ticket).is_none());
        assert!(asked.len() > 1, "too little is asked");
        asked.resize_with(3, || engine.send(query()));
    }
    panic!("it never begins");
}

#[test]
fn several_files_may_be_linked_to_one_that_was_packed_before() {
    let files = files_of(&read(&golden("tiny.tar.gz")));
    let part = files.iter().find(|(path, _)| path.starts_with("data/small/") && path.ends_with("values.bin")).unwrap();
    let part = part.0.strip_suffix("values.bin").unwrap();
    let shared = |path: &str| path.replace("data/small/", "data/small/snapshots/20240101000000-17A3/");
    let twin = format!("{}FFFF/", &part[..part.len() - 5]);
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let path = if path.starts_with(part) { shared(path) } else { path.clone() };
        builder.append_data(&mut header, path, &content[..]).unwrap();
    }
    for (path, _) in files.iter().filter(|(path, _)| path.starts_with(part)) {
        for linked in [path.clone(), path.replace(part, &twin)] {
            link(&mut builder, tar::EntryType::Link, &linked, &shared(path));
        }
    }
    let archive = builder.into_inner().unwrap();
    let (record, samples) = looked_at(&archive).unwrap();
    let mut engine = empty();
    let restored = restore(&mut engine, &archive, 3000).unwrap();
    assert_eq!(restored, record);
    assert_eq!(restored.left_out, []);
    assert_eq!(all(&mut engine), samples);
    let once: usize = exported(&read(&golden("tiny.export.jsonl.gz"))).values().map(Vec::len).sum();
    assert!(restored.samples > once as u64, "{} samples", restored.samples);
    // Each has files of its own: a merge removes them.
    engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap();
    assert_eq!(all(&mut engine), samples);
}

#[test]
fn broken_parts_are_left_out_and_named() {
    let mut files = files_of(&read(&golden("upgraded_1.79.5_to_v1.150.0.tar.gz")));
    let mut whole = empty();
    let whole = restore(&mut whole, &pack(&files), 10_000).unwrap();
    let broken = files.iter_mut().find(|(path, _)| {
        path.starts_with("data/small/2024_02/") && !path.contains("2024_02/8974") && path.ends_with("metaindex.bin")
    });
    let (path, content) = broken.unwrap();
    let path = path.clone();
    content.remove(0);
    let mut engine = empty();
    let record = restore(&mut engine, &pack(&files), 10_000).unwrap();
    assert_eq!(record.left_out.len(), 1, "{:?}", record.left_out);
    assert!(path.starts_with(&record.left_out[0].path), "{:?}", record.left_out);
    assert!(record.parts == whole.parts - 1 && record.samples < whole.samples);
    assert!(!all(&mut engine).is_empty());
    // A month's index that is not there is told.
    let files = files_of(&read(&golden("tiny_v1.150.0.tar.gz")));
    let mut files: Vec<_> = files.into_iter().collect();
    let moved: Vec<_> = files
        .iter()
        .filter(|(path, _)| path.starts_with("data/small/2024_03/") && !path.ends_with("parts.json"))
        .map(|(path, content)| (path.replace("2024_03", "2024_04"), content.clone()))
        .collect();
    files.extend(moved);
    let record = restore(&mut empty(), &pack(&files), 10_000).unwrap();
    assert_eq!(record.left_out.len(), 1);
    assert!(record.left_out[0].message.contains("the index of 2024_04 is missing"), "{:?}", record.left_out);
}

#[test]
fn a_database_that_is_not_empty_or_too_short_lived_is_left_alone() {
    let archive = read(&golden("tiny.tar.gz"));
    let mut engine = empty();
    engine.put(&[("__name__", "own")], &[START], &[1.0]).unwrap();
    let error = restore(&mut engine, &archive, 10_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("empty database"), "{error}");
    engine.flush().unwrap();
    assert_eq!(all(&mut engine).len(), 1);

    let late = Config { retention_ms: 30 * DAY_MS, start_time: START + 400 * DAY_MS, ..config() };
    let mut engine = open(MemoryFileSystem::new(), late).unwrap();
    let error = restore(&mut engine, &archive, 10_000).unwrap_err();
    assert!(error.message().contains("retention: \"100y\""), "{error}");
}

#[test]
fn nothing_else_is_written_meanwhile_and_handles_stay_good() {
    let archive = read(&golden("tiny.tar.gz"));
    let mut engine = empty();
    let handle = engine.series(&[("__name__", "up"), ("instance", "h1:9100"), ("job", "a")]).unwrap();
    let other = engine.series(&[("__name__", "other")]).unwrap();
    engine.ask(Command::RestoreBegin).unwrap();
    engine.ask(Command::RestoreFeed { bytes: archive[..1000].to_vec().into() }).unwrap();
    assert!(engine.append(handle, &[START], &[1.0]).unwrap_err().message().contains("is being restored"));
    assert!(engine.ask(Command::SnapshotCreate).unwrap_err().message().contains("is being restored"));
    let mut http = |method: &str, uri: &str| {
        let command = Command::Http(HttpRequest {
            method: method.into(),
            uri: uri.into(),
            content_type: String::new(),
            content_encoding: String::new(),
            body: bytes::Bytes::new(),
        });
        let Answer::Http(reply) = engine.ask(command).unwrap() else { panic!("a request has no reply") };
        (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
    };
    for writes in ["/api/v1/admin/tsdb/delete_series?match[]=up", "/api/v1/import/prometheus", "/snapshot/create"] {
        let (_, refused) = http("POST", writes);
        assert!(refused.contains("is being restored"), "{writes}: {refused}");
    }
    // What is there can be read.
    for reads in ["/api/v1/export?match[]=up", "/api/v1/query?query=up", "/snapshot/list"] {
        assert_eq!(http("GET", reads).0, 200, "{reads}");
    }
    assert!(engine.ask(Command::RestoreBegin).is_err());
    engine.ask(Command::RestoreAbort).unwrap();
    assert!(engine.ask(Command::RestoreEnd).is_err());
    restore(&mut engine, &archive, 1000).unwrap();
    for handle in [handle, other] {
        if let Some(ticket) = engine.append(handle, &[START], &[7.0]).unwrap() {
            engine.run(ticket).unwrap();
        }
    }
    engine.flush().unwrap();
    let samples = all(&mut engine);
    assert_eq!(samples.len(), 4);
    let up = samples.iter().find(|(labels, _)| labels[0].1 == "up").unwrap().1;
    assert_eq!(up.len(), 6);
}

#[test]
fn an_archive_that_was_cut_is_refused() {
    let archive = read(&golden("tiny.tar.gz"));
    let end = archive.len() - archive.iter().rev().take_while(|byte| **byte == 0).count();
    for cut in (1..end).step_by(997) {
        let error = restore(&mut empty(), &archive[..cut], 10_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {cut}: {error}");
    }
}

#[test]
fn any_damaged_byte_is_an_error_or_harmless() {
    let archive = read(&golden("tiny_v1.150.0.tar.gz"));
    for at in (0..archive.len()).step_by(61) {
        let mut damaged = archive.clone();
        damaged[at] ^= 1 << (at % 8);
        let mut engine = empty();
        if restore(&mut engine, &damaged, archive.len()).is_ok() {
            let _ = engine.all("{__name__!=\"\"}");
        } else {
            engine.put(&[("__name__", "own")], &[START], &[1.0]).unwrap();
        }
    }
}

#[test]
fn blocks_of_prometheus_give_its_own_samples() {
    for name in ["prometheus-blocks", "prometheus-snapshot"] {
        let archive = read(&golden(&format!("{name}.tar.gz")));
        let expected = exported(&read(&golden(&format!("{name}.jsonl.gz"))));
        let mut engine = empty();
        let record = restore(&mut engine, &archive, 10_000).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((record.format.as_str(), record.left_out), ("Prometheus", Vec::new()), "{name}");
        assert_eq!(record.series, expected.len() as u64, "{name}");
        let found = all(&mut engine);
        assert!(found.keys().eq(expected.keys()), "{name}: {} series, {} expected", found.len(), expected.len());
        for (labels, rows) in &expected {
            assert_eq!(found[labels], *rows, "{name}: {labels:?}");
        }
        assert_eq!(looked_at(&archive).unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
    }
    // Blocks that are broken.
    let files = files_of(&read(&golden("prometheus-blocks.tar.gz")));
    for suffix in ["/index", "/chunks/000001"] {
        let (_, content) = files.iter().find(|(path, _)| path.ends_with(suffix)).unwrap();
        for at in (0..content.len()).step_by(content.len() / 60 + 1) {
            let mut damaged = files.clone();
            damaged.iter_mut().find(|(path, _)| path.ends_with(suffix)).unwrap().1[at] ^= 0x41;
            let mut engine = empty();
            if restore(&mut engine, &pack(&damaged), 100_000).is_err() {
                assert!(all(&mut engine).is_empty(), "{suffix} at {at}");
                engine.put(&[("__name__", "own")], &[START], &[1.0]).unwrap();
            }
        }
    }
}

/// A block with one series of so many chunks, each of which lies so many bytes behind the one before it. At the first place is one with
/// as many samples as a chunk can have, and nothing behind it.
fn block_with_one_chunk(chunks: u64, apart: i64) -> Vec<u8> {
    let mut chunk = vec![0xff; 2];
    put_varuint(&mut chunk, zigzag(START));
    chunk.extend(1.5_f64.to_bits().to_be_bytes());
    put_varuint(&mut chunk, 1000);
    // Two bits for each further sample: all is as before.
    chunk.resize(chunk.len() + 65_535 / 4 + 1, 0);
    let mut segment = vec![0; 8];
    put_varuint(&mut segment, chunk.len() as u64);
    let begin = segment.len();
    segment.push(1);
    segment.extend(chunk);
    let checksum = |bytes: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes).to_be_bytes();
    segment.extend(checksum(&segment[begin..]));

    let mut series = vec![1, 0, 1];
    put_varuint(&mut series, chunks);
    put_varuint(&mut series, zigzag(START));
    series.extend([0, 8]);
    for _ in 1..chunks {
        series.extend([0, 0]);
        put_varuint(&mut series, zigzag(apart));
    }
    let mut index = vec![0xba, 0xaa, 0xd7, 0, 2];
    index.extend([0, 0, 0, 15, 0, 0, 0, 2, 8]);
    index.extend(b"__name__\x01m");
    index.resize(index.len().next_multiple_of(16), 0);
    let start = index.len() as u64;
    put_varuint(&mut index, series.len() as u64);
    index.extend(&series);
    index.extend(checksum(&series));
    [5, start, 0, 0, 0, 0].iter().for_each(|offset: &u64| index.extend(offset.to_be_bytes()));
    index.extend([0; 4]);
    let files = [("index", index), ("chunks/000001", segment), ("meta.json", b"{}".to_vec())];
    pack(&files.map(|(name, content)| (format!("01HRJ5Z6Q8N3X4V7W2Y9T0ABCD/{name}"), content)))
}

#[test]
fn a_series_whose_chunks_are_one_is_taken_in_small_runs() {
    let mut engine = empty();
    engine.ask(Command::RestoreBegin).unwrap();
    engine.ask(Command::RestoreFeed { bytes: block_with_one_chunk(6, 0).into() }).unwrap();
    let ticket = engine.send(Command::RestoreEnd);
    let mut most = 0;
    let answer = loop {
        if let Some(answer) = engine.take(ticket) {
            break answer;
        }
        most = engine.pump(LATE, 1).spent.max(most);
    };
    assert!(matches!(answer, Ok(Answer::Restored(record)) if record.samples == 6 * 65_535));
    assert!(most < 3 * 65_535, "{most} units in one turn");
}

#[test]
fn chunks_that_lie_behind_their_segment_are_refused() {
    for apart in [-9, 1, 16_000, 17_000, 1 << 20, u32::MAX.into()] {
        let mut engine = empty();
        let error = restore(&mut engine, &block_with_one_chunk(2, apart), 100_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{apart}: {error}");
        assert!(all(&mut engine).is_empty(), "{apart}");
    }
}

/// The log of a Prometheus that was killed, and the samples that it has when it starts again.
fn killed() -> (Vec<u8>, Samples) {
    let archive = read(&golden("prometheus-killed.tar.gz"));
    let log = files_of(&archive).into_iter().find(|(path, _)| path.ends_with("wal/00000000")).unwrap().1;
    (log, exported(&read(&golden("prometheus-killed.jsonl.gz"))))
}

#[test]
fn a_killed_prometheus_gives_what_is_in_its_log() {
    check(
        "prometheus-killed",
        &read(&golden("prometheus-killed.tar.gz")),
        &read(&golden("prometheus-killed.jsonl.gz")),
        "Prometheus",
    );
}

#[test]
fn what_is_in_no_block_of_prometheus_yet_comes_from_its_log() {
    let blocks = files_of(&read(&golden("prometheus-blocks.tar.gz")));
    let (log, logged) = killed();
    let mut expected = exported(&read(&golden("prometheus-blocks.jsonl.gz")));
    // A server begins a log that is empty.
    let archive = pack(&[blocks.clone(), vec![("wal/00000000".into(), Vec::new())]].concat());
    let mut engine = empty();
    let record = restore(&mut engine, &archive, 10_000).unwrap();
    assert_eq!((record.left_out, all(&mut engine)), (Vec::new(), expected.clone()));
    let archive = pack(&[blocks.clone(), vec![("wal/00000000".into(), log.clone())]].concat());
    let mut engine = empty();
    let record = restore(&mut engine, &archive, 10_000).unwrap();
    expected.extend(logged.clone());
    assert_eq!((record.left_out, all(&mut engine)), (Vec::new(), expected));
    // What is in a block already is not taken from the log, unless it came out of order: then it is in the other log, too.
    let end = logged.values().next().unwrap()[100].0;
    for (hints, is_taken) in [("[]", false), (r#"["from-out-of-order"]"#, true)] {
        let meta = format!(r#"{{"maxTime":{end},"compaction":{{"hints":{hints}}}}}"#);
        let block = block_with_one_chunk(1, 0);
        let mut files = files_of(&block);
        files.iter_mut().find(|(path, _)| path.ends_with("meta.json")).unwrap().1 = meta.into();
        files.push(("wal/00000000".into(), log.clone()));
        let mut engine = empty();
        restore(&mut engine, &pack(&files), 100_000).unwrap();
        let found = all(&mut engine);
        for (labels, rows) in &logged {
            let expected: Vec<_> = rows.iter().filter(|(time, _)| is_taken || *time >= end).copied().collect();
            assert_eq!(found[labels], expected, "{hints} {labels:?}");
        }
    }
}

#[test]
fn a_log_is_read_from_its_last_checkpoint_on_and_up_to_what_is_damaged() {
    let (log, logged) = killed();
    let restored = |files: &[(&str, &[u8])]| {
        let files: Vec<_> = files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
        let mut engine = empty();
        let record = restore(&mut engine, &pack(&files), 100_000).unwrap();
        (all(&mut engine), record.left_out)
    };
    let no_log = &[1, 0xff, 0xff][..];
    let (found, left_out) = restored(&[
        ("wal/checkpoint.00000002/00000000", no_log),
        ("wal/checkpoint.00000005/00000000", &log),
        ("wal/00000005", no_log),
        ("wal/00000006", &[]),
        ("chunks_head/000001", no_log),
    ]);
    assert_eq!((found, left_out), (logged.clone(), Vec::new()));
    // Behind a segment that is missing nothing is read.
    let (found, left_out) = restored(&[("wal/checkpoint.00000005/00000000", &log), ("wal/00000007", &log)]);
    assert_eq!(found, logged);
    assert_eq!((left_out.len(), left_out[0].path.as_str()), (1, "wal/00000007"));
    assert!(left_out[0].message.contains("missing"), "{}", left_out[0].message);
    // What came out of order has a log of its own.
    let (found, left_out) = restored(&[("wal/00000003", &log), ("wal/00000005", no_log), ("wbl/00000000", no_log)]);
    assert_eq!(found, logged);
    let told: Vec<&str> = left_out.iter().map(|told| told.path.as_str()).collect();
    assert_eq!(told, ["wal/00000005", "wbl/00000000"]);
    // Of a log that was copied while it was written, what is whole.
    for cut in [1, 500, log.len() - 600] {
        let whole_and_cut = [("wal/00000000", &log[..]), ("wal/00000001", &log[..log.len() - cut])];
        let (found, left_out) = restored(&whole_and_cut);
        assert_eq!((left_out.len(), left_out[0].path.as_str()), (1, "wal/00000001"), "{cut}");
        assert!(left_out[0].message.contains("cut off"), "{}", left_out[0].message);
        assert_eq!(found, logged, "{cut}");
    }
}

#[test]
fn any_damaged_byte_of_a_log_is_told() {
    let (log, logged) = killed();
    for at in (0..log.len()).step_by(97) {
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (at % 8);
        let mut engine = empty();
        let files = [("wal/00000000".into(), log.clone()), ("wal/00000001".into(), damaged)];
        let record = restore(&mut engine, &pack(&files), 100_000).unwrap();
        assert_eq!(record.left_out.len(), 1, "byte {at}");
        assert_eq!(record.left_out[0].path, "wal/00000001");
        assert_eq!(all(&mut engine), logged, "byte {at}");
    }
}

#[test]
fn an_import_is_given_up_where_it_stands() {
    let log = killed().0;
    // The same again and again is gone through and not taken.
    let files: Vec<_> = (0..200).map(|number| (format!("wal/{number:08}"), log.clone())).collect();
    let mut engine = empty();
    engine.ask(Command::RestoreBegin).unwrap();
    engine.ask(Command::RestoreFeed { bytes: pack(&files).into() }).unwrap();
    let ended = engine.send(Command::RestoreEnd);
    let mut spent = 0;
    while spent < 100_000 {
        spent += engine.pump(LATE, 1).spent;
        assert!(engine.take(ended).is_none(), "it was over after {spent} units");
    }
    let given_up = engine.send(Command::RestoreAbort);
    assert_eq!(engine.run(ended).unwrap_err().kind(), ErrorKind::Aborted);
    engine.run(given_up).unwrap();
    assert!(all(&mut engine).is_empty());
    restore(&mut engine, &pack(&files[..1]), 100_000).unwrap();
    assert_eq!(all(&mut engine), killed().1);
}

#[test]
fn what_lies_in_the_future_is_told() {
    let mut engine = open(MemoryFileSystem::new(), Config { start_time: 1_700_000_000_000, ..config() }).unwrap();
    let record = restore(&mut engine, &read(&golden("prometheus-killed.tar.gz")), 100_000).unwrap();
    let [told] = &record.left_out[..] else { panic!("{:?}", record.left_out) };
    assert!(told.message.contains("4000 samples lie more than two days in the future"), "{}", told.message);
}

#[test]
fn several_prometheus_are_told_apart() {
    let log = killed().0;
    let both = pack(&[("agent/wal/00000000".into(), log.clone()), ("server/wal/00000000".into(), log.clone())]);
    let (kind, message) = refusal(&both);
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("in agent/ and in server/"), "{message}");
    // Beside the data of a VictoriaMetrics one is told.
    let mut files = files_of(&read(&golden("tiny.tar.gz")));
    files.push(("prometheus/wal/00000000".into(), log));
    let record = restore(&mut empty(), &pack(&files), 100_000).unwrap();
    assert_eq!(record.left_out.len(), 1);
    assert_eq!(record.left_out[0].path, "prometheus/");
}

#[test]
fn what_a_kill_leaves_of_an_import_goes_at_the_next_start() {
    let files = SharedFiles::default();
    let late = || Config { start_time: LATE, ..config() };
    let mut engine = open(files.clone(), late()).unwrap();
    let archive = pack(&[("wal/00000000".into(), killed().0)]);
    restore(&mut engine, &archive, 100_000).unwrap();
    assert!(!all(&mut engine).is_empty());
    drop(engine);
    // As it was in the midst of it.
    files.0.borrow_mut().put("metadata/importing", b"1".to_vec()).unwrap();
    let mut engine = open(files.clone(), late()).unwrap();
    assert!(all(&mut engine).is_empty());
    restore(&mut engine, &archive, 100_000).unwrap();
    drop(engine);
    let mut engine = open(files, late()).unwrap();
    assert_eq!(all(&mut engine), killed().1);
}

#[test]
fn pending_merges_of_a_killed_server_are_carried_out() {
    for name in ["txn-absolute-pending", "txn-absolute-done", "page-txn-data-relative", "page-txn-index-absolute"] {
        let archive = read(&golden(&format!("{name}.tar.gz")));
        let mut engine = empty();
        let record = restore(&mut engine, &archive, 10_000).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(record.series > 0, "{name}");
        let files = SharedFiles::default();
        for (path, content) in files_of(&archive) {
            let at = ["data/", "indexdb/", "metadata/"].iter().filter_map(|begin| path.find(begin)).min().unwrap_or(0);
            files.0.borrow_mut().put(&path[at..], content).unwrap();
        }
        let mut opened = open(files, config()).unwrap();
        assert_eq!(all(&mut engine), all(&mut opened), "{name}");
    }
}
