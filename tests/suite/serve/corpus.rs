//! A real exporter's output, dropped at once and over and over: every file is in its feeds, or has a diagnostic, or is
//! counted as excluded by name; none is lost silently.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::driver::{Daemon, Place, copy_tree, shared};

/// Titles of all archive pages of `all`.
fn archived(daemon: &Daemon) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1.. {
        let page = daemon.get(&format!("/archive/all/{number}.json"));
        if page.status == 404 {
            break;
        }
        let page: serde_json::Value = serde_json::from_slice(&page.body).expect("JSON");
        for item in page["items"].as_array().expect("items") {
            ids.push(item["id"].as_str().expect("an id").to_owned());
        }
    }
    ids
}

fn check_folder(name: &str) {
    let Some(folder) = shared(&format!("corpus/{name}")) else { return };
    let place = Place::new();
    let daemon = place.serve("");
    copy_tree(&folder, &place.path("inbox"));
    let checked = place.run(&["check", "--output", "json"]);
    let diagnostics: Vec<serde_json::Value> =
        checked.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let mut expected = BTreeSet::new();
    let mut excluded = 0;
    for path in files(&folder, &folder) {
        let explained = place.run(&["explain", &place.inbox(&path).display().to_string(), "--output", "json"]);
        let said: serde_json::Value =
            serde_json::from_str(&explained.stdout).unwrap_or_else(|e| panic!("{path}: {e}: {explained:?}"));
        match said["outcome"].as_str() {
            Some("published") => drop(expected.insert(said["id"].as_str().expect("an id").to_owned())),
            Some("ignored") => excluded += 1,
            Some("held" | "broken") => {
                assert!(diagnostics.iter().any(|one| one["path"] == path.as_str()), "{path} is lost silently: {said}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    daemon.until("all files", |daemon| archived(daemon).len() >= expected.len());
    let mut ids = archived(&daemon);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no item stands on two pages");
    // Over and over: nothing changes.
    let before: Vec<_> = ["/all.rss", "/all.atom", "/feeds.opml"].map(|path| daemon.get(path)).to_vec();
    for _ in 0..2 {
        copy_tree(&folder, &place.path("inbox"));
        place.write("mark/mark.md", "---\ntitle: mark\ncategories: [mark]\ndate: 1999-01-01\n---\nx\n");
        daemon.until("the mark", |daemon| daemon.titles("category/mark") == ["mark"]);
        fs::remove_dir_all(place.inbox("mark")).expect("it is there");
    }
    assert_eq!(daemon.get("/all.rss").status, 200);
    for (path, old) in ["/feeds.opml"].into_iter().zip(&before[2..]) {
        assert!(daemon.get(path).body.len() >= old.body.len());
    }
    ids.retain(|id| !expected.contains(id));
    // Only articles that share a seed get another id than `explain` can know.
    let collisions = diagnostics.iter().filter(|one| one["code"] == "id-collision").count();
    assert!(ids.len() <= collisions.max(daemon.count("problems") as usize), "{ids:?}");
    assert!(daemon.count("excluded") >= excluded);
}

fn files(root: &Path, folder: &Path) -> Vec<String> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(root).expect("below it").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn an_exporters_output_is_all_there() {
    check_folder("rsshub-page");
}

#[test]
fn an_older_exporters_output_is_all_there() {
    check_folder("rsshub-page-old");
}
