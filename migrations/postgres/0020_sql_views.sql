-- Views for reports and programs of others; docs/sql-views.md is their contract. Whatever is named annals_v1_ keeps its
-- columns, their order, types and meanings for good. The tables below may change, and a migration that changes them makes
-- these views again. Instants stand there twice: to be read, and as epoch milliseconds, by which the indexes go.

create view annals_v1_identities as
select
    cast(identity_id as text) as identity_id,
    cast(name as text) as name,
    cast(display_name as text) as display_name,
    cast(firstname as text) as firstname,
    cast(lastname as text) as lastname,
    cast(email as text) as email,
    cast(coalesce(deleted, 0) as integer) as deleted
from spt_hist_identity;

create view annals_v1_access_intervals as
select
    i.identity_id,
    cast(p.name as text) as identity_name,
    cast(i.seq as bigint) as interval_no,
    case t.kind
        when 1 then 'account'
        when 2 then 'entitlement'
        when 3 then 'assignedRole'
        when 4 then 'detectedRole'
        when 5 then 'capability'
        when 6 then 'workgroup'
    end as kind,
    i.item,
    t.item_id,
    t.name,
    t.application_id,
    t.application,
    t.instance,
    cast(t.permission as integer) as permission,
    t.attribute,
    t.value,
    i.native_identity as account,
    rtrim(case when i.acquired & 1 <> 0 then 'assigned,' else '' end
        || case when i.acquired & 2 <> 0 then 'detected,' else '' end
        || case when i.acquired & 4 <> 0 then 'granted,' else '' end
        || case when i.acquired & 8 <> 0 then 'requested,' else '' end
        || case when i.acquired & 16 <> 0 then 'certified,' else '' end, ',') as acquired,
    i.cause,
    i.assigner,
    i.request_item_id,
    to_timestamp(i.valid_from / 1000.0) as valid_from,
    cast(i.valid_from as bigint) as valid_from_ms,
    to_timestamp(i.valid_to / 1000.0) as valid_to,
    cast(i.valid_to as bigint) as valid_to_ms,
    to_timestamp(i.recorded_from / 1000.0) as recorded_from,
    cast(i.recorded_from as bigint) as recorded_from_ms,
    to_timestamp(i.end_recorded / 1000.0) as end_recorded,
    cast(i.end_recorded as bigint) as end_recorded_ms,
    to_timestamp(i.recorded_to / 1000.0) as recorded_to,
    cast(i.recorded_to as bigint) as recorded_to_ms,
    encode(i.opened_by, 'hex') as opened_by,
    encode(i.closed_by, 'hex') as closed_by
from annals_access_interval i
join annals_access_item t on t.id = i.item
left join spt_hist_identity p on p.identity_id = i.identity_id;

create view annals_v1_events as
select
    cast(id as text) as event_id,
    cast('identity' as text) as object_type,
    cast(entity_id as text) as object_id,
    cast(entity_name as text) as object_name,
    cast(event_category as text) as category,
    cast(event_type as text) as event_type,
    cast(event_source_type as text) as source,
    to_timestamp(event_date / 1000.0) as occurred,
    cast(event_date as bigint) as occurred_ms,
    to_timestamp(created / 1000.0) as recorded,
    cast(created as bigint) as recorded_ms,
    cast(property_name as text) as property,
    old_value,
    new_value,
    event_detail_json as detail,
    cast(capture_id as text) as capture_id,
    cast(prev_capture_id as text) as previous_capture_id,
    cast(account_id as text) as account_id,
    cast(acct_app_id as text) as application_id,
    cast(acct_app_name as text) as application,
    cast(acct_app_instance as text) as instance,
    cast(acct_native_id as text) as account,
    cast(acct_display_name as text) as account_name,
    cast(request_item_id as text) as request_item_id,
    cast(identity_request_id as text) as identity_request_id,
    cast(pending_request_item_id as text) as pending_request_item_id,
    cast(identity_entitlement_id as text) as entitlement_id,
    cast(qry_property1 as text) as qry_property1,
    cast(qry_property2 as text) as qry_property2,
    cast(qry_property3 as text) as qry_property3,
    cast(qry_property4 as text) as qry_property4,
    cast(qry_property5 as text) as qry_property5,
    cast(qry_property6 as text) as qry_property6,
    cast(qry_property7 as text) as qry_property7,
    cast(qry_property8 as text) as qry_property8,
    cast(qry_property9 as text) as qry_property9,
    cast(qry_property10 as text) as qry_property10
