//! Starting, stopping, starting again, building: what operators do.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::driver::{Place, article};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

fn text(title: &str) -> String {
    article(title, DATE, &["news", "local"], &format!("<p>A body about {title}.</p>"))
}

#[test]
fn a_restart_changes_nothing() {
    let place = Place::new();
    for n in 0..150 {
        place.write(&format!("{n}.md"), text(&format!("Number {n}")));
    }
    let config = "site: { base_url: \"https://feeds.example\" }\n";
    let paths =
        ["/all.rss", "/all.atom", "/all.json", "/category/news/local/", "/archive/all/1.atom", "/feeds.opml", "/"];
    let look = |daemon: &crate::driver::Daemon| {
        paths.map(|path| {
            let answer = daemon.get(path);
            assert_eq!(answer.status, 200, "{path}");
            // A hash, so that a difference is no page of bytes.
            (path, answer.header("etag").to_owned(), blake3::hash(&answer.body).to_hex().to_string())
        })
    };
    let daemon = place.serve_articles(config, 150);
    let before = look(&daemon);
    assert!(daemon.stop().success());
    let daemon = place.serve(config);
    assert_eq!(look(&daemon), before);
    daemon.kill();
    assert_eq!(look(&place.serve(config)), before);
}

#[test]
fn what_changed_while_it_was_down_is_caught_up_with() {
    let place = Place::new();
    place.write("one.md", text("One"));
    place.write("two.md", text("Two"));
    let daemon = place.serve_articles("inbox: { withdraw_after: 1s }\n", 2);
    assert!(daemon.stop().success());
    fs::remove_file(place.inbox("one.md")).expect("it is there");
    place.write("three.md", text("Three"));
    let daemon = place.serve("inbox: { withdraw_after: 1s }\n");
    daemon.until("the change", |daemon| {
        daemon.titles("all").into_iter().collect::<BTreeSet<_>>()
            == BTreeSet::from(["Two".to_owned(), "Three".to_owned()])
    });
}

#[test]
fn a_lost_catalog_gives_the_same_ids() {
    let place = Place::new();
    for n in 0..30 {
        place.write(&format!("{n}.md"), text(&format!("Number {n}")));
    }
    let config = "site: { base_url: \"https://feeds.example\" }\n";
    let daemon = place.serve_articles(config, 30);
    let items = |daemon: &crate::driver::Daemon| -> BTreeSet<String> {
        let feed = daemon.json("/all.json");
        let of =
            |item: &serde_json::Value| format!("{} {} {}", item["id"], item["date_published"], item["date_modified"]);
        feed["items"].as_array().expect("items").iter().map(of).collect()
    };
    let before = items(&daemon);
    assert_eq!(before.len(), 30);
    daemon.kill();
    fs::remove_dir_all(place.path("state")).expect("removable");
    assert_eq!(items(&place.serve_articles(config, 30)), before);
}

