//! Queries over stored samples: a plan's steps are carried out one after the other, each as far as its turn allows.

mod deadline;
pub mod envelope;
mod held;
pub mod latest;
mod leaf;
mod limits;
mod rolling;
mod run;
mod trace;

pub use held::{Held, Standing, Steady};
pub use limits::Limits;
pub use trace::{StandingStill, Stopwatch, Trace, TraceFigures, TraceKind};

use crate::error::{Error, ErrorKind, Result};
use crate::query::aggregate::Aggregate;
use crate::query::call::TimeZones;
use crate::query::dialect::Dialect;
use crate::query::finish::Order;
use crate::query::language;
use crate::query::language::ast::{Expression, Matcher, Node};
use crate::query::plan::are_scalars;
use crate::query::series::grid::Grid;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use crate::query::transform::Transform;
use crate::storage::Storage;
use crate::storage::search::Reading;
use crate::time::TimeRange;
use deadline::Deadline;
use run::{Run, Value};
use serde::Serialize;
use std::rc::Rc;
use trace::Tracer;

/// The step of an instant query, and of PromQL's subqueries that name none.
pub const INSTANT_STEP_MS: i64 = 300_000;
const DEFAULT_SUBQUERY_STEP_MS: i64 = 60_000;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// The expression.
    pub text: String,
    /// The language it is written in.
    pub dialect: Dialect,
    /// Of which one must hold for all series, beside what their selectors say; nothing where it is empty.
    pub extra_filters: Vec<Vec<Matcher>>,
    /// For which instants.
    pub times: Times,
    /// How old a selector's newest sample may be; without it the language's own rule holds.
    pub lookback_ms: Option<i64>,
    /// Whether what waits in shards is made searchable first.
    pub is_fresh: bool,
    /// Whether the answer tells what was done for it.
    pub is_traced: bool,
    /// Whether it will be asked again, of a range that has moved on.
    pub is_followed: bool,
    /// What the asker has already of a range that is followed; only what may have changed since is evaluated.
    pub held: Option<Held>,
    /// How much work it may take.
    pub limits: Limits,
}

/// The instants of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// One instant, in milliseconds. MetricsQL's implicit windows follow the step.
    Instant {
        /// When.
        time_ms: i64,
        /// The step, where one is given.
        step_ms: Option<i64>,
    },
    /// `start`, `start + step`, … up to `end`, in milliseconds.
    Range {
        /// The first instant.
        start_ms: i64,
        /// None is later.
        end_ms: i64,
        /// From one to the next; more than 0.
        step_ms: i64,
    },
}

/// What a query has found.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// The values.
    pub data: QueryData,
    /// What may be wrong with the answer.
    pub warnings: Vec<String>,
    /// What may be wrong with the question.
    pub infos: Vec<String>,
    /// What it took.
    pub stats: QueryStats,
    /// What was done for it, if that was asked.
    pub trace: Option<Trace>,
    /// What to ask again with.
    pub standing: Standing,
    /// So many instants, from the first one on, are as the asker holds them already. The rows are those of all others.
    pub kept_points: usize,
}

/// The values of a query.
#[derive(Clone, Debug)]
pub enum QueryData {
    /// Rows over the instants; an instant query has one.
    Rows {
        /// The instants.
        grid: Grid,
        /// The rows.
        rows: Vec<Row>,
    },
    /// The samples of an instant query that is nothing but a window.
    Matrix(Vec<RawSeries>),
    /// One number.
    Scalar(f64),
    /// A string.
    Text(String),
}

/// Samples of one series.
#[derive(Clone, Debug)]
pub struct RawSeries {
    /// Its labels.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// One for each.
    pub values: Vec<f64>,
}

impl RawSeries {
    /// What it takes of the memory.
    pub fn memory_bytes(&self) -> u64 {
        (size_of::<Self>() + 16 * self.timestamps.len() + self.labels.memory_bytes()) as u64
    }
}

/// What answering took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryStats {
    /// Series found.
    pub series: u64,
    /// Samples decoded.
    pub samples: u64,
    /// Blocks decoded.
    pub blocks: u64,
    /// Stored bytes read.
    pub bytes: u64,
}

impl QueryStats {
    fn of(series: u64, reading: &Reading) -> Self {
        Self { series, samples: reading.rows, blocks: reading.blocks, bytes: reading.bytes }
    }
}

