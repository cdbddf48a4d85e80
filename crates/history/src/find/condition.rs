//! Conditions on objects.

use super::property::{ACCESS, Collection, Property};
use crate::scope::Scope;

/// A condition. It is true or false of every object: where a property is absent, nothing is equal to it, and it is
/// unequal to everything.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of these; true of none.
    All(Vec<Condition>),
    /// One of these at least; false of none.
    Any(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A property is absent.
    Absent(&'static Property),
    /// A property compared with a value of its kind.
    Compare(&'static Property, Comparison, Operand),
    /// A text has this part, with regard to case.
    Text(&'static Property, Part, String),
    /// A collection has an element of which a condition on the element's properties holds; or any element at all.
    Some(&'static Collection, Option<Box<Condition>>),
    /// The object is in a scope, by its newest capture.
    Within(Scope),
}

impl Condition {
    /// Whether it asks for what identities hold, which access intervals tell.
    pub(crate) fn asks_for_access(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_access),
            Self::Not(inner) => inner.asks_for_access(),
            Self::Some(collection, _) => collection.name == ACCESS,
            Self::Absent(_) | Self::Compare(..) | Self::Text(..) | Self::Within(_) => false,
        }
    }
}

/// How two values are compared; texts byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    Unequal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A text.
    Text(String),
    /// A whole number, 0 or 1, or epoch milliseconds.
    Int(i64),
}

/// Where the part of a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    Anywhere,
    AtStart,
    AtEnd,
}
