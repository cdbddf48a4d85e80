//! Questions about access.

use annals_history::AccessQuestion;
use annals_sql::Tx;

use super::objects::{one, page_request};
use super::{flag, page, told_rows};
use crate::ask::{Answer, Question};
use crate::problem::Problem;
use crate::{instant, skip_token};

/// All that an identity held at an instant.
pub(crate) async fn held(question: &Question<'_>, tx: &mut Tx) -> Result<Answer, Problem> {
    let request = page_request(question)?;
    let asked = AccessQuestion {
        at_ms: instant::option(question, "at")?.unwrap_or(i64::MAX),
        known_at_ms: instant::option(question, "knownAsOf")?,
        additional_only: flag(question, "additionalOnly")?,
    };
    let identity = one(question, tx).await?;
    let Some(found) = annals_history::access(tx, &identity.key, asked, &request).await? else {
        return Err(Problem::not_found(format!(
            "a capture of identity `{}` at that instant",
            identity.key.object_id
        )));
    };
    let next = found.next.map(|next| skip_token::of_position(next.recorded_ms, &next.id));
    Ok(page(question, told_rows(&found.rows), next))
}
