"""What the description of the interface cannot say in words of JSON Schema: which texts are conditions, and which tokens lead on.

Read by schemathesis (`SCHEMATHESIS_HOOKS`); see CONTRIBUTING.md, "The REST interface from outside".
"""

import re

import schemathesis
from hypothesis import strategies as st

# True of some objects of every class, or of none, and readable for all: `id`, `name` and `deleted` are everywhere.
_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
_quoted = _text.map(lambda text: "'" + text.replace("'", "''") + "'")
_compared = st.tuples(
    st.sampled_from(["id", "name"]), st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), _quoted
).map(" ".join)
_called = st.tuples(st.sampled_from(["startswith", "endswith", "contains"]), _quoted).map(
    lambda call: f"{call[0]}(name,{call[1]})"
)
_flag = st.sampled_from(["deleted eq false", "deleted ne true", "not deleted eq true"])
_conditions = st.recursive(
    _compared | _called | _flag,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
        lambda pair: f"({pair[0]} {pair[1]} {pair[2]})"
    ),
    max_leaves=4,
)
_made = set()


def _noted(condition):
    _made.add(condition)
    return condition


schemathesis.openapi.format("odata-filter", _conditions.map(_noted))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))

# What belongs to pages; a file has all rows.
_OF_PAGES = ("$top", "$skiptoken", "$count", "$expand")
# Of logs of sessions other things are asked than of objects: their own words stand in docs/rest.md.
_OF_LOGS = ("$filter", "$orderby", "$select", "$expand")


@schemathesis.hook
def before_call(context, case, kwargs):
    query = case.query or {}
    is_good = case.meta is not None and case.meta.generation.mode.is_positive
    if is_good and query.get("export") is not None:
        for name in _OF_PAGES:
            query.pop(name, None)
    if is_good and case.path.endswith("/sessionLogs"):
        for name in _OF_LOGS:
            query.pop(name, None)
    # Now and then one text is put in the place of another: as a text it is good, as a condition it is not.
    if is_good and query.get("$filter", "") not in _made:
        query.pop("$filter", None)
    # A token that looks good is good in the list that gave it alone: no made-up one leads on.
    token = query.get("$skiptoken")
    if isinstance(token, str) and re.fullmatch("[0-9a-f]+", token):
        del query["$skiptoken"]
    # Pages with images are smaller.
    top = str(query.get("$top", ""))
    if query.get("$expand") == "image" and re.fullmatch("[0-9]+", top) and 100 < int(top) <= 1000:
        query["$top"] = 100
