//! Metrics of OpenTelemetry as OTLP/HTTP carries them, protobuf and JSON, with names and labels as the server makes them
//! (1.150 and its defaults).
//!
//! - Names of metrics and attributes stay as they are. Attributes of the resource, of the scope (as `scope.name`, `scope.version` and
//!   `scope.attributes.` and their keys) and of the point become labels; the innermost wins. Lists become JSON, nested attributes are apart by points.
//! - Gauges and sums are one series each. A histogram is `_count`, `_sum` and cumulated `_bucket` with `le`; one without buckets, or with
//!   a wrong number of bounds, is left out. An exponential histogram is `_count`, `_sum` and `_bucket` with `vmrange`. A summary
//!   is `_sum`, `_count`, and one series with `quantile` for each.
//! - Points whose flag says that nothing was recorded are stale markers. Deltas are taken as they are.
//!
//! Otherwise than on the server, JSON is read, a point without a time is one of now, and what can't be read is refused alone. So is what
//! has more labels than any can be looked up by: nested attributes repeat what they lie in, and all points what their resource has.

mod json;
mod points;

use super::Refused;
use super::protobuf::{Fields, Value};
use super::rows::{Budget, Labels, RowSink, check_label_bytes};
use crate::error::{Error, Result};
use points::{Point, Points};

/// How deep values of attributes may be nested.
const MAX_DEPTH: u32 = 32;

/// Reads a whole request: JSON when it begins with a brace, else protobuf. `now` is for points without a time.
pub fn parse(body: &[u8], now: i64, refused: &mut Refused, sink: &mut dyn RowSink) {
    let mut read = |body: &[u8], refused: &mut Refused| {
        Reader { points: Points::new(sink, now, Budget::of_message(body.len())), refused }.request(body);
    };
    if !body.trim_ascii_start().starts_with(b"{") {
        return read(body, refused);
    }
    match json::to_protobuf(body) {
        Ok(body) => read(&body, refused),
        Err(error) => refused.add(0, || error.message().to_owned()),
    }
}

struct Reader<'a> {
    points: Points<'a>,
    refused: &'a mut Refused,
}

/// The last field of this number.
fn find(message: &[u8], wanted: u32) -> Result<Option<Value<'_>>> {
    let mut found = None;
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        found = if number == wanted { Some(value) } else { found };
    }
    Ok(found)
}

fn find_bytes(message: &[u8], wanted: u32) -> Result<Option<&[u8]>> {
    find(message, wanted)?.map(Value::bytes).transpose()
}

impl Reader<'_> {
    /// Calls `read` for the messages in a field; one that can't be read is refused, and the next is tried.
    fn each(&mut self, message: &[u8], wanted: u32, what: &str, read: &mut dyn FnMut(&mut Self, &[u8]) -> Result<()>) {
        let mut fields = Fields::of(message);
        let refuse = |reader: &mut Self, error: Error| reader.refused.add(0, || error.at(what).message().to_owned());
        loop {
            match fields.next() {
                Ok(None) => return,
                Ok(Some((number, value))) if number == wanted => {
                    if let Err(error) = value.bytes().and_then(|message| read(self, message)) {
                        refuse(self, error);
                    }
                }
                Ok(Some(_)) => {}
                Err(error) => return refuse(self, error),
            }
        }
    }

    fn request(&mut self, body: &[u8]) {
        self.each(body, 1, "the metrics of a resource", &mut |reader, message| {
            reader.points.labels.clear();
            if let Some(resource) = find_bytes(message, 1)? {
                attributes(resource, 1, b"", &mut reader.points.labels)?;
            }
            let of_resource = reader.points.labels.len();
            reader.each(message, 2, "the metrics of a scope", &mut |reader, message| {
                reader.points.labels.truncate(of_resource);
                reader.scope(message)
            });
            Ok(())
        });
    }

    fn scope(&mut self, message: &[u8]) -> Result<()> {
        if let Some(scope) = find_bytes(message, 1)? {
            let text = |number| Ok::<_, Error>(find_bytes(scope, number)?.unwrap_or(b"unknown"));
            let (name, version) = (text(1)?, text(2)?);
            check_label_bytes(self.points.labels.size_bytes() + name.len() + version.len())?;
            self.points.labels.push(b"scope.name", name);
            self.points.labels.push(b"scope.version", version);
            attributes(scope, 3, b"scope.attributes", &mut self.points.labels)?;
        }
        let of_scope = self.points.labels.len();
        self.each(message, 2, "a metric", &mut |reader, message| {
            reader.points.labels.truncate(of_scope);
            reader.metric(message)
        });
        Ok(())
    }

    fn metric(&mut self, message: &[u8]) -> Result<()> {
        let name = find_bytes(message, 1)?.filter(|name| !name.is_empty());
        let Some(name) = name else { return Err(Error::invalid("a metric has no name")) };
        self.points.set_name(name);
        let of_metric = self.points.labels.len();
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.next()? {
            let read: fn(&mut Point, &[u8], &mut Labels) -> Result<()> = match number {
                5 | 7 => read_number,
                9 => read_histogram,
                10 => read_exponential,
                11 => read_summary,
                _ => continue,
            };
            self.each(value.bytes()?, 1, "a point", &mut |reader, message| {
                let Points { labels, point, .. } = &mut reader.points;
                labels.truncate(of_metric);
                point.clear();
                read(point, message, labels)?;
                match number {
                    9 => reader.points.take_histogram(),
                    10 => reader.points.take_exponential(),
                    11 => reader.points.take_summary(),
                    _ => reader.points.take_number(),
                }
            });
        }
        Ok(())
    }
}

