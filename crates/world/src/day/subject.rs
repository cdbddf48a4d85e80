//! A person as the database has it now, with accounts, entitlements and lists.

use std::collections::BTreeMap;

use annals_sql::Tx;

use super::{Atlas, Day};
use crate::access::{Membership, RoleHeld};
use crate::accounts::Account;
use crate::deed::Named;
use crate::error::Result;
use crate::names::PersonName;
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::people::Person;
use crate::record::{Record, records};
use crate::requests::Party;
use crate::schema::Schema;

/// Columns of an identity that a day may change, with those that tell who it is.
const COLUMNS: [&str; 21] = [
    "id",
    "created",
    "name",
    "display_name",
    "firstname",
    "lastname",
    "email",
    "extended1",
    "extended2",
    "extended3",
    "extended4",
    "extended6",
    "manager",
    "manager_status",
    "inactive",
    "type",
    "attributes",
    "preferences",
    "assigned_role_summary",
    "bundle_summary",
    "workgroup",
];

/// An account as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountNow {
    pub(super) id: String,
    pub(super) application: usize,
    pub(super) native_identity: String,
    pub(super) display_name: String,
    pub(super) attributes: String,
    pub(super) disabled: bool,
    pub(super) locked: bool,
}

/// A row of what somebody holds, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeldNow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) native_identity: String,
    pub(super) source: String,
    pub(super) assigner: Option<String>,
    pub(super) assignment: String,
    pub(super) granted_by_role: bool,
    pub(super) request_item: Option<String>,
    pub(super) certification_item: Option<String>,
    /// Position in the catalogue, of an entitlement.
    pub(super) grant: Option<usize>,
    /// Position of the role, of a role.
    pub(super) role: Option<(Membership, usize)>,
}

/// A person as the database has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) inactive: bool,
    pub(super) leads: bool,
    /// Texts of the row by column; those that are null are missing.
    pub(super) texts: BTreeMap<&'static str, String>,
    pub(super) accounts: Vec<AccountNow>,
    pub(super) held: Vec<HeldNow>,
    /// Ids of workgroups in order.
    pub(super) workgroups: Vec<String>,
    /// Ids of capabilities in order.
    pub(super) capabilities: Vec<String>,
}

impl Subject {
    /// A text of the row; empty where it is null.
    pub(super) fn text(&self, column: &str) -> &str {
        self.texts.get(column).map_or("", String::as_str)
    }

    /// As deeds name people.
    pub(super) fn named(&self) -> Named {
        Named { id: self.id.clone(), name: self.text("name").to_owned() }
    }

    /// As requests and certifications name people.
    pub(super) fn party(&self) -> Party {
        Party {
            id: self.id.clone(),
            login: self.text("name").to_owned(),
            display: self.text("display_name").to_owned(),
        }
    }

    /// Position of the department.
    pub(super) fn department(&self) -> usize {
        DEPARTMENTS.iter().position(|department| department.name == self.text("extended1")).unwrap_or(0)
    }

    /// Position of the job in the department.
    pub(super) fn job(&self) -> usize {
        let jobs = &DEPARTMENTS[self.department()].jobs;
        jobs.iter().position(|job| *job == self.text("extended4")).unwrap_or(0)
    }

    /// Position of the place.
    pub(super) fn location(&self) -> usize {
        LOCATIONS.iter().position(|location| location.city == self.text("extended2")).unwrap_or(0)
    }

    /// The person, as it is when something is made for it.
    pub(super) fn person(&self) -> Person {
        Person {
            number: number_of(&self.id),
            id: self.id.clone(),
            name: PersonName {
                first: self.text("firstname").to_owned(),
                last: self.text("lastname").to_owned(),
            },
            login: self.text("name").to_owned(),
            department: self.department(),
            job: self.job(),
            location: self.location(),
            contractor: self.text("type") == "contractor",
            inactive: self.inactive,
            manager: self.texts.get("manager").cloned(),
            hired: self.created,
        }
    }

    /// The account in an application.
    pub(super) fn account(&self, application: usize) -> Option<&AccountNow> {
        self.accounts.iter().find(|account| account.application == application)
    }

    /// Accounts with what each holds.
    pub(super) fn outfitted(&self, day: &Day<'_>) -> Vec<Account> {
        self.accounts
            .iter()
            .map(|account| Account {
                id: account.id.clone(),
                application: account.application,
                native_identity: account.native_identity.clone(),
                grants: self
                    .held
                    .iter()
                    .filter_map(|held| held.grant)
                    .filter(|grant| day.stage.grants[*grant].application == account.application)
                    .collect(),
            })
            .collect()
    }

    /// Roles, as rows know them.
    pub(super) fn roles(&self) -> Vec<RoleHeld> {
        self.held
            .iter()
            .filter_map(|held| {
                let (membership, role) = held.role?;
                Some(RoleHeld {
                    id: held.id.clone(),
                    role,
                    membership,
                    assignment: held.assignment.clone(),
                    assigner: (membership == Membership::Assigned && held.source == "LCM")
                        .then(|| held.assigner.clone().unwrap_or_default()),
                    request_item: held.request_item.clone(),
                })
            })
            .collect()
    }

