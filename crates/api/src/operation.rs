//! What can be asked: the one list that routes, rights and the interface's description are made from.

mod classes;
mod populations;

use std::sync::LazyLock;

use annals_model::ObjectType;
use annals_sql::Tx;
use futures::future::BoxFuture;

use crate::ask::{Answer, Question};
use crate::export;
use crate::openapi::columns;
use crate::problem::Problem;
use crate::resources::{acts, letters, runs, schedules, sessions};
use crate::right::Right;

/// Where all paths begin.
pub(crate) const ROOT: &str = "/api/v1";

/// Where the paths begin that clients of the reference know (BRV-10).
const REFERENCE_ROOT: &str = "/api/rest/v2";

/// A function that answers.
pub(crate) type Answering =
    for<'a> fn(&'a Question<'a>, &'a mut Tx) -> BoxFuture<'a, Result<Answer, Problem>>;

/// Something that can be asked.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// Its name in the description and in the access log.
    pub(crate) id: String,
    /// Path of the URL, open places in braces.
    pub(crate) path: String,
    /// A line about it.
    pub(crate) summary: String,
    pub(crate) right: Right,
    /// Options that it takes.
    pub(crate) options: Vec<&'static str>,
    /// It may take long: only a few at a time.
    pub(crate) heavy: bool,
    /// Its answer keeps to the scope of who asks ([`Question::scope`]), so that readers of a part of history may ask.
    pub(crate) within_scope: bool,
    /// It tells what identities hold.
    pub(crate) of_access: bool,
    /// The class of objects that it is about.
    pub(crate) object_type: Option<ObjectType>,
    /// The form of what is answered.
    pub(crate) form: Form,
    pub(crate) answer: Answering,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A question: nothing is changed.
    Get,
    /// An act.
    Post,
}

impl Method {
    /// In the description.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Several things of a schema, in pages.
    List(&'static str),
    /// One thing of a schema.
    One(&'static str),
    /// A run's progress, as server-sent events.
    Events,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let of_history = classes::operations().chain(populations::operations());
    let all = of_history.chain(of_runs()).chain(of_service()).chain(of_reference()).chain(acts());
    all.map(exported).collect()
});

/// Everything that can be asked.
pub(crate) fn operations() -> &'static [Operation] {
    &OPERATIONS
}

/// Every answer of rows of history can be had as a file.
fn exported(mut operation: Operation) -> Operation {
    let has_columns =
        matches!(operation.form, Form::List(name) if name == "Object" || columns(name).is_some());
    if has_columns && operation.right == Right::ReadHistory {
        operation.options.extend([export::FORMAT, export::TIME_ZONE]);
    }
    operation
}

