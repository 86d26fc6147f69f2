//! How files come in masses: the kernel's queue overflows, folders are made and filled at once, names change faster
//! than anybody can look, writers are slow, times lie. Nothing is missed and nothing is shown half.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use super::auditor::Auditor;
use super::{BASE, Rng, measured, metric, text, title, while_under};
use crate::driver::{Place, scale, skipped};

const NONE: &BTreeSet<String> = &BTreeSet::new();

#[test]
fn an_overflow_of_the_queue_loses_nothing() {
    let place = Place::new();
    place.write("first.md", text(0, 0));
    let daemon = place.serve_articles(BASE, 1);
    let limit: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(16384);
    if limit > 200_000 {
        return skipped("the kernel's queue is too long to be filled");
    }
    let files = (700 * scale()).min(9000);
    daemon.freeze();
    // Two files written in turn, so that the kernel cannot merge the events, fill what the new ones leave.
    let mut noise = ["noise-a.log", "noise-b.log"].map(|name| File::create(place.inbox(name)).expect("writable"));
    for n in 0..limit {
        noise[n % 2].write_all(b".").expect("writable");
    }
    for n in 1..=files {
        place.write(&format!("{}/{n}.md", n % 7), text(n, 0));
    }
    fs::remove_file(place.inbox("first.md")).expect("it is there");
    place.write("first.md", text(0, 1));
    daemon.signal("CONT");
    let begin = Instant::now();
    daemon.until("the overflow is counted", |daemon| metric(daemon, "feedmill_inbox_overflows_total") > 0);
    let expected: BTreeMap<String, usize> = (0..=files).map(|n| (title(n), usize::from(n == 0))).collect();
    daemon.until("all files", |daemon| daemon.count("articles") == expected.len() as u64);
    measured(&format!("overflow: {files} files beyond {limit} events, all shown after {:?}", begin.elapsed()));
    Auditor::default().until_quiet(&daemon, &expected, NONE);
    // And events work as before.
    place.write("3/last.md", text(files + 1, 0));
    daemon.until("the next one", |daemon| daemon.count("articles") == expected.len() as u64 + 1);
}

#[test]
fn folders_made_and_filled_at_once_are_not_missed() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let count = 250 * scale().min(4);
    for n in 0..count {
        match n % 3 {
            0 => place.write(&format!("x{n}/b/c/{n}.md"), text(n, 0)),
            1 => place.rename_in(&format!("same/{}/{n}/{n}.md", n % 5), text(n, 0)),
            // Made elsewhere, moved in, and one more below it at once.
            _ => {
                let folder = place.path(&format!("spool/{n}"));
                fs::create_dir_all(folder.join("in/ner")).expect("a writable folder");
                fs::rename(&folder, place.inbox(&format!("m{n}"))).expect("one file system");
                place.write(&format!("m{n}/in/ner/{n}.md"), text(n, 0));
            }
        }
    }
    let expected: BTreeMap<String, usize> = (0..count).map(|n| (title(n), 0)).collect();
    Auditor::default().until_quiet(&daemon, &expected, NONE);
    // Each of the folders is watched.
    for n in 0..count {
        let path = match n % 3 {
            0 => format!("x{n}/b/c/{n}.md"),
            1 => format!("same/{}/{n}/{n}.md", n % 5),
            _ => format!("m{n}/in/ner/{n}.md"),
        };
        place.write(&path, text(n, 1));
    }
    let expected: BTreeMap<String, usize> = (0..count).map(|n| (title(n), 1)).collect();
    Auditor::default().until_quiet(&daemon, &expected, NONE);
    measured(&format!("folders made and filled at once: {count}"));
}

