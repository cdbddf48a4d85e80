-- All indexes of the reference, for those who run its reports here (`historyIndexes: reference`). Applied on
-- demand, any number of times; rendered from migrations/history_indexes.csv by `cargo x render-migrations`.


create index if not exists spt_hist_cert_remediation_capture_ref_1 on spt_hist_cert_remediation_capture (patch_doc_parent);
create index if not exists spt_hist_cert_remediation_capture_ref_2 on spt_hist_cert_remediation_capture (effective_date);
create index if not exists spt_hist_cert_remediation_capture_ref_3 on spt_hist_cert_remediation_capture (extended_to_date);
create index if not exists spt_hist_cert_remediation_capture_ref_4 on spt_hist_cert_remediation_capture (certification_item_id);
create index if not exists spt_hist_cert_remediation_capture_ref_5 on spt_hist_cert_remediation_capture (certification_item_type);
create index if not exists spt_hist_cert_remediation_capture_ref_6 on spt_hist_cert_remediation_capture (certification_item_sub_type);
create index if not exists spt_hist_cert_remediation_capture_ref_7 on spt_hist_cert_remediation_capture (exception_application);
create index if not exists spt_hist_cert_remediation_capture_ref_8 on spt_hist_cert_remediation_capture (exception_attribute_name);
create index if not exists spt_hist_cert_remediation_capture_ref_9 on spt_hist_cert_remediation_capture (exception_attribute_value);
create index if not exists spt_hist_cert_remediation_capture_ref_10 on spt_hist_cert_remediation_capture (bundle_id);
create index if not exists spt_hist_cert_remediation_capture_ref_11 on spt_hist_cert_remediation_capture (bundle_name);
create index if not exists spt_hist_cert_remediation_capture_ref_12 on spt_hist_cert_remediation_capture (bundle_assignment_id);
create index if not exists spt_hist_cert_remediation_capture_ref_13 on spt_hist_cert_remediation_capture (upper(exception_native_identity));

create index if not exists spt_hist_role_remediation_entitlements_ref_1 on spt_hist_role_remediation_entitlements (application);
create index if not exists spt_hist_role_remediation_entitlements_ref_2 on spt_hist_role_remediation_entitlements (application_id);
create index if not exists spt_hist_role_remediation_entitlements_ref_3 on spt_hist_role_remediation_entitlements (entitlement_name);
create index if not exists spt_hist_role_remediation_entitlements_ref_4 on spt_hist_role_remediation_entitlements (entitlement_value);
create index if not exists spt_hist_role_remediation_entitlements_ref_5 on spt_hist_role_remediation_entitlements (native_identity);
create index if not exists spt_hist_role_remediation_entitlements_ref_6 on spt_hist_role_remediation_entitlements (cert_remediation_capture);

create unique index if not exists spt_hist_identity_ref_1 on spt_hist_identity (identity_id, name);
create index if not exists spt_hist_identity_ref_2 on spt_hist_identity (deleted);
create index if not exists spt_hist_identity_ref_7 on spt_hist_identity (upper(identity_id), upper(name));

