-- A worker that dies takes with it what it was doing: an object that kills whoever works on it would be met again by
-- the next worker, for ever. Here are the objects that may have done so, with how many workers died while they may have
-- been in hand. They are worked on apart, in groups and then alone, and noted beforehand as in hand in a partition: who
-- dies then tells which object it was. Nearly always this table is empty.

create table annals_suspect (
    task text not null,
    object_type text not null,
    object_id text not null,
    deaths integer not null,
    in_hand_run integer,
    in_hand_partition integer,
    primary key (task, object_type, object_id)
) strict, without rowid;
