//! Documents as files: `build` is one pass. The catalog is brought up to date with the inbox, files as they are, and
//! every document is written below a folder: the very bytes that the server serves, at the very paths.
//!
//! Documents are listed as they are written, in portions, so that memory does not grow with their number; as many
//! threads as there are cores render them.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use super::clock::Clock;
use super::folder::{Folder, Unwritten};
use super::start::{base_url, refuse_inside_inbox, workers};
use super::update;
use super::writer::chain;
use super::{Built, Failure, Setup, Shared};
use crate::catalog::{Error, Lock, Reader, Readers};
use crate::entry::{Document, Format, Key, Kind};
use crate::metrics::Metrics;
use crate::rendition::{self, Renditions};
use crate::server::Address;

/// Rows read at a time while documents are listed.
const AT_ONCE: usize = 500;
/// Documents that wait for a thread.
const WAITING: usize = 256;
/// How often a build that nobody watches says how far it is.
const TELL: Duration = Duration::from_secs(10);

/// See [`super::build`].
pub(super) fn build(mut setup: Setup, out: &Path) -> Result<Built, Failure> {
    refuse_inside_inbox(out, "the output folder", &setup.daemon.inbox)?;
    refuse_inside_inbox(&setup.daemon.state, "the state folder", &setup.daemon.inbox)?;
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let clock = Clock::of_build(epoch.as_deref()).map_err(Failure::Start)?;
    if !setup.base_url_given {
        setup.feed.base_url = match &setup.server.listen {
            Address::Tcp(address) => base_url(address),
            Address::Unix(path) => base_url(&format!("unix:{}", path.display())),
        };
        let base_url = &setup.feed.base_url;
        tracing::warn!("site.base_url is not set: links begin with {base_url}, where nobody else can follow them");
    }
    // One pass: there is no later one in which a missing file could be back.
    setup.catalog.withdraw_after = Duration::ZERO;

    let _lock = Lock::acquire(&setup.daemon.state)?;
    let shared = Shared::new(&setup, clock);
    let root = shared.inbox.open().map_err(|error| {
        let path = shared.inbox.path().display();
        Failure::Start(format!(
            "the inbox {path} cannot be read: {error}; make the folder, or name another one with --inbox"
        ))
    })?;
    shared.set_place(root.place);
    drop(root);
    let catalog = update::up_to_date(&setup, &shared)?;
    let readers = catalog.readers();
    let counts = readers.read(|reader| reader.counts())?;
    let folder = Folder::open(out, &setup.daemon.state, Vec::new())
        .map_err(|error| Failure::Start(format!("cannot write below {}: {error}", out.display())))?;
    let renditions = Renditions::new(readers.clone(), setup.feed, setup.rendition, Arc::new(Metrics::default()));
    let written = write_all(&readers, &renditions, &folder)?;
    Ok(Built { articles: counts.articles, feeds: counts.feeds, problems: counts.problems, ..written })
}

/// What became of a document's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It was as it should be.
    Same,
    /// It was written.
    Written,
    /// There is no such document any more, and no file of it.
    Absent,
}

/// Why a document's file could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unpublished {
    /// The folder.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The catalog, or the renderer.
    #[error("{path} cannot be rendered: {}", chain(.source))]
    Unrendered {
        /// The document's.
        path: String,
        /// Why.
        source: rendition::Error,
    },
}

/// Brings one document's file up to date; what was made of the present stamp is not rendered again.
pub(super) fn publish(
    folder: &Folder,
    renditions: &Renditions,
    document: &Document,
    worker: usize,
) -> Result<Done, Unpublished> {
    let unrendered = |source| Unpublished::Unrendered { path: document.path(), source };
    let file = document.file();
    if folder.has_note(&file)
        && let Some(validators) = renditions.validators(document).map_err(unrendered)?
        && folder.is_current(&file, &validators.stamp)
    {
        return Ok(Done::Same);
    }
    let Some((validators, bytes)) = renditions.make(document).map_err(unrendered)? else {
        folder.remove(&file)?;
        return Ok(Done::Absent);
    };
    let written = folder.put(&file, &bytes, &validators.stamp, worker)?;
    Ok(if written { Done::Written } else { Done::Same })
}

