//! Scopes, against a model of who is below whom and lists that are worked out by hand.

use std::collections::{BTreeMap, BTreeSet};

use annals_model::{EventTable, Head, ImageHashes, ObjectKey, ObjectType, Reference, ScopeRule};
use serde_json::{Value, json};

use super::events::event;
use super::heads::head;
use super::{History, full, histories, image, key, tombstone};
use crate::find::{Condition, Find, Order, count, find, properties, property};
use crate::{NewCapture, PageRequest, Scope, TimelineRange, captures_within, timeline_within};

/// An id that capture tables have without its dashes.
const LONG: &str = "0191f4f0-7c1a-7abc-8def-0123456789ab";

/// Who has which manager from when; the end of whom is marked by himself.
const MANAGERS: [(&str, Option<&str>, i64); 14] = [
    ("boss", None, 10),
    ("m1", Some("boss"), 10),
    ("m2", Some("boss"), 10),
    ("w1", Some("m1"), 10),
    ("w1", Some("m2"), 50),
    ("w2", Some("m2"), 10),
    ("w2", Some("w2"), 60),
    (LONG, Some("w1"), 20),
    ("below", Some(LONG), 20),
    // A circle, and somebody below it.
    ("c1", Some("c2"), 10),
    ("c2", Some("c1"), 10),
    ("c3", Some("c1"), 30),
    // Nobody's any more.
    ("free", Some("boss"), 10),
    ("free", None, 40),
];

/// Whom those managers put below somebody at an instant: the definition, step by step until nothing is added.
fn below(manager: &str, at_ms: i64) -> BTreeSet<String> {
    let mut now: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (id, manager, _) in MANAGERS.iter().filter(|(.., since)| *since <= at_ms) {
        now.insert(id, manager.filter(|manager| manager != id));
    }
    let mut found: BTreeSet<&str> = BTreeSet::new();
    loop {
        let is_below = |of: &Option<&str>| of.is_some_and(|of| of == manager || found.contains(of));
        let next: BTreeSet<&str> = now.iter().filter(|(_, of)| is_below(of)).map(|(id, _)| *id).collect();
        if next == found {
            return found.into_iter().filter(|id| *id != manager).map(str::to_owned).collect();
        }
        found = next;
    }
}

/// Writes captures, each with a number of its own for its id, and heads that name the last one.
struct Writing<'h> {
    history: &'h History,
    number: usize,
    heads: BTreeMap<ObjectKey, Head>,
}

impl Writing<'_> {
    async fn write(&mut self, key: &ObjectKey, owner: Option<&str>, fields: Option<Value>, since: i64) {
        self.number += 1;
        let id = format!("{:032x}", self.number);
        let image = fields.map(|fields| image(key.object_type, fields));
        let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
        let before = self.heads.get(key).cloned();
        let newest = Head {
            deleted: image.is_none(),
            name: key.object_id.chars().take(4).collect(),
            ..head(&id, since, &some)
        };
        self.heads.insert(key.clone(), newest.clone());
        let capture = match &image {
            Some(image) => full(&id, key, since, image),
            None => tombstone(&id, key, since),
        };
        let identity = owner.map(|id| Reference { id: id.to_owned(), name: id.to_owned() });
        let known = before.is_some();
        self.history
            .write(|writes| {
                writes.capture(NewCapture { identity, known, ..capture }).unwrap();
                writes.head(key.clone(), newest, before);
            })
            .await;
    }
}

/// The identities, on every engine.
async fn everywhere() -> Vec<History> {
    let all = histories().await;
    for history in &all {
        let mut writing = Writing { history, number: 0, heads: BTreeMap::new() };
        for (id, manager, since) in MANAGERS {
            let fields = json!({"manager": manager.map(|id| json!({"id": id}))});
            let fields = (manager != Some(id)).then_some(fields);
            writing.write(&key(ObjectType::Identity, id), None, fields, since).await;
        }
        let of = |app: &str| Some(json!({"application": {"id": format!("id of {app}"), "name": app}}));
        for (object_type, id, owner, app, since) in OBJECTS {
            let fields = if app.is_empty() { None } else { of(app) };
            writing.write(&key(object_type, id), owner, fields, since).await;
        }
    }
    all
}

