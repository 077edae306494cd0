//! `WITH (name = expression, function(parameter) = expression) expression`: templates are gone when a text is parsed.
//!
//! A template without parameters is parsed once and copied where its name stands. One with parameters is parsed again at each
//! use, with copies of the arguments. It sees what stands before it alone, so none can use itself.

use super::ast::{Duration, ExprId, Expression, Matcher, Node, Span, cost_of_crossed, cost_of_lists, crossed};
use super::operator::LEAST_POWER;
use super::parser::{Parsed, Parser};
use super::position::ParseError;
use super::quoted::unescape_name;
use super::token::TokenKind;
use super::types::counted;
use super::{duration, selector};
use crate::query::dialect::Dialect;
use std::rc::Rc;

/// The most templates that may be known at one place, since a name is looked for among all of them.
const MAX_TEMPLATES: usize = 1_000;

/// Templates that are functions everywhere in MetricsQL: name, parameters, expression.
const BUILTINS: &[(&str, &[&str], &str)] = &[
    ("ru", &["free", "most"], "clamp_min(most - clamp_min(free, 0), 0) / clamp_min(most, 0) * 100"),
    (
        "ttf",
        &["free"],
        "smooth_exponential(clamp_max(clamp_max(-free, 0) / clamp_max(deriv_fast(free), 0), 31536000), \
         clamp_max(step() / 300, 1))",
    ),
];

/// A place in [`Templates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TemplateId(usize);

#[derive(Debug)]
enum Body {
    /// An expression, ready to be copied.
    Nodes(Rc<Expression>),
    /// The token at which the expression begins, and the names of its parameters.
    Tokens { at: usize, parameters: Rc<[String]> },
    /// A parameter while its template is only being checked.
    Unknown,
}

#[derive(Debug)]
struct Template {
    name: String,
    body: Body,
    /// The one that is looked at next.
    before: Option<usize>,
}

/// The templates that are known at a place of the text.
#[derive(Debug, Default)]
pub(super) struct Templates {
    known: Vec<Template>,
    /// The last one that is seen.
    last: Option<usize>,
    /// How many definitions are being checked; what is made there is thrown away.
    checking: usize,
}

/// What a template stands for.
pub(super) enum Found<'t> {
    /// An expression.
    Nodes(&'t [Node]),
    /// Something that takes arguments.
    Function,
    /// Anything.
    Unknown,
}

impl Templates {
    /// The last template of this name, as it is written.
    pub(super) fn find(&self, name: &str) -> Option<TemplateId> {
        let mut next = self.last;
        while let Some(at) = next {
            if self.known[at].name == name {
                return Some(TemplateId(at));
            }
            next = self.known[at].before;
        }
        None
    }

    /// What a template stands for.
    pub(super) fn found(&self, id: TemplateId) -> Found<'_> {
        match &self.known[id.0].body {
            Body::Nodes(expression) => Found::Nodes(&expression.nodes),
            Body::Tokens { .. } => Found::Function,
            Body::Unknown => Found::Unknown,
        }
    }

    fn add(&mut self, name: String, body: Body) {
        self.known.push(Template { name, body, before: self.last });
        self.last = Some(self.known.len() - 1);
    }
}

/// What copying a node costs: long texts count as several nodes.
fn cost(node: &Node) -> usize {
    let of_labels = |labels: &[String]| labels.iter().map(|label| 1 + label.len() / 64).sum::<usize>();
    let texts = match node {
        Node::Text(text) => text.len() / 64,
        Node::Selector(lists) => cost_of_lists(lists),
        Node::Aggregate { arguments, grouping, .. } => {
            arguments.len() + grouping.as_ref().map_or(0, |grouping| of_labels(&grouping.labels))
        }
        Node::Binary { matching, join, .. } => {
            matching.as_ref().map_or(0, |matching| of_labels(&matching.labels))
                + join.as_ref().map_or(0, |join| of_labels(&join.include))
        }
        Node::Call { arguments, .. } | Node::List(arguments) => arguments.len(),
        _ => 0,
    };
    1 + texts
}

