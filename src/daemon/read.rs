//! Reads one file whole, safely and never blocking, and says what the catalog is to be told of it.
//!
//! A pool of workers does so with two queues, fresh before bulk. The world's passing troubles (no more file
//! descriptors, the inbox away) are not the file's problem and are told apart from it.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::inbox::{Look, Root, bytes_of_bad_name, fingerprint};
use super::lanes::Item;
use super::plan::{End, Lane};
use super::{Named, Names, Shared};
use crate::article::{self, Rules, SourceFile};
use crate::catalog::{Change, Fingerprint, SeenFile, file_hash};
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::{Hash, Kept};
use crate::failpoint;

/// How files are read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// `inbox.include`, `inbox.exclude`.
    pub(super) names: Names,
    /// `inbox.max_file_size` in bytes.
    pub(super) max_file_size: u64,
    /// The settings of `articles`.
    pub(super) rules: Rules,
    /// Their digest.
    pub(super) under: Hash,
}

/// What a read gave.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Something that the catalog is to be told.
    Change(Change),
    /// The file changed meanwhile.
    Changing,
    /// It could not be read just now, through no fault of its own.
    Later(io::Error),
}

impl Outcome {
    /// The same where it is of the file that was seen before; what has changed since then decides for itself.
    fn of(self, seen: Fingerprint) -> Outcome {
        let read = match &self {
            Outcome::Change(Change::Seen(file)) => Some(file.fingerprint),
            Outcome::Change(Change::Unreadable { fingerprint, .. }) => *fingerprint,
            _ => None,
        };
        if read.is_some_and(|read| read != seen) { Outcome::Changing } else { self }
    }
}

/// Whether the catalog is to be told that nothing, or no article any more, stands at a path.
///
/// # Errors
///
/// Where that cannot be told just now.
pub(super) fn is_missing(root: &Root, path: &str, names: &Names) -> io::Result<bool> {
    Ok(stands_at(root, path, names)?.is_none())
}

/// What stands at a path; `None` where nothing does that the catalog is to hold.
fn stands_at(root: &Root, path: &str, names: &Names) -> io::Result<Option<Standing>> {
    match root.look(path) {
        Ok(Look::Folder | Look::FolderLink) => Ok(None),
        // What the patterns exclude since it was accepted is no article any more.
        Ok(look) => Ok((names.of_file(path) == Named::Article).then_some(Standing::Named(look))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            match bytes_of_bad_name(path).map(|name| root.look(name)) {
                Some(Ok(Look::File(seen) | Look::Link(seen) | Look::Special(seen))) => {
                    Ok(Some(Standing::Misnamed(seen)))
                }
                _ => Ok(None),
            }
        }
        Err(error) => Err(error),
    }
}

/// What was found under a path.
enum Standing {
    /// Under that very name.
    Named(Look),
    /// A name that is not UTF-8, of which the path is a spelling.
    Misnamed(Fingerprint),
}

/// Reads the file that was seen at a path; [`Outcome::Changing`] where something else stands there by now.
pub(super) fn read_seen(root: &Root, path: &str, seen: Fingerprint, reading: &Reading) -> Outcome {
    // Most are files, and the same: those need no other look.
    match open(root, path) {
        Ok(opened) if opened.is_file && opened.fingerprint == seen => read_open(root, path, opened, reading),
        _ => read(root, path, reading).of(seen),
    }
}

