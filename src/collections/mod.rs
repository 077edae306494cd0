//! Collections the standard library lacks.

pub mod equality;
pub mod sorted_map;
pub mod u64_set;
