//! The timeline of an object: its events.

use std::sync::LazyLock;

use annals_model::{AccountColumns, EventTable, ObjectKey, ObjectType};
use annals_sql::{Row, Stmt, Tx, Value as Param};
use serde_json::Value;

use crate::page::{Page, PageRequest, Position};
use crate::schema::TableDef;
use crate::scope::Scope;
use crate::text::stored_id;
use crate::{Error, event};

/// An event as it was written.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is what model's NewEvent says it is")]
pub struct EventRow {
    pub table: EventTable,
    pub id: String,
    pub recorded_ms: i64,
    pub event_date_ms: i64,
    pub entity_id: String,
    pub entity_name: String,
    pub prev_capture_id: Option<String>,
    pub capture_id: Option<String>,
    pub category: String,
    pub event_type: String,
    pub source_type: String,
    pub detail: Option<Value>,
    pub property_name: Option<String>,
    pub old_value: Option<String>,
    pub new_value: Option<String>,
    pub account: Option<AccountColumns>,
    pub request_item_id: Option<String>,
    pub identity_request_id: Option<String>,
    pub pending_request_item_id: Option<String>,
    pub identity_entitlement_id: Option<String>,
    pub qry: [Option<String>; 10],
}

/// When the events of a timeline happened: from an instant, up to but not including another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimelineRange {
    /// Epoch milliseconds; no bound if none.
    pub from_ms: Option<i64>,
    /// Epoch milliseconds; no bound if none.
    pub to_ms: Option<i64>,
}

/// Where an object type's events are found: table and column with the object's id.
const PLACES: [(ObjectType, EventTable, &str); 7] = [
    (ObjectType::Identity, EventTable::Identity, "entity_id"),
    (ObjectType::Account, EventTable::Identity, "account_id"),
    (ObjectType::Entitlement, EventTable::Identity, "identity_entitlement_id"),
    (ObjectType::IdentityRequest, EventTable::Identity, "identity_request_id"),
    (ObjectType::ManagedAttribute, EventTable::Mattr, "entity_id"),
    (ObjectType::Role, EventTable::Role, "entity_id"),
    (ObjectType::Workgroup, EventTable::Workgroup, "entity_id"),
];

static STATEMENTS: LazyLock<Vec<Stmt>> =
    LazyLock::new(|| PLACES.into_iter().map(|place| stmt("timeline", place, "")).collect());

/// The same of those events that are on the timeline of one of a list of identities.
static WITHIN: LazyLock<Vec<(ObjectType, Stmt)>> = LazyLock::new(|| {
    let of_identities = PLACES.into_iter().filter(|(_, table, _)| *table == EventTable::Identity);
    of_identities.map(|place| (place.0, stmt("timeline_within", place, "and entity_id {in}"))).collect()
});

fn stmt(verb: &str, (object_type, table, column): (ObjectType, EventTable, &str), within: &str) -> Stmt {
    let def = event::table(table);
    let columns: Vec<&str> = def.columns.iter().map(|column| column.name).collect();
    let text = format!(
        "select {} from {} where {column} = ? and (created, id) > (?, ?) and event_date >= ?
            and event_date < ? {within} order by created, id limit ?",
        columns.join(", "),
        def.name
    );
    Stmt::built(format!("history.{verb} {object_type}"), text)
}

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static Stmt> {
    STATEMENTS.iter().chain(WITHIN.iter().map(|(_, stmt)| stmt)).collect()
}

/// An object's events. Pages follow the order of recording; within a page events stand by when they happened.
///
/// # Errors
/// `NoTimeline` for a type of object that no event is about; else as any call.
pub async fn timeline(
    tx: &mut Tx,
    key: &ObjectKey,
    range: TimelineRange,
    page: &PageRequest,
) -> Result<Page<EventRow>, Error> {
    let place =
        PLACES.iter().zip(STATEMENTS.iter()).find(|((object_type, ..), _)| *object_type == key.object_type);
    let Some(((_, table, _), stmt)) = place else { return Err(Error::NoTimeline(key.object_type)) };
    let mut params = params(key, range, page);
    params.push(page.limit());
    fetch(tx, *table, stmt, params, page).await
}

/// The same of those events that are in a scope: those on the timeline of an identity of it, and all of an object that
/// is in it whole.
///
/// # Errors
/// As [`timeline`].
pub async fn timeline_within(
    tx: &mut Tx,
    key: &ObjectKey,
    range: TimelineRange,
    page: &PageRequest,
    scope: &Scope,
) -> Result<Page<EventRow>, Error> {
    if scope.holds_all(tx, key).await? {
        return timeline(tx, key, range, page).await;
    }
    let Some((_, stmt)) = WITHIN.iter().find(|(object_type, _)| *object_type == key.object_type) else {
        return Err(Error::NoTimeline(key.object_type));
    };
    let mut params = params(key, range, page);
    params.extend([scope.stored_identities(), page.limit()]);
    fetch(tx, EventTable::Identity, stmt, params, page).await
}

