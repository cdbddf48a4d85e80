"""What the objects of IdentityIQ are made of: docs/object-types, written down as queries.

A field is (name, expression, form); a form is one of plain, flag, time, xml, list, secret, or a tuple of member names for
a reference, which is nothing where its first member is. Expressions are over the base table `b` and its joins.
"""

import re
from dataclasses import dataclass, field


def snake(name):
    """A column's name from a field's."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def columns(names, form="plain", alias="b"):
    """Fields from columns of the same name."""
    return [(name, f"{alias}.{snake(name)}", form) for name in names.split()]


def reference(name, expressions, members=("id", "name")):
    """A reference, from one expression a member."""
    return (name, expressions, members)


def changed(alias):
    """When a row changed: the first of these that is not null."""
    return f"coalesce({alias}.significant_modified, {alias}.modified, {alias}.created)"


@dataclass
class Set:
    """A collection: child rows, each an element or a plain value, told apart by a key."""

    name: str
    source: str
    parent: str
    element: list
    key: tuple = ()
    plain: bool = False
    where: str = "1 = 1"


@dataclass
class Type:
    """An object type."""

    name: str
    table: str
    class_name: str
    fields: list
    title: str | None = "b.name"
    where: str = "1 = 1"
    joins: str = ""
    # Expressions of id and name of the identity that an object belongs to.
    owner: tuple | None = None
    sets: list = field(default_factory=list)
    # Queries of (id, when changed): rows elsewhere that have an object read again.
    qualifies: list = field(default_factory=list)
    # Fields of which a change alone means nothing.
    insignificant: frozenset = frozenset()
    deletions: bool = True


def members(name, table, parent, child, of, title="name"):
    """A join table as a set of references."""
    source = f"{table} c left join {of} o on o.id = c.{child}"
    element = [("id", f"c.{child}", "plain"), ("name", f"o.{title}", "plain")]
    return Set(name, source, f"c.{parent}", element, ("id",))


CLASSIFICATIONS = Set(
    "classifications",
    "spt_object_classification c left join spt_classification k on k.id = c.classification_id",
    "c.owner_id",
    [("id", "c.classification_id", "plain"), ("name", "k.name", "plain"), ("displayName", "k.displayable_name", "plain"),
     ("source", "c.source", "plain"), ("effective", "c.effective", "flag")],
    ("id", "source"),
)


def classified(table):
    """A changed classification has its object read."""
    return (f"select o.id, {changed('c')} from spt_object_classification c join {table} o on o.id = c.owner_id")


def permissions(name, table):
    """Permissions of a managed attribute."""
    element = columns("target", alias="c") + columns("rights", "list", "c") + columns("annotation", alias="c")
    return Set(name, f"{table} c", "c.managedattribute", element + columns("attributes", "xml", "c"))


# How an entitlement or a role assignment stands in a person's image, after what tells which one it is.
ASSIGNMENT = (
    columns("source assigner assignmentId", alias="c")
    + columns("startDate endDate", "time", "c")
    + [("identityRequestId", "i.identity_request_id", "plain"), ("requestItemId", "c.request_item", "plain"),
       ("pendingRequestItemId", "c.pending_request_item", "plain")]
)
ROLES = "('assignedRoles', 'detectedRoles')"
ABOUT_IDENTITIES = ("r.target_id is not null and (r.target_class is null"
                    " or r.target_class in ('Identity', 'sailpoint.object.Identity'))")
TAKEN_AWAY = "('Remediated', 'RevokeAccount', 'Modified', 'AccountReassign')"


def identity_joins():
    """Everybody whom a person refers to."""
    to = ["manager", "administrator", "owner", *[f"extended_identity{number}" for number in range(1, 6)]]
    joins = [f"left join spt_identity j{nth} on j{nth}.id = b.{column}" for nth, column in enumerate(to)]
    return " ".join(joins) + " left join spt_scope scope on scope.id = b.assigned_scope"


IDENTITY = Type(
    "identity", "spt_identity", "Identity",
    columns("name displayName firstname lastname email description type softwareVersion")
    + columns("created passwordExpiration authLockStart lastLogin lastRefresh", "time")
    + columns("inactive protected correlated correlatedOverridden managerStatus controlsAssignedScope", "flag")
    + [reference(name, (f"b.{name}", f"j{nth}.name")) for nth, name in enumerate(("manager", "administrator", "owner"))]
    + [reference("assignedScope", ("b.assigned_scope", "scope.name"))]
    + [reference(f"extendedIdentity{n}", (f"b.extended_identity{n}", f"j{n + 2}.name")) for n in range(1, 6)]
    + columns("password passwordHistory", "secret") + columns("certifications attributes", "xml"),
    where="(b.workgroup is null or b.workgroup = 0)",
    joins=identity_joins(),
    sets=[
        Set("accounts", "spt_link c left join spt_application a on a.id = c.application", "c.identity_id",
            [("id", "c.id", "plain"), ("applicationId", "c.application", "plain"), ("applicationName", "a.name", "plain")]
            + columns("instance nativeIdentity displayName", alias="c") + columns("iiqDisabled iiqLocked", "flag", "c"),
            ("id",)),
        Set("entitlements",
            "spt_identity_entitlement c left join spt_application a on a.id = c.application"
            " left join spt_identity_request_item i on i.id = c.request_item",
            "c.identity_id",
            [("id", "c.id", "plain"), ("applicationId", "c.application", "plain"), ("applicationName", "a.name", "plain")]
            + columns("instance nativeIdentity name value displayName type aggregationState", alias="c")
            + columns("assigned grantedByRole", "flag", "c") + ASSIGNMENT, ("id",), where=f"c.name not in {ROLES}"),
        Set("roleAssignments",
            "spt_identity_entitlement c left join spt_bundle r on r.name = c.value"
            " left join spt_identity_request_item i on i.id = c.request_item",
            "c.identity_id",
            [("id", "c.id", "plain"), ("name", "c.name", "plain"), ("roleId", "r.id", "plain"),
             ("roleName", "c.value", "plain"), *ASSIGNMENT], ("id",), where=f"c.name in {ROLES}"),
        members("assignedRoles", "spt_identity_assigned_roles", "identity_id", "bundle", "spt_bundle"),
        members("detectedRoles", "spt_identity_bundles", "identity_id", "bundle", "spt_bundle"),
        Set("roleMetadata", "spt_identity_role_metadata c left join spt_role_metadata m on m.id = c.role_metadata_id",
            "c.identity_id", [("roleId", "m.role", "plain"), ("name", "m.name", "plain")]
            + columns("assigned detected detectedException missingRequired additionalEntitlements", "flag", "m"),
            ("roleId", "name")),
        members("capabilities", "spt_identity_capabilities", "identity_id", "capability_id", "spt_capability"),
        members("workgroups", "spt_identity_workgroups", "identity_id", "workgroup", "spt_identity"),
        members("controlledScopes", "spt_identity_controlled_scopes", "identity_id", "scope_id", "spt_scope"),
        Set("policyViolations", "spt_policy_violation c", "c.identity_id",
            columns("id name policyId policyName constraintId constraintName status", alias="c"), ("id",),
            where="c.active = 1"),
        Set("externalAttributes", "spt_identity_external_attr c", "c.object_id",
            [("name", "c.attribute_name", "plain"), ("value", "c.value", "plain")]),
    ],
    qualifies=[f"select c.identity_id, {changed('c')} from {table} c"
               for table in ("spt_link", "spt_identity_entitlement", "spt_policy_violation")],
    insignificant=frozenset("authLockStart lastLogin lastRefresh passwordExpiration passwordHistory".split()),
)

ACCOUNT = Type(
    "account", "spt_link", "Link",
    [reference("identity", ("b.identity_id", "person.name")), reference("application", ("b.application", "app.name"))]
    + columns("instance nativeIdentity displayName uuid key1 key2 key3 key4")
    + columns("created lastRefresh lastTargetAggregation", "time")
    + columns("iiqDisabled iiqLocked manuallyCorrelated entitlements", "flag") + columns("componentIds", "list")
    + columns("passwordHistory", "secret") + columns("attributes", "xml"),
    title="b.native_identity", where="b.identity_id is not null", owner=("b.identity_id", "person.name"),
    joins="left join spt_identity person on person.id = b.identity_id"
          " left join spt_application app on app.id = b.application",
    sets=[Set("externalAttributes", "spt_link_external_attr c", "c.object_id",
              [("name", "c.attribute_name", "plain"), ("value", "c.value", "plain")])],
    insignificant=frozenset(("lastRefresh", "lastTargetAggregation", "passwordHistory")),
)

ENTITLEMENT = Type(
    "entitlement", "spt_identity_entitlement", "IdentityEntitlement",
    [reference("identity", ("b.identity_id", "person.name")), reference("application", ("b.application", "app.name"))]
    + columns("instance nativeIdentity name value displayName annotation type aggregationState source assigner"
              " assignmentId assignmentNote")
    + columns("created startDate endDate", "time") + columns("assigned allowed grantedByRole", "flag")
    + [("identityRequestId", "i.identity_request_id", "plain"), ("requestItemId", "b.request_item", "plain"),
       ("pendingRequestItemId", "b.pending_request_item", "plain"),
       ("certificationItemId", "b.certification_item", "plain"),
       ("pendingCertificationItemId", "b.pending_certification_item", "plain")] + columns("attributes", "xml"),
    title="b.value", owner=("b.identity_id", "person.name"),
    joins="left join spt_identity person on person.id = b.identity_id left join spt_application app"
          " on app.id = b.application left join spt_identity_request_item i on i.id = b.request_item",
    sets=[Set("roles", "spt_identity_entitlement c join spt_bundle r on r.name = c.value",
              "c.id", [("id", "r.id", "plain"), ("name", "r.name", "plain")], ("id",), where=f"c.name in {ROLES}")],
)

ROLE = Type(
    "role", "spt_bundle", "Bundle",
    columns("name displayName displayableName type riskScoreWeight")
    + columns("created activationDate deactivationDate", "time")
    + columns("disabled pendingDelete orProfiles iiqElevatedAccess", "flag")
    + [reference("owner", ("b.owner", "owner.name")), reference("assignedScope", ("b.assigned_scope", "scope.name")),
       ("joinRuleId", "b.join_rule", "plain")] + columns("selector provisioningPlan attributes", "xml"),
    joins="left join spt_identity owner on owner.id = b.owner left join spt_scope scope on scope.id = b.assigned_scope",
    sets=[
        members("inheritance", "spt_bundle_children", "bundle", "child", "spt_bundle"),
        members("requirements", "spt_bundle_requirements", "bundle", "child", "spt_bundle"),
        members("permits", "spt_bundle_permits", "bundle", "child", "spt_bundle"),
        Set("profiles", "spt_profile c left join spt_application a on a.id = c.application", "c.bundle_id",
            columns("id name description", alias="c") + [("applicationId", "c.application", "plain"),
             ("applicationName", "a.name", "plain"), ("accountType", "c.account_type", "plain")]
            + columns("disabled", "flag", "c") + columns("attributes", "xml", "c"), ("id",)),
        Set("profileConstraints", "spt_profile_constraints c join spt_profile p on p.id = c.profile", "p.bundle_id",
            [("profileId", "c.profile", "plain"), ("constraint", "c.elt", "xml")]),
        Set("profilePermissions", "spt_profile_permissions c join spt_profile p on p.id = c.profile", "p.bundle_id",
            [("profileId", "c.profile", "plain"), ("target", "c.target", "plain"), ("rights", "c.rights", "list"),
             ("attributes", "c.attributes", "xml")]),
        Set("profileRelations",
            "spt_bundle_profile_relation c left join spt_application a on a.id = c.source_application", "c.bundle_id",
            [("sourceRoleId", "c.source_bundle_id", "plain"), ("sourceProfileId", "c.source_profile_id", "plain"),
             ("applicationId", "c.source_application", "plain"), ("applicationName", "a.name", "plain")]
            + columns("type attribute value displayValue", alias="c")
            + columns("required permitted orMember inherited", "flag", "c")),
        CLASSIFICATIONS,
    ],
    qualifies=[*(f"select c.bundle_id, {changed('c')} from {table} c"
                 for table in ("spt_profile", "spt_bundle_profile_relation")), classified("spt_bundle")],
)

MANAGED_ATTRIBUTE = Type(
    "managedAttribute", "spt_managed_attribute", "ManagedAttribute",
    [reference("application", ("b.application", "app.name")), reference("owner", ("b.owner", "owner.name")),
     reference("assignedScope", ("b.assigned_scope", "scope.name"))]
    + columns("type attribute value hash displayName displayableName purview uuid key1 key2 key3 key4")
    + columns("created lastRefresh lastTargetAggregation", "time")
    + columns("requestable aggregated uncorrelated iiqElevatedAccess", "flag") + columns("attributes", "xml"),
    title="b.displayable_name",
    joins="left join spt_application app on app.id = b.application left join spt_identity owner on owner.id = b.owner"
          " left join spt_scope scope on scope.id = b.assigned_scope",
    sets=[
        Set("inheritance", "spt_managed_attr_inheritance c left join spt_managed_attribute o on o.id = c.inherits_from",
            "c.managedattribute", [("id", "c.inherits_from", "plain"), ("name", "o.displayable_name", "plain"),
                                   ("attribute", "o.attribute", "plain"), ("value", "o.value", "plain")], ("id",)),
        permissions("permissions", "spt_managed_attr_perms"),
        permissions("targetPermissions", "spt_managed_attr_target_perms"),
        CLASSIFICATIONS,
    ],
    qualifies=[classified("spt_managed_attribute")],
    insignificant=frozenset(("lastRefresh", "lastTargetAggregation")),
)

WORKGROUP = Type(
    "workgroup", "spt_identity", "Workgroup",
    columns("name displayName description email") + columns("created", "time")
    + columns("inactive protected controlsAssignedScope", "flag")
    + [reference("owner", ("b.owner", "owner.name")), reference("assignedScope", ("b.assigned_scope", "scope.name"))]
    + columns("preferences attributes", "xml"),
    where="b.workgroup = 1",
    joins="left join spt_identity owner on owner.id = b.owner left join spt_scope scope on scope.id = b.assigned_scope",
    sets=[
        members("members", "spt_identity_workgroups", "workgroup", "identity_id", "spt_identity"),
        members("capabilities", "spt_identity_capabilities", "identity_id", "capability_id", "spt_capability"),
        members("controlledScopes", "spt_identity_controlled_scopes", "identity_id", "scope_id", "spt_scope"),
    ],
    qualifies=[f"select m.workgroup, {changed('p')} from spt_identity_workgroups m"
               " join spt_identity p on p.id = m.identity_id"],
)
