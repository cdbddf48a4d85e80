//! Ids: 32 lower-case hexadecimal digits that follow from the seed, the kind of row and its number.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The kinds of rows that have an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Identity,
    Workgroup,
    Account,
    Entitlement,
    Application,
    ApplicationSchema,
    ManagedAttribute,
    Role,
    Profile,
    ProfileRelation,
    Capability,
    Right,
    Scope,
    ObjectConfig,
    Configuration,
    Classification,
    ObjectClassification,
    ExternalAttribute,
    Policy,
    SodConstraint,
    Violation,
    HistoryItem,
    Mitigation,
    Request,
    RequestItem,
    CertificationDefinition,
    CertificationGroup,
    Certification,
    CertificationEntity,
    CertificationItem,
    CertificationAction,
    Snapshot,
    SignOff,
    RoleMetadata,
    AuditEvent,
    InterceptedDelete,
}

/// Makes ids, and counts the rows of each kind.
///
/// As in IdentityIQ, ids of one database begin alike, and later ones sort after earlier ones of their kind.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    prefix: String,
    next: BTreeMap<Kind, u64>,
}

impl Ids {
    /// Ids of the world of a seed, from these counts on.
    pub(crate) fn new(seed: u64, next: BTreeMap<Kind, u64>) -> Self {
        Self { prefix: hex(&Sha256::digest(seed.to_le_bytes())[..6]), next }
    }

    /// How many there are of each kind.
    pub(crate) fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.next
    }

    /// How many there are of a kind.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.next.get(&kind).copied().unwrap_or(0)
    }

    /// The id of the row with this number, from 0.
    pub(crate) fn nth(&self, kind: Kind, number: u64) -> String {
        let mut seed = [0_u8; 24];
        seed[..12].copy_from_slice(self.prefix.as_bytes());
        seed[12] = kind as u8;
        seed[13..21].copy_from_slice(&number.to_le_bytes());
        let digest = Sha256::digest(seed);
        let mut id = String::with_capacity(32);
        id.push_str(&self.prefix);
        // Numbers take 10 digits and chance 8, so that the end of an id is as unlike its neighbours' as in the original.
        let _infallible = write!(id, "{:02x}{number:010x}", kind as u8);
        id.push_str(&hex(&digest[..4]));
        id
    }

    /// The id of the next row.
    pub(crate) fn next(&mut self, kind: Kind) -> String {
        let number = self.next.entry(kind).or_insert(0);
        let current = *number;
        *number += 1;
        self.nth(kind, current)
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_sort_by_number() {
        let mut ids = Ids::new(42, BTreeMap::new());
        let made: Vec<String> = (0..300).map(|_| ids.next(Kind::Account)).collect();
        assert!(made.iter().all(|id| id.len() == 32));
        assert!(made.iter().all(|id| id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))));
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(made[7], ids.nth(Kind::Account, 7));
        assert_eq!(ids.count(Kind::Account), 300);
    }

    #[test]
    fn another_kind_or_seed_has_other_ids() {
        let ids = Ids::new(42, BTreeMap::new());
        assert_ne!(ids.nth(Kind::Account, 0), ids.nth(Kind::Entitlement, 0));
        assert_ne!(ids.nth(Kind::Account, 0), Ids::new(43, BTreeMap::new()).nth(Kind::Account, 0));
    }
}
