//! The tree under construction: a stack of open elements, each of which becomes a value when it is closed.

use super::json::number;
use super::references::attribute_value;
use super::{JSON_LEVELS_MAX, OBJECTS_MAX, XmlError, is_blank, is_white_space};
use annals_model::canonical_bytes;
use annals_model::text::push_exact;
use quick_xml::events::BytesStart;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What an element means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    TrimmedText,
    Boolean,
    Integer,
    Float,
    List,
    Set,
    Map,
    Null,
    Entry,
    Key,
    Value,
    Generic,
}

impl Form {
    /// The form of an element of the value grammar with its name, which outlives the text.
    fn of(name: &str) -> Option<(Self, &'static str)> {
        Some(match name {
            "entry" => (Self::Entry, "entry"),
            "value" => (Self::Value, "value"),
            "String" => (Self::Text, "String"),
            "List" => (Self::List, "List"),
            "Map" => (Self::Map, "Map"),
            "Attributes" => (Self::Map, "Attributes"),
            "Boolean" => (Self::Boolean, "Boolean"),
            "Integer" => (Self::Integer, "Integer"),
            "Long" => (Self::Integer, "Long"),
            "Date" => (Self::Integer, "Date"),
            "Float" => (Self::Float, "Float"),
            "Double" => (Self::Float, "Double"),
            "DateString" => (Self::TrimmedText, "DateString"),
            "TimeString" => (Self::TrimmedText, "TimeString"),
            "Class" => (Self::TrimmedText, "Class"),
            "Set" => (Self::Set, "Set"),
            "null" => (Self::Null, "null"),
            "key" => (Self::Key, "key"),
            _ => return None,
        })
    }

    fn is_scalar(self) -> bool {
        matches!(
            self,
            Self::Text | Self::TrimmedText | Self::Boolean | Self::Integer | Self::Float | Self::Null
        )
    }
}

/// An element that is open. What it holds is read by its form only when it is closed, so that content which its form
/// does not foresee is still there to be kept.
#[derive(Debug)]
struct Element<'t> {
    form: Form,
    /// The name, but for a generic element: that has it in `members`.
    name: &'static str,
    /// The members of a map, or the XML attributes of a generic element.
    members: Map<String, Value>,
    /// The child values: of an entry, its values.
    items: Vec<Value>,
    /// The text directly inside. It stays borrowed while it is one piece.
    text: Cow<'t, str>,
    /// The key of an entry.
    key: Option<String>,
}

impl Element<'_> {
    fn new(form: Form, name: &'static str) -> Self {
        Self { form, name, members: Map::new(), items: Vec::new(), text: Cow::Borrowed(""), key: None }
    }

    /// The value of anything but an entry, a key or a value in its place.
    fn into_value(self) -> Value {
        let only_text = self.items.is_empty();
        let no_text = is_blank(&self.text);
        match self.form {
            Form::Text if only_text => Value::String(self.text.into_owned()),
            Form::TrimmedText if only_text => Value::from(trimmed(&self.text)),
            Form::Boolean if only_text => boolean(trimmed(&self.text)),
            Form::Integer if only_text => integer(trimmed(&self.text)),
            Form::Float if only_text => float(trimmed(&self.text)),
            Form::Null if only_text && no_text => Value::Null,
            Form::List if no_text => Value::Array(self.items),
            Form::Set if no_text => Value::Array(sorted_set(self.items)),
            Form::Map if only_text && no_text => Value::Object(self.members),
            Form::Entry => {
                let (key, value) = self.into_entry();
                let members = [("_type", Value::from("entry")), ("key", key.into()), ("value", value)];
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }
            _ => self.into_generic(),
        }
    }

    fn into_generic(self) -> Value {
        let mut members = self.members;
        if self.form != Form::Generic {
            let entries = std::mem::take(&mut members);
            if !entries.is_empty() {
                members.insert("entries".to_owned(), Value::Object(entries));
            }
            members.insert("_type".to_owned(), Value::from(self.name));
        }
        if !self.items.is_empty() {
            members.insert("children".to_owned(), Value::Array(self.items));
        }
        if !is_blank(&self.text) {
            members.insert("text".to_owned(), Value::from(trimmed(&self.text)));
        }
        Value::Object(members)
    }

    /// The key and the value of an entry. The `value` attribute waits in `members`.
    fn into_entry(mut self) -> (String, Value) {
        if !is_blank(&self.text) {
            self.items.push(Value::from(trimmed(&self.text)));
        }
        let value = match self.items.len() {
            0 => self.members.remove("value").unwrap_or(Value::Null),
            1 => self.items.remove(0),
            _ => Value::Array(self.items),
        };
        (self.key.unwrap_or_default(), value)
    }

    /// What a `key` or `value` element holds, its bare text, trimmed, after its elements.
    fn into_slot(mut self) -> Vec<Value> {
        if !is_blank(&self.text) {
            self.items.push(Value::from(trimmed(&self.text)));
        }
        self.items
    }
}

