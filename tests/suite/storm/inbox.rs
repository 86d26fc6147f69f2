//! The inbox as the world treats it: renamed away, emptied, closed, made anew, swapped; with loops, pipes, devices and
//! links that lead out. The last good feeds stay, nothing is withdrawn, and nothing is ever written below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::{BASE, degraded, measured, text, title, while_under};
use crate::driver::{Daemon, Place, skipped};

const PATHS: [&str; 7] =
    ["/all.rss", "/all.atom", "/all.json", "/category/storm.rss", "/archive/all/1.json", "/feeds.opml", "/"];

fn look(daemon: &Daemon) -> Vec<(u16, String, blake3::Hash)> {
    let answers = PATHS.map(|path| daemon.get(path));
    answers.map(|answer| (answer.status, answer.header("etag").to_owned(), blake3::hash(&answer.body))).to_vec()
}

/// An outage: what is done, how it ends, and whether the daemon has to notice.
fn outage(files: usize, begin: impl Fn(&Place), end: impl Fn(&Place), noticed: bool) {
    let mut place = Place::new();
    // Root may enter every folder: the daemon runs as nobody where the test is root.
    if is_root() {
        place.before =
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned).to_vec();
        fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).expect("ours");
        std::os::unix::fs::chown(place.path("state"), Some(65534), Some(65534)).expect("root may");
    }
    for n in 0..files {
        place.write(&format!("{}/{n}.md", n % 3), text(n, 0));
    }
    // The shortest wait: whoever takes an outage for deletions shows it at once.
    let config = format!("{BASE}inbox: {{ withdraw_after: 1s }}\n");
    let daemon = place.serve_articles(&config, files as u64);
    let before = look(&daemon);
    begin(&place);
    let began = Instant::now();
    if noticed {
        daemon.until("it is degraded", degraded);
        assert!(began.elapsed() < Duration::from_secs(30), "noticed after {:?}", began.elapsed());
    }
    while_under(Duration::from_millis(3500), || assert_eq!(look(&daemon), before, "during the outage"));
    // Also for one that starts meanwhile.
    daemon.kill();
    let daemon = place.serve(&config);
    if noticed {
        daemon.until("it is degraded", degraded);
    }
    while_under(Duration::from_millis(2500), || assert_eq!(look(&daemon), before, "started in the outage"));
    end(&place);
    let ended = Instant::now();
    daemon.until("it is well again", |daemon| !degraded(daemon));
    assert!(ended.elapsed() < Duration::from_secs(30), "well after {:?}", ended.elapsed());
    while_under(Duration::from_millis(2500), || assert_eq!(look(&daemon), before, "after the outage"));
    // Events come again, from every folder, and a real deletion is one.
    for folder in 0..3 {
        place.write(&format!("{folder}/new.md"), text(900 + folder, 0));
    }
    fs::remove_file(place.inbox("1/1.md")).expect("it is there");
    let mut expected: BTreeMap<String, usize> = (0..files).map(|n| (title(n), 0)).collect();
    expected.extend((0..3).map(|folder| (title(900 + folder), 0)));
    expected.remove(&title(1));
    let mut auditor = Auditor::default();
    auditor.may_go(&title(1));
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn renamed_away(place: &Place) {
    fs::rename(place.inbox(""), place.path("away")).expect("one file system");
}

fn renamed_back(place: &Place) {
    fs::rename(place.path("away"), place.path("inbox")).expect("one file system");
}

#[test]
fn an_inbox_renamed_away_and_back_changes_nothing() {
    outage(30, renamed_away, renamed_back, true);
    outage(5, renamed_away, renamed_back, true);
}

#[test]
fn an_inbox_that_nobody_may_enter_changes_nothing() {
    let mode = |mode: u32| {
        move |place: &Place| fs::set_permissions(place.inbox(""), Permissions::from_mode(mode)).expect("ours")
    };
    outage(30, mode(0o000), mode(0o755), true);
}

#[test]
fn a_folder_that_nobody_may_enter_changes_nothing() {
    let mode = |mode: u32| {
        move |place: &Place| fs::set_permissions(place.inbox("1"), Permissions::from_mode(mode)).expect("ours")
    };
    outage(30, mode(0o000), mode(0o755), true);
}

