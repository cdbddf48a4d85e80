//! Patch or full: the document of a changed object's capture.

use annals_history::HeadImage;
use annals_model::Image;
use json_patch::jsonptr::{Pointer, PointerBuf};
use json_patch::{PatchOperation, ReplaceOperation};
use serde_json::{Map, Value};

/// Where the image stands in a document.
const IMAGE: &Pointer = Pointer::from_static("/eventImage");
/// Where a document names the transform that made the image.
const TRANSFORM: &str = "transformationConfigName";

/// The operations that make the document of an image, given by its canonical bytes, out of the document before, as
/// minified JSON; none if they are not smaller than the document, or if applying them does not give the image back to the
/// byte.
pub(crate) fn patch(
    operations: Vec<PatchOperation>,
    old: HeadImage,
    bytes: &[u8],
    transform: &str,
    document_bytes: usize,
) -> Option<Vec<u8>> {
    let other_transform = old.transform != transform;
    let patched = gives_back(&operations, old.image, bytes);
    let mut operations: Vec<PatchOperation> = operations.into_iter().map(in_document).collect();
    if other_transform {
        operations.push(PatchOperation::Replace(ReplaceOperation {
            path: PointerBuf::from_tokens([TRANSFORM]),
            value: transform.into(),
        }));
    }
    let json = serde_json::to_vec(&operations).ok()?;
    (patched && json.len() < document_bytes).then_some(json)
}

fn gives_back(operations: &[PatchOperation], old: Image, bytes: &[u8]) -> bool {
    let mut image = Value::Object(Map::from_iter([
        ("imageFields".to_owned(), Value::Object(old.image_fields)),
        ("imageType".to_owned(), Value::String(old.image_type)),
    ]));
    json_patch::patch_unsafe(&mut image, operations).is_ok() && annals_model::canonical_bytes(&image) == bytes
}

fn in_document(operation: PatchOperation) -> PatchOperation {
    let path = |path: &PointerBuf| IMAGE.concat(path);
    match operation {
        PatchOperation::Add(mut add) => {
            add.path = path(&add.path);
            PatchOperation::Add(add)
        }
        PatchOperation::Remove(mut remove) => {
            remove.path = path(&remove.path);
            PatchOperation::Remove(remove)
        }
        PatchOperation::Replace(mut replace) => {
            replace.path = path(&replace.path);
            PatchOperation::Replace(replace)
        }
        // A difference has no others.
        other => other,
    }
}
