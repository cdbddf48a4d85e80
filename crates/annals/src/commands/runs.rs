//! `annals runs`.

use annals_config::Config;
use annals_model::TaskStatus;
use annals_runs::{Run, attributes, driver, failures, remedy, run};
use annals_sql::Tx;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::clean_up;
use crate::cli::Global;
use crate::context::{open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, print_json, say};
use crate::times;

/// Lines of attribute statistics and of failures that the table form shows.
const LINES_MAX: usize = 40;

pub(crate) async fn list(
    global: &Global,
    config: &Config,
    task: Option<&str>,
    limit: u32,
    before: Option<i64>,
) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let mut found = run::list(&mut tx, task, before, limit.saturating_add(1)).await?;
    let mut listing = Listing::new(&[
        "run",
        "task",
        "trigger",
        "state",
        "status",
        "result",
        "started",
        "seconds",
        "qualified",
        "published",
        "failed",
    ]);
    if found.len() > limit as usize {
        found.truncate(limit as usize);
        listing.cut = found.last().map(|run| format!("There are more: --before {}", run.id));
    }
    for run in &found {
        let counters = &run.counters;
        listing.push(vec![
            json!(run.id),
            json!(run.task),
            json!(run.trigger),
            json!(run.state.as_str()),
            json!(run.status.map(TaskStatus::as_str)),
            json!(run.result),
            json!(times::show(run.started_ms, &zone)),
            seconds(run),
            json!(counters.total_object_messages),
            json!(counters.total_extracted_objects_published),
            json!(counters.total_extracted_objects_failed + counters.total_publishing_fails),
        ]);
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

pub(crate) async fn show(global: &Global, config: &Config, run_id: Option<i64>) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    let run = known_run(&mut tx, run_id).await?;
    let made_good_by =
        if remedy::has_failed(&run) { remedy::made_good_by(&mut tx, &run).await? } else { None };
    let details = Details {
        messages: run::messages(&mut tx, run.id).await?,
        attributes: attributes::of_run(&mut tx, run.id).await?,
        failures: failures::of_run(&mut tx, run.id).await?,
        made_good_by,
        what_to_do: what_to_do(&mut tx, &run).await?,
        run,
    };
    match global.output {
        Format::Table => details.print(&zone)?,
        Format::Json => print_json(&details.json(&zone))?,
        Format::Csv => details.flat(&zone).print(Format::Csv)?,
    }
    Ok(Exit::Ok)
}

/// Removes what runs left that ended long ago.
pub(crate) async fn clean_up(global: &Global, config: &Config, days: Option<u32>) -> Result<Exit, Failure> {
    let Some(days) = days.or(config.service.run_details_days) else {
        return Err(Failure::usage(
            "retention.runDetailsDays is 0, so that nothing is ever removed",
            "Say how old runs must be: `annals runs clean-up --days 90`.",
        ));
    };
    let history = open_history(config).await?;
    let runs = clean_up::now(&history, 0, days).await?.unwrap_or_default();
    if global.output == Format::Json {
        print_json(&json!({ "days": days, "runs": runs }))?;
    } else if !global.quiet {
        say(format_args!(
            "The partitions of {runs} runs that ended {days} days ago or earlier were removed."
        ))?;
    }
    Ok(Exit::Ok)
}

/// A run by its number, or the newest.
pub(crate) async fn known_run(tx: &mut Tx, run_id: Option<i64>) -> Result<Run, Failure> {
    let Some(run_id) = run_id else {
        let newest = run::list(tx, None, None, 1).await?.pop();
        return newest.ok_or_else(|| Failure::not_found("a run", "Execute a task: `annals run`."));
    };
    run::get(tx, run_id).await.map_err(|error| match error {
        annals_runs::Error::NotFound(what) => {
            Failure::not_found(what, "`annals runs list` shows the runs there are.")
        }
        other => other.into(),
    })
}

/// What to do about a run, if anything.
pub(crate) async fn what_to_do(tx: &mut Tx, run: &Run) -> Result<Option<String>, Failure> {
    let standing = driver::standing(tx, run.id).await?;
    let made_good_by = remedy::made_good_by(tx, run).await?;
    Ok(remedy::advice(run, standing, made_good_by))
}

struct Details {
    run: Run,
    made_good_by: Option<i64>,
    what_to_do: Option<String>,
    messages: Vec<annals_runs::RunMessage>,
    attributes: Vec<(annals_model::ObjectType, String, u64)>,
    failures: Vec<annals_model::ObjectFailure>,
}

impl Details {
    fn head(&self, zone: &TimeZone) -> Listing {
        let run = &self.run;
        let shown = |ms: Option<i64>| ms.map_or(Value::Null, |ms| json!(times::show(ms, zone)));
        let mut listing = Listing::new(&["field", "value"]);
        for (field, value) in [
            ("run", json!(run.id)),
            ("task", json!(run.task)),
            ("trigger", json!(run.trigger)),
            ("host", json!(run.host)),
            ("configurationVersion", json!(run.config_version)),
            ("state", json!(run.state.as_str())),
            ("status", json!(run.status.map(TaskStatus::as_str))),
            ("result", json!(run.result)),
            ("started", shown(Some(run.started_ms))),
            ("ended", shown(run.ended_ms)),
            ("seconds", seconds(run)),
            ("since", shown(run.since_ms)),
            ("horizon", shown(Some(run.horizon_ms))),
            ("follows", json!(run.follows)),
            ("madeGoodBy", json!(self.made_good_by)),
            ("whatToDo", json!(self.what_to_do)),
        ] {
            listing.push(vec![json!(field), value]);
        }
        listing
    }

