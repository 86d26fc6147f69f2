//! The catalog: the durable record of every accepted article. All SQL is here, and only here.
//!
//! [`Catalog`] is the one writer; [`Readers`] hand out connections that read one consistent state each. Everything
//! that is shown is made from what stands here.

mod apply;
mod checkpoint;
mod due;
mod files;
mod load;
mod lock;
mod material;
mod meet;
mod mend;
#[cfg(test)]
mod mend_tests;
mod place;
mod read;
mod reconfigure;
mod row;
mod salvage;
mod schema;
#[cfg(test)]
mod tests;
mod wound;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use crate::article::{Article, Hash, Parsed, Rules, Timestamp};
use crate::diagnostic::Diagnostic;
use crate::entry::{Kept, Key, Kind, Namespace, Taxonomies};

pub use checkpoint::Log;
pub use files::{FileHash, file_hash};
pub use lock::{Holder, Lock};
pub use mend::{Cure, Originals};
pub use read::{Counts, KnownFile, Problem, Publication, Reader, Readers};

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
    /// `feeds.archives`: kinds whose archive documents are served. Pages are dealt for all kinds in any case.
    pub archives: Vec<Kind>,
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
    /// Of the bytes.
    pub hash: FileHash,
    /// The digest of the rules by which it was read: they may have changed since.
    pub under: Hash,
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
    /// Whatever is missing now is withdrawn at once (`--accept-empty`).
    AcceptMissing,
    /// The inbox cannot be looked at, or was not yet: nothing is withdrawn for want of its file.
    Away,
    /// The inbox was looked through: what is missing is missing, and its waits go on.
    There,
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
    /// Files that must be read again, although they did not change.
    pub reread: Vec<String>,
    /// So many files are missing that the inbox may be what is missing: why nothing is withdrawn, in words.
    pub absent: Option<String>,
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

impl Error {
    /// With its causes.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        text
    }

    /// Whether it says that the disk or the rights refuse, which passes.
    fn is_refusal(&self) -> bool {
        use rusqlite::{Error as Sql, ErrorCode};
        match self {
            Error::Io { .. } => true,
            Error::Sql(Sql::SqliteFailure(failure, _)) => matches!(
                failure.code,
                ErrorCode::ReadOnly
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
            ),
            _ => false,
        }
    }

    /// Whether it says that the file is damaged, which mending may help; not that the disk refuses.
    pub fn is_damage(&self) -> bool {
        use rusqlite::{Error as Sql, ErrorCode};
        match self {
            Error::Damaged { .. } => true,
            Error::Sql(Sql::SqliteFailure(failure, _)) => matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    // All statements are ours: what does not fit the tables is the tables' fault.
                    | ErrorCode::Unknown
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
            ),
            Error::Sql(
                Sql::FromSqlConversionFailure(..)
                | Sql::InvalidColumnType(..)
                | Sql::IntegralValueOutOfRange(..)
                | Sql::Utf8Error(..)
                | Sql::InvalidColumnName(_)
                | Sql::InvalidColumnIndex(_)
                | Sql::QueryReturnedNoRows
                | Sql::SqlInputError { .. },
            ) => true,
            _ => false,
        }
    }
}

/// The inbox that a catalog belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbox {
    /// Canonical.
    pub path: PathBuf,
    /// The device number of its file system.
    pub device: u64,
}

/// What stands at a path of the inbox at this moment.
#[derive(Debug)]
pub enum Stands {
    /// That cannot be told.
    Unknown,
    /// No file.
    Nothing,
    /// A file that says this.
    Article(Box<Article>),
}

/// Looks at a path of the inbox.
pub type Look = Box<dyn Fn(&str) -> Stands + Send>;

/// The one writer.
pub struct Catalog {
    path: PathBuf,
    settings: Settings,
    rules: Hash,
    /// The digest of `settings.rules` alone.
    reads: Hash,
    connection: Connection,
    /// Device and inode of the file that it is open on.
    file: Option<(u64, u64)>,
    readers: Readers,
    late: due::Late,
    waits: due::Waits,
    next_due: Option<Timestamp>,
    /// Entries up to this number were read under the present rules.
    reparsed: i64,
    look: Option<Look>,
    /// The last search for damage found nothing.
    vain: bool,
    /// Why nothing can be written since the start.
    frozen: Option<String>,
}

