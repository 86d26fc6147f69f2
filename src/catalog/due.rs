//! What happens when: releases, expiries, withdrawals and the end of tombstones, as rows; and the waits of missing
//! files, which must not empty a feed because a disk was unmounted or an exporter is between two runs.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use rusqlite::{Connection, params};

use super::Error;
use super::apply::Work;
use super::files::FileRow;
use super::place;
use super::row::{EntryRow, KeptRow, Seconds, State, What, meta, set_meta, timestamp};
use crate::article::{Article, Timestamp};
use crate::diagnostic::{Code, Diagnostic};
use crate::entry::Seed;

/// How long feeds tell of a withdrawal.
pub(super) const TOMBSTONE_LIFE: TimeDelta = TimeDelta::days(14);

/// An article older than this that arrives late is put on top, so that readers see it …
const LATE: i64 = 48 * 3600;
/// … but only so many in one second: the rest is an archive being copied in.
const LATE_A_SECOND: u32 = 20;

/// What was there when the catalog was made but too young to be read belongs to the first scan, if it comes this soon.
const FIRST_SCAN: i64 = 600;

/// What was missing when the inbox could be looked at again may be back, and not read yet: its wait lasts at least as
/// long as `withdraw_after`, within these bounds.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// From this many entries on, all of them missing means that the inbox is.
const ALL_MISSING: i64 = 20;

/// How many late arrivals were put on top in this second.
#[derive(Debug)]
pub(super) struct Late {
    /// When the catalog was made.
    created: Seconds,
    second: Seconds,
    given: u32,
}

impl Default for Late {
    fn default() -> Late {
        Late { created: Seconds::MIN, second: Seconds::MIN, given: 0 }
    }
}

impl Late {
    /// None was put on top yet.
    pub(super) fn new(connection: &Connection) -> Result<Late, Error> {
        let created = meta(connection, "created")?.and_then(|at| at.parse().ok()).unwrap_or(Seconds::MIN);
        Ok(Late { created, ..Late::default() })
    }

    /// The position of an article that is released now. `inode_changed`: when its file came to be as it is.
    pub(super) fn position(
        &mut self,
        connection: &Connection,
        published: Seconds,
        inode_changed: Option<Seconds>,
        now: Seconds,
    ) -> Result<Seconds, Error> {
        let of_first_scan = inode_changed.is_some_and(|at| at <= self.created) && now <= self.created + FIRST_SCAN;
        if published >= now - LATE || of_first_scan {
            return Ok(published);
        }
        if self.second != now {
            (self.second, self.given) = (now, 0);
        }
        if self.given >= LATE_A_SECOND {
            return Ok(published);
        }
        self.given += 1;
        // Feed 1 is `all`.
        let newest: Option<Seconds> = connection
            .prepare_cached(
                "SELECT position FROM member WHERE feed = 1 AND live = 1 ORDER BY position DESC, sequence DESC LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .map(Some)
            .or_else(|e| if e == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(e) })?;
        Ok(newest.map_or(published, |newest| newest.max(published)))
    }
}

/// The waits of missing files on the steady clock: a jump of the time of day must not end them.
#[derive(Debug, Default)]
pub(super) struct Waits {
    until: HashMap<i64, Duration>,
    /// When one of many missing files last came back: the others' waits began anew then.
    returned: Option<Duration>,
    /// Whether the waits of an earlier run of the process were taken over.
    inherited: bool,
    /// The inbox cannot be looked at: no wait ends.
    stopped: bool,
}

impl Waits {
    /// Nothing waits any more.
    pub(super) fn end_all(&mut self) {
        self.until.clear();
    }

    /// No wait ends later than this.
    pub(super) fn shorten(&mut self, latest: Duration) {
        self.until.values_mut().for_each(|until| *until = latest.min(*until));
    }

    /// As after a start: to be taken over from the catalog.
    pub(super) fn anew(&self) -> Waits {
        Waits { stopped: self.stopped, ..Waits::default() }
    }

    /// No wait ends until the inbox was looked through.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// The entry waits no more.
    pub(super) fn end(&mut self, entry: i64) {
        self.until.remove(&entry);
    }
}

