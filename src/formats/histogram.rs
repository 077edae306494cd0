//! Histograms whose buckets grow by a fixed ratio, as series that the server makes of them: `name_count`, `name_sum`, and for each
//! bucket that isn't empty `name_bucket` with its bounds in the label `vmrange`.

use super::number::put_float;
use super::rows::{Labels, RowSink, put_counted, series_of};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::name::NAME_LABEL;

/// The label that holds both bounds of a bucket.
pub(super) const RANGE_LABEL: &[u8] = b"vmrange";

/// The most buckets of one sign that aren't empty. Each is a series with all labels of its histogram, which a body of a few bytes could
/// ask for a million times.
pub(super) const MAX_BUCKETS: usize = 1000;

#[cold]
pub(super) fn too_many_buckets() -> Error {
    Error::new(ErrorKind::Limit, format!("a histogram has at most {MAX_BUCKETS} buckets of one sign"))
}

/// Appends a float without exponent, as values of labels have it.
pub(super) fn put_label_float(value: f64, out: &mut Vec<u8>) {
    match value {
        _ if value.is_nan() => out.extend_from_slice(b"NaN"),
        0.0 if value.is_sign_negative() => out.extend_from_slice(b"-0"),
        _ => put_float(value, out),
    }
}

/// Appends `lower...upper`, each with four digits and an exponent of at least two.
pub(super) fn put_range(lower: f64, upper: f64, out: &mut Vec<u8>) {
    put_scientific(lower, out);
    out.extend_from_slice(b"...");
    put_scientific(upper, out);
}

fn put_scientific(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        return put_label_float(value, out);
    }
    let text = format!("{value:.3e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
    out.extend_from_slice(format!("{mantissa}e{sign}{digits:0>2}").as_bytes());
}

/// The buckets of one sign: the bucket of index `i` ends at `2^(i / 2^scale)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Logarithm of the ratio between neighbours.
    ratio: f64,
    is_negative: bool,
}

impl Bounds {
    pub(super) fn of(scale: i32, is_negative: bool) -> Self {
        Self { ratio: (-f64::from(scale)).exp2(), is_negative }
    }

    /// Appends the bounds of the bucket that ends at this index, counted from 0.
    pub(super) fn put(self, end: i64, out: &mut Vec<u8>) {
        let upper = (end as f64 * self.ratio).exp2();
        let lower = upper / self.ratio.exp2();
        if self.is_negative { put_range(-upper, -lower, out) } else { put_range(lower, upper, out) }
    }
}

/// Makes series of one histogram at a time, all of which have some labels in common.
#[derive(Default)]
pub(super) struct HistogramSeries {
    key: Vec<u8>,
    extra: Vec<u8>,
    labels: Labels,
}

impl HistogramSeries {
    /// Takes a sample of the series `name` + `suffix`, with the label `extra` unless its name is empty. `base_key` stands for the labels in
    /// common, which `fill` adds without the name.
    pub(super) fn sample(
        &mut self,
        sink: &mut dyn RowSink,
        (base_key, name, suffix): (&[u8], &[u8], &[u8]),
        (extra_name, put_extra): (&[u8], &dyn Fn(&mut Vec<u8>)),
        (timestamp, value): (i64, f64),
        fill: &dyn Fn(&mut Labels) -> Result<()>,
    ) -> Result<()> {
        let Self { key, extra, labels } = self;
        extra.clear();
        if !extra_name.is_empty() {
            put_extra(extra);
        }
        key.clear();
        key.extend_from_slice(base_key);
        // No text has this length, so that what follows is not taken for more labels in common.
        key.extend_from_slice(&u32::MAX.to_le_bytes());
        put_counted(key, suffix);
        put_counted(key, extra_name);
        key.extend_from_slice(extra);
        let series = series_of(sink, key, labels, |labels| {
            fill(labels)?;
            if !extra_name.is_empty() {
                labels.push(extra_name, extra);
            }
            let put_name = |out: &mut Vec<u8>| {
                out.extend_from_slice(name);
                out.extend_from_slice(suffix);
            };
            labels.push_with(|out| out.extend_from_slice(NAME_LABEL), put_name);
            Ok(())
        })?;
        sink.sample(series, timestamp, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ranges_are_spelt_as_the_server_does() {
        for (scale, end, range) in [
            (0, 1, "1.000e+00...2.000e+00"),
            (0, 0, "5.000e-01...1.000e+00"),
            (-1, 2, "4.000e+00...1.600e+01"),
            (3, 1, "1.000e+00...1.091e+00"),
            (0, 400, "1.291e+120...2.582e+120"),
            (0, 2000, "+Inf...+Inf"),
        ] {
            assert_eq!(text(|out| Bounds::of(scale, false).put(end, out)), range);
        }
        assert_eq!(text(|out| Bounds::of(0, true).put(1, out)), "-2.000e+00...-1.000e+00");
        assert_eq!(text(|out| put_range(-0.0, 1e-7, out)), "-0.000e+00...1.000e-07");
    }

    #[test]
    fn floats_have_no_exponent_in_labels() {
        for (value, expected) in
            [(0.5, "0.5"), (1e21, "1000000000000000000000"), (-0.0, "-0"), (f64::NAN, "NaN"), (f64::INFINITY, "+Inf")]
        {
            assert_eq!(text(|out| put_label_float(value, out)), expected);
        }
    }
}
