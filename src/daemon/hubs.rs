//! `feeds.hubs`: tells WebSub hubs which feeds changed, so that subscribers hear of it at once instead of asking.
//!
//! A thread of its own runs behind the updates. A hub is told once for a burst, of many feeds in one request, and of
//! each feed at most once in 10 s. What a hub does not take is told again later, ever more seldom; what is not told
//! when the daemon stops is not told: whoever polls finds it. A first catalog is no news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::start::spawn;
use super::writer::chain;
use crate::catalog::Delta;
use crate::client;
use crate::entry::{Document, Key};
use crate::metrics::Metrics;
use crate::rendition::Renditions;

/// How long a burst is waited for.
const GATHER: Duration = Duration::from_secs(1);
/// How often a hub is told of a feed at most.
const PACE: Duration = Duration::from_secs(10);
/// Feeds that one request tells of, in each format.
const AT_ONCE: usize = 10;
/// The first and the longest time until a hub that took nothing is told again.
const REST: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15 * 60));
/// Feeds that wait for a hub; beyond this, a feed has to wait for its next change.
const MOST: usize = 20_000;
/// How long the thread sleeps at most.
const SLICE: Duration = Duration::from_secs(60);

/// What changed and was not taken up yet; never waits, so that nobody who tells has to.
#[derive(Debug, Default)]
pub(super) struct News {
    inner: Mutex<Changed>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Changed {
    keys: BTreeSet<Key>,
    closed: bool,
}

impl News {
    /// A commit changed these feeds.
    pub(super) fn changed(&self, delta: &Delta) {
        let mut inner = self.lock();
        let room = MOST.saturating_sub(inner.keys.len());
        inner.keys.extend(delta.keys.iter().take(room).cloned());
        self.told.notify_one();
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.told.notify_one();
    }

    /// Takes what changed, once a burst had time to end; waits for it. `None` once closed.
    fn take(&self, wait: Duration) -> Option<BTreeSet<Key>> {
        let nothing = |inner: &mut Changed| !inner.closed && inner.keys.is_empty();
        let (inner, _) =
            self.told.wait_timeout_while(self.lock(), wait, nothing).unwrap_or_else(PoisonError::into_inner);
        let gather = if inner.keys.is_empty() { Duration::ZERO } else { GATHER };
        let (mut inner, _) =
            self.told.wait_timeout_while(inner, gather, |inner| !inner.closed).unwrap_or_else(PoisonError::into_inner);
        (!inner.closed).then(|| std::mem::take(&mut inner.keys))
    }

    fn lock(&self) -> MutexGuard<'_, Changed> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears whether all hubs take what they are told, or which one does not.
pub(super) type Say = Box<dyn FnMut(Result<(), String>) + Send>;

/// Starts the thread; it ends by itself once its news are closed.
pub(super) fn start(news: Arc<News>, renditions: Arc<Renditions>, metrics: Arc<Metrics>, say: Say) {
    let teller = Teller { news, renditions, metrics, say, hubs: BTreeMap::new() };
    spawn("hubs", move || teller.run());
}

/// The thread's state.
struct Teller {
    news: Arc<News>,
    renditions: Arc<Renditions>,
    metrics: Arc<Metrics>,
    say: Say,
    /// By their addresses.
    hubs: BTreeMap<Url, Hub>,
}

impl Teller {
    fn run(mut self) {
        let mut next = None;
        loop {
            let wait = next.map_or(SLICE, |next: Instant| next.saturating_duration_since(Instant::now()).min(SLICE));
            let Some(changed) = self.news.take(wait) else { return };
            self.follow_settings();
            for hub in self.hubs.values_mut() {
                hub.want(&changed, Instant::now());
            }
            for address in self.hubs.keys().cloned().collect::<Vec<_>>() {
                self.tell(&address);
            }
            next = self.hubs.values().filter_map(Hub::next).min();
        }
    }

    /// The hubs may be others since a reload.
    fn follow_settings(&mut self) {
        let named = self.renditions.hubs();
        let before = self.hubs.len();
        self.hubs.retain(|address, _| named.contains(address));
        if self.hubs.len() < before {
            self.say_how_it_stands();
        }
        for address in named {
            self.hubs.entry(address).or_default();
        }
    }

    /// Tells a hub what is due, in one request.
    fn tell(&mut self, address: &Url) {
        let Some(hub) = self.hubs.get_mut(address) else { return };
        let keys = hub.take(Instant::now());
        if keys.is_empty() {
            return;
        }
        let topics: Vec<String> = keys
            .iter()
            .flat_map(|key| self.renditions.formats().into_iter().map(|format| Document::Feed(key.clone(), format)))
            .map(|feed| self.renditions.address(&feed))
            .collect();
        let answer = client::post(address, form(&topics));
        let now = Instant::now();
        match &answer {
            Ok(status) if (200..300).contains(status) => hub.took(keys, now),
            // It will not take this later, either; the next change may be another matter.
            Ok(status) if (400..500).contains(status) && ![408, 425, 429].contains(status) => {
                hub.took(keys, now);
                hub.trouble = Some(format!("the hub {address} answers {status}"));
            }
            Ok(status) => hub.failed(keys, now, format!("the hub {address} answers {status}")),
            Err(error) => hub.failed(keys, now, format!("the hub cannot be told: {}", chain(error))),
        }
        let ok = hub.trouble.is_none();
        self.metrics.hub_told(ok);
        self.say_how_it_stands();
    }

