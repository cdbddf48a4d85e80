//! Parameters on their way to a driver.

use sqlx::Arguments;
use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use crate::{Error, Result, Value};

fn argument_error(error: sqlx::error::BoxDynError) -> Error {
    Error::from_sqlx("sending a parameter", sqlx::Error::Encode(error))
}

/// Parameters for a driver: a list is one JSON text for SQLite, several parameters for MySQL, an array for PostgreSQL.
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

/// Engines differ in lists alone.
macro_rules! list_arguments {
    ($arguments:ty, |$self:ident, $list:ident| $add:expr) => {
        impl ListArguments for $arguments {
            fn add_value(&mut $self, value: Value) -> std::result::Result<(), sqlx::error::BoxDynError> {
                match value {
                    Value::Int(value) => $self.add(value),
                    Value::Float(value) => $self.add(value),
                    Value::Bool(value) => $self.add(value),
                    Value::Text(value) => $self.add(value),
                    Value::Bytes(value) => $self.add(value),
                    Value::TextList($list) => $add,
                    Value::IntList($list) => $add,
                }
            }
        }
    };
}

list_arguments!(SqliteArguments, |self, list| self.add(serde_json::to_string(&list)?));
list_arguments!(MySqlArguments, |self, list| list.into_iter().try_for_each(|item| self.add(item)));
list_arguments!(PgArguments, |self, list| self.add(list));
