//! Making access intervals, and what roles and groups bring, again from captures alone: for a history from before they were
//! kept, and to see that they are right.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use annals_model::{
    AccessItem, AccessState, Grant, Holding, Image, Ledger, LedgerRow, ObjectKey, ObjectType,
};
use annals_sql::{Db, ErrorKind, Stmt, Tx, Value};

use super::fact::AccessFact;
use super::{OPEN, items, ledgers, read, rows_stmt, write};
use crate::deferred::{begin_with_head_key, has_keys};
use crate::encoding::Decoder;
use crate::error::Fault;
use crate::head::newest_captures;
use crate::layout::layout;
use crate::rebuild::{Link, Walk, chains};
use crate::sequence::kept_document;
use crate::text::stored_id;
use crate::{Error, RebuildError};

pub(super) const ALL: &str = "{owner} = listed.value";

const KINDS: Stmt =
    Stmt::new("history.kinds_of_type", "select id from annals_object_kind where object_type = ? order by id");
/// Locked in the order in which those are who write them.
const PAGE: Stmt = Stmt::new(
    "history.identities_page",
    "select object_id from annals_head where kind = ? and object_id > ? order by object_id limit ? {locked}",
);
const LEFT: Stmt =
    Stmt::new("history.identities_left", "select count(*) from annals_head where kind = ? and object_id > ?");

fn position_stmt<F: AccessFact>() -> Stmt {
    let text = format!("select complete, position from {} where id = 1", F::BUILD);
    Stmt::built("history.rebuilding_position", text)
}

fn move_stmt<F: AccessFact>() -> Stmt {
    Stmt::built("history.move_rebuilding", format!("update {} set position = ? where id = 1", F::BUILD))
}

fn complete_stmt<F: AccessFact>() -> Stmt {
    let text = format!("update {} set complete = 1, position = null where id = 1", F::BUILD);
    Stmt::built("history.end_rebuilding", text)
}

fn drop_stmt<F: AccessFact>() -> Stmt {
    Stmt::built("history.drop_rows", format!("delete from {} where {} {{in}}", F::TABLE, F::OWNER))
}

fn captures_stmt(object_type: ObjectType) -> Stmt {
    let layout = layout(object_type);
    let (table, id) = (layout.table.name, layout.mapping.object_id);
    Stmt::built(
        format!("history.captures_of {table}"),
        format!(
            "select created, id, {id}, patch_doc_parent, json, json_format, full_hash, effective_date
             from {table} where {id} = ? order by effective_date, created, id"
        ),
    )
}

#[cfg(test)]
pub(super) fn statements() -> Vec<Stmt> {
    fn of<F: AccessFact>() -> Vec<Stmt> {
        let own = [position_stmt::<F>(), move_stmt::<F>(), complete_stmt::<F>(), drop_stmt::<F>()];
        own.into_iter().chain(F::TYPES.iter().copied().map(captures_stmt)).collect()
    }
    [vec![KINDS, PAGE, LEFT], of::<Holding>(), of::<Grant>()].concat()
}

/// How often a batch is tried that yields to somebody who writes.
const ATTEMPTS: u32 = 5;

/// A rebuilding on its way through the roles, groups and identities, each in the order of their ids. How far it has come
/// is kept with what it has made, so that after a crash the next one goes on.
#[derive(Debug)]
pub struct AccessRebuild {
    /// What is still to be done, the next one last.
    stages: Vec<Stage>,
    decoder: Decoder,
    /// Identities that it has before it.
    pub identities: u64,
    /// It goes on where another one ended.
    pub resumed: bool,
}

/// The objects of a type.
#[derive(Debug)]
struct Stage {
    object_type: ObjectType,
    /// Of whatever source.
    kinds: Vec<i64>,
    /// The last one that is done, by id.
    after: String,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Identities looked at.
    pub identities: u64,
    /// Their captures.
    pub captures: u64,
    /// Rows that they have now.
    pub rows: u64,
    /// Rows of what roles and groups bring.
    pub grants: u64,
    /// Identities, roles and groups whose rows were others.
    pub changed: u64,
    /// Rows of what history knew once and captures do not tell any more, left as they are.
    pub kept: u64,
    /// Captures that cannot be read back. Whoever has one keeps the rows that it has; where it has none, the capture is
    /// passed over.
    pub unreadable: Vec<RebuildError>,
}