/// Type, id, to whom it belongs, application (none: it is gone), since.
const OBJECTS: [(ObjectType, &str, Option<&str>, &str, i64); 14] = {
    use ObjectType::{
        Account, Capability, Entitlement, IdentityRequest, ManagedAttribute, PolicyViolation, Role,
    };
    [
        (Account, "a1", Some("w1"), "SAP", 10),
        (Account, "a2", Some("w2"), "SAP", 10),
        (Account, "a3", Some("m2"), "LDAP", 10),
        (Account, "a4", Some("w1"), "LDAP", 10),
        (Account, "a4", Some("w2"), "LDAP", 50),
        (Account, "a5", Some("w1"), "SAP", 10),
        (Account, "a5", None, "", 20),
        (Entitlement, "e1", Some("w1"), "LDAP", 10),
        (ManagedAttribute, "g1", None, "SAP", 10),
        (ManagedAttribute, "g1", None, "", 30),
        (PolicyViolation, "p1", Some("w1"), "SAP", 10),
        (IdentityRequest, "q1", Some("w2"), "SAP", 10),
        (Role, "r1", None, "SAP", 10),
        (Capability, "k1", None, "SAP", 10),
    ]
};

/// Who is below a manager, now and as of a date, is what the definition says, circles, ends and long ids included.
#[tokio::test]
async fn a_manager_tree_is_that_of_its_instant() {
    for history in everywhere().await {
        let mut tx = history.read().await;
        for manager in ["boss", "m1", "m2", "w1", "w2", "c1", "c3", LONG, "nobody"] {
            for at_ms in [9, 10, 29, 30, 40, 49, 50, 59, 60, i64::MAX] {
                for own in [false, true] {
                    let rule = ScopeRule {
                        identity: Some(manager.to_owned()),
                        own,
                        manager_tree: true,
                        applications: Vec::new(),
                    };
                    let scope = Scope::of_rule(&mut tx, &rule, at_ms).await.unwrap();
                    let mut expected = below(manager, at_ms);
                    expected.extend(own.then(|| manager.to_owned()));
                    let found: BTreeSet<String> = scope.within().iter().cloned().collect();
                    assert_eq!(found, expected, "{manager} at {at_ms}, own {own}");
                }
            }
        }
        // By hand, so that the model is not alone.
        assert_eq!(below("m2", i64::MAX), ["w1", LONG, "below"].map(str::to_owned).into());
        assert_eq!(below("m2", 49), ["w2".to_owned()].into());
        assert_eq!(below("c1", 30), ["c2", "c3"].map(str::to_owned).into());
        let nothing = ScopeRule { identity: Some("boss".to_owned()), ..ScopeRule::default() };
        assert_eq!(Scope::of_rule(&mut tx, &nothing, i64::MAX).await.unwrap(), Scope::default());
    }
}

fn scope(identities: &[&str], applications: &[&str]) -> Scope {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Scope::new(texts(identities), texts(applications))
}

