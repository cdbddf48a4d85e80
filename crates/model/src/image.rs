//! Images: the JSON document made of one object at one instant, its canonical bytes and hashes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The JSON document made of one object at one instant: `eventImage` of a capture's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The fields, sorted by name.
    pub image_fields: Map<String, Value>,
    /// Object type, e.g. `identity`.
    pub image_type: String,
}

/// How the collections of an image tell their elements apart. Keys are field names of the image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageSchema {
    /// Collections by field name, or `attributes.<member>`; other lists are sets.
    pub collections: BTreeMap<String, Collection>,
    /// Fields in the full hash alone, also `attributes.<member>`: their changes make no capture and no event.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub insignificant: BTreeSet<String>,
}

/// One collection of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Collection {
    /// Members that make the natural key of an element; empty: `id` or `name` if every element has one of its own, else
    /// the whole element.
    pub key: Vec<String>,
    /// The order means something; else the elements are a set, sorted by key.
    pub ordered: bool,
}

/// Hashes of an image: SHA-256 of canonical bytes, cut to 40 upper-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageHashes {
    /// Over the whole image.
    pub full: String,
    /// Over the image without its insignificant fields.
    pub smart: String,
}

/// Canonical bytes of a value: sorted keys, exact integers, no white space. `serde_json` without
/// `preserve_order` keeps maps sorted; a test says that it is so.
#[must_use]
pub fn canonical_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// SHA-256 cut to 40 upper-case hex digits, the width of the `full_hash` and `smart_hash` columns.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex::encode_upper(&Sha256::digest(bytes)[..20])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_bytes_have_sorted_keys_and_exact_integers() {
        let value = json!({"b": 18_446_744_073_709_551_615_u64, "a": [1, "x"], "A": null});
        assert_eq!(canonical_bytes(&value), br#"{"A":null,"a":[1,"x"],"b":18446744073709551615}"#);
    }

    /// Expected value from `printf abc | sha256sum`.
    #[test]
    fn a_hash_is_the_first_half_of_sha256_in_upper_case() {
        assert_eq!(hash_bytes(b"abc"), "BA7816BF8F01CFEA414140DE5DAE2223B00361A3");
    }
}
