//! Columns, child rows and entity rows that a capture fills.

use annals_model::{JsonFormat, ObjectType, Reference};
use serde_json::json;

use super::{full, histories, identity, image, key, patch, tombstone};
use crate::{NewCapture, Writes, as_of};

fn owner() -> Option<Reference> {
    Some(Reference { id: "owner".to_owned(), name: "Anna Owner".to_owned() })
}

/// IIQ-19: columns and child rows are filled for full and patch captures alike; only the newest is `latest`.
#[tokio::test]
async fn columns_and_child_rows_are_filled_for_patches_too() {
    for history in histories().await {
        let object = identity("i1");
        let one = image(
            ObjectType::Identity,
            json!({"manager": {"id": "m1", "name": "Boss"}, "email": "a@x", "inactive": false,
                   "accounts": [{"id": "a1"}, {"id": "a2"}], "assignedRoles": [{"id": "r1"}], "detectedRoles": []}),
        );
        let two = image(
            ObjectType::Identity,
            json!({"manager": null, "inactive": "true", "accounts": [{"id": "a2"}], "entitlements": ["e1"]}),
        );
        history.write(|writes| writes.capture(full("c1", &object, 10, &one)).unwrap()).await;
        history.write(|writes| writes.capture(patch("c2", "c1", &object, 20, &two)).unwrap()).await;
        let columns =
            "select id, identity_name, transform_type, patch_doc_parent, latest, manager_id, email, inactive
            from spt_hist_identity_capture order by id;";
        assert_eq!(history.sql(columns), "c1|name of i1|full||0|m1|a@x|0\nc2|name of i1|patch|c1|1|||1");
        let children = "select capture_id, idx, account_id from spt_hist_accounts order by 1, 2;";
        assert_eq!(history.sql(children), "c1|0|a1\nc1|1|a2\nc2|0|a2");
        assert_eq!(history.sql("select * from spt_hist_assigned_roles;"), "c1|0|r1");
        assert_eq!(history.sql("select * from spt_hist_entitlements;"), "c2|0|e1");
        assert_eq!(history.sql("select count(*) from spt_hist_detected_roles;"), "0");
    }
}

/// Several captures of an object in one transaction: the last one is the newest; one that comes late is none.
#[tokio::test]
async fn only_the_newest_capture_is_latest() {
    for history in histories().await {
        let object = identity("i1");
        let image = image(ObjectType::Identity, json!({"displayName": "Late"}));
        history
            .write(|writes| {
                writes.capture(full("c1", &object, 10, &image)).unwrap();
                writes.capture(full("c2", &object, 20, &image)).unwrap();
            })
            .await;
        let late =
            NewCapture { latest: false, name: "old name".to_owned(), ..full("c0", &object, 5, &image) };
        history.write(|writes| writes.capture(late).unwrap()).await;
        let latest = "select id, latest from spt_hist_identity_capture order by id;";
        assert_eq!(history.sql(latest), "c0|0\nc1|0\nc2|1");
        assert_eq!(history.sql("select name from spt_hist_identity;"), "name of i1");
    }
}

/// The entity row is the object's newest state; it keeps its id, and a deletion only marks it.
#[tokio::test]
async fn an_entity_row_follows_its_object() {
    for history in histories().await {
        let role = key(ObjectType::Role, "r1");
        let image = |name: &str| image(ObjectType::Role, json!({"displayName": name, "owner": {"id": "o1"}}));
        let (one, two) = (image("One"), image("Two"));
        let row = "select id, created, modified, significant_modified, role_id, name, display_name, deleted
            from spt_hist_role;";
        history.write(|writes| writes.capture(full("c1", &role, 10, &one)).unwrap()).await;
        assert_eq!(history.sql(row), "c1|1010|1010|10|r1|name of r1|One|0");
        history.write(|writes| writes.capture(patch("c2", "c1", &role, 20, &two)).unwrap()).await;
        assert_eq!(history.sql(row), "c1|1010|1020|20|r1|name of r1|Two|0");
        history.write(|writes| writes.capture(tombstone("c3", &role, 30)).unwrap()).await;
        assert_eq!(history.sql(row), "c1|1010|1030|30|r1|name of r1|Two|1");
        let summary = history
            .write(|writes| {
                writes.capture(full("c4", &role, 40, &one)).unwrap();
                writes.capture(tombstone("c5", &role, 50)).unwrap();
                writes.capture(full("c6", &role, 60, &two)).unwrap();
            })
            .await;
        assert_eq!((summary.captures, summary.entities), (3, 1));
        assert_eq!(history.sql(row), "c1|1010|1060|60|r1|name of r1|Two|0");
        assert_eq!(history.sql("select count(*) from spt_hist_role_capture where owner_id = 'o1';"), "4");
    }
}

