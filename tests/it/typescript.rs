//! The package's TypeScript types and the engine's records are one and the same: this test writes every shape that the engine
//! serialises into a TypeScript file that must satisfy the types, and the compiler that builds the package checks it.
//!
//! After a change of a record run `UPDATE_SHAPES=1 cargo test --test it typescript`, and let `www/src/api/` follow.

use crate::support::{EngineExt, SharedFiles, config, open};
use sandglass::engine::answer::{LeftOutRecord, RestoreRecord};
use sandglass::engine::{Answer, Command, IngestError, IngestResult, SnapshotFile};
use sandglass::error::ErrorKind;
use sandglass::trace::event::{DropReason, Event, MergeChoice, MergeReason, PartClass, StampedEvent};
use serde_json::Value;
use std::fs;
use std::path::Path;

const FILE: &str = "www/test/types/shapes.ts";

/// One event of each kind. The `match` makes the compiler ask for those that come anew.
fn events() -> Vec<Event> {
    let partition = || "2024_03".to_owned();
    let name = || "name".to_owned();
    let message = || "message".to_owned();
    let part = |class, merge| Event::PartCreated {
        part: 1,
        partition: partition(),
        class,
        name: name(),
        rows: 1,
        blocks: 1,
        bytes: 1,
        min_timestamp: 1,
        max_timestamp: 1,
        merge,
    };
    let choice = || MergeChoice {
        considered: vec![1],
        considered_bytes: vec![1],
        gain: 1.0,
        min_gain: 1.0,
        max_output_bytes: 1,
    };
    let merge = |reason| Event::MergeStarted {
        merge: 1,
        partition: partition(),
        reason,
        sources: vec![1],
        rows: 1,
        bytes: 1,
        output_class: PartClass::Small,
        choice: (reason == MergeReason::Background).then(choice),
    };
    let finished = |output| Event::MergeFinished {
        merge: 1,
        partition: partition(),
        output,
        rows_merged: 1,
        rows_deleted: 1,
        rows_deduplicated: 1,
    };
    let events = vec![
        Event::RowsAdded { partition: partition(), shard: 1, rows: 1, pending_rows: 1 },
        Event::RawRowsFlushed { partition: partition(), rows: 1, parts: vec![1] },
        part(PartClass::InMemory, None),
        part(PartClass::Small, Some(1)),
        part(PartClass::Big, Some(1)),
        merge(MergeReason::Flush),
        merge(MergeReason::Background),
        merge(MergeReason::Assisted),
        merge(MergeReason::Forced),
        merge(MergeReason::Deduplication),
        Event::MergeProgressed { merge: 1, partition: partition(), rows_done: 1, rows_total: 1 },
        finished(Some(1)),
        finished(None),
        Event::MergeAborted { merge: 1, partition: partition(), message: message() },
        Event::PartRetired { part: 1, partition: partition() },
        Event::PartRemoved { part: 1, partition: partition() },
        Event::PartitionCreated { partition: partition() },
        Event::PartitionDropped { partition: partition() },
        Event::SeriesRegistered { series: 1 },
        Event::IndexFlushed { table: name(), items: 1, part: name() },
        Event::IndexMerged { table: name(), sources: vec![name()], part: name(), items: 1 },
        Event::IndexRotated { current: name(), previous: name(), dropped: name() },
        Event::SnapshotStarted { name: name() },
        Event::SnapshotCreated { name: name(), parts: 1, files: 1, linked_bytes: 1 },
        Event::SnapshotDeleted { name: name() },
        Event::MergePutOff { partition: partition(), sources: vec![1], needed_bytes: 1, room_bytes: 1 },
        Event::IndexMergePutOff { table: name(), sources: vec![name()], needed_bytes: 1, room_bytes: 1 },
        Event::Degraded { code: ErrorKind::Quota.code(), message: message() },
        Event::SamplesDropped { reason: DropReason::TooOld, samples: 1, message: message() },
        Event::SamplesDropped { reason: DropReason::TooNew, samples: 1, message: message() },
        Event::SamplesDropped { reason: DropReason::NotANumber, samples: 1, message: message() },
        Event::LabelsCut { labels: 1, message: message() },
        Event::LabelsNotUtf8 { series: 1, message: message() },
        Event::RetentionShortened { before_ms: 1, after_ms: 1, partitions: vec![partition()], message: message() },
        Event::Restored { code: ErrorKind::Storage.code() },
    ];
    for event in &events {
        match event {
            Event::RowsAdded { .. }
            | Event::RawRowsFlushed { .. }
            | Event::PartCreated { .. }
            | Event::MergeStarted { .. }
            | Event::MergeProgressed { .. }
            | Event::MergeFinished { .. }
            | Event::MergeAborted { .. }
            | Event::PartRetired { .. }
            | Event::PartRemoved { .. }
            | Event::PartitionCreated { .. }
            | Event::PartitionDropped { .. }
            | Event::SeriesRegistered { .. }
            | Event::IndexFlushed { .. }
            | Event::IndexMerged { .. }
            | Event::IndexRotated { .. }
            | Event::SnapshotStarted { .. }
            | Event::SnapshotCreated { .. }
            | Event::SnapshotDeleted { .. }
            | Event::MergePutOff { .. }
            | Event::IndexMergePutOff { .. }
            | Event::Degraded { .. }
            | Event::SamplesDropped { .. }
            | Event::LabelsCut { .. }
            | Event::LabelsNotUtf8 { .. }
            | Event::RetentionShortened { .. }
            | Event::Restored { .. } => {}
        }
    }
    events
}

