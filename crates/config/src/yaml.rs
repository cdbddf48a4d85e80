//! From the text of a YAML file to its [`Node`] tree.
//!
//! The tree is built from the events of the parser below `serde_yaml`. Its `Spanned` values would give places
//! as well, but not whether a scalar was quoted, stop at the first duplicate key, and lose the text of a
//! number, so that a release `8.10` would arrive as 8.1.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span};

use crate::file::File;
use crate::node::{Entry, Kind, Node, Position, Scalar, Style, shortened};

/// Most nodes in a file, aliases counted each time they are used.
pub(crate) const YAML_NODES_MAX: usize = 50_000;
/// Most bytes of text in the values of a file, aliases counted each time they are used.
pub(crate) const YAML_BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of lists and mappings.
pub(crate) const YAML_DEPTH_MAX: usize = 32;

/// Reads a file into a tree, noting what is wrong on the way. `None`: the file is no YAML, or is empty.
pub(crate) fn parse(file: &File<'_>) -> Option<Node> {
    let mut options = Options::default();
    options.disallow_directives = true;
    options.flow_nesting_limit = YAML_DEPTH_MAX;
    options.block_nesting_limit = YAML_DEPTH_MAX;
    let mut builder = Builder::new(file);
    for event in Parser::new_from_str_with_options(&file.text, options) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => {
                note_syntax(file, &error);
                Err(Stop)
            }
        };
        if taken.is_err() {
            return None;
        }
    }
    if builder.root.is_none() {
        file.error(Position::START, "the file is empty", "write its keys, or remove the file");
    }
    builder.root
}

/// The rest of the file is not read; the reason has been noted.
struct Stop;

/// A collection whose end has not come yet.
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeMap<String, Position>, key: Pending },
}

/// The key whose value comes next.
enum Pending {
    None,
    Key(String, Position),
    /// A key that was refused: its value is dropped.
    Refused,
}

struct Builder<'f> {
    file: &'f File<'f>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    unfinished: BTreeSet<usize>,
    nodes: usize,
    bytes: usize,
    documents: usize,
    root: Option<Node>,
}

