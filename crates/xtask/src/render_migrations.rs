//! Renders the history tables' migrations from the two lists of the reference's columns and indexes.
//!
//! `migrations/history_columns.csv` and `migrations/history_indexes.csv` are the one place where the 32 tables are
//! written down; `migrations/{engine}/0001_history_tables.sql` and `migrations/{engine}/reference_indexes.sql` are
//! made from them. The control tables' migration is written by hand.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::root::Root;

const COLUMNS: &str = "migrations/history_columns.csv";
const INDEXES: &str = "migrations/history_indexes.csv";

/// What opens the first migration: why it is there and where it differs from the reference.
const REASON: &str = "\
-- The history tables: all tables and columns that IdentityIQ 8.4 Access History has, by the same names, so that
-- reports written for it work here. Rendered from migrations/history_columns.csv by `cargo x render-migrations`.
--
-- Where it differs from the reference, and why:
-- * `json` is bytes: ZIPPED is raw zlib, not base64 of it, which would be a third larger. `json_format` says what a row
--   holds; spt_hist_certification has no such column, there the first byte tells (zlib begins with x'78', JSON with {).
-- * `*_ci` are no columns but expression indexes on upper(x), and only where a search needs one.
-- * No foreign keys. All rows of a capture are written in one transaction by one writer, so they would find nothing;
--   each would cost a look-up per child row, and retention may remove parents and children in any order.
-- * Each capture table has an index on (object id, effective_date desc): every question about a past instant, and the
--   writer's recognition of duplicates, starts there. Of the reference's own indexes only those stand here that a
--   search needs: its twenty on one table cost six times the write. The whole set is in reference_indexes.sql, applied
--   when the service's setting `historyIndexes` is `reference`.
-- * Child rows need no index of their own: their primary key begins with the capture's id.
";

const SQLITE_NOTE: &str = "\
-- * SQLite: tables are strict; a varchar(n) is text, cut to n characters by the writer as on PostgreSQL; child rows
--   live in their primary key's tree (without rowid).
";

const POSTGRES_NOTE: &str = "\
-- * PostgreSQL: booleans are smallint, as on DB2. Documents are stored as they come (storage external): they are
--   compressed already, and trying once more costs time and gains nothing.
";

const VERSION_ROW: &str = "
-- A system that reads this database refuses to start without this row.
insert into spt_hist_database_version (name, system_version, schema_version) values ('main', '8.4-00', '8.4-87');
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    const ALL: [Dialect; 2] = [Self::Sqlite, Self::Postgres];

    const fn folder(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// An index that a search of ours needs.
struct Search {
    table: &'static str,
    suffix: &'static str,
    unique: bool,
    on: &'static str,
    only: Option<&'static str>,
    reason: &'static str,
}

const fn entity(table: &'static str, on: &'static str) -> Search {
    let reason = "One row an object, found by its id whenever the writer brings it up to date.";
    Search { table, suffix: "object", unique: true, on, only: None, reason }
}

const fn by_name(table: &'static str, suffix: &'static str, on: &'static str) -> Search {
    Search {
        table,
        suffix,
        unique: false,
        on,
        only: None,
        reason: "People search by what they call it, without case; one row an object, so it stays small.",
    }
}

const fn timeline(table: &'static str) -> Search {
    let reason = "The timeline of an object, paged by when an event was recorded.";
    Search { table, suffix: "timeline", unique: false, on: "entity_id, created, id", only: None, reason }
}

const fn event_of(
    suffix: &'static str,
    on: &'static str,
    only: &'static str,
    reason: &'static str,
) -> Search {
    Search { table: "spt_hist_identity_event", suffix, unique: false, on, only: Some(only), reason }
}

const SEARCHES: [Search; 21] = [
    entity("spt_hist_identity", "identity_id"),
    by_name("spt_hist_identity", "name", "upper(name)"),
    by_name("spt_hist_identity", "display_name", "upper(display_name)"),
    by_name("spt_hist_identity", "lastname", "upper(lastname)"),
    by_name("spt_hist_identity", "firstname", "upper(firstname)"),
    by_name("spt_hist_identity", "email", "upper(email)"),
    entity("spt_hist_mattr", "mattr_id"),
    by_name("spt_hist_mattr", "display_name", "upper(display_name)"),
    entity("spt_hist_role", "role_id"),
    by_name("spt_hist_role", "name", "upper(name)"),
    entity("spt_hist_capability", "capability_id"),
    entity("spt_hist_workgroup", "workgroup_id"),
    by_name("spt_hist_workgroup", "name", "upper(name)"),
    entity("spt_hist_certification", "cert_id"),
    timeline("spt_hist_identity_event"),
    timeline("spt_hist_mattr_event"),
    timeline("spt_hist_role_event"),
    timeline("spt_hist_workgroup_event"),
    event_of(
        "account",
        "account_id, created, id",
        "account_id is not null",
        "The timeline of an account, which has no event table of its own. Partial: most events concern none.",
    ),
    event_of(
        "entitlement",
        "identity_entitlement_id, created, id",
        "identity_entitlement_id is not null",
        "The timeline of an entitlement, likewise.",
    ),
    event_of(
        "request",
        "identity_request_id, created, id",
        "identity_request_id is not null",
        "What an access request brought about; what its items did is found among these.",
    ),
];

struct Column {
    name: String,
    kind: String,
    length: String,
    nullable: bool,
    generated: String,
    key: bool,
}

struct Table {
    name: String,
    columns: Vec<Column>,
}

struct ReferenceIndex {
    table: String,
    columns: Vec<String>,
    unique: bool,
}

/// Writes the rendered migrations; with `check` only compares, and fails when one is not current.
pub(crate) fn run(root: &Root, check: bool) -> Result<()> {
    let read = |path: &str| {
        fs::read_to_string(root.folder().join(path)).with_context(|| format!("cannot read {path}"))
    };
    let tables = parse_columns(&read(COLUMNS)?)?;
    let indexes = parse_indexes(&read(INDEXES)?)?;
    for dialect in Dialect::ALL {
        let folder = format!("migrations/{}", dialect.folder());
        let rendered = [
            (format!("{folder}/0001_history_tables.sql"), history_tables(&tables, dialect)?),
            (format!("{folder}/reference_indexes.sql"), reference_indexes(&tables, &indexes)?),
        ];
        for (path, text) in rendered {
            if check {
                if read(&path).unwrap_or_default() != text {
                    bail!("{path} is not what {COLUMNS} renders to: run `cargo x render-migrations`");
                }
            } else {
                fs::write(root.folder().join(&path), text).with_context(|| format!("cannot write {path}"))?;
            }
        }
    }
    Ok(())
}

fn parse_columns(csv: &str) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for (number, line) in csv.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [table, _, name, kind, length, nullable, generated, key, _] = fields[..] else {
            bail!("{COLUMNS}:{}: expected 9 fields, found {}", number + 1, fields.len());
        };
        let column = Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            length: length.to_owned(),
            nullable: nullable == "YES",
            generated: generated.to_owned(),
            key: key == "Y",
        };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Table { name: table.to_owned(), columns: vec![column] }),
        }
    }
    Ok(tables)
}

