//! What it costs to make parts of rows and to merge them, per row. `cargo bench --bench part`.
//!
//! An argument that is part of a line's name runs only such lines.
//!
//! With the path of a tar of a server's data directory as an argument it also merges the parts of each month in it into one
//! and compares the sizes: `cargo bench --bench part -- snapshot.tar`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Read;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandglass::block::Decoder;
use sandglass::collections::u64_set::U64Set;
use sandglass::encoding::zstd::Effort;
use sandglass::fs::FilePath;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::metric::row::{Rows, SeriesTable};
use sandglass::metric::tsid::Tsid;
use sandglass::part::inmemory::{ConversionOptions, part_from_rows};
use sandglass::part::merge::MergeOptions;
use sandglass::part::reader::Pull;
use sandglass::part::{Part, PartMerge, Step};
use sandglass::runtime::{Context, Lane, Scheduler};
use sandglass::time::TimeRange;

fn main() {
    println!("{:<44} {:>9} {:>9} {:>9}", "", "ns/row", "B/row", "B/row idx");
    for (series, scrapes) in [(1_000, 100), (5_000, 20), (10_000, 5), (20_000, 1)] {
        conversion(&format!("scrapes: {scrapes} of {series} series"), series, scrapes, true);
    }
    for (series, samples) in [(1, 50_000), (10, 10_000), (1_000, 100)] {
        conversion(&format!("runs: {samples} samples of {series} series"), series, samples, false);
    }
    for (series, scrapes) in [(10, 7_000), (1_000, 100), (5_000, 20), (20_000, 1)] {
        for effort in [Effort::Fast, Effort::Thorough] {
            merge(&format!("merge 15 parts: {scrapes} of {series} series, {effort:?}"), series, scrapes, effort);
        }
    }
    if let Some(tar) = std::env::args().skip(1).find(|argument| argument.ends_with(".tar")) {
        real_parts(&tar);
    }
}

fn run<T: 'static>(context: &Context, scheduler: &mut Scheduler, work: impl Future<Output = T> + 'static) -> T {
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    context.spawn(Lane::Query, async move {
        let value = work.await;
        slot.replace(Some(value));
    });
    while scheduler.pump(0, u64::MAX).has_work {}
    result.take().expect("the job has ended")
}

/// Counters and gauges as scraped every ten seconds, with a little noise in the timestamps of each target.
fn rows(table: &SeriesTable, series: usize, samples: usize, from: usize, by_scrape: bool) -> Rows {
    if table.is_empty() {
        for n in 0..series as u64 {
            // TSIDs are hashes, hence in no order.
            let hash = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            table.push(Tsid { metric_group_id: hash % 200, job_id: 1, instance_id: (hash >> 40) as u32, metric_id: n });
        }
    }
    let mut rows = Rows::with_capacity(series * samples);
    let mut add = |n: usize, i: usize| {
        let i = i + from;
        let timestamp = 1_700_000_000_000 + i as i64 * 10_000 + (i * 7919 % 13) as i64;
        let value = match n % 4 {
            0 => (i * (n % 50 + 1)) as f64,
            1 => ((i * 31 + n * 17) % 997) as f64 / 10.0,
            2 => 1.0,
            _ => (1_000_000 + i * 1024 + (i * n) % 77) as f64,
        };
        rows.push(n as u32, timestamp, value);
    };
    if by_scrape {
        (0..samples).for_each(|i| (0..series).for_each(|n| add(n, i)));
    } else {
        (0..series).for_each(|n| (0..samples).for_each(|i| add(n, i)));
    }
    rows
}

fn best(mut work: impl FnMut() -> Duration) -> Duration {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(700) {
        best = best.min(work());
    }
    best
}

fn report(name: &str, time: Duration, part: &Part) {
    let rows = part.header().rows as f64;
    let index = part.metaindex().iter().map(|row| f64::from(row.index_block_size)).sum::<f64>();
    println!(
        "{name:<44} {:>9.1} {:>9.3} {:>9.3}",
        time.as_nanos() as f64 / rows,
        part.size_bytes() as f64 / rows,
        index / rows
    );
}

