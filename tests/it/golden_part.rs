//! Parts against the server's golden vectors and against parts that servers have written.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;

use bytes::Bytes;
use sandglass::block::{Block, BlockHeader, Decoder};
use sandglass::collections::u64_set::U64Set;
use sandglass::encoding::zstd::{self, Effort};
use sandglass::fs::FilePath;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::merge::policy::{self, PartSize};
use sandglass::metric::row::{Rows, SeriesTable};
use sandglass::metric::tsid::Tsid;
use sandglass::part::inmemory::{ConversionOptions, part_from_rows};
use sandglass::part::merge::{MergeCounts, MergeOptions};
use sandglass::part::metaindex::MetaindexRow;
use sandglass::part::reader::{EncodedBlock, PartSource, Pull};
use sandglass::part::search::{Reading, Samples, find_blocks, read_blocks};
use sandglass::part::{BlockStreamWriter, Part, PartFile, PartHeader, PartMerge, Step};
use sandglass::time::TimeRange;
use serde_json::Value;

use crate::golden::{self, cases, floats, hex, int, ints, list};
use crate::machine::Machine;

fn tsid(value: &Value) -> Tsid {
    Tsid {
        metric_group_id: int(&value["metric_group_id"]),
        job_id: int(&value["job_id"]),
        instance_id: int(&value["instance_id"]),
        metric_id: int(&value["metric_id"]),
    }
}

fn machine() -> Machine {
    Machine::new(MemoryFileSystem::new(), 1_700_000_000_000)
}

fn read_all(part: &Part) -> Vec<EncodedBlock> {
    let mut stream = part.stream(1 << 16).unwrap();
    let mut blocks = Vec::new();
    loop {
        match stream.pull().unwrap() {
            Pull::Block(block) => blocks.push(block),
            Pull::End => return blocks,
            Pull::Starving(file, range) => panic!("{} {range:?} is not in memory", file.name()),
        }
    }
}

fn file(part: &Part, file: PartFile) -> Bytes {
    let PartSource::Memory(files) = part.source() else { panic!("the part is not in memory") };
    files[file as usize].clone()
}

/// A part made block by block, since a vector's series may differ in precision.
fn part_of(series: &Value) -> Part {
    let mut series: Vec<&Value> = list(series).iter().collect();
    series.sort_by_key(|one| tsid(&one["tsid"]));
    let mut writer = BlockStreamWriter::new(Effort::Fast);
    for one in series {
        let (timestamps, values): (Vec<i64>, _) = (ints(&one["timestamps"]), floats(&one["values"]));
        let mut rows: Vec<(i64, f64)> = timestamps.into_iter().zip(values).collect();
        rows.sort_by_key(|row| row.0);
        for chunk in rows.chunks(8192) {
            let (timestamps, values): (Vec<i64>, Vec<f64>) = chunk.iter().copied().unzip();
            let bits = int(&one["precision_bits"]);
            let mut block = Block::from_rows(tsid(&one["tsid"]), &timestamps, &values, bits, None);
            block.encode(Effort::Fast).unwrap();
            writer.write(&mut block).unwrap();
        }
    }
    Part::in_memory(writer.finish(0).unwrap().unwrap())
}

/// The same through the path of raw rows, when all series have one precision.
fn converted(series: &Value) -> Option<Part> {
    let bits: Vec<u8> = list(series).iter().map(|one| int(&one["precision_bits"])).collect();
    if bits.iter().any(|one| *one != bits[0]) {
        return None;
    }
    let table = Rc::new(SeriesTable::default());
    let mut rows = Rows::default();
    for one in list(series) {
        let index = table.push(tsid(&one["tsid"]));
        for (timestamp, value) in ints(&one["timestamps"]).into_iter().zip(floats(&one["values"])) {
            rows.push(index, timestamp, value);
        }
    }
    let mut machine = machine();
    let context = machine.context.clone();
    let options = ConversionOptions { precision_bits: bits[0], dedup: None };
    machine.run(async move { part_from_rows(&context, &rows, &table, options).await.unwrap() })
}

