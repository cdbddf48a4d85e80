//! What changed between two instants in what identities hold: random histories, against a model that is written from the
//! definitions alone.

use std::collections::{BTreeMap, BTreeSet};

use annals_history::find::{Comparison, Condition, Operand, property};
use annals_history::{PageRequest, Position};
use annals_model::ObjectType;
use annals_questions::{AccessChange, ChangeGroup, ChangesQuestion, GroupBy, change_groups, changes};
use annals_sql::Tx;

use crate::intervals::histories::{Happened, Histories, held};
use crate::intervals::wanted;
use crate::world::{FULL, START_MS, worlds};

/// An access that began or ended to be held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Changed {
    identity: String,
    occurred_ms: i64,
    added: bool,
    access: String,
    ways: String,
    cause: Option<String>,
}

impl Changed {
    /// Nothing explains that it is held.
    fn is_unexplained(&self) -> bool {
        let given = ["entitlement", "assignedRole", "capability", "workgroup"];
        let explained = ["granted", "requested", "certified"];
        self.added
            && given.iter().any(|kind| self.access.starts_with(kind))
            && !explained.iter().any(|way| self.ways.contains(way))
            && self.cause.as_deref() != Some("Rule")
    }
}

impl From<&AccessChange> for Changed {
    fn from(change: &AccessChange) -> Self {
        let AccessChange { item, .. } = change;
        let name = item.name.as_ref().or(item.value.as_ref()).or(item.application.as_ref()).unwrap();
        let account = change.account.as_deref().unwrap_or("-");
        Self {
            identity: change.identity_id.clone(),
            occurred_ms: change.occurred_ms,
            added: change.change == annals_questions::Change::Added,
            access: format!("{} {name} {account}", item.kind.as_str()),
            ways: change.acquired.words().join("+"),
            cause: change.cause.clone(),
        }
    }
}

/// The model: at each instant at which something happened, what is held then and was not just before came, and the reverse
/// went; how it was come by and what brought it is said of when it was held first, or last.
fn model(id: &str, told: &[(i64, Happened)], (from_ms, to_ms): (i64, i64), known_ms: i64) -> Vec<Changed> {
    let instants: BTreeSet<i64> = told.iter().map(|(_, (_, at_ms))| *at_ms).collect();
    let mut changed = Vec::new();
    for at_ms in instants.into_iter().filter(|at_ms| from_ms < *at_ms && *at_ms <= to_ms) {
        let (before, after) = (held(told, at_ms - 1, known_ms), held(told, at_ms, known_ms));
        for (added, one, other) in [(true, &after, &before), (false, &before, &after)] {
            for ((kind, name, account), (ways, cause)) in one {
                if !other.contains_key(&(*kind, *name, *account)) {
                    changed.push(Changed {
                        identity: id.to_owned(),
                        occurred_ms: at_ms,
                        added,
                        access: format!("{kind} {name} {account}"),
                        ways: ways.iter().copied().collect::<Vec<_>>().join("+"),
                        cause: cause.map(str::to_owned),
                    });
                }
            }
        }
    }
    changed
}

async fn asked(tx: &mut Tx, question: &ChangesQuestion<'_>, limit: u32) -> Vec<Changed> {
    let (mut all, mut after) = (Vec::new(), None::<Position>);
    loop {
        let page = changes(tx, question, &PageRequest { limit, after: after.take() }).await.unwrap();
        all.extend(page.rows.iter().map(Changed::from));
        after = page.next;
        if after.is_none() {
            all.sort();
            return all;
        }
    }
}

/// Counts by group, page by page, with the totals: added, removed, held before and after.
async fn counted(
    tx: &mut Tx,
    question: &ChangesQuestion<'_>,
    by: GroupBy,
    limit: u32,
) -> (BTreeMap<Option<String>, (i64, i64)>, [Option<i64>; 4]) {
    let (mut groups, mut after) = (BTreeMap::new(), None::<Position>);
    loop {
        let request = PageRequest { limit, after: after.take() };
        let found = change_groups(tx, question, by, &request).await.unwrap();
        for ChangeGroup { group, id, added, removed } in found.page.rows {
            let key = if by == GroupBy::Identity { id } else { group };
            assert_eq!(groups.insert(key, (added, removed)), None, "each group once");
        }
        after = found.page.next;
        if after.is_none() {
            let totals = found.totals;
            let counts = [Some(totals.added), Some(totals.removed), totals.held_before, totals.held_after];
            return (groups, counts);
        }
    }
}

