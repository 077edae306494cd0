//! Selectors as commands and requests carry them: texts become filters.

use crate::error::{Error, Result};
use crate::http::arguments::Arguments;
use crate::metric::filter::TagFilter;
use crate::query::dialect::Dialect;
use crate::query::language;
use crate::query::language::ast::{MatchOperator, Matcher};

/// The filters of a selector.
pub(super) fn selected(selector: &str) -> Result<Vec<Vec<TagFilter>>> {
    language::tag_filters(&language::parse_selector(selector)?, Dialect::MetricsQl)
}

/// The same; without a selector those of all series.
pub(super) fn selected_or_all(selector: Option<&str>) -> Result<Vec<Vec<TagFilter>>> {
    selector.map_or_else(|| Ok(vec![Vec::new()]), selected)
}

/// What holds for all series that a request asks for, whatever its selectors say, as the server has it: proxies keep tenants apart with it.
/// All of `extra_label=<name>=<value>`, and one of `extra_filters[]=<selector>`.
pub(super) fn extra_filters(arguments: &Arguments) -> Result<Vec<Vec<Matcher>>> {
    let labels = arguments.labels("extra_label").map_err(Error::invalid)?.into_iter();
    let labels: Vec<Matcher> = labels
        .map(|(name, value)| Matcher { label: name.into(), operator: MatchOperator::Equal, value: value.into() })
        .collect();
    let lists = selectors(arguments, "extra_filters[]", "extra_filters")?;
    match (labels.is_empty(), lists.is_empty()) {
        (true, _) => Ok(lists),
        (false, true) => Ok(vec![labels]),
        (false, false) => language::both(&[labels], &lists),
    }
}

/// What all arguments of a name ask for, or of the same name without brackets.
fn selectors(arguments: &Arguments, name: &str, short_name: &str) -> Result<Vec<Vec<Matcher>>> {
    let mut lists = Vec::new();
    for argument in arguments.all(name).chain(arguments.all(short_name)) {
        lists.extend(language::parse_selector(argument).map_err(|error| {
            let error = Error::from(error);
            Error::new(error.kind(), format!("invalid parameter {name:?}: {error}"))
        })?);
    }
    Ok(lists)
}

/// The filters of a request's selectors; nothing for a request that has none.
pub(super) fn matched(arguments: &Arguments, dialect: Dialect) -> Result<Option<Vec<Vec<TagFilter>>>> {
    let lists = selectors(arguments, "match[]", "match")?;
    if lists.is_empty() {
        return Ok(None);
    }
    if dialect == Dialect::PromQl {
        let filters = language::tag_filters(&lists, dialect)?;
        if filters.iter().any(|list| list.iter().all(TagFilter::matches_empty)) {
            return Err(Error::invalid("match[] must contain at least one non-empty matcher"));
        }
    }
    language::tag_filters(&language::both(&lists, &extra_filters(arguments)?)?, dialect).map(Some)
}

/// The same; without selectors all series that the extra filters let through.
pub(super) fn matched_or_all(arguments: &Arguments, dialect: Dialect) -> Result<Vec<Vec<TagFilter>>> {
    match matched(arguments, dialect)? {
        Some(filters) => Ok(filters),
        None => language::tag_filters(&language::both(&[Vec::new()], &extra_filters(arguments)?)?, dialect),
    }
}
