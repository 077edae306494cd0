//! Zstandard frames. The only file that names a zstd crate.
//!
//! Frames are written by zrip, with the content size in the header and without a checksum, as the server writes them. They
//! are read by zrip too; a frame that it refuses gets a second reading by ruzstd before it is called corrupt, because a
//! young decoder's mistake must not look like lost data.

use std::cell::{Cell, RefCell};
use std::io::Read;

use zrip_encode::compress_with_params;
use zrip_encode::strategy::{LevelParams, level_params_for_size};

use crate::error::{Error, ErrorKind, Result};

/// How much time compression may take. Readers don't see the difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// One fast pass: flushes and small merges, whose result is soon merged again.
    #[default]
    Fast,
    /// Two denser passes besides, of which the smallest result is kept: forced and large merges.
    Thorough,
}

/// Appends one frame with the compressed `payload`.
pub fn compress(payload: &[u8], effort: Effort, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    CODEC.with_borrow_mut(|codec| {
        codec.compress(payload, effort, out)?;
        if codec.reads_back { codec.read_back(payload, &out[start..]) } else { Ok(()) }
    })
}

/// From now on each frame that this thread writes is read back by the other decoder and compared with what it was made from. It
/// costs more than the writing: for tests.
pub fn read_back_what_is_written() {
    CODEC.with_borrow_mut(|codec| codec.reads_back = true);
}

/// How many frames this thread has read back so far, and how many of them were not what they were made from.
pub fn frames_read_back() -> (u64, u64) {
    CODEC.with_borrow(|codec| (codec.frames_read_back, codec.frames_that_differ))
}

/// Appends the content of `frame`, which must not be longer than `max_len` bytes.
///
/// What the frame announces is never believed: memory grows with what was really decoded, up to `max_len`.
pub fn decompress(frame: &[u8], max_len: usize, out: &mut Vec<u8>) -> Result<()> {
    CODEC.with_borrow_mut(|codec| codec.decompress(frame, max_len, out))
}

/// Decompresses into a buffer that is kept for the next call, and lets `read` look at the content.
pub(super) fn with_decompressed<T>(frame: &[u8], max_len: usize, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    thread_local!(static CONTENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) });
    let mut content = CONTENT.take();
    content.clear();
    let result = decompress(frame, max_len, &mut content).and_then(|()| read(&content));
    CONTENT.set(content);
    result
}

/// How many frames one decoder has refused and the other has read, since the start.
pub fn disagreements() -> u64 {
    CODEC.with_borrow(|codec| codec.disagreements)
}

thread_local!(static CODEC: RefCell<Codec> = RefCell::new(Codec::default()));

/// The contexts of both directions: hash tables and buffers that are costly to make for each block of a few kilobytes.
#[derive(Default)]
struct Codec {
    encoder: Option<zrip::CompressContext>,
    decoder: zrip::DecompressContext,
    disagreements: u64,
    reads_back: bool,
    frames_read_back: u64,
    frames_that_differ: u64,
}

impl Codec {
    fn compress(&mut self, payload: &[u8], effort: Effort, out: &mut Vec<u8>) -> Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => {
                let mut encoder = zrip::CompressContext::new(FAST_LEVEL).map_err(unsupported)?;
                encoder.set_content_checksum(false);
                none.insert(encoder)
            }
        };
        let fast = encoder.compress(payload).map_err(unsupported)?;
        if effort == Effort::Fast {
            out.extend_from_slice(&fast);
            return Ok(());
        }
        let dense = with_params(payload, dense_matches(payload.len())?)?;
        let literals = with_params(payload, literals_only(payload.len())?)?;
        let smallest = [&fast[..], &dense, &literals].into_iter().min_by_key(|frame| frame.len());
        out.extend_from_slice(smallest.unwrap_or(&fast));
        Ok(())
    }

    fn read_back(&mut self, payload: &[u8], frame: &[u8]) -> Result<()> {
        let mut content = Vec::with_capacity(payload.len());
        let read = second_reading(frame, payload.len(), &mut content);
        self.frames_read_back += 1;
        if read.is_ok() && content == payload {
            return Ok(());
        }
        self.frames_that_differ += 1;
        let message = format!(
            "{} bytes were compressed to a frame of {} that reads back as {} others",
            payload.len(),
            frame.len(),
            content.len()
        );
        Err(Error::internal(message))
    }

    fn decompress(&mut self, frame: &[u8], max_len: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let Err(refusal) = self.decoder.decompress_into_with_limit(frame, out, max_len) else { return Ok(()) };
        out.truncate(start);
        // The first decoder may be left in any state.
        self.decoder = zrip::DecompressContext::new();
        match second_reading(frame, max_len, out) {
            Ok(()) => {
                self.disagreements += 1;
                Ok(())
            }
            Err(_) => {
                out.truncate(start);
                Err(Error::corrupt(format!(
                    "a zstd frame of {} bytes can't be read, or holds more than {max_len}: {refusal}",
                    frame.len()
                )))
            }
        }
    }
}

