//! Violations: somebody is given what does not go with the job, it is found, and somebody decides.

use annals_model::ObjectType;
use annals_sql::Value;

use super::Day;
use super::edit::Edit;
use super::errand::Task;
use crate::access::Membership;
use crate::deed::{AttributeChange, DeedKind};
use crate::error::Result;
use crate::record::records;
use crate::row::Stamps;
use crate::stage::HOUR_MS;
use crate::violations::{self, ViolationStatus};

impl Day<'_> {
    /// Some people are given a second duty by hand, which a scan finds in the evening.
    pub(super) async fn find_violations(&mut self) -> Result<()> {
        let count = self.share(40);
        let stage = self.stage;
        let constraint_of =
            |department, job| violations::constraint_against(stage, stage.job_role(department, job));
        let fits = |subject: &super::subject::Subject| {
            constraint_of(subject.department(), subject.job())
                .is_some_and(|constraint| !subject.has_role(stage.constraints[constraint].right))
        };
        for before in self.pick(count, fits).await? {
            let Some(constraint) = constraint_of(before.department(), before.job()) else { continue };
            let mut after = before.clone();
            let time = self.time((9, 16), &[&before.id]);
            let assigner = Some(stage.policy_owner(0).login);
            self.open(DeedKind::RoleGranted, time, Some(before.named()));
            self.give_role(
                &mut after,
                stage.constraints[constraint].right,
                Membership::Assigned,
                assigner,
                None,
            );
            self.save(&before, &mut after, time).await?;
            self.close();
            let found = self.later(time + HOUR_MS, &[&before.id]);
            self.open(DeedKind::ViolationFound, found, Some(before.named()));
            let violation = violations::write(
                stage,
                &before.party(),
                constraint,
                ViolationStatus::Open,
                Stamps::new_at(found),
                &mut self.ids,
                &mut self.rows,
            );
            self.close();
            self.some_day(1, 3, Task::DecideViolation(violation, before.id, constraint));
        }
        Ok(())
    }

    /// A violation is accepted for a while, or ended by taking the second duty away.
    pub(super) async fn decide_violation(&mut self, id: &str, person: &str, constraint: usize) -> Result<()> {
        let Some(before) = self.subject(person).await? else { return Ok(()) };
        let (schema, ids) = (self.schema, [id.to_owned()]);
        let columns = ["name", "status"];
        let found = records(&mut self.tx, schema, "spt_policy_violation", &columns, "id", &ids).await?;
        let Some(record) = found.first() else { return Ok(()) };
        let rule = &self.stage.constraints[constraint];
        let role = &self.stage.roles[rule.right];
        let (kind, status) = if self.dice.percent(50) {
            (DeedKind::ViolationMitigated, ViolationStatus::Mitigated)
        } else {
            (DeedKind::ViolationRemediated, ViolationStatus::Remediated)
        };
        let time = self.time((9, 17), &[person, id]);
        self.busy.insert(person.to_owned());
        self.open(kind, time, Some(before.named()));
        let mut sets = vec![("status", Value::from(status.as_str()))];
        let mut attributes = vec![AttributeChange::new("status", record.text("status"), status.as_str())];
        if status == ViolationStatus::Mitigated {
            sets.push(("mitigator", Value::from(self.stage.policy_owner(rule.policy).login)));
        } else {
            sets.push(("active", Value::Bool(Some(false))));
            sets.push(("bundles_marked_for_remediation", Value::from(role.name.as_str())));
            attributes.push(AttributeChange::new("active", true, false));
            let mut after = before.clone();
            after.held.retain(|held| held.role != Some((Membership::Assigned, rule.right)));
            self.save(&before, &mut after, time).await?;
        }
        let edit = Edit {
            object_type: ObjectType::PolicyViolation,
            table: "spt_policy_violation",
            id: id.to_owned(),
            name: record.text("name"),
            sets,
            attributes,
        };
        self.change(edit, time).await?;
        let (ids, rows) = (&mut self.ids, &mut self.rows);
        violations::write_history(self.stage, &before.party(), constraint, status, time, ids, rows);
        self.close();
        Ok(())
    }
}
