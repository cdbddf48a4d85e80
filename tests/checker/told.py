"""What the deeds themselves say must have become events, whatever the rows and images say: who joined, moved, left, was
given or lost what, asked, was refused, violated; and that nothing is told of those to whom nothing happened.

This knows deeds and events only, so that a mistake which this program makes as history does shows here.
"""

import json
import re
from collections import defaultdict

from attribute_xml import parse
from columns import EVENT_TABLES
from events import PROVISIONED, REFUSED, sides, text
from images import alike, without_nothing
from report import shown

# How a person's lists are told: event types, and the column that says which member it is.
LISTS = {
    "accounts": ("AccountAdded", "AccountRemoved", "account_id"),
    "entitlements": ("EntitlementAdded", "EntitlementRemoved", "identity_entitlement_id"),
    "assignedRoles": ("AssignedRoleAdded", "AssignedRoleRemoved", "qry_property2"),
    "detectedRoles": ("DetectedRoleAdded", "DetectedRoleRemoved", "qry_property2"),
    "workgroups": ("IdentityChanged", "IdentityChanged", "qry_property1"),
    "capabilities": ("IdentityChanged", "IdentityChanged", "qry_property1"),
    "members": ("WorkgroupChanged", None, "qry_property1"),
    "permits": ("RoleChanged", "RoleChanged", "qry_property1"),
    "classifications": ("ManagedAttributeChanged", "ManagedAttributeChanged", "qry_property2"),
}
REFERENCES = ("manager", "owner")
# Columns that repeat an attribute, which is told under its own name.
COPY = re.compile(r"extended[0-9]+\Z")
TOLD_BY = {"identity": "Identity", "role": "Role", "managedAttribute": "ManagedAttribute", "workgroup": "Workgroup"}
FIRST = {"policyViolation": "PolicyViolation", "policyViolationRemediation": "PolicyViolation",
         "certificationRemediation": "Certification"}


def value_of(told):
    """A value of the log: XML stands as XML."""
    return alike(without_nothing(parse(told))) if isinstance(told, str) and told.startswith("<") else alike(told)


def property_of(attribute):
    """A column, or an entry of the XML, as images call it."""
    if attribute.startswith("attributes/"):
        return "attributes." + attribute.removeprefix("attributes/")
    head, *rest = attribute.split("_")
    return head + "".join(part.capitalize() for part in rest)


class Night:
    """What happened between two runs, object by object."""

    def __init__(self):
        self.made = {}
        self.gone = {}
        self.person_of = {}
        self.values = {}
        self.members = defaultdict(lambda: defaultdict(int))
        self.named = set()

    def hear(self, deed):
        person = (deed.get("identity") or {}).get("id")
        self.named.add(person)
        for write in deed["rows"]:
            # Whose a new row is, and the workgroup that a newcomer is a member of.
            cells = write["cells"] if write["write"] == "insert" else {}
            self.named |= {cells.get("identity_id"), cells.get("workgroup")}
        for object in deed["objects"]:
            key = object["objectType"], object["id"]
            self.named.add(object["id"])
            if person is not None:
                self.person_of[key] = person
            told = {change["attribute"]: change for change in object.get("attributes", ())}
            if object["change"] == "created":
                self.made[key] = {name: change["new"] for name, change in told.items()}
            elif object["change"] == "deleted":
                self.gone[key] = True
                self.named.add(told.get("identity_id", {}).get("old"))
            elif object["change"] == "changed":
                for name, change in told.items():
                    self.change(key, name, change["old"], change["new"])

    def change(self, key, name, old, new):
        if name == "workgroups":
            self.named |= {*old, *new}
        if name in LISTS:
            for member in old:
                self.members[key, name][member] -= 1
            for member in new:
                self.members[key, name][member] += 1
        else:
            first = self.values.get((key, name), (old, None))[0]
            self.values[key, name] = (first, new)

    def claims(self):
        """What must have become events: (object, cells that an event must have)."""
        for key in self.gone:
            if key[0] == "identity":
                yield key, {"event_type": "IdentityDeleted", "entity_id": key[1]}
        for key, told in self.made.items():
            yield from self.claims_of_new(key, told)
        for (key, name), counts in self.members.items():
            came_type, went_type, column = LISTS[name]
            for member, count in counts.items():
                event_type = came_type if count > 0 else went_type
                if count and event_type and not self.is_fresh(key):
                    side = "old_value" if count > 0 else "new_value"
                    yield key, {"event_type": event_type, "entity_id": key[1], column: member, side: None}
        columns = {(key, property_of(name).lower()): sides(*map(value_of, values))
                   for (key, name), values in self.values.items()}
        for (key, name), (old, new) in self.values.items():
            if self.is_fresh(key) or COPY.match(name):
                continue
            old, new = value_of(old), value_of(new)
            column = key, name.removeprefix("attributes/").lower()
            # An attribute that has a column of its own is told by that.
            if not name.startswith("attributes/") or columns.get(column) != sides(old, new):
                yield from self.claims_of_value(key, name, old, new)

    def is_fresh(self, key):
        """Made or gone since the last run: its changes are no news."""
        person = ("identity", self.person_of.get(key))
        return key in self.made or key in self.gone or person in self.gone

    def claims_of_new(self, key, told):
        if key in self.gone or ("identity", self.person_of.get(key)) in self.gone:
            return
        if key[0] == "identity":
            yield key, {"event_type": "IdentityDiscovered", "entity_id": key[1], "event_source_type": "INITIAL_CAPTURE"}
        elif key[0] == "identityRequestItem":
            yield key, self.request(key, outcome(self, key) or "Requested") | {"new_value": told["value"]}
        elif key[0] in FIRST:
            yield key, {"event_type": "GovernanceEvent", "qry_property9": FIRST[key[0]],
                        "event_source_type": "INITIAL_CAPTURE", "about": key[1]}

    def request(self, key, state):
        return {"event_type": "GovernanceEvent", "entity_id": self.person_of[key], "qry_property9": "AccessRequest",
                "qry_property10": state, "request_item_id": key[1]}

    def claims_of_value(self, key, name, old, new):
        kind, property_name = key[0], property_of(name)
        if old == new:
            return
        if kind == "identityRequestItem":
            state = outcome(self, key)
            if state is not None and name == "approval_state" or state in PROVISIONED and name == "provisioning_state":
                yield key, self.request(key, state)
        elif kind == "policyViolation":
            if name == "status" and new == "Mitigated":
                yield key, {"event_type": "PolicyViolationMitigated", "entity_id": self.person_of[key],
                            "old_value": old, "new_value": new, "qry_property1": key[1]}
        elif kind == "identity" and name == "inactive":
            yield key, {"event_type": "IdentityStatusChanged", "entity_id": key[1], "old_value": text(old),
                        "new_value": text(new)}
        elif kind in TOLD_BY or kind == "account":
            event_type = TOLD_BY.get(kind, "Account") + "Changed"
            where = {"account_id": key[1]} if kind == "account" else {"entity_id": key[1]}
            told = {"event_type": event_type, **where, "property_name": property_name}
            if name in REFERENCES:
                yield key, told | {"old id": old, "new id": new}
            else:
                for before, after in steps(old, new):
                    yield key, told | {"old_value": text(before), "new_value": text(after)}


