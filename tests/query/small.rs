//! A small reader of expressions over given rows, for the tables of functions and operators. It knows just what they need.

use crate::AtOnce;
use sandglass::error::Result;
use sandglass::query::aggregate::Aggregate;
use sandglass::query::binary::{Binary, Side};
use sandglass::query::call::{Argument, Context};
use sandglass::query::dialect::Dialect;
use sandglass::query::finish::{self, Order};
use sandglass::query::language::ast::{BinaryOperator, Grouping, Join, MatchOperator, Matcher, Matching};
use sandglass::query::series::labels::Labels;
use sandglass::query::series::row::Row;
use sandglass::query::transform::{Transform, labels_of_absent};

/// What an expression is.
enum Value {
    Scalar(Row),
    Rows(Vec<Row>, Option<Vec<Matcher>>),
    Text(String),
}

pub struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    given: &'a [Row],
    context: Context<'a>,
}

const OPERATORS: &[(&str, BinaryOperator, u8)] = &[
    ("default", BinaryOperator::Default, 0),
    ("if", BinaryOperator::If, 0),
    ("ifnot", BinaryOperator::IfNot, 0),
    ("or", BinaryOperator::Or, 1),
    ("and", BinaryOperator::And, 2),
    ("unless", BinaryOperator::Unless, 2),
    ("==", BinaryOperator::Equal, 3),
    ("!=", BinaryOperator::NotEqual, 3),
    ("<", BinaryOperator::Less, 3),
    ("<=", BinaryOperator::LessOrEqual, 3),
    (">", BinaryOperator::Greater, 3),
    (">=", BinaryOperator::GreaterOrEqual, 3),
    ("+", BinaryOperator::Add, 4),
    ("-", BinaryOperator::Subtract, 4),
    ("*", BinaryOperator::Multiply, 5),
    ("/", BinaryOperator::Divide, 5),
    ("%", BinaryOperator::Remainder, 5),
    ("atan2", BinaryOperator::Atan2, 5),
    ("^", BinaryOperator::Power, 6),
];

