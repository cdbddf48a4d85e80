//! What the shipped profile and transform make of single object types.

use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// A searchable attribute, which IdentityIQ keeps in the attribute map and copies into a column: a change of it is one
/// capture and one event, with the attribute's own name.
#[tokio::test]
async fn a_searchable_attribute_that_changes_is_told_once() {
    for site in Site::everywhere(20).await {
        let (id, _) = somebody(&site);
        let old = site.ask_one(&format!("select extended3 from spt_identity where id = '{id}';"));
        site.run(START_MS).await.succeeds();
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "update spt_identity set extended3 = 'FIN-99', attributes = replace(attributes, '{old}', 'FIN-99'),
               significant_modified = {at_ms} where id = '{id}';"
        ));
        let now_ms = START_MS + DAY_MS;
        site.run(now_ms).await.succeeds();
        assert_eq!(site.captured_at(now_ms), [("identity".to_owned(), vec![id.clone()])].into());
        let told = site.look(&format!(
            "select event_type, property_name, old_value, new_value, event_date from spt_hist_identity_event
             where entity_id = '{id}' and event_source_type = 'CHANGE_CAPTURE';"
        ));
        assert_eq!(told, [format!("IdentityChanged|attributes.costCenter|{old}|FIN-99|{at_ms}")]);
    }
}

/// A role inherits what its parents grant: when that changes, IdentityIQ writes the child's list of entitlements anew
/// and leaves the child's own row alone.
#[tokio::test]
async fn what_a_role_inherits_is_news_of_the_role() {
    for site in Site::everywhere(20).await {
        site.run(START_MS).await.succeeds();
        let role = site.ask_one("select id from spt_bundle order by id limit 1;");
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "insert into spt_bundle_profile_relation
               (id, created, bundle_id, attribute, value, required, permitted, or_member, inherited)
             values ('relation-x', {at_ms}, '{role}', 'memberOf', 'Payroll', {{true}}, {{false}}, {{false}}, {{true}});"
        ));
        let now_ms = START_MS + DAY_MS;
        let ran = site.run(now_ms).await.succeeds();
        assert_eq!(ran.counters().total_object_messages, 1);
        assert_eq!(site.captured_at(now_ms)["role"], [role.as_str()]);
        let told = site.look(&format!(
            "select event_type, property_name, coalesce(old_value, '-'), new_value, event_date
             from spt_hist_role_event where entity_id = '{role}' and event_source_type = 'CHANGE_CAPTURE';"
        ));
        let relation = concat!(
            r#"{"attribute":"memberOf","inherited":true,"orMember":false,"permitted":false,"required":true,"#,
            r#""value":"Payroll"}"#
        );
        assert_eq!(told, [format!("RoleChanged|profileRelations|-|{relation}|{at_ms}")]);
    }
}

/// A certification that looks at an entitlement changes the entitlement's row, not the person who holds it.
#[tokio::test]
async fn being_certified_is_told_by_the_entitlement() {
    for site in Site::on_each_history(20).await {
        let item = site.ask_one("select max(id) from spt_certification_item;");
        let held = site.ask_one(&format!(
            "select id from spt_identity_entitlement where coalesce(certification_item, '-') <> '{item}'
             order by id limit 1;"
        ));
        site.run(START_MS).await.succeeds();
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "update spt_identity_entitlement set certification_item = '{item}', significant_modified = {at_ms}
             where id = '{held}';"
        ));
        let now_ms = START_MS + DAY_MS;
        site.run(now_ms).await.succeeds();
        assert_eq!(site.captured_at(now_ms), [("entitlement".to_owned(), vec![held.clone()])].into());
        let kept = site.look(&format!(
            "select certification_item_id from spt_hist_entitlement_capture
             where identity_entitlement_id = '{held}' and created = {now_ms};"
        ));
        assert_eq!(kept, [item]);
        let events = format!("select count(*) from spt_hist_identity_event where created = {now_ms};");
        assert_eq!(site.count(&events), 0);
    }
}

