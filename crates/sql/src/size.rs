//! How much room tables take.

use std::collections::BTreeMap;

use crate::{Engine, Error, ErrorKind, Result, Stmt, Tx, Value};

/// Pages of a table and its indexes. `dbstat` reads the whole file: a few seconds a gigabyte.
const SQLITE: Stmt = Stmt::new(
    "sql.sizes",
    "select m.tbl_name, sum(s.pgsize) from sqlite_master m join dbstat s on s.name = m.name and s.aggregate = 1
     where m.tbl_name {in} group by m.tbl_name",
);
const POSTGRES: Stmt = Stmt::new(
    "sql.sizes",
    "select cast(c.relname as text), pg_total_relation_size(c.oid) from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname = any(current_schemas(false)) and c.relname {in}",
);

impl Tx {
    /// Bytes that each of these tables takes on disk, its indexes and large values included; tables that are not
    /// there are left out.
    ///
    /// # Errors
    /// As any call; `Configuration` on a database that is not ours.
    pub async fn table_bytes(&mut self, tables: &[String]) -> Result<BTreeMap<String, i64>> {
        let stmt = match self.engine() {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
            Engine::MySql => {
                return Err(Error::new(
                    "sql.sizes: the history database must be SQLite or PostgreSQL",
                    ErrorKind::Configuration,
                ));
            }
        };
        let rows = self.fetch_all(stmt, vec![Value::TextList(tables.to_vec())]).await?;
        rows.iter().map(|row| Ok((row.required_text(0)?.to_owned(), row.required_int(1)?))).collect()
    }
}
