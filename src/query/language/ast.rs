//! An expression as an arena of nodes, children before parents. Walks are loops, so no depth of nesting overflows a stack.

/// The place of a node in its [`Expression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// The bytes of the text that a node was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

/// A whole expression. The root is the last node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expression {
    /// Children before parents.
    pub nodes: Vec<Node>,
    /// One for each node.
    pub spans: Vec<Span>,
}

impl Expression {
    /// The node of an id.
    pub fn node(&self, id: ExprId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Where a node stands in the text.
    pub fn span(&self, id: ExprId) -> Span {
        self.spans.get(id.0 as usize).copied().unwrap_or_default()
    }

    /// Whether it is nothing but a window: samples, and no rows.
    pub fn is_window(&self) -> bool {
        let mut id = self.root();
        loop {
            match self.node(id) {
                Node::Paren(of) => id = *of,
                Node::Modified { modifiers, .. } => return modifiers.window.is_some() || modifiers.is_subquery,
                _ => return false,
            }
        }
    }

    /// The whole expression's node.
    pub fn root(&self) -> ExprId {
        ExprId(self.nodes.len().saturating_sub(1) as u32)
    }

    /// One node with all below it, as an expression of its own.
    pub fn subtree(&self, id: ExprId) -> Self {
        let mut first = id;
        loop {
            let mut least = first;
            self.node(first).for_each_child(|child| least = least.min(child));
            if least == first {
                break;
            }
            first = least;
        }
        // Subtrees lie in one piece.
        let range = first.0 as usize..=id.0 as usize;
        let mut subtree = Self { nodes: self.nodes[range.clone()].to_vec(), spans: self.spans[range].to_vec() };
        subtree.nodes.iter_mut().for_each(|node| node.move_children(|child| ExprId(child.0 - first.0)));
        subtree
    }

    /// Appends a node, whose children are there already.
    pub fn push(&mut self, node: Node, span: Span) -> ExprId {
        let id = ExprId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.spans.push(span);
        id
    }
}

/// A length of time as it is written: fixed, or in steps of the query (`5i`), or both (`1h5i`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Duration {
    /// The fixed part in milliseconds; may be negative in an offset.
    pub milliseconds: f64,
    /// How many steps of the query.
    pub steps: f64,
}

impl Duration {
    /// The length in milliseconds for a query with this step.
    pub fn in_milliseconds(&self, step_ms: i64) -> i64 {
        (self.milliseconds + self.steps * step_ms as f64) as i64
    }
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOperator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// One condition of a selector. The metric's name is a condition on `__name__`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label, unescaped.
    pub label: String,
    /// How it compares.
    pub operator: MatchOperator,
    /// With what, unescaped.
    pub value: String,
}

/// What lists of conditions cost, in nodes of an expression: long texts count as several.
pub fn cost_of_lists(lists: &[Vec<Matcher>]) -> usize {
    let of_matcher = |matcher: &Matcher| 1 + (matcher.label.len() + matcher.value.len()) / 64;
    lists.iter().flatten().map(of_matcher).sum::<usize>() + lists.len()
}

/// What [`crossed`] costs, to be paid before.
pub fn cost_of_crossed(lists: &[Vec<Matcher>], more: &[Vec<Matcher>]) -> usize {
    let of_lists = cost_of_lists(lists).saturating_mul(more.len());
    of_lists.saturating_add(cost_of_lists(more).saturating_mul(lists.len()))
}

/// Each of the lists with each of the others behind it.
pub fn crossed(lists: &[Vec<Matcher>], more: &[Vec<Matcher>]) -> Vec<Vec<Matcher>> {
    lists.iter().flat_map(|list| more.iter().map(|more| [&list[..], more].concat())).collect()
}

/// What stands behind an expression: a window, an offset, an instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modifiers {
    /// `[5m]`; with a colon in the brackets and nothing before it (`[:1m]`) none.
    pub window: Option<Duration>,
    /// Whether there were brackets with a colon: a subquery.
    pub is_subquery: bool,
    /// Behind the colon.
    pub step: Option<Duration>,
    /// `offset 5m`
    pub offset: Option<Duration>,
    /// `@ expression`: an expression of unix seconds; `start()` and `end()` are calls.
    pub at: Option<ExprId>,
}

