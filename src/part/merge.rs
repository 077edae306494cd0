//! Merges parts into one (engine-behaviour §5). Free of waiting: every step says which bytes it misses.

use super::PartFile;
use super::reader::{BlockStreamReader, EncodedBlock, Part, Pull};
use super::writer::{BlockStreamWriter, WrittenPart};
use crate::block::dedup::Dedup;
use crate::block::{Block, merge_into_pending};
use crate::collections::u64_set::U64Set;
use crate::encoding::zstd::Effort;
use crate::error::{Error, Result};
use crate::merge::heap;
use crate::time::TimestampMs;
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;

/// What a merge leaves out, and how it writes.
#[derive(Clone, Debug)]
pub struct MergeOptions {
    /// Metric ids of series whose samples are dropped.
    pub deleted: Rc<U64Set>,
    /// Samples older than this are dropped where a block has to be touched anyway, and blocks that lie wholly before it.
    pub retention_deadline: TimestampMs,
    /// De-duplication, when it is switched on.
    pub dedup: Option<Dedup>,
    /// How much time compression may take.
    pub effort: Effort,
    /// Whether blocks that could be passed on as they are, which is the rule, are compressed anew if that makes them smaller.
    pub recompress: bool,
}

/// What a merge says after a step.
#[derive(Debug)]
pub enum Step {
    /// Bytes of an input are missing: hand them over with [`PartMerge::feed`].
    Starving {
        /// Index of the input.
        input: usize,
        /// The file.
        file: PartFile,
        /// The bytes wanted.
        range: Range<u64>,
    },
    /// One block has passed.
    Progress {
        /// Its rows.
        rows: u64,
    },
    /// All blocks have passed; what remains is [`PartMerge::finish`].
    Done,
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeCounts {
    /// Rows of the blocks that have passed.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows dropped, since their series was deleted or their time has passed.
    pub deleted: u64,
    /// Rows dropped by de-duplication.
    pub deduplicated: u64,
}

/// A merge under way.
#[derive(Debug)]
pub struct PartMerge {
    options: MergeOptions,
    inputs: Vec<Input>,
    heap: Vec<usize>,
    stage: Stage,
    /// The block that waits for more rows of its series; empty when there is none.
    pending: Block,
    has_pending: bool,
    incoming: Block,
    scratch: Block,
    writer: BlockStreamWriter,
    counts: MergeCounts,
}

#[derive(Debug)]
struct Input {
    reader: BlockStreamReader,
    /// The block that stands first in this input.
    head: Option<EncodedBlock>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The first blocks are fetched, beginning with this input's.
    Filling(usize),
    /// The top of the heap was used up and needs its next block.
    Advancing,
}

impl PartMerge {
    /// A merge of `parts`, reading `read_ahead` bytes at a time of each file of each part.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a Part>, read_ahead: u64, options: MergeOptions) -> Result<Self> {
        let readers: Result<Vec<_>> = parts.into_iter().map(|part| part.stream(read_ahead)).collect();
        let inputs: Vec<_> = readers?.into_iter().map(|reader| Input { reader, head: None }).collect();
        Ok(Self {
            heap: Vec::with_capacity(inputs.len()),
            inputs,
            stage: Stage::Filling(0),
            pending: Block::default(),
            has_pending: false,
            incoming: Block::default(),
            scratch: Block::default(),
            writer: BlockStreamWriter::new(options.effort),
            counts: MergeCounts::default(),
            options,
        })
    }

    /// Hands over bytes of an input's file that begin at `start`.
    pub fn feed(&mut self, input: usize, file: PartFile, start: u64, bytes: Bytes) {
        if let Some(input) = self.inputs.get_mut(input) {
            input.reader.feed(file, start, bytes);
        }
    }

