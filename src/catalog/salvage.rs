//! What is saved of a damaged catalog, row by row, each only where its checksum proves it.
//!
//! Articles are read again from their kept bytes or from their files. The rest cannot be read from anywhere else: the
//! dates and places of entries, their archive pages, which of them were withdrawn, and what feeds had ever shown.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::apply::revision;
use super::due::TOMBSTONE_LIFE;
use super::files::{FileRow, file_hash};
use super::load::Carried;
use super::place::{Feeds, deal};
use super::row::{
    ENTRY_COLUMNS, EntryRow, FEED_COLUMNS, FeedRecord, KEPT_COLUMNS, KeptRow, LIVE, LOST, MEMBER_COLUMNS, MemberRow,
    Seconds, State, WITHDRAWN, What, meta,
};
use super::{Error, Fingerprint, SeenFile, Settings};
use crate::article::SourceFile;
use crate::entry::Key;

/// Of no rules: what is kept under them is read again under the present ones.
const NO_RULES: [u8; 32] = [0; 32];

/// Where entries stood in their feeds; numbers are those of the damaged catalog.
#[derive(Default)]
pub(super) struct Places {
    feeds: BTreeMap<i64, FeedRecord>,
    members: Vec<MemberRow>,
    /// Of each entry that was ever shown.
    uuids: HashMap<i64, Uuid>,
    withdrawn: Vec<Withdrawn>,
    /// Feed and entry of each withdrawal that is told.
    tombstones: HashSet<(i64, i64)>,
}

/// A withdrawn entry.
struct Withdrawn {
    row: EntryRow,
    kept: Option<KeptRow>,
    file: Option<FileRow>,
}

/// The numbers of all entries that can be reached, and what is taken over of those that are whole.
pub(super) fn what_is_whole(old: &Connection) -> (BTreeSet<i64>, Carried) {
    let mut carried = Carried::default();
    let mut numbers = BTreeSet::new();
    let mut withdrawn = BTreeMap::new();
    let mut members = BTreeMap::new();
    let places = &mut carried.places;
    // From both ends: a page that is cut off stops a scan from one side.
    for direction in ["ASC", "DESC"] {
        each(old, &format!("SELECT {ENTRY_COLUMNS} FROM entry e ORDER BY e.entry {direction}"), |row| {
            if let Ok(number) = row.get(0) {
                numbers.insert(number);
            }
            let Ok(row) = EntryRow::read(row, 0) else { return };
            let Ok(released) = row.released() else { return };
            places.uuids.insert(row.entry, released.uuid);
            let entry = (row.rev, released);
            if row.state == State::Withdrawn {
                carried.entries.entry(row.path.clone()).or_insert(entry);
                withdrawn.insert(row.entry, row);
            } else {
                carried.entries.insert(row.path.clone(), entry);
            }
        });
        each(old, &format!("SELECT {FEED_COLUMNS} FROM feed f ORDER BY f.feed {direction}"), |row| {
            if let Ok(record) = FeedRecord::read(row) {
                carried.feeds.insert(record.key.clone(), (record.updated, record.modified));
                places.feeds.insert(record.feed, record);
            }
        });
        let order = format!("m.feed {direction}, m.position {direction}, m.sequence {direction}");
        each(old, &format!("SELECT {MEMBER_COLUMNS} FROM member m ORDER BY {order}"), |row| {
            if let Ok(member) = MemberRow::read(row, 0) {
                members.insert((member.feed, member.entry), member);
            }
        });
        each(old, &format!("SELECT feed, entry FROM tombstone ORDER BY feed {direction}"), |row| {
            if let (Ok(feed), Ok(entry)) = (row.get(0), row.get(1)) {
                places.tombstones.insert((feed, entry));
            }
        });
    }
    places.members = members.into_values().collect();
    let kept = |entry| {
        let mut statement =
            old.prepare_cached(&format!("SELECT {KEPT_COLUMNS} FROM kept k WHERE k.entry = ?1")).ok()?;
        let mut rows = statement.query([entry]).ok()?;
        KeptRow::read(rows.next().ok()??, 0).ok()
    };
    places.withdrawn = withdrawn
        .into_values()
        .map(|row| Withdrawn {
            kept: kept(row.entry),
            file: FileRow::get(old, &row.path).ok().flatten().filter(|file| file.entry == Some(row.entry)),
            row,
        })
        .collect();
    for name in ["inbox", "device", "suspended", "site_id"] {
        if let Ok(Some(value)) = meta(old, name) {
            carried.meta.push((name, value));
        }
    }
    (numbers, carried)
}

