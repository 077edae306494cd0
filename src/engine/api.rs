//! Carries out a request of the Prometheus HTTP API.

use super::Shared;
use super::selection::selected;
use crate::engine::answer::text_labels;
use crate::error::Result;
use crate::executor::{self, Limits, Query, QueryData, QueryResult, Times};
use crate::http::arguments::Arguments;
use crate::http::prometheus::{self as api, ApiRoute, Numbers};
use crate::http::{HttpRequest, HttpResponse};
use crate::query::call::TimeZones;
use crate::query::dialect::Dialect;
use crate::query::language;
use crate::query::series::labels::Labels;
use crate::storage::Storage;
use crate::storage::search::MAX_SERIES;
use crate::time::TimeRange;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The most instants a range of this API has, as in Prometheus.
const MAX_POINTS: usize = 11_000;

/// Arguments that can't be used, in words.
type Refusal = String;

pub(super) async fn respond(
    storage: &Rc<Storage>,
    shared: &Shared,
    route: &ApiRoute,
    request: &HttpRequest,
) -> HttpResponse {
    let arguments = Arguments::of(request);
    let zones = shared.zones.borrow().clone();
    let request = ApiRequest { storage, arguments: &arguments, default_dialect: shared.config.dialect, zones };
    let outcome = match route {
        ApiRoute::Fixed(data) => Ok(api::success(data, &[])),
        ApiRoute::Alive(text) => {
            Ok(HttpResponse { status: 200, content_type: "text/plain; charset=utf-8", body: text.as_bytes().to_vec() })
        }
        ApiRoute::Query => request.query().await,
        ApiRoute::QueryRange => request.query_range().await,
        ApiRoute::FormatQuery => request.format_query(),
        ApiRoute::Series => request.series().await,
        ApiRoute::Labels => request.labels().await,
        ApiRoute::LabelValues { name } => request.label_values(name).await,
        ApiRoute::SeriesCount => request.series_count().await,
        ApiRoute::DeleteSeries if shared.config.read_only => {
            return api::failed(&super::follow::read_only(&shared.config));
        }
        ApiRoute::DeleteSeries => request.delete_series().await,
    };
    outcome.unwrap_or_else(|refusal| api::bad_data(&refusal))
}

struct ApiRequest<'a> {
    storage: &'a Rc<Storage>,
    arguments: &'a Arguments,
    default_dialect: Dialect,
    zones: Rc<dyn TimeZones>,
}

