//! The initial population, person by person: everything dated before the start.

use crate::access::{self, Held, Membership, Origin, RoleHeld};
use crate::accounts::{self, Account};
use crate::applications::{DIRECTORY, FIRST_OF_JOBS, GRANTS_BY_ROLE, PERSONNEL};
use crate::certifications::{self, Campaign, Certification, Decision, Item, Subject};
use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::organisation::DEPARTMENTS;
use crate::people::{self, Person, manager_of};
use crate::requests::{self, Request, RequestStage, Wanted, Wish};
use crate::row::{Row, Rows, Stamps};
use crate::stage::{DAY_MS, HOUR_MS, Stage};
use crate::violations::{self, ViolationStatus};

/// One manager in so many is asked in a campaign.
const MANAGERS_PER_CERTIFIER: u32 = 5;

/// Writes the people of the initial population in the order of their numbers.
#[derive(Debug)]
pub(crate) struct Population<'s> {
    stage: &'s Stage,
    campaigns: Vec<Campaign>,
    open: Option<(u32, Certification)>,
}

/// What a person has, while it is put together.
pub(crate) struct Outfit {
    pub(crate) person: Person,
    accounts: Vec<Account>,
    roles: Vec<RoleHeld>,
    held: Vec<Held>,
    dice: Dice,
}

impl<'s> Population<'s> {
    /// Nobody yet; the campaigns of the past are written.
    pub(crate) fn new(stage: &'s Stage, ids: &mut Ids, rows: &mut Rows) -> Self {
        let campaigns = [("Access Review I", 70), ("Access Review II", 40)]
            .map(|(name, days)| {
                let begun = stage.start_ms - days * DAY_MS;
                certifications::write_campaign(stage, name, begun, Some(begun + 12 * DAY_MS), ids, rows)
            })
            .to_vec();
        Self { stage, campaigns, open: None }
    }

    /// Writes the next person.
    pub(crate) fn write(&mut self, number: u32, ids: &mut Ids, rows: &mut Rows) {
        let stage = self.stage;
        let mut outfit = Outfit::of(stage, number, ids);
        ids.next(Kind::Identity);
        outfit.request(stage, ids, rows);
        self.certify(&mut outfit, ids, rows);
        outfit.violate(stage, ids, rows);
        let hired = outfit.person.hired;
        outfit.write(stage, ids, rows, &|dice, hours| stage.stamps_since(dice, hired + hours * HOUR_MS));
    }

    /// Puts a person into the certification of the manager, if that one is asked in a campaign.
    fn certify(&mut self, outfit: &mut Outfit, ids: &mut Ids, rows: &mut Rows) {
        let Some(manager) = manager_of(outfit.person.number) else { return };
        if self.open.as_ref().is_some_and(|(open, _)| *open != manager) {
            self.finish(ids, rows);
        }
        let asked = (manager % MANAGERS_PER_CERTIFIER) as usize;
        let Some(campaign) = self.campaigns.get(asked) else { return };
        if outfit.held.is_empty() || outfit.person.hired > campaign.begun {
            return;
        }
        let stage = self.stage;
        let (_, certification) = self.open.get_or_insert_with(|| {
            (manager, Certification::new(campaign, Person::of(stage, manager).party(), ids))
        });
        let (items, of_held) = outfit.items(stage);
        let written =
            certification.write_entity(stage, &outfit.person.party(), &items, ids, rows, &mut outfit.dice);
        for (held, item) in of_held {
            outfit.held[held].certification_item = Some(written[item].clone());
        }
    }

    /// Ends the certification under way. To be called after the last person.
    pub(crate) fn finish(&mut self, ids: &mut Ids, rows: &mut Rows) {
        if let Some((_, certification)) = self.open.take() {
            certification.finish(self.stage, ids, rows);
        }
    }
}

impl Outfit {
    /// A person of the initial population: accounts, roles and what they bring, and something besides.
    fn of(stage: &Stage, number: u32, ids: &mut Ids) -> Self {
        let mut outfit = Self::newcomer(stage, Person::of(stage, number), ids);
        if !outfit.person.inactive {
            outfit.extras(stage, ids);
        }
        outfit
    }

    /// A person with accounts, roles and what they bring.
    pub(crate) fn newcomer(stage: &Stage, person: Person, ids: &mut Ids) -> Self {
        let dice = Dice::of(stage.seed, "outfit", u64::from(person.number));
        let mut outfit = Self { person, accounts: Vec::new(), roles: Vec::new(), held: Vec::new(), dice };
        if !outfit.person.contractor {
            outfit.account(stage, PERSONNEL, ids);
        }
        outfit.account(stage, DIRECTORY, ids);
        if outfit.person.inactive {
            return outfit;
        }
        let job = stage.job_role(outfit.person.department, outfit.person.job);
        outfit.roles.push(RoleHeld::by_rule(job, Membership::Assigned, ids, &mut outfit.dice));
        for role in stage.required_roles(job) {
            outfit.roles.push(RoleHeld::by_rule(role, Membership::Detected, ids, &mut outfit.dice));
            for grant in stage.roles[role].grants.clone() {
                outfit.hold(stage, grant, Origin::Role, ids);
            }
        }
        outfit
    }