    /// Whether an entitlement is held.
    pub(super) fn holds(&self, grant: usize) -> bool {
        self.held.iter().any(|held| held.grant == Some(grant))
    }

    /// Whether a role was assigned.
    pub(super) fn has_role(&self, role: usize) -> bool {
        self.held.iter().any(|held| held.role == Some((Membership::Assigned, role)))
    }
}

/// The number of the person with this id.
fn number_of(id: &str) -> u32 {
    id.get(14..24).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

impl Day<'_> {
    /// The people with these ids who are there, in the order of their ids.
    pub(super) async fn subjects(&mut self, ids: &[String]) -> Result<Vec<Subject>> {
        self.flush().await?;
        let (tx, schema) = (&mut self.tx, self.schema);
        let people = records(tx, schema, "spt_identity", &COLUMNS, "id", ids).await?;
        let mut accounts = accounts(tx, schema, &self.atlas, ids).await?;
        let mut held = held(tx, schema, &self.atlas, ids).await?;
        let mut workgroups = list(tx, schema, "spt_identity_workgroups", "workgroup", ids).await?;
        let mut capabilities = list(tx, schema, "spt_identity_capabilities", "capability_id", ids).await?;
        Ok(people
            .into_iter()
            .filter(|record| !record.flag("workgroup"))
            .map(|record| {
                let id = record.text("id");
                Subject {
                    created: record.int("created"),
                    inactive: record.flag("inactive"),
                    leads: record.flag("manager_status"),
                    texts: COLUMNS
                        .into_iter()
                        .filter_map(|column| Some((column, record.maybe_text(column)?)))
                        .collect(),
                    accounts: accounts.remove(&id).unwrap_or_default(),
                    held: held.remove(&id).unwrap_or_default(),
                    workgroups: workgroups.remove(&id).unwrap_or_default(),
                    capabilities: capabilities.remove(&id).unwrap_or_default(),
                    id,
                }
            })
            .collect())
    }

    /// The person with this id, if there.
    pub(super) async fn subject(&mut self, id: &str) -> Result<Option<Subject>> {
        Ok(self.subjects(&[id.to_owned()]).await?.pop())
    }
}

async fn accounts(
    tx: &mut Tx,
    schema: &Schema,
    atlas: &Atlas,
    ids: &[String],
) -> Result<BTreeMap<String, Vec<AccountNow>>> {
    let columns = [
        "id",
        "identity_id",
        "application",
        "native_identity",
        "display_name",
        "attributes",
        "iiq_disabled",
        "iiq_locked",
    ];
    let mut found: BTreeMap<String, Vec<AccountNow>> = BTreeMap::new();
    for record in records(tx, schema, "spt_link", &columns, "identity_id", ids).await? {
        let Some(application) = atlas.applications.get(&record.text("application")) else { continue };
        found.entry(record.text("identity_id")).or_default().push(AccountNow {
            id: record.text("id"),
            application: *application,
            native_identity: record.text("native_identity"),
            display_name: record.text("display_name"),
            attributes: record.text("attributes"),
            disabled: record.flag("iiq_disabled"),
            locked: record.flag("iiq_locked"),
        });
    }
    Ok(found)
}

async fn held(
    tx: &mut Tx,
    schema: &Schema,
    atlas: &Atlas,
    ids: &[String],
) -> Result<BTreeMap<String, Vec<HeldNow>>> {
    let columns = [
        "id",
        "identity_id",
        "application",
        "native_identity",
        "name",
        "value",
        "source",
        "assigner",
        "assignment_id",
        "granted_by_role",
        "request_item",
        "certification_item",
    ];
    let mut found: BTreeMap<String, Vec<HeldNow>> = BTreeMap::new();
    for record in records(tx, schema, "spt_identity_entitlement", &columns, "identity_id", ids).await? {
        found.entry(record.text("identity_id")).or_default().push(held_now(atlas, &record));
    }
    Ok(found)
}

fn held_now(atlas: &Atlas, record: &Record) -> HeldNow {
    let (name, value) = (record.text("name"), record.text("value"));
    let role = [Membership::Assigned, Membership::Detected]
        .into_iter()
        .find(|membership| membership.name() == name)
        .and_then(|membership| Some((membership, *atlas.role_names.get(&value)?)));
    let grant = atlas
        .applications
        .get(&record.text("application"))
        .and_then(|application| atlas.grants.get(&(*application, value.clone())).copied());
    HeldNow {
        id: record.text("id"),
        native_identity: record.text("native_identity"),
        source: record.text("source"),
        assigner: record.maybe_text("assigner"),
        assignment: record.text("assignment_id"),
        granted_by_role: record.flag("granted_by_role"),
        request_item: record.maybe_text("request_item"),
        certification_item: record.maybe_text("certification_item"),
        name,
        value,
        grant,
        role,
    }
}

async fn list(
    tx: &mut Tx,
    schema: &Schema,
    table: &'static str,
    member: &'static str,
    ids: &[String],
) -> Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records(tx, schema, table, &["identity_id", member], "identity_id", ids).await? {
        found.entry(record.text("identity_id")).or_default().push(record.text(member));
    }
    Ok(found)
}
