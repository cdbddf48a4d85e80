//! Access items: what thousands of holders share (`annals_access_item`). Rows are added and never changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use annals_model::text::searchable;
use annals_model::{AccessItem, AccessKind};
use annals_sql::{Batch, Column, ColumnData, Db, OnConflict, Row, Stmt, Tx, Value};

use crate::{Error, Writes};

const TABLE: &str = "annals_access_item";

const BY_ID: Stmt = Stmt::new(
    "history.access_items",
    "select id, kind, permission, item_id, name, application_id, application, instance, attribute, value
     from annals_access_item where id {in}",
);

macro_rules! with {
    ($name:literal, $condition:literal) => {
        Stmt::new(
            $name,
            concat!(
                "select id, kind, permission, item_id, name, application_id, application, instance, attribute, value
                 from annals_access_item where ",
                $condition
            ),
        )
    };
}

const WITH_ID: Stmt = with!("history.items_with_id", "item_id {in}");
const WITH_NAME: Stmt = with!("history.items_with_name", "name {in}");
const WITH_VALUE: Stmt = with!("history.items_with_value", "value {in}");
const OF_APPLICATION: Stmt =
    with!("history.account_items", "kind = 1 and (application {in} or application_id {in})");

#[cfg(test)]
pub(super) const STATEMENTS: [Stmt; 5] = [BY_ID, WITH_ID, WITH_NAME, WITH_VALUE, OF_APPLICATION];

/// What tells access items from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemText {
    /// The id of a role, capability or workgroup.
    Id,
    /// The name of one, or the display name of an entitlement.
    Name,
    /// The value of an entitlement, or the rights of a permission.
    Value,
    /// The application of an account, by name or id.
    Account,
}

/// All access items with one of these texts, by number, as they were called at any time.
///
/// # Errors
/// As any call.
pub async fn access_items_with(
    tx: &mut Tx,
    which: ItemText,
    texts: Vec<String>,
) -> Result<HashMap<i64, AccessItem>, Error> {
    if texts.is_empty() {
        return Ok(HashMap::new());
    }
    let texts: Vec<String> = texts.iter().map(|text| searchable(text).into_owned()).collect();
    let (stmt, params) = match which {
        ItemText::Id => (WITH_ID, vec![Value::from(texts)]),
        ItemText::Name => (WITH_NAME, vec![Value::from(texts)]),
        ItemText::Value => (WITH_VALUE, vec![Value::from(texts)]),
        ItemText::Account => (OF_APPLICATION, vec![Value::from(texts.clone()), Value::from(texts)]),
    };
    Ok(tx.fetch_all(&stmt, params).await?.iter().map(read).collect::<Result<_, _>>()?)
}

/// The access items with these numbers.
///
/// # Errors
/// As any call; also where one of them is not there.
pub async fn access_items(tx: &mut Tx, numbers: Vec<i64>) -> Result<HashMap<i64, AccessItem>, Error> {
    let items = by_number(tx, numbers.clone()).await?;
    match numbers.iter().find(|number| !items.contains_key(number)) {
        Some(number) => Err(annals_sql::Error::data(format!("{TABLE} lacks {number}")).into()),
        None => Ok(items),
    }
}

/// More numbers than this are forgotten: eight megabytes.
const KEPT_MAX: usize = 500_000;

/// The numbers of access items that are surely there, so that a first load need not look for them each time.
#[derive(Debug, Default)]
pub struct AccessItems(Mutex<HashSet<i64>>);

impl AccessItems {
    /// Sees to it that the items which these captures name are there, in a transaction of its own: items are added and
    /// never taken away, and several first loads need not wait for each other's.
    ///
    /// # Errors
    /// As any call.
    pub async fn have(&self, db: &Db, writes: &mut Writes) -> Result<(), Error> {
        let mut items = writes.take_access_items();
        {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            items.retain(|number, _| !kept.contains(number));
        }
        if items.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = items.keys().copied().collect();
        let mut tx = db.begin().await?;
        add(&mut tx, items).await?;
        tx.commit().await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > KEPT_MAX {
            kept.clear();
        }
        kept.extend(numbers);
        Ok(())
    }
}

/// Adds those of these items that are not there; items by number, so that of two who add the same ones the second waits
/// for the first and neither for both.
pub(super) async fn add(tx: &mut Tx, mut items: BTreeMap<i64, AccessItem>) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    for (number, there) in by_number(tx, items.keys().copied().collect()).await? {
        if let Some(item) = items.remove(&number)
            && item != there
        {
            return Err(Error::SameNumber(Box::new(there), Box::new(item)));
        }
    }
    let texts = |name, value: fn(&AccessItem) -> &Option<String>| Column {
        name,
        data: ColumnData::Text(items.values().map(|item| value(item).clone()).collect()),
    };
    let numbers = |name, value: fn(&AccessItem) -> i64| Column {
        name,
        data: ColumnData::Int(items.values().map(|item| Some(value(item))).collect()),
    };
    let columns = vec![
        Column { name: "id", data: ColumnData::Int(items.keys().copied().map(Some).collect()) },
        numbers("kind", |item| item.kind.number()),
        numbers("permission", |item| item.permission.into()),
        texts("item_id", |item| &item.id),
        texts("name", |item| &item.name),
        texts("application_id", |item| &item.application_id),
        texts("application", |item| &item.application),
        texts("instance", |item| &item.instance),
        texts("attribute", |item| &item.attribute),
        texts("value", |item| &item.value),
    ];
    Ok(tx.insert(TABLE, Batch::new(columns), OnConflict::Ignore).await?)
}

/// Those of these items that are there.
pub(super) async fn by_number(
    tx: &mut Tx,
    numbers: Vec<i64>,
) -> Result<HashMap<i64, AccessItem>, annals_sql::Error> {
    tx.fetch_all(&BY_ID, vec![Value::from(numbers)]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(i64, AccessItem), annals_sql::Error> {
    let text = |index| row.text(index).map(|text| text.map(str::to_owned));
    let (number, kind) = (row.required_int(0)?, row.required_int(1)?);
    let kind = AccessKind::of_number(kind)
        .ok_or_else(|| annals_sql::Error::data(format!("{TABLE}.kind of item {number}: {kind}")))?;
    let item = AccessItem {
        kind,
        id: text(3)?,
        name: text(4)?,
        application_id: text(5)?,
        application: text(6)?,
        instance: text(7)?,
        permission: row.required_int(2)? != 0,
        attribute: text(8)?,
        value: text(9)?,
    };
    Ok((number, item))
}
