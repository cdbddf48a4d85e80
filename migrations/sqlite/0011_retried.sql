-- When somebody gave a failed object all its attempts again. A run that had begun before may have left the object out, in
-- quarantine as it was, so that its end must not take the object off the list as one that succeeded.

alter table annals_failed_object add column retried integer;
