//! `annals access` and `annals rebuild intervals`.

use std::collections::BTreeSet;

use annals_testkit::Engine;
use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// The lists of an image, the word for their items, and the members that tell one from the other.
const LISTS: [(&str, &str, &[&str]); 6] = [
    ("accounts", "account", &["applicationName", "nativeIdentity"]),
    ("entitlements", "entitlement", &["applicationName", "name", "value", "nativeIdentity"]),
    ("assignedRoles", "assignedRole", &["id"]),
    ("detectedRoles", "detectedRole", &["id"]),
    ("capabilities", "capability", &["id"]),
    ("workgroups", "workgroup", &["id"]),
];

/// The same members as the answer names them.
const ANSWERED: [(&str, &[&str]); 6] = [
    ("account", &["application", "account"]),
    ("entitlement", &["application", "attribute", "value", "account"]),
    ("assignedRole", &["itemId"]),
    ("detectedRole", &["itemId"]),
    ("capability", &["itemId"]),
    ("workgroup", &["itemId"]),
];

fn told(kind: &str, element: &Value, members: &[&str]) -> String {
    members.iter().fold(kind.to_owned(), |told, member| format!("{told} {}", element[*member]))
}

/// IIQ-05: whatever somebody holds by the image of an instant, the question names, and nothing else; what a role grants is
/// no addition.
#[tokio::test]
async fn all_that_somebody_held_at_an_instant_is_told() {
    for site in Site::on_each_history(30).await {
        site.run(START_MS).await.succeeds();
        for day in 1..=3 {
            site.pass_day().await;
            site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
        }
        let people = site.look("select identity_id from spt_hist_identity order by identity_id limit 6;");
        let (mut items, mut granted) = (0, 0);
        for person in &people {
            for at in ["2026-01-05T00:00:00Z", "2026-01-08T12:00:00Z"] {
                let call = |command: &[&str]| {
                    let arguments = [command, &["--at", at, "-o", "json"]].concat();
                    annals(site.path(), &arguments).exits(0).json()
                };
                let image = call(&["as-of", "identity", person]);
                let fields = &image["document"]["eventImage"]["imageFields"];
                let mut expected = BTreeSet::new();
                let mut by_role = BTreeSet::new();
                for (list, kind, members) in LISTS {
                    for element in fields[list].as_array().into_iter().flatten() {
                        expected.insert(told(kind, element, members));
                        if element["grantedByRole"] == true {
                            by_role.insert(told(kind, element, members));
                        }
                    }
                }
                let answer = call(&["access", person]);
                let held = |answer: &Value| -> BTreeSet<String> {
                    let items = answer["items"].as_array().unwrap();
                    let of = |kind: &str| ANSWERED.iter().find(|(known, _)| *known == kind).unwrap().1;
                    let told = items.iter().map(|item| {
                        let kind = item["kind"].as_str().unwrap();
                        told(kind, item, of(kind))
                    });
                    told.collect()
                };
                assert_eq!(held(&answer), expected, "{person} at {at}");
                assert_eq!((&answer["objectId"], &answer["cut"]), (&json!(person), &json!(false)));
                let additional = call(&["access", person, "--additional-only"]);
                let rest: BTreeSet<String> = expected.difference(&by_role).cloned().collect();
                assert_eq!(held(&additional), rest, "{person} at {at}");
                items += expected.len();
                granted += by_role.len();
            }
        }
        assert!(items > 40 && granted > 5, "{items} {granted}");
    }
}

/// TRAP-02: since when, how it was come by, and what history knew before a run had seen it.
#[tokio::test]
async fn since_when_and_how_is_told() {
    for site in Site::on_each_history(20).await {
        let (id, name) = somebody(&site);
        let application = site.ask_one("select id, name from spt_application order by id limit 1;");
        let (application_id, application) = application.split_once('|').unwrap();
        site.run(START_MS).await.succeeds();
        let given_ms = START_MS + DAY_MS - HOUR_MS;
        site.change(&format!(
            "insert into spt_identity_entitlement
               (id, created, name, value, native_identity, application, identity_id, type, source, assigner, request_item)
               values ('ent-x', {given_ms}, 'groups', 'Approvers', 'acct', '{application_id}', '{id}', 'Entitlement',
                       'LCM', 'bob', 'ri-x');"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let call = |more: &[&str]| {
            let arguments = [&["access", name.as_str(), "-o", "json"], more].concat();
            let answer = annals(site.path(), &arguments).exits(0).json();
            let items = answer["items"].as_array().unwrap();
            items.iter().find(|item| item["value"] == "Approvers").cloned()
        };
        let item = call(&[]).unwrap();
        for (member, expected) in [
            ("kind", "entitlement"),
            ("application", application),
            ("attribute", "groups"),
            ("account", "acct"),
            ("since", "2026-01-05 23:00:00+00:00"),
            ("intervalSince", "2026-01-05 23:00:00+00:00"),
            ("cause", "LCM"),
            ("assigner", "bob"),
            ("requestItem", "ri-x"),
        ] {
            assert_eq!(item[member], expected, "{member}: {item}");
        }
        assert_eq!(item["acquired"], serde_json::json!(["requested"]), "{item}");
        assert_eq!(call(&["--at", "2026-01-05T22:59:59Z"]), None);
        assert_eq!(call(&["--at", "2026-01-07", "--known-as-of", "2026-01-05T23:30:00Z"]), None);
        assert!(call(&["--at", "2026-01-07", "--known-as-of", "2026-01-06T00:00:01Z"]).is_some());

        let table =
            annals(site.path(), &["access", &name]).exits(0).tells(&format!("identity {name} ({id}) as of"));
        assert!(table.out.contains("Approvers") && !table.out.contains("capture id"), "{table:#?}");
        let csv = annals(site.path(), &["access", &id, "-o", "csv", "--limit", "1"]).exits(0);
        assert_eq!(csv.out.lines().count(), 2, "{csv:#?}");
        assert!(csv.err.contains("There are more than 1 items; see the rest with --limit."), "{csv:#?}");
        assert!(csv.out.starts_with("kind,name,application,attribute,value,account,since,"), "{csv:#?}");
    }
}

/// TRAP-18: what is asked wrongly is said so, with the way out.
#[tokio::test]
async fn wrong_questions_are_refused() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    let call = |arguments: &[&str]| annals(site.path(), arguments);
    call(&["access"]).exits(2).tells("<IDENTITY>");
    call(&["access", "nobody-at-all"]).exits(5).tells("identity `nobody-at-all` was not found");
    call(&["access", &name, "--at", "yesterday"]).exits(2).tells("See `annals access --help`.");
    call(&["access", &name, "--known-as-of", "2026-13-01"]).exits(2).tells("2026-13-01");
    call(&["access", &name, "--at", "1990-01-01"]).exits(5).tells("History begins later");
    call(&["access", &name, "--limit", "0"]).exits(2).tells("--limit");
    call(&["rebuild"]).exits(2).tells("intervals");
    call(&["rebuild", "events"]).exits(2).tells("events");
    call(&["rebuild", "intervals", "--batch", "0"]).exits(2).tells("--batch");
}

