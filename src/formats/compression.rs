//! Bodies that come compressed, and in pieces.

use crate::encoding::{snappy, zstd};
use crate::error::{Error, ErrorKind, Result};
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Write;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As its first bytes say: gzip, zstd, or not at all.
    #[default]
    Detected,
    /// gzip, of one member or more.
    Gzip,
    /// zlib, or deflate without its header.
    Deflate,
    /// Frames of zstd.
    Zstd,
    /// One block of snappy.
    Snappy,
}

impl Compression {
    /// The compression that a header `content-encoding` names.
    ///
    /// # Errors
    /// `Unsupported` for others than these.
    pub fn of_header(encoding: &str) -> Result<Self> {
        Ok(match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Self::Detected,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "zstd" => Self::Zstd,
            "snappy" => Self::Snappy,
            other => {
                let message = format!("bodies are compressed by gzip, deflate, zstd or snappy, found {other:?}");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        })
    }
}

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes that tell how a body is compressed.
const MAGIC_LEN: usize = 4;

/// Bytes that are decompressed in one step; they may become a thousand times as many.
const STEP: usize = 2048;
/// Bytes of a body that is not compressed that are handed on in one step.
pub(super) const PLAIN_STEP: usize = 64 << 10;
/// The most that a block of snappy may hold.
const MAX_BLOCK: usize = 64 << 20;

enum State {
    Unknown(Compression),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
    Zstd { stream: Box<zstd::Stream>, is_between_frames: bool },
    Snappy,
    Done,
}

/// Decompresses a body step by step. What it holds are bytes that arrived, and never more content than one step gives.
pub struct Decompressor {
    state: State,
    input: Vec<u8>,
    /// Bytes of the input that are done with.
    consumed: usize,
    /// What a step has unpacked, to be handed on.
    unpacked: Vec<u8>,
    is_finished: bool,
    /// Whether what nothing says the compression of is a block of snappy.
    is_snappy_likely: bool,
}

/// What a step of decompression came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may go on.
    Content,
    /// More bytes must arrive first.
    Starving,
    /// That was all.
    End,
}

impl Decompressor {
    /// For a body that is compressed so. A body of remote write is one block of snappy, if no other magic number says otherwise: whether
    /// a sender names snappy, zstd or nothing tells little there.
    pub fn new(compression: Compression, is_remote_write: bool) -> Self {
        let compression = match compression {
            Compression::Zstd | Compression::Snappy if is_remote_write => Compression::Detected,
            other => other,
        };
        Self {
            state: State::Unknown(compression),
            input: Vec::new(),
            consumed: 0,
            unpacked: Vec::new(),
            is_finished: false,
            is_snappy_likely: is_remote_write,
        }
    }

