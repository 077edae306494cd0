//! What makes one row of a group's rows.

use super::signature::{Argument, Dialects, Family, Function, Kind, Names, functions, many, one, optional};

/// MetricsQL takes several expressions and aggregates all their rows.
const MANY_ROWS: &[Argument] = &[many("rows", Kind::Series)];
const ROWS: &[Argument] = &[one("rows", Kind::Series)];
const NUMBER_AND_ROWS: &[Argument] = &[one("k", Kind::Scalar), one("rows", Kind::Series)];
const SHARE_AND_ROWS: &[Argument] = &[one("phi", Kind::Scalar), one("rows", Kind::Series)];
const RATIO_AND_ROWS: &[Argument] = &[one("ratio", Kind::Scalar), one("rows", Kind::Series)];
const LABEL_AND_ROWS: &[Argument] = &[one("label", Kind::Text), one("rows", Kind::Series)];
const SHARES_AND_ROWS: &[Argument] = &[one("label", Kind::Text), many("phi", Kind::Scalar), one("rows", Kind::Series)];
const TOLERANCE_AND_ROWS: &[Argument] = &[one("tolerance", Kind::Scalar), one("rows", Kind::Series)];
const NUMBER_ROWS_AND_REST: &[Argument] =
    &[one("k", Kind::Scalar), one("rows", Kind::Series), optional("label of the rest", Kind::Text)];

pub(super) const AGGREGATES: &[Function] = functions! { Aggregate,
    "any"            MetricsQl Keep Series MANY_ROWS "One row of the group"
    "avg"            MetricsQl Drop Series MANY_ROWS "Mean"
    "avg"            PromQl    Drop Series ROWS "Mean"
    "bottomk"        Both      Keep Series NUMBER_AND_ROWS "The k least values of each instant"
    "bottomk_avg"    MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the least mean"
    "bottomk_last"   MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the least last value"
    "bottomk_max"    MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the least maximum"
    "bottomk_median" MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the least median"
    "bottomk_min"    MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the least minimum"
    "count"          MetricsQl Drop Series MANY_ROWS "How many rows have a value"
    "count"          PromQl    Drop Series ROWS "How many rows have a value"
    "count_values"   Both      Drop Series LABEL_AND_ROWS "How often each value occurs; the label holds the value"
    "distinct"       MetricsQl Drop Series MANY_ROWS "How many different values there are"
    "geomean"        MetricsQl Drop Series MANY_ROWS "Geometric mean"
    "group"          MetricsQl Drop Series MANY_ROWS "1 where the group has a value"
    "group"          PromQl    Drop Series ROWS "1 where the group has a value"
    "histogram"      MetricsQl Drop Series MANY_ROWS "Histogram of the values, in buckets with the label `vmrange`"
    "limit_ratio"    PromQl    Keep Series RATIO_AND_ROWS "A share of the rows, chosen by their labels"
    "limitk"         Both      Keep Series NUMBER_AND_ROWS "At most k rows"
    "mad"            MetricsQl Drop Series MANY_ROWS "Median of the distances from the median"
    "max"            MetricsQl Drop Series MANY_ROWS "The greatest value"
    "max"            PromQl    Drop Series ROWS "The greatest value"
    "median"         MetricsQl Drop Series MANY_ROWS "Median"
    "min"            MetricsQl Drop Series MANY_ROWS "The least value"
    "min"            PromQl    Drop Series ROWS "The least value"
    "mode"           MetricsQl Drop Series MANY_ROWS "The most frequent value"
    "outliers_iqr"   MetricsQl Keep Series MANY_ROWS "Rows with a value far outside of the quartiles"
    "outliers_mad"   MetricsQl Keep Series TOLERANCE_AND_ROWS "Rows with a value too many median distances from the median"
    "outliersk"      MetricsQl Keep Series NUMBER_AND_ROWS "The k rows that are farthest from the median"
    "quantile"       Both      Drop Series SHARE_AND_ROWS "Quantile"
    "quantiles"      MetricsQl Drop Series SHARES_AND_ROWS "Several quantiles, told apart by a label"
    "share"          MetricsQl Drop Series MANY_ROWS "Each value as a share of the group's sum"
    "stddev"         MetricsQl Drop Series MANY_ROWS "Standard deviation"
    "stddev"         PromQl    Drop Series ROWS "Standard deviation"
    "stdvar"         MetricsQl Drop Series MANY_ROWS "Variance"
    "stdvar"         PromQl    Drop Series ROWS "Variance"
    "sum"            MetricsQl Drop Series MANY_ROWS "Sum"
    "sum"            PromQl    Drop Series ROWS "Sum"
    "sum2"           MetricsQl Drop Series MANY_ROWS "Sum of the squares"
    "topk"           Both      Keep Series NUMBER_AND_ROWS "The k greatest values of each instant"
    "topk_avg"       MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the greatest mean"
    "topk_last"      MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the greatest last value"
    "topk_max"       MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the greatest maximum"
    "topk_median"    MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the greatest median"
    "topk_min"       MetricsQl Keep Series NUMBER_ROWS_AND_REST "The k rows with the greatest minimum"
    "zscore"         MetricsQl Drop Series MANY_ROWS "How many standard deviations each value is from the group's mean"
};