impl Catalog {
    /// Bytes of the files of a state folder's catalog; 0 where there is none.
    pub fn bytes_on_disk(state: &Path) -> u64 {
        let file = state.join(schema::FILE);
        let [log, shared] = load::beside(&file);
        [file, log, shared].iter().filter_map(|path| std::fs::metadata(path).ok()).map(|found| found.len()).sum()
    }

    /// Whether the folder has a catalog; without one, [`Catalog::load`] makes it.
    ///
    /// # Errors
    ///
    /// Where that cannot be told: a catalog must not be written over because of a disk that does not answer.
    pub fn exists(dir: &Path) -> Result<bool, Error> {
        let there = dir.join(schema::FILE).try_exists();
        there.map_err(|source| Error::Io { dir: dir.display().to_string(), source })
    }

    /// Opens the catalog of a state folder that is locked by [`Lock`], migrating it if it is older. One whose folder
    /// cannot be written now can be read all the same; [`Catalog::reopen`] tries again.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(dir: &Path, settings: Settings) -> Result<Catalog, Error> {
        match Catalog::open_to_write(dir, settings.clone()) {
            Err(error) if error.is_refusal() => Catalog::open_frozen(dir, settings, error),
            opened => opened,
        }
    }

    fn open_frozen(dir: &Path, settings: Settings, why: Error) -> Result<Catalog, Error> {
        let path = dir.join(schema::FILE);
        let Some(access) = schema::find_access(&path) else { return Err(why) };
        let readers = Readers::new(path.clone(), &settings);
        readers.set_access(access);
        let dir = dir.display().to_string();
        Ok(Catalog {
            look: None,
            rules: rules(&settings),
            reads: settings.rules.digest(),
            next_due: None,
            late: due::Late::default(),
            file: None,
            path,
            settings,
            connection: Connection::open_in_memory()?,
            readers,
            waits: due::Waits::default(),
            reparsed: 0,
            vain: false,
            frozen: Some(format!("the state folder {dir} cannot be written ({})", why.chain())),
        })
    }

    fn writable(&self) -> Result<(), Error> {
        self.frozen.clone().map_or(Ok(()), |why| Err(Error::Refused(why)))
    }

    fn open_to_write(dir: &Path, settings: Settings) -> Result<Catalog, Error> {
        let path = dir.join(schema::FILE);
        let connection = schema::open_writer(&path)?;
        let stored = row::meta(&connection, "site_id")?;
        if stored != settings.site_id {
            let entries: bool = connection.query_row("SELECT EXISTS(SELECT 1 FROM entry)", [], |row| row.get(0))?;
            if entries {
                let name = |id: &Option<String>| id.as_deref().map_or("null".to_owned(), |id| format!("{id:?}"));
                return Err(Error::Refused(format!(
                    "site.id is {}, but the catalog was made with {}: another one would give every article a new id; \
                     set it back, or choose another folder with --state",
                    name(&settings.site_id),
                    name(&stored),
                )));
            }
            row::set_meta(&connection, "site_id", settings.site_id.as_deref())?;
        }
        let readers = Readers::new(path.clone(), &settings);
        let mut catalog = Catalog {
            rules: rules(&settings),
            reads: settings.rules.digest(),
            next_due: due::next(&connection)?,
            late: due::Late::new(&connection)?,
            file: place_of(&path),
            path,
            settings,
            connection,
            readers,
            waits: due::Waits::default(),
            reparsed: 0,
            look: None,
            vain: false,
            frozen: None,
        };
        match catalog.ensure_feeds() {
            // Readers tell by themselves where a row is damaged; the others can be shown.
            Err(error) if matches!(error, Error::Damaged { .. }) => catalog.readers.note_damage(&error),
            ensured => ensured?,
        }
        Ok(catalog)
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
        let path = dir.join(schema::FILE);
        let fresh = load::make(&path, &settings, &rules(&settings), now, files, &load::Carried::default())?;
        load::put_in_place(&fresh, &path)?;
        Catalog::open(dir, settings)
    }

    /// `all` and the configured mixes exist even when they are empty.
    fn ensure_feeds(&mut self) -> Result<(), Error> {
        let mixes = self.settings.taxonomies.mixes.iter().map(|mix| mix.key());
        let always: Vec<Key> = std::iter::once(Key::all()).chain(mixes).collect();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut feeds = place::Feeds::default();
        for key in always {
            feeds.ensure(&transaction, &key, 0)?;
        }
        Ok(transaction.commit()?)
    }

    /// Makes sure that the catalog belongs to this inbox, and remembers it. `holds` tells whether a file, by its path
    /// relative to the inbox, is there.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where it belongs to another inbox of which this one holds nothing.
    pub fn adopt(&mut self, inbox: &Inbox, accept_empty: bool, holds: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        if self.frozen.is_some() {
            // Nothing is withdrawn while nothing can be written; the next start asks again.
            return Ok(());
        }
        point("catalog.adopt")?;
        let path = inbox.path.display().to_string();
        let device = inbox.device.to_string();
        let known = row::meta(&self.connection, "inbox")?;
        if let Some(known) = known.filter(|known| *known != path && !accept_empty) {
            let mut statement = self.connection.prepare("SELECT folder, name FROM file WHERE missing IS NULL")?;
            let mut rows = statement.query([])?;
            let mut any = false;
            let mut found = false;
            while let Some(file) = rows.next()? {
                any = true;
                if holds(&row::join(&file.get::<_, String>(0)?, &file.get::<_, String>(1)?)) {
                    found = true;
                    break;
                }
            }
            if any && !found {
                return Err(Error::Refused(format!(
                    "the catalog belongs to the inbox {known}, and {path} holds none of its files: choose another \
                     folder with --state, or start once with --accept-empty to withdraw them all",
                )));
            }
        }
        if row::meta(&self.connection, "device")?.is_some_and(|known| known != device) && !accept_empty {
            // Another disk may be mounted here, or none: only a file that is there again proves otherwise.
            row::set_meta(&self.connection, "suspended", Some("another device"))?;
        }
        row::set_meta(&self.connection, "inbox", Some(&path))?;
        row::set_meta(&self.connection, "device", Some(&device))
    }

    /// Lets it look at the inbox where a file claims to be another file's article: that file may be gone already.
    pub fn look_with(&mut self, look: Look) {
        self.look = Some(look);
    }

    /// Applies changes in one transaction, and everything that is due. They may come while it runs: it ends with the
    /// last one that `changes` gives.
    ///
    /// # Errors
    ///
    /// Where the commit failed nothing has changed; the same changes may be given again after [`Catalog::reopen`].
    pub fn apply(&mut self, now: Now, changes: impl IntoIterator<Item = Change>) -> Result<Delta, Error> {
        self.work(now, |work| {
            let mut any_missing = false;
            for change in changes {
                point("catalog.change")?;
                any_missing |= matches!(change, Change::Missing { .. });
                work.change(change)?;
            }
            Ok(any_missing)
        })
    }

    /// Reads up to `limit` kept sources again that were read under other rules, also of files that are gone; fewer where
    /// it should not go on, but one at least. `None` once all are done.
    ///
    /// # Errors
    ///
    /// As [`Catalog::apply`].
    pub fn reparse(&mut self, now: Now, limit: usize, goes_on: &dyn Fn() -> bool) -> Result<Option<Delta>, Error> {
        self.writable()?;
        point("catalog.reparse")?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {} FROM kept k WHERE k.entry > ?1 AND k.rules <> ?2 ORDER BY k.entry LIMIT ?3",
            row::KEPT_COLUMNS
        ))?;
        let mut rows = statement.query(rusqlite::params![self.reparsed, self.rules.as_slice(), limit as i64])?;
        let mut stale = Vec::new();
        while let Some(found) = rows.next()? {
            stale.push(row::KeptRow::read(found, 0)?);
        }
        drop(rows);
        drop(statement);
        if stale.is_empty() {
            return Ok(None);
        }
        let mut last = self.reparsed;
        let delta = self.work(now, |work| {
            for (at, kept) in stale.iter().enumerate() {
                if at > 0 && !goes_on() {
                    break;
                }
                work.reparse(kept)?;
                last = kept.entry;
            }
            Ok(false)
        })?;
        self.reparsed = last;
        Ok(Some(delta))
    }

    /// One transaction; `body` returns whether files were found missing.
    fn work(
        &mut self,
        now: Now,
        body: impl FnOnce(&mut apply::Work<'_>) -> Result<bool, Error>,
    ) -> Result<Delta, Error> {
        self.writable()?;
        point("catalog.begin")?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut work = apply::Work {
            connection: &transaction,
            settings: &self.settings,
            rules: self.rules,
            reads: self.reads,
            now,
            feeds: place::Feeds::default(),
            delta: Delta::default(),
            late: &mut self.late,
            waits: &mut self.waits,
            look: self.look.as_ref(),
        };
        work.inherit_waits()?;
        let any_missing = body(&mut work)?;
        if any_missing {
            work.suspend_if_all_missing()?;
        }
        point("catalog.due")?;
        work.process_due()?;
        work.tell_absent()?;
        let apply::Work { mut feeds, mut delta, .. } = work;
        feeds.flush(&transaction, &mut delta)?;
        delta.next_due = due::next(&transaction)?;
        point("catalog.commit")?;
        transaction.commit()?;
        // What fails from here on has happened: it is told again, and changes nothing.
        point("catalog.committed")?;
        self.next_due = delta.next_due;
        Ok(delta)
    }

    /// Drops the connection and opens a new one, after an I/O error: a failed `fsync` must not be tried again on the
    /// same file. Proves that it can write: a transaction without changes would succeed on a full disk.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn reopen(&mut self) -> Result<(), Error> {
        if self.frozen.is_some() {
            return self.thaw();
        }
        self.connection = schema::open_writer(&self.path)?;
        self.file = place_of(&self.path);
        write_something(&self.connection)?;
        // What the failed transaction did to them did not happen.
        self.waits = self.waits.anew();
        self.readers.forget();
        self.next_due = due::next(&self.connection)?;
        Ok(())
    }

    /// Tries whether the folder can be written by now. Readers that do not expect a writer go first.
    fn thaw(&mut self) -> Result<(), Error> {
        let readers = self.readers.clone();
        let opened = readers.shut_out(|| {
            let connection = schema::open_writer(&self.path)?;
            write_something(&connection)?;
            readers.set_access(schema::Access::Usual);
            Ok::<_, Error>(connection)
        });
        self.connection = opened?;
        self.file = place_of(&self.path);
        self.frozen = None;
        self.late = due::Late::new(&self.connection)?;
        self.next_due = due::next(&self.connection)?;
        self.ensure_feeds()
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_due
    }

    /// Connections for reading.
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }
}

/// Device and inode of what stands at a path.
fn place_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Commits what changes nothing that is shown. SQLite writes nothing where a row stays what it was: so it never does.
fn write_something(connection: &Connection) -> Result<(), Error> {
    let last = row::meta(connection, "proof")?;
    let next = if last.as_deref() == Some("1") { "2" } else { "1" };
    row::set_meta(connection, "proof", Some(next))
}

/// A fail point.
fn point(name: &'static str) -> Result<(), Error> {
    crate::failpoint::io(name).map_err(|source| Error::Io { dir: schema::FILE.to_owned(), source })
}

/// Under which rules files are read and put into feeds.
fn rules(settings: &Settings) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&settings.rules.digest());
    hasher.update(format!("{:?} {}", settings.taxonomies, settings.hold_future).as_bytes());
    *hasher.finalize().as_bytes()
}
