//! Files for `check` and `explain`: which are articles by their names, and their bytes.
//!
//! It decides as the daemon does: links are followed only to files inside the inbox, nothing but regular files is
//! opened, and an excluded folder is not entered. Nothing here writes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::daemon::{Named, Names, name_text};
use crate::diagnostic::{Code, Diagnostic};

/// A folder that paths are told relative to: the inbox, or what was named outside of it.
#[derive(Clone, Debug)]
pub struct Root {
    /// Without links in it.
    real: PathBuf,
}

/// A file by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Relative to the root, `/` between names; bytes that are not UTF-8 as `\xNN`.
    pub path: String,
    /// Where it is.
    pub full: PathBuf,
}

/// What a walk came upon.
#[derive(Debug)]
pub enum Walked {
    /// An article by its name.
    Article(Found),
    /// A file or folder that an `exclude` pattern names.
    Excluded,
    /// Something that cannot be read.
    Unreadable(Found, Diagnostic),
}

impl Root {
    /// The root for a path: the inbox if the path is in it, else the path itself if it is a folder, else its folder.
    /// Also gives the path without links in its folders.
    ///
    /// # Errors
    ///
    /// Where there is no such path.
    pub fn of(path: &Path, inbox: &Path) -> io::Result<(Root, PathBuf)> {
        // A link is told by its own name, not by that of what it leads to.
        let is_dir = path.metadata()?.is_dir();
        let real = match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) if !is_dir => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                folder.canonicalize()?.join(name)
            }
            _ => path.canonicalize()?,
        };
        if let Ok(inbox) = inbox.canonicalize()
            && real.starts_with(&inbox)
        {
            return Ok((Root { real: inbox }, real));
        }
        let root = if is_dir { real.clone() } else { real.parent().unwrap_or(Path::new("/")).to_path_buf() };
        Ok((Root { real: root }, real))
    }

    /// Where it is, without links.
    pub fn path(&self) -> &Path {
        &self.real
    }

    /// A path as this root tells it.
    pub fn relative(&self, full: &Path) -> String {
        name_text(full.strip_prefix(&self.real).unwrap_or(full).as_os_str())
    }

    /// Everything below a path, in the order of names.
    pub fn walk(&self, from: &Path, names: &Names) -> Vec<Walked> {
        let mut walked = Vec::new();
        let mut entries = WalkDir::new(from).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let full = error.path().unwrap_or(from).to_path_buf();
                    let found = Found { path: self.relative(&full), full };
                    let cause = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    walked.push(Walked::Unreadable(found, unreadable(&cause)));
                    continue;
                }
            };
            let full = entry.path().to_path_buf();
            let found = Found { path: self.relative(&full), full };
            if entry.file_type().is_dir() {
                if entry.depth() > 0 && names.excluded(&found.path).is_some() {
                    walked.push(Walked::Excluded);
                    entries.skip_current_dir();
                }
                continue;
            }
            // What a link to a folder leads to is found where it is, or is not in the inbox.
            if entry.file_type().is_symlink() && found.full.is_dir() {
                continue;
            }
            match names.of_file(&found.path) {
                Named::Excluded(_) => walked.push(Walked::Excluded),
                Named::Other => {}
                Named::Article if found.full.to_str().is_none() => {
                    let message = "the file's name is not valid UTF-8; it cannot be published";
                    let problem = Diagnostic::new(Code::NameNotUtf8, message).help("rename the file");
                    walked.push(Walked::Unreadable(found, problem));
                }
                Named::Article => walked.push(Walked::Article(found)),
            }
        }
        walked
    }

    /// A file's bytes.
    ///
    /// # Errors
    ///
    /// Why it is not read, as a diagnostic.
    pub fn read(&self, file: &Found, max: u64) -> Result<Vec<u8>, Diagnostic> {
        let io = |error: io::Error| unreadable(&error.to_string());
        if file.full.symlink_metadata().map_err(io)?.is_symlink() {
            let target = file.full.canonicalize().map_err(io)?;
            if !target.starts_with(&self.real) {
                return Err(Diagnostic::new(Code::NotRegular, "the link leads out of the inbox; it was not opened")
                    .help("put the file itself into the inbox"));
            }
        }
        let regular = |kind: std::fs::FileType| {
            if kind.is_file() {
                return Ok(());
            }
            Err(Diagnostic::new(Code::NotRegular, "it is no regular file; it was not opened"))
        };
        // A pipe would block the opening, so it is not opened; should it take a file's place now, it does not block.
        regular(file.full.metadata().map_err(io)?.file_type())?;
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        let flags = i32::try_from(flags).unwrap_or_default();
        let opened = File::options().read(true).custom_flags(flags).open(&file.full).map_err(io)?;
        let meta = opened.metadata().map_err(io)?;
        regular(meta.file_type())?;
        let too_large = |size: u64| {
            Diagnostic::new(Code::TooLarge, format!("the file has {size} bytes where at most {max} are taken"))
                .help("make it smaller, or raise inbox.max_file_size")
        };
        if meta.len() > max {
            return Err(too_large(meta.len()));
        }
        let mut bytes = Vec::new();
        opened.take(max + 1).read_to_end(&mut bytes).map_err(io)?;
        let length = bytes.len() as u64;
        if length > max { Err(too_large(length)) } else { Ok(bytes) }
    }
}

