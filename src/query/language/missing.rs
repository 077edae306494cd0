//! What Prometheus reads and this grammar does not: it is refused by its name.

/// Something that is not there.
#[derive(Clone, Copy, Debug)]
pub struct Missing {
    /// What it is called.
    pub name: &'static str,
    /// An expression with it.
    pub example: &'static str,
    /// What does the same, or comes near it.
    pub instead: &'static str,
    place: Place,
    words: &'static [&'static str],
}

/// Where the word stands that it is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In front of round brackets.
    Call,
    /// Behind an expression.
    Behind,
    /// In a length of time.
    Length,
    /// Behind `<` or `>`.
    Comparison,
}

/// All that is known to be missing, beside native histograms.
pub const MISSING: &[Missing] = &[
    Missing {
        name: "info()",
        example: "info(up)",
        instead: "`up * on (instance, job) group_left (version) target_info`",
        place: Place::Call,
        words: &["info"],
    },
    Missing {
        name: "histogram_quantiles() of PromQL",
        example: "histogram_quantiles(m, \"quantile\", 0.5, 0.9)",
        instead: "`histogram_quantile` for each quantile, or MetricsQL's `histogram_quantiles`",
        place: Place::Call,
        words: &["histogram_quantiles"],
    },
    Missing {
        name: "fill(), fill_left() and fill_right()",
        example: "a + on (job) fill (0) b",
        instead: "`(a or on (job) b * 0) + on (job) (b or on (job) a * 0)`, or MetricsQL's `default`",
        place: Place::Call,
        words: &["fill", "fill_left", "fill_right"],
    },
    Missing {
        name: "anchored and smoothed",
        example: "increase(m[5m] anchored)",
        instead: "`increase` and `rate` of MetricsQL, which reckon with the last sample before the window",
        place: Place::Behind,
        words: &["anchored", "smoothed"],
    },
    Missing {
        name: "arithmetic in durations",
        example: "rate(m[5m * 2])",
        instead: "the length itself, such as `10m`",
        place: Place::Length,
        words: &["+", "-", "*", "/", "%", "^", "("],
    },
    Missing {
        name: "step(), range(), min_of() and max_of() in durations",
        example: "rate(m[max_of(5m, step())])",
        instead: "the length itself; `5i` is five steps of the query",
        place: Place::Length,
        words: &["step", "range", "min_of", "max_of"],
    },
    Missing {
        name: "the operators `</` and `>/`",
        example: "m </ 5",
        instead: "a query of classic buckets: native histograms, which these operators cut, are not there",
        place: Place::Comparison,
        words: &["/"],
    },
];

impl Missing {
    /// What a word belongs to that stands in such a place; nothing for a word that is known.
    pub(super) fn of_word(word: &str, place: Place) -> Option<&'static Self> {
        MISSING.iter().find(|one| one.place == place && one.words.contains(&word))
    }

    /// What is told of it.
    pub(super) fn message(&self) -> String {
        format!("not supported: {}; write instead {}", self.name, self.instead)
    }
}
