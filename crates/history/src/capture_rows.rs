//! The captures of one object type, on their way into their tables.

use std::collections::{BTreeSet, HashMap};

use annals_model::Image;
use annals_sql::{Engine, Stmt, Tx, Value as Param};

use crate::layout::Layout;
use crate::rows::Rows;
use crate::text::stored_id;
use crate::{Error, fields, schema};

/// Only identity captures are marked.
pub(crate) const NO_LONGER_LATEST: Stmt = Stmt::new(
    "history.no_longer_latest",
    "update spt_hist_identity_capture set latest = 0 where identity_id {in} and latest = 1",
);

/// Column with the capture of the request that an item belongs to, which the identity system does not know.
const REQUEST_CAPTURE: &str = "identity_request_capture_id";

/// What finds a request's captures for its items; it stays while history is filled for the first time.
pub(crate) const REQUESTS_INDEX: &str = "spt_hist_identity_req_capture_object";

/// The captures of a list of requests, the newest first.
pub(crate) fn of_requests_stmt(engine: Engine) -> Result<Stmt, annals_sql::Error> {
    let each = engine.each_listed(
        "spt_hist_identity_req_capture",
        "c",
        "identity_request_id = listed.value order by effective_date desc",
    )?;
    Ok(Stmt::built("history.captures_of_requests", format!("select c.identity_request_id, c.id from {each}")))
}

/// The captures of one object type.
#[derive(Debug)]
pub(crate) struct Captures {
    pub(crate) layout: &'static Layout,
    pub(crate) rows: Rows,
    children: Vec<Rows>,
    /// Rows that lack a text which must not be null.
    incomplete: Vec<usize>,
    /// The newest row of each object, where the table marks it.
    newest: HashMap<String, usize>,
    /// Objects whose captures in the table are no longer the newest.
    outdated: BTreeSet<String>,
    /// They are captures of one object, and later ones may stand in the table.
    pub(crate) between: bool,
}

impl Captures {
    pub(crate) fn new(layout: &'static Layout) -> Self {
        let children =
            layout.mapping.children.iter().map(|child| Rows::new(schema::table(child.table))).collect();
        let rows = Rows::new(layout.table);
        Self {
            layout,
            rows,
            children,
            incomplete: Vec::new(),
            newest: HashMap::new(),
            outdated: BTreeSet::new(),
            between: false,
        }
    }

    pub(crate) fn add_children(&mut self, capture_id: &str, image: &Image) {
        for (child, rows) in self.layout.mapping.children.iter().zip(&mut self.children) {
            let elements = image.image_fields.get(child.field).and_then(|field| field.as_array());
            for (element, idx) in elements.into_iter().flatten().zip(0_i64..) {
                rows.push();
                rows.text(child.parent, Some(capture_id));
                rows.int("idx", Some(idx));
                fields::fill_element(rows, child.columns, element);
            }
        }
    }

    /// Remembers what is wanting of a row, and whether it is its object's newest.
    pub(crate) fn mark(&mut self, row: usize, object_id: &str, latest: bool, known: bool) {
        if self.layout.inherited.iter().any(|column| self.rows.text_of(row, column).is_none()) {
            self.incomplete.push(row);
        }
        if self.layout.table.has("latest") {
            self.rows.int_at(row, "latest", Some(latest.into()));
            if latest {
                let id = stored_id(object_id).into_owned();
                if known {
                    self.outdated.insert(id.clone());
                }
                if let Some(before) = self.newest.insert(id, row) {
                    self.rows.int_at(before, "latest", Some(0));
                }
            }
        }
    }

    /// Writes captures and child rows; how many child rows.
    pub(crate) async fn write(mut self, tx: &mut Tx) -> Result<usize, Error> {
        if self.between {
            self.inherit_before(tx).await?;
        } else {
            self.inherit(tx).await?;
        }
        self.refer_to_requests(tx).await?;
        if !self.outdated.is_empty() {
            let objects: Vec<String> = self.outdated.into_iter().collect();
            tx.execute(&NO_LONGER_LATEST, vec![Param::from(objects)]).await?;
        }
        self.rows.insert(tx).await?;
        let mut child_rows = 0;
        for children in self.children {
            child_rows += children.len();
            children.insert(tx).await?;
        }
        Ok(child_rows)
    }

