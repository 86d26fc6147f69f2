//! Reading: connections, lists of feeds, numbers, problems, known files.
//!
//! A [`Reader`] sees one state of the catalog. What documents are made from is in `material`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::files::fingerprint;
use super::row::{
    EntryRow, FEED_COLUMNS, FeedRecord, LIVE, MemberRow, State, damaged, kind_number, sort_text, timestamp,
};
use super::schema::LAST_NAME;
use super::{Error, Fingerprint, Settings, schema};
use crate::article::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::entry::{EntryId, FeedRow, Key, Kind};

/// How many feeds a page of a list shows.
pub(super) const LIST_PAGE: i64 = 300;

/// What a file of the inbox is known as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    /// Name within its folder.
    pub name: String,
    /// What `stat` said when it was last read; `None` where it must be read again.
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

/// A file's entry, for `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The item's id; `None` while it is held.
    pub id: Option<EntryId>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
    /// Whether it is in feeds now.
    pub shown: bool,
    /// Its feeds.
    pub keys: Vec<Key>,
}

/// Hands out reading connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    view: RwLock<Arc<View>>,
    idle: Mutex<Vec<Connection>>,
    /// The connection that copies the log.
    copier: Mutex<Option<Connection>>,
    /// Held by every reader; whoever puts another file in the place of the catalog waits for them, because the last
    /// connection to a file that is closed removes the log of that *name*.
    gate: RwLock<()>,
    access: Mutex<schema::Access>,
    /// What a reader found that cannot be, until the writer takes it to mend it.
    damage: Mutex<Option<String>>,
}

/// Which part of the catalog is served.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub items: i64,
    pub paths_matter: bool,
    pub kinds: Vec<Kind>,
    pub mixes: HashSet<Key>,
    pub archives: Vec<Kind>,
}

impl View {
    fn new(settings: &Settings) -> View {
        View {
            items: i64::try_from(settings.items).unwrap_or(i64::MAX),
            paths_matter: settings.paths_matter,
            kinds: Kind::ALL
                .into_iter()
                .filter(|kind| matches!(kind, Kind::All | Kind::Mix) || settings.taxonomies.by.contains(kind))
                .collect(),
            mixes: settings.taxonomies.mixes.iter().map(|mix| mix.key()).collect(),
            archives: settings.archives.clone(),
        }
    }
}

impl Readers {
    pub(super) fn new(path: PathBuf, settings: &Settings) -> Readers {
        let view = RwLock::new(Arc::new(View::new(settings)));
        Readers(Arc::new(Shared {
            path,
            view,
            idle: Mutex::default(),
            copier: Mutex::default(),
            gate: RwLock::default(),
            access: Mutex::default(),
            damage: Mutex::default(),
        }))
    }

    /// Opens the catalog of a state folder to look at it, whether a daemon runs on it or not. Takes no lock.
    ///
    /// # Errors
    ///
    /// Where there is no catalog, or one of another release.
    pub fn open(dir: &Path, settings: &Settings) -> Result<Readers, Error> {
        let path = dir.join(schema::FILE);
        let usual = schema::open_reader(&path, schema::Access::default())
            .and_then(|connection| schema::expect_version(&connection, &path));
        let readers = Readers::new(path.clone(), settings);
        if let Err(error) = usual {
            // Whoever asks may not be allowed to write there.
            readers.set_access(schema::find_access(&path).ok_or(error)?);
        }
        Ok(readers)
    }

    /// Shows feeds by other settings from now on.
    pub(super) fn set_view(&self, settings: &Settings) {
        *self.0.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(View::new(settings));
    }

    /// Drops idle connections, after the file was opened anew.
    pub(super) fn forget(&self) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.0.copier.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Runs `body` on the one connection that copies the log; after an error it is opened anew.
    pub(super) fn maintain<T>(&self, body: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let _gate = self.0.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut copier = self.0.copier.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match copier.take() {
            Some(connection) => connection,
            None => schema::open_copier(&self.0.path)?,
        };
        let done = body(&connection)?;
        *copier = Some(connection);
        Ok(done)
    }

