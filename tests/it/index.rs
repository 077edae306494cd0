//! The index as a whole: against servers' snapshots, against a model, through restarts, late storage and damage.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use sandglass::encoding::zstd::Effort;
use sandglass::error::{ErrorKind, Result};
use sandglass::fs::sim::SimFileSystem;
use sandglass::fs::{Change, FilePath, FileSystem, MemoryFileSystem};
use sandglass::index::tag_rows::pack_tag_rows;
use sandglass::index::{Index, IndexOptions};
use sandglass::mergeset::merge::{PartMerge, Source, Step};
use sandglass::mergeset::table::TableOptions;
use sandglass::mergeset::{Part, Remover, Table};
use sandglass::metric::filter::{Selector, TagFilter};
use sandglass::metric::name::MetricName;
use sandglass::metric::tsid::Tsid;
use sandglass::runtime::{Context, Lane};
use sandglass::time::{DAY_MS, TimeRange};
use serde_json::Value;

use crate::machine::Machine;

const NOW: i64 = 1_710_000_000_000;
const START_NANOS: u64 = 1_710_000_000_000_000_000;
const ALL: usize = usize::MAX;

fn options() -> IndexOptions {
    IndexOptions::new(365 * DAY_MS, START_NANOS)
}

fn filters(selector: &str) -> Vec<TagFilter> {
    Selector::parse(selector).unwrap().filters
}

fn name_of(labels: &[(&str, &str)]) -> MetricName {
    MetricName::from_labels(labels.iter().map(|&(key, value)| (key, value)))
}

fn open(machine: &mut Machine) -> Rc<Index> {
    let context = machine.context.clone();
    machine.run(async move { Index::open(&context, options()).await }).unwrap()
}

/// Runs `work` with the index.
fn with<T: 'static, F: Future<Output = T> + 'static>(
    machine: &mut Machine,
    index: &Rc<Index>,
    work: impl FnOnce(Rc<Index>) -> F,
) -> T {
    machine.run(work(index.clone()))
}

fn series_of(
    machine: &mut Machine,
    index: &Rc<Index>,
    selector: &str,
    range: TimeRange,
) -> Result<BTreeSet<MetricName>> {
    let filters = filters(selector);
    with(machine, index, async move |index| {
        let tsids = index.search_tsids(&filters, range, ALL).await?;
        assert!(tsids.is_sorted());
        let ids: Vec<u64> = tsids.iter().map(|tsid| tsid.metric_id).collect();
        let names = index.metric_names(&ids).await?;
        Ok(names.into_iter().flatten().map(Rc::unwrap_or_clone).collect())
    })
}

// ---- servers' snapshots --------------------------------------------------------------------------------------------

fn golden_file(name: &str) -> Box<dyn Read> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    Box::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()))
}

/// The index files of a snapshot.
fn snapshot_files(name: &str) -> MemoryFileSystem {
    let mut files = MemoryFileSystem::new();
    let mut archive = tar::Archive::new(golden_file(&format!("{name}.tar.gz")));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let Some(at) = path.find("indexdb/") else { continue };
        if !path.ends_with('/') {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.put(&path[at..], bytes).unwrap();
        }
    }
    files
}

fn name_of_json(labels: &Value) -> MetricName {
    let labels = labels.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap()));
    MetricName::from_labels(labels)
}

/// The series in a golden file: one label set, or one object with a label set under `metric`, a line.
fn golden_series(name: &str) -> BTreeSet<MetricName> {
    let mut text = String::new();
    golden_file(name).read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| name_of_json(line.get("metric").filter(|metric| metric.is_object()).unwrap_or(&line))).collect()
}

