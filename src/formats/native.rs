//! The server's native format, as `/api/v1/export/native` prints and `/api/v1/import/native` reads it.
//!
//! ```text
//! min_timestamp max_timestamp { size metric_name size block }*
//! ```
//!
//! The range is two zig-zagged integers of eight bytes, the sizes are four bytes, all big-endian; the name is as in the index. A block is
//! a header of varints, then timestamps and mantissas with their lengths, encoded as in a part. The header is `min_timestamp first_value
//! rows scale timestamps_type values_type` up to v1.81, and `min_timestamp max_timestamp first_value rows scale timestamps_type
//! values_type precision_bits` from v1.82 on. Nothing says which one it is, so the one that gives a whole block is taken; servers of
//! either side refuse the other's.

use super::Refused;
use super::rows::{Labels, RowSink, begin_key, series_of};
use crate::block::decode::decode_timestamps;
use crate::block::{Block, BlockHeader, MAX_ROWS_PER_BLOCK};
use crate::encoding::decimal;
use crate::encoding::int;
use crate::encoding::marshal::{MarshalType, unmarshal_int64s};
use crate::encoding::zstd::Effort;
use crate::error::{Error, Result};
use crate::metric::name::{MetricName, NAME_LABEL};
use crate::metric::tsid::Tsid;
use crate::time::TimeRange;

/// Bytes of the range in front of all blocks.
pub const RANGE_LEN: usize = 16;
/// The most bytes that the server takes of a name, and of a block.
const MAX_PIECE_LEN: usize = 1 << 20;
/// Bytes of a piece's size.
const SIZE_LEN: usize = 4;

/// How the headers of blocks are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// By servers up to v1.81.
    #[default]
    V1_72,
    /// By servers from v1.82 on.
    V1_82,
}

/// Reads the range and whole blocks behind it. A block that can't be read is refused, and those behind it are taken.
pub fn parse(body: &[u8], refused: &mut Refused, sink: &mut dyn RowSink) {
    if let Err(error) = parse_blocks(body, refused, sink) {
        refused.add(0, || error.message().to_owned());
    }
}

fn parse_blocks(body: &[u8], refused: &mut Refused, sink: &mut dyn RowSink) -> Result<()> {
    let (min, rest) = int::take_i64(body).map_err(|error| error.at("the range of a native export"))?;
    let (max, mut rest) = int::take_i64(rest).map_err(|error| error.at("the range of a native export"))?;
    let mut reader = Reader {
        range: TimeRange { min, max },
        layout: Layout::default(),
        key: Vec::new(),
        labels: Labels::default(),
        timestamps: Vec::new(),
        mantissas: Vec::new(),
        values: Vec::new(),
    };
    while !rest.is_empty() {
        let (name, behind) = take_piece(rest)?;
        let (block, behind) = take_piece(behind)?;
        rest = behind;
        if let Err(error) = reader.read(name, block, sink) {
            refused.add(0, || error.at("a block of a native export").message().to_owned());
        }
    }
    Ok(())
}

fn take_piece(src: &[u8]) -> Result<(&[u8], &[u8])> {
    let (len, rest) = int::take_u32(src)?;
    if len as usize > MAX_PIECE_LEN {
        let message = format!("names and blocks of a native export have at most {MAX_PIECE_LEN} bytes, found {len}");
        return Err(Error::corrupt(message));
    }
    rest.split_at_checked(len as usize).ok_or_else(|| {
        Error::corrupt(format!("a name or block of a native export has {len} bytes, found {} and the end", rest.len()))
    })
}

/// Blocks that are read at once. A few bytes may be a block of many equal rows, so that it is not their bytes that bounds them.
const MAX_BLOCKS_AT_ONCE: usize = 64;

/// The length of the whole blocks at the front of `src`, which begins behind the range, as many as are read at once; none when the next
/// is no block at all.
pub(super) fn whole_blocks_len(src: &[u8]) -> Option<usize> {
    let mut whole = 0;
    for _ in 0..MAX_BLOCKS_AT_ONCE {
        let mut at = whole;
        for _ in 0..2 {
            let Some(size) = src.get(at..at + SIZE_LEN).and_then(|size| size.first_chunk()) else { return Some(whole) };
            let len = u32::from_be_bytes(*size) as usize;
            if len > MAX_PIECE_LEN {
                return None;
            }
            at += SIZE_LEN + len;
        }
        if at > src.len() {
            return Some(whole);
        }
        whole = at;
    }
    Some(whole)
}

