//! Samples on their way in: what is refused, which series and days must be known to the index first, which month they go to
//! (engine-behaviour §2).
//!
//! Each form of appending has two halves. The `try_` half is synchronous and allocation-free and does all the work when series,
//! days and partitions are known, which is nearly always. Else the caller hands the rows to the other half, a job's, which
//! looks things up, writes index entries, opens partitions, and then tries again.

use super::series::{UNRESOLVED, registered_mark};
use super::{FUTURE_LIMIT_MS, IngestCounters, Storage};
use crate::encoding::decimal::is_stale_nan;
use crate::error::{Error, Result};
use crate::metric::name::MetricName;
use crate::metric::row::survey;
use crate::time::{DAY_MS, MAX_TIMESTAMP_MS, PartitionName, TimeRange, TimestampMs, date_of};

/// While so many full shards' worth of rows wait to become parts, writers wait.
const PENDING_SHARDS_LIMIT: u64 = 2;

/// Work of looking a series up and writing its index entries, and of writing those of a day.
const SERIES_UNITS: u64 = 200;
const DAY_UNITS: u64 = 100;

/// How the synchronous half of an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The rows are in their shards.
    Accepted,
    /// Nothing happened; a job has to prepare the way.
    NeedsPreparation,
}

/// Why not all rows of a call were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halted {
    /// So many were taken before: they would be there twice if the call were repeated.
    pub taken_rows: u64,
    /// What has stopped it.
    pub error: Error,
}

impl From<Halted> for Error {
    fn from(halted: Halted) -> Self {
        halted.error
    }
}

/// The times whose samples are taken at this instant.
#[derive(Clone, Copy)]
pub(super) struct AcceptedTimes {
    pub(super) range: TimeRange,
}

/// The dates of timestamps, each stretch of one day once.
fn days_of(timestamps: &[i64]) -> Vec<u64> {
    let mut dates = Vec::new();
    let (mut day_start, mut day_end) = (i64::MAX, i64::MIN);
    for &timestamp in timestamps {
        if timestamp < day_start || timestamp >= day_end {
            let date = date_of(timestamp);
            day_start = date as i64 * DAY_MS;
            day_end = day_start + DAY_MS;
            dates.push(date);
        }
    }
    dates
}

/// The rows that may pass, and the count of those that may not.
fn without_refused(
    accepted: AcceptedTimes,
    timestamps: &[i64],
    values: &[f64],
) -> (Vec<i64>, Vec<f64>, IngestCounters) {
    let (mut kept_timestamps, mut kept_values) = (Vec::new(), Vec::new());
    let mut refused = IngestCounters::default();
    for (&timestamp, &value) in timestamps.iter().zip(values) {
        if is_refused_nan(value) {
            refused.rejected_nan += 1;
        } else if accepted.range.contains(timestamp) {
            kept_timestamps.push(timestamp);
            kept_values.push(value);
        } else {
            refused.count_out_of_range(accepted, timestamp, 1);
        }
    }
    (kept_timestamps, kept_values, refused)
}

impl IngestCounters {
    fn count_out_of_range(&mut self, accepted: AcceptedTimes, timestamp: TimestampMs, rows: u64) {
        if timestamp < accepted.range.min {
            self.rejected_too_old += rows;
        } else {
            self.rejected_too_new += rows;
        }
    }

    /// What was refused since the counters stood at `before`.
    fn refused_since(&self, before: Self) -> Self {
        Self {
            rejected_nan: self.rejected_nan - before.rejected_nan,
            rejected_too_old: self.rejected_too_old - before.rejected_too_old,
            rejected_too_new: self.rejected_too_new - before.rejected_too_new,
            ..Self::default()
        }
    }

    fn add_refused(&mut self, refused: Self) {
        self.rejected_nan += refused.rejected_nan;
        self.rejected_too_old += refused.rejected_too_old;
        self.rejected_too_new += refused.rejected_too_new;
    }
}

pub(super) fn is_refused_nan(value: f64) -> bool {
    value.is_nan() && !is_stale_nan(value)
}

