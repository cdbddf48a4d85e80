//! `cargo x contract`: the REST interface of a running daemon from outside, by people who know its description alone.
//!
//! schemathesis makes requests of docs/openapi.json, good ones and bad ones, and holds the answers against it. sqlmap tries
//! to get SQL into every parameter; that it would notice is shown by a server of a few lines that lets it in.

mod outsider;
mod tools;

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};

use self::outsider::Outsider;
use self::tools::Tools;
use crate::root::Root;

/// How much is tried.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Requests that schemathesis makes up for each operation, at most, beside those that cover the description.
    #[arg(long, value_name = "N", default_value_t = 5)]
    examples: u32,
    /// Where schemathesis begins: the same requests for the same number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How hard sqlmap tries.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    level: u32,
}

/// Fewer requests than this have not shown much.
const REQUESTS_MIN: u32 = 2_000;

/// Asks from outside.
pub(crate) fn run(root: &Root, options: &Options) -> Result<()> {
    let began = Instant::now();
    let tools = Tools::installed(root)?;
    let outsider = Outsider::new(root)?;
    let requests = tools.schemathesis(&outsider, options.examples, options.seed)?;
    ensure!(requests >= REQUESTS_MIN, "schemathesis made {requests} requests: give more with --examples");
    let parameters = tools.sqlmap(&outsider, options.level)?;
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        std::io::stdout().lock(),
        "{requests} requests kept to the description, {parameters} parameters let no SQL in; {seconds:.0} s"
    )?;
    Ok(())
}