create index if not exists spt_hist_identity_event_ref_1 on spt_hist_identity_event (entity_id);
create index if not exists spt_hist_identity_event_ref_2 on spt_hist_identity_event (event_date);
create index if not exists spt_hist_identity_event_ref_3 on spt_hist_identity_event (event_category);
create index if not exists spt_hist_identity_event_ref_4 on spt_hist_identity_event (event_type);
create index if not exists spt_hist_identity_event_ref_5 on spt_hist_identity_event (request_item_id);
create index if not exists spt_hist_identity_event_ref_6 on spt_hist_identity_event (identity_request_id);
create index if not exists spt_hist_identity_event_ref_7 on spt_hist_identity_event (pending_request_item_id);
create index if not exists spt_hist_identity_event_ref_8 on spt_hist_identity_event (identity_entitlement_id);
create index if not exists spt_hist_identity_event_ref_9 on spt_hist_identity_event (acct_app_id);
create index if not exists spt_hist_identity_event_ref_10 on spt_hist_identity_event (acct_native_id);
create index if not exists spt_hist_identity_event_ref_11 on spt_hist_identity_event (qry_property1);
create index if not exists spt_hist_identity_event_ref_12 on spt_hist_identity_event (qry_property2);
create index if not exists spt_hist_identity_event_ref_13 on spt_hist_identity_event (qry_property3);
create index if not exists spt_hist_identity_event_ref_14 on spt_hist_identity_event (qry_property4);
create index if not exists spt_hist_identity_event_ref_15 on spt_hist_identity_event (qry_property5);
create index if not exists spt_hist_identity_event_ref_16 on spt_hist_identity_event (qry_property6);
create index if not exists spt_hist_identity_event_ref_17 on spt_hist_identity_event (qry_property7);
create index if not exists spt_hist_identity_event_ref_18 on spt_hist_identity_event (qry_property8);
create index if not exists spt_hist_identity_event_ref_19 on spt_hist_identity_event (qry_property9);
create index if not exists spt_hist_identity_event_ref_20 on spt_hist_identity_event (qry_property10);
create index if not exists spt_hist_identity_event_ref_21 on spt_hist_identity_event (upper(property_name));
create index if not exists spt_hist_identity_event_ref_22 on spt_hist_identity_event (account_id);
create index if not exists spt_hist_identity_event_ref_23 on spt_hist_identity_event (upper(acct_app_instance));
create index if not exists spt_hist_identity_event_ref_24 on spt_hist_identity_event (upper(acct_app_name));
create index if not exists spt_hist_identity_event_ref_25 on spt_hist_identity_event (upper(acct_display_name));

create index if not exists spt_hist_identity_capture_ref_1 on spt_hist_identity_capture (patch_doc_parent);
create index if not exists spt_hist_identity_capture_ref_2 on spt_hist_identity_capture (identity_id, display_name);
create index if not exists spt_hist_identity_capture_ref_3 on spt_hist_identity_capture (effective_date);
create index if not exists spt_hist_identity_capture_ref_4 on spt_hist_identity_capture (latest);
create index if not exists spt_hist_identity_capture_ref_5 on spt_hist_identity_capture (extended_to_date);
create index if not exists spt_hist_identity_capture_ref_6 on spt_hist_identity_capture (manager_status);
create index if not exists spt_hist_identity_capture_ref_7 on spt_hist_identity_capture (inactive);
create index if not exists spt_hist_identity_capture_ref_8 on spt_hist_identity_capture (manager_id);
create index if not exists spt_hist_identity_capture_ref_9 on spt_hist_identity_capture (upper(firstname));
create index if not exists spt_hist_identity_capture_ref_10 on spt_hist_identity_capture (upper(lastname));
create index if not exists spt_hist_identity_capture_ref_11 on spt_hist_identity_capture (upper(email));
create index if not exists spt_hist_identity_capture_ref_12 on spt_hist_identity_capture (upper(type));

create index if not exists spt_hist_identity_req_capture_ref_1 on spt_hist_identity_req_capture (patch_doc_parent);
create index if not exists spt_hist_identity_req_capture_ref_2 on spt_hist_identity_req_capture (effective_date);
create index if not exists spt_hist_identity_req_capture_ref_3 on spt_hist_identity_req_capture (extended_to_date);
create index if not exists spt_hist_identity_req_capture_ref_4 on spt_hist_identity_req_capture (deleted);
create index if not exists spt_hist_identity_req_capture_ref_5 on spt_hist_identity_req_capture (end_date);
create index if not exists spt_hist_identity_req_capture_ref_6 on spt_hist_identity_req_capture (requester_id);
create index if not exists spt_hist_identity_req_capture_ref_7 on spt_hist_identity_req_capture (identity_request_id);
create index if not exists spt_hist_identity_req_capture_ref_8 on spt_hist_identity_req_capture (upper(type));
create index if not exists spt_hist_identity_req_capture_ref_9 on spt_hist_identity_req_capture (upper(requester_display_name));

