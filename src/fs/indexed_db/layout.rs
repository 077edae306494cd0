//! The object stores, their keys and their values, as the table in `mod.rs` has them.

use crate::error::{Error, Result};
use crate::fs::directory::InodeId;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, IdbKeyRange};

/// Bytes of a chunk, the unit in which files are stored.
pub const CHUNK_BYTES: usize = 128 << 10;

/// Chunks from this size on are stored as a `Blob`, of which a range can be read without the rest, at the price of a second step.
/// Whoever wants a block of a few kilobytes gets no more than that.
///
/// Browsers keep a `Blob` in a file of its own, where Chromium keeps other values of up to 64 KiB in its log-structured index. An
/// index that has to be rewritten on a full disk can be lost with all that is in it, and so can one whose writer is killed in the midst
/// of a long record, so only small pieces may go there.
pub const BLOB_BYTES: usize = 4 << 10;

pub(super) const PREFIX: &str = "sandglass:";
pub(super) const ENTRIES: &str = "entries";
pub(super) const INODES: &str = "inodes";
pub(super) const CHUNKS: &str = "chunks";
pub(super) const META: &str = "meta";
pub(super) const STORES: [&str; 4] = [ENTRIES, INODES, CHUNKS, META];
/// The layout of the stores; also the version of the database.
pub(super) const FORMAT: u32 = 1;

/// Keys of `meta`.
pub(super) const EPOCH: &str = "epoch";
/// The greatest epoch there has been. It stays when the other is removed, so that none comes twice.
pub(super) const LAST_EPOCH: &str = "lastEpoch";
/// So many writers that have a successor are known by name.
pub(super) const ENDED_EPOCHS: u64 = 16;

/// The key that says that the writer of an epoch has a successor.
pub(super) fn ended_key(epoch: u64) -> JsValue {
    JsValue::from_str(&format!("ended {epoch}"))
}

pub(super) const COMMITS: &str = "commits";
/// A random number that is made with the database: another one of the same name has another.
pub(super) const MARK: &str = "mark";
pub(super) const LAYOUT: &str = "format";

/// Up to here a number of JavaScript is exact: 2^53.
const MAX_WHOLE_NUMBER: f64 = 9_007_199_254_740_992.0;

/// Size of a file that still grows. Nothing leads to it; when its writer is gone, it is cleared.
pub(super) const GROWING: f64 = -1.0;

pub(super) fn chunk_key(inode: InodeId, index: f64) -> JsValue {
    Array::of2(&number(inode), &index.into()).into()
}

/// What is stored of a chunk. The browser gets a copy: it keeps the bytes longer than this memory stays where it is.
pub(super) fn chunk_value(bytes: &[u8], keeps_blobs: bool) -> std::result::Result<JsValue, JsValue> {
    let copy = Uint8Array::from(bytes);
    if bytes.len() < BLOB_BYTES || !keeps_blobs {
        return Ok(copy.into());
    }
    Blob::new_with_u8_array_sequence(&Array::of1(&copy)).map(JsValue::from)
}

pub(super) fn chunk_range(inode: InodeId, first: f64, last: f64) -> std::result::Result<JsValue, JsValue> {
    IdbKeyRange::bound(&chunk_key(inode, first), &chunk_key(inode, last)).map(JsValue::from)
}

/// Files and commits are counted, so that their numbers stay below 2^53.
pub(super) fn number(inode: InodeId) -> JsValue {
    JsValue::from_f64(inode as f64)
}

/// A mark for a new database, of the 52 bits that a browser's chance has.
pub(super) fn new_mark() -> JsValue {
    (js_sys::Math::random() * MAX_WHOLE_NUMBER).floor().into()
}

pub(super) fn whole_number(value: &JsValue, what: &str) -> Result<u64> {
    match value.as_f64() {
        Some(number) if (0.0..MAX_WHOLE_NUMBER).contains(&number) && number.fract() == 0.0 => Ok(number as u64),
        _ => Err(Error::corrupt(format!("IndexedDB: the {what} is {value:?} and no whole number"))),
    }
}