#[test]
fn a_second_daemon_on_the_same_state_stops_at_once() {
    let place = Place::new();
    let daemon = place.serve("");
    let begin = Instant::now();
    let Err(second) = place.try_serve("") else { panic!("two daemons on one state") };
    assert_eq!(second.code, Some(4), "{second:?}");
    assert!(second.stderr.contains(&daemon.pid().to_string()), "{second:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    daemon.kill();
    place.serve("");
}

#[test]
fn a_start_that_cannot_work_says_so_in_one_sentence() {
    let place = Place::new();
    fs::remove_dir(place.path("inbox")).expect("it is empty");
    let Err(said) = place.try_serve("") else { panic!("an inbox that is not there") };
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("inbox"), "{said:?}");

    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let said = place.run(&["serve", "--listen", &address, "--admin", "off"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains(&address), "{said:?}");

    let place = Place::new();
    fs::write(place.path("file"), "").expect("a writable folder");
    let said = place.run(&["serve", "--listen", "127.0.0.1:0", "--state", "file/state"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("file/state"), "{said:?}");
}

#[test]
fn an_empty_inbox_has_an_empty_feed() {
    let place = Place::new();
    let daemon = place.serve("");
    assert!(daemon.ready.ends_with("articles=0 feeds=1 problems=0"), "{}", daemon.ready);
    for path in ["/all.rss", "/all.atom", "/all.json", "/", "/all/", "/feeds.opml"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_build_writes_what_the_server_serves() {
    let place = Place::new();
    for n in 0..130 {
        place.write(&format!("a/{n}.md"), text(&format!("Number {n}")));
    }
    let config = "site: { base_url: \"https://feeds.example\" }\n";
    fs::write(place.path("feedmill.yaml"), config).expect("a writable folder");
    fs::create_dir_all(place.path("out/category")).expect("a writable folder");
    fs::write(place.path("out/mine.txt"), "mine").expect("a writable folder");
    let out = place.path("out").display().to_string();
    let built = place.run(&["build", "--config", "feedmill.yaml", "--out", &out]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let daemon = place.serve(config);
    let mut count = 0;
    for entry in walkdir::WalkDir::new(&out).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let file = entry.path().strip_prefix(&out).expect("below it").to_string_lossy().into_owned();
        if file == "mine.txt" || file == ".feedmill-manifest" {
            continue;
        }
        let path = format!("/{}", file.strip_suffix("index.html").unwrap_or(&file));
        let served = daemon.get(&path);
        assert_eq!(served.status, 200, "{path}");
        assert_eq!(served.body, fs::read(entry.path()).expect("readable"), "{path}");
        count += 1;
    }
    assert!(count > 130 + 6 * 4, "{count}");
    for file in [
        "index.html",
        "all.rss",
        "archive/all/2.json",
        "category/news/local/index.html",
        "feeds.opml",
        "-/feedmill.css",
    ] {
        assert!(place.path("out").join(file).exists(), "{file}");
    }
    assert!(daemon.stop().success());

    // A category that is gone takes its files with it; what is not ours stays.
    fs::remove_dir_all(place.inbox("a")).expect("it is there");
    for n in 0..119 {
        place.write(&format!("b/{n}.md"), text(&format!("Number {n}")).replace("local", "world"));
    }
    let built = place.run(&["build", "--config", "feedmill.yaml", "--out", &out]);
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(place.path("out/category/news/world.rss").exists());
    assert!(place.path("out/mine.txt").exists());
    assert!(fs::read(place.path("out/all.json")).is_ok_and(|feed| !feed.is_empty()));
}

#[test]
fn a_stop_loses_no_answer_that_was_begun() {
    let place = Place::new();
    let body = "<p>Some text that makes the feed large enough to take a while.</p>".repeat(3000);
    for n in 0..5 {
        place.write(&format!("{n}.md"), article(&format!("Number {n}"), DATE, &["news"], &body));
    }
    let daemon = place.serve_articles("", 5);
    let expected = daemon.get("/category/news.rss").body.len();
    let address = daemon.http.clone();
    let (started, starts) = std::sync::mpsc::channel();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let (address, started) = (address.clone(), started.clone());
            std::thread::spawn(move || {
                use std::io::{Read, Write};
                let mut stream = std::net::TcpStream::connect(&address).expect("it listens");
                write!(stream, "GET /category/news.rss HTTP/1.1\r\nHost: x\r\n\r\n").expect("writable");
                let mut first = [0; 16];
                stream.read_exact(&mut first).expect("an answer");
                started.send(()).expect("the test waits");
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).expect("a whole answer");
                let head = rest.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
                rest.len() - head - 4
            })
        })
        .collect();
    for _ in 0..20 {
        starts.recv().expect("all began");
    }
    assert!(daemon.stop().success());
    for client in clients {
        assert_eq!(client.join().expect("no panic"), expected);
    }
}

/// Which takes this from the environment alone; the process stays the one that was started.
#[test]
fn the_allocator_keeps_memory_together() {
    let place = Place::new();
    let daemon = place.serve("");
    let environment = fs::read(format!("/proc/{}/environ", daemon.pid())).expect("our child");
    let text = String::from_utf8_lossy(&environment);
    let tuned: Vec<&str> = text.split('\0').filter(|variable| variable.contains("MALLOC_")).collect();
    assert_eq!(tuned.len(), 4, "{tuned:?}");
    // As who starts it sets them, so that it need not start itself once more.
    for file in ["systemd/feedmill.service", "Dockerfile"] {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + file).expect("read");
        let sets = |variable: &&str| text.split([' ', '\n', '=']).any(|word| variable.split('=').next() == Some(word));
        assert!(tuned.iter().all(sets), "{file} has not all of {tuned:?}");
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", daemon.pid())).expect("our child");
    assert_eq!(arguments.split(|&byte| byte == 0).nth(1), Some(&b"serve"[..]));
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).expect("our child"), "feedmill\n");
    drop(daemon);
    // Who sets one of them is believed.
    let daemon = place.try_serve_by("", &[], &[("MALLOC_ARENA_MAX", "7")]).expect("it starts");
    let environment = fs::read(format!("/proc/{}/environ", daemon.pid())).expect("our child");
    let text = String::from_utf8_lossy(&environment);
    assert!(text.contains("MALLOC_ARENA_MAX=7") && !text.contains("MALLOC_CONF"), "{text}");
}
