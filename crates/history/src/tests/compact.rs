//! The `COMPACT` format: dictionaries are trained, kept, found again, and missed when they are gone (IIQ-40).

use std::collections::BTreeSet;
use std::sync::Arc;

use annals_model::{JsonFormat, ObjectType};
use annals_sql::Stmt;
use serde_json::json;

use super::{History, full, histories, identity, image, patch, sample_documents, tombstone};
use crate::encoding::dictionary_of;
use crate::{
    Dictionaries, Encoder, Error, Fault, PageRequest, Writes, as_of, captures, compact_saving, full_document,
};

const DICTIONARIES: &str = "select id, object_type, version from annals_dictionary order by id;";

/// Writes one identity's capture by an encoder; the document as stored.
async fn write(history: &History, n: u32, encoder: Encoder) -> Vec<u8> {
    let id = format!("c{n}");
    let image = image(ObjectType::Identity, json!({"displayName": "person 7919", "type": "employee"}));
    let mut writes = Writes::with(encoder);
    writes.capture(full(&id, &identity("i1"), i64::from(n) * 10, &image)).unwrap();
    history.flush(writes).await;
    let select = Stmt::new("test.json", "select json from spt_hist_identity_capture where id = ?");
    let row = history.read().await.fetch_one(&select, vec![id.as_str().into()]).await.unwrap();
    row.bytes(0).unwrap().unwrap().to_vec()
}

/// A dictionary is there from the first transaction that has seen enough documents of a type, and serves all later
/// ones.
#[tokio::test]
async fn the_first_captures_make_a_dictionary() {
    for mut history in histories().await {
        let few = history.encoder(JsonFormat::Compact, ObjectType::Identity, 99).await;
        let plain = write(&history, 1, few).await;
        assert_eq!((dictionary_of(&plain), history.sql(DICTIONARIES).as_str()), (None, ""));
        // The one that is kept already is the hundredth.
        let enough = history.encoder(JsonFormat::Compact, ObjectType::Identity, 99).await;
        let compact = write(&history, 2, enough).await;
        assert_eq!((dictionary_of(&compact), history.sql(DICTIONARIES).as_str()), (Some(1), "1|identity|1"));
        assert!(compact.len() * 2 < plain.len(), "{} of {}", compact.len(), plain.len());
        history.encoder(JsonFormat::Compact, ObjectType::Role, 200).await;
        // A writer that has seen nothing yet uses what is there.
        history.dictionaries = Dictionaries::default();
        let kept = history.encoder(JsonFormat::Compact, ObjectType::Identity, 0).await;
        assert_eq!(dictionary_of(&write(&history, 3, kept).await), Some(1));
        assert_eq!(history.sql(DICTIONARIES), "1|identity|1\n2|role|1");
        let mut tx = history.read().await;
        for instant in [10, 20, 30] {
            let found = as_of(&mut tx, &identity("i1"), instant, None).await.unwrap().unwrap();
            assert_eq!(found.image.unwrap().image_fields["displayName"], "person 7919");
            assert_eq!(found.json_format, "COMPACT");
        }
    }
}

/// A change of format needs captures of the past, which are taken from all over the table: here the newest are all
/// tombstones, of which no dictionary could be made that serves the others.
#[tokio::test]
async fn kept_captures_make_a_dictionary_where_new_ones_are_few() {
    for history in histories().await {
        let image = image(ObjectType::Identity, json!({"displayName": "person 7919", "type": "employee"}));
        history
            .write(|writes| {
                for n in 0..900 {
                    let object = identity(&format!("i{n}"));
                    writes.capture(full(&format!("{n:05}"), &object, 10, &image)).unwrap();
                    writes.capture(tombstone(&format!("1{n:05}"), &object, 20)).unwrap();
                }
            })
            .await;
        let encoder = history.encoder(JsonFormat::Compact, ObjectType::Identity, 0).await;
        let stored = write(&history, 1, encoder).await;
        assert_eq!(dictionary_of(&stored), Some(1));
        assert!(stored.len() < 80, "{}", stored.len());
    }
}

