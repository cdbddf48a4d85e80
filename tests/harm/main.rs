//! Input that means harm: each with its exact outcome, through the program, under a memory limit.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bomb;
mod forms;
mod large;
mod memory;
#[expect(dead_code, reason = "the scenarios use more of it")]
#[path = "../scenarios/program.rs"]
mod program;
#[path = "../scenarios/ran.rs"]
mod ran;
mod seeds;
mod shape;
#[expect(dead_code, reason = "the scenarios use more of it")]
#[path = "../scenarios/site.rs"]
mod site;
mod text;
