//! Requests for access, from asking to having.

use annals_model::ObjectType;
use annals_sql::Value;

use super::Day;
use super::edit::{Edit, Sets};
use super::errand::Task;
use super::subject::Subject;
use crate::access::{Membership, Origin};
use crate::deed::{AttributeChange, DeedKind};
use crate::error::Result;
use crate::population::extra_grant;
use crate::record::records;
use crate::requests::{self, Request, RequestStage, Wanted, Wish};
use crate::xml::{self, Xml};

/// An item of a request under way.
struct Pending {
    id: String,
    wanted: Wanted,
    value: String,
    approval: String,
    provisioning: Option<String>,
}

impl Day<'_> {
    /// Some people ask for something.
    pub(super) async fn ask_for_access(&mut self) -> Result<()> {
        let count = self.share(250);
        for subject in self.pick(count, |_| true).await? {
            let wanted = self.wishes(&subject);
            if wanted.is_empty() {
                continue;
            }
            let time = self.time((8, 12), &[]);
            let approver = subject.texts.get("manager").and_then(|id| {
                self.managers.iter().find(|manager| manager.id == *id).map(|manager| manager.login.clone())
            });
            let request = Request {
                target: subject.party(),
                requester: subject.party(),
                approver: approver.unwrap_or_else(|| self.stage.policy_owner(0).login),
                wanted,
                stage: RequestStage::Pending,
                created: time,
                modified: time,
            };
            self.open(DeedKind::Requested, time, Some(subject.named()));
            let (id, _) =
                requests::write(self.stage, &request, &mut self.ids, &mut self.rows, &mut self.dice);
            self.close();
            self.clock.insert(id.clone(), time);
            self.some_day(0, 2, Task::DecideRequest(id));
        }
        Ok(())
    }

    /// One or two things that somebody does not have: mostly entitlements, now and then a role.
    fn wishes(&mut self, subject: &Subject) -> Vec<Wanted> {
        let accounts = subject.outfitted(self);
        let mut wishes = Vec::new();
        if self.dice.percent(15) {
            let job = self.stage.job_role(subject.department(), subject.job());
            let permitted = self.stage.roles[job].permits.clone();
            let free: Vec<usize> = permitted.into_iter().filter(|role| !subject.has_role(*role)).collect();
            if let Some(role) = free.first() {
                wishes.push(Wish::Role(*role));
            }
        }
        for _ in 0..1 + self.dice.index(2) {
            let grant = extra_grant(self.stage, &accounts, &mut self.dice);
            if !subject.holds(grant) && !wishes.contains(&Wish::Grant(grant)) {
                wishes.push(Wish::Grant(grant));
            }
        }
        wishes.truncate(2);
        wishes
            .into_iter()
            .map(|wish| {
                let native_identity = match wish {
                    Wish::Role(_) => None,
                    Wish::Grant(grant) => subject.account(self.stage.grants[grant].application),
                }
                .map_or_else(|| subject.text("name").to_owned(), |account| account.native_identity.clone());
                Wanted { wish, native_identity }
            })
            .collect()
    }

    /// A request is approved, or refused.
    pub(super) async fn decide_request(&mut self, id: &str) -> Result<()> {
        let stage = if self.dice.percent(15) { RequestStage::Rejected } else { RequestStage::Approved };
        let kind = if stage == RequestStage::Rejected { DeedKind::Rejected } else { DeedKind::Approved };
        if self.advance(id, kind, stage, (12, 16)).await?.is_some() {
            self.close();
            if stage == RequestStage::Approved {
                self.some_day(0, 1, Task::Provision(id.to_owned()));
            }
        }
        Ok(())
    }

    /// What was asked for is there, unless whoever asked has left meanwhile.
    pub(super) async fn provision(&mut self, id: &str) -> Result<()> {
        let Some((person, items)) =
            self.advance(id, DeedKind::Provisioned, RequestStage::Finished, (16, 20)).await?
        else {
            return Ok(());
        };
        let before = person;
        let mut after = before.clone();
        for item in items {
            match item.wanted.wish {
                Wish::Grant(grant) => self.give(&mut after, grant, Origin::Request, Some(item.id)),
                Wish::Role(role) => {
                    let assigner = Some(before.text("name").to_owned());
                    self.give_role(&mut after, role, Membership::Assigned, assigner, Some(item.id));
                    self.settle_roles(&mut after);
                }
            }
        }
        let time = self.deed.time_ms;
        self.busy.insert(before.id.clone());
        self.save(&before, &mut after, time).await?;
        self.close();
        Ok(())
    }

    /// Brings a request and its items to the next stage; whose it is and what was asked for. The deed stays open.
    /// Nothing where the person is no longer there or does not work here any more.
    async fn advance(
        &mut self,
        id: &str,
        kind: DeedKind,
        stage: RequestStage,
        hours: (i64, i64),
    ) -> Result<Option<(Subject, Vec<Pending>)>> {
        self.flush().await?;
        let (schema, ids) = (self.schema, [id.to_owned()]);
        let columns = ["name", "target_id", "attributes", "state", "completion_status", "execution_status"];
        let found = records(&mut self.tx, schema, "spt_identity_request", &columns, "id", &ids).await?;
        let Some(record) = found.into_iter().next() else { return Ok(None) };
        let Some(subject) =
            self.subject(&record.text("target_id")).await?.filter(|subject| !subject.inactive)
        else {
            return Ok(None);
        };
        let (items, approver) = self.pending_items(id).await?;
        let time = self.time(hours, &[id, &subject.id]);
        self.open(kind, time, Some(subject.named()));
        let request = Request {
            target: subject.party(),
            requester: subject.party(),
            approver: approver.clone(),
            wanted: items.iter().map(|item| item.wanted.clone()).collect(),
            stage,
            created: time,
            modified: time,
        };
        let summary = Xml::List(vec![Xml::Element(requests::approval_summary(self.stage, &request))]);
        let attributes = xml::with_entry(&record.text("attributes"), "approvalSummaries", &summary);
        let edit = Edit {
            object_type: ObjectType::IdentityRequest,
            table: "spt_identity_request",
            id: id.to_owned(),
            name: record.text("name"),
            sets: request_sets(stage, time, attributes),
            attributes: [
                ("state", stage.step()),
                ("completion_status", stage.completion()),
                ("execution_status", stage.execution()),
            ]
            .map(|(column, new)| AttributeChange::new(column, record.maybe_text(column), new))
            .into(),
        };
        self.change(edit, time).await?;
        for item in &items {
            let edit = Edit {
                object_type: ObjectType::IdentityRequestItem,
                table: "spt_identity_request_item",
                id: item.id.clone(),
                name: item.value.clone(),
                sets: vec![
                    ("approver_name", Value::from(approver.as_str())),
                    ("approval_state", Value::from(stage.approval())),
                    ("provisioning_state", Value::Text(stage.provisioning().map(str::to_owned))),
                ],
                attributes: vec![
                    AttributeChange::new("approval_state", item.approval.clone(), stage.approval()),
                    AttributeChange::new(
                        "provisioning_state",
                        item.provisioning.clone(),
                        stage.provisioning(),
                    ),
                ],
            };
            self.change(edit, time).await?;
        }
        Ok(Some((subject, items)))
    }

    async fn pending_items(&mut self, request: &str) -> Result<(Vec<Pending>, String)> {
        let columns = [
            "id",
            "application",
            "name",
            "value",
            "native_identity",
            "owner_name",
            "approval_state",
            "provisioning_state",
        ];
        let (schema, ids) = (self.schema, [request.to_owned()]);
        let table = "spt_identity_request_item";
        let found = records(&mut self.tx, schema, table, &columns, "identity_request_id", &ids).await?;
        let approver = found.first().map(|record| record.text("owner_name")).unwrap_or_default();
        let items = found
            .into_iter()
            .filter_map(|record| {
                let (name, value) = (record.text("name"), record.text("value"));
                let wish = if name == "assignedRoles" {
                    Wish::Role(*self.atlas.role_names.get(&value)?)
                } else {
                    let application =
                        *self.atlas.application_names.get(record.text("application").as_str())?;
                    Wish::Grant(*self.atlas.grants.get(&(application, value.clone()))?)
                };
                let wanted = Wanted { wish, native_identity: record.text("native_identity") };
                Some(Pending {
                    id: record.text("id"),
                    wanted,
                    value,
                    approval: record.text("approval_state"),
                    provisioning: record.maybe_text("provisioning_state"),
                })
            })
            .collect();
        Ok((items, approver))
    }
}

fn request_sets(stage: RequestStage, time: i64, attributes: String) -> Sets {
    let ended = matches!(stage, RequestStage::Finished | RequestStage::Rejected);
    let mut sets = vec![
        ("state", Value::from(stage.step())),
        ("completion_status", Value::from(stage.completion())),
        ("execution_status", Value::from(stage.execution())),
        ("attributes", Value::from(attributes)),
    ];
    if ended {
        sets.push(("end_date", Value::from(time)));
        sets.push(("has_messages", Value::Bool(Some(stage == RequestStage::Rejected))));
    }
    if stage == RequestStage::Finished {
        sets.push(("verified", Value::from(time)));
    }
    sets
}
