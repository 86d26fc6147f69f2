//! Reading: heads and material of documents, lists of feeds, numbers, problems, known files.
//!
//! A [`Reader`] sees one state of the catalog. Every row that reaches a feed is checked against its checksum here.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::files::fingerprint;
use super::row::{
    ENTRY_COLUMNS, EntryRow, FEED_COLUMNS, FeedRecord, KEPT_COLUMNS, KeptRow, LIVE, MEMBER_COLUMNS, MemberRow, Seconds,
    State, kind_number, sort_text, timestamp,
};
use super::{Error, Fingerprint, Settings, schema};
use crate::article::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::entry::{
    ArchiveMaterial, ArticleMaterial, Document, Entry, EntryId, FeedMaterial, FeedRow, Head, Key, Kind, ListMaterial,
    Material, NewestRow, Status, Tombstone,
};

/// How many feeds a page of a list shows.
const LIST_PAGE: i64 = 300;
/// How many categories the index page shows.
const INDEX_TREE: i64 = 1000;
/// How many feeds of each other kind, and how many entries, the index page shows.
const INDEX_TOP: i64 = 24;
/// How many withdrawals a feed tells of.
const TOMBSTONES: i64 = 20;

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
    view: View,
    idle: Mutex<Vec<Connection>>,
}

/// Which part of the catalog is served.
#[derive(Clone, Debug)]
struct View {
    items: i64,
    paths_matter: bool,
    kinds: Vec<Kind>,
    mixes: HashSet<Key>,
    archives: Vec<Kind>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, settings: &Settings) -> Readers {
        let view = View {
            items: i64::try_from(settings.items).unwrap_or(i64::MAX),
            paths_matter: settings.paths_matter,
            kinds: Kind::ALL
                .into_iter()
                .filter(|kind| matches!(kind, Kind::All | Kind::Mix) || settings.taxonomies.by.contains(kind))
                .collect(),
            mixes: settings.taxonomies.mixes.iter().map(|mix| mix.key()).collect(),
            archives: settings.archives.clone(),
        };
        Readers(Arc::new(Shared { path, view, idle: Mutex::new(Vec::new()) }))
    }

    /// Drops idle connections, after the file was opened anew.
    pub(super) fn forget(&self) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs `read` on a connection of its own; everything in it sees one state of the catalog. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn read<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.0.path)?,
        };
        let transaction = connection.transaction()?;
        let result = read(&Reader { connection: &transaction, view: &self.0.view })?;
        transaction.commit()?;
        // A connection on which something failed is dropped instead.
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(result)
    }
}

/// One consistent state of the catalog.
pub struct Reader<'a> {
    connection: &'a Connection,
    view: &'a View,
}

/// Hashes what a document's bytes depend on.
struct Digest(blake3::Hasher);

impl Digest {
    fn of(document: &Document) -> Digest {
        let mut digest = Digest(blake3::Hasher::new());
        digest.bytes(document.path().as_bytes());
        digest
    }

    fn number(&mut self, number: i64) {
        self.0.update(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as i64);
        self.0.update(bytes);
    }

    fn entry(&mut self, row: &EntryRow, paths_matter: bool) -> Result<(), Error> {
        let at = row.released()?;
        self.bytes(at.id.as_str().as_bytes());
        self.bytes(&row.rev);
        for number in [at.position, at.published, at.updated] {
            self.number(number);
        }
        if paths_matter {
            self.bytes(row.path.as_bytes());
        }
        Ok(())
    }

    fn feed(&mut self, row: &FeedRow) {
        self.bytes(row.key.to_string().as_bytes());
        self.number(row.count as i64);
        self.number(row.updated.timestamp());
    }

    fn head(self, updated: Seconds, modified: Seconds) -> Head {
        Head { digest: *self.0.finalize().as_bytes(), updated: timestamp(updated), modified: timestamp(modified) }
    }
}

/// Rows that are in a document, before their sources are read.
enum Plan {
    Feed { record: FeedRecord, rows: Vec<EntryRow>, tombstones: Vec<Tombstone>, children: Vec<FeedRow> },
    Archive { record: FeedRecord, number: u32, rows: Vec<EntryRow>, updated: Seconds },
    Article { row: EntryRow, keys: Vec<Key> },
    List(ListMaterial),
    Fixed,
}

