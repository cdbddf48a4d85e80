//! `${NAME}` and `file:PATH` in values, so that no secret stands in a file.

use std::io::Read as _;
use std::path::Path;

use crate::file::Resolver;
use crate::node::shortened;

/// Largest file behind `file:`, in bytes.
const TARGET_BYTES_MAX: u64 = 64 << 10;

/// Why a value could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Resolves a value. `Ok(None)`: there is nothing to resolve in it.
///
/// `${NAME}` is replaced wherever it stands; `$${` stands for `${` itself. What a variable holds is not
/// resolved again. `file:PATH` must be the whole value; a line break at the end of the file is left out.
pub(crate) fn resolve(text: &str, resolver: &Resolver<'_>) -> Result<Option<String>, Missing> {
    if let Some(path) = text.strip_prefix("file:") {
        return read_target(resolver.dir, path).map(Some);
    }
    if !text.contains("${") {
        return Ok(None);
    }
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            rest = after;
            continue;
        }
        resolved.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return Err(Missing {
                message: "`${` is not closed by `}`".to_owned(),
                help: "write `${NAME}`, or `$${` for the characters themselves".to_owned(),
            });
        };
        resolved.push_str(&variable(name, resolver)?);
        rest = after;
    }
    resolved.push_str(rest);
    Ok(Some(resolved))
}

fn variable(name: &str, resolver: &Resolver<'_>) -> Result<String, Missing> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return Err(Missing {
            message: format!("`{}` is no name of an environment variable", shortened(name)),
            help: "write `${NAME}` with letters, digits and `_`".to_owned(),
        });
    }
    (resolver.env)(name).ok_or_else(|| Missing {
        message: format!("the environment variable `{name}` is not set"),
        help: format!("set `{name}` before the start, or write the value or `file:PATH` here"),
    })
}

fn read_target(dir: &Path, path: &str) -> Result<String, Missing> {
    let missing = |message: String, help: &str| Missing { message, help: help.to_owned() };
    let path = path.trim();
    if path.is_empty() {
        return Err(missing("`file:` names no file".to_owned(), "write `file:PATH`"));
    }
    let mut text = String::new();
    let read = std::fs::File::open(dir.join(path))
        .and_then(|file| file.take(TARGET_BYTES_MAX + 1).read_to_string(&mut text));
    if let Err(error) = read {
        let message = format!("the file `{}` cannot be read: {}", shortened(path), reason(&error));
        let help = "write a path that exists; a relative one begins at the configuration directory";
        return Err(missing(message, help));
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > TARGET_BYTES_MAX) {
        let message = format!("the file `{}` is larger than {TARGET_BYTES_MAX} bytes", shortened(path));
        return Err(missing(message, "name a file that holds the value alone"));
    }
    let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if value.is_empty() {
        return Err(missing(format!("the file `{}` is empty", shortened(path)), "write the value into it"));
    }
    Ok(value.to_owned())
}

/// The reason in words that do not differ between systems.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Option<String>, String> {
        let env = |name: &str| match name {
            "USER" => Some("annals".to_owned()),
            "NESTED" => Some("${USER}".to_owned()),
            _ => None,
        };
        let dir = tempfile::tempdir().expect("directory");
        std::fs::write(dir.path().join("key"), "secret \r\n").expect("written");
        std::fs::write(dir.path().join("empty"), "\n").expect("written");
        resolve(text, &Resolver { env: &env, dir: dir.path() }).map_err(|missing| missing.message)
    }

    #[test]
    fn variables_are_replaced_wherever_they_stand_and_only_once() {
        assert_eq!(resolved("plain $USER"), Ok(None));
        assert_eq!(resolved("${USER}"), Ok(Some("annals".to_owned())));
        assert_eq!(
            resolved("postgres://${USER}:${USER}@db"),
            Ok(Some("postgres://annals:annals@db".to_owned()))
        );
        assert_eq!(resolved("${NESTED}"), Ok(Some("${USER}".to_owned())));
        assert_eq!(resolved("a$${USER}"), Ok(Some("a${USER}".to_owned())));
    }

    #[test]
    fn what_cannot_be_resolved_is_named() {
        assert_eq!(resolved("${OTHER}"), Err("the environment variable `OTHER` is not set".to_owned()));
        assert_eq!(resolved("${USER"), Err("`${` is not closed by `}`".to_owned()));
        assert_eq!(resolved("${US ER}"), Err("`US ER` is no name of an environment variable".to_owned()));
        assert_eq!(
            resolved("file:none"),
            Err("the file `none` cannot be read: it does not exist".to_owned())
        );
        assert_eq!(resolved("file:empty"), Err("the file `empty` is empty".to_owned()));
        assert_eq!(resolved("file:"), Err("`file:` names no file".to_owned()));
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_break() {
        assert_eq!(resolved("file:key"), Ok(Some("secret ".to_owned())));
    }
}