create index if not exists spt_hist_identity_req_item_capture_ref_1 on spt_hist_identity_req_item_capture (patch_doc_parent);
create index if not exists spt_hist_identity_req_item_capture_ref_2 on spt_hist_identity_req_item_capture (effective_date);
create index if not exists spt_hist_identity_req_item_capture_ref_3 on spt_hist_identity_req_item_capture (extended_to_date);
create index if not exists spt_hist_identity_req_item_capture_ref_4 on spt_hist_identity_req_item_capture (deleted);
create index if not exists spt_hist_identity_req_item_capture_ref_5 on spt_hist_identity_req_item_capture (assignment_id);
create index if not exists spt_hist_identity_req_item_capture_ref_6 on spt_hist_identity_req_item_capture (provisioning_state);
create index if not exists spt_hist_identity_req_item_capture_ref_7 on spt_hist_identity_req_item_capture (approval_state);
create index if not exists spt_hist_identity_req_item_capture_ref_8 on spt_hist_identity_req_item_capture (compilation_status);
create index if not exists spt_hist_identity_req_item_capture_ref_9 on spt_hist_identity_req_item_capture (identity_request_capture_id);
create index if not exists spt_hist_identity_req_item_capture_ref_10 on spt_hist_identity_req_item_capture (identity_id);
create index if not exists spt_hist_identity_req_item_capture_ref_11 on spt_hist_identity_req_item_capture (upper(identity_name));
create index if not exists spt_hist_identity_req_item_capture_ref_12 on spt_hist_identity_req_item_capture (identity_entitlement_id);
create index if not exists spt_hist_identity_req_item_capture_ref_13 on spt_hist_identity_req_item_capture (upper(native_identity));
create index if not exists spt_hist_identity_req_item_capture_ref_14 on spt_hist_identity_req_item_capture (upper(name));
create index if not exists spt_hist_identity_req_item_capture_ref_15 on spt_hist_identity_req_item_capture (upper(value));
create index if not exists spt_hist_identity_req_item_capture_ref_16 on spt_hist_identity_req_item_capture (identity_request_item_id);
create index if not exists spt_hist_identity_req_item_capture_ref_17 on spt_hist_identity_req_item_capture (identity_request_id);
create index if not exists spt_hist_identity_req_item_capture_ref_18 on spt_hist_identity_req_item_capture (upper(type));
create index if not exists spt_hist_identity_req_item_capture_ref_19 on spt_hist_identity_req_item_capture (upper(application_name));
create index if not exists spt_hist_identity_req_item_capture_ref_20 on spt_hist_identity_req_item_capture (upper(owner_name));
create index if not exists spt_hist_identity_req_item_capture_ref_21 on spt_hist_identity_req_item_capture (upper(approver_name));
create index if not exists spt_hist_identity_req_item_capture_ref_22 on spt_hist_identity_req_item_capture (upper(requester_name));
create index if not exists spt_hist_identity_req_item_capture_ref_23 on spt_hist_identity_req_item_capture (requester_id);

create index if not exists spt_hist_mattr_ref_3 on spt_hist_mattr (deleted);

create index if not exists spt_hist_mattr_capture_ref_1 on spt_hist_mattr_capture (patch_doc_parent);
create index if not exists spt_hist_mattr_capture_ref_2 on spt_hist_mattr_capture (effective_date);
create index if not exists spt_hist_mattr_capture_ref_3 on spt_hist_mattr_capture (extended_to_date);
create index if not exists spt_hist_mattr_capture_ref_4 on spt_hist_mattr_capture (mattr_id);
create index if not exists spt_hist_mattr_capture_ref_5 on spt_hist_mattr_capture (upper(mattr_hash));
create index if not exists spt_hist_mattr_capture_ref_6 on spt_hist_mattr_capture (upper(display_name));
create index if not exists spt_hist_mattr_capture_ref_7 on spt_hist_mattr_capture (upper(application_name));
create index if not exists spt_hist_mattr_capture_ref_8 on spt_hist_mattr_capture (application_id);
create index if not exists spt_hist_mattr_capture_ref_9 on spt_hist_mattr_capture (upper(type));
create index if not exists spt_hist_mattr_capture_ref_10 on spt_hist_mattr_capture (upper(attribute_name));
create index if not exists spt_hist_mattr_capture_ref_11 on spt_hist_mattr_capture (upper(attribute_value));