/// A deletion does not tell whose the object was; the capture before does, in the table or in the same transaction.
#[tokio::test]
async fn a_tombstone_inherits_what_must_not_be_null() {
    for history in histories().await {
        let image = image(ObjectType::Account, json!({"displayName": "anna"}));
        let account = |id: &str, object: &str, at| NewCapture {
            identity: owner(),
            ..full(id, &key(ObjectType::Account, object), at, &image)
        };
        history.write(|writes| writes.capture(account("c1", "a1", 10)).unwrap()).await;
        history
            .write(|writes| {
                writes.capture(tombstone("c2", &key(ObjectType::Account, "a1"), 20)).unwrap();
                writes.capture(account("c3", "a2", 10)).unwrap();
                writes.capture(tombstone("c4", &key(ObjectType::Account, "a2"), 20)).unwrap();
                writes.capture(tombstone("c5", &key(ObjectType::Account, "a3"), 20)).unwrap();
            })
            .await;
        let rows = "select id, account_id, identity_id, identity_name, deleted from spt_hist_account_capture order by 1;";
        assert_eq!(
            history.sql(rows),
            "c1|a1|owner|Anna Owner|0\nc2|a1|owner|Anna Owner|1\nc3|a2|owner|Anna Owner|0\n\
             c4|a2|owner|Anna Owner|1\nc5|a3|||1"
        );

        let attribute = key(ObjectType::ManagedAttribute, "ma1");
        let image =
            super::image(ObjectType::ManagedAttribute, json!({"hash": "h1", "displayableName": "Admins"}));
        history.write(|writes| writes.capture(full("d1", &attribute, 10, &image)).unwrap()).await;
        history.write(|writes| writes.capture(tombstone("d2", &attribute, 20)).unwrap()).await;
        let rows = "select id, mattr_hash from spt_hist_mattr_capture order by id;";
        assert_eq!(history.sql(rows), "d1|h1\nd2|h1");
        assert_eq!(
            history.sql("select mattr_hash, display_name, deleted from spt_hist_mattr;"),
            "h1|Admins|1"
        );
    }
}

/// The reference keeps a certification's newest state; its past is answered from the table of ours.
#[tokio::test]
async fn a_certification_has_a_row_and_a_past() {
    for history in histories().await {
        let certification = key(ObjectType::Certification, "ce1");
        let image = |finished: serde_json::Value| {
            image(
                ObjectType::Certification,
                json!({"type": "Manager", "shortName": "Q1", "finished": finished}),
            )
        };
        let (open, done) = (image(json!(null)), image(json!("2024-02-29T12:00:00+02:00")));
        let mut writes = Writes::new(JsonFormat::Minified);
        writes.capture(full("c1", &certification, 10, &open)).unwrap();
        history.flush(writes).await;
        let mut writes = Writes::new(JsonFormat::Minified);
        writes.capture(patch("c2", "c1", &certification, 20, &done)).unwrap();
        history.flush(writes).await;
        let row = "select id, cert_id, cert_type, cert_display_name, cert_name, finished from spt_hist_certification;";
        assert_eq!(history.sql(row), "c1|ce1|Manager|Q1|name of ce1|1709200800000");
        let json = match history.outside.engine() {
            annals_testkit::Engine::Postgres => {
                "select convert_from(json, 'UTF8') from spt_hist_certification;"
            }
            _ => "select cast(json as text) from spt_hist_certification;",
        };
        assert_eq!(
            history.sql(json),
            r#"{"eventId":"c2","eventImage":{"imageFields":{"finished":"2024-02-29T12:00:00+02:00","shortName":"Q1","type":"Manager"},"imageType":"certification"},"operation":"capture","transformationConfigName":"T"}"#
        );
        history.write(|writes| writes.capture(tombstone("c3", &certification, 30)).unwrap()).await;
        assert_eq!(history.sql("select id, modified from spt_hist_certification;"), "c1|1030");
        let mut tx = history.read().await;
        for (at, expected) in [(10, Some(&open)), (20, Some(&done)), (30, None)] {
            let found = as_of(&mut tx, &certification, at, None).await.unwrap().unwrap();
            assert_eq!(found.image.as_ref(), expected, "{at}");
        }
    }
}

