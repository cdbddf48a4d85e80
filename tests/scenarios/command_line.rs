//! The command line: the way from nothing to an answer, its outputs, its exit codes, its help.

use annals_testkit::{Engine, database, history_engines};
use serde_json::{Value, json};

use crate::program::{Said, annals, annals_with, program};
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site, somebody};

/// The lines of a CSV output, none of whose cells holds a line break.
fn lines(said: &Said) -> Vec<&str> {
    said.out.lines().collect()
}

/// The way that `annals init` describes, from an empty directory to an answer about the past.
#[test]
fn the_way_from_an_empty_directory_to_an_answer() {
    for engine in history_engines() {
        let (dir, source, history) =
            (tempfile::tempdir().unwrap(), database(Engine::Sqlite), database(engine));
        let variables =
            [("ANNALS_SOURCE_URL", source.url()), ("ANNALS_SECRET_HASH_KEY", "a-key-for-tests-alone")];
        let call = |arguments: &[&str]| annals_with(dir.path(), &variables, arguments);
        call(&["demo", "source", "--identities", "20", "--url", source.url()]).exits(0);

        let written = call(&["init", "."]).exits(0);
        assert_eq!(written.out.lines().count(), 5);
        let again = call(&["init", "."]).exits(0).tells("Left as they are: annals.yaml, ");
        assert_eq!(again.out, "");
        let yaml = dir.path().join("annals.yaml");
        let text = std::fs::read_to_string(&yaml).unwrap();
        let text = text.replace("accessHistoryEnabled: false", "accessHistoryEnabled: true");
        std::fs::write(&yaml, text.replace("sqlite:history.db", history.url())).unwrap();
        call(&["check"]).exits(0);

        let pending = call(&["migrate", "--dry-run", "-o", "json"]).exits(0).json();
        let states = |listed: &Value| -> Vec<Value> {
            listed["items"].as_array().unwrap().iter().map(|item| item["state"].clone()).collect()
        };
        assert!(!states(&pending).is_empty());
        assert!(states(&pending).iter().all(|state| state == "to be applied"));
        let applied = call(&["migrate", "-o", "json"]).exits(0).json();
        assert!(states(&applied).iter().all(|state| state == "applied now"));
        let kept = call(&["migrate", "-o", "json"]).exits(0).json();
        assert!(states(&kept).iter().all(|state| state == "applied before"));

        let planned = call(&["plan", "-o", "json"]).exits(0).json();
        let ran = call(&["run", "-o", "json"]).exits(0).tells("Done. status=success ").json();
        assert_eq!(ran["run"], 1);
        assert_eq!(ran["status"], "success");
        assert_eq!(ran["items"][0]["variable"], "totalObjectMessages");
        assert_eq!(ran["items"][0]["value"], planned["total"]);
        assert!(planned["total"].as_u64().unwrap() > 500);
        assert_eq!(planned["since"], Value::Null);
        let planned = call(&["plan", "-o", "json"]).exits(0).json();
        assert_eq!((&planned["total"], &planned["partitions"]), (&json!(0), &json!(0)));
        assert_ne!(planned["since"], Value::Null);

        let name = source.sql("select name from spt_identity where workgroup = 0 order by id limit 1;");
        let name = name.trim();
        let image = call(&["transform", "identity", name]).exits(0).json();
        let state = call(&["as-of", "identity", name, "-o", "json"]).exits(0).json();
        assert_eq!(state["document"]["eventImage"], image["eventImage"]);
        assert_eq!(state["name"], name);
        let told = call(&["timeline", "identity", name, "-o", "json"]).exits(0).json();
        assert_eq!(told["items"][0]["event"], "IdentityDiscovered");
        assert_eq!(told["items"][0]["source"], "INITIAL_CAPTURE");
        let captured = call(&["capture", "identity", name, "-o", "json"]).exits(0).json();
        assert_eq!(captured["items"][0]["value"], 1);
        let listed = call(&["runs", "list", "-o", "json"]).exits(0).json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    }
}

