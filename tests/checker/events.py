"""The events that a change of an object makes: docs/events.md."""

from attribute_xml import canonical
from changes import changes
from columns import EVENT_TABLES, at_path, stored

# Columns of qry_property1 to qry_property10.
SEARCHED = ("item", "item_name", "application", "attribute", "value", "who", "cause", "assignment", "kind", "state")
OF_CLASS = {"role": "Role", "managedAttribute": "ManagedAttribute", "workgroup": "Workgroup"}
ROLE_SETS = {"assignedRoles": "AssignedRole", "detectedRoles": "DetectedRole"}
TAKING = ("remove", "delete", "disable", "revoke")
REFUSED = ("Rejected", "Expired", "Canceled")
PROVISIONED = ("Finished", "Commited", "Failed", "Unverifiable")


def text(value):
    """A value as events show it."""
    if value is None or isinstance(value, str):
        return value
    return canonical(value)


def searched(**values):
    return {f"qry_property{nth + 1}": text(values[name]) for nth, name in enumerate(SEARCHED) if name in values}


class Story:
    """The events of one capture, in the making."""

    def __init__(self, object_type, object_id, name, owner, source_type):
        self.object_type = object_type
        self.object_id = object_id
        self.name = name
        self.owner = owner
        self.source_type = source_type
        self.events = []

    def tell(self, event_type, category, timeline, **columns):
        """Adds an event on a timeline: (object type, id, name)."""
        table = EVENT_TABLES[timeline[0]]
        named = "display_name" if timeline[0] == "managedAttribute" else "entity_name"
        row = {"entity_id": timeline[1], named: timeline[2], "event_type": event_type, "event_category": category,
               "event_source_type": self.source_type, **columns}
        row = {column: stored(table, column, value) for column, value in row.items() if value is not None}
        self.events.append((table, row))

    def own(self, event_type, category, **columns):
        self.tell(event_type, category, (self.object_type, self.object_id, self.name), **columns)

    def of_person(self, event_type, category, **columns):
        if self.owner:
            self.tell(event_type, category, ("identity", *self.owner), **columns)


def discovered(type_, object_id, name, owner, image):
    """Events of an object's first capture."""
    story = Story(type_.name, object_id, name, owner, "INITIAL_CAPTURE")
    if type_.name == "identity":
        story.own("IdentityDiscovered", "Identity")
    elif type_.name in OF_CLASS:
        category = OF_CLASS[type_.name]
        story.own(f"{category}Discovered", category, **home(type_.name, image))
    elif type_.name in GOVERNANCE:
        GOVERNANCE[type_.name](story, {}, image)
    return story.events


def deleted(type_, object_id, name, owner):
    """Events of an object's end."""
    story = Story(type_.name, object_id, name, owner, "DELETE_CAPTURE")
    category = "Identity" if type_.name == "identity" else OF_CLASS.get(type_.name)
    if category:
        story.own(f"{category}Deleted", category)
    return story.events


def changed(type_, object_id, name, owner, old, new):
    """Events of the difference between two captures, and the names of the properties that differ."""
    differences = changes(type_, old, new)
    story = Story(type_.name, object_id, name, owner, "CHANGE_CAPTURE")
    if type_.name == "identity":
        tell_identity(story, differences, old, new)
    elif type_.name == "account":
        tell_account(story, differences, new)
    elif type_.name in OF_CLASS:
        tell_definition(story, differences, new)
    elif type_.name in GOVERNANCE:
        GOVERNANCE[type_.name](story, old, new)
    return story.events, [difference.name for difference in differences]


def told_once(differences):
    """Without attributes that changed exactly as the field of the same name did, whatever the case of the two."""
    fields = {difference.name.lower(): sides(difference.old, difference.new) for difference in differences}
    for difference in differences:
        name = difference.name.removeprefix("attributes.")
        if name == difference.name or fields.get(name.lower()) != sides(difference.old, difference.new):
            yield difference


def sides(*values):
    """Before and after; a flag that is absent is not set."""
    return [None if value is False else text(value) for value in values]


def what(difference, old, new):
    """Columns that say what changed."""
    return {"property_name": difference.name, "old_value": text(old), "new_value": text(new)}


def member(value, name):
    return text(value.get(name)) if isinstance(value, dict) else None


def tell_definition(story, differences, new):
    category = OF_CLASS[story.object_type]
    for difference in told_once(differences):
        for before, after in difference.happenings():
            element = before if after is None else after
            columns = home(story.object_type, new)
            columns |= searched(item=member(element, "id"), item_name=member(element, "name"))
            story.own(f"{category}Changed", category, **what(difference, before, after), **columns)


