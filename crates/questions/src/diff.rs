//! `diff`: one object at two instants, or two objects of a type.

use std::collections::{BTreeMap, BTreeSet};

use annals_history::AsOf;
use annals_model::{
    ACCESS_LISTS, ATTRIBUTES, AccessItem, AccessKind, Acquired, Holding, Image, ImageSchema, ObjectKey,
    ObjectType, holdings,
};
use serde_json::{Map, Value, json};

use crate::row::{Column, Kind, Row};

/// What tells an element of a list from the others, for people.
const NAMES: [&str; 5] = ["applicationName", "name", "displayName", "value", "nativeIdentity"];

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is there after, and was not before.
    Added,
    /// It was there before.
    Removed,
    /// It is there before and after, and is not the same.
    Changed,
    /// It is the same.
    Unchanged,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// A property, or an element of one that is a set, with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What became of it.
    pub change: Change,
    /// `department`, `attributes.costCenter`; between two identities also a kind of access: `entitlement`.
    pub property: String,
    /// Which element, for people; none of a property that is no set.
    pub item: Option<String>,
    /// The value before, or the whole element.
    pub old: Option<Value>,
    /// The value after, or the whole element.
    pub new: Option<Value>,
}

/// How many items differ in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    pub unchanged: u64,
}

impl Counts {
    /// As members of JSON.
    #[must_use]
    pub fn told(&self) -> Value {
        let Self { added, removed, changed, unchanged } = self;
        json!({"added": added, "removed": removed, "changed": changed, "unchanged": unchanged})
    }
}

/// What tells two states apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// Everything that is there on either side, by property and item, also what is unchanged.
    pub items: Vec<Difference>,
    /// RFC 6902: what makes the fields of the second image from those of the first.
    pub patch: Vec<Value>,
}

impl Diff {
    /// How many there are of each.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |change| self.items.iter().filter(|item| item.change == change).count() as u64;
        Counts {
            added: of(Change::Added),
            removed: of(Change::Removed),
            changed: of(Change::Changed),
            unchanged: of(Change::Unchanged),
        }
    }

    /// What differs; with all, also what does not.
    #[must_use]
    pub fn told(self, all: bool) -> Vec<Difference> {
        let is_told = |item: &Difference| all || item.change != Change::Unchanged;
        self.items.into_iter().filter(is_told).collect()
    }
}

/// What tells two states apart, of one object or of two of a type. Sets are compared as sets, their elements matched by key
/// as events are. Of two identities the lists of what they hold are compared as access: which account, row or assignment
/// it is by is nobody else's. An object that was gone had nothing.
#[must_use]
pub fn diff(before: (&ObjectKey, &AsOf), after: (&ObjectKey, &AsOf)) -> Diff {
    let object_type = before.0.object_type;
    let gone = Image { image_fields: Map::new(), image_type: object_type.as_str().to_owned() };
    let [old, new] = [before.1, after.1].map(|state| state.image.as_ref().unwrap_or(&gone));
    let difference = annals_model::diff(old, new, &ImageSchema::default());
    let patch = patch(&difference.operations, old, new);
    let of_two_identities = object_type == ObjectType::Identity && before.0 != after.0;
    let mut items = Vec::new();
    // Of each property that differs the new elements that do, which are told by where they lie; none where it is no set.
    let mut told_of: BTreeMap<&str, Option<BTreeSet<*const Value>>> = BTreeMap::new();
    for change in &difference.changes {
        let Some(elements) = &change.elements else {
            told_of.insert(&change.property, None);
            items.push(item(&change.property, None, change.old, change.new));
            continue;
        };
        let mut touched = BTreeSet::new();
        let mut told = |old: Option<&Value>, new: Option<&Value>| {
            touched.extend(new.map(std::ptr::from_ref));
            items.push(item(&change.property, old.or(new).map(name_of), old, new));
        };
        elements.added.iter().for_each(|new| told(None, Some(new)));
        elements.removed.iter().for_each(|old| told(Some(old), None));
        elements.changed.iter().for_each(|(old, new)| told(Some(old), Some(new)));
        told_of.insert(&change.property, Some(touched));
    }
    for (property, value) in properties(new) {
        let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        match told_of.get(property.as_str()) {
            Some(None) => {}
            None if !value.is_array() => items.push(item(&property, None, Some(value), Some(value))),
            touched => {
                let touched = touched.and_then(Option::as_ref);
                let is_told =
                    |element| touched.is_some_and(|told| told.contains(&std::ptr::from_ref(element)));
                for element in elements.iter().filter(|element| !is_told(*element)) {
                    items.push(item(&property, Some(name_of(element)), Some(element), Some(element)));
                }
            }
        }
    }
    if of_two_identities {
        items.retain(|item| !ACCESS_LISTS.contains(&item.property.as_str()));
        items.extend(access(old, new));
    }
    items.sort_by(|one, two| {
        let by = |item: &Difference| (item.property.clone(), item.item.clone(), item.change);
        by(one).cmp(&by(two))
    });
    Diff { items, patch }
}

/// The properties of an image, the members of its attributes each by itself, without those that are null.
fn properties(image: &Image) -> Vec<(String, &Value)> {
    let mut properties = Vec::new();
    for (name, value) in &image.image_fields {
        match value.as_object().filter(|_| name == ATTRIBUTES) {
            Some(members) => properties
                .extend(members.iter().map(|(member, value)| (format!("{ATTRIBUTES}.{member}"), value))),
            None => properties.push((name.clone(), value)),
        }
    }
    properties.retain(|(_, value)| !value.is_null());
    properties
}

