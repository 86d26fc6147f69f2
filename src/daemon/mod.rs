//! The daemon: watching and settling the inbox, the writer thread, the one event loop, publishing, signals, systemd.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::rendition::Coding;
use crate::{catalog, feed, rendition, server};

mod clock;
mod copier;
mod events;
mod folder;
mod health;
mod hints;
mod hubs;
mod inbox;
mod lanes;
mod mirror;
mod originals;
mod plan;
mod publish;
mod pulse;
mod read;
mod scan;
mod scanner;
mod start;
mod systemd;
mod update;
mod watch;
mod writer;

pub(crate) use inbox::name_text;

/// Whether the inbox is polled (`inbox.poll`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Where the file system sends no events.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Settings of `inbox`, `state` and `publish`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The inbox.
    pub inbox: PathBuf,
    /// `inbox.include`, `inbox.exclude`.
    pub names: Names,
    /// `inbox.max_file_size` in bytes.
    pub max_file_size: u64,
    /// `inbox.settle`.
    pub settle: Duration,
    /// `inbox.rescan`.
    pub rescan: Duration,
    /// `inbox.poll`.
    pub poll: Poll,
    /// `--accept-empty`.
    pub accept_empty: bool,
    /// The state folder.
    pub state: PathBuf,
    /// `publish.disk`.
    pub publish: Option<PathBuf>,
    /// `publish.precompressed`.
    pub precompressed: Vec<Coding>,
}

/// Which names are articles; matched without regard to case, relative to the inbox.
#[derive(Clone, Debug)]
pub struct Names {
    include: globset::GlobSet,
    exclude: globset::GlobSet,
    /// The patterns of `exclude`, in their order.
    excluding: Vec<String>,
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// An article.
    Article,
    /// Excluded by this pattern.
    Excluded(&'a str),
    /// Not included.
    Other,
}

impl Names {
    /// Compiles the patterns.
    ///
    /// # Errors
    ///
    /// Names the pattern that is not a glob.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Names, globset::Error> {
        let glob =
            |pattern: &str| globset::GlobBuilder::new(pattern).case_insensitive(true).literal_separator(true).build();
        let set = |patterns: &[String]| {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in patterns {
                set.add(glob(pattern)?);
            }
            set.build()
        };
        Ok(Names { include: set(include)?, exclude: set(exclude)?, excluding: exclude.to_vec() })
    }

    /// What a file is, by its path relative to the inbox; an excluded folder excludes what is below it.
    pub fn of_file(&self, path: &str) -> Named<'_> {
        let mut end = 0;
        while let Some(slash) = path[end..].find('/') {
            end += slash;
            if let Some(pattern) = self.excluded(&path[..end]) {
                return Named::Excluded(pattern);
            }
            end += 1;
        }
        match self.excluded(path) {
            Some(pattern) => Named::Excluded(pattern),
            None if self.include.is_match(path) => Named::Article,
            None => Named::Other,
        }
    }

    /// Whether a folder or one above it is excluded.
    pub fn excludes_folder(&self, path: &str) -> bool {
        path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]).any(|path| self.excluded(path).is_some())
    }

    /// The pattern that excludes a folder or a file itself, its parents not looked at.
    pub fn excluded(&self, path: &str) -> Option<&str> {
        // Most names are not, and to tell which pattern does it costs more.
        let first = self.exclude.is_match(path).then(|| self.exclude.matches(path))?.into_iter().next()?;
        self.excluding.get(first).map(String::as_str)
    }
}

/// Everything that the daemon is told by the config.
#[derive(Clone, Debug)]
pub struct Setup {
    /// For the catalog.
    pub catalog: catalog::Settings,
    /// For the renderer; `base_url` is only right where `base_url_given`, else it follows from the bound address.
    pub feed: feed::Settings,
    /// Whether `site.base_url` is configured.
    pub base_url_given: bool,
    /// For the cache.
    pub rendition: rendition::Settings,
    /// For the server.
    pub server: server::Settings,
    /// For the inbox, state and publishing.
    pub daemon: Settings,
}

