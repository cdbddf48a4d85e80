//! What users, groups and memberships look like when they are read, on every engine that Request Tracker runs on.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_config::Config;
use annals_model::ObjectType;
use annals_source::attribute_xml::Limits;
use annals_source::{Loaded, Selection, Source, SourceSettings};
use annals_sql::{Access, Db};
use annals_testkit::{Engine, Principal, RequestTracker, Scope, source_engines};
use serde_json::json;
use tempfile::TempDir;

use crate::site::{configure, now_ms};

const MINUTE_MS: i64 = 60_000;

/// Opens a Request Tracker by the shipped profile.
async fn open(tracker: &RequestTracker) -> Source {
    let dir = TempDir::new().unwrap();
    configure(dir.path(), tracker.url(), "sqlite:unused.db");
    let config = Config::load(dir.path(), &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let db = Db::open(tracker.url(), Access::ReadOnly).await.unwrap();
    let settings = SourceSettings {
        limits: Limits { bytes_max: 1 << 20, nesting_max: 100 },
        document_bytes_max: 1 << 20,
        secret_key: b"a-key-for-tests-alone".to_vec(),
    };
    Source::open(db, Arc::new(config.profile().clone()), settings).await.unwrap()
}

/// The objects of a type that a run would read, by name.
async fn qualified(
    source: &Source,
    object_type: ObjectType,
    since_ms: Option<i64>,
) -> BTreeMap<String, Loaded> {
    let ids = source.qualified_page(object_type, since_ms, None, None, 1_000).await.unwrap().ids;
    let batch = source.load(object_type, &ids, &Selection::All).await.unwrap();
    assert_eq!((batch.missing.as_slice(), batch.failed.as_slice()), ([].as_slice(), [].as_slice()));
    batch.objects.into_iter().map(|object| (object.name.clone(), object)).collect()
}

/// Name, value and, for what is no right, whether it was given to the person directly.
type Held<'i> = (&'i str, &'i str, Option<bool>);

/// What a person has, sorted.
fn held(identity: &Loaded) -> Vec<Held<'_>> {
    let elements = identity.properties["entitlements"].as_array().unwrap();
    let mut held: Vec<Held<'_>> = elements
        .iter()
        .map(|element| {
            let [name, value] = ["name", "value"].map(|member| element[member].as_str().unwrap());
            (name, value, element["assigned"].as_bool())
        })
        .collect();
    held.sort_unstable();
    held
}

/// One tracker an engine for all of these: each start takes seconds.
#[tokio::test]
async fn users_groups_and_memberships_are_read() {
    for engine in source_engines() {
        let tracker = RequestTracker::start(engine);
        // What was there before has the time of the real clock.
        let then_ms = now_ms() + MINUTE_MS;
        populate(&tracker, then_ms);
        let source = open(&tracker).await;
        people_have_their_own_columns_and_no_secret(&source, &tracker, then_ms).await;
        people_have_each_group_role_and_right_once(&source, &tracker, then_ms).await;
        groups_have_members_and_rights(&source, &tracker, then_ms).await;
        direct_memberships_are_objects(&source, &tracker, then_ms).await;
        what_happens_to_a_group_is_dated_for_those_in_it(&source, &tracker, then_ms).await;
    }
}

