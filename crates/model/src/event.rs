//! Events: one change between two captures of an object, for the timeline.

use serde_json::Value;

/// Which of the four event tables an event stands in. Accounts and entitlements have none of their own: what happens
/// to them is an event of their identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventTable {
    /// `spt_hist_identity_event`.
    Identity,
    /// `spt_hist_mattr_event`: managed attributes.
    Mattr,
    /// `spt_hist_role_event`.
    Role,
    /// `spt_hist_workgroup_event`.
    Workgroup,
}

impl EventTable {
    /// All of them.
    pub const ALL: [EventTable; 4] = [Self::Identity, Self::Mattr, Self::Role, Self::Workgroup];
}

/// An event to be written. Columns that its table lacks are left out; texts longer than their column are cut.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Where it goes.
    pub table: EventTable,
    /// Its id, 32 hex digits.
    pub id: String,
    /// When history learned of it, epoch milliseconds (`created`).
    pub recorded_ms: i64,
    /// When it happened in the identity system, epoch milliseconds.
    pub event_date_ms: i64,
    /// Id in the identity system of the object on whose timeline it stands.
    pub entity_id: String,
    /// That object's name; in the table of managed attributes its display name.
    pub entity_name: String,
    /// The capture before the change; none for the first one.
    pub prev_capture_id: Option<String>,
    /// The capture after the change.
    pub capture_id: Option<String>,
    /// `Identity`, `Account`, ...
    pub category: &'static str,
    /// `IdentityDiscovered`, `EntitlementAdded`, ...
    pub event_type: &'static str,
    /// What made it, e.g. `INITIAL_CAPTURE`.
    pub source_type: &'static str,
    /// Whatever else describes it.
    pub detail: Option<Value>,
    /// The image's field that changed.
    pub property_name: Option<String>,
    /// Its value before, as text or JSON.
    pub old_value: Option<String>,
    /// Its value after, as text or JSON.
    pub new_value: Option<String>,
    /// The account that it concerns.
    pub account: Option<AccountColumns>,
    /// Item of an access request that brought it about.
    pub request_item_id: Option<String>,
    /// That item's request.
    pub identity_request_id: Option<String>,
    /// Item of an access request that is still under way.
    pub pending_request_item_id: Option<String>,
    /// The entitlement that it concerns.
    pub identity_entitlement_id: Option<String>,
    /// `qry_property1` to `qry_property10`: what a search of the timeline compares with.
    pub qry: [Option<String>; 10],
}

/// The account columns of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountColumns {
    /// Id of the account.
    pub account_id: Option<String>,
    /// Instance of its application.
    pub app_instance: Option<String>,
    /// Id of its application.
    pub app_id: Option<String>,
    /// Its name in the application.
    pub native_id: Option<String>,
    /// Name of its application.
    pub app_name: Option<String>,
    /// As people call it.
    pub display_name: Option<String>,
}
