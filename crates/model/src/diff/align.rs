//! Which elements of two lists belong together, by natural key and not by position.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::Collection;

/// How the elements of an old and a new list correspond. What both lists begin and end with is cut off first; the rest
/// is matched by key, the n-th of several elements with one key to the n-th. Time is linear but for elements that
/// changed places.
pub(super) struct Alignment {
    /// Elements that both lists begin with.
    pub(super) prefix: usize,
    /// For each new element after the prefix and before the common end: its old index, and whether it keeps its place
    /// among the elements that stay.
    matched: Vec<Option<Match>>,
    /// Old indices without a new element, rising.
    pub(super) removed: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Match {
    old: usize,
    in_place: bool,
}

/// One element of the new list.
pub(super) enum Step {
    /// It stands there already, possibly with other content; the number is its old index.
    Stays(usize),
    /// It was elsewhere in the old list, at this index.
    Moves(usize),
    /// It is new.
    Joins,
}

impl Alignment {
    pub(super) fn new(old: &[Value], new: &[Value], collection: Option<&Collection>) -> Self {
        let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let suffix =
            old[prefix..].iter().rev().zip(new[prefix..].iter().rev()).take_while(|(o, n)| o == n).count();
        let old = &old[prefix..old.len() - suffix];
        let new = &new[prefix..new.len() - suffix];
        let key = Key::choose(collection, old, new);
        let mut by_key: HashMap<Cow<'_, str>, Vec<usize>> = HashMap::with_capacity(old.len());
        for (index, element) in old.iter().enumerate().rev() {
            by_key.entry(key.of(element)).or_default().push(index);
        }
        let matches: Vec<Option<usize>> =
            new.iter().map(|element| by_key.get_mut(&key.of(element)).and_then(Vec::pop)).collect();
        let mut removed: Vec<usize> = by_key.into_values().flatten().map(|index| index + prefix).collect();
        removed.sort_unstable();
        let stays = longest_rising(&matches);
        let matched = matches
            .into_iter()
            .zip(stays)
            .map(|(old, in_place)| old.map(|old| Match { old: old + prefix, in_place }))
            .collect();
        Self { prefix, matched, removed }
    }

    /// The new elements after the prefix, with their new indices.
    pub(super) fn steps(&self) -> impl Iterator<Item = (usize, Step)> + '_ {
        self.matched.iter().enumerate().map(|(offset, matched)| {
            let step = match matched {
                Some(Match { old, in_place: true }) => Step::Stays(*old),
                Some(Match { old, in_place: false }) => Step::Moves(*old),
                None => Step::Joins,
            };
            (self.prefix + offset, step)
        })
    }

    /// Old indices of the elements that leave their place, rising.
    pub(super) fn leaving(&self) -> Vec<usize> {
        let moved =
            self.matched.iter().flatten().filter(|matched| !matched.in_place).map(|matched| matched.old);
        let mut leaving: Vec<usize> = self.removed.iter().copied().chain(moved).collect();
        leaving.sort_unstable();
        leaving
    }

    /// Number of elements that come to their place.
    pub(super) fn arriving(&self) -> usize {
        self.matched.iter().filter(|matched| !matches!(matched, Some(Match { in_place: true, .. }))).count()
    }
}

/// What tells the elements of a list apart.
enum Key<'k> {
    /// Members that the transform names.
    Named(&'k [String]),
    /// One member that all elements have and no two share.
    Member(&'static str),
    /// The whole element.
    Whole,
}

impl<'k> Key<'k> {
    fn choose(collection: Option<&'k Collection>, old: &[Value], new: &[Value]) -> Self {
        if let Some(collection) = collection.filter(|collection| !collection.key.is_empty()) {
            return Self::Named(&collection.key);
        }
        ["id", "name"]
            .into_iter()
            .find(|member| tells_apart(member, old) && tells_apart(member, new))
            .map_or(Self::Whole, Self::Member)
    }

    fn of<'v>(&self, element: &'v Value) -> Cow<'v, str> {
        match self {
            Self::Named(members) => {
                let Some(object) = element.as_object() else { return text(element) };
                // A member that is absent counts like null: a column may be missing in some releases.
                let value_of = |member: &String| object.get(member).unwrap_or(&Value::Null);
                match members {
                    [only] => text(value_of(only)),
                    _ => Cow::Owned(
                        members.iter().map(|member| format!("{}\u{1f}", value_of(member))).collect(),
                    ),
                }
            }
            Self::Member(member) => text(element.get(member).unwrap_or(&Value::Null)),
            Self::Whole => text(element),
        }
    }
}

/// A value as a key. Text stands for itself: elements of different types that read alike are told apart by comparing
/// them, which every matched pair is.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn tells_apart(member: &str, elements: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(elements.len());
    elements.iter().all(|element| {
        element
            .get(member)
            .filter(|value| value.is_string() || value.is_number())
            .is_some_and(|value| seen.insert(text(value)))
    })
}

/// Marks the members of a longest rising subsequence of the old indices.
fn longest_rising(matches: &[Option<usize>]) -> Vec<bool> {
    let mut marks: Vec<bool> = matches.iter().map(Option::is_some).collect();
    if matches.iter().flatten().is_sorted() {
        return marks;
    }
    // Patience sorting: `tails[n]` is where a rising sequence of n + 1 elements with the least last value ends.
    let mut tails: Vec<(usize, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; matches.len()];
    for (at, old) in matches.iter().enumerate().filter_map(|(at, old)| old.map(|old| (at, old))) {
        let length = tails.partition_point(|(_, tail)| *tail < old);
        before[at] = length.checked_sub(1).map(|shorter| tails[shorter].0);
        if length == tails.len() {
            tails.push((at, old));
        } else {
            tails[length] = (at, old);
        }
    }
    marks.fill(false);
    let mut at = tails.last().map(|(at, _)| *at);
    while let Some(index) = at {
        marks[index] = true;
        at = before[index];
    }
    marks
}
