"""Runs: their results, totals, statistics and partitions."""

import json

from expected import Run

MADE = ("fullCaptures", "patchCaptures", "duplicates", "unchanged", "deleted", "late", "dead", "events")
QUALIFIED = {"modified": "qualifiedByChange", "reattempt": "qualifiedByReattempt", "deleted": "deletions"}
# What stands in these tables is a failure, and nothing fails in a generated world.
EMPTY = (
    "annals_run_failure", "annals_failed_object", "annals_parked_message", "annals_dead_letter", "annals_removed_event",
    "annals_run_message")


def of_history(history):
    """The runs that history knows: when they were, and from when on each read the identity system."""
    columns = "id, since_date, started, ended"
    for row in history.rows(f"select {columns} from annals_run order by id"):
        if row[3] is None:
            raise SystemExit(f"run {row[0]} has not ended")
        yield Run(*row)


def compare(history, runs, report):
    """All results of all runs."""
    columns = "id, state, status, result, horizon, started, counters, by_type"
    stored = {row[0]: row for row in history.rows(f"select {columns} from annals_run")}
    for run in runs:
        _, state, status, result, horizon, started, counters, by_type = stored[run.id]
        ended = {"state": state, "status": status, "result": result, "horizon is before its start": horizon <= started}
        right = {"state": "ended", "status": "success", "result": "Success", "horizon is before its start": True}
        report.cells("annals_run", run.id, f"run {run.id}", right, ended)
        report.cells("annals_run", run.id, f"counters of run {run.id}", results(run), json.loads(counters))
        totals(run, json.loads(by_type or "{}"), report)
    sums(history, runs, report)
    partitions(history, runs, report)
    for table in EMPTY:
        for row in history.rows(f"select * from {table}"):
            report.unexpected(table, row[0], "no object", dict(enumerate(row)))
    # A system that reads this database refuses to start without this row.
    version = {"name": "main", "system_version": "8.4-00", "schema_version": "8.4-87"}
    found = [dict(zip(version, row)) for row in history.rows(f"select {', '.join(version)} from spt_hist_database_version")]
    report.cells("spt_hist_database_version", "main", "no object", version, found[0] if len(found) == 1 else {})
    last = {"timestamp_ms": stored[runs[-1].id][4], "run_id": runs[-1].id}
    for row in history.rows("select timestamp_ms, run_id, task from annals_named_timestamp"):
        report.cells("annals_named_timestamp", row[2], f"task {row[2]}", last, dict(zip(last, row)))


def results(run):
    """The thirteen results (IIQ-34) of a run in which nothing fails."""
    seen, extracted = run.qualified, run.qualified - run.missing
    return {
        "totalObjectMessages": run.qualified, "totalModifiedObjectMessages": run.qualified,
        "totalReattemptObjectMessages": 0, "totalDeletionExtractedObjects": run.deletions,
        "totalDeletionExtractedObjectsDispatched": run.deletions, "totalSeenObjects": seen, "totalUnseenObjects": 0,
        "totalExtractedObjects": extracted, "totalExtractedObjectsNotFound": run.missing,
        "totalExtractedObjectsFailed": 0, "totalExtractedObjectsPublished": extracted, "totalPublishingFails": 0,
        "totalDroppedObjects": 0,
    }


def expected_totals(counts):
    """Totals of one type: what qualified stands there if anything did, what was made of it always."""
    qualified = {name: counts[name] for name in QUALIFIED.values() if counts[name]}
    return qualified | {name: counts[name] for name in MADE}


def totals(run, by_type, report):
    for name in sorted(run.by_type.keys() | by_type.keys()):
        object = f"totals of {name} of run {run.id}"
        found = by_type.get(name, {})
        expected = expected_totals(run.by_type[name]) if name in run.by_type else {}
        report.cells("annals_run", run.id, object, dict.fromkeys(found) | expected, found)


def sums(history, runs, report):
    """Totals and statistics as they stand in tables of their own."""
    found = {}
    columns = ("full_captures", "patch_captures", "duplicates", "unchanged", "deleted", "late", "dead", "events")
    added = ", ".join(f"sum({column})" for column in columns)
    for run_id, name, *counts in history.rows(
            f"select run_id, object_type, {added} from annals_run_write group by run_id, object_type"):
        found[run_id, name] = dict(zip(columns, map(int, counts)))
    right = {
        (run.id, name): dict(zip(columns, (counts[made] for made in MADE)))
        for run in runs for name, counts in run.by_type.items() if any(counts[made] for made in MADE)
    }
    nothing = dict.fromkeys(columns, 0)
    for run_id, name in sorted(found.keys() | right.keys()):
        report.cells("annals_run_write", run_id, f"{name} of run {run_id}", right.get((run_id, name), nothing),
                     found.get((run_id, name), nothing))
    statistics = history.rows("select run_id, object_type, attribute, changed from annals_run_attribute")
    found = {tuple(row[:3]): row[3] for row in statistics}
    right = {(run.id, *key): count for run in runs for key, count in run.attributes.items()}
    for key in sorted(found.keys() | right.keys()):
        report.cells("annals_run_attribute", key[0], f"{key[1]} {key[2]} of run {key[0]}",
                     {"changed": right.get(key)}, {"changed": found.get(key)})


def partitions(history, runs, report):
    """Every object in a partition, every partition done."""
    rows = history.rows("select run_id, object_type, kind, sum(object_count) from annals_partition_chunk"
                        " group by run_id, object_type, kind")
    found = {(run_id, name, QUALIFIED[kind]): int(count) for run_id, name, kind, count in rows}
    right = {
        (run.id, name, kind): counts[kind]
        for run in runs for name, counts in run.by_type.items() for kind in QUALIFIED.values() if counts[kind]
    }
    for key in sorted(found.keys() | right.keys()):
        report.cells("annals_partition_chunk", key[0], f"{key[2]} {key[1]} of run {key[0]}",
                     {"object_count": right.get(key)}, {"object_count": found.get(key)})
    rows = history.rows("select run_id, sum(object_count), min(object_count), count(case when state <> 'done' then 1 end)"
                        " from annals_partition group by run_id")
    found = {run_id: {"object_count": int(count), "none is empty": least > 0, "left": left}
             for run_id, count, least, left in rows}
    for run in runs:
        right = {"object_count": run.qualified + run.deletions, "none is empty": True, "left": 0}
        if run.qualified + run.deletions:
            report.cells("annals_partition", run.id, f"partitions of run {run.id}", right, found.get(run.id, {}))
