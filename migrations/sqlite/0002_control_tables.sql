-- Our own tables beside the history: heads, which make duplicate detection and patch-or-full need no look into the
-- capture tables; tasks, runs, partitions, request state, named timestamps and failed objects, which live in this
-- database so that a fail-over or a restore rolls captures and checkpoints back together and one transaction holds
-- both; and the captures of certifications, of which the reference keeps the newest state only
-- (spt_hist_certification), so that a certification's past is answered like any other object's.
--
-- All times are epoch milliseconds, booleans are integers, JSON is text but for documents, which are bytes.
-- The key of annals_head begins with the object's type and id: people look objects up without naming a source.

create table annals_head (
    source text not null,
    object_type text not null,
    object_id text not null,
    name text not null,
    capture_id text not null,
    effective_date integer not null,
    extended_to_date integer not null,
    observed_date integer not null,
    full_hash text not null,
    smart_hash text not null,
    patches_since_full integer not null,
    full_capture_id text not null,
    full_observed_date integer not null,
    deleted integer not null,
    primary key (object_type, object_id, source)
) strict, without rowid;
-- Finding an object by name, without case.
create index annals_head_name on annals_head (object_type, upper(name));

create table annals_certification_capture (
    id text not null primary key,
    created integer not null,
    patch_doc_parent text,
    cert_id text not null,
    cert_name text,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    deleted integer
) strict;
-- As for the other capture tables: questions about a past instant start there.
create index annals_certification_capture_object on annals_certification_capture (cert_id, effective_date desc);

create table annals_config_version (
    id integer not null primary key autoincrement,
    created integer not null,
    content_hash text not null unique,
    snapshot text not null
) strict;

create table annals_task (
    name text not null primary key,
    extract_configuration text not null unique,
    created integer not null,
    locked_by_run integer,
    locked_at integer
) strict;

-- trigger_kind: scheduled, adhoc. state: dispatching, running, finishing, ended. since_date is the named timestamp it
-- began from; counters and by_type are JSON.
create table annals_run (
    id integer not null primary key autoincrement,
    task text not null,
    trigger_kind text not null,
    host text not null,
    config_version integer not null,
    state text not null,
    status text,
    result text,
    started integer not null,
    ended integer,
    since_date integer,
    horizon integer not null,
    counters text not null,
    by_type text
) strict;
-- The runs of a task, newest last.
create index annals_run_task on annals_run (task, id);

create table annals_run_message (
    run_id integer not null,
    idx integer not null,
    status text not null,
    text text not null,
    primary key (run_id, idx)
) strict, without rowid;

-- state: pending, leased, done, failed.
create table annals_partition (
    run_id integer not null,
    partition_no integer not null,
    object_count integer not null,
    state text not null,
    lease_epoch integer not null,
    leased_by text,
    lease_until integer,
    primary key (run_id, partition_no)
) strict;
-- A worker looks for a partition that is pending or whose lease ran out.
create index annals_partition_state on annals_partition (state, run_id);

-- kind: modified, reattempt, deleted. objects is JSON.
create table annals_partition_chunk (
    run_id integer not null,
    partition_no integer not null,
    chunk_no integer not null,
    object_type text not null,
    kind text not null,
    object_count integer not null,
    objects text not null,
    primary key (run_id, partition_no, chunk_no)
) strict;

-- A log: one row each time a partition's state is saved; the newest counts. state is JSON.
create table annals_request_state (
    run_id integer not null,
    partition_no integer not null,
    seq integer not null,
    saved integer not null,
    lease_epoch integer not null,
    state text not null,
    primary key (run_id, partition_no, seq)
) strict;

create table annals_run_failure (
    run_id integer not null,
    object_type text not null,
    object_id text not null,
    partition_no integer not null,
    stage text not null,
    error text not null,
    primary key (run_id, object_type, object_id)
) strict;

create table annals_named_timestamp (
    task text not null primary key,
    timestamp_ms integer,
    updated integer not null,
    run_id integer
) strict;

create table annals_failed_object (
    task text not null,
    object_type text not null,
    object_id text not null,
    attempts integer not null,
    stage text not null,
    error text not null,
    first_failed integer not null,
    last_failed integer not null,
    run_id integer not null,
    primary key (task, object_type, object_id)
) strict;

create table annals_run_write (
    run_id integer not null,
    partition_no integer not null,
    object_type text not null,
    full_captures integer not null,
    patch_captures integer not null,
    duplicates integer not null,
    unchanged integer not null,
    deleted integer not null,
    late integer not null,
    dead integer not null,
    events integer not null,
    primary key (run_id, partition_no, object_type)
) strict, without rowid;

create table annals_run_attribute (
    run_id integer not null,
    object_type text not null,
    attribute text not null,
    changed integer not null,
    primary key (run_id, object_type, attribute)
) strict, without rowid;

-- message is the JSON of the message, zlib.
create table annals_dead_letter (
    id text not null primary key,
    run_id integer,
    partition_no integer,
    source text not null,
    object_type text not null,
    object_id text not null,
    created integer not null,
    reason text not null,
    message blob not null
) strict;

-- An item may be written before its request: the end of a run settles those without a request's capture.
create index annals_request_item_unsettled on spt_hist_identity_req_item_capture (identity_request_id)
    where identity_request_capture_id is null and identity_request_id is not null;