def home(object_type, image):
    """Where a managed attribute is at home."""
    if object_type != "managedAttribute":
        return {}
    application = at_path(image, "application.name")
    return {"acct_app_id": at_path(image, "application.id"), "acct_app_name": application,
            **searched(application=application, attribute=image.get("attribute"), value=image.get("value"))}


def account_columns(id, application_id, application, instance, native, display):
    return {"account_id": id, "acct_app_id": application_id, "acct_app_name": application, "acct_app_instance": instance,
            "acct_native_id": native, "acct_display_name": display}


def tell_account(story, differences, new):
    application = new.get("application") or {}
    account = account_columns(story.object_id, application.get("id"), application.get("name"), new.get("instance"),
                              new.get("nativeIdentity"), new.get("displayName"))
    for difference in told_once(differences):
        if difference.name == "identity":
            continue
        for before, after in difference.happenings():
            value = before if after is None else after
            found_by = searched(
                item=story.object_id, item_name=new.get("displayName") or new.get("nativeIdentity"),
                application=application.get("name"), attribute=difference.name.removeprefix("attributes."),
                value=None if isinstance(value, (dict, list)) else value)
            story.of_person("AccountChanged", "Account", **what(difference, before, after), **account, **found_by)


def tell_identity(story, differences, old, new):
    roles = {}
    for difference in differences:
        if difference.name in ROLE_SETS:
            roles[difference.name] = ({role.get("id") for role in difference.came or ()},
                                      {role.get("id") for role in difference.went or ()})
    by_name = {difference.name: difference for difference in differences}
    for difference in told_once(differences):
        for before, after in difference.happenings():
            tell_property(story, difference, before, after, roles, (old, new), by_name)


def tell_property(story, difference, before, after, roles, images, by_name):
    name, came_or_went = difference.name, (before is None) != (after is None)
    element, image = (before, images[0]) if after is None else (after, images[1])
    side = {"old_value" if after is None else "new_value": None}
    column = next(iter(side))
    if name == "inactive":
        if bool(before) != bool(after):
            story.own("IdentityStatusChanged", "Identity", property_name=name, old_value=text(bool(before)),
                      new_value=text(bool(after)))
    elif name == "accounts" and difference.is_set:
        if came_or_went:
            native, display = member(element, "nativeIdentity"), member(element, "displayName")
            story.own("AccountRemoved" if after is None else "AccountAdded", "Account", property_name=name,
                      **{column: native}, **of_element(element),
                      **searched(item=member(element, "id"), item_name=display or native,
                                 application=member(element, "applicationName")))
    elif name == "entitlements" and difference.is_set and came_or_went:
        tell_entitlement(story, element, image, column)
    elif name in ROLE_SETS and difference.is_set and came_or_went:
        tell_role(story, name, element, image, column, by_name)
    elif name == "policyViolations" and difference.is_set and after is not None:
        pass
    elif name == "roleAssignments" and came_or_went and is_told(roles, element, after is not None):
        pass
    elif name == "roleMetadata" and any(member(element, "roleId") in side for sides in roles.values() for side in sides):
        pass
    else:
        story.own("IdentityChanged", "Identity", **what(difference, before, after),
                  **searched(item=member(element, "id"), item_name=member(element, "name")))


def is_told(roles, row, came):
    came_ids, went_ids = roles.get(row.get("name"), ((), ()))
    return row.get("roleId") in (came_ids if came else went_ids)


def of_element(account):
    names = ("id", "applicationId", "applicationName", "instance", "nativeIdentity", "displayName")
    return account_columns(*(member(account, name) for name in names))


def asked_by(row):
    """The requests that a row of entitlements names, and who gave it."""
    return {"request_item_id": member(row, "requestItemId"), "identity_request_id": member(row, "identityRequestId"),
            "pending_request_item_id": member(row, "pendingRequestItemId"),
            **searched(who=member(row, "assigner"), cause=member(row, "source"),
                       assignment=member(row, "assignmentId"))}


def tell_entitlement(story, element, image, column):
    place = ("applicationId", "instance", "nativeIdentity")
    holder = next((account for account in image.get("accounts", ())
                   if all(account.get(name) == element.get(name) for name in place)), {})
    account = account_columns(
        holder.get("id"), element.get("applicationId"), element.get("applicationName"), element.get("instance"),
        element.get("nativeIdentity"), holder.get("displayName"))
    value = member(element, "value")
    story.own("EntitlementRemoved" if column == "old_value" else "EntitlementAdded", "Entitlement",
              property_name=member(element, "name"), **{column: value},
              identity_entitlement_id=member(element, "id"), **account, **asked_by(element),
              **searched(item=element.get("id"), item_name=element.get("displayName") or value,
                         application=element.get("applicationName"), attribute=element.get("name"), value=value))


