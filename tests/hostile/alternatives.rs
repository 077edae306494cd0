//! Selectors that are costly to match.

use crate::slices::{ask, cpu_ms, hosts, run_in_slices};
use crate::support::{EngineExt, config};
use sandglass::engine::{Answer, Command, Engine};
use sandglass::error::ErrorKind;
use sandglass::time::TimeRange;

fn count(engine: &mut Engine, selector: String) -> usize {
    let what: String = selector.chars().take(60).collect();
    match ask(engine, Command::Select { selector, range: TimeRange::ALL }, &what).unwrap() {
        Answer::Series(found) => found.len(),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn alternatives_of_plain_texts_are_a_set_however_many_they_are() {
    let mut engine = hosts(5_000, config());
    for alternatives in [3, 1_500, 5_000, 40_000] {
        let names: Vec<String> = (0..alternatives).map(|n| format!("host-{}:9100", n * 2)).collect();
        let wanted = alternatives.min(2_500);
        for (operator, wanted) in [("=~", wanted), ("!~", 5_000 - wanted)] {
            let before = cpu_ms();
            let found = count(&mut engine, format!("load{{instance{operator}\"{}\"}}", names.join("|")));
            assert_eq!(found, wanted, "{alternatives} alternatives of {operator}");
            let took = cpu_ms() - before;
            assert!(took < 1_500, "{alternatives} alternatives of {operator} took {took} ms");
        }
    }
}

#[test]
fn a_costly_expression_is_sliced_and_can_be_taken_back() {
    let mut engine = hosts(5_000, config());
    let costly = "load{instance=~\"((((((((((.?){20}){20}))))))))\"}";
    assert_eq!(count(&mut engine, costly.into()), 5_000);
    let ticket = engine.send(Command::Select { selector: costly.into(), range: TimeRange::ALL });
    engine.pump(engine.now(), 10_000);
    assert!(engine.take(ticket).is_none(), "it is no work at all");
    assert!(engine.cancel(ticket));
    let before = cpu_ms();
    let flushed = engine.send(Command::Flush);
    run_in_slices(&mut engine, flushed, "a flush behind it").unwrap();
    assert!(cpu_ms() - before < 200, "what was taken back goes on");
}

#[test]
fn a_match_that_could_not_be_interrupted_is_refused() {
    let mut engine = hosts(1, config());
    let long = "x".repeat(16_000);
    let series = engine.series(&[("__name__", "load"), ("instance", &long)]).unwrap();
    if let Some(ticket) = engine.append(series, &[crate::support::START], &[1.0]).unwrap() {
        engine.run(ticket).unwrap();
    }
    engine.flush().unwrap();
    let select = |selector: &str| Command::Select { selector: selector.into(), range: TimeRange::ALL };
    let refused = ask(&mut engine, select("load{instance=~\"((x?y?){30}){60}z\"}"), "costly").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Limit, "{refused}");
    assert_eq!(count(&mut engine, "load{instance=~\"x+\"}".into()), 1);
}
