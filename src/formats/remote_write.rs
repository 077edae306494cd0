//! Prometheus' remote write, both versions, as the server's `/api/v1/write` reads it: a protobuf message, uncompressed here.
//!
//! Taken over from the server: timestamps are milliseconds; NaNs are kept with their bits, so that the stale marker is one; metadata and
//! exemplars aren't kept. Native histograms become series as those of [`super::histogram`], as on later servers (1.150). Version 2 of the
//! protocol, which no server of this kind reads, gives the same series as version 1.
//!
//! A series that can't be read is refused, and its neighbours are taken. So is one with more labels than any can be looked up by: of
//! version 2, a few bytes may name a long text any number of times.

use super::Refused;
use super::histogram::{Bounds, HistogramSeries, MAX_BUCKETS, RANGE_LABEL, put_range, too_many_buckets};
use super::protobuf::Fields;
use super::rows::{Budget, Labels, RowSink, begin_key, check_label_bytes, put_counted, series_of};
use crate::error::{Error, Result};
use crate::metric::name::NAME_LABEL;

/// Scales of histograms whose buckets grow by a fixed ratio.
const SCALES: std::ops::RangeInclusive<i32> = -4..=8;

/// Fields of a request.
mod request {
    pub const SERIES: u32 = 1;
    pub const SYMBOLS_V2: u32 = 4;
    pub const SERIES_V2: u32 = 5;
}

/// Reads a whole request.
pub fn parse(body: &[u8], refused: &mut Refused, sink: &mut dyn RowSink) {
    let mut reader = Reader { budget: Budget::of_message(body.len()), ..Reader::default() };
    // Of version 2, texts come first, but nothing forces a writer to send them so.
    let mut fields = Fields::of(body);
    while let Ok(Some((number, value))) = fields.next() {
        if let (request::SYMBOLS_V2, Ok(symbol)) = (number, value.bytes()) {
            let start = symbol.as_ptr() as usize - body.as_ptr() as usize;
            reader.symbols.push([start as u32, (start + symbol.len()) as u32]);
        }
    }
    let mut fields = Fields::of(body);
    loop {
        let series = match fields.next() {
            Ok(None) => return,
            Ok(Some((number @ (request::SERIES | request::SERIES_V2), value))) => {
                let is_v2 = number == request::SERIES_V2;
                value.bytes().and_then(|message| reader.read_series(message, is_v2.then_some(body), sink))
            }
            Ok(Some(_)) => continue,
            Err(error) => {
                refused.add(0, || error.message().to_owned());
                return;
            }
        };
        if let Err(error) = series {
            refused.add(0, || error.at("a series of a remote write").message().to_owned());
        }
    }
}

#[derive(Default)]
struct Reader {
    /// Where texts of version 2 begin and end in the body.
    symbols: Vec<[u32; 2]>,
    /// Positions of names and values among the texts, of the series that is read.
    references: Vec<u64>,
    budget: Budget,
    key: Vec<u8>,
    labels: Labels,
    timestamps: Vec<i64>,
    values: Vec<f64>,
    histogram: Histogram,
    histogram_series: HistogramSeries,
}

impl Reader {
    /// Reads a series; of version 2 when a body is given that holds its texts.
    fn read_series(&mut self, message: &[u8], body: Option<&[u8]>, sink: &mut dyn RowSink) -> Result<()> {
        self.references.clear();
        self.timestamps.clear();
        self.values.clear();
        let mut histograms = 0_u32;
        // A text of version 2 may be what a whole label is in version 1.
        begin_key(&mut self.key, if body.is_some() { b'S' } else { b'R' });
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.next()? {
            match (number, body) {
                (1, None) => put_counted(&mut self.key, value.bytes()?),
                (1, Some(_)) => value.append_varints(&mut self.references)?,
                (2, _) => {
                    let (timestamp, value) = read_sample(value.bytes()?)?;
                    self.timestamps.push(timestamp);
                    self.values.push(value);
                }
                (4, None) | (3, Some(_)) => histograms += 1,
                _ => {}
            }
        }
        if let Some(body) = body {
            for &reference in &self.references {
                let text = symbol(body, &self.symbols, reference)?;
                check_label_bytes(self.key.len() + text.len())?;
                put_counted(&mut self.key, text);
            }
        }
        check_label_bytes(self.key.len())?;
        self.budget.spend(self.key.len())?;
        if !self.timestamps.is_empty() {
            let (symbols, references) = (&self.symbols, &self.references);
            let fill = |labels: &mut Labels| match body {
                Some(body) => fill_labels_v2(labels, body, symbols, references),
                None => fill_labels(labels, message),
            };
            let series = series_of(sink, &self.key, &mut self.labels, fill)?;
            sink.samples(series, &self.timestamps, &self.values);
        }
        if histograms > 0 {
            self.read_histograms(message, body, sink)?;
        }
        Ok(())
    }

