//! Properties and collections of an object type.

use std::collections::BTreeMap;

use crate::fields::Fields;
use crate::node::{Entry, shortened};
use crate::profile::{Collection, ColumnPath, Element, Format, Part, Property, PropertyValue, TimeKind};
use crate::read::columns::{Scope, TIME_KINDS, column_filter, column_path, joins, since, table};
use crate::suggest::known_words;
use crate::value::Value;

const FORMATS: [(&str, Format); 8] = [
    ("auto", Format::Auto),
    ("text", Format::Text),
    ("boolean", Format::Boolean),
    ("flag", Format::Flag),
    ("time", Format::Time(TimeKind::EpochMillis)),
    ("xml", Format::Xml),
    ("json", Format::Json),
    ("commaList", Format::CommaList),
];

/// A mapping from names to properties.
pub(crate) fn properties(value: &Value<'_>, scope: &Scope) -> BTreeMap<String, Property> {
    let entries = value.entries().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| named(value, entry))
        .map(|entry| {
            let property = property(&Value::of(value.file, entry), &entry.key, scope);
            (entry.key.clone(), property.unwrap_or_else(unreadable_property))
        })
        .collect()
}

/// Stands in for a property that could not be read, which has been noted: what refers to it by name is right.
fn unreadable_property() -> Property {
    let value = PropertyValue::Column { path: unreadable_path(), format: Format::Auto };
    Property { value, since: None, secret: false }
}

fn unreadable_path() -> ColumnPath {
    ColumnPath { alias: None, column: String::new() }
}

/// `*` stands for all properties in a transform, so no property has that name.
fn named(value: &Value<'_>, entry: &Entry) -> bool {
    let fits = !entry.key.is_empty() && entry.key != "*";
    if !fits {
        let message = format!("`{}` is no name of a property", entry.key);
        value.file.error(entry.at, message, "write a word");
    }
    fits
}

fn property(value: &Value<'_>, name: &str, scope: &Scope) -> Option<Property> {
    if value.node.is_null() {
        value.error(format!("{} has no value", value.label), "write the column that holds it");
        return None;
    }
    if value.is_text() {
        let path = column_path(value, scope)?;
        let value = PropertyValue::Column { path, format: Format::Auto };
        return Some(Property { value, since: None, secret: false });
    }
    let what = format!("the property `{}`", shortened(name));
    let mut fields = value.fields(&what)?;
    let from = property_value(&mut fields, scope);
    let since = since(&mut fields, scope);
    let secret = fields.flag("secret", false);
    fields.finish();
    Some(Property { value: from?, since, secret })
}

fn property_value(fields: &mut Fields<'_>, scope: &Scope) -> Option<PropertyValue> {
    let column = fields.get("column");
    let object = fields.get("object");
    let constant = fields.entry("constant");
    let class = fields.get("class");
    let format = fields.get("format");
    let kind = fields.get("kind");
    let given =
        usize::from(column.is_some()) + usize::from(object.is_some()) + usize::from(constant.is_some());
    if given != 1 {
        let message = format!("{} needs one of `column`, `object` and `constant`", fields.what);
        let help =
            if given == 0 { "write column: with the column that holds it" } else { "keep one of them" };
        fields.file.error(fields.at, message, help);
        return None;
    }
    for (value, needs) in [(&class, "object"), (&format, "column"), (&kind, "column")] {
        let fits = if needs == "object" { object.is_some() } else { column.is_some() };
        if let (Some(value), false) = (value, fits) {
            value.error(
                format!("{} only goes with `{needs}`", value.label),
                format!("remove {}", value.label),
            );
        }
    }
    if let Some(value) = column {
        let path = column_path(&value, scope);
        let format = column_format(format.as_ref(), kind.as_ref());
        return Some(PropertyValue::Column { path: path?, format });
    }
    if let Some(value) = object {
        let members = members(&value, scope);
        let class = class.and_then(|value| value.name());
        return (!members.is_empty()).then_some(PropertyValue::Object { members, class });
    }
    constant.map(|entry| PropertyValue::Constant(Value::of(fields.file, entry).json()))
}

fn column_format(format: Option<&Value<'_>>, kind: Option<&Value<'_>>) -> Format {
    let read = format.and_then(|value| value.word(&FORMATS)).unwrap_or(Format::Auto);
    let Some(kind) = kind else { return read };
    let time = kind.word(&TIME_KINDS);
    match (read, time) {
        (Format::Time(_), Some(time)) => Format::Time(time),
        (Format::Time(_), None) => read,
        _ => {
            kind.error("`kind` only goes with format: time", "write format: time beside it, or remove it");
            read
        }
    }
}

fn members(value: &Value<'_>, scope: &Scope) -> Vec<(String, ColumnPath)> {
    let Some(entries) = value.entries() else { return Vec::new() };
    if entries.is_empty() {
        value.error("`object` has no members", "write object: {id: COLUMN, name: COLUMN}");
    }
    let mut members = Vec::new();
    for entry in entries {
        if let Some(path) = column_path(&Value::of(value.file, entry), scope) {
            members.push((entry.key.clone(), path));
        }
    }
    members
}

/// A mapping from names to collections.
pub(crate) fn collections(value: &Value<'_>, outer: &Scope) -> BTreeMap<String, Collection> {
    let entries = value.entries().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| named(value, entry))
        .map(|entry| {
            let collection = collection(&Value::of(value.file, entry), &entry.key, outer);
            (entry.key.clone(), collection.unwrap_or_else(unreadable_collection))
        })
        .collect()
}

