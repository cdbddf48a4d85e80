//! People: who they are, whom they report to, and their rows.

use crate::applications::secret;
use crate::dice::Dice;
use crate::id::{Ids, Kind};
use crate::names::{self, PersonName};
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::requests::Party;
use crate::row::{Row, Rows, Stamps};
use crate::stage::{DAY_MS, HOUR_MS, Stage};
use crate::xml::{self, Xml};
use crate::xml_forms;

/// How many people report to one manager.
const SPAN: u32 = 8;

/// A person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Number, from 0.
    pub(crate) number: u32,
    /// Id.
    pub(crate) id: String,
    /// Name for people.
    pub(crate) name: PersonName,
    /// Name of the identity: the login.
    pub(crate) login: String,
    /// Position of the department.
    pub(crate) department: usize,
    /// Position of the job in the department; the first one leads.
    pub(crate) job: usize,
    /// Position of the place.
    pub(crate) location: usize,
    /// Works for another firm.
    pub(crate) contractor: bool,
    /// Has left.
    pub(crate) inactive: bool,
    /// Id of the manager.
    pub(crate) manager: Option<String>,
    /// When hired.
    pub(crate) hired: i64,
}

/// Number of the manager of a person of the initial population. One leads the house, the next lead the departments;
/// from there each has a few people, next to each other by number.
pub(crate) fn manager_of(number: u32) -> Option<u32> {
    let heads = u32::try_from(DEPARTMENTS.len()).unwrap_or(0);
    match number {
        0 => None,
        head if head <= heads => Some(0),
        other => Some(1 + (other - heads - 1) / SPAN),
    }
}

/// Whether a person of the initial population has others below.
fn leads(number: u32, identities: u32) -> bool {
    let heads = u32::try_from(DEPARTMENTS.len()).unwrap_or(0);
    number == 0 || u64::from(heads) + 1 + u64::from(number - 1) * u64::from(SPAN) < u64::from(identities)
}

/// The department of whoever leads the department that a person is in.
fn department_of(number: u32) -> usize {
    let heads = u32::try_from(DEPARTMENTS.len()).unwrap_or(0);
    let mut at = number;
    while at > heads {
        at = manager_of(at).unwrap_or(0);
    }
    at.checked_sub(1).map_or(0, |head| head as usize)
}

impl Person {
    /// The person of the initial population with this number.
    pub(crate) fn of(stage: &Stage, number: u32) -> Self {
        let mut dice = Dice::of(stage.seed, "person", u64::from(number));
        let department = department_of(number);
        let leads = leads(number, stage.identities);
        let hired = stage.start_ms - dice.between(20 * DAY_MS, 2500 * DAY_MS);
        let mut person = Self::throw(stage, number, department, &mut dice, hired);
        person.manager = manager_of(number).map(|manager| stage.identity_id(manager));
        person.job = if leads { 0 } else { 1 + dice.index(4) };
        person.contractor = !leads && dice.percent(12);
        person.inactive = !leads && number >= stage.owners() && dice.percent(4);
        person
    }

    /// Somebody new in a department, with a job that leads nobody.
    pub(crate) fn throw(stage: &Stage, number: u32, department: usize, dice: &mut Dice, hired: i64) -> Self {
        let name = PersonName::throw(dice);
        Self {
            number,
            id: stage.identity_id(number),
            login: names::login(&name.first, &name.last, u64::from(number)),
            name,
            department,
            job: 1 + dice.index(4),
            location: dice.index(LOCATIONS.len()),
            contractor: false,
            inactive: false,
            manager: None,
            hired,
        }
    }

    /// Whether others report to this person, or may.
    pub(crate) const fn leads(&self) -> bool {
        self.job == 0
    }

    /// As requests and certifications name people.
    pub(crate) fn party(&self) -> Party {
        Party { id: self.id.clone(), login: self.login.clone(), display: self.name.display() }
    }

    /// Employee number, letter first for those of other firms.
    pub(crate) fn employee_id(&self) -> String {
        format!("{}{:06}", if self.contractor { 'X' } else { 'E' }, 100_000 + self.number)
    }
}

/// The cost centre of a department at a place.
pub(crate) fn cost_center(department: usize, location: usize) -> String {
    format!("{}-{}{:02}", DEPARTMENTS[department].code, LOCATIONS[location].country, location + 10)
}

/// The attributes whose change is a change of place in the organisation: key, column, value.
pub(crate) fn placement(
    department: usize,
    job: usize,
    location: usize,
) -> [(&'static str, &'static str, String); 5] {
    let place = LOCATIONS[location];
    [
        ("department", "extended1", DEPARTMENTS[department].name.to_owned()),
        ("location", "extended2", place.city.to_owned()),
        ("costCenter", "extended3", cost_center(department, location)),
        ("jobTitle", "extended4", DEPARTMENTS[department].jobs[job].to_owned()),
        ("region", "extended6", place.region.to_owned()),
    ]
}