#[test]
fn snapshots_of_servers_are_read() {
    for (name, series) in [
        ("tiny", "tiny.export.jsonl.gz"),
        ("deleted", "deleted.series.json.gz"),
        ("datadir-v1.72.0", "datadir-v1.72.0.jsonl.gz"),
    ] {
        let mut machine = Machine::new(snapshot_files(name), NOW);
        let index = open(&mut machine);
        let found = series_of(&mut machine, &index, "{__name__!=\"\"}", TimeRange::ALL).unwrap();
        let expected = golden_series(series);
        assert_eq!(found, expected, "{name}");
        assert_eq!(index.deleted().is_empty(), name == "tiny", "{name}");
        // Every name leads back to its series, and every label can be listed.
        let labels: BTreeSet<Vec<u8>> =
            expected.iter().flat_map(|name| name.labels()).map(|label| label.0.to_vec()).collect();
        with(&mut machine, &index, async move |index| {
            for name in &found {
                let tsid = index.tsid_by_name(name).await.unwrap().unwrap();
                assert_eq!(index.metric_name(tsid.metric_id).await.unwrap().as_ref(), Some(name));
                assert_eq!(name.tsid(tsid.metric_id), tsid);
            }
            let names = index.label_names(&[Vec::new()], TimeRange::ALL, ALL).await.unwrap();
            assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), labels);
        });
    }
}

#[test]
fn any_flipped_bit_of_a_snapshot_is_an_error_or_harmless() {
    let files = snapshot_files("tiny");
    let paths: Vec<String> = files.paths().map(str::to_owned).collect();
    let part = paths.iter().find_map(|path| path.strip_suffix("/metadata.json")).unwrap().to_owned();
    for path in paths {
        let bytes = files.file(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut files = files.clone();
            files.put(&path, damaged).unwrap();
            let mut machine = Machine::new(files, NOW);
            let (context, dir_of_part) = (machine.context.clone(), FilePath::new(&part).unwrap());
            let result = machine.run(async move {
                let index = Index::open(&context, options()).await?;
                for range in [TimeRange::ALL, TimeRange { min: NOW - DAY_MS, max: NOW }] {
                    index.search_tsids(&filters("{__name__=~\".+\",job!=\"x\"}"), range, ALL).await?;
                }
                index.label_names(&[Vec::new()], TimeRange::ALL, ALL).await?;
                rewrite(&context, &dir_of_part).await
            });
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{path} {bit}: {error}");
            }
        }
    }
}

/// Reads a part from the first block to the last, as a merge does, and writes it anew.
async fn rewrite(context: &Context, dir: &FilePath) -> Result<()> {
    let Some(part) = Part::open(context, dir).await?.map(Rc::new) else { return Ok(()) };
    let mut merge = PartMerge::new([Source::Part(part.clone(), 64)], pack_tag_rows, Effort::Fast);
    loop {
        match merge.step()? {
            Step::Starving { input, file, range } => {
                let bytes = part.read(context, file, range.clone()).await?;
                merge.feed(input, file, range.start, bytes);
            }
            Step::Progress { .. } => {}
            Step::Done => return merge.finish().map(drop),
        }
    }
}

// ---- a model -------------------------------------------------------------------------------------------------------

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Series with their days, as the index should know them.
#[derive(Clone, Default)]
struct Model(BTreeMap<MetricName, (Tsid, BTreeSet<u64>)>);

