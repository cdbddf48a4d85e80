//! Questions about the past that go beyond one object's captures: who had access to what, when, why, and as known when.
//!
//! Each is a function over a transaction, which the command line and REST both call. Nothing is written here. Instants are
//! epoch milliseconds; what is asked of a span is asked of `[from, to)`.

mod access;
mod captures;
mod certainty;
mod changes;
mod diff;
mod error;
pub mod export;
mod find;
mod item;
mod names;
mod orphans;
mod paths;
mod row;
#[cfg(test)]
mod tests;
mod timeline;
mod who_had;
mod why;

pub use access::access_pages;
pub use captures::capture_pages;
pub use certainty::{Certainty, certainty};
pub use changes::{
    AccessChange, ChangeGroup, ChangeGroups, ChangeTotals, ChangesQuestion, GroupBy, change_group_pages,
    change_groups, change_pages, changes,
};
pub use diff::{Change, Counts, Diff, Difference, diff};
pub use error::Error;
pub use find::{found_pages, property_column};
pub use orphans::{OrphanAccount, orphan_accounts, orphan_pages};
pub use row::{Column, Kind, Row, camel, object, told_instant};
pub use timeline::timeline_pages;
pub use who_had::{Holder, Mode, WhoHad, holder_pages, who_had};
pub use why::{Reason, Why, why};

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
