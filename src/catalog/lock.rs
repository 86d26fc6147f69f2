//! The lock on a state folder: `flock`, held as long as the process lives, so that a crash frees it at once.
//!
//! The file says who holds it; the text is for people and for `feedmill status`, the lock itself is what counts.

use std::fs::{self, File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::failpoint;

const FILE: &str = "lock";

/// The lock on a state folder, held as long as this lives; its file says pid and addresses.
#[derive(Debug)]
pub struct Lock {
    dir: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    holder: Holder,
}

/// What a lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The public address, `HOST:PORT` or `unix:/PATH`.
    pub http: Option<String>,
    /// The admin address.
    pub admin: Option<String>,
}

impl Lock {
    /// Makes the folder if needed and locks it.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] at once where another process has it; [`Error::Io`].
    pub fn acquire(dir: &Path) -> Result<Lock, Error> {
        let holder = Holder { pid: std::process::id(), ..Holder::default() };
        let held = Held { file: take(dir)?, holder };
        held.write(dir);
        Ok(Lock { dir: dir.to_owned(), held: Mutex::new(held) })
    }

    /// Writes the addresses into the lock file. Where that fails the lock holds all the same, and `feedmill status`
    /// asks the addresses of the config.
    pub fn publish(&self, holder: &Holder) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.holder = holder.clone();
        held.write(&self.dir);
    }

    /// Locks the folder again where its lock file was removed, or the whole folder.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`]: another process may have locked the new one.
    pub fn renew(&self) -> Result<(), Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |file: fs::Metadata| (file.dev(), file.ino());
        let ours = held.file.metadata().map(place);
        if fs::metadata(self.dir.join(FILE)).map(place).is_ok_and(|there| ours.is_ok_and(|ours| ours == there)) {
            return Ok(());
        }
        held.file = take(&self.dir)?;
        held.write(&self.dir);
        Ok(())
    }

    /// Who holds a folder now; `None` where nobody does.
    pub fn holder(dir: &Path) -> Option<Holder> {
        let file = File::open(dir.join(FILE)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read(dir),
            _ => None,
        }
    }
}

impl Held {
    fn write(&self, dir: &Path) {
        let write = || {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            file.set_len(0)?;
            serde_json::to_writer(file, &self.holder)?;
            file.write_all(b"\n")
        };
        if let Err(error) = write() {
            tracing::debug!(dir = %dir.display(), %error, "the lock file could not be written");
        }
    }
}

/// Opens and locks the lock file of a folder.
fn take(dir: &Path) -> Result<File, Error> {
    let name = dir.display().to_string();
    let io = |source| Error::Io { dir: name.clone(), source };
    failpoint::io("state.lock").and_then(|()| fs::create_dir_all(dir)).map_err(io)?;
    let file = File::options().read(true).write(true).create(true).truncate(false).open(dir.join(FILE));
    // A folder that cannot be written is locked all the same, where there is something in it to lock.
    let file = file.or_else(|error| {
        let other = File::open(dir.join(FILE)).or_else(|_| File::open(dir));
        other.map_err(|_| error)
    });
    let file = file.map_err(io)?;
    // `status` holds a shared lock for an instant while it looks: one refusal is not yet another daemon.
    let mut attempt = file.try_lock();
    for _ in 0..10 {
        if !matches!(attempt, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        attempt = file.try_lock();
    }
    match attempt {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let pid = read(dir).map_or_else(|| "unknown".to_owned(), |holder| holder.pid.to_string());
            Err(Error::Locked { dir: name, pid })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn read(dir: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_holder() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Lock::holder(dir.path()), None);
        let lock = Lock::acquire(dir.path()).expect("the first one");
        let holder = Holder { pid: std::process::id(), http: Some("127.0.0.1:1".to_owned()), admin: None };
        lock.publish(&holder);
        assert_eq!(Lock::holder(dir.path()), Some(holder));
        match Lock::acquire(dir.path()) {
            Err(Error::Locked { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
            other => panic!("{other:?}"),
        }
        drop(lock);
        assert_eq!(Lock::holder(dir.path()), None);
        Lock::acquire(dir.path()).expect("free again");
    }
    #[test]
    fn a_lock_whose_folder_was_removed_is_taken_again() {
        let above = tempfile::tempdir().expect("a folder");
        let dir = above.path().join("state");
        let lock = Lock::acquire(&dir).expect("the first one");
        lock.renew().expect("it is there");
        fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(Lock::holder(&dir), None);
        lock.renew().expect("made anew");
        assert_eq!(Lock::holder(&dir).map(|holder| holder.pid), Some(std::process::id()));
        fs::remove_dir_all(&dir).expect("removed");
        let _other = Lock::acquire(&dir).expect("nobody holds it");
        assert!(matches!(lock.renew(), Err(Error::Locked { .. })));
    }
}