from spt_hist_identity_event
union all
select
    cast(id as text) as event_id,
    cast('managedAttribute' as text) as object_type,
    cast(entity_id as text) as object_id,
    cast(display_name as text) as object_name,
    cast(event_category as text) as category,
    cast(event_type as text) as event_type,
    cast(event_source_type as text) as source,
    to_timestamp(event_date / 1000.0) as occurred,
    cast(event_date as bigint) as occurred_ms,
    to_timestamp(created / 1000.0) as recorded,
    cast(created as bigint) as recorded_ms,
    cast(property_name as text) as property,
    old_value,
    new_value,
    event_detail_json as detail,
    cast(capture_id as text) as capture_id,
    cast(prev_capture_id as text) as previous_capture_id,
    cast(null as text) as account_id,
    cast(acct_app_id as text) as application_id,
    cast(acct_app_name as text) as application,
    cast(null as text) as instance,
    cast(acct_native_id as text) as account,
    cast(acct_display_name as text) as account_name,
    cast(null as text) as request_item_id,
    cast(null as text) as identity_request_id,
    cast(null as text) as pending_request_item_id,
    cast(null as text) as entitlement_id,
    cast(qry_property1 as text) as qry_property1,
    cast(qry_property2 as text) as qry_property2,
    cast(qry_property3 as text) as qry_property3,
    cast(qry_property4 as text) as qry_property4,
    cast(qry_property5 as text) as qry_property5,
    cast(qry_property6 as text) as qry_property6,
    cast(qry_property7 as text) as qry_property7,
    cast(qry_property8 as text) as qry_property8,
    cast(qry_property9 as text) as qry_property9,
    cast(qry_property10 as text) as qry_property10
from spt_hist_mattr_event
union all
select
    cast(id as text) as event_id,
    cast('role' as text) as object_type,
    cast(entity_id as text) as object_id,
    cast(entity_name as text) as object_name,
    cast(event_category as text) as category,
    cast(event_type as text) as event_type,
    cast(event_source_type as text) as source,
    to_timestamp(event_date / 1000.0) as occurred,
    cast(event_date as bigint) as occurred_ms,
    to_timestamp(created / 1000.0) as recorded,
    cast(created as bigint) as recorded_ms,
    cast(property_name as text) as property,
    old_value,
    new_value,
    event_detail_json as detail,
    cast(capture_id as text) as capture_id,
    cast(prev_capture_id as text) as previous_capture_id,
    cast(null as text) as account_id,
    cast(null as text) as application_id,
    cast(null as text) as application,
    cast(null as text) as instance,
    cast(null as text) as account,
    cast(null as text) as account_name,
    cast(null as text) as request_item_id,
    cast(null as text) as identity_request_id,
    cast(null as text) as pending_request_item_id,
    cast(null as text) as entitlement_id,
    cast(qry_property1 as text) as qry_property1,
    cast(qry_property2 as text) as qry_property2,
    cast(qry_property3 as text) as qry_property3,
    cast(qry_property4 as text) as qry_property4,
    cast(qry_property5 as text) as qry_property5,
    cast(qry_property6 as text) as qry_property6,
    cast(qry_property7 as text) as qry_property7,
    cast(qry_property8 as text) as qry_property8,
    cast(qry_property9 as text) as qry_property9,
    cast(qry_property10 as text) as qry_property10
from spt_hist_role_event
union all
select
    cast(id as text) as event_id,
    cast('workgroup' as text) as object_type,
    cast(entity_id as text) as object_id,
    cast(entity_name as text) as object_name,
    cast(event_category as text) as category,
    cast(event_type as text) as event_type,
    cast(event_source_type as text) as source,
    to_timestamp(event_date / 1000.0) as occurred,
    cast(event_date as bigint) as occurred_ms,
    to_timestamp(created / 1000.0) as recorded,
    cast(created as bigint) as recorded_ms,
    cast(property_name as text) as property,
    old_value,
    new_value,
    event_detail_json as detail,
    cast(capture_id as text) as capture_id,
    cast(prev_capture_id as text) as previous_capture_id,
    cast(null as text) as account_id,
    cast(null as text) as application_id,
    cast(null as text) as application,
    cast(null as text) as instance,
    cast(null as text) as account,
    cast(null as text) as account_name,
    cast(null as text) as request_item_id,
    cast(null as text) as identity_request_id,
    cast(null as text) as pending_request_item_id,
    cast(null as text) as entitlement_id,
    cast(qry_property1 as text) as qry_property1,
    cast(qry_property2 as text) as qry_property2,
    cast(qry_property3 as text) as qry_property3,
    cast(qry_property4 as text) as qry_property4,
    cast(qry_property5 as text) as qry_property5,
    cast(qry_property6 as text) as qry_property6,
    cast(qry_property7 as text) as qry_property7,
    cast(qry_property8 as text) as qry_property8,
    cast(qry_property9 as text) as qry_property9,
    cast(qry_property10 as text) as qry_property10
from spt_hist_workgroup_event;