fn read_number(point: &mut Point, message: &[u8], labels: &mut Labels) -> Result<()> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            3 => point.nanoseconds = value.fixed64()?,
            4 => point.value = value.double()?,
            6 => point.value = value.fixed64()? as i64 as f64,
            7 => key_value(value.bytes()?, &mut Vec::new(), labels, MAX_DEPTH)?,
            8 => point.flags = value.varint()?,
            _ => {}
        }
    }
    Ok(())
}

fn read_histogram(point: &mut Point, message: &[u8], labels: &mut Labels) -> Result<()> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            3 => point.nanoseconds = value.fixed64()?,
            4 => point.count = value.fixed64()?,
            5 => point.sum = Some(value.double()?),
            6 => value.append_fixed64s(&mut point.buckets)?,
            7 => value.append_fixed64s(&mut point.bounds)?,
            9 => key_value(value.bytes()?, &mut Vec::new(), labels, MAX_DEPTH)?,
            10 => point.flags = value.varint()?,
            _ => {}
        }
    }
    Ok(())
}

fn read_exponential(point: &mut Point, message: &[u8], labels: &mut Labels) -> Result<()> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key_value(value.bytes()?, &mut Vec::new(), labels, MAX_DEPTH)?,
            3 => point.nanoseconds = value.fixed64()?,
            4 => point.count = value.fixed64()?,
            5 => point.sum = Some(value.double()?),
            6 => point.scale = value.sint32()?,
            7 => point.zero_count = value.fixed64()?,
            8 => read_buckets(value.bytes()?, &mut point.offset, &mut point.buckets)?,
            9 => read_buckets(value.bytes()?, &mut point.negative_offset, &mut point.bounds)?,
            10 => point.flags = value.varint()?,
            14 => point.zero_threshold = value.double()?,
            _ => {}
        }
    }
    Ok(())
}

fn read_buckets(message: &[u8], offset: &mut i32, counts: &mut Vec<u64>) -> Result<()> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => *offset = value.sint32()?,
            2 => value.append_varints(counts)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_summary(point: &mut Point, message: &[u8], labels: &mut Labels) -> Result<()> {
    point.sum = Some(0.0);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            3 => point.nanoseconds = value.fixed64()?,
            4 => point.count = value.fixed64()?,
            5 => point.sum = Some(value.double()?),
            6 => {
                let quantile = value.bytes()?;
                for (field, out) in [(1, &mut point.bounds), (2, &mut point.buckets)] {
                    out.push(find(quantile, field)?.map_or(Ok(0), Value::fixed64)?);
                }
            }
            7 => key_value(value.bytes()?, &mut Vec::new(), labels, MAX_DEPTH)?,
            8 => point.flags = value.varint()?,
            _ => {}
        }
    }
    Ok(())
}

/// Adds the attributes in a field as labels, with a prefix unless that is empty.
fn attributes(message: &[u8], wanted: u32, prefix: &[u8], labels: &mut Labels) -> Result<()> {
    let mut prefix = prefix.to_vec();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == wanted {
            key_value(value.bytes()?, &mut prefix, labels, MAX_DEPTH)?;
        }
    }
    Ok(())
}

/// Adds an attribute, or those that are nested in it; `prefix` is what it lies in, and the same afterwards.
fn key_value(message: &[u8], prefix: &mut Vec<u8>, labels: &mut Labels, depth: u32) -> Result<()> {
    let (Some(key), Some(value)) = (find_bytes(message, 1)?, find_bytes(message, 2)?) else { return Ok(()) };
    let Some(depth) = depth.checked_sub(1) else { return Err(too_deep()) };
    let put = |labels: &mut Labels, prefix: &[u8], text: &[u8]| {
        check_label_bytes(labels.size_bytes() + prefix.len() + key.len() + text.len())?;
        let put_name = |out: &mut Vec<u8>| {
            if !prefix.is_empty() {
                out.extend_from_slice(prefix);
                out.push(b'.');
            }
            out.extend_from_slice(key);
        };
        labels.push_with(put_name, |out| out.extend_from_slice(text));
        Ok(())
    };
    let mut fields = Fields::of(value);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => put(labels, prefix, value.bytes().unwrap_or_default())?,
            6 => nested(value.bytes()?, key, prefix, labels, depth)?,
            2..=5 | 7 => {
                let mut text = Vec::new();
                points::put_value(number, value, depth, false, &mut text)?;
                put(labels, prefix, &text)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Adds the attributes that are nested in the one with this key.
fn nested(message: &[u8], key: &[u8], prefix: &mut Vec<u8>, labels: &mut Labels, depth: u32) -> Result<()> {
    let outer = prefix.len();
    if outer > 0 {
        prefix.push(b'.');
    }
    prefix.extend_from_slice(key);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            key_value(value.bytes()?, prefix, labels, depth)?;
        }
    }
    prefix.truncate(outer);
    Ok(())
}

#[cold]
fn too_deep() -> Error {
    Error::invalid(format!("values of attributes are nested at most {MAX_DEPTH} deep"))
}

#[cfg(test)]
mod tests;
