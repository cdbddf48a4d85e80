//! Picking people to whom something happens.

use std::collections::{BTreeMap, BTreeSet};

use super::Day;
use super::subject::Subject;
use crate::error::Result;
use crate::id::Kind;

/// How often to look for people before being content with fewer.
const ROUNDS_MAX: usize = 6;

impl Day<'_> {
    /// Up to so many people who work here, fit, and have been left alone today. They count as busy from now on.
    pub(super) async fn pick(
        &mut self,
        count: usize,
        fits: impl Fn(&Subject) -> bool,
    ) -> Result<Vec<Subject>> {
        let mut picked = Vec::new();
        let people = self.ids.count(Kind::Identity);
        for _ in 0..ROUNDS_MAX {
            if picked.len() >= count {
                break;
            }
            let mut ids: Vec<String> = Vec::new();
            let mut thrown = BTreeSet::new();
            for _ in 0..(count - picked.len()) * 2 + 6 {
                let id = self.ids.nth(Kind::Identity, self.dice.below(people));
                if !self.busy.contains(&id) && thrown.insert(id.clone()) {
                    ids.push(id);
                }
            }
            // In the order of the dice, not of the ids: else those with low numbers would be picked more often.
            let found = self.subjects(&ids).await?;
            let mut found: BTreeMap<String, Subject> =
                found.into_iter().map(|subject| (subject.id.clone(), subject)).collect();
            for id in ids {
                let Some(subject) = found.remove(&id) else { continue };
                if picked.len() < count && !subject.inactive && fits(&subject) {
                    self.busy.insert(id);
                    picked.push(subject);
                }
            }
        }
        Ok(picked)
    }
}
