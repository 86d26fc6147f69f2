//! The cold path: a new catalog of a whole inbox, made in a file of its own and put in place when it is whole.
//!
//! What is large is written as it comes; what is narrow stays in memory until all files were seen, is sorted, and
//! becomes entries, memberships and archive pages in one pass. So the result does not depend on the order in which
//! files come, and a crash starts over: nothing was shown.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use super::apply::{revision, withheld};
use super::files::{FileRow, set_problems};
use super::meet::seed_hash;
use super::place::deal;
use super::row::{EntryRow, FeedRecord, KeptRow, LIVE, MemberRow, Released, Seconds, State, set_meta, short};
use super::schema::{self, INDEXES, PAGE_SIZE, TABLES, VERSION};
use super::{Change, Delta, Error, Now, SeenFile, Settings};
use crate::article::{Article, Hash};
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::{EntryId, Key, Namespace, Seed};

/// How often what was written is handed to the disk.
const SYNC_PAUSE: Duration = Duration::from_millis(200);

/// What stays in memory of an article while the load runs.
struct Narrow {
    entry: i64,
    path: Box<str>,
    identity: Identity,
    body: [u8; 16],
    rev: Hash,
    size: i64,
    published: Option<Seconds>,
    updated: Option<Seconds>,
    expires: Option<Seconds>,
    draft: bool,
    /// Numbers of its feeds, as [`Interner`] gives them.
    feeds: Box<[u32]>,
    /// What it was in the catalog before, where that could be saved.
    carried: Option<Box<Released>>,
}

/// What an article's seed makes of it; the seed's text itself, a title long, is not kept for every article.
struct Identity {
    uuid: Uuid,
    /// The id, where it is not the UUID's name.
    iri: Option<Box<str>>,
    seed: [u8; 16],
}

impl Identity {
    fn new(seed: &Seed, namespace: &Namespace) -> Identity {
        Identity { uuid: namespace.uuid(seed), iri: seed.iri().map(Box::from), seed: seed_hash(seed) }
    }
}

impl Narrow {
    fn published(&self, now: Seconds) -> Seconds {
        self.carried.as_ref().map(|carried| carried.published).or(self.published).unwrap_or(now)
    }

    fn updated(&self, now: Seconds) -> Seconds {
        let carried = self.carried.as_ref().map(|carried| carried.updated);
        carried.or(self.updated).unwrap_or_else(|| self.published(now))
    }

    fn uuid(&self) -> Uuid {
        self.carried.as_ref().map_or(self.identity.uuid, |carried| carried.uuid)
    }

    fn id(&self) -> String {
        match (&self.carried, &self.identity.iri) {
            (Some(carried), _) => carried.id.as_str().to_owned(),
            (None, Some(iri)) => iri.to_string(),
            (None, None) => EntryId::of_uuid(self.identity.uuid).as_str().to_owned(),
        }
    }

    fn position(&self, now: Seconds) -> Seconds {
        self.carried.as_ref().map_or_else(|| self.published(now), |carried| carried.position)
    }
}

/// What is taken over from a catalog that was lost: ids and dates of entries by their paths, and the times of feeds.
#[derive(Default)]
pub(super) struct Carried {
    /// With the revision that they are of.
    pub entries: HashMap<String, (Hash, Released)>,
    /// `updated` and `modified`.
    pub feeds: HashMap<Key, (Seconds, Seconds)>,
    /// Names and values.
    pub meta: Vec<(&'static str, String)>,
    /// Where entries stood in their feeds.
    pub places: super::salvage::Places,
}

/// Gives keys numbers, parents before their children.
#[derive(Default)]
struct Interner {
    numbers: HashMap<Key, u32>,
    keys: Vec<Key>,
}

impl Interner {
    fn number(&mut self, key: Key) -> u32 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        if let Some(parent) = key.parent() {
            self.number(parent);
        }
        let number = self.keys.len() as u32;
        self.numbers.insert(key.clone(), number);
        self.keys.push(key);
        number
    }
}

/// Makes a new catalog of all files beside `target`, durable but not in place yet; returns its path.
pub(super) fn make(
    target: &Path,
    settings: &Settings,
    rules: &Hash,
    now: Now,
    files: &mut dyn Iterator<Item = Change>,
    carried: &Carried,
) -> Result<PathBuf, Error> {
    let io = |source| Error::Io { dir: target.display().to_string(), source };
    let fresh = fresh(target).map_err(io)?;
    super::point("load.make")?;
    let connection = Connection::open(&fresh)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    // Until the rename nobody reads this file, and a crash throws it away.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    schema::keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(TABLES)?;
    connection.execute_batch("BEGIN")?;
    let file = File::open(&fresh).map_err(io)?;
    thread::scope(|scope| {
        let (done, filled) = mpsc::channel();
        let syncing = scope.spawn(|| sync_as_it_grows(&file, filled));
        let loaded = fill(connection, settings, rules, now, files, carried);
        drop(done);
        let synced = syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        loaded?;
        super::point("load.sync")?;
        synced.and_then(|()| file.sync_all()).map_err(io)
    })?;
    Ok(fresh)
}

