//! The service configuration (`annals.yaml`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use annals_model::{JsonFormat, ObjectType, Role};

/// The service configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// `accessHistoryEnabled` (IIQ-13, IIQ-38): false as shipped.
    pub access_history_enabled: bool,
    /// The identity system that is read.
    pub source: SourceDb,
    /// The history database.
    pub history: HistoryDb,
    /// How many partitions this host works on at a time.
    pub worker_slots: u32,
    /// How long what this host works on stays its own without a sign of life, milliseconds of the database's clock.
    pub lease_ms: i64,
    /// What the writer stores and how.
    pub capture: CaptureSettings,
    /// The transport from extract to writer.
    pub queue: QueueSettings,
    /// Caps on input.
    pub limits: Limits,
    /// IANA time zone in which times are shown and schedules are meant by default.
    pub time_zone: String,
    /// Key of the hash that tells a changed secret from an unchanged one.
    pub secret_hash_key: String,
    /// Log filter and form.
    pub log: LogSettings,
    /// Where the daemon is asked how it is.
    pub http: HttpSettings,
    /// The REST interface.
    pub api: ApiSettings,
    /// How many days after its end the partitions of a run are kept; none: for ever.
    pub run_details_days: Option<u32>,
    /// Where spans of runs are sent; `None`, the default: nowhere.
    pub tracing: Option<OtlpSettings>,
}

impl Service {
    /// Connections to the identity system: one for each worker slot, two at least.
    #[must_use]
    pub fn source_connections(&self) -> u32 {
        self.worker_slots.max(2)
    }
}

/// The database of the identity system.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceDb {
    /// Name of the profile.
    pub profile: String,
    /// Database URL: `sqlite:`, `postgres:`, `mysql:`.
    pub url: String,
    /// How far behind the source's clock the horizon stays, so that late commits are seen; milliseconds.
    pub overlap_ms: i64,
    /// What becomes of the rows in which the system notes what it deletes.
    pub intercepted_deletes: InterceptedRows,
    /// Whether it may be a replica.
    pub replica: Replica,
}

/// `source.replica`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replica {
    /// It is read, with a warning.
    Warn,
    /// Runs end with the result `NotPrimaryNode` (BRV-14).
    Refuse,
}

/// `source.interceptedDeletes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterceptedRows {
    /// They stay: the source is only read.
    Keep,
    /// They are removed once history has learned what they say.
    Remove,
}

/// The history database.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryDb {
    /// Database URL: `sqlite:` or `postgres:`.
    pub url: String,
    /// Which indexes it has.
    pub indexes: HistoryIndexes,
}

/// `historyIndexes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryIndexes {
    /// Those that a documented search needs.
    Needed,
    /// All that the reference has.
    Reference,
}

/// What the writer stores and how (IIQ-39 to IIQ-42, IIQ-60).
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureSettings {
    /// `jsonFormat`, default `ZIPPED`.
    pub json_format: JsonFormat,
    /// `maxAllowedPatches`, default 0: full captures only.
    pub max_allowed_patches: u32,
    /// `captureMaxAgeInDays`; `None`: no limit.
    pub capture_max_age_days: Option<u32>,
    /// `createDiscardedMessageEvent`, default false.
    pub create_discarded_message_event: bool,
    /// `auditRemovedEvents`, default true: events that a late capture removes are noted (IIQ-61).
    pub audit_removed_events: bool,
}

/// The transport.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueSettings {
    /// `queue.transport`: how deliveries come from extract workers to writers.
    pub transport: Transport,
    /// Deliveries of a worker that wait in memory at most, while one is written and the next one is loaded.
    pub capacity: u32,
    /// A larger message is refused and counts as failed to publish.
    pub message_bytes_max: usize,
    /// A batch for the writer is cut at so many objects.
    pub batch_objects_max: usize,
    /// A batch for the writer is cut at so many bytes of documents.
    pub batch_bytes_max: usize,
    /// `maxRedeliveries`, default 5: how often a message that could not be written is delivered again (IIQ-57).
    pub redeliveries_max: u32,
    /// `redeliveryDelaySeconds`, default 60: how long it waits each time.
    pub redelivery_delay_s: u32,
}

/// `queue.transport`, with `queue.nats`.
#[derive(Debug, Clone, PartialEq)]
pub enum Transport {
    /// In memory, to a writer beside each worker; the default.
    InProcess,
    /// Over NATS JetStream, to the writers of any host.
    Nats(NatsSettings),
}

