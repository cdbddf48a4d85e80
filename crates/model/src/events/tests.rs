use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{AccountColumns, Collection, ImageSchema, diff};

const OLD: &str = "0000000000000000000000000000c001";
const NEW: &str = "0000000000000000000000000000c002";

fn image(object_type: ObjectType, fields: &Value) -> Image {
    let Value::Object(image_fields) = fields.clone() else { panic!("fields are an object") };
    Image { image_fields, image_type: object_type.as_str().to_owned() }
}

fn schema() -> ImageSchema {
    let by_id = Collection { key: vec!["id".to_owned()], ordered: false };
    let names =
        ["accounts", "entitlements", "assignedRoles", "detectedRoles", "roleAssignments", "capabilities"];
    let mut collections: BTreeMap<String, Collection> =
        names.map(|name| (name.to_owned(), by_id.clone())).into_iter().collect();
    let key = vec!["roleId".to_owned(), "name".to_owned()];
    collections.insert("roleMetadata".to_owned(), Collection { key, ordered: false });
    ImageSchema { collections, insignificant: ["lastRefresh".to_owned()].into() }
}

/// Derives events of object `o1`, named `Object One`, of the identity Ann.
fn derive(object_type: ObjectType, transition: Transition<'_>) -> Vec<NewEvent> {
    let key = ObjectKey { source: Arc::from("hr"), object_type, object_id: "o1".to_owned() };
    let ann = Reference { id: "i-ann".to_owned(), name: "ann".to_owned() };
    let discovered = matches!(transition, Transition::Discovered(_));
    let subject = Subject {
        key: &key,
        name: "Object One",
        identity: (object_type != ObjectType::Identity).then_some(&ann),
        recorded_ms: 2_000,
        effective_ms: 1_000,
        prev_capture_id: (!discovered).then_some(OLD),
        capture_id: NEW,
    };
    let mut count = 0;
    derive_events(&subject, transition, &mut || {
        count += 1;
        format!("{count:032}")
    })
}

fn discovered(object_type: ObjectType, new: Value) -> Vec<NewEvent> {
    derive(object_type, Transition::Discovered(&image(object_type, &new)))
}

fn changed(object_type: ObjectType, old: Value, new: Value) -> Vec<NewEvent> {
    let (old, new) = (image(object_type, &old), image(object_type, &new));
    let difference = diff(&old, &new, &schema());
    derive(object_type, Transition::Changed { old: &old, new: &new, changes: &difference.changes })
}

/// Type, property, old and new value.
fn told(events: &[NewEvent]) -> Vec<(&str, &str, &str, &str)> {
    events
        .iter()
        .map(|event| {
            (
                event.event_type,
                event.property_name.as_deref().unwrap_or("-"),
                event.old_value.as_deref().unwrap_or("-"),
                event.new_value.as_deref().unwrap_or("-"),
            )
        })
        .collect()
}

fn only(events: Vec<NewEvent>) -> NewEvent {
    assert_eq!(events.len(), 1, "{:?}", told(&events));
    events.into_iter().next().unwrap()
}

/// The searchable properties, `-` for none.
fn qry(event: &NewEvent) -> [&str; 10] {
    std::array::from_fn(|slot| event.qry[slot].as_deref().unwrap_or("-"))
}

/// IIQ-11: type, category and source type as IdentityIQ 8.4 was seen to write them.
#[test]
fn an_identity_is_discovered() {
    let event = only(discovered(ObjectType::Identity, json!({"name": "ann", "accounts": [{"id": "a1"}]})));
    assert_eq!(
        (event.event_type, event.category, event.source_type),
        ("IdentityDiscovered", "Identity", "INITIAL_CAPTURE")
    );
    assert_eq!(
        (event.table, event.entity_id.as_str(), event.entity_name.as_str()),
        (EventTable::Identity, "o1", "Object One")
    );
    assert_eq!((event.event_date_ms, event.recorded_ms), (1_000, 2_000));
    assert_eq!((event.prev_capture_id, event.capture_id), (None, Some(NEW.to_owned())));
    assert_eq!(event.id, "00000000000000000000000000000001");
}

