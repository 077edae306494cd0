//! Series as Prometheus' remote write (version 1) takes them: `WriteRequest { series }`, of which each has its labels sorted by name and
//! its samples by time, as one block of snappy. [`super::remote_write`] reads the same.

use super::protobuf::{int64_len, len_of_bytes, put_bytes, put_double, put_int64, put_len};
use crate::encoding::snappy;
use crate::metric::name::MetricName;
use std::borrow::Cow;

/// Numbers of the fields of the messages.
mod field {
    pub const SERIES: u32 = 1;
    pub const LABEL: u32 = 1;
    pub const SAMPLE: u32 = 2;
    pub const NAME: u32 = 1;
    pub const LABEL_VALUE: u32 = 2;
    pub const VALUE: u32 = 1;
    pub const TIMESTAMP: u32 = 2;
}

/// Bytes of a value with its tag.
const VALUE_LEN: usize = 9;

/// Appends samples of one series; timestamps go up, the columns have the same length. Bytes of labels that are no UTF-8, which
/// protobuf has no room for, become U+FFFD.
pub fn write_series(name: &MetricName, timestamps: &[i64], values: &[f64], out: &mut Vec<u8>) {
    let mut labels: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        name.labels().map(|(label, value)| (String::from_utf8_lossy(label), String::from_utf8_lossy(value))).collect();
    labels.sort();
    let of_label = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| len_of_bytes(name.len()) + len_of_bytes(value.len());
    let of_sample = |timestamp: &i64| VALUE_LEN + 1 + int64_len(*timestamp);
    let labels_len: usize = labels.iter().map(|label| len_of_bytes(of_label(label))).sum();
    let samples_len: usize = timestamps.iter().map(|timestamp| len_of_bytes(of_sample(timestamp))).sum();
    put_len(field::SERIES, labels_len + samples_len, out);
    for label in &labels {
        put_len(field::LABEL, of_label(label), out);
        put_bytes(field::NAME, label.0.as_bytes(), out);
        put_bytes(field::LABEL_VALUE, label.1.as_bytes(), out);
    }
    for (timestamp, value) in timestamps.iter().zip(values) {
        put_len(field::SAMPLE, of_sample(timestamp), out);
        put_double(field::VALUE, *value, out);
        put_int64(field::TIMESTAMP, *timestamp, out);
    }
}

/// Makes of series that were written a whole body.
pub fn finish(body: &mut Vec<u8>) {
    *body = snappy::compress(body);
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::Kept;
    use super::super::{Refused, remote_write};
    use super::*;
    use crate::encoding::decimal::STALE_NAN;

    #[test]
    fn what_is_written_is_read_back() {
        let name = |label: &str| MetricName::from_labels([("__name__", "m"), ("job", "j"), ("A", label), ("", "")]);
        let timestamps = [i64::MIN, -1, 0, 1_710_000_000_000, i64::MAX];
        let values = [-0.0, 1e-300, f64::INFINITY, STALE_NAN, 0.1];
        let mut body = Vec::new();
        write_series(&name("x"), &timestamps, &values, &mut body);
        let long: Vec<i64> = (0..5000).collect();
        let counted: Vec<f64> = long.iter().map(|at| *at as f64).collect();
        write_series(&name(&"y".repeat(200)), &long, &counted, &mut body);
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        remote_write::parse(&body, &mut refused, &mut kept);
        assert_eq!(refused, Refused::default());
        let of = |label: &str| {
            let (_, samples) = kept.samples.iter().find(|(series, _)| series.contains(label)).unwrap();
            samples.iter().map(|(at, value)| (*at, value.to_bits())).collect::<Vec<_>>()
        };
        let bits = |timestamps: &[i64], values: &[f64]| {
            timestamps.iter().zip(values).map(|(at, value)| (*at, value.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(of("=x"), bits(&timestamps, &values));
        assert_eq!(of("yyy"), bits(&long, &counted));
        // Receivers refuse labels that are out of order.
        let at = |text: &[u8]| body.windows(text.len()).position(|window| window == text).unwrap();
        assert!(at(b"A") < at(b"__name__") && at(b"__name__") < at(b"job"));
        let (content, mut read) = (body.clone(), Vec::new());
        finish(&mut body);
        let mut decompressor =
            super::super::compression::Decompressor::new(super::super::compression::Compression::Snappy, true);
        decompressor.feed(body);
        decompressor.finish();
        while decompressor.step(|content| read.extend_from_slice(content)).unwrap()
            != super::super::compression::Step::End
        {}
        assert_eq!(read, content);
    }
}
