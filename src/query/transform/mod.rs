//! Functions of rows: each value for itself, labels, whole rows, histograms.

mod calendar;
mod fill;
pub mod histogram;
mod labels;
mod math;
mod order;
mod random;
mod range;
mod running;
mod shape;

use super::call::{Argument, Arguments, Context};
use super::dialect::Dialect;
use super::remarks::Remark;
use super::series::labels::NAME;
use super::series::row::{Presence, Row};
use crate::error::Result;
use std::pin::Pin;

pub use shape::labels_of_absent;

/// A function of one dialect.
#[derive(Clone, Copy)]
pub struct Transform {
    function: &'static Function,
    keep_metric_names: bool,
}

/// Who knows a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Both,
    MetricsQl,
    PromQl,
}

/// One line of a table. A name with two meanings has two lines.
struct Function {
    name: &'static str,
    known: Known,
    least: usize,
    most: usize,
    names: Names,
    body: Body,
}

/// What becomes of the metric's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Keep,
    Drop,
}

/// What computes a function.
enum Body {
    /// Each value of its only argument for itself.
    Element(fn(f64) -> f64),
    /// What takes its time.
    InTurns(InTurns),
    /// Each row of the argument at this place for itself.
    RowByRow(usize, OfRows),
    /// Everything else.
    Rows(OfRows),
}

type OfRows = fn(&mut Call) -> Result<Vec<Row>>;

type InTurns = for<'a> fn(&'a mut Call<'_>) -> Pin<Box<dyn Future<Output = Result<Vec<Row>>> + 'a>>;

/// A function while it is called.
struct Call<'a> {
    name: &'static str,
    arguments: Arguments<'a>,
    context: &'a Context<'a>,
    drops_names: bool,
}

/// So many values, and rows, of a call are computed before others have their turn.
const VALUES_OF_PIECE: usize = 1 << 15;
const ROWS_OF_PIECE: usize = 1 << 10;

const TABLES: &[&[Function]] = &[
    calendar::FUNCTIONS,
    fill::FUNCTIONS,
    histogram::FUNCTIONS,
    labels::FUNCTIONS,
    math::FUNCTIONS,
    order::FUNCTIONS,
    random::FUNCTIONS,
    range::FUNCTIONS,
    running::FUNCTIONS,
    shape::FUNCTIONS,
];

impl Transform {
    /// The function of a name, in lower case, if the dialect has it.
    pub fn by_name(name: &str, dialect: Dialect) -> Option<Self> {
        let mut functions = TABLES.iter().flat_map(|table| table.iter());
        let function = functions.find(|function| function.name == name && function.is_known_to(dialect))?;
        Some(Self { function, keep_metric_names: false })
    }

    /// All names that a dialect has.
    pub fn names(dialect: Dialect) -> impl Iterator<Item = &'static str> {
        let functions = TABLES.iter().flat_map(|table| table.iter());
        functions.filter(move |function| function.is_known_to(dialect)).map(|function| function.name)
    }

    /// The same function that leaves names, if `keep` says so.
    #[must_use]
    pub fn keep_metric_names(self, keep: bool) -> Self {
        Self { keep_metric_names: keep, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.function.name
    }

    /// Whether its rows have an order of their own, which the answer keeps where the function is the whole expression. In
    /// PromQL only the answers of instant queries have one.
    pub fn has_order(&self) -> bool {
        self.function.name.starts_with("sort")
    }

    /// The function's rows.
    ///
    /// # Errors
    /// `Invalid` for arguments that it can't use; `Limit` for a result that is too large.
    pub async fn call(&self, arguments: Vec<Argument>, context: &Context<'_>) -> Result<Vec<Row>> {
        let function = self.function;
        if let Some(on_call) = &context.remarks
            && self.has_order()
            && context.grid.points > 1
        {
            on_call.remarks.add(Remark::SortInRange, on_call.call());
        }
        let arguments = Arguments::new(function.name, arguments, function.least..=function.most)?;
        let drops_names = function.names == Names::Drop && !self.keep_metric_names;
        let mut call = Call { name: function.name, arguments, context, drops_names };
        match function.body {
            Body::Element(of) => {
                let mut rows = call.arguments.rows()?;
                for row in &mut rows {
                    call.drop_name(row);
                    call.map(row, |_, value| of(value));
                    context.spend(row.values.len()).await;
                }
                Ok(rows)
            }
            Body::InTurns(of) => of(&mut call).await,
            Body::RowByRow(place, of) => call.in_pieces(place, of).await,
            Body::Rows(of) => of(&mut call),
        }
    }
}

