//! Questions to the source and to history that must have the same answer, in SQL of our own that knows nothing of the
//! source profile.

use crate::sameness::difference;
use crate::site::Site;

/// The same question to both databases: name, to the source, to history. `{text}`, `{int}` and `{flag}` before a column
/// say how a null is written.
pub(crate) type Pair = (&'static str, &'static str, &'static str);

/// Child rows of the newest captures.
pub(crate) const CHILDREN: [Pair; 8] = [
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
pub(crate) const ENTITIES: [Pair; 6] = [
    (
        "identities",
        "select id, name, {text}display_name, {text}firstname, {text}lastname, {text}email, 0 from spt_identity
         where coalesce(workgroup, {false}) = {false}",
        "select identity_id, name, {text}display_name, {text}firstname, {text}lastname, {text}email, {int}deleted
         from spt_hist_identity where deleted = 0",
    ),
    (
        "workgroups",
        "select id, name, {text}display_name, {text}description, {text}email, 0 from spt_identity where workgroup = {true}",
        "select workgroup_id, name, {text}display_name, {text}description, {text}email, {int}deleted
         from spt_hist_workgroup where deleted = 0",
    ),
    (
        "roles",
        "select id, name, {text}display_name, 0 from spt_bundle",
        "select role_id, name, {text}display_name, {int}deleted from spt_hist_role where deleted = 0",
    ),
    (
        "managed attributes",
        "select id, hash, {text}displayable_name, 0 from spt_managed_attribute",
        "select mattr_id, mattr_hash, {text}display_name, {int}deleted from spt_hist_mattr where deleted = 0",
    ),
    (
        "capabilities",
        "select id, name, {text}display_name, {text}description, 0 from spt_capability",
        "select capability_id, name, {text}display_name, {text}description, {int}deleted from spt_hist_capability
         where deleted = 0",
    ),
    (
        "certifications",
        "select id, {text}name, {text}type, {text}short_name, {int}finished, {int}signed from spt_certification",
        "select cert_id, {text}cert_name, {text}cert_type, {text}cert_display_name, {int}finished, {int}signed
         from spt_hist_certification",
    ),
];

/// Columns of captures.
pub(crate) const CAPTURES: [Pair; 12] = [
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
        "select l.id, i.id, i.name, {text}a.name, coalesce(l.display_name, l.native_identity)
         from spt_link l
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
            "flag" => {
                format!("case when {column} = {{true}} then 1 when {column} = {{false}} then 0 else -1 end")
            }
            // A literal, which the site knows how to write.
            literal => format!("{{{literal}}}{column}"),
        };
        spelt += rest;
    }
    spelt
}

/// Asks both databases and compares the answers line by line.
#[track_caller]
pub(crate) fn compare(site: &Site, pairs: &[Pair]) {
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
