//! Dead letters: messages that were given up, whole.

use std::io::Write as _;

use annals_model::{Image, ImageHashes, ImageSchema, Message, ObjectKey, Operation, Reference, hash_bytes};
use annals_runs::dead::DeadLetter;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use crate::Error;

/// A message as it is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'m> {
    key: &'m ObjectKey,
    name: &'m str,
    identity: Option<&'m Reference>,
    occurred_ms: i64,
    observed_ms: i64,
    transform: &'m str,
    operation: &'static str,
    image: Option<&'m Image>,
    hashes: Option<&'m ImageHashes>,
    schema: Option<&'m ImageSchema>,
}

/// The letter of a message, `message` being zlib of JSON. The same message always makes the same id, so that what comes
/// again is kept once (IIQ-10).
pub(crate) fn of(message: &Message, reason: String) -> Result<DeadLetter, Error> {
    let captured = match &message.operation {
        Operation::Capture(captured) => Some(captured),
        Operation::Delete => None,
    };
    let kept = Kept {
        key: &message.key,
        name: &message.name,
        identity: message.identity.as_ref(),
        occurred_ms: message.occurred_ms,
        observed_ms: message.observed_ms,
        transform: &message.transform,
        operation: if captured.is_some() { "capture" } else { "delete" },
        image: captured.map(|captured| &captured.image),
        hashes: captured.map(|captured| &captured.hashes),
        schema: captured.map(|captured| captured.schema.as_ref()),
    };
    let failed = |source| Error::Letter(message.key.clone(), source);
    let json = serde_json::to_vec(&kept).map_err(failed)?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed =
        zlib.write_all(&json).and_then(|()| zlib.finish()).map_err(|e| failed(serde_json::Error::io(e)))?;
    let mut id = hash_bytes(&json).to_lowercase();
    id.truncate(32);
    Ok(DeadLetter { id, key: message.key.clone(), reason, message: compressed })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use annals_model::ObjectType;
    use flate2::read::ZlibDecoder;
    use serde_json::{Value, json};

    use super::*;

    fn deletion(occurred_ms: i64) -> Message {
        Message {
            key: ObjectKey {
                source: Arc::from("hr"),
                object_type: ObjectType::Role,
                object_id: "r1".to_owned(),
            },
            name: "Role 1".to_owned(),
            identity: None,
            occurred_ms,
            observed_ms: 20,
            transform: Arc::from("T"),
            operation: Operation::Delete,
        }
    }

    #[test]
    fn a_letter_holds_the_whole_message_and_is_the_same_when_it_comes_again() {
        let letter = of(&deletion(10), "why".to_owned()).unwrap();
        let mut json = String::new();
        ZlibDecoder::new(letter.message.as_slice()).take(10_000).read_to_string(&mut json).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&json).unwrap(),
            json!({"key": {"source": "hr", "objectType": "role", "objectId": "r1"}, "name": "Role 1",
                   "identity": null, "occurredMs": 10, "observedMs": 20, "transform": "T", "operation": "delete",
                   "image": null, "hashes": null, "schema": null})
        );
        assert_eq!(letter.id.len(), 32);
        assert_eq!(letter.id, of(&deletion(10), "another reason".to_owned()).unwrap().id);
        assert_ne!(letter.id, of(&deletion(11), "why".to_owned()).unwrap().id);
    }
}
