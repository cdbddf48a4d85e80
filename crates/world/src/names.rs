//! Names of people, from several parts of the world.

use crate::dice::Dice;

/// First names.
const FIRST: &[&str] = &[
    "Aaliyah", "Aarav", "Abdullah", "Abena", "Adaeze", "Adèle", "Aditi", "Adriana", "Agnieszka", "Ahmed", "Aiko",
    "Aisha", "Alejandro", "Aleksandra", "Alice", "Amara", "Amélie", "Amina", "Ana", "Ananya", "Anders", "Andrea",
    "Anh", "Anja", "Anna", "Antoine", "Antonio", "Anūsha", "Arjun", "Arthur", "Åsa", "Asel", "Astrid", "Ayşe",
    "Aziz", "Beatriz", "Benjamin", "Bilal", "Björn", "Bogdan", "Bruno", "Camila", "Carlos", "Catherine", "Cédric",
    "Celia", "Chiara", "Chidi", "Chinedu", "Chloé", "Christian", "Ciarán", "Claire", "Clara", "Daniel", "Daria",
    "David", "Deepika", "Diego", "Dilara", "Dmitri", "Dominik", "Dorota", "Ebru", "Eduardo", "Efua", "Eilidh",
    "Eino", "Elena", "Eleni", "Elif", "Elijah", "Elin", "Elisabeth", "Eliška", "Emeka", "Emily", "Emma", "Emre",
    "Enrique", "Erik", "Esra", "Esther", "Eszter", "Ethan", "Eva", "Fatima", "Felix", "Fernanda", "Filip",
    "Fionnuala", "Florian", "Francesca", "François", "Freya", "Gabriel", "Gábor", "Georgia", "Giorgos", "Giulia",
    "Goran", "Grace", "Grzegorz", "Guðrún", "Guillaume", "Gunnar", "Gustavo", "Hamza", "Hana", "Hannah", "Hans",
    "Haruto", "Hassan", "Hélène", "Henrik", "Hiroshi", "Hugo", "Hyun-woo", "Ibrahim", "Ifeoma", "Ines", "Ingrid",
    "Irina", "Isabela", "Ismail", "Ivan", "Ivana", "Jack", "Jakub", "James", "Jamila", "Jan", "Jasmin", "Javier",
    "Ji-ho", "Ji-woo", "Jing", "Joana", "João", "Johan", "Jorge", "José", "Joseph", "Juan", "Julia", "Jürgen",
    "Kaito", "Kamala", "Karim", "Karin", "Katarzyna", "Kateryna", "Keiko", "Kemal", "Kenji", "Khadija", "Kofi",
    "Krzysztof", "Kwame", "Lærke", "Lars", "Laura", "Léa", "Leila", "Lena", "Leon", "Leticia", "Li", "Liam", "Lina",
    "Lőrinc", "Louis", "Lucía", "Ludmila", "Luis", "Łukasz", "Lwazi", "Magdalena", "Magnus", "Mahmoud", "Maja",
    "Małgorzata", "Manuel", "Marcin", "Marek", "Margarida", "María", "Marie", "Marko", "Marta", "Martin", "Mateo",
    "Matthias", "Maya", "Mehmet", "Mei", "Merve", "Mia", "Michał", "Miguel", "Mikael", "Milan", "Min-jun", "Mireille",
    "Mohammed", "Monika", "Moshe", "Muhammad", "Nadia", "Naledi", "Naomi", "Natalia", "Neha", "Ngozi", "Nguyệt",
    "Niamh", "Nicolás", "Nikhil", "Nikola", "Nina", "Noah", "Noor", "Nuno", "Nuria", "Ola", "Oleksandr", "Olga",
    "Oliver", "Olivia", "Omar", "Ömer", "Øyvind", "Pablo", "Pádraig", "Paolo", "Paula", "Pavel", "Pedro", "Petra",
    "Pierre", "Piotr", "Pooja", "Priya", "Rachel", "Rafael", "Rahul", "Rania", "Raúl", "Rebecca", "Renata",
    "René", "Ricardo", "Rohan", "Rosa", "Ruben", "Ruth", "Ryōta", "Saanvi", "Sakura", "Salma", "Samira", "Samuel",
    "Sandra", "Sanjay", "Sara", "Şebnem", "Sergei", "Shanice", "Shreya", "Sigríður", "Simone", "Siobhán", "Sofía",
    "Søren", "Soo-jin", "Stefan", "Sunita", "Svetlana", "Tadeusz", "Tamar", "Tarek", "Tatiana", "Temitope", "Teresa",
    "Thabo", "Thandiwe", "Thanh", "Théo", "Thomas", "Thu", "Tiago", "Tomáš", "Tomasz", "Tuấn", "Uchenna", "Ulrike",
    "Valentina", "Vanessa", "Václav", "Vera", "Victor", "Vikram", "Viktória", "Vincent", "Wangari", "Wei", "William",
    "Xavier", "Ximena", "Xin", "Yael", "Yasmin", "Yūki", "Yuna", "Yusuf", "Zainab", "Željko", "Zeynep", "Zoë",
    "Zofia", "Zsófia",
];