/// A list has one shape in JSON for none, one or many rows, and says when it is cut.
#[tokio::test]
async fn a_list_has_one_shape_for_any_number_of_rows() {
    for site in Site::on_each_history(20).await {
        let list = |more: &[&str]| {
            let arguments: Vec<&str> =
                ["runs", "list", "-o", "json"].into_iter().chain(more.iter().copied()).collect();
            annals(site.path(), &arguments).exits(0).json()
        };
        assert_eq!(list(&[]), json!({"items": [], "cut": false}));
        site.run(START_MS).await.succeeds();
        let one = list(&[]);
        assert_eq!((one["items"].as_array().unwrap().len(), &one["cut"]), (1, &json!(false)));
        let members: Vec<&String> = one["items"][0].as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            [
                "failed",
                "published",
                "qualified",
                "result",
                "run",
                "seconds",
                "started",
                "state",
                "status",
                "task",
                "trigger"
            ]
        );
        assert_eq!(one["items"][0]["trigger"], "adhoc");
        site.run(START_MS + DAY_MS).await.succeeds();
        site.run(START_MS + 2 * DAY_MS).await.succeeds();
        let cut = list(&["--limit", "2"]);
        let runs: Vec<&Value> = cut["items"].as_array().unwrap().iter().map(|item| &item["run"]).collect();
        assert_eq!((runs, &cut["cut"]), (vec![&json!(3), &json!(2)], &json!(true)));
        let rest = list(&["--limit", "2", "--before", "2"]);
        assert_eq!((&rest["items"][0]["run"], &rest["cut"]), (&json!(1), &json!(false)));
        assert_eq!(list(&["--task", "Another"])["items"], json!([]));
        annals(site.path(), &["runs", "list", "--limit", "2"]).exits(0).tells("There are more: --before 2");
        annals(site.path(), &["runs", "list", "--limit", "0"]).exits(2);
    }
}

/// Tables are for people, JSON and CSV for programs; data alone stands on stdout.
#[tokio::test]
async fn data_comes_as_a_table_json_or_csv() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (id, name) = somebody(&site);
    let table = annals(site.path(), &["timeline", "identity", &name]).exits(0);
    assert!(lines(&table)[0].starts_with(" occurred"), "{table:#?}");
    assert!(table.out.contains("IdentityDiscovered"));
    let csv = annals(site.path(), &["timeline", "identity", &name, "-o", "csv"]).exits(0);
    assert_eq!(lines(&csv)[0], "occurred,recorded,event,about,property,old value,new value,account,source");
    assert!(lines(&csv)[1].ends_with(",IdentityDiscovered,,,,,,INITIAL_CAPTURE"), "{csv:#?}");
    let json = annals(site.path(), &["timeline", "identity", &id, "-o", "json"]).exits(0).json();
    assert_eq!(json["objectId"], id);
    assert_eq!(json["name"], name);
    assert_eq!(json["items"][0]["oldValue"], Value::Null);
    let plan = annals(site.path(), &["plan", "-o", "csv"]).exits(0).tells("would read 0 objects");
    assert_eq!(lines(&plan)[0], "object type,qualified by change,failed before");
    assert_eq!(lines(&plan).len(), 15);
    let field = annals(site.path(), &["as-of", "identity", &name, "-o", "csv"]).exits(0).tells(&name);
    assert!(lines(&field).contains(&format!("name,{name}").as_str()), "{field:#?}");
    let quiet = annals(site.path(), &["run", "--quiet"]).exits(0);
    assert_eq!(quiet.out, "");
}