/// `queue.nats`.
#[derive(Debug, Clone, PartialEq)]
pub struct NatsSettings {
    /// URLs of servers, one at least.
    pub servers: Vec<String>,
    /// Name of the stream, default `ANNALS`: each history database has one of its own.
    pub stream: String,
    /// Servers that keep each delivery, default 1.
    pub replicas: u32,
    /// A delivery that is published twice within this is kept once, default 120 s.
    pub duplicate_window_s: u32,
    /// How long a worker waits for a broker that is away before it gives its partition back, default 300 s.
    pub patience_s: u32,
    /// Who we are.
    pub login: NatsLogin,
    /// How the connection is secured.
    pub tls: NatsTls,
}

/// Who we are for NATS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsLogin {
    /// Nobody, or whom the servers' URLs name.
    None,
    /// `user` and `password`.
    User(String, String),
    /// `token`.
    Token(String),
    /// `credentials`: a file that `nsc` made.
    Credentials(PathBuf),
}

/// `queue.nats.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NatsTls {
    /// Nothing is said in clear text; true wherever there is a `tls`.
    pub required: bool,
    /// PEM file of authorities to trust beside the system's.
    pub authorities: Option<PathBuf>,
    /// PEM files of our certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Caps on input; an object past one is a named failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of one attribute column.
    pub attribute_bytes_max: usize,
    /// Bytes of one image.
    pub document_bytes_max: usize,
    /// Depth of an attribute value or image, at most 100: deeper JSON cannot be read back.
    pub nesting_max: usize,
}

/// `http`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpSettings {
    /// `http.listen`: where the daemon serves metrics and health, an address of the loopback interface. `None`, the
    /// default: nowhere. Port 0 is any that is free.
    pub listen: Option<SocketAddr>,
}

/// `api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// `api.listen`: where the role `api` of the daemon answers. `None`, the default: nowhere. Port 0 is any that is
    /// free.
    pub listen: Option<SocketAddr>,
    /// `api.tls`: PEM files of the certificate and its key; without them this host alone is answered.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// `api.requestsPerSecond`, default 1,000: from one address.
    pub requests_per_second: u32,
    /// `api.heavyQueries`, default 4: searches and counts at a time.
    pub heavy_queries: u32,
    /// `api.querySeconds`, default 30: how long a question may take the database.
    pub query_s: u32,
    /// `api.scopeAsOf`, default `now`.
    pub scope_as_of: ScopeAsOf,
    /// `api.hiddenAttributes`: by object type, paths of fields in the image that nobody is told of but who is one of
    /// `hidden_shown_to`.
    pub hidden_attributes: BTreeMap<ObjectType, Vec<String>>,
    /// `api.hiddenAttributesShownTo`, default nobody.
    pub hidden_shown_to: Vec<Role>,
    /// `api.oidc`: an issuer whose tokens are taken beside our own.
    pub oidc: Option<Box<OidcSettings>>,
}

/// `api.oidc`: an OpenID Connect issuer, and what its claims mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// `issuer`: its URL, word for word as tokens say it.
    pub issuer: String,
    /// `audience`: what tokens for us name.
    pub audience: String,
    /// `algorithms`, default RS256 and ES256: what tokens may be signed with.
    pub algorithms: Vec<String>,
    /// `nameClaim`, default `sub`: by which somebody is known in the access log.
    pub name_claim: String,
    /// `rolesClaim`, default `roles`: a text or a list of texts.
    pub roles_claim: String,
    /// `roles`: which role each of those gives.
    pub roles: BTreeMap<String, Role>,
    /// `identityClaim`: name or id of his identity in history, for scopes.
    pub identity_claim: Option<String>,
    /// `scopes` has `own`.
    pub own: bool,
    /// `scopes` has `managerTree`.
    pub manager_tree: bool,
    /// `applications`: which applications each value of the roles' claim answers for.
    pub applications: BTreeMap<String, Vec<String>>,
    /// `clockSkewSeconds`, default 60: how far the issuer's clock may be from ours.
    pub clock_skew_s: u32,
}

/// `api.scopeAsOf`: whose managers say who is below a manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeAsOf {
    /// Those of now, whatever instant is asked about.
    Now,
    /// Those of the instant that is asked about.
    Date,
}

/// `tracing.otlp`: a collector that takes spans by OTLP, as protobuf over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// `endpoint`: `http://` or `https://`, host, port, and a path if it has one; `/v1/traces` comes after it.
    pub endpoint: String,
    /// `headers` that go along, such as a token.
    pub headers: Vec<(String, String)>,
    /// `serviceName`, default `annals`.
    pub service_name: String,
    /// `sampleRatio`, default 1: the share of traces that are sent, 0 to 1.
    pub sample_ratio: f64,
}

/// Log settings.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// `tracing` filter, default `info`.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
    /// File of the discarded-messages log; default in the folder that a supervisor gives for logs or state, else beside
    /// the configuration.
    pub discarded_messages: Option<PathBuf>,
}
