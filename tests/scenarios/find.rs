//! `annals find`.

use serde_json::{Value, json};

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

fn ids(site: &Site, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["find"], arguments, &["-o", "json", "--limit", "1000"]].concat();
    let said = annals(site.path(), &arguments).exits(0).json();
    let items = said["items"].as_array().unwrap();
    let mut ids: Vec<String> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Those of whom a condition on the identity system's own table of identities holds.
fn people(site: &Site, condition: &str) -> Vec<String> {
    let mut ids = site.ask(&format!(
        "select id from spt_identity where coalesce(workgroup, {{false}}) = {{false}} and {condition};"
    ));
    ids.sort();
    ids
}

/// Gives the first of those with the commonest role a permission and a first name, and runs: role, holder.
async fn prepared(site: &Site) -> (String, String) {
    let role = site.ask_one(
        "select b.name from spt_identity_assigned_roles r join spt_bundle b on b.id = r.bundle
         group by b.name order by count(*) desc, b.name limit 1;",
    );
    let holder = site.ask_one(&format!(
        "select min(r.identity_id) from spt_identity_assigned_roles r join spt_bundle b on b.id = r.bundle
         where b.name = '{role}';"
    ));
    let application = site.ask_one("select min(id) from spt_application;");
    site.change(&format!(
        "insert into spt_identity_entitlement (id, created, name, value, native_identity, application, identity_id, type)
           values ('ent-p', {START_MS}, '/payroll', 'read,write', 'acct', '{application}', '{holder}', 'Permission');
         update spt_identity set firstname = 'Xerxes' where id = '{holder}';"
    ));
    site.run(START_MS + HOUR_MS).await.succeeds();
    (role, holder)
}

/// IIQ-09: found are those whom the identity system's own tables have so, by names and by entitlements; permissions are
/// entitlements too.
#[tokio::test]
async fn those_are_found_whom_the_source_has_so() {
    for site in Site::on_each_history(30).await {
        let (role, holder) = prepared(&site).await;
        let alone = vec![holder.clone()];
        let value = site.ask_one(
            "select value from spt_identity_entitlement where name not in ('assignedRoles', 'detectedRoles')
             group by value order by count(*) desc, value limit 1;",
        );
        let holders = people(
            &site,
            &format!("id in (select identity_id from spt_identity_entitlement where value = '{value}')"),
        );
        assert_eq!(ids(&site, &["identity", "--entitlement", &value]), holders);
        assert_eq!(ids(&site, &["identity", "--entitlement", "read,write"]), alone);
        let permission = "access/any(a: a/permission eq true and a/attribute eq '/payroll')";
        assert_eq!(ids(&site, &["identity", "--filter", permission]), alone);
        assert_eq!(
            ids(&site, &["identity", "--filter", &format!("not {permission}")]).len() + 1,
            people(&site, "1 = 1").len()
        );
        let both = ids(&site, &["identity", "--role", &role, "--entitlement", "read,write"]);
        assert_eq!(both, alone);
        assert_eq!(
            ids(&site, &["identity", "--starts-with", "Xerxes"]),
            Vec::<String>::new(),
            "it is no display name"
        );
        let first =
            site.ask_one(&format!("select substr(name, 1, 1) from spt_identity where id = '{holder}';"));
        let starting = people(
            &site,
            &format!("(substr(name, 1, 1) = '{first}' or substr(display_name, 1, 1) = '{first}')"),
        );
        assert_eq!(ids(&site, &["identity", "--starts-with", &first]), starting);
        let words = site.ask_one(&format!("select upper(name) from spt_identity where id = '{holder}';"));
        assert_eq!(ids(&site, &["identity", &words]), alone);
        assert_eq!(
            ids(&site, &["capability"]).len() as u64,
            site.ask_one("select count(*) from spt_capability;").parse::<u64>().unwrap()
        );
    }
}

/// IIQ-09: those who have a role, who had it, and who had it and lost it, by the identity system's own tables; and by what
/// they were called before.
#[tokio::test]
async fn those_are_found_who_had_it_before() {
    for site in Site::on_each_history(30).await {
        let (role, holder) = prepared(&site).await;
        let alone = vec![holder.clone()];
        let with_role = |held: &str| ids(&site, &["identity", "--role", &role, "--held", held]);
        let in_source = || {
            people(&site, &format!(
                "(id in (select r.identity_id from spt_identity_assigned_roles r join spt_bundle b on b.id = r.bundle
                        where b.name = '{role}')
                  or id in (select r.identity_id from spt_identity_bundles r join spt_bundle b on b.id = r.bundle
                        where b.name = '{role}'))"
            ))
        };
        let at_first = in_source();
        assert!(at_first.len() > 1, "{at_first:?}");
        assert_eq!(
            (with_role("current"), with_role("all"), with_role("previous")),
            (at_first.clone(), at_first.clone(), vec![])
        );

        let at_ms = START_MS + DAY_MS - HOUR_MS;
        site.change(&format!(
            "delete from spt_identity_assigned_roles where identity_id = '{holder}';
             delete from spt_identity_bundles where identity_id = '{holder}';
             update spt_identity set significant_modified = {at_ms}, firstname = 'Yara' where id = '{holder}';"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(
            (with_role("current"), with_role("all"), with_role("previous")),
            (in_source(), at_first, alone.clone())
        );
        // What is found by now, and what by any state that there was.
        let now = |name: &str| ids(&site, &["identity", "--filter", &format!("firstname eq '{name}'")]);
        let ever = |name: &str| {
            ids(&site, &["identity", "--filter", &format!("history/any(h: h/firstname eq '{name}')")])
        };
        assert_eq!((now("Xerxes"), now("Yara")), (vec![], alone.clone()));
        assert_eq!((ever("Xerxes"), ever("Yara")), (alone.clone(), alone.clone()));
    }
}

/// TRAP-18: what is asked wrongly is said so, with the way out.
#[tokio::test]
async fn wrong_searches_are_refused() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let call = |arguments: &[&str]| annals(site.path(), arguments);
    call(&["find"]).exits(2).tells("<TYPE>");
    call(&["find", "thing"]).exits(2).tells("thing");
    call(&["find", "role", "--role", "x"])
        .exits(2)
        .tells("no role holds roles or entitlements")
        .tells("annals find identity");
    call(&["find", "identity", "--role", "x", "--held", "never"])
        .exits(2)
        .tells("[possible values: all, current, previous]");
    call(&["find", "identity", "--filter", "access/any(a: a/nme eq 'x')"])
        .exits(2)
        .tells("--filter, after `access/any(a: `: expected a property");
    call(&["find", "identity", "--limit", "0"]).exits(2).tells("--limit");
    let cut = call(&["find", "identity", "--limit", "1", "-o", "csv"])
        .exits(0)
        .tells("There are more than 1; see the rest with --limit.");
    assert_eq!(cut.out.lines().count(), 2, "{cut:#?}");
    let none = call(&["find", "identity", "--role", "no such role", "-o", "json"]).exits(0).json();
    assert_eq!((&none["items"], &none["cut"]), (&json!([]), &Value::Bool(false)));
    site.history.sql("update annals_access_build set complete = 0;");
    call(&["find", "identity", "--role", "x"]).exits(9).tells("Make them: `annals rebuild intervals`.");
    call(&["find", "identity"]).exits(0);
}
