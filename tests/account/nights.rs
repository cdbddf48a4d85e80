//! Whole weeks of nights, all of which must be right.

use annals_testkit::Engine;

use crate::site::{CAPTURES, COMPACT, Site, sites};

/// How large the identity systems are, how many days pass in each, and how many of them there are. The environment may
/// say otherwise, for the once-only run over a large one: see CONTRIBUTING.md.
struct Extent {
    identities: u32,
    days: u32,
    seeds: u64,
}

impl Extent {
    #[expect(clippy::disallowed_methods, reason = "how somebody who runs the tests asks for a larger world")]
    fn asked_for() -> Self {
        let number = |name: &str, usual: u32| match std::env::var(format!("ANNALS_ACCOUNT_{name}")) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("ANNALS_ACCOUNT_{name}: {text} is no number")),
            Err(_) => usual,
        };
        Self {
            identities: number("IDENTITIES", 2_000),
            days: number("DAYS", 10),
            seeds: number("SEEDS", 3).into(),
        }
    }
}

/// Every capture, document, child row, event, head, entity row and counter of every run.
fn all_is_as_it_must_be(engine: Engine) {
    let extent = Extent::asked_for();
    for seed in 1..=extent.seeds {
        // Patches and formats differ from world to world.
        let captures = CAPTURES[usize::try_from(seed).unwrap() % CAPTURES.len()];
        let site = Site::new(engine, seed, extent.identities, captures);
        for _ in 0..extent.days {
            site.pass_day();
        }
        let checked = site.check();
        assert!(checked.is_right(), "seed {seed} on {engine}: {checked:#?}");
        eprintln!("seed {seed} on {engine}: {}", checked.summary);
    }
}

/// IIQ-03, IIQ-04, IIQ-10, IIQ-11, IIQ-12, IIQ-19, IIQ-34, IIQ-41.
#[test]
fn nights_on_sqlite_are_as_the_log_demands() {
    all_is_as_it_must_be(Engine::Sqlite);
}

/// The same on PostgreSQL, identity system and history.
#[test]
fn nights_on_postgres_are_as_the_log_demands() {
    all_is_as_it_must_be(Engine::Postgres);
}

/// A history that was written in the format which Annals alone can read, after it was rewritten for others.
#[test]
fn compact_nights_are_as_the_log_demands_once_they_are_rewritten() {
    for mut site in sites(COMPACT) {
        let formats = "select distinct json_format from spt_hist_identity_capture;";
        assert_eq!(site.look(formats), "COMPACT");
        site.repack();
        let checked = site.check();
        assert!(checked.is_right(), "{}: {checked:#?}", site.engine());
    }
}
