//! Policies, capabilities, workgroups, scopes, classifications and attribute definitions.

use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::roles::Role;
use crate::row::{Row, Rows, Stamps};
use crate::stage::{DAY_MS, Stage};
use crate::xml::{self, Xml, escape_attribute};

/// Classifications of sensitive access.
pub(crate) const CLASSIFICATIONS: [&str; 4] =
    ["Personal Data", "Financial Reporting", "Privileged", "Export Controlled"];

/// Capabilities with the number of rights each has.
const CAPABILITIES: [&str; 14] = [
    "SystemAdministrator",
    "AccessHistoryAdministrator",
    "ApplicationAdministrator",
    "Auditor",
    "CertificationAdministrator",
    "ComplianceOfficer",
    "EntitlementAdministrator",
    "HelpDesk",
    "IdentityAdministrator",
    "PasswordAdministrator",
    "PolicyAdministrator",
    "ReportAdministrator",
    "RoleAdministrator",
    "RuleAdministrator",
];

const RIGHTS: [&str; 20] = [
    "FullAccessAdmin",
    "ViewAccessHistory",
    "ManageApplication",
    "ViewApplication",
    "FullAccessCertifications",
    "ViewCertifications",
    "ManagePolicy",
    "ViewPolicy",
    "ManageRole",
    "ViewRole",
    "ManageIdentity",
    "ViewIdentity",
    "ManagedAttributePropertyAdmin",
    "ViewManagedAttribute",
    "ManageRules",
    "ViewReports",
    "ManageReports",
    "UnlockIdentity",
    "SetIdentityPassword",
    "ViewAuditLog",
];

/// Workgroups that do not belong to a department.
const WORKGROUPS: [&str; 6] = [
    "Access Reviewers",
    "Help Desk",
    "Policy Board",
    "Role Owners",
    "Security Operations",
    "Provisioning Team",
];

/// Two duties that nobody may have at once.
#[derive(Debug, Clone)]
pub(crate) struct SodConstraint {
    /// Id.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// Position of a role.
    pub(crate) left: usize,
    /// Position of the role that does not go with it.
    pub(crate) right: usize,
    /// Position of the policy.
    pub(crate) policy: usize,
}

/// Names of the policies.
pub(crate) const POLICIES: [&str; 2] =
    ["Separation of Duties - Operations", "Separation of Duties - Control"];

/// All pairs of duties: a job of each department and one of the next.
pub(crate) fn constraints(ids: &Ids, roles: &[Role], first_job: usize) -> Vec<SodConstraint> {
    let count = DEPARTMENTS.len();
    (0..count)
        .map(|nth| {
            let (left, right) = (first_job + nth * 5 + 1 + nth % 4, first_job + (nth + 1) % count * 5 + 2);
            SodConstraint {
                id: ids.nth(Kind::SodConstraint, nth as u64),
                name: format!("{} is not {}", roles[left].name, roles[right].name),
                left,
                right,
                policy: nth % POLICIES.len(),
            }
        })
        .collect()
}

impl Stage {
    /// Id of a policy.
    pub(crate) fn policy_id(&self, position: usize) -> String {
        self.numbered.nth(Kind::Policy, position as u64)
    }

    /// How many capabilities there are.
    pub(crate) const fn capabilities() -> usize {
        CAPABILITIES.len()
    }

    /// Id and name of a capability.
    pub(crate) fn capability(&self, position: usize) -> (String, &'static str) {
        (self.numbered.nth(Kind::Capability, position as u64), CAPABILITIES[position])
    }

    /// How many workgroups there are.
    pub(crate) const fn workgroups() -> usize {
        WORKGROUPS.len() + DEPARTMENTS.len()
    }

    /// Id and name of a workgroup.
    pub(crate) fn workgroup(&self, position: usize) -> (String, String) {
        let name = match WORKGROUPS.get(position) {
            Some(name) => (*name).to_owned(),
            None => format!("{} Approvers", DEPARTMENTS[position - WORKGROUPS.len()].name),
        };
        (self.numbered.nth(Kind::Workgroup, position as u64), name)
    }

    /// Position of the workgroup of a department.
    pub(crate) const fn workgroup_of_department(department: usize) -> usize {
        WORKGROUPS.len() + department
    }

    /// Id of the scope of a place.
    pub(crate) fn scope_of_location(&self, location: usize) -> String {
        let region = LOCATIONS[location].region;
        let nth = REGIONS.iter().position(|name| *name == region).unwrap_or(0);
        self.numbered.nth(Kind::Scope, nth as u64)
    }
}

