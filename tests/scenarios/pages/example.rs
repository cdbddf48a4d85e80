//! A real object of a generated identity system: its newest image, its rows, its events.

use std::collections::BTreeMap;

use annals_history::{TableDescription, TableRows, describe};
use annals_model::ObjectType;
use annals_sql::{Cell, Row, Stmt, Value as Param};
use serde_json::Value;

use super::{code, row};
use crate::site::Site;

/// Elements of a list, and events, that are shown at most.
const SHOWN_MAX: usize = 2;
const EVENTS_MAX: usize = 8;
/// Objects that the example is chosen from.
const CANDIDATES_MAX: usize = 80;
/// Columns that are not shown as they are: bytes that no reader can read, an id made at random.
const STAND_INS: [(&str, &str); 2] =
    [("json", "(the document)"), ("identity_request_capture_id", "(the newest capture of the request)")];
/// Columns with instants.
const INSTANTS: [&str; 9] = [
    "created",
    "modified",
    "significant_modified",
    "effective_date",
    "extended_to_date",
    "event_date",
    "end_date",
    "finished",
    "signed",
];
/// Characters of a value that are shown at most.
const CHARS_MAX: usize = 120;
/// Columns of an event's row that the list of events shows anyhow.
const LISTED: [&str; 6] =
    ["event_date", "event_type", "event_source_type", "property_name", "old_value", "new_value"];

/// A row of a table: columns with what they hold, nulls left out.
type Cells = Vec<(String, String)>;

/// Ids that are made at random, and what stands for them on the page.
type Names = BTreeMap<String, String>;

/// The section with the example.
pub(super) async fn section(page: &mut String, site: &Site, object_type: ObjectType, now_ms: i64) {
    let tables = describe(object_type);
    let (id, image) = choose(site, object_type, now_ms).await;
    let captures = captures_of(site, &tables[0], object_type, &id).await;
    let mut names: Names = captures
        .iter()
        .enumerate()
        .map(|(number, cells)| (get(cells, "id").to_owned(), format!("(capture {})", number + 1)))
        .collect();
    let newest = captures.last().unwrap();
    let capture_id = get(newest, "id").to_owned();
    let events = events_of(site, captures.iter().map(|cells| get(cells, "id"))).await;
    for (number, (_, cells)) in events.iter().enumerate() {
        names.insert(get(cells, "id").to_owned(), format!("(event {})", number + 1));
    }

    page.push_str(
        "\n## Example\n\nAn object of a generated identity system after a few days, as it was captured last",
    );
    page.push_str(&match captures.len() {
        1 => ". It was captured once.\n".to_owned(),
        number => format!(". It was captured {number} times.\n"),
    });
    page.push_str("Long lists are cut.\n\n```json\n");
    page.push_str(&serde_json::to_string_pretty(&cut(&image)).unwrap());
    page.push_str("\n```\n");
    show(page, tables[0].name, newest, &names);
    for table in &tables[1..] {
        let rows = match table.rows {
            TableRows::Elements(_) => children_of(site, table, &capture_id).await,
            _ => rows(site, table.name, &format!("{} = ?", id_column(table)), &id).await,
        };
        let Some(first) = rows.first() else {
            page.push_str(&format!("\n`{}`: no row.\n", table.name));
            continue;
        };
        if matches!(table.rows, TableRows::Elements(_)) && rows.len() > 1 {
            page.push_str(&format!("\n`{}`: {} rows, the first of them:\n", table.name, rows.len()));
        }
        show(page, table.name, first, &names);
    }
    list_events(page, &events, &names);
}

/// The object whose image says most; one that changed if there is one; the smallest of those.
async fn choose(site: &Site, object_type: ObjectType, now_ms: i64) -> (String, Value) {
    let (_, table, column) =
        Site::capture_tables().into_iter().find(|(known, ..)| *known == object_type).unwrap();
    let with = |captures: &str| {
        site.look(&format!(
            "select {column} from {table} group by {column} having {captures} order by {column};"
        ))
    };
    let (changed, all) = (with("count(*) > 1"), with("count(*) > 0"));
    for candidates in [changed, all] {
        let mut best: Option<(usize, usize, String, Value)> = None;
        for id in candidates.into_iter().take(CANDIDATES_MAX) {
            let state = site.as_of(object_type, &id, now_ms).await.unwrap();
            let Some(image) = state.image else { continue };
            let says = image.image_fields.values().filter(|value| !is_empty(value)).count();
            let value = serde_json::to_value(&image).unwrap();
            let bytes = value.to_string().len();
            if best.as_ref().is_none_or(|(most, least, ..)| (says, *least) > (*most, bytes)) {
                best = Some((says, bytes, id, value));
            }
        }
        if let Some((_, _, id, image)) = best {
            return (id, image);
        }
    }
    panic!("the generated identity system has no {object_type}");
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The value with long lists cut.
fn cut(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut shown: Vec<Value> = elements.iter().take(SHOWN_MAX).map(cut).collect();
            if elements.len() > SHOWN_MAX {
                shown.push(Value::from(format!("... {} more", elements.len() - SHOWN_MAX)));
            }
            Value::Array(shown)
        }
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), cut(member))).collect(),
        other => other.clone(),
    }
}

