//! A rendition: a document in one content coding. Stamps, codings, and the byte-bounded cache with single flight.
//!
//! A stamp is known before any bytes are made: it hashes the renderer's settings and everything in the catalog that
//! the bytes depend on. Equal stamps mean equal bytes. What exists and which stamp it has is kept in memory, so that
//! asking whether something changed reads no table and waits for nobody.

mod cache;
mod coding;
mod flight;
mod heads;
mod near;
mod refresh;
mod source;
mod stamp;
mod work;
mod workers;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::runtime::Handle;
use url::Url;

use crate::catalog::{self, Delta, Readers};
pub use crate::catalog::{Counts, Problem};
use crate::entry::{self, Document, Hash, Key, Timestamp};
use crate::feed;
use crate::metrics::Metrics;

use cache::Cache;
pub use coding::{Coding, ENCODER_REVISION};
use flight::Flights;
use heads::Heads;
pub(crate) use source::Source;
use stamp::Dressing;
pub use stamp::ETag;
use workers::Workers;

/// How many documents may wait to be rendered or encoded; the next one is told to come again.
const RENDER_QUEUE: usize = 512;

/// How many documents may wait for a look at the catalog; a look is short.
const LOOK_QUEUE: usize = 8192;

/// Looks at the catalog that run at once, for each core; of renderings it is one.
const LOOKS: usize = 2;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many threads renditions block at most. A runtime that has more makes them, one at a time and for good, because
/// work ends a moment before its thread is idle: twenty-five on two cores, each with a stack and a cache of memory.
pub fn blocking_threads() -> usize {
    (LOOKS + 1) * cores()
}

/// Settings of the cache: `http.cache`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// In bytes: of documents, and of the cleaned bodies that they are made of.
    pub cache: u64,
}

impl Settings {
    /// The part of it that is for cleaned bodies.
    fn bodies(self) -> u64 {
        self.cache / 4
    }
}

/// The validators of a document that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators {
    /// What the ETag is made from, together with the coding.
    pub stamp: Hash,
    /// For `Last-Modified`.
    pub modified: Timestamp,
}

/// Whether a document exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Here(Validators),
    /// It did (410).
    Gone,
    /// It never did (404).
    Never,
}

/// A document's bytes in one coding, with the validators of the state that they were made from.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// Of the bytes, not of an earlier look.
    pub validators: Validators,
    /// The coding; [`Coding::Identity`] where the document is too small to be worth another one.
    pub coding: Coding,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// What becomes of a document that is too small to be worth a coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Small {
    /// It stays as it is.
    Plain,
    /// It is encoded all the same: the client takes nothing else.
    Encoded,
}

/// Why a rendition could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The document cannot be rendered.
    #[error(transparent)]
    Render(#[from] feed::RenderError),
    /// Too many cold documents are waiting to be rendered (503).
    #[error("too many documents are waiting to be rendered")]
    Busy,
    /// A coding could not be made.
    #[error("the content coding {} could not be made", .coding.as_str())]
    Encode {
        /// Which one.
        coding: Coding,
        /// Why.
        source: std::io::Error,
    },
    /// The work that others waited for failed.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// The work ended without a result.
    #[error("the rendering ended early")]
    Lost,
}

impl Error {
    /// Whether the catalog is damaged, which its readers tell and its writer mends.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Catalog(error) => error.is_damage(),
            Error::Shared(error) => error.is_damage(),
            _ => false,
        }
    }

    /// The same for one of several who waited.
    fn share(error: &Arc<Error>) -> Error {
        match **error {
            Error::Busy => Error::Busy,
            Error::Lost => Error::Lost,
            _ => Error::Shared(Arc::clone(error)),
        }
    }
}

/// All renditions of the catalog's present state.
pub struct Renditions {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Renditions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renditions").field("cached", &self.inner.cache.weight()).finish_non_exhaustive()
    }
}

/// What the work that is under way shares with those who wait for it.
struct Inner {
    source: Box<dyn Source>,
    /// The renderer and its part of every stamp.
    dressing: RwLock<Arc<Dressing>>,
    heads: Heads,
    cache: Cache,
    looks: Flights<Document, Status>,
    renders: Flights<Document, Option<Rendition>>,
    encodes: Flights<(Hash, Coding), Arc<[u8]>>,
    /// For looks at the catalog, which are short.
    readers: Arc<Workers>,
    /// For rendering and encoding, which fill a core.
    workers: Arc<Workers>,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// Where documents are refreshed; known once one was asked for.
    runtime: OnceLock<Handle>,
}

impl Renditions {
    /// Renditions over a catalog.
    pub fn new(readers: Readers, feed: feed::Settings, settings: Settings, metrics: Arc<Metrics>) -> Renditions {
        Renditions::over(Box::new(readers), feed, settings, metrics)
    }

    /// Renditions over anything that has documents.
    pub(crate) fn over(
        source: Box<dyn Source>,
        feed: feed::Settings,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Renditions {
        let renderer = feed::Renderer::keeping(feed, settings.bodies());
        let cores = cores();
        Renditions {
            inner: Arc::new(Inner {
                source,
                dressing: RwLock::new(Arc::new(Dressing::new(renderer))),
                heads: Heads::new(),
                cache: Cache::new(settings.cache - settings.bodies()),
                settings,
                looks: Flights::default(),
                renders: Flights::default(),
                encodes: Flights::default(),
                readers: Arc::new(Workers::new(LOOKS * cores, LOOK_QUEUE)),
                workers: Arc::new(Workers::new(cores, RENDER_QUEUE)),
                metrics,
                runtime: OnceLock::new(),
            }),
        }
    }

    /// Whether a document exists, with its validators; from memory where it was asked for before and has not changed.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn status(&self, document: &Document) -> Result<Status, Error> {
        match self.inner.heads.ask(document) {
            Some(status) => Ok(status),
            // Boxed, so that those who find it in memory need no room for more.
            None => Box::pin(Inner::look(&self.inner, document)).await,
        }
    }

