//! What all targets share: a body that arrives in two pieces must give what it gives at once, and what stands for a series must
//! stand for no other.

use sandglass_kernel::error::Result;
use sandglass_kernel::formats::body::{self, Body, Format, Progress};
use sandglass_kernel::formats::compression::Compression;
use sandglass_kernel::formats::prometheus::{self, Sample, SampleSink};
use sandglass_kernel::formats::{Labels, Refused, RowSink, jsonl};
use std::collections::HashMap;

/// What came out of a body.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    series: u32,
    label_bytes: usize,
    samples: usize,
    /// Of all timestamps and values.
    sum: u64,
}

#[derive(Default)]
struct Sink {
    counted: Counted,
    /// The labels that each key stands for.
    keys: HashMap<Vec<u8>, Vec<u8>>,
    /// The last series of Prometheus text is the one that is expected next.
    is_expecting: bool,
    last: Vec<u8>,
}

impl Sink {
    fn count_series<'a>(&mut self, labels: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        self.counted.series += 1;
        self.counted.label_bytes += labels.map(|(name, value)| name.len() + value.len()).sum::<usize>();
    }
}

impl RowSink for Sink {
    fn known(&mut self, _key: &[u8]) -> Option<u32> {
        None
    }

    fn learn(&mut self, key: &[u8], labels: &Labels) -> Result<u32> {
        assert_eq!(labels.iter().count(), labels.len());
        let mut series = Vec::new();
        labels.append_key(&mut series);
        assert_eq!(self.keys.entry(key.to_vec()).or_insert_with(|| series.clone()), &series);
        self.count_series(labels.iter());
        Ok(self.counted.series)
    }

    fn sample(&mut self, _series: u32, timestamp: i64, value: f64) {
        let counted = &mut self.counted;
        counted.samples += 1;
        let mixed = (timestamp as u64 ^ value.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        counted.sum = counted.sum.rotate_left(1) ^ mixed;
    }

    fn samples(&mut self, series: u32, timestamps: &[i64], values: &[f64]) {
        assert_eq!(timestamps.len(), values.len());
        timestamps.iter().zip(values).for_each(|(&timestamp, &value)| self.sample(series, timestamp, value));
    }
}

impl SampleSink for Sink {
    fn take(&mut self, sample: Sample<'_>) -> Result<()> {
        let labels = prometheus::parse_series(sample.series)?;
        self.count_series(labels.iter().map(|(name, value)| (&name[..], &value[..])));
        self.sample(0, sample.timestamp.unwrap_or(0), sample.value);
        self.last = sample.series.to_vec();
        Ok(())
    }

    fn expected(&self) -> Option<&[u8]> {
        (self.is_expecting && !self.last.is_empty()).then_some(&self.last)
    }
}

/// Reads a body at once, and cut in two where its first byte says.
pub fn read(format: &Format, compression: Compression, data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let (first, second) = data.split_at(data.len() * usize::from(cut) / 256);
    let whole = read_pieces(format, compression, &[data]);
    let cut = read_pieces(format, compression, &[first, second]);
    // More may come out before an error the sooner its bytes arrive.
    match (whole, cut) {
        (Ok((whole, refused)), Ok((cut, also_refused))) => {
            assert_eq!((whole, refused.count), (cut, also_refused.count));
            // Which layout the blocks of a native export have is found anew in each piece, and named in reasons.
            assert!(*format == Format::Native || refused == also_refused, "{refused:?}\n{also_refused:?}");
        }
        // Behind what is no block of a native export nothing is looked for, an error neither, and how early that is known depends on the cut.
        (Ok((_, refused)), Err(_)) | (Err(_), Ok((_, refused))) if *format == Format::Native && refused.count > 0 => {}
        (whole, cut) => assert_eq!(whole.err().map(|error| error.kind()), cut.err().map(|error| error.kind())),
    }
}

/// Reads a body, behind its first byte, that is not compressed as it would be.
#[allow(dead_code)]
pub fn read_unpacked(format: &Format, data: &[u8]) {
    parse(format, data.get(1..).unwrap_or_default(), 1, &mut Refused::default(), &mut Sink::default());
}

fn read_pieces(format: &Format, compression: Compression, pieces: &[&[u8]]) -> Result<(Counted, Refused)> {
    let mut reader = Body::new(format, compression);
    let mut sink = Sink { is_expecting: pieces.len() > 1, ..Sink::default() };
    let mut refused = Refused::default();
    for (number, piece) in pieces.iter().enumerate() {
        reader.feed(piece.to_vec());
        if number + 1 == pieces.len() {
            reader.finish();
        }
        loop {
            match reader.next()? {
                Progress::Records(records) => {
                    parse(format, &records.bytes, records.first_line, &mut refused, &mut sink);
                }
                Progress::Unpacked(_) => {}
                Progress::Over => break,
            }
        }
    }
    Ok((sink.counted, refused))
}

fn parse(format: &Format, bytes: &[u8], first_line: u64, refused: &mut Refused, sink: &mut Sink) {
    match format {
        Format::Prometheus => prometheus::parse(bytes, first_line, refused, sink),
        Format::JsonLines => jsonl::parse(bytes, first_line, refused, &mut |line| {
            sink.count_series(line.labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
            sink.samples(0, line.timestamps, line.values);
            Ok(())
        }),
        _ => body::parse(format, bytes, first_line, 1_710_000_000_000, refused, sink),
    }
}