impl Storage {
    /// The handle of a series with these labels.
    ///
    /// # Errors
    /// `Invalid` when no label with a value is among them.
    pub fn series_handle(&self, labels: &[(&str, &str)]) -> Result<u32> {
        let labels = labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        let (name, cut) = MetricName::from_labels_within_limits(labels);
        self.note_labels_cut(&name, cut);
        self.handle_in(&mut self.series.borrow_mut(), name)
    }

    /// Appends samples of one series, if all is known.
    ///
    /// # Errors
    /// `Invalid` for a handle that was not given out; `Quota` or what else the storage says when it takes nothing and too much
    /// waits for it. Nothing was accepted then.
    pub fn try_append(&self, handle: u32, timestamps: &[i64], values: &[f64]) -> Result<Appended> {
        self.check_backlog(timestamps.len())?;
        let (appended, refused) = self.counting_refused(|| self.append_checked(handle, timestamps, values))?;
        if refused.rejected() > 0 && refused.rejected() == timestamps.len() as u64 {
            self.tell_all_dropped_once(refused, timestamps[0]);
        }
        Ok(appended)
    }

    fn append_checked(&self, handle: u32, timestamps: &[i64], values: &[f64]) -> Result<Appended> {
        self.check_handle(handle)?;
        if timestamps.is_empty() {
            return Ok(Appended::Accepted);
        }
        let (min, max, has_nan) = survey(timestamps, values);
        let accepted = self.accepted_times();
        if min < accepted.range.min
            || max > accepted.range.max
            || (has_nan && values.iter().any(|value| is_refused_nan(*value)))
        {
            let (timestamps, values, refused) = without_refused(accepted, timestamps, values);
            let (min, max, _) = survey(&timestamps, &values);
            let appended = match timestamps.is_empty() {
                true => Appended::Accepted,
                false => self.append_accepted(handle, &timestamps, &values, TimeRange { min, max }),
            };
            // Counted once, by the call that ends the matter.
            if appended == Appended::Accepted {
                self.ingested.borrow_mut().add_refused(refused);
            }
            return Ok(appended);
        }
        Ok(self.append_accepted(handle, timestamps, values, TimeRange { min, max }))
    }

    /// Appends what may pass; `span` reaches from the first timestamp to the last.
    fn append_accepted(&self, handle: u32, timestamps: &[i64], values: &[f64], span: TimeRange) -> Appended {
        if !self.are_days_registered(handle, timestamps, span) {
            return Appended::NeedsPreparation;
        }
        let series = self.series.borrow().row_series(handle);
        let Some((month, partition)) = self.table.partition_of(span.min) else { return Appended::NeedsPreparation };
        if month.contains(span.max) {
            partition.add_run(series, timestamps, values);
            self.note_late(handle, span);
            self.ingested.borrow_mut().rows += timestamps.len() as u64;
            return Appended::Accepted;
        }
        // All months must be open before the first row moves: it is all or nothing.
        let mut rest = timestamps;
        while let Some(&first) = rest.first() {
            let Some((range, _)) = self.table.partition_of(first) else { return Appended::NeedsPreparation };
            rest = &rest[rest.iter().take_while(|timestamp| range.contains(**timestamp)).count()..];
        }
        let mut from = 0;
        while from < timestamps.len() {
            let Some((range, partition)) = self.table.partition_of(timestamps[from]) else { break };
            let to = from + timestamps[from..].iter().take_while(|timestamp| range.contains(**timestamp)).count();
            partition.add_run(series, &timestamps[from..to], &values[from..to]);
            from = to;
        }
        self.note_late(handle, span);
        self.ingested.borrow_mut().rows += timestamps.len() as u64;
        Appended::Accepted
    }

    /// Appends one sample to each of many series at one instant, if all is known.
    ///
    /// # Errors
    /// As [`Storage::try_append`].
    pub fn try_append_row(&self, handles: &[u32], timestamp: TimestampMs, values: &[f64]) -> Result<Appended> {
        self.check_backlog(handles.len())?;
        let (appended, refused) = self.counting_refused(|| self.append_row_checked(handles, timestamp, values))?;
        if refused.rejected() > 0 && refused.rejected() == handles.len() as u64 {
            self.tell_all_dropped_once(refused, timestamp);
        }
        Ok(appended)
    }

