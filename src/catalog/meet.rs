//! Which entry a file is: the order in which identity is decided.
//!
//! A file meets its entry by 1 explicit id, 2 path, 3 seed, 4 body, 5 inode. By all but the path only an entry whose
//! own file is gone or now holds another article; otherwise the file is a twin (same seed, same body) or its identity
//! collides. During a wipe and rewrite the file system hands old inodes to other names, and in real blogs most files
//! share their date with another: hence the further conditions of 4 and 5.

use rusqlite::{Connection, params};

use super::row::{EntryRow, KeptRow, State, join, short, split, timestamp};
use super::{Error, Look, SeenFile, Stands};
use crate::article::Article;
use crate::entry::{Namespace, Seed, normal_title};

/// A body with less text than this identifies nothing.
const TELLING_BODY: u32 = 64;

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Meeting {
    /// A new article.
    New {
        /// Its seed.
        seed: Seed,
    },
    /// A new article whose seed is another entry's.
    Collision {
        /// With the path mixed in.
        seed: Seed,
        /// The other entry's file.
        with: String,
    },
    /// A version of this entry.
    Entry(Box<EntryRow>),
    /// The same article as this entry, whose own file is still there.
    Twin(Box<EntryRow>),
    /// The path's entry got an explicit id: it is to be withdrawn, and this is a new entry.
    Renamed {
        /// The explicit id.
        seed: Seed,
        /// The entry that has the path so far.
        old: Box<EntryRow>,
    },
}

/// The hash by which seeds are found.
pub(super) fn seed_hash(seed: &Seed) -> [u8; 16] {
    short(blake3::hash(seed.text().as_bytes()).as_bytes())
}

/// Decides which entry a file is. `known` is the entry that the path has so far.
pub(super) fn meet(
    connection: &Connection,
    namespace: &Namespace,
    file: &SeenFile,
    article: &Article,
    known: Option<EntryRow>,
    look: Option<&Look>,
) -> Result<Meeting, Error> {
    let own_file = |entry: &EntryRow| own_file(connection, namespace, entry, &file.path, look);
    let is_gone = |entry: &EntryRow| own_file(entry).map(|own| own == OwnFile::Gone);
    let seed = Seed::of(article, &file.path);
    let hash = seed_hash(&seed);
    let by_seed = by_seed(connection, namespace, &seed, &hash)?;
    let body = short(&article.body.hash);

    // 1. An explicit id is stronger than the path.
    if seed.is_explicit() {
        match (&by_seed, &known) {
            (Some(found), Some(known)) if found.entry == known.entry => {
                return Ok(Meeting::Entry(Box::new(found.clone())));
            }
            (None, Some(known)) if known.state == State::Shown && known.path == file.path => {
                return Ok(Meeting::Renamed { seed, old: Box::new(known.clone()) });
            }
            _ => {}
        }
    } else if let Some(known) = &known {
        // 2. The path, unless another article was put there.
        let of_another = by_seed.as_ref().is_some_and(|found| found.entry != known.entry) && known.seed != hash;
        if !of_another && !differs_in_all(connection, known, article, &body)? {
            return Ok(Meeting::Entry(Box::new(known.clone())));
        }
    }

    // 1 and 3. The id or the seed.
    if let Some(found) = by_seed {
        let OwnFile::There { body: there } = own_file(&found)? else {
            return Ok(Meeting::Entry(Box::new(found)));
        };
        // Also where both files hold an edit of which only this one was told yet.
        if found.body == body || there == body {
            return Ok(Meeting::Twin(Box::new(found)));
        }
        return Ok(Meeting::Collision { seed: seed.with_path(&file.path), with: found.path });
    }
    if seed.is_explicit() {
        return Ok(Meeting::New { seed });
    }

    // 4. The body.
    if article.body.text_bytes >= TELLING_BODY {
        for found in candidates(connection, "e.body = ?1", params![body.as_slice()])? {
            if known.as_ref().is_some_and(|known| known.entry == found.entry) {
                continue;
            }
            let same = same_date(&found, article)
                || KeptRow::get(connection, found.entry)?.is_some_and(|old| same_title(&old.article, article));
            // Last, because it may mean to read a file, and some exporters write one body a thousand times.
            if same && is_gone(&found)? {
                return Ok(Meeting::Entry(Box::new(found)));
            }
        }
    }

    // 5. The inode.
    let by_inode = "e.entry IN (SELECT entry FROM file WHERE inode = ?1 AND missing IS NOT NULL)";
    for found in candidates(connection, by_inode, params![file.fingerprint.inode as i64])? {
        if known.as_ref().is_none_or(|known| known.entry != found.entry) && is_gone(&found)? {
            let old = KeptRow::get(connection, found.entry)?;
            if found.body == body || old.is_some_and(|old| same_title(&old.article, article)) {
                return Ok(Meeting::Entry(Box::new(found)));
            }
        }
    }
    Ok(Meeting::New { seed })
}

