//! The log of deeds: everything that happened on a day, exact to the row.

use std::collections::BTreeMap;

use annals_model::ObjectType;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deed {
    /// What happened.
    pub kind: DeedKind,
    /// The day on which it happened; the first one is 0.
    pub day: u32,
    /// When, epoch milliseconds: rows that it changed carry this instant.
    pub time_ms: i64,
    /// The person whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Named>,
    /// Every object whose row was made, changed, touched or deleted.
    pub objects: Vec<ObjectChange>,
    /// Other rows that were made, changed or deleted: members of lists, decisions, and so on.
    pub parts: Vec<Part>,
    /// All that it wrote, to the cell and in order: whoever has the rows of the beginning and all writes since has all
    /// rows.
    pub rows: Vec<RowWrite>,
}

/// Cells of a row by column. Those of a new row that are not named are null.
pub type Cells = BTreeMap<String, serde_json::Value>;

/// Rows of one table that were written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "write")]
pub enum RowWrite {
    /// One is new.
    Insert {
        /// Table.
        table: String,
        /// What it holds.
        cells: Cells,
    },
    /// One holds something else.
    Update {
        /// Table.
        table: String,
        /// Id of the row.
        id: String,
        /// What it holds now, as far as that was written.
        cells: Cells,
    },
    /// Those that hold this value in this column are gone.
    Delete {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Value.
        value: String,
    },
}

/// A value of a cell as the log writes it. Worlds hold no bytes.
pub(crate) fn cell(value: &annals_sql::Value) -> serde_json::Value {
    use annals_sql::Value;
    match value {
        Value::Text(Some(text)) => text.as_str().into(),
        Value::Int(Some(number)) => (*number).into(),
        Value::Bool(Some(flag)) => (*flag).into(),
        _ => serde_json::Value::Null,
    }
}

/// Something with an id and a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// What happens in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeedKind {
    /// Somebody was hired: identity, accounts, roles and entitlements.
    Joined,
    /// Department, job, place or manager changed, and with the job the roles.
    Moved,
    /// Somebody left: inactive, accounts disabled.
    Left,
    /// The accounts of somebody who left were removed.
    AccountsRemoved,
    /// The identity of somebody who left was deleted.
    Deleted,
    /// Access was asked for.
    Requested,
    /// A request was approved.
    Approved,
    /// A request was refused.
    Rejected,
    /// What was asked for is there.
    Provisioned,
    /// Certifications of a campaign began.
    CertificationStarted,
    /// A manager decided and signed.
    Certified,
    /// What a certifier decided to take away was taken away.
    Revoked,
    /// All that was decided in a certification is done.
    CertificationEnded,
    /// A role was given by hand.
    RoleGranted,
    /// Somebody holds what does not go together.
    ViolationFound,
    /// A violation was accepted for a while.
    ViolationMitigated,
    /// A violation was ended by taking a role away.
    ViolationRemediated,
    /// The definition of a role changed.
    RoleChanged,
    /// The description of something in the catalogue changed.
    ManagedAttributeChanged,
    /// A capability's description changed.
    CapabilityChanged,
    /// Attribute definitions changed.
    ObjectConfigChanged,
    /// A workgroup's own data changed.
    WorkgroupChanged,
    /// Somebody became a member of a workgroup.
    JoinedWorkgroup,
    /// Somebody is no longer a member of a workgroup.
    LeftWorkgroup,
    /// A capability was given.
    CapabilityGranted,
    /// A capability was taken.
    CapabilityRevoked,
    /// An attribute of an account changed.
    AccountChanged,
    /// Somebody has another name.
    Renamed,
    /// An attribute changed and will change back.
    Strayed,
    /// An attribute changed back: the state is that of before the straying.
    Returned,
    /// An attribute changed and changed back before anybody looked: only the time stamps tell.
    Flickered,
    /// An entitlement was taken away and will come back.
    EntitlementLost,
    /// It came back, as a new row.
    EntitlementRegained,
    /// Only refreshed: `last_refresh` and `modified`.
    Refreshed,
    /// Only logged in: `last_login` and `modified`.
    LoggedIn,
    /// Only read anew from the application: `last_refresh` of the account.
    Aggregated,
    /// The same values in another order, or in another spelling, with `significant_modified` moved.
    Reordered,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// Its type.
    pub object_type: ObjectType,
    /// Its id.
    pub id: String,
    /// What people know it by: an entitlement's value, an account's native identity, else the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What happened.
    pub change: Change,
    /// Which of its time stamps moved.
    pub stamp: Stamp,
    /// Attributes that changed: columns by name, entries of an XML column by `attributes/key`, lists by a name of
    /// their own. Of an object that was made or deleted, the columns that tell what it was and whose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeChange>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It was made. A certification item counts as made when it is decided to take away what it is about.
    Created,
    /// It means something else than before.
    Changed,
    /// Its row changed and it means the same as before.
    Touched,
    /// It is gone, and the interceptor has noted it.
    Deleted,
}

/// Which time stamps of an object's row moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stamp {
    /// `significant_modified`, with `modified`: the object is seen as changed. Before 8.4 there is `modified` alone.
    Significant,
    /// `modified` alone.
    Modified,
    /// None: what changed stands in other rows.
    None,
}

/// An attribute that changed. Of a list, `old` has the members that went and `new` those that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttributeChange {
    /// Which.
    pub attribute: String,
    /// Value before.
    pub old: serde_json::Value,
    /// Value after.
    pub new: serde_json::Value,
}

impl AttributeChange {
    /// A change from one value to another.
    pub(crate) fn new(
        attribute: impl Into<String>,
        old: impl Into<serde_json::Value>,
        new: impl Into<serde_json::Value>,
    ) -> Self {
        Self { attribute: attribute.into(), old: old.into(), new: new.into() }
    }
}

/// A row that is no object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Table.
    pub table: String,
    /// Id of the row; of a member of a list the id of whose list it is.
    pub id: String,
}

/// The type of the objects that a table holds. Certification items and lines of history are objects only when they
/// tell of something taken away.
pub(crate) fn object_type_of(table: &str) -> Option<ObjectType> {
    Some(match table {
        "spt_identity" => ObjectType::Identity,
        "spt_link" => ObjectType::Account,
        "spt_bundle" => ObjectType::Role,
        "spt_identity_entitlement" => ObjectType::Entitlement,
        "spt_managed_attribute" => ObjectType::ManagedAttribute,
        "spt_certification" => ObjectType::Certification,
        "spt_identity_request" => ObjectType::IdentityRequest,
        "spt_identity_request_item" => ObjectType::IdentityRequestItem,
        "spt_policy_violation" => ObjectType::PolicyViolation,
        "spt_capability" => ObjectType::Capability,
        "spt_object_config" => ObjectType::ObjectConfig,
        _ => return None,
    })
}
