//! The start in its strict order, and the stop: lock, sockets, catalog, watch and scan.
//!
//! With a good catalog the last state is served at once and the scan runs behind; without one the server answers 503
//! until all of the inbox has been read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::clock::Clock;
use super::copier::Copier;
use super::events::{Clockwork, Loop, Message};
use super::folder::Folder;
use super::health::{Ailment, Wellbeing};
use super::inbox::Look;
use super::lanes::{Item, Lanes};
use super::mirror::Unstarted;
use super::originals::Inbox;
use super::plan::{End, Lane, State as Plan};
use super::pulse::{self, Probed};
use super::scanner::{Request, Scanner};
use super::writer::{Owed, Said, Writer, chain};
use super::{Failure, Ready, Reload, Setup, Shared, hubs, read, systemd};
use crate::catalog::{self, Catalog, Change, Counts, Holder, Lock, Log, Readers};
use crate::failpoint;
use crate::metrics::{Metrics, Moved};
use crate::rendition::{Renditions, blocking_threads};
use crate::server::{Bound, Health, State};

/// What a catalog gives to those who read it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) readers: Readers,
    pub(super) renditions: Arc<Renditions>,
}

/// The exit code where a thread panicked, as where the first one does.
const PANICKED: i32 = 101;

/// See [`super::serve`].
pub(super) fn serve(mut setup: Setup, reload: Reload, ready: Ready) -> Result<(), Failure> {
    refuse_inside_inbox(&setup.daemon.state, "the state folder", &setup.daemon.inbox)?;
    if let Some(folder) = &setup.daemon.publish {
        refuse_inside_inbox(folder, "the folder of publish.disk", &setup.daemon.inbox)?;
    }
    let inherited = systemd::sockets().map_err(|error| Failure::Start(chain(&error)))?;
    let handed = !(inherited.http.is_empty() && inherited.admin.is_empty());
    let lock = Arc::new(Lock::acquire(&setup.daemon.state)?);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(blocking_threads())
        .thread_name("serve")
        .enable_all()
        .build()
        .map_err(|error| Failure::Start(format!("cannot start the threads that serve: {error}")))?;
    let mut bound = runtime
        .block_on(Bound::bind(&setup.server, inherited))
        .and_then(|bound| failpoint::io("http.bind").map(|()| bound))
        .map_err(|error| Failure::Start(chain(&error)))?;
    let (http, admin) = (bound.http(), bound.admin());
    lock.publish(&Holder { pid: std::process::id(), http: Some(http.clone()), admin: admin.clone() });
    if !setup.base_url_given {
        refuse_unnamed(&http)?;
        setup.feed.base_url = base_url(&http);
    }

    let metrics = Arc::new(Metrics::default());
    let state = Arc::new(State {
        renditions: RwLock::new(None),
        health: RwLock::new(Health::default()),
        metrics: Arc::clone(&metrics),
    });
    let mut wellbeing = Wellbeing::new(Arc::clone(&state));
    let (tell, messages) = mpsc::channel();
    listen_to_signals(&runtime, tell.clone());

    let shared = Arc::new(Shared::new(&setup, Clock::system()));
    let mirror = unstarted_mirror(&setup, &shared, &tell)?;
    let hubs_say: hubs::Say = {
        let tell = tell.clone();
        Box::new(move |told| drop(tell.send(Message::Told(told))))
    };
    let inbox = shared.inbox.open();
    if let Ok(root) = &inbox {
        shared.set_place(root.place);
    }
    let catalog = open_catalog(&setup, &shared, inbox.as_ref().err())?;
    if let Err(error) = &inbox {
        let path = shared.inbox.path().display();
        let why = format!("the inbox {path} cannot be read ({error}): the last good feeds are served");
        wellbeing.ails(Ailment::Inbox, why);
    }

    let serving = setup.server.clone();
    // Sockets that were handed over may be of a network that this process has no part in.
    let server = if handed { Probed::Within(bound.within()) } else { Probed::at(&http, admin.as_deref()) };
    pulse::probe(&shared, server);
    let cold = matches!(catalog, Found::Nothing);
    if !cold {
        // What comes first: nothing that an earlier process missed is withdrawn before this one has looked.
        shared.lanes.push_at_once(Lane::Fresh, Item { change: Change::Away, since: shared.clock.steady() });
    }
    let opened = match &catalog {
        Found::Good(catalog) => Some(open(catalog, &setup, &metrics)),
        Found::Nothing | Found::Damaged => None,
    };
    let (scanner, requests) = mpsc::channel();
    let threads = Threads {
        writer: {
            let opened = opened.as_ref().map(|opened| Arc::clone(&opened.renditions));
            start_writer(catalog, opened, &setup, &shared, &metrics, Arc::clone(&lock), tell.clone())
        },
        others: start_readers(&shared, &tell),
        shared: Arc::clone(&shared),
        scanner: scanner.clone(),
    };
    let scanner_thread = {
        let (say, watch) = (tell.clone(), tell);
        let scanner = Scanner::new(
            Arc::clone(&shared),
            requests,
            move |said| drop(say.send(Message::Say(said))),
            move |hint| drop(watch.send(Message::Hint(hint))),
        );
        spawn("scan", move || scanner.run())
    };

    let mut events = Loop {
        plan: Plan::new(setup.daemon.settle, cold),
        clockwork: Clockwork::new(inbox.is_err(), setup.daemon.accept_empty),
        shared,
        messages,
        scanner,
        wellbeing,
        setup,
        reload,
        ready: Some(ready),
        http,
        admin,
        renditions: None,
        mirror,
        mirroring: None,
        hubs: Some(hubs_say),
        counting: None,
        cold,
    };
    drop(inbox);
    let ended = match opened {
        Some(opened) => {
            check_behind(&opened.readers);
            events.opened(opened)
        }
        None => Ok(()),
    };
    // Who connects waits until here: with a good catalog nobody is ever told to come again.
    let (shut_down, when_shut_down) = oneshot::channel::<()>();
    let server = runtime.spawn(bound.serve(state, serving, async {
        let _ = when_shut_down.await;
    }));
    let ended = ended.and_then(|()| events.run());

    systemd::stopping();
    tracing::info!("stopping");
    let _ = shut_down.send(());
    let loaded = events.renditions.is_some();
    if let (Some(told), Some(mirroring)) = (&events.shared.mirror, events.mirroring.take()) {
        told.close();
        let _ = mirroring.join();
    }
    // What it is at may take as long as a hub takes to answer: it is not waited for.
    events.shared.news.close();
    threads.stop(loaded, scanner_thread);
    let _ = runtime.block_on(server);
    runtime.shutdown_background();
    drop(lock);
    ended
}

