//! Differences between two images: the patch that makes one from the other, and what it means.
//!
//! Elements of collections are matched by their natural key: by position, one entitlement added in the middle of a list
//! would look like a change of everything behind it.

mod align;

use std::cmp::Ordering;

use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use jsonptr::PointerBuf;
use serde_json::{Map, Value};

use self::align::{Alignment, Step};
use crate::{Collection, Image, ImageSchema};

/// The field of an image that holds the extended attributes of its object. Its members count as properties of their
/// own, named `attributes.<member>`.
pub const ATTRIBUTES: &str = "attributes";

/// What tells two images apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'i> {
    /// RFC 6902 operations that make the new image from the old one, relative to the image. None where they would take
    /// more room than a document is worth, because the names on the way to what differs are too long: then only a full
    /// capture has the new image.
    pub operations: Vec<PatchOperation>,
    /// Significant properties that differ, by name.
    pub changes: Vec<PropertyChange<'i>>,
}

/// A property that differs. Null and absent are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyChange<'i> {
    /// `department`, or `attributes.department` for a member of [`ATTRIBUTES`].
    pub property: String,
    /// Value before.
    pub old: Option<&'i Value>,
    /// Value after.
    pub new: Option<&'i Value>,
    /// For a set: what came, went and changed.
    pub elements: Option<ElementChanges<'i>>,
}

/// How the elements of a set differ.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElementChanges<'i> {
    /// Elements that came.
    pub added: Vec<&'i Value>,
    /// Elements that went.
    pub removed: Vec<&'i Value>,
    /// Elements with the same key and other content: before, after.
    pub changed: Vec<(&'i Value, &'i Value)>,
}

impl ElementChanges<'_> {
    /// Nothing differs but, possibly, the order.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The difference between two images of one object.
#[must_use]
pub fn diff<'i>(old: &'i Image, new: &'i Image, schema: &ImageSchema) -> Difference<'i> {
    let mut writer = Writer::default();
    if old.image_type != new.image_type {
        writer.replace(&PointerBuf::from_tokens(["imageType"]), &Value::String(new.image_type.clone()));
    }
    let fields = PointerBuf::from_tokens(["imageFields"]);
    let mut changes = Vec::new();
    for (name, old, new) in merged(Some(&old.image_fields), Some(&new.image_fields)) {
        let path = fields.with_trailing_token(name);
        let significant = !schema.insignificant.contains(name);
        let Some([old_map, new_map]) = attribute_maps(name, old, new) else {
            changes.extend(writer.property(&path, name.to_owned(), (old, new), schema, significant));
            continue;
        };
        let both = matches!((old, new), (Some(Value::Object(_)), Some(Value::Object(_))));
        if !both {
            writer.member(&path, old, new, None);
        }
        // Where the whole map came or went, its members are told one by one all the same.
        let mut told = Writer::default();
        let members = if both { &mut writer } else { &mut told };
        for (member, old, new) in merged(old_map, new_map) {
            let property = format!("{ATTRIBUTES}.{member}");
            changes.extend(members.property(
                &path.with_trailing_token(member),
                property,
                (old, new),
                schema,
                significant,
            ));
        }
    }
    Difference { operations: writer.operations, changes }
}

/// The attribute maps of both sides, if the field is the attribute map and at least one side has one.
fn attribute_maps<'i>(
    name: &str,
    old: Option<&'i Value>,
    new: Option<&'i Value>,
) -> Option<[Members<'i>; 2]> {
    let (old, new) = (present(old), present(new));
    let maps = [old.and_then(Value::as_object), new.and_then(Value::as_object)];
    let only_maps = maps[0].is_some() == old.is_some() && maps[1].is_some() == new.is_some();
    (name == ATTRIBUTES && only_maps && (old.is_some() || new.is_some())).then_some(maps)
}

/// The members of an object, if there is one.
type Members<'i> = Option<&'i Map<String, Value>>;

/// An old and a new value, absent or null left as they are.
type Pair<'i> = (Option<&'i Value>, Option<&'i Value>);

/// Past this many moved elements (operations times elements of the list) a list is replaced as a whole: applying a
/// patch moves everything behind each element that comes or goes.
const MOVES_MAX: usize = 64 << 20;

/// Past so many bytes of paths no operations are collected: names may be as long as a whole attribute, and each operation
/// repeats those on its way.
const PATH_BYTES_MAX: usize = 16 << 20;

/// Deeper values are replaced as a whole; limits on documents keep images far from it.
const DEPTH_MAX: usize = 128;

/// Collects operations.
#[derive(Default)]
struct Writer {
    operations: Vec<PatchOperation>,
    path_bytes: usize,
}

