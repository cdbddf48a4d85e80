//! Figures in the words of Prometheus, made anew for each question: what is gone leaves no figure behind.

use std::sync::Arc;
use std::time::Duration;

use annals_runs::figures::{Figures, OfTask};
use annals_runs::hosts::HostState;
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::cli::Role;
use crate::presence::Presence;

/// What there is to tell.
pub(super) struct Seen<'s> {
    /// What the history database says, and how long ago it did; `None` where it does not answer.
    pub(super) figures: Option<(Arc<Figures>, Duration)>,
    /// How long ago the source's oldest open transaction began, milliseconds, where that is known.
    pub(super) oldest_transaction_ms: Option<i64>,
    /// This process.
    pub(super) presence: &'s Presence,
}

/// All figures in Prometheus' text format.
pub(super) fn text(seen: &Seen<'_>) -> prometheus::Result<String> {
    let page = Page(Registry::new());
    of_process(&page, seen)?;
    if let Some((figures, age)) = &seen.figures {
        page.gauge(
            "annals_history_figures_age_seconds",
            "How long ago the figures of the history database were read.",
            age.as_secs_f64(),
        )?;
        of_runs(&page, figures)?;
        of_tasks(&page, figures)?;
        of_hosts(&page, figures)?;
    }
    TextEncoder::new().encode_to_string(&page.0.gather())
}

fn of_process(page: &Page, seen: &Seen<'_>) -> prometheus::Result<()> {
    let leases = seen.presence.leases();
    page.gauge(
        "annals_history_up",
        "Whether the history database answers this process.",
        f64::from(u8::from(seen.figures.is_some())),
    )?;
    page.gauge(
        "annals_queue_deliveries",
        "Deliveries that wait for the writers of this process, or that the broker holds.",
        seen.presence.waiting_deliveries() as f64,
    )?;
    page.counters(
        "annals_lease_takeovers_total",
        "Partitions whose lease ran out, and runs that nobody drove, taken over by this process.",
        &["kind"],
        [(["partition"], leases.partitions_taken_over()), (["run"], leases.runs_adopted())],
    )?;
    page.counters(
        "annals_fenced_writes_total",
        "Deliveries of this process that were not written because another one had the lease.",
        &[],
        [([], leases.fenced_writes())],
    )?;
    if let Some(broker) = seen.presence.broker() {
        page.gauge(
            "annals_broker_up",
            "Whether the broker answers this process.",
            f64::from(u8::from(broker.is_connected())),
        )?;
        page.gauge(
            "annals_broker_waiting_workers",
            "Workers of this process that wait for the broker to take a delivery.",
            broker.waiting_publishers() as f64,
        )?;
    }
    if let Some(age_ms) = seen.oldest_transaction_ms {
        page.gauge(
            "annals_source_oldest_transaction_age_seconds",
            "How long ago the oldest open transaction of the source began.",
            seconds(age_ms),
        )?;
    }
    Ok(())
}

fn of_runs(page: &Page, figures: &Figures) -> prometheus::Result<()> {
    page.counters(
        "annals_runs_total",
        "Runs that have ended.",
        &["task", "status", "result"],
        figures.ended.iter().map(|ended| ([ended.task.as_str(), &ended.status, &ended.result], ended.runs)),
    )?;
    page.gauges(
        "annals_last_run_info",
        "1 for status and result of the newest run that has ended.",
        &["task", "status", "result"],
        figures.last.iter().map(|last| ([last.task.as_str(), &last.status, &last.result], 1.0)),
    )?;
    page.gauges(
        "annals_last_run_ended_timestamp_seconds",
        "When the newest run that has ended did so, since 1970.",
        &["task"],
        figures.last.iter().filter_map(|last| Some(([last.task.as_str()], seconds(last.ended_ms?)))),
    )?;
    page.gauges(
        "annals_runs_open",
        "Runs under way.",
        &["task"],
        figures.open.iter().map(|open| ([open.task.as_str()], open.number as f64)),
    )?;
    page.counters(
        "annals_objects_total",
        "Objects by what became of them: full, patch, deleted, duplicate, unchanged, failed.",
        &["task", "outcome"],
        figures.objects.iter().map(|of| ([of.task.as_str(), of.outcome], of.objects)),
    )
}

fn of_tasks(page: &Page, figures: &Figures) -> prometheus::Result<()> {
    let by_task = |name, help, numbers: &[OfTask]| {
        page.gauges(name, help, &["task"], numbers.iter().map(|of| ([of.task.as_str()], seconds(of.number))))
    };
    by_task(
        "annals_named_timestamp_lag_seconds",
        "How far the named timestamp lies behind the clock of the history database.",
        &figures.lag_ms,
    )?;
    by_task(
        "annals_schedule_lateness_seconds",
        "How long after it was due the newest fire was decided on.",
        &figures.lateness_ms,
    )?;
    by_task(
        "annals_schedule_waiting_seconds",
        "For how long the oldest fire that is due waits to be started.",
        &figures.waiting_ms,
    )
}

fn of_hosts(page: &Page, figures: &Figures) -> prometheus::Result<()> {
    page.gauge("annals_parked_messages", "Messages that wait to be delivered again.", figures.parked as f64)?;
    page.gauge(
        "annals_dead_letters",
        "Messages that were given up and wait for people.",
        figures.dead as f64,
    )?;
    if let Some(age_ms) = figures.cleaned_up_ms {
        let help = "How long ago runs of long ago were cleaned up last.";
        page.gauge("annals_clean_up_age_seconds", help, seconds(age_ms))?;
    }
    let alive = |role: Role| {
        let is_alive = |state| state == HostState::Alive;
        let has_role = |roles: &str| roles.split(',').any(|word| word == role.as_str());
        figures.hosts.iter().filter(|host| is_alive(host.state) && has_role(&host.roles)).count()
    };
    page.gauges(
        "annals_hosts_alive",
        "Hosts that were heard of within their lease.",
        &["role"],
        Role::ALL.into_iter().map(|role| ([role.as_str()], alive(role) as f64)),
    )
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// The figures of one answer.
struct Page(Registry);

impl Page {
    fn gauge(&self, name: &str, help: &str, value: f64) -> prometheus::Result<()> {
        self.gauges(name, help, &[], [([], value)])
    }

    fn gauges<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str; N],
        values: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) -> prometheus::Result<()> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in values {
            gauges.get_metric_with_label_values(&labels)?.set(value);
        }
        self.0.register(Box::new(gauges))
    }

    fn counters<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str; N],
        values: impl IntoIterator<Item = ([&'v str; N], u64)>,
    ) -> prometheus::Result<()> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        for (labels, value) in values {
            counters.get_metric_with_label_values(&labels)?.inc_by(value);
        }
        self.0.register(Box::new(counters))
    }
}
