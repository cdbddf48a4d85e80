//! The XML of `attributes` columns, in all the forms that IdentityIQ and those who import into it write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// A value of an attribute, in one of its written forms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Xml {
    /// `value="..."`.
    Text(String),
    /// A `String` element.
    LongText(String),
    /// A `String` element with a CDATA section.
    Cdata(String),
    /// A `Boolean` element with this very text: `true`, `True`, nothing or a blank for false.
    Flag(&'static str),
    /// A `Boolean` element without an end tag of its own: false.
    EmptyFlag,
    /// A number in an element of this name: `Integer`, `Long`, `Float`.
    Number(&'static str, String),
    /// A `Date` element, epoch milliseconds.
    Date(i64),
    /// A `DateString` element.
    DateString(String),
    /// A `List` element.
    List(Vec<Xml>),
    /// A `Set` element.
    Set(Vec<Xml>),
    /// A `Map` element.
    Map(Vec<(String, Xml)>),
    /// An `Attributes` element.
    Attributes(Vec<(String, Xml)>),
    /// A `Reference` element; the id may be missing.
    Reference {
        /// Class name.
        class: &'static str,
        /// Id.
        id: Option<String>,
        /// Name.
        name: String,
    },
    /// No value in an entry, `null` in a list.
    Null,
    /// Any other element, written out.
    Element(String),
}

impl Xml {
    /// Text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A flag as IdentityIQ writes it.
    pub(crate) const fn flag(flag: bool) -> Self {
        Self::Flag(if flag { "true" } else { "" })
    }

    /// A multi-valued attribute: a list, or plain text where there is one value, as aggregation leaves it.
    pub(crate) fn values<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut items: Vec<Xml> = values.into_iter().map(Xml::text).collect();
        if items.len() == 1 { items.remove(0) } else { Self::List(items) }
    }
}

/// What opens a document that was imported from a file.
pub(crate) const PROLOG: &str = "<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE Attributes PUBLIC \"sailpoint.dtd\" \"sailpoint.dtd\">\n";

/// An `Attributes` document.
pub(crate) fn attributes(entries: &[(String, Xml)]) -> String {
    let mut text = String::with_capacity(512);
    write_entries(&mut text, "Attributes", entries, 0);
    text
}

/// A `Map` document.
pub(crate) fn map(entries: &[(String, Xml)]) -> String {
    let mut text = String::with_capacity(256);
    write_map(&mut text, entries, 0);
    text
}

