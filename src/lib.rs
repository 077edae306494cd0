//! Sandglass: a time-series storage engine for the browser that reads and writes VictoriaMetrics' own bytes.
//!
//! The modules are floors: a module imports only from floors below it. `docs/ARCHITECTURE.md` is the map.

// Floors 0 to 3, `block` and `formats`: the rooms that every sample passes, in a package of their own that is optimised for speed.
pub use sandglass_kernel::{block, collections, encoding, error, formats, metric, time};

// Floor 3
pub mod trace;

// Floor 4
pub mod fs;

// Floor 5
pub mod runtime;

// Floor 6
pub mod merge;

// Floor 7
pub mod log;
pub mod mergeset;
pub mod query;

// Floor 8
pub mod index;
pub mod part;

// Floor 9
pub mod partition;

// Floor 10
pub mod archive;
pub mod http;

// Floor 11
pub mod storage;

// Floor 12
pub mod executor;

// Floor 13
pub mod engine;

// Floor 14
#[cfg(target_arch = "wasm32")]
pub mod wasm;
