"""What the control tables must hold: runs, partitions, what was saved, fires, counters."""

import json
from collections import Counter, defaultdict

EVERY_MS = {"People": 4000, "Governance": 5000}
# What is left over when all is well: nothing.
EMPTY = ("annals_parked_message", "annals_dead_letter", "annals_failed_object", "annals_deferred_index", "annals_suspect")
STARTED = ("fired", "caught-up", "triggered")
MADE = ("full_captures", "patch_captures", "duplicates", "unchanged", "deleted", "late", "dead", "events")
IN_JSON = dict(zip(MADE, ("fullCaptures", "patchCaptures", "duplicates", "unchanged", "deleted", "late", "dead", "events")))


class Control:
    """The control tables of one history database."""

    def __init__(self, history, report):
        self.history, self.report = history, report
        names = ("id", "task", "trigger_kind", "state", "status", "result", "started", "ended", "counters", "by_type",
                 "driver_epoch")
        self.runs = [dict(zip(names, row)) for row in history.rows(f"select {', '.join(names)} from annals_run order by id")]
        self.counts = Counter()

    def check(self, captures, last):
        self.ended()
        self.one_at_a_time()
        self.counters()
        self.saved()
        self.sums(captures)
        self.fires()
        self.nothing_left()
        self.forward(last)

    def ended(self):
        for run in self.runs:
            self.counts[f"runs: {run['result']}"] += 1
            if run["state"] != "ended" or run["ended"] is None or run["result"] is None:
                self.report.say("annals_run", run["id"], run["task"], "an end", run["state"])
        for (task,) in self.history.rows("select name from annals_task where locked_by_run is not null"):
            self.report.say("annals_task", task, "its lock", "nobody", "a run")

    def one_at_a_time(self):
        """Runs of a task follow each other; those that did not get its lock do nothing."""
        until = defaultdict(int)
        for run in self.runs:
            if run["result"] == "LockTimeout":
                continue
            if run["started"] < until[run["task"]]:
                self.report.say("annals_run", run["id"], run["task"], f"a start after {until[run['task']]}", run["started"])
            until[run["task"]] = run["ended"] or 0

    def counters(self):
        """The sums that ARCHITECTURE.md names."""
        for run in self.runs:
            count = Counter(json.loads(run["counters"]))
            sums = {
                "totalObjectMessages": count["totalModifiedObjectMessages"] + count["totalReattemptObjectMessages"],
                "totalSeenObjects": count["totalExtractedObjects"] + count["totalExtractedObjectsNotFound"]
                + count["totalExtractedObjectsFailed"],
                "totalExtractedObjects": count["totalExtractedObjectsPublished"] + count["totalPublishingFails"],
            }
            self.report.cells("annals_run", run["id"], "counters", sums, count)
            both = {"totalObjectMessages": count["totalSeenObjects"] + count["totalUnseenObjects"]}
            self.report.cells("annals_run", run["id"], "counters", both, count)

    def saved(self):
        """Request state goes forward, up to the last chunk, under epochs that do; it and the run tell the same."""
        chunks = dict(((run, part), (number, int(objects))) for run, part, number, objects in self.history.rows(
            "select run_id, partition_no, count(*), sum(object_count) from annals_partition_chunk group by 1, 2"))
        log = defaultdict(list)
        for run, part, seq, saved, epoch, state in self.history.rows(
                "select run_id, partition_no, seq, saved, lease_epoch, state from annals_request_state"
                " order by run_id, partition_no, seq"):
            log[run, part].append((seq, saved, epoch, json.loads(state)))
        by_run = defaultdict(Counter)
        for run, part, state, epoch, objects in self.history.rows(
                "select run_id, partition_no, state, lease_epoch, object_count from annals_partition order by 1, 2"):
            rows, place = log.pop((run, part), []), f"run {run}, partition {part}"
            self.counts["partitions"] += 1
            self.counts["states saved"] += len(rows)
            self.counts["take-overs of partitions"] += max(0, len({row[2] for row in rows}) - 1)
            saved = rows[-1][0] if rows else 0
            if (state == "done") != (saved == chunks[run, part][0]):
                self.report.say("annals_partition", place, "its state", f"{chunks[run, part][0]} chunks saved", (state, saved))
            if chunks[run, part][1] != objects:
                self.report.say("annals_partition", place, "its chunks", objects, chunks[run, part][1])
            before = (0, 0, 0, {})
            for row in rows:
                seen, seen_before = (Counter(one[3].get("counters", {}))["totalSeenObjects"] for one in (row, before))
                # Small chunks are saved several at a time.
                right = (row[0] > before[0] and row[3]["chunksDone"] == row[0] and row[2] >= before[2]
                         and row[1] >= before[1] and seen >= seen_before)
                if not right or row[2] > epoch:
                    self.report.say("annals_request_state", f"{run}/{part}/{row[0]}", place, f"a state after {before}", row)
                before = row
            if rows:
                by_run[run] += Counter(rows[-1][3]["counters"])
        for run, part in log:
            self.report.say("annals_request_state", f"{run}/{part}", "no partition", "none", len(log[run, part]))
        self.match(by_run)

    def match(self, by_run):
        """What partitions saved is what the run says."""
        names = ("totalSeenObjects", "totalExtractedObjects", "totalExtractedObjectsNotFound",
                 "totalExtractedObjectsPublished", "totalDeletionExtractedObjectsDispatched")
        for run in self.runs:
            if run["result"] == "Success":
                told = Counter(json.loads(run["counters"]))
                self.report.cells("annals_run", run["id"], "what its partitions saved",
                                  {name: by_run[run["id"]][name] for name in names}, {name: told[name] for name in names})
            self.counts["take-overs of runs"] += max(0, (run["driver_epoch"] or 1) - 1)

    def sums(self, captures):
        """What runs say that they wrote is what is there: a row too many was written twice, one too few is lost."""
        written, by_run = Counter(), defaultdict(dict)
        for run, name, *row in self.history.rows(
                f"select run_id, object_type, {', '.join(f'sum({column})' for column in MADE)} from annals_run_write group by 1, 2"):
            by_run[run][name] = dict(zip(MADE, map(int, row)))
            for column, value in by_run[run][name].items():
                written[name, column] += value
                self.counts[f"written: {column}"] += value
        for name, found in captures.items():
            told = {"captures": written[name, "full_captures"] + written[name, "patch_captures"], "deleted": written[name, "deleted"]}
            self.report.cells("annals_run_write", name, "captures in history", told, found)
        for run in self.runs:
            if run["result"] != "Success":
                continue
            told = json.loads(run["by_type"] or "{}")
            for name in sorted(by_run[run["id"]].keys() | told.keys()):
                stored = {IN_JSON[column]: by_run[run["id"]].get(name, {}).get(column, 0) for column in MADE}
                found = {column: told.get(name, {}).get(column, 0) for column in stored}
                self.report.cells("annals_run", run["id"], f"totals of {name}", stored, found)

    def fires(self):
        """Each planned fire once, each with one outcome, each run with one fire."""
        planned, of_run = defaultdict(list), {}
        for task, at, kind, outcome, run in self.history.rows(
                "select task, planned_at, kind, outcome, run_id from annals_schedule_fire order by task, planned_at"):
            self.counts[f"fires: {outcome}"] += 1
            if kind != "asked":
                planned[task].append(at)
            if (outcome in STARTED) != (run is not None):
                self.report.say("annals_schedule_fire", f"{task}/{at}", outcome, "a run where one was started", run)
            if run is not None:
                if run in of_run:
                    self.report.say("annals_schedule_fire", f"{task}/{at}", f"run {run}", "one fire", of_run[run])
                of_run[run] = (task, at)
        planned_until = dict(self.history.rows("select task, planned_until from annals_schedule"))
        for task, instants in planned.items():
            right = list(range(instants[0], planned_until[task] + 1, EVERY_MS[task]))
            if instants != right or instants[0] % EVERY_MS[task]:
                apart = sorted(set(right) ^ set(instants))
                self.report.say("annals_schedule_fire", task, "planned fires", "all of them", f"{apart[:5]} too many or too few")
        for run in self.runs:
            fire = of_run.pop(run["id"], None)
            if run["trigger_kind"] == "scheduled" and (fire is None or fire[0] != run["task"]):
                self.report.say("annals_run", run["id"], run["task"], "a fire that started it", fire)

    def nothing_left(self):
        for table in EMPTY:
            for row in self.history.rows(f"select * from {table}"):
                self.report.unexpected(table, row[0], "no object", dict(enumerate(map(str, row))))

    def forward(self, last):
        """Nothing is lower than somebody saw it while it all went on."""
        if last is None:
            return
        for name, (query, rows) in last.items():
            found = {row[0]: [int(cell or 0) for cell in row[1:]] for row in self.history.rows(query)}
            for key, before in rows.items():
                after = found.get(key)
                if after is None or any(new < old for new, old in zip(after, before)):
                    self.report.say(name, key, "as it was seen", f"{before} or more", after)
