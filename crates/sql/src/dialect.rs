//! Where engines differ, the difference is a token in a statement or a function here.

use std::borrow::Cow;

use crate::{Error, ErrorKind, Result, Value, fault};

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// A statement: a name for logs and errors, and its text.
///
/// In the text `?` is a parameter. Tokens: `{in}` compares with a list parameter (`id {in}`, the list is the next
/// parameter), `{now_ms}` is the database's clock in epoch milliseconds, `{locked}` locks the selected rows, and
/// `{skip_locked}` does and passes over those that others hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stmt {
    /// `crate.verb`, e.g. `runs.claim`.
    pub name: Cow<'static, str>,
    /// The text.
    pub text: Cow<'static, str>,
}

impl Stmt {
    /// A statement known when the program is built.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), text: Cow::Borrowed(text) }
    }

    /// A statement put together at run time out of quoted identifiers and parameters, never out of values.
    #[must_use]
    pub fn built(name: impl Into<Cow<'static, str>>, text: String) -> Self {
        Self { name: name.into(), text: Cow::Owned(text) }
    }
}

impl Engine {
    /// As messages name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL/MariaDB",
        }
    }

    /// An identifier in quotes.
    #[must_use]
    pub fn quote(self, identifier: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", identifier.replace('`', "``")),
            Self::Sqlite | Self::Postgres => format!("\"{}\"", identifier.replace('"', "\"\"")),
        }
    }

    /// An expression as text: for keys that are numbers in the source.
    #[must_use]
    pub fn as_text(self, expression: &str) -> String {
        match self {
            Self::MySql => format!("cast({expression} as char)"),
            Self::Sqlite | Self::Postgres => format!("cast({expression} as text)"),
        }
    }

    /// A date-time column as rows are read by it: epoch milliseconds, or text where the engine keeps dates as text, so
    /// that a row which holds no date can be told from a null.
    #[must_use]
    pub fn date_time_cell(self, expression: &str) -> String {
        match self {
            Self::Sqlite => expression.to_owned(),
            Self::Postgres | Self::MySql => self.date_time_as_millis(expression),
        }
    }

    /// An expression as a 64-bit whole number: for numbers that are kept as text or as decimals.
    #[must_use]
    pub fn as_integer(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("cast({expression} as integer)"),
            Self::Postgres => format!("cast({expression} as bigint)"),
            Self::MySql => format!("cast({expression} as signed)"),
        }
    }

    /// A text column for comparing with a parameter by `=` and `{in}`: case counts, whatever the column's collation.
    #[must_use]
    pub fn exact_text(self, expression: &str) -> String {
        match self {
            Self::Sqlite => format!("{expression} collate binary"),
            Self::Postgres => expression.to_owned(),
            Self::MySql => format!("cast(convert({expression} using utf8mb4) as binary)"),
        }
    }

    /// A text column for comparing with a parameter by `<` and its like: in the order of its bytes.
    #[must_use]
    pub fn byte_ordered(self, expression: &str) -> String {
        match self {
            Self::Postgres => format!("{expression} collate \"C\""),
            Self::Sqlite | Self::MySql => self.exact_text(expression),
        }
    }

    /// `from` of a look-up by a list of keys, which is its first parameter: at most one row of `table` for each
    /// `listed.value`. However little the engine knows of the table, it goes through the index of `condition`: without
    /// statistics a list looks like a large part of a table that looks small, which is then read whole for each list.
    ///
    /// # Errors
    /// `Configuration` on MySQL, which has no list parameter: history is not kept there.
    pub fn each_listed(self, table: &str, alias: &str, condition: &str) -> Result<String> {
        match self {
            Self::Postgres => Ok(format!(
                "unnest(cast(? as text[])) as listed (value) \
                 cross join lateral (select * from {table} where {condition} limit 1) as {alias}"
            )),
            Self::Sqlite => {
                Ok(format!("json_each(?) as listed cross join {table} as {alias} on {condition}"))
            }
            Self::MySql => Err(no_lists(table)),
        }
    }

    /// `with` and `from` of the same for all rows of `table`, and one of nulls where there are none. What is wanted `besides`
    /// of each `given.value` is worked out once for it, and is a column of `listed` too.
    ///
    /// # Errors
    /// As [`Engine::each_listed`].
    pub fn all_listed(
        self,
        besides: &str,
        table: &str,
        alias: &str,
        condition: &str,
    ) -> Result<(String, String)> {
        let (given, from) = match self {
            // `offset 0` keeps it from being joined in another way.
            Self::Postgres => (
                "unnest(cast(? as text[])) as given (value)",
                format!(
                    "listed left join lateral (select * from {table} where {condition} offset 0) as {alias} on true"
                ),
            ),
            Self::Sqlite => {
                ("json_each(?) as given", format!("listed left join {table} as {alias} on {condition}"))
            }
            Self::MySql => return Err(no_lists(table)),
        };
        Ok((format!("with listed as materialized (select given.value, {besides} from {given})"), from))
    }

    /// `from` of the first rows of `table` for each of a list of numbers, which is its first parameter: `key` is the column
    /// that is compared with it, and the last parameter how many rows of each number are enough, in the order `order`. Where
    /// an index has them in that order, no more of them are read.
    ///
    /// # Errors
    /// As [`Engine::each_listed`].
    pub fn first_of_each_listed(
        self,
        (table, alias): (&str, &str),
        key: &str,
        condition: &str,
        order: &str,
    ) -> Result<String> {
        let condition = format!("{alias}.{key} = listed.value and {condition}");
        match self {
            Self::Postgres => Ok(format!(
                "unnest(cast(? as bigint[])) as listed (value) cross join lateral \
                 (select * from {table} {alias} where {condition} order by {order} limit ?) as {alias}"
            )),
            // It reads all: what is joined has no limit of its own.
            Self::Sqlite => Ok(format!(
                "json_each(?) as listed cross join {table} as {alias} on {condition} cross join (select ?) as enough"
            )),
            Self::MySql => Err(no_lists(table)),
        }
    }

    /// A column of instants as a date-time in UTC, whatever the session's zone: only so PostgreSQL lets an index hold what
    /// is made of it.
    #[must_use]
    pub fn zoned_in_utc(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("({column} at time zone 'UTC')"),
            Self::Sqlite | Self::MySql => column.to_owned(),
        }
    }

    /// An instant column as epoch milliseconds, from a date-time column or text `YYYY-MM-DD HH:MM:SS[.fff]` in UTC.
    #[must_use]
    pub fn date_time_as_millis(self, expression: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("cast(round((julianday({expression}) - 2440587.5) * 86400000.0) as integer)")
            }
            Self::Postgres => {
                format!("cast(extract(epoch from cast({expression} as timestamp)) * 1000 as bigint)")
            }
            Self::MySql => {
                format!(
                    "cast(timestampdiff(microsecond, '1970-01-01 00:00:00', {expression}) div 1000 as signed)"
                )
            }
        }
    }

    /// `prefix` matching of an expression with a pattern parameter (made by [`Engine::like_pattern`]), with case.
    #[must_use]
    pub fn like(self, expression: &str) -> String {
        match self {
            // SQLite's `like` ignores case; `glob` does not.
            Self::Sqlite => format!("{expression} glob ?"),
            Self::Postgres => format!("{expression} like ? escape '!'"),
            Self::MySql => format!("{expression} like binary ? escape '!'"),
        }
    }

    /// The pattern for [`Engine::like`]: `text` between optional wildcards.
    #[must_use]
    pub fn like_pattern(self, anything_before: bool, text: &str, anything_after: bool) -> String {
        let (any, escaped) = match self {
            Self::Sqlite => {
                let escaped = text.chars().fold(String::new(), |mut escaped, c| {
                    match c {
                        '*' | '?' | '[' => escaped.extend(['[', c, ']']),
                        _ => escaped.push(c),
                    }
                    escaped
                });
                ('*', escaped)
            }
            Self::Postgres | Self::MySql => {
                let escaped = text.chars().fold(String::new(), |mut escaped, c| {
                    if matches!(c, '%' | '_' | '!') {
                        escaped.push('!');
                    }
                    escaped.push(c);
                    escaped
                });
                ('%', escaped)
            }
        };
        let mut pattern = String::with_capacity(escaped.len() + 2);
        if anything_before {
            pattern.push(any);
        }
        pattern.push_str(&escaped);
        if anything_after {
            pattern.push(any);
        }
        pattern
    }

    /// The statement's text for this engine. Parameters are needed because MySQL has no list parameter: there a list
    /// of n becomes n parameters.
    #[must_use]
    pub(crate) fn render(self, text: &str, params: &[Value]) -> String {
        let mut sql = String::with_capacity(text.len() + 32);
        let mut number = 0;
        let mut quote = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match (quote, c) {
                (Some(open), _) if c == open => {
                    quote = None;
                    sql.push(c);
                }
                (Some(_), _) => sql.push(c),
                (None, '\'' | '"' | '`') => {
                    quote = Some(c);
                    sql.push(c);
                }
                (None, '?') => {
                    number += 1;
                    self.placeholder(&mut sql, number);
                }
                (None, '{') => {
                    let token: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    match token.as_str() {
                        "in" => {
                            number += 1;
                            self.in_list(&mut sql, number, params.get(number - 1));
                        }
                        "now_ms" => match fault::host_now_ms() {
                            Some(now_ms) => sql.push_str(&now_ms.to_string()),
                            None => sql.push_str(self.now_ms()),
                        },
                        "locked" => sql.push_str(self.locked()),
                        "skip_locked" => sql.push_str(self.skip_locked()),
                        other => {
                            sql.push('{');
                            sql.push_str(other);
                            sql.push('}');
                        }
                    }
                }
                (None, _) => sql.push(c),
            }
        }
        sql
    }

    fn placeholder(self, sql: &mut String, number: usize) {
        if self == Self::Postgres {
            sql.push('$');
            sql.push_str(&number.to_string());
        } else {
            sql.push('?');
        }
    }

    fn in_list(self, sql: &mut String, number: usize, list: Option<&Value>) {
        match self {
            Self::Postgres => {
                sql.push_str("= any($");
                sql.push_str(&number.to_string());
                sql.push(')');
            }
            // The list arrives as one JSON text.
            Self::Sqlite => sql.push_str("in (select value from json_each(?))"),
            Self::MySql => {
                let length = match list {
                    Some(Value::TextList(list)) => list.len(),
                    Some(Value::IntList(list)) => list.len(),
                    _ => 1,
                };
                if length == 0 {
                    sql.push_str("in (null)");
                } else {
                    sql.push_str("in (?");
                    sql.push_str(&", ?".repeat(length - 1));
                    sql.push(')');
                }
            }
        }
    }

    pub(crate) const fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "cast(round((julianday('now') - 2440587.5) * 86400000.0) as integer)",
            Self::Postgres => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
            Self::MySql => {
                "cast(timestampdiff(microsecond, '1970-01-01', utc_timestamp(3)) div 1000 as signed)"
            }
        }
    }

    const fn locked(self) -> &'static str {
        match self {
            // As below.
            Self::Sqlite => "",
            Self::Postgres | Self::MySql => "for update",
        }
    }

    const fn skip_locked(self) -> &'static str {
        match self {
            // One writer at a time: an immediate transaction holds the whole database.
            Self::Sqlite => "",
            Self::Postgres | Self::MySql => "for update skip locked",
        }
    }
}

fn no_lists(table: &str) -> Error {
    Error::new(
        format!("looking up in {table}: the history database must be SQLite or PostgreSQL"),
        ErrorKind::Configuration,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_tokens_are_rendered_for_each_engine() {
        let text = "select '?{in}' from t where a = ? and id {in} {skip_locked}";
        let params = [Value::from(1_i64), Value::from(vec!["x".to_owned(), "y".to_owned()])];
        assert_eq!(
            Engine::Postgres.render(text, &params),
            "select '?{in}' from t where a = $1 and id = any($2) for update skip locked"
        );
        assert_eq!(
            Engine::Sqlite.render(text, &params),
            "select '?{in}' from t where a = ? and id in (select value from json_each(?)) "
        );
        assert_eq!(
            Engine::MySql.render(text, &params),
            "select '?{in}' from t where a = ? and id in (?, ?) for update skip locked"
        );
    }

    #[test]
    fn wildcards_in_a_text_match_only_themselves() {
        assert_eq!(Engine::Sqlite.like_pattern(false, "a*[", true), "a[*][[]*");
        assert_eq!(Engine::Postgres.like_pattern(true, "50%_!", false), "%50!%!_!!");
    }
}
