//! Composition: the command tree and what its commands put together. The rules are in the other crates.

pub mod cli;
mod commands;
pub mod context;
pub mod daemon;
pub mod discarded;
pub mod exit;
pub mod log;
pub mod output;
pub mod pipeline;
mod progress;
pub mod times;

pub use commands::execute;
