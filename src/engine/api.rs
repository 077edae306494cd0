//! Carries out a request of the Prometheus HTTP API.

use super::Shared;
use super::metrics::metrics;
use super::query_log;
use super::selection::{extra_filters, matched, matched_or_all};
use super::served_trace::served;
use crate::engine::answer::text_labels;
use crate::error::Result;
use crate::executor::{self, INSTANT_STEP_MS, Limits, Query, QueryData, Times};
use crate::formats::export::ExportFormat;
use crate::http::arguments::Arguments;
use crate::http::prometheus::{self as api, ApiRoute, Numbers, Remarks};
use crate::http::status::Cardinality;
use crate::http::{HttpRequest, HttpResponse, JSON, TEXT};
use crate::metric::filter::TagFilter;
use crate::metric::name::MetricName;
use crate::query::dialect::Dialect;
use crate::query::language;
use crate::query::series::labels::Labels;
use crate::runtime::MemoryShare;
use crate::storage::Storage;
use crate::storage::search::MAX_SERIES;
use crate::time::{DAY_MS, TimeRange, format_rfc3339};
use std::rc::Rc;

/// The most instants a range of this API has, as in Prometheus.
const MAX_POINTS: usize = 11_000;

/// What a query without bounds asks for, and how old a sample is that another server scrapes, in VictoriaMetrics.
const DEFAULT_RANGE_MS: i64 = 300_000;
/// Lengths of lists, and ages, as the servers choose them.
const DEFAULT_TOP_QUERIES: usize = 20;
const DEFAULT_TOP_LABELS: usize = 10;
const DEFAULT_MAX_LIFETIME_MS: i64 = 600_000;
/// Values are rounded to fewer places than so many.
const MOST_ROUND_DIGITS: i32 = 100;
/// Work that it takes to count the labels of a series.
const COUNT_UNITS: u64 = 60;
/// Work of printing a value with its instant.
const PRINTED_UNITS: u64 = 4;
/// A reply is there as often while it grows, is closed and is handed over, and is counted in pieces of so many bytes.
const COPIES_OF_REPLY: u64 = 4;
const COUNTED_BYTES: usize = 64 << 10;

/// Arguments that can't be used, in words.
type Refusal = String;

pub(super) async fn respond(
    storage: &Rc<Storage>,
    shared: &Shared,
    route: &ApiRoute,
    request: &HttpRequest,
) -> HttpResponse {
    let arguments = Arguments::of(request);
    let request = ApiRequest { storage, shared, arguments: &arguments };
    if arguments.is_on("fresh")
        && let Err(error) = storage.flush().await
    {
        return api::failed(&error);
    }
    let outcome = match route {
        ApiRoute::Fixed(data) => Ok(api::success(data)),
        ApiRoute::RuntimeInfo => Ok(request.runtime_info()),
        ApiRoute::Alive(text) => Ok(HttpResponse::new(200, TEXT, *text)),
        ApiRoute::Influx("") => Ok(HttpResponse::new(204, JSON, "")),
        ApiRoute::Influx(reply) => Ok(api::plain((*reply).to_owned())),
        ApiRoute::Metrics => Ok(metrics(storage)),
        ApiRoute::ActiveQueries => Ok(shared.queries.active(request.now_ms())),
        ApiRoute::TopQueries => request.top_queries(),
        ApiRoute::TsdbStatus => request.tsdb_status().await,
        ApiRoute::Federate => request.federate().await,
        ApiRoute::Query => request.query().await,
        ApiRoute::QueryRange => request.query_range().await,
        ApiRoute::FormatQuery => request.format_query(),
        ApiRoute::Series => request.series().await,
        ApiRoute::Labels => request.labels().await,
        ApiRoute::LabelValues { name } => request.label_values(name).await,
        ApiRoute::SeriesCount => request.series_count().await,
        ApiRoute::DeleteSeries if shared.config.read_only => {
            return api::failed(&shared.config.read_only_error());
        }
        ApiRoute::DeleteSeries => {
            if let Err(error) = shared.check_not_restoring() {
                return api::failed(&error);
            }
            request.delete_series().await
        }
    };
    outcome.unwrap_or_else(|refusal| api::bad_data(&refusal))
}

