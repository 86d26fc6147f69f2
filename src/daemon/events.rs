//! The one event loop: takes what the watch, the scanner, the readers, the writer and the signals say, asks the plan,
//! and does what it answers. It never waits for any of them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::health::{Ailment, Wellbeing};
use super::hints::event_of;
use super::lanes::{self, Item};
use super::plan::{self, Act, Cause, End, Event, Lane};
use super::read::{Job, is_missing};
use super::scanner::{Report, Request, Say};
use super::start::{self, Opened};
use super::watch::Hint;
use super::{Failure, Ready, Reload, Setup, Shared, hubs, mirror, systemd};
use crate::catalog::{self, Change, Cure};
use crate::failpoint;
use crate::rendition::Renditions;

/// How often the inbox's root is looked at, and all else that has no event.
const SECOND: Duration = Duration::from_secs(1);
/// How often what only people look at is looked up.
const COUNT_IDLE: Duration = Duration::from_secs(60);
/// The same after a change.
const COUNT_BUSY: Duration = Duration::from_secs(5);
/// A polled inbox costs at most this part of the time.
const POLL_SHARE: u32 = 50;
/// How often a polled inbox is scanned, at least and at most.
const POLL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// When a scan that failed is tried again.
const SCAN_AGAIN: Duration = Duration::from_secs(5);
/// Overflows come in bursts; one line in this time is enough.
const OVERFLOWS_APART: Duration = Duration::from_secs(10);
/// How much more time the service manager gives a start that advances.
const EXTEND: Duration = Duration::from_secs(30);
/// Messages handled before the clock is looked at again.
const AT_ONCE: usize = 256;

