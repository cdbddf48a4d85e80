//! The stage that people act on: applications, catalogue, roles and policies, all of which follow from the seed.

use std::collections::BTreeMap;

use crate::applications::{self, Application, Grant};
use crate::dice::Dice;
use crate::governance::{self, SodConstraint};
use crate::id::{Ids, Kind};
use crate::organisation::DEPARTMENTS;
use crate::roles::{self, Role};
use crate::row::{Row, Stamps};
use crate::schema::Release;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// How many days before the start the system was upgraded to 8.4: rows not saved since lack `significant_modified`.
const UPGRADED_DAYS_AGO: i64 = 90;

/// What the world has besides people.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// Seed of the world.
    pub(crate) seed: u64,
    /// People at the start.
    pub(crate) identities: u32,
    /// The instant at which the first day begins.
    pub(crate) start_ms: i64,
    /// Release whose database it has.
    pub(crate) release: Release,
    /// Applications.
    pub(crate) applications: Vec<Application>,
    /// Catalogue, application by application.
    pub(crate) grants: Vec<Grant>,
    /// Roles.
    pub(crate) roles: Vec<Role>,
    /// Position of the first job's role.
    pub(crate) first_job_role: usize,
    /// Duties that must be apart.
    pub(crate) constraints: Vec<SodConstraint>,
    /// Classifications.
    pub(crate) classifications: Vec<String>,
    /// Ids by number.
    pub(crate) numbered: Ids,
}

impl Stage {
    /// The stage of a seed.
    pub(crate) fn new(seed: u64, identities: u32, start_ms: i64, release: Release) -> Self {
        let ids = Ids::new(seed, BTreeMap::new());
        let (applications, grants) = applications::applications(&ids, identities);
        let (roles, first_job_role) = roles::roles(&ids, &applications);
        let constraints = governance::constraints(&ids, &roles, first_job_role);
        let classifications = (0..governance::CLASSIFICATIONS.len() as u64)
            .map(|nth| ids.nth(Kind::Classification, nth))
            .collect();
        Self {
            seed,
            identities,
            start_ms,
            release,
            applications,
            grants,
            roles,
            first_job_role,
            constraints,
            classifications,
            numbered: ids,
        }
    }

    /// Id of the person with this number.
    pub(crate) fn identity_id(&self, number: u32) -> String {
        self.numbered.nth(Kind::Identity, u64::from(number))
    }

    /// How many people own things: the head of the house and the heads of departments. They never leave, so that
    /// nothing loses its owner.
    pub(crate) fn owners(&self) -> u32 {
        self.identities.min(1 + u32::try_from(DEPARTMENTS.len()).unwrap_or(0))
    }

    /// Id of one of the owners.
    pub(crate) fn owner(&self, nth: u64) -> String {
        self.identity_id(u32::try_from(nth % u64::from(self.owners())).unwrap_or(0))
    }

    /// Stamps of an object made up to so many days before the start.
    pub(crate) fn old_stamps(&self, dice: &mut Dice, days: i64) -> Stamps {
        let created = self.start_ms - dice.between(2 * DAY_MS, days * DAY_MS);
        self.stamps_since(dice, created)
    }

    /// Stamps of an object made then and, mostly, changed before the start.
    pub(crate) fn stamps_since(&self, dice: &mut Dice, created: i64) -> Stamps {
        let upgraded = self.start_ms - UPGRADED_DAYS_AGO * DAY_MS;
        if dice.percent(25) {
            let significant = (created >= upgraded).then_some(created);
            return Stamps { created, modified: None, significant };
        }
        let modified = dice.between(created, self.start_ms - HOUR_MS);
        let significant = if modified < upgraded {
            None
        } else if dice.percent(30) {
            // Touched last, changed some time before.
            Some(dice.between(created.max(upgraded), modified + 1))
        } else {
            Some(modified)
        };
        Stamps { created, modified: Some(modified), significant }
    }

    /// A row that gives an object a classification.
    pub(crate) fn classified(&self, ids: &mut Ids, owner: &str, owner_type: &str, dice: &mut Dice) -> Row {
        let stamps = self.old_stamps(dice, 400);
        Row::object("spt_object_classification", ids.next(Kind::ObjectClassification), stamps)
            .text("owner_id", owner)
            .text("owner_type", owner_type)
            .text("source", "Manual")
            .flag("effective", false)
            .text("classification_id", dice.pick(&self.classifications).as_str())
    }
}