/// `by (a, b)` or `without (a, b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Whether the labels are those that go.
    pub is_without: bool,
    /// Label names.
    pub labels: Vec<String>,
}

/// Which labels two sides are matched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// `on` in place of `ignoring`.
    pub is_on: bool,
    /// Label names.
    pub labels: Vec<String>,
}

/// `group_left` or `group_right`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The left side is the one with many.
    pub is_left: bool,
    /// Labels that are taken from the other side.
    pub include: Vec<String>,
    /// `prefix "x"` behind the labels.
    pub prefix: Option<String>,
}

/// Operators with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `^`
    Power,
    /// `atan2`
    Atan2,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `default`
    Default,
    /// `if`
    If,
    /// `ifnot`
    IfNot,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `1.5`, `Inf`, `4Ki`.
    Number(f64),
    /// A duration where a number may stand: `5m` is 300.
    Duration(Duration),
    /// A string, unescaped.
    Text(String),
    /// Matchers of which those of one list must all hold; braces with `or` have several lists.
    Selector(Vec<Vec<Matcher>>),
    /// An expression with what stands behind it. At least one modifier is there.
    Modified {
        /// What is modified.
        of: ExprId,
        /// By what.
        modifiers: Modifiers,
    },
    /// `function(arguments)`. Rollups, transforms and the like; names in lower case.
    Call {
        /// The function's name.
        function: String,
        /// Its arguments.
        arguments: Vec<ExprId>,
        /// `keep_metric_names` behind it.
        keep_metric_names: bool,
    },
    /// `operator by (…) (arguments)`.
    Aggregate {
        /// Its name in lower case.
        operator: String,
        /// Parameters first, then what is aggregated.
        arguments: Vec<ExprId>,
        /// What groups are made by; none is one group.
        grouping: Option<Grouping>,
        /// `limit N` behind it.
        limit: Option<u64>,
    },
    /// `left operator right`.
    Binary {
        /// The operator.
        operator: BinaryOperator,
        /// Left side.
        left: ExprId,
        /// Right side.
        right: ExprId,
        /// Whether `bool` stands behind a comparison.
        is_bool: bool,
        /// `on` or `ignoring`.
        matching: Option<Matching>,
        /// `group_left` or `group_right`.
        join: Option<Join>,
        /// `keep_metric_names` behind it.
        keep_metric_names: bool,
    },
    /// `-x`; `+x` is `x` itself.
    Negative(ExprId),
    /// `(a, b)`: a union; an empty one is no rows.
    List(Vec<ExprId>),
    /// `(a)`, kept for the printer.
    Paren(ExprId),
}

impl Node {
    /// Shows all children, in the order in which they stand in the arena.
    pub fn for_each_child(&self, mut see: impl FnMut(ExprId)) {
        match self {
            Self::Number(_) | Self::Duration(_) | Self::Text(_) | Self::Selector(_) => {}
            Self::Modified { of, modifiers } => {
                see(*of);
                modifiers.at.into_iter().for_each(see);
            }
            Self::Call { arguments, .. } | Self::Aggregate { arguments, .. } | Self::List(arguments) => {
                arguments.iter().copied().for_each(see);
            }
            Self::Binary { left, right, .. } => {
                see(*left);
                see(*right);
            }
            Self::Negative(of) | Self::Paren(of) => see(*of),
        }
    }

    /// Gives every child another place.
    pub fn move_children(&mut self, place: impl Fn(ExprId) -> ExprId) {
        match self {
            Self::Number(_) | Self::Duration(_) | Self::Text(_) | Self::Selector(_) => {}
            Self::Modified { of, modifiers } => {
                *of = place(*of);
                modifiers.at = modifiers.at.map(place);
            }
            Self::Call { arguments, .. } | Self::Aggregate { arguments, .. } | Self::List(arguments) => {
                arguments.iter_mut().for_each(|argument| *argument = place(*argument));
            }
            Self::Binary { left, right, .. } => {
                *left = place(*left);
                *right = place(*right);
            }
            Self::Negative(of) | Self::Paren(of) => *of = place(*of),
        }
    }
}
