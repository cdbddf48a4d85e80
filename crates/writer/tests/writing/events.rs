//! Events reach their tables with their columns.

use annals_model::{Message, ObjectType};
use serde_json::{Value, json};

use crate::world::{FULL, World, capture, capture_of, deletion, worlds};

/// Writes the second state of an object after the first; the first may be missing.
async fn change(world: &World, object_type: ObjectType, old: Option<Value>, new: Value) {
    let messages: Vec<Message> = old
        .into_iter()
        .map(|old| capture_of(object_type, "o1", old, 100, 150))
        .chain([capture_of(object_type, "o1", new, 200, 250)])
        .collect();
    world.write(messages).await;
}

const COLUMNS: &str =
    "event_type, event_category, event_source_type, entity_id, entity_name, event_date, created,
    coalesce(property_name, '-'), coalesce(old_value, '-'), coalesce(new_value, '-')";

/// The newest event of the identity table.
fn newest(world: &World) -> String {
    world.sql(&format!(
        "select {COLUMNS} from spt_hist_identity_event order by event_date desc, id desc limit 1;"
    ))
}

/// The newest event's column.
fn column(world: &World, column: &str) -> String {
    world.sql(&format!(
        "select {column} from spt_hist_identity_event order by event_date desc, id desc limit 1;"
    ))
}

fn account(id: &str) -> Value {
    json!({"id": id, "applicationId": "app1", "applicationName": "Directory", "instance": "eu",
           "nativeIdentity": format!("cn={id}"), "displayName": "Ann at work"})
}

#[tokio::test]
async fn identity_discovered_changed_status_and_deleted() {
    for world in worlds(&FULL).await {
        world.write(vec![capture("i-ann", json!({"name": "ann", "email": "a"}), 100, 101)]).await;
        assert_eq!(newest(&world), "IdentityDiscovered|Identity|INITIAL_CAPTURE|i-ann|ann|100|1000000|-|-|-");
        world.clock.advance(1);
        world.write(vec![capture("i-ann", json!({"name": "ann", "email": "b"}), 200, 201)]).await;
        assert_eq!(newest(&world), "IdentityChanged|Identity|CHANGE_CAPTURE|i-ann|ann|200|1000001|email|a|b");
        let joined = world.sql(
            "select p.effective_date, c.effective_date from spt_hist_identity_event e
             join spt_hist_identity_capture p on p.id = e.prev_capture_id
             join spt_hist_identity_capture c on c.id = e.capture_id;",
        );
        assert_eq!(joined, "100|200");
        let inactive = json!({"name": "ann", "email": "b", "inactive": true});
        world.write(vec![capture("i-ann", inactive, 300, 301)]).await;
        assert_eq!(
            newest(&world),
            "IdentityStatusChanged|Identity|CHANGE_CAPTURE|i-ann|ann|300|1000001|inactive|false|true"
        );
        world.write(vec![deletion("i-ann", 400, 401)]).await;
        assert_eq!(newest(&world), "IdentityDeleted|Identity|DELETE_CAPTURE|i-ann|ann|400|1000001|-|-|-");
    }
}

