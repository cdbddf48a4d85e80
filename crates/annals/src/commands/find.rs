//! `annals find`: objects by what they are called and what they have or had.

use annals_config::Config;
use annals_history::find::{
    ACCESS, Collection, Comparison, Condition, Find, Operand, Part, PropertyKind, collection, find,
    properties, property,
};
use annals_model::ObjectType;
use annals_questions::found_pages;
use serde_json::{Value, json};

use crate::cli::{FindArgs, Global, Held};
use crate::commands::export::ToFile;
use crate::context::{open_history, time_zone};
use crate::exit::{Exit, Failure};
use crate::output::Listing;
use crate::times;

/// The names that an object has.
const NAMES: [&str; 2] = ["name", "displayName"];

pub(crate) async fn execute(global: &Global, config: &Config, arguments: &FindArgs) -> Result<Exit, Failure> {
    let zone = time_zone(global, Some(config))?;
    let object_type = arguments.object_type;
    let wanted = Find {
        object_type,
        condition: Some(condition(arguments)?),
        words: arguments.words.clone(),
        order: Vec::new(),
        limit: arguments.limit,
        after: None,
    };
    let to_file = ToFile::asked(&arguments.file, global.quiet)?;
    let history = open_history(config).await?;
    let mut tx = history.begin_read().await?;
    if let Some(file) = to_file {
        return file.write(&history, tx, ("exportObjects", found_pages(wanted)), &zone).await;
    }
    let found = find(&mut tx, &wanted).await?;
    let of_type = properties(object_type);
    let columns: Vec<&str> = of_type.iter().map(|property| property.name.as_str()).collect();
    let mut listing = Listing::new(&columns);
    for object in found.rows {
        let cells = of_type.iter().zip(object.values);
        listing.push(
            cells
                .map(|(property, value)| match (property.kind, value.as_i64()) {
                    (PropertyKind::Instant, Some(ms)) => json!(times::show(ms, &zone)),
                    _ => value,
                })
                .collect::<Vec<Value>>(),
        );
    }
    listing.more.insert("objectType".to_owned(), json!(object_type.as_str()));
    if found.next.is_some() {
        listing.cut = Some(format!("There are more than {}; see the rest with --limit.", arguments.limit));
    }
    listing.print(global.output)?;
    Ok(Exit::Ok)
}

/// All that is asked of an object.
fn condition(arguments: &FindArgs) -> Result<Condition, Failure> {
    let object_type = arguments.object_type;
    let mut all = Vec::new();
    if let Some(filter) = &arguments.filter {
        all.push(read_filter(object_type, filter)?);
    }
    if let Some(text) = &arguments.starts_with {
        let names = NAMES.iter().filter_map(|name| property(object_type, name));
        all.push(Condition::Any(
            names.map(|name| Condition::Text(name, Part::AtStart, text.clone())).collect(),
        ));
    }
    let access = collection(object_type, ACCESS);
    for (kinds, names, given) in [
        (&["assignedRole", "detectedRole"][..], ["name", "id"], &arguments.role),
        (&["entitlement"], ["value", "name"], &arguments.entitlement),
    ] {
        for text in given {
            let Some(access) = access else {
                return Err(Failure::usage(
                    format!("no {object_type} holds roles or entitlements"),
                    "Look for identities: `annals find identity`.",
                ));
            };
            all.push(held(
                access,
                arguments.held,
                &[any_of(access, &["kind"], kinds), any_of(access, &names, &[text])],
            ));
        }
    }
    Ok(Condition::All(all))
}

/// A condition in the words of REST.
pub(crate) fn read_filter(object_type: ObjectType, text: &str) -> Result<Condition, Failure> {
    annals_api::read_filter(object_type, text).map_err(|error| {
        let place: String = text.chars().take(error.position).collect();
        Failure::usage(
            format!("--filter, after `{place}`: {}", error.message),
            "docs/rest.md says how a condition is written.",
        )
    })
}

/// One of these properties of an element is one of these texts.
fn any_of(collection: &'static Collection, names: &[&str], texts: &[impl AsRef<str>]) -> Condition {
    let of_name = |name: &&str| collection.elements.iter().find(|property| property.name == **name);
    let equal = |property| {
        move |text: &str| Condition::Compare(property, Comparison::Equal, Operand::Text(text.to_owned()))
    };
    let each = |property| texts.iter().map(AsRef::as_ref).map(equal(property));
    Condition::Any(names.iter().filter_map(of_name).flat_map(each).collect())
}

/// Access of which all of this is true was held now, ever, or only before.
fn held(access: &'static Collection, when: Held, what: &[Condition]) -> Condition {
    let some = |and: Option<Condition>| {
        let all = what.iter().cloned().chain(and).collect();
        Condition::Some(access, Some(Box::new(Condition::All(all))))
    };
    let current = access.elements.iter().find(|property| property.name == "current");
    let current =
        || some(current.map(|current| Condition::Compare(current, Comparison::Equal, Operand::Int(1))));
    match when {
        Held::All => some(None),
        Held::Current => current(),
        Held::Previous => Condition::All(vec![some(None), Condition::Not(Box::new(current()))]),
    }
}
