//! Wipe and rewrite, as a real exporter does it every hour: all files deleted and written anew with other random
//! numbers of placeholder pictures, while readers poll. Not a byte, ETag or id changes; no feed is ever empty or gone.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::auditor::Auditor;
use super::{BASE, Rng, measured, metric, while_under};
use crate::driver::{Daemon, Place, scale, shared, skipped};

/// What a feed was before; it must stay just that.
type Before = BTreeMap<String, (String, blake3::Hash)>;

fn look(daemon: &Daemon, paths: &[String]) -> Before {
    let mut before = Before::new();
    for path in paths {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        before.insert(path.clone(), (answer.header("etag").to_owned(), blake3::hash(&answer.body)));
    }
    before
}

fn same(daemon: &Daemon, before: &Before, when: &str) {
    for (path, (etag, hash)) in before {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{when}: {path}");
        assert_eq!(answer.header("etag"), etag, "{when}: {path}");
        assert_eq!(blake3::hash(&answer.body), *hash, "{when}: {path}");
        assert_eq!(daemon.ask("GET", path, &[("If-None-Match", etag)]).status, 304, "{when}: {path}");
    }
}

/// Every feed and archive page of three formats.
fn all_paths(daemon: &Daemon) -> Vec<String> {
    let opml = daemon.get("/feeds.opml");
    let outline = roxmltree::Document::parse(opml.text()).expect("XML");
    let mut paths: Vec<String> = vec!["/feeds.opml".to_owned(), "/".to_owned()];
    for node in outline.descendants() {
        if let Some(url) = node.attribute("xmlUrl") {
            let path = url.strip_prefix("https://feeds.example").expect("our address").to_owned();
            let stem = path.strip_suffix(".rss").expect("the first format").to_owned();
            paths.extend([format!("{stem}.atom"), format!("{stem}.json"), format!("{stem}/"), path]);
        }
    }
    for page in 1.. {
        let path = format!("/archive/all/{page}.atom");
        if daemon.get(&path).status == 404 {
            break;
        }
        paths.push(path);
    }
    paths
}

/// One file of a round: the same article each time, other pictures.
fn exported(n: usize, rng: &mut Rng) -> String {
    let (random, other) = (rng.below(10_000), rng.below(10_000));
    let filler = "Text of the market that goes on for a while. ".repeat(1 + n % 20);
    // Every other one has no zone; many share their date.
    let date = if n.is_multiple_of(2) {
        format!("2022-04-{:02} {:02}:00:00", 1 + n % 28, n % 24)
    } else {
        "Mon, 11 Apr 2022 13:01:53 GMT".to_owned()
    };
    format!(
        "\n---\ntitle: \"Notice {n}: what follows\"\ncategories: \n - 金融\n - part{}\nauthor: 李明\ndate: {date}\nheadimg: https://picsum.photos/400/300?random={random}\n---\n\n<div>\n<p>version=[0] Notice {n}. {filler} the end of it</p><img src=\"https://picsum.photos/400/300?random={other}\">\n</div>\n",
        n % 5
    )
}

fn write_round(place: &Place, files: usize, rng: &mut Rng) {
    // In another order each time, so that inodes go to other names.
    let mut order: Vec<usize> = (0..files).collect();
    for at in (1..files).rev() {
        order.swap(at, rng.below(at + 1));
    }
    for n in order {
        place.write(&format!("金融/part{}/{n}.md", n % 5), exported(n, rng));
    }
}

