//! The part of history that somebody may be told of: identities and applications, and what is of them.
//!
//! | class | is in a scope when |
//! |---|---|
//! | identity | it is one of the scope's identities |
//! | account, entitlement | its identity is, or its application is one of the scope's |
//! | identity request, its items, policy violation | its identity is |
//! | managed attribute | its application is one of the scope's |
//! | all others | never |
//!
//! To whom an object belongs is said by each capture for itself, because an account may be moved from one person to
//! another: neither of the two readers sees what it was while it was the other's. The application is a part of what an
//! account, an entitlement or a managed attribute is, so one capture that names it speaks for all.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use annals_model::text::searchable;
use annals_model::{ObjectKey, ObjectType, ScopeRule};
use annals_sql::{Stmt, Tx, Value as Param};

use crate::Error;
use crate::layout::layout;
use crate::text::{cut, stored_id};

/// Whom the captures in force at an instant put below one of a list of managers.
pub(crate) const BELOW: Stmt = Stmt::new(
    "history.below_managers",
    "select distinct c.identity_id from spt_hist_identity_capture c
     where c.manager_id {in} and c.effective_date <= ? and not exists (
        select 1 from spt_hist_identity_capture l
        where l.identity_id = c.identity_id and l.effective_date <= ?
           and (l.effective_date, l.created, l.id) > (c.effective_date, c.created, c.id))",
);
/// Those of a list of ids that are identities.
pub(crate) const IDENTITIES: Stmt = Stmt::new(
    "history.identities_of_list",
    "select h.object_id from annals_object_kind k join annals_head h on h.kind = k.id
     where k.object_type = 'identity' and h.object_id {in}",
);

/// Characters of a column with an application's name.
const APPLICATION_CHARS: usize = 128;

/// Of an object type that may be in a scope, how it is.
#[derive(Debug)]
pub(crate) struct Reach {
    /// By the identity to which it belongs: whether a capture says that it is one of a list.
    pub(crate) owned: Option<Stmt>,
    /// By its application: whether a capture of an object says that it is one of a list.
    pub(crate) of_application: Option<Stmt>,
}

static REACHES: LazyLock<Vec<(ObjectType, Reach)>> = LazyLock::new(|| {
    use ObjectType::{
        Account, Entitlement, Identity, IdentityRequest, IdentityRequestItem, ManagedAttribute,
        PolicyViolation,
    };
    let reach = |object_type, by_identity: bool, by_application: bool| {
        let mapping = layout(object_type).mapping;
        let (table, id) = (mapping.table, mapping.object_id);
        let stmt = |verb: &str, condition: String| {
            Stmt::built(
                format!("history.{verb} {object_type}"),
                format!("select 1 from {table} where {condition} limit 1"),
            )
        };
        let owned = by_identity.then(|| stmt("owned", "id = ? and identity_id {in}".to_owned()));
        let named = || stmt("of_application", format!("{id} = ? and application_name {{in}}"));
        (object_type, Reach { owned, of_application: by_application.then(named) })
    };
    vec![
        (Identity, Reach { owned: None, of_application: None }),
        reach(Account, true, true),
        reach(Entitlement, true, true),
        reach(IdentityRequest, true, false),
        reach(IdentityRequestItem, true, false),
        reach(PolicyViolation, true, false),
        reach(ManagedAttribute, false, true),
    ]
});

#[cfg(test)]
pub(crate) fn statements() -> Vec<&'static Stmt> {
    REACHES.iter().flat_map(|(_, reach)| reach.owned.iter().chain(&reach.of_application)).collect()
}

/// How objects of a type may be in a scope; none if they never are.
pub(crate) fn reach(object_type: ObjectType) -> Option<&'static Reach> {
    REACHES.iter().find(|(known, _)| *known == object_type).map(|(_, reach)| reach)
}

/// A part of history, worked out once for each request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Ids of identities as `annals_head.object_id` has them, sorted.
    identities: Vec<String>,
    /// The same as capture tables have them.
    stored: Vec<String>,
    /// Names of applications as capture tables have them.
    applications: Vec<String>,
}

impl Scope {
    /// Of these identities, by id, and these applications, by name.
    #[must_use]
    pub fn new(
        identities: impl IntoIterator<Item = String>,
        applications: impl IntoIterator<Item = String>,
    ) -> Self {
        let identities: BTreeSet<String> =
            identities.into_iter().map(|id| searchable(&id).into_owned()).collect();
        Self {
            stored: identities.iter().map(|id| stored_id(id).into_owned()).collect(),
            identities: identities.into_iter().collect(),
            applications: applications
                .into_iter()
                .map(|name| cut(&name, APPLICATION_CHARS).into_owned())
                .collect(),
        }
    }