fn other(
    id: &str,
    path: &str,
    summary: &str,
    options: &[&'static str],
    form: Form,
    answer: Answering,
) -> Operation {
    Operation {
        method: Method::Get,
        id: id.to_owned(),
        path: format!("{ROOT}/{path}"),
        summary: summary.to_owned(),
        right: Right::ReadRuns,
        options: options.to_vec(),
        heavy: false,
        within_scope: false,
        of_access: false,
        object_type: None,
        form,
        answer,
    }
}

const PAGED: [&str; 2] = ["$top", "$skiptoken"];

fn of_runs() -> Vec<Operation> {
    vec![
        other(
            "listRuns",
            "runs",
            "Runs, the newest first",
            &["task", PAGED[0], PAGED[1]],
            Form::List("Run"),
            |question, tx| Box::pin(runs::list(question, tx)),
        ),
        other(
            "getRun",
            "runs/{run}",
            "A run: results, messages, what was written",
            &[],
            Form::One("Run"),
            |question, tx| Box::pin(runs::get(question, tx)),
        ),
        other(
            "followRun",
            "runs/{run}/events",
            "The progress of a run as server-sent events, until it ends",
            &[],
            Form::Events,
            |question, tx| Box::pin(runs::followed(question, tx)),
        ),
        other(
            "listPartitions",
            "runs/{run}/partitions",
            "The partitions of a run",
            &[],
            Form::List("Partition"),
            |question, tx| Box::pin(runs::partitions(question, tx)),
        ),
        other(
            "listRunFailures",
            "runs/{run}/failures",
            "What failed in a run",
            &[],
            Form::List("Failure"),
            |question, tx| Box::pin(runs::failures(question, tx)),
        ),
        other(
            "listFailedObjects",
            "tasks/{task}/failures",
            "Objects of a task that failed and are to be tried again",
            &[],
            Form::List("FailedObject"),
            |question, tx| Box::pin(runs::failed_objects(question, tx)),
        ),
        other(
            "listDeadLetters",
            "dead-letters",
            "Messages that were given up, those of one object in the order in which they were read",
            &["class", "object", "run", "$top"],
            Form::List("DeadLetter"),
            |question, tx| Box::pin(runs::dead_letters(question, tx)),
        ),
    ]
}

fn of_service() -> Vec<Operation> {
    let tasks =
        other("listTasks", "tasks", "Tasks with their schedules", &[], Form::List("Task"), |question, tx| {
            Box::pin(schedules::tasks(question, tx))
        });
    let fires = other(
        "listFires",
        "tasks/{task}/fires",
        "What became of a task's planned fires, the newest first",
        &PAGED,
        Form::List("Fire"),
        |question, tx| Box::pin(schedules::fires(question, tx)),
    );
    let hosts = other(
        "listHosts",
        "hosts",
        "The processes that work on runs",
        &[],
        Form::List("Host"),
        |question, tx| Box::pin(schedules::hosts(question, tx)),
    );
    let accesses = other(
        "listAccesses",
        "access-log",
        "Who asked what, the newest first",
        &["who", "what", "from", "to", PAGED[0], PAGED[1]],
        Form::List("Access"),
        |question, tx| Box::pin(runs::accesses(question, tx)),
    );
    let description = other(
        "getDescription",
        "openapi.json",
        "This description",
        &[],
        Form::One("Description"),
        |question, tx| Box::pin(schedules::description(question, tx)),
    );
    let myself = other(
        "getMyself",
        "me",
        "Who asks: his name, roles and rights, and the part of history that he may read",
        &[],
        Form::One("Myself"),
        |question, tx| Box::pin(schedules::myself(question, tx)),
    );
    vec![
        tasks,
        fires,
        hosts,
        Operation { right: Right::ReadAccessLog, ..accesses },
        Operation { right: Right::Describe, ..description },
        Operation { right: Right::Describe, ..myself },
    ]
}

fn of_reference() -> Vec<Operation> {
    let logs = other(
        "listSessionLogs",
        "",
        "Requests and the operations that they consist of, those that changed last first",
        &["$filter", "$orderby", "$expand", "$top", "$skiptoken", "$count"],
        Form::List("SessionLog"),
        |question, tx| Box::pin(sessions::list(question, tx)),
    );
    let codes = other(
        "listOperationCodes",
        "",
        "The codes of operations in session logs",
        &[],
        Form::List("OperationCode"),
        |question, tx| Box::pin(sessions::codes(question, tx)),
    );
    let right = Right::ReadSessionLogs;
    vec![
        Operation {
            path: format!("{REFERENCE_ROOT}/sessionLogs"),
            right,
            heavy: true,
            within_scope: true,
            ..logs
        },
        Operation { path: format!("{REFERENCE_ROOT}/operationCodes"), right, within_scope: true, ..codes },
    ]
}

fn acts() -> Vec<Operation> {
    let act = |id: &str, path: &str, summary: &str, options: &[&'static str], answer: Answering| Operation {
        method: Method::Post,
        right: Right::Act,
        ..other(id, &format!("tasks/{{task}}/{path}"), summary, options, Form::One("Act"), answer)
    };
    let which = ["class", "object"];
    let beside =
        |id: &str, path: &str, summary: &str, options: &[&'static str], answer: Answering| Operation {
            method: Method::Post,
            right: Right::Act,
            ..other(id, path, summary, options, Form::One("Act"), answer)
        };
    vec![
        beside(
            "cancelRun",
            "runs/{run}/cancel",
            "End a run that is under way; what it has written stays",
            &[],
            |question, tx| Box::pin(letters::cancel(question, tx)),
        ),
        beside(
            "redriveDeadLetter",
            "dead-letters/{letter}/redrive",
            "Let the next run deliver a message that was given up",
            &["reason"],
            |question, tx| Box::pin(letters::redrive(question, tx)),
        ),
        beside(
            "discardDeadLetter",
            "dead-letters/{letter}/discard",
            "Remove a message that was given up",
            &["reason"],
            |question, tx| Box::pin(letters::discard(question, tx)),
        ),
        act(
            "triggerTask",
            "trigger",
            "Execute a task now, or when its run under way has ended",
            &[],
            |question, tx| Box::pin(acts::trigger(question, tx)),
        ),
        act("pauseTask", "pause", "Skip what is planned of a task from now on", &["note"], |question, tx| {
            Box::pin(acts::pause(question, tx))
        }),
        act("resumeTask", "resume", "Let a paused task go on", &[], |question, tx| {
            Box::pin(acts::resume(question, tx))
        }),
        act(
            "retryFailedObject",
            "failures/retry",
            "Give a failed object all its attempts again, out of quarantine too",
            &which,
            |question, tx| Box::pin(acts::retry(question, tx)),
        ),
        act(
            "dropFailedObject",
            "failures/drop",
            "Give a failed object up until it changes",
            &which,
            |question, tx| Box::pin(acts::drop(question, tx)),
        ),
    ]
}
