//! Power cuts: what is left on a disk that loses what was not synced, at every point of a daemon's life.
//!
//! A daemon is run under `strace` through a first start, edits, a kill and a second start. From what it did to its files
//! a disk is made that lost power at a random moment:
//!
//! - of a file: all that was written before its last `fsync` that had returned; of what was written or cut after it any
//!   part, in sectors of 512 bytes, in any order, with zeros where a file grew and its bytes did not come;
//! - of a folder: names as of its last `fsync`, and any number of the first changes after it (as journals keep them);
//! - of the shared memory file: anything.
//!
//! On that disk the real binary is started without its inbox, so that nothing can come from there. What had been sent
//! to a reader before the cut is the witness: each article must be there with the same id, dates and text, or as one of
//! the next answers shows it, since a commit is durable before it is shown. No file may be damaged, none set aside.
//! 100 cuts by default, scaled by `FEEDMILL_TEST_SCALE`; the seed is printed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::trace::{self, Op};
use super::{BASE, Rng, measured, text, title};
use crate::driver::{Daemon, PATIENCE, Place, read_answer, scale};

/// A power cut keeps or loses this much at a time.
const SECTOR: usize = 512;
/// How many answers a reader may still get of what is already durable: one that is being sent, and one being made.
const AHEAD: usize = 3;

/// Title → id, dates and version.
type Shown = BTreeMap<String, String>;

fn shown(body: &[u8]) -> Shown {
    let feed: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    let item = |item: &serde_json::Value| {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let body = text("content_html");
        let version =
            body.split("version=").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("none").to_owned();
        let all = [text("id"), text("date_published"), text("date_modified"), version].join(" ");
        (text("title"), all)
    };
    feed["items"].as_array().expect("items").iter().map(item).collect()
}

/// A run of the daemon: what it did, and at which of these operations a reader had an answer.
struct Record {
    ops: Vec<Op>,
    answers: Vec<(usize, Shown)>,
}

/// The life that is cut short: a first start, single and many changes, a kill, a start after it, changes, a stop.
fn live(place: &mut Place, rng: &mut Rng) -> Record {
    let config = format!("{BASE}inbox: {{ withdraw_after: 1s }}\n");
    let mut versions: BTreeMap<usize, usize> = (0..10).map(|n| (n, 0)).collect();
    for &n in versions.keys() {
        place.write(&format!("{n}.md"), text(n, 0));
    }
    let mut logs = String::new();
    for run in 0..2 {
        let log = place.path("strace.log");
        place.before = trace::launcher(&log);
        let daemon = place.serve(&config);
        // The whole feed only when it is another one: all that is sent is in the log.
        let (mut etag, mut now) = (String::new(), BTreeMap::new());
        let mut until = |versions: &BTreeMap<usize, usize>| {
            let all = versions.iter().map(|(&n, v)| (title(n), format!("[{v}")));
            let expected: BTreeMap<String, String> = all.collect();
            daemon.until("what is written is shown", |daemon| {
                let answer = daemon.ask("GET", "/all.json", &[("If-None-Match", &etag)]);
                if answer.status == 200 {
                    etag = answer.header("etag").to_owned();
                    let version = |all: String| all.rsplit(' ').next().unwrap_or_default().to_owned();
                    now = shown(&answer.body).into_iter().map(|(title, all)| (title, version(all))).collect();
                }
                now == expected
            });
        };
        until(&versions);
        for step in 0..16 {
            let next = versions.keys().max().map_or(0, |n| n + 1);
            let any = *rng.of(&versions.keys().copied().collect::<Vec<_>>());
            match step % 8 {
                0 | 3 => {
                    versions.insert(next, 0);
                    place.rename_in(&format!("{next}.md"), text(next, 0));
                }
                // Many in one transaction, or in a few.
                6 => {
                    for n in next..next + 5 {
                        versions.insert(n, 0);
                        place.write(&format!("{n}.md"), text(n, 0));
                    }
                }
                5 => {
                    versions.remove(&any);
                    fs::remove_file(place.inbox(&format!("{any}.md"))).expect("it is there");
                }
                // Long enough to be copied back into the database.
                7 => {
                    let began = Instant::now();
                    daemon.until("the log is copied", |_| began.elapsed().as_millis() > 700);
                }
                _ => {
                    let version = versions[&any] + 1;
                    versions.insert(any, version);
                    place.write(&format!("{any}.md"), text(any, version));
                }
            }
            until(&versions);
        }
        // The tracer is its grandchild.
        let pid = daemon.pid();
        if run == 0 {
            daemon.kill();
        } else {
            assert!(daemon.stop().success());
        }
        logs.push_str(&finished(&log, pid));
    }
    place.before.clear();
    let ops = trace::read(&logs, &place.path("state").display().to_string());
    let answers = answers(&ops);
    Record { ops, answers }
}

