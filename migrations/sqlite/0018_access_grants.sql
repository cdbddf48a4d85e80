-- What roles and groups bring with them, from when until when, and as known when: in the form of access intervals, made of
-- the captures of roles and managed attributes, so that who had access through them can be asked of any instant. And what
-- finds access items by name, id and value, and an item's holders in the order in which they are told.

create table annals_access_grant (
    valid_from integer not null,
    valid_to integer,
    recorded_from integer not null,
    end_recorded integer,
    recorded_to integer,
    -- The item that is brought.
    item integer not null,
    -- The item that brings it: whoever holds it has the other.
    granted_by integer not null,
    -- 1 a role inherits, 2 a role requires, 3 a role's profile stands for it, 4 a group is in a group.
    way integer not null,
    -- Number of the row among those of the granter.
    seq integer not null,
    -- role/ID or managedAttribute/ID.
    granter text not null,
    opened_by blob not null,
    closed_by blob,
    primary key (granter, seq)
) strict, without rowid;
create index annals_access_grant_item on annals_access_grant (item);

-- Which roles' and managed attributes' captures have become rows, as in annals_access_build.
create table annals_grant_build (
    id integer not null primary key,
    complete integer not null,
    position text
) strict;
insert into annals_grant_build (id, complete)
    select 1, case when exists (select 1 from spt_hist_role_capture)
        or exists (select 1 from spt_hist_mattr_capture) then 0 else 1 end;

create index annals_access_item_object on annals_access_item (item_id);
create index annals_access_item_name on annals_access_item (name);
create index annals_access_item_value on annals_access_item (value);

-- The pages of an answer go by identity.
drop index annals_access_interval_item;
create index annals_access_interval_item on annals_access_interval (item, identity_id);
