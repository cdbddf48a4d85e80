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
-- * PostgreSQL: booleans are smallint, as on DB2. Documents are stored as they come (storage external): they are
--   compressed already, and trying once more costs time and gains nothing.

create table spt_hist_certification (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    cert_id varchar(32) not null,
    cert_type varchar(64),
    cert_display_name varchar(128),
    cert_name varchar(128),
    finished bigint,
    signed bigint,
    json bytea
);
alter table spt_hist_certification alter column json set storage external;
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_certification_object on spt_hist_certification (cert_id);

create table spt_hist_cert_remediation_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    certification_item_id varchar(32),
    certification_item_type varchar(255),
    certification_item_sub_type varchar(255),
    exception_application varchar(128),
    exception_attribute_name varchar(255),
    exception_attribute_value varchar(450),
    exception_native_identity varchar(322),
    bundle_id varchar(32),
    bundle_name varchar(128),
    bundle_assignment_id varchar(40)
);
alter table spt_hist_cert_remediation_capture alter column json set storage external;
create index spt_hist_cert_remediation_capture_object on spt_hist_cert_remediation_capture (certification_item_id, effective_date desc);

create table spt_hist_role_remediation_entitlements (
    cert_remediation_capture varchar(32) not null,
    idx integer not null,
    application varchar(128),
    application_id varchar(32),
    entitlement_name varchar(255),
    entitlement_value varchar(450),
    native_identity varchar(322),
    primary key (cert_remediation_capture, idx)
);

create table spt_hist_identity (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    identity_id varchar(32) not null,
    name varchar(128) not null,
    display_name varchar(128),
    deleted smallint,
    lastname varchar(128),
    firstname varchar(128),
    email varchar(128)
);
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
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    entity_id varchar(32) not null,
    entity_name varchar(128) not null,
    event_date bigint,
    prev_capture_id varchar(32),
    capture_id varchar(32),
    event_category varchar(255),
    event_type varchar(255),
    event_source_type varchar(255),
    event_detail_json text,
    property_name varchar(255),
    account_id varchar(32),
    old_value text,
    new_value text,
    request_item_id varchar(32),
    identity_request_id varchar(32),
    pending_request_item_id varchar(32),
    identity_entitlement_id varchar(32),
    acct_app_instance varchar(128),
    acct_app_id varchar(32),
    acct_native_id varchar(255),
    acct_app_name varchar(255),
    acct_display_name varchar(255),
    qry_property1 varchar(255),
    qry_property2 varchar(255),
    qry_property3 varchar(255),
    qry_property4 varchar(255),
    qry_property5 varchar(255),
    qry_property6 varchar(255),
    qry_property7 varchar(255),
    qry_property8 varchar(255),
    qry_property9 varchar(255),
    qry_property10 varchar(255)
);
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_identity_event_timeline on spt_hist_identity_event (entity_id, created, id);
-- The timeline of an account, which has no event table of its own. Partial: most events concern none.
create index spt_hist_identity_event_account on spt_hist_identity_event (account_id, created, id) where account_id is not null;
-- The timeline of an entitlement, likewise.
create index spt_hist_identity_event_entitlement on spt_hist_identity_event (identity_entitlement_id, created, id) where identity_entitlement_id is not null;
-- What an access request brought about; what its items did is found among these.
create index spt_hist_identity_event_request on spt_hist_identity_event (identity_request_id, created, id) where identity_request_id is not null;

create table spt_hist_identity_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    latest smallint,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    manager_id varchar(32),
    display_name varchar(128),
    firstname varchar(128),
    lastname varchar(128),
    email varchar(128),
    manager_status smallint,
    inactive smallint,
    type varchar(128)
);
alter table spt_hist_identity_capture alter column json set storage external;
create index spt_hist_identity_capture_object on spt_hist_identity_capture (identity_id, effective_date desc);

create table spt_hist_identity_req_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    deleted smallint,
    attributes text,
    identity_request_id varchar(32),
    type varchar(128),
    end_date bigint,
    requester_id varchar(32),
    requester_display_name varchar(255)
);
alter table spt_hist_identity_req_capture alter column json set storage external;
create index spt_hist_identity_req_capture_object on spt_hist_identity_req_capture (identity_request_id, effective_date desc);

create table spt_hist_identity_req_item_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    identity_entitlement_id varchar(32),
    deleted smallint,
    attributes text,
    native_identity varchar(450),
    name varchar(255),
    value varchar(450),
    identity_request_item_id varchar(32),
    identity_request_id varchar(32),
    type varchar(128),
    application_name varchar(128),
    operation varchar(128),
    owner_name varchar(128),
    approver_name varchar(128),
    requester_name varchar(128),
    requester_id varchar(32),
    assignment_id varchar(40),
    provisioning_state varchar(128),
    approval_state varchar(128),
    compilation_status varchar(128),
    identity_request_capture_id varchar(32),
    idx integer
);
alter table spt_hist_identity_req_item_capture alter column json set storage external;
create index spt_hist_identity_req_item_capture_object on spt_hist_identity_req_item_capture (identity_request_item_id, effective_date desc);

