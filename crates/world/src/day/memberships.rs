//! Workgroups and capabilities of people.

use annals_model::ObjectType;

use super::Day;
use crate::deed::{AttributeChange, Change, DeedKind, ObjectChange, Stamp};
use crate::error::Result;
use crate::stage::Stage;

impl Day<'_> {
    /// People become members of workgroups and leave them, and get and lose capabilities.
    pub(super) async fn change_memberships(&mut self) -> Result<()> {
        let count = self.share(60);
        for before in self.pick(count, |_| true).await? {
            let mut after = before.clone();
            let time = self.time((9, 17), &[&before.id]);
            let leaves = !before.workgroups.is_empty() && self.dice.percent(70);
            let id = if leaves {
                after.workgroups.remove(self.dice.index(before.workgroups.len()))
            } else {
                self.stage.workgroup(self.dice.index(Stage::workgroups())).0
            };
            if !leaves {
                if before.workgroups.contains(&id) {
                    continue;
                }
                after.workgroups.push(id.clone());
            }
            let kind = if leaves { DeedKind::LeftWorkgroup } else { DeedKind::JoinedWorkgroup };
            self.open(kind, time, Some(before.named()));
            self.save(&before, &mut after, time).await?;
            self.log_members(&id, &before.id, leaves);
            self.close();
        }
        let count = self.share(40);
        for before in self.pick(count, |_| true).await? {
            let mut after = before.clone();
            let time = self.time((9, 17), &[&before.id]);
            let kind = if before.capabilities.is_empty() {
                after.capabilities.push(self.stage.capability(self.dice.index(Stage::capabilities())).0);
                DeedKind::CapabilityGranted
            } else {
                after.capabilities.remove(self.dice.index(before.capabilities.len()));
                DeedKind::CapabilityRevoked
            };
            self.open(kind, time, Some(before.named()));
            self.save(&before, &mut after, time).await?;
            self.close();
        }
        Ok(())
    }

    /// The workgroup's own row stays as it is; its list of members is another one.
    fn log_members(&mut self, workgroup: &str, person: &str, leaves: bool) {
        let (old, new): (Vec<&str>, Vec<&str>) =
            if leaves { (vec![person], Vec::new()) } else { (Vec::new(), vec![person]) };
        self.deed.objects.push(ObjectChange {
            object_type: ObjectType::Workgroup,
            id: workgroup.to_owned(),
            name: None,
            change: Change::Changed,
            stamp: Stamp::None,
            attributes: vec![AttributeChange::new("members", old, new)],
        });
    }
}
