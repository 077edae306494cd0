//! What the engine answers.

use crate::block::BlockHeader;
use crate::block::inspect::BlockDetails;
use crate::encoding::marshal::Course;
use crate::executor::envelope::EnvelopeRow;
use crate::executor::{QueryData, QueryResult, RawSeries};
use crate::fs::FilePath;
use crate::http::HttpResponse;
use crate::mergeset::ItemsBlock;
use crate::mergeset::block_header::{self, MarshalType};
use crate::metric::name::MetricName;
use crate::metric::tsid::Tsid;
use crate::query::series::row::Row;
use crate::storage::Storage;
use crate::storage::restore::Contents;
use crate::storage::text::TextIngested;
use crate::time::{TimeRange, TimestampMs};
use bytes::Bytes;
use serde::{Serialize, Serializer};

/// The labels of a series as text, `__name__` among them, sorted by name. Bytes that are no UTF-8 appear as U+FFFD.
pub type Labels = Vec<(String, String)>;

/// Samples of one series, sorted by time; the columns have one length.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesData {
    /// Sorted by name.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// One for each timestamp. A staleness marker is a NaN with the bits 0x7FF0000000000002.
    pub values: Vec<f64>,
}

/// What became of an ingested body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestResult {
    /// Distinct series in the body that got samples.
    pub series: u64,
    /// Samples accepted.
    pub samples: u64,
    /// Lines and samples that were not: malformed, NaN, outside of the retention.
    pub rejected: u64,
    /// The first few reasons.
    pub errors: Vec<IngestError>,
}

/// Why a line was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestError {
    /// Number of the line, counted from 1; none for what is said of no single line.
    pub line: Option<u64>,
    /// What was found and what was expected.
    pub message: String,
}

/// One file of a snapshot as a server wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotFile {
    /// Path below the server's `-storageDataPath`.
    pub path: String,
    /// Where its bytes lie in this database; empty when they are here.
    pub source: String,
    /// Its length.
    pub size_bytes: u64,
    /// The text of a file that was made for the layout.
    pub content: Option<String>,
}

/// What was restored from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRecord {
    /// Which servers write such archives.
    pub format: String,
    /// Parts with samples.
    pub parts: u64,
    /// Series that can be found.
    pub series: u64,
    /// Samples in the parts, those of deleted series included until they are merged.
    pub samples: u64,
    /// What was not taken over, or does not do what one would expect.
    pub left_out: Vec<LeftOutRecord>,
}

impl RestoreRecord {
    /// What there is in a storage that was opened over such files.
    pub(super) async fn of(storage: &Storage, format: &str) -> crate::error::Result<Self> {
        let Contents { parts, series, samples } = storage.contents().await?;
        Ok(Self { format: format.into(), parts, series, samples, left_out: Vec::new() })
    }
}

/// A part or a directory that was not taken over as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutRecord {
    /// Where it is in the archive.
    pub path: String,
    /// Why.
    pub message: String,
}

impl From<TextIngested> for IngestResult {
    fn from(ingested: TextIngested) -> Self {
        let TextIngested { series, samples, rejected, errors } = ingested;
        let errors = errors
            .into_iter()
            .map(|(line, message)| IngestError { line: (line > 0).then_some(line), message })
            .collect();
        Self { series, samples, rejected, errors }
    }
}

/// A part's blocks, or some of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartRecord {
    /// `YYYY_MM`.
    pub partition: String,
    /// Blocks of the part in all.
    pub blocks: u64,
    /// Index blocks of the part, each a row of its metaindex.
    pub index_blocks: u64,
    /// Lengths of the four files: timestamps, values, index, metaindex.
    pub file_bytes: [u64; 4],
    /// The headers of the blocks that were asked for, in the part's order.
    pub headers: Vec<HeaderRecord>,
}

