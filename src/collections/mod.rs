//! Collections the standard library lacks.

pub mod u64_set;
