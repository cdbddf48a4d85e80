//! A deterministic generator of an IdentityIQ-shaped database, for trials, tests and benchmarks.
//!
//! [`World::create`] makes tables and an initial population; [`World::pass_day`] lets a day pass and tells every deed.
//! The same seed gives the same rows, on every engine.

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

pub use deed::{AttributeChange, Change, Deed, DeedKind, Named, ObjectChange, Part, Stamp};
pub use error::{Result, WorldError};
pub use schema::{Release, UnknownRelease};
pub use world::{Progress, Step, World, WorldOptions};