#[tokio::test]
async fn account_added_changed_and_removed() {
    let account_columns =
        "account_id, acct_app_instance, acct_app_id, acct_native_id, acct_app_name, acct_display_name";
    for world in worlds(&FULL).await {
        let with = |accounts: Value| json!({"name": "ann", "accounts": accounts});
        world.write(vec![capture("i-ann", with(json!([])), 100, 101)]).await;
        world.write(vec![capture("i-ann", with(json!([account("a1")])), 200, 201)]).await;
        assert_eq!(
            newest(&world),
            "AccountAdded|Account|CHANGE_CAPTURE|i-ann|ann|200|1000000|accounts|-|cn=a1"
        );
        assert_eq!(column(&world, account_columns), "a1|eu|app1|cn=a1|Directory|Ann at work");
        world.write(vec![capture("i-ann", with(json!([])), 300, 301)]).await;
        assert_eq!(
            newest(&world),
            "AccountRemoved|Account|CHANGE_CAPTURE|i-ann|ann|300|1000000|accounts|cn=a1|-"
        );

        let state = |shell: &str| {
            json!({"application": {"id": "app1", "name": "Directory"}, "instance": "eu", "nativeIdentity": "cn=a1",
                   "displayName": "Ann at work", "attributes": {"shell": shell}})
        };
        let messages = [("sh", 400), ("bash", 500)]
            .map(|(shell, at)| capture_of(ObjectType::Account, "a1", state(shell), at, at + 1));
        world.write(messages.into()).await;
        assert_eq!(
            newest(&world),
            "AccountChanged|Account|CHANGE_CAPTURE|i-ann|ann|500|1000000|attributes.shell|sh|bash"
        );
        assert_eq!(column(&world, account_columns), "a1|eu|app1|cn=a1|Directory|Ann at work");
        assert_eq!(
            column(&world, "qry_property1, qry_property3, qry_property4, qry_property5"),
            "a1|Directory|shell|bash"
        );
    }
}

#[tokio::test]
async fn entitlement_added_and_removed() {
    for world in worlds(&FULL).await {
        let entitlement = json!({"id": "e1", "applicationId": "app1", "applicationName": "Directory", "instance": "eu",
            "nativeIdentity": "cn=a1", "name": "memberOf", "value": "admins", "requestItemId": "ri1",
            "identityRequestId": "rq1", "pendingRequestItemId": "pi1", "assigner": "max", "source": "LCM"});
        let with = |list: Value| json!({"name": "ann", "accounts": [account("a1")], "entitlements": list});
        world.write(vec![capture("i-ann", with(json!([])), 100, 101)]).await;
        world.write(vec![capture("i-ann", with(json!([entitlement])), 200, 201)]).await;
        assert_eq!(
            newest(&world),
            "EntitlementAdded|Entitlement|CHANGE_CAPTURE|i-ann|ann|200|1000000|memberOf|-|admins"
        );
        assert_eq!(
            column(
                &world,
                "identity_entitlement_id, request_item_id, identity_request_id, pending_request_item_id"
            ),
            "e1|ri1|rq1|pi1"
        );
        assert_eq!(
            column(&world, "account_id, acct_app_name, acct_display_name"),
            "a1|Directory|Ann at work"
        );
        assert_eq!(
            column(
                &world,
                "qry_property1, qry_property2, qry_property3, qry_property4, qry_property5, qry_property6, qry_property7"
            ),
            "e1|admins|Directory|memberOf|admins|max|LCM"
        );
        world.write(vec![capture("i-ann", with(json!([])), 300, 301)]).await;
        assert_eq!(
            newest(&world),
            "EntitlementRemoved|Entitlement|CHANGE_CAPTURE|i-ann|ann|300|1000000|memberOf|admins|-"
        );
    }
}

#[tokio::test]
async fn roles_assigned_and_detected() {
    for world in worlds(&FULL).await {
        for (field, category) in [("assignedRoles", "AssignedRole"), ("detectedRoles", "DetectedRole")] {
            let with = |roles: Value| json!({"name": "ann", field: roles});
            let id = format!("i-{field}");
            for (at, roles) in
                [(100, json!([])), (200, json!([{"id": "r1", "name": "Clerk"}])), (300, json!([]))]
            {
                world.write(vec![capture(&id, with(roles), at, at + 1)]).await;
            }
            let events = world.sql(&format!(
                "select {COLUMNS}, coalesce(qry_property1, '-'), coalesce(qry_property2, '-')
                 from spt_hist_identity_event where entity_id = '{id}' order by event_date;"
            ));
            assert_eq!(
                events.lines().skip(1).collect::<Vec<_>>(),
                [
                    format!(
                        "{category}Added|{category}|CHANGE_CAPTURE|{id}|ann|200|1000000|{field}|-|Clerk|r1|Clerk"
                    ),
                    format!(
                        "{category}Removed|{category}|CHANGE_CAPTURE|{id}|ann|300|1000000|{field}|Clerk|-|r1|Clerk"
                    ),
                ]
            );
        }
    }
}