    /// Takes bytes as they arrive.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        if self.consumed == self.input.len() {
            self.input = bytes;
        } else {
            self.input.drain(..self.consumed);
            self.input.extend_from_slice(&bytes);
        }
        self.consumed = 0;
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Hands on the content of the next few bytes, whose last part comes before the end is told. What is not compressed is handed on from
    /// where it lies.
    ///
    /// # Errors
    /// `Corrupt` for what isn't compressed so, or ends too early; `Limit` for a block of snappy that is too large.
    pub fn step(&mut self, mut take: impl FnMut(&[u8])) -> Result<Step> {
        let input = &self.input[self.consumed..];
        if let State::Unknown(compression) = self.state {
            if input.len() < MAGIC_LEN && !self.is_finished {
                return Ok(Step::Starving);
            }
            self.state = self.begin(compression);
            return Ok(Step::Content);
        }
        let step = if let State::Plain = self.state { PLAIN_STEP } else { STEP };
        let taken = &input[..input.len().min(step)];
        let is_last = self.is_finished && taken.is_empty();
        let is_over = match &mut self.state {
            State::Unknown(_) | State::Done => return Ok(Step::End),
            State::Plain => {
                take(taken);
                self.consumed += taken.len();
                is_last
            }
            State::Gzip(decoder) => {
                inflate(&mut **decoder, taken, is_last, "gzip", |decoder| decoder.try_finish())?;
                take(decoder.get_ref());
                decoder.get_mut().clear();
                self.consumed += taken.len();
                is_last
            }
            State::Zlib(decoder) => {
                inflate(&mut **decoder, taken, is_last, "deflate", |decoder| decoder.try_finish())?;
                take(decoder.get_ref());
                decoder.get_mut().clear();
                self.consumed += taken.len();
                is_last
            }
            State::Deflate(decoder) => {
                inflate(&mut **decoder, taken, is_last, "deflate", |decoder| decoder.try_finish())?;
                take(decoder.get_ref());
                decoder.get_mut().clear();
                self.consumed += taken.len();
                is_last
            }
            State::Zstd { stream, is_between_frames } => {
                self.unpacked.clear();
                let progress = stream.read(input, self.is_finished, &mut self.unpacked)?;
                take(&self.unpacked);
                self.consumed += progress.consumed;
                if progress.consumed > 0 {
                    *is_between_frames = progress.is_between_frames;
                    return Ok(Step::Content);
                }
                if self.is_finished && !(input.is_empty() && *is_between_frames) {
                    return Err(Error::corrupt("a body compressed by zstd ends in the midst of a frame"));
                }
                if !self.is_finished {
                    return Ok(Step::Starving);
                }
                true
            }
            State::Snappy => {
                if input.len() > MAX_BLOCK {
                    return Err(too_large());
                }
                if !self.is_finished {
                    return Ok(Step::Starving);
                }
                self.unpacked.clear();
                snappy::decompress(input, MAX_BLOCK, &mut self.unpacked)?;
                take(&self.unpacked);
                self.consumed = self.input.len();
                true
            }
        };
        if is_over {
            self.state = State::Done;
            return Ok(Step::End);
        }
        Ok(if taken.is_empty() { Step::Starving } else { Step::Content })
    }

    fn begin(&self, compression: Compression) -> State {
        let input = &self.input[self.consumed..];
        match compression {
            Compression::Gzip => State::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Compression::Deflate => match input {
                // The header of zlib: its method is 8, and its two bytes are a multiple of 31.
                &[method, flags, ..] if method & 15 == 8 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0 => {
                    State::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
                }
                _ => State::Deflate(Box::new(DeflateDecoder::new(Vec::new()))),
            },
            Compression::Zstd => State::Zstd { stream: Box::default(), is_between_frames: true },
            Compression::Snappy => State::Snappy,
            Compression::Detected if input.starts_with(GZIP_MAGIC) => self.begin(Compression::Gzip),
            Compression::Detected if input.starts_with(ZSTD_MAGIC) => self.begin(Compression::Zstd),
            Compression::Detected if self.is_snappy_likely => State::Snappy,
            Compression::Detected => State::Plain,
        }
    }
}

/// Hands bytes to a decoder, and tells it when there are no more.
fn inflate<D: Write>(
    decoder: &mut D,
    taken: &[u8],
    is_last: bool,
    name: &str,
    finish: impl FnOnce(&mut D) -> std::io::Result<()>,
) -> Result<()> {
    let result = if is_last { finish(decoder) } else { decoder.write_all(taken) };
    result.map_err(|error| Error::corrupt(format!("a body compressed by {name} can't be read: {error}")))
}

