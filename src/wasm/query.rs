//! Queries and their answers on the way between JavaScript and the engine: what names things goes as one JSON text, all numbers go in
//! one column.

use super::json::json_text;
use crate::error::{Error, Result};
use crate::executor::envelope::EnvelopeRow;
use crate::executor::{
    Held, Limits, Query, QueryData, QueryResult, QueryStats, RawSeries, Standing, Steady, Times, Trace,
};
use crate::query::dialect::Dialect;
use crate::query::rollup::Gaps;
use crate::query::series::labels::Labels;
use crate::runtime::Mark;
use js_sys::{Array, Float64Array};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use wasm_bindgen::prelude::*;

/// A query as JavaScript writes it; times and durations in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    expression: String,
    dialect: Option<String>,
    /// For a query of one instant; that of a range has `start` and `end`.
    time: Option<f64>,
    start: Option<f64>,
    end: Option<f64>,
    step: Option<f64>,
    lookback: Option<f64>,
    fresh: bool,
    trace: bool,
    max_series: Option<f64>,
    max_samples: Option<f64>,
    timeout: Option<f64>,
    follow: bool,
    held: Option<HeldAnswer>,
}

/// The answer to the same query that the asker has already.
#[derive(Deserialize)]
struct HeldAnswer {
    standing: Vec<f64>,
    start: f64,
    points: f64,
}

impl From<HeldAnswer> for Held {
    fn from(held: HeldAnswer) -> Self {
        Self { standing: standing_of(&held.standing), start_ms: held.start as i64, points: held.points as usize }
    }
}

/// What to ask again with, as numbers that mean nothing to others.
fn numbers_of(standing: Standing) -> Vec<i64> {
    let Standing { mark, steady } = standing;
    let mut numbers = vec![i64::from(mark.epoch), mark.arrivals as i64];
    if let Some(Steady { until_ms, samples_until_ms, gaps }) = steady {
        numbers.extend([until_ms, samples_until_ms, gaps.least_ms, gaps.greatest_ms]);
    }
    numbers
}

fn standing_of(numbers: &[f64]) -> Standing {
    let number = |at: usize| numbers.get(at).map_or(0, |number| *number as i64);
    let mark = Mark { epoch: number(0) as u32, arrivals: number(1) as u64 };
    let steady = (numbers.len() == 6).then(|| Steady {
        until_ms: number(2),
        samples_until_ms: number(3),
        gaps: Gaps { least_ms: number(4), greatest_ms: number(5) },
    });
    Standing { mark, steady }
}

impl Asked {
    /// The query; `default_dialect` is spoken where it names none.
    pub(super) fn query(self, default_dialect: Dialect) -> Result<Query> {
        let dialect = match &self.dialect {
            None => default_dialect,
            Some(name) => Dialect::by_name(name).ok_or_else(|| {
                Error::invalid(format!("the dialect {name:?} is neither \"metricsql\" nor \"promql\""))
            })?,
        };
        let times = match (self.time, self.start, self.end, self.step) {
            (Some(time), _, _, step) => Times::Instant { time_ms: time as i64, step_ms: step.map(|step| step as i64) },
            (None, Some(start), Some(end), Some(step)) => {
                Times::Range { start_ms: start as i64, end_ms: end as i64, step_ms: step as i64 }
            }
            _ => return Err(Error::invalid("a query needs a time, or a start, an end and a step")),
        };
        let defaults = Limits::default();
        let limits = Limits {
            series: self.max_series.map_or(defaults.series, |series| series as usize),
            samples: self.max_samples.map_or(defaults.samples, |samples| samples as u64),
            timeout_ms: self.timeout.map_or(defaults.timeout_ms, |timeout| timeout as i64),
            ..defaults
        };
        let lookback_ms = self.lookback.map(|lookback| lookback as i64);
        Ok(Query {
            text: self.expression,
            dialect,
            extra_filters: Vec::new(),
            times,
            lookback_ms,
            is_fresh: self.fresh,
            is_traced: self.trace,
            is_followed: self.follow,
            held: self.held.map(Held::from),
            limits,
        })
    }
}

