//! Indexes as they are: what it takes to drop one and to make it again.

use crate::{Engine, Error, ErrorKind, Result, Stmt, Tx, Value};

/// An index of a table of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// It only speeds things up, or it is the table's primary key; else it may be what an upsert relies on.
    pub kind: IndexKind,
    /// The statement that makes it.
    pub create_sql: String,
    /// The statement that drops it.
    pub drop_sql: String,
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Finding rows, and nothing else.
    Plain,
    /// The primary key.
    PrimaryKey,
    /// Keeping rows apart.
    Unique,
}

const POSTGRES: Stmt = Stmt::new(
    "sql.indexes",
    "select cast(t.relname as text), cast(i.relname as text), x.indisprimary, x.indisunique,
        pg_get_constraintdef(c.oid), pg_get_indexdef(i.oid)
     from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
     left join pg_constraint c on c.conindid = i.oid and c.contype in ('p', 'u')
     where t.relnamespace = to_regnamespace(quote_ident(current_schema())) and t.relname {in}
        and pg_has_role(t.relowner, 'usage')
     order by t.relname, i.relname",
);
const SQLITE: Stmt = Stmt::new(
    "sql.indexes",
    "select tbl_name, name, 0, lower(sql) like 'create unique %', null, sql from sqlite_master
     where type = 'index' and sql is not null and tbl_name {in} order by tbl_name, name",
);

impl Engine {
    /// Makes an index on an expression while others go on to write, if there is none of this name, and has the table
    /// analysed: until an engine knows what the expression's values are it takes the index for useless. None on
    /// MySQL/MariaDB, where MariaDB has no such indexes.
    #[must_use]
    pub fn expression_index(self, name: &str, table: &str, expression: &str) -> Option<String> {
        let while_others_write = match self {
            Self::Postgres => "concurrently ",
            Self::Sqlite => "",
            Self::MySql => return None,
        };
        let (name, table) = (self.quote(name), self.quote(table));
        Some(format!(
            "create index {while_others_write}if not exists {name} on {table} (({expression}));\nanalyze {table};\n"
        ))
    }
}

impl Tx {
    /// The indexes of these tables that can be dropped: on SQLite those that have a name of ours, on PostgreSQL those of
    /// tables that belong to this user or to a role that it is a member of.
    ///
    /// # Errors
    /// As any call; a database that is not ours is a `Configuration` error.
    pub async fn indexes(&mut self, tables: &[&str]) -> Result<Vec<Index>> {
        let engine = self.engine();
        let stmt = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
            Engine::MySql => {
                let message = "indexes: the history database must be SQLite or PostgreSQL";
                return Err(Error::new(message, ErrorKind::Configuration));
            }
        };
        let tables: Vec<String> = tables.iter().map(|&table| table.to_owned()).collect();
        let mut indexes = Vec::new();
        for row in self.fetch_all(stmt, vec![Value::from(tables)]).await? {
            let (table, name) = (row.required_text(0)?.to_owned(), row.required_text(1)?.to_owned());
            let (quoted, quoted_table) = (engine.quote(&name), engine.quote(&table));
            let (create_sql, drop_sql) = match row.text(4)? {
                Some(constraint) => (
                    format!("alter table {quoted_table} add constraint {quoted} {constraint}"),
                    format!("alter table {quoted_table} drop constraint {quoted}"),
                ),
                None => (row.required_text(5)?.to_owned(), format!("drop index {quoted}")),
            };
            let kind = match (row.required_int(2)? != 0, row.required_int(3)? != 0) {
                (true, _) => IndexKind::PrimaryKey,
                (false, true) => IndexKind::Unique,
                (false, false) => IndexKind::Plain,
            };
            indexes.push(Index { table, name, kind, create_sql, drop_sql });
        }
        Ok(indexes)
    }
}
