//! Pages of a list that grows while it is read: by (recorded, id), so that what was answered once never changes.

use annals_sql::Value;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most so many rows.
    pub limit: u32,
    /// After this row; from the beginning if none.
    pub after: Option<Position>,
}

/// A row's place in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When history learned of it, epoch milliseconds.
    pub recorded_ms: i64,
    /// Its id.
    pub id: String,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none if this is the last one.
    pub next: Option<Position>,
}

impl PageRequest {
    /// The two parameters of `(created, id) > (?, ?)`.
    pub(crate) fn after(&self) -> [Value; 2] {
        match &self.after {
            Some(position) => [position.recorded_ms.into(), position.id.as_str().into()],
            None => [i64::MIN.into(), "".into()],
        }
    }

    /// The parameter of `limit ?`: one more row than wanted tells whether there are more.
    #[must_use]
    pub fn limit(&self) -> Value {
        (i64::from(self.limit) + 1).into()
    }

    /// Cuts what was fetched, one row more than wanted, to the page.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>, position: impl Fn(&T) -> Position) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(position) } else { None };
        Page { rows, next }
    }
}
