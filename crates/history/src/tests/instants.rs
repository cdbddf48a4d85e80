//! Which capture answers for an instant.

use annals_model::ObjectType;
use serde_json::json;

use super::{History, full, histories, identity, image, patch, tombstone};
use crate::{NewCapture, PageRequest, as_of, captures};

async fn id_at(history: &History, at_ms: i64, known_at_ms: Option<i64>) -> Option<String> {
    let mut tx = history.read().await;
    as_of(&mut tx, &identity("i1"), at_ms, known_at_ms).await.unwrap().map(|found| found.capture_id)
}

/// A state holds from its effective date on, that instant included, to the next one's, that one excluded.
#[tokio::test]
async fn a_state_holds_from_its_effective_date_to_the_next() {
    for history in histories().await {
        let object = identity("i1");
        let (one, two) =
            (image(ObjectType::Identity, json!({"n": 1})), image(ObjectType::Identity, json!({"n": 2})));
        history
            .write(|writes| {
                writes.capture(full("a", &object, 1_000, &one)).unwrap();
                writes.capture(patch("b", "a", &object, 2_000, &two)).unwrap();
                writes.capture(full("elsewhere", &identity("i2"), 1_500, &two)).unwrap();
            })
            .await;
        for (at, expected) in
            [(999, None), (1_000, Some("a")), (1_999, Some("a")), (2_000, Some("b")), (i64::MAX, Some("b"))]
        {
            assert_eq!(id_at(&history, at, None).await.as_deref(), expected, "{at}");
        }
    }
}

/// Of two captures for one instant the one recorded last counts; and what was learned later is passed over when asked
/// what was known before.
#[tokio::test]
async fn what_was_known_at_an_instant_is_answered_apart() {
    for history in histories().await {
        let object = identity("i1");
        let image = image(ObjectType::Identity, json!({"n": 1}));
        let recorded = |id, effective_ms, recorded_ms| NewCapture {
            recorded_ms,
            latest: false,
            ..full(id, &object, effective_ms, &image)
        };
        history
            .write(|writes| {
                writes.capture(recorded("first", 1_000, 5_000)).unwrap();
                writes.capture(recorded("late", 1_000, 6_000)).unwrap();
                writes.capture(recorded("twin-a", 2_000, 7_000)).unwrap();
                writes.capture(recorded("twin-b", 2_000, 7_000)).unwrap();
            })
            .await;
        for (at, known_at, expected) in [
            (1_500, None, Some("late")),
            (1_500, Some(5_999), Some("first")),
            (1_500, Some(6_000), Some("late")),
            (1_500, Some(4_999), None),
            (2_000, None, Some("twin-b")),
            (2_000, Some(6_999), Some("late")),
        ] {
            let found = id_at(&history, at, known_at).await;
            assert_eq!(found.as_deref(), expected, "at {at}, known at {known_at:?}");
        }
    }
}

/// TRAP-01: a value goes A, B, A: three captures, each answered at its time. TRAP-16: after the end of the object its
/// past is answered as before, and the end itself is an answer.
#[tokio::test]
async fn the_past_of_an_object_that_is_gone_is_answered() {
    for history in histories().await {
        let object = identity("i1");
        let (a, b) =
            (image(ObjectType::Identity, json!({"v": "A"})), image(ObjectType::Identity, json!({"v": "B"})));
        history
            .write(|writes| {
                writes.capture(full("c1", &object, 10, &a)).unwrap();
                writes.capture(patch("c2", "c1", &object, 20, &b)).unwrap();
                writes.capture(patch("c3", "c2", &object, 30, &a)).unwrap();
                writes.capture(tombstone("c4", &object, 40)).unwrap();
                writes.capture(full("c5", &object, 50, &b)).unwrap();
            })
            .await;
        let mut tx = history.read().await;
        for (at, value) in
            [(10, Some("A")), (29, Some("B")), (30, Some("A")), (39, Some("A")), (40, None), (50, Some("B"))]
        {
            let found = as_of(&mut tx, &object, at, None).await.unwrap().unwrap();
            let image = found.image.map(|image| image.image_fields["v"].as_str().unwrap().to_owned());
            assert_eq!(image.as_deref(), value, "{at}");
            assert_eq!(found.deleted, value.is_none());
            assert_eq!(found.document["operation"], if value.is_none() { "delete" } else { "capture" });
        }

        let page = PageRequest { limit: 3, after: None };
        let first = captures(&mut tx, &object, &page).await.unwrap();
        let second =
            captures(&mut tx, &object, &PageRequest { limit: 3, after: first.next.clone() }).await.unwrap();
        let listed: Vec<_> = first
            .rows
            .iter()
            .chain(&second.rows)
            .map(|c| (c.capture_id.as_str(), c.transform_type.as_str(), c.patch_of.as_deref(), c.deleted))
            .collect();
        assert_eq!(
            listed,
            [
                ("c1", "full", None, false),
                ("c2", "patch", Some("c1"), false),
                ("c3", "patch", Some("c2"), false),
                ("c4", "full", None, true),
                ("c5", "full", None, false),
            ]
        );
        assert_eq!((first.rows.len(), first.next.is_some(), second.next), (3, true, None));
    }
}

/// A state that is seen again holds longer; nothing else of its capture changes.
#[tokio::test]
async fn a_state_seen_again_is_extended() {
    for history in histories().await {
        let object = identity("i1");
        let image = image(ObjectType::Identity, json!({"n": 1}));
        history.write(|writes| writes.capture(full("a", &object, 10, &image)).unwrap()).await;
        history.write(|writes| writes.capture(full("b", &identity("i2"), 10, &image)).unwrap()).await;
        let before =
            "select id, created, effective_date, full_hash from spt_hist_identity_capture order by id;";
        let unchanged = history.sql(before);
        let summary = history
            .write(|writes| {
                writes.extend(ObjectType::Identity, "a".to_owned(), Some(70));
                writes.extend(ObjectType::Identity, "b".to_owned(), Some(80));
                writes.extend(ObjectType::Identity, "gone".to_owned(), Some(90));
            })
            .await;
        assert_eq!(summary.extended, 3);
        assert_eq!(history.sql(before), unchanged);
        let extended = "select id, extended_to_date from spt_hist_identity_capture order by id;";
        assert_eq!(history.sql(extended), "a|70\nb|80");
        let mut tx = history.read().await;
        let found = as_of(&mut tx, &object, 60, None).await.unwrap().unwrap();
        assert_eq!((found.effective_ms, found.extended_to_ms, found.recorded_ms), (10, Some(70), 1_010));
    }
}