/// Alice and Bob build, in a group inside another one; Carol is a customer. Minute 0 makes them, later ones do the rest.
fn populate(tracker: &RequestTracker, then_ms: i64) {
    tracker
        .acts()
        .at_ms(then_ms)
        .create_user("alice", "Alice Adams")
        .create_user("bob", "Bob Brown")
        .create_user_with("carol", "Zoë Łuczak", "carol@example.net", false)
        .create_user("boss", "Bea Boss")
        .grant_right(Principal::User("boss"), "SuperUser", Scope::System)
        .set_user("alice", "City", "Graz")
        .create_group("Engineers", "who build")
        .create_group("Testers", "who try")
        .create_group("Staff", "everybody")
        .create_queue("Hardware")
        .perform();
    tracker
        .acts()
        .by("boss")
        .at_ms(then_ms + MINUTE_MS)
        .add_member("Engineers", Principal::User("alice"))
        .add_member("Testers", Principal::User("alice"))
        .add_member("Engineers", Principal::User("bob"))
        .at_ms(then_ms + 2 * MINUTE_MS)
        .add_member("Staff", Principal::Group("Engineers"))
        .add_member("Staff", Principal::Group("Testers"))
        .at_ms(then_ms + 3 * MINUTE_MS)
        .grant_right(Principal::Group("Staff"), "ModifyTicket", Scope::Queue("Hardware"))
        .grant_right(Principal::Group("Testers"), "ModifyTicket", Scope::Queue("Hardware"))
        .grant_right(Principal::User("bob"), "ShowTicket", Scope::System)
        .at_ms(then_ms + 4 * MINUTE_MS)
        .add_watcher("Hardware", "AdminCc", Principal::User("bob"))
        .perform();
}

async fn people_have_their_own_columns_and_no_secret(
    source: &Source,
    tracker: &RequestTracker,
    then_ms: i64,
) {
    let identities = qualified(source, ObjectType::Identity, None).await;
    let names: Vec<&str> = identities.keys().map(String::as_str).collect();
    assert_eq!(names, ["alice", "bob", "boss", "carol", "root"], "but for RT_System and Nobody");

    let alice = &identities["alice"];
    assert_eq!(alice.id, tracker.user_id("alice").to_string());
    for (property, expected) in [
        ("name", json!("alice")),
        ("displayName", json!("Alice Adams")),
        ("email", json!("alice@example.org")),
        ("city", json!("Graz")),
        ("inactive", json!(false)),
        ("created", json!(then_ms)),
        ("creator", json!({"id": "14", "name": "root", "class": "RT::User"})),
        (
            "lastUpdatedBy",
            json!({"id": tracker.user_id("boss").to_string(), "name": "boss", "class": "RT::User"}),
        ),
    ] {
        assert_eq!(alice.properties[property], expected, "{property} on {:?}", tracker.db().engine());
    }
    assert_eq!(identities["carol"].properties["displayName"], "Zoë Łuczak");

    // Request Tracker's first password for root is `password`, hashed.
    let stored = tracker.db().sql("select Password from Users where Name = 'root';");
    assert!(stored.starts_with("!bcrypt!"), "{stored}");
    let root = &identities["root"];
    assert_eq!(root.properties["password"]["_masked"], true);
    assert!(!json!(root.properties).to_string().contains("bcrypt"));
}

/// Alice is in Staff by two ways and has one right by two grants; Carol has what every unprivileged user has.
async fn people_have_each_group_role_and_right_once(source: &Source, tracker: &RequestTracker, then_ms: i64) {
    let identities = qualified(source, ObjectType::Identity, None).await;
    // The rights of the group Privileged are those of a new Request Tracker.
    let of_the_privileged = [
        ("ShowApprovalsTab", "RT::System", None),
        ("ShowSearchAdvanced", "RT::System", None),
        ("ShowSearchBulkUpdate", "RT::System", None),
    ];
    let privileged = |mut held: Vec<Held<'static>>| {
        held.extend(of_the_privileged);
        held.sort_unstable();
        held
    };
    assert_eq!(
        held(&identities["alice"]),
        privileged(vec![
            ("group", "Engineers", Some(true)),
            ("group", "Privileged", Some(true)),
            ("group", "Staff", Some(false)),
            ("group", "Testers", Some(true)),
            ("ModifyTicket", "Hardware", None),
        ])
    );
    assert_eq!(
        held(&identities["bob"]),
        privileged(vec![
            ("AdminCc", "Hardware", Some(true)),
            ("group", "Engineers", Some(true)),
            ("group", "Privileged", Some(true)),
            ("group", "Staff", Some(false)),
            ("ModifyTicket", "Hardware", None),
            ("ShowTicket", "RT::System", None),
        ])
    );
    assert_eq!(held(&identities["carol"]), [("group", "Unprivileged", Some(true))]);

    let (engineers, alice_id) = (tracker.group_id("Engineers").to_string(), tracker.user_id("alice"));
    let row = tracker
        .db()
        .sql(&format!("select id from GroupMembers where GroupId = {engineers} and MemberId = {alice_id};"));
    let elements = identities["alice"].properties["entitlements"].as_array().unwrap();
    let of_engineers = elements.iter().find(|element| element["value"] == "Engineers").unwrap();
    assert_eq!(
        *of_engineers,
        json!({
            "id": row.trim(),
            "name": "group",
            "value": "Engineers",
            "type": "Entitlement",
            "objectType": "RT::Group",
            "objectId": engineers,
            "applicationName": "Request Tracker",
            "nativeIdentity": alice_id.to_string(),
            "assigned": true,
            "assigner": "boss",
            "startDate": then_ms + MINUTE_MS,
        })
    );
}

