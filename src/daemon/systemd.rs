//! What the service manager is told (sd_notify). Harmless where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::failpoint;

/// A state can be shown.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(super) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The config is being read again. From systemd 253 on it wants to know when that began.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The stop has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The loops have made a full round.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The start advances but needs more time.
pub(super) fn extend_start(by: Duration, status: &str) {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros), NotifyState::Status(status)]);
}

/// How often the service manager wants to hear [`alive`]: half of the time after which it would act.
pub(super) fn watchdog_pace() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = failpoint::io("notify.tell").and_then(|()| sd_notify::notify(states)) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
