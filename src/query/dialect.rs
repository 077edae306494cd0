//! The two languages that one evaluator speaks.

use serde::Serialize;

/// Which language an expression is read and computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// As VictoriaMetrics computes.
    #[default]
    MetricsQl,
    /// As Prometheus 3 computes.
    PromQl,
}

impl Dialect {
    /// The dialect of a name: `metricsql` or `promql`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "metricsql" => Some(Self::MetricsQl),
            "promql" => Some(Self::PromQl),
            _ => None,
        }
    }
}
