//! `access`: all that an identity held at an instant.

use annals_history::{AccessQuestion, HeldAccess, PageRequest};
use annals_model::ObjectKey;
use serde_json::{Value, json};

use crate::export::{PAGE_ROWS, Pages, pages};
use crate::row::{Column, Kind, Row};

impl Row for HeldAccess {
    const COLUMNS: &'static [Column] = &[
        Column::new("kind", Kind::Text),
        Column::new("name", Kind::Text),
        Column::new("application", Kind::Text),
        Column::new("attribute", Kind::Text),
        Column::new("value", Kind::Text),
        Column::new("account", Kind::Text),
        Column::new("since", Kind::Instant),
        Column::new("acquired", Kind::Texts),
        Column::new("cause", Kind::Text),
        Column::new("assigner", Kind::Text),
        Column::new("request item", Kind::Text),
        Column::for_programs("item id", Kind::Text),
        Column::for_programs("application id", Kind::Text),
        Column::for_programs("instance", Kind::Text),
        Column::for_programs("permission", Kind::Flag),
        Column::for_programs("interval since", Kind::Instant),
        Column::for_programs("capture id", Kind::Text),
    ];

    fn cells(&self) -> Vec<Value> {
        let Self { item, since_ms, interval, .. } = self;
        let holding = &interval.holding;
        vec![
            json!(item.kind.as_str()),
            json!(item.name),
            json!(item.application),
            json!(item.attribute),
            json!(item.value),
            json!(holding.native_identity),
            json!(since_ms),
            json!(holding.acquired.words()),
            json!(holding.cause),
            json!(holding.assigner),
            json!(holding.request_item_id),
            json!(item.id),
            json!(item.application_id),
            json!(item.instance),
            json!(item.permission),
            json!(interval.valid_from_ms),
            json!(interval.opened_by),
        ]
    }
}

/// All pages of what an identity held; none where history knows nothing of it at that instant.
pub fn access_pages(key: ObjectKey, question: AccessQuestion) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let key = key.clone();
        Box::pin(async move {
            let page = PageRequest { limit: PAGE_ROWS, after };
            let found = annals_history::access(tx, &key, question, &page).await?;
            Ok(found.map_or((Vec::new(), None), |found| (found.rows, found.next)))
        })
    })
}
