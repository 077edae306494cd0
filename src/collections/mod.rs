//! Collections the standard library lacks.
