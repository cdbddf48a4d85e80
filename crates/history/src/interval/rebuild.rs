//! Making access intervals again from captures alone: for a history from before they were kept, and to see that they are
//! right.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use annals_model::{AccessItem, AccessState, Image, Ledger, LedgerRow, ObjectType, holdings};
use annals_sql::{Db, ErrorKind, Row, Stmt, Tx, Value};

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

pub(super) const ALL: &str = "identity_id = listed.value";

const KINDS: Stmt =
    Stmt::new("history.kinds_of_type", "select id from annals_object_kind where object_type = ? order by id");
const POSITION: Stmt = Stmt::new(
    "history.rebuilding_position",
    "select complete, position from annals_access_build where id = 1",
);
const MOVE: Stmt =
    Stmt::new("history.move_rebuilding", "update annals_access_build set position = ? where id = 1");
const COMPLETE: Stmt = Stmt::new(
    "history.end_rebuilding",
    "update annals_access_build set complete = 1, position = null where id = 1",
);
/// Locked in the order in which those are who write them.
const PAGE: Stmt = Stmt::new(
    "history.identities_page",
    "select object_id from annals_head where kind = ? and object_id > ? order by object_id limit ? {locked}",
);
const LEFT: Stmt =
    Stmt::new("history.identities_left", "select count(*) from annals_head where kind = ? and object_id > ?");
const CAPTURES: Stmt = Stmt::new(
    "history.captures_of_identity",
    "select created, id, identity_id, patch_doc_parent, json, json_format, full_hash, effective_date
     from spt_hist_identity_capture where identity_id = ? order by effective_date, created, id",
);
const DROP: Stmt =
    Stmt::new("history.drop_intervals", "delete from annals_access_interval where identity_id {in}");

#[cfg(test)]
pub(super) const STATEMENTS: [Stmt; 8] = [KINDS, POSITION, MOVE, COMPLETE, PAGE, LEFT, CAPTURES, DROP];

/// How often a batch is tried that yields to somebody who writes.
const ATTEMPTS: u32 = 5;

/// A rebuilding on its way through the identities, in the order of their ids. How far it has come is kept with what it
/// has made, so that after a crash the next one goes on.
#[derive(Debug)]
pub struct AccessRebuild {
    kinds: Vec<i64>,
    after: String,
    decoder: Decoder,
    /// Identities that it has before it.
    pub identities: u64,
    /// It goes on where another one ended.
    pub resumed: bool,
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
    /// Identities whose rows were others.
    pub changed: u64,
    /// Rows of what history knew once and captures do not tell any more, left as they are.
    pub kept: u64,
    /// Captures that cannot be read back. An identity with one keeps the rows that it has; where it has none, the capture
    /// is passed over.
    pub unreadable: Vec<RebuildError>,
}

impl Rebuilt {
    /// Adds what another batch came to.
    pub fn add(&mut self, other: Self) {
        self.identities += other.identities;
        self.captures += other.captures;
        self.rows += other.rows;
        self.changed += other.changed;
        self.kept += other.kept;
        self.unreadable.extend(other.unreadable);
    }
}

/// What the captures of one identity tell.
#[derive(Default)]
struct Told {
    /// Each with the instant at which it was recorded.
    states: Vec<(i64, AccessState)>,
    items: HashMap<i64, AccessItem>,
    unreadable: Vec<RebuildError>,
}

impl AccessRebuild {
    /// Makes ready; `anew` forgets how far another one came.
    ///
    /// # Errors
    /// As any call.
    pub async fn begin(tx: &mut Tx, anew: bool) -> Result<Self, Error> {
        let position = position(tx).await?.1.filter(|_| !anew);
        let kinds = tx.fetch_all(&KINDS, vec![Value::from(ObjectType::Identity.as_str())]).await?;
        let kinds = kinds.iter().map(|row| row.required_int(0)).collect::<Result<Vec<_>, _>>()?;
        let resumed = position.is_some();
        let after = position.unwrap_or_default();
        let mut identities = 0;
        for kind in &kinds {
            let params = vec![Value::from(*kind), Value::from(after.as_str())];
            identities +=
                u64::try_from(tx.fetch_one(&LEFT, params).await?.required_int(0)?).unwrap_or_default();
        }
        Ok(Self { kinds, after, decoder: Decoder::default(), identities, resumed })
    }

