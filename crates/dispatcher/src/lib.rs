//! Begin, qualify, partition, finish: everything about a run but the work itself.

mod banner;
mod begin;
mod deletions;
mod error;
mod finish;
mod qualify;

pub use begin::{Begun, Dispatch, Scope, begin, begin_fire};
pub use error::Error;
pub use finish::{Finished, finish};
