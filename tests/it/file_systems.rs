//! The file systems that run outside of a browser, held to the contract.

use crate::fs_contract::{self, Driver, Idle, path, publish, put, remove};
use bytes::Bytes;
use sandglass::error::ErrorKind;
use sandglass::fs::{FileSystem, MemoryFileSystem, Request, SimFileSystem};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Nothing has to happen before memory answers.
struct NoIdle;

impl Idle for NoIdle {
    async fn idle(&self) {}
}

/// Runs a future that never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits for something"),
    }
}

#[test]
fn memory_keeps_the_contract() {
    let mut driver = Driver::new(MemoryFileSystem::new());
    run(fs_contract::check(&mut driver, &NoIdle));
    run(fs_contract::check_left_behind(&mut driver, &NoIdle));
}

#[test]
fn a_slow_disk_keeps_the_contract() {
    for seed in 0..20 {
        let mut driver = Driver::new(SimFileSystem::new(seed).with_delays(seed % 5 * 7));
        run(fs_contract::check(&mut driver, &NoIdle));
        run(fs_contract::check_left_behind(&mut driver, &NoIdle));
        let mut driver = Driver::new(driver.files.restarted());
        run(fs_contract::check_left_behind(&mut driver, &NoIdle));
    }
}

#[test]
fn operations_overtake_each_other_as_the_seed_says() {
    let order = |seed| {
        let mut driver = Driver::new(SimFileSystem::new(seed).with_delays(10));
        for file in 0..8 {
            let file = path(&format!("tmp/{file}"));
            driver.submit(Request::Append { file: file.clone(), bytes: Bytes::from_static(b"x") });
            driver.submit(Request::Read { file, range: 0..1 });
        }
        let mut done = Vec::new();
        for now in 100..120 {
            driver.files.poll(now, &mut done);
        }
        assert_eq!(driver.files.next_completion(), None);
        assert!(done.iter().all(|completion| completion.result.is_ok()), "a read came before the append of its bytes");
        done.iter().map(|completion| completion.op.0).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert_ne!(order(1), (0..16).collect::<Vec<_>>());
}

/// Writes two parts, each with a file in several appends, and swaps the second for the first.
fn write_two_parts(driver: &mut Driver<SimFileSystem>) -> [bool; 2] {
    let mut acknowledged = [false; 2];
    for part in 0..2 {
        let dir = format!("tmp/{part}");
        let mut ops: Vec<_> = (0..3)
            .map(|at| {
                let file = path(&format!("{dir}/values"));
                driver.submit(Request::Append { file, bytes: fs_contract::pattern(1000, at + part).into() })
            })
            .collect();
        ops.push(driver.submit(Request::Append { file: path(&format!("{dir}/more")), bytes: vec![7; 999].into() }));
        let mut changes =
            vec![publish(&dir, &format!("data/{part}")), put("list", if part == 0 { b"0" } else { b"1" })];
        if part == 1 {
            changes.push(remove("data/0"));
        }
        ops.push(driver.submit(Request::Commit { changes }));
        let mut done = Vec::new();
        for now in 0..40 {
            driver.files.poll(now + 40 * i64::from(part), &mut done);
        }
        acknowledged[part as usize] = ops.iter().all(|op| done.iter().any(|d| d.op == *op && d.result.is_ok()));
        if !acknowledged[part as usize] {
            break;
        }
    }
    acknowledged
}

#[test]
fn a_crash_at_any_operation_leaves_whole_commits() {
    let mut torn = 0;
    let mut unacknowledged_but_there = 0;
    for seed in 0..40 {
        let good = SimFileSystem::new(seed).with_delays(seed % 3 * 4);
        write_two_parts(&mut Driver::new(good.clone()));
        for number in 0..=good.operations() {
            let disk = SimFileSystem::new(seed).with_delays(seed % 3 * 4);
            disk.crash_at(number);
            let acknowledged = write_two_parts(&mut Driver::new(disk.clone()));
            assert_eq!(disk.has_crashed(), number < good.operations());
            let survived = disk.after_crash();
            assert_eq!(survived.paths().collect::<Vec<_>>(), disk.after_crash().paths().collect::<Vec<_>>());
            let list = survived.file("list").map(|bytes| bytes[0] - b'0');
            let expected: &[Option<u8>] = match acknowledged {
                [false, _] => &[None, Some(0)],
                [true, false] => &[Some(0), Some(1)],
                [true, true] => &[Some(1)],
            };
            assert!(expected.contains(&list), "seed {seed}, crash at {number}: {list:?}");
            unacknowledged_but_there += u32::from(list == Some(0) && !acknowledged[0]);
            for part in 0..2 {
                let values = survived.file(&format!("data/{part}/values"));
                assert_eq!(values.is_some(), list == Some(part), "seed {seed}, crash at {number}");
                if let Some(values) = values {
                    let whole: Vec<u8> = (0..3).flat_map(|at| fs_contract::pattern(1000, at + part)).collect();
                    assert!(values == whole, "a published file lost bytes");
                    assert_eq!(survived.file(&format!("data/{part}/more")).map(|bytes| bytes.len()), Some(999));
                }
                let tmp = survived.file(&format!("tmp/{part}/values"));
                torn += u32::from(tmp.is_some_and(|bytes| bytes.len() % 1000 != 0));
            }
            // The disk is usable again.
            let mut driver = Driver::new(disk.restarted());
            run(driver.append("tmp/after", b"1", &NoIdle)).unwrap();
        }
    }
    assert!(torn > 10 && unacknowledged_but_there > 10, "{torn} torn, {unacknowledged_but_there} silent commits");
}

#[test]
fn a_failed_operation_changes_nothing() {
    let disk = SimFileSystem::new(3);
    disk.fail_at(1);
    disk.fail_with(ErrorKind::Quota);
    let mut driver = Driver::new(disk.clone());
    run(driver.append("tmp/f", b"ab", &NoIdle)).unwrap();
    assert_eq!(run(driver.append("tmp/f", b"cd", &NoIdle)).unwrap_err().kind(), ErrorKind::Quota);
    run(driver.commit(vec![publish("tmp/f", "f")], &NoIdle)).unwrap();
    assert_eq!(run(driver.list("", &NoIdle)), "f:2");
    assert_eq!(disk.operations(), 4);
}
