//! Restoring: an archive of a server's snapshot or data directory is written below `tmp/` as it comes, its parts are opened on
//! trial, and then one commit puts them in the place of the empty database's.

use super::Storage;
use super::prometheus::PrometheusData;
use super::search::MAX_SERIES;
use crate::archive::plan::{Format, LeftOut, PlannedPart, not_empty};
use crate::archive::tar::Entry;
use crate::archive::walk::{Begun, WalkedFile};
use crate::archive::{Plan, TarPiece, TarReader, Walk};
use crate::encoding::zstd::StreamDecoder;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::index::{COMPOSITE_TIMESTAMP_FILE, INDEX_DIR};
use crate::log;
use crate::mergeset;
use crate::part::Part;
use crate::runtime::{Context, Purpose, join_all};
use crate::time::{PartitionName, TimeRange, TimestampMs};
use bytes::Bytes;
use std::collections::HashSet;

/// Where an archive's files lie until they are published.
const STAGING_DIR: &str = "tmp/restore";

/// Bytes that are unpacked at a time.
const UNPACKED_BYTES: usize = 1 << 20;

/// The most that is taken where files lie in memory, which has to hold them and what is made of them.
const MAX_IN_MEMORY_BYTES: u64 = 1 << 30;

/// Files that are taken from one archive.
const MAX_FILES: usize = 1 << 20;

/// Parts that are opened on trial at the same time.
const OPENED_AT_ONCE: usize = 32;

/// How much there is in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Parts with samples.
    pub parts: u64,
    /// Series that can be found.
    pub series: u64,
    /// Samples in the parts, those of deleted series included until they are merged.
    pub samples: u64,
}

/// What an archive comes down to, ready to be committed.
pub enum Prepared {
    /// The files of a server.
    Files(PreparedFiles),
    /// Those of a Prometheus, whose samples are written anew.
    Prometheus(PrometheusData),
}

/// A server's files, ready to be committed.
pub struct PreparedFiles {
    /// The commit that makes the archive's files those of the database, once [`Storage::removals`] have taken away those that are there.
    pub changes: Vec<Change>,
    /// Which servers write so.
    pub format: Format,
    /// What is not taken over.
    pub left_out: Vec<LeftOut>,
}

/// How the archive is packed.
enum Packing {
    /// Too few bytes have come to tell.
    Unknown(Vec<u8>),
    Plain,
    Zstd(Box<StreamDecoder>),
}

/// The file that comes at present.
struct Coming {
    walked: WalkedFile,
    /// Where it is written.
    file: Option<FilePath>,
}

/// A spare file of the walk.
struct Spare {
    file: FilePath,
    /// It lies where a file of the database is staged that is linked to it.
    is_taken: bool,
}

impl Spare {
    /// A file of the database is one with it.
    fn place_at(&mut self, to: FilePath) -> Change {
        let from = std::mem::replace(&mut self.file, to.clone());
        match std::mem::replace(&mut self.is_taken, true) {
            false => Change::Publish { from, to },
            true => Change::Link { from, to },
        }
    }
}

/// An archive that is being restored.
pub struct Restoration {
    context: Context,
    packing: Packing,
    tar: TarReader,
    walk: Walk,
    coming: Option<Coming>,
    /// What lies above the data directories in the archive; the files of each are staged by its number.
    roots: Vec<String>,
    staged: HashSet<FilePath>,
    /// Bytes that were staged.
    staged_bytes: u64,
    /// By their numbers.
    spare: Vec<Spare>,
}

impl Restoration {
    /// Begins, with nothing left of an earlier attempt.
    ///
    /// # Errors
    /// What storage says.
    pub async fn begin(context: &Context) -> Result<Self> {
        clear_staging(context).await?;
        Ok(Self {
            context: context.clone(),
            packing: Packing::Unknown(Vec::new()),
            tar: TarReader::default(),
            walk: Walk::default(),
            coming: None,
            roots: Vec::new(),
            staged: HashSet::new(),
            staged_bytes: 0,
            spare: Vec::new(),
        })
    }

