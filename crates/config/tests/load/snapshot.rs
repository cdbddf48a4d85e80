//! What a configuration was when a run began: the snapshot, and the configuration that comes of it.

use crate::{FILES, base_text, edited, env, load};

#[test]
fn the_snapshot_holds_every_text_and_no_secret() {
    let text = edited("annals.yaml", "${ANNALS_SOURCE_URL}", "postgres://reader:pass-in-file@db/iiq");
    let text = String::from_utf8(text)
        .expect("text")
        .replace("${ANNALS_SECRET_HASH_KEY}", "\"key in the file itself\"");
    let config = load(&[("annals.yaml", text.as_bytes())]);
    assert_eq!(config.warnings.warning_count(), 2, "{}", config.warnings);
    let files = config.snapshot["files"].as_object().expect("files");
    let mut expected = FILES.to_vec();
    expected.sort_unstable();
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    assert_eq!(files["tasks/nightly.yaml"], base_text("tasks/nightly.yaml"));
    let service = files["annals.yaml"].as_str().expect("text");
    assert!(service.contains("url: postgres://reader:***@db/iiq\n"), "{service}");
    assert!(service.contains("secretHashKey: ***\n"), "{service}");
    assert_eq!(config.service.source.url, "postgres://reader:pass-in-file@db/iiq");
    let resolved = load(&[]).snapshot.to_string();
    assert!(!resolved.contains("open-sesame") && !resolved.contains("only this test"), "{resolved}");
}

/// TRAP-17: a snapshot gives the configuration that it was made of, whatever the files say by now; what belongs to this
/// host, and what a snapshot must not hold, is taken from this host's own configuration.
#[test]
fn a_snapshot_gives_its_configuration_back() {
    let text = edited("annals.yaml", "${ANNALS_SOURCE_URL}", "postgres://reader:pass-in-file@db/iiq");
    let text = String::from_utf8(text)
        .expect("text")
        .replace("${ANNALS_SECRET_HASH_KEY}", "key-in-the-file-itself")
        .replace("accessHistoryEnabled: true", "accessHistoryEnabled: true\nleaseSeconds: 7");
    let task = b"name: Nightly\narguments: {lossLimit: 77}\n";
    let began = load(&[("annals.yaml", text.as_bytes()), ("tasks/nightly.yaml", task)]);
    assert_eq!(began.service.lease_ms, 7_000);
    let own = load(&[]);
    let read = own.of_snapshot(&began.snapshot, &env).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        (&read.tasks, &read.extracts, &read.transforms),
        (&began.tasks, &began.extracts, &began.transforms)
    );
    assert_eq!((read.profile(), &read.snapshot), (began.profile(), &began.snapshot));
    assert_ne!(read.tasks, own.tasks);
    assert_eq!(read.service, own.service);

    let lacking = own.of_snapshot(&own.snapshot, &|_| None).expect_err("a variable is not set here");
    assert!(lacking.to_string().contains("ANNALS_SOURCE_URL"), "{lacking}");
    let without_files = own.of_snapshot(&serde_json::json!({"files": {}}), &env).expect_err("no files");
    assert!(
        without_files.to_string().contains("annals.yaml:1:1: error: the snapshot lacks the file"),
        "{without_files}"
    );
}