/// A run's results, totals by type, attribute statistics, failures and messages (IIQ-33, IIQ-34).
#[tokio::test]
async fn a_run_is_shown_with_all_that_it_found() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let people = site.ask(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false}
               and id not in (select identity_id from spt_identity_workgroups) order by id limit 3;",
        );
        let at_ms = START_MS + HOUR_MS;
        site.change(&format!(
            "update spt_identity set firstname = 'New', significant_modified = {at_ms} where id in ('{}', '{}');
             update spt_identity set email = 'new@example.com', significant_modified = {at_ms} where id = '{}';
             update spt_identity set attributes = '<Attributes><Map', significant_modified = {at_ms} where id = '{}';",
            people[0], people[1], people[1], people[2]
        ));
        site.arguments("maxFailuresPercent: 50");
        site.run(START_MS + DAY_MS).await;
        let shown = annals(site.path(), &["runs", "show", "2", "-o", "json"]).exits(0).json();
        assert_eq!(shown["run"]["status"], "warning");
        assert_eq!(shown["counters"]["totalObjectMessages"], 3);
        assert_eq!(shown["byType"]["identity"]["fullCaptures"], 2);
        assert_eq!(
            shown["attributeStatistics"],
            json!([
                {"objectType": "identity", "attribute": "firstname", "objectsChanged": 2},
                {"objectType": "identity", "attribute": "email", "objectsChanged": 1},
            ])
        );
        assert_eq!(shown["failures"][0]["objectId"], people[2]);
        assert_eq!(shown["failures"][0]["stage"], "load");
        assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
        let table = annals(site.path(), &["runs", "show"]).exits(0);
        for section in
            ["Results", "Totals by object type", "Attribute statistics", "Failed objects", "Messages"]
        {
            assert!(table.out.contains(&format!("\n{section}\n")), "{section}: {table:#?}");
        }
        assert!(table.out.contains("Number of Objects that Failed to Extract"), "{table:#?}");
        let csv = annals(site.path(), &["runs", "show", "2", "-o", "csv"]).exits(0);
        assert_eq!(lines(&csv)[0], "section,name,value");
        for line in [
            "run,status,warning",
            "results,totalExtractedObjectsFailed,1",
            "totals of identity,full captures,2",
            "objects changed,identity firstname,2",
        ] {
            assert!(lines(&csv).contains(&line), "{line}: {csv:#?}");
        }
        assert!(csv.out.contains(&format!("\nfailed objects,identity {},\"load: ", people[2])), "{csv:#?}");
    }
}

/// Instants are shown with their offset in the zone asked for, and read in it.
#[tokio::test]
async fn instants_are_shown_and_read_in_the_zone_asked_for() {
    let site = Site::small().await;
    let (_, name) = somebody(&site);
    // Midnight of 5 January 2026 in UTC is one o'clock in Berlin and seven in the evening before in New York.
    site.change(&format!("update spt_identity set significant_modified = {START_MS} where name = '{name}';"));
    site.run(START_MS + HOUR_MS).await.succeeds();
    let since = |more: &[&str]| {
        let arguments: Vec<&str> =
            ["as-of", "identity", &name, "-o", "json"].into_iter().chain(more.iter().copied()).collect();
        let said = annals(site.path(), &arguments);
        if said.code == 0 {
            said.json()["since"].as_str().unwrap().to_owned()
        } else {
            format!("exit {}", said.code)
        }
    };
    assert_eq!(since(&[]), "2026-01-05 00:00:00+00:00");
    assert_eq!(since(&["--tz", "Europe/Berlin"]), "2026-01-05 01:00:00+01:00");
    assert_eq!(since(&["--tz", "America/New_York"]), "2026-01-04 19:00:00-05:00");
    // A date means its end: in New York that day the change had happened, in UTC it had not.
    assert_eq!(since(&["--at", "2026-01-04", "--tz", "America/New_York"]), "2026-01-04 19:00:00-05:00");
    assert_eq!(since(&["--at", "2026-01-04"]), "exit 5");
    assert_eq!(since(&["--at", "2026-01-05 00:59", "--tz", "Europe/Berlin"]), "exit 5");
    assert_eq!(since(&["--at", "2026-01-05 01:00", "--tz", "Europe/Berlin"]), "2026-01-05 01:00:00+01:00");
    assert_eq!(since(&["--at", "2026-01-05T00:00:00Z"]), "2026-01-05 00:00:00+00:00");
    // History learned of it an hour later.
    assert_eq!(since(&["--known-as-of", "2026-01-05 00:59"]), "exit 5");
    assert_eq!(since(&["--known-as-of", "2026-01-05 01:00"]), "2026-01-05 00:00:00+00:00");
    site.service("timeZone: Asia/Tokyo\n");
    assert_eq!(since(&[]), "2026-01-05 09:00:00+09:00");
    annals(site.path(), &["runs", "list", "--tz", "Mars/Olympus"])
        .exits(2)
        .tells("error: `Mars/Olympus` is no time zone")
        .tells("help: Write an IANA name such as Europe/Berlin, or UTC.");
}

