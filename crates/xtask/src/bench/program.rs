//! The `annals` program under measurement, with a configuration of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::figures::Done;
use super::server::printed;
use crate::root::Root;

/// When the first day of the generated identity system begins: always the same, so that its rows are.
const START: &str = "2026-01-05T00:00:00Z";

/// What a configuration cannot do without; all else is as it is by default.
const SETTINGS: &str = "\
# The benchmark's service configuration: everything by default but what has none.
accessHistoryEnabled: true
secretHashKey: a-key-for-benchmarks-alone
";

/// The program and the configuration that it is run with.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    config: PathBuf,
}

/// Builds the program by this profile of cargo's and says where it is.
pub(crate) fn build(root: &Root, profile: &str) -> Result<PathBuf> {
    let mut cargo = root.cargo();
    cargo.args(["build", "--quiet", "--profile", profile, "--package", "annals", "--bin", "annals"]);
    cargo.args(["--message-format=json-render-diagnostics"]).stderr(Stdio::inherit());
    let messages = printed(&mut cargo)?;
    executable(&messages).context("cargo has built no program")
}

/// Path of the program in cargo's messages, one JSON document a line.
pub(crate) fn executable(messages: &str) -> Option<PathBuf> {
    let documents = messages.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    documents.filter_map(|document| document.get("executable")?.as_str().map(PathBuf::from)).next()
}

impl Program {
    /// The program with the ready-made configuration in this folder; `capture` is the inside of a YAML mapping.
    pub(crate) fn configure(
        path: &Path,
        config: PathBuf,
        source_url: &str,
        history_url: &str,
        capture: &str,
    ) -> Result<Self> {
        let program = Self { path: path.to_owned(), config };
        printed(program.command(&["init"]).arg(&program.config))?;
        let text = format!(
            "{SETTINGS}source:\n  profile: identityiq\n  url: \"{source_url}\"\nhistory:\n  url: \"{history_url}\"\n\
             capture: {{{capture}}}\n"
        );
        fs::write(program.config.join("annals.yaml"), text).context("cannot write annals.yaml")?;
        printed(&mut program.command(&["check"]))?;
        Ok(program)
    }

    /// Makes a generated identity system in an empty database.
    pub(crate) fn make_world(path: &Path, url: &str, identities: u32, seed: u64) -> Result<()> {
        let mut command = Command::new(path);
        command.args(["demo", "source", "--start", START, "--url", url]);
        command.args(["--identities", &identities.to_string(), "--seed", &seed.to_string()]);
        printed(&mut command).map(drop)
    }

    /// Lets one day pass in the identity system of this URL.
    pub(crate) fn pass_day(&self, url: &str) -> Result<()> {
        printed(&mut self.command(&["demo", "days", "--days", "1", "--url", url])).map(drop)
    }

    /// The command that brings the history database up to date, not yet started.
    pub(crate) fn migrate(&self) -> Command {
        self.silent(&["migrate"])
    }

    /// The command that executes the task, not yet started.
    pub(crate) fn run(&self) -> Command {
        self.silent(&["run", "--output", "json"])
    }

    /// Statements that make indexes for the search for what changed, one a line.
    pub(crate) fn source_indexes(&self) -> Result<String> {
        printed(&mut self.command(&["source", "indexes"]))
    }

    /// What the newest run has done.
    pub(crate) fn newest_run(&self) -> Result<Done> {
        let text = printed(&mut self.command(&["runs", "show", "--output", "json"]))?;
        done(&serde_json::from_str(&text).context("`annals runs show` printed no JSON")?)
    }

    /// A command whose data nobody wants.
    fn silent(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null());
        command
    }

    /// A command without a terminal's progress and without what the caller's environment would change.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).arg("--quiet").arg("--config").arg(&self.config);
        command.env_remove("ANNALS_LOG").env_remove("ANNALS_CONFIG").stdin(Stdio::null());
        command
    }
}

/// Sums over all object types out of what `annals runs show` prints.
fn done(run: &Value) -> Result<Done> {
    let objects = run.pointer("/counters/totalObjectMessages").and_then(Value::as_u64);
    let sum = |names: &[&str]| -> u64 {
        let types = run.get("byType").and_then(Value::as_object).into_iter().flatten();
        let counts = types.flat_map(|(_, counts)| names.iter().map(|name| counts.get(*name)));
        counts.filter_map(|count| count.and_then(Value::as_u64)).sum()
    };
    Ok(Done {
        objects: objects.context("the run tells no number of objects")?,
        // What marks an object as deleted is a capture too.
        captures: sum(&["fullCaptures", "patchCaptures", "deleted"]),
        events: sum(&["events"]),
        ..Done::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_runs_totals_are_summed_over_the_types() {
        let run = json!({
            "counters": {"totalObjectMessages": 12, "totalSeenObjects": 11},
            "byType": {
                "identity": {"fullCaptures": 4, "patchCaptures": 2, "unchanged": 1, "events": 9},
                "role": {"fullCaptures": 3, "deleted": 1, "deletions": 1},
            },
        });
        let expected = Done { objects: 12, captures: 10, events: 9, ..Done::default() };
        assert_eq!(done(&run).unwrap(), expected);
        assert!(done(&json!({"byType": {}})).is_err());
    }

    #[test]
    fn the_built_program_is_the_last_executable_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\nnot json\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/somewhere/annals\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/somewhere/annals")));
        assert_eq!(executable("{\"reason\":\"build-finished\"}"), None);
    }
}