fn parse_indexes(csv: &str) -> Result<Vec<ReferenceIndex>> {
    csv.lines()
        .enumerate()
        .skip(1)
        .map(|(number, line)| {
            let fields: Vec<&str> = line.split(',').collect();
            let [table, columns, unique] = fields[..] else {
                bail!("{INDEXES}:{}: expected 3 fields, found {}", number + 1, fields.len());
            };
            let columns = columns.split('|').map(str::to_owned).collect();
            Ok(ReferenceIndex { table: table.to_owned(), columns, unique: unique == "Y" })
        })
        .collect()
}

fn column_type(column: &Column, dialect: Dialect) -> Result<String> {
    let document = column.name == "json";
    Ok(match (dialect, column.kind.as_str()) {
        (Dialect::Sqlite, "clob") if document => "blob".to_owned(),
        (Dialect::Sqlite, "varchar" | "clob") => "text".to_owned(),
        (Dialect::Sqlite, "bigint" | "integer" | "smallint") => "integer".to_owned(),
        (Dialect::Postgres, "clob") if document => "bytea".to_owned(),
        (Dialect::Postgres, "clob") => "text".to_owned(),
        (Dialect::Postgres, "varchar") => format!("varchar({})", column.length),
        (Dialect::Postgres, kind @ ("bigint" | "integer" | "smallint")) => kind.to_owned(),
        (_, kind) => bail!("{COLUMNS}: column {} has type {kind}, which is not known here", column.name),
    })
}

