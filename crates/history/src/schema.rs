//! The tables as they are, from the list that the migrations were rendered from, and the migrations.

use std::collections::HashMap;
use std::sync::LazyLock;

use annals_sql::{Db, Engine, Migration, Stmt, Tx};

use crate::Error;

/// Table, position, column, type, length, nullable, generated, key, references.
const COLUMNS: &str = include_str!("../../../migrations/history_columns.csv");

/// Table with the captures of certifications, of which the reference keeps the newest state only.
pub(crate) const CERTIFICATION_CAPTURE: &str = "annals_certification_capture";

/// Its columns, in the same form.
const OUR_COLUMNS: &str = "table
annals_certification_capture,1,id,varchar,32,NO,,Y,
annals_certification_capture,2,created,bigint,,NO,,N,
annals_certification_capture,3,patch_doc_parent,varchar,32,YES,,N,
annals_certification_capture,4,cert_id,varchar,32,NO,,N,
annals_certification_capture,5,cert_name,varchar,128,YES,,N,
annals_certification_capture,6,transform_type,varchar,10,NO,,N,
annals_certification_capture,7,effective_date,bigint,,NO,,N,
annals_certification_capture,8,extended_to_date,bigint,,YES,,N,
annals_certification_capture,9,json,clob,100000000,YES,,N,
annals_certification_capture,10,json_format,varchar,255,YES,,N,
annals_certification_capture,11,smart_hash,varchar,40,YES,,N,
annals_certification_capture,12,full_hash,varchar,40,YES,,N,
annals_certification_capture,13,deleted,smallint,,YES,,N,
";

/// Our own tables whose growth is reported with the history tables.
pub(crate) const OUR_TABLES: [&str; 40] = [
    "annals_access_build",
    "annals_access_grant",
    "annals_access_interval",
    "annals_access_item",
    "annals_grant_build",
    "annals_head",
    "annals_object_kind",
    "annals_deferred_index",
    CERTIFICATION_CAPTURE,
    "annals_cleaned_text",
    "annals_dictionary",
    "annals_host",
    "annals_config_version",
    "annals_task",
    "annals_run",
    "annals_run_message",
    "annals_partition",
    "annals_partition_chunk",
    "annals_request_state",
    "annals_run_failure",
    "annals_named_timestamp",
    "annals_failed_object",
    "annals_suspect",
    "annals_clean_up",
    "annals_run_write",
    "annals_run_total",
    "annals_run_attribute",
    "annals_dead_letter",
    "annals_dead_letter_act",
    "annals_parked_message",
    "annals_reading",
    "annals_removed_event",
    "annals_sighting",
    "annals_schedule",
    "annals_schedule_fire",
    "annals_token",
    "annals_token_act",
    "annals_access",
    "annals_login_failure",
    "annals_migration",
];

/// A table.
#[derive(Debug)]
pub(crate) struct TableDef {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its columns, generated ones left out.
    pub(crate) columns: Vec<ColumnDef>,
    positions: foldhash::HashMap<&'static str, usize>,
}

/// A column.
#[derive(Debug)]
pub(crate) struct ColumnDef {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: ColumnType,
    /// It may be null.
    pub(crate) nullable: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// Text, cut to so many characters.
    Text(usize),
    /// An object's or capture's id of up to 32 characters, or the digest of a longer one: never cut.
    Id,
    /// Whole numbers of any width; booleans too.
    Int,
    /// A document.
    Bytes,
}

impl TableDef {
    /// Where a column stands among [`TableDef::columns`].
    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.positions.get(column).copied()
    }

    /// The table has this column, and it holds ids.
    pub(crate) fn is_id(&self, column: &str) -> bool {
        self.position(column).is_some_and(|position| self.columns[position].kind == ColumnType::Id)
    }

    /// The table has this column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.positions.contains_key(column)
    }
}

static TABLES: LazyLock<HashMap<&'static str, TableDef>> = LazyLock::new(|| {
    let mut tables: HashMap<&'static str, TableDef> = HashMap::new();
    for line in COLUMNS.lines().skip(1).chain(OUR_COLUMNS.lines().skip(1)) {
        let fields: Vec<&'static str> = line.split(',').collect();
        let [table, _, name, kind, length, nullable, generated, ..] = fields[..] else { continue };
        if !generated.is_empty() {
            continue;
        }
        let def = tables.entry(table).or_insert_with(|| TableDef {
            name: table,
            columns: Vec::new(),
            positions: foldhash::HashMap::default(),
        });
        // The lists of a capture are 255 wide, but what they hold is ids, to be joined with columns of 32.
        let child = def.has("idx") && def.columns.len() >= 2;
        let kind = match (kind, length) {
            ("varchar", "32") => ColumnType::Id,
            ("varchar", _) if child && name.ends_with("_id") => ColumnType::Id,
            ("varchar", length) => ColumnType::Text(length.parse().unwrap_or(usize::MAX)),
            ("clob", _) if name == "json" => ColumnType::Bytes,
            ("clob", _) => ColumnType::Text(usize::MAX),
            _ => ColumnType::Int,
        };
        def.positions.insert(name, def.columns.len());
        def.columns.push(ColumnDef { name, kind, nullable: nullable == "YES" });
    }
    tables
});

