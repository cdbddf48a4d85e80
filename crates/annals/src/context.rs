//! What a command works with: configuration, databases, clock.

use std::path::Path;
use std::sync::Arc;

use annals_config::task::{Task, Timed};
use annals_config::{Config, Problems};
use annals_model::Clock;
use annals_source::attribute_xml::Limits;
use annals_source::{Source, SourceSettings};
use annals_sql::{Access, Db};
use anyhow::Context as _;
use jiff::tz::TimeZone;

use crate::cli::Global;
use crate::exit::{Exit, Failure};

/// The task that a command means when it names none and there are several (IIQ-20).
const DEFAULT_TASK: &str = "Dispatch Access History";

/// The host's clock; only the binary owns one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// Reads the configuration directory.
///
/// # Errors
/// All that is wrong in it, as one text; exit code 2.
pub fn load_config(dir: &Path) -> Result<Config, Failure> {
    load_by(dir, |dir| Config::load(dir, &environment))
}

/// Reads the configuration directory for a command that asks the history database alone: who may read that need not
/// know the source's password.
///
/// # Errors
/// As [`load_config`].
pub fn load_config_for_history(dir: &Path) -> Result<Config, Failure> {
    load_by(dir, |dir| Config::load_for_history(dir, &environment))
}

fn load_by(dir: &Path, load: impl Fn(&Path) -> Result<Config, Problems>) -> Result<Config, Failure> {
    if !dir.join("annals.yaml").is_file() {
        return Err(Failure::usage(
            format!("there is no annals.yaml in {}", dir.display()),
            "Name the configuration directory with --config DIR, or make one: `annals init DIR`. To try Annals on a generated identity system: `annals demo`.",
        ));
    }
    load(dir).map_err(|problems| {
        Failure::usage(
            format!("the configuration has {} errors\n{problems}", problems.error_count()),
            "Mend them, then see `annals check`.",
        )
    })
}

/// Values for `${NAME}` in the configuration.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that hands the environment to the configuration"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Opens the history database and sees that it is up to date (IIQ-16).
///
/// # Errors
/// Exit code 9, or 2 for a URL that names no database.
pub async fn open_history(config: &Config) -> Result<Db, Failure> {
    let db = Db::open(&config.service.history.url, Access::ReadWrite)
        .await
        .context("opening the history database")?;
    annals_history::open(&db).await.map_err(|error| {
        Failure::new(
            Exit::HistoryUnreachable,
            anyhow::Error::new(error).context("the history database is not ready"),
            "Bring it up to date: `annals migrate`.",
        )
    })?;
    Ok(db)
}

/// Opens the identity system.
///
/// # Errors
/// Exit code 8; what the profile names and the database lacks is listed.
pub async fn open_source(config: &Config) -> Result<Source, Failure> {
    let connections_max = config.service.source_connections();
    let db = Db::open_with(&config.service.source.url, Access::ReadOnly, connections_max)
        .await
        .map_err(annals_source::Error::from)
        .context("opening the source database")?;
    let settings = SourceSettings {
        limits: Limits {
            bytes_max: config.service.limits.attribute_bytes_max,
            nesting_max: config.service.limits.nesting_max,
        },
        document_bytes_max: config.service.limits.document_bytes_max,
        secret_key: config.service.secret_hash_key.clone().into_bytes(),
    };
    Ok(Source::open(db, Arc::new(config.profile().clone()), settings).await?)
}

/// The task of a command.
///
/// # Errors
/// Exit code 5, naming the tasks that there are.
pub fn find_task<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Task, Failure> {
    let known = || config.tasks.keys().map(String::as_str).collect::<Vec<_>>().join("`, `");
    match name {
        Some(name) => config.tasks.get(name).ok_or_else(|| {
            Failure::not_found(format!("task `{name}`"), format!("The tasks are `{}`.", known()))
        }),
        None if config.tasks.len() == 1 => config
            .tasks
            .values()
            .next()
            .ok_or_else(|| Failure::not_found("a task", "Write one into tasks/, or run `annals init`.")),
        None => config.tasks.get(DEFAULT_TASK).ok_or_else(|| {
            Failure::not_found(format!("task `{DEFAULT_TASK}`"), format!("Name one of `{}`.", known()))
        }),
    }
}

/// What the schedule ledger has under this name: a task, or the reconcile sweep of one.
///
/// # Errors
/// Exit code 5, naming all that there are.
pub fn find_timed<'c>(config: &'c Config, name: &str) -> Result<Timed<'c>, Failure> {
    let known = || config.tasks.values().flat_map(Task::timed);
    known().find(|timed| timed.name() == name).ok_or_else(|| {
        let names: Vec<String> = known().map(|timed| timed.name()).collect();
        Failure::not_found(format!("task `{name}`"), format!("The tasks are `{}`.", names.join("`, `")))
    })
}

/// The zone in which instants are shown and read.
///
/// # Errors
/// Exit code 2 for a word that names no zone.
pub fn time_zone(global: &Global, config: Option<&Config>) -> Result<TimeZone, Failure> {
    let name = global
        .time_zone
        .as_deref()
        .or(config.map(|config| config.service.time_zone.as_str()))
        .unwrap_or("UTC");
    TimeZone::get(name).map_err(|_| {
        Failure::usage(
            format!("`{name}` is no time zone"),
            "Write an IANA name such as Europe/Berlin, or UTC.",
        )
    })
}
