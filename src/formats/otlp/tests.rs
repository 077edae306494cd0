use super::super::rows::tests::{Counted, Kept};
use super::*;

fn parsed(body: &[u8]) -> (Vec<String>, Refused) {
    let (mut kept, mut refused) = (Kept::default(), Refused::default());
    parse(body, 7000, &mut refused, &mut kept);
    (kept.lines(), refused)
}

/// A request with one metric, as JSON.
fn request(metric: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}],"scope":{{"name":"lib"}}}}],
        "resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}}}}]}}"#
    )
}

const LABELS: &str = "scope.name=lib|scope.version=unknown|service.name=shop";

/// What a metric becomes, the same from JSON and from protobuf, without the labels of all.
fn series(metric: &str) -> Vec<String> {
    let json = request(metric);
    let (lines, refused) = parsed(json.as_bytes());
    assert_eq!(refused, Refused::default(), "{metric}");
    let protobuf = json::to_protobuf(json.as_bytes()).unwrap();
    assert_eq!(parsed(&protobuf), (lines.clone(), refused));
    lines.iter().map(|line| line.replace("|scope.name=lib|scope.version=unknown|service.name=shop", "")).collect()
}

#[test]
fn gauges_and_sums() {
    let point =
        r#"{"timeUnixNano":"1710000000001999999","asDouble":0.5,"attributes":[{"key":"a","value":{"intValue":"-3"}}]}"#;
    assert_eq!(
        series(&format!(r#"{{"name":"m","gauge":{{"dataPoints":[{point}]}}}}"#)),
        ["__name__=m|a=-3 0.5@1710000000001"]
    );
    let points = r#"{"time_unix_nano":5000000,"asInt":"7"},{"asInt":-2},{"timeUnixNano":6e6,"flags":1}"#;
    let sum = series(&format!(
        r#"{{"name":"m.total","sum":{{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{points}]}}}}"#
    ));
    assert_eq!(sum, ["__name__=m.total 7@5 -2@7000 NaN@6"]);
}

#[test]
fn the_stale_marker_has_its_bits() {
    let (mut kept, mut refused) = (Kept::default(), Refused::default());
    let body = request(r#"{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":6000000,"flags":1,"asDouble":4}]}}"#);
    parse(body.as_bytes(), 0, &mut refused, &mut kept);
    let samples = &kept.samples[&format!("__name__=m|{LABELS}")];
    assert_eq!(samples[0].1.to_bits(), crate::encoding::decimal::STALE_NAN_BITS);
}

#[test]
fn histograms_and_summaries() {
    let point =
        r#"{"timeUnixNano":"5000000","count":"6","sum":9.5,"bucketCounts":["1","2",3],"explicitBounds":[0.5,1e3]}"#;
    let histogram = series(&format!(r#"{{"name":"h","histogram":{{"dataPoints":[{point}]}}}}"#));
    let expected = [
        "__name__=h_bucket|le=+Inf 6@5",
        "__name__=h_bucket|le=0.5 1@5",
        "__name__=h_bucket|le=1000 3@5",
        "__name__=h_count 6@5",
        "__name__=h_sum 9.5@5",
    ];
    assert_eq!(
        histogram
            .iter()
            .map(|line| line.replace("|scope.name=lib|scope.version=unknown|service.name=shop", ""))
            .collect::<Vec<_>>(),
        expected
    );
    for point in [r#"{"count":3}"#, r#"{"count":3,"bucketCounts":[1,2],"explicitBounds":[]}"#] {
        assert_eq!(series(&format!(r#"{{"name":"h","histogram":{{"dataPoints":[{point}]}}}}"#)), [""; 0]);
    }
    let point =
        r#"{"timeUnixNano":5000000,"count":4,"sum":2,"quantileValues":[{"quantile":0.99,"value":3},{"quantile":1}]}"#;
    let summary = series(&format!(r#"{{"name":"s","summary":{{"dataPoints":[{point}]}}}}"#));
    assert_eq!(
        summary,
        ["__name__=s_count 4@5", "__name__=s_sum 2@5", "__name__=s|quantile=0.99 3@5", "__name__=s|quantile=1 0@5"]
    );
}

#[test]
fn exponential_histograms() {
    let point = r#"{"timeUnixNano":5000000,"count":9,"sum":1,"scale":0,"zeroCount":2,"zeroThreshold":0.001,
        "positive":{"offset":-1,"bucketCounts":["1",0,"3"]},"negative":{"offset":2,"bucketCounts":[4]}}"#;
    let expected = [
        "__name__=e_bucket|vmrange=-1.000e-03...1.000e-03 2@5",
        "__name__=e_bucket|vmrange=-8.000e+00...-4.000e+00 4@5",
        "__name__=e_bucket|vmrange=2.000e+00...4.000e+00 3@5",
        "__name__=e_bucket|vmrange=5.000e-01...1.000e+00 1@5",
        "__name__=e_count 9@5",
        "__name__=e_sum 1@5",
    ];
    assert_eq!(series(&format!(r#"{{"name":"e","exponentialHistogram":{{"dataPoints":[{point}]}}}}"#)), expected);
}

#[test]
fn values_of_attributes() {
    let nested = r#"{"kvlistValue":{"values":[{"key":"x","value":{"boolValue":true}},{"key":"y","value":{"kvlistValue":{"values":[{"key":"z","value":{"doubleValue":1.5}}]}}}]}}"#;
    for (value, label) in [
        (r#"{"stringValue":"é"}"#, "a=é"),
        (r#"{"boolValue":false}"#, "a=false"),
        (r#"{"doubleValue":"Infinity"}"#, "a=+Inf"),
        (r#"{"bytesValue":"AQL/"}"#, "a=AQL/"),
        (nested, "a.x=true|a.y.z=1.5"),
        (
            r#"{"arrayValue":{"values":[{"stringValue":"x\"y"},{"intValue":1},{},{"arrayValue":{}},{"bytesValue":"AQ=="}]}}"#,
            r#"a=["x\"y",1,null,[],"AQ=="]"#,
        ),
    ] {
        let point = format!(r#"{{"timeUnixNano":5000000,"asInt":1,"attributes":[{{"key":"a","value":{value}}}]}}"#);
        let lines = series(&format!(r#"{{"name":"m","gauge":{{"dataPoints":[{point}]}}}}"#));
        assert_eq!(lines, [format!("__name__=m|{label} 1@5")], "{value}");
    }
}

#[test]
fn what_can_not_be_read_is_refused_alone() {
    let point = r#"{"timeUnixNano":5000000,"asInt":1}"#;
    let metric = |name: &str| format!(r#"{{"name":"{name}","gauge":{{"dataPoints":[{point}]}}}}"#);
    let (lines, refused) = parsed(request(&[metric("a"), metric(""), metric("b")].join(",")).as_bytes());
    assert_eq!(lines.len(), 2);
    assert_eq!(refused.reasons, [(0, "a metric: a metric has no name".to_owned())]);
    // A time that is a varint, in the second of three points.
    let mut body = json::to_protobuf(
        request(&format!(r#"{{"name":"m","gauge":{{"dataPoints":[{point},{point},{point}]}}}}"#)).as_bytes(),
    )
    .unwrap();
    let times: Vec<_> = (0..body.len() - 9)
        .filter(|at| body[*at] == 3 << 3 | 1 && body[at + 1..at + 9] == 5_000_000_u64.to_le_bytes())
        .collect();
    body[times[1]] = 3 << 3;
    let (lines, refused) = parsed(&body);
    assert_eq!(lines[0].matches('@').count(), 2, "{lines:?}");
    assert_eq!(refused.count, 1);
    assert!(refused.reasons[0].1.starts_with("a point: "), "{refused:?}");
    for text in [
        "{",
        "{}x",
        "{\"resourceMetrics\":1}",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":3}]}]}]}",
    ] {
        let (lines, refused) = parsed(text.as_bytes());
        assert_eq!((lines.len(), refused.count), (0, 1), "{text}");
        assert!(refused.reasons[0].1.starts_with("metrics as JSON can't be read: "), "{refused:?}");
    }
}

/// A point with these attributes.
fn point(attributes: &str) -> String {
    format!(r#"{{"timeUnixNano":5000000,"asInt":1,"attributes":[{attributes}]}}"#)
}

fn gauge(points: &str) -> String {
    request(&format!(r#"{{"name":"m","gauge":{{"dataPoints":[{points}]}}}}"#))
}

#[test]
fn labels_without_measure_are_refused_alone() {
    let nested = |entries: usize, value: &str| {
        let entry = format!(r#"{{"key":"","value":{{{value}}}}}"#);
        let entries = vec![entry; entries].join(",");
        let key = "k".repeat(100_000);
        point(&format!(r#"{{"key":"{key}","value":{{"kvlistValue":{{"values":[{entries}]}}}}}}"#))
    };
    let text = r#""stringValue":"""#;
    let points = [point(""), nested(50_000, text), nested(10, text), point("")].join(",");
    let (lines, refused) = parsed(gauge(&points).as_bytes());
    assert_eq!(lines.iter().map(|line| line.matches('@').count()).sum::<usize>(), 3);
    assert_eq!(refused.reasons, [(0, "a point: the labels of a record take more than 1 MiB".to_owned())]);
    // Lists without a label in them cost no name, either.
    let (_, refused) = parsed(gauge(&nested(50_000, r#""kvlistValue":{}"#)).as_bytes());
    assert_eq!(refused.count, 0);
    // Of a resource, all is refused.
    let body = gauge(&point("")).replace("\"shop\"", &format!("\"{}\"", "v".repeat(1 << 20)));
    let (lines, refused) = parsed(body.as_bytes());
    assert_eq!(lines, [""; 0]);
    assert_eq!(
        refused.reasons,
        [(0, "the metrics of a resource: the labels of a record take more than 1 MiB".to_owned())]
    );
}

#[test]
fn labels_of_a_resource_are_not_repeated_for_any_number_of_points() {
    let body = gauge(&vec![point(""); 2000].join(",")).replace("\"shop\"", &format!("\"{}\"", "v".repeat(1_000_000)));
    let protobuf = json::to_protobuf(body.as_bytes()).unwrap();
    let (mut kept, mut refused) = (Counted(0), Refused::default());
    parse(&protobuf, 7000, &mut refused, &mut kept);
    let most = (protobuf.len() * 1024 + (64 << 20)) / 1_000_000;
    assert!(kept.0 <= most && kept.0 + 5 > most, "{} of {most}", kept.0);
    assert_eq!(kept.0 as u64 + refused.count, 2000);
    assert!(refused.reasons[0].1.contains("1024 times the bytes"), "{refused:?}");
}

#[test]
fn deep_nesting_is_refused() {
    let mut value = vec![];
    for _ in 0..100 {
        // A list of one value.
        let mut list = vec![1 << 3 | 2];
        crate::encoding::int::put_bytes(&mut list, &value);
        value = vec![5 << 3 | 2];
        crate::encoding::int::put_bytes(&mut value, &list);
    }
    let message = |number: u8, content: &[u8]| {
        let mut message = vec![number << 3 | 2];
        crate::encoding::int::put_bytes(&mut message, content);
        message
    };
    let attribute = [message(1, b"a"), message(2, &value)].concat();
    let resource = message(1, &message(1, &attribute));
    let (lines, refused) = parsed(&message(1, &resource));
    assert_eq!((lines.len(), refused.count), (0, 1));
    assert!(refused.reasons[0].1.contains("nested at most 32 deep"), "{refused:?}");
}
