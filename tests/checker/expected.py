"""What each run must make of what happened: which objects qualify, which of them are captured, and with which events.

Out of the log, the configuration and, of the runs, when they were and from when on each read: ARCHITECTURE.md ("A run",
"What the writer decides") and docs/events.md.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import events
from account import packed, unpacked
from changes import patch_bytes
from documents import full_bytes
from governance import TYPES
from images import OBJECTS_AT_A_TIME, digest, read, significant
from objects import changed

DAY_MS = 86_400_000


@dataclass
class Run:
    """A run as history knows it, and what it must have come to."""

    id: int
    since: int | None
    started: int
    ended: int
    # By object type: numbers of objects by what became of them.
    by_type: dict = field(default_factory=lambda: defaultdict(Counter))
    # By object type and property: objects in which it changed.
    attributes: Counter = field(default_factory=Counter)
    qualified: int = 0
    missing: int = 0
    deletions: int = 0


@dataclass
class Settings:
    """What of the configuration counts."""

    max_allowed_patches: int
    capture_max_age_in_days: int | None


class Expected:
    """Works out one run after the other."""

    def __init__(self, world, masks, account, settings):
        self.world = world
        self.masks = masks
        self.account = account
        self.settings = settings
        self.started = {}

    def execute(self, run):
        """Works out a run over the world as it is."""
        self.started[run.id] = run.started
        gone = self.deleted(run)
        bereft = {head["owner_id"] for heads in gone.values() for head, _ in heads.values() if head["owner_id"]}
        bereft -= gone.get("identity", {}).keys()
        self.account.rows("begin")
        for type_ in TYPES.values():
            ids = self.qualified(type_, run.since)
            if type_.name == "identity":
                ids |= bereft
            run.qualified += len(ids)
            if ids:
                run.by_type[type_.name]["qualifiedByChange"] = len(ids)
            in_order = sorted(ids)
            for at in range(0, len(in_order), OBJECTS_AT_A_TIME):
                batch = in_order[at:at + OBJECTS_AT_A_TIME]
                found = read(self.world, self.masks, type_, batch)
                run.missing += len(batch) - len(found)
                for id, object in found.items():
                    self.take(run, type_, id, object)
        for name, heads in gone.items():
            run.deletions += len(heads)
            run.by_type[name]["deletions"] = len(heads)
            for id, (head, at) in heads.items():
                self.end(run, TYPES[name], id, head, at)
        self.account.rows("commit")

    def qualified(self, type_, since):
        """Ids of the objects that a run reads: all of them at first, then what changed, or had a part changed."""
        sql = f"select b.id from {type_.table} b {type_.joins} where {type_.where}"
        parameters = []
        if since is not None:
            own = changed("b")
            reasons = [f"{own} >= ?", f"{own} is null"]
            parameters.append(since)
            for query in type_.qualifies:
                reasons.append(f"b.id in (select id from (select 0 id, 0 at where 0 union all {query}) where at >= ?)")
                parameters.append(since)
            sql += f" and ({' or '.join(reasons)})"
        return {row[0] for row in self.world.rows(sql, parameters)}

    def deleted(self, run):
        """Heads of the objects that were noted as deleted since, and when: those that history has as living."""
        gone = {}
        if run.since is None:
            return gone
        noted = "select object_type, object_id, max(object_deleted_date) from spt_intercepted_delete" \
                " where object_deleted_date >= ? group by object_type, object_id"
        for class_name, id, at in self.world.rows(noted, (run.since,)).fetchall():
            tables = {type_.table for type_ in TYPES.values() if class_name == f"sailpoint.object.{type_.class_name}"}
            for type_ in TYPES.values():
                if type_.deletions and type_.table in tables:
                    head = self.account.head(type_.name, id)
                    if head is not None and not head["deleted"]:
                        gone.setdefault(type_.name, {})[id] = (head, at)
        return gone

    def dated(self, run, head, occurred):
        """When a state began that follows the head's: where the source's time does not say so, when it was seen."""
        if occurred > self.floor(head):
            return occurred, None
        return run.started, run.id

    def floor(self, head):
        return head["effective"] if head["seen_run"] is None else self.started[head["seen_run"]]

    def take(self, run, type_, id, object):
        """What becomes of an object that was read."""
        counts = run.by_type[type_.name]
        full = digest(type_.name, object.fields)
        smart = digest(type_.name, significant(type_, object.fields))
        occurred = run.started if object.occurred is None else object.occurred
        head = self.account.head(type_.name, id)
        if head is None or head["deleted"]:
            effective, seen = (occurred, None) if head is None else self.dated(run, head, occurred)
            told = events.discovered(type_, id, object.name, object.owner, object.fields)
            self.capture(run, type_, id, head, object, (full, smart), (effective, seen, occurred), "full", told)
        elif full == head["full"] and occurred <= head["extended"]:
            counts["duplicates"] += 1
        elif smart == head["smart"]:
            counts["unchanged"] += 1
            if occurred > head["extended"]:
                self.extend(type_, id, head, occurred)
        else:
            effective, seen = self.dated(run, head, occurred)
            old = unpacked(head["image"])
            told, properties = events.changed(type_, id, object.name, object.owner, old, object.fields)
            for name in properties:
                run.attributes[type_.name, name] += 1
            self.capture(run, type_, id, head, object, (full, smart), (effective, seen, occurred),
                         self.kind(run, type_, head, old, object.fields), told)

    def kind(self, run, type_, head, old, new):
        """Patch captures up to the configured number after a full one, while that is young enough and a patch is
        shorter than the document."""
        days = self.settings.capture_max_age_in_days
        too_old = days is not None and run.started - self.started[head["full_run"]] > days * DAY_MS
        if head["patches"] >= self.settings.max_allowed_patches or too_old:
            return "full"
        return "patch" if patch_bytes(type_, old, new) < full_bytes(type_.name, new) else "full"

    def extend(self, type_, id, head, occurred):
        """The head's state still stood then."""
        self.account.rows("update head set extended = ? where type = ? and id = ?", (occurred, type_.name, id))
        self.account.rows("update capture set extended = ? where type = ? and id = ? and seq = ?",
                          (occurred, type_.name, id, head["seq"]))

    def capture(self, run, type_, id, head, object, hashes, times, kind, told):
        """Another capture, which is the head from now on."""
        effective, seen, occurred = times
        seq = 0 if head is None else head["seq"] + 1
        owner = object.owner or (None, None)
        image = packed(object.fields)
        patches = 0 if kind == "full" else head["patches"] + 1
        run.by_type[type_.name]["fullCaptures" if kind == "full" else "patchCaptures"] += 1
        self.account.put("capture", dict(
            type=type_.name, id=id, seq=seq, run=run.id, name=object.name, owner_id=owner[0], owner_name=owner[1],
            kind=kind, effective=None if seen else effective, full=hashes[0], smart=hashes[1], deleted=0, image=image,
            parent=None if kind == "full" else seq - 1))
        self.account.put("head", dict(
            type=type_.name, id=id, name=object.name, owner_id=owner[0], owner_name=owner[1], seq=seq,
            effective=effective, seen_run=seen, extended=max(effective, occurred), full=hashes[0], smart=hashes[1],
            patches=patches, full_seq=seq if kind == "full" else head["full_seq"],
            full_run=run.id if kind == "full" else head["full_run"], run=run.id, deleted=0, image=image))
        self.tell(run, type_, id, seq, told)

    def end(self, run, type_, id, head, at):
        """An object is gone: a tombstone."""
        effective, seen = self.dated(run, head, at)
        seq = head["seq"] + 1
        run.by_type[type_.name]["deleted"] += 1
        self.account.put("capture", dict(
            type=type_.name, id=id, seq=seq, run=run.id, name=head["name"], owner_id=head["owner_id"],
            owner_name=head["owner_name"], kind="full", effective=None if seen else effective, full=None, smart=None,
            deleted=1, image=head["image"]))
        self.account.put("head", dict(
            type=type_.name, id=id, name=head["name"], owner_id=head["owner_id"], owner_name=head["owner_name"], seq=seq,
            effective=effective, seen_run=seen, extended=max(effective, at), full="", smart="", patches=0, full_seq=seq,
            full_run=run.id, run=run.id, deleted=1, image=head["image"]))
        self.tell(run, type_, id, seq, events.deleted(type_, id, head["name"], None))

    def tell(self, run, type_, id, seq, told):
        run.by_type[type_.name]["events"] += len(told)
        for table, row in told:
            self.account.put("event", dict(name=table, type=type_.name, id=id, seq=seq, cells=json.dumps(row)))
