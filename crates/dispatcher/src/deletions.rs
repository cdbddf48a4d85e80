//! Objects that the source no longer has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use annals_config::profile::Deletions;
use annals_model::{Head, ObjectKey, ObjectType, TaskStatus, error_chain};
use annals_runs::{DeletedObject, RunMessage, run};
use annals_source::{Deleted, Source};
use annals_sql::{Access, Db, Tx, fault};

use crate::banner::ROW_REMAINS;
use crate::{Dispatch, Error};

/// Ids compared, or rows read, at a time.
const PAGE_MAX: usize = 10_000;

/// The objects that were deleted, by type, found as the profile says. The first run looks for none: history holds nothing
/// that could be gone.
pub(crate) async fn find_deleted(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    run_id: i64,
    types: &BTreeSet<ObjectType>,
    since_ms: Option<i64>,
) -> Result<BTreeMap<ObjectType, Vec<DeletedObject>>, Error> {
    // A task that has read nothing yet, or reads it all again, may well find what others have captured gone.
    if since_ms.is_none() && annals_history::is_empty(tx).await? {
        return Ok(BTreeMap::new());
    }
    let found_by =
        |wanted| types.iter().copied().filter(move |object_type| in_force(dispatch, *object_type) == wanted);
    let noted: BTreeSet<ObjectType> = found_by(Deletions::Intercepted).collect();
    let mut deleted = match intercepted(tx, dispatch, &noted).await {
        Ok(deleted) => deleted,
        Err(Error::Source(error)) => {
            // The rows stay, and the next run reads them; what changed is read all the same (IIQ-51).
            let cause = format!("Reading what the identity system noted as deleted: {}", error_chain(&error));
            let messages = [ROW_REMAINS.to_owned(), cause];
            run::add_messages(tx, run_id, &messages.map(warning)).await?;
            BTreeMap::new()
        }
        Err(error) => return Err(error),
    };
    for object_type in found_by(Deletions::Sweep) {
        let mut after: Option<String> = None;
        loop {
            let (missing, next) = missing_page(tx, dispatch, object_type, after.as_deref(), PAGE_MAX).await?;
            if !missing.is_empty() {
                deleted.entry(object_type).or_default().extend(missing);
            }
            let Some(next) = next else { break };
            after = Some(next);
        }
    }
    Ok(deleted)
}

/// How the deletions of a type are found here: a release from before the system noted what it deletes is swept instead.
pub(crate) fn in_force(dispatch: Dispatch<'_>, object_type: ObjectType) -> Deletions {
    let of_type = dispatch.config.profile().object_types.get(&object_type);
    match of_type.map_or(Deletions::None, |of_type| of_type.deletions) {
        Deletions::Intercepted if !dispatch.source.notes_deletions() => Deletions::Sweep,
        other => other,
    }
}

/// By the rows in which the identity system notes what it deletes; all of them, for a row that could not be dealt with
/// is tried again without end (IIQ-51).
async fn intercepted(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
) -> Result<BTreeMap<ObjectType, Vec<DeletedObject>>, Error> {
    let mut latest: BTreeMap<ObjectType, BTreeMap<String, DeletedObject>> = BTreeMap::new();
    let mut after: Option<String> = None;
    while !types.is_empty() {
        let page = dispatch.source.intercepted_deletes(None, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.row_id.clone());
        for object_type in types {
            for (_, found) in outstanding(tx, dispatch.source, *object_type, &page).await? {
                let known = latest.entry(*object_type).or_default().entry(found.id.clone());
                let known = known.or_insert_with(|| found.clone());
                if found.at > known.at {
                    *known = found;
                }
            }
        }
    }
    Ok(latest.into_iter().map(|(object_type, by_id)| (object_type, by_id.into_values().collect())).collect())
}

