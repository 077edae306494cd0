//! From one series' samples to its rows, as many instants at a time as a turn allows.

use super::held::GapWatch;
use super::limits::Limits;
use crate::error::{Error, Result};
use crate::query::aggregate::fold::Folder;
use crate::query::dialect::Dialect;
use crate::query::language::ast::Span;
use crate::query::plan::Windowed;
use crate::query::remarks::Remarks;
use crate::query::rollup::table::Rollup;
use crate::query::rollup::{FoundRows, Label, Parameter, RollupCall, RowsOf, Scratch};
use crate::query::series::grid::Grid;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use crate::runtime::{Context, MemoryShare};

/// Instants that are computed before others get their turn.
const STEPS_PER_SLICE: usize = 2_048;

/// What stands round a rollup: who gives it turns and memory, and who looks at what it does.
#[derive(Clone, Copy)]
pub(super) struct Surround<'a> {
    pub(super) context: &'a Context,
    pub(super) limits: Limits,
    /// Where the query is followed.
    pub(super) gaps: Option<&'a GapWatch>,
    pub(super) remarks: &'a Remarks,
}

/// A rollup that series are put through, one after the other.
pub(super) struct Rolling {
    pub(super) call: RollupCall,
    grid: Grid,
    dialect: Dialect,
    keeps_name: bool,
    scratch: Scratch,
    /// A column that the last row has given back.
    spare: Vec<f64>,
    /// What PromQL has to say of a call, and where that stands.
    check: Option<(Check, Span)>,
}

/// What is looked at in a rollup's calls.
enum Check {
    /// Whether the metric is called as counters are.
    Counter,
    /// Whether the quantiles are some.
    Quantiles(Parameter),
}

impl Rolling {
    pub(super) fn new(
        windowed: &Windowed,
        grid: Grid,
        dialect: Dialect,
        lookback_ms: Option<i64>,
        numbers: Vec<Parameter>,
        texts: &[String],
    ) -> Result<Self> {
        let name = &windowed.rollup;
        let rollup =
            Rollup::by_name(name, dialect).ok_or_else(|| Error::invalid(format!("unknown function {name:?}")))?;
        let check = match (dialect, name.as_str(), numbers.first()) {
            (Dialect::PromQl, "rate" | "increase", _) => Some((Check::Counter, windowed.first_argument)),
            (Dialect::PromQl, "quantile_over_time", Some(quantiles)) => {
                Some((Check::Quantiles(quantiles.clone()), windowed.first_argument))
            }
            _ => None,
        };
        let call = RollupCall::new(rollup, windowed.window_ms, lookback_ms, numbers, texts)?;
        let keeps_name = windowed.keep_metric_names || call.keeps_name();
        Ok(Self { call, grid, dialect, keeps_name, scratch: Scratch::default(), spare: Vec::new(), check })
    }

    /// Hands the rows of one series on. The values are taken as [`RollupCall::prepare`] does.
    pub(super) async fn roll(
        &mut self,
        surround: Surround<'_>,
        labels: &Labels,
        timestamps: &[i64],
        values: &mut Vec<f64>,
        sink: &mut Sink,
    ) -> Result<()> {
        let Surround { context, limits, gaps, remarks } = surround;
        let (call, grid, points) = (&self.call, &self.grid, self.grid.points);
        call.prepare(timestamps, values, grid, &mut self.scratch);
        if let Some(gaps) = gaps {
            gaps.see(call, grid, &self.scratch);
            context.spend((timestamps.len() + points) as u64 / 8).await;
        }
        context.spend(timestamps.len() as u64 / 8).await;
        let slices = (0..points).step_by(STEPS_PER_SLICE).map(|start| start..(start + STEPS_PER_SLICE).min(points));
        match call.rows() {
            RowsOf::Known(rows) => {
                for (number, label) in rows.iter().enumerate() {
                    let mut column = std::mem::take(&mut self.spare);
                    column.resize(points, f64::NAN);
                    for slice in slices.clone() {
                        let out = &mut column[slice.clone()];
                        call.roll_steps(number, grid, slice, &mut self.scratch, out);
                        context.spend((timestamps.len().min(points) + points) as u64 / 16 + 1).await;
                    }
                    let present = call.presence(&self.scratch, &column);
                    let mut row = Row { labels: labels.clone(), drop_name: false, values: column, present };
                    self.remark(remarks, labels, &row);
                    self.name(&mut row, label.as_ref());
                    self.spare = sink.take(row)?.unwrap_or_default();
                }
            }
            RowsOf::Found => {
                let mut found = FoundRows::default();
                for slice in slices {
                    call.find_rows(points, slice, &self.scratch, limits.values, &mut found)?;
                    context.spend((timestamps.len() + points) as u64 / 4 + 1).await;
                }
                for (label, column) in found.into_rows(call) {
                    let mut row = Row::new(labels.clone(), column);
                    self.name(&mut row, Some(&label));
                    sink.take(row)?;
                }
            }
        }
        Ok(())
    }

