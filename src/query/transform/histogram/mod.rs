//! Functions of histograms.

pub mod buckets;
mod classic;
mod limit;
mod moments;
mod ranged;

use super::{Call, Function, Known, Names};
use crate::error::Result;
use crate::query::series::row::Row;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::rows("histogram_quantile", Known::MetricsQl, (2, 3), Names::Drop, ranged::histogram_quantile),
    Function::rows("histogram_quantile", Known::PromQl, (2, 2), Names::Drop, classic::histogram_quantile),
    Function::rows("histogram_quantiles", Known::MetricsQl, (3, usize::MAX), Names::Drop, ranged::histogram_quantiles),
    Function::rows("histogram_share", Known::MetricsQl, (2, 3), Names::Drop, ranged::histogram_share),
    Function::rows("histogram_fraction", Known::MetricsQl, (3, 3), Names::Drop, ranged::histogram_fraction),
    Function::rows("histogram_fraction", Known::PromQl, (3, 3), Names::Drop, classic::histogram_fraction),
    Function::rows("histogram_avg", Known::MetricsQl, (1, 1), Names::Drop, moments::histogram_avg),
    Function::rows("histogram_stddev", Known::MetricsQl, (1, 1), Names::Drop, moments::histogram_stddev),
    Function::rows("histogram_stdvar", Known::MetricsQl, (1, 1), Names::Drop, moments::histogram_stdvar),
    Function::rows("histogram_avg", Known::PromQl, (1, 1), Names::Drop, of_native_histograms),
    Function::rows("histogram_count", Known::PromQl, (1, 1), Names::Drop, of_native_histograms),
    Function::rows("histogram_stddev", Known::PromQl, (1, 1), Names::Drop, of_native_histograms),
    Function::rows("histogram_stdvar", Known::PromQl, (1, 1), Names::Drop, of_native_histograms),
    Function::rows("histogram_sum", Known::PromQl, (1, 1), Names::Drop, of_native_histograms),
    Function::rows("buckets_limit", Known::MetricsQl, (2, 2), Names::Keep, limit::buckets_limit),
    Function::rows("prometheus_buckets", Known::MetricsQl, (1, 1), Names::Keep, |call| {
        Ok(buckets::ranges_to_bounds(call.arguments.rows()?))
    }),
];

/// Nothing, since no row is a native histogram.
fn of_native_histograms(call: &mut Call) -> Result<Vec<Row>> {
    call.arguments.rows()?;
    Ok(Vec::new())
}