impl Model {
    fn search(&self, filters: &[TagFilter], days: Option<(u64, u64)>) -> BTreeSet<MetricName> {
        let passes = |name: &MetricName| filters.iter().all(|filter| filter.matches(name.value(filter.key())));
        let is_there =
            |dates: &BTreeSet<u64>| days.is_none_or(|(first, last)| dates.range(first..=last).next().is_some());
        self.0
            .iter()
            .filter(|(name, (_, dates))| passes(name) && is_there(dates))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

const SELECTORS: [&str; 24] = [
    "up",
    "{__name__!=\"\"}",
    "{__name__=\"\"}",
    "{job=\"j1\"}",
    "{job!=\"j1\"}",
    "{job=\"\"}",
    "{job=~\"j1|j2\",zone!~\"z.*\"}",
    "up{job=\"j1\"}",
    "up{job=\"j1\",instance=~\"i.*[02468]\"}",
    "up{job!=\"j1\"}",
    "up{zone=\"\"}",
    "up{zone!=\"\",job=~\"j.+\"}",
    "{__name__=~\"up|a.b\",instance!~\".*5\"}",
    "{__name__=~\"a.*\"}",
    "a.b{zone=~\"|z1\"}",
    "{zone=~\"|z1\"}",
    "{zone!~\"|z1\"}",
    "{instance=~\"i1.*\"}",
    "{odd=\"a\\x01b\\x00\"}",
    "{odd=~\"a.+\"}",
    "up{nothing=\"x\"}",
    "{instance=~\"(i1|i2).\",job=\"j0\"}",
    "{__name__=\"up\",__name__=\"a.b\"}",
    "{job=\"j0\",zone!=\"z0\",instance!=\"i3\"}",
];

fn some_name(random: &mut Random) -> MetricName {
    let mut labels = vec![("__name__", ["up", "a.b", "", "down_total"][random.below(4) as usize].to_owned())];
    labels.push(("instance", format!("i{}", random.below(40))));
    if random.below(5) > 0 {
        labels.push(("job", format!("j{}", random.below(4))));
    }
    if random.below(2) > 0 {
        labels.push(("zone", format!("z{}", random.below(3))));
    }
    if random.below(20) == 0 {
        labels.push(("odd", "a\u{1}b\0".to_owned()));
    }
    MetricName::from_labels(labels.iter().map(|(key, value)| (*key, value)))
}

/// Registers some series and days, as ingestion would.
async fn ingest(index: &Index, model: &mut Model, random: &mut Random, rows: u64) -> Result<()> {
    let today = (NOW / DAY_MS) as u64;
    for _ in 0..rows {
        let name = some_name(random);
        let date = today - random.below(60);
        let tsid = match index.tsid_by_name(&name).await? {
            Some(tsid) => tsid,
            None => index.register_series(&name)?,
        };
        let (known, dates) = model.0.entry(name.clone()).or_insert((tsid, BTreeSet::new()));
        assert_eq!(*known, tsid, "a series has two TSIDs");
        if dates.insert(date) {
            index.register_date(date, tsid.metric_id, &name);
        }
    }
    Ok(())
}

fn check(machine: &mut Machine, index: &Rc<Index>, model: &Model) {
    let today = (NOW / DAY_MS) as u64;
    let ms = |date: u64| date as i64 * DAY_MS;
    let ranges = [None, Some((today, today)), Some((today - 50, today - 20)), Some((today - 3, today + 9))];
    for selector in SELECTORS {
        for days in ranges {
            let range = days.map_or(TimeRange::ALL, |(first, last)| TimeRange { min: ms(first), max: ms(last) + 5 });
            let found = series_of(machine, index, selector, range).unwrap();
            assert_eq!(found, model.search(&filters(selector), days), "{selector} {days:?}");
        }
    }
    let dates = model.0.values().filter(|(_, dates)| dates.contains(&today)).map(|(tsid, _)| tsid.metric_id).collect();
    let model = model.clone();
    with(machine, index, async move |index| {
        assert_eq!(index.metric_ids_of_date(today).await.unwrap(), dates);
        for days in ranges {
            let range = days.map_or(TimeRange::ALL, |(first, last)| TimeRange { min: ms(first), max: ms(last) });
            for selector in ["{__name__=~\".*\",job=~\".*\"}", "{job=\"j1\"}"] {
                let mut filters = filters(selector);
                filters.retain(|filter| filter.values().is_some());
                let names = model.search(&filters, days);
                let keys: BTreeSet<&[u8]> = names.iter().flat_map(|name| name.labels()).map(|label| label.0).collect();
                let found = index.label_names(std::slice::from_ref(&filters), range, ALL).await.unwrap();
                assert!(found.iter().eq(keys.iter()), "{selector} {days:?}");
                for key in ["__name__", "zone", "odd", "none"] {
                    let values: BTreeSet<&[u8]> = names.iter().map(|name| name.value(key.as_bytes())).collect();
                    let found =
                        index.label_values(key.as_bytes(), std::slice::from_ref(&filters), range, ALL).await.unwrap();
                    assert!(found.iter().eq(values.into_iter().filter(|value| !value.is_empty())), "{key}");
                }
            }
        }
    });
}

/// Registers in rounds with time passing between them, and checks.
fn run_model(machine: &mut Machine, seed: u64, rounds: u64) -> (Rc<Index>, Model) {
    let index = open(machine);
    index.start_jobs();
    let mut model = Model::default();
    for round in 0..rounds {
        let mut random = Random(seed * 1000 + round);
        model = with(machine, &index, async move |index| {
            ingest(&index, &mut model, &mut random, 60).await.unwrap();
            model
        });
        machine.tick(if round % 3 == 0 { 100 } else { 2500 });
    }
    with(machine, &index, async move |index| index.flush().await).unwrap();
    check(machine, &index, &model);
    (index, model)
}

#[test]
fn searches_find_what_the_model_finds() {
    let mut machine = Machine::new(MemoryFileSystem::new(), NOW);
    let (index, model) = run_model(&mut machine, 1, 40);
    let limited = with(&mut machine, &index, async move |index| {
        index.search_tsids(&filters("{__name__!=\"\"}"), TimeRange::ALL, 3).await
    });
    assert_eq!(limited.unwrap_err().kind(), ErrorKind::Limit);
    // Merges leave few parts, and the janitor nothing of their sources.
    machine.tick(120_000);
    let state = index.state();
    assert!(state.tables[0].table.parts.len() < 15, "{state:?}");
    assert_eq!(state.series, Some(model.0.len() as u64));
    let generation = format!("indexdb/{}", state.tables[0].table.name);
    let mut names = machine.names(&generation).unwrap();
    names.retain(|name| name != "converted-to-v1.28.0");
    let mut parts: Vec<String> = state.tables[0].table.parts.iter().map(|part| part.name.clone()).collect();
    parts.sort();
    assert_eq!(names, parts);
    check(&mut machine, &index, &model);
}

#[test]
fn neither_budget_nor_cache_nor_late_storage_change_an_answer() {
    let mut machine = Machine::new(MemoryFileSystem::new(), NOW);
    machine.budget = 1;
    machine.context.block_cache().set_budget_bytes(0);
    run_model(&mut machine, 2, 6);
    for seed in 0..3 {
        let mut machine = Machine::new(SimFileSystem::new(seed).with_delays(7), NOW);
        machine.context.block_cache().set_budget_bytes(seed * 100_000);
        run_model(&mut machine, 3, 6);
    }
}

#[test]
fn a_restart_finds_what_was_flushed() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (index, model) = run_model(&mut machine, 4, 8);
    with(&mut machine, &index, async move |index| index.shutdown().await).unwrap();
    let greatest = model.0.values().map(|(tsid, _)| tsid.metric_id).max().unwrap();
    let mut machine = Machine::new(disk.restarted(), NOW);
    let index = open(&mut machine);
    check(&mut machine, &index, &model);
    let tsid = index.register_series(&name_of(&[("__name__", "new")])).unwrap();
    assert!(tsid.metric_id > greatest);
}

// ---- crashes and failures ------------------------------------------------------------------------------------------

/// Rounds of registering, flushing and merging; the model holds what was flushed.
async fn workload(index: Rc<Index>, flushed: Rc<std::cell::RefCell<Model>>) -> Result<()> {
    let mut model = flushed.borrow().clone();
    for round in 0..5 {
        ingest(&index, &mut model, &mut Random(round), 12).await?;
        index.flush().await?;
        flushed.replace(model.clone());
    }
    Ok(())
}

/// All series of `flushed` are found with all their days, by name and by search.
fn check_flushed(machine: &mut Machine, index: &Rc<Index>, flushed: &Model) {
    let found = series_of(machine, index, "{instance!=\"\"}", TimeRange::ALL).unwrap();
    for (name, (tsid, dates)) in flushed.0.clone() {
        assert!(found.contains(&name));
        with(machine, index, async move |index| {
            assert_eq!(index.tsid_by_name(&name).await.unwrap(), Some(tsid));
            for date in dates {
                assert!(index.metric_ids_of_date(date).await.unwrap().contains(tsid.metric_id));
            }
        });
    }
}

#[test]
fn the_power_may_go_at_every_operation() {
    let mut crash_at = 0;
    loop {
        let disk = SimFileSystem::new(crash_at);
        disk.crash_at(crash_at);
        let flushed: Rc<std::cell::RefCell<Model>> = Rc::default();
        let mut machine = Machine::new(disk.clone(), NOW);
        let done = Rc::new(std::cell::Cell::new(false));
        let (context, model, is_done) = (machine.context.clone(), flushed.clone(), done.clone());
        machine.context.spawn(Lane::Query, async move {
            let Ok(index) = Index::open(&context, options()).await else { return };
            index.start_jobs();
            let _ = workload(index, model).await;
            context.sleep_until(NOW + 40_000).await;
            is_done.set(true);
        });
        for _ in 0..60 {
            if disk.has_crashed() {
                break;
            }
            machine.tick(1000);
        }
        drop(machine);
        // And once more while it recovers.
        let again = disk.restarted();
        again.crash_at(crash_at % 7);
        let mut machine = Machine::new(again.clone(), NOW);
        let context = machine.context.clone();
        machine.context.spawn(Lane::Query, async move {
            let _ = Index::open(&context, options()).await;
        });
        machine.tick(10);
        let mut machine = Machine::new(again.restarted(), NOW);
        let index = open(&mut machine);
        check_flushed(&mut machine, &index, &flushed.borrow());
        // It goes on working.
        let model = flushed.clone();
        with(&mut machine, &index, async move |index| workload(index, model).await).unwrap();
        check_flushed(&mut machine, &index, &flushed.borrow());
        if done.get() {
            break;
        }
        crash_at += 1;
    }
    assert!(crash_at > 60, "only {crash_at} operations were cut short");
}

#[test]
fn a_failing_disk_loses_nothing() {
    for fail_at in 0.. {
        let disk = SimFileSystem::new(7);
        let mut machine = Machine::new(disk.clone(), NOW);
        let index = open(&mut machine);
        index.start_jobs();
        disk.fail_with(ErrorKind::Quota);
        let failing = disk.operations() + fail_at;
        disk.fail_at(failing);
        let flushed: Rc<std::cell::RefCell<Model>> = Rc::default();
        let model = flushed.clone();
        let mut work = with(&mut machine, &index, async move |index| workload(index, model).await);
        if work.is_err() {
            let model = flushed.clone();
            work = with(&mut machine, &index, async move |index| workload(index, model).await);
        }
        work.unwrap();
        machine.tick(100_000);
        if disk.operations() <= failing {
            assert!(fail_at > 60, "only {fail_at} operations failed");
            break;
        }
        check_flushed(&mut machine, &index, &flushed.borrow());
        with(&mut machine, &index, async move |index| index.shutdown().await).unwrap();
        let mut machine = Machine::new(disk.restarted(), NOW);
        let index = open(&mut machine);
        check_flushed(&mut machine, &index, &flushed.borrow());
    }
}

// ---- deletion, snapshots, generations ------------------------------------------------------------------------------

#[test]
fn deleted_series_are_gone_for_good() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (index, mut model) = run_model(&mut machine, 5, 4);
    let gone: Vec<MetricName> = model.search(&filters("{job=\"j1\"}"), None).into_iter().collect();
    let ids: Vec<u64> = gone.iter().map(|name| model.0[name].0.metric_id).collect();
    let generation = index.generation();
    with(&mut machine, &index, async move |index| index.delete_series(&ids).await).unwrap();
    assert_ne!(index.generation(), generation);
    gone.iter().for_each(|name| drop(model.0.remove(name)));
    let mut machine = Machine::new(disk.restarted(), NOW);
    let index = open(&mut machine);
    let found = series_of(&mut machine, &index, "{instance!=\"\"}", TimeRange::ALL).unwrap();
    assert!(found.iter().eq(model.0.keys()));
    let name = gone[0].clone();
    with(&mut machine, &index, async move |index| {
        assert_eq!(index.tsid_by_name(&name).await.unwrap(), None);
        let tsid = index.register_series(&name).unwrap();
        index.flush().await.unwrap();
        assert_eq!(index.tsid_by_name(&name).await.unwrap(), Some(tsid));
        let values = index.label_values(b"job", &[Vec::new()], TimeRange::ALL, ALL).await.unwrap();
        assert!(values.contains(&b"j1".to_vec()));
    });
}

