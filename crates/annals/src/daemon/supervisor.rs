//! What systemd, or a supervisor that speaks as it does, is told. Without one, nothing.

use sd_notify::NotifyState;

use super::health::Health;

/// The daemon serves.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// It moves; not said of a daemon that is stuck, so that the watchdog ends it.
pub(super) fn alive(health: &Health) {
    if health.moves() && sd_notify::watchdog_enabled().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// It comes to an end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("telling the supervisor: {error}");
    }
}
