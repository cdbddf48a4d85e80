//! Finding objects of a type by what their newest state says, in pages.
//!
//! A condition is a tree over the properties that a type has ([`properties`]); it becomes a statement with parameters
//! only. Of an object that is gone, types with an entity table keep what was known of it; of others a name is left.

mod condition;
mod property;
mod statement;

use annals_model::{ObjectKey, ObjectType};
use annals_sql::{Cell, Row, Stmt, Tx, Value as Param};
use serde_json::Value;

use crate::{Error, has_intervals};
use statement::{FIRST_VALUE, Statement};

pub use condition::{Comparison, Condition, Operand, Part};
pub use property::{
    ACCESS, Collection, HISTORY, Property, PropertyKind, collection, collections, properties, property,
};

pub(crate) const KINDS: Stmt = Stmt::new(
    "history.find_kinds",
    "select id, source from annals_object_kind where object_type = ? order by id",
);

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    /// Objects of this type.
    pub object_type: ObjectType,
    /// Those of which this holds; all if none.
    pub condition: Option<Condition>,
    /// And of whose names each of these is a part, without regard to case.
    pub words: Vec<String>,
    /// By what they are sorted; then, or if empty, by id. Nothing comes before something.
    pub order: Vec<(&'static Property, Order)>,
    /// At most so many.
    pub limit: u32,
    /// After this one of the same list; from the beginning if none.
    pub after: Option<Place>,
}

/// Which way is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// An object's place in a list: what it is sorted by, and at the end its source's number and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(pub Vec<PlaceValue>);

/// A value that is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceValue {
    /// A number, or an instant.
    Int(i64),
    /// A text.
    Text(String),
}

/// An object that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its key.
    pub key: ObjectKey,
    /// Its properties, in the order of [`properties`]; instants as epoch milliseconds.
    pub values: Vec<Value>,
}

/// A part of a list of objects.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPage {
    /// The objects.
    pub rows: Vec<Found>,
    /// Where the next page begins; none if this is the last one.
    pub next: Option<Place>,
}

/// A page of what is looked for.
///
/// # Errors
/// `Place` for a place of another list; `NoIntervals` where it is asked who holds what, and the captures of some have not
/// become intervals yet; else as any call.
pub async fn find(tx: &mut Tx, wanted: &Find) -> Result<FoundPage, Error> {
    let kinds = kinds(tx, wanted).await?;
    if kinds.is_empty() {
        return Ok(FoundPage { rows: Vec::new(), next: None });
    }
    let ids: Vec<i64> = kinds.iter().map(|(id, _)| *id).collect();
    let (stmt, params) = Statement::page(tx.engine(), wanted, &ids)?;
    let mut rows = tx.fetch_all(&stmt, params).await?;
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(|row| place(row, wanted)).transpose()? } else { None };
    let rows = rows.iter().map(|row| found(row, wanted, &kinds)).collect::<Result<_, _>>()?;
    Ok(FoundPage { rows, next })
}

/// How many there are of what is looked for, whatever its page.
///
/// # Errors
/// As any call.
pub async fn count(tx: &mut Tx, wanted: &Find) -> Result<u64, Error> {
    let kinds = kinds(tx, wanted).await?;
    if kinds.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = kinds.into_iter().map(|(id, _)| id).collect();
    let (stmt, params) = Statement::count(tx.engine(), wanted, &ids)?;
    let counted = tx.fetch_one(&stmt, params).await?.required_int(0)?;
    Ok(u64::try_from(counted).unwrap_or_default())
}

/// A query that gives the ids of what is looked for, whatever its page: for a place within another statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Ids {
    /// Its text.
    pub text: String,
    /// Its parameters.
    pub params: Vec<Param>,
}

/// The query for the ids of what is looked for.
///
/// # Errors
/// As any call.
pub async fn ids(tx: &mut Tx, wanted: &Find) -> Result<Ids, Error> {
    let kinds = kinds(tx, wanted).await?;
    let kinds: Vec<i64> = kinds.into_iter().map(|(id, _)| id).collect();
    let (text, params) = Statement::ids(tx.engine(), wanted, &kinds);
    Ok(Ids { text, params })
}

/// Under which numbers the heads of this type are kept, each with its source: nearly always one.
async fn kinds(tx: &mut Tx, wanted: &Find) -> Result<Vec<(i64, String)>, Error> {
    if wanted.condition.as_ref().is_some_and(Condition::asks_for_access) && !has_intervals(tx).await? {
        return Err(Error::NoIntervals);
    }
    let rows = tx.fetch_all(&KINDS, vec![Param::from(wanted.object_type.as_str())]).await?;
    rows.iter().map(|row| Ok((row.required_int(0)?, row.required_text(1)?.to_owned()))).collect()
}

fn found(row: &Row, wanted: &Find, kinds: &[(i64, String)]) -> Result<Found, Error> {
    let kind = row.required_int(0)?;
    let source = kinds.iter().find(|(id, _)| *id == kind).map_or("", |(_, source)| source);
    let key = ObjectKey {
        source: source.into(),
        object_type: wanted.object_type,
        object_id: row.required_text(1)?.to_owned(),
    };
    let value = |(index, property): (usize, &Property)| {
        Ok(match (row.cell(FIRST_VALUE + index)?, property.kind) {
            (Cell::Null, _) => Value::Null,
            (Cell::Int(number), PropertyKind::Flag) => Value::Bool(number != 0),
            (Cell::Int(number), _) => number.into(),
            (Cell::Text(text), _) => text.into(),
            (other, _) => {
                return Err(annals_sql::Error::data(format!(
                    "{} of {}: {other:?}",
                    property.name, key.object_id
                )));
            }
        })
    };
    let values = properties(wanted.object_type).iter().enumerate().map(value).collect::<Result<_, _>>()?;
    Ok(Found { key, values })
}

/// The columns of an object's place come behind its values.
fn place(row: &Row, wanted: &Find) -> Result<Place, Error> {
    let first = FIRST_VALUE + properties(wanted.object_type).len();
    let mut values = Vec::new();
    for index in first..first + wanted.order.len() {
        values.push(match row.cell(index)? {
            Cell::Int(number) => PlaceValue::Int(number),
            _ => PlaceValue::Text(row.required_text(index)?.to_owned()),
        });
    }
    values.push(PlaceValue::Int(row.required_int(0)?));
    values.push(PlaceValue::Text(row.required_text(1)?.to_owned()));
    Ok(Place(values))
}
