//! The shape of one function.

use crate::query::dialect::Dialect;

/// Which languages know a function, with this meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialects {
    /// Both.
    Both,
    /// MetricsQL alone.
    MetricsQl,
    /// PromQL alone.
    PromQl,
}

impl Dialects {
    /// Whether this dialect is among them.
    pub fn contains(self, dialect: Dialect) -> bool {
        match self {
            Self::Both => true,
            Self::MetricsQl => dialect == Dialect::MetricsQl,
            Self::PromQl => dialect == Dialect::PromQl,
        }
    }
}

/// What a function works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The samples of a window become one value.
    Rollup,
    /// Rows become rows, by their values.
    Transform,
    /// Rows become rows, by their labels.
    Label,
    /// Rows of a group become one.
    Aggregate,
}

/// What stands at an argument's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows with one value an instant.
    Series,
    /// Samples of a window, such as `m[5m]`. MetricsQL takes any rows and makes a window of them.
    Range,
    /// One number an instant.
    Scalar,
    /// A text.
    Text,
}

impl Kind {
    /// What it is called in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Series => "instant vector",
            Self::Range => "range vector",
            Self::Scalar => "scalar",
            Self::Text => "string",
        }
    }
}

/// How often an argument may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Once.
    One,
    /// Once or not at all.
    Optional,
    /// Any number of times, also none. The last such argument takes all that is left; those behind it stand at the end.
    Any,
    /// At least once.
    Many,
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called in the documentation.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// How often.
    pub count: Count,
}

/// What becomes of the metric's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// It stays.
    Keep,
    /// It goes, unless `keep_metric_names` stands behind the call.
    Drop,
}

/// One function or aggregation. A name that means something else in each language has two lines in the table.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Who knows it.
    pub dialects: Dialects,
    /// What it works on.
    pub family: Family,
    /// Its arguments in order.
    pub arguments: &'static [Argument],
    /// What becomes of the metric's name.
    pub names: Names,
    /// What it gives: [`Kind::Scalar`] or [`Kind::Series`].
    pub result: Kind,
    /// One line of documentation.
    pub documentation: &'static str,
}

impl Function {
    /// The fewest arguments it takes.
    pub fn least_arguments(&self) -> usize {
        self.arguments.iter().filter(|argument| matches!(argument.count, Count::One | Count::Many)).count()
    }

    /// The most arguments it takes; none is no limit.
    pub fn most_arguments(&self) -> Option<usize> {
        let is_open = self.arguments.iter().any(|argument| matches!(argument.count, Count::Any | Count::Many));
        (!is_open).then_some(self.arguments.len())
    }

    /// The argument that stands at a position of a call with so many arguments. Repeated ones stretch, and what is listed behind
    /// them stands at the end.
    pub fn argument(&self, position: usize, given: usize) -> Option<&'static Argument> {
        let Some(open) = self.arguments.iter().position(|one| matches!(one.count, Count::Any | Count::Many)) else {
            return self.arguments.get(position);
        };
        let behind = self.arguments.len() - open - 1;
        if position < open {
            return self.arguments.get(position);
        }
        if position + behind >= given {
            return self.arguments.get(self.arguments.len() - (given - position));
        }
        self.arguments.get(open)
    }
}

/// An argument that stands once.
pub(super) const fn one(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::One }
}

/// An argument that may be left out.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::Optional }
}

/// An argument that stands any number of times.
pub(super) const fn any(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::Any }
}

/// An argument that stands once or more often.
pub(super) const fn many(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::Many }
}

/// Makes a family's lines: name, who knows it, what becomes of the metric's name, result, arguments, documentation.
macro_rules! functions {
    ($family:ident, $($name:literal $dialects:ident $names:ident $result:ident $arguments:ident $documentation:literal)*) => {
        &[$(Function {
            name: $name,
            dialects: Dialects::$dialects,
            family: Family::$family,
            arguments: $arguments,
            names: Names::$names,
            result: Kind::$result,
            documentation: $documentation,
        }),*]
    };
}
pub(super) use functions;
