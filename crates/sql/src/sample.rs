//! A few rows that stand for a whole table, at a cost that does not grow with it.

use crate::{Engine, Error, ErrorKind, Result, Row, Stmt, Tx, Value};

/// Rows of a PostgreSQL table that was never analysed are counted, but no further than this.
const COUNTED_MAX: i64 = 100_000;

/// A sample of a table.
#[derive(Debug)]
pub struct Sample {
    /// Rows of the table: exact on SQLite as long as none are deleted, else as the engine last estimated.
    pub table_rows: i64,
    /// The sampled rows, in no order.
    pub rows: Vec<Row>,
}

impl Tx {
    /// About how many rows a table of ours has, without counting them.
    ///
    /// # Errors
    /// As any call; `Configuration` on a database that is not ours.
    pub async fn estimate_rows(&mut self, table: &str) -> Result<i64> {
        let name = format!("sql.estimate {table}");
        let quoted = self.engine().quote(table);
        match self.engine() {
            Engine::Sqlite => {
                let text = format!("select coalesce(max(rowid), 0) from {quoted}");
                self.fetch_one(&Stmt::built(name, text), Vec::new()).await?.required_int(0)
            }
            Engine::Postgres => {
                const ESTIMATE: Stmt = Stmt::new(
                    "sql.estimate",
                    "select cast(reltuples as bigint) from pg_class where oid = to_regclass(?)",
                );
                let row = self.fetch_one(&ESTIMATE, vec![Value::from(quoted.as_str())]).await?;
                let estimated = row.required_int(0)?;
                if estimated > 0 {
                    return Ok(estimated);
                }
                let text = format!("select count(*) from (select 1 from {quoted} limit ?) few");
                let row = self.fetch_one(&Stmt::built(name, text), vec![Value::from(COUNTED_MAX)]).await?;
                row.required_int(0)
            }
            Engine::MySql => Err(Error::new(
                "sql.estimate: the history database must be SQLite or PostgreSQL",
                ErrorKind::Configuration,
            )),
        }
    }

    /// At most so many rows from all over a table of ours; `columns` are those of a select list.
    ///
    /// # Errors
    /// As any call; `Configuration` on a database that is not ours.
    pub async fn sample(&mut self, table: &str, columns: &str, rows_max: u32) -> Result<Sample> {
        let table_rows = self.estimate_rows(table).await?;
        let wanted = i64::from(rows_max);
        let name = format!("sql.sample {table}");
        let quoted = self.engine().quote(table);
        let (text, params) = if self.engine() == Engine::Sqlite {
            let rows = wanted.min(table_rows);
            let numbers = (0..rows).map(|nth| 1 + nth * table_rows / rows).collect();
            (format!("select {columns} from {quoted} where rowid {{in}}"), vec![Value::IntList(numbers)])
        } else {
            // Whole pages are taken at random, so a little more than enough of them.
            let percent = 120.0 * f64::from(rows_max) / table_rows.max(1) as f64;
            (
                format!(
                    "select {columns} from {quoted} tablesample system (cast(? as real)) repeatable (1) limit ?"
                ),
                vec![Value::from(percent.min(100.0)), Value::from(wanted)],
            )
        };
        let rows = self.fetch_all(&Stmt::built(name, text), params).await?;
        Ok(Sample { table_rows, rows })
    }
}
