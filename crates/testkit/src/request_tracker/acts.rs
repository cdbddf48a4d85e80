//! What administrators do in Request Tracker.

use serde::Serialize;

use super::RequestTracker;
use crate::TestkitError;

/// Who is made a member of a group or gets a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal<'a> {
    /// The user of this name.
    User(&'a str),
    /// The group of this name that an administrator made.
    Group(&'a str),
}

/// What a right is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope<'a> {
    /// Everything.
    System,
    /// The queue of this name.
    Queue(&'a str),
}

/// One act as the Perl program reads it.
#[derive(Debug, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act<'a> {
    /// What follows is done by this user, by the real clock.
    Begin {
        user: &'a str,
    },
    At {
        epoch_s: i64,
    },
    CreateUser {
        name: &'a str,
        real_name: &'a str,
        email: &'a str,
        privileged: bool,
    },
    SetUser {
        name: &'a str,
        field: &'a str,
        value: &'a str,
    },
    SetPrivileged {
        name: &'a str,
        privileged: bool,
    },
    SetDisabled {
        who: Principal<'a>,
        disabled: bool,
    },
    ShredUser {
        name: &'a str,
    },
    CreateGroup {
        name: &'a str,
        description: &'a str,
    },
    SetGroup {
        name: &'a str,
        field: &'a str,
        value: &'a str,
    },
    AddMember {
        group: &'a str,
        member: Principal<'a>,
    },
    RemoveMember {
        group: &'a str,
        member: Principal<'a>,
    },
    GrantRight {
        to: Principal<'a>,
        right: &'a str,
        on: Scope<'a>,
    },
    RevokeRight {
        from: Principal<'a>,
        right: &'a str,
        on: Scope<'a>,
    },
    CreateQueue {
        name: &'a str,
    },
    AddWatcher {
        queue: &'a str,
        role: &'a str,
        who: Principal<'a>,
    },
    RemoveWatcher {
        queue: &'a str,
        role: &'a str,
        who: Principal<'a>,
    },
}

/// Acts to be done in this order by Request Tracker's own code.
#[derive(Debug)]
#[must_use = "acts are done by `perform`"]
pub struct Acts<'a> {
    tracker: &'a RequestTracker,
    actor: &'a str,
    acts: Vec<Act<'a>>,
}

impl<'a> Acts<'a> {
    /// No acts yet, as `root`.
    pub(super) fn of(tracker: &'a RequestTracker) -> Self {
        Self { tracker, actor: "root", acts: Vec::new() }
    }

    /// Who does all of these acts, and so stands in `Creator` and `LastUpdatedBy`; needs the rights for them.
    pub fn by(mut self, user: &'a str) -> Self {
        self.actor = user;
        self
    }

    /// Puts Request Tracker's clock to this instant, in epoch milliseconds (it keeps whole seconds), for the acts
    /// that follow. Without it they happen when they happen.
    pub fn at_ms(self, epoch_ms: i64) -> Self {
        self.and(Act::At { epoch_s: epoch_ms.div_euclid(1_000) })
    }

    /// A privileged user (one who can be given rights), with the address `name@example.org`.
    pub fn create_user(self, name: &'a str, real_name: &'a str) -> Self {
        self.and(Act::CreateUser { name, real_name, email: "", privileged: true })
    }

    /// A user of either kind with this address; two users cannot share one.
    pub fn create_user_with(
        self,
        name: &'a str,
        real_name: &'a str,
        email: &'a str,
        privileged: bool,
    ) -> Self {
        self.and(Act::CreateUser { name, real_name, email, privileged })
    }

    /// Sets one of a user's fields, named as its column, for example `RealName` or `Organization`.
    pub fn set_user(self, name: &'a str, field: &'a str, value: &'a str) -> Self {
        self.and(Act::SetUser { name, field, value })
    }

    /// Makes a user privileged or not.
    pub fn set_privileged(self, name: &'a str, privileged: bool) -> Self {
        self.and(Act::SetPrivileged { name, privileged })
    }

    /// Disables a user.
    pub fn disable_user(self, name: &'a str) -> Self {
        self.and(Act::SetDisabled { who: Principal::User(name), disabled: true })
    }

    /// Enables a disabled user.
    pub fn enable_user(self, name: &'a str) -> Self {
        self.and(Act::SetDisabled { who: Principal::User(name), disabled: false })
    }

    /// Wipes a user out, with memberships and transactions: the only true deletion that Request Tracker has.
    pub fn shred_user(self, name: &'a str) -> Self {
        self.and(Act::ShredUser { name })
    }

    /// A group.
    pub fn create_group(self, name: &'a str, description: &'a str) -> Self {
        self.and(Act::CreateGroup { name, description })
    }

    /// Gives a group another name.
    pub fn rename_group(self, name: &'a str, new_name: &'a str) -> Self {
        self.and(Act::SetGroup { name, field: "Name", value: new_name })
    }

    /// Gives a group another description.
    pub fn describe_group(self, name: &'a str, description: &'a str) -> Self {
        self.and(Act::SetGroup { name, field: "Description", value: description })
    }

    /// Disables a group.
    pub fn disable_group(self, name: &'a str) -> Self {
        self.and(Act::SetDisabled { who: Principal::Group(name), disabled: true })
    }

    /// Enables a disabled group.
    pub fn enable_group(self, name: &'a str) -> Self {
        self.and(Act::SetDisabled { who: Principal::Group(name), disabled: false })
    }

    /// Adds a user to a group, or nests a group in another one.
    pub fn add_member(self, group: &'a str, member: Principal<'a>) -> Self {
        self.and(Act::AddMember { group, member })
    }

    /// Takes a direct member out of a group.
    pub fn remove_member(self, group: &'a str, member: Principal<'a>) -> Self {
        self.and(Act::RemoveMember { group, member })
    }

    /// Grants a right, for example `ShowTicket`.
    pub fn grant_right(self, to: Principal<'a>, right: &'a str, on: Scope<'a>) -> Self {
        self.and(Act::GrantRight { to, right, on })
    }

    /// Revokes a right that was granted directly.
    pub fn revoke_right(self, from: Principal<'a>, right: &'a str, on: Scope<'a>) -> Self {
        self.and(Act::RevokeRight { from, right, on })
    }

    /// A queue, with its four role groups.
    pub fn create_queue(self, name: &'a str) -> Self {
        self.and(Act::CreateQueue { name })
    }

    /// Gives somebody a role (`Cc` or `AdminCc`) on all of a queue's tickets.
    pub fn add_watcher(self, queue: &'a str, role: &'a str, who: Principal<'a>) -> Self {
        self.and(Act::AddWatcher { queue, role, who })
    }

    /// Takes a queue's role from somebody.
    pub fn remove_watcher(self, queue: &'a str, role: &'a str, who: Principal<'a>) -> Self {
        self.and(Act::RemoveWatcher { queue, role, who })
    }

    /// Does the acts.
    ///
    /// # Panics
    /// When Request Tracker refuses one; those before it are done, those after it are not.
    #[track_caller]
    pub fn perform(self) {
        if let Err(error) = self.try_perform() {
            panic!("{error}");
        }
    }

    /// Does the acts up to the first that Request Tracker refuses.
    pub(super) fn try_perform(&self) -> Result<(), TestkitError> {
        let begin = Act::Begin { user: self.actor };
        let lines: Vec<String> =
            [&begin].into_iter().chain(&self.acts).map(|act| serde_json::json!(act).to_string()).collect();
        self.tracker.perform(&lines)
    }

    /// These acts and one more.
    fn and(mut self, act: Act<'a>) -> Self {
        self.acts.push(act);
        self
    }
}
