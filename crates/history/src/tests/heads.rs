//! Heads, and the states that are kept already.

use std::collections::HashSet;

use annals_model::{Head, ImageHashes, ObjectKey, ObjectType, Sighting};
use serde_json::json;

use super::{full, hashes, histories, identity, image, key};
use annals_sql::{Access, Db};
use annals_testkit::{database, history_engines};

use crate::{
    Error, begin_with_head_key, defer_indexes, find_objects, heads, is_empty, is_first_load, kept, living,
    living_page,
};
use crate::{make_deferred_indexes, migrations};

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
        seen: Vec::new(),
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
                    writes.head(key.clone(), first.clone(), None);
                }
            })
            .await;
        history.write(|writes| writes.head(keys[0].clone(), second.clone(), Some(first.clone()))).await;
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
                writes.head(identity("1"), named("Anna", false), None);
                writes.head(identity("2"), named("anna", true), None);
                writes.head(identity("3"), named("ANNA", false), None);
                writes.head(identity("Anna"), named("somebody", false), None);
                writes.head(key(ObjectType::Role, "9"), named("anna", false), None);
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
                    writes.head(identity(id), head("c", 1, &some), None);
                }
                writes.head(identity("c"), gone, None);
                writes.head(elsewhere, head("c", 1, &some), None);
                writes.head(key(ObjectType::Role, "a"), head("c", 1, &some), None);
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

/// An object that another transaction has captured meanwhile is not captured for the first time twice.
#[tokio::test]
async fn a_head_that_is_there_already_is_not_added() {
    for history in histories().await {
        let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
        history.write(|writes| writes.head(identity("i1"), head("c1", 10, &some), None)).await;
        let mut writes = crate::Writes::new(annals_model::JsonFormat::Zipped);
        writes.head(identity("i1"), head("c2", 20, &some), None);
        let mut tx = history.db.begin().await.unwrap();
        assert!(matches!(writes.flush(&mut tx).await, Err(Error::Overtaken(_))));
    }
}

/// A head takes the place of the one that was read and of no other: be it that a capture came meanwhile, that the same
/// one was seen again, or that a late message has moved it. A transaction may move a head several times.
#[tokio::test]
async fn a_head_that_has_moved_meanwhile_is_not_replaced() {
    let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
    let first = head("c1", 10, &some);
    let sighting = |at_ms| Sighting { occurred_ms: at_ms, observed_ms: at_ms };
    let seen_again = Head { extended_to_ms: 15, seen: vec![sighting(10), sighting(15)], ..first.clone() };
    let rebased = Head { patches_since_full: 2, full_capture_id: "c0".to_owned(), ..first.clone() };
    let dated_back = Head { effective_ms: 9, ..first.clone() };
    for history in histories().await {
        for (n, moved) in [head("c2", 20, &some), seen_again.clone(), rebased.clone(), dated_back.clone()]
            .into_iter()
            .enumerate()
        {
            let (object, other) = (identity(&format!("i{n}")), identity(&format!("other{n}")));
            let keys = [object.clone(), other.clone()];
            history
                .write(|writes| keys.iter().for_each(|key| writes.head(key.clone(), first.clone(), None)))
                .await;
            let read = heads(&mut history.read().await, &keys).await.unwrap();
            let between = head("c3", 30, &some);
            history
                .write(|writes| {
                    writes.head(object.clone(), between.clone(), Some(read[&object].clone()));
                    writes.head(object.clone(), moved.clone(), Some(between));
                })
                .await;
            let mut writes = crate::Writes::new(annals_model::JsonFormat::Zipped);
            for key in &keys {
                writes.head(key.clone(), head("c4", 40, &some), Some(read[key].clone()));
            }
            let mut tx = history.db.begin().await.unwrap();
            assert!(matches!(writes.flush(&mut tx).await, Err(Error::Overtaken(None))), "{moved:?}");
            tx.rollback().await.unwrap();
            let now = heads(&mut history.read().await, &keys).await.unwrap();
            assert_eq!((&now[&object], &now[&other]), (&moved, &first));
        }
    }
}

