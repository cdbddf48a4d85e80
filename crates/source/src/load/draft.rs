//! An object while its parts arrive, and what it becomes.

use std::cmp::Ordering;

use annals_model::{Reference, canonical_bytes};
use serde_json::{Map, Value};

use super::Loaded;
use crate::secret::SecretPolicy;

/// An object of which not all parts have arrived.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: Option<String>,
    pub(super) identity: Option<Reference>,
    pub(super) changed_ms: Option<i64>,
    /// About how much JSON it is so far.
    pub(super) bytes: usize,
    pub(super) properties: Map<String, Value>,
    /// Properties that are secret as a whole.
    pub(super) withheld: Vec<(String, Value)>,
    /// Elements by the number of their collection.
    pub(super) elements: Vec<Vec<ElementDraft>>,
}

/// An element of a collection.
#[derive(Debug, Default)]
pub(super) struct ElementDraft {
    pub(super) value: Value,
    /// What gives it its place in an ordered collection.
    pub(super) order: Value,
    /// Members that are secret as a whole.
    pub(super) withheld: Vec<(String, Value)>,
}

/// A collection that was read.
#[derive(Debug)]
pub(super) struct Shape<'p> {
    pub(super) name: &'p str,
    pub(super) key: &'p [String],
    pub(super) ordered: bool,
}

impl Draft {
    /// Masks secrets and sorts collections.
    pub(super) fn finish(
        self,
        id: String,
        shapes: &[Shape<'_>],
        observed_ms: i64,
        secrets: &SecretPolicy,
    ) -> Loaded {
        let mut properties = self.properties;
        let mut rest = Vec::with_capacity(shapes.len());
        for (shape, elements) in shapes.iter().zip(self.elements) {
            let (values, parts): (Vec<_>, Vec<_>) = elements
                .into_iter()
                .map(|element| (element.value, (element.order, element.withheld)))
                .unzip();
            properties.insert(shape.name.to_owned(), Value::Array(values));
            rest.push((shape, parts));
        }
        // All of the object at once, because a property may say of another one that it is a secret.
        let mut whole = Value::Object(properties);
        secrets.mask(&mut whole, &id);
        let mut properties = match whole {
            Value::Object(properties) => properties,
            _ => Map::new(),
        };
        for (shape, parts) in rest {
            if let Some(Value::Array(values)) = properties.get_mut(shape.name) {
                let masked = |(member, value): (String, Value)| {
                    let path = format!("{}.{member}", shape.name);
                    (member, mask(secrets, &path, &value, &id))
                };
                let elements =
                    std::mem::take(values).into_iter().zip(parts).map(|(mut value, (order, withheld))| {
                        if let Value::Object(members) = &mut value {
                            members.extend(withheld.into_iter().map(masked));
                        }
                        (order, value)
                    });
                *values = arrange(elements.collect(), shape);
            }
        }
        for (name, value) in self.withheld {
            let value = mask(secrets, &name, &value, &id);
            properties.insert(name, value);
        }
        Loaded {
            name: self.name.unwrap_or_else(|| id.clone()),
            identity: self.identity,
            occurred_ms: self.changed_ms.unwrap_or(observed_ms),
            properties,
            id,
        }
    }
}

/// A null hides nothing, and says that there is no secret.
fn mask(secrets: &SecretPolicy, name: &str, value: &Value, id: &str) -> Value {
    if value.is_null() { Value::Null } else { secrets.masked(name, value, id) }
}

/// Puts elements into their order: that of their column, or for a set that of their keys, each element once.
fn arrange(mut elements: Vec<(Value, Value)>, shape: &Shape<'_>) -> Vec<Value> {
    if shape.ordered {
        elements.sort_by(|(one, one_value), (other, other_value)| {
            by_order(one, other).then_with(|| canonical_bytes(one_value).cmp(&canonical_bytes(other_value)))
        });
        return elements.into_iter().map(|(_, value)| value).collect();
    }
    let mut values: Vec<Value> = elements.into_iter().map(|(_, value)| value).collect();
    if values.len() < 2 {
        return values;
    }
    if shape.key.is_empty() {
        values.sort_by_cached_key(canonical_bytes);
    } else {
        let key_of = |value: &Value| {
            shape.key.iter().map(|member| canonical_bytes(&value[member])).collect::<Vec<_>>()
        };
        let mut keyed: Vec<_> = values.into_iter().map(|value| (key_of(&value), value)).collect();
        // Two elements of one key are rare, so their whole content is rarely looked at.
        keyed.sort_by(|(one_key, one), (other_key, other)| {
            one_key.cmp(other_key).then_with(|| canonical_bytes(one).cmp(&canonical_bytes(other)))
        });
        values = keyed.into_iter().map(|(_, value)| value).collect();
    }
    values.dedup();
    values
}

/// Nulls, then numbers, then the rest as text.
fn by_order(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Number(_) => 1,
        _ => 2,
    };
    rank(one).cmp(&rank(other)).then_with(|| match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => canonical_bytes(one).cmp(&canonical_bytes(other)),
        },
    })
}
