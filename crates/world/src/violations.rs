//! Policy violations, and the history that is kept of decisions about them.

use crate::dice::Dice;
use crate::governance::POLICIES;
use crate::id::{Ids, Kind};
use crate::people::Person;
use crate::requests::Party;
use crate::row::{Row, Rows, Stamps};
use crate::stage::{DAY_MS, Stage};
use crate::xml::{self, Xml, escape_attribute};

/// What became of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViolationStatus {
    /// Nobody has decided.
    Open,
    /// Accepted for a while.
    Mitigated,
    /// One of the two roles was taken away.
    Remediated,
}

impl ViolationStatus {
    /// As the database says it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Mitigated => "Mitigated",
            Self::Remediated => "Remediated",
        }
    }
}

impl Stage {
    /// Who answers for a policy.
    pub(crate) fn policy_owner(&self, policy: usize) -> Party {
        let owner = u32::try_from((policy + 11) % self.owners() as usize).unwrap_or(0);
        Person::of(self, owner).party()
    }
}

/// Writes a violation of a constraint; its id.
pub(crate) fn write(
    stage: &Stage,
    person: &Party,
    constraint: usize,
    status: ViolationStatus,
    stamps: Stamps,
    ids: &mut Ids,
    rows: &mut Rows,
) -> String {
    let id = ids.next(Kind::Violation);
    let constraint = &stage.constraints[constraint];
    let (left, right) = (&stage.roles[constraint.left], &stage.roles[constraint.right]);
    let arguments = [
        ("left".to_owned(), Xml::values([left.name.as_str()])),
        ("right".to_owned(), Xml::List(vec![Xml::text(right.name.as_str())])),
        ("score".to_owned(), Xml::Number("Integer", "100".to_owned())),
    ];
    rows.add(
        Row::object("spt_policy_violation", id.as_str(), stamps)
            .text("name", constraint.name.as_str())
            .text("description", format!("{} holds both.", person.display))
            .text("identity_id", person.id.as_str())
            .text("renderer", "policySODDetails.xhtml")
            .flag("active", status != ViolationStatus::Remediated)
            .text("policy_id", stage.policy_id(constraint.policy))
            .text("policy_name", POLICIES[constraint.policy])
            .text("constraint_id", constraint.id.as_str())
            .text("constraint_name", constraint.name.as_str())
            .text("status", status.as_str())
            .text("left_bundles", left.name.as_str())
            .text("right_bundles", right.name.as_str())
            .maybe_text(
                "bundles_marked_for_remediation",
                (status == ViolationStatus::Remediated).then_some(right.name.as_str()),
            )
            .maybe_text(
                "mitigator",
                (status == ViolationStatus::Mitigated).then(|| stage.policy_owner(constraint.policy).login),
            )
            .text("owner", stage.policy_owner(constraint.policy).id)
            .text("arguments", xml::attributes(&arguments)),
    );
    id
}

/// Writes the decision about a violation into the person's history; its id.
pub(crate) fn write_history(
    stage: &Stage,
    person: &Party,
    constraint: usize,
    status: ViolationStatus,
    decided: i64,
    ids: &mut Ids,
    rows: &mut Rows,
) -> String {
    let id = ids.next(Kind::HistoryItem);
    let constraint = &stage.constraints[constraint];
    let role = &stage.roles[constraint.right];
    let descriptor = format!(
        "<CertifiableDescriptor>\n  <PolicyViolation constraintName=\"{}\" policyName=\"{}\"/>\n\
         </CertifiableDescriptor>\n",
        escape_attribute(&constraint.name),
        escape_attribute(POLICIES[constraint.policy])
    );
    let actor = stage.policy_owner(constraint.policy).login;
    let action = format!(
        "<CertificationAction actorName=\"{actor}\" created=\"{decided}\" remediationAction=\"OpenWorkItem\" \
         status=\"{}\"/>\n",
        status.as_str()
    );
    rows.add(
        Row::object("spt_identity_history_item", id.as_str(), Stamps::new_at(decided))
            .text("identity_id", person.id.as_str())
            .text("type", "Decision")
            .text("certification_type", "Identity")
            .text("status", status.as_str())
            .text("actor", actor)
            .int("entry_date", decided)
            .text("policy", POLICIES[constraint.policy])
            .text("constraint_name", constraint.name.as_str())
            .text("role", role.name.as_str())
            .text("comments", "Decided in the policy violation console")
            .text("certifiable_descriptor", descriptor)
            .text("action", action),
    );
    if status == ViolationStatus::Mitigated {
        rows.add(mitigation_row(stage, person, &constraint.name, constraint.policy, decided, ids));
    }
    id
}

fn mitigation_row(
    stage: &Stage,
    person: &Party,
    constraint: &str,
    policy: usize,
    decided: i64,
    ids: &mut Ids,
) -> Row {
    Row::object("spt_mitigation_expiration", ids.next(Kind::Mitigation), Stamps::new_at(decided))
        .int("expiration", decided + 180 * DAY_MS)
        .text("mitigator", stage.policy_owner(policy).id)
        .text("identity_id", person.id.as_str())
        .text("policy", POLICIES[policy])
        .text("constraint_name", constraint)
        .text("action", "NOTIFY_CERTIFIER")
        .flag("permission", false)
        .int("idx", 0)
}

/// The constraint that forbids something beside the job of a person, if there is one.
pub(crate) fn constraint_against(stage: &Stage, job_role: usize) -> Option<usize> {
    stage.constraints.iter().position(|constraint| constraint.left == job_role)
}

/// What the initial population's violation came to: mostly mitigated or remediated.
pub(crate) fn throw_status(dice: &mut Dice) -> ViolationStatus {
    match dice.below(10) {
        0..=2 => ViolationStatus::Open,
        3..=6 => ViolationStatus::Mitigated,
        _ => ViolationStatus::Remediated,
    }
}
