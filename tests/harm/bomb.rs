//! A zip bomb in a stored capture.

use std::io::{Read as _, Write as _};

use annals_testkit::Engine;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::memory::{annals, run, sites};

/// 120 MB of white space, zipped.
fn bomb() -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(6));
    std::io::copy(&mut std::io::repeat(b' ').take(120_000_000), &mut zlib).unwrap();
    zlib.flush().unwrap();
    zlib.finish().unwrap()
}

/// Who asks for it gets an error that names the capture; a run whose newest capture of an object it is writes the next
/// one in full and says that the object changed.
#[tokio::test]
async fn a_bomb_is_never_inflated_past_the_largest_document() {
    let bomb: String = bomb().iter().map(|byte| format!("{byte:02x}")).collect();
    for site in sites().await {
        site.extracts("role: {}");
        site.service("capture: {maxAllowedPatches: 9}\n");
        run(&site).succeeds();
        let role = site.ask_one("select min(id) from spt_bundle;");
        let capture =
            site.look(&format!("select id from spt_hist_role_capture where role_id = '{role}';")).remove(0);
        let literal = match site.history.engine() {
            Engine::Postgres => format!("'\\x{bomb}'"),
            _ => format!("x'{bomb}'"),
        };
        site.history
            .sql(&format!("update spt_hist_role_capture set json = {literal} where id = '{capture}';"));

        let said = annals(&site, &["as-of", "role", &role]).exits(1);
        assert_eq!(said.out, "");
        let said = said.tells(&format!("capture {capture} in spt_hist_role_capture cannot be read back"));
        said.tells("its document is larger than 100000000 bytes");

        site.change(&format!("update spt_bundle set display_name = 'Another' where id = '{role}';"));
        run(&site).succeeds();
        let captures = site.look(&format!(
            "select transform_type, display_name from spt_hist_role_capture c
             join spt_hist_role r on r.role_id = c.role_id
             where c.role_id = '{role}' order by c.effective_date;"
        ));
        assert_eq!(captures, ["full|Another", "full|Another"]);
        let events = site.look(&format!(
            "select event_type, property_name from spt_hist_role_event
             where entity_id = '{role}' order by event_date;"
        ));
        assert_eq!(events, ["RoleDiscovered|", "RoleChanged|"]);
        let said = annals(&site, &["as-of", "role", &role, "--output", "json"]).exits(0);
        assert_eq!(said.json()["document"]["eventImage"]["imageFields"]["displayName"], "Another");
    }
}
