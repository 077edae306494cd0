//! The inverted index: which series there are, which labels and days they have, and by which TSID their samples go
//! (index-format §3 to §7).
//!
//! It consists of two tables of items, the *current* and the *previous* generation. New items go into the current one, and
//! can be found about two seconds later, when they are durable as well.

mod deletions;
mod metric_ids;
pub mod names;
pub mod postings;
pub mod register;
pub mod rotate;
pub mod schema;
pub mod search;
pub mod tag_rows;

use crate::collections::u64_set::U64Set;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::mergeset::block_header::BlockHeader;
use crate::mergeset::table::{PartList, TableOptions, TableState};
use crate::mergeset::{ItemsBlock, Part, Remover, Table};
use crate::runtime::block_cache::BlockCacheStats;
use crate::runtime::{Context, Lane};
use bytes::Bytes;
use deletions::Deletions;
use metric_ids::MetricIds;
use names::{NameCache, NameCacheState};
use register::PendingNames;
use rotate::Rotation;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Directory of the index.
pub const INDEX_DIR: &str = "indexdb";
/// Eight bytes, below the data directory: from which instant on queries may use composite tag rows (data-dir-layout §1). Zero in a
/// database that had them from its first day.
pub const COMPOSITE_TIMESTAMP_FILE: &str = "metadata/minTimestampForCompositeIndex";
/// Tells old servers that tag rows may hold several metric ids.
pub const CONVERTED_FILE: &str = "converted-to-v1.28.0";

/// How an index is opened.
#[derive(Clone, Copy, Debug)]
pub struct IndexOptions {
    /// Once in such a period, in milliseconds, a new generation begins.
    pub retention_ms: i64,
    /// The start of the process in nanoseconds since the epoch: the least metric id, generation and suffix that is given out.
    pub start_nanos: u64,
    /// Queries that begin at or after this instant may ask the composite rows: what `metadata/minTimestampForCompositeIndex`
    /// says (data-dir-layout §1).
    pub min_timestamp_for_composite: i64,
}

impl IndexOptions {
    /// Options of an index whose rows are all there, composite ones included.
    pub fn new(retention_ms: i64, start_nanos: u64) -> Self {
        Self { retention_ms, start_nanos, min_timestamp_for_composite: 0 }
    }
}

/// Which of the two tables one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TableRole {
    /// New items go there.
    Current,
    /// Still searched, and dropped at the next rotation.
    Previous,
}

/// A table with its role.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationState {
    /// Its role.
    pub role: TableRole,
    /// Parts and waiting items.
    #[serde(flatten)]
    pub table: TableState,
}

/// The index as `inspect()` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexState {
    /// The current generation, then the previous one.
    pub tables: Vec<GenerationState>,
    /// Items that are not in the storage yet.
    pub pending_items: u64,
    /// Series, deleted ones included; absent until those found at the start are counted.
    pub series: Option<u64>,
    /// Series that were deleted.
    pub deleted_series: u64,
    /// Names that were asked for lately.
    pub names: NameCacheState,
    /// Decoded blocks, those of the data included.
    pub blocks: BlockCacheStats,
    /// The next rotation, in ms since the epoch.
    pub next_rotation: i64,
}

/// What a snapshot of the index takes.
pub struct IndexSnapshot {
    /// Links of all files, to be committed together with those of the data.
    pub changes: Vec<Change>,
    /// Size of the linked parts.
    pub bytes: u64,
    /// Parts that are linked.
    pub parts: u64,
    /// Keeps the files where they are until it is dropped; hold it until the changes are committed.
    pub held: Vec<PartList>,
}

