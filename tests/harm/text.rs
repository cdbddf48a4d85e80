//! Text that an engine refuses is kept exact in documents and cleaned in columns, with a flag; other odd text stays as
//! it is.

use annals_model::ObjectType;
use annals_model::text::exact_bytes;
use annals_testkit::Engine;
use serde_json::json;

use crate::memory::{run, sites};
use crate::site::{DAY_MS, START_MS, Site};

/// Long after everything that happens in a test.
const LATER_MS: i64 = START_MS + 3_650 * DAY_MS;

/// The captures that are flagged: object type and id.
fn flagged(site: &Site) -> Vec<String> {
    let hex = match site.history.engine() {
        Engine::Postgres => "encode(h.capture_id, 'hex')",
        _ => "lower(hex(h.capture_id))",
    };
    site.look(&format!(
        "select t.object_type, h.object_id from annals_cleaned_text t
         join annals_head h on {hex} = t.capture_id order by t.object_type, h.object_id;"
    ))
}

/// NUL and bytes that are no UTF-8, which a SQLite source can have in text.
#[tokio::test]
async fn bytes_that_are_no_text_are_kept_in_the_document() {
    for history in [Engine::Sqlite, Engine::Postgres] {
        let site = Site::new(Engine::Sqlite, history, 20).await;
        site.extracts("identity: {}");
        let people = site.ask(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false} order by id limit 2;",
        );
        // `An NUL na`, `Zo FF e`; then right-to-left text and a character beyond the 16-bit ones, decomposed accents.
        site.change(&format!(
            "update spt_identity set display_name = cast(x'416e006e61' as text),
               firstname = cast(x'5a6fff65' as text) where id = '{}';
             update spt_identity set firstname = 'שלום \u{202e}abc', lastname = '🎧 e\u{301}' where id = '{}';",
            people[0], people[1]
        ));
        run(&site).succeeds();

        let field = async |id: &str, name: &str| site.field(ObjectType::Identity, id, LATER_MS, name).await;
        assert_eq!(field(&people[0], "displayName").await, json!("An\0na"));
        let first = field(&people[0], "firstname").await;
        assert_eq!(first, json!("Zo\u{10FFFF}e"));
        assert_eq!(*exact_bytes(first.as_str().unwrap()), *b"Zo\xFFe");
        assert_eq!(field(&people[1], "firstname").await, json!("שלום \u{202e}abc"));
        assert_eq!(field(&people[1], "lastname").await, json!("🎧 e\u{301}"));
        let columns = site.look(&format!(
            "select display_name, firstname from spt_hist_identity where identity_id = '{}';",
            people[0]
        ));
        assert_eq!(columns, ["Anna|Zo\u{FFFD}e"]);
        let columns = site.look(&format!(
            "select firstname, lastname from spt_hist_identity where identity_id = '{}';",
            people[1]
        ));
        assert_eq!(columns, ["שלום \u{202e}abc|🎧 e\u{301}"]);
        assert_eq!(flagged(&site), [format!("identity|{}", people[0])]);

        // The next state has no such text: its capture is not flagged, and the event has what columns take.
        site.change(&format!(
            "update spt_identity set display_name = 'Anna', firstname = 'Zoe' where id = '{}';",
            people[0]
        ));
        run(&site).succeeds();
        assert_eq!(site.count("select count(*) from annals_cleaned_text;"), 1);
        assert_eq!(flagged(&site), [""; 0]);
        let events = site.look(&format!(
            "select property_name, old_value, new_value from spt_hist_identity_event
             where entity_id = '{}' and event_type = 'IdentityChanged' order by property_name;",
            people[0]
        ));
        assert_eq!(events, ["displayName|Anna|Anna", "firstname|Zo\u{FFFD}e|Zoe"]);
    }
}

/// What JSON can write of text and numbers, on both engines; of equal keys the last wins.
#[tokio::test]
async fn json_is_kept_exact() {
    for site in sites().await {
        site.extracts("role: {}");
        site.edit(
            "sources/identityiq.yaml",
            "      joinRuleId: join_rule\n      selector: {column: selector, format: xml}\n",
            "      joinRuleId: join_rule\n      selector: {column: selector, format: json}\n",
        );
        let role = site.ask_one("select min(id) from spt_bundle;");
        site.change(&format!(
            r#"update spt_bundle set selector = null;
               update spt_bundle set selector = '{{"nul":"a\u0000b","half":"x\ud800y","\udc00":1,"whole":"\ud83c\udfa7",
                 "twice":1,"twice":{{"a":2,"a":3}},"big":18446744073709551616,"long":9007199254740993,
                 "exact":0.1,"rounded":0.1000000000000000055511151231257827}}' where id = '{role}';"#
        ));
        run(&site).succeeds();
        let selector = site.field(ObjectType::Role, &role, LATER_MS, "selector").await;
        assert_eq!(
            selector,
            json!({"nul": "a\0b", "half": "x\u{10FFED}\u{10FFA0}\u{10FF80}y", "\u{10FFED}\u{10FFB0}\u{10FF80}": 1,
                   "whole": "🎧", "twice": {"a": 3}, "big": "18446744073709551616", "long": 9_007_199_254_740_993_i64,
                   "exact": 0.1, "rounded": "0.1000000000000000055511151231257827"})
        );
        assert_eq!(*exact_bytes(selector["half"].as_str().unwrap()), *b"x\xED\xA0\x80y");
        assert_eq!(flagged(&site), [format!("role|{role}")]);
    }
}

/// A name longer than any index entry, on the way to a list that changes: searchable columns have its beginning.
#[tokio::test]
async fn an_attribute_with_a_name_of_100_kilobytes_is_one_like_any_other() {
    for site in sites().await {
        site.extracts("identity: {}");
        let (person, _) = crate::site::somebody(&site);
        let name = "n".repeat(100_000);
        let set = |value: &str| {
            site.change(&format!(
                "update spt_identity set attributes =
                   '<Attributes><Map><entry key=\"{name}\" value=\"{value}\"/></Map></Attributes>'
                 where id = '{person}';"
            ));
        };
        set("a");
        run(&site).succeeds();
        set("b");
        run(&site).succeeds();
        let attributes = site.field(ObjectType::Identity, &person, LATER_MS, "attributes").await;
        assert_eq!(attributes, json!({ name.as_str(): "b" }));
        let events = site.look(&format!(
            "select length(property_name), old_value, new_value from spt_hist_identity_event
             where entity_id = '{person}' and event_type = 'IdentityChanged';"
        ));
        assert_eq!(events, ["255|a|b"]);
    }
}
