//! A plan's steps, one after the other.

use super::limits::Limits;
use super::rolling::{Rolling, Sink, forget_name};
use super::{DEFAULT_SUBQUERY_STEP_MS, Query, QueryData, QueryResult, QueryStats};
use crate::error::{Error, Result};
use crate::query::aggregate::Aggregate;
use crate::query::binary::{Binary, Side};
use crate::query::call::{Argument, Context, UtcOnly};
use crate::query::dialect::Dialect;
use crate::query::finish::{Order, finish};
use crate::query::language::ast::{BinaryOperator, ExprId, Expression, MatchOperator, Matcher, Node};
use crate::query::plan::{Instants, Obstacle, Plan, Request, Resample, Work, lower};
use crate::query::rollup::Parameter;
use crate::query::rollup::subquery::samples_of;
use crate::query::series::grid::Grid;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::{Presence, Row};
use crate::query::transform::Transform;
use crate::storage::Storage;
use crate::storage::search::{Reading, View};
use crate::time::TimeRange;
use std::pin::Pin;
use std::rc::Rc;

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
    pub(super) limits: Limits,
    pub(super) deadline_ms: i64,
    pub(super) reading: Reading,
    pub(super) series_found: u64,
    start_ms: i64,
    end_ms: i64,
    now_ms: i64,
}

impl Run {
    pub(super) fn new(storage: Rc<Storage>, query: &Query, grid: Grid, end_ms: i64) -> Self {
        let now_ms = storage.context().now();
        Self {
            view: storage.view(TimeRange::ALL),
            dialect: query.dialect,
            lookback_ms: query.lookback_ms,
            limits: query.limits,
            deadline_ms: now_ms.saturating_add(query.limits.timeout_ms),
            reading: Reading::with_budget(query.limits.samples),
            series_found: 0,
            start_ms: grid.start_ms,
            end_ms,
            now_ms,
            storage,
        }
    }

    pub(super) fn into_result(self, data: QueryData) -> QueryResult {
        self.storage.note_read(self.series_found as usize, &self.reading, self.reading.rows);
        QueryResult { data, warnings: Vec::new(), stats: QueryStats::of(self.series_found, &self.reading) }
    }

