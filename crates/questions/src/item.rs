//! Access items by name: what people write, and what counts as the same access whatever it was called.

use std::collections::{BTreeMap, BTreeSet};

use annals_history::{ItemText, access_items_with};
use annals_model::{AccessItem, AccessKind};
use annals_sql::Tx;

use crate::{Error, Result};

/// Candidates that an error lists.
const LISTED_MAX: usize = 10;

/// What counts as the same access: a role, capability or workgroup by its id, an entitlement by application, attribute and
/// value, an account by its application. A role is the same whether it is assigned or detected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Access {
    kind: AccessKind,
    permission: bool,
    texts: [Option<String>; 3],
}

impl Access {
    pub(crate) fn of(item: &AccessItem) -> Self {
        let by_id = |id: &Option<String>, name: &Option<String>| id.clone().or_else(|| name.clone());
        let application = || by_id(&item.application_id, &item.application);
        let (kind, texts) = match item.kind {
            AccessKind::Account => (item.kind, [application(), None, None]),
            AccessKind::Entitlement => {
                (item.kind, [application(), item.attribute.clone(), item.value.clone()])
            }
            AccessKind::DetectedRole | AccessKind::AssignedRole => {
                (AccessKind::AssignedRole, [by_id(&item.id, &item.name), None, None])
            }
            kind => (kind, [by_id(&item.id, &item.name), None, None]),
        };
        Self { kind, permission: item.permission, texts }
    }

    pub(crate) fn is_role(&self) -> bool {
        self.kind == AccessKind::AssignedRole
    }

    /// What finds all items that may be this.
    fn text(&self) -> (ItemText, Option<&str>) {
        let [first, _, value] = &self.texts;
        match self.kind {
            AccessKind::Account => (ItemText::Account, first.as_deref()),
            AccessKind::Entitlement => (ItemText::Value, value.as_deref()),
            _ => (ItemText::Id, first.as_deref()),
        }
    }
}

/// Items by what counts as the same access, each with its number.
pub(crate) type Items = BTreeMap<Access, Vec<(i64, AccessItem)>>;

fn grouped(items: impl IntoIterator<Item = (i64, AccessItem)>) -> Items {
    let mut grouped = Items::new();
    for (number, item) in items {
        let of_access = grouped.entry(Access::of(&item)).or_default();
        if of_access.iter().all(|(known, _)| *known != number) {
            of_access.push((number, item));
        }
    }
    for items in grouped.values_mut() {
        items.sort();
    }
    grouped
}

/// All items that are one of these, under whatever name.
pub(crate) async fn same_access(tx: &mut Tx, wanted: &BTreeSet<Access>) -> Result<Items> {
    let mut found = Vec::new();
    for which in [ItemText::Id, ItemText::Name, ItemText::Value, ItemText::Account] {
        let texts: BTreeSet<&str> = wanted
            .iter()
            .filter_map(|access| match access.text() {
                // Without an id, its name is what it is known by.
                (ItemText::Id, text) if which == ItemText::Name => text,
                (of, text) if of == which => text,
                _ => None,
            })
            .collect();
        let texts = texts.into_iter().map(str::to_owned).collect();
        found.extend(access_items_with(tx, which, texts).await?);
    }
    let mut same = grouped(found);
    same.retain(|access, _| wanted.contains(access));
    Ok(same)
}

/// The one access that is meant, with all items that are it.
///
/// `role:NAME`, `capability:NAME`, `workgroup:NAME` (or an id), `entitlement:APPLICATION/ATTRIBUTE=VALUE`,
/// `permission:APPLICATION/TARGET=RIGHTS`, `account:APPLICATION`; or without the word before the colon a name, an id, a
/// display name, a value or an application.
///
/// # Errors
/// `NoItem`, or `AmbiguousItem` with the ways to name each.
pub(crate) async fn find_item(tx: &mut Tx, text: &str) -> Result<(Access, Vec<(i64, AccessItem)>)> {
    let mut found = grouped(candidates(tx, text).await?);
    if found.len() > 1 {
        let mut candidates = names(&found);
        let more = candidates.len().saturating_sub(LISTED_MAX);
        candidates.truncate(LISTED_MAX);
        return Err(Error::AmbiguousItem { name: text.to_owned(), candidates, more });
    }
    let Some((access, _)) = found.pop_first() else { return Err(Error::NoItem(text.to_owned())) };
    let items = same_access(tx, &BTreeSet::from([access.clone()])).await?.remove(&access);
    Ok((access, items.unwrap_or_default()))
}

