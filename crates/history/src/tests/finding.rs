//! Finding objects by what their newest state says, against lists that are worked out by hand.

use annals_model::{Head, ImageHashes, ObjectKey, ObjectType};
use serde_json::{Value, json};

use super::heads::head;
use super::{History, full, histories, identity, image, key, tombstone};
use crate::find::{
    Comparison, Condition, Find, Operand, Order, Part, Place, PlaceValue, Property, collection, count, find,
    properties, property,
};
use crate::{Error, NewCapture};

/// Id, name, email, first name, since, deleted.
type Person = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, i64, bool);

const PEOPLE: [Person; 6] = [
    ("i1", "bob", Some("b@x.org"), Some("Bob"), 30, false),
    ("i2", "Ann", Some("a@x.org"), None, 10, false),
    ("i3", "ann", None, Some("Ann"), 20, false),
    ("i4", "100%_sure[!]*", Some("B@x.org"), Some("Ann"), 30, false),
    ("0191f4f0-7c1a-7abc-8def-0123456789ab", "zoe", Some("z@x.org"), Some("Zoé"), 5, false),
    ("i5", "gone", None, None, 40, true),
];

fn capture_id(number: usize) -> String {
    format!("{number:032x}")
}

async fn write(history: &History, number: usize, object: &ObjectKey, name: &str, fields: Value, since: i64) {
    let id = capture_id(number);
    let image = image(object.object_type, fields);
    let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
    let head = Head { name: name.to_owned(), ..head(&id, since, &some) };
    history
        .write(|writes| {
            writes.capture(NewCapture { name: name.to_owned(), ..full(&id, object, since, &image) }).unwrap();
            writes.head(object.clone(), head, None);
        })
        .await;
}

/// The people, each with accounts of his own, on every engine.
async fn people() -> Vec<History> {
    let all = histories().await;
    for history in &all {
        for (number, (id, name, email, firstname, since, deleted)) in PEOPLE.into_iter().enumerate() {
            let mut fields = json!({"accounts": [{"id": format!("a{number}")}, {"id": "shared"}]});
            for (field, value) in [("email", email), ("firstname", firstname)] {
                if let Some(value) = value {
                    fields[field] = json!(value);
                }
            }
            if number == 1 {
                fields["accounts"] = json!([]);
            }
            write(history, number + 1, &identity(id), name, fields, since).await;
            if deleted {
                let end = capture_id(number + 101);
                let some = ImageHashes { full: "F".to_owned(), smart: "S".to_owned() };
                let before = Head { name: name.to_owned(), ..head(&capture_id(number + 1), since, &some) };
                let after = Head { deleted: true, name: name.to_owned(), ..head(&end, since, &some) };
                history
                    .write(|writes| {
                        writes.capture(tombstone(&end, &identity(id), since)).unwrap();
                        writes.head(identity(id), after, Some(before));
                    })
                    .await;
            }
        }
    }
    all
}

fn of(name: &str) -> &'static Property {
    property(ObjectType::Identity, name).unwrap()
}

fn wanted(condition: Option<Condition>) -> Find {
    Find {
        object_type: ObjectType::Identity,
        condition,
        words: Vec::new(),
        order: Vec::new(),
        limit: 100,
        after: None,
    }
}

async fn ids(history: &History, wanted: &Find) -> Vec<String> {
    let mut tx = history.read().await;
    let page = find(&mut tx, wanted).await.unwrap();
    assert_eq!(page.next, None);
    assert_eq!(count(&mut tx, wanted).await.unwrap(), page.rows.len() as u64);
    page.rows.into_iter().map(|row| row.key.object_id.chars().take(2).collect()).collect()
}

fn text(text: &str) -> Operand {
    Operand::Text(text.to_owned())
}

/// Ids are what they are, letter by letter: PostgreSQL, which keeps them in byte order, has capitals for ASCII alone there.
#[tokio::test]
async fn an_id_is_found_whatever_its_letters() {
    let of_id = |name| property(ObjectType::Entitlement, name).unwrap();
    for history in histories().await {
        let held = key(ObjectType::Entitlement, "cn=zoé");
        write(&history, 1, &held, "zoe", json!({"application": {"id": "größe"}}), 10).await;
        for (name, text, found) in [
            ("id", "cn=zoé", 1),
            ("id", "cn=zoÉ", 0),
            ("id", "CN=zoé", 0),
            ("applicationId", "größe", 1),
            ("applicationId", "GRÖßE", 0),
        ] {
            let equal = Condition::Compare(of_id(name), Comparison::Equal, Operand::Text(text.to_owned()));
            let wanted = Find { object_type: ObjectType::Entitlement, ..wanted(Some(equal)) };
            let mut tx = history.read().await;
            assert_eq!(count(&mut tx, &wanted).await.unwrap(), found, "{name} {text}");
        }
    }
}

