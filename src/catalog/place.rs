//! An entry's place in its feeds: memberships, archive pages, and the feeds' own rows.
//!
//! A membership keeps its archive page for ever. What a change touches is collected here and written once at the end
//! of the transaction, so that a burst of a thousand articles writes the row of `all` once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;

use super::row::{EntryRow, FEED_COLUMNS, FeedRecord, LIVE, LOST, MemberRow, Seconds, WITHDRAWN};
use super::{Delta, Error};
use crate::entry::Key;

/// A page closes at this many entries …
const PAGE_ENTRIES: i64 = 100;
/// … or at this many bytes of source.
const PAGE_BYTES: i64 = 384 * 1024;

/// Gives an entry of so many bytes a page of a feed: the open one, or the next where it is full.
pub(super) fn deal(record: &mut FeedRecord, size: i64) -> i64 {
    let full = record.page_entries >= PAGE_ENTRIES || record.page_bytes + size > PAGE_BYTES;
    if full && record.page_entries > 0 {
        record.page += 1;
        (record.page_entries, record.page_bytes) = (0, 0);
    }
    record.page_entries += 1;
    record.page_bytes += size;
    record.page
}

/// The rows of the feeds that a transaction touches.
#[derive(Default)]
pub(super) struct Feeds {
    by_key: HashMap<Key, FeedRecord>,
    by_number: HashMap<i64, Key>,
    dirty: BTreeSet<i64>,
}

impl Feeds {
    /// The feed of a key, made with its parents where it does not exist yet.
    fn of_key(&mut self, connection: &Connection, key: &Key, now: Seconds) -> Result<&mut FeedRecord, Error> {
        if !self.by_key.contains_key(key) {
            let record = match FeedRecord::get(connection, key)? {
                Some(record) => record,
                None => {
                    let parent = match key.parent() {
                        Some(parent) => Some(self.of_key(connection, &parent, now)?.feed),
                        None => None,
                    };
                    let record = FeedRecord {
                        feed: next_number(connection)?,
                        key: key.clone(),
                        parent,
                        count: 0,
                        // Until something was shown in it.
                        updated: 0,
                        modified: now,
                        page: 1,
                        page_entries: 0,
                        page_bytes: 0,
                    };
                    // Written at once: the next new feed takes the number after it.
                    record.put(connection)?;
                    record
                }
            };
            self.by_number.insert(record.feed, key.clone());
            self.by_key.insert(key.clone(), record);
        }
        self.by_key.get_mut(key).ok_or_else(|| lost(key))
    }

    /// The feed of a number that a membership names.
    fn of_number(&mut self, connection: &Connection, feed: i64) -> Result<&mut FeedRecord, Error> {
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.by_number.entry(feed) {
            let mut statement =
                connection.prepare_cached(&format!("SELECT {FEED_COLUMNS} FROM feed f WHERE f.feed = ?1"))?;
            let mut rows = statement.query([feed])?;
            let row = rows.next()?.ok_or_else(|| Error::Damaged {
                path: super::schema::FILE.to_owned(),
                what: format!("a membership names feed {feed}, which does not exist"),
            })?;
            let record = FeedRecord::read(row)?;
            vacant.insert(record.key.clone());
            self.by_key.insert(record.key.clone(), record);
        }
        let key = self.by_number[&feed].clone();
        self.by_key.get_mut(&key).ok_or_else(|| lost(&key))
    }

    /// Notes that a feed's documents change now, and show a change of this time.
    fn touch(&mut self, connection: &Connection, feed: i64, updated: Seconds, now: Seconds) -> Result<(), Error> {
        let record = self.of_number(connection, feed)?;
        record.updated = record.updated.max(updated);
        record.modified = record.modified.max(now);
        self.dirty.insert(feed);
        Ok(())
    }

    /// Makes sure that a feed exists, such as `all` and configured mixes.
    pub(super) fn ensure(&mut self, connection: &Connection, key: &Key, now: Seconds) -> Result<(), Error> {
        self.of_key(connection, key, now).map(|_| ())
    }