async fn groups_have_members_and_rights(source: &Source, tracker: &RequestTracker, then_ms: i64) {
    let groups = qualified(source, ObjectType::Workgroup, None).await;
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    assert_eq!(names, ["Engineers", "Everyone", "Privileged", "Staff", "Testers", "Unprivileged"]);

    let user =
        |name: &str| json!({"id": tracker.user_id(name).to_string(), "name": name, "class": "RT::User"});
    let group =
        |name: &str| json!({"id": tracker.group_id(name).to_string(), "name": name, "class": "RT::Group"});
    let engineers = &groups["Engineers"].properties;
    assert_eq!(engineers["description"], "who build");
    assert_eq!(engineers["domain"], "UserDefined");
    assert_eq!(engineers["inactive"], false);
    assert_eq!(engineers["members"], json!([user("alice"), user("bob")]));
    assert_eq!(engineers["memberOf"], json!([group("Staff")]));
    assert_eq!(engineers["rights"], json!([]));
    let staff = &groups["Staff"].properties;
    assert_eq!(staff["members"], json!([group("Engineers"), group("Testers")]));
    assert_eq!(staff["memberOf"], json!([]));
    let rights = staff["rights"].as_array().unwrap();
    assert_eq!(rights.len(), 1);
    for (member, expected) in [
        ("name", json!("ModifyTicket")),
        ("value", json!("Hardware")),
        ("objectType", json!("RT::Queue")),
        ("assigner", json!("boss")),
        ("startDate", json!(then_ms + 3 * MINUTE_MS)),
    ] {
        assert_eq!(rights[0][member], expected, "{member}");
    }
    // The privileged have members and rights; only the rights are told of the group.
    let privileged = &groups["Privileged"].properties;
    assert_eq!(privileged["members"], json!([]));
    assert_eq!(privileged["rights"].as_array().unwrap().len(), 3);
}

async fn direct_memberships_are_objects(source: &Source, tracker: &RequestTracker, then_ms: i64) {
    let ids = source.qualified_page(ObjectType::Entitlement, None, None, None, 1_000).await.unwrap().ids;
    let batch = source.load(ObjectType::Entitlement, &ids, &Selection::All).await.unwrap();
    let mut memberships: Vec<(String, String)> = batch
        .objects
        .iter()
        .map(|object| (object.identity.as_ref().unwrap().name.clone(), object.name.clone()))
        .collect();
    memberships.sort();
    let expected = [
        ("Nobody", "Unprivileged"),
        ("alice", "Engineers"),
        ("alice", "Privileged"),
        ("alice", "Testers"),
        ("bob", "Engineers"),
        ("bob", "Privileged"),
        ("boss", "Privileged"),
        ("carol", "Unprivileged"),
        ("root", "Privileged"),
    ]
    .map(|(person, group)| (person.to_owned(), group.to_owned()));
    assert_eq!(memberships, expected);

    // A row never changes, so that those who joined since are read, and those whose group was touched since.
    let since_ms = then_ms + 2 * MINUTE_MS;
    let touched =
        source.qualified_page(ObjectType::Entitlement, Some(since_ms), None, None, 1_000).await.unwrap().ids;
    let of_touched_groups = tracker.db().sql(&format!(
        "select id from GroupMembers where GroupId in ({}, {}) order by id;",
        tracker.group_id("Engineers"),
        tracker.group_id("Testers")
    ));
    let of_touched_groups: Vec<&str> = of_touched_groups.lines().collect();
    assert_eq!(touched, of_touched_groups);
}

