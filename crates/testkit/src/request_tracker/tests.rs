use super::*;

/// 2026-03-04T05:06:07Z in epoch milliseconds.
const WEDNESDAY_MS: i64 = 1_772_600_767_000;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

#[test]
fn it_lives_on_sqlite() {
    everything_on(Engine::Sqlite);
}

#[test]
fn it_lives_on_postgres() {
    everything_on(Engine::Postgres);
}

#[test]
fn it_lives_on_mariadb() {
    everything_on(Engine::MariaDb);
}

/// One tracker for all the stories, which do not touch each other's users: each start takes seconds.
fn everything_on(engine: Engine) {
    let tracker = RequestTracker::start(engine);
    it_is_seeded(&tracker);
    memberships_come_and_go(&tracker);
    acts_have_a_time_and_an_author(&tracker);
    rights_are_granted_and_revoked(&tracker);
    users_are_disabled_or_wiped_out(&tracker);
    what_is_refused_is_said(&tracker);
}

/// Names of those in a group, direct or by way of another group, as Request Tracker's own cache has them.
fn everyone_in(tracker: &RequestTracker, group: &str) -> Vec<String> {
    let sql = format!(
        "select distinct u.Name from CachedGroupMembers c, Users u \
         where c.GroupId = {} and c.MemberId = u.id and c.Disabled = 0 order by u.Name;",
        tracker.group_id(group)
    );
    tracker.db().sql(&sql).lines().map(str::to_owned).collect()
}

/// What the transactions say about an object: their types and fields, oldest first.
fn transactions(tracker: &RequestTracker, object_type: &str, object_id: i64) -> String {
    tracker.db().sql(&format!(
        "select Type, coalesce(Field, '-') from Transactions \
         where ObjectType = '{object_type}' and ObjectId = {object_id} order by id;"
    ))
}

/// The users and the queue that Request Tracker's documentation names.
fn it_is_seeded(tracker: &RequestTracker) {
    assert_eq!(tracker.db().sql("select Name from Users order by id;"), "RT_System\nNobody\nroot\n");
    assert_eq!(tracker.db().sql("select Name from Queues where Disabled = 0;"), "General\n");
}

/// Members of a nested group are members of the outer one; who leaves the inner one leaves both.
fn memberships_come_and_go(tracker: &RequestTracker) {
    tracker
        .acts()
        .create_user("alice", "Alice Adams")
        .create_user_with("zoe", "Zoë Łuczak", "z@example.net", false)
        .create_group("Engineers", "who build")
        .create_group("Staff", "everyone")
        .add_member("Engineers", Principal::User("alice"))
        .add_member("Engineers", Principal::User("zoe"))
        .add_member("Staff", Principal::Group("Engineers"))
        .perform();
    assert_eq!(everyone_in(tracker, "Staff"), ["alice", "zoe"]);
    let address = "select RealName, EmailAddress from Users where Name = 'zoe';";
    assert_eq!(tracker.db().sql(address), "Zoë Łuczak\tz@example.net\n");

    tracker.acts().remove_member("Engineers", Principal::User("alice")).perform();
    assert_eq!(everyone_in(tracker, "Staff"), ["zoe"]);
    let (alice, engineers) = (tracker.user_id("alice"), tracker.group_id("Engineers"));
    assert_eq!(
        transactions(tracker, "RT::User", alice),
        format!("Create\t-\nAddMembership\t{engineers}\nDeleteMembership\t{engineers}\n")
    );

    tracker.acts().disable_group("Engineers").perform();
    assert_eq!(everyone_in(tracker, "Staff"), [""; 0]);
    let acts = tracker.acts().enable_group("Engineers").rename_group("Engineers", "Builders");
    acts.describe_group("Builders", "who built").perform();
    assert_eq!(everyone_in(tracker, "Builders"), ["zoe"]);
    let described = "select Description from Groups where Name = 'Builders';";
    assert_eq!(tracker.db().sql(described), "who built\n");
}

/// Acts happen when they are told to and are signed by who did them.
fn acts_have_a_time_and_an_author(tracker: &RequestTracker) {
    let acts = tracker.acts().at_ms(WEDNESDAY_MS).create_user("boss", "Bea Boss");
    acts.grant_right(Principal::User("boss"), "SuperUser", Scope::System).perform();
    let acts = tracker.acts().by("boss").at_ms(WEDNESDAY_MS + DAY_MS).create_user("new", "Ned New");
    acts.at_ms(WEDNESDAY_MS + 2 * DAY_MS).set_user("new", "Organization", "Ops").perform();

    let boss = tracker.user_id("boss");
    let row =
        "select Creator, Created, LastUpdatedBy, LastUpdated, Organization from Users where Name = 'new';";
    assert_eq!(
        tracker.db().sql(row),
        format!("{boss}\t2026-03-05 05:06:07\t{boss}\t2026-03-06 05:06:07\tOps\n")
    );
    let granted = "select Created from ACL where RightName = 'SuperUser' order by id desc limit 1;";
    assert_eq!(tracker.db().sql(granted), "2026-03-04 05:06:07\n");
    let change =
        "select Created, coalesce(OldValue, '-'), NewValue from Transactions where Field = 'Organization';";
    assert_eq!(tracker.db().sql(change), "2026-03-06 05:06:07\t-\tOps\n");
}

