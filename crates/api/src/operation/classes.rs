//! What can be asked of the ten classes of objects (IIQ-09).

use annals_history::Scope;
use annals_model::ObjectType;

use super::{Form, Method, Operation, ROOT};
use crate::resources::{access, compare, objects};
use crate::right::Right;

/// A class of objects (IIQ-09).
struct Class {
    object_type: ObjectType,
    /// In paths.
    plural: &'static str,
    /// In names of operations and sentences.
    one: &'static str,
    many: &'static str,
}

const fn class(
    object_type: ObjectType,
    plural: &'static str,
    one: &'static str,
    many: &'static str,
) -> Class {
    Class { object_type, plural, one, many }
}

/// The ten classes of IIQ-09.
const CLASSES: [Class; 10] = [
    class(ObjectType::Identity, "identities", "Identity", "Identities"),
    class(ObjectType::Role, "roles", "Role", "Roles"),
    class(ObjectType::Entitlement, "entitlements", "Entitlement", "Entitlements"),
    class(ObjectType::Certification, "certifications", "Certification", "Certifications"),
    class(ObjectType::IdentityRequest, "identityRequests", "IdentityRequest", "IdentityRequests"),
    class(ObjectType::ManagedAttribute, "managedAttributes", "ManagedAttribute", "ManagedAttributes"),
    class(ObjectType::Capability, "capabilities", "Capability", "Capabilities"),
    class(ObjectType::Account, "accounts", "Account", "Accounts"),
    class(ObjectType::Workgroup, "workgroups", "Workgroup", "Workgroups"),
    class(ObjectType::PolicyViolation, "policyViolations", "PolicyViolation", "PolicyViolations"),
];

/// Types of which events are told.
const WITH_TIMELINE: [ObjectType; 7] = [
    ObjectType::Identity,
    ObjectType::Account,
    ObjectType::Entitlement,
    ObjectType::IdentityRequest,
    ObjectType::ManagedAttribute,
    ObjectType::Role,
    ObjectType::Workgroup,
];

/// The operations of all classes.
pub(super) fn operations() -> impl Iterator<Item = Operation> {
    CLASSES.iter().flat_map(of_class)
}

/// A question about the objects of a class, or one of them.
fn of_objects(class: &Class, id: String, path: &str, summary: String) -> Operation {
    Operation {
        method: Method::Get,
        id,
        path: format!("{ROOT}/{}{path}", class.plural),
        summary,
        right: Right::ReadHistory,
        options: Vec::new(),
        heavy: false,
        within_scope: Scope::reaches(class.object_type),
        of_access: false,
        object_type: Some(class.object_type),
        form: Form::One("Object"),
        answer: |question, tx| Box::pin(objects::get(question, tx)),
    }
}

/// Options of a list of objects.
const LISTED: [&str; 8] =
    ["$filter", "$search", "$orderby", "$select", "$expand", "$top", "$skiptoken", "$count"];

fn of_class(class: &Class) -> Vec<Operation> {
    let Class { object_type, one, many, .. } = *class;
    let history = |id: String, path: String, summary: String| of_objects(class, id, &path, summary);
    let mut operations = vec![
        Operation {
            options: LISTED.to_vec(),
            heavy: true,
            form: Form::List("Object"),
            answer: |question, tx| Box::pin(objects::list(question, tx)),
            ..history(format!("list{many}"), String::new(), format!("{many} by what their newest state says"))
        },
        history(format!("get{one}"), "/{id}".to_owned(), format!("{one}: its newest state, with its image")),
        Operation {
            options: vec!["$top", "$skiptoken"],
            form: Form::List("Capture"),
            answer: |question, tx| Box::pin(objects::captures(question, tx)),
            ..history(
                format!("list{one}History"),
                "/{id}/history".to_owned(),
                format!("{one}: its captures, in the order in which they were recorded"),
            )
        },
        Operation {
            options: vec!["at", "knownAsOf"],
            form: Form::One("State"),
            answer: |question, tx| Box::pin(objects::as_of(question, tx)),
            ..history(
                format!("get{one}AsOf"),
                "/{id}/as-of".to_owned(),
                format!("{one}: its state at an instant, or as history knew it at another"),
            )
        },
    ];
    operations.extend(comparisons(class));
    if WITH_TIMELINE.contains(&object_type) {
        operations.push(Operation {
            options: vec!["from", "to", "$top", "$skiptoken"],
            form: Form::List("Event"),
            answer: |question, tx| Box::pin(objects::timeline(question, tx)),
            ..history(
                format!("list{one}Timeline"),
                "/{id}/timeline".to_owned(),
                format!("{one}: its events, in the order in which they were recorded"),
            )
        });
    }
    if object_type == ObjectType::Identity {
        operations.extend(of_identity(history));
    }
    operations
}

/// Questions about one identity's access.
fn of_identity(history: impl Fn(String, String, String) -> Operation) -> [Operation; 2] {
    [
        Operation {
            of_access: true,
            options: vec!["at", "knownAsOf", "additionalOnly", "$top", "$skiptoken"],
            form: Form::List("HeldAccess"),
            answer: |question, tx| Box::pin(access::held(question, tx)),
            ..history(
                "listIdentityAccess".to_owned(),
                "/{id}/access".to_owned(),
                "All that an identity held at an instant, since when and how it was come by".to_owned(),
            )
        },
        Operation {
            of_access: true,
            options: vec!["item", "at", "knownAsOf"],
            form: Form::List("Reason"),
            answer: |question, tx| Box::pin(access::reasons(question, tx)),
            ..history(
                "explainIdentityAccess".to_owned(),
                "/{id}/why".to_owned(),
                "Every path by which an identity held something at an instant, and what is behind it"
                    .to_owned(),
            )
        },
    ]
}

fn comparisons(class: &Class) -> [Operation; 2] {
    let one = class.one;
    let options = ["from", "to", "with", "knownAsOf", "all"];
    let about = "what tells it at an instant from itself at another, or from another one";
    let rows = of_objects(class, format!("diff{one}"), "/{id}/diff", format!("{one}: {about}"));
    let patch = of_objects(
        class,
        format!("diff{one}AsPatch"),
        "/{id}/diff/patch",
        format!("{one}: {about}, as a JSON patch (RFC 6902)"),
    );
    [
        Operation {
            options: options.to_vec(),
            form: Form::List("Difference"),
            answer: |question, tx| Box::pin(compare::diff(question, tx)),
            ..rows
        },
        Operation {
            options: options[..4].to_vec(),
            form: Form::List("PatchOperation"),
            answer: |question, tx| Box::pin(compare::patch(question, tx)),
            ..patch
        },
    ]
}
