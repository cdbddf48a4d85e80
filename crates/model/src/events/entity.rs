//! Events of managed attributes, roles and workgroups.

use super::value::{happenings, member, property_name, reference, text, told_once};
use super::{Events, Searchable, Transition};
use crate::{AccountColumns, EventTable, Image, ObjectType};

struct Names {
    table: EventTable,
    category: &'static str,
    discovered: &'static str,
    changed: &'static str,
    deleted: &'static str,
}

fn names(object_type: ObjectType) -> Names {
    match object_type {
        ObjectType::Role => Names {
            table: EventTable::Role,
            category: "Role",
            discovered: "RoleDiscovered",
            changed: "RoleChanged",
            deleted: "RoleDeleted",
        },
        ObjectType::Workgroup => Names {
            table: EventTable::Workgroup,
            category: "Workgroup",
            discovered: "WorkgroupDiscovered",
            changed: "WorkgroupChanged",
            deleted: "WorkgroupDeleted",
        },
        _ => Names {
            table: EventTable::Mattr,
            category: "ManagedAttribute",
            discovered: "ManagedAttributeDiscovered",
            changed: "ManagedAttributeChanged",
            deleted: "ManagedAttributeDeleted",
        },
    }
}

pub(super) fn derive(events: &mut Events<'_>, transition: Transition<'_>) {
    let names = names(events.subject.key.object_type);
    match transition {
        Transition::Discovered(image) => {
            let (account, searchable) = application(image);
            let event = events.own(names.table, names.category, names.discovered);
            event.account = account;
            event.qry = searchable.into();
        }
        Transition::Deleted => {
            events.own(names.table, names.category, names.deleted);
        }
        Transition::ChangedFromUnreadable => {
            events.own(names.table, names.category, names.changed);
        }
        Transition::Changed { new, changes, .. } => {
            let (account, searchable) = application(new);
            for change in told_once(changes) {
                for (old, new) in happenings(change) {
                    let element = new.or(old).and_then(serde_json::Value::as_object);
                    let event = events.own(names.table, names.category, names.changed);
                    event.property_name = Some(property_name(change));
                    event.old_value = old.and_then(text);
                    event.new_value = new.and_then(text);
                    event.account.clone_from(&account);
                    event.qry = Searchable {
                        item_id: member(element, "id"),
                        item_name: member(element, "name"),
                        ..searchable.clone()
                    }
                    .into();
                }
            }
        }
    }
}

/// Where a managed attribute is at home; roles and workgroups have no application.
fn application(image: &Image) -> (Option<AccountColumns>, Searchable) {
    let fields = Some(&image.image_fields);
    if image.image_type != ObjectType::ManagedAttribute.as_str() {
        return (None, Searchable::default());
    }
    let (app_id, app_name) = reference(fields, "application");
    let searchable = Searchable {
        application: app_name.clone(),
        attribute: member(fields, "attribute"),
        value: member(fields, "value"),
        ..Searchable::default()
    };
    let account = AccountColumns { app_id, app_name, ..AccountColumns::default() };
    (Some(account).filter(|account| *account != AccountColumns::default()), searchable)
}
