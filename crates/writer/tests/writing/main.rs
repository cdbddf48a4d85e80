//! The writer on every engine that history is kept on, from one body.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod any_order;
mod at_once;
mod brokered;
mod changes;
mod events;
mod faults;
mod finding;
mod intervals;
mod life;
mod patches;
mod paths;
mod read_back;
mod redelivery;
mod world;
