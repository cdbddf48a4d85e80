//! `cargo x bench --queries`: what questions cost on a large history.
//!
//! docs/performance.md says what the figures mean and how the history is made.

mod database;
mod load;
mod multiple;
mod population;
mod service;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::database::Database;
use self::load::{Latencies, Mixed};
use self::service::Service;
use super::grid::number;
use super::program;
use super::server::{Server, printed};
use super::{Options, announce, show};
use crate::root::Root;
use crate::setup;

/// The database on a throw-away server.
const HISTORY: &str = "history";

/// Questions of a kind whose times are taken, one after the other.
const QUESTIONS: u32 = 2_000;

/// Identities that are asked about: those that were there when the two years began (and a month).
const ASKED: &str = "\
select identity_id from spt_hist_identity_capture group by identity_id having min(effective_date) < 1734652800000
 order by md5(identity_id) limit 1000";

/// What is asked for the whole population: who holds the assigned role that most hold, in the middle of the two years.
const HOLDERS: &str = "\
select count(*) from annals_v1_access_as_of('2025-11-20')
 where kind = 'assignedRole' and item_id = (select t.item_id from annals_access_item t
    join annals_access_interval i on i.item = t.id where t.kind = 3 group by t.item_id order by count(*) desc limit 1)";

/// Makes the history, unless it is there, and measures.
pub(super) fn run(root: &Root, options: &Options) -> Result<()> {
    setup::run()?;
    announce("building annals and the questions' stopwatch for release");
    let annals = program::build(root, "release")?;
    let stopwatch = stopwatch(root)?;
    let mut server = None;
    let history = match &options.database {
        Some(url) => Database::named(url),
        None => {
            let own = server.insert(Server::start()?);
            own.make_database(HISTORY, None)?;
            Database::named(&own.url(HISTORY))
        }
    };
    let identities = options.identities.first().copied().unwrap_or_default();
    if !population::is_there(&history)? {
        announce(&format!("making a history of {identities} identities, {} times over", options.repeats));
        population::make(&annals, &history, (identities, options.repeats, options.seed))?;
    }
    if options.make_only {
        return Ok(());
    }
    let found = measure(&annals, &stopwatch, &history)?;
    drop(server);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&found)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Builds the program that takes the times of library calls.
fn stopwatch(root: &Root) -> Result<std::path::PathBuf> {
    let mut cargo = root.cargo();
    cargo.args(["build", "--quiet", "--release", "--package", "annals-questions", "--example", "stopwatch"]);
    cargo.args(["--message-format=json-render-diagnostics"]).stderr(std::process::Stdio::inherit());
    program::executable(&printed(&mut cargo)?).context("cargo has built no stopwatch")
}

fn measure(annals: &Path, stopwatch: &Path, history: &Database) -> Result<Value> {
    let size = population::size(history)?;
    let asked = history.sql(ASKED)?;
    let people: Vec<&str> = asked.lines().collect();
    ensure!(people.len() >= 100, "the history has {} identities to ask about", people.len());
    let mut rows = Vec::new();

    announce("library calls");
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), &asked)?;
    let mut command = std::process::Command::new(stopwatch);
    command.arg(&history.url).arg(file.path()).arg(QUESTIONS.to_string());
    let timed: Value = serde_json::from_str(&printed(&mut command)?)?;
    for (question, taken) in timed.as_object().into_iter().flatten() {
        let us: Vec<u64> = taken["us"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        rows.push(Row {
            question: question.clone(),
            by: "call",
            latencies: Latencies::of(us),
            rows: taken["rows"].as_u64().unwrap_or_default(),
        });
    }
    announce("holders of a role over the whole population, by SQL");
    let mut us = Vec::new();
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        history.sql(HOLDERS)?;
        us.push(u64::try_from(begun.elapsed().as_micros())?);
    }
    let holders = history.sql(HOLDERS)?.trim().parse::<u64>()? * 5;
    rows.push(Row {
        question: "holders of a role on a date".to_owned(),
        by: "SQL view",
        latencies: Latencies::of(us),
        rows: holders,
    });

    announce("REST");
    let service = Service::start(annals, &history.url)?;
    for (question, path) in load::QUESTIONS {
        let (latencies, told) = load::one_by_one(&service, &people, path, QUESTIONS)?;
        rows.push(Row { question: question.to_owned(), by: "REST", latencies, rows: told });
    }
    announce("REST, 500 mixed requests a second");
    let mixed = load::mixed(&service, &people)?;
    let table = table(&rows);
    show(&format!("{size}\n\nQuestions one after the other:"), &table)?;
    show("Mixed reads of single identities over REST:", &mixed.table())?;
    Ok(json!({
        "size": size, "questions": rows.iter().map(Row::json).collect::<Vec<_>>(), "mixed": Mixed::json(&mixed),
    }))
}

/// Figures of a question.
struct Row {
    question: String,
    by: &'static str,
    latencies: Latencies,
    /// In all answers.
    rows: u64,
}

impl Row {
    fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.latencies.total_s()
    }

    fn json(&self) -> Value {
        json!({
            "question": self.question, "by": self.by, "asked": self.latencies.count(),
            "p50Ms": self.latencies.percentile_ms(50), "p95Ms": self.latencies.percentile_ms(95),
            "rowsPerSecond": self.rows_per_second(),
        })
    }
}

fn table(rows: &[Row]) -> String {
    let mut table =
        "| question | by | asked | p50, ms | p95, ms | rows/s |\n|---|---|--:|--:|--:|--:|\n".to_owned();
    for row in rows {
        table += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            row.question,
            row.by,
            number(row.latencies.count() as f64, 0),
            number(row.latencies.percentile_ms(50), 2),
            number(row.latencies.percentile_ms(95), 2),
            number(row.rows_per_second(), 0),
        );
    }
    table
}
