//! Readers of a part of history, and attributes that are hidden.

use std::collections::BTreeSet;

use annals_testkit::{Engine, history_engines};
use serde_json::{Value, json};

use super::{LISTEN, Rest, manager, sorted, token_with};
use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS};

/// Classes that may be in a scope: in paths, their capture table, its column with the object's id, and those with the
/// owner and the application.
const CLASSES: [(&str, &str, &str, &str, &str); 6] = [
    ("identities", "spt_hist_identity_capture", "identity_id", "identity_id", ""),
    ("accounts", "spt_hist_account_capture", "account_id", "identity_id", "application_name"),
    (
        "entitlements",
        "spt_hist_entitlement_capture",
        "identity_entitlement_id",
        "identity_id",
        "application_name",
    ),
    ("identityRequests", "spt_hist_identity_req_capture", "identity_request_id", "identity_id", ""),
    ("policyViolations", "spt_hist_policy_violation_capture", "policy_violation_id", "identity_id", ""),
    ("managedAttributes", "spt_hist_mattr_capture", "mattr_id", "", "application_name"),
];

/// A reader, and what he may be told of as the database's own program finds it.
struct Reader {
    token: String,
    identities: BTreeSet<String>,
    application: &'static str,
}

impl Reader {
    /// Ids of the objects of a class that he may be told of: those whose newest capture belongs to one of his, and those
    /// of the application, which the capture that says that one is gone does not name.
    fn ids(
        &self,
        rest: &Rest,
        (_, table, id, owner, application): (&str, &str, &str, &str, &str),
    ) -> Vec<String> {
        let owner = if owner.is_empty() { "''" } else { owner };
        let application = if application.is_empty() { "''" } else { application };
        let query = format!(
            "select {id}, {owner}, coalesce(application, '') from (select c.*, row_number() over
               (partition by {id} order by effective_date desc, created desc, id desc) as age,
               max({application}) over (partition by {id}) as application from {table} c) newest
             where age = 1;"
        );
        let mut ids = Vec::new();
        for row in rest.site.look(&query) {
            let [id, owner, application] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let is_of_application = !application.is_empty() && application == self.application;
            if self.identities.contains(owner) || is_of_application {
                ids.push(id.to_owned());
            }
        }
        ids.sort();
        ids
    }

    fn ask(&self, rest: &Rest, path: &str) -> super::Answered {
        rest.ask(Some(&self.token), path)
    }

    /// All ids of a list, page by page.
    fn list(&self, rest: &Rest, path: &str) -> Vec<Value> {
        let (mut rows, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let answered = self.ask(rest, &path);
            assert_eq!(answered.status, 200, "{path}: {answered:#?}");
            rows.extend(answered.body["value"].as_array().unwrap().iter().cloned());
            next = answered.body["@odata.nextLink"].as_str().map(str::to_owned);
        }
        rows
    }
}

fn readers(rest: &Rest) -> Vec<Reader> {
    let (top, below) = manager(rest);
    let scoped = |name: &str, arguments: &[&str]| {
        token_with(&rest.site, name, &[&["--role", "scoped-reader"][..], arguments].concat())
    };
    let own = BTreeSet::from([top.clone()]);
    let both = own.union(&below).cloned().collect();
    let application = "Active Directory";
    vec![
        Reader {
            token: scoped("own", &["--scope", "own", "--identity", &top]),
            identities: own,
            application: "",
        },
        Reader {
            token: scoped("tree", &["--scope", "own,managerTree", "--identity", &top]),
            identities: both,
            application: "",
        },
        Reader {
            token: scoped("app", &["--scope", "applicationOwner", "--application", application]),
            identities: BTreeSet::new(),
            application,
        },
        Reader {
            token: scoped(
                "mixed",
                &[
                    "--scope",
                    "managerTree,applicationOwner",
                    "--identity",
                    &top,
                    "--application",
                    application,
                ],
            ),
            identities: below,
            application,
        },
    ]
}

