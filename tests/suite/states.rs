//! What the daemon finds when it starts: each state of the catalog with each state of the inbox, and what comes of it.
//!
//! | catalog | files there | inbox empty | inbox missing |
//! |---|---|---|---|
//! | none | read whole | empty feeds | exit 1 |
//! | good | caught up with | last good, then withdrawn; many wait for ever | last good, degraded |
//! | older | migrated on a copy, the old file kept (`src/catalog/schema.rs`, since there is no older release), then as good | | |
//! | damaged | set aside, same ids | what is left of it | what is left of it, degraded |
//! | newer, or locked | exit 4 | exit 4 | exit 4 |
//! | cannot be written | served, degraded, heals; without a catalog exit 1 | the same | the same |

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::driver::{Daemon, Place, article};

const CONFIG: &str = "site: { base_url: \"https://feeds.example\" }\ninbox: { withdraw_after: 1s }\n";

/// The inbox at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inbox {
    Files,
    Empty,
    Missing,
}

const INBOXES: [Inbox; 3] = [Inbox::Files, Inbox::Empty, Inbox::Missing];

fn text(n: usize) -> String {
    let date = format!("2022-04-{:02} 13:01:53", 1 + n % 28);
    article(&format!("Number {n}"), &date, &["news", "local"], &format!("<p>A body about number {n}.</p>"))
}

/// A place with a good catalog of so many articles, nobody running.
fn good(articles: usize) -> (Place, BTreeSet<String>) {
    let place = Place::new();
    for n in 0..articles {
        place.write(&format!("{n:03}.md"), text(n));
    }
    let daemon = place.serve_articles(CONFIG, articles as u64);
    let items = items(&daemon);
    assert_eq!(items.len(), articles.min(50));
    assert!(daemon.stop().success());
    (place, items)
}

/// Id and dates of each item.
fn items(daemon: &Daemon) -> BTreeSet<String> {
    let feed = daemon.json("/all.json");
    let of = |item: &serde_json::Value| format!("{} {} {}", item["id"], item["date_published"], item["date_modified"]);
    feed["items"].as_array().expect("items").iter().map(of).collect()
}

fn set_inbox(place: &Place, inbox: Inbox) {
    if inbox == Inbox::Files {
        return;
    }
    fs::rename(place.path("inbox"), place.path("inbox.away")).expect("renamed");
    if inbox == Inbox::Empty {
        fs::create_dir(place.path("inbox")).expect("made");
    }
}

fn is_degraded(daemon: &Daemon) -> bool {
    let answer = daemon.admin("/readyz");
    assert_eq!(answer.status, 200);
    answer.text().contains("degraded")
}

fn exit_code(place: &Place) -> (Option<i32>, String) {
    match place.try_serve(CONFIG) {
        Ok(daemon) => panic!("it started: {}", daemon.ready),
        Err(output) => (output.code, output.stderr),
    }
}

#[test]
fn without_a_catalog_files_are_read_whole() {
    let (place, before) = good(5);
    fs::remove_dir_all(place.path("state")).expect("removed");
    assert_eq!(items(&place.serve_articles(CONFIG, 5)), before);
}

#[test]
fn without_a_catalog_an_empty_inbox_gives_empty_feeds() {
    let place = Place::new();
    let daemon = place.serve(CONFIG);
    assert!(items(&daemon).is_empty() && !is_degraded(&daemon));
}

#[test]
fn without_a_catalog_a_missing_inbox_ends_the_start() {
    let place = Place::new();
    set_inbox(&place, Inbox::Missing);
    assert_eq!(exit_code(&place).0, Some(1));
}

#[test]
fn a_good_catalog_catches_up_with_its_files() {
    let (place, before) = good(5);
    place.write("new.md", text(7));
    let daemon = place.serve(CONFIG);
    assert!(items(&daemon).is_superset(&before));
    daemon.until("the new one", |daemon| daemon.count("articles") == 6);
    assert!(items(&daemon).is_superset(&before));
}

#[test]
fn a_good_catalog_with_an_emptied_inbox_is_held_then_withdrawn() {
    let (place, before) = good(5);
    set_inbox(&place, Inbox::Empty);
    let daemon = place.serve("site: { base_url: \"https://feeds.example\" }\ninbox: { withdraw_after: 2s }\n");
    assert_eq!(items(&daemon), before);
    daemon.until("they are withdrawn", |daemon| daemon.count("articles") == 0);
}

