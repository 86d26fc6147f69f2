//! The thread that looks at the inbox: whole scans, walks of single folders, looks at single files.
//!
//! It owns the watches, because each folder must be watched before it is listed: only so does nothing fall between the
//! two. The scan of a first load watches last, since each file that is read would tell of it, and is followed by
//! another one. A long scan is interrupted between two folders by walks and looks, which somebody is waiting for.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::Shared;
use super::inbox::{Look, Root, is_below};
use super::plan::{Age, Cause, Event};
use super::scan::{self, Listing};
use super::watch::{Hint, Trouble, Watch};
use crate::catalog::{self, Fingerprint};

/// A file whose times are younger than this may still be written.
const YOUNG: i64 = 2_000_000_000;
/// How often folders are listed that could not be watched.
const POLL_UNWATCHED: Duration = Duration::from_secs(5);
/// How often it says that it is alive.
const ROUND: Duration = Duration::from_secs(1);
/// Found files that a scan keeps back at most, so that what is gone is told before what is new.
const KEEP_BACK: usize = 50_000;
/// Found files that are told at once.
const TELL: usize = 64;

/// What the scanner is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Compare everything.
    Scan(Cause),
    /// Compare a folder and what is below it.
    Walk { folder: String, whole: bool },
    /// Look at one file.
    Look(String),
    /// End.
    Stop,
}

/// How a scan went.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Whether the whole inbox must be polled; why.
    pub(super) polled: Option<String>,
    /// How long it took.
    pub(super) took: Duration,
    /// Files listed.
    pub(super) files: u64,
    /// Why it could not be done.
    pub(super) failed: Option<String>,
}

/// The thread's state.
pub(super) struct Scanner<Tell, Watched> {
    shared: Arc<Shared>,
    requests: Receiver<Request>,
    tell: Tell,
    watched: Watched,
    watch: Option<Watch>,
    polled: Option<String>,
    /// It is polled because no watch could be had, which is tried again.
    refused: bool,
    /// Folders that could not be watched.
    unwatched: BTreeSet<String>,
    /// Folders that could not be read when they were last looked at, and those of them that were told.
    closed: BTreeSet<String>,
    closed_told: BTreeSet<String>,
    limit_told: bool,
}

/// What the scanner says.
#[derive(Debug)]
pub(super) enum Say {
    /// What became of single files.
    Events(Vec<Event>),
    /// What is to be read; [`Jobs::heard`](super::read::Jobs::heard) is to be called for it.
    Found(Vec<Event>),
    /// Which folders cannot be read, when that changed.
    Closed(BTreeSet<String>),
    /// How a scan went.
    Scanned(Report),
}

enum Stop {
    /// The daemon stops.
    Asked,
    /// The scan cannot go on.
    Failed(String),
}

impl From<catalog::Error> for Stop {
    fn from(error: catalog::Error) -> Stop {
        Stop::Failed(format!("the catalog cannot be read: {error}"))
    }
}

