//! A folder that holds documents as files: what `build` and `publish.disk` write into.
//!
//! A file may have twins in other content codings, for servers that send those as they are (`.gz` of nginx's
//! `gzip_static`); they are written after it, bear its time, and go with it.
//!
//! A file is replaced by a rename and only where its bytes differ. A manifest in the folder says which files are ours:
//! nothing else is replaced or removed. Notes in the state folder say of which stamp a file was made, so that what has
//! not changed need not be rendered; they are believed only while the file is the very one that was written.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::entry::Hash;
use crate::failpoint;
use crate::rendition::Coding;

/// Names what is ours, one path a line.
const MANIFEST: &str = ".feedmill-manifest";

/// A file's stamp and what `stat` says of it, hashed: equal only while both are the same.
type Note = [u8; 16];

/// A file that is ours.
#[derive(Debug, Default)]
struct Mine {
    note: Option<Note>,
    /// The last pass that came upon it.
    met: u32,
}

/// A folder with documents; may be written to by several threads.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    notes: PathBuf,
    /// The codings of which files have twins.
    twins: Vec<Coding>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    ours: HashMap<Box<str>, Mine>,
    /// The manifest, to be added to: a file is named as ours before it is written, so that it is known after a crash.
    manifest: File,
    /// Whether the last line of the manifest may be half a line.
    torn: bool,
    pass: u32,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    /// Somebody else's file stands there.
    #[error("{} is there and feedmill has not written it: move it away, or name another folder", .0.display())]
    Foreign(PathBuf),
    /// The disk is full, for one.
    #[error("cannot write {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Folder {
    /// Opens a folder, making it where it is not there. `state` is where the notes are kept.
    ///
    /// # Errors
    ///
    /// Where it cannot be made or written to.
    pub(super) fn open(root: &Path, state: &Path, twins: Vec<Coding>) -> io::Result<Folder> {
        fs::create_dir_all(root)?;
        let real = fs::canonicalize(root)?;
        let hash = blake3::hash(real.as_os_str().as_encoded_bytes()).to_hex();
        let notes = state.join(format!("published-{}", &hash.as_str()[..16]));
        let manifest = File::options().append(true).create(true).open(root.join(MANIFEST))?;
        let mut ours: HashMap<Box<str>, Mine> =
            read_manifest(root)?.into_iter().map(|file| (file.into_boxed_str(), Mine::default())).collect();
        read_notes(&notes, &mut ours);
        sweep(root, ours.keys().map(|file| &**file));
        let inner = Inner { ours, manifest, torn: true, pass: 0 };
        Ok(Folder { root: root.to_owned(), notes, twins, inner: Mutex::new(inner) })
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// How many files in it are ours.
    pub(super) fn len(&self) -> usize {
        self.lock().ours.len()
    }

    /// Whether it is known of which stamp a file was made.
    pub(super) fn has_note(&self, file: &str) -> bool {
        self.lock().ours.get(file).is_some_and(|mine| mine.note.is_some())
    }

    /// Whether a file and its twins were made of this stamp and are still as they were written.
    pub(super) fn is_current(&self, file: &str, stamp: &Hash) -> bool {
        let Ok(found) = fs::symlink_metadata(self.root.join(file)) else { return false };
        let large = Coding::is_worthwhile(usize::try_from(found.len()).unwrap_or(usize::MAX));
        let mut current = self.is_one_current(file, stamp);
        for &coding in self.twins.iter().filter(|_| large) {
            current &= self.is_one_current(&twin_of(file, coding), stamp);
        }
        current
    }

    fn is_one_current(&self, file: &str, stamp: &Hash) -> bool {
        let found = fs::symlink_metadata(self.root.join(file)).ok().map(|found| note(stamp, &found));
        let mut inner = self.lock();
        let pass = inner.pass;
        match inner.ours.get_mut(file) {
            Some(mine) if mine.note.is_some() && mine.note == found => {
                mine.met = pass;
                true
            }
            _ => false,
        }
    }

    /// Lets a file and its twins stand in this pass, however old they are.
    pub(super) fn meet(&self, file: &str) {
        let mut inner = self.lock();
        let pass = inner.pass;
        for file in self.twins.iter().map(|twin| twin_of(file, *twin)).chain([file.to_owned()]) {
            if let Some(mine) = inner.ours.get_mut(file.as_str()) {
                mine.met = pass;
            }
        }
    }

    /// Puts a file and its twins in place, only where the bytes differ; true where those of the file did. `worker`
    /// names the temporary file.
    ///
    /// # Errors
    ///
    /// See [`Unwritten`].
    pub(super) fn put(&self, file: &str, bytes: &[u8], stamp: &Hash, worker: usize) -> Result<bool, Unwritten> {
        let written = self.put_one(file, bytes, stamp, None, worker)?;
        for &coding in &self.twins {
            let twin = twin_of(file, coding);
            if Coding::is_worthwhile(bytes.len()) {
                let io = |source| Unwritten::Io { path: self.root.join(&twin), source };
                let encoded = coding.encode(bytes).map_err(io)?;
                let modified =
                    fs::symlink_metadata(self.root.join(file)).and_then(|found| found.modified()).map_err(io)?;
                self.put_one(&twin, &encoded, stamp, Some(modified), worker)?;
            } else {
                self.remove_one(&twin)?;
            }
        }
        Ok(written)
    }

    fn put_one(
        &self,
        file: &str,
        bytes: &[u8],
        stamp: &Hash,
        modified: Option<SystemTime>,
        worker: usize,
    ) -> Result<bool, Unwritten> {
        let path = self.root.join(file);
        let io = |source| Unwritten::Io { path: self.root.join(file), source };
        let same = is_equal(&path, bytes);
        self.claim(file, &path, same)?;
        if !same {
            replace(&path, bytes, modified, worker).map_err(io)?;
        }
        let written = fs::symlink_metadata(&path).map_err(io)?;
        let mut inner = self.lock();
        let pass = inner.pass;
        inner.ours.insert(file.into(), Mine { note: Some(note(stamp, &written)), met: pass });
        Ok(!same)
    }

    /// Makes sure that a file is ours before it is written.
    fn claim(&self, file: &str, path: &Path, same: bool) -> Result<(), Unwritten> {
        let mut inner = self.lock();
        if inner.ours.contains_key(file) {
            return Ok(());
        }
        if !same && fs::symlink_metadata(path).is_ok() {
            return Err(Unwritten::Foreign(path.to_owned()));
        }
        // After a line that may not be whole, a new line begins.
        let line = if inner.torn { format!("\n{file}\n") } else { format!("{file}\n") };
        inner.torn = true;
        let io = |source| Unwritten::Io { path: self.root.join(MANIFEST), source };
        inner.manifest.write_all(line.as_bytes()).map_err(io)?;
        inner.torn = false;
        inner.ours.insert(file.into(), Mine::default());
        Ok(())
    }

    /// Removes a file that is ours with its twins, and the folders that become empty by that; true where it was there.
    ///
    /// # Errors
    ///
    /// Where it cannot be removed.
    pub(super) fn remove(&self, file: &str) -> Result<bool, Unwritten> {
        // A twin without its file would still be served by some.
        for &coding in &self.twins {
            self.remove_one(&twin_of(file, coding))?;
        }
        self.remove_one(file)
    }

    fn remove_one(&self, file: &str) -> Result<bool, Unwritten> {
        if !self.lock().ours.contains_key(file) {
            return Ok(false);
        }
        let removed =
            remove(&self.root, file).map_err(|source| Unwritten::Io { path: self.root.join(file), source })?;
        self.lock().ours.remove(file);
        Ok(removed)
    }

    /// Begins a pass over all documents.
    pub(super) fn begin_pass(&self) {
        self.lock().pass += 1;
    }

    /// Ends a pass: what it did not come upon is removed. Returns how many files those were.
    ///
    /// # Errors
    ///
    /// Where a file cannot be removed, or the manifest not be written.
    pub(super) fn end_pass(&self) -> Result<u64, Unwritten> {
        let stale: Vec<Box<str>> = {
            let inner = self.lock();
            inner.ours.iter().filter(|(_, mine)| mine.met != inner.pass).map(|(file, _)| file.clone()).collect()
        };
        let mut removed = 0;
        for file in stale {
            removed += u64::from(self.remove_one(&file)?);
        }
        self.save()?;
        Ok(removed)
    }

    /// Writes the manifest anew, without what was removed, and the notes.
    ///
    /// # Errors
    ///
    /// Where they cannot be written.
    pub(super) fn save(&self) -> Result<(), Unwritten> {
        let mut inner = self.lock();
        let mut files: Vec<&str> = inner.ours.keys().map(|file| &**file).collect();
        files.sort_unstable();
        let path = self.root.join(MANIFEST);
        let io = |source| Unwritten::Io { path: self.root.join(MANIFEST), source };
        let text: String = files.iter().flat_map(|file| [*file, "\n"]).collect();
        failpoint::io("publish.manifest").map_err(io)?;
        if !is_equal(&path, text.as_bytes()) {
            replace(&path, text.as_bytes(), None, 0).map_err(io)?;
            inner.manifest = File::options().append(true).open(&path).map_err(io)?;
            inner.torn = false;
        }
        // Without notes the next start renders more, no harm is done.
        if let Err(error) = write_notes(&self.notes, &inner.ours) {
            tracing::debug!("the notes on published files cannot be kept: {error}");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(stamp: &Hash, found: &Metadata) -> Note {
    let mut hasher = blake3::Hasher::new();
    hasher.update(stamp);
    hasher.update(&[u8::from(found.is_file())]);
    for number in [found.size(), found.ino()] {
        hasher.update(&number.to_le_bytes());
    }
    for number in [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()] {
        hasher.update(&number.to_le_bytes());
    }
    let mut note = Note::default();
    hasher.finalize_xof().fill(&mut note);
    note
}

fn read_manifest(root: &Path) -> io::Result<BTreeSet<String>> {
    // A line that leads out of the folder was not written by us.
    let text = fs::read_to_string(root.join(MANIFEST))?;
    Ok(text.lines().filter(|line| is_inside(line)).map(str::to_owned).collect())
}

fn is_inside(file: &str) -> bool {
    file != MANIFEST && file.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A line is the note in hexadecimal, a blank and the path.
fn read_notes(path: &Path, ours: &mut HashMap<Box<str>, Mine>) {
    let Ok(file) = File::open(path) else { return };
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        if let Some((hex, file)) = line.split_once(' ')
            && let Ok(number) = u128::from_str_radix(hex, 16)
            && let Some(mine) = ours.get_mut(file)
        {
            mine.note = Some(number.to_be_bytes());
        }
    }
}

fn write_notes(path: &Path, ours: &HashMap<Box<str>, Mine>) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut out = BufWriter::new(File::create(&temporary)?);
    for (file, mine) in ours {
        if let Some(note) = mine.note {
            writeln!(out, "{:032x} {file}", u128::from_be_bytes(note))?;
        }
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fs::rename(temporary, path)
}

/// The twin of a file in a coding.
fn twin_of(file: &str, coding: Coding) -> String {
    format!("{file}.{}", coding.suffix())
}

/// The name under which a worker writes a file before it is put in place.
fn temporary(folder: &Path, worker: usize) -> PathBuf {
    folder.join(format!(".feedmill-{worker}.tmp"))
}

/// Removes what an interrupted write left.
fn sweep<'a>(root: &Path, files: impl Iterator<Item = &'a str>) {
    let folders: BTreeSet<&str> = files.map(|file| file.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    for folder in folders.into_iter().chain([""]) {
        for worker in 0..super::start::workers() {
            let _ = fs::remove_file(temporary(&root.join(folder), worker));
        }
    }
}

/// Puts a file in place by a rename, with this time of its last change where one is given.
fn replace(path: &Path, bytes: &[u8], modified: Option<SystemTime>, worker: usize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = temporary(folder, worker);
    let put = || -> io::Result<()> {
        let mut written = File::create(&temporary)?;
        failpoint::io("publish.write")?;
        written.write_all(bytes)?;
        if let Some(modified) = modified {
            written.set_modified(modified)?;
        }
        drop(written);
        fs::rename(&temporary, path)
    };
    let result = match put() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            put()
        }
        other => other,
    };
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn is_equal(path: &Path, bytes: &[u8]) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|found| found == bytes)
}

