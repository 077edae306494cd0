//! Names of series that were asked for lately.

use crate::metric::name::MetricName;
use serde::Serialize;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes that the names may take.
const MAX_BYTES: usize = 8 << 20;

/// A cache in two halves: when the younger is full it becomes the older, and the older is forgotten. What is asked for moves
/// into the younger.
#[derive(Debug, Default)]
pub struct NameCache {
    younger: HashMap<u64, Rc<MetricName>>,
    older: HashMap<u64, Rc<MetricName>>,
    younger_bytes: usize,
    older_bytes: usize,
    hits: u64,
    misses: u64,
}

/// The cache as `inspect()` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameCacheState {
    /// Names held.
    pub names: u64,
    /// Bytes they take, roughly.
    pub bytes: u64,
    /// Bytes they may take.
    pub max_bytes: u64,
    /// Lookups that found their name.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
}

impl NameCache {
    /// The name of a series, if it is here.
    pub fn get(&mut self, metric_id: u64) -> Option<Rc<MetricName>> {
        let name = match self.younger.get(&metric_id) {
            Some(name) => Some(name.clone()),
            None => {
                let name = self.older.get(&metric_id).cloned();
                if let Some(name) = &name {
                    self.insert(metric_id, name.clone());
                }
                name
            }
        };
        if name.is_some() {
            self.hits += 1
        } else {
            self.misses += 1
        }
        name
    }

    /// Keeps a name for a while.
    pub fn insert(&mut self, metric_id: u64, name: Rc<MetricName>) {
        let bytes = name.memory_bytes() + 64;
        if self.younger_bytes + bytes > MAX_BYTES / 2 {
            self.older = std::mem::take(&mut self.younger);
            self.older_bytes = std::mem::take(&mut self.younger_bytes);
        }
        if bytes <= MAX_BYTES / 2 && self.younger.insert(metric_id, name).is_none() {
            self.younger_bytes += bytes;
        }
    }

    /// Forgets all names.
    pub fn clear(&mut self) {
        *self = Self { hits: self.hits, misses: self.misses, ..Self::default() };
    }

    /// The cache for `inspect()`.
    pub fn state(&self) -> NameCacheState {
        NameCacheState {
            names: (self.younger.len() + self.older.len()) as u64,
            bytes: (self.younger_bytes + self.older_bytes) as u64,
            max_bytes: MAX_BYTES as u64,
            hits: self.hits,
            misses: self.misses,
        }
    }
}
