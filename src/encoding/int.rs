//! Integers as bytes (part-format §1): fixed-width big-endian, zig-zag and varints, one by one and by the column.
//!
//! `put_*` append to a buffer, `take_*` read from the front of a slice and return the value with the rest.

use crate::error::{Error, Result};

/// The longest a varint can be: 64 bits in groups of seven.
pub const MAX_VARINT_LEN: usize = 10;

/// Appends a big-endian `u16`.
pub fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a big-endian `u32`.
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a big-endian `u64`.
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a zig-zag `i16` (`i16z`).
pub fn put_i16(out: &mut Vec<u8>, value: i16) {
    put_u16(out, ((value << 1) ^ (value >> 15)).cast_unsigned());
}

/// Appends a zig-zag `i64` of fixed width (`i64z`).
pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, zigzag(value));
}

/// Appends an unsigned varint in its minimal form.
#[inline]
pub fn put_varuint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a signed (zig-zag) varint in its minimal form.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_varuint(out, zigzag(value));
}

/// Appends a byte string: its length as a varuint, then the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varuint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How many varints the column writers handle at a time.
pub(super) const PIECE: usize = 64;

/// Appends a column of signed varints.
pub fn put_varints(out: &mut Vec<u8>, values: &[i64]) {
    for piece in values.chunks(PIECE) {
        put_varint_piece(out, piece);
    }
}

/// Appends up to [`PIECE`] signed varints.
///
/// Room is made piece by piece: ten bytes for each of 8192 values at once would be 80 KiB for a payload of usually 8.
pub(super) fn put_varint_piece(out: &mut Vec<u8>, piece: &[i64]) {
    let start = out.len();
    let wide = piece.iter().fold(0, |bits, &value| bits | zigzag(value));
    if wide < 0x80 {
        out.extend(piece.iter().map(|&value| zigzag(value).to_le_bytes()[0]));
    } else if wide < 1 << 56 {
        out.resize(start + PIECE * 8, 0);
        let mut at = start;
        for &value in piece {
            let (bytes, len) = spread(zigzag(value));
            // At most 8 bytes a value were written before, so the room suffices; a miss would only lose bytes.
            if let Some(room) = out.get_mut(at..at + 8) {
                room.copy_from_slice(&bytes.to_le_bytes());
            }
            at += len;
        }
        out.truncate(at);
    } else {
        for &value in piece {
            put_varint(out, value);
        }
    }
}

/// The varint of a number below 2^56 as little-endian bytes, and how many of them count. No branches.
#[inline]
fn spread(z: u64) -> (u64, usize) {
    let len = (70 - (z | 1).leading_zeros() as usize) / 7;
    let z = (z & 0x0000_0000_0fff_ffff) | ((z & 0x00ff_ffff_f000_0000) << 4);
    let z = (z & 0x0000_3fff_0000_3fff) | ((z & 0x0fff_c000_0fff_c000) << 2);
    let z = (z & 0x007f_007f_007f_007f) | ((z & 0x3f80_3f80_3f80_3f80) << 1);
    let more = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
    (z | more, len)
}

/// The inverse of [`spread`] for bytes whose continuation bits and everything behind the last byte are already zero.
#[inline]
fn gather(bytes: u64) -> u64 {
    let z = (bytes & 0x007f_007f_007f_007f) | ((bytes & 0x7f00_7f00_7f00_7f00) >> 1);
    let z = (z & 0x0000_3fff_0000_3fff) | ((z & 0x3fff_0000_3fff_0000) >> 2);
    (z & 0x0000_0000_0fff_ffff) | ((z & 0x0fff_ffff_0000_0000) >> 4)
}

/// Reads a big-endian `u16`.
pub fn take_u16(src: &[u8]) -> Result<(u16, &[u8])> {
    let (bytes, rest) = src.split_first_chunk().ok_or_else(|| short("u16", 2, src.len()))?;
    Ok((u16::from_be_bytes(*bytes), rest))
}

/// Reads a big-endian `u32`.
pub fn take_u32(src: &[u8]) -> Result<(u32, &[u8])> {
    let (bytes, rest) = src.split_first_chunk().ok_or_else(|| short("u32", 4, src.len()))?;
    Ok((u32::from_be_bytes(*bytes), rest))
}

/// Reads a big-endian `u64`.
pub fn take_u64(src: &[u8]) -> Result<(u64, &[u8])> {
    let (bytes, rest) = src.split_first_chunk().ok_or_else(|| short("u64", 8, src.len()))?;
    Ok((u64::from_be_bytes(*bytes), rest))
}

/// Reads a zig-zag `i16` (`i16z`).
pub fn take_i16(src: &[u8]) -> Result<(i16, &[u8])> {
    let (z, rest) = take_u16(src)?;
    Ok(((z >> 1).cast_signed() ^ -((z & 1).cast_signed()), rest))
}

/// Reads a zig-zag `i64` of fixed width (`i64z`).
pub fn take_i64(src: &[u8]) -> Result<(i64, &[u8])> {
    let (z, rest) = take_u64(src)?;
    Ok((unzigzag(z), rest))
}

