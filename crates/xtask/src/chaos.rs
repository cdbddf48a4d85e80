//! `cargo x chaos`: several daemons on one history database while everything around them fails, and an independent
//! checker afterwards.
//!
//! docs/reliability.md says what is promised and what was found.

mod dice;
mod fault;
mod host;
mod proxy;
mod recovery;
mod report;
mod site;
mod storm;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use self::host::Helper;
use self::report::Report;
use self::site::{SECRET_HASH_KEY, Server, Site};
use self::storm::{Extent, Storm};
use crate::bench;
use crate::interrupt::Interrupts;
use crate::root::Root;
use crate::setup;

/// How long a daemon may take to stop: what it promises, and as much again on a busy machine.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long writers may take to give up the transactions that they hold.
const WRITERS_STOP_WITHIN: Duration = Duration::from_secs(60);

/// How often recovery is measured, in a run of minutes and in a long one.
const TRIALS: (u32, u32) = (2, 9);

/// From how many minutes on a run is a long one.
const LONG_MINUTES: u64 = 15;

/// How long it goes on, and with what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How long faults come down [default: 4, with --faults as long as these take, but no more than 60].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: Option<u64>,
    /// End after so many faults; it is a finding if they have not come down in time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    faults: Option<u64>,
    /// Decides on the faults and their order, and on what changes in the source [default: a new one].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Mean time between two faults, in milliseconds.
    #[arg(long, default_value_t = 900, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=600_000))]
    every_ms: u64,
    /// Identities in the source.
    #[arg(long, default_value_t = 150, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=100_000))]
    identities: u32,
    /// The program to torment, instead of building it.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Also write the figures into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep logs and configuration where all is well, too.
    #[arg(long)]
    keep: bool,
}

impl Options {
    /// What every run of all tests goes through.
    pub(crate) fn share_of_tests() -> Self {
        Self {
            minutes: None,
            faults: Some(150),
            seed: Some(4),
            every_ms: 700,
            identities: 150,
            binary: None,
            report: None,
            keep: false,
        }
    }

    fn minutes_max(&self) -> u64 {
        self.minutes.unwrap_or(if self.faults.is_some() { 60 } else { 4 })
    }

    /// The command that does the same again.
    fn replay(&self, seed: u64) -> String {
        let minutes = self.minutes.map_or_else(String::new, |minutes| format!(" --minutes {minutes}"));
        let faults = self.faults.map_or_else(String::new, |faults| format!(" --faults {faults}"));
        let binary =
            self.binary.as_ref().map_or_else(String::new, |path| format!(" --binary {}", path.display()));
        format!(
            "cargo x chaos{minutes}{faults} --seed {seed} --every-ms {} --identities {}{binary}",
            self.every_ms, self.identities
        )
    }
}

/// Lets chaos loose, and says what came of it.
pub(crate) fn run(root: &Root, options: &Options) -> Result<()> {
    setup::run()?;
    let interrupts = Interrupts::watch()?;
    let program = match &options.binary {
        Some(path) => path.canonicalize().with_context(|| format!("there is no {}", path.display()))?,
        None => bench::build(root, "dev")?,
    };
    let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32);
    let folder = TempDir::with_prefix("annals-chaos-").context("cannot make a folder")?;
    eprintln!("chaos with seed {seed}: {}", options.replay(seed));
    let mut git = Command::new("git");
    // A checkout without git has no commit to tell.
    let commit = bench::printed(git.current_dir(root.folder()).args(["rev-parse", "HEAD"])).ok();
    let mut site = Site::make(root, &program, folder.path(), options.identities, seed)?;
    let tried = torment(root, options, &mut site, seed, &interrupts);
    if interrupts.noted().is_some() {
        return tried.map(drop);
    }
    let failed = match &tried {
        Ok(report) => {
            let figures = report.json(commit, options.replay(seed));
            if let Some(path) = &options.report {
                fs::write(path, format!("{figures:#}\n")).context("cannot write the report")?;
            }
            eprintln!("{}", report.table());
            report.findings().to_owned()
        }
        Err(error) => vec![format!("{error:#}")],
    };
    if failed.is_empty() && !options.keep {
        return Ok(());
    }
    site.dump()?;
    drop(site);
    eprintln!("databases, logs, changes, samples and findings are in {}", folder.keep().display());
    if failed.is_empty() {
        return Ok(());
    }
    for finding in failed.iter().take(40) {
        eprintln!("  {finding}");
    }
    bail!("{} findings with seed {seed}. Once more: {}", failed.len(), options.replay(seed))
}

/// All of it, from an empty history to the checker's word.
fn torment(
    root: &Root,
    options: &Options,
    site: &mut Site,
    seed: u64,
    interrupts: &Interrupts,
) -> Result<Report> {
    let (commits, samples) = (site.file("commits.jsonl"), site.file("samples.jsonl"));
    let mut writing = site.python(root, "writer.py");
    writing.args(["write", &site.url(Server::Source), &seed.to_string()]).arg(&commits);
    let mut writer = Helper::start("writer", writing, &site.file("writer.log"))?;
    let mut watching = site.python(root, "watch.py");
    watching.arg(site.url(Server::History)).arg(&samples);
    let mut watch = Helper::start("watch", watching, &site.file("watch.log"))?;
    for host in &mut site.hosts {
        host.start()?;
    }
    let extent = Extent {
        lasts: Duration::from_secs(options.minutes_max() * 60),
        faults: options.faults.unwrap_or(u64::MAX),
        mean_pause_ms: options.every_ms,
    };
    let done = Storm::new(site, seed)?.rage(extent, interrupts)?;
    eprintln!("{} faults came down; now it has to heal", done.faults_in_all());
    writer.check()?;
    watch.check()?;
    writer.stop(WRITERS_STOP_WITHIN)?;
    let healed = recovery::heal(site, interrupts)?;
    eprintln!("healed in {:.1} s; now recovery is measured", healed.as_secs_f64());
    watch.stop(STOP_WITHIN)?;
    let is_long = options.faults.is_none() && options.minutes_max() >= LONG_MINUTES;
    let trials = if is_long { TRIALS.1 } else { TRIALS.0 };
    let times = recovery::measure(site, trials, interrupts)?;
    let mut findings = recovery::stop_hosts(site, STOP_WITHIN)?;
    findings.extend(times.too_long());
    if let Some(wanted) = options.faults.filter(|wanted| done.faults_in_all() < *wanted) {
        findings.push(format!("{} faults came down, {wanted} were to", done.faults_in_all()));
    }
    for host in &site.hosts {
        let said = host.said()?;
        let panics = said.lines().filter(|line| line.contains("panicked"));
        findings.extend(panics.map(|line| format!("{}: {line}", host.name)));
    }
    eprintln!("now history is checked, and the checker tried");
    let summary = site.file("summary.json");
    for command in ["check", "teeth"] {
        let mut checking = site.python(root, "check.py");
        checking.args([command, &site.url(Server::Source), &site.url(Server::History)]);
        checking.arg(&commits).arg(&samples).arg(SECRET_HASH_KEY).arg(&summary);
        let out = checking.stderr(Stdio::inherit()).output().context("cannot start the checker")?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        fs::write(site.file(&format!("{command}.log")), &said).context("cannot write the findings")?;
        if !out.status.success() {
            findings.extend(said.lines().filter(|line| !line.contains(": found,")).map(str::to_owned));
            break;
        }
    }
    let counted = fs::read_to_string(&summary).context("the checker wrote no figures")?;
    let written = fs::read_to_string(site.file("writer.log")).context("the writer wrote no figures")?;
    Report::new(seed, done, healed, times, &counted, &written, site, findings)
}
