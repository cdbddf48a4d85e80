"""Changes a generated identity system all the time, and keeps an account of what it committed.

    python3 writer.py prepare SOURCE_URL
    python3 writer.py write SOURCE_URL SEED COMMITS

`prepare` notes the state in which each object is at first. `write` changes objects until it gets a SIGTERM: several
threads, each with objects of its own, hold transactions open over several runs, roll some back, delete accounts and
bring them back. What a transaction did stands in the table chaos_change of the same transaction, so that it is known
even where the answer to a commit got lost; the file COMMITS has when the answers came.
"""

import json
import os
import random
import signal
import sys
import threading
import time

import psycopg2

WRITERS = 5
# Who is told apart: the property that gets a new value with each change. Of capabilities, values come back (A, B, A).
PLACES = {
    "identity": ("spt_identity", "lastname", "coalesce(workgroup, false) = false"),
    "account": ("spt_link", "display_name", "identity_id is not null"),
    "role": ("spt_bundle", "display_name", "true"),
    "capability": ("spt_capability", "description", "true"),
}
SHARES = {"identity": 35, "account": 35, "role": 22, "capability": 8}
RETURNING = ("first", "second", "third")
NOW_MS = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
# How long transactions stay open: in a hundred, seconds from and to. Runs come every few seconds.
HOLDS = ((55, 0, 0), (25, 0.1, 1.5), (20, 2, 12))
ROLLED_BACK_PERCENT = 10
# Objects that are changed more often than others, so that states follow each other between two runs.
HOT = 4

stopping = threading.Event()


def prepare(url):
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create sequence chaos_version;"
            "create table chaos_deleted as select * from spt_link with no data;"
            "create table chaos_change (version bigint primary key, object_type text not null, object_id text not null,"
            " value text, is_gone boolean not null, name text not null, written bigint not null,"
            " committing bigint not null)")
        for object_type, (table, column, where) in PLACES.items():
            cursor.execute(
                f"insert into chaos_change select nextval('chaos_version'), %s, id, {column}, false, 'begin', 0, 0"
                f" from {table} where {where} order by id", (object_type,))
    connection.close()


class Writer(threading.Thread):
    """Transactions of one connection, over objects that no other writer touches."""

    def __init__(self, url, seed, number, commits):
        super().__init__(daemon=True)
        self.url, self.number, self.commits = url, number, commits
        self.chance = random.Random(f"{seed}/{number}")
        self.connection = None
        self.objects = {}
        self.transactions = 0
        self.counts = {"committed": 0, "rolled back": 0, "unanswered": 0, "cut off": 0, "held open": 0, "changes": 0}

    def run(self):
        while not stopping.is_set():
            try:
                if self.connection is None:
                    self.connection = psycopg2.connect(self.url, connect_timeout=5)
                    self.objects = self.objects or self.mine()
                self.transaction()
            except psycopg2.Error:
                self.counts["cut off"] += 1
                if self.connection is not None:
                    self.connection.close()
                self.connection = None
                stopping.wait(0.3)
            stopping.wait(self.chance.uniform(0.02, 0.4))

    def mine(self):
        found = {}
        with self.connection.cursor() as cursor:
            for object_type, (table, _, where) in PLACES.items():
                cursor.execute(f"select id from {table} where {where} order by id")
                found[object_type] = [id for (id,) in cursor.fetchall()][self.number::WRITERS]
        self.connection.rollback()
        return found

    def transaction(self):
        self.transactions += 1
        name = f"{self.number}/{self.transactions}"
        changes = []
        with self.connection.cursor() as cursor:
            for _ in range(self.chance.choice((1, 1, 2, 5, 12))):
                changes.append(self.change(cursor, name))
            if self.hold():
                self.counts["held open"] += 1
            if self.chance.randrange(100) < ROLLED_BACK_PERCENT:
                self.connection.rollback()
                self.counts["rolled back"] += 1
                return
            cursor.execute(f"select {NOW_MS}")
            committing = cursor.fetchone()[0]
            for change in changes:
                cursor.execute("insert into chaos_change values (%s, %s, %s, %s, %s, %s, %s, %s)",
                               (*change, committing))
        try:
            self.connection.commit()
        except psycopg2.Error:
            self.counts["unanswered"] += 1
            raise
        self.counts["committed"] += 1
        self.counts["changes"] += len(changes)
        self.commits(json.dumps({"name": name, "answered": int(time.time() * 1000)}))

    def hold(self):
        """Keeps the transaction open for a while, or not."""
        throw = self.chance.randrange(100)
        for percent, least, most in HOLDS:
            if throw < percent:
                stopping.wait(self.chance.uniform(least, most))
                return most > 0
            throw -= percent
        return False

    def change(self, cursor, name):
        """One change of one object, as it goes into the table of changes."""
        object_type = self.chance.choices(list(SHARES), SHARES.values())[0]
        ids = self.objects[object_type]
        id = self.chance.choice(ids[:HOT] if self.chance.randrange(3) == 0 else ids)
        table, column, _ = PLACES[object_type]
        cursor.execute(f"select 1 from {table} where id = %s for update", (id,))
        is_there = cursor.fetchone() is not None
        cursor.execute(f"select nextval('chaos_version'), {NOW_MS}")
        version, now = cursor.fetchone()
        if not is_there:
            bring_back(cursor, id, now)
        elif object_type == "account" and self.chance.randrange(8) == 0:
            delete(cursor, id, version, now)
            return version, object_type, id, None, True, name, now
        value = self.chance.choice(RETURNING) if object_type == "capability" else f"{object_type} {version}"
        cursor.execute(f"update {table} set {column} = %s, modified = %s, significant_modified = %s where id = %s",
                       (value, now, now, id))
        return version, object_type, id, value, False, name, now


def delete(cursor, id, version, now):
    """Deletes an account, and notes it where the identity system does."""
    cursor.execute("insert into chaos_deleted select * from spt_link where id = %s", (id,))
    cursor.execute("delete from spt_link where id = %s", (id,))
    cursor.execute(
        "insert into spt_intercepted_delete (id, created, object_id, object_type, object_deleted_date,"
        " extract_config_name, transform_config_name, extracted_object_json)"
        " values (%s, %s, %s, 'sailpoint.object.Link', %s, 'c', 't', '{}')", (f"{version:032x}", now, id, now))


def bring_back(cursor, id, now):
    """Makes a deleted account anew, under the same id."""
    cursor.execute("insert into spt_link select * from chaos_deleted where id = %s limit 1", (id,))
    cursor.execute("delete from chaos_deleted where id = %s", (id,))
    cursor.execute("update spt_link set created = %s where id = %s", (now, id))


def write(url, seed, path):
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    parent, lock = os.getppid(), threading.Lock()
    with open(path, "a", encoding="utf-8") as file:
        def commits(line):
            with lock:
                file.write(line + "\n")
                file.flush()

        writers = [Writer(url, seed, number, commits) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        while not stopping.wait(0.2):
            if os.getppid() != parent:
                stopping.set()
        for writer in writers:
            writer.join(30)
        print(json.dumps({name: sum(writer.counts[name] for writer in writers) for name in writers[0].counts}))


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2])
    else:
        write(*sys.argv[2:5])
