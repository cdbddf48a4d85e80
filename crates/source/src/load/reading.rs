//! The queries of a batch.

use annals_model::Reference;
use annals_sql::{Row, Stmt, Tx};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};

use super::Selection;
use super::batch::Batch;
use super::draft::{Draft, ElementDraft, Shape};
use super::selected::{Columns, Selected, SelectedColumn};
use crate::attribute_xml::Limits;
use crate::column::{IdColumn, id_text};
use crate::error::Result;
use crate::fragment::Fragment;
use crate::plan::{CollectionPlan, ElementPlan, PartPlan, QualifiesPlan, TypePlan};
use crate::scope::Scope;
use crate::source::Source;

/// One batch being read in one transaction.
pub(super) struct Reading<'s> {
    source: &'s Source,
    plan: &'s TypePlan,
    tx: Tx,
    queries: u32,
}

impl<'s> Reading<'s> {
    pub(super) async fn begin(source: &'s Source, plan: &'s TypePlan) -> Result<Self> {
        Ok(Self { source, plan, tx: source.db.begin_bulk_read().await?, queries: 0 })
    }

    /// Ends the transaction; how many queries it had.
    pub(super) async fn end(self) -> Result<u32> {
        self.tx.rollback().await?;
        Ok(self.queries)
    }

    pub(super) async fn now_ms(&mut self) -> Result<i64> {
        const NOW: Stmt = Stmt::new("source.observe", "select {now_ms}");
        self.queries += 1;
        Ok(self.tx.fetch_one(&NOW, Vec::new()).await?.required_int(0)?)
    }

    /// The base rows with their joins.
    pub(super) async fn objects(&mut self, batch: &mut Batch<'s>, selection: &Selection) -> Result<()> {
        let plan = self.plan;
        let mut columns = Columns::by_id(plan.engine, &plan.id, &self.source.limits);
        let selected = SelectedObject::new(&mut columns, plan, selection);
        let query = by_ids(columns, &plan.scope, &plan.id, batch.ids(), plan.filter.as_ref());
        let stmt = Stmt::built(format!("source.load {}", plan.object_type), query.text);
        self.queries += 1;
        let mut rows = self.tx.fetch(&stmt, query.params)?;
        while let Some(row) = rows.try_next().await? {
            if let Some(id) = id_text(row.cell(0)?) {
                batch.add_object(&id, || selected.read(&row, &self.source.limits));
            }
        }
        Ok(())
    }

    /// The child rows of one collection; of one of a later release there are none, as of its properties.
    pub(super) async fn collection(
        &mut self,
        batch: &mut Batch<'s>,
        name: &'s str,
        collection: Option<&'s CollectionPlan>,
    ) -> Result<()> {
        let Some(collection) = collection else { return Ok(()) };
        batch.begin_collection(Shape { name, key: &collection.key, ordered: collection.is_ordered });
        for part in &collection.parts {
            self.part(batch, name, part).await?;
        }
        Ok(())
    }

    /// Those child rows of the collection that lie in one table.
    async fn part(&mut self, batch: &mut Batch<'s>, name: &str, part: &PartPlan) -> Result<()> {
        if batch.is_settled() {
            return Ok(());
        }
        let mut columns = Columns::by_id(self.plan.engine, &part.parent, &self.source.limits);
        let selected = SelectedElement::new(&mut columns, part);
        let filter = part.filter.as_ref();
        let query = by_ids(columns, &part.scope, &part.parent, batch.live_ids(), filter);
        let stmt = Stmt::built(format!("source.load {}.{name}", self.plan.object_type), query.text);
        self.queries += 1;
        let mut rows = self.tx.fetch(&stmt, query.params)?;
        while let Some(row) = rows.try_next().await? {
            if let Some(id) = id_text(row.cell(0)?) {
                let read = || selected.read(&row, &self.source.limits);
                batch.add_element(&id, || read().map_err(|problem| format!("{name}: {problem}")));
            }
        }
        Ok(())
    }

    /// The newest change of the rows that qualify objects.
    pub(super) async fn changes(&mut self, batch: &mut Batch<'_>, rule: &QualifiesPlan) -> Result<()> {
        if batch.is_settled() {
            return Ok(());
        }
        let mut columns = Columns::by_id(self.plan.engine, &rule.id, &self.source.limits);
        let mut newest = rule.changed.clone();
        newest.text = format!("max({})", newest.text);
        let newest = columns.fragment(&newest);
        let mut query = by_ids(columns, &rule.scope, &rule.id, batch.live_ids(), rule.filter.as_ref());
        query.push(" group by ").push(&rule.id.sql);
        let stmt = Stmt::built(format!("source.changes {}", self.plan.object_type), query.text);
        self.queries += 1;
        for row in self.tx.fetch_all(&stmt, query.params).await? {
            if let (Some(id), Some(changed_ms)) = (id_text(row.cell(0)?), row.int(newest)?) {
                batch.changed(&id, changed_ms);
            }
        }
        Ok(())
    }
}

