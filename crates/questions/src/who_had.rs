//! `who-had`: the holders of an access item in a span of time, through roles and nested groups too.

use std::collections::VecDeque;
use std::sync::Arc;

use annals_history::{HolderRow, HoldersQuestion, Page, PageRequest, Position, Span, holders};
use annals_model::{AccessInterval, AccessItem, LedgerRow, ObjectType};
use annals_sql::Tx;
use serde_json::{Value, json};

use crate::export::{PAGE_ROWS, Pages, pages};
use crate::item::{Access, called, find_item};
use crate::names::names;
use crate::paths::{Paths, Stretch, common, paths};
use crate::row::{Column, Kind, Row};
use crate::{Error, Result};

/// Rows that are read at a time, at least.
const ROWS_READ: u32 = 1_000;

/// The same at most, unless one identity has more.
const ROWS_READ_MAX: u32 = 20_000;

/// Which holders are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Who held it at some time of the span.
    #[default]
    Any,
    /// Who held it throughout.
    All,
    /// Who held it at the last instant of the span.
    AtEnd,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Any, Self::All, Self::AtEnd];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::AtEnd => "at-end",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct WhoHad<'q> {
    /// What: `role:NAME` and its like, or a name.
    pub item: &'q str,
    /// When, and as known when.
    pub span: Span,
    /// Which holders.
    pub mode: Mode,
    /// Not through other roles or groups.
    pub direct_only: bool,
    /// Only these identities; none: all.
    pub within: Option<&'q [String]>,
}

/// That an identity had access, by one path, from an instant to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Id of the identity.
    pub identity_id: String,
    /// What the identity was called last.
    pub identity: String,
    /// What it held, as it was called then.
    pub item: AccessItem,
    /// From there to what is asked for: what is held, `inherits Staff`, and so on; empty where that is held itself.
    pub through: Vec<String>,
    /// Since when, epoch milliseconds.
    pub since_ms: i64,
    /// Until when; none: it has not ended, as far as was known.
    pub until_ms: Option<i64>,
    /// The interval in which it was held so. It has no end where none was known.
    pub interval: AccessInterval,
    /// What is held, and all that the path leads by.
    pub(crate) walked: Arc<[Access]>,
}

impl Row for Holder {
    const COLUMNS: &'static [Column] = &[
        Column::new("identity", Kind::Text),
        Column::new("kind", Kind::Text),
        Column::new("through", Kind::Texts),
        Column::new("since", Kind::Instant),
        Column::new("until", Kind::Instant),
        Column::new("still held", Kind::Flag),
        Column::new("account", Kind::Text),
        Column::new("acquired", Kind::Texts),
        Column::new("cause", Kind::Text),
        Column::new("assigner", Kind::Text),
        Column::new("request item", Kind::Text),
        Column::for_programs("identity id", Kind::Text),
        Column::for_programs("name", Kind::Text),
        Column::for_programs("item id", Kind::Text),
        Column::for_programs("application", Kind::Text),
        Column::for_programs("attribute", Kind::Text),
        Column::for_programs("value", Kind::Text),
        Column::for_programs("interval since", Kind::Instant),
        Column::for_programs("capture id", Kind::Text),
    ];

    fn cells(&self) -> Vec<Value> {
        let Self { item, interval, .. } = self;
        let holding = &interval.holding;
        vec![
            json!(self.identity),
            json!(item.kind.as_str()),
            json!(self.through),
            json!(self.since_ms),
            json!(self.until_ms),
            json!(self.until_ms.is_none()),
            json!(holding.native_identity),
            json!(holding.acquired.words()),
            json!(holding.cause),
            json!(holding.assigner),
            json!(holding.request_item_id),
            json!(self.identity_id),
            json!(item.name),
            json!(item.id),
            json!(item.application),
            json!(item.attribute),
            json!(item.value),
            json!(interval.valid_from_ms),
            json!(interval.opened_by),
        ]
    }
}

/// Who had access: a row for each interval of an identity and each path that lead from what it held to what is asked for.
/// In pages, which follow the identities' ids; a place is an identity and how many of its rows were told.
///
/// # Errors
/// `NoItem`, `AmbiguousItem`; `EmptySpan`, or `NoBeginning` for all of a span that has none; `TooManyPaths`; else as any
/// call.
pub async fn who_had(tx: &mut Tx, question: &WhoHad<'_>, page: &PageRequest) -> Result<Page<Holder>> {
    let Span { from_ms, to_ms, known_at_ms } = question.span;
    if from_ms >= to_ms {
        return Err(Error::EmptySpan);
    }
    if question.mode == Mode::All && from_ms == i64::MIN {
        return Err(Error::NoBeginning);
    }
    let item = find_item(tx, question.item).await?;
    let paths = paths(tx, item, known_at_ms, question.direct_only).await?;
    let mut reader = Reader::new(question, &paths, page);
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut told = Vec::new();
    let mut next = None;
    'identities: while let Some((identity_id, of_identity)) = reader.next(tx).await? {
        let rows = holder_rows(of_identity, question.span, &paths);
        if !is_meant(&rows, question) {
            continue;
        }
        let before = match &page.after {
            Some(after) if after.id == identity_id => usize::try_from(after.recorded_ms).unwrap_or_default(),
            _ => 0,
        };
        for (position, row) in rows.into_iter().enumerate().skip(before) {
            if told.len() == limit {
                let recorded_ms = i64::try_from(position).unwrap_or(i64::MAX);
                next = Some(Position { recorded_ms, id: identity_id });
                break 'identities;
            }
            told.push(row);
        }
    }
    let ids = told.iter().map(|row| row.identity_id.clone()).collect();
    let names = names(tx, ObjectType::Identity, ids).await?;
    for row in &mut told {
        row.identity = names.get(&row.identity_id).unwrap_or(&row.identity_id).clone();
    }
    Ok(Page { rows: told, next })
}