/// States of an engine that has something of everything: waiting rows, parts of two classes, a merge under way, a snapshot.
fn states() -> Vec<Value> {
    let mut engine = open(SharedFiles::default(), config()).unwrap();
    let start = config().start_time;
    let mut found = Vec::new();
    for round in 0..3 {
        let timestamps: Vec<i64> = (0..30_000).map(|i| start - 40_000_000 + i * 1000 + round).collect();
        let values: Vec<f64> = (0..30_000).map(|i| f64::from(i % 97)).collect();
        engine.put(&[("__name__", "up")], &timestamps, &values).unwrap();
        found.push(serde_json::to_value(engine.inspect()).unwrap());
        engine.flush().unwrap();
        engine.advance(7_000).unwrap();
    }
    engine.ask(Command::SnapshotCreate).unwrap();
    let merged = engine.send(Command::ForceMerge { partition_prefix: String::new() });
    let answer = loop {
        engine.pump(start, 1);
        found.push(serde_json::to_value(engine.inspect()).unwrap());
        if let Some(answer) = engine.take(merged) {
            break answer;
        }
    };
    assert!(matches!(answer, Ok(Answer::Done)));
    // And of one that is full.
    engine.set_room_bytes(Some(0), 1 << 40);
    engine.put(&[("__name__", "down")], &[start], &[0.0]).unwrap();
    assert!(engine.ask(Command::Sync).is_err());
    found.push(serde_json::to_value(engine.inspect()).unwrap());
    found
}

/// A part, blocks of all courses, and a block of the index.
fn inspected() -> (Value, Vec<Value>, Value) {
    let mut engine = open(SharedFiles::default(), config()).unwrap();
    let start = config().start_time;
    let timestamps: Vec<i64> = (0..60).map(|i| start + i * i).collect();
    let courses: [fn(usize) -> f64; 6] = [
        |_| 5.0,
        |i| i as f64,
        |i| -(i as f64) * (i % 3) as f64,
        |i| 10.0 + (i % 7) as f64,
        |i| if i % 2 == 0 { 1000.0 } else { 1.0 },
        |i| (i * i) as f64,
    ];
    for (at, course) in courses.iter().enumerate() {
        let values: Vec<f64> = (0..60).map(course).collect();
        engine.put(&[("__name__", "up"), ("course", &at.to_string())], &timestamps, &values).unwrap();
    }
    engine.flush().unwrap();
    let part = engine.inspect().partitions[0].parts[0].id;
    let Answer::Part(record) = engine.ask(Command::InspectPart { part, from: 0, count: 100 }).unwrap() else {
        panic!()
    };
    assert_eq!((record.headers.len(), record.blocks), (6, 6));
    let found = (0..6).map(|block| {
        let Answer::Block(details, record) = engine.ask(Command::InspectBlock { part, block }).unwrap() else {
            panic!()
        };
        assert_eq!(details.values.len(), 60);
        serde_json::to_value(record).unwrap()
    });
    let blocks: Vec<Value> = found.collect();
    let missing = engine.ask(Command::InspectBlock { part, block: 6 }).unwrap_err();
    assert_eq!(missing.kind(), sandglass::error::ErrorKind::NotFound);
    let missing = engine.ask(Command::InspectPart { part: part + 100, from: 0, count: 1 }).unwrap_err();
    assert_eq!(missing.kind(), sandglass::error::ErrorKind::NotFound);
    let index = |part, block| Command::InspectIndexBlock { table: 0, part, block };
    let Answer::IndexBlock(items) = engine.ask(index(0, 0)).unwrap() else { panic!() };
    assert!(items.items.is_sorted() && items.items.iter().any(|item| item.starts_with("00")));
    for missing in [index(0, 1), index(9, 0)] {
        assert_eq!(engine.ask(missing).unwrap_err().kind(), sandglass::error::ErrorKind::NotFound);
    }
    (serde_json::to_value(record).unwrap(), blocks, serde_json::to_value(items).unwrap())
}

