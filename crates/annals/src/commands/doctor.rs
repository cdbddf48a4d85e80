//! `annals doctor`: whether everything that a run needs is there (IIQ-14).

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_config::service::{Replica, Transport};
use annals_history::{AccessCheck, CompactSaving};
use annals_model::{Clock as _, JsonFormat, TaskStatus, error_chain};
use annals_queue::Broker;
use annals_runs::clean_up::{self, CleanUp};
use annals_runs::run;
use annals_source::{Horizon, HorizonKind, Source};
use annals_sql::{Access, Db, Engine};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::broker::{NO_WRITERS_HELP, document_bytes_max, failure, settings};
use crate::cli::Global;
use crate::commands::run::host_name;
use crate::context::{SystemClock, load_config, open_source, time_zone};
use crate::exit::{Exit, Failure, NOT_PRIMARY};
use crate::output::Listing;
use crate::own_name;
use crate::times;

/// Clocks further apart than this deserve a look: recorded times come from this host, change times from the source.
const CLOCK_SKEW_MAX_MS: i64 = 5_000;

/// It is done once a day, by the first run that ends.
const CLEAN_UP_MAX_MS: i64 = 3 * 86_400_000;

/// Saving less than this is not worth a word of advice.
const WORTHWHILE_PERCENT: i64 = 10;

/// Identities whose access intervals are compared with their newest captures.
const INTERVALS_CHECKED: u32 = 100;

/// How a check came out.
#[derive(Clone, Copy)]
enum Verdict {
    Ok,
    Warning,
    Error,
}

/// What was found, one line a check.
struct Findings {
    lines: Vec<(Verdict, &'static str, String, String)>,
    exit: Exit,
}

impl Findings {
    fn ok(&mut self, step: &'static str, found: String) {
        self.lines.push((Verdict::Ok, step, found, String::new()));
    }

    /// All is well, and it could be better.
    fn hint(&mut self, step: &'static str, found: String, help: &str) {
        self.lines.push((Verdict::Ok, step, found, help.to_owned()));
    }

    fn warn(&mut self, step: &'static str, found: String, help: &str) {
        self.lines.push((Verdict::Warning, step, found, help.to_owned()));
    }

    /// The first error decides about the exit code.
    fn error(&mut self, step: &'static str, exit: Exit, found: String, help: &str) {
        if self.exit == Exit::Ok {
            self.exit = exit;
        }
        self.lines.push((Verdict::Error, step, found, help.to_owned()));
    }
}

pub(crate) async fn execute(global: &Global) -> Result<Exit, Failure> {
    let mut findings = Findings { lines: Vec::new(), exit: Exit::Ok };
    match load_config(&global.config) {
        Err(failure) => {
            let help = failure.help.unwrap_or_default();
            findings.error("configuration", Exit::Usage, failure.error.to_string(), &help);
        }
        Ok(config) => {
            configuration(&config, &mut findings);
            own_name_check(&mut findings);
            tasks(&config, &mut findings);
            history(global, &config, &mut findings).await?;
            broker(&config, &mut findings).await;
            source(&config, &mut findings).await;
        }
    }
    let mut listing = Listing::new(&["check", "verdict", "found", "help"]);
    for (verdict, step, found, help) in findings.lines {
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
        };
        listing.push(vec![json!(step), json!(word), json!(found), json!(help)]);
    }
    listing.print(global.output)?;
    Ok(findings.exit)
}

fn configuration(config: &Config, findings: &mut Findings) {
    let service = &config.service;
    match config.warnings.len() {
        0 => findings.ok("configuration", format!("{} is sound", config.dir.display())),
        1 => findings.warn("configuration", "1 warning".to_owned(), "See it with `annals check`."),
        n => findings.warn("configuration", format!("{n} warnings"), "See them with `annals check`."),
    }
    if service.access_history_enabled {
        findings.ok("feature", "accessHistoryEnabled is true".to_owned());
    } else {
        let help = "Set accessHistoryEnabled: true in annals.yaml when all else is ready; until then runs read nothing.";
        findings.warn("feature", "accessHistoryEnabled is false".to_owned(), help);
    }
    if matches!(service.capture.json_format, JsonFormat::Minified | JsonFormat::Pretty) {
        findings.warn(
            "json format",
            format!("captures are stored as {}", service.capture.json_format.as_str()),
            "ZIPPED takes a fraction of the space; rows of every format stay readable.",
        );
    }
    if same_instance(&service.source.url, &service.history.url) {
        findings.warn(
            "separate databases",
            "source and history are on one database server".to_owned(),
            "That works, but use a server of its own for history in production: it grows, and must outlive the source.",
        );
    }
}

