//! What the history tables hold after a run, compared with the source by SQL of our own that knows nothing of the
//! source profile.

use std::collections::BTreeMap;
use std::path::Path;

use crate::site::{START_MS, Site};

/// The same question to both databases: name, to the source, to history. `{text}`, `{int}` and `{flag}` before a column
/// say how a null is written.
type Pair = (&'static str, &'static str, &'static str);

/// Child rows of the newest captures.
const CHILDREN: [Pair; 8] = [
    (
        "accounts",
        "select identity_id, id from spt_link where identity_id is not null",
        "select c.identity_id, r.account_id from spt_hist_accounts r
         join spt_hist_identity_capture c on c.id = r.capture_id where c.latest = 1",
    ),
    (
        "entitlements",
        "select identity_id, id from spt_identity_entitlement where name not in ('assignedRoles', 'detectedRoles')",
        "select c.identity_id, r.identity_entitlement_id from spt_hist_entitlements r
         join spt_hist_identity_capture c on c.id = r.capture_id where c.latest = 1",
    ),
    (
        "assigned roles",
        "select identity_id, bundle from spt_identity_assigned_roles",
        "select c.identity_id, r.role_id from spt_hist_assigned_roles r
         join spt_hist_identity_capture c on c.id = r.capture_id where c.latest = 1",
    ),
    (
        "detected roles",
        "select identity_id, bundle from spt_identity_bundles",
        "select c.identity_id, r.role_id from spt_hist_detected_roles r
         join spt_hist_identity_capture c on c.id = r.capture_id where c.latest = 1",
    ),
    (
        "policy violations",
        "select identity_id, id from spt_policy_violation where active = {true} and identity_id is not null",
        "select c.identity_id, r.policy_violation_id from spt_hist_policy_violations r
         join spt_hist_identity_capture c on c.id = r.capture_id where c.latest = 1",
    ),
    (
        "entitlements of roles taken away by certifications",
        "select i.id, {text}a.name, {text}r.source_application, {text}r.attribute, {text}r.value
         from spt_certification_item i
         join spt_certification_action d on d.id = i.action
         join spt_certification_entity e on e.id = i.certification_entity_id
         join spt_identity p on p.name = e.identity_id
         join spt_bundle b on b.name = i.bundle
         join spt_bundle_profile_relation r on r.bundle_id = b.id
         left join spt_application a on a.id = r.source_application
         where d.status in ('Remediated', 'RevokeAccount', 'Modified', 'AccountReassign')
           and i.type <> 'PolicyViolation' and r.attribute is not null",
        "select c.certification_item_id, {text}r.application, {text}r.application_id, {text}r.entitlement_name,
           {text}r.entitlement_value from spt_hist_role_remediation_entitlements r
         join spt_hist_cert_remediation_capture c on c.id = r.cert_remediation_capture",
    ),
    (
        "roles of remediated violations",
        "select h.id, b.id from spt_identity_history_item h join spt_bundle b on b.name = h.role
         where h.identity_id is not null and h.policy is not null and h.status in ('Remediated', 'Modified')",
        "select c.identity_history_item_id, r.bundle_id from spt_hist_policy_violation_remediation_bundle_ids r
         join spt_hist_policy_violation_remediation_capture c on c.id = r.capture_id",
    ),
    (
        "entitlements of remediated violations",
        "select h.id, {text}h.application, {text}h.attribute, {text}h.value from spt_identity_history_item h
         where h.identity_id is not null and h.policy is not null and h.status in ('Remediated', 'Modified')
           and h.attribute is not null",
        "select c.identity_history_item_id, {text}r.application, {text}r.entitlement_name, {text}r.entitlement_value
         from spt_hist_policy_violation_remediation_entitlements r
         join spt_hist_policy_violation_remediation_capture c on c.id = r.policy_violation_remediation_ent",
    ),
];

/// Entity rows: the newest state of each object.
const ENTITIES: [Pair; 6] = [
    (
        "identities",
        "select id, name, {text}display_name, {text}firstname, {text}lastname, {text}email, 0 from spt_identity
         where coalesce(workgroup, {false}) = {false}",
        "select identity_id, name, {text}display_name, {text}firstname, {text}lastname, {text}email, {int}deleted
         from spt_hist_identity",
    ),
    (
        "workgroups",
        "select id, name, {text}display_name, {text}description, {text}email, 0 from spt_identity where workgroup = {true}",
        "select workgroup_id, name, {text}display_name, {text}description, {text}email, {int}deleted
         from spt_hist_workgroup",
    ),
    (
        "roles",
        "select id, name, {text}display_name, 0 from spt_bundle",
        "select role_id, name, {text}display_name, {int}deleted from spt_hist_role",
    ),
    (
        "managed attributes",
        "select id, hash, {text}displayable_name, 0 from spt_managed_attribute",
        "select mattr_id, mattr_hash, {text}display_name, {int}deleted from spt_hist_mattr",
    ),
    (
        "capabilities",
        "select id, name, {text}display_name, {text}description, 0 from spt_capability",
        "select capability_id, name, {text}display_name, {text}description, {int}deleted from spt_hist_capability",
    ),
    (
        "certifications",
        "select id, {text}name, {text}type, {text}short_name, {int}finished, {int}signed from spt_certification",
        "select cert_id, {text}cert_name, {text}cert_type, {text}cert_display_name, {int}finished, {int}signed
         from spt_hist_certification",
    ),
];

/// Columns of captures.
const CAPTURES: [Pair; 12] = [
    (
        "identities",
        "select id, name, {text}manager, {text}display_name, {text}firstname, {text}lastname, {text}email,
           {flag}manager_status, {flag}inactive, {text}type
         from spt_identity where coalesce(workgroup, {false}) = {false}",
        "select identity_id, identity_name, {text}manager_id, {text}display_name, {text}firstname, {text}lastname,
           {text}email, {int}manager_status, {int}inactive, {text}type from spt_hist_identity_capture",
    ),
    (
        "accounts",
        "select l.id, i.id, i.name, {text}a.name, {text}l.display_name from spt_link l
         join spt_identity i on i.id = l.identity_id left join spt_application a on a.id = l.application",
        "select account_id, identity_id, identity_name, {text}application_name, {text}displayable_name
         from spt_hist_account_capture",
    ),
    (
        "roles",
        "select id, name, {text}type, {text}owner from spt_bundle",
        "select role_id, role_name, {text}type, {text}owner_id from spt_hist_role_capture",
    ),
    (
        "entitlements",
        "select e.id, i.id, i.name, {text}a.id, {text}a.name, {text}e.native_identity, {text}e.instance,
           {text}e.display_name, {text}e.type, {text}e.name, {text}e.value, {flag}e.granted_by_role, {text}b.id,
           {text}e.request_item, {text}e.pending_request_item, {text}e.certification_item
         from spt_identity_entitlement e join spt_identity i on i.id = e.identity_id
         left join spt_application a on a.id = e.application
         left join spt_bundle b on b.name = e.value and e.name in ('assignedRoles', 'detectedRoles')",
        "select identity_entitlement_id, identity_id, identity_name, {text}application_id, {text}application_name,
           {text}native_identity, {text}instance, {text}display_value, {text}type, {text}attribute_name,
           {text}attribute_value, {int}granted_by_role, {text}role_id, {text}request_item_id,
           {text}pending_request_item_id, {text}certification_item_id from spt_hist_entitlement_capture",
    ),
    (
        "managed attributes",
        "select m.id, m.hash, {text}m.displayable_name, {text}a.name, {text}a.id, {text}m.type, {text}m.attribute,
           {text}m.value from spt_managed_attribute m left join spt_application a on a.id = m.application",
        "select mattr_id, mattr_hash, {text}display_name, {text}application_name, {text}application_id, {text}type,
           {text}attribute_name, {text}attribute_value from spt_hist_mattr_capture",
    ),
    (
        "what certifications take away",
        "select i.id, p.id, p.name, {text}i.type, {text}i.sub_type, {text}i.exception_application,
           {text}i.exception_attribute_name, {text}i.exception_attribute_value, {text}s.native_identity, {text}b.id,
           {text}i.bundle, {text}i.bundle_assignment_id
         from spt_certification_item i join spt_certification_action d on d.id = i.action
         join spt_certification_entity e on e.id = i.certification_entity_id
         join spt_identity p on p.name = e.identity_id
         left join spt_bundle b on b.name = i.bundle
         left join spt_entitlement_snapshot s on s.id = i.exception_entitlements
         where d.status in ('Remediated', 'RevokeAccount', 'Modified', 'AccountReassign')
           and i.type <> 'PolicyViolation'",
        "select certification_item_id, identity_id, identity_name, {text}certification_item_type,
           {text}certification_item_sub_type, {text}exception_application, {text}exception_attribute_name,
           {text}exception_attribute_value, {text}exception_native_identity, {text}bundle_id, {text}bundle_name,
           {text}bundle_assignment_id from spt_hist_cert_remediation_capture",
    ),
    (
        "requests",
        "select r.id, i.id, i.name, {text}r.type, {int}r.end_date, {text}r.requester_id, {text}r.requester_display_name
         from spt_identity_request r join spt_identity i on i.id = r.target_id
         where r.target_class is null or r.target_class in ('Identity', 'sailpoint.object.Identity')",
        "select identity_request_id, identity_id, identity_name, {text}type, {int}end_date, {text}requester_id,
           {text}requester_display_name from spt_hist_identity_req_capture",
    ),
    (
        "items of requests",
        "select x.id, i.id, i.name, {text}x.native_identity, {text}x.name, {text}x.value, {text}r.id, {text}r.type,
           {text}x.application, {text}x.operation, {text}x.owner_name, {text}x.approver_name, {text}q.name,
           {text}q.id, {text}x.provisioning_state, {text}x.approval_state, {text}x.compilation_status, {int}x.idx
         from spt_identity_request_item x join spt_identity_request r on r.id = x.identity_request_id
         join spt_identity i on i.id = r.target_id left join spt_identity q on q.id = r.requester_id
         where r.target_class is null or r.target_class in ('Identity', 'sailpoint.object.Identity')",
        "select identity_request_item_id, identity_id, identity_name, {text}native_identity, {text}name, {text}value,
           {text}identity_request_id, {text}type, {text}application_name, {text}operation, {text}owner_name,
           {text}approver_name, {text}requester_name, {text}requester_id, {text}provisioning_state,
           {text}approval_state, {text}compilation_status, {int}idx from spt_hist_identity_req_item_capture",
    ),
    (
        "requests of items",
        "select x.id, x.identity_request_id from spt_identity_request_item x
         join spt_identity_request r on r.id = x.identity_request_id join spt_identity i on i.id = r.target_id
         where r.target_class is null or r.target_class in ('Identity', 'sailpoint.object.Identity')",
        "select x.identity_request_item_id, r.identity_request_id from spt_hist_identity_req_item_capture x
         left join spt_hist_identity_req_capture r on r.id = x.identity_request_capture_id",
    ),
    (
        "violations",
        "select v.id, i.id, i.name, {flag}v.active, {text}v.policy_id, {text}v.policy_name, {text}v.constraint_id,
           {text}v.constraint_name, {text}v.status
         from spt_policy_violation v join spt_identity i on i.id = v.identity_id",
        "select policy_violation_id, identity_id, identity_name, {int}active, {text}policy_id, {text}policy_name,
           {text}constraint_id, {text}constraint_name, {text}status from spt_hist_policy_violation_capture",
    ),
    (
        "remediated violations",
        "select h.id, i.id, i.name, {text}h.certification_type, {text}h.policy, {text}h.constraint_name
         from spt_identity_history_item h join spt_identity i on i.id = h.identity_id
         where h.policy is not null and h.status in ('Remediated', 'Modified')",
        "select identity_history_item_id, identity_id, identity_name, {text}certification_item_type,
           {text}policy_name, {text}constraint_name from spt_hist_policy_violation_remediation_capture",
    ),
    (
        "workgroups",
        "select id, name, {text}display_name, {text}email, {flag}inactive from spt_identity where workgroup = {true}",
        "select workgroup_id, workgroup_name, {text}display_name, {text}email, {int}inactive
         from spt_hist_workgroup_capture",
    ),
];

/// A query with `{text}`, `{int}` and `{flag}` spelt out.
fn spelt(query: &str) -> String {
    let mut parts = query.split('{');
    let mut spelt = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (mark, rest) = part.split_once('}').unwrap();
        let end = rest.find([',', ' ', '\n']).unwrap_or(rest.len());
        let (column, rest) = rest.split_at(end);
        spelt += &match mark {
            "text" => format!("coalesce({column}, '-')"),
            "int" => format!("coalesce({column}, -1)"),
            "flag" => format!("case when {column} = {{true}} then 1 when {column} = {{false}} then 0 else -1 end"),
            // A literal, which the site knows how to write.
            literal => format!("{{{literal}}}{column}"),
        };
        spelt += rest;
    }
    spelt
}