/// Has the disk write what was written, so that little is left to wait for in the end; the processor has other work.
///
/// # Errors
///
/// Those of the disk: each is told once.
fn sync_as_it_grows(file: &File, filled: mpsc::Receiver<()>) -> std::io::Result<()> {
    while let Err(mpsc::RecvTimeoutError::Timeout) = filled.recv_timeout(SYNC_PAUSE) {
        file.sync_data()?;
    }
    Ok(())
}

/// Everything that is written into the new catalog.
fn fill(
    connection: Connection,
    settings: &Settings,
    rules: &Hash,
    now: Now,
    files: &mut dyn Iterator<Item = Change>,
    carried: &Carried,
) -> Result<(), Error> {
    let mut loading = Loading {
        connection: &connection,
        settings,
        rules,
        now,
        carried,
        feeds: Interner::default(),
        articles: Vec::new(),
    };
    loading.feeds.number(Key::all());
    for mix in &settings.taxonomies.mixes {
        loading.feeds.number(mix.key());
    }
    for change in files {
        loading.take(change)?;
    }
    loading.finish()?;
    connection.execute_batch(INDEXES)?;
    carried.places.restore(&connection, now.wall.timestamp())?;
    set_meta(&connection, "site_id", settings.site_id.as_deref())?;
    for (name, value) in &carried.meta {
        set_meta(&connection, name, Some(value))?;
    }
    set_meta(&connection, "created", Some(&now.wall.timestamp().to_string()))?;
    connection.execute_batch("COMMIT")?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.close().map_err(|(_, e)| e)?;
    Ok(())
}

/// The name of a new catalog beside `target`, with nothing there.
pub(super) fn fresh(target: &Path) -> std::io::Result<PathBuf> {
    let fresh = target.with_extension("sqlite.new");
    remove(&fresh)?;
    Ok(fresh)
}

/// Puts a new catalog in the place of the old one, which nobody may have open.
pub(super) fn put_in_place(fresh: &Path, target: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { dir: target.display().to_string(), source };
    // A WAL of the old name would be replayed over the new file.
    for name in beside(target) {
        remove(&name).map_err(io)?;
    }
    sync_folder(target).map_err(io)?;
    super::point("load.rename")?;
    fs::rename(fresh, target).map_err(io)?;
    super::point("load.placed")?;
    sync_folder(target).map_err(io)
}

/// The names that SQLite gives to the log and the shared memory of a database.
pub(super) fn beside(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

struct Loading<'a> {
    connection: &'a Connection,
    settings: &'a Settings,
    rules: &'a Hash,
    now: Now,
    carried: &'a Carried,
    feeds: Interner,
    articles: Vec<Narrow>,
}