#[test]
fn a_snapshot_is_an_index_that_copies_nothing() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (index, model) = run_model(&mut machine, 6, 4);
    let before = machine.context.file_system_stats();
    let context = machine.context.clone();
    with(&mut machine, &index, async move |index| {
        let snapshot = index.snapshot_changes("20240309160000-17BB").await.unwrap();
        assert!(snapshot.bytes > 0 && snapshot.parts > 0);
        context.commit(snapshot.changes.clone()).await.unwrap();
    });
    let after = machine.context.file_system_stats();
    assert_eq!((before.stored_bytes, before.written_bytes), (after.stored_bytes, after.written_bytes));
    // What happens later is not in it.
    with(&mut machine, &index, async move |index| {
        ingest(&index, &mut Model::default(), &mut Random(99), 200).await.unwrap();
        index.flush().await.unwrap();
    });
    machine.tick(100_000);
    let files = disk.after_crash();
    let mut copy = MemoryFileSystem::new();
    for path in files.paths() {
        if let Some(rest) = path.strip_prefix("indexdb/snapshots/20240309160000-17BB/") {
            copy.put(&format!("indexdb/{rest}"), files.file(path).unwrap()).unwrap();
        }
    }
    let mut machine = Machine::new(copy, NOW);
    let index = open(&mut machine);
    check(&mut machine, &index, &model);
}

