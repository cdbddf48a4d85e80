//! What the database really has, beside what the profile names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use annals_config::profile::{Join, Profile};
use annals_model::ObjectType;
use annals_sql::{CatalogTable, Engine, Tx};

use crate::error::Mismatch;
use crate::release;

/// The tables that a profile names, as far as they are there, and the release of the system.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) engine: Engine,
    tables: BTreeMap<String, Arc<CatalogTable>>,
    /// Unknown before it was read, and where the profile does not say how.
    pub(crate) release: Option<String>,
}

impl Catalogue {
    /// Reads the catalogue of all tables that the profile names.
    pub(crate) async fn read(tx: &mut Tx, profile: &Profile) -> annals_sql::Result<Self> {
        let names: Vec<String> = table_names(profile).into_iter().map(str::to_owned).collect();
        let tables = tx.catalog(&names).await?.into_iter().map(|(name, table)| (name, Arc::new(table)));
        Ok(Self { engine: tx.engine(), tables: tables.collect(), release: None })
    }

    /// A table by name, whatever its case.
    pub(crate) fn table(&self, name: &str) -> Result<Arc<CatalogTable>, Lack> {
        let found = self.tables.get(&name.to_lowercase()).cloned();
        found.ok_or_else(|| Lack { table: name.to_owned(), column: None, problem: NO_TABLE.to_owned() })
    }

    /// Whether the release that is read may lack what `since` brought.
    fn may_lack(&self, since: Option<&str>) -> bool {
        match (since, &self.release) {
            (Some(since), Some(release)) => release::is_later(since, release),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

const NO_TABLE: &str = "the database has no such table (if only later releases have it, say so by `since`)";
pub(crate) const NO_COLUMN: &str =
    "the table has no such column (if only later releases have it, say so by `since`)";

fn table_names(profile: &Profile) -> BTreeSet<&str> {
    fn of_joins(joins: &BTreeMap<String, Join>) -> impl Iterator<Item = &str> {
        joins.values().map(|join| join.table.as_str())
    }
    let mut names = BTreeSet::new();
    names.extend(profile.release.as_ref().map(|release| release.table.as_str()));
    names.extend(profile.intercepted_deletes.as_ref().map(|deletes| deletes.table.as_str()));
    for object in profile.object_types.values() {
        names.insert(&object.table);
        names.extend(of_joins(&object.joins));
        for part in object.collections.values().flat_map(|collection| &collection.parts) {
            names.insert(&part.table);
            names.extend(of_joins(&part.joins));
        }
        for rule in &object.qualifies {
            names.insert(&rule.table);
            names.extend(of_joins(&rule.joins));
        }
    }
    names
}

/// Something that a column path or a table name asks for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) table: String,
    pub(crate) column: Option<String>,
    pub(crate) problem: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// Notes every lack while plans are made, so that one look finds them all (TRAP-18).
pub(crate) struct Survey<'s> {
    pub(crate) catalogue: &'s Catalogue,
    pub(crate) object_type: Option<ObjectType>,
    pub(crate) mismatches: Vec<Mismatch>,
}

impl<'s> Survey<'s> {
    pub(crate) fn new(catalogue: &'s Catalogue) -> Self {
        Self { catalogue, object_type: None, mismatches: Vec::new() }
    }

    /// What was found, or nothing and a note of what was not.
    pub(crate) fn note<T>(&mut self, property: &str, found: Result<T, Lack>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(Lack { table, column, problem }) => {
                let mismatch = Mismatch {
                    object_type: self.object_type,
                    property: property.to_owned(),
                    table,
                    column,
                    problem,
                };
                if !self.mismatches.contains(&mismatch) {
                    self.mismatches.push(mismatch);
                }
                None
            }
        }
    }

    /// Plans what only releases from `since` on have: a plan without a lack, or nothing where the release may lack it.
    /// Where it may not, the lacks stay noted.
    pub(crate) fn attempt<T>(
        &mut self,
        since: Option<&str>,
        plan: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let noted = self.mismatches.len();
        let planned = plan(self);
        if self.mismatches.len() > noted && self.catalogue.may_lack(since) {
            self.mismatches.truncate(noted);
            return None;
        }
        planned
    }
}
