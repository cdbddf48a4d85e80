"""Where history keeps what: capture tables, child rows, entity rows, and what of an image stands in their columns.

Column names and widths are those of IdentityIQ 8.4 (migrations/history_columns.csv).
"""

import csv
import os
from dataclasses import dataclass, field

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ID_CHARS = 32


def widths():
    """The width of each text column, by table and column; none where it has none."""
    with open(os.path.join(PROJECT, "migrations", "history_columns.csv"), encoding="utf-8") as lines:
        return {
            (row["table"], row["column"]): int(row["length"])
            for row in csv.DictReader(lines)
            if row["type"] == "varchar"
        }


WIDTHS = widths()


@dataclass
class Child:
    """A table of child rows: those of one collection."""

    table: str
    set_name: str
    parent: str
    columns: dict


@dataclass
class Entity:
    """A table with one row an object."""

    table: str
    object_id: str
    name: str | None
    columns: dict
    deleted: bool = True


@dataclass
class Kept:
    """Where captures of an object type are kept. Columns are filled by paths into the image."""

    table: str
    object_id: str
    name: str | None
    columns: dict = field(default_factory=dict)
    children: list = field(default_factory=list)
    entity: Entity | None = None
    # Columns that must not be empty and that a deletion does not tell: they stay as they were.
    inherited: tuple = ()
    owned: bool = False


def paths(text):
    """`column=path` or, where both are called alike, `column`; `|` parts paths of which the first that leads somewhere
    counts."""
    found = {}
    for word in text.split():
        column, _, path = word.partition("=")
        head, *rest = column.split("_")
        found[column] = path or head + "".join(part.capitalize() for part in rest)
    return found


def of_person(table, set_name, column):
    return Child(table, set_name, "capture_id", {column: "id"})


KEPT = {
    "identity": Kept(
        "spt_hist_identity_capture", "identity_id", "identity_name",
        paths("manager_id=manager.id display_name firstname lastname email manager_status inactive type"),
        [of_person("spt_hist_accounts", "accounts", "account_id"),
         of_person("spt_hist_entitlements", "entitlements", "identity_entitlement_id"),
         of_person("spt_hist_assigned_roles", "assignedRoles", "role_id"),
         of_person("spt_hist_detected_roles", "detectedRoles", "role_id"),
         of_person("spt_hist_policy_violations", "policyViolations", "policy_violation_id")],
        Entity("spt_hist_identity", "identity_id", "name", paths("display_name lastname firstname email"))),
    "account": Kept(
        "spt_hist_account_capture", "account_id", None,
        paths("application_name=application.name displayable_name=displayName|nativeIdentity"), owned=True),
    "role": Kept(
        "spt_hist_role_capture", "role_id", "role_name", paths("type owner_id=owner.id"),
        entity=Entity("spt_hist_role", "role_id", "name", paths("display_name"))),
    "entitlement": Kept(
        "spt_hist_entitlement_capture", "identity_entitlement_id", None,
        paths("application_id=application.id application_name=application.name native_identity instance"
              " display_value=displayName type attribute_name=name attribute_value=value granted_by_role"
              " role_id=roles.0.id request_item_id pending_request_item_id certification_item_id"), owned=True),
    "managedAttribute": Kept(
        "spt_hist_mattr_capture", "mattr_id", None,
        paths("mattr_hash=hash display_name=displayableName application_name=application.name"
              " application_id=application.id type attribute_name=attribute attribute_value=value"),
        entity=Entity("spt_hist_mattr", "mattr_id", None, paths("mattr_hash=hash display_name=displayableName")),
        inherited=("mattr_hash",)),
    "certification": Kept(
        "annals_certification_capture", "cert_id", "cert_name",
        entity=Entity("spt_hist_certification", "cert_id", "cert_name",
                      paths("cert_type=type cert_display_name=shortName finished signed"), deleted=False)),
    "certificationRemediation": Kept(
        "spt_hist_cert_remediation_capture", "certification_item_id", None,
        paths("certification_item_type=type certification_item_sub_type=subType exception_application"
              " exception_attribute_name exception_attribute_value exception_native_identity bundle_id=bundle.id"
              " bundle_name=bundle.name bundle_assignment_id"),
        [Child("spt_hist_role_remediation_entitlements", "roleEntitlements", "cert_remediation_capture",
               paths("application=applicationName application_id entitlement_name=name entitlement_value=value"))],
        owned=True),
    "identityRequest": Kept(
        "spt_hist_identity_req_capture", "identity_request_id", None,
        paths("type end_date requester_id requester_display_name"), owned=True),
    "identityRequestItem": Kept(
        "spt_hist_identity_req_item_capture", "identity_request_item_id", None,
        paths("identity_entitlement_id=attributes.identityEntitlementId native_identity name value"
              " identity_request_id=identityRequest.id type=identityRequest.type application_name=application.name"
              " operation owner_name approver_name requester_name=requester.name requester_id=requester.id"
              " assignment_id=attributes.assignmentId provisioning_state approval_state compilation_status idx"),
        owned=True),
    "policyViolation": Kept(
        "spt_hist_policy_violation_capture", "policy_violation_id", None,
        paths("active policy_id policy_name constraint_id constraint_name status"), owned=True),
    "policyViolationRemediation": Kept(
        "spt_hist_policy_violation_remediation_capture", "identity_history_item_id", None,
        paths("certification_item_type=certificationType policy_name constraint_name"),
        [of_person("spt_hist_policy_violation_remediation_bundle_ids", "bundles", "bundle_id"),
         Child("spt_hist_policy_violation_remediation_entitlements", "entitlements", "policy_violation_remediation_ent",
               paths("application=applicationName application_id entitlement_name=name entitlement_value=value"
                     " entitlement_display_value=displayValue"))],
        owned=True),
    "capability": Kept(
        "spt_hist_capability_capture", "capability_id", "capability_name",
        entity=Entity("spt_hist_capability", "capability_id", "name", paths("description display_name"))),
    "workgroup": Kept(
        "spt_hist_workgroup_capture", "workgroup_id", "workgroup_name", paths("display_name email inactive"),
        entity=Entity("spt_hist_workgroup", "workgroup_id", "name", paths("display_name description email"))),
    "objectConfig": Kept("spt_hist_object_config_capture", "object_config_id", "object_config_name"),
}

EVENT_TABLES = {
    "identity": "spt_hist_identity_event",
    "managedAttribute": "spt_hist_mattr_event",
    "role": "spt_hist_role_event",
    "workgroup": "spt_hist_workgroup_event",
}


def at_path(value, path):
    """What stands at the first of some paths where something stands: member names parted by dots, a number being the
    place in a list."""
    return next((found for found in (at(value, one) for one in path.split("|")) if found is not None), None)


def at(value, path):
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def stored(table, column, value):
    """A value as a column holds it: flags as numbers, text cut to the column's width."""
    if isinstance(value, bool):
        return int(value)
    width = WIDTHS.get((table, column))
    return value[:width] if isinstance(value, str) and width else value


def row_of(table, columns, fields):
    """What stands in columns that an image fills."""
    return {column: stored(table, column, at_path(fields, path)) for column, path in columns.items()}
