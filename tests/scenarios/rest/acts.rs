//! What people do about tasks.

use serde_json::{Value, json};

use super::{Answered, Rest, token};
use crate::site::TASK;

/// A site, asked by an operator, with what he does.
struct Operated {
    rest: Rest,
    operator: String,
}

impl Operated {
    async fn everywhere() -> Vec<Self> {
        let mut all = Vec::new();
        for rest in Rest::everywhere().await {
            let operator = token(&rest.site, "olga", "operator");
            all.push(Self { rest, operator });
        }
        all
    }

    fn act(&self, path: &str) -> Answered {
        self.by(&self.operator, path)
    }

    fn by(&self, token: &str, path: &str) -> Answered {
        let lines = format!("Authorization: Bearer {token}\r\nContent-Length: 0\r\n");
        self.rest.send("POST", &format!("/api/v1/tasks/{path}"), &lines)
    }

    /// Operations of the access log with their statuses, in the order of time.
    fn noted(&self) -> Vec<String> {
        self.rest
            .site
            .look("select operation, status from annals_access where principal = 'olga' order by at, id;")
    }
}

/// A task is triggered, paused and let go on, by an operator and by no reader; each act is a row of the access log.
#[tokio::test]
async fn an_operator_acts_on_tasks() {
    for operated in Operated::everywhere().await {
        let site = &operated.rest.site;
        assert_eq!(operated.by(&operated.rest.auditor, &format!("{TASK}/trigger")).status, 403);
        assert_eq!(site.count("select count(*) from annals_schedule_fire;"), 0);
        let triggered = operated.act(&format!("{TASK}/trigger"));
        assert_eq!((triggered.status, &triggered.body["task"]), (200, &Value::from(TASK)), "{triggered:#?}");
        assert_eq!(
            site.look("select task, kind, outcome from annals_schedule_fire;"),
            [format!("{TASK}|asked|waiting")]
        );
        let fires = operated.rest.all(&format!("/api/v1/tasks/{TASK}/fires"));
        assert_eq!(fires[0]["planned"], triggered.body["planned"]);

        assert_eq!(
            operated.act(&format!("{TASK}/pause?note=audit")).body,
            json!({"task": TASK, "changed": true})
        );
        assert_eq!(operated.act(&format!("{TASK}/pause")).body, json!({"task": TASK, "changed": false}));
        let tasks = operated.rest.all("/api/v1/tasks");
        let task = tasks.iter().find(|task| task["task"] == TASK).unwrap();
        assert_eq!((&task["paused"], &task["note"]), (&true.into(), &"audit".into()));
        assert_eq!(operated.act(&format!("{TASK}/resume")).body, json!({"task": TASK, "changed": true}));
        assert_eq!(operated.rest.all("/api/v1/tasks")[0]["paused"], false);
        assert_eq!(operated.act("other/trigger").status, 404);
        let get = operated.rest.ask(Some(&operated.operator), &format!("/api/v1/tasks/{TASK}/trigger"));
        assert_eq!((get.status, get.head.contains("allow: post")), (405, true), "{get:#?}");
        let expected =
            ["triggerTask|200", "pauseTask|200", "pauseTask|200", "resumeTask|200", "triggerTask|404"];
        assert_eq!(operated.noted(), expected);
    }
}

/// A failed object is given its attempts again, or given up.
#[tokio::test]
async fn an_operator_decides_about_failed_objects() {
    for operated in Operated::everywhere().await {
        let site = &operated.rest.site;
        site.history.sql(&format!(
            "insert into annals_failed_object
               (task, object_type, object_id, stage, attempts, first_failed, last_failed, error, run_id)
             values ('{TASK}', 'identity', 'i1', 'load', 5, 1000, 2000, 'no such row', 2);"
        ));
        let path = |act: &str, which: &str| format!("{TASK}/failures/{act}?{which}");
        assert_eq!(operated.act(&path("retry", "class=role&object=i1")).status, 404);
        let retried = operated.act(&path("retry", "class=identity&object=i1"));
        assert_eq!(retried.body, json!({"task": TASK, "changed": true}), "{retried:#?}");
        assert_eq!(site.look("select attempts from annals_failed_object;"), ["0"]);
        for (which, wrong) in
            [("object=i1", "class"), ("class=identity", "object"), ("class=x&object=i1", "class")]
        {
            let answered = operated.act(&path("drop", which));
            assert_eq!((answered.status, &answered.body["parameter"]), (400, &wrong.into()), "{answered:#?}");
        }
        assert_eq!(operated.act(&path("drop", "class=identity&object=i1")).status, 200);
        assert_eq!(site.count("select count(*) from annals_failed_object;"), 0);
        assert_eq!(operated.act(&path("drop", "class=identity&object=i1")).status, 404);
    }
}

/// Where an act cannot be noted it is not done.
#[tokio::test]
async fn what_cannot_be_noted_is_not_done() {
    for operated in Operated::everywhere().await {
        let site = &operated.rest.site;
        site.history.sql("alter table annals_access rename to annals_access_away;");
        assert_eq!(operated.act(&format!("{TASK}/trigger")).status, 500);
        assert_eq!(site.count("select count(*) from annals_schedule_fire;"), 0);
        site.history.sql("alter table annals_access_away rename to annals_access;");
        assert_eq!(operated.act(&format!("{TASK}/trigger")).status, 200);
        assert_eq!(site.count("select count(*) from annals_schedule_fire;"), 1);
    }
}
