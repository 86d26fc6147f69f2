//! `publish.disk`: while feeds are served, every document is also a file below a folder, for another server to serve.
//!
//! A thread of its own runs behind the updates: after a commit it is told what was touched, and writes each file at
//! most once in 2 s, archives at most once in 10 s. At the start, and when settings changed, it goes through all
//! documents, at half a core. What cannot be written is tried again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::folder::{Folder, Unwritten};
use super::publish::{Done, Listing, Unpublished, publish};
use super::start::spawn;
use super::writer::chain;
use crate::catalog::{Delta, Error, Readers};
use crate::entry::{Document, Key, Kind};
use crate::rendition::Renditions;

/// How often a file is written at most, and an archive.
const PACE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// What was touched and waits; beyond this, all documents are gone through instead.
const LONGEST: usize = 20_000;
/// Documents that are remembered as not written; beyond this, all are gone through once one can be.
const MOST_FAILED: usize = 1000;
/// When a document that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The first and the longest rest after a file could not be written.
const REST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long the thread sleeps at most.
const SLICE: Duration = Duration::from_secs(60);

/// What the mirror is told; never waits, so that nobody who tells has to.
#[derive(Debug, Default)]
pub(super) struct Told {
    inner: Mutex<Touched>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Touched {
    keys: BTreeSet<Key>,
    entries: BTreeSet<Uuid>,
    /// Anything may have changed.
    all: bool,
    closed: bool,
}

impl Told {
    /// A commit touched these.
    pub(super) fn changed(&self, delta: &Delta) {
        if delta.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.keys.extend(delta.keys.iter().cloned());
        inner.entries.extend(delta.entries.iter().copied());
        if inner.keys.len() + inner.entries.len() > LONGEST {
            *inner = Touched { all: true, closed: inner.closed, ..Touched::default() };
        }
        self.told.notify_one();
    }

    /// Every document may have changed.
    pub(super) fn all(&self) {
        self.lock().all = true;
        self.told.notify_one();
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.told.notify_one();
    }

