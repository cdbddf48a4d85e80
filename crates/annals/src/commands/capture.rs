//! `annals capture`: captures one object now, in a run of its own (IIQ-01).

use std::sync::Arc;

use annals_config::Config;
use annals_config::banner::run_banners;
use annals_dispatcher::Scope;
use annals_runs::Trigger;

use crate::cli::{Global, ObjectArgs};
use crate::commands::run::Executing;
use crate::commands::transform::{find_one, not_configured};
use crate::context::{find_task, open_source};
use crate::exit::{Exit, Failure};

pub(crate) async fn execute(
    global: &Global,
    config: Config,
    arguments: &ObjectArgs,
) -> Result<Exit, Failure> {
    let config = Arc::new(config);
    let task = find_task(&config, None)?;
    let banners = run_banners(&config, task);
    if banners.objects.iter().all(|object_type| *object_type != arguments.object_type) {
        return Err(match banners.banners.into_iter().next() {
            Some(banner) => Failure::usage(banner.text, "See `annals check`."),
            None => not_configured(task, arguments.object_type),
        });
    }
    let source = Arc::new(open_source(&config).await?);
    let ids = [find_one(&source, arguments).await?];
    let scope = Scope::Objects(arguments.object_type, &ids);
    let executing = Executing::begin(global, &config, source).await?;
    let outcome = executing.pipeline.execute(task, Trigger::Adhoc, scope, executing.done()).await;
    let executed = executing.end().await;
    executed.report(global, outcome?.run_id).await
}
