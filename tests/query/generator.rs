//! Well-formed expressions at random, always the same ones for a seed.

use sandglass::query::dialect::Dialect;
use sandglass::query::functions::signature::{Argument, Count, Family, Function, Kind};
use sandglass::query::functions::table;

/// Makes expressions of one dialect over given metrics and labels.
pub struct Generator {
    state: u64,
    dialect: Dialect,
    metrics: Vec<&'static str>,
    labels: Vec<(&'static str, &'static str)>,
}

impl Generator {
    /// Expressions that select these metrics, by labels with these values.
    pub fn new(
        seed: u64,
        dialect: Dialect,
        metrics: Vec<&'static str>,
        labels: Vec<(&'static str, &'static str)>,
    ) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, dialect, metrics, labels }
    }

    /// An expression that gives rows.
    pub fn expression(&mut self) -> String {
        let depth = 1 + self.below(4);
        self.of_kind(Kind::Series, depth)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        // xorshift64*
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn is_metrics_ql(&self) -> bool {
        self.dialect == Dialect::MetricsQl
    }

    fn of_kind(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Text => self.pick(&["\"a\"", "\"a b\\n\"", "'x'", "`\\d`"]).to_owned(),
            Kind::Scalar => self.scalar(depth),
            Kind::Range => self.range(depth),
            Kind::Series => self.series(depth),
        }
    }

    fn scalar(&mut self, depth: usize) -> String {
        if depth > 1 && self.below(4) == 0 {
            return format!("scalar({})", self.series(depth - 1));
        }
        if depth > 1 && self.below(4) == 0 {
            let operator = self.pick(&["+", "-", "*", "/", "%", "^", "== bool"]);
            return format!("({} {operator} {})", self.scalar(depth - 1), self.scalar(depth - 1));
        }
        self.pick(&["0", "1", "2.5", "0.25", "1e3", "-1", "time()", "pi()", "1e-9", "Inf"]).to_owned()
    }

    fn duration(&mut self) -> &'static str {
        let all = ["5m", "1m", "90s", "1h30m", "10m", "1d", "1w", "15s"];
        if self.is_metrics_ql() && self.below(5) == 0 { self.pick(&["5i", "1.5m", "2m3i"]) } else { self.pick(&all) }
    }

    fn range(&mut self, depth: usize) -> String {
        if self.is_metrics_ql() && self.below(4) == 0 {
            return self.series(depth.saturating_sub(1));
        }
        let window = self.duration();
        let inside = if depth > 2 && self.below(3) == 0 {
            let step = if self.below(2) == 0 { "" } else { "30s" };
            format!("{}[{window}:{step}]", self.call(depth - 1, Kind::Series))
        } else {
            format!("{}[{window}]", self.selector())
        };
        self.moved(inside)
    }

    /// Perhaps with an offset or an instant.
    fn moved(&mut self, inside: String) -> String {
        match self.below(8) {
            0 => format!("{inside} offset {}", self.duration()),
            1 => format!("{inside} offset -1m @ end()"),
            2 => format!("{inside} @ start()"),
            _ => inside,
        }
    }

    /// A metric, perhaps with conditions.
    pub fn selector(&mut self) -> String {
        let metrics = self.metrics.clone();
        let name = self.pick(&metrics).to_owned();
        let labels = self.labels.clone();
        let mut conditions = Vec::new();
        for _ in 0..self.below(3) {
            let (label, value) = self.pick(&labels);
            let operator = self.pick(&["=", "!=", "=~", "!~"]);
            let value = if operator.ends_with('~') { format!("{value}|x.+") } else { value.to_owned() };
            conditions.push(format!("{label}{operator}\"{value}\""));
        }
        if conditions.is_empty() {
            return name;
        }
        let between = if self.is_metrics_ql() && self.below(4) == 0 { " or " } else { "," };
        format!("{name}{{{}}}", conditions.join(between))
    }

    fn series(&mut self, depth: usize) -> String {
        if depth <= 1 {
            let selector = self.selector();
            return self.moved(selector);
        }
        match self.below(6) {
            0 => self.binary(depth - 1),
            1 => format!("({})", self.series(depth - 1)),
            2 => format!("-{}", self.call(depth - 1, Kind::Series)),
            _ => self.call(depth - 1, Kind::Series),
        }
    }

    fn call(&mut self, depth: usize, kind: Kind) -> String {
        let dialect = self.dialect;
        let fits = |line: &&Function| line.dialects.contains(dialect) && line.result == kind;
        let lines: Vec<&Function> = table::all().filter(fits).collect();
        // Templates are expanded, and chance gives no two equal answers.
        let line = loop {
            let line = self.pick(&lines);
            if !matches!(line.name, "ru" | "ttf") && !line.name.starts_with("rand") {
                break line;
            }
        };
        let mut arguments = Vec::new();
        for Argument { kind, count, .. } in line.arguments {
            let times = match count {
                Count::One => 1,
                Count::Optional => self.below(2),
                Count::Any => 2 * self.below(2),
                Count::Many => 1 + self.below(2),
            };
            for _ in 0..times {
                arguments.push(self.of_kind(*kind, depth));
            }
        }
        let arguments = arguments.join(", ");
        if line.family == Family::Aggregate {
            let labels: Vec<_> = self.labels.iter().map(|(label, _)| *label).collect();
            let word = self.pick(&["by", "without"]);
            let limit = if self.is_metrics_ql() && self.below(6) == 0 { " limit 3" } else { "" };
            return match self.below(3) {
                0 => format!("{}({arguments}){limit}", line.name),
                1 => format!("{} {word} ({}) ({arguments}){limit}", line.name, self.pick(&labels)),
                _ => format!("{}({arguments}) {word} ({}){limit}", line.name, labels.join(", ")),
            };
        }
        let keeps = if self.is_metrics_ql() && self.below(6) == 0 { " keep_metric_names" } else { "" };
        format!("{}({arguments}){keeps}", line.name)
    }

    fn binary(&mut self, depth: usize) -> String {
        let (left, right) = (self.series(depth), self.series(depth));
        let labels = self.labels.clone();
        let (label, _) = self.pick(&labels);
        let sets = ["and", "or", "unless"];
        let more = ["default", "if", "ifnot"];
        let plain = ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "> bool", "== bool"];
        match self.below(5) {
            0 if self.is_metrics_ql() => format!("{left} {} {right}", self.pick(&more)),
            1 => format!("{left} {} on ({label}) {right}", self.pick(&sets)),
            2 => {
                let join = self.pick(&["", " group_left ()", " group_right ()"]);
                format!("{left} {} ignoring ({label}){join} {right}", self.pick(&plain))
            }
            3 => format!("{left} {} {}", self.pick(&plain), self.scalar(1)),
            _ if self.is_metrics_ql() => format!("({left} {} {right}) keep_metric_names", self.pick(&plain)),
            _ => format!("{left} {} {right}", self.pick(&plain)),
        }
    }
}
