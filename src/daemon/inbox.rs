//! The inbox as a place: its root is opened anew for each piece of work, so that it can be unmounted, moved away or
//! swapped at any time, and every name below it is resolved so that no link leads out.
//!
//! Nothing here writes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::catalog::Fingerprint;

/// The watched folder, by its name.
#[derive(Debug)]
pub(super) struct Inbox {
    path: PathBuf,
}

/// Which folder stands at the inbox's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// The inbox, open.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    pub(super) place: Place,
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A regular file, or a link to one inside the inbox.
    File(Fingerprint),
    /// A folder.
    Folder,
    /// A link to a folder; never followed.
    FolderLink,
    /// A link that leads out or nowhere.
    Link(Fingerprint),
    /// A pipe, socket or device.
    Special(Fingerprint),
}

impl Inbox {
    /// The inbox at a path, made absolute without following links: the inbox itself may be a link that is swapped.
    pub(super) fn new(path: &Path) -> Inbox {
        Inbox { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) }
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what stands there now.
    ///
    /// # Errors
    ///
    /// Where it is missing, no folder, or cannot be read.
    pub(super) fn open(&self) -> io::Result<Root> {
        let fd = fs::open(&self.path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fs::fstat(&fd)?;
        Ok(Root { fd, place: Place { device: stat.st_dev, inode: stat.st_ino } })
    }
}

impl Root {
    /// What stands at a path.
    ///
    /// # Errors
    ///
    /// `NotFound` where nothing does.
    pub(super) fn look(&self, path: impl AsRef<OsStr>) -> io::Result<Look> {
        let path = path.as_ref();
        look_at(self.fd.as_fd(), path, || self.resolve(path))
    }

    /// The same for a name in an open folder of this inbox.
    pub(super) fn look_in(&self, folder: &OwnedFd, folder_path: &str, name: &OsStr) -> io::Result<Look> {
        look_at(folder.as_fd(), name, || {
            let mut path = OsString::from(folder_path);
            if !folder_path.is_empty() {
                path.push("/");
            }
            path.push(name);
            self.resolve(&path)
        })
    }

    /// Opens a file for reading without ever blocking (a pipe would), and says what was opened.
    ///
    /// # Errors
    ///
    /// `EXDEV` or `ELOOP` where a link leads out.
    pub(super) fn open_file(&self, path: &OsStr) -> io::Result<(OwnedFd, Stat)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = self.open_beneath(path, flags)?;
        let stat = fs::fstat(&fd)?;
        Ok((fd, stat))
    }

    /// Opens a folder for listing; links to folders are not followed. `""` is the inbox itself.
    ///
    /// # Errors
    ///
    /// Where it is missing or cannot be read.
    pub(super) fn open_folder(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.open_beneath(OsStr::new(path), flags)
    }

    /// The magic number of the file system.
    pub(super) fn file_system(&self) -> io::Result<u64> {
        #[allow(clippy::unnecessary_cast, reason = "its type differs between architectures")]
        Ok(fs::fstatfs(&self.fd)?.f_type as u64)
    }

    /// Resolves a link without opening what it leads to.
    fn resolve(&self, path: &OsStr) -> io::Result<Stat> {
        let fd = self.open_beneath(path, OFlags::PATH | OFlags::CLOEXEC)?;
        Ok(fs::fstat(&fd)?)
    }