impl Loading<'_> {
    fn at(&self) -> Seconds {
        self.now.wall.timestamp()
    }

    fn take(&mut self, change: Change) -> Result<(), Error> {
        match change {
            Change::Seen(file) => self.seen(*file),
            Change::Unreadable { path, fingerprint, problem } => {
                FileRow { fingerprint, hash: None, entry: None, missing: None }.put(self.connection, &path)?;
                self.problems(&path, &[problem])
            }
            Change::Missing { .. } | Change::AcceptMissing | Change::Away | Change::There | Change::Due => Ok(()),
        }
    }

    fn problems(&self, path: &str, problems: &[Diagnostic]) -> Result<(), Error> {
        if problems.is_empty() {
            return Ok(());
        }
        set_problems(self.connection, path, problems, self.at(), &mut Delta::default())
    }

    fn seen(&mut self, file: SeenFile) -> Result<(), Error> {
        let mut entry = None;
        if let Some(article) = &file.parsed.article {
            let number = self.articles.len() as i64 + 1;
            KeptRow::put(self.connection, number, self.rules, &file.kept, article)?;
            let narrow = self.narrow(number, &file, article);
            self.articles.push(narrow);
            entry = Some(number);
        }
        let row = FileRow { fingerprint: Some(file.fingerprint), hash: Some(file.hash), entry, missing: None };
        row.put(self.connection, &file.path)?;
        self.problems(&file.path, &file.parsed.problems)
    }

    fn narrow(&mut self, entry: i64, file: &SeenFile, article: &Article) -> Narrow {
        let keys = self.settings.taxonomies.keys(article, &file.path);
        let own = article.updated.filter(|&at| at <= self.now.wall);
        Narrow {
            entry,
            path: file.path.as_str().into(),
            identity: Identity::new(&Seed::of(article, &file.path), &self.settings.namespace),
            body: short(&article.body.hash),
            rev: revision(article),
            size: file.fingerprint.size as i64,
            published: article.published.map(|at| at.timestamp()),
            updated: own.map(|at| at.timestamp()),
            expires: article.expires.map(|at| at.timestamp()),
            draft: article.draft,
            feeds: keys.into_iter().map(|key| self.feeds.number(key)).collect(),
            carried: self
                .carried
                .entries
                .get(&file.path)
                .filter(|(rev, _)| *rev == revision(article))
                .map(|(_, released)| Box::new(released.clone())),
        }
    }

    /// Everything that needs all files: twins and collisions, the order, memberships and archive pages.
    fn finish(mut self) -> Result<(), Error> {
        // One list from here to the end: a second one would be as large again.
        let mut shown = std::mem::take(&mut self.articles);
        self.resolve(&mut shown)?;
        let mut held = Ok(());
        shown.retain(|article| {
            match withheld(article.draft, article.expires, article.published, self.settings, self.now) {
                None => true,
                Some(why) => {
                    if held.is_ok() {
                        held = self.hold(article, why);
                    }
                    false
                }
            }
        });
        held?;
        self.sort(&mut shown);
        self.place(&shown)?;
        // Rows go in by their numbers, which is the order of the table.
        let mut order: Vec<(i64, usize)> = shown.iter().enumerate().map(|(at, article)| (article.entry, at)).collect();
        order.sort_unstable();
        for (_, at) in order {
            self.show(&shown[at], at as i64 + 1)?;
        }
        Ok(())
    }

    /// From old to new: by position, then by arrival, which for those that are new here is the order of their paths,
    /// in which they come.
    fn sort(&self, shown: &mut [Narrow]) {
        let mut ranks: HashMap<Seconds, Vec<(Box<str>, i64)>> = HashMap::new();
        for article in shown.iter() {
            if let Some(carried) = &article.carried {
                ranks.entry(carried.position).or_default().push((article.path.clone(), carried.sequence));
            }
        }
        let rank = |article: &Narrow, position: Seconds| match &article.carried {
            Some(carried) => carried.sequence,
            None => {
                let tied = ranks.get(&position).map_or(&[][..], Vec::as_slice);
                tied.iter().filter(|(path, _)| *path < article.path).map(|(_, rank)| *rank).max().unwrap_or(i64::MIN)
            }
        };
        shown.sort_by_cached_key(|article| {
            let position = article.position(self.at());
            (position, rank(article, position), article.carried.is_none())
        });
    }

    /// Gives every article its identity: of those that share one the smallest path leads. Leaves them in the order of
    /// their paths.
    fn resolve(&self, articles: &mut Vec<Narrow>) -> Result<(), Error> {
        articles.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut leaders: HashMap<Uuid, usize> = HashMap::with_capacity(articles.len());
        let mut count = 0;
        for at in 0..articles.len() {
            // What leads stands before `count`, what was not looked at from `at` on.
            let (before, rest) = articles.split_at_mut(at);
            let article = &mut rest[0];
            if let Some(&leader) = leaders.get(&article.uuid()) {
                let leader = &mut before[leader];
                if leader.body == article.body {
                    self.twin(article, leader)?;
                    leader.carried = leader.carried.take().or(article.carried.take());
                    continue;
                }
                self.add_problem(&article.path, super::apply::collision(&leader.path))?;
                article.carried = None;
                let kept = KeptRow::get(self.connection, article.entry)?;
                let kept = kept.ok_or_else(|| super::row::damaged("kept", article.entry))?;
                let seed = Seed::of(&kept.article, &article.path).with_path(&article.path);
                article.identity = Identity::new(&seed, &self.settings.namespace);
            }
            leaders.insert(article.uuid(), count);
            articles.swap(count, at);
            count += 1;
        }
        articles.truncate(count);
        Ok(())
    }

    fn twin(&self, article: &Narrow, leader: &Narrow) -> Result<(), Error> {
        self.connection.prepare_cached("DELETE FROM kept WHERE entry = ?1")?.execute([article.entry])?;
        if let Some(file) = FileRow::get(self.connection, &article.path)? {
            FileRow { entry: Some(leader.entry), ..file }.put(self.connection, &article.path)?;
        }
        self.add_problem(&article.path, super::apply::twin_of(&leader.path))
    }

    fn add_problem(&self, path: &str, problem: Diagnostic) -> Result<(), Error> {
        let mut problems = super::files::problems(self.connection, path)?;
        super::apply::note(&mut problems, problem);
        self.problems(path, &problems)
    }

    fn hold(&self, article: &Narrow, why: Diagnostic) -> Result<(), Error> {
        let at = self.at();
        let due = |at: Seconds, what: super::row::What| {
            self.connection.prepare_cached("INSERT INTO due VALUES(?1, ?2, ?3)")?.execute([
                at,
                article.entry,
                what as i64,
            ])
        };
        if let Some(end) = article.expires.filter(|&end| end > at) {
            due(end, super::row::What::Expire)?;
        }
        if let Some(start) = article.published.filter(|&start| why.code == Code::Future && start > at) {
            due(start, super::row::What::Release)?;
        }
        self.add_problem(&article.path, why)?;
        self.row(article).put(self.connection)
    }

    /// The row of an article that is not released.
    fn row(&self, article: &Narrow) -> EntryRow {
        EntryRow {
            entry: article.entry,
            id: None,
            uuid: None,
            seed: article.identity.seed,
            body: article.body,
            state: State::Held,
            sequence: None,
            position: None,
            published: None,
            updated: None,
            changed: self.at(),
            rev: article.rev,
            size: article.size,
            path: article.path.to_string(),
        }
    }

    fn show(&self, article: &Narrow, sequence: i64) -> Result<(), Error> {
        if let Some(end) = article.expires {
            self.connection.prepare_cached("INSERT INTO due VALUES(?1, ?2, ?3)")?.execute([
                end,
                article.entry,
                super::row::What::Expire as i64,
            ])?;
        }
        let row = EntryRow {
            id: Some(article.id()),
            uuid: Some(article.uuid()),
            state: State::Shown,
            sequence: Some(sequence),
            position: Some(article.position(self.at())),
            published: Some(article.published(self.at())),
            updated: Some(article.updated(self.at())),
            ..self.row(article)
        };
        row.put(self.connection)
    }

    /// Feeds and memberships, in the order of the tables, with archive pages dealt from old to new.
    fn place(&self, shown: &[Narrow]) -> Result<(), Error> {
        let at = self.at();
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); self.feeds.keys.len()];
        for (index, article) in shown.iter().enumerate() {
            for &feed in &article.feeds {
                members[feed as usize].push(index as u32);
            }
        }
        let mut writer = MemberWriter::new(self.connection);
        for (number, key) in self.feeds.keys.iter().enumerate() {
            let feed = number as i64 + 1;
            let mut record = FeedRecord {
                feed,
                key: key.clone(),
                parent: key.parent().and_then(|parent| self.feeds.numbers.get(&parent)).map(|&n| i64::from(n) + 1),
                count: members[number].len() as i64,
                updated: 0,
                modified: at,
                page: 1,
                page_entries: 0,
                page_bytes: 0,
            };
            let updated = |index: &u32| shown[*index as usize].updated(at);
            record.updated = members[number].iter().map(updated).max().unwrap_or(0);
            if let Some(&(updated, modified)) = self.carried.feeds.get(key) {
                // Withdrawals had set them, and they never go back.
                record.updated = record.updated.max(updated);
                record.modified = record.modified.min(at).max(modified);
            }
            for &index in &members[number] {
                let article = &shown[index as usize];
                let page = deal(&mut record, article.size);
                writer.push(MemberRow {
                    feed,
                    position: article.position(at),
                    sequence: i64::from(index) + 1,
                    entry: article.entry,
                    page,
                    live: LIVE,
                })?;
            }
            // A feed that only held or twin articles name never had an entry: it does not exist.
            let always = matches!(key.kind(), crate::entry::Kind::All | crate::entry::Kind::Mix);
            if always || record.count > 0 || self.carried.feeds.contains_key(key) {
                record.put(self.connection)?;
            }
        }
        writer.flush()
    }
}

/// Inserts memberships sixteen a statement, which takes less than half the time.
struct MemberWriter<'a> {
    connection: &'a Connection,
    rows: Vec<MemberRow>,
}

impl<'a> MemberWriter<'a> {
    const AT_ONCE: usize = 16;

    fn new(connection: &'a Connection) -> MemberWriter<'a> {
        MemberWriter { connection, rows: Vec::with_capacity(MemberWriter::AT_ONCE) }
    }

    fn push(&mut self, row: MemberRow) -> Result<(), Error> {
        self.rows.push(row);
        if self.rows.len() == MemberWriter::AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let values = vec!["(?,?,?,?,?,?,?)"; self.rows.len()].join(",");
        let mut statement = self.connection.prepare_cached(&format!("INSERT INTO member VALUES{values}"))?;
        let columns = self
            .rows
            .drain(..)
            .flat_map(|row| [row.feed, row.position, row.sequence, row.entry, row.page, row.live, row.sum().value()]);
        statement.execute(rusqlite::params_from_iter(columns))?;
        Ok(())
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
