//! The schema, its versions, and how connections are opened.
//!
//! `PRAGMA user_version` is the schema version. A migration is one entry of [`MIGRATIONS`]. All that are needed run on a
//! copy, which takes the place of the old file when it is whole; the old file is kept beside it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Error;

/// The schema that this release writes.
pub(super) const VERSION: i64 = 2;

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
CREATE INDEX entry_body ON entry(body, path);
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

/// Brings a catalog from one schema to the next. Where a row gets other columns, its checksum is made anew too.
type Migration = fn(&Connection) -> Result<(), Error>;

/// What brings schema N (counted from 1) to N + 1, in this order.
const MIGRATIONS: &[Migration] = &[
    // To 2: rows are written with another checksum. Those that are there keep theirs, which proves them as before; an
    // older release would take the new ones for damage.
    |_| Ok(()),
];

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
    let found = version(&connection)?;
    if found != VERSION {
        migrate(connection, path, found, MIGRATIONS)?;
        connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Checkpoints are made between transactions, never inside somebody's commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEEPS)?;
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
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    // With 512 KiB an update at 100,000 articles takes a tenth longer, and 3 MiB are saved in all.
    connection.pragma_update(None, "cache_size", -2048)?;
    Ok(connection)
}

/// Has statements keep their plans whatever is bound to them. Else SQLite prepares many of them anew each time they are
/// used, in the hope of a better plan by what ANALYZE found, which is never run here.
pub(super) fn keep_plans(connection: &Connection) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Migrates a copy and puts it in the place of the old file, which is kept as `catalog.sqlite.vN`. A crash or an error
/// leaves the old file where it is.
fn migrate(old: Connection, path: &Path, found: i64, migrations: &[Migration]) -> Result<(), Error> {
    let newest = migrations.len() as i64 + 1;
    if found > newest {
        return Err(Error::Newer { path: path.display().to_string(), found, known: newest });
    }
    let steps = usize::try_from(found - 1).ok().and_then(|known| migrations.get(known..));
    let Some(steps) = steps else {
        let what = "it has no schema: it is not a catalog".to_owned();
        return Err(Error::Damaged { path: path.display().to_string(), what });
    };
    let io = |source| Error::Io { dir: path.display().to_string(), source };
    let fresh = super::load::fresh(path).map_err(io)?;
    old.execute("VACUUM INTO ?1", [fresh.display().to_string()])?;
    // What is kept is to be whole without its log.
    old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(old);
    let mut copy = Connection::open(&fresh)?;
    let transaction = copy.transaction()?;
    for step in steps {
        step(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(io)?;
    let kept = path.with_extension(format!("sqlite.v{found}"));
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    // By a link where there are links, so that the name never stands empty.
    fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(|_| ())).map_err(io)?;
    super::load::put_in_place(&fresh, path)?;
    tracing::info!(from = found, to = newest, kept = %kept.display(), "the catalog was migrated; the old one is kept");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{START, settings, text};
    use rusqlite::Row;

    use super::super::{Catalog, Now, row};
    use super::*;
    use crate::entry::{Document, Format, Key, Material};

    /// To a schema in which entries have stars: with a table of its own, then with a first row of it.
    const TO_STARS: &[Migration] = &[
        |catalog| Ok(catalog.execute_batch("CREATE TABLE star(entry INTEGER PRIMARY KEY) WITHOUT ROWID")?),
        |catalog| Ok(catalog.execute_batch("INSERT INTO star SELECT min(entry) FROM entry")?),
    ];
    const FAILS: &[Migration] = &[TO_STARS[0], |_| Err(Error::Refused("the second step fails".to_owned()))];

    /// A catalog of three articles, one of them only in its log.
    fn catalog(dir: &Path) -> std::path::PathBuf {
        let now = Now { wall: row::timestamp(START), steady: Duration::ZERO };
        let mut files = ["One", "Two"].map(|title| text(title, START - 9).seen(&format!("{title}.md"), 1)).into_iter();
        let mut catalog = Catalog::load(dir, settings(), now, &mut files).expect("a catalog");
        catalog.apply(now, vec![text("Three", START - 8).seen("Three.md", 3)]).expect("a commit");
        // As a crash leaves it.
        std::mem::forget(catalog);
        let path = dir.join(FILE);
        let old = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened");
        old.pragma_update(None, "user_version", 1).expect("writable");
        path
    }

    fn entries(path: &Path) -> Vec<String> {
        let readers = super::super::Readers::new(path.to_owned(), &settings());
        let all = Document::Feed(Key::all(), Format::Rss);
        let material = readers.read(|reader| reader.material(&all)).expect("readable");
        let Some((_, Material::Feed(feed))) = material else { panic!("no feed") };
        feed.entries.iter().map(|entry| format!("{} {}", entry.id.as_str(), entry.published)).collect()
    }

    fn version_of(path: &Path) -> i64 {
        version(&open(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database")).expect("a version")
    }

    #[test]
    fn an_older_catalog_is_migrated_on_a_copy_and_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = catalog(dir.path());
        let before = entries(&path);
        assert_eq!(before.len(), 3);
        // A copy that was left half by a crash.
        fs::write(path.with_extension("sqlite.new"), "half").expect("written");
        migrate(open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened"), &path, 1, TO_STARS).expect("migrated");
        assert_eq!(version_of(&path), 3);
        let stars: i64 = open(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|catalog| Ok(catalog.query_row("SELECT count(*) FROM star", [], |row| row.get(0))?))
            .expect("both steps ran");
        assert_eq!(stars, 1);
        assert_eq!(entries(&path), before);
        let kept = path.with_extension("sqlite.v1");
        assert_eq!((version_of(&kept), entries(&kept)), (1, before));
        assert!(!path.with_extension("sqlite.new").exists());
        // And from the schema between, only what is missing runs.
        let between = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened");
        between.pragma_update(None, "user_version", 2).expect("set");
        migrate(between, &path, 2, TO_STARS).expect_err("the star is there already");
        assert_eq!(version_of(&path), 2, "the old file stays");
    }

    /// Gives every row the checksum that schema 1 had; tells how many there are.
    fn to_schema_1(path: &Path) -> usize {
        let catalog = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened");
        let mut rows = 0;
        let mut each = |table: &str, columns: &str, sum: &dyn Fn(&Row<'_>) -> Result<row::Sum, Error>| {
            let mut statement = catalog.prepare(&format!("SELECT {columns} FROM {table} {}", &table[..1]))?;
            let mut found = statement.query([])?;
            let mut sums = Vec::new();
            while let Some(row) = found.next()? {
                sums.push(sum(row)?);
            }
            rows += sums.len();
            for sum in sums {
                let sql = format!("UPDATE {table} SET sum = ?1 WHERE sum = ?2");
                assert_eq!(catalog.execute(&sql, [sum.in_schema_1(), sum.value()])?, 1);
            }
            Ok::<(), Error>(())
        };
        each("feed", row::FEED_COLUMNS, &|row| Ok(row::FeedRecord::read(row)?.sum(&row.get::<_, String>(1)?)))
            .and_then(|()| each("entry", row::ENTRY_COLUMNS, &|row| Ok(row::EntryRow::read(row, 0)?.sum())))
            .and_then(|()| each("member", row::MEMBER_COLUMNS, &|row| Ok(row::MemberRow::read(row, 0)?.sum())))
            .and_then(|()| {
                each("kept", row::KEPT_COLUMNS, &|row| {
                    let (rules, bytes): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(3)?);
                    let json: String = row.get(4)?;
                    Ok(row::KeptRow::sum(row.get(0)?, &rules, row.get(2)?, &bytes, &json))
                })
            })
            .expect("whole rows");
        rows
    }

    #[test]
    fn rows_of_schema_1_are_proven_by_the_checksum_that_they_have() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = catalog(dir.path());
        let before = entries(&path);
        assert!(to_schema_1(&path) > 10);
        let mut catalog = Catalog::open(dir.path(), settings()).expect("it is migrated");
        assert_eq!((version_of(&path), entries(&path)), (VERSION, before.clone()));
        assert_eq!(super::super::mend::damage(&catalog.connection).expect("readable"), None);
        let now = Now { wall: row::timestamp(START), steady: Duration::ZERO };
        catalog.apply(now, vec![text("Four", START - 7).seen("Four.md", 4)]).expect("a commit");
        assert_eq!(entries(&path).len(), before.len() + 1);
        assert_eq!(super::super::mend::damage(&catalog.connection).expect("readable"), None, "both kinds in one file");
        catalog.connection.execute("UPDATE entry SET size = size + 1 WHERE path = 'One.md'", []).expect("one row");
        assert!(super::super::mend::damage(&catalog.connection).expect("readable").is_some());
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_catalog() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = catalog(dir.path());
        let before = entries(&path);
        let old = open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened");
        migrate(old, &path, 1, FAILS).expect_err("the second step");
        assert_eq!((version_of(&path), entries(&path)), (1, before));
        Catalog::open(dir.path(), settings()).expect("it opens as before");
    }

    #[test]
    fn other_schemas_are_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = catalog(dir.path());
        let open = || open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opened");
        assert!(matches!(migrate(open(), &path, 4, TO_STARS), Err(Error::Newer { found: 4, known: 3, .. })));
        assert!(matches!(migrate(open(), &path, 0, TO_STARS), Err(Error::Damaged { .. })));
        assert!(matches!(migrate(open(), &path, -7, TO_STARS), Err(Error::Damaged { .. })));
        assert_eq!(VERSION, MIGRATIONS.len() as i64 + 1);
    }
}
