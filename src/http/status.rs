//! What the server tells of its series and of its queries, as JSON.

use super::HttpResponse;
use super::prometheus::{plain, put_text, success};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What an entry of a map takes beside its text, roughly.
const ENTRY_BYTES: usize = 64;

/// How many series have which labels.
#[derive(Clone, Debug, Default)]
pub struct Cardinality {
    series: u64,
    /// For each label each value with the number of series that have it.
    labels: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, u64>>,
}

impl Cardinality {
    /// Counts a series. Returns about how many bytes more this takes.
    pub fn add<'a>(&mut self, labels: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> u64 {
        self.series += 1;
        let mut added = 0;
        for (name, value) in labels {
            if !self.labels.contains_key(name) {
                added += name.len() + ENTRY_BYTES;
                self.labels.insert(name.to_vec(), BTreeMap::new());
            }
            let Some(values) = self.labels.get_mut(name) else { continue };
            match values.get_mut(value) {
                Some(count) => *count += 1,
                None => {
                    added += value.len() + ENTRY_BYTES;
                    values.insert(value.to_vec(), 1);
                }
            }
        }
        added as u64
    }

    /// The reply of `/api/v1/status/tsdb`: the `top` largest of each kind.
    pub fn reply(&self, top: usize, focus_label: &str) -> HttpResponse {
        let series_with = |values: &BTreeMap<Vec<u8>, u64>| values.values().sum::<u64>();
        let values_of = |label: &str| {
            let values = self.labels.get(label.as_bytes()).into_iter().flatten();
            largest(values.map(|(value, count)| ([value.as_slice(), &[], &[]], *count)), top)
        };
        let pairs = self.labels.iter().flat_map(|(name, values)| {
            values.iter().map(move |(value, count)| ([name.as_slice(), b"=", value], *count))
        });
        let mut data = format!(
            "{{\"totalSeries\":{},\"totalLabelValuePairs\":{}",
            self.series,
            self.labels.values().map(series_with).sum::<u64>()
        );
        let of_labels = |count: &dyn Fn(&BTreeMap<Vec<u8>, u64>) -> u64| {
            largest(self.labels.iter().map(|(name, values)| ([name.as_slice(), &[], &[]], count(values))), top)
        };
        put_counts(&mut data, "seriesCountByMetricName", &values_of("__name__"));
        put_counts(&mut data, "seriesCountByLabelName", &of_labels(&series_with));
        put_counts(&mut data, "seriesCountByFocusLabelValue", &values_of(focus_label));
        put_counts(&mut data, "seriesCountByLabelValuePair", &largest(pairs, top));
        put_counts(&mut data, "labelValueCountByLabelName", &of_labels(&|values| values.len() as u64));
        success(&(data + "}"))
    }
}

/// A name in three pieces, and how many there are of it.
type Count<'a> = ([&'a [u8]; 3], u64);

/// The largest counts, those of equal size by name. No more than twice as many are kept on the way.
fn largest<'a>(counts: impl Iterator<Item = Count<'a>>, top: usize) -> Vec<Count<'a>> {
    let mut found = Vec::new();
    let keep_top = |found: &mut Vec<Count>| {
        found.sort_unstable_by(|(name, count), (other, other_count)| {
            other_count.cmp(count).then_with(|| name.iter().copied().flatten().cmp(other.iter().copied().flatten()))
        });
        found.truncate(top);
    };
    for count in counts {
        found.push(count);
        if found.len() > top.saturating_mul(2).saturating_add(64) {
            keep_top(&mut found);
        }
    }
    keep_top(&mut found);
    found
}

fn put_counts(out: &mut String, key: &str, counts: &[Count]) {
    // Writing to a string can't fail.
    let _ = write!(out, ",\"{key}\":[");
    for (position, (name, count)) in counts.iter().enumerate() {
        out.push_str(if position > 0 { ",{\"name\":" } else { "{\"name\":" });
        put_text(out, &String::from_utf8_lossy(&name.concat()));
        let _ = write!(out, ",\"value\":{count}}}");
    }
    out.push(']');
}

/// A query that is being answered, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRecord {
    /// The expression.
    pub text: String,
    /// The first instant it was asked for.
    pub start_ms: i64,
    /// The last one.
    pub end_ms: i64,
    /// From one to the next.
    pub step_ms: i64,
    /// When it was begun.
    pub began_ms: i64,
    /// How long it took, or has taken so far.
    pub took_ms: i64,
}

/// The reply of `/api/v1/status/active_queries`; each query comes with its number.
pub fn active_queries(queries: &[(u64, QueryRecord)]) -> HttpResponse {
    let mut out = String::from("{\"status\":\"ok\",\"data\":[");
    for (position, (number, query)) in queries.iter().enumerate() {
        out.push_str(if position > 0 { ",{\"duration\":" } else { "{\"duration\":" });
        let _ = write!(
            out,
            "\"{:.3}s\",\"id\":\"{number:016X}\",\"remote_addr\":\"in-process\",\"query\":",
            seconds(query.took_ms)
        );
        put_text(&mut out, &query.text);
        let _ = write!(out, ",\"start\":{},\"end\":{},\"step\":{}}}", query.start_ms, query.end_ms, query.step_ms);
    }
    out.push_str("]}");
    plain(out)
}

/// Queries of one text over ranges of one length, taken together.
struct Sum<'a> {
    text: &'a str,
    range_seconds: i64,
    count: u64,
    took_ms: i64,
}

