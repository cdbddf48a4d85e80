//! `find`: objects of a type, with what a list says of each.

use annals_history::find::{Find, Property, PropertyKind, find, properties};
use annals_model::ObjectType;
use annals_sql::Tx;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::Result;
use crate::export::{PAGE_ROWS, Pages};
use crate::row::{Column, Kind};

/// What is told of a property.
#[must_use]
pub fn property_column(property: &'static Property) -> Column {
    let kind = match property.kind {
        PropertyKind::Text => Kind::Text,
        PropertyKind::Int => Kind::Integer,
        PropertyKind::Flag => Kind::Flag,
        PropertyKind::Instant => Kind::Instant,
    };
    Column::new(&property.name, kind)
}

/// All pages of the objects that are found.
pub fn found_pages(wanted: Find) -> Box<dyn Pages> {
    let object_type = wanted.object_type;
    Box::new(Found { object_type, wanted: Some(Find { limit: PAGE_ROWS, ..wanted }) })
}

struct Found {
    object_type: ObjectType,
    /// What is asked next; none after the last page.
    wanted: Option<Find>,
}

impl Pages for Found {
    fn columns(&self) -> Vec<Column> {
        properties(self.object_type).iter().map(property_column).collect()
    }

    fn next<'p>(&'p mut self, tx: &'p mut Tx) -> BoxFuture<'p, Result<Option<Vec<Vec<Value>>>>> {
        Box::pin(async move {
            let Some(wanted) = self.wanted.take() else { return Ok(None) };
            let found = find(tx, &wanted).await?;
            self.wanted = found.next.map(|next| Find { after: Some(next), ..wanted });
            Ok(Some(found.rows.into_iter().map(|row| row.values).collect()))
        })
    }
}