/// IIQ-19: columns that the generated identity system leaves empty hold what the source's rows say.
#[tokio::test]
async fn columns_that_are_seldom_filled_hold_what_the_source_says() {
    for site in Site::on_each_history(20).await {
        let first = |query: &str| site.ask_one(&format!("{query} order by 1 limit 1;"));
        let item = first(
            "select x.id from spt_identity_request_item x
             join spt_identity_request r on r.id = x.identity_request_id join spt_identity i on i.id = r.target_id",
        );
        let entitlement = first("select id from spt_identity_entitlement where name not like '%Roles'");
        let revoked = first(
            "select i.id from spt_certification_item i join spt_certification_action d on d.id = i.action
             where d.status = 'Remediated' and i.type <> 'PolicyViolation'",
        );
        let decided = first(
            "select id from spt_identity_history_item
             where identity_id is not null and policy is not null and status = 'Remediated'",
        );
        let managed = site.ask_one(
            "select a.id, a.name, m.attribute, m.value, m.displayable_name from spt_managed_attribute m
             join spt_application a on a.id = m.application where m.displayable_name <> m.value
             order by m.id limit 1;",
        );
        let [app_id, app, attribute, value, display] = managed.split('|').collect::<Vec<_>>()[..] else {
            panic!("{managed}")
        };
        site.change(&format!(
            "update spt_identity_request_item set compilation_status = 'Filtered', attributes = '<Attributes><Map>\
               <entry key=\"assignmentId\" value=\"assignment-1\"/>\
               <entry key=\"identityEntitlementId\" value=\"entitlement-1\"/></Map></Attributes>'
               where id = '{item}';
             update spt_identity_entitlement set instance = 'eu', pending_request_item = '{item}'
               where id = '{entitlement}';
             update spt_certification_item set bundle_assignment_id = 'assignment-2' where id = '{revoked}';
             update spt_identity_history_item
               set application = '{app}', attribute = '{attribute}', value = '{value}' where id = '{decided}';"
        ));
        site.run(START_MS).await.succeeds();
        let held = |columns: &str, rows: String| site.look(&format!("select {columns} from {rows};"));
        assert_eq!(
            held(
                "identity_entitlement_id, assignment_id, compilation_status",
                format!("spt_hist_identity_req_item_capture where identity_request_item_id = '{item}'")
            ),
            ["entitlement-1|assignment-1|Filtered"]
        );
        assert_eq!(
            held(
                "instance, pending_request_item_id",
                format!("spt_hist_entitlement_capture where identity_entitlement_id = '{entitlement}'")
            ),
            [format!("eu|{item}")]
        );
        assert_eq!(
            held(
                "bundle_assignment_id",
                format!("spt_hist_cert_remediation_capture where certification_item_id = '{revoked}'")
            ),
            ["assignment-2"]
        );
        assert_eq!(
            held(
                "application, application_id, entitlement_name, entitlement_value, entitlement_display_value",
                format!(
                    "spt_hist_policy_violation_remediation_entitlements
                     where policy_violation_remediation_ent in (select id
                       from spt_hist_policy_violation_remediation_capture
                       where identity_history_item_id = '{decided}')"
                )
            ),
            [format!("{app}|{app_id}|{attribute}|{value}|{display}")]
        );
    }
}

/// What happens to an account of an application with several instances names the instance.
#[tokio::test]
async fn the_instance_of_an_account_is_told() {
    for site in Site::on_each_history(20).await {
        let account =
            site.ask_one("select id from spt_link where identity_id is not null order by id limit 1;");
        site.change(&format!("update spt_link set instance = 'eu' where id = '{account}';"));
        site.run(START_MS).await.succeeds();
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "update spt_link set display_name = 'Renamed', significant_modified = {at_ms} where id = '{account}';"
        ));
        site.run(START_MS + DAY_MS).await.succeeds();
        let told = site.look(&format!(
            "select event_type, property_name, new_value, acct_app_instance, acct_display_name
             from spt_hist_identity_event where account_id = '{account}' and event_date = {at_ms};"
        ));
        assert_eq!(told, ["AccountChanged|displayName|Renamed|eu|Renamed"]);
    }
}
