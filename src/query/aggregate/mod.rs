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
            Kind::Fold(_) | Kind::Median | Kind::Mad | Kind::Share | Kind::Zscore | Kind::Mode | Kind::Distinct => {
                if self.dialect == Dialect::PromQl {
                    1..=1
                } else {
                    1..=usize::MAX
                }
            }
            Kind::Histogram => 1..=usize::MAX,
            Kind::OutliersIqr => 1..=1,
            Kind::BestRows(..) => 2..=3,
            Kind::Quantiles => 3..=usize::MAX,
            _ => 2..=2,
        };
        let mut arguments = Arguments::new(self.name, arguments, counts)?;
        match self.kind {
            Kind::Fold(fold) => {
                // The server limits `any` to one group, but not where its rows come straight from storage.
                let limit = if fold == Fold::Any { limit.map(|limit| limit.min(1)) } else { limit };
                let mut folder = Folder::new(fold, self.dialect, grouping.cloned(), limit, points);
                for row in all_rows(&mut arguments)? {
                    folder.push_row(&row);
                    context.spend(points).await;
                }
                Ok(folder.finish())
            }
            Kind::Best(end) => {
                let counts = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    rank::best(end, group, &counts, context).await
                })
                .await
            }
            Kind::BestRows(end, measure) => {
                let counts = arguments.numbers()?;
                let rows = arguments.rows()?;
                let remaining = if arguments.left() > 0 { Some(arguments.text()?) } else { None };
                rank::each(rows, grouping, limit, async |group| {
                    Ok(rank::by_measure(end, measure, group, &counts, remaining.as_deref(), context).await)
                })
                .await
            }
            Kind::Limit => {
                let counts = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| match self.dialect {
                    Dialect::MetricsQl => Ok(rank::any_few(group, counts.first().copied().unwrap_or(0.0))),
                    Dialect::PromQl if counts.iter().any(|count| count.is_nan()) => {
                        Err(Error::invalid("Parameter value is NaN"))
                    }
                    Dialect::PromQl => Ok(rank::first_few(group, &counts, context).await),
                })
                .await
            }
            Kind::LimitRatio => {
                let ratios = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    rank::by_ratio(group, &ratios, context).await
                })
                .await
            }
            Kind::Quantile => {
                let quantiles = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    Ok(vec![spread::quantile(group, &quantiles, context).await])
                })
                .await
            }
            Kind::Median => {
                let halves = vec![0.5; points];
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(vec![spread::quantile(group, &halves, context).await])
                })
                .await
            }
            Kind::Quantiles => {
                let label = arguments.text()?;
                let quantiles = (1..arguments.left()).map(|_| arguments.number()).collect::<Result<Vec<_>>>()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    Ok(spread::quantiles(&label, &quantiles, &group, context).await)
                })
                .await
            }
            Kind::OutliersMad => {
                let tolerances = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    Ok(spread::outliers_mad(group, &tolerances, context).await)
                })
                .await
            }
            Kind::OutliersK => {
                let counts = arguments.numbers()?;
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    Ok(spread::outliersk(group, &counts, context).await)
                })
                .await
            }
            Kind::OutliersIqr => {
                rank::each(arguments.rows()?, grouping, limit, async |group| {
                    Ok(spread::outliers_iqr(group, context).await)
                })
                .await
            }
            Kind::Mad => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(vec![spread::mad(group, context).await])
                })
                .await
            }
            Kind::Share => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(spread::share(group, context).await)
                })
                .await
            }
            Kind::Zscore => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(spread::zscore(group, context).await)
                })
                .await
            }
            Kind::Mode => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(vec![spread::mode(group, context).await])
                })
                .await
            }
            Kind::Distinct => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(vec![spread::distinct(group, context).await])
                })
                .await
            }
            Kind::Histogram => {
                rank::each(all_rows(&mut arguments)?, grouping, limit, async |group| {
                    Ok(buckets::ranges_to_bounds(tally::histogram(&group, context).await))
                })
                .await
            }
            Kind::CountValues => {
                let label = arguments.text()?;
                let is_dropped = |grouping: &Grouping| grouping.is_without && grouping.labels.contains(&label);
                if self.dialect == Dialect::PromQl && grouping.is_some_and(is_dropped) {
                    // The label goes with those that are left out, so that nothing tells the values apart.
                    let mut folder = Folder::new(Fold::Count, self.dialect, grouping.cloned(), limit, points);
                    for row in arguments.rows()? {
                        folder.push_row(&row);
                        context.spend(points).await;
                    }
                    return Ok(folder.finish());
                }
                let grouping = tally::grouping_without(&label, grouping);
                rank::each(arguments.rows()?, grouping.as_ref(), limit, async |group| {
                    tally::count_values(&label, &group, context).await
                })
                .await
            }
        }
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

/// The rows of all arguments that are left, which are aggregated together.
fn all_rows(arguments: &mut Arguments) -> Result<Vec<Row>> {
    let mut rows = arguments.rows()?;
    while arguments.left() > 0 {
        rows.extend(arguments.rows()?);
    }
    Ok(rows)
}