/// What will keep the folder of `publish.disk` up to date, where there is one.
fn unstarted_mirror(setup: &Setup, shared: &Shared, tell: &Sender<Message>) -> Result<Option<Unstarted>, Failure> {
    let (Some(path), Some(told)) = (&setup.daemon.publish, &shared.mirror) else { return Ok(None) };
    let twins = setup.daemon.precompressed.clone();
    let folder = Folder::open(path, &setup.daemon.state, twins).map_err(|error| {
        Failure::Start(format!("the folder of publish.disk {} cannot be written: {error}", path.display()))
    })?;
    let tell = tell.clone();
    let say = Box::new(move |published| drop(tell.send(Message::Published(published))));
    Ok(Some(Unstarted { folder, told: Arc::clone(told), say }))
}

/// What a state folder holds.
enum Found {
    /// A catalog that can be shown at once.
    Good(Box<Catalog>),
    /// One that must be made anew of what is left of it, and of the inbox.
    Damaged,
    /// None yet.
    Nothing,
}

/// Opens the catalog and sees that it belongs to the inbox.
fn open_catalog(setup: &Setup, shared: &Shared, inbox_error: Option<&std::io::Error>) -> Result<Found, Failure> {
    let state = &setup.daemon.state;
    if !Catalog::exists(state)? {
        return inbox_error.map_or(Ok(Found::Nothing), |error| Err(no_inbox(shared, error)));
    }
    let opened = Catalog::open(state, setup.catalog.clone()).map_err(Failure::from).and_then(|mut catalog| {
        match inbox_error {
            Some(error) => refuse_empty(&catalog, shared, error)?,
            None => adopt(&mut catalog, shared, setup.daemon.accept_empty)?,
        }
        Ok(catalog)
    });
    match opened {
        Ok(catalog) => Ok(Found::Good(Box::new(catalog))),
        Err(Failure::Catalog(error)) if error.is_damage() => {
            tracing::warn!("{}: it is made anew of what is left of it, and of the inbox", chain(&error));
            Ok(Found::Damaged)
        }
        Err(failure) => Err(failure),
    }
}