impl<Tell, Watched> Scanner<Tell, Watched>
where
    Tell: Fn(Say),
    Watched: Fn(Hint) + Clone + Send + 'static,
{
    /// A scanner that answers requests to `tell`; the watch sends hints to `watched`.
    pub(super) fn new(shared: Arc<Shared>, requests: Receiver<Request>, tell: Tell, watched: Watched) -> Self {
        Scanner {
            shared,
            requests,
            tell,
            watched,
            watch: None,
            polled: None,
            refused: false,
            unwatched: BTreeSet::new(),
            closed: BTreeSet::new(),
            closed_told: BTreeSet::new(),
            limit_told: false,
        }
    }

    /// Answers requests until it is asked to stop.
    pub(super) fn run(mut self) {
        let mut next_poll = Instant::now() + POLL_UNWATCHED;
        loop {
            self.shared.pulse.scan.now(&self.shared.clock);
            let wait = next_poll.saturating_duration_since(Instant::now()).min(ROUND);
            let ended = match self.requests.recv_timeout(wait) {
                Ok(request) => matches!(self.answer(request), Err(Stop::Asked)),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if ended {
                return;
            }
            if Instant::now() >= next_poll {
                self.poll_unwatched();
                next_poll = Instant::now() + POLL_UNWATCHED;
            }
        }
    }

    fn answer(&mut self, request: Request) -> Result<(), Stop> {
        match request {
            Request::Scan(cause) => {
                let began = self.shared.clock.steady();
                let mut report = Report::default();
                match self.scan(cause, &mut report) {
                    Err(Stop::Asked) => return Err(Stop::Asked),
                    Err(Stop::Failed(why)) => report.failed = Some(why),
                    Ok(()) => {}
                }
                report.took = self.shared.clock.steady().saturating_sub(began);
                report.polled.clone_from(&self.polled);
                (self.tell)(Say::Scanned(report));
            }
            Request::Walk { folder, whole } => {
                if let Err(Stop::Failed(why)) = self.walk(&folder, whole) {
                    tracing::warn!(folder, why, "a folder could not be looked at");
                }
            }
            Request::Look(path) => self.look(path),
            Request::Stop => return Err(Stop::Asked),
        }
        Ok(())
    }

    /// Answers what somebody waits for in the middle of a scan.
    fn answer_waiting(&mut self) -> Result<(), Stop> {
        loop {
            match self.requests.try_recv() {
                // The plan asks for one scan at a time; the one under way is it.
                Ok(Request::Scan(_)) => {}
                Ok(request) => self.answer(request)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Stop::Asked),
            }
        }
    }

    fn scan(&mut self, cause: Cause, report: &mut Report) -> Result<(), Stop> {
        let root = self.open()?;
        let anew = match cause {
            // After a load it is watched already.
            Cause::Start => self.watch.is_none(),
            Cause::Root | Cause::Reload => true,
            Cause::Load | Cause::Overflow | Cause::Timer => self.refused,
        };
        if anew {
            self.choose(&root);
        }
        self.unwatched.clear();
        let (mut kept_back, mut unreadable) = (Vec::new(), Vec::new());
        let mut there = HashSet::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            self.answer_waiting()?;
            let Some(listing) = self.visit(&root, &folder, &mut unreadable, &mut kept_back, Age::Young)? else {
                continue;
            };
            report.files += listing.files.len() as u64;
            folders.extend(listing.folders);
            there.insert(folder);
            // Without a catalog nothing can be gone, and with too much to remember order gives way to memory.
            if self.shared.readers.get().is_none() || kept_back.len() > KEEP_BACK {
                self.tell_found(&mut kept_back);
            }
        }
        self.miss_folders("", &there, &unreadable)?;
        self.tell_closed("", unreadable);
        self.shared.excluded().retain(|folder| there.contains(folder));
        self.tell_found(&mut kept_back);
        if cause == Cause::Load {
            self.choose(&root);
            there.iter().for_each(|folder| self.watch(folder));
        }
        Ok(())
    }

    fn walk(&mut self, top: &str, whole: bool) -> Result<(), Stop> {
        let root = self.open()?;
        let age = if whole { Age::Whole } else { Age::Young };
        let (mut there, mut unreadable, mut found) = (HashSet::new(), Vec::new(), Vec::new());
        let excluded = self.shared.reading().names.excludes_folder(top);
        let mut folders = if excluded { Vec::new() } else { vec![top.to_owned()] };
        while let Some(folder) = folders.pop() {
            if let Some(listing) = self.visit(&root, &folder, &mut unreadable, &mut found, age)? {
                folders.extend(listing.folders);
                there.insert(folder);
            }
        }
        self.miss_folders(top, &there, &unreadable)?;
        self.tell_closed(top, unreadable);
        self.shared.excluded().retain(|folder| !is_below(folder, top) || there.contains(folder));
        self.tell_found(&mut found);
        Ok(())
    }

    /// Watches and lists a folder and tells what it lost; `None` where it is not there or cannot be read.
    fn visit(
        &mut self,
        root: &Root,
        folder: &str,
        unreadable: &mut Vec<String>,
        found: &mut Vec<Event>,
        age: Age,
    ) -> Result<Option<Listing>, Stop> {
        self.watch(folder);
        let known = scan::known_in(self.shared.readers.get(), folder)?;
        let now = self.shared.clock.file_time();
        let mut listing = match scan::list(root, folder, &self.shared.reading().names, || {
            self.shared.pulse.scan.now(&self.shared.clock)
        }) {
            Ok(listing) => listing,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => {
                tracing::debug!(folder, %error, "a folder could not be read");
                unreadable.push(folder.to_owned());
                return Ok(None);
            }
        };
        self.shared.excluded().set(folder, std::mem::take(&mut listing.excluded));
        let difference = scan::compare(folder, &listing.files, &known);
        if !difference.lost.is_empty() {
            (self.tell)(Say::Events(difference.lost.into_iter().map(Event::Lost).collect()));
        }
        found.extend(difference.found.into_iter().map(|(path, seen)| {
            let age = if age == Age::Young { age_of(&seen, now) } else { age };
            Event::Found(path, seen, age)
        }));
        Ok(Some(listing))
    }

    /// Tells which folders cannot be read, if that changed: at and below `top` they are these.
    fn tell_closed(&mut self, top: &str, unreadable: Vec<String>) {
        self.closed.retain(|folder| !is_below(folder, top));
        self.closed.extend(unreadable);
        if self.closed != self.closed_told {
            self.closed_told.clone_from(&self.closed);
            (self.tell)(Say::Closed(self.closed.clone()));
        }
    }

    fn miss_folders(&self, top: &str, there: &HashSet<String>, unreadable: &[String]) -> Result<(), Stop> {
        let Some(readers) = self.shared.readers.get() else { return Ok(()) };
        // What cannot be read is not known to be missing.
        let is_there =
            |folder: &str| there.contains(folder) || unreadable.iter().any(|closed| is_below(folder, closed));
        scan::vanished_folders(readers, top, is_there, |paths| {
            (self.tell)(Say::Events(paths.into_iter().map(Event::Lost).collect()));
        })?;
        Ok(())
    }

    fn tell_found(&self, found: &mut Vec<Event>) {
        let mut found = std::mem::take(found).into_iter().peekable();
        while found.peek().is_some() {
            let next: Vec<Event> = found.by_ref().take(TELL).collect();
            self.shared.jobs.tell(next.len());
            self.shared.pulse.scan.now(&self.shared.clock);
            (self.tell)(Say::Found(next));
        }
    }

    fn look(&self, path: String) {
        let event = match self.shared.open_inbox().map(|root| root.look(&path)) {
            Ok(Ok(Look::File(seen) | Look::Link(seen) | Look::Special(seen))) => {
                let age = age_of(&seen, self.shared.clock.file_time());
                Event::Found(path, seen, age)
            }
            Ok(_) => Event::Lost(path),
            // The loop notices by itself that the inbox is away.
            Err(_) => return,
        };
        (self.tell)(Say::Events(vec![event]));
    }

    fn open(&self) -> Result<Root, Stop> {
        self.shared.open_inbox().map_err(|error| Stop::Failed(format!("the inbox cannot be read: {error}")))
    }

    /// Decides whether the inbox is watched, and begins with new watches: the old ones may be of another folder.
    fn choose(&mut self, root: &Root) {
        self.watch = None;
        self.refused = false;
        self.limit_told = false;
        self.polled = scan::polled(self.shared.poll(), root.file_system().ok());
        if self.polled.is_some() {
            return;
        }
        match Watch::new(self.shared.inbox.path(), self.watched.clone()) {
            Ok(watch) => self.watch = Some(watch),
            Err(Trouble::Limit(sysctl)) => {
                self.polled = Some(format!("the system's limit {sysctl} is used up; raise it with sysctl"));
            }
            Err(Trouble::Gone) => {}
            Err(Trouble::Other(error)) => self.polled = Some(format!("it cannot be watched: {error}")),
        }
        self.refused = self.polled.is_some();
    }

    fn watch(&mut self, folder: &str) {
        let Some(watch) = &mut self.watch else { return };
        match watch.add(folder) {
            Ok(()) => {
                self.unwatched.remove(folder);
            }
            Err(Trouble::Gone) => {}
            Err(Trouble::Limit(sysctl)) => {
                if !std::mem::replace(&mut self.limit_told, true) {
                    tracing::warn!(
                        folder,
                        "the system's limit {sysctl} is used up: folders beyond it are looked at every {} s; \
                         raise it with `sysctl {sysctl}=…`",
                        POLL_UNWATCHED.as_secs()
                    );
                }
                self.unwatched.insert(folder.to_owned());
            }
            Err(Trouble::Other(error)) => {
                tracing::debug!(folder, %error, "a folder could not be watched");
                self.unwatched.insert(folder.to_owned());
            }
        }
    }

    fn poll_unwatched(&mut self) {
        if self.unwatched.is_empty() || self.shared.readers.get().is_none() {
            return;
        }
        let Ok(root) = self.open() else { return };
        let mut found = Vec::new();
        for folder in std::mem::take(&mut self.unwatched) {
            let mut unreadable = Vec::new();
            match self.visit(&root, &folder, &mut unreadable, &mut found, Age::Young) {
                Ok(Some(listing)) => {
                    // A folder that could be watched tells of its own folders; this one does not.
                    if self.unwatched.contains(&folder) {
                        let new: Vec<String> = listing.folders;
                        self.unwatched.extend(new);
                    }
                }
                Ok(None) | Err(Stop::Asked) => {}
                Err(Stop::Failed(why)) => tracing::warn!(folder, why, "a folder could not be looked at"),
            }
            self.tell_closed(&folder, unreadable);
        }
        self.tell_found(&mut found);
    }
}

fn age_of(seen: &Fingerprint, now: i64) -> Age {
    let old = |time: i64| now.saturating_sub(time) > YOUNG;
    if old(seen.mtime) && old(seen.ctime) { Age::Old } else { Age::Young }
}
