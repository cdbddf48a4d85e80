//! What a page says that stands in no file: what the object is, what a reader must know, which events it makes.

use annals_model::ObjectType;

/// What is said of an object type.
pub(super) struct About {
    /// What it is, a sentence or two.
    pub(super) what: &'static str,
    /// What else a reader must know.
    pub(super) notes: &'static [&'static str],
    /// Event types, and when each is made; empty for types that make none.
    pub(super) events: &'static [(&'static [&'static str], &'static str)],
    /// Why there are no events, for those.
    pub(super) no_events: &'static str,
}

const fn about(what: &'static str) -> About {
    About { what, notes: &[], events: &[], no_events: "" }
}

pub(super) fn of(object_type: ObjectType) -> About {
    match object_type {
        ObjectType::Identity => IDENTITY,
        ObjectType::Account => ACCOUNT,
        ObjectType::Role => ROLE,
        ObjectType::Entitlement => ENTITLEMENT,
        ObjectType::ManagedAttribute => MANAGED_ATTRIBUTE,
        ObjectType::Certification => CERTIFICATION,
        ObjectType::CertificationRemediation => CERTIFICATION_REMEDIATION,
        ObjectType::IdentityRequest => IDENTITY_REQUEST,
        ObjectType::IdentityRequestItem => IDENTITY_REQUEST_ITEM,
        ObjectType::PolicyViolation => POLICY_VIOLATION,
        ObjectType::PolicyViolationRemediation => POLICY_VIOLATION_REMEDIATION,
        ObjectType::Capability => CAPABILITY,
        ObjectType::Workgroup => WORKGROUP,
        ObjectType::ObjectConfig => OBJECT_CONFIG,
    }
}

const IDENTITY: About = About {
    notes: &[
        "`accounts`, `entitlements`, `assignedRoles` and `detectedRoles` say what the person has; each of these has an object and a \
         history of its own, found by its id.",
        "`roleAssignments` are the rows of `spt_identity_entitlement` that stand for roles: how the person came by a role. \
         `assignedRoles` and `detectedRoles` are the roles themselves.",
        "Which certification last looked at an entitlement or role, its own object says.",
        "`externalAttributes` are searchable attributes with several values.",
    ],
    events: &[
        (&["IdentityDiscovered"], "the first capture, also the first one after a deletion"),
        (&["IdentityDeleted"], "the identity is gone"),
        (&["IdentityStatusChanged"], "`inactive` differs"),
        (
            &["IdentityChanged"],
            "another field or attribute differs, one event each; an element of another set came, went or differs",
        ),
        (&["AccountAdded", "AccountRemoved"], "an element of `accounts` came or went"),
        (&["EntitlementAdded", "EntitlementRemoved"], "an element of `entitlements` came or went"),
        (&["AssignedRoleAdded", "AssignedRoleRemoved"], "an element of `assignedRoles` came or went"),
        (&["DetectedRoleAdded", "DetectedRoleRemoved"], "an element of `detectedRoles` came or went"),
    ],
    ..about(
        "A person, or what else has an identity. Workgroups, which lie in the same table, are objects of their own type.",
    )
};

const ACCOUNT: About = About {
    notes: &[
        "Before release 8.3 `iiqDisabled` and `iiqLocked` are null; look at `IIQDisabled` and `IIQLocked` in `attributes`.",
        "`entitlements` says whether the account has any.",
    ],
    events: &[(
        &["AccountChanged"],
        "a field or attribute differs, on the timeline of the account's identity",
    )],
    ..about("An account of an identity in an application. That it came or went is told by its identity.")
};

const ROLE: About = About {
    notes: &[
        "`inheritance` are the roles that this one inherits from.",
        "`profileRelations` are the entitlements that IdentityIQ worked out of the profiles of the role and its parents. Where one \
         is taken off a parent, the role shows it when it is next read.",
    ],
    events: &[
        (&["RoleDiscovered"], "the first capture, also the first one after a deletion"),
        (&["RoleChanged"], "a field or attribute differs; an element of a set came, went or differs"),
        (&["RoleDeleted"], "the role is gone"),
    ],
    ..about("A role: what it requires, permits and inherits, and which entitlements its profiles stand for.")
};

const ENTITLEMENT: About = About {
    notes: &[
        "Roles that a person holds are rows of this table too: `name` is `assignedRoles` or `detectedRoles`, `value` the role's name. \
         Only these have anything in `roles`.",
        "`attributes` names the roles that granted it.",
    ],
    no_events: "that an entitlement came, went or differs is told by its identity.",
    ..about("One entitlement that one person holds.")
};

