//! Composition: the command tree and what its commands put together. The rules are in the other crates.

mod broker;
mod clean_up;
pub mod cli;
mod commands;
pub mod context;
pub mod daemon;
pub mod database_clock;
pub mod discarded;
pub mod exit;
pub mod extracting;
pub mod log;
pub mod output;
pub mod own_name;
pub mod pipeline;
pub mod presence;
mod progress;
mod slots;
pub mod times;
pub mod traces;
mod writing;

pub use commands::execute;