#[test]
fn a_storm_of_renames_keeps_every_id() {
    let place = Place::new();
    let mut rng = Rng::new("renames");
    let (files, renames) = (80, (1000 * scale()).min(10_000));
    // A file's place: its folder's number and its name.
    let mut names: Vec<(usize, String)> = (0..files).map(|n| (n % 6, format!("{n}.md"))).collect();
    let mut folders: Vec<String> = (0..6).map(|folder| format!("f{folder}")).collect();
    for (n, (folder, name)) in names.iter().enumerate() {
        place.write(&format!("{}/{name}", folders[*folder]), text(n, 0));
    }
    let daemon = place.serve_articles(BASE, files as u64);
    let expected: BTreeMap<String, usize> = (0..files).map(|n| (title(n), 0)).collect();
    let mut auditor = Auditor::default();
    auditor.until_quiet(&daemon, &expected, NONE);
    let path =
        |folders: &[String], (folder, name): &(usize, String)| place.inbox(&format!("{}/{name}", folders[*folder]));
    for step in 0..renames {
        let n = rng.below(files);
        let from = path(&folders, &names[n]);
        match rng.below(10) {
            0 => {
                let folder = rng.below(6);
                let to = format!("f{folder}-{step}");
                fs::rename(place.inbox(&folders[folder]), place.inbox(&to)).expect("one file system");
                folders[folder] = to;
            }
            1 | 2 => {
                let other = rng.below(files);
                if other != n {
                    let between = place.path("spool/between");
                    fs::rename(&from, &between).expect("one file system");
                    fs::rename(path(&folders, &names[other]), &from).expect("one file system");
                    fs::rename(&between, path(&folders, &names[other])).expect("one file system");
                    names.swap(n, other);
                }
            }
            _ => {
                names[n] = (rng.below(6), format!("{n}-{step}.md"));
                fs::rename(from, path(&folders, &names[n])).expect("one file system");
            }
        }
        if step % 100 == 0 {
            auditor.look(&daemon);
        }
    }
    place.write("mark.md", text(files, 0));
    let mut expected = expected;
    expected.insert(title(files), 0);
    auditor.until_quiet(&daemon, &expected, NONE);
    assert_eq!(metric(&daemon, "feedmill_articles"), expected.len() as u64);
    // The catalog knows each at its last name: another start finds nothing to do.
    let all = daemon.get("/archive/all/1.json").body;
    daemon.kill();
    let daemon = place.serve(BASE);
    auditor.until_quiet(&daemon, &expected, NONE);
    assert!(daemon.get("/archive/all/1.json").body == all);
    measured(&format!("renames: {renames}"));
}

#[test]
fn slow_writers_never_show_half_an_article() {
    let place = Place::new();
    let mut rng = Rng::new("slow writers");
    let files = 12;
    for n in 0..files / 2 {
        place.write(&format!("{n}.md"), text(n, 0));
    }
    let daemon = place.serve_articles(BASE, files as u64 / 2);
    let mut auditor = Auditor::default();
    let rounds = 3 * scale();
    let mut writes = 0;
    for round in 1..=rounds {
        // Half of the files are new in the first round; all are written side by side, in pieces of 1 to 64 bytes.
        let mut open: Vec<(usize, Vec<u8>, File)> = (0..files)
            .map(|n| (n, text(n, round).into_bytes(), File::create(place.inbox(&format!("{n}.md"))).expect("writable")))
            .collect();
        while !open.is_empty() {
            let at = rng.below(open.len());
            let piece = 1 + rng.below(64);
            let (_, rest, file) = &mut open[at];
            let piece = piece.min(rest.len());
            file.write_all(&rest[..piece]).expect("writable");
            rest.drain(..piece);
            writes += 1;
            if rest.is_empty() {
                open.swap_remove(at);
            }
            if writes % 20 == 0 {
                auditor.look(&daemon);
            }
        }
        let expected: BTreeMap<String, usize> = (0..files).map(|n| (title(n), round)).collect();
        auditor.until_quiet(&daemon, &expected, NONE);
    }
    measured(&format!("slow writers: {writes} writes in small pieces"));
}

