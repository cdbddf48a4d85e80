//! Who may ask, and who asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use annals_testkit::Engine;

use super::{Rest, token, token_with};
use crate::program::annals;

/// A request for each right: history, runs, the access log, the description.
const PATHS: [&str; 4] = ["/api/v1/roles", "/api/v1/runs", "/api/v1/access-log", "/api/v1/openapi.json"];

/// Without a token, with one that never was, was revoked, has expired or comes in another form, nobody is answered; each
/// has a record of its own and no row in the access log (AQL-05).
#[tokio::test]
async fn nobody_is_answered_without_a_good_token() {
    for rest in Rest::everywhere().await {
        let revoked = token(&rest.site, "revoked", "admin");
        let expired = token(&rest.site, "expired", "admin");
        assert_eq!(rest.ask(Some(&revoked), PATHS[0]).status, 200);
        annals(rest.site.path(), &["token", "revoke", "revoked"]).exits(0).tells("Token revoked is revoked.");
        let since = Instant::now();
        assert_eq!(rest.ask(Some(&revoked), PATHS[0]).status, 401, "at once");
        assert!(since.elapsed() < Duration::from_secs(1));
        rest.site.history.sql("update annals_token set expires = 1 where name = 'expired';");
        let unknown = format!("annals_{}", "0".repeat(64));
        let answers = [
            rest.ask(None, PATHS[0]),
            rest.ask(Some(&expired), PATHS[0]),
            rest.ask(Some(&unknown), PATHS[1]),
            rest.send("GET", PATHS[0], &format!("Authorization: Basic {expired}\r\n")),
        ];
        for answered in &answers {
            assert_eq!(answered.status, 401, "{answered:#?}");
            assert!(answered.head.contains("www-authenticate: bearer"), "{answered:#?}");
            assert!(answered.head.contains("content-type: application/problem+json"), "{answered:#?}");
            assert!(answered.body.get("value").is_none(), "{answered:#?}");
        }
        let said = annals(rest.site.path(), &["audit", "login-failures", "-o", "json"]).exits(0).json();
        let told = |row: &serde_json::Value| {
            (row["reason"].as_str().unwrap().to_owned(), row["whoseToken"].as_str().map(str::to_owned))
        };
        let mut failures: Vec<_> = said["items"].as_array().unwrap().iter().map(told).collect();
        failures.sort();
        let of = |reason: &str, whose: Option<&str>| (reason.to_owned(), whose.map(str::to_owned));
        let expected = [
            of("expired token", Some("expired")),
            of("no token", None),
            of("not understood", None),
            of("revoked token", Some("revoked")),
            of("unknown token", None),
        ];
        assert_eq!(failures, expected);
        // The one time that the revoked token was good.
        assert_eq!(rest.site.look("select principal from annals_access;"), ["revoked"]);
        let unsaid = [&revoked, &expired].iter().all(|token| !rest.daemon.log().contains(token.as_str()));
        assert!(unsaid, "no token is in the log");
    }
}