/// The open elements and the finished roots.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    open: Vec<Element<'t>>,
    roots: Vec<Value>,
    nesting_max: usize,
    deepest: usize,
    objects: usize,
}

impl<'t> Tree<'t> {
    pub(super) fn new(nesting_max: usize) -> Self {
        Self { open: Vec::new(), roots: Vec::new(), nesting_max, deepest: 0, objects: 0 }
    }

    /// Opens the element whose start tag stands at `position`.
    pub(super) fn open(&mut self, start: &BytesStart<'t>, position: usize) -> Result<(), XmlError> {
        if self.open.len() >= self.nesting_max {
            return Err(XmlError::TooDeep { position, nesting_max: self.nesting_max });
        }
        let name = start.name();
        let element = match Form::of(name.as_ref()) {
            Some((Form::Entry, name)) => entry(start, name, position)?,
            // The text of a scalar could not hold attributes; those of a list or a map say nothing.
            Some((form, name)) if !form.is_scalar() || is_blank(start.attributes_raw()) => {
                Element::new(form, name)
            }
            _ => generic(start, name.as_ref(), position)?,
        };
        let in_map = self.open.last().is_some_and(|parent| parent.form == Form::Map);
        if matches!(element.form, Form::Generic | Form::Map) || element.form == Form::Entry && !in_map {
            self.objects += 1;
            if self.objects > OBJECTS_MAX {
                return Err(XmlError::TooManyObjects { position });
            }
        }
        self.open.push(element);
        self.deepest = self.deepest.max(self.open.len());
        Ok(())
    }

    /// Closes the element opened last and hands its value to the one around it.
    pub(super) fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        let Some(parent) = self.open.last_mut() else {
            self.roots.push(element.into_value());
            return;
        };
        match (parent.form, element.form) {
            (Form::Map, Form::Entry) => {
                let (key, value) = element.into_entry();
                parent.members.insert(key, value);
            }
            (Form::Map, Form::Map) if element.items.is_empty() && is_blank(&element.text) => {
                let mut members = element.members;
                parent.members.append(&mut members);
            }
            (Form::Entry, Form::Key) => parent.key = Some(key_text(element.into_slot())),
            (Form::Entry, Form::Value) => parent.items.append(&mut element.into_slot()),
            _ => parent.items.push(element.into_value()),
        }
    }

    /// Adds text to the element opened last. White space counts only inside scalars, and amid other text.
    pub(super) fn push_text(&mut self, piece: Cow<'t, str>, position: usize) -> Result<(), XmlError> {
        let Some(element) = self.open.last_mut() else {
            if is_blank(&piece) {
                return Ok(());
            }
            return Err(not_well_formed(position, "text outside of any element"));
        };
        if element.text.is_empty() {
            if element.form.is_scalar() || !is_blank(&piece) {
                element.text = piece;
            }
        } else {
            element.text.to_mut().push_str(&piece);
        }
        Ok(())
    }

    /// Adds one character, which a reference stood for.
    pub(super) fn push_char(&mut self, found: char, position: usize) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => push_exact(element.text.to_mut(), found),
            None => return Err(not_well_formed(position, "a reference outside of any element")),
        }
        Ok(())
    }

    /// The value of the whole text, which ends at `position`.
    pub(super) fn finish(mut self, position: usize) -> Result<Value, XmlError> {
        if !self.open.is_empty() {
            return Err(not_well_formed(position, "an element is not closed"));
        }
        let value = match self.roots.len() {
            0 => return Err(XmlError::NoElement),
            1 => self.roots.remove(0),
            _ => Value::Array(self.roots),
        };
        // An element makes two levels at most, so that few texts need to be measured.
        if self.deepest * 2 + 1 > JSON_LEVELS_MAX && levels(&value) > JSON_LEVELS_MAX {
            return Err(XmlError::TooDeep { position, nesting_max: JSON_LEVELS_MAX });
        }
        Ok(value)
    }
}

