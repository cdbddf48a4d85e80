//! Definitions that change: roles, the catalogue, workgroups, capabilities, attributes.

use annals_model::ObjectType;
use annals_sql::Value;

use super::Day;
use super::edit::{Edit, Sets};
use crate::applications::description;
use crate::deed::{AttributeChange, Change, DeedKind, ObjectChange, Stamp};
use crate::error::{Result, WorldError};
use crate::id::Kind;
use crate::record::{Record, records};
use crate::row::{Row, Stamps};
use crate::stage::Stage;
use crate::xml;

impl Day<'_> {
    /// All such changes of a day.
    pub(super) async fn change_definitions(&mut self) -> Result<()> {
        // Where there are many people, there are not as many more roles.
        for _ in 0..self.share(80).min(self.stage.roles.len() / 20) {
            self.change_role().await?;
        }
        for _ in 0..self.share(80).min(self.stage.grants.len() / 20) {
            self.change_managed_attribute().await?;
        }
        for _ in 0..self.share(20).min(2) {
            self.change_workgroup().await?;
        }
        for _ in 0..self.share(10).min(1) {
            self.change_capability().await?;
        }
        if self.dice.percent(15) {
            self.change_object_config().await?;
        }
        Ok(())
    }

    async fn row(&mut self, table: &'static str, id: &str, columns: &[&'static str]) -> Result<Record> {
        self.flush().await?;
        let (schema, ids) = (self.schema, [id.to_owned()]);
        let found = records(&mut self.tx, schema, table, columns, "id", &ids).await?;
        found.into_iter().next().ok_or_else(|| WorldError::Unexpected {
            table,
            id: id.to_owned(),
            what: "was made at the start and is not there",
        })
    }

    /// An edit of an object with its description in the attributes.
    fn described(&self, record: &Record, text: &str) -> (Sets, Vec<AttributeChange>) {
        let old = record.text("attributes");
        let value = description(text, false);
        let new = xml::with_entry(&old, "sysDescriptions", &value);
        let changes = AttributeChange::new(
            "attributes/sysDescriptions",
            xml::entries(&old).remove("sysDescriptions"),
            xml::entries(&new).remove("sysDescriptions"),
        );
        (vec![("attributes", Value::from(new))], vec![changes])
    }

    async fn change_role(&mut self) -> Result<()> {
        let position = self.dice.index(self.stage.roles.len());
        let role = &self.stage.roles[position];
        let (id, name) = (role.id.clone(), role.name.clone());
        // A second change on one day could give the first one's text again.
        if self.clock.contains_key(&id) {
            return Ok(());
        }
        let time = self.time((10, 16), &[&id]);
        self.open(DeedKind::RoleChanged, time, None);
        let columns = ["risk_score_weight", "attributes", "owner", "disabled"];
        let record = self.row("spt_bundle", &id, &columns).await?;
        let (sets, attributes) = match self.dice.below(10) {
            0..=3 => self.described(&record, &format!("What {name} may do, as of day {}.", self.number)),
            4 | 5 => {
                let (old, new) = (record.int("risk_score_weight"), 501 + self.dice.between(0, 1_000_000));
                (
                    vec![("risk_score_weight", Value::from(new))],
                    vec![AttributeChange::new("risk_score_weight", old, new)],
                )
            }
            6 => {
                let (old, nth) = (record.text("owner"), self.dice.below(u64::from(self.stage.owners())));
                let new = self.stage.owner(nth);
                let new = if new == old { self.stage.owner(nth + 1) } else { new };
                (vec![("owner", Value::from(new.as_str()))], vec![AttributeChange::new("owner", old, new)])
            }
            7 => {
                let old = record.flag("disabled");
                (
                    vec![("disabled", Value::Bool(Some(!old)))],
                    vec![AttributeChange::new("disabled", old, !old)],
                )
            }
            _ => (Vec::new(), self.change_members(position).await?),
        };
        let edit = Edit { object_type: ObjectType::Role, table: "spt_bundle", id, name, sets, attributes };
        self.change(edit, time).await?;
        self.close();
        Ok(())
    }

    /// A role permits one more role, or no longer permits one; IT roles that may be required are the choice.
    async fn change_members(&mut self, position: usize) -> Result<Vec<AttributeChange>> {
        let id = self.stage.roles[position].id.clone();
        let (table, schema) = ("spt_bundle_permits", self.schema);
        let found =
            records(&mut self.tx, schema, table, &["child"], "bundle", std::slice::from_ref(&id)).await?;
        let old: Vec<String> = found.iter().map(|record| record.text("child")).collect();
        let mut new = old.clone();
        if new.len() > 1 {
            new.remove(self.dice.index(new.len()));
        } else {
            let choice: Vec<&String> = self
                .stage
                .roles
                .iter()
                .filter(|role| role.role_type == "it" && role.id != id && !old.contains(&role.id))
                .map(|role| &role.id)
                .collect();
            new.push((*self.dice.pick(&choice)).clone());
        }
        self.erase_list(table, "bundle", &id).await?;
        for (idx, child) in new.iter().enumerate() {
            self.rows.add(Row::member(table, ("bundle", &id), idx, ("child", child)));
        }
        let without = |list: &[String], other: &[String]| -> Vec<String> {
            list.iter().filter(|member| !other.contains(member)).cloned().collect()
        };
        Ok(vec![AttributeChange::new("permits", without(&old, &new), without(&new, &old))])
    }

    async fn change_managed_attribute(&mut self) -> Result<()> {
        let grant = &self.stage.grants[self.dice.index(self.stage.grants.len())];
        let (id, name) = (grant.id.clone(), grant.value.clone());
        if self.clock.contains_key(&id) {
            return Ok(());
        }
        let time = self.time((10, 16), &[&id]);
        self.open(DeedKind::ManagedAttributeChanged, time, None);
        let columns = ["attributes", "requestable", "displayable_name"];
        let record = self.row("spt_managed_attribute", &id, &columns).await?;
        let object = ObjectType::ManagedAttribute;
        let (sets, attributes) = match self.dice.below(10) {
            0..=5 => {
                self.described(&record, &format!("{}, looked through on day {}.", grant.display, self.number))
            }
            6 | 7 => {
                let old = record.flag("requestable");
                (
                    vec![("requestable", Value::Bool(Some(!old)))],
                    vec![AttributeChange::new("requestable", old, !old)],
                )
            }
            8 => {
                let (old, new) =
                    (record.text("displayable_name"), format!("{} ({})", grant.display, self.number));
                let sets = vec![
                    ("display_name", Value::from(new.as_str())),
                    ("displayable_name", Value::from(new.as_str())),
                ];
                (sets, vec![AttributeChange::new("displayable_name", old, new)])
            }
            _ => return self.classify(id, name, time).await,
        };
        self.change(
            Edit { object_type: object, table: "spt_managed_attribute", id, name, sets, attributes },
            time,
        )
        .await?;
        self.close();
        Ok(())
    }

    /// A classification is a row beside: the object's own row stays, and qualifies by it.
    async fn classify(&mut self, id: String, name: String, time: i64) -> Result<()> {
        let (schema, table, ids) = (self.schema, "spt_object_classification", [id.clone()]);
        let found = records(&mut self.tx, schema, table, &["id"], "owner_id", &ids).await?;
        if !found.is_empty() || schema.table(table).is_none() {
            return Ok(());
        }
        self.rows.add(self.stage.classified_at(
            &mut self.ids,
            &id,
            "sailpoint.object.ManagedAttribute",
            time,
        ));
        self.deed.objects.push(ObjectChange {
            object_type: ObjectType::ManagedAttribute,
            id,
            name: Some(name),
            change: Change::Changed,
            stamp: Stamp::None,
            attributes: vec![AttributeChange::new(
                "classifications",
                Vec::<String>::new(),
                vec!["Privileged"],
            )],
        });
        self.close();
        Ok(())
    }

    async fn change_workgroup(&mut self) -> Result<()> {
        let (id, name) = self.stage.workgroup(self.dice.index(Stage::workgroups()));
        let new = format!("Members act for {name}, as of day {}.", self.number);
        self.change_text(DeedKind::WorkgroupChanged, ObjectType::Workgroup, "spt_identity", id, name, new)
            .await
    }

    async fn change_capability(&mut self) -> Result<()> {
        let (id, name) = self.stage.capability(self.dice.index(Stage::capabilities()));
        let new = format!("Grants the rights of {name}, as of day {}.", self.number);
        let kind = DeedKind::CapabilityChanged;
        self.change_text(kind, ObjectType::Capability, "spt_capability", id, name.to_owned(), new).await
    }

    async fn change_text(
        &mut self,
        kind: DeedKind,
        object_type: ObjectType,
        table: &'static str,
        id: String,
        name: String,
        new: String,
    ) -> Result<()> {
        let record = self.row(table, &id, &["description"]).await?;
        let old = record.text("description");
        if old == new {
            return Ok(());
        }
        let time = self.time((10, 16), &[&id]);
        self.open(kind, time, None);
        let sets = vec![("description", Value::from(new.as_str()))];
        let attributes = vec![AttributeChange::new("description", old, new)];
        self.change(Edit { object_type, table, id, name, sets, attributes }, time).await?;
        self.close();
        Ok(())
    }

    /// One more attribute is defined.
    async fn change_object_config(&mut self) -> Result<()> {
        let id = self.ids.nth(Kind::ObjectConfig, self.dice.below(self.ids.count(Kind::ObjectConfig)));
        let record = self.row("spt_object_config", &id, &["name", "object_attributes"]).await?;
        let added = format!("attribute{}", self.number);
        let element = format!(
            "  <ObjectAttribute displayName=\"Of day {}\" name=\"{added}\" type=\"string\"/>",
            self.number
        );
        let definitions = record.text("object_attributes").replace("</List>", &format!("{element}\n</List>"));
        let time = self.time((10, 16), &[&id]);
        self.open(DeedKind::ObjectConfigChanged, time, None);
        let edit = Edit {
            object_type: ObjectType::ObjectConfig,
            table: "spt_object_config",
            id,
            name: record.text("name"),
            sets: vec![("object_attributes", Value::from(definitions))],
            attributes: vec![AttributeChange::new("object_attributes", Vec::<String>::new(), vec![added])],
        };
        self.change(edit, time).await?;
        self.close();
        Ok(())
    }
}

impl Stage {
    /// A row that classifies an object as privileged, now.
    fn classified_at(&self, ids: &mut crate::id::Ids, owner: &str, owner_type: &str, time: i64) -> Row {
        Row::object("spt_object_classification", ids.next(Kind::ObjectClassification), Stamps::new_at(time))
            .text("owner_id", owner)
            .text("owner_type", owner_type)
            .text("source", "Manual")
            .flag("effective", true)
            .text("classification_id", self.classifications[2].as_str())
    }
}