    /// The value of an expression and the order of its rows.
    pub(super) fn evaluate(
        &mut self,
        expression: Expression,
        grid: Grid,
    ) -> Pin<Box<dyn Future<Output = Result<Value>> + '_>> {
        Box::pin(async move {
            let plan = self.plan(expression, grid).await?;
            self.carry_out(&plan).await
        })
    }

    /// Plans an expression. What stands behind an `@` and reads samples is computed first, as a query of its own.
    async fn plan(&mut self, expression: Expression, grid: Grid) -> Result<Plan> {
        let request = Request {
            grid,
            dialect: self.dialect,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            now_ms: self.now_ms,
            default_step_ms: DEFAULT_SUBQUERY_STEP_MS,
            max_points: self.limits.points,
        };
        let mut instants = Instants::new();
        loop {
            match lower(expression.clone(), &request, &instants) {
                Ok(plan) => return Ok(plan),
                Err(Obstacle::Error(error)) => return Err(error),
                Err(Obstacle::NeedsInstant(id, grid)) => {
                    let value = self.evaluate(expression.subtree(id), Grid { points: 1, ..grid }).await?;
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
        let mut slots: Vec<Option<Value>> = vec![None; plan.steps.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            let value = match &step.work {
                Work::None => continue,
                Work::Same(of) => spread(taken(&mut slots, *of)?, step.grid.points),
                Work::Leaf(leaf) => {
                    let parameters = parameters(&leaf.windowed.parameters, &mut slots)?;
                    let rows = self.leaf(plan, leaf, parameters).await?;
                    spread(Value::Rows(rows), step.grid.points)
                }
                Work::Resample(resample) => {
                    let parameters = parameters(&resample.windowed.parameters, &mut slots)?;
                    let inner = rows_of(taken(&mut slots, resample.of)?)?;
                    let inner_grid = plan.steps[resample.of.0 as usize].grid;
                    let rows = self.resample(resample, inner, inner_grid, parameters).await?;
                    spread(Value::Rows(rows), step.grid.points)
                }
                Work::Node => self.node(plan, ExprId(at as u32), step.grid, &mut slots)?,
            };
            if let Value::Rows(rows) = &value {
                self.limits.check_values(rows.len(), step.grid.points)?;
                self.storage.context().spend((rows.len() * step.grid.points / 8) as u64 + 1).await;
            }
            self.check_deadline()?;
            slots[at] = Some(value);
        }
        taken(&mut slots, plan.expression.root())
    }

    /// The rows of a node that works on what its children have left.
    fn node(&self, plan: &Plan, id: ExprId, grid: Grid, slots: &mut [Option<Value>]) -> Result<Value> {
        let context = self.context(grid);
        let rows = match plan.expression.node(id) {
            Node::Number(number) => vec![context.number(*number)],
            Node::Duration(duration) => vec![context.number(duration.in_milliseconds(grid.step_ms) as f64 / 1e3)],
            Node::Text(text) => return Ok(Value::Text(text.clone())),
            Node::Negative(of) => {
                let mut rows = rows_of(taken(slots, *of)?)?;
                for row in &mut rows {
                    row.values.iter_mut().for_each(|value| *value = -*value);
                    forget_name(row, self.dialect);
                }
                rows
            }
            Node::List(items) if items.iter().all(|id| matches!(plan.expression.node(*id), Node::Text(_))) => {
                let texts = items.iter().map(|id| match taken(slots, *id)? {
                    Value::Text(text) => Ok(text),
                    _ => Err(Error::internal("a string has become something else")),
                });
                return Ok(Value::Texts(texts.collect::<Result<_>>()?));
            }
            Node::List(items) => {
                let arguments = self.arguments(items, slots)?;
                self.transform("union")?.call(arguments, &context)?
            }
            Node::Call { function, arguments, keep_metric_names } => {
                let mut values = self.arguments(arguments, slots)?;
                if function == "absent" {
                    values.push(Argument::Labels(labels_of_selector(&plan.expression, arguments.first())));
                }
                self.transform(function)?.keep_metric_names(*keep_metric_names).call(values, &context)?
            }
            Node::Aggregate { operator, arguments, grouping, limit } => {
                let aggregate = Aggregate::by_name(operator, self.dialect)
                    .ok_or_else(|| Error::invalid(format!("unknown aggregation {operator:?}")))?;
                let arguments = self.arguments(arguments, slots)?;
                aggregate.call(arguments, grouping.as_ref(), *limit, &context)?
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
                let (left_value, right_value) = (taken(slots, *left)?, taken(slots, *right)?);
                if let (BinaryOperator::Add, Value::Text(left), Value::Text(right)) =
                    (operator, &left_value, &right_value)
                {
                    return Ok(Value::Text(format!("{left}{right}")));
                }
                let side = |value: Value, id: ExprId| {
                    let mut rows = rows_of(value)?;
                    match (plan.is_scalar[id.0 as usize], rows.len()) {
                        (true, 1) => Ok(Side::Scalar(rows.remove(0))),
                        _ => Ok::<_, Error>(Side::Rows(rows)),
                    }
                };
                binary.apply(side(left_value, *left)?, side(right_value, *right)?)?
            }
            Node::Selector(_) | Node::Modified { .. } | Node::Paren(_) => {
                return Err(Error::internal("a selector was not planned as a leaf"));
            }
        };
        Ok(Value::Rows(rows))
    }

    /// Rolls the rows of a subquery.
    async fn resample(
        &mut self,
        resample: &Resample,
        inner: Vec<Row>,
        inner_grid: Grid,
        parameters: (Vec<Parameter>, Vec<String>),
    ) -> Result<Vec<Row>> {
        let (numbers, texts) = parameters;
        let windowed = &resample.windowed;
        let mut rolling = Rolling::new(windowed, resample.grid, self.dialect, self.lookback_ms, numbers, &texts)?;
        let mut sink = Sink::Rows(Vec::new(), self.limits);
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        for row in inner {
            samples_of(&row, &inner_grid, &mut timestamps, &mut values);
            if !timestamps.is_empty() {
                rolling.roll(self, &row.shown_labels(), &timestamps, &values, &mut sink).await?;
            }
        }
        Ok(sink.finish())
    }

    /// The answer's rows.
    pub(super) fn finish(&self, rows: Vec<Row>, order: Order) -> Result<Vec<Row>> {
        finish(rows, self.dialect, order)
    }

    fn arguments(&self, ids: &[ExprId], slots: &mut [Option<Value>]) -> Result<Vec<Argument>> {
        let mut argument = |id: &ExprId| {
            taken(slots, *id).and_then(|value| match value {
                Value::Text(text) => Ok(Argument::Text(text)),
                value => rows_of(value).map(Argument::Rows),
            })
        };
        ids.iter().map(&mut argument).collect()
    }

    fn transform(&self, name: &str) -> Result<Transform> {
        Transform::by_name(name, self.dialect).ok_or_else(|| Error::invalid(format!("unknown function {name:?}")))
    }

    fn context(&self, grid: Grid) -> Context<'static> {
        Context {
            grid,
            dialect: self.dialect,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            now_ms: self.now_ms,
            seed: self.now_ms as u64,
            zones: &UtcOnly,
            max_values: self.limits.values,
        }
    }
}

/// What a step has left; each is used once, since an expression is a tree.
fn taken(slots: &mut [Option<Value>], id: ExprId) -> Result<Value> {
    slots[id.0 as usize].take().ok_or_else(|| Error::internal("a step was carried out before those it needs"))
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
fn parameters(ids: &[ExprId], slots: &mut [Option<Value>]) -> Result<(Vec<Parameter>, Vec<String>)> {
    let (mut numbers, mut all_texts) = (Vec::new(), Vec::new());
    for id in ids {
        match taken(slots, *id)? {
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

/// The labels that a selector's conditions leave no choice for; those that are named twice are left out.
fn labels_of_selector(expression: &Expression, id: Option<&ExprId>) -> Labels {
    let mut id = id.copied();
    while let Some(at) = id {
        match expression.node(at) {
            Node::Paren(of) => id = Some(*of),
            Node::Modified { of, modifiers } if modifiers.window.is_none() && !modifiers.is_subquery => id = Some(*of),
            Node::Selector(lists) if lists.len() == 1 => return fixed_labels(&lists[0]),
            _ => return Labels::default(),
        }
    }
    Labels::default()
}

fn fixed_labels(matchers: &[Matcher]) -> Labels {
    let is_alone = |matcher: &&Matcher| {
        matcher.label != NAME
            && matcher.operator == MatchOperator::Equal
            && matchers.iter().filter(|other| other.label == matcher.label).count() == 1
    };
    let pair = |matcher: &Matcher| (Rc::from(matcher.label.as_str()), Rc::from(matcher.value.as_str()));
    Labels::new(matchers.iter().filter(is_alone).map(pair))
}
