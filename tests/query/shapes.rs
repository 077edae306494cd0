//! Labels and rows keep their rules.

use sandglass::query::series::labels::Labels;
use sandglass::query::series::row::{Presence, Row};

#[test]
fn labels_are_sorted_and_have_no_empty_values() {
    let mut labels =
        Labels::new([("job".into(), "node".into()), ("__name__".into(), "up".into()), ("x".into(), "".into())]);
    labels.set("a", "1");
    labels.set("job", "");
    let shown: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["__name__=up", "a=1"]);
    assert_eq!(labels.get("job"), "");
}

#[test]
fn a_real_nan_is_told_from_a_gap() {
    let mut row = Row::new(Labels::default(), vec![f64::NAN, 1.0, f64::NAN]);
    assert_eq!([0, 1, 2].map(|at| row.is_present(at)), [false, true, false]);
    let mut present = Presence::none(3);
    present.set(0, true);
    row.present = Some(present);
    assert_eq!([0, 1, 2].map(|at| row.is_present(at)), [true, false, false]);
}
