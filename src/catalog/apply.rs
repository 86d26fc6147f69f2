//! What changes in the inbox do to the catalog: acceptance, edits, renames, twins, missing files.
//!
//! One [`Work`] is one transaction. Every decision here is one of the rules of identity (which entry is it), of change
//! (what counts as an edit), of order (where does it stand) or of withdrawal.

use chrono::TimeDelta;
use rusqlite::Connection;

use super::due::{Late, Waits};
use super::files::{self, FileRow};
use super::meet::{Meeting, meet, other_files, seed_hash};
use super::place::{self, Feeds};
use super::row::{EntryRow, KeptRow, Seconds, State, What, short, timestamp};
use super::{Change, Delta, Error, Look, Now, SeenFile, Settings};
use crate::article::{Article, Hash};
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::{Kept, Seed};

/// A date that moved and now lies this near is an exporter's clock.
const CLOCK_NOISE: TimeDelta = TimeDelta::hours(26);

/// One transaction at work.
pub(super) struct Work<'a> {
    pub connection: &'a Connection,
    pub settings: &'a Settings,
    /// Under which rules files are read now.
    pub rules: Hash,
    /// The part of it that a file's reader knows.
    pub reads: Hash,
    pub now: Now,
    pub feeds: Feeds,
    pub delta: Delta,
    pub late: &'a mut Late,
    pub waits: &'a mut Waits,
    pub look: Option<&'a Look>,
}

/// Why an article cannot be shown now; `None` where it can.
pub(super) fn held(article: &Article, settings: &Settings, now: Now) -> Option<Diagnostic> {
    let seconds = |at: crate::article::Timestamp| at.timestamp();
    let (expires, published) = (article.expires.map(seconds), article.published.map(seconds));
    withheld(article.draft, expires, published, settings, now)
}

/// The same by what decides it. The parser has said that an article is a draft, with the line.
pub(super) fn withheld(
    draft: bool,
    expires: Option<Seconds>,
    published: Option<Seconds>,
    settings: &Settings,
    now: Now,
) -> Option<Diagnostic> {
    let (now, text) = (now.wall.timestamp(), |at: Seconds| timestamp(at).to_rfc3339());
    if draft {
        return Some(Diagnostic::new(Code::Draft, "withheld: it is a draft"));
    }
    if let Some(end) = expires.filter(|&end| end <= now) {
        return Some(Diagnostic::new(Code::Expired, format!("withheld: it expired on {}", text(end))));
    }
    let start = published.filter(|&start| settings.hold_future && start > now)?;
    Some(Diagnostic::new(Code::Future, format!("withheld until {}", text(start))))
}

