//! Days in the life of Request Tracker: what administrators do with its own program becomes events of the right people,
//! through the commands that people call.

use annals_testkit::{Engine, Principal, Scope};
use serde_json::{Value, json};

use crate::site::{News, Site, now_ms};

#[test]
fn it_lives_in_files() {
    Story::tell(Engine::Sqlite, Engine::Sqlite);
}

#[test]
fn it_lives_in_a_file_and_is_kept_on_a_server() {
    Story::tell(Engine::Sqlite, Engine::Postgres);
}

#[test]
fn it_lives_on_a_server_and_is_kept_in_a_file() {
    Story::tell(Engine::Postgres, Engine::Sqlite);
}

#[test]
fn it_lives_on_servers() {
    Story::tell(Engine::Postgres, Engine::Postgres);
}

#[test]
fn it_lives_on_mariadb() {
    Story::tell(Engine::MariaDb, Engine::Sqlite);
}

/// A site and its time: each act has a second of its own, at or after the real one.
struct Story {
    site: Site,
    now_ms: i64,
}

/// A line of news of a user.
fn user(name: &str, event: &str) -> String {
    format!("identity {name} {event}")
}

/// A line of news of a group.
fn group(name: &str, event: &str) -> String {
    format!("workgroup {name} {event}")
}

/// The groups that somebody is in by their image, sorted.
fn groups(image: &Value) -> Vec<&str> {
    let held = image["entitlements"].as_array().unwrap().iter();
    let groups = held.filter(|element| element["name"] == "group");
    let mut groups: Vec<&str> = groups.map(|element| element["value"].as_str().unwrap()).collect();
    groups.sort_unstable();
    groups
}

/// An instant as the program reads it.
fn instant(epoch_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(epoch_ms).unwrap().to_string()
}

impl Story {
    fn tell(source: Engine, history: Engine) {
        let mut story = Self { site: Site::new(source, history), now_ms: 0 };
        story.everything_is_seen_first();
        story.nothing_new_writes_nothing();
        story.a_member_joins();
        story.a_group_is_put_into_another();
        story.rights_and_a_role_are_given();
        story.a_member_leaves();
        story.people_and_groups_are_changed();
        story.a_group_is_disabled();
        story.what_leaves_no_trace_is_seen_all_the_same();
        story.a_user_is_wiped_out();
        story.nothing_new_writes_nothing();
        story.the_commands_tell_it();
    }

    /// The next second of the story.
    fn next(&mut self) -> i64 {
        self.now_ms = now_ms().max(self.now_ms + 1_000);
        self.now_ms
    }

    /// Runs the task. Exactly this is news, and it happened at this time.
    #[track_caller]
    fn expect(&mut self, when_ms: i64, expected: &[String]) {
        self.site.run();
        let mut expected: Vec<News> =
            expected.iter().map(|what| News { what: what.clone(), when_ms }).collect();
        expected.sort();
        assert_eq!(self.site.news(), expected);
    }

    /// Runs the task. Exactly this is news; nothing said when it happened, so that it has the time when it was seen.
    #[track_caller]
    fn expect_seen(&mut self, expected: &[String]) {
        let before_ms = now_ms();
        self.site.run();
        let news = self.site.news();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(news.iter().map(|news| news.what.clone()).collect::<Vec<_>>(), expected);
        // The story may be some seconds ahead of the clock.
        let after_ms = now_ms().max(self.now_ms) + 1_000;
        for News { what, when_ms } in news {
            assert!((before_ms..=after_ms).contains(&when_ms), "{what} at {when_ms}");
        }
    }

    fn id_of(&self, name: &str) -> String {
        self.site.tracker.user_id(name).to_string()
    }