/// The level of a single fast pass; those above gain less than one part in a hundred on columns of numbers.
const FAST_LEVEL: i32 = 1;

/// Two tables of hashes, matches from four bytes on, looked for at nearly every position.
///
/// With [`literals_only`] and the fast pass it makes values smaller than libzstd does at the server's levels (1 to 5 by the
/// number of values): by 0.3 % on scraped data, 0.6 % on mixed, 18 % on random walks. Irregular timestamps stay 3 % larger.
fn dense_matches(len: usize) -> Result<LevelParams> {
    let params = level_params_for_size(4, len).ok_or_else(no_such_level)?;
    Ok(LevelParams { min_match: 4, search_strength: 9, ..params })
}

/// Steps so wide that no matches are found: all bytes go through the Huffman coder. For noise of few distinct bytes, as in
/// most gauges, a match costs more than it saves.
fn literals_only(len: usize) -> Result<LevelParams> {
    let params = level_params_for_size(FAST_LEVEL, len).ok_or_else(no_such_level)?;
    Ok(LevelParams { min_match: 8, target_length: 1 << 20, ..params })
}

/// Compresses with hand-made parameters. zrip then always adds a checksum, which the server's frames don't have: the flag in
/// the frame header descriptor, right behind the magic number, is cleared and the last four bytes are dropped.
fn with_params(payload: &[u8], params: LevelParams) -> Result<Vec<u8>> {
    const CHECKSUM_FLAG: u8 = 4;
    let mut frame = compress_with_params(payload, &params).map_err(unsupported)?;
    if let Some(descriptor) = frame.get_mut(4)
        && *descriptor & CHECKSUM_FLAG != 0
    {
        *descriptor &= !CHECKSUM_FLAG;
        frame.truncate(frame.len().saturating_sub(4));
    }
    Ok(frame)
}

#[cold]
fn no_such_level() -> Error {
    Error::new(ErrorKind::Unsupported, "the zstd encoder lacks a level that it had")
}

/// A body of any number of frames that arrives in pieces.
///
/// It is decoded block by block, so that it takes no more memory than the window and a block, whatever the frames announce.
#[derive(Default)]
pub struct Stream {
    decoder: Option<ruzstd::decoding::FrameDecoder>,
    /// Whether a frame has begun and not ended, and whether a checksum ends it.
    frame: Option<bool>,
    /// Bytes that are still to be skipped of a frame that holds no content.
    skipped: u64,
}

/// How far a stream came with the bytes that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that it needs no more. 0 when it has to see more than these to go on.
    pub consumed: usize,
    /// Whether the next byte begins a frame.
    pub is_between_frames: bool,
}

impl Stream {
    /// A magic number, then a length, of frames to be skipped; all but the lowest four bits.
    const SKIPPED_MAGIC: u32 = 0x184d_2a50;
    /// The longest header of a frame.
    const MAX_HEADER: usize = 18;

