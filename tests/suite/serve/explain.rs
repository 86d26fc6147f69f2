//! `feedmill explain` beside a running daemon: what only the catalog knows goes before what the file says.

use serde_json::Value;

use crate::driver::{Daemon, Place, article};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

fn explain(place: &Place, file: &str) -> Value {
    let said = place.run(&["explain", "--output", "json", file]);
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.stdout).expect("one object")
}

fn item(daemon: &Daemon, title: &str) -> Value {
    let feed = daemon.json("/all.json");
    let items = feed["items"].as_array().expect("items");
    items.iter().find(|item| item["title"] == title).unwrap_or_else(|| panic!("{title} is in {feed}")).clone()
}

#[test]
fn the_catalog_knows_what_the_file_does_not_say() {
    let place = Place::new();
    place.write("dated.md", article("Before", DATE, &["news"], "<p>A body that stays what it is.</p>"));
    place.write("undated.md", "# Undated\n\nNobody wrote when.\n");
    let daemon = place.serve_articles("", 2);
    let same = explain(&place, "inbox/dated.md");
    assert_eq!((&same["id"], &same["id_from"]), (&item(&daemon, "Before")["id"], &Value::from("date+title")));

    place.rename_in("dated.md", article("After", DATE, &["news"], "<p>A body that stays what it is.</p>"));
    daemon.until("the new title", |daemon| daemon.titles("all").contains(&"After".to_owned()));
    let (told, shown) = (explain(&place, "inbox/dated.md"), item(&daemon, "After"));
    assert_eq!(told["id"], shown["id"]);
    assert_eq!(told["id_from"], "catalog");
    assert_eq!(told["published"], "2022-04-11T13:01:53Z");
    assert_eq!(told["updated"], shown["date_modified"]);
    assert_eq!(told["feeds"], serde_json::json!(["all", "category/news", "author/李明"]));
    let (told, shown) = (explain(&place, "inbox/undated.md"), item(&daemon, "Undated"));
    assert_eq!((&told["published"], &told["id_from"]), (&shown["date_published"], &Value::from("title+stem")));

    // A file that cannot be read any more, with its last good version.
    place.rename_in("dated.md", [0, 159, 146, 150, 0, 1]);
    daemon.until("the problem", |daemon| daemon.count("problems") == 2);
    let told = explain(&place, "inbox/dated.md");
    assert_eq!((&told["outcome"], &told["id"]), (&Value::from("published"), &item(&daemon, "After")["id"]));
    assert_eq!(told["diagnostics"][0]["severity"], "error");

    // The catalog is no secret of the daemon, and says nothing of files that are not its own.
    assert!(daemon.stop().success());
    let again = explain(&place, "inbox/undated.md");
    assert_eq!(again["published"], shown["date_published"]);
    std::fs::create_dir(place.path("other")).expect("a writable folder");
    std::fs::copy(place.inbox("undated.md"), place.path("other/undated.md")).expect("copied");
    assert_eq!(explain(&place, "other/undated.md")["published"], Value::Null);
}
