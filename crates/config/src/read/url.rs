//! Database URLs: which schemes a place takes, and where a relative SQLite file lies.

use std::ops::Range;
use std::path::Path;

use crate::node::shortened;
use crate::value::Value;

/// Schemes of the identity system's database.
pub(crate) const SOURCE_SCHEMES: [&str; 5] = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"];
/// Schemes of the history database.
pub(crate) const HISTORY_SCHEMES: [&str; 3] = ["sqlite", "postgres", "postgresql"];

/// Checks a URL and makes a relative SQLite path relative to the configuration directory. Messages never
/// quote more of it than the scheme, since a URL may hold a password.
pub(crate) fn database_url(value: &Value<'_>, schemes: &[&str], dir: &Path) -> Option<String> {
    let url = value.text()?;
    let examples = if schemes.contains(&"mysql") {
        "write `sqlite:FILE`, `postgres://USER@HOST/DATABASE` or `mysql://USER@HOST/DATABASE`"
    } else {
        "write `sqlite:FILE` or `postgres://USER@HOST/DATABASE`"
    };
    let Some((scheme, rest)) = url.split_once(':') else {
        value.error(format!("{} is no database URL", value.label), examples);
        return None;
    };
    if !schemes.contains(&scheme) {
        let message =
            format!("{} has the scheme `{}`, which is not read here", value.label, shortened(scheme));
        value.error(message, examples);
        return None;
    }
    if scheme == "sqlite" {
        return sqlite_url(value, rest, dir);
    }
    let Some(place) = rest.strip_prefix("//") else {
        value.error(format!("{} lacks `//` after `{scheme}:`", value.label), examples);
        return None;
    };
    let host_and_path = place.rsplit_once('@').map_or(place, |(_, host_and_path)| host_and_path);
    let database = host_and_path.split_once('/').map_or("", |(_, path)| path);
    if database.split('?').next().is_none_or(str::is_empty) {
        value.error(format!("{} names no database", value.label), examples);
        return None;
    }
    Some(url)
}

fn sqlite_url(value: &Value<'_>, rest: &str, dir: &Path) -> Option<String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = match rest.split_once('?') {
        Some((path, parameters)) => (path, format!("?{parameters}")),
        None => (rest, String::new()),
    };
    if path.is_empty() {
        value.error(format!("{} names no file", value.label), "write `sqlite:FILE`");
        return None;
    }
    if path == ":memory:" || Path::new(path).is_absolute() {
        return Some(format!("sqlite://{path}{parameters}"));
    }
    // The driver decodes `%XX` in the path and cuts it at `?`; what the directory brings along must survive
    // that.
    let dir = dir.to_string_lossy().replace('%', "%25").replace('?', "%3F");
    let joined = Path::new(&dir).join(path);
    Some(format!("sqlite://{}{parameters}", joined.display()))
}

/// Where a password stands in a URL as it was written, if it is not a `${NAME}`.
pub(crate) fn literal_password(url: &str) -> Option<Range<usize>> {
    if let Some(start) = url.find("://").map(|at| at + 3)
        && let Some(end) = url[start..].rfind('@').map(|at| start + at)
        && let Some(colon) = url[start..end].find(':').map(|at| start + at)
    {
        return literal(url, colon + 1..end);
    }
    let start = url.find("password=").map(|at| at + "password=".len())?;
    let end = url[start..].find('&').map_or(url.len(), |at| start + at);
    literal(url, start..end)
}

fn literal(url: &str, range: Range<usize>) -> Option<Range<usize>> {
    let password = &url[range.clone()];
    (!password.is_empty() && !password.contains("${")).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_password_is_found() {
        let found = |url: &str| literal_password(url).map(|range| url[range].to_owned());
        assert_eq!(found("postgres://u:secret@db/x"), Some("secret".to_owned()));
        assert_eq!(found("postgres://u:se@cr:et@db:5432/x"), Some("se@cr:et".to_owned()));
        assert_eq!(found("postgres://db/x?user=u&password=secret&a=b"), Some("secret".to_owned()));
        assert_eq!(found("postgres://u:${PASSWORD}@db/x"), None);
        assert_eq!(found("postgres://u@db:5432/x"), None);
        assert_eq!(found("sqlite:history.db"), None);
    }
}