/// IIQ-44: the host's own name.
fn own_name_check(findings: &mut Findings) {
    let name = host_name();
    match own_name::problem(&name) {
        None => findings.ok("host name", format!("`{name}` leads to this host")),
        Some(problem) => findings.warn(
            "host name",
            problem,
            "Mend /etc/hosts or the name service: what asks for the host's name may wait long, and fail-over with it.",
        ),
    }
}

/// IIQ-14: a task and its schedule.
fn tasks(config: &Config, findings: &mut Findings) {
    if config.tasks.is_empty() {
        findings.error(
            "task",
            Exit::Usage,
            "there is no task".to_owned(),
            "Write one into tasks/, or run `annals init`.",
        );
    }
    for task in config.tasks.values() {
        let banners = run_banners(config, task);
        let worst = banners.banners.iter().max_by_key(|banner| banner.status);
        match worst.filter(|_| config.service.access_history_enabled) {
            Some(banner) if banner.status >= TaskStatus::Error => {
                findings.error(
                    "task",
                    Exit::Usage,
                    format!("{}: {}", task.name, banner.text),
                    "See `annals check`.",
                );
            }
            Some(banner) => {
                findings.warn("task", format!("{}: {}", task.name, banner.text), "See `annals check`.")
            }
            None => {
                findings.ok("task", format!("{} reads {} object types", task.name, banners.objects.len()))
            }
        }
        match &task.schedule {
            Some(schedule) => {
                findings.ok("schedule", format!("{}: {}", task.name, schedule.cadence));
            }
            None => findings.warn(
                "schedule",
                format!("{} has none", task.name),
                "Give it `schedule: {cron: \"0 0 * * *\", timeZone: UTC}`, or run it yourself.",
            ),
        }
    }
}

/// IIQ-16: the history database is needed even while the feature is off.
async fn history(global: &Global, config: &Config, findings: &mut Findings) -> Result<(), Failure> {
    const STEP: &str = "history database";
    let unreachable = "See that it runs and that history.url in annals.yaml names it.";
    let db = match Db::open(&config.service.history.url, Access::ReadWrite).await {
        Ok(db) => db,
        Err(error) => {
            findings.error(STEP, Exit::HistoryUnreachable, error_chain(&error), unreachable);
            return Ok(());
        }
    };
    if let Err(error) = annals_history::open(&db).await {
        findings.error(
            STEP,
            Exit::HistoryUnreachable,
            error_chain(&error),
            "Bring it up to date: `annals migrate`.",
        );
        return Ok(());
    }
    findings.ok(STEP, format!("{}, tables are up to date", db.engine().as_str()));
    let mut tx = db.begin_read().await?;
    match run::list(&mut tx, None, None, 1).await?.first() {
        Some(last) => {
            let zone = time_zone(global, Some(config))?;
            let status = last.status.map_or("under way", TaskStatus::as_str);
            let found = format!("run {} began {}: {status}", last.id, times::show(last.started_ms, &zone));
            if last.status == Some(TaskStatus::Error) {
                findings.warn("last run", found, &format!("See why: `annals runs show {}`.", last.id));
            } else {
                findings.ok("last run", found);
            }
        }
        None => findings.warn(
            "last run",
            "there was none".to_owned(),
            "The first run reads everything: `annals run`.",
        ),
    }
    if let Some(days) = config.service.run_details_days {
        let zone = time_zone(global, Some(config))?;
        cleaned_up(&clean_up::last(&mut tx).await?, days, db.now_ms().await?, &zone, findings);
    }
    documents(&annals_history::compact_saving(&mut tx).await?, findings);
    intervals(&annals_history::access_check(&mut tx, INTERVALS_CHECKED).await?, findings);
    Ok(())
}

