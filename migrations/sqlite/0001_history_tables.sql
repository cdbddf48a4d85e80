-- The history tables: all tables and columns that IdentityIQ 8.4 Access History has, by the same names, so that
-- reports written for it work here. Rendered from migrations/history_columns.csv by `cargo x render-migrations`.
--
-- Where it differs from the reference, and why:
-- * `json` is bytes: ZIPPED is raw zlib, not base64 of it, which would be a third larger. `json_format` says what a row
--   holds; spt_hist_certification has no such column, there the first byte tells (zlib begins with x'78', JSON with {).
-- * `*_ci` are no columns but expression indexes on upper(x), and only where a search needs one.
-- * No foreign keys. All rows of a capture are written in one transaction by one writer, so they would find nothing;
--   each would cost a look-up per child row, and retention may remove parents and children in any order.
-- * Each capture table has an index on (object id, effective_date desc): every question about a past instant, and the
--   writer's recognition of duplicates, starts there. Of the reference's own indexes only those stand here that a
--   search needs: its twenty on one table cost six times the write. The whole set is in reference_indexes.sql, applied
--   when the service's setting `historyIndexes` is `reference`.
-- * Child rows need no index of their own: their primary key begins with the capture's id.
-- * SQLite: tables are strict; a varchar(n) is text, cut to n characters by the writer as on PostgreSQL; child rows
--   live in their primary key's tree (without rowid).

create table spt_hist_certification (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    cert_id text not null,
    cert_type text,
    cert_display_name text,
    cert_name text,
    finished integer,
    signed integer,
    json blob
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_certification_object on spt_hist_certification (cert_id);

create table spt_hist_cert_remediation_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    certification_item_id text,
    certification_item_type text,
    certification_item_sub_type text,
    exception_application text,
    exception_attribute_name text,
    exception_attribute_value text,
    exception_native_identity text,
    bundle_id text,
    bundle_name text,
    bundle_assignment_id text
) strict;
create index spt_hist_cert_remediation_capture_object on spt_hist_cert_remediation_capture (certification_item_id, effective_date desc);

create table spt_hist_role_remediation_entitlements (
    cert_remediation_capture text not null,
    idx integer not null,
    application text,
    application_id text,
    entitlement_name text,
    entitlement_value text,
    native_identity text,
    primary key (cert_remediation_capture, idx)
) strict, without rowid;

create table spt_hist_identity (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    identity_id text not null,
    name text not null,
    display_name text,
    deleted integer,
    lastname text,
    firstname text,
    email text
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_identity_object on spt_hist_identity (identity_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_identity_name on spt_hist_identity (upper(name));
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_identity_display_name on spt_hist_identity (upper(display_name));
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_identity_lastname on spt_hist_identity (upper(lastname));
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_identity_firstname on spt_hist_identity (upper(firstname));
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_identity_email on spt_hist_identity (upper(email));

create table spt_hist_identity_event (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    entity_id text not null,
    entity_name text not null,
    event_date integer,
    prev_capture_id text,
    capture_id text,
    event_category text,
    event_type text,
    event_source_type text,
    event_detail_json text,
    property_name text,
    account_id text,
    old_value text,
    new_value text,
    request_item_id text,
    identity_request_id text,
    pending_request_item_id text,
    identity_entitlement_id text,
    acct_app_instance text,
    acct_app_id text,
    acct_native_id text,
    acct_app_name text,
    acct_display_name text,
    qry_property1 text,
    qry_property2 text,
    qry_property3 text,
    qry_property4 text,
    qry_property5 text,
    qry_property6 text,
    qry_property7 text,
    qry_property8 text,
    qry_property9 text,
    qry_property10 text
) strict;
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_identity_event_timeline on spt_hist_identity_event (entity_id, created, id);
-- The timeline of an account, which has no event table of its own. Partial: most events concern none.
create index spt_hist_identity_event_account on spt_hist_identity_event (account_id, created, id) where account_id is not null;
-- The timeline of an entitlement, likewise.
create index spt_hist_identity_event_entitlement on spt_hist_identity_event (identity_entitlement_id, created, id) where identity_entitlement_id is not null;
-- What an access request brought about; what its items did is found among these.
create index spt_hist_identity_event_request on spt_hist_identity_event (identity_request_id, created, id) where identity_request_id is not null;

create table spt_hist_identity_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    latest integer,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    manager_id text,
    display_name text,
    firstname text,
    lastname text,
    email text,
    manager_status integer,
    inactive integer,
    type text
) strict;
create index spt_hist_identity_capture_object on spt_hist_identity_capture (identity_id, effective_date desc);

create table spt_hist_identity_req_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    deleted integer,
    attributes text,
    identity_request_id text,
    type text,
    end_date integer,
    requester_id text,
    requester_display_name text
) strict;
create index spt_hist_identity_req_capture_object on spt_hist_identity_req_capture (identity_request_id, effective_date desc);

create table spt_hist_identity_req_item_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    identity_id text not null,
    identity_name text not null,
    identity_entitlement_id text,
    deleted integer,
    attributes text,
    native_identity text,
    name text,
    value text,
    identity_request_item_id text,
    identity_request_id text,
    type text,
    application_name text,
    operation text,
    owner_name text,
    approver_name text,
    requester_name text,
    requester_id text,
    assignment_id text,
    provisioning_state text,
    approval_state text,
    compilation_status text,
    identity_request_capture_id text,
    idx integer
) strict;
create index spt_hist_identity_req_item_capture_object on spt_hist_identity_req_item_capture (identity_request_item_id, effective_date desc);

