//! Questions about the past that go beyond one object's captures: who had access to what, when, why, and as known when.
//!
//! Each is a function over a transaction, which the command line and REST both call. Nothing is written here. Instants are
//! epoch milliseconds; what is asked of a span is asked of `[from, to)`.

mod access;
mod certainty;
mod changes;
mod diff;
mod error;
mod item;
mod names;
mod orphans;
mod paths;
mod row;
#[cfg(test)]
mod tests;
mod who_had;
mod why;

pub use certainty::{Certainty, certainty};
pub use changes::{
    AccessChange, ChangeGroup, ChangeGroups, ChangeTotals, ChangesQuestion, GroupBy, change_groups, changes,
};
pub use diff::{Change, Counts, Diff, Difference, diff};
pub use error::Error;
pub use orphans::{OrphanAccount, orphan_accounts};
pub use row::{Column, Kind, Row, camel};
pub use who_had::{Holder, Mode, WhoHad, who_had};
pub use why::{Reason, Why, why};

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
