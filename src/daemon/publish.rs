//! `build`: one pass. The catalog is brought up to date with the inbox, files as they are, and every document is
//! written below a folder: the very bytes that the server serves, at the very paths.
//!
//! A file is replaced by a rename and only where its bytes differ. A manifest says which files are ours: what an
//! earlier build wrote and this one does not is removed, nothing else is touched.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::clock::Clock;
use super::start::{adopt, base_url, refuse_inside_inbox, workers};
use super::update;
use super::writer::chain;
use super::{Built, Failure, Setup, Shared};
use crate::catalog::{Error, Lock, Readers};
use crate::entry::{Document, Kind};
use crate::failpoint;
use crate::feed::Renderer;
use crate::server::Address;

/// Names what is ours, one path a line.
const MANIFEST: &str = ".feedmill-manifest";
/// Rows read at a time while documents are listed.
const AT_ONCE: usize = 1000;

/// See [`super::build`].
pub(super) fn build(mut setup: Setup, out: &Path) -> Result<Built, Failure> {
    refuse_inside_inbox(out, "the output folder", &setup.daemon.inbox)?;
    refuse_inside_inbox(&setup.daemon.state, "the state folder", &setup.daemon.inbox)?;
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let clock = Clock::of_build(epoch.as_deref()).map_err(Failure::Start)?;
    if !setup.base_url_given {
        setup.feed.base_url = match &setup.server.listen {
            Address::Tcp(address) => base_url(address),
            Address::Unix(path) => base_url(&format!("unix:{}", path.display())),
        };
        let base_url = &setup.feed.base_url;
        tracing::warn!("site.base_url is not set: links begin with {base_url}, where nobody else can follow them");
    }
    // One pass: there is no later one in which a missing file could be back.
    setup.catalog.withdraw_after = std::time::Duration::ZERO;

    let _lock = Lock::acquire(&setup.daemon.state)?;
    let shared = Shared::new(&setup, clock);
    let root = shared.inbox.open().map_err(|error| {
        let path = shared.inbox.path().display();
        Failure::Start(format!(
            "the inbox {path} cannot be read: {error}; make the folder, or name another one with --inbox"
        ))
    })?;
    shared.set_place(root.place);
    drop(root);
    let catalog = update::up_to_date(&setup, &shared)?;
    let readers = catalog.readers();
    let counts = readers.read(|reader| reader.counts())?;
    let written = write_all(&readers, &Renderer::new(setup.feed), out)?;
    Ok(Built { articles: counts.articles, feeds: counts.feeds, problems: counts.problems, ..written })
}

/// Adopts the inbox for a catalog that was there before.
pub(super) fn adopt_for_build(
    catalog: &mut crate::catalog::Catalog,
    shared: &Shared,
    accept_empty: bool,
) -> Result<(), Failure> {
    adopt(catalog, shared, accept_empty)
}

