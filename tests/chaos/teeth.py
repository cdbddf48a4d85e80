"""History spoiled on purpose: the checker must find each harm."""

import contextlib
import io

import psycopg2

from report import Report

# What is done to a copy, by name: one statement, which must hit at least one row.
SOME_IDENTITY = "(select identity_id from spt_hist_identity_capture group by 1 having count(*) > 3 order by 1 limit 1)"
HARMS = {
    "a capture is deleted":
        f"delete from spt_hist_identity_capture where id = (select id from spt_hist_identity_capture where identity_id ="
        f" {SOME_IDENTITY} order by effective_date desc limit 1)",
    "a capture of an account is deleted with its events, and all sums made right":
        "with gone as (delete from spt_hist_account_capture where id = (select c.id from spt_hist_account_capture c join"
        " (select account_id, max(effective_date) as newest, count(*) as n from spt_hist_account_capture group by 1) a"
        " on a.account_id = c.account_id and a.newest = c.effective_date where n > 2 and c.deleted = 0"
        " order by c.id limit 1) returning id, transform_type),"
        " told as (delete from spt_hist_identity_event where capture_id in (select id from gone) returning 1)"
        " update annals_run_write w set full_captures = full_captures - (select count(*) from gone where transform_type ="
        " 'full'), patch_captures = patch_captures - (select count(*) from gone where transform_type = 'patch')"
        " where (run_id, partition_no, object_type) = (select run_id, partition_no, object_type from annals_run_write"
        " where object_type = 'account' and full_captures > 0 and patch_captures > 0 limit 1)",
    "a capture is there twice":
        "insert into spt_hist_role_capture select (jsonb_populate_record(c, jsonb_build_object('id', repeat('f', 32),"
        " 'effective_date', c.effective_date + 1))).* from spt_hist_role_capture c where c.transform_type = 'full'"
        " order by id limit 1",
    "an event is deleted":
        "delete from spt_hist_identity_event where id = (select id from spt_hist_identity_event where event_type ="
        " 'IdentityChanged' order by id limit 1)",
    "an event is there twice":
        "insert into spt_hist_role_event select (jsonb_populate_record(e, jsonb_build_object('id', repeat('f', 32)))).*"
        " from spt_hist_role_event e order by id limit 1",
    "a head is moved back":
        "update annals_head set capture_id = decode((select id from spt_hist_identity_capture where identity_id ="
        f" {SOME_IDENTITY} order by effective_date limit 1), 'hex') where object_id = {SOME_IDENTITY}",
    "a counter is off":
        "update annals_run set counters = replace(counters, '\"totalSeenObjects\":', '\"totalSeenObjects\":1')"
        " where id = (select max(id) from annals_run where result = 'Success')",
    "what a run says that it wrote is off":
        "update annals_run_write set unchanged = unchanged + 1 where (run_id, partition_no, object_type) ="
        " (select run_id, partition_no, object_type from annals_run_write where run_id in"
        " (select id from annals_run where result = 'Success') order by 1, 2, 3 limit 1)",
    "an epoch is lowered":
        "update annals_partition set lease_epoch = lease_epoch - 1 where (run_id, partition_no) ="
        " (select run_id, partition_no from annals_partition where lease_epoch > 1 order by 1, 2 limit 1)",
    "a driver's epoch is lowered":
        "update annals_run set driver_epoch = driver_epoch - 1 where id ="
        " (select id from annals_run where driver_epoch > 1 order by 1 limit 1)",
    "a request state is gone":
        "delete from annals_request_state s where (run_id, partition_no, seq) = (select run_id, partition_no, max(seq)"
        " from annals_request_state group by 1, 2 having max(seq) > 1 order by 1, 2 limit 1)",
    "a request state goes backwards":
        "update annals_request_state set state = replace(state, '\"chunksDone\":2', '\"chunksDone\":1')"
        " where (run_id, partition_no, seq) = (select run_id, partition_no, 2 from annals_request_state"
        " where seq = 2 order by 1, 2 limit 1)",
    "a named timestamp moves back":
        "update annals_named_timestamp set timestamp_ms = timestamp_ms - 3600000 where task = 'People'",
    "a planned fire is gone":
        "delete from annals_schedule_fire where (task, planned_at) = (select task, planned_at from annals_schedule_fire"
        " where outcome = 'skipped' and kind <> 'asked' order by planned_at limit 1 offset 1)",
    "a run has two fires":
        "update annals_schedule_fire set outcome = 'fired', run_id = (select min(run_id) from annals_schedule_fire)"
        " where (task, planned_at) = (select task, planned_at from annals_schedule_fire where run_id is null"
        " order by planned_at limit 1 offset 1)",
    "a partition is not done":
        "update annals_partition set state = 'leased' where (run_id, partition_no) ="
        " (select run_id, partition_no from annals_partition where state = 'done' order by 1, 2 limit 1)",
}


def bite(history_url, look):
    """Tries each harm on a copy; 1 if one of them is not found. `look` is told whether the harm is one of what history
    keeps of objects, or of the control tables alone, which are looked at faster."""
    server, name = history_url.rsplit("/", 1)
    admin = psycopg2.connect(f"{server}/postgres")
    admin.autocommit = True
    missed = 0
    for nth, (harm, statement) in enumerate(HARMS.items()):
        copy = f"{name}_harmed_{nth}"
        with admin.cursor() as cursor:
            cursor.execute(f"create database {copy} template {name}")
        try:
            found = harmed(f"{server}/{copy}", statement, look)
        finally:
            with admin.cursor() as cursor:
                cursor.execute(f"drop database {copy} with (force)")
        if found is None:
            print(f"{harm}: there is nothing to harm, left out")
        elif found:
            print(f"{harm}: found, {found[0][:160]}")
        else:
            missed += 1
            print(f"{harm}: NOT FOUND")
    return 1 if missed else 0


def harmed(url, statement, look):
    """The findings about a copy that was harmed; nothing where there was nothing to harm."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        hit = cursor.rowcount
    connection.close()
    if not hit:
        return None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        look(url, "spt_hist_" in statement or "annals_head" in statement, Report())
    return said.getvalue().splitlines()
