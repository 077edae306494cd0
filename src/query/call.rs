//! What functions of rows are called with.

use super::dialect::Dialect;
use super::remarks::CallRemarks;
use super::series::grid::Grid;
use super::series::labels::Labels;
use super::series::row::Row;
use crate::error::{Error, Result};
use crate::runtime;

/// A value that is sorted costs as much as so many that are looked at.
const SORTED_COSTS: usize = 4;

/// One argument. A scalar is one row without labels.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// The rows of an expression.
    Rows(Vec<Row>),
    /// A string.
    Text(String),
    /// Labels that the call's text fixes; only `absent` takes them, behind its rows.
    Labels(Labels),
}

/// What the zones of the world are ahead of UTC.
pub trait TimeZones {
    /// Seconds that a zone such as `Europe/Berlin` is ahead of UTC at an instant; nothing for a zone that is not known.
    fn offset_seconds(&self, zone: &str, at_ms: i64) -> Option<i64>;
}

/// Knows UTC alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct UtcOnly;

impl TimeZones for UtcOnly {
    fn offset_seconds(&self, zone: &str, _at_ms: i64) -> Option<i64> {
        matches!(zone, "" | "UTC" | "Etc/UTC" | "GMT" | "Etc/GMT").then_some(0)
    }
}

/// Where and when a function is called.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The instants that rows lie on.
    pub grid: Grid,
    /// Whose rules hold.
    pub dialect: Dialect,
    /// Where remarks on the call go, in PromQL.
    pub remarks: Option<CallRemarks<'a>>,
    /// What `now()` is, in milliseconds.
    pub now_ms: i64,
    /// What `rand()` and its kin begin with where the call names no seed.
    pub seed: u64,
    /// The zones that `timezone_offset` knows.
    pub zones: &'a dyn TimeZones,
    /// The most values that one call may make out of fewer.
    pub max_values: usize,
    /// Who else wants to have a turn in the midst of long work; nobody where there is none.
    pub turns: Option<&'a runtime::Context>,
}

impl Context<'_> {
    /// A context in UTC whose query is its grid.
    pub fn new(grid: Grid, dialect: Dialect) -> Self {
        Self {
            grid,
            dialect,
            now_ms: grid.end_ms(),
            seed: 1,
            zones: &UtcOnly,
            max_values: 1 << 26,
            remarks: None,
            turns: None,
        }
    }

    /// Says that so many values were looked at. Others have their turn when they were many.
    pub async fn spend(&self, values: usize) {
        if let Some(turns) = self.turns {
            turns.spend(values as u64).await;
        }
    }

    /// As [`spend`](Self::spend), of values that were sorted.
    pub async fn spend_sorting(&self, values: usize) {
        self.spend(SORTED_COSTS * values).await;
    }

    /// One row without labels, with the same value everywhere.
    pub fn number(&self, value: f64) -> Row {
        self.column(vec![value; self.grid.points])
    }

    /// One row without labels, with a value everywhere.
    pub fn column(&self, values: Vec<f64>) -> Row {
        match self.dialect {
            Dialect::MetricsQl => Row::new(Labels::default(), values),
            Dialect::PromQl => Row::with_all(Labels::default(), values),
        }
    }

    /// The instants in seconds.
    pub fn time(&self) -> Row {
        self.column(self.grid.instants().map(|at_ms| at_ms as f64 / 1e3).collect())
    }
}

/// The arguments of one call, checked as they are taken.
pub struct Arguments<'a> {
    name: &'a str,
    items: std::vec::IntoIter<Argument>,
    taken: usize,
}

impl<'a> Arguments<'a> {
    /// The arguments of the function of this name, of which there must be so many.
    ///
    /// # Errors
    /// `Invalid` for more or fewer.
    pub fn new(name: &'a str, arguments: Vec<Argument>, counts: std::ops::RangeInclusive<usize>) -> Result<Self> {
        let (least, most, found) = (*counts.start(), *counts.end(), arguments.len());
        if !counts.contains(&found) {
            let wanted = match (least, most) {
                (least, most) if least == most => format!("{least}"),
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) => format!("{least} to {most}"),
            };
            return Err(Error::invalid(format!("{name}: unexpected number of args; got {found}; want {wanted}")));
        }
        Ok(Self::of(name, arguments))
    }

    /// Arguments whose number was checked.
    pub fn of(name: &'a str, arguments: Vec<Argument>) -> Self {
        Self { name, items: arguments.into_iter(), taken: 0 }
    }

    /// All that are left.
    pub fn all(&mut self) -> Vec<Argument> {
        self.items.by_ref().collect()
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.items.len()
    }

    /// The next one, whatever it is.
    pub fn take(&mut self) -> Option<Argument> {
        self.taken += 1;
        self.items.next()
    }

    /// The next one, which must be rows.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn rows(&mut self) -> Result<Vec<Row>> {
        match self.take() {
            Some(Argument::Rows(rows)) => Ok(rows),
            _ => Err(self.expected("series")),
        }
    }

    /// The next one, which must be a string.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn text(&mut self) -> Result<String> {
        match self.take() {
            Some(Argument::Text(text)) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// All that are left, which must be strings.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn texts(&mut self) -> Result<Vec<String>> {
        (0..self.left()).map(|_| self.text()).collect()
    }

    /// The next one, which must be a single row: one number for each instant.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn numbers(&mut self) -> Result<Vec<f64>> {
        let mut rows = self.rows()?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row.values),
            (row, more) => Err(Error::invalid(format!(
                "{}: argument {} must be a scalar; got {} series",
                self.name,
                self.taken,
                more + usize::from(row.is_some())
            ))),
        }
    }

    /// The next one, which must be a single row, at the first instant.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn number(&mut self) -> Result<f64> {
        Ok(self.numbers()?.first().copied().unwrap_or(f64::NAN))
    }

    fn expected(&self, what: &str) -> Error {
        Error::invalid(format!("{}: argument {} must be {what}", self.name, self.taken))
    }
}
