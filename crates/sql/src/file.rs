//! Databases that are a file.

use std::path::PathBuf;
use std::str::FromStr as _;

use sqlx::sqlite::SqliteConnectOptions;

use crate::Result;
use crate::db::url_error;

/// The file that the database of a URL is; `None`: a server has it.
///
/// # Errors
/// `Configuration` for a URL that cannot be read.
pub fn file(url: &str) -> Result<Option<PathBuf>> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(url_error)?;
    Ok(Some(options.get_filename().to_owned()))
}
