//! How an event stands in its table.

use annals_model::{EventTable, NewEvent};

use crate::rows::Rows;
use crate::schema::{self, TableDef};

pub(crate) const QUERY_PROPERTIES: [&str; 10] = [
    "qry_property1",
    "qry_property2",
    "qry_property3",
    "qry_property4",
    "qry_property5",
    "qry_property6",
    "qry_property7",
    "qry_property8",
    "qry_property9",
    "qry_property10",
];

/// The table of events.
pub(crate) fn table(table: EventTable) -> &'static TableDef {
    schema::table(match table {
        EventTable::Identity => "spt_hist_identity_event",
        EventTable::Mattr => "spt_hist_mattr_event",
        EventTable::Role => "spt_hist_role_event",
        EventTable::Workgroup => "spt_hist_workgroup_event",
    })
}

/// Adds an event's row.
pub(crate) fn push(rows: &mut Rows, event: NewEvent) {
    rows.push();
    rows.text("id", Some(&event.id));
    rows.int("created", Some(event.recorded_ms));
    rows.int("event_date", Some(event.event_date_ms));
    rows.text("entity_id", Some(&event.entity_id));
    // Managed attributes have a display name where the others have a name.
    let name = if rows.table().has("entity_name") { "entity_name" } else { "display_name" };
    rows.text(name, Some(&event.entity_name));
    rows.text("prev_capture_id", event.prev_capture_id.as_deref());
    rows.text("capture_id", event.capture_id.as_deref());
    rows.text("event_category", Some(event.category));
    rows.text("event_type", Some(event.event_type));
    rows.text("event_source_type", Some(event.source_type));
    rows.text("event_detail_json", event.detail.map(|detail| detail.to_string()).as_deref());
    rows.text("property_name", event.property_name.as_deref());
    rows.text("old_value", event.old_value.as_deref());
    rows.text("new_value", event.new_value.as_deref());
    rows.text("request_item_id", event.request_item_id.as_deref());
    rows.text("identity_request_id", event.identity_request_id.as_deref());
    rows.text("pending_request_item_id", event.pending_request_item_id.as_deref());
    rows.text("identity_entitlement_id", event.identity_entitlement_id.as_deref());
    if let Some(account) = event.account {
        rows.text("account_id", account.account_id.as_deref());
        rows.text("acct_app_instance", account.app_instance.as_deref());
        rows.text("acct_app_id", account.app_id.as_deref());
        rows.text("acct_native_id", account.native_id.as_deref());
        rows.text("acct_app_name", account.app_name.as_deref());
        rows.text("acct_display_name", account.display_name.as_deref());
    }
    for (column, value) in QUERY_PROPERTIES.into_iter().zip(&event.qry) {
        rows.text(column, value.as_deref());
    }
}