    fn append_row_checked(&self, handles: &[u32], timestamp: TimestampMs, values: &[f64]) -> Result<Appended> {
        if let Some(&greatest) = handles.iter().max() {
            self.check_handle(greatest)?;
        }
        let accepted = self.accepted_times();
        if !accepted.range.contains(timestamp) {
            self.count_out_of_range(accepted, timestamp, handles.len() as u64);
            return Ok(Appended::Accepted);
        }
        let Some((_, partition)) = self.table.partition_of(timestamp) else { return Ok(Appended::NeedsPreparation) };
        if self.is_generation_stale() {
            return Ok(Appended::NeedsPreparation);
        }
        let date = date_of(timestamp);
        let registered = registered_mark(date);
        let mut row_series = Vec::with_capacity(handles.len());
        let is_first_of_day;
        {
            let series = self.series.borrow();
            let (numbers, dates) = series.hot_columns();
            let mut all_known = true;
            for &handle in handles {
                let number = numbers[handle as usize];
                all_known &= number != UNRESOLVED && dates[handle as usize] == registered;
                row_series.push(number);
            }
            if !all_known && (row_series.contains(&UNRESOLVED) || !series.knows_day(date)) {
                return Ok(Appended::NeedsPreparation);
            }
            is_first_of_day = !all_known;
        }
        if is_first_of_day {
            for &handle in handles {
                self.register_day(handle, date, registered);
            }
        }
        if values.iter().any(|value| is_refused_nan(*value)) {
            let kept: Vec<usize> = (0..values.len()).filter(|row| !is_refused_nan(values[*row])).collect();
            self.ingested.borrow_mut().rejected_nan += (values.len() - kept.len()) as u64;
            let row_series: Vec<_> = kept.iter().map(|row| row_series[*row]).collect();
            let values: Vec<_> = kept.iter().map(|row| values[*row]).collect();
            partition.add_scrape(&row_series, timestamp, &values);
            self.ingested.borrow_mut().rows += values.len() as u64;
        } else {
            partition.add_scrape(&row_series, timestamp, values);
            self.ingested.borrow_mut().rows += values.len() as u64;
        }
        if self.late.may_be_late(timestamp) {
            for &handle in handles {
                self.note_late(handle, TimeRange { min: timestamp, max: timestamp });
            }
        }
        Ok(Appended::Accepted)
    }

    /// Appends samples of one series, whatever has to be looked up or created first. Returns what was refused.
    /// Rows that [`Storage::try_append`] has let in so far are not counted again as waiting.
    ///
    /// # Errors
    /// `Invalid` for an unknown handle; what storage says.
    pub async fn append_run(&self, handle: u32, timestamps: &[i64], values: &[f64]) -> Result<IngestCounters> {
        loop {
            let (appended, refused) = self.counting_refused(|| self.append_checked(handle, timestamps, values))?;
            if appended == Appended::Accepted {
                return Ok(refused);
            }
            let _wait = self.let_wait(&[handle], timestamps, values);
            self.prepare(&[handle], timestamps, self.accepted_times().range).await?;
        }
    }

    /// Appends one sample to each of many series, whatever has to be looked up or created first. Returns what was refused.
    ///
    /// # Errors
    /// `Invalid` for an unknown handle; what storage says.
    pub async fn append_row(&self, handles: &[u32], timestamp: TimestampMs, values: &[f64]) -> Result<IngestCounters> {
        loop {
            let (appended, refused) = self.counting_refused(|| self.append_row_checked(handles, timestamp, values))?;
            if appended == Appended::Accepted {
                return Ok(refused);
            }
            let _wait = self.let_wait(handles, &[timestamp], values);
            self.prepare(handles, &[timestamp], self.accepted_times().range).await?;
            self.register_day_of_all(handles, timestamp).await;
        }
    }

