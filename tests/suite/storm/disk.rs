//! The disk of the state gives trouble while feeds are read: it is full, cannot be written, reports errors.
//!
//! Every poll is answered from the last good state, operators are told, nothing is lost, and it heals by itself. The
//! trouble is made by `strace`, which attaches to the running daemon and gives its writing calls the error of the
//! kernel, and for a full disk also by a real one: a small `tmpfs` in a mount namespace of the daemon's own.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{BASE, degraded, measured, text, title, trace, while_under};
use crate::driver::{Daemon, PATIENCE, Place, ask, skipped};

const FILES: usize = 30;
/// What readers ask for; none of it changes while nothing can be accepted.
const POLLED: [&str; 5] = ["/all.rss", "/all.json", "/category/storm.atom", "/archive/all/1.rss", "/"];
/// How long a trouble lasts, and how many lines of log it may cost in that time.
const LASTS: Duration = Duration::from_secs(7);
const LINES: usize = 4;

/// What goes wrong, as `strace` words it.
const TROUBLES: [(&str, &str); 4] = [
    ("full", "pwrite64,write,ftruncate,fallocate:error=ENOSPC"),
    ("read-only", "pwrite64,write,ftruncate,fallocate,fsync,fdatasync:error=EROFS"),
    ("errors on sync", "fsync,fdatasync:error=EIO"),
    ("errors on writing", "pwrite64,fsync,fdatasync:error=EIO"),
];

/// Polls until it is told to stop; every answer must be what it was before.
struct Readers<'a> {
    http: &'a str,
    stop: AtomicBool,
    polls: AtomicUsize,
}

impl Readers<'_> {
    fn run(&self, before: &[(String, Vec<u8>)]) {
        while !self.stop.load(Ordering::Relaxed) {
            for (path, (etag, body)) in POLLED.iter().zip(before) {
                let answer = ask(self.http, "GET", path, &[]);
                assert_eq!((answer.status, answer.header("etag")), (200, etag.as_str()), "{path}");
                assert!(answer.body == *body, "{path}");
                self.polls.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Stops the readers, also where the test fails: they would be waited for.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes trouble, and ends it; feeds stay, a file that comes meanwhile is shown afterwards.
fn trouble(what: &str, place: &Place, daemon: &Daemon, number: usize, begin: impl FnOnce(), end: impl FnOnce()) {
    let look = |path: &&str| {
        let answer = daemon.get(path);
        (answer.header("etag").to_owned(), answer.body)
    };
    let before: Vec<(String, Vec<u8>)> = POLLED.iter().map(look).collect();
    daemon.log.try_iter().for_each(drop);
    let readers = Readers { http: &daemon.http, stop: AtomicBool::new(false), polls: AtomicUsize::new(0) };
    let (told, lines) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| readers.run(&before));
        let stop = Stop(&readers.stop);
        begin();
        place.write(&format!("new{number}.md"), text(number, 0));
        let began = Instant::now();
        daemon.until("it is degraded", degraded);
        let told = began.elapsed();
        while_under(LASTS, || assert!(degraded(daemon), "{what}: it is well although it cannot be"));
        let lines = daemon.log.try_iter().filter(|line| !line.contains(" INFO ")).collect::<Vec<_>>();
        drop(stop);
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (told, lines)
    });
    assert!(lines.len() <= LINES, "{what}: {lines:#?}");
    end();
    let ended = Instant::now();
    daemon.until("it heals", |daemon| !degraded(daemon));
    let healed = ended.elapsed();
    daemon.until("the new one", |daemon| daemon.titles("all").contains(&title(number)));
    // Told at once and tried again in pauses of at most five seconds; the rest is the machine's.
    assert!(told < PATIENCE / 2 && healed < PATIENCE / 2, "{what}: {told:?} {healed:?}");
    let polls = readers.polls.load(Ordering::Relaxed);
    assert!(polls > 0);
    measured(&format!(
        "disk {what}: told after {told:?}, healed after {healed:?}, {polls} of {polls} polls answered, {} lines in {LASTS:?}",
        lines.len()
    ));
}

fn fill(place: &Place) {
    for n in 0..FILES {
        place.write(&format!("{}/{n}.md", n % 3), text(n, 0));
    }
}

/// `strace`, once it is attached to all threads.
fn attach(place: &Place, daemon: &Daemon, inject: &str) -> Child {
    let state = ["state", "state/catalog.sqlite", "state/catalog.sqlite-wal", "state/catalog.sqlite-shm"];
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &daemon.pid().to_string()]);
    for path in state {
        strace.arg("-P").arg(place.path(path));
    }
    let calls = inject.split(':').next().expect("calls");
    strace.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={inject}")]);
    let strace = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace");
    daemon.until("strace is attached", |daemon| {
        let mut threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs").flatten();
        let traced = |task: fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        };
        threads.all(traced)
    });
    strace
}

