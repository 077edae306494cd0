//! The operators with two sides: how they are written and how tightly they bind.

use super::ast::BinaryOperator;

/// An operator's text and its power; the greater one binds tighter.
struct Spelling {
    operator: BinaryOperator,
    text: &'static str,
    power: u8,
}

/// The power of a sign in front of an expression: looser than `^`, tighter than all others.
pub(super) const SIGN_POWER: u8 = 8;
/// Takes every operator.
pub(super) const LEAST_POWER: u8 = 0;

const fn spelling(operator: BinaryOperator, text: &'static str, power: u8) -> Spelling {
    Spelling { operator, text, power }
}

const SPELLINGS: [Spelling; 19] = [
    spelling(BinaryOperator::Default, "default", 1),
    spelling(BinaryOperator::If, "if", 2),
    spelling(BinaryOperator::IfNot, "ifnot", 2),
    spelling(BinaryOperator::Or, "or", 3),
    spelling(BinaryOperator::And, "and", 4),
    spelling(BinaryOperator::Unless, "unless", 4),
    spelling(BinaryOperator::Equal, "==", 5),
    spelling(BinaryOperator::NotEqual, "!=", 5),
    spelling(BinaryOperator::Less, "<", 5),
    spelling(BinaryOperator::LessOrEqual, "<=", 5),
    spelling(BinaryOperator::Greater, ">", 5),
    spelling(BinaryOperator::GreaterOrEqual, ">=", 5),
    spelling(BinaryOperator::Add, "+", 6),
    spelling(BinaryOperator::Subtract, "-", 6),
    spelling(BinaryOperator::Multiply, "*", 7),
    spelling(BinaryOperator::Divide, "/", 7),
    spelling(BinaryOperator::Remainder, "%", 7),
    spelling(BinaryOperator::Atan2, "atan2", 7),
    spelling(BinaryOperator::Power, "^", 9),
];

impl BinaryOperator {
    /// The operator that is written so, in any case, and its power.
    pub(super) fn of_text(text: &str) -> Option<(Self, u8)> {
        let found = SPELLINGS.iter().find(|spelling| spelling.text.eq_ignore_ascii_case(text))?;
        Some((found.operator, found.power))
    }

    /// How it is written.
    pub fn text(self) -> &'static str {
        SPELLINGS.iter().find(|spelling| spelling.operator == self).map_or("", |spelling| spelling.text)
    }

    /// Whether it compares two values, so that `bool` may stand behind it.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }

    /// Whether it picks rows of its sides: `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether `a ^ b ^ c` is `a ^ (b ^ c)`.
    pub(super) fn is_right_associative(self) -> bool {
        self == Self::Power
    }
}
