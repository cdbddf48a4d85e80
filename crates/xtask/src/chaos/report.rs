//! What came of it, as a table and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::fault::KINDS;
use super::recovery::{Times, median};
use super::site::Site;
use super::storm::Done;

/// What daemons log when something was refused because somebody else had taken over.
const FENCED: &str = "was taken over";

/// The figures and findings of one run.
pub(super) struct Report {
    seed: u64,
    done: Done,
    healed: Duration,
    times: Times,
    /// What the checker counted.
    counted: Map<String, Value>,
    /// What the writer did.
    written: Map<String, Value>,
    taken_over: usize,
    findings: Vec<String>,
}

impl Report {
    /// Puts together what the parts have told.
    #[expect(clippy::too_many_arguments, reason = "each part of the run tells one thing")]
    pub(super) fn new(
        seed: u64,
        done: Done,
        healed: Duration,
        times: Times,
        counted: &str,
        written: &str,
        site: &Site,
        findings: Vec<String>,
    ) -> Result<Self> {
        let mut taken_over = 0;
        for host in &site.hosts {
            taken_over += host.said()?.lines().filter(|line| line.contains(FENCED)).count();
        }
        Ok(Self {
            seed,
            done,
            healed,
            times,
            counted: serde_json::from_str(counted).context("the checker's figures are no JSON")?,
            written: serde_json::from_str(written).context("the writer's figures are no JSON")?,
            taken_over,
            findings,
        })
    }

    /// What is wrong.
    pub(super) fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Faults by kind.
    fn faults(&self) -> Vec<(&'static str, u64)> {
        KINDS
            .iter()
            .map(|(kind, name, _)| (*name, self.done.faults.get(kind).copied().unwrap_or(0)))
            .collect()
    }

    /// All of it, for records.
    pub(super) fn json(&self, commit: Option<String>, replay: String) -> Value {
        json!({
            "seed": self.seed,
            "commit": commit.map(|commit| commit.trim().to_owned()),
            "command": replay,
            "faults": self.faults().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "faultsInAll": self.done.faults_in_all(),
            "runsByHand": self.done.runs_by_hand,
            "daemonsThatEndedByThemselves": self.done.gave_up,
            "leasesFoundTakenOver": self.taken_over,
            "secondsToHeal": self.healed.as_secs_f64(),
            "recovery": self.times.json(),
            "source": self.written,
            "checked": self.counted,
            "findings": self.findings,
        })
    }

    /// All of it, for people.
    pub(super) fn table(&self) -> String {
        let mut text = format!("\nseed {}, {} faults\n", self.seed, self.done.faults_in_all());
        let mut line = |what: &str, figure: String| {
            // Writing to a string cannot fail.
            writeln!(text, "  {what:<56}{figure:>10}").unwrap_or_default();
        };
        for (name, count) in self.faults() {
            line(name, count.to_string());
        }
        line("runs and other acts by hand", self.done.runs_by_hand.to_string());
        line("daemons that ended by themselves, and were started again", self.done.gave_up.to_string());
        line("leases found taken over by another host", self.taken_over.to_string());
        for (what, figure) in &self.written {
            line(&format!("source transactions: {what}"), figure.to_string());
        }
        for (what, figure) in &self.counted {
            line(what, figure.to_string());
        }
        line("from the end of the faults until all is well", format!("{:.1} s", self.healed.as_secs_f64()));
        for (what, times, _) in self.times.all() {
            let shown = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
            line(&format!("{what}, median"), shown(median(times)));
            line(&format!("{what}, longest"), shown(times.iter().max().copied()));
        }
        line("findings", self.findings.len().to_string());
        text
    }
}
