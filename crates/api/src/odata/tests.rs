//! What options are read as, and what is said of wrong ones.

use super::*;

/// One wrong option a line: its name, its text with a caret where it is wrong, and what is said of it.
const BAD_REQUESTS: &str = include_str!("tests/bad_requests.tsv");

const ALL: [&str; 9] =
    ["$filter", "$orderby", "$select", "$expand", "$top", "$skiptoken", "$count", "$search", "at"];

fn query(options: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(options).finish()
}

fn refused(query: &str) -> (String, usize, String) {
    let OptionError { option, error } = Options::read(query, &ALL).expect_err(query);
    (option, error.position, error.message)
}

#[test]
fn bad_requests_are_told_with_their_place() {
    for line in BAD_REQUESTS.lines() {
        let [option, text, message] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let position = text.chars().position(|c| c == '‸').expect(line);
        let text = text.replace('‸', "");
        let expected = (option.to_owned(), position, message.to_owned());
        assert_eq!(refused(&query(&[(option, &text)])), expected, "{line}");
    }
    assert!(BAD_REQUESTS.lines().count() >= 150);
}

#[test]
fn options_are_known_and_there_once() {
    let there = "expected no such option here: there are $filter, $orderby, $select, $expand, $top, $skiptoken, $count, $search, at";
    let unknown = |name: &str| (name.to_owned(), 0, there.to_owned());
    assert_eq!(refused("$skip=5"), unknown("$skip"));
    assert_eq!(refused("filter=a"), unknown("filter"));
    assert_eq!(refused("$top=5&apikey=x"), unknown("apikey"));
    assert_eq!(refused("$top=5&%24top=6"), ("$top".to_owned(), 0, "expected this option once".to_owned()));
    assert_eq!(refused("at=a%00b"), ("at".to_owned(), 1, "expected no character of code 0".to_owned()));
    assert_eq!(
        refused("$filter=a eq '%00'"),
        ("$filter".to_owned(), 6, "expected no character of code 0".to_owned())
    );
}

/// The tree of a filter as it is written with all brackets.
fn tree(text: &str) -> String {
    fn shown(expr: &Expr) -> String {
        let all = |parts: &[Expr], word: &str| {
            format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(word))
        };
        match expr {
            Expr::And(parts) => all(parts, " & "),
            Expr::Or(parts) => all(parts, " | "),
            Expr::Not(inner) => format!("!{}", shown(inner)),
            Expr::Any { path, condition, .. } => {
                format!("{path}[{}]", condition.as_deref().map(shown).unwrap_or_default())
            }
            other => other.to_string(),
        }
    }
    shown(&filter(text).expect(text))
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    assert_eq!(tree("a eq 1 or b eq 2 and c eq 3"), "(a eq 1 | (b eq 2 & c eq 3))");
    assert_eq!(tree("a eq 1 and b eq 2 or c eq 3"), "((a eq 1 & b eq 2) | c eq 3)");
    assert_eq!(tree("(a eq 1 or b eq 2) and c eq 3"), "((a eq 1 | b eq 2) & c eq 3)");
    assert_eq!(tree("not a eq 1 and b eq 2"), "(!a eq 1 & b eq 2)");
    assert_eq!(tree("not(a eq 1 and b eq 2)"), "!(a eq 1 & b eq 2)");
    assert_eq!(tree("a eq 1 or b eq 2 or c eq 3"), "(a eq 1 | b eq 2 | c eq 3)");
    assert_eq!(tree("a/b/any(x: x/c eq 1 or x eq 2) and d/any()"), "(a/b[(c eq 1 |  eq 2)] & d[])");
}

