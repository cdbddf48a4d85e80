//! Which objects a run reads, shared out to partitions while they stream by.

use std::collections::{BTreeMap, BTreeSet};

use annals_config::extract::ExtractConfig;
use annals_model::{Counters, Dealer, ObjectType, partition_count};
use annals_runs::{ChunkKind, NewChunk, Objects, failures, partitions};
use annals_sql::Tx;

use crate::deletions::find_deleted;
use crate::{Dispatch, Error, Scope};

/// Ids asked of the source at a time.
const PAGE_MAX: usize = 10_000;
/// Ids of chunks held in memory before they are stored.
const PENDING_OBJECTS_MAX: usize = 50_000;

/// What was shared out.
pub(crate) struct SharedOut {
    /// Objects in each partition; none is empty.
    pub(crate) partitions: Vec<u64>,
    /// Qualified by change, by re-attempt, deleted.
    pub(crate) counters: Counters,
}

/// Finds what qualifies (IIQ-03, IIQ-04, IIQ-55) and stores it as partitions and chunks of a run.
pub(crate) async fn share_out(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    run_id: i64,
    since_ms: Option<i64>,
    extract: &ExtractConfig,
    types: &BTreeSet<ObjectType>,
) -> Result<SharedOut, Error> {
    if let Scope::Objects(object_type, ids) = dispatch.scope {
        return share_out_named(tx, dispatch, run_id, object_type, ids).await;
    }
    let mut reattempts = failed_before(tx, dispatch, types).await?;
    let deleted = find_deleted(tx, dispatch, types, since_ms).await?;
    let mut expected = 0;
    for object_type in ordered(types) {
        let settings = extract.objects.get(&object_type);
        let filter = settings.and_then(|settings| settings.filter.as_ref());
        let limit = settings.and_then(|settings| settings.limit).unwrap_or(u64::MAX);
        expected += dispatch.source.count_qualified(object_type, since_ms, filter).await?.min(limit);
    }
    // An object that failed and has changed since counts as changed; until the ids stream by, it counts as both.
    expected += reattempts.values().map(|ids| ids.len() as u64).sum::<u64>();
    expected += deleted.values().map(|found| found.len() as u64).sum::<u64>();
    let count = partition_count(expected, dispatch.worker_slots, &dispatch.task.arguments);
    let mut dealing = Dealing::new(run_id, Dealer::new(expected, count, &dispatch.task.arguments));
    let mut counters = Counters::default();
    for object_type in ordered(types) {
        let modified =
            deal_modified(tx, dispatch, since_ms, extract, object_type, &mut reattempts, &mut dealing).await?;
        counters.total_modified_object_messages += modified;
        if let Some(ids) = reattempts.remove(&object_type) {
            counters.total_reattempt_object_messages += ids.len() as u64;
            let ids: Vec<String> = ids.into_iter().collect();
            dealing.deal(tx, object_type, ChunkKind::Reattempt, ids, Objects::Ids).await?;
        }
    }
    for (object_type, found) in deleted {
        counters.total_deletion_extracted_objects += found.len() as u64;
        dealing.deal(tx, object_type, ChunkKind::Deleted, found, Objects::Deleted).await?;
    }
    counters.total_object_messages =
        counters.total_modified_object_messages + counters.total_reattempt_object_messages;
    let dealt = dealing.close(tx).await?;
    partitions::insert(tx, run_id, &dealt).await?;
    Ok(SharedOut { partitions: dealt, counters })
}

/// Shares out objects that were asked for by name.
async fn share_out_named(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    run_id: i64,
    object_type: ObjectType,
    ids: &[String],
) -> Result<SharedOut, Error> {
    let total = ids.len() as u64;
    let count = partition_count(total, dispatch.worker_slots, &dispatch.task.arguments);
    let mut dealing = Dealing::new(run_id, Dealer::new(total, count, &dispatch.task.arguments));
    dealing.deal(tx, object_type, ChunkKind::Modified, ids.to_vec(), Objects::Ids).await?;
    let dealt = dealing.close(tx).await?;
    partitions::insert(tx, run_id, &dealt).await?;
    let counters = Counters {
        total_object_messages: total,
        total_modified_object_messages: total,
        ..Counters::default()
    };
    Ok(SharedOut { partitions: dealt, counters })
}

