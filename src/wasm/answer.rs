//! Answers and records on their way to JavaScript.

use super::json::{json, json_text};
use super::query;
use crate::engine::{Answer, Labels, PushPiece};
use crate::error::Result;
use crate::http::HttpResponse;
use crate::time::TimeRange;
use js_sys::{Array, BigInt64Array, Float64Array, Uint8Array};
use serde::Serialize;
use serde::ser::Serializer;
use wasm_bindgen::prelude::*;

/// An answer as JavaScript gets it; label sets stay text, for whoever reads them in the end.
pub(super) fn into_js(answer: Answer) -> Result<JsValue> {
    Ok(match answer {
        Answer::Done => JsValue::UNDEFINED,
        Answer::Ingested(result) => json(&result)?,
        Answer::Series(series) => JsValue::from(series.len()),
        Answer::LabelSets(sets) => text_of_labels(sets.iter())?.into(),
        Answer::Strings(strings) => json(&strings)?,
        Answer::Cursor(cursor) => cursor.into(),
        Answer::Chunk(chunk) => chunk.map_or(JsValue::NULL, |bytes| Uint8Array::from(&bytes[..]).into()),
        Answer::PushPiece(piece) => piece.map_or(JsValue::NULL, |PushPiece { body, samples, next }| {
            Array::of3(&Uint8Array::from(&body[..]).into(), &(samples as f64).into(), &next.into()).into()
        }),
        Answer::Late(late) => late.map_or(JsValue::NULL, |(cursor, TimeRange { min, max })| {
            Array::of3(&cursor.into(), &(min as f64).into(), &(max as f64).into()).into()
        }),
        Answer::Times(times) => {
            let times: Vec<f64> = times.into_iter().map(|time| time as f64).collect();
            Float64Array::from(&times[..]).into()
        }
        Answer::Snapshot(name) => name.into(),
        Answer::Files(files) => json(&files)?,
        Answer::Bytes(bytes) => Uint8Array::from(&bytes[..]).into(),
        Answer::Query(result) => query::answer_to_query(&result)?,
        Answer::Latest(series) => query::answer_to_latest(&series)?,
        Answer::Envelope(rows) => query::answer_to_envelope(&rows)?,
        Answer::Count(count) => JsValue::from(count as f64),
        Answer::Restored(record) => json(&record)?,
        Answer::Part(part) => json(&part)?,
        Answer::IndexBlock(block) => json(&block)?,
        Answer::Block(block, record) => {
            let mut header = Vec::new();
            block.header.marshal(&mut header);
            let bytes = |bytes: &[u8]| JsValue::from(Uint8Array::from(bytes));
            let pieces = [
                json(&record)?,
                bytes(&header),
                BigInt64Array::from(&block.timestamps.integers[..]).into(),
                BigInt64Array::from(&block.mantissas.integers[..]).into(),
                Float64Array::from(&block.values[..]).into(),
                bytes(&block.timestamps.varints),
                bytes(&block.timestamps.stored),
                bytes(&block.mantissas.varints),
                bytes(&block.mantissas.stored),
            ];
            Array::from_iter(pieces).into()
        }
        Answer::Http(response) => http(&response, JsValue::UNDEFINED),
        Answer::HttpBegun(response, rest) => http(&response, rest.into()),
    })
}

fn http(HttpResponse { status, content_type, headers, body, .. }: &HttpResponse, rest: JsValue) -> JsValue {
    let headers = [("content-type", *content_type)].into_iter().chain(headers.iter().copied());
    let headers = Array::from_iter(headers.map(|(name, value)| Array::of2(&name.into(), &value.into())));
    Array::of4(&(*status).into(), &headers, &Uint8Array::from(&body[..]).into(), &rest).into()
}

/// Label sets as the JSON text of an array of objects, whose keys may be called anything.
pub(super) fn text_of_labels<'a>(sets: impl Iterator<Item = &'a Labels>) -> Result<String> {
    json_text(&sets.map(LabelSet).collect::<Vec<_>>())
}

struct LabelSet<'a>(&'a Labels);

impl Serialize for LabelSet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
