//! Tokens and logs on every engine that history is kept on, from one body.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use annals_audit::{
    Access, AccessFilter, Error, FailureReason, LoginFailure, NewToken, Role, Standing, accesses,
    create_token, find_token, login_failures, note_access, note_login_failure, revoke_token, statements,
    token_acts, tokens,
};
use annals_sql::{Access as Opened, Db};
use annals_testkit::{Engine, TestDb, database, history_engines};

/// Databases with the tables of this crate, as the migration makes them.
async fn everywhere() -> Vec<(Db, TestDb)> {
    let mut all = Vec::new();
    for engine in history_engines() {
        let outside = database(engine);
        let [log, scopes] = match engine {
            Engine::Sqlite => [
                include_str!("../../../migrations/sqlite/0017_access_log.sql"),
                include_str!("../../../migrations/sqlite/0019_scopes.sql"),
            ],
            _ => [
                include_str!("../../../migrations/postgres/0017_access_log.sql"),
                include_str!("../../../migrations/postgres/0019_scopes.sql"),
            ],
        };
        outside.sql(log);
        let of_tokens = scopes.lines().filter(|line| !line.contains("spt_hist")).collect::<Vec<_>>();
        outside.sql(&of_tokens.join("\n"));
        all.push((Db::open(outside.url(), Opened::ReadWrite).await.unwrap(), outside));
    }
    all
}

fn new<'t>(name: &'t str, roles: &'t [Role], expires_ms: Option<i64>) -> NewToken<'t> {
    NewToken { name, roles, scope: None, view_only: false, expires_ms, actor: "root" }
}

#[tokio::test]
async fn every_statement_is_understood() {
    for (db, _outside) in everywhere().await {
        let mut tx = db.begin_read().await.unwrap();
        for statement in statements() {
            tx.prepare(&statement).await.unwrap();
        }
    }
}

