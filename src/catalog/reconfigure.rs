//! Other settings while feeds are served: new mixes exist at once, waits begin or end, files that could not be read are
//! asked for again. What was accepted is read again behind this, by [`Catalog::reparse`].

use rusqlite::params;

use super::apply::Work;
use super::row::{EntryRow, join};
use super::{Catalog, Delta, Error, Now, Settings, rules};
use crate::entry::Key;

impl Catalog {
    /// Takes other settings, whole or not at all; readers see feeds by them from now on. `site.id` cannot change so.
    ///
    /// # Errors
    ///
    /// As [`Catalog::apply`].
    pub fn set_settings(&mut self, now: Now, settings: Settings) -> Result<Delta, Error> {
        let rules = rules(&settings);
        let others = rules != self.rules;
        let reads = settings.rules.digest();
        let before = (
            std::mem::replace(&mut self.settings, settings),
            std::mem::replace(&mut self.rules, rules),
            std::mem::replace(&mut self.reads, reads),
        );
        match self.work(now, |work| work.reconfigured(&before.0, others)) {
            Ok(delta) => {
                self.readers.set_view(&self.settings);
                if others {
                    self.reparsed = 0;
                }
                Ok(delta)
            }
            Err(error) => {
                (self.settings, self.rules, self.reads) = before;
                Err(error)
            }
        }
    }
}

impl Work<'_> {
    /// Returns whether files are missing that nobody waited for before.
    fn reconfigured(&mut self, before: &Settings, other_rules: bool) -> Result<bool, Error> {
        let mixes = self.settings.taxonomies.mixes.iter().map(|mix| mix.key());
        for key in std::iter::once(Key::all()).chain(mixes) {
            self.feeds.ensure(self.connection, &key, 0)?;
        }
        if other_rules {
            self.ask_for_broken()?;
        }
        match (before.keep_deleted, self.settings.keep_deleted) {
            (false, true) => {
                self.connection.execute("DELETE FROM due WHERE what IN (2, 3)", [])?;
                self.waits.end_all();
            }
            (true, false) => return self.wait_for_missing(),
            _ if self.settings.withdraw_after < before.withdraw_after => self.shorten_waits()?,
            _ => {}
        }
        Ok(false)
    }

    /// Files that no entry could be made of, or whose last version could not be read: they may read otherwise now.
    fn ask_for_broken(&mut self) -> Result<(), Error> {
        let mut statement = self.connection.prepare(
            "SELECT folder, name FROM file WHERE missing IS NULL AND (entry IS NULL OR EXISTS(
               SELECT 1 FROM problem WHERE severity = 2
               AND path = CASE WHEN folder = '' THEN name ELSE folder || '/' || name END))",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.delta
                .reread
                .push(join(row.get_ref(0)?.as_str().unwrap_or(""), row.get_ref(1)?.as_str().unwrap_or("")));
        }
        drop(rows);
        for path in &self.delta.reread {
            let (folder, name) = super::row::split(path);
            self.connection
                .prepare_cached("UPDATE file SET size = NULL WHERE folder = ?1 AND name = ?2")?
                .execute([folder, name])?;
        }
        Ok(())
    }

    /// What is gone was kept until now.
    fn wait_for_missing(&mut self) -> Result<bool, Error> {
        let entries: Vec<i64> = self
            .connection
            .prepare("SELECT DISTINCT entry FROM file WHERE missing IS NOT NULL AND entry IS NOT NULL")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for &entry in &entries {
            let Some(row) = EntryRow::get(self.connection, entry)? else { continue };
            if row.state != super::row::State::Withdrawn && !self.leader_is_there(&row)? {
                self.begin_wait(entry)?;
            }
        }
        Ok(!entries.is_empty())
    }

    fn shorten_waits(&mut self) -> Result<(), Error> {
        let wait = self.settings.withdraw_after;
        let latest = self.at() + i64::try_from(wait.as_secs()).unwrap_or(i64::MAX / 2);
        self.connection
            .execute("UPDATE OR REPLACE due SET at = ?1 WHERE what IN (2, 3) AND at > ?1", params![latest])?;
        self.waits.shorten(self.now.steady + wait);
        Ok(())
    }
}
