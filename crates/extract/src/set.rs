//! Sets in images: a list stands sorted and without repetition unless its order means something.

use std::cmp::Ordering;

use serde_json::Value;

/// Sorts the elements of a set by the members of its natural key, then by their whole content, and drops repetitions.
pub(crate) fn sort_set(elements: &mut Vec<Value>, key: &[String]) {
    if elements.len() < 2 {
        return;
    }
    let mut keyed: Vec<(Vec<Value>, String, Value)> = elements
        .drain(..)
        .map(|element| {
            let members =
                key.iter().map(|member| element.get(member).cloned().unwrap_or(Value::Null)).collect();
            (members, element.to_string(), element)
        })
        .collect();
    keyed.sort_by(|(left_key, left, _), (right_key, right, _)| {
        compare_keys(left_key, right_key).then_with(|| left.cmp(right))
    });
    keyed.dedup_by(|(_, left, _), (_, right, _)| left == right);
    elements.extend(keyed.into_iter().map(|(_, _, element)| element));
}

fn compare_keys(left: &[Value], right: &[Value]) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(left, right)| match (left, right) {
            (Value::String(left), Value::String(right)) => left.cmp(right),
            (left, right) => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.to_string().cmp(&right.to_string()),
            },
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Takes members without a value out of maps, at every depth: no value and no member mean the same. Lists keep their
/// nulls, which stand for elements.
pub(crate) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        Value::Object(members) => {
            // A map is rebuilt by `retain`, and almost none has a null.
            if members.values().any(Value::is_null) {
                members.retain(|_, member| !member.is_null());
            }
            members.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

/// Brings the values of an attribute map into one form, so that what means the same compares equal: lists are sets,
/// and a list of one plain value is that value, because a system writes either for the same attribute. Objects with a
/// `_type` are XML trees whose order is theirs.
pub(crate) fn normalise_attribute(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.iter_mut().for_each(normalise_attribute);
            sort_set(elements, &[]);
            if let [only] = elements.as_mut_slice()
                && !only.is_object()
                && !only.is_array()
            {
                *value = only.take();
            }
        }
        Value::Object(members) if !members.contains_key("_type") => {
            members.values_mut().for_each(normalise_attribute);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalised(mut value: Value) -> Value {
        normalise_attribute(&mut value);
        value
    }

    #[test]
    fn reordered_and_repeated_values_are_the_same_set() {
        assert_eq!(normalised(json!({"a": ["y", "x", "y"]})), json!({"a": ["x", "y"]}));
    }

    #[test]
    fn a_list_of_one_value_is_the_value() {
        assert_eq!(
            normalised(json!({"a": ["x"], "b": [{"k": ["1"]}], "c": []})),
            json!({"a": "x", "b": [{"k": "1"}], "c": []})
        );
    }

    #[test]
    fn members_without_a_value_are_left_out() {
        let mut value = json!({"a": null, "b": [{"c": null, "d": 1}, null]});
        drop_nulls(&mut value);
        assert_eq!(value, json!({"b": [{"d": 1}, null]}));
    }

    #[test]
    fn trees_keep_their_order() {
        let tree = json!({"_type": "Plan", "children": ["b", "a"]});
        assert_eq!(normalised(tree.clone()), tree);
    }

    #[test]
    fn a_set_is_sorted_by_its_key_before_its_content() {
        let mut set =
            vec![json!({"a": "x", "id": "2"}), json!({"a": "z", "id": "1"}), json!({"a": "y", "id": "1"})];
        sort_set(&mut set, &["id".to_owned()]);
        assert_eq!(
            set,
            [json!({"a": "y", "id": "1"}), json!({"a": "z", "id": "1"}), json!({"a": "x", "id": "2"})]
        );
    }

    #[test]
    fn whole_numbers_sort_by_their_value() {
        let mut set = vec![json!({"id": 10}), json!({"id": 9})];
        sort_set(&mut set, &["id".to_owned()]);
        assert_eq!(set, [json!({"id": 9}), json!({"id": 10})]);
    }
}
