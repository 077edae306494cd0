//! Merging blocks of one series (engine-behaviour §5).
//!
//! A merge holds one pending block. Blocks of the same series are merged into it one by one; whenever it has more than 8192
//! rows, the first 8192 are cut off and written.

use super::{Block, Form, MAX_ROWS_PER_BLOCK};
use crate::encoding::decimal;
use crate::error::Result;

/// Merges the samples of `block` into `pending`, a block of the same series, and returns how many were dropped because
/// they are older than `deadline`.
///
/// Afterwards `block` is of no use but for its buffers, and so is `scratch`, which may hold anything before, too.
/// `pending` may be empty then, or hold more than 8192 rows: call [`Block::take_full`] until it says no.
///
/// Equal timestamps are all kept. Where both blocks have one, the pending block's come first at the first encounter; from
/// then on the blocks change roles with every change of sides.
pub fn merge_into_pending(pending: &mut Block, block: &mut Block, scratch: &mut Block, deadline: i64) -> Result<u64> {
    pending.decode()?;
    block.decode()?;
    let scale = decimal::calibrate_scale(
        &mut pending.mantissas,
        pending.header.scale,
        &mut block.mantissas,
        block.header.scale,
    );
    pending.header.scale = scale;
    pending.header.precision_bits = pending.header.precision_bits.min(block.header.precision_bits);
    // The rows to skip lie in front, since timestamps are sorted.
    let pending_from = pending.timestamps.partition_point(|&timestamp| timestamp < deadline);
    let block_from = block.timestamps.partition_point(|&timestamp| timestamp < deadline);
    if pending_from == 0 && pending.header.max_timestamp <= block.header.min_timestamp {
        // The common case, a series going on, without copying what is there already.
        pending.timestamps.extend_from_slice(&block.timestamps[block_from..]);
        pending.mantissas.extend_from_slice(&block.mantissas[block_from..]);
    } else {
        scratch.timestamps.clear();
        scratch.mantissas.clear();
        let x = Rows { timestamps: &pending.timestamps[pending_from..], mantissas: &pending.mantissas[pending_from..] };
        let y = Rows { timestamps: &block.timestamps[block_from..], mantissas: &block.mantissas[block_from..] };
        if block.header.max_timestamp < pending.header.min_timestamp {
            scratch.append_rows(y);
            scratch.append_rows(x);
        } else {
            scratch.interleave(x, y);
        }
        std::mem::swap(&mut pending.timestamps, &mut scratch.timestamps);
        std::mem::swap(&mut pending.mantissas, &mut scratch.mantissas);
    }
    pending.columns_changed();
    Ok((pending_from + block_from) as u64)
}

/// A stretch of samples as columns of one length.
#[derive(Clone, Copy)]
struct Rows<'a> {
    timestamps: &'a [i64],
    mantissas: &'a [i64],
}

impl<'a> Rows<'a> {
    fn split_at(self, at: usize) -> (Self, Self) {
        let (early, late) = self.timestamps.split_at(at);
        let (early_mantissas, late_mantissas) = self.mantissas.split_at(at);
        (Self { timestamps: early, mantissas: early_mantissas }, Self { timestamps: late, mantissas: late_mantissas })
    }
}

impl Block {
    /// When the block has more than 8192 rows: moves the first 8192 into `full`, whose former content is dropped, and says so.
    pub fn take_full(&mut self, full: &mut Self) -> bool {
        if self.form == Form::Encoded || self.timestamps.len() <= MAX_ROWS_PER_BLOCK {
            return false;
        }
        std::mem::swap(self, full);
        self.reset();
        self.header = full.header;
        self.timestamps.extend_from_slice(&full.timestamps[MAX_ROWS_PER_BLOCK..]);
        self.mantissas.extend_from_slice(&full.mantissas[MAX_ROWS_PER_BLOCK..]);
        self.columns_changed();
        full.timestamps.truncate(MAX_ROWS_PER_BLOCK);
        full.mantissas.truncate(MAX_ROWS_PER_BLOCK);
        full.columns_changed();
        true
    }

    fn append_rows(&mut self, rows: Rows) {
        self.timestamps.extend_from_slice(rows.timestamps);
        self.mantissas.extend_from_slice(rows.mantissas);
    }

    /// Appends the rows of both in order of time, by the rule of engine-behaviour §5.
    fn interleave<'a>(&mut self, mut x: Rows<'a>, mut y: Rows<'a>) {
        while let Some(&next) = y.timestamps.first() {
            let run = x.timestamps.iter().take_while(|&&timestamp| timestamp <= next).count();
            let (early, late) = x.split_at(run);
            self.append_rows(early);
            (x, y) = (y, late);
        }
        // The side that is empty was exhausted by the last run, or from the start.
        self.append_rows(x);
    }
}
