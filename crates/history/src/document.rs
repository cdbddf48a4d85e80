//! Documents: how a capture's JSON is composed and stored (IIQ-40).

use std::io::{self, Read as _};

use annals_model::JsonFormat;
use flate2::read::ZlibDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use serde_json::Value;

use crate::error::Fault;

/// The largest document, in bytes of JSON: the width of the reference's `json` columns. More is not written, and more
/// than this is never inflated.
pub const DOCUMENT_BYTES_MAX: usize = 100_000_000;

/// The deepest nesting of an image that can be read back: the JSON parser stops at 128 levels, and the document and
/// `imageFields` stand around an image's values.
pub const IMAGE_DEPTH_MAX: usize = 120;

/// zlib's level: 6 is a quarter smaller than 1 on captures and 9 gains nothing more.
const LEVEL: Compression = Compression::new(6);

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

/// Stores documents; keeps its compressor, for making one costs a fifth of its work.
#[derive(Debug)]
pub(crate) struct Encoder {
    format: JsonFormat,
    compress: Option<Compress>,
}

impl Encoder {
    pub(crate) fn new(format: JsonFormat) -> Self {
        Self { format, compress: None }
    }

    pub(crate) fn format(&self) -> JsonFormat {
        self.format
    }

    /// The stored form of minified JSON.
    ///
    /// # Errors
    /// When the bytes are to be laid out and are no JSON.
    pub(crate) fn encode(&mut self, json: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
        match self.format {
            JsonFormat::Zipped => Ok(self.deflate(&json)),
            JsonFormat::Minified => Ok(json),
            JsonFormat::Pretty => serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&json)?),
        }
    }

    fn deflate(&mut self, json: &[u8]) -> Vec<u8> {
        let compress = self.compress.get_or_insert_with(|| Compress::new(LEVEL, true));
        compress.reset();
        let mut stored = Vec::with_capacity(json.len() / 3 + 128);
        loop {
            let done = usize::try_from(compress.total_in()).unwrap_or(json.len());
            match compress.compress_vec(&json[done..], &mut stored, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return stored,
                // Whatever else it says, it has no room left.
                Ok(_) | Err(_) => stored.reserve(stored.capacity().max(128)),
            }
        }
    }
}

/// The JSON of stored bytes.
pub(crate) fn decode(stored: &[u8], format: &str) -> Result<Vec<u8>, Fault> {
    match JsonFormat::parse(format).ok_or(Fault::Format)? {
        JsonFormat::Zipped => inflate(stored, DOCUMENT_BYTES_MAX),
        JsonFormat::Minified | JsonFormat::Pretty => Ok(stored.to_vec()),
    }
}

/// The JSON of a zipped document, inflated, but never past a limit: a few kilobytes of zlib can hold gigabytes.
///
/// # Errors
/// `Inflate` for what is no zlib or is cut off, `TooLarge` past the limit.
pub fn inflate(stored: &[u8], bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let mut json = Vec::with_capacity(stored.len().saturating_mul(4).min(bytes_max));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    ZlibDecoder::new(stored).take(limit).read_to_end(&mut json).map_err(Fault::Inflate)?;
    if json.len() > bytes_max {
        return Err(Fault::TooLarge);
    }
    if json.is_empty() {
        return Err(Fault::Inflate(io::Error::from(io::ErrorKind::UnexpectedEof)));
    }
    Ok(json)
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

    /// IIQ-40: readable, without white space, compressed; and each is read back whatever the setting is now.
    #[test]
    fn each_format_is_stored_as_named_and_read_back() {
        let json = br#"{"a":[1,2],"b":"x"}"#;
        let stored = |format| Encoder::new(format).encode(json.to_vec()).unwrap();
        assert_eq!(stored(JsonFormat::Minified), json);
        assert_eq!(stored(JsonFormat::Pretty), b"{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": \"x\"\n}");
        assert_eq!(stored(JsonFormat::Zipped)[0], 0x78);
        for format in [JsonFormat::Zipped, JsonFormat::Minified, JsonFormat::Pretty] {
            let read: Value =
                serde_json::from_slice(&decode(&stored(format), format.as_str()).unwrap()).unwrap();
            assert_eq!(read, json!({"a": [1, 2], "b": "x"}), "{format:?}");
        }
    }

    #[test]
    fn one_compressor_serves_many_documents_of_any_size() {
        let mut encoder = Encoder::new(JsonFormat::Zipped);
        for size in [0_usize, 1, 100, 1 << 20, 3] {
            let mut word = 7_u32;
            let random: String = (0..size)
                .map(|_| {
                    word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    char::from(b'a' + u8::try_from(word >> 28).unwrap())
                })
                .collect();
            let json = format!("\"{random}\"").into_bytes();
            let stored = encoder.encode(json.clone()).unwrap();
            assert_eq!(decode(&stored, "ZIPPED").unwrap(), json, "{size}");
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let stored = Encoder::new(JsonFormat::Zipped).encode(vec![b' '; 100_000]).unwrap();
        assert!(matches!(inflate(&stored, 99_999), Err(Fault::TooLarge)));
        assert_eq!(inflate(&stored, 100_000).unwrap().len(), 100_000);
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let mut stored = Encoder::new(JsonFormat::Zipped).encode(b"{\"a\":\"some text\"}".to_vec()).unwrap();
        let last = stored.len() - 1;
        stored[last] ^= 1;
        assert!(matches!(decode(&stored, "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(&stored[..4], "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(b"", "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(b"{}", "zipped"), Err(Fault::Format)));
    }
}
