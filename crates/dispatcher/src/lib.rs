//! Begin, qualify, partition, finish: everything about a run but the work itself.

mod banner;
mod begin;
mod deletions;
mod error;
mod finish;
mod qualify;
mod reopen;

pub use begin::{Begun, Dispatch, Scope, begin, dispatch_again};
pub use error::Error;
pub use finish::{Finished, cancel, finish};
pub use reopen::{Reopened, reopen};
