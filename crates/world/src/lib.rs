//! A deterministic generator of an IdentityIQ-shaped database, for trials, tests and benchmarks.
//!
//! [`World::create`] makes the tables of a release, with their indexes, and an initial population that is dated before
//! the start; [`World::pass_day`] lets a day pass and returns every [`Deed`] of it: which rows were made, changed,
//! touched or deleted, with old and new values, so that whoever has only the log can tell what history must hold.
//! [`World::open`] goes on with a world that was made earlier.
//!
//! What holds in every world:
//! - The same seed and options give the same rows and the same deeds, on every engine and in every version of the
//!   libraries. Nothing asks a clock or an operating system for chance.
//! - Ids are 32 hexadecimal digits; later rows of a kind sort after earlier ones, as they do in IdentityIQ.
//! - Every reference leads to a row, though the tables have no foreign keys: the generator inserts in an order that
//!   suits memory, and Annals only reads.
//! - What stands twice says the same: an account's XML and the rows of entitlements, lists of roles and summaries.
//! - A day happens in one transaction, and everything in it is dated within it.
//! - Nobody who owns something or leads others leaves.

mod access;
mod accounts;
mod applications;
mod certifications;
mod day;
mod ddl;
mod deed;
mod dice;
mod error;
mod governance;
mod id;
mod names;
mod organisation;
mod people;
mod population;
mod record;
mod requests;
mod roles;
mod row;
mod schema;
mod stage;
mod violations;
mod world;
mod xml;
mod xml_forms;

pub use deed::{AttributeChange, Cells, Change, Deed, DeedKind, Named, ObjectChange, Part, RowWrite, Stamp};
pub use error::{Result, WorldError};
pub use schema::{Release, UnknownRelease};
pub use world::{Progress, Step, World, WorldOptions};