#[test]
fn series_survive_one_rotation_and_keep_their_ids() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (index, model) = run_model(&mut machine, 7, 4);
    let state = index.state();
    with(&mut machine, &index, async move |index| index.rotate().await).unwrap();
    assert_eq!(index.state().tables[1].table.name, state.tables[0].table.name);
    let found = series_of(&mut machine, &index, "{instance!=\"\"}", TimeRange::ALL).unwrap();
    assert!(found.iter().eq(model.0.keys()));
    let (kept, (tsid, _)) = model.0.first_key_value().map(|(name, known)| (name.clone(), known.clone())).unwrap();
    let again = kept.clone();
    with(&mut machine, &index, async move |index| {
        // Nothing is known of today until the series are met again.
        assert!(index.metric_ids_of_date((NOW / DAY_MS) as u64).await.unwrap().is_empty());
        assert_eq!(index.tsid_by_name(&again).await.unwrap(), Some(tsid));
        assert_eq!(index.tsid_by_name(&again).await.unwrap(), Some(tsid));
        index.register_date((NOW / DAY_MS) as u64, tsid.metric_id, &again);
        index.flush().await.unwrap();
        index.rotate().await.unwrap();
    });
    machine.tick(5000);
    let found = series_of(&mut machine, &index, "{instance!=\"\"}", TimeRange::ALL).unwrap();
    assert!(found.iter().eq([&kept]));
    // The dropped generations' files are gone.
    let names = machine.names("indexdb").unwrap();
    let state = index.state();
    assert_eq!(names, [state.tables[1].table.name.clone(), state.tables[0].table.name.clone()]);
    let mut machine = Machine::new(disk.restarted(), NOW);
    let index = open(&mut machine);
    assert!(series_of(&mut machine, &index, "{instance!=\"\"}", TimeRange::ALL).unwrap().iter().eq([&kept]));
}