/// Reads an unsigned varint. Longer forms than needed are accepted and bits above bit 63 are dropped, as the server does.
#[inline]
pub fn take_varuint(src: &[u8]) -> Result<(u64, &[u8])> {
    match src.split_first() {
        Some((&byte, rest)) if byte < 0x80 => Ok((u64::from(byte), rest)),
        _ => take_long_varuint(src),
    }
}

fn take_long_varuint(src: &[u8]) -> Result<(u64, &[u8])> {
    let mut value = 0;
    for (i, &byte) in src.iter().take(MAX_VARINT_LEN).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, &src[i + 1..]));
        }
    }
    Err(unfinished(src))
}

#[cold]
fn unfinished(src: &[u8]) -> Error {
    Error::corrupt(format!("a varint is unfinished after {} bytes", src.len().min(MAX_VARINT_LEN)))
}

/// Reads a signed (zig-zag) varint.
#[inline]
pub fn take_varint(src: &[u8]) -> Result<(i64, &[u8])> {
    let (z, rest) = take_varuint(src)?;
    Ok((unzigzag(z), rest))
}

/// Reads a byte string with its length in front.
pub fn take_bytes(src: &[u8]) -> Result<(&[u8], &[u8])> {
    let (len, rest) = take_varuint(src)?;
    usize::try_from(len)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
        .ok_or_else(|| Error::corrupt(format!("a byte string announces {len} bytes, found {}", rest.len())))
}

/// Appends exactly `n` signed varints from `src` to `out` and returns the rest.
///
/// Allocates only for counts that `src` can hold, one byte a number at least.
pub fn take_varints<'a>(src: &'a [u8], n: usize, out: &mut Vec<i64>) -> Result<&'a [u8]> {
    if n > src.len() {
        return Err(Error::corrupt(format!("{n} varints take at least as many bytes, found {}", src.len())));
    }
    let start = out.len();
    out.resize(start + n, 0);
    let column = &mut out[start..];
    let mut src = src;
    let mut i = 0;
    while i < column.len() {
        // As many as surely end within the next eight bytes, but in fixed numbers, whose choice the processor foresees.
        let word = src.first_chunk().map_or(MORE, |bytes| u64::from_le_bytes(*bytes));
        let ends = !word & MORE;
        let more_than_one = ends & ends.wrapping_sub(1);
        let more_than_two = more_than_one & more_than_one.wrapping_sub(1);
        let (count, len) = if ends == MORE {
            (8, cut::<8>(word, &mut column[i..]))
        } else if ends == PAIRS {
            (4, cut_pairs(word, &mut column[i..]))
        } else if more_than_two & more_than_two.wrapping_sub(1) != 0 {
            (4, cut::<4>(word, &mut column[i..]))
        } else if more_than_one != 0 {
            (2, cut::<2>(word, &mut column[i..]))
        } else if ends != 0 {
            (1, cut::<1>(word, &mut column[i..]))
        } else {
            (0, None)
        };
        if let Some(len) = len {
            src = &src[len..];
            i += count;
        } else {
            (column[i], src) = take_varint(src)?;
            i += 1;
        }
    }
    Ok(src)
}

/// The bits that say "more follows".
const MORE: u64 = 0x8080_8080_8080_8080;

/// The bits that end varints of two bytes each.
const PAIRS: u64 = 0x8000_8000_8000_8000;

/// Like `cut::<4>`, for four varints of two bytes each, the most common length after one.
#[inline]
fn cut_pairs(word: u64, column: &mut [i64]) -> Option<usize> {
    let values = column.first_chunk_mut::<4>()?;
    let pairs = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    for (value, at) in values.iter_mut().zip([0, 16, 32, 48]) {
        *value = unzigzag((pairs >> at) & 0x3fff);
    }
    Some(8)
}

/// Cuts the first `N` varints, which must end in `word`, into the front of the column, if that is long enough, and returns
/// how many bytes they took.
#[inline]
fn cut<const N: usize>(word: u64, column: &mut [i64]) -> Option<usize> {
    let values = column.first_chunk_mut::<N>()?;
    if N == 8 {
        for (value, byte) in values.iter_mut().zip(word.to_le_bytes()) {
            *value = unzigzag(u64::from(byte));
        }
        return Some(8);
    }
    let mut ends = !word & MORE;
    let mut from = 0;
    let mut to = 0;
    for value in values {
        // The bits up to the lowest end, less those of the varints before. Counting zeros is cheaper than counting ones.
        to = ends.trailing_zeros() + 1;
        *value = unzigzag(gather((word & (ends ^ (ends - 1)) & !MORE) >> from));
        from = to & 63;
        ends &= ends - 1;
    }
    Some(to as usize / 8)
}

/// Signed to unsigned, so that small magnitudes stay small: 0, -1, 1, -2, … become 0, 1, 2, 3, ….
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
#[inline]
pub fn unzigzag(z: u64) -> i64 {
    (z >> 1).cast_signed() ^ -((z & 1).cast_signed())
}

#[cold]
fn short(what: &str, need: usize, found: usize) -> Error {
    Error::corrupt(format!("a {what} takes {need} bytes, found {found}"))
}
