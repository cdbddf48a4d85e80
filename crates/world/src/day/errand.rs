//! What is still to happen because of what happened before: accounts of those who left, answers to requests.

use serde::{Deserialize, Serialize};

use super::Day;
use crate::error::Result;

/// Something still to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Errand {
    /// The day.
    pub(crate) day: u32,
    /// What.
    pub(crate) task: Task,
}

/// What is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Task {
    /// Remove the accounts of this person.
    RemoveAccounts(String),
    /// Delete this identity.
    DeleteIdentity(String),
    /// Give an attribute of this person the value back that it had: key, column, value.
    Return(String, String, String, String),
    /// Give this person an entitlement back, by its position in the catalogue.
    Regain(String, usize),
    /// Decide about this request.
    DecideRequest(String),
    /// Provision what this request asked for.
    Provision(String),
    /// Decide about this violation: id, person, position of the constraint.
    DecideViolation(String, String, usize),
    /// Decide about all items of this certification.
    Certify(String),
    /// Take away what was decided to be taken away in this certification.
    Revoke(String),
}

impl Day<'_> {
    /// Something to be done so many days from now.
    pub(super) fn later_on(&mut self, days: u32, task: Task) {
        self.errands.push(Errand { day: self.number + days, task });
    }

    /// Something to be done on a day from the first up to the last of these from now.
    pub(super) fn some_day(&mut self, first: i64, last: i64, task: Task) {
        let days = u32::try_from(self.dice.between(first, last + 1)).unwrap_or(1);
        self.later_on(days, task);
    }

    /// Does all that is due, and what becomes due today by doing it.
    pub(super) async fn run_errands(&mut self) -> Result<()> {
        loop {
            let today = self.number;
            let (due, rest) =
                std::mem::take(&mut self.errands).into_iter().partition(|errand| errand.day <= today);
            self.errands = rest;
            let due: Vec<Errand> = due;
            if due.is_empty() {
                return Ok(());
            }
            for errand in due {
                self.run_errand(errand.task).await?;
            }
        }
    }

    async fn run_errand(&mut self, task: Task) -> Result<()> {
        match task {
            Task::RemoveAccounts(person) => self.remove_accounts(&person).await,
            Task::DeleteIdentity(person) => self.delete_identity(&person).await,
            Task::Return(person, key, column, value) => {
                self.return_attribute(&person, &key, &column, &value).await
            }
            Task::Regain(person, grant) => self.regain(&person, grant).await,
            Task::DecideRequest(request) => self.decide_request(&request).await,
            Task::Provision(request) => self.provision(&request).await,
            Task::DecideViolation(violation, person, constraint) => {
                self.decide_violation(&violation, &person, constraint).await
            }
            Task::Certify(certification) => self.certify(&certification).await,
            Task::Revoke(certification) => self.revoke(&certification).await,
        }
    }
}
