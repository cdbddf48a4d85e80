"""Access intervals: what the expected captures of identities say that was held, from when until when (docs/access-intervals.md)."""

from account import unpacked
from report import shown

TABLE = "annals_access_interval"
KINDS = {1: "account", 2: "entitlement", 3: "assignedRole", 4: "detectedRole", 5: "capability", 6: "workgroup"}
# Of an item: kind, id, name, application's id and name, instance, permission, attribute, value.
ITEM = ("kind", "item_id", "name", "application_id", "application", "instance", "permission", "attribute", "value")
# How it is held: besides, what tells the row from others of the same item.
HELD = ("native_identity", "acquired", "cause", "assigner", "request_item_id")
ASSIGNED, DETECTED, GRANTED, REQUESTED, CERTIFIED = 1, 2, 4, 8, 16
SPANS = ("valid_from", "valid_to", "recorded_from", "end_recorded", "recorded_to", "opened_by", "closed_by")


def text(value):
    return value if value is None or isinstance(value, str) else str(value)


def ways_of(row):
    """What a row of entitlements or role assignments tells of any item."""
    return (REQUESTED if row.get("requestItemId") is not None else 0) \
        | (CERTIFIED if row.get("source") == "Certification" else 0)


def named(kind, element):
    return (kind, text(element.get("id")), text(element.get("name")), None, None, None, 0, None, None)


def brought(row):
    return tuple(text(row.get(name)) for name in ("source", "assigner", "requestItemId"))


def holdings(image):
    """What an image lists: pairs of an item and how it is held."""
    for element in image.get("accounts") or []:
        item = ("account", None, None, text(element.get("applicationId")), text(element.get("applicationName")),
                text(element.get("instance")), 0, None, None)
        yield item, (text(element.get("nativeIdentity")), 0, None, None, None)
    for element in image.get("entitlements") or []:
        item = ("entitlement", None, text(element.get("displayName")), text(element.get("applicationId")),
                text(element.get("applicationName")), text(element.get("instance")),
                int(element.get("type") == "Permission"), text(element.get("name")), text(element.get("value")))
        ways = (ASSIGNED if element.get("assigned") is True else 0) \
            | (GRANTED if element.get("grantedByRole") is True else 0) | ways_of(element)
        yield item, (text(element.get("nativeIdentity")), ways or DETECTED, *brought(element))
    rows = image.get("roleAssignments") or []
    for kind, own, set_name in ("assignedRole", ASSIGNED, "assignedRoles"), ("detectedRole", DETECTED, "detectedRoles"):
        for element in image.get(set_name) or []:
            row = next((row for row in rows if row.get("name") == set_name and element.get("id") == row.get("roleId")), None)
            row = row or next((row for row in rows if row.get("name") == set_name
                               and element.get("name") == row.get("roleName")), {})
            yield named(kind, element), (None, own | ways_of(row), *brought(row))
    for kind, set_name in ("capability", "capabilities"), ("workgroup", "workgroups"):
        for element in image.get(set_name) or []:
            yield named(kind, element), (None, ASSIGNED, None, None, None)


def held(image):
    """All that is held: what is listed twice for one account is held once, in both ways, the greater of two texts told."""
    found = {}
    for item, (account, ways, *texts) in holdings(image):
        before = found.get((item, account))
        if before:
            ways |= before[0]
            texts = [max(pair, key=lambda one: (one is not None, one)) for pair in zip(texts, before[1:])]
        found[item, account] = (ways, *texts)
    return {(*item, account, *how) for (item, account), how in found.items()}


def intervals(captures):
    """Rows of one identity, by its captures in their order."""
    open_rows, rows = {}, []
    for capture in captures:
        now = set() if capture["deleted"] else held(unpacked(capture["image"]))
        at, known, by = capture["dated"], capture["created"], capture["capture_id"]
        for holding in sorted(open_rows.keys() - now, key=repr):
            row = open_rows.pop(holding)
            row |= {"valid_to": at, "end_recorded": known, "closed_by": by}
        for holding in sorted(now - open_rows.keys(), key=repr):
            row = dict(zip(ITEM + HELD, holding)) | dict.fromkeys(SPANS)
            row |= {"valid_from": at, "recorded_from": known, "opened_by": by}
            open_rows[holding] = row
            rows.append(row)
    return rows


def stored(history):
    """Rows of history with their items, in the order of identities."""
    item = ["i." + name for name in ITEM]
    interval = ["a." + name for name in HELD + SPANS]
    for identity, *cells in history.rows(
            f"select a.identity_id, {', '.join(item + interval)} from {TABLE} a"
            f" left join annals_access_item i on i.id = a.item order by {history.by_bytes('a.identity_id')}"):
        row = dict(zip(ITEM + HELD + SPANS, cells))
        row["kind"] = KINDS.get(row["kind"])
        for name in ("opened_by", "closed_by"):
            row[name] = None if row[name] is None else bytes(row[name]).hex()
        yield identity, row


def compare(history, account, report, merged):
    """Rows of an identity are a set."""
    expected = account.rows(
        "select id, name, deleted, image, capture_id, created, dated from capture"
        " where type = 'identity' and capture_id is not null order by id, seq")
    for id, captures, found in merged(expected, stored(history), lambda row: row["id"], lambda row: row[0]):
        object = f"identity {id}"
        wanted = intervals(captures)
        rows = [row for _, row in found]
        report.saw(TABLE, len(wanted))
        missing = []
        for row in wanted:
            if row in rows:
                rows.remove(row)
            else:
                missing.append(row)
        for row in missing:
            # Of the same item by the same account, it is the one with other cells.
            like = next((other for other in rows if all(other[name] == row[name] for name in (*ITEM, "native_identity"))), None)
            if like is None:
                report.missing(TABLE, object, row)
                continue
            rows.remove(like)
            apart = [name for name in row if row[name] != like[name]]
            report.say(TABLE, None, f"{object}, {row['kind']} {row['value'] or row['name'] or row['application']}",
                       shown({name: row[name] for name in apart}), shown({name: like[name] for name in apart}))
        for row in rows:
            report.unexpected(TABLE, None, object, row)