struct ApiRequest<'a> {
    storage: &'a Rc<Storage>,
    shared: &'a Shared,
    arguments: &'a Arguments,
}

impl ApiRequest<'_> {
    fn now_ms(&self) -> i64 {
        self.storage.context().now()
    }

    fn dialect(&self) -> std::result::Result<Dialect, Refusal> {
        match self.arguments.get("dialect") {
            None => Ok(self.shared.config.dialect),
            Some(name) => Dialect::by_name(name).ok_or_else(|| {
                format!("invalid parameter \"dialect\": {name:?} is neither \"metricsql\" nor \"promql\"")
            }),
        }
    }

    fn numbers(&self) -> std::result::Result<Numbers, Refusal> {
        Ok(match self.dialect()? {
            Dialect::MetricsQl => Numbers::Plain,
            Dialect::PromQl => Numbers::Exponents,
        })
    }

    /// The query of the arguments, if its text can be read.
    fn asked(&self, times: Times) -> std::result::Result<Query, Refusal> {
        let dialect = self.dialect()?;
        let text = self.arguments.get("query").unwrap_or_default();
        language::parse(text, dialect).map_err(|error| format!("invalid parameter \"query\": {error}"))?;
        let mut limits = Limits { points: MAX_POINTS, ..Limits::default() };
        if let Some(timeout_ms) = self.arguments.duration_ms("timeout")? {
            limits.timeout_ms = timeout_ms;
        }
        let is_traced = self.arguments.is_on("trace");
        let lookback_ms = match self.arguments.duration_ms("lookback_delta")? {
            None => self.arguments.duration_ms("max_lookback")?,
            given => given,
        };
        let extra_filters = extra_filters(self.arguments).map_err(|error| error.to_string())?;
        Ok(Query {
            text: text.to_owned(),
            dialect,
            extra_filters,
            times,
            lookback_ms,
            is_fresh: false,
            is_traced,
            is_followed: false,
            held: None,
            limits,
        })
    }

    async fn query(&self) -> std::result::Result<HttpResponse, Refusal> {
        let time_ms = self.arguments.time_ms("time", self.now_ms())?.unwrap_or_else(|| self.now_ms());
        let mut step_ms = self.arguments.signed_duration_ms("step")?;
        // Of an instant the server takes it for how far a window reaches that has no length of its own.
        if step_ms.is_none() && self.dialect()? == Dialect::MetricsQl {
            step_ms = self.arguments.duration_ms("max_lookback")?;
        }
        let query = self.asked(Times::Instant { time_ms, step_ms })?;
        self.answered(&query).await
    }

    async fn query_range(&self) -> std::result::Result<HttpResponse, Refusal> {
        let end_ms = self.arguments.time_ms("end", self.now_ms())?;
        let start_ms = self.arguments.time_ms("start", self.now_ms())?;
        let step_ms = self.arguments.signed_duration_ms("step")?;
        let (start_ms, end_ms, step_ms) = match self.dialect()? {
            // VictoriaMetrics takes the last five minutes.
            Dialect::MetricsQl => {
                let end_ms = end_ms.unwrap_or_else(|| self.now_ms());
                let start_ms = start_ms.unwrap_or_else(|| end_ms.saturating_sub(DEFAULT_RANGE_MS));
                (start_ms, end_ms, step_ms.unwrap_or(INSTANT_STEP_MS))
            }
            Dialect::PromQl => {
                let missing = |name: &str, what: &str| {
                    format!("invalid parameter \"{name}\": cannot parse \"\" to a valid {what}")
                };
                (
                    start_ms.ok_or_else(|| missing("start", "timestamp"))?,
                    end_ms.ok_or_else(|| missing("end", "timestamp"))?,
                    step_ms.ok_or_else(|| missing("step", "duration"))?,
                )
            }
        };
        if end_ms < start_ms {
            return Err("invalid parameter \"end\": end timestamp must not be before start time".into());
        }
        if step_ms <= 0 {
            return Err("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer".into());
        }
        if end_ms.saturating_sub(start_ms) / step_ms > MAX_POINTS as i64 {
            return Err("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)".into());
        }
        let mut query = self.asked(Times::Range { start_ms, end_ms, step_ms })?;
        query.limits.points = MAX_POINTS + 1;
        self.answered(&query).await
    }

    /// What a query has found, as `resultType` and `result`.
    async fn written(&self, data: &QueryData, times: Times, numbers: Numbers) -> Result<String> {
        let context = self.storage.context();
        let mut memory = ReplyMemory::new(self.storage);
        let mut out;
        Ok(match (data, times) {
            (QueryData::Rows { rows, .. }, Times::Instant { time_ms, .. }) => {
                out = String::from(api::VECTOR);
                for (position, row) in rows.iter().enumerate() {
                    api::put_element(&mut out, position, row, time_ms, numbers);
                    context.spend(PRINTED_UNITS).await;
                }
                out + api::END
            }
            (QueryData::Rows { rows, grid }, Times::Range { .. }) => {
                out = String::from(api::MATRIX);
                for (position, row) in rows.iter().enumerate() {
                    let present = (0..row.values.len()).filter(|position| row.is_present(*position));
                    let samples = present.map(|at| (grid.at(at), row.values[at]));
                    self.put_series(&mut out, position, &row.labels, samples, numbers, &mut memory).await?;
                }
                out + api::END
            }
            (QueryData::Matrix(series), _) => {
                out = String::from(api::MATRIX);
                for (position, one) in series.iter().enumerate() {
                    let samples = one.timestamps.iter().copied().zip(one.values.iter().copied());
                    let shown = samples.filter(|(_, value)| !crate::encoding::decimal::is_stale_nan(*value));
                    self.put_series(&mut out, position, &one.labels, shown, numbers, &mut memory).await?;
                }
                out + api::END
            }
            // A range of a scalar has rows.
            (_, Times::Range { .. }) => [api::MATRIX, api::END].concat(),
            (QueryData::Scalar(value), Times::Instant { time_ms, .. }) => {
                out = String::from("{\"resultType\":\"scalar\",\"result\":");
                api::put_sample(&mut out, time_ms, *value, numbers);
                out + "}"
            }
            (QueryData::Text(text), Times::Instant { time_ms, .. }) => {
                out = String::from("{\"resultType\":\"string\",\"result\":[");
                api::put_time(&mut out, time_ms);
                out.push(',');
                api::put_text(&mut out, text);
                out + api::END
            }
        })
    }

    /// One series of a matrix, which may have a million samples.
    async fn put_series(
        &self,
        out: &mut String,
        position: usize,
        labels: &Labels,
        samples: impl Iterator<Item = (i64, f64)>,
        numbers: Numbers,
        memory: &mut ReplyMemory,
    ) -> Result<()> {
        api::begin_series(out, position, labels);
        for (number, (at_ms, value)) in samples.enumerate() {
            if number > 0 {
                out.push(',');
            }
            api::put_sample(out, at_ms, value, numbers);
            self.storage.context().spend(PRINTED_UNITS).await;
            memory.count_some(out.len())?;
        }
        out.push_str(api::SERIES_END);
        memory.count(out.len())
    }

    /// The places behind the point to which values are rounded, as the server has it.
    fn round_digits(&self) -> std::result::Result<Option<i32>, Refusal> {
        let dialect = self.dialect()?;
        let Some(text) = self.arguments.get("round_digits") else { return Ok(None) };
        let digits: i32 =
            text.parse().map_err(|_| format!("invalid parameter \"round_digits\": {text:?} is no whole number"))?;
        Ok(Some(digits).filter(|digits| digits.abs() < MOST_ROUND_DIGITS && dialect == Dialect::MetricsQl))
    }

    /// Carries a query out, and writes what it has found, of which no more than the argument `limit` says is shown.
    async fn answered(&self, query: &Query) -> std::result::Result<HttpResponse, Refusal> {
        let (limit, numbers, digits) = (self.limit()?, self.numbers()?, self.round_digits()?);
        let stopwatch = self.shared.surroundings.borrow().stopwatch.clone();
        let began_ms = stopwatch.milliseconds();
        Ok(match query_log::query(self.storage, self.shared, query).await {
            Ok(mut result) => {
                if let Some(digits) = digits {
                    round(&mut result.data, digits);
                }
                let mut remarks = match &mut result.data {
                    QueryData::Rows { rows, .. } => truncated(rows, limit),
                    QueryData::Matrix(series) => truncated(series, limit),
                    QueryData::Scalar(_) | QueryData::Text(_) => Remarks::default(),
                };
                remarks.warnings.extend(result.warnings);
                remarks.infos = result.infos;
                remarks.trace = result.trace.as_ref().map(served);
                let mut data = match self.written(&result.data, query.times, numbers).await {
                    Ok(data) => data,
                    Err(error) => return Ok(api::failed(&error)),
                };
                if self.arguments.get("stats").is_some() {
                    api::put_stats(&mut data, (stopwatch.milliseconds() - began_ms) / 1e3, result.stats.samples);
                }
                api::success_with(&data, &remarks)
            }
            Err(error) if error.is_timeout() => api::timed_out(&error),
            Err(error) if error.is_wrong_type() => {
                api::bad_data(&format!("invalid parameter \"query\": {}", error.message()))
            }
            Err(error) => api::failed(&error),
        })
    }

    /// What Prometheus tells of its process: when it was started, and how long samples are kept. The rest is what a program in one thread,
    /// without a configuration to reload, has to say.
    fn runtime_info(&self) -> HttpResponse {
        let options = self.storage.options();
        let (start, days) = (format_rfc3339(options.start_time), options.retention_ms / DAY_MS);
        api::success(&format!(
            "{{\"startTime\":\"{start}\",\"CWD\":\"\",\"reloadConfigSuccess\":true,\"lastConfigTime\":\"{start}\",\"corruptionCount\":0,\
             \"goroutineCount\":1,\"GOMAXPROCS\":1,\"GOGC\":\"\",\"GODEBUG\":\"\",\"storageRetention\":\"{days}d\"}}"
        ))
    }

    fn top_queries(&self) -> std::result::Result<HttpResponse, Refusal> {
        let top = self.arguments.count("topN")?.unwrap_or(DEFAULT_TOP_QUERIES);
        let max_lifetime_ms = self.arguments.duration_ms("maxLifetime")?.unwrap_or(DEFAULT_MAX_LIFETIME_MS);
        let max_lifetime = self.arguments.get("maxLifetime").unwrap_or("10m");
        Ok(self.shared.queries.top(top, (max_lifetime, max_lifetime_ms), self.now_ms()))
    }

    /// How many series of a day have which labels; of all days where the day is the first one there is.
    async fn tsdb_status(&self) -> std::result::Result<HttpResponse, Refusal> {
        let top = self.arguments.count("topN")?.unwrap_or(DEFAULT_TOP_LABELS);
        let day = self.arguments.time_ms("date", self.now_ms())?.unwrap_or_else(|| self.now_ms()).div_euclid(DAY_MS);
        let range = match day {
            0 => TimeRange::ALL,
            _ => TimeRange { min: day * DAY_MS, max: (day + 1) * DAY_MS - 1 },
        };
        let filters = self.filters_or_all()?;
        let counted = async {
            let series = self.storage.find_series(&filters, range, MAX_SERIES).await?;
            let mut memory = self.storage.context().memory().share();
            let mut cardinality = Cardinality::default();
            for found in &series {
                self.storage.context().spend(COUNT_UNITS).await;
                memory.grow(cardinality.add(found.name.labels()))?;
            }
            Ok(cardinality.reply(top, self.arguments.text("focusLabel")))
        };
        Ok(counted.await.unwrap_or_else(|error| api::failed(&error)))
    }

    /// The newest sample of each series, as another Prometheus scrapes it.
    async fn federate(&self) -> std::result::Result<HttpResponse, Refusal> {
        let filters = self.filters()?;
        let within_ms = self.arguments.duration_ms("max_lookback")?.unwrap_or(DEFAULT_RANGE_MS);
        let max = self.arguments.time_ms("end", self.now_ms())?.unwrap_or(i64::MAX);
        let min = self
            .arguments
            .time_ms("start", self.now_ms())?
            .unwrap_or_else(|| max.min(self.now_ms()).saturating_sub(within_ms));
        let mut body = Vec::new();
        match executor::latest::latest(self.storage, &filters, TimeRange { min, max }).await {
            Err(error) => return Ok(api::failed(&error)),
            Ok(found) => {
                let mut memory = ReplyMemory::new(self.storage);
                for series in found {
                    self.storage.context().spend(COUNT_UNITS).await;
                    if let Err(error) = memory.count_some(body.len()) {
                        return Ok(api::failed(&error));
                    }
                    let labels = series.labels.iter().map(|(name, value)| (&**name, &**value));
                    let name = MetricName::from_labels(labels);
                    let written = ExportFormat::Prometheus.write(&name, &series.timestamps, &series.values, &mut body);
                    written.map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(HttpResponse::new(200, TEXT, body))
    }

    fn format_query(&self) -> std::result::Result<HttpResponse, Refusal> {
        let text = self.arguments.get("query").unwrap_or_default();
        let expression =
            language::parse(text, self.dialect()?).map_err(|error| format!("invalid parameter \"query\": {error}"))?;
        let mut data = String::new();
        api::put_text(&mut data, &language::print(&expression));
        Ok(api::success(&data))
    }

    /// The arguments `start` and `end`; all times without them.
    fn range(&self) -> std::result::Result<TimeRange, Refusal> {
        let min = self.arguments.time_ms("start", self.now_ms())?.unwrap_or(i64::MIN);
        let max = self.arguments.time_ms("end", self.now_ms())?.unwrap_or(i64::MAX);
        Ok(TimeRange { min, max })
    }

    fn limit(&self) -> std::result::Result<usize, Refusal> {
        Ok(self.arguments.count("limit")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX))
    }

    /// The filters of all selectors, of which there must be one.
    fn filters(&self) -> std::result::Result<Vec<Vec<TagFilter>>, Refusal> {
        let filters = matched(self.arguments, self.dialect()?).map_err(|error| error.to_string())?;
        filters.ok_or_else(|| "no match[] parameter provided".into())
    }

    /// The same; of all series where there is no selector.
    fn filters_or_all(&self) -> std::result::Result<Vec<Vec<TagFilter>>, Refusal> {
        matched_or_all(self.arguments, self.dialect()?).map_err(|error| error.to_string())
    }

    async fn series(&self) -> std::result::Result<HttpResponse, Refusal> {
        let (filters, range, limit) = (self.filters()?, self.range()?, self.limit()?);
        Ok(match self.storage.find_series(&filters, range, MAX_SERIES).await {
            Err(error) => api::failed(&error),
            Ok(mut series) => {
                let remarks = truncated(&mut series, limit);
                let mut data = String::from("[");
                let mut memory = ReplyMemory::new(self.storage);
                for (position, found) in series.iter().enumerate() {
                    if position > 0 {
                        data.push(',');
                    }
                    self.storage.context().spend(COUNT_UNITS).await;
                    if let Err(error) = memory.count_some(data.len()) {
                        return Ok(api::failed(&error));
                    }
                    let labels = text_labels(&found.name).into_iter();
                    api::put_labels(&mut data, &Labels::new(labels.map(|(name, value)| (name.into(), value.into()))));
                }
                api::success_with(&(data + "]"), &remarks)
            }
        })
    }

    async fn labels(&self) -> std::result::Result<HttpResponse, Refusal> {
        let (lists, range, limit) = (self.filters_or_all()?, self.range()?, self.limit()?);
        let names = self.storage.label_names(&lists, range).await;
        Ok(names.map_or_else(|error| api::failed(&error), |names| texts(names, limit)))
    }

    async fn label_values(&self, name: &str) -> std::result::Result<HttpResponse, Refusal> {
        let (lists, range, limit) = (self.filters_or_all()?, self.range()?, self.limit()?);
        let values = self.storage.label_values(name, &lists, range).await;
        Ok(values.map_or_else(|error| api::failed(&error), |values| texts(values, limit)))
    }

    async fn series_count(&self) -> std::result::Result<HttpResponse, Refusal> {
        Ok(match self.storage.find_series(&self.filters_or_all()?, TimeRange::ALL, MAX_SERIES).await {
            Ok(series) => api::success(&format!("[{}]", series.len())),
            Err(error) => api::failed(&error),
        })
    }

    async fn delete_series(&self) -> std::result::Result<HttpResponse, Refusal> {
        let filters = self.filters()?;
        if self.arguments.get("start").or(self.arguments.get("end")).is_some() {
            return Err(
                "start and end are not supported: series are deleted with all their samples; leave both out to do that"
                    .into(),
            );
        }
        Ok(match self.storage.delete_series(&filters).await {
            Ok(_) => HttpResponse::new(204, JSON, ""),
            Err(error) => api::failed(&error),
        })
    }
}

/// The memory of a reply that grows.
struct ReplyMemory {
    share: MemoryShare,
    counted_bytes: usize,
}

impl ReplyMemory {
    fn new(storage: &Storage) -> Self {
        Self { share: storage.context().memory().share(), counted_bytes: 0 }
    }

    /// Counts a reply that is so long by now, once it has grown by as much as is worth it.
    fn count_some(&mut self, bytes: usize) -> Result<()> {
        if bytes - self.counted_bytes > COUNTED_BYTES { self.count(bytes) } else { Ok(()) }
    }

    /// Counts a reply that is so long by now.
    fn count(&mut self, bytes: usize) -> Result<()> {
        self.share.grow(COPIES_OF_REPLY * (bytes - self.counted_bytes) as u64)?;
        self.counted_bytes = bytes;
        Ok(())
    }
}

/// Rounds all values to so many places behind the point, or before it.
fn round(data: &mut QueryData, digits: i32) {
    let Ok(unit) = format!("1e{digits}").parse::<f64>() else { return };
    let round = |value: &mut f64| *value = (*value * unit).round() / unit;
    match data {
        QueryData::Rows { rows, .. } => rows.iter_mut().flat_map(|row| &mut row.values).for_each(round),
        QueryData::Matrix(series) => {
            let values = series.iter_mut().flat_map(|series| &mut series.values);
            // The marker of an end is one among the NaNs.
            values.filter(|value| !value.is_nan()).for_each(round);
        }
        QueryData::Scalar(value) => round(value),
        QueryData::Text(_) => {}
    }
}

/// Takes away what is more than a limit, and says so.
fn truncated<T>(items: &mut Vec<T>, limit: usize) -> Remarks {
    let warnings = if items.len() > limit { vec![api::TRUNCATED.to_owned()] } else { Vec::new() };
    items.truncate(limit);
    Remarks { warnings, ..Remarks::default() }
}

/// The reply with names or values.
fn texts(mut found: Vec<String>, limit: usize) -> HttpResponse {
    let remarks = truncated(&mut found, limit);
    api::success_with(&api::list(&found), &remarks)
}
