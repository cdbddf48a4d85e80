//! Documents from all over an object type's captures.

use annals_model::{JsonFormat, ObjectType};
use annals_sql::Tx;
use serde_json::Value;

use crate::Error;
use crate::encoding::Decoder;
use crate::layout::layout;
use crate::training::SAMPLE_BYTES_MAX;

/// Some of an object type's documents.
pub(crate) struct Sampled {
    /// Captures of the type, about.
    pub(crate) captures: i64,
    /// Bytes as stored, and the minified JSON.
    pub(crate) documents: Vec<(usize, Vec<u8>)>,
}

/// Samples an object type's captures. Left out are large documents and those that cannot be read back, which others
/// report.
pub(crate) async fn sample(
    tx: &mut Tx,
    object_type: ObjectType,
    captures_max: u32,
) -> Result<Sampled, Error> {
    let columns = format!("case when length(json) <= {SAMPLE_BYTES_MAX} then json end, json_format");
    let sample = tx.sample(layout(object_type).table.name, &columns, captures_max).await?;
    let mut stored = Vec::with_capacity(sample.rows.len());
    for row in &sample.rows {
        if let Some(bytes) = row.bytes(0)? {
            stored.push((bytes, row.text(1)?.unwrap_or_default()));
        }
    }
    let decoder = Decoder::of(tx, stored.iter().copied()).await?;
    let documents = stored
        .into_iter()
        .filter_map(|(bytes, format)| {
            let json = decoder.decode(bytes, format).ok()?;
            Some((bytes.len(), minify(json, format).ok()?))
        })
        .collect();
    Ok(Sampled { captures: sample.table_rows, documents })
}

/// JSON without white space, of a document that was stored in this format.
pub(crate) fn minify(json: Vec<u8>, format: &str) -> Result<Vec<u8>, serde_json::Error> {
    if format != JsonFormat::Pretty.as_str() {
        return Ok(json);
    }
    serde_json::to_vec(&serde_json::from_slice::<Value>(&json)?)
}
