//! `cargo x bench`: the main job beside its own floor, all in one run on one throw-away server.
//!
//! docs/performance.md says what the figures mean.

mod figures;
mod floor;
mod history;
mod meter;
mod processes;
mod program;
mod report;
mod server;
mod spread;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use self::figures::{Cost, Done, Step};
use self::history::{History, HistoryEngine, TableSize};
use self::meter::{Running, Usage};
use self::processes::machine_cpu;
use self::program::Program;
use self::report::{Report, Taken, settings_line};
use self::server::Server;
use crate::interrupt::Interrupts;
use crate::root::Root;
use crate::setup;

/// Databases on the server: the identity system as it was made, the one that days pass in, the floor's, history.
const WORLD: &str = "world";
const SOURCE: &str = "source";
const COPIED: &str = "copied";
const HISTORY: &str = "history";

/// The step that nights are compared with.
const INITIAL: &str = "initial run";

/// The end of the last day that has passed in the identity system, in epoch milliseconds.
const WORLD_NOW: &str = "\
select (value::json->>'startMs')::bigint + (value::json->>'day')::bigint * 86400000 from annals_world";

/// Size of the identity system: tables with rows, rows, bytes without indexes.
const WORLD_SIZE: &str = "\
select count(*) filter (where reltuples > 0), sum(greatest(reltuples, 0))::bigint, sum(pg_table_size(oid))::bigint
  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname like 'spt\\_%'";

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Identities of the generated identity system.
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    identities: u32,
    /// The same seed makes the same identity system.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Where history is kept.
    #[arg(long, value_enum, default_value_t = HistoryEngine::Postgres)]
    history: HistoryEngine,
    /// How documents are stored.
    #[arg(long, default_value = "ZIPPED", value_name = "FORMAT", value_parser = ["ZIPPED", "COMPACT", "MINIFIED", "PRETTY"])]
    format: String,
    /// How often everything is measured; with several runs medians and their spread are shown.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Write all figures to this file as well, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep the server up until Ctrl-C and say how to look into the databases.
    #[arg(long)]
    keep: bool,
}

/// What every run is made with.
struct Bench<'b> {
    options: &'b Options,
    interrupts: Interrupts,
    annals: PathBuf,
    server: Server,
    folder: TempDir,
}

/// Builds the program, makes an identity system, measures, tells.
pub(crate) fn run(root: &Root, options: &Options) -> Result<()> {
    setup::run()?;
    announce("building annals as it is released");
    let annals = program::build(root)?;
    let bench = Bench {
        options,
        interrupts: Interrupts::watch()?,
        annals,
        server: Server::start()?,
        folder: TempDir::with_prefix("annals-bench-").context("cannot make a folder for the benchmark")?,
    };
    let settings = bench.server.settings()?;
    eprintln!("    PostgreSQL: {}", settings_line(&settings));
    announce(&format!("making an identity system of {} identities", options.identities));
    let world = bench.make_world()?;
    let mut about = bench.about()?;
    about.insert("server".to_owned(), json!(settings));
    about.insert("source".to_owned(), world);
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        announce(&format!("run {number} of {}", options.runs));
        runs.push(bench.take(number)?);
    }
    let report = Report { about, initial: INITIAL, runs };
    writeln!(std::io::stdout().lock(), "{}", report.tables())?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    if options.keep {
        bench.keep();
    }
    Ok(())
}

