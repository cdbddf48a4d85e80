//! `annals diff`, `annals changes` and `annals orphans`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// What the identity system's tables say that people hold: accounts, entitlements, roles, capabilities, workgroups.
fn held_in_source(site: &Site) -> i64 {
    const PERSON: &str =
        "identity_id in (select id from spt_identity where coalesce(workgroup, {false}) = {false})";
    [
        "select count(*) from (select distinct identity_id, application, instance, native_identity from spt_link where PERSON) x;",
        "select count(*) from (select distinct identity_id, application, instance, native_identity, name, value, display_name,
            type from spt_identity_entitlement where PERSON and name not in ('assignedRoles', 'detectedRoles')) x;",
        "select count(*) from (select distinct identity_id, bundle from spt_identity_assigned_roles where PERSON) x;",
        "select count(*) from (select distinct identity_id, bundle from spt_identity_bundles where PERSON) x;",
        "select count(*) from (select distinct identity_id, capability_id from spt_identity_capabilities where PERSON) x;",
        "select count(*) from (select distinct identity_id, workgroup from spt_identity_workgroups where PERSON) x;",
    ]
    .iter()
    .map(|query| site.ask_one(&query.replace("PERSON", PERSON)).parse::<i64>().unwrap())
    .sum()
}

fn items(site: &Site, arguments: &[&str]) -> Vec<Value> {
    said(site, arguments)["items"].as_array().unwrap().clone()
}

fn said(site: &Site, arguments: &[&str]) -> Value {
    annals(site.path(), &[arguments, &["-o", "json"]].concat()).exits(0).json()
}

/// IIQ-05: what is held by history is what the identity system has, before and after days in which things change; and what
/// lies between the two is what was added, without what was removed, however it is counted.
#[tokio::test]
async fn changes_lead_from_what_was_held_to_what_is() {
    for site in Site::on_each_history(30).await {
        site.run(START_MS + HOUR_MS).await.succeeds();
        let before = held_in_source(&site);
        for day in 1..=2 {
            site.pass_day().await;
            site.run(START_MS + day * DAY_MS + HOUR_MS).await.succeeds();
        }
        let after = held_in_source(&site);
        assert!(before > 200, "{before}");
        let span = ["changes", "--from", "2026-01-04", "--to", "2026-01-08"];
        let listed = items(&site, &span);
        let count = |word: &str| listed.iter().filter(|item| item["change"] == word).count();
        let (added, removed) = (count("added"), count("removed"));
        assert!(added > 0 && removed > 0, "{added} {removed}");
        for by in ["cause", "application", "identity", "day"] {
            let counted = said(&site, &[&span[..], &["--group", by]].concat());
            let net = i64::try_from(added).unwrap() - i64::try_from(removed).unwrap();
            let totals = json!({"added": added, "removed": removed, "net": net, "heldBefore": before, "heldAfter": after});
            assert_eq!(counted["totals"], totals, "{by}");
            let sum = |column: &str| -> i64 {
                counted["items"].as_array().unwrap().iter().map(|item| item[column].as_i64().unwrap()).sum()
            };
            assert_eq!(
                (sum("added"), sum("removed"), sum("net")),
                (added as i64, removed as i64, net),
                "{by}"
            );
        }
        assert_eq!(before + added as i64 - removed as i64, after);
        // Of one person alone, by a condition in the words of REST.
        let whose = listed[0]["identity"].as_str().unwrap();
        let filter = format!("name eq '{whose}'");
        let own: Vec<&Value> = listed.iter().filter(|item| item["identity"] == whose).collect();
        let found = items(&site, &[&span[..], &["--filter", &filter]].concat());
        assert_eq!(found.iter().collect::<Vec<_>>(), own);
    }
}

