//! Attributes that change: of accounts, of names, and some that change back.

use annals_sql::{Stmt, Value};

use super::Day;
use super::errand::Task;
use super::save::directory_account;
use super::subject::Subject;
use crate::access::Origin;
use crate::applications::{DIRECTORY, PERSONNEL};
use crate::deed::{Change, DeedKind, Stamp};
use crate::error::Result;
use crate::names;
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::people::{Person, cost_center};
use crate::record::texts;
use crate::xml::{self, Xml};

const CERTIFIED: Stmt =
    Stmt::new("world.certified", "select id from spt_certification_entity where identity_id = ?");

impl Day<'_> {
    /// All such changes of a day.
    pub(super) async fn change_attributes(&mut self) -> Result<()> {
        self.change_accounts().await?;
        self.rename_people().await?;
        self.stray().await?;
        self.flicker().await?;
        self.lose_entitlements().await
    }

    async fn change_accounts(&mut self) -> Result<()> {
        let count = self.share(110);
        for before in self.pick(count, |subject| !subject.accounts.is_empty()).await? {
            let mut after = before.clone();
            let nth = self.dice.index(after.accounts.len());
            let account = &mut after.accounts[nth];
            if self.dice.percent(25) {
                account.locked = !account.locked;
                // Before 8.3 this is the only place that tells of it.
                account.attributes =
                    xml::with_entry(&account.attributes, "IIQLocked", &Xml::flag(account.locked));
            } else {
                let (key, value) = match account.application {
                    PERSONNEL => ("grade", Xml::Number("Integer", (20 + self.dice.below(1000)).to_string())),
                    DIRECTORY => ("info", Xml::Text(format!("Ticket {}", self.dice.below(1_000_000)))),
                    _ => ("quota", Xml::Number("Long", (1_000_000 + self.dice.below(9_000_000)).to_string())),
                };
                account.attributes = xml::with_entry(&account.attributes, key, &value);
            }
            self.write_change(DeedKind::AccountChanged, &before, after, (8, 18)).await?;
        }
        Ok(())
    }

    async fn write_change(
        &mut self,
        kind: DeedKind,
        before: &Subject,
        mut after: Subject,
        hours: (i64, i64),
    ) -> Result<()> {
        let time = self.time(hours, &[&before.id]);
        self.open(kind, time, Some(before.named()));
        self.save(before, &mut after, time).await?;
        self.close();
        Ok(())
    }

    /// People take another family name. The directory follows, and with it what it grants; sometimes the login too.
    async fn rename_people(&mut self) -> Result<()> {
        let count = self.share(35);
        for before in self.pick(count, |subject| !subject.leads).await? {
            let last = names::family_name(&mut self.dice);
            if last == before.text("lastname") {
                continue;
            }
            let mut after = before.clone();
            let first = before.text("firstname").to_owned();
            after.texts.insert("lastname", last.to_owned());
            after.texts.insert("display_name", format!("{first} {last}"));
            after.texts.insert("email", names::email(&first, last));
            if self.dice.percent(25) && self.never_certified(before.text("name")).await? {
                let number = u64::from(before.person().number);
                after.texts.insert("name", names::login(&first, last, number));
            }
            rename_directory_account(&mut after);
            self.write_change(DeedKind::Renamed, &before, after, (8, 12)).await?;
        }
        Ok(())
    }

    /// Certifications know people by their logins, so one who stands in one keeps it.
    async fn never_certified(&mut self, login: &str) -> Result<bool> {
        self.flush().await?;
        Ok(texts(&mut self.tx, &CERTIFIED, vec![Value::from(login)]).await?.is_empty())
    }

    /// An attribute changes, and will change back: the third state is the first.
    async fn stray(&mut self) -> Result<()> {
        let count = self.share(50);
        for before in self.pick(count, |_| true).await? {
            let mut after = before.clone();
            let location = (before.location() + 1 + self.dice.index(LOCATIONS.len() - 1)) % LOCATIONS.len();
            let (key, column, new) = if self.dice.percent(50) {
                ("location", "extended2", LOCATIONS[location].city.to_owned())
            } else {
                ("costCenter", "extended3", cost_center(before.department(), location))
            };
            let old = before.text(column).to_owned();
            if old == new || old.is_empty() {
                continue;
            }
            set_both(&mut after, key, column, &new);
            self.write_change(DeedKind::Strayed, &before, after, (9, 18)).await?;
            self.some_day(1, 2, Task::Return(before.id, key.to_owned(), column.to_owned(), old));
        }
        Ok(())
    }

    /// The attribute changes back.
    pub(super) async fn return_attribute(
        &mut self,
        id: &str,
        key: &str,
        column: &str,
        value: &str,
    ) -> Result<()> {
        let column = if column == "extended2" { "extended2" } else { "extended3" };
        let Some(before) = self.subject(id).await? else { return Ok(()) };
        if before.text(column) == value {
            return Ok(());
        }
        let mut after = before.clone();
        set_both(&mut after, key, column, value);
        self.busy.insert(id.to_owned());
        self.write_change(DeedKind::Returned, &before, after, (9, 18)).await
    }

    /// Somebody's department is set wrong and put right within the hour: what a nightly run finds is a row with new
    /// time stamps and nothing else.
    async fn flicker(&mut self) -> Result<()> {
        let count = self.share(20);
        for subject in self.pick(count, |_| true).await? {
            let wrong = DEPARTMENTS[(subject.department() + 1) % DEPARTMENTS.len()].name;
            let time = self.time((10, 16), &[&subject.id]);
            self.open(DeedKind::Flickered, time, Some(subject.named()));
            for department in [wrong, subject.text("extended1")] {
                let sets = vec![("extended1", Value::from(department))];
                self.set("spt_identity", &subject.id, sets, Stamp::Significant, time).await?;
            }
            self.log_touch(&subject, Change::Touched, Stamp::Significant);
            self.close();
        }
        Ok(())
    }

    /// Somebody loses an entitlement and gets it back a day or two later.
    async fn lose_entitlements(&mut self) -> Result<()> {
        let count = self.share(50);
        let loose =
            |subject: &Subject| subject.held.iter().any(|held| held.grant.is_some() && !held.granted_by_role);
        for before in self.pick(count, loose).await? {
            let found = before.held.iter().find(|held| held.grant.is_some() && !held.granted_by_role);
            let Some((id, grant)) = found.and_then(|held| Some((held.id.clone(), held.grant?))) else {
                continue;
            };
            let mut after = before.clone();
            after.held.retain(|held| held.id != id);
            self.write_change(DeedKind::EntitlementLost, &before, after, (9, 18)).await?;
            self.some_day(1, 2, Task::Regain(before.id, grant));
        }
        Ok(())
    }

    /// The entitlement comes back.
    pub(super) async fn regain(&mut self, id: &str, grant: usize) -> Result<()> {
        let Some(before) = self.subject(id).await? else { return Ok(()) };
        if before.inactive || before.holds(grant) {
            return Ok(());
        }
        let mut after = before.clone();
        self.give(&mut after, grant, Origin::Aggregation, None);
        self.busy.insert(id.to_owned());
        self.write_change(DeedKind::EntitlementRegained, &before, after, (9, 18)).await
    }
}

/// Sets an attribute where it stands twice: in its column and in the XML.
fn set_both(subject: &mut Subject, key: &str, column: &'static str, value: &str) {
    let attributes = xml::with_entry(subject.text("attributes"), key, &Xml::text(value));
    subject.texts.insert(column, value.to_owned());
    subject.texts.insert("attributes", attributes);
}

/// The directory knows people by their names.
fn rename_directory_account(after: &mut Subject) {
    let person: Person = after.person();
    let Some(account) = directory_account(after) else { return };
    let old = account.native_identity.clone();
    // The name within the directory changes, the place in its tree does not.
    let place = old.split_once(',').map_or("", |(_, place)| place);
    let new = format!("CN={} ({:05}),{place}", person.name.display(), person.number);
    account.native_identity.clone_from(&new);
    account.attributes = xml::with_entry(&account.attributes, "distinguishedName", &Xml::text(new.as_str()));
    account.attributes =
        xml::with_entry(&account.attributes, "displayName", &Xml::text(person.name.display()));
    for held in after.held.iter_mut().filter(|held| held.native_identity == old) {
        held.native_identity.clone_from(&new);
    }
}