impl Times {
    fn grid(self, limits: &Limits) -> Result<Grid> {
        match self {
            Self::Instant { time_ms, step_ms } => {
                let step_ms = step_ms.unwrap_or(INSTANT_STEP_MS);
                if step_ms < 1 {
                    return Err(Error::invalid("zero or negative query resolution step widths are not accepted"));
                }
                Ok(Grid::new(time_ms, step_ms, 1))
            }
            Self::Range { start_ms, end_ms, step_ms } => {
                if step_ms < 1 {
                    return Err(Error::invalid(
                        "zero or negative query resolution step widths are not accepted. Try a positive integer",
                    ));
                }
                if end_ms < start_ms {
                    return Err(Error::invalid("end timestamp must not be before start time"));
                }
                let points = (end_ms.saturating_sub(start_ms) / step_ms) as u64 + 1;
                if points > limits.points as u64 {
                    let message = format!(
                        "the range has {points} instants, more than the {} that are allowed; take a step of at least {} ms",
                        limits.points,
                        end_ms.saturating_sub(start_ms) / limits.points as i64 + 1
                    );
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                let grid = Grid::new(start_ms, step_ms, points as usize);
                Ok(Grid { beyond_ms: end_ms - grid.end_ms(), ..grid })
            }
        }
    }
}

/// What is said of an expression whose value can't be told for each instant of a range.
fn not_for_ranges(kind: &str) -> Error {
    Error::wrong_type(format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"))
}

/// What queries know beside what is stored.
#[derive(Clone)]
pub struct Surroundings {
    /// The zones of the world.
    pub zones: Rc<dyn TimeZones>,
    /// What tells when a query has taken too long, and times the steps of one that is traced.
    pub stopwatch: Rc<dyn Stopwatch>,
}

/// Answers a query.
///
/// # Errors
/// `Invalid` for an expression that can't be read or computed, `Limit` for one that takes more than it may; what storage says.
pub async fn query(storage: &Rc<Storage>, query: &Query, surroundings: Surroundings) -> Result<QueryResult> {
    let grid = query.times.grid(&query.limits)?;
    let mut tracer = Tracer::new(query.is_traced.then(|| surroundings.stopwatch.clone()));
    let whole = tracer.begin();
    let expression = language::parse(&query.text, query.dialect)?;
    tracer.end(whole, TraceKind::Parse, String::new, TraceFigures::default());
    // Of before all that is read: what comes meanwhile is evaluated once more by who asks again.
    let mark = storage.context().arrivals().mark();
    if query.is_fresh {
        let flush = tracer.begin();
        storage.flush().await?;
        tracer.end(flush, TraceKind::Flush, String::new, TraceFigures::default());
    }
    let deadline = Deadline::begin(surroundings.stopwatch, query.limits.timeout_ms);
    let mut share = held::share_of(storage, query, &expression, grid);
    loop {
        let kept_points = share.kept_points;
        if kept_points == grid.points {
            let steady = query.held.and_then(|held| held.standing.steady);
            return Ok(held::nothing_new(grid, Standing { mark, steady }));
        }
        let left = Grid { start_ms: grid.at(kept_points), points: grid.points - kept_points, ..grid };
        let (zones, deadline) = (surroundings.zones.clone(), deadline.clone());
        let mut run = Run::new(storage.clone(), query, left, zones, tracer, deadline, share.watch);
        let data = data_of(&mut run, query, &expression, left).await?;
        // What was kept would be another one in the whole.
        if kept_points > 0 && run.gaps.as_ref().is_some_and(|gaps| !gaps.is_steady()) {
            tracer = run.tracer;
            share = held::share_of(storage, &Query { held: None, ..query.clone() }, &expression, grid);
            continue;
        }
        let steady = run.gaps.as_ref().and_then(|gaps| gaps.steady());
        return Ok(run.into_result(&query.text, whole, data, (Standing { mark, steady }, kept_points)));
    }
}

/// The values of an expression.
async fn data_of(run: &mut Run, query: &Query, expression: &Expression, grid: Grid) -> Result<QueryData> {
    let is_instant = matches!(query.times, Times::Instant { .. });
    if expression.is_window() {
        if is_instant {
            return run.window(expression, grid).await.map(QueryData::Matrix);
        }
        if query.dialect == Dialect::PromQl {
            return Err(not_for_ranges("range vector"));
        }
    }
    let is_scalar = are_scalars(expression, query.dialect).last().copied().unwrap_or(false);
    let order = order_of(expression, query.dialect, is_instant);
    match run.evaluate(expression.clone(), grid).await? {
        Value::Text(text) if is_instant => Ok(QueryData::Text(text)),
        Value::Text(_) | Value::Texts(_) => Err(not_for_ranges("string")),
        Value::Rows(rows) if is_instant && is_scalar && query.dialect == Dialect::PromQl => {
            let value = rows.first().and_then(|row| row.values.first()).copied();
            Ok(QueryData::Scalar(value.unwrap_or(f64::NAN)))
        }
        Value::Rows(rows) => {
            let finish = run.tracer.begin();
            let rows = run.finish(rows, order)?;
            let figures = TraceFigures { rows: Some(rows.len() as u64), ..TraceFigures::default() };
            run.tracer.end(finish, TraceKind::Finish, String::new, figures);
            Ok(QueryData::Rows { grid, rows })
        }
    }
}

/// Whether an expression puts its rows in order itself. PromQL sorts a range by labels all the same.
fn order_of(expression: &Expression, dialect: Dialect, is_instant: bool) -> Order {
    let has_order = match expression.node(expression.root()) {
        Node::Call { function, .. } => {
            Transform::by_name(function, dialect).is_some_and(|transform| transform.has_order())
        }
        Node::Aggregate { operator, .. } => {
            Aggregate::by_name(operator, dialect).is_some_and(|aggregate| aggregate.has_order())
        }
        _ => false,
    };
    if has_order && (is_instant || dialect == Dialect::MetricsQl) { Order::AsTheyAre } else { Order::Labels }
}

/// A range of which both ends are times that storage knows.
fn stored_range(min: i64, max: i64) -> TimeRange {
    TimeRange { min: min.max(0), max: max.min(crate::time::MAX_TIMESTAMP_MS) }
}
