//! Expressions as texts that are read as the same expression.

use super::ast::{Duration, ExprId, Expression, Grouping, Join, MatchOperator, Matcher, Matching, Node};
use super::quoted::quote;
use super::{duration, number};
use crate::query::series::labels::NAME;

/// Words that mean something else where a metric's name may stand.
const RESERVED: &[&str] = &[
    "and",
    "atan2",
    "bool",
    "by",
    "default",
    "group_left",
    "group_right",
    "if",
    "ifnot",
    "ignoring",
    "inf",
    "keep_metric_names",
    "limit",
    "nan",
    "offset",
    "on",
    "or",
    "prefix",
    "unless",
    "with",
    "without",
];

/// What is still to be printed, the next one last.
enum Piece<'a> {
    Node(ExprId),
    Static(&'static str),
    Owned(String),
    Modifiers(&'a super::ast::Modifiers),
    Grouping(&'a Grouping),
    Limit(u64),
}

/// The text of an expression. Brackets stand where it has [`Node::Paren`], so that `parse(print(x))` is `x`.
pub fn print(expression: &Expression) -> String {
    let mut out = String::new();
    let mut pieces = Vec::new();
    if !expression.nodes.is_empty() {
        pieces.push(Piece::Node(expression.root()));
    }
    while let Some(piece) = pieces.pop() {
        match piece {
            Piece::Static(text) => out.push_str(text),
            Piece::Owned(text) => out.push_str(&text),
            Piece::Node(id) => print_node(expression.node(id), expression, &mut pieces, &mut out),
            Piece::Grouping(grouping) => {
                out.push_str(if grouping.is_without { " without (" } else { " by (" });
                print_labels(&grouping.labels, &mut out);
                out.push_str(") ");
            }
            Piece::Modifiers(modifiers) => {
                print_window(modifiers, &mut out);
                if let Some(offset) = &modifiers.offset {
                    out.push_str(" offset ");
                    duration::print(offset, &mut out);
                }
                if let Some(at) = modifiers.at {
                    out.push_str(" @ ");
                    pieces.push(Piece::Node(at));
                }
            }
            Piece::Limit(limit) => {
                out.push_str(" limit ");
                out.push_str(&limit.to_string());
            }
        }
    }
    out
}

/// The text of a selector.
pub fn print_matchers(lists: &[Vec<Matcher>]) -> String {
    let mut out = String::new();
    print_selector(lists, &mut out);
    out
}

fn print_node<'a>(node: &'a Node, expression: &'a Expression, pieces: &mut Vec<Piece<'a>>, out: &mut String) {
    match node {
        Node::Number(value) => number::print(*value, out),
        Node::Duration(length) => duration::print(length, out),
        Node::Text(text) => quote(text, out),
        Node::Selector(lists) => print_selector(lists, out),
        Node::Modified { of, modifiers } => {
            pieces.push(Piece::Modifiers(modifiers));
            pieces.push(Piece::Node(*of));
        }
        Node::Call { function, arguments, keep_metric_names } => {
            out.push_str(function);
            if *keep_metric_names {
                pieces.push(Piece::Static(" keep_metric_names"));
            }
            push_list(arguments, pieces);
        }
        Node::Aggregate { operator, arguments, grouping, limit } => {
            out.push_str(operator);
            pieces.extend(limit.map(Piece::Limit));
            push_list(arguments, pieces);
            pieces.extend(grouping.as_ref().map(Piece::Grouping));
        }
        Node::Binary { operator, left, right, is_bool, matching, join, .. } => {
            let mut middle = format!(" {}", operator.text());
            if *is_bool {
                middle.push_str(" bool");
            }
            print_matching(matching.as_ref(), join.as_ref(), &mut middle);
            middle.push(' ');
            pieces.push(Piece::Node(*right));
            pieces.push(Piece::Owned(middle));
            pieces.push(Piece::Node(*left));
        }
        Node::Negative(of) => {
            out.push('-');
            pieces.push(Piece::Node(*of));
        }
        Node::List(of) => push_list(of, pieces),
        Node::Paren(of) => {
            // Only an operator in brackets has it, so it always stands behind them.
            let keeps = matches!(expression.node(*of), Node::Binary { keep_metric_names: true, .. });
            pieces.push(Piece::Static(if keeps { ") keep_metric_names" } else { ")" }));
            pieces.push(Piece::Node(*of));
            out.push('(');
        }
    }
}

/// `(a, b)`
fn push_list(of: &[ExprId], pieces: &mut Vec<Piece<'_>>) {
    pieces.push(Piece::Static(")"));
    for (at, id) in of.iter().enumerate().rev() {
        pieces.push(Piece::Node(*id));
        pieces.push(Piece::Static(if at == 0 { "(" } else { ", " }));
    }
    if of.is_empty() {
        pieces.push(Piece::Static("("));
    }
}

fn print_window(modifiers: &super::ast::Modifiers, out: &mut String) {
    if modifiers.window.is_none() && !modifiers.is_subquery {
        return;
    }
    let print = |length: &Option<Duration>, out: &mut String| {
        if let Some(length) = length {
            duration::print(length, out);
        }
    };
    out.push('[');
    print(&modifiers.window, out);
    if modifiers.is_subquery {
        out.push(':');
        print(&modifiers.step, out);
    }
    out.push(']');
}

fn print_matching(matching: Option<&Matching>, join: Option<&Join>, out: &mut String) {
    if let Some(matching) = matching {
        out.push_str(if matching.is_on { " on (" } else { " ignoring (" });
        print_labels(&matching.labels, out);
        out.push(')');
    }
    if let Some(join) = join {
        out.push_str(if join.is_left { " group_left (" } else { " group_right (" });
        print_labels(&join.include, out);
        out.push(')');
        if let Some(prefix) = &join.prefix {
            out.push_str(" prefix ");
            quote(prefix, out);
        }
    }
}

fn is_plain(name: &str, may_have: &str) -> bool {
    let is_part =
        |character: char| character.is_ascii_alphanumeric() || character == '_' || may_have.contains(character);
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && name.chars().all(is_part)
}

fn print_label(label: &str, out: &mut String) {
    // Commas and brackets follow, so no keyword can be meant.
    if is_plain(label, "") { out.push_str(label) } else { quote(label, out) }
}

fn print_labels(labels: &[String], out: &mut String) {
    for (at, label) in labels.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        if label == "*" { out.push('*') } else { print_label(label, out) }
    }
}