/// Columns are cut to their width between characters and lose NUL; the document keeps the whole. Ids are never cut.
#[tokio::test]
async fn long_texts_are_cut_in_columns_and_whole_in_the_document() {
    for history in histories().await {
        let long = "ü".repeat(500);
        let dn = "cn=anna,ou=people,dc=example,dc=org";
        let entitlement = key(ObjectType::Entitlement, dn);
        let image = image(
            ObjectType::Entitlement,
            json!({"value": long, "name": "a\0b", "nativeIdentity": dn, "application": {"id": dn, "name": "HR\0"}}),
        );
        let capture = NewCapture { identity: owner(), ..full("c1", &entitlement, 10, &image) };
        history.write(|writes| writes.capture(capture).unwrap()).await;
        // The digest is what `sha256sum` makes of the id, cut to 32 digits.
        let digest = "2B725B05E84DB728668D19DD26EA9E2C";
        let columns = "select identity_entitlement_id, attribute_name, native_identity, application_id,
            application_name, length(attribute_value) from spt_hist_entitlement_capture;";
        assert_eq!(history.sql(columns), format!("{digest}|ab|{dn}|{digest}|HR|450"));
        let mut tx = history.read().await;
        let found = as_of(&mut tx, &entitlement, 10, None).await.unwrap().unwrap();
        assert_eq!(found.image, Some(image));
    }
}

/// What goes wrong half-way leaves nothing behind: the whole transaction is undone.
#[tokio::test]
async fn a_flush_that_fails_writes_nothing() {
    for history in histories().await {
        let image = image(ObjectType::Identity, json!({"accounts": [{"id": "a1"}]}));
        history.write(|writes| writes.capture(full("c1", &identity("i1"), 10, &image)).unwrap()).await;
        let mut writes = Writes::new(JsonFormat::Zipped);
        writes.capture(full("c2", &identity("i2"), 10, &image)).unwrap();
        writes.capture(full("c1", &identity("i3"), 10, &image)).unwrap();
        let mut tx = history.db.begin().await.unwrap();
        let error = writes.flush(&mut tx).await.unwrap_err();
        assert_eq!(error.sql_kind(), Some(annals_sql::ErrorKind::Constraint));
        tx.rollback().await.unwrap();
        assert_eq!(history.sql("select id from spt_hist_identity_capture;"), "c1");
        assert_eq!(history.sql("select capture_id from spt_hist_accounts;"), "c1");
        assert_eq!(history.sql("select name from spt_hist_identity;"), "name of i1");
    }
}

/// An item refers to the newest capture of its request, be it written before or in the same transaction.
#[tokio::test]
async fn an_item_refers_to_its_requests_capture() {
    for history in histories().await {
        let request_image = image(ObjectType::IdentityRequest, json!({"type": "AccessRequest"}));
        let requests = ["q1", "q2"].map(|id| key(ObjectType::IdentityRequest, id));
        let item_image = |request: &str| {
            image(
                ObjectType::IdentityRequestItem,
                json!({"identityRequest": {"id": request, "type": "AccessRequest"}}),
            )
        };
        let items = [item_image("q1"), item_image("q2"), item_image("unknown")];
        let item = |n: usize| NewCapture {
            identity: owner(),
            ..full(&format!("ci{n}"), &key(ObjectType::IdentityRequestItem, &format!("i{n}")), 10, &items[n])
        };
        let request = |n: usize| NewCapture {
            identity: owner(),
            ..full(&format!("cq{n}"), &requests[n], 10, &request_image)
        };
        let head = |n: usize| super::heads::head(&format!("cq{n}"), 10, &super::hashes(&request_image));
        history
            .write(|writes| {
                writes.capture(request(0)).unwrap();
                writes.head(requests[0].clone(), head(0), None);
            })
            .await;
        history
            .write(|writes| {
                writes.capture(request(1)).unwrap();
                writes.head(requests[1].clone(), head(1), None);
                for n in 0..3 {
                    writes.capture(item(n)).unwrap();
                }
            })
            .await;
        let rows = "select id, identity_request_id, identity_request_capture_id, type
            from spt_hist_identity_req_item_capture order by id;";
        assert_eq!(
            history.sql(rows),
            "ci0|q1|cq0|AccessRequest\nci1|q2|cq1|AccessRequest\nci2|unknown||AccessRequest"
        );
    }
}
