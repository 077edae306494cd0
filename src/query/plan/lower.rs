//! From an expression to its plan.

use super::instant::constant;
use super::scalar::{are_literals, are_scalars};
use super::{Leaf, Plan, Request, Resample, Step, WholeWindow, Windowed, Work};
use crate::error::{Error, ErrorKind};
use crate::query::aggregate::Aggregate;
use crate::query::dialect::Dialect;
use crate::query::functions::signature::{Family, Kind};
use crate::query::functions::table;
use crate::query::language::ast::{ExprId, Expression, Modifiers, Node};
use crate::query::rollup::subquery::inner_grid;
use crate::query::series::grid::Grid;
use std::collections::HashMap;

/// The rollup of a selector that stands by itself.
pub(super) const DEFAULT_ROLLUP: &str = "default_rollup";

/// What an expression behind `@` comes to, for those that were computed.
pub type Instants = HashMap<ExprId, f64>;

/// What keeps a plan from being made.
#[derive(Clone, Debug)]
pub enum Obstacle {
    /// The expression behind an `@` reads samples: its value on this grid is to be computed first.
    NeedsInstant(ExprId, Grid),
    /// It can't be planned.
    Error(Error),
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

type Lowered<T> = std::result::Result<T, Obstacle>;

/// Plans an expression.
///
/// # Errors
/// See [`Obstacle`].
pub fn lower(expression: Expression, request: &Request, instants: &Instants) -> Lowered<Plan> {
    let nothing = Step { grid: request.grid, work: Work::None };
    let mut lowering = Lowering {
        grids: vec![None; expression.nodes.len()],
        steps: vec![nothing; expression.nodes.len()],
        expression,
        request: *request,
        instants,
    };
    let root = lowering.expression.root();
    lowering.grids[root.0 as usize] = Some(request.grid);
    for at in (0..=root.0).rev() {
        // Without a grid it is part of another node's work.
        if let Some(grid) = lowering.grids[at as usize] {
            let work = lowering.work(ExprId(at), grid)?;
            lowering.steps[at as usize] = Step { grid, work };
        }
    }
    let is_scalar = are_scalars(&lowering.expression, request.dialect);
    let is_literal = are_literals(&lowering.expression);
    Ok(Plan { steps: lowering.steps, expression: lowering.expression, is_scalar, is_literal })
}

/// The window that a whole expression is, for a query of one instant; nothing if it is none.
///
/// # Errors
/// See [`Obstacle`].
pub fn window(expression: &Expression, request: &Request, instants: &Instants) -> Lowered<Option<WholeWindow>> {
    if !expression.is_window() {
        return Ok(None);
    }
    let expression = expression.clone();
    let lowering = Lowering { grids: Vec::new(), steps: Vec::new(), expression, request: *request, instants };
    let source = lowering.source(lowering.expression.root(), request.grid)?;
    let (until_ms, window_ms) = (source.grid.start_ms, source.window_ms.unwrap_or(source.grid.step_ms));
    let after_ms = until_ms.saturating_sub(window_ms);
    let inner = match (source.step_ms, request.dialect) {
        (None, _) => None,
        // The server asks itself for the range: its instants begin with the window, and are no multiples of the step.
        (Some(step_ms), Dialect::MetricsQl) => {
            let step_ms = step_ms.filter(|step_ms| *step_ms > 0).unwrap_or(source.grid.step_ms);
            let points = usize::try_from(window_ms / step_ms).unwrap_or(usize::MAX).saturating_add(1);
            if points > request.max_points {
                return Err(too_many_instants(window_ms, step_ms, request.max_points).into());
            }
            Some(Grid::new(after_ms, step_ms, points))
        }
        (Some(step_ms), Dialect::PromQl) => Some(lowering.subquery_grid(&source, step_ms)?),
    };
    Ok(Some(WholeWindow { of: source.of, after_ms, until_ms, inner }))
}

struct Lowering<'a> {
    expression: Expression,
    request: Request,
    instants: &'a Instants,
    /// What parents have said of their children.
    grids: Vec<Option<Grid>>,
    steps: Vec<Step>,
}

/// What a rollup is made of, with the layers of parentheses, offsets and instants around it taken off.
struct Source {
    /// The selector or the expression inside.
    of: ExprId,
    /// Where the windows end.
    grid: Grid,
    window_ms: Option<i64>,
    /// The step of a subquery; none for what a selector gives.
    step_ms: Option<Option<i64>>,
}

