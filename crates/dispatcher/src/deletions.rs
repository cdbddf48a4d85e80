//! Objects that the source no longer has.

use std::collections::{BTreeMap, BTreeSet};

use annals_config::profile::Deletions;
use annals_model::ObjectType;
use annals_runs::DeletedObject;
use annals_sql::Tx;

use crate::{Dispatch, Error};

/// Ids compared, or rows read, at a time.
const PAGE_MAX: usize = 10_000;

/// The objects that were deleted since the last run, by type, found as the profile says. The first run looks for none:
/// history holds nothing that could be gone.
pub(crate) async fn find_deleted(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
    since_ms: Option<i64>,
) -> Result<BTreeMap<ObjectType, Vec<DeletedObject>>, Error> {
    let Some(since_ms) = since_ms else { return Ok(BTreeMap::new()) };
    let profile = dispatch.config.profile();
    // A release from before the system noted what it deletes is swept instead.
    let in_force = |deletions: Deletions| match deletions {
        Deletions::Intercepted if !dispatch.source.notes_deletions() => Deletions::Sweep,
        other => other,
    };
    let found_by = |wanted: Deletions| {
        types.iter().copied().filter(move |object_type| {
            profile.object_types.get(object_type).is_some_and(|of_type| in_force(of_type.deletions) == wanted)
        })
    };
    let noted: BTreeSet<ObjectType> = found_by(Deletions::Intercepted).collect();
    let mut deleted = intercepted(tx, dispatch, &noted, since_ms).await?;
    for object_type in found_by(Deletions::Sweep) {
        let missed = sweep(tx, dispatch, object_type).await?;
        if !missed.is_empty() {
            deleted.insert(object_type, missed);
        }
    }
    Ok(deleted)
}

/// By the rows in which the identity system notes what it deletes. Only what history has as living is gone: the rows
/// of the overlap are read again, and one class may stand for several object types.
async fn intercepted(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
    since_ms: i64,
) -> Result<BTreeMap<ObjectType, Vec<DeletedObject>>, Error> {
    let mut latest: BTreeMap<ObjectType, BTreeMap<String, i64>> = BTreeMap::new();
    let mut after: Option<String> = None;
    while !types.is_empty() {
        let page = dispatch.source.intercepted_deletes(Some(since_ms), after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.row_id.clone());
        for object_type in types {
            let noted = page.iter().filter(|deleted| deleted.object_types.contains(object_type));
            let ids: Vec<String> = noted.clone().map(|deleted| deleted.object_id.clone()).collect();
            let living: BTreeSet<String> =
                annals_history::living(tx, &dispatch.config.profile().name, *object_type, &ids)
                    .await?
                    .into_iter()
                    .collect();
            for deleted in noted.filter(|deleted| living.contains(&deleted.object_id)) {
                let at =
                    latest.entry(*object_type).or_default().entry(deleted.object_id.clone()).or_default();
                *at = deleted.deleted_ms.max(*at);
            }
        }
    }
    let objects =
        |by_id: BTreeMap<String, i64>| by_id.into_iter().map(|(id, at)| DeletedObject { id, at }).collect();
    Ok(latest.into_iter().map(|(object_type, by_id)| (object_type, objects(by_id))).collect())
}

/// By comparing what history holds with what the source still has, page by page. When it was deleted is not known:
/// it is dated to the moment at which it was missed.
async fn sweep(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    object_type: ObjectType,
) -> Result<Vec<DeletedObject>, Error> {
    let at = dispatch.source.now_ms().await?;
    let source = &dispatch.config.profile().name;
    let mut missed = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let held = annals_history::living_page(tx, source, object_type, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = held.last() else { break };
        after = Some(last.clone());
        let present: BTreeSet<String> =
            dispatch.source.present(object_type, &held).await?.into_iter().collect();
        missed.extend(held.into_iter().filter(|id| !present.contains(id)).map(|id| DeletedObject { id, at }));
    }
    Ok(missed)
}
