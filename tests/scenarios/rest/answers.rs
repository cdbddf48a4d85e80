//! A question is answered over REST as it is by a command.

use serde_json::{Value, json};

use super::Rest;
use crate::program::annals;

impl Rest {
    /// Asserts that both answer with the same rows, at least one, and gives them as REST tells them.
    fn agrees(&self, path: &str, command: &[&str]) -> Vec<Value> {
        let told = self.all(path);
        let arguments = [command, &["-o", "json"]].concat();
        let printed = annals(self.site.path(), &arguments).exits(0).json();
        let printed = printed["items"].as_array().unwrap();
        assert!(!told.is_empty(), "{path}");
        assert_eq!(plain(&told), plain(printed), "{path} and {command:?}");
        told
    }
}

/// Rows in an order that both have, with instants in one form: a command prints whole seconds.
fn plain(rows: &[Value]) -> Vec<String> {
    let cell = |value: &Value| {
        let instant =
            value.as_str().and_then(|text| text.replacen(' ', "T", 1).parse::<jiff::Timestamp>().ok());
        instant.map_or_else(|| value.to_string(), |instant| instant.as_second().to_string())
    };
    let row = |row: &Value| {
        let members = row.as_object().unwrap().iter();
        members.map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
    };
    let mut rows: Vec<String> = rows.iter().map(row).collect();
    rows.sort();
    rows
}

/// What an identity held, in pages and at an instant, and what is not said of one who is not there.
#[tokio::test]
async fn access_is_told_as_the_command_prints_it() {
    for rest in Rest::everywhere().await {
        let id =
            rest.site.look("select identity_id from annals_access_interval order by 1 limit 1;").remove(0);
        let path = format!("/api/v1/identities/{id}/access");
        let all = rest.agrees(&path, &["access", &id]);
        assert_eq!(plain(&rest.all(&format!("{path}?$top=2"))), plain(&all));
        assert!(
            all.iter()
                .all(|row| row["acquired"].is_array()
                    && row["itemId"].is_null() != row["application"].is_null())
        );
        let additional = format!("{path}?at=2026-01-05&additionalOnly=true");
        rest.agrees(&additional, &["access", &id, "--at", "2026-01-05", "--additional-only"]);
        let (status, .., detail) = rest.problem("/api/v1/identities/nobody/access");
        assert_eq!((status, detail), (404, "identity `nobody` was not found".to_owned()));
        let (status, .., detail) = rest.problem(&format!("{path}?at=1990-01-01"));
        assert_eq!(
            (status, detail),
            (404, format!("a capture of identity `{id}` at that instant was not found"))
        );
        assert_eq!(rest.problem(&format!("{path}?additionalOnly=yes")).0, 400);
    }
}

