//! Documents: how a capture's JSON is composed.

use serde_json::Value;

/// The largest document, in bytes of JSON: the width of the reference's `json` columns. More is not written, and more
/// than this is never inflated.
pub const DOCUMENT_BYTES_MAX: usize = 100_000_000;

/// The deepest nesting of an image that can be read back: the JSON parser stops at 128 levels, and the document and
/// `imageFields` stand around an image's values.
pub const IMAGE_DEPTH_MAX: usize = 120;

/// The document of a full capture: `transformationConfigName`, `eventId`, `operation` `capture` and `eventImage`, of
/// which the canonical bytes are given. Canonical itself.
#[must_use]
pub fn full_document(transform: &str, capture_id: &str, image: &[u8]) -> Vec<u8> {
    let mut document = Vec::with_capacity(image.len() + transform.len() + 140);
    document.extend_from_slice(b"{\"eventId\":\"");
    document.extend_from_slice(event_id(capture_id).as_bytes());
    document.extend_from_slice(b"\",\"eventImage\":");
    document.extend_from_slice(image);
    document.extend_from_slice(b",\"operation\":\"capture\",\"transformationConfigName\":");
    document.extend_from_slice(Value::from(transform).to_string().as_bytes());
    document.push(b'}');
    document
}

/// The document of a tombstone.
pub(crate) fn tombstone_document(transform: &str, capture_id: &str) -> Vec<u8> {
    let name = Value::from(transform);
    let id = event_id(capture_id);
    format!("{{\"eventId\":\"{id}\",\"operation\":\"delete\",\"transformationConfigName\":{name}}}")
        .into_bytes()
}

/// `eventId` of a capture: its id, written as a UUID.
#[must_use]
pub fn event_id(capture_id: &str) -> String {
    if capture_id.len() != 32 || !capture_id.is_ascii() {
        return capture_id.to_owned();
    }
    let parts =
        [&capture_id[..8], &capture_id[8..12], &capture_id[12..16], &capture_id[16..20], &capture_id[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0191f4f07c1a7abc8def0123456789ab";

    #[test]
    fn a_document_is_canonical_and_names_its_capture() {
        let image = br#"{"imageFields":{"a":1},"imageType":"identity"}"#;
        let document = full_document("My \"own\"", ID, image);
        let value: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(
            value,
            json!({"transformationConfigName": "My \"own\"", "eventId": "0191f4f0-7c1a-7abc-8def-0123456789ab",
                   "operation": "capture", "eventImage": {"imageFields": {"a": 1}, "imageType": "identity"}})
        );
        assert_eq!(annals_model::canonical_bytes(&value), document);
        let gone: Value = serde_json::from_slice(&tombstone_document("T", ID)).unwrap();
        assert_eq!(
            gone,
            json!({"transformationConfigName": "T", "eventId": "0191f4f0-7c1a-7abc-8def-0123456789ab",
                   "operation": "delete"})
        );
    }
}
