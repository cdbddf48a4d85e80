//! Which objects a run reads, shared out to partitions while they stream by.

use std::collections::{BTreeMap, BTreeSet};

use annals_config::extract::ExtractConfig;
use annals_config::filter::Expr;
use annals_model::{Counters, Dealer, ObjectType, Stage, TaskStatus, partition_count};
use annals_runs::{
    ChunkKind, DeletedObject, FailedObject, NewChunk, Objects, RunMessage, failures, partitions, run,
};
use annals_source::{Page, Source};
use annals_sql::{Tx, fault};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::banner::reconciled;
use crate::deletions::find_deleted;
use crate::reconcile::{Comparison, FoundPage, Report};
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
    let criteria = Criteria { source: dispatch.source, extract, since_ms };
    match dispatch.scope {
        Scope::Task => {}
        Scope::Objects(object_type, ids) => {
            return share_out_named(tx, dispatch, run_id, object_type, ids).await;
        }
        Scope::Reconcile(_, report) => {
            let comparison = Comparison::begin(tx, dispatch, extract, since_ms, types).await?;
            return share_out_differing(tx, run_id, comparison, report, types).await;
        }
    }
    let FailedBefore { mut reattempts, quarantined } = failed_before(tx, dispatch, types).await?;
    let deleted = find_deleted(tx, dispatch, run_id, types, since_ms).await?;
    // With those of runs that failed: what they had written of deletions is not found again.
    let mut gone = deleted.clone();
    for (object_type, objects) in partitions::deleted_in_vain(tx, &dispatch.task.name).await? {
        gone.entry(object_type).or_default().extend(objects);
    }
    let mut bereft = bereft_identities(tx, dispatch, types, &gone).await?;
    // On most nights a first page is a scan of a whole table for a few ids: every connection has one to do.
    let at_a_time = dispatch.config.service.source_connections() as usize;
    let openings: Vec<Opening> = stream::iter(ordered(types))
        .map(|object_type| criteria.open(object_type))
        .buffered(at_a_time)
        .try_collect()
        .await?;
    fault::point("dispatcher.qualified")?;
    let mut expected = openings.iter().map(|opening| opening.expected).sum::<u64>();
    // An object that failed and has changed since counts as changed; until the ids stream by, it counts as both.
    expected += reattempts.values().map(|ids| ids.len() as u64).sum::<u64>();
    expected += bereft.len() as u64;
    expected += deleted.values().map(|found| found.len() as u64).sum::<u64>();
    let count = partition_count(expected, dispatch.worker_slots, &dispatch.task.arguments);
    let mut dealing = Dealing::new(run_id, Dealer::new(expected, count, &dispatch.task.arguments));
    let mut counters = Counters::default();
    // First, so that a life mostly ends before the next one under the same id begins.
    for (object_type, found) in deleted {
        counters.total_deletion_extracted_objects += found.len() as u64;
        dealing.deal(tx, object_type, ChunkKind::Deleted, found, Objects::Deleted).await?;
    }
    for opening in openings {
        let object_type = opening.object_type;
        let other =
            if object_type == ObjectType::Identity { std::mem::take(&mut bereft) } else { BTreeSet::new() };
        let failed = reattempts.entry(object_type).or_default();
        let apart = quarantined.get(&object_type);
        let modified = deal_modified(tx, criteria, opening, other, failed, apart, &mut dealing).await?;
        counters.total_modified_object_messages += modified;
        let again = reattempts.remove(&object_type).unwrap_or_default();
        if !again.is_empty() {
            counters.total_reattempt_object_messages += again.len() as u64;
            let ids: Vec<String> = again.into_iter().collect();
            dealing.deal(tx, object_type, ChunkKind::Reattempt, ids, Objects::Ids).await?;
        }
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

/// Shares out what differs between source and history, and the identities that lost an object by it. How much that is
/// shows only at the end, so that partitions are filled one after the other.
async fn share_out_differing(
    tx: &mut Tx,
    run_id: i64,
    mut comparison: Comparison<'_>,
    report: &Report,
    types: &BTreeSet<ObjectType>,
) -> Result<SharedOut, Error> {
    let dispatch = comparison.dispatch();
    let mut dealing = Dealing::new(run_id, Dealer::new(0, 0, &dispatch.task.arguments));
    let mut counters = Counters::default();
    let mut bereft = BTreeSet::new();
    while let Some(FoundPage { object_type, slipped, gone, .. }) = comparison.next(tx, report).await? {
        counters.total_modified_object_messages += slipped.len() as u64;
        counters.total_deletion_extracted_objects += gone.len() as u64;
        let slipped: Vec<String> = slipped.into_iter().map(|(id, _)| id).collect();
        if object_type == ObjectType::Identity {
            slipped.iter().chain(gone.iter().map(|gone| &gone.id)).for_each(|id| {
                bereft.remove(id);
            });
        }
        dealing.deal(tx, object_type, ChunkKind::Modified, slipped, Objects::Ids).await?;
        let of_page = BTreeMap::from([(object_type, gone)]);
        bereft.extend(bereft_identities(tx, dispatch, types, &of_page).await?);
        let gone = of_page.into_values().flatten().collect();
        dealing.deal(tx, object_type, ChunkKind::Deleted, gone, Objects::Deleted).await?;
    }
    let FailedBefore { mut quarantined, .. } = failed_before(tx, dispatch, types).await?;
    let apart = quarantined.remove(&ObjectType::Identity).unwrap_or_default();
    let bereft: Vec<String> = bereft.difference(&apart).cloned().collect();
    counters.total_modified_object_messages += bereft.len() as u64;
    dealing.deal(tx, ObjectType::Identity, ChunkKind::Modified, bereft, Objects::Ids).await?;
    counters.total_object_messages = counters.total_modified_object_messages;
    let (slipped, gone) = report.findings().count();
    if slipped + gone > 0 {
        let status = if slipped > 0 { TaskStatus::Warning } else { TaskStatus::Success };
        run::add_messages(tx, run_id, &[RunMessage { status, text: reconciled(slipped, gone) }]).await?;
    }
    let dealt = dealing.close(tx).await?;
    partitions::insert(tx, run_id, &dealt).await?;
    Ok(SharedOut { partitions: dealt, counters })
}

/// How a type begins: its first page, and about how many objects it comes to.
struct Opening {
    object_type: ObjectType,
    first: Page,
    expected: u64,
}

/// What makes an object qualify by change.
#[derive(Clone, Copy)]
struct Criteria<'c> {
    source: &'c Source,
    extract: &'c ExtractConfig,
    since_ms: Option<i64>,
}

