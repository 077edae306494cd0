//! Functions that change labels, or choose rows by them.

use super::{Call, Function, Known, Names};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::regex_cost::{self, MAX_MATCH_STEPS};
use crate::metric::regex_syntax;
use crate::query::dialect::Dialect;
use crate::query::finish;
use crate::query::number;
use crate::query::series::labels::{Labels, NAME};
use crate::query::series::row::Row;
use regex_lite::{Regex, RegexBuilder};
use std::collections::HashMap;

const ANY: usize = usize::MAX;
/// The most memory a compiled regular expression may take.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// The longest value that a replacement may make.
const MAX_VALUE_BYTES: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::row_by_row("label_set", Known::MetricsQl, (1, ANY), Names::Keep, label_set),
    Function::row_by_row("alias", Known::MetricsQl, (2, 2), Names::Keep, |call| {
        let mut rows = call.arguments.rows()?;
        let name = call.arguments.text()?;
        rows.iter_mut().for_each(|row| row.labels.set(NAME, name.as_str()));
        Ok(rows)
    }),
    Function::row_by_row("label_del", Known::MetricsQl, (1, ANY), Names::Keep, |call| retain(call, false)),
    Function::row_by_row("label_keep", Known::MetricsQl, (1, ANY), Names::Keep, |call| retain(call, true)),
    Function::row_by_row("label_copy", Known::MetricsQl, (1, ANY), Names::Keep, |call| copy(call, false)),
    Function::row_by_row("label_move", Known::MetricsQl, (1, ANY), Names::Keep, |call| copy(call, true)),
    Function::row_by_row("label_map", Known::MetricsQl, (2, ANY), Names::Keep, label_map),
    Function::row_by_row("label_lowercase", Known::MetricsQl, (2, ANY), Names::Keep, |call| {
        respell(call, str::to_lowercase)
    }),
    Function::row_by_row("label_uppercase", Known::MetricsQl, (2, ANY), Names::Keep, |call| {
        respell(call, str::to_uppercase)
    }),
    Function::rows("label_join", Known::Both, (3, ANY), Names::Keep, label_join),
    Function::in_turns("label_replace", Known::Both, (5, 5), Names::Keep, |call| Box::pin(label_replace(call))),
    Function::in_turns("label_transform", Known::MetricsQl, (4, 4), Names::Keep, |call| {
        Box::pin(label_transform(call))
    }),
    Function::row_by_row("label_value", Known::MetricsQl, (2, 2), Names::Keep, label_value),
    Function::in_turns("label_match", Known::MetricsQl, (3, 3), Names::Keep, |call| Box::pin(choose(call, true))),
    Function::in_turns("label_mismatch", Known::MetricsQl, (3, 3), Names::Keep, |call| Box::pin(choose(call, false))),
    Function::row_by_row("labels_equal", Known::MetricsQl, (3, ANY), Names::Keep, labels_equal),
    Function::row_by_row("label_graphite_group", Known::MetricsQl, (2, ANY), Names::Keep, label_graphite_group),
    Function::rows("drop_common_labels", Known::MetricsQl, (1, ANY), Names::Keep, drop_common_labels),
];

/// Runs over the labels of rows.
fn each(mut rows: Vec<Row>, mut change: impl FnMut(&mut Labels)) -> Result<Vec<Row>> {
    rows.iter_mut().for_each(|row| change(&mut row.labels));
    Ok(rows)
}

fn pairs(call: &mut Call) -> Result<Vec<(String, String)>> {
    let mut texts = call.arguments.texts()?;
    if texts.len() % 2 != 0 {
        return Err(Error::invalid(format!(
            "{}: the number of string args must be even; got {}",
            call.name,
            texts.len()
        )));
    }
    let mut drained = texts.drain(..);
    Ok(std::iter::from_fn(|| Some((drained.next()?, drained.next()?))).collect())
}

fn label_set(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let pairs = pairs(call)?;
    each(rows, |labels| pairs.iter().for_each(|(label, value)| labels.set(label, value.as_str())))
}

fn retain(call: &mut Call, keeps_named: bool) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let named = call.arguments.texts()?;
    each(rows, |labels| labels.retain(|label| named.iter().any(|name| name == label) == keeps_named))
}

