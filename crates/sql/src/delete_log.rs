//! A table in which triggers note what is deleted elsewhere: DDL for people to look at and to apply.

use std::fmt::Write as _;

use crate::Engine;

/// How the table says when something was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedTime {
    /// Epoch milliseconds.
    Millis,
    /// Epoch seconds.
    Seconds,
    /// A date and time in UTC.
    DateTime,
}

/// The table and its columns, unquoted.
#[derive(Debug, Clone, Copy)]
pub struct DeleteLog<'a> {
    /// Table.
    pub table: &'a str,
    /// Key: 32 hex digits are made for it.
    pub id: &'a str,
    /// Id of what was deleted.
    pub object_id: &'a str,
    /// Its class.
    pub object_type: &'a str,
    /// When.
    pub deleted: &'a str,
    /// In which form.
    pub time: LoggedTime,
    /// Further columns, each with the text that stands in all rows.
    pub others: &'a [(&'a str, &'a str)],
}

impl Engine {
    /// Makes the table, where it is not there.
    #[must_use]
    pub fn delete_log_table(self, log: DeleteLog<'_>) -> String {
        let time = match (log.time, self) {
            (LoggedTime::Millis | LoggedTime::Seconds, _) => "bigint",
            (LoggedTime::DateTime, Self::Sqlite) => "text",
            (LoggedTime::DateTime, Self::Postgres) => "timestamp(3)",
            (LoggedTime::DateTime, Self::MySql) => "datetime(3)",
        };
        let mut ddl = format!(
            "create table if not exists {} (\n    {} varchar(32) not null primary key,\n    {} varchar(255) not null,\n    \
             {} varchar(255) not null,\n    {} {time} not null",
            self.quote(log.table),
            self.quote(log.id),
            self.quote(log.object_id),
            self.quote(log.object_type),
            self.quote(log.deleted),
        );
        for (column, _) in log.others {
            // Writing to a text never fails.
            let _ = write!(ddl, ",\n    {} varchar(255)", self.quote(column));
        }
        ddl.push_str("\n);\n");
        ddl
    }

    /// What has to be said before the triggers are made, if anything has.
    #[must_use]
    pub const fn delete_log_preamble(self) -> &'static str {
        match self {
            // Tables for the time being come last, or who deletes could put one in the way of the log, with code of his
            // own that the function's owner would execute.
            Self::Postgres => {
                "select set_config('search_path', current_setting('search_path') || ', pg_temp', false);\n"
            }
            Self::Sqlite => "",
            Self::MySql => {
                "-- Rows that a foreign key deletes with others (on delete cascade) fire no triggers here.\n"
            }
        }
    }

    /// Makes the trigger that notes each row deleted from `table` as an object of this class, its id in `id_column`. One
    /// of the same name is replaced.
    #[must_use]
    pub fn delete_log_trigger(self, log: DeleteLog<'_>, table: &str, id_column: &str, class: &str) -> String {
        let name = self.quote(&format!("annals_deleted_{}", table.to_lowercase()));
        let on = self.quote(table);
        let insert = self.delete_log_insert(log, id_column, class);
        match self {
            Self::Sqlite => format!(
                "drop trigger if exists {name};\ncreate trigger {name} after delete on {on} for each row begin\n    {insert}\nend;\n"
            ),
            // For who deletes need not have the right to write to the table.
            Self::Postgres => format!(
                "create or replace function {name}() returns trigger language plpgsql security definer\n\
                 set search_path from current as $annals$ begin\n    {insert}\n    return old;\nend $annals$;\n\
                 drop trigger if exists {name} on {on};\n\
                 create trigger {name} after delete on {on} for each row execute function {name}();\n"
            ),
            Self::MySql => format!(
                "drop trigger if exists {name};\ncreate trigger {name} after delete on {on} for each row\n    {insert}\n"
            ),
        }
    }

    fn delete_log_insert(self, log: DeleteLog<'_>, id_column: &str, class: &str) -> String {
        let text = |text: &str| match self {
            Self::MySql => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            Self::Sqlite | Self::Postgres => format!("'{}'", text.replace('\'', "''")),
        };
        let id = match self {
            Self::Sqlite => "lower(hex(randomblob(16)))",
            Self::Postgres => "md5(random()::text || clock_timestamp()::text || txid_current()::text)",
            Self::MySql => "replace(uuid(), '-', '')",
        };
        let now = match (log.time, self) {
            (LoggedTime::Millis, _) => self.now_ms().to_owned(),
            (LoggedTime::Seconds, _) => format!("floor({} / 1000)", self.now_ms()),
            (LoggedTime::DateTime, Self::Sqlite) => "strftime('%Y-%m-%d %H:%M:%f', 'now')".to_owned(),
            (LoggedTime::DateTime, Self::Postgres) => "clock_timestamp() at time zone 'utc'".to_owned(),
            (LoggedTime::DateTime, Self::MySql) => "utc_timestamp(3)".to_owned(),
        };
        let old = format!("old.{}", self.quote(id_column));
        let mut columns = vec![log.id, log.object_id, log.object_type, log.deleted];
        let mut values = vec![id.to_owned(), self.as_text(&old), text(class), now];
        for (column, constant) in log.others {
            columns.push(column);
            values.push(text(constant));
        }
        let columns: Vec<String> = columns.into_iter().map(|column| self.quote(column)).collect();
        format!(
            "insert into {} ({})\n    values ({});",
            self.quote(log.table),
            columns.join(", "),
            values.join(", ")
        )
    }
}
