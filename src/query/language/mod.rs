//! From text to expression and back.

pub mod ast;