async fn captures_of(site: &Site, table: &TableDescription, object_type: ObjectType, id: &str) -> Vec<Cells> {
    let (_, _, column) =
        Site::capture_tables().into_iter().find(|(known, ..)| *known == object_type).unwrap();
    rows(site, table.name, &format!("{column} = ? order by effective_date, created"), id).await
}

async fn children_of(site: &Site, table: &TableDescription, capture_id: &str) -> Vec<Cells> {
    let parent = table.columns[0].name;
    rows(site, table.name, &format!("{parent} = ? order by idx"), capture_id).await
}

/// The column of an entity table that holds the object's id: the first one that is about the object.
fn id_column(table: &TableDescription) -> &'static str {
    let id = table
        .columns
        .iter()
        .find(|column| matches!(column.source, annals_history::ColumnSource::Capture("id of the object")));
    id.unwrap().name
}

async fn events_of<'c>(site: &Site, captures: impl Iterator<Item = &'c str>) -> Vec<(&'static str, Cells)> {
    let mut events = Vec::new();
    for capture in captures {
        for table in super::EVENT_TABLES {
            // Ids are made at random, so what an event says orders those of one capture.
            let order = "order by event_type, property_name, old_value, new_value";
            let found = rows(site, table, &format!("capture_id = ? {order}"), capture).await;
            events.extend(found.into_iter().map(|cells| (table, cells)));
        }
    }
    events
}

async fn rows(site: &Site, table: &str, condition: &str, parameter: &str) -> Vec<Cells> {
    let columns = site.look(&format!("select name from pragma_table_info('{table}');"));
    let query = Stmt::built(
        format!("test.rows {table}"),
        format!("select {} from {table} where {condition}", columns.join(", ")),
    );
    let mut tx = site.db.begin_read().await.unwrap();
    let found = tx.fetch_all(&query, vec![Param::from(parameter)]).await.unwrap();
    found.iter().map(|row| cells(&columns, row)).collect()
}

fn cells(columns: &[String], row: &Row) -> Cells {
    let held = columns.iter().enumerate().filter_map(|(at, column)| {
        let text = match row.cell(at).unwrap() {
            Cell::Null => return None,
            _ if stand_in(column).is_some() => stand_in(column)?.to_owned(),
            Cell::Text(text) => text.to_owned(),
            _ => row.int(at).unwrap()?.to_string(),
        };
        Some((column.clone(), text))
    });
    held.collect()
}

fn stand_in(column: &str) -> Option<&'static str> {
    STAND_INS.iter().find(|(known, _)| *known == column).map(|(_, stand_in)| *stand_in)
}

fn get<'c>(cells: &'c Cells, column: &str) -> &'c str {
    cells.iter().find(|(name, _)| name == column).map_or("", |(_, text)| text)
}

fn show(page: &mut String, table: &str, cells: &Cells, names: &Names) {
    page.push_str(&format!("\n| `{table}` | |\n|---|---|\n"));
    for (column, text) in cells {
        row(page, &[code(column), shown(column, text, names)]);
    }
}

fn shown(column: &str, text: &str, names: &Names) -> String {
    if let Some(name) = names.get(text) {
        return name.clone();
    }
    if stand_in(column).is_some() {
        return text.to_owned();
    }
    if INSTANTS.contains(&column) {
        let instant = jiff::Timestamp::from_millisecond(text.parse().unwrap()).unwrap();
        return format!("{} ({})", code(text), instant.strftime("%F %T UTC"));
    }
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{} ...", code(&text[..end])),
        None => code(text),
    }
}

/// Every event in short, and one as it stands in its table.
fn list_events(page: &mut String, events: &[(&'static str, Cells)], names: &Names) {
    if events.is_empty() {
        return;
    }
    let (number, cut) = (events.len(), events.len().min(EVENTS_MAX));
    let all = if number > cut { format!("{cut} of its {number} events") } else { "Its events".to_owned() };
    page.push_str(&format!("\n{all}:\n\n| {} |\n|{}\n", LISTED.join(" | "), "---|".repeat(LISTED.len())));
    for (_, cells) in events.iter().rev().take(cut).rev() {
        let held: Vec<String> = LISTED
            .iter()
            .map(|column| match get(cells, column) {
                "" => String::new(),
                text => shown(column, text, names),
            })
            .collect();
        row(page, &held);
    }
    let (table, last) = events.last().unwrap();
    page.push_str("\nThe last of them:\n");
    show(page, table, last, names);
}
