//! Writing back a person who changed: what differs is written, logged, and nothing else.

use annals_model::ObjectType;
use annals_sql::Value;

use super::Day;
use super::edit::{Edit, Sets};
use super::subject::{AccountNow, HeldNow, Subject};
use crate::access::{self, Held, Membership, Origin};
use crate::accounts::{Account, account_row, held_values, native_identity};
use crate::applications::DIRECTORY;
use crate::deed::AttributeChange;
use crate::error::Result;
use crate::id::{Kind, hex};
use crate::row::{Row, Stamps};
use crate::xml;

impl Day<'_> {
    /// Lets somebody hold an entitlement, with an account to hold it.
    pub(super) fn give(
        &mut self,
        subject: &mut Subject,
        grant: usize,
        origin: Origin,
        request_item: Option<String>,
    ) {
        if subject.holds(grant) {
            return;
        }
        let application = self.stage.grants[grant].application;
        let native_identity = match subject.account(application) {
            Some(account) => account.native_identity.clone(),
            None => self.open_account(subject, application),
        };
        let granted = &self.stage.grants[grant];
        subject.held.push(HeldNow {
            id: self.ids.next(Kind::Entitlement),
            name: self.stage.applications[application].kind.attribute.to_owned(),
            value: granted.value.clone(),
            native_identity,
            source: match origin {
                Origin::Role => "Rule",
                Origin::Aggregation => "Aggregation",
                Origin::Request => "LCM",
            }
            .to_owned(),
            assigner: None,
            assignment: String::new(),
            granted_by_role: origin == Origin::Role,
            request_item,
            certification_item: None,
            grant: Some(grant),
            role: None,
        });
    }

    fn open_account(&mut self, subject: &mut Subject, application: usize) -> String {
        let native_identity =
            native_identity(&self.stage.applications[application], application, &subject.person());
        subject.accounts.push(AccountNow {
            id: self.ids.next(Kind::Account),
            application,
            native_identity: native_identity.clone(),
            display_name: String::new(),
            attributes: String::new(),
            disabled: false,
            locked: false,
        });
        native_identity
    }

    /// Lets somebody have a role.
    pub(super) fn give_role(
        &mut self,
        subject: &mut Subject,
        role: usize,
        membership: Membership,
        assigner: Option<String>,
        request_item: Option<String>,
    ) {
        if subject.held.iter().any(|held| held.role == Some((membership, role))) {
            return;
        }
        let source = match (membership, &assigner) {
            (Membership::Detected, _) => "Task",
            (Membership::Assigned, None) => "Rule",
            (Membership::Assigned, Some(_)) => "LCM",
        };
        subject.held.push(HeldNow {
            id: self.ids.next(Kind::Entitlement),
            name: membership.name().to_owned(),
            value: self.stage.roles[role].name.clone(),
            native_identity: String::new(),
            source: source.to_owned(),
            assigner,
            assignment: hex(&self.dice.bytes(16)),
            granted_by_role: false,
            request_item,
            certification_item: None,
            grant: None,
            role: Some((membership, role)),
        });
    }

    /// Writes what differs between a person before and after, into the deed under way.
    pub(super) async fn save(&mut self, before: &Subject, after: &mut Subject, time: i64) -> Result<()> {
        let mut attributes = Vec::new();
        self.save_accounts(before, after, &mut attributes, time).await?;
        self.save_held(before, after, &mut attributes, time).await?;
        if after.held != before.held {
            self.save_role_lists(before, after).await?;
            self.summarise(after);
        }
        let lists = [
            ("workgroups", "spt_identity_workgroups", "workgroup", &before.workgroups, &after.workgroups),
            (
                "capabilities",
                "spt_identity_capabilities",
                "capability_id",
                &before.capabilities,
                &after.capabilities,
            ),
        ];
        for (attribute, table, member, old, new) in lists {
            if old != new {
                self.rewrite_list(&after.id, table, member, new).await?;
                attributes.push(list_change(attribute, old, new));
            }
        }
        self.save_identity(before, after, attributes, time).await
    }

    async fn save_identity(
        &mut self,
        before: &Subject,
        after: &Subject,
        mut attributes: Vec<AttributeChange>,
        time: i64,
    ) -> Result<()> {
        let mut sets: Sets = Vec::new();
        for (column, new) in &after.texts {
            let old = before.texts.get(column);
            if old != Some(new) {
                sets.push((column, Value::from(new.as_str())));
                match *column {
                    "attributes" => attributes.extend(entry_changes(before.text("attributes"), new)),
                    "preferences" | "assigned_role_summary" | "bundle_summary" => {}
                    _ => attributes.push(AttributeChange::new(*column, old.cloned(), new.as_str())),
                }
            }
        }
        if before.inactive != after.inactive {
            sets.push(("inactive", Value::Bool(Some(after.inactive))));
            attributes.push(AttributeChange::new("inactive", before.inactive, after.inactive));
        }
        if sets.is_empty() && attributes.is_empty() {
            return Ok(());
        }
        let edit = Edit {
            object_type: ObjectType::Identity,
            table: "spt_identity",
            id: after.id.clone(),
            name: after.text("name").to_owned(),
            sets,
            attributes,
        };
        self.change(edit, time).await
    }

    async fn save_accounts(
        &mut self,
        before: &Subject,
        after: &mut Subject,
        attributes: &mut Vec<AttributeChange>,
        time: i64,
    ) -> Result<()> {
        let outfitted = after.outfitted(self);
        let old_outfit = before.outfitted(self);
        for account in &before.accounts {
            if after.accounts.iter().all(|other| other.id != account.id) {
                self.erase_parts("spt_link_external_attr", "object_id", &account.id).await?;
                self.delete(ObjectType::Account, "spt_link", &account.id, &account.native_identity, time)
                    .await?;
            }
        }
        for (now, outfit) in after.accounts.iter_mut().zip(&outfitted) {
            match before.accounts.iter().position(|other| other.id == now.id) {
                None => {
                    let person = before.person();
                    let row = account_row(self.stage, &person, outfit, Stamps::new_at(time), &mut self.dice);
                    now.attributes = row.given("attributes").unwrap_or_default().to_owned();
                    now.display_name = row.given("display_name").unwrap_or_default().to_owned();
                    self.rows.add(row.int("last_refresh", time));
                }
                Some(position) => {
                    self.save_account(&before.accounts[position], now, &old_outfit[position], outfit, time)
                        .await?;
                }
            }
        }
        let names = |accounts: &[AccountNow]| -> Vec<String> {
            accounts.iter().map(|account| account.id.clone()).collect()
        };
        let (old, new) = (names(&before.accounts), names(&after.accounts));
        if old != new {
            attributes.push(list_change("accounts", &old, &new));
        }
        Ok(())
    }

    async fn save_account(
        &mut self,
        before: &AccountNow,
        after: &mut AccountNow,
        old_outfit: &Account,
        outfit: &Account,
        time: i64,
    ) -> Result<()> {
        let mut sets: Sets = Vec::new();
        let kind = self.stage.applications[after.application].kind;
        if old_outfit.grants != outfit.grants {
            let values = held_values(self.stage, &outfit.grants);
            after.attributes = xml::with_entry(&after.attributes, kind.attribute, &values);
            if old_outfit.grants.is_empty() != outfit.grants.is_empty() {
                sets.push(("entitlements", Value::Bool(Some(!outfit.grants.is_empty()))));
            }
        }
        let mut attributes = entry_changes(&before.attributes, &after.attributes);
        if before.attributes != after.attributes {
            sets.push(("attributes", Value::from(after.attributes.as_str())));
        }
        for (column, old, new) in [
            ("native_identity", &before.native_identity, &after.native_identity),
            ("display_name", &before.display_name, &after.display_name),
        ] {
            if old != new {
                sets.push((column, Value::from(new.as_str())));
                attributes.push(AttributeChange::new(column, old.as_str(), new.as_str()));
            }
        }
        for (column, old, new) in
            [("iiq_disabled", before.disabled, after.disabled), ("iiq_locked", before.locked, after.locked)]
        {
            // Before 8.3 the XML alone tells of it.
            let has_column =
                self.schema.table("spt_link").is_some_and(|table| table.column(column).is_some());
            if old != new && has_column {
                sets.push((column, Value::Bool(Some(new))));
                attributes.push(AttributeChange::new(column, old, new));
            }
        }
        if sets.is_empty() {
            return Ok(());
        }
        let edit = Edit {
            object_type: ObjectType::Account,
            table: "spt_link",
            id: after.id.clone(),
            name: after.native_identity.clone(),
            sets,
            attributes,
        };
        self.change(edit, time).await
    }

    async fn save_held(
        &mut self,
        before: &Subject,
        after: &Subject,
        attributes: &mut Vec<AttributeChange>,
        time: i64,
    ) -> Result<()> {
        for held in &before.held {
            if after.held.iter().all(|other| other.id != held.id) {
                self.delete(ObjectType::Entitlement, "spt_identity_entitlement", &held.id, &held.value, time)
                    .await?;
            }
        }
        for held in &after.held {
            match before.held.iter().find(|other| other.id == held.id) {
                None => self.insert_held(&after.id, held, time),
                Some(old) if old.native_identity != held.native_identity => {
                    let edit = Edit {
                        object_type: ObjectType::Entitlement,
                        table: "spt_identity_entitlement",
                        id: held.id.clone(),
                        name: held.value.clone(),
                        sets: vec![("native_identity", Value::from(held.native_identity.as_str()))],
                        attributes: vec![AttributeChange::new(
                            "native_identity",
                            old.native_identity.as_str(),
                            held.native_identity.as_str(),
                        )],
                    };
                    self.change(edit, time).await?;
                }
                Some(_) => {}
            }
        }
        for (attribute, wanted) in [
            ("entitlements", None),
            ("assignedRoles", Some(Membership::Assigned)),
            ("detectedRoles", Some(Membership::Detected)),
        ] {
            let values = |subject: &Subject| -> Vec<String> {
                let of_this = subject.held.iter().filter(|held| held.role.map(|role| role.0) == wanted);
                of_this
                    .map(|held| if wanted.is_none() { held.id.clone() } else { held.value.clone() })
                    .collect()
            };
            let (old, new) = (values(before), values(after));
            if old != new {
                attributes.push(list_change(attribute, &old, &new));
            }
        }
        Ok(())
    }

    fn insert_held(&mut self, person_id: &str, held: &HeldNow, time: i64) {
        let stamps = Stamps::new_at(time);
        if let Some(grant) = held.grant {
            let origin = match (held.granted_by_role, held.source.as_str()) {
                (true, _) => Origin::Role,
                (false, "LCM") => Origin::Request,
                _ => Origin::Aggregation,
            };
            let row = Held {
                id: held.id.clone(),
                grant,
                origin,
                request_item: held.request_item.clone(),
                certification_item: None,
            };
            self.rows.add(access::entitlement_row(
                self.stage,
                person_id,
                &held.native_identity,
                &row,
                stamps,
                &mut self.dice,
            ));
        } else if let Some((membership, role)) = held.role {
            let row = access::RoleHeld {
                id: held.id.clone(),
                role,
                membership,
                assignment: held.assignment.clone(),
                assigner: held.assigner.clone(),
                request_item: held.request_item.clone(),
            };
            self.rows.add(access::role_row(self.stage, person_id, &row, stamps));
        }
    }

    async fn save_role_lists(&mut self, before: &Subject, after: &Subject) -> Result<()> {
        for membership in [Membership::Assigned, Membership::Detected] {
            let ids = |subject: &Subject| -> Vec<String> {
                let of_this =
                    subject.held.iter().filter_map(|held| held.role).filter(|role| role.0 == membership);
                of_this.map(|role| self.stage.roles[role.1].id.clone()).collect()
            };
            let (old, new) = (ids(before), ids(after));
            if old != new {
                self.rewrite_list(&after.id, membership.table(), "bundle", &new).await?;
            }
        }
        Ok(())
    }

    async fn rewrite_list(
        &mut self,
        person_id: &str,
        table: &'static str,
        member: &'static str,
        members: &[String],
    ) -> Result<()> {
        self.erase_list(table, "identity_id", person_id).await?;
        for (idx, id) in members.iter().enumerate() {
            self.rows.add(Row::member(table, ("identity_id", person_id), idx, (member, id)));
        }
        Ok(())
    }

    /// The columns that repeat what somebody has.
    fn summarise(&self, subject: &mut Subject) {
        for (column, membership) in
            [("assigned_role_summary", Membership::Assigned), ("bundle_summary", Membership::Detected)]
        {
            let names: Vec<&str> = subject
                .held
                .iter()
                .filter(|held| held.role.is_some_and(|role| role.0 == membership))
                .map(|held| held.value.as_str())
                .collect();
            let names = names.join(", ");
            subject.texts.insert(column, names);
        }
        let preferences =
            access::preferences(self.stage, subject.created, &subject.roles(), &subject.outfitted(self));
        subject.texts.insert("preferences", preferences);
    }
}

/// What went and what came.
fn list_change(attribute: &str, old: &[String], new: &[String]) -> AttributeChange {
    let without = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|member| !other.contains(member)).cloned().collect()
    };
    AttributeChange::new(attribute, without(old, new), without(new, old))
}

/// Entries of an XML column that differ.
fn entry_changes(old: &str, new: &str) -> Vec<AttributeChange> {
    let (old, new) = (xml::entries(old), xml::entries(new));
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| {
            AttributeChange::new(format!("attributes/{key}"), old.get(key).cloned(), new.get(key).cloned())
        })
        .collect()
}

/// The account of the directory, which carries the name.
pub(super) fn directory_account(subject: &mut Subject) -> Option<&mut AccountNow> {
    subject.accounts.iter_mut().find(|account| account.application == DIRECTORY)
}
