"""An independent account of what access history must hold of a generated identity system.

    python3 tests/checker begin SOURCE_URL WORLD
    python3 tests/checker check WORLD DEEDS HISTORY_URL

`begin` copies the rows of the identity system into the file WORLD, before its first day passes. `check` follows the log
that `annals demo days --deeds` wrote, works out what each run must have made of it, and compares that with history. It
knows nothing of Annals but its documentation and the reference's table names. Run 1 is the one before the first day, run
n the one after n - 1 days.
"""

import argparse
import os
import shutil
import sys
import tempfile

import compare
import held
import runs
import told
from account import Account
from database import Database
from documents import FORMATS
from expected import Expected, Settings
from report import Report
from secrets_masked import Masks
from world import World, begin, deeds


def arguments():
    parser = argparse.ArgumentParser(prog="checker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("begin", help="copy the rows of the beginning")
    first.add_argument("source")
    first.add_argument("world")
    check = commands.add_parser("check", help="compare history with the log")
    check.add_argument("world")
    check.add_argument("deeds")
    check.add_argument("history")
    check.add_argument("--source", help="identity system to compare the log itself with")
    check.add_argument("--max-allowed-patches", type=int, default=0, metavar="N")
    check.add_argument("--capture-max-age-in-days", type=int, metavar="N")
    check.add_argument("--json-format", default="ZIPPED", choices=FORMATS)
    check.add_argument("--secret-hash-key", default="")
    return parser.parse_args()


def main():
    given = arguments()
    if given.command == "begin":
        begin(given.source, given.world)
        return 0
    with tempfile.TemporaryDirectory(prefix="checker") as folder:
        return check(given, folder)


def check(given, folder):
    """Works everything out and compares it; 1 if anything is wrong."""
    report = Report()
    copy = os.path.join(folder, "world")
    shutil.copy(given.world, copy)
    world = World(copy)
    account = Account(os.path.join(folder, "account"))
    history = Database(given.history)
    executed = list(runs.of_history(history))
    settings = Settings(given.max_allowed_patches, given.capture_max_age_in_days)
    expected = Expected(world, Masks(given.secret_hash_key), account, settings)
    stories = told.Told()
    log = deeds(given.deeds)
    deed = next(log, None)
    passed = 0
    for nth, run in enumerate(executed):
        while deed is not None and deed["day"] < nth:
            world.happen(deed)
            stories.hear(run, deed)
            passed += 1
            deed = next(log, None)
        expected.execute(run)
    if deed is not None:
        raise SystemExit(f"day {deed['day'] + 1} passed, and no run came after it")
    if given.source:
        for table, rows in world.differences(given.source):
            report.say(table, None, "identity system", "what the log tells", f"{rows} rows that differ from it")
    comparison = compare.Comparison(history, account, executed, report, given.json_format)
    comparison.captures()
    comparison.events()
    comparison.heads()
    comparison.entities()
    held.compare(history, account, report, compare.merged)
    runs.compare(history, executed, report)
    stories.compare(account, report)
    compared = ", ".join(f"{count} {what}" for what, count in sorted(report.compared.items()))
    print(f"{len(executed)} runs over {passed} deeds with {world.writes} writes. Compared: {compared}.")
    print(f"{report.wrong} rows are wrong." if report.wrong else "All of it is as it must be.")
    return 1 if report.wrong else 0


sys.exit(main())
