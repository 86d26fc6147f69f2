//! How files arrive and leave: every way in which editors, copy tools and exporters write, while the daemon runs.

use std::fs;
use std::io::Write;

use crate::driver::{Place, article, copy_tree};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

fn text(title: &str) -> String {
    article(title, DATE, &["news"], &format!("<p>A body about {title}, long enough to tell it from any other one.</p>"))
}

#[test]
fn a_file_written_or_renamed_into_place_is_picked_up() {
    let place = Place::new();
    let daemon = place.serve("");
    place.write("one.md", text("One"));
    daemon.until_titles("category/news", &["One"]);
    place.rename_in("two.md", text("Two"));
    daemon.until("both", |daemon| daemon.titles("category/news").len() == 2);
}

#[test]
fn a_tree_moved_in_and_a_folder_filled_at_once_are_picked_up() {
    let place = Place::new();
    let daemon = place.serve("");
    fs::create_dir_all(place.path("spool/tree/a/b")).expect("a writable folder");
    for n in 0..20 {
        fs::write(place.path(&format!("spool/tree/a/b/{n}.md")), text(&format!("Moved {n}"))).expect("writable");
    }
    fs::rename(place.path("spool/tree"), place.inbox("tree")).expect("one file system");
    daemon.until("the tree", |daemon| daemon.count("articles") == 20);
    for n in 0..20 {
        place.write(&format!("fresh/{n}/deep/{n}.md"), text(&format!("Fresh {n}")));
    }
    daemon.until("the folders", |daemon| daemon.count("articles") == 40);
}

#[test]
fn an_edit_and_a_rename_keep_the_id() {
    let place = Place::new();
    place.write("one.md", text("One"));
    let daemon = place.serve_articles("", 1);
    let item = |path: &str| daemon.json(path)["items"][0].clone();
    let before = item("/all.json");
    place.write("one.md", text("One").replace("A body", "An edited body"));
    daemon.until("the edit", |_| item("/all.json")["content_html"] != before["content_html"]);
    let edited = item("/all.json");
    assert_eq!((&edited["id"], &edited["date_published"]), (&before["id"], &before["date_published"]));
    assert_ne!(edited["date_modified"], before["date_modified"]);
    fs::rename(place.inbox("one.md"), place.inbox("uno.md")).expect("one file system");
    place.write("mark.md", text("Mark"));
    daemon.until("the mark", |daemon| daemon.count("articles") == 2);
    let items = daemon.json("/all.json");
    assert!(items["items"].as_array().expect("items").iter().any(|item| item["id"] == before["id"]), "{items}");
}

#[test]
fn a_delete_is_withdrawn_after_its_time_unless_the_file_comes_back() {
    let place = Place::new();
    place.write("one.md", text("One"));
    place.write("two.md", text("Two"));
    let daemon = place.serve_articles("inbox: { withdraw_after: 1s }\n", 2);
    let etag = daemon.get("/all.rss").header("etag").to_owned();
    fs::remove_file(place.inbox("one.md")).expect("it is there");
    place.write("one.md", text("One"));
    fs::remove_file(place.inbox("two.md")).expect("it is there");
    daemon.until_titles("all", &["One"]);
    assert_ne!(daemon.get("/all.rss").header("etag"), etag);
    assert!(daemon.get("/all.atom").text().contains("deleted-entry"));
}

#[test]
fn a_half_written_file_is_never_shown() {
    let place = Place::new();
    let daemon = place.serve("");
    let whole = text("Slow");
    fs::write(place.inbox("slow.md"), "").expect("a writable folder");
    let mut file = fs::File::options().append(true).open(place.inbox("slow.md")).expect("it is there");
    for (at, piece) in whole.as_bytes().chunks(7).enumerate() {
        file.write_all(piece).expect("writable");
        if at % 8 == 0 {
            // Something else goes through the whole way meanwhile.
            place.rename_in(&format!("mark{at}.md"), text(&format!("Mark {at}")));
            daemon.until("the mark", |daemon| daemon.titles("all").contains(&format!("Mark {at}")));
            assert!(!daemon.titles("all").contains(&"Slow".to_owned()));
        }
    }
    drop(file);
    daemon.until("the whole file", |daemon| daemon.titles("all").contains(&"Slow".to_owned()));
    let items = daemon.json("/all.json");
    let slow = items["items"].as_array().expect("items").iter().find(|item| item["title"] == "Slow").expect("an item");
    assert!(slow["content_html"].as_str().is_some_and(|html| html.contains("any other one.")), "{slow}");
}

