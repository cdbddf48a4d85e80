-- Who had access to what, from when until when, and as known when: what the captures of identities say, in a form that
-- questions about one identity, one item or the whole population read directly. A first load writes a dozen rows a person,
-- so they are kept narrow: what thousands of holders share stands in annals_access_item, under a number that is made of
-- its content, and capture ids are bytes.

create table annals_access_item (
    -- The first 64 bits of the SHA-256 of all that follows.
    id integer not null primary key,
    -- 1 account, 2 entitlement, 3 assignedRole, 4 detectedRole, 5 capability, 6 workgroup.
    kind integer not null,
    -- 1: attribute has the target of a permission, value the rights.
    permission integer not null,
    -- Of a role, capability or workgroup.
    item_id text,
    name text,
    application_id text,
    application text,
    instance text,
    attribute text,
    value text
) strict;

create table annals_access_interval (
    valid_from integer not null,
    -- Null: not ended, as far as is known.
    valid_to integer,
    recorded_from integer not null,
    -- Since when valid_to has been known; before, the interval was known with no end.
    end_recorded integer,
    -- Since when history has known better; null: this is what is known.
    recorded_to integer,
    item integer not null,
    -- Number of the row among those of the identity.
    seq integer not null,
    -- The sum of: 1 assigned, 2 detected, 4 granted through a role, 8 requested, 16 certified.
    acquired integer not null,
    -- As annals_head has it.
    identity_id text not null,
    -- The captures that say that it began and that it ended.
    opened_by blob not null,
    closed_by blob,
    request_item_id text,
    native_identity text,
    cause text,
    assigner text,
    primary key (identity_id, seq)
) strict, without rowid;
-- Who held an item, at an instant or between two.
create index annals_access_interval_item on annals_access_interval (item, valid_from);

-- Which identities' captures have become intervals, one row. A history from before has none until
-- `annals rebuild intervals` has made them.
create table annals_access_build (
    id integer not null primary key,
    -- 1: all of them.
    complete integer not null,
    -- A rebuilding is under way, and has come to this identity; while not all are complete, those up to it are.
    position text
) strict;
insert into annals_access_build (id, complete)
    select 1, case when exists (select 1 from spt_hist_identity_capture) then 0 else 1 end;