    fn say_how_it_stands(&mut self) {
        let trouble = self.hubs.values().find_map(|hub| hub.trouble.clone());
        (self.say)(trouble.map_or(Ok(()), Err));
    }
}

/// What a publisher says (PubSubHubbub Core 0.3 section 7.1; WebSub leaves it to the hub and names no other way).
fn form(topics: &[String]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("hub.mode", "publish");
    form.extend_pairs(topics.iter().map(|topic| ("hub.url", topic)));
    form.finish()
}

/// What a hub knows and does not know yet.
#[derive(Debug, Default)]
struct Hub {
    /// Feeds that it is to be told of, and when.
    waiting: BTreeMap<Key, Instant>,
    /// When it was told of a feed.
    told: BTreeMap<Key, Instant>,
    /// Why it did not take what it was told last.
    trouble: Option<String>,
    /// How often in a row it could not be told.
    failures: u32,
    /// It is told nothing before.
    rest: Option<Instant>,
}

impl Hub {
    fn want(&mut self, keys: &BTreeSet<Key>, now: Instant) {
        self.told.retain(|_, &mut at| now < at + PACE);
        for key in keys {
            let due = self.told.get(key).map_or(now, |&at| at + PACE);
            if self.waiting.len() < MOST {
                self.waiting.entry(key.clone()).or_insert(due);
            }
        }
    }

    /// When something is due next.
    fn next(&self) -> Option<Instant> {
        let due = self.waiting.values().min().copied()?;
        Some(self.rest.map_or(due, |rest| rest.max(due)))
    }

    /// Takes some of what is due.
    fn take(&mut self, now: Instant) -> Vec<Key> {
        if self.rest.is_some_and(|rest| now < rest) {
            return Vec::new();
        }
        let due = self.waiting.iter().filter(|&(_, &at)| at <= now).map(|(key, _)| key.clone());
        let keys: Vec<Key> = due.take(AT_ONCE).collect();
        for key in &keys {
            self.waiting.remove(key);
        }
        keys
    }

    fn took(&mut self, keys: Vec<Key>, now: Instant) {
        self.told.extend(keys.into_iter().map(|key| (key, now)));
        (self.trouble, self.failures, self.rest) = (None, 0, None);
    }

    fn failed(&mut self, keys: Vec<Key>, now: Instant, why: String) {
        self.waiting.extend(keys.into_iter().map(|key| (key, now)));
        self.rest = Some(now + REST.0.saturating_mul(1 << self.failures.min(10)).min(REST.1));
        self.failures += 1;
        self.trouble = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Kind, Segment};

    fn keys(count: usize) -> BTreeSet<Key> {
        (0..count)
            .map(|n| Key::new(Kind::Tag, vec![Segment::new(&n.to_string())?]))
            .collect::<Option<_>>()
            .expect("names")
    }

    #[test]
    fn a_hub_hears_of_a_feed_once_in_ten_seconds() {
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut hub = Hub::default();
        let mut heard = Vec::new();
        for second in 0..35 {
            hub.want(&keys(1), at(second));
            let told = hub.take(at(second));
            if !told.is_empty() {
                hub.took(told, at(second));
                heard.push(second);
            }
        }
        assert_eq!(heard, [0, 10, 20, 30]);
    }

    #[test]
    fn what_a_hub_did_not_take_is_told_again_ever_more_seldom() {
        let begin = Instant::now();
        let mut hub = Hub::default();
        hub.want(&keys(AT_ONCE + 2), begin);
        let mut now = begin;
        let mut rests = Vec::new();
        for _ in 0..10 {
            let told = hub.take(now);
            assert_eq!(told.len(), AT_ONCE);
            hub.failed(told, now, "down".to_owned());
            assert!(hub.take(now).is_empty(), "it rests");
            let next = hub.next().expect("something waits");
            rests.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(rests, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        let told = hub.take(now);
        hub.took(told, now);
        assert_eq!((hub.take(now).len(), hub.next(), hub.trouble), (2, None, None));
    }

    #[test]
    fn many_feeds_go_into_one_request() {
        let topics = ["https://a.example/tag/1.rss".to_owned(), "https://a.example/tag/%E5%8A%9B.rss".to_owned()];
        let expected = "hub.mode=publish&hub.url=https%3A%2F%2Fa.example%2Ftag%2F1.rss\
                        &hub.url=https%3A%2F%2Fa.example%2Ftag%2F%25E5%258A%259B.rss";
        assert_eq!(form(&topics), expected);
    }
}
