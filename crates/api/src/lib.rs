//! REST over HTTP: query options, resources, who may ask. Questions are answered by the crates below; no SQL is here.
//!
//! Every request goes one way ([`mod@ask`]): who asks, may he, what is asked, the answer, the access log, and only then
//! is the answer sent.

mod ask;
mod condition;
mod error;
mod events;
mod export;
mod hidden_from;
mod instant;
pub mod odata;
mod oidc;
mod openapi;
mod operation;
mod postman;
mod problem;
mod resources;
mod right;
mod router;
mod server;
mod skip_token;
mod tls;
mod who;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use annals_config::service::{ApiSettings, ScopeAsOf};
use annals_config::task::Task;
use annals_history::Hidden;
use annals_history::find::Condition;
use annals_model::ObjectType;
use annals_sql::Db;
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};

pub use error::Error;
use hidden_from::HiddenFrom;
use oidc::Oidc;
pub use openapi::openapi;
pub use postman::postman;
pub use router::router;
pub use server::{Server, listen};
pub use tls::TlsFiles;

/// The condition that a filter on objects of a type means, in the words of `$filter`.
///
/// # Errors
/// The first thing that is wrong with it, and where.
pub fn read_filter(object_type: ObjectType, text: &str) -> Result<Condition, odata::ParseError> {
    condition::condition(object_type, &odata::filter(text)?, &Hidden::default())
}

/// What requests are answered from.
#[derive(Debug)]
pub struct Api {
    /// The history database.
    history: Db,
    /// The host that answers.
    host: String,
    /// The tasks that there are, by name.
    tasks: BTreeMap<String, Task>,
    /// Whose managers count for scopes.
    scope_as_of: ScopeAsOf,
    hidden: HiddenFrom,
    /// An issuer whose tokens are taken.
    oidc: Option<Oidc>,
    heavy: Semaphore,
    /// Runs that are followed.
    followers: Arc<Semaphore>,
    /// Whether the server is about to end.
    stopping: watch::Sender<bool>,
    rate: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
}

/// A search waits so long for others to end.
const HEAVY_WAIT: Duration = Duration::from_secs(2);

/// Runs that are followed at a time.
const FOLLOWERS_MAX: usize = 32;

impl Api {
    /// What requests on this host are answered from.
    #[must_use]
    pub fn new(history: Db, host: String, tasks: BTreeMap<String, Task>, settings: &ApiSettings) -> Self {
        let requests_per_second = NonZeroU32::new(settings.requests_per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            history,
            host,
            tasks,
            scope_as_of: settings.scope_as_of,
            hidden: HiddenFrom::new(settings),
            oidc: settings.oidc.as_deref().map(Oidc::new),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            stopping: watch::Sender::new(false),
            heavy: Semaphore::new(settings.heavy_queries as usize),
            rate: RateLimiter::hashmap(Quota::per_second(requests_per_second)),
        }
    }
}