impl Reader<'_> {
    /// Whether a document exists, and what its validators are made from.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn head(&self, document: &Document) -> Result<Status, Error> {
        if let Document::Article(uuid) = document {
            let row = EntryRow::find(self.connection, "e.uuid = ?1", params![uuid.as_bytes().as_slice()])?;
            match row.map(|row| row.state) {
                Some(State::Withdrawn) => return Ok(Status::Gone),
                Some(State::Shown) => {}
                _ => return Ok(Status::Never),
            }
        }
        Ok(self.plan(document)?.map_or(Status::Never, |(head, _)| Status::Here(head)))
    }

    /// A document's head together with what it is rendered from; `None` where [`Reader::head`] is not `Here`.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn material(&self, document: &Document) -> Result<Option<(Head, Material)>, Error> {
        let Some((head, plan)) = self.plan(document)? else { return Ok(None) };
        let material = match plan {
            Plan::Feed { record, rows, tombstones, children } => Material::Feed(FeedMaterial {
                updated: head.updated,
                entries: self.entries(rows)?,
                count: record.count.max(0) as u64,
                tombstones,
                newest_archive: u32::try_from(record.page)
                    .ok()
                    .filter(|_| self.view.archives.contains(&record.key.kind())),
                children,
                key: record.key,
            }),
            Plan::Archive { record, number, rows, updated } => Material::Archive(ArchiveMaterial {
                number,
                has_next: i64::from(number) < record.page,
                updated: timestamp(updated),
                entries: self.entries(rows)?,
                key: record.key,
            }),
            Plan::Article { row, keys } => match self.entries(vec![row])?.pop() {
                Some(entry) => Material::Article(ArticleMaterial { entry: Box::new(entry), keys }),
                None => return Ok(None),
            },
            Plan::List(list) => Material::List(list),
            Plan::Fixed => Material::Fixed,
        };
        Ok(Some((head, material)))
    }

    fn plan(&self, document: &Document) -> Result<Option<(Head, Plan)>, Error> {
        let mut digest = Digest::of(document);
        match document {
            Document::Feed(key, _) | Document::Page(key) => {
                let Some(record) = self.feed(key)? else { return Ok(None) };
                let rows = self.rows(
                    "m.feed = ?1 AND m.live = 1 ORDER BY m.position DESC, m.sequence DESC LIMIT ?2",
                    [record.feed, self.view.items],
                )?;
                let tombstones = self.tombstones(record.feed)?;
                digest.number(record.updated);
                digest.number(record.page);
                for row in &rows {
                    digest.entry(row, self.view.paths_matter)?;
                }
                digest.number(-1);
                for tombstone in &tombstones {
                    digest.bytes(tombstone.id.as_str().as_bytes());
                    digest.number(tombstone.at.timestamp());
                }
                let mut children = Vec::new();
                if matches!(document, Document::Page(_)) {
                    children = self.feed_rows("f.parent = ?1 ORDER BY f.sort LIMIT 500", params![record.feed])?;
                    digest.number(record.count);
                    children.iter().for_each(|row| digest.feed(row));
                }
                let head = digest.head(record.updated, record.modified);
                Ok(Some((head, Plan::Feed { record, rows, tombstones, children })))
            }
            Document::Archive(key, number, _) => {
                let Some(record) = self.feed(key)? else { return Ok(None) };
                if i64::from(*number) > record.page || !self.view.archives.contains(&key.kind()) {
                    return Ok(None);
                }
                self.archive(digest, record, *number).map(Some)
            }
            Document::Article(uuid) => {
                let row = EntryRow::find(self.connection, "e.uuid = ?1", params![uuid.as_bytes().as_slice()])?;
                let Some(row) = row.filter(|row| row.state == State::Shown) else { return Ok(None) };
                let keys = self.keys_of(row.entry)?;
                digest.entry(&row, self.view.paths_matter)?;
                keys.iter().for_each(|key| digest.bytes(key.to_string().as_bytes()));
                let head = digest.head(row.released()?.updated, row.changed);
                Ok(Some((head, Plan::Article { row, keys })))
            }
            Document::List(kind, page) => self.list(digest, *kind, *page),
            Document::Index => self.index(digest).map(Some),
            Document::Opml => {
                let mut rows = Vec::new();
                for kind in &self.view.kinds {
                    rows.extend(self.kind_rows(*kind, i64::MAX, 0)?);
                }
                let list = ListMaterial { rows, totals: Vec::new(), page: 1, pages: 1, newest: Vec::new() };
                self.list_head(digest, list).map(Some)
            }
            Document::Style | Document::Icon | Document::Robots => Ok(Some((digest.head(0, 0), Plan::Fixed))),
        }
    }

    fn archive(&self, mut digest: Digest, record: FeedRecord, number: u32) -> Result<(Head, Plan), Error> {
        let page = i64::from(number);
        let rows = self.rows(
            "m.feed = ?1 AND m.page = ?2 AND m.live = 1 ORDER BY m.position DESC, m.sequence DESC",
            [record.feed, page],
        )?;
        // Also those that left the page, or its time would go back.
        let (updated, mut modified): (Option<Seconds>, Option<Seconds>) = self
            .connection
            .prepare_cached(
                "SELECT max(e.updated), max(e.changed) FROM member m JOIN entry e ON e.entry = m.entry
                 WHERE m.feed = ?1 AND m.page = ?2",
            )?
            .query_row([record.feed, page], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let has_next = page < record.page;
        if has_next {
            // The opening of the next page changed this one.
            let opened: Option<Seconds> = self
                .connection
                .prepare_cached(
                    "SELECT min(e.changed) FROM member m JOIN entry e ON e.entry = m.entry
                     WHERE m.feed = ?1 AND m.page = ?2",
                )?
                .query_row([record.feed, page + 1], |row| row.get(0))?;
            modified = modified.max(opened);
        }
        digest.number(i64::from(has_next));
        for row in &rows {
            digest.entry(row, self.view.paths_matter)?;
        }
        let updated = updated.unwrap_or(record.updated);
        digest.number(updated);
        let head = digest.head(updated, modified.unwrap_or(record.modified));
        Ok((head, Plan::Archive { record, number, rows, updated }))
    }

    fn list(&self, digest: Digest, kind: Kind, page: u32) -> Result<Option<(Head, Plan)>, Error> {
        if kind == Kind::All || !self.view.kinds.contains(&kind) {
            return Ok(None);
        }
        let pages = self.list_pages(kind)?;
        if page > pages {
            return Ok(None);
        }
        let rows = self.kind_rows(kind, LIST_PAGE, (i64::from(page) - 1) * LIST_PAGE)?;
        let totals = vec![(kind, self.kind_count(kind)?)];
        let list = ListMaterial { rows, totals, page, pages, newest: Vec::new() };
        self.list_head(digest, list).map(Some)
    }

    fn index(&self, digest: Digest) -> Result<(Head, Plan), Error> {
        let mut rows = Vec::new();
        let mut totals = Vec::new();
        for &kind in &self.view.kinds {
            totals.push((kind, self.kind_count(kind)?));
            rows.extend(match kind {
                Kind::All => self.kind_rows(kind, 1, 0)?,
                Kind::Category | Kind::Mix => self.kind_rows(kind, INDEX_TREE, 0)?,
                _ => {
                    let mut top = self.feed_rows(
                        "f.kind = ?1 AND f.count > 0 ORDER BY f.count DESC, f.sort LIMIT ?2",
                        params![kind_number(kind), INDEX_TOP],
                    )?;
                    top.sort_by_key(|row| sort_text(&row.key));
                    top
                }
            });
        }
        let newest = self
            .rows("m.feed = 1 AND m.live = 1 ORDER BY m.position DESC, m.sequence DESC LIMIT ?1", [INDEX_TOP])?
            .into_iter()
            .map(|row| {
                let at = row.released()?;
                let title = KeptRow::get(self.connection, row.entry)?.map(|kept| kept.article.title);
                Ok(NewestRow { uuid: at.uuid, title: title.unwrap_or_default(), published: timestamp(at.published) })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        self.list_head(digest, ListMaterial { rows, totals, page: 1, pages: 1, newest })
    }

    fn list_head(&self, mut digest: Digest, list: ListMaterial) -> Result<(Head, Plan), Error> {
        list.rows.iter().for_each(|row| digest.feed(row));
        digest.number(-1);
        for (_, total) in &list.totals {
            digest.number(*total as i64);
        }
        digest.number(i64::from(list.pages));
        for row in &list.newest {
            digest.bytes(row.uuid.as_bytes());
            digest.bytes(row.title.as_bytes());
            digest.number(row.published.timestamp());
        }
        let updated = list.rows.iter().map(|row| row.updated.timestamp()).max().unwrap_or(0);
        let modified = self
            .connection
            .prepare_cached("SELECT ifnull(max(modified), 0) FROM feed")?
            .query_row([], |row| row.get(0))?;
        Ok((digest.head(updated, modified), Plan::List(list)))
    }

    /// The feed of a key, if it is served.
    fn feed(&self, key: &Key) -> Result<Option<FeedRecord>, Error> {
        let served = match key.kind() {
            Kind::Mix => self.view.mixes.contains(key),
            kind => self.view.kinds.contains(&kind),
        };
        if served { FeedRecord::get(self.connection, key) } else { Ok(None) }
    }

    /// Shown entries by their memberships. Both rows must agree on the place.
    fn rows(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<EntryRow>, Error> {
        let sql = format!(
            "SELECT {MEMBER_COLUMNS}, {ENTRY_COLUMNS} FROM member m JOIN entry e ON e.entry = m.entry WHERE {condition}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let member = MemberRow::read(row, 0)?;
            let entry = EntryRow::read(row, 7)?;
            let at = entry.released()?;
            if (member.position, member.sequence) != (at.position, at.sequence) || entry.state != State::Shown {
                return Err(Error::Damaged {
                    path: schema::FILE.to_owned(),
                    what: format!("entry {} and its place in feed {} disagree", entry.entry, member.feed),
                });
            }
            found.push(entry);
        }
        Ok(found)
    }

    /// Entries with their sources.
    fn entries(&self, rows: Vec<EntryRow>) -> Result<Vec<Entry>, Error> {
        let mut statement =
            self.connection.prepare_cached(&format!("SELECT {KEPT_COLUMNS} FROM kept k WHERE k.entry = ?1"))?;
        rows.into_iter()
            .map(|row| {
                let at = row.released()?;
                let mut found = statement.query([row.entry])?;
                let kept = found.next()?.ok_or_else(|| Error::Damaged {
                    path: schema::FILE.to_owned(),
                    what: format!("the source of entry {} is not there", row.entry),
                })?;
                let kept = KeptRow::read(kept, 0)?;
                Ok(Entry {
                    id: at.id,
                    uuid: at.uuid,
                    sequence: at.sequence.max(0) as u64,
                    position: timestamp(at.position),
                    published: timestamp(at.published),
                    updated: timestamp(at.updated),
                    rev: row.rev,
                    path: row.path,
                    article: kept.article,
                    kept: kept.kept,
                })
            })
            .collect()
    }

    fn tombstones(&self, feed: i64) -> Result<Vec<Tombstone>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.id, t.at FROM tombstone t JOIN entry e ON e.entry = t.entry
             WHERE t.feed = ?1 ORDER BY t.at DESC, t.entry DESC LIMIT ?2",
        )?;
        let rows = statement.query_map([feed, TOMBSTONES], |row| {
            Ok(Tombstone { id: EntryId::from_stored(row.get(0)?), at: timestamp(row.get(1)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn keys_of(&self, entry: i64) -> Result<Vec<Key>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT f.key FROM member m JOIN feed f ON f.feed = m.feed
             WHERE m.entry = ?1 AND m.live = ?2 ORDER BY f.kind, f.sort",
        )?;
        let texts: Vec<String> = statement.query_map([entry, LIVE], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let served = |key: &Key| match key.kind() {
            Kind::Mix => self.view.mixes.contains(key),
            kind => self.view.kinds.contains(&kind),
        };
        Ok(texts.iter().filter_map(|text| Key::parse(text)).filter(served).collect())
    }

    fn feed_rows(&self, condition: &str, params: impl rusqlite::Params) -> Result<Vec<FeedRow>, Error> {
        let sql = format!("SELECT {FEED_COLUMNS} FROM feed f WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let record = FeedRecord::read(row)?;
            if record.key.kind() == Kind::Mix && !self.view.mixes.contains(&record.key) {
                continue;
            }
            found.push(FeedRow {
                key: record.key,
                count: record.count.max(0) as u64,
                updated: timestamp(record.updated),
            });
        }
        Ok(found)
    }

    fn kind_rows(&self, kind: Kind, limit: i64, offset: i64) -> Result<Vec<FeedRow>, Error> {
        self.feed_rows("f.kind = ?1 ORDER BY f.sort LIMIT ?2 OFFSET ?3", params![kind_number(kind), limit, offset])
    }

    fn kind_count(&self, kind: Kind) -> Result<u64, Error> {
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

    /// How many pages `Document::List` of a kind has (at least 1).
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn list_pages(&self, kind: Kind) -> Result<u32, Error> {
        let count = self.kind_count(kind)?;
        Ok(u32::try_from(count.div_ceil(LIST_PAGE as u64)).unwrap_or(u32::MAX).max(1))
    }

    /// The category keys whose last name is this one, in order: what `/category/NAME` may mean.
    ///
    /// # Errors
    ///
    /// Where the catalog cannot be read.
    pub fn categories_named(&self, name: &str, limit: usize) -> Result<Vec<Key>, Error> {
        let rows = self.feed_rows(
            "f.kind = ?1 AND (f.sort = ?2 OR f.sort LIKE '%' || char(1) || ?3 ESCAPE '\\') ORDER BY f.sort LIMIT ?4",
            params![kind_number(Kind::Category), name, escape_like(name), limit as i64],
        )?;
        let exact = |key: &Key| key.last().is_some_and(|last| last.as_str() == name);
        Ok(rows.into_iter().map(|row| row.key).filter(exact).collect())
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

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