#[test]
fn names_and_metaindex_rows() {
    for case in cases("headers") {
        if case["kind"] == "part_dir_name" {
            let name = case["path"].as_str().unwrap().strip_prefix("P/").unwrap();
            let header = PartHeader {
                rows: int(&case["rows_count"]),
                blocks: int(&case["blocks_count"]),
                min_timestamp: int(&case["min_timestamp"]),
                max_timestamp: int(&case["max_timestamp"]),
                min_dedup_interval_ms: 0,
            };
            let suffix: u64 = int(&case["suffix"]);
            assert_eq!(header.dir_name(suffix), name);
            assert_eq!(PartHeader::parse_dir_name(name).unwrap(), (header, Some(suffix)));
        } else if case["kind"] == "metaindex_row" {
            let expected = MetaindexRow {
                tsid: tsid(&case["tsid"]),
                block_headers_count: int(&case["block_headers_count"]),
                min_timestamp: int(&case["min_timestamp"]),
                max_timestamp: int(&case["max_timestamp"]),
                index_block_offset: int(&case["index_block_offset"]),
                index_block_size: int(&case["index_block_size"]),
            };
            let bytes = hex(&case["hex"]);
            assert_eq!(MetaindexRow::unmarshal(&bytes).unwrap(), (expected, &[][..]));
            let mut written = Vec::new();
            expected.marshal(&mut written);
            assert_eq!(written, bytes);
        }
    }
}

#[test]
fn rows_become_the_servers_bytes() {
    for case in cases("rows_to_part") {
        let name = case["name"].as_str().unwrap();
        if name == "index_block_split_1000_series" {
            check_index_block_split(&case);
            continue;
        }
        let out = &case["out"];
        let parts = [Some(part_of(&case["series"])), converted(&case["series"])];
        for part in parts.into_iter().flatten() {
            assert_eq!(file(&part, PartFile::Timestamps), hex(&out["timestamps_bin"]), "{name}");
            assert_eq!(file(&part, PartFile::Values), hex(&out["values_bin"]), "{name}");
            let index = file(&part, PartFile::Index);
            for (row, expected) in part.metaindex().iter().zip(list(&out["index_blocks_uncompressed"])) {
                let from = row.index_block_offset as usize;
                let mut content = Vec::new();
                zstd::decompress(&index[from..from + row.index_block_size as usize], 1 << 20, &mut content).unwrap();
                assert_eq!(content, hex(expected), "{name}");
            }
            let mut metaindex = Vec::new();
            zstd::decompress(&file(&part, PartFile::Metaindex), 1 << 20, &mut metaindex).unwrap();
            // The length of an index block depends on the compressor.
            let expected = hex(&out["metaindex_uncompressed"]);
            assert_eq!(metaindex[..52], expected[..52], "{name}");
            assert_eq!(metaindex.len(), expected.len(), "{name}");
            assert_eq!(part.header().rows, int::<u64>(&out["rows_count"]));
            assert_eq!(part.header().blocks, int::<u64>(&out["blocks_count"]));
            assert_eq!(part.header().min_timestamp, int::<i64>(&out["min_timestamp"]));
            assert_eq!(part.header().max_timestamp, int::<i64>(&out["max_timestamp"]));
            assert_eq!(read_all(&part).len() as u64, part.header().blocks);
        }
    }
}