fn item(property: &str, item: Option<String>, old: Option<&Value>, new: Option<&Value>) -> Difference {
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        (Some(old), Some(new)) if old == new => Change::Unchanged,
        _ => Change::Changed,
    };
    Difference { change, property: property.to_owned(), item, old: old.cloned(), new: new.cloned() }
}

/// An element as people know it.
fn name_of(element: &Value) -> String {
    let Some(members) = element.as_object() else { return plain(element) };
    let names: Vec<String> = NAMES
        .iter()
        .filter_map(|name| members.get(*name))
        .filter(|value| !value.is_null())
        .map(plain)
        .collect();
    match members.get("id") {
        _ if !names.is_empty() => names.join(" "),
        Some(id) => plain(id),
        None => element.to_string(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The operations as they are on the fields. Where there are none and something differs, the paths would have been too
/// long: then the fields are replaced as a whole.
fn patch<O: serde::Serialize>(operations: &[O], old: &Image, new: &Image) -> Vec<Value> {
    let mut patch = Vec::new();
    for operation in operations {
        let Ok(mut told) = serde_json::to_value(operation) else { continue };
        if let Some(path) = told["path"].as_str().and_then(|path| path.strip_prefix("/imageFields")) {
            told["path"] = json!(path);
            patch.push(told);
        }
    }
    if patch.is_empty() && old.image_fields != new.image_fields {
        patch.push(json!({"op": "replace", "path": "", "value": new.image_fields}));
    }
    patch
}

/// What is told of access that somebody holds, by however many accounts.
#[derive(Default)]
struct Held {
    name: String,
    ways: Acquired,
    told: Value,
    accounts: Vec<String>,
}

/// What the second holds and the first does not, the reverse, and what both hold, come by in the same ways or not.
fn access(old: &Image, new: &Image) -> Vec<Difference> {
    let (old, new) = (holdings(old), holdings(new));
    let (old, new) = (by_access(&old), by_access(&new));
    let all: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut items = Vec::new();
    for access in all {
        let (before, after) = (old.get(access), new.get(access));
        let told = |held: Option<&Held>| held.map(|held| held.told.clone());
        let ways = |held: Option<&Held>| held.map(|held| held.ways);
        let mut difference = item(access.0.as_str(), None, told(before).as_ref(), told(after).as_ref());
        difference.item = after.or(before).map(|held| held.name.clone());
        // What both hold by accounts of their own is the same; how they came by it may not be.
        if before.is_some() && after.is_some() {
            difference.change = if ways(before) == ways(after) { Change::Unchanged } else { Change::Changed };
        }
        items.push(difference);
    }
    items
}

type Access<'h> = (AccessKind, bool, [Option<&'h str>; 4]);

fn by_access(held: &[(AccessItem, Holding)]) -> BTreeMap<Access<'_>, Held> {
    let mut by_access: BTreeMap<Access<'_>, Held> = BTreeMap::new();
    for (item, holding) in held {
        let one = by_access.entry(item.access()).or_default();
        one.name = shown(item);
        one.ways = one.ways.and(holding.acquired);
        one.accounts.extend(holding.native_identity.clone());
        one.told = json!({
            "id": item.id,
            "name": item.name,
            "application": item.application,
            "instance": item.instance,
            "permission": item.permission,
            "attribute": item.attribute,
            "value": item.value,
            "accounts": one.accounts,
            "acquired": one.ways.words(),
        });
    }
    by_access
}

/// An access item as people know it.
fn shown(item: &AccessItem) -> String {
    let parts = match item.kind {
        AccessKind::Account | AccessKind::Entitlement => {
            [&item.application, &item.instance, &item.attribute, &item.value]
        }
        _ => [&item.name, &None, &None, &None],
    };
    let parts: Vec<&str> = parts.into_iter().filter_map(Option::as_deref).collect();
    if parts.is_empty() { item.id.clone().unwrap_or_default() } else { parts.join(" ") }
}

impl Row for Difference {
    const COLUMNS: &'static [Column] = &[
        Column::new("change", Kind::Text),
        Column::new("property", Kind::Text),
        Column::new("item", Kind::Text),
        Column::new("before", Kind::Json),
        Column::new("after", Kind::Json),
        Column::for_programs("old", Kind::Json),
        Column::for_programs("new", Kind::Json),
    ];

    /// `before` and `after` are what differs: of an element that has changed the members that are not the same, of one that
    /// came, went or stayed nothing, for `item` names it.
    fn cells(&self) -> Vec<Value> {
        let Self { change, property, item, old, new } = self;
        let differing = |one: &Option<Value>, other: &Option<Value>| match (one, other, item) {
            (one, _, None) => json!(one),
            (Some(Value::Object(one)), Some(Value::Object(other)), Some(_)) => {
                let differs = |(name, value): &(&String, &Value)| other.get(*name) != Some(*value);
                let members = one.iter().filter(differs);
                json!(members.collect::<BTreeMap<_, _>>())
            }
            _ => Value::Null,
        };
        let [before, after] = match change {
            Change::Unchanged if item.is_some() => [Value::Null, Value::Null],
            _ => [differing(old, new), differing(new, old)],
        };
        vec![json!(change.as_str()), json!(property), json!(item), before, after, json!(old), json!(new)]
    }
}

#[cfg(test)]
mod tests;