/// A label that is not there leaves its target as it is.
fn copy(call: &mut Call, removes_source: bool) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let pairs = pairs(call)?;
    each(rows, |labels| {
        for (source, target) in &pairs {
            let value = labels.get(source).to_owned();
            if value.is_empty() {
                continue;
            }
            labels.set(target, value);
            if removes_source && source != target {
                labels.remove(source);
            }
        }
    })
}

fn label_map(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let label = call.arguments.text()?;
    let values: HashMap<String, String> = pairs(call)?.into_iter().collect();
    each(rows, |labels| {
        if let Some(value) = values.get(labels.get(&label)) {
            labels.set(&label, value.as_str());
        }
    })
}

fn respell(call: &mut Call, spell: fn(&str) -> String) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let named = call.arguments.texts()?;
    each(rows, |labels| named.iter().for_each(|label| labels.set(label, spell(labels.get(label)))))
}

fn label_join(call: &mut Call) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let (target, separator) = (call.arguments.text()?, call.arguments.text()?);
    let sources = call.arguments.texts()?;
    check_target(call, &target)?;
    for row in &mut rows {
        let length: usize = sources.iter().map(|source| row.labels.get(source).len() + separator.len()).sum();
        if length > MAX_VALUE_BYTES {
            return Err(too_long(call));
        }
        let values: Vec<&str> = sources.iter().map(|source| row.labels.get(source)).collect();
        let made = values.join(&separator);
        set_target(row, &target, made);
    }
    judge(call, rows)
}

async fn label_replace(call: &mut Call<'_>) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (target, replacement) = (call.arguments.text()?, call.arguments.text()?);
    let (source, pattern) = (call.arguments.text()?, call.arguments.text()?);
    let expression = anchored(call, &pattern)?;
    check_target(call, &target)?;
    replace(call, rows, &source, &expression, &target, &replacement).await
}

async fn label_transform(call: &mut Call<'_>) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (label, pattern, replacement) = (call.arguments.text()?, call.arguments.text()?, call.arguments.text()?);
    let expression = compile(call, &pattern, &pattern)?;
    replace(call, rows, &label, &expression, &label, &replacement).await
}

async fn replace(
    call: &Call<'_>,
    mut rows: Vec<Row>,
    source: &str,
    expression: &Expression,
    target: &str,
    replacement: &str,
) -> Result<Vec<Row>> {
    for row in &mut rows {
        let value = row.labels.get(source);
        call.context.spend(expression.cost(call, value)?).await;
        if let Some(made) = replaced(call, value, expression, replacement)? {
            set_target(row, target, made);
        }
    }
    judge(call, rows)
}

/// The value with all matches replaced; nothing where there is none.
fn replaced(call: &Call, value: &str, expression: &Expression, replacement: &str) -> Result<Option<String>> {
    let most = MAX_VALUE_BYTES.max(4 * (value.len() + replacement.len()));
    let groups = replacement.matches('$').count();
    let mut made = None::<String>;
    let mut rest = 0;
    for (number, found) in expression.regex.captures_iter(value).enumerate() {
        let Some(whole) = found.get(0) else { break };
        let made = made.get_or_insert_default();
        made.push_str(&value[rest..whole.start()]);
        // A search for the next match may look at all that is left of the value.
        if number > expression.most_matches(value) {
            let message = format!(
                "{}: a value of {} bytes has too many matches, of which each may be looked for in all of it; use an expression that takes \
                 more at once",
                call.name,
                value.len()
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        // Each group lies in the match.
        if made.len().saturating_add(groups * whole.len() + replacement.len()) > most {
            return Err(too_long(call));
        }
        found.expand(replacement, made);
        rest = whole.end();
    }
    Ok(made.map(|made| made + &value[rest..]))
}

/// Sets a label. A name that is set is no more dropped.
fn set_target(row: &mut Row, target: &str, value: String) {
    row.labels.set(target, value);
    if target == NAME {
        row.drop_name = false;
    }
}

fn check_target(call: &Call, target: &str) -> Result<()> {
    if target.is_empty() && call.context.dialect == Dialect::PromQl {
        return Err(Error::invalid(format!("invalid destination label name in {}(): {target}", call.name)));
    }
    Ok(())
}

fn too_long(call: &Call) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!(
            "{}: a label value would become longer than {MAX_VALUE_BYTES} bytes; use a shorter replacement",
            call.name
        ),
    )
}

