//! Many rows become one for each group, or fewer.

pub mod fold;
pub mod group;
mod rank;
mod spread;
mod tally;

use super::call::{Argument, Arguments, Context};
use super::dialect::Dialect;
use super::language::ast::Grouping;
use super::series::row::Row;
use super::transform::histogram::buckets;
use crate::error::{Error, Result};
use fold::{Fold, Folder};
use rank::{End, Measure};

/// An aggregate of one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    name: &'static str,
    kind: Kind,
    dialect: Dialect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fold(Fold),
    Best(End),
    BestRows(End, Measure),
    Limit,
    LimitRatio,
    Quantile,
    Quantiles,
    Median,
    Mad,
    OutliersMad,
    OutliersIqr,
    OutliersK,
    Share,
    Zscore,
    Mode,
    Distinct,
    CountValues,
    Histogram,
}

/// All aggregates; those of PromQL first.
const AGGREGATES: &[(&str, Kind)] = &[
    ("sum", Kind::Fold(Fold::Sum)),
    ("avg", Kind::Fold(Fold::Avg)),
    ("min", Kind::Fold(Fold::Min)),
    ("max", Kind::Fold(Fold::Max)),
    ("count", Kind::Fold(Fold::Count)),
    ("group", Kind::Fold(Fold::Group)),
    ("stddev", Kind::Fold(Fold::Stddev)),
    ("stdvar", Kind::Fold(Fold::Stdvar)),
    ("topk", Kind::Best(End::Top)),
    ("bottomk", Kind::Best(End::Bottom)),
    ("quantile", Kind::Quantile),
    ("count_values", Kind::CountValues),
    ("limitk", Kind::Limit),
    ("limit_ratio", Kind::LimitRatio),
    ("sum2", Kind::Fold(Fold::Sum2)),
    ("geomean", Kind::Fold(Fold::Geomean)),
    ("any", Kind::Fold(Fold::Any)),
    ("topk_min", Kind::BestRows(End::Top, Measure::Min)),
    ("topk_max", Kind::BestRows(End::Top, Measure::Max)),
    ("topk_avg", Kind::BestRows(End::Top, Measure::Avg)),
    ("topk_median", Kind::BestRows(End::Top, Measure::Median)),
    ("topk_last", Kind::BestRows(End::Top, Measure::Last)),
    ("bottomk_min", Kind::BestRows(End::Bottom, Measure::Min)),
    ("bottomk_max", Kind::BestRows(End::Bottom, Measure::Max)),
    ("bottomk_avg", Kind::BestRows(End::Bottom, Measure::Avg)),
    ("bottomk_median", Kind::BestRows(End::Bottom, Measure::Median)),
    ("bottomk_last", Kind::BestRows(End::Bottom, Measure::Last)),
    ("quantiles", Kind::Quantiles),
    ("median", Kind::Median),
    ("mad", Kind::Mad),
    ("outliers_mad", Kind::OutliersMad),
    ("outliers_iqr", Kind::OutliersIqr),
    ("outliersk", Kind::OutliersK),
    ("share", Kind::Share),
    ("zscore", Kind::Zscore),
    ("mode", Kind::Mode),
    ("distinct", Kind::Distinct),
    ("histogram", Kind::Histogram),
];
/// How many of them PromQL has.
const PROMQL_AGGREGATES: usize = 14;

