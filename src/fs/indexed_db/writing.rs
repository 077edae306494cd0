//! Appending to files that nobody sees yet, and commits.

use super::flight::{Effect, Flight, Growing};
use super::layout::{
    CHUNK_BYTES, CHUNKS, COMMITS, ENTRIES, GROWING, INODES, META, STORES, chunk_key, chunk_range, chunk_value, number,
};
use super::settling::settles;
use super::state::{Shared, State};
use super::transaction::{Access, Write, end_if_not_ended, unless_failed};
use super::trouble::{Attempt, Trouble};
use crate::error::Error;
use crate::fs::directory::{CommitPlan, InodeId};
use crate::fs::{FilePath, OpId};
use bytes::Bytes;
use std::rc::Weak;
use wasm_bindgen::prelude::*;

impl State {
    pub(super) fn start_append(
        &self,
        me: &Weak<Shared>,
        op: OpId,
        inode: InodeId,
        created: bool,
        bytes: &Bytes,
    ) -> Attempt<Flight> {
        let before = self.growing.get(&inode).ok_or_else(|| Error::corrupt("a file that does not grow"))?;
        let mut writes = Vec::new();
        if before.chunks == 0 {
            writes.push(Write::put(INODES, number(inode), GROWING.into()));
        }
        let mut index = before.chunks;
        let mut put = |chunk: &[u8]| {
            let put = chunk_value(chunk, self.keeps_blobs)
                .map(|value| writes.push(Write::put(CHUNKS, chunk_key(inode, index as f64), value)));
            index += 1;
            put
        };
        let whole = before.tail.chunks_exact(CHUNK_BYTES);
        let mut tail = whole.remainder().to_vec();
        for chunk in whole {
            put(chunk)?;
        }
        let mut rest = &bytes[..];
        if !tail.is_empty() {
            let fills_chunk = rest.len().min(CHUNK_BYTES - tail.len());
            tail.extend_from_slice(&rest[..fills_chunk]);
            rest = &rest[fills_chunk..];
        }
        if tail.len() == CHUNK_BYTES {
            put(&tail)?;
            tail.clear();
        }
        let whole = rest.chunks_exact(CHUNK_BYTES);
        tail.extend_from_slice(whole.remainder());
        for chunk in whole {
            put(chunk)?;
        }
        let grown = Growing { chunks: index, tail };
        // Durably: browsers flush the file of a `Blob` with the transaction that puts it, and not with the commit that leads to it.
        self.start_writing(
            me,
            op,
            &[CHUNKS, INODES, META],
            Access::WriteDurably,
            &writes,
            Effect::Append { inode, created, grown },
        )
    }

    pub(super) fn start_commit(
        &self,
        me: &Weak<Shared>,
        op: OpId,
        plan: CommitPlan,
        is_counted: bool,
    ) -> Attempt<Flight> {
        let mut writes = Vec::new();
        for (&id, inode) in &plan.inodes {
            let Some(inode) = inode else {
                writes.push(Write::delete(INODES, number(id)));
                writes.push(Write::delete(CHUNKS, chunk_range(id, 0.0, f64::INFINITY)?));
                continue;
            };
            let (first, content) = match (self.growing.get(&id), plan.contents.get(&id)) {
                (Some(growing), _) => (growing.chunks, &growing.tail[..]),
                (None, Some(content)) => (0, &content[..]),
                // Only the count of its names has changed, which is not stored.
                (None, None) => continue,
            };
            for (index, chunk) in content.chunks(CHUNK_BYTES).enumerate() {
                writes.push(Write::put(
                    CHUNKS,
                    chunk_key(id, first as f64 + index as f64),
                    chunk_value(chunk, self.keeps_blobs)?,
                ));
            }
            writes.push(Write::put(INODES, number(id), JsValue::from_f64(inode.size_bytes as f64)));
        }
        for (path, id) in &plan.paths {
            writes.push(Write { store: ENTRIES, key: JsValue::from_str(path.as_str()), value: id.map(number) });
        }
        if is_counted {
            writes.push(Write::put(META, COMMITS.into(), number(self.standing.commits + 1)));
        }
        self.start_writing(me, op, &STORES, Access::WriteDurably, &writes, Effect::Commit(plan))
    }

    /// Begins a transaction when all that goes into it has been made: making a value may fail, in ways that no code here sees, and the
    /// browser would store what it had got until then.
    fn start_writing(
        &self,
        me: &Weak<Shared>,
        op: OpId,
        stores: &[&str],
        access: Access,
        writes: &[Write],
        effect: Effect,
    ) -> Attempt<Flight> {
        let transaction = self.transaction(stores, access)?;
        let mut flight = Flight::new(transaction.clone(), effect);
        let written = writes
            .iter()
            .try_for_each(|write| write.carry_out(&transaction))
            .map_err(Trouble::from)
            .and_then(|()| flight.settle_when_written(self.standing.epoch, |success| settles(me, op, success)))
            .and_then(
                |()| if self.is_leaving { Ok(end_if_not_ended(&transaction, self.standing.epoch)?) } else { Ok(()) },
            );
        unless_failed(&transaction, written)?;
        Ok(flight)
    }

    /// A commit has taken place.
    pub(super) fn committed(&mut self, plan: &CommitPlan, is_counted: bool) {
        self.directory.apply(plan);
        for id in plan.inodes.keys() {
            self.growing.remove(id);
        }
        self.standing.commits += u64::from(is_counted);
        self.stats.written_bytes += plan.written_bytes;
        self.stats.commits += 1;
    }

    pub(super) fn take_back_append(&mut self, file: &FilePath, inode: InodeId, len: u64, created: bool) {
        self.directory.take_back_append(file, inode, len, created);
        if created {
            self.growing.remove(&inode);
        }
    }
}
