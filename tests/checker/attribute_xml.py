"""Columns of attribute XML as JSON, by the table of element forms that the attribute decoder documents."""

import json
from xml.etree import ElementTree

SPACE = " \t\r\n"
SCALARS = {"String", "Boolean", "Integer", "Long", "Date", "Float", "Double", "DateString", "TimeString", "Class", "null"}
MAPS = {"Map", "Attributes"}


def canonical(value):
    """A value as text: members sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse(text):
    """The value that a column's text holds; nothing for blank text."""
    if text is None or not text.strip(SPACE):
        return None
    if text.startswith("<?xml") or "<!DOCTYPE" in text:
        text = text[text.index("<", text.index("<!DOCTYPE") + 1):] if "<!DOCTYPE" in text else text[text.index("?>") + 2:]
    roots = [value_of(root) for root in ElementTree.fromstring(f"<roots>{text}</roots>")]
    return roots[0] if len(roots) == 1 else roots


def own_text(element):
    return (element.text or "") + "".join(child.tail or "" for child in element)


def value_of(element):
    """What an element becomes."""
    name = element.tag
    text = own_text(element)
    has_children = len(element) > 0
    if name in SCALARS:
        if has_children or element.attrib or name == "null" and text.strip(SPACE):
            return tree_of(element)
        return scalar(name, text)
    if name in ("List", "Set") and not text.strip(SPACE):
        items = [value_of(child) for child in element]
        if name == "Set":
            distinct = {canonical(item): item for item in items}
            items = [distinct[key] for key in sorted(distinct, key=str.encode)]
        return items
    if name in MAPS and not text.strip(SPACE):
        members = members_of(element)
        return tree_of(element) if members is None else members
    return tree_of(element)


def scalar(name, text):
    plain = text.strip(SPACE)
    if name == "String":
        return text
    if name == "null":
        return None
    if name == "Boolean":
        known = {"": False, "false": False, "true": True}
        return known.get(plain.lower(), plain)
    if name in ("Integer", "Long", "Date"):
        if not plain:
            return None
        digits = plain[1:] if plain[0] in "+-" else plain
        if digits.isascii() and digits.isdigit() and -(2**63) <= int(plain) < 2**64:
            return int(plain)
        return plain
    if name in ("Float", "Double"):
        return float(plain) if plain else None
    return plain


def members_of(element):
    """The members of a map; nothing if it holds what no map can hold."""
    members = {}
    for child in element:
        if child.tag == "entry":
            key, value = entry_of(child)
            members[key] = value
        elif child.tag in MAPS:
            inner = members_of(child)
            if inner is None:
                return None
            members.update(inner)
        else:
            return None
    return members


def entry_of(entry):
    key = entry.get("key")
    values = []
    for child in entry:
        if child.tag == "key":
            key = key_text(slot_of(child))
        elif child.tag == "value":
            values.extend(slot_of(child))
        else:
            values.append(value_of(child))
    text = own_text(entry).strip(SPACE)
    if text:
        values.append(text)
    if not values:
        return key or "", entry.get("value")
    return key or "", values[0] if len(values) == 1 else values


def slot_of(element):
    values = [value_of(child) for child in element]
    text = own_text(element).strip(SPACE)
    return [*values, text] if text else values


def key_text(parts):
    key = parts[0] if len(parts) == 1 else parts
    if key is None or key == []:
        return ""
    return key if isinstance(key, str) else canonical(key)


def tree_of(element):
    """Any other element: its name, its XML attributes, what is inside."""
    reserved = {"_type", "children", "entries", "text"}
    tree = {f"@{name}" if name in reserved else name: value for name, value in element.attrib.items()}
    tree["_type"] = element.tag
    children = [value_of(child) for child in element]
    if children:
        tree["children"] = children
    text = own_text(element).strip(SPACE)
    if text:
        tree["text"] = text
    return tree
