//! How captures are stored: formats, patches between full captures, their age.

use annals_model::ObjectType;
use serde_json::Value;

use crate::program::annals;
use crate::site::{DAY_MS, HOUR_MS, START_MS, Site};

/// Somebody, and a way to change them on a day.
struct Person<'s> {
    site: &'s Site,
    id: String,
}

impl<'s> Person<'s> {
    fn new(site: &'s Site) -> Self {
        let id = site.ask_one(
            "select id from spt_identity where coalesce(workgroup, {false}) = {false}
               and id not in (select identity_id from spt_identity_workgroups) order by id limit 1;",
        );
        Self { site, id }
    }

    /// Changes them an hour before the end of a day; when that is.
    fn change(&self, day: i64) -> i64 {
        let at_ms = START_MS + day * DAY_MS - HOUR_MS;
        self.site.change(&format!(
            "update spt_identity set description = 'day {day}', significant_modified = {at_ms} where id = '{}';",
            self.id
        ));
        at_ms
    }

    /// A column of their captures in order of time.
    fn captures(&self, column: &str) -> Vec<String> {
        self.site.look(&format!(
            "select {column} from spt_hist_identity_capture where identity_id = '{}' order by effective_date;",
            self.id
        ))
    }
}

/// IIQ-40: rows are written in the form that is configured and stay readable when another one is. What `annals as-of`
/// gives for each date is the image that `annals transform` showed on it.
#[tokio::test]
async fn rows_of_every_form_stay_readable() {
    for site in Site::on_each_history(20).await {
        let person = Person::new(&site);
        let mut images = Vec::new();
        for (day, format, patches) in [
            (0, "PRETTY", 0),
            (1, "MINIFIED", 0),
            (2, "ZIPPED", 0),
            (3, "PRETTY", 9),
            (4, "ZIPPED", 9),
            (5, "MINIFIED", 9),
            (6, "COMPACT", 9),
            (7, "COMPACT", 0),
        ] {
            site.service(&format!("capture: {{jsonFormat: {format}, maxAllowedPatches: {patches}}}\n"));
            let at_ms = person.change(day);
            let said = annals(site.path(), &["transform", "identity", &person.id]).exits(0).json();
            images.push((at_ms, said["eventImage"].clone()));
            site.run(START_MS + day * DAY_MS).await.succeeds();
        }
        assert_eq!(
            person.captures("json_format, transform_type"),
            [
                "PRETTY|full",
                "MINIFIED|full",
                "ZIPPED|full",
                "PRETTY|patch",
                "ZIPPED|patch",
                "MINIFIED|patch",
                "COMPACT|patch",
                "COMPACT|full"
            ]
        );
        check_forms(&site, &person).await;
        for (at_ms, image) in images {
            let at = at_ms.to_string();
            let at = instant(&at);
            let said =
                annals(site.path(), &["as-of", "identity", &person.id, "--at", &at, "-o", "json"]).exits(0);
            let said = said.json();
            assert_eq!(said["document"]["eventImage"], image, "{at}");
            assert!(image["imageFields"]["description"].is_string());
        }
    }
}

/// Bytes of each form: JSON with line breaks, without, zlib, zstd.
async fn check_forms(site: &Site, person: &Person<'_>) {
    use annals_sql::{Stmt, Value as Param};
    let select = Stmt::new(
        "test.json",
        "select json_format, json from spt_hist_identity_capture where identity_id = ? order by effective_date",
    );
    let mut tx = site.db.begin_read().await.unwrap();
    let rows = tx.fetch_all(&select, vec![Param::from(person.id.as_str())]).await.unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let bytes = row.bytes(1).unwrap().unwrap();
        let broken = bytes.contains(&b'\n');
        match row.required_text(0).unwrap() {
            "ZIPPED" => assert_eq!(bytes[0], 0x78),
            "COMPACT" => assert_eq!(bytes[..4], [0x28, 0xB5, 0x2F, 0xFD]),
            "PRETTY" => assert!(broken && serde_json::from_slice::<Value>(bytes).is_ok()),
            _ => assert!(!broken && serde_json::from_slice::<Value>(bytes).is_ok()),
        }
    }
}

/// An instant in the words of the command line.
fn instant(ms: &str) -> String {
    let ms: i64 = ms.parse().unwrap();
    // 2026-01-05T00:00Z is START_MS; every change here is an hour before midnight.
    let hours = (ms - START_MS).div_euclid(HOUR_MS);
    let (day, hour) = (5 + hours.div_euclid(24), hours.rem_euclid(24));
    assert_eq!((ms - START_MS).rem_euclid(HOUR_MS), 0);
    format!("2026-01-{day:02}T{hour:02}:00:00Z")
}

/// IIQ-41: with `maxAllowedPatches` 2 an object that changes every day is stored full, patch, patch, full; a patch
/// names the capture before it, and every state can be read back.
#[tokio::test]
async fn every_third_capture_is_full_when_two_patches_are_allowed() {
    for site in Site::on_each_history(20).await {
        site.service("capture: {maxAllowedPatches: 2}\n");
        let person = Person::new(&site);
        let mut changes = Vec::new();
        for day in 0..7 {
            changes.push(person.change(day));
            let ran = site.run(START_MS + day * DAY_MS).await.succeeds();
            assert_eq!(ran.total("patchCaptures"), u64::from(day % 3 != 0));
        }
        assert_eq!(
            person.captures("transform_type"),
            ["full", "patch", "patch", "full", "patch", "patch", "full"]
        );
        let ids = person.captures("id");
        let parents = person.captures("coalesce(patch_doc_parent, '-')");
        let expected = ["-", &ids[0], &ids[1], "-", &ids[3], &ids[4], "-"];
        assert_eq!(parents, expected);
        for (day, at_ms) in changes.into_iter().enumerate() {
            let said = site.field(ObjectType::Identity, &person.id, at_ms, "description").await;
            assert_eq!(said, format!("day {day}"));
        }
        assert_eq!(person.captures("latest"), ["0", "0", "0", "0", "0", "0", "1"]);
    }
}

/// IIQ-41: 0, as shipped, makes full captures only.
#[tokio::test]
async fn every_capture_is_full_when_no_patches_are_allowed() {
    let site = Site::small().await;
    let person = Person::new(&site);
    for day in 0..3 {
        person.change(day);
        site.run(START_MS + day * DAY_MS).await.succeeds();
    }
    assert_eq!(person.captures("transform_type"), ["full", "full", "full"]);
}

/// IIQ-42: a full capture that is older than `captureMaxAgeInDays` gets no more patches: three days are not older than
/// three days, four are.
#[tokio::test]
async fn a_full_capture_that_is_too_old_is_followed_by_another() {
    for site in Site::on_each_history(20).await {
        site.service("capture: {maxAllowedPatches: 100, captureMaxAgeInDays: 3}\n");
        let person = Person::new(&site);
        for day in 0..9 {
            person.change(day);
            site.run(START_MS + day * DAY_MS).await.succeeds();
        }
        let stored: String = person.captures("substr(transform_type, 1, 1)").concat();
        assert_eq!(stored, "fpppfpppf");
    }
}