#[test]
fn an_identity_is_deleted() {
    let event = only(derive(ObjectType::Identity, Transition::Deleted));
    assert_eq!(
        (event.event_type, event.category, event.source_type),
        ("IdentityDeleted", "Identity", "DELETE_CAPTURE")
    );
    assert_eq!((event.prev_capture_id.as_deref(), event.capture_id.as_deref()), (Some(OLD), Some(NEW)));
}

#[test]
fn an_identity_changes_property_by_property() {
    let events = changed(
        ObjectType::Identity,
        json!({"email": "a@x", "manager": {"id": "m1", "name": "Max"}, "riskScore": 5, "lastRefresh": 1,
               "attributes": {"costCenter": ["10"], "location": "Bern", "languages": ["de", "fr"]}}),
        json!({"manager": {"id": "m2", "name": "Mia"}, "riskScore": 7, "lastRefresh": 2,
               "attributes": {"costCenter": ["20"], "location": "Basel", "languages": ["de", "it"]}}),
    );
    assert_eq!(
        told(&events),
        [
            ("IdentityChanged", "attributes.costCenter", "10", "20"),
            ("IdentityChanged", "attributes.languages", "fr", "-"),
            ("IdentityChanged", "attributes.languages", "-", "it"),
            ("IdentityChanged", "attributes.location", "Bern", "Basel"),
            ("IdentityChanged", "email", "a@x", "-"),
            ("IdentityChanged", "manager", r#"{"id":"m1","name":"Max"}"#, r#"{"id":"m2","name":"Mia"}"#),
            ("IdentityChanged", "riskScore", "5", "7"),
        ]
    );
    assert!(events.iter().all(|event| event.source_type == "CHANGE_CAPTURE" && event.category == "Identity"));
    assert_eq!(qry(&events[5]), ["m2", "Mia", "-", "-", "-", "-", "-", "-", "-", "-"]);
}

#[test]
fn an_identity_becomes_inactive() {
    let event = only(changed(ObjectType::Identity, json!({}), json!({"inactive": true})));
    assert_eq!(
        (event.event_type, event.category, event.old_value.as_deref(), event.new_value.as_deref()),
        ("IdentityStatusChanged", "Identity", Some("false"), Some("true"))
    );
    assert_eq!(event.property_name.as_deref(), Some("inactive"));
    assert!(changed(ObjectType::Identity, json!({"inactive": null}), json!({"inactive": false})).is_empty());
}

fn account(id: &str, display_name: &str) -> Value {
    json!({"id": id, "applicationId": "app1", "applicationName": "Directory", "instance": "eu",
           "nativeIdentity": format!("cn={id}"), "displayName": display_name})
}

#[test]
fn accounts_come_and_go() {
    let events = changed(
        ObjectType::Identity,
        json!({"accounts": [account("a1", "Ann"), account("a2", "Ann B")]}),
        json!({"accounts": [account("a2", "Ann C"), account("a3", "Ann D")]}),
    );
    assert_eq!(
        told(&events),
        [("AccountRemoved", "accounts", "cn=a1", "-"), ("AccountAdded", "accounts", "-", "cn=a3")]
    );
    assert_eq!(
        events[1].account,
        Some(AccountColumns {
            account_id: Some("a3".to_owned()),
            app_instance: Some("eu".to_owned()),
            app_id: Some("app1".to_owned()),
            native_id: Some("cn=a3".to_owned()),
            app_name: Some("Directory".to_owned()),
            display_name: Some("Ann D".to_owned()),
        })
    );
    assert_eq!(qry(&events[0]), ["a1", "Ann", "Directory", "-", "-", "-", "-", "-", "-", "-"]);
    assert_eq!(events[0].category, "Account");
}

#[test]
fn an_account_changes_on_the_timeline_of_its_identity() {
    let fields = |shell: &str, groups: Value, owner: &str| {
        json!({"identity": {"id": "i-ann", "name": owner}, "application": {"id": "app1", "name": "Directory"},
               "nativeIdentity": "cn=a1", "displayName": "Ann", "attributes": {"shell": shell, "memberOf": groups}})
    };
    let events = changed(
        ObjectType::Account,
        fields("sh", json!("staff"), "ann"),
        fields("bash", json!(["admins", "staff"]), "ann2"),
    );
    assert_eq!(
        told(&events),
        [
            ("AccountChanged", "attributes.memberOf", "-", "admins"),
            ("AccountChanged", "attributes.shell", "sh", "bash"),
        ]
    );
    let event = &events[1];
    assert_eq!(
        (event.table, event.entity_id.as_str(), event.entity_name.as_str()),
        (EventTable::Identity, "i-ann", "ann")
    );
    assert_eq!((event.category, event.source_type), ("Account", "CHANGE_CAPTURE"));
    let account = event.account.as_ref().unwrap();
    assert_eq!((account.account_id.as_deref(), account.native_id.as_deref()), (Some("o1"), Some("cn=a1")));
    assert_eq!((account.app_id.as_deref(), account.app_name.as_deref()), (Some("app1"), Some("Directory")));
    assert_eq!(qry(event), ["o1", "Ann", "Directory", "shell", "bash", "-", "-", "-", "-", "-"]);
}

/// No double counting: an account or entitlement that comes or goes is told by its identity alone.
#[test]
fn accounts_and_entitlements_do_not_tell_what_their_identity_tells() {
    assert!(discovered(ObjectType::Account, account("a1", "Ann")).is_empty());
    assert!(derive(ObjectType::Account, Transition::Deleted).is_empty());
    assert!(discovered(ObjectType::Entitlement, json!({"name": "memberOf", "value": "x"})).is_empty());
    assert!(
        changed(ObjectType::Entitlement, json!({"assigned": false}), json!({"assigned": true})).is_empty()
    );
    assert!(derive(ObjectType::Entitlement, Transition::Deleted).is_empty());
}

#[test]
fn entitlements_come_and_go() {
    let entitlement = |id: &str, value: &str| {
        json!({"id": id, "applicationId": "app1", "applicationName": "Directory", "instance": "eu",
               "nativeIdentity": "cn=a1", "name": "memberOf", "value": value, "displayName": format!("Group {value}"),
               "assigner": "max", "source": "LCM", "assignmentId": "as1", "requestItemId": "ri1",
               "identityRequestId": "rq1", "pendingRequestItemId": "pi1"})
    };
    let events = changed(
        ObjectType::Identity,
        json!({"accounts": [account("a1", "Ann")], "entitlements": [entitlement("e1", "staff")]}),
        json!({"accounts": [account("a1", "Ann")], "entitlements": [entitlement("e2", "admins")]}),
    );
    assert_eq!(
        told(&events),
        [("EntitlementRemoved", "memberOf", "staff", "-"), ("EntitlementAdded", "memberOf", "-", "admins")]
    );
    let event = &events[1];
    assert_eq!(event.category, "Entitlement");
    assert_eq!(event.identity_entitlement_id.as_deref(), Some("e2"));
    assert_eq!(
        (
            event.request_item_id.as_deref(),
            event.identity_request_id.as_deref(),
            event.pending_request_item_id.as_deref()
        ),
        (Some("ri1"), Some("rq1"), Some("pi1"))
    );
    assert_eq!(
        event.account,
        Some(AccountColumns {
            account_id: Some("a1".to_owned()),
            app_instance: Some("eu".to_owned()),
            app_id: Some("app1".to_owned()),
            native_id: Some("cn=a1".to_owned()),
            app_name: Some("Directory".to_owned()),
            display_name: Some("Ann".to_owned()),
        })
    );
    assert_eq!(
        qry(event),
        ["e2", "Group admins", "Directory", "memberOf", "admins", "max", "LCM", "as1", "-", "-"]
    );
}

#[test]
fn an_entitlement_that_changed_is_a_change_of_the_identity() {
    let entitlement = |assigned: bool| json!({"entitlements": [{"id": "e1", "assigned": assigned}]});
    let event = only(changed(ObjectType::Identity, entitlement(false), entitlement(true)));
    assert_eq!(
        told(&[event]),
        [(
            "IdentityChanged",
            "entitlements",
            r#"{"assigned":false,"id":"e1"}"#,
            r#"{"assigned":true,"id":"e1"}"#
        )]
    );
}

fn assignment(set: &str, id: &str, role: &str) -> Value {
    json!({"id": id, "name": set, "roleId": role, "roleName": format!("Role {role}"), "assigner": "max",
           "source": "LCM", "assignmentId": format!("as-{id}"), "requestItemId": "ri1", "identityRequestId": "rq1"})
}

#[test]
fn assigned_roles_come_and_go_with_their_circumstances_once() {
    let role = |id: &str| json!({"id": id, "name": format!("Role {id}")});
    let events = changed(
        ObjectType::Identity,
        json!({"assignedRoles": [role("r1")], "roleAssignments": [assignment("assignedRoles", "x1", "r1")],
               "roleMetadata": [{"roleId": "r1", "name": "Role r1", "assigned": true}]}),
        json!({"assignedRoles": [role("r2")], "roleAssignments": [assignment("assignedRoles", "x2", "r2")],
               "roleMetadata": [{"roleId": "r2", "name": "Role r2", "assigned": true}]}),
    );
    assert_eq!(
        told(&events),
        [
            ("AssignedRoleRemoved", "assignedRoles", "Role r1", "-"),
            ("AssignedRoleAdded", "assignedRoles", "-", "Role r2"),
        ]
    );
    let event = &events[1];
    assert_eq!((event.category, event.identity_entitlement_id.as_deref()), ("AssignedRole", Some("x2")));
    assert_eq!(
        (event.request_item_id.as_deref(), event.identity_request_id.as_deref()),
        (Some("ri1"), Some("rq1"))
    );
    assert_eq!(qry(event), ["r2", "Role r2", "-", "-", "-", "max", "LCM", "as-x2", "-", "-"]);
    assert_eq!(qry(&events[0]), ["r1", "Role r1", "-", "-", "-", "max", "LCM", "as-x1", "-", "-"]);
}

#[test]
fn detected_roles_come_and_go() {
    let role = |id: &str| json!({"id": id, "name": format!("Role {id}")});
    let events = changed(
        ObjectType::Identity,
        json!({"assignedRoles": [role("r2")], "detectedRoles": [role("r1")]}),
        json!({"assignedRoles": [role("r2")], "detectedRoles": [role("r2")],
               "roleAssignments": [assignment("detectedRoles", "x2", "r2")]}),
    );
    assert_eq!(
        told(&events),
        [
            ("DetectedRoleRemoved", "detectedRoles", "Role r1", "-"),
            ("DetectedRoleAdded", "detectedRoles", "-", "Role r2"),
        ]
    );
    assert_eq!(events[1].category, "DetectedRole");
}

/// A second assignment of a role that the identity has already is no new role, and no secret either.
#[test]
fn another_assignment_of_the_same_role_is_a_change_of_the_identity() {
    let first = assignment("assignedRoles", "x1", "r1");
    let second = assignment("assignedRoles", "x2", "r1");
    let roles = json!([{"id": "r1", "name": "Role r1"}]);
    let events = changed(
        ObjectType::Identity,
        json!({"assignedRoles": roles, "roleAssignments": [first]}),
        json!({"assignedRoles": roles, "roleAssignments": [first, second]}),
    );
    assert_eq!(told(&events), [("IdentityChanged", "roleAssignments", "-", second.to_string().as_str())]);
}

#[test]
fn capabilities_and_workgroups_are_changes_of_the_identity_element_by_element() {
    let events = changed(
        ObjectType::Identity,
        json!({"capabilities": [{"id": "c1", "name": "Auditor"}], "workgroups": []}),
        json!({"capabilities": [], "workgroups": [{"id": "w1", "name": "Helpdesk"}]}),
    );
    assert_eq!(
        told(&events),
        [
            ("IdentityChanged", "capabilities", r#"{"id":"c1","name":"Auditor"}"#, "-"),
            ("IdentityChanged", "workgroups", "-", r#"{"id":"w1","name":"Helpdesk"}"#),
        ]
    );
    assert_eq!(qry(&events[1])[..2], ["w1", "Helpdesk"]);
}

#[test]
fn another_name_of_an_object_referred_to_is_no_event_here() {
    let fields = |name: &str| json!({"manager": {"id": "m1", "name": name}, "capabilities": [{"id": "c1", "name": name}]});
    assert!(changed(ObjectType::Identity, fields("Old"), fields("New")).is_empty());
    assert!(
        changed(
            ObjectType::Role,
            json!({"owner": {"id": "m", "name": "a"}}),
            json!({"owner": {"id": "m", "name": "b"}})
        )
        .is_empty()
    );
}

fn request_item(approval: &str, provisioning: Value) -> Value {
    json!({"identityRequest": {"id": "rq1", "name": "0000001"}, "requester": {"id": "i-max", "name": "max"},
           "operation": "Add", "application": {"name": "Directory", "id": "app1"}, "nativeIdentity": "cn=a1",
           "name": "memberOf", "value": "admins", "approvalState": approval, "provisioningState": provisioning,
           "attributes": {"assignmentId": "as1", "identityEntitlementId": "e9"}})
}

#[test]
fn an_access_request_is_told_when_first_seen_and_when_it_ends() {
    let pending = request_item("Pending", json!("Pending"));
    let event = only(discovered(ObjectType::IdentityRequestItem, pending.clone()));
    assert_eq!(
        (event.event_type, event.category, event.source_type),
        ("GovernanceEvent", "Governance", "INITIAL_CAPTURE")
    );
    assert_eq!((event.entity_id.as_str(), event.entity_name.as_str()), ("i-ann", "ann"));
    assert_eq!(
        (event.request_item_id.as_deref(), event.pending_request_item_id.as_deref()),
        (Some("o1"), Some("o1"))
    );
    assert_eq!(
        (event.identity_request_id.as_deref(), event.identity_entitlement_id.as_deref()),
        (Some("rq1"), Some("e9"))
    );
    assert_eq!(told(std::slice::from_ref(&event)), [("GovernanceEvent", "memberOf", "-", "admins")]);
    assert_eq!(
        qry(&event),
        [
            "o1",
            "Add",
            "Directory",
            "memberOf",
            "admins",
            "max",
            "0000001",
            "as1",
            "AccessRequest",
            "Requested"
        ]
    );
    let account = event.account.unwrap();
    assert_eq!((account.app_id.as_deref(), account.native_id.as_deref()), (Some("app1"), Some("cn=a1")));

    let state = |old: &Value, new: Value| -> Vec<String> {
        changed(ObjectType::IdentityRequestItem, old.clone(), new)
            .iter()
            .map(|event| qry(event)[9].to_owned())
            .collect()
    };
    assert!(state(&pending, request_item("Finished", json!("Pending"))).is_empty());
    assert!(state(&pending, request_item("Finished", json!("Retry"))).is_empty());
    assert_eq!(state(&pending, request_item("Finished", json!("Commited"))), ["Commited"]);
    assert_eq!(state(&pending, request_item("Rejected", Value::Null)), ["Rejected"]);
    let finished = request_item("Finished", json!("Finished"));
    let ended = only(changed(ObjectType::IdentityRequestItem, pending, finished.clone()));
    assert_eq!((ended.pending_request_item_id, ended.request_item_id.as_deref()), (None, Some("o1")));
    let mut annotated = finished.clone();
    annotated["annotation"] = json!("done");
    assert!(state(&finished, annotated).is_empty());
}

#[test]
fn a_request_to_remove_names_what_goes_as_the_old_value() {
    let mut item = request_item("Finished", json!("Finished"));
    item["operation"] = json!("Remove");
    let event = only(discovered(ObjectType::IdentityRequestItem, item));
    assert_eq!(told(&[event]), [("GovernanceEvent", "memberOf", "admins", "-")]);
}

#[test]
fn a_certification_that_takes_access_away_is_told_once() {
    let entitlement = json!({"certification": {"id": "c1", "name": "Q3 review"}, "type": "Exception",
        "status": "Remediated", "exceptionApplication": "Directory", "exceptionNativeIdentity": "cn=a1",
        "exceptionAttributeName": "memberOf", "exceptionAttributeValue": "admins", "actorName": "max",
        "targetDisplayName": "Admins"});
    let event = only(discovered(ObjectType::CertificationRemediation, entitlement.clone()));
    assert_eq!(told(std::slice::from_ref(&event)), [("GovernanceEvent", "memberOf", "admins", "-")]);
    assert_eq!(
        qry(&event),
        [
            "o1",
            "Admins",
            "Directory",
            "memberOf",
            "admins",
            "max",
            "Q3 review",
            "-",
            "Certification",
            "Remediated"
        ]
    );
    assert_eq!(event.account.unwrap().native_id.as_deref(), Some("cn=a1"));
    let mut completed = entitlement.clone();
    completed["remediationCompleted"] = json!(true);
    assert!(changed(ObjectType::CertificationRemediation, entitlement, completed).is_empty());

    let role = json!({"certification": {"id": "c1", "name": "Q3 review"}, "type": "Bundle", "status": "Remediated",
        "bundle": {"id": "r1", "name": "Role r1"}, "bundleAssignmentId": "as1", "actorName": "max"});
    let event = only(discovered(ObjectType::CertificationRemediation, role));
    assert_eq!(told(std::slice::from_ref(&event)), [("GovernanceEvent", "assignedRoles", "Role r1", "-")]);
    assert_eq!(qry(&event)[..2], ["r1", "Role r1"]);
    assert_eq!((qry(&event)[7], event.account.as_ref()), ("as1", None));
}

#[test]
fn a_policy_violation_is_told_while_active_and_when_mitigated() {
    let violation = |active: bool, status: &str| {
        json!({"name": "v", "policyName": "SoD", "constraintName": "Pay and approve", "active": active,
               "status": status, "mitigator": "max"})
    };
    let event = only(discovered(ObjectType::PolicyViolation, violation(true, "Open")));
    assert_eq!(told(std::slice::from_ref(&event)), [("GovernanceEvent", "status", "-", "Open")]);
    assert_eq!((event.table, event.category), (EventTable::Identity, "Governance"));
    assert_eq!(
        qry(&event),
        ["o1", "Pay and approve", "-", "-", "-", "max", "SoD", "-", "PolicyViolation", "Open"]
    );

    let event =
        only(changed(ObjectType::PolicyViolation, violation(true, "Open"), violation(true, "Mitigated")));
    assert_eq!(
        told(std::slice::from_ref(&event)),
        [("PolicyViolationMitigated", "status", "Open", "Mitigated")]
    );
    assert_eq!((qry(&event)[8], qry(&event)[9]), ("PolicyViolation", "Mitigated"));

    let both = discovered(ObjectType::PolicyViolation, violation(true, "Mitigated"));
    assert_eq!(
        told(&both),
        [
            ("GovernanceEvent", "status", "-", "Mitigated"),
            ("PolicyViolationMitigated", "status", "-", "Mitigated"),
        ]
    );
    assert!(discovered(ObjectType::PolicyViolation, violation(false, "Remediated")).is_empty());
    assert!(
        changed(ObjectType::PolicyViolation, violation(true, "Open"), violation(false, "Open")).is_empty()
    );
    assert_eq!(
        changed(ObjectType::PolicyViolation, violation(false, "Open"), violation(true, "Open")).len(),
        1
    );
}

#[test]
fn a_decision_on_a_violation_is_told() {
    let decision = |status: &str| {
        json!({"status": status, "policyName": "SoD", "constraintName": "Pay and approve", "actor": "max",
               "attribute": "memberOf", "value": "payers", "application": {"name": "Directory", "id": "app1"}})
    };
    let event = only(discovered(ObjectType::PolicyViolationRemediation, decision("Remediated")));
    assert_eq!(event.event_type, "GovernanceEvent");
    assert_eq!(
        qry(&event),
        [
            "o1",
            "Pay and approve",
            "Directory",
            "memberOf",
            "payers",
            "max",
            "SoD",
            "-",
            "PolicyViolation",
            "Remediated"
        ]
    );
    let event = only(discovered(ObjectType::PolicyViolationRemediation, decision("Mitigated")));
    assert_eq!(event.event_type, "PolicyViolationMitigated");
}

#[test]
fn violations_in_an_identitys_image_are_told_only_where_they_end() {
    let violation = |status: &str| json!({"id": "v1", "status": status});
    let none = json!({"policyViolations": []});
    let open = json!({"policyViolations": [violation("Open")]});
    let mitigated = json!({"policyViolations": [violation("Mitigated")]});
    assert!(changed(ObjectType::Identity, none.clone(), open.clone()).is_empty());
    assert!(changed(ObjectType::Identity, open.clone(), mitigated).is_empty());
    assert_eq!(
        told(&changed(ObjectType::Identity, open, none)),
        [("IdentityChanged", "policyViolations", r#"{"id":"v1","status":"Open"}"#, "-")]
    );
}

#[test]
fn roles_workgroups_and_managed_attributes_have_timelines_of_their_own() {
    let cases = [
        (ObjectType::Role, EventTable::Role, "Role", ["RoleDiscovered", "RoleChanged", "RoleDeleted"]),
        (
            ObjectType::Workgroup,
            EventTable::Workgroup,
            "Workgroup",
            ["WorkgroupDiscovered", "WorkgroupChanged", "WorkgroupDeleted"],
        ),
        (
            ObjectType::ManagedAttribute,
            EventTable::Mattr,
            "ManagedAttribute",
            ["ManagedAttributeDiscovered", "ManagedAttributeChanged", "ManagedAttributeDeleted"],
        ),
    ];
    for (object_type, table, category, types) in cases {
        let member = |id: &str| json!({"id": id, "name": format!("Name {id}")});
        let old = json!({"description": "old", "members": [member("m1"), member("m2")]});
        let new = json!({"description": "new", "members": [member("m2"), member("m3")]});
        let events: Vec<NewEvent> = [
            discovered(object_type, old.clone()),
            changed(object_type, old, new),
            derive(object_type, Transition::Deleted),
        ]
        .concat();
        assert_eq!(
            told(&events),
            [
                (types[0], "-", "-", "-"),
                (types[1], "description", "old", "new"),
                (types[1], "members", r#"{"id":"m1","name":"Name m1"}"#, "-"),
                (types[1], "members", "-", r#"{"id":"m3","name":"Name m3"}"#),
                (types[2], "-", "-", "-"),
            ]
        );
        assert!(events.iter().all(|event| event.table == table && event.category == category));
        assert!(events.iter().all(|event| event.entity_id == "o1" && event.entity_name == "Object One"));
        assert_eq!(qry(&events[3])[..2], ["m3", "Name m3"]);
    }
}

#[test]
fn a_managed_attribute_names_its_application() {
    let fields = |name: &str| {
        json!({"application": {"id": "app1", "name": "Directory"}, "attribute": "memberOf", "value": "cn=admins",
               "displayName": name})
    };
    let event = only(changed(ObjectType::ManagedAttribute, fields("Admins"), fields("Administrators")));
    assert_eq!(qry(&event), ["-", "-", "Directory", "memberOf", "cn=admins", "-", "-", "-", "-", "-"]);
    let account = event.account.unwrap();
    assert_eq!((account.app_id.as_deref(), account.app_name.as_deref()), (Some("app1"), Some("Directory")));
}

#[test]
fn a_change_from_a_capture_that_cannot_be_read_is_told_without_a_property() {
    let event = only(derive(ObjectType::Identity, Transition::ChangedFromUnreadable));
    assert_eq!((event.event_type, event.property_name), ("IdentityChanged", None));
    assert_eq!(derive(ObjectType::Role, Transition::ChangedFromUnreadable).len(), 1);
    assert!(derive(ObjectType::Account, Transition::ChangedFromUnreadable).is_empty());
}

/// An account without an identity has no timeline to be told on.
#[test]
fn what_belongs_to_nobody_makes_no_event() {
    let key = ObjectKey {
        source: Arc::from("hr"),
        object_type: ObjectType::PolicyViolation,
        object_id: "v".to_owned(),
    };
    let subject = Subject {
        key: &key,
        name: "v",
        identity: None,
        recorded_ms: 2,
        effective_ms: 1,
        prev_capture_id: None,
        capture_id: NEW,
    };
    let active = image(ObjectType::PolicyViolation, &json!({"active": true, "status": "Open"}));
    assert!(derive_events(&subject, Transition::Discovered(&active), &mut String::new).is_empty());
}