/// Progress and product commit together, and so does a dictionary: one whose transaction was undone is not used by the
/// next, which could leave captures that nobody can read.
#[tokio::test]
async fn a_dictionary_that_was_undone_is_forgotten() {
    for history in histories().await {
        let types = BTreeSet::from([ObjectType::Identity]);
        let mut tx = history.db.begin().await.unwrap();
        let samples = |object_type| sample_documents(object_type, 200);
        history.dictionaries.encoder(&mut tx, JsonFormat::Compact, types, samples).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(history.sql(DICTIONARIES), "");
        let encoder = history.encoder(JsonFormat::Compact, ObjectType::Identity, 200).await;
        write(&history, 1, encoder).await;
        let found = as_of(&mut history.read().await, &identity("i1"), 10, None).await.unwrap().unwrap();
        assert!(found.image.is_some());
    }
}

/// Of two writers that find no dictionary at the same time, the second one uses the first one's.
#[tokio::test]
async fn two_writers_make_one_dictionary() {
    for history in histories().await {
        let types = || BTreeSet::from([ObjectType::Identity]);
        let mut first = history.db.begin().await.unwrap();
        let samples = |object_type| sample_documents(object_type, 200);
        let encoder = |dictionaries: Arc<Dictionaries>, db: annals_sql::Db| async move {
            let mut tx = db.begin().await.unwrap();
            let samples = |object_type| sample_documents(object_type, 300);
            let encoder = dictionaries.encoder(&mut tx, JsonFormat::Compact, types(), samples).await.unwrap();
            tx.commit().await.unwrap();
            encoder
        };
        history.dictionaries.encoder(&mut first, JsonFormat::Compact, types(), samples).await.unwrap();
        let second = tokio::spawn(encoder(Arc::new(Dictionaries::default()), history.db.clone()));
        tokio::task::yield_now().await;
        first.commit().await.unwrap();
        let second = second.await.unwrap();
        assert_eq!(history.sql(DICTIONARIES), "1|identity|1");
        assert_eq!(second.dictionary(ObjectType::Identity), Some(1));
    }
}

/// What a dictionary is needed for names it when it is damaged or gone; everything else is answered, and what is
/// written next does without it.
#[tokio::test]
async fn a_damaged_dictionary_is_named() {
    for mut history in histories().await {
        let plain = history.encoder(JsonFormat::Compact, ObjectType::Identity, 0).await;
        write(&history, 1, plain).await;
        let compact = history.encoder(JsonFormat::Compact, ObjectType::Identity, 200).await;
        write(&history, 2, compact).await;
        let fault = async || match as_of(&mut history.read().await, &identity("i1"), 20, None).await {
            Err(Error::Rebuild(error)) => {
                assert_eq!(error.capture_id, "c2");
                error.fault
            }
            other => panic!("{other:?}"),
        };
        history.sql("update annals_dictionary set content_hash = 'other';");
        assert!(matches!(fault().await, Fault::DictionaryDamaged { id: 1 }));
        assert_eq!(fault().await.to_string(), "its dictionary 1 in annals_dictionary is damaged");
        let before = as_of(&mut history.read().await, &identity("i1"), 10, None).await.unwrap().unwrap();
        assert!(before.image.is_some());

        history.dictionaries = Dictionaries::default();
        let next = history.encoder(JsonFormat::Compact, ObjectType::Identity, 200).await;
        assert_eq!(dictionary_of(&write(&history, 3, next).await), Some(2));
        assert_eq!(history.sql(DICTIONARIES), "1|identity|1\n2|identity|2");
        let after = as_of(&mut history.read().await, &identity("i1"), 30, None).await.unwrap().unwrap();
        assert!(after.image.is_some());

        history.sql("delete from annals_dictionary where id = 1;");
        let fault = match as_of(&mut history.read().await, &identity("i1"), 20, None).await {
            Err(Error::Rebuild(error)) => error.fault,
            other => panic!("{other:?}"),
        };
        assert!(matches!(fault, Fault::DictionaryMissing { id: 1 }));
        assert_eq!(fault.to_string(), "its dictionary 1 is not in annals_dictionary");
    }
}

