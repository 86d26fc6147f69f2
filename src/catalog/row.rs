//! Rows as values, each with a checksum of its columns: SQLite does not notice a flipped byte, a row does.

use rusqlite::{Connection, OptionalExtension, Row, params};
use twox_hash::XxHash3_64;
use uuid::Uuid;

use super::Error;
use crate::article::{Article, Hash, Timestamp};
use crate::entry::{Codec, EntryId, Kept, Key, Kind};

/// Seconds since 1970, as columns hold times.
pub(super) type Seconds = i64;

/// A time from a column.
pub(super) fn timestamp(at: Seconds) -> Timestamp {
    Timestamp::from_timestamp(at, 0).unwrap_or_default()
}

/// The first 16 bytes of a hash: enough to compare, and half the index.
pub(super) fn short(hash: &Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// Whether an entry can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A draft, in the future, or expired before it was ever shown.
    Held = 0,
    /// In its feeds.
    Shown = 1,
    /// Was shown.
    Withdrawn = 2,
}

/// What happens at a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A held entry's date comes.
    Release = 0,
    /// An entry's `expiryDate` comes.
    Expire = 1,
    /// A missing file's entry goes.
    Withdraw = 2,
    /// As `Withdraw`, after having waited once more.
    WithdrawNow = 3,
    /// Feeds stop telling of a withdrawal.
    Forget = 4,
}

impl What {
    pub(super) fn from_number(number: i64) -> Option<What> {
        [What::Release, What::Expire, What::Withdraw, What::WithdrawNow, What::Forget]
            .into_iter()
            .find(|what| *what as i64 == number)
    }
}

/// The checksum of a row. Collects its columns, each with its length, so that no two rows can be mixed up.
pub(super) struct Sum(Vec<u8>);

impl Sum {
    /// `large` is how long the long columns are.
    fn new(large: usize) -> Sum {
        Sum(Vec::with_capacity(512 + large))
    }

    fn number(mut self, number: i64) -> Sum {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn maybe(self, number: Option<i64>) -> Sum {
        match number {
            Some(number) => self.number(1).number(number),
            None => self.number(0),
        }
    }

    fn bytes(self, bytes: &[u8]) -> Sum {
        let mut sum = self.number(bytes.len() as i64);
        sum.0.extend_from_slice(bytes);
        sum
    }

    /// As rows carry it (XXH3, 64 bits: damage is no adversary).
    pub(super) fn value(&self) -> i64 {
        XxHash3_64::oneshot(&self.0) as i64
    }

    /// As rows of schema 1 carry it (BLAKE3): they keep it until they change.
    pub(super) fn in_schema_1(&self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&blake3::hash(&self.0).as_bytes()[..8]);
        i64::from_le_bytes(first)
    }

    /// Whether a row carries it.
    pub(super) fn is(&self, carried: i64) -> bool {
        self.value() == carried || self.in_schema_1() == carried
    }
}

/// A row of `entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryRow {
    pub entry: i64,
    /// With `uuid`, `sequence`, `position`, `published` and `updated`: given on release.
    pub id: Option<String>,
    pub uuid: Option<Uuid>,
    pub seed: [u8; 16],
    pub body: [u8; 16],
    pub state: State,
    pub sequence: Option<i64>,
    pub position: Option<Seconds>,
    pub published: Option<Seconds>,
    pub updated: Option<Seconds>,
    /// When a document that shows it last changed because of it.
    pub changed: Seconds,
    pub rev: Hash,
    /// Of the file, in bytes.
    pub size: i64,
    pub path: String,
}

pub(super) const ENTRY_COLUMNS: &str = "e.entry, e.id, e.uuid, e.seed, e.body, e.state, e.sequence, e.position, e.published, e.updated, e.changed, \
     e.rev, e.size, e.path, e.sum";

impl EntryRow {
    pub(super) fn sum(&self) -> Sum {
        Sum::new(0)
            .number(self.entry)
            .bytes(self.id.as_deref().unwrap_or_default().as_bytes())
            .bytes(self.uuid.as_ref().map(|u| u.as_bytes().as_slice()).unwrap_or_default())
            .bytes(&self.seed)
            .bytes(&self.body)
            .number(self.state as i64)
            .maybe(self.sequence)
            .maybe(self.position)
            .maybe(self.published)
            .maybe(self.updated)
            .number(self.changed)
            .bytes(&self.rev)
            .number(self.size)
            .bytes(self.path.as_bytes())
    }

