//! All rows of all tables, read by statements that have nothing to do with the generator's own.

use std::collections::BTreeMap;

use annals_sql::{Cell, Db, Stmt};

/// The columns as the public description has them.
const COLUMNS: &str = include_str!("../../schema/source_columns.csv");

/// A column as the file describes it.
pub(crate) struct ColumnFact {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) key: bool,
    pub(crate) references: Option<&'static str>,
}

/// Tables with their columns as the file describes them.
pub(crate) fn facts() -> BTreeMap<&'static str, Vec<ColumnFact>> {
    let mut facts: BTreeMap<&'static str, Vec<ColumnFact>> = BTreeMap::new();
    for line in COLUMNS.lines().skip(1) {
        let fields: Vec<&'static str> = line.split(',').collect();
        facts.entry(fields[0]).or_default().push(ColumnFact {
            name: fields[1],
            kind: fields[2],
            key: fields[5] == "Y",
            references: fields[6].split_once('.').map(|(table, _)| table),
        });
    }
    facts
}

/// A row: column by name, without those that are null; flags as `0` and `1`.
pub(crate) type RowNow = BTreeMap<String, String>;

/// Rows of a table by primary key, its columns parted by `/`.
pub(crate) type TableNow = BTreeMap<String, RowNow>;

/// Everything that a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) tables: BTreeMap<&'static str, TableNow>,
}

impl Snapshot {
    /// Reads all tables that are there.
    pub(crate) async fn take(db: &Db) -> Self {
        let facts = facts();
        let mut tx = db.begin_read().await.unwrap();
        let names: Vec<String> = facts.keys().map(|name| (*name).to_owned()).collect();
        let catalog = tx.catalog(&names).await.unwrap();
        let mut tables = BTreeMap::new();
        for (table, columns) in &facts {
            let Some(present) = catalog.get(*table) else { continue };
            let columns: Vec<&ColumnFact> = columns
                .iter()
                // Columns of date and time are never filled, and would have to be cast.
                .filter(|column| column.kind != "datetime" && present.columns.contains_key(column.name))
                .collect();
            let quoted: Vec<String> = columns.iter().map(|column| db.engine().quote(column.name)).collect();
            let text = format!("select {} from {table}", quoted.join(", "));
            let rows = tx.fetch_all(&Stmt::built("test.snapshot", text), Vec::new()).await.unwrap();
            let mut table_now = TableNow::new();
            for row in rows {
                let mut row_now = RowNow::new();
                for (position, column) in columns.iter().enumerate() {
                    let value = match row.cell(position).unwrap() {
                        Cell::Null => continue,
                        Cell::Bool(flag) => i64::from(flag).to_string(),
                        Cell::Int(number) => number.to_string(),
                        Cell::Text(text) => text.to_owned(),
                        // MySQL hands text of a binary collation out as bytes.
                        Cell::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                        other => panic!("{table}.{}: {other:?}", column.name),
                    };
                    row_now.insert(column.name.to_owned(), value);
                }
                let key: Vec<&str> = columns
                    .iter()
                    .filter(|column| column.key)
                    .map(|column| row_now[column.name].as_str())
                    .collect();
                let key = key.join("/");
                assert!(table_now.insert(key, row_now).is_none(), "two rows of {table} with one key");
            }
            tables.insert(*table, table_now);
        }
        Self { tables }
    }

    /// The rows of a table.
    pub(crate) fn table(&self, table: &str) -> &TableNow {
        &self.tables[table]
    }

    /// Tables and keys of rows that differ, with both states.
    pub(crate) fn differences<'s>(&'s self, after: &'s Self) -> Vec<Difference<'s>> {
        let mut differences = Vec::new();
        for (table, rows) in &after.tables {
            let old_rows = self.table(table);
            let keys: std::collections::BTreeSet<&String> = rows.keys().chain(old_rows.keys()).collect();
            for key in keys {
                let (old, new) = (old_rows.get(key), rows.get(key));
                if old != new {
                    differences.push(Difference { table, key, old, new });
                }
            }
        }
        differences
    }
}

/// A row that differs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference<'s> {
    pub(crate) table: &'static str,
    pub(crate) key: &'s str,
    pub(crate) old: Option<&'s RowNow>,
    pub(crate) new: Option<&'s RowNow>,
}

impl Difference<'_> {
    /// The columns that differ.
    pub(crate) fn columns(&self) -> Vec<String> {
        let empty = RowNow::new();
        let (old, new) = (self.old.unwrap_or(&empty), self.new.unwrap_or(&empty));
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
    }
}
