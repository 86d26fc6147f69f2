//! The one thread that writes the catalog.
//!
//! It takes from the fresh lane before the bulk one. A transaction ends after 10 ms, 64 files or where no more are
//! there, one of bulk files also where a fresh one comes: so a lone file is one fsync, a burst is a few, and a fresh
//! file waits for the one that is being written.
//!
//! After an I/O error the connection is opened anew with a growing pause; what was not committed is read again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::copier::Copier;
use super::lanes::{Item, Lanes, Settings, Work};
use super::plan::Lane;
use super::pulse::Pulse;
use crate::article::Timestamp;
use crate::catalog::{self, Catalog, Change, Cure, Delta, Error, Inbox, Log, Now, Originals};
use crate::feed;

/// After how long a transaction takes no more files.
const WORK: Duration = Duration::from_millis(10);
/// How many files it may take.
const FILES: usize = 64;
/// How long the writer sleeps at most: a due thing is noticed within this time even when the clock jumps.
const SLICE: Duration = Duration::from_secs(1);
/// The first and the longest pause after an error.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How many frames of the catalog's log may wait to be copied (8 KiB each) while changes come.
const BEHIND: u64 = 256;
/// How many frames the log may have before its readers are waited for, so that it stays below 16 MiB though some come
/// until that helps; and how soon once more: at first, and at last where that is of no use, because one of them reads
/// for long (the check of the whole catalog after the start).
const MOST: u64 = 1024;
const WAITED_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long they are waited for: each change that comes meanwhile waits too. Most read for some milliseconds; where the
/// log grows on nevertheless, longer.
const READERS: [(u64, Duration); 2] = [(4 * MOST, Duration::from_millis(100)), (MOST, Duration::from_millis(20))];
/// How long a file whose transaction failed is waited for: it is read again within seconds.
const OWED: Duration = Duration::from_secs(30);
/// What is wrong where the catalog's file is not at its name.
const REMOVED: &str = "its file was removed, or another one stands at its name";
/// How soon the catalog is asked again for what it kept due.
const DUE_AGAIN: Duration = Duration::from_millis(500);
/// How long the lanes are empty before the log is copied to its end.
const IDLE: Duration = Duration::from_millis(250);

/// What the writer writes; the catalog, or a stand-in for it in tests.
pub(super) trait Record: Send {
    /// See [`Catalog::apply`].
    fn apply(&mut self, now: Now, changes: &mut dyn Iterator<Item = Change>) -> Result<Delta, Error>;
    /// See [`Catalog::reparse`].
    fn reparse(&mut self, now: Now, limit: usize, goes_on: &dyn Fn() -> bool) -> Result<Option<Delta>, Error>;
    /// See [`Catalog::adopt`].
    fn adopt(&mut self, inbox: &Inbox, holds: &dyn Fn(&str) -> bool) -> Result<(), Error>;
    /// See [`Catalog::set_settings`].
    fn set_settings(&mut self, now: Now, settings: catalog::Settings) -> Result<Delta, Error>;
    /// See [`Catalog::reopen`].
    fn reopen(&mut self) -> Result<(), Error>;
    /// See [`Catalog::log`].
    fn log(&self) -> Result<Log, Error>;
    /// See [`Catalog::checkpoint`].
    fn checkpoint(&mut self, patience: Duration) -> Result<Log, Error>;
    /// See [`Catalog::next_due`].
    fn next_due(&self) -> Option<Timestamp>;
    /// See [`Catalog::take_damage`].
    fn take_damage(&self) -> Option<String>;
    /// See [`Catalog::is_there`].
    fn is_there(&self) -> bool;
    /// See [`Catalog::mend`].
    fn mend(&mut self, now: Now, originals: &dyn Originals) -> Result<Cure, Error>;
}

impl Record for Catalog {
    fn apply(&mut self, now: Now, changes: &mut dyn Iterator<Item = Change>) -> Result<Delta, Error> {
        Catalog::apply(self, now, changes)
    }

