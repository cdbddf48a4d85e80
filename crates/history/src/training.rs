//! Making a dictionary of documents.

use serde_json::Value;

/// Fewer documents make a dictionary that would serve those to come badly, for it is made only once.
pub(crate) const SAMPLES_MIN: usize = 100;
/// More documents make it no better: training takes some 30 milliseconds.
pub(crate) const SAMPLES_MAX: usize = 500;
/// A larger document has its repetitions in itself.
pub(crate) const SAMPLE_BYTES_MAX: usize = 65_536;
/// All samples together.
const TRAINING_BYTES_MAX: usize = 512 << 10;
/// The largest dictionary: on captures of some hundred bytes a larger one makes them larger again.
const DICTIONARY_BYTES_MAX: usize = 32 << 10;
/// A dictionary that is not much smaller than what it is made of holds whole samples instead of what they share.
const SAMPLES_PER_DICTIONARY: usize = 10;

/// Why there is no dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untrained {
    /// Fewer than [`SAMPLES_MIN`] documents.
    TooFew,
    /// zstd finds nothing in them.
    Failed(&'static str),
}

/// A dictionary for documents like these and for patches of them.
pub(crate) fn train(samples: &[Vec<u8>]) -> Result<Vec<u8>, Untrained> {
    let mut bytes = Vec::new();
    let mut sizes = Vec::new();
    let samples = samples.iter().filter(|sample| sample.len() <= SAMPLE_BYTES_MAX).take(SAMPLES_MAX);
    let mut documents = 0;
    for (nth, sample) in samples.enumerate() {
        documents += 1;
        for part in std::iter::once(sample).chain(&patch_like(sample, nth)) {
            if bytes.len() + part.len() <= TRAINING_BYTES_MAX {
                bytes.extend_from_slice(part);
                sizes.push(part.len());
            }
        }
    }
    if documents < SAMPLES_MIN {
        return Err(Untrained::TooFew);
    }
    let mut dictionary = Vec::with_capacity(DICTIONARY_BYTES_MAX.min(bytes.len() / SAMPLES_PER_DICTIONARY));
    match zstd_safe::train_from_buffer(&mut dictionary, &bytes, &sizes) {
        Ok(_) => Ok(dictionary),
        Err(code) => Err(Untrained::Failed(zstd_safe::get_error_name(code))),
    }
}

/// A patch such as a change of one of the document's fields would make: the first captures, of which a dictionary is
/// trained, hold none, and without it patches gain half as much. None for what is no document with an image.
fn patch_like(document: &[u8], nth: usize) -> Option<Vec<u8>> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let fields = document.get("eventImage")?.get("imageFields")?.as_object()?;
    let (name, value) = fields.iter().nth(nth.checked_rem(fields.len())?)?;
    let operation = match value.as_array().and_then(|elements| elements.first()) {
        Some(element) => {
            format!(r#"[{{"op":"add","path":"/eventImage/imageFields/{name}/0","value":{element}}}]"#)
        }
        None => format!(r#"[{{"op":"replace","path":"/eventImage/imageFields/{name}","value":{value}}}]"#),
    };
    Some(operation.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Vec<Vec<u8>> {
        let fields =
            |n: usize| format!(r#"{{"manager":null,"name":"person {n}","number":{}}}"#, n * n * 7919);
        (0..count)
            .map(|n| format!(r#"{{"eventImage":{{"imageFields":{}}}}}"#, fields(n)).into_bytes())
            .collect()
    }

    #[test]
    fn a_few_documents_make_no_dictionary() {
        assert_eq!(train(&documents(99)), Err(Untrained::TooFew));
        let dictionary = train(&documents(100)).unwrap();
        assert!((256..=32 << 10).contains(&dictionary.len()), "{}", dictionary.len());
        let mut large = documents(99);
        large.push(vec![b' '; SAMPLE_BYTES_MAX + 1]);
        assert_eq!(train(&large), Err(Untrained::TooFew));
    }

    #[test]
    fn documents_that_share_nothing_are_no_reason_to_fail_otherwise() {
        let empty = vec![Vec::new(); 200];
        assert!(matches!(train(&empty), Err(Untrained::Failed(_))));
    }

    /// A patch names the field by its path, and an element of a list by its place.
    #[test]
    fn patches_are_made_of_the_documents_fields() {
        let document = br#"{"eventImage":{"imageFields":{"a":1,"b":[{"id":"x"}],"c":[]}}}"#;
        let made = |nth| String::from_utf8(patch_like(document, nth).unwrap()).unwrap();
        assert_eq!(made(0), r#"[{"op":"replace","path":"/eventImage/imageFields/a","value":1}]"#);
        assert_eq!(made(1), r#"[{"op":"add","path":"/eventImage/imageFields/b/0","value":{"id":"x"}}]"#);
        assert_eq!(made(5), r#"[{"op":"replace","path":"/eventImage/imageFields/c","value":[]}]"#);
        assert_eq!(patch_like(br#"{"eventImage":{"imageFields":{}}}"#, 0), None);
        assert_eq!(patch_like(b"[]", 0), None);
    }
}