#[test]
fn a_good_catalog_with_many_files_missing_is_held() {
    let (place, before) = good(25);
    set_inbox(&place, Inbox::Empty);
    let daemon = place.serve(CONFIG);
    // A new file shows that the scan is over; it ends nothing.
    place.write("new.md", text(30));
    daemon.until("the new one", |daemon| daemon.count("articles") == 26);
    let begun = Instant::now();
    daemon.until("several waits are over", |_| begun.elapsed() > Duration::from_secs(4));
    assert!(items(&daemon).is_superset(&before));
}

#[test]
fn a_good_catalog_without_its_inbox_is_served_degraded() {
    let (place, before) = good(5);
    set_inbox(&place, Inbox::Missing);
    let daemon = place.serve(CONFIG);
    assert!(is_degraded(&daemon));
    assert_eq!(items(&daemon), before);
    fs::rename(place.path("inbox.away"), place.path("inbox")).expect("renamed");
    daemon.until("it heals", |daemon| !is_degraded(daemon));
    assert_eq!(items(&daemon), before);
}

/// Kinds of damage that need another file.
fn destroy(file: &Path, how: &str) {
    let mut bytes = fs::read(file).expect("read");
    match how {
        "cut" => bytes.truncate(bytes.len() * 2 / 3),
        "no database" => bytes[..100].fill(b'x'),
        "empty" => bytes.clear(),
        _ => panic!("{how}"),
    }
    fs::write(file, bytes).expect("written");
}

#[test]
fn a_damaged_catalog_is_set_aside_and_made_anew() {
    for how in ["cut", "no database", "empty"] {
        let (place, before) = good(30);
        destroy(&place.path("state/catalog.sqlite"), how);
        let daemon = place.serve_articles(CONFIG, 30);
        assert_eq!(items(&daemon), before, "{how}");
        daemon.until("it is well", |daemon| !is_degraded(daemon));
        assert_eq!(place.set_aside().len(), 1, "{how}");
        assert!(daemon.stop().success());
        let daemon = place.serve_articles(CONFIG, 30);
        assert_eq!(items(&daemon), before, "{how}");
    }
}

#[test]
fn a_damaged_catalog_with_an_empty_inbox_gives_what_is_left_of_it() {
    let (place, before) = good(30);
    destroy(&place.path("state/catalog.sqlite"), "cut");
    set_inbox(&place, Inbox::Empty);
    let daemon = place.serve(CONFIG);
    assert!(items(&daemon).is_subset(&before));

    let (place, _) = good(5);
    destroy(&place.path("state/catalog.sqlite"), "no database");
    set_inbox(&place, Inbox::Empty);
    assert!(items(&place.serve(CONFIG)).is_empty());
}

#[test]
fn a_damaged_catalog_without_its_inbox_gives_what_is_left_of_it() {
    let (place, before) = good(30);
    // The last page alone: most rows are whole.
    let file = place.path("state/catalog.sqlite");
    let bytes = fs::read(&file).expect("read");
    fs::write(&file, &bytes[..bytes.len() - 8192]).expect("written");
    set_inbox(&place, Inbox::Missing);
    match place.try_serve(CONFIG) {
        Ok(daemon) => {
            assert!(is_degraded(&daemon));
            daemon.until("what is left", |daemon| daemon.get("/all.json").status == 200);
            let left = items(&daemon);
            assert!(!left.is_empty() && left.is_subset(&before));
        }
        Err(output) => panic!("{output:?}"),
    }
}

#[test]
fn a_flipped_byte_is_mended_while_the_rest_is_served() {
    let (place, before) = good(30);
    let file = place.path("state/catalog.sqlite");
    let mut bytes = fs::read(&file).expect("read");
    let needle = "Number 17".as_bytes();
    // The reading of the source, which is kept as text; the titles in other places are compressed.
    let at = bytes.windows(needle.len()).position(|found| found == needle).expect("it is there");
    bytes[at] ^= 1;
    fs::write(&file, bytes).expect("written");
    let daemon = place.serve(CONFIG);
    daemon.until("it is mended", |daemon| {
        let answer = daemon.get("/all.json");
        answer.status == 200 && items(daemon) == before && !answer.text().contains("Oumber 17")
    });
    daemon.until("it is well", |daemon| !is_degraded(daemon));
    assert!(place.set_aside().is_empty(), "a row is mended in its place");
}

