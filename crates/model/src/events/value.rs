//! Reading images: members as text, references, and what a changed property comes to.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{ATTRIBUTES, PropertyChange};

/// A value as it stands in `old_value` and `new_value`: plain text for what is no structure, canonical JSON for what is.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The changed property as it stands in `property_name`, which takes 255 characters: each event has a copy, and the name
/// of an attribute may be as long as the whole map.
pub(super) fn property_name(change: &PropertyChange<'_>) -> String {
    change.property.chars().take(255).collect()
}

/// A member as text; nothing if it is absent or null.
pub(crate) fn member(object: Option<&Map<String, Value>>, name: &str) -> Option<String> {
    object?.get(name).and_then(text)
}

/// Id and name of a reference. A transform may have made plain text of it: then that is the name.
pub(super) fn reference(object: Option<&Map<String, Value>>, name: &str) -> (Option<String>, Option<String>) {
    match object.and_then(|object| object.get(name)) {
        Some(Value::Object(reference)) => (member(Some(reference), "id"), member(Some(reference), "name")),
        Some(other) => (None, text(other)),
        None => (None, None),
    }
}

/// Whether a flag is set; absent is not.
pub(crate) fn is_set(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true") || text == "1",
        _ => false,
    }
}

/// The changes without those of attributes that only repeat a field of the same name: identity systems keep some values
/// in a column and in the attribute map. Case tells no names apart, for an attribute `IIQDisabled` has a column
/// `iiq_disabled`; and a flag that the map leaves out is one that is not set.
pub(super) fn told_once<'c, 'i>(
    changes: &'c [PropertyChange<'i>],
) -> impl Iterator<Item = &'c PropertyChange<'i>> {
    let is_attribute = |change: &PropertyChange<'_>| attribute(change).is_some();
    let fields: HashMap<String, &PropertyChange<'i>> = changes
        .iter()
        .filter(|change| !is_attribute(change))
        .map(|change| (change.property.to_lowercase(), change))
        .collect();
    changes.iter().filter(move |change| {
        let field = attribute(change).and_then(|name| fields.get(&name.to_lowercase()));
        !field.is_some_and(|field| is_same(field.old, change.old) && is_same(field.new, change.new))
    })
}

/// The attribute that changed, if it was one.
fn attribute<'c>(change: &'c PropertyChange<'_>) -> Option<&'c str> {
    change.property.strip_prefix(ATTRIBUTES)?.strip_prefix('.')
}

/// Whether an attribute says what a field says.
fn is_same(field: Option<&Value>, attribute: Option<&Value>) -> bool {
    if let Some(Value::Bool(flag)) = field
        && matches!(attribute, None | Some(Value::Null | Value::Bool(_)))
    {
        return *flag == is_set(attribute);
    }
    field.and_then(text) == attribute.and_then(text)
}

/// One thing that happened to a property: a value, or an element of a set, before and after.
pub(super) type Happening<'i> = (Option<&'i Value>, Option<&'i Value>);

/// What a changed property comes to: one happening an element for sets, else one. Names of objects that are referred to
/// do not count.
pub(super) fn happenings<'i>(change: &PropertyChange<'i>) -> Vec<Happening<'i>> {
    let Some(elements) = &change.elements else {
        let renamed = is_renamed_reference(change.old, change.new);
        return if renamed { Vec::new() } else { vec![(change.old, change.new)] };
    };
    // A list of one value is how some attributes hold their only value: that it was replaced is one happening.
    if change.property.starts_with(ATTRIBUTES)
        && let (Some([old]), Some([new])) = (single(change.old), single(change.new))
        && !old.is_object()
        && !new.is_object()
    {
        return vec![(Some(old), Some(new))];
    }
    let removed = elements.removed.iter().map(|element| (Some(*element), None));
    let changed = elements.changed.iter().map(|(old, new)| (Some(*old), Some(*new)));
    let added = elements.added.iter().map(|element| (None, Some(*element)));
    removed.chain(changed).chain(added).filter(|(old, new)| !is_renamed_reference(*old, *new)).collect()
}

fn single(value: Option<&Value>) -> Option<&[Value]> {
    match value? {
        Value::Array(elements) => Some(elements),
        other => Some(std::slice::from_ref(other)),
    }
}

/// Both are references to one object, which has another name now: that is an event of that object, not of all that
/// refer to it.
fn is_renamed_reference(old: Option<&Value>, new: Option<&Value>) -> bool {
    const MEMBERS: [&str; 4] = ["id", "name", "class", "_type"];
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) else { return false };
    let only_names = |object: &Map<String, Value>| object.keys().all(|key| MEMBERS.contains(&key.as_str()));
    let id = |object| member(Some(object), "id");
    only_names(old) && only_names(new) && id(old).is_some() && id(old) == id(new)
}