/// Each condition with those of whom it holds, `01` standing for the one with the long id. What is absent is equal to
/// nothing, unequal to everything, and has no part; the opposite of a condition holds of all others.
#[tokio::test]
async fn conditions_hold_of_those_they_should() {
    use Comparison as C;
    let equal = |name, value| Condition::Compare(of(name), C::Equal, value);
    let unequal = |name, value| Condition::Compare(of(name), C::Unequal, value);
    let compare = |name, comparison, value| Condition::Compare(of(name), comparison, value);
    let part = |name, part, text: &str| Condition::Text(of(name), part, text.to_owned());
    let accounts = || collection(ObjectType::Identity, "accounts").unwrap();
    let account = |id| {
        let property = &accounts().elements[0];
        assert_eq!(property.name, "id");
        Condition::Some(accounts(), Some(Box::new(Condition::Compare(property, C::Equal, text(id)))))
    };
    let cases = [
        (equal("name", text("ann")), "i3"),
        (equal("email", text("b@x.org")), "i1"),
        (unequal("email", text("b@x.org")), "01 i2 i3 i4 i5"),
        (Condition::Not(Box::new(equal("email", text("b@x.org")))), "01 i2 i3 i4 i5"),
        (Condition::Not(Box::new(unequal("email", text("b@x.org")))), "i1"),
        (Condition::Absent(of("email")), "i3 i5"),
        (Condition::Not(Box::new(Condition::Absent(of("email")))), "01 i1 i2 i4"),
        // Capital letters come before small ones, byte by byte.
        (compare("email", C::Less, text("a@x.org")), "i4"),
        (compare("email", C::GreaterOrEqual, text("b@x.org")), "01 i1"),
        (Condition::Not(Box::new(compare("email", C::Greater, text("B@x.org")))), "i3 i4 i5"),
        (compare("since", C::Greater, Operand::Int(20)), "i1 i4 i5"),
        (compare("since", C::LessOrEqual, Operand::Int(10)), "01 i2"),
        (equal("deleted", Operand::Int(1)), "i5"),
        (part("name", Part::AtStart, "a"), "i3"),
        (part("name", Part::Anywhere, "%_"), "i4"),
        (part("name", Part::Anywhere, "[!]"), "i4"),
        (part("name", Part::AtEnd, "*"), "i4"),
        (part("name", Part::Anywhere, "n_"), ""),
        (part("firstname", Part::AtEnd, "é"), "01"),
        (Condition::Not(Box::new(part("firstname", Part::Anywhere, "n"))), "01 i1 i2 i5"),
        (Condition::All(vec![]), "01 i1 i2 i3 i4 i5"),
        (Condition::Any(vec![]), ""),
        (
            Condition::All(vec![
                equal("firstname", text("Ann")),
                Condition::Any(vec![Condition::Absent(of("email")), equal("name", text("bob"))]),
            ]),
            "i3",
        ),
        (account("a0"), "i1"),
        (account("shared"), "01 i1 i3 i4"),
        (Condition::Some(accounts(), None), "01 i1 i3 i4"),
        (Condition::Not(Box::new(Condition::Some(accounts(), None))), "i2 i5"),
        (equal("name", text("' or 1 = 1 --")), ""),
    ];
    for history in people().await {
        for (condition, expected) in &cases {
            let found = ids(&history, &wanted(Some(condition.clone()))).await;
            assert_eq!(found.join(" "), *expected, "{condition:?}");
        }
    }
}

/// Words are parts of names without regard to case.
#[tokio::test]
async fn words_are_looked_for_in_names() {
    for history in people().await {
        for (words, expected) in
            [(vec!["ANN"], "i2 i3"), (vec!["o", "B"], "i1"), (vec!["%"], "i4"), (vec!["x"], "")]
        {
            let words = words.into_iter().map(str::to_owned).collect();
            assert_eq!(ids(&history, &Find { words, ..wanted(None) }).await.join(" "), expected);
        }
    }
}

