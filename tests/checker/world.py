"""The identity system as the log of deeds tells it: the rows of the beginning, and every write since."""

import json
import os
import sqlite3

from database import Database

TABLES = "spt_"
# How rows are found: the ids of objects and those of what they belong to.
INDEXED = [
    ("spt_link", "identity_id"),
    ("spt_identity_entitlement", "identity_id"),
    ("spt_identity", "name"),
    ("spt_bundle", "name"),
    ("spt_application", "name"),
    ("spt_managed_attribute", "value"),
    ("spt_identity_request_item", "identity_request_id"),
    ("spt_certification_item", "action"),
    ("spt_policy_violation", "identity_id"),
    ("spt_identity_assigned_roles", "identity_id"),
    ("spt_identity_bundles", "identity_id"),
    ("spt_identity_capabilities", "identity_id"),
    ("spt_identity_workgroups", "identity_id"),
    ("spt_identity_workgroups", "workgroup"),
    ("spt_identity_role_metadata", "identity_id"),
    ("spt_identity_controlled_scopes", "identity_id"),
    ("spt_identity_external_attr", "object_id"),
    ("spt_link_external_attr", "object_id"),
    ("spt_object_classification", "owner_id"),
    ("spt_bundle_profile_relation", "bundle_id"),
    ("spt_profile", "bundle_id"),
    ("spt_certifiers", "certification_id"),
    ("spt_certification_tags", "certification_id"),
    ("spt_certification_groups", "certification_id"),
    ("spt_sign_off_history", "certification_id"),
    ("spt_cert_item_applications", "certification_item_id"),
    ("spt_cert_item_classifications", "certification_item"),
    ("spt_identity_req_item_attach", "identity_request_item_id"),
    ("spt_managed_attr_inheritance", "managedattribute"),
    ("spt_managed_attr_perms", "managedattribute"),
    ("spt_managed_attr_target_perms", "managedattribute"),
]


def deeds(path):
    """The log, deed by deed."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def begin(source_url, path):
    """Copies the rows of an identity system before its first day into a file."""
    if os.path.exists(path):
        raise SystemExit(f"{path} is there already")
    source = Database(source_url)
    world = sqlite3.connect(path)
    world.execute("pragma journal_mode = off")
    world.execute("pragma synchronous = off")
    tables = source.columns(TABLES)
    for table, columns in tables.items():
        names = ", ".join(f'"{column}"' for column in columns)
        world.execute(f"create table {table} ({names})")
        marks = ", ".join("?" for _ in columns)
        world.executemany(f"insert into {table} values ({marks})", source.rows(f"select {names} from {table}"))
    found_by = [(table, "id") for table in tables if "id" in tables[table]] + INDEXED
    for table, column in found_by:
        if column in tables.get(table, []):
            world.execute(f"create index {table}_by_{column} on {table} ({column})")
    world.commit()
    world.execute("analyze")
    world.close()
    return len(tables)


class World:
    """Rows that follow the log. The file changes: give a copy."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("pragma journal_mode = off")
        self.connection.execute("pragma synchronous = off")
        self.connection.execute("pragma temp_store = memory")
        self.connection.execute("create temp table wanted (id primary key) without rowid")
        self.writes = 0

    def want(self, ids):
        """Names the objects that the next queries are about."""
        self.connection.execute("delete from wanted")
        self.connection.executemany("insert or ignore into wanted values (?)", ((id,) for id in ids))

    def rows(self, sql, parameters=()):
        """The rows of a query."""
        return self.connection.execute(sql, parameters)

    def happen(self, deed):
        """Writes what a deed wrote."""
        for write in deed["rows"]:
            self.writes += 1
            table = write["table"]
            if write["write"] == "insert":
                cells = write["cells"]
                columns = ", ".join(f'"{column}"' for column in cells)
                marks = ", ".join("?" for _ in cells)
                self.rows(f"insert into {table} ({columns}) values ({marks})", list(cells.values()))
            elif write["write"] == "update":
                cells = write["cells"]
                sets = ", ".join(f'"{column}" = ?' for column in cells)
                self.rows(f"update {table} set {sets} where id = ?", [*cells.values(), write["id"]])
            else:
                self.rows(f'delete from {table} where "{write["column"]}" = ?', [write["value"]])

    def differences(self, source_url):
        """Tables that differ from the identity system's own, each with the number of rows on one side only."""
        source = Database(source_url)
        for table, columns in source.columns(TABLES).items():
            names = ", ".join(f'"{column}"' for column in columns)
            told = {}
            for row in self.rows(f"select {names} from {table}"):
                told[hash(row)] = told.get(hash(row), 0) + 1
            for row in source.rows(f"select {names} from {table}"):
                # Flags are equal to the numbers that stand for them, and have the same hash.
                told[hash(tuple(row))] = told.get(hash(tuple(row)), 0) - 1
            apart = sum(abs(count) for count in told.values())
            if apart:
                yield table, apart
