//! Texts become expressions and texts again; what is wrong is told with its place.

use crate::generator::Generator;
use sandglass::error::ErrorKind;
use sandglass::query::dialect::Dialect;
use sandglass::query::language::{parse, parse_selector, print, tag_filters};
use std::time::{Duration, Instant};

const DIALECTS: [Dialect; 2] = [Dialect::MetricsQl, Dialect::PromQl];
/// A debug build on a busy machine is allowed this; a loop that grows with the square of the text is not.
const MOMENT: Duration = Duration::from_secs(2);

/// The lines of a table: name of the dialect, text, answer.
fn table(text: &'static str) -> impl Iterator<Item = (Dialect, &'static str, &'static str)> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).map(|line| {
        let (dialect, rest) = line.split_once(' ').unwrap();
        let (query, answer) = rest.split_once(" => ").unwrap_or_else(|| panic!("no answer in {line}"));
        let dialect = match dialect {
            "m" => Dialect::MetricsQl,
            "p" => Dialect::PromQl,
            _ => panic!("no dialect in {line}"),
        };
        (dialect, query.trim(), answer.trim())
    })
}

/// Nodes and no spans; the debug form, as NaN is equal to itself there.
fn tree(text: &str, dialect: Dialect) -> String {
    match parse(text, dialect) {
        Ok(expression) => format!("{:?}", expression.nodes),
        Err(error) => panic!("{text}\n{error}"),
    }
}

