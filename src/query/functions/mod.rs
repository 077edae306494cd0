//! What functions and aggregations there are, and what may be handed to them.

mod aggregates;
mod labels;
mod rollups;
pub mod signature;
pub mod table;
mod transforms;
