//! How documents are stored (IIQ-40): JSON in one of four forms, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{self, Read as _};
use std::sync::Arc;

use annals_model::{JsonFormat, ObjectType};
use annals_sql::Tx;
use flate2::read::ZlibDecoder;
use libdeflater::{CompressionLvl, Compressor};
use serde_json::Value;
use zstd_safe::{CCtx, CDict, DCtx, DDict};

use crate::dictionary::{self, ZSTD_LEVEL};
use crate::document::DOCUMENT_BYTES_MAX;
use crate::error::Fault;

/// libdeflate's level: it makes zlib of the size that zlib makes at level 3 in less than half the time, most of which
/// zlib takes to clear its tables and to build trees. What its level 6 gains, 1 byte in 65, costs half as much again.
const ZLIB_LEVEL: i32 = 1;

/// zlib makes at most 1,032 bytes of one, so what is no larger than this cannot become very large. Anything else is
/// measured before there is room made for it: growing step by step takes twice as much.
const UNMEASURED_MAX: usize = 16 * 1024;

/// Stores documents; keeps its compressors, for making one costs a fifth of its work.
pub struct Encoder {
    format: JsonFormat,
    zlib: Option<Compressor>,
    zstd: Option<CCtx<'static>>,
    /// What was made last: a compressor wants more room than it takes.
    frame: Vec<u8>,
    dictionaries: BTreeMap<ObjectType, Arc<CDict<'static>>>,
}

/// Why a document cannot be stored.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// It is to be laid out and is no JSON.
    NotJson(serde_json::Error),
    /// The compressor gave up.
    Compress(&'static str),
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Encoder {
    /// Without dictionaries: `COMPACT` is then hardly smaller than `ZIPPED`.
    #[must_use]
    pub fn new(format: JsonFormat) -> Self {
        Self::with(format, BTreeMap::new())
    }

    pub(crate) fn with(format: JsonFormat, dictionaries: BTreeMap<ObjectType, Arc<CDict<'static>>>) -> Self {
        Self { format, zlib: None, zstd: None, frame: Vec::new(), dictionaries }
    }

    pub(crate) fn format(&self) -> JsonFormat {
        self.format
    }

    /// The dictionary that documents of a type are compressed with.
    pub(crate) fn dictionary(&self, object_type: ObjectType) -> Option<u32> {
        let dictionary = self.dictionaries.get(&object_type)?;
        Some(dictionary.get_dict_id()?.get())
    }

    /// The stored form of minified JSON: a document or a patch of an object of this type.
    ///
    /// # Errors
    /// When the bytes are to be laid out and are no JSON.
    pub(crate) fn encode(&mut self, object_type: ObjectType, json: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        match self.format {
            JsonFormat::Zipped => self.deflate(&json),
            JsonFormat::Minified => Ok(json),
            JsonFormat::Pretty => lay_out(&json).map_err(EncodeError::NotJson),
            JsonFormat::Compact => self.compact(object_type, &json),
        }
    }

    /// The stored form where no `json_format` stands beside it: never `COMPACT`, which nobody else could read.
    pub(crate) fn encode_for_others(
        &mut self,
        object_type: ObjectType,
        json: Vec<u8>,
    ) -> Result<Vec<u8>, EncodeError> {
        if self.format == JsonFormat::Compact { self.deflate(&json) } else { self.encode(object_type, json) }
    }

    fn compact(&mut self, object_type: ObjectType, json: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let context = match &mut self.zstd {
            Some(context) => context,
            none => none.insert(CCtx::try_create().ok_or(EncodeError::Compress("no memory"))?),
        };
        self.frame.clear();
        self.frame.reserve(zstd_safe::compress_bound(json.len()));
        let made = match self.dictionaries.get(&object_type) {
            Some(dictionary) => context.compress_using_cdict(&mut self.frame, json, dictionary),
            None => context.compress(&mut self.frame, json, ZSTD_LEVEL),
        };
        made.map_err(|code| EncodeError::Compress(zstd_safe::get_error_name(code)))?;
        Ok(self.take_frame())
    }

    fn deflate(&mut self, json: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let compressor = self
            .zlib
            .get_or_insert_with(|| Compressor::new(CompressionLvl::new(ZLIB_LEVEL).unwrap_or_default()));
        self.frame.resize(compressor.zlib_compress_bound(json.len()), 0);
        let made = compressor.zlib_compress(json, &mut self.frame);
        let bytes = made.map_err(|_| EncodeError::Compress("there was less room than it asked for"))?;
        self.frame.truncate(bytes);
        Ok(self.take_frame())
    }

    fn take_frame(&mut self) -> Vec<u8> {
        let stored = self.frame.clone();
        // One huge document must not be paid for until the end of the run.
        self.frame.shrink_to(1 << 20);
        stored
    }
}

/// JSON with line breaks.
pub(crate) fn lay_out(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(json)?)
}

