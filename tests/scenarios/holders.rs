//! `annals who-had` and `annals why`.

use std::collections::{BTreeMap, BTreeSet};

use annals_testkit::Engine;
use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// All paths of roles in the identity system: who, the role that they lead to, and their words.
const PATHS: &str = "with recursive edges as (
        select bundle, child, ' inherits ' as word from spt_bundle_children
        union all select bundle, child, ' requires ' from spt_bundle_requirements),
    held as (
        select a.identity_id, a.bundle, b.name from spt_identity_assigned_roles a join spt_bundle b on b.id = a.bundle
        union all
        select d.identity_id, d.bundle, b.name from spt_identity_bundles d join spt_bundle b on b.id = d.bundle),
    path as (
        select identity_id, bundle, cast(name as text) as told, cast('' as text) as steps from held
        union all
        select p.identity_id, e.child, cast(p.told || e.word || b.name as text), cast('x' as text)
        from path p join edges e on e.bundle = p.bundle join spt_bundle b on b.id = e.child)";

/// Who holds something and through what, one line each, in order.
fn told(answer: &Value) -> Vec<String> {
    let line = |row: &Value| {
        let through: Vec<&str> =
            row["through"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
        assert_eq!(row["stillHeld"], row["until"].is_null(), "{row}");
        format!("{}|{}", row["identityId"].as_str().unwrap(), through.join(" "))
    };
    let mut told: Vec<String> = answer["items"].as_array().unwrap().iter().map(line).collect();
    told.sort();
    told
}

fn who_had(site: &Site, item: &str, more: &[&str]) -> Value {
    let arguments = [&["who-had", item, "-o", "json"], more].concat();
    annals(site.path(), &arguments).exits(0).json()
}

/// IIQ-05: who has a role or an entitlement, by which roles, is what the identity system's own tables say.
#[tokio::test]
async fn the_holders_are_those_of_the_identity_system() {
    for site in Site::on_each_history(30).await {
        site.run(START_MS).await.succeeds();
        let mut paths = 0;
        for day in 1..=2 {
            let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for line in site.ask(&format!(
                "{PATHS} select 'role:' || b.id, p.identity_id || '|' || case when p.steps = '' then '' else p.told end
                 from path p join spt_bundle b on b.id = p.bundle
                 union all
                 select 'entitlement:' || a.name || '/' || r.attribute || '=' || r.value,
                    p.identity_id || '|' || p.told || ' grants ' || r.display_value
                 from path p join spt_bundle_profile_relation r on r.bundle_id = p.bundle
                    join spt_application a on a.id = r.source_application
                 union all
                 select 'entitlement:' || a.name || '/' || e.name || '=' || e.value, e.identity_id || '|'
                 from spt_identity_entitlement e join spt_application a on a.id = e.application;"
            )) {
                let (item, row) = line.split_once('|').unwrap();
                expected.entry(item.to_owned()).or_default().push(row.to_owned());
            }
            // One account of a person may hold what another one does.
            let several: Vec<_> = expected.into_iter().filter(|(_, rows)| rows.len() > 4).collect();
            for (item, mut rows) in several.into_iter().step_by(9) {
                rows.sort();
                assert_eq!(told(&who_had(&site, &item, &["--at", "now"])), rows, "{item} on day {day}");
                let direct = who_had(&site, &item, &["--direct-only"]);
                rows.retain(|row| row.ends_with('|'));
                let held: BTreeSet<String> = told(&direct)
                    .into_iter()
                    .zip(direct["items"].as_array().unwrap())
                    .map(|(row, _)| row)
                    .collect();
                assert!(rows.iter().all(|row| held.contains(row)), "{item} on day {day}");
                paths += rows.len();
            }
            site.pass_day().await;
            site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
        }
        assert!(paths > 20, "{paths}");
    }
}

/// Who had something before it was taken away, and what history knew of it.
#[tokio::test]
async fn what_was_taken_away_was_held_before() {
    for site in Site::on_each_history(20).await {
        let (id, _) = somebody(&site);
        site.run(START_MS).await.succeeds();
        let role = site.ask_one("select id from spt_bundle order by id limit 1;");
        let given_ms = START_MS + DAY_MS - HOUR_MS;
        site.change(&format!(
            "insert into spt_identity_assigned_roles (identity_id, bundle, idx) values ('{id}', '{role}', 77);
             update spt_identity set modified = {given_ms}, significant_modified = {given_ms} where id = '{id}';"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let taken_ms = START_MS + 2 * DAY_MS - HOUR_MS;
        site.change(&format!(
            "delete from spt_identity_assigned_roles where idx = 77;
             update spt_identity set modified = {taken_ms}, significant_modified = {taken_ms} where id = '{id}';"
        ));
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let item = format!("role:{role}");
        let of_one = |more: &[&str]| -> Vec<Value> {
            let more = [&["--direct-only"], more].concat();
            let items = who_had(&site, &item, &more)["items"].as_array().unwrap().clone();
            let is_given =
                |row: &Value| row["identityId"] == id.as_str() && row["since"] == "2026-01-05 23:00:00+00:00";
            items.into_iter().filter(is_given).collect()
        };
        let rows = of_one(&[]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["until"], "2026-01-06 23:00:00+00:00", "{rows:?}");
        assert_eq!((&rows[0]["stillHeld"], &rows[0]["kind"]), (&json!(false), &json!("assignedRole")));
        for (more, held) in [
            (&["--at", "2026-01-05T22:59:59Z"][..], false),
            (&["--at", "2026-01-06T12:00:00Z"], true),
            (&["--from", "2026-01-06", "--to", "2026-01-07"], false),
            (&["--from", "2026-01-06T12:00:00Z", "--to", "2026-01-08"], true),
            (&["--from", "2026-01-06T12:00:00Z", "--to", "2026-01-08", "--mode", "at-end"], false),
            (&["--from", "2026-01-06T12:00:00Z", "--to", "2026-01-08", "--mode", "all"], false),
            (&["--from", "2026-01-06T12:00:00Z", "--to", "2026-01-06T13:00:00Z", "--mode", "all"], true),
            (&["--known-as-of", "2026-01-05T12:00:00Z"], false),
        ] {
            assert_eq!(of_one(more).len(), usize::from(held), "{more:?}");
        }
        // When it was known, and not yet known that it had ended.
        let known = of_one(&["--known-as-of", "2026-01-06T12:00:00Z"]);
        assert_eq!((known.len(), &known[0]["until"]), (1, &Value::Null));
    }
}

/// IIQ-05: behind what somebody holds stand the request that brought it, with who asked and who approved, the certification
/// that looked at it and who assigned it, as the identity system has them; and nothing where it has nothing.
#[tokio::test]
async fn what_is_behind_access_is_told() {
    for site in Site::on_each_history(40).await {
        site.run(START_MS).await.succeeds();
        for day in 1..=4 {
            site.pass_day().await;
            site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
        }
        let reasons = |identity: &str, item: &str| -> Vec<Value> {
            let said = annals(site.path(), &["why", identity, item, "-o", "json"]).exits(0).json();
            said["items"].as_array().unwrap().clone()
        };
        let evidence = |reason: &Value, kind: &str| -> Option<Value> {
            let all = reason["evidence"].as_array().unwrap();
            all.iter().find(|one| one["kind"] == kind).cloned()
        };
        let mut seen =
            BTreeMap::from([("request", 0), ("certification", 0), ("assigner", 0), ("unexplained", 0)]);
        let rows = site.ask(
            "select e.identity_id, a.name || '/' || e.name || '=' || e.value, coalesce(e.request_item, ''),
                coalesce(e.certification_item, ''), coalesce(e.assigner, ''), coalesce(r.name, ''),
                coalesce(q.name, ''), coalesce(i.approver_name, ''), '.'
             from spt_identity_entitlement e join spt_application a on a.id = e.application
             left join spt_identity_request_item i on i.id = e.request_item
             left join spt_identity_request r on r.id = i.identity_request_id
             left join spt_identity q on q.id = r.requester_id
             order by e.request_item is null, e.certification_item is null, e.id;",
        );
        let some: Vec<_> = rows.iter().take(6).chain(rows.iter().rev().take(6)).collect();
        for line in some {
            let cells: Vec<&str> = line.split('|').collect();
            let [identity, item, request_item, certification, assigner, request, requester, approver, _] =
                cells[..]
            else {
                panic!("{line}")
            };
            let reasons = reasons(identity, &format!("entitlement:{item}"));
            let own = reasons.iter().find(|reason| reason["through"] == json!([])).unwrap();
            let found = evidence(own, "request");
            assert_eq!(found.is_some(), !request_item.is_empty(), "{line}: {own}");
            if let Some(found) = found {
                let told = ["requestItem", "requestName", "requester", "approver"]
                    .map(|member| found[member].as_str().unwrap_or_default());
                assert_eq!(told, [request_item, request, requester, approver], "{found}");
                assert!(request.is_empty() || !found["approvals"].as_array().unwrap().is_empty(), "{found}");
                *seen.get_mut("request").unwrap() += 1;
            }
            let found = evidence(own, "certification").map(|found| found["certificationItem"].clone());
            assert_eq!(found, (!certification.is_empty()).then(|| json!(certification)), "{line}: {own}");
            *seen.get_mut("certification").unwrap() += usize::from(found.is_some());
            let found = evidence(own, "assigner").map(|found| found["assigner"].clone());
            assert_eq!(found, (!assigner.is_empty()).then(|| json!(assigner)), "{line}: {own}");
            *seen.get_mut("assigner").unwrap() += usize::from(found.is_some());
            let is_explained = !own["evidence"].as_array().unwrap().is_empty();
            assert_eq!(own["explained"], is_explained);
            assert_eq!(own["because"] == json!(["unexplained"]), !is_explained, "{own}");
            *seen.get_mut("unexplained").unwrap() += usize::from(!is_explained);
        }
        assert!(seen.values().all(|count| *count > 0), "{seen:?}");
    }
}

/// TRAP-18: what is asked wrongly is said so, with the way out.
#[tokio::test]
async fn wrong_questions_are_refused() {
    let site = Site::new(Engine::Sqlite, Engine::Sqlite, 20).await;
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    let call = |arguments: &[&str]| annals(site.path(), arguments);
    call(&["who-had"]).exits(2).tells("<ITEM>");
    call(&["who-had", "no such thing"])
        .exits(5)
        .tells("is known as `no such thing`")
        .tells("Write role:NAME");
    call(&["who-had", "role:Auditor", "--mode", "some"]).exits(2).tells("at-end");
    call(&["who-had", "role:Organisation", "--at", "now", "--from", "3d"]).exits(2).tells("--from");
    call(&["who-had", "role:Organisation", "--from", "now", "--to", "3d"])
        .exits(2)
        .tells("ends before it begins");
    call(&["who-had", "role:Organisation", "--mode", "all"]).exits(2).tells("Give --from.");
    call(&["who-had", "role:Organisation", "--at", "someday"]).exits(2).tells("See `annals who-had --help`.");
    call(&["who-had", "role:Organisation", "--limit", "0"]).exits(2).tells("--limit");
    call(&["why", &name]).exits(2).tells("<ITEM>");
    call(&["why", "nobody-at-all", "role:Organisation"]).exits(5).tells("`nobody-at-all` was not found");
    call(&["why", &name, "role:Nothing"]).exits(5).tells("is known as `role:Nothing`");
    call(&["why", &name, "role:Organisation", "--as-of", "x"]).exits(2).tells("See `annals why --help`.");
    call(&["why", &name, "role:Organisation", "--as-of", "1990-01-01"]).exits(0).tells("not held");
    let few = call(&["who-had", "role:Organisation", "-o", "csv", "--limit", "2"]).exits(0);
    assert_eq!(few.out.lines().count(), 3, "{few:#?}");
    assert!(few.out.starts_with("identity,kind,through,since,until,still held,"), "{few:#?}");
    assert!(few.err.contains("There are more than 2 rows; see the rest with --limit."), "{few:#?}");
    site.history.sql("update annals_grant_build set complete = 0;");
    // A name that two things have.
    site.history
        .sql("update annals_access_item set name = 'Twice' where kind in (3, 4) and name <> 'Organisation';");
    call(&["who-had", "Twice"]).exits(2).tells("is the name of several: ").tells("Write one of them.");
    call(&["who-had", "role:Organisation"]).exits(9).tells("Make them: `annals rebuild intervals`.");
}