impl<'f> Builder<'f> {
    fn new(file: &'f File<'f>) -> Self {
        Self {
            file,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            nodes: 0,
            bytes: 0,
            documents: 0,
            root: None,
        }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let at = position(&span.start);
        if let Some(tag) = event.tag() {
            let at = span.tag_start().map_or(at, |start| position(&start));
            let message = format!("the tag `{}` is not read", shortened(&tag.original()));
            self.file.error(at, message, "remove it; put a number that is meant as text into quotes");
        }
        match event {
            Event::DocumentStart(..) => self.begin_document(at),
            Event::Scalar(text, style, anchor, _) => {
                let node = Node { at, kind: Kind::Scalar(self.scalar(at, &text, style, span)) };
                self.complete(node, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(at, anchor, Content::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Map { entries: Vec::new(), seen: BTreeMap::new(), key: Pending::None };
                self.begin(at, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(at, anchor),
            _ => Ok(()),
        }
    }

    fn begin_document(&mut self, at: Position) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents > 1 {
            self.file.error(at, "the file holds a second document", "move it into a file of its own");
            return Err(Stop);
        }
        Ok(())
    }

    fn scalar(&self, at: Position, text: &str, style: ScalarStyle, span: &Span) -> Scalar {
        if text.contains('\0') {
            self.file.error(at, "the text holds a NUL character", "remove it: no database stores it");
        }
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        Scalar { text: text.to_owned(), style, bytes: span.byte_range().unwrap_or(0..0) }
    }

    fn begin(&mut self, at: Position, anchor: usize, content: Content) -> Result<(), Stop> {
        if self.open.len() >= YAML_DEPTH_MAX {
            return Err(self.too_deep(at));
        }
        if anchor > 0 {
            self.unfinished.insert(anchor);
        }
        self.open.push(Open { at, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        // The parser ends only what it began.
        let Some(Open { at, anchor, content }) = self.open.pop() else { return Err(Stop) };
        let kind = match content {
            Content::List(nodes) => Kind::List(nodes),
            Content::Map { entries, .. } => Kind::Map(entries),
        };
        self.unfinished.remove(&anchor);
        self.complete(Node { at, kind }, anchor)
    }

    fn alias(&mut self, at: Position, anchor: usize) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            let message = if self.unfinished.contains(&anchor) {
                "the alias stands inside the value that it stands for"
            } else {
                "the alias has no anchor before it"
            };
            self.file.error(at, message, "write the value out");
            return Err(Stop);
        };
        let extent = node.extent();
        if self.open.len() + extent.depth > YAML_DEPTH_MAX + 1 {
            return Err(self.too_deep(at));
        }
        // Counted before it is copied: the copies are what an alias bomb lives on.
        self.count(at, extent.nodes, extent.bytes)?;
        let Some(node) = self.anchors.get(&anchor).cloned() else { return Err(Stop) };
        self.place(node)
    }

    fn count(&mut self, at: Position, nodes: usize, bytes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        self.bytes += bytes;
        let message = if self.nodes > YAML_NODES_MAX {
            format!("the file holds more than {YAML_NODES_MAX} values, aliases counted each time")
        } else if self.bytes > YAML_BYTES_MAX {
            format!("the file holds more than {YAML_BYTES_MAX} bytes of text, aliases counted each time")
        } else {
            return Ok(());
        };
        self.file.error(at, message, "split it into several files");
        Err(Stop)
    }

    fn too_deep(&self, at: Position) -> Stop {
        let message = format!("lists and mappings are nested deeper than {YAML_DEPTH_MAX} levels");
        self.file.error(at, message, "no configuration needs that; look for an indentation that went wrong");
        Stop
    }

    /// Counts a finished node, keeps it for aliases, and puts it where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        // What a collection holds has been counted with its members.
        let bytes = node.scalar().map_or(0, |scalar| scalar.text.len());
        self.count(node.at, 1, bytes)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    /// Puts a node into the open collection, or at the root.
    fn place(&mut self, node: Node) -> Result<(), Stop> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map { entries, seen, key } => match std::mem::replace(key, Pending::None) {
                Pending::None => *key = pending_key(self.file, node, seen),
                Pending::Key(name, at) => entries.push(Entry { key: name, at, value: node }),
                Pending::Refused => {}
            },
        }
        Ok(())
    }
}

fn pending_key(file: &File<'_>, node: Node, seen: &mut BTreeMap<String, Position>) -> Pending {
    let at = node.at;
    let Kind::Scalar(scalar) = node.kind else {
        file.error(at, "a key must be a word, not a list or mapping", "write `key: value`");
        return Pending::Refused;
    };
    if scalar.text == "<<" && scalar.style == Style::Plain {
        file.error(at, "merge keys (`<<`) are not read", "write the keys out");
        return Pending::Refused;
    }
    let name = scalar.text;
    if let Some(first) = seen.get(&name) {
        let message = format!("the key `{}` stands here twice", shortened(&name));
        let help = format!("remove this one or the one in line {}, column {}", first.line, first.column);
        file.error(at, message, help);
        return Pending::Refused;
    }
    seen.insert(name.clone(), at);
    Pending::Key(name, at)
}

fn position(marker: &Marker) -> Position {
    // Files are limited to far less than 2^32 characters.
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: narrow(marker.line()).max(1), column: narrow(marker.col()).saturating_add(1) }
}

fn note_syntax(file: &File<'_>, error: &ScanError) {
    let own = |words: &str| format!("this is not valid YAML: {words}");
    let theirs = own(&error.info());
    let (message, help) = match error.kind() {
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            (own("a tab stands in the indentation"), "indent with spaces")
        }
        ErrorKind::DirectiveDisallowed => {
            (own("directives are not read"), "remove the line that begins with `%`")
        }
        ErrorKind::UnknownAnchor => (own("the alias has no anchor before it"), "write the value out"),
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnclosedQuotedScalar => {
            (theirs, "close what begins here")
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            (theirs, "close the bracket before this place, or put a comma between its members")
        }
        ErrorKind::UnexpectedCharacter { .. } => (theirs, "put the value into quotes"),
        ErrorKind::RecursionLimitExceeded => {
            let message = format!("lists and mappings are nested deeper than {YAML_DEPTH_MAX} levels");
            (message, "no configuration needs that; look for an indentation that went wrong")
        }
        ErrorKind::MappingValueNotAllowed => {
            (theirs, "put a value that holds `: ` into quotes; keys of one mapping stand in one column")
        }
        _ => (theirs, "look at the indentation, and put values with special characters into quotes"),
    };
    file.error(position(error.marker()), message, help);
}