#[test]
fn texts_are_read_as_the_table_says() {
    let mut wrong = Vec::new();
    for (dialect, query, answer) in table(include_str!("language.txt")) {
        let found = match parse(query, dialect) {
            Ok(expression) => print(&expression),
            Err(error) => error.to_string(),
        };
        if found != answer {
            wrong.push(format!("{query}\n  wanted {answer}\n  found  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_printed_is_read_as_the_same_expression() {
    for dialect in DIALECTS {
        for seed in 0..3_000 {
            let metrics = vec!["up", "node:cpu", "sum", "by"];
            let labels = vec![("job", "node"), ("le", "1"), ("offset", "a b")];
            let text = Generator::new(seed, dialect, metrics, labels).expression();
            let first = parse(&text, dialect).unwrap_or_else(|error| panic!("seed {seed}: {text}\n{error}"));
            let printed = print(&first);
            assert_eq!(tree(&printed, dialect), format!("{:?}", first.nodes), "seed {seed}: {text}\nprinted {printed}");
        }
    }
}

#[test]
fn children_stand_before_their_parents_and_the_root_is_last() {
    let text = "WITH (f(x) = -x + 1, s = {a=\"b\"}) sum(f(m{s}[5m] offset 1m @ end()), (a, f(2))) by (b) / 2";
    let expression = parse(text, Dialect::MetricsQl).unwrap();
    let mut parents = vec![0; expression.nodes.len()];
    for (at, node) in expression.nodes.iter().enumerate() {
        node.for_each_child(|child| {
            assert!((child.0 as usize) < at);
            parents[child.0 as usize] += 1;
        });
    }
    // Every node but the root has one parent: nothing is left over and nothing is shared.
    let (root, others) = parents.split_last().unwrap();
    assert_eq!(*root, 0);
    assert!(others.iter().all(|count| *count == 1), "{parents:?}");
    assert_eq!(expression.spans.len(), expression.nodes.len());
}

#[test]
fn spans_show_where_nodes_stand() {
    let text = "sum(rate(m[5m])) + 1";
    let expression = parse(text, Dialect::PromQl).unwrap();
    let shown: Vec<&str> = expression.spans.iter().map(|span| &text[span.start as usize..span.end as usize]).collect();
    assert_eq!(shown, ["m", "m[5m]", "rate(m[5m])", "sum(rate(m[5m]))", "1", text]);
}

#[test]
fn a_mistake_has_its_place_and_becomes_an_error_of_the_engine() {
    let error = parse("up\n + sum(rate(x[5m])", Dialect::MetricsQl).unwrap_err();
    assert_eq!((error.line, error.column, error.span.start), (2, 19, 21));
    let error: sandglass::error::Error = error.into();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().starts_with("2:19: parse error: expected "), "{}", error.message());
}

#[test]
fn selectors_are_read_as_both_servers_read_them() {
    let shown = |text: &str| format!("{:?}", parse_selector(text).unwrap_or_else(|error| panic!("{text}\n{error}")));
    let same = [
        (r#"wind\-speed{sensor\-id=~"a.+"}"#, r#"{"wind-speed", "sensor-id"=~'a.+',}"#),
        (r#"{__name__="up"}"#, "up"),
        (r#"{"up"}"#, " up { } # all of them"),
        (r#"m{a="x" or b="y"}"#, r#"{"m",a="x" or "m",b='y'}"#),
        (r#"m{a="\x41\u00e4\n"}"#, "m{a='A\u{e4}\\n'}"),
        (r#"by{or="x"}"#, r#"{"by","or"="x"}"#),
        (r#"täg{größe="1"}"#, r#"{"täg","größe"="1"}"#),
    ];
    for (left, right) in same {
        assert_eq!(shown(left), shown(right));
    }
    for bad in [
        "",
        "{}",
        "{",
        "up{",
        "up}",
        "up{job}",
        "up{job=}",
        "up{job=x}",
        "1up",
        "up{,}",
        r#"{l="\q"}"#,
        "up{} x",
        "up[5m]",
        "up offset 5m",
        r#"{a="b" or}"#,
        r#"{a="b" c="d"}"#,
        r#"{a="b",,}"#,
    ] {
        assert!(parse_selector(bad).is_err(), "{bad}");
    }
}

#[test]
fn conditions_become_filters_with_each_dialects_meaning() {
    let finds = |dialect: Dialect, text: &str, value: &[u8]| {
        let lists = parse_selector(text).unwrap();
        tag_filters(&lists, dialect).unwrap()[0][1].matches(value)
    };
    assert!(!finds(Dialect::MetricsQl, r#"m{l=~"a.b"}"#, b"a\nb"));
    assert!(finds(Dialect::PromQl, r#"m{l=~"a.b"}"#, b"a\nb"));
    assert!(finds(Dialect::MetricsQl, r#"m{l!~".*"}"#, b""));
    assert!(!finds(Dialect::PromQl, r#"m{l!~".*"}"#, b""));
    let bad = tag_filters(&parse_selector(r#"m{l=~"a["}"#).unwrap(), Dialect::PromQl).unwrap_err();
    assert!(bad.message().contains("\"l\"") && bad.kind() == ErrorKind::Invalid, "{bad}");
}

/// Ends in a moment, well or with an error. Tells what MetricsQL says, which has no types.
fn ends(text: &str) -> Result<(), String> {
    let mut last = Ok(());
    for dialect in DIALECTS {
        let start = Instant::now();
        let result = parse(text, dialect).map(drop).map_err(|error| error.to_string());
        if dialect == Dialect::MetricsQl {
            last = result;
        }
        let _ = parse_selector(text);
        let took = start.elapsed();
        assert!(took < MOMENT, "{took:?} for {} bytes: {}", text.len(), text.chars().take(80).collect::<String>());
    }
    last
}

#[test]
fn hostile_texts_end_in_an_error_at_once() {
    let deep = |open: &str, inside: &str, close: &str, times: usize| {
        [open.repeat(times), inside.to_owned(), close.repeat(times)].concat()
    };
    for (open, inside, close) in [
        ("(", "1", ")"),
        ("-", "1", ""),
        ("+ ", "1", ""),
        ("abs(", "m", ")"),
        ("sum by (a) (", "m", ")"),
        ("m @ (", "1", ")"),
        ("2 ^ ", "2", ""),
        ("1 + (", "2", ")"),
        ("with (a = ", "1", ") a"),
        ("with (a(b) = ", "1", ") a(1)"),
        ("m{", "", "}"),
        ("m[", "5m", "]"),
    ] {
        // The right side of an operator is a level of its own.
        let well = if open.starts_with("1 +") { 95 } else { 190 };
        assert!(
            ends(&deep(open, inside, close, well)).is_ok()
                || inside.is_empty()
                || open.contains("with")
                || open == "m[",
            "{open}"
        );
        for times in [210, 3_000] {
            let error = ends(&deep(open, inside, close, times)).unwrap_err();
            assert!(error.contains(": parse error: "), "{error}");
        }
    }
    for long in ["(", "a", "1+", "a,", "\"", "{a=\"b\",", "m or ", "-", "[", "\\", "#", "ä", "sum(", "5m", "with ("] {
        assert!(ends(&long.repeat(1_000_000 / long.len())).unwrap_err().contains("bytes, more than 65536"));
        let _ = ends(&long.repeat(65_536 / long.len()));
    }
    // Templates that double at every line, in nodes, in conditions, in texts.
    let doubled = |first: &str, next: &dyn Fn(usize) -> String, last: &str| {
        let mut text = format!("with (a0 = {first}");
        for at in 1..60 {
            text.push_str(&format!(", a{at} = {}", next(at - 1)));
        }
        text + ") " + last
    };
    let twice = |at: usize| format!("a{at} + a{at}");
    let braces = |at: usize| format!("{{a{at}, a{at}}}");
    for text in [
        doubled("m", &twice, "a59"),
        doubled("\"a long text\"", &twice, "a59"),
        doubled("{x=\"y\"}", &braces, "a59"),
        doubled("(x, y)", &|at| format!("(a{at}, a{at})"), "sum(m) by (a59)"),
    ] {
        assert!(ends(&text).unwrap_err().contains("more than 50000 nodes"));
    }
    let functions =
        (1..60).fold("with (f0(x) = x + x".to_owned(), |text, at| format!("{text}, f{at}(x) = f{}(f{0}(x))", at - 1));
    assert!(ends(&(functions + ") f59(1)")).is_err());
    let names: String = (0..5_000).map(|at| format!("a{at}=1,")).collect();
    assert!(ends(&format!("with ({names}) a1")).unwrap_err().contains("more than 1000 templates"));
    // Lists of conditions that multiply.
    let conditions = |times: usize, between: &str| vec!["a=\"\""; times].join(between);
    let multiplied = format!("with (x={{{}}}) x{{{}}}", conditions(5_000, ","), conditions(4_000, " or "));
    assert!(ends(&multiplied).unwrap_err().contains("more than 50000 nodes"));
    let patterns: String = (0..2_000).map(|at| format!("{{a=~\"(x{{900}}){{{}}}\"}} or ", at + 9)).collect();
    let _ = ends(&(patterns + "m"));
    assert!(ends("m + ".repeat(10_000).trim_end_matches(" + ")).is_ok());
}

#[test]
fn every_byte_of_good_texts_flipped_is_read_or_refused() {
    for (_, query, _) in table(include_str!("language.txt")) {
        for at in 0..query.len() {
            for flip in [1, 4, 16, 32, 64, 0x5f] {
                let mut bytes = query.as_bytes().to_vec();
                bytes[at] ^= flip;
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    for dialect in DIALECTS {
                        if let Ok(expression) = parse(text, dialect) {
                            let printed = print(&expression);
                            assert_eq!(tree(&printed, dialect), format!("{:?}", expression.nodes), "{text}\n{printed}");
                        }
                    }
                }
            }
        }
    }
}

/// Not a test but a measurement: `cargo test --release … -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_dashboard_query_takes() {
    let text = r#"histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket{job="api",instance=~"$instance|x.*",code!~"5.."}[5m]))) / on (route) group_left () sum(rate(http_requests_total{job="api"}[5m] offset 1d)) by (route) * 100 > 0.5"#;
    for dialect in DIALECTS {
        let start = Instant::now();
        for _ in 0..20_000 {
            std::hint::black_box(parse(std::hint::black_box(text), dialect).unwrap());
        }
        println!("{dialect:?}: {:.2} us", start.elapsed().as_secs_f64() * 1e6 / 20_000.0);
    }
}
