//! The engine against a sorted list: whatever is appended, flushed, merged, reopened or waited for, what was put in comes out.

use crate::support::{EngineExt, Random, START, SharedFiles, config, open_observed, watch};
use sandglass::engine::{Command, Config, Engine};
use sandglass::time::{DAY_MS, HOUR_MS};
use std::collections::BTreeMap;

/// Labels to samples as (timestamp, value bits), sorted; equal ones stay.
type Model = BTreeMap<Vec<(String, String)>, Vec<(i64, u64)>>;

fn labels(series: u64) -> Vec<(String, String)> {
    let mut labels =
        vec![("__name__".to_owned(), format!("metric_{}", series % 7)), ("series".to_owned(), series.to_string())];
    if series.is_multiple_of(3) {
        labels.push(("odd \"label\"\\\u{1}\u{0}".to_owned(), "täg=,{}\n\u{2}".to_owned()));
    }
    labels.sort();
    labels
}

/// Two decimals and seven digits: values that survive any common exponent exactly.
fn value(random: &mut Random) -> f64 {
    (random.below(20_000_001) as f64 - 10_000_000.0) / 100.0
}

fn contents(engine: &mut Engine) -> Model {
    let mut model = Model::new();
    for series in engine.all("{series!=\"\"}").unwrap() {
        assert!(series.timestamps.is_sorted(), "{:?}", series.labels);
        let mut samples: Vec<(i64, u64)> = series
            .timestamps
            .iter()
            .zip(&series.values)
            .map(|(timestamp, value)| (*timestamp, value.to_bits()))
            .collect();
        samples.sort_unstable();
        model.insert(series.labels, samples);
    }
    model
}

fn put(engine: &mut Engine, model: &mut Model, series: u64, timestamps: &[i64], values: &[f64]) {
    let labels = labels(series);
    let text: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    engine.put(&text, timestamps, values).unwrap();
    let samples = model.entry(labels).or_default();
    samples.extend(timestamps.iter().zip(values).map(|(timestamp, value)| (*timestamp, value.to_bits())));
}

fn run(seed: u64, config: &Config) {
    let files = SharedFiles::default();
    let (mut engine, mut lifecycle) = open_observed(files.clone(), config.clone()).unwrap();
    let mut random = Random::new(seed);
    let mut model = Model::new();
    for step in 0..120 {
        match random.below(100) {
            0..45 => {
                // One series, now and then out of order, now and then months back.
                let back = if random.chance(10) { random.below(100) as i64 * DAY_MS } else { 0 };
                let start = engine.now() - back - random.below(10) as i64 * HOUR_MS;
                let count = if random.chance(5) { 9_000 } else { random.below(300) };
                let step_ms = 1 + random.below(30_000) as i64;
                let mut timestamps: Vec<i64> =
                    (0..count as i64).map(|i| start + i * step_ms).filter(|t| *t < START + 30 * DAY_MS).collect();
                if random.chance(20) {
                    timestamps.reverse();
                }
                timestamps.retain(|timestamp| *timestamp < engine.now() + DAY_MS);
                let values: Vec<f64> = timestamps.iter().map(|_| value(&mut random)).collect();
                let series = random.below(40);
                put(&mut engine, &mut model, series, &timestamps, &values);
            }
            45..60 => {
                let timestamp = engine.now() - random.below(60_000) as i64;
                for series in 0..random.below(40) {
                    put(&mut engine, &mut model, series, &[timestamp], &[value(&mut random)]);
                }
            }
            60..70 => engine.advance(random.below(20_000) as i64).unwrap(),
            70..73 => engine.advance(random.below(3) as i64 * DAY_MS / 2).unwrap(),
            73..78 => drop(engine.ask(Command::Sync).unwrap()),
            78..82 => drop(engine.ask(Command::ForceMerge { partition_prefix: String::new() }).unwrap()),
            82..86 => drop(engine.ask(Command::SnapshotCreate).unwrap()),
            86..90 => {
                engine.ask(Command::Close).unwrap();
                let start_time = engine.now();
                watch(&mut engine, &mut lifecycle);
                (engine, lifecycle) = open_observed(files.clone(), Config { start_time, ..config.clone() }).unwrap();
            }
            _ => {
                engine.flush().unwrap();
                let mut expected = model.clone();
                expected.retain(|_, samples| !samples.is_empty());
                expected.values_mut().for_each(|samples| samples.sort_unstable());
                let found = contents(&mut engine);
                assert_eq!(
                    found.keys().collect::<Vec<_>>(),
                    expected.keys().collect::<Vec<_>>(),
                    "seed {seed}, step {step}: series"
                );
                for (labels, samples) in &expected {
                    assert!(found[labels] == *samples, "seed {seed}, step {step}: {labels:?} has other samples");
                }
            }
        }
        watch(&mut engine, &mut lifecycle);
    }
}

#[test]
fn what_was_put_in_comes_out() {
    for seed in 0..12 {
        run(seed, &config());
    }
}

#[test]
fn no_cache_and_tiny_shards_change_no_answer() {
    for seed in 100..106 {
        run(seed, &Config { cache_bytes: 0, memory_bytes: 1 << 20, ..config() });
    }
}
