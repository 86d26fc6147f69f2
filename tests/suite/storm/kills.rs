//! Killed at any moment: a storm of creates, rewrites, renames and deletes, SIGKILL at random points of running and of
//! starting, and the auditor after each start. 30 kills by default, 150 with scale 5, 1,000 with scale 34.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::{BASE, Rng, measured, text, title};
use crate::driver::{Daemon, Place, scale};

/// Which file holds which article, and what it says.
struct Model {
    place: Place,
    rng: Rng,
    auditor: Auditor,
    /// Path → article and version.
    files: BTreeMap<String, (usize, usize)>,
    deleted: BTreeMap<String, (usize, usize)>,
    next: usize,
    most: usize,
    operations: usize,
}

impl Model {
    fn path(&self, path: &str) -> PathBuf {
        self.place.inbox(path)
    }

    fn new_path(&mut self) -> String {
        self.next += 1;
        let folder = *self.rng.of(&["", "a/", "b/", "a/deep/", "金融/"]);
        format!("{folder}{}-{}.md", self.rng.below(1000), self.next)
    }

    fn any(&mut self) -> Option<String> {
        let at = self.rng.below(self.files.len());
        self.files.keys().nth(at).cloned()
    }

    fn write(&mut self, path: &str, n: usize, v: usize) {
        if self.rng.below(2) == 0 {
            self.place.write(path, text(n, v));
        } else {
            self.place.rename_in(path, text(n, v));
        }
        self.files.insert(path.to_owned(), (n, v));
    }

    /// One thing that people and programs do.
    fn act(&mut self) {
        self.operations += 1;
        let kind = self.rng.below(100);
        if self.files.len() < self.most / 2 || kind < 25 && self.files.len() < self.most {
            let path = self.new_path();
            let n = self.next;
            return self.write(&path, n, 0);
        }
        let Some(path) = self.any() else { return };
        let (n, v) = self.files[&path];
        match kind {
            0..60 => self.write(&path, n, v + 1),
            60..78 => {
                let to = self.new_path();
                fs::create_dir_all(self.path(&to).parent().expect("below the inbox")).expect("a writable folder");
                fs::rename(self.path(&path), self.path(&to)).expect("one file system");
                self.files.remove(&path);
                self.files.insert(to, (n, v));
            }
            // Two files change their names.
            78..82 => {
                let Some(other) = self.any().filter(|other| *other != path) else { return };
                let between = self.place.path("spool/between");
                fs::rename(self.path(&path), &between).expect("one file system");
                fs::rename(self.path(&other), self.path(&path)).expect("one file system");
                fs::rename(&between, self.path(&other)).expect("one file system");
                let of_other = self.files[&other];
                self.files.insert(path, of_other);
                self.files.insert(other, (n, v));
            }
            82..90 => {
                fs::remove_file(self.path(&path)).expect("it is there");
                self.files.remove(&path);
                self.deleted.insert(path, (n, v));
                self.auditor.may_go(&title(n));
            }
            // Something deleted comes back, under its old name.
            90..95 => {
                let Some((path, (n, v))) = self.deleted.pop_first() else { return };
                if self.files.contains_key(&path) {
                    return;
                }
                self.write(&path, n, v + 1);
                self.auditor.must_stay(&title(n));
            }
            // A copy is made beside it and the old one removed.
            _ => {
                let to = self.new_path();
                self.write(&to, n, v);
                fs::remove_file(self.path(&path)).expect("it is there");
                self.files.remove(&path);
            }
        }
    }

    fn expected(&self) -> BTreeMap<String, usize> {
        self.files.values().map(|&(n, v)| (title(n), v)).collect()
    }

    fn audit(&mut self, daemon: &Daemon, lenient: bool) {
        let gone: BTreeSet<String> = self.deleted.values().map(|&(n, _)| title(n)).collect();
        let expected = self.expected();
        self.auditor.until_quiet(daemon, &expected, if lenient { &gone } else { const { &BTreeSet::new() } });
        for key in ["all", "category/storm", "category/storm/part1"] {
            self.auditor.poll(daemon, key);
        }
        // A copy leads only once the first file's time is over: that is told, and nothing else.
        let problems = daemon.json("/problems.json");
        let others =
            problems["problems"].as_array().expect("a list").iter().filter(|problem| problem["code"] != "twin");
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
    }
}

#[test]
fn a_killed_daemon_loses_nothing_and_doubles_nothing() {
    let kills = 30 * scale();
    let mut model = Model {
        place: Place::new(),
        rng: Rng::new("kills"),
        auditor: Auditor::default(),
        files: BTreeMap::new(),
        deleted: BTreeMap::new(),
        next: 0,
        most: (150 * scale()).clamp(200, 2000),
        operations: 0,
    };
    // Long enough that a file that is just being renamed is not taken for a deleted one.
    let config = format!("{BASE}inbox: {{ withdraw_after: 12s }}\n");
    for _ in 0..model.most / 2 {
        model.act();
    }
    let first = model.files.len() as u64;
    model.place.serve_articles(&config, first).kill();
    let mut slowest = Duration::ZERO;
    // What a killed daemon leaves of its log; the kernel gives its length as it was.
    let (log, mut longest) = (model.place.path("state/catalog.sqlite-wal"), 0);
    for kill in 0..kills {
        longest = longest.max(fs::metadata(&log).map_or(0, |log| log.len()));
        let moment = Duration::from_millis(5 + model.rng.below(295) as u64);
        if model.rng.below(3) == 0 {
            // Killed wherever it is with starting; nothing is asked.
            let config = model.place.path("feedmill.yaml").display().to_string();
            let words = ["serve", "--config", &config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
            let mut child = model.place.command(&words).spawn().expect("the binary");
            let begin = Instant::now();
            model.act();
            while begin.elapsed() < moment {
                std::thread::yield_now();
            }
            child.kill().expect("our child");
            child.wait().expect("our child");
            continue;
        }
        let begin = Instant::now();
        let daemon = model.place.serve(&config);
        slowest = slowest.max(begin.elapsed());
        let begin = Instant::now();
        let burst = model.rng.below(2) == 0;
        let mut left = 100;
        while begin.elapsed() < moment {
            if left > 0 {
                model.act();
                left -= 1;
            }
            if !burst || left == 0 {
                model.auditor.poll(&daemon, "category/storm");
            }
        }
        if burst {
            model.auditor.look(&daemon);
        }
        daemon.kill();
        if kill % 6 == 5 {
            let daemon = model.place.serve(&config);
            model.audit(&daemon, true);
            daemon.kill();
        }
    }
    let daemon = model.place.serve(&config);
    model.audit(&daemon, false);
    assert_eq!(model.place.set_aside(), Vec::<PathBuf>::new(), "a kill damages nothing");
    assert!(longest < 48 << 20, "the catalog's log grew to {longest} bytes");
    measured(&format!(
        "kills: {kills}, operations {}, files {}, answers checked {}, slowest start {slowest:?}, longest log {longest} B",
        model.operations,
        model.files.len(),
        model.auditor.answers
    ));
}