impl ApiRequest<'_> {
    fn now_ms(&self) -> i64 {
        self.storage.context().now()
    }

    fn dialect(&self) -> std::result::Result<Dialect, Refusal> {
        match self.arguments.get("dialect") {
            None => Ok(self.default_dialect),
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
        let expression =
            language::parse(text, dialect).map_err(|error| format!("invalid parameter \"query\": {error}"))?;
        if matches!(times, Times::Range { .. }) && dialect == Dialect::PromQl && expression.is_window() {
            return Err(format!("invalid parameter \"query\": {}", executor::not_for_ranges("range vector").message()));
        }
        let mut limits = Limits { points: MAX_POINTS, ..Limits::default() };
        if let Some(timeout_ms) = self.arguments.duration_ms("timeout")? {
            limits.timeout_ms = timeout_ms;
        }
        let lookback_ms = match self.arguments.duration_ms("lookback_delta")? {
            None => self.arguments.duration_ms("max_lookback")?,
            given => given,
        };
        Ok(Query { text: text.to_owned(), dialect, times, lookback_ms, is_fresh: false, limits })
    }

    async fn query(&self) -> std::result::Result<HttpResponse, Refusal> {
        let time_ms = self.arguments.time_ms("time", self.now_ms())?.unwrap_or_else(|| self.now_ms());
        let step_ms = self.arguments.duration_ms("step")?;
        let query = self.asked(Times::Instant { time_ms, step_ms })?;
        let numbers = self.numbers()?;
        let limit = self.arguments.count("limit")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        Ok(self.answered(executor::query(self.storage, &query, self.zones.clone()).await, |data| match data {
            QueryData::Rows { rows, .. } => api::vector(&rows[..rows.len().min(limit)], time_ms, numbers),
            QueryData::Matrix(series) => {
                let mut out = String::from("{\"resultType\":\"matrix\",\"result\":[");
                for (position, one) in series.iter().take(limit).enumerate() {
                    let samples = one.timestamps.iter().copied().zip(one.values.iter().copied());
                    let shown = samples.filter(|(_, value)| !crate::encoding::decimal::is_stale_nan(*value));
                    api::put_series(&mut out, position, &one.labels, shown, numbers);
                }
                out + "]}"
            }
            QueryData::Scalar(value) => {
                let mut out = String::from("{\"resultType\":\"scalar\",\"result\":");
                api::put_sample(&mut out, time_ms, *value, numbers);
                out + "}"
            }
            QueryData::Text(text) => {
                let mut out = String::from("{\"resultType\":\"string\",\"result\":[");
                api::put_time(&mut out, time_ms);
                out.push(',');
                api::put_text(&mut out, text);
                out + "]}"
            }
        }))
    }

    async fn query_range(&self) -> std::result::Result<HttpResponse, Refusal> {
        let missing = |name: &str| format!("invalid parameter \"{name}\": cannot parse \"\" to a valid timestamp");
        let start_ms = self.arguments.time_ms("start", self.now_ms())?.ok_or_else(|| missing("start"))?;
        let end_ms = self.arguments.time_ms("end", self.now_ms())?.ok_or_else(|| missing("end"))?;
        let step_ms = self
            .arguments
            .duration_ms("step")?
            .ok_or("invalid parameter \"step\": cannot parse \"\" to a valid duration")?;
        if end_ms < start_ms {
            return Err("invalid parameter \"end\": end timestamp must not be before start time".into());
        }
        if step_ms <= 0 {
            return Err("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer".into());
        }
        if (end_ms - start_ms) / step_ms > MAX_POINTS as i64 {
            return Err(format!(
                "exceeded maximum resolution of {MAX_POINTS} points per timeseries. Try decreasing the query resolution (?step=XX)"
            ));
        }
        let mut query = self.asked(Times::Range { start_ms, end_ms, step_ms })?;
        query.limits.points = MAX_POINTS + 1;
        let numbers = self.numbers()?;
        let limit = self.arguments.count("limit")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        Ok(self.answered(executor::query(self.storage, &query, self.zones.clone()).await, |data| match data {
            QueryData::Rows { rows, grid } => api::matrix(&rows[..rows.len().min(limit)], *grid, numbers),
            _ => api::matrix(&[], crate::query::series::grid::Grid::new(start_ms, step_ms, 1), numbers),
        }))
    }

    fn answered(&self, result: Result<QueryResult>, data: impl FnOnce(&QueryData) -> String) -> HttpResponse {
        match result {
            Ok(result) => api::success(&data(&result.data), &result.warnings),
            Err(error) => api::failed(&error),
        }
    }

    fn format_query(&self) -> std::result::Result<HttpResponse, Refusal> {
        let text = self.arguments.get("query").unwrap_or_default();
        let expression =
            language::parse(text, self.dialect()?).map_err(|error| format!("invalid parameter \"query\": {error}"))?;
        let mut data = String::new();
        api::put_text(&mut data, &language::print(&expression));
        Ok(api::success(&data, &[]))
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

    /// The filters of all selectors; an empty list where there is none.
    fn filters(&self) -> std::result::Result<Vec<Vec<crate::metric::filter::TagFilter>>, Refusal> {
        let mut filters = Vec::new();
        for selector in self.arguments.all("match[]") {
            filters.extend(selected(selector).map_err(|error| format!("invalid parameter \"match[]\": {error}"))?);
        }
        Ok(filters)
    }

    async fn series(&self) -> std::result::Result<HttpResponse, Refusal> {
        let (filters, range, limit) = (self.filters()?, self.range()?, self.limit()?);
        if filters.is_empty() {
            return Err("no match[] parameter provided".into());
        }
        Ok(match self.storage.find_series(&filters, range, MAX_SERIES).await {
            Err(error) => api::failed(&error),
            Ok(series) => {
                let mut data = String::from("[");
                for (position, found) in series.iter().take(limit).enumerate() {
                    if position > 0 {
                        data.push(',');
                    }
                    let labels = text_labels(&found.name).into_iter();
                    api::put_labels(&mut data, &Labels::new(labels.map(|(name, value)| (name.into(), value.into()))));
                }
                api::success(&(data + "]"), &[])
            }
        })
    }

    async fn labels(&self) -> std::result::Result<HttpResponse, Refusal> {
        let (filters, range, limit) = (self.filters()?, self.range()?, self.limit()?);
        let mut names = BTreeSet::new();
        let lists = if filters.is_empty() { vec![Vec::new()] } else { filters };
        for list in &lists {
            match self.storage.label_names(list, range).await {
                Ok(found) => names.extend(found),
                Err(error) => return Ok(api::failed(&error)),
            }
        }
        Ok(api::success(&api::list(&names.into_iter().take(limit).collect::<Vec<_>>()), &[]))
    }

    async fn label_values(&self, name: &str) -> std::result::Result<HttpResponse, Refusal> {
        let (filters, range, limit) = (self.filters()?, self.range()?, self.limit()?);
        let mut values = BTreeSet::new();
        let lists = if filters.is_empty() { vec![Vec::new()] } else { filters };
        for list in &lists {
            match self.storage.label_values(name, list, range).await {
                Ok(found) => values.extend(found),
                Err(error) => return Ok(api::failed(&error)),
            }
        }
        Ok(api::success(&api::list(&values.into_iter().take(limit).collect::<Vec<_>>()), &[]))
    }

    async fn series_count(&self) -> std::result::Result<HttpResponse, Refusal> {
        Ok(match self.storage.find_series(&[Vec::new()], TimeRange::ALL, MAX_SERIES).await {
            Ok(series) => api::success(&format!("[{}]", series.len()), &[]),
            Err(error) => api::failed(&error),
        })
    }

    async fn delete_series(&self) -> std::result::Result<HttpResponse, Refusal> {
        let filters = self.filters()?;
        if filters.is_empty() {
            return Err("no match[] parameter provided".into());
        }
        Ok(match self.storage.delete_series(&filters).await {
            Ok(_) => HttpResponse { status: 204, content_type: "application/json", body: Vec::new() },
            Err(error) => api::failed(&error),
        })
    }
}