/// The rows about objects of a type that history has not learned yet, by the rows' ids. Only what history has as living
/// can be gone, for one class may stand for several object types. An object that the source has all the same came back
/// under its old id: then the row tells of an end that history has not seen, unless history has seen the object since.
async fn outstanding(
    tx: &mut Tx,
    source: &Source,
    object_type: ObjectType,
    rows: &[Deleted],
) -> Result<Vec<(String, DeletedObject)>, Error> {
    let name: Arc<str> = Arc::from(source.profile().name.as_str());
    let key = |id: &str| ObjectKey { source: Arc::clone(&name), object_type, object_id: id.to_owned() };
    let of_type: Vec<&Deleted> = rows.iter().filter(|row| row.object_types.contains(&object_type)).collect();
    if of_type.is_empty() {
        return Ok(Vec::new());
    }
    let keys: BTreeSet<ObjectKey> = of_type.iter().map(|row| key(&row.object_id)).collect();
    let keys: Vec<ObjectKey> = keys.into_iter().collect();
    let mut heads = annals_history::heads(tx, &keys).await?;
    heads.retain(|_, head: &mut Head| !head.deleted);
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let living: Vec<String> = heads.keys().map(|key| key.object_id.clone()).collect();
    let present: BTreeSet<String> = source.present(object_type, &living).await?.into_iter().collect();
    let outstanding = of_type.into_iter().filter_map(|row| {
        let head = heads.get(&key(&row.object_id))?;
        let came_back = present.contains(&row.object_id);
        (!came_back || head.observed_ms < row.deleted_ms).then(|| {
            let deleted = DeletedObject { id: row.object_id.clone(), at: row.deleted_ms, came_back };
            (row.row_id.clone(), deleted)
        })
    });
    Ok(outstanding.collect())
}

/// The ids of all objects of a type that the system notes as deleted.
pub(crate) async fn noted(
    dispatch: Dispatch<'_>,
    object_type: ObjectType,
) -> Result<BTreeSet<String>, Error> {
    let mut noted = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = dispatch.source.intercepted_deletes(None, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(noted) };
        after = Some(last.row_id.clone());
        let of_type = page.into_iter().filter(|row| row.object_types.contains(&object_type));
        noted.extend(of_type.map(|row| row.object_id));
    }
}

/// By comparing what history holds with what the source still has: what is missing of a page, and where the next page
/// begins. When it was deleted is not known: it is dated to the moment at which it was missed.
pub(crate) async fn missing_page(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    object_type: ObjectType,
    after: Option<&str>,
    page_max: usize,
) -> Result<(Vec<DeletedObject>, Option<String>), Error> {
    let at = dispatch.source.now_ms().await?;
    let source = &dispatch.config.profile().name;
    let held = annals_history::living_page(tx, source, object_type, after, page_max).await?;
    let next = held.last().cloned();
    let present: BTreeSet<String> = dispatch.source.present(object_type, &held).await?.into_iter().collect();
    let missing = held.into_iter().filter(|id| !present.contains(id));
    Ok((missing.map(|id| DeletedObject { id, at, came_back: false }).collect(), next))
}

/// Removes the rows about deletions that history has learned from the table in which the system notes them: what
/// history has is committed by then. Where that fails the run is told; the rows are passed over by later runs. `url` names
/// the source for a user who may delete them.
///
/// # Errors
/// From the history database.
pub async fn remove_noted(history: &Db, source: &Source, url: &str, run_id: i64) -> Result<(), Error> {
    match try_remove(history, source, url).await {
        Ok(removed) => tracing::info!(run = run_id, "{removed} rows about deletions removed from the source"),
        Err(error) => {
            let cause =
                format!("Removing what the identity system noted as deleted: {}", error_chain(&error));
            let messages = [ROW_REMAINS.to_owned(), cause];
            let mut tx = history.begin().await?;
            run::lock(&mut tx, run_id).await?;
            run::add_messages(&mut tx, run_id, &messages.map(warning)).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

async fn try_remove(history: &Db, source: &Source, url: &str) -> Result<u64, Error> {
    let writable = Db::open_with(url, Access::ReadWrite, 1).await.map_err(annals_source::Error::from)?;
    let mut removed = 0;
    let mut after: Option<String> = None;
    loop {
        let page = source.intercepted_deletes(None, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.row_id.clone());
        let types: BTreeSet<ObjectType> = page.iter().flat_map(|row| row.object_types.clone()).collect();
        let mut tx = history.begin_read().await?;
        let mut waiting = BTreeSet::new();
        for object_type in types {
            let outstanding = outstanding(&mut tx, source, object_type, &page).await?;
            waiting.extend(outstanding.into_iter().map(|(row_id, _)| row_id));
        }
        tx.rollback().await?;
        let row_ids = page.into_iter().map(|row| row.row_id);
        let learned: Vec<String> = row_ids.filter(|row_id| !waiting.contains(row_id)).collect();
        fault::point("dispatcher.removing")?;
        removed += source.remove_intercepted(&writable, &learned).await?;
    }
    fault::point("dispatcher.removed")?;
    writable.close().await;
    Ok(removed)
}

fn warning(text: String) -> RunMessage {
    RunMessage { status: TaskStatus::Warning, text }
}
