"""Checks what is left after chaos: nothing lost, nothing twice, nothing backwards, and all sums right.

    python3 check.py check SOURCE_URL HISTORY_URL COMMITS SAMPLES KEY SUMMARY
    python3 check.py teeth SOURCE_URL HISTORY_URL COMMITS SAMPLES KEY

It knows nothing of Annals but its documentation, and works the last image of each object out by the means of
tests/checker. `teeth` makes copies of the history database, spoils each in one way, and demands that it be found.
"""

import json
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "checker"))

from control import Control  # noqa: E402
from database import Database  # noqa: E402
from report import Report  # noqa: E402
from states import States, last_images  # noqa: E402


@dataclass
class Change:
    """A state that was committed: when it was written, when it was about to be committed, from when on it stood surely."""

    value: str | None
    written: int
    committing: int
    answered: int | None


@dataclass
class Facts:
    """What does not change with the history database that is looked at."""

    images: dict
    changes: dict
    # When each transaction of the source wrote first, and when it was about to commit.
    transactions: dict
    samples: list
    queries: dict

    def last(self):
        """What was seen last of what only grows, with the query that found it."""
        return {name: (self.queries[name], rows) for name, rows in self.samples[-1]["last"].items()}


def facts(source_url, commits, samples, key, folder):
    with open(commits, encoding="utf-8") as lines:
        answered = {one["name"]: one["answered"] for one in map(json.loads, lines)}
    changes, transactions = defaultdict(list), {}
    query = "select object_type, object_id, value, written, name, committing from chaos_change order by version"
    for object_type, id, value, written, name, committing in Database(source_url).rows(query):
        # The states of the beginning stood before anybody looked.
        since = 0 if name == "begin" else answered.get(name)
        changes[object_type, id].append(Change(value, written, committing, since))
        transactions[name] = min(written, transactions.get(name, (written,))[0]), committing
    with open(samples, encoding="utf-8") as lines:
        seen = [json.loads(line) for line in lines]
    from watch import NUMBERS
    return Facts(last_images(source_url, key, folder), dict(changes), transactions, seen, NUMBERS)


def check(history_url, known, report):
    """Everything there is to say about one history database; figures for the summary, and captures by object type."""
    history = Database(history_url)
    states = States(history, known.images, known.changes, report)
    states.check()
    captures = defaultdict(lambda: {"captures": 0, "deleted": 0})
    for (object_type, _), chain in states.chains.items():
        for capture in chain:
            captures[object_type]["deleted" if capture.deleted else "captures"] += 1
    figures = {"looks": known.samples[-1]["looks"]} | states.counts | tables(history, known, captures, report)
    for wrong in (line for line in known.samples if "wrong" in line):
        report.say(wrong["wrong"], wrong["key"], f"seen at {wrong['at']}", f"{wrong['before']} or more", wrong["after"])
    figures["removed events"] = sum(1 for _ in history.rows("select 1 from annals_removed_event"))
    # What began before a run and was committed after it: the run cannot have seen it, and a later one must.
    figures["source transactions open across a whole run"] = sum(
        any(written < started and ended < committing for started, ended, _ in states.passes)
        for written, committing in known.transactions.values())
    history.connection.close()
    return figures, captures


def tables(history, known, captures, report):
    """What there is to say about the control tables."""
    control = Control(history, report)
    control.check(captures, known.last())
    return control.counts


def bitten(history_url, known):
    """Whether history is right, and the checker finds each harm; 1 if not."""
    from teeth import bite
    report = Report()
    _, captures = check(history_url, known, report)

    def look(url, is_of_states, found):
        if is_of_states:
            check(url, known, found)
            return
        history = Database(url)
        tables(history, known, captures, found)
        history.connection.close()

    return 1 if report.wrong else bite(history_url, look)


def main(command, source_url, history_url, commits, samples, key, *summary):
    with tempfile.TemporaryDirectory(prefix="chaos") as folder:
        known = facts(source_url, commits, samples, key, folder)
        if command == "teeth":
            return bitten(history_url, known)
        report = Report()
        figures, _ = check(history_url, known, report)
        with open(summary[0], "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
        print(f"{report.wrong} findings" if report.wrong else "All of it is as it must be.")
        return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
