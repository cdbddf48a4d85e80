//! Changes counted: how much was added and removed, in all and by group.

use annals_history::{Page, PageRequest, Position};
use annals_model::ObjectType;
use annals_sql::{Row as Fetched, Tx};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::statement::Statement;
use super::{ChangesQuestion, population};
use crate::Result;
use crate::names::names;
use crate::row::{Column, Kind, Row};

const DAY_MS: i64 = 86_400_000;

/// What changes are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// What brought the access, in the identity system's words; of what was removed, what had brought it.
    Cause,
    /// The application that it is access to; none of roles, capabilities and workgroups.
    Application,
    /// Whose it is.
    Identity,
    /// The day on which it changed, in UTC.
    Day,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cause, Self::Application, Self::Identity, Self::Day];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Application => "application",
            Self::Identity => "identity",
            Self::Day => "day",
        }
    }
}

/// The changes of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeGroup {
    /// Name of the cause, application or identity, or the day: `2026-03-01`; none of what has none.
    pub group: Option<String>,
    /// Id of the application or identity.
    pub id: Option<String>,
    /// How much was added,
    pub added: i64,
    /// and removed.
    pub removed: i64,
}

/// What changed in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeTotals {
    /// How much was added in all groups,
    pub added: i64,
    /// and removed.
    pub removed: i64,
    /// How much was held at the first instant; none where only what is unexplained is counted.
    pub held_before: Option<i64>,
    /// How much was held at the second: as much as before, and what was added, without what was removed.
    pub held_after: Option<i64>,
}

/// Changes by group.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeGroups {
    /// The groups with the most changes first; days in their order.
    pub page: Page<ChangeGroup>,
    /// Of all groups.
    pub totals: ChangeTotals,
}

/// How much changed, by group.
///
/// # Errors
/// As [`changes`](super::changes).
pub async fn change_groups(
    tx: &mut Tx,
    question: &ChangesQuestion<'_>,
    by: GroupBy,
    page: &PageRequest,
) -> Result<ChangeGroups> {
    let population = population(tx, question).await?;
    let engine = tx.engine();
    let statement = || Statement::new(engine, question, population.as_ref());
    let mut totals = ChangeTotals::default();
    if !question.unexplained_only {
        let (stmt, params) = statement().held();
        let held = tx.fetch_one(&stmt, params).await?;
        totals.held_before = Some(held.required_int(0)?);
        totals.held_after = Some(held.required_int(1)?);
    }
    let (stmt, params) = statement().groups(by, page);
    let rows = tx.fetch_all(&stmt, params).await?;
    if let Some(first) = rows.first() {
        (totals.added, totals.removed) = (first.required_int(4)?, first.required_int(5)?);
    }
    let rows = rows.iter().map(|row| read(row, by)).collect::<Result<Vec<_>>>()?;
    let cut = page.cut(rows, |(position, _)| position.clone());
    let mut rows: Vec<ChangeGroup> = cut.rows.into_iter().map(|(_, group)| group).collect();
    if by == GroupBy::Identity {
        let ids = rows.iter().filter_map(|group| group.id.clone()).collect();
        let names = names(tx, ObjectType::Identity, ids).await?;
        for group in &mut rows {
            let name = group.id.as_ref().and_then(|id| names.get(id)).cloned();
            group.group = name.or_else(|| group.group.take());
        }
    }
    Ok(ChangeGroups { page: Page { rows, next: cut.next }, totals })
}

/// A group with its place.
fn read(row: &Fetched, by: GroupBy) -> Result<(Position, ChangeGroup)> {
    let (added, removed) = (row.required_int(2)?, row.required_int(3)?);
    if by == GroupBy::Day {
        let day = row.required_int(0)?;
        let group = ChangeGroup { group: Some(date(day)), id: None, added, removed };
        return Ok((Position { recorded_ms: day, id: String::new() }, group));
    }
    let key = row.required_text(0)?;
    let position = Position { recorded_ms: added + removed, id: key.to_owned() };
    let id = Some(key.to_owned()).filter(|key| by != GroupBy::Cause && !key.is_empty());
    Ok((position, ChangeGroup { group: row.text(1)?.map(str::to_owned), id, added, removed }))
}

/// A day since the epoch began as a date.
fn date(day: i64) -> String {
    Timestamp::from_millisecond(day.saturating_mul(DAY_MS))
        .map_or_else(|_| day.to_string(), |instant| instant.to_zoned(TimeZone::UTC).date().to_string())
}

impl Row for ChangeGroup {
    const COLUMNS: &'static [Column] = &[
        Column::new("group", Kind::Text),
        Column::new("added", Kind::Integer),
        Column::new("removed", Kind::Integer),
        Column::new("net", Kind::Integer),
        Column::for_programs("id", Kind::Text),
    ];

    fn cells(&self) -> Vec<Value> {
        let Self { group, id, added, removed } = self;
        vec![json!(group), json!(added), json!(removed), json!(added - removed), json!(id)]
    }
}

impl ChangeTotals {
    /// As members of JSON.
    #[must_use]
    pub fn told(&self) -> Value {
        json!({
            "added": self.added,
            "removed": self.removed,
            "net": self.added - self.removed,
            "heldBefore": self.held_before,
            "heldAfter": self.held_after,
        })
    }
}
