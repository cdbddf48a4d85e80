//! `annals daemon`: serves until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_config::Config;
use annals_config::service::Transport;
use annals_model::Clock as _;

use crate::broker::connect;
use crate::cli::{DaemonArgs, Global, Role};
use crate::commands::run::host_name;
use crate::context::{SystemClock, open_history};
use crate::daemon::{
    Context, Occupant, Refused, Seat, Standing, check, listen, listen_rest, occupant, serve,
};
use crate::exit::{Exit, Failure};
use crate::log;
use crate::output::say;
use crate::presence::{Presence, leased};
use crate::times;

pub(crate) async fn execute(
    global: &Global,
    config: Config,
    arguments: &DaemonArgs,
) -> Result<Exit, Failure> {
    let host = arguments.host.clone().unwrap_or_else(host_name);
    let file = annals_sql::file(&config.service.history.url)?;
    let path = seat_path(&config, file.as_deref(), arguments, &host)?;
    if arguments.check {
        let (exit, line) = check(&path, SystemClock.now_ms());
        say(format_args!("{line}"))?;
        return Ok(exit);
    }
    let settings = &config.service.log;
    let filter = global.log.as_deref().unwrap_or(&settings.filter);
    log::begin_traced(filter, settings.json, &host, config.service.tracing.as_ref())?;
    let roles = roles(&config, arguments);
    let is_in_process = config.service.queue.transport == Transport::InProcess;
    if is_in_process && roles.contains(&Role::Extract) != roles.contains(&Role::Writer) {
        return Err(Failure::usage(
            "the roles extract and writer are one process where queue.transport is in-process",
            "Write --role extract,writer or leave it away for all roles; or let a broker carry deliveries between hosts: queue.transport: nats (docs/queue.md).",
        ));
    }
    let history = open_history(&config).await?;
    let seat = match Seat::take(&path).await {
        Ok(seat) => seat,
        Err(refused) => return Err(refusal(refused, &path, file.is_some(), &host)),
    };
    let listener = match config.service.http.listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let rest = if roles.contains(&Role::Api) { Some(listen_rest(&config).await?) } else { None };
    let carries = roles.contains(&Role::Extract) || roles.contains(&Role::Writer);
    let broker = if carries { connect(&config, &host).await? } else { None };
    let lease_ms = config.service.lease_ms;
    let history = leased(&history, lease_ms);
    let clock = Arc::new(SystemClock);
    let words = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",");
    let presence = Presence::begin(&history, clock.clone(), &host, &words, lease_ms).await?;
    presence.use_broker(broker);
    let context = Context::new(Arc::new(config), history, clock, host, roles, Arc::clone(&presence));
    seat.write(&occupant(&context, Standing::Starting));
    let served = serve(context, &seat, listener, rest).await;
    if matches!(served, Ok(Exit::Ok)) {
        presence.end().await;
    }
    served
}

/// The roles of this host: those that are named, else all for which there is something to do.
fn roles(config: &Config, arguments: &DaemonArgs) -> Vec<Role> {
    let mut roles = arguments.roles.clone();
    if roles.is_empty() {
        roles.extend(Role::ALL);
        roles.retain(|role| *role != Role::Api || config.service.api.listen.is_some());
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// Where the seat of a host's daemon is.
fn seat_path(
    config: &Config,
    history: Option<&Path>,
    arguments: &DaemonArgs,
    host: &str,
) -> Result<PathBuf, Failure> {
    if let Some(file) = history {
        let mut name = file.as_os_str().to_owned();
        name.push(".daemon");
        return Ok(PathBuf::from(name));
    }
    if let Some(path) = &arguments.lock_file {
        return Ok(path.clone());
    }
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !host.starts_with(|c: char| c.is_alphanumeric()) || !host.chars().all(is_plain) {
        return Err(Failure::usage(
            format!("`{host}` is no name for a host"),
            "Write --host with letters, digits, `.`, `-` and `_`.",
        ));
    }
    Ok(config.dir.join(format!("daemon-{host}.lock")))
}

fn refusal(refused: Refused, path: &Path, is_file: bool, host: &str) -> Failure {
    let occupant = match refused {
        Refused::Unwritable(error) => {
            let context = format!("writing {}", path.display());
            return Failure::new(
                Exit::Unexpected,
                anyhow::Error::new(error).context(context),
                "Let this user write it, or name another place with --lock-file.",
            );
        }
        Refused::Taken(occupant) => occupant,
    };
    let first =
        occupant.map_or_else(|| format!("a daemon (it holds {})", path.display()), |first| shown(&first));
    if is_file {
        return Failure::new(
            Exit::LockHeld,
            anyhow::anyhow!(
                "{first} serves this history database, which is a file and takes one daemon at a time"
            ),
            "Stop that one first; or keep history in PostgreSQL, which any number of hosts serve (docs/daemon.md).",
        );
    }
    Failure::new(
        Exit::LockHeld,
        anyhow::anyhow!("{first} is running, and this one would have its name, `{host}`"),
        "Stop that one first, or give this one a name of its own with --host.",
    )
}

fn shown(first: &Occupant) -> String {
    format!("{first}, since {}", times::show(first.started_ms, &jiff::tz::TimeZone::UTC))
}
