//! People who join.

use super::Day;
use crate::deed::{DeedKind, Named};
use crate::dice::Dice;
use crate::error::Result;
use crate::id::Kind;
use crate::people::Person;
use crate::population::Outfit;
use crate::row::Stamps;

impl Day<'_> {
    /// New people, each below some manager, with the accounts and roles of their jobs.
    pub(super) async fn join_people(&mut self) -> Result<()> {
        for _ in 0..self.share(90) {
            if self.managers.is_empty() {
                return Ok(());
            }
            let manager = self.managers[self.dice.index(self.managers.len())].clone();
            let number = u32::try_from(self.ids.count(Kind::Identity)).unwrap_or(u32::MAX);
            let id = self.ids.next(Kind::Identity);
            let time = self.time((7, 10), &[&id]);
            let mut dice = Dice::of(self.stage.seed, "person", u64::from(number));
            let mut person = Person::throw(self.stage, number, manager.department, &mut dice, time);
            person.contractor = dice.percent(12);
            person.manager = Some(manager.id);
            self.open(DeedKind::Joined, time, Some(Named { id: id.clone(), name: person.login.clone() }));
            let outfit = Outfit::newcomer(self.stage, person, &mut self.ids);
            outfit.write(self.stage, &mut self.ids, &mut self.rows, &|_, _| Stamps::new_at(time));
            self.close();
            self.busy.insert(id);
        }
        self.flush().await
    }
}
