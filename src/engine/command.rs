//! What can be asked of the engine, beside the synchronous ingestion calls.

use crate::archive::Layout;
use crate::executor::Query;
use crate::formats::body::Format;
use crate::formats::compression::Compression;
use crate::formats::export::ExportFormat;
use crate::http::HttpRequest;
use crate::time::{TimeRange, TimestampMs};
use crate::trace::event::PartId;
use bytes::Bytes;

/// Names one command between its submission and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// One series of this database, as a small number that is cheap to pass. Valid until the database is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesHandle(pub u32);

/// One request.
#[derive(Clone, Debug)]
pub enum Command {
    /// Pending raw rows and index items become searchable, as `/internal/force_flush`. Answered by `Done`.
    Flush,
    /// All that was accepted before is durable in the file system. Answered by `Done`.
    Sync,
    /// Every partition whose name starts with the prefix ends with one part. Answered by `Done`.
    ForceMerge {
        /// Empty for all partitions, else such as `2024` or `2024_03`.
        partition_prefix: String,
    },
    /// Parses and ingests whole lines. Answered by `Ingested`.
    Ingest {
        /// How the body is written.
        format: Format,
        /// Whole lines; the last one need not end with a line feed.
        body: Bytes,
        /// For samples without a timestamp.
        timestamp: TimestampMs,
        /// Labels added to every series; they replace labels of the same name.
        extra_labels: Vec<(String, String)>,
        /// Number of the body's first line in what the user handed in, counted from 1, for messages.
        first_line: u64,
        /// The same for all pieces of one body and another for each body, so that a series counts once a body; not 0.
        body_number: u32,
    },
    /// Begins to take in a body that arrives in pieces cut anywhere. Answered by `Cursor`.
    IngestOpen {
        /// How the body is written.
        format: Format,
        /// How it is compressed.
        compression: Compression,
        /// For samples without a timestamp.
        timestamp: TimestampMs,
        /// Labels added to every series; they replace labels of the same name.
        extra_labels: Vec<(String, String)>,
    },
    /// The next piece of a body; the one before must have been answered. Answered by `Done` when it has been taken in as far as its
    /// records are whole. An error ends the body, but for those that may be over the next time, as a full storage may be: what was not
    /// taken is then tried again by the next piece, which may be empty.
    IngestPiece {
        /// From `IngestOpen`.
        ingest: u32,
        /// The piece.
        bytes: Bytes,
    },
    /// Ends a body. Answered by `Ingested`, with what became of all its pieces.
    IngestEnd {
        /// From `IngestOpen`.
        ingest: u32,
    },
    /// Gives up a body; what was taken in stays. Answered by `Done`.
    IngestClose {
        /// From `IngestOpen`.
        ingest: u32,
    },
    /// Raw samples of the matching series, sorted by labels. Answered by `Series`.
    Select {
        /// Such as `{job="node"}` or `up{instance=~"a|b"}`.
        selector: String,
        /// Both ends included.
        range: TimeRange,
    },
    /// Label sets of the matching series (of all without a selector), sorted. Answered by `LabelSets`.
    Labels {
        /// As in `Select`.
        selector: Option<String>,
        /// Series with samples on a day of this range.
        range: TimeRange,
    },
    /// Names of the matching series' labels, sorted. Answered by `Strings`.
    LabelNames {
        /// As in `Select`.
        selector: Option<String>,
        /// As in `Labels`.
        range: TimeRange,
    },
    /// Values of one label over the matching series, sorted. Answered by `Strings`.
    LabelValues {
        /// The label, `__name__` for metric names.
        name: String,
        /// As in `Select`.
        selector: Option<String>,
        /// As in `Labels`.
        range: TimeRange,
    },
    /// The value of an expression at an instant or over a range. Answered by `Query`.
    Query(Query),
    /// The newest sample of each matching series. Answered by `Latest`.
    Latest {
        /// As in `Select`.
        selector: String,
        /// None is older than this.
        within_ms: i64,
    },
    /// How many series match. Answered by `Count`.
    Count {
        /// As in `Select`; all series without one.
        selector: Option<String>,
        /// As in `Labels`.
        range: TimeRange,
    },
    /// The least, greatest, first and last value of equal columns of a range. Answered by `Envelope`.
    Envelope {
        /// As in `Select`.
        selector: String,
        /// Where the first column begins.
        start_ms: i64,
        /// Where the last column ends, included.
        end_ms: i64,
        /// How many columns.
        columns: usize,
    },
    /// Starts an export. Answered by `Cursor`.
    ExportOpen {
        /// How it is written.
        format: ExportFormat,
        /// As in `Select`; all series without one.
        selector: Option<String>,
        /// Both ends included.
        range: TimeRange,
    },
    /// The next piece of an export. Answered by `Chunk`, at the end by `Chunk(None)`, which closes the cursor.
    ExportNext {
        /// From `ExportOpen`.
        cursor: u32,
    },
    /// Gives up an export. Answered by `Done`.
    ExportClose {
        /// From `ExportOpen`.
        cursor: u32,
    },
    /// Begins to push a window of time: an export whose pieces are bodies of their own. Answered by `Cursor`.
    PushOpen {
        /// `remote_write`, or the layout of native blocks.
        protocol: String,
        /// As in `ExportOpen`.
        selector: Option<String>,
        /// Both ends included.
        range: TimeRange,
        /// [`super::PushPiece::next`] of the piece before; empty for all.
        from: String,
    },
    /// The next body of a window. Answered by `PushPiece`, at the end by `PushPiece(None)`, which closes the cursor, as `ExportClose` does.
    PushNext {
        /// From `PushOpen` or `PushLate`.
        cursor: u32,
    },
    /// In which windows of a length the series have samples, so that a push need not begin with each. Answered by `Times`.
    PushWindows {
        /// As in `ExportOpen`.
        selector: Option<String>,
        /// Both ends included.
        range: TimeRange,
        /// The length of a window; each begins with a multiple of it.
        window_ms: i64,
    },
    /// What is accepted from now on and lies before or at an instant is late for somebody who is about to read up to there. Answered by
    /// `Done`.
    PushWatch {
        /// Names who it is.
        watch: String,
        /// The instant.
        until: TimestampMs,
    },
    /// Nobody wants to know any more what comes late. Answered by `Done`.
    PushUnwatch {
        /// Names who it is.
        watch: String,
    },
    /// Begins to push what has come late since the last time. Answered by `Late`.
    PushLate {
        /// Names who it is.
        watch: String,
        /// As in `PushOpen`.
        protocol: String,
        /// As in `ExportOpen`.
        selector: Option<String>,
    },
    /// An instant, consistent snapshot. Answered by `Snapshot`.
    SnapshotCreate,
    /// Names of the snapshots, sorted. Answered by `Strings`.
    SnapshotList,
    /// Deletes one snapshot; a name that does not exist is no error. Answered by `Done`.
    SnapshotDelete {
        /// The snapshot's name.
        name: String,
    },
    /// Deletes all snapshots. Answered by `Done`.
    SnapshotDeleteAll,
    /// The files a server needs to open a snapshot, with links resolved. Answered by `Files`.
    SnapshotFiles {
        /// The snapshot's name.
        name: String,
        /// Which servers' layout.
        layout: Layout,
    },
    /// A range of a file named by `SnapshotFiles`. Answered by `Bytes`.
    SnapshotRead {
        /// [`super::answer::SnapshotFile::source`].
        source: String,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Begins to restore a snapshot into this database, which must be empty; nothing else is written until that has ended.
    /// Answered by `Done`.
    RestoreBegin,
    /// The next piece of the snapshot's archive: a tar, plain or compressed by zstd. Answered by `Done` when what is in it is
    /// stored; after an error nothing is being restored any more.
    RestoreFeed {
        /// Any number of bytes.
        bytes: Bytes,
    },
    /// All pieces have come: what they hold becomes the database. Answered by `Restored`.
    RestoreEnd,
    /// Gives up what is being restored. Answered by `Done`.
    RestoreAbort,
    /// What a snapshot is that is looked at where it lies. Answered by `Restored`.
    Origin,
    /// Hides the matching series from all searches; their rows go with the next merges. Answered by `Count`.
    DeleteSeries {
        /// As in `Select`.
        selector: String,
    },
    /// Headers of a part's blocks. Answered by `Part`.
    InspectPart {
        /// The part.
        part: PartId,
        /// Position of the first block.
        from: u64,
        /// How many blocks at the most.
        count: usize,
    },
    /// One block of a part at all stages of its encoding. Answered by `Block`.
    InspectBlock {
        /// The part.
        part: PartId,
        /// Position of the block, counted from 0 in the part's order.
        block: u64,
    },
    /// One block of the index. Answered by `IndexBlock`.
    InspectIndexBlock {
        /// Position of the table in the index's state.
        table: usize,
        /// Position of the part in the table's state.
        part: usize,
        /// Position of the block, counted from 0 in the part's order.
        block: u64,
    },
    /// A request as the server would get it. Answered by `Http`, or by `HttpBegun` where the reply may be long.
    Http(HttpRequest),
    /// Flushes all, makes it durable and stops. Answered by `Done`; every later command fails with `Closed`.
    Close,
}

/// What a command does to the database. Who may submit it, when it waits and whether it can be given up follow from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing is changed: it can be given up at any point.
    Reads,
    /// What is stored stays as it is. What is kept for somebody who reads changes, such as cursors and watches.
    Notes,
    /// Something is written, or prepared to be: a reader can't do that, and it is refused while a snapshot is being restored.
    Writes,
    /// Something is written as well, which a restoration does not keep from being done: it is the restoration's own, or gives up a body.
    WritesMeanwhile,
}

