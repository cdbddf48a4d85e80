-- The schedule ledger. A planned fire is a row, and its key lets one host alone plan it, however many look at the clock;
-- its outcome is decided once. The row of annals_schedule says up to where the fires of a task are decided on, and is
-- locked while a host does so.
--
-- kind: on-time, late (no host was there when it was due), asked (somebody asked for it). outcome: waiting, fired,
-- caught-up, triggered, skipped, missed. due_at is later than planned_at by the jitter; lateness_ms counts from it, and
-- is null while the fire waits. note says why a fire was skipped or missed, or why it waits still.

create table annals_schedule (
    task text not null primary key,
    planned_until integer not null,
    paused_at integer,
    pause_note text
) strict, without rowid;

create table annals_schedule_fire (
    task text not null,
    planned_at integer not null,
    due_at integer not null,
    kind text not null,
    outcome text not null,
    decided integer not null,
    lateness_ms integer,
    run_id integer,
    host text not null,
    note text,
    primary key (task, planned_at)
) strict, without rowid;
-- Every second somebody asks for those that wait.
create index annals_schedule_fire_waiting on annals_schedule_fire (task, due_at) where outcome = 'waiting';
