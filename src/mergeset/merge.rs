//! Merges parts, or blocks from memory, into one part (index-format §2). Free of waiting.

use super::PartFile;
use super::block::{ItemsBlock, MAX_BLOCK_LEN};
use super::part::Part;
use super::reader::{PartStream, Pull};
use super::writer::{PartWriter, WrittenPart};
use crate::encoding::zstd::Effort;
use crate::error::{Error, Result};
use crate::merge::heap;
use bytes::Bytes;
use std::ops::Range;
use std::rc::Rc;

/// May rewrite a block before it is written. Items stay sorted, and the first and the last one stay what they are.
pub type PrepareBlock = fn(&mut ItemsBlock);

/// What a merge reads.
#[derive(Debug)]
pub enum Source {
    /// A part, reading so many bytes at a time of each file.
    Part(Rc<Part>, u64),
    /// One sorted block.
    Block(ItemsBlock),
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
    /// So many items have passed.
    Progress {
        /// Their number.
        items: u64,
    },
    /// All items have passed; what remains is [`PartMerge::finish`].
    Done,
}

/// A merge under way.
#[derive(Debug)]
pub struct PartMerge {
    inputs: Vec<Input>,
    heap: Vec<usize>,
    stage: Stage,
    output: ItemsBlock,
    prepare: PrepareBlock,
    writer: PartWriter,
}

#[derive(Debug)]
struct Input {
    /// Absent when the present block is all there is.
    stream: Option<PartStream>,
    block: ItemsBlock,
    /// The next item of the block.
    at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The first blocks are fetched, beginning with this input's.
    Filling(usize),
    /// The top of the heap has used up its block.
    Advancing,
    /// All inputs in the heap have an item.
    Ready,
}

impl Input {
    fn item(&self) -> &[u8] {
        self.block.item(self.at)
    }

    /// Sees to it that there is a next item, unless the input has ended. Says what is missing.
    fn fill(&mut self) -> Result<Option<(PartFile, Range<u64>)>> {
        while self.at >= self.block.len() {
            let Some(stream) = &mut self.stream else { break };
            match stream.pull()? {
                Pull::Block(block) => {
                    self.block = block;
                    self.at = 0;
                }
                Pull::Starving(file, range) => return Ok(Some((file, range))),
                Pull::End => {
                    self.stream = None;
                    break;
                }
            }
        }
        Ok(None)
    }
}

impl PartMerge {
    /// A merge of `sources`.
    pub fn new(sources: impl IntoIterator<Item = Source>, prepare: PrepareBlock, effort: Effort) -> Self {
        let inputs = sources.into_iter().map(|source| match source {
            Source::Part(part, read_ahead) => {
                Input { stream: Some(PartStream::new(part, read_ahead)), block: ItemsBlock::default(), at: 0 }
            }
            Source::Block(block) => Input { stream: None, block, at: 0 },
        });
        Self {
            inputs: inputs.collect(),
            heap: Vec::new(),
            stage: Stage::Filling(0),
            output: ItemsBlock::default(),
            prepare,
            writer: PartWriter::new(effort),
        }
    }

    /// Hands over bytes of an input's file that begin at `start`.
    pub fn feed(&mut self, input: usize, file: PartFile, start: u64, bytes: Bytes) {
        if let Some(stream) = self.inputs.get_mut(input).and_then(|input| input.stream.as_mut()) {
            stream.feed(file, start, bytes);
        }
    }

    /// The part an input reads.
    pub fn input_part(&self, input: usize) -> Option<Rc<Part>> {
        self.inputs.get(input)?.stream.as_ref().map(|stream| stream.part().clone())
    }

    /// Passes on up to a block of items.
    ///
    /// # Errors
    /// `Corrupt` when an input breaks a rule. The merge is of no use then.
    pub fn step(&mut self) -> Result<Step> {
        match self.stage {
            Stage::Filling(next) => {
                for input in next..self.inputs.len() {
                    self.stage = Stage::Filling(input);
                    if let Some((file, range)) = self.inputs[input].fill()? {
                        return Ok(Step::Starving { input, file, range });
                    }
                    if self.inputs[input].at < self.inputs[input].block.len() {
                        self.heap.push(input);
                    }
                }
                let inputs = &self.inputs;
                heap::build(&mut self.heap, &|a, b| inputs[a].item() < inputs[b].item());
            }
            Stage::Advancing => {
                let Some(&input) = self.heap.first() else { return Ok(Step::Done) };
                if let Some((file, range)) = self.inputs[input].fill()? {
                    return Ok(Step::Starving { input, file, range });
                }
                let inputs = &self.inputs;
                let is_less = |a: usize, b: usize| inputs[a].item() < inputs[b].item();
                if inputs[input].at < inputs[input].block.len() {
                    heap::fix_top(&mut self.heap, &is_less);
                } else {
                    heap::pop(&mut self.heap, &is_less);
                }
            }
            Stage::Ready => {}
        }
        self.stage = Stage::Ready;
        let mut passed = 0;
        while let Some(&top) = self.heap.first() {
            let before = self.inputs[top].at;
            let has_written = self.pass_run(top)?;
            passed += self.inputs[top].at - before;
            if self.inputs[top].at >= self.inputs[top].block.len() {
                self.stage = Stage::Advancing;
                return Ok(Step::Progress { items: passed as u64 });
            }
            let inputs = &self.inputs;
            heap::fix_top(&mut self.heap, &|a, b| inputs[a].item() < inputs[b].item());
            if has_written {
                return Ok(Step::Progress { items: passed as u64 });
            }
        }
        Ok(Step::Done)
    }

    /// Copies items of an input while no other input has a smaller one; tells whether a block was written.
    fn pass_run(&mut self, top: usize) -> Result<bool> {
        let Self { inputs, heap, output, writer, prepare, .. } = self;
        let second = heap::second(heap, &|a, b| inputs[a].item() < inputs[b].item());
        let input = &inputs[top];
        let end = match second {
            Some(second) => input.block.upper_bound(input.at, inputs[second].item()).max(input.at + 1),
            None => input.block.len(),
        };
        let mut has_written = false;
        for at in input.at..end {
            let item = input.block.item(at);
            if !output.push(item) {
                write_output(output, *prepare, writer)?;
                has_written = true;
                if !output.push(item) {
                    return Err(Error::corrupt(format!(
                        "an index item has at most {MAX_BLOCK_LEN} bytes, found {}",
                        item.len()
                    )));
                }
            }
        }
        inputs[top].at = end;
        Ok(has_written)
    }

    /// Takes out what was written to those files of which at least `min_len` bytes wait.
    pub fn take_chunks(&mut self, min_len: usize) -> Vec<(PartFile, Bytes)> {
        self.writer.take_chunks(min_len)
    }

    /// Ends the merge after [`Step::Done`]. There is no part when there was no item.
    pub fn finish(mut self) -> Result<Option<WrittenPart>> {
        if !self.heap.is_empty() {
            return Err(Error::internal("a merge was ended before its inputs were"));
        }
        write_output(&mut self.output, self.prepare, &mut self.writer)?;
        self.writer.finish()
    }
}

fn write_output(output: &mut ItemsBlock, prepare: PrepareBlock, writer: &mut PartWriter) -> Result<()> {
    prepare(output);
    writer.write(output)?;
    output.clear();
    Ok(())
}