    /// Runs `body` while nobody has the file open.
    pub(super) fn shut_out<T>(&self, body: impl FnOnce() -> T) -> T {
        let _gate = self.0.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.forget();
        body()
    }

    /// Sets how connections are opened from now on.
    pub(super) fn set_access(&self, access: schema::Access) {
        *self.0.access.lock().unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// What readers found damaged since this was asked last.
    pub(super) fn take_damage(&self) -> Option<String> {
        self.0.damage.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Looks through the whole file and says whether anything in it is wrong; takes a while, and keeps nobody waiting.
    /// What it finds is mended by the writer.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn check(&self) -> Result<(), Error> {
        self.read(|reader| match super::mend::damage(reader.connection)? {
            None => Ok(()),
            Some(what) => Err(Error::Damaged { path: schema::FILE.to_owned(), what }),
        })
    }

    /// Runs `read` on a connection of its own; everything in it sees one state of the catalog. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn read<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let _gate = self.0.gate.read().unwrap_or_else(PoisonError::into_inner);
        let result = self.read_within(read);
        if let Err(error) = &result
            && error.is_damage()
        {
            self.note_damage(error);
        }
        result
    }

    /// Has the writer mend what was found.
    pub(super) fn note_damage(&self, error: &Error) {
        let mut damage = self.0.damage.lock().unwrap_or_else(PoisonError::into_inner);
        damage.get_or_insert_with(|| error.to_string());
    }

    fn read_within<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.0.path, *self.0.access.lock().unwrap_or_else(PoisonError::into_inner))?,
        };
        super::point("catalog.read")?;
        let view = Arc::clone(&self.0.view.read().unwrap_or_else(PoisonError::into_inner));
        let transaction = connection.transaction()?;
        let result = read(&Reader { connection: &transaction, view: &view })?;
        transaction.commit()?;
        // A connection on which something failed is dropped instead.
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(result)
    }
}

/// One consistent state of the catalog.
pub struct Reader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) view: &'a View,
}

