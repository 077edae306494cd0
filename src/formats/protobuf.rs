//! Protocol Buffers as fields one after another, without a copy and without messages built in memory. The only file that names the crate
//! that reads and writes them.

use crate::error::{Error, ErrorKind, Result};
use buffa::DecodeError;
use buffa::encoding::{Tag, WireType, decode_varint, skip_field};
use buffa::types::{borrow_bytes, decode_fixed32, decode_fixed64};
use buffa::types::{
    int64_encoded_len, put_double_field, put_int64_field, put_len_delimited_header, uint64_encoded_len,
};

/// Appends what stands before a message, or a text, of `len` bytes.
#[inline]
pub(super) fn put_len(field: u32, len: usize, out: &mut Vec<u8>) {
    put_len_delimited_header(field, len as u64, out);
}

/// Appends a text.
#[inline]
pub(super) fn put_bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_len(field, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a float of eight bytes.
#[inline]
pub(super) fn put_double(field: u32, value: f64, out: &mut Vec<u8>) {
    put_double_field(field, value, out);
}

/// Appends an integer as varint.
#[inline]
pub(super) fn put_int64(field: u32, value: i64, out: &mut Vec<u8>) {
    put_int64_field(field, value, out);
}

/// Bytes of a varint.
#[inline]
pub(super) fn int64_len(value: i64) -> usize {
    int64_encoded_len(value)
}

/// Bytes of a text, or of a message of `len` bytes, with what stands before it, for a field number below 16.
#[inline]
pub(super) fn len_of_bytes(len: usize) -> usize {
    1 + uint64_encoded_len(len as u64) + len
}

/// The most numbers of one list: each takes eight bytes, though it may have come in one.
const MAX_NUMBERS: usize = 1 << 20;

#[cold]
fn too_many_numbers() -> Error {
    Error::new(ErrorKind::Limit, format!("a list has at most {MAX_NUMBERS} numbers"))
}

/// The payload of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

#[cold]
fn malformed(error: &DecodeError) -> Error {
    Error::corrupt(format!("a protobuf message can't be read: {error}"))
}

#[cold]
fn unexpected(expected: &str, found: Value<'_>) -> Error {
    let found = match found {
        Value::Varint(_) => "a varint",
        Value::Fixed32(_) => "four bytes",
        Value::Fixed64(_) => "eight bytes",
        Value::Bytes(_) => "a string or message",
    };
    Error::corrupt(format!("a protobuf field holds {expected}, found {found}"))
}

impl<'a> Value<'a> {
    /// A string, bytes or a message.
    #[inline]
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected("a string or message", other)),
        }
    }

    /// Any integer that is stored as varint.
    #[inline]
    pub(super) fn varint(self) -> Result<u64> {
        match self {
            Self::Varint(number) => Ok(number),
            other => Err(unexpected("a varint", other)),
        }
    }

    /// A zig-zagged integer of 32 bits.
    pub(super) fn sint32(self) -> Result<i32> {
        let number = self.varint()? as u32;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    /// An integer of eight bytes.
    #[inline]
    pub(super) fn fixed64(self) -> Result<u64> {
        match self {
            Self::Fixed64(number) => Ok(number),
            other => Err(unexpected("eight bytes", other)),
        }
    }

    /// A float of eight bytes.
    #[inline]
    pub(super) fn double(self) -> Result<f64> {
        Ok(f64::from_bits(self.fixed64()?))
    }

    /// Appends one number of eight bytes, or a packed list of them.
    pub(super) fn append_fixed64s(self, out: &mut Vec<u64>) -> Result<()> {
        match self {
            _ if out.len() >= MAX_NUMBERS => return Err(too_many_numbers()),
            Self::Bytes(packed) => match packed.as_chunks::<8>() {
                (numbers, []) if numbers.len() > MAX_NUMBERS - out.len() => return Err(too_many_numbers()),
                (numbers, []) => out.extend(numbers.iter().map(|bytes| u64::from_le_bytes(*bytes))),
                _ => return Err(Error::corrupt("a packed list of eight-byte numbers is cut in the midst of one")),
            },
            other => out.push(other.fixed64()?),
        }
        Ok(())
    }

    /// Appends one varint, or a packed list of them.
    pub(super) fn append_varints(self, out: &mut Vec<u64>) -> Result<()> {
        match self {
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    if out.len() >= MAX_NUMBERS {
                        return Err(too_many_numbers());
                    }
                    out.push(decode_varint(&mut packed).map_err(|error| malformed(&error))?);
                }
            }
            _ if out.len() >= MAX_NUMBERS => return Err(too_many_numbers()),
            other => out.push(other.varint()?),
        }
        Ok(())
    }
}

/// The fields of a message, in the order in which they stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of a message.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The number of the next field and what it holds. Groups, which no format here has, are skipped.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>> {
        while !self.0.is_empty() {
            let tag = Tag::decode(&mut self.0).map_err(|error| malformed(&error))?;
            let value = match tag.wire_type() {
                WireType::Varint => decode_varint(&mut self.0).map(Value::Varint),
                WireType::Fixed64 => decode_fixed64(&mut self.0).map(Value::Fixed64),
                WireType::LengthDelimited => borrow_bytes(&mut self.0).map(Value::Bytes),
                WireType::Fixed32 => decode_fixed32(&mut self.0).map(Value::Fixed32),
                _ => {
                    skip_field(tag, &mut self.0).map_err(|error| malformed(&error))?;
                    continue;
                }
            };
            return value.map(|value| Some((tag.field_number(), value))).map_err(|error| malformed(&error));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_all_kinds() {
        let message = [8, 150, 1, 17, 1, 0, 0, 0, 0, 0, 0, 0, 26, 2, b'h', b'i', 37, 7, 0, 0, 0, 43, 8, 1, 44, 48, 3];
        let mut fields = Fields::of(&message);
        let mut all = Vec::new();
        while let Some(field) = fields.next().unwrap() {
            all.push(field);
        }
        let expected = [
            (1, Value::Varint(150)),
            (2, Value::Fixed64(1)),
            (3, Value::Bytes(b"hi")),
            (4, Value::Fixed32(7)),
            (6, Value::Varint(3)),
        ];
        assert_eq!(all, expected);
        assert_eq!(Value::Varint(3).sint32().unwrap(), -2);
        assert!(Value::Varint(3).bytes().is_err() && Value::Bytes(b"").double().is_err());
        for cut in 1..message.len() {
            let mut fields = Fields::of(&message[..cut]);
            while let Ok(Some(_)) = fields.next() {}
        }
    }

    #[test]
    fn lists_may_be_packed_or_not() {
        let mut numbers = Vec::new();
        Value::Bytes(&[1, 150, 1]).append_varints(&mut numbers).unwrap();
        Value::Varint(7).append_varints(&mut numbers).unwrap();
        Value::Fixed64(9).append_fixed64s(&mut numbers).unwrap();
        Value::Bytes(&[5, 0, 0, 0, 0, 0, 0, 0]).append_fixed64s(&mut numbers).unwrap();
        assert_eq!(numbers, [1, 150, 7, 9, 5]);
        assert!(Value::Bytes(&[5, 0, 0]).append_fixed64s(&mut numbers).is_err());
        assert!(Value::Bytes(&[0x80]).append_varints(&mut numbers).is_err());
    }
}
