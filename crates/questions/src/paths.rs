//! By what other access an access comes: roles that inherit or require it, profiles that stand for it, groups that are in
//! it; and from when until when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use annals_history::{Span, access_items, grants_of};
use annals_model::{AccessItem, GrantWay};
use annals_sql::Tx;

use crate::item::{Access, called, same_access};
use crate::{Error, Result};

/// Paths to one access: more than any identity system has, unless somebody has built them to be many.
const PATHS_MAX: usize = 10_000;

/// A stretch of time: its first instant and the one after its last; `i64::MAX` where it has no end.
pub(crate) type Stretch = (i64, i64);

/// How whoever holds one access has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// Each step from the access that is held to the one that is asked for: `inherits Staff`. None where that is held itself.
    pub(crate) steps: Vec<String>,
    /// What is held, what each step leads to, and what is asked for.
    pub(crate) walked: Arc<[Access]>,
    /// When the path was there: in order, none touching the next.
    pub(crate) stretches: Vec<Stretch>,
}

/// All paths to an access.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// By the number of the item that is held.
    pub(crate) by_item: HashMap<i64, Vec<Path>>,
    /// The items that lead to it, by number.
    pub(crate) items: HashMap<i64, AccessItem>,
}

/// One access brings another.
#[derive(Debug)]
struct Edge {
    by: Access,
    /// What is said of it, by its newest form.
    step: String,
    stretches: Vec<Stretch>,
}

/// Finds all paths to an access that were there at some time, as far as was known; with `direct_only` but that of no step.
pub(crate) async fn paths(
    tx: &mut Tx,
    (target, items): (Access, Vec<(i64, AccessItem)>),
    known_at_ms: Option<i64>,
    direct_only: bool,
) -> Result<Paths> {
    let mut numbers: BTreeMap<Access, Vec<i64>> = BTreeMap::new();
    let mut paths = Paths::default();
    let mut note = |paths: &mut Paths, access: &Access, items: Vec<(i64, AccessItem)>| {
        numbers.insert(access.clone(), items.iter().map(|(number, _)| *number).collect());
        paths.items.extend(items);
    };
    note(&mut paths, &target, items);
    let mut edges: BTreeMap<Access, Vec<Edge>> = BTreeMap::new();
    let mut frontier: Vec<i64> = if direct_only { Vec::new() } else { paths.items.keys().copied().collect() };
    let mut seen = BTreeSet::from([target.clone()]);
    while !frontier.is_empty() {
        let found = edges_to(tx, frontier, known_at_ms).await?;
        let mut new = BTreeSet::new();
        for (item, of_item) in found {
            new.extend(of_item.iter().map(|edge| edge.by.clone()).filter(|by| !seen.contains(by)));
            edges.entry(item).or_default().extend(of_item);
        }
        frontier = Vec::new();
        for (access, items) in same_access(tx, &new).await? {
            frontier.extend(items.iter().map(|(number, _)| *number));
            note(&mut paths, &access, items);
        }
        seen.extend(new);
    }
    let mut walk = Walk { edges: &edges, numbers: &numbers, found: BTreeMap::new(), count: 0 };
    walk.from(&target, &mut Vec::new(), &mut Vec::new(), &[(i64::MIN, i64::MAX)])?;
    for (access, of_access) in walk.found {
        for number in &numbers[access] {
            paths.by_item.insert(*number, of_access.clone());
        }
    }
    Ok(paths)
}

