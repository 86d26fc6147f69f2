//! The schema, its versions, and how connections are opened.
//!
//! `PRAGMA user_version` is the schema version. A migration is one entry of [`MIGRATIONS`]; it runs in a transaction
//! on the writer's connection, after a copy of the file was kept beside it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Error;

/// The schema that this release writes.
pub(super) const VERSION: i64 = 1;

/// Tables, without the indexes: the cold load makes those last.
pub(super) const TABLES: &str = "
-- One value a name: site, inbox, the state of rule 14.
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- An entry: an article's identity and place. id, uuid, sequence and position are NULL until it is released.
-- state: 0 held, 1 shown, 2 withdrawn. Times are seconds since 1970.
CREATE TABLE entry(
  entry INTEGER PRIMARY KEY, id TEXT, uuid BLOB, seed BLOB NOT NULL, body BLOB NOT NULL, state INTEGER NOT NULL,
  sequence INTEGER, position INTEGER, published INTEGER, updated INTEGER, changed INTEGER NOT NULL,
  rev BLOB NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL, sum INTEGER NOT NULL);

-- What was accepted: the bytes of the file, what was read from them (JSON), and under which rules.
CREATE TABLE kept(
  entry INTEGER PRIMARY KEY, rules BLOB NOT NULL, codec INTEGER NOT NULL, bytes BLOB NOT NULL,
  article TEXT NOT NULL, sum INTEGER NOT NULL);

-- A file of the inbox as it was last seen; size is NULL where it must be read again. missing: since when.
CREATE TABLE file(
  folder TEXT NOT NULL, name TEXT NOT NULL, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER,
  hash BLOB, entry INTEGER, missing INTEGER, PRIMARY KEY(folder, name)) WITHOUT ROWID;

-- Open diagnostics of a file, as JSON. severity: 0 note, 1 warning, 2 error.
CREATE TABLE problem(
  path TEXT NOT NULL, ordinal INTEGER NOT NULL, severity INTEGER NOT NULL, since INTEGER NOT NULL,
  diagnostic TEXT NOT NULL, PRIMARY KEY(path, ordinal)) WITHOUT ROWID;

-- A feed. page, page_entries, page_bytes: its open archive page. sort: the names in the order of lists.
CREATE TABLE feed(
  feed INTEGER PRIMARY KEY, key TEXT NOT NULL, kind INTEGER NOT NULL, sort TEXT NOT NULL, parent INTEGER,
  count INTEGER NOT NULL, updated INTEGER NOT NULL, modified INTEGER NOT NULL,
  page INTEGER NOT NULL, page_entries INTEGER NOT NULL, page_bytes INTEGER NOT NULL, sum INTEGER NOT NULL);

-- An entry's place in a feed. live: 0 the term was lost, 1 shown, 2 the entry is withdrawn. Rows are never deleted,
-- so that an entry that comes back is on the archive page where it was.
CREATE TABLE member(
  feed INTEGER NOT NULL, position INTEGER NOT NULL, sequence INTEGER NOT NULL, entry INTEGER NOT NULL,
  page INTEGER NOT NULL, live INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY(feed, position, sequence)) WITHOUT ROWID;

-- A withdrawn entry as a feed tells of it (RFC 6721).
CREATE TABLE tombstone(
  feed INTEGER NOT NULL, at INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(feed, at, entry)) WITHOUT ROWID;

-- What happens when. what: see the Rust enum.
CREATE TABLE due(
  at INTEGER NOT NULL, entry INTEGER NOT NULL, what INTEGER NOT NULL, PRIMARY KEY(at, entry, what)) WITHOUT ROWID;
";

/// The last of a feed's names, in small letters where they are ASCII: what is behind the last U+0001 of `sort`. The index
/// `feed_name` is by this very text.
pub(super) const LAST_NAME: &str = "lower(substr(sort, 1 + length(rtrim(sort, replace(sort, char(1), '')))))";