    /// Takes the next bytes of the archive, a tar that may be compressed by zstd. What they hold is stored when it returns.
    ///
    /// # Errors
    /// `Corrupt` for what is no tar, `Limit` for what no server has; what storage says.
    pub async fn feed(&mut self, bytes: Bytes) -> Result<()> {
        let bytes = match &mut self.packing {
            Packing::Unknown(first) => {
                first.extend_from_slice(&bytes);
                if first.len() < 4 {
                    return Ok(());
                }
                let first = std::mem::take(first);
                self.packing = packing_of(&first);
                Bytes::from(first)
            }
            _ => bytes,
        };
        self.unpack(bytes, false).await
    }

    /// All has come. Opens the parts on trial and says what is to be committed.
    ///
    /// # Errors
    /// `Invalid`, with what to do, for what is no data directory; `Corrupt` for an archive that was cut off or has no index.
    pub async fn finish(mut self, storage: &Storage) -> Result<Prepared> {
        if let Packing::Unknown(first) = &mut self.packing {
            let first = std::mem::take(first);
            self.packing = Packing::Plain;
            self.unpack(first.into(), true).await?;
        }
        self.unpack(Bytes::new(), true).await?;
        self.tar.finish()?;
        if let Some((root, directory)) = self.walk.inventory().prometheus()? {
            let number = self.roots.iter().position(|known| known == root).unwrap_or(0);
            return Ok(Prepared::Prometheus(PrometheusData::new(self.staging_of(number), directory.clone())));
        }
        let mut plan = self.walk.inventory().plan(storage.options.start_nanos())?;
        self.check_retention(&mut plan, storage.options.retention_ms)?;
        self.try_parts(&mut plan).await?;
        let changes = self.changes(&plan);
        Ok(Prepared::Files(PreparedFiles { changes, format: plan.format, left_out: plan.left_out }))
    }

    async fn unpack(&mut self, bytes: Bytes, is_last: bool) -> Result<()> {
        let Packing::Zstd(_) = self.packing else { return self.take(bytes).await };
        let mut bytes = Some(bytes);
        loop {
            let Packing::Zstd(decoder) = &mut self.packing else { return Ok(()) };
            if let Some(bytes) = bytes.take() {
                decoder.push(&bytes);
            }
            let mut unpacked = Vec::new();
            let mut has_more = true;
            while has_more && unpacked.len() < UNPACKED_BYTES {
                has_more = decoder.read(UNPACKED_BYTES, is_last, &mut unpacked)?;
            }
            self.context.spend(unpacked.len() as u64 / 64).await;
            self.take(unpacked.into()).await?;
            if !has_more {
                return Ok(());
            }
        }
    }

