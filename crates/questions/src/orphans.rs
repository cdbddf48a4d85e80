//! `orphans`: accounts that nobody answers for, as of an instant.

use annals_history::{Page, PageRequest, Position};
use annals_sql::{Stmt, Tx, Value as Param};
use serde_json::{Value, json};

use crate::Result;
use crate::export::{PAGE_ROWS, Pages, pages};
use crate::row::{Column, Kind, Row};

/// Who may be told of whom is put in the place of `{within}`.
const ORPHANS: &str = "with account as (
        select account_id, identity_id, identity_name, application_name, displayable_name, deleted,
            row_number() over (partition by account_id order by effective_date desc, created desc, id desc) as age
        from spt_hist_account_capture where effective_date <= ? and created <= ?),
     there as (
        select * from account where age = 1 and coalesce(deleted, 0) = 0 and account_id is not null{within}),
     owner as (
        select id, identity_id, identity_name, inactive,
            row_number() over (partition by identity_id order by effective_date desc, created desc, id desc) as age
        from spt_hist_identity_capture
        where effective_date <= ? and created <= ? and identity_id in (select identity_id from there)),
     judged as (
        select t.account_id, t.application_name, t.displayable_name, t.identity_id,
            coalesce(o.identity_name, t.identity_name) as identity_name,
            case when o.identity_id is null then 'no owner'
                when exists (select 1 from spt_hist_identity_event e where e.entity_id = o.identity_id
                    and e.capture_id = o.id and e.event_type = 'IdentityDeleted') then 'deleted'
                when o.inactive = 1 then 'inactive' end as reason
        from there t left join owner o on o.identity_id = t.identity_id and o.age = 1)
     select account_id, application_name, displayable_name, identity_id, identity_name, reason
     from judged where reason is not null and account_id > ? order by account_id limit ?";

pub(crate) fn statement(within: bool) -> Stmt {
    let within = if within { " and identity_id {in}" } else { "" };
    Stmt::built("questions.orphans", ORPHANS.replace("{within}", within))
}

/// An account that nobody answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanAccount {
    /// Its id.
    pub account_id: String,
    /// The application that it is of.
    pub application: Option<String>,
    /// Its display name, or what the application calls it.
    pub account: Option<String>,
    /// Id of the identity that it belonged to.
    pub identity_id: Option<String>,
    /// Name of that identity.
    pub identity: Option<String>,
    /// `inactive`, `deleted`, or `no owner`.
    pub reason: String,
}

/// The accounts that were there at an instant and whose identity was inactive or gone then, or not known to history; with
/// `known_at_ms` as far as history knew then, with `within` only those of these identities.
///
/// # Errors
/// As any call.
pub async fn orphan_accounts(
    tx: &mut Tx,
    at_ms: i64,
    known_at_ms: Option<i64>,
    within: Option<&[String]>,
    page: &PageRequest,
) -> Result<Page<OrphanAccount>> {
    let known_ms = known_at_ms.unwrap_or(i64::MAX);
    let mut params = vec![Param::from(at_ms), known_ms.into()];
    params.extend(within.map(|within| Param::from(within.to_vec())));
    let after = page.after.as_ref().map_or("", |after| after.id.as_str());
    params.extend([at_ms.into(), known_ms.into(), after.into(), page.limit()]);
    let rows = tx.fetch_all(&statement(within.is_some()), params).await?;
    let read = |row: &annals_sql::Row| {
        let text =
            |index| row.text(index).map(|text| text.map(str::to_owned).filter(|text| !text.is_empty()));
        Ok(OrphanAccount {
            account_id: row.required_text(0)?.to_owned(),
            application: text(1)?,
            account: text(2)?,
            identity_id: text(3)?,
            identity: text(4)?,
            reason: row.required_text(5)?.to_owned(),
        })
    };
    let rows = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(rows, |account| Position { recorded_ms: 0, id: account.account_id.clone() }))
}

impl Row for OrphanAccount {
    const COLUMNS: &'static [Column] = &[
        Column::new("application", Kind::Text),
        Column::new("account", Kind::Text),
        Column::new("identity", Kind::Text),
        Column::new("reason", Kind::Text),
        Column::for_programs("account id", Kind::Text),
        Column::for_programs("identity id", Kind::Text),
    ];

    fn cells(&self) -> Vec<Value> {
        vec![
            json!(self.application),
            json!(self.account),
            json!(self.identity),
            json!(self.reason),
            json!(self.account_id),
            json!(self.identity_id),
        ]
    }
}

/// All pages of the accounts that nobody answered for.
pub fn orphan_pages(at_ms: i64, known_at_ms: Option<i64>) -> Box<dyn Pages> {
    pages(move |tx, after| {
        Box::pin(async move {
            let page = PageRequest { limit: PAGE_ROWS, after };
            let found = orphan_accounts(tx, at_ms, known_at_ms, None, &page).await?;
            Ok((found.rows, found.next))
        })
    })
}
