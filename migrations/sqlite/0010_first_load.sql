-- The run that fills history for the first time and left these indexes away. It alone may write heads without their key.

alter table annals_deferred_index add column run_id integer;