fn check_index_block_split(case: &Value) {
    let table = SeriesTable::default();
    let mut rows = Rows::default();
    for metric_id in 1..=1000u64 {
        let series = table.push(Tsid { metric_group_id: 1, metric_id, ..Tsid::default() });
        rows.push(series, 1000 + (metric_id as i64 - 1) % 3, metric_id as f64 - 1.0);
    }
    let mut machine = machine();
    let context = machine.context.clone();
    let options = ConversionOptions { precision_bits: 64, dedup: None };
    let part = machine.run(async move { part_from_rows(&context, &rows, &table, options).await }).unwrap().unwrap();
    let expected = list(&case["metaindex_rows"]);
    assert_eq!(part.metaindex().len(), expected.len());
    for (row, expected) in part.metaindex().iter().zip(expected) {
        assert_eq!(row.tsid, tsid(&expected["tsid"]));
        assert_eq!(row.block_headers_count, int::<u32>(&expected["block_headers_count"]));
        assert_eq!(row.min_timestamp, int::<i64>(&expected["min_timestamp"]));
        assert_eq!(row.max_timestamp, int::<i64>(&expected["max_timestamp"]));
    }
    assert_eq!(read_all(&part).len(), 1000);
}

fn merge_in_memory(parts: &[Part], options: MergeOptions) -> (Option<Part>, MergeCounts) {
    let mut merge = PartMerge::new(parts, 1 << 16, options).unwrap();
    loop {
        match merge.step().unwrap() {
            Step::Done => break,
            Step::Progress { .. } => {}
            step => panic!("{step:?} of parts in memory"),
        }
    }
    let (written, counts) = merge.finish().unwrap();
    (written.map(Part::in_memory), counts)
}

#[test]
fn merges_make_the_servers_blocks() {
    for case in cases("merge") {
        let name = case["name"].as_str().unwrap();
        let parts: Vec<Part> = list(&case["parts"]).iter().map(|part| part_of(&part["series"])).collect();
        for (part, expected) in parts.iter().zip(list(&case["parts"])) {
            assert_eq!(part.header().blocks, int::<u64>(&expected["part_blocks"]), "{name}");
        }
        let mut deleted = U64Set::new();
        for id in ints(&case["deleted_metric_ids"]) {
            deleted.insert(id);
        }
        let options = MergeOptions {
            deleted: Rc::new(deleted),
            retention_deadline: int(&case["retention_deadline"]),
            dedup: None,
            effort: Effort::Fast,
            recompress: false,
        };
        let (output, counts) = merge_in_memory(&parts, options);
        assert_eq!(counts.written, int::<u64>(&case["rows_merged"]), "{name}");
        assert_eq!(counts.deleted, int::<u64>(&case["rows_deleted"]), "{name}");
        let blocks = output.as_ref().map(read_all).unwrap_or_default();
        let expected = list(&case["out"]["blocks"]);
        assert_eq!(blocks.len(), expected.len(), "{name}");
        for (block, expected) in blocks.iter().zip(expected) {
            let BlockHeader { tsid: series, scale, rows_count, precision_bits, .. } = block.header;
            assert_eq!(series, tsid(&expected["tsid"]), "{name}");
            assert_eq!(scale, int::<i16>(&expected["scale"]), "{name}");
            assert_eq!(rows_count, int::<u32>(&expected["rows_count"]), "{name}");
            assert_eq!(precision_bits, int::<u8>(&expected["precision_bits"]), "{name}");
            assert_eq!(block.header.min_timestamp, int::<i64>(&expected["min_timestamp"]), "{name}");
            assert_eq!(block.header.max_timestamp, int::<i64>(&expected["max_timestamp"]), "{name}");
            assert_eq!(block.header.first_value, int::<i64>(&expected["first_value"]), "{name}");
            let mut decoded = Block::default();
            decoded.copy_from_encoded(&block.header, &block.timestamps, &block.values);
            decoded.decode().unwrap();
            let (timestamps, mantissas) = decoded.columns();
            assert_eq!(timestamps, ints::<i64>(&expected["timestamps"]), "{name}");
            assert_eq!(mantissas, ints::<i64>(&expected["mantissas"]), "{name}");
        }
    }
}

