//! Deletions that the identity system notes, that triggers note for it, and objects that come back.

use std::collections::BTreeMap;

use annals_model::{ObjectType, TaskStatus};
use annals_testkit::Engine;

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// IIQ-51.
const ROW_REMAINS: &str = "The row in the spt_intercepted_delete table remains in the database and will be retried during the next run. There is no limit to the number of attempts made for processing an InterceptedDelete row.";

fn note(site: &Site, row: &str, object_id: &str, class: &str, deleted_ms: i64) {
    site.change(&format!(
        "insert into spt_intercepted_delete
           (id, object_id, object_type, object_deleted_date, extract_config_name, transform_config_name,
            extracted_object_json)
           values ('{row}', '{object_id}', '{class}', {deleted_ms}, 'e', 't', '{{}}');"
    ));
}

fn notes(site: &Site) -> Vec<String> {
    site.ask("select id from spt_intercepted_delete order by id;")
}

/// What history holds as deleted: type, id, when.
fn ended(site: &Site) -> Vec<String> {
    site.look(
        "select object_type, object_id, effective_date from annals_head join annals_object_kind k on k.id = kind
         where deleted <> 0 order by object_type, object_id;",
    )
}

fn delete_role(site: &Site) -> String {
    let role = site.ask_one("select id from spt_bundle order by id desc limit 1;");
    site.change(&format!("delete from spt_bundle where id = '{role}';"));
    role
}

fn removes_rows(site: &Site) {
    site.edit("annals.yaml", "source: {profile:", "source: {interceptedDeletes: remove, profile:");
}

/// IIQ-34: rows about what history has learned are removed after it is committed, those about what history never had
/// as well; what the profile does not read stays. Nothing is removed unless that was asked for.
#[tokio::test]
async fn rows_are_removed_once_history_has_learned_them() {
    for site in Site::everywhere(20).await {
        site.run(START_MS).await.succeeds();
        let role = delete_role(&site);
        let deleted_ms = START_MS + HOUR_MS;
        note(&site, "1", &role, "Bundle", deleted_ms);
        note(&site, "2", "never-seen", "Bundle", deleted_ms);
        note(&site, "3", "of-another-class", "Form", deleted_ms);
        let ran = site.run(START_MS + DAY_MS).await.succeeds();
        assert_eq!(ran.counters().total_deletion_extracted_objects, 1);
        assert_eq!(ran.counters().total_deletion_extracted_objects_dispatched, 1);
        assert_eq!(notes(&site), ["1", "2", "3"], "{}", site.source.engine());
        assert_eq!(ended(&site), [format!("role|{role}|{deleted_ms}")]);

        removes_rows(&site);
        let ran = site.run(START_MS + 2 * DAY_MS).await.succeeds();
        assert_eq!(ran.counters().total_deletion_extracted_objects, 0);
        assert_eq!(notes(&site), ["3"], "{}", site.source.engine());
    }
}

/// IIQ-51: rows that cannot be read are a warning, and are tried again however old they are by then; what changed is
/// read all the same. So are those that a run did not come to.
#[tokio::test]
async fn rows_that_could_not_be_dealt_with_are_tried_again() {
    for site in Site::on_each_history(20).await {
        removes_rows(&site);
        site.run(START_MS).await.succeeds();
        let role = delete_role(&site);
        note(&site, "1", &role, "Bundle", START_MS + HOUR_MS);
        for night in 1..=3 {
            let pipeline = site.pipeline(START_MS + night * DAY_MS).await;
            site.change("alter table spt_intercepted_delete rename to elsewhere;");
            let ran = site.execute(&pipeline).await;
            site.change("alter table elsewhere rename to spt_intercepted_delete;");
            assert_eq!(ran.run.status, Some(TaskStatus::Warning), "{ran:#?}");
            assert_eq!(ran.texts()[0], ROW_REMAINS);
            assert!(ran.texts()[1].contains("spt_intercepted_delete"), "{ran:#?}");
            assert_eq!(site.timestamp(), Some(ran.run.horizon_ms));
            assert_eq!(ended(&site), Vec::<String>::new());
        }
        let pipeline = site.pipeline(START_MS + 4 * DAY_MS).await;
        pipeline.stop.ask();
        let stopped = site.execute(&pipeline).await;
        assert!(stopped.texts().contains(&ROW_REMAINS), "{stopped:#?}");
        assert_eq!((stopped.counters().total_deletion_extracted_objects, notes(&site).len()), (1, 1));

        let ran = site.run(START_MS + 5 * DAY_MS).await.succeeds();
        assert_eq!(ran.counters().total_deletion_extracted_objects_dispatched, 1);
        assert_eq!(ended(&site), [format!("role|{role}|{}", START_MS + HOUR_MS)]);
        assert_eq!(notes(&site), Vec::<String>::new());
    }
}

