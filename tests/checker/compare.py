"""Everything that must be there beside everything that is there: captures with their documents and child rows, events,
heads and entity rows."""

import json
from itertools import groupby

from account import unpacked
from attribute_xml import canonical
from columns import EVENT_TABLES, KEPT, row_of, stored
from documents import Unreadable, captured, document, gone, patched
from images import hash_of
from report import shown

SOURCE = "identityiq"
REQUEST_CAPTURE = "identity_request_capture_id"
# Columns of heads that hold bytes, and how the same stands elsewhere as digits.
HEX = {("capture_id", "full_capture_id"): str.lower, ("full_hash", "smart_hash"): str.upper}


def merged(expected, found, key_expected, key_found):
    """Groups with one key of two streams that are in the order of their keys: key, expected ones, found ones."""
    groups = [iter(groupby(expected, key_expected)), iter(groupby(found, key_found))]

    def following(stream):
        group = next(stream, None)
        return None if group is None else (group[0], list(group[1]))

    heads = [following(stream) for stream in groups]
    while any(heads):
        key = min(head[0] for head in heads if head)
        present = [head is not None and head[0] == key for head in heads]
        yield (key, *(head[1] if here else [] for head, here in zip(heads, present)))
        heads = [following(stream) if here else head for stream, head, here in zip(groups, heads, present)]


