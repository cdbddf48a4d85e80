//! Every statement of the crate is understood by every engine.

use annals_sql::{Access, Db, Engine, Stmt};
use annals_testkit::{database, history_engines};

use crate::changes::statements;
use crate::{certainty, names, orphans};

fn all(engine: Engine) -> Vec<Stmt> {
    let mut all = vec![names::NAMES, orphans::statement(false), orphans::statement(true)];
    all.extend(statements(engine));
    all.extend(certainty::STATEMENTS);
    all
}

#[tokio::test]
async fn every_statement_prepares() {
    for engine in history_engines() {
        let outside = database(engine);
        let db = Db::open(outside.url(), Access::ReadWrite).await.unwrap();
        db.migrate(annals_history::migrations(db.engine())).await.unwrap();
        for statement in all(db.engine()) {
            let mut tx = db.begin_read().await.unwrap();
            let prepared = tx.prepare(&statement).await;
            prepared.unwrap_or_else(|error| panic!("{} on {engine}: {error:?}", statement.name));
        }
    }
}
