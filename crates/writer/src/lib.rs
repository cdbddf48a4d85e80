//! The writer: what becomes of the messages that the extract workers publish.
//!
//! A delivery is one transaction: captures, child rows, entity rows, events, heads, counters and the partition's
//! request state, under its lease. What is decided is decided by the pure rules of `annals-model`; here is the reading
//! and writing around them.

mod change;
mod error;
mod ids;
mod intervals;
mod late;
mod letter;
mod plan;
mod redelivery;
mod serve;
mod transaction;
mod writer;

pub use error::{Error, Treatment};
pub use letter::letter_json;
pub use redelivery::{DISCARDED, Redelivered};
pub use writer::{WriteSummary, Writer, WriterSettings};