/// The log of a process that has ended, once its tracer has said so.
fn finished(log: &Path, pid: u32) -> String {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        let ended =
            text.lines().rev().take(50).any(|line| line.starts_with(&pid.to_string()) && line.contains(" +++ "));
        assert!(began.elapsed() < PATIENCE, "the tracer does not end");
        if ended {
            fs::remove_file(log).expect("a log");
            return text;
        }
    }
}

/// Whole answers that hold a feed, with the operation after which their last byte had left.
fn answers(ops: &[Op]) -> Vec<(usize, Shown)> {
    let mut sent: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut found = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let Op::Send { connection, bytes } = op else { continue };
        let all = sent.entry(connection).or_default();
        all.extend_from_slice(bytes);
        let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        if head.contains("application/feed+json") && length == Some(all.len() - end - 4) {
            found.push((at, shown(&read_answer(all).body)));
        }
    }
    found
}

/// A file, by itself: what is certain of its bytes, and what may come after it.
#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone)]
enum Naming {
    Is(String, usize),
    IsNot(String),
}

/// The files of one folder, as a disk keeps them.
struct Disk {
    folder: String,
    inodes: Vec<Inode>,
    /// As programs see it, and as of the folder's last sync.
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Naming>,
}

impl Disk {
    fn new(folder: &str) -> Disk {
        Disk {
            folder: folder.to_owned(),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    fn name(&mut self, path: &str, inode: usize) {
        self.names.insert(path.to_owned(), inode);
        self.pending.push(Naming::Is(path.to_owned(), inode));
    }

    fn unname(&mut self, path: &str) -> Option<usize> {
        self.pending.push(Naming::IsNot(path.to_owned()));
        self.names.remove(path)
    }

    fn change(&mut self, path: &str, change: Change) {
        if let Some(&inode) = self.names.get(path) {
            self.inodes[inode].pending.push(change);
        }
    }

    fn take(&mut self, op: &Op) {
        match op {
            Op::Open { path, empty } => {
                if !self.names.contains_key(path) {
                    self.inodes.push(Inode::default());
                    self.name(path, self.inodes.len() - 1);
                } else if *empty {
                    self.change(path, Change::Length(0));
                }
            }
            Op::Write { path, at, bytes } => self.change(path, Change::Write(*at as usize, bytes.clone())),
            Op::Truncate { path, length } => self.change(path, Change::Length(*length as usize)),
            Op::Sync { path } if *path == self.folder => {
                self.pending.clear();
                self.durable.clone_from(&self.names);
            }
            Op::Sync { path } => {
                if let Some(&inode) = self.names.get(path) {
                    let inode = &mut self.inodes[inode];
                    let changes = std::mem::take(&mut inode.pending);
                    changes.iter().for_each(|change| apply(&mut inode.durable, change, |_| true));
                }
            }
            Op::Rename { from, to } => {
                if let Some(inode) = self.unname(from) {
                    // The one change that happens to two names at once.
                    self.pending.pop();
                    self.names.insert(to.clone(), inode);
                    self.pending.push(Naming::Is(to.clone(), inode));
                    self.pending.push(Naming::IsNot(from.clone()));
                }
            }
            Op::Link { from, to } => {
                if let Some(&inode) = self.names.get(from) {
                    self.name(to, inode);
                }
            }
            Op::Unlink { path } => drop(self.unname(path)),
            Op::Send { .. } => {}
        }
    }

    /// Writes what is left to a folder.
    fn cut(&self, to: &Path, rng: &mut Rng) {
        let mut names = self.durable.clone();
        let kept = rng.below(self.pending.len() + 1);
        for naming in &self.pending[..kept] {
            match naming {
                Naming::Is(path, inode) => drop(names.insert(path.clone(), *inode)),
                Naming::IsNot(path) => drop(names.remove(path)),
            }
        }
        for (path, inode) in names {
            let name = path.rsplit('/').next().expect("a name");
            let inode = &self.inodes[inode];
            let mut bytes = inode.durable.clone();
            // Mostly lost, mostly kept, or anything between.
            let share = *rng.of(&[0, 10, 50, 90, 100]);
            for change in &inode.pending {
                apply(&mut bytes, change, |_| rng.below(100) < share);
            }
            if name.ends_with("-shm") {
                bytes = (0..32768).map(|_| rng.next() as u8).collect();
            }
            fs::write(to.join(name), bytes).expect("writable");
        }
    }
}

/// Applies those sectors of a change that `keep` wants.
fn apply(bytes: &mut Vec<u8>, change: &Change, mut keep: impl FnMut(usize) -> bool) {
    match change {
        Change::Length(length) => {
            if keep(*length) {
                bytes.resize(*length, 0);
            }
        }
        Change::Write(at, new) => {
            let mut from = 0;
            while from < new.len() {
                let end = (from + SECTOR - (at + from) % SECTOR).min(new.len());
                if keep(at + from) {
                    if bytes.len() < at + end {
                        bytes.resize(at + end, 0);
                    }
                    bytes[at + from..at + end].copy_from_slice(&new[from..end]);
                }
                from = end;
            }
        }
    }
}

/// Starts the real binary on a disk that lost power after `moment` operations, and holds it to what was answered.
fn endure(record: &Record, folder: &str, moment: usize, rng: &mut Rng) {
    let what = format!("power cut after {moment} of {} operations", record.ops.len());
    let mut disk = Disk::new(folder);
    record.ops[..moment].iter().for_each(|op| disk.take(op));
    let place = Place::new();
    disk.cut(&place.path("state"), rng);
    fs::remove_dir(place.path("inbox")).expect("empty");
    // What readers had seen, and what they would have seen next.
    let nothing = Shown::new();
    let at = record.answers.partition_point(|(at, _)| *at < moment);
    let before = at.checked_sub(1).map_or(&nothing, |at| &record.answers[at].1);
    let mut after: Vec<&Shown> = record.answers[at..].iter().map(|(_, shown)| shown).collect();
    after.dedup();
    after.truncate(AHEAD);
    let left = match place.try_serve(&format!("{BASE}inbox: {{ withdraw_after: 1s }}\n")) {
        Ok(daemon) => {
            let left = daemon.get("/all.json");
            assert_eq!(left.status, 200, "{what}: {left:?}");
            check(daemon, &place, &what);
            shown(&left.body)
        }
        Err(output) => {
            assert_eq!(output.code, Some(1), "{what}: {output:?}");
            assert!(before.is_empty(), "{what}: {output:?}, and before it {before:#?}");
            Shown::new()
        }
    };
    for title in before.keys().chain(left.keys()) {
        let (before, left) = (before.get(title), left.get(title));
        let after: Vec<Option<&String>> = after.iter().map(|shown| shown.get(title)).collect();
        assert!(left == before || after.contains(&left), "{what}: {title} is {left:?}, was {before:?}, next {after:?}");
    }
}

fn check(daemon: Daemon, place: &Place, what: &str) {
    daemon.kill();
    assert!(place.set_aside().is_empty(), "{what}: {:?}", place.set_aside());
    let catalog = rusqlite::Connection::open(place.path("state/catalog.sqlite")).expect("a database");
    let said: String = catalog.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(said, "ok", "{what}");
}

#[test]
fn a_power_cut_loses_nothing_that_was_shown() {
    if !trace::is_there() {
        return;
    }
    let mut rng = Rng::new("power cuts");
    let mut place = Place::new();
    let record = live(&mut place, &mut rng);
    assert!(record.answers.len() > 30, "{}", record.answers.len());
    let syncs = record.ops.iter().filter(|op| matches!(op, Op::Sync { .. })).count();
    // Between two operations on files nothing changes but what readers know.
    let of_files: Vec<usize> = (0..record.ops.len()).filter(|&at| !matches!(record.ops[at], Op::Send { .. })).collect();
    assert!(of_files.len() > 200, "{}", of_files.len());
    let folder = place.path("state").display().to_string();
    let cuts = 100 * scale();
    let moments: Vec<(usize, u64)> = (0..cuts).map(|_| (*rng.of(&of_files), rng.next())).collect();
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(&(moment, seed)) = moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    endure(&record, &folder, moment, &mut Rng(seed));
                }
            });
        }
    });
    measured(&format!(
        "power cuts: {cuts} in {} operations on files with {syncs} syncs, {} answers, {:?}",
        of_files.len(),
        record.answers.len(),
        began.elapsed()
    ));
}