/// Calls `take` with each row up to the first that cannot be reached.
fn each(connection: &Connection, sql: &str, mut take: impl FnMut(&rusqlite::Row<'_>)) {
    let Ok(mut statement) = connection.prepare(sql) else { return };
    let Ok(mut rows) = statement.query([]) else { return };
    while let Ok(Some(row)) = rows.next() {
        take(row);
    }
}

/// An entry whose rows are whole, as if its file were read now.
pub(super) fn save(old: &Connection, number: i64, settings: &Settings) -> Option<SeenFile> {
    let row = EntryRow::get(old, number).ok()??;
    let kept = KeptRow::get(old, number).ok()??;
    if row.entry != number || revision(&kept.article) != row.rev || row.state == State::Withdrawn {
        return None;
    }
    let bytes = kept.kept.open().ok()?;
    let fingerprint = FileRow::get(old, &row.path).ok().flatten().and_then(|file| file.fingerprint);
    let fingerprint = fingerprint.unwrap_or(Fingerprint { size: bytes.len() as u64, mtime: 0, ctime: 0, inode: 0 });
    let hash = file_hash(&bytes);
    let mut parsed = crate::article::parse(SourceFile { path: &row.path, bytes: &bytes }, &settings.rules);
    parsed.article = Some(kept.article);
    drop(bytes);
    let under = settings.rules.digest();
    Some(SeenFile { path: row.path, fingerprint, hash, under, kept: kept.kept, parsed })
}

impl Places {
    /// Puts entries of a catalog that was made anew where they stood: withdrawn ones too.
    ///
    /// # Errors
    ///
    /// Where the new catalog cannot be written.
    pub(super) fn restore(&self, connection: &Connection, now: Seconds) -> Result<(), Error> {
        if self.feeds.is_empty() {
            return Ok(());
        }
        let feeds = self.restore_feeds(connection, now)?;
        let entries = self.restore_entries(connection)?;
        let mut restored: HashMap<i64, Vec<(MemberRow, i64)>> = HashMap::new();
        for old in &self.members {
            let (Some(&feed), Some(entry)) = (feeds.get(&old.feed), entries.get(&old.entry)) else { continue };
            let at = entry.released()?;
            let live = match member_of(connection, entry.entry, feed)? {
                Some(member) => member.live,
                None if entry.state == State::Withdrawn && old.live == WITHDRAWN => WITHDRAWN,
                None => LOST,
            };
            let (position, sequence) = (at.position, at.sequence);
            let member = MemberRow { feed, position, sequence, entry: entry.entry, page: old.page, live };
            member.put(connection)?;
            restored.entry(feed).or_default().push((member, entry.size));
            if live == WITHDRAWN && self.tombstones.contains(&(old.feed, old.entry)) {
                let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO tombstone VALUES(?1, ?2, ?3)")?;
                statement.execute([feed, entry.changed, entry.entry])?;
            }
        }
        for (old, &feed) in &feeds {
            if let Some(members) = restored.remove(&feed) {
                deal_the_others(connection, &self.feeds[old], feed, &members)?;
            }
        }
        Ok(())
    }

    /// Makes the feeds that have no entry left, and gives the new numbers of all.
    fn restore_feeds(&self, connection: &Connection, now: Seconds) -> Result<BTreeMap<i64, i64>, Error> {
        let mut numbers = BTreeMap::new();
        let mut made = Feeds::default();
        for (&old, record) in &self.feeds {
            let feed = match FeedRecord::get(connection, &record.key)? {
                Some(found) => found.feed,
                None => {
                    made.ensure(connection, &record.key, now)?;
                    let new = found(connection, &record.key)?;
                    let new = FeedRecord { updated: record.updated, modified: record.modified, ..new };
                    new.put(connection)?;
                    new.feed
                }
            };
            numbers.insert(old, feed);
        }
        Ok(numbers)
    }

    /// Adds the withdrawn entries that did not come back, and gives the new rows of all that were ever shown.
    fn restore_entries(&self, connection: &Connection) -> Result<HashMap<i64, EntryRow>, Error> {
        let mut entries = HashMap::new();
        for (&old, uuid) in &self.uuids {
            let found = EntryRow::find(connection, "e.uuid = ?1", params![uuid.as_bytes().as_slice()])?;
            entries.extend(found.map(|row| (old, row)));
        }
        let mut gone: Vec<&Withdrawn> =
            self.withdrawn.iter().filter(|withdrawn| !entries.contains_key(&withdrawn.row.entry)).collect();
        gone.sort_by_key(|withdrawn| (withdrawn.row.position, withdrawn.row.sequence));
        let last = |column: &str| -> Result<i64, Error> {
            let sql = format!("SELECT ifnull(max({column}), 0) FROM entry");
            Ok(connection.query_row(&sql, [], |row| row.get(0))?)
        };
        let (mut entry, mut sequence) = (last("entry")?, last("sequence")?);
        for withdrawn in gone {
            let taken = EntryRow::find(connection, "e.id = ?1", params![withdrawn.row.id])?;
            if taken.is_some() {
                continue;
            }
            (entry, sequence) = (entry + 1, sequence + 1);
            let row = EntryRow { entry, sequence: Some(sequence), ..withdrawn.row.clone() };
            withdrawn.restore_file(connection, entry)?;
            row.put(connection)?;
            if let Some(kept) = &withdrawn.kept {
                KeptRow::put(connection, entry, &NO_RULES, &kept.kept, &kept.article)?;
            }
            let until = row.changed + TOMBSTONE_LIFE.num_seconds();
            connection.prepare_cached("INSERT OR REPLACE INTO due VALUES(?1, ?2, ?3)")?.execute([
                until,
                entry,
                What::Forget as i64,
            ])?;
            entries.insert(withdrawn.row.entry, row);
        }
        Ok(entries)
    }
}

impl Withdrawn {
    /// Gives the entry its file again, unless another article has it by now.
    fn restore_file(&self, connection: &Connection, entry: i64) -> Result<(), Error> {
        let path = &self.row.path;
        let file = match (FileRow::get(connection, path)?, &self.file) {
            (Some(file), _) => {
                let Some(held) = file.entry else { return Ok(()) };
                let row = EntryRow::get(connection, held)?;
                if row.is_none_or(|row| row.state != State::Held || row.path != *path) {
                    return Ok(());
                }
                // A file that its author withholds: it was this entry's, and is read again as that.
                for table in ["entry", "kept", "due"] {
                    connection.execute(&format!("DELETE FROM {table} WHERE entry = ?1"), [held])?;
                }
                FileRow { fingerprint: None, hash: None, entry: Some(entry), missing: None }
            }
            (None, Some(file)) => FileRow { entry: Some(entry), ..file.clone() },
            (None, None) => return Ok(()),
        };
        file.put(connection, path)
    }
}

fn found(connection: &Connection, key: &Key) -> Result<FeedRecord, Error> {
    FeedRecord::get(connection, key)?.ok_or_else(|| Error::Damaged {
        path: super::schema::FILE.to_owned(),
        what: format!("the feed {key} cannot be found"),
    })
}

fn member_of(connection: &Connection, entry: i64, feed: i64) -> Result<Option<MemberRow>, Error> {
    let members = MemberRow::of_entry(connection, entry)?;
    Ok(members.into_iter().find(|member| member.feed == feed))
}

/// Deals the members of a feed that were not saved, or are new, to its open page, and writes down which that is.
fn deal_the_others(
    connection: &Connection,
    old: &FeedRecord,
    feed: i64,
    restored: &[(MemberRow, i64)],
) -> Result<(), Error> {
    let mut record = found(connection, &old.key)?;
    record.page = restored.iter().map(|(member, _)| member.page).max().unwrap_or(1).max(old.page);
    (record.page_entries, record.page_bytes) = (old.page_entries, old.page_bytes);
    let known: HashSet<i64> = restored.iter().map(|(member, _)| member.entry).collect();
    let mut others = Vec::new();
    let sql = format!(
        "SELECT {MEMBER_COLUMNS}, e.size FROM member m JOIN entry e ON e.entry = m.entry
         WHERE m.feed = ?1 ORDER BY m.position, m.sequence"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([feed])?;
    while let Some(row) = rows.next()? {
        let member = MemberRow::read(row, 0)?;
        if !known.contains(&member.entry) && member.live == LIVE {
            others.push((member, row.get::<_, i64>(7)?));
        }
    }
    drop(rows);
    for (mut member, size) in others {
        member.page = deal(&mut record, size);
        member.put(connection)?;
    }
    record.put(connection)
}
