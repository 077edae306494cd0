//! Functions that change labels, or choose rows by them.

use super::{Call, Function, Known, Names};
use crate::error::{Error, ErrorKind, Result};
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
    Function::rows("label_set", Known::MetricsQl, (1, ANY), Names::Keep, label_set),
    Function::rows("alias", Known::MetricsQl, (2, 2), Names::Keep, |call| {
        let mut rows = call.arguments.rows()?;
        let name = call.arguments.text()?;
        rows.iter_mut().for_each(|row| row.labels.set(NAME, name.as_str()));
        Ok(rows)
    }),
    Function::rows("label_del", Known::MetricsQl, (1, ANY), Names::Keep, |call| retain(call, false)),
    Function::rows("label_keep", Known::MetricsQl, (1, ANY), Names::Keep, |call| retain(call, true)),
    Function::rows("label_copy", Known::MetricsQl, (1, ANY), Names::Keep, |call| copy(call, false)),
    Function::rows("label_move", Known::MetricsQl, (1, ANY), Names::Keep, |call| copy(call, true)),
    Function::rows("label_map", Known::MetricsQl, (2, ANY), Names::Keep, label_map),
    Function::rows("label_lowercase", Known::MetricsQl, (2, ANY), Names::Keep, |call| respell(call, str::to_lowercase)),
    Function::rows("label_uppercase", Known::MetricsQl, (2, ANY), Names::Keep, |call| respell(call, str::to_uppercase)),
    Function::rows("label_join", Known::Both, (3, ANY), Names::Keep, label_join),
    Function::rows("label_replace", Known::Both, (5, 5), Names::Keep, label_replace),
    Function::rows("label_transform", Known::MetricsQl, (4, 4), Names::Keep, label_transform),
    Function::rows("label_value", Known::MetricsQl, (2, 2), Names::Keep, label_value),
    Function::rows("label_match", Known::MetricsQl, (3, 3), Names::Keep, |call| choose(call, true)),
    Function::rows("label_mismatch", Known::MetricsQl, (3, 3), Names::Keep, |call| choose(call, false)),
    Function::rows("labels_equal", Known::MetricsQl, (3, ANY), Names::Keep, labels_equal),
    Function::rows("label_graphite_group", Known::MetricsQl, (2, ANY), Names::Keep, label_graphite_group),
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
    let rows = call.arguments.rows()?;
    let (target, separator) = (call.arguments.text()?, call.arguments.text()?);
    let sources = call.arguments.texts()?;
    check_target(call, &target)?;
    let mut is_too_long = false;
    let made = set_target(rows, &target, |labels| {
        let length: usize = sources.iter().map(|source| labels.get(source).len() + separator.len()).sum();
        is_too_long |= length > MAX_VALUE_BYTES;
        if is_too_long {
            return None;
        }
        Some(sources.iter().map(|source| labels.get(source)).collect::<Vec<_>>().join(&separator))
    });
    if is_too_long { Err(too_long(call)) } else { judge(call, made) }
}

fn label_replace(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (target, replacement) = (call.arguments.text()?, call.arguments.text()?);
    let (source, pattern) = (call.arguments.text()?, call.arguments.text()?);
    let regex = anchored(call, &pattern)?;
    check_target(call, &target)?;
    replace(call, rows, &source, &regex, &target, &replacement)
}

fn label_transform(call: &mut Call) -> Result<Vec<Row>> {
    let rows = call.arguments.rows()?;
    let (label, pattern, replacement) = (call.arguments.text()?, call.arguments.text()?, call.arguments.text()?);
    let regex = compile(call, &pattern, &pattern)?;
    replace(call, rows, &label, &regex, &label, &replacement)
}

fn replace(
    call: &Call,
    rows: Vec<Row>,
    source: &str,
    regex: &Regex,
    target: &str,
    replacement: &str,
) -> Result<Vec<Row>> {
    let mut is_too_long = false;
    let made = set_target(rows, target, |labels| {
        let value = labels.get(source);
        if !regex.is_match(value) {
            return None;
        }
        // Each match may insert the whole value as often as the replacement names a group.
        let matches = regex.find_iter(value).count().max(1);
        let most = (replacement.matches('$').count() * value.len() + replacement.len()).saturating_mul(matches);
        is_too_long |= most > MAX_VALUE_BYTES.max(4 * (value.len() + replacement.len()));
        if is_too_long { None } else { Some(regex.replace_all(value, replacement).into_owned()) }
    });
    if is_too_long { Err(too_long(call)) } else { judge(call, made) }
}

/// Sets a label to what each row's labels give. A name that is set is no more dropped.
fn set_target(mut rows: Vec<Row>, target: &str, mut value: impl FnMut(&Labels) -> Option<String>) -> Vec<Row> {
    for row in &mut rows {
        if let Some(value) = value(&row.labels) {
            row.labels.set(target, value);
            if target == NAME {
                row.drop_name = false;
            }
        }
    }
    rows
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

fn anchored(call: &Call, pattern: &str) -> Result<Regex> {
    let flags = if call.context.dialect == Dialect::PromQl { "s" } else { "" };
    compile(call, pattern, &format!("^(?{flags}:{pattern})$"))
}

fn compile(call: &Call, pattern: &str, whole: &str) -> Result<Regex> {
    RegexBuilder::new(whole).size_limit(MAX_REGEX_BYTES).build().map_err(|error| {
        Error::invalid(format!(
            "{}: cannot compile regex {pattern:?}: {error}; Unicode classes such as \\pL are not supported",
            call.name
        ))
    })
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

fn choose(call: &mut Call, keeps_matching: bool) -> Result<Vec<Row>> {
    let mut rows = call.arguments.rows()?;
    let (label, pattern) = (call.arguments.text()?, call.arguments.text()?);
    let regex = anchored(call, &pattern)?;
    rows.retain(|row| regex.is_match(row.labels.get(&label)) == keeps_matching);
    Ok(rows)
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
