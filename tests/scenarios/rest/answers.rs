//! A question is answered over REST as it is by a command.

use serde_json::Value;

use super::Rest;
use crate::program::annals;

impl Rest {
    /// Asserts that both answer with the same rows, at least one, and gives them as REST tells them.
    fn agrees(&self, path: &str, command: &[&str]) -> Vec<Value> {
        let told = self.all(path);
        let arguments = [command, &["-o", "json"]].concat();
        let printed = annals(self.site.path(), &arguments).exits(0).json();
        let printed = printed["items"].as_array().unwrap();
        assert!(!told.is_empty(), "{path}");
        assert_eq!(plain(&told), plain(printed), "{path} and {command:?}");
        told
    }
}

/// Rows in an order that both have, with instants in one form: a command prints whole seconds.
fn plain(rows: &[Value]) -> Vec<String> {
    let cell = |value: &Value| {
        let instant =
            value.as_str().and_then(|text| text.replacen(' ', "T", 1).parse::<jiff::Timestamp>().ok());
        instant.map_or_else(|| value.to_string(), |instant| instant.as_second().to_string())
    };
    let row = |row: &Value| {
        let members = row.as_object().unwrap().iter();
        members.map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
    };
    let mut rows: Vec<String> = rows.iter().map(row).collect();
    rows.sort();
    rows
}

/// What an identity held, in pages and at an instant, and what is not said of one who is not there.
#[tokio::test]
async fn access_is_told_as_the_command_prints_it() {
    for rest in Rest::everywhere().await {
        let id =
            rest.site.look("select identity_id from annals_access_interval order by 1 limit 1;").remove(0);
        let path = format!("/api/v1/identities/{id}/access");
        let all = rest.agrees(&path, &["access", &id]);
        assert_eq!(plain(&rest.all(&format!("{path}?$top=2"))), plain(&all));
        assert!(
            all.iter()
                .all(|row| row["acquired"].is_array()
                    && row["itemId"].is_null() != row["application"].is_null())
        );
        let additional = format!("{path}?at=2026-01-05&additionalOnly=true");
        rest.agrees(&additional, &["access", &id, "--at", "2026-01-05", "--additional-only"]);
        let (status, .., detail) = rest.problem("/api/v1/identities/nobody/access");
        assert_eq!((status, detail), (404, "identity `nobody` was not found".to_owned()));
        let (status, .., detail) = rest.problem(&format!("{path}?at=1990-01-01"));
        assert_eq!(
            (status, detail),
            (404, format!("a capture of identity `{id}` at that instant was not found"))
        );
        assert_eq!(rest.problem(&format!("{path}?additionalOnly=yes")).0, 400);
    }
}