/// In whatever order, pages of any size put together are the whole list once; nothing comes before something.
#[tokio::test]
async fn pages_are_the_list() {
    use Order::{Ascending as Up, Descending as Down};
    let cases: [(&[(&str, Order)], &str); 7] = [
        (&[], "01 i1 i2 i3 i4 i5"),
        (&[("name", Up)], "i4 i2 i3 i1 i5 01"),
        (&[("name", Down)], "01 i5 i1 i2 i3 i4"),
        (&[("email", Up)], "i3 i5 i4 i2 i1 01"),
        (&[("since", Down), ("name", Up)], "i5 i4 i1 i3 i2 01"),
        (&[("firstname", Up), ("since", Down)], "i5 i2 i4 i3 i1 01"),
        (&[("deleted", Up), ("email", Down)], "01 i1 i2 i4 i3 i5"),
    ];
    for history in people().await {
        for (order, expected) in cases {
            for limit in [1, 2, 5, 6, 100] {
                let order = order.iter().map(|(name, order)| (of(name), *order)).collect();
                let mut wanted = Find { order, limit, ..wanted(None) };
                let mut found: Vec<String> = Vec::new();
                let mut pages = 0;
                loop {
                    let mut tx = history.read().await;
                    let page = find(&mut tx, &wanted).await.unwrap();
                    assert!(page.rows.len() <= limit as usize);
                    found
                        .extend(page.rows.into_iter().map(|row| row.key.object_id.chars().take(2).collect()));
                    pages += 1;
                    let Some(next) = page.next else { break };
                    wanted.after = Some(next);
                }
                assert_eq!(found.join(" "), expected, "{:?} by {limit}", wanted.order);
                assert_eq!(pages, 6_u32.div_ceil(limit), "no page is empty");
            }
        }
    }
}

/// A place of another list is refused.
#[tokio::test]
async fn a_place_belongs_to_its_list() {
    for history in people().await {
        let (int, text) = (PlaceValue::Int(1), PlaceValue::Text("i1".to_owned()));
        for values in
            [vec![], vec![text.clone()], vec![text.clone(), int.clone()], vec![int.clone(), int, text]]
        {
            let mut tx = history.read().await;
            let wanted = Find { after: Some(Place(values)), ..wanted(None) };
            assert!(matches!(find(&mut tx, &wanted).await, Err(Error::Place)));
        }
    }
}

/// What is known of an object that is gone stays; types without an entity table tell of their newest capture; objects
/// of two sources stand in one list; and of a type that was never read there are none.
#[tokio::test]
async fn values_are_those_of_the_newest_state() {
    for history in people().await {
        let mut tx = history.read().await;
        let page =
            find(&mut tx, &wanted(Some(Condition::Compare(of("name"), Comparison::Equal, text("bob")))))
                .await;
        let row = page.unwrap().rows.remove(0);
        let names: Vec<&str> =
            properties(ObjectType::Identity).iter().map(|property| &*property.name).collect();
        assert_eq!(
            names,
            ["id", "name", "deleted", "since", "lastSeen", "displayName", "lastname", "firstname", "email"]
        );
        let expected = json!(["i1", "bob", false, 30, 30, null, null, "Bob", "b@x.org"]);
        assert_eq!(Value::Array(row.values), expected);
        let none = Find { object_type: ObjectType::Capability, ..wanted(None) };
        assert_eq!(find(&mut tx, &none).await.unwrap().rows, []);
        assert_eq!(count(&mut tx, &none).await.unwrap(), 0);
        drop(tx);

        let account = key(ObjectType::Account, "acc");
        let fields = json!({"application": {"name": "AD"}, "nativeIdentity": "cn=bob"});
        write(&history, 50, &account, "bob on AD", fields, 7).await;
        let other = ObjectKey { source: "other".into(), ..account.clone() };
        write(&history, 51, &other, "elsewhere", json!({}), 8).await;
        let mut tx = history.read().await;
        let all = Find { object_type: ObjectType::Account, limit: 1, ..wanted(None) };
        let first = find(&mut tx, &all).await.unwrap();
        let second = find(&mut tx, &Find { after: first.next.clone(), ..all.clone() }).await.unwrap();
        assert_eq!((&first.rows[0].key, &second.rows[0].key, second.next), (&account, &other, None));
        let application = property(ObjectType::Account, "applicationName").unwrap();
        let on_ad = Condition::Compare(application, Comparison::Equal, text("AD"));
        assert_eq!(count(&mut tx, &Find { condition: Some(on_ad), ..all }).await.unwrap(), 1);
    }
}
