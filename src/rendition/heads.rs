//! Heads in memory: whether a document exists and which validators it has, so that a 304 reads no table.
//!
//! A head is valid only if it was read after the last change of its scope: a feed's documents change with its key,
//! an article's page with its entry, the pages that list feeds with anything. Each commit takes a new number and
//! writes it into the slot of every scope it touched; a head remembers the number that stood before its reading
//! began. A slow reader can thus store what it likes: a stale head is never taken for a fresh one.

use std::hash::{BuildHasher, Hash as _, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Status;
use super::refresh::Heat;
use crate::catalog::Delta;
use crate::entry::{Document, Key, Segment};

/// Two scopes may share a slot: then a change of one makes the other be read again, no more. Fixed memory.
const SLOTS: usize = 1 << 14;

/// Bytes of heads that are kept.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// What a head costs besides its names.
const OVERHEAD: usize = 240;

#[derive(Clone)]
struct Remembered {
    /// The generation before the reading began.
    began: u64,
    status: Status,
    heat: Arc<Heat>,
}

#[derive(Clone, Copy)]
struct Weight;

impl Weighter<Document, Remembered> for Weight {
    fn weight(&self, document: &Document, _: &Remembered) -> u64 {
        let names = document.key().map_or(&[][..], Key::names);
        let bytes: usize = names.iter().map(|name: &Segment| 48 + name.as_str().len()).sum();
        (OVERHEAD + bytes) as u64
    }
}

/// What a document's head depends on.
enum Scope {
    /// One slot.
    Slot(usize),
    /// Anything in the catalog.
    Anything,
    /// Nothing but the settings.
    Settings,
}

/// The heads that were asked for, and when each scope last changed.
pub(super) struct Heads {
    remembered: Cache<Document, Remembered, Weight>,
    generation: AtomicU64,
    /// When the settings last changed.
    settings: AtomicU64,
    /// When anything last changed.
    anything: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Heads {
    pub(super) fn new() -> Heads {
        Heads {
            remembered: Cache::with_weighter(32 * 1024, CAPACITY, Weight),
            generation: AtomicU64::new(0),
            settings: AtomicU64::new(0),
            anything: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// To be noted before a reading begins.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// A document's head, if it is known and nothing that it depends on has changed since it was read.
    pub(super) fn get(&self, document: &Document) -> Option<Status> {
        let remembered = self.remembered.get(document)?;
        self.is_fresh(document, remembered.began).then_some(remembered.status)
    }

    /// The same for somebody who reads the document, which is noted.
    pub(super) fn ask(&self, document: &Document) -> Option<Status> {
        let remembered = self.remembered.get(document)?;
        remembered.heat.ask();
        self.is_fresh(document, remembered.began).then_some(remembered.status)
    }

    /// How a document is read; `None` for one that nobody asked for.
    pub(super) fn heat(&self, document: &Document) -> Option<Arc<Heat>> {
        self.remembered.peek(document).map(|remembered| remembered.heat)
    }

    /// Remembers what a reading found that began at a generation.
    pub(super) fn insert(&self, document: Document, began: u64, status: Status) {
        if self.is_fresh(&document, began) {
            let heat = self.heat(&document).unwrap_or_default();
            self.remembered.insert(document, Remembered { began, status, heat });
        }
    }

    /// Whether a reading that began at a generation shows the present state of a document.
    pub(super) fn is_fresh(&self, document: &Document, began: u64) -> bool {
        let changed = match self.scope(document) {
            Scope::Slot(slot) => self.slots[slot].load(Ordering::SeqCst),
            Scope::Anything => self.anything.load(Ordering::SeqCst),
            Scope::Settings => 0,
        };
        changed <= began && self.settings.load(Ordering::SeqCst) <= began
    }

    /// Notes a committed change. Readings that begin from now on see it.
    pub(super) fn changed(&self, delta: &Delta) {
        if delta.is_empty() {
            return;
        }
        let number = self.next();
        for key in &delta.keys {
            self.slots[self.slot(0, key)].fetch_max(number, Ordering::SeqCst);
        }
        for uuid in &delta.entries {
            self.slots[self.slot(1, uuid)].fetch_max(number, Ordering::SeqCst);
        }
        self.anything.fetch_max(number, Ordering::SeqCst);
    }

    /// Notes that every stamp changed.
    pub(super) fn all_changed(&self) {
        let number = self.next();
        self.settings.fetch_max(number, Ordering::SeqCst);
    }

    fn next(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn scope(&self, document: &Document) -> Scope {
        match document {
            Document::Feed(key, _) | Document::Page(key) | Document::Archive(key, ..) => Scope::Slot(self.slot(0, key)),
            Document::Article(uuid) => Scope::Slot(self.slot(1, uuid)),
            Document::Index | Document::List(..) | Document::Opml => Scope::Anything,
            Document::Style | Document::Icon | Document::Robots => Scope::Settings,
        }
    }

    fn slot(&self, kind: u8, name: &impl std::hash::Hash) -> usize {
        let mut hasher = self.hasher.build_hasher();
        kind.hash(&mut hasher);
        name.hash(&mut hasher);
        // The lowest bits; SLOTS is far below 2^16.
        (hasher.finish() & (SLOTS as u64 - 1)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Format, Kind};

    fn key(name: &str) -> Key {
        Key::new(Kind::Tag, Segment::new(name).into_iter().collect()).expect("a key")
    }

    fn feed(name: &str) -> Document {
        Document::Feed(key(name), Format::Rss)
    }

    fn delta(name: &str) -> Delta {
        Delta { keys: [key(name)].into(), ..Delta::default() }
    }

    #[test]
    fn a_change_forgets_its_scope_alone() {
        let heads = Heads::new();
        let began = heads.generation();
        for document in [feed("a"), feed("b"), Document::Index, Document::Style] {
            heads.insert(document, began, Status::Never);
        }
        // Slots are shared by chance: choose a name that does not share one.
        let other = ["b", "c", "d"].into_iter().find(|name| heads.slot(0, &key(name)) != heads.slot(0, &key("a")));
        let other = feed(other.expect("a name with another slot"));
        heads.insert(other.clone(), began, Status::Never);
        heads.changed(&delta("a"));
        assert_eq!(heads.get(&feed("a")), None);
        assert_eq!(heads.get(&Document::Index), None);
        assert_eq!(heads.get(&other), Some(Status::Never));
        assert_eq!(heads.get(&Document::Style), Some(Status::Never));
        heads.all_changed();
        assert_eq!(heads.get(&other), None);
        assert_eq!(heads.get(&Document::Style), None);
    }

    #[test]
    fn a_reading_that_began_before_a_change_never_sticks() {
        let heads = Heads::new();
        let before = heads.generation();
        heads.changed(&delta("a"));
        heads.insert(feed("a"), before, Status::Gone);
        assert_eq!(heads.get(&feed("a")), None);
        heads.insert(feed("a"), heads.generation(), Status::Never);
        assert_eq!(heads.get(&feed("a")), Some(Status::Never));
        heads.changed(&Delta::default());
        assert_eq!(heads.get(&feed("a")), Some(Status::Never));
    }
}
