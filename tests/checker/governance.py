"""What else is read: definitions, access requests, certifications, policy violations. See objects.py."""

from objects import (
    ABOUT_IDENTITIES, ACCOUNT, ENTITLEMENT, IDENTITY, MANAGED_ATTRIBUTE, ROLE, TAKEN_AWAY, WORKGROUP,
    Set, Type, changed, columns, members, reference,
)

OBJECT_CONFIG = Type(
    "objectConfig", "spt_object_config", "ObjectConfig",
    columns("name") + columns("created", "time") + columns("objectAttributes configAttributes", "xml"),
)

CAPABILITY = Type(
    "capability", "spt_capability", "Capability",
    columns("name displayName description") + columns("created", "time") + columns("appliesToAnalyzer", "flag")
    + [reference("owner", ("b.owner", "owner.name"))],
    joins="left join spt_identity owner on owner.id = b.owner",
    sets=[members("rights", "spt_capability_rights", "capability_id", "right_id", "spt_right"),
          members("inheritance", "spt_capability_children", "capability_id", "child_id", "spt_capability")],
)

IDENTITY_REQUEST = Type(
    "identityRequest", "spt_identity_request", "IdentityRequest",
    columns("name type state source targetId targetClass targetDisplayName requesterId requesterDisplayName priority"
            " completionStatus executionStatus externalTicketId")
    + columns("created endDate verified", "time") + columns("hasMessages", "flag")
    + [reference("owner", ("b.owner", "owner.name"))] + columns("attributes", "xml"),
    where=ABOUT_IDENTITIES.replace("r.", "b."), owner=("b.target_id", "person.name"),
    joins="left join spt_identity person on person.id = b.target_id left join spt_identity owner on owner.id = b.owner",
    sets=[Set("items", "spt_identity_request_item c", "c.identity_request_id",
              columns("id operation", alias="c") + [("applicationName", "c.application", "plain")]
              + columns("nativeIdentity name value approvalState provisioningState", alias="c"), ("id",))],
    qualifies=[f"select c.identity_request_id, {changed('c')} from spt_identity_request_item c"],
)

IDENTITY_REQUEST_ITEM = Type(
    "identityRequestItem", "spt_identity_request_item", "IdentityRequestItem",
    [reference("identityRequest", ("b.identity_request_id", "r.name", "r.type"), ("id", "name", "type")),
     reference("requester", ("r.requester_id", "requester.name")),
     reference("application", ("b.application", "app.id"), ("name", "id"))]
    + columns("idx operation instance nativeIdentity name value displayName annotation ownerName approverName"
              " approvalState provisioningState provisioningEngine compilationStatus expansionCause retries")
    + columns("created startDate endDate", "time") + columns("attributes", "xml"),
    title=None, where=ABOUT_IDENTITIES, owner=("r.target_id", "person.name"),
    joins="left join spt_identity_request r on r.id = b.identity_request_id"
          " left join spt_identity person on person.id = r.target_id"
          " left join spt_identity requester on requester.id = r.requester_id"
          " left join spt_application app on app.name = b.application",
    sets=[Set("attachments",
              "spt_identity_req_item_attach c left join spt_attachment o on o.id = c.attachment_id",
              "c.identity_request_item_id", [("id", "c.attachment_id", "plain"), ("name", "o.name", "plain"),
                                             ("description", "o.description", "plain")], ("id",))],
    qualifies=[f"select c.id, {changed('r')} from spt_identity_request_item c"
               " join spt_identity_request r on r.id = c.identity_request_id"],
    insignificant=frozenset(("retries",)),
)

COUNTS = ("totalEntities completedEntities percentComplete totalItems completedItems itemPercentComplete"
          " remediationsKickedOff remediationsCompleted")