    fn results(&self) -> Listing {
        let mut listing = Listing::new(&["result", "variable", "value"]);
        for shown in self.run.counters.shown() {
            listing.push(vec![json!(shown.label), json!(shown.variable), json!(shown.value)]);
        }
        listing
    }

    fn totals(&self) -> Listing {
        const COUNTS: [(&str, &str); 11] = [
            ("qualified by change", "qualifiedByChange"),
            ("by re-attempt", "qualifiedByReattempt"),
            ("deletions", "deletions"),
            ("full captures", "fullCaptures"),
            ("patch captures", "patchCaptures"),
            ("unchanged", "unchanged"),
            ("duplicates", "duplicates"),
            ("deleted", "deleted"),
            ("events", "events"),
            ("out of sequence", "late"),
            ("dead", "dead"),
        ];
        let mut columns = vec!["object type"];
        columns.extend(COUNTS.map(|(column, _)| column));
        let mut listing = Listing::new(&columns);
        for (object_type, counts) in self.run.by_type.iter().filter_map(Value::as_object).flatten() {
            let mut row = vec![json!(object_type)];
            row.extend(COUNTS.map(|(_, name)| counts.get(name).cloned().unwrap_or(json!(0))));
            listing.push(row);
        }
        listing
    }

    fn statistics(&self) -> Listing {
        let mut listing = Listing::new(&["object type", "attribute", "objects changed"]);
        for (object_type, attribute, changed) in &self.attributes {
            listing.push(vec![json!(object_type.as_str()), json!(attribute), json!(changed)]);
        }
        listing
    }

    fn failed(&self) -> Listing {
        let mut listing = Listing::new(&["object type", "object id", "stage", "error"]);
        for failure in &self.failures {
            listing.push(vec![
                json!(failure.object_type.as_str()),
                json!(failure.object_id),
                json!(failure.stage.as_str()),
                json!(failure.error),
            ]);
        }
        listing
    }

    fn print(&self, zone: &TimeZone) -> Result<(), Failure> {
        self.head(zone).print(Format::Table)?;
        section("Results", self.results())?;
        section("Totals by object type", self.totals())?;
        section("Attribute statistics", cut(self.statistics()))?;
        section("Failed objects", cut(self.failed()))?;
        if !self.messages.is_empty() {
            say(format_args!("\nMessages"))?;
            for message in &self.messages {
                say(format_args!("{}: {}", message.status.as_str(), message.text))?;
            }
        }
        Ok(())
    }

    /// Everything in rows of one kind.
    fn flat(&self, zone: &TimeZone) -> Listing {
        let mut flat = Listing::new(&["section", "name", "value"]);
        for row in self.head(zone).rows {
            flat.push([vec![json!("run")], row].concat());
        }
        for shown in self.run.counters.shown() {
            flat.push(vec![json!("results"), json!(shown.variable), json!(shown.value)]);
        }
        let totals = self.totals();
        for row in &totals.rows {
            let section = json!(format!("totals of {}", row[0].as_str().unwrap_or_default()));
            for (column, count) in totals.columns.iter().zip(row).skip(1) {
                flat.push(vec![section.clone(), json!(column), count.clone()]);
            }
        }
        for (object_type, attribute, changed) in &self.attributes {
            flat.push(vec![
                json!("objects changed"),
                json!(format!("{object_type} {attribute}")),
                json!(changed),
            ]);
        }
        for failure in &self.failures {
            let name = format!("{} {}", failure.object_type, failure.object_id);
            let value = format!("{}: {}", failure.stage.as_str(), failure.error);
            flat.push(vec![json!("failed objects"), json!(name), json!(value)]);
        }
        for message in &self.messages {
            flat.push(vec![json!("messages"), json!(message.status.as_str()), json!(message.text)]);
        }
        flat
    }

    fn json(&self, zone: &TimeZone) -> Value {
        let head: serde_json::Map<String, Value> = self
            .head(zone)
            .rows
            .into_iter()
            .filter_map(|mut row| {
                let value = row.pop()?;
                Some((row.pop()?.as_str()?.to_owned(), value))
            })
            .collect();
        let items = |listing: Listing| listing.json()["items"].clone();
        json!({
            "run": head,
            "counters": self.run.counters,
            "results": items(self.results()),
            "byType": self.run.by_type,
            "attributeStatistics": items(self.statistics()),
            "failures": items(self.failed()),
            "messages": self.messages.iter().map(|m| json!({"status": m.status.as_str(), "text": m.text})).collect::<Vec<_>>(),
        })
    }
}

fn cut(mut listing: Listing) -> Listing {
    if listing.rows.len() > LINES_MAX {
        listing.cut =
            Some(format!("{} of {} lines; all of them with --output json", LINES_MAX, listing.rows.len()));
        listing.rows.truncate(LINES_MAX);
    }
    listing
}

fn section(title: &str, listing: Listing) -> Result<(), Failure> {
    if !listing.rows.is_empty() {
        say(format_args!("\n{title}"))?;
        listing.print(Format::Table)?;
    }
    Ok(())
}

/// How long a run took, in seconds of the database's clock.
fn seconds(run: &Run) -> Value {
    run.ended_ms.map_or(Value::Null, |ended| json!((ended - run.started_ms) / 1_000))
}
