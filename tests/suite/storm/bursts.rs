//! Bursts of readers: many at once for one feed that just changed, and for many feeds that nobody asked for before.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::BASE;
use crate::driver::{Answer, Daemon, PATIENCE, Place, article, read_answer, scale};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

/// Sends all requests before it reads the first answer.
fn ask_at_once(daemon: &Daemon, requests: impl Iterator<Item = (String, &'static str)>) -> Vec<Answer> {
    let sent: Vec<TcpStream> = requests
        .map(|(path, codings)| {
            let mut stream = TcpStream::connect(&daemon.http).expect("it listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {codings}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("writable");
            stream
        })
        .collect();
    let read = |mut stream: TcpStream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        read_answer(&bytes)
    };
    sent.into_iter().map(read).collect()
}

/// A counter of `/metrics`; 0 where nothing was counted yet.
fn count(daemon: &Daemon, name: &str) -> u64 {
    let metrics = daemon.admin("/metrics");
    metrics.text().lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_burst_for_a_feed_that_just_changed_makes_it_once() {
    let place = Place::new();
    let body = "<p>Some text, so that the feed takes a while to make.</p>".repeat(200);
    for n in 0..20 {
        place.write(&format!("{n}.md"), article(&format!("Number {n}"), DATE, &["news"], &body));
    }
    let daemon = place.serve_articles(BASE, 20);
    let codings = ["gzip", "zstd", "br", "gzip, deflate, br, zstd", "identity"];
    let before = daemon.get("/category/news.rss");
    let made = |name: &str| count(&daemon, name);
    let encodes = ["gzip", "zstd", "br"].map(|coding| format!("feedmill_encodes_total{{encoding=\"{coding}\"}}"));
    let renders = "feedmill_renders_total{format=\"rss\"}";
    assert_eq!(made(renders), 1);

    place.rename_in("new.md", article("New", "Tue, 12 Apr 2022 13:01:53 GMT", &["news"], &body));
    daemon.until("the change", |daemon| daemon.count("articles") == 21);
    let clients = 200 * scale();
    let answers =
        ask_at_once(&daemon, (0..clients).map(|n| ("/category/news.rss".to_owned(), codings[n % codings.len()])));

    let mut bytes: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert_ne!(answer.header("etag"), before.header("etag"));
        let first = bytes.entry(answer.header("etag").to_owned()).or_insert_with(|| answer.body.clone());
        assert_eq!(*first, answer.body, "equal ETags, equal bytes");
    }
    assert_eq!(bytes.len(), 4, "one state, in each coding: {:?}", bytes.keys());
    assert_eq!(made(renders), 2, "made once, whether somebody asked or it was refreshed");
    for encode in &encodes {
        assert_eq!(made(encode), 1, "{encode}");
    }
}

#[test]
fn a_burst_over_cold_feeds_is_answered_or_told_when_to_come_again() {
    let place = Place::new();
    // All of them fit into `http.max_connections`.
    let feeds = (250 * scale()).min(1000);
    for n in 0..feeds {
        let text = article(&format!("Number {n}"), DATE, &["news"], "<p>Text.</p>")
            .replace("\n---\n\n", &format!("\ntags: [tag{n}]\n---\n\n"));
        place.write(&format!("{n}.md"), text);
    }
    let daemon = place.serve_articles(BASE, feeds as u64);
    let paths =
        (0..3 * feeds).map(|n| (format!("/tag/tag{}.{}", n % feeds, ["rss", "atom", "json"][n / feeds]), "gzip"));
    let mut refused = 0;
    for answer in ask_at_once(&daemon, paths) {
        match answer.status {
            200 => {}
            503 => {
                assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
                refused += 1;
            }
            other => panic!("{other}: {answer:?}"),
        }
    }
    let renders: u64 = ["rss", "atom", "json"]
        .map(|f| count(&daemon, &format!("feedmill_renders_total{{format=\"{f}\"}}")))
        .iter()
        .sum();
    assert_eq!(renders + refused, 3 * feeds as u64, "each once, or not at all");
}
