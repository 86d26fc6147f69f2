//! The two queues in front of the writer: *fresh* (events) before *bulk* (scans).
//!
//! Both are bounded by count and by bytes: readers wait, so that a fast disk cannot fill the memory. What is missing
//! never waits: it costs nothing, and a removal must reach the catalog before the file's new name does.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::plan::Lane;
use crate::catalog::{self, Change};
use crate::feed;

/// Files that a lane holds at most.
const LONGEST: usize = 256;
/// Bytes that a lane holds at most, one file excepted.
const HEAVIEST: usize = 16 << 20;
/// Files that the first load takes at once, if they come in time: waking for each one takes a tenth of the processor.
const LOADED_AT_ONCE: usize = 64;
/// How long it waits for so many.
const GATHERING: Duration = Duration::from_millis(5);

/// A change on its way to the catalog.
#[derive(Debug)]
pub(super) struct Item {
    /// What the catalog is told.
    pub(super) change: Change,
    /// When the file was whole.
    pub(super) since: Duration,
}

impl Item {
    /// The path that it is about.
    pub(super) fn path(&self) -> &str {
        match &self.change {
            Change::Seen(file) => &file.path,
            Change::Unreadable { path, .. } | Change::Missing { path } => path,
            Change::AcceptMissing | Change::Away | Change::There | Change::Due => "",
        }
    }

    fn bytes(&self) -> usize {
        match &self.change {
            Change::Seen(file) => file.kept.bytes.len() + 1024,
            _ => 256,
        }
    }
}

/// Settings that take effect between two transactions.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// For the catalog.
    pub(super) catalog: catalog::Settings,
    /// For what is made of it.
    pub(super) feed: feed::Settings,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) enum Work {
    /// A change of one lane; [`Lanes::more`] gives those behind it.
    Change(Lane, Item),
    /// The inbox is another folder now.
    Adopt(catalog::Inbox),
    /// The settings are other ones now.
    Reconfigure(Box<Settings>),
    /// Nothing came within the time.
    Nothing,
    /// The daemon stops.
    Stop,
}

/// Both lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    inner: Mutex<Inner>,
    /// Something was put in, or the lanes were closed.
    filled: Condvar,
    /// Something was taken out, or the lanes were closed.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    fresh: Queue,
    bulk: Queue,
    adopt: Option<catalog::Inbox>,
    reconfigure: Option<Box<Settings>>,
    loaded: bool,
    closed: bool,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Queue {
    fn is_full(&self) -> bool {
        self.items.len() >= LONGEST || self.bytes >= HEAVIEST
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.bytes();
        Some(item)
    }

    fn take_all(&mut self) -> Vec<Item> {
        self.bytes = 0;
        std::mem::take(&mut self.items).into()
    }
}

