//! `feeds.hubs`: a hub is named by feeds and told of what changed, and of nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::driver::{Daemon, PATIENCE, Place, article};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

/// A hub that takes what it is told, or answers as it is set.
struct Hub {
    address: String,
    status: Arc<AtomicU16>,
    told: Receiver<(String, String)>,
}

impl Hub {
    fn new() -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/publish?by=us", listener.local_addr().expect("bound"));
        let status = Arc::new(AtomicU16::new(204));
        let (tell, told) = mpsc::channel();
        let answer = Arc::clone(&status);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let (mut head, mut length) = (String::new(), 0);
                while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
                    let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                let status = answer.load(Ordering::Relaxed);
                let _ = write!(stream, "HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
                if tell.send((head, String::from_utf8(body).expect("a form"))).is_err() {
                    return;
                }
            }
        });
        Hub { address, status, told }
    }

    /// The paths of the feeds that it is told of next.
    fn next(&self) -> BTreeSet<String> {
        let (head, form) = self.told.recv_timeout(PATIENCE).expect("the hub is told");
        assert!(head.starts_with("POST /publish?by=us HTTP/1.1\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
        let mut pairs = url::form_urlencoded::parse(form.as_bytes());
        let mode = pairs.next().expect("a mode");
        assert_eq!((&*mode.0, &*mode.1), ("hub.mode", "publish"));
        pairs
            .map(|(name, topic)| {
                assert_eq!(name, "hub.url");
                topic.strip_prefix("https://feeds.example/").expect("below site.base_url").to_owned()
            })
            .collect()
    }

    fn is_told_nothing(&self) -> bool {
        self.told.try_recv().is_err()
    }
}

fn config(hub: &Hub) -> String {
    format!("site: {{ base_url: \"https://feeds.example\" }}\nfeeds: {{ hubs: [\"{}\"] }}\n", hub.address)
}

fn text(title: &str, category: &str) -> String {
    article(title, DATE, &["news", category], "<p>Body.</p>")
}

fn in_every_format(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().flat_map(|key| ["rss", "atom", "json"].map(|format| format!("{key}.{format}"))).collect()
}

fn is_degraded(daemon: &Daemon) -> bool {
    daemon.admin("/readyz").text().contains("the hub http://127.0.0.1")
}

#[test]
fn a_hub_is_told_of_what_changed() {
    let hub = Hub::new();
    let place = Place::new();
    place.write("0.md", text("Zero", "old"));
    place.write("1.md", text("One", "old"));
    // Files that are older than two seconds are part of the first state.
    let written = Instant::now();
    let daemon = place.serve_articles("", 2);
    daemon.until("the files are no longer young", |_| written.elapsed() > Duration::from_secs(3));
    assert!(daemon.stop().success());
    fs::remove_dir_all(place.path("state")).expect("it is there");
    let daemon = place.serve_articles(&config(&hub), 2);
    let named = daemon.json("/all.json")["hubs"].clone();
    assert_eq!(named, serde_json::json!([{ "type": "WebSub", "url": hub.address }]));

    // The first state is no news: the first thing that it hears is this.
    place.rename_in("2.md", text("Two", "new"));
    let keys = ["all", "category/news", "category/news/new", "author/%E6%9D%8E%E6%98%8E"];
    assert_eq!(hub.next(), in_every_format(&keys));

    // One that is down is told again, and seen to be down.
    hub.status.store(503, Ordering::Relaxed);
    place.rename_in("3.md", text("Three", "late"));
    let told = hub.next();
    assert!(told.is_superset(&in_every_format(&["category/news/late"])), "{told:?}");
    daemon.until("it is shown", is_degraded);
    hub.status.store(200, Ordering::Relaxed);
    assert!(hub.next().is_superset(&told), "it is told all of that again");
    daemon.until("it is well again", |daemon| !is_degraded(daemon));
    let metrics = daemon.admin("/metrics").text().to_owned();
    assert!(metrics.contains("feedmill_hub_requests_total{result=\"failed\"} 1\n"), "{metrics}");

    // What it will never take is not told again.
    hub.status.store(403, Ordering::Relaxed);
    place.rename_in("4.md", text("Four", "never"));
    while !hub.next().contains("category/news/never.rss") {}
    daemon.until("it is shown", is_degraded);
    assert!(daemon.stop().success());

    // Nor is what it was told already, after a restart.
    while !hub.is_told_nothing() {}
    hub.status.store(200, Ordering::Relaxed);
    let daemon = place.serve_articles(&config(&hub), 5);
    place.rename_in("5.md", text("Five", "last"));
    assert_eq!(hub.next(), in_every_format(&["all", "category/news", "category/news/last", keys[3]]));
    drop(daemon);
}

#[test]
fn a_reload_names_another_hub() {
    let (first, second) = (Hub::new(), Hub::new());
    let place = Place::new();
    let daemon = place.serve(&config(&first));
    fs::write(place.path("feedmill.yaml"), config(&second)).expect("a writable folder");
    daemon.signal("HUP");
    daemon.until("feeds name the other one", |daemon| {
        daemon.json("/all.json")["hubs"][0]["url"].as_str() == Some(second.address.as_str())
    });
    place.rename_in("1.md", text("One", "old"));
    assert!(second.next().contains("category/news/old.atom"));
    assert!(first.is_told_nothing());
}

/// One that never answers keeps neither the stop nor the articles.
#[test]
fn a_hub_that_hangs_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hub = format!("http://{}/", listener.local_addr().expect("bound"));
    let place = Place::new();
    let daemon =
        place.serve(&format!("site: {{ base_url: \"https://feeds.example\" }}\nfeeds: {{ hubs: [\"{hub}\"] }}\n"));
    place.rename_in("1.md", text("One", "old"));
    let (_held, _) = listener.accept().expect("it is told");
    place.rename_in("2.md", text("Two", "old"));
    daemon.until("both articles", |daemon| daemon.count("articles") == 2);
    let begun = Instant::now();
    assert!(daemon.stop().success());
    // It would be asked for ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn a_hub_without_an_address_to_fetch_is_refused() {
    let place = Place::new();
    let output = place.try_serve("feeds: { hubs: [\"https://hub.example/\"] }\n").err().expect("it ends");
    assert_eq!(output.code, Some(3));
    assert!(output.stderr.contains("site.base_url is null") && output.stderr.contains(":1:"), "{}", output.stderr);
}
