//! The tree of a filter.

use std::fmt;

use jiff::Timestamp;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of two or more.
    And(Vec<Expr>),
    /// Any of two or more.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// A property compared with a value.
    Compare {
        /// The property.
        path: Path,
        /// How.
        comparison: Comparison,
        /// With what; null only for `eq` and `ne`.
        value: Literal,
    },
    /// A property that is one of several values.
    In {
        /// The property.
        path: Path,
        /// One or more, none of them null.
        values: Vec<Literal>,
    },
    /// A property whose text has a part.
    Text {
        /// Where the part is.
        function: TextFunction,
        /// The property.
        path: Path,
        /// The part, and where it stands.
        part: Literal,
    },
    /// A collection with an element of which a condition holds.
    Any {
        /// The collection.
        path: Path,
        /// The element's name in the condition.
        variable: String,
        /// Its paths are of the element, and an empty one is the element; with none, the collection is not empty.
        condition: Option<Box<Expr>>,
    },
}

/// Names from an object to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The names; none for the element that `any` goes over.
    pub names: Vec<String>,
    /// Characters before it.
    pub position: usize,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operators'")]
pub enum Comparison {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// As written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// Where a part of a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the functions'")]
pub enum TextFunction {
    Contains,
    StartsWith,
    EndsWith,
}

impl TextFunction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Contains, Self::StartsWith, Self::EndsWith];

    /// As written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
        }
    }
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The value.
    pub value: LiteralValue,
    /// Characters before it.
    pub position: usize,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum LiteralValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number; finite.
    Float(f64),
    /// A text.
    Text(String),
    /// An instant, epoch milliseconds; a date is its first in UTC.
    Instant(i64),
}

impl fmt::Display for LiteralValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Instant(ms) => match Timestamp::from_millisecond(*ms) {
                Ok(instant) => write!(f, "{instant}"),
                Err(_) => write!(f, "{ms}"),
            },
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join("/"))
    }
}

impl fmt::Display for Expr {
    /// As a filter that is read as the same tree.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_expr(f, self, None)
    }
}

/// A path of the element that is called `variable`, or of the object.
fn named(path: &Path, variable: Option<&str>) -> String {
    variable.into_iter().chain(path.names.iter().map(String::as_str)).collect::<Vec<_>>().join("/")
}

fn write_expr(f: &mut fmt::Formatter<'_>, expr: &Expr, variable: Option<&str>) -> fmt::Result {
    let joined = |f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str| {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                write!(f, " {word} ")?;
            }
            // `and` binds closer than `or`, so only the other of the two wants brackets inside.
            let bracketed = matches!((part, word), (Expr::Or(_), _) | (Expr::And(_), "and"));
            if bracketed {
                f.write_str("(")?;
            }
            write_expr(f, part, variable)?;
            if bracketed {
                f.write_str(")")?;
            }
        }
        Ok(())
    };
    match expr {
        Expr::And(parts) => joined(f, parts, "and"),
        Expr::Or(parts) => joined(f, parts, "or"),
        Expr::Not(inner) => {
            f.write_str("not (")?;
            write_expr(f, inner, variable)?;
            f.write_str(")")
        }
        Expr::Compare { path, comparison, value } => {
            write!(f, "{} {} {}", named(path, variable), comparison.as_str(), value.value)
        }
        Expr::In { path, values } => {
            let values: Vec<String> = values.iter().map(|value| value.value.to_string()).collect();
            write!(f, "{} in ({})", named(path, variable), values.join(", "))
        }
        Expr::Text { function, path, part } => {
            write!(f, "{}({}, {})", function.as_str(), named(path, variable), part.value)
        }
        Expr::Any { path, variable: element, condition } => {
            write!(f, "{}/any(", named(path, variable))?;
            if let Some(condition) = condition {
                write!(f, "{element}: ")?;
                write_expr(f, condition, Some(element))?;
            }
            f.write_str(")")
        }
    }
}
