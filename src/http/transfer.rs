//! Requests that bring samples in, and those that take them out.

use super::{HttpRequest, HttpResponse, JSON, TEXT};
use crate::error::{Error, ErrorKind};

/// What a body of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// `/api/v1/import/prometheus`
    Prometheus,
    /// `/api/v1/import`
    JsonLines,
    /// `/api/v1/import/csv?format=<columns>`
    Csv,
    /// `/api/v1/import/native`
    Native,
    /// `/write`, `/api/v2/write`
    Influx,
    /// `/api/v1/write`
    RemoteWrite,
    /// `/opentelemetry/v1/metrics`
    Otlp,
}

/// What an export is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// `/api/v1/export`
    JsonLines,
    /// `/api/v1/export?format=prometheus`
    Prometheus,
    /// `/api/v1/export/csv?format=<columns>`
    Csv,
    /// `/api/v1/export/native`
    Native,
}

/// The path without what stands before that of a single server: `/prometheus`, or a cluster's `/select/<account>/prometheus`.
pub(super) fn without_prefix(path: &str) -> &str {
    let mut path = path;
    for role in ["/insert/", "/select/"] {
        if let Some((_account, rest)) = path.strip_prefix(role).and_then(|rest| rest.split_once('/')) {
            path = &path[path.len() - rest.len() - 1..];
        }
    }
    let inner = path.strip_prefix("/prometheus").or_else(|| path.strip_prefix("/influx"));
    inner.filter(|inner| inner.starts_with('/')).unwrap_or(path)
}

/// The import that a path asks for, and labels that it adds as the paths of a push gateway do: `/metrics/job/<job>/<label>/<value>`.
pub(super) fn import_of(path: &str) -> Option<(Import, Vec<(String, String)>)> {
    let import = match path {
        "/api/v1/import" => Import::JsonLines,
        "/api/v1/import/prometheus" => Import::Prometheus,
        "/api/v1/import/csv" => Import::Csv,
        "/api/v1/import/native" => Import::Native,
        "/write" | "/api/v2/write" => Import::Influx,
        "/api/v1/write" | "/api/v1/push" => Import::RemoteWrite,
        "/opentelemetry/v1/metrics" | "/opentelemetry/api/v1/push" => Import::Otlp,
        other => {
            let labels = other.strip_prefix("/api/v1/import/prometheus/metrics/")?;
            let parts: Vec<_> = labels.split('/').map(decoded).collect();
            let (pairs, []) = parts.as_chunks::<2>() else { return None };
            return Some((
                Import::Prometheus,
                pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect(),
            ));
        }
    };
    Some((import, Vec::new()))
}

/// The export that a path asks for.
pub(super) fn export_of(path: &str, format: &str) -> Option<Export> {
    Some(match path {
        "/api/v1/export" if format == "prometheus" => Export::Prometheus,
        "/api/v1/export" => Export::JsonLines,
        "/api/v1/export/csv" => Export::Csv,
        "/api/v1/export/native" => Export::Native,
        _ => return None,
    })
}

/// A part of a path with its percent signs resolved; a plus sign is one.
fn decoded(part: &str) -> String {
    let escaped = part.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

/// The reply to a body of which nothing was refused, or that may be taken in parts.
pub fn imported(import: Import, request: &HttpRequest, rejected: u64, reason: &str) -> HttpResponse {
    let is_json = request.content_type.starts_with(JSON);
    match import {
        Import::Otlp if is_json => {
            let partial = serde_json::json!({ "rejectedDataPoints": rejected.to_string(), "errorMessage": reason });
            let body =
                if rejected > 0 { serde_json::json!({ "partialSuccess": partial }) } else { serde_json::json!({}) };
            HttpResponse::new(200, JSON, body.to_string())
        }
        Import::Otlp => {
            let body = if rejected > 0 { partial_success(rejected, reason) } else { Vec::new() };
            HttpResponse::new(200, "application/x-protobuf", body)
        }
        _ => HttpResponse::new(204, TEXT, ""),
    }
}

/// `ExportMetricsServiceResponse { partial_success: { rejected_data_points, error_message } }` of OTLP.
fn partial_success(rejected: u64, reason: &str) -> Vec<u8> {
    const VARINT: u8 = 0;
    const MESSAGE: u8 = 2;
    let put_varint = |out: &mut Vec<u8>, mut number: u64| {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    };
    let mut inner = vec![1 << 3 | VARINT];
    put_varint(&mut inner, rejected);
    inner.push(2 << 3 | MESSAGE);
    put_varint(&mut inner, reason.len() as u64);
    inner.extend_from_slice(reason.as_bytes());
    let mut out = vec![1 << 3 | MESSAGE];
    put_varint(&mut out, inner.len() as u64);
    out.extend(inner);
    out
}

/// The reply to a request whose samples could not be taken or found.
pub fn transfer_failed(request: &HttpRequest, error: &Error) -> HttpResponse {
    let reply = match error.kind() {
        ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::Limit => {
            HttpResponse::bad_request(request, error.message())
        }
        // A sender tries again.
        _ => HttpResponse::new(503, TEXT, error.message()),
    };
    reply.of_failure(error)
}

/// The reply with an export.
pub fn exported(export: Export, body: Vec<u8>) -> HttpResponse {
    let content_type = match export {
        Export::JsonLines => "application/stream+json; charset=utf-8",
        Export::Prometheus => TEXT,
        Export::Csv => "text/csv; charset=utf-8",
        Export::Native => "VictoriaMetrics/native",
    };
    HttpResponse::new(200, content_type, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_proxies_and_clusters_are_left_out() {
        for (path, inner) in [
            ("/api/v1/import", "/api/v1/import"),
            ("/prometheus/api/v1/import", "/api/v1/import"),
            ("/insert/0/prometheus/api/v1/import", "/api/v1/import"),
            ("/insert/1:2/influx/api/v2/write", "/api/v2/write"),
            ("/select/0/prometheus/api/v1/export", "/api/v1/export"),
            ("/insert/0/opentelemetry/v1/metrics", "/opentelemetry/v1/metrics"),
            ("/prometheusx/y", "/prometheusx/y"),
            ("/insert/0", "/insert/0"),
            ("/", "/"),
        ] {
            assert_eq!(without_prefix(path), inner, "{path}");
        }
    }

    #[test]
    fn paths_of_a_push_gateway_are_labels() {
        let labels = |path: &str| import_of(path).map(|(_, labels)| labels);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let path = "/api/v1/import/prometheus/metrics/job/a%20b+/instance/x%2Fy";
        assert_eq!(labels(path), Some(vec![pair("job", "a b+"), pair("instance", "x/y")]));
        assert_eq!(labels("/api/v1/import/prometheus/metrics/job"), None);
        assert_eq!(labels("/api/v1/import/prometheus"), Some(vec![]));
    }

    #[test]
    fn a_partial_success_is_the_message_of_otlp() {
        assert_eq!(partial_success(300, "no"), [10, 7, 8, 172, 2, 18, 2, b'n', b'o']);
    }
}
