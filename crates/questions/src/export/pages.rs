//! An answer as long as it may be, page by page.

use annals_sql::Tx;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::Result;
use crate::row::{Column, Row};

/// Rows of a page of an export: so many are in memory at a time.
pub const PAGE_ROWS: u32 = 2_000;

/// The pages of an answer.
pub trait Pages: Send {
    /// The columns of its rows.
    fn columns(&self) -> Vec<Column>;

    /// The next page's rows, a cell for each column; none after the last page.
    fn next<'p>(&'p mut self, tx: &'p mut Tx) -> BoxFuture<'p, Result<Option<Vec<Vec<Value>>>>>;
}

/// What stands in rows.
pub fn cells<R: Row>(rows: &[R]) -> Vec<Vec<Value>> {
    rows.iter().map(Row::cells).collect()
}

/// The pages of a question with keyset paging: `page` gives the rows after a place, and where the next page begins.
pub fn pages<R, C, F>(page: F) -> Box<dyn Pages>
where
    R: Row + 'static,
    C: Send + 'static,
    F: for<'t> FnMut(&'t mut Tx, Option<C>) -> BoxFuture<'t, Result<(Vec<R>, Option<C>)>> + Send + 'static,
{
    Box::new(Keyset { page, after: None, ended: false, rows: std::marker::PhantomData })
}

/// An answer that is there as a whole, as pages.
pub fn rows<R: Row + Send + 'static>(rows: Vec<R>) -> Box<dyn Pages> {
    let mut whole = Some(rows);
    pages(move |_, _: Option<()>| {
        let rows = whole.take().unwrap_or_default();
        Box::pin(async move { Ok((rows, None)) })
    })
}

struct Keyset<R, C, F> {
    page: F,
    after: Option<C>,
    ended: bool,
    rows: std::marker::PhantomData<fn() -> R>,
}

impl<R, C, F> Pages for Keyset<R, C, F>
where
    R: Row,
    C: Send,
    F: for<'t> FnMut(&'t mut Tx, Option<C>) -> BoxFuture<'t, Result<(Vec<R>, Option<C>)>> + Send,
{
    fn columns(&self) -> Vec<Column> {
        R::COLUMNS.to_vec()
    }

    fn next<'p>(&'p mut self, tx: &'p mut Tx) -> BoxFuture<'p, Result<Option<Vec<Vec<Value>>>>> {
        Box::pin(async move {
            if self.ended {
                return Ok(None);
            }
            let asked = (self.page)(tx, self.after.take());
            let (rows, next) = asked.await?;
            self.ended = next.is_none();
            self.after = next;
            Ok(Some(cells(&rows)))
        })
    }
}
