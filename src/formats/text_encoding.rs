//! Texts to UTF-8: a byte order mark says that a text is UTF-8 or UTF-16, and is no part of it.

/// How a text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Encoding {
    /// Its first bytes are still to come.
    #[default]
    Unknown,
    /// Handed on as it is, whether it is UTF-8 or not.
    Plain,
    Utf16 {
        is_big_endian: bool,
    },
}

/// Decodes a text that arrives in pieces.
#[derive(Debug, Default)]
pub struct TextDecoder {
    encoding: Encoding,
    /// Bytes that say nothing by themselves.
    pending: Vec<u8>,
}

const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

impl TextDecoder {
    /// Appends the text of these bytes; `is_last` says that no more follow. What is no UTF-16 becomes U+FFFD.
    pub fn decode(&mut self, bytes: &[u8], is_last: bool, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Plain {
            return out.extend_from_slice(bytes);
        }
        self.pending.extend_from_slice(bytes);
        if self.encoding == Encoding::Unknown {
            let mark = match &self.pending[..] {
                [0xff, 0xfe, ..] => (Encoding::Utf16 { is_big_endian: false }, 2),
                [0xfe, 0xff, ..] => (Encoding::Utf16 { is_big_endian: true }, 2),
                [0xef, 0xbb, 0xbf, ..] => (Encoding::Plain, UTF8_MARK.len()),
                [] | [0xff | 0xfe] if !is_last => return,
                start if UTF8_MARK.starts_with(start) && !is_last => return,
                _ => (Encoding::Plain, 0),
            };
            self.encoding = mark.0;
            self.pending.drain(..mark.1);
        }
        match self.encoding {
            Encoding::Utf16 { is_big_endian } => self.decode_utf16(is_big_endian, is_last, out),
            _ => out.append(&mut self.pending),
        }
    }

    fn decode_utf16(&mut self, is_big_endian: bool, is_last: bool, out: &mut Vec<u8>) {
        let (pairs, odd) = self.pending.as_chunks::<2>();
        let unit = |pair: &[u8; 2]| if is_big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        // The first half of a pair waits for the other.
        let waits = !is_last && pairs.last().is_some_and(|pair| (0xd800..0xdc00).contains(&unit(pair)));
        let whole = pairs.len() - usize::from(waits);
        for character in char::decode_utf16(pairs[..whole].iter().map(unit)) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if is_last && !odd.is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
        self.pending.drain(..whole * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &[u8], piece: usize) -> String {
        let (mut decoder, mut out) = (TextDecoder::default(), Vec::new());
        body.chunks(piece).for_each(|bytes| decoder.decode(bytes, false, &mut out));
        decoder.decode(b"", true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn marks_are_no_text() {
        let text = "a{b=\"東京 🚀\"} 1\n";
        let little: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        let marked = [UTF8_MARK, text.as_bytes()].concat();
        for body in [text.as_bytes(), &marked, &little, &big] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(decoded(body, piece), text);
            }
        }
        assert_eq!(decoded(b"", 1), "");
        assert_eq!(decoded(UTF8_MARK, 1), "");
        assert_eq!(decoded(&[0xff, 0xfe, b'a', 0, 0, 0xd8, b'b', 0, 9], 2), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn what_is_no_text_is_handed_on() {
        for body in [&[0xef, 0xbb][..], &[0xff], &[0xef], &[0x80, 0xff, 0xfe]] {
            for piece in [1, 100] {
                let (mut decoder, mut out) = (TextDecoder::default(), Vec::new());
                body.chunks(piece).for_each(|bytes| decoder.decode(bytes, false, &mut out));
                decoder.decode(b"", true, &mut out);
                assert_eq!(out, body);
            }
        }
    }
}
