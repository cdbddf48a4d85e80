//! The filter language: `inactive == false && department in ("IT", "HR")`.
//!
//! ```text
//! filter     = and { "||" and }
//! and        = term { "&&" term }
//! term       = "!" ( "!" ... | "(" filter ")" | match ) | "(" filter ")" | comparison
//! comparison = name ( "==" | "!=" ) ( value | "null" )
//!            | name ( "<" | "<=" | ">" | ">=" ) ( text | whole number )
//!            | name "in" "(" value { "," value } ")"
//!            | match
//! match      = name "." ( "startsWith" | "endsWith" | "contains" ) "(" text ")"
//! value      = text | whole number | "true" | "false"
//! name       = identifier { "." identifier }
//! text       = "..." or '...', with the escapes \" \' \\ \n \uHHHH
//! ```
//!
//! `!` binds closer than `&&`, `&&` closer than `||`. A name whose last part is `startsWith`, `endsWith` or
//! `contains` and that is followed by `(` is a match on the name before it; anywhere else those are plain
//! names.
//!
//! **Null.** The language has two truth values. A comparison, `in` and a match are false for a null; `!=` is
//! true, because a null is unequal to every value; `!` turns either value round, so `!(x == 1)` is true for a
//! null, exactly as `x != 1` is. Who compiles a filter to SQL, where a comparison with null is neither true
//! nor false, must write that out.

use std::fmt;

mod parse;
mod token;

pub use parse::{NameUse, Parsed, parse, parse_with_names};

/// Longest filter, in characters.
pub const FILTER_CHARS_MAX: usize = 4_096;
/// Most conditions (comparisons, matches, `!`, `&&`, `||`) in a filter.
pub const FILTER_NODES_MAX: usize = 100;
/// Deepest nesting of `(` and `!`.
pub const FILTER_DEPTH_MAX: usize = 20;

/// A parsed filter. Names are property names of the object type, or `alias.column` / column names in a
/// profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// Not this one; true where the inner one is false, null or not.
    Not(Box<Expr>),
    /// `name op literal`; a comparison with null is [`Expr::IsNull`].
    Compare {
        /// Left side.
        name: String,
        /// Operator.
        op: CompareOp,
        /// Right side.
        value: Literal,
    },
    /// `name in (a, b)`.
    In {
        /// Left side.
        name: String,
        /// Values, never empty.
        values: Vec<Literal>,
    },
    /// `name.startsWith("x")` and its like, case-sensitive.
    Matches {
        /// Left side.
        name: String,
        /// Which part.
        part: Part,
        /// The text.
        text: String,
    },
    /// `name == null`.
    IsNull(String),
}

impl Expr {
    /// Every name that the filter uses, in the order of the text; a name used twice stands there twice.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names
    }

    fn collect_names<'e>(&'e self, names: &mut Vec<&'e str>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_names(names)),
            Self::Not(inner) => inner.collect_names(names),
            Self::Compare { name, .. }
            | Self::In { name, .. }
            | Self::Matches { name, .. }
            | Self::IsNull(name) => {
                names.push(name);
            }
        }
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=` (null-safe: a null is unequal to every value)
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl CompareOp {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// Which part of a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `startsWith`
    Start,
    /// `endsWith`
    End,
    /// `contains`
    Anywhere,
}

impl Part {
    const ALL: [Self; 3] = [Self::Start, Self::End, Self::Anywhere];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "startsWith",
            Self::End => "endsWith",
            Self::Anywhere => "contains",
        }
    }
}

/// A constant in a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"text"`; for time properties an RFC 3339 instant.
    Text(String),
    /// A whole number.
    Int(i64),
    /// `true`, `false`.
    Bool(bool),
}

/// A filter that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {}: {message}", .offset + 1)]
pub struct FilterError {
    /// Characters before the one at which it goes wrong.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_text(f, text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            // Every control character lies below U+00A0, so four digits are enough.
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

/// Writes a filter that [`parse`] reads back to an equal one, as long as it is within the limits and each
/// `And` and `Or` has at least two members.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => {
                let bare = |part: &Self| !matches!(part, Self::And(_) | Self::Or(_));
                write_joined(f, parts, " && ", bare)
            }
            Self::Or(parts) => write_joined(f, parts, " || ", |part| !matches!(part, Self::Or(_))),
            Self::Not(inner) => match inner.as_ref() {
                Self::IsNull(name) => write!(f, "{name} != null"),
                matches @ Self::Matches { .. } => write!(f, "!{matches}"),
                other => write!(f, "!({other})"),
            },
            Self::Compare { name, op, value } => write!(f, "{name} {} {value}", op.as_str()),
            Self::In { name, values } => {
                write!(f, "{name} in (")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Matches { name, part, text } => {
                write!(f, "{name}.{}(", part.as_str())?;
                write_text(f, text)?;
                f.write_str(")")
            }
            Self::IsNull(name) => write!(f, "{name} == null"),
        }
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    between: &str,
    bare: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        if bare(part) {
            write!(f, "{part}")?;
        } else {
            write!(f, "({part})")?;
        }
    }
    Ok(())
}