/// The row of a person, with the names of the roles held.
pub(crate) fn identity_row(
    stage: &Stage,
    person: &Person,
    stamps: Stamps,
    dice: &mut Dice,
    (assigned, detected): (&[String], &[String]),
) -> Row {
    let display = person.name.display();
    let mut row = Row::object("spt_identity", person.id.as_str(), stamps)
        .text("name", person.login.as_str())
        .text("display_name", display.as_str())
        .text("firstname", person.name.first.as_str())
        .text("lastname", person.name.last.as_str())
        .text("email", names::email(&person.name.first, &person.name.last))
        .flag("manager_status", person.leads())
        .flag("inactive", person.inactive)
        .flag("correlated", true)
        .flag("correlated_overridden", false)
        .flag("protected", false)
        .flag("needs_refresh", false)
        .text("type", if person.contractor { "contractor" } else { "employee" })
        .text("extended5", person.employee_id())
        .maybe_text("manager", person.manager.as_deref())
        .text("assigned_role_summary", assigned.join(", "))
        .text("bundle_summary", detected.join(", "))
        .int("failed_login_attempts", 0)
        .text("attributes", attributes(stage, person, dice))
        .text("attribute_meta_data", meta_data());
    for (_, column, value) in placement(person.department, person.job, person.location) {
        row = row.text(column, value);
    }
    // Null here means a person as well, and so it stands in databases that came through many upgrades.
    if !dice.percent(30) {
        row = row.flag("workgroup", false);
    }
    if dice.percent(40) {
        row = row.text("assigned_scope", stage.scope_of_location(person.location));
    }
    if dice.percent(25) {
        row = row
            .text("password", secret(dice))
            .text("password_history", format!("{},{}", secret(dice), secret(dice)));
    }
    if stamps.created < stage.start_ms {
        let before = |dice: &mut Dice, days: i64| stage.start_ms - dice.between(HOUR_MS, days * DAY_MS);
        row = row.int("last_refresh", before(dice, 3));
        if dice.percent(60) {
            row = row.int("last_login", before(dice, 60));
        }
    }
    row
}

fn attributes(stage: &Stage, person: &Person, dice: &mut Dice) -> String {
    let mut entries: Vec<(String, Xml)> = placement(person.department, person.job, person.location)
        .into_iter()
        .map(|(key, _, value)| (key.to_owned(), Xml::Text(value)))
        .collect();
    entries.push(("employeeId".to_owned(), Xml::text(person.employee_id())));
    entries.push(("hireDate".to_owned(), Xml::Date(person.hired)));
    entries.push(("isContractor".to_owned(), xml_forms::spelled_flag(person.contractor, dice)));
    for _ in 0..1 + dice.index(3) {
        let (key, value) = xml_forms::odd_entry(stage, person, dice);
        if entries.iter().all(|(known, _)| *known != key) {
            entries.push((key, value));
        }
    }
    let document = xml::attributes(&entries);
    if dice.permille(15) { format!("{}{document}", xml::PROLOG) } else { document }
}

/// Which attributes come from where.
fn meta_data() -> String {
    let items = ["department", "jobTitle", "location"].map(|name| {
        Xml::Element(format!("<AttributeMetaData attribute=\"{name}\" source=\"HR Directory:{name}\"/>"))
    });
    xml::document(&Xml::List(items.to_vec()))
}

/// Rows for attributes with several values that are searched for.
pub(crate) fn write_external(person: &Person, ids: &mut Ids, rows: &mut Rows, dice: &mut Dice) {
    if dice.percent(15) {
        for language in xml_forms::languages(dice) {
            rows.add(
                Row::new("spt_identity_external_attr")
                    .text("id", ids.next(Kind::ExternalAttribute))
                    .text("object_id", person.id.as_str())
                    .text("attribute_name", "languages")
                    .text("value", language),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Release;

    /// By hand: 0 leads all, 1 to 14 the departments, 15 to 22 are below 1, 23 to 30 below 2, 127 to 134 below 15.
    #[test]
    fn managers_form_a_tree_with_one_root() {
        let managers: Vec<Option<u32>> = [0, 1, 14, 15, 22, 23, 127, 134, 135].map(manager_of).to_vec();
        assert_eq!(
            managers,
            [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(15), Some(15), Some(16)]
        );
        for number in 1..5000 {
            assert!(manager_of(number).unwrap() < number);
        }
        assert!(leads(1, 16) && !leads(2, 16) && !leads(15, 127) && leads(15, 128));
        assert_eq!(
            [department_of(0), department_of(1), department_of(14), department_of(130)],
            [0, 0, 13, 0]
        );
    }

    #[test]
    fn a_person_follows_from_seed_and_number() {
        let stage = Stage::new(7, 300, 1_750_000_000_000, Release::V8_4);
        let (one, again) = (Person::of(&stage, 99), Person::of(&stage, 99));
        assert_eq!((one.login.clone(), one.hired, one.job), (again.login, again.hired, again.job));
        assert!(one.hired < stage.start_ms);
        let other = Stage::new(8, 300, 1_750_000_000_000, Release::V8_4);
        assert!((0..20).any(|nth| Person::of(&stage, nth).name != Person::of(&other, nth).name));
    }
}
