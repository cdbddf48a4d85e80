//! The daemon: its roles, side by side, until it is told to stop.
//!
//! A role is a function that serves until it is told to stop, then finishes what it has in hand and returns.

mod api;
mod extract;
mod health;
mod http;
mod metrics;
mod scheduler;
mod seat;
mod signals;
mod supervisor;
mod ticker;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use annals_api::Server;
use annals_config::Config;
use annals_extract::Stop;
use annals_model::Clock;
use annals_source::Source;
use annals_sql::Db;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Role;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::presence::Presence;
use health::Health;
use signals::Signals;

pub use api::listen_rest;
pub use http::listen;
pub use seat::{Occupant, Refused, Seat, Standing, check};

/// A host that is told to stop has so long for what it has in hand; what is not done then is taken up from where it was
/// saved last.
const DRAIN_MAX: Duration = Duration::from_millis(4_500);

/// How often the daemon says that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// What the roles of a daemon work with.
pub struct Context {
    /// The configuration that the daemon was started with.
    pub config: Arc<Config>,
    /// The history database.
    pub history: Db,
    /// This host's own clock: for what supervisors are told, and to say how far it is off.
    pub clock: Arc<dyn Clock>,
    /// Name of this host.
    pub host: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// This process among the others that work on the same history database.
    pub presence: Arc<Presence>,
    /// How it is.
    health: Health,
    /// The identity system, from when the role `extract` has reached it.
    source: OnceLock<Arc<Source>>,
}

impl Context {
    /// What a daemon of this host works with.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        history: Db,
        clock: Arc<dyn Clock>,
        host: String,
        roles: Vec<Role>,
        presence: Arc<Presence>,
    ) -> Self {
        Self {
            config,
            history,
            clock,
            host,
            roles,
            presence,
            health: Health::default(),
            source: OnceLock::new(),
        }
    }

    /// What runs are executed with.
    fn pipeline(&self, source: Arc<Source>, stopping: &Stopping) -> Pipeline {
        Pipeline {
            config: Arc::clone(&self.config),
            history: self.history.clone(),
            source,
            clock: self.presence.clock(),
            host: self.host.clone(),
            presence: Arc::clone(&self.presence),
            stop: stopping.workers(),
        }
    }
}

/// Tells the roles to come to an end.
#[derive(Clone)]
pub struct Stopping {
    workers: Stop,
    told: watch::Receiver<bool>,
}

impl Stopping {
    fn new() -> (watch::Sender<bool>, Self) {
        let (tell, told) = watch::channel(false);
        (tell, Self { workers: Stop::default(), told })
    }

    /// Returns when the role is to come to an end.
    pub async fn asked(&self) {
        // If nobody is left to tell, it has ended as well.
        drop(self.told.clone().wait_for(|told| *told).await);
    }

    /// The same for the workers of a run.
    #[must_use]
    pub fn workers(&self) -> Stop {
        self.workers.clone()
    }
}

/// Serves until a signal comes or a role fails, and tells how it is where it listens. The seat is the caller's, so that
/// it is kept to the very end.
///
/// # Errors
/// What made a role fail.
pub async fn serve(
    context: Context,
    seat: &Seat,
    listener: Option<TcpListener>,
    rest: Option<Server>,
) -> Result<Exit, Failure> {
    let context = Arc::new(context);
    let mut signals = Signals::listen()?;
    let (tell, stopping) = Stopping::new();
    if let Some(listener) = listener {
        tokio::spawn(http::serve(listener, Arc::clone(&context), stopping.clone()));
    }
    if let Some(broker) = context.presence.broker().cloned() {
        let stopping = stopping.clone();
        tokio::spawn(async move {
            stopping.asked().await;
            broker.end();
        });
    }
    let mut roles = JoinSet::new();
    if context.roles.contains(&Role::Scheduler) {
        roles.spawn(scheduler::serve(Arc::clone(&context), stopping.clone()));
    } else {
        roles.spawn(health::serve(Arc::clone(&context), stopping.clone()));
    }
    if context.roles.contains(&Role::Extract) {
        roles.spawn(extract::serve(Arc::clone(&context), stopping.clone()));
    }
    if context.roles.contains(&Role::Writer) {
        roles.spawn(writer::serve(Arc::clone(&context), stopping.clone()));
    }
    if let Some(server) = rest {
        roles.spawn(api::serve(server, Arc::clone(&context), stopping.clone()));
    }
    supervisor::ready();
    tracing::info!(host = context.host, "the daemon serves as {}", names(&context.roles));
    let mut beat = tokio::time::interval(BEAT);
    let failed = loop {
        tokio::select! {
            () = signals.next() => break None,
            ended = roles.join_next() => break Some(end_of(ended)),
            _ = beat.tick() => {
                supervisor::alive(&context.health);
                seat.write(&occupant(&context, Standing::Serving));
            }
        }
    };
    supervisor::stopping();
    seat.write(&occupant(&context, Standing::Stopping));
    tracing::info!(
        host = context.host,
        "the daemon stops after what it has in hand; once more to stop at once"
    );
    stopping.workers.ask();
    tell.send_replace(true);
    let drained = async {
        let mut failed = failed;
        while let Some(ended) = roles.join_next().await {
            failed = failed.or(end_of(Some(ended)).map_or_else(|e| Some(Err(e)), |()| None));
        }
        failed
    };
    tokio::select! {
        () = signals.next() => Ok(Exit::Interrupted),
        drained = tokio::time::timeout(DRAIN_MAX, drained) => match drained {
            Ok(None | Some(Ok(()))) => Ok(Exit::Ok),
            Ok(Some(Err(error))) => Err(error.into()),
            Err(_) => {
                tracing::warn!(host = context.host, "what was in hand took too long; it is taken up where it was saved last");
                Ok(Exit::Interrupted)
            }
        }
    }
}

/// How a role ended.
fn end_of(ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>) -> anyhow::Result<()> {
    match ended {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(anyhow::Error::new(error).context("a role of the daemon was lost")),
        None => Ok(()),
    }
}

/// What others are told of this daemon.
#[must_use]
pub fn occupant(context: &Context, standing: Standing) -> Occupant {
    let (reached_ms, trouble) = context.health.told();
    Occupant {
        host: context.host.clone(),
        process: std::process::id(),
        started_ms: context.health.started_ms(context.clock.as_ref()),
        roles: context.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        standing,
        said_ms: context.clock.now_ms(),
        reached_ms,
        trouble,
    }
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}
