//! Questions about the past that go beyond one object's captures: who had access to what, when, why, and as known when.
//!
//! Each is a function over a transaction, which the command line and REST both call. Nothing is written here. Instants are
//! epoch milliseconds; what is asked of a span is asked of `[from, to)`.

mod access;
mod captures;
mod error;
pub mod export;
mod row;
mod timeline;

pub use access::access_pages;
pub use captures::capture_pages;
pub use error::Error;
pub use row::{Column, Kind, Row, camel, object, told_instant};
pub use timeline::timeline_pages;

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
