-- Several processes work on the runs of one history database. Each is a row of annals_host, renewed by its heartbeat;
-- a run has a driver, which dispatches and finishes it under a lease with an epoch of its own, as a partition has an
-- owner. What a run was asked to read stands with it, so that any process can take it over. All instants are the
-- database's.

-- clock_skew_ms: the host's clock less the database's. stopped: when the process said that it ends.
create table annals_host (
    id integer not null primary key autoincrement,
    name text not null,
    pid integer not null,
    roles text not null,
    started integer not null,
    heartbeat integer not null,
    lease_ms integer not null,
    clock_skew_ms integer not null,
    stopped integer
) strict;

-- driver: the annals_host that dispatches and finishes it. scope: JSON of the objects that it was asked to read, null:
-- all that qualifies. follows: the run that it executes again.
alter table annals_run add column driver integer;
alter table annals_run add column driver_epoch integer not null default 0;
alter table annals_run add column driver_until integer;
alter table annals_run add column scope text;
alter table annals_run add column follows integer;
-- Every process looks for runs that are under way, several times a second.
create index annals_run_open on annals_run (id) where state <> 'ended';