/// What brings any of these items, by what is brought.
async fn edges_to(
    tx: &mut Tx,
    items: Vec<i64>,
    known_at_ms: Option<i64>,
) -> Result<BTreeMap<Access, Vec<Edge>>> {
    // Of whatever time: a stretch may be told by several rows, for what is renamed is another item.
    let ever = Span { from_ms: i64::MIN, to_ms: i64::MAX, known_at_ms };
    let mut grants = grants_of(tx, items, ever).await?;
    grants.sort_by_key(|grant| grant.valid_from_ms);
    let named = grants.iter().flat_map(|grant| [grant.holding.item, grant.holding.by]);
    let items = access_items(tx, named.collect::<BTreeSet<_>>().into_iter().collect()).await?;
    let mut found: BTreeMap<(Access, Access, GrantWay), (String, Vec<Stretch>)> = BTreeMap::new();
    for grant in grants {
        let (item, by) = (&items[&grant.holding.item], &items[&grant.holding.by]);
        let way = grant.holding.way;
        let (step, stretches) = found.entry((Access::of(item), Access::of(by), way)).or_default();
        *step = format!("{} {}", way.as_str(), called(item));
        let to_ms = grant.end.map_or(i64::MAX, |end| end.valid_to_ms);
        add(stretches, (grant.valid_from_ms, to_ms));
    }
    let mut edges: BTreeMap<Access, Vec<Edge>> = BTreeMap::new();
    for ((item, by, _), (step, stretches)) in found {
        edges.entry(item).or_default().push(Edge { by, step, stretches });
    }
    Ok(edges)
}

/// Adds a stretch that begins no earlier than the last one.
fn add(stretches: &mut Vec<Stretch>, (from_ms, to_ms): Stretch) {
    match stretches.last_mut() {
        Some(last) if from_ms <= last.1 => last.1 = last.1.max(to_ms),
        _ => stretches.push((from_ms, to_ms)),
    }
}

/// The stretches of time that are in both.
pub(crate) fn common(one: &[Stretch], two: &[Stretch]) -> Vec<Stretch> {
    let overlap = |(from, to): &Stretch, (other_from, other_to): &Stretch| {
        let both = (*from.max(other_from), *to.min(other_to));
        (both.0 < both.1).then_some(both)
    };
    one.iter().flat_map(|one| two.iter().filter_map(move |two| overlap(one, two))).collect()
}

struct Walk<'e> {
    edges: &'e BTreeMap<Access, Vec<Edge>>,
    numbers: &'e BTreeMap<Access, Vec<i64>>,
    found: BTreeMap<&'e Access, Vec<Path>>,
    count: usize,
}

impl<'e> Walk<'e> {
    /// From an access to all that lead there, but never in a circle. `steps` are those from it on, the last one first.
    fn from(
        &mut self,
        access: &'e Access,
        walked: &mut Vec<&'e Access>,
        steps: &mut Vec<&'e str>,
        stretches: &[Stretch],
    ) -> Result<()> {
        self.count += 1;
        if self.count > PATHS_MAX {
            return Err(Error::TooManyPaths);
        }
        walked.push(access);
        let path = Path {
            steps: steps.iter().rev().map(|step| (*step).to_owned()).collect(),
            walked: walked.iter().rev().copied().cloned().collect(),
            stretches: stretches.to_vec(),
        };
        self.found.entry(access).or_default().push(path);
        for edge in self.edges.get(access).into_iter().flatten() {
            let both = common(stretches, &edge.stretches);
            if !both.is_empty()
                && !walked.contains(&&edge.by)
                && let Some((by, _)) = self.numbers.get_key_value(&edge.by)
            {
                steps.push(&edge.step);
                self.from(by, walked, steps, &both)?;
                steps.pop();
            }
        }
        walked.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_touch_are_one() {
        let mut stretches = Vec::new();
        for stretch in [(1, 3), (3, 5), (4, 5), (7, 9), (7, i64::MAX)] {
            add(&mut stretches, stretch);
        }
        assert_eq!(stretches, [(1, 5), (7, i64::MAX)]);
    }

    #[test]
    fn what_is_in_both_is_common() {
        assert_eq!(
            common(&[(1, 5), (7, i64::MAX)], &[(0, 2), (4, 8), (9, 10)]),
            [(1, 2), (4, 5), (7, 8), (9, 10)]
        );
        assert_eq!(common(&[(1, 5)], &[(5, 6)]), []);
    }
}
