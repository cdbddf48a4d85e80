//! Events of accounts, on the timelines of their identities. That an account came or went is told by the identity's
//! images; here is how it changed.

use serde_json::Value;

use super::value::{happenings, member, property_name, reference, text, told_once};
use super::{Events, Searchable, Transition};
use crate::{ATTRIBUTES, AccountColumns};

/// Category of events about accounts.
pub(super) const CATEGORY: &str = "Account";

pub(super) fn derive(events: &mut Events<'_>, transition: Transition<'_>) {
    let Transition::Changed { new, changes, .. } = transition else { return };
    let fields = Some(&new.image_fields);
    let (app_id, app_name) = reference(fields, "application");
    let account = AccountColumns {
        account_id: Some(events.subject.key.object_id.clone()),
        app_instance: member(fields, "instance"),
        app_id,
        native_id: member(fields, "nativeIdentity"),
        app_name,
        display_name: member(fields, "displayName"),
    };
    // An account that passes to another identity is told by both identities' images.
    for change in told_once(changes).filter(|change| change.property != "identity") {
        for (old, new) in happenings(change) {
            let Some(event) = events.of_identity(CATEGORY, "AccountChanged") else { return };
            event.property_name = Some(property_name(change));
            event.old_value = old.and_then(text);
            event.new_value = new.and_then(text);
            event.account = Some(account.clone());
            event.qry =
                Searchable { value: new.or(old).and_then(scalar), ..searchable(&account, &change.property) }
                    .into();
        }
    }
}

fn searchable(account: &AccountColumns, property: &str) -> Searchable {
    let attribute =
        property.strip_prefix(ATTRIBUTES).and_then(|rest| rest.strip_prefix('.')).unwrap_or(property);
    Searchable { attribute: Some(attribute.to_owned()), ..of_account(account) }
}

/// What all events about an account can be found by.
pub(super) fn of_account(account: &AccountColumns) -> Searchable {
    Searchable {
        item_id: account.account_id.clone(),
        item_name: account.display_name.clone().or_else(|| account.native_id.clone()),
        application: account.app_name.clone(),
        ..Searchable::default()
    }
}

fn scalar(value: &Value) -> Option<String> {
    if value.is_object() || value.is_array() { None } else { text(value) }
}
