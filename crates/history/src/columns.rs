//! Which column of the `spt_hist_*` tables is filled from which field of an image (IIQ-19).
//!
//! Data only. What is not listed here is filled from no image: `description.rs` says from what, or why it is null.

use annals_model::ObjectType;

use crate::schema::CERTIFICATION_CAPTURE;

/// Where the captures of one object type go.
#[derive(Debug)]
pub(crate) struct CaptureTable {
    /// Table of the captures. The reference has none for certifications, but only the entity table with the newest
    /// state; their past is kept in a table of ours.
    pub table: &'static str,
    /// Column of the object's id.
    pub object_id: &'static str,
    /// Column of the object's name.
    pub object_name: Option<&'static str>,
    /// The table has `identity_id` and `identity_name`, both not null: the identity that the object belongs to.
    pub identity: bool,
    /// Columns filled from the image, null where it has no such field.
    pub columns: &'static [Mapped],
    /// Tables of child rows.
    pub children: &'static [ChildTable],
    /// The table with one row an object, holding its newest state.
    pub entity: Option<EntityTable>,
}

/// One column and the field that fills it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped {
    /// Column.
    pub column: &'static str,
    /// Field of the image (or of a collection's element): member names parted by dots, a number being the
    /// position in a list.
    pub path: &'static str,
    /// The first part of the path.
    pub field: &'static str,
    /// The rest of it.
    pub inside: &'static str,
    /// Field that fills it where the first is null.
    pub fallback: Option<&'static str>,
    /// How the value is written.
    pub kind: Kind,
}

/// How a value is written into a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text of at most so many characters: longer values are cut, the document keeps the whole.
    Text(usize),
    /// A whole number.
    Int,
    /// 0 or 1.
    Flag,
    /// Epoch milliseconds.
    Time,
}

/// Child rows of a capture: (capture id, position) and what fills the rest.
#[derive(Debug)]
pub(crate) struct ChildTable {
    /// Table.
    pub table: &'static str,
    /// Column of the capture's id; the position is always `idx`, from 0.
    pub parent: &'static str,
    /// Field of the image that holds the collection.
    pub field: &'static str,
    /// Columns filled from each element.
    pub columns: &'static [Mapped],
}

/// The table with one row an object.
#[derive(Debug)]
pub(crate) struct EntityTable {
    /// Table.
    pub table: &'static str,
    /// Column of the object's id.
    pub id: &'static str,
    /// Column of the object's name.
    pub name: Option<&'static str>,
    /// The table has a column `deleted`.
    pub deleted: bool,
    /// Columns filled from the image.
    pub columns: &'static [Mapped],
}

/// A path is parted here, once, and not for each row.
const fn mapped(column: &'static str, path: &'static str, kind: Kind) -> Mapped {
    let bytes = path.as_bytes();
    let mut dot = 0;
    while dot < bytes.len() && bytes[dot] != b'.' {
        dot += 1;
    }
    let (field, rest) = path.split_at(dot);
    let inside = if rest.is_empty() { rest } else { rest.split_at(1).1 };
    Mapped { column, path, field, inside, fallback: None, kind }
}

const fn text(column: &'static str, path: &'static str, chars_max: usize) -> Mapped {
    mapped(column, path, Kind::Text(chars_max))
}

const fn int(column: &'static str, path: &'static str) -> Mapped {
    mapped(column, path, Kind::Int)
}

const fn flag(column: &'static str, path: &'static str) -> Mapped {
    mapped(column, path, Kind::Flag)
}

const fn time(column: &'static str, path: &'static str) -> Mapped {
    mapped(column, path, Kind::Time)
}

/// The tables of an object type.
pub(crate) fn capture_table(object_type: ObjectType) -> &'static CaptureTable {
    match object_type {
        ObjectType::Identity => &IDENTITY,
        ObjectType::Account => &ACCOUNT,
        ObjectType::Role => &ROLE,
        ObjectType::Entitlement => &ENTITLEMENT,
        ObjectType::ManagedAttribute => &MANAGED_ATTRIBUTE,
        ObjectType::Certification => &CERTIFICATION,
        ObjectType::CertificationRemediation => &CERTIFICATION_REMEDIATION,
        ObjectType::IdentityRequest => &IDENTITY_REQUEST,
        ObjectType::IdentityRequestItem => &IDENTITY_REQUEST_ITEM,
        ObjectType::PolicyViolation => &POLICY_VIOLATION,
        ObjectType::PolicyViolationRemediation => &POLICY_VIOLATION_REMEDIATION,
        ObjectType::Capability => &CAPABILITY,
        ObjectType::Workgroup => &WORKGROUP,
        ObjectType::ObjectConfig => &OBJECT_CONFIG,
    }
}

