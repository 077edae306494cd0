//! Bodies of all formats as they arrive: decompressed, decoded, and cut into pieces of whole records, in memory that does not grow with them.

use super::compression::{Compression, Decompressor, PLAIN_STEP, Step};
use super::csv::{self, CsvFormat};
use super::native::{self, RANGE_LEN};
use super::rows::RowSink;
use super::text_encoding::TextDecoder;
use super::{Refused, graphite, influx, otlp, remote_write};
use crate::error::{Error, ErrorKind, Result};

/// The formats a body can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text exposition and OpenMetrics, one sample a line.
    Prometheus,
    /// One JSON object a line: `{"metric":{…},"values":[…],"timestamps":[…]}`.
    JsonLines,
    /// InfluxDB's line protocol.
    Influx(influx::Options),
    /// Comma-separated values.
    Csv(CsvFormat),
    /// Graphite's plaintext.
    Graphite,
    /// The server's own export.
    Native,
    /// Prometheus' remote write.
    RemoteWrite,
    /// Metrics of OpenTelemetry, protobuf or JSON.
    Otlp,
}

impl Format {
    /// The format of this name, as users of the package spell it.
    ///
    /// # Errors
    /// `Invalid` for a name that isn't known, and for columns of CSV that can't be used.
    pub fn named(name: &str, csv_format: &str) -> Result<Self> {
        Ok(match name {
            "prometheus" => Self::Prometheus,
            "jsonl" => Self::JsonLines,
            "influx" => Self::Influx(influx::Options::default()),
            "csv" => Self::Csv(CsvFormat::parse(csv_format)?),
            "graphite" => Self::Graphite,
            "native" => Self::Native,
            "remote_write" => Self::RemoteWrite,
            "otlp" => Self::Otlp,
            other => return Err(Error::invalid(format!("the engine reads no body format {other:?}"))),
        })
    }

    /// Whether a body is whole lines, of which each is a record.
    pub fn has_lines(&self) -> bool {
        !matches!(self, Self::Native | Self::RemoteWrite | Self::Otlp)
    }
}

/// Reads whole records of a format whose series are looked up by bytes: all but Prometheus text and JSON lines, which have readers of
/// their own. `now` is for samples without a timestamp.
pub fn parse(format: &Format, bytes: &[u8], first_line: u64, now: i64, refused: &mut Refused, sink: &mut dyn RowSink) {
    match format {
        Format::Prometheus | Format::JsonLines => {}
        Format::Influx(options) => influx::parse(bytes, first_line, options, now, refused, sink),
        Format::Csv(format) => csv::parse(bytes, first_line, format, now, refused, sink),
        Format::Graphite => graphite::parse(bytes, first_line, now, refused, sink),
        Format::Native => native::parse(bytes, refused, sink),
        Format::RemoteWrite => remote_write::parse(bytes, refused, sink),
        Format::Otlp => otlp::parse(bytes, now, refused, sink),
    }
}

/// Content is gathered up to this size before it is cut, if more is there.
const PIECE_BYTES: usize = 256 << 10;
/// The longest record.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// What is said of a line beyond that.
pub const TOO_LONG: &str = "the line is longer than 64 MiB";

/// Whole records of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// Lines, of which the last need not end with a line feed; the range of a native export and blocks; else the whole body.
    pub bytes: Vec<u8>,
    /// Number of the first line, counted from 1.
    pub first_line: u64,
    /// It is one line that is too long to be looked at, without its bytes.
    pub is_too_long: bool,
}

/// How far a body has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The next whole records.
    Records(Records),
    /// So many bytes were unpacked, and there is no record yet. It can go on at once: a few bytes may become millions, which nobody is to
    /// be kept waiting for.
    Unpacked(usize),
    /// More bytes must arrive, or that was all.
    Over,
}

/// How a body is cut.
enum Cut {
    Lines,
    /// Behind the range, once it is there.
    Blocks(Option<[u8; RANGE_LEN]>),
    Nowhere,
}

/// A body on its way in.
pub struct Body {
    decompressor: Decompressor,
    /// None for formats that are no text.
    text: Option<TextDecoder>,
    content: Vec<u8>,
    /// Bytes at its front that were handed on.
    taken: usize,
    /// Bytes of the content that were looked through for the end of a record.
    searched: usize,
    cut: Cut,
    next_line: u64,
    /// In the midst of a line that is too long.
    is_skipping: bool,
    /// All content is there.
    has_ended: bool,
    /// All of it was handed on.
    is_over: bool,
}

