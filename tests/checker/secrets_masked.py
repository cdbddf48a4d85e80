"""How secrets stand in images: a keyed hash tells a changed one from an unchanged one, and the value stays out."""

import hashlib
import hmac
import re

from attribute_xml import canonical

NAMES = {"password", "passwordhistory", "answer", "userpassword", "unicodepwd", "clientsecret", "privatekey", "passphrase"}
ENCRYPTED = re.compile(r"\s*[0-9]+:(ACP:)?[A-Za-z0-9+/=]{20,}\s*\Z")
NAMING = ("_type", "name", "attribute", "property", "key")
KEPT = {"_type", "name", "attribute", "property", "key", "op", "operation", "type"}


class Masks:
    """Masks under an installation's key."""

    def __init__(self, key):
        self.key = key.encode()

    def mask(self, value, object_id, path):
        """The mask of a whole value at the end of a path of member names."""
        digest = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in [object_id, canonical(value), *reversed(path)]:
            part = part.encode()
            digest.update(len(part).to_bytes(8, "big") + part)
        return {"_masked": True, "changed": digest.hexdigest()[:16]}

    def within(self, value, object_id, path=()):
        """A value with all that is secret inside it masked."""
        if isinstance(value, str):
            if value[:1] in "0123456789 \t" and ENCRYPTED.match(value):
                return self.mask(value, object_id, path)
            return value
        if isinstance(value, list):
            return [self.within(item, object_id, path) for item in value]
        if isinstance(value, dict):
            return self.within_members(value, object_id, path)
        return value

    def within_members(self, members, object_id, path):
        about = None
        if members.get("_type") != "Reference":
            named = (members.get(member) for member in NAMING)
            about = next((name.lower() for name in named if isinstance(name, str) and name.lower() in NAMES), None)
        if about is not None:
            kept = KEPT if "_type" in members else members.keys() - {"value", "values"}
            members = {
                name: value if name in kept or value is None else self.mask(value, object_id, (*path, about, name))
                for name, value in members.items()
            }
            path = (*path, about)
        masked = {}
        for name, value in members.items():
            if name.lower() in NAMES:
                masked[name] = value if value is None else self.mask(value, object_id, (*path, name))
            else:
                masked[name] = self.within(value, object_id, (*path, name))
        return masked