/// Texts behind these keys are one of a few words; all others may be anything.
const WORDS: &[&str] =
    &["type", "class", "outputClass", "reason", "state", "role", "lane", "clock", "dialect", "kind", "code"];

/// What a value looks like: numbers and free texts are alike, and so are the elements of an array that look alike.
fn shape(key: &str, value: &Value) -> Value {
    match value {
        Value::Number(_) => 1.into(),
        Value::Bool(_) => true.into(),
        Value::String(_) if !WORDS.contains(&key) => "text".into(),
        Value::Array(items) => {
            let mut shapes: Vec<Value> = Vec::new();
            for item in items {
                let item = shape(key, item);
                if !shapes.contains(&item) {
                    shapes.push(item);
                }
            }
            Value::Array(shapes)
        }
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), shape(name, field))).collect(),
        other => other.clone(),
    }
}

fn shapes(values: impl IntoIterator<Item = Value>) -> String {
    let all = shape("", &Value::Array(values.into_iter().collect()));
    serde_json::to_string_pretty(&all).unwrap()
}

#[test]
fn the_types_of_the_package_are_those_of_the_engine() {
    let stamped = |event| serde_json::to_value(StampedEvent { sequence: 1, time: 1, event }).unwrap();
    let error = |line| IngestError { line, message: "text".into() };
    let ingested = IngestResult { series: 1, samples: 1, rejected: 1, errors: vec![error(Some(1)), error(None)] };
    let (part, blocks, index_block) = inspected();
    let file = |content| SnapshotFile { path: "a".into(), source: "b".into(), size_bytes: 1, content };
    let files = [file(None), file(Some("c".into()))];
    let left_out = vec![LeftOutRecord { path: "a".into(), message: "b".into() }];
    let restored = RestoreRecord { format: "a".into(), parts: 1, series: 1, samples: 1, left_out };
    let text = format!(
        "// Every shape that the engine serialises, written by tests/it/typescript.rs: change it there.\n\
         import type {{ BlockRecord, SnapshotFile }} from \"../../src/port/requests.js\";\n\
         import type {{ EngineEvent }} from \"../../src/api/events.js\";\n\
         import type {{ RestoreResult }} from \"../../src/api/snapshots.js\";\n\
         import type {{ IndexBlockOfEngine, IngestedByEngine, PartOfEngine, StateOfEngine }} from \"./check.js\";\n\n\
         export const events = {} satisfies EngineEvent[];\n\n\
         export const states = {} satisfies StateOfEngine[];\n\n\
         export const ingested = {} satisfies IngestedByEngine[];\n\n\
         export const files = {} satisfies SnapshotFile[];\n\n\
         export const parts = {} satisfies PartOfEngine[];\n\n\
         export const blocks = {} satisfies BlockRecord[];\n\n\
         export const indexBlocks = {} satisfies IndexBlockOfEngine[];\n\n\
         export const restored = {} satisfies RestoreResult[];\n",
        shapes(events().into_iter().map(stamped)),
        shapes(states()),
        shapes([serde_json::to_value(ingested).unwrap()]),
        shapes(files.map(|file| serde_json::to_value(file).unwrap())),
        shapes([part]),
        shapes(blocks),
        shapes([index_block]),
        shapes([serde_json::to_value(restored).unwrap()]),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_SHAPES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{FILE} is out of date: run UPDATE_SHAPES=1 cargo test --test it typescript, and let www/src/api/ follow"
    );
}

#[test]
fn the_package_knows_every_code_of_the_engine() {
    let kinds = [
        ErrorKind::Locked,
        ErrorKind::Quota,
        ErrorKind::Corrupt,
        ErrorKind::Unsupported,
        ErrorKind::Invalid,
        ErrorKind::Closed,
        ErrorKind::Storage,
        ErrorKind::NotFound,
        ErrorKind::Aborted,
        ErrorKind::Limit,
        ErrorKind::Internal,
    ];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/src/api/errors.ts");
    let text = fs::read_to_string(path).unwrap();
    let (_, union) = text.split_once("export type ErrorCode =").unwrap();
    let (union, _) = union.split_once(';').unwrap();
    let mut known: Vec<&str> = union.split('|').map(|code| code.trim().trim_matches('"')).collect();
    // The package's own, of calls that went to an engine which has gone, and of servers that samples are pushed to.
    known.retain(|code| !["", "interrupted", "refused", "unreachable"].contains(code));
    known.sort_unstable();
    let mut codes = kinds.map(ErrorKind::code);
    codes.sort_unstable();
    assert_eq!(known, codes);
}
