//! Brings the catalog up to date with the inbox in one pass, every file as it is: for `build`.
//!
//! One thread walks, some read, and the caller's thread writes. What is gone is told before what is new, so that a
//! renamed file finds its entry free.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::inbox::{Root, is_below};
use super::lanes::Item;
use super::plan::Lane;
use super::read::{Job, Outcome, read, work};
use super::start::adopt;
use super::start::{from_lanes, workers};
use super::{Failure, Setup, Shared, scan};
use crate::catalog::{Catalog, Change};

/// How often a file is tried that changes while it is read.
const TRIES: u32 = 3;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Changes in one transaction.
const BATCH: usize = 256;

/// The catalog, up to date.
pub(super) fn up_to_date(setup: &Setup, shared: &Shared) -> Result<Catalog, Failure> {
    let state = &setup.daemon.state;
    let mut catalog = match Catalog::exists(state)? {
        true => Some(match Catalog::open(state, setup.catalog.clone()) {
            Err(error) if error.is_damage() => {
                let now = shared.clock.now();
                Catalog::rebuild(state, setup.catalog.clone(), now, &super::originals::Inbox(shared))?
            }
            opened => opened?,
        }),
        false => None,
    };
    if let Some(catalog) = &mut catalog {
        adopt(catalog, shared, setup.daemon.accept_empty)?;
        shared.readers.get_or_init(|| catalog.readers());
    }
    let found = look(shared)?;
    let pass = Pass { shared, left: AtomicUsize::new(1), tries: Mutex::default() };
    std::thread::scope(|scope| {
        // However this ends, the threads must not wait for ever.
        let _end = Closing(shared);
        for _ in 0..workers() {
            scope.spawn(|| work(shared, |path, _| pass.again(path)));
        }
        let pass = &pass;
        scope.spawn(move || pass.feed(found));
        match catalog {
            Some(catalog) => pass.apply(catalog, setup),
            None => {
                let mut files = from_lanes(&shared.lanes, |_, _| pass.done());
                let mut catalog =
                    Catalog::load(&setup.daemon.state, setup.catalog.clone(), shared.clock.now(), &mut files)?;
                adopt(&mut catalog, shared, true)?;
                Ok(catalog)
            }
        }
    })
}

struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.jobs.close();
        self.0.lanes.close();
    }
}

/// Compares all of the inbox with the catalog.
fn look(shared: &Shared) -> Result<scan::Difference, Failure> {
    let missing = |error: io::Error| {
        Failure::Start(format!("the inbox {} cannot be read: {error}", shared.inbox.path().display()))
    };
    let root: Root = shared.open_inbox().map_err(missing)?;
    let reading = shared.reading();
    let readers = shared.readers.get();
    let (mut all, mut there, mut closed) = (scan::Difference::default(), HashSet::new(), Vec::new());
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let known = scan::known_in(readers, &folder)?;
        let listing = match scan::list(&root, &folder, &reading.names, || ()) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_empty() => continue,
            Err(error) if folder.is_empty() => return Err(missing(error)),
            Err(error) => {
                tracing::warn!(folder, "the folder cannot be read, what is in it stays as it was: {error}");
                closed.push(folder);
                continue;
            }
        };
        let difference = scan::compare(&folder, &listing.files, &known);
        all.found.extend(difference.found);
        all.lost.extend(difference.lost);
        folders.extend(listing.folders);
        there.insert(folder);
    }
    if let Some(readers) = readers {
        let is_there = |folder: &str| there.contains(folder) || closed.iter().any(|closed| is_below(folder, closed));
        scan::vanished_folders(readers, "", is_there, |paths| all.lost.extend(paths))?;
    }
    Ok(all)
}

/// What is on its way to the catalog.
struct Pass<'a> {
    shared: &'a Shared,
    /// Files that were begun and are not done, and one while more may be found.
    left: AtomicUsize,
    tries: Mutex<HashMap<String, u32>>,
}

impl Pass<'_> {
    fn feed(&self, found: scan::Difference) {
        for path in found.lost {
            self.left.fetch_add(1, Ordering::Relaxed);
            let change = Change::Missing { path };
            self.shared.lanes.push_at_once(Lane::Fresh, Item { change, since: Duration::ZERO });
        }
        for (path, _) in found.found {
            self.read(path);
        }
        self.done();
    }

    fn read(&self, path: String) {
        self.left.fetch_add(1, Ordering::Relaxed);
        self.shared.jobs.wait_for_room();
        self.shared.jobs.push(Job { path, lane: Lane::Bulk, since: Duration::ZERO, seen: None });
    }

    fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.lanes.end_load();
        }
    }

    /// A file could not be read just now.
    fn again(&self, path: String) {
        let tries = {
            let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let tries = tries.entry(path.clone()).or_default();
            *tries += 1;
            *tries
        };
        if tries < TRIES {
            std::thread::sleep(PAUSE);
            self.shared.jobs.push(Job { path, lane: Lane::Bulk, since: Duration::ZERO, seen: None });
        } else {
            tracing::warn!(path, "the file could not be read whole: it stays as it was until the next build");
            self.done();
        }
    }

    fn apply(&self, mut catalog: Catalog, setup: &Setup) -> Result<Catalog, Failure> {
        let shared = self.shared;
        let mut batch = Vec::new();
        let mut ended = false;
        while !ended {
            let items = shared.lanes.take_for_load();
            ended = items.is_none();
            batch.extend(items.into_iter().flatten().map(|item| item.change));
            if batch.len() < BATCH && !ended && !shared.lanes.is_empty() {
                continue;
            }
            let count = batch.len();
            if ended {
                batch.push(if setup.daemon.accept_empty { Change::AcceptMissing } else { Change::Due });
            }
            while !batch.is_empty() {
                let delta = catalog.apply(shared.clock.now(), std::mem::take(&mut batch))?;
                batch = reread(shared, &delta.reread);
            }
            (0..count).for_each(|_| self.done());
        }
        while catalog.reparse(shared.clock.now(), BATCH, &|| true)?.is_some() {}
        Ok(catalog)
    }
}

/// What the catalog wants to be told again: few files, read here.
fn reread(shared: &Shared, paths: &[String]) -> Vec<Change> {
    let Ok(root) = shared.open_inbox() else { return Vec::new() };
    let reading = shared.reading();
    paths
        .iter()
        .filter_map(|path| match read(&root, path, &reading) {
            Outcome::Change(change) => Some(change),
            Outcome::Changing | Outcome::Later(_) => None,
        })
        .collect()
}
