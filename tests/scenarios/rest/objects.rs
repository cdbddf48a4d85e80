//! Objects and their past.

use annals_testkit::Engine;
use serde_json::{Value, json};

use super::{Rest, sorted};
use crate::program::annals;

/// The ten classes of IIQ-09: in paths, and by the name of their type; and whether events are about them.
const CLASSES: [(&str, &str, bool); 10] = [
    ("identities", "identity", true),
    ("roles", "role", true),
    ("entitlements", "entitlement", true),
    ("certifications", "certification", false),
    ("identityRequests", "identityRequest", true),
    ("managedAttributes", "managedAttribute", true),
    ("capabilities", "capability", false),
    ("accounts", "account", true),
    ("workgroups", "workgroup", true),
    ("policyViolations", "policyViolation", false),
];

/// The ids of all objects of a type, as the database's own program prints them.
fn ids(rest: &Rest, object_type: &str) -> Vec<String> {
    let mut ids = rest.site.look(&format!(
        "select object_id from annals_head h join annals_object_kind k on k.id = h.kind
         where k.object_type = '{object_type}';"
    ));
    ids.sort();
    ids
}

/// IIQ-09: each class is listed to its end, and each object of a page has its newest state, its captures, its state at
/// an instant, and its events; an object that is not there has none of these.
#[tokio::test]
async fn every_class_is_listed_and_each_object_has_its_past() {
    for rest in Rest::everywhere().await {
        let mut with_objects = 0;
        for (plural, object_type, has_events) in CLASSES {
            let root = format!("/api/v1/{plural}");
            let ids = ids(&rest, object_type);
            with_objects += u32::from(!ids.is_empty());
            assert_eq!(sorted(&rest.all(&format!("{root}?$top=7")), "id"), ids, "{plural}");
            let counted = rest.get(&format!("{root}?$top=0&$count=true"));
            assert_eq!(counted, json!({"value": [], "@odata.count": ids.len()}), "{plural}");
            for id in ids.iter().take(3) {
                let object = rest.get(&format!("{root}/{id}"));
                assert_eq!(object["id"], **id, "{object:#}");
                let captures = rest.all(&format!("{root}/{id}/history?$top=1"));
                let newest = captures.last().unwrap();
                let state = rest.get(&format!("{root}/{id}/as-of"));
                assert_eq!(state["captureId"], newest["captureId"], "{state:#}");
                assert_eq!(state["image"], object["image"], "{plural} {id}");
                assert!(state["deleted"] == true || state["image"].is_object(), "{state:#}");
                let timeline = format!("{root}/{id}/timeline");
                if has_events {
                    let events = rest.all(&format!("{timeline}?$top=2"));
                    assert_eq!(events, rest.all(&timeline), "{plural} {id}");
                } else {
                    assert_eq!(rest.ask(Some(&rest.auditor), &timeline).status, 404, "{timeline}");
                }
            }
            for path in ["", "/history", "/as-of"] {
                let (status, .., detail) = rest.problem(&format!("{root}/nobody{path}"));
                assert_eq!((status, detail), (404, format!("{object_type} `nobody` was not found")));
            }
        }
        assert!(with_objects >= 8, "the generated identity system has few classes: {with_objects}");
    }
}

