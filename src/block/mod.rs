//! Blocks: up to 8192 samples of one series, the unit that is encoded, stored, read and merged (part-format §5).

pub mod decode;
pub mod dedup;
pub mod encode;
pub mod header;
pub mod inspect;
pub mod merge;

pub use decode::Decoder;
pub use header::BlockHeader;
pub use merge::merge_into_pending;

/// The most samples that are written into one block. Readers put up with twice as many.
pub const MAX_ROWS_PER_BLOCK: usize = 8192;

/// The nominal limit of a block's encoded timestamps or values in bytes. Readers put up with twice as many.
pub const MAX_BLOCK_SIZE: usize = 65536;

/// Where the samples of a [`Block`] are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// As numbers only: built from rows, or changed since it was decoded.
    #[default]
    Decoded,
    /// As bytes only: just read from a part.
    Encoded,
    /// As both, and they agree.
    Both,
}

/// Up to 8192 samples of one series, as bytes, as numbers or as both.
///
/// Changing the numbers drops the bytes, so what [`Block::data`] returns always stands for the samples.
/// A block that is only passed on is never decoded; lossy blocks don't degrade by it.
#[derive(Clone, Debug, Default)]
pub struct Block {
    header: BlockHeader,
    form: Form,
    timestamps: Vec<i64>,
    mantissas: Vec<i64>,
    timestamps_data: Vec<u8>,
    values_data: Vec<u8>,
}

impl Block {
    /// The header. Its file offsets are those of where the block was read, until the next writer sets its own.
    pub fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// The header, for the writer of a part to set the offsets in.
    pub fn header_mut(&mut self) -> &mut BlockHeader {
        &mut self.header
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        if self.form == Form::Encoded { self.header.rows_count as usize } else { self.timestamps.len() }
    }

    /// Whether there are no samples, e.g. because retention has cut all of them.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Whether nothing more should be merged into this block (engine-behaviour §5, `tooBig`).
    pub fn too_big(&self) -> bool {
        self.rows() >= MAX_ROWS_PER_BLOCK || (self.form != Form::Decoded && self.values_data.len() >= MAX_BLOCK_SIZE)
    }

    /// Timestamps and mantissas, when the block was built from rows or decoded; empty otherwise.
    pub fn columns(&self) -> (&[i64], &[i64]) {
        if self.form == Form::Encoded { (&[], &[]) } else { (&self.timestamps, &self.mantissas) }
    }

    /// Encoded timestamps and values, when the block was encoded or read and not changed since; empty otherwise.
    pub fn data(&self) -> (&[u8], &[u8]) {
        if self.form == Form::Decoded { (&[], &[]) } else { (&self.timestamps_data, &self.values_data) }
    }

    /// Whether [`Block::data`] has what a writer needs.
    pub fn is_encoded(&self) -> bool {
        self.form != Form::Decoded
    }

    /// Makes this block a copy of one that lies encoded in a part.
    pub fn copy_from_encoded(&mut self, header: &BlockHeader, timestamps_data: &[u8], values_data: &[u8]) {
        self.reset();
        self.header = *header;
        self.form = Form::Encoded;
        self.timestamps_data.extend_from_slice(timestamps_data);
        self.values_data.extend_from_slice(values_data);
    }

    /// Empties the block and keeps its buffers.
    pub fn reset(&mut self) {
        self.header = BlockHeader::default();
        self.form = Form::Decoded;
        self.timestamps.clear();
        self.mantissas.clear();
        self.timestamps_data.clear();
        self.values_data.clear();
    }

    /// The numbers have changed: the bytes are void and the header's counts and times are brought up to date.
    fn columns_changed(&mut self) {
        self.form = Form::Decoded;
        self.timestamps_data.clear();
        self.values_data.clear();
        if let (Some(&first), Some(&last)) = (self.timestamps.first(), self.timestamps.last()) {
            self.header.min_timestamp = first;
            self.header.max_timestamp = last;
        }
        // A merge of blocks from a hostile part can't grow anywhere near the limit of the field.
        self.header.rows_count = u32::try_from(self.timestamps.len()).unwrap_or(u32::MAX);
    }
}