/// Each entitlement with what is said of it: what nobody asked for and no rule or certification brought is unexplained.
#[tokio::test]
async fn what_nothing_explains_is_told() {
    for site in Site::on_each_history(20).await {
        let (id, name) = somebody(&site);
        let application = site.ask_one("select id from spt_application order by id limit 1;");
        site.run(START_MS).await.succeeds();
        let at_ms = START_MS + DAY_MS - HOUR_MS;
        for (number, value, source, request) in [
            (1, "Unasked", "null", "null"),
            (2, "Found", "'Aggregation'", "null"),
            (3, "Asked", "'LCM'", "'ri-x'"),
            (4, "Ruled", "'Rule'", "null"),
            (5, "Certified", "'Certification'", "null"),
        ] {
            site.change(&format!(
                "insert into spt_identity_entitlement (id, created, name, value, native_identity, application, identity_id,
                    type, source, request_item)
                   values ('ent-{number}', {at_ms}, 'groups', '{value}', 'acct', '{application}', '{id}', 'Entitlement',
                       {source}, {request});"
            ));
        }
        site.run(START_MS + DAY_MS).await.succeeds();
        let span = ["changes", "--from", "2026-01-05 22:59", "--to", "2026-01-06"];
        let filter = format!("name eq '{name}'");
        let values = |more: &[&str]| -> BTreeSet<String> {
            let found = items(&site, &[&span[..], &["--filter", &filter], more].concat());
            let value = |item: &Value| {
                assert_eq!(
                    (&item["change"], &item["occurred"]),
                    (&json!("added"), &json!("2026-01-05 23:00:00+00:00"))
                );
                item["value"].as_str().unwrap().to_owned()
            };
            found.iter().map(value).collect()
        };
        let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(values(&[]), set(&["Unasked", "Found", "Asked", "Ruled", "Certified"]));
        assert_eq!(values(&["--unexplained"]), set(&["Unasked", "Found"]));
        // Before the second run nothing of it was known.
        assert_eq!(values(&["--known-as-of", "2026-01-05 23:30"]), set(&[]));
        let counted = said(&site, &[&span[..], &["--filter", &filter, "--group", "cause"]].concat());
        let cause = |group: Value| json!({"group": group, "added": 1, "removed": 0, "net": 1, "id": null});
        assert_eq!(
            counted["items"],
            json!([
                cause(Value::Null),
                cause(json!("Aggregation")),
                cause(json!("Certification")),
                cause(json!("LCM")),
                cause(json!("Rule"))
            ])
        );
        let day = items(&site, &[&span[..], &["--filter", &filter, "--group", "day"]].concat());
        assert_eq!(day, [json!({"group": "2026-01-05", "added": 5, "removed": 0, "net": 5, "id": null})]);
        let table = annals(site.path(), &[&span[..], &["--group", "identity", "--filter", &filter]].concat());
        table.exits(0).tells("after 2026-01-05 22:59:00+00:00, up to 2026-01-06 23:59:59+00:00: 5 added, 0 removed; held before: ");
    }
}