    /// Reads [`ENTRY_COLUMNS`], which begin at a column.
    pub(super) fn read(row: &Row<'_>, at: usize) -> Result<EntryRow, Error> {
        let (found, sum) = EntryRow::raw(row, at)?;
        if found.sum().is(sum) { Ok(found) } else { Err(damaged("entry", found.entry)) }
    }

    /// The same with the checksum, which may not fit.
    pub(super) fn raw(row: &Row<'_>, at: usize) -> Result<(EntryRow, i64), Error> {
        let entry: i64 = row.get(at)?;
        let damaged = || damaged("entry", entry);
        let bytes16 = |i: usize| -> Result<[u8; 16], Error> {
            row.get_ref(at + i)?.as_blob().ok().and_then(|b| b.try_into().ok()).ok_or_else(damaged)
        };
        let found = EntryRow {
            entry,
            id: row.get(at + 1)?,
            uuid: row
                .get_ref(at + 2)?
                .as_blob_or_null()
                .ok()
                .flatten()
                .map(Uuid::from_slice)
                .transpose()
                .map_err(|_| damaged())?,
            seed: bytes16(3)?,
            body: bytes16(4)?,
            state: match row.get(at + 5)? {
                0 => State::Held,
                1 => State::Shown,
                2 => State::Withdrawn,
                _ => return Err(damaged()),
            },
            sequence: row.get(at + 6)?,
            position: row.get(at + 7)?,
            published: row.get(at + 8)?,
            updated: row.get(at + 9)?,
            changed: row.get(at + 10)?,
            rev: row.get_ref(at + 11)?.as_blob().ok().and_then(|b| b.try_into().ok()).ok_or_else(damaged)?,
            size: row.get(at + 12)?,
            path: row.get(at + 13)?,
        };
        Ok((found, row.get(at + 14)?))
    }

    /// The row of an entry's number.
    pub(super) fn get(connection: &Connection, entry: i64) -> Result<Option<EntryRow>, Error> {
        EntryRow::find(connection, "e.entry = ?1", params![entry])
    }

    /// The first row that fits a condition.
    pub(super) fn find(
        connection: &Connection,
        condition: &str,
        params: impl rusqlite::Params,
    ) -> Result<Option<EntryRow>, Error> {
        let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry e WHERE {condition} LIMIT 1");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(|row| EntryRow::read(row, 0)).transpose()
    }

    /// Inserts the row or replaces it.
    pub(super) fn put(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO entry VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)
             ON CONFLICT(entry) DO UPDATE SET id=?2, uuid=?3, seed=?4, body=?5, state=?6, sequence=?7, position=?8,
               published=?9, updated=?10, changed=?11, rev=?12, size=?13, path=?14, sum=?15",
        )?;
        statement.execute(params![
            self.entry,
            self.id,
            self.uuid.as_ref().map(|u| u.as_bytes().as_slice()),
            self.seed.as_slice(),
            self.body.as_slice(),
            self.state as i64,
            self.sequence,
            self.position,
            self.published,
            self.updated,
            self.changed,
            self.rev.as_slice(),
            self.size,
            self.path,
            self.sum().value(),
        ])?;
        Ok(())
    }

    /// The released parts.
    pub(super) fn released(&self) -> Result<Released, Error> {
        match (&self.id, self.uuid, self.sequence, self.position, self.published, self.updated) {
            (Some(id), Some(uuid), Some(sequence), Some(position), Some(published), Some(updated)) => {
                Ok(Released { id: EntryId::from_stored(id.clone()), uuid, sequence, position, published, updated })
            }
            _ => Err(damaged("entry", self.entry)),
        }
    }
}

/// What an entry has once it was released.
#[derive(Clone, Debug)]
pub(super) struct Released {
    pub id: EntryId,
    pub uuid: Uuid,
    pub sequence: i64,
    pub position: Seconds,
    pub published: Seconds,
    pub updated: Seconds,
}

/// A row of `kept`.
#[derive(Clone, Debug)]
pub(super) struct KeptRow {
    pub entry: i64,
    pub kept: Kept,
    pub article: Article,
}

pub(super) const KEPT_COLUMNS: &str = "k.entry, k.rules, k.codec, k.bytes, k.article, k.sum";

