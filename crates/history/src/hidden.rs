//! Attributes that are kept from who asks: out of images, events and the properties of lists.
//!
//! An attribute is named by the path of its field in the image, members of fields behind dots, elements of lists passed
//! through (`entitlements.value`). A name without a dot means the member of `attributes` too, for many attributes of
//! an identity stand in both. Case makes no difference. Whatever is within a hidden field is hidden with it.

use std::collections::BTreeMap;

use annals_model::{ACCESS_LISTS, ATTRIBUTES, EventTable, ObjectType};
use serde_json::{Map, Value};

use crate::find::{ACCESS, Collection, HISTORY, Property};
use crate::timeline::EventRow;

/// What is hidden, by object type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Paths in small letters.
    paths: BTreeMap<ObjectType, Vec<String>>,
}

impl Hidden {
    /// These attributes.
    #[must_use]
    pub fn new<'a>(attributes: impl IntoIterator<Item = (ObjectType, &'a str)>) -> Self {
        let mut paths: BTreeMap<ObjectType, Vec<String>> = BTreeMap::new();
        for (object_type, name) in attributes {
            let name = name.to_lowercase();
            let of_type = paths.entry(object_type).or_default();
            if !name.contains('.') {
                of_type.push(format!("{ATTRIBUTES}.{name}"));
            }
            of_type.push(name);
        }
        Self { paths }
    }

    /// What is at this path of an image is hidden, or is within something that is.
    #[must_use]
    pub fn hides(&self, object_type: ObjectType, path: &str) -> bool {
        let path = path.to_lowercase();
        self.of(object_type).iter().any(|hidden| is_at_or_in(&path, hidden))
    }

    /// A property of a list is hidden: it is filled from something that is, or has its name.
    #[must_use]
    pub fn hides_property(&self, object_type: ObjectType, property: &Property) -> bool {
        let names = std::iter::once(property.name.as_str()).chain(property.paths.iter().copied());
        names.into_iter().any(|path| self.hides(object_type, path))
    }

    /// A property of a collection's elements is hidden.
    #[must_use]
    pub fn hides_element(
        &self,
        object_type: ObjectType,
        collection: &Collection,
        property: &Property,
    ) -> bool {
        match collection.name {
            ACCESS => false,
            HISTORY => self.hides_property(object_type, property),
            name => property.paths.iter().any(|path| self.hides(object_type, &format!("{name}.{path}"))),
        }
    }

    /// A part of what identities hold is hidden, which access intervals do not tell apart.
    #[must_use]
    pub fn hides_access(&self) -> bool {
        let lists = ACCESS_LISTS.map(str::to_lowercase);
        let field = |path: &String| path.split('.').next().unwrap_or_default().to_owned();
        self.of(ObjectType::Identity).iter().map(field).any(|field| lists.contains(&field))
    }

    /// Takes what is hidden out of the fields of an image.
    pub fn redact_image(&self, object_type: ObjectType, fields: &mut Map<String, Value>) {
        let hidden = self.of(object_type);
        if !hidden.is_empty() {
            redact_members(fields, "", hidden);
        }
    }

    /// An event without what is hidden; none if it is about that.
    #[must_use]
    pub fn redact_event(&self, mut event: EventRow) -> Option<EventRow> {
        if self.paths.is_empty() {
            return Some(event);
        }
        if self.hides(ObjectType::Account, "displayName")
            && let Some(account) = &mut event.account
        {
            account.display_name = None;
        }
        let Some(property) = event.property_name.clone() else { return Some(event) };
        let attribute = format!("{ATTRIBUTES}.{property}");
        let is_hidden = |object_type| self.hides(object_type, &property);
        let of_any = || {
            [ObjectType::Identity, ObjectType::Account]
                .into_iter()
                .any(|object_type| is_hidden(object_type) || self.hides(object_type, &attribute))
        };
        let object_type = match (event.table, event.category.as_str(), event.event_type.as_str()) {
            (EventTable::Mattr, ..) => ObjectType::ManagedAttribute,
            (EventTable::Role, ..) => ObjectType::Role,
            (EventTable::Workgroup, ..) => ObjectType::Workgroup,
            (_, "Account", "AccountChanged") => ObjectType::Account,
            // These name an attribute of an application, or of an identity that a request was to change.
            (_, "Entitlement", _) if of_any() || self.hides(ObjectType::Identity, "entitlements") => {
                return None;
            }
            (_, "Governance", _) if of_any() || self.hides(ObjectType::IdentityRequestItem, "value") => {
                return None;
            }
            _ => ObjectType::Identity,
        };
        if is_hidden(object_type) {
            return None;
        }
        let path = property.to_lowercase();
        if self.of(object_type).iter().any(|hidden| is_at_or_in(hidden, &path)) {
            for value in [&mut event.old_value, &mut event.new_value] {
                *value = value.take().and_then(|text| redact_text(&text, &path, self.of(object_type)));
            }
            // The value once more, cut off.
            event.qry[4] = None;
        }
        Some(event)
    }

    fn of(&self, object_type: ObjectType) -> &[String] {
        self.paths.get(&object_type).map_or(&[], Vec::as_slice)
    }
}

