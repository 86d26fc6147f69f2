//! Cleaned bodies, kept by revision: a feed with one new article cleans one body.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::html::{self, CleanHtml};
use super::link::Base;
use super::summary;
use super::text::XmlText;
use crate::entry::{Entry, Hash};

/// Roughly the size of a body, for the cache's own tables.
const TYPICAL: u64 = 4096;

/// What is published of a body.
#[derive(Debug)]
pub(super) struct Cleaned {
    pub(super) html: CleanHtml,
    pub(super) summary: XmlText,
    /// The file that it was made for: relative addresses may mean another thing after a move.
    path: String,
}

/// Bodies by entry and revision.
#[derive(Debug)]
pub(super) struct Bodies(Cache<(Uuid, Hash), Arc<Cleaned>, Bytes>);

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<(Uuid, Hash), Arc<Cleaned>> for Bytes {
    fn weight(&self, _: &(Uuid, Hash), cleaned: &Arc<Cleaned>) -> u64 {
        let text = cleaned.html.as_str().len() + cleaned.summary.as_str().len() + cleaned.path.len();
        text as u64 + 200
    }
}

impl Bodies {
    /// Keeps at most so many bytes.
    pub(super) fn new(capacity: u64) -> Bodies {
        let bodies = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(64);
        Bodies(Cache::with_weighter(bodies, capacity, Bytes))
    }

    /// How many bytes are kept.
    pub(super) fn weight(&self) -> u64 {
        self.0.weight()
    }

    /// The cleaned body of an entry. Its source is opened only where it has to be cleaned.
    pub(super) fn get(&self, entry: &Entry, base: &Base) -> std::io::Result<Arc<Cleaned>> {
        let key = (entry.uuid, entry.rev);
        if let Some(cleaned) = self.0.get(&key).filter(|cleaned| cleaned.path == entry.path) {
            return Ok(cleaned);
        }
        let body = entry.body()?;
        let html = html::clean(&body, entry.article.body.markup, base);
        let summary = summary::of(&entry.article, &body, &html, base);
        let cleaned = Arc::new(Cleaned { html, summary, path: entry.path.clone() });
        self.0.insert(key, Arc::clone(&cleaned));
        Ok(cleaned)
    }
}
