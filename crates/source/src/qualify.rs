//! Which objects a run reads.
//!
//! Pages are ordered by the id column itself, in the order that the engine gives it, and the next page begins after the
//! last id of the one before: the index on the id serves both, and the two never disagree. Ids that the column's
//! collation takes for equal although they differ in case would be one id to the database's own key; where they are
//! not a key, pages may pass over one of them.

use annals_config::filter::Expr;
use annals_config::profile::Reads;
use annals_model::ObjectType;
use annals_sql::fault::{self, Defect};
use annals_sql::{ColumnKind, Row, Stmt, Value};

use crate::column::{IdColumn, id_text};
use crate::error::{Error, Result};
use crate::fragment::Fragment;
use crate::plan::TypePlan;
use crate::source::Source;

/// Ids in one statement that asks for a list of them: servers take a limited number of parameters.
const LIST_MAX: usize = 10_000;

/// A page of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Ids, in their order.
    pub ids: Vec<String>,
    /// Whether nothing follows.
    pub is_last: bool,
}

impl Source {
    /// A page of the ids of objects that qualify, in the order of the ids. `after` is the last id of the page before.
    ///
    /// An object qualifies if its first change time that is not null is `since_ms` or later, or that of a row which
    /// the profile's `qualifies` names. The bound is closed and nothing bounds it above (TRAP-03). Objects without
    /// any change time qualify always, because nothing tells whether they changed, and so do those of a type that the
    /// profile says is read as a whole. `None`: all objects. Besides, the profile's filter of the type must match, and
    /// `filter`.
    ///
    /// # Errors
    /// [`Error::Filter`], [`Error::NotAnId`], [`Error::NoObjectType`], [`Error::Database`].
    pub async fn qualified_page(
        &self,
        object_type: ObjectType,
        since_ms: Option<i64>,
        filter: Option<&Expr>,
        after: Option<&str>,
        page_max: usize,
    ) -> Result<Page> {
        let plan = self.plan(object_type)?;
        let conditions = self.conditions(plan, since_ms, filter)?;
        self.page("qualify", plan, conditions, after, page_max).await
    }

    /// How many objects qualify, as [`Source::qualified_page`] has it.
    ///
    /// # Errors
    /// As [`Source::qualified_page`].
    pub async fn count_qualified(
        &self,
        object_type: ObjectType,
        since_ms: Option<i64>,
        filter: Option<&Expr>,
    ) -> Result<u64> {
        let plan = self.plan(object_type)?;
        let conditions = self.conditions(plan, since_ms, filter)?;
        let query = select(plan, "count(*)", &conditions);
        let mut tx = self.db.begin_read().await?;
        let row = tx.fetch_one(&statement("count", plan, &query), query.params).await?;
        let count = row.required_int(0)?;
        tx.rollback().await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Those of the ids that the source still has as objects of this type.
    ///
    /// # Errors
    /// [`Error::NoObjectType`], [`Error::Database`].
    pub async fn present(&self, object_type: ObjectType, ids: &[String]) -> Result<Vec<String>> {
        let plan = self.plan(object_type)?;
        let mut present = Vec::new();
        let mut tx = self.db.begin_read().await?;
        for ids in ids.chunks(LIST_MAX) {
            let mut listed = Fragment::default();
            listed.over(&plan.id.column, &plan.id.sql).in_list(plan.id.list(ids.iter().map(String::as_str)));
            let conditions: Vec<Fragment> = plan.filter.iter().cloned().chain([listed]).collect();
            let query = select(plan, &plan.id.sql, &conditions);
            let rows = tx.fetch_all(&statement("present", plan, &query), query.params).await?;
            present.extend(ids_of(&rows)?);
        }
        tx.rollback().await?;
        Ok(present)
    }

    /// Ids of the objects of this id or name, at most `page_max`.
    ///
    /// # Errors
    /// [`Error::NoObjectType`], [`Error::Database`].
    pub async fn ids_by_name(
        &self,
        object_type: ObjectType,
        name: &str,
        page_max: usize,
    ) -> Result<Vec<String>> {
        let plan = self.plan(object_type)?;
        let mut named = Fragment::new("(1 = 0");
        if let Some(id) = plan.id.value(name) {
            named.push(" or ").over(&plan.id.column, &plan.id.sql).push(" = ").bind(id);
        }
        if let Some(name_plan) = &plan.name {
            let column = &name_plan.column;
            let text = match column.kind {
                // As it stands, so that an index can serve it.
                ColumnKind::Text => column.sql.clone(),
                _ => plan.engine.as_text(&column.sql),
            };
            named.push(" or ").over(column, &plan.engine.exact_text(&text)).push(" = ").bind(name);
        }
        named.push(")");
        let conditions = plan.filter.iter().cloned().chain([named]).collect();
        Ok(self.page("by_name", plan, conditions, None, page_max).await?.ids)
    }

    /// What an object has to meet to qualify.
    fn conditions(
        &self,
        plan: &TypePlan,
        since_ms: Option<i64>,
        filter: Option<&Expr>,
    ) -> Result<Vec<Fragment>> {
        let mut conditions: Vec<Fragment> = plan.filter.iter().cloned().collect();
        if let Some(filter) = filter {
            conditions.push(plan.task_filter(filter, &self.secrets)?);
        }
        let since = since_ms.filter(|_| plan.reads == Reads::Changed);
        if let (Some(since_ms), Some(changed)) = (since, &plan.changed) {
            conditions.push(changed_since(plan, changed, since_ms));
        }
        Ok(conditions)
    }

    async fn page(
        &self,
        verb: &str,
        plan: &TypePlan,
        mut conditions: Vec<Fragment>,
        after: Option<&str>,
        page_max: usize,
    ) -> Result<Page> {
        if let Some(after) = after {
            let value = plan
                .id
                .value(after)
                .ok_or_else(|| Error::NotAnId { object_type: plan.object_type, id: after.to_owned() })?;
            let mut beyond = Fragment::default();
            beyond.over(&plan.id.column, &plan.id.sql).push(" > ").bind(value);
            conditions.insert(0, beyond);
        }
        let mut query = select(plan, &plan.id.sql, &conditions);
        query.push(" order by ").push(&plan.id.sql).push(" limit ");
        query.bind(Value::from(i64::try_from(page_max).unwrap_or(i64::MAX)));
        let mut tx = self.db.begin_read().await?;
        let rows = tx.fetch_all(&statement(verb, plan, &query), query.params).await?;
        tx.rollback().await?;
        let mut ids = ids_of(&rows)?;
        // A join that finds several rows for one object would name it several times.
        ids.dedup();
        Ok(Page { ids, is_last: rows.len() < page_max })
    }
}

/// The lower bound is closed: what changed at the very instant may have been committed after it was read.
fn at_or_after() -> &'static str {
    if fault::defect(Defect::OpenLowerBound) { " > " } else { " >= " }
}