fn key(changed: &Changed, by: GroupBy) -> Option<String> {
    match by {
        GroupBy::Cause => changed.cause.clone(),
        GroupBy::Identity => Some(changed.identity.clone()),
        // All of it happens on the first day, to accounts and entitlements of one application.
        GroupBy::Day => Some("1970-01-01".to_owned()),
        GroupBy::Application if changed.access.starts_with("account") => Some("AD".to_owned()),
        GroupBy::Application if changed.access.starts_with("entitlement") => Some("AD".to_owned()),
        GroupBy::Application => None,
    }
}

fn grouped(changed: &[Changed], by: GroupBy) -> BTreeMap<Option<String>, (i64, i64)> {
    let mut groups: BTreeMap<Option<String>, (i64, i64)> = BTreeMap::new();
    for one in changed {
        let (added, removed) = groups.entry(key(one, by)).or_default();
        *(if one.added { added } else { removed }) += 1;
    }
    groups
}

/// IIQ-05, IIQ-61, TRAP-01, TRAP-02: of random histories with late arrivals, repetitions, deletions and second lives, what
/// changed between two instants, as known at a third, is what the model says, in whatever pages and of whomever it is asked;
/// counts are those of the changes, and what was held at the end is what was held before, with what came and without what
/// went. 120 histories on each engine; others with `ANNALS_HISTORIES`.
#[tokio::test]
async fn random_changes_are_what_the_model_says() {
    let name = property(ObjectType::Identity, "id").unwrap();
    for world in worlds(&FULL).await {
        let Histories { told, rounds } = Histories::write(&world, wanted()).await;
        let mut tx = world.db.begin_read().await.unwrap();
        let some: Vec<String> = told.iter().step_by(3).map(|(id, _)| id.clone()).collect();
        let mut compared = 0;
        for (number, (from_ms, to_ms)) in
            [(0, 1_000), (100, 200), (110, 150), (129, 130), (130, 130), (i64::MIN, i64::MAX)]
                .into_iter()
                .enumerate()
        {
            for round in [-1, 0, rounds / 2, rounds] {
                let known_ms = START_MS + 1_000 * round;
                let mut question = ChangesQuestion {
                    from_ms,
                    to_ms,
                    known_at_ms: Some(known_ms),
                    condition: None,
                    within: None,
                    unexplained_only: false,
                };
                if round == rounds {
                    question.known_at_ms = None;
                }
                let mut people: Vec<&(String, Vec<(i64, Happened)>)> = told.iter().collect();
                if number % 2 == 1 {
                    question.within = Some(&some);
                    people.retain(|(id, _)| some.contains(id));
                }
                if number % 3 == 1 {
                    let half = Operand::Text("i00060".to_owned());
                    question.condition = Some(Condition::Compare(name, Comparison::Less, half));
                    people.retain(|(id, _)| id.as_str() < "i00060");
                }
                let mut expected: Vec<Changed> = people
                    .iter()
                    .flat_map(|(id, told)| model(id, told, (from_ms, to_ms), known_ms))
                    .collect();
                expected.sort();
                let of = format!("{question:?}");
                assert_eq!(asked(&mut tx, &question, 1_000_000).await, expected, "{of}");
                // Whatever their number, a few pages.
                let few = |all: usize| u32::try_from(all / 4 + 7).unwrap();
                assert_eq!(asked(&mut tx, &question, few(expected.len())).await, expected, "{of}");
                let holding = |at_ms: i64| -> i64 {
                    people.iter().map(|(_, told)| held(told, at_ms, known_ms).len() as i64).sum()
                };
                let (before, after) = (holding(from_ms), holding(to_ms));
                let added = expected.iter().filter(|changed| changed.added).count() as i64;
                let removed = expected.len() as i64 - added;
                assert_eq!(after, before + added - removed, "the model is sound: {of}");
                for by in GroupBy::ALL {
                    let (groups, totals) = counted(&mut tx, &question, by, few(people.len() / 4)).await;
                    assert_eq!(groups, grouped(&expected, by), "{by:?} {of}");
                    assert_eq!(totals, [added, removed, before, after].map(Some), "{by:?} {of}");
                }
                question.unexplained_only = true;
                let unexplained: Vec<Changed> =
                    expected.iter().filter(|changed| changed.is_unexplained()).cloned().collect();
                assert_eq!(asked(&mut tx, &question, 1_000_000).await, unexplained, "{of}");
                let (groups, totals) = counted(&mut tx, &question, GroupBy::Cause, 10).await;
                assert_eq!(groups, grouped(&unexplained, GroupBy::Cause), "{of}");
                assert_eq!(totals, [Some(unexplained.len() as i64), Some(0), None, None]);
                compared += expected.len().min(1) + unexplained.len().min(1);
            }
        }
        assert!(compared > 15, "{compared}");
    }
}
