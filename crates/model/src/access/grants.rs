//! What a role or a group brings with it, by its own image: whoever holds it has that too.

use serde_json::{Map, Value};

use super::holdings::{named, text};
use super::{AccessItem, AccessKind};
use crate::events::is_set;
use crate::{Image, ObjectType};

/// How one access item brings another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrantWay {
    /// A role inherits from a role.
    Inherits,
    /// A role requires a role.
    Requires,
    /// A profile of a role stands for an entitlement.
    Profile,
    /// A group is in a group.
    Nested,
}

impl GrantWay {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inherits, Self::Requires, Self::Profile, Self::Nested];

    /// The number that stands for it in `annals_access_grant.way`.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Inherits => 1,
            Self::Requires => 2,
            Self::Profile => 3,
            Self::Nested => 4,
        }
    }

    /// The way of a number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.number() == number)
    }

    /// The words for it between the two items.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inherits => "inherits",
            Self::Requires => "requires",
            Self::Profile => "grants",
            Self::Nested => "is in",
        }
    }
}

/// That whoever holds one access item has another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Number of the item that is brought.
    pub item: i64,
    /// Number of the item that brings it: a role as an assigned one, a group as an entitlement.
    pub by: i64,
    /// How.
    pub way: GrantWay,
}

/// What a role or a managed attribute brings by its image, each once and sorted, and all items that are named; nothing of
/// objects of other types.
///
/// Of a role: the roles that it inherits from and requires, and the entitlements of its own profiles. What it permits has
/// to be asked for, and of profiles that stand for one another none is certain. Of a managed attribute: the groups that it
/// is in, which are of its own application.
#[must_use]
pub fn grants(object_type: ObjectType, object_id: &str, image: &Image) -> (Vec<AccessItem>, Vec<Grant>) {
    let fields = &image.image_fields;
    let (by, brought) = match object_type {
        ObjectType::Role => {
            let id = crate::text::searchable(object_id).into_owned();
            let role = named(AccessKind::AssignedRole, Some(id), text(fields, "name"));
            let brought = of_role(object_id, fields);
            (role, brought)
        }
        ObjectType::ManagedAttribute => {
            let Some(group) = group(fields) else { return Default::default() };
            let brought = of_group(&group, fields);
            (group, brought)
        }
        _ => return Default::default(),
    };
    let number = by.number();
    let mut grants: Vec<Grant> =
        brought.iter().map(|(way, item)| Grant { item: item.number(), by: number, way: *way }).collect();
    grants.sort();
    grants.dedup();
    let mut items: Vec<AccessItem> = brought.into_iter().map(|(_, item)| item).collect();
    if !items.is_empty() {
        items.push(by);
    }
    (items, grants)
}

type Fields = Map<String, Value>;

fn elements<'f>(fields: &'f Fields, list: &str) -> impl Iterator<Item = &'f Fields> {
    fields.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn of_role(object_id: &str, fields: &Fields) -> Vec<(GrantWay, AccessItem)> {
    let mut brought = Vec::new();
    for (list, way) in [("inheritance", GrantWay::Inherits), ("requirements", GrantWay::Requires)] {
        for element in elements(fields, list) {
            let role = named(AccessKind::AssignedRole, text(element, "id"), text(element, "name"));
            if role.id.is_some() || role.name.is_some() {
                brought.push((way, role));
            }
        }
    }
    for relation in elements(fields, "profileRelations") {
        // The others are those of the roles that it inherits from, requires or permits, which tell them themselves.
        let is_own = ["inherited", "required", "permitted"].iter().all(|flag| !is_set(relation.get(*flag)))
            && relation.get("sourceRoleId").and_then(Value::as_str).is_none_or(|source| source == object_id);
        if is_own && !is_set(relation.get("orMember")) {
            let entitlement = AccessItem {
                application_id: text(relation, "applicationId"),
                application: text(relation, "applicationName"),
                permission: is_permission(relation),
                attribute: text(relation, "attribute"),
                value: text(relation, "value"),
                ..named(AccessKind::Entitlement, None, text(relation, "displayValue"))
            };
            if entitlement.value.is_some() {
                brought.push((GrantWay::Profile, entitlement));
            }
        }
    }
    brought
}

fn is_permission(element: &Fields) -> bool {
    element.get("type").and_then(Value::as_str) == Some("Permission")
}

