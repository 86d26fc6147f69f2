//! Heads and material of documents: what a document's validators and bytes are made from, in one read.
//!
//! The digest of a head holds everything that the bytes depend on and nothing else: no clock, no cache, no row number.
//! Every row that reaches a feed is checked against its checksum here.

use rusqlite::params;
use uuid::Uuid;

use super::read::{LIST_PAGE, Reader};
use super::row::{
    ENTRY_COLUMNS, EntryRow, FeedRecord, KEPT_COLUMNS, KeptRow, LIVE, LOST, MEMBER_COLUMNS, MemberRow, Seconds, State,
    damaged, kind_number, sort_text, timestamp,
};
use super::{Error, schema};
use crate::entry::{
    ArchiveMaterial, ArticleMaterial, Document, Entry, FeedMaterial, FeedRow, Head, Key, Kind, ListMaterial, Material,
    NewestRow, Status, Tombstone,
};

/// How many categories the index page shows.
const INDEX_TREE: i64 = 1000;
/// How many feeds of each other kind, and how many entries, the index page shows.
const INDEX_TOP: i64 = 24;
/// How many withdrawals a feed tells of.
const TOMBSTONES: i64 = 20;

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

/// Each row is checked by itself; that none is missing is checked by their number.
fn all_there(record: &FeedRecord, rows: &[EntryRow], limit: i64) -> Result<(), Error> {
    if rows.len() as i64 == record.count.clamp(0, limit) { Ok(()) } else { Err(damaged("feed", record.feed)) }
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
            match self.entry(*uuid)?.map(|row| row.state) {
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

    fn entry(&self, uuid: Uuid) -> Result<Option<EntryRow>, Error> {
        let row = EntryRow::find(self.connection, "e.uuid = ?1", params![uuid.as_bytes().as_slice()])?;
        match row {
            // The index led to another row.
            Some(row) if row.uuid != Some(uuid) => Err(damaged("entry", row.entry)),
            row => Ok(row),
        }
    }

    fn plan(&self, document: &Document) -> Result<Option<(Head, Plan)>, Error> {
        let mut digest = Digest::of(document);
        match document {
            Document::Feed(key, _) | Document::Page(key) => {
                let Some(record) = self.feed(key)? else { return Ok(None) };
                let rows = self.rows(record.feed, self.view.items)?;
                all_there(&record, &rows, self.view.items)?;
                let tombstones = self.tombstones(record.feed)?;
                digest.number(record.updated);
                digest.number(record.page);
                digest.number(i64::from(self.view.archives.contains(&key.kind())));
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
                let row = self.entry(*uuid)?;
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
        let all = self.placed(
            "m.feed = ?1 AND m.page = ?2 ORDER BY m.position DESC, m.sequence DESC",
            [record.feed, page],
            i64::MAX,
        )?;
        // Also those that left the page, or its time would go back.
        let updated = all.iter().filter_map(|(_, row)| row.updated).max();
        let mut modified = all.iter().map(|(_, row)| row.changed).max();
        let rows: Vec<EntryRow> =
            all.into_iter().filter(|(member, _)| member.live == LIVE).map(|(_, row)| row).collect();
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
        let newest = self.rows(1, INDEX_TOP)?;
        if let Some(record) = self.feed(&Key::all())? {
            all_there(&record, &newest, INDEX_TOP)?;
        }
        let newest = newest
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

    /// The newest shown entries of a feed.
    fn rows(&self, feed: i64, limit: i64) -> Result<Vec<EntryRow>, Error> {
        let placed = self.placed("m.feed = ?1 ORDER BY m.position DESC, m.sequence DESC", [feed], limit)?;
        Ok(placed.into_iter().filter(|(member, _)| member.live == LIVE).map(|(_, row)| row).collect())
    }

    /// Entries with their memberships, newest first, up to a number of shown ones. Both rows must agree on the place,
    /// and the rows on their order. Those that are not shown are read too: each row has to be what it says.
    fn placed(
        &self,
        condition: &str,
        params: impl rusqlite::Params,
        limit: i64,
    ) -> Result<Vec<(MemberRow, EntryRow)>, Error> {
        let sql = format!(
            "SELECT {MEMBER_COLUMNS}, {ENTRY_COLUMNS} FROM member m JOIN entry e ON e.entry = m.entry WHERE {condition}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut found: Vec<(MemberRow, EntryRow)> = Vec::new();
        let mut left = limit;
        while left > 0 {
            let Some(row) = rows.next()? else { break };
            let member = MemberRow::read(row, 0)?;
            let entry = EntryRow::read(row, 7)?;
            left -= i64::from(member.live == LIVE);
            let at = entry.released()?;
            let place = (member.position, member.sequence);
            let agrees = place == (at.position, at.sequence) && member.entry == entry.entry;
            let shown = (member.live == LIVE) == (entry.state == State::Shown) || member.live == LOST;
            let follows = found.last().is_none_or(|(last, _)| (last.position, last.sequence) > place);
            if !agrees || !shown || !follows {
                return Err(Error::Damaged {
                    path: schema::FILE.to_owned(),
                    what: format!("entry {} and its place in feed {} disagree", entry.entry, member.feed),
                });
            }
            found.push((member, entry));
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
                if super::apply::revision(&kept.article) != row.rev {
                    return Err(damaged("kept", row.entry));
                }
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
        let sql = format!(
            "SELECT t.at, {ENTRY_COLUMNS} FROM tombstone t JOIN entry e ON e.entry = t.entry
             WHERE t.feed = ?1 ORDER BY t.at DESC, t.entry DESC LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([feed, TOMBSTONES])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (at, entry): (Seconds, EntryRow) = (row.get(0)?, EntryRow::read(row, 1)?);
            // The row of the withdrawal has no checksum; that of the entry has one, and says the same.
            if entry.state != State::Withdrawn || entry.changed != at {
                return Err(damaged("tombstone", entry.entry));
            }
            found.push(Tombstone { id: entry.released()?.id, at: timestamp(at) });
        }
        Ok(found)
    }
}
