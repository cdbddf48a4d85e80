//! The floor of writing to a SQLite file: the rows of a history that is there, inserted into another file by prepared
//! statements.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::server::printed;

/// Uses Python's own driver, for which nothing has to be built.
const SCRIPT: &str = include_str!("inserts.py");

/// What inserting has taken, reading not included.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inserted {
    wall_seconds: f64,
    cpu_seconds: f64,
    other_cpu_seconds: f64,
    /// Rows of all tables.
    pub(super) rows: u64,
    /// Those of them that are captures.
    pub(super) captures: u64,
}

impl Inserted {
    /// From the first row to the closed file.
    pub(super) fn wall(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.wall_seconds)?)
    }

    /// User and system time of the inserting process.
    pub(super) fn cpu(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.cpu_seconds)?)
    }

    /// What the machine spent meanwhile on anything else.
    pub(super) fn other_cpu(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.other_cpu_seconds)?)
    }
}

/// Makes a new file with the schema of a history file and inserts what was captured: captures, child rows, events,
/// entities and heads, row by row, in transactions of as many captures as the program's.
pub(super) fn insert(history: &Path, target: &Path) -> Result<Inserted> {
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(history).arg(target);
    serde_json::from_str(&printed(&mut python)?).context("the inserts tell no figures")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(file: &Path, statements: &str) -> String {
        printed(Command::new("sqlite3").args(["-batch", "-bail"]).arg(file).arg(statements)).unwrap()
    }

    /// 1,700 captures are four transactions, each with a part of every table; rows, key order and indexes are the
    /// same afterwards, and what runs note for themselves is left away.
    #[test]
    fn what_was_captured_stands_in_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (history, target) = (folder.path().join("history.db"), folder.path().join("inserts.db"));
        let rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1700)";
        sqlite(
            &history,
            &format!(
                "create table spt_hist_role_capture (id text, json blob, latest integer);
                 create index role_latest on spt_hist_role_capture (latest) where latest = 1;
                 create table spt_hist_role (id integer primary key, name text);
                 create table annals_head (kind integer, id text, primary key (kind, id)) without rowid;
                 create table annals_run (id integer primary key autoincrement, task text);
                 insert into spt_hist_role_capture {rows} select printf('c%d', i), randomblob(i % 99), i % 2 from n;
                 insert into spt_hist_role values (7, 'seven'), (9, null), (8, 'eight');
                 insert into annals_head {rows} select 1, printf('o%d', i) from n;
                 insert into annals_run (task) values ('nightly');"
            ),
        );
        let inserted = insert(&history, &target).unwrap();
        assert_eq!((inserted.rows, inserted.captures), (1_700 + 3 + 1_700, 1_700));
        assert!(inserted.wall_seconds > 0.0 && inserted.cpu_seconds > 0.0, "{inserted:?}");

        for content in [
            "select id, quote(json), latest from spt_hist_role_capture order by rowid",
            "select * from spt_hist_role order by id",
            "select * from annals_head",
            "select type, name, sql from sqlite_schema order by 2",
        ] {
            let expected = sqlite(&history, content);
            assert!(!expected.is_empty());
            assert_eq!(sqlite(&target, content), expected, "{content}");
        }
        let settled = "select count(*) from annals_run; pragma journal_mode; pragma integrity_check";
        assert_eq!(sqlite(&target, settled), "0\nwal\nok\n");
    }
}
