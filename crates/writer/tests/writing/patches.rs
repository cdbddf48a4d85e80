//! Patch or full.

use annals_model::{JsonFormat, Message};
use annals_writer::WriterSettings;
use serde_json::{Value, json};

use crate::world::{FULL, World, capture, deletion, identity, worlds};

const DAY_MS: i64 = 86_400_000;

fn patching(max_allowed_patches: u32) -> WriterSettings {
    WriterSettings {
        json_format: JsonFormat::Minified,
        max_allowed_patches,
        expects_new: false,
        capture_max_age_days: Some(30),
        audit_removed_events: true,
        redeliveries_max: 0,
        redelivery_delay_ms: 0,
        discarded_message_event: false,
    }
}

/// An identity large enough for patches to be worth while.
fn large(n: i64) -> Value {
    let entitlement =
        |id: i64| json!({"id": format!("e{id:03}"), "name": "memberOf", "value": format!("cn=group {id}")});
    let entitlements: Vec<Value> = (0..30).filter(|id| *id != n % 30).map(entitlement).collect();
    json!({"name": "ann", "entitlements": entitlements, "n": n})
}

fn nth(n: i64, at: i64) -> Message {
    capture("i1", large(n), at, at + 1)
}

/// The captures in their order: F full, P patch.
fn cadence(world: &World) -> String {
    let types = world.sql("select transform_type from spt_hist_identity_capture order by effective_date;");
    types.lines().map(|word| if word == "full" { 'F' } else { 'P' }).collect()
}

/// IIQ-41: 0 makes all captures full, 2 makes F P P F P P F; and each is read back as it was written.
#[tokio::test]
async fn patches_between_full_captures() {
    for (allowed, expected) in [(0, "FFFFFFF"), (1, "FPFPFPF"), (2, "FPPFPPF"), (100, "FPPPPPP")] {
        for world in worlds(&patching(allowed)).await {
            for n in 0..7 {
                world.write(vec![nth(n, 100 * (n + 1))]).await;
            }
            assert_eq!(cadence(&world), expected);
            for n in 0..7 {
                assert_eq!(world.as_of(&identity("i1"), 100 * (n + 1)).await, Some(large(n)));
            }
            let counted = world.sql("select full_captures, patch_captures from annals_run_write;");
            let full = expected.matches('F').count();
            assert_eq!(counted, format!("{full}|{}", 7 - full));
        }
    }
}

/// IIQ-41 within one delivery.
#[tokio::test]
async fn patches_within_one_delivery() {
    for world in worlds(&patching(2)).await {
        world.write((0..7).map(|n| nth(n, 100 * (n + 1))).collect()).await;
        assert_eq!(cadence(&world), "FPPFPPF");
        for n in 0..7 {
            assert_eq!(world.as_of(&identity("i1"), 100 * (n + 1)).await, Some(large(n)));
        }
    }
}

/// A patch is the difference and names its parent; the full capture stands as it is.
#[tokio::test]
async fn a_patch_holds_the_difference_from_the_capture_before() {
    for world in worlds(&patching(5)).await {
        let first = json!({"name": "ann", "description": "x".repeat(400), "groups": ["a", "c"]});
        let mut second = first.clone();
        second["groups"] = json!(["a", "b", "c"]);
        world.write(vec![capture("i1", first, 100, 101)]).await;
        world.write(vec![capture("i1", second.clone(), 200, 201)]).await;
        let parents = world.sql(
            "select p.id = c.patch_doc_parent from spt_hist_identity_capture c
            join spt_hist_identity_capture p on p.transform_type = 'full' where c.transform_type = 'patch';",
        );
        assert!(["1", "t"].contains(&parents.as_str()), "{parents}");
        let text = if world.db.engine() == annals_sql::Engine::Sqlite {
            "cast(json as text)"
        } else {
            "convert_from(json, 'UTF8')"
        };
        let patch = world
            .sql(&format!("select {text} from spt_hist_identity_capture where transform_type = 'patch';"));
        assert_eq!(
            serde_json::from_str::<Value>(&patch).unwrap(),
            json!([{"op": "add", "path": "/eventImage/imageFields/groups/1", "value": "b"}])
        );
        assert_eq!(world.as_of(&identity("i1"), 200).await, Some(second));
    }
}

/// IIQ-42, with a clock that stands still: what counts is how old the last full capture is when the state begins.
#[tokio::test]
async fn an_old_full_capture_gets_no_more_patches() {
    for world in worlds(&patching(100)).await {
        let day = |n: i64| n * DAY_MS;
        for (n, at) in [day(1), day(20), day(31), day(31) + 1, day(32), day(70)].into_iter().enumerate() {
            world.write(vec![nth(i64::try_from(n).unwrap(), at)]).await;
        }
        assert_eq!(cadence(&world), "FPPFPF");
    }
}

