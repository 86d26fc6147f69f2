//! The auditor: knows which files were written and what was served so far, and holds the one against the other.
//!
//! It reads the feeds and archives of `all` from outside. At any time: every answer is well-formed, an equal ETag
//! means equal bytes, no article is there twice, none has another id or date than before, and none is gone that was
//! shown and not deleted. In quiet: what is shown is just what the files say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::driver::{Answer, Daemon, PATIENCE};

/// An article as it was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: String,
    pub date: String,
    /// The number in `version=[N]`, and whether the text has its end.
    pub version: usize,
    pub whole: bool,
    pub updated: String,
}

#[derive(Default)]
pub struct Auditor {
    /// Title → what was first seen of it.
    known: BTreeMap<String, Item>,
    /// Title by id.
    ids: HashMap<String, String>,
    /// Titles that were shown and have to stay.
    shown: BTreeSet<String>,
    /// Titles that may go.
    deleted: BTreeSet<String>,
    etags: HashMap<String, (u64, usize)>,
    /// Answers that were looked at.
    pub answers: usize,
}

impl Auditor {
    /// The article's file was deleted: it may go, and come back.
    pub fn may_go(&mut self, title: &str) {
        self.deleted.insert(title.to_owned());
        self.shown.remove(title);
    }

    /// The article's file is there (again).
    pub fn must_stay(&mut self, title: &str) {
        self.deleted.remove(title);
    }

    /// Checks one answer for itself.
    pub fn check(&mut self, path: &str, answer: &Answer) {
        self.answers += 1;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let text = std::str::from_utf8(&answer.body).unwrap_or_else(|e| panic!("{path}: {e}"));
        if path.ends_with(".json") {
            serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{path}: {e}\n{text}"));
        } else {
            roxmltree::Document::parse(text).unwrap_or_else(|e| panic!("{path}: {e}\n{text}"));
        }
        let etag = answer.header("etag");
        assert!(!etag.is_empty(), "{path}: no ETag");
        let hash = blake3::hash(&answer.body);
        let of = (u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 bytes")), answer.body.len());
        let first = *self.etags.entry(format!("{path} {etag}")).or_insert(of);
        assert_eq!(first, of, "{path}: equal ETags, other bytes\n{text}");
    }

    fn take(&mut self, found: &mut BTreeMap<String, Item>, feed: &[u8], path: &str) {
        let feed: serde_json::Value = serde_json::from_slice(feed).expect("it was checked");
        for item in feed["items"].as_array().unwrap_or_else(|| panic!("{path}: items")) {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            let (title, body) = (text("title"), text("content_html"));
            let version = body.split_once("version=[").and_then(|(_, rest)| rest.split_once(']')?.0.parse().ok());
            let item = Item {
                id: text("id"),
                date: text("date_published"),
                version: version.unwrap_or(usize::MAX),
                whole: body.contains("the end of"),
                updated: text("date_modified"),
            };
            let first = self.known.entry(title.clone()).or_insert_with(|| item.clone());
            assert_eq!((&first.id, &first.date), (&item.id, &item.date), "{path}: {title} has another id or date");
            let owner = self.ids.entry(item.id.clone()).or_insert_with(|| title.clone());
            assert_eq!(*owner, title, "{path}: two articles with the id {}", item.id);
            assert!(item.whole, "{path}: half of {title}: {body}");
            let twice = found.insert(title.clone(), item);
            assert!(twice.is_none(), "{path}: {title} is there twice: {twice:?}");
        }
    }

    /// Everything that is shown, from the archives of `all`; checked against what was shown before.
    pub fn look(&mut self, daemon: &Daemon) -> BTreeMap<String, Item> {
        let mut found = BTreeMap::new();
        for page in 1.. {
            let path = format!("/archive/all/{page}.json");
            let answer = daemon.get(&path);
            if answer.status == 404 {
                break;
            }
            self.check(&path, &answer);
            self.take(&mut found, &answer.body, &path);
        }
        for title in &self.shown {
            assert!(found.contains_key(title), "{title} was shown, was not deleted, and is gone");
        }
        for title in found.keys().filter(|title| !self.deleted.contains(*title)) {
            self.shown.insert(title.clone());
        }
        found
    }

    /// Polls the live feeds, as readers do.
    pub fn poll(&mut self, daemon: &Daemon, key: &str) {
        for format in ["rss", "atom", "json"] {
            let path = format!("/{key}.{format}");
            let answer = daemon.get(&path);
            self.check(&path, &answer);
            let again = daemon.ask("GET", &path, &[("If-None-Match", answer.header("etag"))]);
            assert!(again.status == 200 || again.status == 304, "{path}: {again:?}");
            if again.status == 304 {
                assert_eq!(again.header("etag"), answer.header("etag"), "{path}");
            } else {
                self.check(&path, &again);
                assert_ne!(again.header("etag"), answer.header("etag"), "{path}: 200 for an equal ETag");
            }
            if format == "json" {
                self.take(&mut BTreeMap::new(), &answer.body, &path);
            }
        }
    }

    /// Waits until what is shown is just `expected` (title → version); `lenient` titles may still be there.
    pub fn until_quiet(&mut self, daemon: &Daemon, expected: &BTreeMap<String, usize>, lenient: &BTreeSet<String>) {
        let begin = Instant::now();
        loop {
            let found = self.look(daemon);
            let lost: Vec<_> = expected.keys().filter(|title| !found.contains_key(*title)).collect();
            let more: Vec<_> =
                found.keys().filter(|title| !expected.contains_key(*title) && !lenient.contains(*title)).collect();
            let old: Vec<_> = found
                .iter()
                .filter(|(title, item)| expected.get(*title).is_some_and(|version| *version != item.version))
                .map(|(title, item)| (title, item.version, expected[title]))
                .collect();
            if lost.is_empty() && more.is_empty() && old.is_empty() {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "not caught up: lost {lost:?}, too many {more:?}, old {old:?} (shown, written); problems {}; log {:#?}",
                daemon.json("/problems.json"),
                daemon.log.try_iter().collect::<Vec<_>>()
            );
        }
    }
}
