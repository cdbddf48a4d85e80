//! Deliveries and answers as they travel over a broker: JSON.

use std::borrow::Cow;
use std::sync::Arc;

use annals_model::{
    Delivery, ImageSchema, Message, MessageForm, ObjectFailure, Operation, PartitionLease, RequestState,
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The form that this version writes and reads.
const FORM: u32 = 1;

/// A delivery. A schema stands in it once, however many messages have it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryForm<'d> {
    form: u32,
    lease: Cow<'d, PartitionLease>,
    number: Option<u64>,
    schemas: Vec<Cow<'d, ImageSchema>>,
    #[serde(borrow)]
    messages: Vec<Sent<'d>>,
    checkpoint: Option<Cow<'d, RequestState>>,
    /// Of the checkpoint, which leaves them out of its own form.
    failures: Cow<'d, [ObjectFailure]>,
}

/// A message with the place of its schema.
#[derive(Serialize, Deserialize)]
struct Sent<'d> {
    schema: Option<usize>,
    #[serde(borrow)]
    message: MessageForm<'d>,
}

/// What became of a delivery.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AnswerForm {
    Written,
    Refused(String),
    Deferred(String),
}

/// The bytes of a delivery.
pub(crate) fn write(delivery: &Delivery) -> Result<Vec<u8>, serde_json::Error> {
    let mut schemas: Vec<&Arc<ImageSchema>> = Vec::new();
    let mut messages = Vec::with_capacity(delivery.messages.len());
    for message in &delivery.messages {
        let schema = match &message.operation {
            Operation::Capture(captured) => {
                let known = schemas.iter().position(|known| Arc::ptr_eq(known, &captured.schema));
                Some(known.unwrap_or_else(|| {
                    schemas.push(&captured.schema);
                    schemas.len() - 1
                }))
            }
            Operation::Delete => None,
        };
        messages.push(Sent { schema, message: message.form()?.without_schema() });
    }
    serde_json::to_vec(&DeliveryForm {
        form: FORM,
        lease: Cow::Borrowed(&delivery.lease),
        number: delivery.number,
        schemas: schemas.into_iter().map(|schema| Cow::Borrowed(schema.as_ref())).collect(),
        messages,
        checkpoint: delivery.checkpoint.as_ref().map(Cow::Borrowed),
        failures: Cow::Borrowed(delivery.checkpoint.as_ref().map_or(&[], |state| &state.failures)),
    })
}