create table spt_hist_mattr (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    mattr_id text not null,
    mattr_hash text not null,
    display_name text,
    deleted integer
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_mattr_object on spt_hist_mattr (mattr_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_mattr_display_name on spt_hist_mattr (upper(display_name));

create table spt_hist_mattr_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    mattr_id text not null,
    mattr_hash text not null,
    display_name text,
    application_name text,
    application_id text,
    type text,
    attribute_name text,
    attribute_value text
) strict;
create index spt_hist_mattr_capture_object on spt_hist_mattr_capture (mattr_id, effective_date desc);

create table spt_hist_mattr_event (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    entity_id text not null,
    display_name text,
    event_date integer,
    prev_capture_id text,
    capture_id text,
    event_category text,
    event_type text,
    event_source_type text,
    event_detail_json text,
    property_name text,
    old_value text,
    new_value text,
    acct_app_id text,
    acct_native_id text,
    acct_app_name text,
    acct_display_name text,
    qry_property1 text,
    qry_property2 text,
    qry_property3 text,
    qry_property4 text,
    qry_property5 text,
    qry_property6 text,
    qry_property7 text,
    qry_property8 text,
    qry_property9 text,
    qry_property10 text
) strict;
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_mattr_event_timeline on spt_hist_mattr_event (entity_id, created, id);

create table spt_hist_role (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    role_id text not null,
    name text not null,
    display_name text,
    deleted integer
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_role_object on spt_hist_role (role_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_role_name on spt_hist_role (upper(name));

create table spt_hist_role_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    role_id text not null,
    role_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    type text,
    owner_id text
) strict;
create index spt_hist_role_capture_object on spt_hist_role_capture (role_id, effective_date desc);

create table spt_hist_capability (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    name text not null,
    description text,
    capability_id text not null,
    display_name text,
    deleted integer
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_capability_object on spt_hist_capability (capability_id);

create table spt_hist_capability_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    capability_id text not null,
    capability_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text
) strict;
create index spt_hist_capability_capture_object on spt_hist_capability_capture (capability_id, effective_date desc);

create table spt_hist_role_event (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    entity_id text not null,
    entity_name text not null,
    event_date integer,
    prev_capture_id text,
    capture_id text,
    event_category text,
    event_type text,
    event_source_type text,
    event_detail_json text,
    property_name text,
    old_value text,
    new_value text,
    qry_property1 text,
    qry_property2 text,
    qry_property3 text,
    qry_property4 text,
    qry_property5 text,
    qry_property6 text,
    qry_property7 text,
    qry_property8 text,
    qry_property9 text,
    qry_property10 text
) strict;
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_role_event_timeline on spt_hist_role_event (entity_id, created, id);

create table spt_hist_assigned_roles (
    capture_id text not null,
    idx integer not null,
    role_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_detected_roles (
    capture_id text not null,
    idx integer not null,
    role_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_entitlement_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    identity_entitlement_id text,
    application_id text,
    application_name text,
    native_identity text,
    instance text,
    display_value text,
    type text,
    attribute_name text,
    attribute_value text,
    granted_by_role integer,
    role_id text,
    request_item_id text,
    pending_request_item_id text,
    certification_item_id text,
    deleted integer
) strict;
create index spt_hist_entitlement_capture_object on spt_hist_entitlement_capture (identity_entitlement_id, effective_date desc);

create table spt_hist_entitlements (
    capture_id text not null,
    idx integer not null,
    identity_entitlement_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_workgroup (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    workgroup_id text not null,
    name text not null,
    display_name text,
    description text,
    deleted integer,
    email text
) strict;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_workgroup_object on spt_hist_workgroup (workgroup_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_workgroup_name on spt_hist_workgroup (upper(name));

create table spt_hist_policy_violations (
    capture_id text not null,
    idx integer not null,
    policy_violation_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_policy_violation_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    policy_violation_id text,
    active integer,
    policy_id text,
    policy_name text,
    constraint_id text,
    constraint_name text,
    status text,
    deleted integer
) strict;
create index spt_hist_policy_violation_capture_object on spt_hist_policy_violation_capture (policy_violation_id, effective_date desc);

create table spt_hist_policy_violation_remediation_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    identity_history_item_id text,
    certification_item_type text,
    policy_name text,
    constraint_name text,
    deleted integer
) strict;
create index spt_hist_policy_violation_remediation_capture_object on spt_hist_policy_violation_remediation_capture (identity_history_item_id, effective_date desc);

create table spt_hist_policy_violation_remediation_bundle_ids (
    capture_id text not null,
    idx integer not null,
    bundle_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_policy_violation_remediation_entitlements (
    policy_violation_remediation_ent text not null,
    idx integer not null,
    application text,
    application_id text,
    entitlement_name text,
    entitlement_value text,
    entitlement_display_value text,
    primary key (policy_violation_remediation_ent, idx)
) strict, without rowid;

create table spt_hist_accounts (
    capture_id text not null,
    idx integer not null,
    account_id text,
    primary key (capture_id, idx)
) strict, without rowid;

create table spt_hist_account_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    identity_id text not null,
    identity_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    account_id text,
    application_name text,
    displayable_name text,
    deleted integer
) strict;
create index spt_hist_account_capture_object on spt_hist_account_capture (account_id, effective_date desc);

create table spt_hist_workgroup_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    workgroup_id text not null,
    workgroup_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text,
    attributes text,
    display_name text,
    email text,
    inactive integer
) strict;
create index spt_hist_workgroup_capture_object on spt_hist_workgroup_capture (workgroup_id, effective_date desc);

create table spt_hist_workgroup_event (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    entity_id text not null,
    entity_name text not null,
    event_date integer,
    prev_capture_id text,
    capture_id text,
    event_category text,
    event_type text,
    event_source_type text,
    event_detail_json text,
    property_name text,
    old_value text,
    new_value text,
    qry_property1 text,
    qry_property2 text,
    qry_property3 text,
    qry_property4 text,
    qry_property5 text,
    qry_property6 text,
    qry_property7 text,
    qry_property8 text,
    qry_property9 text,
    qry_property10 text
) strict;
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_workgroup_event_timeline on spt_hist_workgroup_event (entity_id, created, id);

create table spt_hist_object_config_capture (
    id text not null primary key,
    created integer,
    modified integer,
    significant_modified integer,
    patch_doc_parent text,
    object_config_id text not null,
    object_config_name text not null,
    transform_type text not null,
    effective_date integer not null,
    extended_to_date integer,
    json blob,
    json_format text,
    smart_hash text,
    full_hash text
) strict;
create index spt_hist_object_config_capture_object on spt_hist_object_config_capture (object_config_id, effective_date desc);

create table spt_hist_database_version (
    name text not null primary key,
    system_version text,
    schema_version text
) strict;

-- A system that reads this database refuses to start without this row.
insert into spt_hist_database_version (name, system_version, schema_version) values ('main', '8.4-00', '8.4-87');