/// The nesting of a group is dated for those in it; that somebody else joined their group is not something that
/// happened to them. What leaves no trace is found because all are read.
async fn what_happens_to_a_group_is_dated_for_those_in_it(
    source: &Source,
    tracker: &RequestTracker,
    then_ms: i64,
) {
    let minute = |minute: i64| then_ms + minute * MINUTE_MS;
    let occurred = async || {
        let identities = qualified(source, ObjectType::Identity, Some(minute(50))).await;
        assert_eq!(identities.len(), 5, "all are read, whatever their change times");
        ["alice", "bob", "carol"].map(|name| identities[name].occurred_ms)
    };
    // A right came at minute 3 for Alice, a role at minute 4 for Bob.
    assert_eq!(occurred().await, [minute(3), minute(4), minute(0)]);

    tracker.acts().at_ms(minute(5)).add_member("Engineers", Principal::User("carol")).perform();
    assert_eq!(occurred().await, [minute(3), minute(4), minute(5)]);

    let acts = tracker.acts().at_ms(minute(6)).rename_group("Engineers", "Builders");
    acts.perform();
    assert_eq!(occurred().await, [minute(6), minute(6), minute(6)]);

    let acts = tracker.acts().at_ms(minute(7)).remove_member("Staff", Principal::Group("Testers"));
    acts.at_ms(minute(8)).disable_group("Builders").at_ms(minute(9)).enable_group("Builders").perform();
    assert_eq!(occurred().await, [minute(9), minute(9), minute(9)]);

    let acts = tracker.acts().at_ms(minute(10)).remove_member("Staff", Principal::Group("Builders"));
    acts.perform();
    assert_eq!(occurred().await, [minute(10), minute(10), minute(10)]);
    let acts = tracker.acts().revoke_right(Principal::User("bob"), "ShowTicket", Scope::System);
    acts.perform();
    assert_eq!(occurred().await, [minute(10), minute(10), minute(10)]);
    let bob = &qualified(source, ObjectType::Identity, Some(minute(50))).await["bob"];
    assert!(!held(bob).iter().any(|(name, ..)| *name == "ShowTicket" || *name == "ModifyTicket"), "{bob:?}");

    // A group that is disabled gives nothing to those in it.
    tracker.acts().disable_group("Builders").perform();
    let bob = &qualified(source, ObjectType::Identity, Some(minute(50))).await["bob"];
    assert!(!held(bob).iter().any(|(_, value, _)| *value == "Builders"), "{bob:?}");
}

/// Request Tracker's own tables have their names in other cases on other engines.
#[tokio::test]
async fn what_the_profile_names_and_the_database_lacks_is_listed() {
    let tracker = RequestTracker::start(Engine::Sqlite);
    tracker.db().sql("alter table Users rename column Gecos to Gcos; alter table Queues rename to Lines;");
    let dir = TempDir::new().unwrap();
    configure(dir.path(), tracker.url(), "sqlite:unused.db");
    let config = Config::load(dir.path(), &|_| None).unwrap();
    let db = Db::open(tracker.url(), Access::ReadOnly).await.unwrap();
    let settings = SourceSettings {
        limits: Limits { bytes_max: 1 << 20, nesting_max: 100 },
        document_bytes_max: 1 << 20,
        secret_key: b"a-key-for-tests-alone".to_vec(),
    };
    let refused =
        Source::open(db, Arc::new(config.profile().clone()), settings).await.unwrap_err().to_string();
    assert!(refused.contains("Gecos") && refused.contains("Queues"), "{refused}");
}
