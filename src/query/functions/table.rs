//! All functions and aggregations of both languages.

use super::signature::{Family, Function};
use super::{aggregates, labels, rollups, transforms};
use crate::query::dialect::Dialect;

/// Every line of the table.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [rollups::ROLLUPS, transforms::TRANSFORMS, labels::LABELS, aggregates::AGGREGATES].into_iter().flatten()
}

/// The function of a name, which is in lower case, in one language. Aggregations are not among them.
pub fn function(name: &str, dialect: Dialect) -> Option<&'static Function> {
    find(name, dialect, false)
}

/// The aggregation of a name, which is in lower case, in one language.
pub fn aggregate(name: &str, dialect: Dialect) -> Option<&'static Function> {
    find(name, dialect, true)
}

/// What somebody may have meant who wrote a name that no function and no aggregation of the language has.
pub fn meant(name: &str, dialect: Dialect) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let lines = || all().filter(|line| line.dialects.contains(dialect));
    if !lines().any(|line| line.name == name) && all().any(|line| line.name == name) {
        let other = if dialect == Dialect::PromQl { "MetricsQL" } else { "PromQL" };
        return Some(format!("{other} has it"));
    }
    let (nearest, distance) = lines()
        .map(|line| (line.name, strsim::osa_distance(line.name, &name)))
        .min_by_key(|(_, distance)| *distance)?;
    (distance <= 1 + name.len() / 4).then(|| format!("did you mean {nearest}?"))
}

fn find(name: &str, dialect: Dialect, is_aggregate: bool) -> Option<&'static Function> {
    let is_family = |line: &Function| (line.family == Family::Aggregate) == is_aggregate;
    all().find(|line| line.name == name && is_family(line) && line.dialects.contains(dialect))
}
