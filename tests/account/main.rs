//! History beside an independent account of what must be in it: the checker in `tests/checker` works out from the log of
//! a generated identity system what every run must have written, and compares all of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod harm;
mod nights;
#[path = "../scenarios/program.rs"]
mod program;
mod site;