/// A token's text is in no column; it is found by it, and neither by another text nor by its hash.
#[tokio::test]
async fn a_token_is_found_by_its_text_alone() {
    for (db, outside) in everywhere().await {
        let mut tx = db.begin().await.unwrap();
        let secret = create_token(&mut tx, &new("a", &[Role::Auditor, Role::RestUser], None)).await.unwrap();
        let other = create_token(&mut tx, &new("b", &[], None)).await.unwrap();
        tx.commit().await.unwrap();
        let text = secret.reveal().to_owned();
        assert_eq!(text.len(), "annals_".len() + 64, "256 bits");
        assert_ne!(text, other.reveal());
        let dump = match outside.engine() {
            Engine::Sqlite => {
                outside.sql("select *, hex(hash) from annals_token; select * from annals_token_act;")
            }
            _ => outside.sql("select * from annals_token; select * from annals_token_act;"),
        };
        assert!(dump.contains("auditor,rest-user"), "{dump}");
        assert!(!dump.to_lowercase().contains(&text["annals_".len()..]), "{dump}");
        let mut tx = db.begin_read().await.unwrap();
        let Standing::Good(found) = find_token(&mut tx, &text).await.unwrap() else { panic!("it is good") };
        assert_eq!((found.name.as_str(), &found.roles[..]), ("a", &[Role::Auditor, Role::RestUser][..]));
        let hash = outside.sql(match outside.engine() {
            Engine::Sqlite => "select lower(hex(hash)) from annals_token where name = 'a';",
            _ => "select encode(hash, 'hex') from annals_token where name = 'a';",
        });
        for wrong in ["", "annals_", &text[..text.len() - 1], &format!("annals_{}", hash.trim())] {
            assert_eq!(find_token(&mut tx, wrong).await.unwrap(), Standing::Unknown);
        }
        assert!(!format!("{secret:?}").contains(&text[7..]));
    }
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_or_its_time_is_over() {
    for (db, _outside) in everywhere().await {
        let now_ms = db.now_ms().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let good =
            create_token(&mut tx, &new("good", &[Role::Admin], Some(now_ms + 3_600_000))).await.unwrap();
        let over = create_token(&mut tx, &new("over", &[Role::Admin], Some(now_ms - 1))).await.unwrap();
        assert!(matches!(find_token(&mut tx, good.reveal()).await.unwrap(), Standing::Good(_)));
        assert!(matches!(find_token(&mut tx, over.reveal()).await.unwrap(), Standing::Expired(_)));
        let again = create_token(&mut tx, &new("good", &[], None)).await;
        assert!(matches!(again, Err(Error::NameTaken(name)) if name == "good"));
        assert_eq!(revoke_token(&mut tx, "good", "eve").await.unwrap().unwrap().name, "good");
        assert!(matches!(find_token(&mut tx, good.reveal()).await.unwrap(), Standing::Revoked(_)));
        assert_eq!(revoke_token(&mut tx, "good", "eve").await.unwrap(), None);
        assert_eq!(revoke_token(&mut tx, "nobody", "eve").await.unwrap(), None);
        // Its name is free again, and the old token is none the better for it.
        create_token(&mut tx, &new("good", &[Role::Admin], None)).await.unwrap();
        assert!(matches!(find_token(&mut tx, good.reveal()).await.unwrap(), Standing::Revoked(_)));
        let id = tokens(&mut tx).await.unwrap().into_iter().find(|token| token.name == "over").unwrap().id;
        assert_eq!(revoke_token(&mut tx, &id, "eve").await.unwrap().unwrap().name, "over", "by its id");
        let mut acts: Vec<String> = token_acts(&mut tx, 100)
            .await
            .unwrap()
            .iter()
            .map(|act| format!("{} {} {}", act.actor, act.act, act.name))
            .collect();
        acts.sort();
        let wanted = [
            "eve revoke good",
            "eve revoke over",
            "root create good",
            "root create good",
            "root create over",
        ];
        assert_eq!(acts, wanted);
    }
}

/// BRV-09: the classes of users that the reference names are roles.
#[test]
fn roles_are_known_by_two_names() {
    assert_eq!("_REPORT_READERS_".parse(), Ok(Role::ReportReader));
    assert_eq!("_EXPLICIT_REST_API_USERS_".parse(), Ok(Role::RestUser));
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    assert_eq!("Admin".parse::<Role>(), Err(()));
}

fn access(principal: &str, path: &str, status: u16) -> Access {
    Access {
        principal: principal.to_owned(),
        roles: vec![Role::Auditor],
        authentication: "token",
        address: "127.0.0.1".to_owned(),
        host: "h".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        operation: if path.ends_with("runs") { "listRuns" } else { "listObjects" },
        query: Some("$top=1".to_owned()),
        rows: Some(1),
        status,
    }
}

/// AQL-04, AQL-05, AQL-07, OID-03: rows by who, when and what, the newest first; a refusal is no success.
#[tokio::test]
async fn accesses_are_listed_by_who_and_what() {
    for (db, _outside) in everywhere().await {
        let all = [
            ("a", "/r/runs", 200),
            ("b", "/r/runs", 403),
            ("a", "/r/objects", 500),
            ("a", "/r/objects", 204),
        ];
        for (principal, path, status) in all {
            let mut tx = db.begin().await.unwrap();
            note_access(&mut tx, &access(principal, path, status)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = db.begin_read().await.unwrap();
        let mut found = Vec::new();
        let mut filter = AccessFilter::default();
        // Pages of one, to the end.
        while let [row] = &accesses(&mut tx, &filter, 1).await.unwrap()[..] {
            filter.before = Some((row.at_ms, row.id.clone()));
            found.push((row.principal.clone(), row.path.clone(), row.status, row.success));
        }
        let mut wanted: Vec<_> = all
            .into_iter()
            .map(|(principal, path, status)| {
                (principal.to_owned(), path.to_owned(), i64::from(status), status < 400)
            })
            .collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        let mut count = async |filter: AccessFilter| accesses(&mut tx, &filter, 100).await.unwrap().len();
        let of = |principal: Option<&str>, what: Option<&str>| AccessFilter {
            principal: principal.map(str::to_owned),
            what: what.map(str::to_owned),
            ..AccessFilter::default()
        };
        assert_eq!(count(of(Some("a"), None)).await, 3);
        assert_eq!(count(of(None, Some("listRuns"))).await, 2);
        assert_eq!(count(of(Some("a"), Some("/r/objects"))).await, 2);
        assert_eq!(count(of(Some("c"), None)).await, 0);
        assert_eq!(count(AccessFilter { to_ms: Some(0), ..AccessFilter::default() }).await, 0);
        let page = accesses(&mut tx, &of(Some("b"), None), 2).await.unwrap();
        let row = &page[0];
        assert_eq!(
            (&row.roles[..], row.rows, row.query.as_deref(), row.authentication.as_str(), row.host.as_str()),
            (&[Role::Auditor][..], Some(1), Some("$top=1"), "token", "h")
        );
        assert_eq!(row.id.len(), 36, "a UUID");
    }
}

/// AQL-05: who did not say who he is has no row in the access log, but a record of his own.
#[tokio::test]
async fn login_failures_are_apart() {
    for (db, _outside) in everywhere().await {
        let mut tx = db.begin().await.unwrap();
        let failure = LoginFailure {
            reason: FailureReason::ExpiredToken,
            principal: Some("a".to_owned()),
            address: "::1".to_owned(),
            host: "h".to_owned(),
            method: "GET".to_owned(),
            path: "/r/runs".to_owned(),
        };
        note_login_failure(&mut tx, &failure).await.unwrap();
        let found = login_failures(&mut tx, Some(0), None, 10).await.unwrap();
        let [row] = &found[..] else { panic!("one") };
        assert_eq!((row.reason.as_str(), row.principal.as_deref()), ("expired token", Some("a")));
        assert_eq!(accesses(&mut tx, &AccessFilter::default(), 10).await.unwrap(), []);
    }
}