create index if not exists spt_hist_mattr_event_ref_1 on spt_hist_mattr_event (event_date);
create index if not exists spt_hist_mattr_event_ref_2 on spt_hist_mattr_event (event_category);
create index if not exists spt_hist_mattr_event_ref_3 on spt_hist_mattr_event (event_type);
create index if not exists spt_hist_mattr_event_ref_4 on spt_hist_mattr_event (acct_app_id);
create index if not exists spt_hist_mattr_event_ref_5 on spt_hist_mattr_event (acct_native_id);
create index if not exists spt_hist_mattr_event_ref_6 on spt_hist_mattr_event (qry_property1);
create index if not exists spt_hist_mattr_event_ref_7 on spt_hist_mattr_event (qry_property2);
create index if not exists spt_hist_mattr_event_ref_8 on spt_hist_mattr_event (qry_property3);
create index if not exists spt_hist_mattr_event_ref_9 on spt_hist_mattr_event (qry_property4);
create index if not exists spt_hist_mattr_event_ref_10 on spt_hist_mattr_event (qry_property5);
create index if not exists spt_hist_mattr_event_ref_11 on spt_hist_mattr_event (qry_property6);
create index if not exists spt_hist_mattr_event_ref_12 on spt_hist_mattr_event (qry_property7);
create index if not exists spt_hist_mattr_event_ref_13 on spt_hist_mattr_event (qry_property8);
create index if not exists spt_hist_mattr_event_ref_14 on spt_hist_mattr_event (qry_property9);
create index if not exists spt_hist_mattr_event_ref_15 on spt_hist_mattr_event (qry_property10);
create index if not exists spt_hist_mattr_event_ref_16 on spt_hist_mattr_event (upper(display_name));
create index if not exists spt_hist_mattr_event_ref_17 on spt_hist_mattr_event (upper(property_name));
create index if not exists spt_hist_mattr_event_ref_18 on spt_hist_mattr_event (upper(acct_app_name));
create index if not exists spt_hist_mattr_event_ref_19 on spt_hist_mattr_event (upper(acct_display_name));

create index if not exists spt_hist_role_ref_2 on spt_hist_role (deleted);
create index if not exists spt_hist_role_ref_3 on spt_hist_role (upper(display_name));

create index if not exists spt_hist_role_capture_ref_1 on spt_hist_role_capture (patch_doc_parent);
create index if not exists spt_hist_role_capture_ref_2 on spt_hist_role_capture (effective_date);
create index if not exists spt_hist_role_capture_ref_3 on spt_hist_role_capture (extended_to_date);
create index if not exists spt_hist_role_capture_ref_4 on spt_hist_role_capture (upper(type));
create index if not exists spt_hist_role_capture_ref_5 on spt_hist_role_capture (owner_id);

create index if not exists spt_hist_capability_ref_2 on spt_hist_capability (deleted);
create index if not exists spt_hist_capability_ref_3 on spt_hist_capability (upper(display_name));

create index if not exists spt_hist_capability_capture_ref_1 on spt_hist_capability_capture (patch_doc_parent);
create index if not exists spt_hist_capability_capture_ref_2 on spt_hist_capability_capture (effective_date);
create index if not exists spt_hist_capability_capture_ref_3 on spt_hist_capability_capture (extended_to_date);

create index if not exists spt_hist_role_event_ref_1 on spt_hist_role_event (event_date);
create index if not exists spt_hist_role_event_ref_2 on spt_hist_role_event (event_category);
create index if not exists spt_hist_role_event_ref_3 on spt_hist_role_event (event_type);
create index if not exists spt_hist_role_event_ref_4 on spt_hist_role_event (qry_property1);
create index if not exists spt_hist_role_event_ref_5 on spt_hist_role_event (qry_property2);
create index if not exists spt_hist_role_event_ref_6 on spt_hist_role_event (qry_property3);
create index if not exists spt_hist_role_event_ref_7 on spt_hist_role_event (qry_property4);
create index if not exists spt_hist_role_event_ref_8 on spt_hist_role_event (qry_property5);
create index if not exists spt_hist_role_event_ref_9 on spt_hist_role_event (qry_property6);
create index if not exists spt_hist_role_event_ref_10 on spt_hist_role_event (qry_property7);
create index if not exists spt_hist_role_event_ref_11 on spt_hist_role_event (qry_property8);
create index if not exists spt_hist_role_event_ref_12 on spt_hist_role_event (qry_property9);
create index if not exists spt_hist_role_event_ref_13 on spt_hist_role_event (qry_property10);
create index if not exists spt_hist_role_event_ref_14 on spt_hist_role_event (upper(property_name));

