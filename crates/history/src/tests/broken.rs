//! Captures that cannot be read back are errors that name them; never answers.

use annals_model::ObjectType;
use serde_json::json;

use super::{History, full, hashes, histories, identity, image, key, patch};
use crate::{Error, Fault, RebuildError, as_of, head_images};

const IDS: [&str; 3] = ["c1", "c2", "c3"];

/// An identity with one full capture and two patches of it, at 10, 20 and 30.
async fn chain(history: &History) {
    let object = identity("i1");
    let images = [1, 2, 3].map(|n| image(ObjectType::Identity, json!({"n": n})));
    let other = image(ObjectType::Identity, json!({"n": 4}));
    history
        .write(|writes| {
            writes.capture(full(IDS[0], &object, 10, &images[0])).unwrap();
            writes.capture(patch(IDS[1], IDS[0], &object, 20, &images[1])).unwrap();
            writes.capture(patch(IDS[2], IDS[1], &object, 30, &images[2])).unwrap();
            writes.capture(full("other", &identity("i2"), 10, &other)).unwrap();
        })
        .await;
}

/// The error of reading the last of the three; the ones before the broken one must still be answered.
async fn broken_by(history: &History, statement: &str, readable: usize) -> RebuildError {
    history.sql(statement);
    let mut tx = history.read().await;
    for at in 0..readable {
        let instant = i64::try_from(at + 1).unwrap() * 10;
        let found = as_of(&mut tx, &identity("i1"), instant, None).await.unwrap().unwrap();
        assert_eq!(found.image.unwrap().image_fields["n"], at + 1);
    }
    match as_of(&mut tx, &identity("i1"), 30, None).await {
        Err(Error::Rebuild(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Each way to break the chain, how many captures stay readable, whom the error names, and why.
#[tokio::test]
async fn a_broken_capture_is_an_error_that_names_it() {
    type Check = fn(&Fault) -> bool;
    let cases: [(&str, usize, &str, Check); 8] = [
        ("update spt_hist_identity_capture set json = null where id = 'c2';", 1, "c2", |fault| {
            matches!(fault, Fault::NoDocument)
        }),
        (
            "update spt_hist_identity_capture set json_format = 'MINIFIED' where id = 'c2';",
            1,
            "c2",
            |fault| matches!(fault, Fault::Json(_)),
        ),
        ("update spt_hist_identity_capture set json_format = 'LZ4' where id = 'c3';", 2, "c3", |fault| {
            matches!(fault, Fault::Format)
        }),
        (
            "delete from spt_hist_identity_capture where id = 'c1';",
            0,
            "c2",
            |fault| matches!(fault, Fault::ParentMissing { parent } if parent == "c1"),
        ),
        (
            "update spt_hist_identity_capture set patch_doc_parent = 'other' where id = 'c2';",
            1,
            "c2",
            |fault| matches!(fault, Fault::OtherObject { parent } if parent == "other"),
        ),
        ("update spt_hist_identity_capture set patch_doc_parent = 'c3' where id = 'c2';", 1, "", |fault| {
            matches!(fault, Fault::TooManyPatches)
        }),
        (
            "update spt_hist_identity_capture set full_hash = upper('0123') where id = 'c3';",
            2,
            "c3",
            |fault| matches!(fault, Fault::Hash),
        ),
        // The whole document replaced by the patch's own bytes: well-formed JSON, but no document.
        ("update spt_hist_identity_capture set patch_doc_parent = null where id = 'c3';", 2, "c3", |fault| {
            matches!(fault, Fault::NoImage)
        }),
    ];
    for (statement, readable, named, expected) in cases {
        for history in histories().await {
            chain(&history).await;
            let error = broken_by(&history, statement, readable).await;
            assert!(expected(&error.fault), "{statement}: {:?}", error.fault);
            assert!(named.is_empty() || error.capture_id == named, "{statement}: {error}");
            let message =
                format!("capture {} in spt_hist_identity_capture cannot be read back", error.capture_id);
            assert_eq!(error.to_string(), message);
        }
    }
}

/// A patch that does not fit is refused even where hashes are switched off.
#[tokio::test]
async fn a_patch_that_does_not_fit_is_an_error_without_hashes_too() {
    for history in histories().await {
        let object = identity("i1");
        let image = image(ObjectType::Identity, json!({"n": 1}));
        let operations = br#"[{"op":"remove","path":"/eventImage/imageFields/absent"}]"#.to_vec();
        history
            .write(|writes| {
                writes.capture(full("c1", &object, 10, &image)).unwrap();
                let document = crate::NewDocument::Patch { parent: "c1".to_owned(), operations };
                let hashless =
                    crate::NewCapture { document, hashes: None, ..full("c2", &object, 20, &image) };
                writes.capture(hashless).unwrap();
            })
            .await;
        let mut tx = history.read().await;
        let error = as_of(&mut tx, &object, 20, None).await.unwrap_err();
        let Error::Rebuild(error) = error else { panic!("{error:?}") };
        assert_eq!(error.capture_id, "c2");
        assert!(matches!(error.fault, Fault::Patch(_)), "{:?}", error.fault);
    }
}

/// Of many objects the broken one has an error, the others their images.
#[tokio::test]
async fn one_broken_object_does_not_keep_the_others_from_being_read() {
    for history in histories().await {
        chain(&history).await;
        history.sql("update spt_hist_identity_capture set json = null where id = 'c1';");
        let broken = super::heads::head("c3", 30, &hashes(&image(ObjectType::Identity, json!({"n": 3}))));
        let whole = super::heads::head("other", 10, &hashes(&image(ObjectType::Identity, json!({"n": 4}))));
        let never = super::heads::head("never", 10, &hashes(&image(ObjectType::Role, json!({}))));
        let keys = [identity("i1"), identity("i2"), key(ObjectType::Role, "r1")];
        let mut tx = history.read().await;
        let images = [(&keys[0], &broken), (&keys[1], &whole), (&keys[2], &never)];
        let mut images = head_images(&mut tx, &images).await.unwrap();
        assert_eq!(images.remove(&keys[0]).unwrap().unwrap_err().capture_id, "c1");
        assert_eq!(images.remove(&keys[1]).unwrap().unwrap().image.image_fields["n"], 4);
        let missing = images.remove(&keys[2]).unwrap().unwrap_err();
        assert!(matches!(missing.fault, Fault::Missing), "{missing:?}");
    }
}
