//! People who move: to another department, job, place or manager.

use std::collections::BTreeSet;

use super::Day;
use super::subject::Subject;
use crate::access::{Membership, Origin};
use crate::applications::PERSONNEL;
use crate::deed::DeedKind;
use crate::error::Result;
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::people::placement;
use crate::xml::{self, Xml};

impl Day<'_> {
    /// Some people move.
    pub(super) async fn move_people(&mut self) -> Result<()> {
        let count = self.share(200);
        for before in self.pick(count, |subject| !subject.leads).await? {
            let mut after = before.clone();
            match self.dice.below(10) {
                0..=4 => self.change_department(&mut after),
                5 | 6 => self.change_job(&mut after),
                7 | 8 => {
                    let location =
                        (after.location() + 1 + self.dice.index(LOCATIONS.len() - 1)) % LOCATIONS.len();
                    let (department, job) = (after.department(), after.job());
                    place(&mut after, department, job, location);
                }
                _ => self.change_manager(&mut after),
            }
            let time = self.time((8, 17), &[&before.id]);
            self.open(DeedKind::Moved, time, Some(before.named()));
            self.save(&before, &mut after, time).await?;
            self.close();
        }
        Ok(())
    }

    fn change_department(&mut self, subject: &mut Subject) {
        let department =
            (subject.department() + 1 + self.dice.index(DEPARTMENTS.len() - 1)) % DEPARTMENTS.len();
        let job = 1 + self.dice.index(4);
        let location = subject.location();
        self.swap_jobs(subject, (department, job));
        place(subject, department, job, location);
        self.find_manager(subject, department);
    }

    fn change_job(&mut self, subject: &mut Subject) {
        let department = subject.department();
        let job = 1 + (subject.job().max(1) - 1 + 1 + self.dice.index(3)) % 4;
        let location = subject.location();
        self.swap_jobs(subject, (department, job));
        place(subject, department, job, location);
    }

    fn change_manager(&mut self, subject: &mut Subject) {
        let department = subject.department();
        self.find_manager(subject, department);
    }

    /// Another manager of the department, where there is one.
    fn find_manager(&mut self, subject: &mut Subject, department: usize) {
        let current = subject.texts.get("manager").cloned();
        let fit: Vec<String> = self
            .managers
            .iter()
            .filter(|manager| manager.department == department && Some(&manager.id) != current.as_ref())
            .map(|manager| manager.id.clone())
            .collect();
        if !fit.is_empty() {
            let manager = self.dice.pick(&fit).clone();
            subject.texts.insert("manager", manager);
        }
    }

    /// Takes what the old job's role brought and gives what the new one's brings.
    fn swap_jobs(&mut self, subject: &mut Subject, new: (usize, usize)) {
        let stage = self.stage;
        let old_role = stage.job_role(subject.department(), subject.job());
        let new_role = stage.job_role(new.0, new.1);
        subject.held.retain(|held| held.role != Some((Membership::Assigned, old_role)));
        self.give_role(subject, new_role, Membership::Assigned, None, None);
        self.settle_roles(subject);
    }

    /// Brings detected roles, and what roles grant, in step with the assigned roles.
    pub(super) fn settle_roles(&mut self, subject: &mut Subject) {
        let stage = self.stage;
        let required: BTreeSet<usize> = subject
            .held
            .iter()
            .filter_map(|held| held.role)
            .filter(|(membership, _)| *membership == Membership::Assigned)
            .flat_map(|(_, role)| stage.required_roles(role))
            .collect();
        let grants: BTreeSet<usize> =
            required.iter().flat_map(|role| stage.roles[*role].grants.clone()).collect();
        subject.held.retain(|held| match (held.role, held.grant) {
            (Some((Membership::Detected, role)), _) => required.contains(&role),
            (None, Some(grant)) if held.granted_by_role => grants.contains(&grant),
            _ => true,
        });
        for role in required {
            self.give_role(subject, role, Membership::Detected, None, None);
        }
        for grant in grants {
            self.give(subject, grant, Origin::Role, None);
        }
    }
}

/// Writes department, job and place into the columns and attributes that tell of them.
fn place(subject: &mut Subject, department: usize, job: usize, location: usize) {
    let mut attributes = subject.text("attributes").to_owned();
    for (key, column, value) in placement(department, job, location) {
        if subject.text(column) != value {
            attributes = xml::with_entry(&attributes, key, &Xml::text(value.as_str()));
            subject.texts.insert(column, value);
        }
    }
    subject.texts.insert("attributes", attributes);
    let title = subject.text("extended4").to_owned();
    if let Some(account) = subject.accounts.iter_mut().find(|account| account.application == PERSONNEL) {
        account.attributes = xml::with_entry(&account.attributes, "title", &Xml::Text(title));
    }
}
