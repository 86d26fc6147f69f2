//! Eager refreshing: what somebody reads is made anew after a change, before it is asked for again.
//!
//! A document that was not read since it was last made is left alone. After each making there is a pause of four
//! times its cost, so that a feed that changes all the time takes a fifth of a core at most.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Coding, Inner, Small};
use crate::catalog::Delta;
use crate::entry::{Document, Format};

/// The pause after a making, in multiples of its cost.
const PAUSE: u32 = 4;

/// Larger changes are not followed document by document: the next reader of each makes it.
const LARGE: usize = 256;

/// How a document is read and what it costs to make.
#[derive(Debug, Default)]
pub(super) struct Heat {
    /// Whether somebody read it since it was last refreshed.
    asked: AtomicBool,
    /// The codings that it was read in, a bit each.
    codings: AtomicU8,
    /// Whether a refresh is waiting.
    waiting: AtomicBool,
    /// When its pause ends.
    rested: Mutex<Option<Instant>>,
}

impl Heat {
    /// Somebody reads the document.
    pub(super) fn ask(&self) {
        // Looking first keeps the line of a hot document in every core's cache.
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// Somebody reads it in a coding.
    pub(super) fn ask_in(&self, coding: Coding) {
        self.ask();
        if self.codings.load(Ordering::Relaxed) & bit(coding) == 0 {
            self.codings.fetch_or(bit(coding), Ordering::Relaxed);
        }
    }

    /// The document was made, which took so long.
    pub(super) fn made(&self, cost: Duration) {
        *self.rested.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + cost * PAUSE);
    }

    fn rested(&self) -> Instant {
        self.rested.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(Instant::now)
    }

    fn codings(&self) -> impl Iterator<Item = Coding> {
        let codings = self.codings.load(Ordering::Relaxed);
        Coding::ALL.into_iter().filter(move |&coding| codings & bit(coding) != 0)
    }
}

fn bit(coding: Coding) -> u8 {
    match coding {
        Coding::Identity => 1,
        Coding::Gzip => 2,
        Coding::Brotli => 4,
        Coding::Zstd => 8,
    }
}

/// Plans a refresh of every document that a change touched and that is being read.
pub(super) fn plan(inner: &Arc<Inner>, delta: &Delta) {
    let Some(runtime) = inner.runtime.get() else { return };
    if delta.is_empty() || delta.keys.len() + delta.entries.len() > LARGE {
        return;
    }
    let feeds = delta.keys.iter().flat_map(|key| {
        let feeds = Format::ALL.map(|format| Document::Feed(key.clone(), format));
        feeds.into_iter().chain([Document::Page(key.clone())])
    });
    let articles = delta.entries.iter().map(|&uuid| Document::Article(uuid));
    for document in feeds.chain(articles).chain([Document::Index, Document::Opml]) {
        let Some(heat) = inner.heads.heat(&document) else { continue };
        // Only the writer plans. Who reads it from now on makes it follow the next change too.
        if !heat.waiting.load(Ordering::Relaxed) && heat.asked.swap(false, Ordering::Relaxed) {
            heat.waiting.store(true, Ordering::Relaxed);
            runtime.spawn(refresh(Arc::clone(inner), document, heat));
        }
    }
}

async fn refresh(inner: Arc<Inner>, document: Document, heat: Arc<Heat>) {
    sleep_until(heat.rested()).await;
    heat.waiting.store(false, Ordering::Relaxed);
    for coding in heat.codings() {
        // Who asks comes before who may ask.
        if inner.workers.is_busy() {
            return;
        }
        if let Err(error) = Inner::get(&inner, &document, coding, Small::Plain).await {
            tracing::debug!(%error, path = document.path(), "a document was not refreshed");
            return;
        }
    }
}
