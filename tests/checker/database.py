"""Databases by URL, read and never written: files of SQLite, and PostgreSQL."""

import sqlite3

ROWS_AT_A_TIME = 5000


class Database:
    """A database whose rows stream by, so that its size does not matter."""

    def __init__(self, url):
        self.is_sqlite = url.startswith("sqlite:")
        if self.is_sqlite:
            path = url[len("sqlite:"):].removeprefix("//")
            self.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        elif url.startswith(("postgres:", "postgresql:")):
            import psycopg2

            self.connection = psycopg2.connect(url)
            self.connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        else:
            raise SystemExit(f"{url}: neither sqlite: nor postgres:")
        self.cursors = 0

    def rows(self, sql, parameters=()):
        """The rows of a query, one after the other."""
        if self.is_sqlite:
            yield from self.connection.execute(sql, parameters)
            return
        self.cursors += 1
        with self.connection.cursor(name=f"checker{self.cursors}") as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            cursor.execute(sql.replace("?", "%s"), parameters)
            yield from cursor

    def by_bytes(self, column):
        """A text column in the order of its bytes, which is Python's own."""
        return column if self.is_sqlite else f'{column} collate "C"'

    def columns(self, prefix):
        """The columns of all tables whose names begin so, by table, in their order."""
        found = {}
        if self.is_sqlite:
            tables = [row[0] for row in self.rows("select name from sqlite_master where type = 'table'")]
            for table in sorted(table for table in tables if table.startswith(prefix)):
                found[table] = [row[1] for row in self.rows(f"pragma table_info({table})")]
            return found
        catalogue = (
            "select c.table_name, c.column_name from information_schema.columns c"
            " join information_schema.tables t using (table_schema, table_name)"
            " where table_schema = current_schema() and t.table_type = 'BASE TABLE'"
            " order by c.table_name, c.ordinal_position"
        )
        for table, column in self.rows(catalogue):
            if table.startswith(prefix):
                found.setdefault(table, []).append(column)
        return found
