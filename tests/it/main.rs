//! What users rely on, checked from outside the crate, in one binary.

mod golden;
mod golden_block;
mod golden_encoding;
