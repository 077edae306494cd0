//! The function table keeps its rules, and the documentation shows it.

use sandglass::query::aggregate::Aggregate;
use sandglass::query::dialect::Dialect;
use sandglass::query::functions::signature::{Count, Dialects, Family, Function, Kind, Names};
use sandglass::query::functions::table;
use sandglass::query::language;
use sandglass::query::rollup::table::Rollup;
use sandglass::query::transform::Transform;
use std::collections::BTreeSet;

const MISSING_BEGIN: &str =
    "<!-- The list below is made from what the grammar refuses by name; UPDATE_DOCS=1 writes it anew. -->\n";
const MISSING_END: &str = "<!-- End of the list. -->";
const BEGIN: &str = "<!-- The table below is made from the function table; UPDATE_DOCS=1 writes it anew. -->\n";
const END: &str = "<!-- End of the table. -->";

fn call(line: &Function) -> String {
    let arguments: Vec<String> = line
        .arguments
        .iter()
        .map(|argument| match argument.count {
            Count::One => argument.name.to_owned(),
            Count::Optional => format!("{}?", argument.name),
            Count::Any => format!("{}*", argument.name),
            Count::Many => format!("{}+", argument.name),
        })
        .collect();
    format!("`{}({})`", line.name, arguments.join(", "))
}

fn made_table() -> String {
    let mut text = String::new();
    for (family, title) in [
        (Family::Rollup, "Of the samples in a window"),
        (Family::Transform, "Of rows, by their values"),
        (Family::Label, "Of rows, by their labels"),
        (Family::Aggregate, "Aggregations"),
    ] {
        text.push_str(&format!(
            "\n### {title}\n\n| call | MetricsQL | PromQL | name | what it gives |\n|---|---|---|---|---|\n"
        ));
        for line in table::all().filter(|line| line.family == family) {
            let knows = |dialect| if line.dialects.contains(dialect) { "yes" } else { "" };
            let name = if line.names == Names::Keep { "kept" } else { "" };
            text.push_str(&format!(
                "| {} | {} | {} | {name} | {} |\n",
                call(line),
                knows(Dialect::MetricsQl),
                knows(Dialect::PromQl),
                line.documentation
            ));
        }
    }
    text + "\n"
}

fn made_list() -> String {
    let lines = language::MISSING.iter().map(|missing| {
        let example = missing.example.replace('|', "\\|");
        format!("| {} | `{example}` | {} |\n", missing.name, missing.instead)
    });
    format!("\n| of Prometheus 3 | such as | instead |\n|---|---|---|\n{}\n", lines.collect::<String>())
}

/// Puts what is made between two marks of docs/QUERIES.md, or finds it there.
fn show(text: &str, (begin, end): (&str, &str), made: &str) -> String {
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("docs/QUERIES.md has no mark {begin}"));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("docs/QUERIES.md has no mark {end}"));
    let is_updated = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(found == made || is_updated, "docs/QUERIES.md shows another table; run this test with UPDATE_DOCS=1");
    [before, begin, made, end, after].concat()
}

#[test]
fn the_documentation_shows_what_is_there_and_what_is_not() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/QUERIES.md");
    let text = std::fs::read_to_string(path).unwrap();
    let shown = show(&text, (MISSING_BEGIN, MISSING_END), &made_list());
    let shown = show(&shown, (BEGIN, END), &made_table());
    if shown != text {
        std::fs::write(path, shown).unwrap();
    }
}

#[test]
fn what_is_not_there_is_refused_by_its_name() {
    for missing in language::MISSING {
        let error = language::parse(missing.example, Dialect::PromQl).unwrap_err().to_string();
        assert!(error.contains(&format!("not supported: {}", missing.name)), "{}: {error}", missing.example);
    }
    for (text, dialect) in [
        ("a * ignoring (x) group_left fill_left (1) b", Dialect::MetricsQl),
        ("rate(m[5m] smoothed)", Dialect::PromQl),
        ("m[5m] anchored", Dialect::PromQl),
        ("rate(m[(1m + 30s)])", Dialect::PromQl),
        ("m offset (1m + 30s)", Dialect::PromQl),
        ("m offset step()", Dialect::PromQl),
        ("rate(m[1h:5m/2])", Dialect::PromQl),
        ("a >/ b", Dialect::MetricsQl),
    ] {
        let error = language::parse(text, dialect).unwrap_err().to_string();
        assert!(error.contains("parse error: not supported: "), "{text}: {error}");
    }
    // Their names are names elsewhere.
    for text in ["fill", "anchored + smoothed", "info{step=\"1\"}", "sum by (range) (max_of)"] {
        assert!(language::parse(text, Dialect::PromQl).is_ok(), "{text}");
    }
}

#[test]
fn a_name_has_one_meaning_in_each_language() {
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let mut seen = BTreeSet::new();
        for line in table::all().filter(|line| line.dialects.contains(dialect)) {
            assert!(seen.insert(line.name), "{} is there twice in {dialect:?}", line.name);
            assert_eq!(line.name, line.name.to_lowercase());
            let is_aggregate = line.family == Family::Aggregate;
            assert_eq!(table::aggregate(line.name, dialect).is_some(), is_aggregate, "{}", line.name);
            assert_eq!(table::function(line.name, dialect).is_some(), !is_aggregate, "{}", line.name);
        }
    }
}

/// The functions that the two servers know, without native histograms, those that are refused by name, and what is no function here.
#[test]
fn the_table_has_what_the_servers_have() {
    for line in include_str!("functions.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (dialect, names) = line.split_once(':').unwrap();
        let dialect = if dialect == "p" { Dialect::PromQl } else { Dialect::MetricsQl };
        for name in names.split_whitespace() {
            let is_there = table::function(name, dialect).is_some() || table::aggregate(name, dialect).is_some();
            assert!(is_there, "{name} is missing in {dialect:?}");
        }
    }
}

#[test]
fn repeated_arguments_stretch() {
    let quantiles = table::aggregate("quantiles", Dialect::MetricsQl).unwrap();
    let kinds: Vec<Kind> = (0..4).map(|at| quantiles.argument(at, 4).unwrap().kind).collect();
    assert_eq!(kinds, [Kind::Text, Kind::Scalar, Kind::Scalar, Kind::Series]);
    assert_eq!((quantiles.least_arguments(), quantiles.most_arguments()), (3, None));
    let round = table::function("round", Dialect::PromQl).unwrap();
    assert_eq!((round.least_arguments(), round.most_arguments()), (1, Some(2)));
    assert!(round.argument(2, 3).is_none());
    assert_eq!(table::function("rate", Dialect::PromQl).unwrap().dialects, Dialects::Both);
}

/// Written with other functions before anything is computed.
const EXPANDED: [&str; 2] = ["ru", "ttf"];

#[test]
fn every_function_of_the_table_is_computed() {
    for line in table::all().filter(|line| !EXPANDED.contains(&line.name)) {
        for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
            if !line.dialects.contains(dialect) {
                continue;
            }
            let is_known = Rollup::by_name(line.name, dialect).is_some()
                || Transform::by_name(line.name, dialect).is_some()
                || Aggregate::by_name(line.name, dialect).is_some();
            assert!(is_known, "{} of {dialect:?} is in the table, and nothing computes it", line.name);
        }
    }
}