/// Without an inbox there must be something to show.
fn refuse_empty(catalog: &Catalog, shared: &Shared, error: &std::io::Error) -> Result<(), Failure> {
    let counts = catalog.readers().read(|reader| reader.counts())?;
    if counts.articles == 0 && counts.held == 0 { Err(no_inbox(shared, error)) } else { Ok(()) }
}

fn no_inbox(shared: &Shared, error: &std::io::Error) -> Failure {
    let path = shared.inbox.path().display();
    Failure::Start(format!(
        "the inbox {path} cannot be read: {error}; make the folder, or name another one with --inbox"
    ))
}

/// Looks through the whole catalog while it is served; what is found is mended by the writer.
fn check_behind(readers: &Readers) {
    let readers = readers.clone();
    spawn("check", move || match readers.check() {
        Ok(()) => tracing::debug!("the catalog was checked"),
        Err(error) => tracing::debug!(error = chain(&error), "the catalog was checked"),
    });
}

/// Tells the catalog which inbox it is of.
pub(super) fn adopt(catalog: &mut Catalog, shared: &Shared, accept_empty: bool) -> Result<(), Failure> {
    let io = |error: std::io::Error| {
        Failure::Start(format!("the inbox {} cannot be read: {error}", shared.inbox.path().display()))
    };
    let root = shared.inbox.open().map_err(io)?;
    let path = std::fs::canonicalize(shared.inbox.path()).map_err(io)?;
    let holds = |path: &str| matches!(root.look(path), Ok(Look::File(_)));
    Ok(catalog.adopt(&catalog::Inbox { path, device: root.place.device }, accept_empty, &holds)?)
}

fn open(catalog: &Catalog, setup: &Setup, metrics: &Arc<Metrics>) -> Opened {
    let readers = catalog.readers();
    let renditions = Renditions::new(readers.clone(), setup.feed.clone(), setup.rendition, Arc::clone(metrics));
    Opened { readers, renditions: Arc::new(renditions) }
}

/// Starts the writer: with a catalog, or to make one.
fn start_writer(
    found: Found,
    opened: Option<Arc<Renditions>>,
    setup: &Setup,
    shared: &Arc<Shared>,
    metrics: &Arc<Metrics>,
    lock: Arc<Lock>,
    tell: Sender<Message>,
) -> JoinHandle<()> {
    let (setup, shared, metrics) = (setup.clone(), Arc::clone(shared), Arc::clone(metrics));
    spawn("write", move || {
        let made = match found {
            Found::Good(catalog) => Ok(*catalog),
            Found::Damaged => rebuild(&setup, &shared),
            Found::Nothing => load(&setup, &shared, &tell),
        };
        let mut record = match made {
            Ok(catalog) => catalog,
            Err(error) => return drop(tell.send(Message::Loaded(Err(error)))),
        };
        let renditions = opened.unwrap_or_else(|| {
            let opened = open(&record, &setup, &metrics);
            let renditions = Arc::clone(&opened.renditions);
            let _ = tell.send(Message::Loaded(Ok(opened)));
            renditions
        });
        let look = Inbox(Arc::clone(&shared));
        record.look_with(Box::new(move |path: &str| look.stands_at(path)));
        let (lanes, clock, pulse) = (Arc::clone(&shared.lanes), Arc::clone(&shared.clock), Arc::clone(&shared.pulse));
        let (inbox, originals) = (Inbox(Arc::clone(&shared)), Box::new(Inbox(Arc::clone(&shared))));
        let holds = Box::new(move |path: &str| inbox.holds(path));
        let mut failed = false;
        let say = move |said| {
            // A commit that failed may turn out to have happened, once the file is opened anew.
            if std::mem::replace(&mut failed, matches!(said, Said::Failed { .. })) {
                renditions.renewed();
            }
            tell_committed(said, &renditions, &metrics, &shared, &tell);
        };
        let log = record.readers();
        let copier = Copier::new(move || {
            if let Err(error) = log.copy_log() {
                tracing::debug!(error = chain(&error), "the catalog's log could not be copied");
            }
        });
        let writer = Writer {
            record,
            lanes,
            clock,
            pulse,
            holds,
            originals,
            copier,
            log: Log::default(),
            waited: None,
            damage: None,
            owed: Owed::default(),
            lock: Box::new(move || lock.renew()),
            seen: Instant::now(),
            say,
        };
        writer.run();
    })
}

