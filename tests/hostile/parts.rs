//! Parts that say of themselves what is not so.

use crate::archive::{self, Files};
use crate::slices::{ask, cpu_ms, run_in_slices};
use crate::support::{EngineExt, config, open};
use sandglass::block::BlockHeader;
use sandglass::encoding::marshal::MarshalType;
use sandglass::encoding::zstd::{self, Effort};
use sandglass::engine::{Answer, Clock, Command, Config, Engine};
use sandglass::error::{Error, ErrorKind};
use sandglass::part::metaindex::{MetaindexRow, read_metaindex};
use sandglass::time::TimeRange;

const PART: &str = "data/small/2024_03/12_3_20240309160000.000_20240309160200.001_18EA4AA891B8650A";

fn expect_corrupt(files: &Files, what: &str) -> Error {
    let before = cpu_ms();
    let opened = open(archive::disk(files), config());
    let error = opened.and_then(|mut engine| engine.all("{__name__!=\"\"}")).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    assert!(cpu_ms() - before < 1_000, "{what} took {} ms", cpu_ms() - before);
    error
}

fn rows(files: &Files) -> Vec<MetaindexRow> {
    let index_size = files[&format!("{PART}/index.bin")].len() as u64;
    read_metaindex(&files[&format!("{PART}/metaindex.bin")], index_size).unwrap()
}

fn with_rows(rows: &[MetaindexRow]) -> Files {
    let mut files = archive::read("tiny");
    let mut content = Vec::new();
    rows.iter().for_each(|row| row.marshal(&mut content));
    let mut frame = Vec::new();
    zstd::compress(&content, Effort::Fast, &mut frame).unwrap();
    files.insert(format!("{PART}/metaindex.bin"), frame);
    files
}

#[test]
fn a_metaindex_that_does_not_fit_its_part_is_refused_with_its_path() {
    let [row] = rows(&archive::read("tiny"))[..] else { panic!("the fixture has one row") };
    let (min, max) = (row.min_timestamp, row.max_timestamp);
    for (what, rows) in [
        ("turned round", vec![MetaindexRow { min_timestamp: max, max_timestamp: min, ..row }]),
        ("too early", vec![MetaindexRow { min_timestamp: min - 1, ..row }]),
        ("too late", vec![MetaindexRow { max_timestamp: max + 1, ..row }]),
        ("too narrow", vec![MetaindexRow { min_timestamp: min + 1, ..row }]),
        ("elsewhere", vec![MetaindexRow { min_timestamp: max + 5, max_timestamp: max + 9, ..row }]),
        ("twice", vec![row, row]),
        ("too many headers", vec![MetaindexRow { block_headers_count: 4, ..row }]),
        ("too few headers", vec![MetaindexRow { block_headers_count: 2, ..row }]),
        ("no bytes", vec![row, MetaindexRow { index_block_size: 0, block_headers_count: 1, ..row }]),
    ] {
        let error = expect_corrupt(&with_rows(&rows), what);
        assert!(error.message().contains(PART), "{what}: {error}");
    }
    let mut engine = open(archive::disk(&with_rows(&[row])), config()).unwrap();
    assert_eq!(engine.all("{__name__!=\"\"}").unwrap().len(), 3);
}

