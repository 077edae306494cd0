//! Functions of rows, by their values.

use super::signature::{Argument, Dialects, Family, Function, Kind, Names, any, functions, many, one, optional};

const NONE: &[Argument] = &[];
const ROWS: &[Argument] = &[one("rows", Kind::Series)];
const TIMES: &[Argument] = &[optional("times", Kind::Series)];
const SEED: &[Argument] = &[optional("seed", Kind::Scalar)];
const NUMBER: &[Argument] = &[one("number", Kind::Scalar)];
const UNIONS: &[Argument] = &[any("rows", Kind::Series)];
const MANY_ROWS: &[Argument] = &[many("rows", Kind::Series)];
const ROWS_AND_NUMBER: &[Argument] = &[one("rows", Kind::Series), one("number", Kind::Scalar)];
const ROWS_AND_MASK: &[Argument] = &[one("rows", Kind::Series), one("mask", Kind::Scalar)];
const NUMBER_AND_ROWS: &[Argument] = &[one("number", Kind::Scalar), one("rows", Kind::Series)];
const ROWS_AND_NEAREST: &[Argument] = &[one("rows", Kind::Series), optional("nearest", Kind::Scalar)];
const ROWS_AND_LIMITS: &[Argument] =
    &[one("rows", Kind::Series), one("least", Kind::Scalar), one("greatest", Kind::Scalar)];
const LIMIT_OFFSET: &[Argument] = &[one("limit", Kind::Scalar), one("offset", Kind::Scalar), one("rows", Kind::Series)];
const QUANTILE_OF_BUCKETS: &[Argument] = &[one("phi", Kind::Scalar), one("buckets", Kind::Series)];
const QUANTILE_AND_BOUNDS: &[Argument] =
    &[one("phi", Kind::Scalar), one("buckets", Kind::Series), optional("bounds label", Kind::Text)];
const QUANTILES_OF_BUCKETS: &[Argument] =
    &[one("label", Kind::Text), many("phi", Kind::Scalar), one("buckets", Kind::Series)];
const SHARE_OF_BUCKETS: &[Argument] =
    &[one("bound", Kind::Scalar), one("buckets", Kind::Series), optional("bounds label", Kind::Text)];
const FRACTION_OF_BUCKETS: &[Argument] =
    &[one("lower", Kind::Scalar), one("upper", Kind::Scalar), one("buckets", Kind::Series)];
const LIMIT_AND_BUCKETS: &[Argument] = &[one("limit", Kind::Scalar), one("buckets", Kind::Series)];
const ZONE: &[Argument] = &[one("time zone", Kind::Text)];
const FREE_AND_MAX: &[Argument] = &[one("free", Kind::Series), one("most", Kind::Series)];

