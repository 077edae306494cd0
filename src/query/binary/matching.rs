//! Which rows of two sides belong together.

use crate::query::language::ast::{Join, Matching};
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use std::collections::HashMap;
use std::fmt::Write;

/// The labels by which rows are matched. `on (__name__)` matches by the name only where `names` says so.
pub fn key(labels: &Labels, matching: Option<&Matching>, names: bool) -> Labels {
    let mut key = labels.clone();
    match matching {
        Some(matching) if matching.is_on => {
            key.retain(|name| (names || name != NAME) && matching.labels.iter().any(|label| label == name));
        }
        Some(matching) => key.retain(|name| name != NAME && !matching.labels.iter().any(|label| label == name)),
        None => key.remove(NAME),
    }
    key
}

/// The rows of both sides by key, in the order in which the keys first appear: those of the left before those that the right adds.
pub struct Table {
    /// The labels of each key.
    pub keys: Vec<Labels>,
    /// Positions of the left side's rows by key.
    pub left: Vec<Vec<usize>>,
    /// Positions of the right side's rows by key.
    pub right: Vec<Vec<usize>>,
}

impl Table {
    /// The table of two sides.
    pub fn new(left: &[Row], right: &[Row], matching: Option<&Matching>, names: bool) -> Self {
        let mut numbers: HashMap<Labels, usize> = HashMap::new();
        let mut table = Self { keys: Vec::new(), left: Vec::new(), right: Vec::new() };
        for (rows, is_left) in [(left, true), (right, false)] {
            for (position, row) in rows.iter().enumerate() {
                let key = key(&row.labels, matching, names);
                let number = *numbers.entry(key.clone()).or_insert(table.keys.len());
                if number == table.keys.len() {
                    table.keys.push(key);
                    table.left.push(Vec::new());
                    table.right.push(Vec::new());
                }
                let side = if is_left { &mut table.left } else { &mut table.right };
                side[number].push(position);
            }
        }
        table
    }
}

/// Sets the labels that a join takes over from the one side.
pub fn include(join: &Join, matching: Option<&Matching>, labels: &mut Labels, one: &Labels) {
    let prefix = join.prefix.as_deref().unwrap_or("");
    for name in &join.include {
        if name == "*" {
            let is_matched =
                |name: &str| matching.is_some_and(|m| m.is_on && m.labels.iter().any(|label| label == name));
            for (name, value) in one.iter().filter(|(name, _)| &***name != NAME && !is_matched(name)) {
                labels.set(&format!("{prefix}{name}"), value.clone());
            }
        } else {
            labels.set(&format!("{prefix}{name}"), one.get(name));
        }
    }
}

/// `{a="1", b="2"}`, with the name in front.
pub fn shown(labels: &Labels) -> String {
    let mut text = labels.get(NAME).to_owned();
    text.push('{');
    let mut separator = "";
    for (name, value) in labels.iter().filter(|(name, _)| &***name != NAME) {
        let _ = write!(text, "{separator}{name}={value:?}");
        separator = ", ";
    }
    text.push('}');
    text
}
