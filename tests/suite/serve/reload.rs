//! A reload reaches everything: what was accepted is read again by the new settings, also where its file is gone, while
//! feeds are served.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::driver::{Daemon, Place, ask};

const BEFORE: &str = "site: { base_url: \"https://feeds.example\" }\ninbox: { on_delete: keep }\n";
const AFTER: &str = "site: { base_url: \"https://feeds.example\", timezone: Asia/Shanghai }\n\
                     inbox: { on_delete: keep }\narticles: { categories: flat }\n\
                     feeds: { items: 1, by: [category, tag], mix: [{ name: both, any: [tag/one, category/local] }] }\n";

fn text(title: &str, tag: &str, category: &str) -> String {
    format!(
        "---\ntitle: {title}\ndate: 2022-04-11 13:01:53\ntags: [{tag}]\ncategories:\n - news\n - {category}\n---\n\n\
         A body about {title}, long enough to be one.\n"
    )
}

fn reload(place: &Place, daemon: &Daemon, config: &str) {
    fs::write(place.path("feedmill.yaml"), config).expect("a writable folder");
    daemon.signal("HUP");
}

fn item(daemon: &Daemon, key: &str) -> Value {
    daemon.json(&format!("/{key}.json"))["items"][0].clone()
}

#[test]
fn a_reload_reaches_what_was_accepted() {
    let place = Place::new();
    place.write("one.md", text("One", "one", "local"));
    place.write("two.md", text("Two", "two", "world"));
    let daemon = place.serve_articles(BEFORE, 2);
    let before = ["tag/one", "tag/two"].map(|key| item(&daemon, key));
    assert_eq!(before[0]["date_published"], "2022-04-11T13:01:53Z");
    assert_eq!(daemon.get("/mix/both.json").status, 404);
    assert_eq!(daemon.get("/category/news/local.json").status, 200);
    let author = daemon.get("/all.json").header("etag").to_owned();
    fs::remove_file(place.inbox("two.md")).expect("it is there");

    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let answer = ask(&daemon.http, "GET", "/all.json", &[]);
                assert_eq!(answer.status, 200, "{answer:?}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        reload(&place, &daemon, AFTER);
        daemon.until("one item a feed", |daemon| daemon.titles("all").len() == 1);
        daemon.until("the zone", |daemon| {
            ["tag/one", "tag/two"].iter().all(|key| item(daemon, key)["date_published"] == "2022-04-11T05:01:53Z")
        });
        daemon.until("flat categories", |daemon| {
            daemon.titles("category/local") == ["One"] && daemon.titles("category/world") == ["Two"]
        });
        daemon.until_titles("mix/both", &["One"]);
        daemon.until_titles("category/news/local", &[]);
        stop.store(true, Ordering::Relaxed);
        client.join().expect("no request failed");
    });
    assert!(asked.load(Ordering::Relaxed) > 0);
    for (key, before) in ["tag/one", "tag/two"].into_iter().zip(&before) {
        let now = item(&daemon, key);
        assert_eq!((&now["id"], &now["date_modified"]), (&before["id"], &before["date_modified"]), "{key}");
    }
    assert_ne!(daemon.get("/all.json").header("etag"), author);
    assert!(daemon.get("/mix/both/").text().contains("One"));

    // And a restart finds the same.
    let paths = ["/all.json", "/mix/both.atom", "/category/world.rss", "/tag/two/", "/"];
    let look = |daemon: &Daemon| paths.map(|path| daemon.get(path).header("etag").to_owned());
    let served = look(&daemon);
    assert!(daemon.stop().success());
    assert_eq!(look(&place.serve(AFTER)), served);
}

#[test]
fn a_reload_ends_the_keeping_of_what_is_gone() {
    let place = Place::new();
    place.write("one.md", text("One", "one", "local"));
    place.write("two.md", text("Two", "two", "local"));
    let daemon = place.serve_articles(BEFORE, 2);
    fs::remove_file(place.inbox("two.md")).expect("it is there");
    reload(&place, &daemon, "inbox: { withdraw_after: 1s }\n");
    daemon.until_titles("all", &["One"]);
}

#[test]
fn what_needs_a_restart_says_so() {
    let place = Place::new();
    place.write("one.md", text("One", "one", "local"));
    let daemon = place.serve_articles("", 1);
    let id = item(&daemon, "all")["id"].clone();
    reload(&place, &daemon, "site: { id: other, title: Another }\npublish: { disk: public }\n");
    daemon.until("the title", |daemon| daemon.json("/all.json")["title"] == "Another");
    assert_eq!(item(&daemon, "all")["id"], id);
    let told = |line: String| line.contains("next start") && line.contains("site.id") && line.contains("publish.disk");
    daemon.until("it is told", |daemon| daemon.log.try_iter().any(told));
}