    fn reparse(&mut self, now: Now, limit: usize, goes_on: &dyn Fn() -> bool) -> Result<Option<Delta>, Error> {
        Catalog::reparse(self, now, limit, goes_on)
    }

    fn adopt(&mut self, inbox: &Inbox, holds: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        Catalog::adopt(self, inbox, false, holds)
    }

    fn set_settings(&mut self, now: Now, settings: catalog::Settings) -> Result<Delta, Error> {
        Catalog::set_settings(self, now, settings)
    }

    fn reopen(&mut self) -> Result<(), Error> {
        Catalog::reopen(self)
    }

    fn log(&self) -> Result<Log, Error> {
        Catalog::log(self)
    }

    fn checkpoint(&mut self, patience: Duration) -> Result<Log, Error> {
        Catalog::checkpoint(self, patience)
    }

    fn next_due(&self) -> Option<Timestamp> {
        Catalog::next_due(self)
    }

    fn take_damage(&self) -> Option<String> {
        Catalog::take_damage(self)
    }

    fn is_there(&self) -> bool {
        Catalog::is_there(self)
    }

    fn mend(&mut self, now: Now, originals: &dyn Originals) -> Result<Cure, Error> {
        Catalog::mend(self, now, originals)
    }
}

/// What the writer says; on its own thread, after the commit and before it goes on.
#[derive(Debug)]
pub(super) enum Said {
    /// A transaction is durable.
    Committed {
        /// What it changed.
        delta: Delta,
        /// The paths that it was about.
        paths: Vec<String>,
        /// When each file was whole that came by an event.
        since: Vec<Duration>,
        /// Whether files are still to come again whose transaction failed: until then nothing proves that it works.
        owes: bool,
    },
    /// Other settings are in force.
    Reconfigured {
        /// What they changed at once.
        delta: Delta,
        /// For what is made of the catalog.
        feed: Box<feed::Settings>,
    },
    /// Whether the catalog belongs to the folder that the inbox is now; why not.
    Adopted(Result<(), String>),
    /// A transaction failed; nothing of it is kept.
    Failed {
        /// The paths that it was about.
        paths: Vec<String>,
        /// Why, in words.
        why: String,
    },
    /// The catalog is damaged and about to be mended; what was found.
    Mending(String),
    /// What helped.
    Mended(Cure),
}

/// The thread's state.
pub(super) struct Writer<R, Say> {
    pub(super) record: R,
    pub(super) lanes: Arc<Lanes>,
    pub(super) clock: Arc<Clock>,
    pub(super) pulse: Arc<Pulse>,
    /// Whether a file stands at a path of the inbox.
    pub(super) holds: Box<dyn Fn(&str) -> bool + Send>,
    /// The inbox, for texts that the catalog lost.
    pub(super) originals: Box<dyn Originals + Send>,
    /// Copies the catalog's log.
    pub(super) copier: Copier,
    /// How long that log was after the last transaction.
    pub(super) log: Log,
    /// When its readers were last waited for, and how long they are not waited for after that.
    pub(super) waited: Option<(Instant, Duration)>,
    /// What was found damaged and is not mended yet.
    pub(super) damage: Option<String>,
    /// Files whose transaction failed and that did not come again yet, and when one failed last.
    pub(super) owed: Owed,
    /// Makes sure that the state folder is still locked by this process.
    pub(super) lock: Box<dyn Fn() -> Result<(), Error> + Send>,
    /// When the catalog's file was last seen at its name.
    pub(super) seen: Instant,
    pub(super) say: Say,
}

/// Files that the catalog could not take.
#[derive(Debug, Default)]
pub(super) struct Owed {
    paths: BTreeSet<String>,
    failed: Option<Instant>,
}

impl Owed {
    fn add(&mut self, paths: &[String]) {
        self.paths.extend(paths.iter().filter(|path| !path.is_empty()).cloned());
        self.failed = Some(Instant::now());
    }

