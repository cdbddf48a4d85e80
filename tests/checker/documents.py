"""Documents of captures, read back by our own means: zlib, RFC 6902, SHA-256."""

import json
import zlib

from attribute_xml import canonical

DOCUMENT_BYTES_MAX = 100_000_000
TRANSFORM = "AccessHistoryImageConfig"
# COMPACT is left out: what only Annals can write and read, its own tests look at.
FORMATS = ("ZIPPED", "MINIFIED", "PRETTY")


class Unreadable(Exception):
    """A document that cannot be read back."""


def document(stored, json_format):
    """The JSON of stored bytes."""
    stored = bytes(stored)
    if json_format not in FORMATS:
        raise Unreadable(f"format {json_format}, of which this program can read none but {', '.join(FORMATS)}")
    if json_format == "ZIPPED":
        inflater = zlib.decompressobj()
        try:
            stored = inflater.decompress(stored, DOCUMENT_BYTES_MAX)
        except zlib.error as error:
            raise Unreadable(f"not zlib: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise Unreadable("zlib that ends too early or too late")
    try:
        return json.loads(stored)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error


def patched(value, operations):
    """A copy of a value after RFC 6902 operations."""
    value = json.loads(json.dumps(value))
    try:
        for operation in operations:
            value = applied(value, operation)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unreadable(f"a patch that does not fit: {error!r}") from error
    return value


def applied(value, operation):
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in operation["path"].split("/")[1:]]
    kind = operation["op"]
    if kind not in ("add", "remove", "replace"):
        raise ValueError(f"operation {kind}")
    if not tokens:
        if kind == "remove":
            raise ValueError("the whole document removed")
        return operation["value"]
    place = value
    for token in tokens[:-1]:
        place = place[index(token, place)] if isinstance(place, list) else place[token]
    last = tokens[-1]
    if isinstance(place, list):
        if kind == "add":
            at = len(place) if last == "-" else index(last, place)
            if at > len(place):
                raise IndexError(at)
            place.insert(at, operation["value"])
        elif kind == "remove":
            del place[index(last, place)]
        else:
            place[index(last, place)] = operation["value"]
    elif kind == "remove":
        del place[last]
    elif kind == "replace" and last not in place:
        raise KeyError(last)
    else:
        place[last] = operation["value"]
    return value


def index(token, items):
    """A place in a list, never counted from its end."""
    if not token.isdigit() or token != str(int(token)):
        raise ValueError(f"no place in a list: {token}")
    return int(token)


def event_id(capture_id):
    """A capture's id, written as a UUID."""
    parts = capture_id[:8], capture_id[8:12], capture_id[12:16], capture_id[16:20], capture_id[20:]
    return "-".join(parts)


def captured(capture_id, object_type, fields):
    """The whole document of a capture."""
    return {"transformationConfigName": TRANSFORM, "eventId": event_id(capture_id), "operation": "capture",
            "eventImage": {"imageFields": fields, "imageType": object_type}}


def gone(capture_id):
    """The document of a tombstone."""
    return {"transformationConfigName": TRANSFORM, "eventId": event_id(capture_id), "operation": "delete"}


def full_bytes(object_type, fields):
    """How long a whole document is, whatever its id."""
    return len(canonical(captured("0" * 32, object_type, fields)).encode())