    /// What a rule marks out, by the managers that were in force at `at_ms` (`i64::MAX`: by the newest captures). Whoever
    /// is gone is below nobody, and whose id is longer than 32 characters and no UUID is found below nobody.
    ///
    /// # Errors
    /// As any call.
    pub async fn of_rule(tx: &mut Tx, rule: &ScopeRule, at_ms: i64) -> Result<Self, Error> {
        let mut identities = BTreeSet::new();
        if let Some(identity) = &rule.identity {
            if rule.manager_tree {
                identities.extend(below(tx, identity, at_ms).await?);
            }
            if rule.own {
                identities.insert(identity.clone());
            } else {
                identities.remove(identity);
            }
        }
        Ok(Self::new(identities, rule.applications.iter().cloned()))
    }

    /// Objects of this type may be in a scope.
    #[must_use]
    pub fn reaches(object_type: ObjectType) -> bool {
        reach(object_type).is_some()
    }

    /// Ids of the identities that may be told of, as `annals_head.object_id` has them: what questions about a
    /// population are given.
    #[must_use]
    pub fn within(&self) -> &[String] {
        &self.identities
    }

    /// Names of the applications of which everything may be told.
    #[must_use]
    pub fn applications(&self) -> &[String] {
        &self.applications
    }

    /// The identities, as a parameter to compare a capture table's column with.
    pub(crate) fn stored_identities(&self) -> Param {
        Param::from(self.stored.clone())
    }

    /// The identities, as a parameter to compare ids of heads with.
    pub(crate) fn head_ids(&self) -> Param {
        Param::from(self.identities.clone())
    }

    /// The applications, as a parameter to compare a capture table's column with.
    pub(crate) fn application_names(&self) -> Param {
        Param::from(self.applications.clone())
    }

    /// Everything of an object is in the scope: it is an identity of it, or of an application of it. Of another object
    /// that may be those captures are which say that it belongs to an identity of the scope.
    ///
    /// # Errors
    /// As any call.
    pub(crate) async fn holds_all(&self, tx: &mut Tx, key: &ObjectKey) -> Result<bool, Error> {
        if key.object_type == ObjectType::Identity {
            return Ok(self.identities.binary_search(&searchable(&key.object_id).into_owned()).is_ok());
        }
        let Some(stmt) = reach(key.object_type).and_then(|reach| reach.of_application.as_ref()) else {
            return Ok(false);
        };
        let params = vec![Param::from(&*stored_id(&key.object_id)), self.application_names()];
        Ok(tx.fetch_optional(stmt, params).await?.is_some())
    }

    /// An object was in the scope at an instant, by the capture that was in force then, as known at another: the one that
    /// [`crate::as_of`] answers with.
    ///
    /// # Errors
    /// As any call.
    pub async fn holds_at(
        &self,
        tx: &mut Tx,
        key: &ObjectKey,
        at_ms: i64,
        known_at_ms: Option<i64>,
    ) -> Result<bool, Error> {
        if self.holds_all(tx, key).await? {
            return Ok(true);
        }
        let Some(owned) = reach(key.object_type).and_then(|reach| reach.owned.as_ref()) else {
            return Ok(false);
        };
        let known_at_ms = known_at_ms.unwrap_or(i64::MAX);
        let params =
            vec![Param::from(&*stored_id(&key.object_id)), Param::from(at_ms), Param::from(known_at_ms)];
        let Some(row) = tx.fetch_optional(&layout(key.object_type).at, params).await? else {
            return Ok(false);
        };
        let params = vec![Param::from(row.required_text(0)?), self.stored_identities()];
        Ok(tx.fetch_optional(owned, params).await?.is_some())
    }
}

/// Ids of the identities below a manager, at any depth. A circle of managers ends where it began.
async fn below(tx: &mut Tx, manager: &str, at_ms: i64) -> Result<Vec<String>, Error> {
    let mut found = BTreeSet::from([stored_id(manager).into_owned()]);
    let mut level: Vec<String> = found.iter().cloned().collect();
    while !level.is_empty() {
        let params = vec![Param::from(level), Param::from(at_ms), Param::from(at_ms)];
        level = Vec::new();
        for row in tx.fetch_all(&BELOW, params).await? {
            let id = row.required_text(0)?.to_owned();
            if found.insert(id.clone()) {
                level.push(id);
            }
        }
    }
    // Captures have ids of 32 characters: a UUID without its dashes.
    let ids: Vec<String> = found.iter().flat_map(|id| [Some(id.clone()), dashed(id)]).flatten().collect();
    let rows = tx.fetch_all(&IDENTITIES, vec![Param::from(ids)]).await?;
    rows.iter().map(|row| Ok(row.required_text(0)?.to_owned())).collect()
}

/// 32 digits as a UUID has them.
fn dashed(id: &str) -> Option<String> {
    let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]))
}
