//! Sandglass: a time-series storage engine for the browser that reads and writes VictoriaMetrics' own bytes.
//!
//! The modules are floors: a module imports only from floors below it. `docs/ARCHITECTURE.md` is the map.

pub mod encoding;
pub mod error;
pub mod metric;
