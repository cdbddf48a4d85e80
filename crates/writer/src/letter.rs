//! Dead letters: messages that were given up, whole.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use annals_model::{
    CapturedImage, Image, ImageHashes, ImageSchema, Message, ObjectKey, Operation, Reference,
    canonical_bytes, hash_bytes,
};
use annals_runs::dead::DeadLetter;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The largest message that is read back, in bytes of JSON: a document of the largest size and what stands around it.
const BYTES_MAX: usize = 2 * annals_history::DOCUMENT_BYTES_MAX;

/// A message as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'m> {
    key: Cow<'m, ObjectKey>,
    name: Cow<'m, str>,
    identity: Option<Cow<'m, Reference>>,
    occurred_ms: i64,
    observed_ms: i64,
    transform: Cow<'m, str>,
    operation: Cow<'m, str>,
    image: Option<Cow<'m, Image>>,
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

/// The letter of a message, `message` being zlib of JSON. The same message always makes the same id, so that what comes
/// again is kept once (IIQ-10).
pub(crate) fn of(message: &Message, reason: String) -> Result<DeadLetter, Error> {
    let captured = match &message.operation {
        Operation::Capture(captured) => Some(captured),
        Operation::Delete => None,
    };
    let kept = Kept {
        key: Cow::Borrowed(&message.key),
        name: Cow::Borrowed(&message.name),
        identity: message.identity.as_ref().map(Cow::Borrowed),
        occurred_ms: message.occurred_ms,
        observed_ms: message.observed_ms,
        transform: Cow::Borrowed(&message.transform),
        operation: Cow::Borrowed(if captured.is_some() { "capture" } else { "delete" }),
        image: captured.map(|captured| Cow::Borrowed(&captured.image)),
        hashes: captured.map(|captured| Cow::Borrowed(&captured.hashes)),
        schema: captured.map(|captured| Cow::Borrowed(captured.schema.as_ref())),
        include_hash: captured.is_none_or(|captured| captured.include_hash),
    };
    let failed = |source| Error::Letter(message.key.clone(), source);
    let json = serde_json::to_vec(&kept).map_err(failed)?;
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
    let kept: Kept<'_> = serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))?;
    let operation = match (&*kept.operation, kept.image, kept.hashes, kept.schema) {
        ("capture", Some(image), Some(hashes), Some(schema)) => {
            let image = image.into_owned();
            let bytes = serde_json::to_value(&image).map_err(|error| unreadable(error.to_string()))?;
            let bytes = canonical_bytes(&bytes);
            if hash_bytes(&bytes) != hashes.full {
                return Err(unreadable("its image does not have its hash".to_owned()));
            }
            Operation::Capture(CapturedImage {
                image,
                bytes,
                hashes: hashes.into_owned(),
                include_hash: kept.include_hash,
                schema: Arc::new(schema.into_owned()),
            })
        }
        ("delete", None, None, None) => Operation::Delete,
        _ => return Err(unreadable("it is neither a capture nor a deletion".to_owned())),
    };
    Ok(Message {
        key: kept.key.into_owned(),
        name: kept.name.into_owned(),
        identity: kept.identity.map(Cow::into_owned),
        occurred_ms: kept.occurred_ms,
        observed_ms: kept.observed_ms,
        transform: kept.transform.as_ref().into(),
        operation,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

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