/// One value as a document.
pub(crate) fn document(value: &Xml) -> String {
    let mut text = String::with_capacity(256);
    write_element(&mut text, value, 0);
    text
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn write_entries(text: &mut String, element: &str, entries: &[(String, Xml)], depth: usize) {
    indent(text, depth);
    let _infallible = writeln!(text, "<{element}>");
    write_map(text, entries, depth + 1);
    indent(text, depth);
    let _infallible = writeln!(text, "</{element}>");
}

fn write_map(text: &mut String, entries: &[(String, Xml)], depth: usize) {
    indent(text, depth);
    text.push_str("<Map>\n");
    for (key, value) in entries {
        text.push_str(&entry(key, value, depth + 1));
    }
    indent(text, depth);
    text.push_str("</Map>\n");
}

/// One entry with its line end.
fn entry(key: &str, value: &Xml, depth: usize) -> String {
    let mut text = String::new();
    indent(&mut text, depth);
    let key = escape_attribute(key);
    match value {
        Xml::Null => {
            let _infallible = writeln!(text, "<entry key=\"{key}\"/>");
        }
        Xml::Text(value) => {
            let _infallible = writeln!(text, "<entry key=\"{key}\" value=\"{}\"/>", escape_attribute(value));
        }
        value => {
            let _infallible = writeln!(text, "<entry key=\"{key}\">");
            indent(&mut text, depth + 1);
            text.push_str("<value>\n");
            write_element(&mut text, value, depth + 2);
            indent(&mut text, depth + 1);
            text.push_str("</value>\n");
            indent(&mut text, depth);
            text.push_str("</entry>\n");
        }
    }
    text
}

fn write_element(text: &mut String, value: &Xml, depth: usize) {
    match value {
        Xml::Map(entries) => return write_map(text, entries, depth),
        Xml::Attributes(entries) => return write_entries(text, "Attributes", entries, depth),
        Xml::List(items) => return write_items(text, "List", items, depth),
        Xml::Set(items) => return write_items(text, "Set", items, depth),
        _ => {}
    }
    indent(text, depth);
    let _infallible = match value {
        Xml::Text(value) if value.is_empty() => writeln!(text, "<String/>"),
        Xml::Text(value) | Xml::LongText(value) => writeln!(text, "<String>{}</String>", escape_text(value)),
        Xml::Cdata(value) => {
            writeln!(text, "<String><![CDATA[{}]]></String>", value.replace("]]>", "]]]]><![CDATA[>"))
        }
        Xml::Flag(flag) => writeln!(text, "<Boolean>{flag}</Boolean>"),
        Xml::EmptyFlag => writeln!(text, "<Boolean/>"),
        Xml::Number(element, number) => writeln!(text, "<{element}>{number}</{element}>"),
        Xml::Date(time) => writeln!(text, "<Date>{time}</Date>"),
        Xml::DateString(date) => writeln!(text, "<DateString>{}</DateString>", escape_text(date)),
        Xml::Reference { class, id, name } => {
            let id = id.as_ref().map(|id| format!(" id=\"{id}\"")).unwrap_or_default();
            writeln!(text, "<Reference class=\"{class}\"{id} name=\"{}\"/>", escape_attribute(name))
        }
        Xml::Element(element) => writeln!(text, "{element}"),
        _ => writeln!(text, "<null/>"),
    };
}

fn write_items(text: &mut String, element: &str, items: &[Xml], depth: usize) {
    indent(text, depth);
    if items.is_empty() {
        let _infallible = writeln!(text, "<{element}/>");
        return;
    }
    let _infallible = writeln!(text, "<{element}>");
    for item in items {
        write_element(text, item, depth + 1);
    }
    indent(text, depth);
    let _infallible = writeln!(text, "</{element}>");
}

/// Text between tags.
pub(crate) fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text of an attribute. Line breaks and tabs would be read as blanks if they stood there as such.
pub(crate) fn escape_attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#xA;"),
            '\t' => escaped.push_str("&#x9;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The same document with another value under a key; a new entry comes last. All else stays to the letter. This works
/// on documents that this module wrote: an entry of the outermost map begins its line with four blanks.
pub(crate) fn with_entry(document: &str, key: &str, value: &Xml) -> String {
    let new = entry(key, value, 2);
    if let Some((start, end)) = entry_span(document, key) {
        return format!("{}{new}{}", &document[..start], &document[end..]);
    }
    match document.rfind("  </Map>") {
        Some(end) => format!("{}{new}{}", &document[..end], &document[end..]),
        None => attributes(&[(key.to_owned(), value.clone())]),
    }
}

/// Where an entry of the outermost map stands, its line end included.
fn entry_span(document: &str, key: &str) -> Option<(usize, usize)> {
    let opening = format!("{ENTRY}{}\"", escape_attribute(key));
    let start = document.find(&opening)? + 1;
    let first_line_end = start + document[start..].find('\n')? + 1;
    if document[start..first_line_end].trim_end().ends_with("/>") {
        return Some((start, first_line_end));
    }
    let end = start + document[start..].find(CLOSING)? + CLOSING.len();
    Some((start, end))
}

/// The entries of the outermost map of a document that this module wrote: texts as such, lists of texts as lists,
/// anything else as it is written.
pub(crate) fn entries(document: &str) -> BTreeMap<String, Value> {
    let mut entries = BTreeMap::new();
    let mut rest = document;
    while let Some(start) = rest.find(ENTRY) {
        rest = &rest[start + ENTRY.len()..];
        let Some((key, tail)) = rest.split_once('"') else { break };
        let line_end = tail.find('\n').unwrap_or(tail.len());
        let (key, line) = (unescape(key), &tail[..line_end]);
        if let Some(value) = line.strip_suffix("/>") {
            let text = value.strip_prefix(" value=\"").and_then(|value| value.strip_suffix('"'));
            entries.insert(key, text.map(unescape).into());
            continue;
        }
        let inner = tail[line_end..].split(CLOSING).next().unwrap_or_default();
        let inner = inner.trim().trim_start_matches("<value>").trim_end_matches("</value>").trim();
        entries.insert(key, element_value(inner));
    }
    entries
}

/// How an entry of the outermost map begins.
const ENTRY: &str = "\n    <entry key=\"";
/// How one that takes several lines ends.
const CLOSING: &str = "\n    </entry>\n";

fn element_value(element: &str) -> Value {
    let Some(items) = element.strip_prefix("<List>").and_then(|items| items.strip_suffix("</List>")) else {
        return Value::from(element);
    };
    let texts: Option<Vec<String>> = items
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| Some(unescape(line.strip_prefix("<String>")?.strip_suffix("</String>")?)))
        .collect();
    texts.map_or_else(|| Value::from(element), Value::from)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#xA;", "\n")
        .replace("&#x9;", "\t")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(String, Xml)> {
        vec![
            ("a".to_owned(), Xml::text("x & \"y\"\nz")),
            ("b".to_owned(), Xml::flag(false)),
            ("c".to_owned(), Xml::List(vec![Xml::text("1"), Xml::Null, Xml::text("")])),
            ("d".to_owned(), Xml::Null),
            ("e".to_owned(), Xml::Map(vec![("a".to_owned(), Xml::text("inner"))])),
        ]
    }

    #[test]
    fn every_form_is_written_as_the_grammar_has_it() {
        assert_eq!(
            attributes(&sample()),
            r#"<Attributes>
  <Map>
    <entry key="a" value="x &amp; &quot;y&quot;&#xA;z"/>
    <entry key="b">
      <value>
        <Boolean></Boolean>
      </value>
    </entry>
    <entry key="c">
      <value>
        <List>
          <String>1</String>
          <null/>
          <String/>
        </List>
      </value>
    </entry>
    <entry key="d"/>
    <entry key="e">
      <value>
        <Map>
          <entry key="a" value="inner"/>
        </Map>
      </value>
    </entry>
  </Map>
</Attributes>
"#
        );
        let reference =
            Xml::Reference { class: "sailpoint.object.Identity", id: None, name: "O'Brien <x>".to_owned() };
        assert_eq!(
            document(&reference),
            "<Reference class=\"sailpoint.object.Identity\" name=\"O'Brien &lt;x&gt;\"/>\n"
        );
        assert_eq!(
            document(&Xml::Cdata("a]]>b".to_owned())),
            "<String><![CDATA[a]]]]><![CDATA[>b]]></String>\n"
        );
        assert_eq!(document(&Xml::List(Vec::new())), "<List/>\n");
        assert_eq!(Xml::values(["one"]), Xml::text("one"));
    }

    #[test]
    fn an_entry_is_replaced_in_its_place_and_a_new_one_comes_last() {
        let before = attributes(&sample());
        let mut wanted = sample();
        wanted[2].1 = Xml::text("one");
        let after = with_entry(&before, "c", &Xml::text("one"));
        assert_eq!(after, attributes(&wanted));
        // The inner entry of the same name stays.
        wanted[0].1 = Xml::Date(5);
        let after = with_entry(&after, "a", &Xml::Date(5));
        assert_eq!(after, attributes(&wanted));
        wanted.push(("new".to_owned(), Xml::List(Vec::new())));
        assert_eq!(with_entry(&after, "new", &Xml::List(Vec::new())), attributes(&wanted));
    }

    #[test]
    fn entries_are_told_apart() {
        let entries = entries(&attributes(&sample()));
        assert_eq!(entries["a"], Value::from("x & \"y\"\nz"));
        assert_eq!(entries["b"], Value::from("<Boolean></Boolean>"));
        assert_eq!(entries["d"], Value::Null);
        assert_eq!(entries.len(), 5);
        let list = Xml::List(vec![Xml::text("1"), Xml::text("a < b")]);
        let entries = super::entries(&attributes(&[("l".to_owned(), list)]));
        assert_eq!(entries["l"], Value::from(vec!["1", "a < b"]));
    }

    #[test]
    fn a_prolog_stays_where_it_is() {
        let document = format!("{PROLOG}{}", attributes(&sample()));
        let after = with_entry(&document, "d", &Xml::text("now"));
        assert!(after.starts_with(PROLOG));
        assert!(after.contains("    <entry key=\"d\" value=\"now\"/>\n"));
    }
}