def tell_role(story, name, element, image, column, by_name):
    rows = [row for row in image.get("roleAssignments", ())
            if row.get("name") == name and row.get("roleId") == element.get("id")]
    # A row that came with the role says more than one that was there.
    came = by_name["roleAssignments"].came if column == "new_value" and "roleAssignments" in by_name else None
    rows.sort(key=lambda row: row in (came or ()))
    row = rows[-1] if rows else None
    kind = ROLE_SETS[name]
    story.own(kind + ("Removed" if column == "old_value" else "Added"), kind, property_name=name,
              **{column: member(element, "name")}, identity_entitlement_id=member(row, "id"), **asked_by(row),
              **searched(item=element.get("id"), item_name=element.get("name")))


def outcome(item):
    """The final state of an item of a request."""
    for name, words in (("approvalState", REFUSED), ("provisioningState", PROVISIONED), ("compilationStatus", ("Filtered",))):
        if item.get(name) in words:
            return item[name]
    return None


def request_item(story, old, new):
    state = outcome(new)
    if old and (state is None or state == outcome(old)):
        return
    application, request, value = new.get("application") or {}, new.get("identityRequest") or {}, new.get("value")
    column = "old_value" if (new.get("operation") or "").lower() in TAKING else "new_value"
    attributes = new.get("attributes") or {}
    story.of_person(
        "GovernanceEvent", "Governance", property_name=new.get("name"), **{column: value},
        **account_columns(None, application.get("id"), application.get("name"), new.get("instance"),
                          new.get("nativeIdentity"), None),
        request_item_id=story.object_id, pending_request_item_id=None if state else story.object_id,
        identity_request_id=request.get("id"), identity_entitlement_id=member(attributes, "identityEntitlementId"),
        **searched(item=story.object_id, item_name=new.get("operation"), application=application.get("name"),
                   attribute=new.get("name"), value=value, who=at_path(new, "requester.name"), cause=request.get("name"),
                   assignment=member(attributes, "assignmentId"), kind="AccessRequest", state=state or "Requested"))


def certification(story, old, new):
    if old and old.get("status") == new.get("status"):
        return
    role, application = new.get("bundle") or {}, new.get("exceptionApplication")
    attribute = new.get("exceptionAttributeName") or new.get("exceptionPermissionTarget")
    value = new.get("exceptionAttributeValue") or new.get("exceptionPermissionRight")
    account = {}
    if application:
        account = account_columns(None, None, application, new.get("exceptionInstance"),
                                  new.get("exceptionNativeIdentity"), new.get("exceptionAccountDisplayName"))
    story.of_person(
        "GovernanceEvent", "Governance", property_name=attribute or ("assignedRoles" if role else None),
        old_value=value or role.get("name"), **account,
        **searched(item=role.get("id") or story.object_id,
                   item_name=role.get("name") or new.get("targetDisplayName") or new.get("targetName"),
                   application=application, attribute=attribute, value=value, who=new.get("actorName"),
                   cause=at_path(new, "certification.name"), assignment=new.get("bundleAssignmentId"),
                   kind="Certification", state=new.get("status")))


def violation(story, old, new):
    found_by = dict(item=story.object_id, item_name=new.get("constraintName") or new.get("name"),
                    who=new.get("mitigator"), cause=new.get("policyName"))
    if new.get("active") and not old.get("active"):
        of_violation(story, "GovernanceEvent", old, new, found_by)
    if new.get("status") == "Mitigated" and old.get("status") != "Mitigated":
        of_violation(story, "PolicyViolationMitigated", old, new, found_by)


def decision(story, old, new):
    if old and old.get("status") == new.get("status"):
        return
    found_by = dict(item=story.object_id, item_name=new.get("constraintName"), application=at_path(new, "application.name"),
                    attribute=new.get("attribute"), value=new.get("value"), who=new.get("actor"),
                    cause=new.get("policyName"))
    mitigated = new.get("status") == "Mitigated"
    of_violation(story, "PolicyViolationMitigated" if mitigated else "GovernanceEvent", old, new, found_by)


def of_violation(story, event_type, old, new, found_by):
    story.of_person(event_type, "Governance", property_name="status", old_value=old.get("status"),
                    new_value=new.get("status"),
                    **searched(**found_by, kind="PolicyViolation", state=new.get("status")))


GOVERNANCE = {
    "identityRequestItem": request_item,
    "certificationRemediation": certification,
    "policyViolation": violation,
    "policyViolationRemediation": decision,
}