/// What is answered over REST is what the commands answer, at an instant between the runs and now.
#[tokio::test]
async fn rest_and_commands_agree() {
    for rest in Rest::everywhere().await {
        let changed = rest.site.look(
            "select identity_id from spt_hist_identity_capture group by identity_id having count(*) > 1 order by 1 limit 3;",
        );
        assert!(!changed.is_empty());
        for id in &changed {
            let captures = rest.all(&format!("/api/v1/identities/{id}/history"));
            let second = captures[1]["since"].as_str().unwrap();
            let before: jiff::Timestamp = second.parse().unwrap();
            let before = jiff::Timestamp::from_millisecond(before.as_millisecond() - 1).unwrap().to_string();
            let mut told = Vec::new();
            for at in [before.as_str(), second] {
                let state = rest.get(&format!("/api/v1/identities/{id}/as-of?at={at}"));
                let said = annals(rest.site.path(), &["as-of", "identity", id, "--at", at, "-o", "json"])
                    .exits(0)
                    .json();
                assert_eq!(state["captureId"], said["captureId"]);
                assert_eq!(state["failedRuns"], said["failedRuns"]);
                for member in ["lastSeen", "nextSeen"] {
                    let seconds = |told: &Value| {
                        let told = told.as_str().map(|told| told.replacen(' ', "T", 1));
                        told.map(|told| told.parse::<jiff::Timestamp>().unwrap().as_second())
                    };
                    assert_eq!(seconds(&state[member]), seconds(&said[member]), "{member}");
                }
                assert_eq!(state["image"], said["document"]["eventImage"]["imageFields"], "{id} {at}");
                told.push(state["captureId"].clone());
            }
            assert_eq!(told, [captures[0]["captureId"].clone(), captures[1]["captureId"].clone()]);
            let events = rest.all(&format!("/api/v1/identities/{id}/timeline"));
            let said = annals(rest.site.path(), &["timeline", "identity", id, "-o", "json"]).exits(0).json();
            assert_eq!(sorted(&events, "type"), sorted(said["items"].as_array().unwrap(), "event"));
        }
        let id = &changed[0];
        let first =
            rest.all(&format!("/api/v1/identities/{id}/history"))[0]["recorded"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/identities/{id}/as-of?knownAsOf=2001-01-01");
        assert_eq!(rest.ask(Some(&rest.auditor), &path).status, 404, "nothing was known before {first}");
    }
}

/// Names of identities that a condition on the identity system's own tables finds.
fn names(rest: &Rest, condition: &str) -> Vec<String> {
    let mut names = rest.site.ask(&format!(
        "select name from spt_identity where coalesce(workgroup, {{false}}) = {{false}} and {condition};"
    ));
    names.sort();
    names
}

/// Filters find those whom the identity system's own tables have so.
#[tokio::test]
async fn filters_find_what_the_source_has() {
    for rest in Rest::everywhere().await {
        let (id, somebody) = crate::site::somebody(&rest.site);
        let letter = &somebody[..1];
        let account = rest.site.ask_one(&format!("select min(id) from spt_link where identity_id = '{id}';"));
        let email = rest.site.ask_one(&format!("select email from spt_identity where id = '{id}';"));
        for (filter, condition) in [
            (format!("name eq '{somebody}'"), format!("name = '{somebody}'")),
            (format!("name ne '{somebody}' and deleted eq false"), format!("name <> '{somebody}'")),
            (format!("startswith(name, '{letter}')"), format!("substr(name, 1, 1) = '{letter}'")),
            (
                format!("not contains(name, '{letter}')"),
                format!("name not like '%{letter}%' and name not like '%{}%'", letter.to_uppercase()),
            ),
            (format!("email in ('{email}', 'nobody')"), format!("email = '{email}'")),
            ("email eq null".to_owned(), "email is null".to_owned()),
            (format!("accounts/any(a: a/id eq '{account}')"), format!("id = '{id}'")),
            (
                "not accounts/any()".to_owned(),
                "not exists (select 1 from spt_link where identity_id = spt_identity.id)".to_owned(),
            ),
            ("name eq 'x'' or 1 = 1 --'".to_owned(), "1 = 0".to_owned()),
        ] {
            let found = rest.all(&format!("/api/v1/identities?$top=5&$filter={filter}"));
            // Identities that are gone are in history alone.
            let living: Vec<Value> = found.into_iter().filter(|row| row["deleted"] == false).collect();
            assert_eq!(sorted(&living, "name"), names(&rest, &condition), "{filter}");
        }
        let found = rest.all(&format!("/api/v1/identities?$search=\"{}\"", somebody.to_uppercase()));
        assert!(found.iter().any(|row| row["name"] == somebody.as_str()), "without regard to case");
    }
}

/// Pages in whatever order are the whole list; of what is selected, and of images, there is as much as is asked for.
#[tokio::test]
async fn lists_are_sorted_selected_and_expanded() {
    for rest in Rest::everywhere().await {
        let all = rest.all("/api/v1/identities");
        for order in ["name", "name desc", "email desc, name", "since, displayName desc"] {
            let path = format!("/api/v1/identities?$orderby={order}");
            let paged = rest.all(&format!("{path}&$top=3"));
            assert_eq!(paged, rest.all(&path), "{order}");
            assert_eq!(sorted(&paged, "id"), sorted(&all, "id"), "{order}");
        }
        let emails: Vec<String> = rest
            .all("/api/v1/identities?$orderby=email desc&$top=4")
            .iter()
            .map(|row| row["email"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert!(emails.is_sorted_by(|one, two| one >= two), "{emails:?}");
        let few = rest.get("/api/v1/identities?$select=id,email&$top=1");
        let members: Vec<&String> = few["value"][0].as_object().unwrap().keys().collect();
        assert_eq!(members, ["email", "id"]);
        for row in rest.get("/api/v1/identities?$expand=image&$top=4")["value"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            assert_eq!(row["image"], rest.get(&format!("/api/v1/identities/{id}"))["image"], "{id}");
        }
    }
}

/// Each bad request is told with the place where it is wrong.
#[tokio::test]
async fn bad_requests_are_told_with_their_place() {
    let rest = Rest::on(Engine::Sqlite).await;
    let there = "id, name, deleted, since, lastSeen, displayName, lastname, firstname, email";
    for (query, option, position, detail) in [
        (
            "$filter=name eq",
            "$filter",
            7,
            "expected a value: 'text', a number, a date, true, false or null, found the end",
        ),
        (
            "$filter=name eq 'a' and nme eq 'b'",
            "$filter",
            16,
            &*format!("expected a property that there is ({there}), found `nme`"),
        ),
        ("$filter=name eq 5", "$filter", 8, "expected a text in quotes to compare `name` with, found 5"),
        (
            "$orderby=nme",
            "$orderby",
            0,
            &*format!("expected a property that there is ({there}), found `nme`"),
        ),
        (
            "$select=id,nme",
            "$select",
            3,
            &*format!("expected a property that there is ({there}), found `nme`"),
        ),
        ("$expand=accounts", "$expand", 0, "expected `image`, found `accounts`"),
        ("$expand=image(expand=x)", "$expand", 13, "expected nothing within `image`, found `x`"),
        ("$top=1001", "$top", 0, "expected a whole number from 0 to 1000, found `1001`"),
        ("$top=101&$expand=image", "$top", 0, "expected at most 100 with $expand=image"),
        ("$skiptoken=5b315d", "$skiptoken", 0, "expected a token as a nextLink of this list gives it"),
        (
            "filter=x",
            "filter",
            0,
            "expected no such option here: there are $filter, $search, $orderby, $select, $expand, $top, $skiptoken, $count, export, timeZone",
        ),
    ] {
        let expected = (400, Some(option.to_owned()), Some(position), detail.to_owned());
        assert_eq!(rest.problem(&format!("/api/v1/identities?{query}")), expected, "{query}");
    }
    let instant = "expected an instant such as 2026-03-01T14:30:00Z, or a date such as 2026-03-01";
    let (id, _) = crate::site::somebody(&rest.site);
    for (path, option) in
        [("as-of?at=yesterday", "at"), ("as-of?knownAsOf=5", "knownAsOf"), ("timeline?from=x", "from")]
    {
        let expected = (400, Some(option.to_owned()), Some(0), instant.to_owned());
        assert_eq!(rest.problem(&format!("/api/v1/identities/{id}/{path}")), expected);
    }
    assert_eq!(rest.problem("/api/v1/identities/%00").0, 404);
    assert_eq!(rest.problem("/api/v1/identities/%ff").0, 404);
    assert_eq!(rest.problem("/api/v1/nothing").0, 404);
    let answered = rest.send("POST", "/api/v1/identities", "Content-Length: 0\r\n");
    assert_eq!((answered.status, answered.head.contains("allow: get,head")), (405, true), "{answered:#?}");
}