/// Reads stored documents; holds the dictionaries that those need which it was made for.
#[derive(Default)]
pub(crate) struct Decoder {
    dictionaries: HashMap<u32, Result<DDict<'static>, dictionary::Damaged>>,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("dictionaries", &self.dictionaries.len()).finish()
    }
}

impl Decoder {
    /// A decoder for these stored documents, each with its format: one query, where they need dictionaries.
    pub(crate) async fn of(
        tx: &mut Tx,
        documents: impl Iterator<Item = (&[u8], &str)>,
    ) -> Result<Self, annals_sql::Error> {
        let compact = documents.filter(|(_, format)| *format == JsonFormat::Compact.as_str());
        let ids = compact.filter_map(|(stored, _)| dictionary_of(stored)).collect();
        let mut decoder = Self::default();
        decoder.learn(tx, ids).await?;
        Ok(decoder)
    }

    /// Makes sure that it has those of these dictionaries that there are.
    pub(crate) async fn learn(&mut self, tx: &mut Tx, ids: BTreeSet<u32>) -> Result<(), annals_sql::Error> {
        let unknown: Vec<u32> = ids.into_iter().filter(|id| !self.dictionaries.contains_key(id)).collect();
        if !unknown.is_empty() {
            for (id, content) in dictionary::by_id(tx, &unknown).await? {
                let prepared =
                    content.and_then(|content| DDict::try_create(&content).ok_or(dictionary::Damaged));
                self.dictionaries.insert(id, prepared);
            }
        }
        Ok(())
    }

    /// The JSON of stored bytes.
    pub(crate) fn decode(&self, stored: &[u8], format: &str) -> Result<Vec<u8>, Fault> {
        match JsonFormat::parse(format).ok_or(Fault::Format)? {
            JsonFormat::Zipped => inflate(stored, DOCUMENT_BYTES_MAX),
            JsonFormat::Minified | JsonFormat::Pretty => Ok(stored.to_vec()),
            JsonFormat::Compact => self.expand(stored, DOCUMENT_BYTES_MAX),
        }
    }

    /// Decompresses, but never past a limit. Each document says how large it is; one that says less than the truth is
    /// refused by zstd, which writes no further than there is room.
    fn expand(&self, stored: &[u8], bytes_max: usize) -> Result<Vec<u8>, Fault> {
        let bytes = zstd_safe::get_frame_content_size(stored).ok().flatten();
        let bytes = bytes.ok_or_else(|| broken("its bytes do not begin like a zstd frame of known size"))?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes > bytes_max {
            return Err(Fault::TooLarge);
        }
        let mut json = Vec::with_capacity(bytes);
        let mut context =
            DCtx::try_create().ok_or_else(|| Fault::Inflate(io::ErrorKind::OutOfMemory.into()))?;
        let made = match dictionary_of(stored) {
            None => context.decompress(&mut json, stored),
            Some(id) => match self.dictionaries.get(&id) {
                Some(Ok(dictionary)) => context.decompress_using_ddict(&mut json, stored, dictionary),
                Some(Err(_)) => return Err(Fault::DictionaryDamaged { id }),
                None => return Err(Fault::DictionaryMissing { id }),
            },
        };
        made.map_err(|code| broken(zstd_safe::get_error_name(code)))?;
        Ok(json)
    }
}