/// The table's definition and what is set on it.
fn create_table(table: &Table, dialect: Dialect) -> Result<String> {
    let stored: Vec<&Column> = table.columns.iter().filter(|column| column.generated.is_empty()).collect();
    let key: Vec<&str> =
        stored.iter().filter(|column| column.key).map(|column| column.name.as_str()).collect();
    let mut lines = Vec::new();
    for column in &stored {
        let mut line = format!("    {} {}", column.name, column_type(column, dialect)?);
        if !column.nullable {
            line.push_str(" not null");
        }
        if key == [column.name.as_str()] {
            line.push_str(" primary key");
        }
        lines.push(line);
    }
    if key.len() > 1 {
        lines.push(format!("    primary key ({})", key.join(", ")));
    }
    let options = match dialect {
        Dialect::Sqlite if key.len() > 1 => " strict, without rowid",
        Dialect::Sqlite => " strict",
        Dialect::Postgres => "",
    };
    let mut sql = format!("create table {} (\n{}\n){options};\n", table.name, lines.join(",\n"));
    if dialect == Dialect::Postgres && stored.iter().any(|column| column.name == "json") {
        writeln!(sql, "alter table {} alter column json set storage external;", table.name)?;
    }
    Ok(sql)
}

/// The column that names the object in a capture table.
fn object_column(table: &Table) -> Result<Option<&str>> {
    if !table.columns.iter().any(|column| column.name == "effective_date") {
        return Ok(None);
    }
    let column = match table.name.as_str() {
        "spt_hist_identity_capture" => "identity_id",
        "spt_hist_account_capture" => "account_id",
        "spt_hist_role_capture" => "role_id",
        "spt_hist_entitlement_capture" => "identity_entitlement_id",
        "spt_hist_mattr_capture" => "mattr_id",
        "spt_hist_cert_remediation_capture" => "certification_item_id",
        "spt_hist_identity_req_capture" => "identity_request_id",
        "spt_hist_identity_req_item_capture" => "identity_request_item_id",
        "spt_hist_policy_violation_capture" => "policy_violation_id",
        "spt_hist_policy_violation_remediation_capture" => "identity_history_item_id",
        "spt_hist_capability_capture" => "capability_id",
        "spt_hist_workgroup_capture" => "workgroup_id",
        "spt_hist_object_config_capture" => "object_config_id",
        other => bail!("{other} is a capture table whose object is not known here"),
    };
    Ok(Some(column))
}

fn history_tables(tables: &[Table], dialect: Dialect) -> Result<String> {
    let note = match dialect {
        Dialect::Sqlite => SQLITE_NOTE,
        Dialect::Postgres => POSTGRES_NOTE,
    };
    let mut sql = format!("{REASON}{note}");
    for table in tables {
        write!(sql, "\n{}", create_table(table, dialect)?)?;
        if let Some(column) = object_column(table)? {
            writeln!(sql, "create index {0}_object on {0} ({column}, effective_date desc);", table.name)?;
        }
        for search in SEARCHES.iter().filter(|search| search.table == table.name) {
            writeln!(sql, "-- {}", search.reason)?;
            let unique = if search.unique { "unique " } else { "" };
            let only = search.only.map(|only| format!(" where {only}")).unwrap_or_default();
            writeln!(
                sql,
                "create {unique}index {0}_{1} on {0} ({2}){only};",
                search.table, search.suffix, search.on
            )?;
        }
    }
    sql.push_str(VERSION_ROW);
    Ok(sql)
}

