"""Captures read back from history: each object's, in order, with the image that each stands for."""

import json
from dataclasses import dataclass

from columns import EVENT_TABLES, KEPT
from documents import Unreadable, document, event_id, patched
from images import hash_of


@dataclass
class Capture:
    """A capture; its fields are nothing where it says that the object is gone."""

    id: str
    table: str
    created: int
    effective: int
    full: str
    smart: str
    deleted: bool
    latest: int | None
    name: str | None
    owner: tuple | None
    fields: dict | None


def chains(history, report):
    """By object type and id: captures in the order of their states."""
    columns = history.columns("spt_hist_") | history.columns("annals_")
    found = {}
    for object_type, kept in KEPT.items():
        wanted = [column for column in columns[kept.table]]
        by = f"{history.by_bytes(kept.object_id)}, effective_date, {history.by_bytes('id')}"
        last = None
        for row in history.rows(f"select {', '.join(wanted)} from {kept.table} order by {by}"):
            row = dict(zip(wanted, row))
            key = object_type, row[kept.object_id]
            chain = found.setdefault(key, [])
            if not chain:
                last = None
            capture, last = read_back(kept, row, key, chain, last, report)
            chain.append(capture)
    return found


def read_back(kept, row, key, chain, last, report):
    """One capture, its document rebuilt from the one before where it is a patch."""
    object_type, id = key
    owner = (row["identity_id"], row["identity_name"]) if kept.owned and row["identity_id"] else None
    capture = Capture(
        row["id"], kept.table, row["created"], row["effective_date"], row["full_hash"], row["smart_hash"],
        False, row.get("latest"), row[kept.name] if kept.name else None, owner, None)
    whole = None
    try:
        whole = document(row["json"], row["json_format"])
        if row["transform_type"] == "patch":
            if not chain or row["patch_doc_parent"] != chain[-1].id or last is None:
                raise Unreadable("a patch whose parent is not the capture before it")
            # No patch carries the id of its own capture.
            whole = patched(last | {"eventId": event_id(row["id"])}, whole)
        capture.deleted = whole.get("operation") == "delete"
        if not capture.deleted:
            capture.fields = whole["eventImage"]["imageFields"]
            if hash_of(whole["eventImage"]) != row["full_hash"]:
                raise Unreadable("an image that has another hash")
        if bool(row.get("deleted", capture.deleted)) != capture.deleted or whole.get("eventId") != event_id(row["id"]):
            raise Unreadable("a document of another capture")
    except (Unreadable, TypeError, KeyError) as problem:
        report.say(kept.table, row["id"], f"{object_type} {id}", "a document", problem)
    return capture, whole


def events(history):
    """Events by capture: (table, cells)."""
    columns = history.columns("spt_hist_")
    found = {}
    for table in sorted(set(EVENT_TABLES.values())):
        names = columns[table]
        for row in history.rows(f"select {', '.join(names)} from {table}"):
            row = dict(zip(names, row))
            found.setdefault(row["capture_id"], []).append((table, row))
    return found


def heads(history):
    """Heads by object type and id: capture, hash, whether the object is gone."""
    query = (
        "select k.object_type, h.object_id, encode(h.capture_id, 'hex'), upper(encode(h.full_hash, 'hex')), h.deleted"
        " from annals_head h join annals_object_kind k on k.id = h.kind")
    return {(kind, id): (capture, full, bool(deleted)) for kind, id, capture, full, deleted in history.rows(query)}


def entities(history):
    """By object type and id: the name in the row that says what an object is now, and whether it is gone."""
    found = {}
    for object_type, kept in KEPT.items():
        if kept.entity is not None:
            deleted = "deleted" if kept.entity.deleted else "0"
            for id, gone in history.rows(f"select {kept.entity.object_id}, {deleted} from {kept.entity.table}"):
                found.setdefault((object_type, id), []).append(bool(gone))
    return found


def shown(fields):
    return "gone" if fields is None else json.dumps(fields, ensure_ascii=False)[:200]
