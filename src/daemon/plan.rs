//! What to do when: settling, holding, retrying, scanning. A pure state machine: an event at a time gives acts.
//!
//! Events are hints; what counts is what a reader finds. A whole file is one that was renamed into place or closed
//! after writing. For each path at most one thing is under way at a time, so that what the catalog is told of a path
//! arrives in the order in which it happened; what happens meanwhile is remembered and looked at afterwards.
//!
//! Only paths to which something is happening are kept here: an idle inbox of any size costs nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::catalog::Fingerprint;

#[cfg(test)]
mod tests;

/// A file seen modified and not closed is taken after this time without change.
const NEVER_CLOSED: Duration = Duration::from_secs(60);
/// Two looks at a file without event history must be equal and this far apart.
const LOOKS_APART: Duration = Duration::from_secs(2);
/// When a file that was made, but not written as far as we know, is looked at first.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// When what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// At most one scan of a cause within this time.
const BETWEEN_SCANS: Duration = Duration::from_secs(5);

/// What happened. Paths are relative to the inbox and are those of articles by name, or of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A file was made, perhaps by a link.
    Created(String),
    /// Its content changed.
    Modified(String),
    /// It was closed by one who could write.
    Closed(String),
    /// It was renamed into place.
    Arrived(String),
    /// Its times, mode or owner changed.
    Touched(String),
    /// It was deleted or renamed away.
    Removed(String),
    /// A folder was made.
    FolderCreated(String),
    /// A folder was moved in: what is in it is whole.
    FolderArrived(String),
    /// A folder was deleted or renamed away.
    FolderGone(String),
    /// Events were lost.
    Overflow,
    /// The inbox is missing, or cannot be read.
    RootGone,
    /// It is there again, or is another folder now.
    RootBack,
    /// A scan is wanted.
    Wanted(Cause),
    /// A scan, a walk or a look found a file that is not as the catalog knows it.
    Found(String, Fingerprint, Age),
    /// A scan, a walk or a look did not find a file that the catalog knows.
    Lost(String),
    /// The scan under way has ended.
    Scanned,
    /// The catalog wants the file to be read although it did not change.
    Reread(String),
    /// What an act began for a path has ended.
    Done(String, End),
    /// The first catalog is in place.
    Loaded,
    /// Time has passed.
    Tick,
}

/// What is known of how old a found file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Its folder was moved in as a whole.
    Whole,
    /// Both of its times are more than two seconds ago.
    Old,
    /// Somebody may be writing it.
    Young,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The catalog has taken what was found.
    Accepted,
    /// The file changed while it was read.
    Changing,
    /// It could not be read or kept just now.
    Failed,
}

/// Why a scan is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// There is no catalog yet.
    Load,
    /// The daemon has started, or has made its first catalog: what happened while nothing was watched is unknown.
    Start,
    /// Events were lost.
    Overflow,
    /// The inbox is there again, or is another folder.
    Root,
    /// The config was read again.
    Reload,
    /// Time has passed.
    Timer,
}

/// The lane in which something reaches the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Events: first.
    Fresh,
    /// Scans.
    Bulk,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Read the file and give it to the catalog; `since` is when it was whole. Where looks decided so, it is this one
    /// that they saw: another one that stands there by then may be half written.
    Read { path: String, lane: Lane, since: Duration, seen: Option<Fingerprint> },
    /// Tell the catalog that the file is missing, if it is.
    Check(String),
    /// Look at the file and report [`Event::Found`] or [`Event::Lost`].
    Look(String),
    /// Watch and list a folder and what is below it; `whole` says that it was moved in.
    Walk { folder: String, whole: bool },
    /// Compare the whole inbox with the catalog.
    Scan(Cause),
    /// All that the first catalog is made of has been read.
    EndLoad,
}

/// What is under way.
#[derive(Debug)]
pub(super) struct State {
    settle: Duration,
    files: HashMap<String, File>,
    /// The next step of every file with nothing under way.
    timers: BTreeSet<(Duration, String)>,
    scans: Scans,
    /// The inbox is missing: nothing that is not there is missed.
    gone: bool,
    loading: Option<Loading>,
    /// Folders to be walked once it is known what is gone.
    walks: Vec<(String, bool)>,
}

#[derive(Debug, Default)]
struct File {
    /// Something is under way: [`Event::Done`] will come.
    busy: bool,
    next: Option<(Duration, Next)>,
    /// When the catalog last took it.
    accepted: Option<Duration>,
    /// What the last look saw, and when.
    seen: Option<(Fingerprint, Duration)>,
}

