//! What identities have access to: access items, how an identity came by them, and since when and until when it held
//! them.
//!
//! All of it is told by the identity's own captures, so that one object's captures in their order decide. What they do
//! not tell is which role granted an entitlement and which certification looked at it: the former is told by the
//! captures of the roles ([`Grant`]), the latter by those of the entitlement.

mod grants;
mod holdings;
mod ledger;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use grants::{Grant, GrantWay, grants};
pub use holdings::holdings;
pub use ledger::{AccessInterval, AccessState, IntervalEnd, Ledger, LedgerRow};

/// The lists of an identity's image that say what it holds, and how it came by it.
pub const ACCESS_LISTS: [&str; 7] = [
    "accounts",
    "assignedRoles",
    "capabilities",
    "detectedRoles",
    "entitlements",
    "roleAssignments",
    "workgroups",
];

/// The kinds of access item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the word of the architecture's word list")]
pub enum AccessKind {
    Account,
    Entitlement,
    AssignedRole,
    DetectedRole,
    Capability,
    Workgroup,
}

impl AccessKind {
    /// All of them, in the order in which answers list them.
    pub const ALL: [Self; 6] = [
        Self::Account,
        Self::AssignedRole,
        Self::DetectedRole,
        Self::Entitlement,
        Self::Capability,
        Self::Workgroup,
    ];

    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Entitlement => "entitlement",
            Self::AssignedRole => "assignedRole",
            Self::DetectedRole => "detectedRole",
            Self::Capability => "capability",
            Self::Workgroup => "workgroup",
        }
    }

    /// The number that stands for it in `annals_access_item.kind`.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Account => 1,
            Self::Entitlement => 2,
            Self::AssignedRole => 3,
            Self::DetectedRole => 4,
            Self::Capability => 5,
            Self::Workgroup => 6,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// How an identity came by an access item: any of five ways, or none where its image does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Acquired(i64);

impl Acquired {
    /// Somebody or some rule gave it.
    pub const ASSIGNED: Self = Self(1);
    /// It was found: in the application, or by what somebody holds.
    pub const DETECTED: Self = Self(2);
    /// It came with a role.
    pub const GRANTED: Self = Self(4);
    /// It was asked for; the request item is named beside it.
    pub const REQUESTED: Self = Self(8);
    /// A certification brought it.
    pub const CERTIFIED: Self = Self(16);

    const WORDS: [(Self, &'static str); 5] = [
        (Self::ASSIGNED, "assigned"),
        (Self::DETECTED, "detected"),
        (Self::GRANTED, "granted"),
        (Self::REQUESTED, "requested"),
        (Self::CERTIFIED, "certified"),
    ];

    /// Both ways.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This way, if.
    #[must_use]
    pub const fn only_if(self, condition: bool) -> Self {
        if condition { self } else { Self(0) }
    }

    /// Whether this way is among them.
    #[must_use]
    pub const fn has(self, way: Self) -> bool {
        self.0 & way.0 != 0
    }

    /// As it stands in `annals_access_interval.acquired`: the sum of the ways.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The ways of a number.
    #[must_use]
    pub const fn of_number(number: i64) -> Self {
        Self(number)
    }

    /// The words for it.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        Self::WORDS.into_iter().filter(|(way, _)| self.has(*way)).map(|(_, word)| word).collect()
    }
}

/// Something that identities can have access to, as it was called then: a row of `annals_access_item`, which thousands
/// of holders share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessItem {
    /// What kind of item.
    pub kind: AccessKind,
    /// Id of the role, capability or workgroup; none of an account or entitlement, which the rest tells.
    pub id: Option<String>,
    /// Name of the role, capability or workgroup, display name of the entitlement.
    pub name: Option<String>,
    /// Id of the application.
    pub application_id: Option<String>,
    /// Name of the application.
    pub application: Option<String>,
    /// Instance of the application.
    pub instance: Option<String>,
    /// It is a permission: `attribute` has the target and `value` the rights.
    pub permission: bool,
    /// Attribute of the account.
    pub attribute: Option<String>,
    /// Value of the attribute.
    pub value: Option<String>,
}

