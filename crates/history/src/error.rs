//! What can go wrong in history.

use annals_model::{AccessItem, ObjectKey, ObjectType};

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached; its kind says what to do.
    #[error(transparent)]
    Sql(#[from] annals_sql::Error),
    /// The history database has no tables yet, or older ones.
    #[error("the history database lacks {missing}: run `annals migrate`")]
    Schema {
        /// What is missing, for people.
        missing: String,
    },
    /// The history database is ahead of this program.
    #[error("the history database has migration {version}, which this Annals does not know: use a newer one")]
    Newer {
        /// The unknown migration.
        version: i64,
    },
    /// The captures of the identity, written by an older version, have not become access intervals yet.
    #[error("the access intervals of this history are not made yet")]
    NoIntervals,
    /// Two access items have the same number.
    #[error("the access items {0:?} and {1:?} have the same number in annals_access_item")]
    SameNumber(Box<AccessItem>, Box<AccessItem>),
    /// A capture cannot be read back.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A document beyond [`DOCUMENT_BYTES_MAX`](crate::DOCUMENT_BYTES_MAX), which could not be read back.
    #[error("the document of {key} has {bytes} bytes, more than can be kept")]
    TooLarge {
        /// Whose document.
        key: ObjectKey,
        /// Its size.
        bytes: usize,
    },
    /// A document or patch that is no JSON.
    #[error("the document of {key} is no JSON")]
    NotJson {
        /// Whose document.
        key: ObjectKey,
        /// Where it breaks.
        source: serde_json::Error,
    },
    /// Another transaction has added the head of an object that this one took for new, or moved one that this one had
    /// read: tried again, it sees it.
    #[error("another transaction has written one of these objects meanwhile")]
    Overtaken(#[source] Option<annals_sql::Error>),
    /// A compressor gave up on a document.
    #[error("the document of {key} cannot be compressed: {reason}")]
    NotCompressed {
        /// Whose document.
        key: ObjectKey,
        /// What it says.
        reason: &'static str,
    },
    /// Nothing that happens to objects of this type is an event.
    #[error(
        "{0} has no timeline: only identities, accounts, entitlements, roles, managedAttributes, workgroups and \
             identityRequests have one"
    )]
    NoTimeline(ObjectType),
    /// A page was asked for after a place that its list cannot have.
    #[error("the place after which a page was asked for is of another list")]
    Place,
}

impl Error {
    /// The class of a failed database call, which says whether to try again.
    #[must_use]
    pub fn sql_kind(&self) -> Option<annals_sql::ErrorKind> {
        match self {
            Self::Sql(error) => Some(error.kind()),
            _ => None,
        }
    }
}

/// A capture whose document cannot be had back as it was written. Never an answer, always an error.
#[derive(Debug, thiserror::Error)]
#[error("capture {capture_id} in {table} cannot be read back")]
pub struct RebuildError {
    /// Its table.
    pub table: &'static str,
    /// The capture that was asked for, or the one before it that is broken.
    pub capture_id: String,
    /// Why.
    #[source]
    pub fault: Fault,
}

/// Why a capture cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no such capture.
    #[error("it is not there")]
    Missing,
    /// Its parent is not there.
    #[error("it is a patch of capture {parent}, which is not there")]
    ParentMissing {
        /// The parent.
        parent: String,
    },
    /// Its parent is another object's capture.
    #[error("it is a patch of capture {parent}, which belongs to another object")]
    OtherObject {
        /// The parent.
        parent: String,
    },
    /// No full capture within reach.
    #[error("more than {} patches lie between it and a full capture", crate::PATCHES_MAX)]
    TooManyPatches,
    /// The row holds no document.
    #[error("it has no document")]
    NoDocument,
    /// A format that is not known.
    #[error("its json_format is not known")]
    Format,
    /// The bytes are not what the format says.
    #[error("its document cannot be inflated")]
    Inflate(#[source] std::io::Error),
    /// It was compressed with a dictionary that is gone.
    #[error("its dictionary {id} is not in annals_dictionary")]
    DictionaryMissing {
        /// The dictionary.
        id: u32,
    },
    /// It was compressed with a dictionary that is not what it was.
    #[error("its dictionary {id} in annals_dictionary is damaged")]
    DictionaryDamaged {
        /// The dictionary.
        id: u32,
    },
    /// It can be read, but not written in another form.
    #[error("it cannot be rewritten: {reason}")]
    NotRewritten {
        /// Why.
        reason: &'static str,
    },
    /// Inflated, it is larger than any document that was ever written.
    #[error("its document is larger than {} bytes", crate::DOCUMENT_BYTES_MAX)]
    TooLarge,
    /// No JSON, or not of the expected form.
    #[error("its document is not of the expected form")]
    Json(#[source] serde_json::Error),
    /// The patch does not fit the document before it.
    #[error("its patch does not fit the capture before it")]
    Patch(#[source] json_patch::PatchError),
    /// The patch does what no patch of ours does.
    #[error("its patch has operations other than add, remove and replace")]
    Operation,
    /// The patch would nest a document deeper than it could be read back.
    #[error("its patch reaches deeper than any document does")]
    TooDeep,
    /// It describes no state of an object.
    #[error("its document has no image")]
    NoImage,
    /// The image is not the one that was written.
    #[error("its image does not have the hash that was recorded")]
    Hash,
}