/// The types of a run in the order in which they are read.
fn ordered(types: &BTreeSet<ObjectType>) -> impl Iterator<Item = ObjectType> + '_ {
    ObjectType::ALL.into_iter().filter(|object_type| types.contains(object_type))
}

/// The task's failed objects that are to be tried again, by type.
async fn failed_before(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
) -> Result<BTreeMap<ObjectType, BTreeSet<String>>, Error> {
    let mut failed: BTreeMap<ObjectType, BTreeSet<String>> = BTreeMap::new();
    for object in failures::of_task(tx, &dispatch.task.name).await? {
        if types.contains(&object.failure.object_type) {
            failed.entry(object.failure.object_type).or_default().insert(object.failure.object_id);
        }
    }
    Ok(failed)
}

/// Deals out what qualifies by change; objects that failed before and qualify by change are taken off `reattempts`.
async fn deal_modified(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    since_ms: Option<i64>,
    extract: &ExtractConfig,
    object_type: ObjectType,
    reattempts: &mut BTreeMap<ObjectType, BTreeSet<String>>,
    dealing: &mut Dealing,
) -> Result<u64, Error> {
    let settings = extract.objects.get(&object_type);
    let filter = settings.and_then(|settings| settings.filter.as_ref());
    let mut left = settings.and_then(|settings| settings.limit).unwrap_or(u64::MAX);
    let mut after: Option<String> = None;
    let mut dealt = 0;
    while left > 0 {
        let page_max = usize::try_from(left).unwrap_or(usize::MAX).min(PAGE_MAX);
        let ids = dispatch
            .source
            .qualified_page(object_type, since_ms, filter, after.as_deref(), page_max)
            .await?;
        let Some(last) = ids.last() else { break };
        after = Some(last.clone());
        if let Some(failed) = reattempts.get_mut(&object_type) {
            ids.iter().for_each(|id| {
                failed.remove(id);
            });
            if failed.is_empty() {
                reattempts.remove(&object_type);
            }
        }
        let page = ids.len() as u64;
        dealt += page;
        left -= page;
        dealing.deal(tx, object_type, ChunkKind::Modified, ids, Objects::Ids).await?;
    }
    Ok(dealt)
}

/// Chunks on their way to the database.
struct Dealing {
    dealer: Dealer,
    run_id: i64,
    /// Chunks so far in each partition.
    chunks_in: BTreeMap<usize, i32>,
    pending: Vec<NewChunk>,
    pending_objects: usize,
}

impl Dealing {
    fn new(run_id: i64, dealer: Dealer) -> Self {
        Self { dealer, run_id, chunks_in: BTreeMap::new(), pending: Vec::new(), pending_objects: 0 }
    }

    async fn deal<T>(
        &mut self,
        tx: &mut Tx,
        object_type: ObjectType,
        kind: ChunkKind,
        mut objects: Vec<T>,
        wrap: impl Fn(Vec<T>) -> Objects,
    ) -> Result<(), Error> {
        while !objects.is_empty() {
            let deal = self.dealer.deal(objects.len());
            let rest = objects.split_off(deal.take);
            let number = self.chunks_in.entry(deal.partition).or_default();
            self.pending.push(NewChunk {
                partition: i32::try_from(deal.partition).unwrap_or(i32::MAX),
                number: *number,
                object_type,
                kind,
                objects: wrap(std::mem::replace(&mut objects, rest)),
            });
            *number += 1;
            self.pending_objects += deal.take;
            if self.pending_objects >= PENDING_OBJECTS_MAX {
                self.store(tx).await?;
            }
        }
        Ok(())
    }

    async fn store(&mut self, tx: &mut Tx) -> Result<(), Error> {
        partitions::insert_chunks(tx, self.run_id, &self.pending).await?;
        self.pending.clear();
        self.pending_objects = 0;
        Ok(())
    }

    /// Stores the rest; the sizes of the partitions that got something. They are filled one after the other, so that
    /// the empty ones, if any, are the last.
    async fn close(mut self, tx: &mut Tx) -> Result<Vec<u64>, Error> {
        self.store(tx).await?;
        Ok(self.dealer.dealt().iter().copied().take_while(|size| *size > 0).collect())
    }
}
