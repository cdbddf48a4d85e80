-- Questions look up what nothing did before. An answer about an instant says whether a run failed between the two times at
-- which the object was seen: runs that failed are few among many, and so are objects that failed in one.

create index annals_run_failed on annals_run (started) where status = 'error';
create index annals_run_failure_object on annals_run_failure (object_type, object_id);
