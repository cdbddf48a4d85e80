//! The form of answers: what REST tells, a command prints and an export writes is the same rows.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// Several texts.
    Texts,
    /// An instant, epoch milliseconds.
    Instant,
    /// A whole number.
    Integer,
    /// True or false.
    Flag,
    /// Any JSON.
    Json,
}

/// A column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its heading, in small words: `request item`.
    pub heading: &'static str,
    /// What stands in it; or null, where nothing is known.
    pub kind: Kind,
    /// People read it; else only programs do.
    pub for_people: bool,
}

impl Column {
    /// A column that people read.
    #[must_use]
    pub const fn new(heading: &'static str, kind: Kind) -> Self {
        Self { heading, kind, for_people: true }
    }

    /// A column that programs want to know, and people can do without.
    #[must_use]
    pub const fn for_programs(heading: &'static str, kind: Kind) -> Self {
        Self { heading, kind, for_people: false }
    }

    /// Its name as a member of JSON: `requestItem`.
    #[must_use]
    pub fn name(&self) -> String {
        camel(self.heading)
    }
}

/// A row of an answer.
pub trait Row {
    /// The columns of such rows.
    const COLUMNS: &'static [Column];

    /// What stands in them, in their order.
    fn cells(&self) -> Vec<Value>;
}

/// A row as an object of JSON, its instants in RFC 3339, UTC.
#[must_use]
pub fn object(columns: &[Column], cells: Vec<Value>) -> Map<String, Value> {
    let told = |column: &Column, cell: Value| match (column.kind, cell.as_i64()) {
        (Kind::Instant, Some(ms)) => told_instant(ms),
        _ => cell,
    };
    columns.iter().zip(cells).map(|(column, cell)| (column.name(), told(column, cell))).collect()
}

/// An instant as JSON tells it: RFC 3339, UTC.
#[must_use]
pub fn told_instant(ms: i64) -> Value {
    Timestamp::from_millisecond(ms).map_or(Value::Null, |instant| json!(instant.to_string()))
}

/// A heading as a member of JSON: `object type` becomes `objectType`.
#[must_use]
pub fn camel(heading: &str) -> String {
    let mut words = heading.split(' ');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_has_a_name_in_json() {
        assert_eq!(Column::new("kind", Kind::Text).name(), "kind");
        assert_eq!(Column::new("first request item", Kind::Text).name(), "firstRequestItem");
    }
}