/// A run that reads everything again finds what is gone too: what comes back before the next one has had an end.
#[tokio::test]
async fn a_run_that_is_executed_again_finds_deletions() {
    for site in Site::on_each_history(20).await {
        site.run(START_MS).await.succeeds();
        let role = delete_role(&site);
        note(&site, "1", &role, "Bundle", START_MS + HOUR_MS);
        annals(site.path(), &["runs", "rerun", "1"]).exits(0);
        assert_eq!(ended(&site), [format!("role|{role}|{}", START_MS + HOUR_MS)]);
    }
}

/// IIQ-51, IIQ-53: a run that fails may have written that an account is gone, and not what its owner is without it. The
/// next run finds no deletion any more, and reads the owner all the same; the run after that has nothing to do.
#[tokio::test]
async fn an_owner_is_read_again_after_a_run_that_failed() {
    for site in Site::on_each_history(20).await {
        site.arguments("maxFailuresAbsolute: 0, minExtractPartitions: 1, maxExtractPartitions: 1");
        site.run(START_MS).await.succeeds();
        let line = site.ask_one(
            "select id, identity_id from spt_link where identity_id is not null order by id limit 1;",
        );
        let (account, owner) = line.split_once('|').unwrap();
        site.change(&format!(
            "delete from spt_link where id = '{account}';
             update spt_identity set description = attributes, attributes = '<Attributes' where id = '{owner}';"
        ));
        note(&site, "1", account, "Link", START_MS + HOUR_MS);
        let failed = site.run(START_MS + DAY_MS).await;
        assert_eq!(failed.run.status, Some(TaskStatus::Error), "{failed:#?}");
        assert_eq!(ended(&site), [format!("account|{account}|{}", START_MS + HOUR_MS)]);

        site.change(&format!("update spt_identity set attributes = description where id = '{owner}';"));
        let now_ms = START_MS + 2 * DAY_MS;
        let ran = site.run(now_ms).await.succeeds();
        assert_eq!(ran.counters().total_deletion_extracted_objects, 0);
        assert_eq!(
            site.captured_at(now_ms),
            BTreeMap::from([("identity".to_owned(), vec![owner.to_owned()])])
        );
        let last = site.run(START_MS + 3 * DAY_MS).await.succeeds();
        assert_eq!(last.counters().total_object_messages, 0);
    }
}

/// IIQ-51: a user who may not remove rows: the run says so, and nothing else comes of it.
#[tokio::test]
async fn rows_that_cannot_be_removed_are_a_warning() {
    let site = Site::new(Engine::Postgres, Engine::Sqlite, 20).await;
    removes_rows(&site);
    let name = site.source.url().rsplit('/').next().unwrap().replace("annals_", "only_reads_");
    site.change(&format!("create role {name} login; grant select on all tables in schema public to {name};"));
    let admin = site.source.url().split_once("://").unwrap().1.split_once('@').unwrap().0;
    site.edit("annals.yaml", &format!("postgres://{admin}@"), &format!("postgres://{name}@"));
    site.run(START_MS).await.succeeds();
    let role = delete_role(&site);
    note(&site, "1", &role, "Bundle", START_MS + HOUR_MS);
    for (night, deletions) in [(1, 1), (2, 0)] {
        let ran = site.run(START_MS + night * DAY_MS).await;
        assert_eq!(ran.run.status, Some(TaskStatus::Warning), "{ran:#?}");
        assert_eq!(ran.texts()[0], ROW_REMAINS);
        assert!(ran.texts()[1].contains("permission denied"), "{ran:#?}");
        assert_eq!(ran.counters().total_deletion_extracted_objects_dispatched, deletions);
        assert_eq!(notes(&site), ["1"]);
    }
    assert_eq!(ended(&site).len(), 1);
    site.change(&format!("drop owned by {name}; drop role {name};"));
}