/// A reader of a part of history is told of that part in lists, counts and expansions, and of each object in it; one
/// that is not in it is answered as one that is not there, by whatever is asked.
#[tokio::test]
async fn a_scoped_reader_is_told_of_his_part_alone() {
    for rest in Rest::everywhere().await {
        for reader in readers(&rest) {
            let mut told = 0;
            for class in CLASSES {
                let root = format!("/api/v1/{}", class.0);
                let expected = reader.ids(&rest, class);
                told += expected.len();
                let listed = reader.list(&rest, &format!("{root}?$top=7&$orderby=name desc"));
                assert_eq!(sorted(&listed, "id"), expected, "{root}");
                let filtered =
                    reader.list(&rest, &format!("{root}?$filter=deleted eq true or deleted eq false"));
                assert_eq!(sorted(&filtered, "id"), expected, "{root}");
                let counted = reader.ask(&rest, &format!("{root}?$top=0&$count=true")).body;
                assert_eq!(counted, json!({"value": [], "@odata.count": expected.len()}), "{root}");
                let expanded = reader.list(&rest, &format!("{root}?$expand=image&$top=20&$select=id"));
                assert_eq!(sorted(&expanded, "id"), expected, "{root}");
                let paths = ["", "/history", "/as-of", "/as-of?at=2026-01-05", "/timeline"];
                let has_events = class.0 != "policyViolations";
                let paths = &paths[..if has_events { 5 } else { 4 }];
                for id in expected.iter().take(2) {
                    for path in &paths[..3] {
                        assert_eq!(
                            reader.ask(&rest, &format!("{root}/{id}{path}")).status,
                            200,
                            "{id}{path}"
                        );
                    }
                }
                let others = sorted(&rest.all(&format!("{root}?$top=1000")), "id");
                for id in others.iter().filter(|id| !expected.contains(id)).take(5) {
                    for path in paths {
                        let answered = reader.ask(&rest, &format!("{root}/{id}{path}"));
                        let absent = reader.ask(&rest, &format!("{root}/nobody{path}"));
                        let same = absent.body.to_string().replace("nobody", id);
                        assert_eq!((answered.status, answered.body.to_string()), (404, same), "{id}{path}");
                    }
                    let filter = format!("{root}?$filter=id eq '{id}'&$count=true");
                    let nothing = json!({"value": [], "@odata.count": 0});
                    assert_eq!(reader.ask(&rest, &filter).body, nothing, "{filter}");
                }
            }
            assert!(told > 0, "{:?}", reader.identities);
            for class in ["roles", "capabilities", "workgroups", "certifications"] {
                for path in ["", "/nobody", "/nobody/history", "/nobody/as-of"] {
                    assert_eq!(
                        reader.ask(&rest, &format!("/api/v1/{class}{path}")).status,
                        403,
                        "{class}{path}"
                    );
                }
            }
        }
    }
}

/// Who is below a manager is said by now's managers, or by those of the instant that is asked about, as configured.
#[tokio::test]
async fn a_scope_is_of_now_or_of_the_date() {
    for engine in history_engines() {
        for date in [false, true] {
            let lines = LISTEN.replace('}', if date { ", scopeAsOf: date}" } else { "}" });
            let rest = Rest::with(engine, &lines).await;
            // Somebody moves to another manager at the end of the first day: by a capture of his own.
            let (top, below) = manager(&rest);
            let moved = below.iter().next().unwrap();
            rest.site.history.sql(&format!(
                "update spt_hist_identity_capture set manager_id = 'nobody' where identity_id = '{moved}';
                 update spt_hist_identity_capture set manager_id = '{top}', effective_date = {START_MS}
                 where id = (select min(id) from spt_hist_identity_capture where identity_id = '{moved}');
                 update spt_hist_identity_capture set latest = 0 where identity_id = '{moved}';
                 insert into spt_hist_identity_capture (id, created, identity_id, identity_name, transform_type,
                   effective_date, latest, manager_id, json, json_format)
                 select 'ffffffffffffffffffffffffffffffff', created, identity_id, identity_name, transform_type,
                   {START_MS} + {DAY_MS} + {HOUR_MS}, 1, 'nobody', json, json_format from spt_hist_identity_capture
                 where id = (select min(id) from spt_hist_identity_capture where identity_id = '{moved}');"
            ));
            let arguments = ["--role", "scoped-reader", "--scope", "managerTree", "--identity", &top];
            let token = token_with(&rest.site, "boss", &arguments);
            let status =
                |path: &str| rest.ask(Some(&token), &format!("/api/v1/identities/{moved}{path}")).status;
            let then = if date { 200 } else { 404 };
            let at = jiff::Timestamp::from_millisecond(START_MS + DAY_MS).unwrap();
            let later = jiff::Timestamp::from_millisecond(START_MS + 2 * DAY_MS).unwrap();
            let paths = ["", "/as-of"].map(&status);
            assert_eq!(paths, [404, 404]);
            assert_eq!(status(&format!("/as-of?at={at}")), then, "date {date}");
            assert_eq!(status(&format!("/as-of?at={later}")), 404, "date {date}");
            assert_eq!(status(&format!("/timeline?to={at}")), then, "date {date}");
        }
    }
}

