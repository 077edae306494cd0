//! The knobs of one database.

use crate::error::{Error, ErrorKind, Result};
use crate::query::dialect::Dialect;
use crate::time::{DAY_MS, TimestampMs};
use serde::{Serialize, Serializer};
use std::fmt;

/// Whose clock the scheduler follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Clock {
    /// The instant handed to each pump.
    Real,
    /// Moved by `tick` alone.
    Manual,
}

/// The rhythm in which a server's parts go to disk.
pub const SERVER_DURABLE_WITHIN_MS: i64 = 5_000;
/// The log is written at least so often, since rows can be searched when they are logged, and at most so often.
const MAX_LOG_INTERVAL_MS: i64 = 900;
const MIN_LOG_INTERVAL_MS: i64 = 50;

/// How a database is opened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Older samples are refused and dropped, in milliseconds.
    pub retention_ms: i64,
    /// Of the samples of a series in one such interval only the last is kept; 0 keeps all.
    pub dedup_interval_ms: i64,
    /// The retention is wanted just so; else it is for a new database, and an existing one keeps what it has.
    #[serde(skip)]
    pub gives_retention: bool,
    /// The same of the de-duplication interval.
    #[serde(skip)]
    pub gives_dedup_interval: bool,
    /// Whose clock is followed.
    pub clock: Clock,
    /// The instant at which the database is opened.
    pub start_time: TimestampMs,
    /// Upper bound for caches of cold data, in bytes.
    pub cache_bytes: u64,
    /// Memory the sizing formulas count with, as the server counts with the machine's (engine-behaviour §2): what a 32-bit module
    /// can address, unless told otherwise.
    pub memory_bytes: u64,
    /// Significant bits kept of each value; 64 keeps what the decimal conversion keeps.
    pub precision_bits: u8,
    /// After so long without a merge a partition is merged down further; 0 is never, as on the server.
    pub final_merge_delay_ms: i64,
    /// Keys that requests must carry; empty for none.
    pub auth: AuthKeys,
    /// Which language requests speak that don't say.
    pub dialect: Dialect,
    /// So long after it was appended a sample is durable at the latest. From [`SERVER_DURABLE_WITHIN_MS`] on no log is written, and
    /// parts go to disk in the server's rhythm.
    pub durable_within_ms: i64,
    /// Another one writes this database: nothing is changed here, and what the other one commits is followed.
    pub read_only: bool,
    /// The files are those of a snapshot that is looked at where it lies: parts that are broken are left out, and nobody writes.
    pub origin: Option<Origin>,
}

/// What is known of a snapshot that is looked at where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Which servers write so.
    pub format: &'static str,
    /// What was left out before it was opened: where it was, and why.
    pub left_out: Vec<(String, String)>,
}

/// The keys of the server's flags of the same names (engine-behaviour §1). Whoever prints them sees which are asked for, not what
/// they are.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthKeys {
    /// `-snapshotAuthKey`
    #[serde(serialize_with = "is_asked_for")]
    pub snapshot: String,
    /// `-forceFlushAuthKey`
    #[serde(serialize_with = "is_asked_for")]
    pub force_flush: String,
    /// `-forceMergeAuthKey`
    #[serde(serialize_with = "is_asked_for")]
    pub force_merge: String,
}

fn is_asked_for<S: Serializer>(key: &str, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_bool(!key.is_empty())
}

impl fmt::Debug for AuthKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { snapshot, force_flush, force_merge } = self;
        let asked_for = [snapshot, force_flush, force_merge].map(|key| !key.is_empty());
        write!(formatter, "AuthKeys{asked_for:?}")
    }
}

impl Config {
    /// Why a reader can't do something.
    pub(super) fn read_only_error(&self) -> Error {
        let message = match self.origin {
            Some(_) => "the snapshot is open to be looked at, where it lies; to write, restore() it into a database",
            None => {
                "the database is opened for reading only, since another tab holds it; close that one, then open it again here"
            }
        };
        Error::new(ErrorKind::Locked, message)
    }

    /// Defaults: a year of retention, no de-duplication, 64 MiB of caches, the wall clock, the server's rhythm.
    pub fn new(start_time: TimestampMs) -> Self {
        Self {
            retention_ms: 365 * DAY_MS,
            dedup_interval_ms: 0,
            gives_retention: true,
            gives_dedup_interval: true,
            clock: Clock::Real,
            start_time,
            cache_bytes: 64 << 20,
            memory_bytes: 4 << 30,
            precision_bits: 64,
            final_merge_delay_ms: 0,
            auth: AuthKeys::default(),
            dialect: Dialect::default(),
            durable_within_ms: SERVER_DURABLE_WITHIN_MS,
            read_only: false,
            origin: None,
        }
    }

    /// How often rows go to the log, for them to be durable in time once the storage has answered; never in the server's rhythm.
    pub(super) fn log_interval_ms(&self) -> Option<i64> {
        let is_logged = self.durable_within_ms < SERVER_DURABLE_WITHIN_MS;
        is_logged.then(|| (self.durable_within_ms / 10 * 9).clamp(MIN_LOG_INTERVAL_MS, MAX_LOG_INTERVAL_MS))
    }

    /// Checks what no other floor checks.
    ///
    /// # Errors
    /// `Invalid` for precision bits outside of 1 to 64.
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=64).contains(&self.precision_bits) {
            return Err(Error::invalid(format!("precision bits are 1 to 64, found {}", self.precision_bits)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::error::ErrorKind;
    use crate::fs::MemoryFileSystem;

    #[test]
    fn keys_are_not_shown() {
        let auth = AuthKeys { snapshot: "hunter2".into(), ..AuthKeys::default() };
        let config = Config { auth, ..Config::new(1_700_000_000_000) };
        let shown = serde_json::to_value(&config).unwrap();
        assert_eq!(shown["auth"], serde_json::json!({ "snapshot": true, "forceFlush": false, "forceMerge": false }));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn precision_bits_are_1_to_64() {
        let open = |precision_bits| {
            let config = Config { precision_bits, ..Config::new(1_700_000_000_000) };
            Engine::open(Box::new(MemoryFileSystem::default()), config).map(drop)
        };
        for bits in [1, 4, 64] {
            assert_eq!(open(bits), Ok(()));
        }
        for bits in [0, 65, 255] {
            let refused = open(bits).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid);
            assert_eq!(refused.message(), format!("precision bits are 1 to 64, found {bits}"));
        }
    }
}
