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