    fn remove(&mut self, paths: &[String]) {
        self.paths.retain(|path| !paths.contains(path));
        if self.is_over() {
            self.paths.clear();
        }
    }

    /// Whether what is owed will not come any more: it is as it was before, or gone with its folder.
    fn is_over(&self) -> bool {
        !self.paths.is_empty() && self.failed.is_some_and(|failed| failed.elapsed() > OWED)
    }
}

/// The changes of one transaction, taken from their lane as it goes on.
struct Batch<'a> {
    lanes: &'a Lanes,
    /// None where nothing came.
    lane: Option<Lane>,
    first: Option<Item>,
    began: Instant,
    /// Of the first and of those that were taken.
    paths: Vec<String>,
    /// When each file was whole that came by an event.
    since: Vec<Duration>,
}

impl Iterator for Batch<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let lane = self.lane?;
        let item = match self.first.take() {
            Some(first) => first,
            None if self.paths.len() >= FILES || self.began.elapsed() >= WORK => return None,
            None => {
                let item = self.lanes.more(lane)?;
                self.paths.push(item.path().to_owned());
                item
            }
        };
        if lane == Lane::Fresh && matches!(item.change, Change::Seen(_)) {
            self.since.push(item.since);
        }
        Some(item.change)
    }
}

/// What comes of a pause.
enum Pause {
    /// The daemon stops.
    Stopped,
    /// The catalog still cannot be written.
    Failing,
    /// It can.
    Over,
}

/// What a burst of transactions did, for one line in the log.
#[derive(Debug, Default)]
struct Burst {
    began: Option<Instant>,
    added: usize,
    changed: usize,
    withdrawn: usize,
    feeds: BTreeSet<crate::entry::Key>,
}

impl Burst {
    fn add(&mut self, began: Instant, delta: &Delta) {
        if delta.added + delta.changed + delta.withdrawn == 0 {
            return;
        }
        self.began.get_or_insert(began);
        self.added += delta.added;
        self.changed += delta.changed;
        self.withdrawn += delta.withdrawn;
        self.feeds.extend(delta.keys.iter().cloned());
    }

    fn end(&mut self) {
        let Burst { began: Some(began), added, changed, withdrawn, feeds } = std::mem::take(self) else { return };
        let millis = began.elapsed().as_millis();
        tracing::info!("+{added} ~{changed} -{withdrawn} articles, {} feeds, {millis} ms", feeds.len());
    }
}

impl<R: Record, Say: FnMut(Said)> Writer<R, Say> {
    /// Writes until the lanes are closed.
    pub(super) fn run(mut self) {
        let mut burst = Burst::default();
        let mut failures = 0;
        // The catalog may keep something due on purpose (a withdrawal that waits once more): do not spin over it.
        let mut due_tried: Option<Instant> = None;
        // Whether kept sources may still have to be read under the present rules.
        let mut stale = true;
        loop {
            self.pulse.write.now(&self.clock);
            if failures > 0 {
                match self.pause(failures) {
                    Pause::Stopped => return,
                    Pause::Failing => {
                        failures += 1;
                        continue;
                    }
                    Pause::Over => {}
                }
            }
            self.look_for_file();
            if self.mend().is_err() {
                failures += 1;
                continue;
            }
            let idle = if self.log.behind() > 0 { IDLE } else { SLICE };
            let again = due_tried.map_or(Duration::ZERO, |at| DUE_AGAIN.saturating_sub(at.elapsed()));
            let tried = !again.is_zero();
            let wait = if stale {
                Duration::ZERO
            } else {
                // What is due next may come before the catalog is asked again for what it kept.
                self.until_due(idle).max(again)
            };
            let change = match self.lanes.take(wait) {
                Work::Stop => return,
                Work::Change(lane, item) => Some((lane, item)),
                Work::Adopt(inbox) => {
                    let adopted = match self.record.adopt(&inbox, &self.holds) {
                        Err(error) if error.is_damage() => {
                            self.damage = Some(error.to_string());
                            self.lanes.adopt(inbox);
                            continue;
                        }
                        adopted => adopted.map_err(|error| chain(&error)),
                    };
                    (self.say)(Said::Adopted(adopted));
                    continue;
                }
                Work::Reconfigure(settings) => {
                    match self.reconfigure(settings) {
                        Ok(()) => (failures, stale) = (0, true),
                        Err(()) => failures += 1,
                    }
                    continue;
                }
                Work::Nothing if stale && failures == 0 => match self.reparse() {
                    Ok(more) => {
                        stale = more;
                        self.tend_log(BEHIND);
                        continue;
                    }
                    Err(()) => {
                        failures += 1;
                        continue;
                    }
                },
                Work::Nothing => None,
            };
            if change.is_none() && failures == 0 && (tried || !self.is_due()) && !self.owed.is_over() {
                burst.end();
                self.tend_log(1);
                continue;
            }
            let began = Instant::now();
            if change.is_none() {
                due_tried = Some(began);
            }
            match self.transact(began, change) {
                Ok(delta) => {
                    failures = 0;
                    burst.add(began, &delta);
                }
                Err(()) => failures += 1,
            }
            if self.lanes.is_empty() {
                burst.end();
            }
            self.tend_log(BEHIND);
        }
    }

