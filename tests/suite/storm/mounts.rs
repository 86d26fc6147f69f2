//! What only a kernel can do to an inbox: another file system mounted over it, and no more watches to be had. In
//! namespaces of the daemon's own; where none may be made the tests say so and are skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::{BASE, degraded, measured, text, title, while_under};
use crate::driver::{Daemon, Place, skipped};

/// Runs a command in a namespace of the daemon.
fn within(daemon: &Daemon, namespace: &[&str], words: &[&str]) {
    let pid = daemon.pid().to_string();
    let run = Command::new("nsenter").args(["-t", &pid]).args(namespace).args(words).output().expect("nsenter");
    assert!(run.status.success(), "{words:?}: {}", String::from_utf8_lossy(&run.stderr));
}

fn may(words: &[&str]) -> bool {
    let may = Command::new(words[0]).args(&words[1..]).output().is_ok_and(|run| run.status.success());
    if !may {
        skipped("no namespace may be made here");
    }
    may
}

#[test]
fn another_file_system_over_the_inbox_changes_nothing() {
    if !may(&["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        return;
    }
    // Too few for "all of them": it is the other device that counts.
    let place = Place::new();
    for n in 0..8 {
        place.write(&format!("{}/{n}.md", n % 3), text(n, 0));
    }
    let config = format!("{BASE}inbox: {{ withdraw_after: 1s }}\n");
    let launcher = ["unshare", "-m", "--propagation", "private"];
    let daemon = place.try_serve_by(&config, &launcher, &[]).unwrap_or_else(|output| panic!("{output:?}"));
    daemon.until("all articles", |daemon| daemon.count("articles") == 8);
    let look = || ["/all.rss", "/all.json", "/category/storm.atom"].map(|path| daemon.get(path).body);
    let (before, inbox) = (look(), place.inbox("").display().to_string());
    let inbox = inbox.trim_end_matches('/');
    within(&daemon, &["-m"], &["mount", "-t", "tmpfs", "none", inbox]);
    daemon.until("it is degraded", degraded);
    while_under(Duration::from_secs(4), || assert!(look() == before, "mounted over"));
    assert!(degraded(&daemon), "nothing came back");
    // A new file there is an article, and ends nothing.
    fs::write(format!("/proc/{}/root{inbox}/new.md", daemon.pid()), text(100, 0)).expect("writable");
    daemon.until("the new one", |daemon| daemon.count("articles") == 9);
    while_under(Duration::from_secs(3), || assert_eq!(daemon.count("articles"), 9, "with a new file"));
    within(&daemon, &["-m"], &["umount", inbox]);
    daemon.until("it is well again", |daemon| !degraded(daemon));
    // Events come from the old one again. What stood on the other is missing, alone, and withdrawn.
    place.write("1/next.md", text(101, 0));
    fs::remove_file(place.inbox("2/2.md")).expect("it is there");
    let mut expected: BTreeMap<String, usize> = (0..8).map(|n| (title(n), 0)).collect();
    expected.remove(&title(2));
    expected.insert(title(101), 0);
    let mut auditor = Auditor::default();
    for gone in [2, 100] {
        auditor.may_go(&title(gone));
    }
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
}

#[test]
fn folders_beyond_the_watch_limit_are_polled_until_it_is_raised() {
    if !may(&["unshare", "-U", "-r", "sh", "-c", "echo 4 > /proc/sys/user/max_inotify_watches"]) {
        return;
    }
    let place = Place::new();
    let folders = 12;
    for n in 0..folders {
        place.write(&format!("{n}/{n}.md"), text(n, 0));
    }
    let script = "echo 4 > /proc/sys/user/max_inotify_watches; exec \"$@\"";
    let launcher = ["unshare", "-U", "-r", "sh", "-c", script, "sh"];
    let daemon = place.try_serve_by(BASE, &launcher, &[]).unwrap_or_else(|output| panic!("{output:?}"));
    daemon.until("all articles", |daemon| daemon.count("articles") == folders as u64);
    let mut expected: BTreeMap<String, usize> = (0..folders).map(|n| (title(n), 0)).collect();
    let mut auditor = Auditor::default();
    let change = |version: usize, expected: &mut BTreeMap<String, usize>| {
        for n in 0..folders {
            place.write(&format!("{n}/{n}.md"), text(n, version));
            place.rename_in(&format!("{n}/new{version}.md"), text(100 * version + n, 0));
            expected.insert(title(n), version);
            expected.insert(title(100 * version + n), 0);
        }
    };
    let begun = Instant::now();
    change(1, &mut expected);
    // A folder made in one that nobody watches.
    place.write("11/deep/er.md", text(90, 0));
    expected.insert(title(90), 0);
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
    let polled = begun.elapsed();
    let warned: Vec<String> =
        daemon.log.try_iter().filter(|line| line.contains("fs.inotify.max_user_watches")).collect();
    assert_eq!(warned.len(), 1, "told once, with what to raise: {warned:?}");
    assert!(warned[0].contains(" WARN "), "{warned:?}");
    // Raised while it runs: the folders are watched from their next look on.
    within(&daemon, &["-U"], &["sh", "-c", "echo 1000 > /proc/sys/user/max_inotify_watches"]);
    let watches = |daemon: &Daemon| {
        let descriptors = fs::read_dir(format!("/proc/{}/fdinfo", daemon.pid())).expect("it runs").flatten();
        let told = descriptors.map(|one| fs::read_to_string(one.path()).unwrap_or_default());
        told.map(|text| text.lines().filter(|line| line.starts_with("inotify ")).count()).sum::<usize>()
    };
    daemon.until("all folders are watched", |daemon| watches(daemon) == folders + 2);
    let begun = Instant::now();
    change(2, &mut expected);
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
    measured(&format!(
        "watch limit: {folders} folders with 4 watches, all changes shown after {polled:?}; raised, after {:?}",
        begun.elapsed()
    ));
}

#[test]
fn an_inbox_without_any_watch_is_polled_until_there_is_one() {
    if !may(&["unshare", "-U", "-r", "sh", "-c", "echo 0 > /proc/sys/user/max_inotify_instances"]) {
        return;
    }
    let place = Place::new();
    place.write("a/1.md", text(1, 0));
    let script = "echo 0 > /proc/sys/user/max_inotify_instances; exec \"$@\"";
    let launcher = ["unshare", "-U", "-r", "sh", "-c", script, "sh"];
    let daemon = place.try_serve_by(BASE, &launcher, &[]).unwrap_or_else(|output| panic!("{output:?}"));
    daemon.until("it is polled", |daemon| daemon.count("articles") == 1);
    place.write("a/2.md", text(2, 0));
    daemon.until("the new one", |daemon| daemon.count("articles") == 2);
    assert!(daemon.log.try_iter().any(|line| line.contains("fs.inotify.max_user_instances")));
    within(&daemon, &["-U"], &["sh", "-c", "echo 100 > /proc/sys/user/max_inotify_instances"]);
    daemon.until("it is watched", |daemon| daemon.log.try_iter().any(|line| line.contains("the inbox is watched")));
    place.write("a/3.md", text(3, 0));
    daemon.until("the next one", |daemon| daemon.count("articles") == 3);
}
