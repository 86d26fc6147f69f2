//! A rendition: a document in one content coding. Stamps, codings, and the byte-bounded cache with single flight.
//!
//! A stamp is known before any bytes are made: it hashes the renderer's settings and everything in the catalog that
//! the bytes depend on. Equal stamps mean equal bytes.

use std::sync::Arc;

use crate::catalog::{self, Delta, Readers};
use crate::entry::{Document, Hash, Timestamp};
use crate::feed;
use crate::metrics::Metrics;

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// None.
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Settings of the cache: `http.cache`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// In bytes.
    pub cache: u64,
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
    /// The coding.
    pub coding: Coding,
    /// The bytes.
    pub bytes: hyper::body::Bytes,
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
}

/// All renditions of the catalog's present state.
#[derive(Debug)]
pub struct Renditions {}

impl Renditions {
    /// Renditions over a catalog.
    pub fn new(readers: Readers, renderer: feed::Renderer, settings: Settings, metrics: Arc<Metrics>) -> Renditions {
        let _ = (readers, renderer, settings, metrics);
        unimplemented!()
    }

    /// Whether a document exists, with its validators; from memory where it was asked for before and has not changed.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn status(&self, document: &Document) -> Result<Status, Error> {
        let _ = document;
        unimplemented!()
    }

    /// A document in a coding; `None` where it does not exist. Rendered and encoded at most once for all who ask.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn get(&self, document: &Document, coding: Coding) -> Result<Option<Rendition>, Error> {
        let _ = (document, coding);
        unimplemented!()
    }

    /// Forgets what a committed change made stale. Called by the writer after each commit, before anything is told.
    pub fn changed(&self, delta: &Delta) {
        let _ = delta;
        unimplemented!()
    }

    /// Takes other settings (reload); stamps change with them.
    pub fn set_renderer(&self, renderer: feed::Renderer) {
        let _ = renderer;
        unimplemented!()
    }
}