impl KeptRow {
    pub(super) fn put(
        connection: &Connection,
        entry: i64,
        rules: &Hash,
        kept: &Kept,
        article: &Article,
    ) -> Result<(), Error> {
        let json =
            serde_json::to_string(article).map_err(|e| Error::Refused(format!("cannot store an article: {e}")))?;
        let sum = KeptRow::sum(entry, rules, kept.codec.number(), &kept.bytes, &json).value();
        let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO kept VALUES(?1,?2,?3,?4,?5,?6)")?;
        statement.execute(params![entry, rules.as_slice(), kept.codec.number(), kept.bytes, json, sum])?;
        Ok(())
    }

    pub(super) fn sum(entry: i64, rules: &[u8], codec: u8, bytes: &[u8], article: &str) -> Sum {
        Sum::new(bytes.len() + article.len())
            .number(entry)
            .bytes(rules)
            .number(i64::from(codec))
            .bytes(bytes)
            .bytes(article.as_bytes())
    }

    pub(super) fn read(row: &Row<'_>, at: usize) -> Result<KeptRow, Error> {
        let entry: i64 = row.get(at)?;
        let damaged = || damaged("kept", entry);
        let rules = row.get_ref(at + 1)?.as_blob().map_err(|_| damaged())?;
        let codec: u8 = row.get(at + 2)?;
        let bytes = row.get_ref(at + 3)?.as_blob().map_err(|_| damaged())?;
        let json = row.get_ref(at + 4)?.as_str().map_err(|_| damaged())?;
        if !KeptRow::sum(entry, rules, codec, bytes, json).is(row.get(at + 5)?) {
            return Err(damaged());
        }
        Ok(KeptRow {
            entry,
            kept: Kept { codec: Codec::from_number(codec).ok_or_else(damaged)?, bytes: bytes.to_vec() },
            article: serde_json::from_str(json).map_err(|_| damaged())?,
        })
    }

    pub(super) fn get(connection: &Connection, entry: i64) -> Result<Option<KeptRow>, Error> {
        let mut statement =
            connection.prepare_cached(&format!("SELECT {KEPT_COLUMNS} FROM kept k WHERE k.entry = ?1"))?;
        let mut rows = statement.query([entry])?;
        rows.next()?.map(|row| KeptRow::read(row, 0)).transpose()
    }
}

/// A row of `feed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeedRecord {
    pub feed: i64,
    pub key: Key,
    pub parent: Option<i64>,
    pub count: i64,
    pub updated: Seconds,
    pub modified: Seconds,
    /// The open archive page, from 1.
    pub page: i64,
    pub page_entries: i64,
    pub page_bytes: i64,
}

pub(super) const FEED_COLUMNS: &str =
    "f.feed, f.key, f.parent, f.count, f.updated, f.modified, f.page, f.page_entries, f.page_bytes, f.sum";

impl FeedRecord {
    pub(super) fn sum(&self, key: &str) -> Sum {
        Sum::new(0)
            .number(self.feed)
            .bytes(key.as_bytes())
            .maybe(self.parent)
            .number(self.count)
            .number(self.updated)
            .number(self.modified)
            .number(self.page)
            .number(self.page_entries)
            .number(self.page_bytes)
    }

    pub(super) fn read(row: &Row<'_>) -> Result<FeedRecord, Error> {
        let (found, sum) = FeedRecord::raw(row)?;
        // Of the text as it stands there: another spelling of the key is damage too.
        let text = row.get_ref(1)?.as_str().map_err(|_| damaged("feed", found.feed))?;
        if found.sum(text).is(sum) { Ok(found) } else { Err(damaged("feed", found.feed)) }
    }

    /// The same with the checksum, which may not fit.
    pub(super) fn raw(row: &Row<'_>) -> Result<(FeedRecord, i64), Error> {
        let feed: i64 = row.get(0)?;
        let text = row.get_ref(1)?.as_str().map_err(|_| damaged("feed", feed))?;
        let found = FeedRecord {
            feed,
            key: Key::parse(text).ok_or_else(|| damaged("feed", feed))?,
            parent: row.get(2)?,
            count: row.get(3)?,
            updated: row.get(4)?,
            modified: row.get(5)?,
            page: row.get(6)?,
            page_entries: row.get(7)?,
            page_bytes: row.get(8)?,
        };
        Ok((found, row.get(9)?))
    }

    pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<FeedRecord>, Error> {
        let mut statement =
            connection.prepare_cached(&format!("SELECT {FEED_COLUMNS} FROM feed f WHERE f.key = ?1"))?;
        let mut rows = statement.query([key.to_string()])?;
        let found = rows.next()?.map(FeedRecord::read).transpose()?;
        match found {
            // The index led to another row.
            Some(found) if found.key != *key => Err(damaged("feed", found.feed)),
            found => Ok(found),
        }
    }

    /// Inserts the row or replaces it.
    pub(super) fn put(&self, connection: &Connection) -> Result<(), Error> {
        let key = self.key.to_string();
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO feed VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)")?;
        statement.execute(params![
            self.feed,
            key,
            kind_number(self.key.kind()),
            sort_text(&self.key),
            self.parent,
            self.count,
            self.updated,
            self.modified,
            self.page,
            self.page_entries,
            self.page_bytes,
            self.sum(&key).value(),
        ])?;
        Ok(())
    }
}

/// The place of a kind in lists.
pub(super) fn kind_number(kind: Kind) -> i64 {
    Kind::ALL.iter().position(|&k| k == kind).map_or(-1, |at| at as i64)
}

/// Orders keys of one kind so that parents stand right before their children: `/` sorts below every character.
pub(super) fn sort_text(key: &Key) -> String {
    key.path_text("\u{1}")
}

/// A row of `member`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberRow {
    pub feed: i64,
    pub position: Seconds,
    pub sequence: i64,
    pub entry: i64,
    pub page: i64,
    pub live: i64,
}

/// [`MemberRow::live`]: the article lost the term.
pub(super) const LOST: i64 = 0;
/// [`MemberRow::live`]: shown.
pub(super) const LIVE: i64 = 1;
/// [`MemberRow::live`]: the entry is withdrawn.
pub(super) const WITHDRAWN: i64 = 2;

pub(super) const MEMBER_COLUMNS: &str = "m.feed, m.position, m.sequence, m.entry, m.page, m.live, m.sum";

impl MemberRow {
    pub(super) fn sum(&self) -> Sum {
        let columns = [self.feed, self.position, self.sequence, self.entry, self.page, self.live];
        columns.into_iter().fold(Sum::new(0), Sum::number)
    }

    pub(super) fn read(row: &Row<'_>, at: usize) -> Result<MemberRow, Error> {
        let (found, sum) = MemberRow::raw(row, at)?;
        if found.sum().is(sum) { Ok(found) } else { Err(damaged("member", found.entry)) }
    }

    /// The same with the checksum, which may not fit.
    pub(super) fn raw(row: &Row<'_>, at: usize) -> Result<(MemberRow, i64), Error> {
        let found = MemberRow {
            feed: row.get(at)?,
            position: row.get(at + 1)?,
            sequence: row.get(at + 2)?,
            entry: row.get(at + 3)?,
            page: row.get(at + 4)?,
            live: row.get(at + 5)?,
        };
        Ok((found, row.get(at + 6)?))
    }

    /// All rows of an entry.
    pub(super) fn of_entry(connection: &Connection, entry: i64) -> Result<Vec<MemberRow>, Error> {
        let mut statement = connection
            .prepare_cached(&format!("SELECT {MEMBER_COLUMNS} FROM member m WHERE m.entry = ?1 ORDER BY m.feed"))?;
        let mut rows = statement.query([entry])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(MemberRow::read(row, 0)?);
        }
        Ok(found)
    }

    pub(super) fn put(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO member VALUES(?1,?2,?3,?4,?5,?6,?7)")?;
        statement.execute([
            self.feed,
            self.position,
            self.sequence,
            self.entry,
            self.page,
            self.live,
            self.sum().value(),
        ])?;
        Ok(())
    }

    pub(super) fn delete(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement =
            connection.prepare_cached("DELETE FROM member WHERE feed = ?1 AND position = ?2 AND sequence = ?3")?;
        statement.execute([self.feed, self.position, self.sequence])?;
        Ok(())
    }
}

/// A value of `meta`.
pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets a value of `meta`, or removes it.
pub(super) fn set_meta(connection: &Connection, name: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            connection.prepare_cached("INSERT OR REPLACE INTO meta VALUES(?1, ?2)")?.execute([name, value])?
        }
        None => connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([name])?,
    };
    Ok(())
}

pub(super) fn damaged(table: &str, number: i64) -> Error {
    Error::Damaged { path: super::schema::FILE.to_owned(), what: format!("row {number} of {table} fails its checksum") }
}

/// Splits a path into folder and name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The reverse of [`split`].
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
