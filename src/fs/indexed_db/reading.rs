//! Reading a range: what of it is stored in chunks, and what still lies in memory.

use super::flight::{Effect, Flight};
use super::layout::{CHUNK_BYTES, CHUNKS, chunk_key, chunk_range};
use super::settling::settles;
use super::state::{Shared, State, Step, with_state};
use super::transaction::{Access, end as end_transaction};
use super::trouble::Attempt;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::directory::InodeId;
use crate::fs::{Reply, Request};
use bytes::Bytes;
use js_sys::{Array, Promise, Uint8Array};
use std::ops::Range;
use std::rc::Weak;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, IdbRequest};

impl State {
    pub(super) fn start_reading(
        &mut self,
        me: &Weak<Shared>,
        at: usize,
        inode: InodeId,
        range: &Range<u64>,
    ) -> Attempt<Step> {
        let op = self.pending[at].op;
        let range = range.clone();
        let stored_chunks = self.growing.get(&inode).map_or(u64::MAX, |growing| growing.chunks);
        let first = range.start / CHUNK_BYTES as u64;
        let end = range.end.div_ceil(CHUNK_BYTES as u64).min(stored_chunks);
        if range.is_empty() || first >= end {
            return Ok(Step::Done(Reply::Bytes(self.assemble(at, inode, &range, &[])?)));
        }
        let transaction = self.transaction(&[CHUNKS], Access::Read)?;
        let chunks = transaction.object_store(CHUNKS)?;
        let request = if first + 1 == end {
            chunks.get(&chunk_key(inode, first as f64))?
        } else {
            chunks.get_all_with_key(&chunk_range(inode, first as f64, (end - 1) as f64)?)?
        };
        let mut flight = Flight::new(transaction, Effect::Read { inode, range });
        let on_success = flight.handler(settles(me, op, true));
        request.set_onsuccess(Some(&on_success));
        flight.request = Some(request);
        let on_abort = flight.handler(settles(me, op, false));
        flight.transaction.set_onabort(Some(&on_abort));
        // Should this page go, nobody waits for it to take the answer.
        end_transaction(&flight.transaction)?;
        Ok(Step::UnderWay(flight))
    }

    /// What a read answers, whose chunks the browser has found; nothing yet when bytes are still to be fetched.
    pub(super) fn take_chunks(
        &mut self,
        me: &Weak<Shared>,
        at: usize,
        inode: InodeId,
        range: &Range<u64>,
        request: Option<&IdbRequest>,
    ) -> Attempt<Option<Reply>> {
        let result = request.map_or(Ok(JsValue::UNDEFINED), IdbRequest::result)?;
        let chunks = if Array::is_array(&result) { Array::from(&result) } else { Array::of1(&result) };
        let (pieces, fetching) = pieces(&chunks, range)?;
        if fetching.length() == 0 {
            return Ok(Some(Reply::Bytes(self.assemble(at, inode, range, &pieces)?)));
        }
        self.start_fetching(me, at, inode, range.clone(), pieces, &fetching);
        Ok(None)
    }

    /// Waits for what is wanted of stored `Blob`s. Their transaction has ended; a `Blob` can be read as long as it is held.
    fn start_fetching(
        &mut self,
        me: &Weak<Shared>,
        at: usize,
        inode: InodeId,
        range: Range<u64>,
        mut pieces: Vec<Piece>,
        fetching: &Array,
    ) {
        self.pending[at].is_awaited = true;
        let (me, op) = (me.clone(), self.pending[at].op);
        let fetched = JsFuture::from(Promise::all(fetching));
        spawn_local(async move {
            let fetched = fetched.await;
            with_state(&me, |state, me| {
                let Some(at) = state.pending.iter().position(|pending| pending.op == op) else { return };
                state.pending[at].is_awaited = false;
                match fetched {
                    Ok(buffers) => {
                        let missing = pieces.iter_mut().filter(|piece| piece.bytes.is_none());
                        for (piece, buffer) in missing.zip(Array::from(&buffers).iter()) {
                            piece.bytes = Some(Uint8Array::new(&buffer));
                        }
                        let bytes = state.assemble(at, inode, &range, &pieces);
                        state.complete(at, bytes.map(Reply::Bytes));
                    }
                    Err(refused) => state.fail_operation(at, refused.into()),
                }
                state.advance(me);
            });
        });
    }

