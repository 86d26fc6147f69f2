//! Workers: blocking work behind a semaphore, with a bounded queue in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;

/// Runs so many pieces of work at once; so many more may wait.
pub(super) struct Workers {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

impl Workers {
    pub(super) fn new(at_once: usize, queue: usize) -> Workers {
        Workers { permits: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0), queue }
    }

    /// Runs `work` on a thread that may block; [`Error::Busy`] at once where too many wait already.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let permit = self.permit().await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|_| Error::Lost)
    }

    /// Whether all workers have something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.permits.available_permits() == 0
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let place = Place::take(&self.waiting, self.queue)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        drop(place);
        permit.map_err(|_| Error::Lost)
    }
}

/// A place in the queue, given up when dropped.
struct Place<'a> {
    waiting: &'a AtomicUsize,
}

impl Place<'_> {
    fn take(waiting: &AtomicUsize, queue: usize) -> Result<Place<'_>, Error> {
        if waiting.fetch_add(1, Ordering::SeqCst) >= queue {
            waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Error::Busy);
        }
        Ok(Place { waiting })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
