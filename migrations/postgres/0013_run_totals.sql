-- What has ended of each task, by how it ended: a monitor asks for it every few seconds, and adding up all runs there ever
-- were would take longer each night. The end of a run adds to it, in the same transaction; taking one up again takes it off.

create table annals_run_total (
    task text not null,
    status text not null,
    result text not null,
    runs bigint not null,
    full_captures bigint not null,
    patch_captures bigint not null,
    deleted bigint not null,
    duplicates bigint not null,
    unchanged bigint not null,
    failed bigint not null,
    primary key (task, status, result)
);

insert into annals_run_total (task, status, result, runs, full_captures, patch_captures, deleted, duplicates, unchanged,
    failed)
select r.task, coalesce(r.status, ''), coalesce(r.result, ''), count(*), sum(coalesce(w.full_captures, 0)),
    sum(coalesce(w.patch_captures, 0)), sum(coalesce(w.deleted, 0)), sum(coalesce(w.duplicates, 0)),
    sum(coalesce(w.unchanged, 0)), sum(coalesce(f.failed, 0))
from annals_run r
left join (select run_id, sum(full_captures) as full_captures, sum(patch_captures) as patch_captures,
        sum(deleted) as deleted, sum(duplicates) as duplicates, sum(unchanged) as unchanged
    from annals_run_write group by run_id) w on w.run_id = r.id
left join (select run_id, count(*) as failed from annals_run_failure group by run_id) f on f.run_id = r.id
where r.state = 'ended'
group by r.task, coalesce(r.status, ''), coalesce(r.result, '');
