//! A plan's steps, one after the other.

use super::deadline::Deadline;
use super::held::{GapWatch, Standing};
use super::limits::Limits;
use super::rolling::{Rolling, Sink, Surround, forget_name};
use super::trace::{Beginning, Trace, TraceFigures, TraceKind, Tracer};
use super::{DEFAULT_SUBQUERY_STEP_MS, Query, QueryData, QueryResult, QueryStats, RawSeries};
use crate::error::{Error, Result};
use crate::query::aggregate::Aggregate;
use crate::query::binary::{Binary, Side};
use crate::query::call::{Argument, Context, TimeZones};
use crate::query::dialect::Dialect;
use crate::query::finish::{Order, finish};
use crate::query::language::ast::{BinaryOperator, ExprId, Expression, Matcher, Node};
use crate::query::language::print;
use crate::query::plan::{Instants, Obstacle, Plan, Request, Windowed, Work, lower, window};
use crate::query::remarks::{CallRemarks, Remarks};
use crate::query::rollup::Parameter;
use crate::query::rollup::subquery::samples_of;
use crate::query::series::grid::Grid;
use crate::query::series::labels::Labels;
use crate::query::series::row::{Presence, Row};
use crate::query::transform::{Transform, labels_of_absent};
use crate::runtime::MemoryShare;
use crate::storage::Storage;
use crate::storage::search::{Reading, View};
use crate::time::TimeRange;
use std::pin::Pin;
use std::rc::Rc;

/// The most instants of a subquery, from its first window to its last: in MetricsQL those of the server. Prometheus bounds samples alone.
const MOST_METRICSQL_SUBQUERY_POINTS: usize = 100_000;
const MOST_PROMQL_SUBQUERY_POINTS: usize = 1_000_000;
/// Characters, and nodes, of an expression that a trace shows.
const MAX_TEXT: usize = 300;
/// The rollup that says something of all series together.
const ABSENT: &str = "absent_over_time";

/// What a step leaves for those behind it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Rows(Vec<Row>),
    Text(String),
    /// A list of nothing but strings, such as `aggr_over_time` takes.
    Texts(Vec<String>),
}

/// One query under way.
pub(super) struct Run {
    pub(super) storage: Rc<Storage>,
    /// All selectors of a query see the same samples.
    pub(super) view: View,
    pub(super) dialect: Dialect,
    pub(super) lookback_ms: Option<i64>,
    /// They hold for all selectors, but are no part of what is written in them.
    pub(super) extra_filters: Vec<Vec<Matcher>>,
    pub(super) limits: Limits,
    pub(super) deadline: Deadline,
    pub(super) reading: Reading,
    pub(super) series_found: u64,
    pub(super) tracer: Tracer,
    /// Looks at the series of selectors where the query is followed.
    pub(super) gaps: Option<GapWatch>,
    /// What PromQL says of the query beside its values.
    pub(super) remarks: Remarks,
    start_ms: i64,
    end_ms: i64,
    now_ms: i64,
    zones: Rc<dyn TimeZones>,
}

impl Run {
    pub(super) fn new(
        storage: Rc<Storage>,
        query: &Query,
        grid: Grid,
        zones: Rc<dyn TimeZones>,
        tracer: Tracer,
        deadline: Deadline,
        gaps: Option<GapWatch>,
    ) -> Self {
        let now_ms = storage.context().now();
        Self {
            view: storage.view(TimeRange::ALL),
            dialect: query.dialect,
            lookback_ms: query.lookback_ms,
            extra_filters: query.extra_filters.clone(),
            limits: query.limits,
            deadline,
            reading: Reading::with_budget(query.limits.samples),
            series_found: 0,
            tracer,
            gaps,
            remarks: Remarks::default(),
            start_ms: grid.start_ms,
            end_ms: grid.range_end_ms(),
            now_ms,
            zones,
            storage,
        }
    }