    /// Gives items of access requests the newest capture of their request, where there is one.
    async fn refer_to_requests(&mut self, tx: &mut Tx) -> Result<(), Error> {
        if !self.layout.table.has(REQUEST_CAPTURE) {
            return Ok(());
        }
        let request_of = |rows: &Rows, row| rows.text_of(row, "identity_request_id").map(str::to_owned);
        let mut wanted: Vec<String> =
            (0..self.rows.len()).filter_map(|row| request_of(&self.rows, row)).collect();
        wanted.sort();
        wanted.dedup();
        let mut captures: HashMap<String, String> = HashMap::with_capacity(wanted.len());
        if !wanted.is_empty() {
            for row in tx.fetch_all(&of_requests_stmt(tx.engine())?, vec![Param::from(wanted)]).await? {
                let capture = row.required_text(1)?.to_owned();
                captures.entry(row.required_text(0)?.to_owned()).or_insert(capture);
            }
        }
        for row in 0..self.rows.len() {
            let capture = request_of(&self.rows, row).and_then(|request| captures.get(&request));
            self.rows.text_at(row, REQUEST_CAPTURE, capture.map(String::as_str));
        }
        Ok(())
    }

    /// The same where the newest capture need not be the one before.
    async fn inherit_before(&mut self, tx: &mut Tx) -> Result<(), Error> {
        for row in std::mem::take(&mut self.incomplete) {
            let id = self.rows.text_of(row, self.layout.mapping.object_id).unwrap_or_default();
            let at = self.rows.int_of(row, "effective_date");
            let params = vec![Param::from(id), Param::Int(at)];
            let stored = tx.fetch_optional(&self.layout.inherit_before, params).await?;
            let stored = stored.as_ref();
            let since = match stored {
                Some(stored) => stored.int(self.layout.inherited.len() + 1)?,
                None => None,
            };
            // Rows stand in the order of their dates.
            let beside =
                row.checked_sub(1).filter(|before| self.rows.int_of(*before, "effective_date") > since);
            for (index, column) in self.layout.inherited.iter().enumerate() {
                let before = match (beside, stored) {
                    (Some(beside), _) => self.rows.text_of(beside, column).map(str::to_owned),
                    (None, Some(stored)) => stored.text(index + 1)?.map(str::to_owned),
                    (None, None) => None,
                };
                if self.rows.text_of(row, column).is_none() {
                    self.rows.text_at(row, column, Some(before.as_deref().unwrap_or_default()));
                }
            }
        }
        Ok(())
    }

    /// Gives the incomplete rows what they lack from the capture before, in these rows or in the table: a deletion
    /// does not tell whose the object was. Where no capture tells it, it is empty, for null is not allowed.
    async fn inherit(&mut self, tx: &mut Tx) -> Result<(), Error> {
        if self.incomplete.is_empty() {
            return Ok(());
        }
        let object_id = self.layout.mapping.object_id;
        let id_of = |rows: &Rows, row| rows.text_of(row, object_id).unwrap_or_default().to_owned();
        let mut wanted: Vec<String> = self.incomplete.iter().map(|row| id_of(&self.rows, *row)).collect();
        wanted.sort();
        wanted.dedup();
        let mut known: HashMap<String, Vec<Option<String>>> = HashMap::with_capacity(wanted.len());
        for row in tx.fetch_all(&self.layout.inherit, vec![Param::from(wanted)]).await? {
            let values = (1..=self.layout.inherited.len())
                .map(|index| row.text(index).map(|value| value.map(str::to_owned)))
                .collect::<Result<_, _>>()?;
            known.insert(row.required_text(0)?.to_owned(), values);
        }
        let mut incomplete = self.incomplete.drain(..).peekable();
        for row in 0..self.rows.len() {
            let id = id_of(&self.rows, row);
            if incomplete.next_if_eq(&row).is_some() {
                let before = known.get(&id);
                for (index, column) in self.layout.inherited.iter().enumerate() {
                    if self.rows.text_of(row, column).is_none() {
                        let value = before.and_then(|values| values[index].as_deref());
                        self.rows.text_at(row, column, Some(value.unwrap_or_default()));
                    }
                }
            }
            let values =
                self.layout.inherited.iter().map(|column| self.rows.text_of(row, column).map(str::to_owned));
            known.insert(id, values.collect());
        }
        Ok(())
    }
}
