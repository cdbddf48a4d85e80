//! Identities, their accounts, entitlements and roles.

use super::*;

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

/// IdentityIQ keeps some values in a column and among the attributes.
#[test]
fn a_value_kept_twice_is_told_once() {
    let fields =
        |email: &str, site: &str| json!({"email": email, "attributes": {"email": email, "site": site}});
    assert_eq!(
        told(&changed(ObjectType::Identity, fields("a@x", "A"), fields("b@x", "B"))),
        [("IdentityChanged", "attributes.site", "A", "B"), ("IdentityChanged", "email", "a@x", "b@x")]
    );
    let differing = json!({"email": "b@x", "attributes": {"email": "c@x", "site": "A"}});
    assert_eq!(changed(ObjectType::Identity, fields("a@x", "A"), differing).len(), 2);
}

/// IdentityIQ copies the attribute `IIQDisabled` of an account, which it leaves out where it is not set, into a column.
#[test]
fn a_flag_kept_twice_is_told_once_however_it_is_spelled() {
    let enabled = json!({"iiqDisabled": false, "attributes": {"title": "Clerk"}});
    let disabled = json!({"iiqDisabled": true, "attributes": {"title": "Clerk", "IIQDisabled": true}});
    let spelled_out = json!({"iiqDisabled": false, "attributes": {"title": "Clerk", "IIQDisabled": false}});
    let disabling = [("AccountChanged", "iiqDisabled", "false", "true")];
    assert_eq!(told(&changed(ObjectType::Account, enabled.clone(), disabled.clone())), disabling);
    assert_eq!(told(&changed(ObjectType::Account, spelled_out, disabled.clone())), disabling);
    assert_eq!(
        told(&changed(ObjectType::Account, disabled, enabled)),
        [("AccountChanged", "iiqDisabled", "true", "false")]
    );
    // Before release 8.3 there is no column.
    let old = json!({"attributes": {"IIQDisabled": false}});
    let new = json!({"attributes": {"IIQDisabled": true}});
    assert_eq!(
        told(&changed(ObjectType::Account, old, new)),
        [("AccountChanged", "attributes.IIQDisabled", "false", "true")]
    );
    // The two say different things.
    let old = json!({"iiqDisabled": false, "attributes": {"IIQDisabled": true}});
    let new = json!({"iiqDisabled": true, "attributes": {"IIQDisabled": false}});
    assert_eq!(changed(ObjectType::Account, old, new).len(), 2);
}

/// IdentityIQ's preferences repeat the assignments of roles.
#[test]
fn preferences_are_told_where_they_say_more_than_the_roles() {
    let fields = |roles: &[&str], option: &str| {
        let elements: Vec<Value> = roles.iter().map(|id| json!({"id": id, "name": id})).collect();
        json!({"assignedRoles": elements, "preferences": {"roleAssignments": roles, "option": option}})
    };
    let types = |new| -> Vec<String> {
        changed(ObjectType::Identity, fields(&["r1"], "Both"), new)
            .into_iter()
            .map(|e| e.event_type.to_owned())
            .collect()
    };
    assert_eq!(types(fields(&["r1", "r2"], "Both")), ["AssignedRoleAdded"]);
    assert_eq!(types(fields(&["r1", "r2"], "None")), ["AssignedRoleAdded", "IdentityChanged"]);
    assert_eq!(types(fields(&["r1"], "None")), ["IdentityChanged"]);
}
