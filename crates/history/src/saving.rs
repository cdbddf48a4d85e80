//! What the `COMPACT` format would save on the captures that are there.

use annals_model::ObjectType;
use annals_sql::Tx;

use crate::Error;
use crate::dictionary::trial;
use crate::sample::sample;

/// Captures of each object type that are looked at.
const SAMPLE_MAX: u32 = 600;

/// Sizes of all documents, worked out from a sample of each object type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactSaving {
    /// Captures, about.
    pub captures: i64,
    /// Captures whose documents were looked at.
    pub sampled: i64,
    /// Bytes that the documents take, about.
    pub bytes: i64,
    /// Bytes that they would take.
    pub compact_bytes: i64,
}

impl CompactSaving {
    /// Hundredths of the bytes that would be saved; 0 where they would become more.
    #[must_use]
    pub fn percent(&self) -> i64 {
        (100 * (self.bytes - self.compact_bytes)).checked_div(self.bytes).unwrap_or_default().max(0)
    }
}

/// Compresses a sample of the captures and forgets the outcome. Where a type has no dictionary yet, one is made of half
/// of its sample and tried on the other half.
///
/// # Errors
/// As any call.
pub async fn compact_saving(tx: &mut Tx) -> Result<CompactSaving, Error> {
    let mut saving = CompactSaving::default();
    for object_type in ObjectType::ALL {
        let sampled = sample(tx, object_type, SAMPLE_MAX).await?;
        let even = || sampled.documents.iter().step_by(2).map(|(_, json)| json.clone()).collect();
        let (mut encoder, made) = trial(tx, object_type, even).await?;
        let odd = sampled.documents.iter().skip(usize::from(made && sampled.documents.len() > 1));
        let (mut measured, mut bytes, mut compact_bytes) = (0, 0, 0);
        for (stored, json) in odd.step_by(if made { 2 } else { 1 }) {
            if let Ok(compact) = encoder.encode(object_type, json.clone()) {
                measured += 1;
                bytes += stored;
                compact_bytes += compact.len();
            }
        }
        let of_all = |bytes: usize| {
            let all = i128::from(sampled.captures) * i128::try_from(bytes).unwrap_or_default();
            i64::try_from(all.checked_div(measured).unwrap_or_default()).unwrap_or(i64::MAX)
        };
        saving.captures += sampled.captures;
        saving.sampled += i64::try_from(sampled.documents.len()).unwrap_or_default();
        saving.bytes += of_all(bytes);
        saving.compact_bytes += of_all(compact_bytes);
    }
    Ok(saving)
}