/// Exit code 2, with what is wrong and what to do.
#[tokio::test]
async fn wrong_input_is_told_with_the_way_out() {
    let site = Site::small().await;
    site.run(START_MS).await.succeeds();
    let (_, name) = somebody(&site);
    let empty = tempfile::tempdir().unwrap();
    annals(empty.path(), &["run"])
        .exits(2)
        .tells("there is no annals.yaml in")
        .tells("help: Name the configuration");
    let call = |arguments: &[&str]| annals(site.path(), arguments).exits(2);
    call(&["timeline", "spaceship", "x"])
        .tells("`spaceship` is not an object type: use one of identity, account");
    call(&["timeline", "capability", "SystemAdministrator"])
        .tells("error: capability has no timeline")
        .tells("help: Its past is told by `annals as-of`");
    call(&["as-of", "identity", &name, "--at", "tuesday"])
        .tells("error: `tuesday` is not an instant: write 2026-03-01")
        .tells("help: See `annals as-of --help`.");
    call(&["timeline", "identity", &name, "--from", "32 May"]).tells("error: `32 May` is not an instant");
    call(&["runs", "show", "x"]).tells("invalid value 'x'");
    call(&["run", "--output", "yaml"]).tells("[possible values: table, json, csv]");
    call(&["run", "--nonsense"]).tells("unexpected argument '--nonsense'");
    call(&["fly"]).tells("unrecognized subcommand 'fly'");
    site.extracts("role: {}");
    call(&["capture", "identity", &name])
        .tells("does not read objects of type identity")
        .tells("help: Add the type to extract/AccessHistoryExportConfig.yaml");
    site.service("workerSlots: many\nunheardOf: true\n");
    let checked = annals(site.path(), &["check"]).exits(2);
    let checked = format!("{}{}", checked.out, checked.err);
    assert!(checked.contains("annals.yaml:") && checked.contains("unheardOf"), "{checked}");
    call(&["run"]).tells("the configuration has ").tells("help: Mend them, then see `annals check`.");
}

/// Who asks the history database alone need not know what the source, or anything else, takes: variables that are not set
/// there are asked for by the commands that need them.
#[tokio::test]
async fn history_is_asked_without_the_source() {
    let site = Site::small().await;
    annals(site.path(), &["run"]).exits(0);
    site.edit("annals.yaml", site.source.url(), "${ANNALS_SOURCE_URL}");
    site.edit("annals.yaml", "a-key-for-tests-alone", "${ANNALS_SECRET_HASH_KEY}");
    let text = std::fs::read_to_string(site.path().join("annals.yaml")).unwrap();
    let traced =
        "tracing: {otlp: {endpoint: \"http://127.0.0.1:1\", headers: {token: \"${ANNALS_OTLP_TOKEN}\"}}}\n";
    site.write("annals.yaml", &format!("{text}{traced}"));
    let id = site.ask_one("select min(id) from spt_bundle;");
    for arguments in [
        &["runs", "list"] as &[&str],
        &["runs", "show"],
        &["as-of", "role", &id],
        &["timeline", "role", &id],
        &["dead", "list"],
        &["failures", "list"],
        &["schedule", "list"],
        &["hosts"],
        &["partitions"],
        &["migrate"],
    ] {
        annals(site.path(), arguments).exits(0);
    }
    annals(site.path(), &["daemon", "--check"]).exits(5);
    for arguments in [&["run"] as &[&str], &["plan"], &["daemon"]] {
        annals(site.path(), arguments)
            .exits(2)
            .tells("the environment variable `ANNALS_SOURCE_URL` is not set");
    }
}

/// Failpoints and deliberate defects are for tests alone: the program as it is built without a word has nothing of them.
#[test]
fn the_program_has_no_faults_in_it() {
    let program = std::fs::read(program()).unwrap();
    let program = String::from_utf8_lossy(&program);
    assert!(program.contains("ANNALS_CONFIG"), "the program's own words are found");
    for word in ["ANNALS_DEFECT", "ANNALS_FAULT_HITS", "FAILPOINTS", "writer.committed"] {
        assert!(!program.contains(word), "{word}");
    }
}