/// The entry that has an id made from this seed, or whose article now has this seed.
fn by_seed(
    connection: &Connection,
    namespace: &Namespace,
    seed: &Seed,
    hash: &[u8; 16],
) -> Result<Option<EntryRow>, Error> {
    let by_id = EntryRow::find(connection, "e.id = ?1", params![namespace.entry_id(seed).as_str()])?;
    match by_id {
        Some(found) => Ok(Some(found)),
        None => EntryRow::find(connection, "e.seed = ?1", params![hash.as_slice()]),
    }
}

fn candidates(connection: &Connection, condition: &str, params: impl rusqlite::Params) -> Result<Vec<EntryRow>, Error> {
    let sql = format!("SELECT {} FROM entry e WHERE {condition} ORDER BY e.path LIMIT 8", super::row::ENTRY_COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(EntryRow::read(row, 0)?);
    }
    Ok(found)
}

/// What has become of an entry's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnFile {
    /// It is missing, or is the file at hand, or now holds another article.
    Gone,
    /// It holds the entry's article, with this body.
    There { body: [u8; 16] },
}

/// Looks for an entry's own file.
///
/// What the catalog was told last may be behind: a file is read as it is, before all that happened to others was told.
fn own_file(
    connection: &Connection,
    namespace: &Namespace,
    entry: &EntryRow,
    path: &str,
    look: Option<&Look>,
) -> Result<OwnFile, Error> {
    if entry.path == path {
        return Ok(OwnFile::Gone);
    }
    let (folder, name) = split(&entry.path);
    let mut statement = connection.prepare_cached("SELECT entry, missing FROM file WHERE folder = ?1 AND name = ?2")?;
    let mut rows = statement.query([folder, name])?;
    let there = match rows.next()? {
        None => false,
        Some(row) => row.get::<_, Option<i64>>(0)? == Some(entry.entry) && row.get::<_, Option<i64>>(1)?.is_none(),
    };
    if !there {
        return Ok(OwnFile::Gone);
    }
    Ok(match look.map(|look| look(&entry.path)) {
        None | Some(Stands::Unknown) => OwnFile::There { body: entry.body },
        Some(Stands::Nothing) => OwnFile::Gone,
        Some(Stands::Article(article)) => {
            let seed = Seed::of(&article, &entry.path);
            let hash = seed_hash(&seed);
            let body = short(&article.body.hash);
            let owner = by_seed(connection, namespace, &seed, &hash)?;
            let of_another = owner.is_some_and(|owner| owner.entry != entry.entry && hash != entry.seed);
            if of_another || differs_in_all(connection, entry, &article, &body)? {
                OwnFile::Gone
            } else {
                OwnFile::There { body }
            }
        }
    })
}

/// Whether neither title nor date nor body are what the entry has.
fn differs_in_all(
    connection: &Connection,
    entry: &EntryRow,
    article: &Article,
    body: &[u8; 16],
) -> Result<bool, Error> {
    if entry.body == *body || same_date(entry, article) {
        return Ok(false);
    }
    Ok(match KeptRow::get(connection, entry.entry)? {
        Some(old) => !same_title(&old.article, article) && old.article.published != article.published,
        None => true,
    })
}

fn same_title(a: &Article, b: &Article) -> bool {
    normal_title(&a.title) == normal_title(&b.title)
}

fn same_date(entry: &EntryRow, article: &Article) -> bool {
    article.published.is_some() && entry.published.map(timestamp) == article.published
}

/// Files of an entry that are there, other than one, in the order of their paths.
pub(super) fn other_files(connection: &Connection, entry: i64, than: &str) -> Result<Vec<String>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT folder, name FROM file WHERE entry = ?1 AND missing IS NULL")?;
    let mut rows = statement.query([entry])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let path = join(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?);
        if path != than {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