#[test]
fn temporary_names_are_no_articles() {
    let place = Place::new();
    let daemon = place.serve("");
    for name in [".hidden.md", "a.md~", "b.md.part", "c.md.tmp", "README.md", "d.sync-conflict-1.md", ".git/e.md"] {
        place.write(name, text(name));
    }
    place.write("real.md", text("Real"));
    daemon.until_titles("all", &["Real"]);
    assert_eq!(daemon.count("problems"), 0);
}

#[test]
fn wipe_and_rewrite_changes_not_a_byte() {
    let place = Place::new();
    let tree = place.path("spool/tree");
    for n in 0..200 {
        let path = tree.join(format!("{}/{n}.md", n % 7));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
        fs::write(path, text(&format!("Number {n}"))).expect("a writable folder");
    }
    copy_tree(&tree, &place.path("inbox"));
    let daemon = place.serve_articles("", 200);
    let before = daemon.get("/category/news.rss");
    for round in 0..5 {
        for folder in 0..7 {
            fs::remove_dir_all(place.inbox(&folder.to_string())).expect("removable");
        }
        assert!(daemon.get("/category/news.rss").body == before.body, "round {round}");
        copy_tree(&tree, &place.path("inbox"));
        // A mark in another feed's order tells that everything before it was seen.
        let mark = format!("mark{round}.md");
        let old = article(&mark, "Mon, 11 Apr 1990 13:01:53 GMT", &["marks"], "<p>x</p>");
        place.write(&mark, old);
        daemon.until("the mark", |daemon| daemon.titles("category/marks").contains(&mark));
        let after = daemon.json("/category/news.json");
        assert_eq!(after["items"].as_array().map(Vec::len), Some(50));
    }
    let after = daemon.get("/category/news.rss");
    assert!(after.body == before.body && after.header("etag") == before.header("etag"));
    assert_eq!(daemon.count("articles"), 205);
}

/// Found by an exporter that wipes and rewrites while the machine is busy: the removal was looked into so late that the
/// new file stood there, half written.
#[test]
fn a_file_that_is_removed_and_made_anew_is_never_read_half() {
    use std::io::Write;

    let place = Place::new();
    let text = |title: &str, category: &str| article(title, DATE, &[category], &format!("<p>All of {title}.</p>"));
    place.rename_in("one.md", text("One", "slow"));
    // The event loop comes late to each removal.
    let daemon = place.try_serve_by("", &[], &[("FAILPOINTS", "read.inbox=sleep(100)")]).expect("it starts");
    daemon.until_titles("all", &["One"]);
    let feed = daemon.get("/category/slow.json");
    let marker = |name: &str| {
        place.rename_in(&format!("{name}.md"), text(name, "marker"));
        daemon.until("what came later", |daemon| daemon.titles("category/marker").iter().any(|title| title == name));
    };

    std::fs::remove_file(place.inbox("one.md")).expect("it is there");
    let whole = text("One", "slow");
    let (first, rest) = whole.split_at(whole.len() - 10);
    let mut file = std::fs::File::create(place.inbox("one.md")).expect("a writable folder");
    file.write_all(first.as_bytes()).expect("writable");
    marker("first");
    assert_eq!(daemon.get("/category/slow.json").text(), feed.text());
    file.write_all(rest.as_bytes()).expect("writable");
    drop(file);
    marker("second");
    let after = daemon.get("/category/slow.json");
    assert_eq!((after.header("etag"), after.text()), (feed.header("etag"), feed.text()));
}