CERTIFICATION = Type(
    "certification", "spt_certification", "Certification",
    columns("name shortName description type phase creator groupDefinitionId groupDefinitionName triggerId approverRule"
            " entitlementGranularity comments")
    + columns("created activated expiration automaticClosingDate nextPhaseTransition finished signed", "time")
    + columns("complete completeHierarchy continuous excludeInactive immutable electronicallySigned bulkReassignment"
              " processRevokesImmediately", "flag")
    + [("selfCertificationReassignment", "b.self_cert_reassignment", "flag"),
       reference("application", ("b.application_id", "app.name")),
       reference("certificationDefinition", ("b.certification_definition_id", "definition.name")),
       reference("parent", ("b.parent", "above.name")), reference("owner", ("b.owner", "owner.name")),
       reference("manager", ("b.manager", "superior.id"), ("name", "id"))]
    + columns(COUNTS) + columns("attributes", "xml"),
    joins="left join spt_application app on app.id = b.application_id"
          " left join spt_certification_definition definition on definition.id = b.certification_definition_id"
          " left join spt_certification above on above.id = b.parent left join spt_identity owner on owner.id = b.owner"
          " left join spt_identity superior on superior.name = b.manager",
    sets=[
        Set("certifiers", "spt_certifiers c left join spt_identity p on p.name = c.certifier", "c.certification_id",
            [("name", "c.certifier", "plain"), ("id", "p.id", "plain")], ("name",)),
        Set("groups", "spt_certification_groups c left join spt_certification_group g on g.id = c.group_id",
            "c.certification_id",
            [("id", "c.group_id", "plain"), ("name", "g.name", "plain"), ("type", "g.type", "plain")], ("id",)),
        Set("tags", "spt_certification_tags c", "c.certification_id", [("", "c.elt", "plain")], plain=True),
        Set("signOffs", "spt_sign_off_history c", "c.certification_id",
            columns("id", alias="c") + columns("signDate", "time", "c")
            + columns("signerId signerName signerDisplayName application account text", alias="c")
            + columns("electronicSign", "flag", "c"), ("id",)),
    ],
    qualifies=[f"select c.certification_id, {changed('c')} from spt_sign_off_history c"],
    insignificant=frozenset(COUNTS.split()), deletions=False,
)

REMEDIATED = f"d.status in {TAKEN_AWAY} and b.type <> 'PolicyViolation' and person.id is not null"
THROUGH_ENTITY = ("spt_certification_entity entity on entity.id = b.certification_entity_id"
                  " left join spt_identity person on person.name = entity.identity_id")

CERTIFICATION_REMEDIATION = Type(
    "certificationRemediation", "spt_certification_item", "CertificationItem",
    [reference("certification", ("entity.certification_id", "cert.name")),
     reference("identity", ("person.id", "person.name")), reference("bundle", ("b.bundle", "role.id"), ("name", "id"))]
    + columns("type subType summaryStatus phase targetId targetName targetDisplayName bundleAssignmentId recommendValue"
              " exceptionApplication exceptionAttributeName exceptionAttributeValue exceptionPermissionTarget"
              " exceptionPermissionRight")
    + columns("created", "time") + columns("iiqElevatedAccess", "flag")
    + [("exceptionInstance", "snapshot.instance", "plain"),
       ("exceptionNativeIdentity", "snapshot.native_identity", "plain"),
       ("exceptionAccountDisplayName", "snapshot.display_name", "plain"),
       ("exceptionEntitlements", "snapshot.attributes", "xml"), ("remediationOwnerName", "d.owner_name", "plain")]
    + columns("status actorName actorDisplayName comments remediationAction completionState completionUser"
              " completionComments", alias="d")
    + columns("decisionDate", "time", "d") + columns("remediationDetails", "xml", "d")
    + columns("revokeAccount bulkCertified autoDecision remediationKickedOff remediationCompleted", "flag", "d")
    + columns("attributes", "xml"),
    title=None, where=REMEDIATED, owner=("person.id", "person.name"),
    joins="left join spt_certification_action d on d.id = b.action left join " + THROUGH_ENTITY
          + " left join spt_certification cert on cert.id = entity.certification_id"
            " left join spt_bundle role on role.name = b.bundle"
            " left join spt_entitlement_snapshot snapshot on snapshot.id = b.exception_entitlements",
    sets=[
        Set("roleEntitlements",
            "spt_certification_item c join spt_bundle r on r.name = c.bundle join spt_bundle_profile_relation p"
            " on p.bundle_id = r.id left join spt_application a on a.id = p.source_application",
            "c.id",
            [("applicationId", "p.source_application", "plain"), ("applicationName", "a.name", "plain"),
             ("name", "p.attribute", "plain"), ("value", "p.value", "plain"),
             ("displayValue", "p.display_value", "plain")], where="p.attribute is not null"),
        Set("applications", "spt_cert_item_applications c", "c.certification_item_id",
            [("", "c.application_name", "plain")], plain=True),
        Set("classifications", "spt_cert_item_classifications c", "c.certification_item",
            [("", "c.classification_name", "plain")], plain=True),
    ],
    qualifies=[f"select b.id, {changed('d')} from spt_certification_action d join spt_certification_item b"
               f" on b.action = d.id left join {THROUGH_ENTITY} where {REMEDIATED}"],
    deletions=False,
)

