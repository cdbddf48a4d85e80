//! What travels from the extract workers to the writer.

mod form;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Image, ImageHashes, ImageSchema, ObjectKey, Reference, RequestState};

pub use form::MessageForm;

/// One object's state, or its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Which object.
    pub key: ObjectKey,
    /// Its name in the identity system; the id stands in where there is none.
    pub name: String,
    /// The identity it belongs to, for types that belong to one.
    pub identity: Option<Reference>,
    /// When the state came about in the identity system, epoch milliseconds.
    pub occurred_ms: i64,
    /// The source's time when it was read; orders the states of one object.
    pub observed_ms: i64,
    /// Name of the transform configuration that made the image.
    pub transform: Arc<str>,
    /// Capture or delete.
    pub operation: Operation,
}

/// What a message reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// The object looks like this.
    Capture(CapturedImage),
    /// The object is gone.
    Delete,
}

/// An image with what was computed of it once.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedImage {
    /// The image.
    pub image: Image,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Hashes of those bytes.
    pub hashes: ImageHashes,
    /// The capture keeps the hashes (`includeHash`); its head always does.
    pub include_hash: bool,
    /// How its collections tell their elements apart.
    pub schema: Arc<ImageSchema>,
}

/// The right to work on a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionLease {
    /// Run.
    pub run_id: i64,
    /// Number of the partition in its run, from 0.
    pub partition: i32,
    /// Number of this lease; a higher one fences this one off.
    pub epoch: i64,
}

/// A batch of messages of one partition; the last one of a chunk carries the state to save with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Who sends it; refused when the lease was taken over.
    pub lease: PartitionLease,
    /// Its place among the deliveries of the lease, from 1, where it may arrive twice or in another order: over a broker.
    /// None in process, where neither happens.
    pub number: Option<u64>,
    /// Messages in the order in which they were read.
    pub messages: Vec<Message>,
    /// Saved in the transaction that writes the messages.
    pub checkpoint: Option<RequestState>,
}