/// Makes a catalog anew of what is left of a damaged one, and of the inbox.
fn rebuild(setup: &Setup, shared: &Arc<Shared>) -> Result<Catalog, Failure> {
    let originals = Inbox(Arc::clone(shared));
    let mut catalog = Catalog::rebuild(&setup.daemon.state, setup.catalog.clone(), shared.clock.now(), &originals)?;
    match shared.inbox.open() {
        Ok(_) => adopt(&mut catalog, shared, setup.daemon.accept_empty)?,
        Err(error) => refuse_empty(&catalog, shared, &error)?,
    }
    Ok(catalog)
}

/// On the writer's thread, after the commit: first what readers see is made new, then it is told.
fn tell_committed(said: Said, renditions: &Renditions, metrics: &Metrics, shared: &Shared, tell: &Sender<Message>) {
    let (paths, end) = match said {
        Said::Committed { delta, paths, since, owes } => {
            renditions.changed(&delta);
            if let Some(mirror) = &shared.mirror {
                mirror.changed(&delta);
            }
            shared.news.changed(&delta);
            let now = shared.clock.now();
            since.iter().for_each(|&since| metrics.updated(now.steady.saturating_sub(since)));
            metrics.succeeded(now.wall);
            let (added, withdrawn) = (delta.added as u64, delta.withdrawn as u64);
            metrics.history().moved(now.wall, Moved { added, changed: delta.changed as u64, withdrawn });
            let absent = delta.absent;
            let _ = tell.send(Message::Committed { reread: delta.reread, added, withdrawn, absent, owes });
            (paths, End::Accepted)
        }
        Said::Reconfigured { delta, feed } => {
            // Every head is asked for anew: by the other settings, and from the view that the catalog shows now.
            renditions.set_feed(*feed);
            if let Some(mirror) = &shared.mirror {
                mirror.all();
            }
            let (added, withdrawn) = (delta.added as u64, delta.withdrawn as u64);
            let absent = delta.absent;
            let owes = false;
            return drop(tell.send(Message::Committed { reread: delta.reread, added, withdrawn, absent, owes }));
        }
        Said::Failed { paths, why } => {
            let _ = tell.send(Message::Failed(why));
            (paths, End::Failed)
        }
        Said::Adopted(adopted) => return drop(tell.send(Message::Adopted(adopted))),
        Said::Mending(what) => return drop(tell.send(Message::Mending(what))),
        Said::Mended(cure) => {
            renditions.renewed();
            if let Some(mirror) = &shared.mirror {
                mirror.all();
            }
            return drop(tell.send(Message::Mended(cure)));
        }
    };
    let done: Vec<(String, End)> = paths.into_iter().filter(|path| !path.is_empty()).map(|path| (path, end)).collect();
    if !done.is_empty() {
        let _ = tell.send(Message::Done(done));
    }
}

/// Makes the first catalog of what comes through the lanes.
fn load(setup: &Setup, shared: &Shared, tell: &Sender<Message>) -> Result<Catalog, Failure> {
    let mut taken = Vec::new();
    let mut files = from_lanes(&shared.lanes, |path, last| {
        taken.push((path, End::Accepted));
        if last || taken.len() >= 64 {
            let _ = tell.send(Message::Done(std::mem::take(&mut taken)));
        }
    });
    let mut catalog = Catalog::load(&setup.daemon.state, setup.catalog.clone(), shared.clock.now(), &mut files)?;
    match adopt(&mut catalog, shared, true) {
        Err(Failure::Catalog(error)) => Err(error.into()),
        // The inbox went away in this very moment: the loop sees that.
        Ok(()) | Err(Failure::Start(_)) => Ok(catalog),
    }
}