impl Parser<'_> {
    /// Whether what is being made will be thrown away.
    pub(super) fn is_checking(&self) -> bool {
        self.templates.checking > 0
    }

    /// `WITH (…) expression`, from the word on.
    pub(super) fn with(&mut self, start: u32) -> Parsed<ExprId> {
        self.advance();
        self.advance();
        let (known, last) = (self.templates.known.len(), self.templates.last);
        while !self.take(")") {
            self.definition(known)?;
            if !self.take(",") {
                self.expect(")", "\",\", \")\" or an operator")?;
                break;
            }
        }
        let made = self.expression(LEAST_POWER)?;
        self.templates.known.truncate(known);
        self.templates.last = last;
        self.bracket_if_loose(made, start)
    }

    /// An operator's expression that takes a name's place gets brackets, so that nothing outside binds into it.
    fn bracket_if_loose(&mut self, made: ExprId, start: u32) -> Parsed<ExprId> {
        match self.made.node(made) {
            Node::Binary { .. } | Node::Negative(_) => self.push(Node::Paren(made), start),
            _ => Ok(made),
        }
    }

    fn definition(&mut self, first_of_list: usize) -> Parsed<()> {
        let span = self.span();
        if self.token().kind != TokenKind::Name {
            return Err(self.unexpected("a template's name or \")\""));
        }
        let name = self.word().to_owned();
        if self.templates.known[first_of_list..].iter().any(|template| template.name == name) {
            return Err(ParseError::wrong(self.text, span, format!("the template {name:?} is there twice")));
        }
        if self.templates.known.len() >= MAX_TEMPLATES {
            return Err(ParseError::wrong(self.text, span, format!("there are more than {MAX_TEMPLATES} templates")));
        }
        self.advance();
        let mut parameters = None;
        if self.is_sign("(") {
            parameters = Some(self.parameters()?);
        }
        self.expect("=", "\"=\"")?;
        let body = match parameters {
            None => Body::Nodes(Rc::new(self.fragment(|parser| parser.expression(LEAST_POWER))?)),
            Some(parameters) => {
                let at = self.at;
                let (known, last) = (self.templates.known.len(), self.templates.last);
                for parameter in &parameters {
                    self.templates.add(parameter.clone(), Body::Unknown);
                }
                self.templates.checking += 1;
                self.fragment(|parser| parser.expression(LEAST_POWER))?;
                self.templates.checking -= 1;
                self.templates.known.truncate(known);
                self.templates.last = last;
                Body::Tokens { at, parameters: parameters.into() }
            }
        };
        self.templates.add(name, body);
        Ok(())
    }

    fn parameters(&mut self) -> Parsed<Vec<String>> {
        self.advance();
        let mut parameters = Vec::new();
        while !self.take(")") {
            if self.token().kind != TokenKind::Name {
                return Err(self.unexpected("a parameter's name or \")\""));
            }
            parameters.push(self.word().to_owned());
            self.advance();
            if !self.take(",") {
                self.expect(")", "\",\" or \")\"")?;
                break;
            }
        }
        Ok(parameters)
    }

    /// Runs a step and takes what it made out of the expression.
    fn fragment(&mut self, step: impl FnOnce(&mut Self) -> Parsed<ExprId>) -> Parsed<Expression> {
        let first = self.made.nodes.len();
        step(self)?;
        Ok(self.cut(first))
    }

    /// Takes the nodes from `first` on out of the expression.
    fn cut(&mut self, first: usize) -> Expression {
        let mut nodes = self.made.nodes.split_off(first);
        for node in &mut nodes {
            node.move_children(|child| ExprId(child.0 - first as u32));
        }
        Expression { nodes, spans: self.made.spans.split_off(first) }
    }

    /// Appends a copy. Mistakes in it are shown where it is used.
    fn copy(&mut self, expression: &Expression, span: Span) -> Parsed<ExprId> {
        let first = self.made.nodes.len() as u32;
        for node in &expression.nodes {
            self.charge(cost(node), span.start)?;
            let mut node = node.clone();
            node.move_children(|child| ExprId(child.0 + first));
            self.made.push(node, span);
        }
        Ok(self.made.root())
    }

    /// A template's name without round brackets; braces behind it add conditions.
    pub(super) fn use_template(&mut self, id: TemplateId, word: &str, start: u32) -> Parsed<ExprId> {
        let span = Span { start, end: self.tokens[self.at - 1].span.end };
        let made = match &self.templates.known[id.0].body {
            Body::Tokens { .. } => return self.plain_metric(word, start),
            Body::Unknown => self.push(Node::Number(0.0), start)?,
            Body::Nodes(expression) => {
                let expression = expression.clone();
                self.copy(&expression, span)?
            }
        };
        if self.is_sign("{") {
            let more = self.braces(None)?;
            return self.with_more_conditions(made, more, span);
        }
        self.bracket_if_loose(made, start)
    }

    fn with_more_conditions(&mut self, made: ExprId, more: Vec<Vec<Matcher>>, span: Span) -> Parsed<ExprId> {
        if self.is_checking() {
            return Ok(made);
        }
        let selector = match self.made.node(made) {
            Node::Modified { of, .. } => *of,
            _ => made,
        };
        let wrong = |parser: &Self| {
            let what = "braces can only be added to a template that is a selector, and without or on both sides";
            ParseError::wrong(parser.text, span, what)
        };
        let Node::Selector(lists) = self.made.node(selector) else { return Err(wrong(self)) };
        // What is made is paid for before: a short text can ask for a list of millions.
        let (nodes, has_one) = (cost_of_crossed(lists, &more), lists.len() == 1 || more.len() == 1);
        self.charge(nodes, span.start)?;
        match &mut self.made.nodes[selector.0 as usize] {
            Node::Selector(lists) if has_one => *lists = crossed(lists, &more),
            _ => return Err(wrong(self)),
        }
        Ok(made)
    }

    /// A template with round brackets, which are open.
    pub(super) fn call_template(&mut self, id: TemplateId, start: u32) -> Parsed<ExprId> {
        let first = self.made.nodes.len();
        let arguments = self.arguments()?;
        let arguments = self.cut_arguments(&arguments, first);
        let span = Span { start, end: self.tokens[self.at - 1].span.end };
        let template = &self.templates.known[id.0];
        let (at, parameters) = match &template.body {
            Body::Tokens { at, parameters } => (*at, parameters.clone()),
            Body::Unknown => return self.push(Node::Number(0.0), start),
            Body::Nodes(_) => (0, Rc::from([])),
        };
        if parameters.len() != arguments.len() {
            let expected = format!("{} of the template {:?}", counted(parameters.len()), template.name);
            return Err(ParseError::expected(self.text, span, expected, arguments.len().to_string()));
        }
        if let Body::Nodes(expression) = &template.body {
            let expression = expression.clone();
            let made = self.copy(&expression, span)?;
            return self.bracket_if_loose(made, start);
        }
        let (known, last, back) = (self.templates.known.len(), self.templates.last, self.at);
        self.templates.last = template.before;
        for (parameter, argument) in parameters.iter().zip(arguments) {
            self.templates.add(parameter.clone(), Body::Nodes(Rc::new(argument)));
        }
        self.at = at;
        let made = self.expression(LEAST_POWER)?;
        self.templates.known.truncate(known);
        self.templates.last = last;
        self.at = back;
        self.bracket_if_loose(made, start)
    }

    /// The arguments, which are the nodes from `first` on, one by one.
    fn cut_arguments(&mut self, arguments: &[ExprId], first: usize) -> Vec<Expression> {
        let mut cut = Vec::with_capacity(arguments.len());
        // Each begins behind the root of the one before it.
        for at in (0..arguments.len()).rev() {
            let begin = if at == 0 { first } else { arguments[at - 1].0 as usize + 1 };
            cut.push(self.cut(begin));
        }
        cut.reverse();
        cut
    }

    /// A function that is a template everywhere, if it is one; the arguments are the nodes from `first` on.
    pub(super) fn builtin_template(
        &mut self,
        name: &str,
        arguments: &[ExprId],
        first: usize,
        start: u32,
    ) -> Parsed<Option<ExprId>> {
        let Some((_, parameters, body)) = BUILTINS.iter().find(|builtin| builtin.0 == name) else { return Ok(None) };
        let span = Span { start, end: self.tokens[self.at - 1].span.end };
        if arguments.len() != parameters.len() {
            let expected = format!("{} of {name:?}", counted(parameters.len()));
            return Err(ParseError::expected(self.text, span, expected, arguments.len().to_string()));
        }
        let arguments = self.cut_arguments(arguments, first);
        let mut parser = Parser::new(body, Dialect::MetricsQl)?;
        parser.budget = self.budget;
        for (parameter, argument) in parameters.iter().zip(arguments) {
            parser.templates.add((*parameter).to_owned(), Body::Nodes(Rc::new(argument)));
        }
        let made =
            parser.whole().map_err(|error| ParseError { span, ..ParseError::wrong(self.text, span, error.found) })?;
        let made = self.copy(&made, span)?;
        self.bracket_if_loose(made, start).map(Some)
    }

    // ---- templates where no expression stands ---------------------------------------------------

    /// The conditions that a name inside braces stands for; none if it is no template.
    pub(super) fn conditions_of_template(&mut self, word: &str, span: Span) -> Parsed<Option<Vec<Matcher>>> {
        let Some(id) = self.templates.find(word) else { return Ok(None) };
        let matchers = match self.templates.found(id) {
            Found::Unknown => return Ok(Some(Vec::new())),
            Found::Nodes([Node::Selector(lists)]) if lists.len() == 1 => lists[0].clone(),
            _ => {
                let what = format!("the template {word:?} is no selector without or, so it can't stand in braces");
                return Err(ParseError::wrong(self.text, span, what));
            }
        };
        self.charge(matchers.iter().map(|one| 1 + (one.label.len() + one.value.len()) / 64).sum(), span.start)?;
        Ok(Some(matchers))
    }

    /// The length that the name stands for, if it is a template of a duration or a number of seconds.
    pub(super) fn duration_of_template(&self) -> Option<Duration> {
        match self.templates.found(self.templates.find(self.word())?) {
            Found::Nodes([Node::Duration(length)]) => Some(*length),
            Found::Nodes([Node::Number(seconds)]) => duration::of_seconds(*seconds),
            Found::Unknown => Some(Duration::default()),
            _ => None,
        }
    }

    /// The label names that a template stands for: a bare name, or several in brackets.
    pub(super) fn labels_of_template(&mut self, id: TemplateId, labels: &mut Vec<String>) -> Parsed<()> {
        let names: Option<Vec<String>> = match self.templates.found(id) {
            Found::Unknown => Some(Vec::new()),
            Found::Function => Some(vec![unescape_name(self.word())]),
            Found::Nodes(nodes) => nodes
                .iter()
                .filter(|node| !matches!(node, Node::List(_) | Node::Paren(_)))
                .map(|node| selector::bare_name(node).map(str::to_owned))
                .collect(),
        };
        let names = names.ok_or_else(|| self.unexpected("a template of label names"))?;
        self.charge(names.iter().map(|name| 1 + name.len() / 64).sum(), self.span().start)?;
        labels.extend(names);
        Ok(())
    }
}