#[test]
fn what_a_search_reads_outlives_a_merge_and_the_end_of_its_generation() {
    // Found by the simulation: parts that a merge had replaced were held back as long as a search read them, but the directory
    // of the whole generation was not, so that the search missed its files.
    for is_merging in [false, true] {
        let mut machine = Machine::new(SimFileSystem::new(1).with_delays(50), NOW);
        let remover = Rc::new(Remover::default());
        let (context, dir) = (machine.context.clone(), FilePath::new("indexdb/0000000000000001").unwrap());
        let opening = {
            let (context, remover) = (context.clone(), remover.clone());
            let options = TableOptions { prepare: pack_tag_rows, first_suffix: 1 };
            async move { Table::open(&context, dir, options, remover).await.unwrap() }
        };
        let table = machine.run(opening);
        for item in ["a", "b", "c", "d"] {
            table.add_items(|add| add(item.as_bytes())).unwrap();
            let table = table.clone();
            machine.run(async move { table.flush().await }).unwrap();
        }
        context.block_cache().set_budget_bytes(0);
        let mut search = table.search();
        table.start_jobs();
        if is_merging {
            // The next merge is due, has begun, and is not over when the table is retired.
            while !table.is_merging() {
                machine.tick(1);
                assert!(machine.now < NOW + 100_000, "nothing is merged");
            }
        } else {
            machine.tick(40_000);
            assert_eq!(table.parts().len(), 1);
        }
        let found = machine.run(async move {
            table.retire().await;
            remover.remove_all_unread(&context).await.unwrap();
            search.seek(b"").await?;
            let mut found = Vec::new();
            while let Some(item) = search.item() {
                found.push(String::from_utf8_lossy(item).into_owned());
                search.next().await?;
            }
            drop(search);
            remover.remove_all_unread(&context).await?;
            Ok::<_, sandglass::error::Error>(found)
        });
        assert_eq!(found.unwrap(), ["a", "b", "c", "d"]);
        assert!(machine.names("indexdb").unwrap().is_empty(), "files of a retired table are left");
    }
}