fn remove(root: &Path, file: &str) -> io::Result<bool> {
    let path = root.join(file);
    let removed = match fs::remove_file(&path) {
        Ok(()) => true,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => false,
        Err(error) => return Err(error),
    };
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        // Fails where it is not empty: then neither are those above it.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Folder {
        open_with(dir, Vec::new())
    }

    fn open_with(dir: &Path, twins: Vec<Coding>) -> Folder {
        fs::create_dir_all(dir.join("state")).expect("a folder");
        Folder::open(&dir.join("out"), &dir.join("state"), twins).expect("a writable folder")
    }

    #[test]
    fn twins_follow_their_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = open_with(dir.path(), vec![Coding::Gzip, Coding::Zstd]);
        let path = |name: &str| folder.root().join(name);
        let large = |text: &str| text.repeat(2000).into_bytes();
        assert!(folder.put("a.rss", &large("one"), &[1; 32], 0).expect("written"));
        for (twin, coding) in [("a.rss.gz", Coding::Gzip), ("a.rss.zst", Coding::Zstd)] {
            assert_eq!(fs::read(path(twin)).expect("read"), coding.encode(&large("one")).expect("encodes"));
            let time = |name: &str| fs::metadata(path(name)).and_then(|found| found.modified()).expect("a time");
            assert_eq!(time(twin), time("a.rss"));
        }
        assert!(folder.is_current("a.rss", &[1; 32]));
        fs::write(path("a.rss.gz"), "somebody wrote into it").expect("written");
        assert!(!folder.is_current("a.rss", &[1; 32]));
        assert!(!folder.put("a.rss", &large("one"), &[1; 32], 0).expect("written"), "the file itself is as it was");
        assert!(folder.is_current("a.rss", &[1; 32]));
        // What is too small for a coding, and what is no more.
        folder.put("a.rss", b"small", &[2; 32], 0).expect("written");
        assert!(!path("a.rss.gz").exists() && folder.is_current("a.rss", &[2; 32]));
        folder.put("a.rss", &large("two"), &[3; 32], 0).expect("written");
        assert!(folder.remove("a.rss").expect("removed"));
        assert!(fs::read_dir(folder.root()).expect("listed").count() == 1, "the manifest is left");
        // A coding that is not wanted any more goes in the next pass; what is let stand, stands with its twins.
        folder.put("a.rss", &large("one"), &[1; 32], 0).expect("written");
        folder.begin_pass();
        folder.meet("a.rss");
        assert_eq!(folder.end_pass().expect("removed"), 0);
        drop(folder);
        let folder = open_with(dir.path(), vec![Coding::Gzip]);
        folder.begin_pass();
        assert!(folder.is_current("a.rss", &[1; 32]));
        assert_eq!(folder.end_pass().expect("removed"), 1);
        assert!(folder.root().join("a.rss.gz").exists() && !folder.root().join("a.rss.zst").exists());
    }

    #[test]
    fn only_what_differs_is_written_and_only_what_is_ours_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = open(dir.path());
        let put = |file: &str, bytes: &[u8]| folder.put(file, bytes, &[1; 32], 0).expect("written");
        assert!(put("tag/a/index.html", b"one"));
        assert!(!put("tag/a/index.html", b"one"));
        assert!(put("tag/a/index.html", b"two"));
        put("tag/a.rss", b"feed");
        fs::write(folder.root().join("tag/theirs.txt"), "theirs").expect("written");
        fs::write(folder.root().join("tag/b.rss"), "theirs").expect("written");
        assert!(matches!(folder.put("tag/b.rss", b"ours", &[1; 32], 0), Err(Unwritten::Foreign(_))));
        assert!(!folder.remove("tag/theirs.txt").expect("left alone"));
        drop(folder);

        // Nothing was saved: what was written is ours all the same.
        let folder = open(dir.path());
        assert_eq!(folder.len(), 2);
        folder.begin_pass();
        assert_eq!(folder.end_pass().expect("removed"), 2);
        assert!(!folder.root().join("tag/a").exists());
        let names: BTreeSet<_> =
            fs::read_dir(folder.root().join("tag")).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, ["b.rss", "theirs.txt"].map(Into::into).into(), "no temporary file is left");
    }

    #[test]
    fn a_note_holds_while_the_file_is_the_one_that_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = open(dir.path());
        folder.put("a.rss", b"one", &[1; 32], 0).expect("written");
        folder.save().expect("saved");
        drop(folder);
        let folder = open(dir.path());
        assert!(folder.is_current("a.rss", &[1; 32]));
        assert!(!folder.is_current("a.rss", &[2; 32]));
        assert!(!folder.is_current("b.rss", &[1; 32]));
        fs::write(folder.root().join("a.rss"), "two").expect("written");
        assert!(!folder.is_current("a.rss", &[1; 32]), "somebody wrote into it");
        assert!(folder.put("a.rss", b"one", &[1; 32], 0).expect("written"));
        assert!(folder.is_current("a.rss", &[1; 32]));
        fs::remove_file(folder.root().join("a.rss")).expect("removed");
        assert!(!folder.is_current("a.rss", &[1; 32]));
    }

    #[test]
    fn a_manifest_that_leads_out_is_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(MANIFEST), "../x\n/etc/passwd\na/../../b\nok.rss\n.feedmill-manifest\n\n")
            .expect("written");
        assert_eq!(read_manifest(dir.path()).expect("read"), BTreeSet::from(["ok.rss".to_owned()]));
    }

    #[test]
    fn a_line_that_was_cut_short_harms_no_other() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("out")).expect("made");
        fs::write(dir.path().join("out").join(MANIFEST), "a.rss\ntag/ha").expect("written");
        let folder = open(dir.path());
        folder.put("b.rss", b"b", &[1; 32], 0).expect("written");
        let files = read_manifest(folder.root()).expect("read");
        assert_eq!(files, ["a.rss", "b.rss", "tag/ha"].map(str::to_owned).into());
    }
}
