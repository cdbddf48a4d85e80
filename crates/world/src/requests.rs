//! Access requests with their items.

use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::row::{Row, Rows, Stamps};
use crate::stage::Stage;
use crate::xml::{self, Xml, escape_attribute};

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestStage {
    /// Waits for approval.
    Pending,
    /// Approved; provisioning has not answered.
    Approved,
    /// Provisioned.
    Finished,
    /// Refused.
    Rejected,
}

impl RequestStage {
    /// `approval_state` of the items.
    pub(crate) const fn approval(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Approved | Self::Finished => "Finished",
            Self::Rejected => "Rejected",
        }
    }

    /// `provisioning_state` of the items.
    pub(crate) const fn provisioning(self) -> Option<&'static str> {
        match self {
            Self::Pending => None,
            Self::Approved => Some("Pending"),
            Self::Finished => Some("Finished"),
            Self::Rejected => None,
        }
    }

    /// `execution_status` of the request.
    pub(crate) const fn execution(self) -> &'static str {
        match self {
            Self::Pending => "Executing",
            Self::Approved => "Verifying",
            Self::Finished | Self::Rejected => "Completed",
        }
    }

    /// `completion_status` of the request.
    pub(crate) const fn completion(self) -> &'static str {
        match self {
            Self::Pending | Self::Approved => "Pending",
            Self::Finished => "Success",
            Self::Rejected => "Failure",
        }
    }

    /// `state` of the request: the step of its workflow.
    pub(crate) const fn step(self) -> &'static str {
        match self {
            Self::Pending => "Approve",
            Self::Approved => "Provision",
            Self::Finished | Self::Rejected => "End",
        }
    }
}

/// Something to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// An entitlement, by its position in the catalogue.
    Grant(usize),
    /// A role, by its position.
    Role(usize),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What.
    pub(crate) wish: Wish,
    /// The account, or for a role the person, that is to have it.
    pub(crate) native_identity: String,
}

/// What is asked for, in the words of rows.
struct Terms<'s> {
    application: &'s str,
    engine: &'s str,
    attribute: &'s str,
    value: &'s str,
    display: &'s str,
}

impl Wanted {
    fn terms<'s>(&self, stage: &'s Stage) -> Terms<'s> {
        match self.wish {
            Wish::Grant(grant) => {
                let grant = &stage.grants[grant];
                let kind = stage.applications[grant.application].kind;
                Terms {
                    application: kind.name,
                    engine: kind.connector,
                    attribute: kind.attribute,
                    value: &grant.value,
                    display: &grant.display,
                }
            }
            Wish::Role(role) => {
                let name = &stage.roles[role].name;
                Terms {
                    application: "IIQ",
                    engine: "IIQ",
                    attribute: "assignedRoles",
                    value: name,
                    display: name,
                }
            }
        }
    }
}

/// Somebody, as requests name people.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    /// Id.
    pub(crate) id: String,
    /// Login.
    pub(crate) login: String,
    /// Name for people.
    pub(crate) display: String,
}

/// A request to be written.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// For whom.
    pub(crate) target: Party,
    /// By whom.
    pub(crate) requester: Party,
    /// Login of whoever decides.
    pub(crate) approver: String,
    /// What.
    pub(crate) wanted: Vec<Wanted>,
    /// How far it has come.
    pub(crate) stage: RequestStage,
    /// When asked.
    pub(crate) created: i64,
    /// When it last went on.
    pub(crate) modified: i64,
}