/// Reads what stands at a path.
pub(super) fn read(root: &Root, path: &str, reading: &Reading) -> Outcome {
    let standing = match stands_at(root, path, &reading.names) {
        Ok(Some(standing)) => standing,
        Ok(None) => return Outcome::Change(Change::Missing { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let problem = Diagnostic::new(Code::Unreadable, "its folder may not be entered");
            return unreadable(path, None, problem.help("give the daemon's user the right to enter the folder"));
        }
        Err(error) => return Outcome::Later(error),
    };
    match standing {
        Standing::Named(Look::File(seen)) => match open(root, path) {
            // Something else was put in its place between the look and the opening.
            Ok(opened) if !opened.is_file || opened.fingerprint.inode != seen.inode => Outcome::Changing,
            Ok(opened) => read_open(root, path, opened, reading),
            Err(error) => not_opened(path, seen, error),
        },
        Standing::Named(Look::Link(seen)) => {
            unreadable(path, Some(seen), Diagnostic::new(Code::NotRegular, "the link leads nowhere inside the inbox"))
        }
        Standing::Named(Look::Special(seen)) => {
            let problem = Diagnostic::new(Code::NotRegular, "this is no file but a pipe, a socket or a device");
            unreadable(path, Some(seen), problem)
        }
        Standing::Named(Look::Folder | Look::FolderLink) => Outcome::Changing,
        Standing::Misnamed(seen) => {
            let problem = Diagnostic::new(Code::NameNotUtf8, "the file's name is not valid UTF-8");
            unreadable(path, Some(seen), problem.help("rename the file"))
        }
    }
}

/// What was opened at a path.
struct Opened {
    file: File,
    is_file: bool,
    fingerprint: Fingerprint,
}

fn open(root: &Root, path: &str) -> io::Result<Opened> {
    failpoint::io("read.open")?;
    let (fd, stat) = root.open_file(OsStr::new(path))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(Opened { file: File::from(fd), is_file, fingerprint: fingerprint(&stat) })
}

fn read_open(root: &Root, path: &str, opened: Opened, reading: &Reading) -> Outcome {
    let Opened { mut file, fingerprint: before, .. } = opened;
    if before.size > reading.max_file_size {
        let problem = Diagnostic::new(
            Code::TooLarge,
            format!("the file has {} bytes; `inbox.max_file_size` is {}", before.size, reading.max_file_size),
        );
        return unreadable(path, Some(before), problem);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or_default());
    // Where there is more by now, the last look tells.
    let whole = file.by_ref().take(before.size).read_to_end(&mut bytes);
    if let Err(error) = failpoint::io("read.bytes").and(whole) {
        return not_opened(path, before, error);
    }
    drop(file);
    if bytes.len() as u64 != before.size {
        return Outcome::Changing;
    }
    let outcome = understand(path, before, &bytes, reading);
    // A writer may be at it: what was read is half of the one and half of the other, or lies between two of its pieces
    // because an event was heard late. So the last look comes as late as it can.
    match root.look(path) {
        Ok(Look::File(after)) if after == before => outcome,
        _ => Outcome::Changing,
    }
}

fn understand(path: &str, fingerprint: Fingerprint, bytes: &[u8], reading: &Reading) -> Outcome {
    // A bug in a parser must harm the one file that shows it, not the thread that reads all others.
    let parsed = catch_unwind(AssertUnwindSafe(|| article::parse(SourceFile { path, bytes }, &reading.rules)));
    if let Err(error) = failpoint::io("parse.article") {
        return Outcome::Later(error);
    }
    let Ok(parsed) = parsed else {
        let problem = Diagnostic::new(Code::Unreadable, "feedmill failed over this file");
        return unreadable(path, Some(fingerprint), problem.help("please report it, with the file"));
    };
    let hash = file_hash(bytes);
    let kept = Kept::new(bytes);
    let (path, under) = (path.to_owned(), reading.under);
    Outcome::Change(Change::Seen(Box::new(SeenFile { path, fingerprint, hash, under, kept, parsed })))
}

fn not_opened(path: &str, seen: Fingerprint, error: io::Error) -> Outcome {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::AGAIN) => Outcome::Changing,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::STALE | Errno::INTR) => Outcome::Later(error),
        Some(Errno::XDEV | Errno::LOOP) => {
            unreadable(path, Some(seen), Diagnostic::new(Code::NotRegular, "the link leads out of the inbox"))
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            let problem = Diagnostic::new(Code::Unreadable, "the file may not be read");
            unreadable(path, Some(seen), problem.help("give the daemon's user the right to read it"))
        }
        // A disk that fails may read it the next time: without a fingerprint each scan tries again.
        _ => unreadable(path, None, Diagnostic::new(Code::Unreadable, format!("the file could not be read: {error}"))),
    }
}

fn unreadable(path: &str, fingerprint: Option<Fingerprint>, problem: Diagnostic) -> Outcome {
    Outcome::Change(Change::Unreadable { path: path.to_owned(), fingerprint, problem })
}

/// A file to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) path: String,
    pub(super) lane: Lane,
    pub(super) since: Duration,
    /// What is to be read, where it is not whatever stands there.
    pub(super) seen: Option<Fingerprint>,
}