    fn read_histograms(&mut self, message: &[u8], body: Option<&[u8]>, sink: &mut dyn RowSink) -> Result<()> {
        let mut all = Labels::default();
        match body {
            Some(body) => fill_labels_v2(&mut all, body, &self.symbols, &self.references)?,
            None => fill_labels(&mut all, message)?,
        }
        let mut name = None;
        for (label, value) in all.iter() {
            name = if label == NAME_LABEL { Some(value) } else { name };
        }
        let Some(name) = name else { return Err(Error::invalid("a histogram has no name")) };
        let field = if body.is_some() { 3 } else { 4 };
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.next()? {
            if number == field {
                self.histogram.read(value.bytes()?)?;
                let Self { histogram, histogram_series, budget, key, .. } = self;
                histogram.write(key, name, &all, histogram_series, budget, sink)?;
            }
        }
        Ok(())
    }
}

fn symbol<'a>(body: &'a [u8], symbols: &[[u32; 2]], reference: u64) -> Result<&'a [u8]> {
    let found = usize::try_from(reference).ok().and_then(|at| symbols.get(at));
    let found = found.and_then(|&[start, end]| body.get(start as usize..end as usize));
    found.ok_or_else(|| Error::corrupt(format!("a label is text {reference} of {}", symbols.len())))
}

fn fill_labels_v2(labels: &mut Labels, body: &[u8], symbols: &[[u32; 2]], references: &[u64]) -> Result<()> {
    let (pairs, []) = references.as_chunks::<2>() else {
        return Err(Error::corrupt("the last label of a series has a name and no value"));
    };
    for &[name, value] in pairs {
        labels.push(symbol(body, symbols, name)?, symbol(body, symbols, value)?);
    }
    Ok(())
}

/// The labels of a series of version 1.
fn fill_labels(labels: &mut Labels, message: &[u8]) -> Result<()> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let (mut name, mut text) = (&b""[..], &b""[..]);
        let mut label = Fields::of(value.bytes()?);
        while let Some((number, value)) = label.next()? {
            match number {
                1 => name = value.bytes()?,
                2 => text = value.bytes()?,
                _ => {}
            }
        }
        labels.push(name, text);
    }
    Ok(())
}

#[inline]
fn read_sample(message: &[u8]) -> Result<(i64, f64)> {
    let (mut timestamp, mut sample) = (0, 0.0);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => sample = value.double()?,
            2 => timestamp = value.varint()? as i64,
            _ => {}
        }
    }
    Ok((timestamp, sample))
}

/// A native histogram at one instant.
#[derive(Default)]
struct Histogram {
    timestamp: i64,
    count: f64,
    sum: f64,
    scale: i32,
    zero_threshold: f64,
    zero_count: f64,
    /// Those below zero, then those above.
    sides: [Side; 2],
}

/// The buckets of one sign.
#[derive(Default)]
struct Side {
    /// How many indexes are skipped, and how many buckets follow.
    spans: Vec<(i32, u32)>,
    /// Zig-zagged differences of counts.
    deltas: Vec<u64>,
    /// Bits of counts that are floats.
    counts: Vec<u64>,
}

