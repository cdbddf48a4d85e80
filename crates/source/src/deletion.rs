//! Deletions that the identity system itself notes in a table.

use std::borrow::Cow;
use std::collections::BTreeMap;

use annals_config::profile::{ColumnPath, Deletions, Format, Profile};
use annals_model::ObjectType;
use annals_sql::{Db, Row, Stmt, Value};

use crate::catalogue::Survey;
use crate::change;
use crate::column::{ColumnPlan, IdColumn, id_text};
use crate::error::Result;
use crate::fragment::Fragment;
use crate::scope::Scope;
use crate::source::Source;

/// A deletion that the identity system noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Id of the row that says so; the next page begins after it.
    pub row_id: String,
    /// The object types that the row's class can mean, never empty: one class may be several types in a profile, and
    /// only history knows which of them the object was.
    pub object_types: Vec<ObjectType>,
    /// Id of the object.
    pub object_id: String,
    /// When it was deleted, epoch milliseconds.
    pub deleted_ms: i64,
}

/// The table of deletions.
#[derive(Debug)]
pub(crate) struct DeletesPlan {
    pub(crate) scope: Scope,
    id: IdColumn,
    object_id: IdColumn,
    object_type: ColumnPlan,
    deleted: Fragment,
}

impl DeletesPlan {
    pub(crate) fn new(survey: &mut Survey<'_>, profile: &Profile) -> Option<Self> {
        let deletes = profile.intercepted_deletes.as_ref()?;
        survey.attempt(deletes.deleted.since.as_deref(), |survey| {
            const PLACE: &str = "interceptedDeletes";
            let scope = Scope::new(survey.catalogue, &deletes.table, &BTreeMap::new());
            let scope = survey.note(PLACE, scope)?;
            let path = |column: &str| ColumnPath { alias: None, column: column.to_owned() };
            let id = IdColumn::note(survey, &format!("{PLACE}.id"), &scope, &path(&deletes.id));
            let object_id =
                IdColumn::note(survey, &format!("{PLACE}.objectId"), &scope, &path(&deletes.object_id));
            let object_type = ColumnPlan::new(&scope, &path(&deletes.object_type), Format::Text);
            let object_type = survey.note(&format!("{PLACE}.objectType"), object_type);
            let deleted = std::slice::from_ref(&deletes.deleted);
            let deleted = change::first(survey, &format!("{PLACE}.deleted"), &scope, deleted);
            Some(Self { scope, id: id?, object_id: object_id?, object_type: object_type?, deleted: deleted? })
        })
    }
}

impl Source {
    /// Whether this release of the system notes what it deletes.
    #[must_use]
    pub fn notes_deletions(&self) -> bool {
        self.deletes.is_some()
    }