impl Bench<'_> {
    /// What was measured and on what.
    fn about(&self) -> Result<Map<String, Value>> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let about = json!({
            "date": self.server.date()?,
            "cores": cores,
            "identities": self.options.identities,
            "seed": self.options.seed,
            "history": self.options.history,
            "format": self.options.format,
            "runs": self.options.runs,
        });
        about.as_object().cloned().context("what was measured is an object")
    }

    /// Makes the identity system that each run gets a copy of; how large it is.
    fn make_world(&self) -> Result<Value> {
        self.server.make_database(WORLD, None)?;
        let url = self.server.url(WORLD);
        Program::make_world(&self.annals, &url, self.options.identities, self.options.seed)?;
        // As an identity system is that has been there for a while.
        self.server.sql(WORLD, "vacuum (analyze)")?;
        let size = self.server.sql(WORLD, WORLD_SIZE)?;
        let numbers: Vec<i64> = size.trim().split('\t').filter_map(|column| column.parse().ok()).collect();
        let [tables, rows, bytes] = numbers[..] else { bail!("the identity system has no size: {size}") };
        eprintln!("    {rows} rows in {tables} tables, {} MiB without indexes", bytes / (1024 * 1024));
        Ok(json!({ "tables": tables, "rows": rows, "tableBytes": bytes }))
    }

    /// One run through all steps, on fresh databases.
    fn take(&self, number: u32) -> Result<Taken> {
        let server = &self.server;
        server.make_database(SOURCE, Some(WORLD))?;
        let floor = self.floor()?;
        let history = self.make_history(number)?;
        let folder = self.config_folder(number);
        let (source_url, history_url) = (server.url(SOURCE), history.url(server));
        let format = &self.options.format;
        let program = Program::configure(&self.annals, folder, &source_url, &history_url, format)?;

        let migrate = self.step("migrate", &history, &mut program.migrate())?;
        let initial = self.night(INITIAL, &program, &history)?;
        program.pass_day(&source_url)?;
        let changed = self.night("night, 1 % changed", &program, &history)?;
        ensure!(changed.done.captures > 0, "the night after a day has found no change");
        let quiet = self.night("night, no change", &program, &history)?;
        ensure!(quiet.done.objects == 0, "the night after no day has found {} objects", quiet.done.objects);

        // The floor copies what the initial run reads, so its cost is shared among the same objects.
        let copied = Done { objects: initial.done.objects, ..Done::default() };
        let steps = vec![Step { done: copied, ..floor }, migrate, initial, changed, quiet];
        Ok(Taken { steps, sizes: history.sizes(server)? })
    }

    /// Copies the source's rows into another database.
    fn floor(&self) -> Result<Step> {
        floor::prepare(&self.server, &self.interrupts, SOURCE, COPIED)?;
        let tables = floor::tables(&self.server, SOURCE)?;
        let copy = || floor::copy(&self.server, &self.interrupts, &tables, SOURCE, COPIED);
        let step = Step { name: "floor: COPY", cost: self.measure(copy)?, done: Done::default() };
        self.server.sql("postgres", &format!("drop database {COPIED}"))?;
        tell(&step);
        Ok(step)
    }

    /// An empty database for history.
    fn make_history(&self, number: u32) -> Result<History> {
        match self.options.history {
            HistoryEngine::Postgres => {
                self.server.make_database(HISTORY, None)?;
                Ok(History::Postgres(HISTORY))
            }
            HistoryEngine::Sqlite => {
                Ok(History::Sqlite(self.folder.path().join(format!("history-{number}.db"))))
            }
        }
    }

    fn config_folder(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("run-{number}"))
    }

    /// Executes the task and then says that the source has been read to the end of its last day.
    fn night(&self, name: &'static str, program: &Program, history: &History) -> Result<Step> {
        let mut step = self.step(name, history, &mut program.run())?;
        let Done { objects, captures, events, .. } = program.newest_run()?;
        step.done = Done { objects, captures, events, ..step.done };
        let now_ms = self.server.sql(SOURCE, WORLD_NOW)?.trim().parse();
        history.put_named_timestamp(&self.server, now_ms.context("the identity system has no day")?)?;
        Ok(step)
    }

    /// Runs a program that writes to history; by how much its tables grew.
    fn step(&self, name: &'static str, history: &History, command: &mut Command) -> Result<Step> {
        history.settle(&self.server)?;
        let before = history.sizes(&self.server)?;
        let mut cost = self.measure(|| Running::start(command)?.end(&self.interrupts))?;
        if matches!(history, History::Sqlite(_)) {
            cost.wal_bytes = None;
        }
        let after = history.sizes(&self.server)?;
        let grown = |of: fn(&TableSize) -> u64| {
            let sum = |sizes: &[TableSize]| sizes.iter().map(of).sum::<u64>();
            sum(&after).saturating_sub(sum(&before))
        };
        let (table_bytes, index_bytes) = (grown(|size| size.table_bytes), grown(|size| size.index_bytes));
        let step = Step { name, cost, done: Done { table_bytes, index_bytes, ..Done::default() } };
        tell(&step);
        Ok(step)
    }

    /// What an action costs: its own programs, the server, and what else the machine did meanwhile.
    fn measure(&self, action: impl FnOnce() -> Result<Usage>) -> Result<Cost> {
        self.server.settle()?;
        let wal = self.server.wal_position()?;
        self.server.wait_for_clients()?;
        let (server_before, machine_before) = (self.server.cpu()?, machine_cpu()?);
        let usage = action()?;
        self.server.wait_for_clients()?;
        let server_cpu = self.server.cpu()?.saturating_sub(server_before);
        let all_cpu = machine_cpu()?.saturating_sub(machine_before);
        let other_cpu = all_cpu.saturating_sub(usage.cpu + server_cpu);
        Ok(Cost { usage, server_cpu, other_cpu, wal_bytes: Some(self.server.wal_bytes_since(&wal)?) })
    }

    /// Keeps the server up until a signal comes.
    fn keep(&self) {
        let config = self.config_folder(self.options.runs);
        eprintln!("\nthe server is up until Ctrl-C; the last run's databases:");
        eprintln!("  source   {}", self.server.url(SOURCE));
        if self.options.history == HistoryEngine::Postgres {
            eprintln!("  history  {}", self.server.url(HISTORY));
        }
        eprintln!("  {} --config {} runs list", self.annals.display(), config.display());
        self.interrupts.wait();
    }
}

/// Says what is done now.
fn announce(what: &str) {
    eprintln!("==> {what}");
}

/// Says how long a step took.
fn tell(step: &Step) {
    eprintln!("    {}: {:.2} s", step.name, step.cost.usage.wall.as_secs_f64());
}
