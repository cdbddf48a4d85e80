//! The schedule of a task: its settings and their defaults.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use annals_config::Config;
use annals_model::Schedule;
use annals_model::schedule::{Cadence, CatchUp, Overlap};
use jiff::tz::TimeZone;

/// The schedule of a task of the shipped configuration that is written like this.
fn schedule(text: &str) -> Schedule {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let dir = tempfile::tempdir().unwrap();
    for file in [
        "annals.yaml",
        "extract/AccessHistoryExportConfig.yaml",
        "transform/AccessHistoryImageConfig.yaml",
        "sources/identityiq.yaml",
    ] {
        let target = dir.path().join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(shipped.join(file), target).unwrap();
    }
    std::fs::create_dir(dir.path().join("tasks")).unwrap();
    std::fs::write(dir.path().join("tasks/t.yaml"), format!("name: T\nschedule: {text}\n")).unwrap();
    let config = Config::load(dir.path(), &|_| Some("sqlite:a-text-that-is-long-enough".to_owned()));
    config.unwrap_or_else(|problems| panic!("{problems}")).tasks["T"].schedule.clone().unwrap()
}

/// IIQ-36: a time of choice, meant in the zone of the service unless it names its own.
#[test]
fn a_cron_line_alone_has_the_defaults() {
    let midnight = Cadence::cron("0 0 * * *", TimeZone::UTC).unwrap();
    let day_ms = 24 * 60 * 60 * 1_000;
    let expected = Schedule {
        cadence: midnight,
        catch_up: CatchUp::One,
        catch_up_window_ms: day_ms,
        overlap: Overlap::Skip,
        jitter_ms: 0,
    };
    assert_eq!(schedule("{cron: \"0 0 * * *\"}"), expected);
}

/// IIQ-36: a cadence of choice.
#[test]
fn every_setting_is_read() {
    let text =
        "{everySeconds: 90, catchUp: all, catchUpWindowMinutes: 2, overlap: buffer-one, jitterSeconds: 30}";
    let expected = Schedule {
        cadence: Cadence::Every { every_ms: 90_000 },
        catch_up: CatchUp::All,
        catch_up_window_ms: 120_000,
        overlap: Overlap::BufferOne,
        jitter_ms: 30_000,
    };
    assert_eq!(schedule(text), expected);
    assert_eq!(schedule("{cron: \"5 4 * * 1\", catchUp: skip}").catch_up, CatchUp::Skip);
}