/// Reads the config anew (SIGHUP); the text of all its mistakes where it is not valid.
pub type Reload = Box<dyn FnMut() -> Result<Setup, String> + Send>;

/// Why the daemon or a build stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The catalog cannot be used; [`catalog::Error::Locked`] and [`catalog::Error::Newer`] have an exit code of
    /// their own.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// Anything else that keeps it from starting: one clear sentence.
    #[error("{0}")]
    Start(String),
}

/// What a build did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// Shown articles.
    pub articles: u64,
    /// Feeds.
    pub feeds: u64,
    /// Files with problems.
    pub problems: u64,
    /// Files below the folder now.
    pub documents: u64,
    /// Of these, written because they were new or other than before.
    pub written: u64,
    /// Files of an earlier build that were removed.
    pub removed: u64,
}

/// Runs the daemon until SIGTERM or SIGINT. `ready` is given the line for stdout once a state can be shown.
///
/// # Errors
///
/// Where it could not start; once it runs, the world's mistakes are retried and shown instead.
pub fn serve(setup: Setup, reload: Reload, ready: Box<dyn FnOnce(&str) + Send>) -> Result<(), Failure> {
    start::serve(setup, reload, ready)
}

/// One pass: brings the catalog up to date with the inbox and writes every document below `out`.
///
/// # Errors
///
/// Where the inbox, the catalog or `out` cannot be used.
pub fn build(setup: Setup, out: &Path) -> Result<Built, Failure> {
    publish::build(setup, out)
}

/// Is given the line for stdout.
type Ready = Box<dyn FnOnce(&str) + Send>;

/// What the threads share.
#[derive(Debug)]
struct Shared {
    inbox: inbox::Inbox,
    /// Which folder the inbox is held to be; another one at its name is noticed before it is used.
    place: Mutex<Option<inbox::Place>>,
    reading: RwLock<Arc<read::Reading>>,
    poll: RwLock<Poll>,
    clock: Arc<clock::Clock>,
    pulse: Arc<pulse::Pulse>,
    lanes: Arc<lanes::Lanes>,
    jobs: read::Jobs,
    excluded: Mutex<scan::Excluded>,
    /// Where documents are also written as files.
    mirror: Option<Arc<mirror::Told>>,
    /// What hubs are told.
    news: Arc<hubs::News>,
    /// Once there is a catalog.
    readers: OnceLock<catalog::Readers>,
}

impl Shared {
    fn new(setup: &Setup, clock: clock::Clock) -> Shared {
        Shared {
            inbox: inbox::Inbox::new(&setup.daemon.inbox),
            place: Mutex::new(None),
            reading: RwLock::new(Arc::new(reading_of(setup))),
            poll: RwLock::new(setup.daemon.poll),
            clock: Arc::new(clock),
            pulse: Arc::default(),
            lanes: Arc::default(),
            jobs: read::Jobs::default(),
            excluded: Mutex::default(),
            mirror: setup.daemon.publish.as_ref().map(|_| Arc::default()),
            news: Arc::default(),
            readers: OnceLock::new(),
        }
    }

    /// The inbox, if it is still the folder that it is held to be.
    fn open_inbox(&self) -> io::Result<inbox::Root> {
        crate::failpoint::io("read.inbox")?;
        let root = self.inbox.open()?;
        if self.is_inbox(&root) { Ok(root) } else { Err(io::Error::other("another folder stands at its name")) }
    }

    /// Whether a folder is the one that the inbox is held to be.
    fn is_inbox(&self, root: &inbox::Root) -> bool {
        self.place().is_none_or(|place| place == root.place)
    }

    fn place(&self) -> Option<inbox::Place> {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_place(&self, place: inbox::Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    fn reading(&self) -> Arc<read::Reading> {
        self.reading.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn poll(&self) -> Poll {
        *self.poll.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn excluded(&self) -> MutexGuard<'_, scan::Excluded> {
        self.excluded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reading_of(setup: &Setup) -> read::Reading {
    read::Reading {
        names: setup.daemon.names.clone(),
        max_file_size: setup.daemon.max_file_size,
        rules: setup.catalog.rules.clone(),
        under: setup.catalog.rules.digest(),
    }
}