/// Asks both databases and compares the answers line by line.
#[track_caller]
fn compare(site: &Site, pairs: &[Pair]) {
    for (name, source, history) in pairs {
        let mut expected = site.ask(&format!("{};", spelt(source)));
        let mut found = site.look(&format!("{};", spelt(history)));
        expected.sort();
        found.sort();
        assert!(!expected.is_empty(), "the generated identity system has no {name}");
        assert_eq!(difference(&found, &expected), None, "{name} of {}", site.source.engine());
        assert_eq!(found.len(), expected.len(), "{name} of {}", site.source.engine());
    }
}

/// IIQ-05, IIQ-07, IIQ-19: after a run the child rows, entity rows and columns of captures are what the source says, on
/// every engine.
#[tokio::test]
async fn the_tables_say_what_the_source_says() {
    for site in Site::everywhere(60).await {
        name_what_is_taken_away(&site);
        site.run(START_MS).await.succeeds();
        compare(&site, &CHILDREN);
        compare(&site, &ENTITIES);
        compare(&site, &CAPTURES);
        check_positions(&site);
        check_not_null(&site);
    }
}

/// Lets a decision of a certification be about a role, and one about a violation name a role and an entitlement: a small
/// identity system may have neither.
fn name_what_is_taken_away(site: &Site) {
    let first = |query: &str| site.ask_one(&format!("{query} order by 1 limit 1;"));
    let item = first(
        "select i.id from spt_certification_item i join spt_certification_action d on d.id = i.action
         where d.status = 'Remediated' and i.type <> 'PolicyViolation'",
    );
    let decision = first(
        "select id from spt_identity_history_item
         where identity_id is not null and policy is not null and status = 'Remediated'",
    );
    let role = first("select name from spt_bundle where id in (select bundle_id from spt_bundle_profile_relation)");
    let application = first("select name from spt_application");
    site.change(&format!(
        "update spt_certification_item set bundle = '{role}' where id = '{item}';
         update spt_identity_history_item
           set role = '{role}', application = '{application}', attribute = 'groups', value = 'Payroll'
           where id = '{decision}';"
    ));
}

