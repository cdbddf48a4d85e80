"""What history must hold of the objects: nothing lost, nothing twice."""

import os
from collections import Counter

import events as told
from chains import chains, entities, events, heads, shown
from columns import KEPT
from governance import TYPES
from images import OBJECTS_AT_A_TIME, digest, read
from secrets_masked import Masks
from world import World, begin

# Where the writer's values are in an image.
PLACES = {"identity": "lastname", "account": "displayName", "role": "displayName", "capability": "description"}
# Values of these come back, so that one of them does not tell which change it is of.
RETURNING = ("capability",)


def last_images(source_url, key, folder):
    """By object type and id: the image of each object of the identity system as it is now, worked out from its rows."""
    path = os.path.join(folder, "source")
    begin(source_url, path)
    world, masks, found = World(path), Masks(key), {}
    for type_ in TYPES.values():
        ids = [row[0] for row in world.rows(f"select b.id from {type_.table} b {type_.joins} where {type_.where}")]
        for at in range(0, len(ids), OBJECTS_AT_A_TIME):
            for id, object in read(world, masks, type_, ids[at:at + OBJECTS_AT_A_TIME]).items():
                found[type_.name, id] = object.fields
    return found


class States:
    """One history database beside what the source holds and what was committed there."""

    def __init__(self, history, images, changes, report):
        self.images, self.changes, self.report = images, changes, report
        self.chains = chains(history, report)
        self.events, self.heads, self.entities = events(history), heads(history), entities(history)
        # A run that compares source and history passes over what it expects of the next one.
        self.passes = list(history.rows(
            "select started, ended, task from annals_run where result = 'Success' and scope is null order by id"))
        self.span = next(history.rows("select min(started), max(ended) from annals_run"))
        self.counts = Counter()

    def check(self):
        for key in sorted(self.chains.keys() | self.images.keys() | self.heads.keys() | self.changes.keys()):
            chain = self.chains.get(key, [])
            self.counts["objects"] += 1
            self.counts["captures"] += len(chain)
            self.last(key, chain)
            self.in_a_row(key, chain)
            self.told(key, chain)
            if key in self.changes:
                self.committed(key, chain)
        for capture, rows in self.events.items():
            for table, row in rows:
                self.report.unexpected(table, row["id"], f"capture {capture}", row)

    def say(self, key, expected, found, capture=None):
        self.report.say(KEPT[key[0]].table, capture and capture.id, " ".join(key), expected, found)

    def last(self, key, chain):
        """The newest capture is what the identity system holds, the head leads to it, the entity row says so."""
        last = chain[-1] if chain else None
        image = self.images.get(key)
        if last is None:
            # Gone before anybody looked.
            return None if image is None else self.say(key, "captures", "none")
        if last.fields != image:
            self.say(key, f"last state {shown(image)}", shown(last.fields), last)
        full = "" if image is None else digest(key[0], image)
        head = self.heads.get(key)
        if head != (last.id, full, image is None):
            self.report.say("annals_head", key[1], key[0], (last.id, full, image is None), head)
        entity = KEPT[key[0]].entity
        if entity is not None and self.entities.get(key) != [image is None and entity.deleted]:
            self.report.say(entity.table, key[1], key[0], "one row", self.entities.get(key))
        for capture in chain:
            if not self.span[0] <= capture.created <= self.span[1]:
                self.say(key, f"a time of recording from {self.span[0]} to {self.span[1]}", capture.created, capture)
        if last.latest is not None and [capture.latest for capture in chain] != [0] * (len(chain) - 1) + [1]:
            self.say(key, "the newest capture alone to be the latest", [capture.latest for capture in chain])

    def in_a_row(self, key, chain):
        """No two captures in a row hold the same, and none begins with the one before."""
        for before, capture in zip(chain, chain[1:]):
            if before.deleted and capture.deleted or not capture.deleted and before.smart == capture.smart:
                self.say(key, f"another state than in capture {before.id}", "the same", capture)
            if before.effective >= capture.effective:
                self.say(key, f"a state that begins after {before.effective}", capture.effective, capture)

    def told(self, key, chain):
        """Each capture has the events of its difference from the one before, and no others."""
        before = None
        for capture in chain:
            found = self.events.pop(capture.id, [])
            wanted = expected_events(key, before, capture)
            for table, cells in wanted:
                cells |= {"event_date": capture.effective, "prev_capture_id": before.id if before else None}
                self.counts["events"] += 1
                same = next((one for one in found if one[0] == table and matches(one[1], cells)), None)
                if same is None:
                    self.report.missing(table, f"{' '.join(key)}, capture {capture.id}", cells)
                else:
                    found.remove(same)
            for table, row in found:
                self.report.unexpected(table, row["id"], f"{' '.join(key)}, capture {capture.id}", row)
            before = capture

    def committed(self, key, chain):
        """States in the order in which they were committed, each at most once, none that was rolled back, none left
        out that stood while a run began and ended."""
        found = [(capture.fields and capture.fields.get(PLACES[key[0]]), capture.effective) for capture in chain]
        if key[0] == "identity":
            # People are captured anew when an account of theirs changes, too.
            found = [state for nth, state in enumerate(found) if nth == 0 or state[0] != found[nth - 1][0]]
        changes, at, seen = self.changes[key], 0, set()
        for value, effective in found:
            places = [nth for nth in range(at, len(changes)) if changes[nth].value == value]
            # One end is like the other but for when it came.
            exact = [nth for nth in places if value is None and changes[nth].written == effective]
            if not places:
                return self.say(key, "states in the order in which they were committed", f"{value} after change {at}")
            place = (exact or places)[0]
            seen.add(place)
            at = place + (key[0] not in RETURNING)
        self.counts["changes"] += len(changes)
        if key[0] in RETURNING:
            return None
        for nth, change in enumerate(changes):
            until = changes[nth + 1].committing if nth + 1 < len(changes) else None
            # The end of an object that history does not have as living is no news: it came and went between two runs.
            known = max((place for place in seen if place < nth), default=None)
            is_news = change.value is not None or known is not None and changes[known].value is not None
            if nth not in seen and is_news and change.answered is not None and until and self.passed(key[0], change.answered, until):
                self.say(key, f"a capture of {change.value}, which stood from {change.answered} to {until}", "none")
        return None

    def passed(self, object_type, since, until):
        """Whether a run of the type's task began and ended in this time."""
        task = "People" if object_type in ("identity", "account") else "Governance"
        return any(of == task and since < started and ended < until for started, ended, of in self.passes)


def matches(row, cells):
    """Whether a row has these cells, and nothing else that tells something."""
    free = ("id", "created", "capture_id")
    return all(row[column] == cells.get(column) for column in row if column not in free)


def expected_events(key, before, capture):
    type_ = TYPES[key[0]]
    if capture.fields is None and not capture.deleted:
        # It could not be read back, which has been said.
        return []
    if before is not None and before.fields is None and not before.deleted:
        return []
    name = capture.name or (capture.fields or {}).get("displayableName") or key[1]
    if capture.deleted:
        return told.deleted(type_, key[1], name, None)
    if before is None or before.deleted:
        return told.discovered(type_, key[1], name, capture.owner, capture.fields)
    return told.changed(type_, key[1], name, capture.owner, before.fields, capture.fields)[0]
