//! Documents in memory, for tests: with a gate before their bytes, and counts of what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::near::nearest;
use super::{Counts, Error, Problem, Renditions, Settings, Source};
use crate::entry::{Document, Format, Head, Key, Kind, Namespace, Status, Timestamp};
use crate::feed::{self, Renderer};
use crate::metrics::Metrics;

/// When the documents were last modified: long ago.
pub(crate) const MODIFIED: i64 = 1_649_682_113;

/// Documents in memory.
#[derive(Default)]
pub(crate) struct Memory {
    documents: Mutex<BTreeMap<Document, Vec<u8>>>,
    gone: Mutex<BTreeSet<Document>>,
    gates: Mutex<Gates>,
    opened: Condvar,
    /// How often heads and bytes were asked for.
    pub(crate) heads: AtomicUsize,
    pub(crate) renders: AtomicUsize,
}

/// Readings stop at a closed gate.
#[derive(Default)]
struct Gates {
    heads_closed: bool,
    bytes_closed: bool,
    waiting: usize,
    most_waiting: usize,
}

impl Memory {
    pub(crate) fn new() -> Arc<Memory> {
        Arc::default()
    }

    /// A document whose stamp follows from its text.
    pub(crate) fn put(&self, document: Document, text: &str) {
        lock(&self.gone).remove(&document);
        lock(&self.documents).insert(document, text.as_bytes().to_vec());
    }

    pub(crate) fn withdraw(&self, document: &Document) {
        lock(&self.documents).remove(document);
        lock(&self.gone).insert(document.clone());
    }

    pub(crate) fn close_heads(&self) {
        lock(&self.gates).heads_closed = true;
    }

    pub(crate) fn close_bytes(&self) {
        lock(&self.gates).bytes_closed = true;
    }

    pub(crate) fn open(&self) {
        let mut gates = lock(&self.gates);
        (gates.heads_closed, gates.bytes_closed) = (false, false);
        self.opened.notify_all();
    }

    /// How many readings stand at a gate, and how many ever did at once.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let gates = lock(&self.gates);
        (gates.waiting, gates.most_waiting)
    }

    fn pass(&self, is_closed: impl Fn(&Gates) -> bool) {
        let mut gates = lock(&self.gates);
        gates.waiting += 1;
        gates.most_waiting = gates.most_waiting.max(gates.waiting);
        while is_closed(&gates) {
            gates = self.opened.wait(gates).expect("nobody panicked");
        }
        gates.waiting -= 1;
    }

    fn categories(&self) -> BTreeSet<Key> {
        let documents = lock(&self.documents);
        documents.keys().filter_map(Document::key).filter(|key| key.kind() == Kind::Category).cloned().collect()
    }

    fn read(&self, document: &Document) -> Option<(Head, Vec<u8>)> {
        let bytes = lock(&self.documents).get(document)?.clone();
        let at = Timestamp::from_timestamp(MODIFIED, 0).expect("a time");
        let mut hasher = blake3::Hasher::new();
        hasher.update(document.path().as_bytes()).update(&bytes);
        Some((Head { digest: *hasher.finalize().as_bytes(), updated: at, modified: at }, bytes))
    }
}

impl Source for Arc<Memory> {
    fn head(&self, document: &Document) -> Result<Status, Error> {
        self.heads.fetch_add(1, Ordering::SeqCst);
        let status = match self.read(document) {
            Some((head, _)) => Status::Here(head),
            None if lock(&self.gone).contains(document) => Status::Gone,
            None => Status::Never,
        };
        self.pass(|gates| gates.heads_closed);
        Ok(status)
    }

    fn document(&self, document: &Document, _: &Renderer) -> Result<Option<(Head, Vec<u8>)>, Error> {
        self.renders.fetch_add(1, Ordering::SeqCst);
        let made = self.read(document);
        self.pass(|gates| gates.bytes_closed);
        assert!(made.as_ref().is_none_or(|(_, bytes)| bytes != b"panic"), "asked for");
        Ok(made)
    }

    fn named(&self, key: &Key) -> Result<Vec<Key>, Error> {
        Ok(self.categories().into_iter().filter(|other| other.last() == key.last()).collect())
    }

    fn similar(&self, key: &Key) -> Result<Vec<Key>, Error> {
        Ok(nearest(key, self.categories().into_iter()))
    }

    fn counts(&self) -> Result<Counts, Error> {
        Ok(Counts { articles: 1, feeds: 8, problems: 1, held: 1 })
    }

    fn problems(&self) -> Result<Vec<Problem>, Error> {
        Ok(Vec::new())
    }
}

/// Settings of feeds for tests.
pub(crate) fn settings(title: &str) -> feed::Settings {
    feed::Settings {
        title: title.to_owned(),
        base_url: "http://feeds.example".to_owned(),
        namespace: Namespace::new(None),
        language: "en".to_owned(),
        author: None,
        timezone: chrono_tz::UTC,
        assets_url: None,
        formats: vec![Format::Rss, Format::Atom],
        archives: vec![Kind::All],
        bytes: 512 * 1024,
        content: feed::Content::Full,
        link: None,
        mix_titles: BTreeMap::new(),
        hubs: Vec::new(),
    }
}

/// Renditions over documents in memory.
pub(crate) fn renditions(memory: &Arc<Memory>, metrics: &Arc<Metrics>) -> Renditions {
    let source = Box::new(Arc::clone(memory));
    Renditions::over(source, settings("Test"), Settings { cache: 16 << 20 }, Arc::clone(metrics))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panicked")
}
