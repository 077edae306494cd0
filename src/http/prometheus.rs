//! The Prometheus HTTP API: which request is meant, and replies in its words.

use super::methods::Methods;
use super::{HttpResponse, JSON};
use crate::error::{Error, ErrorKind};
use crate::query::number;
use crate::query::series::labels::Labels;
use crate::query::series::row::Row;
use serde::Serialize;
use std::fmt::Write;

/// A request of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiRoute {
    /// `/api/v1/query`
    Query,
    /// `/api/v1/query_range`
    QueryRange,
    /// `/api/v1/series`
    Series,
    /// `/api/v1/labels`
    Labels,
    /// `/api/v1/label/<name>/values`
    LabelValues {
        /// The label, unescaped.
        name: String,
    },
    /// `/api/v1/series/count`
    SeriesCount,
    /// `/api/v1/admin/tsdb/delete_series`
    DeleteSeries,
    /// `/api/v1/format_query`
    FormatQuery,
    /// `/federate`
    Federate,
    /// `/api/v1/status/tsdb`
    TsdbStatus,
    /// `/api/v1/status/active_queries`
    ActiveQueries,
    /// `/api/v1/status/top_queries`
    TopQueries,
    /// `/api/v1/status/runtimeinfo`
    RuntimeInfo,
    /// `/metrics`
    Metrics,
    /// A reply that says the same for every database.
    Fixed(&'static str),
    /// A short text: it is there.
    Alive(&'static str),
    /// What Influx clients ask a server before they write: whether it is there (`/ping`), and its databases (`/query`).
    Influx(&'static str),
}

impl ApiRoute {
    /// The request of a path, if it is one of this API; prefixes such as `/prometheus` are taken off.
    pub fn parse(path: &str) -> Option<Self> {
        let path = without_prefix(path);
        if let Some(name) = path.strip_prefix("/api/v1/label/").and_then(|rest| rest.strip_suffix("/values")) {
            return Some(Self::LabelValues { name: unescaped_name(name) });
        }
        Some(match path {
            "/api/v1/query" => Self::Query,
            "/api/v1/query_range" => Self::QueryRange,
            "/api/v1/series" => Self::Series,
            "/api/v1/labels" => Self::Labels,
            "/api/v1/series/count" => Self::SeriesCount,
            "/api/v1/admin/tsdb/delete_series" => Self::DeleteSeries,
            "/api/v1/format_query" => Self::FormatQuery,
            "/federate" => Self::Federate,
            "/api/v1/status/tsdb" => Self::TsdbStatus,
            "/api/v1/status/active_queries" => Self::ActiveQueries,
            "/api/v1/status/top_queries" => Self::TopQueries,
            "/api/v1/status/runtimeinfo" => Self::RuntimeInfo,
            "/metrics" => Self::Metrics,
            "/ping" => Self::Influx(""),
            "/query" => Self::Influx(
                r#"{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["_internal"]]}]}]}"#,
            ),
            "/api/v1/metadata" => Self::Fixed("{}"),
            "/api/v1/query_exemplars" => Self::Fixed("[]"),
            "/api/v1/rules" | "/rules" => Self::Fixed("{\"groups\":[]}"),
            "/api/v1/alerts" | "/alerts" => Self::Fixed("{\"alerts\":[]}"),
            "/api/v1/targets" => Self::Fixed("{\"activeTargets\":[],\"droppedTargets\":[]}"),
            "/api/v1/targets/metadata" => Self::Fixed("[]"),
            "/api/v1/alertmanagers" => Self::Fixed("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}"),
            "/api/v1/status/config" => Self::Fixed("{\"yaml\":\"\"}"),
            "/api/v1/status/flags" => Self::Fixed("{\"query.lookback-delta\":\"5m\"}"),
            "/api/v1/status/buildinfo" => Self::Fixed(concat!(
                "{\"version\":\"",
                env!("CARGO_PKG_VERSION"),
                "\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}"
            )),
            "/-/healthy" => Self::Alive("Sandglass is Healthy.\n"),
            "/-/ready" => Self::Alive("Sandglass is Ready.\n"),
            "/health" => Self::Alive("OK"),
            _ => return None,
        })
    }

    /// With which methods it may be asked.
    pub fn methods(&self) -> Methods {
        match self {
            Self::DeleteSeries => Methods::Write,
            _ => Methods::Read,
        }
    }
}

/// Servers answer below these, too.
fn without_prefix(path: &str) -> &str {
    let below_account = || {
        let (account, rest) =
            path.strip_prefix("/select/").or_else(|| path.strip_prefix("/delete/"))?.split_once('/')?;
        let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        if is_account || account == "multitenant" { rest.strip_prefix("prometheus") } else { None }
    };
    let rest = path.strip_prefix("/prometheus").or_else(below_account);
    rest.filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// A label's name in a path: percent signs, and `U__` with hexadecimal digits between underscores, as clients write names in UTF-8.
fn unescaped_name(name: &str) -> String {
    let pair = format!("n={}", name.replace('+', "%2B"));
    let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default();
    let Some(escaped) = name.strip_prefix("U__") else { return name };
    let mut unescaped = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        unescaped.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('_') {
            unescaped.push('_');
            rest = behind;
            continue;
        }
        let character = rest.split_once('_').and_then(|(digits, behind)| {
            let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
            Some((character, behind))
        });
        let Some((character, behind)) = character else { return name };
        unescaped.push(character);
        rest = behind;
    }
    unescaped + rest
}

/// How numbers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Never with an exponent, as VictoriaMetrics does.
    Plain,
    /// With one below 1e-6 and from 1e21 on, as Prometheus does.
    Exponents,
}

/// Below it whole numbers are printed with all their digits.
const WHOLE_BELOW: f64 = 9_223_372_036_854_775_808.0;

/// Writes a value as the servers print it.
pub fn put_value(out: &mut String, value: f64, numbers: Numbers) {
    let magnitude = value.abs();
    let has_exponent =
        numbers == Numbers::Exponents && value != 0.0 && value.is_finite() && !(1e-6..1e21).contains(&magnitude);
    if has_exponent {
        return number::put_with_exponent(out, &format!("{value:e}"));
    }
    // Writing to a string can't fail.
    let _ = match value {
        _ if value.is_nan() => write!(out, "NaN"),
        f64::INFINITY => write!(out, "+Inf"),
        f64::NEG_INFINITY => write!(out, "-Inf"),
        // VictoriaMetrics prints what is a whole number as one.
        _ if numbers == Numbers::Plain && value.fract() == 0.0 && magnitude < WHOLE_BELOW => {
            write!(out, "{}", value as i64)
        }
        _ => write!(out, "{value}"),
    };
}

/// Writes an instant as seconds.
pub fn put_time(out: &mut String, at_ms: i64) {
    let sign = if at_ms < 0 { "-" } else { "" };
    let (seconds, rest) = (at_ms.unsigned_abs() / 1_000, at_ms.unsigned_abs() % 1_000);
    let _ = if rest == 0 {
        write!(out, "{sign}{seconds}")
    } else {
        write!(out, "{sign}{}", format!("{seconds}.{rest:03}").trim_end_matches('0'))
    };
}

/// Writes a string with its quotes.
pub fn put_text(out: &mut String, text: &str) {
    // A text can't fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes labels as an object.
pub fn put_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (position, (name, value)) in labels.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        put_text(out, name);
        out.push(':');
        put_text(out, value);
    }
    out.push('}');
}

