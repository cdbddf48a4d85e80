//! Changing and deleting rows, with the log of it.

use annals_model::ObjectType;
use annals_sql::{Stmt, Value};

use super::Day;
use crate::deed::{AttributeChange, Cells, Change, ObjectChange, RowWrite, Stamp, cell};
use crate::error::{Doing as _, Result, WorldError};
use crate::id::Kind;
use crate::record::records;
use crate::row::{Row, Stamps, TOLD, check_length};

/// Columns of a row with their new values.
pub(super) type Sets = Vec<(&'static str, Value)>;

/// An object's row about to change.
pub(super) struct Edit {
    /// Type of the object.
    pub(super) object_type: ObjectType,
    /// Table.
    pub(super) table: &'static str,
    /// Id.
    pub(super) id: String,
    /// What people know it by.
    pub(super) name: String,
    /// New values.
    pub(super) sets: Sets,
    /// What the log says of them.
    pub(super) attributes: Vec<AttributeChange>,
}

impl Day<'_> {
    /// Gives columns of a row new values, and time stamps.
    pub(super) async fn set(
        &mut self,
        table: &'static str,
        id: &str,
        mut sets: Sets,
        stamp: Stamp,
        time: i64,
    ) -> Result<()> {
        if stamp != Stamp::None {
            sets.push(("modified", Value::from(time)));
        }
        if stamp == Stamp::Significant {
            sets.push(("significant_modified", Value::from(time)));
        }
        let known = self
            .schema
            .table(table)
            .ok_or_else(|| WorldError::UnknownColumn { table, column: "(no such table)".to_owned() })?;
        let engine = self.tx.engine();
        let mut assignments = Vec::new();
        let mut params = Vec::new();
        let mut cells = Cells::new();
        for (name, value) in sets {
            // Columns that the release lacks are passed over.
            if let Some((_, column)) = known.column(name) {
                check_length(table, column, &value)?;
                assignments.push(format!("{} = ?", engine.quote(name)));
                cells.insert(name.to_owned(), cell(&value));
                params.push(value);
            }
        }
        if assignments.is_empty() {
            return Ok(());
        }
        self.deed.rows.push(RowWrite::Update { table: table.to_owned(), id: id.to_owned(), cells });
        params.push(Value::from(id));
        let text = format!(
            "update {} set {} where {} = ?",
            engine.quote(table),
            assignments.join(", "),
            engine.quote("id")
        );
        let stmt = Stmt::built(format!("world.update {table}"), text);
        self.tx.execute(&stmt, params).await.map(drop).doing("changing the world")
    }

    /// Changes an object's row so that it means something else.
    pub(super) async fn change(&mut self, edit: Edit, time: i64) -> Result<()> {
        self.edit(edit, Change::Changed, Stamp::Significant, time).await
    }

    /// Changes an object's row.
    pub(super) async fn edit(&mut self, edit: Edit, change: Change, stamp: Stamp, time: i64) -> Result<()> {
        let Edit { object_type, table, id, name, sets, mut attributes } = edit;
        attributes.retain(|attribute| attribute.old != attribute.new);
        self.set(table, &id, sets, stamp, time).await?;
        self.deed.objects.push(ObjectChange { object_type, id, name: Some(name), change, stamp, attributes });
        Ok(())
    }

    /// Changes a row that is no object.
    pub(super) async fn change_part(
        &mut self,
        table: &'static str,
        id: &str,
        sets: Sets,
        time: i64,
    ) -> Result<()> {
        self.set(table, id, sets, Stamp::Significant, time).await?;
        self.part(table, id);
        Ok(())
    }

    /// Deletes rows by the value of a column. What the log says of it is the caller's matter.
    pub(super) async fn erase(&mut self, table: &'static str, column: &str, value: &str) -> Result<u64> {
        if self.schema.table(table).is_none() {
            return Ok(0);
        }
        self.deed.rows.push(RowWrite::Delete {
            table: table.to_owned(),
            column: column.to_owned(),
            value: value.to_owned(),
        });
        let engine = self.tx.engine();
        let text = format!("delete from {} where {} = ?", engine.quote(table), engine.quote(column));
        let stmt = Stmt::built(format!("world.delete {table}"), text);
        self.tx.execute(&stmt, vec![Value::from(value)]).await.doing("deleting from the world")
    }

    /// Deletes the rows of a list; the log names whose it was.
    pub(super) async fn erase_list(
        &mut self,
        table: &'static str,
        owner_column: &str,
        owner: &str,
    ) -> Result<()> {
        if self.erase(table, owner_column, owner).await? > 0 {
            self.part(table, owner);
        }
        Ok(())
    }

    /// Deletes rows with ids of their own that belong to something; the log names each.
    pub(super) async fn erase_parts(
        &mut self,
        table: &'static str,
        owner_column: &str,
        owner: &str,
    ) -> Result<()> {
        let schema = self.schema;
        let found = records(&mut self.tx, schema, table, &["id"], owner_column, &[owner.to_owned()]).await?;
        for record in found {
            let id = record.text("id");
            self.erase(table, "id", &id).await?;
            self.part(table, &id);
        }
        Ok(())
    }

    /// Deletes an object's row, and notes it as IdentityIQ's interceptor does.
    pub(super) async fn delete(
        &mut self,
        object_type: ObjectType,
        table: &'static str,
        id: &str,
        name: &str,
        time: i64,
    ) -> Result<()> {
        let schema = self.schema;
        let mut columns = vec!["created"];
        columns.extend(TOLD);
        let found = records(&mut self.tx, schema, table, &columns, "id", &[id.to_owned()]).await?;
        let Some(record) = found.first() else {
            return Err(WorldError::Unexpected {
                table,
                id: id.to_owned(),
                what: "is to be deleted and not there",
            });
        };
        self.erase(table, "id", id).await?;
        self.intercept(class_name(object_type), id, record.maybe_text("name"), record.int("created"), time);
        self.deed.objects.push(ObjectChange {
            object_type,
            id: id.to_owned(),
            name: Some(name.to_owned()),
            change: Change::Deleted,
            stamp: Stamp::None,
            attributes: TOLD
                .into_iter()
                .filter_map(|column| {
                    Some(AttributeChange::new(column, record.maybe_text(column)?, serde_json::Value::Null))
                })
                .collect(),
        });
        Ok(())
    }

    /// Notes a deletion in `spt_intercepted_delete`.
    pub(super) fn intercept(&mut self, class: &str, id: &str, name: Option<String>, created: i64, time: i64) {
        let json = serde_json::json!({"class": class, "id": id, "name": name, "created": created});
        let row_id = self.ids.next(Kind::InterceptedDelete);
        self.rows.add(
            Row::object("spt_intercepted_delete", row_id, Stamps::new_at(time))
                .text("object_id", id)
                .maybe_text("object_name", name.map(|name| name.chars().take(128).collect::<String>()))
                .text("object_type", class)
                .int("object_created_date", created)
                .int("object_deleted_date", time)
                .text("extract_config_name", "AccessHistoryExportConfig")
                .text("transform_config_name", "AccessHistoryTransformConfig")
                .int("extract_execution_time_ms", self.dice.between(1, 40))
                .text("extracted_object_json", json.to_string()),
        );
    }
}

/// Class of the objects of a type.
fn class_name(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Account => "sailpoint.object.Link",
        ObjectType::Entitlement => "sailpoint.object.IdentityEntitlement",
        ObjectType::PolicyViolation => "sailpoint.object.PolicyViolation",
        ObjectType::PolicyViolationRemediation => "sailpoint.object.IdentityHistoryItem",
        ObjectType::IdentityRequest => "sailpoint.object.IdentityRequest",
        ObjectType::IdentityRequestItem => "sailpoint.object.IdentityRequestItem",
        ObjectType::Role => "sailpoint.object.Bundle",
        ObjectType::ManagedAttribute => "sailpoint.object.ManagedAttribute",
        ObjectType::Capability => "sailpoint.object.Capability",
        ObjectType::ObjectConfig => "sailpoint.object.ObjectConfig",
        ObjectType::Certification => "sailpoint.object.Certification",
        ObjectType::CertificationRemediation => "sailpoint.object.CertificationItem",
        ObjectType::Identity | ObjectType::Workgroup => "sailpoint.object.Identity",
    }
}