/// What the wide heads of earlier versions said, the slim ones say too.
#[tokio::test]
async fn heads_of_earlier_versions_are_kept() {
    for engine in history_engines() {
        let outside = database(engine);
        let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
        let all = migrations(db.engine());
        db.migrate(&all[..2]).await.unwrap();
        let (capture, full) = ("0191f4f07c1a7abc8def0123456789ab", "0191f4f07c1a7abc8def0123456789aa");
        let (hash, smart) =
            ("BA7816BF8F01CFEA414140DE5DAE2223B00361A3", "00112233445566778899AABBCCDDEEFF00112233");
        outside.sql(&format!(
            "insert into annals_head (source, object_type, object_id, name, capture_id, effective_date,
                extended_to_date, observed_date, full_hash, smart_hash, patches_since_full, full_capture_id,
                full_observed_date, deleted) values
             ('test', 'identity', 'i1', 'Ann', '{capture}', 10, 10, 12, '{hash}', '{hash}', 0, '{capture}', 12, 0),
             ('test', 'account', 'i1', 'ann', '{capture}', 10, 20, 22, '{hash}', '{smart}', 3, '{full}', 5, 0),
             ('test', 'identity', 'i2', 'Bob', '{capture}', 10, 10, 12, '', '', 0, '{capture}', 12, 1);"
        ));
        db.migrate(all).await.unwrap();
        let plain = Head {
            capture_id: capture.to_owned(),
            effective_ms: 10,
            extended_to_ms: 10,
            observed_ms: 12,
            full_hash: hash.to_owned(),
            smart_hash: hash.to_owned(),
            patches_since_full: 0,
            full_capture_id: capture.to_owned(),
            full_observed_ms: 12,
            deleted: false,
            name: "Ann".to_owned(),
            seen: Vec::new(),
        };
        let patched = Head {
            extended_to_ms: 20,
            observed_ms: 22,
            smart_hash: smart.to_owned(),
            patches_since_full: 3,
            full_capture_id: full.to_owned(),
            full_observed_ms: 5,
            name: "ann".to_owned(),
            ..plain.clone()
        };
        let gone = Head {
            full_hash: String::new(),
            smart_hash: String::new(),
            deleted: true,
            name: "Bob".to_owned(),
            ..plain.clone()
        };
        let keys = [identity("i1"), key(ObjectType::Account, "i1"), identity("i2")];
        let mut tx = db.begin_read().await.unwrap();
        let read = heads(&mut tx, &keys).await.unwrap();
        assert_eq!([&read[&keys[0]], &read[&keys[1]], &read[&keys[2]]], [&plain, &patched, &gone]);
        tx.rollback().await.unwrap();
        let mut writes = crate::Writes::new(annals_model::JsonFormat::Zipped);
        for key in &keys {
            writes.head(
                key.clone(),
                Head { name: "New".to_owned(), ..plain.clone() },
                Some(read[key].clone()),
            );
        }
        let mut tx = db.begin().await.unwrap();
        writes.flush(&mut tx).await.unwrap();
        let read = heads(&mut tx, &keys).await.unwrap();
        assert!(read.values().all(|head| head.name == "New"), "{read:?}");
    }
}

/// A first load leaves indexes away and has every one of them at its end, however it went.
#[tokio::test]
async fn deferred_indexes_are_made_again() {
    for history in histories().await {
        let indexes = |history: &super::History| match history.outside.engine() {
            annals_testkit::Engine::Postgres => {
                history.sql("select indexdef from pg_indexes where schemaname = 'public' order by 1;")
            }
            _ => history.sql(
                "select replace(sql, char(10), ' ') from sqlite_master where type = 'index' order by 1;",
            ),
        };
        let before = indexes(&history);
        let mut tx = history.db.begin().await.unwrap();
        assert!(is_empty(&mut tx).await.unwrap());
        let dropped = defer_indexes(&mut tx, 7).await.unwrap();
        tx.commit().await.unwrap();
        let between = indexes(&history);
        assert_eq!(before.lines().count() - between.lines().count(), dropped);
        assert!(
            !between.contains("annals_head_name") && !between.contains("spt_hist_identity_capture_object")
        );
        assert!(between.contains("spt_hist_identity_object"), "entity rows are looked up by each write");
        assert!(between.contains("spt_hist_identity_req_capture_object"), "requests are, by their items");
        let keyless = history.outside.engine() == annals_testkit::Engine::Postgres;
        assert!(!between.contains("annals_head_pkey") && !between.contains("annals_access_interval_pkey"));
        assert!(!between.contains("annals_access_interval_item"));
        assert!(is_first_load(&history.db, 7).await.unwrap());
        assert!(!indexes(&history).contains("annals_head_pkey"), "the run itself goes on without");

        // Heads and rows are written as ever.
        let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
        history.write(|writes| writes.head(identity("i1"), head("c1", 10, &some), None)).await;
        assert!(!is_first_load(&history.db, 8).await.unwrap());
        for key in ["annals_head_pkey", "annals_access_interval_pkey"] {
            assert_eq!(indexes(&history).contains(key), keyless, "another run has made {key}");
        }
        assert_eq!(make_deferred_indexes(&history.db).await.unwrap(), dropped - 2 * usize::from(keyless));
        assert_eq!(indexes(&history), before);
        assert_eq!(make_deferred_indexes(&history.db).await.unwrap(), 0);
        assert!(!is_empty(&mut history.read().await).await.unwrap());
        // A run that takes history for empty, while somebody writes the first head.
        let mut tx = history.db.begin().await.unwrap();
        assert_eq!(defer_indexes(&mut tx, 9).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert_eq!(indexes(&history), before);
    }
}

/// Who writes outside of runs has the keys of heads and access intervals, and nobody drops them meanwhile.
#[tokio::test]
async fn what_is_written_beside_a_first_load_has_the_key_of_heads() {
    for history in histories().await {
        let left_away = || {
            history.sql("select count(*) from annals_deferred_index where name in ('annals_head_pkey', 'annals_access_interval_pkey');")
        };
        let mut tx = history.db.begin().await.unwrap();
        defer_indexes(&mut tx, 7).await.unwrap();
        tx.commit().await.unwrap();
        let keyless = history.outside.engine() == annals_testkit::Engine::Postgres;
        assert_eq!(left_away(), (2 * u8::from(keyless)).to_string());
        begin_with_head_key(&history.db).await.unwrap().rollback().await.unwrap();
        assert_eq!(left_away(), "0");
    }
}