const REGIONS: [&str; 4] = ["Africa", "Americas", "Asia Pacific", "Europe"];

/// Rows of all of them.
pub(crate) fn write(stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
    let mut dice = Dice::of(stage.seed, "governance", 0);
    write_version(stage, rows);
    write_scopes(stage, ids, rows, &mut dice);
    write_classifications(stage, ids, rows, &mut dice);
    write_capabilities(stage, ids, rows, &mut dice);
    write_workgroups(stage, ids, rows, &mut dice);
    write_policies(stage, ids, rows, &mut dice);
    write_object_configs(stage, ids, rows, &mut dice);
}

fn write_version(stage: &Stage, rows: &mut Rows) {
    let release = stage.release.as_str();
    rows.add(
        Row::new("spt_database_version")
            .text("name", "main")
            .text("system_version", format!("{release}-00"))
            .text("schema_version", format!("{release}-87")),
    );
}

fn write_scopes(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    for region in REGIONS {
        let id = ids.next(Kind::Scope);
        let stamps = stage.old_stamps(dice, 1500);
        rows.add(
            Row::object("spt_scope", id.as_str(), stamps)
                .text("name", region)
                .text("display_name", region)
                .text("path", id.as_str())
                .flag("manually_created", true)
                .flag("dormant", false)
                .flag("dirty", false),
        );
    }
}

fn write_classifications(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    for name in CLASSIFICATIONS {
        let id = ids.next(Kind::Classification);
        let stamps = stage.old_stamps(dice, 900);
        rows.add(
            Row::object("spt_classification", id, stamps)
                .text("name", name.replace(' ', ""))
                .text("display_name", name)
                .text("displayable_name", name)
                .text("origin", "Annals")
                .text("type", "Sensitivity"),
        );
    }
}

fn write_capabilities(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    let rights: Vec<String> = RIGHTS
        .iter()
        .map(|name| {
            let id = ids.next(Kind::Right);
            rows.add(
                Row::object("spt_right", id.as_str(), stage.old_stamps(dice, 1600))
                    .text("name", *name)
                    .text("display_name", format!("right_{name}")),
            );
            id
        })
        .collect();
    for (position, name) in CAPABILITIES.iter().enumerate() {
        let id = ids.next(Kind::Capability);
        rows.add(
            Row::object("spt_capability", id.as_str(), stage.old_stamps(dice, 1600))
                .text("name", *name)
                .text("display_name", format!("capability_{name}"))
                .text("description", format!("Grants the rights of {name}."))
                .flag("applies_to_analyzer", false)
                .text("owner", stage.owner(position as u64)),
        );
        let count = 1 + position % 4;
        for (idx, right) in dice.positions(rights.len(), count).into_iter().enumerate() {
            rows.add(Row::member(
                "spt_capability_rights",
                ("capability_id", &id),
                idx,
                ("right_id", &rights[right]),
            ));
        }
        if position == 5 {
            // Who watches over compliance is an auditor as well.
            let (auditor, _) = stage.capability(3);
            rows.add(Row::member(
                "spt_capability_children",
                ("capability_id", &id),
                0,
                ("child_id", &auditor),
            ));
        }
    }
}

fn write_workgroups(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    for position in 0..Stage::workgroups() {
        let (id, name) = stage.workgroup(position);
        ids.next(Kind::Workgroup);
        let option = *dice.pick(&["Both", "GroupEmailOnly", "MembersOnly", "Disabled"]);
        let element = format!("<WorkgroupNotifationOption>{option}</WorkgroupNotifationOption>");
        let preferences = xml::map(&[("workgroupNotificationOption".to_owned(), Xml::Element(element))]);
        rows.add(
            Row::object("spt_identity", id.as_str(), stage.old_stamps(dice, 1300))
                .text("name", name.as_str())
                .text("display_name", name.as_str())
                .text("description", format!("Members act for {name}."))
                .text("email", format!("{}@example.com", name.to_lowercase().replace(' ', ".")))
                .flag("workgroup", true)
                .flag("protected", false)
                .flag("inactive", false)
                .flag("correlated", false)
                .flag("manager_status", false)
                .text("owner", stage.owner(position as u64))
                .text("preferences", preferences)
                .text("attributes", xml::attributes(&[("email".to_owned(), Xml::flag(true))])),
        );
        if position % 5 == 0 {
            let (capability, _) = stage.capability(position % CAPABILITIES.len());
            rows.add(Row::member(
                "spt_identity_capabilities",
                ("identity_id", &id),
                0,
                ("capability_id", &capability),
            ));
        }
    }
}

