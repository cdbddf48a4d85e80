//! `history`: the captures of an object.

use annals_history::{CaptureSummary, PageRequest};
use annals_model::ObjectKey;
use serde_json::{Value, json};

use crate::export::{PAGE_ROWS, Pages, pages};
use crate::row::{Column, Kind, Row};

impl Row for CaptureSummary {
    const COLUMNS: &'static [Column] = &[
        Column::new("capture id", Kind::Text),
        Column::new("recorded", Kind::Instant),
        Column::new("since", Kind::Instant),
        Column::new("last seen", Kind::Instant),
        Column::new("deleted", Kind::Flag),
        Column::new("transform type", Kind::Text),
        Column::new("json format", Kind::Text),
        Column::for_programs("patch of", Kind::Text),
        Column::for_programs("full hash", Kind::Text),
        Column::for_programs("smart hash", Kind::Text),
        Column::for_programs("stored bytes", Kind::Integer),
    ];

    fn cells(&self) -> Vec<Value> {
        vec![
            json!(self.capture_id),
            json!(self.recorded_ms),
            json!(self.effective_ms),
            json!(self.extended_to_ms),
            json!(self.deleted),
            json!(self.transform_type),
            json!(self.json_format),
            json!(self.patch_of),
            json!(self.full_hash),
            json!(self.smart_hash),
            json!(self.stored_bytes),
        ]
    }
}

/// All pages of an object's captures, in the order in which they were recorded.
pub fn capture_pages(key: ObjectKey) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let key = key.clone();
        Box::pin(async move {
            let page = PageRequest { limit: PAGE_ROWS, after };
            let found = annals_history::captures(tx, &key, &page).await?;
            Ok((found.rows, found.next))
        })
    })
}
