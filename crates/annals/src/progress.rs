//! Progress on stderr: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::pipeline::Done;

const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a run, or whatever else, has come until it is told that it has ended.
pub(crate) struct Progress {
    ended: watch::Sender<()>,
    shown: JoinHandle<()>,
}

impl Progress {
    /// Begins to show how many of `things` are done; nothing is shown if `quiet`.
    pub(crate) fn show(done: Arc<Done>, things: &'static str, quiet: bool) -> Self {
        let (ended, alive) = watch::channel(());
        let terminal = std::io::stderr().is_terminal();
        let shown = tokio::spawn(async move {
            if quiet {
                return;
            }
            if terminal { bar(&done, things, alive).await } else { lines(&done, things, alive).await }
        });
        Self { ended, shown }
    }

    /// It has ended.
    pub(crate) async fn end(self) {
        drop(self.ended);
        // It only shows; a bar that could not be drawn changes nothing.
        drop(self.shown.await);
    }
}

async fn bar(done: &Done, things: &str, mut alive: watch::Receiver<()>) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(
        "{elapsed_precise} {wide_bar} {human_pos}/{human_len} {msg}, {per_sec}, ETA {eta}",
    ) {
        bar.set_style(style);
    }
    bar.set_message(things.to_owned());
    while tokio::time::timeout(BAR_EVERY, alive.changed()).await.is_err() {
        bar.set_length(done.total.load(Ordering::Relaxed));
        bar.set_position(done.written.load(Ordering::Relaxed));
    }
    bar.finish_and_clear();
}

async fn lines(done: &Done, things: &str, mut alive: watch::Receiver<()>) {
    let began = Instant::now();
    while tokio::time::timeout(LINE_EVERY, alive.changed()).await.is_err() {
        let (total, written) = (done.total.load(Ordering::Relaxed), done.written.load(Ordering::Relaxed));
        let elapsed = began.elapsed();
        let left = match u32::try_from(written) {
            Ok(written) if written > 0 => {
                let each = elapsed / written;
                let left = each * u32::try_from(total).unwrap_or(u32::MAX).saturating_sub(written);
                format!(", about {} s left", left.as_secs())
            }
            _ => String::new(),
        };
        eprintln!("{written} of {total} {things} written in {} s{left}", elapsed.as_secs());
    }
}
