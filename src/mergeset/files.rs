//! Writes the parts of a table: merges its sources, appends the result below `tmp/` and commits it.

use super::merge::{PartMerge, PrepareBlock, Source, Step};
use super::part::Part;
use super::writer::WrittenPart;
use super::{METADATA_FILE, PartFile};
use crate::encoding::zstd::Effort;
use crate::error::{Error, Result};
use crate::fs::{Change, FilePath};
use crate::runtime::{Context, Purpose};
use bytes::Bytes;
use std::cell::Cell;

/// Bytes that are collected before they are appended to a file.
const WRITE_CHUNK: usize = 256 << 10;

/// Whether the table's jobs go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Closed,
}

/// The directory of a table.
pub(super) struct TableFiles {
    pub(super) context: Context,
    pub(super) dir: FilePath,
    prepare: PrepareBlock,
    next_suffix: Cell<u64>,
    stage: Cell<Stage>,
}

impl TableFiles {
    pub(super) fn new(context: &Context, dir: FilePath, prepare: PrepareBlock, next_suffix: u64) -> Self {
        Self {
            context: context.clone(),
            dir,
            prepare,
            next_suffix: Cell::new(next_suffix),
            stage: Cell::new(Stage::Open),
        }
    }

    /// Tells jobs to end, and merges to give up.
    pub(super) fn close(&self) {
        self.stage.set(Stage::Closed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stage.get() == Stage::Closed
    }

    /// The name of the table.
    pub(super) fn name(&self) -> &str {
        self.dir.name()
    }

    /// How its blocks are rewritten before they are written.
    pub(super) fn prepare(&self) -> PrepareBlock {
        self.prepare
    }

    /// What its troubles are reported under.
    pub(super) fn place(&self) -> String {
        format!("index {}", self.dir.name())
    }

    pub(super) fn new_suffix(&self) -> u64 {
        self.next_suffix.replace(self.next_suffix.get().wrapping_add(1))
    }

    pub(super) fn tmp_dir(&self, suffix: u64) -> FilePath {
        self.dir.join(&format!("tmp/{suffix:016X}"))
    }

    /// Runs a merge of parts to its end and writes its result below `tmp/`; the part is what it will be once it is published.
    /// `None` when there were no items, or when the table is closing.
    pub(super) async fn write_part(&self, suffix: u64, merge: PartMerge) -> Result<Option<Part>> {
        let result = self.write_merged(suffix, merge).await;
        if !matches!(result, Ok(Some(_))) {
            self.remove_tmp(suffix).await;
        }
        result
    }

    async fn write_merged(&self, suffix: u64, mut merge: PartMerge) -> Result<Option<Part>> {
        let tmp = self.tmp_dir(suffix);
        while self.step(&mut merge).await? {
            if self.context.is_shutting_down() || self.is_closed() {
                return Ok(None);
            }
            for (file, bytes) in merge.take_chunks(WRITE_CHUNK) {
                self.context.append(&tmp.join(file.name()), bytes, Purpose::Data).await?;
            }
        }
        let Some(written) = merge.finish()? else { return Ok(None) };
        self.append_rest(suffix, &written, Purpose::Data).await.map(Some)
    }

    /// Merges what waits in memory. `None` when there is nothing.
    pub(super) async fn merge_waiting(&self, sources: Vec<Source>) -> Result<Option<WrittenPart>> {
        let mut merge = PartMerge::new(sources, self.prepare, Effort::Fast);
        while self.step(&mut merge).await? {}
        merge.finish()
    }

    /// Passes a block of items on; false at the end.
    async fn step(&self, merge: &mut PartMerge) -> Result<bool> {
        loop {
            match merge.step()? {
                Step::Starving { input, file, range } => {
                    let Some(part) = merge.input_part(input) else {
                        return Err(Error::internal("a merge wants bytes of a block that is in memory"));
                    };
                    let bytes = part.read(&self.context, file, range.clone()).await?;
                    merge.feed(input, file, range.start, bytes);
                }
                Step::Progress { items } => {
                    // Decoding, comparing, encoding.
                    self.context.spend(items * 5).await;
                    return Ok(true);
                }
                Step::Done => return Ok(false),
            }
        }
    }

    /// Writes and publishes a part that is in memory as a whole.
    pub(super) async fn store(&self, written: &WrittenPart, purpose: Purpose) -> Result<Part> {
        if purpose == Purpose::Data {
            let what = format!("{}: writing {} entries", self.place(), written.header.items);
            self.context.room().check(written.sizes.iter().sum(), &what)?;
        }
        let suffix = self.new_suffix();
        let part = match self.append_rest(suffix, written, purpose).await {
            Ok(part) => part,
            Err(error) => {
                self.remove_tmp(suffix).await;
                return Err(error);
            }
        };
        self.commit_part(suffix, vec![Change::Publish { from: self.tmp_dir(suffix), to: part.dir().clone() }]).await?;
        Ok(part)
    }

    /// Appends what was not taken out of a merge's result before, and describes the part.
    async fn append_rest(&self, suffix: u64, written: &WrittenPart, purpose: Purpose) -> Result<Part> {
        let WrittenPart { header, metaindex, rest, sizes } = written;
        let tmp = self.tmp_dir(suffix);
        let metadata = Bytes::from(header.metadata_json());
        let files = PartFile::ALL.into_iter().map(PartFile::name).zip(rest).chain([(METADATA_FILE, &metadata)]);
        for (file, bytes) in files {
            let mut rest = bytes.clone();
            // Of no bytes, too: the file has to be there.
            loop {
                let chunk = rest.split_to(rest.len().min(2 * WRITE_CHUNK));
                self.context.append(&tmp.join(file), chunk, purpose).await?;
                if rest.is_empty() {
                    break;
                }
            }
        }
        let dir = self.dir.join(&header.dir_name(suffix));
        Ok(Part::published(&self.context, dir, suffix, header.clone(), metaindex.clone(), *sizes))
    }

    pub(super) async fn commit_part(&self, suffix: u64, changes: Vec<Change>) -> Result<()> {
        let result = self.context.commit(changes).await;
        if result.is_err() {
            self.remove_tmp(suffix).await;
        }
        result
    }

    /// What can't be removed now is removed when the table is opened.
    async fn remove_tmp(&self, suffix: u64) {
        let _ = self.context.commit(vec![Change::Remove { path: self.tmp_dir(suffix) }]).await;
    }
}