/// The answer of a range query.
pub fn evaluate(text: &str, given: &[Row], context: Context) -> Result<Vec<Row>> {
    let mut reader = Reader { tokens: tokens(text), at: 0, given, context };
    let order = reader.order();
    let value = reader.binary(0)?;
    assert_eq!(reader.at, reader.tokens.len(), "{text}: not read to the end: {:?}", reader.tokens);
    let rows = match value {
        Value::Scalar(row) => vec![row],
        Value::Rows(rows, _) => rows,
        Value::Text(_) => panic!("{text} is a string"),
    };
    finish::finish(rows, context.dialect, order)
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let length = if first == '"' {
            rest[1..].find('"').unwrap() + 2
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            if rest[..length].ends_with('e') && first.is_ascii_digit() {
                rest.find(' ').unwrap_or(rest.len()).min(rest.find(')').unwrap_or(rest.len()))
            } else {
                length
            }
        } else if ["==", "!=", "<=", ">=", "=~"].iter().any(|two| rest.starts_with(two)) {
            2
        } else {
            1
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn take(&mut self, token: &str) -> bool {
        let is_it = self.peek() == token;
        self.at += usize::from(is_it);
        is_it
    }

    fn order(&self) -> Order {
        let name = self.peek();
        let dialect = self.context.dialect;
        let has_order = Transform::by_name(name, dialect).is_some_and(|transform| transform.has_order())
            || Aggregate::by_name(name, dialect).is_some_and(|aggregate| aggregate.has_order());
        if has_order && dialect == Dialect::MetricsQl { Order::AsTheyAre } else { Order::Labels }
    }

    fn names(&mut self) -> Vec<String> {
        assert!(self.take("("));
        let mut names = Vec::new();
        while !self.take(")") {
            names.push(self.next());
            self.take(",");
        }
        names
    }

    fn grouping(&mut self) -> Option<Grouping> {
        match self.peek() {
            "by" | "without" => {
                let is_without = self.next() == "without";
                Some(Grouping { is_without, labels: self.names() })
            }
            _ => None,
        }
    }

    fn binary(&mut self, power: u8) -> Result<Value> {
        let mut left = self.one()?;
        while let Some(&(_, operator, found)) =
            OPERATORS.iter().find(|(text, _, found)| *text == self.peek() && *found >= power)
        {
            self.next();
            let mut binary = Binary::new(operator, self.context.dialect);
            binary.is_bool = self.take("bool");
            if matches!(self.peek(), "on" | "ignoring") {
                let is_on = self.next() == "on";
                binary.matching = Some(Matching { is_on, labels: self.names() });
            }
            if matches!(self.peek(), "group_left" | "group_right") {
                let is_left = self.next() == "group_left";
                binary.join = Some(Join { is_left, include: self.names(), prefix: None });
            }
            let right = self.binary(found + 1)?;
            let are_scalars = matches!((&left, &right), (Value::Scalar(_), Value::Scalar(_)));
            let mut rows = binary.apply(side(left), side(right), &self.context).at_once()?;
            left = if are_scalars { Value::Scalar(rows.remove(0)) } else { Value::Rows(rows, None) };
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Value> {
        if self.take("(") {
            let mut values = vec![self.binary(0)?];
            while self.take(",") {
                values.push(self.binary(0)?);
            }
            assert!(self.take(")"));
            if values.len() == 1 {
                return Ok(values.remove(0));
            }
            let union = Transform::by_name("", self.context.dialect).unwrap();
            let arguments = values.into_iter().map(argument).collect();
            return Ok(Value::Rows(union.call(arguments, &self.context).at_once()?, None));
        }
        if self.take("-") {
            let minus_one = self.context.number(-1.0);
            return Ok(match self.one()? {
                Value::Scalar(mut row) => {
                    row.values.iter_mut().for_each(|value| *value = -*value);
                    Value::Scalar(row)
                }
                value => Value::Rows(
                    Binary::new(BinaryOperator::Multiply, self.context.dialect)
                        .apply(Side::Scalar(minus_one), side(value), &self.context)
                        .at_once()?,
                    None,
                ),
            });
        }
        let token = if self.peek() == "{" { String::new() } else { self.next() };
        if let Some(text) = token.strip_prefix('"') {
            return Ok(Value::Text(text.trim_end_matches('"').to_owned()));
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) || token == "NaN" {
            return Ok(Value::Scalar(self.context.number(token.parse().unwrap())));
        }
        match self.peek() {
            "(" | "by" | "without" if !token.is_empty() => self.call(&token),
            _ => Ok(self.selector(&token)),
        }
    }

    fn call(&mut self, name: &str) -> Result<Value> {
        let dialect = self.context.dialect;
        let mut grouping = self.grouping();
        assert!(self.take("("));
        let mut values = Vec::new();
        while !self.take(")") {
            values.push(self.binary(0)?);
            self.take(",");
        }
        if let Some(aggregate) = Aggregate::by_name(name, dialect) {
            grouping = grouping.or_else(|| self.grouping());
            let limit = self.take("limit").then(|| self.next().parse().unwrap());
            let arguments = values.into_iter().map(argument).collect();
            return Ok(Value::Rows(
                aggregate.call(arguments, grouping.as_ref(), limit, &self.context).at_once()?,
                None,
            ));
        }
        let transform = Transform::by_name(name, dialect).unwrap_or_else(|| panic!("there is no function {name}"));
        let absent = match (name, values.first()) {
            ("absent", Some(Value::Rows(_, Some(matchers)))) => {
                Some(labels_of_absent(std::slice::from_ref(matchers), dialect))
            }
            _ => None,
        };
        let arguments = values.into_iter().map(argument).chain(absent.map(Argument::Labels)).collect();
        let mut rows = transform.call(arguments, &self.context).at_once()?;
        let is_scalar = match dialect {
            Dialect::MetricsQl => name == "time",
            Dialect::PromQl => matches!(name, "time" | "scalar" | "pi"),
        };
        Ok(if is_scalar { Value::Scalar(rows.remove(0)) } else { Value::Rows(rows, None) })
    }

    fn selector(&mut self, name: &str) -> Value {
        let mut matchers = Vec::new();
        if !name.is_empty() {
            matchers.push(Matcher { label: "__name__".into(), operator: MatchOperator::Equal, value: name.into() });
        }
        if self.take("{") {
            while !self.take("}") {
                let label = self.next();
                let operator = if self.next() == "=" { MatchOperator::Equal } else { MatchOperator::Regex };
                let value = self.next().trim_matches('"').to_owned();
                matchers.push(Matcher { label, operator, value });
                self.take(",");
            }
        }
        let matches = |labels: &Labels| {
            matchers.iter().all(|matcher| match matcher.operator {
                MatchOperator::Equal => labels.get(&matcher.label) == matcher.value,
                _ => matcher.value.split('|').any(|value| labels.get(&matcher.label) == value),
            })
        };
        let rows = self.given.iter().filter(|row| matches(&row.labels)).cloned().collect();
        Value::Rows(rows, Some(matchers))
    }
}

fn argument(value: Value) -> Argument {
    match value {
        Value::Scalar(row) => Argument::Rows(vec![row]),
        Value::Rows(rows, _) => Argument::Rows(rows),
        Value::Text(text) => Argument::Text(text),
    }
}

fn side(value: Value) -> Side {
    match value {
        Value::Scalar(row) => Side::Scalar(row),
        Value::Rows(rows, _) => Side::Rows(rows),
        Value::Text(text) => panic!("{text:?} is no side of an operator"),
    }
}