/// The index. Methods that wait take no `&mut`: what they change is changed in one go.
pub struct Index {
    context: Context,
    options: IndexOptions,
    dir: FilePath,
    current: RefCell<Rc<Table>>,
    previous: RefCell<Rc<Table>>,
    remover: Rc<Remover>,
    rotation: Rotation,
    metric_ids: MetricIds,
    deletions: Deletions,
    pending_names: RefCell<PendingNames>,
    names: RefCell<NameCache>,
    min_timestamp_for_composite: i64,
    generation: Cell<u64>,
    has_jobs: Cell<bool>,
}

impl Index {
    /// Opens the index below `indexdb/`, or begins one. Generations but the newest two are removed, missing ones are begun.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when a part can't be opened.
    pub async fn open(context: &Context, options: IndexOptions) -> Result<Rc<Self>> {
        let dir = FilePath::new(INDEX_DIR)?;
        let (previous, current) = prepare_generations(context, &dir, options.start_nanos).await?;
        let remover = Rc::new(Remover::default());
        let table_options = TableOptions { prepare: tag_rows::pack_tag_rows, first_suffix: options.start_nanos };
        let open = |generation: u64| {
            Table::open(context, dir.join(&generation_name(generation)), table_options, remover.clone())
        };
        let (previous_table, current_table) = (open(previous).await?, open(current).await?);
        let mut deleted = U64Set::new();
        let mut greatest_id = 0;
        for table in [&previous_table, &current_table] {
            let mut search = table.search();
            let prefix = [schema::DELETED_METRIC_ID];
            search.seek(&prefix).await?;
            while let Some(item) = search.item_with(&prefix) {
                deleted.insert(schema::parse_metric_id_item(item)?.0);
                search.next().await?;
            }
            for kind in [schema::METRIC_ID_TO_TSID, schema::METRIC_ID_TO_NAME] {
                let last = table.last_below(&[kind + 1]).await?.filter(|item| item.first() == Some(&kind));
                if let Some(item) = last {
                    greatest_id = greatest_id.max(schema::parse_metric_id_item(&item)?.0);
                }
            }
        }
        greatest_id = greatest_id.max(deleted.last().unwrap_or(0));
        let next_metric_id = greatest_id.checked_add(1).ok_or_else(|| {
            Error::corrupt("the index has a series with the greatest of all metric ids, so that no other can follow")
        })?;
        Ok(Rc::new(Self {
            context: context.clone(),
            dir,
            current: RefCell::new(current_table),
            previous: RefCell::new(previous_table),
            remover,
            rotation: Rotation::new(current.wrapping_add(1).max(options.start_nanos)),
            metric_ids: MetricIds::new(next_metric_id.max(options.start_nanos)),
            deletions: Deletions::new(deleted),
            pending_names: RefCell::default(),
            names: RefCell::default(),
            min_timestamp_for_composite: options.min_timestamp_for_composite,
            generation: Cell::new(0),
            has_jobs: Cell::new(false),
            options,
        }))
    }

    /// Spawns flushers, mergers, the rotation and the janitor.
    pub fn start_jobs(self: &Rc<Self>) {
        self.has_jobs.set(true);
        self.tables().iter().for_each(Table::start_jobs);
        self.context.spawn(Lane::Janitor, self.remover.clone().run_janitor(self.context.clone()));
        self.context.spawn(Lane::Janitor, self.clone().run_rotation());
        self.count();
    }

    /// Spawns the job that counts the series; the only one for whoever just reads.
    pub fn count(self: &Rc<Self>) {
        self.context.spawn(Lane::Janitor, self.clone().count_series());
    }

    /// Makes all items durable and lets the jobs end.
    ///
    /// # Errors
    /// What the storage says; the jobs end all the same.
    pub async fn shutdown(&self) -> Result<()> {
        self.rotation.stop();
        let flushed = self.flush().await;
        for table in self.tables() {
            table.close();
            table.wait_for_merges().await;
        }
        let cleared = self.remover.remove_all_unread(&self.context).await;
        self.remover.close();
        flushed.and(cleared)
    }