/// What names the numbers of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Names<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    series: Vec<SeriesNames<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    start: i64,
    step: i64,
    points: usize,
    /// Those of the answer, and behind them infos on the question.
    warnings: Vec<&'a String>,
    stats: QueryStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a Trace>,
    /// For who asks again.
    standing: Vec<i64>,
    /// How many instants, from the first one on, the asker holds already.
    kept: usize,
}

#[derive(Serialize)]
struct SeriesNames<'a> {
    labels: LabelObject<'a>,
    /// How many samples it has, where series differ in that.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    /// One bit a step, where gaps are not the NaNs.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<&'a [u8]>,
}

struct LabelObject<'a>(&'a Labels);

impl Serialize for LabelObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            object.serialize_entry(&**name, &**value)?;
        }
        object.end()
    }
}

/// An answer as names and numbers: of rows the values of all instants, one row after the other; of samples for each series its timestamps,
/// then its values.
pub(super) fn answer_to_query(result: &QueryResult) -> Result<JsValue> {
    let mut numbers = Vec::new();
    let mut names = Names {
        kind: "vector",
        series: Vec::new(),
        text: None,
        start: 0,
        step: 0,
        points: 0,
        warnings: result.warnings.iter().chain(&result.infos).collect(),
        stats: result.stats,
        trace: result.trace.as_ref(),
        standing: numbers_of(result.standing),
        kept: result.kept_points,
    };
    match &result.data {
        QueryData::Rows { grid, rows } => {
            (names.start, names.step, names.points) = (grid.start_ms, grid.step_ms, grid.points);
            for row in rows {
                numbers.extend_from_slice(&row.values);
                let present = row.present.as_ref().map(|present| present.as_bytes());
                names.series.push(SeriesNames { labels: LabelObject(&row.labels), length: None, present });
            }
        }
        QueryData::Matrix(series) => {
            names.kind = "matrix";
            put_samples(series, &mut names.series, &mut numbers);
        }
        QueryData::Scalar(value) => {
            names.kind = "scalar";
            numbers.push(*value);
        }
        QueryData::Text(text) => {
            names.kind = "string";
            names.text = Some(text);
        }
    }
    named(&names, &numbers)
}

/// The newest samples, as those of a query.
pub(super) fn answer_to_latest(series: &[RawSeries]) -> Result<JsValue> {
    let (mut names, mut numbers) = (Vec::new(), Vec::new());
    put_samples(series, &mut names, &mut numbers);
    named(&names, &numbers)
}

/// Of each series the least, greatest, first and last values of all columns.
pub(super) fn answer_to_envelope(rows: &[EnvelopeRow]) -> Result<JsValue> {
    let mut numbers = Vec::new();
    let mut names = Vec::new();
    for row in rows {
        for column in [&row.min, &row.max, &row.first, &row.last] {
            numbers.extend_from_slice(column);
        }
        names.push(SeriesNames { labels: LabelObject(&row.labels), length: None, present: None });
    }
    named(&names, &numbers)
}

fn put_samples<'a>(series: &'a [RawSeries], names: &mut Vec<SeriesNames<'a>>, numbers: &mut Vec<f64>) {
    for one in series {
        numbers.extend(one.timestamps.iter().map(|timestamp| *timestamp as f64));
        numbers.extend_from_slice(&one.values);
        let length = Some(one.values.len());
        names.push(SeriesNames { labels: LabelObject(&one.labels), length, present: None });
    }
}

fn named(names: &impl Serialize, numbers: &[f64]) -> Result<JsValue> {
    let names: JsValue = json_text(names)?.into();
    Ok(Array::of2(&names, &Float64Array::from(numbers)).into())
}
