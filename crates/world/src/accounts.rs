//! Accounts: the rows of `spt_link` and what stands in them.

use crate::applications::{Application, DIRECTORY, PERSONNEL};
use crate::dice::Dice;
use crate::id::{Ids, Kind, hex};
use crate::organisation::{DEPARTMENTS, GrantStyle};
use crate::people::Person;
use crate::row::{Row, Rows, Stamps};
use crate::stage::{HOUR_MS, Stage};
use crate::xml::{self, Xml};
use crate::xml_forms;

/// An account of a person.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Id.
    pub(crate) id: String,
    /// Position of the application.
    pub(crate) application: usize,
    /// Name in the application.
    pub(crate) native_identity: String,
    /// Positions in the catalogue of what it holds.
    pub(crate) grants: Vec<usize>,
}

impl Account {
    /// An account of a person in an application, holding nothing yet.
    pub(crate) fn new(stage: &Stage, person: &Person, application: usize, ids: &mut Ids) -> Self {
        Self {
            id: ids.next(Kind::Account),
            application,
            native_identity: native_identity(&stage.applications[application], application, person),
            grants: Vec::new(),
        }
    }
}

/// What a person is called in an application. The number keeps names apart.
pub(crate) fn native_identity(application: &Application, position: usize, person: &Person) -> String {
    match (position, application.kind.style) {
        (PERSONNEL, _) => person.employee_id(),
        (DIRECTORY, _) => format!(
            "CN={} ({:05}),OU={},OU=People,DC=example,DC=com",
            person.name.display(),
            person.number,
            DEPARTMENTS[person.department].name
        ),
        (_, GrantStyle::DistinguishedName) => {
            format!("uid={},ou=people,dc=extranet,dc=example", person.login)
        }
        (_, GrantStyle::Code) => person.login.to_uppercase(),
        _ => person.login.clone(),
    }
}

/// The row of an account.
pub(crate) fn account_row(
    stage: &Stage,
    person: &Person,
    account: &Account,
    stamps: Stamps,
    dice: &mut Dice,
) -> Row {
    let display = match account.application {
        DIRECTORY => person.login.clone(),
        _ => person.name.display(),
    };
    let mut row = Row::object("spt_link", account.id.as_str(), stamps)
        .text("identity_id", person.id.as_str())
        .text("application", stage.applications[account.application].id.as_str())
        .text("native_identity", account.native_identity.as_str())
        .text("display_name", display)
        .flag("entitlements", !account.grants.is_empty())
        .flag("manually_correlated", dice.percent(2))
        .flag("iiq_disabled", person.inactive)
        .flag("iiq_locked", dice.permille(8))
        .text("attributes", attributes(stage, person, account, dice));
    if account.application == DIRECTORY {
        row = row.text("uuid", format!("{{{}}}", hex(&dice.bytes(16))));
    }
    if stamps.created < stage.start_ms {
        row = row.int("last_refresh", stage.start_ms - dice.between(HOUR_MS, 30 * HOUR_MS));
    }
    row
}

/// The values that an account holds, in the catalogue's order.
pub(crate) fn held_values(stage: &Stage, grants: &[usize]) -> Xml {
    Xml::values(grants.iter().map(|grant| stage.grants[*grant].value.as_str()))
}

fn attributes(stage: &Stage, person: &Person, account: &Account, dice: &mut Dice) -> String {
    let kind = stage.applications[account.application].kind;
    let mut entries = Vec::with_capacity(10);
    let mut add = |key: &str, value: Xml| entries.push((key.to_owned(), value));
    match account.application {
        PERSONNEL => {
            add("employeeNumber", Xml::text(person.employee_id()));
            add("firstName", Xml::text(person.name.first.as_str()));
            add("lastName", Xml::text(person.name.last.as_str()));
            add("hired", Xml::Date(person.hired));
            add("grade", Xml::Number("Integer", (1 + dice.below(12)).to_string()));
            add("title", Xml::text(DEPARTMENTS[person.department].jobs[person.job]));
        }
        DIRECTORY => {
            add("sAMAccountName", Xml::text(person.login.as_str()));
            add("distinguishedName", Xml::text(account.native_identity.as_str()));
            add("displayName", Xml::text(person.name.display()));
            add(
                "userAccountControl",
                Xml::Number("Integer", if person.inactive { "514" } else { "512" }.to_owned()),
            );
            add("lastLogon", xml_forms::last_logon(stage, dice));
            add("proxyAddresses", Xml::values([format!("smtp:{}@example.com", person.login).as_str()]));
        }
        _ => {
            add("userName", Xml::text(person.login.as_str()));
            add("displayName", Xml::text(person.name.display()));
            add("lastLogon", xml_forms::last_logon(stage, dice));
            add("language", Xml::text(*dice.pick(&["EN", "DE", "FR"])));
            if dice.percent(20) {
                add("licences", Xml::List(vec![Xml::text("standard"), Xml::text("analytics")]));
            }
        }
    }
    add("IIQDisabled", xml_forms::spelled_flag(person.inactive, dice));
    if !kind.attribute.is_empty() && !account.grants.is_empty() {
        add(kind.attribute, held_values(stage, &account.grants));
    }
    xml::attributes(&entries)
}

/// Rows for an account's searchable attributes with several values.
pub(crate) fn write_external(account: &Account, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    if account.application == DIRECTORY && dice.percent(10) {
        rows.add(
            Row::new("spt_link_external_attr")
                .text("id", ids.next(Kind::ExternalAttribute))
                .text("object_id", account.id.as_str())
                .text("attribute_name", "proxyAddresses")
                .text("value", format!("smtp:{}", account.native_identity.to_lowercase())),
        );
    }
}
