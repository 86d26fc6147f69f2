//! The N-th call fails: each kind of call on the files of inbox and state, at each of its places in a daemon's life.
//!
//! `strace` makes the N-th call of a kind fail, counted by thread, with an I/O error or a full disk. Whatever fails: no
//! answer lacks an article that was shown before, nothing panics, and it heals by itself; a start that fails says so by
//! exit code 1, and the next one has everything. Locks of SQLite (`fcntl`) are left out: on a local disk they cannot
//! meet these errors. 80 of these failures by default, spread over all of them by a seed
//! that is printed; all of them, some 2,200, with `FEEDMILL_TEST_SCALE` 30.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::driver::{Place, article, scale};
use crate::failpoints::Seen;
use crate::storm::{Rng, measured, trace};

const CONFIG: &str = "site: { base_url: \"https://feeds.example\" }\ninbox: { rescan: 1s, withdraw_after: 1s }\n";
/// Files at the first start.
const FILES: usize = 20;
/// Daemons at a time: most of a run is waiting.
const AT_ONCE: usize = 8;
/// Calls that read, and calls that can meet a full disk.
const READING: [&str; 9] =
    ["open", "openat", "openat2", "read", "pread64", "newfstatat", "fstat", "statx", "getdents64"];
const WRITING: [&str; 8] = ["write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "flock"];

fn text(n: usize, version: usize) -> String {
    let body = format!("<p>Body {n} in its version {version}.</p>");
    article(&format!("Number {n}"), &format!("2022-04-{:02} 13:01:{n:02}", 1 + n % 28), &["news"], &body)
}

fn file(n: usize) -> String {
    format!("{}{n}.md", ["", "a/", "a/b/"][n % 3])
}

fn fill(inbox: &Path) {
    fs::create_dir_all(inbox.join("a/b")).expect("made");
    for n in 0..FILES {
        fs::write(inbox.join(file(n)), text(n, 0)).expect("written");
    }
}

/// Words for the files of a place: `strace` is to see no others.
fn paths(place: &Place) -> Vec<String> {
    let state = ["state", "state/catalog.sqlite", "state/catalog.sqlite-wal", "state/catalog.sqlite-shm"];
    let load = ["state/catalog.sqlite.new", "state/catalog.sqlite.new-journal", "state/catalog.sqlite-journal"];
    let inbox = ["inbox", "inbox/a", "inbox/a/b", "state/lock"].map(str::to_owned);
    let files = (0..=FILES).map(|n| format!("inbox/{}", file(n)));
    let below = state.into_iter().chain(load).map(str::to_owned).chain(inbox).chain(files);
    below.flat_map(|below| ["-P".to_owned(), place.path(&below).display().to_string()]).collect()
}

/// A daemon's life under `strace`: a first start, a new file, an edit, a deletion, a restart.
fn live(inbox: &Path, strace: &[String], must_start: bool, what: &str) {
    let mut place = Place::new();
    fs::remove_dir(place.path("inbox")).expect("empty");
    fs::rename(inbox, place.path("inbox")).expect("one file system");
    let mut seen = Seen::default();
    for start in 0..3 {
        place.before = Vec::new();
        // The last start is one in which nothing fails.
        if start < 2 {
            place.before = ["strace", "-D", "-f", "-q"].map(str::to_owned).to_vec();
            place.before.extend(paths(&place));
            place.before.extend(strace.iter().cloned());
        }
        match place.try_serve(CONFIG) {
            Err(output) => {
                assert!(start < 2 && !must_start && output.code == Some(1), "{what}, start {start}: {output:?}");
                assert!(!output.stderr.contains("panicked"), "{what}, start {start}: {output:?}");
            }
            Ok(mut daemon) => {
                match start {
                    0 => place.rename_in(&file(FILES), text(FILES, 0)),
                    _ => place.write(&file(1), text(1, start)),
                }
                let whole = if place.inbox(&file(FILES)).exists() { FILES + 1 } else { FILES };
                assert!(seen.watch(&mut daemon, whole, false, what), "{what}, start {start}: it ended");
                if start == 0 {
                    daemon.kill();
                } else {
                    assert!(daemon.stop().success(), "{what}, start {start}");
                }
            }
        }
    }
}

/// How often each thread made each call, at the most.
fn count(log: &str) -> BTreeMap<String, usize> {
    let mut of_threads: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in log.lines() {
        let mut words = line.split_whitespace();
        if let (Some(thread), Some((call, _))) = (words.next(), words.next().and_then(|call| call.split_once('('))) {
            *of_threads.entry((thread.to_owned(), call.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, call), count) in of_threads {
        let before = most.entry(call).or_default();
        *before = (*before).max(count);
    }
    most
}

#[test]
fn every_call_may_fail() {
    if !trace::is_there() {
        return;
    }
    // Made before, so that no file is too young to be taken at the first look.
    let prepared = tempfile::tempdir().expect("a folder");
    let inbox = |n: usize| prepared.path().join(n.to_string());
    fill(&inbox(0));
    let log = prepared.path().join("log");
    let all = READING.iter().chain(&WRITING).copied().collect::<Vec<_>>().join(",");
    let words = ["-e".to_owned(), format!("trace={all}"), "-o".to_owned(), log.display().to_string(), "-A".to_owned()];
    live(&inbox(0), &words, true, "nothing fails");
    let counted = count(&fs::read_to_string(&log).expect("a log"));
    let mut failures: Vec<(String, &str, usize)> = Vec::new();
    for (call, &most) in &counted {
        let errors: &[&str] = if WRITING.contains(&call.as_str()) { &["EIO", "ENOSPC"] } else { &["EIO"] };
        let each = |n: usize| errors.iter().map(move |error| (call.clone(), *error, n));
        failures.extend((1..=most).flat_map(each));
    }
    assert!(counted.len() >= 12 && failures.len() > 150, "{counted:?}");
    // Every kind of call, early and late, in each run of the test; which of them the seed says.
    let mut rng = Rng::new("calls");
    let runs = (80 * scale()).min(failures.len());
    let chosen: Vec<&(String, &str, usize)> = (0..runs)
        .map(|run| {
            let (from, to) = (failures.len() * run / runs, failures.len() * (run + 1) / runs);
            &failures[from + rng.below(to - from)]
        })
        .collect();
    for n in 1..=runs {
        fill(&inbox(n));
    }
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    let Some((call, error, n)) = chosen.get(run) else { return };
                    let inject = format!("inject={call}:error={error}:when={n}");
                    let words = ["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"].map(str::to_owned);
                    live(&inbox(run + 1), &words, false, &inject);
                }
            });
        }
    });
    measured(&format!(
        "calls: {runs} of {} failures of {} calls, {:?}",
        failures.len(),
        counted.len(),
        began.elapsed()
    ));
}