pub(super) const TRANSFORMS: &[Function] = functions! { Transform,
    "abs"                     Both      Drop Series ROWS "Absolute value"
    "absent"                  Both      Drop Series ROWS "1 where there is no row, with the labels that the selector names"
    "acos"                    Both      Drop Series ROWS "Arc cosine"
    "acosh"                   Both      Drop Series ROWS "Inverse hyperbolic cosine"
    "asin"                    Both      Drop Series ROWS "Arc sine"
    "asinh"                   Both      Drop Series ROWS "Inverse hyperbolic sine"
    "atan"                    Both      Drop Series ROWS "Arc tangent"
    "atanh"                   Both      Drop Series ROWS "Inverse hyperbolic tangent"
    "bitmap_and"              MetricsQl Drop Series ROWS_AND_MASK "Bits that are set in the value and in the mask"
    "bitmap_or"               MetricsQl Drop Series ROWS_AND_MASK "Bits that are set in the value or in the mask"
    "bitmap_xor"              MetricsQl Drop Series ROWS_AND_MASK "Bits that are set in one of value and mask"
    "buckets_limit"           MetricsQl Keep Series LIMIT_AND_BUCKETS "At most so many buckets of each histogram"
    "ceil"                    MetricsQl Keep Series ROWS "The next integer above"
    "ceil"                    PromQl    Drop Series ROWS "The next integer above"
    "clamp"                   MetricsQl Keep Series ROWS_AND_LIMITS "Value, held between two limits"
    "clamp"                   PromQl    Drop Series ROWS_AND_LIMITS "Value, held between two limits"
    "clamp_max"               MetricsQl Keep Series ROWS_AND_NUMBER "Value, not above a limit"
    "clamp_max"               PromQl    Drop Series ROWS_AND_NUMBER "Value, not above a limit"
    "clamp_min"               MetricsQl Keep Series ROWS_AND_NUMBER "Value, not below a limit"
    "clamp_min"               PromQl    Drop Series ROWS_AND_NUMBER "Value, not below a limit"
    "cos"                     Both      Drop Series ROWS "Cosine"
    "cosh"                    Both      Drop Series ROWS "Hyperbolic cosine"
    "day_of_month"            Both      Drop Series TIMES "Day of the month, from 1"
    "day_of_week"             Both      Drop Series TIMES "Day of the week, Sunday is 0"
    "day_of_year"             Both      Drop Series TIMES "Day of the year, from 1"
    "days_in_month"           Both      Drop Series TIMES "How many days the month has"
    "deg"                     Both      Drop Series ROWS "Radians as degrees"
    "drop_empty_series"       MetricsQl Keep Series ROWS "Rows that have values"
    "end"                     MetricsQl Drop Scalar NONE "Last instant of the query, in unix seconds"
    "exp"                     Both      Drop Series ROWS "Power of e"
    "floor"                   MetricsQl Keep Series ROWS "The next integer below"
    "floor"                   PromQl    Drop Series ROWS "The next integer below"
    "histogram_avg"           Both      Drop Series ROWS "Mean of a histogram"
    "histogram_count"         PromQl    Drop Series ROWS "Observations of a native histogram; there are none, so the answer is empty"
    "histogram_fraction"      Both      Drop Series FRACTION_OF_BUCKETS "Share of the observations between two bounds"
    "histogram_quantile"      MetricsQl Drop Series QUANTILE_AND_BOUNDS "Quantile of a histogram, from buckets with `le` or `vmrange`"
    "histogram_quantile"      PromQl    Drop Series QUANTILE_OF_BUCKETS "Quantile of a histogram, from buckets with `le`"
    "histogram_quantiles"     MetricsQl Drop Series QUANTILES_OF_BUCKETS "Several quantiles of a histogram, told apart by a label"
    "histogram_share"         MetricsQl Drop Series SHARE_OF_BUCKETS "Share of the observations below a bound"
    "histogram_stddev"        Both      Drop Series ROWS "Standard deviation of a histogram"
    "histogram_stdvar"        Both      Drop Series ROWS "Variance of a histogram"
    "histogram_sum"           PromQl    Drop Series ROWS "Sum of a native histogram; there are none, so the answer is empty"
    "hour"                    Both      Drop Series TIMES "Hour of the day"
    "interpolate"             MetricsQl Keep Series ROWS "Gaps filled along straight lines"
    "keep_last_value"         MetricsQl Keep Series ROWS "Gaps filled with the value before"
    "keep_next_value"         MetricsQl Keep Series ROWS "Gaps filled with the value behind"
    "limit_offset"            MetricsQl Keep Series LIMIT_OFFSET "So many rows behind so many others"
    "ln"                      Both      Drop Series ROWS "Natural logarithm"
    "log10"                   Both      Drop Series ROWS "Logarithm to base 10"
    "log2"                    Both      Drop Series ROWS "Logarithm to base 2"
    "minute"                  Both      Drop Series TIMES "Minute of the hour"
    "month"                   Both      Drop Series TIMES "Month of the year, from 1"
    "now"                     MetricsQl Drop Scalar NONE "The present time, in unix seconds"
    "pi"                      Both      Drop Scalar NONE "3.14159"
    "prometheus_buckets"      MetricsQl Keep Series ROWS "Buckets with `vmrange` as buckets with `le`"
    "rad"                     Both      Drop Series ROWS "Degrees as radians"
    "rand"                    MetricsQl Drop Scalar SEED "Random numbers from 0 to 1"
    "rand_exponential"        MetricsQl Drop Scalar SEED "Random numbers of an exponential distribution"
    "rand_normal"             MetricsQl Drop Scalar SEED "Random numbers of a normal distribution"
    "range_avg"               MetricsQl Drop Series ROWS "Mean over all instants"
    "range_first"             MetricsQl Keep Series ROWS "First value of all instants"
    "range_last"              MetricsQl Keep Series ROWS "Last value of all instants"
    "range_linear_regression" MetricsQl Keep Series ROWS "The straight line through all instants, by least squares"
    "range_mad"               MetricsQl Keep Series ROWS "Median of the distances from the median, over all instants"
    "range_max"               MetricsQl Drop Series ROWS "Greatest value of all instants"
    "range_median"            MetricsQl Keep Series ROWS "Median over all instants"
    "range_min"               MetricsQl Drop Series ROWS "Least value of all instants"
    "range_normalize"         MetricsQl Keep Series MANY_ROWS "Values stretched to reach from 0 to 1"
    "range_quantile"          MetricsQl Keep Series NUMBER_AND_ROWS "Quantile over all instants"
    "range_stddev"            MetricsQl Keep Series ROWS "Standard deviation over all instants"
    "range_stdvar"            MetricsQl Keep Series ROWS "Variance over all instants"
    "range_sum"               MetricsQl Drop Series ROWS "Sum over all instants"
    "range_trim_outliers"     MetricsQl Keep Series NUMBER_AND_ROWS "Values that are not too many median distances from the median"
    "range_trim_spikes"       MetricsQl Keep Series NUMBER_AND_ROWS "Values without this share of the greatest and of the least"
    "range_trim_zscore"       MetricsQl Keep Series NUMBER_AND_ROWS "Values that are not too many standard deviations from the mean"
    "range_zscore"            MetricsQl Keep Series ROWS "How many standard deviations each value is from the mean"
    "remove_resets"           MetricsQl Keep Series ROWS "Counters that never fall"
    "round"                   MetricsQl Keep Series ROWS_AND_NEAREST "The nearest integer or multiple"
    "round"                   PromQl    Drop Series ROWS_AND_NEAREST "The nearest integer or multiple"
    "ru"                      MetricsQl Drop Series FREE_AND_MAX "How much of a resource is used, in percent"
    "running_avg"             MetricsQl Drop Series ROWS "Mean of all instants so far"
    "running_max"             MetricsQl Drop Series ROWS "Greatest value so far"
    "running_min"             MetricsQl Drop Series ROWS "Least value so far"
    "running_sum"             MetricsQl Drop Series ROWS "Sum so far"
    "scalar"                  Both      Drop Scalar ROWS "The value of the only row; NaN if there are more or none"
    "sgn"                     Both      Drop Series ROWS "-1, 0 or 1"
    "sin"                     Both      Drop Series ROWS "Sine"
    "sinh"                    Both      Drop Series ROWS "Hyperbolic sine"
    "smooth_exponential"      MetricsQl Keep Series ROWS_AND_NUMBER "Moving mean with exponential weights"
    "sort"                    Both      Keep Series ROWS "Rows by value, the least first"
    "sort_desc"               Both      Keep Series ROWS "Rows by value, the greatest first"
    "sqrt"                    Both      Drop Series ROWS "Square root"
    "start"                   MetricsQl Drop Scalar NONE "First instant of the query, in unix seconds"
    "step"                    MetricsQl Drop Scalar NONE "Seconds between two instants of the query"
    "tan"                     Both      Drop Series ROWS "Tangent"
    "tanh"                    Both      Drop Series ROWS "Hyperbolic tangent"
    "time"                    Both      Drop Scalar NONE "Each instant, in unix seconds"
    "timestamp"               PromQl    Drop Series ROWS "Time of the sample, in unix seconds"
    "timezone_offset"         MetricsQl Drop Scalar ZONE "Seconds between a time zone's clocks and UTC"
    "ttf"                     MetricsQl Drop Series ROWS "Seconds until a free resource is used up"
    "union"                   MetricsQl Keep Series UNIONS "All rows; of those with equal labels the first"
    "vector"                  Both      Drop Series NUMBER "A number as a row without labels"
    "year"                    Both      Drop Series TIMES "Year"
};