    /// The account in an application, made if need be.
    fn account(&mut self, stage: &Stage, application: usize, ids: &mut Ids) -> &mut Account {
        let position = match self.accounts.iter().position(|account| account.application == application) {
            Some(position) => position,
            None => {
                self.accounts.push(Account::new(stage, &self.person, application, ids));
                self.accounts.len() - 1
            }
        };
        &mut self.accounts[position]
    }

    fn hold(&mut self, stage: &Stage, grant: usize, origin: Origin, ids: &mut Ids) {
        if self.held.iter().any(|held| held.grant == grant) {
            return;
        }
        let application = stage.grants[grant].application;
        self.account(stage, application, ids).grants.push(grant);
        let id = ids.next(Kind::Entitlement);
        self.held.push(Held { id, grant, origin, request_item: None, certification_item: None });
    }

    /// What is held beside the roles.
    fn extras(&mut self, stage: &Stage, ids: &mut Ids) {
        for _ in 0..*self.dice.pick(&[0, 1, 1, 1, 2, 2, 3]) {
            let grant = extra_grant(stage, &self.accounts, &mut self.dice);
            let origin = if self.dice.percent(45) { Origin::Request } else { Origin::Aggregation };
            self.hold(stage, grant, origin, ids);
        }
    }

    /// The request for what was asked for, and sometimes one that was refused.
    fn request(&mut self, stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
        let asked: Vec<usize> =
            (0..self.held.len()).filter(|nth| self.held[*nth].origin == Origin::Request).collect();
        let approver = manager_of(self.person.number)
            .map_or_else(|| "Workflow".to_owned(), |manager| Person::of(stage, manager).login);
        let created = self.dice.between(self.person.hired + HOUR_MS, stage.start_ms - 2 * DAY_MS);
        let mut request = Request {
            target: self.person.party(),
            requester: self.person.party(),
            approver,
            wanted: Vec::new(),
            stage: RequestStage::Finished,
            created,
            modified: created + self.dice.between(HOUR_MS, DAY_MS),
        };
        if !asked.is_empty() {
            request.wanted = asked.iter().map(|nth| self.wanted(stage, self.held[*nth].grant)).collect();
            let (_, items) = requests::write(stage, &request, ids, rows, &mut self.dice);
            for (nth, item) in asked.into_iter().zip(items) {
                self.held[nth].request_item = Some(item);
            }
        }
        if self.dice.percent(8) {
            let grant = self.not_held(stage);
            request.wanted = vec![self.wanted(stage, grant)];
            request.stage = RequestStage::Rejected;
            requests::write(stage, &request, ids, rows, &mut self.dice);
        }
    }

    fn wanted(&self, stage: &Stage, grant: usize) -> Wanted {
        let application = stage.grants[grant].application;
        let account = self.accounts.iter().find(|account| account.application == application);
        let native_identity =
            account.map_or_else(|| self.person.login.clone(), |account| account.native_identity.clone());
        Wanted { wish: Wish::Grant(grant), native_identity }
    }

    /// Something of the directory that this person does not hold.
    fn not_held(&self, stage: &Stage) -> usize {
        let directory = &stage.applications[DIRECTORY];
        (0..directory.grants)
            .map(|nth| directory.first_grant + nth)
            .find(|grant| self.held.iter().all(|held| held.grant != *grant))
            .unwrap_or(directory.first_grant)
    }

    /// What a certifier looked at: all that is held, and now and then something that was taken away. Also which item
    /// confirmed which entitlement.
    fn items(&mut self, stage: &Stage) -> (Vec<Item>, Vec<(usize, usize)>) {
        let mut items: Vec<Item> = self
            .roles
            .iter()
            .filter(|role| role.membership == Membership::Assigned)
            .map(|role| Item {
                subject: Subject::Role {
                    name: stage.roles[role.role].name.clone(),
                    assignment: role.assignment.clone(),
                },
                decision: Some(Decision::Approved),
            })
            .collect();
        let mut of_held = Vec::new();
        for nth in 0..self.held.len() {
            let grant = self.held[nth].grant;
            let native_identity = self.wanted(stage, grant).native_identity;
            let decision = if self.dice.percent(2) { Decision::Mitigated } else { Decision::Approved };
            of_held.push((nth, items.len()));
            items.push(Item { subject: Subject::Grant { grant, native_identity }, decision: Some(decision) });
        }
        if self.dice.percent(20) {
            let grant = self.not_held(stage);
            let native_identity = self.wanted(stage, grant).native_identity;
            let subject = Subject::Grant { grant, native_identity };
            items.push(Item { subject, decision: Some(Decision::Remediated) });
        }
        (items, of_held)
    }

