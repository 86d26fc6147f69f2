//! The last day in memory, for the operator's page: a sample a minute, the newest updates, the newest events.
//!
//! Of fixed size, and nothing but a picture: it begins anew with each start.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::entry::Timestamp;

/// A day of minutes.
const MINUTES: usize = 24 * 60;
/// Updates whose times are kept.
const UPDATES: usize = 512;
/// Events that are kept.
const EVENTS: usize = 40;
/// What happens to articles within this many seconds is one event.
const TOGETHER: i64 = 10;

/// How things stood at the end of a minute, and what happened in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Its number since 1970.
    pub number: i64,
    /// Articles that were shown.
    pub articles: u64,
    /// Files with an open error or warning.
    pub problems: u64,
    /// Changes in it: articles that were added, changed and withdrawn.
    pub moved: Moved,
}

/// Articles that were added, changed and withdrawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Visible since.
    pub added: u64,
    /// Edited.
    pub changed: u64,
    /// Gone from feeds.
    pub withdrawn: u64,
}

impl Moved {
    /// How many articles that is.
    pub fn sum(&self) -> u64 {
        self.added + self.changed + self.withdrawn
    }

    /// These and others.
    pub fn and(self, more: Moved) -> Moved {
        Moved {
            added: self.added + more.added,
            changed: self.changed + more.changed,
            withdrawn: self.withdrawn + more.withdrawn,
        }
    }
}

/// Something that an operator may want to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it began.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Articles moved.
    Articles(Moved),
    /// Anything else, in words.
    Words(String),
}

/// What is kept; see the module.
#[derive(Debug, Default)]
pub struct History {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    minutes: VecDeque<Minute>,
    updates: VecDeque<Duration>,
    events: VecDeque<Event>,
    /// Since the last sample.
    moved: Moved,
}

/// How long updates took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updates {
    /// How many of the newest are looked at.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

impl History {
    /// Articles moved.
    pub fn moved(&self, at: Timestamp, moved: Moved) {
        if moved.sum() == 0 {
            return;
        }
        let mut inner = self.lock();
        inner.moved = inner.moved.and(moved);
        if let Some(Event { at: begun, what: What::Articles(before) }) = inner.events.front_mut()
            && (at - *begun).num_seconds() < TOGETHER
        {
            *before = before.and(moved);
            return;
        }
        inner.push(Event { at, what: What::Articles(moved) });
    }

    /// Something else happened.
    pub fn event(&self, at: Timestamp, words: impl Into<String>) {
        self.lock().push(Event { at, what: What::Words(words.into()) });
    }

    /// A change could be served after this time.
    pub(super) fn updated(&self, after: Duration) {
        let mut inner = self.lock();
        if inner.updates.len() == UPDATES {
            inner.updates.pop_back();
        }
        inner.updates.push_front(after);
    }

    /// How things stand; called often, kept once a minute.
    pub fn sample(&self, at: Timestamp, articles: u64, problems: u64) {
        let number = at.timestamp().div_euclid(60);
        let mut inner = self.lock();
        let moved = std::mem::take(&mut inner.moved);
        match inner.minutes.front_mut() {
            Some(newest) if newest.number == number => {
                (newest.articles, newest.problems) = (articles, problems);
                newest.moved = newest.moved.and(moved);
            }
            _ => {
                // A clock that was put back does not make a picture that runs backwards.
                inner.minutes.retain(|minute| minute.number < number);
                inner.minutes.truncate(MINUTES - 1);
                inner.minutes.push_front(Minute { number, articles, problems, moved });
            }
        }
    }

    /// Of the last day, from old to new; minutes in which nobody looked are missing.
    pub fn minutes(&self) -> Vec<Minute> {
        let inner = self.lock();
        let newest = inner.minutes.front().map_or(0, |minute| minute.number);
        inner.minutes.iter().rev().filter(|minute| minute.number > newest - MINUTES as i64).copied().collect()
    }

    /// The newest first.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.iter().cloned().collect()
    }

    /// Of the newest updates; `None` where there was none.
    pub fn updates(&self) -> Option<Updates> {
        let mut times: Vec<Duration> = self.lock().updates.iter().copied().collect();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        Some(Updates { count: times.len(), median: times[last / 2], p99: times[last * 99 / 100] })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, event: Event) {
        self.events.truncate(EVENTS - 1);
        self.events.push_front(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_795_507_200 + seconds, 0).expect("a time")
    }

    fn added(count: u64) -> Moved {
        Moved { added: count, ..Moved::default() }
    }

    #[test]
    fn a_minute_is_sampled_once_and_a_day_is_kept() {
        let history = History::default();
        history.moved(at(0), added(2));
        history.sample(at(1), 2, 0);
        history.moved(at(30), added(1));
        history.sample(at(31), 3, 1);
        let first = Minute { number: at(0).timestamp() / 60, articles: 3, problems: 1, moved: added(3) };
        assert_eq!(history.minutes(), [first]);
        for minute in 1..2000 {
            history.sample(at(60 * minute), 3, 0);
        }
        let minutes = history.minutes();
        assert_eq!(minutes.len(), MINUTES);
        assert!(minutes.windows(2).all(|pair| pair[0].number < pair[1].number));
        // The clock is put back, and goes on from there.
        history.sample(at(60 * 1990), 4, 0);
        assert_eq!(history.minutes().last().map(|minute| minute.articles), Some(4));
        assert!(history.minutes().windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn what_happens_together_is_one_event() {
        let history = History::default();
        history.moved(at(0), added(2));
        history.moved(at(5), Moved { withdrawn: 1, ..Moved::default() });
        history.event(at(6), "the config was read again");
        history.moved(at(7), added(1));
        history.moved(at(8), Moved::default());
        let events = history.events();
        assert_eq!(events.len(), 3);
        assert_eq!(events[2].what, What::Articles(Moved { added: 2, changed: 0, withdrawn: 1 }));
        for _ in 0..100 {
            history.event(at(9), "again");
        }
        assert_eq!(history.events().len(), EVENTS);
    }

    #[test]
    fn updates_are_ranked() {
        let history = History::default();
        assert_eq!(history.updates(), None);
        for millis in 1..=1000 {
            history.updated(Duration::from_millis(millis));
        }
        let updates = history.updates().expect("some");
        assert_eq!((updates.count, updates.median), (512, Duration::from_millis(744)));
        assert_eq!(updates.p99, Duration::from_millis(994));
    }
}
