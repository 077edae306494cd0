//! Requests as clients and browsers send them: methods, paths that are not there, and what a reply says beside its data.

use super::support::{EngineExt, START, answered, config, got, open};
use sandglass::engine::Engine;
use sandglass::fs::memory::MemoryFileSystem;
use sandglass::http::{HttpRequest, HttpResponse};
use sandglass::time::{DAY_MS, MAX_RETENTION_MS};

fn asked(engine: &mut Engine, method: &str, uri: &str, body: &str) -> HttpResponse {
    let request = HttpRequest {
        method: method.into(),
        uri: uri.into(),
        content_type: String::new(),
        content_encoding: String::new(),
        body: body.as_bytes().to_vec().into(),
    };
    answered(engine, request)
}

fn text(response: &HttpResponse) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

fn filled() -> Engine {
    let mut engine = open(MemoryFileSystem::default(), config()).unwrap();
    let timestamps: Vec<i64> = (0..60).map(|i| START - 600_000 + i * 10_000).collect();
    for host in ["a", "b", "c"] {
        engine.put(&[("__name__", "up"), ("host", host)], &timestamps, &[1.0; 60]).unwrap();
    }
    engine.flush().unwrap();
    engine
}

const DELETE: &str = "/api/v1/admin/tsdb/delete_series?match[]=up";
const COUNT: &str = "/api/v1/series/count";

#[test]
fn a_preflight_does_nothing() {
    let mut engine = filled();
    let line = r#"{"metric":{"__name__":"new"},"values":[1],"timestamps":[1710000000000]}"#;
    for uri in [DELETE, "/api/v1/import", "/api/v1/query?query=up", "/snapshot/create", "/nowhere"] {
        let response = asked(&mut engine, "OPTIONS", uri, line);
        assert_eq!((response.status, text(&response)), (204, ""), "{uri}");
        let header = |name: &str| response.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
        assert_eq!(header("access-control-allow-origin"), Some("*"), "{uri}");
        assert_eq!(header("access-control-allow-methods"), Some("GET, POST, OPTIONS"), "{uri}");
    }
    assert!(text(&got(&mut engine, &format!("{COUNT}?fresh=1"))).contains("[3]"));
    assert_eq!(text(&got(&mut engine, "/snapshot/list")), r#"{"status":"ok","snapshots":[]}"#);
}

#[test]
fn what_writes_is_not_asked_by_a_method_that_reads() {
    let mut engine = filled();
    let writes = [
        DELETE,
        "/api/v1/admin/tsdb/snapshot",
        "/api/v1/import",
        "/api/v1/import/prometheus/metrics/job/x",
        "/api/v1/write",
        "/write",
    ];
    for uri in writes {
        for method in ["GET", "HEAD", "DELETE"] {
            let refused = asked(&mut engine, method, uri, "x 1\n");
            assert_eq!((refused.status, text(&refused)), (405, "Method Not Allowed\n"), "{method} {uri}");
            assert_eq!(refused.headers, [("allow", "OPTIONS, POST, PUT")], "{method} {uri}");
        }
    }
    assert!(text(&got(&mut engine, &format!("{COUNT}?fresh=1"))).contains("[3]"));

    for uri in ["/api/v1/query?query=1", "/api/v1/export?match[]=up", "/metrics", "/api/v1/status/flags"] {
        for method in ["PUT", "DELETE", "PATCH"] {
            let refused = asked(&mut engine, method, uri, "");
            assert_eq!(refused.status, 405, "{method} {uri}");
            assert_eq!(refused.headers, [("allow", "GET, HEAD, OPTIONS, POST")], "{method} {uri}");
        }
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(asked(&mut engine, method, uri, "").status, 200, "{method} {uri}");
        }
    }
    // The server's own tools create snapshots by GET.
    assert_eq!(asked(&mut engine, "GET", "/snapshot/create", "").status, 200);
    assert_eq!(asked(&mut engine, "POST", DELETE, "").status, 204);
    assert!(text(&got(&mut engine, COUNT)).contains("[0]"));
}