#[test]
fn a_disk_keeps_what_was_synced_and_any_of_the_rest() {
    let write = |path: &str, at: u64, byte: u8, length: usize| Op::Write {
        path: path.to_owned(),
        at,
        bytes: vec![byte; length],
    };
    let open = |path: &str| Op::Open { path: path.to_owned(), empty: false };
    let sync = |path: &str| Op::Sync { path: path.to_owned() };
    let mut disk = Disk::new("/d");
    for op in [
        open("/d/a"),
        write("/d/a", 0, b'1', 1024),
        sync("/d/a"),
        sync("/d"),
        write("/d/a", 100, b'2', 1500),
        open("/d/b"),
        write("/d/b", 0, b'3', 10),
        sync("/d/b"),
    ] {
        disk.take(&op);
    }
    let (mut torn, mut named) = (0, 0);
    for seed in 0..50 {
        let folder = tempfile::tempdir().expect("a folder");
        disk.cut(folder.path(), &mut Rng(seed));
        let a = fs::read(folder.path().join("a")).expect("it was synced");
        assert!(a.len() >= 1024 && a[..100].iter().all(|&byte| byte == b'1'));
        torn += usize::from(a.contains(&b'2') && a[100..1024].contains(&b'1'));
        if let Ok(b) = fs::read(folder.path().join("b")) {
            assert_eq!(b, [b'3'; 10], "its bytes were synced, its name was not");
            named += 1;
        }
    }
    assert!(torn > 0 && named > 0 && named < 50, "{torn} {named}");
}
