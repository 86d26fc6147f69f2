//! Watching the inbox with inotify, one watch a folder. The only user of the `notify` crate.
//!
//! Folders are added one by one by the scan, each before it is listed, so that nothing falls between the two; a
//! recursive watch of the crate would end at the first folder that may not be read. What comes out are hints: the
//! handler only sorts and sends, because a slow one lets the kernel's queue overflow.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;

use super::inbox::name_text;
use crate::failpoint;

/// What inotify said; paths are relative to the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A file, link or special file was made.
    Created(String),
    /// A folder was made.
    FolderCreated(String),
    /// A file was written.
    Modified(String),
    /// A file was closed by one who could write.
    Closed(String),
    /// Times, mode or owner of a file or folder changed.
    Touched(String),
    /// A file or folder was renamed into place.
    Arrived(String),
    /// A file was deleted.
    Removed(String),
    /// A folder was deleted.
    FolderRemoved(String),
    /// A file or folder was renamed away.
    Departed(String),
    /// The inbox itself was deleted, moved or touched.
    Root,
    /// Events were lost.
    Overflow,
}

/// Why a folder could not be watched.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The system's limit is used up; how to raise it.
    Limit(&'static str),
    /// The folder is not there any more.
    Gone,
    /// Anything else.
    Other(notify::Error),
}

/// The watches of one inbox.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    inbox: PathBuf,
}

impl Watch {
    /// No watches yet; `send` is called from a thread of its own and must not block.
    ///
    /// # Errors
    ///
    /// Where the system gives no inotify instance.
    pub(super) fn new(inbox: &Path, send: impl Fn(Hint) + Send + 'static) -> Result<Watch, Trouble> {
        let base = inbox.to_owned();
        let handler = move |event: notify::Result<Event>| match event {
            Ok(_) if failpoint::io("watch.event").is_err() => send(Hint::Overflow),
            Ok(event) => sort(&base, event, &send),
            // The crate could not read its queue: what was in it is unknown.
            Err(error) => {
                tracing::debug!(%error, "inotify failed");
                send(Hint::Overflow);
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let watcher = failpoint::io("watch.new")
            .map_err(notify::Error::io)
            .and_then(|()| RecommendedWatcher::new(handler, config))
            .map_err(|error| trouble(error, "fs.inotify.max_user_instances"))?;
        Ok(Watch { watcher, inbox: inbox.to_owned() })
    }

    /// Watches a folder, itself only. Watching it again is cheap, and right where it was made anew.
    ///
    /// # Errors
    ///
    /// See [`Trouble`].
    pub(super) fn add(&mut self, folder: &str) -> Result<(), Trouble> {
        let path = if folder.is_empty() { self.inbox.clone() } else { self.inbox.join(folder) };
        failpoint::io("watch.add")
            .map_err(notify::Error::io)
            .and_then(|()| self.watcher.watch(&path, RecursiveMode::NonRecursive))
            .map_err(|error| trouble(error, "fs.inotify.max_user_watches"))
    }
}

fn trouble(error: notify::Error, sysctl: &'static str) -> Trouble {
    match &error.kind {
        ErrorKind::MaxFilesWatch => Trouble::Limit(sysctl),
        ErrorKind::PathNotFound => Trouble::Gone,
        ErrorKind::Io(io) => match io.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::MFILE | Errno::NFILE) => Trouble::Limit(sysctl),
            Some(Errno::NOENT | Errno::NOTDIR) => Trouble::Gone,
            _ => Trouble::Other(error),
        },
        _ => Trouble::Other(error),
    }
}

fn sort(inbox: &Path, event: Event, send: &impl Fn(Hint)) {
    // First of all: an overflow has no path and a kind of its own.
    if event.need_rescan() {
        return send(Hint::Overflow);
    }
    let hint: fn(String) -> Hint = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Closed,
        // Every other access is mostly our own reading.
        EventKind::Access(_) => return,
        EventKind::Create(CreateKind::Folder) => Hint::FolderCreated,
        EventKind::Create(_) => Hint::Created,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Hint::Departed,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Hint::Arrived,
        // Both of its halves were delivered before.
        EventKind::Modify(ModifyKind::Name(_)) => return,
        EventKind::Modify(ModifyKind::Metadata(_)) => Hint::Touched,
        EventKind::Modify(_) => Hint::Modified,
        EventKind::Remove(RemoveKind::File) => Hint::Removed,
        EventKind::Remove(_) => Hint::FolderRemoved,
        EventKind::Any | EventKind::Other => return,
    };
    for path in &event.paths {
        match path.strip_prefix(inbox) {
            Ok(below) if below.as_os_str().is_empty() => send(Hint::Root),
            Ok(below) => send(hint(name_text(below.as_os_str()))),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
