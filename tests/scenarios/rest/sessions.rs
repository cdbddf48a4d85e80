//! Session logs, as clients of the reference ask for them.

use std::collections::{BTreeMap, BTreeSet};

use annals_testkit::Engine;
use serde_json::{Value, json};

use super::{Rest, manager, sorted, token, token_with};

const LOGS: &str = "/api/rest/v2/sessionLogs";

/// The five calls of BRV-10, as they are written there.
const CALLS: [(&str, &str); 5] = [
    ("OPC4", "requester,data"),
    ("CRTG", "requester,data(expand=group,targetSystem)"),
    ("GRUA", "requester,data(expand=account,targetSystem,group)"),
    ("ACUA", "requester,data(expand=account,targetSystem)"),
    ("ACHG", "requester,data(expand=account,targetSystem)"),
];

/// A site whose requests have items of several kinds.
async fn with_operations(engine: Engine) -> Rest {
    let rest = Rest::on(engine).await;
    let items = rest
        .site
        .look("select distinct identity_request_item_id from spt_hist_identity_req_item_capture order by 1;");
    assert!(items.len() >= 8, "{items:?}");
    let changes = [
        "operation = 'Create', name = null, value = null",
        "operation = 'Set', name = 'password', value = 'secret-of-ann'",
        "operation = 'Remove'",
        "operation = 'Disable'",
        "operation = 'Set'",
        "operation = 'Frobnicate'",
        "operation = null",
    ];
    for (id, change) in items.iter().zip(changes) {
        rest.site.history.sql(&format!(
            "update spt_hist_identity_req_item_capture set {change} where identity_request_item_id = '{id}';"
        ));
    }
    rest
}

/// What the logs must be: id to (code, batch, changed at), by the database's own program and the table of codes.
fn expected(rest: &Rest) -> BTreeMap<String, (&'static str, String, i64)> {
    let newest = |columns: &str, table: &str, id: &str| {
        rest.site.look(&format!(
            "select {id}, {columns}, effective_date from (select c.*, row_number() over (partition by {id}
               order by effective_date desc, created desc, id desc) as age from {table} c) newest
             where age = 1 and deleted = 0;"
        ))
    };
    let mut logs = BTreeMap::new();
    for row in newest("identity_request_id", "spt_hist_identity_req_capture", "identity_request_id") {
        let [id, _, at] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        logs.insert(id.to_owned(), ("OPC4", id.to_owned(), at.parse().unwrap()));
    }
    let columns = "identity_request_id, coalesce(operation, ''), coalesce(name, '')";
    for row in newest(columns, "spt_hist_identity_req_item_capture", "identity_request_item_id") {
        let [id, batch, operation, name, at] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let code = match (operation, name) {
            (_, "password") => "ACHG",
            ("Add", _) => "GRUA",
            ("Remove", _) => "GRUR",
            ("Create", _) => "ACUA",
            ("Disable", _) => "ACDI",
            ("Set", _) => "ATST",
            _ => "OTHR",
        };
        logs.insert(id.to_owned(), (code, batch.to_owned(), at.parse().unwrap()));
    }
    logs
}

