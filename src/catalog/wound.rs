//! Wounds: single rows that fail their checksum, and how one is put right.
//!
//! A row's other columns, and other rows, tell what each of its columns should be. One column at a time is exchanged
//! for what it should be; the row is right where its checksum then fits, and is left to a rebuild where none does.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row};

use super::apply::revision;
use super::meet::seed_hash;
use super::row::{ENTRY_COLUMNS, EntryRow, FEED_COLUMNS, FeedRecord, KEPT_COLUMNS, KeptRow, MEMBER_COLUMNS, MemberRow};
use super::row::{Seconds, State, join, short};
use super::{Error, Settings};
use crate::entry::{Codec, Kept, Seed};

/// A row that is damaged or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wound {
    Feed(i64),
    Entry(i64),
    /// Feed, position, sequence.
    Member(i64, Seconds, i64),
    /// The source of an entry.
    Kept(i64),
}

/// Every row that fails its checksum, in the order in which they can be mended.
pub(super) fn find(connection: &Connection) -> Result<Vec<Wound>, Error> {
    let mut wounds = Vec::new();
    scan(connection, &format!("SELECT {FEED_COLUMNS} FROM feed f"), |row| {
        note(FeedRecord::read(row), || Ok(Wound::Feed(row.get(0)?)), &mut wounds)
    })?;
    scan(connection, &format!("SELECT {ENTRY_COLUMNS} FROM entry e"), |row| {
        note(EntryRow::read(row, 0), || Ok(Wound::Entry(row.get(0)?)), &mut wounds)
    })?;
    scan(connection, &format!("SELECT {MEMBER_COLUMNS} FROM member m"), |row| {
        note(MemberRow::read(row, 0), || Ok(Wound::Member(row.get(0)?, row.get(1)?, row.get(2)?)), &mut wounds)
    })?;
    let mut sources = BTreeSet::new();
    scan(connection, &format!("SELECT {KEPT_COLUMNS} FROM kept k"), |row| {
        if KeptRow::read(row, 0).is_err() {
            sources.insert(row.get(0)?);
        }
        Ok(())
    })?;
    // Every article that is or will be shown has a source.
    scan(
        connection,
        "SELECT e.entry FROM entry e LEFT JOIN kept k ON k.entry = e.entry WHERE e.state < 2 AND k.entry IS NULL",
        |row| {
            sources.insert(row.get(0)?);
            Ok(())
        },
    )?;
    wounds.extend(sources.into_iter().map(Wound::Kept));
    Ok(wounds)
}