fn write_all(readers: &Readers, renditions: &Renditions, folder: &Folder) -> Result<Built, Failure> {
    let progress = Progress::new(readers, renditions)?;
    folder.begin_pass();
    let (give, take) = mpsc::sync_channel::<Document>(WAITING);
    // Shared by the workers alone: when none is left, whoever lists documents notices.
    let take = Arc::new(Mutex::new(take));
    let next = |take: &Mutex<Receiver<Document>>| take.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let written = AtomicU64::new(0);
    let work = |worker: usize, take: Arc<Mutex<Receiver<Document>>>| -> Result<(), Failure> {
        while let Some(document) = next(&take) {
            let done =
                publish(folder, renditions, &document, worker).map_err(|error| Failure::Start(error.to_string()))?;
            written.fetch_add(u64::from(done == Done::Written), Ordering::Relaxed);
            progress.step();
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers())
            .map(|worker| {
                let take = Arc::clone(&take);
                scope.spawn(move || work(worker, take))
            })
            .collect();
        drop(take);
        let mut list = Listing::default();
        let listed = loop {
            match readers.read(|reader| list.next(reader, &renditions.formats())) {
                Ok(documents) if documents.is_empty() => break Ok(()),
                Ok(documents) => {
                    // Fails once every worker has given up; they say why.
                    if documents.into_iter().any(|document| give.send(document).is_err()) {
                        break Ok(());
                    }
                }
                Err(error) => break Err(Failure::from(error)),
            }
        };
        drop(give);
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })?;
        listed
    })?;
    progress.end();
    let removed = folder.end_pass().map_err(|error| Failure::Start(error.to_string()))?;
    Ok(Built { documents: folder.len() as u64, written: written.into_inner(), removed, ..Built::default() })
}

/// Every document that may exist, in portions; those that do not have no material.
#[derive(Debug, Default)]
pub(super) struct Listing {
    at: At,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Begin,
    Feeds(Option<Key>),
    Articles(Option<Uuid>),
    End,
}

impl Listing {
    /// The next documents; none once all were listed.
    pub(super) fn next(&mut self, reader: &Reader<'_>, formats: &[Format]) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::new();
        while documents.is_empty() {
            match std::mem::take(&mut self.at) {
                At::Begin => {
                    documents.extend([
                        Document::Index,
                        Document::Opml,
                        Document::Style,
                        Document::Icon,
                        Document::Robots,
                    ]);
                    for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::All) {
                        documents.extend((1..=reader.list_pages(kind)?).map(|page| Document::List(kind, page)));
                    }
                    self.at = At::Feeds(None);
                }
                At::Feeds(after) => {
                    let rows = reader.feeds(after.as_ref(), AT_ONCE)?;
                    self.at = match rows.last() {
                        Some(last) => At::Feeds(Some(last.key.clone())),
                        None => At::Articles(None),
                    };
                    for row in rows {
                        let pages = reader.archive_pages(&row.key)?;
                        documents.extend(formats.iter().map(|&format| Document::Feed(row.key.clone(), format)));
                        // Page by page, so that the formats of one share their cleaned bodies.
                        documents.extend((1..=pages).flat_map(|page| {
                            let key = &row.key;
                            formats.iter().map(move |&format| Document::Archive(key.clone(), page, format))
                        }));
                        documents.push(Document::Page(row.key));
                    }
                }
                At::Articles(after) => {
                    let articles = reader.articles(after, AT_ONCE)?;
                    self.at = match articles.last() {
                        Some(&last) => At::Articles(Some(last)),
                        None => At::End,
                    };
                    documents.extend(articles.into_iter().map(Document::Article));
                }
                At::End => {
                    self.at = At::End;
                    break;
                }
            }
        }
        Ok(documents)
    }
}

/// How far a build is: a bar where somebody watches, else a line in the log now and then.
struct Progress {
    total: u64,
    done: AtomicU64,
    bar: Option<ProgressBar>,
    told: Mutex<Instant>,
}

impl Progress {
    fn new(readers: &Readers, renditions: &Renditions) -> Result<Progress, Failure> {
        let mut list = Listing::default();
        let mut total = 0;
        loop {
            let portion = readers.read(|reader| list.next(reader, &renditions.formats()))?.len() as u64;
            if portion == 0 {
                break;
            }
            total += portion;
        }
        // Draws on stderr.
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            match ProgressStyle::with_template("writing {wide_bar} {pos}/{len} documents") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Ok(Progress { total, done: AtomicU64::new(0), bar, told: Mutex::new(Instant::now()) })
    }

    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            return bar.inc(1);
        }
        if done.is_multiple_of(64)
            && let Ok(mut told) = self.told.try_lock()
            && told.elapsed() >= TELL
        {
            *told = Instant::now();
            tracing::info!("writing: {done} of {} documents", self.total);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
