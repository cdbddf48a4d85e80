//! An identity system, opened for reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_config::filter::Expr;
use annals_config::profile::Profile;
use annals_model::{Collection, ImageSchema, ObjectType};
use annals_sql::fault::{self, Defect};
use annals_sql::{Db, OpenTransactions};

use crate::attribute_xml::Limits;
use crate::catalogue::{Catalogue, Survey};
use crate::deletion::DeletesPlan;
use crate::error::{Error, Result};
use crate::plan::TypePlan;
use crate::release;
use crate::secret::SecretPolicy;

/// What the service configuration says about reading.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Caps on one column's text; an object past one is a named failure.
    pub limits: Limits,
    /// Bytes of one image: an object of which more is read is a named failure, before all of it is in memory.
    pub document_bytes_max: usize,
    /// Key of the hash in masks of secrets, at least [`crate::secret::KEY_BYTES_MIN`] bytes.
    pub secret_key: Vec<u8>,
}

/// An identity system, opened for reading. Cheap to share: put it in an `Arc`.
#[derive(Debug)]
pub struct Source {
    pub(crate) db: Db,
    pub(crate) profile: Arc<Profile>,
    pub(crate) limits: Limits,
    pub(crate) document_bytes_max: usize,
    pub(crate) secrets: SecretPolicy,
    pub(crate) plans: BTreeMap<ObjectType, TypePlan>,
    pub(crate) deletes: Option<DeletesPlan>,
    release: Option<String>,
    pub(crate) given_now_ms: Option<i64>,
}

/// How far a run that begins now will surely have read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    /// Epoch milliseconds of the source's clock.
    pub at_ms: i64,
    /// Why the source does not tell when its open transactions began, and what to do about it.
    pub blind: Option<String>,
    /// Where what is read has not been read before, or is to be read again.
    pub kind: HorizonKind,
}

/// How far a horizon is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HorizonKind {
    /// It holds, or the overlap alone guards it, as it always did on this source.
    Plain,
    /// The source is a replica.
    OfReplica,
    /// Transactions are prepared that began nobody knows when, after the last horizon that was plain: that one holds still.
    Stays,
}

impl Horizon {
    fn plain(at_ms: i64, blind: Option<String>) -> Self {
        Self { at_ms, blind, kind: HorizonKind::Plain }
    }
}

fn of_replica(has_ms: Option<i64>) -> String {
    let lag = if has_ms.is_some() { "" } else { " and the replica lags" };
    format!(
        "the source is a replica, which does not know the transactions of its primary: read the primary, \
         or set source.overlapSeconds to the longest time that a transaction takes{lag}"
    )
}

fn of_prepared(number: i64) -> String {
    format!(
        "the source has {number} prepared transactions, which nobody can tell when they began: the named timestamp \
         stays where it is, and what came since is read again, until they are committed or rolled back"
    )
}

impl Source {
    /// Compares the profile with the database's catalogue and plans how each object type is read. A column or table
    /// with a `since` later than the system's release may be missing: it is null then.
    ///
    /// # Errors
    /// [`Error::Profile`] with everything that the profile names and the database does not have (TRAP-18), or has in a
    /// type that cannot be meant; [`Error::Key`]; [`Error::Database`].
    pub async fn open(db: Db, profile: Arc<Profile>, settings: SourceSettings) -> Result<Self> {
        let secrets = SecretPolicy::new(&profile.secrets, &settings.secret_key)?;
        let mut tx = db.begin_read().await?;
        let mut catalogue = Catalogue::read(&mut tx, &profile).await?;
        let (release, mut mismatches) = release::read(&mut tx, &catalogue, &profile).await?;
        tx.rollback().await?;
        catalogue.release = release;

        let mut survey = Survey::new(&catalogue);
        let deletes = DeletesPlan::new(&mut survey, &profile);
        let mut plans = BTreeMap::new();
        for (object_type, type_profile) in &profile.object_types {
            plans.extend(
                TypePlan::new(&mut survey, *object_type, type_profile).map(|plan| (*object_type, plan)),
            );
        }
        mismatches.append(&mut survey.mismatches);
        if !mismatches.is_empty() {
            return Err(Error::Profile { profile: profile.name.clone(), mismatches });
        }
        let release = catalogue.release;
        Ok(Self {
            db,
            profile,
            limits: settings.limits,
            document_bytes_max: settings.document_bytes_max,
            secrets,
            plans,
            deletes,
            release,
            given_now_ms: None,
        })
    }

