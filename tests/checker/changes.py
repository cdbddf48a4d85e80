"""What tells two images of an object apart, as docs/events.md and ARCHITECTURE.md say it: absent, null and an empty list
are the same; sets are compared element by element, found by their key; members of `attributes` are properties."""

from dataclasses import dataclass

from attribute_xml import canonical


@dataclass
class Change:
    """A property that differs; of a set also what came, went, and changed."""

    name: str
    old: object
    new: object
    came: list | None = None
    went: list | None = None
    differ: list | None = None

    @property
    def is_set(self):
        return self.came is not None

    def happenings(self):
        """One (before, after) for a plain property, one an element for a set, names of others left aside."""
        if not self.is_set:
            pairs = [(self.old, self.new)]
        elif self.name.startswith("attributes.") and is_replaced(self.old, self.new):
            pairs = [(as_list(self.old)[0], as_list(self.new)[0])]
        else:
            pairs = [(old, None) for old in self.went] + self.differ + [(None, new) for new in self.came]
        return [(old, new) for old, new in pairs if not is_other_name(old, new)]


def is_replaced(old, new):
    """A list of one value became a list of one value."""
    lists = (as_list(old), as_list(new))
    return all(len(items) == 1 and not isinstance(items[0], dict) for items in lists)


def is_other_name(old, new):
    """Both refer to one object, which has another name now: that is an event of that object."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return False
    only_names = all(side.keys() <= {"id", "name", "class", "_type"} for side in (old, new))
    return only_names and old.get("id") is not None and old["id"] == new.get("id")


def as_list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def changes(type_, old, new):
    """The significant properties that differ."""
    keys = {set_.name: set_.key for set_ in type_.sets}
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name in type_.insignificant:
            continue
        before, after = old.get(name), new.get(name)
        if name == "attributes" and all(side is None or isinstance(side, dict) for side in (before, after)):
            before, after = before or {}, after or {}
            for member in sorted(before.keys() | after.keys()):
                found.append(change(f"attributes.{member}", before.get(member), after.get(member), None))
        else:
            found.append(change(name, before, after, keys.get(name)))
    return [change for change in found if change is not None]


def change(name, old, new, key):
    if old == new and canonical(old) == canonical(new) or not old and not new and old in (None, []) and new in (None, []):
        return None
    lists = [isinstance(side, list) for side in (old, new)]
    many = name.startswith("attributes.")
    could_be = [side is None or is_list or many and not isinstance(side, dict) for side, is_list in zip((old, new), lists)]
    if not (any(lists) and all(could_be)):
        return Change(name, old, new)
    came, went, differ = elements(as_list(old), as_list(new), key)
    if not (came or went or differ):
        return None
    return Change(name, old, new, came, went, differ)


def elements(old, new, key):
    """What came, what went, and pairs that have a key in common, of two lists as sets."""
    old, new = without_common(old, new), without_common(new, old)
    if not key:
        key = next(((name,) for name in ("id", "name") if tells_apart(name, old) and tells_apart(name, new)), None)

    def key_of(item):
        if key and isinstance(item, dict):
            return tuple(canonical(item.get(member)) for member in key)
        return canonical(item)

    waiting = {}
    for item in old:
        waiting.setdefault(key_of(item), []).append(item)
    came, differ = [], []
    for item in new:
        same = waiting.get(key_of(item))
        if same:
            differ.append((same.pop(0), item))
        else:
            came.append(item)
    return came, [item for items in waiting.values() for item in items], differ


def without_common(items, others):
    """The items without those that the others have as well, each as often as they have it."""
    left = {}
    for other in others:
        text = canonical(other)
        left[text] = left.get(text, 0) + 1
    kept = []
    for item in items:
        text = canonical(item)
        if left.get(text):
            left[text] -= 1
        else:
            kept.append(item)
    return kept


def tells_apart(name, items):
    values = [item.get(name) if isinstance(item, dict) else None for item in items]
    return all(isinstance(value, (str, int)) for value in values) and len(set(values)) == len(values)


def patch_bytes(type_, old, new):
    """How long the shortest patch is that works element by element: one operation for each that came or went."""
    keys = {set_.name: set_.key for set_ in type_.sets}
    operations = list(steps("/eventImage/imageFields", old, new, keys))
    return 2 + sum(len(canonical(operation).encode()) + 1 for operation in operations) - bool(operations)


def steps(path, old, new, keys=None):
    """The operations of a patch; the places of elements are only about right, which their number of digits allows."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            place = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in new:
                yield {"op": "remove", "path": place}
            elif name not in old:
                yield {"op": "add", "path": place, "value": new[name]}
            elif isinstance(old[name], list) and isinstance(new[name], list):
                yield from list_steps(place, old[name], new[name], keys and keys.get(name))
            else:
                yield from steps(place, old[name], new[name])
    elif canonical(old) != canonical(new):
        yield {"op": "replace", "path": path, "value": new}


def list_steps(path, old, new, key):
    came, went, differ = elements(old, new, key)
    for item in went:
        yield {"op": "remove", "path": f"{path}/{old.index(item)}"}
    for before, after in differ:
        yield from steps(f"{path}/{new.index(after)}", before, after)
    for item in came:
        yield {"op": "add", "path": f"{path}/{new.index(item)}", "value": item}
