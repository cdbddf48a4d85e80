//! What only the end of a run can say, because its objects are written in any order.

use annals_sql::{Stmt, Tx};

use crate::Error;

pub(crate) const REQUEST_ITEMS: Stmt = Stmt::new(
    "history.settle_request_items",
    "update spt_hist_identity_req_item_capture set identity_request_capture_id = newest.id
     from (select identity_request_id, id, row_number() over (partition by identity_request_id
             order by effective_date desc, created desc, id desc) as age
           from spt_hist_identity_req_capture
           where identity_request_id in (
             select identity_request_id from spt_hist_identity_req_item_capture
             where identity_request_capture_id is null and identity_request_id is not null)) newest
     where newest.age = 1
       and newest.identity_request_id = spt_hist_identity_req_item_capture.identity_request_id
       and spt_hist_identity_req_item_capture.identity_request_capture_id is null
       and spt_hist_identity_req_item_capture.identity_request_id is not null",
);

/// Gives the captures of request items that were written before their request the newest capture of it; how many there
/// were without one.
///
/// # Errors
/// As any call.
pub async fn settle_request_items(tx: &mut Tx) -> Result<u64, Error> {
    Ok(tx.execute(&REQUEST_ITEMS, Vec::new()).await?)
}
