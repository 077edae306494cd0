//! The mergeset: ordered sets of byte strings in immutable parts (index-format §1).