    /// Passes one block on.
    ///
    /// # Errors
    /// `Corrupt` when an input breaks a rule. The merge is of no use then.
    pub fn step(&mut self) -> Result<Step> {
        match self.stage {
            Stage::Filling(next) => {
                for input in next..self.inputs.len() {
                    self.stage = Stage::Filling(input);
                    if let Some(starving) = self.pull(input)? {
                        return Ok(starving);
                    }
                    if self.inputs[input].head.is_some() {
                        self.heap.push(input);
                    }
                }
                let inputs = &self.inputs;
                heap::build(&mut self.heap, &|a, b| is_less(inputs, a, b));
            }
            Stage::Advancing => {
                let Some(&top) = self.heap.first() else { return Ok(Step::Done) };
                if let Some(starving) = self.pull(top)? {
                    return Ok(starving);
                }
                let inputs = &self.inputs;
                if inputs[top].head.is_some() {
                    heap::fix_top(&mut self.heap, &|a, b| is_less(inputs, a, b));
                } else {
                    heap::pop(&mut self.heap, &|a, b| is_less(inputs, a, b));
                }
            }
        }
        self.stage = Stage::Advancing;
        let Some(&top) = self.heap.first() else { return Ok(Step::Done) };
        // Only inputs with a block are in the heap.
        let Some(block) = self.inputs[top].head.take() else { return Ok(Step::Done) };
        let rows = u64::from(block.header.rows_count);
        self.counts.read += rows;
        self.pass(&block).map_err(|error| error.at(format_args!("series {}", block.header.tsid.metric_id)))?;
        Ok(Step::Progress { rows })
    }

    /// Fetches the next block of an input.
    fn pull(&mut self, input: usize) -> Result<Option<Step>> {
        match self.inputs[input].reader.pull()? {
            Pull::Block(block) => self.inputs[input].head = Some(block),
            Pull::End => self.inputs[input].head = None,
            Pull::Starving(file, range) => return Ok(Some(Step::Starving { input, file, range })),
        }
        Ok(None)
    }

    fn pass(&mut self, block: &EncodedBlock) -> Result<()> {
        let header = &block.header;
        let deadline = self.options.retention_deadline;
        if header.max_timestamp < deadline || self.options.deleted.contains(header.tsid.metric_id) {
            self.counts.deleted += u64::from(header.rows_count);
            return Ok(());
        }
        let pending = self.pending.header();
        let goes_on = self.has_pending
            && pending.tsid.metric_id == header.tsid.metric_id
            && !(self.pending.too_big() && pending.max_timestamp <= header.min_timestamp);
        if !goes_on {
            self.write_pending()?;
            self.pending.copy_from_encoded(header, &block.timestamps, &block.values);
            self.has_pending = true;
            return Ok(());
        }
        self.incoming.copy_from_encoded(header, &block.timestamps, &block.values);
        self.counts.deleted += merge_into_pending(&mut self.pending, &mut self.incoming, &mut self.scratch, deadline)?;
        while self.pending.take_full(&mut self.scratch) {
            write(&mut self.writer, &mut self.counts, &self.options, &mut self.scratch)?;
        }
        self.has_pending = !self.pending.is_empty();
        Ok(())
    }

    fn write_pending(&mut self) -> Result<()> {
        if std::mem::take(&mut self.has_pending) {
            write(&mut self.writer, &mut self.counts, &self.options, &mut self.pending)?;
        }
        Ok(())
    }

    /// What became of the rows so far.
    pub fn counts(&self) -> MergeCounts {
        self.counts
    }

    /// Takes out what was written to those files of which at least `min_len` bytes wait.
    pub fn take_chunks(&mut self, min_len: usize) -> Vec<(PartFile, Bytes)> {
        if self.writer.pending_len() < min_len { Vec::new() } else { self.writer.take_chunks(min_len) }
    }

    /// Ends the merge after [`Step::Done`]. There is no part when no row was left.
    pub fn finish(mut self) -> Result<(Option<WrittenPart>, MergeCounts)> {
        if !self.heap.is_empty() {
            return Err(Error::internal("a merge was ended before its inputs were"));
        }
        self.write_pending()?;
        let interval = self.options.dedup.map_or(0, |dedup| dedup.interval_ms);
        Ok((self.writer.finish(interval)?, self.counts))
    }
}

fn write(
    writer: &mut BlockStreamWriter,
    counts: &mut MergeCounts,
    options: &MergeOptions,
    block: &mut Block,
) -> Result<()> {
    if let Some(dedup) = options.dedup {
        let rows = block.rows();
        block.deduplicate(dedup)?;
        counts.deduplicated += (rows - block.rows()) as u64;
    }
    if options.recompress {
        writer.recompress(block)?;
    }
    counts.written += block.rows() as u64;
    writer.encode_and_write(block)
}

fn is_less(inputs: &[Input], a: usize, b: usize) -> bool {
    match (&inputs[a].head, &inputs[b].head) {
        (Some(a), Some(b)) => a.header.order(&b.header) == Ordering::Less,
        // An input that has run out is popped before anything is compared with it.
        (a, b) => a.is_some() && b.is_none(),
    }
}
