//! The floor: what copying the source's rows into another database costs, with no history made of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::meter::{Running, Usage};
use super::server::{Server, printed};
use crate::interrupt::Interrupts;

/// The identity system's tables that hold rows. An empty one has nothing to copy.
const TABLES: &str = "\
select quote_ident(relname) from pg_class
 where relkind = 'r' and relnamespace = 'public'::regnamespace and relname like 'spt\\_%' and reltuples > 0
 order by relname";

/// Makes an empty database with the source's tables, without keys and indexes.
pub(super) fn prepare(server: &Server, interrupts: &Interrupts, source: &str, target: &str) -> Result<()> {
    server.make_database(target, None)?;
    let mut into = server.psql(target);
    into.args(["-f", "-"]).stdout(Stdio::null());
    pipe(interrupts, &mut server.table_definitions(source), &mut into).map(drop)
}

/// Tables of a vacuumed source that have rows.
pub(super) fn tables(server: &Server, source: &str) -> Result<Vec<String>> {
    Ok(server.sql(source, TABLES)?.lines().map(str::to_owned).collect())
}

/// Copies the tables, one after the other, in binary form from a session on the source to a session on the target.
/// Two sessions for all tables: a start of `psql` for each would cost as much as the rows of a small one.
pub(super) fn copy(
    server: &Server,
    interrupts: &Interrupts,
    tables: &[String],
    source: &str,
    target: &str,
) -> Result<Usage> {
    let folder = TempDir::with_prefix("annals-floor-").context("cannot make a folder for pipes")?;
    // A pipe for each table, for the end of one is how the reader learns that the table is complete.
    let pipes: Vec<PathBuf> =
        (0..tables.len()).map(|number| folder.path().join(number.to_string())).collect();
    printed(Command::new("mkfifo").args(&pipes))?;
    let session = |database: &str, direction: &str| -> Result<Command> {
        let copies = tables.iter().zip(&pipes).map(|(table, pipe)| {
            let pipe = pipe.to_string_lossy().replace('\'', "''");
            format!("\\copy {table} {direction} '{pipe}' (format binary)\n")
        });
        let script = folder.path().join(direction);
        fs::write(&script, copies.collect::<String>()).context("cannot write a script for psql")?;
        let mut psql = server.psql(database);
        psql.arg("-f").arg(script);
        Ok(psql)
    };
    let (mut from, mut into) = (session(source, "to")?, session(target, "from")?);
    let mut running = Running::start(&mut from)?;
    running.add(&mut into)?;
    running.end(interrupts)
}

/// Runs two programs to their ends, the second one reading what the first one writes.
fn pipe(interrupts: &Interrupts, from: &mut Command, into: &mut Command) -> Result<Usage> {
    let mut running = Running::start(from.stdout(Stdio::piped()))?;
    let written = running.last()?.stdout.take().context("a piped program has no output")?;
    running.add(into.stdin(written))?;
    running.end(interrupts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows arrive, in tables that have no index; what is empty or not the identity system's stays.
    #[test]
    fn rows_are_copied_and_nothing_else() {
        let server = Server::start().unwrap();
        server.make_database("source", None).unwrap();
        let source = "create table spt_a (id int primary key, x text); create index spt_a_x on spt_a (x);
                      insert into spt_a select n, repeat('x', n) from generate_series(1, 300) as n;
                      create table spt_b (b bytea); insert into spt_b values ('\\x00ff0a27');
                      create table spt_empty (id int); create table other (id int); insert into other values (1)";
        server.sql("source", source).unwrap();
        server.sql("source", "vacuum (analyze)").unwrap();
        let tables = tables(&server, "source").unwrap();
        assert_eq!(tables, ["spt_a", "spt_b"]);
        let interrupts = Interrupts::deaf();
        prepare(&server, &interrupts, "source", "copied").unwrap();
        let usage = copy(&server, &interrupts, &tables, "source", "copied").unwrap();

        let count = "select count(*), sum(length(x)) from spt_a";
        assert_eq!(server.sql("copied", count).unwrap(), "300\t45150\n");
        assert_eq!(
            server.sql("copied", "select count(*) from pg_indexes where schemaname = 'public'").unwrap(),
            "0\n"
        );
        assert_eq!(server.sql("copied", "select count(*) from other").unwrap(), "0\n");
        assert_eq!(server.sql("copied", "select b from spt_b").unwrap(), "\\x00ff0a27\n");
        assert!(!usage.wall.is_zero());
    }
}