/// Where elements count for themselves, equal labels are a mistake at once.
fn judge(call: &Call, rows: Vec<Row>) -> Result<Vec<Row>> {
    if call.context.dialect == Dialect::PromQl {
        finish::check(&rows)?;
    }
    Ok(rows)
}

/// A regular expression, with what a match of it costs.
struct Expression {
    regex: Regex,
    states: u64,
}

impl Expression {
    /// Work that it takes to look through a value, as a search for matches.
    fn cost(&self, call: &Call, value: &str) -> Result<usize> {
        let steps = self.states.saturating_mul(value.len() as u64 + 1);
        if steps <= MAX_MATCH_STEPS {
            return Ok(10 + 2 * steps as usize);
        }
        let message = format!(
            "{}: a regular expression of some {} states takes too long for the {} bytes of a value; repeat less in it",
            call.name,
            self.states,
            value.len()
        );
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// How many matches are looked for in a value: none of the searches can be interrupted.
    fn most_matches(&self, value: &str) -> usize {
        (16 * MAX_MATCH_STEPS / self.states.saturating_mul(value.len() as u64 + 1).max(1)) as usize
    }
}

fn anchored(call: &Call, pattern: &str) -> Result<Expression> {
    let flags = if call.context.dialect == Dialect::PromQl { "s" } else { "" };
    compile(call, pattern, &format!("^(?{flags}:{pattern})$"))
}

fn compile(call: &Call, pattern: &str, whole: &str) -> Result<Expression> {
    let whole = regex_syntax::of_servers(whole);
    let regex = RegexBuilder::new(&whole).size_limit(MAX_REGEX_BYTES).build().map_err(|error| {
        Error::invalid(format!(
            "{}: cannot compile regex {pattern:?}: {error}; Unicode classes such as \\pL are not supported",
            call.name
        ))
    })?;
    Ok(Expression { regex, states: regex_cost::states(&whole) })
}

/// The label's value as number. Rows without one stay, with gaps alone, so that `default` can fill them.
fn label_value(call: &mut Call) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let label = call.arguments.text()?;
    for row in &mut rows {
        row.labels.remove(NAME);
        let number = number::parse(row.labels.get(&label)).unwrap_or(f64::NAN);
        row.values.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = number);
    }
    Ok(rows)
}

async fn choose(call: &mut Call<'_>, keeps_matching: bool) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (label, pattern) = (call.arguments.text()?, call.arguments.text()?);
    let expression = anchored(call, &pattern)?;
    let mut chosen = Vec::new();
    for row in rows {
        let value = row.labels.get(&label);
        call.context.spend(expression.cost(call, value)?).await;
        if expression.regex.is_match(value) == keeps_matching {
            chosen.push(row);
        }
    }
    Ok(chosen)
}

fn labels_equal(call: &mut Call) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let named = call.arguments.texts()?;
    rows.retain(|row| named.windows(2).all(|pair| row.labels.get(&pair[0]) == row.labels.get(&pair[1])));
    Ok(rows)
}

fn label_graphite_group(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let places = (0..call.arguments.left()).map(|_| call.arguments.number()).collect::<Result<Vec<_>>>()?;
    each(rows, |labels| {
        let groups: Vec<&str> = labels.get(NAME).split('.').collect();
        let part = |place: &f64| if *place >= 0.0 { groups.get(*place as usize).copied().unwrap_or("") } else { "" };
        let name = places.iter().map(part).collect::<Vec<_>>().join(".");
        labels.set(NAME, name);
    })
}

fn drop_common_labels(call: &mut Call) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    while call.arguments.left() > 0 {
        rows.extend(call.arguments.rows()?);
    }
    let Some(first) = rows.first() else { return Ok(rows) };
    let mut common = first.labels.clone();
    let is_common = |label: &str| rows.iter().all(|row| row.labels.get(label) == first.labels.get(label));
    common.retain(is_common);
    each(rows, |labels| labels.retain(|label| common.get(label).is_empty()))
}
