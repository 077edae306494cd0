//! Opening: what lies in the file system becomes a storage again. Reads lists of parts and their metaindexes, not the data.

use super::restore::clear_staging;
use super::series::{NumberedNames, SeriesRegistry};
use super::snapshot::Snapshots;
use super::table::Table;
use super::waiting::Waiting;
use super::{Storage, StorageOptions, settings};
use crate::block::dedup::Dedup;
use crate::encoding::int::{put_i64, take_i64};
use crate::error::{Error, Result};
use crate::fs::{Change, EntryKind, FilePath};
use crate::index::{COMPOSITE_TIMESTAMP_FILE, Index, IndexOptions};
use crate::log::{self, NameOf, RowLog};
use crate::metric::row::SeriesTable;
use crate::partition::raw_rows::max_rows_per_shard;
use crate::partition::{MergeLimits, PartitionOptions};
use crate::runtime::{Context, Turnstile, join_all};
use crate::time::{DAY_MS, PartitionName, TimestampMs};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// There while samples of a Prometheus are written: what a kill leaves then is a part of them, and goes.
pub(super) const IMPORTING_FILE: &str = "metadata/importing";

/// Shards of raw rows: there is one thread.
const SHARDS: usize = 1;

/// The smallest limit of a small part (engine-behaviour §4).
const MIN_SMALL_PART_BYTES: u64 = 10_000_000;

/// The limit of any merge's output (engine-behaviour §4).
const MAX_BIG_PART_BYTES: u64 = 1_000_000_000_000;

/// The size from which on a part is big: `mem.remaining / 15`.
fn max_small_part_bytes(memory_bytes: u64) -> u64 {
    (memory_bytes / 100 * 40 / 15).max(MIN_SMALL_PART_BYTES)
}

impl Storage {
    /// Says that what is written from now on is nothing before [`Storage::import_ended`].
    pub(super) async fn import_begins(context: &Context) -> Result<()> {
        let file = FilePath::root().join(IMPORTING_FILE);
        context.commit(vec![Change::Put { file, bytes: Bytes::from_static(b"1") }]).await
    }

    /// All has been written, and is durable.
    pub(super) async fn import_ended(context: &Context) -> Result<()> {
        context.commit(vec![Change::Remove { path: FilePath::root().join(IMPORTING_FILE) }]).await
    }

    async fn remove_part_of_import(context: &Context) -> Result<()> {
        if context.read_small_file(&FilePath::root().join(IMPORTING_FILE)).await?.is_none() {
            return Ok(());
        }
        Self::remove_restored(context).await?;
        Self::import_ended(context).await
    }