    /// Makes the rows of the next identities, at most so many, in a transaction of its own; none when there are no more.
    /// What is as it should be stays untouched.
    ///
    /// # Errors
    /// As any call; what came before stays.
    pub async fn batch(&mut self, db: &Db, identities_max: u32) -> Result<Option<Rebuilt>, Error> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match self.attempt(db, identities_max).await {
                // It stood in the way of somebody who writes, and was the one to yield.
                Err(Error::Sql(error)) if error.kind() == ErrorKind::Conflict && attempts > 0 => {}
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&mut self, db: &Db, identities_max: u32) -> Result<Option<Rebuilt>, Error> {
        let mut tx = begin_with_head_key(db).await?;
        let identities = self.page(&mut tx, identities_max).await?;
        let Some(last) = identities.last().cloned() else {
            tx.execute(&COMPLETE, Vec::new()).await?;
            tx.commit().await?;
            return Ok(None);
        };
        let rebuilt = self.make(&mut tx, identities).await?;
        tx.execute(&MOVE, vec![Value::from(last.as_str())]).await?;
        tx.commit().await?;
        self.after = last;
        Ok(Some(rebuilt))
    }

    async fn make(&mut self, tx: &mut Tx, identities: Vec<String>) -> Result<Rebuilt, Error> {
        let mut stored = stored_rows(tx, &identities).await?;
        let mut rebuilt = Rebuilt::default();
        let (mut written, mut named) = (Vec::new(), BTreeMap::new());
        for identity in identities {
            let told = self.told(tx, &identity).await?;
            let rows = stored.remove(&identity).unwrap_or_default();
            rebuilt.identities += 1;
            rebuilt.captures += told.states.len() as u64;
            let unread = !told.unreadable.is_empty();
            rebuilt.unreadable.extend(told.unreadable);
            let (right, kept) =
                if unread && !rows.is_empty() { (None, 0) } else { right_rows(&rows, told.states) };
            rebuilt.kept += kept;
            rebuilt.rows += right.as_ref().unwrap_or(&rows).len() as u64;
            if let Some(right) = right {
                rebuilt.changed += 1;
                written.push((identity, Ledger::unstored(right)));
                named.extend(told.items);
            }
        }
        let changed: Vec<String> = written.iter().map(|(identity, _)| identity.clone()).collect();
        tx.execute(&DROP, vec![Value::from(changed)]).await?;
        items::add(tx, named).await?;
        write(tx, &written).await?;
        Ok(rebuilt)
    }

    /// The next identities of whatever source, locked.
    async fn page(&self, tx: &mut Tx, identities_max: u32) -> Result<Vec<String>, Error> {
        let mut identities = BTreeSet::new();
        for kind in &self.kinds {
            let params =
                vec![Value::from(*kind), Value::from(self.after.as_str()), Value::from(identities_max)];
            for row in tx.fetch_all(&PAGE, params).await? {
                identities.insert(row.required_text(0)?.to_owned());
            }
        }
        Ok(identities.into_iter().take(usize::try_from(identities_max).unwrap_or(usize::MAX)).collect())
    }

    /// Reads the captures of an identity, one on top of the other.
    async fn told(&mut self, tx: &mut Tx, identity: &str) -> Result<Told, Error> {
        let mut captures = Vec::new();
        for row in tx.fetch_all(&CAPTURES, vec![Value::from(&*stored_id(identity))]).await? {
            captures.push((row.required_int(0)?, row.required_int(7)?, Link::read(&row)?));
        }
        let needed = captures.iter().filter_map(|(.., capture)| capture.dictionary()).collect();
        self.decoder.learn(tx, needed).await?;
        let (mut told, mut walk) = (Told::default(), Walk::default());
        for (recorded_ms, effective_ms, capture) in captures {
            let image = match walk.next(&capture, &self.decoder) {
                // It is a patch of another one than the one before.
                Err(Fault::ParentMissing { .. }) => elsewhere(tx, &capture.capture_id).await?,
                Ok(image) => Ok(image),
                Err(fault) => Err(blame(&capture.capture_id, fault)),
            };
            match image {
                Ok(image) => told.take(recorded_ms, effective_ms, &capture.capture_id, image.as_ref()),
                Err(error) => told.unreadable.push(error),
            }
        }
        Ok(told)
    }
}

impl Told {
    fn take(&mut self, recorded_ms: i64, effective_ms: i64, capture_id: &str, image: Option<&Image>) {
        let mut held = Vec::new();
        for (item, holding) in image.map(holdings).into_iter().flatten() {
            self.items.entry(holding.item).or_insert(item);
            held.push(holding);
        }
        let state = AccessState { capture_id: capture_id.into(), effective_ms, holdings: held };
        self.states.push((recorded_ms, state));
    }
}

fn blame(capture_id: &str, fault: Fault) -> RebuildError {
    let table = layout(ObjectType::Identity).table.name;
    RebuildError { table, capture_id: capture_id.to_owned(), fault }
}

