//! From points to samples, and from values of attributes to text.

use super::super::histogram::{Bounds, MAX_BUCKETS, RANGE_LABEL, put_label_float, put_range, too_many_buckets};
use super::super::number::put_integer;
use super::super::protobuf::{Fields, Value};
use super::super::rows::{Budget, Labels, RowSink, begin_key, check_label_bytes};
use super::{find_bytes, too_deep};
use crate::encoding::decimal::STALE_NAN;
use crate::error::Result;
use crate::metric::name::NAME_LABEL;

/// Set when a point says that there is no value.
const NO_RECORDED_VALUE: u64 = 1;

/// What a point of any kind holds; lists are kept from point to point for their memory.
#[derive(Default)]
pub(super) struct Point {
    pub(super) nanoseconds: u64,
    pub(super) flags: u64,
    pub(super) value: f64,
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    /// Counts; of a summary the bits of values.
    pub(super) buckets: Vec<u64>,
    /// Bits of bounds; of a summary those of quantiles, of an exponential histogram the counts below zero.
    pub(super) bounds: Vec<u64>,
    pub(super) scale: i32,
    pub(super) offset: i32,
    pub(super) negative_offset: i32,
    pub(super) zero_count: u64,
    pub(super) zero_threshold: f64,
}

impl Point {
    pub(super) fn clear(&mut self) {
        let (mut buckets, mut bounds) = (std::mem::take(&mut self.buckets), std::mem::take(&mut self.bounds));
        buckets.clear();
        bounds.clear();
        *self = Self { buckets, bounds, ..Self::default() };
    }
}

/// Where points go.
pub(super) struct Points<'a> {
    sink: &'a mut dyn RowSink,
    now: i64,
    /// Those of resource, scope and point.
    pub(super) labels: Labels,
    pub(super) point: Point,
    budget: Budget,
    name: Vec<u8>,
    key: Vec<u8>,
}

impl<'a> Points<'a> {
    pub(super) fn new(sink: &'a mut dyn RowSink, now: i64, budget: Budget) -> Self {
        let (labels, point) = (Labels::default(), Point::default());
        Self { sink, now, labels, point, budget, name: Vec::new(), key: Vec::new() }
    }

    pub(super) fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    /// Takes a sample of the series with this suffix, and with this label unless its name is empty.
    fn sample(&mut self, suffix: &[u8], label: &[u8], put_label: impl FnOnce(&mut Vec<u8>), value: f64) -> Result<()> {
        let of_point = self.labels.len();
        let bytes = self.labels.size_bytes() + self.name.len();
        check_label_bytes(bytes)?;
        self.budget.spend(bytes)?;
        if !label.is_empty() {
            self.labels.push_with(|out| out.extend_from_slice(label), put_label);
        }
        let put_name = |out: &mut Vec<u8>| {
            out.extend_from_slice(&self.name);
            out.extend_from_slice(suffix);
        };
        self.labels.push_with(|out| out.extend_from_slice(NAME_LABEL), put_name);
        begin_key(&mut self.key, b'O');
        self.labels.append_key(&mut self.key);
        let series = match self.sink.known(&self.key) {
            Some(series) => Ok(series),
            None => self.sink.learn(&self.key, &self.labels),
        };
        self.labels.truncate(of_point);
        let milliseconds = (self.point.nanoseconds / 1_000_000) as i64;
        let timestamp = if milliseconds == 0 { self.now } else { milliseconds };
        let value = if self.point.flags & NO_RECORDED_VALUE == 0 { value } else { STALE_NAN };
        self.sink.sample(series?, timestamp, value);
        Ok(())
    }

    pub(super) fn take_number(&mut self) -> Result<()> {
        self.sample(b"", b"", |_| {}, self.point.value)
    }

    fn take_count_and_sum(&mut self) -> Result<()> {
        self.sample(b"_count", b"", |_| {}, self.point.count as f64)?;
        match self.point.sum {
            Some(sum) => self.sample(b"_sum", b"", |_| {}, sum),
            None => Ok(()),
        }
    }

    pub(super) fn take_histogram(&mut self) -> Result<()> {
        let bounds = self.point.bounds.len();
        if self.point.buckets.len() != bounds + 1 {
            return Ok(());
        }
        self.take_count_and_sum()?;
        let mut cumulated = 0_u64;
        for at in 0..=bounds {
            cumulated = cumulated.wrapping_add(self.point.buckets[at]);
            let bound = self.point.bounds.get(at).map_or(f64::INFINITY, |bits| f64::from_bits(*bits));
            self.sample(b"_bucket", b"le", |out| put_label_float(bound, out), cumulated as f64)?;
        }
        Ok(())
    }

