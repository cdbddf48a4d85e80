//! When rows changed: time columns as epoch milliseconds.

use annals_config::profile::{ChangeColumn, TimeKind};
use annals_sql::{ColumnKind, Engine};

use crate::catalogue::{Lack, Survey};
use crate::fragment::Fragment;
use crate::scope::{ColumnRef, Scope};

/// A time column as an expression in epoch milliseconds.
pub(crate) fn millis(engine: Engine, column: &ColumnRef, kind: TimeKind) -> Result<String, Lack> {
    check_kind(column, kind)?;
    Ok(match kind {
        TimeKind::EpochMillis if column.kind == ColumnKind::Integer => column.sql.clone(),
        TimeKind::EpochMillis => engine.as_integer(&column.sql),
        TimeKind::EpochSeconds => format!("({} * 1000)", engine.as_integer(&column.sql)),
        TimeKind::DateTime => engine.date_time_as_millis(&column.sql),
    })
}

/// Whether the column can hold a time of this kind at all.
pub(crate) fn check_kind(column: &ColumnRef, kind: TimeKind) -> Result<(), Lack> {
    let problem = match (kind, column.kind) {
        (_, ColumnKind::Boolean | ColumnKind::Bytes) => "the column cannot hold a time",
        (TimeKind::EpochMillis | TimeKind::EpochSeconds, ColumnKind::DateTime) => {
            "the column holds dates, not numbers: say `kind: dateTime`"
        }
        (TimeKind::DateTime, ColumnKind::Integer | ColumnKind::Decimal | ColumnKind::Float) => {
            "the column holds numbers, not dates: say `kind: epochMillis` or `kind: epochSeconds`"
        }
        _ => return Ok(()),
    };
    Err(column.lack(problem))
}

/// The first change time of a row that is not null; nothing if the release has none of the columns.
pub(crate) fn first(
    survey: &mut Survey<'_>,
    property: &str,
    scope: &Scope,
    columns: &[ChangeColumn],
) -> Option<Fragment> {
    let engine = survey.catalogue.engine;
    let mut parts = Vec::new();
    for ChangeColumn { column, kind, since } in columns {
        parts.extend(survey.attempt(since.as_deref(), |survey| {
            let found = scope.column(column).and_then(|found| Ok((millis(engine, &found, *kind)?, found)));
            survey.note(property, found)
        }));
    }
    let mut expression = Fragment::default();
    for (index, (millis, column)) in parts.iter().enumerate() {
        expression.push(if index == 0 { "" } else { ", " }).over(column, millis);
    }
    match parts.len() {
        0 => None,
        1 => Some(expression),
        _ => {
            expression.text = format!("coalesce({})", expression.text);
            Some(expression)
        }
    }
}