#[test]
fn the_same_parts_are_chosen() {
    for case in cases("parts_to_merge") {
        let sizes: Vec<u64> = ints(&case["sizes"]);
        let min_timestamps: Vec<i64> = ints(&case["min_timestamps"]);
        let all: Vec<PartSize> = sizes
            .into_iter()
            .zip(min_timestamps)
            .map(|(bytes, min_timestamp)| PartSize { bytes, min_timestamp })
            .collect();
        let max_output_bytes = int(&case["max_out_bytes"]);
        let choice = if let Some(max_parts) = case["max_parts_to_merge"].as_u64() {
            policy::pick(&all, max_parts as usize, max_output_bytes)
        } else {
            let in_merge = list(&case["in_merge"]);
            let free: Vec<usize> = (0..all.len()).filter(|&i| in_merge[i] == false).collect();
            let sizes: Vec<PartSize> = free.iter().map(|&i| all[i]).collect();
            let mut choice = policy::select(&sizes, max_output_bytes, (case["is_final"] == true).then_some(3));
            choice.parts.iter_mut().for_each(|i| *i = free[*i]);
            choice
        };
        assert_eq!(choice.parts, ints::<usize>(&case["selected"]), "{case}");
    }
}

/// The files of `tests/golden/<name>.tar.gz` whose path has `data/` in it, by their path from there.
pub fn data_files(name: &str) -> BTreeMap<String, Vec<u8>> {
    let unpacked = golden::bytes(&format!("{name}.tar.gz"));
    let mut archive = tar::Archive::new(&unpacked[..]);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if let Some(at) = path.find("data/small/").or_else(|| path.find("data/big/")) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(path[at..].to_owned(), content);
        }
    }
    assert!(!files.is_empty());
    files
}

/// The directories of parts among files.
pub fn part_dirs(files: &BTreeMap<String, Vec<u8>>) -> Vec<FilePath> {
    let dirs = files.keys().filter_map(|path| path.strip_suffix("/metaindex.bin"));
    dirs.map(|dir| FilePath::new(dir).unwrap()).collect()
}

fn file_system(files: &BTreeMap<String, Vec<u8>>) -> MemoryFileSystem {
    let mut fs = MemoryFileSystem::new();
    for (path, content) in files {
        fs.put(path, content.clone()).unwrap();
    }
    fs
}

/// All samples of a part, streamed with the smallest windows possible.
async fn samples(
    context: &sandglass::runtime::Context,
    part: &Part,
) -> sandglass::error::Result<Vec<(Tsid, i64, u64)>> {
    let mut stream = part.stream(0)?;
    let mut decoder = Decoder::default();
    let mut samples = Vec::new();
    loop {
        match stream.pull()? {
            Pull::Starving(file, range) => {
                let bytes = part.read(context, file, range.clone()).await?;
                stream.feed(file, range.start, bytes);
            }
            Pull::Block(block) => {
                let (mut timestamps, mut values) = (Vec::new(), Vec::new());
                let EncodedBlock { header, timestamps: times, values: mantissas } = block;
                decoder.append(&header, &times, &mantissas, TimeRange::ALL, &mut timestamps, &mut values)?;
                samples.extend(timestamps.iter().zip(&values).map(|(t, v)| (header.tsid, *t, v.to_bits())));
            }
            Pull::End => return Ok(samples),
        }
    }
}

/// How often each sample occurs, whatever its series.
fn multiset(samples: impl IntoIterator<Item = (i64, u64)>) -> BTreeMap<(i64, u64), i64> {
    let mut counts = BTreeMap::new();
    for sample in samples {
        *counts.entry(sample).or_insert(0) += 1;
    }
    counts
}

