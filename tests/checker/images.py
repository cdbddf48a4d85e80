"""Images: the JSON document of an object at an instant, out of the rows of the world."""

import hashlib
from dataclasses import dataclass

from attribute_xml import canonical, parse
from objects import changed
from secrets_masked import NAMES

OBJECTS_AT_A_TIME = 2000


@dataclass
class Read:
    """An object as a run reads it."""

    name: str
    owner: tuple | None
    occurred: int
    fields: dict


def digest(type_name, fields):
    """SHA-256 of an image's canonical bytes, cut to 40 upper-case digits."""
    return hash_of({"imageFields": fields, "imageType": type_name})


def hash_of(image):
    return hashlib.sha256(canonical(image).encode()).hexdigest()[:40].upper()


def significant(type_, fields):
    """An image's fields without those of which a change alone means nothing."""
    return {name: value for name, value in fields.items() if name not in type_.insignificant}


def read(world, masks, type_, ids):
    """Those of the objects that are there, by id."""
    world.want(ids)
    drafts = base_rows(world, type_)
    for set_ in type_.sets:
        for fields in drafts.values():
            fields[2][set_.name] = []
        for parent, element in elements(world, set_):
            if parent in drafts:
                drafts[parent][2][set_.name].append(element)
    since = {id: draft[3] for id, draft in drafts.items()}
    for query in type_.qualifies:
        newest = f"select id, max(at) from (select 0 id, 0 at where 0 union all {query}) where id in wanted group by id"
        for id, at in world.rows(newest):
            if id in since and at is not None:
                since[id] = max(at, since[id] or at)
    return {
        id: Read(name or id, owner, since[id], finished(masks, type_, id, fields))
        for id, (name, owner, fields, _) in drafts.items()
    }


def base_rows(world, type_):
    expressions = ["b.id", type_.title or "null", *(type_.owner or ("null", "null")), changed("b")]
    places = []
    for name, expression, form in type_.fields:
        parts = expression if isinstance(form, tuple) else (expression,)
        places.append((name, form, len(expressions), len(parts)))
        expressions.extend(parts)
    sql = (f"select {', '.join(expressions)} from wanted join {type_.table} b on b.id = wanted.id {type_.joins}"
           f" where {type_.where}")
    drafts = {}
    for row in world.rows(sql):
        fields = {}
        for name, form, at, width in places:
            if isinstance(form, tuple):
                members = dict(zip(form, row[at:at + width]))
                fields[name] = None if row[at] is None else members
            else:
                fields[name] = decoded(row[at], form)
        owner = (row[2], row[3] or row[2]) if row[2] else None
        assert row[0] not in drafts, f"two rows for {type_.name} {row[0]}"
        drafts[row[0]] = (row[1], owner, fields, row[4])
    return drafts


def elements(world, set_):
    expressions = [set_.parent, *(expression for _, expression, _ in set_.element)]
    # From the objects to their parts, so that an index leads there.
    sql = (f"select {', '.join(expressions)} from wanted join {set_.source} where {set_.parent} = wanted.id"
           f" and {set_.where}")
    for row in world.rows(sql):
        if set_.plain:
            if row[1] is not None:
                yield row[0], decoded(row[1], set_.element[0][2])
            continue
        yield row[0], {name: decoded(cell, form) for (name, _, form), cell in zip(set_.element, row[1:])}


def decoded(cell, form):
    if form == "flag":
        return bool(cell)
    if cell is None or form in ("plain", "time", "secret"):
        return cell
    if form == "xml":
        return parse(cell)
    return [part.strip() for part in cell.split(",") if part.strip()]


def finished(masks, type_, id, fields):
    """Secrets masked, sets in order and without repetition, no member without a value."""
    forms = {name: form for name, _, form in type_.fields}
    keys = {set_.name: set_.key for set_ in type_.sets}
    image = {}
    for name, value in fields.items():
        form = forms.get(name)
        if value is None:
            continue
        is_secret = form == "secret" or name.lower() in NAMES
        value = masks.mask(value, id, (name,)) if is_secret else masks.within(value, id, (name,))
        if name in keys:
            value = in_order(value, keys[name])
        value = without_nothing(value)
        if form in ("xml", "list"):
            value = alike(value)
        image[name] = value
    return image


def in_order(items, key):
    """A set by its key, then by all of it."""
    distinct = {canonical(item): item for item in items}

    def place(text):
        return [canonical(distinct[text].get(member)).encode() for member in key], text.encode()

    return [distinct[text] for text in sorted(distinct, key=place)]


def without_nothing(value):
    if isinstance(value, dict):
        return {name: without_nothing(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nothing(item) for item in value]
    return value


def alike(value):
    """What means the same is the same: lists are sets, and a list of one plain value is that value. Elements of XML
    that are no part of the value grammar keep their order."""
    if isinstance(value, list):
        items = in_order([alike(item) for item in value], ())
        return items[0] if len(items) == 1 and not isinstance(items[0], (dict, list)) else items
    if isinstance(value, dict) and "_type" not in value:
        return {name: alike(member) for name, member in value.items()}
    return value
