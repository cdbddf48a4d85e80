//! The filter language: what filters mean, where wrong ones go wrong, and that what is written reads back the
//! same.

use annals_config::filter::{
    CompareOp, Expr, FILTER_CHARS_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, Literal, Part, parse,
};
use proptest::prelude::*;

fn compare(name: &str, op: CompareOp, value: Literal) -> Expr {
    Expr::Compare { name: name.to_owned(), op, value }
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn equal(name: &str, number: i64) -> Expr {
    compare(name, CompareOp::Eq, Literal::Int(number))
}

#[test]
fn comparisons() {
    let cases = [
        ("a == 1", equal("a", 1)),
        ("a==-1", equal("a", -1)),
        ("a != 'x'", compare("a", CompareOp::Ne, text("x"))),
        ("a < 2", compare("a", CompareOp::Lt, Literal::Int(2))),
        ("a <= 2", compare("a", CompareOp::Le, Literal::Int(2))),
        ("a > \"b\"", compare("a", CompareOp::Gt, text("b"))),
        ("a >= 2", compare("a", CompareOp::Ge, Literal::Int(2))),
        ("a == true", compare("a", CompareOp::Eq, Literal::Bool(true))),
        ("a != false", compare("a", CompareOp::Ne, Literal::Bool(false))),
        ("a == null", Expr::IsNull("a".to_owned())),
        ("a != null", Expr::Not(Box::new(Expr::IsNull("a".to_owned())))),
        ("role.name == 1", equal("role.name", 1)),
        ("größe == 1", equal("größe", 1)),
    ];
    for (filter, expected) in cases {
        assert_eq!(parse(filter), Ok(expected), "{filter}");
    }
}

#[test]
fn lists_and_matches() {
    let values = vec![text("IT"), Literal::Int(3), Literal::Bool(true)];
    assert_eq!(parse("d in (\"IT\", 3, true)"), Ok(Expr::In { name: "d".to_owned(), values }));
    for (function, part) in
        [("startsWith", Part::Start), ("endsWith", Part::End), ("contains", Part::Anywhere)]
    {
        let matches = Expr::Matches { name: "role.name".to_owned(), part, text: "x".to_owned() };
        assert_eq!(parse(&format!("role.name.{function}('x')")), Ok(matches.clone()));
        assert_eq!(parse(&format!("!role.name.{function}('x')")), Ok(Expr::Not(Box::new(matches))));
    }
}

/// Only in front of `(` is the last part of a name a function.
#[test]
fn function_names_are_plain_names_elsewhere() {
    assert_eq!(parse("a.contains == 1"), Ok(equal("a.contains", 1)));
    assert_eq!(parse("startsWith == 1"), Ok(equal("startsWith", 1)));
}

#[test]
fn not_binds_closer_than_and_and_and_closer_than_or() {
    let expected = Expr::Or(vec![
        equal("a", 1),
        Expr::And(vec![Expr::Not(Box::new(equal("b", 2))), equal("c", 3)]),
        equal("d", 4),
    ]);
    assert_eq!(parse("a == 1 || !(b == 2) && c == 3 || d == 4"), Ok(expected));
    let bracketed = Expr::And(vec![Expr::Or(vec![equal("a", 1), equal("b", 2)]), equal("c", 3)]);
    assert_eq!(parse("(a == 1 || b == 2) && c == 3"), Ok(bracketed));
}

#[test]
fn escapes_in_texts() {
    let cases = [
        (r#""a\"b""#, "a\"b"),
        (r"'it\'s'", "it's"),
        (r#"'say "x"'"#, "say \"x\""),
        (r#""a\\n\n""#, "a\\n\n"),
        (r#""\u00e9\u0041""#, "éA"),
        (r#""\ud83d\ude00""#, "😀"),
        ("\"😀\"", "😀"),
        ("''", ""),
    ];
    for (written, expected) in cases {
        assert_eq!(
            parse(&format!("a == {written}")),
            Ok(compare("a", CompareOp::Eq, text(expected))),
            "{written}"
        );
    }
}

/// Places are counted in characters from 1; each was counted by hand.
#[test]
fn wrong_filters_say_where_and_what() {
    let cases = [
        ("", 1, "expected a name, `!` or `(`, found the end"),
        ("   ", 4, "expected a name, `!` or `(`, found the end"),
        ("a", 2, "expected an operator after `a`, found the end"),
        ("a ==", 5, "expected a value after `==`, found the end"),
        ("a == == 1", 6, "expected a value after `==`, found `==`"),
        ("a == b", 6, "expected a value after `==`, found the name `b`"),
        ("é == \"é\" && b", 14, "expected an operator after `b`, found the end"),
        ("a = 1", 3, "`=` alone is no operator"),
        ("a == 1 & b == 2", 8, "`&` alone is no operator"),
        ("a == 1 | b == 2", 8, "`|` alone is no operator"),
        ("a == 1 and b == 2", 8, "`and` is no operator"),
        ("a == 1 OR b == 2", 8, "`OR` is no operator"),
        ("not a == 1", 1, "`not` is no operator"),
        ("a == 1 b", 8, "expected `&&`, `||` or the end, found `b`"),
        ("a == 1)", 7, "`)` closes nothing"),
        ("(a == 1", 8, "expected `)`, `&&` or `||`, found the end"),
        ("\"x\" == a", 1, "expected a name, `!` or `(`, found a text"),
        ("null == a", 1, "expected a name, `!` or `(`, found `null`"),
        ("a < null", 5, "`<` has no meaning with `null`"),
        ("a < true", 5, "`<` has no meaning with `true`"),
        ("a in 1", 6, "expected `(` after `in`"),
        ("a in ()", 7, "expected a value after `in (`, found `)`"),
        ("a in (1 2)", 9, "expected `,` or `)` in the list of `in`"),
        ("a in (1,)", 9, "expected a value after `,`, found `)`"),
        ("a in (1, null)", 10, "`null` cannot stand in the list of `in`"),
        ("!a == 1", 2, "expected `(` between `!` and `a`"),
        ("startsWith(\"x\")", 1, "`startsWith(` is no function"),
        ("a.like(\"x\")", 1, "`a.like(` is no function"),
        ("a.startsWith(1)", 14, "expected a text in quotes after `startsWith(`"),
        ("a.startsWith('x', 'y')", 17, "expected `)` after the text of `startsWith`"),
        ("a == 1.5", 6, "`1.5` is not a whole number of at most 64 bits"),
        ("a == 9223372036854775808", 6, "`9223372036854775808` is not a whole number of at most 64 bits"),
        ("a == 012", 6, "`012` begins with a zero"),
        ("a == 7up", 6, "`7up` is not a whole number of at most 64 bits"),
        ("a == 'x", 6, "the text that begins with ' does not end"),
        ("a == 'x\\", 6, "the text that begins with ' does not end"),
        (r#"a == "x\q""#, 8, "`\\q` is not an escape"),
        (r#"a == "\u12""#, 7, "`\\u` wants four hexadecimal digits that name a character"),
        (r#"a == "\ud83d""#, 7, "`\\u` wants four hexadecimal digits that name a character"),
        (r#"a == "\udc00""#, 7, "`\\u` wants four hexadecimal digits that name a character"),
        ("a. == 1", 2, "expected a name before and after `.`"),
        ("a == 1; drop", 7, "`;` has no meaning in a filter"),
    ];
    for (filter, place, message) in cases {
        let error = parse(filter).expect_err(filter);
        assert_eq!((error.offset + 1, error.message.as_str()), (place, message), "{filter}");
        assert!(!error.help.is_empty(), "{filter} comes without help");
    }
}

#[test]
fn a_filter_is_bounded_in_length_conditions_and_depth() {
    let long = |chars: usize| format!("a == '{}'", "x".repeat(chars - 7));
    assert!(parse(&long(FILTER_CHARS_MAX)).is_ok());
    assert_eq!(parse(&long(FILTER_CHARS_MAX + 1)).expect_err("too long").offset, FILTER_CHARS_MAX);
    // n comparisons and the `&&` that joins them.
    let wide = |conditions: usize| vec!["a == 1"; conditions].join(" && ");
    assert!(parse(&wide(FILTER_NODES_MAX - 1)).is_ok());
    assert!(
        parse(&wide(FILTER_NODES_MAX)).expect_err("too wide").message.contains("more than 100 conditions")
    );
    let deep = |depth: usize| format!("{}a == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(FILTER_DEPTH_MAX)).is_ok());
    let error = parse(&deep(FILTER_DEPTH_MAX + 1)).expect_err("too deep");
    assert!(error.message.contains("deeper than 20 levels"), "{error}");
    let negated = |depth: usize| format!("{}(a == 1)", "!".repeat(depth));
    assert!(parse(&negated(FILTER_DEPTH_MAX - 1)).is_ok());
    assert!(parse(&negated(2_000)).is_err());
}

#[test]
fn names_are_listed_in_order() {
    let filter = parse("b == 1 && (a.contains('x') || !(c in (1))) && b != null").expect("right");
    assert_eq!(filter.names(), ["b", "a", "c", "b"]);
}

#[test]
fn a_filter_is_written_as_people_write_it() {
    let cases = [
        "inactive == false && department in (\"IT\", \"HR\")",
        "(a == 1 || b == 2) && c != null",
        "a == 1 && b == 2 || c.startsWith(\"x\")",
        "!(a == 1) && !b.contains(\"\\u0000\\n\")",
    ];
    for written in cases {
        assert_eq!(parse(written).expect(written).to_string(), written);
    }
}

fn name() -> impl Strategy<Value = String> {
    let part = "[a-zA-Z_é][a-zA-Z0-9_$#]{0,6}";
    prop::collection::vec(part, 1..3)
        .prop_map(|parts| parts.join("."))
        .prop_filter("keywords", |name| !matches!(name.as_str(), "true" | "false" | "null" | "in" | "not"))
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(Literal::Text),
        any::<i64>().prop_map(Literal::Int),
        any::<bool>().prop_map(Literal::Bool)
    ]
}

fn ordered_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![any::<String>().prop_map(Literal::Text), any::<i64>().prop_map(Literal::Int)]
}

fn leaf() -> impl Strategy<Value = Expr> {
    let equality = prop_oneof![Just(CompareOp::Eq), Just(CompareOp::Ne)];
    let order =
        prop_oneof![Just(CompareOp::Lt), Just(CompareOp::Le), Just(CompareOp::Gt), Just(CompareOp::Ge)];
    let part = prop_oneof![Just(Part::Start), Just(Part::End), Just(Part::Anywhere)];
    prop_oneof![
        (name(), equality, literal()).prop_map(|(name, op, value)| Expr::Compare { name, op, value }),
        (name(), order, ordered_literal()).prop_map(|(name, op, value)| Expr::Compare { name, op, value }),
        (name(), prop::collection::vec(literal(), 1..4)).prop_map(|(name, values)| Expr::In { name, values }),
        (name(), part, any::<String>()).prop_map(|(name, part, text)| Expr::Matches { name, part, text }),
        name().prop_map(Expr::IsNull),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(expr in expr()) {
        let written = expr.to_string();
        // Long random texts may pass the limit on characters, which is another test's matter.
        prop_assume!(written.chars().count() <= FILTER_CHARS_MAX);
        prop_assert_eq!(parse(&written), Ok(expr), "{}", written);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.offset <= text.chars().count());
        }
    }

    #[test]
    fn no_row_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b.c", "startsWith", ".", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "(", ")", ",", "in",
                "null", "true", "1", "-7", "012", "'x'", "\"\\u00e9\"", "\"", "'", "\\", "=", "&", "é", "\n",
            ]),
            0..40,
        ),
    ) {
        let text = tokens.join(" ");
        if let Err(error) = parse(&text) {
            prop_assert!(error.offset <= text.chars().count());
        }
    }
}