    /// The bytes of a range that an operation wants, from what is stored of its beginning and from the tail of a growing file.
    fn assemble(&mut self, at: usize, inode: InodeId, range: &Range<u64>, pieces: &[Piece]) -> Result<Bytes> {
        let Request::Read { file, .. } = &self.pending[at].request else {
            return Err(Error::new(ErrorKind::Storage, "the operation has changed its kind"));
        };
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(len)
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{file}: {len} bytes don't fit into memory")))?;
        for piece in pieces {
            let Some(stored) = &piece.bytes else { break };
            self.stats.read_bytes += u64::from(stored.length());
            let wanted = stored.subarray(piece.wanted.start, piece.wanted.end);
            let old_len = bytes.len();
            bytes.resize(old_len + wanted.length() as usize, 0);
            wanted.copy_to(&mut bytes[old_len..]);
        }
        if let Some(growing) = self.growing.get(&inode) {
            let tail_at = growing.chunks * CHUNK_BYTES as u64;
            let (from, to) = (range.start.saturating_sub(tail_at), range.end.saturating_sub(tail_at));
            bytes.extend_from_slice(growing.tail.get(from as usize..to as usize).unwrap_or(&[]));
        }
        if bytes.len() != len {
            return Err(Error::corrupt(format!(
                "{file}: {} bytes are stored where {len} were asked for, at {}: the browser or another program has removed a part of the database",
                bytes.len(),
                range.start
            )));
        }
        Ok(bytes.into())
    }
}

/// What is wanted of a stored chunk.
struct Piece {
    /// What was read of it; nothing while it is fetched.
    bytes: Option<Uint8Array>,
    /// Where in that the wanted bytes lie.
    wanted: Range<u32>,
}

/// What a range wants of the chunks from its first one on, and the promises of what is in `Blob`s. It ends early where a chunk
/// is none, or where what follows is not where it seems to be.
fn pieces(chunks: &Array, range: &Range<u64>) -> Attempt<(Vec<Piece>, Array)> {
    let (mut pieces, fetching) = (Vec::new(), Array::new());
    let mut chunk_at = range.start / CHUNK_BYTES as u64 * CHUNK_BYTES as u64;
    for chunk in chunks.iter() {
        let blob = chunk.dyn_ref::<Blob>();
        let bytes = chunk.dyn_ref::<Uint8Array>();
        let len = match (blob, bytes) {
            (Some(blob), _) if blob.size() <= CHUNK_BYTES as f64 => blob.size() as u64,
            (_, Some(bytes)) if bytes.length() as usize <= CHUNK_BYTES => u64::from(bytes.length()),
            _ => break,
        };
        // All but the last one are full.
        if len < CHUNK_BYTES as u64 && chunk_at + len < range.end {
            break;
        }
        // Below the chunk's length.
        let start = range.start.saturating_sub(chunk_at).min(len) as u32;
        let end = (range.end - chunk_at).min(len) as u32;
        pieces.push(match blob {
            Some(blob) => {
                let slice = blob.slice_with_f64_and_f64(f64::from(start), f64::from(end))?;
                fetching.push(&slice.array_buffer());
                Piece { bytes: None, wanted: 0..end - start }
            }
            None => Piece { bytes: bytes.cloned(), wanted: start..end },
        });
        chunk_at += len;
        if chunk_at >= range.end {
            break;
        }
    }
    Ok((pieces, fetching))
}