/// TRAP-16: an object that is deleted and comes back under its id has two lives, with an end between them, whether a
/// run came by in between or not. An old row about the first life does not end the second one.
#[tokio::test]
async fn an_object_that_comes_back_has_two_lives() {
    for run_between in [true, false] {
        for site in Site::on_each_history(20).await {
            site.run(START_MS).await.succeeds();
            let id = site.ask_one("select id from spt_bundle order by id desc limit 1;");
            let (died_ms, born_ms) = (START_MS + HOUR_MS, START_MS + DAY_MS + HOUR_MS);
            site.change(&format!("update spt_bundle set id = 'away' where id = '{id}';"));
            note(&site, "1", &id, "Bundle", died_ms);
            if run_between {
                site.run(START_MS + DAY_MS).await.succeeds();
            }
            site.change(&format!(
                "update spt_bundle set id = '{id}', displayable_name = 'Second life', created = {born_ms},
                   modified = null, significant_modified = {born_ms} where id = 'away';"
            ));
            for night in 2..=4 {
                site.run(START_MS + night * DAY_MS).await.succeeds();
            }
            let told = site.look(&format!(
                "select event_type, event_date from spt_hist_role_event where entity_id = '{id}'
                   and event_type in ('RoleDiscovered', 'RoleDeleted') order by event_date;"
            ));
            assert_eq!(told.len(), 3, "{told:?}");
            assert!(told[0].starts_with("RoleDiscovered|"), "{told:?}");
            assert_eq!(told[1..], [format!("RoleDeleted|{died_ms}"), format!("RoleDiscovered|{born_ms}")]);
            let between = site.as_of(ObjectType::Role, &id, died_ms + HOUR_MS).await.unwrap();
            assert!(between.image.is_none());
            let name = |at_ms| site.field(ObjectType::Role, &id, at_ms, "displayableName");
            assert_ne!(name(died_ms - 1).await, "Second life");
            assert_eq!(name(born_ms).await, "Second life");
            assert_eq!(site.count("select count(*) from annals_dead_letter;"), 0);
        }
    }
}

/// Triggers note deletions in place of the system, in its own table or in one that they bring: an account, a role, and a
/// workgroup, which lies among the identities. They are found with their own dates, and not by a sweep.
#[tokio::test]
async fn triggers_note_deletions_for_the_system() {
    for has_table in [true, false] {
        for site in Site::everywhere(20).await {
            if !has_table {
                site.change(
                    "drop table spt_intercepted_delete;
                     update spt_database_version set system_version = '8.3-20' where name = 'main';",
                );
            }
            let ddl = annals(site.path(), &["source", "delete-triggers"]).exits(0).out;
            assert_eq!(ddl.contains("create table"), !has_table, "{ddl}");
            site.source.sql(&ddl);
            // Applied once more, they replace themselves.
            site.source.sql(&ddl);
            site.run(START_MS).await.succeeds();
            let last = |from: &str| site.ask_one(&format!("select id from {from} order by id desc limit 1;"));
            let gone = [
                ("account", last("spt_link where identity_id is not null")),
                ("role", last("spt_bundle")),
                ("workgroup", last("spt_identity where workgroup = {true}")),
            ];
            let clock = || -> i64 { jiff::Timestamp::now().as_millisecond() };
            let before = clock();
            for (table, (_, id)) in ["spt_link", "spt_bundle", "spt_identity"].iter().zip(&gone) {
                site.change(&format!("delete from {table} where id = '{id}';"));
            }
            let after = clock();
            let ran = site.run(START_MS + DAY_MS).await.succeeds();
            assert_eq!(ran.counters().total_deletion_extracted_objects_dispatched, 3);
            let ended = ended(&site);
            assert_eq!(ended.len(), 3, "{ended:?}");
            for ((object_type, id), line) in gone.iter().zip(&ended) {
                let at =
                    line.strip_prefix(&format!("{object_type}|{id}|")).unwrap_or_else(|| panic!("{line}"));
                // One server's clock, read in another way.
                assert!(
                    (before - 50..=after + 50).contains(&at.parse().unwrap()),
                    "{line}: {before} {after}"
                );
            }
        }
    }
}

/// A profile whose deletions are found otherwise needs no triggers, which is said.
#[tokio::test]
async fn triggers_need_a_table_that_notes_deletions() {
    let site = Site::small().await;
    let profile = std::fs::read_to_string(site.path().join("sources/identityiq.yaml")).unwrap();
    site.write("sources/identityiq.yaml", &profile.replace("deletions: intercepted", "deletions: sweep"));
    annals(site.path(), &["source", "delete-triggers"])
        .exits(2)
        .tells("error: profile identityiq finds no deletions by a table that notes them");
}
