//! What was asked of an engine and is not answered yet.

use crate::model::{Chosen, OfferId, Tick};
use sandglass::time::TimeRange;

/// What was asked and is not answered yet.
pub(super) enum Ask {
    Open,
    Append { offers: Vec<OfferId> },
    Ingest { offers: Vec<OfferId>, bad_lines: u64 },
    Flush { mark: Tick },
    Sync { mark: Tick },
    Close { mark: Tick },
    Merge,
    Snapshot { mark: Tick, began: Tick },
    SnapshotDelete { name: String },
    SnapshotDeleteAll { names: Vec<String> },
    SnapshotList { there: Vec<String> },
    SnapshotFiles { name: String },
    SnapshotRead { name: String, path: String },
    Delete { began: Tick },
    Select { chosen: Chosen, range: TimeRange, began: Tick, visible: Tick },
    Labels { chosen: Chosen, began: Tick, visible: Tick },
    LabelValues { chosen: Chosen, began: Tick, visible: Tick },
    LabelNames,
    ExportOpen { chosen: Chosen, range: TimeRange, began: Tick, visible: Tick },
    ExportNext { cursor: u32 },
    Done,
}

/// An export that is being read.
pub(super) struct Export {
    pub(super) chosen: Chosen,
    pub(super) range: TimeRange,
    pub(super) began: Tick,
    pub(super) visible: Tick,
    pub(super) text: Vec<u8>,
    pub(super) is_waiting: bool,
}

/// A command with what is needed to judge its answer.
pub(super) struct Pending {
    pub(super) ask: Ask,
    pub(super) what: String,
    /// Faults the disk had had when it was sent: without a new one it must not fail.
    pub(super) faults_before: u64,
    pub(super) sent_at: i64,
}
