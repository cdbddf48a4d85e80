-- Which part of history somebody may read who may not read all of it, and who may look but not export. The scope is
-- JSON: identity, own, managerTree, applications. Who is below a manager is found by the manager that captures name.

alter table annals_token add column scope text;
alter table annals_token add column view_only smallint not null default 0;
alter table annals_token_act add column scope text;
alter table annals_token_act add column view_only smallint not null default 0;
create index spt_hist_identity_capture_manager on spt_hist_identity_capture (manager_id);