create table spt_hist_mattr (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    mattr_id varchar(32) not null,
    mattr_hash varchar(128) not null,
    display_name varchar(128),
    deleted smallint
);
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_mattr_object on spt_hist_mattr (mattr_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_mattr_display_name on spt_hist_mattr (upper(display_name));

create table spt_hist_mattr_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    mattr_id varchar(32) not null,
    mattr_hash varchar(128) not null,
    display_name varchar(128),
    application_name varchar(128),
    application_id varchar(32),
    type varchar(128),
    attribute_name varchar(255),
    attribute_value varchar(450)
);
alter table spt_hist_mattr_capture alter column json set storage external;
create index spt_hist_mattr_capture_object on spt_hist_mattr_capture (mattr_id, effective_date desc);

create table spt_hist_mattr_event (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    entity_id varchar(32) not null,
    display_name varchar(128),
    event_date bigint,
    prev_capture_id varchar(32),
    capture_id varchar(32),
    event_category varchar(255),
    event_type varchar(255),
    event_source_type varchar(255),
    event_detail_json text,
    property_name varchar(255),
    old_value text,
    new_value text,
    acct_app_id varchar(32),
    acct_native_id varchar(255),
    acct_app_name varchar(255),
    acct_display_name varchar(255),
    qry_property1 varchar(255),
    qry_property2 varchar(255),
    qry_property3 varchar(255),
    qry_property4 varchar(255),
    qry_property5 varchar(255),
    qry_property6 varchar(255),
    qry_property7 varchar(255),
    qry_property8 varchar(255),
    qry_property9 varchar(255),
    qry_property10 varchar(255)
);
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_mattr_event_timeline on spt_hist_mattr_event (entity_id, created, id);

create table spt_hist_role (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    role_id varchar(32) not null,
    name varchar(128) not null,
    display_name varchar(128),
    deleted smallint
);
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_role_object on spt_hist_role (role_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_role_name on spt_hist_role (upper(name));

create table spt_hist_role_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    role_id varchar(32) not null,
    role_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    type varchar(128),
    owner_id varchar(32)
);
alter table spt_hist_role_capture alter column json set storage external;
create index spt_hist_role_capture_object on spt_hist_role_capture (role_id, effective_date desc);

create table spt_hist_capability (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    name varchar(128) not null,
    description varchar(1024),
    capability_id varchar(32) not null,
    display_name varchar(128),
    deleted smallint
);
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_capability_object on spt_hist_capability (capability_id);

create table spt_hist_capability_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    capability_id varchar(32) not null,
    capability_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text
);
alter table spt_hist_capability_capture alter column json set storage external;
create index spt_hist_capability_capture_object on spt_hist_capability_capture (capability_id, effective_date desc);

create table spt_hist_role_event (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    entity_id varchar(32) not null,
    entity_name varchar(128) not null,
    event_date bigint,
    prev_capture_id varchar(32),
    capture_id varchar(32),
    event_category varchar(255),
    event_type varchar(255),
    event_source_type varchar(255),
    event_detail_json text,
    property_name varchar(255),
    old_value text,
    new_value text,
    qry_property1 varchar(255),
    qry_property2 varchar(255),
    qry_property3 varchar(255),
    qry_property4 varchar(255),
    qry_property5 varchar(255),
    qry_property6 varchar(255),
    qry_property7 varchar(255),
    qry_property8 varchar(255),
    qry_property9 varchar(255),
    qry_property10 varchar(255)
);
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_role_event_timeline on spt_hist_role_event (entity_id, created, id);