/// What is to be done with a file next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It is being written: read it if nothing happens any more.
    GiveUp,
    /// Read it; it was whole at this time.
    Read(Duration),
    Look,
    Check,
    /// Forget when it was last accepted.
    Forget,
}

#[derive(Debug, Default)]
struct Scans {
    running: bool,
    /// Not all events were heard. A file that is new may have been renamed, and would be taken for another article
    /// before its old name is known to be gone: what is new waits until a scan has told what is gone.
    blind: bool,
    /// The scan under way began after that.
    answers: bool,
    wanted: BTreeMap<Cause, Duration>,
    began: BTreeMap<Cause, Duration>,
}

/// While the first catalog is made, events wait: it takes each path once.
#[derive(Debug, Default)]
struct Loading {
    scanned: bool,
    ended: bool,
    busy: usize,
}

impl State {
    /// Nothing is under way; `loading` until [`Event::Loaded`].
    pub(super) fn new(settle: Duration, loading: bool) -> State {
        State {
            settle,
            files: HashMap::new(),
            timers: BTreeSet::new(),
            scans: Scans::default(),
            gone: false,
            loading: loading.then(Loading::default),
            walks: Vec::new(),
        }
    }

    /// Takes another `inbox.settle`.
    pub(super) fn set_settle(&mut self, settle: Duration) {
        self.settle = settle;
    }

    /// When [`Event::Tick`] is due next.
    pub(super) fn wake(&self) -> Option<Duration> {
        let timer = if self.is_held() { None } else { self.timers.first().map(|(at, _)| *at) };
        let scan = if self.may_scan() { self.scans.wanted.values().min().copied() } else { None };
        [timer, scan].into_iter().flatten().min()
    }

    /// Whether what is new has to wait.
    fn is_held(&self) -> bool {
        self.loading.is_some() || self.scans.blind
    }

    fn may_scan(&self) -> bool {
        !self.scans.running && !self.gone && self.loading.as_ref().is_none_or(|loading| !loading.scanned)
    }

    fn next_of(&self, path: &str) -> Option<Next> {
        self.files.get(path)?.next.map(|(_, next)| next)
    }

    fn set(&mut self, path: &str, next: Option<(Duration, Next)>) {
        let file = self.files.entry(path.to_owned()).or_default();
        if let Some((at, _)) = file.next.take() {
            self.timers.remove(&(at, path.to_owned()));
        }
        if !file.busy
            && let Some((at, _)) = next
        {
            self.timers.insert((at, path.to_owned()));
        }
        file.next = next;
    }

    fn begin(&mut self, path: &str) {
        self.set(path, None);
        if let Some(file) = self.files.get_mut(path) {
            file.busy = true;
            file.seen = None;
        }
        if let Some(loading) = &mut self.loading {
            loading.busy += 1;
        }
    }

    /// Reads what an event says is whole.
    fn read(&mut self, path: String, since: Duration, acts: &mut Vec<Act>) {
        self.begin(&path);
        acts.push(Act::Read { path, lane: Lane::Fresh, since, seen: None });
    }

    /// Reads what looks say is whole.
    fn read_seen(&mut self, path: String, seen: Fingerprint, now: Duration, acts: &mut Vec<Act>) {
        self.begin(&path);
        acts.push(Act::Read { path, lane: Lane::Bulk, since: now, seen: Some(seen) });
    }

    fn check(&mut self, path: String, acts: &mut Vec<Act>) {
        self.begin(&path);
        acts.push(Act::Check(path));
    }
}

