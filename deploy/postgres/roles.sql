-- Roles of a history database. Called by an administrator, connected to it, as often as one likes:
--     psql --dbname=annals --file=roles.sql
-- Passwords are given apart from this: \password annals_writer

\set ON_ERROR_STOP on
begin;

-- annals_migrator owns the tables (`annals migrate`), annals_writer is the daemon's and that of `annals run`,
-- annals_reader is for `annals as-of`, `timeline`, `runs` and exports, annals_reports for programs of others: it reads the
-- views of docs/sql-views.md alone.
select format('create role %I login', wanted.role)
from (values ('annals_migrator'), ('annals_writer'), ('annals_reader'), ('annals_reports')) wanted (role)
where not exists (select 1 from pg_roles where rolname = wanted.role)
\gexec

-- An administrator who is no superuser says what becomes of annals_migrator's tables as a member of it, until the end of
-- this file.
select not pg_has_role(current_user, 'annals_migrator', 'usage') as joins
\gset
\if :joins
grant annals_migrator to current_user;
\endif

revoke connect, temporary on database :"DBNAME" from public;
grant connect on database :"DBNAME" to annals_migrator, annals_writer, annals_reader, annals_reports;
-- Up to PostgreSQL 14 everybody may make tables here.
revoke create on schema public from public;
grant usage, create on schema public to annals_migrator;
grant usage on schema public to annals_writer, annals_reader, annals_reports;

grant select, insert, update, delete on all tables in schema public to annals_writer;
grant select on all tables in schema public to annals_reader;
-- The same for what later migrations make.
alter default privileges for role annals_migrator in schema public
    grant select, insert, update, delete on tables to annals_writer;
alter default privileges for role annals_migrator in schema public grant select on tables to annals_reader;
-- What the migrations do too, where these roles were there before: the views, and the access log for what is exported.
select format('grant select on %I to annals_reports', viewname)
from pg_views where schemaname = 'public' and viewname like 'annals\_v1\_%'
\gexec
select 'grant insert on annals_access to annals_reader' where to_regclass('public.annals_access') is not null
\gexec

-- Indexes that a first load makes at its end are logged compressed, where PostgreSQL (15) lets that be granted.
-- Only a superuser may grant that, or whom one let; without it they are logged as they are.
do $$
begin
    if current_setting('server_version_num')::int >= 150000 then
        execute 'grant set on parameter wal_compression to annals_migrator, annals_writer';
    end if;
exception when insufficient_privilege then
    raise notice 'wal_compression is not granted, for % may not grant it: first loads write more log', current_user;
end $$;

\if :joins
revoke annals_migrator from current_user;
\endif

commit;

-- A first load takes a fifth of the time where it may drop indexes and make them again, which takes a table's owner:
--     grant annals_migrator to annals_writer;
-- and, when the load has ended and annals_deferred_index is empty:
--     revoke annals_migrator from annals_writer;
