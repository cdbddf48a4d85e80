//! What objects were called when they were last captured.

use std::collections::HashMap;

use annals_model::ObjectType;
use annals_sql::{Stmt, Tx, Value as Param};

use crate::Result;

pub(crate) const NAMES: Stmt = Stmt::new(
    "questions.names",
    "select object_id, name from annals_head
     where kind in (select id from annals_object_kind where object_type = ?) and object_id {in}",
);

/// The names of those of these objects that history knows.
pub(crate) async fn names(
    tx: &mut Tx,
    object_type: ObjectType,
    mut ids: Vec<String>,
) -> Result<HashMap<String, String>> {
    ids.sort_unstable();
    ids.dedup();
    let rows = tx.fetch_all(&NAMES, vec![Param::from(object_type.as_str()), Param::from(ids)]).await?;
    let mut names = HashMap::with_capacity(rows.len());
    for row in &rows {
        names.insert(row.required_text(0)?.to_owned(), row.required_text(1)?.to_owned());
    }
    Ok(names)
}