#[test]
fn a_wipe_and_rewrite_changes_not_one_byte() {
    let place = Place::new();
    let mut rng = Rng::new("exporter");
    let (files, rounds) = ((500 * scale()).min(5000), (10 * scale()).min(50));
    write_round(&place, files, &mut rng);
    let daemon = place.serve_articles(BASE, files as u64);
    let mut auditor = Auditor::default();
    auditor.look(&daemon);
    let paths = all_paths(&daemon);
    assert!(paths.len() > 20, "{paths:?}");
    let before = look(&daemon, &paths);
    let few: Before = before
        .iter()
        .filter(|(path, _)| path.contains("all.") || path.contains("part1."))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    assert!(few.len() >= 6, "{few:?}");
    let begin = Instant::now();
    for round in 1..=rounds {
        if round % 2 == 0 {
            fs::remove_dir_all(place.inbox("金融")).expect("it is there");
        } else {
            for n in 0..files {
                fs::remove_file(place.inbox(&format!("金融/part{}/{n}.md", n % 5))).expect("it is there");
            }
        }
        same(&daemon, &few, "wiped");
        if round % 3 == 0 {
            // Until the daemon has missed them.
            daemon.until("the log of events is worked through", |daemon| {
                same(daemon, &few, "missed");
                caught_up(&place, daemon, &format!("wiped{round}"))
            });
        }
        write_round(&place, files, &mut rng);
        same(&daemon, &few, "rewritten");
        daemon.until("the round is worked through", |daemon| {
            same(daemon, &few, "taken");
            caught_up(&place, daemon, &format!("round{round}"))
        });
    }
    // What came by a scan is taken after two looks, two seconds apart.
    while_under(Duration::from_secs(3), || same(&daemon, &few, "looked at again"));
    assert_eq!(daemon.count("articles"), files as u64);
    same(&daemon, &before, "at the end");
    auditor.look(&daemon);
    assert_eq!(daemon.json("/problems.json")["problems"], serde_json::json!([]));
    measured(&format!("exporter: {rounds} rounds of {files} files, {} addresses, {:?}", paths.len(), begin.elapsed()));
    // Neither does another start.
    daemon.kill();
    let daemon = place.serve(BASE);
    same(&daemon, &before, "started again");
}

/// Whether a broken file that was written now is reported: all before it was seen. It touches no feed.
fn caught_up(place: &Place, daemon: &Daemon, mark: &str) -> bool {
    let name = format!("{mark}.md");
    let path = place.inbox(&name);
    if !path.exists() {
        fs::write(&path, [0u8, 1, 2, 0xFF, 0, 0]).expect("writable");
    }
    let problems = daemon.json("/problems.json");
    let told = problems["problems"].as_array().expect("a list").iter().any(|problem| problem["path"] == name.as_str());
    if told {
        fs::remove_file(path).expect("it is there");
    }
    told
}

#[test]
fn the_real_exporter_changes_not_one_byte() {
    let Some(script) = shared("tools/exporter.py") else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        return skipped("python3 is not there");
    }
    let place = Place::new();
    let (files, rounds) = ((150 * scale()).min(2000), (3 * scale()).min(20));
    let run = |rounds: usize, how: &str| {
        let mut command = Command::new("python3");
        command.arg(&script).arg(place.inbox("")).args(["-n", &files.to_string(), "--rounds", &rounds.to_string()]);
        command.args(["--interval", "0.3", "--wipe", "--how", how]).stdout(Stdio::null());
        command.spawn().expect("python3")
    };
    assert!(run(1, "in-place").wait().expect("our child").success());
    let daemon = place.serve(BASE);
    // Twins and collisions in what it makes are its own affair: what counts is that nothing changes from here on.
    let mut last = (u64::MAX, Instant::now());
    daemon.until("it is taken", |daemon| {
        let count = daemon.count("articles");
        if count != last.0 {
            last = (count, Instant::now());
        }
        count > 0 && last.1.elapsed() > Duration::from_secs(3)
    });
    let paths = all_paths(&daemon);
    let before = look(&daemon, &paths);
    let few: Before = before.iter().take(12).map(|(k, v)| (k.clone(), v.clone())).collect();
    for how in ["in-place", "rename", "slow"] {
        let mut exporter = run(rounds, how);
        while exporter.try_wait().expect("our child").is_none() {
            same(&daemon, &few, how);
        }
        daemon.until("the rounds are worked through", |daemon| {
            same(daemon, &few, how);
            caught_up(&place, daemon, how)
        });
        same(&daemon, &before, how);
    }
    assert_eq!(metric(&daemon, "feedmill_articles"), last.0);
    measured(&format!("the real exporter: 3 × {rounds} rounds of {files} files, {} addresses", paths.len()));
}