/// The reference's indexes, but for those that the first migration has just so. Named by number within their table,
/// for the columns' names together are longer than an identifier may be.
fn reference_indexes(tables: &[Table], indexes: &[ReferenceIndex]) -> Result<String> {
    let mut sql = String::from(
        "-- All indexes of the reference, for those who run its reports here (`historyIndexes: reference`). Applied on\n\
         -- demand, any number of times; rendered from migrations/history_indexes.csv by `cargo x render-migrations`.\n",
    );
    let mut number = 0;
    let mut last = "";
    for index in indexes {
        let Some(table) = tables.iter().find(|table| table.name == index.table) else {
            bail!("{INDEXES}: no table {}", index.table);
        };
        number = if index.table == last { number + 1 } else { 1 };
        if index.table != last {
            sql.push('\n');
        }
        last = &index.table;
        let on = index
            .columns
            .iter()
            .map(|name| {
                let column = table.columns.iter().find(|column| column.name == *name);
                let column = column.with_context(|| format!("{INDEXES}: no column {}.{name}", table.name))?;
                Ok(if column.generated.is_empty() { name.as_str() } else { column.generated.as_str() })
            })
            .collect::<Result<Vec<&str>>>()?
            .join(", ");
        let same = |search: &Search| {
            search.table == table.name
                && search.on == on
                && search.unique == index.unique
                && search.only.is_none()
        };
        if SEARCHES.iter().any(same) {
            continue;
        }
        let unique = if index.unique { "unique " } else { "" };
        writeln!(sql, "create {unique}index if not exists {0}_ref_{number} on {0} ({on});", table.name)?;
    }
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_TABLES: &str = "table,position,column,type,length,nullable,generated,primary_key,references\n\
        spt_hist_role_capture,1,id,varchar,32,NO,,Y,\n\
        spt_hist_role_capture,2,role_id,varchar,32,NO,,N,\n\
        spt_hist_role_capture,3,effective_date,bigint,,NO,,N,\n\
        spt_hist_role_capture,4,json,clob,100000000,YES,,N,\n\
        spt_hist_role_capture,5,type,varchar,128,YES,,N,\n\
        spt_hist_role_capture,6,type_ci,varchar,128,YES,upper(type),N,\n\
        spt_hist_accounts,1,capture_id,varchar,32,NO,,Y,spt_hist_identity_capture.id\n\
        spt_hist_accounts,2,idx,integer,,NO,,Y,\n";

    #[test]
    fn a_capture_table_has_bytes_for_its_documents_and_no_generated_columns() {
        let tables = parse_columns(TWO_TABLES).unwrap();
        assert_eq!(
            create_table(&tables[0], Dialect::Postgres).unwrap(),
            "create table spt_hist_role_capture (\n    id varchar(32) not null primary key,\n    \
             role_id varchar(32) not null,\n    effective_date bigint not null,\n    json bytea,\n    \
             type varchar(128)\n);\n\
             alter table spt_hist_role_capture alter column json set storage external;\n"
        );
    }

    #[test]
    fn child_rows_are_keyed_by_capture_and_position() {
        let tables = parse_columns(TWO_TABLES).unwrap();
        assert_eq!(
            create_table(&tables[1], Dialect::Sqlite).unwrap(),
            "create table spt_hist_accounts (\n    capture_id text not null,\n    idx integer not null,\n    \
             primary key (capture_id, idx)\n) strict, without rowid;\n"
        );
    }

    #[test]
    fn a_generated_column_is_indexed_as_its_expression() {
        let tables = parse_columns(TWO_TABLES).unwrap();
        let indexes =
            parse_indexes("table,columns,unique\nspt_hist_role_capture,role_id|type_ci,N\n").unwrap();
        let sql = reference_indexes(&tables, &indexes).unwrap();
        let expected = "create index if not exists spt_hist_role_capture_ref_1 on spt_hist_role_capture \
                        (role_id, upper(type));";
        assert_eq!(sql.lines().last(), Some(expected));
    }

    #[test]
    fn an_unknown_type_or_column_is_refused() {
        let wrong = TWO_TABLES.replace("bigint", "timestamp");
        assert!(history_tables(&parse_columns(&wrong).unwrap(), Dialect::Sqlite).is_err());
        let indexes = parse_indexes("table,columns,unique\nspt_hist_role_capture,gone,N\n").unwrap();
        assert!(reference_indexes(&parse_columns(TWO_TABLES).unwrap(), &indexes).is_err());
    }
}