    /// One transaction: of a change and those behind it, or of what is due alone.
    fn transact(&mut self, began: Instant, change: Option<(Lane, Item)>) -> Result<Delta, ()> {
        let (lane, first) = change.unzip();
        // A transaction that cannot even begin takes nothing; its change is lost with it all the same.
        let paths = first.iter().map(|item| item.path().to_owned()).collect();
        let mut batch = Batch { lanes: &self.lanes, lane, first, began, paths, since: Vec::new() };
        let applied = self.record.apply(self.clock.now(), &mut batch);
        let Batch { paths, since, .. } = batch;
        match applied {
            Ok(delta) => {
                self.owed.remove(&paths);
                let owes = !self.owed.paths.is_empty();
                (self.say)(Said::Committed { delta: delta.clone(), paths, since, owes });
                Ok(delta)
            }
            Err(error) => {
                self.failed(paths, &error);
                Err(())
            }
        }
    }

    fn reconfigure(&mut self, settings: Box<Settings>) -> Result<(), ()> {
        match self.record.set_settings(self.clock.now(), settings.catalog.clone()) {
            Ok(delta) => {
                (self.say)(Said::Reconfigured { delta, feed: Box::new(settings.feed) });
                Ok(())
            }
            Err(error) => {
                self.lanes.reconfigure_again(settings);
                self.failed(Vec::new(), &error);
                Err(())
            }
        }
    }

    /// Reads some kept sources again; false once all are done.
    fn reparse(&mut self) -> Result<bool, ()> {
        let began = Instant::now();
        let goes_on = || began.elapsed() < WORK && self.lanes.is_empty();
        match self.record.reparse(self.clock.now(), FILES, &goes_on) {
            Ok(None) => Ok(false),
            Ok(Some(delta)) => {
                let owes = !self.owed.paths.is_empty();
                (self.say)(Said::Committed { delta, paths: Vec::new(), since: Vec::new(), owes });
                Ok(true)
            }
            Err(error) => {
                self.failed(Vec::new(), &error);
                Err(())
            }
        }
    }

    fn failed(&mut self, paths: Vec<String>, error: &Error) {
        if error.is_damage() {
            self.damage = Some(error.to_string());
        }
        self.owed.add(&paths);
        (self.say)(Said::Failed { paths, why: chain(error) });
    }

    /// What is written to a file that was removed is lost at the next start.
    fn look_for_file(&mut self) {
        if self.seen.elapsed() < SLICE {
            return;
        }
        self.seen = Instant::now();
        if !self.record.is_there() {
            self.damage = Some(REMOVED.to_owned());
        }
    }

