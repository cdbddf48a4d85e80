//! People who leave, and what becomes of what they had.

use annals_model::ObjectType;

use super::Day;
use super::errand::Task;
use crate::applications::{DIRECTORY, PERSONNEL};
use crate::deed::DeedKind;
use crate::error::Result;
use crate::record::records;
use crate::xml::{self, Xml};

impl Day<'_> {
    /// Some people leave: inactive, with their accounts disabled. Nobody leaves who leads or owns something.
    pub(super) async fn dismiss_people(&mut self) -> Result<()> {
        let count = self.share(85);
        for before in self.pick(count, |subject| !subject.leads).await? {
            let mut after = before.clone();
            after.inactive = true;
            for account in &mut after.accounts {
                account.disabled = true;
                account.attributes = xml::with_entry(&account.attributes, "IIQDisabled", &Xml::flag(true));
                if account.application == DIRECTORY {
                    let control = Xml::Number("Integer", "514".to_owned());
                    account.attributes = xml::with_entry(&account.attributes, "userAccountControl", &control);
                }
            }
            let time = self.time((15, 18), &[&before.id]);
            self.open(DeedKind::Left, time, Some(before.named()));
            self.save(&before, &mut after, time).await?;
            self.close();
            self.some_day(2, 5, Task::RemoveAccounts(before.id.clone()));
        }
        Ok(())
    }

    /// Removes all accounts of somebody who left, except the one that tells of the employment, and all that was held.
    pub(super) async fn remove_accounts(&mut self, id: &str) -> Result<()> {
        let Some(before) = self.subject(id).await? else { return Ok(()) };
        let mut after = before.clone();
        after.accounts.retain(|account| account.application == PERSONNEL);
        after.held.clear();
        after.workgroups.clear();
        after.capabilities.clear();
        let time = self.time((1, 4), &[id]);
        self.busy.insert(id.to_owned());
        self.open(DeedKind::AccountsRemoved, time, Some(before.named()));
        self.save(&before, &mut after, time).await?;
        self.close();
        if self.dice.percent(40) {
            self.some_day(2, 6, Task::DeleteIdentity(id.to_owned()));
        }
        Ok(())
    }

    /// Deletes an identity and all that is nothing without it. Requests and certifications stay, as they do in
    /// IdentityIQ.
    pub(super) async fn delete_identity(&mut self, id: &str) -> Result<()> {
        let Some(before) = self.subject(id).await? else { return Ok(()) };
        let time = self.time((1, 4), &[id]);
        self.busy.insert(id.to_owned());
        self.open(DeedKind::Deleted, time, Some(before.named()));
        for held in &before.held {
            self.delete(ObjectType::Entitlement, "spt_identity_entitlement", &held.id, &held.value, time)
                .await?;
        }
        for account in &before.accounts {
            self.erase_parts("spt_link_external_attr", "object_id", &account.id).await?;
            self.delete(ObjectType::Account, "spt_link", &account.id, &account.native_identity, time).await?;
        }
        self.delete_governance(id, time).await?;
        for list in [
            "spt_identity_assigned_roles",
            "spt_identity_bundles",
            "spt_identity_workgroups",
            "spt_identity_capabilities",
        ] {
            self.erase_list(list, "identity_id", id).await?;
        }
        self.erase_parts("spt_identity_external_attr", "object_id", id).await?;
        self.delete(ObjectType::Identity, "spt_identity", id, before.text("name"), time).await?;
        self.close();
        Ok(())
    }

    /// Violations of somebody and what was decided about them.
    async fn delete_governance(&mut self, id: &str, time: i64) -> Result<()> {
        let (schema, ids) = (self.schema, [id.to_owned()]);
        let columns = ["id", "name"];
        for record in
            records(&mut self.tx, schema, "spt_policy_violation", &columns, "identity_id", &ids).await?
        {
            let (violation, name) = (record.text("id"), record.text("name"));
            self.delete(ObjectType::PolicyViolation, "spt_policy_violation", &violation, &name, time).await?;
        }
        let columns = ["id", "status", "created", "constraint_name"];
        let table = "spt_identity_history_item";
        for record in records(&mut self.tx, schema, table, &columns, "identity_id", &ids).await? {
            let item = record.text("id");
            if record.text("status") == "Remediated" {
                let name = record.text("constraint_name");
                self.delete(ObjectType::PolicyViolationRemediation, table, &item, &name, time).await?;
            } else {
                self.erase(table, "id", &item).await?;
                self.part(table, &item);
                self.intercept(
                    "sailpoint.object.IdentityHistoryItem",
                    &item,
                    None,
                    record.int("created"),
                    time,
                );
            }
        }
        self.erase_parts("spt_mitigation_expiration", "identity_id", id).await
    }
}
