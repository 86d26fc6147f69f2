//! The habits of editors and copy tools: temporary names, backups, probes, renames over the old file. None of these
//! names is ever an article, each save is one edit of the same article, and it is shown within a second.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::{BASE, measured, text, title};
use crate::driver::{Daemon, Place, scale};

const NAME: &str = "posts/one.md";

/// One way to save `NAME`.
type Save = fn(&Place, &str);

fn spool(place: &Place, name: &str, text: &str) {
    fs::write(place.inbox(&format!("posts/{name}")), text).expect("writable");
}

fn rename(place: &Place, from: &str, to: &str) {
    fs::rename(place.inbox(&format!("posts/{from}")), place.inbox(&format!("posts/{to}"))).expect("it is there");
}

fn remove(place: &Place, name: &str) {
    fs::remove_file(place.inbox(&format!("posts/{name}"))).expect("it is there");
}

const SAVES: &[(&str, Save)] = &[
    ("in place", |place, text| spool(place, "one.md", text)),
    // Probes whether it may write, keeps the old file as a backup, writes a new one, removes the backup.
    ("vim", |place, text| {
        spool(place, "4913", "");
        remove(place, "4913");
        spool(place, ".one.md.swp", "b0VIM");
        rename(place, "one.md", "one.md~");
        spool(place, "one.md", text);
        remove(place, "one.md~");
        remove(place, ".one.md.swp");
    }),
    ("vim with backups kept", |place, text| {
        fs::copy(place.inbox(NAME), place.inbox("posts/one.md~")).expect("writable");
        spool(place, "one.md", text);
    }),
    ("emacs", |place, text| {
        std::os::unix::fs::symlink("ann@host.1234:1", place.inbox("posts/.#one.md")).expect("writable");
        spool(place, "#one.md#", "half of it");
        rename(place, "one.md", "one.md~");
        spool(place, "one.md", text);
        remove(place, "#one.md#");
        remove(place, ".#one.md");
    }),
    ("JetBrains", |place, text| {
        spool(place, "one.md___jb_tmp___", text);
        rename(place, "one.md", "one.md___jb_old___");
        rename(place, "one.md___jb_tmp___", "one.md");
        remove(place, "one.md___jb_old___");
    }),
    ("Kate", |place, text| {
        spool(place, ".one.md.kate-swp", "swap");
        spool(place, "one.md.XYZ123", text);
        rename(place, "one.md.XYZ123", "one.md");
        remove(place, ".one.md.kate-swp");
    }),
    ("Helix", |place, text| {
        rename(place, "one.md", "one.md.bck");
        spool(place, "one.md", text);
        remove(place, "one.md.bck");
    }),
    ("gedit", |place, text| {
        spool(place, ".goutputstream-AB12CD", text);
        fs::hard_link(place.inbox(NAME), place.inbox("posts/one.md~")).ok();
        rename(place, ".goutputstream-AB12CD", "one.md");
    }),
    ("rsync", |place, text| {
        spool(place, ".one.md.a1B2c3", &text[..text.len() / 2]);
        spool(place, ".one.md.a1B2c3", text);
        rename(place, ".one.md.a1B2c3", "one.md");
    }),
    ("rsync --delay-updates", |place, text| {
        fs::create_dir_all(place.inbox("posts/.~tmp~")).expect("writable");
        spool(place, ".~tmp~/one.md", text);
        rename(place, ".~tmp~/one.md", "one.md");
        fs::remove_dir(place.inbox("posts/.~tmp~")).expect("it is empty");
    }),
    ("Syncthing", |place, text| {
        spool(place, ".syncthing.one.md.tmp", &text[..text.len() / 2]);
        spool(place, ".syncthing.one.md.tmp", text);
        rename(place, ".syncthing.one.md.tmp", "one.md");
    }),
    ("git checkout", |place, text| {
        spool(place, ".git-lock", "");
        remove(place, "one.md");
        spool(place, "one.md", text);
        remove(place, ".git-lock");
    }),
    ("a cloud client", |place, text| {
        spool(place, "one.md.part", text);
        remove(place, "one.md");
        rename(place, "one.md.part", "one.md");
    }),
];

fn until_version(daemon: &Daemon, auditor: &mut Auditor, version: usize, how: &str) -> Duration {
    let begin = Instant::now();
    daemon.until(&format!("version {version} by {how}"), |daemon| {
        auditor.poll(daemon, "all");
        let found = auditor.look(daemon);
        assert_eq!(found.len(), 2, "{how}: {found:?}");
        found[&title(1)].version == version
    });
    begin.elapsed()
}

#[test]
fn every_editor_and_copy_tool_makes_one_edit_of_one_article() {
    let place = Place::new();
    place.write(NAME, text(1, 0));
    place.write("posts/other.md", text(2, 0));
    let daemon = place.serve_articles(BASE, 2);
    let mut auditor = Auditor::default();
    auditor.look(&daemon);
    let (mut version, mut slowest) = (0, Duration::ZERO);
    for round in 0..2 * scale() {
        for (how, save) in SAVES {
            version += 1;
            save(&place, &text(1, version));
            slowest = slowest.max(until_version(&daemon, &mut auditor, version, how));
            let problems = daemon.json("/problems.json");
            assert_eq!(problems["problems"], serde_json::json!([]), "{how}, round {round}");
        }
    }
    // Saves in a row: the last one wins.
    for (how, save) in SAVES {
        version += 1;
        save(&place, &text(1, version));
        version += 1;
        save(&place, &text(1, version));
        until_version(&daemon, &mut auditor, version, how);
    }
    let expected = BTreeMap::from([(title(1), version), (title(2), 0)]);
    auditor.until_quiet(&daemon, &expected, &BTreeSet::new());
    assert_eq!(daemon.count("articles"), 2);
    assert!(slowest < Duration::from_secs(30), "a save was shown after {slowest:?}");
    measured(&format!("saves: {version} by {} habits, the slowest shown after {slowest:?}", SAVES.len()));
}