/// Every interval, its captures named by their dates.
fn intervals(site: &Site) -> Vec<String> {
    let hex = |column: &str| match site.history.engine() {
        Engine::Postgres => format!("encode({column}, 'hex')"),
        _ => format!("lower(hex({column}))"),
    };
    site.look(&format!(
        "select identity_id, valid_from, valid_to, recorded_from, end_recorded, recorded_to, item, acquired, {}, {},
            request_item_id, native_identity, cause, assigner, '.' from annals_access_interval
         order by 1, 2, 4, 7, 12, 6, 5;",
        hex("opened_by"),
        hex("closed_by")
    ))
}

/// Captures alone give the same intervals; until they have, questions are refused, and `doctor` says why.
#[tokio::test]
async fn intervals_are_made_again_from_captures() {
    for site in Site::on_each_history(30).await {
        site.service("capture: {jsonFormat: COMPACT, maxAllowedPatches: 3}\n");
        site.run(START_MS).await.succeeds();
        for day in 1..=3 {
            site.pass_day().await;
            site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
        }
        let (_, name) = somebody(&site);
        let doctor = || {
            let said = annals(site.path(), &["doctor", "-o", "json"]).exits(0).json();
            let items = said["items"].as_array().unwrap();
            let found = items.iter().find(|item| item["check"] == "access intervals").unwrap();
            (found["verdict"].as_str().unwrap().to_owned(), found["found"].as_str().unwrap().to_owned())
        };
        let before = intervals(&site);
        assert!(before.len() > 200, "{}", before.len());
        let (verdict, found) = doctor();
        assert_eq!((verdict.as_str(), found.contains("sample of 3")), ("ok", true), "{found}");
        let rebuild = |more: &[&str]| {
            let arguments = [&["rebuild", "intervals", "-o", "json"], more].concat();
            annals(site.path(), &arguments).exits(0).tells("Done. identities=").json()["items"][0].clone()
        };
        let said = rebuild(&[]);
        assert_eq!((&said["changed"], &said["unreadable"]), (&json!(0), &json!(0)), "{said}");
        assert_eq!(said["intervals"], before.len(), "{said}");
        assert_eq!(intervals(&site), before);

        site.history.sql("update annals_access_interval set acquired = 31;");
        assert_eq!(doctor().0, "warning");
        assert_eq!(rebuild(&["--batch", "7"])["changed"], said["identities"]);
        assert_eq!(intervals(&site), before);

        site.history.sql(
            "delete from annals_access_interval; delete from annals_access_item;
             update annals_access_build set complete = 0;",
        );
        annals(site.path(), &["access", &name]).exits(9).tells("Make them: `annals rebuild intervals`.");
        let (verdict, found) = doctor();
        assert_eq!(
            (verdict.as_str(), found.as_str()),
            ("warning", "the captures of an older version have none yet")
        );
        // An interrupted one has come to nobody yet; the next one goes on from there, or begins anew.
        site.history.sql("update annals_access_build set position = '0';");
        assert!(doctor().1.contains("was interrupted"), "{:?}", doctor());
        let resumed = annals(site.path(), &["rebuild", "intervals", "--anew", "-q"]).exits(0);
        assert!(!resumed.err.contains("Going on"), "{resumed:#?}");
        assert_eq!(intervals(&site), before);
        assert_eq!(doctor().0, "ok");
        site.history.sql("update annals_access_build set position = 'zzz';");
        let resumed = annals(site.path(), &["rebuild", "intervals", "-o", "csv"]).exits(0).tells("Going on");
        assert!(resumed.out.contains("\n0,0,0,0,0,0,0\n"), "{resumed:#?}");
        annals(site.path(), &["access", &name]).exits(0);
    }
}
