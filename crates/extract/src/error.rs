//! What can go wrong while objects are extracted.

use annals_sql::ErrorKind;

/// A failure that ends a partition.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control tables.
    #[error("partition {partition} of run {run_id}: control tables")]
    Runs {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Why.
        #[source]
        source: annals_runs::Error,
    },
    /// The source could not be read at all.
    #[error("partition {partition} of run {run_id}: reading the source")]
    Source {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Why.
        #[source]
        source: annals_source::Error,
    },
    /// What was published could not be written.
    #[error("partition {partition} of run {run_id}: writing")]
    Queue {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Why.
        #[source]
        source: annals_queue::Error,
    },
    /// The transform of this host does not make images of a type that the run reads.
    #[error(
        "partition {partition} of run {run_id}: the transform configuration makes no images of {object_type}"
    )]
    NoImage {
        /// Run.
        run_id: i64,
        /// Partition.
        partition: i32,
        /// Object type.
        object_type: annals_model::ObjectType,
    },
    /// No partition could be claimed.
    #[error("claiming a partition of run {run_id}")]
    Claim {
        /// Run.
        run_id: i64,
        /// Why.
        #[source]
        source: annals_runs::Error,
    },
}

impl Error {
    /// Whether the same work may succeed later: history could not be reached, or somebody was in the way.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Runs { source: annals_runs::Error::Sql(error), .. }
            | Self::Claim { source: annals_runs::Error::Sql(error), .. } => {
                matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Conflict)
            }
            Self::Queue { source, .. } => matches!(source, annals_queue::Error::Deferred(_)),
            _ => false,
        }
    }
}

/// Why no image could be made of an object. Never holds a captured value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A value does not have the type that the transform asks for.
    #[error("field `{field}`: {found} cannot be cast to {wanted}")]
    Cast {
        /// Field of the image.
        field: String,
        /// What the value is.
        found: &'static str,
        /// `type` or the argument of `cast`.
        wanted: &'static str,
    },
    /// A value is no instant, or not of the given form.
    #[error("field `{field}`: {found} is not an instant in the form {form}")]
    Instant {
        /// Field of the image.
        field: String,
        /// What the value is.
        found: &'static str,
        /// What was expected.
        form: String,
    },
    /// The image is larger than the cap.
    #[error("the image has {bytes} bytes, more than limits.documentBytesMax = {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// The image nests deeper than the cap.
    #[error("the image nests deeper than limits.nestingMax = {nesting_max}")]
    TooDeep {
        /// The cap.
        nesting_max: usize,
    },
}
