"""What the description of the interface cannot say in words of JSON Schema: which texts are conditions, and which tokens lead on.

Read by schemathesis (`SCHEMATHESIS_HOOKS`); see CONTRIBUTING.md, "The REST interface from outside".
"""

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
schemathesis.openapi.format("odata-filter", _conditions)
schemathesis.openapi.format("iana-time-zone", st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]))

# What belongs to pages; a file has all rows.
_OF_PAGES = ("$top", "$skiptoken", "$count", "$expand")
# Of logs of sessions other things are asked than of objects: their own words stand in docs/rest.md.
_OF_LOGS = ("$filter", "$orderby", "$select", "$expand")


@schemathesis.hook
def before_call(context, case, kwargs):
    # A bad request stays as it is: one that is changed is taken for a good one if its texts are texts.
    if case.meta is not None and not case.meta.generation.mode.is_positive:
        return
    query = case.query or {}
    if query.get("export") is not None:
        for name in _OF_PAGES:
            query.pop(name, None)
    if "at" in query:
        # One instant, or a span.
        query.pop("from", None)
        query.pop("to", None)
    # A date means its end, and spans do not end before they begin.
    if str(query.get("from", ""))[:10] >= str(query.get("to", "9"))[:10]:
        query.pop("to", None)
    if query.get("mode") == "all" and "from" not in query:
        del query["mode"]
    if case.path.endswith("/sessionLogs"):
        for name in _OF_LOGS:
            query.pop(name, None)
    # A token is good in the list that gave it alone: no made-up one leads on.
    query.pop("$skiptoken", None)
    # Pages with images are smaller.
    if query.get("$expand") == "image" and str(query.get("$top", "0")).isdigit() and int(query.get("$top", 0)) > 100:
        query["$top"] = 100