/// `select columns from scope where id in (ids) and filter`.
fn by_ids<'i>(
    columns: Columns,
    scope: &Scope,
    id: &IdColumn,
    ids: impl Iterator<Item = &'i str>,
    filter: Option<&Fragment>,
) -> Fragment {
    let mut query = columns.select();
    query.joins.extend(filter.iter().flat_map(|filter| &filter.joins));
    let from = scope.from(&query.joins);
    query.append(&from).push(" where ").push(&id.sql).in_list(id.list(ids));
    if let Some(filter) = filter {
        query.push(" and ").append(filter);
    }
    query
}

/// How an object is read out of its base row.
struct SelectedObject<'p> {
    name: Option<SelectedColumn<'p>>,
    identity: Option<(SelectedColumn<'p>, Option<SelectedColumn<'p>>)>,
    changed: Option<usize>,
    properties: Vec<(&'p str, Selected<'p>)>,
}

impl<'p> SelectedObject<'p> {
    fn new(columns: &mut Columns, plan: &'p TypePlan, selection: &Selection) -> Self {
        Self {
            name: plan.name.as_ref().map(|name| columns.column(name)),
            identity: plan.identity.as_ref().map(|identity| {
                (columns.column(&identity.id), identity.name.as_ref().map(|name| columns.column(name)))
            }),
            changed: plan.changed.as_ref().map(|changed| columns.fragment(changed)),
            properties: plan
                .properties
                .iter()
                .filter(|(name, _)| selection.has(name))
                .map(|(name, property)| (name.as_str(), columns.property(property)))
                .collect(),
        }
    }

    fn read(&self, row: &Row, limits: &Limits) -> std::result::Result<Draft, String> {
        let mut draft = Draft::default();
        if let Some(name) = &self.name {
            draft.name = name.text(row, limits)?;
        }
        if let Some((id, name)) = &self.identity
            && let Some(id) = id.text(row, limits)?
        {
            let name = match name {
                Some(name) => name.text(row, limits)?,
                None => None,
            };
            draft.identity = Some(Reference { name: name.unwrap_or_else(|| id.clone()), id });
        }
        if let Some(changed) = self.changed {
            draft.changed_ms = row.int(changed).map_err(|error| format!("its change time: {error}"))?;
        }
        draft.properties = members(&self.properties, row, limits, &mut draft.withheld)?;
        Ok(draft)
    }
}

/// How an element of a collection is read out of its row.
struct SelectedElement<'p> {
    order: Option<SelectedColumn<'p>>,
    parts: Parts<'p>,
}

enum Parts<'p> {
    Value(SelectedColumn<'p>),
    Object(Vec<(&'p str, Selected<'p>)>),
}

impl<'p> SelectedElement<'p> {
    fn new(columns: &mut Columns, plan: &'p PartPlan) -> Self {
        let parts = match &plan.element {
            ElementPlan::Value(column) => Parts::Value(columns.column(column)),
            ElementPlan::Object(members) => Parts::Object(
                members.iter().map(|(name, member)| (name.as_str(), columns.property(member))).collect(),
            ),
        };
        Self { order: plan.order.as_ref().map(|order| columns.column(order)), parts }
    }

    fn read(&self, row: &Row, limits: &Limits) -> std::result::Result<ElementDraft, String> {
        let mut draft = ElementDraft::default();
        if let Some(order) = &self.order {
            draft.order = order.value(row, limits)?;
        }
        match &self.parts {
            Parts::Value(column) => draft.value = column.value(row, limits)?,
            Parts::Object(parts) => {
                draft.value = Value::Object(members(parts, row, limits, &mut draft.withheld)?);
            }
        }
        Ok(draft)
    }
}

/// The values of a row by name. Where there is none, there is no member either.
fn members(
    selected: &[(&str, Selected<'_>)],
    row: &Row,
    limits: &Limits,
    withheld: &mut Vec<(String, Value)>,
) -> std::result::Result<Map<String, Value>, String> {
    let mut open = Vec::with_capacity(selected.len());
    for (name, selected) in selected {
        let value = selected.value(row, limits)?;
        if value.is_null() {
            continue;
        }
        let values = if selected.is_secret() { &mut *withheld } else { &mut open };
        values.push(((*name).to_owned(), value));
    }
    // At once: names come sorted, and a map is built faster from sorted names than one by one.
    Ok(open.into_iter().collect())
}