    /// What rollups see of the query.
    pub(super) fn surround(&self) -> Surround<'_> {
        Surround {
            context: self.storage.context(),
            limits: self.limits,
            gaps: self.gaps.as_ref(),
            remarks: &self.remarks,
        }
    }

    pub(super) fn into_result(
        self,
        text: &str,
        whole: Beginning,
        data: QueryData,
        (standing, kept_points): (Standing, usize),
    ) -> QueryResult {
        self.storage.note_read(self.series_found as usize, &self.reading, self.reading.rows);
        let stats = QueryStats::of(self.series_found, &self.reading);
        let milliseconds = self.tracer.since(whole);
        let trace = self.tracer.into_steps().map(|steps| {
            let figures = TraceFigures {
                series: Some(stats.series),
                blocks: Some(stats.blocks),
                bytes: Some(stats.bytes),
                samples: Some(stats.samples),
                ..TraceFigures::default()
            };
            Trace::of_query(text.to_owned(), milliseconds, figures, steps)
        });
        let (warnings, infos) = self.remarks.into_texts(text);
        QueryResult { data, warnings, infos, stats, trace, standing, kept_points }
    }

    /// The value of an expression.
    pub(super) fn evaluate(
        &mut self,
        expression: Expression,
        grid: Grid,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + '_>> {
        Box::pin(async move {
            let plan = self
                .planned(&expression, grid, |request, instants| lower(expression.clone(), request, instants))
                .await?;
            self.carry_out(&plan).await
        })
    }

    /// The samples of an expression that is a window, at one instant. Those of a subquery are the values of what is inside.
    pub(super) async fn window(&mut self, expression: &Expression, grid: Grid) -> Result<Vec<RawSeries>> {
        let found = self.planned(expression, grid, |request, instants| window(expression, request, instants)).await?;
        let found = found.ok_or_else(|| Error::internal("the expression is no window"))?;
        let Some(inner) = found.inner else {
            let Node::Selector(matchers) = expression.node(found.of) else {
                return Err(Error::internal("a window is one of a selector"));
            };
            return self.raw_samples(matchers, found.after_ms, found.until_ms).await;
        };
        let rows = rows_of(self.evaluate(expression.subtree(found.of), inner).await?)?;
        let rows = self.finish(rows, Order::Labels)?;
        let samples = rows.into_iter().map(|row| {
            let (mut timestamps, mut values) = (Vec::new(), Vec::new());
            samples_of(&row, &inner, &mut timestamps, &mut values);
            RawSeries { labels: row.labels, timestamps, values }
        });
        Ok(samples.filter(|series| series.timestamps.first().is_some_and(|first| *first <= found.until_ms)).collect())
    }

    /// What `make` makes of an expression for its instants. What stands behind an `@` and reads samples is computed first, as a query
    /// of its own.
    async fn planned<T>(
        &mut self,
        expression: &Expression,
        grid: Grid,
        make: impl Fn(&Request, &Instants) -> std::result::Result<T, Obstacle>,
    ) -> Result<T> {
        let request = Request {
            grid,
            dialect: self.dialect,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            now_ms: self.now_ms,
            default_step_ms: DEFAULT_SUBQUERY_STEP_MS,
            max_points: match self.dialect {
                Dialect::MetricsQl => MOST_METRICSQL_SUBQUERY_POINTS,
                Dialect::PromQl => MOST_PROMQL_SUBQUERY_POINTS,
            },
        };
        let mut instants = Instants::new();
        loop {
            match make(&request, &instants) {
                Ok(made) => return Ok(made),
                Err(Obstacle::Error(error)) => return Err(error),
                Err(Obstacle::NeedsInstant(id, grid)) => {
                    let value =
                        self.evaluate(expression.subtree(id), Grid::new(grid.start_ms, grid.step_ms, 1)).await?;
                    let seconds = match value {
                        Value::Rows(rows) if rows.len() == 1 => rows[0].values.first().copied(),
                        _ => None,
                    };
                    let seconds = seconds.ok_or_else(|| {
                        Error::invalid("the expression behind @ must give a single series with a time")
                    })?;
                    instants.insert(id, seconds);
                }
            }
        }
    }

    async fn carry_out(&mut self, plan: &Plan) -> Result<Value> {
        let mut slots = Slots::new(plan.steps.len());
        let mut traced = TracedNodes::default();
        for (at, step) in plan.steps.iter().enumerate() {
            let beginning = traced.begin(&self.tracer, plan, at);
            let value = match &step.work {
                Work::None => continue,
                Work::Same(of) => spread(slots.take(*of)?, step.grid.points),
                Work::Leaf(leaf) => {
                    let (mut numbers, texts) = parameters(&leaf.windowed.parameters, &mut slots)?;
                    let grid = self.window_ends(&leaf.windowed, leaf.grid, step.grid, &mut numbers);
                    let mut rows = self.leaf(plan, leaf, grid, (numbers, texts)).await?;
                    if leaf.windowed.rollup == ABSENT {
                        let labels = labels_of_absent(&leaf.matchers, self.dialect);
                        rows = vec![absence(&rows, labels, grid.points)];
                    }
                    spread(Value::Rows(rows), step.grid.points)
                }
                Work::Resample(resample) => {
                    let (mut numbers, texts) = parameters(&resample.windowed.parameters, &mut slots)?;
                    let grid = self.window_ends(&resample.windowed, resample.grid, step.grid, &mut numbers);
                    let inner = rows_of(slots.take(resample.of)?)?;
                    let inner_grid = plan.steps[resample.of.0 as usize].grid;
                    let mut rows = self.resample(&resample.windowed, grid, inner, inner_grid, (numbers, texts)).await?;
                    if resample.windowed.rollup == ABSENT {
                        let labels = match self.dialect {
                            Dialect::MetricsQl => labels_of_selector(&plan.expression, resample.of, self.dialect),
                            Dialect::PromQl => Labels::default(),
                        };
                        rows = vec![absence(&rows, labels, grid.points)];
                    }
                    spread(Value::Rows(rows), step.grid.points)
                }
                Work::Node => self.node(plan, ExprId(at as u32), step.grid, &mut slots).await?,
            };
            let mut memory = self.storage.context().memory().share();
            if let Value::Rows(rows) = &value {
                self.limits.check_values(rows.len(), step.grid.points)?;
                memory.grow(rows.iter().map(Row::memory_bytes).sum())?;
                self.storage.context().spend((rows.len() * step.grid.points / 8) as u64 + 1).await;
            }
            self.deadline.check()?;
            if self.tracer.is_on() && is_worth_a_trace(plan, at) {
                let figures = figures_of(&value, step.grid);
                self.tracer.end(beginning, TraceKind::Expression, || traced.text(plan, at), figures);
            }
            slots.put(at, value, memory);
        }
        slots.take(plan.expression.root())
    }

    /// The rows of a node that works on what its children have left.
    async fn node(&self, plan: &Plan, id: ExprId, grid: Grid, slots: &mut Slots) -> Result<Value> {
        let context = self.context(grid);
        let rows = match plan.expression.node(id) {
            Node::Number(number) => vec![context.number(*number)],
            Node::Duration(duration) => vec![context.number(duration.in_milliseconds(grid.step_ms) as f64 / 1e3)],
            Node::Text(text) => return Ok(Value::Text(text.clone())),
            Node::Negative(of) => {
                let mut rows = rows_of(slots.take(*of)?)?;
                let negated = match self.dialect {
                    // The server subtracts from 0, which is never -0.
                    Dialect::MetricsQl => |value: f64| 0.0 - value,
                    Dialect::PromQl => |value: f64| -value,
                };
                if self.dialect == Dialect::MetricsQl {
                    rows.retain(Row::has_values);
                }
                for row in &mut rows {
                    row.values.iter_mut().for_each(|value| *value = negated(*value));
                    forget_name(row, self.dialect);
                }
                rows
            }
            Node::List(items) if items.iter().all(|id| matches!(plan.expression.node(*id), Node::Text(_))) => {
                let texts = items.iter().map(|id| match slots.take(*id)? {
                    Value::Text(text) => Ok(text),
                    _ => Err(Error::internal("a string has become something else")),
                });
                return Ok(Value::Texts(texts.collect::<Result<_>>()?));
            }
            Node::List(items) => {
                let arguments = self.arguments(items, slots)?;
                self.transform("union")?.call(arguments, &context).await?
            }
            Node::Call { function, arguments, keep_metric_names } => {
                let context = Context { remarks: self.remarks_on(plan, id, arguments), ..context };
                let mut values = self.arguments(arguments, slots)?;
                if function == "absent"
                    && let Some(&of) = arguments.first()
                {
                    values.push(Argument::Labels(labels_of_selector(&plan.expression, of, self.dialect)));
                }
                self.transform(function)?.keep_metric_names(*keep_metric_names).call(values, &context).await?
            }
            Node::Aggregate { operator, arguments, grouping, limit } => {
                let context = Context { remarks: self.remarks_on(plan, id, arguments), ..context };
                let aggregate = Aggregate::by_name(operator, self.dialect)
                    .ok_or_else(|| Error::invalid(format!("unknown aggregation {operator:?}")))?;
                let arguments = self.arguments(arguments, slots)?;
                aggregate.call(arguments, grouping.as_ref(), *limit, &context).await?
            }
            Node::Binary { operator, left, right, is_bool, matching, join, keep_metric_names } => {
                let binary = Binary {
                    operator: *operator,
                    dialect: self.dialect,
                    is_bool: *is_bool,
                    matching: matching.clone(),
                    join: join.clone(),
                    keep_metric_names: *keep_metric_names,
                };
                let (left_value, right_value) = (slots.take(*left)?, slots.take(*right)?);
                if let (BinaryOperator::Add, Value::Text(left), Value::Text(right)) =
                    (operator, &left_value, &right_value)
                {
                    return Ok(Value::Text(format!("{left}{right}")));
                }
                if self.dialect == Dialect::MetricsQl && plan.is_literal[id.0 as usize] {
                    let number =
                        |value: Value| Ok::<_, Error>(rows_of(value)?.first().map_or(f64::NAN, |row| row.values[0]));
                    return Ok(Value::Rows(vec![
                        context.number(binary.of_literals(number(left_value)?, number(right_value)?)),
                    ]));
                }
                let side = |value: Value, id: ExprId| {
                    let mut rows = rows_of(value)?;
                    match (plan.is_scalar[id.0 as usize], rows.len()) {
                        (true, 1) => Ok(Side::Scalar(rows.remove(0))),
                        _ => Ok::<_, Error>(Side::Rows(rows)),
                    }
                };
                binary.apply(side(left_value, *left)?, side(right_value, *right)?, &context).await?
            }
            Node::Selector(_) | Node::Modified { .. } | Node::Paren(_) => {
                return Err(Error::internal("a selector was not planned as a leaf"));
            }
        };
        Ok(Value::Rows(rows))
    }

    /// Where the windows of a rollup end, for each of the instants at which its value is asked for. In PromQL an instant that is fixed by
    /// `@` does not fix the numbers beside the samples, and `predict_linear` looks ahead from when it is asked, not from where the
    /// windows end.
    fn window_ends(&self, windowed: &Windowed, ends: Grid, asked: Grid, numbers: &mut [Parameter]) -> Grid {
        if self.dialect == Dialect::MetricsQl {
            return ends;
        }
        let is_prediction = windowed.rollup == "predict_linear" && ends != asked;
        let varies = is_prediction || numbers.iter().any(|number| matches!(number, Parameter::Each(_)));
        let ends =
            if ends.points < asked.points && varies { Grid { step_ms: 0, points: asked.points, ..ends } } else { ends };
        if let (true, Some(seconds)) = (is_prediction, numbers.first_mut()) {
            let from_end = |position: usize| (asked.at(position) - ends.at(position)) as f64 / 1e3;
            let ahead = (0..ends.points).map(|position| seconds.at(position) + from_end(position));
            *seconds = Parameter::Each(ahead.collect());
        }
        ends
    }

    /// Rolls the rows of a subquery.
    async fn resample(
        &mut self,
        windowed: &Windowed,
        grid: Grid,
        inner: Vec<Row>,
        inner_grid: Grid,
        parameters: (Vec<Parameter>, Vec<String>),
    ) -> Result<Vec<Row>> {
        let (numbers, texts) = parameters;
        let mut rolling = Rolling::new(windowed, grid, self.dialect, self.lookback_ms, numbers, &texts)?;
        let mut sink = Sink::of_rows(self.surround());
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        for row in inner {
            samples_of(&row, &inner_grid, &mut timestamps, &mut values);
            if !timestamps.is_empty() {
                rolling.roll(self.surround(), &row.shown_labels(), &timestamps, &mut values, &mut sink).await?;
            }
        }
        Ok(sink.finish())
    }

    /// The answer's rows.
    pub(super) fn finish(&self, rows: Vec<Row>, order: Order) -> Result<Vec<Row>> {
        finish(rows, self.dialect, order)
    }

    fn arguments(&self, ids: &[ExprId], slots: &mut Slots) -> Result<Vec<Argument>> {
        let mut argument = |id: &ExprId| {
            slots.take(*id).and_then(|value| match value {
                Value::Text(text) => Ok(Argument::Text(text)),
                value => rows_of(value).map(Argument::Rows),
            })
        };
        ids.iter().map(&mut argument).collect()
    }

    fn transform(&self, name: &str) -> Result<Transform> {
        Transform::by_name(name, self.dialect).ok_or_else(|| Error::invalid(format!("unknown function {name:?}")))
    }

    /// Where remarks on a call go; MetricsQL has none.
    fn remarks_on<'a>(&'a self, plan: &'a Plan, call: ExprId, arguments: &'a [ExprId]) -> Option<CallRemarks<'a>> {
        let remarks = CallRemarks { remarks: &self.remarks, expression: &plan.expression, call, arguments };
        (self.dialect == Dialect::PromQl).then_some(remarks)
    }

    fn context(&self, grid: Grid) -> Context<'_> {
        Context {
            grid,
            dialect: self.dialect,
            remarks: None,
            now_ms: self.now_ms,
            seed: self.now_ms as u64,
            zones: &*self.zones,
            max_values: self.limits.values,
            turns: Some(self.storage.context()),
        }
    }
}