create table spt_hist_assigned_roles (
    capture_id varchar(32) not null,
    idx integer not null,
    role_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_detected_roles (
    capture_id varchar(32) not null,
    idx integer not null,
    role_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_entitlement_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    identity_entitlement_id varchar(32),
    application_id varchar(32),
    application_name varchar(128),
    native_identity varchar(450),
    instance varchar(128),
    display_value varchar(450),
    type varchar(128),
    attribute_name varchar(255),
    attribute_value varchar(450),
    granted_by_role smallint,
    role_id varchar(32),
    request_item_id varchar(32),
    pending_request_item_id varchar(32),
    certification_item_id varchar(32),
    deleted smallint
);
alter table spt_hist_entitlement_capture alter column json set storage external;
create index spt_hist_entitlement_capture_object on spt_hist_entitlement_capture (identity_entitlement_id, effective_date desc);

create table spt_hist_entitlements (
    capture_id varchar(32) not null,
    idx integer not null,
    identity_entitlement_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_workgroup (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    workgroup_id varchar(32) not null,
    name varchar(128) not null,
    display_name varchar(128),
    description varchar(1024),
    deleted smallint,
    email varchar(128)
);
-- One row an object, found by its id whenever the writer brings it up to date.
create unique index spt_hist_workgroup_object on spt_hist_workgroup (workgroup_id);
-- People search by what they call it, without case; one row an object, so it stays small.
create index spt_hist_workgroup_name on spt_hist_workgroup (upper(name));

create table spt_hist_policy_violations (
    capture_id varchar(32) not null,
    idx integer not null,
    policy_violation_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_policy_violation_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    policy_violation_id varchar(32),
    active smallint,
    policy_id varchar(255),
    policy_name varchar(255),
    constraint_id varchar(255),
    constraint_name varchar(255),
    status varchar(255),
    deleted smallint
);
alter table spt_hist_policy_violation_capture alter column json set storage external;
create index spt_hist_policy_violation_capture_object on spt_hist_policy_violation_capture (policy_violation_id, effective_date desc);

create table spt_hist_policy_violation_remediation_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    identity_history_item_id varchar(32),
    certification_item_type varchar(255),
    policy_name varchar(255),
    constraint_name varchar(255),
    deleted smallint
);
alter table spt_hist_policy_violation_remediation_capture alter column json set storage external;
create index spt_hist_policy_violation_remediation_capture_object on spt_hist_policy_violation_remediation_capture (identity_history_item_id, effective_date desc);

create table spt_hist_policy_violation_remediation_bundle_ids (
    capture_id varchar(32) not null,
    idx integer not null,
    bundle_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_policy_violation_remediation_entitlements (
    policy_violation_remediation_ent varchar(32) not null,
    idx integer not null,
    application varchar(255),
    application_id varchar(255),
    entitlement_name varchar(255),
    entitlement_value varchar(255),
    entitlement_display_value varchar(255),
    primary key (policy_violation_remediation_ent, idx)
);

create table spt_hist_accounts (
    capture_id varchar(32) not null,
    idx integer not null,
    account_id varchar(255),
    primary key (capture_id, idx)
);

create table spt_hist_account_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    identity_id varchar(32) not null,
    identity_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    account_id varchar(32),
    application_name varchar(128),
    displayable_name varchar(128),
    deleted smallint
);
alter table spt_hist_account_capture alter column json set storage external;
create index spt_hist_account_capture_object on spt_hist_account_capture (account_id, effective_date desc);

create table spt_hist_workgroup_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    workgroup_id varchar(32) not null,
    workgroup_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40),
    attributes text,
    display_name varchar(128),
    email varchar(128),
    inactive smallint
);
alter table spt_hist_workgroup_capture alter column json set storage external;
create index spt_hist_workgroup_capture_object on spt_hist_workgroup_capture (workgroup_id, effective_date desc);

create table spt_hist_workgroup_event (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    entity_id varchar(32) not null,
    entity_name varchar(128) not null,
    event_date bigint,
    prev_capture_id varchar(32),
    capture_id varchar(32),
    event_category varchar(255),
    event_type varchar(255),
    event_source_type varchar(255),
    event_detail_json text,
    property_name varchar(255),
    old_value text,
    new_value text,
    qry_property1 varchar(255),
    qry_property2 varchar(255),
    qry_property3 varchar(255),
    qry_property4 varchar(255),
    qry_property5 varchar(255),
    qry_property6 varchar(255),
    qry_property7 varchar(255),
    qry_property8 varchar(255),
    qry_property9 varchar(255),
    qry_property10 varchar(255)
);
-- The timeline of an object, paged by when an event was recorded.
create index spt_hist_workgroup_event_timeline on spt_hist_workgroup_event (entity_id, created, id);

create table spt_hist_object_config_capture (
    id varchar(32) not null primary key,
    created bigint,
    modified bigint,
    significant_modified bigint,
    patch_doc_parent varchar(32),
    object_config_id varchar(32) not null,
    object_config_name varchar(128) not null,
    transform_type varchar(10) not null,
    effective_date bigint not null,
    extended_to_date bigint,
    json bytea,
    json_format varchar(255),
    smart_hash varchar(40),
    full_hash varchar(40)
);
alter table spt_hist_object_config_capture alter column json set storage external;
create index spt_hist_object_config_capture_object on spt_hist_object_config_capture (object_config_id, effective_date desc);

create table spt_hist_database_version (
    name varchar(255) not null primary key,
    system_version varchar(128),
    schema_version varchar(128)
);

-- A system that reads this database refuses to start without this row.
insert into spt_hist_database_version (name, system_version, schema_version) values ('main', '8.4-00', '8.4-87');