#[cold]
fn too_large() -> Error {
    Error::new(ErrorKind::Limit, format!("a body compressed by snappy has at most {} MiB", MAX_BLOCK >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn content(compression: Compression, body: &[u8], piece: usize) -> Result<Vec<u8>> {
        let mut decompressor = Decompressor::new(compression, false);
        let (mut out, mut pieces) = (Vec::new(), body.chunks(piece));
        loop {
            match decompressor.step(|content| out.extend_from_slice(content))? {
                Step::Content => {}
                Step::End => return Ok(out),
                Step::Starving => match pieces.next() {
                    Some(piece) => decompressor.feed(piece.to_vec()),
                    None => decompressor.finish(),
                },
            }
        }
    }

    fn text() -> Vec<u8> {
        (0..5000).flat_map(|i| format!("metric_{} {}\n", i % 7, i * 7919 % 1000).into_bytes()).collect()
    }

    fn compressed(text: &[u8]) -> Vec<(Compression, Vec<u8>)> {
        let level = flate2::Compression::fast();
        let mut gzip = GzEncoder::new(Vec::new(), level);
        gzip.write_all(&text[..text.len() / 3]).unwrap();
        let mut gzip = GzEncoder::new(gzip.finish().unwrap(), level);
        gzip.write_all(&text[text.len() / 3..]).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), level);
        zlib.write_all(text).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), level);
        deflate.write_all(text).unwrap();
        let mut zstd = Vec::new();
        zstd::compress(text, zstd::Effort::Fast, &mut zstd).unwrap();
        vec![
            (Compression::Gzip, gzip.finish().unwrap()),
            (Compression::Deflate, zlib.finish().unwrap()),
            (Compression::Deflate, deflate.finish().unwrap()),
            (Compression::Zstd, zstd),
            (Compression::Snappy, snappy::compress(text)),
            (Compression::Detected, text.to_vec()),
        ]
    }

    #[test]
    fn all_kinds_come_back_in_any_pieces() {
        let text = text();
        for (compression, body) in compressed(&text) {
            for piece in [1, 3, 1000, body.len()] {
                assert!(content(compression, &body, piece).unwrap() == text, "{compression:?} {piece}");
            }
            if matches!(compression, Compression::Gzip | Compression::Zstd) {
                assert!(content(Compression::Detected, &body, 100).unwrap() == text);
            }
        }
    }

    #[test]
    fn a_body_that_ends_too_early_is_an_error() {
        for (compression, body) in compressed(&text()) {
            if compression == Compression::Detected {
                continue;
            }
            // Between two members, a body of gzip is whole.
            let cuts = [3, 10, body.len() / 2, body.len() - 1];
            for cut in cuts {
                let error = content(compression, &body[..cut], 100).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{compression:?} {cut}");
            }
        }
    }

    #[test]
    fn damage_is_an_error_or_another_text_and_never_a_panic() {
        for (compression, body) in compressed(&text()[..600]) {
            for bit in 0..body.len() * 8 {
                let mut damaged = body.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                if let Ok(content) = content(compression, &damaged, usize::MAX) {
                    assert!(content.len() < 1 << 20);
                }
            }
        }
    }

    #[test]
    fn a_bomb_comes_out_step_by_step() {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
        (0..64).for_each(|_| gzip.write_all(&vec![b'\n'; 1 << 20]).unwrap());
        let mut decompressor = Decompressor::new(Compression::Detected, false);
        decompressor.feed(gzip.finish().unwrap());
        decompressor.finish();
        let (mut total, mut most) = (0, 0);
        loop {
            let mut len = 0;
            let step = decompressor.step(|content| len += content.len()).unwrap();
            total += len;
            most = most.max(len);
            if step == Step::End {
                break;
            }
        }
        assert_eq!(total, 64 << 20);
        assert!(most <= 4 << 20, "{most}");
    }

    #[test]
    fn headers_name_them() {
        for (header, compression) in [
            ("", Compression::Detected),
            ("identity", Compression::Detected),
            (" GZIP", Compression::Gzip),
            ("deflate", Compression::Deflate),
            ("zstd", Compression::Zstd),
            ("snappy", Compression::Snappy),
        ] {
            assert_eq!(Compression::of_header(header).unwrap(), compression);
        }
        assert_eq!(Compression::of_header("br").unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
