//! Sandglass: a time-series storage engine for the browser that reads and writes VictoriaMetrics' own bytes.
//!
//! The modules are floors: a module imports only from floors below it. `docs/ARCHITECTURE.md` is the map.

// Floor 0
pub mod collections;
pub mod error;
pub mod time;

// Floor 1
pub mod encoding;

// Floor 2
pub mod metric;
pub mod trace;

// Floor 3
pub mod fs;

// Floor 4
pub mod runtime;

// Floor 5
pub mod block;
pub mod mergeset;

// Floor 6
pub mod index;
pub mod part;

// Floor 7
pub mod partition;

// Floor 8
pub mod storage;

// Floor 9
pub mod formats;

// Floor 10
pub mod engine;
pub mod http;