#[test]
fn parts_of_servers_are_read() {
    for name in ["tiny", "datadir-v1.72.0"] {
        let files = data_files(name);
        let dirs = part_dirs(&files);
        let mut machine = Machine::new(file_system(&files), 0);
        let context = machine.context.clone();
        let found = machine.run(async move {
            let mut all = Vec::new();
            for dir in dirs {
                let part = Part::open(&context, &dir).await.unwrap().unwrap();
                let samples = samples(&context, &part).await.unwrap();
                assert_eq!(samples.len() as u64, part.header().rows, "{dir}");
                assert!(samples.iter().all(|sample| part.header().range().contains(sample.1)));
                all.extend(samples.into_iter().map(|(_, timestamp, bits)| (timestamp, bits)));
            }
            all
        });
        let mut found = multiset(found);
        let exported: Vec<(i64, u64)> = if name == "tiny" {
            let lines = cases("tiny.export");
            lines
                .iter()
                .flat_map(|line| {
                    let values: Vec<u64> =
                        list(&line["values"]).iter().map(|v| v.as_f64().unwrap().to_bits()).collect();
                    ints(&line["timestamps"]).into_iter().zip(values).collect::<Vec<_>>()
                })
                .collect()
        } else {
            let lines = cases(name);
            lines
                .iter()
                .flat_map(|line| {
                    let bits = floats(&line["bits"]).into_iter().map(f64::to_bits);
                    ints(&line["timestamps"]).into_iter().zip(bits).collect::<Vec<_>>()
                })
                .collect()
        };
        for sample in exported {
            let count = found.get_mut(&sample).unwrap_or_else(|| panic!("{name}: {sample:?} was not found"));
            *count -= 1;
            assert!(*count >= 0, "{name}: {sample:?} was not found often enough");
        }
        assert!(found.values().all(|count| *count == 0), "{name}: there is more than was exported");
    }
}

#[test]
fn any_flipped_bit_is_an_error_or_harmless() {
    let files = data_files("tiny");
    let dir = part_dirs(&files).remove(0);
    let mut machine = Machine::new(file_system(&files), 0);
    let (context, good) = (machine.context.clone(), dir.clone());
    let mut tsids: Vec<Tsid> = machine.run(async move {
        let part = Part::open(&context, &good).await.unwrap().unwrap();
        samples(&context, &part).await.unwrap().into_iter().map(|sample| sample.0).collect()
    });
    tsids.dedup();
    for (path, content) in &files {
        for bit in 0..content.len() * 8 {
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let mut machine = Machine::new(file_system(&damaged), 0);
            let (context, dir) = (machine.context.clone(), dir.clone());
            // Neither a panic nor an endless loop; what is read has the size of what was written.
            let tsids = tsids.clone();
            let (streamed, found) = machine.run(async move {
                let part = match Part::open(&context, &dir).await {
                    Ok(part) => part.expect("the directory has files"),
                    Err(error) => return (Err(error.clone()), Err(error)),
                };
                let mut found = vec![Samples::default(); tsids.len()];
                let search = async {
                    let blocks = find_blocks(&context, &part, &tsids, TimeRange::ALL).await?;
                    read_blocks(
                        &context,
                        &part,
                        &blocks,
                        TimeRange::ALL,
                        &mut Reading::with_budget(u64::MAX),
                        &mut found,
                    )
                    .await
                };
                let search = search.await;
                (samples(&context, &part).await, search.map(|()| found.iter().map(Samples::len).sum::<usize>()))
            });
            assert!(streamed.is_err() || streamed.unwrap().len() <= 12, "{path} bit {bit}");
            // A query trusts counts of single blocks alone, of which there are three.
            assert!(found.is_err() || found.unwrap() <= 3 * 16_384, "{path} bit {bit}");
        }
    }
}

#[test]
fn a_cut_file_is_an_error() {
    let files = data_files("tiny");
    let dir = part_dirs(&files).remove(0);
    for path in files.keys().filter(|path| path.ends_with(".bin") && !files[*path].is_empty()) {
        let mut damaged = files.clone();
        damaged.get_mut(path).unwrap().pop();
        let mut machine = Machine::new(file_system(&damaged), 0);
        let (context, dir) = (machine.context.clone(), dir.clone());
        let result = machine.run(async move {
            let part = Part::open(&context, &dir).await?.expect("the directory has files");
            samples(&context, &part).await
        });
        assert_eq!(result.unwrap_err().kind(), sandglass::error::ErrorKind::Corrupt, "{path}");
    }
}
