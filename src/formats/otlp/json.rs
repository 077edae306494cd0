//! Requests as JSON: written as protobuf field by field while they are read, so that one reader knows what a request means and the memory
//! that it takes is in proportion to the text.
//!
//! As in every mapping of protobuf to JSON, names may be spelled in both ways, 64-bit integers may be texts, infinities and NaN are
//! texts, `null` is what isn't there, and unknown fields are skipped.

use crate::error::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Message(&'static [Field]),
    /// A message as well, which may hold others of its kind.
    AnyValue,
    Text,
    Base64,
    Bool,
    Varint,
    Sint32,
    Fixed64,
    Double,
}

/// A field's name in JSON, its number, and what it holds.
type Field = (&'static str, u8, Kind);

const REQUEST: &[Field] = &[("resourceMetrics", 1, Kind::Message(RESOURCE_METRICS))];
const RESOURCE_METRICS: &[Field] =
    &[("resource", 1, Kind::Message(RESOURCE)), ("scopeMetrics", 2, Kind::Message(SCOPE_METRICS))];
const RESOURCE: &[Field] = &[("attributes", 1, Kind::Message(KEY_VALUE))];
const SCOPE_METRICS: &[Field] = &[("scope", 1, Kind::Message(SCOPE)), ("metrics", 2, Kind::Message(METRIC))];
const SCOPE: &[Field] =
    &[("name", 1, Kind::Text), ("version", 2, Kind::Text), ("attributes", 3, Kind::Message(KEY_VALUE))];
const METRIC: &[Field] = &[
    ("name", 1, Kind::Text),
    ("gauge", 5, Kind::Message(&[("dataPoints", 1, Kind::Message(NUMBER_POINT))])),
    ("sum", 7, Kind::Message(&[("dataPoints", 1, Kind::Message(NUMBER_POINT))])),
    ("histogram", 9, Kind::Message(&[("dataPoints", 1, Kind::Message(HISTOGRAM_POINT))])),
    ("exponentialHistogram", 10, Kind::Message(&[("dataPoints", 1, Kind::Message(EXPONENTIAL_POINT))])),
    ("summary", 11, Kind::Message(&[("dataPoints", 1, Kind::Message(SUMMARY_POINT))])),
];
const NUMBER_POINT: &[Field] = &[
    ("timeUnixNano", 3, Kind::Fixed64),
    ("asDouble", 4, Kind::Double),
    ("asInt", 6, Kind::Fixed64),
    ("attributes", 7, Kind::Message(KEY_VALUE)),
    ("flags", 8, Kind::Varint),
];
const HISTOGRAM_POINT: &[Field] = &[
    ("timeUnixNano", 3, Kind::Fixed64),
    ("count", 4, Kind::Fixed64),
    ("sum", 5, Kind::Double),
    ("bucketCounts", 6, Kind::Fixed64),
    ("explicitBounds", 7, Kind::Double),
    ("attributes", 9, Kind::Message(KEY_VALUE)),
    ("flags", 10, Kind::Varint),
];
const EXPONENTIAL_POINT: &[Field] = &[
    ("attributes", 1, Kind::Message(KEY_VALUE)),
    ("timeUnixNano", 3, Kind::Fixed64),
    ("count", 4, Kind::Fixed64),
    ("sum", 5, Kind::Double),
    ("scale", 6, Kind::Sint32),
    ("zeroCount", 7, Kind::Fixed64),
    ("positive", 8, Kind::Message(BUCKETS)),
    ("negative", 9, Kind::Message(BUCKETS)),
    ("flags", 10, Kind::Varint),
    ("zeroThreshold", 14, Kind::Double),
];
const BUCKETS: &[Field] = &[("offset", 1, Kind::Sint32), ("bucketCounts", 2, Kind::Varint)];
const SUMMARY_POINT: &[Field] = &[
    ("timeUnixNano", 3, Kind::Fixed64),
    ("count", 4, Kind::Fixed64),
    ("sum", 5, Kind::Double),
    ("quantileValues", 6, Kind::Message(&[("quantile", 1, Kind::Double), ("value", 2, Kind::Double)])),
    ("attributes", 7, Kind::Message(KEY_VALUE)),
    ("flags", 8, Kind::Varint),
];
const KEY_VALUE: &[Field] = &[("key", 1, Kind::Text), ("value", 2, Kind::AnyValue)];
const ANY_VALUE: &[Field] = &[
    ("stringValue", 1, Kind::Text),
    ("boolValue", 2, Kind::Bool),
    ("intValue", 3, Kind::Varint),
    ("doubleValue", 4, Kind::Double),
    ("arrayValue", 5, Kind::Message(&[("values", 1, Kind::AnyValue)])),
    ("kvlistValue", 6, Kind::Message(&[("values", 1, Kind::Message(KEY_VALUE))])),
    ("bytesValue", 7, Kind::Base64),
];

/// The request as protobuf.
///
/// # Errors
/// `Corrupt` says where the text is no JSON, or no request.
pub(super) fn to_protobuf(text: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = MessageWriter { fields: REQUEST, out: &mut out }.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| Error::corrupt(format!("metrics as JSON can't be read: {error}")))?;
    Ok(out)
}

/// Whether a name in JSON is that of a field, `timeUnixNano` or `time_unix_nano`.
fn is_name(name: &str, field: &str) -> bool {
    let mut letters = name.bytes();
    field.bytes().all(|letter| {
        let next = letters.next();
        next == Some(letter)
            || letter.is_ascii_uppercase() && next == Some(b'_') && letters.next() == Some(letter.to_ascii_lowercase())
    }) && letters.next().is_none()
}

