//! The work behind renditions: looking, rendering, encoding, each once for all who ask at the same time.
//!
//! What is read is remembered with the generation before its reading began, so that nothing stale can stay; what is
//! made is stored by the stamp of what was read, whatever was expected.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;

use super::stamp::Dressing;
use super::{Coding, Error, Inner, Rendition, Small, Source, Status, Validators};
use crate::entry::{self, Document};

impl Inner {
    pub(super) fn dressing(&self) -> Arc<Dressing> {
        Arc::clone(&self.dressing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads from the source, away from the threads that answer.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&dyn Source) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.runtime.get_or_init(Handle::current);
        let inner = Arc::clone(self);
        self.readers.run(move || read(&*inner.source)).await?
    }

    /// Reads whether a document exists, once for all who ask now, and remembers it.
    pub(super) async fn look(self: &Arc<Self>, document: &Document) -> Result<Status, Error> {
        let began = self.heads.generation();
        let fresh = |began| self.heads.is_fresh(document, began);
        let again = || self.heads.get(document);
        let work = || {
            let (inner, document) = (Arc::clone(self), document.clone());
            async move {
                let dressing = inner.dressing();
                let status = if dressing.offers(&document) {
                    let asked = document.clone();
                    let head = inner.read(move |source| source.head(&asked)).await?;
                    match head {
                        entry::Status::Here(head) => Status::Here(dressing.validators(&head)),
                        entry::Status::Gone => Status::Gone,
                        entry::Status::Never => Status::Never,
                    }
                } else {
                    Status::Never
                };
                inner.heads.insert(document, began, status);
                Ok(status)
            }
        };
        self.looks.join(document, began, fresh, again, work).await
    }

    pub(super) async fn get(
        self: &Arc<Self>,
        document: &Document,
        coding: Coding,
        small: Small,
    ) -> Result<Option<Rendition>, Error> {
        let known = self.heads.get(document);
        if let Some(Status::Here(validators)) = known
            && let Some(rendition) = self.cached(validators, coding, small)
        {
            return Ok(Some(rendition));
        }
        Box::pin(self.make(document, known, coding, small)).await
    }

    async fn make(
        self: &Arc<Self>,
        document: &Document,
        known: Option<Status>,
        coding: Coding,
        small: Small,
    ) -> Result<Option<Rendition>, Error> {
        let status = match known {
            Some(status) => status,
            None => self.look(document).await?,
        };
        let Status::Here(validators) = status else { return Ok(None) };
        if let Some(rendition) = self.cached(validators, coding, small) {
            return Ok(Some(rendition));
        }
        let plain = match self.cached(validators, Coding::Identity, small) {
            Some(plain) => plain,
            None => match self.render(document).await? {
                Some(plain) => plain,
                None => return Ok(None),
            },
        };
        let as_it_is = small == Small::Plain && !Coding::is_worthwhile(plain.bytes.len());
        if coding == Coding::Identity || as_it_is {
            return Ok(Some(plain));
        }
        match self.encode(plain.clone(), coding).await {
            // Made already, it is given away as it is rather than not at all.
            Err(Error::Busy) if small == Small::Plain => Ok(Some(plain)),
            encoded => encoded.map(Some),
        }
    }

    /// A rendition that is at hand.
    pub(super) fn cached(&self, validators: Validators, coding: Coding, small: Small) -> Option<Rendition> {
        if let Some(bytes) = self.cache.get(&validators.stamp, coding) {
            return Some(Rendition { validators, coding, bytes });
        }
        if coding == Coding::Identity || small == Small::Encoded {
            return None;
        }
        let bytes = self.cache.get(&validators.stamp, Coding::Identity)?;
        (!Coding::is_worthwhile(bytes.len())).then_some(Rendition { validators, coding: Coding::Identity, bytes })
    }

    /// Renders a document, once for all who ask now.
    pub(super) async fn render(self: &Arc<Self>, document: &Document) -> Result<Option<Rendition>, Error> {
        let began = self.heads.generation();
        let fresh = |began| self.heads.is_fresh(document, began);
        let again = || match self.heads.get(document)? {
            Status::Here(validators) => self.cached(validators, Coding::Identity, Small::Plain).map(Some),
            Status::Gone | Status::Never => Some(None),
        };
        let work = || {
            let (inner, document) = (Arc::clone(self), document.clone());
            async move {
                let dressing = inner.dressing();
                let (at_work, asked) = (Arc::clone(&inner), document.clone());
                let (made, cost) = inner
                    .workers
                    .run(move || {
                        let started = Instant::now();
                        let made = at_work.source.document(&asked, dressing.renderer())?;
                        let made = made.map(|(head, bytes)| (dressing.validators(&head), Arc::<[u8]>::from(bytes)));
                        Ok::<_, Error>((made, started.elapsed()))
                    })
                    .await??;
                let Some((validators, bytes)) = made else { return Ok(None) };
                inner.metrics.rendered(&document);
                // What was read counts, not what an earlier look said: both come from one state of the catalog.
                inner.cache.insert(validators.stamp, Coding::Identity, Arc::clone(&bytes));
                inner.heads.insert(document.clone(), began, Status::Here(validators));
                if let Some(heat) = inner.heads.heat(&document) {
                    heat.made(cost);
                }
                Ok(Some(Rendition { validators, coding: Coding::Identity, bytes }))
            }
        };
        self.renders.join(document, began, fresh, again, work).await
    }

    /// Encodes a rendition, once for all who ask now.
    pub(super) async fn encode(self: &Arc<Self>, plain: Rendition, coding: Coding) -> Result<Rendition, Error> {
        let stamp = plain.validators.stamp;
        let again = || self.cache.get(&stamp, coding);
        let work = || {
            let (inner, bytes) = (Arc::clone(self), Arc::clone(&plain.bytes));
            async move {
                let encoded = inner.workers.run(move || coding.encode(&bytes)).await?;
                let encoded: Arc<[u8]> = encoded.map_err(|source| Error::Encode { coding, source })?.into();
                inner.metrics.encoded(coding.as_str());
                inner.cache.insert(stamp, coding, Arc::clone(&encoded));
                Ok(encoded)
            }
        };
        let bytes = self.encodes.join(&(stamp, coding), 0, |_| true, again, work).await?;
        Ok(Rendition { validators: plain.validators, coding, bytes })
    }
}