    /// The profile it is read by.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The release of the system, as it calls it; `None` where the profile does not say where it stands, or no row does.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// Gives the source another time than its clock's, epoch milliseconds: a generated identity system lives through
    /// days of its own.
    #[must_use]
    pub fn with_time(mut self, now_ms: i64) -> Self {
        self.given_now_ms = Some(now_ms);
        self
    }

    /// Masks secrets as values of this source are masked.
    #[must_use]
    pub fn secrets(&self) -> &SecretPolicy {
        &self.secrets
    }

    /// The source's time, epoch milliseconds.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn now_ms(&self) -> Result<i64> {
        match self.given_now_ms {
            Some(now_ms) => Ok(now_ms),
            None => Ok(self.db.now_ms().await?),
        }
    }

    /// The instant up to which a run that begins now has surely seen everything (TRAP-04): the source's time, or the
    /// beginning of its oldest open transaction where it tells that, less the overlap. Where it tells, the overlap has
    /// to cover no more than what the clocks of the system's hosts differ by; else the longest transaction.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn horizon(&self, overlap_ms: i64) -> Result<Horizon> {
        let now_ms = self.now_ms().await?;
        if self.given_now_ms.is_some() {
            return Ok(Horizon::plain(now_ms.saturating_sub(overlap_ms), None));
        }
        let before = |seen_ms: i64| seen_ms.min(now_ms).saturating_sub(overlap_ms);
        Ok(match self.db.open_transactions().await? {
            OpenTransactions::BeganFrom(_) if fault::defect(Defect::NoHorizon) => {
                Horizon::plain(before(now_ms), None)
            }
            OpenTransactions::BeganFrom(oldest_ms) => Horizon::plain(before(oldest_ms), None),
            OpenTransactions::Unknown(remedy) => Horizon::plain(before(now_ms), remedy),
            OpenTransactions::Replica(has_ms) => Horizon {
                at_ms: before(has_ms.unwrap_or(now_ms)),
                blind: Some(of_replica(has_ms)),
                kind: HorizonKind::OfReplica,
            },
            OpenTransactions::Prepared(number) => {
                Horizon { at_ms: before(now_ms), blind: Some(of_prepared(number)), kind: HorizonKind::Stays }
            }
        })
    }

    /// How long ago its oldest open transaction began, milliseconds; `None` where the source does not tell.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn oldest_transaction_age_ms(&self) -> Result<Option<i64>> {
        let now_ms = self.db.now_ms().await?;
        Ok(match self.db.open_transactions().await? {
            OpenTransactions::BeganFrom(oldest_ms) => Some((now_ms - oldest_ms).max(0)),
            OpenTransactions::Unknown(_) | OpenTransactions::Replica(_) | OpenTransactions::Prepared(_) => {
                None
            }
        })
    }

    /// The collections of an object type by property name, with the members that tell their elements apart and
    /// whether their order means something.
    ///
    /// # Errors
    /// [`Error::NoObjectType`].
    pub fn schema(&self, object_type: ObjectType) -> Result<ImageSchema> {
        let of_profile = self.profile.object_types.get(&object_type);
        let of_profile = of_profile.ok_or_else(|| self.no_object_type(object_type))?;
        let collections = of_profile.collections.iter().map(|(name, collection)| {
            (name.clone(), Collection { key: collection.key.clone(), ordered: collection.order.is_some() })
        });
        Ok(ImageSchema { collections: collections.collect(), ..ImageSchema::default() })
    }

    /// Whether the filter of an extract configuration can be put to this source.
    ///
    /// # Errors
    /// [`Error::Filter`] with all its problems; [`Error::NoObjectType`].
    pub fn check_filter(&self, object_type: ObjectType, filter: &Expr) -> Result<()> {
        self.plan(object_type)?.task_filter(filter, &self.secrets).map(drop)
    }

    pub(crate) fn plan(&self, object_type: ObjectType) -> Result<&TypePlan> {
        self.plans.get(&object_type).ok_or_else(|| self.no_object_type(object_type))
    }

    fn no_object_type(&self, object_type: ObjectType) -> Error {
        Error::NoObjectType { profile: self.profile.name.clone(), object_type }
    }
}
