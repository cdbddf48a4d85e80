//! `timeline`: the events of an object.

use annals_history::{EventRow, PageRequest, TimelineRange};
use annals_model::{AccountColumns, ObjectKey};
use serde_json::{Value, json};

use crate::export::{PAGE_ROWS, Pages, pages};
use crate::row::{Column, Kind, Row};

impl Row for EventRow {
    const COLUMNS: &'static [Column] = &[
        Column::new("occurred", Kind::Instant),
        Column::new("recorded", Kind::Instant),
        Column::new("type", Kind::Text),
        Column::new("category", Kind::Text),
        Column::new("source", Kind::Text),
        Column::new("about", Kind::Text),
        Column::new("property", Kind::Text),
        Column::new("old value", Kind::Text),
        Column::new("new value", Kind::Text),
        Column::new("application", Kind::Text),
        Column::new("account", Kind::Text),
        Column::for_programs("id", Kind::Text),
        Column::for_programs("entity id", Kind::Text),
        Column::for_programs("entity name", Kind::Text),
        Column::for_programs("account id", Kind::Text),
        Column::for_programs("account name", Kind::Text),
        Column::for_programs("application id", Kind::Text),
        Column::for_programs("instance", Kind::Text),
        Column::for_programs("capture id", Kind::Text),
        Column::for_programs("previous capture id", Kind::Text),
        Column::for_programs("identity request id", Kind::Text),
        Column::for_programs("request item id", Kind::Text),
        Column::for_programs("pending request item id", Kind::Text),
        Column::for_programs("entitlement id", Kind::Text),
        Column::for_programs("detail", Kind::Json),
    ];

    fn cells(&self) -> Vec<Value> {
        let none = AccountColumns::default();
        let account = self.account.as_ref().unwrap_or(&none);
        vec![
            json!(self.event_date_ms),
            json!(self.recorded_ms),
            json!(self.event_type),
            json!(self.category),
            json!(self.source_type),
            json!(about(self)),
            json!(self.property_name),
            json!(self.old_value),
            json!(self.new_value),
            json!(account.app_name),
            json!(account.native_id),
            json!(self.id),
            json!(self.entity_id),
            json!(self.entity_name),
            json!(account.account_id),
            json!(account.display_name),
            json!(account.app_id),
            json!(account.app_instance),
            json!(self.capture_id),
            json!(self.prev_capture_id),
            json!(self.identity_request_id),
            json!(self.request_item_id),
            json!(self.pending_request_item_id),
            json!(self.identity_entitlement_id),
            json!(self.detail),
        ]
    }
}

/// Of a governance event what kind of governance it is and what became of it.
fn about(event: &EventRow) -> Option<String> {
    let told: Vec<&str> = event.qry[8..].iter().flatten().map(String::as_str).collect();
    (event.event_type == "GovernanceEvent").then(|| told.join(": "))
}

/// All pages of an object's events, in the order in which they were recorded.
pub fn timeline_pages(key: ObjectKey, range: TimelineRange) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let key = key.clone();
        Box::pin(async move {
            let page = PageRequest { limit: PAGE_ROWS, after };
            let found = annals_history::timeline(tx, &key, range, &page).await?;
            Ok((found.rows, found.next))
        })
    })
}
