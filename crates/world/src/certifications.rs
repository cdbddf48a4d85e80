//! Certifications: campaigns in which managers look at what their people hold.

use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::requests::Party;
use crate::row::{Row, Rows, Stamps};
use crate::schema::{ColumnType, Release, Schema};
use crate::stage::{DAY_MS, Stage};
use crate::xml::{self, Xml, escape_attribute};

/// A decision of a certifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// May stay.
    Approved,
    /// Is taken away.
    Remediated,
    /// May stay for a while.
    Mitigated,
}

impl Decision {
    /// As the database says it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "Approved",
            Self::Remediated => "Remediated",
            Self::Mitigated => "Mitigated",
        }
    }
}

/// What an item is about.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A role by name and assignment.
    Role {
        /// Name.
        name: String,
        /// Assignment.
        assignment: String,
    },
    /// An entitlement.
    Grant {
        /// Position in the catalogue.
        grant: usize,
        /// The account that holds it.
        native_identity: String,
    },
}

/// The campaign that a certification belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Campaign {
    /// Id of the group of its certifications.
    pub(crate) group: String,
    /// Id of its definition.
    pub(crate) definition: String,
    /// Name.
    pub(crate) name: String,
    /// When it began.
    pub(crate) begun: i64,
    /// When it ended; none while it is under way.
    pub(crate) ended: Option<i64>,
}

/// Writes the rows of a campaign as such.
pub(crate) fn write_campaign(
    stage: &Stage,
    name: &str,
    begun: i64,
    ended: Option<i64>,
    ids: &mut Ids,
    rows: &mut Rows,
) -> Campaign {
    let campaign = Campaign {
        group: ids.next(Kind::CertificationGroup),
        definition: ids.next(Kind::CertificationDefinition),
        name: name.to_owned(),
        begun,
        ended,
    };
    let stamps = Stamps { created: begun, modified: ended, significant: Some(ended.unwrap_or(begun)) };
    rows.add(
        Row::object("spt_certification_definition", campaign.definition.as_str(), Stamps::new_at(begun))
            .text("name", format!("{name} [{begun}]"))
            .text("description", "Managers look at what their people hold.")
            .text("owner", stage.owner(4))
            .text("attributes", xml::attributes(&[("includeRoles".to_owned(), Xml::flag(true))])),
    );
    rows.add(
        Row::object("spt_certification_group", campaign.group.as_str(), stamps)
            .text("name", name)
            .text("type", "Certification")
            .text("status", if ended.is_some() { "Complete" } else { "Active" })
            .text("certification_definition", campaign.definition.as_str())
            .text("owner", stage.owner(4)),
    );
    campaign
}

/// A certification under construction: one manager's share of a campaign.
#[derive(Debug)]
pub(crate) struct Certification {
    /// Id.
    pub(crate) id: String,
    campaign: Campaign,
    certifier: Party,
    entities: i64,
    items: i64,
    remediated: i64,
    roles: i64,
}

/// An item to be written.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// What it is about.
    pub(crate) subject: Subject,
    /// The decision, if there is one yet.
    pub(crate) decision: Option<Decision>,
}

impl Certification {
    /// The share of a manager, nothing in it yet.
    pub(crate) fn new(campaign: &Campaign, certifier: Party, ids: &mut Ids) -> Self {
        Self {
            id: ids.next(Kind::Certification),
            campaign: campaign.clone(),
            certifier,
            entities: 0,
            items: 0,
            remediated: 0,
            roles: 0,
        }
    }

