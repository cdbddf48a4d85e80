//! Writes the pages in docs/object-types anew. They are made by a test, which has the whole program at hand and fails when
//! they are stale.

use anyhow::Result;

use crate::interrupt::Interrupts;
use crate::root::Root;

/// The test that makes the pages, and the variable that lets it write them.
const TEST: &str = "pages::the_pages_on_object_types_are_current";
const WRITE: &str = "ANNALS_WRITE_OBJECT_TYPES";

/// Writes the pages.
pub(crate) fn write(root: &Root) -> Result<()> {
    let arguments = ["test", "--quiet", "-p", "annals-tests", "--test", "scenarios", "--", "--exact", TEST];
    Interrupts::watch()?.run(root.cargo().args(arguments).env(WRITE, "1"))
}