/// A part of many blocks of constant rows, each of them as long as a block may be; it takes a few kilobytes.
fn constant_rows(name_rows: u64, name_blocks: u64) -> Files {
    const HEADERS: u32 = 800;
    const INDEX_BLOCKS: u64 = 40;
    let mut files = archive::read("tiny");
    let mut content = Vec::new();
    zstd::decompress(&files[&format!("{PART}/index.bin")], 1 << 20, &mut content).unwrap();
    let (header, _) = BlockHeader::unmarshal(&content).unwrap();
    let header = BlockHeader {
        rows_count: 16_384,
        max_timestamp: header.min_timestamp,
        timestamps_marshal_type: MarshalType::Const,
        values_marshal_type: MarshalType::Const,
        timestamps_block_size: 0,
        values_block_size: 0,
        ..header
    };
    let mut content = Vec::new();
    (0..HEADERS).for_each(|_| header.marshal(&mut content));
    let mut frame = Vec::new();
    zstd::compress(&content, Effort::Fast, &mut frame).unwrap();
    let (mut index, mut metaindex) = (Vec::new(), Vec::new());
    for at in 0..INDEX_BLOCKS {
        let row = MetaindexRow {
            block_headers_count: HEADERS,
            min_timestamp: header.min_timestamp,
            max_timestamp: header.min_timestamp,
            index_block_offset: at * frame.len() as u64,
            index_block_size: frame.len() as u32,
            tsid: header.tsid,
        };
        row.marshal(&mut metaindex);
        index.extend_from_slice(&frame);
    }
    let mut frame = Vec::new();
    zstd::compress(&metaindex, Effort::Fast, &mut frame).unwrap();
    let instant = "20240309160000.000";
    let dir = format!("data/small/2024_03/{name_rows}_{name_blocks}_{instant}_{instant}_18EA4AA891B8650A");
    files.retain(|path, _| !path.starts_with(PART));
    for (name, bytes) in
        [("index.bin", index), ("metaindex.bin", frame), ("timestamps.bin", Vec::new()), ("values.bin", Vec::new())]
    {
        files.insert(format!("{dir}/{name}"), bytes);
    }
    files
}

#[test]
fn blocks_with_more_rows_than_the_name_says_cost_nothing() {
    expect_corrupt(&constant_rows(12, 3), "twelve rows in the name");
    expect_corrupt(&constant_rows(32_000, 32_000), "as many rows as blocks in the name");
}

#[test]
fn half_a_billion_rows_that_are_there_are_too_many_for_a_select_and_for_no_memory() {
    let config = Config { memory_bytes: 1 << 30, ..config() };
    let mut engine = open(archive::disk(&constant_rows(32_000 * 16_384, 32_000)), config).unwrap();
    let select = Command::Select { selector: "{__name__!=\"\"}".into(), range: TimeRange::ALL };
    let before = cpu_ms();
    let error = ask(&mut engine, select, "half a billion rows").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(cpu_ms() - before < 1_000);
    assert!(engine.all("nothing_of_that_name").unwrap().is_empty());
}

#[test]
fn half_a_million_blocks_of_one_row_are_refused() {
    expect_corrupt(&archive::read("one-row-blocks-502200"), "one index block for all rows of the metaindex");
}

#[test]
fn tombstones_far_apart_take_memory_by_their_number() {
    let before = resident_bytes();
    let mut engine = open(archive::disk(&archive::read("sparse-tombstones-1m")), config()).unwrap();
    // Other tests of this process may take memory meanwhile, so that the bound is wide; bitmaps would take 531 MB.
    let taken = resident_bytes().saturating_sub(before);
    assert!(taken < 300 << 20, "{taken} bytes");
    let state = serde_json::to_value(engine.inspect()).unwrap();
    assert_eq!(state["index"]["deletedSeries"], 1_000_000);
    assert_eq!(engine.all("{__name__!=\"\"}").unwrap().len(), 3);
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

#[test]
fn a_new_series_never_gets_a_number_that_is_taken() {
    let files = archive::read("index-first-item-too-great");
    let config = Config { clock: Clock::Manual, start_time: 1_734_652_800_000, ..config() };
    match open(archive::disk(&files), config) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        Ok(mut engine) => expect_own_samples(&mut engine),
    }
}

fn expect_own_samples(engine: &mut Engine) {
    let put = engine.put(&[("__name__", "fresh"), ("a", "b")], &[1_734_652_800_000], &[7.0]);
    put.and_then(|()| engine.flush()).unwrap();
    let ticket = engine.send(Command::Select { selector: "fresh".into(), range: TimeRange::ALL });
    match run_in_slices(engine, ticket, "select") {
        Ok(Answer::Series(found)) => {
            assert_eq!(found.len(), 1);
            assert_eq!((&found[0].values[..], found[0].labels.len()), (&[7.0][..], 2));
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    }
}
