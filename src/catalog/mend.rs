//! Mending: what is done when the file or a row of it turns out to be damaged.
//!
//! One step after the other, the next only where the one before was not enough: the indexes are made anew; a row is
//! put right, which counts only if its own checksum proves it or its source is read again; the file is set aside and
//! a new one made of every row that is whole and of the files of the inbox. Ids, dates and order stay what they were:
//! they come from the rows that were saved, and for the others from the rule of identity.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::apply::{Work, revision};
use super::files::FileRow;
use super::load;
use super::row::{EntryRow, KeptRow, State};
use super::wound::{self, Wound};
use super::{Catalog, Change, Error, Now, Settings, rules, salvage, schema};
use crate::article::{Hash, Parsed, SourceFile};

/// What follows the catalog's name in that of a damaged one; then comes the time.
const ASIDE: &str = ".damaged-";
/// How many damaged ones are kept.
const KEPT_ASIDE: usize = 3;

/// The files themselves, for what the catalog has lost.
pub trait Originals {
    /// What stands at a path now; `None` where that cannot be told.
    fn read(&self, path: &str) -> Option<Change>;
    /// The paths of all articles; none where the inbox cannot be read.
    fn paths(&self) -> Vec<String>;
}

/// What helped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing is damaged.
    Sound,
    /// The indexes were made anew, and so many rows put right.
    Mended {
        /// Whether an index was broken.
        indexes: bool,
        /// Rows that were put right.
        rows: usize,
    },
    /// A new catalog was made; the old file is kept here.
    Rebuilt(PathBuf),
    /// The file was removed, or another one was put at its name: it is there again, as it was.
    PutBack,
}

/// What SQLite finds wrong with the file; `None` where that is nothing.
pub(super) fn integrity(connection: &Connection) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare("PRAGMA integrity_check(3)")?;
    let said: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok((said != ["ok"]).then(|| said.join("; ")))
}

/// Anything that is wrong with the file, its rows, or what they say of each other.
pub(super) fn damage(connection: &Connection) -> Result<Option<String>, Error> {
    if let Some(what) = integrity(connection)? {
        return Ok(Some(what));
    }
    match wound::find(connection)?.first() {
        Some(wound) => Ok(Some(format!("a row fails its checksum: {wound:?}"))),
        None => wound::disagreement(connection),
    }
}

impl Catalog {
    /// What readers found damaged since this was asked last.
    pub fn take_damage(&self) -> Option<String> {
        self.readers.take_damage()
    }

    /// Whether its file still stands at its name; so it is where that cannot be told.
    pub fn is_there(&self) -> bool {
        let gone = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        match (self.file, super::place_of(&self.path)) {
            (None, _) => true,
            (Some(file), Some(there)) => file == there,
            (Some(_), None) => !fs::metadata(&self.path).is_err_and(gone),
        }
    }

    /// Writes the catalog anew at its name: what was removed is all there, as long as it is open.
    fn put_back(&mut self, now: Now) -> Result<Cure, Error> {
        let io = |source| Error::Io { dir: self.path.display().to_string(), source };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let fresh = load::fresh(&self.path).map_err(io)?;
        self.connection.execute("VACUUM INTO ?1", [fresh.display().to_string()])?;
        File::open(&fresh).and_then(|file| file.sync_all()).map_err(io)?;
        let placed = self.readers.shut_out(|| match self.path.try_exists() {
            Ok(true) => exchange(&fresh, &self.path, now).map(|aside| {
                tracing::warn!(aside = %aside.display(), "another file stood at the catalog's name; it is kept");
            }),
            _ => load::put_in_place(&fresh, &self.path),
        });
        placed?;
        // The last connection to a file removes the log of its name when it is closed: before the new one has a log.
        self.connection = Connection::open_in_memory()?;
        self.reopen()?;
        Ok(Cure::PutBack)
    }

