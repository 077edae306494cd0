//! What all targets share: a sink that counts, and a body that arrives in two pieces.

use sandglass_kernel::error::Result;
use sandglass_kernel::formats::body::{self, Body, Format};
use sandglass_kernel::formats::compression::Compression;
use sandglass_kernel::formats::{Labels, Refused, RowSink};

#[derive(Default)]
pub struct Counted {
    series: u32,
    pub samples: usize,
}

impl RowSink for Counted {
    fn known(&mut self, _key: &[u8]) -> Option<u32> {
        None
    }

    fn learn(&mut self, _key: &[u8], labels: &Labels) -> Result<u32> {
        assert!(labels.iter().count() == labels.len());
        self.series += 1;
        Ok(self.series)
    }

    fn sample(&mut self, _series: u32, _timestamp: i64, _value: f64) {
        self.samples += 1;
    }

    fn samples(&mut self, _series: u32, timestamps: &[i64], values: &[f64]) {
        assert_eq!(timestamps.len(), values.len());
        self.samples += values.len();
    }
}

/// Reads a body that is cut in two where its first byte says.
pub fn read(format: &Format, compression: Compression, data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let (first, second) = data.split_at(data.len() * usize::from(cut) / 256);
    let mut reader = Body::new(format, compression);
    let (mut sink, mut refused) = (Counted::default(), Refused::default());
    let mut drain = |reader: &mut Body| {
        while let Ok(Some(records)) = reader.next() {
            body::parse(format, &records.bytes, records.first_line, 1_710_000_000_000, &mut refused, &mut sink);
        }
    };
    reader.feed(first);
    drain(&mut reader);
    reader.feed(second);
    reader.finish();
    drain(&mut reader);
}