impl Rebuilt {
    /// Adds what another batch came to.
    pub fn add(&mut self, other: Self) {
        self.identities += other.identities;
        self.captures += other.captures;
        self.rows += other.rows;
        self.grants += other.grants;
        self.changed += other.changed;
        self.kept += other.kept;
        self.unreadable.extend(other.unreadable);
    }
}

/// What the captures of one object tell.
struct Told<F> {
    /// Each with the instant at which it was recorded.
    states: Vec<(i64, AccessState<F>)>,
    items: HashMap<i64, AccessItem>,
    unreadable: Vec<RebuildError>,
}

impl AccessRebuild {
    /// Makes ready; `anew` forgets how far another one came.
    ///
    /// # Errors
    /// As any call.
    pub async fn begin(tx: &mut Tx, anew: bool) -> Result<Self, Error> {
        let (granted, of_grants) = position::<Grant>(tx).await?;
        let of_identities = position::<Holding>(tx).await?.1.filter(|_| !anew);
        let of_grants = of_grants.filter(|_| !anew);
        let resumed = of_grants.is_some() || of_identities.is_some();
        let mut stages = vec![Stage::new(tx, ObjectType::Identity, of_identities.unwrap_or_default()).await?];
        // The one that was interrupted was through with them.
        if !(granted && resumed && of_grants.is_none()) {
            for object_type in Grant::TYPES.iter().rev() {
                let of_type =
                    |at: &str| at.strip_prefix(object_type.as_str())?.strip_prefix('/').map(str::to_owned);
                let after = of_grants.as_deref().and_then(of_type);
                let is_done =
                    of_grants.as_deref().is_some_and(|at| after.is_none() && at > object_type.as_str());
                if !is_done {
                    stages.push(Stage::new(tx, *object_type, after.unwrap_or_default()).await?);
                }
            }
        }
        let mut identities = 0;
        for kind in &stages[0].kinds {
            let params = vec![Value::from(*kind), Value::from(stages[0].after.as_str())];
            identities +=
                u64::try_from(tx.fetch_one(&LEFT, params).await?.required_int(0)?).unwrap_or_default();
        }
        Ok(Self { stages, decoder: Decoder::default(), identities, resumed })
    }

    /// Makes the rows of the next objects, at most so many, in a transaction of its own; none when there are no more.
    /// What is as it should be stays untouched.
    ///
    /// # Errors
    /// As any call; what came before stays.
    pub async fn batch(&mut self, db: &Db, objects_max: u32) -> Result<Option<Rebuilt>, Error> {
        let mut attempts = ATTEMPTS;
        while let Some(mut stage) = self.stages.pop() {
            attempts -= 1;
            let outcome = match stage.object_type {
                ObjectType::Identity => self.attempt::<Holding>(db, &mut stage, objects_max).await,
                _ => self.attempt::<Grant>(db, &mut stage, objects_max).await,
            };
            match outcome {
                Ok(None) => attempts = ATTEMPTS,
                Ok(rebuilt) => {
                    self.stages.push(stage);
                    return Ok(rebuilt);
                }
                Err(error) => {
                    self.stages.push(stage);
                    // It stood in the way of somebody who writes, and was the one to yield.
                    if error.sql_kind() != Some(ErrorKind::Conflict) || attempts == 0 {
                        return Err(error);
                    }
                }
            }
        }
        Ok(None)
    }

    async fn attempt<F: AccessFact>(
        &mut self,
        db: &Db,
        stage: &mut Stage,
        objects_max: u32,
    ) -> Result<Option<Rebuilt>, Error> {
        let mut tx = begin_with_head_key(db).await?;
        let objects = stage.page(&mut tx, objects_max).await?;
        let Some(last) = objects.last().cloned() else {
            if F::TYPES.last() == Some(&stage.object_type) {
                tx.execute(&complete_stmt::<F>(), Vec::new()).await?;
            }
            tx.commit().await?;
            return Ok(None);
        };
        let rebuilt = self.make::<F>(&mut tx, stage.object_type, objects).await?;
        let position = F::owner(&key(stage.object_type, &last));
        tx.execute(&move_stmt::<F>(), vec![Value::from(position)]).await?;
        tx.commit().await?;
        stage.after = last;
        Ok(Some(rebuilt))
    }

