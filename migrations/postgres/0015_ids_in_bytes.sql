-- Ids are compared byte by byte, whatever the database's language: their order means nothing to people, and comparing
-- them by the rules of a language made half of the work of making and searching their indexes. So lists sorted by id
-- have the same order on both engines.
--
-- No row is written anew; the indexes of these columns are, which takes minutes where there are many millions of
-- captures, and nothing else can use the tables meanwhile.

alter table annals_certification_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column cert_id type varchar(32) collate "C";

alter table annals_cleaned_text
    alter column capture_id type text collate "C";

alter table annals_head
    alter column object_id type text collate "C";

alter table annals_reading
    alter column first_id type text collate "C",
    alter column last_id type text collate "C";

alter table annals_removed_event
    alter column id type text collate "C",
    alter column object_id type text collate "C";

alter table annals_sighting
    alter column capture_id type text collate "C";

alter table spt_hist_account_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column account_id type varchar(32) collate "C";

alter table spt_hist_accounts
    alter column capture_id type varchar(32) collate "C",
    alter column account_id type varchar(255) collate "C";

alter table spt_hist_assigned_roles
    alter column capture_id type varchar(32) collate "C",
    alter column role_id type varchar(255) collate "C";

alter table spt_hist_capability
    alter column id type varchar(32) collate "C",
    alter column capability_id type varchar(32) collate "C";

alter table spt_hist_capability_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column capability_id type varchar(32) collate "C";

alter table spt_hist_cert_remediation_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column certification_item_id type varchar(32) collate "C",
    alter column bundle_id type varchar(32) collate "C",
    alter column bundle_assignment_id type varchar(40) collate "C";

alter table spt_hist_certification
    alter column id type varchar(32) collate "C",
    alter column cert_id type varchar(32) collate "C";

alter table spt_hist_detected_roles
    alter column capture_id type varchar(32) collate "C",
    alter column role_id type varchar(255) collate "C";

alter table spt_hist_entitlement_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column identity_entitlement_id type varchar(32) collate "C",
    alter column application_id type varchar(32) collate "C",
    alter column role_id type varchar(32) collate "C",
    alter column request_item_id type varchar(32) collate "C",
    alter column pending_request_item_id type varchar(32) collate "C",
    alter column certification_item_id type varchar(32) collate "C";

alter table spt_hist_entitlements
    alter column capture_id type varchar(32) collate "C",
    alter column identity_entitlement_id type varchar(255) collate "C";

alter table spt_hist_identity
    alter column id type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C";

alter table spt_hist_identity_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column manager_id type varchar(32) collate "C";

alter table spt_hist_identity_event
    alter column id type varchar(32) collate "C",
    alter column entity_id type varchar(32) collate "C",
    alter column prev_capture_id type varchar(32) collate "C",
    alter column capture_id type varchar(32) collate "C",
    alter column account_id type varchar(32) collate "C",
    alter column request_item_id type varchar(32) collate "C",
    alter column identity_request_id type varchar(32) collate "C",
    alter column pending_request_item_id type varchar(32) collate "C",
    alter column identity_entitlement_id type varchar(32) collate "C",
    alter column acct_app_id type varchar(32) collate "C";

alter table spt_hist_identity_req_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column identity_request_id type varchar(32) collate "C",
    alter column requester_id type varchar(32) collate "C";

alter table spt_hist_identity_req_item_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column identity_entitlement_id type varchar(32) collate "C",
    alter column identity_request_item_id type varchar(32) collate "C",
    alter column identity_request_id type varchar(32) collate "C",
    alter column requester_id type varchar(32) collate "C",
    alter column assignment_id type varchar(40) collate "C",
    alter column identity_request_capture_id type varchar(32) collate "C";

alter table spt_hist_mattr
    alter column id type varchar(32) collate "C",
    alter column mattr_id type varchar(32) collate "C";

alter table spt_hist_mattr_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column mattr_id type varchar(32) collate "C",
    alter column application_id type varchar(32) collate "C";

alter table spt_hist_mattr_event
    alter column id type varchar(32) collate "C",
    alter column entity_id type varchar(32) collate "C",
    alter column prev_capture_id type varchar(32) collate "C",
    alter column capture_id type varchar(32) collate "C",
    alter column acct_app_id type varchar(32) collate "C";

alter table spt_hist_object_config_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column object_config_id type varchar(32) collate "C";

alter table spt_hist_policy_violation_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column policy_violation_id type varchar(32) collate "C",
    alter column policy_id type varchar(255) collate "C",
    alter column constraint_id type varchar(255) collate "C";

alter table spt_hist_policy_violation_remediation_bundle_ids
    alter column capture_id type varchar(32) collate "C",
    alter column bundle_id type varchar(255) collate "C";

alter table spt_hist_policy_violation_remediation_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column identity_id type varchar(32) collate "C",
    alter column identity_history_item_id type varchar(32) collate "C";

alter table spt_hist_policy_violation_remediation_entitlements
    alter column policy_violation_remediation_ent type varchar(32) collate "C",
    alter column application_id type varchar(255) collate "C";

alter table spt_hist_policy_violations
    alter column capture_id type varchar(32) collate "C",
    alter column policy_violation_id type varchar(255) collate "C";

alter table spt_hist_role
    alter column id type varchar(32) collate "C",
    alter column role_id type varchar(32) collate "C";

alter table spt_hist_role_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column role_id type varchar(32) collate "C",
    alter column owner_id type varchar(32) collate "C";

alter table spt_hist_role_event
    alter column id type varchar(32) collate "C",
    alter column entity_id type varchar(32) collate "C",
    alter column prev_capture_id type varchar(32) collate "C",
    alter column capture_id type varchar(32) collate "C";

alter table spt_hist_role_remediation_entitlements
    alter column cert_remediation_capture type varchar(32) collate "C",
    alter column application_id type varchar(32) collate "C";

alter table spt_hist_workgroup
    alter column id type varchar(32) collate "C",
    alter column workgroup_id type varchar(32) collate "C";

alter table spt_hist_workgroup_capture
    alter column id type varchar(32) collate "C",
    alter column patch_doc_parent type varchar(32) collate "C",
    alter column workgroup_id type varchar(32) collate "C";

alter table spt_hist_workgroup_event
    alter column id type varchar(32) collate "C",
    alter column entity_id type varchar(32) collate "C",
    alter column prev_capture_id type varchar(32) collate "C",
    alter column capture_id type varchar(32) collate "C";
