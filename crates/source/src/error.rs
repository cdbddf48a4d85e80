//! What can go wrong while an identity system is read.

use std::fmt;

use annals_model::ObjectType;

use crate::secret::KeyTooShort;

/// Result of reading the source.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the source could not be read. Objects that fail alone are no errors: they stand in their batch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile names what the database does not have, or has otherwise; everything at once (TRAP-18).
    #[error("the source profile `{profile}` does not fit the database:{}", lines(mismatches))]
    Profile {
        /// Name of the profile.
        profile: String,
        /// Each difference.
        mismatches: Vec<Mismatch>,
    },
    /// A filter of an extract configuration that cannot be put to the database.
    #[error("the filter of {object_type} cannot be used: {}", problems.join("; "))]
    Filter {
        /// Whose filter it is.
        object_type: ObjectType,
        /// Each problem, with the name of its property.
        problems: Vec<String>,
    },
    /// An object type that the profile does not have.
    #[error("the source profile `{profile}` has no object type {object_type}")]
    NoObjectType {
        /// Name of the profile.
        profile: String,
        /// What was asked for.
        object_type: ObjectType,
    },
    /// Properties were selected that the object type does not have.
    #[error("{object_type} has no such property in the source profile: {}", properties.join(", "))]
    NoProperty {
        /// The object type.
        object_type: ObjectType,
        /// What was asked for.
        properties: Vec<String>,
    },
    /// A position to go on from that is no id of this object type.
    #[error("`{id}` is not an id of {object_type}: its ids are whole numbers")]
    NotAnId {
        /// The object type.
        object_type: ObjectType,
        /// What was given.
        id: String,
    },
    /// The key for masks is too short.
    #[error(transparent)]
    Key(#[from] KeyTooShort),
    /// A failed database call.
    #[error("the identity system cannot be read")]
    Database(#[from] annals_sql::Error),
}

/// One difference between a profile and the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The object type; `None` for what stands outside of them (`release`, `interceptedDeletes`).
    pub object_type: Option<ObjectType>,
    /// The property, `collection.member`, or `id`, `name`, `filter`, `changed` ...
    pub property: String,
    /// The table.
    pub table: String,
    /// The column, where the table is there.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object_type) = self.object_type {
            write!(f, "{object_type}.")?;
        }
        write!(f, "{}: table {}", self.property, self.table)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

fn lines(mismatches: &[Mismatch]) -> String {
    mismatches.iter().map(|mismatch| format!("\n  {mismatch}")).collect()
}
