//! Sandglass: a time-series storage engine for the browser that reads and writes VictoriaMetrics' own bytes.
//!
//! The modules are floors: a module imports only from floors below it. `docs/ARCHITECTURE.md` is the map.

// Floor 0
pub mod error;

// Floor 1
pub mod collections;
pub mod time;

// Floor 2
pub mod encoding;

// Floor 3
pub mod metric;
pub mod trace;

// Floor 4
pub mod fs;

// Floor 5
pub mod runtime;

// Floor 6
pub mod block;
pub mod mergeset;

// Floor 7
pub mod index;
pub mod part;

// Floor 8
pub mod partition;

// Floor 9
pub mod formats;
pub mod http;

// Floor 10
pub mod storage;

// Floor 11
pub mod engine;

// Floor 12
#[cfg(target_arch = "wasm32")]
pub mod wasm;
