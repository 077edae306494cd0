//! From text to expression and back.

pub mod ast;
mod call;
mod duration;
mod missing;
mod modifier;
mod number;
mod operator;
mod parser;
mod position;
mod printer;
mod quoted;
mod selector;
mod template;
mod token;
mod types;

pub use missing::{MISSING, Missing};
pub use position::{ParseError, place};
pub use printer::{print, print_matchers};
pub use selector::{both, parse_selector, tag_filters};

use crate::query::dialect::Dialect;
use ast::Expression;
use parser::Parser;

/// Reads an expression. Both dialects have one grammar; PromQL's rules on types are checked in PromQL alone. Templates (`WITH`)
/// are expanded.
///
/// # Errors
/// [`ParseError`] for a text that is no expression, that calls an unknown function or one with the wrong number of arguments, that is
/// longer than 64 KiB, has more than 50,000 nodes or is nested more than 200 levels deep.
pub fn parse(text: &str, dialect: Dialect) -> Result<Expression, ParseError> {
    let expression = Parser::new(text, dialect)?.whole()?;
    types::check(&expression, text, dialect)?;
    Ok(expression)
}
