//! From filters to series and samples.

use super::ReadCounters;
use super::Storage;
use crate::block::dedup::Dedup;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::filter::TagFilter;
use crate::metric::name::MetricName;
use crate::metric::tsid::Tsid;
pub use crate::part::search::{Reading, Samples};
use crate::partition::Partition;
use crate::partition::parts::PartList;
use crate::runtime::sorted_by;
use crate::time::TimeRange;
use std::rc::Rc;

/// How many series one search may find, as the server's `-search.maxUniqueTimeseries` has it.
pub const MAX_SERIES: usize = 300_000;

/// How many samples one search may read; at 16 bytes a sample this is what a tab can hold.
pub const MAX_SAMPLES: u64 = 100_000_000;

/// Key and value, which sort as bytes.
type Label = (Vec<u8>, Vec<u8>);

/// A series that matched.
#[derive(Clone, Debug)]
pub struct FoundSeries {
    /// Its name.
    pub name: Rc<MetricName>,
    /// Its TSIDs, in order: usually one, several when it was created twice (index-format §4).
    pub tsids: Vec<Tsid>,
}

/// What there is to read at one instant. Whoever holds it reads the same samples again, whatever is flushed or merged meanwhile.
pub struct View {
    parts: Vec<(Rc<PartList>, Rc<Partition>)>,
    range: TimeRange,
}

impl View {
    /// How many of its parts have samples in a range, of whatever series.
    pub fn parts_in(&self, range: TimeRange) -> usize {
        let entries = self.parts.iter().flat_map(|(parts, _)| parts.iter());
        entries.filter(|entry| entry.part().header().range().overlaps(&range)).count()
    }
}

