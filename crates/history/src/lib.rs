//! The history store: the `spt_hist_*` tables and our own beside them.
//!
//! Writing goes through [`Writes`], which gathers what one transaction adds and writes it with one statement a table.
//! Reading answers by effective time and, where asked, by what was known at an instant; a capture is rebuilt from the
//! last full one and its patches and compared with the hash that was recorded, so that a wrong answer is an error.
//!
//! Object ids are taken to be unique within an object type: the history tables, unlike [`heads`], have no column for
//! the source.

mod at;
mod capture_rows;
mod captures;
mod columns;
mod deferred;
mod description;
mod dictionary;
mod document;
mod encoding;
mod entity;
mod error;
mod event;
mod fields;
pub mod find;
mod growth;
mod head;
mod hidden;
mod interval;
mod layout;
mod living;
mod page;
mod rebuild;
mod repack;
mod rows;
mod sample;
mod saving;
mod schema;
mod scope;
mod sequence;
mod settle;
mod sighting;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod training;
mod window;
mod write;

pub use at::{AsOf, FoundObject, as_of, find_objects};
pub use captures::{CaptureSummary, KeptState, captures, captures_within, kept};
pub use deferred::{
    begin_with_head_key, defer_indexes, is_empty, is_first_load, make_deferred_indexes, make_head_key,
};
pub use description::{ColumnDescription, ColumnSource, TableDescription, TableRows, describe};
pub use dictionary::Dictionaries;
pub use document::{DOCUMENT_BYTES_MAX, IMAGE_DEPTH_MAX, event_id, full_document};
pub use encoding::{Encoder, inflate};
pub use error::{Error, Fault, RebuildError};
pub use growth::{DayGrowth, TableGrowth, growth};
pub use head::{head_images, heads, lock_head};
pub use hidden::Hidden;
pub use interval::{
    AccessCheck, AccessFact, AccessItems, AccessQuestion, AccessRebuild, HeldAccess, HolderRow,
    HoldersQuestion, ItemText, Rebuilt, Span, access, access_check, access_items, access_items_with,
    access_ledger, grants_of, has_intervals, holders, write_access,
};
pub use layout::PATCHES_MAX;
pub use living::{living, living_page, owners};
pub use page::{Page, PageRequest, Position};
pub use rebuild::{HeadImage, apply_patch};
pub use repack::{Repack, Repacked, Training};
pub use saving::{CompactSaving, compact_saving};
pub use schema::{create_reference_indexes, migrations, open};
pub use scope::Scope;
pub use sequence::{Audit, KeptCapture, KeptDocument, drop_captures, kept_document, remove_events, sequence};
pub use settle::settle_request_items;
pub use timeline::{EventRow, TimelineRange, timeline, timeline_within};
pub use window::{Window, window};
pub use write::{FlushSummary, NewCapture, NewDocument, Writes};

/// Every statement of this crate, for the test that prepares them on each engine.
#[cfg(test)]
fn statements(engine: annals_sql::Engine) -> Vec<annals_sql::Stmt> {
    let mut statements = vec![
        at::FIND,
        deferred::ANY_HEAD,
        find::KINDS,
        deferred::DEFERRED_BY,
        deferred::IS_DEFERRED,
        deferred::TABLES,
        deferred::OF_TABLE,
        deferred::TAKE,
        head::KIND,
        head::LOCK,
        head::NEWEST,
        living::LIVING,
        living::LIVING_PAGE,
        schema::DATABASE_VERSION,
        scope::BELOW,
        scope::IDENTITIES,
        capture_rows::NO_LONGER_LATEST,
        dictionary::BY_ID,
        dictionary::NEWEST,
        dictionary::ADD,
    ];
    statements.extend(interval::statements(engine));
    statements.extend(sequence::statements());
    statements.extend([sighting::OF_CAPTURES, sighting::DROP, window::READ]);
    statements.extend(layout::statements().into_iter().cloned());
    statements.extend(scope::statements().into_iter().cloned());
    statements.extend(timeline::statements().into_iter().cloned());
    statements.extend(growth::statements().into_iter().cloned());
    statements
}
