//! Triggers for a system that does not note what it deletes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use annals_config::profile::{Deletions, TimeKind};
use annals_sql::{DeleteLog, LoggedTime};

use crate::source::Source;

impl Source {
    /// DDL of triggers which note deletions where the profile says that the system does (`interceptedDeletes`), one a
    /// table of those types whose deletions are found there, and of the table where it is missing. Nothing where the
    /// profile has no such table or no such type.
    #[must_use]
    pub fn delete_triggers(&self) -> Option<String> {
        let deletes = self.profile.intercepted_deletes.as_ref()?;
        let engine = self.db.engine();
        // One class a table: rows about any class of a table are about all types that lie in it.
        let mut tables: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for (object_type, of_type) in &self.profile.object_types {
            if let Some(plan) =
                self.plans.get(object_type).filter(|_| of_type.deletions == Deletions::Intercepted)
            {
                let class = of_type.class_name.rsplit('.').next().unwrap_or(&of_type.class_name);
                tables.entry(plan.scope.base_name()).or_insert((&plan.id.column.column, class));
            }
        }
        if tables.is_empty() {
            return None;
        }
        let others: Vec<(&str, &str)> =
            deletes.others.iter().map(|(column, text)| (column.as_str(), text.as_str())).collect();
        let found = self.deletes.as_ref();
        let log = DeleteLog {
            table: found.map_or(deletes.table.as_str(), |plan| plan.scope.base_name()),
            id: &deletes.id,
            object_id: &deletes.object_id,
            object_type: &deletes.object_type,
            deleted: &deletes.deleted.column.column,
            time: match deletes.deleted.kind {
                TimeKind::EpochMillis => LoggedTime::Millis,
                TimeKind::EpochSeconds => LoggedTime::Seconds,
                TimeKind::DateTime => LoggedTime::DateTime,
            },
            others: &others,
        };
        let mut ddl =
            "-- Made by `annals source delete-triggers`: notes what is deleted, for Annals to read.\n"
                .to_owned();
        ddl.push_str(engine.delete_log_preamble());
        if found.is_none() {
            // Writing to a text never fails.
            let _ = write!(ddl, "\n{}", engine.delete_log_table(log));
        }
        for (table, (id_column, class)) in tables {
            let _ = write!(ddl, "\n{}", engine.delete_log_trigger(log, table, id_column, class));
        }
        Some(ddl)
    }
}