    /// Mends what the writer or a reader found damaged.
    fn mend(&mut self) -> Result<(), ()> {
        let Some(what) = self.damage.take().or_else(|| self.record.take_damage()) else { return Ok(()) };
        (self.say)(Said::Mending(what.clone()));
        self.pulse.write.rest();
        match (self.lock)().and_then(|()| self.record.mend(self.clock.now(), &*self.originals)) {
            Ok(cure) => {
                // What readers found meanwhile was most likely the same.
                let _ = self.record.take_damage();
                (self.say)(Said::Mended(cure));
                Ok(())
            }
            Err(error) => {
                self.damage = Some(what);
                (self.say)(Said::Failed { paths: Vec::new(), why: chain(&error) });
                Err(())
            }
        }
    }

    /// Waits before the next try, and opens the catalog anew.
    fn pause(&mut self, failures: u32) -> Pause {
        let (first, longest) = PAUSES;
        let pause = first.saturating_mul(1 << failures.min(10)).min(longest);
        let until = Instant::now() + pause;
        loop {
            self.pulse.write.now(&self.clock);
            let rest = until.saturating_duration_since(Instant::now());
            if self.lanes.wait_closed(rest.min(SLICE)) {
                return Pause::Stopped;
            }
            if Instant::now() >= until {
                break;
            }
        }
        if !self.record.is_there() {
            // Nothing to open: what is open is all that there is.
            self.damage.get_or_insert_with(|| REMOVED.to_owned());
            return Pause::Over;
        }
        // A failed fsync must not be retried on the same open file: the kernel reports it once and may have dropped
        // the pages.
        match self.record.reopen() {
            Ok(()) => Pause::Over,
            // Which mending may help.
            Err(error) if error.is_damage() => {
                self.damage.get_or_insert_with(|| error.to_string());
                Pause::Over
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "the catalog could not be opened anew");
                Pause::Failing
            }
        }
    }

    fn is_due(&self) -> bool {
        self.record.next_due().is_some_and(|at| at <= self.clock.now().wall)
    }

    /// How long to sleep: to the next due thing, but never longer than a slice, because the clock may jump.
    fn until_due(&self, idle: Duration) -> Duration {
        match self.record.next_due() {
            Some(at) => (at - chrono::Utc::now()).to_std().unwrap_or_default().min(idle),
            None => idle,
        }
    }

    /// Between two transactions: has the log copied where so many frames wait for it, and begun anew once they are.
    fn tend_log(&mut self, behind: u64) {
        let tended = self.record.log().and_then(|log| {
            self.log = log;
            let again = self.waited.is_none_or(|(last, pause)| last.elapsed() >= pause);
            let wait = READERS.iter().find(|(frames, _)| log.frames > *frames);
            if let Some(&(_, wait)) = wait.filter(|_| again) {
                self.log = self.record.checkpoint(wait)?;
                let pause = pause_after_waiting(self.waited.map(|(_, pause)| pause), self.log.behind() > 0);
                self.waited = Some((Instant::now(), pause));
            } else if self.copier.take_copied() {
                self.log = self.record.checkpoint(Duration::ZERO)?;
            } else if log.behind() >= behind {
                self.copier.ask();
            }
            Ok(())
        });
        match tended {
            Ok(()) => tracing::trace!(log = ?self.log, "the log was looked at"),
            Err(error) => tracing::debug!(error = chain(&error), "the catalog's log could not be copied"),
        }
    }
}

/// How long readers are not waited for after they were, perhaps in vain.
fn pause_after_waiting(last: Option<Duration>, in_vain: bool) -> Duration {
    let (first, longest) = WAITED_AGAIN;
    last.filter(|_| in_vain).map_or(first, |last| (last * 2).min(longest))
}

/// An error with its causes, for the log.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Some libraries repeat their causes in their own text.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
