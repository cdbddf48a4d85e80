//! Tasks, runs, partitions, request state, named timestamps, failed objects: the control tables.
//!
//! They live in the history database, so that one transaction can hold progress and product (IIQ-08). Every function
//! works in the caller's transaction.

pub mod attributes;
pub mod clean_up;
pub mod config_version;
pub mod dead;
pub mod deliveries;
pub mod driver;
mod error;
pub mod failures;
pub mod figures;
pub mod hosts;
mod leases;
pub mod parked;
pub mod partitions;
pub mod remedy;
pub mod run;
pub mod schedule;
pub mod state;
pub mod suspects;
pub mod tasks;
mod text;
pub mod timestamp;
mod totals;
pub mod writes;

pub use driver::{Driver, RunLease};
pub use error::Error;
pub use failures::FailedObject;
pub use leases::{Held, Lease, Leases};
pub use partitions::{Chunk, ChunkKind, Claimed, DeletedObject, NewChunk, Objects};
pub use run::{NewRun, Run, RunMessage, RunScope, RunState, Trigger};
pub use writes::WriteCounts;

/// Result of a call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every fixed statement of this crate: a test lets each engine prepare each of them.
#[must_use]
pub fn statements() -> Vec<annals_sql::Stmt> {
    [
        attributes::STATEMENTS,
        clean_up::STATEMENTS,
        config_version::STATEMENTS,
        dead::STATEMENTS,
        deliveries::STATEMENTS,
        driver::STATEMENTS,
        failures::STATEMENTS,
        figures::STATEMENTS,
        hosts::STATEMENTS,
        parked::STATEMENTS,
        partitions::STATEMENTS,
        remedy::STATEMENTS,
        run::STATEMENTS,
        schedule::STATEMENTS,
        schedule::FIRE_STATEMENTS,
        state::STATEMENTS,
        suspects::STATEMENTS,
        tasks::STATEMENTS,
        timestamp::STATEMENTS,
        totals::STATEMENTS,
        writes::STATEMENTS,
    ]
    .concat()
}
