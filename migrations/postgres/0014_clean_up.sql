-- What a run needs while it is under way, and nobody once it has long ended: its partitions, their chunks, each with the
-- ids of its objects, and the log of their states. A clean-up removes it. When that was last done is kept beside it, so
-- that one that has stopped is seen.

alter table annals_run add column cleaned_up bigint;
create index annals_run_not_cleaned on annals_run (id) where cleaned_up is null;

-- One row.
create table annals_clean_up (
    id bigint not null primary key,
    began bigint,
    ended bigint,
    -- The last one that came to its end.
    done bigint,
    runs bigint not null,
    error text
);
insert into annals_clean_up (id, runs) values (1, 0);
