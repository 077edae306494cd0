//! Which request is meant, and how its outcome is put into words.

use super::arguments::Arguments;
use super::methods::Methods;
use super::transfer::{self, Export, Import};
use super::{HttpRequest, HttpResponse, JSON, TEXT};
use crate::error::Error;

/// A request that this engine answers (engine-behaviour §1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/snapshot/create`
    SnapshotCreate,
    /// `/api/v1/admin/tsdb/snapshot`: the same with Prometheus' reply.
    PrometheusSnapshotCreate,
    /// `/snapshot/list`
    SnapshotList,
    /// `/snapshot/delete?snapshot=<name>`
    SnapshotDelete {
        /// The argument `snapshot`.
        name: String,
    },
    /// `/snapshot/delete_all`
    SnapshotDeleteAll,
    /// `/internal/force_flush`
    ForceFlush,
    /// `/internal/force_merge?partition_prefix=<prefix>`
    ForceMerge {
        /// The argument `partition_prefix`.
        partition_prefix: String,
    },
    /// A body of samples.
    Import {
        /// What it is.
        import: Import,
        /// Labels that the path adds.
        labels: Vec<(String, String)>,
        /// Of the query.
        arguments: Arguments,
    },
    /// Samples in one of the formats.
    Export {
        /// Which one.
        export: Export,
        /// Of the query and the form.
        arguments: Arguments,
    },
}

/// The keys requests must carry; an empty one asks for none.
#[derive(Clone, Copy, Debug)]
pub struct RequiredKeys<'a> {
    /// For all snapshot requests, `-snapshotAuthKey`.
    pub snapshot: &'a str,
    /// `-forceFlushAuthKey`
    pub force_flush: &'a str,
    /// `-forceMergeAuthKey`
    pub force_merge: &'a str,
}

impl Route {
    /// Whether a reader may ask for it, and whoever asks while a snapshot is being restored.
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::SnapshotList | Self::Export { .. })
    }

    /// Finds out what is asked for and whether the asker may.
    ///
    /// # Errors
    /// The reply to send instead: status 404 for an unknown path below `/api/v1`, 405 for a method that the path does not take, 400 for any
    /// other unknown path and for a wrong key.
    pub fn parse(request: &HttpRequest, keys: RequiredKeys<'_>) -> Result<Self, HttpResponse> {
        let path = request.path();
        let inner = transfer::without_prefix(&path);
        // The body is samples, whatever its type is said to be.
        if let Some((import, labels)) = transfer::import_of(inner) {
            Methods::Write.check(&request.method)?;
            return Ok(Self::Import { import, labels, arguments: Arguments::of_query(request) });
        }
        let arguments = Arguments::of(request);
        if let Some(export) = transfer::export_of(inner, arguments.text("format")) {
            Methods::Read.check(&request.method)?;
            return Ok(Self::Export { export, arguments });
        }
        let argument = |name: &str| arguments.text(name).to_owned();
        let (route, flag, key) = match path.as_str() {
            "/snapshot/create" => (Self::SnapshotCreate, "snapshotAuthKey", keys.snapshot),
            "/api/v1/admin/tsdb/snapshot" => (Self::PrometheusSnapshotCreate, "snapshotAuthKey", keys.snapshot),
            "/snapshot/list" => (Self::SnapshotList, "snapshotAuthKey", keys.snapshot),
            "/snapshot/delete" => {
                (Self::SnapshotDelete { name: argument("snapshot") }, "snapshotAuthKey", keys.snapshot)
            }
            "/snapshot/delete_all" => (Self::SnapshotDeleteAll, "snapshotAuthKey", keys.snapshot),
            "/internal/force_flush" => (Self::ForceFlush, "forceFlushAuthKey", keys.force_flush),
            "/internal/force_merge" => (
                Self::ForceMerge { partition_prefix: argument("partition_prefix") },
                "forceMergeAuthKey",
                keys.force_merge,
            ),
            _ => {
                let refused =
                    HttpResponse::bad_request(request, &format!("unsupported path requested: {}", quote(&path)));
                // Clients of Prometheus tell from 404 that a server does not have a path.
                let status = if inner.starts_with("/api/v1/") { 404 } else { refused.status };
                return Err(HttpResponse { status, ..refused });
            }
        };
        if route == Self::PrometheusSnapshotCreate {
            Methods::Write.check(&request.method)?;
        }
        let given = argument("authKey");
        if !key.is_empty() && given != key {
            let text =
                format!("invalid authKey {}. It must match the value from -{flag} command line flag", quote(&given));
            return Err(HttpResponse::bad_request(request, &text));
        }
        Ok(route)
    }
}

/// The reply to a created snapshot.
pub fn snapshot_created(route: &Route, name: &str) -> HttpResponse {
    match route {
        Route::PrometheusSnapshotCreate => {
            json(200, format!("{{\"status\":\"success\",\"data\":{{\"name\":{}}}}}", quote(name)))
        }
        _ => json(200, format!("{{\"status\":\"ok\",\"snapshot\":{}}}", quote(name))),
    }
}

