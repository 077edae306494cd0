//! What Prometheus says of an expression beside its values: warnings of what is wrong with an answer, and infos of what may be wrong with a
//! question. Words and places are the server's.

use super::language::ast::{ExprId, Expression, Span};
use super::language::place;
use super::number::short;
use std::cell::RefCell;
use std::collections::HashSet;

/// So many warnings, and so many infos, are told; of others only how many there are.
const MOST_TOLD: usize = 10;
/// So many of each kind are told apart; what comes behind them is not even counted.
const MOST_SEEN: usize = 200;

/// One remark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remark<'a> {
    /// A quantile that is none.
    Quantile(f64),
    /// A share that is none, and what is taken for it.
    Ratio(f64, f64),
    /// A bucket whose label `le` is this.
    BucketLabel(&'a str),
    /// A histogram's bucket held less than one that lies in it.
    ForcedMonotonicity,
    /// A rate of something that is not called as counters are.
    PossibleNonCounter(&'a str),
    /// A range has an order of its own.
    SortInRange,
}

impl Remark<'_> {
    fn is_info(&self) -> bool {
        matches!(self, Self::ForcedMonotonicity | Self::PossibleNonCounter(_))
    }

    fn text(&self) -> String {
        match *self {
            Self::Quantile(quantile) => {
                format!("PromQL warning: quantile value should be between 0 and 1, got {}", short(quantile))
            }
            Self::Ratio(ratio, taken) => format!(
                "PromQL warning: ratio value should be between -1 and 1, got {}, capping to {}",
                short(ratio),
                short(taken)
            ),
            Self::BucketLabel(bound) => format!(
                "PromQL warning: bucket label \"le\" is missing or has a malformed value of {bound:?}"
            ),
            Self::ForcedMonotonicity => "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)".into(),
            Self::PossibleNonCounter(name) => format!(
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
            ),
            Self::SortInRange => {
                "PromQL warning: sort is ineffective for range queries since results are always ordered by labels".into()
            }
        }
    }
}

/// The remarks of one query, each once.
#[derive(Debug, Default)]
pub struct Remarks(RefCell<Found>);

#[derive(Debug, Default)]
struct Found {
    warnings: Told,
    infos: Told,
}

#[derive(Debug, Default)]
struct Told {
    seen: HashSet<(u32, String)>,
    texts: Vec<(u32, String)>,
    more: usize,
}

impl Remarks {
    /// Takes a remark on what stands at a place of the text.
    pub fn add(&self, remark: Remark, span: Span) {
        let mut found = self.0.borrow_mut();
        let key = (span.start, remark.text());
        let told = if remark.is_info() { &mut found.infos } else { &mut found.warnings };
        if told.seen.len() >= MOST_SEEN || !told.seen.insert(key.clone()) {
            return;
        }
        if told.texts.len() < MOST_TOLD {
            told.texts.push(key);
        } else {
            told.more += 1;
        }
    }

    /// Takes a remark for each of these numbers that is no quantile.
    pub fn check_quantiles(&self, quantiles: impl Iterator<Item = f64>, span: Span) {
        for quantile in without_repetitions(quantiles.filter(|quantile| !(0.0..=1.0).contains(quantile))) {
            self.add(Remark::Quantile(quantile), span);
        }
    }

    /// Takes a remark for each of these numbers that is no share.
    pub fn check_ratios(&self, ratios: impl Iterator<Item = f64>, span: Span) {
        for ratio in without_repetitions(ratios.filter(|ratio| ratio.abs() > 1.0)) {
            self.add(Remark::Ratio(ratio, ratio.signum()), span);
        }
    }

    /// Takes a remark on a rate of a metric with this name, unless it is called as counters are. What has no name is not judged.
    pub fn check_counter(&self, name: &str, span: Span) {
        let is_counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|ending| name.ends_with(ending));
        if !name.is_empty() && !is_counter {
            self.add(Remark::PossibleNonCounter(name), span);
        }
    }

    /// Warnings and infos in the order in which they were found, with line and column of the query's text.
    pub fn into_texts(self, query: &str) -> (Vec<String>, Vec<String>) {
        let Found { warnings, infos } = self.0.into_inner();
        (warnings.into_texts(query, "warning"), infos.into_texts(query, "info"))
    }
}

/// Numbers without those that are the same as the one before.
fn without_repetitions(numbers: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    let mut before = None;
    numbers.filter(move |number| before.replace(number.to_bits()) != Some(number.to_bits()))
}

/// Where remarks on one call go.
#[derive(Clone, Copy)]
pub struct CallRemarks<'a> {
    /// Those of the query.
    pub remarks: &'a Remarks,
    /// The call's expression.
    pub expression: &'a Expression,
    /// The call.
    pub call: ExprId,
    /// Its arguments.
    pub arguments: &'a [ExprId],
}

impl CallRemarks<'_> {
    /// Where the call stands in the text.
    pub fn call(&self) -> Span {
        self.expression.span(self.call)
    }

    /// Where an argument of the call stands in the text.
    pub fn argument(&self, position: usize) -> Span {
        self.arguments.get(position).map_or_else(|| self.call(), |argument| self.expression.span(*argument))
    }
}

impl Told {
    fn into_texts(self, query: &str, kind: &str) -> Vec<String> {
        let told = self.texts.into_iter().map(|(start, text)| {
            let (line, column) = place(query, start);
            format!("{text} ({line}:{column})")
        });
        let more = (self.more > 0).then(|| format!("{} more {kind} annotations omitted", self.more));
        told.chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remark_is_told_once_with_its_place_and_no_more_than_ten_are() {
        let remarks = Remarks::default();
        let at = |start: u32| Span { start, end: start };
        remarks.check_quantiles([1.5, 1.5, 0.5, f64::NAN, -1e-7].into_iter(), at(9));
        remarks.check_quantiles([1.5].into_iter(), at(12));
        (0..13).for_each(|number| remarks.check_counter(&format!("gauge{number}"), at(2)));
        ["requests_total", "x_bucket", ""].iter().for_each(|name| remarks.check_counter(name, at(2)));
        let (warnings, infos) = remarks.into_texts("sum(x) +\nquantile");
        let quantile = "PromQL warning: quantile value should be between 0 and 1, got";
        assert_eq!(
            warnings,
            [
                format!("{quantile} 1.5 (2:1)"),
                format!("{quantile} NaN (2:1)"),
                format!("{quantile} -1e-07 (2:1)"),
                format!("{quantile} 1.5 (2:4)"),
            ]
        );
        assert_eq!(infos.len(), 11);
        assert_eq!(
            infos[9],
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"gauge9\" (1:3)"
        );
        assert_eq!(infos[10], "3 more info annotations omitted");
    }
}
