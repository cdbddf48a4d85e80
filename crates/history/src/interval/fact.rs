//! What rows with two times tell: that an identity holds something, or that a role or group brings something.

use std::fmt::Debug;

use annals_model::text::searchable;
use annals_model::{
    AccessItem, Acquired, Grant, GrantWay, Holding, Image, ObjectKey, ObjectType, grants, holdings,
};
use annals_sql::{Column, ColumnData, Row};

/// What a table of rows with two times is about.
pub trait AccessFact: Debug + Clone + Ord + Send + Sync + 'static {
    /// The table.
    const TABLE: &'static str;
    /// Its column that says whose the row is.
    const OWNER: &'static str;
    /// The table of one row that says whose captures have become rows.
    const BUILD: &'static str;
    /// Its own columns, as they are selected and then read.
    const COLUMNS: &'static str;
    /// The types of the objects whose captures tell it, in the order of how their objects are named as owners.
    const TYPES: &'static [ObjectType];
    /// Most objects of these types have no row at any time.
    const MOST_ARE_EMPTY: bool;

    /// How an object is named as an owner.
    fn owner(key: &ObjectKey) -> String;

    /// What an image tells, sorted, and the items that are named in it.
    fn told(key: &ObjectKey, image: &Image) -> (Vec<AccessItem>, Vec<Self>);

    /// The items that it names.
    fn items(&self) -> Vec<i64>;

    /// Out of its own columns, from this one on.
    ///
    /// # Errors
    /// As for any row.
    fn read(row: &Row, from: usize) -> Result<Self, annals_sql::Error>;

    /// Its own columns.
    fn columns(facts: &[&Self]) -> Vec<Column>;
}

fn numbers<F>(name: &'static str, facts: &[&F], value: impl Fn(&F) -> i64) -> Column {
    Column { name, data: ColumnData::Int(facts.iter().map(|fact| Some(value(fact))).collect()) }
}

impl AccessFact for Holding {
    const TABLE: &'static str = "annals_access_interval";
    const OWNER: &'static str = "identity_id";
    const BUILD: &'static str = "annals_access_build";
    const COLUMNS: &'static str =
        "a.item, a.acquired, a.request_item_id, a.native_identity, a.cause, a.assigner";
    const TYPES: &'static [ObjectType] = &[ObjectType::Identity];
    const MOST_ARE_EMPTY: bool = false;

    /// As heads name it.
    fn owner(key: &ObjectKey) -> String {
        searchable(&key.object_id).into_owned()
    }

    fn told(_: &ObjectKey, image: &Image) -> (Vec<AccessItem>, Vec<Self>) {
        holdings(image).into_iter().unzip()
    }

    fn items(&self) -> Vec<i64> {
        vec![self.item]
    }

    fn read(row: &Row, from: usize) -> Result<Self, annals_sql::Error> {
        let text = |index| row.text(from + index).map(|text| text.map(str::to_owned));
        Ok(Self {
            item: row.required_int(from)?,
            acquired: Acquired::of_number(row.required_int(from + 1)?),
            request_item_id: text(2)?,
            native_identity: text(3)?,
            cause: text(4)?,
            assigner: text(5)?,
        })
    }

    fn columns(facts: &[&Self]) -> Vec<Column> {
        let texts = |name, value: fn(&Self) -> &Option<String>| Column {
            name,
            data: ColumnData::Text(facts.iter().map(|fact| value(fact).clone()).collect()),
        };
        vec![
            numbers("item", facts, |holding| holding.item),
            numbers("acquired", facts, |holding| holding.acquired.number()),
            texts("request_item_id", |holding| &holding.request_item_id),
            texts("native_identity", |holding| &holding.native_identity),
            texts("cause", |holding| &holding.cause),
            texts("assigner", |holding| &holding.assigner),
        ]
    }
}

impl AccessFact for Grant {
    const TABLE: &'static str = "annals_access_grant";
    const OWNER: &'static str = "granter";
    const BUILD: &'static str = "annals_grant_build";
    const COLUMNS: &'static str = "a.item, a.granted_by, a.way";
    const TYPES: &'static [ObjectType] = &[ObjectType::ManagedAttribute, ObjectType::Role];
    const MOST_ARE_EMPTY: bool = true;

    /// With its type, for a role and a group may have the same id.
    fn owner(key: &ObjectKey) -> String {
        format!("{}/{}", key.object_type, searchable(&key.object_id))
    }

    fn told(key: &ObjectKey, image: &Image) -> (Vec<AccessItem>, Vec<Self>) {
        grants(key.object_type, &key.object_id, image)
    }

    fn items(&self) -> Vec<i64> {
        vec![self.item, self.by]
    }

    fn read(row: &Row, from: usize) -> Result<Self, annals_sql::Error> {
        let way = row.required_int(from + 2)?;
        let way = GrantWay::of_number(way)
            .ok_or_else(|| annals_sql::Error::data(format!("{}.way: {way}", Self::TABLE)))?;
        Ok(Self { item: row.required_int(from)?, by: row.required_int(from + 1)?, way })
    }

    fn columns(facts: &[&Self]) -> Vec<Column> {
        vec![
            numbers("item", facts, |grant| grant.item),
            numbers("granted_by", facts, |grant| grant.by),
            numbers("way", facts, |grant| grant.way.number()),
        ]
    }
}