    /// Opens the database in the context's file system, creating what a new one needs.
    ///
    /// # Errors
    /// `Corrupt` when a part or the index cannot be read, with the file's name; what storage says.
    pub async fn open(context: &Context, options: StorageOptions) -> Result<Rc<Self>> {
        if !options.read_only {
            Self::remove_part_of_import(context).await?;
            clear_staging(context).await?;
        }
        let (options, remembered) = settings::resolve(context, options).await?;
        let to_be_remembered = settings::to_be_written(&options, remembered);
        let metadata = FilePath::root().join(COMPOSITE_TIMESTAMP_FILE);
        let stored = context.read_small_file(&metadata).await?;
        let min_timestamp_for_composite = match stored.as_deref().map(take_i64) {
            Some(Ok((timestamp, []))) => {
                if let Some(change) = to_be_remembered {
                    settings::write(context, change).await?;
                }
                timestamp
            }
            _ => {
                let is_new = context.list(&FilePath::root().join("indexdb")).await?.is_empty();
                let timestamp = first_composite_timestamp(is_new, context.now());
                let mut bytes = Vec::new();
                put_i64(&mut bytes, timestamp);
                let mut changes = vec![Change::Put { file: metadata, bytes: bytes.into() }];
                changes.extend(to_be_remembered);
                context.commit(changes).await?;
                timestamp
            }
        };
        context.block_cache().set_budget_bytes(options.cache_bytes);
        context.memory().set_limit_bytes(options.budget_bytes());
        let index_options = IndexOptions {
            min_timestamp_for_composite,
            ..IndexOptions::new(options.retention_ms, options.start_nanos())
        };
        let index = Index::open(context, index_options).await?;
        let series = Rc::new(SeriesTable::default());
        let numbered_names = NumberedNames::default();
        let logged = log::find(context).await?;
        let log = (!options.read_only).then(|| {
            let (series, names) = (series.clone(), numbered_names.clone());
            let name_of: NameOf = Rc::new(move |number, marshaled| {
                names.borrow().get(number as usize)?.marshal(marshaled);
                Some(series.tsid(number).metric_id)
            });
            RowLog::new(context, options.log_interval_ms, name_of, &logged)
        });
        let dedup = Dedup { interval_ms: options.dedup_interval_ms };
        let partition_options = Rc::new(PartitionOptions {
            max_rows_per_shard: max_rows_per_shard(options.memory_bytes / 100 * 60, SHARDS),
            shards: SHARDS,
            precision_bits: options.precision_bits,
            dedup: (dedup.interval_ms > 0).then_some(dedup),
            retention_ms: options.retention_ms,
            limits: MergeLimits {
                max_small_part_bytes: max_small_part_bytes(options.memory_bytes),
                max_output_bytes: MAX_BIG_PART_BYTES,
            },
            final_merge_delay_ms: options.final_merge_delay_ms,
            deleted: {
                let index = index.clone();
                Rc::new(move || index.deleted())
            },
            series: series.clone(),
            ensure_index_durable: {
                let index = index.clone();
                Rc::new(move || {
                    let index = index.clone();
                    Box::pin(async move { index.flush().await })
                })
            },
            log: log.clone(),
            announces: !options.read_only,
            ids: options.ids.clone(),
            start_nanos: options.start_nanos(),
        });
        let snapshots = Snapshots::open(context, options.start_nanos()).await?;
        let storage = Rc::new(Self {
            context: context.clone(),
            series: RefCell::new(SeriesRegistry::new(
                series,
                numbered_names,
                index.generation(),
                options.series_bytes(),
            )),
            logged_ids: RefCell::default(),
            index: index.clone(),
            table: Table::new(context.clone(), partition_options, !options.read_only),
            log,
            waiting: Waiting::default(),
            preparing: Turnstile::default(),
            waiting_for_room: Turnstile::default(),
            snapshots,
            ingested: RefCell::default(),
            last_read: std::cell::Cell::default(),
            last_extra_labels: RefCell::default(),
            told: Cell::default(),
            late: Default::default(),
            backlog_room: Cell::new(0),
            options,
        });
        let opening = months(context).await?.into_iter().map(|month| storage.table.open_partition(month));
        for opened in join_all(opening).await {
            opened?;
        }
        storage.replay(&logged).await?;
        if storage.options.read_only {
            index.count();
        } else {
            storage.table.start_jobs();
            storage.tell_of_shorter_retention(remembered);
            index.start_jobs();
            storage.start_retention();
            storage.start_final_deduplication();
        }
        context.arrivals().note_all();
        Ok(storage)
    }
}

/// The months that have a directory, in either class.
async fn months(context: &Context) -> Result<Vec<PartitionName>> {
    let mut months = Vec::new();
    for class in ["data/small", "data/big"] {
        for entry in context.list(&FilePath::root().join(class)).await? {
            if entry.kind != EntryKind::Directory || entry.name == "snapshots" {
                continue;
            }
            let month = PartitionName::parse(&entry.name).ok_or_else(|| {
                Error::corrupt(format!(
                    "{class}/{}: a partition's directory is named YYYY_MM; move this one away",
                    entry.name
                ))
            })?;
            months.push(month);
        }
    }
    months.sort();
    months.dedup();
    Ok(months)
}

/// What [`COMPOSITE_TIMESTAMP_FILE`] says: 0 for a new database, else two days from now, as older series may lack composite
/// rows.
fn first_composite_timestamp(is_new: bool, now: TimestampMs) -> TimestampMs {
    if is_new { 0 } else { (now / DAY_MS + 2) * DAY_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_sized_by_the_servers_formula() {
        assert_eq!(max_small_part_bytes(1 << 20), 10_000_000);
        assert_eq!(max_small_part_bytes(1 << 30), 28_633_114);
    }
}