fn put_varint(out: &mut Vec<u8>, number: u64) {
    crate::encoding::int::put_varuint(out, number);
}

/// Bytes that a length takes, which is only known behind what it is the length of: a varint may be longer than it need be.
const LENGTH_BYTES: usize = 5;

struct MessageWriter<'a> {
    fields: &'static [Field],
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.fields.iter().find(|(field, ..)| is_name(&name, field)) {
                Some(&(_, number, kind)) => map.next_value_seed(ValueWriter { number, kind, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Writes one value of a field, or each of a list.
struct ValueWriter<'a> {
    number: u8,
    kind: Kind,
    out: &'a mut Vec<u8>,
}

impl ValueWriter<'_> {
    fn tag(&mut self, wire_type: u8) {
        self.out.push(self.number << 3 | wire_type);
    }

    fn fixed64(&mut self, number: u64) {
        self.tag(1);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn varint(&mut self, number: u64) {
        self.tag(0);
        put_varint(self.out, number);
    }

    /// An integer of either sign.
    fn integer<E: serde::de::Error>(mut self, number: i128) -> std::result::Result<(), E> {
        let bits = i64::try_from(number).map(|number| number as u64).or_else(|_| u64::try_from(number));
        match (self.kind, bits) {
            (Kind::Double, _) => self.fixed64((number as f64).to_bits()),
            (Kind::Fixed64, Ok(bits)) => self.fixed64(bits),
            (Kind::Varint, Ok(bits)) => self.varint(bits),
            (Kind::Sint32, _) if i32::try_from(number).is_ok() => {
                let zigzag = crate::encoding::int::zigzag(number as i64);
                self.varint(zigzag);
            }
            _ => return Err(E::custom(format!("the number {number} is not what this field holds"))),
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.tag(2);
        put_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }
}

impl<'de> DeserializeSeed<'de> for ValueWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Message(_) | Kind::AnyValue => "an object or a list of them",
            Kind::Text => "a text",
            Kind::Base64 => "bytes as base64",
            Kind::Bool => "true or false",
            _ => "a number",
        })
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> std::result::Result<(), E> {
        match self.kind {
            Kind::Bool => self.varint(u64::from(value)),
            _ => return Err(E::invalid_type(serde::de::Unexpected::Bool(value), &self)),
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<(), E> {
        self.integer(i128::from(value))
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> std::result::Result<(), E> {
        match self.kind {
            Kind::Double => self.fixed64(value.to_bits()),
            // `1e3` is an integer, too.
            _ if value.fract() == 0.0 && value.abs() < 1e19 => return self.integer(value as i128),
            _ => return Err(E::invalid_type(serde::de::Unexpected::Float(value), &self)),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> std::result::Result<(), E> {
        let wrong = |writer: &Self| E::invalid_value(serde::de::Unexpected::Str(text), writer);
        match self.kind {
            Kind::Text => self.bytes(text.as_bytes()),
            Kind::Base64 => {
                let bytes = base64(text).ok_or_else(|| wrong(&self))?;
                self.bytes(&bytes);
            }
            Kind::Double => {
                let value: f64 = text.parse().map_err(|_| wrong(&self))?;
                self.fixed64(value.to_bits());
            }
            Kind::Fixed64 | Kind::Varint | Kind::Sint32 => match text.parse() {
                Ok(number) => return self.integer(number),
                Err(_) => return Err(wrong(&self)),
            },
            Kind::Message(_) | Kind::AnyValue | Kind::Bool => return Err(wrong(&self)),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let Self { number, kind, out } = self;
        while list.next_element_seed(ValueWriter { number, kind, out })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> std::result::Result<(), A::Error> {
        let fields = match self.kind {
            Kind::Message(fields) => fields,
            Kind::AnyValue => ANY_VALUE,
            _ => return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self)),
        };
        self.tag(2);
        let start = self.out.len();
        self.out.extend_from_slice(&[0; LENGTH_BYTES]);
        MessageWriter { fields, out: self.out }.visit_map(map)?;
        let length = self.out.len() - start - LENGTH_BYTES;
        for (at, byte) in self.out[start..start + LENGTH_BYTES].iter_mut().enumerate() {
            let more = if at + 1 < LENGTH_BYTES { 0x80 } else { 0 };
            *byte = (length >> (7 * at) & 0x7f) as u8 | more;
        }
        Ok(())
    }
}

/// The bytes of a text in base64, with either alphabet, with padding or without.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut bits = 0_u32;
        for &digit in chunk {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let bytes = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bits <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..1 + bytes]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_spellings() {
        assert!(is_name("timeUnixNano", "timeUnixNano") && is_name("time_unix_nano", "timeUnixNano"));
        assert!(!is_name("time_unix_nan", "timeUnixNano") && !is_name("timeunixnano", "timeUnixNano"));
        assert!(!is_name("timeUnixNanos", "timeUnixNano") && !is_name("", "timeUnixNano"));
    }

    #[test]
    fn base64_of_all_lengths() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("YQ==", b"a"),
            ("YWI", b"ab"),
            ("YWJj", b"abc"),
            ("-_8=", b"\xfb\xff"),
            ("+/8", b"\xfb\xff"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!((base64("a"), base64("a b")), (None, None));
    }
}
