//! Checkpoints: how the write-ahead log (WAL) is copied into the database and begun anew, so that it stays short.
//!
//! Copying is done on a connection of its own and keeps no commit waiting. The log is begun anew by the writer's next
//! transaction, but only where all of it is copied and no reader still looks at it: so the writer's own connection
//! copies what came meanwhile, between two transactions. Where readers follow each other without a gap that never
//! happens by itself; the writer can wait for those who read now, and those who come then no longer need the log.

use std::time::Duration;

use rusqlite::Connection;

use super::read::Readers;
use super::{Catalog, Error, point, schema};

/// The log, in frames: one page of one transaction each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Since it was begun anew.
    pub frames: u64,
    /// Of these, those that are in the database too.
    pub copied: u64,
}

impl Log {
    /// Frames that are to be copied.
    pub fn behind(&self) -> u64 {
        self.frames.saturating_sub(self.copied)
    }
}

/// What SQLite is asked to do with the log.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Nothing: only to tell.
    Noop,
    /// Copy what no reader keeps from being copied.
    Passive,
    /// Copy all, and see that the next transaction begins it anew; waits for readers as long as the connection does.
    Restart,
}

fn checkpoint(connection: &Connection, mode: Mode) -> Result<Log, Error> {
    let sql = match mode {
        Mode::Noop => "PRAGMA wal_checkpoint(NOOP)",
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Restart => "PRAGMA wal_checkpoint(RESTART)",
    };
    let mut statement = connection.prepare_cached(sql)?;
    // -1 each where there is no log.
    let (frames, copied): (i64, i64) = statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    Ok(Log { frames: frames.max(0) as u64, copied: copied.max(0) as u64 })
}

impl Catalog {
    /// How long the log is. Costs next to nothing.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn log(&self) -> Result<Log, Error> {
        checkpoint(&self.connection, Mode::Noop)
    }

    /// To be called between two transactions: copies the rest of the log, and where all of it is copied and nobody
    /// reads it the next transaction begins it anew. Waits up to `patience` for those who read it now.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn checkpoint(&mut self, patience: Duration) -> Result<Log, Error> {
        point("catalog.checkpoint")?;
        if patience.is_zero() {
            return checkpoint(&self.connection, Mode::Passive);
        }
        self.connection.busy_timeout(patience)?;
        let log = checkpoint(&self.connection, Mode::Restart);
        self.connection.busy_timeout(schema::BUSY)?;
        log
    }
}

impl Readers {
    /// Copies the log into the database on a connection of its own, while the writer goes on.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn copy_log(&self) -> Result<Log, Error> {
        self.maintain(|connection| checkpoint(connection, Mode::Passive))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::super::tests::{START, settings, text};
    use super::super::{Now, row};
    use super::*;
    use crate::entry::{Document, Format, Key};

    fn catalog(dir: &std::path::Path) -> Catalog {
        let now = Now { wall: row::timestamp(START), steady: Duration::ZERO };
        Catalog::load(dir, settings(), now, &mut std::iter::empty()).expect("a catalog")
    }

    fn commit(catalog: &mut Catalog, n: u64) {
        let now = Now { wall: row::timestamp(START), steady: Duration::ZERO };
        let title: &'static str = Box::leak(format!("Number {n}").into_boxed_str());
        catalog.apply(now, vec![text(title, START - n as i64).seen(&format!("{n}.md"), n)]).expect("a commit");
    }

    #[test]
    fn what_is_copied_beside_the_writer_is_begun_anew_by_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut catalog = catalog(dir.path());
        let mut longest = 0;
        for n in 0..100 {
            commit(&mut catalog, n);
            if n % 10 == 9 {
                let copied = catalog.readers().copy_log().expect("copied");
                assert_eq!(copied.behind(), 0, "nobody reads");
                longest = longest.max(copied.frames);
                assert_eq!(catalog.checkpoint(Duration::ZERO).expect("a checkpoint").behind(), 0);
            }
        }
        commit(&mut catalog, 100);
        let one = catalog.log().expect("told").frames;
        assert!(one < longest / 2, "{one} frames of one commit, {longest} of ten");
    }

    /// Readers who follow each other without a gap: at every moment one of them looks at the log.
    #[test]
    fn the_log_stays_short_under_readers_without_a_gap() {
        const MOST: u64 = 200;
        let dir = tempfile::tempdir().expect("a folder");
        let mut catalog = catalog(dir.path());
        let readers = catalog.readers();
        let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        let all = Document::Feed(Key::all(), Format::Rss);
        let mut longest = 0;
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let read = readers.read(|reader| {
                            // As long as several commits.
                            let until = std::time::Instant::now() + Duration::from_millis(20);
                            while std::time::Instant::now() < until {
                                reader.material(&all)?;
                            }
                            Ok(())
                        });
                        read.expect("readable");
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for n in 0.. {
                commit(&mut catalog, n);
                let log = catalog.log().expect("told");
                longest = longest.max(log.frames);
                if log.behind() > MOST / 4 {
                    readers.copy_log().expect("copied");
                }
                if log.frames > MOST {
                    catalog.checkpoint(Duration::from_secs(5)).expect("a checkpoint");
                }
                // Several times what is allowed.
                if n >= 120 {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert!(reads.load(Ordering::Relaxed) > 0);
        assert!(longest <= MOST + 60, "{longest} frames");
    }
}
