//! The query languages: texts become expressions, samples become rows, rows become results. Nothing here reads storage, waits or
//! looks at a clock.

pub mod aggregate;
pub mod binary;
pub mod call;
pub mod dialect;
pub mod finish;
pub mod functions;
pub mod language;
pub mod number;
pub mod plan;
pub mod quantile;
pub mod remarks;
pub mod rollup;
pub mod series;
pub mod sum;
pub mod transform;
pub mod vmrange;
