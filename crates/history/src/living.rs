//! Objects that history has as living: what a search for deletions starts from.

use annals_model::ObjectType;
use annals_sql::{Row, Stmt, Tx, Value as Param};

use crate::Error;
use crate::head::newest_captures;
use crate::layout::layout;

pub(crate) const LIVING: Stmt = Stmt::new(
    "history.living",
    "select object_id from annals_head
     where kind = (select id from annals_object_kind where source = ? and object_type = ?)
        and deleted = 0 and object_id {in}",
);
pub(crate) const LIVING_PAGE: Stmt = Stmt::new(
    "history.living_page",
    "select object_id from annals_head
     where kind = (select id from annals_object_kind where source = ? and object_type = ?)
        and deleted = 0 and object_id > ? order by object_id limit ?",
);

/// Those of the ids that history has as living objects of this source and type.
///
/// # Errors
/// As any call.
pub async fn living(
    tx: &mut Tx,
    source: &str,
    object_type: ObjectType,
    ids: &[String],
) -> Result<Vec<String>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let params = vec![Param::from(source), Param::from(object_type.as_str()), Param::TextList(ids.to_vec())];
    texts(&tx.fetch_all(&LIVING, params).await?)
}

/// A page of the ids of all living objects of this source and type, in the order of the ids; an empty page is the end.
///
/// # Errors
/// As any call.
pub async fn living_page(
    tx: &mut Tx,
    source: &str,
    object_type: ObjectType,
    after: Option<&str>,
    page_max: usize,
) -> Result<Vec<String>, Error> {
    let params = vec![
        Param::from(source),
        Param::from(object_type.as_str()),
        Param::from(after.unwrap_or_default()),
        Param::from(i64::try_from(page_max).unwrap_or(i64::MAX)),
    ];
    texts(&tx.fetch_all(&LIVING_PAGE, params).await?)
}

/// The identities to which objects belong, by their newest captures; none for types that belong to no identity.
///
/// # Errors
/// As any call.
pub async fn owners(
    tx: &mut Tx,
    source: &str,
    object_type: ObjectType,
    ids: &[String],
) -> Result<Vec<String>, Error> {
    let Some(owners) = layout(object_type).owners.as_ref().filter(|_| !ids.is_empty()) else {
        return Ok(Vec::new());
    };
    let newest = newest_captures(tx, Some(source), object_type, ids.to_vec()).await?;
    let captures: Vec<String> = newest.into_iter().map(|(_, capture)| capture).collect();
    texts(&tx.fetch_all(owners, vec![Param::TextList(captures)]).await?)
}

fn texts(rows: &[Row]) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| Ok(row.required_text(0)?.to_owned())).collect()
}
