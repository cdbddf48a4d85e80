"""Inserts the rows of a history file into an empty one with the same schema: the least that writing them can cost.

    python3 inserts.py HISTORY TARGET

Prints a JSON object: time and CPU of the inserting alone, and how many rows and captures there were.
"""

import json
import os
import sqlite3
import sys
import time

# A transaction holds the rows of so many captures, as the program's do.
CAPTURES_A_TRANSACTION = 500
# Rows of so many transactions are read into memory at once, between which the clocks stand still.
TRANSACTIONS_READ = 50

# As the program opens its file.
SETTINGS = """
pragma journal_mode = wal;
pragma synchronous = normal;
pragma foreign_keys = on;
pragma cache_size = -65536;
pragma temp_store = memory;
"""

SCHEMA = """
select type, name, sql from sqlite_schema
 where sql is not null and name not like 'sqlite\\_%' escape '\\' order by type = 'index', rowid"""


class Clocks:
    """What has passed while they ran: by the wall, for this process, for all of the machine."""

    def __init__(self):
        self.passed = [0.0, 0.0, 0.0]
        self.begun = None

    def start(self):
        self.begun = self.now()

    def stop(self):
        self.passed = [sum + now - begun for sum, now, begun in zip(self.passed, self.now(), self.begun)]

    @staticmethod
    def now():
        with open("/proc/stat") as file:
            user, nice, system, _idle, _waiting, irq, softirq = map(int, file.readline().split()[1:8])
        machine = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), time.process_time(), machine


def is_product(table):
    """Whether a table holds what was captured, and not what runs note for themselves."""
    return table.startswith("spt_hist_") or table in ("annals_head", "annals_certification_capture")


def share(rows, part, parts):
    """Where a part of so many ends."""
    return rows * (part + 1) // parts


def main(history, target):
    source = sqlite3.connect(history)
    source.execute("pragma query_only = on")
    into = sqlite3.connect(target, isolation_level=None)
    into.executescript(SETTINGS)
    counts = {}
    for kind, name, sql in source.execute(SCHEMA).fetchall():
        into.execute(sql)
        if kind == "table" and is_product(name):
            counts[name] = source.execute(f"select count(*) from {name}").fetchone()[0]
    captures = sum(count for table, count in counts.items() if table.endswith("_capture"))
    transactions = max(1, -(-captures // CAPTURES_A_TRANSACTION))
    readers, inserts = {}, {}
    for table in [table for table, count in counts.items() if count]:
        readers[table] = source.execute(f"select * from {table}")
        inserts[table] = f"insert into {table} values ({', '.join('?' * len(readers[table].description))})"

    os.sync()
    clocks = Clocks()
    done = dict.fromkeys(readers, 0)
    for first in range(0, transactions, TRANSACTIONS_READ):
        batches = []
        for part in range(first, min(first + TRANSACTIONS_READ, transactions)):
            batch = {}
            for table, reader in readers.items():
                end = share(counts[table], part, transactions)
                # Asked for no rows, fetchmany would go on to give all of them.
                batch[table] = reader.fetchmany(end - done[table]) if end > done[table] else []
                done[table] = end
            batches.append(batch)
        clocks.start()
        for batch in batches:
            into.execute("begin immediate")
            for table, rows in batch.items():
                into.executemany(inserts[table], rows)
            into.execute("commit")
        clocks.stop()
    clocks.start()
    # Brings what is in the log into the file.
    into.close()
    clocks.stop()
    wall, cpu, machine = clocks.passed
    print(json.dumps({
        "wallSeconds": wall, "cpuSeconds": cpu, "otherCpuSeconds": max(0.0, machine - cpu),
        "rows": sum(done.values()), "captures": captures,
    }))


main(*sys.argv[1:])