fn entry<'t>(start: &BytesStart<'t>, name: &'static str, position: usize) -> Result<Element<'t>, XmlError> {
    let mut element = Element::new(Form::Entry, name);
    for_each_attribute(start, position, |name, value| match name {
        "key" => element.key = Some(value.into_owned()),
        "value" => {
            element.members.insert("value".to_owned(), Value::String(value.into_owned()));
        }
        _ => {}
    })?;
    Ok(element)
}

fn generic<'t>(start: &BytesStart<'t>, name: &str, position: usize) -> Result<Element<'t>, XmlError> {
    if !is_name(name) {
        return Err(not_well_formed(position, "a tag without a name"));
    }
    let mut element = Element::new(Form::Generic, "");
    for_each_attribute(start, position, |name, value| {
        let member = match name {
            "_type" | "children" | "entries" | "text" => format!("@{name}"),
            _ => name.to_owned(),
        };
        element.members.insert(member, Value::String(value.into_owned()));
    })?;
    element.members.insert("_type".to_owned(), Value::from(name));
    Ok(element)
}

fn for_each_attribute(
    start: &BytesStart<'_>,
    position: usize,
    mut take: impl FnMut(&str, Cow<'_, str>),
) -> Result<(), XmlError> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| XmlError::NotWellFormed {
            position,
            reason: format!("an attribute: {error}"),
        })?;
        take(attribute.key.as_ref(), attribute_value(&attribute.value, position)?);
    }
    Ok(())
}

/// Whether the reader's idea of a name is one: it takes whatever stands before white space.
fn is_name(name: &str) -> bool {
    let starts_well = name.bytes().next().is_some_and(|first| {
        first.is_ascii_alphabetic() || matches!(first, b'_' | b':') || !first.is_ascii()
    });
    starts_well
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.') || !byte.is_ascii()
        })
}

fn not_well_formed(position: usize, reason: &str) -> XmlError {
    XmlError::NotWellFormed { position, reason: reason.to_owned() }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|found: char| u8::try_from(found).is_ok_and(is_white_space))
}

fn boolean(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        Value::Bool(true)
    } else if text.is_empty() || text.eq_ignore_ascii_case("false") {
        Value::Bool(false)
    } else {
        Value::from(text)
    }
}

fn integer(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(number), _) => Value::from(number),
        (_, Ok(number)) => Value::from(number),
        _ => Value::from(text),
    }
}

fn float(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    number(text).map_or_else(|| Value::from(text), Value::Number)
}

/// A set has no order of its own; the order of the canonical bytes makes equal sets equal arrays.
fn sorted_set(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_cached_key(canonical_bytes);
    items.dedup();
    items
}

/// The text by which a key stands in an object.
fn key_text(mut parts: Vec<Value>) -> String {
    let key = if parts.len() == 1 { parts.remove(0) } else { Value::Array(parts) };
    match key {
        Value::String(text) => text,
        Value::Null => String::new(),
        Value::Array(parts) if parts.is_empty() => String::new(),
        other => other.to_string(),
    }
}

/// How many arrays and objects stand around the innermost value.
fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}
