//! What the daemon says over HTTP, to this host alone: figures for a monitor, and how it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_history::Error as HistoryError;
use annals_model::error_chain;
use annals_runs::figures::{self, Figures};
use annals_sql::Db;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};

use super::metrics::{self, Seen};
use super::{Context, Stopping};
use crate::exit::{Exit, Failure};

/// However many ask, and however often, the databases are asked no more than once in so long.
const FIGURES_EVERY: Duration = Duration::from_secs(5);
const READINESS_KEPT: Duration = Duration::from_secs(1);

/// Figures that took long to read are read the more seldom, by this factor: they take no more of a database's time than
/// this part, until it is that long.
const REST_TIMES: u32 = 20;
const FIGURES_SELDOM: Duration = Duration::from_secs(60);

/// What a source said longer ago is not told any more.
const SOURCE_STALE: Duration = Duration::from_secs(60);

/// Who asks does not wait for longer than this on a database that gives no answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);

const OK: &str = "ok";

/// Begins to listen.
///
/// # Errors
/// Where another program has the port.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(
            Exit::Unexpected,
            anyhow::Error::new(error).context(format!("listening on {address} (`http.listen`)")),
            "Write another port there, or end the program that has this one.",
        )
    })
}

/// Answers until the process ends, so that it can be asked while it comes to an end, too.
///
/// # Errors
/// Where it cannot tell where it listens.
pub(super) async fn serve(
    listener: TcpListener,
    context: Arc<Context>,
    stopping: Stopping,
) -> anyhow::Result<()> {
    tracing::info!(host = context.host, "metrics and health at http://{}", listener.local_addr()?);
    let (figures, read_figures) = watch::channel(None);
    let (oldest, read_oldest) = watch::channel(None);
    let aside = context.history.beside();
    tokio::spawn(async move { read_again_and_again(&figures, || figures_of(&aside)).await });
    let of_source = Arc::clone(&context);
    tokio::spawn(async move { read_again_and_again(&oldest, || oldest_of(&of_source)).await });
    let watch = Watch {
        history: context.history.beside(),
        context,
        stopping,
        figures: read_figures,
        oldest: read_oldest,
        readiness: Kept::new(READINESS_KEPT),
    };
    let routes = Router::new()
        .route("/metrics", get(tell_metrics))
        .route("/health/live", get(tell_live))
        .route("/health/ready", get(tell_ready))
        .with_state(Arc::new(watch));
    Ok(axum::serve(listener, routes).await?)
}

/// What answers are made of.
struct Watch {
    context: Arc<Context>,
    stopping: Stopping,
    /// A connection beside those that work, for this question alone: whether this host is ready must not wait for
    /// whatever else is asked.
    history: Db,
    figures: watch::Receiver<Option<Read<Arc<Figures>>>>,
    oldest: watch::Receiver<Option<Read<Option<i64>>>>,
    readiness: Kept<Standing>,
}

/// What a database last said, and when it was asked.
#[derive(Clone)]
struct Read<T> {
    at: Instant,
    said: Result<T, String>,
}

/// Reads until nobody is left to tell. Who asks gets what was read last and never waits for a database: what takes long
/// to read is told late, and says how old it is.
async fn read_again_and_again<T, F>(told: &watch::Sender<Option<Read<T>>>, read: impl Fn() -> F)
where
    F: Future<Output = Result<T, String>>,
{
    while !told.is_closed() {
        let at = Instant::now();
        let said = read().await;
        if let Err(why) = &said {
            tracing::debug!("no figures: {why}");
        }
        told.send_replace(Some(Read { at, said }));
        tokio::time::sleep((at.elapsed() * REST_TIMES).clamp(FIGURES_EVERY, FIGURES_SELDOM)).await;
    }
}

/// How the history database stands.
#[derive(Clone)]
struct Standing {
    history: String,
    migrations: String,
}

