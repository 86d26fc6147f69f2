//! The thread that copies the catalog's log into the database, so that no commit waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::start::spawn;

/// Copies when it is asked to; ends when it is dropped.
pub(super) struct Copier {
    ask: Option<SyncSender<()>>,
    copied: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    /// A thread that does `copy` each time it is asked.
    pub(super) fn new(mut copy: impl FnMut() + Send + 'static) -> Copier {
        let (ask, asked) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&copied);
        let thread = spawn("copy", move || {
            while asked.recv() == Ok(()) {
                copy();
                done.store(true, Ordering::Release);
            }
        });
        Copier { ask: Some(ask), copied, thread: Some(thread) }
    }

    /// Asks for one more copy, unless one is asked for.
    pub(super) fn ask(&self) {
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(());
        }
    }

    /// Whether it has copied since this was asked last.
    pub(super) fn take_copied(&self) -> bool {
        self.copied.swap(false, Ordering::Acquire)
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