/// Which of the queries `/api/v1/status/top_queries` tells.
#[derive(Clone, Copy, Debug)]
pub struct TopQueries<'a> {
    /// How many of each list.
    pub top: usize,
    /// Those that were begun earlier are left out.
    pub began_from_ms: i64,
    /// How long ago that is, as it was asked for.
    pub max_lifetime: &'a str,
    /// How many are remembered at the most.
    pub remembered: usize,
}

impl TopQueries<'_> {
    /// The reply: the queries that came most often, took longest on average, and took most time in all.
    pub fn reply<'a>(&self, queries: impl Iterator<Item = &'a QueryRecord>) -> HttpResponse {
        let mut sums: BTreeMap<(&str, i64), Sum<'_>> = BTreeMap::new();
        for query in queries.filter(|query| query.began_ms >= self.began_from_ms) {
            let range_seconds = (query.end_ms - query.start_ms) / 1_000;
            let new = Sum { text: &query.text, range_seconds, count: 0, took_ms: 0 };
            let sum = sums.entry((&query.text, range_seconds)).or_insert(new);
            sum.count += 1;
            sum.took_ms += query.took_ms;
        }
        let mut out = format!(
            "{{\"topN\":\"{}\",\"maxLifetime\":\"{}\",\"search.queryStats.lastQueriesCount\":{},\"search.queryStats.minQueryDuration\":\"0s\"",
            self.top, self.max_lifetime, self.remembered
        );
        let average = |sum: &Sum<'_>| seconds(sum.took_ms) / sum.count as f64;
        let mut sums: Vec<_> = sums.into_values().collect();
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.count));
        self.put(&mut out, "topByCount", &sums, |_| None);
        sums.sort_by(|sum, other| average(other).total_cmp(&average(sum)));
        self.put(&mut out, "topByAvgDuration", &sums, |sum| Some(("avgDurationSeconds", average(sum))));
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.took_ms));
        self.put(&mut out, "topBySumDuration", &sums, |sum| Some(("sumDurationSeconds", seconds(sum.took_ms))));
        plain(out + "}")
    }

    fn put(
        &self,
        out: &mut String,
        key: &str,
        sums: &[Sum<'_>],
        duration: impl Fn(&Sum<'_>) -> Option<(&'static str, f64)>,
    ) {
        let _ = write!(out, ",\"{key}\":[");
        for (position, sum) in sums.iter().take(self.top).enumerate() {
            out.push_str(if position > 0 { ",{\"query\":" } else { "{\"query\":" });
            put_text(out, sum.text);
            let _ = write!(out, ",\"timeRangeSeconds\":{}", sum.range_seconds);
            if let Some((name, seconds)) = duration(sum) {
                let _ = write!(out, ",\"{name}\":{seconds:.3}");
            }
            let _ = write!(out, ",\"count\":{}}}", sum.count);
        }
        out.push(']');
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(response: HttpResponse) -> String {
        String::from_utf8(response.body).unwrap()
    }

    #[test]
    fn the_largest_counts_come_first_and_equal_ones_by_name() {
        let mut cardinality = Cardinality::default();
        for (name, host) in [("up", "a"), ("up", "b"), ("load", "b")] {
            let labels = [("__name__", name), ("host", host)];
            cardinality.add(labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        }
        assert_eq!(
            body(cardinality.reply(2, "host")),
            concat!(
                r#"{"status":"success","data":{"totalSeries":3,"totalLabelValuePairs":6,"#,
                r#""seriesCountByMetricName":[{"name":"up","value":2},{"name":"load","value":1}],"#,
                r#""seriesCountByLabelName":[{"name":"__name__","value":3},{"name":"host","value":3}],"#,
                r#""seriesCountByFocusLabelValue":[{"name":"b","value":2},{"name":"a","value":1}],"#,
                r#""seriesCountByLabelValuePair":[{"name":"__name__=up","value":2},{"name":"host=b","value":2}],"#,
                r#""labelValueCountByLabelName":[{"name":"__name__","value":2},{"name":"host","value":2}]}}"#
            )
        );
    }

    #[test]
    fn queries_are_told_by_number_length_and_sum() {
        let query = |text: &str, began_ms, took_ms| QueryRecord {
            text: text.into(),
            start_ms: 0,
            end_ms: 60_000,
            step_ms: 15_000,
            began_ms,
            took_ms,
        };
        let queries = [query("old", 0, 9), query("a", 100, 10), query("a", 110, 20), query("b\"", 120, 25)];
        let asked = TopQueries { top: 1, began_from_ms: 100, max_lifetime: "1m", remembered: 7 };
        assert_eq!(
            body(asked.reply(queries.iter())),
            concat!(
                r#"{"topN":"1","maxLifetime":"1m","search.queryStats.lastQueriesCount":7,"search.queryStats.minQueryDuration":"0s","#,
                r#""topByCount":[{"query":"a","timeRangeSeconds":60,"count":2}],"#,
                r#""topByAvgDuration":[{"query":"b\"","timeRangeSeconds":60,"avgDurationSeconds":0.025,"count":1}],"#,
                r#""topBySumDuration":[{"query":"a","timeRangeSeconds":60,"sumDurationSeconds":0.030,"count":2}]}"#
            )
        );
        assert_eq!(
            body(active_queries(&[(10, query("a", 0, 1_500))])),
            r#"{"status":"ok","data":[{"duration":"1.500s","id":"000000000000000A","remote_addr":"in-process","query":"a","start":0,"end":60000,"step":15000}]}"#
        );
    }
}