impl Lowering<'_> {
    fn work(&mut self, id: ExprId, grid: Grid) -> Lowered<Work> {
        match self.expression.node(id).clone() {
            Node::Number(_) | Node::Duration(_) | Node::Text(_) => Ok(Work::Node),
            Node::Paren(of) => {
                self.give_grid(of, grid);
                Ok(Work::Same(of))
            }
            Node::Selector(_) => self.by_itself(id, grid),
            Node::Modified { of, modifiers } => {
                let has_window = modifiers.window.is_some() || modifiers.is_subquery;
                // The server moves what is no selector as a subquery: its instants are multiples of the step.
                if has_window || self.is_selector(of) || self.request.dialect == Dialect::MetricsQl {
                    return self.by_itself(id, grid);
                }
                let moved = self.moved(&modifiers, grid)?;
                self.give_grid(of, moved);
                Ok(Work::Same(of))
            }
            Node::Call { function, arguments, keep_metric_names } => {
                self.call(&function, &arguments, keep_metric_names, grid)
            }
            Node::Aggregate { operator, arguments, .. } => {
                if let [argument] = arguments[..]
                    && Aggregate::by_name(&operator, self.request.dialect).is_some_and(|aggregate| aggregate.is_fold())
                    && let Some(leaf) = self.leaf_of(argument, grid)?
                {
                    return Ok(Work::Leaf(Leaf { fold: Some(id), ..leaf }));
                }
                self.give_grids(&arguments, grid);
                Ok(Work::Node)
            }
            Node::Binary { left, right, .. } => {
                self.give_grids(&[left, right], grid);
                Ok(Work::Node)
            }
            Node::Negative(of) => {
                self.give_grid(of, grid);
                Ok(Work::Node)
            }
            Node::List(items) => {
                self.give_grids(&items, grid);
                Ok(Work::Node)
            }
        }
    }

    fn call(&mut self, name: &str, arguments: &[ExprId], keep_metric_names: bool, grid: Grid) -> Lowered<Work> {
        let dialect = self.request.dialect;
        let Some(function) = table::function(name, dialect) else {
            return Err(Error::invalid(format!("unknown function {name:?}")).into());
        };
        // A selector's own times are those of its samples.
        let is_own_time = name == "timestamp" && arguments.len() == 1 && self.is_selector_with_modifiers(arguments[0]);
        if function.family != Family::Rollup && !is_own_time {
            self.give_grids(arguments, grid);
            return Ok(Work::Node);
        }
        let is_range = |position: &usize| {
            is_own_time || function.argument(*position, arguments.len()).is_some_and(|one| one.kind == Kind::Range)
        };
        let Some(position) = (0..arguments.len()).find(is_range) else {
            return Err(Error::invalid(format!("{name}() is called without a series")).into());
        };
        let mut parameters = arguments.to_vec();
        let of = parameters.remove(position);
        let first_argument = self.expression.span(arguments[0]);
        let source = self.source(of, grid)?;
        let windowed = Windowed {
            rollup: name.to_owned(),
            window_ms: source.window_ms,
            parameters,
            first_argument,
            keep_metric_names,
        };
        self.rollup_of(source, windowed, grid)
    }

    /// A window that stands by itself. The step of a selector's window means nothing there, as on the server.
    fn by_itself(&mut self, id: ExprId, grid: Grid) -> Lowered<Work> {
        let mut source = self.source(id, grid)?;
        if matches!(self.expression.node(source.of), Node::Selector(_)) {
            source.step_ms = None;
        }
        let (window_ms, first_argument) = (source.window_ms, self.expression.span(id));
        let windowed = Windowed { rollup: DEFAULT_ROLLUP.to_owned(), window_ms, first_argument, ..Windowed::default() };
        self.rollup_of(source, windowed, grid)
    }

    fn rollup_of(&mut self, source: Source, windowed: Windowed, grid: Grid) -> Lowered<Work> {
        self.give_grids(&windowed.parameters, grid);
        let Some(step_ms) = source.step_ms else {
            let Node::Selector(matchers) = self.expression.node(source.of) else {
                return Err(Error::internal("a leaf is made of a selector").into());
            };
            return Ok(Work::Leaf(Leaf { matchers: matchers.clone(), windowed, grid: source.grid, fold: None }));
        };
        let inner = self.subquery_grid(&source, step_ms)?;
        self.give_grid(source.of, inner);
        Ok(Work::Resample(Resample { of: source.of, windowed, grid: source.grid }))
    }

    /// The leaf that a node stands for, if it is one whose rows come one a series.
    fn leaf_of(&mut self, id: ExprId, grid: Grid) -> Lowered<Option<Leaf>> {
        let mut inner = id;
        while let Node::Paren(of) = self.expression.node(inner) {
            inner = *of;
        }
        let is_leaf = match self.expression.node(inner) {
            Node::Selector(_) => true,
            Node::Modified { .. } => self.is_selector_with_modifiers(inner),
            Node::Call { function, arguments, .. } => {
                let is_rollup = table::function(function, self.request.dialect)
                    .is_some_and(|function| function.family == Family::Rollup);
                // Parameters would have to be computed before; they are few enough to leave such calls to their own step.
                // What is absent is known when all series were seen.
                is_rollup
                    && function != "absent_over_time"
                    && arguments.len() == 1
                    && self.is_selector_with_modifiers(arguments[0])
            }
            _ => false,
        };
        if !is_leaf {
            return Ok(None);
        }
        match self.work(inner, grid)? {
            // An instant that was fixed gives rows of one point, which are spread before they are folded.
            Work::Leaf(leaf) if leaf.grid.points == grid.points => Ok(Some(leaf)),
            _ => Ok(None),
        }
    }

    /// Takes off what stands around a selector or a subquery, from the outside to the inside.
    fn source(&self, id: ExprId, grid: Grid) -> Lowered<Source> {
        let mut source = Source { of: id, grid, window_ms: None, step_ms: None };
        loop {
            match self.expression.node(source.of) {
                Node::Paren(of) => source.of = *of,
                Node::Selector(_) => return Ok(source),
                Node::Modified { of, modifiers } => {
                    let step_of_query = source.grid.step_ms;
                    source.grid = self.moved(modifiers, source.grid)?;
                    source.of = *of;
                    if modifiers.window.is_none() && !modifiers.is_subquery {
                        continue;
                    }
                    source.window_ms = modifiers.window.map(|window| window.in_milliseconds(step_of_query));
                    if source.window_ms.is_some_and(|window_ms| window_ms < 0) {
                        return Err(Error::invalid("a window must not be negative").into());
                    }
                    while let Node::Paren(of) = self.expression.node(source.of) {
                        source.of = *of;
                    }
                    if modifiers.is_subquery || !matches!(self.expression.node(source.of), Node::Selector(_)) {
                        source.step_ms = Some(modifiers.step.map(|step| step.in_milliseconds(step_of_query)));
                    }
                    return Ok(source);
                }
                _ => {
                    source.step_ms = Some(None);
                    return Ok(source);
                }
            }
        }
    }

    /// The instants of a subquery's rows.
    fn subquery_grid(&self, source: &Source, step_ms: Option<i64>) -> Lowered<Grid> {
        let (grid, request) = (source.grid, &self.request);
        let step_ms = match request.dialect {
            // A step of no length is none.
            Dialect::MetricsQl => step_ms.filter(|step_ms| *step_ms != 0).unwrap_or(grid.step_ms),
            Dialect::PromQl => step_ms.unwrap_or(request.default_step_ms),
        };
        if step_ms <= 0 {
            return Err(Error::invalid(format!("a step of {step_ms} ms leads nowhere")).into());
        }
        let window_ms = source.window_ms.unwrap_or(0);
        inner_grid(&grid, window_ms, step_ms, request.dialect, request.max_points)
            .ok_or_else(|| too_many_instants(window_ms, step_ms, request.max_points).into())
    }

    /// A grid behind `offset` and `@`.
    fn moved(&self, modifiers: &Modifiers, grid: Grid) -> Lowered<Grid> {
        let mut moved = grid;
        if let Some(at) = modifiers.at {
            let seconds = match self.instants.get(&at) {
                Some(seconds) => *seconds,
                None => constant(&self.expression, at, grid, &self.request).ok_or(Obstacle::NeedsInstant(at, grid))?,
            };
            if !seconds.is_finite() || seconds.abs() > 1e15 {
                return Err(Error::invalid(format!("the instant behind @ is {seconds}, which is no time")).into());
            }
            moved = Grid::new((seconds * 1e3).round() as i64, grid.step_ms, 1);
        }
        let offset_ms = modifiers.offset.map_or(0, |offset| offset.in_milliseconds(grid.step_ms));
        moved.start_ms = moved.start_ms.saturating_sub(offset_ms);
        if moved.start_ms.unsigned_abs() > 1 << 60 {
            return Err(Error::invalid("an offset leads out of all time").into());
        }
        Ok(moved)
    }

    fn is_selector(&self, id: ExprId) -> bool {
        let mut id = id;
        while let Node::Paren(of) = self.expression.node(id) {
            id = *of;
        }
        matches!(self.expression.node(id), Node::Selector(_))
    }

    /// Whether a node is a selector, with a window, an offset or an instant perhaps, but no subquery.
    fn is_selector_with_modifiers(&self, id: ExprId) -> bool {
        let mut id = id;
        loop {
            match self.expression.node(id) {
                Node::Selector(_) => return true,
                Node::Paren(of) => id = *of,
                Node::Modified { of, modifiers } if !modifiers.is_subquery => id = *of,
                _ => return false,
            }
        }
    }

    fn give_grids(&mut self, ids: &[ExprId], grid: Grid) {
        ids.iter().for_each(|id| self.give_grid(*id, grid));
    }

    fn give_grid(&mut self, id: ExprId, grid: Grid) {
        self.grids[id.0 as usize] = Some(grid);
    }
}

fn too_many_instants(window_ms: i64, step_ms: i64, most: usize) -> Error {
    let message = format!(
        "a subquery over {window_ms} ms with a step of {step_ms} ms has more instants than the {most} that are allowed; take a longer step or a shorter window"
    );
    Error::new(ErrorKind::Limit, message)
}