/// The entitlement that a managed attribute describes.
fn group(fields: &Fields) -> Option<AccessItem> {
    let application = fields.get("application").and_then(Value::as_object);
    let of_application = |member| application.and_then(|application| text(application, member));
    let entitlement = AccessItem {
        application_id: of_application("id"),
        application: of_application("name"),
        permission: is_permission(fields),
        attribute: text(fields, "attribute"),
        value: text(fields, "value"),
        ..named(AccessKind::Entitlement, None, text(fields, "displayableName"))
    };
    entitlement.value.is_some().then_some(entitlement)
}

fn of_group(group: &AccessItem, fields: &Fields) -> Vec<(GrantWay, AccessItem)> {
    let parents = elements(fields, "inheritance").filter_map(|element| {
        let value = text(element, "value")?;
        let attribute = text(element, "attribute").or_else(|| group.attribute.clone());
        let parent = AccessItem {
            attribute,
            value: Some(value),
            permission: false,
            name: text(element, "name"),
            ..group.clone()
        };
        Some((GrantWay::Nested, parent))
    });
    parents.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(object_type: ObjectType, fields: Value) -> Vec<String> {
        let Value::Object(image_fields) = fields else { panic!("fields are an object") };
        let image = Image { image_fields, image_type: object_type.as_str().to_owned() };
        let (items, grants) = grants(object_type, "o1", &image);
        let shown = |number: i64| {
            let item = items.iter().find(|item| item.number() == number).unwrap();
            let texts = [&item.id, &item.name, &item.application_id, &item.attribute, &item.value];
            let texts: Vec<&str> = texts.into_iter().flatten().map(String::as_str).collect();
            format!("{} {}", item.kind.as_str(), texts.join("/"))
        };
        let mut told: Vec<String> = grants
            .iter()
            .map(|grant| format!("{} {} {}", shown(grant.by), grant.way.as_str(), shown(grant.item)))
            .collect();
        told.sort();
        told
    }

    #[test]
    fn a_role_brings_what_it_inherits_requires_and_stands_for() {
        let relation = |value: &str, flag: &str| {
            json!({"applicationId": "a1", "applicationName": "AD", "attribute": "m", "value": value,
                   "displayValue": "D", "sourceRoleId": "o1", "type": "Entitlement", flag: true})
        };
        let mut of_parent = relation("other", "any");
        of_parent["sourceRoleId"] = json!("o2");
        let fields = json!({
            "name": "Clerk",
            "inheritance": [{"id": "r1", "name": "Staff"}, {}, 7],
            "requirements": [{"id": "r2", "name": "Mail"}, {"id": "r2", "name": "Mail"}],
            "permits": [{"id": "r3", "name": "Phone"}],
            "profileRelations": [
                relation("g1", "any"), relation("i", "inherited"), relation("r", "required"),
                relation("p", "permitted"), relation("o", "orMember"), of_parent, {"attribute": "m"}
            ]
        });
        assert_eq!(
            told(ObjectType::Role, fields),
            [
                "assignedRole o1/Clerk grants entitlement D/a1/m/g1",
                "assignedRole o1/Clerk inherits assignedRole r1/Staff",
                "assignedRole o1/Clerk requires assignedRole r2/Mail",
            ]
        );
    }

    /// The rows of a group's inheritance name no application: it is the group's own.
    #[test]
    fn a_group_is_in_groups_of_its_application() {
        let fields = json!({
            "application": {"id": "a1", "name": "AD"}, "attribute": "m", "value": "g1", "displayableName": "G1",
            "inheritance": [{"id": "x", "attribute": "m", "name": "G2", "value": "g2"}, {"id": "y"}, {"value": "g3"}]
        });
        assert_eq!(
            told(ObjectType::ManagedAttribute, fields),
            [
                "entitlement G1/a1/m/g1 is in entitlement G2/a1/m/g2",
                "entitlement G1/a1/m/g1 is in entitlement a1/m/g3",
            ]
        );
        let nothing = json!({"inheritance": [{"value": "g2"}], "attribute": "m"});
        assert_eq!(told(ObjectType::ManagedAttribute, nothing), Vec::<String>::new());
        assert_eq!(told(ObjectType::Workgroup, json!({"inheritance": [{"id": "w"}]})), Vec::<String>::new());
    }

    #[test]
    fn the_ways_have_numbers() {
        for way in GrantWay::ALL {
            assert_eq!(GrantWay::of_number(way.number()), Some(way));
        }
        assert_eq!(GrantWay::of_number(0), None);
    }
}