/// The dictionary that a document in `COMPACT` format needs.
pub(crate) fn dictionary_of(stored: &[u8]) -> Option<u32> {
    zstd_safe::get_dict_id_from_frame(stored).map(std::num::NonZero::get)
}

fn broken(why: &'static str) -> Fault {
    Fault::Inflate(io::Error::new(io::ErrorKind::InvalidData, why))
}

/// The JSON of a zipped document, inflated, but never past a limit: a few kilobytes of zlib can hold gigabytes.
///
/// # Errors
/// `Inflate` for what is no zlib or is cut off, `TooLarge` past the limit.
pub fn inflate(stored: &[u8], bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let decoder = || ZlibDecoder::new(stored).take(limit);
    let room = if stored.len() <= UNMEASURED_MAX {
        stored.len() * 4
    } else {
        let bytes = io::copy(&mut decoder(), &mut io::sink()).map_err(Fault::Inflate)?;
        if bytes == limit {
            return Err(Fault::TooLarge);
        }
        usize::try_from(bytes).unwrap_or(bytes_max)
    };
    let mut json = Vec::with_capacity(room);
    decoder().read_to_end(&mut json).map_err(Fault::Inflate)?;
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
    use crate::training::train;

    const TYPE: ObjectType = ObjectType::Identity;

    fn decode(stored: &[u8], format: &str) -> Result<Vec<u8>, Fault> {
        Decoder::default().decode(stored, format)
    }

    /// IIQ-40: readable, without white space, compressed; and each is read back whatever the setting is now.
    #[test]
    fn each_format_is_stored_as_named_and_read_back() {
        let json = br#"{"a":[1,2],"b":"x"}"#;
        let stored = |format| Encoder::new(format).encode(TYPE, json.to_vec()).unwrap();
        assert_eq!(stored(JsonFormat::Minified), json);
        assert_eq!(stored(JsonFormat::Pretty), b"{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": \"x\"\n}");
        assert_eq!(stored(JsonFormat::Zipped)[0], 0x78);
        assert_eq!(stored(JsonFormat::Compact)[..4], [0x28, 0xB5, 0x2F, 0xFD]);
        for format in JsonFormat::ALL {
            let read: Value =
                serde_json::from_slice(&decode(&stored(format), format.as_str()).unwrap()).unwrap();
            assert_eq!(read, json!({"a": [1, 2], "b": "x"}), "{format:?}");
        }
    }

    #[test]
    fn one_compressor_serves_many_documents_of_any_size() {
        let [mut zipped, mut compact] = [JsonFormat::Zipped, JsonFormat::Compact].map(Encoder::new);
        for size in [0_usize, 1, 100, 1 << 20, 3, 5 << 20, 200] {
            let mut word = 7_u32;
            let random: String = (0..size)
                .map(|_| {
                    word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    char::from(b'a' + u8::try_from(word >> 28).unwrap())
                })
                .collect();
            let json = format!("\"{random}\"").into_bytes();
            let stored = zipped.encode(TYPE, json.clone()).unwrap();
            assert_eq!(decode(&stored, "ZIPPED").unwrap(), json, "{size}");
            let stored = compact.encode(TYPE, json.clone()).unwrap();
            assert_eq!(decode(&stored, "COMPACT").unwrap(), json, "{size}");
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let stored = Encoder::new(JsonFormat::Zipped).encode(TYPE, vec![b' '; 100_000]).unwrap();
        assert!(matches!(inflate(&stored, 99_999), Err(Fault::TooLarge)));
        assert_eq!(inflate(&stored, 100_000).unwrap().len(), 100_000);
        let stored = Encoder::new(JsonFormat::Compact).encode(TYPE, vec![b' '; 100_000]).unwrap();
        assert!(stored.len() < 100);
        let expand = |stored: &[u8], bytes_max| Decoder::default().expand(stored, bytes_max);
        assert!(matches!(expand(&stored, 99_999), Err(Fault::TooLarge)));
        assert_eq!(expand(&stored, 100_000).unwrap().len(), 100_000);
        // It says that it is smaller than it is: bytes 5 to 8 hold its size, as RFC 8878 has it in single segments.
        let mut liar = stored.clone();
        assert_eq!(u32::from_le_bytes(liar[5..9].try_into().unwrap()), 100_000);
        liar[5..9].copy_from_slice(&99_000_u32.to_le_bytes());
        assert!(matches!(expand(&liar, 99_999), Err(Fault::Inflate(_))));
        // Two documents in one: the second is not what the first said.
        let two = [stored.as_slice(), stored.as_slice()].concat();
        assert!(matches!(expand(&two, 100_000), Err(Fault::Inflate(_))));
    }

    #[test]
    fn broken_bytes_are_an_error() {
        let mut stored =
            Encoder::new(JsonFormat::Zipped).encode(TYPE, b"{\"a\":\"some text\"}".to_vec()).unwrap();
        let last = stored.len() - 1;
        stored[last] ^= 1;
        assert!(matches!(decode(&stored, "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(&stored[..4], "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(b"", "ZIPPED"), Err(Fault::Inflate(_))));
        assert!(matches!(decode(b"{}", "zipped"), Err(Fault::Format)));
        let stored =
            Encoder::new(JsonFormat::Compact).encode(TYPE, b"{\"a\":\"some text\"}".to_vec()).unwrap();
        for broken in [&stored[..4], &stored[..stored.len() - 1], b"", b"{\"a\":\"some text\"}"] {
            assert!(matches!(decode(broken, "COMPACT"), Err(Fault::Inflate(_))), "{broken:?}");
        }
    }

    /// A dictionary with an id of one, two and four bytes, and documents that need it.
    #[test]
    fn a_document_names_the_dictionary_that_it_needs() {
        let document = |n: usize| format!(r#"{{"eventImage":{{"imageFields":{{"name":"person {n}"}}}}}}"#);
        let samples: Vec<Vec<u8>> = (0..200).map(|n| document(n * 7919).into_bytes()).collect();
        let trained = train(&samples).unwrap();
        let json = document(1).into_bytes();
        let plain = Encoder::new(JsonFormat::Compact).encode(TYPE, json.clone()).unwrap();
        assert_eq!(dictionary_of(&plain), None);
        for (id, width) in [(7_u32, 1), (300, 2), (70_000, 4)] {
            let mut content = trained.clone();
            content[4..8].copy_from_slice(&id.to_le_bytes());
            let dictionary = Arc::new(CDict::try_create(&content, ZSTD_LEVEL).unwrap());
            let mut encoder = Encoder::with(JsonFormat::Compact, BTreeMap::from([(TYPE, dictionary)]));
            assert_eq!(encoder.dictionary(TYPE), Some(id));
            assert_eq!(encoder.dictionary(ObjectType::Role), None);
            let stored = encoder.encode(TYPE, json.clone()).unwrap();
            assert_eq!(dictionary_of(&stored), Some(id));
            // Four bytes of magic, one that says what follows, the id, the size.
            assert!((stored.len() - width) * 2 < json.len(), "{} of {}", stored.len(), json.len());
            let knows = |dictionary| Decoder { dictionaries: HashMap::from([(id, dictionary)]) };
            let prepared = DDict::try_create(&content).unwrap();
            assert_eq!(knows(Ok(prepared)).decode(&stored, "COMPACT").unwrap(), json);
            let damaged = knows(Err(dictionary::Damaged)).decode(&stored, "COMPACT");
            assert!(matches!(damaged, Err(Fault::DictionaryDamaged { id: named }) if named == id));
            let missing = decode(&stored, "COMPACT");
            assert!(matches!(missing, Err(Fault::DictionaryMissing { id: named }) if named == id));
        }
    }

    /// `spt_hist_certification` has a document and no word on its format: what reads it must not need Annals.
    #[test]
    fn what_others_read_is_never_compact() {
        let json = br#"{"a":1}"#;
        let for_others = |format| Encoder::new(format).encode_for_others(TYPE, json.to_vec()).unwrap();
        assert_eq!(decode(&for_others(JsonFormat::Compact), "ZIPPED").unwrap(), json);
        assert_eq!(for_others(JsonFormat::Minified), json);
    }
}