async fn candidates(tx: &mut Tx, text: &str) -> Result<Vec<(i64, AccessItem)>> {
    let (word, rest) = text.split_once(':').unwrap_or_default();
    let kinds: &[AccessKind] = match word {
        "role" => &[AccessKind::AssignedRole, AccessKind::DetectedRole],
        "capability" => &[AccessKind::Capability],
        "workgroup" => &[AccessKind::Workgroup],
        "account" => return with(tx, ItemText::Account, vec![rest.to_owned()], &AccessKind::ALL).await,
        "entitlement" | "permission" => {
            // An application, an attribute and a value may all have the signs that part them.
            let values = rest.match_indices('=').map(|(at, _)| rest[at + 1..].to_owned()).collect();
            let mut found = with(tx, ItemText::Value, values, &[AccessKind::Entitlement]).await?;
            found.retain(|(_, item)| {
                item.permission == (word == "permission")
                    && [&item.application, &item.application_id]
                        .iter()
                        .any(|application| entitlement(application.as_deref(), item) == rest)
            });
            return Ok(found);
        }
        _ => {
            let texts = || vec![text.to_owned()];
            let mut found = Vec::new();
            for which in [ItemText::Id, ItemText::Name, ItemText::Value, ItemText::Account] {
                found.extend(with(tx, which, texts(), &AccessKind::ALL).await?);
            }
            return Ok(found);
        }
    };
    let by_id = with(tx, ItemText::Id, vec![rest.to_owned()], kinds).await?;
    if by_id.is_empty() { with(tx, ItemText::Name, vec![rest.to_owned()], kinds).await } else { Ok(by_id) }
}

async fn with(
    tx: &mut Tx,
    which: ItemText,
    texts: Vec<String>,
    kinds: &[AccessKind],
) -> Result<Vec<(i64, AccessItem)>> {
    let found = access_items_with(tx, which, texts).await?;
    Ok(found.into_iter().filter(|(_, item)| kinds.contains(&item.kind)).collect())
}

fn entitlement(application: Option<&str>, item: &AccessItem) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}={}", application.unwrap_or_default(), text(&item.attribute), text(&item.value))
}

/// How each of several may be named, so that no two have the same name.
fn names(found: &Items) -> Vec<String> {
    let named = |by_id: bool| -> Vec<String> {
        let one = |items: &Vec<(i64, AccessItem)>| items.last().map(|(_, item)| name(item, by_id));
        found.values().filter_map(one).collect()
    };
    let (by_name, by_id) = (named(false), named(true));
    let is_clear = |name: &String| by_name.iter().filter(|other| *other == name).count() == 1;
    let mut names: Vec<String> =
        by_name.iter().zip(by_id).map(|(name, id)| if is_clear(name) { name.clone() } else { id }).collect();
    names.sort();
    names
}

fn name(item: &AccessItem, by_id: bool) -> String {
    let either = |id: &Option<String>, name: &Option<String>| {
        let (first, second) = if by_id { (id, name) } else { (name, id) };
        first.clone().or_else(|| second.clone()).unwrap_or_default()
    };
    let application = either(&item.application_id, &item.application);
    match item.kind {
        AccessKind::Account => format!("account:{application}"),
        AccessKind::Entitlement => {
            let word = if item.permission { "permission" } else { "entitlement" };
            format!("{word}:{}", entitlement(Some(&application), item))
        }
        AccessKind::AssignedRole | AccessKind::DetectedRole => {
            format!("role:{}", either(&item.id, &item.name))
        }
        kind => format!("{}:{}", kind.as_str(), either(&item.id, &item.name)),
    }
}

/// What people call it.
pub(crate) fn called(item: &AccessItem) -> String {
    let texts = [&item.name, &item.value, &item.id, &item.application, &item.application_id];
    texts.into_iter().find_map(Clone::clone).unwrap_or_default()
}
