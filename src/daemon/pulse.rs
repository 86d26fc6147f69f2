//! The pulse of the daemon's loops, for the service manager's watchdog: it is told that all is well only after the
//! event loop, the scanner, the writer and the server have each made a round. A daemon of which one part hangs is
//! started anew instead of serving yesterday's feeds for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::start::spawn;
use super::{Shared, systemd};
use crate::client;
use crate::server::{Address, Within};

/// When each loop last made a round; the event loop itself is who asks.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) scan: Beat,
    pub(super) write: Beat,
    pub(super) serve: Beat,
}

impl Pulse {
    /// The loop that has made no round within a time.
    pub(super) fn missing(&self, within: Duration, clock: &Clock) -> Option<&'static str> {
        [("scanner", &self.scan), ("writer", &self.write), ("server", &self.serve)]
            .into_iter()
            .find_map(|(name, beat)| (beat.age(clock) >= within).then_some(name))
    }
}

/// When a loop last made a round; at first the start of the process.
#[derive(Debug, Default)]
pub(super) struct Beat(AtomicU64);

impl Beat {
    /// What stands for work that takes as long as it takes.
    const AT_REST: u64 = u64::MAX;

    /// Says that a round was made.
    pub(super) fn now(&self, clock: &Clock) {
        self.0.store(clock.steady().as_millis() as u64, Ordering::Relaxed);
    }

    /// Says that none is to be expected until the next one: work that is long, and must not be begun again and again.
    pub(super) fn rest(&self) {
        self.0.store(Beat::AT_REST, Ordering::Relaxed);
    }

    /// How long ago the last one was.
    fn age(&self, clock: &Clock) -> Duration {
        clock.steady().saturating_sub(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

/// How it is found out that the server goes round.
#[derive(Debug)]
pub(super) enum Probed {
    /// It is asked for a path, as a stranger would.
    Server(Address, &'static str),
    /// It is asked from within, because its address cannot be reached from here.
    Within(Within),
}

impl Probed {
    /// The public address may be busy with strangers; the admin address is asked where there is one.
    pub(super) fn at(http: &str, admin: Option<&str>) -> Probed {
        match admin {
            Some(admin) => Probed::Server(Address::of_bound(admin), "/healthz"),
            None => Probed::Server(Address::of_bound(http), "/robots.txt"),
        }
    }

    fn goes_round(&self) -> bool {
        let answer = match self {
            Probed::Server(address, path) => client::get(address, path),
            Probed::Within(server) => client::get_within(server, "/healthz"),
        };
        // Whatever the answer: the loops that accept, read and write have made their round.
        answer.inspect_err(|error| tracing::debug!(error = super::writer::chain(error), "the server was asked")).is_ok()
    }
}

/// Finds out whether the server goes round, for as long as the service manager wants to hear of it.
pub(super) fn probe(shared: &Arc<Shared>, server: Probed) {
    let Some(pace) = systemd::watchdog_pace() else { return };
    let shared = Arc::clone(shared);
    spawn("probe", move || {
        loop {
            if server.goes_round() {
                shared.pulse.serve.now(&shared.clock);
            }
            thread::sleep(pace / 4);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loop_that_hangs_is_named() {
        let clock = Clock::system();
        let pulse = Pulse::default();
        let never = Duration::MAX;
        assert_eq!(pulse.missing(never, &clock), None);
        // Nothing is younger than no time at all.
        assert_eq!(pulse.missing(Duration::ZERO, &clock), Some("scanner"));
        let soon = Duration::from_secs(3600);
        pulse.scan.now(&clock);
        pulse.write.rest();
        assert_eq!(pulse.missing(soon, &clock), None);
        assert_eq!(pulse.write.age(&clock), Duration::ZERO);
    }
}