fn print_selector(lists: &[Vec<Matcher>], out: &mut String) {
    let name = shared_name(lists);
    let skip = usize::from(name.is_some());
    out.push_str(name.unwrap_or_default());
    if name.is_some() && lists.iter().all(|list| list.len() == 1) {
        return;
    }
    out.push('{');
    for (at, list) in lists.iter().enumerate() {
        if at > 0 {
            out.push_str(" or ");
        }
        // A name in quotes would forbid other conditions on it.
        let may_quote_name = names_in(list) == 1;
        for (at, matcher) in list[skip..].iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            print_matcher(matcher, may_quote_name, out);
        }
    }
    out.push('}');
}

/// How many conditions on the name there are.
fn names_in(list: &[Matcher]) -> usize {
    list.iter().filter(|matcher| matcher.label == NAME).count()
}

/// The name that can stand in front of the braces.
fn shared_name(lists: &[Vec<Matcher>]) -> Option<&str> {
    let name_of = |list: &'_ Vec<Matcher>| match list.first() {
        Some(first) if first.label == NAME && first.operator == MatchOperator::Equal && names_in(list) == 1 => {
            Some(first.value.clone())
        }
        _ => None,
    };
    let name = name_of(lists.first()?)?;
    let is_reserved = RESERVED.iter().any(|word| word.eq_ignore_ascii_case(&name));
    let is_shared =
        lists.len() == 1 || lists.iter().all(|list| list.len() > 1 && name_of(list).as_ref() == Some(&name));
    (is_plain(&name, ":.") && !is_reserved && is_shared).then(|| lists[0][0].value.as_str())
}

fn print_matcher(matcher: &Matcher, may_quote_name: bool, out: &mut String) {
    if may_quote_name && matcher.label == NAME && matcher.operator == MatchOperator::Equal {
        quote(&matcher.value, out);
        return;
    }
    print_label(&matcher.label, out);
    out.push_str(matcher.operator.text());
    quote(&matcher.value, out);
}