/// A path is another one, or leads through it.
fn is_at_or_in(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn redact_members(members: &mut Map<String, Value>, path: &str, hidden: &[String]) {
    members.retain(|name, value| {
        let name = name.to_lowercase();
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        if hidden.contains(&path) {
            return false;
        }
        redact(value, &path, hidden);
        true
    });
}

fn redact(value: &mut Value, path: &str, hidden: &[String]) {
    match value {
        Value::Object(members) => redact_members(members, path, hidden),
        Value::Array(elements) => elements.iter_mut().for_each(|element| redact(element, path, hidden)),
        _ => {}
    }
}

/// A value that is told as text; none if what is hidden in it cannot be told from the rest.
fn redact_text(text: &str, path: &str, hidden: &[String]) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    if !value.is_object() && !value.is_array() {
        return None;
    }
    redact(&mut value, path, hidden);
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use annals_model::AccountColumns;
    use serde_json::json;

    use super::*;

    fn hidden() -> Hidden {
        use ObjectType::{Account, Identity, Role};
        Hidden::new([
            (Identity, "Salary"),
            (Identity, "manager.name"),
            (Identity, "capabilities.secret"),
            (Account, "attributes.memberOf"),
            (Account, "displayName"),
            (Role, "description"),
        ])
    }

    #[test]
    fn an_image_loses_what_is_hidden_and_nothing_else() {
        let redacted = |object_type, fields: Value| {
            let Value::Object(mut fields) = fields else { panic!("fields") };
            hidden().redact_image(object_type, &mut fields);
            Value::Object(fields)
        };
        let image = json!({
            "salary": 5, "salaryGroup": "a",
            "manager": {"id": "m", "NAME": "Mo"},
            "attributes": {"SALARY": 5, "memberOf": ["x"], "manager": "Mo"},
            "capabilities": [{"id": "c", "secret": 1}, {"secret": {"a": 1}}, "plain"],
        });
        let expected = json!({
            "salaryGroup": "a",
            "manager": {"id": "m"},
            "attributes": {"memberOf": ["x"], "manager": "Mo"},
            "capabilities": [{"id": "c"}, {}, "plain"],
        });
        assert_eq!(redacted(ObjectType::Identity, image.clone()), expected);
        let of_account = redacted(ObjectType::Account, image.clone());
        assert_eq!(of_account["attributes"], json!({"SALARY": 5, "manager": "Mo"}));
        assert_eq!(redacted(ObjectType::Workgroup, image.clone()), image);
    }

    fn event(table: EventTable, category: &str, event_type: &str, property: Option<&str>) -> EventRow {
        let text = |text: &str| Some(text.to_owned());
        EventRow {
            table,
            id: "e".to_owned(),
            recorded_ms: 1,
            event_date_ms: 1,
            entity_id: "i".to_owned(),
            entity_name: "I".to_owned(),
            prev_capture_id: None,
            capture_id: None,
            category: category.to_owned(),
            event_type: event_type.to_owned(),
            source_type: "CHANGE_CAPTURE".to_owned(),
            detail: None,
            property_name: property.map(str::to_owned),
            old_value: text("old"),
            new_value: text(r#"{"id":"c","secret":1}"#),
            account: Some(AccountColumns { display_name: text("Ann"), ..AccountColumns::default() }),
            request_item_id: None,
            identity_request_id: None,
            pending_request_item_id: None,
            identity_entitlement_id: None,
            qry: std::array::from_fn(|_| text("q")),
        }
    }

    /// Events are about a property of the class that their category says, but those of entitlements and requests about
    /// an attribute of whichever.
    #[test]
    fn an_event_about_what_is_hidden_is_not_told() {
        use EventTable::{Identity, Mattr, Role};
        for (table, category, event_type, property, told) in [
            (Identity, "Identity", "IdentityChanged", "salary", false),
            (Identity, "Identity", "IdentityChanged", "attributes.salary", false),
            (Identity, "Identity", "IdentityChanged", "salaryGroup", true),
            (Identity, "Identity", "IdentityChanged", "attributes.memberOf", true),
            (Identity, "Account", "AccountChanged", "attributes.memberOf", false),
            (Identity, "Account", "AccountChanged", "attributes.salary", true),
            (Identity, "Entitlement", "EntitlementAdded", "memberOf", false),
            (Identity, "Entitlement", "EntitlementAdded", "groups", true),
            (Identity, "Governance", "GovernanceEvent", "salary", false),
            (Identity, "Governance", "GovernanceEvent", "memberOf", false),
            (Identity, "Governance", "GovernanceEvent", "status", true),
            (Role, "Role", "RoleChanged", "description", false),
            (Mattr, "ManagedAttribute", "ManagedAttributeChanged", "description", true),
        ] {
            let redacted = hidden().redact_event(event(table, category, event_type, Some(property)));
            assert_eq!(redacted.is_some(), told, "{category} {property}");
            assert!(
                redacted
                    .is_none_or(|event| event.account.is_some_and(|account| account.display_name.is_none()))
            );
        }
        let whole = event(Identity, "Identity", "IdentityDiscovered", None);
        assert_eq!(Hidden::default().redact_event(whole.clone()), Some(whole));
    }

    /// Where a part of a value is hidden, the rest of it is told, if it can be told apart.
    #[test]
    fn a_value_loses_what_is_hidden_in_it() {
        let changed = event(EventTable::Identity, "Identity", "IdentityChanged", Some("capabilities"));
        let told = hidden().redact_event(changed).expect("the event");
        assert_eq!((told.old_value.as_deref(), told.new_value.as_deref()), (None, Some(r#"{"id":"c"}"#)));
        assert_eq!((told.qry[4].as_deref(), told.qry[3].as_deref()), (None, Some("q")));
    }
}
