//! The time of day: scheduled articles come within a second of their time, and when the clock jumps no feed goes back,
//! nothing is shown twice, nothing is withdrawn early, and no answer is dated in the future.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::auditor::Auditor;
use super::{BASE, measured, text, title, while_under};
use crate::driver::{Daemon, Place, article, skipped};

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

fn date(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).expect("a time").to_rfc2822()
}

#[test]
fn a_scheduled_article_comes_within_a_second_of_its_time() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let mut latest = 0.0_f64;
    let due: Vec<i64> = (3..6).map(|ahead| now() + ahead).collect();
    for (n, due) in due.iter().enumerate() {
        place.rename_in(
            &format!("{n}.md"),
            article(&format!("Due {n}"), &date(*due), &["later"], "<p>Its time comes.</p>"),
        );
    }
    daemon
        .until("they are held", |daemon| daemon.count("held") == due.len() as u64 || !daemon.titles("all").is_empty());
    for (n, due) in due.iter().enumerate() {
        daemon.until(&format!("article {n}"), |daemon| {
            let shown = daemon.titles("all").contains(&format!("Due {n}"));
            let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
            assert!(!shown || at >= *due as f64, "{n} came before its time");
            if shown {
                latest = latest.max(at - *due as f64);
            }
            shown
        });
    }
    // Far below any timer but the one that is tested; how soon it is on an idle machine is printed.
    assert!(latest < 30.0, "it came after {latest} s");
    assert_eq!(daemon.titles("category/later").len(), due.len());
    measured(&format!("scheduled articles: the latest came {:.0} ms after its time", latest * 1000.0));
}

#[test]
fn a_scheduled_article_whose_file_is_away_at_its_time_comes_with_the_file() {
    let place = Place::new();
    let daemon = place.serve(BASE);
    let due = now() + 4;
    place.rename_in("due.md", article("Due", &date(due), &["later"], "<p>Its time comes.</p>"));
    daemon.until("it is held", |daemon| daemon.count("held") == 1);
    fs::rename(place.inbox("due.md"), place.path("spool/due.md")).expect("one file system");
    place.write("mark.md", text(1, 0));
    daemon.until_titles("all", &[&title(1)]);
    while_under(Duration::from_secs((due + 2 - now()).max(0) as u64), || assert_eq!(daemon.titles("all").len(), 1));
    fs::rename(place.path("spool/due.md"), place.inbox("due.md")).expect("one file system");
    daemon.until("it is there", |daemon| daemon.titles("all").contains(&"Due".to_owned()));
}

/// The library that gives a process another clock; the steady clock stays.
fn faketime() -> Option<String> {
    let found = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .iter()
        .map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"))
        .find(|path| Path::new(path).exists());
    if found.is_none() {
        skipped("the package faketime is not installed");
    }
    found
}

/// The second of an HTTP date.
fn http_date(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc2822(text).unwrap_or_else(|e| panic!("{text}: {e}")).timestamp()
}

fn check_dates(daemon: &Daemon, last: &mut BTreeMap<String, String>) {
    for path in ["/all.rss", "/all.json", "/category/storm.atom"] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let (said, modified) = (http_date(answer.header("date")), http_date(answer.header("last-modified")));
        assert!(modified <= said, "{path}: Last-Modified lies in the future: {answer:?}");
    }
    let feed = daemon.get("/all.atom");
    let text = feed.text();
    let updated =
        text.split_once("<updated>").and_then(|(_, rest)| rest.split_once('<')).expect("an update").0.to_owned();
    let before = last.entry("all".to_owned()).or_insert_with(|| updated.clone());
    assert!(*before <= updated, "the feed went back from {before} to {updated}");
    *before = updated;
}

#[test]
fn jumps_of_the_clock_change_nothing() {
    let Some(library) = faketime() else { return };
    let mut place = Place::new();
    let clock = place.path("clock");
    let set = |offset: &str| {
        let next = clock.with_extension("next");
        fs::write(&next, offset).expect("a writable folder");
        fs::rename(next, &clock).expect("one file system");
    };
    set("+0");
    place.before = vec![
        "/usr/bin/env".to_owned(),
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        "NO_FAKE_STAT=1".to_owned(),
    ];
    for n in 0..30 {
        place.write(&format!("{n}.md"), text(n, 0));
    }
    let daemon = place.serve_articles(BASE, 30);
    let mut auditor = Auditor::default();
    let mut expected: BTreeMap<String, usize> = (0..30).map(|n| (title(n), 0)).collect();
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
    let order = daemon.titles("all");
    let mut last = BTreeMap::new();
    // A file that is away meanwhile: the jump must not end its wait.
    fs::rename(place.inbox("0.md"), place.path("spool/0.md")).expect("one file system");
    let jumps = ["+1h", "-1h", "-1d", "+3650d", "-20000d", "+0"];
    for (round, jump) in jumps.iter().enumerate() {
        set(jump);
        let (n, edited) = (100 + round, 1 + round);
        place.write(&format!("{edited}.md"), text(edited, 7));
        expected.insert(title(edited), 7);
        place.write(&format!("{n}.md"), text(n, 0));
        if *jump != "-20000d" {
            expected.insert(title(n), 0);
        }
        while_under(Duration::from_millis(1500), || check_dates(&daemon, &mut last));
        auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
        check_dates(&daemon, &mut last);
        if *jump == "-20000d" {
            // In those days it is dated in the future: it waits until the clock is right again.
            expected.insert(title(n), 0);
        }
    }
    let kept: Vec<String> = daemon.titles("all").into_iter().filter(|title| order.contains(title)).collect();
    assert_eq!(kept, order, "the order changed");
    fs::rename(place.path("spool/0.md"), place.inbox("0.md")).expect("one file system");
    // A scheduled article comes within 5 s after a jump over its time.
    place.rename_in("due.md", article("Due", &date(now() + 3000), &["storm"], "<p>version=[0] the end of</p>"));
    daemon.until("it is held", |daemon| daemon.count("held") == 1);
    set("+1h");
    let begin = std::time::Instant::now();
    daemon.until("it is there", |daemon| daemon.titles("all").contains(&"Due".to_owned()));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    expected.insert("Due".to_owned(), 0);
    daemon.kill();
    // A start in the past shows the same.
    set("-1d");
    let daemon = place.serve(BASE);
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
    check_dates(&daemon, &mut last);
    measured(&format!("clock: {} jumps, a due article {:?} after a jump", jumps.len(), begin.elapsed()));
}