/// A user's own right is granted to the group that stands for them, a group's to the group. By the real clock again:
/// a batch's time and author are its own.
fn rights_are_granted_and_revoked(tracker: &RequestTracker) {
    let acts =
        tracker.acts().create_user("dora", "Dora Desk").create_group("Desk", "").create_queue("Hardware");
    acts.grant_right(Principal::Group("Desk"), "ShowTicket", Scope::Queue("Hardware"))
        .grant_right(Principal::User("dora"), "CreateTicket", Scope::System)
        .add_watcher("Hardware", "AdminCc", Principal::User("dora"))
        .perform();
    let held = "select a.RightName, a.ObjectType, g.Domain, u.Name from ACL a, Groups g, Users u where \
                g.id = a.PrincipalId and u.id = a.Creator and a.RightName in ('ShowTicket', 'CreateTicket') \
                and a.Created > '2026-03-07' order by a.id;";
    assert_eq!(
        tracker.db().sql(held),
        "ShowTicket\tRT::Queue\tUserDefined\troot\nCreateTicket\tRT::System\tACLEquivalence\troot\n"
    );
    let watches = "select count(*) from GroupMembers m, Groups g where m.GroupId = g.id \
                   and g.Domain = 'RT::Queue-Role' and g.Name = 'AdminCc';";
    assert_eq!(tracker.db().sql(watches), "1\n");

    tracker
        .acts()
        .revoke_right(Principal::Group("Desk"), "ShowTicket", Scope::Queue("Hardware"))
        .remove_watcher("Hardware", "AdminCc", Principal::User("dora"))
        .perform();
    assert_eq!(tracker.db().sql(held), "CreateTicket\tRT::System\tACLEquivalence\troot\n");
    assert_eq!(tracker.db().sql(watches), "0\n");
}

/// Disabling keeps a user, shredding leaves nothing of them.
fn users_are_disabled_or_wiped_out(tracker: &RequestTracker) {
    tracker.acts().create_user("sam", "Sam Short").disable_user("sam").perform();
    let id = tracker.user_id("sam");
    let disabled = format!("select Disabled from Principals where id = {id};");
    assert_eq!(tracker.db().sql(&disabled), "1\n");
    tracker.acts().enable_user("sam").set_privileged("sam", false).perform();
    assert_eq!(tracker.db().sql(&disabled), "0\n");
    assert_eq!(
        transactions(tracker, "RT::User", id),
        "Create\t-\nDisabled\t-\nEnabled\t-\nSet\tPrivileged\n"
    );

    tracker.acts().shred_user("sam").perform();
    assert_eq!(tracker.db().sql(&disabled), "");
    assert_eq!(transactions(tracker, "RT::User", id), "");
}

/// A refusal is an error with Request Tracker's words; acts before it are done, and others can follow.
fn what_is_refused_is_said(tracker: &RequestTracker) {
    let acts = tracker.acts().create_user("eve", "Eve Early").create_group("Doubles", "");
    let acts =
        acts.add_member("Doubles", Principal::User("eve")).add_member("Doubles", Principal::User("eve"));
    let refusal = acts.create_group("Never", "").try_perform().unwrap_err().to_string();
    assert!(refusal.contains("add_member") && refusal.contains("Group already has member: eve"), "{refusal}");
    assert_eq!(everyone_in(tracker, "Doubles"), ["eve"]);
    assert_eq!(tracker.db().sql("select count(*) from Groups where Name = 'Never';"), "0\n");

    let missing = tracker.acts().disable_group("Nowhere").try_perform().unwrap_err().to_string();
    assert!(missing.contains("no group Nowhere"), "{missing}");
    let field = tracker.acts().set_user("eve", "NoSuchField", "x").try_perform().unwrap_err().to_string();
    assert!(field.contains("NoSuchField"), "{field}");
    let stranger =
        tracker.acts().by("nobody-here").create_group("x", "").try_perform().unwrap_err().to_string();
    assert!(stranger.contains("no user nobody-here"), "{stranger}");
    tracker.acts().disable_user("eve").perform();
}

/// Text must end where it ends, in Perl and in SQL.
#[test]
fn quotation_marks_are_quoted() {
    assert_eq!(perl_text(r"it's a \ path"), r"'it\'s a \\ path'");
    assert_eq!(quoted("O'Hara"), "O''Hara");
    let text = site_configuration(&database(Engine::Sqlite));
    assert!(text.starts_with("Set($DatabaseType, 'SQLite');\n"), "{text}");
    assert!(text.contains("/test.db');\n"), "{text}");
}
