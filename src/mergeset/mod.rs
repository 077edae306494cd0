//! Ordered sets of byte strings in immutable parts, which hold all of the index (index-format §1, §2).
//!
//! The floor plan is that of data parts: block, header, metaindex, writer, reader, merge, and a table over them. All but the
//! opening of a part, [`search`] and [`table`] is free of waiting: it says which bytes it wants.

pub mod block;
pub mod block_header;
mod files;
mod flush;
pub mod header;
mod live_parts;
pub mod merge;
mod merger;
pub mod metaindex;
pub mod part;
pub mod raw_items;
pub mod reader;
mod removal;
pub mod search;
pub mod table;
pub mod writer;

pub use block::ItemsBlock;
pub use header::PartHeader;
pub use part::Part;
pub use removal::Remover;
pub use search::TableSearch;
pub use table::Table;

/// One of the four data files of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartFile {
    /// Items data of the blocks, back to back.
    Items,
    /// Lens data of the blocks, back to back.
    Lens,
    /// Index blocks, each one zstd frame of block headers.
    Index,
    /// One zstd frame of metaindex rows.
    Metaindex,
}

impl PartFile {
    /// All four, in the order in which they index arrays.
    pub const ALL: [Self; 4] = [Self::Items, Self::Lens, Self::Index, Self::Metaindex];

    /// The file's name in the part's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Items => "items.bin",
            Self::Lens => "lens.bin",
            Self::Index => "index.bin",
            Self::Metaindex => "metaindex.bin",
        }
    }
}

/// The file that describes a part (index-format §1).
pub const METADATA_FILE: &str = "metadata.json";
