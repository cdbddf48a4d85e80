//! Where objects of a type come from and what their images hold: out of the profile and the transform.

use std::fmt::Write as _;

use annals_config::profile::{
    ChangeColumn, Collection, ColumnPath, Deletions, Element, Format, Join, Part, Property, PropertyValue,
    Qualifies, Reads, TypeProfile,
};
use annals_config::transform::{ImageConfig, PropertySource};

use super::{code, codes, row};

/// The section on the tables that are read.
pub(super) fn origin(page: &mut String, of_type: &TypeProfile) {
    page.push_str("\n## Where it comes from\n\n| | |\n|---|---|\n");
    row(page, &["class".to_owned(), code(&of_type.class_name)]);
    row(page, &["base table".to_owned(), code(&of_type.table)]);
    row(page, &["id".to_owned(), code(&of_type.id)]);
    let name = of_type.name.as_ref().map_or_else(|| "the id stands in".to_owned(), path);
    row(page, &["name".to_owned(), name]);
    if let Some(filter) = &of_type.filter {
        row(page, &["which rows".to_owned(), code(&filter.to_string())]);
    }
    if let Some(identity) = &of_type.identity {
        row(page, &["belongs to the identity".to_owned(), path(&identity.id)]);
    }
    let read = match of_type.reads {
        Reads::Changed => format!("the first of {} that is not null says so", changed(&of_type.changed)),
        Reads::All => "in every run".to_owned(),
    };
    row(page, &["is read when it changed".to_owned(), read]);
    for rule in &of_type.qualifies {
        row(page, &["is also read when a row changed in".to_owned(), qualified_by(rule)]);
    }
    let deletions = match of_type.deletions {
        Deletions::Intercepted => {
            "from `spt_intercepted_delete`; before release 8.4 by comparing what history holds with what is there"
        }
        Deletions::Sweep => "by comparing what history holds with what is there",
        Deletions::None => "are not looked for",
    };
    row(page, &["deletions".to_owned(), deletions.to_owned()]);
    if !of_type.joins.is_empty() {
        page.push_str("\nJoined to it, by the names that the next section uses:\n\n| name | table | on |\n|---|---|---|\n");
        for (alias, join) in &of_type.joins {
            row(page, &[code(alias), code(&join.table), on(join)]);
        }
    }
}

/// The section on the image's fields.
pub(super) fn image(page: &mut String, of_type: &TypeProfile, image: &ImageConfig) {
    page.push_str("\n## Image\n\n| field | from | form | a change makes a capture |\n|---|---|---|---|\n");
    for (name, from, significant) in fields(of_type, image) {
        let yes = if significant { "yes" } else { "no" }.to_owned();
        match (of_type.properties.get(&from), of_type.collections.get(&from)) {
            (Some(property), _) => {
                let (origin, form) = origin_of(property);
                row(page, &[code(&name), origin, form, yes]);
            }
            (_, Some(collection)) => {
                let tables: Vec<String> = collection.parts.iter().map(|part| code(&part.table)).collect();
                let since = since(collection.since.as_deref());
                let form = format!("list, see below{since}");
                row(page, &[code(&name), tables.join(", "), form, yes]);
            }
            (None, None) => row(page, &[code(&name), format!("attribute `{from}`"), String::new(), yes]),
        }
    }
    for (name, from, _) in fields(of_type, image) {
        if let Some(collection) = of_type.collections.get(&from) {
            list(page, &name, collection);
        }
    }
}

/// Name in the image, name in the profile, significance; sorted by name, lists after the rest.
fn fields(of_type: &TypeProfile, image: &ImageConfig) -> Vec<(String, String, bool)> {
    let mut fields = Vec::new();
    let named = |name: &str| {
        image.properties.iter().any(|one| matches!(&one.from, PropertySource::Property(own) if own == name))
    };
    for one in &image.properties {
        match &one.from {
            PropertySource::Property(star) if star == "*" => {
                let others = of_type.member_names().into_iter().filter(|name| !named(name));
                fields.extend(others.map(|name| (name.to_owned(), name.to_owned(), one.significant)));
            }
            PropertySource::Property(name) | PropertySource::Attribute(name) => {
                fields.push((one.name.clone(), name.clone(), one.significant));
            }
            PropertySource::None => fields.push((one.name.clone(), one.name.clone(), one.significant)),
        }
    }
    fields.sort_by_key(|(name, from, _)| (of_type.collections.contains_key(from), name.clone()));
    fields
}

