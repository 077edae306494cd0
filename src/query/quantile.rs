//! Quantiles of values in memory.

/// The quantile of sorted values; between two of them it is interpolated. NaN without values or without a quantile.
pub fn of_sorted(quantile: f64, sorted: &[f64]) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    if quantile.is_nan() {
        f64::NAN
    } else if quantile < 0.0 {
        f64::NEG_INFINITY
    } else if quantile > 1.0 {
        f64::INFINITY
    } else {
        let rank = quantile * last as f64;
        let below = (rank.floor() as usize).min(last);
        let above = (below + 1).min(last);
        let weight = rank - rank.floor();
        sorted[below] * (1.0 - weight) + sorted[above] * weight
    }
}

/// The quantile of values in any order, of which NaNs are left out. `scratch` is overwritten.
pub fn of(quantile: f64, values: impl Iterator<Item = f64>, scratch: &mut Vec<f64>) -> f64 {
    sort_into(values, scratch);
    of_sorted(quantile, scratch)
}

/// Puts the values that are not NaN into `scratch`, sorted.
pub fn sort_into(values: impl Iterator<Item = f64>, scratch: &mut Vec<f64>) {
    scratch.clear();
    scratch.extend(values.filter(|value| !value.is_nan()));
    scratch.sort_unstable_by(f64::total_cmp);
}

/// The median distance from the median.
pub fn median_deviation(values: impl Iterator<Item = f64> + Clone, scratch: &mut Vec<f64>) -> f64 {
    let median = of(0.5, values.clone(), scratch);
    of(0.5, values.map(|value| (value - median).abs()), scratch)
}