    /// Writes the day of many series here, where it can be cut into slices, so that the attempt behind it finds nothing left to write.
    async fn register_day_of_all(&self, handles: &[u32], timestamp: TimestampMs) {
        let date = date_of(timestamp);
        for &handle in handles {
            // While others had their turn, what was prepared may have been forgotten.
            let is_prepared = !self.is_generation_stale() && {
                let series = self.series.borrow();
                series.knows_day(date) && series.row_series(handle) != UNRESOLVED
            };
            if !is_prepared {
                return;
            }
            self.register_day(handle, date, registered_mark(date));
            self.context.spend(DAY_UNITS).await;
        }
    }

    /// What a synchronous call refuses. Over an await the counters would count what others bring meanwhile, too.
    #[inline]
    fn counting_refused(&self, append: impl FnOnce() -> Result<Appended>) -> Result<(Appended, IngestCounters)> {
        let before = self.ingest_counters();
        let appended = append()?;
        Ok((appended, self.ingested.borrow().refused_since(before)))
    }

    /// Appends rows of many series and instants, given as columns. Returns what was refused.
    ///
    /// # Errors
    /// `Invalid` for an unknown handle; `Quota` or what else the storage says when it takes nothing and too much waits for it. How much
    /// was taken before is told.
    pub async fn append_columns(
        &self,
        handles: &[u32],
        timestamps: &[i64],
        values: &[f64],
    ) -> std::result::Result<IngestCounters, Halted> {
        self.check_backlog(handles.len()).map_err(|error| Halted { taken_rows: 0, error })?;
        let mut refused = IngestCounters::default();
        let mut from = 0;
        while from < handles.len() {
            let taken_rows = from as u64 - refused.rejected();
            let halted = |error| Halted { taken_rows, error };
            // Neighbours of one instant or of one series go together: scrapes and exports consist of little else.
            let rest = from + 1..handles.len();
            let same_instant = rest.clone().take_while(|row| timestamps[*row] == timestamps[from]).count();
            let same_series = rest.take_while(|row| handles[*row] == handles[from]).count();
            if same_instant >= same_series {
                let to = from + 1 + same_instant;
                let of_row = self.append_row(&handles[from..to], timestamps[from], &values[from..to]).await;
                refused.add_refused(of_row.map_err(halted)?);
                from = to;
            } else {
                let to = from + 1 + same_series;
                let of_run = self.append_run(handles[from], &timestamps[from..to], &values[from..to]).await;
                refused.add_refused(of_run.map_err(halted)?);
                from = to;
            }
        }
        Ok(refused)
    }

    /// Whether writers should wait for the flush to catch up.
    pub fn is_behind(&self) -> bool {
        self.table.pending_conversion_rows() > PENDING_SHARDS_LIMIT * self.table.max_rows_per_shard()
    }

    /// Waits until the flush has caught up.
    pub async fn wait_for_room(&self) {
        if !self.is_behind() {
            return;
        }
        let _passage = self.waiting_for_room.enter(&self.context).await;
        while self.is_behind() {
            let Some(partition) =
                self.table.partitions().into_iter().max_by_key(|partition| partition.pending_conversion_rows())
            else {
                return;
            };
            let seen = partition.changed().version();
            if partition.pending_conversion_rows() > 0 {
                self.context.changed(partition.changed(), seen).await;
            }
        }
    }

    fn check_handle(&self, handle: u32) -> Result<()> {
        if self.series.borrow().contains(handle) {
            return Ok(());
        }
        Err(Error::invalid(format!("{handle} is no series handle of this database; get one with series()")))
    }

    /// The instants whose samples are stored.
    pub(super) fn accepted_range(&self) -> TimeRange {
        self.accepted_times().range
    }

    pub(super) fn accepted_times(&self) -> AcceptedTimes {
        let now = self.context.now();
        AcceptedTimes {
            range: TimeRange {
                min: (now - self.options.retention_ms).max(0),
                // Behind it there is no month that a sample could go to.
                max: now.saturating_add(FUTURE_LIMIT_MS).min(MAX_TIMESTAMP_MS),
            },
        }
    }