/// Child rows of a capture are numbered from 0 without a gap.
fn check_positions(site: &Site) {
    for (table, parent) in [
        ("spt_hist_accounts", "capture_id"),
        ("spt_hist_entitlements", "capture_id"),
        ("spt_hist_assigned_roles", "capture_id"),
        ("spt_hist_detected_roles", "capture_id"),
        ("spt_hist_policy_violations", "capture_id"),
        ("spt_hist_role_remediation_entitlements", "cert_remediation_capture"),
        ("spt_hist_policy_violation_remediation_bundle_ids", "capture_id"),
        ("spt_hist_policy_violation_remediation_entitlements", "policy_violation_remediation_ent"),
    ] {
        let wrong = format!(
            "select {parent} from {table} group by {parent} having min(idx) <> 0 or max(idx) <> count(*) - 1;"
        );
        assert_eq!(site.look(&wrong), Vec::<String>::new(), "{table}");
    }
    let newest = "select identity_id from spt_hist_identity_capture group by identity_id having sum(latest) <> 1;";
    assert_eq!(site.look(newest), Vec::<String>::new());
}

/// IIQ-19: every column that must not be null holds something, in every table that a run fills.
fn check_not_null(site: &Site) {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/history_columns.csv");
    let list = std::fs::read_to_string(list).unwrap();
    let mut required: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in list.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[5] == "NO" {
            required.entry(cells[0]).or_default().push(cells[2]);
        }
    }
    assert_eq!(required.len(), 32);
    for (table, columns) in required {
        for column in columns {
            let empty = format!("select count(*) from {table} where {column} is null or cast({column} as text) = '';");
            assert_eq!(site.count(&empty), 0, "{table}.{column}");
        }
        let no_events = ["spt_hist_role_event", "spt_hist_mattr_event", "spt_hist_workgroup_event"];
        let filled = site.count(&format!("select count(*) from {table};"));
        assert!(filled > 0 || no_events.contains(&table), "{table} is empty");
    }
}

