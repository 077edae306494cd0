//! Parts and blocks one by one, for people to look at.

use super::Storage;
use crate::block::BlockHeader;
use crate::block::inspect::BlockDetails;
use crate::error::{Error, ErrorKind, Result};
use crate::mergeset::block_header::BlockHeader as IndexBlockHeader;
use crate::mergeset::{ItemsBlock, Part as IndexPart};
use crate::metric::name::MetricName;
use crate::part::inspect::{block_headers, inspect_block};
use crate::part::{Part, PartFile};
use crate::partition::PartEntry;
use crate::trace::event::PartId;
use std::rc::Rc;

/// A part's blocks, or some of them.
#[derive(Clone, Debug)]
pub struct PartDetails {
    /// `YYYY_MM`.
    pub partition: String,
    /// Blocks of the part in all.
    pub blocks: u64,
    /// Index blocks of the part, each a row of its metaindex.
    pub index_blocks: u64,
    /// Lengths of the four files, by [`PartFile`].
    pub file_bytes: [u64; 4],
    /// Headers of the blocks that were asked for, in the part's order.
    pub headers: Vec<BlockHeader>,
    /// The name of each header's series; nothing where the index lacks it.
    pub names: Vec<Option<Rc<MetricName>>>,
}

impl Storage {
    /// A part's blocks, up to `count` of them from the one at position `from` on.
    ///
    /// # Errors
    /// `NotFound` for a part that is not there (any more), `Corrupt` where it can't be read; what storage says.
    pub async fn inspect_part(&self, part: PartId, from: u64, count: usize) -> Result<PartDetails> {
        let (partition, entry) = self.find_part(part)?;
        let part = entry.part();
        let headers = block_headers(&self.context, part, from, count).await.map_err(|error| error.at(place(part)))?;
        let ids: Vec<u64> = headers.iter().map(|header| header.tsid.metric_id).collect();
        Ok(PartDetails {
            partition,
            blocks: part.header().blocks,
            index_blocks: part.metaindex().len() as u64,
            file_bytes: PartFile::ALL.map(|file| part.file_size(file)),
            names: self.index.metric_names(&ids).await?,
            headers,
        })
    }

    /// One block of a part, taken to pieces, with the name of its series.
    ///
    /// # Errors
    /// `NotFound` for a part or block that is not there (any more), `Corrupt` where it can't be decoded; what storage says.
    pub async fn inspect_block(&self, part: PartId, at: u64) -> Result<(BlockDetails, Option<Rc<MetricName>>)> {
        let (_, entry) = self.find_part(part)?;
        let part = entry.part();
        let block = inspect_block(&self.context, part, at).await.map_err(|error| error.at(place(part)))?;
        let names = self.index.metric_names(&[block.header.tsid.metric_id]).await?;
        Ok((block, names.into_iter().next().flatten()))
    }

    /// A block of the index, with the part it is in: of the table and the part at these positions in its state.
    ///
    /// # Errors
    /// As [`crate::index::Index::block`].
    pub async fn inspect_index_block(
        &self,
        table: usize,
        part: usize,
        at: u64,
    ) -> Result<(Rc<IndexPart>, IndexBlockHeader, Rc<ItemsBlock>)> {
        self.index.block(table, part, at).await
    }

    fn find_part(&self, id: PartId) -> Result<(String, Rc<PartEntry>)> {
        for partition in self.table.partitions() {
            if let Some(entry) = partition.parts().iter().find(|entry| entry.id() == id) {
                return Ok((partition.name().to_string(), entry.clone()));
            }
        }
        let message = format!("there is no part {id}; it was merged or dropped, ask inspect() for those there are");
        Err(Error::new(ErrorKind::NotFound, message))
    }
}

fn place(part: &Part) -> String {
    part.dir().map_or_else(|| "in-memory part".to_owned(), ToString::to_string)
}