/// The delivery of some bytes; else what is wrong with them, without captured values.
pub(crate) fn read(bytes: &[u8]) -> Result<Delivery, String> {
    #[derive(Deserialize)]
    struct Head {
        form: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if head.form != FORM {
        return Err(format!("it has the form {}, and this writer reads {FORM}", head.form));
    }
    let form: DeliveryForm<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let schemas: Vec<Arc<ImageSchema>> =
        form.schemas.into_iter().map(|schema| Arc::new(schema.into_owned())).collect();
    let messages: Result<Vec<Message>, String> = form
        .messages
        .into_iter()
        .map(|sent| sent.message.message(sent.schema.and_then(|place| schemas.get(place).cloned())))
        .collect();
    let failures = form.failures.into_owned();
    Ok(Delivery {
        lease: form.lease.into_owned(),
        number: form.number,
        messages: messages?,
        checkpoint: form.checkpoint.map(|state| RequestState { failures, ..state.into_owned() }),
    })
}

/// The bytes of an answer.
pub(crate) fn write_answer(answer: &Result<(), Error>) -> Vec<u8> {
    let form = match answer {
        Ok(()) => AnswerForm::Written,
        Err(Error::Deferred(why)) => AnswerForm::Deferred(why.clone()),
        Err(error) => AnswerForm::Refused(error.to_string()),
    };
    serde_json::to_vec(&form).unwrap_or_default()
}

/// The answer of some bytes; none where they are no answer.
pub(crate) fn read_answer(bytes: &[u8]) -> Option<Result<(), Error>> {
    Some(match serde_json::from_slice(bytes).ok()? {
        AnswerForm::Written => Ok(()),
        AnswerForm::Refused(why) => Err(Error::Refused(why)),
        AnswerForm::Deferred(why) => Err(Error::Deferred(why)),
    })
}

/// No fewer bytes than a message has in a delivery: its document, names whose every character may be escaped, keys,
/// numbers and hashes. `messages_take_no_more_room_than_is_reckoned` holds it to that.
pub(crate) fn bytes_at_most(message: &Message) -> usize {
    const AROUND: usize = 512;
    const ESCAPED: usize = 6;
    let document = match &message.operation {
        Operation::Capture(captured) => captured.bytes.len(),
        Operation::Delete => 0,
    };
    let identity = message.identity.as_ref().map_or(0, |identity| identity.id.len() + identity.name.len());
    let names = message.key.source.len()
        + message.key.object_id.len()
        + message.name.len()
        + message.transform.len()
        + identity;
    AROUND + document + ESCAPED * names
}

#[cfg(test)]
mod tests {
    use annals_model::{
        CapturedImage, Collection, Image, ImageHashes, ObjectKey, ObjectType, Reference, Stage, hash_bytes,
    };

    use super::*;

    fn capture(name: &str, schema: &Arc<ImageSchema>) -> Message {
        let text = format!(
            r#"{{"imageFields":{{"n":{},"big":18446744073709551615}},"imageType":"role"}}"#,
            name.len()
        );
        let image: Image = serde_json::from_str(&text).unwrap();
        let bytes = serde_json::to_vec(&image).unwrap();
        let hashes = ImageHashes { full: hash_bytes(&bytes), smart: hash_bytes(b"smart") };
        Message {
            key: ObjectKey {
                source: Arc::from("hr"),
                object_type: ObjectType::CertificationRemediation,
                object_id: name.to_owned(),
            },
            name: name.to_owned(),
            identity: Some(Reference { id: name.to_owned(), name: name.to_owned() }),
            occurred_ms: i64::MIN,
            observed_ms: i64::MIN,
            transform: Arc::from(name),
            operation: Operation::Capture(CapturedImage {
                image,
                bytes,
                hashes,
                include_hash: false,
                schema: Arc::clone(schema),
            }),
        }
    }

    fn delivery() -> Delivery {
        let collection = Collection { key: vec!["id".to_owned()], ordered: false };
        let schema = Arc::new(ImageSchema {
            collections: [("links".to_owned(), collection)].into(),
            ..ImageSchema::default()
        });
        let deletion = Message { operation: Operation::Delete, ..capture("gone", &schema) };
        let failure = ObjectFailure {
            object_type: ObjectType::Role,
            object_id: "r".to_owned(),
            stage: Stage::Load,
            error: "why".to_owned(),
        };
        let mut state = RequestState { chunks_done: 3, failures: vec![failure], ..RequestState::default() };
        state.counters.total_seen_objects = 7;
        Delivery {
            lease: PartitionLease { run_id: 1, partition: 2, epoch: 3 },
            number: Some(4),
            messages: vec![
                capture("a", &schema),
                deletion,
                capture("b", &schema),
                capture("c", &Arc::default()),
            ],
            checkpoint: Some(state),
        }
    }

    #[test]
    fn a_delivery_is_read_as_it_was_written() {
        let sent = delivery();
        let bytes = write(&sent).unwrap();
        assert_eq!(read(&bytes).unwrap(), sent);
        assert_eq!(
            String::from_utf8(bytes).unwrap().matches("\"links\"").count(),
            1,
            "a schema stands there once"
        );
        let bare = Delivery { number: None, messages: Vec::new(), checkpoint: None, ..sent };
        assert_eq!(read(&write(&bare).unwrap()).unwrap(), bare);
    }

    #[test]
    fn what_is_no_delivery_of_ours_is_refused_with_a_reason() {
        let bytes = write(&delivery()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let wrong = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            read(text.replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert_eq!(wrong("\"form\":1", "\"form\":9"), "it has the form 9, and this writer reads 1");
        assert_eq!(wrong("\"n\":1", "\"n\":2"), "its image does not have its hash");
        assert_eq!(wrong("\"schema\":0", "\"schema\":7"), "it is neither a capture nor a deletion");
        assert!(!read(&text.as_bytes()[..text.len() - 1]).unwrap_err().is_empty());
        assert!(!read(b"").unwrap_err().is_empty());
    }

    #[test]
    fn answers_go_there_and_back() {
        for answer in [Ok(()), Err(Error::Refused("no".to_owned())), Err(Error::Deferred("later".to_owned()))]
        {
            assert_eq!(read_answer(&write_answer(&answer)), Some(answer));
        }
        assert_eq!(read_answer(b"{}"), None);
    }

    /// Control characters are the longest in JSON: six for one.
    #[test]
    fn messages_take_no_more_room_than_is_reckoned() {
        for name in ["", "a", &"\u{1}".repeat(300), &"\u{1f600}".repeat(300)] {
            let message = capture(name, &Arc::default());
            let sent = Sent { schema: Some(1_000), message: message.form().unwrap().without_schema() };
            let bytes = serde_json::to_vec(&sent).unwrap().len();
            assert!(bytes < bytes_at_most(&message), "{bytes}");
        }
    }
}