    fn everything_is_seen_first(&mut self) {
        let site = &self.site;
        site.annals(&["check"]).exits(0).tells("is sound");
        site.annals(&["migrate"]).exits(0);
        let now_ms = self.next();
        let acts = self.site.tracker.acts().at_ms(now_ms);
        acts.create_user("alice", "Alice Adams")
            .create_user("bob", "Bob Brown")
            .create_user_with("carol", "Carol Clark", "carol@example.net", false)
            .create_user("boss", "Bea Boss")
            .grant_right(Principal::User("boss"), "SuperUser", Scope::System)
            .create_group("Engineers", "who build")
            .create_group("Staff", "everybody")
            .add_member("Engineers", Principal::User("alice"))
            .create_queue("Hardware")
            .perform();

        let by_type = self.site.run();
        // Alice, Bob, Boss, Carol and root; their groups and Everyone, Privileged, Unprivileged; one of these two for
        // each of them and for the owner of what nobody owns, and Alice among the engineers.
        for (object_type, captures) in [("identity", 5), ("workgroup", 5), ("entitlement", 7)] {
            assert_eq!(by_type[object_type]["fullCaptures"], captures, "{by_type}");
        }
        let discovered: Vec<String> = ["alice", "bob", "boss", "carol", "root"]
            .map(|name| user(name, "IdentityDiscovered - - -"))
            .into_iter()
            .chain(
                ["Engineers", "Everyone", "Privileged", "Staff", "Unprivileged"]
                    .map(|name| group(name, "WorkgroupDiscovered - - -")),
            )
            .collect();
        let news: Vec<String> = self.site.news().into_iter().map(|news| news.what).collect();
        assert_eq!(news, discovered);
    }

    /// IIQ-12: what is read again and is as it was writes neither a capture nor an event, and moves no head.
    fn nothing_new_writes_nothing(&mut self) {
        let before = self.site.everything();
        let by_type = self.site.run();
        assert_eq!(self.site.everything(), before);
        assert_eq!(by_type["identity"]["fullCaptures"], 0, "{by_type}");
        assert_eq!(self.site.news(), []);
    }