/// Accounts of those who are inactive, gone or unknown, as the identity system's own tables have them; and at an instant at
/// which they were not yet.
#[tokio::test]
async fn orphan_accounts_are_told_as_of_an_instant() {
    for site in Site::on_each_history(30).await {
        let people = site.ask(
            "select p.id from spt_identity p where coalesce(p.workgroup, {false}) = {false}
               and coalesce(p.inactive, {false}) = {false} and exists (select 1 from spt_link l where l.identity_id = p.id)
             order by p.id limit 2;",
        );
        let [inactive, gone] = &people[..] else { panic!("{people:?}") };
        site.run(START_MS).await.succeeds();
        let expected = |whose: &str, reason: &str| -> BTreeSet<String> {
            let query = format!("select id from spt_link where {whose} order by id;");
            site.ask(&query).into_iter().map(|account| format!("{account} {reason}")).collect()
        };
        let told = |more: &[&str]| -> BTreeSet<String> {
            let found = items(&site, &[&["orphans"], more].concat());
            let shown = |item: &Value| {
                assert!(item["account"].is_string() && item["application"].is_string(), "{item}");
                format!("{} {}", item["accountId"].as_str().unwrap(), item["reason"].as_str().unwrap())
            };
            found.iter().map(shown).collect()
        };
        let of_inactive = "identity_id in (select id from spt_identity where inactive = {true})";
        let at_first = expected(of_inactive, "inactive");
        assert_eq!(told(&[]), at_first);

        let at_ms = START_MS + DAY_MS - HOUR_MS;
        let of_gone = expected(&format!("identity_id = '{gone}'"), "deleted");
        site.change(&format!(
            "update spt_identity set inactive = {{true}}, significant_modified = {at_ms} where id = '{inactive}';
             delete from spt_identity where id = '{gone}';
             insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,
                 extract_config_name, transform_config_name, extracted_object_json)
               values ('gone-1', {at_ms}, '{gone}', 'Identity', {at_ms}, 'e', 't', '{{}}');"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let mut now = expected(of_inactive, "inactive");
        assert!(now.len() > at_first.len() && !of_gone.is_empty());
        now.extend(of_gone);
        assert_eq!(told(&[]), now);
        assert_eq!(told(&["--at", "2026-01-05 22:59"]), at_first);
        assert_eq!(told(&["--known-as-of", "2026-01-05 23:30"]), at_first);
        // Whoever history does not know is nobody's owner.
        site.history.sql(&format!("delete from spt_hist_identity_capture where identity_id = '{gone}';"));
        let unknown: BTreeSet<String> =
            now.iter().map(|account| account.replace(" deleted", " no owner")).collect();
        assert_eq!(told(&[]), unknown);
        let first = annals(site.path(), &["orphans", "--limit", "1", "-o", "csv"]).exits(0);
        assert_eq!(first.out.lines().count(), 2, "{first:#?}");
        assert!(first.err.contains("There are more than 1; see the rest with --limit."), "{first:#?}");
    }
}

fn image(site: &Site, object: &[&str], at: &str) -> Value {
    let state = said(site, &[&["as-of"], object, &["--at", at]].concat());
    state["document"]["eventImage"]["imageFields"].clone()
}

fn patched(site: &Site, arguments: &[&str], mut image: Value) -> Value {
    let patch = annals(site.path(), &[&["diff"], arguments, &["--patch"]].concat()).exits(0).json();
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    json_patch::patch(&mut image, &patch).unwrap();
    image
}

/// One identity at two instants: what was changed by hand, item by item; as a patch it makes one image from the other.
#[tokio::test]
async fn one_object_is_compared_with_itself() {
    for site in Site::on_each_history(20).await {
        let (id, name) = somebody(&site);
        let (role, role_name) = {
            let line = site.ask_one(&format!(
                "select id, name from spt_bundle where id not in
                   (select bundle from spt_identity_assigned_roles where identity_id = '{id}') order by id limit 1;"
            ));
            let (role, role_name) = line.split_once('|').unwrap();
            (role.to_owned(), role_name.to_owned())
        };
        site.change(&format!("update spt_identity set firstname = 'Before' where id = '{id}';"));
        site.run(START_MS).await.succeeds();
        let at_ms = START_MS + DAY_MS - HOUR_MS;
        site.change(&format!(
            "update spt_identity set firstname = 'After', significant_modified = {at_ms} where id = '{id}';
             insert into spt_identity_assigned_roles (identity_id, bundle, idx) values ('{id}', '{role}', 99);"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let object = ["identity", name.as_str()];
        let (first, second) = ("2026-01-05 12:00", "2026-01-06");
        let span = ["identity", &name, "--at", first, "--and", second];
        let told = said(&site, &[&["diff"], &span[..]].concat());
        let cells = |item: &Value| {
            ["change", "property", "item", "before", "after"].map(|column| item[column].clone())
        };
        let found: Vec<_> = told["items"].as_array().unwrap().iter().map(cells).collect();
        let expected = [
            [json!("added"), json!("assignedRoles"), json!(role_name), Value::Null, Value::Null],
            [json!("changed"), json!("firstname"), Value::Null, json!("Before"), json!("After")],
        ];
        assert!(expected.iter().all(|item| found.contains(item)), "{found:#?}");
        let unexpected: Vec<_> = found.iter().filter(|item| !expected.contains(item)).collect();
        // When it was changed is a property too.
        assert!(unexpected.iter().all(|item| item[1] == "significantModified"), "{unexpected:#?}");
        let counts = &told["counts"];
        assert_eq!(
            (&counts["added"], &counts["removed"], &counts["changed"]),
            (&json!(1), &json!(0), &json!(found.len() - 1))
        );
        let all = items(&site, &[&["diff"], &span[..], &["--all"]].concat());
        assert_eq!(all.len() as u64, found.len() as u64 + counts["unchanged"].as_u64().unwrap());
        let images = [first, second].map(|at| image(&site, &object, at));
        assert_eq!(patched(&site, &span, images[0].clone()), images[1]);
        // History knew the first state alone then.
        let known = [&["diff"], &span[..], &["--known-as-of", "2026-01-05 12:00"]].concat();
        assert_eq!(items(&site, &known), Vec::<Value>::new());
        annals(site.path(), &[&["diff"], &span[..]].concat())
            .exits(0)
            .tells(&format!("identity {name} as of 2026-01-05 12:00:00+00:00 and {name} as of 2026-01-06 23:59:59+00:00: 1 added, 0 removed, "));
    }
}

/// Two identities: what one holds and the other does not is what the identity system's tables say.
#[tokio::test]
async fn two_identities_are_compared() {
    for site in Site::on_each_history(30).await {
        site.run(START_MS).await.succeeds();
        let people = site.ask(
            "select p.id, p.name from spt_identity p where coalesce(p.workgroup, {false}) = {false} order by
               (select count(*) from spt_identity_assigned_roles r where r.identity_id = p.id) desc, p.id limit 2;",
        );
        let [(one, one_name), (two, two_name)] = [0, 1].map(|number| people[number].split_once('|').unwrap());
        let told = items(&site, &["diff", "identity", one_name, two_name, "--all"]);
        let of = |kind: &str, change: &str| -> BTreeSet<String> {
            let is = |item: &&Value| item["property"] == kind && item["change"] == change;
            told.iter().filter(is).map(|item| item["item"].as_str().unwrap().to_owned()).collect()
        };
        let holds = |query: &str| -> [BTreeSet<String>; 2] {
            [one, two].map(|id| site.ask(&query.replace("WHO", id)).into_iter().collect())
        };
        let mut compared = 0;
        for (kind, query) in [
            (
                "assignedRole",
                "select b.name from spt_identity_assigned_roles r join spt_bundle b on b.id = r.bundle where r.identity_id = 'WHO';",
            ),
            (
                "entitlement",
                "select distinct a.name || ' ' || e.name || ' ' || e.value from spt_identity_entitlement e
                   join spt_application a on a.id = e.application
                 where e.identity_id = 'WHO' and e.name not in ('assignedRoles', 'detectedRoles');",
            ),
        ] {
            let [by_one, by_two] = holds(query);
            let difference =
                |one: &BTreeSet<String>, two: &BTreeSet<String>| one.difference(two).cloned().collect();
            assert_eq!(of(kind, "removed"), difference(&by_one, &by_two), "{kind}");
            assert_eq!(of(kind, "added"), difference(&by_two, &by_one), "{kind}");
            let both: BTreeSet<String> = of(kind, "unchanged").union(&of(kind, "changed")).cloned().collect();
            assert_eq!(both, by_one.intersection(&by_two).cloned().collect(), "{kind}");
            compared += by_one.len() + by_two.len();
        }
        assert!(compared > 10, "{compared}");
        let images = [one_name, two_name].map(|name| image(&site, &["identity", name], "now"));
        assert_eq!(patched(&site, &["identity", one_name, two_name], images[0].clone()), images[1]);
    }
}

/// TRAP-18: what is asked wrongly is said so, with the way out.
#[tokio::test]
async fn wrong_comparisons_are_refused() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    let call = |arguments: &[&str]| annals(site.path(), arguments);
    call(&["diff"]).exits(2).tells("<TYPE>");
    call(&["diff", "identity", "nobody-at-all"]).exits(5).tells("identity `nobody-at-all` was not found");
    call(&["diff", "identity", &name, "nobody-at-all"])
        .exits(5)
        .tells("identity `nobody-at-all` was not found");
    call(&["diff", "identity", &name, "--at", "1990-01-01"]).exits(5).tells("History begins later");
    call(&["diff", "identity", &name, "--at", "tuesday"]).exits(2).tells("See `annals diff --help`.");
    call(&["diff", "identity", &name, "--patch", "--all"]).exits(2).tells("cannot be used with");
    call(&["diff", "thing", &name]).exits(2).tells("thing");
    call(&["changes"]).exits(2).tells("--from <INSTANT>");
    call(&["changes", "--from", "tuesday"]).exits(2).tells("See `annals changes --help`.");
    call(&["changes", "--from", "1d", "--group", "colour"])
        .exits(2)
        .tells("[possible values: cause, application, identity, day]");
    call(&["changes", "--from", "1d", "--to", "2d"]).exits(2).tells("--from is later than --to");
    call(&["changes", "--from", "1d", "--limit", "0"]).exits(2).tells("--limit");
    call(&["changes", "--from", "1d", "--filter", "deleted eq false and nme eq 'x'"])
        .exits(2)
        .tells("--filter, after `deleted eq false and `: expected a property that there is (id, name,")
        .tells("found `nme`");
    call(&["changes", "--from", "1d", "--filter", "name eq"]).exits(2).tells("found the end");
    call(&["orphans", "--at", "tuesday"]).exits(2).tells("See `annals orphans --help`.");
    site.history.sql("update annals_access_build set complete = 0;");
    call(&["changes", "--from", "1d"]).exits(9).tells("Make them: `annals rebuild intervals`.");
}