fn scan(connection: &Connection, sql: &str, mut take: impl FnMut(&Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

fn note<T>(
    read: Result<T, Error>,
    wound: impl FnOnce() -> Result<Wound, Error>,
    wounds: &mut Vec<Wound>,
) -> Result<(), Error> {
    if read.is_err() {
        wounds.push(wound()?);
    }
    Ok(())
}

/// What rows say of each other that cannot be; checksums do not notice a row that is gone.
pub(super) fn disagreement(connection: &Connection) -> Result<Option<String>, Error> {
    for (what, sql) in [
        (
            "the number of a feed's entries",
            "SELECT 1 FROM feed f WHERE f.count <> (SELECT count(*) FROM member m WHERE m.feed = f.feed AND m.live = 1)",
        ),
        (
            "the place of an entry",
            "SELECT 1 FROM member m LEFT JOIN entry e ON e.entry = m.entry WHERE e.entry IS NULL
               OR e.position <> m.position OR e.sequence <> m.sequence OR (m.live = 1 AND e.state <> 1)",
        ),
        ("the feed of a membership", "SELECT 1 FROM member m LEFT JOIN feed f ON f.feed = m.feed WHERE f.feed IS NULL"),
        (
            "the feed of all entries",
            "SELECT 1 FROM entry e WHERE e.state = 1
               AND NOT EXISTS (SELECT 1 FROM member m WHERE m.entry = e.entry AND m.feed = 1 AND m.live = 1)",
        ),
        (
            "a withdrawal",
            "SELECT 1 FROM tombstone t LEFT JOIN entry e ON e.entry = t.entry
             WHERE e.entry IS NULL OR e.state <> 2 OR e.changed <> t.at",
        ),
    ] {
        if connection.query_row(&format!("{sql} LIMIT 1"), [], |_| Ok(())).optional()?.is_some() {
            return Ok(Some(format!("{what} is not what other rows say")));
        }
    }
    Ok(None)
}

/// Puts a row right if its checksum proves it; false where it does not.
pub(super) fn prove(connection: &Connection, settings: &Settings, wound: &Wound) -> Result<bool, Error> {
    match *wound {
        Wound::Feed(feed) => prove_feed(connection, feed),
        Wound::Entry(entry) => prove_entry(connection, settings, entry),
        Wound::Member(feed, position, sequence) => prove_member(connection, [feed, position, sequence]),
        Wound::Kept(_) => Ok(false),
    }
}

fn prove_feed(connection: &Connection, feed: i64) -> Result<bool, Error> {
    let sql = format!("SELECT {FEED_COLUMNS} FROM feed f WHERE f.feed = ?1");
    let (row, sum) = connection.prepare(&sql)?.query_row([feed], |row| Ok(FeedRecord::raw(row)))??;
    let number = |sql: &str| -> Result<i64, Error> {
        Ok(connection.prepare_cached(sql)?.query_row([feed], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0))
    };
    let all = "FROM member m JOIN entry e ON e.entry = m.entry WHERE m.feed = ?1";
    let open = format!("{all} AND m.page = (SELECT max(page) FROM member WHERE feed = ?1)");
    let parent = match row.key.parent() {
        Some(parent) => FeedRecord::get(connection, &parent)?.map(|parent| parent.feed),
        None => None,
    };
    let mut candidates = vec![
        FeedRecord { count: number("SELECT count(*) FROM member WHERE feed = ?1 AND live = 1")?, ..row.clone() },
        FeedRecord { updated: number(&format!("SELECT max(e.updated) {all}"))?, ..row.clone() },
        FeedRecord { modified: number(&format!("SELECT max(e.changed) {all}"))?, ..row.clone() },
        FeedRecord { modified: row.updated, ..row.clone() },
        FeedRecord { updated: row.modified, ..row.clone() },
        FeedRecord { page: number("SELECT max(page) FROM member WHERE feed = ?1")?, ..row.clone() },
        FeedRecord { page_entries: number(&format!("SELECT count(*) {open}"))?, ..row.clone() },
        FeedRecord { page_bytes: number(&format!("SELECT sum(e.size) {open}"))?, ..row.clone() },
        FeedRecord { parent, ..row.clone() },
    ];
    let right = candidates.drain(..).find(|row| row.sum(&row.key.to_string()).is(sum));
    right.map_or(Ok(false), |row| row.put(connection).map(|()| true))
}

fn prove_entry(connection: &Connection, settings: &Settings, entry: i64) -> Result<bool, Error> {
    let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry e WHERE e.entry = ?1");
    let (row, sum) = connection.prepare(&sql)?.query_row([entry], |row| Ok(EntryRow::raw(row, 0)))??;
    let mut candidates = Vec::new();
    for state in [State::Held, State::Shown, State::Withdrawn] {
        candidates.push(EntryRow { state, ..row.clone() });
    }
    let place: Option<(i64, i64)> = connection
        .query_row("SELECT position, sequence FROM member WHERE entry = ?1 LIMIT 1", [entry], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((position, sequence)) = place {
        candidates.push(EntryRow { position: Some(position), ..row.clone() });
        candidates.push(EntryRow { sequence: Some(sequence), ..row.clone() });
        candidates.push(EntryRow { published: Some(position), ..row.clone() });
    }
    candidates.push(EntryRow { updated: row.published, ..row.clone() });
    let mut paths = connection.prepare("SELECT folder, name FROM file WHERE entry = ?1")?;
    let paths = paths.query_map([entry], |row| Ok(join(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?)))?;
    for path in paths {
        candidates.push(EntryRow { path: path?, ..row.clone() });
    }
    for changed in [row.updated, row.published].into_iter().flatten() {
        candidates.push(EntryRow { changed, ..row.clone() });
    }
    let modified = "SELECT f.modified FROM feed f JOIN member m ON m.feed = f.feed WHERE m.entry = ?1";
    for changed in connection.prepare(modified)?.query_map([entry], |row| row.get(0))? {
        candidates.push(EntryRow { changed: changed?, ..row.clone() });
    }
    if let Ok(Some(kept)) = KeptRow::get(connection, entry) {
        let article = &kept.article;
        let seed = Seed::of(article, &row.path);
        let own = |at: Option<crate::article::Timestamp>| at.map(|at| at.timestamp());
        candidates.extend([
            EntryRow { seed: seed_hash(&seed), ..row.clone() },
            EntryRow { body: short(&article.body.hash), ..row.clone() },
            EntryRow { rev: revision(article), ..row.clone() },
            EntryRow { published: own(article.published), ..row.clone() },
            EntryRow { updated: own(article.updated), ..row.clone() },
            EntryRow { id: Some(settings.namespace.entry_id(&seed).as_str().to_owned()), ..row.clone() },
            EntryRow { uuid: Some(settings.namespace.uuid(&seed)), ..row.clone() },
        ]);
        if let Ok(bytes) = kept.kept.open() {
            candidates.push(EntryRow { size: bytes.len() as i64, ..row.clone() });
        }
    }
    let right = candidates.into_iter().find(|row| row.sum().is(sum));
    right.map_or(Ok(false), |row| row.put(connection).map(|()| true))
}

fn prove_member(connection: &Connection, place: [i64; 3]) -> Result<bool, Error> {
    let sql =
        format!("SELECT {MEMBER_COLUMNS} FROM member m WHERE m.feed = ?1 AND m.position = ?2 AND m.sequence = ?3");
    let (row, sum) = connection.prepare(&sql)?.query_row(place, |row| Ok(MemberRow::raw(row, 0)))??;
    let number = |sql: &str, of: i64| -> Result<Option<i64>, Error> {
        Ok(connection.prepare_cached(sql)?.query_row([of], |row| row.get(0)).optional()?)
    };
    let pages = number("SELECT page FROM feed WHERE feed = ?1", row.feed)?.unwrap_or(0);
    let mut candidates: Vec<MemberRow> = (1..=pages).map(|page| MemberRow { page, ..row }).collect();
    candidates.extend([0, 1, 2].map(|live| MemberRow { live, ..row }));
    if let Some(entry) = number("SELECT entry FROM entry WHERE sequence = ?1", row.sequence)? {
        candidates.push(MemberRow { entry, ..row });
    }
    let right = candidates.into_iter().find(|row| row.sum().is(sum));
    right.map_or(Ok(false), |row| row.put(connection).map(|()| true))
}

/// The bytes of a source whose row fails its checksum: they may be whole all the same.
pub(super) fn raw_source(connection: &Connection, entry: i64) -> Result<Option<Kept>, Error> {
    let found: Option<(u8, Vec<u8>)> = connection
        .prepare("SELECT codec, bytes FROM kept WHERE entry = ?1")?
        .query_row([entry], |row| Ok((row.get(0).ok(), row.get(1).ok())))
        .optional()?
        .and_then(|(codec, bytes)| codec.zip(bytes));
    Ok(found.and_then(|(codec, bytes)| Some(Kept { codec: Codec::from_number(codec)?, bytes })))
}
