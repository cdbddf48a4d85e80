//! Picking people to whom something happens.

use super::Day;
use super::subject::Subject;
use crate::error::Result;
use crate::id::Kind;

/// How often to look for people before being content with fewer.
const ROUNDS_MAX: usize = 6;

impl Day<'_> {
    /// Up to so many people who work here, fit, and have been left alone today. They count as busy from now on.
    pub(super) async fn pick(&mut self, count: usize, fits: impl Fn(&Subject) -> bool) -> Result<Vec<Subject>> {
        let mut picked = Vec::new();
        let people = self.ids.count(Kind::Identity);
        for _ in 0..ROUNDS_MAX {
            if picked.len() >= count {
                break;
            }
            let mut ids: Vec<String> = Vec::new();
            for _ in 0..(count - picked.len()) * 2 + 6 {
                let id = self.ids.nth(Kind::Identity, self.dice.below(people));
                if !self.busy.contains(&id) && !ids.contains(&id) {
                    ids.push(id);
                }
            }
            // In the order of the dice, not of the ids: else those with low numbers would be picked more often.
            let found = self.subjects(&ids).await?;
            for id in ids {
                let Some(subject) = found.iter().find(|subject| subject.id == id) else { continue };
                if picked.len() < count && !subject.inactive && fits(subject) {
                    self.busy.insert(id);
                    picked.push(subject.clone());
                }
            }
        }
        Ok(picked)
    }
}