fn make_part(table: &Rc<SeriesTable>, rows: &Rc<Rows>) -> (Part, Duration) {
    let context = Context::new(Box::new(MemoryFileSystem::new()), 0);
    let mut scheduler = Scheduler::new(context.clone());
    let (table, rows, inner) = (table.clone(), rows.clone(), context.clone());
    let options = ConversionOptions { precision_bits: 64, dedup: None };
    let begin = Instant::now();
    let part = run(&context, &mut scheduler, async move { part_from_rows(&inner, &rows, &table, options).await });
    (part.expect("rows can be encoded").expect("there are rows"), begin.elapsed())
}

/// Whether the arguments ask for this line: those that are no tar are parts of names.
fn is_wanted(name: &str) -> bool {
    let mut filters =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-') && !argument.ends_with(".tar"));
    let first = filters.next();
    first.is_none_or(|first| name.contains(&first) || filters.any(|filter| name.contains(&filter)))
}

fn conversion(name: &str, series: usize, samples: usize, by_scrape: bool) {
    if !is_wanted(name) {
        return;
    }
    let table = Rc::new(SeriesTable::default());
    let rows = Rc::new(rows(&table, series, samples, 0, by_scrape));
    let time = best(|| black_box(make_part(&table, &rows)).1);
    report(name, time, &make_part(&table, &rows).0);
}

fn options(effort: Effort) -> MergeOptions {
    MergeOptions {
        deleted: Rc::new(U64Set::new()),
        retention_deadline: 0,
        dedup: None,
        effort,
        recompress: effort == Effort::Thorough,
    }
}

fn merge(name: &str, series: usize, samples: usize, effort: Effort) {
    if !is_wanted(name) {
        return;
    }
    let table = Rc::new(SeriesTable::default());
    let parts: Vec<Part> =
        (0..15).map(|i| make_part(&table, &Rc::new(rows(&table, series, samples, i * samples, true))).0).collect();
    let merge = || {
        let mut merge = PartMerge::new(&parts, 1 << 17, options(effort)).expect("parts are well formed");
        while !matches!(merge.step().expect("parts are well formed"), Step::Done) {}
        Part::in_memory(merge.finish().expect("parts are well formed").0.expect("rows are left"))
    };
    let time = best(|| {
        let begin = Instant::now();
        black_box(merge());
        begin.elapsed()
    });
    report(name, time, &merge());
}

/// Merges the parts of each month of a real data directory, as a forced merge would.
fn real_parts(tar: &str) {
    let mut archive = tar::Archive::new(std::fs::File::open(tar).expect("the tar can be opened"));
    let mut fs = MemoryFileSystem::new();
    let mut months: BTreeMap<String, Vec<FilePath>> = BTreeMap::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("a tar");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        if !path.starts_with("data/") || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a whole tar");
        if let Some(dir) = path.strip_suffix("/metaindex.bin") {
            let month = dir.split('/').nth(2).expect("a month").to_owned();
            months.entry(month).or_default().push(FilePath::new(dir).expect("a path"));
        }
        fs.put(&path, Bytes::from(content)).expect("a path");
    }
    let context = Context::new(Box::new(fs), 0);
    let mut scheduler = Scheduler::new(context.clone());
    written_anew(tar, &context, &mut scheduler, &months);
    for effort in [Effort::Fast, Effort::Thorough] {
        let (mut rows, mut before, mut after, mut blocks) = (0, 0, 0, 0);
        let mut time = Duration::ZERO;
        for dirs in months.values() {
            let (dirs, inner) = (dirs.clone(), context.clone());
            let (part, size, elapsed) = run(&context, &mut scheduler, async move {
                let mut parts = Vec::new();
                for dir in &dirs {
                    parts.push(Part::open(&inner, dir).await.expect("a part").expect("a part"));
                }
                let size: u64 = parts.iter().map(Part::size_bytes).sum();
                let begin = Instant::now();
                let mut merge = PartMerge::new(&parts, 1 << 17, options(effort)).expect("parts are well formed");
                loop {
                    match merge.step().expect("parts are well formed") {
                        Step::Starving { input, file, range } => {
                            let start = range.start;
                            merge.feed(
                                input,
                                file,
                                start,
                                parts[input].read(&inner, file, range).await.expect("bytes"),
                            );
                        }
                        Step::Progress { .. } => {}
                        Step::Done => break,
                    }
                }
                let part = Part::in_memory(merge.finish().expect("parts are well formed").0.expect("rows are left"));
                (part, size, begin.elapsed())
            });
            rows += part.header().rows;
            blocks += part.header().blocks;
            before += size;
            after += part.size_bytes();
            time += elapsed;
        }
        println!(
            "{tar} {effort:?}: {rows} rows, {blocks} blocks, {:.4} B/row before, {:.4} after, {:.1} ns/row",
            before as f64 / rows as f64,
            after as f64 / rows as f64,
            time.as_nanos() as f64 / rows as f64
        );
    }
}