impl Aggregate {
    /// The aggregate of a name, in lower case, if the dialect has it.
    pub fn by_name(name: &str, dialect: Dialect) -> Option<Self> {
        let known = match dialect {
            Dialect::MetricsQl => AGGREGATES,
            Dialect::PromQl => &AGGREGATES[..PROMQL_AGGREGATES],
        };
        let (name, kind) = *known.iter().find(|(known, _)| *known == name)?;
        if dialect == Dialect::MetricsQl && kind == Kind::LimitRatio {
            return None;
        }
        Some(Self { name, kind, dialect })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether its rows have an order of their own, which the answer keeps where the aggregate is the whole expression. In
    /// PromQL only the answers of instant queries have one.
    pub fn has_order(&self) -> bool {
        match self.dialect {
            Dialect::MetricsQl => matches!(self.kind, Kind::Best(_) | Kind::BestRows(..) | Kind::OutliersK),
            Dialect::PromQl => matches!(self.kind, Kind::Best(_)),
        }
    }

    /// Whether rows can be taken in one by one.
    pub fn is_fold(&self) -> bool {
        matches!(self.kind, Kind::Fold(_))
    }

    /// What takes in rows one by one, for aggregates that need no more than that: their only argument is what is aggregated.
    pub fn folder(&self, grouping: Option<Grouping>, limit: Option<u64>, points: usize) -> Option<Folder> {
        match self.kind {
            Kind::Fold(fold) => Some(Folder::new(fold, self.dialect, grouping, limit, points)),
            _ => None,
        }
    }

    /// The aggregate of rows. Parameters come before them, as in the text of a query.
    ///
    /// # Errors
    /// `Invalid` for arguments that it can't use; `Limit` for a result that is too large.
    pub async fn call(
        &self,
        arguments: Vec<Argument>,
        grouping: Option<&Grouping>,
        limit: Option<u64>,
        context: &Context<'_>,
    ) -> Result<Vec<Row>> {
        let points = context.grid.points;
        self.remark(&arguments, context);
        let counts = match self.kind {
            _ if self.takes_all_rows() && self.dialect == Dialect::PromQl => 1..=1,
            _ if self.takes_all_rows() => 1..=usize::MAX,
            Kind::OutliersIqr => 1..=1,
            Kind::BestRows(..) => 2..=3,
            Kind::Quantiles => 3..=usize::MAX,
            _ => 2..=2,
        };
        let mut arguments = Arguments::new(self.name, arguments, counts)?;
        let parameters = Parameters::of(self.kind, &mut arguments, points)?;
        let rows = if self.takes_all_rows() { all_rows(&mut arguments)? } else { arguments.rows()? };
        let remaining = if arguments.left() > 0 { Some(arguments.text()?) } else { None };
        let parameters = Parameters { remaining, ..parameters };
        let is_left_out = |grouping: &Grouping| grouping.is_without && grouping.labels.contains(&parameters.label);
        let (fold, limit) = match self.kind {
            // The server limits `any` to one group, but not where its rows come straight from storage.
            Kind::Fold(Fold::Any) => (Some(Fold::Any), limit.map(|limit| limit.min(1))),
            Kind::Fold(fold) => (Some(fold), limit),
            // The label goes with those that are left out, so that nothing tells the values apart.
            Kind::CountValues if self.dialect == Dialect::PromQl && grouping.is_some_and(is_left_out) => {
                (Some(Fold::Count), limit)
            }
            _ => (None, limit),
        };
        if let Some(fold) = fold {
            let mut folder = Folder::new(fold, self.dialect, grouping.cloned(), limit, points);
            for row in rows {
                folder.push_row(&row);
                context.spend(points).await;
            }
            return Ok(folder.finish());
        }
        let without_label = match self.kind {
            Kind::CountValues => tally::grouping_without(&parameters.label, grouping),
            _ => None,
        };
        let mut made = Vec::new();
        for group in group::split(rows, without_label.as_ref().or(grouping), limit) {
            made.extend(self.of_group(group, &parameters, context).await?);
        }
        Ok(made)
    }

    /// Whether the rows of several arguments are aggregated together.
    fn takes_all_rows(&self) -> bool {
        matches!(
            self.kind,
            Kind::Fold(_)
                | Kind::Median
                | Kind::Mad
                | Kind::Share
                | Kind::Zscore
                | Kind::Mode
                | Kind::Distinct
                | Kind::Histogram
        )
    }

    /// The rows that one group becomes.
    async fn of_group(&self, group: group::Group, parameters: &Parameters, context: &Context<'_>) -> Result<Vec<Row>> {
        let Parameters { numbers, label, remaining } = parameters;
        Ok(match self.kind {
            Kind::Best(end) => rank::best(end, group, numbers, context).await?,
            Kind::BestRows(end, measure) => {
                rank::by_measure(end, measure, group, numbers, remaining.as_deref(), context).await
            }
            Kind::Limit if self.dialect == Dialect::MetricsQl => {
                rank::any_few(group, numbers.first().copied().unwrap_or(0.0))
            }
            Kind::Limit => rank::first_few(group, numbers, context).await?,
            Kind::LimitRatio => rank::by_ratio(group, numbers, context).await?,
            Kind::Quantile | Kind::Median => vec![spread::quantile(group, numbers, context).await],
            Kind::Quantiles => spread::quantiles(label, numbers, &group, context).await,
            Kind::OutliersMad => spread::outliers_mad(group, numbers, context).await,
            Kind::OutliersK => spread::outliersk(group, numbers, context).await,
            Kind::OutliersIqr => spread::outliers_iqr(group, context).await,
            Kind::Mad => vec![spread::mad(group, context).await],
            Kind::Share => spread::share(group, context).await,
            Kind::Zscore => spread::zscore(group, context).await,
            Kind::Mode => vec![spread::mode(group, context).await],
            Kind::Distinct => vec![spread::distinct(group, context).await],
            Kind::Histogram => buckets::ranges_to_bounds(tally::histogram(&group, context).await),
            Kind::CountValues => tally::count_values(label, &group, context).await?,
            Kind::Fold(_) => return Err(Error::internal("a fold takes in rows one by one")),
        })
    }
}

impl Aggregate {
    /// Says of a parameter that it lies where there is nothing.
    fn remark(&self, arguments: &[Argument], context: &Context<'_>) {
        let Some(on_call) = &context.remarks else { return };
        let Some(Argument::Rows(parameter)) = arguments.first() else { return };
        let (span, values) = (on_call.argument(0), parameter.iter().flat_map(|row| row.values.iter().copied()));
        match self.kind {
            Kind::Quantile => on_call.remarks.check_quantiles(values, span),
            Kind::LimitRatio => on_call.remarks.check_ratios(values, span),
            _ => {}
        }
    }
}

/// What stands beside the rows.
#[derive(Default)]
struct Parameters {
    /// Counts, quantiles, ratios or tolerances: one for each instant, but of `quantiles` one for each row.
    numbers: Vec<f64>,
    /// The label that tells the rows apart.
    label: String,
    /// What the row with the rest is called.
    remaining: Option<String>,
}

impl Parameters {
    /// Those that stand before the rows.
    fn of(kind: Kind, arguments: &mut Arguments, points: usize) -> Result<Self> {
        let mut parameters = Self::default();
        match kind {
            Kind::Best(_)
            | Kind::BestRows(..)
            | Kind::Limit
            | Kind::LimitRatio
            | Kind::Quantile
            | Kind::OutliersMad
            | Kind::OutliersK => parameters.numbers = arguments.numbers()?,
            Kind::Quantiles => {
                parameters.label = arguments.text()?;
                parameters.numbers = (1..arguments.left()).map(|_| arguments.number()).collect::<Result<_>>()?;
            }
            Kind::CountValues => parameters.label = arguments.text()?,
            Kind::Median => parameters.numbers = vec![0.5; points],
            _ => {}
        }
        Ok(parameters)
    }
}

/// The rows of all arguments that are left, which are aggregated together.
fn all_rows(arguments: &mut Arguments) -> Result<Vec<Row>> {
    let mut rows = arguments.rows()?;
    while arguments.left() > 0 {
        rows.extend(arguments.rows()?);
    }
    Ok(rows)
}
