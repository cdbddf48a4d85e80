//! One row of history made wrong by plain SQL: the checker names that row, and no other.

use annals_testkit::Engine;

use crate::site::{CAPTURES, Site, sites};

/// What the checker is to name: the row as it stood.
struct Row {
    table: &'static str,
    /// The column that tells it from others, and what is in it.
    column: &'static str,
    key: String,
}

impl Row {
    /// The one row that this query finds.
    fn found(site: &Site, table: &'static str, column: &'static str, among: &str) -> Self {
        let key =
            site.look(&format!("select {column} from {table} where {among} order by {column} limit 1;"));
        assert!(!key.is_empty(), "no such row of {table}: {among}");
        Self { table, column, key }
    }

    /// A cell of it.
    fn cell(&self, site: &Site, expression: &str) -> String {
        site.look(&format!("select {expression} from {} where {} = '{}';", self.table, self.column, self.key))
    }

    /// Gives cells of it other values.
    fn set(&self, site: &Site, cells: &str) {
        site.look(&format!("update {} set {cells} where {} = '{}';", self.table, self.column, self.key));
    }

    fn remove(&self, site: &Site) {
        site.look(&format!("delete from {} where {} = '{}';", self.table, self.column, self.key));
    }
}

/// The checker finds exactly one wrong row, and says these words of it: all else is as it must be.
#[track_caller]
fn names(site: &Site, words: &[&str]) {
    let checked = site.check();
    assert_eq!(checked.code, 1, "{checked:#?}");
    assert_eq!(checked.wrong.len(), 1, "{checked:#?}");
    for word in words {
        assert!(checked.wrong[0].contains(word), "`{word}` is missing: {checked:#?}");
    }
}

#[test]
fn a_changed_value_is_named() {
    for site in sites(CAPTURES[0]) {
        let row = Row::found(&site, "spt_hist_account_capture", "id", "deleted = 0");
        let (account, name) = (row.cell(&site, "account_id"), row.cell(&site, "application_name"));
        row.set(&site, "application_name = 'Another'");
        let found = "found application_name = 'Another'";
        names(
            &site,
            &[row.table, &row.key, &account, &format!("expected application_name = '{name}'"), found],
        );
    }
}

/// Heads of roles.
const ROLE: &str = "kind = (select id from annals_object_kind where object_type = 'role')";

#[test]
fn a_changed_date_and_hash_of_a_head_are_named() {
    for site in sites(CAPTURES[0]) {
        let row = Row::found(&site, "annals_head", "object_id", ROLE);
        row.set(
            &site,
            "extended_to_date = coalesce(extended_to_date, effective_date) + 1, full_hash = capture_id",
        );
        names(&site, &[row.table, &row.key, "extended_to_date", "full_hash"]);
    }
}

#[test]
fn a_changed_value_of_an_entity_row_is_named() {
    for site in sites(CAPTURES[0]) {
        let row = Row::found(&site, "spt_hist_identity", "id", "deleted = 0");
        let person = row.cell(&site, "identity_id");
        row.set(&site, "lastname = 'Nobody'");
        names(&site, &[row.table, &row.key, &person, "found lastname = 'Nobody'"]);
    }
}

#[test]
fn a_removed_event_is_named() {
    for site in sites(CAPTURES[0]) {
        let row = Row::found(
            &site,
            "spt_hist_identity_event",
            "id",
            "event_type = 'EntitlementAdded' and event_source_type = 'CHANGE_CAPTURE'",
        );
        let [person, entitlement, value] =
            ["entity_id", "identity_entitlement_id", "new_value"].map(|column| row.cell(&site, column));
        row.remove(&site);
        names(&site, &[row.table, &person, &entitlement, &value, "EntitlementAdded", "found no such row"]);
    }
}

#[test]
fn a_changed_event_is_named() {
    for site in sites(CAPTURES[0]) {
        let among = "event_type = 'AccountChanged' and old_value is not null";
        let row = Row::found(&site, "spt_hist_identity_event", "id", among);
        row.set(&site, "old_value = 'something else'");
        names(&site, &[row.table, &row.key, "found old_value = 'something else'"]);
    }
}

