//! Events, timelines and growth.

use annals_model::{AccountColumns, EventTable, NewEvent, ObjectType};
use serde_json::json;

use super::{full, histories, identity, image, key};
use crate::{Error, PageRequest, TimelineRange, growth, timeline};

pub(super) fn event(
    table: EventTable,
    id: &str,
    entity_id: &str,
    recorded_ms: i64,
    event_date_ms: i64,
) -> NewEvent {
    NewEvent {
        table,
        id: id.to_owned(),
        recorded_ms,
        event_date_ms,
        entity_id: entity_id.to_owned(),
        entity_name: "Anna".to_owned(),
        prev_capture_id: None,
        capture_id: Some("c1".to_owned()),
        category: "Identity",
        event_type: "IdentityDiscovered",
        source_type: "INITIAL_CAPTURE",
        detail: None,
        property_name: None,
        old_value: None,
        new_value: None,
        account: None,
        request_item_id: None,
        identity_request_id: None,
        pending_request_item_id: None,
        identity_entitlement_id: None,
        qry: Default::default(),
    }
}

const ALL: PageRequest = PageRequest { limit: 100, after: None };

/// Every column of an event is read back as it was written, in each of the four tables as far as it has it.
#[tokio::test]
async fn an_event_is_read_back_from_each_table() {
    let places = [
        (EventTable::Identity, ObjectType::Identity),
        (EventTable::Mattr, ObjectType::ManagedAttribute),
        (EventTable::Role, ObjectType::Role),
        (EventTable::Workgroup, ObjectType::Workgroup),
    ];
    for history in histories().await {
        for (table, object_type) in places {
            let text = |what: &str| Some(what.to_owned());
            let written = NewEvent {
                prev_capture_id: text("c0"),
                detail: Some(json!({"why": ["a\0b", 1]})),
                property_name: text("email"),
                old_value: text(&"o".repeat(5_000)),
                new_value: text("n\0"),
                account: Some(AccountColumns {
                    account_id: text("a1"),
                    app_instance: text("prod"),
                    app_id: text("app1"),
                    native_id: text("cn=anna"),
                    app_name: text("LDAP"),
                    display_name: text("anna"),
                }),
                request_item_id: text("ri"),
                identity_request_id: text("rq"),
                pending_request_item_id: text("pi"),
                identity_entitlement_id: text("en"),
                qry: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(|n| text(&format!("q{n}"))),
                ..event(table, "e1", "x1", 2_000, 1_000)
            };
            history.write(|writes| writes.event(written.clone())).await;
            let mut tx = history.read().await;
            let page =
                timeline(&mut tx, &key(object_type, "x1"), TimelineRange::default(), &ALL).await.unwrap();
            let [read] = &page.rows[..] else { panic!("{page:?}") };
            assert_eq!((read.table, read.id.as_str(), read.entity_id.as_str()), (table, "e1", "x1"));
            assert_eq!(
                (read.recorded_ms, read.event_date_ms, read.entity_name.as_str()),
                (2_000, 1_000, "Anna")
            );
            assert_eq!(
                (read.category.as_str(), read.event_type.as_str(), read.source_type.as_str()),
                ("Identity", "IdentityDiscovered", "INITIAL_CAPTURE")
            );
            assert_eq!((&read.prev_capture_id, &read.capture_id), (&text("c0"), &text("c1")));
            assert_eq!(read.detail, Some(json!({"why": ["a\0b", 1]})));
            assert_eq!((&read.property_name, &read.old_value), (&text("email"), &written.old_value));
            assert_eq!(read.new_value, text("n"));
            assert_eq!(read.qry, written.qry);
            let account = read.account.as_ref();
            assert_eq!(account.is_some(), matches!(table, EventTable::Identity | EventTable::Mattr));
            assert_eq!(
                account.map(|a| &a.native_id),
                account.map(|_| &written.account.as_ref().unwrap().native_id)
            );
            let of_identity = |value: &Option<String>| value.is_some() == (table == EventTable::Identity);
            assert!(of_identity(&read.request_item_id) && of_identity(&read.identity_request_id));
            assert!(of_identity(&read.pending_request_item_id) && of_identity(&read.identity_entitlement_id));
        }
    }
}