static IDENTITY: CaptureTable = CaptureTable {
    table: "spt_hist_identity_capture",
    object_id: "identity_id",
    object_name: Some("identity_name"),
    identity: false,
    columns: &[
        text("manager_id", "manager.id", 32),
        text("display_name", "displayName", 128),
        text("firstname", "firstname", 128),
        text("lastname", "lastname", 128),
        text("email", "email", 128),
        flag("manager_status", "managerStatus"),
        flag("inactive", "inactive"),
        text("type", "type", 128),
    ],
    children: &[
        ChildTable {
            table: "spt_hist_accounts",
            parent: "capture_id",
            field: "accounts",
            columns: &[text("account_id", "id", 255)],
        },
        ChildTable {
            table: "spt_hist_entitlements",
            parent: "capture_id",
            field: "entitlements",
            columns: &[text("identity_entitlement_id", "id", 255)],
        },
        ChildTable {
            table: "spt_hist_assigned_roles",
            parent: "capture_id",
            field: "assignedRoles",
            columns: &[text("role_id", "id", 255)],
        },
        ChildTable {
            table: "spt_hist_detected_roles",
            parent: "capture_id",
            field: "detectedRoles",
            columns: &[text("role_id", "id", 255)],
        },
        ChildTable {
            table: "spt_hist_policy_violations",
            parent: "capture_id",
            field: "policyViolations",
            columns: &[text("policy_violation_id", "id", 255)],
        },
    ],
    entity: Some(EntityTable {
        table: "spt_hist_identity",
        id: "identity_id",
        name: Some("name"),
        deleted: true,
        columns: &[
            text("display_name", "displayName", 128),
            text("lastname", "lastname", 128),
            text("firstname", "firstname", 128),
            text("email", "email", 128),
        ],
    }),
};

static ACCOUNT: CaptureTable = CaptureTable {
    table: "spt_hist_account_capture",
    object_id: "account_id",
    object_name: None,
    identity: true,
    columns: &[
        text("application_name", "application.name", 128),
        // IdentityIQ calls displayable what stands in for a display name that is missing.
        Mapped { fallback: Some("nativeIdentity"), ..text("displayable_name", "displayName", 128) },
    ],
    children: &[],
    entity: None,
};

static ROLE: CaptureTable = CaptureTable {
    table: "spt_hist_role_capture",
    object_id: "role_id",
    object_name: Some("role_name"),
    identity: false,
    columns: &[text("type", "type", 128), text("owner_id", "owner.id", 32)],
    children: &[],
    entity: Some(EntityTable {
        table: "spt_hist_role",
        id: "role_id",
        name: Some("name"),
        deleted: true,
        columns: &[text("display_name", "displayName", 128)],
    }),
};

static ENTITLEMENT: CaptureTable = CaptureTable {
    table: "spt_hist_entitlement_capture",
    object_id: "identity_entitlement_id",
    object_name: None,
    identity: true,
    columns: &[
        text("application_id", "application.id", 32),
        text("application_name", "application.name", 128),
        text("native_identity", "nativeIdentity", 450),
        text("instance", "instance", 128),
        text("display_value", "displayName", 450),
        text("type", "type", 128),
        text("attribute_name", "name", 255),
        text("attribute_value", "value", 450),
        flag("granted_by_role", "grantedByRole"),
        text("role_id", "roles.0.id", 32),
        text("request_item_id", "requestItemId", 32),
        text("pending_request_item_id", "pendingRequestItemId", 32),
        text("certification_item_id", "certificationItemId", 32),
    ],
    children: &[],
    entity: None,
};

static MANAGED_ATTRIBUTE: CaptureTable = CaptureTable {
    table: "spt_hist_mattr_capture",
    object_id: "mattr_id",
    object_name: None,
    identity: false,
    columns: &[
        // Not null: a capture without it (a deletion) takes the entity row's.
        text("mattr_hash", "hash", 128),
        text("display_name", "displayableName", 128),
        text("application_name", "application.name", 128),
        text("application_id", "application.id", 32),
        text("type", "type", 128),
        text("attribute_name", "attribute", 255),
        text("attribute_value", "value", 450),
    ],
    children: &[],
    entity: Some(EntityTable {
        table: "spt_hist_mattr",
        id: "mattr_id",
        name: None,
        deleted: true,
        columns: &[
            // Not null.
            text("mattr_hash", "hash", 128),
            text("display_name", "displayableName", 128),
        ],
    }),
};

static CERTIFICATION: CaptureTable = CaptureTable {
    table: CERTIFICATION_CAPTURE,
    object_id: "cert_id",
    object_name: Some("cert_name"),
    identity: false,
    columns: &[],
    children: &[],
    entity: Some(EntityTable {
        table: "spt_hist_certification",
        id: "cert_id",
        name: Some("cert_name"),
        deleted: false,
        columns: &[
            text("cert_type", "type", 64),
            text("cert_display_name", "shortName", 128),
            time("finished", "finished"),
            time("signed", "signed"),
        ],
    }),
};