/// BRV-09: each role with what it may ask; whatever is not allowed is refused. AQL-04, OID-03: each request by somebody
/// with a name, answered or refused or wrong, is a row of the access log with who, what, roles of that moment, outcome.
#[tokio::test]
async fn roles_allow_what_they_should_and_every_request_is_a_row() {
    for rest in Rest::everywhere().await {
        let cases = [
            ("admin", [200, 200, 200, 200]),
            ("auditor", [200, 200, 200, 200]),
            ("operator", [403, 200, 403, 200]),
            ("report-reader", [403, 403, 403, 200]),
            ("rest-user", [403, 403, 403, 200]),
            ("_REPORT_READERS_,_EXPLICIT_REST_API_USERS_", [403, 200, 403, 200]),
            ("scoped-reader", [403, 403, 403, 200]),
        ];
        let mut made: BTreeMap<(String, String, i64), u64> = BTreeMap::new();
        for (number, (roles, statuses)) in cases.into_iter().enumerate() {
            let name = format!("user{number}");
            let token = token(&rest.site, &name, roles);
            for (path, status) in PATHS.into_iter().zip(statuses) {
                let answered = rest.ask(Some(&token), path);
                assert_eq!(answered.status, status, "{roles} {path} {answered:#?}");
                assert_eq!(answered.body.get("value").is_some(), status == 200 && !path.ends_with("json"));
                *made.entry((name.clone(), path.to_owned(), status.into())).or_default() += 1;
            }
        }
        assert_eq!(rest.problem("/api/v1/roles?$filter=name eq").0, 400);
        *made.entry(("eve".to_owned(), PATHS[0].to_owned(), 400)).or_default() += 1;
        assert_eq!(rest.problem("/api/v1/roles/nobody").0, 404);
        *made.entry(("eve".to_owned(), "/api/v1/roles/nobody".to_owned(), 404)).or_default() += 1;
        let rows =
            rest.site.look("select principal, path, status, count(*) from annals_access group by 1, 2, 3;");
        let kept: BTreeMap<_, _> = rows
            .iter()
            .map(|row| {
                let [who, path, status, count] = row.split('|').collect::<Vec<_>>()[..] else {
                    panic!("{row}")
                };
                ((who.to_owned(), path.to_owned(), status.parse().unwrap()), count.parse().unwrap())
            })
            .collect();
        assert_eq!(kept, made);

        // A page of one row, as the log has it and as people see it.
        let page = rest.get("/api/v1/roles?$top=1");
        let arguments =
            ["audit", "access-log", "--who", "eve", "--what", "listRoles", "--limit", "1", "-o", "json"];
        let said = annals(rest.site.path(), &arguments).exits(0).json();
        let row = &said["items"][0];
        for (member, expected) in [
            ("who", "eve"),
            ("roles", "auditor"),
            ("operation", "listRoles"),
            ("method", "GET"),
            ("path", "/api/v1/roles"),
            ("query", "$top=1"),
            ("address", "127.0.0.1"),
            ("authentication", "token"),
            ("host", "alpha"),
        ] {
            assert_eq!(row[member], expected, "{row:#}");
        }
        assert_eq!((&row["rows"], &row["status"], &row["success"]), (&1.into(), &200.into(), &true.into()));
        assert_eq!(page["value"].as_array().unwrap().len(), 1);
        assert_eq!(said["cut"], true, "there is the wrong request, too");
        let refused = rest.get("/api/v1/access-log?who=user2&what=/api/v1/roles");
        assert_eq!(refused["value"][0]["success"], false);
        assert_eq!(refused["value"][0]["roles"], serde_json::json!(["operator"]));
        let pages = rest.all("/api/v1/access-log?who=user0&$top=1");
        assert_eq!(pages.len(), 4);
    }
}

/// Classes of which objects may be in a scope.
const IN_SCOPES: [&str; 6] =
    ["identities", "accounts", "entitlements", "identityRequests", "policyViolations", "managedAttributes"];

/// Every operation with every role and every scope: whoever lacks the right is refused, whoever has it is not.
#[tokio::test]
async fn every_operation_is_for_those_who_may() {
    let rest = Rest::on(Engine::Sqlite).await;
    let description = rest.get("/api/v1/openapi.json");
    let may = [
        ("admin", "history runs sessions log acts"),
        ("auditor", "history runs sessions log"),
        ("operator", "runs acts"),
        ("report-reader", ""),
        ("rest-user", ""),
        ("report-reader,rest-user", "runs sessions"),
        ("scoped-reader,rest-user", ""),
        ("scoped-reader own", "scope"),
        ("scoped-reader managerTree", "scope"),
        ("scoped-reader,operator applicationOwner", "scope runs acts"),
    ];
    let (identity, _) = crate::site::somebody(&rest.site);
    let mut asked = 0;
    for (number, (roles, rights)) in may.into_iter().enumerate() {
        let (roles, scope) = roles.split_once(' ').unwrap_or((roles, ""));
        let scope = match scope {
            "" => Vec::new(),
            "applicationOwner" => vec!["--scope", scope, "--application", "Active Directory"],
            scope => vec!["--scope", scope, "--identity", &identity],
        };
        let token =
            token_with(&rest.site, &format!("user{number}"), &[&["--role", roles], &scope[..]].concat());
        for (path, methods) in description["paths"].as_object().unwrap() {
            let method = methods.as_object().unwrap().keys().next().unwrap().to_uppercase();
            let resource = path.split('/').nth(3).unwrap();
            let needed = match (method.as_str(), resource) {
                ("POST", _) => "acts",
                (_, "runs" | "tasks" | "hosts" | "dead-letters") => "runs",
                (_, "access-log") => "log",
                // Below /api/rest.
                (_, "v2") => "sessions",
                (_, "openapi.json" | "me") => "",
                _ => "history",
            };
            // Objects of these classes may be in a scope, and these questions keep to it.
            let below = path.splitn(5, '/').nth(4).unwrap_or_default();
            let is_scoped = matches!(resource, "v2" | "holders" | "changes" | "orphan-accounts")
                || resource == "identities" && matches!(below, "{id}/access" | "{id}/why")
                || IN_SCOPES.contains(&resource)
                    && [
                        "",
                        "{id}",
                        "{id}/history",
                        "{id}/as-of",
                        "{id}/timeline",
                        "{id}/diff",
                        "{id}/diff/patch",
                    ]
                    .contains(&below);
            let filled = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
            let filled = filled.collect::<Vec<_>>().join("/");
            let bearer = format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\n");
            let status = rest.send(&method, &filled, &bearer).status;
            let has = |needed: &str| rights.split(' ').any(|right| right == needed);
            let allowed = needed.is_empty() || has(needed) || (is_scoped && has("scope"));
            assert_eq!(status != 403, allowed, "{roles} {method} {path}: {status}");
            asked += 1;
        }
    }
    assert!(asked > 600, "{asked}");
}