impl Histogram {
    fn read(&mut self, message: &[u8]) -> Result<()> {
        (self.timestamp, self.scale) = (0, 0);
        (self.count, self.sum, self.zero_threshold, self.zero_count) = (0.0, 0.0, 0.0, 0.0);
        for side in &mut self.sides {
            side.spans.clear();
            side.deltas.clear();
            side.counts.clear();
        }
        let [negative, positive] = &mut self.sides;
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.count = value.varint()? as f64,
                2 => self.count = value.double()?,
                3 => self.sum = value.double()?,
                4 => self.scale = value.sint32()?,
                5 => self.zero_threshold = value.double()?,
                6 => self.zero_count = value.varint()? as f64,
                7 => self.zero_count = value.double()?,
                8 => negative.spans.push(read_span(value.bytes()?)?),
                9 => value.append_varints(&mut negative.deltas)?,
                10 => value.append_fixed64s(&mut negative.counts)?,
                11 => positive.spans.push(read_span(value.bytes()?)?),
                12 => value.append_varints(&mut positive.deltas)?,
                13 => value.append_fixed64s(&mut positive.counts)?,
                15 => self.timestamp = value.varint()? as i64,
                _ => {}
            }
        }
        if !SCALES.contains(&self.scale) {
            let (min, max) = (SCALES.start(), SCALES.end());
            return Err(Error::invalid(format!("a histogram has a scale from {min} to {max}, found {}", self.scale)));
        }
        Ok(())
    }

    fn write(
        &self,
        key: &[u8],
        name: &[u8],
        labels: &Labels,
        series: &mut HistogramSeries,
        budget: &mut Budget,
        sink: &mut dyn RowSink,
    ) -> Result<()> {
        let fill = |out: &mut Labels| {
            labels.iter().filter(|(label, _)| *label != NAME_LABEL).for_each(|(label, value)| out.push(label, value));
            Ok(())
        };
        let mut put = |suffix: &[u8], range: Option<&dyn Fn(&mut Vec<u8>)>, value: f64| {
            budget.spend(key.len())?;
            let none: &dyn Fn(&mut Vec<u8>) = &|_| {};
            let extra = range.map_or((&b""[..], none), |range| (RANGE_LABEL, range));
            series.sample(sink, (key, name, suffix), extra, (self.timestamp, value), &fill)
        };
        put(b"_count", None, self.count)?;
        put(b"_sum", None, self.sum)?;
        if self.zero_count > 0.0 {
            put(b"_bucket", Some(&|out| put_range(-self.zero_threshold, self.zero_threshold, out)), self.zero_count)?;
        }
        for (side, is_negative) in self.sides.iter().zip([true, false]) {
            let bounds = Bounds::of(self.scale, is_negative);
            side.each_bucket(&mut |index, count| put(b"_bucket", Some(&|out| bounds.put(index, out)), count))?;
        }
        Ok(())
    }
}

fn read_span(message: &[u8]) -> Result<(i32, u32)> {
    let (mut offset, mut length) = (0, 0);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => offset = value.sint32()?,
            2 => length = value.varint()? as u32,
            _ => {}
        }
    }
    Ok((offset, length))
}

