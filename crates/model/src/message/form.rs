//! Messages as JSON: how they are kept as letters, and how they travel over a broker.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CapturedImage, Message, Operation};
use crate::{Image, ImageHashes, ImageSchema, ObjectKey, Reference, hash_bytes};

/// A message as JSON. The image stands in it as its canonical bytes, so that nothing is made twice and its hash tells
/// whether it is what it was. The schema may be left away, for what keeps it elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageForm<'m> {
    key: Cow<'m, ObjectKey>,
    name: Cow<'m, str>,
    identity: Option<Cow<'m, Reference>>,
    occurred_ms: i64,
    observed_ms: i64,
    transform: Cow<'m, str>,
    operation: Cow<'m, str>,
    #[serde(borrow)]
    image: Option<&'m RawValue>,
    hashes: Option<Cow<'m, ImageHashes>>,
    schema: Option<Cow<'m, ImageSchema>>,
    /// Left out where the capture keeps its hashes, as nearly all do.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    include_hash: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_yes(flag: &bool) -> bool {
    *flag
}

impl Message {
    /// The message as JSON, its schema included.
    ///
    /// # Errors
    /// Where its image's bytes are no JSON.
    pub fn form(&self) -> Result<MessageForm<'_>, serde_json::Error> {
        let captured = match &self.operation {
            Operation::Capture(captured) => Some(captured),
            Operation::Delete => None,
        };
        Ok(MessageForm {
            key: Cow::Borrowed(&self.key),
            name: Cow::Borrowed(&self.name),
            identity: self.identity.as_ref().map(Cow::Borrowed),
            occurred_ms: self.occurred_ms,
            observed_ms: self.observed_ms,
            transform: Cow::Borrowed(&self.transform),
            operation: Cow::Borrowed(if captured.is_some() { "capture" } else { "delete" }),
            image: captured.map(|captured| serde_json::from_slice(&captured.bytes)).transpose()?,
            hashes: captured.map(|captured| Cow::Borrowed(&captured.hashes)),
            schema: captured.map(|captured| Cow::Borrowed(captured.schema.as_ref())),
            include_hash: captured.is_none_or(|captured| captured.include_hash),
        })
    }
}

impl MessageForm<'_> {
    /// The same without its schema.
    #[must_use]
    pub fn without_schema(self) -> Self {
        Self { schema: None, ..self }
    }

    /// The message, with this schema where it has none of its own.
    ///
    /// # Errors
    /// What is wrong with it, without captured values.
    pub fn message(self, schema: Option<Arc<ImageSchema>>) -> Result<Message, String> {
        let schema = self.schema.map(|schema| Arc::new(schema.into_owned())).or(schema);
        let operation = match (&*self.operation, self.image, self.hashes, schema) {
            ("capture", Some(image), Some(hashes), Some(schema)) => {
                let bytes = image.get().as_bytes().to_vec();
                if hash_bytes(&bytes) != hashes.full {
                    return Err("its image does not have its hash".to_owned());
                }
                let image: Image = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                Operation::Capture(CapturedImage {
                    image,
                    bytes,
                    hashes: hashes.into_owned(),
                    include_hash: self.include_hash,
                    schema,
                })
            }
            ("delete", None, None, None) => Operation::Delete,
            _ => return Err("it is neither a capture nor a deletion".to_owned()),
        };
        Ok(Message {
            key: self.key.into_owned(),
            name: self.name.into_owned(),
            identity: self.identity.map(Cow::into_owned),
            occurred_ms: self.occurred_ms,
            observed_ms: self.observed_ms,
            transform: self.transform.as_ref().into(),
            operation,
        })
    }
}