/// The reply with the names of all snapshots: each on a line of its own.
pub fn snapshot_list(names: &[String]) -> HttpResponse {
    let mut body = String::from("{\"status\":\"ok\",\"snapshots\":[");
    for (position, name) in names.iter().enumerate() {
        body.push('\n');
        body.push_str(&quote(name));
        body.push_str(if position + 1 < names.len() { "," } else { "\n" });
    }
    body.push_str("]}");
    json(200, body)
}

/// The reply to a deletion.
pub fn ok() -> HttpResponse {
    json(200, "{\"status\":\"ok\"}".into())
}

/// The reply to a forced flush or merge.
pub fn empty() -> HttpResponse {
    HttpResponse::new(200, TEXT, "")
}

/// The reply to a snapshot request that failed.
pub fn failed(route: &Route, error: &Error) -> HttpResponse {
    let what = match route {
        Route::SnapshotCreate | Route::PrometheusSnapshotCreate => "cannot create snapshot: ".to_owned(),
        Route::SnapshotList => "cannot list snapshots: ".to_owned(),
        Route::SnapshotDelete { name } => format!("cannot delete snapshot {}: ", quote(name)),
        Route::SnapshotDeleteAll => "cannot delete snapshots: ".to_owned(),
        Route::ForceFlush | Route::ForceMerge { .. } | Route::Import { .. } | Route::Export { .. } => String::new(),
    };
    json(500, format!("{{\"status\":\"error\",\"msg\":{}}}", quote(&format!("{what}{error}")))).of_failure(error)
}

fn json(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status, JSON, body)
}

/// Quotes as the server does for the characters that occur.
fn quote(text: &str) -> String {
    // A text can't fail.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_KEYS: RequiredKeys<'_> = RequiredKeys { snapshot: "", force_flush: "", force_merge: "" };

    fn request(uri: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".into(),
            uri: uri.into(),
            content_type: String::new(),
            content_encoding: String::new(),
            body: bytes::Bytes::new(),
        }
    }

    fn text(response: &HttpResponse) -> &str {
        std::str::from_utf8(&response.body).unwrap()
    }

    #[test]
    fn paths_and_arguments_are_understood() {
        let parse = |uri: &str| Route::parse(&request(uri), NO_KEYS);
        assert_eq!(parse("/snapshot/create"), Ok(Route::SnapshotCreate));
        assert_eq!(parse("/snapshot/delete?snapshot=a%2Bb"), Ok(Route::SnapshotDelete { name: "a+b".into() }));
        assert_eq!(
            parse("//internal//force_merge?partition_prefix=2024_"),
            Ok(Route::ForceMerge { partition_prefix: "2024_".into() })
        );
        let unknown = parse("/snapshot/nope").unwrap_err();
        assert_eq!(unknown.status, 400);
        assert!(text(&unknown).ends_with("unsupported path requested: \"/snapshot/nope\""), "{}", text(&unknown));
    }

    #[test]
    fn a_key_is_asked_for_where_one_is_set() {
        let keys = RequiredKeys { snapshot: "secret", ..NO_KEYS };
        assert_eq!(Route::parse(&request("/snapshot/list?authKey=secret"), keys), Ok(Route::SnapshotList));
        let form = HttpRequest {
            content_type: "application/x-www-form-urlencoded".into(),
            body: "authKey=secret".into(),
            ..request("/snapshot/list")
        };
        assert_eq!(Route::parse(&form, keys), Ok(Route::SnapshotList));
        let refused = Route::parse(&request("/snapshot/list?authKey=x"), keys).unwrap_err();
        assert_eq!(refused.status, 400);
        assert_eq!(
            text(&refused),
            "remoteAddr: \"in-process\"; requestURI: /snapshot/list?authKey=x; invalid authKey \"x\". It must match the value from -snapshotAuthKey command line flag"
        );
        assert_eq!(Route::parse(&request("/internal/force_flush"), keys), Ok(Route::ForceFlush));
    }

    #[test]
    fn replies_are_spelt_as_the_server_does() {
        assert_eq!(text(&snapshot_list(&[])), r#"{"status":"ok","snapshots":[]}"#);
        assert_eq!(
            text(&snapshot_list(&["a".into(), "b".into()])),
            "{\"status\":\"ok\",\"snapshots\":[\n\"a\",\n\"b\"\n]}"
        );
        assert_eq!(text(&snapshot_created(&Route::SnapshotCreate, "x")), r#"{"status":"ok","snapshot":"x"}"#);
        assert_eq!(
            text(&snapshot_created(&Route::PrometheusSnapshotCreate, "x")),
            r#"{"status":"success","data":{"name":"x"}}"#
        );
        let route = Route::SnapshotDelete { name: "x".into() };
        let response = failed(&route, &Error::invalid("invalid snapshotName \"x\""));
        assert_eq!(
            text(&response),
            r#"{"status":"error","msg":"cannot delete snapshot \"x\": invalid snapshotName \"x\""}"#
        );
        assert_eq!(response.status, 500);
    }
}
