//! Comparing the inbox with the catalog, folder by folder: by names and `stat` alone, nothing is opened.
//!
//! What the catalog knows of a folder is read before the folder is listed: what was known and is not listed is then
//! truly gone, and what is accepted in between merely looks changed and is read once more.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Dir, FileType};

use super::inbox::{Look, Root, folder_of, is_below, join, name_text};
use super::{Names, Poll};
use crate::catalog::{self, Fingerprint, KnownFile, Readers};
use crate::failpoint;

/// What stands in one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Names of articles: files, and what only looks like one and is a problem.
    pub(super) files: Vec<(String, Fingerprint)>,
    /// Paths of the folders in it that are not excluded.
    pub(super) folders: Vec<String>,
    /// Names of files that are excluded.
    pub(super) excluded: HashSet<String>,
}

/// How a folder differs from what the catalog knows of it; paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// New, changed, or there again.
    pub(super) found: Vec<(String, Fingerprint)>,
    /// Known and not there.
    pub(super) lost: Vec<String>,
}

/// Lists a folder; `step` is called with each name, because a folder on a slow disk takes its time.
///
/// # Errors
///
/// Where it is missing or cannot be read; nothing in it is then known to be missing.
pub(super) fn list(root: &Root, folder: &str, names: &Names, step: impl Fn()) -> io::Result<Listing> {
    failpoint::io("scan.list")?;
    let fd = root.open_folder(folder)?;
    let mut listing = Listing::default();
    let mut entries = Dir::read_from(&fd)?;
    while let Some(entry) = entries.read() {
        step();
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let text = name_text(name);
        let path = join(folder, &text);
        let excluded = names.excluded(&path).is_some();
        let is_article = !excluded && names.include.is_match(&path);
        let mut kind = entry.file_type();
        let mut look = None;
        // Some file systems do not say the kind in a listing.
        if is_article && kind != FileType::Directory || kind == FileType::Unknown {
            match root.look_in(&fd, folder, name) {
                Ok(Look::Folder) => kind = FileType::Directory,
                Ok(found) => look = Some(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
        }
        match look {
            _ if kind == FileType::Directory => {
                if excluded {
                } else if text.as_bytes() == name.as_bytes() {
                    listing.folders.push(path);
                } else {
                    tracing::warn!(folder = path, "the folder's name is not valid UTF-8: it was passed over");
                }
            }
            _ if excluded => {
                listing.excluded.insert(text);
            }
            Some(Look::File(seen) | Look::Link(seen) | Look::Special(seen)) if is_article => {
                listing.files.push((text, seen));
            }
            _ => {}
        }
    }
    Ok(listing)
}

/// Compares a listing with what the catalog knows of the folder.
pub(super) fn compare(folder: &str, listed: &[(String, Fingerprint)], known: &[KnownFile]) -> Difference {
    let mut known: HashMap<&str, &KnownFile> = known.iter().map(|file| (file.name.as_str(), file)).collect();
    let mut difference = Difference::default();
    for (name, seen) in listed {
        let same =
            known.remove(name.as_str()).is_some_and(|file| !file.missing && file.fingerprint.as_ref() == Some(seen));
        if !same {
            difference.found.push((join(folder, name), *seen));
        }
    }
    difference.lost = known.values().filter(|file| !file.missing).map(|file| join(folder, &file.name)).collect();
    difference.lost.sort_unstable();
    difference
}

/// What the catalog knows of a folder; nothing where there is no catalog yet.
///
/// # Errors
///
/// Where the catalog cannot be read.
pub(super) fn known_in(readers: Option<&Readers>, folder: &str) -> Result<Vec<KnownFile>, catalog::Error> {
    failpoint::io("scan.known").map_err(|source| catalog::Error::Io { dir: folder.to_owned(), source })?;
    readers.map_or(Ok(Vec::new()), |readers| readers.read(|reader| reader.files_in(folder)))
}

/// Calls `lost` with the files of each known folder at or below `top` that `is_there` does not name.
///
/// # Errors
///
/// Where the catalog cannot be read.
pub(super) fn vanished_folders(
    readers: &Readers,
    top: &str,
    is_there: impl Fn(&str) -> bool,
    mut lost: impl FnMut(Vec<String>),
) -> Result<(), catalog::Error> {
    const AT_ONCE: usize = 500;
    let mut gone = |folder: &str| -> Result<(), catalog::Error> {
        if !is_there(folder) {
            let known = known_in(Some(readers), folder)?;
            let paths: Vec<String> =
                known.iter().filter(|file| !file.missing).map(|file| join(folder, &file.name)).collect();
            if !paths.is_empty() {
                lost(paths);
            }
        }
        Ok(())
    };
    gone(top)?;
    // In byte order all that is below `a` follows `a/` and precedes `a0`.
    let mut after = if top.is_empty() { String::new() } else { format!("{top}/") };
    loop {
        let folders = readers.read(|reader| reader.folders(Some(&after), AT_ONCE))?;
        for folder in &folders {
            if !is_below(folder, top) {
                return Ok(());
            }
            gone(folder)?;
        }
        match folders.into_iter().next_back() {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// The files that `inbox.exclude` names, by folder: counted for operators, never read.
#[derive(Debug, Default)]
pub(super) struct Excluded {
    folders: HashMap<String, HashSet<String>>,
}

impl Excluded {
    /// Takes what a listing found.
    pub(super) fn set(&mut self, folder: &str, names: HashSet<String>) {
        if names.is_empty() {
            self.folders.remove(folder);
        } else {
            self.folders.insert(folder.to_owned(), names);
        }
    }

    /// A file came.
    pub(super) fn insert(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.folders.entry(folder_of(path).to_owned()).or_default().insert(name.to_owned());
    }

    /// A file went.
    pub(super) fn remove(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(names) = self.folders.get_mut(folder_of(path)) {
            names.remove(name);
            if names.is_empty() {
                self.folders.remove(folder_of(path));
            }
        }
    }

    /// Keeps only the folders that are there.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.folders.retain(|folder, _| is_there(folder));
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.folders.values().map(|names| names.len() as u64).sum()
    }
}

/// File systems on which others make changes that the kernel here never hears of, by the magic number of `statfs`.
const WITHOUT_EVENTS: [(u32, &str); 16] = [
    (0x0000_6969, "NFS"),
    (0x0000_517B, "SMB"),
    (0xFF53_4D42, "SMB"),
    (0xFE53_4D42, "SMB"),
    // sshfs, rclone, s3fs, GlusterFS, and virtiofs of virtual machines.
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x2003_0528, "OrangeFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x786F_4256, "VirtualBox shared folders"),
];

/// Why the whole inbox is polled, in words; `None` where it is watched. `magic` is that of its file system.
pub(super) fn polled(poll: Poll, magic: Option<u64>) -> Option<String> {
    match poll {
        Poll::On => Some("as configured".to_owned()),
        Poll::Off => None,
        Poll::Auto => {
            // Its type differs between architectures, and where it is signed its upper half is all ones.
            let (_, name) =
                WITHOUT_EVENTS.iter().find(|(known, _)| magic.is_some_and(|magic| magic as u32 == *known))?;
            Some(format!("{name} has no events"))
        }
    }
}

#[cfg(test)]
mod tests;
