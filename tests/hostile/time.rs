//! A manual clock that is moved on by ages.

use crate::slices::cpu_ms;
use crate::support::{EngineExt, START, config, open};
use sandglass::engine::Config;
use sandglass::fs::MemoryFileSystem;
use sandglass::time::DAY_MS;

fn expect_quick(what: &str, work: impl FnOnce()) {
    let before = cpu_ms();
    work();
    let took = cpu_ms() - before;
    assert!(took < 3_000, "{what} took {took} ms");
}

#[test]
fn ages_without_a_sample_cost_what_falls_due_in_them() {
    for config in [config(), Config { retention_ms: 365 * DAY_MS, dedup_interval_ms: 60_000, ..config() }] {
        let mut engine = open(MemoryFileSystem::new(), config).unwrap();
        for ms in [1_000_000_000_000, 10_000_000_000_000] {
            expect_quick("a tick", || engine.advance(ms).unwrap());
        }
    }
}

#[test]
fn months_go_when_their_time_has_come_however_far_the_clock_is_moved() {
    let mut engine = open(MemoryFileSystem::new(), Config { retention_ms: 40 * DAY_MS, ..config() }).unwrap();
    engine.put(&[("__name__", "m")], &[START], &[1.0]).unwrap();
    engine.advance(10_000).unwrap();
    // The month ends three weeks later, and forty days behind that it is over.
    expect_quick("60 days", || engine.advance(60 * DAY_MS).unwrap());
    let partitions = |engine: &sandglass::engine::Engine| {
        serde_json::to_value(engine.inspect()).unwrap()["partitions"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(partitions(&engine), 1);
    expect_quick("two days more", || engine.advance(2 * DAY_MS).unwrap());
    assert_eq!(partitions(&engine), 0);
    expect_quick("a hundred years", || engine.advance(36_500 * DAY_MS).unwrap());
}