impl Storage {
    /// The series that pass all filters of one of the lists and have samples on a day of `range`, sorted by labels.
    ///
    /// # Errors
    /// `Limit` for more than `limit` series; what storage says.
    pub async fn find_series(
        &self,
        filter_lists: &[Vec<TagFilter>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<FoundSeries>> {
        let range = self.searchable(range);
        let mut tsids = Vec::new();
        for filters in filter_lists {
            tsids.extend(self.index.search_tsids(filters, range, limit).await?);
        }
        if filter_lists.len() > 1 {
            tsids = sorted_by(&self.context, tsids, Tsid::cmp).await;
            tsids.dedup();
            if tsids.len() > limit {
                let message = format!("{} series match, which is more than the {limit} that are allowed", tsids.len());
                return Err(Error::new(ErrorKind::Limit, message));
            }
        }
        let metric_ids: Vec<u64> = tsids.iter().map(|tsid| tsid.metric_id).collect();
        let names = self.index.metric_names(&metric_ids).await?;
        // The names, and their labels twice, to be sorted by and to be handed out.
        let mut memory = self.context.memory().share();
        let mut found: Vec<(Vec<Label>, Rc<MetricName>, Tsid)> = Vec::with_capacity(tsids.len());
        for (tsid, name) in tsids.into_iter().zip(names) {
            // A name can be missing after a crash in the midst of its creation; the server skips such series too.
            let Some(name) = name else { continue };
            memory.grow(3 * name.memory_bytes() as u64)?;
            self.context.spend(30).await;
            let mut labels: Vec<Label> = name.labels().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            labels.sort();
            found.push((labels, name, tsid));
        }
        let found = sorted_by(&self.context, found, |a, b| a.0.cmp(&b.0)).await;
        let mut series: Vec<FoundSeries> = Vec::with_capacity(found.len());
        let mut last_labels = Vec::new();
        for (labels, name, tsid) in found {
            self.context.spend(5).await;
            match series.last_mut() {
                Some(last) if labels == last_labels => last.tsids.push(tsid),
                _ => {
                    series.push(FoundSeries { name, tsids: vec![tsid] });
                    last_labels = labels;
                }
            }
        }
        Ok(series)
    }

    /// The parts of this instant that may have samples in `range`.
    pub fn view(&self, range: TimeRange) -> View {
        let range = self.searchable(range);
        let partitions = self.table.partitions_in(range);
        View { parts: partitions.into_iter().map(|partition| (partition.parts(), partition)).collect(), range }
    }

    /// The samples of all `series` in `range`, in their order.
    ///
    /// # Errors
    /// `Corrupt` where stored bytes break the format's rules; what storage says.
    pub async fn read_all(&self, series: &[FoundSeries], range: TimeRange) -> Result<Vec<Samples>> {
        self.read_held(series, range).await.map(|(samples, _)| samples)
    }

    /// As [`Storage::read_all`], with what holds the samples' memory until it is dropped.
    ///
    /// # Errors
    /// As [`Storage::read_all`].
    pub async fn read_held(&self, series: &[FoundSeries], range: TimeRange) -> Result<(Vec<Samples>, Reading)> {
        let mut reading = Reading::with_budget(MAX_SAMPLES);
        let wanted: Vec<&FoundSeries> = series.iter().collect();
        let samples = self.read_in(&self.view(range), &wanted, range, &mut reading).await?;
        self.note_read(series.len(), &reading, samples.iter().map(|samples| samples.len() as u64).sum());
        Ok((samples, reading))
    }

    /// Cuts the time in which a series has samples into pieces of about `rows` samples, so that each can be read by itself; the
    /// first piece comes first, and together they are `range`. De-duplication finds the same in pieces as in the whole.
    ///
    /// # Errors
    /// As [`Storage::read_in`].
    pub async fn pieces(
        &self,
        view: &View,
        series: &FoundSeries,
        range: TimeRange,
        rows: u64,
    ) -> Result<Vec<TimeRange>> {
        let mut ends: Vec<(i64, u64)> = Vec::new();
        for (parts, partition) in &view.parts {
            for block in partition.find_blocks(parts, &series.tsids, range).await? {
                ends.push((block.header.max_timestamp, u64::from(block.header.rows_count)));
            }
        }
        let ends = sorted_by(&self.context, ends, |a, b| a.cmp(b)).await;
        let interval_ms = self.options.dedup_interval_ms.max(1);
        let mut pieces = Vec::new();
        let (mut start, mut gathered) = (range.min, 0);
        for (end, block_rows) in ends {
            gathered += block_rows;
            // An interval of de-duplication ends with the multiple, which is part of it.
            let end = end.saturating_add(interval_ms - 1).div_euclid(interval_ms).saturating_mul(interval_ms);
            if gathered >= rows && end >= start && end < range.max {
                pieces.push(TimeRange { min: start, max: end });
                (start, gathered) = (end + 1, 0);
            }
        }
        pieces.push(TimeRange { min: start, max: range.max });
        Ok(pieces)
    }

    /// The samples of `series` in `range`, as far as the view reaches, in their order.
    ///
    /// # Errors
    /// `Corrupt` where stored bytes break the format's rules, `Limit` when the budget is used up; what storage says.
    pub async fn read_in(
        &self,
        view: &View,
        series: &[&FoundSeries],
        range: TimeRange,
        reading: &mut Reading,
    ) -> Result<Vec<Samples>> {
        let range = TimeRange { min: range.min.max(view.range.min), max: range.max.min(view.range.max) };
        // Partitions are read in the order of TSIDs, since that is how their files lie.
        let mut order: Vec<(Tsid, u32)> = Vec::with_capacity(series.len());
        for (position, found) in series.iter().enumerate() {
            order.extend(found.tsids.iter().map(|tsid| (*tsid, position as u32)));
            self.context.spend(2).await;
        }
        let order = sorted_by(&self.context, order, |a, b| a.cmp(b)).await;
        let tsids: Vec<Tsid> = order.iter().map(|(tsid, _)| *tsid).collect();
        let mut by_tsid: Vec<Samples> = vec![Samples::default(); tsids.len()];
        for (parts, partition) in &view.parts {
            partition.search(parts, &tsids, range, reading, &mut by_tsid).await?;
        }
        let mut samples: Vec<Samples> = vec![Samples::default(); series.len()];
        for (of_tsid, (_, position)) in by_tsid.into_iter().zip(&order) {
            let into = &mut samples[*position as usize];
            self.context.spend(2).await;
            if into.is_empty() {
                *into = of_tsid;
            } else {
                into.timestamps.extend_from_slice(&of_tsid.timestamps);
                into.values.extend_from_slice(&of_tsid.values);
                into.sort_from(0);
                self.context.spend(into.len() as u64 / 4).await;
            }
        }
        let interval_ms = self.options.dedup_interval_ms;
        if interval_ms > 0 {
            for Samples { timestamps, values } in &mut samples {
                self.context.spend(timestamps.len() as u64 / 4 + 2).await;
                Dedup { interval_ms }.floats(timestamps, values);
            }
        }
        Ok(samples)
    }

    /// Takes down what a reading has cost.
    pub fn note_read(&self, series: usize, reading: &Reading, samples: u64) {
        self.last_read.set(Some(ReadCounters {
            series: series as u64,
            parts: reading.parts,
            blocks: reading.blocks,
            rows: reading.rows,
            bytes: reading.bytes,
            samples,
        }));
    }

    /// Label names of the series that pass all filters of one of the lists (of all series where a list has none), sorted.
    ///
    /// # Errors
    /// `Limit` when more than [`MAX_SERIES`] series pass the filters of a list, or the names take too much memory; what storage says.
    pub async fn label_names(&self, filter_lists: &[Vec<TagFilter>], range: TimeRange) -> Result<Vec<String>> {
        let names = self.index.label_names(filter_lists, self.searchable(range), MAX_SERIES).await?;
        Ok(into_texts(names))
    }

    /// Values of one label over the series that pass all filters of one of the lists, sorted.
    ///
    /// # Errors
    /// As [`Storage::label_names`].
    pub async fn label_values(
        &self,
        label: &str,
        filter_lists: &[Vec<TagFilter>],
        range: TimeRange,
    ) -> Result<Vec<String>> {
        let range = self.searchable(range);
        let values = self.index.label_values(label.as_bytes(), filter_lists, range, MAX_SERIES).await?;
        Ok(into_texts(values))
    }

    /// The oldest samples that the retention has left.
    pub fn oldest_ms(&self) -> i64 {
        (self.context.now() - self.options.retention_ms).max(0)
    }

    /// Of the samples of a series in one such interval only the last is kept; 0 keeps all.
    pub fn dedup_interval_ms(&self) -> i64 {
        self.options.dedup_interval_ms
    }

    /// The part of `range` that the retention has left.
    fn searchable(&self, range: TimeRange) -> TimeRange {
        let oldest = self.oldest_ms();
        TimeRange { min: range.min.max(oldest), max: range.max.min(crate::time::MAX_TIMESTAMP_MS) }
    }
}

/// Bytes that are no UTF-8 appear as U+FFFD, which may make two texts one.
fn into_texts(sorted: Vec<Vec<u8>>) -> Vec<String> {
    let mut texts: Vec<String> = sorted.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}