impl Work<'_> {
    /// Takes over the waits that an earlier process began.
    pub(super) fn inherit_waits(&mut self) -> Result<(), Error> {
        if self.waits.inherited {
            return Ok(());
        }
        self.waits.inherited = true;
        let rows = self.rows("SELECT at, entry, what FROM due WHERE what IN (2, 3)", params![])?;
        for (at, entry, _) in rows {
            let left = Duration::from_secs((at - self.at()).max(0) as u64).min(self.settings.withdraw_after);
            self.waits.until.insert(entry, self.now.steady + left);
        }
        Ok(())
    }

    /// Writes the due rows that an article's dates ask for.
    pub(super) fn schedule(&mut self, entry: i64, article: &Article) -> Result<(), Error> {
        self.clear_due(entry, &[What::Release, What::Expire])?;
        if let Some(end) = article.expires.filter(|&end| end > self.now.wall) {
            self.set_due(end, entry, What::Expire)?;
        }
        let future = article.published.filter(|&at| self.settings.hold_future && at > self.now.wall && !article.draft);
        match future {
            Some(start) => self.set_due(start, entry, What::Release),
            None => Ok(()),
        }
    }

    pub(super) fn set_due(&self, at: Timestamp, entry: i64, what: What) -> Result<(), Error> {
        self.connection.prepare_cached("INSERT OR REPLACE INTO due VALUES(?1, ?2, ?3)")?.execute([
            at.timestamp(),
            entry,
            what as i64,
        ])?;
        Ok(())
    }

    pub(super) fn clear_due(&self, entry: i64, what: &[What]) -> Result<(), Error> {
        for &what in what {
            self.connection
                .prepare_cached("DELETE FROM due WHERE entry = ?1 AND what = ?2")?
                .execute([entry, what as i64])?;
        }
        Ok(())
    }

    /// An entry's file is gone: it is withdrawn after a while, unless the file comes back.
    pub(super) fn begin_wait(&mut self, entry: i64) -> Result<(), Error> {
        if self.settings.keep_deleted {
            return Ok(());
        }
        self.set_due(self.now.wall + wait(self.settings.withdraw_after), entry, What::Withdraw)?;
        self.waits.until.insert(entry, self.now.steady + self.settings.withdraw_after);
        Ok(())
    }

    /// An entry's file is there again.
    pub(super) fn end_wait(&mut self, entry: i64) -> Result<(), Error> {
        let (missing, live) = self.missing_of_live()?;
        if self.waits.until.remove(&entry).is_none() {
            return Ok(());
        }
        if missing >= 3 && missing * 2 > live {
            // They come back one after the other: the waits of the others begin anew.
            self.waits.returned = Some(self.now.steady);
        }
        set_meta(self.connection, "suspended", None)?;
        self.clear_due(entry, &[What::Withdraw, What::WithdrawNow])
    }

    /// The inbox was looked through: the waits go on, and leave time to read what was found.
    pub(super) fn go_on_waiting(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.waits.stopped) {
            return Ok(());
        }
        let (least, most) = LOOK_AGAIN;
        let earliest = self.now.steady + self.settings.withdraw_after.clamp(least, most);
        for (at, entry, what) in self.rows("SELECT at, entry, what FROM due WHERE what IN (2, 3)", params![])? {
            let until = self.waits.until.entry(entry).or_default();
            *until = earliest.max(*until);
            let left = *until - self.now.steady;
            self.connection.prepare_cached("DELETE FROM due WHERE at = ?1 AND entry = ?2 AND what = ?3")?.execute([
                at,
                entry,
                what as i64,
            ])?;
            self.set_due(self.now.wall + wait(left), entry, what)?;
        }
        Ok(())
    }

    /// A file was seen that may have been missing.
    pub(super) fn came_back(&mut self, before: Option<&FileRow>, path: &str) -> Result<(), Error> {
        let Some(FileRow { missing: Some(_), entry: Some(entry), .. }) = before else { return Ok(()) };
        match EntryRow::get(self.connection, *entry)? {
            Some(row) if row.path == path => self.end_wait(*entry),
            _ => Ok(()),
        }
    }

    /// How many shown entries wait for their files, and how many are shown.
    fn missing_of_live(&self) -> Result<(i64, i64), Error> {
        let missing = self.waits.until.len() as i64;
        // Feed 1 is `all`; what this transaction has placed so far is not in its row yet, which does not matter here.
        let live = self
            .connection
            .prepare_cached("SELECT ifnull(max(count), 0) FROM feed WHERE feed = 1")?
            .query_row([], |row| row.get(0))?;
        Ok((missing, live))
    }

    /// Remembers that the whole inbox seems to be missing: from then on only a file that comes back ends this.
    pub(super) fn suspend_if_all_missing(&mut self) -> Result<(), Error> {
        let (missing, live) = self.missing_of_live()?;
        if live >= ALL_MISSING && missing >= live && meta(self.connection, "suspended")?.is_none() {
            set_meta(self.connection, "suspended", Some("all files are missing"))?;
        }
        Ok(())
    }

    /// Says whether so many files are missing that the inbox may be what is missing.
    pub(super) fn tell_absent(&mut self) -> Result<(), Error> {
        let (missing, live) = self.missing_of_live()?;
        self.delta.absent = if meta(self.connection, "suspended")?.is_some() {
            Some(
                "all files are missing: nothing is withdrawn until one is there again, or a start with --accept-empty"
                    .to_owned(),
            )
        } else if missing >= 3 && missing * 2 > live {
            Some(format!("{missing} of {live} files are missing: their articles are withdrawn only if that lasts"))
        } else {
            None
        };
        Ok(())
    }

    /// Withdraws at once whatever is missing.
    pub(super) fn accept_missing(&mut self) -> Result<(), Error> {
        set_meta(self.connection, "suspended", None)?;
        for (_, entry, _) in self.rows("SELECT at, entry, what FROM due WHERE what IN (2, 3)", params![])? {
            self.withdraw_missing(entry)?;
        }
        Ok(())
    }

    /// Does everything whose time has come.
    pub(super) fn process_due(&mut self) -> Result<(), Error> {
        loop {
            let rows = self.rows(
                "SELECT at, entry, what FROM due WHERE at <= ?1 ORDER BY at, entry LIMIT 256",
                params![self.at()],
            )?;
            if rows.is_empty() {
                return Ok(());
            }
            let counts = self.missing_of_live()?;
            let suspended = meta(self.connection, "suspended")?.is_some();
            for (at, entry, what) in rows {
                let done = [at, entry, what as i64];
                self.connection
                    .prepare_cached("DELETE FROM due WHERE at = ?1 AND entry = ?2 AND what = ?3")?
                    .execute(done)?;
                match what {
                    What::Release => self.release_due(entry)?,
                    What::Expire => self.expire(entry)?,
                    What::Withdraw | What::WithdrawNow => self.withdraw_due(entry, what, counts, suspended)?,
                    What::Forget => self.forget(entry)?,
                }
            }
        }
    }

    fn release_due(&mut self, entry: i64) -> Result<(), Error> {
        let (Some(mut row), Some(kept)) =
            (EntryRow::get(self.connection, entry)?, KeptRow::get(self.connection, entry)?)
        else {
            return Ok(());
        };
        if row.state != State::Held || self.waits.until.contains_key(&entry) {
            return Ok(());
        }
        // What is due has no checksum; the article's own date has one.
        if super::apply::held(&kept.article, self.settings, self.now).is_some() {
            return self.schedule(entry, &kept.article);
        }
        self.drop_note(&row.path, Code::Future)?;
        let seed = Seed::of(&kept.article, &row.path);
        self.release(&mut row, &kept.article, seed, None)
    }

    /// Releases an entry whose time came while its file was away, and which is there again.
    pub(super) fn release_overdue(&mut self, mut row: EntryRow) -> Result<(), Error> {
        let Some(kept) = KeptRow::get(self.connection, row.entry)? else { return Ok(()) };
        if super::apply::held(&kept.article, self.settings, self.now).is_some() {
            return Ok(());
        }
        self.drop_note(&row.path, Code::Future)?;
        let seed = Seed::of(&kept.article, &row.path);
        self.release(&mut row, &kept.article, seed, None)
    }

    fn expire(&mut self, entry: i64) -> Result<(), Error> {
        let Some(row) = EntryRow::get(self.connection, entry)? else { return Ok(()) };
        let Some(kept) = KeptRow::get(self.connection, entry)? else { return Ok(()) };
        // What is due has no checksum; the article's own date has one.
        if kept.article.expires.is_none_or(|end| end > self.now.wall) {
            return self.schedule(entry, &kept.article);
        }
        self.clear_due(entry, &[What::Release])?;
        self.drop_note(&row.path, Code::Future)?;
        let mut problems = super::files::problems(self.connection, &row.path)?;
        problems
            .push(Diagnostic::new(Code::Expired, format!("withheld: it expired on {}", self.now.wall.to_rfc3339())));
        self.set_problems(&row.path.clone(), &problems)?;
        if row.state == State::Shown { self.withdraw(row) } else { Ok(()) }
    }

    fn withdraw_due(&mut self, entry: i64, what: What, counts: (i64, i64), suspended: bool) -> Result<(), Error> {
        let again = self.settings.withdraw_after;
        let until = self.waits.until.get(&entry).copied().unwrap_or_default();
        let until = self.waits.returned.map_or(until, |returned| until.max(returned + again));
        if suspended || self.waits.stopped {
            // Looked at again now and then; a file that comes back ends it.
            return self.set_due(self.now.wall + wait(again).max(TimeDelta::seconds(60)), entry, what);
        }
        if until > self.now.steady {
            let left = (until - self.now.steady).max(Duration::from_secs(1));
            return self.set_due(self.now.wall + wait(left), entry, what);
        }
        let (missing, live) = counts;
        if what == What::Withdraw && missing >= 3 && missing * 2 > live {
            self.waits.until.insert(entry, self.now.steady + again);
            return self.set_due(self.now.wall + wait(again), entry, What::WithdrawNow);
        }
        self.withdraw_missing(entry)
    }

    fn withdraw_missing(&mut self, entry: i64) -> Result<(), Error> {
        self.waits.until.remove(&entry);
        self.clear_due(entry, &[What::Withdraw, What::WithdrawNow])?;
        let Some(row) = EntryRow::get(self.connection, entry)? else { return Ok(()) };
        if self.leader_is_there(&row)? || self.promote_twin(&row)? {
            return Ok(());
        }
        match row.state {
            State::Shown => self.withdraw(row),
            State::Withdrawn => Ok(()),
            // It was never shown: nothing is to be remembered.
            State::Held => {
                self.clear_due(entry, &[What::Release, What::Expire])?;
                for table in ["entry", "kept", "file"] {
                    self.connection.execute(&format!("DELETE FROM {table} WHERE entry = ?1"), [entry])?;
                }
                Ok(())
            }
        }
    }

    /// The end of a withdrawn entry's tombstones, and of its kept bytes. Its id is never given to another.
    fn forget(&mut self, entry: i64) -> Result<(), Error> {
        let at = self.at();
        place::forget_tombstones(self.connection, &mut self.feeds, entry, at)?;
        if EntryRow::get(self.connection, entry)?.is_some_and(|row| row.state == State::Withdrawn) {
            self.connection.prepare_cached("DELETE FROM kept WHERE entry = ?1")?.execute([entry])?;
        }
        Ok(())
    }

    fn drop_note(&mut self, path: &str, code: Code) -> Result<(), Error> {
        let mut problems = super::files::problems(self.connection, path)?;
        problems.retain(|problem| problem.code != code);
        self.set_problems(path, &problems)
    }

    fn rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<(Seconds, i64, What)>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(what) = What::from_number(row.get(2)?) {
                found.push((row.get(0)?, row.get(1)?, what));
            }
        }
        Ok(found)
    }
}

/// When something is due next.
pub(super) fn next(connection: &Connection) -> Result<Option<Timestamp>, Error> {
    let at: Option<Seconds> = connection.prepare_cached("SELECT min(at) FROM due")?.query_row([], |row| row.get(0))?;
    Ok(at.map(timestamp))
}

fn wait(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(3650))
}
