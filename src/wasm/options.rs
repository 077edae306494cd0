//! How an engine is opened, as JavaScript says it: a record that is read in one go.

use crate::engine::{AuthKeys, Clock, Config};
use crate::error::{Error, Result};
use crate::query::dialect::Dialect;
use crate::time::{TimestampMs, parse_duration_ms};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const ENGINE_OPTIONS: &str = r#"
/** How an engine is opened; the package's `open` has checked the types and filled in the defaults. */
export interface EngineOptions {
  /** A duration such as "30d", or milliseconds; left out, what the database remembers. */
  readonly retention: string | undefined;
  /** A duration such as "15s", or milliseconds; "0" for none; left out, what the database remembers. */
  readonly dedupInterval: string | undefined;
  /** "metricsql" or "promql": what queries speak that don't say. */
  readonly dialect: string | undefined;
  /** A duration such as "1s", or milliseconds. */
  readonly durableWithin: string;
  readonly manualClock: boolean;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly cacheBytes: number;
  readonly precisionBits: number;
  /** Memory the sizing formulas count with; 0 for the default. */
  readonly memoryBytes: number;
  /** For databases in memory: how many bytes their files may take; 0 for any number. */
  readonly quotaBytes: number;
  /** Keys that requests must carry; empty for none. */
  readonly snapshotAuthKey: string;
  readonly forceFlushAuthKey: string;
  readonly forceMergeAuthKey: string;
  /** Another tab writes the database: it is only read here. */
  readonly readOnly: boolean;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// The interface `EngineOptions` above.
    #[wasm_bindgen(typescript_type = "EngineOptions")]
    pub type EngineOptions;
}

/// What the interface `EngineOptions` above says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    retention: Option<String>,
    dedup_interval: Option<String>,
    durable_within: String,
    manual_clock: bool,
    start_time: f64,
    cache_bytes: f64,
    dialect: Option<String>,
    precision_bits: u8,
    memory_bytes: f64,
    pub(super) quota_bytes: f64,
    snapshot_auth_key: String,
    force_flush_auth_key: String,
    force_merge_auth_key: String,
    pub(super) read_only: bool,
}

impl Options {
    /// What JavaScript has handed in.
    pub(super) fn read(options: EngineOptions) -> Result<Self> {
        serde_wasm_bindgen::from_value(options.into())
            .map_err(|error| Error::invalid(format!("the engine's options cannot be read: {error}")))
    }

    /// What the engine makes of it.
    pub(super) fn config(self) -> Result<Config> {
        let ms = |text: &Option<String>, what| -> Result<Option<i64>> {
            text.as_deref().map(parse_duration_ms).transpose().map_err(|error| error.at(what))
        };
        let (retention_ms, dedup_interval_ms) =
            (ms(&self.retention, "retention")?, ms(&self.dedup_interval, "dedupInterval")?);
        let defaults = Config::new(self.start_time as TimestampMs);
        let config = Config {
            retention_ms: retention_ms.unwrap_or(defaults.retention_ms),
            gives_retention: retention_ms.is_some(),
            dedup_interval_ms: dedup_interval_ms.unwrap_or(defaults.dedup_interval_ms),
            gives_dedup_interval: dedup_interval_ms.is_some(),
            clock: if self.manual_clock { Clock::Manual } else { Clock::Real },
            cache_bytes: self.cache_bytes as u64,
            dialect: match self.dialect.as_deref() {
                None => Dialect::default(),
                Some(name) => Dialect::by_name(name).ok_or_else(|| {
                    Error::invalid(format!("the dialect {name:?} is neither \"metricsql\" nor \"promql\""))
                })?,
            },
            precision_bits: self.precision_bits,
            auth: AuthKeys {
                snapshot: self.snapshot_auth_key,
                force_flush: self.force_flush_auth_key,
                force_merge: self.force_merge_auth_key,
            },
            durable_within_ms: parse_duration_ms(&self.durable_within).map_err(|error| error.at("durableWithin"))?,
            read_only: self.read_only,
            ..defaults
        };
        let memory_bytes = self.memory_bytes as u64;
        Ok(if memory_bytes == 0 { config } else { Config { memory_bytes, ..config } })
    }
}
