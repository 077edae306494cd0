//! Series that come and go: what ingestion knows of them is bounded by bytes.

use crate::support::{EngineExt, START, config, open};
use sandglass::engine::{Answer, BodyFormat, Command, Config, Engine};
use sandglass::error::ErrorKind;
use sandglass::fs::MemoryFileSystem;

const ROUNDS: i64 = 20;
const SERIES_A_ROUND: i64 = 2_000;

fn small() -> Config {
    // 16 MB are given out by request, and a quarter of these to the series of texts.
    Config { memory_bytes: 64 << 20, ..config() }
}

fn handles(engine: &Engine) -> u64 {
    serde_json::to_value(engine.inspect()).unwrap()["series"]["handles"].as_u64().unwrap()
}

fn ingest(engine: &mut Engine, body: &str) -> u64 {
    let command = Command::Ingest {
        format: BodyFormat::Prometheus,
        body: body.as_bytes().to_vec().into(),
        timestamp: engine.now(),
        extra_labels: Vec::new(),
        first_line: 1,
        body_number: 1,
    };
    match engine.ask(command).unwrap() {
        Answer::Ingested(result) => {
            assert_eq!(result.rejected, 0, "{:?}", result.errors);
            result.samples
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_series_leave_memory_and_come_back_when_they_are_met_again() {
    let mut engine = open(MemoryFileSystem::new(), small()).unwrap();
    let kept = engine.series(&[("__name__", "kept")]).unwrap();
    let mut most = 0;
    for round in 0..ROUNDS {
        let mut body = String::new();
        for n in 0..SERIES_A_ROUND {
            let n = round * SERIES_A_ROUND + n;
            body.push_str(&format!(
                "churn{{pod=\"pod-{n}\",text=\"{:0>300}\"}} {n}\nalways{{n=\"{}\"}} {n}\n",
                n,
                n % 5
            ));
        }
        assert_eq!(ingest(&mut engine, &body), 2 * SERIES_A_ROUND as u64);
        let now = engine.now();
        if let Some(ticket) = engine.append(kept, &[now], &[round as f64]).unwrap() {
            engine.run(ticket).unwrap();
        }
        most = most.max(handles(&engine));
        engine.advance(60_000).unwrap();
    }
    assert!(most < (ROUNDS * SERIES_A_ROUND) as u64 / 2, "{most} series are known at once");
    engine.flush().unwrap();
    assert_eq!(engine.all("churn").unwrap().len(), (ROUNDS * SERIES_A_ROUND) as usize);
    let always = engine.all("always").unwrap();
    assert_eq!(always.len(), 5);
    let kept = engine.all("kept").unwrap();
    assert_eq!(kept[0].values, (0..ROUNDS).map(|round| round as f64).collect::<Vec<_>>());
    for series in &engine.all("churn{pod=~\"pod-(7|20000|39999)\"}").unwrap() {
        let number: f64 = series.labels.iter().find(|label| label.0 == "pod").unwrap().1[4..].parse().unwrap();
        assert_eq!(series.values, [number]);
    }
}

#[test]
fn handles_without_end_are_refused_before_the_memory_ends() {
    let mut engine = open(MemoryFileSystem::new(), small()).unwrap();
    let text = "x".repeat(16_000);
    let refused = (0..10_000).find_map(|n: u32| {
        engine.series(&[("__name__", "m"), ("n", &n.to_string()), ("text", &text)]).err().map(|error| (n, error))
    });
    let (count, error) = refused.expect("ten thousand names of 16 KB fit into 16 MB");
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(count > 300, "{count}");
    engine.put(&[("__name__", "m"), ("n", "0"), ("text", &text)], &[START], &[1.0]).unwrap();
}