/// Scopes as people give and see them; what does not fit together is told with the way out.
#[tokio::test]
async fn scopes_are_given_with_a_token() {
    let rest = Rest::on(Engine::Sqlite).await;
    let (id, name) = crate::site::somebody(&rest.site);
    let create = |name: &str, arguments: &[&str]| {
        annals(rest.site.path(), &[&["token", "create", name][..], arguments].concat())
    };
    let scoped = ["--role", "scoped-reader"];
    create("a", &["--role", "auditor", "--scope", "own", "--identity", &id])
        .exits(2)
        .tells("for the role scoped-reader");
    create("a", &["--role", "scoped-reader,auditor", "--scope", "own", "--identity", &id])
        .exits(2)
        .tells("admin and auditor read all");
    create("a", &[&scoped[..], &["--scope", "own"]].concat()).exits(2).tells("--identity NAME");
    create("a", &[&scoped[..], &["--identity", &id]].concat()).exits(2).tells("there is no --scope");
    create("a", &[&scoped[..], &["--scope", "applicationOwner"]].concat())
        .exits(2)
        .tells("--application NAME");
    create("a", &[&scoped[..], &["--scope", "all"]].concat())
        .exits(2)
        .tells("the scopes are own, managerTree");
    create("a", &[&scoped[..], &["--scope", "own", "--identity", "nobody at all"]].concat())
        .exits(5)
        .tells("nobody at all");
    assert_eq!(rest.site.count("select count(*) from annals_token;"), 1, "the auditor's alone");

    let given = [
        "--role",
        "scoped-reader",
        "--scope",
        "own,applicationOwner",
        "--identity",
        &name,
        "--application",
        "A, B",
        "--application",
        "C",
        "--view-only",
    ];
    let token = token_with(&rest.site, "ann", &given);
    let expected = json!({
        "name": "ann",
        "roles": ["scoped-reader"],
        "authentication": "token",
        "rights": ["description"],
        "scope": {"identity": id, "own": true, "managerTree": false, "applications": ["A, B", "C"]},
    });
    assert_eq!(rest.ask(Some(&token), "/api/v1/me").body, expected);
    let listed = annals(rest.site.path(), &["token", "list", "-o", "json"]).exits(0).json();
    let shown = format!("own,applicationOwner of {id}, A, B, C");
    assert_eq!(
        (&listed["items"][1]["scope"], &listed["items"][1]["viewOnly"]),
        (&json!(shown), &json!(true))
    );
    annals(rest.site.path(), &["token", "revoke", "ann"]).exits(0);
    let log = annals(rest.site.path(), &["token", "log", "-o", "json"]).exits(0).json();
    for act in [0, 1] {
        assert_eq!(log["items"][act]["scope"], shown, "{log:#}");
    }
    let viewer = token_with(&rest.site, "vic", &["--role", "auditor", "--view-only"]);
    let rights = |token: &str| rest.ask(Some(token), "/api/v1/me").body["rights"].clone();
    assert_eq!(rights(&viewer), json!(["description", "history", "runs", "session logs", "access log"]));
    assert_eq!(
        rights(&rest.auditor),
        json!(["description", "history", "runs", "session logs", "access log", "export"])
    );
}

