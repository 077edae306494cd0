//! Which rows are aggregated together.

use crate::query::language::ast::Grouping;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use std::collections::HashMap;

/// Labels by which a row is grouped.
pub fn key(labels: &Labels, grouping: Option<&Grouping>) -> Labels {
    let Some(grouping) = grouping else { return Labels::default() };
    let mut key = labels.clone();
    if grouping.is_without {
        key.retain(|name| name != NAME && !grouping.labels.iter().any(|label| label == name));
    } else {
        key.retain(|name| grouping.labels.iter().any(|label| label == name));
    }
    key
}

/// Numbers groups in the order in which they are first seen.
#[derive(Debug, Default)]
pub struct Groups {
    numbers: HashMap<Labels, usize>,
    limit: Option<usize>,
}

impl Groups {
    /// At most so many groups; what belongs to others is left out.
    pub fn new(limit: Option<u64>) -> Self {
        let limit = limit.filter(|limit| *limit > 0).map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        Self { numbers: HashMap::new(), limit }
    }

    /// The number of a group; nothing when there are enough groups without it.
    pub fn number(&mut self, key: &Labels) -> Option<usize> {
        if let Some(&number) = self.numbers.get(key) {
            return Some(number);
        }
        let next = self.numbers.len();
        if self.limit.is_some_and(|limit| next >= limit) {
            return None;
        }
        self.numbers.insert(key.clone(), next);
        Some(next)
    }
}

/// The rows of one group.
pub struct Group {
    /// What its rows have in common.
    pub key: Labels,
    /// In the order in which they came.
    pub rows: Vec<Row>,
}

/// Rows by group, without those that have no values.
pub fn split(rows: Vec<Row>, grouping: Option<&Grouping>, limit: Option<u64>) -> Vec<Group> {
    let mut numbers = Groups::new(limit);
    let mut groups: Vec<Group> = Vec::new();
    for row in rows.into_iter().filter(Row::has_values) {
        let key = key(&row.labels, grouping);
        match numbers.number(&key) {
            Some(number) if number < groups.len() => groups[number].rows.push(row),
            Some(_) => groups.push(Group { key, rows: vec![row] }),
            None => {}
        }
    }
    groups
}