/// Family names.
const LAST: &[&str] = &[
    "Abbas", "Abdi", "Abe", "Abiodun", "Acheampong", "Adeyemi", "Agarwal", "Ahmad", "Almeida", "Álvarez", "Andersen",
    "Andersson", "Antonescu", "Aoki", "Asante", "Åström", "Ayala", "Aydın", "Baker", "Balogun", "Banerjee", "Barbosa",
    "Bauer", "Becker", "Benali", "Bergström", "Bernard", "Bianchi", "Bielik", "Björklund", "Blanc", "Bondarenko",
    "Botha", "Boyle", "Brânză", "Brown", "Bruun", "Bui", "Çelik", "Černý", "Chakraborty", "Chan", "Chaudhry", "Chen",
    "Chikwanha", "Choi", "Clark", "Coelho", "Cohen", "Costa", "Cruz", "D'Amico", "D'Angelo", "Da Silva", "Dang",
    "Davies", "De Jong", "De la Cruz", "Demir", "Diaz", "Dlamini", "Doğan", "Dubois", "Dvořák", "Eze", "Fernandes",
    "Fernández", "Ferrari", "Fischer", "Fitzgerald", "Fofana", "Fontaine", "Fournier", "Friðriksson", "Fujita",
    "Gallo", "García", "Gashi", "Gebremariam", "Georgiou", "Goldberg", "Gómez", "Gonçalves", "González", "Górski",
    "Gupta", "Gutiérrez", "Haddad", "Hakimi", "Hansen", "Harris", "Hassan", "Hernández", "Hoang", "Hoffmann", "Holm",
    "Horváth", "Hossain", "Hughes", "Huang", "Hussein", "Iglesias", "Ito", "Ivanova", "Jackson", "Jääskeläinen",
    "Jansen", "Jóhannsdóttir", "Johnson", "Jones", "Joshi", "Juhász", "Kaczmarek", "Kamau", "Kang", "Kapoor", "Kaplan",
    "Katz", "Kaya", "Keita", "Kelly", "Khan", "Kim", "Kimura", "Kobayashi", "Koç", "Köhler", "Kovács", "Kowalczyk",
    "Kowalski", "Kraft", "Krüger", "Kučera", "Kumar", "Laine", "Lambert", "Larsen", "Larsson", "Le", "Lee", "Lefèvre",
    "Levy", "Lewandowski", "Li", "Lim", "Lindqvist", "Liu", "López", "Lopes", "Łuczak", "Lund", "MacDonald", "Mahlangu",
    "Malik", "Marković", "Martin", "Martínez", "Mazur", "McCarthy", "Mehta", "Meier", "Mendes", "Mensah", "Meyer",
    "Miller", "Mishra", "Mitchell", "Mizrahi", "Mokoena", "Molina", "Møller", "Moreau", "Moreno", "Mori", "Morris",
    "Müller", "Muñoz", "Murphy", "Mwangi", "N'Diaye", "N'Guessan", "Nagy", "Nakamura", "Nair", "Navarro", "Ndlovu",
    "Németh", "Ng", "Nguyễn", "Nielsen", "Nowak", "Novotná", "Núñez", "O'Brien", "O'Connor", "O'Neill", "O'Sullivan",
    "Obi", "Oduya", "Okafor", "Okonkwo", "Olsen", "Omondi", "Ong", "Öztürk", "Papadopoulos", "Papp", "Park", "Patel",
    "Pereira", "Pérez", "Petit", "Petrov", "Phạm", "Pham", "Popescu", "Popović", "Prasad", "Quispe", "Rahman", "Ramírez",
    "Ramos", "Rao", "Reyes", "Ribeiro", "Rivera", "Roberts", "Rodríguez", "Romano", "Rossi", "Roux", "Ruiz", "Ryan",
    "Sahin", "Saito", "Sánchez", "Santos", "Sari", "Sato", "Schmidt", "Schneider", "Schröder", "Scott", "Sen", "Shah",
    "Sharma", "Shevchenko", "Silva", "Simić", "Singh", "Smith", "Sokołowska", "Sørensen", "Soto", "Souza", "Steiner",
    "Suzuki", "Svensson", "Świątek", "Szabó", "Takahashi", "Tan", "Tanaka", "Taylor", "Teixeira", "Temirkhanov", "Thiam",
    "Tkachenko", "Torres", "Tóth", "Traoré", "Trần", "Tremblay", "Tran", "Tsai", "Van den Berg", "Van Dijk", "Vargas",
    "Vasquez", "Virtanen", "Vogel", "Võ", "Walker", "Wang", "Watanabe", "Weber", "Weiß", "White", "Williams", "Wilson",
    "Wójcik", "Wong", "Wright", "Wu", "Yamamoto", "Yang", "Yılmaz", "Young", "Yusuf", "Zając", "Zhang", "Zhou",
    "Zieliński", "Zimmermann", "Zulu", "Žukauskas",
];

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
        Self { first: (*dice.pick(FIRST)).to_owned(), last: family_name(dice).to_owned() }
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
        for list in [FIRST, LAST] {
            assert!(list.len() >= 280, "{}", list.len());
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
        }
        assert!(LAST.iter().any(|name| name.contains('\'')));
        assert!(FIRST.iter().filter(|name| !name.is_ascii()).count() > 40);
    }

    #[test]
    fn every_letter_has_a_plain_one() {
        for name in FIRST.iter().chain(LAST) {
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