/// IIQ-19, IIQ-40: the same identity system gives the same history, to the byte, whatever engine it is read from and
/// whatever engine history is kept on; only the ids of captures and events are other ones.
#[tokio::test]
async fn history_is_the_same_on_every_engine() {
    let mut first: Option<Vec<String>> = None;
    for site in Site::everywhere(30).await {
        site.service("capture: {jsonFormat: MINIFIED}\n");
        site.run(START_MS).await.succeeds();
        let found = without_ids(&site).await;
        match &first {
            None => first = Some(found),
            Some(first) => {
                assert_eq!(difference(&found, first), None, "{}", site.source.engine());
                assert_eq!(found.len(), first.len());
            }
        }
    }
}

/// All rows of history, each id of a capture replaced by whose capture it is, and each id of an event left out.
async fn without_ids(site: &Site) -> Vec<String> {
    let mut names: Vec<(String, String)> = Vec::new();
    for (object_type, table, id) in Site::capture_tables() {
        for line in site.look(&format!("select id, {id}, effective_date from {table};")) {
            let (capture, object) = line.split_once('|').unwrap();
            let dashed = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &capture[part]).join("-");
            names.push((capture.to_owned(), format!("<{object_type} {object}>")));
            names.push((dashed, format!("<{object_type} {object}>")));
        }
    }
    let names: BTreeMap<String, String> = names.into_iter().collect();
    let mut rows = Vec::new();
    for row in site.everything().await {
        let event = row.contains("_event: ");
        // The first cell of an event is its id.
        let row = if event { row.split_once(" | ").unwrap().1.to_owned() } else { row };
        rows.push(replaced(&row, &names));
    }
    rows.sort();
    rows
}

/// Replaces every run of hexadecimal digits (and dashes) that is a name's key. Documents are shown as numbers of bytes,
/// so those are read as text first.
fn replaced(row: &str, names: &BTreeMap<String, String>) -> String {
    let row = match row.split_once("Bytes([") {
        Some((head, tail)) => {
            let (bytes, tail) = tail.split_once("])").unwrap();
            let bytes: Vec<u8> = bytes.split(", ").map(|byte| byte.parse().unwrap()).collect();
            format!("{head}{}{tail}", String::from_utf8(bytes).unwrap())
        }
        None => row.to_owned(),
    };
    let mut replaced = String::with_capacity(row.len());
    let mut word = String::new();
    for c in row.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() || c == '-' {
            word.push(c);
            continue;
        }
        replaced.push_str(names.get(&word).unwrap_or(&word));
        word.clear();
        replaced.push(c);
    }
    replaced
}

fn difference<'r>(one: &'r [String], two: &'r [String]) -> Option<(&'r String, &'r String)> {
    one.iter().zip(two).find(|(one, two)| one != two)
}
