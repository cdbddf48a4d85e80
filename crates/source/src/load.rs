//! Objects with all their parts, a batch at a time.
//!
//! A batch takes one query for the objects, one for each table of a collection and one for each `qualifies` rule, however many
//! objects it has, all in one transaction that sees one state of the source.

use std::collections::BTreeSet;

use annals_model::{ObjectType, Reference};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::plan::TypePlan;
use crate::source::Source;

mod batch;
mod draft;
mod reading;
mod selected;

use batch::Batch;
use reading::Reading;

/// Which properties are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that the profile has.
    All,
    /// These properties and collections, by name.
    Properties(BTreeSet<String>),
}

impl Selection {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Properties(names) => names.contains(name),
        }
    }
}

/// A batch of objects as the source had them at one moment. Each id that was asked for stands in exactly one of
/// `objects`, `missing` and `failed`, in the order in which it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedBatch {
    /// The source's time of reading, epoch milliseconds.
    pub observed_ms: i64,
    /// The objects.
    pub objects: Vec<Loaded>,
    /// Ids that the source does not have, or not as objects of this type any more.
    pub missing: Vec<String>,
    /// Ids of objects that could not be read, each with what is wrong: table and column, never a value.
    pub failed: Vec<(String, String)>,
    /// How many queries it took.
    pub queries: u32,
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Id.
    pub id: String,
    /// Name; the id stands in where there is none.
    pub name: String,
    /// The identity it belongs to, for types that belong to one.
    pub identity: Option<Reference>,
    /// The newest change time of the object and of what qualifies it, epoch milliseconds; where nothing says when it
    /// changed, the time of reading.
    pub occurred_ms: i64,
    /// Properties and collections by name, secrets masked. What has no value is left out, in elements too.
    pub properties: Map<String, Value>,
}

impl Source {
    /// Reads objects with all their parts. Collections are arrays, sorted by their key if they are sets.
    ///
    /// An object that cannot be read fails alone and by name; the others of its batch arrive.
    ///
    /// # Errors
    /// [`Error::NoProperty`], [`Error::NoObjectType`], [`Error::Database`].
    pub async fn load(
        &self,
        object_type: ObjectType,
        ids: &[String],
        selection: &Selection,
    ) -> Result<LoadedBatch> {
        let plan = self.plan(object_type)?;
        check_selection(plan, selection)?;
        let mut batch = Batch::new(ids, self.document_bytes_max);
        let mut reading = Reading::begin(self, plan).await?;
        let observed_ms = match self.given_now_ms {
            Some(now_ms) => now_ms,
            None => reading.now_ms().await?,
        };
        reading.objects(&mut batch, selection).await?;
        for (name, collection) in plan.collections.iter().filter(|(name, _)| selection.has(name)) {
            reading.collection(&mut batch, name, collection.as_ref()).await?;
        }
        for rule in &plan.qualifies {
            reading.changes(&mut batch, rule).await?;
        }
        let queries = reading.end().await?;
        Ok(batch.finish(observed_ms, queries, &self.secrets))
    }
}

fn check_selection(plan: &TypePlan, selection: &Selection) -> Result<()> {
    let Selection::Properties(names) = selection else { return Ok(()) };
    let unknown = |name: &&String| {
        !plan.properties.contains_key(name.as_str()) && !plan.collections.contains_key(name.as_str())
    };
    let properties: Vec<String> = names.iter().filter(unknown).cloned().collect();
    if properties.is_empty() {
        Ok(())
    } else {
        Err(Error::NoProperty { object_type: plan.object_type, properties })
    }
}
