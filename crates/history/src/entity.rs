//! Entity rows: one row an object, holding its newest state (`spt_hist_identity` and its like).

use std::collections::BTreeMap;

use annals_model::{Image, ObjectKey, ObjectType};
use annals_sql::{Batch, Column, ColumnData, OnConflict, Tx};

use crate::columns::EntityTable;
use crate::layout::layout;
use crate::rows::Rows;
use crate::text::stored_id;
use crate::{Error, fields, schema};

/// What the captures of a transaction say of entity rows; the last word counts.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    /// By object type and id as stored: one order for all transactions, so that no two wait for each other.
    entities: BTreeMap<(ObjectType, String), Entity>,
}

/// One object's newest state.
#[derive(Debug, Default)]
pub(crate) struct Entity {
    /// The id that a new row gets: that of the object's first capture.
    pub(crate) row_id: String,
    /// The object's name.
    pub(crate) name: String,
    /// When history learned of it.
    pub(crate) recorded_ms: i64,
    /// When it came about.
    pub(crate) effective_ms: i64,
    /// One row of the columns filled from the image, unless only the end of the object is known.
    state: Option<Rows>,
    deleted: bool,
}

impl Entities {
    /// Takes note of a capture, or with no image of an object's end. `document` makes what the table's own `json` gets.
    pub(crate) fn note(
        &mut self,
        key: &ObjectKey,
        image: Option<&Image>,
        document: impl FnOnce(&Image) -> Result<Vec<u8>, Error>,
        describe: impl FnOnce(&mut Entity),
    ) -> Result<(), Error> {
        let Some(table) = &layout(key.object_type).mapping.entity else { return Ok(()) };
        let id = stored_id(&key.object_id).into_owned();
        let entity = self.entities.entry((key.object_type, id)).or_default();
        entity.deleted = image.is_none();
        let first_id = std::mem::take(&mut entity.row_id);
        describe(entity);
        if !first_id.is_empty() {
            entity.row_id = first_id;
        }
        if let Some(image) = image {
            let mut row = Rows::new(schema::table(table.table));
            row.push();
            fields::fill(&mut row, table.columns, &image.image_fields);
            if row.table().has("json") {
                row.bytes("json", document(image)?);
            }
            entity.state = Some(row);
        }
        Ok(())
    }

    /// Writes the rows; how many.
    pub(crate) async fn write(self, tx: &mut Tx) -> Result<usize, Error> {
        let count = self.entities.len();
        let mut by_type: BTreeMap<ObjectType, Vec<(String, Entity)>> = BTreeMap::new();
        for ((object_type, id), entity) in self.entities {
            by_type.entry(object_type).or_default().push((id, entity));
        }
        for (object_type, entities) in by_type {
            let Some(table) = &layout(object_type).mapping.entity else { continue };
            let (seen, gone) = entities.into_iter().partition(|(_, entity)| entity.state.is_some());
            write_seen(tx, table, seen).await?;
            write_gone(tx, table, gone).await?;
        }
        Ok(count)
    }
}

async fn write_seen(tx: &mut Tx, table: &EntityTable, entities: Vec<(String, Entity)>) -> Result<(), Error> {
    let def = schema::table(table.table);
    let mut all = Rows::new(def);
    for (id, entity) in entities {
        if let Some(state) = entity.state {
            all.append(state);
        }
        all.text("id", Some(&entity.row_id));
        all.int("created", Some(entity.recorded_ms));
        all.int("modified", Some(entity.recorded_ms));
        all.int("significant_modified", Some(entity.effective_ms));
        all.text(table.id, Some(&id));
        if let Some(name) = table.name {
            all.text(name, Some(&entity.name));
        }
        if table.deleted {
            all.int("deleted", Some(entity.deleted.into()));
        }
        for column in def.columns.iter().filter(|column| !column.nullable) {
            all.text_default(column.name);
        }
    }
    // The row keeps the id and the time of its first capture.
    let conflict = OnConflict::Update { key: &[table.id], keep: &["id", "created"] };
    tx.insert(def.name, all.into_batch(), conflict).await?;
    Ok(())
}

/// Of an object that is gone nothing is known anew, so the row keeps what it says but for that.
async fn write_gone(tx: &mut Tx, table: &EntityTable, entities: Vec<(String, Entity)>) -> Result<(), Error> {
    let number = |value: fn(&Entity) -> i64| {
        ColumnData::Int(entities.iter().map(|(_, entity)| Some(value(entity))).collect())
    };
    let ids = ColumnData::Text(entities.iter().map(|(id, _)| Some(id.clone())).collect());
    let mut columns = vec![
        Column { name: table.id, data: ids },
        Column { name: "modified", data: number(|entity| entity.recorded_ms) },
        Column { name: "significant_modified", data: number(|entity| entity.effective_ms) },
    ];
    if table.deleted {
        columns.push(Column { name: "deleted", data: number(|_| 1) });
    }
    tx.update(table.table, table.id, Batch::new(columns)).await?;
    Ok(())
}