    /// Says what is odd about a series that has a value.
    fn remark(&self, remarks: &Remarks, labels: &Labels, row: &Row) {
        let Some((check, span)) = &self.check else { return };
        match check {
            _ if !row.has_values() => {}
            Check::Counter => remarks.check_counter(labels.get(NAME), *span),
            Check::Quantiles(quantiles) => {
                let points = if matches!(quantiles, Parameter::Same(_)) { 1 } else { self.grid.points };
                remarks.check_quantiles((0..points).map(|position| quantiles.at(position)), *span);
            }
        }
    }

    fn name(&self, row: &mut Row, label: Option<&Label>) {
        if let Some(label) = label {
            row.labels.set(&label.name, label.value.clone());
        }
        if !self.keeps_name {
            forget_name(row, self.dialect);
        }
    }
}

/// Where rows go, as far as there is room for them.
pub(super) struct Sink {
    kept: Kept,
    limits: Limits,
    memory: MemoryShare,
}

/// What becomes of rows.
enum Kept {
    Rows(Vec<Row>),
    Fold(Folder),
}

impl Sink {
    /// Keeps rows as they are.
    pub(super) fn of_rows(surround: Surround<'_>) -> Self {
        let memory = surround.context.memory().share();
        Self { kept: Kept::Rows(Vec::new()), limits: surround.limits, memory }
    }

    /// Keeps what they add up to.
    pub(super) fn folding(folder: Folder, surround: Surround<'_>) -> Self {
        Self { kept: Kept::Fold(folder), ..Self::of_rows(surround) }
    }

    /// Takes a row in; its column comes back if it is not needed any more.
    ///
    /// # Errors
    /// `Limit` for more values than may be held, or more memory than there is.
    pub(super) fn take(&mut self, row: Row) -> Result<Option<Vec<f64>>> {
        let points = row.values.len();
        match &mut self.kept {
            Kept::Rows(rows) => {
                self.limits.check_values(rows.len() + 1, points)?;
                self.memory.grow(row.memory_bytes())?;
                rows.push(row);
                Ok(None)
            }
            Kept::Fold(folder) => {
                let before = folder.len();
                folder.push_row(&row);
                if folder.len() > before {
                    self.limits.check_values(folder.len(), points)?;
                    self.memory.grow(folder.memory_bytes().saturating_sub(self.memory.bytes()))?;
                }
                Ok(Some(row.values))
            }
        }
    }

    pub(super) fn finish(self) -> Vec<Row> {
        match self.kept {
            Kept::Rows(rows) => rows,
            Kept::Fold(folder) => folder.finish(),
        }
    }
}

/// MetricsQL forgets a name at once; PromQL at the end, so that what reads it in between still sees it.
pub(super) fn forget_name(row: &mut Row, dialect: Dialect) {
    match dialect {
        Dialect::MetricsQl => row.labels.remove(NAME),
        Dialect::PromQl => row.drop_name = true,
    }
}