/// A block of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexBlockRecord {
    /// The directory of the part it is in; where it would be, while the part is in memory alone.
    pub dir: String,
    /// Whether the items are compressed by ZSTD, with what they share left out.
    pub is_zstd: bool,
    /// How many bytes all its items begin with.
    pub common_prefix_bytes: u64,
    /// Where its items begin in `items.bin`, and how many bytes they take.
    pub items_at: [u64; 2],
    /// Where the items' lengths begin in `lens.bin`, and how many bytes they take.
    pub lens_at: [u64; 2],
    /// The items in order, as hex digits.
    pub items: Vec<String>,
}

impl IndexBlockRecord {
    /// The record of a block in the part of this directory.
    pub fn of(dir: &FilePath, header: &block_header::BlockHeader, block: &ItemsBlock) -> Self {
        Self {
            dir: dir.to_string(),
            is_zstd: header.marshal_type == MarshalType::Zstd,
            common_prefix_bytes: header.common_prefix.len() as u64,
            items_at: [header.items_block_offset, u64::from(header.items_block_size)],
            lens_at: [header.lens_block_offset, u64::from(header.lens_block_size)],
            items: block.iter().map(hex).collect(),
        }
    }
}

/// The header of a block. 64-bit numbers that JavaScript's can't hold are hex digits or decimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderRecord {
    /// The 24 bytes of the TSID as hex digits.
    pub tsid: String,
    /// The series' labels; absent when the index has no name for it.
    #[serde(serialize_with = "labels_as_object")]
    pub labels: Option<Labels>,
    /// Number of samples.
    pub rows: u32,
    /// First timestamp.
    pub min_timestamp: i64,
    /// Last timestamp.
    pub max_timestamp: i64,
    /// The first mantissa, as decimal text.
    pub first_value: String,
    /// The decimal exponent of all mantissas.
    pub scale: i16,
    /// Significant bits that were kept.
    pub precision_bits: u8,
    /// How the timestamps are encoded, 0 to 6.
    pub timestamps_type: u8,
    /// How the mantissas are encoded, 0 to 6.
    pub values_type: u8,
    /// Where the timestamps lie in `timestamps.bin`.
    pub timestamps_offset: u64,
    /// How many bytes they are.
    pub timestamps_bytes: u32,
    /// Where the mantissas lie in `values.bin`.
    pub values_offset: u64,
    /// How many bytes they are.
    pub values_bytes: u32,
}

/// What goes with the columns of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockRecord {
    /// The header.
    pub header: HeaderRecord,
    /// How the timestamps go.
    pub timestamps_course: Course,
    /// How the mantissas go.
    pub values_course: Course,
}

impl HeaderRecord {
    /// The record of a header, with the name of its series.
    pub fn of(header: &BlockHeader, name: Option<&MetricName>) -> Self {
        let mut tsid = Vec::with_capacity(Tsid::SIZE);
        header.tsid.marshal(&mut tsid);
        Self {
            tsid: hex(&tsid),
            labels: name.map(text_labels),
            rows: header.rows_count,
            min_timestamp: header.min_timestamp,
            max_timestamp: header.max_timestamp,
            first_value: header.first_value.to_string(),
            scale: header.scale,
            precision_bits: header.precision_bits,
            timestamps_type: header.timestamps_marshal_type as u8,
            values_type: header.values_marshal_type as u8,
            timestamps_offset: header.timestamps_block_offset,
            timestamps_bytes: header.timestamps_block_size,
            values_offset: header.values_block_offset,
            values_bytes: header.values_block_size,
        }
    }
}

fn labels_as_object<S: Serializer>(labels: &Option<Labels>, serializer: S) -> Result<S::Ok, S::Error> {
    match labels {
        Some(labels) => serializer.collect_map(labels.iter().map(|(name, value)| (name, value))),
        None => serializer.serialize_none(),
    }
}

/// A name's labels as text, sorted by label name.
pub(super) fn text_labels(name: &MetricName) -> Labels {
    let mut labels: Labels = name
        .labels()
        .map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    labels.sort();
    labels
}

/// One body of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushPiece {
    /// As the protocol wants it.
    pub body: Vec<u8>,
    /// How many samples it has.
    pub samples: u64,
    /// Where the window goes on behind it; empty at its end.
    pub next: String,
}

