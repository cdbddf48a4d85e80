//! Begin, qualify, partition, finish: everything about a run but the work itself.

mod banner;
mod begin;
mod deletions;
mod error;
mod finish;
mod qualify;
mod reconcile;
mod unread;

pub use begin::{Begun, Dispatch, Scope, begin};
pub use deletions::remove_noted;
pub use error::Error;
pub use finish::{Finished, finish};
pub use reconcile::{Difference, Differing, Findings, Report, Totals, compare};
pub use unread::record_unread;