/// What the loop is told.
#[derive(Debug)]
pub(super) enum Message {
    /// By the watch.
    Hint(Hint),
    /// By the scanner.
    Say(Say),
    /// By readers and writer: what was begun for these paths has ended.
    Done(Vec<(String, End)>),
    /// By the writer: a transaction is durable.
    Committed {
        /// Files that are to be read again.
        reread: Vec<String>,
        /// Articles that became visible.
        added: u64,
        /// Articles that were withdrawn.
        withdrawn: u64,
        /// Why missing files are not taken for deleted ones.
        absent: Option<String>,
        /// Whether the catalog could not take some files yet.
        owes: bool,
    },
    /// By the writer: it failed.
    Failed(String),
    /// By the writer: the inbox is this catalog's, or not.
    Adopted(Result<(), String>),
    /// By the writer: the first catalog is in place.
    Loaded(Result<Opened, Failure>),
    /// By the writer: the catalog is damaged and about to be mended.
    Mending(String),
    /// By the writer: what helped.
    Mended(Cure),
    /// By the thread that tells hubs: they take it, or why one does not.
    Told(Result<(), String>),
    /// By the mirror: all documents are files, or why not.
    Published(Result<(), String>),
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The loop's state.
pub(super) struct Loop {
    pub(super) shared: Arc<Shared>,
    pub(super) plan: plan::State,
    pub(super) messages: Receiver<Message>,
    pub(super) scanner: Sender<Request>,
    pub(super) wellbeing: Wellbeing,
    pub(super) setup: Setup,
    pub(super) reload: Reload,
    /// Told once a state can be shown.
    pub(super) ready: Option<Ready>,
    /// The bound addresses.
    pub(super) http: String,
    pub(super) admin: Option<String>,
    pub(super) renditions: Option<Arc<Renditions>>,
    /// There was no catalog at the start: until the first one is made there is nothing to fall back on.
    pub(super) cold: bool,
    pub(super) clockwork: Clockwork,
    /// Waits for the catalog.
    pub(super) mirror: Option<mirror::Unstarted>,
    pub(super) mirroring: Option<JoinHandle<()>>,
    /// Who hears how hubs take what they are told; waits for the catalog.
    pub(super) hubs: Option<hubs::Say>,
    /// Counts for the operator's page.
    pub(super) counting: Option<JoinHandle<()>>,
}

/// When what happens by itself is due, and what was last seen of it.
#[derive(Debug, Default)]
pub(super) struct Clockwork {
    second: Duration,
    /// When what only people look at was looked up, and whether nothing has changed since.
    counted_at: Option<Duration>,
    counts_hold: bool,
    scan: Option<Duration>,
    watchdog: Option<Duration>,
    /// The loop that makes no rounds.
    hanging: Option<&'static str>,
    polled: Option<String>,
    /// The inbox is away, or not adopted yet.
    gone: bool,
    adopting: bool,
    /// `--accept-empty` waits for the first scan.
    accept_empty: bool,
    /// The catalog was told that the inbox cannot be looked at, or was not yet.
    told_away: bool,
    /// Files that the first catalog has taken.
    loaded: u64,
    /// Of them, those that were told last.
    told: u64,
    excluded: u64,
    /// Shown ones, as the last transactions say.
    articles: u64,
    /// Overflows are told at most so often.
    overflow: Option<Duration>,
}

impl Clockwork {
    /// Nothing has happened yet.
    pub(super) fn new(gone: bool, accept_empty: bool) -> Clockwork {
        Clockwork { gone, accept_empty, told_away: true, ..Clockwork::default() }
    }
}

impl Loop {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    ///
    /// Where the first catalog could not be made.
    pub(super) fn run(&mut self) -> Result<(), Failure> {
        if !self.clockwork.gone {
            self.feed(Event::Wanted(if self.cold { Cause::Load } else { Cause::Start }));
        }
        loop {
            let now = self.shared.clock.steady();
            let until = self.plan.wake().map_or(self.clockwork.second, |wake| wake.min(self.clockwork.second));
            match self.messages.recv_timeout(until.saturating_sub(now)) {
                Ok(message) => {
                    let mut next = Some(message);
                    for _ in 0..AT_ONCE {
                        let Some(message) = next.take() else { break };
                        if matches!(message, Message::Stop) {
                            return Ok(());
                        }
                        self.take(message)?;
                        next = self.messages.try_recv().ok();
                    }
                    if let Some(message) = next {
                        if matches!(message, Message::Stop) {
                            return Ok(());
                        }
                        self.take(message)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let now = self.shared.clock.steady();
            if self.plan.wake().is_some_and(|wake| wake <= now) {
                self.feed(Event::Tick);
            }
            if self.clockwork.second <= now {
                self.clockwork.second = now + SECOND;
                self.every_second(now)?;
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Hint(hint) => self.hinted(hint)?,
            Message::Say(Say::Events(events)) => events.into_iter().for_each(|event| self.feed(event)),
            Message::Say(Say::Found(events)) => {
                let files = events.len();
                events.into_iter().for_each(|event| self.feed(event));
                self.shared.jobs.heard(files);
            }
            Message::Say(Say::Closed(folders)) => self.closed(&folders),
            Message::Say(Say::Scanned(report)) => self.scanned(report)?,
            Message::Done(paths) => {
                if self.renditions.is_none() {
                    self.clockwork.loaded += paths.len() as u64;
                }
                paths.into_iter().for_each(|(path, end)| self.feed(Event::Done(path, end)));
            }
            Message::Committed { reread, added, withdrawn, absent, owes } => {
                self.clockwork.counts_hold = false;
                self.clockwork.articles = (self.clockwork.articles + added).saturating_sub(withdrawn);
                if !owes {
                    self.wellbeing.heals(Ailment::Catalog);
                }
                match absent {
                    Some(why) => self.wellbeing.ails(Ailment::Missing, why),
                    None => self.wellbeing.heals(Ailment::Missing),
                }
                self.wellbeing.success(self.shared.clock.now().wall);
                reread.into_iter().for_each(|path| self.feed(Event::Reread(path)));
            }
            Message::Failed(why) => {
                self.wellbeing.ails(Ailment::Catalog, format!("nothing new can be accepted: {why}"));
            }
            Message::Adopted(adopted) => self.adopted(adopted),
            Message::Told(Ok(())) => self.wellbeing.heals(Ailment::Hubs),
            Message::Told(Err(why)) => self.wellbeing.ails(Ailment::Hubs, why),
            Message::Published(Ok(())) => self.wellbeing.heals(Ailment::Publish),
            Message::Published(Err(why)) => self.wellbeing.ails(Ailment::Publish, why),
            Message::Loaded(loaded) => {
                self.opened(loaded?)?;
                // Of a first catalog: what it holds was read before it was watched. Of a damaged one: what it holds of
                // the inbox is older than the first scan.
                let cause = if std::mem::take(&mut self.cold) { Cause::Start } else { Cause::Timer };
                self.feed(Event::Wanted(cause));
                self.feed(Event::Loaded);
            }
            Message::Mending(what) => {
                self.wellbeing.ails(Ailment::Damage, format!("the catalog is being mended: {what}"));
            }
            Message::Mended(cure) => self.mended(&cure),
            Message::Reload => self.reload(),
            Message::Stop => {}
        }
        Ok(())
    }

    fn mended(&mut self, cure: &Cure) {
        match cure {
            Cure::Sound => tracing::info!("the catalog is sound"),
            Cure::Mended { indexes, rows } => {
                tracing::warn!(indexes, rows, "the catalog was mended in its place");
                self.wellbeing.event("the catalog was mended in its place");
            }
            Cure::PutBack => tracing::warn!("the catalog was put back at its name"),
            Cure::Rebuilt(aside) => {
                tracing::warn!(aside = %aside.display(), "the catalog was made anew; the damaged file is kept");
                self.wellbeing.event("the catalog was made anew; the damaged file is kept");
                if let Some(Ok(counts)) = self.shared.readers.get().map(|readers| readers.read(|r| r.counts())) {
                    self.clockwork.articles = counts.articles;
                }
                self.feed(Event::Wanted(Cause::Timer));
            }
        }
        self.wellbeing.heals(Ailment::Damage);
        self.wellbeing.heals(Ailment::Catalog);
    }

    /// There is a catalog: from now on requests are answered.
    pub(super) fn opened(&mut self, opened: Opened) -> Result<(), Failure> {
        let counts = opened.readers.read(|reader| reader.counts())?;
        self.shared.readers.get_or_init(|| opened.readers);
        let state = self.wellbeing.state();
        state.metrics.set_counts(counts.articles, counts.feeds, counts.problems);
        let renditions = opened.renditions;
        if let (Some(mirror), Some(readers)) = (self.mirror.take(), self.shared.readers.get()) {
            self.mirroring = Some(mirror.start(readers.clone(), Arc::clone(&renditions)));
        }
        if let Some(say) = self.hubs.take() {
            hubs::start(Arc::clone(&self.shared.news), Arc::clone(&renditions), Arc::clone(&state.metrics), say);
        }
        *state.renditions.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(&renditions));
        self.renditions = Some(renditions);
        self.wellbeing.success(self.shared.clock.now().wall);
        self.clockwork.articles = counts.articles;
        self.wellbeing.ready(start::counted(counts.articles, "article"));
        let feeds = start::counted(counts.feeds, "feed");
        self.wellbeing.event(&format!("ready: {} in {feeds}", start::counted(counts.articles, "article")));
        if let Some(ready) = self.ready.take() {
            let inbox = self.shared.inbox.path();
            tracing::info!("{}", start::welcome(&self.http, self.admin.as_deref(), inbox, &counts));
            ready(&start::ready_line(&self.http, self.admin.as_deref(), &counts));
        }
        Ok(())
    }

    /// Gives the plan an event and does what it answers.
    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.shared.clock.steady();
            for act in plan::plan(&mut self.plan, event, now) {
                events.extend(self.act(act, now));
            }
        }
    }

    /// Begins what an act asks for; where that ends at once, the event that says so.
    fn act(&mut self, act: Act, now: Duration) -> Option<Event> {
        match act {
            Act::Read { path, lane, since, seen } => self.shared.jobs.push(Job { path, lane, since, seen }),
            Act::Check(path) => return self.check(path, now),
            Act::Look(path) => self.ask(Request::Look(path)),
            Act::Walk { folder, whole } => self.ask(Request::Walk { folder, whole }),
            Act::Scan(cause) => self.ask(Request::Scan(cause)),
            Act::EndLoad => self.shared.lanes.end_load(),
        }
        None
    }

    /// Done here and not by a reader: the removal of a renamed file's old name must not be overtaken by its new name.
    fn check(&mut self, path: String, since: Duration) -> Option<Event> {
        let names = &self.shared.reading().names;
        match self.shared.open_inbox().and_then(|root| is_missing(&root, &path, names)) {
            Ok(true) => {
                self.shared.lanes.push_at_once(Lane::Fresh, Item { change: Change::Missing { path }, since });
                None
            }
            // Another file of that name: whoever makes it says when it is whole, and may be in the middle of it.
            Ok(false) => Some(Event::Done(path, End::Changing)),
            Err(_) => Some(Event::Done(path, End::Failed)),
        }
    }

    fn ask(&self, request: Request) {
        // Fails only while the daemon stops.
        let _ = self.scanner.send(request);
    }

    fn hinted(&mut self, hint: Hint) -> Result<(), Failure> {
        match hint {
            Hint::Root => return self.check_root(),
            Hint::Overflow => {
                let now = self.shared.clock.steady();
                if self.clockwork.overflow.is_none_or(|last| now >= last + OVERFLOWS_APART) {
                    self.clockwork.overflow = Some(now);
                    tracing::warn!("the system dropped events of the inbox: it is scanned");
                    self.wellbeing.event("the system dropped events of the inbox: it is scanned");
                }
                self.wellbeing.state().metrics.overflowed();
                self.feed(Event::Overflow);
            }
            hint => {
                if let Some(event) = event_of(&self.shared, hint) {
                    self.feed(event);
                }
            }
        }
        Ok(())
    }

    fn scanned(&mut self, report: Report) -> Result<(), Failure> {
        let now = self.shared.clock.steady();
        if report.polled != self.clockwork.polled {
            match &report.polled {
                Some(why) => tracing::warn!("the inbox is polled, not watched: {why}"),
                None => tracing::info!("the inbox is watched"),
            }
            self.clockwork.polled.clone_from(&report.polled);
        }
        let rescan = self.setup.daemon.rescan;
        let mut pause = match self.clockwork.polled {
            Some(_) => (report.took * POLL_SHARE).clamp(POLL.0, POLL.1).min(rescan),
            None => rescan,
        };
        if let Some(why) = report.failed {
            if self.cold {
                return Err(Failure::Start(why));
            }
            if !self.clockwork.gone {
                self.wellbeing.ails(Ailment::Scan, why);
            }
            pause = SCAN_AGAIN;
        } else {
            tracing::debug!(files = report.files, took = ?report.took, "scanned");
            self.wellbeing.heals(Ailment::Scan);
            self.wellbeing.success(self.shared.clock.now().wall);
            if std::mem::take(&mut self.clockwork.accept_empty) && !self.cold {
                // All that is missing was told before, in the lane that goes first.
                self.shared.lanes.push_at_once(Lane::Bulk, Item { change: Change::AcceptMissing, since: now });
            }
            if !self.cold && !self.clockwork.gone && std::mem::take(&mut self.clockwork.told_away) {
                self.shared.lanes.push_at_once(Lane::Bulk, Item { change: Change::There, since: now });
            }
        }
        self.clockwork.scan = Some(now + pause);
        self.feed(Event::Scanned);
        Ok(())
    }

    fn closed(&mut self, folders: &BTreeSet<String>) {
        let Some(first) = folders.first() else { return self.wellbeing.heals(Ailment::Folders) };
        let name = if first.is_empty() { "the inbox itself" } else { first };
        let count = folders.len();
        self.wellbeing.ails(Ailment::Folders, format!("folders of the inbox cannot be read ({count}): {name}"));
    }

    fn every_second(&mut self, now: Duration) -> Result<(), Failure> {
        self.check_root()?;
        let pause = if self.clockwork.counts_hold { COUNT_IDLE } else { COUNT_BUSY };
        if self.clockwork.counted_at.is_none_or(|last| now >= last + pause) {
            self.clockwork.counted_at = Some(now);
            self.count();
        }
        let wall = self.shared.clock.now().wall;
        self.wellbeing.state().metrics.sample(wall, self.clockwork.articles);
        if self.clockwork.scan.is_some_and(|at| at <= now) && !self.clockwork.gone {
            self.clockwork.scan = None;
            self.feed(Event::Wanted(Cause::Timer));
        }
        let excluded = self.shared.excluded().count();
        if excluded != self.clockwork.excluded {
            self.clockwork.excluded = excluded;
            self.wellbeing.excluded(excluded);
        }
        if self.renditions.is_some() {
            self.wellbeing.summarise(start::counted(self.clockwork.articles, "article"));
        } else {
            let text = format!("reading the inbox: {} files", self.clockwork.loaded);
            self.wellbeing.progress(&text);
            if self.clockwork.loaded != self.clockwork.told {
                self.clockwork.told = self.clockwork.loaded;
                tracing::info!("{text}");
                systemd::extend_start(EXTEND, &text);
            }
        }
        self.feed_watchdog(now);
        Ok(())
    }

    /// Looks up what the operator's page shows of the disk and of the files with problems; on a thread of its own,
    /// because this loop waits for nobody.
    fn count(&mut self) {
        if self.shared.readers.get().is_none() || self.counting.as_ref().is_some_and(|thread| !thread.is_finished()) {
            self.clockwork.counted_at = None;
            return;
        }
        self.clockwork.counts_hold = true;
        let (shared, state) = (Arc::clone(&self.shared), Arc::clone(self.wellbeing.state()));
        let folder = self.setup.daemon.state.clone();
        self.counting = Some(start::spawn("count", move || {
            if let Some(Ok(counts)) = shared.readers.get().map(|readers| readers.read(|reader| reader.counts())) {
                state.metrics.set_counts(counts.articles, counts.feeds, counts.problems);
            }
            let free = rustix::fs::statvfs(&folder).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
            let bytes = catalog::Catalog::bytes_on_disk(&folder);
            let mut health = state.health.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            (health.catalog_bytes, health.disk_free) = (bytes, free);
        }));
    }

    /// Fed only when all others, too, have made a round: a daemon that hangs is started anew.
    fn feed_watchdog(&mut self, now: Duration) {
        let Some(pace) = systemd::watchdog_pace() else { return };
        let due = self.clockwork.watchdog.is_none_or(|last| now >= last + pace / 2);
        if !due {
            return;
        }
        // A first catalog takes its time; the service manager is told of each step of it.
        let hangs = self.renditions.as_ref().and_then(|_| self.shared.pulse.missing(pace, &self.shared.clock));
        match hangs {
            None => {
                self.clockwork.watchdog = Some(now);
                systemd::alive();
            }
            Some(name) if self.clockwork.hanging != Some(name) => {
                tracing::error!(
                    "the {name} has made no round for {} s; unless it does, the service manager will start feedmill anew",
                    pace.as_secs()
                );
            }
            Some(_) => {}
        }
        self.clockwork.hanging = hangs;
    }

    /// Whether the inbox is still there and the same. While it is away nothing is missed.
    fn check_root(&mut self) -> Result<(), Failure> {
        let path = self.shared.inbox.path().display().to_string();
        match self.shared.inbox.open() {
            Err(error) => {
                let why = format!("the inbox {path} cannot be read ({error}): the last good feeds are served");
                if self.cold {
                    return Err(Failure::Start(format!("the inbox {path} went away while it was read: {error}")));
                }
                self.lose_root(why);
            }
            Ok(root) => {
                if self.shared.place() == Some(root.place) && !self.clockwork.gone || self.clockwork.adopting {
                    return Ok(());
                }
                if self.cold {
                    return Err(Failure::Start(format!("the inbox {path} was replaced while it was read")));
                }
                // Another folder stands there, or another file system is mounted: the catalog decides what that means
                // before anything is read or missed.
                self.lose_root(format!("the inbox {path} was replaced: the last good feeds are served"));
                self.clockwork.adopting = true;
                let canonical = std::fs::canonicalize(&path).unwrap_or_else(|_| self.shared.inbox.path().to_owned());
                self.shared.set_place(root.place);
                self.shared.lanes.adopt(catalog::Inbox { path: canonical, device: root.place.device });
            }
        }
        Ok(())
    }

    fn lose_root(&mut self, why: String) {
        if !std::mem::replace(&mut self.clockwork.gone, true) {
            self.wellbeing.ails(Ailment::Inbox, why);
            self.clockwork.told_away = true;
            let since = self.shared.clock.steady();
            self.shared.lanes.push_at_once(Lane::Fresh, Item { change: Change::Away, since });
            self.feed(Event::RootGone);
        }
    }

    fn adopted(&mut self, adopted: Result<(), String>) {
        self.clockwork.adopting = false;
        match adopted {
            Ok(()) => {
                self.clockwork.gone = false;
                self.wellbeing.heals(Ailment::Inbox);
                self.feed(Event::RootBack);
            }
            Err(why) => self.wellbeing.ails(Ailment::Inbox, why),
        }
    }

    fn reload(&mut self) {
        systemd::reloading();
        let read = failpoint::io("config.read").map_err(|error| error.to_string()).and_then(|()| (self.reload)());
        match read.and_then(|setup| failpoint::io("config.apply").map_err(|e| e.to_string()).map(|()| setup)) {
            Ok(setup) => {
                self.apply(setup);
                tracing::info!("the config was read again");
                self.wellbeing.event("the config was read again");
                self.wellbeing.reload(true);
                self.wellbeing.state().metrics.reloaded(true);
            }
            Err(mistakes) => {
                tracing::error!("the config is not valid, the old one stays in use:\n{mistakes}");
                self.wellbeing.event("the config is not valid: the old one stays in use");
                self.wellbeing.reload(false);
                self.wellbeing.state().metrics.reloaded(false);
            }
        }
    }

    /// Takes what can be taken while feeds are served, and names what needs a restart.
    fn apply(&mut self, mut new: Setup) {
        if !new.base_url_given {
            new.feed.base_url = start::base_url(&self.http);
        }
        let old = &self.setup;
        let differ = |a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| format!("{a:?}") != format!("{b:?}");
        let mut waiting = Vec::new();
        if new.server.formats != old.server.formats {
            waiting.push("feeds.formats");
        }
        new.server.formats.clone_from(&old.server.formats);
        if differ(&old.server, &new.server) {
            waiting.push("http");
        }
        if differ(&old.rendition, &new.rendition) {
            waiting.push("http.cache");
        }
        if old.catalog.site_id != new.catalog.site_id {
            waiting.push("site.id");
        }
        if old.daemon.inbox != new.daemon.inbox {
            waiting.push("inbox.path");
        }
        if old.daemon.state != new.daemon.state {
            waiting.push("state.path");
        }
        if old.daemon.publish != new.daemon.publish {
            waiting.push("publish.disk");
        }
        if old.daemon.precompressed != new.daemon.precompressed {
            waiting.push("publish.precompressed");
        }
        if !waiting.is_empty() {
            tracing::warn!("changes of these take effect at the next start: {}", waiting.join(", "));
        }
        // These belong together with what the server and the catalog go on with.
        new.feed.formats.clone_from(&old.feed.formats);
        new.feed.namespace = old.feed.namespace;
        new.catalog.namespace = old.catalog.namespace;
        new.catalog.site_id.clone_from(&old.catalog.site_id);
        new.daemon.inbox.clone_from(&old.daemon.inbox);
        new.daemon.state.clone_from(&old.daemon.state);
        new.daemon.publish.clone_from(&old.daemon.publish);
        new.daemon.precompressed.clone_from(&old.daemon.precompressed);
        new.server = old.server.clone();
        new.rendition = old.rendition;
        if new.feed.digest() != old.feed.digest() || differ(&old.catalog, &new.catalog) {
            // Taken between two transactions, so that what is shown is made by the one or by the other.
            let settings = lanes::Settings { catalog: new.catalog.clone(), feed: new.feed.clone() };
            self.shared.lanes.reconfigure(Box::new(settings));
        }
        self.plan.set_settle(new.daemon.settle);
        let reading = super::reading_of(&new);
        *self.shared.reading.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(reading);
        *self.shared.poll.write().unwrap_or_else(std::sync::PoisonError::into_inner) = new.daemon.poll;
        self.setup = new;
        self.feed(Event::Wanted(Cause::Reload));
    }
}
