"""Looks at the control tables of a history database several times a second: nothing in them may go backwards.

    python3 watch.py HISTORY_URL SAMPLES

Runs until it gets a SIGTERM. Each change that it sees is a line of the file SAMPLES; so is each value that is lower than
one seen before (`"wrong"`). The last line has what it saw last, for whoever compares it with the tables later.
"""

import json
import os
import signal
import sys
import threading
import time

import psycopg2

EVERY_S = 0.2
RUN_STATES = ("dispatching", "running", "finishing", "ended")
# What is asked, by name: a query of a key of text and values that only grow.
NUMBERS = {
    "lease epoch and whether it is done":
        "select run_id || '/' || partition_no, lease_epoch, (state = 'done')::int from annals_partition",
    "state and driver's epoch":
        "select id::text, array_position(array['dispatching', 'running', 'finishing', 'ended'], state), driver_epoch"
        " from annals_run",
    "request state":
        "select run_id || '/' || partition_no, count(*), max(seq), max(lease_epoch),"
        " max((state::json->'counters'->>'totalSeenObjects')::bigint), max(saved) from annals_request_state"
        " group by run_id, partition_no",
    "named timestamp": "select task, timestamp_ms, run_id from annals_named_timestamp",
    "planned until": "select task, planned_until from annals_schedule",
    "planned fires": "select task, count(*) from annals_schedule_fire group by task",
    "decided fire": "select task || '/' || planned_at, (outcome <> 'waiting')::int, coalesce(run_id, 0)"
                    " from annals_schedule_fire",
    "captures": "select 'all', (select count(*) from spt_hist_identity_capture)"
                " + (select count(*) from spt_hist_account_capture) + (select count(*) from spt_hist_role_capture)",
}
stopping = threading.Event()


class Watch:
    """What was seen last, and what was wrong."""

    def __init__(self, file):
        self.file = file
        self.seen = {name: {} for name in NUMBERS}
        self.wrong = 0
        self.looks = 0

    def say(self, **what):
        self.file.write(json.dumps(what) + "\n")
        self.file.flush()

    def look(self, connection):
        """One look, at one instant."""
        found = {}
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
            for name, query in NUMBERS.items():
                cursor.execute(query)
                found[name] = {row[0]: [int(cell or 0) for cell in row[1:]] for row in cursor.fetchall()}
        connection.rollback()
        now = int(time.time() * 1000)
        self.looks += 1
        for name, rows in found.items():
            for key, before in self.seen[name].items():
                after = rows.get(key)
                if after is None or any(new < old for new, old in zip(after, before)):
                    self.wrong += 1
                    self.say(wrong=name, key=key, before=before, after=after, at=now)
            news = {key: row for key, row in rows.items() if self.seen[name].get(key) != row}
            if news:
                self.say(at=now, changed=name, rows=news)
        self.seen = found


def main(url, path):
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    parent, connection = os.getppid(), None
    with open(path, "a", encoding="utf-8") as file:
        watch = Watch(file)
        while not stopping.wait(EVERY_S) and os.getppid() == parent:
            try:
                if connection is None:
                    connection = psycopg2.connect(url, connect_timeout=5)
                watch.look(connection)
            except psycopg2.Error:
                connection = None
        watch.say(looks=watch.looks, wrong_in_all=watch.wrong, last=watch.seen)


if __name__ == "__main__":
    main(*sys.argv[1:3])
