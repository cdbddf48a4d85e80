//! `cargo x bench`: the main job beside its own floor, all in one run on one throw-away server.
//!
//! docs/performance.md says what the figures mean.

mod beside;
mod documents;
mod figures;
mod floor;
mod grid;
mod history;
mod inserts;
mod meter;
mod nights;
mod peaks;
mod processes;
pub(crate) mod program;
mod queries;
mod report;
pub(crate) mod server;
mod spread;
mod taking;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::builder::ArgPredicate;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) use self::program::build;
pub(crate) use self::server::printed;

use self::figures::Step;
use self::history::HistoryEngine;
use self::program::Program;
use self::report::{Report, settings_line};
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

/// Size of the identity system: tables with rows, rows, bytes without indexes.
const WORLD_SIZE: &str = "\
select count(*) filter (where reltuples > 0), sum(greatest(reltuples, 0))::bigint, sum(pg_table_size(oid))::bigint
  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname like 'spt\\_%'";

/// How documents can be stored, the one first that others are compared with.
const FORMATS: [&str; 4] = ["ZIPPED", "COMPACT", "MINIFIED", "PRETTY"];

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Identities of the generated identity system; of several sizes each is measured in turn.
    #[arg(
        long,
        default_value = "20000",
        default_value_if("queries", ArgPredicate::IsPresent, "100000"),
        value_name = "N,...",
        value_delimiter = ','
    )]
    identities: Vec<u32>,
    /// The same seed makes the same identity system.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Where history is kept.
    #[arg(long, value_enum, default_value_t = HistoryEngine::Postgres)]
    history: HistoryEngine,
    /// How documents are stored: ZIPPED where nothing else is said, with --nights each format there is.
    #[arg(long, value_name = "FORMAT,...", value_delimiter = ',', value_parser = FORMATS)]
    format: Vec<String>,
    /// How often everything is measured; with several runs medians and their spread are shown.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Instead of steps and floors: what is stored after an initial run and so many changed nights with patches, in
    /// each format.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["history", "runs"])]
    nights: Option<u32>,
    /// Another build of annals, of another revision say: each of its runs is taken next to one of this program's, and the
    /// costs are compared.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nights", "source_indexes"])]
    beside: Option<PathBuf>,
    /// Give the identity system the indexes of `annals source indexes`.
    #[arg(long)]
    source_indexes: bool,
    /// Instead of steps and floors: what questions cost on a history of two years, made by multiplying a small one.
    #[arg(long, conflicts_with_all = ["nights", "beside", "source_indexes", "history", "keep"])]
    queries: bool,
    /// PostgreSQL database of the history that is asked: one that --queries has made before, or an empty one. Else a
    /// throw-away server is started.
    #[arg(long, requires = "queries", value_name = "URL")]
    database: Option<String>,
    /// So many times the captures, events and intervals of each identity, in the same two years.
    #[arg(long, requires = "queries", default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20))]
    repeats: u32,
    /// Make the history and measure nothing.
    #[arg(long, requires = "database")]
    make_only: bool,
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
    if options.queries {
        return queries::run(root, options);
    }
    setup::run()?;
    announce("building annals as it is released");
    let annals = program::build(root, "dist")?;
    let bench = Bench {
        options,
        interrupts: Interrupts::watch()?,
        annals,
        server: Server::start()?,
        folder: TempDir::with_prefix("annals-bench-").context("cannot make a folder for the benchmark")?,
    };
    let settings = bench.server.settings()?;
    eprintln!("    PostgreSQL: {}", settings_line(&settings));
    let mut about = bench.about()?;
    about.insert("server".to_owned(), json!(settings));
    about.append(&mut match options.nights {
        None => bench.all_steps()?,
        Some(nights) => bench.all_nights(nights)?,
    });
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&about)?;
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
            "seed": self.options.seed,
        });
        about.as_object().cloned().context("what was measured is an object")
    }

    /// Measures the steps of a run in each size and format and shows the figures of each.
    fn all_steps(&self) -> Result<Map<String, Value>> {
        let mut cases = Vec::new();
        let mut grids = Vec::new();
        for &identities in &self.options.identities {
            let source = self.make_world(identities)?;
            for format in self.formats(&FORMATS[..1]) {
                let (mut runs, mut others) = (Vec::new(), Vec::new());
                for number in 1..=self.options.runs {
                    announce(&format!("{format}, run {number} of {}", self.options.runs));
                    runs.push(self.take(&self.annals, format)?);
                    if let Some(other) = &self.options.beside {
                        announce(&format!(
                            "{format}, run {number} of {}, {}",
                            self.options.runs,
                            other.display()
                        ));
                        others.push(self.take(other, format)?);
                    }
                }
                let about = json!({ "identities": identities, "format": format, "source": source });
                let about = about.as_object().cloned().unwrap_or_default();
                let report = Report { about, initial: INITIAL, runs };
                show(
                    &format!("{} identities, {format}:", grid::number(identities.into(), 0)),
                    &report.tables(),
                )?;
                let mut case = report.json();
                if self.options.beside.is_some() {
                    let compared = beside::compare(&report.runs, &others);
                    show("Beside the other program:", &compared.table())?;
                    case["beside"] = Value::Array(compared.json("step"));
                }
                cases.push(case);
                grids.push((format, identities, report.grid()));
            }
        }
        let peaks = peaks::compare(&grids);
        if !peaks.is_empty() {
            show("Peak memory by size:", &peaks::table(&peaks))?;
        }
        let found = json!({
            "history": self.options.history, "runs": self.options.runs, "cases": cases, "peakMemory": peaks,
        });
        Ok(found.as_object().cloned().unwrap_or_default())
    }

    /// The formats that were asked for, or else these.
    fn formats<'f>(&'f self, otherwise: &[&'f str]) -> Vec<&'f str> {
        if self.options.format.is_empty() {
            otherwise.to_vec()
        } else {
            self.options.format.iter().map(String::as_str).collect()
        }
    }

    /// Makes the identity system that each run gets a copy of; how large it is.
    fn make_world(&self, identities: u32) -> Result<Value> {
        announce(&format!("making an identity system of {identities} identities"));
        self.server.make_database(WORLD, None)?;
        let url = self.server.url(WORLD);
        Program::make_world(&self.annals, &url, identities, self.options.seed)?;
        // As an identity system is that has been there for a while.
        self.server.sql(WORLD, "vacuum (analyze)")?;
        let size = self.server.sql(WORLD, WORLD_SIZE)?;
        let numbers: Vec<i64> = size.trim().split('\t').filter_map(|column| column.parse().ok()).collect();
        let [tables, rows, bytes] = numbers[..] else { bail!("the identity system has no size: {size}") };
        eprintln!("    {rows} rows in {tables} tables, {} MiB without indexes", bytes / (1024 * 1024));
        Ok(json!({ "tables": tables, "rows": rows, "tableBytes": bytes }))
    }

    /// Where the run that is under way, or was the last one, has its files.
    fn site_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn config_folder(&self) -> PathBuf {
        self.site_folder().join("config")
    }

    /// Keeps the server up until a signal comes.
    fn keep(&self) {
        let config = self.config_folder();
        eprintln!("\nthe server is up until Ctrl-C; the last run's databases:");
        eprintln!("  source   {}", self.server.url(SOURCE));
        if self.options.history == HistoryEngine::Postgres {
            eprintln!("  history  {}", self.server.url(HISTORY));
        }
        eprintln!("  {} --config {} runs list", self.annals.display(), config.display());
        self.interrupts.wait();
    }
}

/// Prints a table for people under a heading.
fn show(heading: &str, table: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{heading}\n\n{table}").context("cannot print")
}

/// Says what is done now.
fn announce(what: &str) {
    eprintln!("==> {what}");
}

/// Says how long a step took.
fn tell(step: &Step) {
    eprintln!("    {}: {:.2} s", step.name, step.cost.usage.wall.as_secs_f64());
}