#[test]
fn a_path_that_is_not_there_is_not_found_by_clients_of_prometheus() {
    let mut engine = filled();
    for (uri, status) in [
        ("/api/v1/nope", 404),
        ("/prometheus/api/v1/parse_query?query=up", 404),
        ("/select/0/prometheus/api/v1/status/nope", 404),
        ("/nope", 400),
        ("/snapshot/nope", 400),
    ] {
        let response = got(&mut engine, uri);
        assert_eq!(response.status, status, "{uri}");
        assert!(text(&response).contains("unsupported path requested: "), "{}", text(&response));
    }
}

#[test]
fn a_list_that_a_limit_has_cut_says_so() {
    let mut engine = filled();
    let time = START / 1000 - 60;
    let range = format!("start={}&end={time}&step=60", time - 60);
    let told = r#","warnings":["results truncated due to limit"]}"#;
    for (uri, count) in [
        (format!("/api/v1/query?query=up&time={time}"), 3),
        (format!("/api/v1/query?query=up[1m]&time={time}"), 3),
        (format!("/api/v1/query_range?query=up&{range}"), 3),
        ("/api/v1/series?match[]=up".into(), 3),
        ("/api/v1/labels?match[]=up".into(), 2),
        ("/api/v1/label/host/values?match[]=up".into(), 3),
    ] {
        for (limit, is_cut) in [(1, true), (count - 1, true), (count, false), (0, false)] {
            let response = got(&mut engine, &format!("{uri}&limit={limit}"));
            assert_eq!(response.status, 200, "{uri}");
            assert_eq!(text(&response).ends_with(told), is_cut, "{uri} {limit}: {}", text(&response));
        }
    }
}

#[test]
fn statistics_are_told_where_they_are_asked_for() {
    let mut engine = filled();
    let time = START / 1000 - 60;
    let stats = |engine: &mut Engine, argument: &str| {
        let response = got(engine, &format!("/api/v1/query?query=sum(count_over_time(up[1m]))&time={time}{argument}"));
        let reply: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        reply["data"].get("stats").cloned()
    };
    assert_eq!(stats(&mut engine, ""), None);
    let found = stats(&mut engine, "&stats=all").unwrap();
    assert!(found["samples"]["totalQueryableSamples"].as_u64().unwrap() >= 18, "{found}");
    assert!(found["timings"]["execTotalTime"].is_number(), "{found}");
}

#[test]
fn what_was_written_is_found_after_a_second_or_at_once_if_that_is_asked() {
    let mut engine = filled();
    let line = format!("{{\"metric\":{{\"__name__\":\"new\"}},\"values\":[7],\"timestamps\":[{}]}}", START - 1_000);
    let query = "/api/v1/query?query=new";
    let is_found = |engine: &mut Engine, uri: &str| text(&got(engine, uri)).contains("\"7\"");
    assert_eq!(asked(&mut engine, "POST", "/api/v1/import", &line).status, 204);
    assert!(!is_found(&mut engine, query));
    assert!(is_found(&mut engine, &format!("{query}&fresh=1")));

    let mut engine = filled();
    assert_eq!(asked(&mut engine, "POST", "/api/v1/import", &line).status, 204);
    engine.advance(2_000).unwrap();
    assert!(is_found(&mut engine, query));
}

#[test]
fn the_process_tells_when_it_was_started_and_how_long_samples_are_kept() {
    let mut engine = filled();
    let response = got(&mut engine, "/prometheus/api/v1/status/runtimeinfo");
    let reply: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(reply["data"]["startTime"], "2024-03-10T12:00:00Z");
    assert_eq!(reply["data"]["storageRetention"], format!("{}d", MAX_RETENTION_MS / DAY_MS));
    assert_eq!(got(&mut engine, "/api/v1/status/flags").status, 200);
}
