//! The reconcile sweep: what the source has and when it changed, compared with history page by page.
//!
//! A run finds what changed since the named timestamp. What slipped by it nevertheless (a host's clock far behind, a
//! transaction longer than the overlap, a restored source) is found here, and what is gone without a trace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_config::extract::ExtractConfig;
use annals_config::profile::Deletions;
use annals_model::{ObjectKey, ObjectType};
use annals_runs::{DeletedObject, failures};
use annals_source::Selection;
use annals_sql::Tx;

use crate::deletions::{in_force, missing_page, noted};
use crate::{Dispatch, Error};

/// Objects compared at a time: this much is in memory.
const PAGE_MAX: usize = 2_000;

/// Objects that a report names; all of them are counted.
const NAMED_MAX: usize = 1_000;

/// How an object differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The source had it, or a change of it, before the named timestamp, and history does not.
    Slipped,
    /// History has it as living, and the source has it no more.
    Gone,
}

impl Difference {
    /// As shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slipped => "slipped",
            Self::Gone => "gone",
        }
    }
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Object type.
    pub object_type: ObjectType,
    /// Id.
    pub object_id: String,
    /// How.
    pub difference: Difference,
    /// When it changed in the source, or when it was missed; epoch milliseconds.
    pub at_ms: i64,
}

/// What was found of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Objects that the source has.
    pub compared: u64,
    /// Objects that slipped by.
    pub slipped: u64,
    /// Objects that are gone.
    pub gone: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// By type.
    pub totals: BTreeMap<ObjectType, Totals>,
    /// The first of them by name.
    pub objects: Vec<Differing>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared: u64 = self.totals.values().map(|of| of.compared).sum();
        let (slipped, gone) = self.count();
        write!(f, "Compared {compared} objects: {slipped} had slipped by, {gone} are gone without a note.")
    }
}

impl Findings {
    /// Slipped and gone, over all types.
    #[must_use]
    pub fn count(&self) -> (u64, u64) {
        self.totals.values().fold((0, 0), |(slipped, gone), of| (slipped + of.slipped, gone + of.gone))
    }

    fn add(&mut self, page: &FoundPage) {
        let totals = self.totals.entry(page.object_type).or_default();
        totals.compared += page.compared;
        totals.slipped += page.slipped.len() as u64;
        totals.gone += page.gone.len() as u64;
        let differing = |object_id: &str, difference, at_ms| Differing {
            object_type: page.object_type,
            object_id: object_id.to_owned(),
            difference,
            at_ms,
        };
        let slipped = page.slipped.iter().map(|(id, at)| differing(id, Difference::Slipped, *at));
        let gone = page.gone.iter().map(|gone| differing(&gone.id, Difference::Gone, gone.at));
        let room = NAMED_MAX.saturating_sub(self.objects.len());
        self.objects.extend(slipped.chain(gone).take(room));
    }
}

/// Where a run of [`crate::Scope::Reconcile`] says what it found.
#[derive(Debug, Default)]
pub struct Report(Mutex<Findings>);

impl Report {
    /// What was found so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Report {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Report {}

/// What was found on a page.
pub(crate) struct FoundPage {
    pub(crate) object_type: ObjectType,
    compared: u64,
    /// Ids and when they changed.
    pub(crate) slipped: Vec<(String, i64)>,
    pub(crate) gone: Vec<DeletedObject>,
}

/// Where the comparison of a type stands.
enum Place {
    /// Objects of the source after this id.
    Source(Option<String>),
    /// Objects of history after this id.
    History(Option<String>),
}

/// A comparison under way.
pub(crate) struct Comparison<'c> {
    dispatch: Dispatch<'c>,
    extract: &'c ExtractConfig,
    /// What changed later is for the next run.
    since_ms: i64,
    /// What is known to have failed did not slip by.
    failed: BTreeSet<(ObjectType, String)>,
    types: VecDeque<ObjectType>,
    place: Place,
}

impl<'c> Comparison<'c> {
    pub(crate) async fn begin(
        tx: &mut Tx,
        dispatch: Dispatch<'c>,
        extract: &'c ExtractConfig,
        since_ms: Option<i64>,
        types: &BTreeSet<ObjectType>,
    ) -> Result<Self, Error> {
        let failed = failures::of_task(tx, &dispatch.task.name).await?;
        Ok(Self {
            dispatch,
            extract,
            since_ms: since_ms.unwrap_or(i64::MIN),
            failed: failed.into_iter().map(|o| (o.failure.object_type, o.failure.object_id)).collect(),
            types: ObjectType::ALL.into_iter().filter(|object_type| types.contains(object_type)).collect(),
            place: Place::Source(None),
        })
    }

