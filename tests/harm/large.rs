//! Attributes of 100 MB, nesting of 100,000 levels, an identity with 200,000 entitlements.

use annals_testkit::Engine;

use crate::memory::{annals, failures, run, run_within, sites};
use crate::site::{Site, somebody};

/// SQL for a text of so many times `x`.
fn xs(site: &Site, times: u32) -> String {
    match site.source.engine() {
        Engine::Sqlite => format!("printf('%.*c', {times}, 'x')"),
        _ => format!("repeat('x', {times})"),
    }
}

#[tokio::test]
async fn an_attribute_of_100_megabytes_is_a_named_failure() {
    for site in sites().await {
        let (person, _) = somebody(&site);
        let account = site.ask_one("select min(id) from spt_link;");
        let long = xs(&site, 100_000_000);
        site.change(&format!(
            "update spt_identity set attributes = '<Attributes>' || {long} where id = '{person}';
             update spt_link set attributes = {long} where id = '{account}';"
        ));
        let objects = run(&site).fails(2);
        let cap = "more than limits.attributeBytesMax = 16777216";
        assert_eq!(
            failures(&site),
            [
                format!(
                    "account|{account}|load|table spt_link, column attributes: the text has 100000000 bytes, {cap}"
                ),
                format!(
                    "identity|{person}|load|table spt_identity, column attributes: the text has 100000012 bytes, {cap}"
                ),
            ]
        );
        assert_eq!(site.count("select count(*) from annals_head;"), objects - 2);
    }
}

/// The cap is in bytes and exact, on each engine that identity systems are read from.
#[tokio::test]
async fn an_attribute_one_byte_over_the_cap_is_a_named_failure() {
    for site in Site::everywhere(20).await {
        site.extracts("identity: {}");
        site.service("limits: {attributeBytesMax: 4000}\n");
        let people = site.ask(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false} order by id limit 2;",
        );
        let xml = |letters: usize| {
            let (before, after) = ("<Attributes><Map><entry key=\"a\" value=\"", "\"/></Map></Attributes>");
            let fill = 4000 - before.len() - after.len() - 2 * letters;
            format!("{before}{}{}{after}", "é".repeat(letters), "x".repeat(fill))
        };
        site.change(&format!(
            "update spt_identity set attributes = '{}' where id = '{}';
             update spt_identity set attributes = '{} ' where id = '{}';",
            xml(100),
            people[0],
            xml(100),
            people[1]
        ));
        run(&site).fails(1);
        let problem = "table spt_identity, column attributes: the text has 4001 bytes, \
                       more than limits.attributeBytesMax = 4000";
        assert_eq!(failures(&site), [format!("identity|{}|load|{problem}", people[1])]);
        assert_eq!(
            site.count(&format!("select count(*) from annals_head where object_id = '{}';", people[0])),
            1
        );
    }
}

#[tokio::test]
async fn nesting_of_100_000_levels_is_a_named_failure() {
    for site in sites().await {
        let (person, _) = somebody(&site);
        let roles = site.ask("select id from spt_bundle order by id limit 2;");
        site.edit(
            "sources/identityiq.yaml",
            "      joinRuleId: join_rule\n      selector: {column: selector, format: xml}\n",
            "      joinRuleId: join_rule\n      selector: {column: selector, format: json}\n",
        );
        let nested =
            |open: &str, close: &str, levels| format!("{}{}", open.repeat(levels), close.repeat(levels));
        site.change(&format!(
            "update spt_identity set attributes = '{}' where id = '{person}';
             update spt_bundle set selector = null;
             update spt_bundle set selector = '{}' where id = '{}';
             update spt_bundle set selector = '{}' where id = '{}';",
            nested("<a>", "</a>", 100_000),
            nested("[", "]", 100),
            roles[0],
            nested("[", "]", 100_000),
            roles[1],
        ));
        run(&site).fails(2);
        let cap = "nested deeper than limits.nestingMax = 100";
        assert_eq!(
            failures(&site),
            [
                format!("identity|{person}|load|table spt_identity, column attributes: {cap} near byte 300"),
                format!("role|{}|load|table spt_bundle, column selector: {cap} near byte 100", roles[1]),
            ]
        );
        let said = annals(&site, &["as-of", "role", &roles[0], "--output", "json"]).exits(0);
        assert!(
            said.out.split_whitespace().collect::<String>().contains(&nested("[", "]", 100)),
            "{said:#?}"
        );
    }
}

/// TRAP-14: the first of 200,000 entitlements goes: one capture, a patch of one operation, one event. By default so many
/// are more than a document may have; the caps are raised here, and the memory that goes with them.
#[tokio::test]
async fn one_of_200_000_entitlements_that_goes_is_one_event() {
    const REFUSING_MIB: u32 = 1_024;
    const MEMORY_MIB: u32 = 3_072;
    let site = Site::new(Engine::Sqlite, Engine::Postgres, 20).await;
    site.extracts("identity: {}");
    let (person, _) = somebody(&site);
    let own = site.ask_one(&format!(
        "select count(*) from spt_identity_entitlement where identity_id = '{person}'
           and name not in ('assignedRoles', 'detectedRoles');"
    ));
    let own: usize = own.parse().unwrap();
    site.change(&format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)
         insert into spt_identity_entitlement (id, created, identity_id, application, native_identity, name, value,
             display_name, type, aggregation_state, assigned, granted_by_role, source)
           select printf('%032d', i), 1, '{person}', (select min(id) from spt_application), 'cn=somebody', 'groups',
             'cn=group ' || i, 'Group ' || i, 'Entitlement', 'Connected', 0, 0, 'Aggregation' from n;"
    ));
    run_within(REFUSING_MIB, &site).fails(1);
    let problem = "it has more than limits.documentBytesMax = 33554432 bytes";
    assert_eq!(failures(&site), [format!("identity|{person}|load|{problem}")]);

    site.service(
        "queue: {messageBytesMax: 100000000}\nlimits: {documentBytesMax: 99000000}\n\
         capture: {maxAllowedPatches: 9}\n",
    );
    run_within(MEMORY_MIB, &site).succeeds();
    let gone = format!("{:032}", 1);
    site.change(&format!("delete from spt_identity_entitlement where id = '{gone}';"));
    run_within(MEMORY_MIB, &site).succeeds();

    let captures = site.look(&format!(
        "select transform_type, patch_doc_parent is null from spt_hist_identity_capture
         where identity_id = '{person}' order by effective_date;"
    ));
    assert_eq!(captures, ["full|t", "patch|f"]);
    let events = site.look(&format!(
        "select event_type, identity_entitlement_id, old_value from spt_hist_identity_event
         where entity_id = '{person}' order by event_date, event_type;"
    ));
    assert_eq!(events, ["IdentityDiscovered||".to_owned(), format!("EntitlementRemoved|{gone}|cn=group 1")]);
    let children = site.look(&format!(
        "select count(*) from spt_hist_entitlements e join spt_hist_identity_capture c on c.id = e.capture_id
         where c.identity_id = '{person}' group by c.id, c.effective_date order by c.effective_date;"
    ));
    assert_eq!(children, [(own + 200_000).to_string(), (own + 199_999).to_string()]);
}
