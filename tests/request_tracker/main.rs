//! Request Tracker 5, a system that nobody here designed, read by `config/sources/request-tracker.yaml`: what its rows
//! become, and what its own program does to them as events of the right people.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod images;
mod life;
mod site;

#[path = "../scenarios/program.rs"]
mod program;
