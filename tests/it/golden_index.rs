//! Metric names, index items and index parts against the server's golden vectors.

use sandglass::metric::name::MetricName;
use sandglass::metric::tsid::Tsid;
use serde_json::Value;

use crate::golden::{cases, hex, int, list};

fn tags(value: &Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    list(value).iter().map(|tag| (hex(&tag[0]), hex(&tag[1]))).collect()
}

#[test]
fn metric_names() {
    for case in cases("metric_names") {
        let mut name = MetricName { metric_group: hex(&case["group"]), tags: tags(&case["tags"]) };
        name.sort_tags();
        assert_eq!(name.tags, tags(&case["sorted_tags"]), "{case}");
        let mut marshaled = Vec::new();
        name.marshal(&mut marshaled);
        assert_eq!(marshaled, hex(&case["marshaled"]), "{case}");
        assert_eq!(MetricName::unmarshal(&marshaled).unwrap(), name);
        let tsid = &case["tsid"];
        let expected = Tsid {
            metric_group_id: int(&tsid["metric_group_id"]),
            job_id: int(&tsid["job_id"]),
            instance_id: int(&tsid["instance_id"]),
            metric_id: int(&tsid["metric_id"]),
        };
        assert_eq!(name.tsid(expected.metric_id), expected, "{case}");
    }
}