impl Inner {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.fresh.items.len() + self.bulk.items.len()
    }

    fn queue(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Fresh => &mut self.fresh,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

impl Lanes {
    /// Puts a change in; waits while the lane is full. False where the lanes are closed: nobody will take it.
    pub(super) fn push(&self, lane: Lane, item: Item) -> bool {
        let mut inner = self.lock();
        while inner.queue(lane).is_full() && !inner.closed {
            inner = self.drained.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let open = !inner.closed;
        if open {
            self.put(inner, lane, item);
        }
        open
    }

    /// Puts a change in without ever waiting; for what holds no bytes.
    pub(super) fn push_at_once(&self, lane: Lane, item: Item) {
        self.put(self.lock(), lane, item);
    }

    /// The writer waits while nothing is there, or too little for a load: a wake-up is a system call.
    fn put(&self, mut inner: MutexGuard<'_, Inner>, lane: Lane, item: Item) {
        inner.queue(lane).push(item);
        let wanted = matches!(inner.len(), 1 | LOADED_AT_ONCE);
        drop(inner);
        if wanted {
            self.filled.notify_one();
        }
    }

    /// Has the catalog told which folder the inbox is now, before it is told anything else.
    pub(super) fn adopt(&self, inbox: catalog::Inbox) {
        self.lock().adopt = Some(inbox);
        self.filled.notify_one();
    }

    /// Has the catalog take other settings, before it is told anything else.
    pub(super) fn reconfigure(&self, settings: Box<Settings>) {
        self.lock().reconfigure = Some(settings);
        self.filled.notify_one();
    }

    /// The same once more, unless there are newer ones.
    pub(super) fn reconfigure_again(&self, settings: Box<Settings>) {
        self.lock().reconfigure.get_or_insert(settings);
    }

    /// Takes a change, a fresh one first; waits for it.
    pub(super) fn take(&self, wait: Duration) -> Work {
        let idle = |inner: &mut Inner| {
            !inner.closed && inner.adopt.is_none() && inner.reconfigure.is_none() && inner.is_empty()
        };
        let (mut inner, _) =
            self.filled.wait_timeout_while(self.lock(), wait, idle).unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Work::Stop;
        }
        if let Some(inbox) = inner.adopt.take() {
            return Work::Adopt(inbox);
        }
        if let Some(settings) = inner.reconfigure.take() {
            return Work::Reconfigure(settings);
        }
        let lane = if inner.fresh.items.is_empty() { Lane::Bulk } else { Lane::Fresh };
        self.pop(inner, lane).map_or(Work::Nothing, |item| Work::Change(lane, item))
    }

    /// Takes one more change of the same lane for the same transaction; `None` where that is to end: nothing is there, a
    /// fresh change waits behind a bulk one, or something else is to be done first.
    pub(super) fn more(&self, lane: Lane) -> Option<Item> {
        let inner = self.lock();
        let ends = inner.closed || inner.adopt.is_some() || inner.reconfigure.is_some();
        if ends || (lane == Lane::Bulk && !inner.fresh.items.is_empty()) {
            return None;
        }
        self.pop(inner, lane)
    }

    fn pop(&self, mut inner: MutexGuard<'_, Inner>, lane: Lane) -> Option<Item> {
        let item = inner.queue(lane).pop();
        drop(inner);
        self.drained.notify_all();
        item
    }

    /// Takes all changes that are there for the first catalog; waits for the first one. `None` once all were taken.
    ///
    /// Never returns once the lanes are closed: a first catalog that was cut short must not be put in place.
    pub(super) fn take_for_load(&self) -> Option<Vec<Item>> {
        let mut inner = self.lock();
        loop {
            let few = |inner: &mut Inner| (1..LOADED_AT_ONCE).contains(&inner.len()) && !inner.loaded && !inner.closed;
            (inner, _) = self.filled.wait_timeout_while(inner, GATHERING, few).unwrap_or_else(PoisonError::into_inner);
            if !inner.closed {
                let mut items = inner.bulk.take_all();
                items.extend(inner.fresh.take_all());
                if !items.is_empty() {
                    drop(inner);
                    self.drained.notify_all();
                    return Some(items);
                }
                if inner.loaded {
                    return None;
                }
            }
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that all changes of the first catalog are in.
    pub(super) fn end_load(&self) {
        self.lock().loaded = true;
        self.filled.notify_all();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Waits, but not once the lanes are closed; true where they are.
    pub(super) fn wait_closed(&self, wait: Duration) -> bool {
        let open = |inner: &mut Inner| !inner.closed;
        let (inner, _) =
            self.filled.wait_timeout_while(self.lock(), wait, open).unwrap_or_else(PoisonError::into_inner);
        inner.closed
    }

    /// Stops the writer after its transaction, and frees whoever waits to put something in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str) -> Item {
        Item { change: Change::Missing { path: path.to_owned() }, since: Duration::ZERO }
    }

    /// The paths of a transaction.
    fn take_all(lanes: &Lanes) -> Vec<String> {
        match lanes.take(Duration::ZERO) {
            Work::Change(lane, item) => {
                let more = std::iter::from_fn(|| lanes.more(lane));
                [item].into_iter().chain(more).map(|item| item.path().to_owned()).collect()
            }
            other => panic!("{other:?} is no change"),
        }
    }

    #[test]
    fn fresh_comes_before_bulk_and_keeps_its_order() {
        let lanes = Lanes::default();
        for (lane, path) in [(Lane::Bulk, "1"), (Lane::Fresh, "2"), (Lane::Bulk, "3"), (Lane::Fresh, "4")] {
            assert!(lanes.push(lane, item(path)));
        }
        assert_eq!(take_all(&lanes), ["2", "4"]);
        assert_eq!(take_all(&lanes), ["1", "3"]);
        assert!(matches!(lanes.take(Duration::ZERO), Work::Nothing));
    }

    #[test]
    fn a_transaction_ends_where_something_else_comes_first() {
        let lanes = Lanes::default();
        (0..4).for_each(|n| assert!(lanes.push(Lane::Bulk, item(&n.to_string()))));
        assert!(matches!(lanes.take(Duration::ZERO), Work::Change(Lane::Bulk, _)));
        lanes.push(Lane::Fresh, item("fresh"));
        assert!(lanes.more(Lane::Bulk).is_none(), "a fresh one waits");
        assert_eq!(take_all(&lanes), ["fresh"]);
        assert!(lanes.more(Lane::Bulk).is_some());
        lanes.adopt(catalog::Inbox { path: "/inbox".into(), device: 1 });
        assert!(lanes.more(Lane::Bulk).is_none(), "these are of another folder");
        assert!(matches!(lanes.take(Duration::ZERO), Work::Adopt(_)));
        assert_eq!(take_all(&lanes), ["2", "3"]);
    }

    #[test]
    fn a_full_lane_waits_until_it_is_closed() {
        let lanes = Lanes::default();
        for n in 0..LONGEST {
            assert!(lanes.push(Lane::Bulk, item(&n.to_string())));
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lanes.push(Lane::Bulk, item("one too many")));
            lanes.push_at_once(Lane::Fresh, item("gone"));
            lanes.close();
            assert!(!waiting.join().expect("joined"));
        });
        assert!(matches!(lanes.take(Duration::ZERO), Work::Stop));
        assert!(lanes.more(Lane::Bulk).is_none(), "what was not begun is read again");
    }

    #[test]
    fn a_load_takes_all_and_ends() {
        let lanes = Lanes::default();
        lanes.push(Lane::Bulk, item("a"));
        lanes.end_load();
        assert!(lanes.take_for_load().is_some());
        assert!(lanes.take_for_load().is_none());
    }
}