fn write_policies(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    for (position, name) in POLICIES.iter().enumerate() {
        let id = ids.next(Kind::Policy);
        rows.add(
            Row::object("spt_policy", id, stage.old_stamps(dice, 1000))
                .text("name", *name)
                .text("type", "SOD")
                .text("type_key", "policy_type_sod")
                .text("executor", "sailpoint.policy.SODPolicyExecutor")
                .text("violation_owner_type", "Manager")
                .text("state", "Active")
                .flag("template", false)
                .text("owner", stage.policy_owner(position).id),
        );
    }
    for (position, constraint) in stage.constraints.iter().enumerate() {
        ids.next(Kind::SodConstraint);
        rows.add(
            Row::object("spt_sodconstraint", constraint.id.as_str(), stage.old_stamps(dice, 800))
                .text("name", constraint.name.as_str())
                .text("policy", stage.policy_id(constraint.policy))
                .flag("disabled", false)
                .int("weight", 100)
                .text("compensating_control", "Monthly review by the controller.")
                .int("idx", i64::try_from(position / POLICIES.len()).unwrap_or(0)),
        );
        for (table, role) in
            [("spt_sodconstraint_left", constraint.left), ("spt_sodconstraint_right", constraint.right)]
        {
            let member = ("businessrole", stage.roles[role].id.as_str());
            rows.add(Row::member(table, ("sodconstraint", &constraint.id), 0, member));
        }
    }
}

/// Attribute definitions: name, label, type, number of the extended column.
type Definition = (&'static str, &'static str, &'static str, Option<u32>);

const IDENTITY_ATTRIBUTES: &[Definition] = &[
    ("department", "Department", "string", Some(1)),
    ("location", "Location", "string", Some(2)),
    ("costCenter", "Cost Centre", "string", Some(3)),
    ("jobTitle", "Job Title", "string", Some(4)),
    ("employeeId", "Employee Number", "string", Some(5)),
    ("region", "Region", "string", Some(6)),
    ("hireDate", "Hire Date", "date", None),
    ("languages", "Languages", "string", None),
];

const OBJECT_CONFIGS: &[(&str, &[Definition])] = &[
    ("Identity", IDENTITY_ATTRIBUTES),
    (
        "Link",
        &[("costCenter", "Cost Centre", "string", Some(1)), ("privileged", "Privileged", "boolean", Some(2))],
    ),
    ("Bundle", &[("approvalScheme", "Approval", "string", None)]),
    (
        "ManagedAttribute",
        &[("riskLevel", "Risk", "string", None), ("privileged", "Privileged", "boolean", None)],
    ),
    ("Application", &[("businessOwner", "Business Owner", "string", Some(1))]),
    ("CertificationItem", &[("riskLevel", "Risk", "string", Some(1))]),
];

fn write_object_configs(stage: &Stage, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    for (name, definitions) in OBJECT_CONFIGS {
        let id = ids.next(Kind::ObjectConfig);
        let element = if *name == "Identity" { "IdentityAttribute" } else { "ObjectAttribute" };
        let items = definitions.iter().map(|definition| definition_element(element, definition)).collect();
        rows.add(
            Row::object("spt_object_config", id, stage.old_stamps(dice, 1700))
                .text("name", *name)
                .text("object_attributes", xml::document(&Xml::List(items)))
                .text(
                    "config_attributes",
                    xml::attributes(&[("scopingEnabled".to_owned(), Xml::flag(false))]),
                ),
        );
    }
    let id = ids.next(Kind::Configuration);
    let enabled = xml::attributes(&[("accessHistoryEnabled".to_owned(), Xml::flag(true))]);
    let created = stage.start_ms - 1700 * DAY_MS;
    let stamps = Stamps { created, modified: None, significant: None };
    rows.add(
        Row::object("spt_configuration", id, stamps)
            .text("name", "SystemConfiguration")
            .text("attributes", enabled),
    );
}

fn definition_element(element: &str, definition: &Definition) -> Xml {
    let (name, label, kind, number) = definition;
    let extended = number.map(|number| format!(" extendedNumber=\"{number}\"")).unwrap_or_default();
    let multi = if *name == "languages" { " multi=\"true\"" } else { "" };
    Xml::Element(format!(
        "<{element} displayName=\"{}\" editMode=\"ReadOnly\"{extended}{multi} name=\"{name}\" type=\"{kind}\"/>",
        escape_attribute(label)
    ))
}
