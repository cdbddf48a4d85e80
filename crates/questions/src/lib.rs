//! Questions about the past that go beyond one object's captures: who had access to what, when, why, and as known when.
//!
//! Each is a function over a transaction, which the command line and REST both call. Nothing is written here. Instants are
//! epoch milliseconds; what is asked of a span is asked of `[from, to)`.

mod access;
mod error;
mod row;

pub use error::Error;
pub use row::{Column, Kind, Row, camel};

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