async fn tell_metrics(State(watch): State<Arc<Watch>>) -> Response {
    // The first answer may be on its way still.
    let mut first = watch.figures.clone();
    drop(tokio::time::timeout(ANSWER_MAX, first.wait_for(Option::is_some)).await);
    let figures = watch.figures.borrow().clone();
    let figures = figures.and_then(|read| Some((read.said.ok()?, read.at.elapsed())));
    let oldest = watch.oldest.borrow().clone().filter(|read| read.at.elapsed() < SOURCE_STALE);
    let oldest_transaction_ms = oldest.and_then(|read| read.said.ok().flatten());
    let seen = Seen { figures, oldest_transaction_ms, presence: &watch.context.presence };
    match metrics::text(&seen) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn figures_of(history: &Db) -> Result<Arc<Figures>, String> {
    let read = async {
        let mut tx = history.begin_read().await?;
        let figures = figures::read(&mut tx).await?;
        tx.rollback().await?;
        Ok::<_, annals_runs::Error>(Arc::new(figures))
    };
    read.await.map_err(|error| error_chain(&error))
}

/// How long ago the source's oldest open transaction began; `None` where nobody has opened it here, or it does not tell.
async fn oldest_of(context: &Context) -> Result<Option<i64>, String> {
    match context.source.get() {
        Some(source) => source.oldest_transaction_age_ms().await.map_err(|error| error_chain(&error)),
        None => Ok(None),
    }
}

/// Whether the process should be left as it is, or be ended and started anew.
async fn tell_live(State(watch): State<Arc<Watch>>) -> Response {
    let moves = watch.context.health.moves();
    let said = if moves { OK } else { "no role has moved for too long" };
    told("live", moves, json!({"roles": said}))
}

/// Whether the host takes part in what there is to do.
async fn tell_ready(State(watch): State<Arc<Watch>>) -> Response {
    let history = watch.history.clone();
    let standing = watch.readiness.get(Box::pin(async move { Ok(standing(&history).await) })).await;
    let standing = standing.unwrap_or_else(Standing::away);
    let draining = watch.stopping.workers().asked();
    let fresh = watch.context.presence.is_fresh();
    let ready = !draining && fresh && standing.history == OK && standing.migrations == OK;
    let checks = json!({
        "historyDatabase": standing.history,
        "migrations": standing.migrations,
        "heartbeat": if fresh { OK } else { "none was written for longer than `leaseSeconds`" },
        "serving": if draining { "the daemon stops after what it has in hand" } else { OK },
    });
    told("ready", ready, checks)
}

fn told(question: &str, yes: bool, checks: serde_json::Value) -> Response {
    let status = if yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({question: yes, "checks": checks}).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

impl Standing {
    fn away(why: String) -> Self {
        Self { history: why, migrations: "not known".to_owned() }
    }
}

async fn standing(history: &Db) -> Standing {
    match annals_history::open(history).await {
        Ok(()) => Standing { history: OK.to_owned(), migrations: OK.to_owned() },
        Err(error @ (HistoryError::Schema { .. } | HistoryError::Newer { .. })) => {
            Standing { history: OK.to_owned(), migrations: error_chain(&error) }
        }
        Err(error) => Standing::away(error_chain(&error)),
    }
}

/// An answer of a database, kept for a while.
struct Kept<T> {
    /// For so long.
    least: Duration,
    /// Nobody waits for longer.
    patience: Duration,
    last: Mutex<Option<(Instant, Result<T, String>)>>,
}

impl<T: Clone + Send + 'static> Kept<T> {
    fn new(least: Duration) -> Self {
        Self { least, patience: ANSWER_MAX, last: Mutex::default() }
    }

    /// The answer that is kept, or a new one. It is read in a task of its own, which goes on when nobody waits any more:
    /// to drop a call halfway would leave its connection in a transaction.
    async fn get(&self, read: impl Future<Output = Result<T, String>> + Send + 'static) -> Result<T, String> {
        let mut last = self.last.lock().await;
        if let Some((until, answer)) = last.as_ref()
            && Instant::now() < *until
        {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(self.patience, tokio::spawn(read)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(lost)) => Err(lost.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.patience)),
        };
        *last = Some((Instant::now() + self.least, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// However many ask at a time, one reads; who comes later than an answer is kept reads anew.
    #[tokio::test]
    async fn an_answer_is_read_once_for_all_who_ask() {
        let kept = Kept::new(Duration::from_millis(50));
        let reads = Arc::new(AtomicU32::new(0));
        let read = || {
            let reads = Arc::clone(&reads);
            async move { Ok(reads.fetch_add(1, Ordering::Relaxed)) }
        };
        let (one, two, three) = tokio::join!(kept.get(read()), kept.get(read()), kept.get(read()));
        assert_eq!((one, two, three), (Ok(0), Ok(0), Ok(0)));
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(kept.get(read()).await, Ok(1));
    }

    /// A database that gives no answer makes nobody wait, and is not asked again at once.
    #[tokio::test]
    async fn nobody_waits_for_a_database_that_gives_no_answer() {
        let patience = Duration::from_millis(20);
        let kept: Kept<u32> = Kept { patience, ..Kept::new(Duration::from_millis(500)) };
        let no_answer = Err("no answer within 20ms".to_owned());
        assert_eq!(kept.get(std::future::pending()).await, no_answer);
        assert_eq!(kept.get(async { Ok(1) }).await, no_answer);
        tokio::time::sleep(Duration::from_millis(550)).await;
        assert_eq!(kept.get(async { Ok(1) }).await, Ok(1));
    }
}