/// Pages follow the order of recording, so that an event that is learned of late comes on a later page; within a page
/// events stand by when they happened.
#[tokio::test]
async fn a_timeline_is_paged_by_recording_and_shown_by_occurrence() {
    for history in histories().await {
        let row = |id: &str, recorded, occurred| event(EventTable::Identity, id, "i1", recorded, occurred);
        history
            .write(|writes| {
                writes.event(row("e1", 100, 50));
                writes.event(row("e2", 100, 40));
                writes.event(row("e3", 200, 10));
                writes.event(row("e4", 300, 60));
                writes.event(event(EventTable::Identity, "x", "i2", 100, 50));
            })
            .await;
        let object = identity("i1");
        let ids = |page: &crate::Page<crate::EventRow>| -> Vec<String> {
            page.rows.iter().map(|event| event.id.clone()).collect()
        };
        let mut tx = history.read().await;
        let all = TimelineRange::default();
        let first = timeline(&mut tx, &object, all, &PageRequest { limit: 2, after: None }).await.unwrap();
        assert_eq!(ids(&first), ["e2", "e1"]);
        let after = first.next.clone();
        let second = timeline(&mut tx, &object, all, &PageRequest { limit: 2, after }).await.unwrap();
        assert_eq!(ids(&second), ["e3", "e4"]);
        assert_eq!(second.next, None);
        // The beginning belongs to a range, its end does not.
        for (from, to, expected) in [
            (Some(40), Some(50), vec!["e2"]),
            (None, Some(41), vec!["e3", "e2"]),
            (Some(50), None, vec!["e1", "e4"]),
        ] {
            let range = TimelineRange { from_ms: from, to_ms: to };
            assert_eq!(ids(&timeline(&mut tx, &object, range, &ALL).await.unwrap()), expected);
        }
    }
}

/// What happens to accounts, entitlements and requests stands among their identity's events.
#[tokio::test]
async fn what_has_no_event_table_has_its_identitys() {
    for history in histories().await {
        let account = AccountColumns { account_id: Some("a1".to_owned()), ..AccountColumns::default() };
        history
            .write(|writes| {
                writes.event(event(EventTable::Identity, "e0", "i1", 100, 10));
                let account = Some(account);
                writes.event(NewEvent { account, ..event(EventTable::Identity, "e1", "i1", 100, 10) });
                let identity_entitlement_id = Some("en1".to_owned());
                let entitled = event(EventTable::Identity, "e2", "i1", 100, 10);
                writes.event(NewEvent { identity_entitlement_id, ..entitled });
                let identity_request_id = Some("rq1".to_owned());
                writes.event(NewEvent {
                    identity_request_id,
                    ..event(EventTable::Identity, "e3", "i1", 100, 10)
                });
            })
            .await;
        let mut tx = history.read().await;
        for (object, expected) in [
            (key(ObjectType::Account, "a1"), "e1"),
            (key(ObjectType::Entitlement, "en1"), "e2"),
            (key(ObjectType::IdentityRequest, "rq1"), "e3"),
        ] {
            let page = timeline(&mut tx, &object, TimelineRange::default(), &ALL).await.unwrap();
            assert_eq!(page.rows.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), [expected]);
        }
        let none = timeline(&mut tx, &key(ObjectType::Capability, "c"), TimelineRange::default(), &ALL).await;
        assert!(matches!(none, Err(Error::NoTimeline(ObjectType::Capability))));
    }
}

/// IIQ-17: rows and bytes of every table, and what each day added.
#[tokio::test]
async fn growth_is_told_by_table_and_day() {
    const DAY_MS: i64 = 86_400_000;
    for history in histories().await {
        let image = image(ObjectType::Identity, json!({"accounts": [{"id": "a1"}, {"id": "a2"}]}));
        history
            .write(|writes| {
                // Recorded one second after they came about: the last one on the next day.
                for (id, at) in [("c1", DAY_MS), ("c2", DAY_MS + 5), ("c3", 2 * DAY_MS - 500)] {
                    writes.capture(full(id, &identity(id), at, &image)).unwrap();
                }
            })
            .await;
        let mut tx = history.read().await;
        let growth = growth(&mut tx, DAY_MS).await.unwrap();
        // 32 of the reference, 40 of ours.
        assert_eq!(growth.len(), 72);
        let of = |name: &str| growth.iter().find(|table| table.table == name).unwrap();
        let captures = of("spt_hist_identity_capture");
        assert_eq!(captures.rows, 3);
        assert_eq!(
            captures.days.iter().map(|day| (day.day_ms, day.rows)).collect::<Vec<_>>(),
            [(DAY_MS, 2), (2 * DAY_MS, 1)]
        );
        let stored: i64 =
            history.sql("select sum(length(json)) from spt_hist_identity_capture;").parse().unwrap();
        assert_eq!(captures.days.iter().map(|day| day.document_bytes).sum::<i64>(), stored);
        assert!(captures.bytes >= 4_096, "{captures:?}");
        assert_eq!((of("spt_hist_accounts").rows, of("spt_hist_accounts").days.len()), (6, 0));
        let applied = i64::try_from(crate::migrations(history.db.engine()).len()).unwrap();
        assert_eq!((of("annals_head").rows, of("annals_migration").rows), (0, applied));
    }
}