POLICY_VIOLATION = Type(
    "policyViolation", "spt_policy_violation", "PolicyViolation",
    [reference("identity", ("b.identity_id", "person.name")), reference("owner", ("b.owner", "owner.name"))]
    + columns("name description status policyId policyName constraintId constraintName activityId mitigator")
    + columns("created", "time") + columns("active", "flag")
    + columns("leftBundles rightBundles bundlesMarkedForRemediation", "list")
    + [("entitlementsMarkedForRemediation", "b.entitlements_marked_for_remed", "plain")] + columns("arguments", "xml"),
    where="b.identity_id is not null", owner=("b.identity_id", "person.name"),
    joins="left join spt_identity person on person.id = b.identity_id left join spt_identity owner on owner.id = b.owner",
)

POLICY_VIOLATION_REMEDIATION = Type(
    "policyViolationRemediation", "spt_identity_history_item", "IdentityHistoryItem",
    [reference("identity", ("b.identity_id", "person.name")), reference("role", ("b.role", "bundle.id"), ("name", "id")),
     reference("application", ("b.application", "app.id"), ("name", "id"))]
    + columns("type certificationType status actor comments instance account nativeIdentity attribute value"
              " constraintName")
    + [("policyName", "b.policy", "plain")] + columns("created entryDate", "time")
    + columns("certifiableDescriptor action certificationLink", "xml"),
    title="b.constraint_name", owner=("b.identity_id", "person.name"),
    where="b.identity_id is not null and b.policy is not null and b.status in ('Remediated', 'Modified')",
    joins="left join spt_identity person on person.id = b.identity_id left join spt_bundle bundle on bundle.name = b.role"
          " left join spt_application app on app.name = b.application",
    sets=[
        Set("bundles", "spt_identity_history_item c join spt_bundle r on r.name = c.role", "c.id",
            [("id", "r.id", "plain"), ("name", "r.name", "plain")], ("id",)),
        Set("entitlements",
            "spt_identity_history_item c left join spt_application a on a.name = c.application left join"
            " spt_managed_attribute m on m.application = a.id and m.attribute = c.attribute and m.value = c.value",
            "c.id",
            [("applicationId", "a.id", "plain"), ("applicationName", "c.application", "plain"),
             ("name", "c.attribute", "plain"), ("value", "c.value", "plain"),
             ("displayValue", "m.displayable_name", "plain")], where="c.attribute is not null"),
    ],
)

TYPES = {
    type_.name: type_
    for type_ in (
        OBJECT_CONFIG, CAPABILITY, WORKGROUP, ROLE, MANAGED_ATTRIBUTE, IDENTITY, ACCOUNT, ENTITLEMENT, IDENTITY_REQUEST,
        IDENTITY_REQUEST_ITEM, CERTIFICATION, CERTIFICATION_REMEDIATION, POLICY_VIOLATION, POLICY_VIOLATION_REMEDIATION,
    )
}