class Comparison:
    """One history database beside the account of what it must hold."""

    def __init__(self, history, account, runs, report, json_format):
        self.history = history
        self.account = account
        self.runs = {run.id: run for run in runs}
        self.report = report
        self.json_format = json_format
        self.columns = history.columns("spt_hist_") | history.columns("annals_")

    def stream(self, table, *order, where="1 = 1"):
        """Rows of a table as cells by column, in the order of these; `#` marks a number."""
        columns = self.columns[table]
        by = ", ".join(name[1:] if name.startswith("#") else self.history.by_bytes(name) for name in order)
        for row in self.history.rows(f"select {', '.join(columns)} from {table} where {where} order by {by}"):
            yield dict(zip(columns, row))

    def run_at(self, instant):
        """The run during which something happened."""
        return next((run.id for run in self.runs.values() if run.started <= (instant or 0) <= run.ended), None)

    def captures(self):
        """Captures, the documents in them, and their child rows."""
        for name, kept in KEPT.items():
            expected = self.account.rows("select * from capture where type = ? order by id, seq", (name,))
            found = self.stream(kept.table, kept.object_id, "#created", "id")
            self.account.rows("begin")
            for id, wanted, rows in merged(expected, found, lambda row: row["id"], lambda row: row[kept.object_id]):
                self.captures_of(name, kept, id, [dict(row) for row in wanted], rows)
            self.account.rows("commit")
            for child in kept.children:
                self.children(child)

    def captures_of(self, name, kept, id, wanted, rows):
        by_run = {capture["run"]: capture for capture in wanted}
        for row in rows:
            capture = by_run.get(self.run_at(row["created"]))
            if capture is None or "row" in capture:
                cells = {column: value for column, value in row.items() if column not in ("json", "id")}
                self.report.saw(kept.table)
                self.report.unexpected(kept.table, row["id"], f"{name} {id}", cells)
            else:
                capture["row"] = row
        before = None
        for capture in wanted:
            object = f"{name} {id} ({capture['name']})"
            image = unpacked(capture["image"])
            if "row" not in capture:
                told = {column: capture[column] for column in ("run", "kind", "effective", "full", "deleted")}
                self.report.saw(kept.table)
                self.report.missing(kept.table, object, told)
            else:
                self.capture(name, kept, capture, object, image, before, is_last=capture is wanted[-1])
            before = (capture, image)

    def capture(self, name, kept, capture, object, image, before, is_last):
        row = capture["row"]
        run = self.runs[capture["run"]]
        dated = capture["effective"]
        if dated is None and run.started <= row["effective_date"] <= run.ended:
            # The source does not say when, so it is when it was seen.
            dated = row["effective_date"]
        parent = before[0].get("row", {}).get("id") if capture["parent"] is not None else None
        cells = {column: None for column in row if column not in ("id", "created", "json")}
        cells |= {
            kept.object_id: capture["id"], "transform_type": capture["kind"], "patch_doc_parent": parent,
            "effective_date": dated, "extended_to_date": capture["extended"], "json_format": self.json_format,
            "full_hash": capture["full"], "smart_hash": capture["smart"],
        }
        if kept.name:
            cells[kept.name] = stored(kept.table, kept.name, capture["name"])
        if kept.owned:
            cells["identity_id"] = capture["owner_id"] or ""
            cells["identity_name"] = stored(kept.table, "identity_name", capture["owner_name"] or "")
        if "deleted" in row:
            cells["deleted"] = capture["deleted"]
        if "latest" in row:
            cells["latest"] = int(is_last)
        filled = row_of(kept.table, kept.columns, image)
        cells |= {column: filled[column] for column in kept.inherited} if capture["deleted"] else filled
        if REQUEST_CAPTURE in row:
            cells[REQUEST_CAPTURE] = self.request_capture(row, capture)
        self.report.cells(kept.table, row["id"], object, cells, row)
        self.document(kept.table, row, capture, object, image, before and before[1])
        self.account.rows(
            "update capture set capture_id = ?, created = ?, dated = ? where type = ? and id = ? and seq = ?",
            (row["id"], row["created"], row["effective_date"], name, capture["id"], capture["seq"]))
        if not capture["deleted"]:
            for child in kept.children:
                for idx, element in enumerate(image[child.set_name]):
                    filled = row_of(child.table, child.columns, element)
                    self.account.put("child", dict(
                        name=child.table, capture_id=row["id"], idx=idx,
                        cells=json.dumps([object, filled], ensure_ascii=False)))

    def request_capture(self, row, capture):
        """The capture of an item's request: of this run, or where there is none, the one before. Where there are both,
        which of them it is depends on which of the two objects was written first."""
        known = self.account.rows(
            "select capture_id, run from capture where type = 'identityRequest' and id = ? and run <= ?"
            " order by seq desc", (row["identity_request_id"], capture["run"])).fetchall()
        right = [known_capture["capture_id"] for known_capture in known[:1]]
        if known and known[0]["run"] == capture["run"]:
            right += [known_capture["capture_id"] for known_capture in known[1:2]]
        return row[REQUEST_CAPTURE] if row[REQUEST_CAPTURE] in right else (right or [None])[0]

    def document(self, table, row, capture, object, image, image_before):
        """Reads a document back, a patch over the document that must have been there before it."""
        self.report.saw("documents")
        expected = gone(row["id"]) if capture["deleted"] else captured(row["id"], capture["type"], image)
        try:
            found = document(row["json"], row["json_format"])
            if row["transform_type"] == "patch" and image_before is not None:
                found = patched(captured(row["id"], capture["type"], image_before), found)
        except Unreadable as problem:
            self.report.say(table, row["id"], object, "a document", problem)
            return
        if isinstance(found, dict) and not capture["deleted"] and hash_of(found.get("eventImage")) == capture["full"]:
            found["eventImage"] = expected["eventImage"]
        if found != expected:
            self.report.say(table, row["id"], object, *apart(expected, found))

    def children(self, child):
        """Child rows of one table."""
        expected = self.account.rows(
            "select capture_id, idx, cells from child where name = ? order by capture_id, idx", (child.table,))
        found = self.stream(child.table, child.parent, "#idx")
        for (capture_id, idx), wanted, rows in merged(
                expected, found, lambda row: (row["capture_id"], row["idx"]), lambda row: (row[child.parent], row["idx"])):
            id = f"{capture_id}/{idx}"
            if not wanted:
                self.report.saw(child.table)
                self.report.unexpected(child.table, id, f"capture {capture_id}", rows[0])
                continue
            object, filled = json.loads(wanted[0]["cells"])
            if not rows:
                self.report.saw(child.table)
                self.report.say(child.table, id, object, shown(filled), "no such row")
                continue
            cells = {column: None for column in rows[0]} | {child.parent: capture_id, "idx": idx} | filled
            self.report.cells(child.table, id, object, cells, rows[0])

    def events(self):
        """Events: those of a capture are a set."""
        for table in EVENT_TABLES.values():
            expected = self.account.rows(
                "select e.cells, e.type, e.id, c.capture_id, c.created, c.dated, before.capture_id as before_id"
                " from event e join capture c on c.type = e.type and c.id = e.id and c.seq = e.seq"
                " left join capture before on before.type = e.type and before.id = e.id and before.seq = e.seq - 1"
                " where e.name = ? and c.capture_id is not null order by c.capture_id", (table,))
            found = self.stream(table, "capture_id")
            for capture_id, wanted, rows in merged(
                    expected, found, lambda row: row["capture_id"], lambda row: row["capture_id"] or ""):
                self.events_of(table, capture_id, wanted, rows)

    def events_of(self, table, capture_id, wanted, rows):
        blank = dict.fromkeys(column for column in self.columns[table] if column != "id")
        left = []
        for event in wanted:
            self.report.saw(table)
            cells = blank | json.loads(event["cells"]) | {
                "created": event["created"], "event_date": event["dated"], "capture_id": capture_id,
                "prev_capture_id": event["before_id"]}
            same = next((row for row in rows if all(row[column] == value for column, value in cells.items())), None)
            if same is None:
                left.append((f"{event['type']} {event['id']}", cells))
            else:
                rows.remove(same)
        for object, cells in left:
            # The row that is most like it is taken for it, unless it is like nothing that is there.
            likeness = [sum(row[column] == value for column, value in cells.items()) for row in rows]
            best = max(range(len(rows)), key=likeness.__getitem__, default=None)
            if best is not None and likeness[best] >= len(cells) - 4:
                row = rows.pop(best)
                self.report.compared[table] -= 1
                self.report.cells(table, row["id"], object, cells, row)
            else:
                self.report.missing(table, object, cells)
        for row in rows:
            self.report.saw(table)
            self.report.unexpected(table, row["id"], f"capture {capture_id}", row)

    def heads(self):
        """The newest state of each object."""
        expected = self.account.rows(
            "select h.*, c.capture_id, c.dated, whole.capture_id as full_id from head h"
            " left join capture c on c.type = h.type and c.id = h.id and c.seq = h.seq"
            " left join capture whole on whole.type = h.type and whole.id = h.id and whole.seq = h.full_seq"
            " order by h.type, h.id")
        found = self.stored_heads()
        for (name, id), wanted, rows in merged(
                expected, found, lambda row: (row["type"], row["id"]), lambda row: (row["object_type"], row["object_id"])):
            if not wanted or len(rows) > 1:
                self.report.saw("annals_head")
                self.report.unexpected("annals_head", id, name, rows[-1])
                continue
            head = wanted[0]
            object = f"{name} {id} ({head['name']})"
            # What another column tells is null.
            cells = {
                "source": SOURCE, "name": head["name"], "capture_id": head["capture_id"],
                "effective_date": head["dated"], "extended_to_date": unless(head["extended"], head["effective"]),
                "full_hash": head["full"], "smart_hash": unless(head["smart"], head["full"]),
                "patches_since_full": head["patches"], "full_capture_id": unless(head["full_id"], head["capture_id"]),
                "deleted": head["deleted"]}
            if not rows:
                self.report.saw("annals_head")
                self.report.missing("annals_head", object, cells)
                continue
            row = rows[0]
            read, full_read = row["observed_date"], row["full_observed_date"]
            row |= {"full read in run": self.run_at(read if full_read is None else full_read),
                    "read in a run": self.run_at(read) is not None}
            cells |= {"full read in run": head["full_run"], "read in a run": True}
            self.report.cells("annals_head", id, object, cells, row)

    def stored_heads(self):
        """Heads in the order of type and id: what they refer to in its place, ids and hashes as digits."""
        columns = [name for name in self.columns["annals_head"] if name != "kind"]
        by = ", ".join(map(self.history.by_bytes, ("k.object_type", "h.object_id")))
        for source, object_type, *cells in self.history.rows(
                f"select k.source, k.object_type, {', '.join(f'h.{name}' for name in columns)} from annals_head h"
                f" left join annals_object_kind k on k.id = h.kind order by {by}"):
            row = {"source": source, "object_type": object_type or ""} | dict(zip(columns, cells))
            for names, digits in HEX.items():
                row |= {name: digits(bytes(row[name]).hex()) for name in names if row[name] is not None}
            yield row

    def entities(self):
        """The rows that say what each object is now."""
        for name, kept in KEPT.items():
            if kept.entity is None:
                continue
            table, entity = kept.entity.table, kept.entity
            expected = self.account.rows(
                "select h.id, h.name, h.image, h.deleted, c.capture_id, c.created, c.dated,"
                " first.capture_id as first_id, first.created as first_created from head h"
                " join capture c on c.type = h.type and c.id = h.id and c.seq = h.seq"
                " join capture first on first.type = h.type and first.id = h.id and first.seq = 0"
                " where h.type = ? order by h.id", (name,))
            found = self.stream(table, entity.object_id)
            for id, wanted, rows in merged(
                    expected, found, lambda row: row["id"], lambda row: row[entity.object_id]):
                if not wanted or len(rows) > 1:
                    self.report.saw(table)
                    self.report.unexpected(table, rows[-1]["id"], f"{name} {id}", rows[-1])
                else:
                    self.entity(name, entity, wanted[0], rows)

    def entity(self, name, entity, head, rows):
        table, object = entity.table, f"{name} {head['id']} ({head['name']})"
        image = unpacked(head["image"])
        cells = {
            "id": head["first_id"], "created": head["first_created"], "modified": head["created"],
            "significant_modified": head["dated"], entity.object_id: head["id"]} | row_of(table, entity.columns, image)
        if entity.name:
            cells[entity.name] = stored(table, entity.name, head["name"])
        if entity.deleted:
            cells["deleted"] = head["deleted"]
        if not rows:
            self.report.saw(table)
            self.report.missing(table, object, cells)
            return
        row = rows[0]
        self.report.cells(table, row["id"], object, cells, row)
        if "json" in row:
            # There is no column for the format: zlib begins with an x.
            json_format = "ZIPPED" if bytes(row["json"])[:1] == b"x" else "MINIFIED"
            capture = {"type": name, "deleted": head["deleted"], "full": None}
            held = {"id": head["capture_id"], "json": row["json"], "json_format": json_format, "transform_type": "full"}
            self.document(table, held, capture, object, image, None)


def unless(value, same):
    """A value that is left out where it is the same as another."""
    return None if value == same else value


def apart(expected, found, path=""):
    """The first place where two values differ, and what stands there: expected, found."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name) or (name in expected) != (name in found):
                return apart(expected.get(name), found.get(name), f"{path}/{name}")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for nth, (one, other) in enumerate(zip(expected, found)):
            if one != other:
                return apart(one, other, f"{path}/{nth}")
    return f"document with {path} = {canonical(expected)}", f"{path} = {canonical(found)}"
