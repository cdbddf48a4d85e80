"""What must be there, run by run: kept in a file, because there may be more of it than fits in memory."""

import json
import sqlite3
import zlib

TABLES = """
create table head (
    type, id, name, owner_id, owner_name, seq, effective, seen_run, extended, full, smart, patches, full_seq, full_run,
    run, deleted, image, primary key (type, id)) without rowid;
create table capture (
    type, id, seq, run, name, owner_id, owner_name, kind, effective, extended, full, smart, deleted, image, parent,
    capture_id, created, dated, primary key (type, id, seq)) without rowid;
create index head_by_id on head (id);
create table event (name, type, id, seq, cells);
create table child (name, capture_id, idx, cells, primary key (name, capture_id, idx)) without rowid;
"""


def packed(value):
    return zlib.compress(json.dumps(value, ensure_ascii=False).encode(), 1)


def unpacked(data):
    return None if data is None else json.loads(zlib.decompress(data))


class Account:
    """Expected heads, captures, child rows and events."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("pragma journal_mode = off")
        self.connection.execute("pragma synchronous = off")
        self.connection.executescript(TABLES)

    def rows(self, sql, parameters=()):
        return self.connection.execute(sql, parameters)

    def head(self, type_name, id):
        return self.rows("select * from head where type = ? and id = ?", (type_name, id)).fetchone()

    def put(self, table, cells):
        """Writes a row, in the place of one that has the same key."""
        columns, marks = ", ".join(cells), ", ".join("?" for _ in cells)
        self.rows(f"insert or replace into {table} ({columns}) values ({marks})", tuple(cells.values()))