#[test]
fn values_are_read_as_what_they_are() {
    let value = |text: &str| match filter(&format!("a eq {text}")).expect(text) {
        Expr::Compare { value, .. } => value.value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value("'O''Neil'"), LiteralValue::Text("O'Neil".to_owned()));
    assert_eq!(value("''"), LiteralValue::Text(String::new()));
    assert_eq!(value("'日本 and (x'"), LiteralValue::Text("日本 and (x".to_owned()));
    assert_eq!(value("-7"), LiteralValue::Int(-7));
    assert_eq!(value("9223372036854775807"), LiteralValue::Int(i64::MAX));
    assert_eq!(value("1.5e3"), LiteralValue::Float(1_500.0));
    assert_eq!(value("true"), LiteralValue::Bool(true));
    assert_eq!(value("null"), LiteralValue::Null);
    // 1772323200 by `date -u -d 2026-03-01 +%s`.
    assert_eq!(value("2026-03-01"), LiteralValue::Instant(1_772_323_200_000));
    assert_eq!(value("2026-03-01T01:00:00.250+01:00"), LiteralValue::Instant(1_772_323_200_250));
}

#[test]
fn paths_and_values_keep_their_place() {
    let Expr::In { path, values } = filter(" metadata/name in ('ä', 'b')").expect("it is right") else {
        panic!("a list")
    };
    assert_eq!((path.to_string().as_str(), path.position), ("metadata/name", 1));
    assert_eq!(values.iter().map(|value| value.position).collect::<Vec<_>>(), [19, 24]);
}

/// BRV-10: the options of the five published calls.
#[test]
fn the_published_calls_are_read_as_written() {
    let names =
        |expanded: &[Expand]| -> Vec<String> { expanded.iter().map(|one| one.path.to_string()).collect() };
    for (code, inner) in [
        ("OPC4", ""),
        ("CRTG", "(expand=group,targetSystem)"),
        ("GRUA", "(expand=account,targetSystem,group)"),
        ("ACUA", "(expand=account,targetSystem)"),
        ("ACHG", "(expand=account,targetSystem)"),
    ] {
        let query = format!(
            "$filter=operation eq '{code}'&$expand=requester,data{inner}&$orderby=metadata/lastUpdatedDateTime desc"
        );
        let options = Options::read(&query, &ALL).expect(code);
        assert_eq!(options.filter.map(|expr| expr.to_string()), Some(format!("operation eq '{code}'")));
        assert_eq!(names(&options.expand), ["requester", "data"]);
        let wanted = inner.trim_start_matches("(expand=").trim_end_matches(')');
        assert_eq!(names(&options.expand[1].expand).join(","), wanted);
        let [order] = &options.order_by[..] else { panic!("one property") };
        assert_eq!(order.path.names, ["metadata", "lastUpdatedDateTime"]);
        assert_eq!(order.direction, Direction::Descending);
    }
}

#[test]
fn the_other_options_are_read() {
    let query =
        "$top=0&$count=true&$select=id,metadata/name,*&$search=ann \"de la\" AND AND&$skiptoken=aZ-_9&at=now";
    let options = Options::read(query, &ALL).expect("it is right");
    assert_eq!((options.top, options.count), (Some(0), true));
    let selected: Vec<String> = options.select.iter().map(ToString::to_string).collect();
    assert_eq!(selected, ["id", "metadata/name", "*"]);
    assert_eq!(options.search, ["ann", "de la", "AND"]);
    assert_eq!(options.skip_token.as_deref(), Some("aZ-_9"));
    assert_eq!(options.own.get("at").map(String::as_str), Some("now"));
    assert_eq!(Options::read("", &ALL), Ok(Options::default()));
}

/// What is written of a tree is read as the same tree.
#[test]
fn filters_are_written_as_they_are_read() {
    for text in [
        "a eq 1 or b eq 'x''y' and not c in (1, 2.5, true)",
        "(a eq 1 or b eq 2) and (c eq 3 and d eq null)",
        "a/any(x: x/b/any(y: y eq 1 or y/c ne 2) and contains(x, 'é'))",
        "a/any() or created ge 2026-03-01T00:00:00Z",
    ] {
        let written = filter(text).expect(text).to_string();
        assert_eq!(filter(&written).expect(&written).to_string(), written);
        assert_eq!(tree(&written), tree(text));
    }
}
