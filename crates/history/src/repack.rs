//! Rewriting captures in another form: their documents only, batch by batch.

use std::borrow::Cow;
use std::collections::BTreeSet;

use annals_model::{JsonFormat, ObjectType};
use annals_sql::{Batch, Column, ColumnData, Tx, Value as Param};
use futures::TryStreamExt as _;

use crate::dictionary::{Dictionaries, renew};
use crate::encoding::{Decoder, EncodeError, Encoder, dictionary_of, lay_out};
use crate::error::Fault;
use crate::layout::layout;
use crate::sample::minify;
use crate::{Error, RebuildError};

/// A batch ends at so many bytes as stored, however few its captures are.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// What becomes of an object type's dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Training {
    /// The newest one serves; one is trained where there is none.
    WhereNone,
    /// A new one is trained from the captures that are there.
    Anew,
}

/// An object type's captures on their way into another form. Needs no state of its own to go on after a crash: what is
/// in that form already is passed over.
#[derive(Debug)]
pub struct Repack {
    object_type: ObjectType,
    encoder: Encoder,
    decoder: Decoder,
    after: String,
    /// Captures of the type, about.
    pub captures: u64,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Repacked {
    /// Captures looked at.
    pub captures: u64,
    /// Those of them that were rewritten.
    pub rewritten: u64,
    /// Bytes that the documents of all took before.
    pub bytes_before: u64,
    /// Bytes that they take now.
    pub bytes_after: u64,
    /// Captures that cannot be read or would not be the same, left as they are.
    pub unreadable: Vec<RebuildError>,
}

impl Repacked {
    /// Adds what another batch came to.
    pub fn add(&mut self, other: Self) {
        self.captures += other.captures;
        self.rewritten += other.rewritten;
        self.bytes_before += other.bytes_before;
        self.bytes_after += other.bytes_after;
        self.unreadable.extend(other.unreadable);
    }
}

/// A capture's row.
struct Stored {
    id: String,
    json: Option<Vec<u8>>,
    format: String,
}

impl Repack {
    /// Makes ready for an object type's captures; where a dictionary is trained, it lasts when the transaction is
    /// committed.
    ///
    /// # Errors
    /// As any call.
    pub async fn begin(
        tx: &mut Tx,
        object_type: ObjectType,
        format: JsonFormat,
        training: Training,
    ) -> Result<Self, Error> {
        if training == Training::Anew && format == JsonFormat::Compact {
            renew(tx, object_type).await?;
        }
        let types = BTreeSet::from([object_type]);
        let encoder = Dictionaries::default().encoder(tx, format, types, |_| Vec::new()).await?;
        let mut decoder = Decoder::default();
        decoder.learn(tx, encoder.dictionary(object_type).into_iter().collect()).await?;
        let captures = tx.estimate_rows(layout(object_type).table.name).await?;
        let captures = u64::try_from(captures).unwrap_or_default();
        Ok(Self { object_type, encoder, decoder, after: String::new(), captures })
    }

    /// Rewrites the next captures, at most so many; none when there are no more. Their hashes and every other column
    /// stay, and each document was read back from its new form and compared before it is written.
    ///
    /// # Errors
    /// As any call; the transaction is then to be rolled back.
    pub async fn batch(&mut self, tx: &mut Tx, captures_max: u32) -> Result<Option<Repacked>, Error> {
        let page = self.page(tx, captures_max).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after.clone_from(&last.id);
        let compact = page.iter().filter(|row| row.format == JsonFormat::Compact.as_str());
        let needed = compact.filter_map(|row| dictionary_of(row.json.as_deref()?)).collect();
        self.decoder.learn(tx, needed).await?;

        let table = layout(self.object_type).table.name;
        let mut repacked = Repacked::default();
        let (mut ids, mut documents) = (Vec::new(), Vec::new());
        for row in page {
            let before = row.json.as_ref().map_or(0, Vec::len) as u64;
            repacked.captures += 1;
            repacked.bytes_before += before;
            match self.rewrite(&row) {
                Ok(None) => repacked.bytes_after += before,
                Ok(Some(document)) => {
                    repacked.rewritten += 1;
                    repacked.bytes_after += document.len() as u64;
                    ids.push(Some(row.id));
                    documents.push(Some(document));
                }
                Err(fault) => {
                    repacked.bytes_after += before;
                    repacked.unreadable.push(RebuildError { table, capture_id: row.id, fault });
                }
            }
        }
        let formats = vec![Some(self.encoder.format().as_str().to_owned()); ids.len()];
        let columns = vec![
            Column { name: "id", data: ColumnData::Text(ids) },
            Column { name: "json", data: ColumnData::Bytes(documents) },
            Column { name: "json_format", data: ColumnData::Text(formats) },
        ];
        tx.update(table, "id", Batch::new(columns)).await?;
        Ok(Some(repacked))
    }

    /// The next rows, no more of them than fit into memory.
    async fn page(&self, tx: &mut Tx, captures_max: u32) -> Result<Vec<Stored>, Error> {
        let params = vec![Param::from(self.after.as_str()), Param::from(captures_max)];
        let mut rows = tx.fetch(&layout(self.object_type).page, params)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES_MAX
            && let Some(row) = rows.try_next().await?
        {
            let json = row.bytes(1)?.map(<[u8]>::to_vec);
            bytes += json.as_ref().map_or(0, Vec::len);
            let format = row.text(2)?.unwrap_or_default().to_owned();
            page.push(Stored { id: row.required_text(0)?.to_owned(), json, format });
        }
        Ok(page)
    }

    /// A capture's document in its new form; none where it has that already.
    fn rewrite(&mut self, row: &Stored) -> Result<Option<Vec<u8>>, Fault> {
        let stored = row.json.as_deref().ok_or(Fault::NoDocument)?;
        let dictionary = self.encoder.dictionary(self.object_type);
        let (old_format, new_format) = (row.format.as_str(), self.encoder.format().as_str());
        let is_compact = self.encoder.format() == JsonFormat::Compact;
        if old_format == new_format && (!is_compact || dictionary_of(stored) == dictionary) {
            return Ok(None);
        }
        let old = self.decoder.decode(stored, old_format)?;
        let json = minify(old.clone(), old_format).map_err(Fault::Json)?;
        let again = self.encoder.encode(self.object_type, json.clone()).map_err(|error| match error {
            EncodeError::NotJson(error) => Fault::Json(error),
            EncodeError::Compress(reason) => Fault::NotRewritten { reason },
        })?;
        // The new form is that of the same JSON, and that JSON is all there was in the old form.
        let new = self.decoder.decode(&again, new_format)?;
        if in_form(&json, new_format)? == new && in_form(&json, old_format)? == old {
            Ok(Some(again))
        } else {
            Err(Fault::NotRewritten { reason: "it would not be the same" })
        }
    }
}

/// Minified JSON as a format has it.
fn in_form<'j>(json: &'j [u8], format: &str) -> Result<Cow<'j, [u8]>, Fault> {
    if format == JsonFormat::Pretty.as_str() {
        return lay_out(json).map(Cow::Owned).map_err(Fault::Json);
    }
    Ok(Cow::Borrowed(json))
}