fn unreadable(cause: &str) -> Diagnostic {
    Diagnostic::new(Code::Unreadable, format!("the file cannot be read: {cause}"))
        .help("let the user that runs feedmill read it")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn names() -> Names {
        Names::new(&["**/*.md".to_owned()], &["**/.*".to_owned(), "**/README.*".to_owned()]).expect("patterns")
    }

    #[test]
    fn articles_are_found_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        for folder in ["a", ".git", "b"] {
            std::fs::create_dir(at(folder)).expect("made");
        }
        for file in ["a/x.md", ".git/y.md", "b/z.txt", "readme.md", "in.md"] {
            std::fs::write(at(file), file).expect("written");
        }
        std::fs::write(outside.path().join("secret.md"), "secret").expect("written");
        std::os::unix::fs::symlink(outside.path().join("secret.md"), at("out.md")).expect("linked");
        std::os::unix::fs::symlink("in.md", at("link.md")).expect("linked");
        std::os::unix::fs::symlink(outside.path(), at("folder.md")).expect("linked");
        std::fs::write(at("a").join(OsStr::from_bytes(b"caf\xe9.md")), "x").expect("written");

        let (root, real) = Root::of(dir.path(), dir.path()).expect("a root");
        let mut articles = Vec::new();
        let mut excluded = 0;
        let mut bad = Vec::new();
        for walked in root.walk(&real, &names()) {
            match walked {
                Walked::Article(found) => articles.push(found),
                Walked::Excluded => excluded += 1,
                Walked::Unreadable(found, problem) => bad.push((found.path, problem.code)),
            }
        }
        let paths: Vec<_> = articles.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["a/x.md", "in.md", "link.md", "out.md"]);
        assert_eq!(excluded, 2);
        assert_eq!(bad, [("a/caf\\xE9.md".to_owned(), Code::NameNotUtf8)]);
        let read = |name: &str| {
            let found = articles.iter().find(|found| found.path == name).expect("found");
            root.read(found, 100).map_err(|problem| problem.code)
        };
        assert_eq!(read("link.md").as_deref(), Ok(&b"in.md"[..]));
        assert_eq!(read("out.md"), Err(Code::NotRegular));
        assert_eq!(root.read(&articles[0], 5).map_err(|problem| problem.code), Err(Code::TooLarge));
    }

    #[test]
    fn paths_outside_have_roots_of_their_own() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("inbox/news")).expect("made");
        std::fs::create_dir_all(dir.path().join("other/sub")).expect("made");
        for file in ["inbox/news/a.md", "other/sub/b.md"] {
            std::fs::write(dir.path().join(file), "x").expect("written");
        }
        let inbox = dir.path().join("inbox");
        let relative = |path: &str| {
            let (root, real) = Root::of(&dir.path().join(path), &inbox).expect("a root");
            root.relative(&real)
        };
        assert_eq!(relative("inbox/news/a.md"), "news/a.md");
        assert_eq!(relative("inbox/news"), "news");
        assert_eq!(relative("other/sub/b.md"), "b.md");
        assert_eq!(relative("other"), "");
        assert!(Root::of(&dir.path().join("none.md"), &inbox).is_err());
    }

    #[test]
    fn pipes_are_not_opened() {
        let dir = tempfile::tempdir().expect("a folder");
        let full = dir.path().join("pipe.md");
        rustix::fs::mknodat(rustix::fs::CWD, &full, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("made");
        let (root, _) = Root::of(dir.path(), dir.path()).expect("a root");
        let read = root.read(&Found { path: "pipe.md".to_owned(), full }, 100);
        assert_eq!(read.map_err(|problem| problem.code), Err(Code::NotRegular));
    }
}