    fn count_out_of_range(&self, accepted: AcceptedTimes, timestamp: TimestampMs, rows: u64) {
        let mut refused = IngestCounters::default();
        refused.count_out_of_range(accepted, timestamp, rows);
        self.ingested.borrow_mut().add_refused(refused);
    }

    fn is_generation_stale(&self) -> bool {
        self.series.borrow().generation() != self.index.generation()
    }

    /// Makes sure that the index has the series on each day of `timestamps`, which lie in `span`. False when something has to be
    /// looked up first.
    fn are_days_registered(&self, handle: u32, timestamps: &[i64], span: TimeRange) -> bool {
        if self.is_generation_stale() {
            return false;
        }
        let (first_date, last_date) = (date_of(span.min), date_of(span.max));
        if first_date == last_date {
            let registered = registered_mark(first_date);
            {
                let series = self.series.borrow();
                let (numbers, dates) = series.hot_columns();
                // A series is resolved before any day of it is registered.
                if dates[handle as usize] == registered {
                    return true;
                }
                if numbers[handle as usize] == UNRESOLVED || !series.knows_day(first_date) {
                    return false;
                }
            }
            self.register_day(handle, first_date, registered);
            return true;
        }
        let dates = days_of(timestamps);
        {
            let series = self.series.borrow();
            if series.row_series(handle) == UNRESOLVED || !dates.iter().all(|date| series.knows_day(*date)) {
                return false;
            }
        }
        for date in dates {
            self.register_day(handle, date, registered_mark(date));
        }
        true
    }

    /// Writes the per-day items of a resolved series, unless the index has them.
    #[inline]
    pub(super) fn register_day(&self, handle: u32, date: u64, registered: u32) {
        let mut series = self.series.borrow_mut();
        if series.hot_columns().1[handle as usize] == registered {
            return;
        }
        if series.is_new_on_day(handle, date)
            && let Some(tsid) = series.tsid(handle)
        {
            self.index.register_date(date, tsid.metric_id, &series.name(handle));
        }
    }

    /// Looks up or creates series, loads the days and opens the partitions of the timestamps in `range`, until the `try_` half can
    /// succeed.
    pub(super) async fn prepare(&self, handles: &[u32], timestamps: &[i64], range: TimeRange) -> Result<()> {
        let is_accepted = |timestamp: &i64| range.contains(*timestamp);
        // Not inside, as that may take as long as somebody searches, and other months have nothing to do with it.
        for month in distinct(timestamps.iter().copied().filter(is_accepted).map(PartitionName::of)) {
            self.table.wait_until_left(month).await?;
        }
        let _passage = self.preparing.enter(&self.context).await;
        if self.is_generation_stale() {
            // A rotation or a deletion: names must be looked up again, which also carries them into the current generation.
            self.index.make_searchable().await?;
            self.series.borrow_mut().unresolve_all(self.index.generation());
        }
        for &handle in handles {
            if self.series.borrow().row_series(handle) != UNRESOLVED {
                continue;
            }
            let name = self.series.borrow().name(handle);
            let tsid = match self.index.tsid_by_name(&name).await? {
                Some(tsid) => tsid,
                None => self.index.register_series(&name)?,
            };
            self.series.borrow_mut().resolve(handle, tsid);
            self.context.spend(SERIES_UNITS).await;
        }
        let accepted = || timestamps.iter().copied().filter(|timestamp| range.contains(*timestamp));
        let dates = distinct(accepted().map(date_of));
        self.series.borrow_mut().trim_days(&dates);
        for &date in &dates {
            if !self.series.borrow().knows_day(date) {
                let metric_ids = self.index.metric_ids_of_date(date).await?;
                self.series.borrow_mut().remember_day(date, metric_ids);
            }
        }
        for month in distinct(accepted().map(PartitionName::of)) {
            // One that was dropped in the meantime is waited for when the rows are tried again.
            if !self.table.is_leaving(month) {
                self.table.open_partition(month).await?;
            }
        }
        Ok(())
    }
}

/// The distinct values among many, in order. Neighbours are mostly equal, so that few are kept to be sorted.
fn distinct<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if found.last() != Some(&value) {
            found.push(value);
        }
    }
    found.sort();
    found.dedup();
    found
}