    /// Takes what was told; waits for something.
    fn take(&self, wait: Duration) -> Touched {
        let nothing =
            |inner: &mut Touched| !inner.closed && !inner.all && inner.keys.is_empty() && inner.entries.is_empty();
        let (mut inner, _) =
            self.told.wait_timeout_while(self.lock(), wait, nothing).unwrap_or_else(PoisonError::into_inner);
        let closed = inner.closed;
        std::mem::replace(&mut *inner, Touched { closed, ..Touched::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Touched> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears whether all is written, or what cannot be.
pub(super) type Say = Box<dyn FnMut(Result<(), String>) + Send>;

/// A mirror that waits for a catalog.
pub(super) struct Unstarted {
    pub(super) folder: Folder,
    pub(super) told: Arc<Told>,
    pub(super) say: Say,
}

impl Unstarted {
    /// Starts it.
    pub(super) fn start(self, readers: Readers, renditions: Arc<Renditions>) -> JoinHandle<()> {
        let Unstarted { folder, told, say } = self;
        let mirror = Mirror {
            folder,
            told,
            say,
            readers,
            renditions,
            queue: Queue::default(),
            pass: None,
            again: true,
            failed: HashSet::new(),
            incomplete: false,
            failures: 0,
            rest: Instant::now(),
        };
        spawn("publish", move || mirror.run())
    }
}

/// The thread's state.
struct Mirror {
    folder: Folder,
    told: Arc<Told>,
    say: Say,
    readers: Readers,
    renditions: Arc<Renditions>,
    queue: Queue,
    pass: Option<Pass>,
    /// Whether all documents are to be gone through once more.
    again: bool,
    /// What could not be written.
    failed: HashSet<Document>,
    /// Whether the last pass could not be ended.
    incomplete: bool,
    /// How often writing failed since it last succeeded.
    failures: u32,
    /// Nothing is written before.
    rest: Instant,
}

/// A pass over all documents.
#[derive(Default)]
struct Pass {
    list: Listing,
    portion: Vec<Document>,
}

impl Mirror {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            let next = match (&self.pass, self.again, self.queue.next()) {
                (Some(_), ..) | (None, true, _) => now,
                (None, false, Some(due)) => due,
                (None, false, None) => now + SLICE,
            };
            let touched = self.told.take(next.max(self.rest).saturating_duration_since(now).min(SLICE));
            if touched.closed {
                let saved = self.folder.save();
                return saved.unwrap_or_else(|error| tracing::warn!("{error}"));
            }
            self.again |= touched.all;
            if let Err(error) = self.queue_touched(&touched) {
                // The pass finds out what was touched.
                self.again = true;
                self.fail(chain(&error));
            }
            let now = Instant::now();
            if now < self.rest {
                continue;
            }
            if let Some(document) = self.queue.pop(now) {
                self.write(document);
            } else if self.pass.is_some() {
                self.go_on(now);
            } else if std::mem::take(&mut self.again) {
                self.folder.begin_pass();
                self.pass = Some(Pass::default());
            }
        }
    }

    /// Queues the documents that a commit touched.
    fn queue_touched(&mut self, touched: &Touched) -> Result<(), Error> {
        if touched.keys.is_empty() && touched.entries.is_empty() {
            return Ok(());
        }
        let formats = self.renditions.formats();
        let mut documents = vec![Document::Index, Document::Opml];
        let kinds: HashSet<Kind> = touched.keys.iter().map(Key::kind).collect();
        self.readers.read(|reader| {
            for kind in kinds.into_iter().filter(|&kind| kind != Kind::All) {
                documents.extend((1..=reader.list_pages(kind)?).map(|page| Document::List(kind, page)));
            }
            for key in &touched.keys {
                documents.extend(formats.iter().map(|&format| Document::Feed(key.clone(), format)));
                documents.push(Document::Page(key.clone()));
            }
            for &uuid in &touched.entries {
                documents.push(Document::Article(uuid));
                for (key, page) in reader.archives_of(uuid)? {
                    documents.extend(formats.iter().map(|&format| Document::Archive(key.clone(), page, format)));
                }
            }
            Ok(())
        })?;
        let now = Instant::now();
        for document in documents {
            if !self.queue.want(document, now) {
                self.queue.forget();
                self.again = true;
                break;
            }
        }
        Ok(())
    }

    /// One document of the pass, and a pause as long as it took.
    fn go_on(&mut self, now: Instant) {
        let Some(pass) = &mut self.pass else { return };
        if pass.portion.is_empty() {
            let formats = self.renditions.formats();
            match self.readers.read(|reader| pass.list.next(reader, &formats)) {
                Ok(portion) => pass.portion = portion,
                Err(error) => {
                    (self.pass, self.again) = (None, true);
                    return self.fail(chain(&error));
                }
            }
            // They are taken from the end.
            pass.portion.reverse();
        }
        let Some(document) = pass.portion.pop() else {
            self.pass = None;
            return self.end_pass();
        };
        if self.queue.is_too_soon(&document, now) {
            self.folder.meet(&document.file());
            if !self.queue.want(document, now) {
                self.again = true;
            }
            return;
        }
        self.write(document);
        self.rest = self.rest.max(Instant::now() + now.elapsed());
    }

    fn end_pass(&mut self) {
        match self.folder.end_pass() {
            Ok(removed) => {
                let (files, folder) = (self.folder.len(), self.folder.root().display());
                tracing::info!("{folder} is up to date: {files} documents, {removed} old ones removed");
                self.incomplete = false;
                self.tell_if_well();
            }
            Err(error) => {
                (self.again, self.incomplete) = (true, true);
                self.fail(error.to_string());
            }
        }
    }

    fn write(&mut self, document: Document) {
        match publish(&self.folder, &self.renditions, &document, 0) {
            Ok(done) => {
                self.failures = 0;
                if done == Done::Written {
                    self.queue.written(document.clone(), Instant::now());
                }
                if self.failed.remove(&document) {
                    self.tell_if_well();
                }
            }
            Err(error) => {
                // What stands there is better than nothing.
                self.folder.meet(&document.file());
                if self.failed.len() < MOST_FAILED || self.failed.contains(&document) {
                    self.queue.retry(document.clone(), Instant::now() + RETRY);
                    self.failed.insert(document);
                } else {
                    self.again = true;
                }
                match &error {
                    Unpublished::Unwritten(Unwritten::Io { .. }) => self.fail(error.to_string()),
                    // Others can be written meanwhile.
                    _ => (self.say)(Err(format!("not all documents are published: {error}"))),
                }
            }
        }
    }

    /// Says what is wrong, and rests before the next try: a full disk does not get emptier by being asked.
    fn fail(&mut self, why: String) {
        let rest = REST.0.saturating_mul(1 << self.failures.min(10)).min(REST.1);
        self.failures += 1;
        self.rest = Instant::now() + rest;
        (self.say)(Err(format!("not all documents are published: {why}")));
    }

    fn tell_if_well(&mut self) {
        if self.failed.is_empty() && !self.incomplete {
            (self.say)(Ok(()));
        }
    }
}

/// What is to be written when.
#[derive(Debug, Default)]
struct Queue {
    due: HashMap<Document, Instant>,
    order: BTreeSet<(Instant, Document)>,
    /// When those were written that may not be written again yet.
    written: HashMap<Document, Instant>,
}

impl Queue {
    /// Queues a document as soon as its pace allows; false where too many wait.
    fn want(&mut self, document: Document, now: Instant) -> bool {
        if !self.due.contains_key(&document) {
            let due = self.written.get(&document).map_or(now, |&last| now.max(last + pace(&document)));
            self.put(document, due);
        }
        self.due.len() <= LONGEST
    }

    /// Queues a document for a later try.
    fn retry(&mut self, document: Document, at: Instant) {
        if !self.due.contains_key(&document) {
            self.put(document, at);
        }
    }

    fn put(&mut self, document: Document, due: Instant) {
        self.order.insert((due, document.clone()));
        self.due.insert(document, due);
    }

    /// Whether a document was written so shortly ago that it must wait.
    fn is_too_soon(&self, document: &Document, now: Instant) -> bool {
        self.written.get(document).is_some_and(|&last| now < last + pace(document))
    }

    /// Notes that a document was written.
    fn written(&mut self, document: Document, now: Instant) {
        if self.written.len() >= LONGEST / 10 {
            self.written.retain(|document, &mut last| now < last + pace(document));
        }
        self.written.insert(document, now);
    }

    /// The next one that is due.
    fn pop(&mut self, now: Instant) -> Option<Document> {
        if self.next()? > now {
            return None;
        }
        let (_, document) = self.order.pop_first()?;
        self.due.remove(&document);
        Some(document)
    }

    /// When the next one is due.
    fn next(&self) -> Option<Instant> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Forgets what waits.
    fn forget(&mut self) {
        self.due.clear();
        self.order.clear();
    }
}

fn pace(document: &Document) -> Duration {
    if matches!(document, Document::Archive(..)) { PACE.1 } else { PACE.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Format;

    #[test]
    fn each_file_keeps_its_pace() {
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let feed = Document::Feed(Key::all(), Format::Rss);
        let archive = Document::Archive(Key::all(), 1, Format::Rss);
        let mut queue = Queue::default();
        let mut written = Vec::new();
        for millis in (0..12_000).step_by(100) {
            for document in [&feed, &archive] {
                queue.want(document.clone(), at(millis));
            }
            while let Some(document) = queue.pop(at(millis)) {
                queue.written(document.clone(), at(millis));
                written.push((document, millis));
            }
        }
        let times = |of: &Document| -> Vec<u64> {
            written.iter().filter(|(document, _)| document == of).map(|(_, millis)| *millis).collect()
        };
        assert_eq!(times(&feed), [0, 2000, 4000, 6000, 8000, 10_000]);
        assert_eq!(times(&archive), [0, 10_000]);
    }

    #[test]
    fn what_cannot_be_remembered_is_found_by_a_pass() {
        let told = Told::default();
        let entries = (0..LONGEST as u128 + 1).map(Uuid::from_u128).collect();
        told.changed(&Delta { entries, ..Delta::default() });
        let touched = told.take(Duration::ZERO);
        assert!(touched.all && touched.entries.is_empty());
        assert!(!told.take(Duration::ZERO).all);
    }
}
