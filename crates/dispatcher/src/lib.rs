//! Begin, qualify, partition, finish: everything about a run but the work itself.

mod banner;
mod begin;
mod deletions;
mod error;
mod finish;
mod qualify;
mod reconcile;
mod reopen;
mod unread;

pub use begin::{Begun, Dispatch, Scope, begin, dispatch_again};
pub use deletions::remove_noted;
pub use error::Error;
pub use finish::{Finished, cancel, finish, give_up};
pub use reconcile::{Difference, Differing, Findings, Report, Totals, compare};
pub use reopen::{Reopened, reopen};
pub use unread::record_unread;
