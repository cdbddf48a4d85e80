//! Columns of the source that go away, get another name or another type, or are new: between runs, and in the middle of
//! one.

use annals_model::{ObjectType, TaskStatus};
use annals_testkit::Engine;
use serde_json::json;

use crate::memory::{annals, run, sites};
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

const LATER_MS: i64 = START_MS + 3_650 * DAY_MS;

/// Makes a whole-number column a text column with the same content.
fn retype(site: &Site) {
    site.change(match site.source.engine() {
        Engine::Postgres => "alter table spt_bundle alter column risk_score_weight type text;",
        _ => {
            "alter table spt_bundle rename column risk_score_weight to weight_before;
             alter table spt_bundle add column risk_score_weight text;
             update spt_bundle set risk_score_weight = weight_before;
             alter table spt_bundle drop column weight_before;"
        }
    });
}

/// TRAP-18: what the profile names and the database lacks ends the program before anything is read, by table and column.
#[tokio::test]
async fn a_column_that_is_gone_or_renamed_is_named_before_anything_is_read() {
    for site in sites().await {
        site.extracts("role: {}");
        run(&site).succeeds();
        let before = site.everything().await;
        for change in [
            "alter table spt_bundle drop column or_profiles;",
            "alter table spt_bundle rename column risk_score_weight to weight;",
        ] {
            site.change(change);
        }
        let said = annals(&site, &["run", "--quiet"]).exits(2);
        let said = said.tells("role.orProfiles: table spt_bundle, column or_profiles");
        let said = said.tells("role.riskScoreWeight: table spt_bundle, column risk_score_weight");
        said.tells("Let sources/identityiq.yaml name what the database has.");
        assert_eq!(site.everything().await, before);
        assert_eq!(site.count("select count(*) from annals_run;"), 1);

        site.edit("sources/identityiq.yaml", "riskScoreWeight: risk_score_weight", "riskScoreWeight: weight");
        site.edit("sources/identityiq.yaml", "      orProfiles: {column: or_profiles, format: flag}\n", "");
        run(&site).succeeds();
    }
}

/// A new column is nobody's until the profile names it; a column of another type has another value, and that is a change.
#[tokio::test]
async fn a_new_column_changes_nothing_and_a_retyped_one_changes_its_value() {
    for site in sites().await {
        site.extracts("role: {}");
        site.change("update spt_bundle set risk_score_weight = 7;");
        let roles = run(&site).succeeds();
        let role = site.ask_one("select min(id) from spt_bundle;");
        assert_eq!(site.field(ObjectType::Role, &role, LATER_MS, "riskScoreWeight").await, json!(7));

        site.change("alter table spt_bundle add column flavour varchar(20) default 'sweet';");
        assert_eq!(run(&site).succeeds(), roles);
        assert_eq!(site.count("select count(*) from spt_hist_role_capture;"), roles);

        retype(&site);
        assert_eq!(run(&site).succeeds(), roles);
        assert_eq!(site.count("select count(*) from spt_hist_role_capture;"), 2 * roles);
        assert_eq!(site.field(ObjectType::Role, &role, LATER_MS, "riskScoreWeight").await, json!("7"));
    }
}

/// In the middle of a run a column that is gone ends it in error, by the column's name, with nothing half done; a new
/// or retyped one does not disturb it.
#[tokio::test]
async fn columns_that_change_in_the_middle_of_a_run() {
    for site in sites().await {
        site.extracts("role: {}");
        site.change("update spt_bundle set risk_score_weight = 7;");
        let pipeline = site.pipeline(START_MS).await;
        let begun = site.begin(&pipeline).await;
        site.change("alter table spt_bundle rename column risk_score_weight to weight;");
        let broken = site.complete(&pipeline, &begun).await;
        assert_eq!(broken.run.status, Some(TaskStatus::Error), "{broken:#?}");
        assert!(broken.texts().concat().contains("risk_score_weight"), "{broken:#?}");
        let all = broken.counters().total_object_messages;
        assert_eq!(broken.counters().total_unseen_objects, all);
        assert_eq!(site.count("select count(*) from annals_head;"), 0);
        assert_eq!(site.timestamp(), None);
        site.change("alter table spt_bundle rename column weight to risk_score_weight;");

        let pipeline = site.pipeline(START_MS + HOUR_MS).await;
        let begun = site.begin(&pipeline).await;
        site.change("alter table spt_bundle add column flavour varchar(20) default 'sweet';");
        retype(&site);
        let ran = site.complete(&pipeline, &begun).await.succeeds();
        assert_eq!(ran.total("fullCaptures"), all);
        let role = site.ask_one("select min(id) from spt_bundle;");
        assert_eq!(site.field(ObjectType::Role, &role, LATER_MS, "riskScoreWeight").await, json!("7"));

        // The same connections have read this column as text before: PostgreSQL ends the statement.
        site.change(match site.source.engine() {
            Engine::Postgres => {
                "alter table spt_bundle alter column risk_score_weight type integer using risk_score_weight::integer;"
            }
            _ => "update spt_bundle set risk_score_weight = null;",
        });
        site.forget_timestamp();
        let again = site.execute(&pipeline).await;
        if site.source.engine() == Engine::Postgres {
            assert_eq!(again.run.status, Some(TaskStatus::Error), "{again:#?}");
            assert!(again.texts().concat().contains("cached plan must not change result type"), "{again:#?}");
            assert_eq!((again.counters().total_unseen_objects, again.total("fullCaptures")), (all, 0));
            site.run(START_MS + 2 * HOUR_MS).await.succeeds();
            assert_eq!(site.field(ObjectType::Role, &role, LATER_MS, "riskScoreWeight").await, json!(7));
        } else {
            again.succeeds();
            assert_eq!(site.field(ObjectType::Role, &role, LATER_MS, "riskScoreWeight").await, json!(null));
        }
    }
}