/// Whether access intervals are there, and right as far as a sample tells.
fn intervals(check: &AccessCheck, findings: &mut Findings) {
    const STEP: &str = "access intervals";
    let again = "Make them from the captures that are there: `annals rebuild intervals`.";
    let AccessCheck { complete, rebuilding, sampled, stale, stale_granters } = check;
    match (complete, rebuilding, stale.first()) {
        (false, true, _) => {
            findings.warn(STEP, "a rebuilding of them was interrupted, or is under way".to_owned(), again);
        }
        (false, false, _) => {
            findings.warn(STEP, "the captures of an older version have none yet".to_owned(), again);
        }
        (true, _, Some(one)) => findings.warn(
            STEP,
            format!(
                "{} of {sampled} identities hold other than their newest captures say, {one} among them",
                stale.len()
            ),
            again,
        ),
        (true, _, None) if !stale_granters.is_empty() => findings.warn(
            STEP,
            format!(
                "roles or groups bring other than their newest captures say: {}",
                stale_granters.join(", ")
            ),
            again,
        ),
        (true, _, None) => findings
            .ok(STEP, format!("they say what the newest captures say (sample of {sampled} identities)")),
    }
}

/// TRAP-12: a clean-up that has stopped is seen.
fn cleaned_up(last: &CleanUp, days: u32, now_ms: i64, zone: &TimeZone, findings: &mut Findings) {
    const STEP: &str = "clean-up";
    let Some(began_ms) = last.began_ms else {
        findings.ok(STEP, format!("there was none; partitions of runs are kept for {days} days"));
        return;
    };
    let began = times::show(began_ms, zone);
    let again = "The end of a run does it, once a day. See why it fails: `annals runs clean-up`.";
    match (&last.error, last.ended_ms) {
        (Some(error), _) => findings.warn(STEP, format!("failed {began}: {error}"), again),
        (None, None) => findings.warn(STEP, format!("began {began} and has not ended"), again),
        (None, Some(_)) if now_ms - began_ms > CLEAN_UP_MAX_MS => {
            findings.warn(STEP, format!("was last done {began}"), again);
        }
        (None, Some(_)) => {
            findings.ok(STEP, format!("{began}, the partitions of {} runs were removed", last.runs));
        }
    }
}

/// What the smallest form would save.
fn documents(saving: &CompactSaving, findings: &mut Findings) {
    const STEP: &str = "documents";
    let CompactSaving { captures, sampled, bytes, compact_bytes } = saving;
    if *captures == 0 {
        return;
    }
    let found = format!(
        "COMPACT would save {} % of about {bytes} bytes, leaving {compact_bytes} (sample of {sampled} captures of {captures})",
        saving.percent()
    );
    if saving.percent() < WORTHWHILE_PERCENT {
        findings.ok(STEP, found);
    } else {
        let help = "Set capture.jsonFormat: COMPACT, then rewrite what is there: `annals history repack`. Only Annals reads it.";
        findings.hint(STEP, found, help);
    }
}

/// Whether the broker fits, where deliveries go over one.
async fn broker(config: &Config, findings: &mut Findings) {
    const STEP: &str = "broker";
    let Transport::Nats(nats) = &config.service.queue.transport else { return };
    let checked = async {
        let connected = Broker::connect(settings(config, nats, &host_name())).await?;
        connected.check(document_bytes_max(config), false).await
    };
    let fit = match checked.await {
        Ok(fit) => fit,
        Err(error) => {
            let Failure { exit, error, help } = failure(error);
            findings.error(STEP, exit, error.to_string(), &help.unwrap_or_default());
            return;
        }
    };
    let stream = match fit.deliveries {
        Some(deliveries) => {
            format!("stream {} holds {deliveries} deliveries, on {} servers each", nats.stream, fit.replicas)
        }
        None => format!("stream {} is made by the first daemon", nats.stream),
    };
    let (version, payload_max) = (fit.version, fit.payload_max);
    let found = format!("NATS {version} with JetStream, messages of up to {payload_max} bytes; {stream}");
    findings.ok(STEP, found);
    if fit.writers_listen {
        findings.ok("writers", "a writer listens to the broker".to_owned());
    } else {
        findings.warn("writers", "none listens to the broker".to_owned(), NO_WRITERS_HELP);
    }
}

