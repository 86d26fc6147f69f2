//! The catalog: the durable record of every accepted article. All SQL is here, and only here.
//!
//! [`Catalog`] is the one writer; [`Readers`] hand out connections that read one consistent state each. Everything
//! that is shown is made from what stands here.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use crate::article::{Hash, Parsed, Rules, Timestamp};
use crate::diagnostic::Diagnostic;
use crate::entry::{Document, FeedRow, Head, Kept, Key, Kind, Material, Namespace, Status, Taxonomies};

/// How the catalog decides: settings of `site`, `articles`, `feeds` and `inbox` that it needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of `site.id`.
    pub namespace: Namespace,
    /// `site.id` as configured: a change is refused while the catalog has entries.
    pub site_id: Option<String>,
    /// For reading kept sources again.
    pub rules: Rules,
    /// `feeds.by` and `feeds.mix`.
    pub taxonomies: Taxonomies,
    /// `articles.future: hold`.
    pub hold_future: bool,
    /// `inbox.on_delete: keep`.
    pub keep_deleted: bool,
    /// `inbox.withdraw_after`.
    pub withdraw_after: Duration,
    /// `feeds.items`: how many entries a live feed has at most.
    pub items: usize,
    /// Whether what is rendered depends on an entry's path (`articles.link` with `{stem}` or `{dir}`, or
    /// `site.assets_url`).
    pub paths_matter: bool,
}

/// The two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The time of day; may jump.
    pub wall: Timestamp,
    /// Since the process began; never jumps.
    pub steady: Duration,
}

/// What `stat` said of a file when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime: i64,
    /// Nanoseconds since 1970.
    pub ctime: i64,
    /// Inode number.
    pub inode: u64,
}

/// A file that was read whole.
#[derive(Debug)]
pub struct SeenFile {
    /// Relative to the inbox, with `/` between names.
    pub path: String,
    /// Of the open file.
    pub fingerprint: Fingerprint,
    /// BLAKE3 of the bytes.
    pub hash: Hash,
    /// The bytes.
    pub kept: Kept,
    /// What they say.
    pub parsed: Parsed,
}

/// Something that happened in the inbox or became due.
#[derive(Debug)]
pub enum Change {
    /// A file was read whole; `parsed.article` is `None` where it is broken or empty.
    Seen(Box<SeenFile>),
    /// A file could not be read; its last good version stays.
    Unreadable {
        /// Relative to the inbox.
        path: String,
        /// If it could be had.
        fingerprint: Option<Fingerprint>,
        /// Why.
        problem: Diagnostic,
    },
    /// A file is not there any more.
    Missing {
        /// Relative to the inbox.
        path: String,
    },
    /// Look for rows that are due; every `apply` does so in any case.
    Due,
}

/// What a transaction changed, once it is committed.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Feeds whose documents may have changed.
    pub keys: BTreeSet<Key>,
    /// Entries whose pages may have changed.
    pub entries: BTreeSet<Uuid>,
    /// Articles that became visible, changed, were withdrawn.
    pub added: usize,
    /// See `added`.
    pub changed: usize,
    /// See `added`.
    pub withdrawn: usize,
    /// Whether open problems changed.
    pub problems: bool,
    /// When something is due next.
    pub next_due: Option<Timestamp>,
}

impl Delta {
    /// Whether nothing that is served changed.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.entries.is_empty()
    }
}

/// Why the catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the state folder.
    #[error("the state in {dir} is in use by process {pid}: stop it, or choose another folder with --state")]
    Locked {
        /// The state folder.
        dir: String,
        /// The holder, as its lock file says.
        pid: String,
    },
    /// A newer release wrote it.
    #[error(
        "the catalog {path} was written by a newer release (schema {found}, this one knows {known}): install that release again, or choose another folder with --state"
    )]
    Newer {
        /// The database file.
        path: String,
        /// Its schema version.
        found: i64,
        /// The newest that this release knows.
        known: i64,
    },
    /// It belongs to another inbox or site.
    #[error("{0}")]
    Refused(String),
    /// The file is damaged beyond what can be mended in place.
    #[error("the catalog {path} is damaged: {what}")]
    Damaged {
        /// The database file.
        path: String,
        /// What was found.
        what: String,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use the state folder {dir}")]
    Io {
        /// The folder.
        dir: String,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite reports an error.
    #[error("the catalog reports an error")]
    Sql(#[from] rusqlite::Error),
}

/// What a file of the inbox is known as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Name within its folder.
    pub name: String,
    /// What `stat` said when it was last read; `None` where it could not be read.
    pub fingerprint: Option<Fingerprint>,
    /// Whether it was found missing.
    pub missing: bool,
}

/// An open problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the inbox.
    pub path: String,
    /// What is wrong.
    pub diagnostic: Diagnostic,
    /// Since when it is open.
    pub since: Timestamp,
}

/// Numbers for status and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Shown entries.
    pub articles: u64,
    /// Keys that answer 200.
    pub feeds: u64,
    /// Files with an open error or warning.
    pub problems: u64,
    /// Files withheld as their authors asked.
    pub held: u64,
}