    pub(super) fn take_exponential(&mut self) -> Result<()> {
        let is_filled = |counts: &[u64]| counts.iter().filter(|count| **count > 0).count() > MAX_BUCKETS;
        if is_filled(&self.point.buckets) || is_filled(&self.point.bounds) {
            return Err(too_many_buckets());
        }
        self.take_count_and_sum()?;
        let threshold = self.point.zero_threshold;
        if self.point.zero_count > 0 {
            let count = self.point.zero_count as f64;
            self.sample(b"_bucket", RANGE_LABEL, |out| put_range(-threshold, threshold, out), count)?;
        }
        for is_negative in [false, true] {
            let bounds = Bounds::of(self.point.scale, is_negative);
            let (len, offset) = match is_negative {
                false => (self.point.buckets.len(), self.point.offset),
                true => (self.point.bounds.len(), self.point.negative_offset),
            };
            for at in 0..len {
                let count = if is_negative { self.point.bounds[at] } else { self.point.buckets[at] };
                if count > 0 {
                    // A bucket's index here is that of its lower bound.
                    let end = i64::from(offset) + at as i64 + 1;
                    self.sample(b"_bucket", RANGE_LABEL, |out| bounds.put(end, out), count as f64)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn take_summary(&mut self) -> Result<()> {
        self.take_count_and_sum()?;
        for at in 0..self.point.bounds.len() {
            let quantile = f64::from_bits(self.point.bounds[at]);
            let value = f64::from_bits(self.point.buckets[at]);
            self.sample(b"", b"quantile", |out| put_label_float(quantile, out), value)?;
        }
        Ok(())
    }
}

/// Appends the value in a field of an attribute's value as text; inside of lists as JSON.
pub(super) fn put_value(number: u32, value: Value<'_>, depth: u32, is_json: bool, out: &mut Vec<u8>) -> Result<()> {
    match number {
        1 => put_string(value.bytes()?, out),
        2 => out.extend_from_slice(if value.varint()? != 0 { b"true" } else { b"false" }),
        3 => put_integer(value.varint()? as i64, out),
        4 => match value.double()? {
            // JSON has no such numbers.
            special if is_json && !special.is_finite() => {
                out.push(b'"');
                put_label_float(special, out);
                out.push(b'"');
            }
            number => put_label_float(number, out),
        },
        5 => put_list(value.bytes()?, depth, out)?,
        6 => put_object(value.bytes()?, depth, out)?,
        7 => {
            let quotes: &[u8] = if is_json { b"\"" } else { b"" };
            out.extend_from_slice(quotes);
            put_base64(value.bytes()?, out);
            out.extend_from_slice(quotes);
        }
        _ => {}
    }
    Ok(())
}

/// Appends a value of an attribute as JSON; without any it is null.
fn put_json(message: &[u8], depth: u32, out: &mut Vec<u8>) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else { return Err(too_deep()) };
    let mut last = None;
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        last = if (1..=7).contains(&number) { Some((number, value)) } else { last };
    }
    match last {
        Some((number, value)) => put_value(number, value, depth, true, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

fn put_list(message: &[u8], depth: u32, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'[');
    let start = out.len();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            if out.len() > start {
                out.push(b',');
            }
            put_json(value.bytes()?, depth, out)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn put_object(message: &[u8], depth: u32, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'{');
    let start = out.len();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            let entry = value.bytes()?;
            let (Some(key), Some(value)) = (find_bytes(entry, 1)?, find_bytes(entry, 2)?) else { continue };
            if out.len() > start {
                out.push(b',');
            }
            put_string(key, out);
            out.push(b':');
            put_json(value, depth, out)?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn put_string(text: &[u8], out: &mut Vec<u8>) {
    // Writing to memory does not fail, and texts always can be written.
    let _ = serde_json::to_writer(out, &String::from_utf8_lossy(text));
}

fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let shift = 18 - 6 * digit;
            let is_padding = digit as usize > chunk.len();
            out.push(if is_padding { b'=' } else { DIGITS[(bits >> shift & 63) as usize] });
        }
    }
}