/// Where the access log cannot be written there is no answer; once it can, there is.
#[tokio::test]
async fn what_cannot_be_noted_is_not_answered() {
    for rest in Rest::everywhere().await {
        let path = "/api/v1/identities?$top=1";
        let name = rest.get(path)["value"][0]["name"].as_str().unwrap().to_owned();
        rest.site.history.sql("alter table annals_access rename to annals_access_away;");
        let answered = rest.ask(Some(&rest.auditor), path);
        assert_eq!(answered.status, 500, "{answered:#?}");
        assert!(!answered.body.to_string().contains(&name), "{answered:#?}");
        rest.site.history.sql("alter table annals_access_away rename to annals_access;");
        assert_eq!(rest.ask(Some(&rest.auditor), path).status, 200);
    }
}

/// Tokens as people make and see them.
#[tokio::test]
async fn tokens_are_made_shown_and_revoked_by_command() {
    let rest = Rest::on(Engine::Sqlite).await;
    let run = |arguments: &[&str]| annals(rest.site.path(), arguments);
    let made = run(&["token", "create", "bob", "--role", "operator,rest-user", "--expires", "2d"]).exits(0);
    let made = made.tells("Token bob (rest-user, operator), good until").tells("It is not shown again.");
    let text = made.out.trim().to_owned();
    assert_eq!(made.out.lines().count(), 1);
    let listed = run(&["token", "list", "-o", "json"]).exits(0);
    assert!(!listed.out.contains(&text["annals_".len()..]));
    let items = listed.json()["items"].clone();
    assert_eq!(
        (&items[1]["name"], &items[1]["roles"], &items[1]["state"]),
        (&"bob".into(), &"rest-user,operator".into(), &"good".into())
    );
    let [created, expires] = ["created", "expires"].map(|column| {
        rest.site.look(&format!("select {column} from annals_token where name = 'bob';"))[0]
            .parse::<i64>()
            .unwrap()
    });
    assert!((expires - created - 2 * 86_400_000).abs() < 60_000);
    run(&["token", "create", "bob", "--role", "admin"]).exits(2).tells("there is a token `bob`");
    run(&["token", "create", "x", "--role", "boss"]).exits(2).tells("the roles are admin, auditor");
    run(&["token", "create", "x"]).exits(2).tells("--role");
    run(&["token", "create", "a b", "--role", "admin"]).exits(2).tells("letters, digits");
    run(&["token", "create", "x", "--role", "admin", "--expires", "2020-01-01"])
        .exits(2)
        .tells("over already");
    run(&["token", "create", "x", "--role", "admin", "--expires", "soon"])
        .exits(2)
        .tells("`soon` is no time");
    run(&["token", "revoke", "nobody"]).exits(5).tells("`nobody`");
    run(&["token", "revoke", "bob"]).exits(0);
    let log = run(&["token", "log", "-o", "json"]).exits(0).json();
    let acts: Vec<String> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| format!("{} {}", act["act"].as_str().unwrap(), act["name"].as_str().unwrap()))
        .collect();
    assert_eq!(acts, ["revoke bob", "create bob", "create eve"]);
}
