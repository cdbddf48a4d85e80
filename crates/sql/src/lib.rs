//! The database engines: connection, transaction, statements by name, dialects, bulk writes, migrations.
//!
//! The only crate that names an engine. Everything else writes a statement once, with `?` for parameters and a few
//! tokens where engines differ ([`Engine::render`]), and reads rows through [`Row`].

mod argument;
mod bulk;
mod catalog;
mod copy;
mod db;
mod delete_log;
mod dialect;
mod error;
pub mod fault;
mod file;
mod index;
mod leased;
mod migrate;
mod nodelay;
mod open;
mod open_transactions;
mod row;
mod sample;
mod size;
mod swap;
mod value;

pub use bulk::{Batch, Column, ColumnData, OnConflict};
pub use catalog::{CatalogColumn, CatalogTable, ColumnKind};
pub use db::{Access, Db, RowStream, Tx};
pub use delete_log::{DeleteLog, LoggedTime};
pub use dialect::{Engine, Stmt};
pub use error::{Error, ErrorKind};
pub use file::file;
pub use index::{Index, IndexKind};
pub use migrate::{AppliedMigration, Migration};
pub use open_transactions::OpenTransactions;
pub use row::{Cell, Row};
pub use sample::Sample;
pub use value::Value;

/// Result of a database call.
pub type Result<T> = std::result::Result<T, Error>;
