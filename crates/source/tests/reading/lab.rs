//! A source database, a profile for it, and the source opened on both.

use std::fs;
use std::sync::Arc;

use annals_config::Config;
use annals_config::filter::{Expr, parse};
use annals_config::profile::Profile;
use annals_model::ObjectType;
use annals_source::attribute_xml::Limits;
use annals_source::{Error, Loaded, LoadedBatch, Page, Selection, Source, SourceSettings};
use annals_sql::{Access, Db};
use annals_testkit::{Engine, TestDb, database, source_engines};
use serde_json::Value;

const SERVICE: &str = "source: {profile: lab, url: \"sqlite:unused.db\"}
history: {url: \"sqlite:unused.db\"}
secretHashKey: 0123456789abcdef0123456789abcdef
";

/// The longest text that is read.
pub(crate) const BYTES_MAX: usize = 20_000;
/// The most bytes of one object.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 100_000;

/// A database with a schema, written in the words of [`Lab::sql`].
pub(crate) struct Lab {
    pub(crate) db: TestDb,
    profile: String,
}

impl Lab {
    pub(crate) fn new(engine: Engine, schema: &str, profile: &str) -> Self {
        let lab = Self { db: database(engine), profile: profile.to_owned() };
        lab.sql(schema);
        lab
    }

    /// The same lab on every engine.
    pub(crate) fn all(schema: &str, profile: &str) -> Vec<Self> {
        source_engines().into_iter().map(|engine| Self::new(engine, schema, profile)).collect()
    }

    /// Runs statements in which `{bool}`, `{text}`, `{datetime}`, `{true}` and `{false}` stand for what the engine
    /// has: a boolean in PostgreSQL, a bit in MariaDB, an integer in SQLite.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let [boolean, text, datetime, yes, no] = match self.db.engine() {
            Engine::Sqlite => ["integer", "text", "datetime", "1", "0"],
            Engine::Postgres => ["boolean", "text", "timestamp", "true", "false"],
            Engine::MariaDb => ["bit(1)", "longtext", "datetime(3)", "b'1'", "b'0'"],
        };
        let statements = statements
            .replace("{bool}", boolean)
            .replace("{text}", text)
            .replace("{datetime}", datetime)
            .replace("{true}", yes)
            .replace("{false}", no);
        self.db.sql(&statements)
    }

    /// Opens it by its profile.
    pub(crate) async fn open(&self) -> Source {
        open(&self.db, &self.profile).await
    }

    /// Opens it by its profile under another URL, which names another user.
    pub(crate) async fn open_as(&self, url: &str) -> Source {
        try_open_url(url, &self.profile).await.unwrap_or_else(|error| panic!("{}: {error}", self.db.engine()))
    }

    /// Opens it by another profile.
    pub(crate) async fn try_open(&self, profile: &str) -> Result<Source, Error> {
        try_open(&self.db, profile).await
    }
}

/// What a call gives that must not fail in a test.
#[track_caller]
pub(crate) fn must<T, E: std::error::Error>(outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("{}", annals_model::error_chain(&error)))
}

/// Opens a database by a profile.
pub(crate) async fn open(db: &TestDb, profile: &str) -> Source {
    try_open(db, profile).await.unwrap_or_else(|error| panic!("{}: {error}", db.engine()))
}

async fn try_open(db: &TestDb, profile: &str) -> Result<Source, Error> {
    try_open_url(db.url(), profile).await
}

async fn try_open_url(url: &str, profile: &str) -> Result<Source, Error> {
    let db = must(Db::open(url, Access::ReadOnly).await);
    let limits = Limits { bytes_max: BYTES_MAX, nesting_max: 50 };
    let settings = SourceSettings {
        limits,
        document_bytes_max: DOCUMENT_BYTES_MAX,
        secret_key: b"0123456789abcdef".to_vec(),
    };
    Source::open(db, Arc::new(read_profile(profile)), settings).await
}

/// Reads a profile as the service would.
pub(crate) fn read_profile(yaml: &str) -> Profile {
    let folder = must(tempfile::tempdir());
    must(fs::create_dir(folder.path().join("sources")));
    must(fs::write(folder.path().join("annals.yaml"), SERVICE));
    must(fs::write(folder.path().join("sources/lab.yaml"), yaml));
    let config = Config::load(folder.path(), &|_| None);
    config.unwrap_or_else(|problems| panic!("{problems}")).profile().clone()
}

pub(crate) fn filter(text: &str) -> Expr {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// Everything that qualifies, page after page.
pub(crate) async fn qualified(
    source: &Source,
    object_type: ObjectType,
    since_ms: Option<i64>,
    filter: Option<&Expr>,
    page_max: usize,
) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let after = ids.last().map(String::as_str);
        let page: Page = must(source.qualified_page(object_type, since_ms, filter, after, page_max).await);
        assert!(page.ids.len() <= page_max);
        ids.extend(page.ids);
        if page.is_last {
            return ids;
        }
    }
}

pub(crate) async fn load(source: &Source, object_type: ObjectType, ids: &[&str]) -> LoadedBatch {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    must(source.load(object_type, &ids, &Selection::All).await)
}

/// The one object of a batch of one.
pub(crate) async fn load_one(source: &Source, object_type: ObjectType, id: &str) -> Loaded {
    let mut batch = load(source, object_type, &[id]).await;
    assert_eq!((batch.objects.len(), &batch.missing, &batch.failed), (1, &vec![], &vec![]), "{id}");
    batch.objects.remove(0)
}

/// A property; panics where there is none.
pub(crate) fn property<'o>(object: &'o Loaded, name: &str) -> &'o Value {
    object.properties.get(name).unwrap_or_else(|| panic!("no property {name}"))
}
