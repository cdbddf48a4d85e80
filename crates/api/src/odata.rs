//! Query options in the manner of OData: text to a bounded tree, which says where it is wrong.
//!
//! No name in a tree has been looked up: whoever answers a question knows the properties there are, and each path
//! keeps its position for what is said about it.

mod cursor;
mod expr;
mod filter;
mod lists;
mod options;
#[cfg(test)]
mod tests;

pub use expr::{Comparison, Expr, Literal, LiteralValue, Path, TextFunction};
pub use filter::filter;
pub use lists::{Direction, Expand, OrderBy, expand, order_by, search, select};
pub use options::{OptionError, Options};

/// More characters than any option of a hand or a program has.
pub const TEXT_CHARS_MAX: usize = 8_000;
/// Comparisons, operators and listed values in one filter.
pub const NODES_MAX: usize = 100;
/// How deep brackets, `not` and `any` may stand in each other.
pub const DEPTH_MAX: usize = 10;
/// How deep expansions may stand in each other.
pub const EXPAND_DEPTH_MAX: usize = 2;
/// Members of a list: properties to select, to expand, to sort by.
pub const LISTED_MAX: usize = 100;
/// Rows of one page.
pub const TOP_MAX: u32 = 1_000;

/// What is wrong with the text of an option, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// So many characters stand before the place.
    pub position: usize,
    /// What was expected there.
    pub message: String,
}
