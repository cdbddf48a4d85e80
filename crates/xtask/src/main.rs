//! The chores of the project, run as `cargo x`.

mod bench;
mod chaos;
mod contract;
mod interrupt;
mod object_types;
mod render_migrations;
mod root;
mod servers;
mod setup;
mod steps;
mod sweep;
mod teeth;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::root::Root;

/// The chores of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo x", bin_name = "cargo x")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Install what tests need (PostgreSQL, MariaDB, SQLite, Python, Request Tracker) by apt-get, as far as it is missing.
    Setup,
    /// Set up, check format, lints and tidiness, then run every test; with arguments only the tests that they pick.
    Test {
        /// Passed on to `cargo test`, for example `-p annals-model` or `a_test_name -- --nocapture`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Everything that must pass before a change lands: the same as `test` without arguments.
    Ci,
    /// Check what no compiler checks: crate ranks, file sizes, frozen migrations, forbidden words, links.
    Tidy {
        /// Freeze the migrations that are not frozen yet; frozen ones are never changed.
        #[arg(long)]
        freeze: bool,
    },
    /// Write the history tables' migrations anew from migrations/history_columns.csv and history_indexes.csv.
    RenderMigrations {
        /// Only compare, and fail when a file is not current.
        #[arg(long)]
        check: bool,
    },
    /// Write the pages in docs/object-types anew from the profile, the transform and a run.
    ObjectTypes,
    /// Measure the nightly run on PostgreSQL beside its own floor: what copying the same rows costs.
    Bench(bench::Options),
    /// Interrupt runs at every step, let others go on, and compare history with that of uninterrupted runs.
    Sweep(sweep::Options),
    /// Build the program with one rule removed at a time, and see that a check notices each.
    Teeth(teeth::Options),
    /// Several daemons on one history database while processes, databases, connections and clocks fail, and a checker after.
    Chaos(chaos::Options),
    /// Ask a daemon over REST as outsiders do: schemathesis by its description, sqlmap by every parameter.
    Contract(contract::Options),
    /// Start the database servers, print the variables that tests read, and keep them up until Ctrl-C.
    Databases,
}

fn main() -> ExitCode {
    let outcome = Root::find().and_then(|root| match Arguments::parse().chore {
        Chore::Setup => setup::run(),
        Chore::Test { arguments } if arguments.is_empty() => steps::run_everything(&root),
        Chore::Test { arguments } => steps::run_picked(&root, &arguments),
        Chore::Ci => steps::run_everything(&root),
        Chore::Tidy { freeze: true } => tidy::freeze(&root),
        Chore::Tidy { freeze: false } => tidy::run(&root),
        Chore::RenderMigrations { check } => render_migrations::run(&root, check),
        Chore::ObjectTypes => object_types::write(&root),
        Chore::Bench(options) => bench::run(&root, &options),
        Chore::Sweep(options) => steps::with_servers(|| sweep::run(&root, &options)),
        Chore::Teeth(options) => steps::with_servers(|| teeth::run(&root, &options)),
        Chore::Chaos(options) => chaos::run(&root, &options),
        Chore::Contract(options) => steps::with_servers(|| contract::run(&root, &options)),
        Chore::Databases => servers::hold(),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            steps::exit_code(&error)
        }
    }
}