/// Lists and counts tell of what is in the scope, whatever the condition, the order and the pages.
#[tokio::test]
async fn lists_and_counts_keep_to_a_scope() {
    use ObjectType::{
        Account, Capability, Entitlement, Identity, IdentityRequest, ManagedAttribute, PolicyViolation, Role,
    };
    for history in everywhere().await {
        let mut tx = history.read().await;
        for (identities, applications, object_type, expected) in [
            (&["w1"][..], &[][..], Account, &["a5", "a1"][..]),
            (&["w2"], &[], Account, &["a4", "a2"]),
            (&["w1", "w2", "m2"], &[], Account, &["a5", "a4", "a3", "a2", "a1"]),
            (&[], &["SAP"], Account, &["a5", "a2", "a1"]),
            (&["m2"], &["SAP"], Account, &["a5", "a3", "a2", "a1"]),
            (&[], &["sap", "AP"], Account, &[]),
            (&[], &[], Account, &[]),
            (&["w1"], &[], Entitlement, &["e1"]),
            (&["w2"], &["SAP"], Entitlement, &[]),
            (&[], &["SAP"], ManagedAttribute, &["g1"]),
            (&["w1"], &["LDAP"], ManagedAttribute, &[]),
            (&["w1"], &[], PolicyViolation, &["p1"]),
            (&["w2"], &["SAP"], PolicyViolation, &[]),
            (&["w2"], &[], IdentityRequest, &["q1"]),
            (&["w1", "w2"], &["SAP"], Role, &[]),
            (&["w1", "w2"], &["SAP"], Capability, &[]),
            (&["w1", LONG, "nobody"], &[], Identity, &["w1", LONG]),
        ] {
            let within = Condition::Within(scope(identities, applications));
            // A condition that is true of everything, put so that it would let everything in if it were not in brackets.
            let all = Condition::Any(vec![
                Condition::Absent(property(object_type, "id").unwrap()),
                Condition::Not(Box::new(Condition::Absent(property(object_type, "id").unwrap()))),
            ]);
            let mut wanted = Find {
                object_type,
                condition: Some(Condition::All(vec![within, all])),
                words: Vec::new(),
                order: vec![(&properties(object_type)[0], Order::Descending)],
                limit: 1,
                after: None,
            };
            let mut found = Vec::new();
            loop {
                let page = find(&mut tx, &wanted).await.unwrap();
                found.extend(page.rows.into_iter().map(|row| row.key.object_id));
                wanted.after = page.next;
                if wanted.after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{object_type} of {identities:?} {applications:?}");
            assert_eq!(count(&mut tx, &wanted).await.unwrap(), expected.len() as u64);
        }
    }
}

/// An account that was moved: each of its two owners sees what it was while it was his, whoever answers for its
/// application sees all of it.
#[tokio::test]
async fn each_capture_is_in_the_scope_of_its_own_owner() {
    const ALL: PageRequest = PageRequest { limit: 100, after: None };
    for history in everywhere().await {
        history
            .write(|writes| {
                for (id, owner, recorded_ms) in [("v1", "w1", 100), ("v2", "w2", 200), ("v3", "m2", 300)] {
                    let account_id = if owner == "m2" { "a3" } else { "a4" };
                    let account = annals_model::AccountColumns {
                        account_id: Some(account_id.to_owned()),
                        ..Default::default()
                    };
                    let told = event(EventTable::Identity, id, owner, recorded_ms, recorded_ms);
                    writes.event(annals_model::NewEvent { account: Some(account), ..told });
                }
            })
            .await;
        let mut tx = history.read().await;
        let moved = key(ObjectType::Account, "a4");
        for (of, since, events, now, then) in [
            (scope(&["w1"], &[]), &[10][..], &["v1"][..], false, true),
            (scope(&["w2"], &[]), &[50], &["v2"], true, false),
            (scope(&["w1", "w2"], &[]), &[10, 50], &["v1", "v2"], true, true),
            (scope(&[], &["LDAP"]), &[10, 50], &["v1", "v2"], true, true),
            (scope(&["m2"], &["SAP"]), &[], &[], false, false),
        ] {
            let found = captures_within(&mut tx, &moved, &ALL, &of).await.unwrap();
            let found: Vec<i64> = found.rows.iter().map(|capture| capture.effective_ms).collect();
            assert_eq!(found, since, "{of:?}");
            let told = timeline_within(&mut tx, &moved, TimelineRange::default(), &ALL, &of).await.unwrap();
            let told: Vec<&str> = told.rows.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(told, events, "{of:?}");
            assert_eq!(of.holds_at(&mut tx, &moved, i64::MAX, None).await.unwrap(), now, "{of:?}");
            assert_eq!(of.holds_at(&mut tx, &moved, 49, None).await.unwrap(), then, "{of:?}");
            // Captures are recorded one second after they came about.
            assert_eq!(of.holds_at(&mut tx, &moved, 50, Some(1_010)).await.unwrap(), then, "{of:?}");
        }
        let of = scope(&["w1", LONG], &["SAP"]);
        for (object_type, id, expected) in [
            (ObjectType::Identity, LONG, true),
            (ObjectType::Identity, "m1", false),
            (ObjectType::ManagedAttribute, "g1", true),
            (ObjectType::Role, "r1", false),
            (ObjectType::Account, "nobody", false),
        ] {
            assert_eq!(
                of.holds_at(&mut tx, &key(object_type, id), 10, None).await.unwrap(),
                expected,
                "{id}"
            );
        }
    }
}
