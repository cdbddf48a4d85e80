//! Parameters on their way to a driver.

use sqlx::Arguments;
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use crate::{Error, Result, Value};

fn argument_error(error: sqlx::error::BoxDynError) -> Error {
    Error::from_sqlx("sending a parameter", sqlx::Error::Encode(error))
}

/// Parameters for SQLite and MySQL; a list is one JSON text for SQLite and several parameters for MySQL.
pub(crate) fn arguments<A>(params: Vec<Value>) -> Result<A>
where
    A: ListArguments,
{
    let mut arguments = A::default();
    for param in params {
        arguments.add_value(param).map_err(argument_error)?;
    }
    Ok(arguments)
}

/// How an engine's arguments take a [`Value`].
pub(crate) trait ListArguments: Arguments {
    fn add_value(&mut self, value: Value) -> std::result::Result<(), sqlx::error::BoxDynError>;
}

impl ListArguments for SqliteArguments {
    fn add_value(&mut self, value: Value) -> std::result::Result<(), sqlx::error::BoxDynError> {
        match value {
            Value::Int(value) => self.add(value),
            Value::Float(value) => self.add(value),
            Value::Bool(value) => self.add(value),
            Value::Text(value) => self.add(value),
            Value::Bytes(value) => self.add(value),
            Value::TextList(list) => self.add(serde_json::to_string(&list)?),
            Value::IntList(list) => self.add(serde_json::to_string(&list)?),
        }
    }
}

impl ListArguments for MySqlArguments {
    fn add_value(&mut self, value: Value) -> std::result::Result<(), sqlx::error::BoxDynError> {
        match value {
            Value::Int(value) => self.add(value),
            Value::Float(value) => self.add(value),
            Value::Bool(value) => self.add(value),
            Value::Text(value) => self.add(value),
            Value::Bytes(value) => self.add(value),
            Value::TextList(list) => list.into_iter().try_for_each(|item| self.add(item)),
            Value::IntList(list) => list.into_iter().try_for_each(|item| self.add(item)),
        }
    }
}

pub(crate) fn postgres_arguments(params: Vec<Value>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for param in params {
        match param {
            Value::Int(value) => arguments.add(value),
            Value::Float(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::TextList(list) => arguments.add(list),
            Value::IntList(list) => arguments.add(list),
        }
        .map_err(argument_error)?;
    }
    Ok(arguments)
}
