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
        let texts = [cleaned.html.as_str(), cleaned.summary.as_str(), cleaned.path.as_str()];
        200 + texts.map(|text| allocated(text.len())).iter().sum::<u64>()
    }
}

/// What bytes take in memory: an allocator rounds up to one of four sizes for each doubling, up to a fifth of waste.
pub fn allocated(bytes: usize) -> u64 {
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step) as u64
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_counted_as_it_lies_in_memory() {
        let sizes = [(0, 0), (1, 16), (100, 112), (4096, 4096), (4097, 5120), (33_000, 40_960), (65_536, 65_536)];
        for (bytes, taken) in sizes {
            assert_eq!(allocated(bytes), taken, "{bytes}");
        }
    }
}