/// The one writer.
pub struct Catalog {}

impl Catalog {
    /// Whether the folder has a catalog; without one, [`Catalog::load`] makes it.
    pub fn exists(dir: &Path) -> bool {
        let _ = dir;
        unimplemented!()
    }

    /// Opens the catalog of a state folder that is locked by [`Lock`], migrating it if it is older.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(dir: &Path, settings: Settings) -> Result<Catalog, Error> {
        let _ = (dir, settings);
        unimplemented!()
    }

    /// The cold path: makes a new catalog of all files, in any order, and puts it in place whole or not at all.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn load(
        dir: &Path,
        settings: Settings,
        now: Now,
        files: &mut dyn Iterator<Item = Change>,
    ) -> Result<Catalog, Error> {
        let _ = (dir, settings, now, files);
        unimplemented!()
    }

    /// Applies changes in one transaction, and everything that is due.
    ///
    /// # Errors
    ///
    /// Where the commit failed nothing has changed; the same changes may be given again after [`Catalog::reopen`].
    pub fn apply(&mut self, now: Now, changes: Vec<Change>) -> Result<Delta, Error> {
        let _ = (now, changes);
        unimplemented!()
    }

    /// Drops the connection and opens a new one, after an I/O error.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn reopen(&mut self) -> Result<(), Error> {
        unimplemented!()
    }

    /// Copies committed pages from the WAL into the database without blocking anybody; to be called between
    /// transactions. Returns the number of frames still in the WAL.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn checkpoint(&mut self) -> Result<u64, Error> {
        unimplemented!()
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        unimplemented!()
    }

    /// Connections for reading.
    pub fn readers(&self) -> Readers {
        unimplemented!()
    }
}

/// Hands out reading connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers {}

impl Readers {
    /// Runs `read` on a connection of its own; everything in it sees one state of the catalog. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn read<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let _ = read;
        unimplemented!()
    }
}

/// One consistent state of the catalog.
pub struct Reader<'a> {
    _connection: &'a rusqlite::Connection,
}

impl Reader<'_> {
    /// Whether a document exists, and what its validators are made from.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn head(&self, document: &Document) -> Result<Status, Error> {
        let _ = document;
        unimplemented!()
    }

    /// A document's head together with what it is rendered from; `None` where [`Reader::head`] is not `Here`.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn material(&self, document: &Document) -> Result<Option<(Head, Material)>, Error> {
        let _ = document;
        unimplemented!()
    }

    /// Up to `limit` feeds in the order of kind and key, after a key; the first ones without it.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn feeds(&self, after: Option<&Key>, limit: usize) -> Result<Vec<FeedRow>, Error> {
        let _ = (after, limit);
        unimplemented!()
    }

    /// How many archive documents a feed has.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn archive_pages(&self, key: &Key) -> Result<u32, Error> {
        let _ = key;
        unimplemented!()
    }

    /// How many pages `Document::List` of a kind has (at least 1).
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn list_pages(&self, kind: Kind) -> Result<u32, Error> {
        let _ = kind;
        unimplemented!()
    }

    /// Up to `limit` pages of shown entries, in the order of their UUIDs, after one.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn articles(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        let _ = (after, limit);
        unimplemented!()
    }

    /// Numbers for status and metrics.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn counts(&self) -> Result<Counts, Error> {
        unimplemented!()
    }

    /// Open errors and warnings, newest first.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn problems(&self) -> Result<Vec<Problem>, Error> {
        unimplemented!()
    }

    /// The files known in one folder (`""` is the inbox itself).
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn files_in(&self, folder: &str) -> Result<Vec<KnownFile>, Error> {
        let _ = folder;
        unimplemented!()
    }

    /// Up to `limit` folders that have known files that are not missing, in byte order, after one.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn folders(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let _ = (after, limit);
        unimplemented!()
    }

    /// What the catalog has made of a file; `None` where it knows none of this path.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn publication(&self, path: &str) -> Result<Option<Publication>, Error> {
        let _ = path;
        unimplemented!()
    }
}

/// A file's entry, for `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The item's id; `None` while it is held.
    pub id: Option<crate::entry::EntryId>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
    /// Whether it is in feeds now.
    pub shown: bool,
    /// Its feeds.
    pub keys: Vec<Key>,
}

/// The lock on a state folder, held as long as this lives (`flock`); its file says pid and addresses.
#[derive(Debug)]
pub struct Lock {}

/// What a lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The public address, `HOST:PORT` or `unix:/PATH`.
    pub http: Option<String>,
    /// The admin address.
    pub admin: Option<String>,
}

impl Lock {
    /// Makes the folder if needed and locks it.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] at once where another process has it; [`Error::Io`].
    pub fn acquire(dir: &Path) -> Result<Lock, Error> {
        let _ = dir;
        unimplemented!()
    }

    /// Writes the addresses into the lock file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn publish(&self, holder: &Holder) -> Result<(), Error> {
        let _ = holder;
        unimplemented!()
    }

    /// Who holds a folder now; `None` where nobody does.
    pub fn holder(dir: &Path) -> Option<Holder> {
        let _ = dir;
        unimplemented!()
    }
}