impl Command {
    /// What it does to the database.
    fn effect(&self) -> Effect {
        match self {
            Self::Select { .. }
            | Self::Labels { .. }
            | Self::LabelNames { .. }
            | Self::LabelValues { .. }
            | Self::Query(_)
            | Self::Latest { .. }
            | Self::Count { .. }
            | Self::Envelope { .. }
            | Self::ExportOpen { .. }
            | Self::ExportNext { .. }
            | Self::PushOpen { .. }
            | Self::PushNext { .. }
            | Self::PushWindows { .. }
            | Self::SnapshotList
            | Self::SnapshotFiles { .. }
            | Self::SnapshotRead { .. }
            | Self::Origin
            | Self::InspectPart { .. }
            | Self::InspectBlock { .. }
            | Self::InspectIndexBlock { .. } => Effect::Reads,
            Self::ExportClose { .. }
            | Self::PushWatch { .. }
            | Self::PushUnwatch { .. }
            | Self::PushLate { .. }
            // What a request wants is seen when it has been understood.
            | Self::Http(_)
            // It is carried out by the engine itself, for readers as well.
            | Self::Close => Effect::Notes,
            Self::Flush
            | Self::Sync
            | Self::ForceMerge { .. }
            | Self::Ingest { .. }
            | Self::IngestOpen { .. }
            | Self::IngestPiece { .. }
            | Self::IngestEnd { .. }
            | Self::SnapshotCreate
            | Self::SnapshotDelete { .. }
            | Self::SnapshotDeleteAll
            | Self::DeleteSeries { .. } => Effect::Writes,
            Self::IngestClose { .. }
            | Self::RestoreBegin
            | Self::RestoreFeed { .. }
            | Self::RestoreEnd
            | Self::RestoreAbort => Effect::WritesMeanwhile,
        }
    }

    /// Whether nothing is changed, so that the command can be given up at any point.
    pub fn only_reads(&self) -> bool {
        self.effect() == Effect::Reads
    }

    /// Whether what is stored may change, so that it is refused to readers.
    pub fn changes_something(&self) -> bool {
        matches!(self.effect(), Effect::Writes | Effect::WritesMeanwhile)
    }

    /// Whether it is refused while a snapshot is being restored.
    pub fn waits_for_restoration(&self) -> bool {
        self.effect() == Effect::Writes
    }
}
