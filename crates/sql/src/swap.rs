//! Rows replaced only where nobody has changed them since they were read.

use crate::bulk::{
    PARAMETERS_MAX, ROWS_PER_STATEMENT_MAX, conflict_clause, insert_head, postgres_arrays, take_rows,
};
use crate::{Batch, Engine, Error, ErrorKind, OnConflict, Result, Stmt, Tx};

impl Tx {
    /// Replaces rows of a table of ours, each named by its key columns, where they still are as they were read: `read`
    /// has what some of their columns held then, row by row. How many rows were replaced: a row that is another one by
    /// now, or gone, is passed over. Rows are locked in the order in which they are offered, and looked up through the
    /// key, whatever the engine knows of the table.
    ///
    /// # Errors
    /// From the engine, named after the table. Columns of unequal length are a `Data` error; a database that is not
    /// ours is a `Configuration` error.
    pub async fn swap(&mut self, table: &str, key: &[&str], batch: Batch, read: Batch) -> Result<u64> {
        let rows = batch.len();
        let name = format!("replace in {table}");
        if batch.columns.iter().chain(&read.columns).any(|column| column.data.len() != rows) {
            return Err(Error::data(format!("{name}: columns of unequal length")));
        }
        if rows == 0 {
            return Ok(0);
        }
        let engine = self.engine();
        let text = SwapText::of(engine, table, key, &batch, &read);
        let mut offered = batch;
        offered.columns.extend(read.columns);
        match engine {
            Engine::Postgres => {
                let text = text.offering(&format!("select * from unnest({})", postgres_arrays(&offered)));
                self.execute_arrays(&name, text, offered).await
            }
            Engine::Sqlite => {
                let width = offered.columns.len();
                let per_statement = (PARAMETERS_MAX / width).clamp(1, ROWS_PER_STATEMENT_MAX);
                let one_row = format!("(?{})", ", ?".repeat(width - 1));
                let (mut start, mut swapped) = (0, 0);
                while start < rows {
                    let count = per_statement.min(rows - start);
                    let values = format!("values {one_row}{}", format!(", {one_row}").repeat(count - 1));
                    let params = take_rows(&mut offered, start, count);
                    swapped +=
                        self.execute(&Stmt::built(name.clone(), text.offering(&values)), params).await?;
                    start += count;
                }
                Ok(swapped)
            }
            Engine::MySql => Err(Error::new(
                format!("{name}: the history database must be SQLite or PostgreSQL"),
                ErrorKind::Configuration,
            )),
        }
    }
}

/// A statement but for the rows that are offered.
struct SwapText {
    offered: String,
    insert: String,
    selected: String,
    still: String,
    replace: String,
}

impl SwapText {
    fn of(engine: Engine, table: &str, key: &[&str], batch: &Batch, read: &Batch) -> Self {
        let columns: Vec<String> = batch.columns.iter().map(|column| engine.quote(column.name)).collect();
        let was = |name: &str| engine.quote(&format!("read_{name}"));
        let offered: Vec<String> =
            columns.iter().cloned().chain(read.columns.iter().map(|column| was(column.name))).collect();
        let same_key = key.iter().map(|name| format!("kept.{0} = offered.{0}", engine.quote(name)));
        let as_read = read.columns.iter().map(|column| {
            format!("kept.{} is not distinct from offered.{}", engine.quote(column.name), was(column.name))
        });
        let condition: Vec<String> = same_key.chain(as_read).collect();
        let kept =
            format!("(select 1 from {} as kept where {}", engine.quote(table), condition.join(" and "));
        let still = match engine {
            // Whoever holds the row is waited for, and the row compared as it is then.
            Engine::Postgres => format!("cross join lateral {kept} limit 1 for update) as still"),
            // One writer at a time.
            Engine::Sqlite | Engine::MySql => format!("where exists {kept})"),
        };
        let selected: Vec<String> = columns.iter().map(|column| format!("offered.{column}")).collect();
        Self {
            offered: offered.join(", "),
            insert: insert_head(engine, table, batch),
            selected: selected.join(", "),
            still,
            replace: conflict_clause(engine, table, batch, OnConflict::Replace { key }),
        }
    }

    /// `rows` has the columns of the batch, then what was read.
    fn offering(&self, rows: &str) -> String {
        let Self { offered, insert, selected, still, replace } = self;
        format!(
            "with offered ({offered}) as ({rows}) {insert} select {selected} from offered {still}{replace}"
        )
    }
}
