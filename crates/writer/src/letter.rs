//! Dead letters: messages that were given up, whole.

use std::io::Write as _;

use annals_model::{Message, MessageForm, hash_bytes};
use annals_runs::dead::DeadLetter;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::Error;

/// The largest message that is read back, in bytes of JSON: a document of the largest size and what stands around it.
const BYTES_MAX: usize = 2 * annals_history::DOCUMENT_BYTES_MAX;

/// The letter of a message, `message` being zlib of JSON. The same message always makes the same id, so that what comes
/// again is kept once (IIQ-10).
pub(crate) fn of(message: &Message, reason: String) -> Result<DeadLetter, Error> {
    let failed = |source| Error::Letter(message.key.clone(), source);
    let json = message.form().and_then(|form| serde_json::to_vec(&form)).map_err(failed)?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed =
        zlib.write_all(&json).and_then(|()| zlib.finish()).map_err(|e| failed(serde_json::Error::io(e)))?;
    let mut id = hash_bytes(&json).to_lowercase();
    id.truncate(32);
    Ok(DeadLetter {
        id,
        key: message.key.clone(),
        name: message.name.clone(),
        occurred_ms: message.occurred_ms,
        observed_ms: message.observed_ms,
        attempts: 1,
        reason,
        message: compressed,
    })
}

/// The JSON of a letter's message.
///
/// # Errors
/// `Unreadable` for what is no message of ours.
pub fn letter_json(letter: &DeadLetter) -> Result<serde_json::Value, Error> {
    let json = inflate(letter)?;
    serde_json::from_slice(&json).map_err(|error| Error::Unreadable(letter.id.clone(), error.to_string()))
}

fn inflate(letter: &DeadLetter) -> Result<Vec<u8>, Error> {
    annals_history::inflate(&letter.message, BYTES_MAX)
        .map_err(|fault| Error::Unreadable(letter.id.clone(), fault.to_string()))
}

/// The message of a letter.
pub(crate) fn message(letter: &DeadLetter) -> Result<Message, Error> {
    let unreadable = |what: String| Error::Unreadable(letter.id.clone(), what);
    let json = inflate(letter)?;
    let form: MessageForm<'_> =
        serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))?;
    form.message(None).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use annals_model::{CapturedImage, Image, ImageHashes, ObjectKey, ObjectType, Operation};
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
        assert_eq!(message(&letter).unwrap(), deletion(10));
        assert_eq!(letter.id.len(), 32);
        assert_eq!(letter.id, of(&deletion(10), "another reason".to_owned()).unwrap().id);
        assert_ne!(letter.id, of(&deletion(11), "why".to_owned()).unwrap().id);
    }

    #[test]
    fn a_capture_is_read_back_as_it_was_and_only_as_it_was() {
        let Value::Object(image_fields) = json!({"b": 1, "a": [u64::MAX, "x"]}) else { unreachable!() };
        let image = Image { image_fields, image_type: "role".to_owned() };
        let bytes = br#"{"imageFields":{"a":[18446744073709551615,"x"],"b":1},"imageType":"role"}"#.to_vec();
        let hashes = ImageHashes { full: hash_bytes(&bytes), smart: "S".to_owned() };
        for include_hash in [true, false] {
            let captured = CapturedImage {
                image: image.clone(),
                bytes: bytes.clone(),
                hashes: hashes.clone(),
                include_hash,
                schema: Arc::default(),
            };
            let capture = Message { operation: Operation::Capture(captured.clone()), ..deletion(10) };
            assert_eq!(message(&of(&capture, String::new()).unwrap()).unwrap(), capture);
            let hashes = ImageHashes { full: "other".to_owned(), ..hashes.clone() };
            let broken = Operation::Capture(CapturedImage { hashes, ..captured });
            let broken = of(&Message { operation: broken, ..deletion(10) }, String::new()).unwrap();
            assert!(matches!(message(&broken), Err(Error::Unreadable(..))));
        }
    }
}