/// The jobs of all workers.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    inner: Mutex<Inner>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    fresh: VecDeque<Job>,
    bulk: VecDeque<Job>,
    closed: bool,
    /// Files that a scan has told of and that the loop has not heard of yet: each will be a job, if any.
    told: usize,
    /// Workers that wait for a job, and scans that wait for room: a wake-up is a system call, made only for them.
    idle: usize,
    blocked: usize,
}

impl Inner {
    /// What a scan has found and nobody reads yet.
    fn waiting(&self) -> usize {
        self.bulk.len() + self.told
    }
}

/// How many files are read before the inbox is opened anew: it may have been swapped.
const REOPEN: u32 = 256;
/// Bulk jobs beyond which a scan waits.
const ROOM: usize = 512;

impl Jobs {
    /// Adds a job; never waits.
    pub(super) fn push(&self, job: Job) {
        let mut inner = self.lock();
        match job.lane {
            Lane::Fresh => inner.fresh.push_back(job),
            Lane::Bulk => inner.bulk.push_back(job),
        }
        let wanted = inner.idle > 0;
        drop(inner);
        if wanted {
            self.filled.notify_one();
        }
    }

    /// Waits until there is room for what is found next.
    pub(super) fn wait_for_room(&self) {
        drop(self.room());
    }

    fn room(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        if inner.waiting() >= ROOM {
            inner.blocked += 1;
            let full = |inner: &mut Inner| inner.waiting() > ROOM / 2 && !inner.closed;
            inner = self.drained.wait_while(inner, full).unwrap_or_else(PoisonError::into_inner);
            inner.blocked -= 1;
        }
        inner
    }

    /// Waits until there is room for what a scan tells the loop next: so many files.
    pub(super) fn tell(&self, files: usize) {
        self.room().told += files;
    }

    /// The loop has heard of so many of these files: what is to be read of them is a job now.
    pub(super) fn heard(&self, files: usize) {
        let mut inner = self.lock();
        inner.told -= files;
        self.make_room(inner);
    }

    fn make_room(&self, inner: MutexGuard<'_, Inner>) {
        let room = inner.blocked > 0 && inner.waiting() <= ROOM / 2;
        drop(inner);
        if room {
            self.drained.notify_all();
        }
    }

    /// The next job; waits for it, after `idle`. `None` once they are closed.
    fn pop(&self, idle: impl FnOnce()) -> Option<Job> {
        let mut inner = self.lock();
        if !inner.closed && inner.fresh.is_empty() && inner.bulk.is_empty() {
            idle();
            inner.idle += 1;
            let none = |inner: &mut Inner| !inner.closed && inner.fresh.is_empty() && inner.bulk.is_empty();
            inner = self.filled.wait_while(inner, none).unwrap_or_else(PoisonError::into_inner);
            inner.idle -= 1;
        }
        if inner.closed {
            return None;
        }
        let job = inner.fresh.pop_front().or_else(|| inner.bulk.pop_front());
        self.make_room(inner);
        job
    }

    /// Ends all workers after the job they are at.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads jobs until they are closed. Outcomes that the catalog is told go to the lanes, others to `tell`.
pub(super) fn work(shared: &Shared, tell: impl Fn(String, End)) {
    // Held for a while, so that a burst opens the inbox rarely and an idle daemon does not pin its mount.
    let mut root: Option<(Root, u32)> = None;
    while let Some(job) = shared.jobs.pop(|| root = None) {
        let opened = match root.take() {
            Some((open, times)) if times < REOPEN && shared.is_inbox(&open) => Ok((open, times + 1)),
            _ => shared.open_inbox().map(|open| (open, 0)),
        };
        let outcome = match opened {
            Ok((open, times)) => {
                let reading = shared.reading();
                let outcome = match job.seen {
                    Some(seen) => read_seen(&open, &job.path, seen, &reading),
                    None => read(&open, &job.path, &reading),
                };
                root = Some((open, times));
                outcome
            }
            Err(error) => Outcome::Later(error),
        };
        match outcome {
            Outcome::Change(change @ Change::Missing { .. }) => {
                shared.lanes.push_at_once(Lane::Fresh, Item { change, since: job.since });
            }
            Outcome::Change(change) => {
                shared.lanes.push(job.lane, Item { change, since: job.since });
            }
            Outcome::Changing => tell(job.path, End::Changing),
            Outcome::Later(error) => {
                tracing::debug!(path = job.path, %error, "could not be read just now");
                tell(job.path, End::Failed);
            }
        }
    }
}

#[cfg(test)]
mod tests;