create index if not exists spt_hist_assigned_roles_ref_1 on spt_hist_assigned_roles (capture_id);

create index if not exists spt_hist_detected_roles_ref_1 on spt_hist_detected_roles (capture_id);

create index if not exists spt_hist_entitlement_capture_ref_1 on spt_hist_entitlement_capture (patch_doc_parent);
create index if not exists spt_hist_entitlement_capture_ref_2 on spt_hist_entitlement_capture (effective_date);
create index if not exists spt_hist_entitlement_capture_ref_3 on spt_hist_entitlement_capture (extended_to_date);
create index if not exists spt_hist_entitlement_capture_ref_4 on spt_hist_entitlement_capture (granted_by_role);
create index if not exists spt_hist_entitlement_capture_ref_5 on spt_hist_entitlement_capture (role_id);
create index if not exists spt_hist_entitlement_capture_ref_6 on spt_hist_entitlement_capture (request_item_id);
create index if not exists spt_hist_entitlement_capture_ref_7 on spt_hist_entitlement_capture (pending_request_item_id);
create index if not exists spt_hist_entitlement_capture_ref_8 on spt_hist_entitlement_capture (certification_item_id);
create index if not exists spt_hist_entitlement_capture_ref_9 on spt_hist_entitlement_capture (deleted);
create index if not exists spt_hist_entitlement_capture_ref_10 on spt_hist_entitlement_capture (identity_entitlement_id);
create index if not exists spt_hist_entitlement_capture_ref_11 on spt_hist_entitlement_capture (application_id);
create index if not exists spt_hist_entitlement_capture_ref_12 on spt_hist_entitlement_capture (application_name, type, attribute_name);
create index if not exists spt_hist_entitlement_capture_ref_13 on spt_hist_entitlement_capture (upper(application_name));
create index if not exists spt_hist_entitlement_capture_ref_14 on spt_hist_entitlement_capture (upper(native_identity));
create index if not exists spt_hist_entitlement_capture_ref_15 on spt_hist_entitlement_capture (upper(instance));
create index if not exists spt_hist_entitlement_capture_ref_16 on spt_hist_entitlement_capture (upper(display_value));
create index if not exists spt_hist_entitlement_capture_ref_17 on spt_hist_entitlement_capture (upper(type));
create index if not exists spt_hist_entitlement_capture_ref_18 on spt_hist_entitlement_capture (upper(attribute_name));
create index if not exists spt_hist_entitlement_capture_ref_19 on spt_hist_entitlement_capture (upper(attribute_value));

create index if not exists spt_hist_entitlements_ref_1 on spt_hist_entitlements (capture_id);

create unique index if not exists spt_hist_workgroup_ref_1 on spt_hist_workgroup (workgroup_id, name);
create index if not exists spt_hist_workgroup_ref_2 on spt_hist_workgroup (deleted);
create index if not exists spt_hist_workgroup_ref_3 on spt_hist_workgroup (upper(display_name));
create index if not exists spt_hist_workgroup_ref_4 on spt_hist_workgroup (upper(email));
create index if not exists spt_hist_workgroup_ref_5 on spt_hist_workgroup (upper(workgroup_id), upper(name));

create index if not exists spt_hist_policy_violations_ref_1 on spt_hist_policy_violations (capture_id);

create index if not exists spt_hist_policy_violation_capture_ref_1 on spt_hist_policy_violation_capture (patch_doc_parent);
create index if not exists spt_hist_policy_violation_capture_ref_2 on spt_hist_policy_violation_capture (effective_date);
create index if not exists spt_hist_policy_violation_capture_ref_3 on spt_hist_policy_violation_capture (extended_to_date);
create index if not exists spt_hist_policy_violation_capture_ref_4 on spt_hist_policy_violation_capture (policy_violation_id);
create index if not exists spt_hist_policy_violation_capture_ref_5 on spt_hist_policy_violation_capture (active);
create index if not exists spt_hist_policy_violation_capture_ref_6 on spt_hist_policy_violation_capture (deleted);