    /// Writes what was touched, and tells of it.
    pub(super) fn flush(&mut self, connection: &Connection, delta: &mut Delta) -> Result<(), Error> {
        for feed in std::mem::take(&mut self.dirty) {
            let record = &self.by_key[&self.by_number[&feed]];
            record.put(connection)?;
            delta.keys.insert(record.key.clone());
        }
        Ok(())
    }
}

/// Brings the memberships of a shown entry in line with its keys and its position.
///
/// `updated` is what the feeds show as their newest change.
pub(super) fn place(
    connection: &Connection,
    feeds: &mut Feeds,
    entry: &EntryRow,
    keys: &[Key],
    now: Seconds,
) -> Result<(), Error> {
    let at = entry.released()?;
    let mut before: BTreeMap<i64, MemberRow> =
        MemberRow::of_entry(connection, entry.entry)?.into_iter().map(|row| (row.feed, row)).collect();
    for key in keys {
        let record = feeds.of_key(connection, key, now)?;
        let feed = record.feed;
        let first_of_feed = record.count == 0 && record.page == 1 && record.page_entries == 0;
        let mut row = match before.remove(&feed) {
            Some(row) => row,
            None => {
                let page = deal(record, entry.size);
                MemberRow { feed, position: at.position, sequence: at.sequence, entry: entry.entry, page, live: LOST }
            }
        };
        if row.live != LIVE {
            record.count += 1;
        }
        if first_of_feed {
            // A new feed's time is that of its first entry, not of its row.
            record.updated = at.updated;
        }
        if (row.position, row.sequence) != (at.position, at.sequence) {
            row.delete(connection)?;
            (row.position, row.sequence) = (at.position, at.sequence);
        }
        row.live = LIVE;
        row.put(connection)?;
        feeds.touch(connection, feed, at.updated, now)?;
    }
    for mut row in before.into_values() {
        if row.live == LIVE {
            feeds.of_number(connection, row.feed)?.count -= 1;
            feeds.touch(connection, row.feed, Seconds::MIN, now)?;
        }
        if row.live != LOST || (row.position, row.sequence) != (at.position, at.sequence) {
            row.delete(connection)?;
            (row.position, row.sequence) = (at.position, at.sequence);
            row.live = LOST;
            row.put(connection)?;
        }
    }
    Ok(())
}

/// Takes an entry out of its feeds, each of which tells of it.
pub(super) fn withdraw(connection: &Connection, feeds: &mut Feeds, entry: i64, now: Seconds) -> Result<(), Error> {
    for mut row in MemberRow::of_entry(connection, entry)? {
        if row.live != LIVE {
            continue;
        }
        row.live = WITHDRAWN;
        row.put(connection)?;
        feeds.of_number(connection, row.feed)?.count -= 1;
        feeds.touch(connection, row.feed, now, now)?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO tombstone VALUES(?1, ?2, ?3)")?
            .execute([row.feed, now, entry])?;
    }
    Ok(())
}

/// Removes the tombstones of an entry; the feeds that had one change.
pub(super) fn forget_tombstones(
    connection: &Connection,
    feeds: &mut Feeds,
    entry: i64,
    now: Seconds,
) -> Result<(), Error> {
    let told: Vec<i64> = connection
        .prepare_cached("SELECT feed FROM tombstone WHERE entry = ?1")?
        .query_map([entry], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for feed in told {
        feeds.touch(connection, feed, Seconds::MIN, now)?;
    }
    connection.prepare_cached("DELETE FROM tombstone WHERE entry = ?1")?.execute([entry])?;
    Ok(())
}

fn next_number(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.prepare_cached("SELECT ifnull(max(feed), 0) + 1 FROM feed")?.query_row([], |row| row.get(0))?)
}

fn lost(key: &Key) -> Error {
    Error::Damaged { path: super::schema::FILE.to_owned(), what: format!("the feed {key} cannot be found") }
}