impl Reader<'_> {
    /// The feed of a key, if it is served.
    pub(super) fn feed(&self, key: &Key) -> Result<Option<FeedRecord>, Error> {
        let served = match key.kind() {
            Kind::Mix => self.view.mixes.contains(key),
            kind => self.view.kinds.contains(&kind),
        };
        if served { FeedRecord::get(self.connection, key) } else { Ok(None) }
    }

    pub(super) fn keys_of(&self, entry: i64) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        for member in MemberRow::of_entry(self.connection, entry)? {
            if member.live == LIVE {
                let rows = self.feed_records("f.feed = ?1", [member.feed])?;
                keys.push(rows.into_iter().next().ok_or_else(|| damaged("feed", member.feed))?.key);
            }
        }
        keys.retain(|key| match key.kind() {
            Kind::Mix => self.view.mixes.contains(key),
            kind => self.view.kinds.contains(&kind),
        });
        keys.sort_by_key(|key| (kind_number(key.kind()), sort_text(key)));
        Ok(keys)
    }

    fn feed_records(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<FeedRecord>, Error> {
        let sql = format!("SELECT {FEED_COLUMNS} FROM feed f WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(FeedRecord::read(row)?);
        }
        Ok(found)
    }

    pub(super) fn feed_rows(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<FeedRow>, Error> {
        let mut found = self.feed_records(condition, params)?;
        found.retain(|record| record.key.kind() != Kind::Mix || self.view.mixes.contains(&record.key));
        let row = |record: FeedRecord| FeedRow {
            key: record.key,
            count: record.count.max(0) as u64,
            updated: timestamp(record.updated),
        };
        Ok(found.into_iter().map(row).collect())
    }

    pub(super) fn kind_rows(&self, kind: Kind, limit: i64, offset: i64) -> Result<Vec<FeedRow>, Error> {
        self.feed_rows("f.kind = ?1 ORDER BY f.sort LIMIT ?2 OFFSET ?3", params![kind_number(kind), limit, offset])
    }

    pub(super) fn kind_count(&self, kind: Kind) -> Result<u64, Error> {
        if kind == Kind::Mix {
            return Ok(self.view.mixes.len() as u64);
        }
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM feed WHERE kind = ?1")?
            .query_row([kind_number(kind)], |row| row.get(0))?;
        Ok(count.max(0) as u64)
    }

    /// Up to `limit` feeds in the order of kind and key, after a key; the first ones without it.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn feeds(&self, after: Option<&Key>, limit: usize) -> Result<Vec<FeedRow>, Error> {
        let mut found = Vec::new();
        for &kind in &self.view.kinds {
            let from = match after {
                Some(after) if kind_number(kind) < kind_number(after.kind()) => continue,
                Some(after) if kind == after.kind() => sort_text(after),
                _ => String::new(),
            };
            let skip = after.is_some_and(|after| after.kind() == kind);
            let condition = if skip {
                "f.kind = ?1 AND f.sort > ?2 ORDER BY f.sort LIMIT ?3"
            } else {
                "f.kind = ?1 AND f.sort >= ?2 ORDER BY f.sort LIMIT ?3"
            };
            let left = (limit - found.len()) as i64;
            found.extend(self.feed_rows(condition, params![kind_number(kind), from, left])?);
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// The archive documents that a change of an entry may have changed: those that hold it or held it, and those that
    /// link to one that it may have opened.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn archives_of(&self, uuid: Uuid) -> Result<Vec<(Key, u32)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT f.key, m.page, f.page FROM entry e JOIN member m ON m.entry = e.entry
             JOIN feed f ON f.feed = m.feed WHERE e.uuid = ?1",
        )?;
        let mut rows = statement.query(params![uuid.as_bytes().as_slice()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let Some(key) = row.get_ref(0)?.as_str().ok().and_then(Key::parse) else { continue };
            if !self.view.archives.contains(&key.kind()) {
                continue;
            }
            let (page, newest): (i64, i64) = (row.get(1)?, row.get(2)?);
            let first = if page == newest { page - 1 } else { page };
            let pages = (first.max(1)..=page).filter_map(|page| u32::try_from(page).ok());
            found.extend(pages.map(|page| (key.clone(), page)));
        }
        Ok(found)
    }

    /// How many archive documents a feed has.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn archive_pages(&self, key: &Key) -> Result<u32, Error> {
        if !self.view.archives.contains(&key.kind()) {
            return Ok(0);
        }
        Ok(self.feed(key)?.and_then(|record| u32::try_from(record.page).ok()).unwrap_or(0))
    }

    /// How many pages `Document::List` of a kind has: at least 1 where feeds are made of the kind, 0 where not.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn list_pages(&self, kind: Kind) -> Result<u32, Error> {
        let listed = match kind {
            Kind::All => false,
            Kind::Mix => !self.view.mixes.is_empty(),
            kind => self.view.kinds.contains(&kind),
        };
        if !listed {
            return Ok(0);
        }
        let count = self.kind_count(kind)?;
        Ok(u32::try_from(count.div_ceil(LIST_PAGE as u64)).unwrap_or(u32::MAX).max(1))
    }

    /// The keys of a kind whose last name is this one, in order: what `/category/NAME` may mean.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn keys_named(&self, kind: Kind, name: &str, limit: usize) -> Result<Vec<Key>, Error> {
        let rows = self.feed_rows(
            &format!("f.kind = ?1 AND {LAST_NAME} = lower(?2) ORDER BY f.sort LIMIT ?3"),
            params![kind_number(kind), name, limit as i64],
        )?;
        let exact = |key: &Key| key.last().is_some_and(|last| last.as_str() == name);
        Ok(rows.into_iter().map(|row| row.key).filter(exact).collect())
    }

    /// Up to `limit` keys of a kind on either side of a name, in the order of last names: those that begin like it are
    /// the nearest.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn keys_beside(&self, kind: Kind, name: &str, limit: usize) -> Result<Vec<Key>, Error> {
        if !self.view.kinds.contains(&kind) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (side, order) in [("<", "DESC"), (">=", "ASC")] {
            found.extend(self.feed_rows(
                &format!("f.kind = ?1 AND {LAST_NAME} {side} lower(?2) ORDER BY {LAST_NAME} {order} LIMIT ?3"),
                params![kind_number(kind), name, limit as i64],
            )?);
        }
        Ok(found.into_iter().map(|row| row.key).collect())
    }

    /// Up to `limit` pages of shown entries, in the order of their UUIDs, after one.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn articles(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT uuid FROM entry WHERE uuid > ?1 AND state = 1 ORDER BY uuid LIMIT ?2")?;
        let from = after.map(|uuid| uuid.as_bytes().to_vec()).unwrap_or_default();
        let mut rows = statement.query(params![from, limit as i64])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.extend(row.get_ref(0)?.as_blob().ok().and_then(|bytes| Uuid::from_slice(bytes).ok()));
        }
        Ok(found)
    }

    /// Numbers for status and metrics.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn counts(&self) -> Result<Counts, Error> {
        let one = |sql: &str| -> Result<u64, Error> {
            let count: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(count.max(0) as u64)
        };
        let mut feeds = 0;
        for &kind in &self.view.kinds {
            feeds += self.kind_count(kind)?;
        }
        Ok(Counts {
            // Feed 1 is `all`.
            articles: one("SELECT ifnull(max(count), 0) FROM feed WHERE feed = 1")?,
            feeds,
            problems: one("SELECT count(DISTINCT path) FROM problem WHERE severity > 0")?,
            held: one("SELECT count(DISTINCT path) FROM problem WHERE severity = 0")?,
        })
    }

    /// Open errors and warnings, newest first.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn problems(&self) -> Result<Vec<Problem>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT path, since, diagnostic FROM problem WHERE severity > 0 ORDER BY since DESC, path, ordinal",
        )?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if let Ok(diagnostic) = serde_json::from_str(row.get_ref(2)?.as_str().unwrap_or_default()) {
                found.push(Problem { path: row.get(0)?, since: timestamp(row.get(1)?), diagnostic });
            }
        }
        Ok(found)
    }

    /// The files known in one folder (`""` is the inbox itself).
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn files_in(&self, folder: &str) -> Result<Vec<KnownFile>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, missing, size, mtime, ctime, inode FROM file WHERE folder = ?1")?;
        let mut rows = statement.query([folder])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(KnownFile {
                name: row.get(0)?,
                missing: row.get::<_, Option<i64>>(1)?.is_some(),
                fingerprint: fingerprint(row, 2)?,
            });
        }
        Ok(found)
    }

    /// Up to `limit` folders that have known files that are not missing, in byte order, after one.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn folders(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let condition = if after.is_some() { "folder > ?1" } else { "folder >= ?1" };
        let sql =
            format!("SELECT DISTINCT folder FROM file WHERE {condition} AND missing IS NULL ORDER BY folder LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after.unwrap_or(""), limit as i64], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The inbox that the catalog belongs to, as its path is written; `None` before it has one.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn inbox(&self) -> Result<Option<String>, Error> {
        super::row::meta(self.connection, "inbox")
    }

    /// Whether these bytes are what was last read at a path.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn has_read(&self, path: &str, bytes: &[u8]) -> Result<bool, Error> {
        let file = super::files::FileRow::get(self.connection, path)?;
        Ok(file.is_some_and(|file| file.is_of(bytes)))
    }

    /// What the catalog has made of a file; `None` where it knows none of this path.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn publication(&self, path: &str) -> Result<Option<Publication>, Error> {
        let Some(entry) = super::files::FileRow::get(self.connection, path)?.and_then(|file| file.entry) else {
            return Ok(None);
        };
        let Some(row) = EntryRow::get(self.connection, entry)? else { return Ok(None) };
        Ok(Some(Publication {
            id: row.id.clone().map(EntryId::from_stored),
            published: row.published.map(timestamp),
            updated: row.updated.map(timestamp),
            shown: row.state == State::Shown,
            keys: self.keys_of(entry)?,
        }))
    }
}
