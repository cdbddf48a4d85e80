//! Who holds what: the rows of `spt_identity_entitlement` and the lists of roles.

use crate::accounts::Account;
use crate::dice::Dice;
use crate::id::{Ids, Kind, hex};
use crate::row::{Row, Rows, Stamps};
use crate::stage::Stage;
use crate::xml::{self, Xml};

/// How somebody came to hold something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A role grants it.
    Role,
    /// Found in the application.
    Aggregation,
    /// Asked for.
    Request,
}

/// An entitlement that a person holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Id.
    pub(crate) id: String,
    /// Position in the catalogue.
    pub(crate) grant: usize,
    /// How it came.
    pub(crate) origin: Origin,
    /// Id of the request item that brought it.
    pub(crate) request_item: Option<String>,
    /// Id of the certification item that last confirmed it.
    pub(crate) certification_item: Option<String>,
}

/// The row of an entitlement.
pub(crate) fn entitlement_row(
    stage: &Stage,
    person_id: &str,
    native_identity: &str,
    held: &Held,
    stamps: Stamps,
    dice: &mut Dice,
) -> Row {
    let grant = &stage.grants[held.grant];
    let application = &stage.applications[grant.application];
    let (source, assigner) = match held.origin {
        Origin::Role => ("Rule", Some("System")),
        Origin::Aggregation => ("Aggregation", None),
        Origin::Request => ("LCM", Some("Workflow")),
    };
    let mut row = Row::object("spt_identity_entitlement", held.id.as_str(), stamps)
        .text("identity_id", person_id)
        .text("application", application.id.as_str())
        .text("native_identity", native_identity)
        .text("name", application.kind.attribute)
        .text("value", grant.value.as_str())
        .text("display_name", grant.display.as_str())
        .text("type", "Entitlement")
        .text("aggregation_state", "Connected")
        .text("source", source)
        .maybe_text("assigner", assigner)
        .flag("assigned", held.origin == Origin::Request)
        .flag("allowed", true)
        .flag("granted_by_role", held.origin == Origin::Role)
        .maybe_text("request_item", held.request_item.as_deref())
        .maybe_text("certification_item", held.certification_item.as_deref());
    if dice.percent(4) {
        row = row.int("end_date", stage.start_ms + dice.between(30, 400) * crate::stage::DAY_MS);
    }
    if dice.percent(10) {
        let entries = [
            ("sourceAssignableRoles".to_owned(), Xml::text("true")),
            ("justification".to_owned(), Xml::LongText("Needed for the month's end & the audit.".to_owned())),
        ];
        row = row.text("attributes", xml::attributes(&entries));
    }
    row
}

/// Whether a role was given or recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// Given: `assignedRoles`.
    Assigned,
    /// Recognised by what somebody holds: `detectedRoles`.
    Detected,
}

impl Membership {
    /// Name of the rows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Assigned => "assignedRoles",
            Self::Detected => "detectedRoles",
        }
    }

    /// The table of the list, and the column of its member.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Assigned => "spt_identity_assigned_roles",
            Self::Detected => "spt_identity_bundles",
        }
    }
}

/// A role that a person has.
#[derive(Debug, Clone)]
pub(crate) struct RoleHeld {
    /// Id of the row.
    pub(crate) id: String,
    /// Position of the role.
    pub(crate) role: usize,
    /// Given or recognised.
    pub(crate) membership: Membership,
    /// Id of the assignment.
    pub(crate) assignment: String,
    /// Who gave it: a rule, or a person by login.
    pub(crate) assigner: Option<String>,
    /// Id of the request item that brought it.
    pub(crate) request_item: Option<String>,
}

impl RoleHeld {
    /// A role by rule, as roles by job are.
    pub(crate) fn by_rule(role: usize, membership: Membership, ids: &mut Ids, dice: &mut Dice) -> Self {
        Self {
            id: ids.next(Kind::Entitlement),
            role,
            membership,
            assignment: hex(&dice.bytes(16)),
            assigner: None,
            request_item: None,
        }
    }
}

/// The row of a role that somebody has.
pub(crate) fn role_row(stage: &Stage, person_id: &str, held: &RoleHeld, stamps: Stamps) -> Row {
    let role = &stage.roles[held.role];
    let source = match (held.membership, &held.assigner) {
        (Membership::Detected, _) => "Task",
        (Membership::Assigned, None) => "Rule",
        (Membership::Assigned, Some(_)) => "LCM",
    };
    Row::object("spt_identity_entitlement", held.id.as_str(), stamps)
        .text("identity_id", person_id)
        .text("name", held.membership.name())
        .text("value", role.name.as_str())
        .text("display_name", role.name.as_str())
        .text("aggregation_state", "Connected")
        .text("source", source)
        .maybe_text("assigner", held.assigner.as_deref())
        .text("assignment_id", held.assignment.as_str())
        .flag("assigned", held.membership == Membership::Assigned)
        .flag("allowed", false)
        .flag("granted_by_role", false)
        .maybe_text("request_item", held.request_item.as_deref())
}

/// The lists of roles of a person.
pub(crate) fn write_role_lists(stage: &Stage, person_id: &str, roles: &[RoleHeld], rows: &mut Rows) {
    for membership in [Membership::Assigned, Membership::Detected] {
        for (idx, held) in roles.iter().filter(|held| held.membership == membership).enumerate() {
            let member = ("bundle", stage.roles[held.role].id.as_str());
            rows.add(Row::member(membership.table(), ("identity_id", person_id), idx, member));
        }
    }
}

/// The assignments of a person hired then, as `preferences` keeps them.
pub(crate) fn preferences(stage: &Stage, since: i64, roles: &[RoleHeld], accounts: &[Account]) -> String {
    let mut assignments = Vec::new();
    let mut detections = Vec::new();
    for held in roles {
        let role = &stage.roles[held.role];
        let name = xml::escape_attribute(&role.name);
        let element = match held.membership {
            Membership::Assigned => format!(
                "<RoleAssignment assignmentId=\"{}\" date=\"{}\" roleId=\"{}\" roleName=\"{name}\" source=\"{}\"/>",
                held.assignment,
                since,
                role.id,
                if held.assigner.is_some() { "LCM" } else { "Rule" }
            ),
            Membership::Detected => format!(
                "<RoleDetection assignmentIds=\"{}\" date=\"{}\" roleId=\"{}\" roleName=\"{name}\">{}</RoleDetection>",
                held.assignment,
                since,
                role.id,
                target(stage, role.grants.first().copied(), accounts)
            ),
        };
        match held.membership {
            Membership::Assigned => assignments.push(Xml::Element(element)),
            Membership::Detected => detections.push(Xml::Element(element)),
        }
    }
    xml::map(&[
        ("roleAssignments".to_owned(), Xml::List(assignments)),
        ("roleDetections".to_owned(), Xml::List(detections)),
    ])
}

fn target(stage: &Stage, grant: Option<usize>, accounts: &[Account]) -> String {
    let position = grant.map(|grant| stage.grants[grant].application);
    let Some(account) = accounts.iter().find(|account| Some(account.application) == position) else {
        return String::new();
    };
    let application = &stage.applications[account.application];
    format!(
        "<RoleTarget applicationId=\"{}\" applicationName=\"{}\" nativeIdentity=\"{}\"/>",
        application.id,
        xml::escape_attribute(application.kind.name),
        xml::escape_attribute(&account.native_identity)
    )
}