    /// Appends the content of the next block of `source`, at most 128 KiB and what the window held back.
    ///
    /// # Errors
    /// `Corrupt` for what is no frame; `is_last` says that nothing follows `source`.
    pub fn read(&mut self, source: &[u8], is_last: bool, out: &mut Vec<u8>) -> Result<Progress> {
        let progress = |stream: &Self, consumed| Progress {
            consumed,
            is_between_frames: stream.frame.is_none() && stream.skipped == 0,
        };
        if self.skipped > 0 {
            let skipped = source.len().min(usize::try_from(self.skipped).unwrap_or(usize::MAX));
            self.skipped -= skipped as u64;
            return Ok(progress(self, skipped));
        }
        if let Some(has_checksum) = self.frame {
            return Ok(match block_len(source, has_checksum) {
                Some(len) if len <= source.len() => {
                    self.read_block(&source[..len], out)?;
                    progress(self, len)
                }
                _ => progress(self, 0),
            });
        }
        if let (Some(magic), Some(length)) =
            (source.first_chunk(), source.get(4..8).and_then(|length| length.first_chunk()))
            && u32::from_le_bytes(*magic) & !15 == Self::SKIPPED_MAGIC
        {
            self.skipped = u64::from(u32::from_le_bytes(*length));
            return Ok(progress(self, 8));
        }
        if source.is_empty() || source.len() < Self::MAX_HEADER && !is_last {
            return Ok(progress(self, 0));
        }
        let decoder = self.decoder.get_or_insert_with(|| {
            let mut decoder = ruzstd::decoding::FrameDecoder::new();
            decoder.set_max_window_size(MAX_WINDOW);
            decoder
        });
        let mut rest = source;
        decoder.reset(&mut rest).map_err(|error| Error::corrupt(format!("a zstd frame can't be read: {error}")))?;
        const CHECKSUM_FLAG: u8 = 4;
        self.frame = Some(source.get(4).is_some_and(|descriptor| descriptor & CHECKSUM_FLAG != 0));
        Ok(progress(self, source.len() - rest.len()))
    }

    fn read_block(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let is_over = decoder
            .decode_blocks(block, ruzstd::decoding::BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|error| Error::corrupt(format!("a block of a zstd frame can't be read: {error}")))?;
        decoder
            .collect_to_writer(out)
            .map_err(|error| Error::corrupt(format!("a zstd frame can't be read: {error}")))?;
        if is_over {
            self.frame = None;
        }
        Ok(())
    }
}

/// The length of the block at the front of `source`, with its header, and with the checksum that follows a last one. None when
/// `source` ends before that is known.
fn block_len(source: &[u8], has_checksum: bool) -> Option<usize> {
    const HEADER: usize = 3;
    const REPEATED: u32 = 1;
    let &[a, b, c] = source.first_chunk::<HEADER>()?;
    let header = u32::from_le_bytes([a, b, c, 0]);
    let content = if header >> 1 & 3 == REPEATED { 1 } else { header as usize >> 3 };
    let checksum = if has_checksum && header & 1 == 1 { 4 } else { 0 };
    Some(HEADER + content + checksum)
}

/// Encoders round small windows up, and some always announce that of their level: 8 MiB covers all up to 19.
const MAX_WINDOW: u64 = 8 << 20;

/// Decodes with ruzstd: a single frame, nothing behind it, at most `max_len` bytes.
fn second_reading(frame: &[u8], max_len: usize, out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut source = frame;
    let start = out.len();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&mut source, MAX_WINDOW)
        .map_err(std::io::Error::other)?;
    (&mut decoder).take(max_len as u64 + 1).read_to_end(out)?;
    drop(decoder);
    if out.len() - start > max_len || !source.is_empty() {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    Ok(())
}

/// Bytes that a stream's decoder wants to have at hand: the largest header and the largest block.
const STREAM_LOOKAHEAD: usize = (128 << 10) + 64;

/// The largest window that a stream may ask for: what the command line tool takes without being told to take more.
const MAX_STREAM_WINDOW: u64 = 128 << 20;

/// Decodes a stream of frames that comes in pieces of any size, such as a file that was compressed as a whole.
///
/// Memory is bounded by the window that the stream asks for, 128 MiB at the most.
pub struct StreamDecoder {
    decoder: ruzstd::decoding::FrameDecoder,
    /// What came and was not decoded yet.
    waiting: Vec<u8>,
    in_frame: bool,
    /// Of the frame's content so far.
    checksum: xxhash_rust::xxh64::Xxh64,
    /// Bytes of a frame without content that are still to be left out.
    to_skip: u64,
}