/// Changes as they come; `taken` is told each path, and whether nothing more waits just now.
pub(super) fn from_lanes(lanes: &Lanes, mut taken: impl FnMut(String, bool)) -> impl Iterator<Item = Change> {
    let mut items = Vec::new().into_iter();
    std::iter::from_fn(move || {
        loop {
            let item = match items.next() {
                Some(item) => item,
                None => {
                    items = lanes.take_for_load()?.into_iter();
                    continue;
                }
            };
            taken(item.path().to_owned(), items.len() == 0);
            // A file that vanished before it was read never was in this catalog.
            if !matches!(item.change, Change::Missing { .. }) {
                return Some(item.change);
            }
        }
    })
}

fn start_readers(shared: &Arc<Shared>, tell: &Sender<Message>) -> Vec<JoinHandle<()>> {
    (0..workers())
        .map(|_| {
            let (shared, tell) = (Arc::clone(shared), tell.clone());
            spawn("read", move || {
                read::work(&shared, |path, end| drop(tell.send(Message::Done(vec![(path, end)]))));
            })
        })
        .collect()
}

/// As many readers as cores.
pub(super) fn workers() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// Starts a thread that the daemon cannot do without: where it panics the process ends, and whoever watches it starts it
/// anew from what is durable, instead of a daemon that takes nothing any more.
pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let whole = move || {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            tracing::error!("a part of feedmill failed, so all of it ends; please report what is said above");
            std::process::exit(PANICKED);
        }
    };
    match thread::Builder::new().name(format!("{name}-{number}")).spawn(whole) {
        Ok(handle) => handle,
        Err(error) => panic!("the system gives no more threads: {error}"),
    }
}

struct Threads {
    writer: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
    scanner: Sender<Request>,
}

impl Threads {
    /// Lets each end what it is at. What waits in the lanes was not accepted: the next start finds it again.
    fn stop(self, loaded: bool, scanner: JoinHandle<()>) {
        self.shared.lanes.close();
        self.shared.jobs.close();
        let _ = self.scanner.send(Request::Stop);
        // A first catalog that is being made is given up: its writer waits for ever and ends with the process.
        if loaded {
            for thread in self.others.into_iter().chain([self.writer, scanner]) {
                let _ = thread.join();
            }
        }
    }
}

fn listen_to_signals(runtime: &Runtime, tell: Sender<Message>) {
    let _context = runtime.enter();
    let signals =
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(|kind| (kind, signal(kind)));
    let stopping = Arc::new(AtomicUsize::new(0));
    for (kind, signal) in signals {
        let mut signal = match signal {
            Ok(signal) => signal,
            Err(error) => {
                tracing::warn!(%error, "a signal cannot be handled");
                continue;
            }
        };
        let (tell, stopping) = (tell.clone(), Arc::clone(&stopping));
        runtime.spawn(async move {
            while signal.recv().await.is_some() {
                if kind == SignalKind::hangup() {
                    let _ = tell.send(Message::Reload);
                } else if stopping.fetch_add(1, Ordering::Relaxed) == 0 {
                    let _ = tell.send(Message::Stop);
                } else {
                    // Whoever asks twice does not want to wait for clients.
                    std::process::exit(128 + kind.as_raw_value());
                }
            }
        });
    }
}

/// A folder that is written to must not be below the inbox.
pub(super) fn refuse_inside_inbox(folder: &Path, what: &str, inbox: &Path) -> Result<(), Failure> {
    let Ok(inbox) = std::fs::canonicalize(inbox) else { return Ok(()) };
    if resolved(folder).starts_with(&inbox) {
        let (folder, inbox) = (folder.display(), inbox.display());
        return Err(Failure::Start(format!("{what} {folder} is inside the inbox {inbox}: nothing is written there")));
    }
    Ok(())
}

/// The path with the links of its existing part resolved.
fn resolved(path: &Path) -> std::path::PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for existing in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (std::fs::canonicalize(existing), path.strip_prefix(existing)) {
            return real.join(rest);
        }
    }
    path
}