create index if not exists spt_hist_policy_violation_remediation_capture_ref_1 on spt_hist_policy_violation_remediation_capture (patch_doc_parent);
create index if not exists spt_hist_policy_violation_remediation_capture_ref_2 on spt_hist_policy_violation_remediation_capture (effective_date);
create index if not exists spt_hist_policy_violation_remediation_capture_ref_3 on spt_hist_policy_violation_remediation_capture (extended_to_date);
create index if not exists spt_hist_policy_violation_remediation_capture_ref_4 on spt_hist_policy_violation_remediation_capture (identity_history_item_id);
create index if not exists spt_hist_policy_violation_remediation_capture_ref_5 on spt_hist_policy_violation_remediation_capture (certification_item_type);

create index if not exists spt_hist_policy_violation_remediation_bundle_ids_ref_1 on spt_hist_policy_violation_remediation_bundle_ids (capture_id);

create index if not exists spt_hist_policy_violation_remediation_entitlements_ref_1 on spt_hist_policy_violation_remediation_entitlements (policy_violation_remediation_ent);

create index if not exists spt_hist_accounts_ref_1 on spt_hist_accounts (capture_id);

create index if not exists spt_hist_account_capture_ref_1 on spt_hist_account_capture (patch_doc_parent);
create index if not exists spt_hist_account_capture_ref_2 on spt_hist_account_capture (effective_date);
create index if not exists spt_hist_account_capture_ref_3 on spt_hist_account_capture (extended_to_date);
create index if not exists spt_hist_account_capture_ref_4 on spt_hist_account_capture (account_id);
create index if not exists spt_hist_account_capture_ref_5 on spt_hist_account_capture (deleted);
create index if not exists spt_hist_account_capture_ref_6 on spt_hist_account_capture (upper(displayable_name));

create index if not exists spt_hist_workgroup_capture_ref_1 on spt_hist_workgroup_capture (patch_doc_parent);
create index if not exists spt_hist_workgroup_capture_ref_2 on spt_hist_workgroup_capture (effective_date);
create index if not exists spt_hist_workgroup_capture_ref_3 on spt_hist_workgroup_capture (extended_to_date);
create index if not exists spt_hist_workgroup_capture_ref_4 on spt_hist_workgroup_capture (inactive);
create index if not exists spt_hist_workgroup_capture_ref_5 on spt_hist_workgroup_capture (upper(display_name));
create index if not exists spt_hist_workgroup_capture_ref_6 on spt_hist_workgroup_capture (upper(email));

create index if not exists spt_hist_workgroup_event_ref_1 on spt_hist_workgroup_event (event_date);
create index if not exists spt_hist_workgroup_event_ref_2 on spt_hist_workgroup_event (event_category);
create index if not exists spt_hist_workgroup_event_ref_3 on spt_hist_workgroup_event (event_type);
create index if not exists spt_hist_workgroup_event_ref_4 on spt_hist_workgroup_event (upper(property_name));
create index if not exists spt_hist_workgroup_event_ref_5 on spt_hist_workgroup_event (qry_property1);
create index if not exists spt_hist_workgroup_event_ref_6 on spt_hist_workgroup_event (qry_property2);
create index if not exists spt_hist_workgroup_event_ref_7 on spt_hist_workgroup_event (qry_property3);
create index if not exists spt_hist_workgroup_event_ref_8 on spt_hist_workgroup_event (qry_property4);
create index if not exists spt_hist_workgroup_event_ref_9 on spt_hist_workgroup_event (qry_property5);
create index if not exists spt_hist_workgroup_event_ref_10 on spt_hist_workgroup_event (qry_property6);
create index if not exists spt_hist_workgroup_event_ref_11 on spt_hist_workgroup_event (qry_property7);
create index if not exists spt_hist_workgroup_event_ref_12 on spt_hist_workgroup_event (qry_property8);
create index if not exists spt_hist_workgroup_event_ref_13 on spt_hist_workgroup_event (qry_property9);
create index if not exists spt_hist_workgroup_event_ref_14 on spt_hist_workgroup_event (qry_property10);

create index if not exists spt_hist_object_config_capture_ref_1 on spt_hist_object_config_capture (patch_doc_parent);
create index if not exists spt_hist_object_config_capture_ref_2 on spt_hist_object_config_capture (effective_date);
create index if not exists spt_hist_object_config_capture_ref_3 on spt_hist_object_config_capture (extended_to_date);
