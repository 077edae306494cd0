//! From stored samples to rows: series are read a batch at a time, in the order in which they lie, rolled, and handed on.

use super::rolling::{Rolling, Sink};
use super::run::Run;
use super::trace::{TraceFigures, TraceKind};
use super::{RawSeries, stored_range};
use crate::error::{Error, Result};
use crate::query::aggregate::Aggregate;
use crate::query::language;
use crate::query::language::ast::{Matcher, Node};
use crate::query::plan::{Leaf, Plan};
use crate::query::rollup::Parameter;
use crate::query::series::grid::Grid;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use crate::storage::search::{FoundSeries, Samples};
use crate::time::TimeRange;
use std::rc::Rc;

/// Samples that one batch should have.
const BATCH_SAMPLES: u64 = 256 << 10;
/// Series of the first batch, before it is known how many samples a series has.
const FIRST_BATCH: usize = 16;

impl Run {
    /// The rows of a leaf whose windows end at these instants.
    pub(super) async fn leaf(
        &mut self,
        plan: &Plan,
        leaf: &Leaf,
        grid: Grid,
        parameters: (Vec<Parameter>, Vec<String>),
    ) -> Result<Vec<Row>> {
        let (numbers, texts) = parameters;
        let mut rolling = Rolling::new(&leaf.windowed, grid, self.dialect, self.lookback_ms, numbers, &texts)?;
        let (min, max) = rolling.call.read_range(&grid);
        let range = stored_range(min, max);
        let series = self.find(&leaf.matchers, range).await?;
        let found = self.tracer.begin();
        let mut sink = match leaf.fold.map(|id| plan.expression.node(id).clone()) {
            Some(Node::Aggregate { operator, grouping, limit, .. }) => {
                let folder = Aggregate::by_name(&operator, self.dialect)
                    .and_then(|aggregate| aggregate.folder(grouping, limit, grid.points));
                let folder = folder.ok_or_else(|| Error::internal(format!("{operator} takes no rows one by one")))?;
                Sink::folding(folder, self.surround())
            }
            _ => Sink::of_rows(self.surround()),
        };
        let mut scan = Scan::new(self, &series, range);
        let mut rolled = 0;
        while let Some(batch) = scan.next(self).await? {
            for (found, Samples { timestamps, mut values }) in batch {
                rolled += 1;
                rolling.roll(self.surround(), &labels_of(found), &timestamps, &mut values, &mut sink).await?;
            }
        }
        if let Some(gaps) = &self.gaps {
            gaps.see_all(series.len(), rolled);
        }
        let rows = sink.finish();
        let rolling_ms = self.tracer.since(found) - scan.reading_ms;
        scan.end(self);
        let figures =
            TraceFigures { rows: Some(rows.len() as u64), points: Some(grid.points as u64), ..TraceFigures::default() };
        self.tracer.note(rolling_ms, TraceKind::Roll, || leaf.windowed.rollup.clone(), figures);
        Ok(rows)
    }

    /// The raw samples of an instant query that is nothing but a window, which is open at its beginning.
    pub(super) async fn raw_samples(
        &mut self,
        matchers: &[Vec<Matcher>],
        after_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<RawSeries>> {
        let first_ms = after_ms + 1;
        let range = stored_range(first_ms, until_ms);
        let series = self.find(matchers, range).await?;
        let mut found = Vec::new();
        let mut scan = Scan::new(self, &series, range);
        while let Some(batch) = scan.next(self).await? {
            found.extend(batch.map(|(series, Samples { timestamps, values })| RawSeries {
                labels: labels_of(series),
                timestamps,
                values,
            }));
        }
        scan.end(self);
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(found)
    }

    async fn find(&mut self, matchers: &[Vec<Matcher>], range: TimeRange) -> Result<Vec<FoundSeries>> {
        let beginning = self.tracer.begin();
        // As on the server `{}` stands for nothing: a variable that is empty must not read all there is.
        if matchers.iter().all(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let matchers = &language::both(matchers, &self.extra_filters)?;
        self.storage.context().spend(matchers.iter().map(Vec::len).sum::<usize>() as u64).await;
        let filters = language::tag_filters(matchers, self.dialect)?;
        let series = self.storage.find_series(&filters, range, self.limits.series).await?;
        self.series_found += series.len() as u64;
        let figures = TraceFigures { series: Some(series.len() as u64), ..TraceFigures::default() };
        self.tracer.end(beginning, TraceKind::Find, || language::print_matchers(matchers), figures);
        Ok(series)
    }
}

/// Series that are read a batch at a time, in the order in which their blocks lie.
struct Scan<'a> {
    in_order: Vec<&'a FoundSeries>,
    range: TimeRange,
    next: usize,
    /// How many series the next batch has.
    batch_series: usize,
    /// How long reading has taken so far, where that is traced.
    reading_ms: f64,
    /// Blocks, bytes and rows that the query had read before.
    before: (u64, u64, u64),
}

impl<'a> Scan<'a> {
    fn new(run: &Run, series: &'a [FoundSeries], range: TimeRange) -> Self {
        let mut in_order: Vec<&FoundSeries> = series.iter().collect();
        in_order.sort_by_key(|found| found.tsids.first().copied());
        let before = (run.reading.blocks, run.reading.bytes, run.reading.rows);
        Self { in_order, range, next: 0, batch_series: FIRST_BATCH, reading_ms: 0.0, before }
    }

    /// The series of the next batch that have samples; nothing at the end.
    async fn next(
        &mut self,
        run: &mut Run,
    ) -> Result<Option<impl Iterator<Item = (&'a FoundSeries, Samples)> + use<'a>>> {
        run.deadline.check()?;
        let end = (self.next + self.batch_series).min(self.in_order.len());
        let wanted = self.in_order[self.next..end].to_vec();
        if wanted.is_empty() {
            return Ok(None);
        }
        self.next = end;
        let beginning = run.tracer.begin();
        let samples = run.storage.read_in(&run.view, &wanted, self.range, &mut run.reading).await?;
        self.reading_ms += run.tracer.since(beginning);
        self.learn(&samples);
        Ok(Some(wanted.into_iter().zip(samples).filter(|(_, samples)| !samples.is_empty())))
    }

    /// Takes down what was read.
    fn end(self, run: &mut Run) {
        if !run.tracer.is_on() {
            return;
        }
        let (blocks, bytes, samples) = self.before;
        let figures = TraceFigures {
            parts: Some(run.view.parts_in(self.range) as u64),
            blocks: Some(run.reading.blocks - blocks),
            bytes: Some(run.reading.bytes - bytes),
            samples: Some(run.reading.rows - samples),
            ..TraceFigures::default()
        };
        run.tracer.note(self.reading_ms, TraceKind::Read, String::new, figures);
    }

    /// How many series fit into the next batch, by the samples of those that were read.
    fn learn(&mut self, samples: &[Samples]) {
        let read: u64 = samples.iter().map(|samples| samples.len() as u64).sum();
        let per_series = (read / samples.len().max(1) as u64).max(1);
        self.batch_series = (BATCH_SAMPLES / per_series).clamp(1, 4 * self.batch_series as u64) as usize;
    }
}

/// A series' labels as rows have them.
pub(super) fn labels_of(found: &FoundSeries) -> Labels {
    let text = |bytes: &[u8]| Rc::<str>::from(String::from_utf8_lossy(bytes));
    Labels::new(found.name.labels().map(|(name, value)| (text(name), text(value))))
}