#[test]
fn a_snapshot_counts_what_it_links_alone() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (context, dir) = (machine.context.clone(), FilePath::new("indexdb/0000000000000001").unwrap());
    let options = TableOptions { prepare: pack_tag_rows, first_suffix: 1 };
    let opening = async move { Table::open(&context, dir, options, Rc::default()).await.unwrap() };
    let table = machine.run(opening);
    for (item, has_room) in [("a", true), ("b", false)] {
        table.add_items(|add| add(item.as_bytes())).unwrap();
        disk.set_quota_bytes((!has_room).then(|| disk.stats().stored_bytes));
        let flushed = table.clone();
        assert_eq!(machine.run(async move { flushed.flush().await }).is_ok(), has_room);
    }
    assert_eq!(table.parts().len(), 2, "what was refused is in memory");
    let (changes, parts) = table.snapshot_changes(&FilePath::new("indexdb/snapshots/s").unwrap());
    assert_eq!((changes.len(), parts.len()), (1, 1));
    assert!(!parts[0].is_in_memory());
}

#[test]
fn series_that_come_during_a_rotation_are_taken_over() {
    // Found by the simulation: a name that waits for a flush was answered, whatever the table it waits in. The series stayed
    // in the previous generation and was gone with it.
    for seed in 0..10 {
        let mut machine = Machine::new(SimFileSystem::new(seed).with_delays(50), NOW);
        let index = open(&mut machine);
        let name = name_of(&[("__name__", "late"), ("instance", "1")]);
        let (again, context) = (name.clone(), machine.context.clone());
        let today = (NOW / DAY_MS) as u64;
        with(&mut machine, &index, async move |index| {
            let before = index.generation();
            let rotating = index.clone();
            context.spawn(Lane::Janitor, async move { rotating.rotate().await.unwrap() });
            context.sleep_until(context.now() + 1).await;
            let tsid = index.register_series(&again).unwrap();
            while index.generation() == before {
                context.sleep_until(context.now() + 1).await;
            }
            assert_eq!(index.tsid_by_name(&again).await.unwrap(), Some(tsid));
            index.register_date(today, tsid.metric_id, &again);
            index.flush().await.unwrap();
            index.rotate().await.unwrap();
        });
        let day = TimeRange { min: NOW, max: NOW };
        assert!(series_of(&mut machine, &index, "late", day).unwrap().iter().eq([&name]), "seed {seed}");
    }
}

#[test]
fn a_rotation_that_failed_halfway_pushes_no_generation_out() {
    // Found by the simulation: the generation that had been stored stayed beside the one of the next attempt, and a start takes
    // the two newest.
    let mut failed = 0;
    for number in 0..12 {
        let disk = SimFileSystem::new(number);
        let mut machine = Machine::new(disk.clone(), NOW);
        let index = open(&mut machine);
        let name = name_of(&[("__name__", "kept"), ("instance", "1")]);
        let kept = name.clone();
        with(&mut machine, &index, async move |index| {
            let tsid = index.register_series(&kept).unwrap();
            index.register_date((NOW / DAY_MS) as u64, tsid.metric_id, &kept);
            index.flush().await.unwrap();
        });
        disk.fail_at(disk.operations() + number);
        let first = with(&mut machine, &index, async move |index| index.rotate().await);
        if first.is_err() {
            failed += 1;
            machine.tick(1_000);
            with(&mut machine, &index, async move |index| index.rotate().await).unwrap();
        }
        machine.tick(5_000);
        let mut machine = Machine::new(disk.restarted(), NOW);
        let index = open(&mut machine);
        let found = series_of(&mut machine, &index, "kept", TimeRange::ALL).unwrap();
        assert!(found.iter().eq([&name]), "operation {number} of the rotation failed");
    }
    assert!(failed > 1, "only {failed} rotations failed");
}