def outcome(night, key):
    """The state in which an item of a request ended, if it did since the last run."""
    approval = night.values.get((key, "approval_state"), (None, None))[1]
    provisioning = night.values.get((key, "provisioning_state"), (None, None))[1]
    return approval if approval in REFUSED else provisioning if provisioning in PROVISIONED else None


def steps(old, new):
    """One value after the other, or of many values those that came and those that went."""
    if not isinstance(old, list) and not isinstance(new, list):
        return [(old, new)]
    before = old if isinstance(old, list) else [] if old is None else [old]
    after = new if isinstance(new, list) else [] if new is None else [new]
    return ([(item, None) for item in before if item not in after]
            + [(None, item) for item in after if item not in before])


class Told:
    """The log, night by night."""

    def __init__(self):
        self.nights = defaultdict(Night)

    def hear(self, run, deed):
        self.nights[run.id].hear(deed)

    def compare(self, account, report):
        """Looks for every event that the log demands among those that are expected of the rows, and for events about
        those to whom nothing happened. The expected ones are compared with history elsewhere."""
        events = defaultdict(list)
        for table, id, cells, run_id in account.rows(
                "select e.name, e.id, e.cells, c.run from event e join capture c"
                " on c.type = e.type and c.id = e.id and c.seq = e.seq"):
            if run_id in self.nights:
                events[run_id].append((table, json.loads(cells) | {"about": id}))
        named = set()
        for run_id, night in sorted(self.nights.items()):
            by_type = defaultdict(list)
            for _, row in events[run_id]:
                by_type[row["event_type"]].append(row)
            for (kind, id), claim in night.claims():
                report.saw("events that deeds demand")
                if not any(fits(row, claim) for row in by_type[claim["event_type"]]):
                    object = f"{kind} {id}, in run {run_id}, by the log of deeds"
                    report.say("(event)", None, object, shown(claim), "that the rows of the world make none such")
            for id in list(night.named):
                night.named |= {row[0] for row in account.rows("select owner_id from head where id = ?", (id,))}
            # What a workgroup lost shows when it is next read.
            named |= night.named
            for table, row in events[run_id]:
                if row["entity_id"] not in (named if table == EVENT_TABLES["workgroup"] else night.named):
                    report.say("(event)", None, row["entity_id"], "none, for nothing happened to it", shown(row))


def fits(row, claim):
    """Whether an event is the one that is claimed."""
    for column, value in claim.items():
        if column in ("old id", "new id"):
            stands = row.get("old_value" if column == "old id" else "new_value")
            if (json.loads(stands)["id"] if stands else None) != (value or None):
                return False
        elif row.get(column) != value:
            return False
    return True