    /// Puts right whatever is damaged. Readers go on with what is whole. Where nothing is found twice in a row although
    /// somebody says so, the catalog is made anew.
    ///
    /// # Errors
    ///
    /// Where the disk does not let it; nothing has changed then.
    pub fn mend(&mut self, now: Now, originals: &dyn Originals) -> Result<Cure, Error> {
        if !self.is_there() {
            return self.put_back(now);
        }
        match self.mend_in_place(now, originals) {
            Err(error) if error.is_damage() => {
                tracing::debug!(%error, "the catalog cannot be mended in place");
                self.replace(now, originals)
            }
            Ok(Cure::Sound) if std::mem::replace(&mut self.vain, true) => self.replace(now, originals),
            Ok(cure) => {
                self.vain = cure == Cure::Sound;
                Ok(cure)
            }
            failed => failed,
        }
    }

    /// One transaction, which does not happen where anything stays damaged.
    fn mend_in_place(&mut self, now: Now, originals: &dyn Originals) -> Result<Cure, Error> {
        let mut cure = Cure::Sound;
        self.work(now, |work| {
            let indexes = integrity(work.connection)?.is_some();
            if indexes {
                work.connection.execute_batch("REINDEX")?;
                if let Some(what) = integrity(work.connection)? {
                    return Err(beyond(what));
                }
            }
            let wounds = wound::find(work.connection)?;
            for wound in &wounds {
                work.heal(wound, originals)?;
            }
            work.feeds.flush(work.connection, &mut work.delta)?;
            if let Some(what) = wound::disagreement(work.connection)? {
                return Err(beyond(what));
            }
            if indexes || !wounds.is_empty() {
                cure = Cure::Mended { indexes, rows: wounds.len() };
            }
            Ok(false)
        })?;
        Ok(cure)
    }

    fn replace(&mut self, now: Now, originals: &dyn Originals) -> Result<Cure, Error> {
        // The last connection to a file removes the log of its name when it is closed: this one goes first.
        self.connection = Connection::open_in_memory()?;
        let made = renew(&self.path, &self.settings, &self.rules, now, originals);
        let aside = made.and_then(|fresh| self.readers.shut_out(|| exchange(&fresh, &self.path, now)));
        self.reopen()?;
        self.late = super::due::Late::new(&self.connection)?;
        self.reparsed = 0;
        self.vain = false;
        Ok(Cure::Rebuilt(aside?))
    }

    /// Makes a new catalog of what is left of a damaged one, which is set aside, and of the inbox.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn rebuild(dir: &Path, settings: Settings, now: Now, originals: &dyn Originals) -> Result<Catalog, Error> {
        let path = dir.join(schema::FILE);
        let fresh = renew(&path, &settings, &rules(&settings), now, originals)?;
        let aside = exchange(&fresh, &path, now)?;
        tracing::warn!(aside = %aside.display(), "the catalog was damaged and made anew; the old file is kept");
        Catalog::open(dir, settings)
    }
}

fn beyond(what: String) -> Error {
    Error::Damaged { path: schema::FILE.to_owned(), what }
}

impl Work<'_> {
    fn heal(&mut self, wound: &Wound, originals: &dyn Originals) -> Result<(), Error> {
        match wound {
            Wound::Kept(entry) => self.heal_source(*entry, originals),
            proven => match wound::prove(self.connection, self.settings, proven)? {
                true => Ok(()),
                false => Err(beyond(format!("{proven:?}"))),
            },
        }
    }

    /// The source of an entry: its bytes may still be whole, or its file is read again. Where neither is, the entry
    /// leaves the feeds until its file can be read.
    fn heal_source(&mut self, entry: i64, originals: &dyn Originals) -> Result<(), Error> {
        let Some(row) = EntryRow::get(self.connection, entry)? else {
            self.connection.prepare_cached("DELETE FROM kept WHERE entry = ?1")?.execute([entry])?;
            return Ok(());
        };
        let file = FileRow::get(self.connection, &row.path)?;
        if let Some(kept) = wound::raw_source(self.connection, entry)?
            && let Ok(bytes) = kept.open()
            && file.as_ref().is_some_and(|file| file.is_of(&bytes))
            && let Some(article) = self.parse(&row.path, &bytes).article.filter(|article| revision(article) == row.rev)
        {
            return KeptRow::put(self.connection, entry, &self.rules, &kept, &article);
        }
        let seen = match originals.read(&row.path) {
            Some(Change::Seen(seen)) => Some(seen),
            _ => None,
        };
        let article = seen.as_ref().and_then(|seen| seen.parsed.article.as_ref());
        if let (Some(seen), Some(article)) = (&seen, article)
            && revision(article) == row.rev
        {
            return KeptRow::put(self.connection, entry, &self.rules, &seen.kept, article);
        }
        self.connection.prepare_cached("DELETE FROM kept WHERE entry = ?1")?.execute([entry])?;
        FileRow::delete(self.connection, &row.path)?;
        match seen {
            // Another version by now: an edit like any other.
            Some(seen) if seen.parsed.article.is_some() => {
                let lost = FileRow { fingerprint: None, hash: None, entry: Some(entry), missing: None };
                lost.put(self.connection, &row.path)?;
                self.change(Change::Seen(seen))
            }
            _ => {
                tracing::warn!(path = row.path, "the text of an article is lost; it comes back with its file");
                if row.state == State::Shown {
                    self.withdraw(row)?;
                    // Readers keep the article: nothing was withdrawn by its author.
                    self.connection.prepare_cached("DELETE FROM tombstone WHERE entry = ?1")?.execute([entry])?;
                } else if row.state == State::Held {
                    for table in ["entry", "due"] {
                        self.connection.execute(&format!("DELETE FROM {table} WHERE entry = ?1"), [entry])?;
                    }
                }
                Ok(())
            }
        }
    }

    fn parse(&self, path: &str, bytes: &[u8]) -> Parsed {
        crate::article::parse(SourceFile { path, bytes }, &self.settings.rules)
    }
}