/// What an entry shows of an article: its content and its own dates.
pub(super) fn revision(article: &Article) -> Hash {
    let dates = [article.published, article.updated].map(|at| at.map_or(i64::MIN, |at| at.timestamp()));
    let mut hasher = blake3::Hasher::new();
    hasher.update(&article.content);
    for date in dates {
        hasher.update(&date.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Work<'_> {
    /// The second of this transaction.
    pub(super) fn at(&self) -> Seconds {
        self.now.wall.timestamp()
    }

    /// Applies one change.
    pub(super) fn change(&mut self, change: Change) -> Result<(), Error> {
        match change {
            Change::Seen(file) => self.seen(*file),
            Change::Unreadable { path, fingerprint, problem } => {
                let before = FileRow::get(self.connection, &path)?;
                self.came_back(before.as_ref(), &path)?;
                let entry = before.and_then(|row| row.entry);
                FileRow { fingerprint, hash: None, entry, missing: None }.put(self.connection, &path)?;
                self.set_problems(&path, &[problem])
            }
            Change::Missing { path } => self.missing(&path),
            Change::AcceptMissing => self.accept_missing(),
            Change::Away => {
                self.waits.stop();
                Ok(())
            }
            Change::There => self.go_on_waiting(),
            Change::Due => Ok(()),
        }
    }

    fn seen(&mut self, mut file: SeenFile) -> Result<(), Error> {
        if file.under != self.reads {
            // The settings changed while it was on its way.
            let bytes = file.kept.open().map_err(|source| Error::Io { dir: file.path.clone(), source })?;
            let source = crate::article::SourceFile { path: &file.path, bytes: &bytes };
            file.parsed = crate::article::parse(source, &self.settings.rules);
        }
        let before = FileRow::get(self.connection, &file.path)?;
        self.came_back(before.as_ref(), &file.path)?;
        let hash = Some(file.hash);
        let known = match before.as_ref().and_then(|row| row.entry) {
            Some(entry) => EntryRow::get(self.connection, entry)?,
            None => None,
        };
        if let Some(before) = &before
            && before.hash == hash
            && before.fingerprint.is_some()
            && known.as_ref().is_none_or(|known| known.state != State::Withdrawn || known.path != file.path)
        {
            let now = FileRow { fingerprint: Some(file.fingerprint), missing: None, ..before.clone() };
            if now != *before {
                now.put(self.connection, &file.path)?;
            }
            return match known {
                Some(known) if before.missing.is_some() && known.state == State::Held => self.release_overdue(known),
                _ => Ok(()),
            };
        }

        let mut problems = file.parsed.problems.clone();
        let entry = match &file.parsed.article {
            // A broken file keeps its last good version.
            None => before.and_then(|row| row.entry),
            Some(article) => Some(self.accept(&file, article, known, &mut problems)?),
        };
        let row = FileRow { fingerprint: Some(file.fingerprint), hash, entry, missing: None };
        row.put(self.connection, &file.path)?;
        self.set_problems(&file.path, &problems)
    }

    /// Takes an article in; returns its entry.
    fn accept(
        &mut self,
        file: &SeenFile,
        article: &Article,
        known: Option<EntryRow>,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<i64, Error> {
        let led = known.as_ref().filter(|known| known.path == file.path).map(|known| known.entry);
        // A twin's path is not its own while the leader is there.
        let known = match known {
            Some(known) if led.is_none() && self.leader_is_there(&known)? => None,
            known => known,
        };
        let entry = match meet(self.connection, &self.settings.namespace, file, article, known, self.look)? {
            Meeting::New { seed } => self.create(file, article, seed, problems)?,
            Meeting::Collision { seed, with } => {
                problems.push(collision(&with));
                self.create(file, article, seed, problems)?
            }
            Meeting::Renamed { seed, old } => {
                problems.push(
                    Diagnostic::new(Code::IdChanged, "an explicit id was added to an article that is already shown")
                        .help("feed readers see the article as a new one; the entry with the old id was withdrawn"),
                );
                self.withdraw(*old)?;
                self.create(file, article, seed, problems)?
            }
            Meeting::Entry(entry) => self.revise(*entry, file, article, problems)?,
            Meeting::Twin(entry) => self.twin(*entry, file, article, problems)?,
        };
        if let Some(led) = led.filter(|&led| led != entry) {
            // Another article was put in this place; the old one's file is gone.
            self.begin_wait(led)?;
        }
        Ok(entry)
    }

    /// Whether an entry's own file is there and still holds it.
    pub(super) fn leader_is_there(&self, entry: &EntryRow) -> Result<bool, Error> {
        let row = FileRow::get(self.connection, &entry.path)?;
        Ok(row.is_some_and(|row| row.missing.is_none() && row.entry == Some(entry.entry)))
    }

    fn create(
        &mut self,
        file: &SeenFile,
        article: &Article,
        seed: Seed,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<i64, Error> {
        let entry: i64 = self
            .connection
            .prepare_cached("SELECT ifnull(max(entry), 0) + 1 FROM entry")?
            .query_row([], |row| row.get(0))?;
        let mut row = EntryRow {
            entry,
            id: None,
            uuid: None,
            seed: seed_hash(&seed),
            body: short(&article.body.hash),
            state: State::Held,
            sequence: None,
            position: None,
            published: None,
            updated: None,
            changed: self.at(),
            rev: revision(article),
            size: file.fingerprint.size as i64,
            path: file.path.clone(),
        };
        KeptRow::put(self.connection, entry, &self.rules, &file.kept, article)?;
        self.schedule(entry, article)?;
        match held(article, self.settings, self.now) {
            Some(why) => {
                row.put(self.connection)?;
                note(problems, why);
            }
            None => self.release(&mut row, article, seed, Some(file.fingerprint.ctime / 1_000_000_000))?,
        }
        Ok(entry)
    }

    /// Shows an entry for the first time: it gets id, sequence, position and archive pages. `inode_changed`: when the
    /// file came to be as it is, where the entry is released because of that file.
    pub(super) fn release(
        &mut self,
        row: &mut EntryRow,
        article: &Article,
        seed: Seed,
        inode_changed: Option<Seconds>,
    ) -> Result<(), Error> {
        let mut seed = seed;
        let mut id = self.settings.namespace.entry_id(&seed);
        while EntryRow::find(self.connection, "e.id = ?1 AND e.entry <> ?2", rusqlite::params![id.as_str(), row.entry])?
            .is_some()
        {
            seed = seed.with_path(&row.path);
            id = self.settings.namespace.entry_id(&seed);
        }
        let published = article.published.unwrap_or(self.now.wall).timestamp();
        let own = article.updated.filter(|&at| at <= self.now.wall).map(|at| at.timestamp());
        row.id = Some(id.as_str().to_owned());
        row.uuid = Some(self.settings.namespace.uuid(&seed));
        row.sequence = Some(
            self.connection
                .prepare_cached("SELECT ifnull(max(sequence), 0) + 1 FROM entry")?
                .query_row([], |row| row.get(0))?,
        );
        row.position =
            Some(self.late.position(self.connection, published, inode_changed, self.now.wall.timestamp())?);
        row.published = Some(published);
        row.updated = Some(own.unwrap_or(published));
        row.state = State::Shown;
        row.changed = self.at();
        row.put(self.connection)?;
        self.place(row, article)?;
        self.delta.added += 1;
        Ok(())
    }

    fn place(&mut self, row: &EntryRow, article: &Article) -> Result<(), Error> {
        let keys = self.settings.taxonomies.keys(article, &row.path);
        place::place(self.connection, &mut self.feeds, row, &keys, self.now.wall.timestamp())?;
        self.delta.entries.extend(row.uuid);
        Ok(())
    }

    /// A file that is a version of an entry.
    fn revise(
        &mut self,
        mut row: EntryRow,
        file: &SeenFile,
        article: &Article,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<i64, Error> {
        self.end_wait(row.entry)?;
        let moved = row.path != file.path;
        if moved {
            self.connection
                .prepare_cached("DELETE FROM file WHERE entry = ?1 AND missing IS NOT NULL")?
                .execute([row.entry])?;
            row.path = file.path.clone();
        }
        let seed = Seed::of(article, &file.path);
        let why = held(article, self.settings, self.now);
        match (row.state, why) {
            (State::Held, why) => {
                self.keep(&mut row, file, article)?;
                match why {
                    Some(why) => {
                        row.put(self.connection)?;
                        note(problems, why);
                    }
                    None => self.release(&mut row, article, seed, None)?,
                }
            }
            (State::Shown, Some(why)) if why.code != Code::Future => {
                self.keep(&mut row, file, article)?;
                self.withdraw(row.clone())?;
                note(problems, why);
            }
            (State::Withdrawn, Some(why)) if why.code != Code::Future => {
                self.keep(&mut row, file, article)?;
                row.put(self.connection)?;
                note(problems, why);
            }
            (State::Shown, _) => self.edit(&mut row, file, article, moved, problems)?,
            (State::Withdrawn, _) => {
                // One whose text was lost is shown again as it was; nobody was told that it was gone.
                let was_lost = row.rev == revision(article)
                    && row.changed > self.at() - super::due::TOMBSTONE_LIFE.num_seconds()
                    && KeptRow::get(self.connection, row.entry)?.is_none();
                self.keep(&mut row, file, article)?;
                if !was_lost {
                    row.updated = row.updated.max(Some(self.at()));
                }
                self.take_date(&mut row, article, problems);
                self.show_again(&mut row, article)?;
            }
        }
        Ok(row.entry)
    }

    /// A shown entry's file has other bytes than before.
    fn edit(
        &mut self,
        row: &mut EntryRow,
        file: &SeenFile,
        article: &Article,
        moved: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<(), Error> {
        let old = KeptRow::get(self.connection, row.entry)?;
        if let Some(old) = &old
            && old.article.content == article.content
            && old.article.expires == article.expires
            && self.is_date_noise(&old.article, article, problems)
        {
            // Not an edit. The kept bytes stay the old ones; only the place may be another.
            if moved {
                self.move_entry(row, &old.article)?;
            }
            return Ok(());
        }
        let old = old.map(|old| old.article);
        let before = old.as_ref().and_then(|old| old.updated);
        let own = article.updated.filter(|&at| at <= self.now.wall && Some(at) != before).map(|at| at.timestamp());
        row.updated = row.updated.max(Some(own.unwrap_or(self.at())));
        if old.is_none_or(|old| old.published != article.published) {
            self.take_date(row, article, problems);
        }
        self.keep(row, file, article)?;
        row.changed = self.at();
        row.put(self.connection)?;
        self.place(row, article)?;
        self.delta.changed += 1;
        Ok(())
    }

    /// Whether two readings that differ at most in their dates are the same article to its readers.
    fn is_date_noise(&self, old: &Article, new: &Article, problems: &mut Vec<Diagnostic>) -> bool {
        let near =
            |at: Option<crate::article::Timestamp>| at.is_some_and(|at| (at - self.now.wall).abs() <= CLOCK_NOISE);
        if old.published == new.published {
            return old.updated == new.updated;
        }
        match (old.published, new.published) {
            // A date that was lost leaves the old one.
            (_, None) => old.updated == new.updated,
            // A date that was missing is taken, whatever it is.
            (None, Some(at)) => self.is_future(at) && self.warn_future(problems),
            (Some(_), Some(_)) if near(new.published) => old.updated == new.updated || near(new.updated),
            (Some(_), Some(at)) => self.is_future(at) && self.warn_future(problems),
        }
    }

    fn is_future(&self, at: crate::article::Timestamp) -> bool {
        self.settings.hold_future && at > self.now.wall
    }

    fn warn_future(&self, problems: &mut Vec<Diagnostic>) -> bool {
        problems.push(
            Diagnostic::new(
                Code::DateFuture,
                "the date of a shown article was moved into the future; the old date stays",
            )
            .help("set draft: true to take the article back until then"),
        );
        true
    }

    /// Takes the date that a file says, unless it lies in the future or says none.
    fn take_date(&self, row: &mut EntryRow, article: &Article, problems: &mut Vec<Diagnostic>) {
        match article.published {
            Some(at) if self.is_future(at) => {
                self.warn_future(problems);
            }
            Some(at) if row.published != Some(at.timestamp()) => {
                row.published = Some(at.timestamp());
                row.position = row.published;
            }
            _ => {}
        }
    }

    /// Keeps a file's bytes and what they say.
    fn keep(&mut self, row: &mut EntryRow, file: &SeenFile, article: &Article) -> Result<(), Error> {
        KeptRow::put(self.connection, row.entry, &self.rules, &file.kept, article)?;
        self.describe(row, article);
        row.size = file.fingerprint.size as i64;
        self.schedule(row.entry, article)
    }

    /// Sets the columns that follow from the article.
    pub(super) fn describe(&self, row: &mut EntryRow, article: &Article) {
        row.seed = seed_hash(&Seed::of(article, &row.path));
        row.body = short(&article.body.hash);
        row.rev = revision(article);
    }

    /// An entry whose file moved, its text being the same.
    fn move_entry(&mut self, row: &mut EntryRow, article: &Article) -> Result<(), Error> {
        if self.settings.paths_matter || self.settings.taxonomies.by.contains(&crate::entry::Kind::Dir) {
            row.changed = self.at();
            row.put(self.connection)?;
            return self.place(row, article);
        }
        row.put(self.connection)
    }

    /// A file that says what a shown entry's file says, which is still there: the smaller path leads.
    fn twin(
        &mut self,
        mut row: EntryRow,
        file: &SeenFile,
        article: &Article,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<i64, Error> {
        if file.path > row.path {
            problems.push(twin_of(&row.path));
            return Ok(row.entry);
        }
        let second = std::mem::replace(&mut row.path, file.path.clone());
        let mut of_second = files::problems(self.connection, &second)?;
        of_second.push(twin_of(&file.path));
        self.set_problems(&second, &of_second)?;
        match row.state {
            State::Shown => self.edit(&mut row, file, article, true, problems)?,
            _ => {
                self.keep(&mut row, file, article)?;
                row.put(self.connection)?;
            }
        }
        Ok(row.entry)
    }

    fn missing(&mut self, path: &str) -> Result<(), Error> {
        let Some(before) = FileRow::get(self.connection, path)? else { return Ok(()) };
        if before.missing.is_some() {
            return Ok(());
        }
        self.set_problems(path, &[])?;
        let Some(entry) = before.entry else { return FileRow::delete(self.connection, path) };
        FileRow { missing: Some(self.at()), ..before }.put(self.connection, path)?;
        match EntryRow::get(self.connection, entry)? {
            Some(row) if row.path == path && row.state != State::Withdrawn => self.begin_wait(entry),
            Some(_) => Ok(()),
            None => FileRow::delete(self.connection, path),
        }
    }

    /// Takes an entry out of its feeds, each of which tells of it for a while.
    pub(super) fn withdraw(&mut self, mut row: EntryRow) -> Result<(), Error> {
        row.state = State::Withdrawn;
        row.changed = self.at();
        row.put(self.connection)?;
        place::withdraw(self.connection, &mut self.feeds, row.entry, row.changed)?;
        self.waits.end(row.entry);
        self.clear_due(row.entry, &[What::Withdraw, What::WithdrawNow, What::Expire])?;
        self.set_due(self.now.wall + super::due::TOMBSTONE_LIFE, row.entry, What::Forget)?;
        self.delta.withdrawn += 1;
        self.delta.entries.extend(row.uuid);
        Ok(())
    }

    /// Shows a withdrawn entry again, in its old places.
    fn show_again(&mut self, row: &mut EntryRow, article: &Article) -> Result<(), Error> {
        row.state = State::Shown;
        row.changed = self.at();
        row.put(self.connection)?;
        place::forget_tombstones(self.connection, &mut self.feeds, row.entry, row.changed)?;
        self.clear_due(row.entry, &[What::Forget])?;
        self.place(row, article)?;
        self.delta.added += 1;
        Ok(())
    }

    /// Lets a twin lead whose leader is withdrawn; `false` where there is none.
    pub(super) fn promote_twin(&mut self, row: &EntryRow) -> Result<bool, Error> {
        let Some(next) = other_files(self.connection, row.entry, &row.path)?.into_iter().next() else {
            return Ok(false);
        };
        // Only the leader's bytes are kept: the twin is read again and becomes an edit like any other.
        EntryRow { path: next.clone(), ..row.clone() }.put(self.connection)?;
        if let Some(file) = FileRow::get(self.connection, &next)? {
            FileRow { fingerprint: None, ..file }.put(self.connection, &next)?;
        }
        self.delta.reread.push(next);
        Ok(true)
    }

    /// Reads a kept source again under the present rules, and changes only what reads differently.
    pub(super) fn reparse(&mut self, kept: &KeptRow) -> Result<(), Error> {
        let Some(mut row) = EntryRow::get(self.connection, kept.entry)? else { return Ok(()) };
        let bytes = kept.kept.open().map_err(|source| Error::Io { dir: row.path.clone(), source })?;
        let file = crate::article::SourceFile { path: &row.path, bytes: &bytes };
        let parsed = crate::article::parse(file, &self.settings.rules);
        // What cannot be read any more stays as it was read before.
        let article = parsed.article.unwrap_or_else(|| kept.article.clone());
        self.rekeep(kept.entry, &kept.kept, &article)?;
        let mut problems = parsed.problems;
        match (row.state, held(&article, self.settings, self.now)) {
            (State::Shown, Some(why)) if why.code != Code::Future => {
                self.describe(&mut row, &article);
                self.withdraw(row.clone())?;
                note(&mut problems, why);
            }
            (State::Shown, _) => {
                let differs = revision(&article) != row.rev;
                if article.published != kept.article.published {
                    self.take_date(&mut row, &article, &mut problems);
                }
                self.describe(&mut row, &article);
                if differs {
                    row.changed = self.at();
                }
                row.put(self.connection)?;
                // Also where the text reads the same: feeds may be made of other terms now.
                if differs || self.keys_differ(&row, &article)? {
                    self.place(&row, &article)?;
                    self.delta.changed += 1;
                }
            }
            (State::Held, None) => {
                self.describe(&mut row, &article);
                let seed = Seed::of(&article, &row.path);
                self.release(&mut row, &article, seed, None)?;
            }
            (_, why) => {
                self.describe(&mut row, &article);
                row.put(self.connection)?;
                if let Some(why) = why.filter(|_| row.state == State::Held) {
                    note(&mut problems, why);
                }
            }
        }
        self.schedule(kept.entry, &article)?;
        self.set_problems(&row.path.clone(), &problems)
    }

    fn rekeep(&mut self, entry: i64, kept: &Kept, article: &Article) -> Result<(), Error> {
        KeptRow::put(self.connection, entry, &self.rules, kept, article)
    }

    fn keys_differ(&self, row: &EntryRow, article: &Article) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT f.key FROM member m JOIN feed f ON f.feed = m.feed WHERE m.entry = ?1 AND m.live = 1",
        )?;
        let now: Result<std::collections::BTreeSet<String>, _> =
            statement.query_map([row.entry], |row| row.get(0))?.collect();
        let wanted = self.settings.taxonomies.keys(article, &row.path);
        Ok(now? != wanted.iter().map(ToString::to_string).collect())
    }

    pub(super) fn set_problems(&mut self, path: &str, problems: &[Diagnostic]) -> Result<(), Error> {
        files::set_problems(self.connection, path, problems, self.now.wall.timestamp(), &mut self.delta)
    }
}

/// The warning of a file whose seed is that of another file's article.
pub(super) fn collision(with: &str) -> Diagnostic {
    let text = format!("this article has the date and title, or the id, of {with}, but another text");
    Diagnostic::new(Code::IdCollision, text)
        .help("give each a guid, or another title or date: only then do both keep their ids if the catalog is lost")
}

/// The warning of a file that holds the same article as another one.
pub(super) fn twin_of(leader: &str) -> Diagnostic {
    Diagnostic::new(Code::Twin, format!("the same article as {leader}, which is shown instead"))
        .help("remove one of the two files, or give them different titles or dates")
}

/// Adds a diagnostic, unless one of its code is there already: the parser has said that an article is a draft.
pub(super) fn note(problems: &mut Vec<Diagnostic>, why: Diagnostic) {
    if !problems.iter().any(|problem| problem.code == why.code) {
        problems.push(why);
    }
}