impl AccessItem {
    /// Its number: the first 64 bits of a SHA-256 over all that it says. So items have the same numbers in every history,
    /// and nothing need be looked up to know one.
    #[must_use]
    pub fn number(&self) -> i64 {
        let mut hash = Sha256::new();
        hash.update([u8::try_from(self.kind.number()).unwrap_or_default(), self.permission.into()]);
        let texts = [
            &self.id,
            &self.name,
            &self.application_id,
            &self.application,
            &self.instance,
            &self.attribute,
            &self.value,
        ];
        for text in texts {
            // Lengths tell where one text ends and the next begins, and nothing from an empty text.
            let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_le_bytes());
            hash.update(text.as_deref().unwrap_or_default());
        }
        let digest = hash.finalize();
        i64::from_be_bytes(std::array::from_fn(|index| digest[index]))
    }

    /// Whether it is the same access, perhaps under another name.
    #[must_use]
    pub fn is_same_access(&self, other: &Self) -> bool {
        self.access() == other.access()
    }

    /// What tells it from other access, whatever it is called: of an account and an entitlement application, instance,
    /// attribute and value, of the others the id, or where there is none the name.
    #[must_use]
    pub fn access(&self) -> (AccessKind, bool, [Option<&str>; 4]) {
        let told = match self.kind {
            AccessKind::Account | AccessKind::Entitlement => [
                self.application_id.as_deref().or(self.application.as_deref()),
                self.instance.as_deref(),
                self.attribute.as_deref(),
                self.value.as_deref(),
            ],
            _ => [self.id.as_deref().or(self.name.as_deref()), None, None, None],
        };
        (self.kind, self.permission, told)
    }
}

/// That an identity holds an access item, by which account, and how it came by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// Number of the item ([`AccessItem::number`]).
    pub item: i64,
    /// The account by which it is held, as the application names it.
    pub native_identity: Option<String>,
    /// How the identity came by it.
    pub acquired: Acquired,
    /// What brought it, in the identity system's words: `LCM`, `Rule`, `Aggregation`.
    pub cause: Option<String>,
    /// Who gave it.
    pub assigner: Option<String>,
    /// The request item that brought it.
    pub request_item_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: Option<&str>, name: &str) -> AccessItem {
        holdings::named(AccessKind::AssignedRole, id.map(str::to_owned), Some(name.to_owned()))
    }

    /// Worked out by Python's `hashlib`: 03 00, then the id's length and bytes, the name's, and five times a
    /// length of 2^64-1.
    #[test]
    fn an_items_number_is_that_of_its_content() {
        assert_eq!(role(Some("r1"), "R").number(), NUMBER);
        assert_ne!(role(Some("r1"), "S").number(), NUMBER);
        assert_ne!(role(Some("r"), "1R").number(), NUMBER);
        assert_ne!(AccessItem { kind: AccessKind::DetectedRole, ..role(Some("r1"), "R") }.number(), NUMBER);
    }

    const NUMBER: i64 = -5_167_797_161_965_701_841;

    #[test]
    fn a_role_is_told_by_its_id_and_without_one_by_its_name() {
        assert!(role(Some("r1"), "R").is_same_access(&role(Some("r1"), "R renamed")));
        assert!(!role(Some("r1"), "R").is_same_access(&role(Some("r2"), "R")));
        assert!(role(None, "R").is_same_access(&role(None, "R")));
        assert!(!role(None, "R").is_same_access(&role(None, "S")));
        let detected = AccessItem { kind: AccessKind::DetectedRole, ..role(Some("r1"), "R") };
        assert!(!role(Some("r1"), "R").is_same_access(&detected));
    }

    #[test]
    fn the_ways_have_words() {
        let ways = Acquired::GRANTED.and(Acquired::REQUESTED).and(Acquired::ASSIGNED.only_if(false));
        assert_eq!(ways.words(), ["granted", "requested"]);
        assert_eq!((ways.number(), Acquired::of_number(12)), (12, ways));
        assert_eq!(Acquired::default().words(), Vec::<&str>::new());
        for kind in AccessKind::ALL {
            assert_eq!(AccessKind::of_number(kind.number()), Some(kind));
        }
    }
}