impl Function {
    const fn element(name: &'static str, known: Known, names: Names, of: fn(f64) -> f64) -> Self {
        Self { name, known, least: 1, most: 1, names, body: Body::Element(of) }
    }

    /// A function that looks at one row after the other. They are its first argument.
    const fn row_by_row(name: &'static str, known: Known, counts: (usize, usize), names: Names, of: OfRows) -> Self {
        Self { name, known, least: counts.0, most: counts.1, names, body: Body::RowByRow(0, of) }
    }

    /// As [`Function::row_by_row`], with a number before the rows.
    const fn behind_number(name: &'static str, known: Known, names: Names, of: OfRows) -> Self {
        Self { name, known, least: 2, most: 2, names, body: Body::RowByRow(1, of) }
    }

    const fn rows(name: &'static str, known: Known, counts: (usize, usize), names: Names, of: OfRows) -> Self {
        Self { name, known, least: counts.0, most: counts.1, names, body: Body::Rows(of) }
    }

    const fn in_turns(name: &'static str, known: Known, counts: (usize, usize), names: Names, of: InTurns) -> Self {
        Self { name, known, least: counts.0, most: counts.1, names, body: Body::InTurns(of) }
    }

    fn is_known_to(&self, dialect: Dialect) -> bool {
        matches!(
            (self.known, dialect),
            (Known::Both, _) | (Known::MetricsQl, Dialect::MetricsQl) | (Known::PromQl, Dialect::PromQl)
        )
    }
}

impl Call<'_> {
    /// Calls a function on some of its rows after the other, so that others have their turn in between.
    async fn in_pieces(&mut self, place: usize, of: OfRows) -> Result<Vec<Row>> {
        let points = self.context.grid.points.max(1);
        let rows_of_piece = (VALUES_OF_PIECE / points).clamp(1, ROWS_OF_PIECE);
        let mut arguments = self.arguments.all();
        let rows = match arguments.get_mut(place) {
            Some(Argument::Rows(rows)) if rows.len() > rows_of_piece => std::mem::take(rows),
            _ => {
                self.arguments = Arguments::of(self.name, arguments);
                return of(self);
            }
        };
        let mut made = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        loop {
            let piece: Vec<Row> = rows.by_ref().take(rows_of_piece).collect();
            if piece.is_empty() {
                return Ok(made);
            }
            let values = piece.len() * points;
            // What stands beside the rows is numbers and texts; anything else is refused with the first piece.
            let mut arguments = arguments.clone();
            arguments[place] = Argument::Rows(piece);
            self.arguments = Arguments::of(self.name, arguments);
            made.extend(of(self)?);
            self.context.spend_sorting(values).await;
        }
    }

    /// Takes rows and computes each of their values for itself.
    fn map_rows(&mut self, mut of: impl FnMut(usize, f64) -> f64) -> Result<Vec<Row>> {
        let mut rows = self.arguments.rows()?;
        for row in &mut rows {
            self.drop_name(row);
            self.map(row, &mut of);
        }
        Ok(rows)
    }

    fn drop_name(&self, row: &mut Row) {
        if self.drops_names {
            match self.context.dialect {
                Dialect::MetricsQl => row.labels.remove(NAME),
                Dialect::PromQl => row.drop_name = true,
            }
        }
    }

    /// Computes each value of a row in place: gaps too where they are numbers, elements alone where they are not.
    fn map(&self, row: &mut Row, mut of: impl FnMut(usize, f64) -> f64) {
        let values = row.values.iter_mut().enumerate();
        if self.context.dialect == Dialect::MetricsQl {
            values.for_each(|(position, value)| *value = of(position, *value));
            return;
        }
        if let Some(present) = &row.present {
            for (position, value) in values.filter(|(position, _)| present.get(*position)) {
                *value = of(position, *value);
            }
            return;
        }
        // NaN may be born here, and must be told from the gaps then.
        let mut born = Vec::new();
        for (position, value) in values.filter(|(_, value)| !value.is_nan()) {
            *value = of(position, *value);
            if value.is_nan() {
                born.push(position);
            }
        }
        if !born.is_empty() {
            let mut present = Presence::of(&row.values);
            born.into_iter().for_each(|position| present.set(position, true));
            row.present = Some(present);
        }
    }
}
