//! Reads an identity system, by profile and never writing to it.
//!
//! [`Source::open`] compares the profile with the database's catalogue and makes a plan of each object type: from there
//! on every statement names real columns, in quotes and with the case that the database gave them. What changed is
//! found by [`Source::qualified_page`], what an object looks like by [`Source::load`], a batch at a time in a number of
//! queries that does not depend on the batch. Secrets are masked before a value leaves the crate.

pub mod attribute_xml;
mod catalogue;
mod change;
mod change_index;
mod column;
mod condition;
mod decode;
mod delete_log;
mod deletion;
mod error;
mod fragment;
mod load;
mod plan;
mod qualify;
mod release;
mod scope;
pub mod secret;
mod source;

pub use deletion::Deleted;
pub use error::{Error, Mismatch, Result};
pub use load::{Loaded, LoadedBatch, Selection};
pub use qualify::Page;
pub use source::{Horizon, HorizonKind, Source, SourceSettings};
