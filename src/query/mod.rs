//! The query languages: texts become expressions, samples become rows, rows become results. Nothing here reads storage, waits or
//! looks at a clock.

pub mod dialect;
pub mod language;
pub mod rollup;
pub mod series;