/// No columns: stands in for a table that is not listed, which a test rules out.
static NO_TABLE: LazyLock<TableDef> =
    LazyLock::new(|| TableDef { name: "", columns: Vec::new(), positions: foldhash::HashMap::default() });

/// A table by name.
pub(crate) fn table(name: &str) -> &'static TableDef {
    TABLES.get(name).unwrap_or(&NO_TABLE)
}

/// All tables of the reference and the capture table of ours, by name.
pub(crate) fn tables() -> Vec<&'static TableDef> {
    let mut tables: Vec<&'static TableDef> = TABLES.values().collect();
    tables.sort_by_key(|table| table.name);
    tables
}

/// The migrations of an engine; versions and names are the same on each.
macro_rules! migrations {
    ($engine:literal: $($version:literal $name:literal $file:literal,)*) => {
        [$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $engine, "/", $file, ".sql")),
        },)*]
    };
    ($engine:literal) => {
        migrations!($engine:
            1 "history tables" "0001_history_tables",
            2 "control tables" "0002_control_tables",
            3 "compact format" "0003_compact",
            4 "slim heads" "0004_slim_heads",
            5 "cleaned text" "0005_cleaned_text",
            6 "schedule" "0006_schedule",
            7 "leases" "0007_leases",
            8 "any order" "0008_any_order",
            9 "suspects" "0009_suspects",
            10 "first load" "0010_first_load",
            11 "retried" "0011_retried",
            12 "deliveries" "0012_deliveries",
            13 "run totals" "0013_run_totals",
            14 "clean up" "0014_clean_up",
            15 "ids in bytes" "0015_ids_in_bytes",
            16 "access intervals" "0016_access_intervals",
            17 "access log" "0017_access_log",
            18 "access grants" "0018_access_grants",
            19 "scopes" "0019_scopes",
            20 "SQL views" "0020_sql_views",
            21 "questions" "0021_questions",
        )
    };
}

const SQLITE: &[Migration] = &migrations!("sqlite");
const POSTGRES: &[Migration] = &migrations!("postgres");

/// The migrations of a history database, in order; none for an engine that history is not kept on.
#[must_use]
pub fn migrations(engine: Engine) -> &'static [Migration] {
    match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
        Engine::MySql => &[],
    }
}

pub(crate) const DATABASE_VERSION: Stmt = Stmt::new(
    "history.database_version",
    "select schema_version from spt_hist_database_version where name = 'main'",
);

/// Makes sure that a database is a history database of this version (IIQ-16).
///
/// # Errors
/// `Schema` where migrations are missing, `Newer` where it is ahead of this program.
pub async fn open(db: &Db) -> Result<(), Error> {
    let known = migrations(db.engine());
    let applied = db.applied_migrations().await?;
    let has = |version| applied.iter().any(|migration| migration.version == version);
    if let Some(unknown) = applied.iter().find(|applied| known.iter().all(|k| k.version != applied.version)) {
        return Err(Error::Newer { version: unknown.version });
    }
    let missing: Vec<&str> =
        known.iter().filter(|migration| !has(migration.version)).map(|migration| migration.name).collect();
    if !missing.is_empty() {
        return Err(Error::Schema { missing: missing.join(", ") });
    }
    let mut tx = db.begin_read().await?;
    let version = tx.fetch_optional(&DATABASE_VERSION, Vec::new()).await?;
    tx.rollback().await?;
    match version {
        Some(_) => Ok(()),
        None => Err(Error::Schema { missing: "the row `main` of spt_hist_database_version".to_owned() }),
    }
}

/// Creates those indexes of the reference that are not there yet: `historyIndexes: reference`. Any number of times.
///
/// # Errors
/// As any call.
pub async fn create_reference_indexes(tx: &mut Tx) -> Result<(), Error> {
    let script = match tx.engine() {
        Engine::Sqlite => include_str!("../../../migrations/sqlite/reference_indexes.sql"),
        Engine::Postgres => include_str!("../../../migrations/postgres/reference_indexes.sql"),
        Engine::MySql => return Ok(()),
    };
    tx.execute_script("history.reference_indexes", script).await?;
    Ok(())
}