#[test]
fn lying_times_hide_no_change() {
    let place = Place::new();
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    let lies = [now + 400 * day, SystemTime::UNIX_EPOCH, now - 4000 * day, now];
    let set = |name: &str, time: SystemTime| {
        File::options().write(true).open(place.inbox(name)).expect("it is there").set_modified(time).expect("settable");
    };
    let name = |n: usize| format!("{n}.md");
    for (n, time) in lies.iter().enumerate() {
        place.write(&name(n), text(n, 0));
        set(&name(n), *time);
    }
    let expected = |version: usize| (0..lies.len()).map(|n| (title(n), version)).collect::<BTreeMap<String, usize>>();
    let daemon = place.serve(BASE);
    let mut auditor = Auditor::default();
    auditor.until_quiet(&daemon, &expected(0), NONE);
    // Versions 1 and 6 have the same size: only their text differs, not size and time.
    for version in [1, 6] {
        for (n, time) in lies.iter().enumerate() {
            place.write(&name(n), text(n, version));
            set(&name(n), *time);
        }
        auditor.until_quiet(&daemon, &expected(version), NONE);
    }
    // And so while the daemon is down.
    daemon.kill();
    for (n, time) in lies.iter().enumerate() {
        place.write(&name(n), text(n, 1));
        set(&name(n), *time);
    }
    let daemon = place.serve(BASE);
    auditor.until_quiet(&daemon, &expected(1), NONE);
    // A file dated in the future is not held back by it.
    place.write("new.md", text(9, 0));
    let begin = Instant::now();
    set("new.md", now + 400 * day);
    daemon.until("the new one", |daemon| daemon.count("articles") == lies.len() as u64 + 1);
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn what_is_never_closed_is_not_shown_before_its_time() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let mut file = File::create(place.inbox("open.md")).expect("writable");
    file.write_all(text(1, 0).as_bytes()).expect("writable");
    file.flush().expect("writable");
    while_under(Duration::from_secs(4), || assert_eq!(daemon.count("articles"), 0));
    drop(file);
    let begin = Instant::now();
    daemon.until("it is closed", |daemon| daemon.count("articles") == 1);
    // Long before the 60 seconds of a file that is never closed.
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn what_is_moved_in_or_closed_is_shown_within_a_second() {
    let place = Place::new();
    for n in 0..200 {
        place.write(&format!("old/{n}.md"), text(n, 0));
    }
    let daemon = place.serve_articles(BASE, 200);
    let mut took = Vec::new();
    for n in 1000..1020 {
        if n % 2 == 0 {
            place.write(&format!("{n}.md"), text(n, 0));
        } else {
            place.rename_in(&format!("old/{n}.md"), text(n, 0));
        }
        let begin = Instant::now();
        daemon.until("it is there", |daemon| daemon.titles("all").contains(&title(n)));
        took.push(begin.elapsed());
    }
    took.sort();
    // The median, since others may use the machine's cores too: a file that waits for a timer takes longer.
    assert!(took[10] < Duration::from_secs(2), "{took:?}");
    let slowest = took[19];
    measured(&format!("shown {slowest:?} after it was whole, at the slowest"));
}

#[test]
fn a_broken_file_harms_only_itself_and_is_reported() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let broken: [&[u8]; 4] = [&[0, 159, 146, 150, 0, 1], b"---\n---\n", b"\xFF\xFE\x00\xD8", &[b'['; 4000]];
    for (n, bytes) in broken.iter().enumerate() {
        place.write(&format!("broken{n}.md"), bytes);
        place.write(&format!("good{n}.md"), text(n, 0));
    }
    place.write("huge.md", vec![b'x'; 9 << 20]);
    let expected: BTreeSet<String> = (0..broken.len()).map(title).collect();
    daemon.until("the good ones", |daemon| expected.is_subset(&daemon.titles("all").into_iter().collect()));
    daemon.until("the broken ones are reported", |daemon| {
        let problems = daemon.json("/problems.json");
        let told = |name: &str| problems["problems"].as_array().expect("a list").iter().any(|p| p["path"] == name);
        told("broken0.md") && told("broken1.md") && told("huge.md")
    });
}