/// How the data of a reply begin whose rows follow, and how they end.
pub const VECTOR: &str = "{\"resultType\":\"vector\",\"result\":[";
/// As [`VECTOR`], for rows over time.
pub const MATRIX: &str = "{\"resultType\":\"matrix\",\"result\":[";
/// The end of both.
pub const END: &str = "]}";

/// One row of a vector.
pub fn put_element(out: &mut String, position: usize, row: &Row, at_ms: i64, numbers: Numbers) {
    out.push_str(if position > 0 { ",{\"metric\":" } else { "{\"metric\":" });
    put_labels(out, &row.labels);
    out.push_str(",\"value\":");
    put_sample(out, at_ms, row.values.first().copied().unwrap_or(f64::NAN), numbers);
    out.push('}');
}

/// Adds what a query took to its data, which are an object: how long, and how many samples it has read.
pub fn put_stats(data: &mut String, seconds: f64, samples: u64) {
    data.pop();
    // Writing to a string can't fail.
    let _ = write!(
        data,
        ",\"stats\":{{\"timings\":{{\"evalTotalTime\":{seconds},\"execTotalTime\":{seconds}}},\"samples\":{{\"totalQueryableSamples\":{samples}}}}}}}"
    );
}

/// The beginning of a series of a matrix, whose samples follow with commas between them, and then [`SERIES_END`].
pub fn begin_series(out: &mut String, position: usize, labels: &Labels) {
    out.push_str(if position > 0 { ",{\"metric\":" } else { "{\"metric\":" });
    put_labels(out, labels);
    out.push_str(",\"values\":[");
}

/// The end of a series of a matrix.
pub const SERIES_END: &str = "]}";

/// Writes `[seconds,"value"]`.
pub fn put_sample(out: &mut String, at_ms: i64, value: f64, numbers: Numbers) {
    out.push('[');
    put_time(out, at_ms);
    out.push_str(",\"");
    put_value(out, value, numbers);
    out.push_str("\"]");
}

