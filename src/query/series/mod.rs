//! What expressions are computed on: rows over a grid of instants.

pub mod grid;
pub mod labels;
pub mod overlap;
pub mod row;