/// Patches and tombstones are made small by the same dictionary, and a tombstone is recognised as one.
#[tokio::test]
async fn patches_and_tombstones_are_compact() {
    for history in histories().await {
        let object = identity("i1");
        let images =
            [1, 2].map(|n| image(ObjectType::Identity, json!({"displayName": format!("person {n}")})));
        let encoder = history.encoder(JsonFormat::Compact, ObjectType::Identity, 200).await;
        let mut writes = Writes::with(encoder);
        writes.capture(full("a", &object, 10, &images[0])).unwrap();
        writes.capture(patch("b", "a", &object, 20, &images[1])).unwrap();
        writes.capture(tombstone("c", &object, 30)).unwrap();
        history.flush(writes).await;
        let mut tx = history.read().await;
        let page = captures(&mut tx, &object, &PageRequest { limit: 9, after: None }).await.unwrap();
        let sizes: Vec<i64> = page.rows.iter().map(|capture| capture.stored_bytes).collect();
        let deleted: Vec<bool> = page.rows.iter().map(|capture| capture.deleted).collect();
        assert_eq!(deleted, [false, false, true]);
        // The minified patch has 106 bytes, the tombstone's document 70.
        assert!(sizes.iter().all(|size| *size < 60), "{sizes:?}");
        let state = as_of(&mut tx, &object, 20, None).await.unwrap().unwrap();
        assert_eq!(state.image.unwrap().image_fields["displayName"], "person 2");
        assert!(as_of(&mut tx, &object, 30, None).await.unwrap().unwrap().deleted);
    }
}

/// The estimate is that of the captures that are there: of 1,000 identities, each with a document of its own.
#[tokio::test]
async fn what_compact_would_save_is_told_from_a_sample() {
    for history in histories().await {
        let mut tx = history.read().await;
        let nothing = compact_saving(&mut tx).await.unwrap();
        assert_eq!((nothing.captures, nothing.sampled, nothing.percent()), (0, 0, 0));
        tx.rollback().await.unwrap();
        let images: Vec<_> = (0..1_000)
            .map(|n| json!({"displayName": format!("person {}", n * 7919), "type": "employee", "inactive": false}))
            .map(|fields| image(ObjectType::Identity, fields))
            .collect();
        history
            .write(|writes| {
                for (n, image) in images.iter().enumerate() {
                    writes
                        .capture(full(&format!("{n:032x}"), &identity(&format!("i{n}")), 10, image))
                        .unwrap();
                }
            })
            .await;
        history.sql(match history.db.engine() {
            annals_sql::Engine::Sqlite => "select 1;",
            _ => "analyze spt_hist_identity_capture;",
        });
        let saving = compact_saving(&mut history.read().await).await.unwrap();
        let stored: i64 =
            history.sql("select sum(length(json)) from spt_hist_identity_capture;").parse().unwrap();
        assert_eq!(saving.captures, 1_000);
        assert!((400..=600).contains(&saving.sampled), "{saving:?}");
        assert!((saving.bytes - stored).abs() * 20 < stored, "{saving:?} {stored}");
        // Nothing is kept of the trial; the real thing comes out as was told.
        assert_eq!(history.sql(DICTIONARIES), "");
        let mut encoder = history.encoder(JsonFormat::Compact, ObjectType::Identity, 0).await;
        let compact: usize = images
            .iter()
            .enumerate()
            .map(|(n, image)| full_document("T", &format!("{n:032x}"), &super::image_bytes(image)))
            .map(|document| encoder.encode(ObjectType::Identity, document).unwrap().len())
            .sum();
        let compact = i64::try_from(compact).unwrap();
        assert!((saving.compact_bytes - compact).abs() * 10 < compact, "{saving:?} {compact}");
        assert_eq!(saving.percent(), 100 * (saving.bytes - saving.compact_bytes) / saving.bytes);
        assert!(saving.percent() > 50, "{saving:?}");
    }
}
