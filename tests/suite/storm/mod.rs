//! Nothing is lost: storms of files, kills, overflows, vanishing inboxes, wipes and clocks, against the real binary.
//!
//! What is checked is checked from outside, by [`auditor::Auditor`], which knows what was written and what was served
//! and nothing of the code. Counts grow with `FEEDMILL_TEST_SCALE` (1 if not set); seeds are printed.

use std::time::{Duration, Instant};

use crate::driver::Daemon;

mod arrivals;
mod auditor;
mod bursts;
mod clock;
mod disk;
mod editors;
mod exporter;
mod guarantee;
mod inbox;
mod kills;
mod mounts;
mod power;
mod soak;
mod starts;
pub mod trace;

/// A public address that stays the same over restarts: it is part of every ETag.
const BASE: &str = "site: { base_url: \"https://feeds.example\" }\n";

/// Random numbers (SplitMix64) of a seed that is printed, or given by `FEEDMILL_TEST_SEED`.
pub struct Rng(u64);

impl Rng {
    #[allow(clippy::print_stderr, reason = "whoever sees a failure needs the seed")]
    pub fn new(test: &str) -> Rng {
        let given = std::env::var("FEEDMILL_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            now.as_nanos() as u64 % 1_000_000
        });
        eprintln!("{test}: FEEDMILL_TEST_SEED={seed}");
        Rng(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What a test says of itself when it ends.
#[allow(clippy::print_stderr, reason = "measured numbers")]
pub fn measured(what: &str) {
    eprintln!("MEASURED {what}");
}

/// The text of article `n` in its version `v`; title and date are its own. Its size differs from version to version.
fn text(n: usize, v: usize) -> String {
    let date = format!("{}-{:02}-{:02} {:02}:{:02}:00", 1990 + n % 30, 1 + n / 7 % 12, 1 + n % 28, n / 60 % 24, n % 60);
    let filler =
        format!("What article {n} says, long enough to be told from every other by its words. ").repeat(1 + v % 5);
    format!(
        "---\ntitle: \"{}\"\ndate: {date}\ncategories: [storm, part{}]\n---\n<p>version=[{v}] {filler}</p>\n<p>the end of {n}</p>\n",
        title(n),
        n % 3,
    )
}

fn title(n: usize) -> String {
    format!("Article {n:05}")
}

/// The value of a counter on the admin address.
fn metric(daemon: &Daemon, name: &str) -> u64 {
    let answer = daemon.admin("/metrics");
    let line = answer.text().lines().find(|line| line.starts_with(name)).map(str::to_owned);
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Whether `/readyz` says degraded.
fn degraded(daemon: &Daemon) -> bool {
    let answer = daemon.admin("/readyz");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text().contains("degraded")
}

/// Goes on with something until a time has passed.
fn while_under(time: Duration, mut act: impl FnMut()) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        act();
    }
}