/// The indexes.
pub(super) const INDEXES: &str = "
CREATE UNIQUE INDEX entry_id ON entry(id);
CREATE UNIQUE INDEX entry_uuid ON entry(uuid);
CREATE UNIQUE INDEX entry_sequence ON entry(sequence);
CREATE INDEX entry_seed ON entry(seed);
CREATE INDEX entry_body ON entry(body);
CREATE INDEX entry_path ON entry(path);
CREATE INDEX file_entry ON file(entry);
CREATE INDEX file_inode ON file(inode);
CREATE INDEX problem_severity ON problem(severity, since);
CREATE UNIQUE INDEX feed_key ON feed(key);
CREATE INDEX feed_sort ON feed(kind, sort);
CREATE INDEX feed_count ON feed(kind, count);
CREATE INDEX feed_parent ON feed(parent, sort);
CREATE INDEX feed_name ON feed(kind, lower(substr(sort, 1 + length(rtrim(sort, replace(sort, char(1), ''))))));
CREATE UNIQUE INDEX member_entry ON member(entry, feed);
CREATE INDEX member_page ON member(feed, page);
CREATE INDEX tombstone_entry ON tombstone(entry);
CREATE INDEX due_entry ON due(entry);
";

/// What brings schema N (counted from 1) to N + 1.
const MIGRATIONS: &[&str] = &[];

/// The file's name in the state folder.
pub(super) const FILE: &str = "catalog.sqlite";

/// 8 KiB pages: a tenth faster than 4 KiB for rows of this size; 16 KiB writes too much WAL per commit.
pub(super) const PAGE_SIZE: u32 = 8192;

/// How long a connection waits for another one's lock.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// What the log keeps of its length when it is begun anew, in bytes: it does not stay as long as it ever was.
const LOG_KEEPS: i64 = 4 << 20;

/// Opens the writing connection of an existing catalog and brings it to [`VERSION`].
pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    super::point("catalog.open")?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints are made between transactions, never inside somebody's commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEEPS)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// How readers come to the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Access {
    /// As SQLite wants it: a reader of a WAL database has to be able to make the shared memory file.
    #[default]
    Usual,
    /// The folder cannot be written: what is beside the file is used as it is.
    ReadOnly,
    /// There is nothing beside it either. Nobody may write then.
    Immutable,
}

/// Opens a connection that can only read.
pub(super) fn open_reader(path: &Path, access: Access) -> Result<Connection, Error> {
    let connection = match access {
        Access::Usual => open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        Access::ReadOnly => open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        Access::Immutable => {
            let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{name}?immutable=1");
            open(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?
        }
    };
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens a connection that only copies the log.
pub(super) fn open_copier(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Opens what may be no whole database any more, to read from it what can be read.
pub(super) fn open_damaged(path: &Path) -> Result<Connection, Error> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Before all else: without it SQLite refuses a file that is shorter than its header says.
    connection.pragma_update(None, "writable_schema", true)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Sees that a catalog, opened for reading, is of this release.
pub(super) fn expect_version(connection: &Connection, path: &Path) -> Result<(), Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let path = path.display().to_string();
    match found {
        VERSION => Ok(()),
        found if found > VERSION => Err(Error::Newer { path, found, known: VERSION }),
        found => Err(Error::Damaged { path, what: format!("it has the schema {found} of an older release") }),
    }
}

/// How a catalog can be read whose folder cannot be written; `None` where it cannot be read either.
pub(super) fn find_access(path: &Path) -> Option<Access> {
    let reads = |access: &Access| {
        let version = open_reader(path, *access).and_then(|connection| version(&connection));
        version.is_ok_and(|version| version == VERSION)
    };
    let log_is_empty = std::fs::metadata(&super::load::beside(path)[0]).map_or(true, |log| log.len() == 0);
    let immutable = log_is_empty.then_some(Access::Immutable);
    [Access::ReadOnly].into_iter().chain(immutable).find(reads)
}

fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", -2048)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(Error::Newer { path: path.display().to_string(), found, known: VERSION });
    }
    if found == VERSION {
        return Ok(());
    }
    if found < 1 {
        return Err(Error::Damaged {
            path: path.display().to_string(),
            what: "it has no schema: it is not a catalog".to_owned(),
        });
    }
    let copy = path.with_extension(format!("sqlite.v{found}"));
    connection.execute("VACUUM INTO ?1", [copy.display().to_string()])?;
    let transaction = connection.transaction()?;
    for step in &MIGRATIONS[usize::try_from(found - 1).unwrap_or(0)..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    tracing::info!(from = found, to = VERSION, copy = %copy.display(), "the catalog was migrated; the old one is kept");
    Ok(())
}