/// Which of the steps that were taken down belong to which node.
#[derive(Default)]
struct TracedNodes {
    /// For each node so far the first node of its subtree, and how many steps had ended before that one.
    first: Vec<(usize, usize)>,
}

impl TracedNodes {
    fn begin(&mut self, tracer: &Tracer, plan: &Plan, at: usize) -> Beginning {
        if !tracer.is_on() {
            return Beginning::default();
        }
        let mut first = (at, tracer.ended());
        plan.expression.nodes[at].for_each_child(|child| first = first.min(self.first[child.0 as usize]));
        self.first.push(first);
        tracer.begin_behind(first.1)
    }

    /// A node as it is written, with three dots in place of what would be too long to read.
    fn text(&self, plan: &Plan, at: usize) -> String {
        if at - self.first[at].0 > MAX_TEXT {
            return match &plan.expression.nodes[at] {
                Node::Call { function: name, .. } | Node::Aggregate { operator: name, .. } => format!("{name}(…)"),
                Node::Binary { operator, .. } => format!("… {} …", operator.text()),
                _ => "…".into(),
            };
        }
        let mut text = print(&plan.expression.subtree(ExprId(at as u32)));
        if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

/// Numbers and texts are there already, and parentheses hand on what stands in them.
fn is_worth_a_trace(plan: &Plan, at: usize) -> bool {
    let is_given = matches!(plan.expression.nodes[at], Node::Number(_) | Node::Duration(_) | Node::Text(_));
    !is_given && !matches!(plan.steps[at].work, Work::Same(_))
}

fn figures_of(value: &Value, grid: Grid) -> TraceFigures {
    let Value::Rows(rows) = value else { return TraceFigures::default() };
    TraceFigures { rows: Some(rows.len() as u64), points: Some(grid.points as u64), ..TraceFigures::default() }
}

/// What steps have left for those behind them, with the memory that it takes.
struct Slots {
    values: Vec<Option<(Value, MemoryShare)>>,
    /// The memory of what the step at work has taken out.
    in_work: Vec<MemoryShare>,
}

impl Slots {
    fn new(steps: usize) -> Self {
        Self { values: (0..steps).map(|_| None).collect(), in_work: Vec::new() }
    }

    /// What a step has left; each is used once, since an expression is a tree.
    fn take(&mut self, id: ExprId) -> Result<Value> {
        let slot = self.values[id.0 as usize].take();
        let (value, memory) = slot.ok_or_else(|| Error::internal("a step was carried out before those it needs"))?;
        self.in_work.push(memory);
        Ok(value)
    }

    /// Keeps what a step has made of what it has taken out.
    fn put(&mut self, at: usize, value: Value, memory: MemoryShare) {
        self.values[at] = Some((value, memory));
        self.in_work.clear();
    }
}

fn rows_of(value: Value) -> Result<Vec<Row>> {
    match value {
        Value::Rows(rows) => Ok(rows),
        // An empty list is a union of nothing.
        Value::Texts(texts) if texts.is_empty() => Ok(Vec::new()),
        Value::Text(text) => Err(Error::invalid(format!("the string {text:?} stands where series are expected"))),
        Value::Texts(texts) => Err(Error::invalid(format!("the strings {texts:?} stand where series are expected"))),
    }
}

/// Rows of one instant as rows of many.
fn spread(value: Value, points: usize) -> Value {
    match value {
        Value::Rows(rows) => Value::Rows(rows.into_iter().map(|row| spread_row(row, points)).collect()),
        text => text,
    }
}

fn spread_row(mut row: Row, points: usize) -> Row {
    if row.values.len() == points || row.values.len() != 1 {
        return row;
    }
    if row.present.is_some() {
        let mut present = Presence::none(points);
        (0..points).for_each(|position| present.set(position, row.is_present(0)));
        row.present = Some(present);
    }
    row.values = vec![row.values[0]; points];
    row
}

/// The arguments of a rollup beside its samples: numbers and texts.
fn parameters(ids: &[ExprId], slots: &mut Slots) -> Result<(Vec<Parameter>, Vec<String>)> {
    let (mut numbers, mut all_texts) = (Vec::new(), Vec::new());
    for id in ids {
        match slots.take(*id)? {
            Value::Text(text) => all_texts.push(text),
            Value::Texts(texts) => all_texts.extend(texts),
            Value::Rows(rows) => match <[Row; 1]>::try_from(rows) {
                Ok([row]) => numbers.push(match row.values.first() {
                    Some(&first) if row.values.iter().all(|value| value.to_bits() == first.to_bits()) => {
                        Parameter::Same(first)
                    }
                    _ => Parameter::Each(row.values.into()),
                }),
                Err(rows) => {
                    let message = format!("a parameter must be one number; found {} series", rows.len());
                    return Err(Error::invalid(message));
                }
            },
        }
    }
    Ok((numbers, all_texts))
}

/// The labels that a selector's conditions leave no choice for, whatever stands round it.
fn labels_of_selector(expression: &Expression, id: ExprId, dialect: Dialect) -> Labels {
    let mut id = id;
    loop {
        match expression.node(id) {
            Node::Paren(of) => id = *of,
            Node::Modified { of, modifiers } if !modifiers.is_subquery => id = *of,
            Node::Selector(lists) => return labels_of_absent(lists, dialect),
            _ => return Labels::default(),
        }
    }
}

/// One row that is 1 where all rows of `absent_over_time` are.
fn absence(rows: &[Row], labels: Labels, points: usize) -> Row {
    let is_absent = |position: usize| rows.iter().all(|row| row.is_present(position));
    let values = (0..points).map(|position| if is_absent(position) { 1.0 } else { f64::NAN });
    Row::new(labels, values.collect())
}
