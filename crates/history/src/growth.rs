//! How much history grows (IIQ-17).

use std::sync::LazyLock;

use annals_sql::{Stmt, Tx, Value as Param};

use crate::Error;
use crate::schema::{OUR_TABLES, TableDef, tables};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// One table's size and growth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableGrowth {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: i64,
    /// Bytes on disk, indexes included.
    pub bytes: i64,
    /// What was recorded on each day (UTC) since the instant asked for, in order; days without rows are left out.
    /// None for tables whose rows have no time of recording.
    pub days: Vec<DayGrowth>,
}

/// What was recorded on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayGrowth {
    /// The day's beginning in UTC, epoch milliseconds.
    pub day_ms: i64,
    /// Rows.
    pub rows: i64,
    /// Bytes of their documents as stored.
    pub document_bytes: i64,
}

struct Counting {
    table: &'static str,
    rows: Stmt,
    days: Option<Stmt>,
}

static COUNTING: LazyLock<Vec<Counting>> = LazyLock::new(|| {
    let history = tables();
    let ours = OUR_TABLES.iter().filter(|name| history.iter().all(|table| table.name != **name));
    history
        .iter()
        .map(|table| counting(table.name, Some(table)))
        .chain(ours.map(|name| counting(name, None)))
        .collect()
});

fn counting(table: &'static str, def: Option<&TableDef>) -> Counting {
    let rows = Stmt::built(format!("history.rows {table}"), format!("select count(*) from {table}"));
    let days = def.filter(|def| def.has("created")).map(|def| {
        let bytes = if def.has("json") { "coalesce(sum(length(json)), 0)" } else { "0" };
        let text = format!(
            "select created / {DAY_MS}, count(*), {bytes} from {table} where created >= ? group by 1 order by 1"
        );
        Stmt::built(format!("history.days {table}"), text)
    });
    Counting { table, rows, days }
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static Stmt> {
    COUNTING.iter().flat_map(|counting| std::iter::once(&counting.rows).chain(&counting.days)).collect()
}

/// Rows and bytes of every table, and what was recorded on each day since an instant. Counts every row: meant for
/// people who ask, not for a loop.
///
/// # Errors
/// As any call.
pub async fn growth(tx: &mut Tx, since_ms: i64) -> Result<Vec<TableGrowth>, Error> {
    let names: Vec<String> = COUNTING.iter().map(|counting| counting.table.to_owned()).collect();
    let bytes = tx.table_bytes(&names).await?;
    let mut growth = Vec::with_capacity(names.len());
    for counting in COUNTING.iter() {
        let rows = tx.fetch_one(&counting.rows, Vec::new()).await?.required_int(0)?;
        let mut days = Vec::new();
        if let Some(stmt) = &counting.days {
            for row in tx.fetch_all(stmt, vec![Param::from(since_ms)]).await? {
                days.push(DayGrowth {
                    day_ms: row.required_int(0)? * DAY_MS,
                    rows: row.required_int(1)?,
                    document_bytes: row.required_int(2)?,
                });
            }
        }
        let bytes = bytes.get(counting.table).copied().unwrap_or_default();
        growth.push(TableGrowth { table: counting.table, rows, bytes, days });
    }
    Ok(growth)
}