/// That an object, or a row that qualifies it, changed at a time or later, or may have.
///
/// One list of ids, and not one condition beside another: an engine looks the list up once, while of conditions any
/// of which is enough it may try each on every row, which takes the square of the rows (PostgreSQL does, as soon as a
/// list does not fit its working memory).
fn changed_since(plan: &TypePlan, changed: &Fragment, since_ms: i64) -> Fragment {
    let own_change = |condition: &mut Fragment| {
        condition.append(changed).push(at_or_after()).bind(since_ms);
        condition.push(" or ").append(changed).push(" is null");
    };
    let mut condition = Fragment::default();
    if plan.qualifies.is_empty() {
        condition.push("(");
        own_change(&mut condition);
        condition.push(")");
        return condition;
    }
    let is_mixed = plan.qualifies.iter().any(|rule| rule.id.is_number() != plan.id.is_number());
    let comparable = |id: &IdColumn| if is_mixed { plan.engine.as_text(&id.sql) } else { id.sql.clone() };
    let mut own = Fragment::default();
    own_change(&mut own);
    own.joins.extend(plan.id.column.join);
    condition.over(&plan.id.column, &comparable(&plan.id));
    condition.push(" in (select id from (select ").push(&comparable(&plan.id)).push(" as id");
    // The joins of what is in brackets are not those of the statement around it.
    append_without_joins(&mut condition, &plan.scope.from(&own.joins));
    condition.push(" where ");
    append_without_joins(&mut condition, &own);
    for rule in &plan.qualifies {
        let mut needed = rule.changed.joins.clone();
        needed.extend(rule.id.column.join);
        needed.extend(rule.filter.iter().flat_map(|filter| &filter.joins));
        condition.push(" union all select ").push(&comparable(&rule.id));
        append_without_joins(&mut condition, &rule.scope.from(&needed));
        condition.push(" where ");
        append_without_joins(&mut condition, &rule.changed);
        condition.push(at_or_after()).bind(since_ms);
        if let Some(filter) = &rule.filter {
            condition.push(" and ");
            append_without_joins(&mut condition, filter);
        }
    }
    condition.push(") changed)");
    condition
}

fn append_without_joins(fragment: &mut Fragment, other: &Fragment) {
    fragment.push(&other.text).params.extend(other.params.iter().cloned());
}

/// A query over objects of a type that meet all conditions.
fn select(plan: &TypePlan, expression: &str, conditions: &[Fragment]) -> Fragment {
    let mut query = Fragment::new("select ");
    query.over(&plan.id.column, expression);
    for condition in conditions {
        query.joins.extend(&condition.joins);
    }
    let from = plan.scope.from(&query.joins);
    query.append(&from);
    for (index, condition) in conditions.iter().enumerate() {
        query.push(if index == 0 { " where " } else { " and " }).append(condition);
    }
    query
}

fn statement(verb: &str, plan: &TypePlan, query: &Fragment) -> Stmt {
    Stmt::built(format!("source.{verb} {}", plan.object_type), query.text.clone())
}

fn ids_of(rows: &[Row]) -> Result<Vec<String>> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        ids.extend(id_text(row.cell(0)?).map(std::borrow::Cow::into_owned));
    }
    Ok(ids)
}
