//! The views for reports, against the page that promises them.

use annals_testkit::Engine;

use super::histories;

const PAGE: &str = include_str!("../../../../docs/sql-views.md");

/// What the page promises: view, column and type, in order.
fn promised() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut promised = Vec::new();
    let mut view = "";
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            view = heading;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, column, kind, _, _] = cells[..]
            && let Some(column) = column.strip_prefix('`').and_then(|column| column.strip_suffix('`'))
            && view.starts_with("annals_v1_")
        {
            promised.push((view, column, kind));
        }
    }
    promised
}

fn on_postgres(kind: &str) -> &'static str {
    match kind {
        "text" => "text",
        "number" | "ms" => "bigint",
        "flag" => "integer",
        "instant" => "timestamp with time zone",
        other => panic!("`{other}` is no type of docs/sql-views.md"),
    }
}

/// The columns of every view are those that the page promises, in its order and of its types; on SQLite, where a view's
/// columns have no types, a scenario looks at the values.
#[tokio::test]
async fn the_views_are_as_they_are_promised() {
    let promised = promised();
    assert_eq!(promised.len(), 30 + 37 + 28 + 7 + 1);
    for history in histories().await {
        let engine = history.outside.engine();
        let (statement, with_types) = match engine {
            Engine::Postgres => (
                "select table_name, column_name, data_type from information_schema.columns
                 where table_name like 'annals@_v1@_%' escape '@' order by table_name, ordinal_position;",
                true,
            ),
            _ => (
                "select m.name, c.name, '-' from sqlite_master m join pragma_table_info(m.name) c
                 where m.type = 'view' and m.name like 'annals@_v1@_%' escape '@' order by m.name, c.cid;",
                false,
            ),
        };
        let printed = history.sql(statement);
        let mut expected: Vec<String> = promised
            .iter()
            .map(|(view, column, kind)| {
                format!("{view}|{column}|{}", if with_types { on_postgres(kind) } else { "-" })
            })
            .collect();
        // Views by name; the order of columns stays.
        expected.sort_by(|one, two| one.split('|').next().cmp(&two.split('|').next()));
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{engine}");
    }
}

/// The function answers the columns that the page says, with the types of the view.
#[tokio::test]
async fn the_function_is_as_it_is_promised() {
    let view: Vec<String> = promised()
        .into_iter()
        .filter(|(view, ..)| *view == "annals_v1_access_intervals")
        .map(|(_, column, kind)| format!("{column} {}", on_postgres(kind)))
        .collect();
    let end = view.iter().position(|column| column.starts_with("recorded_from_ms ")).unwrap();
    let columns = [&view[..=end], &["opened_by text".to_owned()]].concat().join(", ");
    for history in histories().await.into_iter().filter(|one| one.outside.engine() == Engine::Postgres) {
        let signatures = history.sql(
            "select proname, pg_get_function_arguments(oid), pg_get_function_result(oid) from pg_proc
             where proname like 'annals@_v1@_%' escape '@' order by proname;",
        );
        let expected = format!(
            "annals_v1_access_as_of|at timestamp with time zone, known_as_of timestamp with time zone DEFAULT NULL::timestamp with time zone|TABLE({columns})\n\
             annals_v1_ms|instant timestamp with time zone|bigint"
        );
        assert_eq!(signatures, expected);
    }
}