#[test]
fn a_disk_in_trouble_is_served_told_and_healed() {
    if !trace::is_there() {
        return;
    }
    let place = Place::new();
    fill(&place);
    let daemon = place.serve_articles(BASE, FILES as u64);
    for (n, (what, inject)) in TROUBLES.iter().enumerate() {
        let strace = std::cell::RefCell::new(None);
        let begin = || drop(strace.borrow_mut().replace(attach(&place, &daemon, inject)));
        let end = || {
            if let Some(mut strace) = strace.borrow_mut().take() {
                // It lets go of the daemon's threads when it is told to end, not when it is killed.
                let told = Command::new("kill").args(["-s", "TERM", &strace.id().to_string()]).status().expect("kill");
                assert!(told.success());
                strace.wait().expect("our child");
            }
        };
        trouble(what, &place, &daemon, 500 + n, begin, end);
    }
    // Nothing of it is left: another start shows the same.
    let before = daemon.get("/all.json").body;
    daemon.kill();
    let daemon = place.serve(BASE);
    assert!(daemon.get("/all.json").body == before);
}

#[test]
fn a_disk_that_is_really_full_is_served_told_and_healed() {
    let place = Place::new();
    let works = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none"]).arg(place.path("state")).output();
    if !works.is_ok_and(|run| run.status.success()) {
        return skipped("no mount namespace may be made here");
    }
    fill(&place);
    let state = place.path("state").display().to_string();
    let script = "mount -t tmpfs -o size=2m none \"$1\" && shift && exec \"$@\"";
    let launcher = ["unshare", "-m", "sh", "-c", script, "sh", &state];
    let daemon = place.try_serve_by(BASE, &launcher, &[]).unwrap_or_else(|output| panic!("{output:?}"));
    daemon.until("all articles", |daemon| daemon.count("articles") == FILES as u64);
    // The daemon's own view of its state.
    let filler = format!("/proc/{}/root{state}/filler", daemon.pid());
    let begin = || {
        // To the last byte.
        let mut file = fs::File::create(&filler).expect("writable");
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    };
    trouble("really full", &place, &daemon, 600, begin, || fs::remove_file(&filler).expect("it is there"));
}

/// What somebody does to the state of a running daemon.
fn lose(what: &str, how: impl FnOnce(&Place)) {
    let place = Place::new();
    fill(&place);
    let daemon = place.serve_articles(BASE, FILES as u64);
    place.write("new1.md", text(501, 0));
    daemon.until("a new one", |daemon| daemon.titles("all").contains(&title(501)));
    let items = |daemon: &Daemon| {
        let feed = daemon.json("/archive/all/1.json");
        let items = feed["items"].as_array().expect("items").iter();
        let all: std::collections::BTreeSet<String> =
            items.map(|item| format!("{} {} {}", item["id"], item["date_published"], item["date_modified"])).collect();
        all
    };
    let before = items(&daemon);
    how(&place);
    place.write("new2.md", text(502, 0));
    daemon.until("it is put back", |daemon| {
        !degraded(daemon) && daemon.log.try_iter().any(|line| line.contains("the catalog was put back"))
    });
    daemon.until("the next one", |daemon| daemon.titles("all").contains(&title(502)));
    // It is still nobody else's.
    let other = place.run(&["serve", "--listen", "127.0.0.1:0", "--admin", "off"]);
    assert_eq!(other.code, Some(4), "{what}: {other:?}");
    assert!(other.stderr.contains(&daemon.pid().to_string()), "{what}: {other:?}");
    let after = items(&daemon);
    assert!(after.is_superset(&before) && after.len() == before.len() + 1, "{what}: {after:?}");
    // All of it is there without the inbox.
    daemon.kill();
    fs::rename(place.inbox(""), place.path("away")).expect("one file system");
    let daemon = place.serve(BASE);
    assert_eq!(items(&daemon), after, "{what}");
}

#[test]
fn a_state_that_is_removed_or_replaced_is_put_back() {
    let catalog = |place: &Place| place.path("state/catalog.sqlite");
    lose("the file", |place| fs::remove_file(catalog(place)).expect("it is there"));
    lose("the folder", |place| fs::remove_dir_all(place.path("state")).expect("it is there"));
    lose("another file", |place| {
        fs::write(place.path("spool/other"), "another file").expect("writable");
        fs::rename(place.path("spool/other"), catalog(place)).expect("one file system");
    });
    lose("an older copy", |place| {
        fs::copy(catalog(place), place.path("spool/older")).expect("readable");
        fs::rename(place.path("spool/older"), catalog(place)).expect("one file system");
    });
}