const MANAGED_ATTRIBUTE: About = About {
    notes: &["`inheritance` are the groups that this one is in."],
    events: &[
        (&["ManagedAttributeDiscovered"], "the first capture, also the first one after a deletion"),
        (
            &["ManagedAttributeChanged"],
            "a field or attribute differs; an element of a set came, went or differs",
        ),
        (&["ManagedAttributeDeleted"], "the managed attribute is gone"),
    ],
    ..about(
        "An entry of the entitlement catalogue: a value of an attribute, or a permission, of an application.",
    )
};

const CERTIFICATION: About = About {
    notes: &[
        "Its items stay out, for a large certification has a hundred thousand of them; those that take access away are \
         certificationRemediation objects.",
        "The reference keeps the newest state of a certification only. Annals keeps the past in a table of its own, \
         `annals_certification_capture`.",
        "That IdentityIQ archives and purges old certifications undoes nothing, and the reference has no column for it. So deletions \
         are not looked for, and what is gone stays in history as it was.",
    ],
    no_events: "what a certification leads to is told by its certificationRemediation objects.",
    ..about("An access review as a whole.")
};

const CERTIFICATION_REMEDIATION: About = About {
    notes: &[
        "Approved items are no remediations and stay out. Items about policy violations are policyViolationRemediation objects.",
        "History files a remediation under the person who lost something. IdentityIQ keeps that person by name in \
         `spt_certification_entity.identity_id`. Where the certified entity is a role, a data owner's entitlement or an account group, \
         no such person is named and the item stays out; what its members lose is told by their identities.",
        "`roleEntitlements` are those of the role in `bundle` at the time of reading.",
    ],
    events: &[(
        &["GovernanceEvent"],
        "the decision is captured first, or is another one than before; `qry_property9` is `Certification`",
    )],
    ..about("An item of a certification whose decision takes access away from a person, or changes it.")
};

const IDENTITY_REQUEST: About = About {
    notes: &["A request that is to create an identity has no `target_id` yet, and appears when that exists."],
    no_events: "requests are told by their items.",
    ..about("An access request as a whole. It belongs to the identity that it is about.")
};

const IDENTITY_REQUEST_ITEM: About = About {
    notes: &["`attributes` holds `assignmentId` and `identityEntitlementId`."],
    events: &[(
        &["GovernanceEvent"],
        "the item is captured first, or reaches another final state; `qry_property9` is `AccessRequest`",
    )],
    ..about("One item of an access request. It belongs to the identity that the request is about.")
};

const POLICY_VIOLATION: About = About {
    events: &[
        (
            &["GovernanceEvent"],
            "the violation is active for the first time, or again; `qry_property9` is `PolicyViolation`",
        ),
        (&["PolicyViolationMitigated"], "`status` became `Mitigated`"),
    ],
    ..about("A violation of a policy by a person.")
};

const POLICY_VIOLATION_REMEDIATION: About = About {
    notes: &[
        "`certificationType` is the type of the item decided upon.",
        "`bundles` and `entitlements` are the role and the entitlement that the row itself names, none or one of each; what a \
         decision names beyond these stands in `certifiableDescriptor` and `action`.",
    ],
    events: &[
        (
            &["GovernanceEvent"],
            "the decision is captured first, or is another one than before; `qry_property9` is `PolicyViolation`",
        ),
        (
            &["PolicyViolationMitigated"],
            "the same, where the decision is `Mitigated`; the shipped profile does not read these",
        ),
    ],
    ..about(
        "A decision to take away what violates a policy, as it stands in the history that IdentityIQ keeps of the person.",
    )
};

const CAPABILITY: About = About {
    notes: &["`inheritance` are the capabilities that this one includes."],
    no_events: "IdentityIQ has no table for any. That a person gained or lost a capability is told by the identity.",
    ..about("A capability: a set of rights in IdentityIQ itself.")
};

const WORKGROUP: About = About {
    notes: &[
        "IdentityIQ has no class for workgroups; `sailpoint.object.Workgroup` is our name. It notes a deleted workgroup as a deleted \
         identity, and Annals tells the two apart by what history has.",
        "When somebody leaves, IdentityIQ saves the person and not the workgroup, and no row connects the two any more: the leaver's \
         own image shows it at once, the workgroup's when it is next read.",
    ],
    events: &[
        (&["WorkgroupDiscovered"], "the first capture, also the first one after a deletion"),
        (&["WorkgroupChanged"], "a field or attribute differs; an element of a set came, went or differs"),
        (&["WorkgroupDeleted"], "the workgroup is gone"),
    ],
    ..about("A workgroup and its members.")
};

const OBJECT_CONFIG: About = About {
    no_events: "IdentityIQ has no table for any.",
    ..about("The attribute definitions of a class, such as `Identity` or `Link`.")
};
