-- Views for reports and programs of others; docs/sql-views.md is their contract. Whatever is named annals_v1_ keeps its
-- columns, their order, types and meanings for good. The tables below may change, and a migration that changes them makes
-- these views again. Instants stand there twice: to be read, and as epoch milliseconds, by which the indexes go.

create view annals_v1_identities as
select
    identity_id,
    name,
    display_name,
    firstname,
    lastname,
    email,
    coalesce(deleted, 0) as deleted
from spt_hist_identity;

create view annals_v1_access_intervals as
select
    i.identity_id,
    p.name as identity_name,
    i.seq as interval_no,
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
    t.permission as permission,
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
    strftime('%Y-%m-%dT%H:%M:%fZ', i.valid_from / 1000.0, 'unixepoch') as valid_from,
    i.valid_from as valid_from_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.valid_to / 1000.0, 'unixepoch') as valid_to,
    i.valid_to as valid_to_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.recorded_from / 1000.0, 'unixepoch') as recorded_from,
    i.recorded_from as recorded_from_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.end_recorded / 1000.0, 'unixepoch') as end_recorded,
    i.end_recorded as end_recorded_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.recorded_to / 1000.0, 'unixepoch') as recorded_to,
    i.recorded_to as recorded_to_ms,
    case when i.opened_by is not null then lower(hex(i.opened_by)) end as opened_by,
    case when i.closed_by is not null then lower(hex(i.closed_by)) end as closed_by
from annals_access_interval i
join annals_access_item t on t.id = i.item
left join spt_hist_identity p on p.identity_id = i.identity_id;

create view annals_v1_events as
select
    id as event_id,
    'identity' as object_type,
    entity_id as object_id,
    entity_name as object_name,
    event_category as category,
    event_type,
    event_source_type as source,
    strftime('%Y-%m-%dT%H:%M:%fZ', event_date / 1000.0, 'unixepoch') as occurred,
    event_date as occurred_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', created / 1000.0, 'unixepoch') as recorded,
    created as recorded_ms,
    property_name as property,
    old_value,
    new_value,
    event_detail_json as detail,
    capture_id,
    prev_capture_id as previous_capture_id,
    account_id,
    acct_app_id as application_id,
    acct_app_name as application,
    acct_app_instance as instance,
    acct_native_id as account,
    acct_display_name as account_name,
    request_item_id,
    identity_request_id,
    pending_request_item_id,
    identity_entitlement_id as entitlement_id,
    qry_property1,
    qry_property2,
    qry_property3,
    qry_property4,
    qry_property5,
    qry_property6,
    qry_property7,
    qry_property8,
    qry_property9,
    qry_property10
from spt_hist_identity_event
union all
select
    id as event_id,
    'managedAttribute' as object_type,
    entity_id as object_id,
    display_name as object_name,
    event_category as category,
    event_type,
    event_source_type as source,
    strftime('%Y-%m-%dT%H:%M:%fZ', event_date / 1000.0, 'unixepoch') as occurred,
    event_date as occurred_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', created / 1000.0, 'unixepoch') as recorded,
    created as recorded_ms,
    property_name as property,
    old_value,
    new_value,
    event_detail_json as detail,
    capture_id,
    prev_capture_id as previous_capture_id,
    null as account_id,
    acct_app_id as application_id,
    acct_app_name as application,
    null as instance,
    acct_native_id as account,
    acct_display_name as account_name,
    null as request_item_id,
    null as identity_request_id,
    null as pending_request_item_id,
    null as entitlement_id,
    qry_property1,
    qry_property2,
    qry_property3,
    qry_property4,
    qry_property5,
    qry_property6,
    qry_property7,
    qry_property8,
    qry_property9,
    qry_property10
from spt_hist_mattr_event
union all
select
    id as event_id,
    'role' as object_type,
    entity_id as object_id,
    entity_name as object_name,
    event_category as category,
    event_type,
    event_source_type as source,
    strftime('%Y-%m-%dT%H:%M:%fZ', event_date / 1000.0, 'unixepoch') as occurred,
    event_date as occurred_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', created / 1000.0, 'unixepoch') as recorded,
    created as recorded_ms,
    property_name as property,
    old_value,
    new_value,
    event_detail_json as detail,
    capture_id,
    prev_capture_id as previous_capture_id,
    null as account_id,
    null as application_id,
    null as application,
    null as instance,
    null as account,
    null as account_name,
    null as request_item_id,
    null as identity_request_id,
    null as pending_request_item_id,
    null as entitlement_id,
    qry_property1,
    qry_property2,
    qry_property3,
    qry_property4,
    qry_property5,
    qry_property6,
    qry_property7,
    qry_property8,
    qry_property9,
    qry_property10
from spt_hist_role_event
union all
select
    id as event_id,
    'workgroup' as object_type,
    entity_id as object_id,
    entity_name as object_name,
    event_category as category,
    event_type,
    event_source_type as source,
    strftime('%Y-%m-%dT%H:%M:%fZ', event_date / 1000.0, 'unixepoch') as occurred,
    event_date as occurred_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', created / 1000.0, 'unixepoch') as recorded,
    created as recorded_ms,
    property_name as property,
    old_value,
    new_value,
    event_detail_json as detail,
    capture_id,
    prev_capture_id as previous_capture_id,
    null as account_id,
    null as application_id,
    null as application,
    null as instance,
    null as account,
    null as account_name,
    null as request_item_id,
    null as identity_request_id,
    null as pending_request_item_id,
    null as entitlement_id,
    qry_property1,
    qry_property2,
    qry_property3,
    qry_property4,
    qry_property5,
    qry_property6,
    qry_property7,
    qry_property8,
    qry_property9,
    qry_property10
from spt_hist_workgroup_event;

create view annals_v1_runs as
select
    id as run_id,
    task,
    trigger_kind,
    host,
    state,
    status,
    result,
    strftime('%Y-%m-%dT%H:%M:%fZ', started / 1000.0, 'unixepoch') as started,
    started as started_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended / 1000.0, 'unixepoch') as ended,
    ended as ended_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', since_date / 1000.0, 'unixepoch') as since,
    since_date as since_ms,
    strftime('%Y-%m-%dT%H:%M:%fZ', horizon / 1000.0, 'unixepoch') as horizon,
    horizon as horizon_ms,
    json_extract(counters, '$.totalObjectMessages') as total_object_messages,
    json_extract(counters, '$.totalModifiedObjectMessages') as total_modified_object_messages,
    json_extract(counters, '$.totalReattemptObjectMessages') as total_reattempt_object_messages,
    json_extract(counters, '$.totalDeletionExtractedObjects') as total_deletion_extracted_objects,
    json_extract(counters, '$.totalDeletionExtractedObjectsDispatched') as total_deletion_extracted_objects_dispatched,
    json_extract(counters, '$.totalSeenObjects') as total_seen_objects,
    json_extract(counters, '$.totalUnseenObjects') as total_unseen_objects,
    json_extract(counters, '$.totalExtractedObjects') as total_extracted_objects,
    json_extract(counters, '$.totalExtractedObjectsNotFound') as total_extracted_objects_not_found,
    json_extract(counters, '$.totalExtractedObjectsFailed') as total_extracted_objects_failed,
    json_extract(counters, '$.totalExtractedObjectsPublished') as total_extracted_objects_published,
    json_extract(counters, '$.totalPublishingFails') as total_publishing_fails,
    json_extract(counters, '$.totalDroppedObjects') as total_dropped_objects
from annals_run;

create view annals_v1_history as
select
    complete as intervals_complete
from annals_access_build;