async fn source(config: &Config, findings: &mut Findings) {
    const STEP: &str = "source database";
    let source = match open_source(config).await {
        Ok(source) => source,
        Err(failure) => {
            let error: &(dyn std::error::Error + 'static) = failure.error.as_ref();
            let help = failure.help.unwrap_or_default();
            findings.error(STEP, Exit::SourceUnreachable, error_chain(error), &help);
            return;
        }
    };
    let release = source.release().map_or_else(String::new, |release| format!(", release {release}"));
    findings.ok(STEP, format!("profile {} fits{release}", config.service.source.profile));
    match source.now_ms().await {
        Ok(now_ms) => {
            let skew_ms = now_ms - SystemClock.now_ms();
            let found = format!("the source's clock is {} ms from this host's", skew_ms);
            if skew_ms.abs() > CLOCK_SKEW_MAX_MS {
                findings.warn("clocks", found, "Let both hosts follow the same time servers.");
            } else {
                findings.ok("clocks", found);
            }
        }
        Err(error) => findings.error("clocks", Exit::SourceUnreachable, error_chain(&error), ""),
    }
    late_commits(config, &source, findings).await;
}

/// Whether the source tells of its open transactions, so that the overlap need not cover them (TRAP-04).
async fn late_commits(config: &Config, source: &Source, findings: &mut Findings) {
    const STEP: &str = "late commits";
    let overlap_ms = config.service.source.overlap_ms;
    match source.horizon(overlap_ms).await {
        Ok(Horizon { kind: HorizonKind::OfReplica, .. })
            if config.service.source.replica == Replica::Refuse =>
        {
            findings.error(
                STEP,
                Exit::SourceUnreachable,
                "the source is a replica, and source.replica refuses one".to_owned(),
                NOT_PRIMARY,
            );
        }
        Ok(Horizon { kind: HorizonKind::Stays, blind: Some(blind), .. }) => findings.warn(
            STEP,
            "the named timestamp stays where it is".to_owned(),
            &format!("Be aware: {blind}."),
        ),
        Ok(Horizon { blind: Some(blind), .. }) => findings.warn(
            STEP,
            format!("only source.overlapSeconds = {} guards them", overlap_ms / 1_000),
            &format!("As to the source, {blind}"),
        ),
        Ok(Horizon { at_ms, blind: None, .. }) => match source.now_ms().await {
            Ok(now_ms) => findings.ok(
                STEP,
                format!("a run that begins now has read everything up to {} s ago", (now_ms - at_ms) / 1_000),
            ),
            Err(error) => findings.error(STEP, Exit::SourceUnreachable, error_chain(&error), ""),
        },
        Err(error) => findings.error(STEP, Exit::SourceUnreachable, error_chain(&error), ""),
    }
}

/// Whether two URLs name databases of one server (IIQ-15). Files are no server.
pub(crate) fn same_instance(source: &str, history: &str) -> bool {
    let server = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let engine = match scheme {
            "postgres" | "postgresql" => Engine::Postgres,
            "mysql" | "mariadb" => Engine::MySql,
            _ => return None,
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let (name, port) =
            host.rsplit_once(':').unwrap_or((host, if engine == Engine::Postgres { "5432" } else { "3306" }));
        let name = if matches!(name, "127.0.0.1" | "[::1]" | "") { "localhost" } else { name };
        Some((engine, name.to_ascii_lowercase(), port.to_owned()))
    };
    matches!((server(source), server(history)), (Some(source), Some(history)) if source == history)
}

#[cfg(test)]
mod tests {
    use super::same_instance;

    /// IIQ-15.
    #[test]
    fn databases_of_one_server_are_recognised() {
        assert!(same_instance("postgres://a:b@db/iiq", "postgresql://c@DB:5432/history?sslmode=require"));
        assert!(same_instance("postgres://a@localhost:5433/iiq", "postgres://b@127.0.0.1:5433/history"));
        assert!(!same_instance("postgres://a@db/iiq", "postgres://a@db2/history"));
        assert!(!same_instance("postgres://a@db:5432/iiq", "postgres://a@db:5433/history"));
        assert!(!same_instance("mysql://a@db/iiq", "postgres://a@db/history"));
        assert!(!same_instance("sqlite:///a.db", "sqlite:///a.db"));
    }
}