struct Reader {
    range: TimeRange,
    /// That of the last block.
    layout: Layout,
    key: Vec<u8>,
    labels: Labels,
    timestamps: Vec<i64>,
    mantissas: Vec<i64>,
    values: Vec<f64>,
}

impl Reader {
    fn read(&mut self, name: &[u8], block: &[u8], sink: &mut dyn RowSink) -> Result<()> {
        let other = if self.layout == Layout::V1_72 { Layout::V1_82 } else { Layout::V1_72 };
        if let Err(error) = self.decode(self.layout, block) {
            match self.decode(other, block) {
                Ok(()) => self.layout = other,
                Err(_) => return Err(error),
            }
        }
        let range = self.range;
        // Timestamps of lossy blocks may go down.
        let is_inside = self.timestamps.iter().all(|timestamp| range.contains(*timestamp));
        begin_key(&mut self.key, b'N');
        self.key.extend_from_slice(name);
        let series = series_of(sink, &self.key, &mut self.labels, |labels| {
            let name = MetricName::unmarshal(name)?;
            name.tags.iter().for_each(|(key, value)| labels.push(key, value));
            labels.push(NAME_LABEL, &name.metric_group);
            Ok(())
        })?;
        if is_inside {
            sink.samples(series, &self.timestamps, &self.values);
            return Ok(());
        }
        for (&timestamp, &value) in self.timestamps.iter().zip(&self.values) {
            if range.contains(timestamp) {
                sink.sample(series, timestamp, value);
            }
        }
        Ok(())
    }

    /// Decodes a block into the columns.
    fn decode(&mut self, layout: Layout, block: &[u8]) -> Result<()> {
        let (header, rest) = take_header(layout, block)?;
        let (timestamps, rest) = int::take_bytes(rest)?;
        let (mantissas, rest) = int::take_bytes(rest)?;
        if !rest.is_empty() {
            return Err(Error::corrupt(format!("{} bytes are left behind the mantissas", rest.len())));
        }
        header.validate()?;
        let rows = header.rows_count as usize;
        self.timestamps.clear();
        self.mantissas.clear();
        self.values.clear();
        match layout {
            Layout::V1_82 => decode_timestamps(&header, timestamps, &mut self.timestamps)?,
            Layout::V1_72 => {
                let (marshal_type, first) = (header.timestamps_marshal_type, header.min_timestamp);
                unmarshal_int64s(marshal_type, first, timestamps, rows, &mut self.timestamps)?;
            }
        }
        unmarshal_int64s(header.values_marshal_type, header.first_value, mantissas, rows, &mut self.mantissas)?;
        decimal::to_floats(&self.mantissas, header.scale, &mut self.values);
        Ok(())
    }
}

fn take_header(layout: Layout, src: &[u8]) -> Result<(BlockHeader, &[u8])> {
    let mut header = BlockHeader { precision_bits: 64, ..BlockHeader::default() };
    let mut rest;
    (header.min_timestamp, rest) = int::take_varint(src)?;
    if layout == Layout::V1_82 {
        (header.max_timestamp, rest) = int::take_varint(rest)?;
    }
    (header.first_value, rest) = int::take_varint(rest)?;
    let (rows, behind) = int::take_varuint(rest)?;
    header.rows_count = u32::try_from(rows).unwrap_or(u32::MAX);
    let (scale, behind) = int::take_varint(behind)?;
    header.scale = i16::try_from(scale)
        .map_err(|_| Error::corrupt(format!("the scale of a block is an integer of 16 bits, found {scale}")))?;
    let types: usize = if layout == Layout::V1_82 { 3 } else { 2 };
    let (bytes, rest) = behind
        .split_at_checked(types)
        .ok_or_else(|| Error::corrupt("the header of a block ends before the types of its columns"))?;
    header.timestamps_marshal_type = MarshalType::try_from(bytes[0])?;
    header.values_marshal_type = MarshalType::try_from(bytes[1])?;
    if let Some(precision_bits) = bytes.get(2) {
        header.precision_bits = *precision_bits;
    }
    Ok((header, rest))
}

/// Appends the range that begins an export.
pub fn write_range(range: TimeRange, out: &mut Vec<u8>) {
    int::put_i64(out, range.min);
    int::put_i64(out, range.max);
}