/// Who had something and why, in pages and at instants, and what is wrong with questions that cannot be answered.
#[tokio::test]
async fn holders_and_reasons_are_told_as_the_commands_print_them() {
    for rest in Rest::everywhere().await {
        let holders = "/api/v1/holders";
        let role = "role:Organisation";
        let all = rest.agrees(&format!("{holders}?item={role}"), &["who-had", role]);
        assert_eq!(plain(&rest.all(&format!("{holders}?item={role}&$top=3"))), plain(&all));
        assert!(
            all.iter().all(|row| !row["through"].as_array().unwrap().is_empty()),
            "nobody has it directly"
        );
        let at = "2026-01-05T12:00:00Z";
        rest.agrees(&format!("{holders}?item={role}&at={at}"), &["who-had", role, "--at", at]);
        let value = rest
            .site
            .look("select application || '/' || attribute || '=' || value from annals_access_item where kind = 2
                   and id in (select item from annals_access_interval where acquired = 4) order by value limit 1;")
            .remove(0);
        let item = format!("entitlement:{value}");
        let encoded: String = item.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("{holders}?item={encoded}&from=2026-01-04&to=2026-01-06&mode=at-end");
        let asked =
            ["who-had", item.as_str(), "--from", "2026-01-04", "--to", "2026-01-06", "--mode", "at-end"];
        let rows = rest.agrees(&path, &asked);
        let direct =
            rest.agrees(&format!("{path}&directOnly=true"), &[&asked[..], &["--direct-only"]].concat());
        assert!(
            direct.len() < rows.len() && direct.iter().all(|row| row["through"] == serde_json::json!([]))
        );
        let id = direct[0]["identityId"].as_str().unwrap();
        let why = format!("/api/v1/identities/{id}/why");
        let reasons = rest.agrees(&format!("{why}?item={encoded}"), &["why", id, &item]);
        assert!(reasons.len() > 1, "{reasons:?}");
        rest.agrees(&format!("{why}?item={encoded}&at={at}"), &["why", id, &item, "--as-of", at]);

        let wrong = |path: &str| {
            let (status, option, _, detail) = rest.problem(path);
            (status, option.unwrap_or_default(), detail)
        };
        let told = |option: &str, detail: &str| (400, option.to_owned(), detail.to_owned());
        let expected = told("item", "expected what is asked for, such as `role:NAME`");
        assert_eq!((wrong(holders), wrong(&why)), (expected.clone(), expected));
        for (query, expected) in [
            ("mode=some", told("mode", "expected `any`, `all` or `at-end`, found `some`")),
            ("at=2026-01-05&to=2026-01-05", told("at", "expected no other instants beside this one")),
            (
                "from=2026-01-05&to=2026-01-04",
                told("from", "the span has no instant in it: it ends before it begins"),
            ),
            ("mode=all", told("from", "`all` is asked of a span with a beginning")),
            ("directOnly=1", told("directOnly", "expected `true` or `false`, found `1`")),
        ] {
            assert_eq!(wrong(&format!("{holders}?item={role}&{query}")), expected, "{query}");
        }
        let nothing = "nothing that anybody can have access to is known as `role:x`".to_owned();
        assert_eq!(wrong(&format!("{holders}?item=role:x")), (404, String::new(), nothing.clone()));
        assert_eq!(wrong(&format!("{why}?item=role:x")), (404, String::new(), nothing));
        assert_eq!(wrong("/api/v1/identities/nobody/why?item=role:x").0, 404);
    }
}

/// What tells states apart, what changed between two instants, and whose accounts nobody answers for, in pages too; what is
/// asked wrongly is told with its place.
#[tokio::test]
async fn comparisons_are_told_as_the_commands_print_them() {
    for rest in Rest::everywhere().await {
        let changed = rest.site.look(
            "select identity_id from spt_hist_identity_capture group by identity_id having count(*) > 1 order by 1 limit 2;",
        );
        let [one, two] = &changed[..] else { panic!("{changed:?}") };
        let path = format!("/api/v1/identities/{one}/diff");
        let span = ["--at", "2026-01-04", "--and", "2026-01-07"];
        rest.agrees(
            &format!("{path}?from=2026-01-04&to=2026-01-07"),
            &[&["diff", "identity", one], &span[..]].concat(),
        );
        let other = format!("{path}?with={two}&from=2026-01-05&all=true");
        rest.agrees(&other, &["diff", "identity", one, two, "--at", "2026-01-05", "--all"]);
        let told = rest.get(&other);
        assert_eq!((&told["from"]["id"], &told["to"]["id"]), (&json!(one), &json!(two)));
        assert!(told["counts"]["unchanged"].as_u64() > Some(0), "{told:#}");
        let patch = rest.get(&format!("{path}/patch?with={two}"))["value"].clone();
        let printed = annals(rest.site.path(), &["diff", "identity", one, two, "--patch"]).exits(0).json();
        assert_eq!(patch, printed);

        let span = ["--from", "2026-01-04", "--to", "2026-01-07"];
        let path = "/api/v1/changes?from=2026-01-04&to=2026-01-07";
        let all = rest.agrees(path, &[&["changes"], &span[..]].concat());
        assert_eq!(plain(&rest.all(&format!("{path}&$top=3"))), plain(&all));
        let filter = format!("id eq '{one}' or name gt 'm'");
        rest.agrees(
            &format!("{path}&$filter={filter}"),
            &[&["changes", "--filter", &filter], &span[..]].concat(),
        );
        for by in ["cause", "application", "identity", "day"] {
            let path = format!("/api/v1/changes/counts?from=2026-01-04&to=2026-01-07&group={by}");
            let command = [&["changes", "--group", by], &span[..]].concat();
            let all = rest.agrees(&path, &command);
            assert_eq!(rest.all(&format!("{path}&$top=1")), all, "{by}");
            let printed = annals(rest.site.path(), &[&command[..], &["-o", "json"]].concat()).exits(0).json();
            assert_eq!(rest.get(&path)["totals"], printed["totals"]);
        }
        let sum = rest.get("/api/v1/changes/counts?unexplained=true&$top=0");
        assert!(sum["totals"]["added"].as_u64() > Some(0), "{sum:#}");
        rest.site.history.sql("update spt_hist_identity_capture set inactive = 1;");
        let all = rest.agrees("/api/v1/orphan-accounts?at=2026-01-06", &["orphans", "--at", "2026-01-06"]);
        assert_eq!(plain(&rest.all("/api/v1/orphan-accounts?at=2026-01-06&$top=4")), plain(&all));
    }
}

/// Who holds what, and who held it.
#[tokio::test]
async fn holders_are_found_as_the_command_finds_them() {
    for rest in Rest::everywhere().await {
        let role = rest.site.look(
            "select i.name from annals_access_interval x join annals_access_item i on i.id = x.item where i.kind = 3
             group by i.name order by count(*) desc, i.name limit 1;",
        );
        let role = &role[0];
        for (filter, command) in [
            (
                format!(
                    "access/any(a: a/kind eq 'assignedRole' and a/name eq '{role}' and a/current eq true)"
                ),
                None,
            ),
            (
                format!("access/any(a: a/kind in ('assignedRole', 'detectedRole') and a/name eq '{role}')"),
                Some(["find", "identity", "--role", role, "--held", "all", "--limit", "1000"]),
            ),
            ("access/any(a: a/cause eq 'LCM') and not access/any(a: a/until gt 2026-01-05)".to_owned(), None),
            ("history/any(h: h/since lt 2026-01-05) and not (email eq null)".to_owned(), None),
        ] {
            let by_filter = ["find", "identity", "--filter", &filter, "--limit", "1000"];
            let path = format!("/api/v1/identities?$filter={filter}");
            let all = rest.agrees(&path, &by_filter);
            assert_eq!(rest.all(&format!("{path}&$top=2")), all, "{filter}");
            let counted = rest.get(&format!("{path}&$top=0&$count=true"));
            assert_eq!(counted["@odata.count"], all.len(), "{filter}");
            if let Some(command) = command {
                rest.agrees(&path, &command);
            }
        }
        rest.site.history.sql("update annals_access_build set complete = 0;");
        let (status, .., detail) = rest.problem("/api/v1/identities?$filter=access/any()");
        assert_eq!(
            (status, &*detail),
            (503, "access intervals are not made yet: run `annals rebuild intervals`")
        );
    }
}

/// Each bad question is told with the place where it is wrong.
#[tokio::test]
async fn bad_comparisons_are_told_with_their_place() {
    let rest = Rest::on(annals_testkit::Engine::Sqlite).await;
    let (id, _) = crate::site::somebody(&rest.site);
    let instant = "expected an instant such as 2026-03-01T14:30:00Z, or a date such as 2026-03-01";
    let there = "id, name, deleted, since, lastSeen, displayName, lastname, firstname, email";
    let token = "expected a token as a nextLink of this list gives it";
    for (path, option, position, detail) in [
        (&*format!("identities/{id}/diff?from=x"), "from", 0, instant),
        (&format!("identities/{id}/diff?to=x"), "to", 0, instant),
        (&format!("identities/{id}/diff?knownAsOf=x"), "knownAsOf", 0, instant),
        (&format!("identities/{id}/diff?all=1"), "all", 0, "expected `true` or `false`, found `1`"),
        (
            &format!("identities/{id}/diff?at=2026-01-01"),
            "at",
            0,
            "expected no such option here: there are from, to, with, knownAsOf, all, export, timeZone",
        ),
        (
            &format!("identities/{id}/diff/patch?all=true"),
            "all",
            0,
            "expected no such option here: there are from, to, with, knownAsOf",
        ),
        ("changes?from=x", "from", 0, instant),
        ("changes?unexplained=yes", "unexplained", 0, "expected `true` or `false`, found `yes`"),
        (
            "changes?from=2026-02-01&to=2026-01-01",
            "from",
            0,
            "expected an instant that is not later than `to`",
        ),
        (
            "changes?$filter=deleted eq false and nme eq 'x'",
            "$filter",
            21,
            &format!("expected a property that there is ({there}), found `nme`"),
        ),
        (
            "changes?group=day",
            "group",
            0,
            "expected no such option here: there are from, to, knownAsOf, $filter, unexplained, $top, $skiptoken, \
             export, timeZone",
        ),
        (
            "changes/counts?group=colour",
            "group",
            0,
            "expected one of cause, application, identity, day, found `colour`",
        ),
        ("changes?$skiptoken=5b315d", "$skiptoken", 0, token),
        // [1,"x"]: a place, but not of this list.
        ("changes?$skiptoken=5b312c2278225d", "$skiptoken", 0, token),
        ("orphan-accounts?at=x", "at", 0, instant),
        ("orphan-accounts?$top=-1", "$top", 0, "expected a whole number from 0 to 1000, found `-1`"),
    ] {
        let expected = (400, Some(option.to_owned()), Some(position), detail.to_owned());
        assert_eq!(rest.problem(&format!("/api/v1/{path}")), expected, "{path}");
    }
    for (path, detail) in [
        ("identities/nobody/diff".to_owned(), "identity `nobody` was not found".to_owned()),
        (format!("identities/{id}/diff?with=nobody"), "identity `nobody` was not found".to_owned()),
        (
            format!("identities/{id}/diff?from=1990-01-01"),
            format!("a state of identity `{id}` at that instant was not found"),
        ),
    ] {
        let (status, .., found) = rest.problem(&format!("/api/v1/{path}"));
        assert_eq!((status, found), (404, detail), "{path}");
    }
}
