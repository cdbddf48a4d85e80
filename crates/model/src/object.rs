//! Objects of an identity system: their types and keys.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The kinds of object that history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each variant is the word of the architecture's word list")]
pub enum ObjectType {
    Identity,
    Account,
    Role,
    Entitlement,
    ManagedAttribute,
    Certification,
    CertificationRemediation,
    IdentityRequest,
    IdentityRequestItem,
    PolicyViolation,
    PolicyViolationRemediation,
    Capability,
    Workgroup,
    ObjectConfig,
}

impl ObjectType {
    /// All of them, in the order in which a run reads them: what is referred to comes before what refers to it.
    pub const ALL: [ObjectType; 14] = [
        Self::ObjectConfig,
        Self::Capability,
        Self::Workgroup,
        Self::Role,
        Self::ManagedAttribute,
        Self::Identity,
        Self::Account,
        Self::Entitlement,
        Self::IdentityRequest,
        Self::IdentityRequestItem,
        Self::Certification,
        Self::CertificationRemediation,
        Self::PolicyViolation,
        Self::PolicyViolationRemediation,
    ];

    /// The name used in configuration, tables and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Account => "account",
            Self::Role => "role",
            Self::Entitlement => "entitlement",
            Self::ManagedAttribute => "managedAttribute",
            Self::Certification => "certification",
            Self::CertificationRemediation => "certificationRemediation",
            Self::IdentityRequest => "identityRequest",
            Self::IdentityRequestItem => "identityRequestItem",
            Self::PolicyViolation => "policyViolation",
            Self::PolicyViolationRemediation => "policyViolationRemediation",
            Self::Capability => "capability",
            Self::Workgroup => "workgroup",
            Self::ObjectConfig => "objectConfig",
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no object type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an object type: use one of identity, account, role, entitlement, managedAttribute, certification, certificationRemediation, identityRequest, identityRequestItem, policyViolation, policyViolationRemediation, capability, workgroup, objectConfig"
)]
pub struct UnknownObjectType(pub String);

impl FromStr for ObjectType {
    type Err = UnknownObjectType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|object_type| object_type.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownObjectType(word.to_owned()))
    }
}

/// What names an object: source profile, object type, object id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// Name of the source profile.
    pub source: Arc<str>,
    /// Object type.
    pub object_type: ObjectType,
    /// Id in the identity system, as text.
    pub object_id: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.object_type, self.object_id, self.source)
    }
}

/// Another object, by id and, where known, name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Id in the identity system.
    pub id: String,
    /// Name; the id stands in where there is none.
    pub name: String,
}
