//! The log of rows: what was appended is durable within a second, though parts are written much more rarely.
//!
//! | file                              | what it holds                                                                     |
//! | ---                               | ---                                                                               |
//! | `log/<generation>/<number>.rows`  | rows of one month that were taken out of their shards together                    |
//! | `log/<generation>/<number>.names` | the series that rows of this generation refer to for the first time, by their numbers |
//!
//! Generations and numbers are sixteen hex digits. All files are published by commits, whole or not at all; the names go in the
//! commit of the rows that need them. `record.rs` has their bytes.
//!
//! An in-memory part remembers the records that its rows come from. The commit that brings it to disk removes them, so that a crash
//! finds each row in a part or in the log, never in both and never in neither. Who opens the database makes in-memory parts
//! of the log's records again and writes nothing.
//!
//! The directory lies beside `data/` and `indexdb/`. A snapshot does not link it, as all rows are in parts when that is made, and a
//! server does not look into it.

pub mod record;
mod replay;
mod writer;

pub use record::UNKNOWN_METRIC_ID;
pub use replay::{LoggedNames, Replay, ReplayedRows, find};
pub use writer::{Forgetting, LogRecord, NameOf, RowLog};

use crate::fs::FilePath;

/// Where it lies.
pub fn root() -> FilePath {
    FilePath::root().join("log")
}

fn generation_dir(generation: u64) -> FilePath {
    root().join(&format!("{generation:016X}"))
}

const ROWS: &str = "rows";
const NAMES: &str = "names";

fn file(generation: u64, number: u64, kind: &str) -> FilePath {
    generation_dir(generation).join(&format!("{number:016X}.{kind}"))
}