    async fn make<F: AccessFact>(
        &mut self,
        tx: &mut Tx,
        object_type: ObjectType,
        objects: Vec<String>,
    ) -> Result<Rebuilt, Error> {
        let keys: Vec<ObjectKey> = objects.iter().map(|object| key(object_type, object)).collect();
        let mut stored = stored_rows::<F>(tx, keys.iter().map(F::owner).collect()).await?;
        let (mut rebuilt, mut all_rows) = (Rebuilt::default(), 0);
        let (mut written, mut named) = (Vec::new(), BTreeMap::new());
        for key in keys {
            let told = self.told::<F>(tx, &key).await?;
            let owner = F::owner(&key);
            let rows = stored.remove(&owner).unwrap_or_default();
            rebuilt.captures += told.states.len() as u64;
            let unread = !told.unreadable.is_empty();
            rebuilt.unreadable.extend(told.unreadable);
            let (right, kept) =
                if unread && !rows.is_empty() { (None, 0) } else { right_rows(&rows, told.states) };
            rebuilt.kept += kept;
            all_rows += right.as_ref().unwrap_or(&rows).len() as u64;
            if let Some(right) = right {
                rebuilt.changed += 1;
                written.push((owner, Ledger::unstored(right)));
                named.extend(told.items);
            }
        }
        if object_type == ObjectType::Identity {
            (rebuilt.identities, rebuilt.rows) = (objects.len() as u64, all_rows);
        } else {
            rebuilt.grants = all_rows;
        }
        let changed: Vec<String> = written.iter().map(|(owner, _)| owner.clone()).collect();
        tx.execute(&drop_stmt::<F>(), vec![Value::from(changed)]).await?;
        items::add(tx, named).await?;
        write(tx, &written).await?;
        Ok(rebuilt)
    }

    /// Reads the captures of an object, one on top of the other.
    async fn told<F: AccessFact>(&mut self, tx: &mut Tx, key: &ObjectKey) -> Result<Told<F>, Error> {
        let object_type = key.object_type;
        let mut captures = Vec::new();
        let params = vec![Value::from(&*stored_id(&key.object_id))];
        for row in tx.fetch_all(&captures_stmt(object_type), params).await? {
            captures.push((row.required_int(0)?, row.required_int(7)?, Link::read(&row)?));
        }
        let needed = captures.iter().filter_map(|(.., capture)| capture.dictionary()).collect();
        self.decoder.learn(tx, needed).await?;
        let mut told = Told { states: Vec::new(), items: HashMap::new(), unreadable: Vec::new() };
        let mut walk = Walk::default();
        for (recorded_ms, effective_ms, capture) in captures {
            let image = match walk.next(&capture, &self.decoder) {
                // It is a patch of another one than the one before.
                Err(Fault::ParentMissing { .. }) => elsewhere(tx, object_type, &capture.capture_id).await?,
                Ok(image) => Ok(image),
                Err(fault) => Err(blame(object_type, &capture.capture_id, fault)),
            };
            match image {
                Ok(image) => {
                    let (items, holdings) = image.map(|image| F::told(key, &image)).unwrap_or_default();
                    told.items.extend(items.into_iter().map(|item| (item.number(), item)));
                    let state = AccessState { capture_id: capture.capture_id.into(), effective_ms, holdings };
                    told.states.push((recorded_ms, state));
                }
                Err(error) => told.unreadable.push(error),
            }
        }
        Ok(told)
    }
}

