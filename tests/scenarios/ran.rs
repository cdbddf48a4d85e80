//! A run that has ended.

use std::collections::BTreeMap;

use annals_model::{Counters, TaskStatus};
use annals_runs::{Run, RunMessage};

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) run: Run,
    pub(crate) messages: Vec<RunMessage>,
}

impl Ran {
    pub(crate) fn counters(&self) -> Counters {
        self.run.counters
    }

    /// What the totals by object type say, types without it left out.
    pub(crate) fn by_type(&self, name: &str) -> BTreeMap<String, u64> {
        let totals = self.run.by_type.as_ref().and_then(|totals| totals.as_object()).into_iter().flatten();
        totals
            .filter_map(|(object_type, counts)| Some((object_type.clone(), counts.get(name)?.as_u64()?)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The sum of that over all types.
    pub(crate) fn total(&self, name: &str) -> u64 {
        self.by_type(name).values().sum()
    }

    /// The texts of its messages.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.messages.iter().map(|message| message.text.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.run.status, Some(TaskStatus::Success), "{self:#?}");
        assert_eq!(self.messages, []);
        self
    }

    /// IIQ-35, for every run of every test.
    #[track_caller]
    pub(crate) fn adds_up(&self) {
        let c = self.run.counters;
        assert_eq!(
            c.total_object_messages,
            c.total_modified_object_messages + c.total_reattempt_object_messages
        );
        assert_eq!(c.total_object_messages, c.total_seen_objects + c.total_unseen_objects);
        let seen = [
            c.total_extracted_objects,
            c.total_extracted_objects_not_found,
            c.total_extracted_objects_failed,
        ];
        assert_eq!(c.total_seen_objects, seen.iter().sum::<u64>());
        assert_eq!(c.total_extracted_objects, c.total_extracted_objects_published + c.total_publishing_fails);
    }
}
