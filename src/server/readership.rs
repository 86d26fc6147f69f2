//! Readership: how many subscribers readers state for which feed, and which clients never send validators.
//!
//! Services that fetch a feed for many people say so in their `User-Agent` (`…; 12 subscribers`). Clients that ask
//! without validators cost their operators and us a whole feed each time; a maintainer who is told may mend that.
//! Bounded: what does not fit is not noted.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;
use hyper::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT};
use hyper::http::request::Parts;

use crate::entry::Document;

/// Clients and feeds that are noted.
const MOST: usize = 512;

/// The longest name of a client.
const LONGEST: usize = 60;

/// What readers say of themselves.
#[derive(Debug, Default)]
pub struct Readership {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// By client.
    clients: HashMap<String, Manner>,
    /// By path and client.
    subscribers: HashMap<(String, String), u64>,
    /// By feed.
    polls: HashMap<Document, Polls>,
}

/// How a feed was asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Polls {
    requests: u64,
    not_modified: u64,
}

/// A feed and those who ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its path.
    pub path: String,
    /// Answers since the start.
    pub requests: u64,
    /// Of these, 304.
    pub not_modified: u64,
    /// What all its readers' services state.
    pub subscribers: Option<u64>,
}

/// How a client asks for feeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Requests with validators.
    pub conditional: u64,
    /// Requests without.
    pub plain: u64,
}

impl Readership {
    /// Notes a request for a feed, and how it was answered.
    pub fn note(&self, request: &Parts, document: &Document, status: StatusCode) {
        let agent = request.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let conditional =
            request.headers.contains_key(IF_NONE_MATCH) || request.headers.contains_key(IF_MODIFIED_SINCE);
        let subscribers = agent.and_then(subscribers);
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let Noted { clients, subscribers: feeds, polls } = &mut *noted;
        if let Some(polls) = slot(polls, document, |document| document.clone()) {
            polls.requests += 1;
            polls.not_modified += u64::from(status == StatusCode::NOT_MODIFIED);
        }
        let Some(name) = agent.map(client) else { return };
        if let Some(manner) = slot(clients, name, str::to_owned) {
            manner.note(conditional);
        }
        if let Some(count) = subscribers {
            let feed = (document.path(), name.to_owned());
            if let Some(stated) = slot(feeds, &feed, Clone::clone) {
                *stated = count;
            }
        }
    }

    /// The feeds that were asked for, the busiest first.
    pub fn feeds(&self) -> Vec<Feed> {
        let subscribers: HashMap<String, u64> = self.subscribers().into_iter().collect();
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut feeds: Vec<Feed> = noted
            .polls
            .iter()
            .map(|(document, polls)| {
                let path = document.path();
                let subscribers = subscribers.get(&path).copied();
                Feed { path, requests: polls.requests, not_modified: polls.not_modified, subscribers }
            })
            .collect();
        feeds.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.path.cmp(&b.path)));
        feeds
    }

    /// Paths of feeds with the subscribers that all their readers state, the most first.
    pub fn subscribers(&self) -> Vec<(String, u64)> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for ((path, _), count) in &noted.subscribers {
            let sum = sums.entry(path).or_default();
            *sum = sum.saturating_add(*count);
        }
        let mut sums: Vec<_> = sums.into_iter().map(|(path, sum)| (path.to_owned(), sum)).collect();
        sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sums
    }

    /// Clients that asked more than once and never with validators, the busiest first.
    pub fn careless(&self) -> Vec<(String, u64)> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clients: Vec<_> = noted
            .clients
            .iter()
            .filter(|(_, manner)| manner.conditional == 0 && manner.plain > 1)
            .map(|(name, manner)| (name.clone(), manner.plain))
            .collect();
        clients.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        clients
    }
}

/// What is noted of a name; `None` where there is no room for another one.
fn slot<'a, K, Q, V>(noted: &'a mut HashMap<K, V>, name: &Q, own: impl FnOnce(&Q) -> K) -> Option<&'a mut V>
where
    K: Borrow<Q> + Eq + Hash,
    Q: Eq + Hash + ?Sized,
    V: Default,
{
    if noted.len() < MOST && !noted.contains_key(name) {
        noted.insert(own(name), V::default());
    }
    noted.get_mut(name)
}

impl Manner {
    fn note(&mut self, conditional: bool) {
        if conditional {
            self.conditional += 1;
        } else {
            self.plain += 1;
        }
    }
}

/// The name of a client: its product without the version (RFC 9110 section 10.1.5).
fn client(agent: &str) -> &str {
    let end = agent.find(['/', ' ', ';', '(']).unwrap_or(agent.len()).min(LONGEST);
    agent.get(..end).unwrap_or_default()
}

/// The number before `subscribers`, `readers` or `users`.
fn subscribers(agent: &str) -> Option<u64> {
    // In one pass, because every request comes here.
    agent.match_indices(' ').find_map(|(space, _)| {
        let (before, word) = (&agent[..space], &agent[space + 1..]);
        if !before.ends_with(|c: char| c.is_ascii_digit())
            || !["subscriber", "reader", "user"].iter().any(|known| word.starts_with(known))
        {
            return None;
        }
        before[before.trim_end_matches(|c: char| c.is_ascii_digit()).len()..].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn note(readership: &Readership, path: &str, agent: &str, validator: bool) {
        let mut request = Request::builder().header(USER_AGENT, agent);
        if validator {
            request = request.header(IF_NONE_MATCH, "\"x\"");
        }
        let request = request.body(()).expect("a request").into_parts().0;
        let status = if validator { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        readership.note(&request, &Document::from_path(path).expect("a document"), status);
    }

    #[test]
    fn subscribers_are_read_from_the_agent() {
        for (agent, expected) in [
            ("Feedbin feed-id:1373711 - 142 subscribers", Some(142)),
            ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 1 subscribers; like FeedFetcher-Google)", Some(1)),
            ("NewsBlur Feed Fetcher - 7 subscribers - http://www.newsblur.com/site/1/", Some(7)),
            ("Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 33 subscribers; )", Some(33)),
            ("Some Reader 12 readers", Some(12)),
            ("FreshRSS/1.24 (Linux; https://freshrss.org)", None),
            ("subscribers", None),
            ("x subscribers", None),
            ("99999999999999999999999 subscribers", None),
        ] {
            assert_eq!(subscribers(agent), expected, "{agent}");
        }
    }

    #[test]
    fn what_is_noted_is_bounded_and_summed() {
        let readership = Readership::default();
        note(&readership, "/all.rss", "Feedbin - 10 subscribers", true);
        note(&readership, "/all.rss", "Feedbin - 12 subscribers", true);
        note(&readership, "/all.rss", "Feedly/1.0 (3 subscribers)", true);
        for _ in 0..3 {
            note(&readership, "/all.atom", "wget/1.2", false);
        }
        assert_eq!(readership.subscribers(), [("/all.rss".to_owned(), 15)]);
        assert_eq!(readership.careless(), [("wget".to_owned(), 3)]);
        let feed = |path: &str, not_modified, subscribers| Feed {
            path: path.to_owned(),
            requests: 3,
            not_modified,
            subscribers,
        };
        let expected = [feed("/all.atom", 0, None), feed("/all.rss", 3, Some(15))];
        assert_eq!(readership.feeds(), expected);
        for number in 0..2000 {
            note(&readership, &format!("/tag/{number}.rss"), &format!("bot{number}/1 (1 users)"), false);
        }
        assert!(readership.subscribers().len() <= MOST && readership.feeds().len() <= MOST);
        assert!(readership.noted.lock().expect("no panic").clients.len() <= MOST);
    }
}