impl Stage {
    async fn new(tx: &mut Tx, object_type: ObjectType, after: String) -> Result<Self, Error> {
        let kinds = tx.fetch_all(&KINDS, vec![Value::from(object_type.as_str())]).await?;
        let kinds = kinds.iter().map(|row| row.required_int(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { object_type, kinds, after })
    }

    /// The next objects of whatever source, locked.
    async fn page(&self, tx: &mut Tx, objects_max: u32) -> Result<Vec<String>, Error> {
        let mut objects = BTreeSet::new();
        for kind in &self.kinds {
            let params = vec![Value::from(*kind), Value::from(self.after.as_str()), Value::from(objects_max)];
            for row in tx.fetch_all(&PAGE, params).await? {
                objects.insert(row.required_text(0)?.to_owned());
            }
        }
        Ok(objects.into_iter().take(usize::try_from(objects_max).unwrap_or(usize::MAX)).collect())
    }
}

/// An object of whatever source.
fn key(object_type: ObjectType, object_id: &str) -> ObjectKey {
    ObjectKey { source: "".into(), object_type, object_id: object_id.to_owned() }
}

fn blame(object_type: ObjectType, capture_id: &str, fault: Fault) -> RebuildError {
    let table = layout(object_type).table.name;
    RebuildError { table, capture_id: capture_id.to_owned(), fault }
}

async fn elsewhere(
    tx: &mut Tx,
    object_type: ObjectType,
    capture_id: &str,
) -> Result<Result<Option<Image>, RebuildError>, Error> {
    match kept_document(tx, object_type, capture_id).await {
        Ok(document) => Ok(Ok(document.image)),
        Err(Error::Rebuild(error)) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

/// The rows that an object should have, where these are others, and how many of them captures do not tell any more.
///
/// A late capture may have taken another one's place, or moved its date. Rows that name a capture which is not there any
/// more, or was dated otherwise, tell what was known before that, and nothing else does: they stay. Where there are such
/// rows, and what is known now is right, all rows stay.
fn right_rows<F: AccessFact>(
    rows: &[LedgerRow<F>],
    captures: Vec<(i64, AccessState<F>)>,
) -> (Option<Vec<LedgerRow<F>>>, u64) {
    let dates: HashMap<String, i64> =
        captures.iter().map(|(_, state)| (state.capture_id.to_string(), state.effective_ms)).collect();
    let is_told = |row: &LedgerRow<F>| {
        let dated = |capture: &str, at_ms: i64| dates.get(capture) == Some(&at_ms);
        let interval = &row.interval;
        dated(&interval.opened_by, interval.valid_from_ms)
            && interval.end.as_ref().is_none_or(|end| dated(&end.closed_by, end.valid_to_ms))
    };
    let mut right = Ledger::replayed(captures).into_rows();
    let kept: Vec<LedgerRow<F>> =
        rows.iter().filter(|row| row.recorded_to_ms.is_some() && !is_told(row)).cloned().collect();
    let as_known = |rows: &[LedgerRow<F>]| {
        let known = rows.iter().filter(|row| row.recorded_to_ms.is_none());
        let mut known: Vec<_> = known
            .map(|row| {
                let mut interval = row.interval.clone();
                interval.end.iter_mut().for_each(|end| end.recorded_ms = 0);
                interval
            })
            .collect();
        known.sort();
        known
    };
    let unnumbered = |rows: &[LedgerRow<F>]| {
        let mut rows: Vec<LedgerRow<F>> =
            rows.iter().map(|row| LedgerRow { seq: 0, ..row.clone() }).collect();
        rows.sort();
        rows
    };
    let is_right = if kept.is_empty() {
        unnumbered(rows) == unnumbered(&right)
    } else {
        as_known(rows) == as_known(&right)
    };
    let count = kept.len() as u64;
    right.splice(0..0, kept);
    ((!is_right).then_some(right), count)
}

/// All rows of these owners.
async fn stored_rows<F: AccessFact>(
    tx: &mut Tx,
    owners: Vec<String>,
) -> Result<HashMap<String, Vec<LedgerRow<F>>>, Error> {
    let stmt = rows_stmt::<F>(tx.engine(), "all", ALL)?;
    let mut stored: HashMap<String, Vec<LedgerRow<F>>> = HashMap::new();
    for row in tx.fetch_all(&stmt, vec![Value::from(owners)]).await? {
        stored.entry(row.required_text(0)?.to_owned()).or_default().extend(read(&row)?);
    }
    Ok(stored)
}

/// Whether all captures have become rows, and how far a rebuilding has come.
pub(super) async fn position<F: AccessFact>(tx: &mut Tx) -> Result<(bool, Option<String>), Error> {
    let row = tx.fetch_one(&position_stmt::<F>(), Vec::new()).await?;
    Ok((row.required_int(0)? != 0, row.text(1)?.map(str::to_owned)))
}

/// Whether the captures of all identities have become intervals: until then nobody can say who held what.
///
/// # Errors
/// As any call.
pub async fn has_intervals(tx: &mut Tx) -> Result<bool, Error> {
    Ok(position::<Holding>(tx).await?.0)
}

/// How access intervals are, and what is known of roles and groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessCheck {
    /// The captures of all identities, roles and groups have become rows.
    pub complete: bool,
    /// A rebuilding has begun and not come to its end.
    pub rebuilding: bool,
    /// Identities that were looked at.
    pub sampled: u64,
    /// Those of them whose newest capture says other than what is known to be held.
    pub stale: Vec<String>,
    /// Roles and groups that were looked at, and whose newest capture says other than what they are known to bring.
    pub stale_granters: Vec<String>,
}

/// Compares what identities are known to hold with their newest captures, for at most so many of them, and what roles and
/// groups bring.
///
/// # Errors
/// As any call.
pub async fn access_check(tx: &mut Tx, objects_max: u32) -> Result<AccessCheck, Error> {
    let (complete, at) = position::<Holding>(tx).await?;
    let (granted, of_grants) = position::<Grant>(tx).await?;
    let mut check = AccessCheck {
        complete: complete && granted,
        rebuilding: at.is_some() || of_grants.is_some(),
        ..AccessCheck::default()
    };
    // While a first load has left keys away, nothing is found quickly.
    if !check.complete || !has_keys(tx).await? {
        return Ok(check);
    }
    (check.sampled, check.stale) = stale::<Holding>(tx, ObjectType::Identity, objects_max).await?;
    for object_type in Grant::TYPES {
        check.stale_granters.extend(stale::<Grant>(tx, *object_type, objects_max).await?.1);
    }
    Ok(check)
}

/// Of a sample of objects: how many, and which of them are known to hold other than what their newest captures say.
async fn stale<F: AccessFact>(
    tx: &mut Tx,
    object_type: ObjectType,
    objects_max: u32,
) -> Result<(u64, Vec<String>), Error> {
    let entity = layout(object_type);
    let table = entity.table.name.trim_end_matches("_capture");
    let sampled = tx.sample(table, entity.mapping.object_id, objects_max).await?;
    let ids = sampled.rows.iter().map(|row| Ok(row.required_text(0)?.to_owned()));
    let ids = ids.collect::<Result<Vec<_>, annals_sql::Error>>()?;
    let newest = newest_captures(tx, None, object_type, ids).await?;
    let captures = newest.iter().map(|(_, capture)| capture.clone()).collect();
    let mut chains = chains(tx, object_type, captures).await?;
    let stmt = rows_stmt::<F>(tx.engine(), "open", OPEN)?;
    let owners: Vec<String> = newest.iter().map(|(object, _)| F::owner(&key(object_type, object))).collect();
    let mut known = ledgers::<F>(tx, &stmt, vec![Value::from(owners.clone())]).await?;
    let (mut looked_at, mut stale) = (0, Vec::new());
    for ((object, capture), owner) in newest.into_iter().zip(owners) {
        let document = chains.remove(&capture).unwrap_or_default().document(object_type, &capture);
        let Ok(image) = document.and_then(|document| document.image()) else { continue };
        let holds = image.map(|image| F::told(&key(object_type, &object), &image).1).unwrap_or_default();
        let ledger = known.remove(&owner).unwrap_or_default();
        looked_at += 1;
        if holds != ledger.held_at(i64::MAX) {
            stale.push(object);
        }
    }
    Ok((looked_at, stale))
}