/// Writes a request; its id and those of its items.
pub(crate) fn write(
    stage: &Stage,
    request: &Request,
    ids: &mut Ids,
    rows: &mut Rows,
    dice: &mut Dice,
) -> (String, Vec<String>) {
    let number = ids.count(Kind::Request);
    let id = ids.next(Kind::Request);
    let moved = request.modified > request.created;
    let stamps = Stamps {
        created: request.created,
        modified: moved.then_some(request.modified),
        significant: Some(request.modified),
    };
    let ended = matches!(request.stage, RequestStage::Finished | RequestStage::Rejected);
    let target_class = if number.is_multiple_of(3) { "sailpoint.object.Identity" } else { "Identity" };
    rows.add(
        Row::object("spt_identity_request", id.as_str(), stamps)
            .text("name", format!("{:010}", number + 1))
            .text("type", "AccessRequest")
            .text("source", "LCM")
            .text("state", request.stage.step())
            .text("target_id", request.target.id.as_str())
            .text("target_display_name", request.target.display.as_str())
            .text("target_class", target_class)
            .text("requester_id", request.requester.id.as_str())
            .text("requester_display_name", request.requester.display.as_str())
            .text("priority", *dice.pick(&["Normal", "Normal", "High"]))
            .text("completion_status", request.stage.completion())
            .text("execution_status", request.stage.execution())
            .maybe_int("end_date", ended.then_some(request.modified))
            .maybe_int("verified", (request.stage == RequestStage::Finished).then_some(request.modified))
            .flag("has_messages", request.stage == RequestStage::Rejected)
            .text("attributes", attributes(stage, request)),
    );
    let items = request
        .wanted
        .iter()
        .enumerate()
        .map(|(idx, wanted)| {
            let item = ids.next(Kind::RequestItem);
            rows.add(item_row(stage, request, &id, &item, idx, wanted, stamps));
            item
        })
        .collect();
    (id, items)
}

fn item_row(
    stage: &Stage,
    request: &Request,
    request_id: &str,
    item: &str,
    idx: usize,
    wanted: &Wanted,
    stamps: Stamps,
) -> Row {
    let terms = wanted.terms(stage);
    let comment = Xml::LongText(format!("Please, for {}.", request.target.display));
    Row::object("spt_identity_request_item", item, stamps)
        .text("identity_request_id", request_id)
        .int("idx", i64::try_from(idx).unwrap_or(0))
        .text("application", terms.application)
        .text("native_identity", wanted.native_identity.as_str())
        .text("name", terms.attribute)
        .text("value", terms.value)
        .text("display_name", terms.display)
        .text("operation", "Add")
        .text("owner_name", request.approver.as_str())
        .maybe_text(
            "approver_name",
            (request.stage != RequestStage::Pending).then_some(request.approver.as_str()),
        )
        .text("approval_state", request.stage.approval())
        .maybe_text("provisioning_state", request.stage.provisioning())
        .text("provisioning_engine", terms.engine)
        .int("retries", 0)
        .text("attributes", xml::attributes(&[("requesterComments".to_owned(), comment)]))
}

fn attributes(stage: &Stage, request: &Request) -> String {
    xml::attributes(&[
        ("approvalSummaries".to_owned(), Xml::List(vec![Xml::Element(approval_summary(stage, request))])),
        ("flow".to_owned(), Xml::text("AccessRequest")),
        ("interface".to_owned(), Xml::text("LCM")),
        ("messages".to_owned(), Xml::List(Vec::new())),
    ])
}

/// The summary of approvals as a request carries it.
pub(crate) fn approval_summary(stage: &Stage, request: &Request) -> String {
    let state = request.stage.approval();
    let items: String = request
        .wanted
        .iter()
        .map(|wanted| {
            let terms = wanted.terms(stage);
            format!(
                "<ApprovalItem application=\"{}\" name=\"{}\" nativeIdentity=\"{}\" operation=\"Add\" state=\"{state}\" \
                 value=\"{}\"/>",
                escape_attribute(terms.application),
                terms.attribute,
                escape_attribute(&wanted.native_identity),
                escape_attribute(terms.value)
            )
        })
        .collect();
    format!(
        "<ApprovalSummary owner=\"{}\" state=\"{state}\"><ApprovalSet>{items}</ApprovalSet></ApprovalSummary>",
        escape_attribute(&request.approver)
    )
}