fn params(key: &ObjectKey, range: TimelineRange, page: &PageRequest) -> Vec<Param> {
    let [recorded, id] = page.after();
    vec![
        Param::from(&*stored_id(&key.object_id)),
        recorded,
        id,
        Param::from(range.from_ms.unwrap_or(i64::MIN)),
        Param::from(range.to_ms.unwrap_or(i64::MAX)),
    ]
}

async fn fetch(
    tx: &mut Tx,
    table: EventTable,
    stmt: &Stmt,
    params: Vec<Param>,
    page: &PageRequest,
) -> Result<Page<EventRow>, Error> {
    let rows = tx.fetch_all(stmt, params).await?;
    let events = rows.iter().map(|row| Fetched::new(table, row).event()).collect::<Result<Vec<_>, _>>()?;
    let mut page =
        page.cut(events, |event| Position { recorded_ms: event.recorded_ms, id: event.id.clone() });
    page.rows.sort_by(|one, two| {
        let by = |event: &EventRow| (event.event_date_ms, event.recorded_ms);
        by(one).cmp(&by(two)).then_with(|| one.id.cmp(&two.id))
    });
    Ok(page)
}

/// A row with its columns by name.
struct Fetched<'r> {
    table: EventTable,
    def: &'static TableDef,
    row: &'r Row,
}

impl<'r> Fetched<'r> {
    fn new(table: EventTable, row: &'r Row) -> Self {
        Self { table, def: event::table(table), row }
    }

    /// A text; none too where the table lacks the column.
    fn optional(&self, column: &str) -> Result<Option<String>, annals_sql::Error> {
        match self.def.position(column) {
            Some(position) => Ok(self.row.text(position)?.map(str::to_owned)),
            None => Ok(None),
        }
    }

    fn text(&self, column: &str) -> Result<String, annals_sql::Error> {
        Ok(self.optional(column)?.unwrap_or_default())
    }

    fn number(&self, column: &str) -> Result<i64, annals_sql::Error> {
        match self.def.position(column) {
            Some(position) => Ok(self.row.int(position)?.unwrap_or_default()),
            None => Ok(0),
        }
    }

    fn event(&self) -> Result<EventRow, annals_sql::Error> {
        let name = if self.def.has("entity_name") { "entity_name" } else { "display_name" };
        let id = self.text("id")?;
        let detail = self.optional("event_detail_json")?.map(|json| serde_json::from_str(&json)).transpose();
        let detail = detail.map_err(|error| {
            annals_sql::Error::data(format!("{}.event_detail_json of event {id}: {error}", self.def.name))
        })?;
        let mut qry: [Option<String>; 10] = Default::default();
        for (column, value) in event::QUERY_PROPERTIES.into_iter().zip(&mut qry) {
            *value = self.optional(column)?;
        }
        Ok(EventRow {
            table: self.table,
            id,
            recorded_ms: self.number("created")?,
            event_date_ms: self.number("event_date")?,
            entity_id: self.text("entity_id")?,
            entity_name: self.text(name)?,
            prev_capture_id: self.optional("prev_capture_id")?,
            capture_id: self.optional("capture_id")?,
            category: self.text("event_category")?,
            event_type: self.text("event_type")?,
            source_type: self.text("event_source_type")?,
            detail,
            property_name: self.optional("property_name")?,
            old_value: self.optional("old_value")?,
            new_value: self.optional("new_value")?,
            account: self.account()?,
            request_item_id: self.optional("request_item_id")?,
            identity_request_id: self.optional("identity_request_id")?,
            pending_request_item_id: self.optional("pending_request_item_id")?,
            identity_entitlement_id: self.optional("identity_entitlement_id")?,
            qry,
        })
    }

    fn account(&self) -> Result<Option<AccountColumns>, annals_sql::Error> {
        let account = AccountColumns {
            account_id: self.optional("account_id")?,
            app_instance: self.optional("acct_app_instance")?,
            app_id: self.optional("acct_app_id")?,
            native_id: self.optional("acct_native_id")?,
            app_name: self.optional("acct_app_name")?,
            display_name: self.optional("acct_display_name")?,
        };
        Ok((account != AccountColumns::default()).then_some(account))
    }
}
