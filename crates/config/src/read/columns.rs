//! Tables, columns and joins of a source profile.

use std::collections::BTreeMap;

use crate::fields::Fields;
use crate::filter::{Expr, NameUse};
use crate::node::{Entry, Kind, shortened};
use crate::profile::{ChangeColumn, ColumnPath, Join, TimeKind};
use crate::read::filter::{NameProblem, filter};
use crate::suggest::known_words;
use crate::value::Value;

/// What column paths may refer to at one place of a profile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Aliases of the joins there.
    pub(crate) aliases: Vec<String>,
    /// The profile says where the release of the system stands, so `since` has a meaning.
    pub(crate) release: bool,
}

/// How an instant lies in a column.
pub(crate) const TIME_KINDS: [(&str, TimeKind); 3] = [
    ("epochMillis", TimeKind::EpochMillis),
    ("epochSeconds", TimeKind::EpochSeconds),
    ("dateTime", TimeKind::DateTime),
];

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '$' | '#'))
}

/// A table, perhaps with its schema: `spt_link`, `public.users`.
pub(crate) fn table(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    let parts = name.split('.').count();
    if parts > 2 || !name.split('.').all(is_identifier) {
        let message = format!("`{}` is no name of a table", shortened(&name));
        value.error(message, "write the bare name, or schema.table, without quotes");
        return None;
    }
    Some(name)
}

/// A column of one table, without an alias.
pub(crate) fn column(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if !is_identifier(&name) {
        let message = format!("`{}` is no name of a column", shortened(&name));
        value.error(message, "write the bare name of a column of this table, without quotes");
        return None;
    }
    Some(name)
}

/// `column` or `alias.column`.
pub(crate) fn column_path(value: &Value<'_>, scope: &Scope) -> Option<ColumnPath> {
    let text = value.name()?;
    let (alias, column) = match text.split_once('.') {
        Some((alias, column)) => (Some(alias), column),
        None => (None, text.as_str()),
    };
    if !is_identifier(column) || !alias.is_none_or(is_identifier) {
        let message = format!("`{}` is no column", shortened(&text));
        value.error(message, "write `column`, or `alias.column` with the alias of a join");
        return None;
    }
    if let Some(alias) = alias
        && let Some((message, help)) = unknown_alias(alias, scope)
    {
        value.error(message, help);
    }
    Some(ColumnPath { alias: alias.map(str::to_owned), column: column.to_owned() })
}

fn unknown_alias(alias: &str, scope: &Scope) -> Option<(String, String)> {
    if scope.aliases.iter().any(|known| known == alias) {
        return None;
    }
    let known: Vec<&str> = scope.aliases.iter().map(String::as_str).collect();
    let none = format!("declare it: joins: {{{alias}: {{table: ..., on: {{...}}}}}}");
    Some((format!("there is no join `{alias}` here"), known_words(alias, &known, &none)))
}

/// A filter over columns of the base table and `alias.column`.
pub(crate) fn column_filter(value: &Value<'_>, scope: &Scope) -> Option<Expr> {
    filter(value, |name: &NameUse| {
        let (alias, column) = name.name.split_once('.')?;
        let (message, help) = if column.contains('.') {
            let message = format!("`{}` is no column", shortened(&name.name));
            (message, "write `column` or `alias.column`".to_owned())
        } else {
            unknown_alias(alias, scope)?
        };
        Some(NameProblem { offset: name.offset, message, help })
    })
}

/// A filter over the columns of one table.
pub(crate) fn table_filter(value: &Value<'_>) -> Option<Expr> {
    filter(value, |name: &NameUse| {
        name.name.contains('.').then(|| NameProblem {
            offset: name.offset,
            message: format!("`{}` is no column of the table itself", shortened(&name.name)),
            help: "here a filter names columns of its own table, without an alias".to_owned(),
        })
    })
}

/// `since`: a release such as `8.4`.
pub(crate) fn since(fields: &mut Fields<'_>, scope: &Scope) -> Option<String> {
    let value = fields.get("since")?;
    let release = value.name()?;
    let fits = release.starts_with(|first: char| first.is_ascii_digit())
        && release.chars().all(|character| character.is_ascii_digit() || matches!(character, '.' | '-'));
    if !fits {
        let message = format!("`since` must be a release, not `{}`", shortened(&release));
        value.error(message, "write digits with dots, for example since: \"8.4\"");
        return None;
    }
    if !scope.release {
        value.error(
            "`since` has no meaning here, since the profile does not say where the release of the system stands",
            "add release: {table: ..., column: ...} to the profile, or remove `since`",
        );
    }
    Some(release)
}

