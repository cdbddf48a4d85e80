"""What was compared, and what is wrong."""

from collections import Counter


class Report:
    """Says each wrong row as it is found."""

    def __init__(self):
        self.wrong = 0
        self.compared = Counter()

    def saw(self, what, count=1):
        self.compared[what] += count

    def say(self, table, id, object, expected, found):
        """A wrong row: table, its id, whose it is, what was expected and what is there."""
        self.wrong += 1
        print(f"{table} {id or '(none)'}, {object}: expected {expected}; found {found}", flush=True)

    def cells(self, table, id, object, expected, found):
        """Compares cells by column; what is wrong of a row stands in one line."""
        self.saw(table)
        apart = [column for column, value in expected.items() if found.get(column) != value]
        if apart:
            self.say(table, id, object, shown({column: expected[column] for column in apart}),
                     shown({column: found.get(column) for column in apart}))

    def unexpected(self, table, id, object, found):
        self.say(table, id, object, "no such row", shown(found))

    def missing(self, table, object, expected):
        self.say(table, None, object, shown(expected), "no such row")


def shown(cells):
    """Cells as text, nulls left out where there is something else to show."""
    some = {column: value for column, value in cells.items() if value is not None} if len(cells) > 6 else cells
    return ", ".join(f"{column} = {short(value)}" for column, value in some.items())


def short(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:280]}... ({len(text)} characters)"
