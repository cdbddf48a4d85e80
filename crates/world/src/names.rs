//! Names of people, from several parts of the world.

use std::sync::LazyLock;

use crate::dice::Dice;

/// First names.
static FIRST: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../names/first.txt").lines().collect());

/// Family names.
static LAST: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../names/last.txt").lines().collect());

/// The name that a person goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonName {
    /// First name.
    pub(crate) first: String,
    /// Family name.
    pub(crate) last: String,
}

impl PersonName {
    /// Some name.
    pub(crate) fn throw(dice: &mut Dice) -> Self {
        Self { first: (*dice.pick(&FIRST)).to_owned(), last: family_name(dice).to_owned() }
    }

    /// First name and family name.
    pub(crate) fn display(&self) -> String {
        format!("{} {}", self.first, self.last)
    }
}

/// Some family name.
pub(crate) fn family_name(dice: &mut Dice) -> &'static str {
    LAST[dice.index(LAST.len())]
}

/// The login of the person with this number: plain letters, and never the same for two people.
pub(crate) fn login(first: &str, last: &str, number: u64) -> String {
    let letters = |name: &str, count: usize| plain(name).chars().take(count).collect::<String>();
    format!("{}{}{number:05}", letters(last, 7), letters(first, 1))
}

/// Address of the person with this number.
pub(crate) fn email(first: &str, last: &str) -> String {
    format!("{}.{}@example.com", plain(first), plain(last))
}

/// A name in lower-case plain letters, as old systems want it.
pub(crate) fn plain(name: &str) -> String {
    name.chars().flat_map(plain_letter).collect()
}

fn plain_letter(letter: char) -> Vec<char> {
    let text = match letter {
        'a'..='z' => return vec![letter],
        'A'..='Z' => return vec![letter.to_ascii_lowercase()],
        'á' | 'à' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' | 'ậ' | 'ấ' | 'ầ' | 'ạ' | 'Á' | 'À' => "a",
        'ä' | 'æ' | 'Ä' => "ae",
        'å' | 'Å' => "aa",
        'ç' | 'ć' | 'č' | 'Ç' | 'Č' => "c",
        'ð' | 'đ' => "d",
        'é' | 'è' | 'ê' | 'ë' | 'ě' | 'ę' | 'ệ' | 'ễ' | 'É' => "e",
        'ğ' => "g",
        'í' | 'ì' | 'î' | 'ï' | 'ı' | 'İ' => "i",
        'ł' | 'Ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ó' | 'ò' | 'ô' | 'õ' | 'ō' | 'ő' | 'Ó' => "o",
        'ö' | 'ø' | 'Ö' | 'Ø' => "oe",
        'ř' => "r",
        'š' | 'ś' | 'ş' | 'Ś' | 'Ş' => "s",
        'ß' => "ss",
        'ț' => "t",
        'ú' | 'ù' | 'û' | 'ū' | 'ů' => "u",
        'ü' => "ue",
        'ý' => "y",
        'ž' | 'ź' | 'ż' | 'Ž' => "z",
        _ => "",
    };
    text.chars().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_hundreds_of_names_and_none_twice() {
        for list in [&*FIRST, &*LAST] {
            assert!(list.len() >= 280, "{}", list.len());
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
        }
        assert!(LAST.iter().any(|name| name.contains('\'')));
        assert!(FIRST.iter().filter(|name| !name.is_ascii()).count() > 40);
    }

    #[test]
    fn every_letter_has_a_plain_one() {
        for name in FIRST.iter().chain(&*LAST) {
            for letter in name.chars().filter(|letter| letter.is_alphabetic()) {
                assert!(!plain_letter(letter).is_empty(), "{letter} in {name}");
            }
            assert!(plain(name).bytes().all(|letter| letter.is_ascii_lowercase()));
        }
        assert_eq!(plain("O'Brien"), "obrien");
        assert_eq!(plain("Jääskeläinen"), "jaeaeskelaeinen");
    }

    #[test]
    fn logins_are_short_and_end_in_the_number() {
        assert_eq!(login("Søren", "Weiß", 42), "weisss00042");
        assert_eq!(login("Zoë", "Papadopoulos", 123_456), "papadopz123456");
        assert_eq!(email("Zoë", "De la Cruz"), "zoe.delacruz@example.com");
    }
}
