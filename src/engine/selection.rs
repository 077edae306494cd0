//! Selectors as commands carry them: texts become filters.

use crate::error::Result;
use crate::metric::filter::TagFilter;
use crate::query::dialect::Dialect;
use crate::query::language;

/// The filters of a selector.
pub(super) fn selected(selector: &str) -> Result<Vec<Vec<TagFilter>>> {
    language::tag_filters(&language::parse_selector(selector)?, Dialect::MetricsQl)
}

/// The same; without a selector those of all series.
pub(super) fn selected_or_all(selector: Option<&str>) -> Result<Vec<Vec<TagFilter>>> {
    selector.map_or_else(|| Ok(vec![Vec::new()]), selected)
}
