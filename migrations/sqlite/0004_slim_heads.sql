-- A head is written with every capture, so its size is paid for by each: at 592 bytes with its indexes it took more
-- room than the capture of an entitlement. Source and object type become one small number, hashes and capture ids
-- bytes, and what can be told from another column is null.

create table annals_object_kind (
    id integer not null primary key,
    source text not null,
    object_type text not null,
    unique (source, object_type)
) strict;
insert into annals_object_kind (source, object_type)
    select distinct source, object_type from annals_head order by 1, 2;

alter table annals_head rename to annals_head_wide;
drop index annals_head_name;

create table annals_head (
    effective_date integer not null,
    observed_date integer not null,
    -- Null: the same as effective_date.
    extended_to_date integer,
    -- Null: the same as observed_date.
    full_observed_date integer,
    kind integer not null,
    patches_since_full integer not null,
    deleted integer not null,
    object_id text not null,
    capture_id blob not null,
    full_hash blob not null,
    -- Null: the same as full_hash.
    smart_hash blob,
    -- Null: the same as capture_id.
    full_capture_id blob,
    name text not null,
    primary key (kind, object_id)
) strict, without rowid;
insert into annals_head
    select effective_date, observed_date, nullif(extended_to_date, effective_date),
        nullif(full_observed_date, observed_date),
        k.id, patches_since_full, deleted, object_id, unhex(capture_id), unhex(full_hash),
        unhex(nullif(smart_hash, full_hash)), unhex(nullif(full_capture_id, capture_id)), name
    from annals_head_wide h
    join annals_object_kind k on k.source = h.source and k.object_type = h.object_type
    order by k.id, object_id;
drop table annals_head_wide;
-- Finding an object by name, without case.
create index annals_head_name on annals_head (kind, upper(name));

-- Indexes that are left away while a first load fills empty tables, and made again at its end.
create table annals_deferred_index (
    name text not null primary key,
    table_name text not null,
    create_sql text not null
) strict;