impl Body {
    /// A body of this format.
    pub fn new(format: &Format, compression: Compression) -> Self {
        Self {
            decompressor: Decompressor::new(compression, *format == Format::RemoteWrite),
            text: (format.has_lines() || *format == Format::Otlp).then(TextDecoder::default),
            content: Vec::new(),
            taken: 0,
            searched: 0,
            cut: match format {
                Format::Native => Cut::Blocks(None),
                format if format.has_lines() => Cut::Lines,
                _ => Cut::Nowhere,
            },
            next_line: 1,
            is_skipping: false,
            has_ended: false,
            is_over: false,
        }
    }

    /// Takes bytes as they arrive. They are kept until [`Body::next`] has handed them on.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        self.decompressor.feed(bytes);
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.decompressor.finish();
    }

    /// Goes on to the next whole records, or for about [`PIECE_BYTES`].
    ///
    /// # Errors
    /// `Corrupt` for a body that isn't compressed as is said, and `Limit` for a message that is too long. The body ends there.
    pub fn next(&mut self) -> Result<Progress> {
        let result = self.next_records();
        if result.is_err() {
            self.is_over = true;
            self.content = Vec::new();
            self.taken = 0;
        }
        result
    }

    fn next_records(&mut self) -> Result<Progress> {
        let mut unpacked = 0;
        while !self.is_over {
            if (self.has_ended || self.content.len() - self.taken >= PIECE_BYTES)
                && let Some(records) = self.take_whole()?
            {
                return Ok(Progress::Records(records));
            }
            if self.has_ended {
                self.is_over = true;
                let mut rest = std::mem::take(&mut self.content);
                rest.drain(..std::mem::take(&mut self.taken));
                if self.is_skipping {
                    return Ok(Progress::Records(self.end_of_long_line()));
                }
                return Ok(if rest.is_empty() { Progress::Over } else { Progress::Records(self.records(rest)) });
            }
            if unpacked >= PIECE_BYTES {
                return Ok(Progress::Unpacked(unpacked));
            }
            self.forget_taken();
            let step = self.decompressor.step(|bytes| {
                unpacked += bytes.len();
                match &mut self.text {
                    Some(text) => text.decode(bytes, false, &mut self.content),
                    None => self.content.extend_from_slice(bytes),
                }
            })?;
            match step {
                Step::Content => {}
                Step::Starving => return Ok(self.take_whole()?.map_or(Progress::Over, Progress::Records)),
                Step::End => {
                    if let Some(text) = &mut self.text {
                        text.decode(b"", true, &mut self.content);
                    }
                    self.has_ended = true;
                }
            }
        }
        Ok(Progress::Over)
    }

    /// Gives up what was handed on, once that is no less than what has to move for it.
    fn forget_taken(&mut self) {
        if self.taken > 0 && self.taken >= self.content.len() - self.taken {
            self.content.drain(..self.taken);
            self.searched -= self.taken;
            self.taken = 0;
        }
    }

    /// The whole records that have arrived.
    fn take_whole(&mut self) -> Result<Option<Records>> {
        if let Cut::Blocks(range @ None) = &mut self.cut
            && let Some(found) = self.content.first_chunk()
        {
            *range = Some(*found);
            self.taken = RANGE_LEN;
            self.searched = RANGE_LEN;
        }
        if self.is_skipping {
            let end = memchr::memchr(b'\n', &self.content[self.taken..]);
            let Some(end) = end else {
                self.forget_content();
                return Ok(None);
            };
            self.taken += end + 1;
            self.searched = self.taken;
            return Ok(Some(self.end_of_long_line()));
        }
        let end = match &self.cut {
            Cut::Nowhere | Cut::Blocks(None) => self.taken,
            Cut::Lines => {
                let found = memchr::memrchr(b'\n', &self.content[self.searched..]);
                found.map_or(self.taken, |at| self.searched + at + 1)
            }
            // What is no block is refused by who reads it, and nothing behind it can be found.
            Cut::Blocks(Some(_)) => match native::whole_blocks_len(&self.content[self.taken..]) {
                Some(len) => self.taken + len,
                None => {
                    self.is_over = true;
                    self.content.len()
                }
            },
        };
        self.searched = self.content.len();
        if end == self.taken {
            if self.content.len() - self.taken > MAX_RECORD_BYTES {
                if matches!(self.cut, Cut::Lines) {
                    // Its neighbours come through.
                    self.is_skipping = true;
                    self.forget_content();
                    return Ok(None);
                }
                let most = MAX_RECORD_BYTES >> 20;
                let message = format!("a message of a body has at most {most} MiB");
                return Err(Error::new(ErrorKind::Limit, message));
            }
            return Ok(None);
        }
        let rest = self.content.len() - end;
        let bytes = if self.taken == 0 && rest <= end {
            // The shorter part is copied, as a record may be long. The next records are likely to need as much memory.
            let likely = if self.has_ended { rest } else { end.min(PIECE_BYTES) + PLAIN_STEP };
            let next = Vec::with_capacity(rest.max(likely));
            let mut bytes = std::mem::replace(&mut self.content, next);
            self.content.extend_from_slice(&bytes[end..]);
            bytes.truncate(end);
            self.searched -= end;
            bytes
        } else {
            let bytes = self.content[self.taken..end].to_vec();
            self.taken = end;
            bytes
        };
        Ok(Some(self.records(bytes)))
    }

    fn forget_content(&mut self) {
        self.content = Vec::new();
        (self.taken, self.searched) = (0, 0);
    }

    fn end_of_long_line(&mut self) -> Records {
        self.is_skipping = false;
        let first_line = self.next_line;
        self.next_line += 1;
        Records { bytes: Vec::new(), first_line, is_too_long: true }
    }

    fn records(&mut self, bytes: Vec<u8>) -> Records {
        let first_line = self.next_line;
        let bytes = match self.cut {
            Cut::Lines => {
                self.next_line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
                bytes
            }
            Cut::Blocks(Some(range)) => [&range[..], &bytes].concat(),
            _ => bytes,
        };
        Records { bytes, first_line, is_too_long: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes on as far as the bytes reach that have come.
    fn next(reader: &mut Body) -> Result<Option<Records>> {
        loop {
            match reader.next()? {
                Progress::Records(records) => return Ok(Some(records)),
                Progress::Unpacked(bytes) => assert!(bytes < PIECE_BYTES + (3 << 20), "{bytes} bytes at once"),
                Progress::Over => return Ok(None),
            }
        }
    }

    /// All pieces of a body that arrives in pieces of so many bytes.
    fn pieces(format: &Format, body: &[u8], piece: usize) -> Vec<Records> {
        let (mut reader, mut all) = (Body::new(format, Compression::Detected), Vec::new());
        for bytes in body.chunks(piece) {
            reader.feed(bytes.to_vec());
            while let Some(records) = next(&mut reader).unwrap() {
                all.push(records);
            }
        }
        reader.finish();
        while let Some(records) = next(&mut reader).unwrap() {
            all.push(records);
        }
        assert_eq!(next(&mut reader).unwrap(), None);
        all
    }

    #[test]
    fn lines_are_never_cut() {
        let body: String = (0..60_000).map(|line| format!("{line} x\n")).chain(["last".into()]).collect();
        for piece in [1000, 300_000, usize::MAX] {
            let pieces = pieces(&Format::Prometheus, body.as_bytes(), piece);
            assert!(pieces.len() > 1);
            for Records { bytes, first_line, .. } in &pieces {
                let first = format!("{} x\n", first_line - 1);
                assert!(bytes.starts_with(first.as_bytes()) || *bytes == b"last", "{first_line}");
            }
            assert_eq!(pieces.iter().flat_map(|records| records.bytes.clone()).collect::<Vec<_>>(), body.as_bytes());
        }
        assert_eq!(pieces(&Format::Prometheus, b"", 1), []);
    }

    #[test]
    fn marks_are_left_out_and_messages_come_whole() {
        let marked = "\u{feff}{\"a\":\n1}";
        for format in [Format::Otlp, Format::JsonLines] {
            let all: Vec<u8> =
                pieces(&format, marked.as_bytes(), 2).iter().flat_map(|records| records.bytes.clone()).collect();
            assert_eq!(all, b"{\"a\":\n1}");
        }
        assert_eq!(pieces(&Format::Otlp, marked.as_bytes(), 2).len(), 1);
    }

    #[test]
    fn blocks_of_native_come_with_the_range() {
        let range = [7_u8; RANGE_LEN];
        let block =
            |len: usize| [&3_u32.to_be_bytes()[..], b"abc", &(len as u32).to_be_bytes(), &vec![1; len]].concat();
        let body = [&range[..], &block(5), &block(300_000), &block(0)].concat();
        for piece in [10, 100_000, usize::MAX] {
            let pieces = pieces(&Format::Native, &body, piece);
            assert!(pieces.iter().all(|records| records.bytes.starts_with(&range)));
            let all: Vec<u8> = pieces.iter().flat_map(|records| records.bytes[RANGE_LEN..].to_vec()).collect();
            assert_eq!(all, &body[RANGE_LEN..], "{piece}");
        }
        // A size that no block has: the rest is handed on to be refused, and no more is waited for.
        let broken = [&range[..], &block(5), &[0xff; 40]].concat();
        let pieces = pieces(&Format::Native, &broken, 7);
        let last = &pieces.last().unwrap().bytes[RANGE_LEN..];
        assert!(last.ends_with(&[0xff; 5]), "{last:?}");
    }

    #[test]
    fn a_body_that_comes_at_once_is_cut_to_pieces_that_hold_no_more_than_they_need() {
        let lines = b"a 1\n".repeat(1 << 19);
        let block = [&[0, 0, 0, 1, b'a', 0, 0, 0, 4][..], &[1; 4]].concat();
        let blocks = [&[7_u8; RANGE_LEN][..], &block.repeat(1 << 15)].concat();
        for (format, body) in [(Format::Graphite, lines), (Format::Native, blocks)] {
            let pieces = pieces(&format, &body, usize::MAX);
            for Records { bytes, .. } in &pieces {
                assert!(bytes.len() <= 2 * PIECE_BYTES, "{} bytes at once", bytes.len());
                assert!(bytes.capacity() <= 4 * bytes.len(), "{} for {}", bytes.capacity(), bytes.len());
            }
            let front = if format == Format::Native { RANGE_LEN } else { 0 };
            let all: Vec<u8> = pieces.iter().flat_map(|records| &records.bytes[front..]).copied().collect();
            assert!(all == body[front..], "{format:?}");
        }
    }

    #[test]
    fn what_waits_does_not_move_for_each_piece_before_it() {
        let block = [&[0, 0, 0, 1, b'a', 0, 0, 0, 4][..], &[1; 4]].concat();
        let mut reader = Body::new(&Format::Native, Compression::Detected);
        reader.feed([&[7_u8; RANGE_LEN][..], &block.repeat(1 << 15)].concat());
        let mut places = Vec::new();
        for _ in 0..20 {
            assert!(next(&mut reader).unwrap().is_some());
            places.push((reader.content.as_ptr(), reader.content.len()));
        }
        places.dedup();
        assert!(places.len() <= 2, "{places:?}");
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_told_of_and_its_neighbours_come_through() {
        for (end, rest) in [("end\nlast 2\n", "last 2\n"), ("", "")] {
            let mut reader = Body::new(&Format::Graphite, Compression::Detected);
            let mut all = Vec::new();
            let mut feed = |reader: &mut Body, bytes: &[u8]| {
                reader.feed(bytes.to_vec());
                while let Some(records) = next(reader).unwrap() {
                    all.push(records);
                }
                assert!(
                    reader.content.len() <= MAX_RECORD_BYTES + (2 << 20),
                    "{} bytes are kept",
                    reader.content.len()
                );
            };
            feed(&mut reader, b"first 1\n");
            for _ in 0..70 {
                feed(&mut reader, &vec![b'x'; 1 << 20]);
            }
            feed(&mut reader, end.as_bytes());
            reader.finish();
            feed(&mut reader, b"");
            let lines = |bytes: &[u8], first_line| Records { bytes: bytes.to_vec(), first_line, is_too_long: false };
            let long = Records { bytes: Vec::new(), first_line: 2, is_too_long: true };
            let mut expected = vec![lines(b"first 1\n", 1), long];
            expected.extend((!rest.is_empty()).then(|| lines(rest.as_bytes(), 3)));
            assert!(all == expected, "{:?}", all.iter().map(|records| records.bytes.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut reader = Body::new(&Format::Otlp, Compression::Detected);
        let mut fed = 0;
        let error = loop {
            reader.feed(vec![b'x'; 1 << 20]);
            fed += 1;
            match next(&mut reader) {
                Ok(records) => assert_eq!(records, None),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), fed), (ErrorKind::Limit, 65));
        assert_eq!(next(&mut reader).unwrap(), None);
    }
}
