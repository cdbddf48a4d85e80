-- Messages arrive in any order and end in the same tables: history keeps when each state was seen, so that one that
-- comes late finds its place, and notes the events that it replaced. Messages that could not be written wait to be
-- delivered again; those that were given up can be looked at, delivered again and discarded, and every act is noted.

-- When the newest state was seen, its own capture first: pairs of 64-bit numbers, lowest byte first, of when it
-- occurred and when it was read. Null: seen once, on effective_date, read on observed_date.
alter table annals_head add column seen bytea;

-- The same for captures that are no longer the newest, where it is not null.
create table annals_sighting (
    capture_id text not null primary key,
    seen bytea not null
);

-- When captures were read, by the ids of the first and the last one of those written together.
create table annals_reading (
    first_id text collate "C" not null primary key,
    last_id text not null,
    observed_date bigint not null
);

-- Events that a late capture removed: event has the columns of the row as JSON.
create table annals_removed_event (
    id text not null primary key,
    removed bigint not null,
    event_table text not null,
    source text not null,
    object_type text not null,
    object_id text not null,
    event text not null
);

-- Messages that wait to be delivered again; message is the JSON of the message, zlib.
create table annals_parked_message (
    id text not null primary key,
    run_id bigint,
    partition_no integer,
    source text not null,
    object_type text not null,
    object_id text not null,
    name text not null,
    occurred_date bigint not null,
    observed_date bigint not null,
    created bigint not null,
    attempts integer not null,
    due bigint not null,
    reason text not null,
    message bytea not null
);
create index annals_parked_message_due on annals_parked_message (due);

alter table annals_dead_letter add column name text;
alter table annals_dead_letter add column occurred_date bigint;
alter table annals_dead_letter add column observed_date bigint;
alter table annals_dead_letter add column attempts integer;

-- What was done with dead letters.
create table annals_dead_letter_act (
    id bigint generated always as identity primary key,
    letter_id text not null,
    act text not null,
    outcome text not null,
    reason text not null,
    actor text not null,
    acted bigint not null,
    source text not null,
    object_type text not null,
    object_id text not null,
    letter_reason text not null
);
create index annals_dead_letter_act_letter on annals_dead_letter_act (letter_id);