#[test]
fn an_emptied_inbox_changes_nothing() {
    let empty = |place: &Place| {
        fs::create_dir(place.path("away")).expect("a writable folder");
        for folder in ["0", "1", "2"] {
            fs::rename(place.inbox(folder), place.path("away").join(folder)).expect("one file system");
        }
    };
    let fill = |place: &Place| {
        for folder in ["0", "1", "2"] {
            fs::rename(place.path("away").join(folder), place.inbox(folder)).expect("one file system");
        }
    };
    outage(30, empty, fill, false);
}

#[test]
fn an_inbox_removed_and_made_anew_changes_nothing() {
    let remove = |place: &Place| fs::remove_dir_all(place.inbox("")).expect("it is there");
    let make = |files: usize| {
        move |place: &Place| (0..files).for_each(|n| place.write(&format!("{}/{n}.md", n % 3), text(n, 0)))
    };
    outage(30, remove, make(30), true);
    // Too few for "all of them": it is the missing folder that counts.
    outage(6, remove, make(6), true);
}

#[test]
fn an_inbox_that_is_a_swapped_link_changes_nothing() {
    let place = Place::new();
    fs::remove_dir(place.inbox("")).expect("it is empty");
    for release in ["one", "two"] {
        for n in 0..25 {
            let path = place.path(&format!("{release}/{n}.md"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            fs::write(path, text(n, 0)).expect("a writable folder");
        }
    }
    let point_to = |release: &str| {
        symlink(release, place.path("next")).expect("a writable folder");
        fs::rename(place.path("next"), place.path("inbox")).expect("one file system");
    };
    point_to("one");
    let config = format!("{BASE}inbox: {{ withdraw_after: 1s }}\n");
    let daemon = place.serve_articles(&config, 25);
    let before = look(&daemon);
    for release in ["two", "one", "two"] {
        point_to(release);
        while_under(Duration::from_millis(1500), || assert_eq!(look(&daemon), before, "swapped to {release}"));
    }
    fs::write(place.path("two/new.md"), text(99, 0)).expect("a writable folder");
    daemon.until("the new one", |daemon| daemon.count("articles") == 26);
}

#[test]
fn what_comes_back_while_the_daemon_is_down_was_never_gone() {
    let place = Place::new();
    for n in 0..8 {
        place.write(&format!("{n}.md"), text(n, 0));
    }
    let config = format!("{BASE}inbox: {{ withdraw_after: 6s }}\n");
    let daemon = place.serve_articles(&config, 8);
    let before = look(&daemon);
    // Missed, then the daemon is down for longer than the wait, and the file is there again before it starts.
    fs::rename(place.inbox("3.md"), place.path("spool/3.md")).expect("one file system");
    place.write("mark.tmp", "");
    daemon.until("it is missed", |daemon| daemon.count("excluded") == 1);
    daemon.kill();
    let down = Instant::now();
    fs::rename(place.path("spool/3.md"), place.inbox("3.md")).expect("one file system");
    while down.elapsed() < Duration::from_secs(8) {
        std::thread::yield_now();
    }
    let daemon = place.serve(&config);
    while_under(Duration::from_secs(4), || assert_eq!(look(&daemon), before));
    assert_eq!(daemon.count("articles"), 8);
}

#[test]
fn nothing_is_opened_that_should_not_be() {
    let place = Place::new();
    fs::write(place.path("secret.md"), text(666, 0)).expect("a writable folder");
    fs::create_dir_all(place.inbox("sub")).expect("a writable folder");
    let link = |to: &str, name: &str| symlink(to, place.inbox(name)).expect("a writable folder");
    link("../secret.md", "out.md");
    link("..", "up");
    link("..", "sub/up");
    link(".", "sub/self");
    link("loop-b.md", "loop-a.md");
    link("loop-a.md", "loop-b.md");
    link("/proc/self/environ", "magic.md");
    link("/dev/zero", "zero.md");
    link("nowhere.md", "dangling.md");
    link("sub/inside.md", "inside.md");
    let made = |words: &[&str], name: &str| {
        Command::new(words[0]).arg(place.inbox(name)).args(&words[1..]).status().is_ok_and(|status| status.success())
    };
    assert!(made(&["mkfifo"], "pipe.md"), "a pipe");
    if !made(&["mknod", "c", "1", "5"], "device.md") {
        skipped("devices can only be made by root");
    }
    let _socket = std::os::unix::net::UnixListener::bind(place.inbox("socket.md")).expect("a socket");
    place.write("sub/inside.md", text(1, 0));
    let daemon = place.serve(BASE);
    place.write("good.md", text(2, 0));
    daemon.until("the good ones", |daemon| daemon.count("articles") == 2);
    // Others come while it runs.
    assert!(made(&["mkfifo"], "sub/later.md"), "a pipe");
    link("/etc/hostname", "sub/later-link.md");
    fs::rename(place.path("secret.md"), place.path("secret2.md")).expect("one file system");
    link("../secret2.md", "out2.md");
    daemon.until("they are reported", |daemon| {
        let problems = daemon.json("/problems.json");
        let of = |name: &str| {
            problems["problems"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|problem| problem["path"] == name && problem["code"] == "not-regular")
        };
        [
            "out.md",
            "loop-a.md",
            "magic.md",
            "zero.md",
            "pipe.md",
            "socket.md",
            "sub/later.md",
            "sub/later-link.md",
            "out2.md",
        ]
        .iter()
        .all(|name| of(name))
    });
    assert_eq!(daemon.count("articles"), 2);
    for name in ["all", "category/storm"] {
        assert!(!daemon.titles(name).contains(&title(666)));
    }
    assert!(daemon.stop().success(), "a pipe does not hold up the stop");
}

#[test]
fn nothing_is_ever_written_below_the_inbox() {
    let mut place = Place::new();
    for n in 0..20 {
        place.write(&format!("{}/{n}.md", n % 4), text(n, 0));
    }
    place.write("broken.md", [0u8, 1, 2, 255]);
    let inbox = place.inbox("");
    let listing = || -> BTreeMap<String, String> {
        walkdir::WalkDir::new(&inbox)
            .into_iter()
            .map(|entry| {
                let entry = entry.expect("readable");
                let it = entry.metadata().expect("readable");
                let times = [it.mtime(), it.mtime_nsec(), it.ctime(), it.ctime_nsec()];
                let all = format!("inode {} mode {:o} size {} times {times:?}", it.ino(), it.mode(), it.size());
                (entry.path().display().to_string(), all)
            })
            .collect()
    };
    let before = listing();
    let log = place.path("strace");
    let traced = Command::new("strace").arg("-V").output().is_ok();
    if traced {
        let words = ["/usr/bin/strace", "-D", "-f", "-y", "-qq", "-e", "trace=%file,%desc", "-e", "signal=none", "-o"];
        place.before = words.map(str::to_owned).to_vec();
        place.before.push(log.display().to_string());
    } else {
        skipped("strace is not installed: only the listing is compared");
    }
    let daemon = place.serve_articles(BASE, 20);
    for path in PATHS {
        assert_eq!(daemon.get(path).status, 200);
    }
    daemon.signal("HUP");
    daemon.until("the reload", |daemon| daemon.json("/status.json")["reload_ok"] == true);
    daemon.stop();
    place.before.clear();
    for words in [&["check"][..], &["explain", "inbox/1/1.md"], &["build", "--out", "out"], &["config"]] {
        place.run(words);
    }
    assert_eq!(listing(), before);
    if traced {
        let calls = fs::read_to_string(&log).expect("a log");
        let inbox = inbox.display().to_string();
        let inbox = inbox.trim_end_matches('/');
        let reads = [
            "open",
            "stat",
            "newfstatat",
            "statx",
            "fstat",
            "read",
            "getdents64",
            "lseek",
            "close",
            "fcntl",
            "inotify_",
            "readlink",
            "access",
            "faccessat",
            "statfs",
            "fstatfs",
            "pread64",
            "fadvise64",
            "mmap",
            "poll",
            "epoll",
        ];
        let mut count = 0;
        for line in calls.lines().filter(|line| line.contains(inbox)) {
            let call = line.split_whitespace().nth(1).unwrap_or_default();
            let writes =
                ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| line.contains(flag));
            assert!(!writes && (reads.iter().any(|read| call.starts_with(read)) || call.starts_with('<')), "{line}");
            count += 1;
        }
        assert!(count > 40, "{count} calls were seen");
    }
    measured(&format!("listing: {} names unchanged, traced: {traced}", before.len()));
}
