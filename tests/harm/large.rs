//! Attributes of 100 MB, nesting of 100,000 levels, an identity with 200,000 entitlements.

use annals_testkit::Engine;

use crate::program::{Said, annals_within};
use crate::site::{Site, somebody};

/// What the program may use, in MiB: the bound on its own memory at any size.
const MEMORY_MIB: u32 = 256;

/// A site on each engine that history is kept on, its source on the same.
async fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        sites.push(Site::new(engine, engine, 20).await);
    }
    sites
}

fn run(site: &Site) -> Said {
    annals_within(MEMORY_MIB, site.path(), &["run", "--quiet"])
}

/// What failed in the newest run: type, id, stage, error.
fn failures(site: &Site) -> Vec<String> {
    site.look(
        "select object_type, object_id, stage, error from annals_run_failure
         where run_id = (select max(id) from annals_run) order by object_type, object_id;",
    )
}

/// SQL for a text of so many times `x`.
fn repeated(site: &Site, text: &str, times: u32) -> String {
    match site.source.engine() {
        Engine::Sqlite => format!("replace(hex(zeroblob({times})), '00', '{text}')"),
        _ => format!("repeat('{text}', {times})"),
    }
}

#[tokio::test]
async fn an_attribute_of_100_megabytes_is_a_named_failure() {
    for site in sites().await {
        let (person, _) = somebody(&site);
        let account = site.ask_one("select min(id) from spt_link;");
        let long = repeated(&site, "0123456789", 10_000_000);
        site.change(&format!(
            "update spt_identity set attributes = '<Attributes>' || {long} where id = '{person}';
             update spt_link set attributes = {long} where id = '{account}';"
        ));
        let said = run(&site).exits(3);
        println!("{said:#?}");
        let cap = "more than limits.attributeBytesMax = 16777216";
        assert_eq!(
            failures(&site),
            [
                format!(
                    "account|{account}|load|table spt_link, column attributes: the text has 100000000 bytes, {cap}"
                ),
                format!(
                    "identity|{person}|load|table spt_identity, column attributes: the text has 100000012 bytes, {cap}"
                ),
            ]
        );
        let all = site.count("select count(*) from annals_head;");
        assert_eq!(site.count("select total_object_messages from annals_run;"), all + 2);
    }
}