#[tokio::test]
async fn a_patch_that_is_not_smaller_than_the_document_is_not_taken() {
    for world in worlds(&patching(100)).await {
        // Nothing stays: the patch takes every field out and puts another one in.
        for n in 0..3 {
            let fields = (0..9).map(|field| (format!("field {field} of {n}"), json!("value")));
            world.write(vec![capture("i1", fields.collect(), 100 * (n + 1), 100 * (n + 1))]).await;
        }
        assert_eq!(cadence(&world), "FFF");
    }
}

#[tokio::test]
async fn a_second_life_begins_with_a_full_capture() {
    for world in worlds(&patching(100)).await {
        world.write(vec![nth(1, 100)]).await;
        world.write(vec![nth(2, 200)]).await;
        world.write(vec![deletion("i1", 300, 301)]).await;
        world.write(vec![nth(3, 400)]).await;
        world.write(vec![nth(4, 500)]).await;
        assert_eq!(cadence(&world), "FPFFP");
        assert_eq!(world.as_of(&identity("i1"), 500).await, Some(large(4)));
    }
}

/// The newest capture was damaged: its object goes on with a full capture, never with a patch of a guess, and the
/// change is told as far as it is known.
#[tokio::test]
async fn a_capture_that_cannot_be_read_back_is_followed_by_a_full_one() {
    for world in worlds(&patching(100)).await {
        world.write(vec![nth(1, 100), capture("i2", large(1), 100, 101)]).await;
        world.write(vec![nth(2, 200)]).await;
        world.sql(
            "update spt_hist_identity_capture set full_hash = 'DAMAGED' where transform_type = 'patch';",
        );
        let counts = world.counts(vec![nth(3, 300), capture("i2", large(3), 300, 301)]).await;
        assert_eq!((counts.full_captures, counts.patch_captures), (1, 1));
        assert_eq!(world.as_of(&identity("i1"), 300).await, Some(large(3)));
        let told = world.told(&identity("i1")).await;
        assert_eq!(told.last().unwrap(), &["IdentityChanged", "-", "-", "-"]);
        world.write(vec![nth(4, 400)]).await;
        assert_eq!(world.as_of(&identity("i1"), 400).await, Some(large(4)));
    }
}

#[tokio::test]
async fn settings_may_change_between_captures() {
    for world in worlds(&FULL).await {
        for (n, allowed) in [0, 9, 9, 1, 0, 9].into_iter().enumerate() {
            let n = i64::try_from(n).unwrap();
            world.write_as(patching(allowed), nth(n, 100 * (n + 1))).await;
        }
        assert_eq!(cadence(&world), "FPPFFP");
        assert_eq!(world.as_of(&identity("i1"), 600).await, Some(large(5)));
    }
}

/// Somebody with entitlements of these numbers.
fn holder(department: &str, numbers: impl Iterator<Item = u32>) -> Value {
    let entitlement = |number: u32| {
        let id = annals_model::hash_bytes(&number.to_be_bytes())[..32].to_lowercase();
        json!({"id": id, "applicationName": "Active Directory", "name": "memberOf",
               "value": format!("CN=Group {number},OU=Groups,DC=example,DC=com")})
    };
    json!({
        "name": "ann", "displayName": "Ann Bell", "email": "ann.bell@example.com",
        "attributes": {"department": department, "location": "Brno", "costCenter": "IT-CZ14"},
        "entitlements": numbers.map(entitlement).collect::<Vec<Value>>(),
    })
}

/// IIQ-41: what changes is what a patch holds: an attribute of somebody with twelve entitlements is one event and a
/// patch below a quarter of the zipped document; one entitlement more is one event, not one for each behind it.
#[tokio::test]
async fn a_small_change_makes_a_small_patch_and_one_event() {
    let settings = WriterSettings { json_format: JsonFormat::Zipped, ..patching(5) };
    for world in worlds(&settings).await {
        world.write(vec![capture("i1", holder("Sales", 1..13), 100, 101)]).await;
        let first = world.sql("select count(*) from spt_hist_identity_event;");
        world.write(vec![capture("i1", holder("Research", 1..13), 200, 201)]).await;
        world.write(vec![capture("i1", holder("Research", 0..13), 300, 301)]).await;
        assert_eq!(cadence(&world), "FPP");
        let bytes = "select length(json) from spt_hist_identity_capture order by effective_date;";
        let bytes: Vec<usize> = world.sql(bytes).lines().map(|line| line.parse().unwrap()).collect();
        assert!(4 * bytes[1] < bytes[0], "{bytes:?}");
        for at in [200, 300] {
            let events = "select count(*) from spt_hist_identity_event where event_date =";
            assert_eq!(world.sql(&format!("{events} {at};")), "1", "at {at}, beside {first} at first");
        }
        assert_eq!(world.as_of(&identity("i1"), 300).await, Some(holder("Research", 0..13)));
    }
}