/// A unix socket that was handed over says nothing about the address that readers use; one of the config was refused
/// with it.
fn refuse_unnamed(http: &str) -> Result<(), Failure> {
    if http.starts_with("unix:") {
        return Err(Failure::Start(format!(
            "the socket {http} says nothing about the address that readers use: set site.base_url, such as \
             https://news.example"
        )));
    }
    Ok(())
}

/// The base URL that follows from a bound address; a wildcard is reached on the loopback.
pub(super) fn base_url(bound: &str) -> String {
    if bound.starts_with("unix:") {
        return "http://localhost".to_owned();
    }
    match bound.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        _ => format!("http://{bound}"),
    }
}

/// The line for the log: what is served from where, and where to look.
pub(super) fn welcome(http: &str, admin: Option<&str>, inbox: &Path, counts: &Counts) -> String {
    let Counts { articles, feeds, problems, held } = counts;
    let problems = match (problems, admin) {
        (0, _) => "no file has a problem".to_owned(),
        (some, Some(admin)) => format!("files with problems: {some}, see /problems at {admin}"),
        (some, None) => format!("files with problems: {some}, see feedmill check"),
    };
    let (articles, feeds) = (counted(*articles, "article"), counted(*feeds, "feed"));
    format!("ready at {http}: {articles} of {} in {feeds}, files held: {held}; {problems}", inbox.display())
}

/// How many there are, for people.
pub(super) fn counted(count: u64, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

/// The line for stdout.
pub(super) fn ready_line(http: &str, admin: Option<&str>, counts: &Counts) -> String {
    let address = |bound: &str| if bound.starts_with("unix:") { bound.to_owned() } else { format!("http://{bound}/") };
    let admin = admin.map_or_else(|| "off".to_owned(), address);
    let Counts { articles, feeds, problems, .. } = counts;
    format!("ready {} admin {admin} articles={articles} feeds={feeds} problems={problems}", address(http))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_can_be_reached() {
        assert_eq!(base_url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(base_url("0.0.0.0:80"), "http://127.0.0.1:80");
        assert_eq!(base_url("[::]:80"), "http://127.0.0.1:80");
        assert_eq!(base_url("[::1]:80"), "http://[::1]:80");
        assert_eq!(base_url("unix:/run/feedmill.sock"), "http://localhost");
    }

    #[test]
    fn the_ready_line_names_addresses_and_counts() {
        let counts = Counts { articles: 1, feeds: 8, problems: 1, held: 0 };
        assert_eq!(
            ready_line("127.0.0.1:8080", Some("127.0.0.1:8081"), &counts),
            "ready http://127.0.0.1:8080/ admin http://127.0.0.1:8081/ articles=1 feeds=8 problems=1"
        );
        assert_eq!(
            ready_line("unix:/run/f.sock", None, &counts),
            "ready unix:/run/f.sock admin off articles=1 feeds=8 problems=1"
        );
    }

    #[test]
    fn the_log_says_where_to_look() {
        let counts = Counts { articles: 2, feeds: 8, problems: 1, held: 0 };
        let said = welcome("127.0.0.1:80", Some("127.0.0.1:81"), Path::new("in"), &counts);
        assert_eq!(
            said,
            "ready at 127.0.0.1:80: 2 articles of in in 8 feeds, files held: 0; files with problems: 1, see /problems \
             at 127.0.0.1:81"
        );
        assert!(welcome("x", None, Path::new("in"), &counts).ends_with("see feedmill check"));
    }

    #[test]
    fn nothing_is_written_inside_the_inbox() {
        let folder = tempfile::tempdir().expect("a folder");
        let inbox = folder.path().join("inbox");
        std::fs::create_dir(&inbox).expect("made");
        std::os::unix::fs::symlink(&inbox, folder.path().join("link")).expect("linked");
        let refused = |path: &str| refuse_inside_inbox(&folder.path().join(path), "it", &inbox).is_err();
        assert!(refused("inbox") && refused("inbox/state") && refused("link/a/b"));
        assert!(!refused("state") && !refused("inbox2"));
    }
}