#[test]
fn rotation_comes_by_itself() {
    let mut machine = Machine::new(MemoryFileSystem::new(), NOW);
    let index = {
        let context = machine.context.clone();
        machine.run(async move { Index::open(&context, IndexOptions::new(DAY_MS, START_NANOS)).await }).unwrap()
    };
    index.start_jobs();
    let before = index.state();
    machine.tick(before.next_rotation - NOW - 1);
    assert_eq!(index.state().tables[0].table.name, before.tables[0].table.name);
    machine.tick(2);
    assert_eq!(index.state().tables[1].table.name, before.tables[0].table.name);
}

#[test]
fn pending_transactions_are_replayed_and_others_refused() {
    let disk = SimFileSystem::new(1);
    let mut machine = Machine::new(disk.clone(), NOW);
    let (index, model) = run_model(&mut machine, 8, 3);
    let state = index.state();
    let generation = state.tables[0].table.name.clone();
    let victim = state.tables[0].table.parts[0].name.clone();
    let dir = FilePath::new(&format!("indexdb/{generation}")).unwrap();
    let with_files = |text: String| {
        let mut files = disk.after_crash();
        // A copy of a part takes its place, as if a server had ended between writing the file and renaming.
        for file in ["items.bin", "lens.bin", "index.bin", "metaindex.bin", "metadata.json"] {
            let bytes = files.file(&format!("{dir}/{victim}/{file}")).unwrap();
            files.put(&format!("{dir}/tmp/00000000000000AB/{file}"), bytes).unwrap();
        }
        files.put(&format!("{dir}/txn/00000000000000AB"), text).unwrap();
        files.put(&format!("{dir}/txn/00000000000000AC.tmp.7"), "unfinished").unwrap();
        files
    };
    let (counts, _) = victim.rsplit_once('_').unwrap();
    let root = format!("/srv/data/indexdb/{generation}");
    let text = format!("{root}/{victim}\n{root}/tmp/00000000000000AB -> {root}/{counts}_00000000000000AB\n");
    let mut machine = Machine::new(with_files(text), NOW);
    let index = open(&mut machine);
    check(&mut machine, &index, &model);
    let names = machine.names(dir.as_str()).unwrap();
    assert!(names.contains(&format!("{counts}_00000000000000AB")) && !names.contains(&victim));
    assert!(!names.contains(&"tmp".to_owned()) && !names.contains(&"txn".to_owned()));
    for bad in ["", "x", "\n", "/etc/passwd\na -> b\n", "indexdb/0/x\n", "a -> b\n"] {
        let mut machine = Machine::new(with_files(bad.to_owned()), NOW);
        let context = machine.context.clone();
        let result = machine.run(async move { Index::open(&context, options()).await.map(drop) });
        assert!(result.is_err(), "{bad:?}");
    }
}

#[test]
fn unknown_directories_and_missing_files_are_told() {
    let files = snapshot_files("tiny");
    let part = files.paths().find(|path| path.ends_with("metadata.json")).unwrap().to_owned();
    let open_with = |change: Change| {
        let mut machine = Machine::new(files.clone(), NOW);
        let context = machine.context.clone();
        machine.run(async move {
            context.commit(vec![change]).await.unwrap();
            Index::open(&context, options()).await.map(drop)
        })
    };
    for file in ["metadata.json", "items.bin", "lens.bin", "index.bin", "metaindex.bin"] {
        let path = part.replace("metadata.json", file);
        let error = open_with(Change::Remove { path: FilePath::new(&path).unwrap() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(&path), "{error}");
    }
    let stranger = part.replace("/metadata.json", "x/y");
    let put = Change::Put { file: FilePath::new(&stranger).unwrap(), bytes: bytes::Bytes::from_static(b"z") };
    assert_eq!(open_with(put).unwrap_err().kind(), ErrorKind::Corrupt);
}