#[test]
fn a_removed_capture_is_named() {
    for site in sites(CAPTURES[0]) {
        // Of a type without events and child rows; its head names it.
        let row = Row::found(&site, "spt_hist_entitlement_capture", "id", "deleted = 1");
        let entitlement = row.cell(&site, "identity_entitlement_id");
        row.remove(&site);
        let checked = site.check();
        let named: Vec<&String> = checked.wrong.iter().filter(|line| line.starts_with(row.table)).collect();
        assert_eq!(named.len(), 1, "{checked:#?}");
        assert!(named[0].contains(&entitlement) && named[0].contains("found no such row"), "{checked:#?}");
    }
}

#[test]
fn a_removed_child_row_is_named() {
    for site in sites(CAPTURES[0]) {
        let table = "spt_hist_entitlements";
        let row = Row::found(&site, table, "identity_entitlement_id", "idx = 2");
        let among = format!("identity_entitlement_id = '{}' and idx = 2", row.key);
        let capture = site.look(&format!("select min(capture_id) from {table} where {among};"));
        site.look(&format!("delete from {table} where capture_id = '{capture}' and idx = 2;"));
        names(&site, &[table, &format!("{capture}/2"), &row.key, "found no such row"]);
    }
}

/// Who had access until when, and how it was come by.
#[test]
fn a_changed_and_a_removed_access_interval_are_named() {
    for site in sites(CAPTURES[0]) {
        let table = "annals_access_interval";
        let ended = site.look(&format!("select min(identity_id) from {table} where valid_to is not null;"));
        let number =
            format!("select min(seq) from {table} where identity_id = '{ended}' and valid_to is not null");
        let among = format!("identity_id = '{ended}' and seq = ({number})");
        let until = site.look(&format!("select valid_to from {table} where {among};"));
        site.look(&format!(
            "update {table} set valid_to = valid_to + 1, acquired = acquired + 16 where {among};"
        ));
        names(&site, &[table, &ended, &format!("valid_to = {until}"), "acquired"]);
        site.look(&format!(
            "update {table} set valid_to = valid_to - 1, acquired = acquired - 16 where {among};"
        ));
        site.look(&format!("delete from {table} where identity_id = '{ended}' and seq = ({number});"));
        names(&site, &[table, &ended, &format!("valid_to = {until}"), "found no such row"]);
    }
}

#[test]
fn a_changed_counter_is_named() {
    for site in sites(CAPTURES[0]) {
        site.look(
            "update annals_run_attribute set changed = changed + 1
             where run_id = 3 and object_type = 'identity' and attribute = 'entitlements';",
        );
        names(&site, &["annals_run_attribute 3", "identity entitlements of run 3"]);
    }
}

/// A byte of a zipped document.
#[test]
fn a_changed_byte_of_a_document_is_named() {
    for site in sites(CAPTURES[0]) {
        let row = Row::found(&site, "spt_hist_role_capture", "id", "transform_type = 'full'");
        row.set(
            &site,
            match site.engine() {
                Engine::Postgres => "json = set_byte(json, 40, 255 - get_byte(json, 40))",
                _ => "json = cast(substr(json, 1, 40) || x'00' || substr(json, 42) as blob)",
            },
        );
        names(&site, &[row.table, &row.key]);
    }
}

/// A value inside a document, whose columns and hash stand as they were; captures that are patches of it are right.
#[test]
fn a_changed_value_inside_a_document_is_named() {
    for site in sites(CAPTURES[1]) {
        let among =
            "id in (select patch_doc_parent from spt_hist_identity_capture) and transform_type = 'full'";
        let row = Row::found(&site, "spt_hist_identity_capture", "id", among);
        let email = row.cell(&site, "email");
        let [from, to] = [format!("\"{email}\""), "\"nobody@example.com\"".to_owned()];
        row.set(&site, &replacement(&site, &from, &to));
        names(&site, &[row.table, &row.key, "/email", &email, "nobody@example.com"]);
    }
}

/// The path of an operation inside a patch.
#[test]
fn a_changed_patch_is_named() {
    for site in sites(CAPTURES[1]) {
        let row = Row::found(&site, "spt_hist_account_capture", "id", "transform_type = 'patch'");
        row.set(&site, &replacement(&site, "/eventImage/imageFields/", "/eventImage/imageFields/no"));
        names(&site, &[row.table, &row.key]);
    }
}

/// Replaces text in a document that is not zipped.
fn replacement(site: &Site, from: &str, to: &str) -> String {
    match site.engine() {
        Engine::Postgres => {
            format!("json = convert_to(replace(convert_from(json, 'UTF8'), '{from}', '{to}'), 'UTF8')")
        }
        _ => format!("json = cast(replace(cast(json as text), '{from}', '{to}') as blob)"),
    }
}