/// BRV-10: the reference's five calls, as written, with their expansions; those that changed last come first, page by page.
#[tokio::test]
async fn the_calls_of_the_reference_are_answered() {
    for engine in annals_testkit::history_engines() {
        let rest = with_operations(engine).await;
        let expected = expected(&rest);
        let order = "$orderby=metadata/lastUpdatedDateTime desc";
        for (code, expand) in CALLS {
            let logs =
                rest.all(&format!("{LOGS}?$filter=operation eq '{code}'&$expand={expand}&{order}&$top=3"));
            let wanted: BTreeSet<&String> =
                expected.iter().filter(|(_, log)| log.0 == code).map(|(id, _)| id).collect();
            let ids = sorted(&logs, "id");
            assert_eq!(ids.iter().collect::<BTreeSet<_>>(), wanted, "{code}");
            assert_eq!((ids.len(), wanted.is_empty()), (wanted.len(), code == "CRTG"), "{code}");
            for log in &logs {
                assert_eq!(log["operation"], code);
                assert!(log["requester"]["id"].is_string() && log["data"].is_object(), "{log:#}");
                for (inner, is_there) in [
                    ("account", expand.contains("account")),
                    ("group", expand.contains("group")),
                    ("targetSystem", expand.contains("targetSystem")),
                ] {
                    assert_eq!(log["data"].get(inner).is_some(), is_there && code != "OPC4", "{log:#}");
                }
            }
        }
        let group = rest.all(&format!(
            "{LOGS}?$filter=operation eq 'GRUA'&$expand=data(expand=account,group,targetSystem)"
        ));
        let row = rest.site.look(&format!(
            "select name, value, application_name, native_identity from spt_hist_identity_req_item_capture
             where identity_request_item_id = '{}' order by effective_date desc limit 1;",
            group[0]["id"].as_str().unwrap()
        ));
        let [name, value, application, native] = row[0].split('|').collect::<Vec<_>>()[..] else {
            panic!("{row:?}")
        };
        let data = &group[0]["data"];
        assert_eq!(data["group"], json!({"attribute": name, "value": value}));
        assert_eq!(data["targetSystem"], json!({"name": application}));
        assert_eq!(data["account"], json!({"nativeIdentity": native, "targetSystem": application}));
        // A password's value is not told.
        let all = rest.all(&format!("{LOGS}?$expand=data(expand=group)"));
        assert!(!json!(all).to_string().contains("secret-of-ann"));

        // Without a filter all of them, the requests and items of one instant in the order of their ids.
        let mut wanted: Vec<(i64, bool, &String)> =
            expected.iter().map(|(id, (code, _, at))| (-at, *code != "OPC4", id)).collect();
        wanted.sort();
        let told = |path: &str| -> Vec<String> {
            rest.all(path).iter().map(|log| log["id"].as_str().unwrap().to_owned()).collect()
        };
        let wanted_ids: Vec<String> = wanted.iter().map(|(.., id)| (*id).clone()).collect();
        assert_eq!(told(&format!("{LOGS}?$top=4")), wanted_ids);
        assert_eq!(told(&format!("{LOGS}?$top=1000&{order}")), wanted_ids);
        wanted.sort_by_key(|(at, is_item, id)| (-at, *is_item, *id));
        let wanted_ids: Vec<String> = wanted.into_iter().map(|(.., id)| id.clone()).collect();
        assert_eq!(told(&format!("{LOGS}?$top=5&$orderby=metadata/lastUpdatedDateTime")), wanted_ids);
        assert_eq!(rest.get(&format!("{LOGS}?$top=0&$count=true"))["@odata.count"], expected.len());
    }
}

/// BRV-12: one call gives a request with all its operations. BRV-11: the codes are listed, and each log has one of them.
#[tokio::test]
async fn a_batch_is_one_call_and_codes_are_listed() {
    for engine in annals_testkit::history_engines() {
        let rest = with_operations(engine).await;
        let expected = expected(&rest);
        let batches: BTreeSet<&String> = expected.values().map(|(_, batch, _)| batch).collect();
        for batch in batches {
            let logs = rest.all(&format!("{LOGS}?$filter=batchId eq '{batch}'"));
            let wanted: Vec<&String> =
                expected.iter().filter(|(_, log)| log.1 == *batch).map(|(id, _)| id).collect();
            assert_eq!(sorted(&logs, "id").iter().collect::<Vec<_>>(), wanted);
            assert_eq!(logs.iter().filter(|log| log["operation"] == "OPC4").count(), 1, "{batch}");
        }
        let codes = rest.all("/api/rest/v2/operationCodes");
        let codes: BTreeSet<&str> = codes.iter().map(|code| code["code"].as_str().unwrap()).collect();
        for code in ["OPC4", "CRTG", "GRUA", "ACUA", "ACHG"] {
            assert!(codes.contains(code), "{codes:?}");
        }
        assert!(expected.values().all(|(code, ..)| codes.contains(code)));
        let of = |filter: &str| sorted(&rest.all(&format!("{LOGS}?$filter={filter}")), "id");
        let by_code = |is: &dyn Fn(&str) -> bool| -> Vec<String> {
            expected.iter().filter(|(_, log)| is(log.0)).map(|(id, _)| id.clone()).collect()
        };
        for code in &codes {
            assert_eq!(of(&format!("operation eq '{code}'")), by_code(&|is| is == *code), "{code}");
            assert_eq!(of(&format!("operation ne '{code}'")), by_code(&|is| is != *code), "{code}");
        }
        assert_eq!(of("operation in ('ACUA', 'OTHR')"), by_code(&|is| ["ACUA", "OTHR"].contains(&is)));
        assert_eq!(
            of("not (operation eq 'GRUA' or operation eq 'OPC4')"),
            by_code(&|is| is != "GRUA" && is != "OPC4")
        );
        assert_eq!(of("operation eq 'NONE'"), Vec::<String>::new());
    }
}

