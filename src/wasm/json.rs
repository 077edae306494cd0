//! Records on their way to JavaScript, as JSON whose numbers lose no digit.

use crate::error::{Error, ErrorKind, Result};
use js_sys::JSON;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use std::io::{self, Write};
use wasm_bindgen::JsValue;

/// A record as the object it stands for. Integers become numbers; one that JavaScript's numbers do not hold exactly becomes its
/// decimal text.
pub(super) fn json(record: &impl Serialize) -> Result<JsValue> {
    JSON::parse(&json_text(record)?).map_err(|error| unwritable(format!("{error:?}")))
}

/// A record as the text of such an object.
pub(super) fn json_text(record: &impl Serialize) -> Result<String> {
    let mut text = Vec::new();
    record
        .serialize(&mut serde_json::Serializer::with_formatter(&mut text, ExactNumbers))
        .map_err(|error| unwritable(error.to_string()))?;
    String::from_utf8(text).map_err(|error| unwritable(error.to_string()))
}

/// The largest integer up to which JavaScript's numbers hold every one.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Writes integers so that `JSON.parse` loses no digit of them.
struct ExactNumbers;

impl Formatter for ExactNumbers {
    fn write_u64<W: Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= MAX_SAFE_INTEGER {
            CompactFormatter.write_u64(writer, value)
        } else {
            write!(writer, "\"{value}\"")
        }
    }

    fn write_i64<W: Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= MAX_SAFE_INTEGER {
            CompactFormatter.write_i64(writer, value)
        } else {
            write!(writer, "\"{value}\"")
        }
    }
}

fn unwritable(what: String) -> Error {
    Error::new(ErrorKind::Internal, format!("a record cannot be written as JSON: {what}"))
}