    /// Changes whenever TSIDs or days that were asked for before may no longer be what the index says: at a rotation and
    /// when series were deleted.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Makes all items that were added before searchable and durable.
    ///
    /// # Errors
    /// What the storage says; the items are kept in memory, and can be searched.
    pub async fn flush(&self) -> Result<()> {
        let [current, previous] = self.tables();
        let flushed = current.flush().await;
        previous.flush().await?;
        flushed
    }

    /// Makes all items that were added before searchable. They are durable as well unless the storage refuses to take them.
    ///
    /// # Errors
    /// When items can't be merged; they are kept.
    pub async fn make_searchable(&self) -> Result<()> {
        for table in self.tables() {
            table.make_searchable().await?;
        }
        Ok(())
    }

    /// Whether there is no item at all.
    pub fn is_empty(&self) -> bool {
        self.pending_items() == 0 && self.tables().iter().all(|table| table.parts().is_empty())
    }

    /// Bytes of items that are not in the storage yet.
    pub fn pending_bytes(&self) -> u64 {
        self.tables().iter().map(|table| table.pending_bytes()).sum()
    }

    /// Items that are not in the storage yet.
    pub fn pending_items(&self) -> u64 {
        self.tables().iter().map(|table| table.pending_items()).sum()
    }

    /// The series that were deleted, by metric id.
    pub fn deleted(&self) -> Rc<U64Set> {
        self.deletions.all()
    }

    /// Deletes series for good: they are no longer found, and their samples are dropped when parts are merged. Durable when
    /// it returns.
    ///
    /// # Errors
    /// What the storage says; the series count as deleted then, too, and will be durably so after the next flush.
    pub async fn delete_series(&self, metric_ids: &[u64]) -> Result<()> {
        if !metric_ids.is_empty() {
            self.current().add_items(|add| tombstones(metric_ids.iter().copied(), add))?;
            self.deletions.add(metric_ids);
            self.change_generation();
        }
        // A deletion that is asked for again finds nothing any more, and must not be confirmed before the first one is durable.
        let unconfirmed = self.deletions.unconfirmed();
        if unconfirmed.is_empty() {
            return Ok(());
        }
        match self.flush().await {
            // The head-room is there for this; what else waits has to go on waiting.
            Err(error) if error.kind() == ErrorKind::Quota => {
                self.current().write_at_once(|add| tombstones(unconfirmed.iter().copied(), add)).await?;
            }
            flushed => flushed?,
        }
        self.deletions.confirm(unconfirmed);
        Ok(())
    }

    /// What is to be done for a snapshot of both generations, of all items that were added before. Whoever commits it holds
    /// the answer until then.
    ///
    /// # Errors
    /// What the storage says to the flush; `Invalid` when the name is no path.
    pub async fn snapshot_changes(&self, snapshot: &str) -> Result<IndexSnapshot> {
        let snapshot_dir = FilePath::new(&format!("{INDEX_DIR}/snapshots/{snapshot}"))?;
        self.flush().await?;
        // One instant for both generations: nothing waits from here on.
        let mut result = IndexSnapshot { changes: Vec::new(), bytes: 0, parts: 0, held: Vec::new() };
        for table in self.tables() {
            let (changes, parts) = table.snapshot_changes(&snapshot_dir);
            result.changes.extend(changes);
            result.bytes += parts.iter().map(|part| part.size_bytes()).sum::<u64>();
            result.parts += parts.len() as u64;
            result.held.push(parts);
            let to = snapshot_dir.join(table.dir().name()).join(CONVERTED_FILE);
            result.changes.push(Change::Link { from: table.dir().join(CONVERTED_FILE), to });
        }
        Ok(result)
    }

    /// The index for `inspect()`.
    pub fn state(&self) -> IndexState {
        let roles = [TableRole::Current, TableRole::Previous];
        let tables = self.tables().into_iter().zip(roles);
        IndexState {
            tables: tables.map(|(table, role)| GenerationState { role, table: table.state() }).collect(),
            pending_items: self.pending_items(),
            series: self.metric_ids.series(),
            deleted_series: self.deletions.len(),
            names: self.names.borrow().state(),
            blocks: self.context.block_cache().stats(),
            next_rotation: self.next_rotation(),
        }
    }

