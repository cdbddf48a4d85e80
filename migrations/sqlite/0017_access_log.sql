-- Who may ask, and who asked. A token's text is not kept, only its hash. What was done with tokens stays when they are
-- gone. A request is noted before it is answered: in annals_access who asked by name, allowed or not, in
-- annals_login_failure who came without a name that counts.

create table annals_token (
    id text not null primary key,
    name text not null,
    hash blob not null,
    -- Between commas.
    roles text not null,
    created integer not null,
    created_by text not null,
    expires integer,
    revoked integer,
    revoked_by text
) strict, without rowid;
create unique index annals_token_hash on annals_token (hash);
-- A name is free again once its token is revoked.
create unique index annals_token_name on annals_token (name) where revoked is null;

create table annals_token_act (
    id text not null primary key,
    acted integer not null,
    act text not null,
    actor text not null,
    token_id text not null,
    name text not null,
    roles text not null,
    expires integer
) strict, without rowid;

create table annals_access (
    id text not null primary key,
    at integer not null,
    -- Who, with the roles of that moment, and how that is known.
    principal text not null,
    roles text not null,
    authentication text not null,
    address text not null,
    -- The host that answered.
    host text not null,
    method text not null,
    path text not null,
    operation text not null,
    -- The query as it was sent.
    query text,
    result_rows integer,
    success integer not null,
    status integer not null
) strict, without rowid;
create index annals_access_at on annals_access (at, id);
create index annals_access_principal on annals_access (principal, at, id);

create table annals_login_failure (
    id text not null primary key,
    at integer not null,
    reason text not null,
    -- Whose token it was, if it ever was one.
    principal text,
    address text not null,
    host text not null,
    method text not null,
    path text not null
) strict, without rowid;
create index annals_login_failure_at on annals_login_failure (at, id);
