-- Questions look up what nothing did before. An answer about an instant says whether a run failed between the two times at
-- which the object was seen: runs that failed are few among many, and so are objects that failed in one. And who holds an
-- access item is asked by its name, its value or its id, which may be longer than an ordered index takes.

create index annals_run_failed on annals_run (started) where status = 'error';
create index annals_run_failure_object on annals_run_failure (object_type, object_id);
create index annals_access_item_name on annals_access_item using hash (name);
create index annals_access_item_value on annals_access_item using hash (value);
create index annals_access_item_item on annals_access_item using hash (item_id);