impl Writer {
    /// One property: its operations, and its change if it is one that counts.
    fn property<'i>(
        &mut self,
        path: &PointerBuf,
        property: String,
        (old, new): Pair<'i>,
        schema: &ImageSchema,
        significant: bool,
    ) -> Option<PropertyChange<'i>> {
        if old == new {
            return None;
        }
        let collection = schema.collections.get(&property);
        let significant = significant && !schema.insignificant.contains(&property);
        let (before, after) = (present(old), present(new));
        let is_set =
            !collection.is_some_and(|collection| collection.ordered) && is_set(&property, before, after);
        if !is_set {
            self.member(path, old, new, collection);
            let change = PropertyChange { property, old: before, new: after, elements: None };
            return (significant && before != after).then_some(change);
        }
        let (old_elements, new_elements) = (elements(before), elements(after));
        let alignment = Alignment::new(old_elements, new_elements, collection);
        match (old, new) {
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.list(path, old, new, &alignment, 0),
            _ => self.member(path, old, new, collection),
        }
        let elements = element_changes(&alignment, old_elements, new_elements);
        (significant && !elements.is_empty()).then_some(PropertyChange {
            property,
            old: before,
            new: after,
            elements: Some(elements),
        })
    }

    /// A member of an object that is there before, after, or both.
    fn member(
        &mut self,
        path: &PointerBuf,
        old: Option<&Value>,
        new: Option<&Value>,
        collection: Option<&Collection>,
    ) {
        match (old, new) {
            (Some(old), Some(new)) => self.value(path, old, new, collection, 0),
            (None, Some(new)) => self.add(path.clone(), new),
            (Some(_), None) => self.remove(path.clone()),
            (None, None) => {}
        }
    }

    /// Two values that differ.
    fn value(
        &mut self,
        path: &PointerBuf,
        old: &Value,
        new: &Value,
        collection: Option<&Collection>,
        depth: usize,
    ) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) if depth < DEPTH_MAX => {
                for (name, old, new) in merged(Some(old), Some(new)).filter(|(_, old, new)| old != new) {
                    if self.gave_up() {
                        return;
                    }
                    let path = path.with_trailing_token(name);
                    match (old, new) {
                        (Some(old), Some(new)) => self.value(&path, old, new, None, depth + 1),
                        _ => self.member(&path, old, new, None),
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) if depth < DEPTH_MAX => {
                self.list(path, old, new, &Alignment::new(old, new, collection), depth + 1);
            }
            _ => self.replace(path, new),
        }
    }

    /// A list: what leaves its place goes from the back on, so that the indices before it stay true; then, from the
    /// front on, what comes is put in place and what stays is brought up to date.
    fn list(&mut self, path: &PointerBuf, old: &[Value], new: &[Value], alignment: &Alignment, depth: usize) {
        let leaving = alignment.leaving();
        let longest = old.len().max(new.len());
        if (leaving.len() + alignment.arriving()).saturating_mul(longest) > MOVES_MAX {
            let (path, value) = (path.clone(), Value::Array(new.to_vec()));
            self.push(PatchOperation::Replace(ReplaceOperation { path, value }));
            return;
        }
        for index in leaving.into_iter().rev() {
            if self.gave_up() {
                return;
            }
            self.remove(path.with_trailing_token(index));
        }
        for (index, step) in alignment.steps() {
            if self.gave_up() {
                return;
            }
            match step {
                Step::Stays(before) if old[before] == new[index] => {}
                Step::Stays(before) => {
                    self.value(&path.with_trailing_token(index), &old[before], &new[index], None, depth);
                }
                Step::Moves(_) | Step::Joins => self.add(path.with_trailing_token(index), &new[index]),
            }
        }
    }

    fn add(&mut self, path: PointerBuf, value: &Value) {
        self.push(PatchOperation::Add(AddOperation { path, value: value.clone() }));
    }

    fn remove(&mut self, path: PointerBuf) {
        self.push(PatchOperation::Remove(RemoveOperation { path }));
    }

    fn replace(&mut self, path: &PointerBuf, value: &Value) {
        self.push(PatchOperation::Replace(ReplaceOperation { path: path.clone(), value: value.clone() }));
    }

    fn push(&mut self, operation: PatchOperation) {
        self.path_bytes += operation.path().as_str().len();
        if self.gave_up() {
            self.operations = Vec::new();
        } else {
            self.operations.push(operation);
        }
    }

    /// The paths became too long; the few operations that still come are not collected.
    fn gave_up(&self) -> bool {
        self.path_bytes > PATH_BYTES_MAX
    }
}

fn element_changes<'i>(alignment: &Alignment, old: &'i [Value], new: &'i [Value]) -> ElementChanges<'i> {
    let mut changes = ElementChanges {
        removed: alignment.removed.iter().map(|index| &old[*index]).collect(),
        ..Default::default()
    };
    for (index, step) in alignment.steps() {
        match step {
            Step::Joins => changes.added.push(&new[index]),
            Step::Stays(before) | Step::Moves(before) if old[before] != new[index] => {
                changes.changed.push((&old[before], &new[index]));
            }
            Step::Stays(_) | Step::Moves(_) => {}
        }
    }
    changes
}

/// Whether a property is a set on both sides. A multi-valued attribute with one value may be plain text.
fn is_set(property: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    let in_map = property.strip_prefix(ATTRIBUTES).is_some_and(|rest| rest.starts_with('.'));
    let could_be = |value: Option<&Value>| match value {
        None | Some(Value::Array(_)) => true,
        Some(Value::Object(_)) => false,
        Some(_) => in_map,
    };
    let is_list = |value: Option<&Value>| value.is_some_and(Value::is_array);
    could_be(old) && could_be(new) && (is_list(old) || is_list(new))
}

fn elements(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(elements)) => elements,
        Some(single) => std::slice::from_ref(single),
    }
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// The members of two objects, by name.
fn merged<'i>(
    old: Members<'i>,
    new: Members<'i>,
) -> impl Iterator<Item = (&'i str, Option<&'i Value>, Option<&'i Value>)> {
    let mut old = old.into_iter().flatten().peekable();
    let mut new = new.into_iter().flatten().peekable();
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let before = if order == Ordering::Greater { None } else { old.next() };
        let after = if order == Ordering::Less { None } else { new.next() };
        let name = before.or(after).map(|(name, _)| name.as_str())?;
        Some((name, before.map(|(_, value)| value), after.map(|(_, value)| value)))
    })
}

#[cfg(test)]
mod tests;