/// BRV-10: a bad expression is told with its place; BRV-09: both classes of users are needed. A reader of a part of
/// history is told of the logs of that part.
#[tokio::test]
async fn what_is_wrong_is_told_and_who_may_not_is_refused() {
    let rest = with_operations(Engine::Sqlite).await;
    let there =
        "(id, batchId, requester/id, identity/id, identity/name, metadata/lastUpdatedDateTime, operation)";
    for (query, option, position, detail) in [
        (
            "$filter=operation eq",
            "$filter",
            12,
            "expected a value: 'text', a number, a date, true, false or null, found the end".to_owned(),
        ),
        ("$filter=operation gt 'OPC4'", "$filter", 0, "expected eq, ne or in with `operation`".to_owned()),
        (
            "$filter=id eq 'x' and operation eq 4",
            "$filter",
            27,
            "expected a text in quotes to compare `operation` with, found 4".to_owned(),
        ),
        (
            "$filter=not (operatoin eq 'OPC4')",
            "$filter",
            5,
            format!("expected a property that there is {there}, found `operatoin`"),
        ),
        (
            "$orderby=metadata/createdDateTime",
            "$orderby",
            0,
            "expected `metadata/lastUpdatedDateTime` alone, found `metadata/createdDateTime`".to_owned(),
        ),
        ("$expand=requester,date", "$expand", 10, "expected `requester` or `data`, found `date`".to_owned()),
        (
            "$expand=data(expand=account,groop)",
            "$expand",
            20,
            "expected `account`, `group` or `targetSystem`, found `groop`".to_owned(),
        ),
        (
            "$skiptoken=5b315d",
            "$skiptoken",
            0,
            "expected a token as a nextLink of this list gives it".to_owned(),
        ),
    ] {
        let found = rest.problem(&format!("{LOGS}?{query}"));
        assert_eq!(
            (found.0, found.1.as_deref(), found.2),
            (400, Some(option), Some(position)),
            "{query}: {}",
            found.3
        );
        assert_eq!(found.3, detail, "{query}");
    }
    for (name, roles, status) in [
        ("r", "report-reader", 403),
        ("u", "rest-user", 403),
        ("b", "_REPORT_READERS_,_EXPLICIT_REST_API_USERS_", 200),
        ("o", "operator", 403),
    ] {
        let token = token(&rest.site, name, roles);
        assert_eq!(rest.ask(Some(&token), LOGS).status, status, "{roles}");
    }
    let (top, below) = manager(&rest);
    let arguments = ["--role", "scoped-reader", "--scope", "managerTree", "--identity", &top];
    let scoped = token_with(&rest.site, "boss", &arguments);
    let all = rest.all(&format!("{LOGS}?$top=1000"));
    let is_in = |log: &&Value| log["identity"]["id"].as_str().is_some_and(|id| below.contains(id));
    let wanted: Vec<Value> = all.iter().filter(is_in).cloned().collect();
    assert!(!wanted.is_empty() && wanted.len() < all.len(), "{} of {}", wanted.len(), all.len());
    let told = rest.ask(Some(&scoped), &format!("{LOGS}?$top=1000&$count=true")).body;
    assert_eq!((&told["value"], &told["@odata.count"]), (&json!(wanted), &json!(wanted.len())));
}