/// Appends the samples of a series as blocks; timestamps go up, the columns have the same length.
///
/// # Errors
/// What the compression says.
pub fn write_series(
    layout: Layout,
    name: &MetricName,
    timestamps: &[i64],
    values: &[f64],
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut block = Block::default();
    for (timestamps, values) in timestamps.chunks(MAX_ROWS_PER_BLOCK).zip(values.chunks(MAX_ROWS_PER_BLOCK)) {
        write_piece(out, |out| name.marshal(out));
        block.fill_from_rows(Tsid::default(), timestamps, values, 64, None);
        block.encode(Effort::Fast)?;
        let header = block.header();
        let (timestamps_data, values_data) = block.data();
        write_piece(out, |out| {
            int::put_varint(out, header.min_timestamp);
            if layout == Layout::V1_82 {
                int::put_varint(out, header.max_timestamp);
            }
            int::put_varint(out, header.first_value);
            int::put_varuint(out, u64::from(header.rows_count));
            int::put_varint(out, i64::from(header.scale));
            out.extend([header.timestamps_marshal_type as u8, header.values_marshal_type as u8]);
            if layout == Layout::V1_82 {
                out.push(header.precision_bits);
            }
            int::put_bytes(out, timestamps_data);
            int::put_bytes(out, values_data);
        });
    }
    Ok(())
}

/// Appends what `write` does, with its size in front.
fn write_piece(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    int::put_u32(out, 0);
    write(out);
    let size = (out.len() - start - SIZE_LEN) as u32;
    out[start..start + SIZE_LEN].copy_from_slice(&size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::Kept;
    use super::*;

    fn exported(layout: Layout, range: TimeRange) -> Vec<u8> {
        let mut out = Vec::new();
        write_range(range, &mut out);
        let name = |label: &str| MetricName::from_labels([("__name__", "m"), ("a\u{1}", label)]);
        write_series(layout, &name("x"), &[1000, 2000, 2000, 3000], &[1.0, -2.5, 1e-7, 4e9], &mut out).unwrap();
        let timestamps: Vec<i64> = (0..10_000).map(|i| i * i % 7 + i * 1000).collect();
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i * 7919 % 1000)).collect();
        write_series(layout, &name("y"), &timestamps, &values, &mut out).unwrap();
        write_series(layout, &MetricName::from_labels([("b", "c")]), &[5], &[f64::INFINITY], &mut out).unwrap();
        out
    }

    #[test]
    fn both_layouts_are_read_as_written() {
        let mut seen = Vec::new();
        for layout in [Layout::V1_72, Layout::V1_82] {
            let (mut kept, mut refused) = (Kept::default(), Refused::default());
            parse(&exported(layout, TimeRange::ALL), &mut refused, &mut kept);
            assert_eq!(refused, Refused::default());
            assert_eq!(kept.samples["__name__=m|a\u{1}=y"].len(), 10_000);
            let lines = kept.lines();
            assert_eq!(lines[0], "__name__=m|a\u{1}=x 1@1000 -2.5@2000 0.0000001@2000 4000000000@3000");
            assert_eq!(lines[2], "b=c inf@5");
            seen.push(lines);
        }
        assert_eq!(seen[0], seen[1]);
    }

    #[test]
    fn samples_outside_of_the_range_are_left_out() {
        let (mut kept, mut refused) = (Kept::default(), Refused::default());
        parse(&exported(Layout::V1_82, TimeRange { min: 2000, max: 2999 }), &mut refused, &mut kept);
        assert_eq!(kept.lines()[0], "__name__=m|a\u{1}=x -2.5@2000 0.0000001@2000");
        assert_eq!(kept.samples.len(), 2);
    }

    #[test]
    fn a_broken_block_does_not_lose_its_neighbours() {
        for layout in [Layout::V1_72, Layout::V1_82] {
            let mut body = exported(layout, TimeRange::ALL);
            // The types of the first block's columns.
            let name_len = 11;
            let block = RANGE_LEN + SIZE_LEN + name_len + SIZE_LEN;
            body[block..block + 6].fill(0xff);
            let (mut kept, mut refused) = (Kept::default(), Refused::default());
            parse(&body, &mut refused, &mut kept);
            assert_eq!((refused.count, kept.samples.len()), (1, 2), "{:?}", refused.reasons);
            let reason = &refused.reasons[0];
            assert!(reason.0 == 0 && reason.1.starts_with("a block of a native export: "), "{reason:?}");
        }
    }

    #[test]
    fn whole_blocks_are_found_at_any_cut() {
        let body = exported(Layout::V1_72, TimeRange::ALL);
        let blocks = &body[RANGE_LEN..];
        let mut lengths: Vec<_> = (0..=blocks.len()).map(|cut| whole_blocks_len(&blocks[..cut]).unwrap()).collect();
        assert!(lengths.is_sorted() && lengths.last() == Some(&blocks.len()));
        lengths.dedup();
        assert_eq!(lengths.len(), 5);
        assert_eq!(whole_blocks_len(&[0, 0x10, 0, 1]), None);
    }
}