    /// Somebody else does it, which is told as well. It is nothing that happened to Alice, who is in the group already.
    fn a_member_joins(&mut self) {
        let now_ms = self.next();
        let acts = self.site.tracker.acts().by("boss").at_ms(now_ms);
        acts.add_member("Engineers", Principal::User("bob")).perform();
        let bob = self.id_of("bob");
        let member = format!(r#"{{"class":"RT::User","id":"{bob}","name":"bob"}}"#);
        self.expect(
            now_ms,
            &[
                user("bob", "EntitlementAdded group - Engineers"),
                group("Engineers", &format!("WorkgroupChanged members - {member}")),
            ],
        );
        let columns = "entity_id, acct_app_name, acct_native_id, qry_property2, qry_property4, qry_property6";
        assert_eq!(
            self.site.look(&format!(
                "select {columns} from spt_hist_identity_event where event_type = 'EntitlementAdded';"
            )),
            format!("{bob}\tRequest Tracker\t{bob}\tEngineers\tgroup\tboss\n")
        );
        // The membership is an object too, and the event names it.
        let columns = "identity_name, application_name, native_identity, attribute_name, attribute_value";
        assert_eq!(
            self.site.look(&format!(
                "select {columns} from spt_hist_entitlement_capture where identity_entitlement_id in \
                 (select identity_entitlement_id from spt_hist_identity_event where entity_name = 'bob');"
            )),
            format!("bob\tRequest Tracker\t{bob}\tgroup\tEngineers\n")
        );
    }

    /// Those in the inner group are in the outer one from then on.
    fn a_group_is_put_into_another(&mut self) {
        let now_ms = self.next();
        let acts = self.site.tracker.acts().at_ms(now_ms);
        acts.add_member("Staff", Principal::Group("Engineers")).perform();
        let reference = |name: &str| {
            let id = self.site.tracker.group_id(name);
            format!(r#"{{"class":"RT::Group","id":"{id}","name":"{name}"}}"#)
        };
        let (inner, outer) = (reference("Engineers"), reference("Staff"));
        self.expect(
            now_ms,
            &[
                user("alice", "EntitlementAdded group - Staff"),
                user("bob", "EntitlementAdded group - Staff"),
                group("Staff", &format!("WorkgroupChanged members - {inner}")),
                group("Engineers", &format!("WorkgroupChanged memberOf - {outer}")),
            ],
        );
    }

    /// To a group, to a group inside it, to a user; and a role on a queue.
    fn rights_and_a_role_are_given(&mut self) {
        let now_ms = self.next();
        let acts = self.site.tracker.acts().by("boss").at_ms(now_ms);
        acts.grant_right(Principal::Group("Staff"), "ModifyTicket", Scope::Queue("Hardware"))
            .grant_right(Principal::Group("Engineers"), "OwnTicket", Scope::Queue("Hardware"))
            .grant_right(Principal::User("carol"), "ShowTicket", Scope::System)
            .add_watcher("Hardware", "AdminCc", Principal::User("bob"))
            .perform();
        let right = |name: &str| self.right_of_group(name, now_ms);
        let (modify, own) = (right("ModifyTicket"), right("OwnTicket"));
        self.expect(
            now_ms,
            &[
                user("alice", "EntitlementAdded ModifyTicket - Hardware"),
                user("alice", "EntitlementAdded OwnTicket - Hardware"),
                user("bob", "EntitlementAdded ModifyTicket - Hardware"),
                user("bob", "EntitlementAdded OwnTicket - Hardware"),
                user("bob", "EntitlementAdded AdminCc - Hardware"),
                user("carol", "EntitlementAdded ShowTicket - RT::System"),
                group("Staff", &format!("WorkgroupChanged rights - {modify}")),
                group("Engineers", &format!("WorkgroupChanged rights - {own}")),
            ],
        );
    }

    /// A right on the queue, as the image of the group has it that it was granted to.
    fn right_of_group(&self, right: &str, granted_ms: i64) -> String {
        let rows =
            format!("select id, ObjectId from ACL where RightName = '{right}' and ObjectType = 'RT::Queue';");
        let row = self.site.tracker.db().sql(&rows);
        let (id, queue) = row.trim().split_once('\t').unwrap();
        json!({
            "id": id,
            "name": right,
            "value": "Hardware",
            "objectType": "RT::Queue",
            "objectId": queue,
            "assigner": "boss",
            "startDate": granted_ms,
        })
        .to_string()
    }

    /// With the group goes what it gave: the outer group, and the rights of both.
    fn a_member_leaves(&mut self) {
        let now_ms = self.next();
        let acts = self.site.tracker.acts().by("boss").at_ms(now_ms);
        acts.remove_member("Engineers", Principal::User("alice")).perform();
        let alice = format!(r#"{{"class":"RT::User","id":"{}","name":"alice"}}"#, self.id_of("alice"));
        self.expect(
            now_ms,
            &[
                user("alice", "EntitlementRemoved group Engineers -"),
                user("alice", "EntitlementRemoved group Staff -"),
                user("alice", "EntitlementRemoved ModifyTicket Hardware -"),
                user("alice", "EntitlementRemoved OwnTicket Hardware -"),
                group("Engineers", &format!("WorkgroupChanged members {alice} -")),
            ],
        );
        let before = self.image_at("alice", &instant(now_ms - 1));
        assert_eq!(groups(&before), ["Engineers", "Privileged", "Staff"]);
        assert_eq!(groups(&self.image_of("alice")), ["Privileged"]);
        self.site
            .annals(&["as-of", "identity", "alice", "--at", "1h"])
            .exits(5)
            .tells("History begins later");
        let image = self.image_of("alice");
        // Who took her out.
        assert_eq!(image["lastUpdatedBy"]["name"], "boss");
    }

    /// The newest image of a user.
    fn image_of(&self, name: &str) -> Value {
        // The story may be some seconds ahead of the clock.
        self.image_at(name, "2100-01-01")
    }

    /// The image of a user as of an instant.
    fn image_at(&self, name: &str, at: &str) -> Value {
        let said = self.site.annals(&["as-of", "identity", name, "--at", at, "--output", "json"]);
        let document = said.exits(0).json()["document"].clone();
        document["eventImage"]["imageFields"].clone()
    }

    /// A renamed group is told once to each of those in it, and not to the group that it is in.
    fn people_and_groups_are_changed(&mut self) {
        let now_ms = self.next();
        let before = self.membership("bob", "Engineers");
        let acts = self.site.tracker.acts().at_ms(now_ms);
        acts.disable_user("bob")
            .set_user("alice", "RealName", "Alice Baker")
            .set_user("alice", "Country", "Österreich")
            .rename_group("Engineers", "Builders")
            .perform();
        let after = before.replace("\"Engineers\"", "\"Builders\"");
        self.expect(
            now_ms,
            &[
                user("alice", "IdentityChanged displayName Alice Adams Alice Baker"),
                user("alice", "IdentityChanged country - Österreich"),
                user("bob", "IdentityStatusChanged inactive false true"),
                user("bob", &format!("IdentityChanged entitlements {before} {after}")),
                group("Builders", "WorkgroupChanged name Engineers Builders"),
            ],
        );
    }

    /// A membership as the newest image of a user has it.
    fn membership(&self, name: &str, group: &str) -> String {
        let image = self.image_of(name);
        let mut elements = image["entitlements"].as_array().unwrap().iter();
        elements.find(|element| element["value"] == group).unwrap().to_string()
    }

    /// A disabled group is one that nobody is in.
    fn a_group_is_disabled(&mut self) {
        let now_ms = self.next();
        self.site.tracker.acts().at_ms(now_ms).disable_group("Staff").perform();
        self.expect(
            now_ms,
            &[
                user("bob", "EntitlementRemoved group Staff -"),
                user("bob", "EntitlementRemoved ModifyTicket Hardware -"),
                group("Staff", "WorkgroupChanged inactive false true"),
            ],
        );
    }

    /// A revoked right is a row that is gone, and so is a role on a queue.
    fn what_leaves_no_trace_is_seen_all_the_same(&mut self) {
        let granted = self.site.look(
            "select new_value from spt_hist_workgroup_event where property_name = 'rights' \
             and new_value like '%OwnTicket%';",
        );
        let own = granted.trim_end();
        let acts = self.site.tracker.acts();
        acts.revoke_right(Principal::Group("Builders"), "OwnTicket", Scope::Queue("Hardware"))
            .remove_watcher("Hardware", "AdminCc", Principal::User("bob"))
            .perform();
        self.expect_seen(&[
            user("bob", "EntitlementRemoved OwnTicket Hardware -"),
            user("bob", "EntitlementRemoved AdminCc Hardware -"),
            group("Builders", &format!("WorkgroupChanged rights {own} -")),
        ]);
    }

    /// By Request Tracker's shredder: no row of the user is left, and that is all there is to see.
    fn a_user_is_wiped_out(&mut self) {
        let id = self.id_of("carol");
        self.site.tracker.acts().shred_user("carol").perform();
        self.expect_seen(&[user("carol", "IdentityDeleted - - -")]);
        let deleted = format!("select deleted from spt_hist_identity where identity_id = '{id}';");
        assert_eq!(self.site.look(&deleted), "1\n");
        let living = "select count(*) from annals_head where kind = (select id from annals_object_kind where object_type = 'entitlement') and deleted = 0;";
        // Root, Boss, Alice and Bob are privileged, Nobody is not, and Bob builds; Alice is gone from there, and Carol.
        assert_eq!(self.site.look(living), "6\n");
    }

    /// What the tables hold, the commands show.
    fn the_commands_tell_it(&mut self) {
        let said = self.site.annals(&["timeline", "identity", "alice", "--output", "json"]).exits(0);
        let items = said.json()["items"].clone();
        let told: Vec<Vec<&str>> = items
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                ["event", "property", "oldValue", "newValue", "account"]
                    .map(|member| item[member].as_str().unwrap_or("-"))
                    .to_vec()
            })
            .collect();
        let alice = format!("Request Tracker / {}", self.id_of("alice"));
        let mut expected = vec![
            vec!["IdentityDiscovered", "-", "-", "-", "-"],
            vec!["EntitlementAdded", "group", "-", "Staff", &alice],
            vec!["EntitlementAdded", "ModifyTicket", "-", "Hardware", &alice],
            vec!["EntitlementAdded", "OwnTicket", "-", "Hardware", &alice],
            vec!["EntitlementRemoved", "ModifyTicket", "Hardware", "-", &alice],
            vec!["EntitlementRemoved", "OwnTicket", "Hardware", "-", &alice],
            vec!["EntitlementRemoved", "group", "Engineers", "-", &alice],
            vec!["EntitlementRemoved", "group", "Staff", "-", &alice],
            vec!["IdentityChanged", "country", "-", "Österreich", "-"],
            vec!["IdentityChanged", "displayName", "Alice Adams", "Alice Baker", "-"],
        ];
        let mut told = told;
        told.sort();
        expected.sort();
        assert_eq!(told, expected);

        let groups = self.site.annals(&["timeline", "workgroup", "Builders", "--output", "json"]).exits(0);
        assert_eq!(groups.json()["items"].as_array().unwrap().len(), 7);
        let image = self.site.annals(&["transform", "identity", "root", "--output", "json"]).exits(0).json();
        let fields = &image["eventImage"]["imageFields"];
        assert_eq!(fields["displayName"], "Enoch Root");
        assert_eq!(fields["password"]["_masked"], true);
        let plan = self.site.annals(&["plan", "--output", "json"]).exits(0).json();
        assert_eq!(plan["items"].as_array().unwrap().len(), 3);
    }
}