/// Whether an identity with these rows is among the holders that are meant.
fn is_meant(rows: &[Holder], question: &WhoHad<'_>) -> bool {
    let Span { from_ms, to_ms, .. } = question.span;
    let until = |row: &Holder| row.until_ms.unwrap_or(i64::MAX);
    match question.mode {
        Mode::Any => !rows.is_empty(),
        Mode::AtEnd => rows.iter().any(|row| row.since_ms < to_ms && until(row) >= to_ms),
        Mode::All => {
            let mut held: Vec<Stretch> = rows.iter().map(|row| (row.since_ms, until(row))).collect();
            held.sort_unstable();
            let reached = held.into_iter().fold(from_ms, |reached, (since_ms, until_ms)| {
                if since_ms <= reached { reached.max(until_ms) } else { reached }
            });
            reached >= to_ms
        }
    }
}

/// The rows of an identity: for each interval each path, and when both were there.
pub(crate) fn holder_rows(held: Vec<HolderRow>, span: Span, paths: &Paths) -> Vec<Holder> {
    let mut rows = Vec::new();
    for HolderRow { identity_id, row: LedgerRow { interval, .. } } in held {
        let until_ms = interval.end.as_ref().map_or(i64::MAX, |end| end.valid_to_ms);
        let Some(item) = paths.items.get(&interval.holding.item) else { continue };
        for path in paths.by_item.get(&interval.holding.item).into_iter().flatten() {
            for (since_ms, until_ms) in common(&[(interval.valid_from_ms, until_ms)], &path.stretches) {
                if since_ms >= span.to_ms || until_ms <= span.from_ms {
                    continue;
                }
                let first = (!path.steps.is_empty()).then(|| called(item));
                rows.push(Holder {
                    identity_id: identity_id.clone(),
                    identity: identity_id.clone(),
                    item: item.clone(),
                    through: first.into_iter().chain(path.steps.iter().cloned()).collect(),
                    since_ms,
                    until_ms: (until_ms != i64::MAX).then_some(until_ms),
                    interval: interval.clone(),
                    walked: Arc::clone(&path.walked),
                });
            }
        }
    }
    rows
}

/// Reads holders, one identity at a time.
struct Reader<'q> {
    question: &'q WhoHad<'q>,
    items: Vec<i64>,
    from_identity: String,
    rows: VecDeque<HolderRow>,
    rows_max: u32,
    is_last: bool,
}

impl<'q> Reader<'q> {
    fn new(question: &'q WhoHad<'q>, paths: &Paths, page: &PageRequest) -> Self {
        Self {
            question,
            items: paths.by_item.keys().copied().collect(),
            from_identity: page.after.as_ref().map(|after| after.id.clone()).unwrap_or_default(),
            rows: VecDeque::new(),
            rows_max: page.limit.clamp(ROWS_READ, ROWS_READ_MAX),
            is_last: false,
        }
    }

    /// The next identity with all its rows.
    async fn next(&mut self, tx: &mut Tx) -> Result<Option<(String, Vec<HolderRow>)>> {
        loop {
            if let Some(first) = self.rows.front() {
                let id = first.identity_id.clone();
                let count = self.rows.iter().take_while(|row| row.identity_id == id).count();
                if count < self.rows.len() || self.is_last {
                    return Ok(Some((id, self.rows.drain(..count).collect())));
                }
                // It may have more of them: it is read again, with those that follow.
                if count == usize::try_from(self.rows_max).unwrap_or(usize::MAX) {
                    self.rows_max = self.rows_max.saturating_mul(4);
                }
                self.from_identity = id;
            } else if self.is_last {
                return Ok(None);
            }
            let question = HoldersQuestion {
                items: &self.items,
                span: self.question.span,
                within: self.question.within,
                from_identity: &self.from_identity,
                rows_max: self.rows_max,
            };
            self.rows = holders(tx, question).await?.into();
            self.is_last = self.rows.len() < usize::try_from(self.rows_max).unwrap_or(usize::MAX);
        }
    }
}

/// All pages of the holders of an item.
pub fn holder_pages(item: String, span: Span, mode: Mode, direct_only: bool) -> Box<dyn Pages> {
    pages(move |tx, after| {
        let item = item.clone();
        Box::pin(async move {
            let question = WhoHad { item: &item, span, mode, direct_only, within: None };
            let page = PageRequest { limit: PAGE_ROWS, after };
            let found = who_had(tx, &question, &page).await?;
            Ok((found.rows, found.next))
        })
    })
}
