//! `annals check`.

use annals_config::Severity;
use serde_json::json;

use crate::cli::Global;
use crate::context::environment;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Listing, say};

pub(crate) fn execute(global: &Global) -> Result<Exit, Failure> {
    let problems = annals_config::check(&global.config, &environment);
    let has_errors = problems.has_errors();
    if global.output == Format::Table {
        if problems.is_empty() {
            eprintln!("The configuration in {} is sound.", global.config.display());
        } else {
            say(format_args!("{problems}"))?;
            eprintln!("{} errors, {} warnings", problems.error_count(), problems.warning_count());
        }
    } else {
        let mut listing = Listing::new(&["severity", "file", "line", "column", "message", "help"]);
        for problem in problems.iter() {
            listing.push(vec![
                json!(match problem.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                }),
                json!(problem.file),
                json!(problem.line),
                json!(problem.column),
                json!(problem.message),
                json!(problem.help),
            ]);
        }
        listing.print(global.output)?;
    }
    Ok(if has_errors { Exit::Usage } else { Exit::Ok })
}