/// The answer to one command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// To `Ingest` and `IngestEnd`.
    Ingested(IngestResult),
    /// To `Select`.
    Series(Vec<SeriesData>),
    /// To `Labels`.
    LabelSets(Vec<Labels>),
    /// To `LabelNames`, `LabelValues` and `SnapshotList`.
    Strings(Vec<String>),
    /// To `Query`.
    Query(Box<QueryResult>),
    /// To `Latest`: series of one sample.
    Latest(Vec<RawSeries>),
    /// To `Envelope`.
    Envelope(Vec<EnvelopeRow>),
    /// To `ExportOpen`, `PushOpen` and `IngestOpen`.
    Cursor(u32),
    /// To `ExportNext`; `None` at the end.
    Chunk(Option<Vec<u8>>),
    /// To `PushNext`; `None` at the end.
    PushPiece(Option<PushPiece>),
    /// To `PushWindows`: where they begin, in order.
    Times(Vec<TimestampMs>),
    /// To `PushLate`: the cursor, and from when to when what is late is; `None` when nothing is.
    Late(Option<(u32, TimeRange)>),
    /// To `SnapshotCreate`: the name.
    Snapshot(String),
    /// To `SnapshotFiles`.
    Files(Vec<SnapshotFile>),
    /// To `SnapshotRead`.
    Bytes(Bytes),
    /// To `RestoreEnd`.
    Restored(RestoreRecord),
    /// To `DeleteSeries` and `Count`.
    Count(u64),
    /// To `InspectPart`.
    Part(PartRecord),
    /// To `InspectBlock`.
    Block(Box<BlockDetails>, BlockRecord),
    /// To `InspectIndexBlock`.
    IndexBlock(IndexBlockRecord),
    /// To `Http`.
    Http(HttpResponse),
    /// To `Http`: a reply whose body goes on. `ExportNext` gives the rest of it, `ExportClose` leaves it.
    HttpBegun(HttpResponse, u32),
}

impl Answer {
    /// Bytes of memory that its samples and texts take, roughly. Records of a fixed size, or of an inspection, count for nothing.
    pub(super) fn memory_bytes(&self) -> u64 {
        let of_labels = |labels: &Labels| labels.iter().map(|(key, value)| key.len() + value.len() + 48).sum::<usize>();
        let of_samples = |series: &[RawSeries]| series.iter().map(RawSeries::memory_bytes).sum::<u64>() as usize;
        let bytes: usize = match self {
            Self::Series(series) => {
                series.iter().map(|series| 16 * series.timestamps.len() + of_labels(&series.labels)).sum()
            }
            Self::LabelSets(sets) => sets.iter().map(of_labels).sum(),
            Self::Strings(strings) => strings.iter().map(|text| text.len() + 24).sum(),
            Self::Query(result) => match &result.data {
                QueryData::Rows { rows, .. } => rows.iter().map(Row::memory_bytes).sum::<u64>() as usize,
                QueryData::Matrix(series) => of_samples(series),
                QueryData::Scalar(_) | QueryData::Text(_) => 0,
            },
            Self::Latest(series) => of_samples(series),
            Self::Envelope(rows) => rows.iter().map(EnvelopeRow::memory_bytes).sum::<u64>() as usize,
            Self::Chunk(chunk) => chunk.as_ref().map_or(0, Vec::len),
            Self::PushPiece(piece) => piece.as_ref().map_or(0, |piece| piece.body.len()),
            Self::Times(times) => size_of_val(&times[..]),
            Self::Bytes(bytes) => bytes.len(),
            Self::Http(reply) | Self::HttpBegun(reply, _) => reply.body.len(),
            Self::Done
            | Self::Ingested(_)
            | Self::Cursor(_)
            | Self::Late(_)
            | Self::Snapshot(_)
            | Self::Files(_)
            | Self::Restored(_)
            | Self::Count(_)
            | Self::Part(_)
            | Self::Block(..)
            | Self::IndexBlock(_) => 0,
        };
        bytes as u64
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
