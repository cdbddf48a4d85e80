-- The role that reads an identity system on PostgreSQL. Called by an administrator, connected to its database, as often
-- as one likes, and again after an upgrade that made tables:
--     psql --dbname=identityiq --file=source-role.sql
-- The system's schema, if it is not public:              --set=schema=identityiq
-- Where annals.yaml has `interceptedDeletes: remove`:    --set=intercepted_deletes=remove
-- The password is given apart from this: \password annals_source

\set ON_ERROR_STOP on
\if :{?schema}
\else
    \set schema public
\endif
begin;

select 'create role annals_source login' where not exists (select 1 from pg_roles where rolname = 'annals_source')
\gexec
alter role annals_source in database :"DBNAME" set search_path = :"schema";

grant connect on database :"DBNAME" to annals_source;
grant usage on schema :"schema" to annals_source;
grant select on all tables in schema :"schema" to annals_source;
-- To be told of transactions that are open, so that what they commit late is read.
grant pg_read_all_stats to annals_source;
\if :{?intercepted_deletes}
    grant delete on :"schema".spt_intercepted_delete to annals_source;
\endif

commit;
