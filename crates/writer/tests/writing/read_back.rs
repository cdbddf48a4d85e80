//! Whatever was written is read back as it was.

use annals_model::{JsonFormat, ObjectType, canonical_bytes};
use annals_writer::WriterSettings;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{FULL, capture_of, key, worlds};

fn any_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["", "a", "b/c", "m~n", "-", "0", "é", "😀", "\u{0}", "id", "name"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(u64::MAX)),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        Just(json!(-0.0)),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(word.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object's fields, some with the names that columns and events are made of. Most of them stay from state to state.
fn any_states() -> impl Strategy<Value = Vec<Value>> {
    let names = [
        "name",
        "displayName",
        "inactive",
        "manager",
        "accounts",
        "entitlements",
        "assignedRoles",
        "roleAssignments",
        "attributes",
        "application",
        "status",
        "active",
        "items",
        "a/b",
        "created",
    ];
    let element =
        (0_u8..9, any_value()).prop_map(|(id, value)| json!({"id": format!("k{id}"), "value": value}));
    let field = prop_oneof![any_value(), prop::collection::vec(element, 0..6).prop_map(Value::Array)];
    let changes = prop::collection::btree_map(prop::sample::select(names.to_vec()), field, 0..5);
    prop::collection::vec(changes, 2..6).prop_map(|changes| {
        let mut fields = Map::from_iter([("description".to_owned(), json!("x".repeat(300)))]);
        changes
            .into_iter()
            .map(|change| {
                fields.extend(change.into_iter().map(|(name, value)| (name.to_owned(), value)));
                Value::Object(fields.clone())
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// IIQ-07, IIQ-40, IIQ-41: any states of objects of every type, in any format, patched or not, all in one delivery
    /// or each in its own, are read back to the byte as of their dates.
    #[test]
    fn every_state_of_every_type_is_read_back(
        states in prop::collection::vec(any_states(), ObjectType::ALL.len()),
        json_format in prop::sample::select(&JsonFormat::ALL[..]),
        max_allowed_patches in 0_u32..5,
        together: bool,
    ) {
        let settings = WriterSettings { json_format, max_allowed_patches, ..FULL };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let messages: Vec<_> = ObjectType::ALL
            .into_iter()
            .zip(&states)
            .flat_map(|(object_type, states)| (1_i64..).zip(states).map(move |(n, state)| (object_type, n * 100, state)))
            .map(|(object_type, at, state)| capture_of(object_type, "o", state.clone(), at, at + 1))
            .collect();
        runtime.block_on(async {
            for world in worlds(&settings).await {
                let deliveries = if together { vec![messages.clone()] } else { messages.iter().map(|m| vec![m.clone()]).collect() };
                for delivery in deliveries {
                    assert_eq!(world.write(delivery).await.failures, []);
                }
                for (object_type, states) in ObjectType::ALL.into_iter().zip(&states) {
                    for (at, state) in (1_i64..).map(|n| n * 100).zip(states) {
                        let found = world.as_of(&key(object_type, "o"), at).await.unwrap();
                        assert_eq!(canonical_bytes(&found), canonical_bytes(state), "{object_type} at {at}");
                    }
                }
            }
        });
    }
}
