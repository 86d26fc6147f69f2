//! Files as the world has them: pipes, links, half-written ones, ones without rights.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode};
use tempfile::TempDir;

use super::*;
use crate::daemon::inbox::Inbox;

fn reading() -> Reading {
    let patterns = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let names = Names::new(&patterns(&["**/*.md"]), &patterns(&["**/.*", "**/draft/**"])).expect("globs");
    Reading { names, max_file_size: 1000, rules: Rules::default(), under: Rules::default().digest() }
}

fn inbox(files: &[(&str, &str)]) -> (TempDir, Root) {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("below the inbox")).expect("made");
        fs::write(path, text).expect("written");
    }
    let root = Inbox::new(folder.path()).open().expect("open");
    (folder, root)
}

fn problem(outcome: Outcome) -> (Code, bool) {
    match outcome {
        Outcome::Change(Change::Unreadable { problem, fingerprint, .. }) => (problem.code, fingerprint.is_some()),
        other => panic!("{other:?} is no problem"),
    }
}

fn is_missing_change(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Change(Change::Missing { .. }))
}

fn pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
}

#[test]
fn a_file_is_read_whole_with_its_hash_and_fingerprint() {
    let (_folder, root) = inbox(&[("a/金融.md", "# Title\n\nBody")]);
    match read(&root, "a/金融.md", &reading()) {
        Outcome::Change(Change::Seen(file)) => {
            assert_eq!(file.path, "a/金融.md");
            assert_eq!(file.fingerprint.size, 13);
            assert_eq!(file.hash, file_hash(b"# Title\n\nBody"));
            assert_eq!(file.kept.open().expect("kept").as_ref(), b"# Title\n\nBody");
            assert!(file.parsed.article.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_gone_or_no_article_any_more_is_missing() {
    let (folder, root) = inbox(&[("draft/a.md", "x"), ("a.txt", "x")]);
    fs::create_dir(folder.path().join("folder.md")).expect("made");
    for path in ["none.md", "a.txt/none.md", "draft/a.md", "a.txt", "folder.md"] {
        assert!(is_missing_change(&read(&root, path, &reading())), "{path}");
        assert!(is_missing(&root, path, &reading().names).expect("can be told"), "{path}");
    }
}

#[test]
fn pipes_sockets_and_links_out_are_named_and_never_opened() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret.md"), "secret").expect("written");
    let (folder, root) = inbox(&[("in.md", "# In")]);
    let at = |name: &str| folder.path().join(name);
    pipe(&at("pipe.md"));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.md")).expect("a socket");
    symlink(outside.path().join("secret.md"), at("out.md")).expect("linked");
    symlink("/dev/zero", at("device.md")).expect("linked");
    symlink("loop.md", at("loop.md")).expect("linked");
    symlink("pipe.md", at("to-pipe.md")).expect("linked");
    symlink("in.md", at("to-in.md")).expect("linked");
    for path in ["pipe.md", "socket.md", "out.md", "device.md", "loop.md", "to-pipe.md"] {
        assert_eq!(problem(read(&root, path, &reading())), (Code::NotRegular, true), "{path}");
    }
    assert!(matches!(read(&root, "to-in.md", &reading()), Outcome::Change(Change::Seen(_))));
}

#[test]
fn a_large_file_is_named_and_not_read() {
    let (folder, root) = inbox(&[("small.md", &"x".repeat(1000))]);
    let sparse = fs::File::create(folder.path().join("huge.md")).expect("made");
    sparse.set_len(1 << 40).expect("sparse");
    assert!(matches!(read(&root, "small.md", &reading()), Outcome::Change(Change::Seen(_))));
    assert_eq!(problem(read(&root, "huge.md", &reading())), (Code::TooLarge, true));
}

#[test]
fn a_name_that_is_no_text_is_named_with_its_bytes() {
    let (folder, root) = inbox(&[("\\xE9.md", "# A name of backslashes")]);
    let name = OsStr::from_bytes(b"caf\xe9.md");
    fs::write(folder.path().join(name), "x").expect("written");
    assert_eq!(problem(read(&root, "caf\\xE9.md", &reading())), (Code::NameNotUtf8, true));
    assert!(!is_missing(&root, "caf\\xE9.md", &reading().names).expect("can be told"));
    assert!(matches!(read(&root, "\\xE9.md", &reading()), Outcome::Change(Change::Seen(_))));
    fs::remove_file(folder.path().join(name)).expect("removed");
    assert!(is_missing_change(&read(&root, "caf\\xE9.md", &reading())));
}

#[test]
fn a_file_without_rights_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, root) = inbox(&[("a.md", "x")]);
    let path = folder.path().join("a.md");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("set");
    // Root may read everything.
    if fs::read(&path).is_err() {
        assert_eq!(problem(read(&root, "a.md", &reading())), (Code::Unreadable, true));
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_taken_half() {
    let (folder, root) = inbox(&[("a.md", "")]);
    let path = folder.path().join("a.md");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                round += 1;
                let text = if round % 2 == 0 { "a" } else { "b" }.repeat(round % 900 + 1);
                fs::write(&path, text).expect("written");
            }
        });
        let mut whole = 0;
        let mut changing = 0;
        for _ in 0..5000 {
            match read(&root, "a.md", &reading()) {
                Outcome::Changing => changing += 1,
                Outcome::Change(Change::Seen(file)) => {
                    let bytes = file.kept.open().expect("kept").into_owned();
                    assert_eq!(bytes.len() as u64, file.fingerprint.size);
                    whole += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(whole + changing, 5000);
    });
}

/// Found by an exporter on a busy machine: two looks had found a file whole, and when its turn came to be read the next
/// one of that name was half written.
#[test]
fn what_looks_decided_about_is_what_is_read() {
    let (folder, root) = inbox(&[("a.md", "# A\n\nThe whole text.")]);
    let Ok(Look::File(seen)) = root.look("a.md") else { panic!("a file") };
    let read = || read_seen(&root, "a.md", seen, &reading());
    assert!(matches!(read(), Outcome::Change(Change::Seen(_))));
    fs::write(folder.path().join("a.md"), "# A\n\nThe wh").expect("a writable folder");
    assert!(matches!(read(), Outcome::Changing));
    assert!(matches!(super::read(&root, "a.md", &reading()), Outcome::Change(Change::Seen(_))));
    fs::remove_file(folder.path().join("a.md")).expect("removed");
    assert!(is_missing_change(&read()));
    pipe(&folder.path().join("a.md"));
    assert!(matches!(read(), Outcome::Changing));
}

#[test]
fn what_a_scan_saw_and_is_no_file_is_told() {
    let (folder, root) = inbox(&[]);
    pipe(&folder.path().join("pipe.md"));
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("out.md")).expect("linked");
    for path in ["pipe.md", "out.md"] {
        let Ok(Look::Special(seen) | Look::Link(seen)) = root.look(path) else { panic!("{path}") };
        assert_eq!(problem(read_seen(&root, path, seen, &reading())), (Code::NotRegular, true), "{path}");
    }
}