#[tokio::test]
async fn governance() {
    let searchable = "qry_property2, qry_property7, qry_property9, qry_property10";
    for world in worlds(&FULL).await {
        let item = json!({"identityRequest": {"id": "rq1", "name": "0000001"}, "operation": "Add",
            "application": {"id": "app1", "name": "Directory"}, "name": "memberOf", "value": "admins",
            "approvalState": "Finished", "provisioningState": "Finished"});
        change(&world, ObjectType::IdentityRequestItem, None, item).await;
        assert_eq!(
            newest(&world),
            "GovernanceEvent|Governance|INITIAL_CAPTURE|i-ann|ann|200|1000000|memberOf|-|admins"
        );
        assert_eq!(column(&world, "request_item_id, identity_request_id, acct_app_id"), "o1|rq1|app1");
        assert_eq!(column(&world, searchable), "Add|0000001|AccessRequest|Finished");
        world.sql("delete from spt_hist_identity_event;");

        let remediation = json!({"certification": {"id": "c1", "name": "Q3"}, "type": "Bundle", "status": "Remediated",
            "bundle": {"id": "r1", "name": "Clerk"}});
        change(&world, ObjectType::CertificationRemediation, None, remediation).await;
        assert_eq!(
            newest(&world),
            "GovernanceEvent|Governance|INITIAL_CAPTURE|i-ann|ann|200|1000000|assignedRoles|Clerk|-"
        );
        assert_eq!(column(&world, searchable), "Clerk|Q3|Certification|Remediated");
        world.sql("delete from spt_hist_identity_event;");

        let violation = |status: &str| json!({"policyName": "SoD", "constraintName": "Pay and approve", "active": true, "status": status});
        change(&world, ObjectType::PolicyViolation, Some(violation("Open")), violation("Mitigated")).await;
        assert_eq!(
            world.sql(&format!("select {COLUMNS} from spt_hist_identity_event order by event_date;")),
            "GovernanceEvent|Governance|INITIAL_CAPTURE|i-ann|ann|100|1000000|status|-|Open\n\
             PolicyViolationMitigated|Governance|CHANGE_CAPTURE|i-ann|ann|200|1000000|status|Open|Mitigated"
        );
        assert_eq!(column(&world, searchable), "Pay and approve|SoD|PolicyViolation|Mitigated");
    }
}

#[tokio::test]
async fn managed_attributes_roles_and_workgroups() {
    let cases = [
        (ObjectType::ManagedAttribute, "spt_hist_mattr_event", "display_name", "ManagedAttribute"),
        (ObjectType::Role, "spt_hist_role_event", "entity_name", "Role"),
        (ObjectType::Workgroup, "spt_hist_workgroup_event", "entity_name", "Workgroup"),
    ];
    for world in worlds(&FULL).await {
        for (object_type, table, name, category) in cases {
            let fields = |description: &str| json!({"name": "Thing", "description": description, "application": {"id": "app1", "name": "Directory"}});
            change(&world, object_type, Some(fields("old")), fields("new")).await;
            assert_eq!(
                world.sql(&format!(
                    "select event_type, event_category, event_source_type, entity_id, {name}, event_date,
                     coalesce(property_name, '-'), coalesce(old_value, '-'), coalesce(new_value, '-')
                     from {table} order by event_date;"
                )),
                format!(
                    "{category}Discovered|{category}|INITIAL_CAPTURE|o1|Thing|100|-|-|-\n\
                     {category}Changed|{category}|CHANGE_CAPTURE|o1|Thing|200|description|old|new"
                )
            );
        }
        assert_eq!(
            world.sql("select distinct acct_app_id, acct_app_name from spt_hist_mattr_event;"),
            "app1|Directory"
        );
        assert_eq!(world.sql("select count(*) from spt_hist_identity_event;"), "0");
    }
}
