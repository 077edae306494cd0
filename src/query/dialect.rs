//! The two languages that one evaluator speaks.

/// Which language an expression is read and computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// As VictoriaMetrics computes.
    #[default]
    MetricsQl,
    /// As Prometheus 3 computes.
    PromQl,
}
