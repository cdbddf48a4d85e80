//! The history database of a benchmark: where it is, how large its tables have become.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::server::{Server, printed};

/// The engine that history is kept on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HistoryEngine {
    /// A database of the server that the source is on as well.
    Postgres,
    /// A file.
    Sqlite,
}

/// A history database.
#[derive(Debug)]
pub(crate) enum History {
    /// By its name on the server.
    Postgres(&'static str),
    /// By its file.
    Sqlite(PathBuf),
}

/// What a table takes, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TableSize {
    /// Its name.
    pub(crate) table: String,
    /// Its rows, those stored apart included.
    pub(crate) table_bytes: u64,
    /// All its indexes.
    pub(crate) index_bytes: u64,
}

/// Bytes of these tables, and of their indexes.
pub(crate) fn total<'s>(sizes: impl IntoIterator<Item = &'s TableSize>) -> (u64, u64) {
    let add = |(tables, indexes), size: &TableSize| (tables + size.table_bytes, indexes + size.index_bytes);
    sizes.into_iter().fold((0, 0), add)
}

const POSTGRES_SIZES: &str = "\
select relname, pg_table_size(oid), pg_indexes_size(oid)
  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname";

/// A page belongs to a table or to one of its indexes; the table of the schema itself is not listed in it.
const SQLITE_SIZES: &str = "\
select coalesce(s.tbl_name, d.name) as owner,
       sum(case when s.type = 'index' then 0 else d.pgsize end), sum(case when s.type = 'index' then d.pgsize else 0 end)
  from dbstat('main', 1) d left join sqlite_schema s on s.name = d.name group by owner order by owner";

impl History {
    /// Its URL in a configuration.
    pub(crate) fn url(&self, server: &Server) -> String {
        match self {
            Self::Postgres(database) => server.url(database),
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
        }
    }

    /// Runs statements and returns what they print, columns parted by tabs.
    pub(crate) fn sql(&self, server: &Server, statements: &str) -> Result<String> {
        match self {
            Self::Postgres(database) => server.sql(database, statements),
            Self::Sqlite(file) => printed(
                Command::new("sqlite3")
                    .args(["-batch", "-bail", "-separator", "\t"])
                    .arg(file)
                    .arg(statements),
            ),
        }
    }

    /// Does what the server does by itself between two nights, but not between two steps that follow at once.
    pub(crate) fn settle(&self, server: &Server) -> Result<()> {
        match self {
            Self::Postgres(database) => server.sql(database, "vacuum (analyze)").map(drop),
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// What its tables take now, by name.
    pub(crate) fn sizes(&self, server: &Server) -> Result<Vec<TableSize>> {
        let query = match self {
            Self::Postgres(_) => POSTGRES_SIZES,
            Self::Sqlite(_) => SQLITE_SIZES,
        };
        self.sql(server, query)?.lines().map(parse_size).collect()
    }

    /// Says how far the source has been read. The source's days are simulated while its clock is not, and the run
    /// that has just ended took the clock's word.
    pub(crate) fn put_named_timestamp(&self, server: &Server, instant_ms: i64) -> Result<()> {
        let update = format!("update annals_named_timestamp set timestamp_ms = {instant_ms} returning task");
        let moved = self.sql(server, &update)?;
        ensure!(moved.lines().count() == 1, "the run has left {} named timestamps", moved.lines().count());
        Ok(())
    }
}

fn parse_size(row: &str) -> Result<TableSize> {
    let mut columns = row.split('\t');
    let mut next = || columns.next().with_context(|| format!("not a table's size: {row}"));
    let (table, table_bytes, index_bytes) = (next()?.to_owned(), next()?.parse()?, next()?.parse()?);
    Ok(TableSize { table, table_bytes, index_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_from_a_row() {
        let size = TableSize { table: "t".to_owned(), table_bytes: 8192, index_bytes: 16384 };
        assert_eq!(parse_size("t\t8192\t16384").unwrap(), size);
        assert!(parse_size("t\t8192").is_err());
        assert!(parse_size("t\tlarge\t1").is_err());
    }

    /// Rows of 1,000 characters take at least that in the table, and their numbers in the index take far less; a
    /// table without row ids lives in its key's tree and has no index.
    #[test]
    fn pages_of_a_file_are_told_apart_by_table_and_index() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::Sqlite(folder.path().join("history.db"));
        let server = Server::start().unwrap();
        let rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)";
        history
            .sql(
                &server,
                &format!(
                    "create table a (i integer, x text); create index a_i on a (i);
                     create table b (i integer primary key, x text) without rowid;
                     insert into a {rows} select i, printf('%1000d', i) from n;
                     insert into b {rows} select i, printf('%1000d', i) from n;"
                ),
            )
            .unwrap();
        let sizes = history.sizes(&server).unwrap();
        let of = |table: &str| sizes.iter().find(|size| size.table == table).unwrap();
        assert!(of("a").table_bytes >= 1_000_000, "{sizes:?}");
        assert!((10_000..100_000).contains(&of("a").index_bytes), "{sizes:?}");
        assert!(of("b").table_bytes >= 1_000_000 && of("b").index_bytes == 0, "{sizes:?}");
    }

    #[test]
    fn the_named_timestamp_is_put_where_it_is_said() {
        let server = Server::start().unwrap();
        let history = History::Postgres("postgres");
        let table = "create table annals_named_timestamp (task text, timestamp_ms bigint)";
        history.sql(&server, table).unwrap();
        assert!(history.put_named_timestamp(&server, 5).is_err());
        history.sql(&server, "insert into annals_named_timestamp values ('nightly', 99)").unwrap();
        history.put_named_timestamp(&server, 5).unwrap();
        assert_eq!(history.sql(&server, "select * from annals_named_timestamp").unwrap(), "nightly\t5\n");
    }
}