async fn elsewhere(tx: &mut Tx, capture_id: &str) -> Result<Result<Option<Image>, RebuildError>, Error> {
    match kept_document(tx, ObjectType::Identity, capture_id).await {
        Ok(document) => Ok(Ok(document.image)),
        Err(Error::Rebuild(error)) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

/// The rows that an identity should have, where these are others, and how many of them captures do not tell any more.
///
/// A late capture may have taken another one's place, or moved its date. Rows that name a capture which is not there any
/// more, or was dated otherwise, tell what was known before that, and nothing else does: they stay. Where there are such
/// rows, and what is known now is right, all rows stay.
fn right_rows(rows: &[LedgerRow], captures: Vec<(i64, AccessState)>) -> (Option<Vec<LedgerRow>>, u64) {
    let dates: HashMap<String, i64> =
        captures.iter().map(|(_, state)| (state.capture_id.to_string(), state.effective_ms)).collect();
    let is_told = |row: &LedgerRow| {
        let dated = |capture: &str, at_ms: i64| dates.get(capture) == Some(&at_ms);
        let interval = &row.interval;
        dated(&interval.opened_by, interval.valid_from_ms)
            && interval.end.as_ref().is_none_or(|end| dated(&end.closed_by, end.valid_to_ms))
    };
    let mut right = Ledger::replayed(captures).into_rows();
    let kept: Vec<LedgerRow> =
        rows.iter().filter(|row| row.recorded_to_ms.is_some() && !is_told(row)).cloned().collect();
    let as_known = |rows: &[LedgerRow]| {
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
    let unnumbered = |rows: &[LedgerRow]| {
        let mut rows: Vec<LedgerRow> = rows.iter().map(|row| LedgerRow { seq: 0, ..row.clone() }).collect();
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

/// All rows of these identities.
async fn stored_rows(tx: &mut Tx, identities: &[String]) -> Result<HashMap<String, Vec<LedgerRow>>, Error> {
    let stmt = rows_stmt(tx.engine(), "history.all_intervals", ALL)?;
    let mut stored: HashMap<String, Vec<LedgerRow>> = HashMap::new();
    for row in tx.fetch_all(&stmt, vec![Value::from(identities.to_vec())]).await? {
        stored.entry(row.required_text(0)?.to_owned()).or_default().extend(read(&row)?);
    }
    Ok(stored)
}

/// Whether all identities' captures have become intervals, and how far a rebuilding has come.
async fn position(tx: &mut Tx) -> Result<(bool, Option<String>), Error> {
    let row: Row = tx.fetch_one(&POSITION, Vec::new()).await?;
    Ok((row.required_int(0)? != 0, row.text(1)?.map(str::to_owned)))
}

/// Whether the captures of all identities have become intervals: until then nobody can say who held what.
///
/// # Errors
/// As any call.
pub async fn has_intervals(tx: &mut Tx) -> Result<bool, Error> {
    Ok(position(tx).await?.0)
}

/// How access intervals are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessCheck {
    /// The captures of all identities have become intervals.
    pub complete: bool,
    /// A rebuilding has begun and not come to its end.
    pub rebuilding: bool,
    /// Identities that were looked at.
    pub sampled: u64,
    /// Those of them whose newest capture says other than what is known to be held.
    pub stale: Vec<String>,
}

/// Compares what identities are known to hold with their newest captures, for at most so many of them.
///
/// # Errors
/// As any call.
pub async fn access_check(tx: &mut Tx, identities_max: u32) -> Result<AccessCheck, Error> {
    let (complete, position) = position(tx).await?;
    let mut check = AccessCheck { complete, rebuilding: position.is_some(), ..AccessCheck::default() };
    // While a first load has left keys away, nothing is found quickly.
    if !complete || !has_keys(tx).await? {
        return Ok(check);
    }
    let sampled = tx.sample("spt_hist_identity", "identity_id", identities_max).await?;
    let ids = sampled.rows.iter().map(|row| Ok(row.required_text(0)?.to_owned()));
    let ids = ids.collect::<Result<Vec<_>, annals_sql::Error>>()?;
    let newest = newest_captures(tx, None, ObjectType::Identity, ids).await?;
    let captures = newest.iter().map(|(_, capture)| capture.clone()).collect();
    let mut chains = chains(tx, ObjectType::Identity, captures).await?;
    let stmt = rows_stmt(tx.engine(), "history.open_intervals", OPEN)?;
    let identities: Vec<String> = newest.iter().map(|(identity, _)| identity.clone()).collect();
    let mut known = ledgers(tx, &stmt, vec![Value::from(identities)]).await?;
    for (identity, capture) in newest {
        let document = chains.remove(&capture).unwrap_or_default().document(ObjectType::Identity, &capture);
        let Ok(image) = document.and_then(|document| document.image()) else { continue };
        let holds = image.iter().flat_map(holdings).map(|(_, holding)| holding);
        let ledger = known.remove(&identity).unwrap_or_default();
        check.sampled += 1;
        if !holds.eq(ledger.held_at(i64::MAX)) {
            check.stale.push(identity);
        }
    }
    Ok(check)
}