    /// Writes what one person holds; the ids of the items.
    pub(crate) fn write_entity(
        &mut self,
        stage: &Stage,
        person: &Party,
        items: &[Item],
        ids: &mut Ids,
        rows: &mut Rows,
        dice: &mut Dice,
    ) -> Vec<String> {
        let entity = ids.next(Kind::CertificationEntity);
        let (begun, ended) = (self.campaign.begun, self.campaign.ended);
        let stamps = Stamps { created: begun, modified: ended, significant: Some(ended.unwrap_or(begun)) };
        let names = person.display.split_once(' ').unwrap_or((&person.display, ""));
        rows.add(
            Row::object("spt_certification_entity", entity.as_str(), stamps)
                .text("certification_id", self.id.as_str())
                .text("type", "Identity")
                .text("identity_id", person.login.as_str())
                .text("firstname", names.0)
                .text("lastname", names.1)
                .text("target_id", person.id.as_str())
                .text("target_name", person.login.as_str())
                .text("target_display_name", person.display.as_str())
                .text("summary_status", if ended.is_some() { "Complete" } else { "Open" })
                .maybe_int("completed", ended)
                .flag("bulk_certified", false)
                .flag("new_user", false)
                .flag("has_differences", false)
                .flag("action_required", ended.is_none())
                .int("composite_score", dice.between(0, 900)),
        );
        self.entities += 1;
        let written: Vec<String> = items
            .iter()
            .enumerate()
            .map(|(idx, item)| self.write_item(stage, person, &entity, idx, item, ids, rows, dice))
            .collect();
        self.items += i64::try_from(items.len()).unwrap_or(0);
        written
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a row and where they come from")]
    fn write_item(
        &mut self,
        stage: &Stage,
        person: &Party,
        entity: &str,
        idx: usize,
        item: &Item,
        ids: &mut Ids,
        rows: &mut Rows,
        dice: &mut Dice,
    ) -> String {
        let id = ids.next(Kind::CertificationItem);
        let begun = self.campaign.begun;
        let ended = self.campaign.ended;
        let decided = ended.map(|ended| dice.between(begun + DAY_MS / 4, ended));
        let stamps =
            Stamps { created: begun, modified: decided, significant: Some(decided.unwrap_or(begun)) };
        let mut row = Row::object("spt_certification_item", id.as_str(), stamps)
            .text("certification_entity_id", entity)
            .text("target_id", person.id.as_str())
            .text("target_name", person.login.as_str())
            .text("target_display_name", person.display.as_str())
            .text("summary_status", if ended.is_some() { "Complete" } else { "Open" })
            .text("phase", if ended.is_some() { "End" } else { "Active" })
            .maybe_int("completed", decided)
            .maybe_int("finished_date", ended)
            .flag("needs_refresh", false)
            .flag("has_differences", false)
            .flag("action_required", ended.is_none())
            .flag("iiq_elevated_access", false)
            .int("idx", i64::try_from(idx).unwrap_or(0));
        row = self.subject(stage, person, &id, &item.subject, row, ids, rows);
        if let (Some(decision), Some(decided)) = (item.decision, decided) {
            self.remediated += i64::from(decision == Decision::Remediated);
            let action = ids.next(Kind::CertificationAction);
            rows.add(action_row(stage, &action, decision, item, person, &self.certifier, decided, ended));
            row = row.text("action", action);
        }
        rows.add(row);
        id
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a row and where they come from")]
    fn subject(
        &mut self,
        stage: &Stage,
        person: &Party,
        id: &str,
        subject: &Subject,
        row: Row,
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Row {
        match subject {
            Subject::Role { name, assignment } => {
                self.roles += 1;
                row.text("type", "Bundle")
                    .text("sub_type", "AssignedRole")
                    .text("bundle", name.as_str())
                    .text("bundle_assignment_id", assignment.as_str())
            }
            Subject::Grant { grant, native_identity } => {
                let grant = &stage.grants[*grant];
                let application = &stage.applications[grant.application];
                let snapshot = ids.next(Kind::Snapshot);
                let held = [(application.kind.attribute.to_owned(), Xml::values([grant.value.as_str()]))];
                rows.add(
                    Row::new("spt_entitlement_snapshot")
                        .text("id", snapshot.as_str())
                        .text("application", application.kind.name)
                        .text("native_identity", native_identity.as_str())
                        .text("display_name", person.display.as_str())
                        .flag("account_only", false)
                        .text("attributes", xml::attributes(&held))
                        .text("certification_item_id", id)
                        .int("idx", 0),
                );
                rows.add(
                    Row::new("spt_cert_item_applications")
                        .text("certification_item_id", id)
                        .int("idx", 0)
                        .text("application_name", application.kind.name),
                );
                row.text("type", "Exception")
                    .text("sub_type", "Entitlement")
                    .text("exception_application", application.kind.name)
                    .text("exception_attribute_name", application.kind.attribute)
                    .text("exception_attribute_value", grant.value.as_str())
                    .text("exception_entitlements", snapshot)
            }
        }
    }

    /// Writes the certification itself, when all its people are in.
    pub(crate) fn finish(self, stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
        let campaign = &self.campaign;
        let ended = campaign.ended;
        let stamps = Stamps {
            created: campaign.begun,
            modified: ended,
            significant: Some(ended.unwrap_or(campaign.begun)),
        };
        let row = Row::object("spt_certification", self.id.as_str(), stamps)
            .text("name", format!("{} for {}", campaign.name, self.certifier.display))
            .text("short_name", campaign.name.as_str())
            .text("type", "Manager")
            .text("creator", "System")
            .text("manager", self.certifier.login.as_str())
            .text("certification_definition_id", campaign.definition.as_str())
            .text("phase", if ended.is_some() { "End" } else { "Active" })
            .text("entitlement_granularity", "Value")
            .flag("complete", ended.is_some())
            .flag("complete_hierarchy", ended.is_some())
            .flag("continuous", false)
            .flag("exclude_inactive", true)
            .flag("electronically_signed", false)
            .flag("immutable", ended.is_some())
            .flag("process_revokes_immediately", false)
            .int("activated", campaign.begun)
            .int("expiration", campaign.begun + 14 * DAY_MS)
            .maybe_int("signed", ended)
            .maybe_int("finished", ended)
            .int("total_entities", self.entities)
            .int("completed_entities", ended.map_or(0, |_| self.entities))
            .int("percent_complete", ended.map_or(0, |_| 100))
            .int("total_items", self.items)
            .int("completed_items", ended.map_or(0, |_| self.items))
            .int("item_percent_complete", ended.map_or(0, |_| 100))
            .int("remediations_kicked_off", self.remediated)
            .int("remediations_completed", self.remediated)
            .int("total_roles", self.roles)
            .int("total_exceptions", self.items - self.roles)
            .text("owner", stage.owner(4))
            .text(
                "attributes",
                xml::attributes(&[("certifierSelectionType".to_owned(), Xml::text("Manager"))]),
            );
        rows.add(with_zero_counts(row));
        rows.add(
            Row::new("spt_certifiers")
                .text("certification_id", self.id.as_str())
                .int("idx", 0)
                .text("certifier", self.certifier.login.as_str()),
        );
        let group = ("group_id", campaign.group.as_str());
        rows.add(Row::member("spt_certification_groups", ("certification_id", &self.id), 0, group));
        if let Some(signed) = ended {
            rows.add(sign_off_row(&ids.next(Kind::SignOff), &self.id, &self.certifier, signed));
        }
    }
}

/// The row of a signature under a certification.
pub(crate) fn sign_off_row(id: &str, certification: &str, signer: &Party, signed: i64) -> Row {
    Row::object("spt_sign_off_history", id, Stamps::new_at(signed))
        .text("certification_id", certification)
        .int("sign_date", signed)
        .text("signer_id", signer.id.as_str())
        .text("signer_name", signer.login.as_str())
        .text("signer_display_name", signer.display.as_str())
        .flag("electronic_sign", false)
        .int("idx", 0)
}

/// Counts that may not be null and were not given are 0.
fn with_zero_counts(mut row: Row) -> Row {
    let Some(table) = Schema::of(Release::V8_4).table("spt_certification") else { return row };
    for column in &table.columns {
        if column.column_type == ColumnType::Integer && !column.nullable && !row.has(column.name) {
            row = row.int(column.name, 0);
        }
    }
    row
}

/// The row of a decision.
#[expect(clippy::too_many_arguments, reason = "the parts of a row and where they come from")]
pub(crate) fn action_row(
    stage: &Stage,
    id: &str,
    decision: Decision,
    item: &Item,
    person: &Party,
    certifier: &Party,
    decided: i64,
    completed: Option<i64>,
) -> Row {
    let stamps = Stamps {
        created: decided,
        modified: completed.filter(|completed| *completed > decided),
        significant: Some(completed.unwrap_or(decided)),
    };
    let row = Row::object("spt_certification_action", id, stamps)
        .text("status", decision.as_str())
        .int("decision_date", decided)
        .text("actor_name", certifier.login.as_str())
        .text("actor_display_name", certifier.display.as_str())
        .flag("reviewed", true)
        .flag("bulk_certified", false)
        .flag("auto_decision", false)
        .flag("revoke_account", false)
        .flag("ready_for_remediation", decision == Decision::Remediated)
        .flag("remediation_kicked_off", decision == Decision::Remediated && completed.is_some())
        .flag("remediation_completed", decision == Decision::Remediated && completed.is_some());
    match decision {
        Decision::Approved => row,
        Decision::Mitigated => row
            .int("mitigation_expiration", decided + 90 * DAY_MS)
            .text("comments", "Until the project ends."),
        Decision::Remediated => row
            .text("remediation_action", "SendProvisionRequest")
            .text("owner_name", certifier.login.as_str())
            .text("comments", "No longer needed")
            .text("remediation_details", plan(stage, item, person)),
    }
}

/// What is to be taken away, as a provisioning plan.
fn plan(stage: &Stage, item: &Item, person: &Party) -> String {
    let (application, native, attribute, value) = match &item.subject {
        Subject::Role { name, .. } => ("IIQ", person.login.as_str(), "assignedRoles", name.as_str()),
        Subject::Grant { grant, native_identity } => {
            let grant = &stage.grants[*grant];
            let kind = &stage.applications[grant.application].kind;
            (kind.name, native_identity.as_str(), kind.attribute, grant.value.as_str())
        }
    };
    format!(
        "<ProvisioningPlan nativeIdentity=\"{}\">\n  <AccountRequest application=\"{}\" nativeIdentity=\"{}\" \
         op=\"Modify\">\n    <AttributeRequest name=\"{attribute}\" op=\"Remove\" value=\"{}\"/>\n  \
         </AccountRequest>\n</ProvisioningPlan>\n",
        escape_attribute(&person.login),
        escape_attribute(application),
        escape_attribute(native),
        escape_attribute(value)
    )
}
