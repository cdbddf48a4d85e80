//! A large history, made of a small one that runs have written: the identities of a generated identity system, captured
//! over two simulated years, are multiplied by statements over whole tables. Documents are copied as they are, for a
//! capture's hash is that of its image; so each can be read back through its patches as it was written.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::database::Database;
use super::multiple::Multiple;
use crate::bench::announce;
use crate::bench::server::printed;

/// Identities that runs capture.
const NUCLEUS: u32 = 1_000;

/// Runs after the first one, and days between two.
pub(super) const RUNS: u32 = 61;
pub(super) const DAYS: u32 = 12;

/// 2024-11-20T00:00:00Z: two years before somewhere near the present, so that all of it is past.
const START: &str = "2024-11-20T00:00:00Z";
pub(super) const START_MS: i64 = 1_732_060_800_000;
pub(super) const DAY_MS: i64 = 86_400_000;

/// Patches between two full captures.
const PATCHES_MAX: u32 = 10;

/// The midnight that the generated identity system has come to, epoch milliseconds.
const WORLD_NOW: &str =
    "select (json_extract(value, '$.startMs') + json_extract(value, '$.day') * 86400000) from annals_world";

/// Whether a history was made here before.
pub(super) fn is_there(history: &Database) -> Result<bool> {
    Ok(history.sql("select to_regclass('bench_history_made') is not null")?.trim() == "t")
}

/// How large it is, in a sentence.
pub(super) fn size(history: &Database) -> Result<String> {
    let found = history.sql(
        "select count(*) from spt_hist_identity; select count(*) from spt_hist_identity_capture;
         select count(*) from spt_hist_identity_event; select count(*) from annals_access_interval;
         select coalesce(max(patches_since_full), 0) from annals_head; select pg_database_size(current_database()) / 1048576",
    )?;
    let numbers: Vec<f64> = found.lines().filter_map(|line| line.parse().ok()).collect();
    let [identities, captures, events, intervals, patches, mebibytes] = numbers[..] else {
        anyhow::bail!("the history has no size: {found}")
    };
    let shown = |value| crate::bench::grid::number(value, 0);
    Ok(format!(
        "{} identities with {} captures (chains of up to {} patches), {} events, {} access intervals, {} MiB",
        shown(identities),
        shown(captures),
        shown(patches),
        shown(events),
        shown(intervals),
        shown(mebibytes)
    ))
}

/// Makes a history of so many identities, with what happened in two years so many times over, in the same two years.
pub(super) fn make(
    annals: &Path,
    history: &Database,
    (identities, repeats, seed): (u32, u32, u64),
) -> Result<()> {
    ensure!(identities % NUCLEUS.min(identities) == 0, "write a multiple of {NUCLEUS} identities");
    let nucleus = NUCLEUS.min(identities);
    nucleus_runs(annals, history, nucleus, seed)?;
    announce(&format!("{} times the {nucleus} identities", identities / nucleus));
    let multiple = Multiple { history, times: identities / nucleus, repeats };
    history.sql(&multiple.script()?)?;
    history.sql("vacuum (analyze)")?;
    history.sql("create table bench_history_made ()").map(drop)
}

/// A first run, and one every so many days.
fn nucleus_runs(annals: &Path, history: &Database, identities: u32, seed: u64) -> Result<()> {
    let folder = TempDir::with_prefix("annals-bench-source-")?;
    let source = folder.path().join("source.db");
    let url = format!("sqlite:{}", source.display());
    let config = folder.path().join("config");
    printed(Command::new(annals).arg("init").arg(&config))?;
    let text = format!(
        "accessHistoryEnabled: true\nsecretHashKey: a-key-for-benchmarks-alone\n\
         source: {{profile: identityiq, url: \"{url}\"}}\nhistory: {{url: \"{}\"}}\n\
         capture: {{maxAllowedPatches: {PATCHES_MAX}}}\n",
        history.url
    );
    fs::write(config.join("annals.yaml"), text).context("cannot write annals.yaml")?;
    let call = |arguments: &[&str]| {
        let mut command = Command::new(annals);
        command.args(arguments).args(["--quiet", "--config"]).arg(&config);
        printed(command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG")).map(drop)
    };
    let (identities, seed) = (identities.to_string(), seed.to_string());
    call(&["demo", "source", "--start", START, "--url", &url, "--identities", &identities, "--seed", &seed])?;
    call(&["migrate"])?;
    call(&["run"])?;
    for run in 1..=RUNS {
        let now_ms = printed(Command::new("sqlite3").arg(&source).arg(WORLD_NOW))?;
        history.sql(&format!("update annals_named_timestamp set timestamp_ms = {}", now_ms.trim()))?;
        call(&["demo", "days", "--days", &DAYS.to_string(), "--url", &url])?;
        call(&["run"])?;
        if run % 10 == 0 {
            eprintln!("    {run} of {RUNS} runs");
        }
    }
    Ok(())
}