/// Makes a new file beside the damaged one.
fn renew(
    path: &Path,
    settings: &Settings,
    rules: &Hash,
    now: Now,
    originals: &dyn Originals,
) -> Result<PathBuf, Error> {
    // Where it is no database any more, nothing can be saved.
    let old = schema::open_damaged(path).ok();
    let (numbers, carried) = old.as_ref().map(salvage::what_is_whole).unwrap_or_default();
    let mut saved: HashSet<String> = HashSet::new();
    let mut rest: Option<std::vec::IntoIter<String>> = None;
    let mut numbers = numbers.into_iter();
    let mut files = std::iter::from_fn(|| {
        for number in numbers.by_ref() {
            if let Some(seen) = old.as_ref().and_then(|old| salvage::save(old, number, settings)) {
                saved.insert(seen.path.clone());
                return Some(Change::Seen(Box::new(seen)));
            }
        }
        let rest = rest.get_or_insert_with(|| originals.paths().into_iter());
        rest.find_map(|path| if saved.contains(&path) { None } else { originals.read(&path) })
    });
    load::make(path, settings, rules, now, &mut files, &carried)
}

/// Keeps the damaged file under another name and puts the new one in its place. Nobody may have either open.
fn exchange(fresh: &Path, path: &Path, now: Now) -> Result<PathBuf, Error> {
    let io = |source| Error::Io { dir: path.display().to_string(), source };
    let aside = PathBuf::from(format!("{}{ASIDE}{}", path.display(), now.wall.format("%Y%m%dT%H%M%S%3fZ")));
    for (old, new) in load::beside(path).iter().zip(load::beside(&aside)) {
        match fs::rename(old, new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    // By a link where there are links, so that the name never stands empty.
    fs::hard_link(path, &aside).or_else(|_| fs::rename(path, &aside)).map_err(io)?;
    load::put_in_place(fresh, path)?;
    forget_old(path);
    Ok(aside)
}

/// Removes all damaged files but the newest ones: damage that comes again and again must not fill the disk.
fn forget_old(path: &Path) {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return };
    let prefix = format!("{}{ASIDE}", name.display());
    let named = |entry: fs::DirEntry| entry.file_name().into_string().ok().filter(|name| name.starts_with(&prefix));
    let mut names: Vec<String> = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(named).collect();
    // Their times are in their names; a log stands right behind its database.
    names.sort_unstable_by(|a, b| b.cmp(a));
    let databases = names.iter().filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    let Some(oldest) = databases.take(KEPT_ASIDE).last().cloned() else { return };
    for name in names.into_iter().filter(|name| *name < oldest) {
        if let Err(error) = fs::remove_file(folder.join(&name)) {
            tracing::debug!(name, %error, "an old damaged file could not be removed");
        }
    }
}
