//! Columns that are read: how a statement selects them, and ids, by which rows are found.

use std::borrow::Cow;

use annals_config::profile::{ColumnPath, Format, TimeKind};
use annals_sql::{Cell, ColumnKind, Engine, Value};

use crate::catalogue::{Lack, Survey};
use crate::change;
use crate::scope::{ColumnRef, Scope};

/// A column and how its content becomes JSON.
#[derive(Debug, Clone)]
pub(crate) struct ColumnPlan {
    pub(crate) column: ColumnRef,
    pub(crate) format: Format,
}

impl ColumnPlan {
    pub(crate) fn new(scope: &Scope, path: &ColumnPath, format: Format) -> Result<Self, Lack> {
        let column = scope.column(path)?;
        if let Format::Time(kind) = format {
            change::check_kind(&column, kind)?;
        }
        Ok(Self { column, format })
    }

    /// As a statement selects it: types that differ between engines are brought to text or to milliseconds.
    pub(crate) fn select(&self, engine: Engine) -> String {
        let sql = &self.column.sql;
        match (self.column.kind, self.format) {
            // Dates in text are read here, row by row: in the statement a bad one would fail all the others.
            (ColumnKind::Text, _) => sql.clone(),
            (_, Format::Time(TimeKind::DateTime)) | (ColumnKind::DateTime, Format::Auto) => {
                engine.date_time_cell(sql)
            }
            (ColumnKind::DateTime | ColumnKind::Decimal | ColumnKind::Other, _) => engine.as_text(sql),
            _ => sql.clone(),
        }
    }

    /// Whether a cell of it may hold more than so many bytes of text, as far as its engine lets it.
    pub(crate) fn may_exceed(&self, bytes_max: usize) -> bool {
        let holds_text = matches!(self.column.kind, ColumnKind::Text | ColumnKind::Bytes | ColumnKind::Other);
        // UTF-8 takes four bytes a character at most.
        let width = self.column.width_max.and_then(|width| usize::try_from(width).ok());
        holds_text && width.is_none_or(|width| width.saturating_mul(4) > bytes_max)
    }
}

/// A column that holds ids. Ids are text everywhere but in statements, where an index on whole numbers needs numbers.
#[derive(Debug, Clone)]
pub(crate) struct IdColumn {
    pub(crate) column: ColumnRef,
    /// The expression by which statements select, compare and order: the plain column where an index can serve it.
    pub(crate) sql: String,
}

impl IdColumn {
    pub(crate) fn new(engine: Engine, scope: &Scope, path: &ColumnPath) -> Result<Self, Lack> {
        let column = scope.column(path)?;
        let sql = match column.kind {
            ColumnKind::Integer | ColumnKind::Text => column.sql.clone(),
            ColumnKind::Decimal | ColumnKind::Other => engine.as_text(&column.sql),
            ColumnKind::Boolean | ColumnKind::Float | ColumnKind::Bytes | ColumnKind::DateTime => {
                return Err(column.lack("the column cannot hold ids: they are text or whole numbers"));
            }
        };
        Ok(Self { column, sql })
    }

    /// As [`IdColumn::new`], with a note of what is missing.
    pub(crate) fn note(
        survey: &mut Survey<'_>,
        property: &str,
        scope: &Scope,
        path: &ColumnPath,
    ) -> Option<Self> {
        let engine = survey.catalogue.engine;
        survey.note(property, Self::new(engine, scope, path))
    }

    pub(crate) fn is_number(&self) -> bool {
        self.column.kind == ColumnKind::Integer
    }

    /// An id as a parameter; nothing for text that cannot be an id of this column.
    pub(crate) fn value(&self, id: &str) -> Option<Value> {
        if self.is_number() { id.parse::<i64>().ok().map(Value::from) } else { Some(Value::from(id)) }
    }

    /// Ids as a list parameter. Text that cannot be an id of this column is left out.
    pub(crate) fn list<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Value {
        if self.is_number() {
            Value::IntList(ids.filter_map(|id| id.parse().ok()).collect())
        } else {
            Value::TextList(ids.map(str::to_owned).collect())
        }
    }
}

/// The text of an id; nothing where there is none, or none that could be one.
pub(crate) fn id_text(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    match cell {
        Cell::Int(number) => Some(Cow::Owned(number.to_string())),
        Cell::Text(text) => Some(Cow::Borrowed(text)),
        Cell::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cell::Null | Cell::Bool(_) | Cell::Float(_) => None,
    }
}
