//! Fewer buckets.

use super::Call;
use super::buckets::{self, BOUND};
use crate::error::{Error, ErrorKind, Result};
use crate::query::number;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use std::collections::HashMap;

struct Bucket {
    bound: f64,
    hits: f64,
    row: Row,
}

/// The first and the last bucket are kept, for the sake of the least and the greatest value.
const LEAST_BUCKETS: usize = 3;

/// Pairs of buckets that are compared in one histogram before it is refused: a second, or somewhat less.
const MOST_COMPARISONS: usize = 200_000_000;

/// Takes away the buckets with the fewest hits until so many are left in each histogram.
pub fn buckets_limit(call: &mut Call) -> Result<Vec<Row>> {
    let limit = call.arguments.number()? as usize;
    let rows = call.arguments.rows()?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Vec<Bucket>> = Vec::new();
    for row in buckets::ranges_to_bounds(rows) {
        let Some(bound) = number::parse(row.labels.get(BOUND)) else { continue };
        let mut labels = row.labels.clone();
        labels.remove(BOUND);
        let number = *numbers.entry(labels).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Vec::new());
        }
        groups[number].push(Bucket { bound, hits: 0.0, row });
    }
    let limit = limit.max(LEAST_BUCKETS);
    if let Some(group) =
        groups.iter().find(|group| group.len().saturating_mul(group.len().saturating_sub(limit)) > MOST_COMPARISONS)
    {
        let message = format!(
            "buckets_limit: a histogram of {} buckets takes too long; merge some of them first, by a rounded \"le\" say",
            group.len()
        );
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let limited = groups.into_iter().flat_map(|group| thin_out(group, limit));
    Ok(limited.map(|bucket| bucket.row).collect())
}

fn thin_out(mut buckets: Vec<Bucket>, limit: usize) -> Vec<Bucket> {
    if buckets.len() <= limit {
        return buckets;
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    for position in 0..buckets[0].row.values.len() {
        let mut before = 0.0;
        for bucket in &mut buckets {
            let value = bucket.row.values[position];
            bucket.hits += value - before;
            before = value;
        }
    }
    while buckets.len() > limit {
        let hits_of_two = |at: usize| buckets[at].hits + buckets[at + 1].hits;
        let mut fewest = 1;
        for at in 2..buckets.len() - 2 {
            if hits_of_two(at) < hits_of_two(fewest) {
                fewest = at;
            }
        }
        let removed = buckets.remove(fewest);
        buckets[fewest].hits += removed.hits;
    }
    buckets
}