/// As [`unreadable_property`].
fn unreadable_collection() -> Collection {
    let element = Element::Object(BTreeMap::new());
    let part = Part {
        table: String::new(),
        parent: unreadable_path(),
        joins: BTreeMap::new(),
        filter: None,
        element,
    };
    Collection { parts: vec![part], key: Vec::new(), order: None, since: None }
}

/// A collection: the rows of one table, or below `parts` those of several.
fn collection(value: &Value<'_>, name: &str, outer: &Scope) -> Option<Collection> {
    let mut fields = value.fields(format!("the collection `{}`", shortened(name)))?;
    let Some(listed) = fields.get("parts") else {
        let (part, scope) = part(&mut fields, outer);
        let order = fields.get("order").and_then(|value| column_path(&value, &scope));
        let since = since(&mut fields, &scope);
        let key = fields.get("key");
        fields.finish();
        let element = part.as_ref().map(|part| &part.element);
        let key = key.map(|value| key_members(&value, element)).unwrap_or_default();
        return Some(Collection { parts: vec![part?], key, order, since });
    };
    let since = since(&mut fields, outer);
    let key = fields.get("key");
    fields.finish();
    let values = listed.list()?;
    if values.is_empty() {
        listed.error("`parts` is empty", "write a list of {table: ..., parent: ..., element: {...}}");
    }
    let mut parts = Vec::with_capacity(values.len());
    for value in &values {
        let Some(mut fields) = value.fields(format!("the part of `{}`", shortened(name))) else { continue };
        let (found, _) = part(&mut fields, outer);
        fields.finish();
        parts.extend(found);
    }
    // What is wrong with a part has been noted, and the key may be right for it.
    if parts.len() < values.len() || parts.is_empty() {
        return None;
    }
    let key = key.map(|value| key_members(&value, in_common(&parts).as_ref())).unwrap_or_default();
    Some(Collection { parts, key, order: None, since })
}

/// An element with the members that the elements of all parts have.
fn in_common(parts: &[Part]) -> Option<Element> {
    let elements = parts.iter().map(|part| part.element.clone());
    elements.reduce(|one, other| match (one, other) {
        (Element::Object(mut members), Element::Object(others)) => {
            members.retain(|name, _| others.contains_key(name));
            Element::Object(members)
        }
        (plain @ Element::Value(..), _) | (_, plain) => plain,
    })
}

/// The rows of one table, and the scope that their columns are named in.
fn part(fields: &mut Fields<'_>, outer: &Scope) -> (Option<Part>, Scope) {
    let (joins, scope) = joins(fields, outer);
    let table =
        fields.need("table", "write table: with the table of the child rows").and_then(|value| table(&value));
    let help = "write parent: with the column that holds the id of the object";
    let parent = fields.need("parent", help).and_then(|value| column_path(&value, &scope));
    let filter = fields.get("filter").and_then(|value| column_filter(&value, &scope));
    let element = element(fields, &scope);
    let part = match (table, parent, element) {
        (Some(table), Some(parent), Some(element)) => Some(Part { table, parent, joins, filter, element }),
        _ => None,
    };
    (part, scope)
}

fn element(fields: &mut Fields<'_>, scope: &Scope) -> Option<Element> {
    let element = fields.get("element");
    let plain = fields.get("value");
    match (element, plain) {
        (Some(element), None) => {
            if element.entries()?.is_empty() {
                element.error("`element` has no members", "write element: {id: COLUMN, name: COLUMN}");
            }
            Some(Element::Object(properties(&element, scope)))
        }
        (None, Some(plain)) => plain_value(&plain, scope),
        (first, _) => {
            let message = format!("{} needs either `element` or `value`", fields.what);
            let help = if first.is_some() {
                "keep one of them"
            } else {
                "write element: {id: COLUMN, name: COLUMN} for a list of objects, or value: COLUMN"
            };
            fields.file.error(fields.at, message, help);
            None
        }
    }
}

fn plain_value(value: &Value<'_>, scope: &Scope) -> Option<Element> {
    if value.is_text() {
        return Some(Element::Value(column_path(value, scope)?, Format::Auto));
    }
    let mut fields = value.fields("`value`")?;
    let column = fields
        .need("column", "write column: with the column that holds it")
        .and_then(|value| column_path(&value, scope));
    let format = fields.get("format");
    let kind = fields.get("kind");
    fields.finish();
    Some(Element::Value(column?, column_format(format.as_ref(), kind.as_ref())))
}

fn key_members(value: &Value<'_>, element: Option<&Element>) -> Vec<String> {
    let names = value.names().unwrap_or_default();
    match element {
        Some(Element::Object(members)) => {
            let known: Vec<&str> = members.keys().map(String::as_str).collect();
            for name in names.iter().filter(|name| !members.contains_key(&name.text)) {
                let message =
                    format!("`key` names `{}`, which `element` does not have", shortened(&name.text));
                value.file.error(name.at, message, known_words(&name.text, &known, "add it to `element`"));
            }
        }
        Some(Element::Value(..)) => {
            value.error("`key` has no meaning for plain values", "remove it: a plain value is its own key");
        }
        // What is wrong with the element has been noted.
        None => {}
    }
    names.into_iter().map(|name| name.text).collect()
}