/// Takes an event and says what is to be done.
pub(super) fn plan(state: &mut State, event: Event, now: Duration) -> Vec<Act> {
    let mut acts = Vec::new();
    if state.gone && !matches!(event, Event::RootBack | Event::Done(..) | Event::Scanned | Event::Loaded) {
        return acts;
    }
    match event {
        Event::Created(path) => created(state, &path, now),
        Event::Modified(path) => {
            state.set(&path, Some((now + NEVER_CLOSED, Next::GiveUp)));
            if let Some(file) = state.files.get_mut(&path) {
                file.seen = None;
            }
        }
        Event::Closed(path) | Event::Arrived(path) => whole(state, path, now, &mut acts),
        Event::Touched(path) => {
            if matches!(state.next_of(&path), None | Some(Next::Forget)) {
                state.set(&path, Some((now + FIRST_LOOK, Next::Look)));
            }
        }
        Event::Removed(path) => removed(state, path, now, &mut acts),
        Event::FolderCreated(folder) | Event::FolderGone(folder) => walk(state, folder, false, &mut acts),
        Event::FolderArrived(folder) => walk(state, folder, true, &mut acts),
        Event::Overflow => {
            // Whoever closed its file may have been among the lost events.
            forget(state, |next| next == Next::GiveUp);
            lose_sight(state);
            want(state, Cause::Overflow, now);
        }
        Event::RootGone => {
            state.gone = true;
            state.scans.wanted.clear();
            state.walks.clear();
            forget(state, |_| true);
        }
        Event::RootBack => {
            state.gone = false;
            forget(state, |_| true);
            lose_sight(state);
            want(state, Cause::Root, now);
        }
        Event::Wanted(cause) => {
            if cause == Cause::Start {
                lose_sight(state);
            }
            want(state, cause, now);
        }
        Event::Found(path, fingerprint, age) => found(state, path, fingerprint, age, now, &mut acts),
        Event::Lost(path) => {
            if matches!(state.next_of(&path), None | Some(Next::Forget)) {
                removed(state, path, now, &mut acts);
            }
        }
        Event::Scanned => {
            state.scans.running = false;
            if let Some(loading) = &mut state.loading {
                loading.scanned = true;
            }
            if state.scans.answers {
                state.scans.blind = false;
            }
            let_go(state, now, &mut acts);
        }
        Event::Reread(path) => {
            if matches!(state.next_of(&path), None | Some(Next::Forget | Next::Look)) {
                state.set(&path, Some((now, Next::Read(now))));
                fire_due(state, now, &mut acts);
            }
        }
        Event::Done(path, end) => done(state, path, end, now, &mut acts),
        Event::Loaded => {
            state.loading = None;
            let_go(state, now, &mut acts);
        }
        Event::Tick => fire_due(state, now, &mut acts),
    }
    end_load(state, &mut acts);
    scan_if_due(state, now, &mut acts);
    acts
}

fn created(state: &mut State, path: &str, now: Duration) {
    // A hard link is made and never closed; a file that is being written is modified next, and held.
    if !matches!(state.next_of(path), Some(Next::GiveUp | Next::Read(_))) {
        state.set(path, Some((now + FIRST_LOOK, Next::Look)));
        if let Some(file) = state.files.get_mut(path) {
            file.seen = None;
        }
    }
}

fn whole(state: &mut State, path: String, now: Duration, acts: &mut Vec<Act>) {
    let settle = state.settle;
    let (busy, recent) = match state.files.get(&path) {
        Some(file) => (file.busy, file.accepted.is_some_and(|at| now < at + settle)),
        None => (false, false),
    };
    if state.is_held() {
        state.set(&path, Some((now, Next::Read(now))));
    } else if busy || recent || matches!(state.next_of(&path), Some(Next::Read(_))) {
        state.set(&path, Some((now + settle, Next::Read(now))));
    } else {
        state.read(path, now, acts);
    }
}

fn removed(state: &mut State, path: String, now: Duration, acts: &mut Vec<Act>) {
    if state.loading.is_some() || state.files.get(&path).is_some_and(|file| file.busy) {
        state.set(&path, Some((now, Next::Check)));
    } else {
        state.check(path, acts);
    }
}

fn walk(state: &mut State, folder: String, whole: bool, acts: &mut Vec<Act>) {
    if state.is_held() {
        state.walks.push((folder, whole));
    } else {
        acts.push(Act::Walk { folder, whole });
    }
}

/// What has waited is done, if it need not wait any more.
fn let_go(state: &mut State, now: Duration, acts: &mut Vec<Act>) {
    if !state.is_held() {
        acts.extend(state.walks.drain(..).map(|(folder, whole)| Act::Walk { folder, whole }));
        fire_due(state, now, acts);
    }
}

fn lose_sight(state: &mut State) {
    state.scans.blind = true;
    state.scans.answers = false;
}

