//! The inverted index: names, TSIDs and tag rows as mergeset items (index-format §5).

pub mod schema;
pub mod tag_rows;
