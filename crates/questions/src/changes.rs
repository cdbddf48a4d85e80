//! `changes`: what changed in what a population holds between two instants.
//!
//! A change is that access begins or ends to be held, by an account: under whatever name and however come by. So one role
//! that goes and comes again is two changes, and what changes its name or its cause is none. What was held at the end is what
//! was held at the beginning, and what was added, without what was removed.

mod groups;
mod statement;

use annals_history::find::{Condition, Find, Ids};
use annals_history::{Page, PageRequest, Position, has_intervals};
use annals_model::{AccessItem, AccessKind, Acquired, ObjectType};
use annals_sql::{Row as Fetched, Tx};
use serde_json::{Value, json};

use self::statement::Statement;
use crate::export::{PAGE_ROWS, Pages, pages};
use crate::names::names;
use crate::row::{Column, Kind, Row};
use crate::{Change, Error, Result};

pub use groups::{ChangeGroup, ChangeGroups, ChangeTotals, GroupBy, change_groups};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangesQuestion<'q> {
    /// Changes after this instant, epoch milliseconds,
    pub from_ms: i64,
    /// and up to this one.
    pub to_ms: i64,
    /// Only what history knew at this instant; none: what it knows now.
    pub known_at_ms: Option<i64>,
    /// Only of identities of whose newest state this holds.
    pub condition: Option<Condition>,
    /// Only of these identities, by id.
    pub within: Option<&'q [String]>,
    /// Only what was added and nothing explains.
    pub unexplained_only: bool,
}

/// That an identity came to hold access, or ceased to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Id of the identity.
    pub identity_id: String,
    /// Its name when it was last captured.
    pub identity: Option<String>,
    /// Added or removed.
    pub change: Change,
    /// When, epoch milliseconds.
    pub occurred_ms: i64,
    /// Since when history has known of it.
    pub recorded_ms: i64,
    /// What, as it was called then.
    pub item: AccessItem,
    /// The account by which it is held.
    pub account: Option<String>,
    /// How it was come by.
    pub acquired: Acquired,
    /// What brought it.
    pub cause: Option<String>,
    /// Who gave it.
    pub assigner: Option<String>,
    /// The request item that brought it.
    pub request_item_id: Option<String>,
}

/// Changes of access, in the order in which history learned of them; within a page they stand by when they happened. An item
/// that an identity holds under two names at a time counts for each.
///
/// # Errors
/// `NoIntervals` where the captures of some identities have not become intervals yet, `Place` for a place of another list;
/// else as any call.
pub async fn changes(
    tx: &mut Tx,
    question: &ChangesQuestion<'_>,
    page: &PageRequest,
) -> Result<Page<AccessChange>> {
    let population = population(tx, question).await?;
    let (stmt, params) = Statement::new(tx.engine(), question, population.as_ref()).changes(page)?;
    let rows = tx.fetch_all(&stmt, params).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let cut =
        page.cut(rows, |(place, change)| Position { recorded_ms: change.recorded_ms, id: place.clone() });
    let mut rows: Vec<AccessChange> = cut.rows.into_iter().map(|(_, change)| change).collect();
    let ids = rows.iter().map(|change| change.identity_id.clone()).collect();
    let names = names(tx, ObjectType::Identity, ids).await?;
    for change in &mut rows {
        change.identity = names.get(&change.identity_id).cloned();
    }
    rows.sort_by(|one, two| {
        let by = |change: &AccessChange| (change.occurred_ms, change.identity_id.clone());
        by(one).cmp(&by(two)).then_with(|| one.item.cmp(&two.item))
    });
    Ok(Page { rows, next: cut.next })
}

/// Every statement, of everybody and of some.
#[cfg(test)]
pub(crate) fn statements(engine: annals_sql::Engine) -> Vec<annals_sql::Stmt> {
    let ids = Ids {
        text: "select h.object_id from annals_head h where h.deleted = ?".to_owned(),
        params: vec![0.into()],
    };
    let some = ["i1".to_owned()];
    let everybody = ChangesQuestion {
        from_ms: 0,
        to_ms: 1,
        known_at_ms: None,
        condition: None,
        within: None,
        unexplained_only: false,
    };
    let few = ChangesQuestion { within: Some(&some), unexplained_only: true, ..everybody.clone() };
    let first = PageRequest { limit: 1, after: None };
    let place = json!(["i1", 1, 1, null]).to_string();
    let next = PageRequest { limit: 1, after: Some(Position { recorded_ms: 1, id: place }) };
    let mut statements = Vec::new();
    for (question, population, page) in [(&everybody, None, &first), (&few, Some(&ids), &next)] {
        let statement = || Statement::new(engine, question, population);
        statements.push(statement().held().0);
        statements.extend(statement().changes(page).map(|(stmt, _)| stmt));
        statements.extend(GroupBy::ALL.map(|by| statement().groups(by, page).0));
    }
    statements
}