#[test]
fn a_newer_catalog_is_not_touched() {
    let (place, _) = good(3);
    let file = place.path("state/catalog.sqlite");
    let connection = rusqlite::Connection::open(&file).expect("a database");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    let bytes = fs::read(&file).expect("read");
    for inbox in INBOXES {
        let _ = fs::remove_dir_all(place.path("inbox.away"));
        set_inbox(&place, inbox);
        let (code, said) = exit_code(&place);
        assert_eq!(code, Some(4), "{inbox:?}: {said}");
        assert!(said.contains("newer release") && said.contains("99"), "{said}");
        assert_eq!(fs::read(&file).expect("read"), bytes);
    }
}

#[test]
fn a_locked_state_ends_the_start_at_once() {
    for inbox in INBOXES {
        let (place, before) = good(3);
        let first = place.serve(CONFIG);
        set_inbox(&place, inbox);
        let (code, said) = exit_code(&place);
        assert_eq!(code, Some(4), "{inbox:?}: {said}");
        assert!(said.contains(&first.pid().to_string()), "{said}");
        assert_eq!(items(&first), before);
    }
}

/// Root may write everywhere; without its capabilities it may not.
fn powerless() -> &'static [&'static str] {
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        &["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    } else {
        &[]
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn a_catalog_that_cannot_be_written_is_served_and_heals() {
    for inbox in INBOXES {
        let (place, before) = good(5);
        set_inbox(&place, inbox);
        let state = place.path("state");
        for entry in fs::read_dir(&state).expect("listed").flatten() {
            set_mode(&entry.path(), 0o444);
        }
        set_mode(&state, 0o555);
        let daemon = place
            .try_serve_by(CONFIG, powerless(), &[])
            .unwrap_or_else(|output| panic!("{inbox:?}: it did not start: {output:?}"));
        daemon.until("it is degraded", is_degraded);
        assert_eq!(items(&daemon), before, "{inbox:?}");
        set_mode(&state, 0o755);
        for entry in fs::read_dir(&state).expect("listed").flatten() {
            set_mode(&entry.path(), 0o644);
        }
        if inbox == Inbox::Files {
            place.write("new.md", text(9));
            daemon.until("it heals", |daemon| !is_degraded(daemon) && daemon.count("articles") == 6);
        }
    }
}

#[test]
fn without_a_catalog_a_state_that_cannot_be_written_ends_the_start() {
    for inbox in INBOXES {
        let place = Place::new();
        place.write("a.md", text(1));
        set_inbox(&place, inbox);
        set_mode(&place.path("state"), 0o555);
        let ended = place.try_serve_by(CONFIG, powerless(), &[]).err();
        assert_eq!(ended.and_then(|output| output.code), Some(1), "{inbox:?}");
        set_mode(&place.path("state"), 0o755);
    }
}

#[test]
fn without_a_catalog_a_full_disk_ends_the_start() {
    for inbox in [Inbox::Files, Inbox::Empty] {
        let place = Place::new();
        for n in 0..40 {
            place.write(&format!("{n:03}.md"), text(n));
        }
        set_inbox(&place, inbox);
        let launcher = ["sh", "-c", "trap '' XFSZ; ulimit -S -f 8; exec \"$@\"", "sh"];
        let ended = place.try_serve_by(CONFIG, &launcher, &[]).err();
        assert_eq!(ended.as_ref().and_then(|output| output.code), Some(1), "{inbox:?}: {ended:?}");
    }
}

#[test]
fn a_full_disk_is_served_and_heals() {
    let (place, before) = good(5);
    // What grows beyond this many kilobytes is refused, as on a full disk.
    let launcher = ["sh", "-c", "trap '' XFSZ; ulimit -S -f 24; exec \"$@\"", "sh"];
    let daemon = place.try_serve_by(CONFIG, &launcher, &[]).unwrap_or_else(|output| panic!("{output:?}"));
    for n in 10..40 {
        place.write(&format!("{n:03}.md"), text(n));
    }
    let begun = Instant::now();
    daemon.until("it is degraded", is_degraded);
    assert!(begun.elapsed() < Duration::from_secs(5) || cfg!(debug_assertions), "{:?}", begun.elapsed());
    for _ in 0..100 {
        assert!(items(&daemon).is_superset(&before));
    }
    let pid = daemon.pid().to_string();
    let raised = std::process::Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
    assert!(raised.expect("prlimit").success());
    let begun = Instant::now();
    daemon.until("it heals", |daemon| !is_degraded(daemon) && daemon.count("articles") == 35);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let lines = daemon.log.try_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(lines <= 6, "{lines} lines");
}
