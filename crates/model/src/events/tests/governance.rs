//! Access requests, certifications and policies.

use super::*;

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