    /// A block of the index, with the part it is in: of the table and the part at these positions in [`Index::state`].
    ///
    /// # Errors
    /// `NotFound` where there is none (any more), `Corrupt` where it can't be read; what storage says.
    pub async fn block(&self, table: usize, part: usize, at: u64) -> Result<(Rc<Part>, BlockHeader, Rc<ItemsBlock>)> {
        let found = self.tables().get(table).and_then(|table| table.parts().get(part).cloned());
        let part = found.ok_or_else(|| {
            let message =
                format!("the index has no table {table} with a part {part}; ask inspect() for those there are");
            Error::new(ErrorKind::NotFound, message)
        })?;
        let (header, items) = part.block(&self.context, at).await?;
        Ok((part, header, items))
    }

    fn current(&self) -> Rc<Table> {
        self.current.borrow().clone()
    }

    fn previous(&self) -> Rc<Table> {
        self.previous.borrow().clone()
    }

    /// The current generation, then the previous one.
    fn tables(&self) -> [Rc<Table>; 2] {
        [self.current(), self.previous()]
    }

    fn table_options(&self) -> TableOptions {
        TableOptions { prepare: tag_rows::pack_tag_rows, first_suffix: self.options.start_nanos }
    }

    fn change_generation(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    async fn count_series(self: Rc<Self>) {
        let mut ids = U64Set::new();
        for table in self.tables() {
            match search::metric_ids_below(&table, self.metric_ids.first).await {
                Ok(found) => ids.union(&found),
                // Whoever searches there will be told.
                Err(_) => return,
            }
        }
        self.metric_ids.found(ids.len() as u64);
    }
}

/// The items that say that series are deleted.
fn tombstones(metric_ids: impl Iterator<Item = u64>, add: &mut dyn FnMut(&[u8])) {
    let mut item = Vec::new();
    for id in metric_ids {
        schema::metric_id_item(schema::DELETED_METRIC_ID, id, &mut item);
        add(&item);
    }
}

/// A generation's directory: 16 upper-case hex digits.
pub fn generation_name(generation: u64) -> String {
    format!("{generation:016X}")
}

fn parse_generation(name: &str) -> Option<u64> {
    let is_generation =
        name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
    is_generation.then(|| u64::from_str_radix(name, 16).ok()).flatten()
}

/// Sees to it that there are exactly two generations, and says which (index-format §7).
async fn prepare_generations(context: &Context, dir: &FilePath, start_nanos: u64) -> Result<(u64, u64)> {
    let entries = context.list(dir).await?;
    let directories = entries.iter().filter(|entry| entry.kind == EntryKind::Directory);
    let mut generations: Vec<u64> = directories.filter_map(|entry| parse_generation(&entry.name)).collect();
    generations.sort();
    let mut changes = Vec::new();
    while generations.len() > 2 {
        changes.push(Change::Remove { path: dir.join(&generation_name(generations.remove(0))) });
    }
    while generations.len() < 2 {
        let next =
            match generations.last() {
                Some(&last) => start_nanos.max(last.checked_add(1).ok_or_else(|| {
                    Error::corrupt(format!("{dir}: no generation can follow {}", generation_name(last)))
                })?),
                None => start_nanos,
            };
        generations.push(next);
    }
    for &generation in &generations {
        let file = dir.join(&generation_name(generation)).join(CONVERTED_FILE);
        if context.read_small_file(&file).await?.is_none() {
            changes.push(Change::Put { file, bytes: Bytes::from_static(b"ok") });
        }
    }
    if !changes.is_empty() {
        context.commit(changes).await?;
    }
    Ok((generations[0], generations[1]))
}