    /// A document in a coding; `None` where it does not exist. Rendered and encoded at most once for all who ask.
    /// A small document comes as it is, whatever the coding.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn get(&self, document: &Document, coding: Coding) -> Result<Option<Rendition>, Error> {
        let rendition = self.inner.get(document, coding, Small::Plain).await;
        self.asked(document, coding);
        rendition
    }

    /// The same for a client that takes nothing but this coding: a small document is encoded too.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn get_encoded(&self, document: &Document, coding: Coding) -> Result<Option<Rendition>, Error> {
        let rendition = self.inner.get(document, coding, Small::Encoded).await;
        self.asked(document, coding);
        rendition
    }

    /// Notes in which coding a document is read.
    fn asked(&self, document: &Document, coding: Coding) {
        if let Some(heat) = self.inner.heads.heat(document) {
            heat.ask_in(coding);
        }
    }

    /// A document's validators as they are now; `None` where it does not exist. Blocks, and waits for nobody: for work
    /// that runs behind.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn validators(&self, document: &Document) -> Result<Option<Validators>, Error> {
        let dressing = self.inner.dressing();
        if !dressing.offers(document) {
            return Ok(None);
        }
        Ok(match self.inner.source.head(document)? {
            entry::Status::Here(head) => Some(dressing.validators(&head)),
            entry::Status::Gone | entry::Status::Never => None,
        })
    }

    /// A document's bytes as they are now, with their validators; `None` where it does not exist. Blocks, and keeps
    /// nothing: what runs behind must not push out what readers ask for.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn make(&self, document: &Document) -> Result<Option<(Validators, Vec<u8>)>, Error> {
        let dressing = self.inner.dressing();
        if !dressing.offers(document) {
            return Ok(None);
        }
        let made = self.inner.source.document(document, dressing.renderer())?;
        Ok(made.map(|(head, bytes)| {
            self.inner.metrics.rendered(document);
            (dressing.validators(&head), bytes)
        }))
    }

    /// The formats of every feed now.
    pub fn formats(&self) -> Vec<entry::Format> {
        self.inner.dressing().renderer().settings().formats.clone()
    }

    /// The hubs that are told of changes now.
    pub fn hubs(&self) -> Vec<Url> {
        self.inner.dressing().renderer().settings().hubs.clone()
    }

    /// The absolute address of a document now.
    pub fn address(&self, document: &Document) -> String {
        self.inner.dressing().renderer().settings().address(document)
    }

    /// Whether a document is at hand in a coding, without any work.
    pub fn is_ready(&self, validators: &Validators, coding: Coding) -> bool {
        self.inner.cache.has(&validators.stamp, coding)
    }

    /// Makes a coding of a document in the background, unless it is there or there is other work to do.
    pub fn prepare(&self, document: &Document, validators: &Validators, coding: Coding) {
        let inner = &self.inner;
        if inner.cache.has(&validators.stamp, coding) || inner.workers.is_busy() {
            return;
        }
        let Some(plain) = inner.cached(*validators, Coding::Identity, Small::Plain) else { return };
        if Coding::is_worthwhile(plain.bytes.len()) {
            let (inner, document) = (Arc::clone(inner), document.clone());
            tokio::spawn(async move {
                if let Err(error) = Inner::encode(&inner, plain, coding).await {
                    tracing::debug!(%error, path = document.path(), "a coding was not prepared");
                }
            });
        }
    }

    /// Forgets what a committed change made stale. Called by the writer after each commit, before anything is told.
    pub fn changed(&self, delta: &Delta) {
        self.inner.heads.changed(delta);
        refresh::plan(&self.inner, delta);
    }

    /// Forgets every look at the catalog: it was mended.
    pub fn renewed(&self) {
        self.inner.heads.all_changed();
    }

    /// Takes other settings (reload); stamps change with them.
    pub fn set_feed(&self, feed: feed::Settings) {
        let renderer = feed::Renderer::keeping(feed, self.inner.settings.bodies());
        let dressing = Arc::new(Dressing::new(renderer));
        *self.inner.dressing.write().unwrap_or_else(PoisonError::into_inner) = dressing;
        self.inner.heads.all_changed();
    }

    /// The keys that a short one stands for: `/category/NAME` for a longer path that ends in this name.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn named(&self, key: &Key) -> Result<Vec<Key>, Error> {
        let key = key.clone();
        self.inner.read(move |source| source.named(&key)).await
    }

    /// The keys that a wrong one may have meant, the likeliest first.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn similar(&self, key: &Key) -> Result<Vec<Key>, Error> {
        let key = key.clone();
        self.inner.read(move |source| source.similar(&key)).await
    }

    /// Numbers for status and metrics.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.inner.read(|source| source.counts()).await
    }

    /// Open errors and warnings, newest first.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn problems(&self) -> Result<Vec<Problem>, Error> {
        self.inner.read(|source| source.problems()).await
    }

    /// How many bytes the cache holds.
    pub fn cached_bytes(&self) -> u64 {
        self.inner.cache.weight() + self.inner.dressing().renderer().kept_bytes()
    }
}

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tests;
