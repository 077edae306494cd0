//! What outlives an engine.

use super::figures::Figures;
use crate::model::{Bounds, Model};
use crate::plan::{Plan, Random};
use sandglass::engine::SnapshotFile;
use std::collections::hash_map::DefaultHasher;

/// A snapshot that was said to be there.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub name: String,
    pub bounds: Bounds,
    /// What the disk had seen when it was promised.
    pub commits: u64,
    pub is_uncertain: bool,
    pub files: Option<Vec<SnapshotFile>>,
}

/// What outlives an engine: the model, the snapshots, the random numbers and the record of what has happened.
pub struct World {
    pub plan: Plan,
    pub random: Random,
    pub model: Model,
    pub snapshots: Vec<Snapshot>,
    /// A snapshot may be there that nobody was told of.
    pub may_have_unknown_snapshots: bool,
    pub next_series: u64,
    pub figures: Figures,
    /// Of answers alone, which must not depend on budgets, caches and merges.
    pub answers: DefaultHasher,
    /// Of all events and answers.
    pub history: DefaultHasher,
    pub is_verbose: bool,
}

impl World {
    pub fn new(plan: Plan, is_verbose: bool) -> Self {
        let mut model = Model::default();
        model.latest = plan.start_time;
        model.retention_ms = plan.retention_ms;
        model.dedup_interval_ms = plan.dedup_interval_ms;
        Self {
            random: Random::new(plan.seed),
            model,
            snapshots: Vec::new(),
            may_have_unknown_snapshots: false,
            next_series: plan.series,
            figures: Figures::default(),
            answers: DefaultHasher::new(),
            history: DefaultHasher::new(),
            is_verbose,
            plan,
        }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.is_verbose {
            println!("{}", what());
        }
    }
}