fn write_all(readers: &Readers, renderer: &Renderer, out: &Path) -> Result<Built, Failure> {
    let failed = |error: io::Error| Failure::Start(format!("cannot write below {}: {error}", out.display()));
    fs::create_dir_all(out).map_err(failed)?;
    let ours = read_manifest(out).map_err(failed)?;
    let documents = documents(readers, renderer)?;

    // Named as ours before they are written: after a crash the next build still knows them.
    let foreign: BTreeSet<String> = documents
        .iter()
        .map(Document::file)
        .filter(|file| !ours.contains(file) && fs::symlink_metadata(out.join(file)).is_ok())
        .collect();
    let mut named: BTreeSet<String> = documents.iter().map(Document::file).collect();
    named.retain(|file| !foreign.contains(file));
    named.extend(ours.iter().cloned());
    write_manifest(out, &named).map_err(failed)?;

    let files = Mutex::new(BTreeSet::new());
    let (next, written) = (AtomicU64::new(0), AtomicU64::new(0));
    let bar = progress(documents.len() as u64);
    let work = |worker: usize| -> Result<(), Failure> {
        loop {
            let Some(document) = documents.get(next.fetch_add(1, Ordering::Relaxed) as usize) else { return Ok(()) };
            bar.inc(1);
            let Some(bytes) = render(readers, renderer, document)? else { continue };
            let file = document.file();
            if foreign.contains(&file) && !is_equal(&out.join(&file), &bytes) {
                return Err(Failure::Start(format!(
                    "{} is there and no build has written it: move it away, or name another folder with --out",
                    out.join(&file).display()
                )));
            }
            if write(out, &file, &bytes, worker).map_err(failed)? {
                written.fetch_add(1, Ordering::Relaxed);
            }
            files.lock().unwrap_or_else(PoisonError::into_inner).insert(file);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers()).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    bar.finish_and_clear();

    let files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
    let removed = remove_others(out, ours.difference(&files)).map_err(failed)?;
    write_manifest(out, &files).map_err(failed)?;
    Ok(Built { documents: files.len() as u64, written: written.into_inner(), removed, ..Built::default() })
}

fn render(readers: &Readers, renderer: &Renderer, document: &Document) -> Result<Option<Vec<u8>>, Failure> {
    let Some((_, material)) = readers.read(|reader| reader.material(document))? else { return Ok(None) };
    let bytes = renderer
        .render(document, &material)
        .map_err(|error| Failure::Start(format!("{} cannot be rendered: {}", document.path(), chain(&error))))?;
    Ok(Some(bytes))
}

/// Every document that may exist; those that do not have no material.
fn documents(readers: &Readers, renderer: &Renderer) -> Result<Vec<Document>, Error> {
    let settings = renderer.settings();
    let mut documents = vec![Document::Index, Document::Opml, Document::Style, Document::Icon, Document::Robots];
    readers.read(|reader| {
        for kind in Kind::ALL.into_iter().filter(|&kind| kind != Kind::All) {
            documents.extend((1..=reader.list_pages(kind)?).map(|page| Document::List(kind, page)));
        }
        let mut after = None;
        loop {
            let rows = reader.feeds(after.as_ref(), AT_ONCE)?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            for row in rows {
                let archives = settings.archives.contains(&row.key.kind());
                let pages = if archives { reader.archive_pages(&row.key)? } else { 0 };
                for &format in &settings.formats {
                    documents.push(Document::Feed(row.key.clone(), format));
                    documents.extend((1..=pages).map(|page| Document::Archive(row.key.clone(), page, format)));
                }
                documents.push(Document::Page(row.key));
            }
        }
        let mut after = None;
        loop {
            let articles = reader.articles(after, AT_ONCE)?;
            let Some(&last) = articles.last() else { return Ok(()) };
            after = Some(last);
            documents.extend(articles.into_iter().map(Document::Article));
        }
    })?;
    Ok(documents)
}

fn progress(length: u64) -> ProgressBar {
    // Draws on stderr, and only where that is a terminal.
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template("writing {wide_bar} {pos}/{len} documents") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn read_manifest(out: &Path) -> io::Result<BTreeSet<String>> {
    match fs::read_to_string(out.join(MANIFEST)) {
        // A line that leads out of the folder was not written by us.
        Ok(text) => Ok(text.lines().filter(|line| is_inside(line)).map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

fn is_inside(file: &str) -> bool {
    file != MANIFEST && file.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn write_manifest(out: &Path, files: &BTreeSet<String>) -> io::Result<()> {
    failpoint::io("publish.manifest")?;
    let mut text = String::with_capacity(files.len() * 64);
    for file in files {
        text.push_str(file);
        text.push('\n');
    }
    write(out, MANIFEST, text.as_bytes(), 0).map(drop)
}

/// Puts a file in place by a rename, only where its bytes differ; true where they did.
fn write(out: &Path, file: &str, bytes: &[u8], worker: usize) -> io::Result<bool> {
    let path = out.join(file);
    if is_equal(&path, bytes) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(out);
    let temporary = folder.join(format!(".feedmill-{worker}.tmp"));
    let put = |temporary: &Path| -> io::Result<()> {
        let mut written = fs::File::create(temporary)?;
        failpoint::io("publish.write")?;
        written.write_all(bytes)?;
        drop(written);
        fs::rename(temporary, &path)
    };
    let result = match put(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            put(&temporary)
        }
        other => other,
    };
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.map(|()| true)
}

fn is_equal(path: &Path, bytes: &[u8]) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|found| found == bytes)
}

/// Removes files that are ours, and the folders that become empty by that.
fn remove_others<'a>(out: &Path, files: impl Iterator<Item = &'a String>) -> io::Result<u64> {
    let mut removed = 0;
    for file in files {
        let path: PathBuf = out.join(file);
        match fs::remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(error),
        }
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != out) {
            // Fails where it is not empty: then neither are those above it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written_and_only_what_is_ours_is_removed() {
        let out = tempfile::tempdir().expect("a folder");
        let out = out.path();
        assert!(write(out, "tag/a/index.html", b"one", 0).expect("written"));
        assert!(!write(out, "tag/a/index.html", b"one", 0).expect("the same"));
        assert!(write(out, "tag/a/index.html", b"two", 1).expect("written"));
        write(out, "tag/a.rss", b"feed", 0).expect("written");
        fs::write(out.join("tag/theirs.txt"), "theirs").expect("written");
        let files: BTreeSet<String> = ["tag/a/index.html", "tag/a.rss"].map(str::to_owned).into();
        write_manifest(out, &files).expect("written");
        assert_eq!(read_manifest(out).expect("read"), files);

        assert_eq!(remove_others(out, files.iter()).expect("removed"), 2);
        assert!(!out.join("tag/a").exists());
        assert_eq!(fs::read(out.join("tag/theirs.txt")).expect("still there"), b"theirs");
        let names: Vec<_> = fs::read_dir(out.join("tag")).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, ["theirs.txt"], "no temporary file is left");
    }

    #[test]
    fn a_manifest_that_leads_out_is_not_followed() {
        let out = tempfile::tempdir().expect("a folder");
        fs::write(out.path().join(MANIFEST), "../x\n/etc/passwd\na/../../b\nok.rss\n.feedmill-manifest\n\n")
            .expect("written");
        assert_eq!(read_manifest(out.path()).expect("read"), BTreeSet::from(["ok.rss".to_owned()]));
    }
}