create view annals_v1_runs as
select
    cast(id as bigint) as run_id,
    task,
    trigger_kind,
    host,
    state,
    status,
    result,
    to_timestamp(started / 1000.0) as started,
    cast(started as bigint) as started_ms,
    to_timestamp(ended / 1000.0) as ended,
    cast(ended as bigint) as ended_ms,
    to_timestamp(since_date / 1000.0) as since,
    cast(since_date as bigint) as since_ms,
    to_timestamp(horizon / 1000.0) as horizon,
    cast(horizon as bigint) as horizon_ms,
    cast(cast(counters as json) ->> 'totalObjectMessages' as bigint) as total_object_messages,
    cast(cast(counters as json) ->> 'totalModifiedObjectMessages' as bigint) as total_modified_object_messages,
    cast(cast(counters as json) ->> 'totalReattemptObjectMessages' as bigint) as total_reattempt_object_messages,
    cast(cast(counters as json) ->> 'totalDeletionExtractedObjects' as bigint) as total_deletion_extracted_objects,
    cast(cast(counters as json) ->> 'totalDeletionExtractedObjectsDispatched' as bigint) as total_deletion_extracted_objects_dispatched,
    cast(cast(counters as json) ->> 'totalSeenObjects' as bigint) as total_seen_objects,
    cast(cast(counters as json) ->> 'totalUnseenObjects' as bigint) as total_unseen_objects,
    cast(cast(counters as json) ->> 'totalExtractedObjects' as bigint) as total_extracted_objects,
    cast(cast(counters as json) ->> 'totalExtractedObjectsNotFound' as bigint) as total_extracted_objects_not_found,
    cast(cast(counters as json) ->> 'totalExtractedObjectsFailed' as bigint) as total_extracted_objects_failed,
    cast(cast(counters as json) ->> 'totalExtractedObjectsPublished' as bigint) as total_extracted_objects_published,
    cast(cast(counters as json) ->> 'totalPublishingFails' as bigint) as total_publishing_fails,
    cast(cast(counters as json) ->> 'totalDroppedObjects' as bigint) as total_dropped_objects
from annals_run;

create view annals_v1_history as
select
    cast(complete as integer) as intervals_complete
from annals_access_build;

-- An instant as the columns *_ms have it.
create function annals_v1_ms(instant timestamptz) returns bigint
language sql stable parallel safe
as $$ select floor(extract(epoch from $1) * 1000)::bigint $$;

-- What was held at an instant, as known now or at another one. It reads the view, so that whoever may read the views
-- alone may call it; it is one query without settings, so that PostgreSQL puts it in the place of the call and conditions
-- on its columns reach the indexes.
create function annals_v1_access_as_of(at timestamptz, known_as_of timestamptz default null)
returns table (
    identity_id text,
    identity_name text,
    interval_no bigint,
    kind text,
    item bigint,
    item_id text,
    name text,
    application_id text,
    application text,
    instance text,
    permission integer,
    attribute text,
    value text,
    account text,
    acquired text,
    cause text,
    assigner text,
    request_item_id text,
    valid_from timestamptz,
    valid_from_ms bigint,
    valid_to timestamptz,
    valid_to_ms bigint,
    recorded_from timestamptz,
    recorded_from_ms bigint,
    opened_by text
)
language sql stable parallel safe
as $$
    select
        v.identity_id,
        v.identity_name,
        v.interval_no,
        v.kind,
        v.item,
        v.item_id,
        v.name,
        v.application_id,
        v.application,
        v.instance,
        v.permission,
        v.attribute,
        v.value,
        v.account,
        v.acquired,
        v.cause,
        v.assigner,
        v.request_item_id,
        v.valid_from,
        v.valid_from_ms,
        case when v.end_recorded_ms <= coalesce(annals_v1_ms($2), 9223372036854775807) then v.valid_to end,
        case when v.end_recorded_ms <= coalesce(annals_v1_ms($2), 9223372036854775807) then v.valid_to_ms end,
        v.recorded_from,
        v.recorded_from_ms,
        v.opened_by
    from annals_v1_access_intervals v
    where v.valid_from_ms <= annals_v1_ms($1)
        and v.recorded_from_ms <= coalesce(annals_v1_ms($2), 9223372036854775807)
        and (v.recorded_to_ms is null or v.recorded_to_ms > coalesce(annals_v1_ms($2), 9223372036854775807))
        and (v.valid_to_ms is null or v.valid_to_ms > annals_v1_ms($1)
            or v.end_recorded_ms > coalesce(annals_v1_ms($2), 9223372036854775807))
$$;

-- The roles of deploy/postgres/roles.sql, where they are there: reports read the views alone; whoever reads history writes
-- what he exports into the access log.
do $$
begin
    if exists (select from pg_roles where rolname = 'annals_reports') then
        grant select on annals_v1_identities, annals_v1_access_intervals, annals_v1_events, annals_v1_runs,
            annals_v1_history to annals_reports;
    end if;
    if exists (select from pg_roles where rolname = 'annals_reader') then
        grant insert on annals_access to annals_reader;
    end if;
end $$;
