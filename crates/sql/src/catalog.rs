//! What tables and columns a database really has.

use std::collections::BTreeMap;

use crate::{Engine, Error, ErrorKind, Result, Stmt, Tx, Value};

/// A table found in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogTable {
    /// Its real name, case included.
    pub name: String,
    /// Columns by lower-cased name.
    pub columns: BTreeMap<String, CatalogColumn>,
}

/// A column found in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogColumn {
    /// Its real name, case included.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// It holds instants, which an engine shows in a zone of the session's choice.
    pub is_zoned: bool,
    /// The most characters or bytes that the engine lets into it; none where it sets no bound.
    pub width_max: Option<i64>,
}

/// What a column holds, as far as a statement has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers, bits, booleans kept as numbers.
    Integer,
    /// Booleans.
    Boolean,
    /// Floating point numbers.
    Float,
    /// Exact decimals, which are read as text.
    Decimal,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Date and time.
    DateTime,
    /// Anything else, which is read as text.
    Other,
}

impl ColumnKind {
    /// Reads the type name of a catalogue.
    #[must_use]
    pub fn of_type_name(type_name: &str) -> Self {
        let name = type_name.to_ascii_lowercase();
        let word = name.split(['(', ' ']).next().unwrap_or_default();
        match word {
            "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "bit" | "int2" | "int4"
            | "int8" | "serial" | "bigserial" => Self::Integer,
            "boolean" | "bool" => Self::Boolean,
            "float" | "double" | "real" | "float4" | "float8" => Self::Float,
            "numeric" | "decimal" => Self::Decimal,
            "bytea" | "blob" | "tinyblob" | "mediumblob" | "longblob" | "binary" | "varbinary" => Self::Bytes,
            "timestamp" | "datetime" | "date" => Self::DateTime,
            "text" | "clob" | "tinytext" | "mediumtext" | "longtext" | "enum" | "name" | "json" => Self::Text,
            "" => Self::Other,
            _ if word.contains("char") || word.contains("text") || word.contains("clob") => Self::Text,
            _ => Self::Other,
        }
    }
}

// SQLite enforces no width.
const SQLITE: Stmt = Stmt::new(
    "sql.catalog",
    "select m.name, c.name, c.type, null from sqlite_master m join pragma_table_info(m.name) c
     where m.type in ('table', 'view') and lower(m.name) {in} order by m.name, c.cid",
);
const POSTGRES: Stmt = Stmt::new(
    "sql.catalog",
    "select cast(table_name as text), cast(column_name as text), cast(data_type as text),
       cast(character_maximum_length as bigint)
     from information_schema.columns
     where table_schema = any(current_schemas(false)) and lower(table_name) {in}
     order by table_name, ordinal_position",
);
const MYSQL: Stmt = Stmt::new(
    "sql.catalog",
    "select table_name, column_name, data_type, cast(character_maximum_length as signed) from information_schema.columns
     where table_schema = database() and lower(table_name) {in} order by table_name, ordinal_position",
);

impl Tx {
    /// The tables of these names (compared without case) that exist, by lower-cased name.
    ///
    /// # Errors
    /// As any call.
    pub async fn catalog(&mut self, tables: &[String]) -> Result<BTreeMap<String, CatalogTable>> {
        let stmt = match self.engine() {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
            Engine::MySql => &MYSQL,
        };
        let names: Vec<String> = tables.iter().map(|name| name.to_lowercase()).collect();
        let mut found: BTreeMap<String, CatalogTable> = BTreeMap::new();
        for row in self.fetch_all(stmt, vec![Value::TextList(names)]).await? {
            let [table, column, type_name] = [0, 1, 2].map(|index| {
                row.bytes(index).map(|bytes| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned())
            });
            let (table, column, type_name) = (table?, column?, type_name?);
            let entry = found
                .entry(table.to_lowercase())
                .or_insert_with(|| CatalogTable { name: table.clone(), columns: BTreeMap::new() });
            if entry.name != table {
                return Err(Error::new(
                    format!(
                        "the database has tables `{}` and `{table}`, which differ in case only",
                        entry.name
                    ),
                    ErrorKind::Configuration,
                ));
            }
            let kind = ColumnKind::of_type_name(&type_name);
            let is_zoned = self.engine() == Engine::Postgres && type_name == "timestamp with time zone";
            let found = CatalogColumn { name: column.clone(), kind, is_zoned, width_max: row.int(3)? };
            entry.columns.insert(column.to_lowercase(), found);
        }
        Ok(found)
    }
}
