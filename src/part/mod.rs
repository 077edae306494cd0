//! Data parts: immutable sorted sets of blocks, written once, read and merged (part-format §6 to §10).
//!
//! A part is four streams of bytes, either in memory or as the files of one directory. Everything but [`search`], [`pages`],
//! [`inspect`], [`inmemory`] and the opening of a part is free of waiting: it says which bytes it wants.

pub mod header;
pub mod index_block;
pub mod inmemory;
pub mod inspect;
pub mod merge;
pub mod metaindex;
pub mod pages;
pub mod reader;
pub mod search;
pub mod writer;

pub use header::PartHeader;
pub use merge::{PartMerge, Step};
pub use reader::{CachedFiles, Part};
pub use writer::BlockStreamWriter;

use serde::Serialize;

/// One of the four files of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartFile {
    /// Encoded timestamps, back to back.
    Timestamps,
    /// Encoded mantissas, back to back.
    Values,
    /// Index blocks, each one zstd frame of block headers.
    Index,
    /// One zstd frame of metaindex rows.
    Metaindex,
}

impl PartFile {
    /// All four, in the order in which they index arrays.
    pub const ALL: [Self; 4] = [Self::Timestamps, Self::Values, Self::Index, Self::Metaindex];

    /// The file's name in the part's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timestamps => "timestamps.bin",
            Self::Values => "values.bin",
            Self::Index => "index.bin",
            Self::Metaindex => "metaindex.bin",
        }
    }
}

/// The file that describes a part of a server since v1.90 (part-format §8.2).
pub const METADATA_FILE: &str = "metadata.json";

/// The file that tells the de-duplication interval of a part (part-format §8.1).
pub const MIN_DEDUP_INTERVAL_FILE: &str = "min_dedup_interval";