    pub(crate) fn dispatch(&self) -> Dispatch<'c> {
        self.dispatch
    }

    /// The next page; none at the end.
    pub(crate) async fn next(&mut self, tx: &mut Tx, report: &Report) -> Result<Option<FoundPage>, Error> {
        let Some(object_type) = self.types.front().copied() else { return Ok(None) };
        let page = match &self.place {
            Place::Source(after) => {
                let (page, after) = self.source_page(tx, object_type, after.as_deref()).await?;
                self.place = after.map_or(Place::History(None), |after| Place::Source(Some(after)));
                page
            }
            Place::History(after) => {
                let (page, after) = self.history_page(tx, object_type, after.as_deref()).await?;
                if after.is_none() {
                    self.types.pop_front();
                }
                self.place = after.map_or(Place::Source(None), |after| Place::History(Some(after)));
                page
            }
        };
        report.lock().add(&page);
        Ok(Some(page))
    }

    /// Objects that the source has, and where the next page begins.
    async fn source_page(
        &self,
        tx: &mut Tx,
        object_type: ObjectType,
        after: Option<&str>,
    ) -> Result<(FoundPage, Option<String>), Error> {
        let source = self.dispatch.source;
        let settings = self.extract.objects.get(&object_type);
        let filter = settings.and_then(|settings| settings.filter.as_ref());
        let page = source.qualified_page(object_type, None, filter, after, PAGE_MAX).await?;
        let next = page.ids.last().filter(|_| !page.is_last).cloned();
        let mut found =
            FoundPage { object_type, compared: page.ids.len() as u64, slipped: Vec::new(), gone: Vec::new() };
        // No property: ids, and the newest change times of the objects and of what qualifies them.
        let nothing = Selection::Properties(BTreeSet::new());
        let loaded = source.load(object_type, &page.ids, &nothing).await?;
        let name: Arc<str> = Arc::from(self.dispatch.config.profile().name.as_str());
        let key = |id: &str| ObjectKey { source: Arc::clone(&name), object_type, object_id: id.to_owned() };
        let due = loaded.objects.into_iter().filter(|object| object.occurred_ms < self.since_ms);
        let due: Vec<(ObjectKey, i64)> = due.map(|object| (key(&object.id), object.occurred_ms)).collect();
        let keys: Vec<ObjectKey> = due.iter().map(|(key, _)| key.clone()).collect();
        let heads = annals_history::heads(tx, &keys).await?;
        // A type of which a limit leaves objects out is compared as far as history has it.
        let is_cut = settings.is_some_and(|settings| settings.limit.is_some());
        for (key, changed_ms) in due {
            let slipped = match heads.get(&key) {
                Some(head) => head.deleted || head.extended_to_ms < changed_ms,
                None => !is_cut,
            };
            if slipped && !self.failed.contains(&(object_type, key.object_id.clone())) {
                found.slipped.push((key.object_id, changed_ms));
            }
        }
        Ok((found, next))
    }

    /// Objects that history has and the source has not, and where the next page begins. What the system has noted as
    /// deleted is for the next run, which knows when that was.
    async fn history_page(
        &self,
        tx: &mut Tx,
        object_type: ObjectType,
        after: Option<&str>,
    ) -> Result<(FoundPage, Option<String>), Error> {
        let mut found = FoundPage { object_type, compared: 0, slipped: Vec::new(), gone: Vec::new() };
        let by = in_force(self.dispatch, object_type);
        if by == Deletions::None {
            return Ok((found, None));
        }
        let (missing, next) = missing_page(tx, self.dispatch, object_type, after, PAGE_MAX).await?;
        let noted = if by == Deletions::Intercepted && !missing.is_empty() {
            noted(self.dispatch, object_type).await?
        } else {
            BTreeSet::new()
        };
        found.gone = missing.into_iter().filter(|gone| !noted.contains(&gone.id)).collect();
        Ok((found, next))
    }
}

/// Compares and changes nothing.
///
/// # Errors
/// From the source or the history database.
pub async fn compare(
    dispatch: Dispatch<'_>,
    since_ms: Option<i64>,
    types: &BTreeSet<ObjectType>,
) -> Result<Findings, Error> {
    let nothing = ExtractConfig::default();
    let extract = dispatch.config.extracts.get(&dispatch.task.extract_configuration).unwrap_or(&nothing);
    let report = Report::default();
    let mut tx = dispatch.history.begin_read().await?;
    let mut comparison = Comparison::begin(&mut tx, dispatch, extract, since_ms, types).await?;
    while comparison.next(&mut tx, &report).await?.is_some() {}
    tx.rollback().await?;
    Ok(report.findings())
}