    /// Takes unpacked bytes.
    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        let mut appends = Vec::new();
        let mut moves = Vec::new();
        let mut rest = &bytes[..];
        while let Some(piece) = self.tar.read(&mut rest)? {
            match piece {
                TarPiece::Entry(entry) => {
                    self.begin_entry(entry, &mut moves)?;
                    if let Some(Coming { file: Some(file), .. }) = &self.coming {
                        // Files without content are files, too.
                        appends.push(self.context.append(file, Bytes::new(), Purpose::Data));
                    }
                }
                TarPiece::Content(content) => {
                    let Some(coming) = &mut self.coming else { continue };
                    if let Some(file) = &coming.file {
                        self.staged_bytes += content.len() as u64;
                        if self.staged_bytes > MAX_IN_MEMORY_BYTES && self.context.files_are_in_memory() {
                            let message = "the archive has more than 1 GiB unpacked, which is too much for memory; restore it into a database in IndexedDB or OPFS";
                            return Err(Error::new(ErrorKind::Limit, message));
                        }
                        appends.push(self.context.append(file, bytes.slice_ref(content), Purpose::Data));
                    }
                    coming.walked.take(content);
                }
                TarPiece::EndOfEntry => {
                    if let Some(coming) = self.coming.take() {
                        self.walk.end(coming.walked)?;
                    }
                }
            }
        }
        for appended in join_all(appends).await {
            appended?;
        }
        if moves.is_empty() { Ok(()) } else { self.context.commit(moves).await }
    }

    fn begin_entry(&mut self, entry: Entry, moves: &mut Vec<Change>) -> Result<()> {
        let (walked, file) = match self.walk.begin(entry)? {
            Begun::Passed => return Ok(()),
            Begun::File(walked) => {
                let file = if walked.is_kept { Some(self.stage(&walked)?) } else { None };
                (walked, file)
            }
            Begun::Spare(walked) => {
                self.check_files()?;
                let file = FilePath::root().join(&format!("{STAGING_DIR}/spare/{}", self.spare.len()));
                self.spare.push(Spare { file: file.clone(), is_taken: false });
                (walked, Some(file))
            }
            Begun::Linked(walked, number) => {
                if walked.is_kept {
                    let file = self.stage(&walked)?;
                    moves.push(self.spare[number].place_at(file));
                }
                return Ok(());
            }
        };
        self.coming = Some(Coming { walked, file });
        Ok(())
    }

    /// Where a file is written.
    fn stage(&mut self, walked: &WalkedFile) -> Result<FilePath> {
        self.check_files()?;
        let root = match self.roots.iter().position(|root| *root == walked.root) {
            Some(at) => at,
            // The inventory counts them.
            None => {
                self.roots.push(walked.root.clone());
                self.roots.len() - 1
            }
        };
        let file = self.staging_of(root).join(&walked.path);
        if !self.staged.insert(file.clone()) {
            let message = format!("{} is in the archive twice; pack it anew", walked.whole_path());
            return Err(Error::corrupt(message));
        }
        Ok(file)
    }

    fn check_files(&self) -> Result<()> {
        if self.staged.len() + self.spare.len() < MAX_FILES {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Limit, format!("the archive holds more than {MAX_FILES} files, which no server has")))
    }

    fn staging_of(&self, root: usize) -> FilePath {
        FilePath::root().join(&format!("{STAGING_DIR}/{root}"))
    }

    /// Samples that would be dropped at once are told before anything is changed.
    fn check_retention(&self, plan: &mut Plan, retention_ms: i64) -> Result<()> {
        let months = |part: &PlannedPart| part.header.as_ref().map(|header| PartitionName::of(header.max_timestamp));
        let mut months: Vec<PartitionName> = plan.parts.iter().filter_map(months).collect();
        months.dedup();
        let oldest: TimestampMs = self.context.now().saturating_sub(retention_ms);
        let is_over = |month: &PartitionName| month.range().max < oldest;
        let over: Vec<PartitionName> = months.iter().copied().filter(is_over).collect();
        let how = "open the database with a longer retention, such as retention: \"100y\"";
        if !over.is_empty() && over.len() == months.len() {
            return Err(Error::invalid(format!(
                "all samples in it are older than the database's retention and would be dropped at once; {how}"
            )));
        }
        for month in over {
            let message = format!("the month is older than the database's retention and is dropped at once; {how}");
            plan.left_out.push(LeftOut { path: format!("data/small/{month}"), message });
        }
        Ok(())
    }

    /// Opens each part where it is staged. What can't be opened is left out.
    async fn try_parts(&self, plan: &mut Plan) -> Result<()> {
        let staging = self.staging_of_plan(plan);
        let mut whole = Vec::with_capacity(plan.parts.len());
        let parts = std::mem::take(&mut plan.parts);
        for some in parts.chunks(OPENED_AT_ONCE) {
            let opening = some.iter().map(|part| try_part(&self.context, staging.join(&part.from), part));
            for (part, opened) in some.iter().zip(join_all(opening).await) {
                match opened {
                    Ok(()) => whole.push(part.clone()),
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        let message = error.message().replace(&format!("{staging}/"), "");
                        plan.left_out.push(LeftOut { path: part.from.clone(), message });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        plan.parts = whole;
        Ok(())
    }

    fn staging_of_plan(&self, plan: &Plan) -> FilePath {
        let root = self.roots.iter().position(|root| *root == plan.root).unwrap_or(0);
        self.staging_of(root)
    }

    /// The commit that makes the plan's files those of a database that has none.
    fn changes(&self, plan: &Plan) -> Vec<Change> {
        let root = FilePath::root();
        let staging = self.staging_of_plan(plan);
        let mut changes = Vec::new();
        for part in &plan.parts {
            changes.push(Change::Publish { from: staging.join(&part.from), to: root.join(&part.to) });
        }
        for dir in &plan.transaction_dirs {
            changes.push(Change::Publish { from: staging.join(dir), to: root.join(dir) });
        }
        let made = plan.made_files().into_iter();
        changes.extend(made.map(|(path, bytes)| Change::Put { file: root.join(&path), bytes: bytes.into() }));
        changes.push(Change::Remove { path: root.join(STAGING_DIR) });
        changes
    }
}

async fn try_part(context: &Context, dir: FilePath, part: &PlannedPart) -> Result<()> {
    match part.header {
        Some(header) => Part::open_as(context, &dir, Ok(header)).await.map(drop),
        None => mergeset::Part::open(context, &dir).await.map(drop),
    }
}

fn packing_of(first: &[u8]) -> Packing {
    if StreamDecoder::recognises(first) { Packing::Zstd(Box::default()) } else { Packing::Plain }
}

/// Removes what a restoration has left that was given up.
///
/// # Errors
/// What storage says.
pub async fn clear_staging(context: &Context) -> Result<()> {
    let path = FilePath::root().join(STAGING_DIR);
    if context.list(&path).await?.is_empty() { Ok(()) } else { context.commit(vec![Change::Remove { path }]).await }
}

impl Storage {
    /// Whether a snapshot can be restored: there is no series and no sample.
    ///
    /// # Errors
    /// `Invalid`, with what to do, when there is one.
    pub fn check_empty(&self) -> Result<()> {
        let has_rows = self.table.partitions().iter().any(|partition| {
            partition.pending_rows() > 0 || !partition.parts().is_empty() || partition.pending_conversion_rows() > 0
        });
        if has_rows || !self.index.is_empty() { Err(not_empty()) } else { Ok(()) }
    }

    /// How much there is.
    ///
    /// # Errors
    /// What storage says; `Corrupt` when the index can't be read.
    pub async fn contents(&self) -> Result<Contents> {
        let lists: Vec<_> = self.table.partitions().iter().map(|partition| partition.parts()).collect();
        let parts = lists.iter().map(|list| list.len() as u64).sum();
        let samples = lists.iter().map(|list| list.rows()).sum();
        let series = match self.find_series(&[Vec::new()], TimeRange::ALL, MAX_SERIES).await {
            Ok(series) => series.len() as u64,
            // So many are counted by their numbers; one that was created twice counts twice.
            Err(error) if error.kind() == ErrorKind::Limit => {
                self.index.search_tsids(&[], TimeRange::ALL, usize::MAX).await?.len() as u64
            }
            Err(error) => return Err(error),
        };
        Ok(Contents { parts, series, samples })
    }

    /// What takes away the files of a database but its log and settings. Asked of one whose jobs have ended: until then a merge or
    /// a new generation of the index may put others there.
    ///
    /// # Errors
    /// What storage says.
    pub async fn removals(context: &Context) -> Result<Vec<Change>> {
        let root = FilePath::root();
        let mut changes = vec![Change::Remove { path: root.join(COMPOSITE_TIMESTAMP_FILE) }];
        for dir in [INDEX_DIR, "data/small", "data/big"] {
            for entry in context.list(&root.join(dir)).await? {
                if entry.kind == EntryKind::Directory && entry.name != "snapshots" {
                    changes.push(Change::Remove { path: root.join(dir).join(&entry.name) });
                }
            }
        }
        Ok(changes)
    }

    /// Takes everything away that a restoration has put there and that can't be opened.
    ///
    /// # Errors
    /// What storage says.
    pub async fn remove_restored(context: &Context) -> Result<()> {
        let mut changes = Self::removals(context).await?;
        // Its rows would come back.
        if !context.list(&log::root()).await?.is_empty() {
            changes.push(Change::Remove { path: log::root() });
        }
        context.commit(changes).await
    }
}
