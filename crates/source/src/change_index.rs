//! Indexes that the identity system does not have, for the search for what changed.

use std::collections::BTreeMap;

use crate::scope::BASE_ALIAS;
use crate::source::Source;

impl Source {
    /// DDL of one index a table that is searched for changes, on the very expression that is compared: with them a search
    /// costs what has changed, and not what there is. Nothing on an engine that has no indexes on expressions.
    #[must_use]
    pub fn change_indexes(&self) -> Option<String> {
        let mut expressions: BTreeMap<&str, String> = BTreeMap::new();
        for plan in self.plans.values() {
            let own = plan.changed.iter().map(|changed| (&plan.scope, changed));
            let of_others = plan.qualifies.iter().map(|rule| (&rule.scope, &rule.changed));
            // What changes in a joined table is found by that table's own index.
            for (scope, changed) in own.chain(of_others).filter(|(_, changed)| changed.joins.is_empty()) {
                let of_table = changed.text.replace(BASE_ALIAS, "");
                expressions.entry(scope.base_name()).or_insert(of_table);
            }
        }
        let mut ddl =
            "-- Made by `annals source indexes`: finds what changed without reading whole tables.\n"
                .to_owned();
        for (table, expression) in expressions {
            let name = format!("annals_changed_{table}");
            ddl.push_str(&self.db.engine().expression_index(&name, table, &expression)?);
        }
        Some(ddl)
    }
}