impl Criteria<'_> {
    fn filter(&self, object_type: ObjectType) -> Option<&Expr> {
        self.extract.objects.get(&object_type)?.filter.as_ref()
    }

    fn limit(&self, object_type: ObjectType) -> u64 {
        self.extract.objects.get(&object_type).and_then(|settings| settings.limit).unwrap_or(u64::MAX)
    }

    /// Nothing has to be counted where the first page is the last.
    async fn open(&self, object_type: ObjectType) -> Result<Opening, Error> {
        let limit = self.limit(object_type);
        let first = self.page(object_type, None, limit).await?;
        let expected = if first.is_last {
            first.ids.len() as u64
        } else {
            let filter = self.filter(object_type);
            self.source.count_qualified(object_type, self.since_ms, filter).await?.min(limit)
        };
        Ok(Opening { object_type, first, expected })
    }

    /// The next page of a type of which `left` more objects are wanted.
    async fn page(&self, object_type: ObjectType, after: Option<&str>, left: u64) -> Result<Page, Error> {
        let page_max = usize::try_from(left).unwrap_or(usize::MAX).min(PAGE_MAX);
        let filter = self.filter(object_type);
        Ok(self.source.qualified_page(object_type, self.since_ms, filter, after, page_max).await?)
    }
}

/// The types of a run in the order in which they are read.
fn ordered(types: &BTreeSet<ObjectType>) -> impl Iterator<Item = ObjectType> + '_ {
    ObjectType::ALL.into_iter().filter(|object_type| types.contains(object_type))
}

/// The task's failed objects, by type.
#[derive(Default)]
struct FailedBefore {
    /// Those that are to be tried again.
    reattempts: BTreeMap<ObjectType, BTreeSet<String>>,
    /// Those that are not read, changed or not, until somebody lets them.
    quarantined: BTreeMap<ObjectType, BTreeSet<String>>,
}

async fn failed_before(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
) -> Result<FailedBefore, Error> {
    let mut before = FailedBefore::default();
    for FailedObject { failure, .. } in failures::of_task(tx, &dispatch.task.name).await? {
        if types.contains(&failure.object_type) {
            let apart = failure.stage == Stage::Quarantine;
            let list = if apart { &mut before.quarantined } else { &mut before.reattempts };
            list.entry(failure.object_type).or_default().insert(failure.object_id);
        }
    }
    Ok(before)
}

/// The identities that lost an object: nothing at the source need tell that they changed.
async fn bereft_identities(
    tx: &mut Tx,
    dispatch: Dispatch<'_>,
    types: &BTreeSet<ObjectType>,
    deleted: &BTreeMap<ObjectType, Vec<DeletedObject>>,
) -> Result<BTreeSet<String>, Error> {
    let mut bereft = BTreeSet::new();
    if types.contains(&ObjectType::Identity) {
        for (object_type, objects) in deleted {
            let ids: Vec<String> = objects.iter().map(|object| object.id.clone()).collect();
            let source = &dispatch.config.profile().name;
            bereft.extend(annals_history::owners(tx, source, *object_type, &ids).await?);
        }
        let gone = deleted.get(&ObjectType::Identity).into_iter().flatten();
        gone.for_each(|identity| {
            bereft.remove(&identity.id);
        });
    }
    Ok(bereft)
}

/// Deals out what qualifies by change, and `other` objects after it, but for those that are set `apart`; objects that
/// failed before and qualify by change are taken off `failed`.
async fn deal_modified(
    tx: &mut Tx,
    criteria: Criteria<'_>,
    opening: Opening,
    mut other: BTreeSet<String>,
    failed: &mut BTreeSet<String>,
    apart: Option<&BTreeSet<String>>,
    dealing: &mut Dealing,
) -> Result<u64, Error> {
    let is_apart = |id: &String| apart.is_some_and(|apart| apart.contains(id));
    other.retain(|id| !is_apart(id));
    let Opening { object_type, first: mut page, .. } = opening;
    let mut left = criteria.limit(object_type);
    let mut dealt = 0;
    loop {
        let after = page.ids.last().filter(|_| !page.is_last).cloned();
        left -= page.ids.len() as u64;
        page.ids.retain(|id| !is_apart(id));
        for id in &page.ids {
            failed.remove(id);
            other.remove(id);
        }
        dealt += page.ids.len() as u64;
        dealing.deal(tx, object_type, ChunkKind::Modified, page.ids, Objects::Ids).await?;
        let Some(after) = after.filter(|_| left > 0) else { break };
        page = criteria.page(object_type, Some(&after), left).await?;
    }
    for id in &other {
        failed.remove(id);
    }
    dealt += other.len() as u64;
    dealing.deal(tx, object_type, ChunkKind::Modified, other.into_iter().collect(), Objects::Ids).await?;
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
            fault::point("dispatcher.dealing")?;
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