static CERTIFICATION_REMEDIATION: CaptureTable = CaptureTable {
    table: "spt_hist_cert_remediation_capture",
    object_id: "certification_item_id",
    object_name: None,
    identity: true,
    columns: &[
        text("certification_item_type", "type", 255),
        text("certification_item_sub_type", "subType", 255),
        text("exception_application", "exceptionApplication", 128),
        text("exception_attribute_name", "exceptionAttributeName", 255),
        text("exception_attribute_value", "exceptionAttributeValue", 450),
        text("exception_native_identity", "exceptionNativeIdentity", 322),
        text("bundle_id", "bundle.id", 32),
        text("bundle_name", "bundle.name", 128),
        text("bundle_assignment_id", "bundleAssignmentId", 40),
    ],
    children: &[ChildTable {
        table: "spt_hist_role_remediation_entitlements",
        parent: "cert_remediation_capture",
        field: "roleEntitlements",
        columns: &[
            text("application", "applicationName", 128),
            text("application_id", "applicationId", 32),
            text("entitlement_name", "name", 255),
            text("entitlement_value", "value", 450),
        ],
    }],
    entity: None,
};

static IDENTITY_REQUEST: CaptureTable = CaptureTable {
    table: "spt_hist_identity_req_capture",
    object_id: "identity_request_id",
    object_name: None,
    identity: true,
    columns: &[
        text("type", "type", 128),
        time("end_date", "endDate"),
        text("requester_id", "requesterId", 32),
        text("requester_display_name", "requesterDisplayName", 255),
    ],
    children: &[],
    entity: None,
};

static IDENTITY_REQUEST_ITEM: CaptureTable = CaptureTable {
    table: "spt_hist_identity_req_item_capture",
    object_id: "identity_request_item_id",
    object_name: None,
    identity: true,
    columns: &[
        text("identity_entitlement_id", "attributes.identityEntitlementId", 32),
        text("native_identity", "nativeIdentity", 450),
        text("name", "name", 255),
        text("value", "value", 450),
        text("identity_request_id", "identityRequest.id", 32),
        text("type", "identityRequest.type", 128),
        text("application_name", "application.name", 128),
        text("operation", "operation", 128),
        text("owner_name", "ownerName", 128),
        text("approver_name", "approverName", 128),
        text("requester_name", "requester.name", 128),
        text("requester_id", "requester.id", 32),
        text("assignment_id", "attributes.assignmentId", 40),
        text("provisioning_state", "provisioningState", 128),
        text("approval_state", "approvalState", 128),
        text("compilation_status", "compilationStatus", 128),
        int("idx", "idx"),
    ],
    children: &[],
    entity: None,
};

static POLICY_VIOLATION: CaptureTable = CaptureTable {
    table: "spt_hist_policy_violation_capture",
    object_id: "policy_violation_id",
    object_name: None,
    identity: true,
    columns: &[
        flag("active", "active"),
        text("policy_id", "policyId", 255),
        text("policy_name", "policyName", 255),
        text("constraint_id", "constraintId", 255),
        text("constraint_name", "constraintName", 255),
        text("status", "status", 255),
    ],
    children: &[],
    entity: None,
};

static POLICY_VIOLATION_REMEDIATION: CaptureTable = CaptureTable {
    table: "spt_hist_policy_violation_remediation_capture",
    object_id: "identity_history_item_id",
    object_name: None,
    identity: true,
    columns: &[
        text("certification_item_type", "certificationType", 255),
        text("policy_name", "policyName", 255),
        text("constraint_name", "constraintName", 255),
    ],
    children: &[
        ChildTable {
            table: "spt_hist_policy_violation_remediation_bundle_ids",
            parent: "capture_id",
            field: "bundles",
            columns: &[text("bundle_id", "id", 255)],
        },
        ChildTable {
            table: "spt_hist_policy_violation_remediation_entitlements",
            parent: "policy_violation_remediation_ent",
            field: "entitlements",
            columns: &[
                text("application", "applicationName", 255),
                text("application_id", "applicationId", 255),
                text("entitlement_name", "name", 255),
                text("entitlement_value", "value", 255),
                text("entitlement_display_value", "displayValue", 255),
            ],
        },
    ],
    entity: None,
};

static CAPABILITY: CaptureTable = CaptureTable {
    table: "spt_hist_capability_capture",
    object_id: "capability_id",
    object_name: Some("capability_name"),
    identity: false,
    columns: &[],
    children: &[],
    entity: Some(EntityTable {
        table: "spt_hist_capability",
        id: "capability_id",
        name: Some("name"),
        deleted: true,
        columns: &[text("description", "description", 1024), text("display_name", "displayName", 128)],
    }),
};

static WORKGROUP: CaptureTable = CaptureTable {
    table: "spt_hist_workgroup_capture",
    object_id: "workgroup_id",
    object_name: Some("workgroup_name"),
    identity: false,
    columns: &[
        text("display_name", "displayName", 128),
        text("email", "email", 128),
        flag("inactive", "inactive"),
    ],
    children: &[],
    entity: Some(EntityTable {
        table: "spt_hist_workgroup",
        id: "workgroup_id",
        name: Some("name"),
        deleted: true,
        columns: &[
            text("display_name", "displayName", 128),
            text("description", "description", 1024),
            text("email", "email", 128),
        ],
    }),
};

static OBJECT_CONFIG: CaptureTable = CaptureTable {
    table: "spt_hist_object_config_capture",
    object_id: "object_config_id",
    object_name: Some("object_config_name"),
    identity: false,
    columns: &[],
    children: &[],
    entity: None,
};