/// A step of a query, as VictoriaMetrics tells it.
#[derive(Debug, Serialize)]
pub struct ServedTrace {
    /// How long it took, in milliseconds.
    pub duration_msec: f64,
    /// What was done.
    pub message: String,
    /// The steps it needed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

/// What a reply says beside its data.
#[derive(Debug, Default)]
pub struct Remarks {
    /// What may be wrong with the answer.
    pub warnings: Vec<String>,
    /// What may be wrong with the question.
    pub infos: Vec<String>,
    /// What was done for it.
    pub trace: Option<ServedTrace>,
}

/// The warning of a list that an argument `limit` has cut.
pub const TRUNCATED: &str = "results truncated due to limit";

/// A reply with data that is JSON already.
pub fn success(data: &str) -> HttpResponse {
    success_with(data, &Remarks::default())
}

/// A reply with data that is JSON already, and with what is to be said of them.
pub fn success_with(data: &str, remarks: &Remarks) -> HttpResponse {
    let mut body = format!("{{\"status\":\"success\",\"data\":{data}");
    for (name, texts) in [("warnings", &remarks.warnings), ("infos", &remarks.infos)] {
        if !texts.is_empty() {
            // Writing to a string can't fail.
            let _ = write!(body, ",\"{name}\":{}", list(texts));
        }
    }
    if let Some(trace) = &remarks.trace {
        body.push_str(",\"trace\":");
        body.push_str(&serde_json::to_string(trace).unwrap_or_default());
    }
    body.push('}');
    json(200, body)
}

/// A reply that is JSON in the server's own form.
pub fn plain(body: String) -> HttpResponse {
    json(200, body)
}

/// A list of texts as JSON.
pub fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).unwrap_or_default()
}

/// A reply to arguments that can't be used.
pub fn bad_data(message: &str) -> HttpResponse {
    failure(400, "bad_data", message)
}

/// A reply to a request that was understood and failed.
pub fn failed(error: &Error) -> HttpResponse {
    let (status, kind) = match error.kind() {
        ErrorKind::Invalid | ErrorKind::Limit => (422, "execution"),
        ErrorKind::Aborted => (499, "canceled"),
        ErrorKind::NotFound => (404, "not_found"),
        _ => (500, "internal"),
    };
    failure(status, kind, error.message()).of_failure(error)
}

/// A reply to a request that has taken too long.
pub fn timed_out(error: &Error) -> HttpResponse {
    failure(503, "timeout", error.message())
}

fn failure(status: u16, kind: &str, message: &str) -> HttpResponse {
    let mut body = format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":");
    put_text(&mut body, message);
    body.push('}');
    json(status, body)
}

fn json(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status, JSON, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_each_server_prints_them() {
        let printed = |value, numbers| {
            let mut out = String::new();
            put_value(&mut out, value, numbers);
            out
        };
        for (value, plain, exponents) in [
            (0.1, "0.1", "0.1"),
            (-0.0, "0", "-0"),
            (4_611_686_018_427_387_904.0, "4611686018427387904", "4611686018427388000"),
            (1e21, "1000000000000000000000", "1e+21"),
            (1.5e-7, "0.00000015", "1.5e-07"),
            (1e-6, "0.000001", "0.000001"),
            (f64::NAN, "NaN", "NaN"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
        ] {
            assert_eq!(printed(value, Numbers::Plain), plain);
            assert_eq!(printed(value, Numbers::Exponents), exponents);
        }
    }

    #[test]
    fn paths_are_understood_below_the_prefixes_of_servers() {
        for prefix in ["", "/prometheus", "/select/0/prometheus", "/select/3:7/prometheus"] {
            assert_eq!(ApiRoute::parse(&format!("{prefix}/api/v1/query")), Some(ApiRoute::Query));
        }
        assert_eq!(
            ApiRoute::parse("/delete/0/prometheus/api/v1/admin/tsdb/delete_series"),
            Some(ApiRoute::DeleteSeries)
        );
        assert_eq!(ApiRoute::parse("/select/multitenant/prometheus/api/v1/labels"), Some(ApiRoute::Labels));
        assert_eq!(ApiRoute::parse("/prometheus/federate"), Some(ApiRoute::Federate));
        assert_eq!(ApiRoute::parse("/prometheus"), None);
        assert_eq!(ApiRoute::parse("/api/v1/nope"), None);
        let name = |path: &str| match ApiRoute::parse(path) {
            Some(ApiRoute::LabelValues { name }) => name,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(name("/api/v1/label/job/values"), "job");
        assert_eq!(name("/api/v1/label/a%2Fb/values"), "a/b");
        assert_eq!(name("/api/v1/label/U__a_2e_b__c/values"), "a.b_c");
        assert_eq!(name("/api/v1/label/U__a_zz/values"), "U__a_zz");
    }
}
