//! The odd forms in which attributes come, spread over the people.

use crate::applications::secret;
use crate::dice::Dice;
use crate::organisation::{DEPARTMENTS, LOCATIONS};
use crate::people::Person;
use crate::stage::{DAY_MS, Stage};
use crate::xml::{Xml, escape_text};

const LANGUAGES: [&str; 10] = ["en", "de", "fr", "es", "pt", "pl", "hi", "ja", "zh", "ar"];

/// A flag in one of the spellings found in databases: most of those that are false are empty.
pub(crate) fn spelled_flag(flag: bool, dice: &mut Dice) -> Xml {
    if flag {
        return Xml::Flag(if dice.percent(10) { "True" } else { "true" });
    }
    match dice.below(10) {
        0 => Xml::Flag("false"),
        1 => Xml::Flag(" "),
        2..=4 => Xml::EmptyFlag,
        _ => Xml::Flag(""),
    }
}

/// One to three languages, in alphabetical order of their codes' positions.
pub(crate) fn languages(dice: &mut Dice) -> Vec<&'static str> {
    let count = 1 + dice.index(3);
    dice.positions(LANGUAGES.len(), count).into_iter().map(|nth| LANGUAGES[nth]).collect()
}

/// How many odd forms there are.
const FORMS: u64 = 18;

/// An attribute in an odd form.
pub(crate) fn odd_entry(stage: &Stage, person: &Person, dice: &mut Dice) -> (String, Xml) {
    let number = u64::from(person.number);
    let (key, value) = match dice.below(FORMS) {
        0..=2 => ("languages", Xml::values(languages(dice))),
        3 => ("nickname", Xml::Null),
        4 => ("address", address(person)),
        5 => ("emergencyContact", emergency_contact(dice)),
        6 => (
            "note",
            Xml::LongText("Works from home on Mondays.\nBadge collected at gate 2 & signed.".to_owned()),
        ),
        7 => ("signature", Xml::Cdata("<p>Kind regards,<br/><b>the team</b> &amp; friends</p>".to_owned())),
        8 => ("mentor", mentor(stage, dice)),
        9 => ("badgeNumber", Xml::Number("Long", (9_000_000_000 + number * 7).to_string())),
        10 => ("workload", Xml::Number("Float", format!("0.{}", 5 + dice.below(5)))),
        11 => ("contractEnd", Xml::DateString(format!("{}/{}/2027", 1 + dice.below(12), 1 + dice.below(28)))),
        12 => ("voicePin", Xml::text(secret(dice))),
        13 => ("status", Xml::Element("<String>Ready &#233;&#x1F3A7; 🎧</String>".to_owned())),
        14 => ("shifts", shifts(dice)),
        15 => ("committees", Xml::List(Vec::new())),
        16 => ("keys", Xml::Set(vec![Xml::text("A-12"), Xml::Null, Xml::text("")])),
        _ => ("floors", keyed_map()),
    };
    (key.to_owned(), value)
}

/// Maps in a map.
fn address(person: &Person) -> Xml {
    let place = LOCATIONS[person.location];
    let building =
        vec![("floor".to_owned(), Xml::Number("Integer", "3".to_owned())), ("desk".to_owned(), Xml::Null)];
    Xml::Map(vec![
        ("city".to_owned(), Xml::text(place.city)),
        ("country".to_owned(), Xml::text(place.country)),
        ("building".to_owned(), Xml::Map(building)),
    ])
}

/// Attributes in attributes.
fn emergency_contact(dice: &mut Dice) -> Xml {
    let inner = vec![("phone".to_owned(), Xml::text(format!("+49 30 {}", 100_000 + dice.below(900_000))))];
    Xml::Attributes(vec![
        ("relation".to_owned(), Xml::text(*dice.pick(&["partner", "parent", "friend"]))),
        ("reachable".to_owned(), Xml::Attributes(inner)),
    ])
}

/// A reference; one that was imported has no id.
fn mentor(stage: &Stage, dice: &mut Dice) -> Xml {
    let number = u32::try_from(dice.below(u64::from(stage.owners()))).unwrap_or(0);
    let other = Person::of(stage, number);
    let id = dice.percent(60).then_some(other.id);
    Xml::Reference { class: "sailpoint.object.Identity", id, name: other.login }
}

/// A list of maps.
fn shifts(dice: &mut Dice) -> Xml {
    let shift = |name: &str, hours: u64| {
        Xml::Map(vec![
            ("name".to_owned(), Xml::text(name)),
            ("hours".to_owned(), Xml::Number("Integer", hours.to_string())),
        ])
    };
    Xml::List(vec![shift("early", 4 + dice.below(5)), shift("late", 4 + dice.below(5))])
}

/// A map whose keys are no plain text.
fn keyed_map() -> Xml {
    let department = escape_text(DEPARTMENTS[0].name);
    Xml::Element(format!(
        "<Map>\n          <entry value=\"{department}\">\n            <key>\n              <Integer>2</Integer>\n            \
         </key>\n          </entry>\n        </Map>"
    ))
}

/// Attributes of a period of employment, for accounts.
pub(crate) fn last_logon(stage: &Stage, dice: &mut Dice) -> Xml {
    Xml::Date(stage.start_ms - dice.between(DAY_MS, 200 * DAY_MS))
}
