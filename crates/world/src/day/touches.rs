//! What changes rows and means nothing.

use annals_model::ObjectType;
use annals_sql::Value;

use super::Day;
use super::edit::{Edit, Sets};
use super::subject::Subject;
use crate::deed::{Change, DeedKind, ObjectChange, Stamp};
use crate::error::Result;
use crate::xml::{self, Xml};

impl Day<'_> {
    /// Refreshes, logins, aggregations, and lists in another order.
    pub(super) async fn touch_people(&mut self) -> Result<()> {
        let count = self.share(2000);
        for subject in self.pick(count, |_| true).await? {
            match self.dice.below(10) {
                0..=3 => self.refresh(&subject).await?,
                4..=6 => self.log_in(&subject).await?,
                7 => self.aggregate(&subject).await?,
                _ => self.reorder(&subject).await?,
            }
        }
        Ok(())
    }

    /// The log of a touched identity.
    pub(super) fn log_touch(&mut self, subject: &Subject, change: Change, stamp: Stamp) {
        self.deed.objects.push(ObjectChange {
            object_type: ObjectType::Identity,
            id: subject.id.clone(),
            name: Some(subject.text("name").to_owned()),
            change,
            stamp,
            attributes: Vec::new(),
        });
    }

    async fn refresh(&mut self, subject: &Subject) -> Result<()> {
        let time = self.time((1, 5), &[&subject.id]);
        self.open(DeedKind::Refreshed, time, Some(subject.named()));
        let sets = vec![("last_refresh", Value::from(time))];
        self.set("spt_identity", &subject.id, sets, Stamp::Modified, time).await?;
        self.log_touch(subject, Change::Touched, Stamp::Modified);
        if let Some(account) = subject.accounts.first() {
            let sets = vec![("last_refresh", Value::from(time))];
            self.touch_account(&account.id, &account.native_identity, sets, Stamp::Modified, time).await?;
        }
        self.close();
        Ok(())
    }

    async fn log_in(&mut self, subject: &Subject) -> Result<()> {
        let time = self.time((7, 19), &[&subject.id]);
        self.open(DeedKind::LoggedIn, time, Some(subject.named()));
        let sets = vec![("last_login", Value::from(time)), ("failed_login_attempts", Value::from(0))];
        self.set("spt_identity", &subject.id, sets, Stamp::Modified, time).await?;
        self.log_touch(subject, Change::Touched, Stamp::Modified);
        self.close();
        Ok(())
    }

    /// An aggregation that finds nothing new moves no time stamp but its own.
    async fn aggregate(&mut self, subject: &Subject) -> Result<()> {
        let time = self.time((1, 5), &[&subject.id]);
        self.open(DeedKind::Aggregated, time, Some(subject.named()));
        for account in &subject.accounts {
            let sets = vec![("last_refresh", Value::from(time))];
            self.touch_account(&account.id, &account.native_identity, sets, Stamp::None, time).await?;
        }
        self.close();
        Ok(())
    }

    async fn touch_account(
        &mut self,
        id: &str,
        native: &str,
        sets: Sets,
        stamp: Stamp,
        time: i64,
    ) -> Result<()> {
        let edit = Edit {
            object_type: ObjectType::Account,
            table: "spt_link",
            id: id.to_owned(),
            name: native.to_owned(),
            sets,
            attributes: Vec::new(),
        };
        self.edit(edit, Change::Touched, stamp, time).await
    }

    /// The values that an account holds come in another order, or a single one as a list. IdentityIQ sees a changed
    /// column and moves `significant_modified`.
    async fn reorder(&mut self, subject: &Subject) -> Result<()> {
        let found = subject.accounts.iter().find_map(|account| {
            let key = self.stage.applications[account.application].kind.attribute;
            let value = xml::entries(&account.attributes).remove(key)?;
            Some((account, key, value))
        });
        let Some((account, key, value)) = found else { return Ok(()) };
        let values: Vec<String> = match value {
            serde_json::Value::String(value) if !value.starts_with('<') => vec![value],
            serde_json::Value::Array(values) => {
                values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
            }
            _ => return Ok(()),
        };
        let items: Vec<Xml> = values.iter().rev().map(Xml::text).collect();
        let attributes = xml::with_entry(&account.attributes, key, &Xml::List(items));
        if attributes == account.attributes {
            return Ok(());
        }
        let time = self.time((1, 5), &[&subject.id]);
        self.open(DeedKind::Reordered, time, Some(subject.named()));
        let sets = vec![("attributes", Value::from(attributes)), ("last_refresh", Value::from(time))];
        self.touch_account(&account.id, &account.native_identity, sets, Stamp::Significant, time).await?;
        self.close();
        Ok(())
    }
}