impl Side {
    /// Calls `take` for each bucket that holds something, with its index and count. Spans that announce more buckets than there are
    /// counts end with these.
    fn each_bucket(&self, take: &mut dyn FnMut(i64, f64) -> Result<()>) -> Result<()> {
        let mut cumulated = 0_i64;
        let mut from_deltas = self.deltas.iter().map(|delta| {
            cumulated = cumulated.wrapping_add(crate::encoding::int::unzigzag(*delta));
            cumulated as f64
        });
        let mut from_floats = self.counts.iter().map(|bits| f64::from_bits(*bits));
        let (mut index, mut buckets) = (0_i64, 0);
        for &(offset, length) in &self.spans {
            index += i64::from(offset);
            for _ in 0..length {
                let count = if self.counts.is_empty() { from_deltas.next() } else { from_floats.next() };
                let Some(count) = count else { return Ok(()) };
                if count > 0.0 {
                    buckets += 1;
                    if buckets > MAX_BUCKETS {
                        return Err(too_many_buckets());
                    }
                    take(index, count)?;
                }
                index += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::put_bytes;
    use super::super::rows::tests::{Counted, Kept};
    use super::*;

    /// A message of version 2 with this text, and a series for each list of references.
    fn message(text: &[u8], series: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        [&b""[..], b"__name__", b"m", text].iter().for_each(|text| put_bytes(request::SYMBOLS_V2, text, &mut body));
        for references in series {
            let mut message = Vec::new();
            put_bytes(1, references, &mut message);
            // A sample of 0 at 0.
            put_bytes(2, b"", &mut message);
            put_bytes(request::SERIES_V2, &message, &mut body);
        }
        body
    }

    #[test]
    fn a_text_is_not_named_any_number_of_times() {
        let body = message(&[b'v'; 100_000], &[&[1, 2], &[3; 60_000], &[1, 2, 3, 3]]);
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(&body, &mut refused, &mut kept);
        assert_eq!(kept.samples.len(), 2);
        let reason = "a series of a remote write: the labels of a record take more than 1 MiB";
        assert_eq!(refused.reasons, [(0, reason.to_owned())]);
    }

    #[test]
    fn all_series_together_are_bounded_by_the_message() {
        let references = [3; 4];
        let body = message(&[b'v'; 100_000], &[&references[..]; 1000]);
        let (mut counted, mut refused) = (Counted(0), Refused::default());
        parse(&body, &mut refused, &mut counted);
        let most = (body.len() * 1024 + (64 << 20)) / 400_018;
        assert_eq!((counted.0, refused.count), (most, 1000 - most as u64));
        assert!(refused.reasons[0].1.contains("1024 times the bytes"), "{refused:?}");
    }

    #[test]
    fn what_stands_for_a_series_stands_for_no_other() {
        let put = |number, parts: &[&[u8]]| {
            let mut out = Vec::new();
            parts.iter().for_each(|part| put_bytes(number, part, &mut out));
            out
        };
        let label = |name: &[u8], value: &[u8]| [put(1, &[name]), put(2, &[value])].concat();
        let (name, other) = (label(NAME_LABEL, b"m"), label(b"a", b"b"));
        // Samples and histograms of version 1, and series of version 2 whose texts are its labels, and what histograms add to names.
        let first = [put(1, &[&name[..], &other]), put(2, &[b""]), put(4, &[b""])].concat();
        let second = |references: &[u8]| [put(1, &[references]), put(2, &[b""]), put(3, &[b""])].concat();
        let texts = put(request::SYMBOLS_V2, &[b"", NAME_LABEL, b"m", &name, &other, b"_count", b"_sum"]);
        let series = [&[3, 4][..], &[1, 2], &[1, 2, 5, 0], &[1, 2, 6, 0]].map(second);
        let series = series.iter().map(|series| put(request::SERIES_V2, &[series])).collect::<Vec<_>>().concat();
        let body = [put(request::SERIES, &[&first]), texts, series].concat();
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(&body, &mut refused, &mut kept);
        let expected = [
            "\n\u{8}__name__\u{12}\u{1}m=\n\u{1}a\u{12}\u{1}b 0@0",
            "__name__=m 0@0 0@0 0@0",
            "__name__=m_count 0@0 0@0 0@0",
            "__name__=m_count|a=b 0@0",
            "__name__=m_sum 0@0 0@0 0@0",
            "__name__=m_sum|a=b 0@0",
            "__name__=m|a=b 0@0",
        ];
        assert_eq!((kept.lines(), refused.count), (expected.map(str::to_owned).to_vec(), 1));
    }

    #[test]
    fn lists_have_an_end() {
        // Buckets that are all empty, of one byte each, in a histogram of a series of version 1.
        let mut histogram = Vec::new();
        put_bytes(12, &vec![0; (1 << 20) + 1], &mut histogram);
        let mut label = Vec::new();
        put_bytes(1, NAME_LABEL, &mut label);
        put_bytes(2, b"m", &mut label);
        let mut series = Vec::new();
        put_bytes(1, &label, &mut series);
        put_bytes(4, &histogram, &mut series);
        let mut body = Vec::new();
        put_bytes(request::SERIES, &series, &mut body);
        let (mut counted, mut refused) = (Counted(0), Refused::default());
        parse(&body, &mut refused, &mut counted);
        assert_eq!(counted.0, 0);
        assert!(refused.reasons[0].1.contains("at most 1048576 numbers"), "{refused:?}");
    }
}