impl Default for StreamDecoder {
    fn default() -> Self {
        let mut decoder = ruzstd::decoding::FrameDecoder::new();
        decoder.set_max_window_size(MAX_STREAM_WINDOW);
        Self { decoder, waiting: Vec::new(), in_frame: false, checksum: Default::default(), to_skip: 0 }
    }
}

impl StreamDecoder {
    /// Whether these are the first bytes of such a stream: a frame, or one that holds no content.
    pub fn recognises(first: &[u8]) -> bool {
        matches!(first, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
    }

    /// Takes the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Appends some of the content to `out`, about `most` bytes. False when more has to be pushed first; `is_last` tells that
    /// nothing more will be.
    ///
    /// # Errors
    /// `Corrupt` for what is no stream of frames, `Limit` for a window that is too large.
    pub fn read(&mut self, most: usize, is_last: bool, out: &mut Vec<u8>) -> Result<bool> {
        loop {
            let skipped = self.to_skip.min(self.waiting.len() as u64);
            // Not more than waits.
            self.waiting.drain(..skipped as usize);
            self.to_skip -= skipped;
            if self.to_skip > 0 || (self.waiting.len() < STREAM_LOOKAHEAD && !is_last) {
                return if is_last { Err(stream_ends()) } else { Ok(false) };
            }
            if !self.in_frame {
                if self.waiting.is_empty() {
                    return Ok(false);
                }
                self.begin_frame()?;
                continue;
            }
            if self.decode(most, out)? {
                return Ok(true);
            }
        }
    }

    fn begin_frame(&mut self) -> Result<()> {
        use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
        let mut source = &self.waiting[..];
        let begun = self.decoder.reset(&mut source);
        let read = self.waiting.len() - source.len();
        match begun {
            Ok(()) => {
                self.in_frame = true;
                self.checksum.reset(0);
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                self.to_skip = u64::from(length);
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                let message = format!(
                    "the zstd stream asks for a window of {requested} bytes, at most {MAX_STREAM_WINDOW} are taken; compress it without --long or --ultra"
                );
                return Err(Error::new(ErrorKind::Limit, message));
            }
            Err(error) => return Err(Error::corrupt(format!("the zstd stream can't be read: {error}"))),
        }
        self.waiting.drain(..read);
        Ok(())
    }

    /// Whether it has given something.
    fn decode(&mut self, most: usize, out: &mut Vec<u8>) -> Result<bool> {
        let corrupt = |error: &dyn std::fmt::Display| Error::corrupt(format!("the zstd stream can't be read: {error}"));
        let before = out.len();
        if !self.decoder.is_finished() {
            let mut source = &self.waiting[..];
            let strategy = ruzstd::decoding::BlockDecodingStrategy::UptoBlocks(1);
            let decoded = self.decoder.decode_blocks(&mut source, strategy);
            let read = self.waiting.len() - source.len();
            decoded.map_err(|error| corrupt(&error))?;
            self.waiting.drain(..read);
        }
        let ready = self.decoder.can_collect().min(most.max(1));
        out.resize(before + ready, 0);
        let given = self.decoder.read(&mut out[before..]).map_err(|error| corrupt(&error))?;
        out.truncate(before + given);
        self.checksum.update(&out[before..]);
        if self.decoder.is_finished() && self.decoder.can_collect() == 0 {
            self.in_frame = false;
            // Its lower half is stored.
            let computed = self.checksum.digest() as u32;
            if self.decoder.get_checksum_from_data().is_some_and(|stored| stored != computed) {
                return Err(Error::corrupt("the zstd stream is damaged: its checksum is another one"));
            }
        }
        Ok(given > 0)
    }
}

#[cold]
fn stream_ends() -> Error {
    Error::corrupt("the zstd stream ends in the midst; it was cut off")
}

#[cold]
fn unsupported(error: zrip::CompressError) -> Error {
    Error::new(ErrorKind::Unsupported, format!("zstd compression failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressible(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * i % 251 % 7) as u8).collect()
    }

    #[test]
    fn both_efforts_come_back() {
        for len in [0, 1, 127, 128, 8191, 300_000] {
            let payload = compressible(len);
            for effort in [Effort::Fast, Effort::Thorough] {
                let mut frame = vec![7];
                compress(&payload, effort, &mut frame).unwrap();
                let mut content = vec![9];
                decompress(&frame[1..], len, &mut content).unwrap();
                assert_eq!(&content[1..], payload);
                let mut again = Vec::new();
                second_reading(&frame[1..], len, &mut again).unwrap();
                assert_eq!(again, payload);
            }
        }
    }

    #[test]
    fn streams_come_in_pieces_of_any_size() {
        let content = compressible(700_000);
        let mut stream = Vec::new();
        for piece in content.chunks(300_000) {
            compress(piece, Effort::Fast, &mut stream).unwrap();
            // A frame that holds no content.
            stream.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        }
        assert!(StreamDecoder::recognises(&stream));
        for size in [1, 1000, 100_000, stream.len()] {
            let mut decoder = StreamDecoder::default();
            let mut out = Vec::new();
            for piece in stream.chunks(size) {
                decoder.push(piece);
                while decoder.read(10_000, false, &mut out).unwrap() {}
            }
            while decoder.read(10_000, true, &mut out).unwrap() {}
            assert!(out == content, "in pieces of {size}: {} bytes", out.len());
        }
        for cut in [1, 5, 100, stream.len() - 12] {
            let mut decoder = StreamDecoder::default();
            decoder.push(&stream[..stream.len() - cut]);
            let mut out = Vec::new();
            let ended = loop {
                match decoder.read(10_000, true, &mut out) {
                    Ok(true) => {}
                    ended => break ended,
                }
            };
            assert!(ended.is_err() || cut == 11, "cut by {cut}");
        }
    }

    #[test]
    fn content_beyond_the_limit_is_refused() {
        let mut frame = Vec::new();
        compress(&vec![0; 1 << 20], Effort::Fast, &mut frame).unwrap();
        let mut content = Vec::new();
        assert!(decompress(&frame, (1 << 20) - 1, &mut content).is_err());
        assert!(content.is_empty());
        assert!(content.capacity() <= 4 << 20);
    }

    /// What a stream gives that arrives in pieces of so many bytes; None when it ends in the midst of a frame.
    fn streamed(body: &[u8], piece: usize) -> Result<Option<Vec<u8>>> {
        let (mut stream, mut out, mut pending) = (Stream::default(), Vec::new(), Vec::new());
        let mut pieces = body.chunks(piece).peekable();
        let mut is_between_frames = true;
        loop {
            let progress = stream.read(&pending, pieces.peek().is_none(), &mut out)?;
            is_between_frames =
                progress.is_between_frames && progress.consumed > 0 || is_between_frames && pending.is_empty();
            pending.drain(..progress.consumed);
            if progress.consumed == 0 {
                match pieces.next() {
                    Some(piece) => pending.extend_from_slice(piece),
                    None => return Ok((is_between_frames && pending.is_empty()).then_some(out)),
                }
            }
        }
    }

    #[test]
    fn streams_are_read_in_any_pieces() {
        let payload = compressible(300_000);
        let mut body = Vec::new();
        compress(&payload[..10], Effort::Fast, &mut body).unwrap();
        body.extend_from_slice(&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
        compress(&payload, Effort::Fast, &mut body).unwrap();
        let expected = [&payload[..10], &payload].concat();
        for piece in [1, 7, 1000, usize::MAX / 2] {
            assert_eq!(streamed(&body, piece).unwrap().as_deref(), Some(&expected[..]), "{piece}");
        }
        for cut in [1, body.len() / 2, body.len() - 1] {
            assert!(!matches!(streamed(&body[..cut], 100), Ok(Some(_))), "{cut}");
        }
        assert!(streamed(b"no frame, but a line of text", 5).is_err());
    }

    #[test]
    fn damaged_frames_are_errors_and_never_panics() {
        let mut frame = Vec::new();
        compress(&compressible(2000), Effort::Fast, &mut frame).unwrap();
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut content = Vec::new();
            let _ = decompress(&damaged, 4000, &mut content);
            assert!(content.len() <= 4000);
        }
        for cut in 0..frame.len() {
            assert!(decompress(&frame[..cut], 4000, &mut Vec::new()).is_err() || cut == 0);
        }
    }
}
