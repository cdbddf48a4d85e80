//! Heads, and the states that are kept already.

use std::collections::HashSet;

use annals_model::{Head, ImageHashes, ObjectKey, ObjectType};
use serde_json::json;

use super::{full, hashes, histories, identity, image, key};
use crate::{find_objects, heads, kept, living, living_page};

/// A head as the writer would make it after one full capture.
pub(super) fn head(capture_id: &str, effective_ms: i64, hashes: &ImageHashes) -> Head {
    Head {
        capture_id: capture_id.to_owned(),
        effective_ms,
        extended_to_ms: effective_ms,
        observed_ms: effective_ms + 5,
        full_hash: hashes.full.clone(),
        smart_hash: hashes.smart.clone(),
        patches_since_full: 0,
        full_capture_id: capture_id.to_owned(),
        full_observed_ms: effective_ms,
        deleted: false,
        name: "Name".to_owned(),
    }
}

#[tokio::test]
async fn a_head_is_read_as_it_was_written_last() {
    for history in histories().await {
        let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
        let elsewhere = ObjectKey { source: "elsewhere".into(), ..identity("i1") };
        let keys = [identity("i1"), key(ObjectType::Account, "i1"), elsewhere, identity("unknown")];
        let first = head("c1", 10, &some);
        let second = Head {
            capture_id: "c9".to_owned(),
            effective_ms: 20,
            extended_to_ms: 30,
            observed_ms: 40,
            patches_since_full: 2,
            deleted: true,
            name: "with\0nul".to_owned(),
            ..first.clone()
        };
        history
            .write(|writes| {
                for key in &keys[..3] {
                    writes.head(key.clone(), first.clone(), false);
                }
            })
            .await;
        history.write(|writes| writes.head(keys[0].clone(), second.clone(), true)).await;
        let mut tx = history.read().await;
        let read = heads(&mut tx, &keys).await.unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(read[&keys[0]], Head { name: "withnul".to_owned(), ..second });
        assert_eq!(read[&keys[1]], first);
        assert_eq!(read[&keys[2]], first);
    }
}

/// IIQ-10: a state is kept if its object, effective date and hash are; TRAP-01: the hash alone says nothing.
#[tokio::test]
async fn a_state_is_kept_with_its_date_and_hash_only() {
    for history in histories().await {
        let object = identity("i1");
        let (a, b) =
            (image(ObjectType::Identity, json!({"v": "A"})), image(ObjectType::Identity, json!({"v": "B"})));
        history
            .write(|writes| {
                writes.capture(full("c1", &object, 10, &a)).unwrap();
                writes.capture(full("c2", &object, 20, &b)).unwrap();
            })
            .await;
        let (hash_a, hash_b) = (hashes(&a).full, hashes(&b).full);
        let there = [(object.clone(), 10, hash_a.clone()), (object.clone(), 20, hash_b.clone())];
        let absent = [
            (object.clone(), 10, hash_b),
            (object.clone(), 20, hash_a.clone()),
            (object, 30, hash_a.clone()),
            (identity("i2"), 10, hash_a.clone()),
            (key(ObjectType::Role, "i1"), 10, hash_a),
        ];
        let asked: Vec<_> = there.iter().chain(&absent).cloned().collect();
        let mut tx = history.read().await;
        assert_eq!(kept(&mut tx, &asked).await.unwrap(), HashSet::from(there));
    }
}

/// An object is found by id or exact name; only where there is none, by name without case.
#[tokio::test]
async fn objects_are_found_by_id_and_name() {
    for history in histories().await {
        let some = ImageHashes { full: String::new(), smart: String::new() };
        let named = |name: &str, deleted| Head { name: name.to_owned(), deleted, ..head("c", 1, &some) };
        history
            .write(|writes| {
                writes.head(identity("1"), named("Anna", false), false);
                writes.head(identity("2"), named("anna", true), false);
                writes.head(identity("3"), named("ANNA", false), false);
                writes.head(identity("Anna"), named("somebody", false), false);
                writes.head(key(ObjectType::Role, "9"), named("anna", false), false);
            })
            .await;
        let mut tx = history.read().await;
        for (wanted, expected) in [
            ("Anna", vec!["1", "Anna"]),
            ("anna", vec!["2"]),
            ("aNNa", vec!["1", "2", "3"]),
            ("3", vec!["3"]),
            ("nobody", vec![]),
        ] {
            let found = find_objects(&mut tx, ObjectType::Identity, wanted).await.unwrap();
            let ids: Vec<&str> = found.iter().map(|object| object.key.object_id.as_str()).collect();
            assert_eq!(ids, expected, "{wanted}");
            assert!(found.iter().all(|object| object.deleted == (object.key.object_id == "2")));
        }
    }
}

/// A search for deletions starts from the living objects of its source and type, page by page.
#[tokio::test]
async fn living_objects_are_listed_by_page() {
    for history in histories().await {
        let some = ImageHashes { full: String::new(), smart: String::new() };
        let gone = Head { deleted: true, ..head("c", 1, &some) };
        let elsewhere = ObjectKey { source: "elsewhere".into(), ..identity("a") };
        history
            .write(|writes| {
                for id in ["a", "b", "d"] {
                    writes.head(identity(id), head("c", 1, &some), false);
                }
                writes.head(identity("c"), gone, false);
                writes.head(elsewhere, head("c", 1, &some), false);
                writes.head(key(ObjectType::Role, "a"), head("c", 1, &some), false);
            })
            .await;
        let mut tx = history.read().await;
        let asked = ["a", "c", "d", "e"].map(str::to_owned);
        let mut found = living(&mut tx, "test", ObjectType::Identity, &asked).await.unwrap();
        found.sort();
        assert_eq!(found, ["a", "d"]);
        for (after, expected) in [(None, vec!["a", "b"]), (Some("b"), vec!["d"]), (Some("d"), vec![])] {
            let page = living_page(&mut tx, "test", ObjectType::Identity, after, 2).await.unwrap();
            assert_eq!(page, expected, "{after:?}");
        }
    }
}