    fn open_beneath(&self, path: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // EAGAIN: something was renamed above us while the kernel resolved `..` of a link.
        for _ in 0..8 {
            match fs::openat2(&self.fd, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                // An old kernel or a sandbox without openat2: no link at all is followed.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_without_links(path, flags),
                opened => return Ok(opened?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn open_without_links(&self, path: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let mut folder: Option<OwnedFd> = None;
        let mut parts = path.as_bytes().split(|&b| b == b'/').peekable();
        while let Some(part) = parts.next() {
            if part == b".." || part.is_empty() {
                return Err(Errno::XDEV.into());
            }
            let at = folder.as_ref().map_or(self.fd.as_fd(), OwnedFd::as_fd);
            let flags = match parts.peek() {
                None => flags | OFlags::NOFOLLOW,
                Some(_) => OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            };
            let opened = fs::openat(at, part, flags, Mode::empty())?;
            folder = Some(opened);
        }
        folder.ok_or_else(|| Errno::NOENT.into())
    }
}

fn look_at(
    at: std::os::fd::BorrowedFd<'_>,
    name: &OsStr,
    resolve: impl FnOnce() -> io::Result<Stat>,
) -> io::Result<Look> {
    let stat = fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Look::File(fingerprint(&stat)),
        FileType::Directory => Look::Folder,
        FileType::Symlink => match resolve() {
            Ok(target) => match FileType::from_raw_mode(target.st_mode) {
                FileType::RegularFile => Look::File(fingerprint(&target)),
                FileType::Directory => Look::FolderLink,
                _ => Look::Special(fingerprint(&stat)),
            },
            Err(_) => Look::Link(fingerprint(&stat)),
        },
        _ => Look::Special(fingerprint(&stat)),
    })
}

/// What `stat` said, as the catalog keeps it.
pub(super) fn fingerprint(stat: &Stat) -> Fingerprint {
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types differ between architectures")]
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    #[allow(clippy::unnecessary_cast, reason = "the types differ between architectures")]
    Fingerprint {
        size: stat.st_size as u64,
        mtime: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        ctime: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        inode: stat.st_ino as u64,
    }
}

/// A name as text. Bytes that are not UTF-8 are written as `\xNN`, so that such a file can be named in a problem.
pub(crate) fn name_text(name: &OsStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

/// The bytes of a name that [`name_text`] had to escape; `None` where it had not.
pub(super) fn bytes_of_bad_name(text: &str) -> Option<OsString> {
    if !text.contains("\\x") {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => {
                let hex = |digit: u8| char::from(digit).to_digit(16);
                hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        match escaped.filter(|byte| !byte.is_ascii()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&bytes).is_err().then(|| OsString::from_vec(bytes))
}

/// The folder of a path; `""` is the inbox itself.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A name in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a path is a folder or below it; everything is below `""`.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_keep_their_bytes() {
        let name = OsStr::from_bytes(b"caf\xe9 \xe9\x9f.md");
        let text = name_text(name);
        assert_eq!(text, "caf\\xE9 \\xE9\\x9F.md");
        assert_eq!(bytes_of_bad_name(&text).as_deref(), Some(name));
        assert_eq!(bytes_of_bad_name("plain.md"), None);
        assert_eq!(bytes_of_bad_name("a\\x41.md"), None);
        assert_eq!(name_text(OsStr::new("金融.md")), "金融.md");
    }

    #[test]
    fn folders_are_told_from_names_that_begin_alike() {
        assert!(is_below("a/b", "a") && is_below("a", "a") && is_below("x", ""));
        assert!(!is_below("ab", "a") && !is_below("a b/c", "a"));
        assert_eq!(folder_of("a/b/c.md"), "a/b");
        assert_eq!(folder_of("c.md"), "");
    }

    #[test]
    fn no_link_leads_out() {
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("secret.md"), "secret").expect("written");
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).expect("made");
        std::fs::write(at("sub/in.md"), "inside").expect("written");
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, at(name)).expect("linked");
        link(&outside.path().join("secret.md"), "out.md");
        link(outside.path(), "out");
        link(Path::new("sub/in.md"), "in.md");
        link(Path::new("sub"), "folder");
        link(Path::new("loop.md"), "loop.md");
        link(Path::new("/proc/self/environ"), "magic.md");

        let root = Inbox::new(folder.path()).open().expect("open");
        assert!(matches!(root.look("out.md"), Ok(Look::Link(_))));
        assert!(matches!(root.look("loop.md"), Ok(Look::Link(_))));
        assert!(matches!(root.look("magic.md"), Ok(Look::Link(_))));
        assert!(matches!(root.look("in.md"), Ok(Look::File(_))));
        assert_eq!(root.look("folder").ok(), Some(Look::FolderLink));
        assert!(root.open_file(OsStr::new("out.md")).is_err());
        assert!(root.open_file(OsStr::new("out/secret.md")).is_err());
        assert!(root.open_file(OsStr::new("in.md")).is_ok());
        assert!(root.open_folder("folder").is_err());
        assert!(root.open_folder("").is_ok() && root.open_folder("sub").is_ok());
        // The way without openat2 follows no link at all.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        assert!(root.open_without_links(OsStr::new("sub/in.md"), flags).is_ok());
        for path in ["out.md", "out/secret.md", "in.md", "folder/in.md", "../x", "sub/../sub/in.md"] {
            assert!(root.open_without_links(OsStr::new(path), flags).is_err(), "{path}");
        }
    }
}