/// `joins` of a mapping, and the scope with their aliases.
pub(crate) fn joins(fields: &mut Fields<'_>, outer: &Scope) -> (BTreeMap<String, Join>, Scope) {
    let entries = fields.get("joins").and_then(|value| value.entries()).unwrap_or_default();
    let aliases = entries.iter().map(|entry| entry.key.clone()).collect();
    let scope = Scope { aliases, release: outer.release };
    let mut joins = BTreeMap::new();
    for entry in entries {
        if !is_identifier(&entry.key) {
            let message = format!("`{}` is no alias of a join", shortened(&entry.key));
            fields.file.error(entry.at, message, "write a word of letters, digits and `_`");
        }
        if let Some(join) = join(&Value::of(fields.file, entry), &entry.key, &scope) {
            joins.insert(entry.key.clone(), join);
        }
    }
    note_circles(fields, entries, &joins);
    (joins, scope)
}

fn join(value: &Value<'_>, alias: &str, scope: &Scope) -> Option<Join> {
    let mut fields = value.fields(format!("the join `{}`", shortened(alias)))?;
    let table = fields.need("table", "write table: with the joined table").and_then(|value| table(&value));
    let help = "write on: {column of the joined table: column of the base table}";
    let mut on = BTreeMap::new();
    if let Some(value) = fields.need("on", help) {
        let entries = value.entries().unwrap_or_default();
        if value.entries().is_some_and(<[Entry]>::is_empty) {
            value.error("`on` is empty", help);
        }
        for entry in entries {
            if !is_identifier(&entry.key) {
                let message = format!("`{}` is no column of the joined table", shortened(&entry.key));
                value.file.error(entry.at, message, help);
            }
            if let Some(path) = column_path(&Value::of(value.file, entry), scope) {
                on.insert(entry.key.clone(), path);
            }
        }
    }
    let filter = fields.get("filter").and_then(|value| table_filter(&value));
    fields.finish();
    Some(Join { table: table?, on, filter })
}

/// A join may be joined to another one, but following that must end at the base table.
fn note_circles(fields: &Fields<'_>, entries: &[Entry], joins: &BTreeMap<String, Join>) {
    let mut reached: Vec<&str> = Vec::new();
    loop {
        let next: Vec<&str> = joins
            .iter()
            .filter(|(alias, _)| !reached.contains(&alias.as_str()))
            .filter(|(_, join)| {
                // An alias that does not exist has been noted, and is no circle.
                join.on
                    .values()
                    .filter_map(|path| path.alias.as_deref())
                    .all(|alias| reached.contains(&alias) || !joins.contains_key(alias))
            })
            .map(|(alias, _)| alias.as_str())
            .collect();
        if next.is_empty() {
            break;
        }
        reached.extend(next);
    }
    for entry in entries.iter().filter(|entry| joins.contains_key(&entry.key)) {
        if !reached.contains(&entry.key.as_str()) {
            let message = format!("the join `{}` never reaches the base table", shortened(&entry.key));
            let help = "join at least one of them to a column of the base table";
            fields.file.error(entry.at, message, help);
        }
    }
}

/// `changed`: one change column or a list of them, each a name or `{column, kind, since}`.
pub(crate) fn changed(fields: &mut Fields<'_>, scope: &Scope) -> Vec<ChangeColumn> {
    let Some(value) = fields.get("changed") else { return Vec::new() };
    if !matches!(value.node.kind, Kind::List(_)) {
        return change_column(&value, scope).into_iter().collect();
    }
    value.list().unwrap_or_default().iter().filter_map(|value| change_column(value, scope)).collect()
}

/// A change column: its name, or `{column, kind, since}`.
pub(crate) fn change_column(value: &Value<'_>, scope: &Scope) -> Option<ChangeColumn> {
    if value.is_text() {
        let column = column_path(value, scope)?;
        return Some(ChangeColumn { column, kind: TimeKind::EpochMillis, since: None });
    }
    let mut fields = value.fields("the change column")?;
    let help = "write column: with a column of the table";
    let column = fields.need("column", help).and_then(|value| column_path(&value, scope));
    let kind = fields.get("kind").and_then(|value| value.word(&TIME_KINDS)).unwrap_or(TimeKind::EpochMillis);
    let since = since(&mut fields, scope);
    fields.finish();
    Some(ChangeColumn { column: column?, kind, since })
}
