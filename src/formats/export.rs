//! Series on their way out, in any of the formats that the server exports.

use super::csv::CsvColumns;
use super::jsonl;
use super::native::{self, Layout};
use super::number::{put_float, put_integer};
use super::remote_writer;
use crate::error::Result;
use crate::metric::name::MetricName;
use crate::time::TimeRange;

/// The formats of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line.
    #[default]
    JsonLines,
    /// Prometheus text with timestamps.
    Prometheus,
    /// Comma-separated values.
    Csv(CsvColumns),
    /// The server's own.
    Native(Layout),
    /// Prometheus' remote write. What has been written becomes a body in [`ExportFormat::finish`].
    RemoteWrite,
}

impl ExportFormat {
    /// Appends what stands before all series.
    pub fn begin(&self, range: TimeRange, out: &mut Vec<u8>) {
        if let Self::Native(_) = self {
            // The server's own exports begin with the epoch; below it there is nothing to export.
            native::write_range(TimeRange { min: range.min.max(0), max: range.max.max(0) }, out);
        }
    }

    /// Appends samples of one series; timestamps go up, the columns have the same length.
    ///
    /// # Errors
    /// What the compression of the native format says.
    pub fn write(&self, name: &MetricName, timestamps: &[i64], values: &[f64], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::JsonLines => jsonl::write_export_line(name, timestamps, values, out),
            Self::Prometheus => write_prometheus(name, timestamps, values, out),
            Self::Csv(columns) => columns.write(name, timestamps, values, out),
            Self::Native(layout) => native::write_series(*layout, name, timestamps, values, out)?,
            Self::RemoteWrite => remote_writer::write_series(name, timestamps, values, out),
        }
        Ok(())
    }

    /// Ends what was begun and written.
    pub fn finish(&self, out: &mut Vec<u8>) {
        if let Self::RemoteWrite = self {
            remote_writer::finish(out);
        }
    }
}

fn write_prometheus(name: &MetricName, timestamps: &[i64], values: &[f64], out: &mut Vec<u8>) {
    let mut series = Vec::new();
    put_series(name, &mut series);
    for (&timestamp, &value) in timestamps.iter().zip(values) {
        out.extend_from_slice(&series);
        out.push(b' ');
        match value.is_nan() {
            true => out.extend_from_slice(b"NaN"),
            false => put_float(value, out),
        }
        out.push(b' ');
        put_integer(timestamp, out);
        out.push(b'\n');
    }
}

/// Appends `name{label="value",...}`. A name that would end too early stands in quotes, which servers from 1.117 on read.
fn put_series(name: &MetricName, out: &mut Vec<u8>) {
    let is_plain = |name: &[u8]| {
        !name.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'}' | b'"' | b'=' | b',' | b'#'))
    };
    let is_name_plain = is_plain(&name.metric_group);
    if is_name_plain {
        out.extend_from_slice(&name.metric_group);
    }
    let has_quoted_name = !is_name_plain;
    if !has_quoted_name && name.tags.is_empty() {
        return;
    }
    out.push(b'{');
    if has_quoted_name {
        put_quoted(&name.metric_group, out);
    }
    for (at, (label, value)) in name.tags.iter().enumerate() {
        if at > 0 || has_quoted_name {
            out.push(b',');
        }
        match is_plain(label) {
            true => out.extend_from_slice(label),
            false => put_quoted(label, out),
        }
        out.push(b'=');
        put_quoted(value, out);
    }
    out.push(b'}');
}

fn put_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::{Refused, prometheus};
    use super::*;

    #[test]
    fn prometheus_text_is_read_back() {
        let names: [&[(&str, &str)]; 4] = [
            &[("__name__", "m")],
            &[("__name__", "m.n:o"), ("a", "b\n\"c\" \\ {}"), ("é", "ü")],
            &[("__name__", "two words"), ("b", "c")],
            &[("__name__", "quoted \"m\"{}"), ("a=b", "c"), ("d,e}", "f")],
        ];
        for labels in names {
            let name = MetricName::from_labels(labels.iter().copied());
            let mut out = Vec::new();
            ExportFormat::Prometheus.write(&name, &[1_710_000_000_000, -5], &[-0.5, f64::INFINITY], &mut out).unwrap();
            let (mut read, mut refused) = (Vec::new(), Refused::default());
            prometheus::parse(&out, 1, &mut refused, &mut |sample: prometheus::Sample<'_>| {
                let labels = prometheus::parse_series(sample.series)?;
                let labels = labels.iter().map(|(label, value)| (&label[..], &value[..]));
                read.push((MetricName::from_labels(labels), sample.timestamp, sample.value));
                Ok(())
            });
            assert_eq!(refused, Refused::default());
            // Below 2^31, timestamps of a text are seconds.
            let expected = [(name.clone(), Some(1_710_000_000_000), -0.5), (name, Some(-5000), f64::INFINITY)];
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn plain_names_are_not_quoted() {
        let mut out = Vec::new();
        put_series(&MetricName::from_labels([("__name__", "m-n"), ("a.b", "c")]), &mut out);
        assert_eq!(out, b"m-n{a.b=\"c\"}");
    }
}
