//! Campaigns: managers are asked, decide, and what they want taken away is taken away.

use std::collections::BTreeMap;

use annals_model::ObjectType;
use annals_sql::Value;

use super::edit::Edit;
use super::errand::Task;
use super::subject::HeldNow;
use super::{Day, Manager};
use crate::access::Membership;
use crate::certifications::{
    self, Certification, Decision, Item, Subject as About, action_row, sign_off_row,
};
use crate::deed::{AttributeChange, Change, DeedKind, ObjectChange, Stamp};
use crate::error::Result;
use crate::id::Kind;
use crate::record::{Record, records};
use crate::requests::Party;

/// Days between campaigns.
const CAMPAIGN_DAYS: u32 = 7;

/// An item of a certification under way.
struct OpenItem {
    id: String,
    item: Item,
    action: Option<String>,
    value: String,
}

/// A person in a certification under way.
struct OpenEntity {
    id: String,
    person: Party,
    items: Vec<OpenItem>,
}

impl Day<'_> {
    /// Every week some managers are asked about their people.
    pub(super) async fn start_campaign(&mut self) -> Result<()> {
        if self.number % CAMPAIGN_DAYS != 1 {
            return Ok(());
        }
        let count = self.share(100).max(1).min(self.managers.len());
        let asked: Vec<Manager> = self
            .dice
            .positions(self.managers.len(), count)
            .into_iter()
            .map(|nth| self.managers[nth].clone())
            .collect();
        let time = self.time((7, 8), &[]);
        self.open(DeedKind::CertificationStarted, time, None);
        let name = format!("Access Review of week {}", self.number / CAMPAIGN_DAYS + 1);
        let campaign =
            certifications::write_campaign(self.stage, &name, time, None, &mut self.ids, &mut self.rows);
        for manager in asked {
            let reports = self.reports(&manager.id).await?;
            let party = Party { id: manager.id, login: manager.login, display: manager.display };
            let mut certification = Certification::new(&campaign, party, &mut self.ids);
            for report in self.subjects(&reports).await? {
                let items = items_of(&report);
                if !report.inactive && !items.is_empty() {
                    let (ids, rows) = (&mut self.ids, &mut self.rows);
                    certification.write_entity(
                        self.stage,
                        &report.party(),
                        &items,
                        ids,
                        rows,
                        &mut self.dice,
                    );
                }
            }
            let id = certification.id.clone();
            certification.finish(self.stage, &mut self.ids, &mut self.rows);
            self.some_day(1, 2, Task::Certify(id));
        }
        self.close();
        Ok(())
    }

    /// Ids of those who report to somebody.
    async fn reports(&mut self, manager: &str) -> Result<Vec<String>> {
        self.flush().await?;
        let (schema, ids) = (self.schema, [manager.to_owned()]);
        let found = records(&mut self.tx, schema, "spt_identity", &["id"], "manager", &ids).await?;
        Ok(found.iter().map(|record| record.text("id")).collect())
    }

    /// A manager decides about everything and signs.
    pub(super) async fn certify(&mut self, id: &str) -> Result<()> {
        let Some((record, entities)) = self.open_certification(id).await? else { return Ok(()) };
        let certifier = self.certifier(&record).await?;
        let mut touched: Vec<String> = entities.iter().map(|entity| entity.person.id.clone()).collect();
        touched.push(id.to_owned());
        let touched: Vec<&str> = touched.iter().map(String::as_str).collect();
        let time = self.time((9, 15), &touched);
        self.open(DeedKind::Certified, time, None);
        let mut counted = (0_i64, 0_i64);
        for entity in &entities {
            let present = self.subject(&entity.person.id).await?;
            for open in &entity.items {
                counted.0 += 1;
                let taken = matches!(open.item.subject, About::Grant { .. }) && self.dice.percent(9);
                let decision = if taken { Decision::Remediated } else { Decision::Approved };
                counted.1 += i64::from(taken);
                self.decide_item(open, decision, &entity.person, &certifier, time).await?;
                if !taken && let Some(subject) = &present {
                    let held = subject.held.iter().find(|held| match &open.item.subject {
                        About::Grant { grant, .. } => held.grant == Some(*grant),
                        About::Role { name, assignment } => {
                            held.value == *name && held.assignment == *assignment
                        }
                    });
                    if let Some(held) = held {
                        self.confirm(held, open, time).await?;
                    }
                }
            }
            let sets = vec![
                ("summary_status", Value::from("Complete")),
                ("completed", Value::from(time)),
                ("action_required", Value::Bool(Some(false))),
            ];
            self.change_part("spt_certification_entity", &entity.id, sets, time).await?;
        }
        let people = i64::try_from(entities.len()).unwrap_or(0);
        let sets = vec![
            ("phase", Value::from("Remediation")),
            ("signed", Value::from(time)),
            ("complete", Value::Bool(Some(true))),
            ("completed_entities", Value::from(people)),
            ("percent_complete", Value::from(100)),
            ("completed_items", Value::from(counted.0)),
            ("item_percent_complete", Value::from(100)),
            ("remediations_kicked_off", Value::from(counted.1)),
        ];
        self.change_certification(&record, sets, "Remediation", time).await?;
        let sign_off = self.ids.next(Kind::SignOff);
        self.rows.add(sign_off_row(&sign_off, id, &certifier, time));
        self.close();
        self.some_day(1, 2, Task::Revoke(id.to_owned()));
        Ok(())
    }

    async fn decide_item(
        &mut self,
        open: &OpenItem,
        decision: Decision,
        person: &Party,
        certifier: &Party,
        time: i64,
    ) -> Result<()> {
        let action = self.ids.next(Kind::CertificationAction);
        self.rows.add(action_row(self.stage, &action, decision, &open.item, person, certifier, time, None));
        let sets = vec![
            ("action", Value::from(action)),
            ("summary_status", Value::from("Complete")),
            ("completed", Value::from(time)),
            ("action_required", Value::Bool(Some(false))),
        ];
        self.set("spt_certification_item", &open.id, sets, Stamp::Significant, time).await?;
        if decision == Decision::Remediated {
            self.deed.objects.push(ObjectChange {
                object_type: ObjectType::CertificationRemediation,
                id: open.id.clone(),
                name: Some(open.value.clone()),
                change: Change::Created,
                stamp: Stamp::Significant,
                attributes: Vec::new(),
            });
        } else {
            self.part("spt_certification_item", &open.id);
        }
        Ok(())
    }

    /// An entitlement keeps which item confirmed it.
    async fn confirm(&mut self, held: &HeldNow, open: &OpenItem, time: i64) -> Result<()> {
        let edit = Edit {
            object_type: ObjectType::Entitlement,
            table: "spt_identity_entitlement",
            id: held.id.clone(),
            name: open.value.clone(),
            sets: vec![("certification_item", Value::from(open.id.as_str()))],
            attributes: vec![AttributeChange::new(
                "certification_item",
                held.certification_item.clone(),
                open.id.as_str(),
            )],
        };
        self.change(edit, time).await
    }

    /// What was decided to be taken away is taken away, and the certification ends.
    pub(super) async fn revoke(&mut self, id: &str) -> Result<()> {
        let Some((record, entities)) = self.open_certification(id).await? else { return Ok(()) };
        let mut last = self.time((9, 10), &[id]);
        let mut done = 0_i64;
        for entity in entities {
            let actions = self.remediated(&entity).await?;
            if actions.is_empty() {
                continue;
            }
            let Some(before) = self.subject(&entity.person.id).await? else { continue };
            let mut after = before.clone();
            let taken: Vec<usize> = actions.iter().filter_map(|open| grant_of(open)).collect();
            after.held.retain(|held| held.grant.is_none_or(|grant| !taken.contains(&grant)));
            let time = self.time((10, 17), &[&before.id]);
            last = last.max(time);
            self.busy.insert(before.id.clone());
            self.open(DeedKind::Revoked, time, Some(before.named()));
            self.save(&before, &mut after, time).await?;
            for open in actions {
                done += 1;
                self.complete_action(open, time).await?;
            }
            self.close();
        }
        let time = self.later(last + 1000, &[id]);
        self.open(DeedKind::CertificationEnded, time, None);
        let sets = vec![
            ("phase", Value::from("End")),
            ("finished", Value::from(time)),
            ("remediations_completed", Value::from(done)),
        ];
        self.change_certification(&record, sets, "End", time).await?;
        self.close();
        Ok(())
    }

    async fn complete_action(&mut self, open: &OpenItem, time: i64) -> Result<()> {
        let Some(action) = &open.action else { return Ok(()) };
        let flag = |name| (name, Value::Bool(Some(true)));
        let sets = vec![
            flag("remediation_kicked_off"),
            flag("remediation_completed"),
            ("completion_state", Value::from("Finished")),
        ];
        self.change_part("spt_certification_action", action, sets, time).await?;
        self.deed.objects.push(ObjectChange {
            object_type: ObjectType::CertificationRemediation,
            id: open.id.clone(),
            name: Some(open.value.clone()),
            change: Change::Changed,
            stamp: Stamp::None,
            attributes: vec![AttributeChange::new("remediation_completed", false, true)],
        });
        Ok(())
    }

    async fn change_certification(
        &mut self,
        record: &Record,
        sets: super::edit::Sets,
        phase: &str,
        time: i64,
    ) -> Result<()> {
        let edit = Edit {
            object_type: ObjectType::Certification,
            table: "spt_certification",
            id: record.text("id"),
            name: record.text("name"),
            sets,
            attributes: vec![AttributeChange::new("phase", record.text("phase"), phase)],
        };
        self.change(edit, time).await
    }

    /// Who decides in a certification.
    async fn certifier(&mut self, record: &Record) -> Result<Party> {
        let login = record.text("manager");
        let (schema, names) = (self.schema, [login.clone()]);
        let columns = ["id", "display_name"];
        let found = records(&mut self.tx, schema, "spt_identity", &columns, "name", &names).await?;
        let text = |column| found.first().map(|person| person.text(column)).unwrap_or_default();
        Ok(Party { id: text("id"), login, display: text("display_name") })
    }

    /// The items of an entity that were decided to be taken away.
    async fn remediated<'e>(&mut self, entity: &'e OpenEntity) -> Result<Vec<&'e OpenItem>> {
        let actions: Vec<String> = entity.items.iter().filter_map(|open| open.action.clone()).collect();
        let schema = self.schema;
        let columns = ["id", "status"];
        let found =
            records(&mut self.tx, schema, "spt_certification_action", &columns, "id", &actions).await?;
        let remediated: Vec<String> = found
            .iter()
            .filter(|action| action.text("status") == Decision::Remediated.as_str())
            .map(|action| action.text("id"))
            .collect();
        let of_these =
            |open: &&OpenItem| open.action.as_ref().is_some_and(|action| remediated.contains(action));
        Ok(entity.items.iter().filter(of_these).collect())
    }

    /// A certification with its people and items.
    async fn open_certification(&mut self, id: &str) -> Result<Option<(Record, Vec<OpenEntity>)>> {
        self.flush().await?;
        let schema = self.schema;
        let tx = &mut self.tx;
        let ids = [id.to_owned()];
        let columns = ["id", "name", "manager", "phase"];
        let found = records(tx, schema, "spt_certification", &columns, "id", &ids).await?;
        let Some(record) = found.into_iter().next() else { return Ok(None) };
        let columns = ["id", "identity_id", "target_id", "target_display_name"];
        let entities =
            records(tx, schema, "spt_certification_entity", &columns, "certification_id", &ids).await?;
        let ids: Vec<String> = entities.iter().map(|entity| entity.text("id")).collect();
        let columns = [
            "id",
            "certification_entity_id",
            "action",
            "bundle",
            "bundle_assignment_id",
            "exception_application",
            "exception_attribute_value",
            "exception_entitlements",
        ];
        let items =
            records(tx, schema, "spt_certification_item", &columns, "certification_entity_id", &ids).await?;
        let snapshots: Vec<String> =
            items.iter().filter_map(|item| item.maybe_text("exception_entitlements")).collect();
        let natives: BTreeMap<String, String> =
            records(tx, schema, "spt_entitlement_snapshot", &["id", "native_identity"], "id", &snapshots)
                .await?
                .into_iter()
                .map(|snapshot| (snapshot.text("id"), snapshot.text("native_identity")))
                .collect();
        let mut of_entity: BTreeMap<String, Vec<OpenItem>> = BTreeMap::new();
        for item in items {
            if let Some(open) = self.open_item(&item, &natives) {
                of_entity.entry(item.text("certification_entity_id")).or_default().push(open);
            }
        }
        let entities = entities
            .into_iter()
            .map(|entity| {
                let id = entity.text("id");
                let person = Party {
                    id: entity.text("target_id"),
                    login: entity.text("identity_id"),
                    display: entity.text("target_display_name"),
                };
                OpenEntity { items: of_entity.remove(&id).unwrap_or_default(), person, id }
            })
            .collect();
        Ok(Some((record, entities)))
    }

    fn open_item(&self, item: &Record, natives: &BTreeMap<String, String>) -> Option<OpenItem> {
        let (subject, value) = match item.maybe_text("bundle") {
            Some(name) => {
                (About::Role { name: name.clone(), assignment: item.text("bundle_assignment_id") }, name)
            }
            None => {
                let value = item.text("exception_attribute_value");
                let application =
                    *self.atlas.application_names.get(item.text("exception_application").as_str())?;
                let grant = *self.atlas.grants.get(&(application, value.clone()))?;
                let native_identity =
                    natives.get(&item.text("exception_entitlements")).cloned().unwrap_or_default();
                (About::Grant { grant, native_identity }, value)
            }
        };
        Some(OpenItem {
            id: item.text("id"),
            item: Item { subject, decision: None },
            action: item.maybe_text("action"),
            value,
        })
    }
}

/// The position in the catalogue of what an item is about.
fn grant_of(open: &OpenItem) -> Option<usize> {
    match open.item.subject {
        About::Grant { grant, .. } => Some(grant),
        About::Role { .. } => None,
    }
}

/// What a certifier is to look at.
fn items_of(subject: &super::subject::Subject) -> Vec<Item> {
    subject
        .held
        .iter()
        .filter_map(|held| {
            let about = match (held.role, held.grant) {
                (Some((Membership::Assigned, _)), _) => {
                    About::Role { name: held.value.clone(), assignment: held.assignment.clone() }
                }
                (None, Some(grant)) => About::Grant { grant, native_identity: held.native_identity.clone() },
                _ => return None,
            };
            Some(Item { subject: about, decision: None })
        })
        .collect()
}