#[test]
fn workers_read_fresh_jobs_first_and_tell_what_cannot_be_read() {
    let (folder, root) = inbox(&[("a.md", "# A"), ("b.md", "# B")]);
    let shared = Shared {
        inbox: Inbox::new(folder.path()),
        place: Mutex::new(Some(root.place)),
        reading: std::sync::RwLock::new(std::sync::Arc::new(reading())),
        poll: std::sync::RwLock::new(crate::daemon::Poll::Off),
        clock: std::sync::Arc::new(crate::daemon::clock::Clock::system()),
        pulse: std::sync::Arc::default(),
        lanes: std::sync::Arc::default(),
        jobs: Jobs::default(),
        excluded: Mutex::default(),
        mirror: None,
        news: std::sync::Arc::default(),
        readers: std::sync::OnceLock::new(),
    };
    let job = |path: &str, lane| Job { path: path.to_owned(), lane, since: Duration::ZERO, seen: None };
    shared.jobs.push(job("b.md", Lane::Bulk));
    shared.jobs.push(job("a.md", Lane::Fresh));
    shared.jobs.push(job("none.md", Lane::Bulk));
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| work(&shared, |path, end| order.lock().expect("unpoisoned").push((path, end))));
        let mut taken = Vec::new();
        while taken.len() < 3 {
            taken.extend(shared.lanes.take_for_load().into_iter().flatten().map(|item| item.path().to_owned()));
        }
        taken.sort();
        assert_eq!(taken, ["a.md", "b.md", "none.md"]);
        // Another folder at the inbox's name is not read, and nothing in it is missed.
        shared.set_place(crate::daemon::inbox::Place { device: 0, inode: 0 });
        shared.jobs.push(job("a.md", Lane::Fresh));
        while order.lock().expect("unpoisoned").is_empty() {
            std::thread::yield_now();
        }
        shared.jobs.close();
    });
    assert_eq!(*order.lock().expect("unpoisoned"), [("a.md".to_owned(), End::Failed)]);
}

#[test]
fn a_scan_waits_for_what_the_loop_has_not_heard_of() {
    let jobs = Jobs::default();
    std::thread::scope(|scope| {
        let scan = scope.spawn(|| (0..4).for_each(|_| jobs.tell(ROOM / 2)));
        while jobs.lock().blocked == 0 {
            std::thread::yield_now();
        }
        assert_eq!(jobs.lock().told, ROOM, "the third one waits");
        // What was heard of may be nothing to read, or a job.
        jobs.heard(ROOM / 2);
        while jobs.lock().told < ROOM || jobs.lock().blocked == 0 {
            std::thread::yield_now();
        }
        for _ in 0..ROOM / 2 {
            let job = Job { path: "a.md".to_owned(), lane: Lane::Bulk, since: Duration::ZERO, seen: None };
            jobs.push(job);
        }
        jobs.heard(ROOM / 2);
        assert_eq!((jobs.lock().waiting(), scan.is_finished()), (ROOM, false));
        for _ in 0..ROOM / 2 {
            assert!(jobs.pop(|| {}).is_some());
        }
        scan.join().expect("no panic");
    });
    assert_eq!(jobs.lock().waiting(), ROOM);
}