    /// Some people once had, or have, two duties at once.
    fn violate(&mut self, stage: &Stage, ids: &mut Ids, rows: &mut Rows) {
        if self.person.inactive || !self.dice.percent(25) {
            return;
        }
        let job = stage.job_role(self.person.department, self.person.job);
        let Some(constraint) = violations::constraint_against(stage, job) else { return };
        let status = violations::throw_status(&mut self.dice);
        let found = self
            .dice
            .between((stage.start_ms - 200 * DAY_MS).max(self.person.hired), stage.start_ms - DAY_MS);
        let decided = self.dice.between(found, stage.start_ms - HOUR_MS);
        let stamps = match status {
            ViolationStatus::Open => Stamps::new_at(found),
            _ => Stamps { created: found, modified: Some(decided), significant: Some(decided) },
        };
        let party = self.person.party();
        violations::write(stage, &party, constraint, status, stamps, ids, rows);
        if status != ViolationStatus::Open {
            violations::write_history(stage, &party, constraint, status, decided, ids, rows);
        }
        if status != ViolationStatus::Remediated {
            let role = stage.constraints[constraint].right;
            let assigner = Some(stage.policy_owner(0).login);
            let by_hand =
                RoleHeld { assigner, ..RoleHeld::by_rule(role, Membership::Assigned, ids, &mut self.dice) };
            self.roles.push(by_hand);
        }
    }

    /// Writes all of it. Stamps are asked for by hours since the hiring.
    pub(crate) fn write(
        mut self,
        stage: &Stage,
        ids: &mut Ids,
        rows: &mut Rows,
        stamps: &dyn Fn(&mut Dice, i64) -> Stamps,
    ) {
        let dice = &mut self.dice;
        let names = |membership| -> Vec<String> {
            let of_this = self.roles.iter().filter(|role| role.membership == membership);
            of_this.map(|role| stage.roles[role.role].name.clone()).collect()
        };
        let of_identity = stamps(dice, 0);
        let summaries = (&names(Membership::Assigned)[..], &names(Membership::Detected)[..]);
        let preferences = access::preferences(stage, self.person.hired, &self.roles, &self.accounts);
        rows.add(
            people::identity_row(stage, &self.person, of_identity, dice, summaries)
                .text("preferences", preferences),
        );
        people::write_external(&self.person, ids, rows, dice);
        for account in &self.accounts {
            let stamps = stamps(dice, 1);
            rows.add(accounts::account_row(stage, &self.person, account, stamps, dice));
            accounts::write_external(account, ids, rows, dice);
        }
        for role in &self.roles {
            let stamps = stamps(dice, 2);
            rows.add(access::role_row(stage, &self.person.id, role, stamps));
        }
        access::write_role_lists(stage, &self.person.id, &self.roles, rows);
        for held in &self.held {
            let application = stage.grants[held.grant].application;
            let Some(account) = self.accounts.iter().find(|account| account.application == application)
            else {
                continue;
            };
            let stamps = stamps(dice, 3);
            rows.add(access::entitlement_row(
                stage,
                &self.person.id,
                &account.native_identity,
                held,
                stamps,
                dice,
            ));
        }
        self.join_groups(stage, rows);
    }

    /// Workgroups and capabilities.
    fn join_groups(&mut self, stage: &Stage, rows: &mut Rows) {
        let person = &self.person;
        if person.inactive {
            return;
        }
        let mut groups = Vec::new();
        if person.leads() {
            groups.push(Stage::workgroup_of_department(person.department));
        }
        if self.dice.percent(4) {
            groups.push(self.dice.index(Stage::workgroups() - DEPARTMENTS.len()));
        }
        for (idx, group) in groups.into_iter().enumerate() {
            let (id, _) = stage.workgroup(group);
            let owner = ("identity_id", person.id.as_str());
            rows.add(Row::member("spt_identity_workgroups", owner, idx, ("workgroup", &id)));
        }
        if self.dice.permille(if person.department == 2 { 100 } else { 6 }) {
            let (id, _) = stage.capability(self.dice.index(Stage::capabilities()));
            let owner = ("identity_id", person.id.as_str());
            rows.add(Row::member("spt_identity_capabilities", owner, 0, ("capability_id", &id)));
        }
    }
}

/// Something to hold beside one's roles: a group of the directory for everyone, an entitlement of an application that
/// one has an account in, or one of any other application.
pub(crate) fn extra_grant(stage: &Stage, accounts: &[Account], dice: &mut Dice) -> usize {
    let directory = &stage.applications[DIRECTORY];
    let of_departments = DEPARTMENTS.len() * crate::applications::GROUPS_OF_DEPARTMENT;
    let chance = dice.below(100);
    if chance < 45 {
        return directory.first_grant + of_departments + dice.index(directory.grants - of_departments);
    }
    let known: Vec<usize> =
        accounts.iter().map(|account| account.application).filter(|nth| *nth >= FIRST_OF_JOBS).collect();
    let application = if chance < 80 && !known.is_empty() {
        *dice.pick(&known)
    } else {
        FIRST_OF_JOBS + dice.index(stage.applications.len() - FIRST_OF_JOBS)
    };
    let application = &stage.applications[application];
    application.first_grant + GRANTS_BY_ROLE + dice.index(application.grants - GRANTS_BY_ROLE)
}