/// One list: its table, key and members.
fn list(page: &mut String, name: &str, collection: &Collection) {
    let key: Vec<&str> = collection.key.iter().map(String::as_str).collect();
    let told = if key.is_empty() { "the whole element".to_owned() } else { codes(key) };
    writeln!(page, "\n### {name}\n\nElements are told apart by {told}.").unwrap();
    for part in &collection.parts {
        let parent = path(&part.parent);
        write!(page, "Rows of `{}` by {parent}", part.table).unwrap();
        if let Some(filter) = &part.filter {
            write!(page, ", where `{filter}`").unwrap();
        }
        page.push_str(".\n");
        for (alias, join) in &part.joins {
            writeln!(page, "`{alias}` is `{}` on {}.", join.table, on(join)).unwrap();
        }
        members(page, part);
    }
}

fn members(page: &mut String, part: &Part) {
    match &part.element {
        Element::Value(column, format) => {
            let form = form_of(*format);
            writeln!(
                page,
                "Each element is {}{}{form}.",
                path(column),
                if form.is_empty() { "" } else { ", " }
            )
            .unwrap();
        }
        Element::Object(members) => {
            page.push_str("\n| member | from | form |\n|---|---|---|\n");
            for (name, property) in members {
                let (origin, form) = origin_of(property);
                row(page, &[code(name), origin, form]);
            }
        }
    }
}

fn origin_of(property: &Property) -> (String, String) {
    let (origin, mut form) = match &property.value {
        PropertyValue::Column { path: column, format } => (path(column), form_of(*format).to_owned()),
        PropertyValue::Object { members, .. } => {
            let members: Vec<String> =
                members.iter().map(|(name, column)| format!("`{name}` {}", path(column))).collect();
            (members.join(", "), "reference".to_owned())
        }
        PropertyValue::Constant(value) => (format!("always `{value}`"), String::new()),
    };
    if property.secret {
        form = "secret".to_owned();
    }
    form += &since(property.since.as_deref());
    (origin, form)
}

fn form_of(format: Format) -> &'static str {
    match format {
        Format::Auto | Format::Text => "",
        Format::Boolean | Format::Flag => "flag",
        Format::Time(_) => "time",
        Format::Xml => "XML",
        Format::Json => "JSON",
        Format::CommaList => "list",
    }
}

fn qualified_by(rule: &Qualifies) -> String {
    let mut text = format!("`{}`, by {}", rule.table, path(&rule.id));
    for (alias, join) in &rule.joins {
        write!(text, "; `{alias}` is `{}` on {}", join.table, on(join)).unwrap();
    }
    if let Some(filter) = &rule.filter {
        write!(text, "; where `{}`", filter.to_string().replace('|', "\\|")).unwrap();
    }
    text + &since(rule.since.as_deref())
}

fn changed(columns: &[ChangeColumn]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|column| path(&column.column) + &since(column.since.as_deref())).collect();
    columns.join(", ")
}

fn on(join: &Join) -> String {
    let mut pairs: Vec<String> =
        join.on.iter().map(|(joined, column)| format!("`{joined}` = {}", path(column))).collect();
    pairs.extend(join.filter.as_ref().map(|filter| format!("`{filter}`")));
    pairs.join(" and ")
}

fn path(path: &ColumnPath) -> String {
    code(&path.alias.iter().chain([&path.column]).map(String::as_str).collect::<Vec<_>>().join("."))
}

fn since(release: Option<&str>) -> String {
    release.map(|release| format!(" ({release})")).unwrap_or_default()
}