    /// A page of the deletions since an instant (closed; `None`: all of them) in the order of their rows' ids; an empty
    /// page is the end. `after` is the last row's id of the page before. Rows about classes that the profile does not
    /// read, or whose deletions it finds otherwise, are passed over, so that a page may be shorter than `page_max`
    /// rows; empty is only the last one.
    ///
    /// # Errors
    /// [`crate::Error::Database`].
    pub async fn intercepted_deletes(
        &self,
        since_ms: Option<i64>,
        after: Option<&str>,
        page_max: usize,
    ) -> Result<Vec<Deleted>> {
        let Some(plan) = &self.deletes else { return Ok(Vec::new()) };
        let mut after = after.map(str::to_owned);
        loop {
            let rows = self.deleted_rows(plan, since_ms, after.as_deref(), page_max).await?;
            let Some(last) = rows.last() else { return Ok(Vec::new()) };
            after = id_text(last.cell(0)?).map(Cow::into_owned);
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                page.extend(self.deleted(row)?);
            }
            if !page.is_empty() || after.is_none() {
                return Ok(page);
            }
        }
    }

    /// Removes rows from the table of deletions: the one thing that is ever written to a source, on a database that was
    /// opened for it. How many there were.
    ///
    /// # Errors
    /// [`crate::Error::Database`].
    pub async fn remove_intercepted(&self, writable: &Db, row_ids: &[String]) -> Result<u64> {
        const REMOVED_MAX: usize = 1_000;
        let Some(plan) = &self.deletes else { return Ok(0) };
        let engine = self.db.engine();
        let (table, column) = (engine.quote(&plan.id.column.table), engine.quote(&plan.id.column.column));
        let remove =
            Stmt::built("source.remove_intercepted", format!("delete from {table} where {column} {{in}}"));
        let mut removed = 0;
        for ids in row_ids.chunks(REMOVED_MAX) {
            let mut tx = writable.begin().await?;
            removed += tx.execute(&remove, vec![plan.id.list(ids.iter().map(String::as_str))]).await?;
            tx.commit().await?;
        }
        Ok(removed)
    }

    async fn deleted_rows(
        &self,
        plan: &DeletesPlan,
        since_ms: Option<i64>,
        after: Option<&str>,
        page_max: usize,
    ) -> Result<Vec<Row>> {
        let object_type = plan.object_type.select(self.db.engine());
        let columns = [&plan.id.sql, &plan.object_id.sql, &object_type, &plan.deleted.text];
        let mut query = Fragment::new(format!("select {}", columns.map(String::as_str).join(", ")));
        query.append(&plan.scope.from(&plan.deleted.joins)).push(" where 1 = 1");
        if let Some(since_ms) = since_ms {
            query.push(" and ").append(&plan.deleted).push(" >= ").bind(since_ms);
        }
        if let Some(value) = after.and_then(|after| plan.id.value(after)) {
            query.push(" and ").push(&plan.id.sql).push(" > ").bind(value);
        }
        query.push(" order by ").push(&plan.id.sql).push(" limit ");
        query.bind(Value::from(i64::try_from(page_max).unwrap_or(i64::MAX)));
        let mut tx = self.db.begin_read().await?;
        let rows = tx.fetch_all(&Stmt::built("source.intercepted_deletes", query.text), query.params).await?;
        tx.rollback().await?;
        Ok(rows)
    }

    fn deleted(&self, row: &Row) -> Result<Option<Deleted>> {
        let text = |index| Ok::<_, annals_sql::Error>(id_text(row.cell(index)?).map(Cow::into_owned));
        let (Some(row_id), Some(object_id), Some(class)) = (text(0)?, text(1)?, text(2)?) else {
            return Ok(None);
        };
        let Some(deleted_ms) = row.int(3)? else { return Ok(None) };
        let object_types = self.types_of_class(&class);
        let known = !object_types.is_empty();
        Ok(known.then_some(Deleted { row_id, object_types, object_id, deleted_ms }))
    }

    /// The types whose objects rows about this class can mean: those of the class, and those that lie in the same
    /// table, as workgroups lie among the identities.
    fn types_of_class(&self, class: &str) -> Vec<ObjectType> {
        let types = &self.profile.object_types;
        let tables: Vec<&str> = types
            .iter()
            .filter(|(object_type, profile)| is_class(class, &profile.class_name, **object_type))
            .map(|(_, profile)| profile.table.as_str())
            .collect();
        let is_meant = |table: &str| tables.iter().any(|known| known.eq_ignore_ascii_case(table));
        types
            .iter()
            .filter(|(_, profile)| profile.deletions == Deletions::Intercepted && is_meant(&profile.table))
            .map(|(object_type, _)| *object_type)
            .collect()
    }
}

/// Whether a row's word means this type: its class name, the last part of that, or the type's own name.
fn is_class(word: &str, class_name: &str, object_type: ObjectType) -> bool {
    let bare = class_name.rsplit('.').next().unwrap_or(class_name);
    [class_name, bare, object_type.as_str()].iter().any(|name| name.eq_ignore_ascii_case(word))
}
