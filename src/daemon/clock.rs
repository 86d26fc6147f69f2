//! The one door through which time enters: the time of day and the steady clock, read together.
//!
//! A build may be given a fixed time of day (`SOURCE_DATE_EPOCH`), so that the same inbox gives the same bytes.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};

use crate::article::Timestamp;
use crate::catalog::Now;

/// Where the daemon and the build read the time.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    fixed: Option<Timestamp>,
}

impl Clock {
    /// The clock of the system.
    pub(super) fn system() -> Clock {
        Clock { start: Instant::now(), fixed: None }
    }

    /// The clock of a build: `SOURCE_DATE_EPOCH` where it is set.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the variable.
    pub(super) fn of_build(source_date_epoch: Option<&str>) -> Result<Clock, String> {
        let Some(text) = source_date_epoch else { return Ok(Clock::system()) };
        let fixed = text
            .parse()
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or_else(|| format!("SOURCE_DATE_EPOCH is `{text}`: it must be a number of seconds since 1970"))?;
        Ok(Clock { start: Instant::now(), fixed: Some(fixed) })
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        Now { wall: self.fixed.unwrap_or_else(|| Utc::now().trunc_subsecs(0)), steady: self.steady() }
    }

    /// The clock that never jumps.
    pub(super) fn steady(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time of day in nanoseconds since 1970, to be compared with the times of files: always the system's.
    pub(super) fn file_time(&self) -> i64 {
        Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_can_be_given_its_time() {
        let clock = Clock::of_build(Some("1649682113")).expect("a number");
        assert_eq!(clock.now().wall.to_rfc3339(), "2022-04-11T13:01:53+00:00");
        assert!(Clock::of_build(Some("yesterday")).is_err());
        assert!(Clock::of_build(None).expect("the system's").now().wall.timestamp() > 1_700_000_000);
    }
}