/// Attributes that are hidden are in no image, list, event and filter, but for the roles that may see them.
#[tokio::test]
async fn hidden_attributes_are_told_to_nobody_else() {
    for engine in history_engines() {
        let hidden = ", hiddenAttributes: {identity: [email, attributes.jobTitle, accounts], \
             account: [attributes.memberOf, displayName]}, hiddenAttributesShownTo: [admin]}";
        let rest = Rest::with(engine, &LISTEN.replace('}', hidden)).await;
        let admin = token_with(&rest.site, "root", &["--role", "admin"]);
        let column = |query: &str| rest.site.look(query);
        let emails = column("select email from spt_hist_identity where email is not null;");
        let jobs: BTreeSet<String> = rest
            .all("/api/v1/identities?$top=100")
            .iter()
            .filter_map(|row| {
                let path = format!("/api/v1/identities/{}", row["id"].as_str().unwrap());
                let image = rest.ask(Some(&admin), &path).body["image"].clone();
                image["attributes"]["jobTitle"].as_str().map(str::to_owned)
            })
            .collect();
        assert!(emails.len() > 20 && jobs.len() > 3, "{jobs:?}");
        let keeps = |path: &str| {
            let body = rest.get(path).to_string();
            let says = |text: &String| body.contains(&format!("\"{text}\""));
            assert!(!emails.iter().any(says), "{path}: {body}");
            assert!(
                !jobs.iter().any(|job| body.contains(&format!("\"jobTitle\":\"{job}\""))),
                "{path}: {body}"
            );
            assert!(!body.contains("jobTitle"), "{path}: {body}");
            // Identities tell that they have entitlements of this attribute; that one came is told by an event of it.
            let of_accounts = path.contains("accounts") || path.contains("timeline");
            assert!(!of_accounts || !body.contains("memberOf\""), "{path}: {body}");
        };
        keeps("/api/v1/identities?$top=100&$expand=image");
        keeps("/api/v1/identities?$top=100&$select=*");
        keeps("/api/v1/accounts?$top=100&$expand=image");
        for row in rest.all("/api/v1/identities?$top=100") {
            for path in ["", "/as-of", "/timeline?$top=1000"] {
                keeps(&format!("/api/v1/identities/{}{path}", row["id"].as_str().unwrap()));
            }
        }
        // What tells of accounts besides is refused as a whole: access intervals do not tell them apart.
        let id = rest.get("/api/v1/identities?$top=1")["value"][0]["id"].as_str().unwrap().to_owned();
        let (access, of_role) = (format!("/api/v1/identities/{id}/access"), "item=role:Organisation");
        let told = [
            access.clone(),
            format!("/api/v1/identities/{id}/why?{of_role}"),
            format!("/api/v1/holders?{of_role}"),
            "/api/v1/changes".to_owned(),
            "/api/v1/orphan-accounts".to_owned(),
        ];
        for path in told {
            assert_eq!(rest.problem(&path).0, 403, "{path}");
        }
        assert_eq!(rest.ask(Some(&admin), &access).status, 200);
        keeps(&format!("/api/v1/identities/{id}/diff?all=true"));
        assert_eq!(rest.problem("/api/v1/identities?$filter=access/any()").0, 400);
        // As though there were no such property: the same words, but for the name that was asked for.
        for (option, path) in [
            ("$filter", "$filter=NAME eq 'x'"),
            ("$orderby", "$orderby=NAME"),
            ("$select", "$select=id,NAME"),
            ("$filter", "$filter=NAME/any()"),
        ] {
            let asked =
                |name: &str| rest.problem(&format!("/api/v1/identities?{}", path.replace("NAME", name)));
            let name = if path.contains("any") { "accounts" } else { "email" };
            let (status, found, position, detail) = asked(name);
            assert_eq!((status, found.as_deref()), (400, Some(option)), "{path}: {detail}");
            let (_, _, same_position, same) = asked("nosuchx");
            assert_eq!((same_position, same.replace("nosuchx", name)), (position, detail), "{path}");
        }
        let of_accounts = rest.problem("/api/v1/accounts?$filter=displayableName eq 'x'").3;
        assert!(
            of_accounts
                .contains("(id, name, deleted, since, lastSeen, identityId, identityName, applicationName)")
        );
        // Who may see them is told all of it.
        let seen =
            rest.ask(Some(&admin), "/api/v1/identities?$filter=email ne null&$top=100&$expand=image").body;
        assert_eq!(seen["value"].as_array().unwrap().len(), emails.len());
        assert!(seen.to_string().contains("jobTitle"));
    }
}