/// Those who are asked about, where not all are.
async fn population(tx: &mut Tx, question: &ChangesQuestion<'_>) -> Result<Option<Ids>> {
    if !has_intervals(tx).await? {
        return Err(Error::History(annals_history::Error::NoIntervals));
    }
    let Some(condition) = &question.condition else { return Ok(None) };
    let wanted = Find {
        object_type: ObjectType::Identity,
        condition: Some(condition.clone()),
        words: Vec::new(),
        order: Vec::new(),
        limit: 0,
        after: None,
    };
    Ok(Some(annals_history::find::ids(tx, &wanted).await?))
}

/// A change, and its place among those that history learned of at once.
fn read(row: &Fetched) -> Result<(String, AccessChange)> {
    let text = |index| row.text(index).map(|text| text.map(str::to_owned));
    let kind = row.required_int(4)?;
    let kind = AccessKind::of_number(kind)
        .ok_or_else(|| annals_sql::Error::data(format!("annals_access_item.kind: {kind}")))?;
    let change = AccessChange {
        identity_id: row.required_text(0)?.to_owned(),
        identity: None,
        change: if row.required_int(1)? > 0 { Change::Added } else { Change::Removed },
        occurred_ms: row.required_int(2)?,
        recorded_ms: row.required_int(3)?,
        item: AccessItem {
            kind,
            permission: row.required_int(5)? != 0,
            id: text(6)?,
            name: text(7)?,
            application_id: text(8)?,
            application: text(9)?,
            instance: text(10)?,
            attribute: text(11)?,
            value: text(12)?,
        },
        account: text(13)?,
        acquired: Acquired::of_number(row.required_int(14)?),
        cause: text(15)?,
        assigner: text(16)?,
        request_item_id: text(17)?,
    };
    let place = json!([change.identity_id, row.required_int(18)?, change.occurred_ms, change.account]);
    Ok((place.to_string(), change))
}

impl Row for AccessChange {
    const COLUMNS: &'static [Column] = &[
        Column::new("occurred", Kind::Instant),
        Column::new("identity", Kind::Text),
        Column::new("change", Kind::Text),
        Column::new("kind", Kind::Text),
        Column::new("name", Kind::Text),
        Column::new("application", Kind::Text),
        Column::new("attribute", Kind::Text),
        Column::new("value", Kind::Text),
        Column::new("account", Kind::Text),
        Column::new("acquired", Kind::Texts),
        Column::new("cause", Kind::Text),
        Column::new("assigner", Kind::Text),
        Column::new("request item", Kind::Text),
        Column::for_programs("recorded", Kind::Instant),
        Column::for_programs("identity id", Kind::Text),
        Column::for_programs("item id", Kind::Text),
        Column::for_programs("application id", Kind::Text),
        Column::for_programs("instance", Kind::Text),
        Column::for_programs("permission", Kind::Flag),
    ];

    fn cells(&self) -> Vec<Value> {
        let Self { item, .. } = self;
        vec![
            json!(self.occurred_ms),
            json!(self.identity),
            json!(self.change.as_str()),
            json!(item.kind.as_str()),
            json!(item.name),
            json!(item.application),
            json!(item.attribute),
            json!(item.value),
            json!(self.account),
            json!(self.acquired.words()),
            json!(self.cause),
            json!(self.assigner),
            json!(self.request_item_id),
            json!(self.recorded_ms),
            json!(self.identity_id),
            json!(item.id),
            json!(item.application_id),
            json!(item.instance),
            json!(item.permission),
        ]
    }
}

/// All pages of what changed.
pub fn change_pages(question: ChangesQuestion<'static>) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let question = question.clone();
        Box::pin(async move {
            let found = changes(tx, &question, &PageRequest { limit: PAGE_ROWS, after }).await?;
            Ok((found.rows, found.next))
        })
    })
}

/// All pages of how much changed, by group.
pub fn change_group_pages(question: ChangesQuestion<'static>, by: GroupBy) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let question = question.clone();
        Box::pin(async move {
            let found = change_groups(tx, &question, by, &PageRequest { limit: PAGE_ROWS, after }).await?;
            Ok((found.page.rows, found.page.next))
        })
    })
}