/// Adds all rows of each month anew, in the order of time, and merges the parts they make until one is left.
fn written_anew(tar: &str, context: &Context, scheduler: &mut Scheduler, months: &BTreeMap<String, Vec<FilePath>>) {
    let (mut rows, mut bytes) = (0, 0);
    for dirs in months.values() {
        let (dirs, inner) = (dirs.clone(), context.clone());
        let samples = run(context, scheduler, async move {
            let mut samples = Vec::new();
            for dir in &dirs {
                let part = Part::open(&inner, dir).await.expect("a part").expect("a part");
                let mut stream = part.stream(1 << 20).expect("a part");
                let mut decoder = Decoder::default();
                loop {
                    match stream.pull().expect("a part") {
                        Pull::Starving(file, range) => {
                            let start = range.start;
                            stream.feed(file, start, part.read(&inner, file, range).await.expect("bytes"));
                        }
                        Pull::Block(block) => {
                            let (mut timestamps, mut values) = (Vec::new(), Vec::new());
                            let data = (&block.timestamps[..], &block.values[..]);
                            decoder
                                .append(&block.header, data.0, data.1, TimeRange::ALL, &mut timestamps, &mut values)
                                .expect("a block");
                            samples.extend(
                                timestamps.into_iter().zip(values).map(|row| (block.header.tsid, row.0, row.1)),
                            );
                        }
                        Pull::End => break,
                    }
                }
            }
            samples.sort_by_key(|sample| sample.1);
            samples
        });
        let table = Rc::new(SeriesTable::default());
        let mut numbers = BTreeMap::new();
        let mut parts = Vec::new();
        for chunk in samples.chunks(100_000) {
            let mut rows = Rows::with_capacity(chunk.len());
            for (tsid, timestamp, value) in chunk {
                rows.push(*numbers.entry(*tsid).or_insert_with(|| table.push(*tsid)), *timestamp, *value);
            }
            parts.push(make_part(&table, &Rc::new(rows)).0);
        }
        for effort in [Effort::Fast, Effort::Thorough] {
            parts = parts
                .chunks(15)
                .map(|parts| {
                    let mut merge = PartMerge::new(parts, 1 << 17, options(effort)).expect("parts are well formed");
                    while !matches!(merge.step().expect("parts are well formed"), Step::Done) {}
                    Part::in_memory(merge.finish().expect("parts are well formed").0.expect("rows are left"))
                })
                .collect();
        }
        assert_eq!(parts.len(), 1);
        rows += parts[0].header().rows;
        bytes += parts[0].size_bytes();
    }
    println!("{tar} written anew: {rows} rows, {:.4} B/row", bytes as f64 / rows as f64);
}