fn found(state: &mut State, path: String, fingerprint: Fingerprint, age: Age, now: Duration, acts: &mut Vec<Act>) {
    match state.next_of(&path) {
        // Its events decide.
        Some(Next::GiveUp | Next::Read(_) | Next::Check) => return,
        None | Some(Next::Look | Next::Forget) => {}
    }
    let file = state.files.entry(path.clone()).or_default();
    if file.busy {
        // It may have changed since it was read.
        return state.set(&path, Some((now + LOOKS_APART, Next::Look)));
    }
    let first_look = match file.seen {
        Some((seen, at)) if seen == fingerprint => at,
        _ => now,
    };
    if age != Age::Young || now >= first_look + LOOKS_APART {
        return state.read_seen(path, fingerprint, now, acts);
    }
    file.seen = Some((fingerprint, first_look));
    state.set(&path, Some((first_look + LOOKS_APART, Next::Look)));
}

fn done(state: &mut State, path: String, end: End, now: Duration, acts: &mut Vec<Act>) {
    if let Some(loading) = &mut state.loading {
        loading.busy = loading.busy.saturating_sub(1);
    }
    let (settle, held) = (state.settle, state.is_held());
    let Some(file) = state.files.get_mut(&path) else { return };
    file.busy = false;
    if held && end == End::Accepted && file.next.is_none() {
        // What comes while things are held waits anyway; a first load would remember every file until its end.
        state.files.remove(&path);
        return;
    }
    if end == End::Accepted {
        file.accepted = Some(now);
    }
    if state.gone {
        state.files.remove(&path);
        return;
    }
    let next = file.next.unwrap_or(match end {
        End::Accepted => (now + settle, Next::Forget),
        End::Changing => (now + FIRST_LOOK, Next::Look),
        End::Failed => (now + RETRY, Next::Read(now)),
    });
    state.set(&path, Some(next));
    let may_fire = if next.1 == Next::Check { state.loading.is_none() } else { !state.is_held() };
    if may_fire && next.0 <= now {
        fire(state, &path, now, acts);
    }
}

fn fire_due(state: &mut State, now: Duration, acts: &mut Vec<Act>) {
    if state.is_held() {
        return;
    }
    let due = |(at, _): &&(Duration, String)| *at <= now;
    let paths: Vec<String> = state.timers.iter().take_while(due).map(|(_, path)| path.clone()).collect();
    // What is gone goes first: a file that was renamed must find its entry free.
    let (gone, others): (Vec<String>, Vec<String>) =
        paths.into_iter().partition(|path| state.next_of(path) == Some(Next::Check));
    for path in gone.iter().chain(&others) {
        fire(state, path, now, acts);
    }
}

fn fire(state: &mut State, path: &str, now: Duration, acts: &mut Vec<Act>) {
    match state.next_of(path) {
        Some(Next::GiveUp) => state.read(path.to_owned(), now, acts),
        Some(Next::Read(since)) => state.read(path.to_owned(), since, acts),
        Some(Next::Check) => state.check(path.to_owned(), acts),
        Some(Next::Look) => {
            state.set(path, None);
            acts.push(Act::Look(path.to_owned()));
        }
        Some(Next::Forget) => {
            state.set(path, None);
            state.files.remove(path);
        }
        None => {}
    }
}

/// Drops the next steps that `which` names; what is under way stays until it is done.
fn forget(state: &mut State, which: impl Fn(Next) -> bool) {
    let State { files, timers, .. } = state;
    files.retain(|path, file| {
        if let Some((at, next)) = file.next
            && which(next)
        {
            timers.remove(&(at, path.clone()));
            file.next = None;
        }
        file.busy || file.next.is_some()
    });
}

fn want(state: &mut State, cause: Cause, now: Duration) {
    let earliest = state.scans.began.get(&cause).map_or(now, |began| now.max(*began + BETWEEN_SCANS));
    state.scans.wanted.entry(cause).or_insert(earliest);
}

fn scan_if_due(state: &mut State, now: Duration, acts: &mut Vec<Act>) {
    if !state.may_scan() {
        return;
    }
    let Some(cause) = state.scans.wanted.iter().find(|(_, at)| **at <= now).map(|(cause, _)| *cause) else { return };
    // A scan that begins now answers everything that was wanted before.
    for answered in std::mem::take(&mut state.scans.wanted).into_keys() {
        state.scans.began.insert(answered, now);
    }
    state.scans.running = true;
    state.scans.answers = true;
    acts.push(Act::Scan(cause));
}

fn end_load(state: &mut State, acts: &mut Vec<Act>) {
    if let Some(loading) = &mut state.loading
        && loading.scanned
        && loading.busy == 0
        && !loading.ended
    {
        loading.ended = true;
        acts.push(Act::EndLoad);
    }
}
