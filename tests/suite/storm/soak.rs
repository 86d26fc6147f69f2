//! A long run: files come, change and go, feeds are polled, the config is read again. What it costs must not grow:
//! memory, file descriptors, the catalog's log. Some hundred rounds by default, `FEEDMILL_TEST_SCALE` times as many, or
//! as many as fit into `FEEDMILL_TEST_SOAK` minutes. How long changes took is printed and judged by whoever reads it.

use std::fs;
use std::time::{Duration, Instant};

use super::Rng;
use crate::driver::{Daemon, Place, article, scale};

/// Articles that are there at any time.
const ARTICLES: usize = 60;
const ROUNDS: usize = 100;
const CONFIG: &str = "site: { base_url: \"https://feeds.example\" }\nhttp: { cache: 4MiB }\n\
                      inbox: { withdraw_after: 1s, settle: 0ms }\n";

/// What a process has, in numbers.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// KiB of resident memory.
    memory: u64,
    descriptors: usize,
    /// Bytes of the catalog's log.
    log: u64,
}

fn cost(place: &Place, daemon: &Daemon) -> Cost {
    let proc = format!("/proc/{}", daemon.pid());
    let status = fs::read_to_string(format!("{proc}/status")).expect("our child");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    let memory = line.trim().trim_end_matches(" kB").parse().expect("a number");
    let descriptors = fs::read_dir(format!("{proc}/fd")).expect("our child").count();
    let log = fs::metadata(place.path("state/catalog.sqlite-wal")).map_or(0, |found| found.len());
    Cost { memory, descriptors, log }
}

fn text(number: usize, round: usize) -> String {
    // Each newer than the one before, so that the newest lead however many come in a second.
    let date = chrono::DateTime::UNIX_EPOCH + chrono::Duration::minutes(20_000_000 + number as i64);
    let date = date.format("%Y-%m-%dT%H:%M:00Z").to_string();
    let body = format!("<p>Article {number} as of round {round}. {}</p>", "Words that fill a line. ".repeat(60));
    article(&format!("Number {number}"), &date, &["news", &format!("part {}", number % 12)], &body)
}

#[test]
#[allow(clippy::print_stderr, reason = "the figures are what a long run is made for")]
fn a_long_run_costs_no_more_than_a_short_one() {
    let mut rng = Rng::new("a_long_run_costs_no_more_than_a_short_one");
    let place = Place::new();
    for number in 0..ARTICLES {
        place.rename_in(&format!("{number}.md"), text(number, 0));
    }
    let daemon = place.serve_articles(CONFIG, ARTICLES as u64);
    let soak: Option<u64> = std::env::var("FEEDMILL_TEST_SOAK").ok().map(|text| text.parse().expect("minutes"));
    let began = Instant::now();
    let goes_on = |done: usize| match soak {
        Some(minutes) => began.elapsed() < Duration::from_secs(60 * minutes),
        None => done < ROUNDS * scale(),
    };
    let mut times = Vec::new();
    let mut costs: Vec<Cost> = Vec::new();
    let mut told = 0;
    while goes_on(costs.len()) {
        let round = costs.len() + 1;
        let newest = ARTICLES + round - 1;
        place.rename_in(&format!("{newest}.md"), text(newest, round));
        fs::remove_file(place.inbox(&format!("{}.md", newest - ARTICLES))).expect("it is there");
        let edited = newest - 1 - rng.below(ARTICLES / 2);
        place.rename_in(&format!("{edited}.md"), text(edited, round));
        let begin = Instant::now();
        let mark = format!("Article {edited} as of round {round}.");
        daemon.until("the edit", |daemon| daemon.get("/all.json").text().contains(&mark));
        times.push(begin.elapsed());
        for part in 0..12 {
            let path = format!("/category/news/part%20{part}.{}", ["rss", "atom", "json"][rng.below(3)]);
            let answer = daemon.get(&path);
            assert_eq!(answer.status, 200, "{path}");
            let again = daemon.ask("GET", &path, &[("If-None-Match", answer.header("etag"))]);
            assert!([200, 304].contains(&again.status), "{again:?}");
        }
        if round.is_multiple_of(25) {
            fs::write(place.path("feedmill.yaml"), format!("{CONFIG}feeds: {{ items: {} }}\n", 40 + round % 3))
                .expect("a writable folder");
            daemon.signal("HUP");
        }
        daemon.log.try_iter().for_each(drop);
        costs.push(cost(&place, &daemon));
        if began.elapsed().as_secs() / 300 > told {
            told += 1;
            eprintln!("{} minutes, {round} rounds: {:?}", 5 * told, costs[round - 1]);
        }
    }
    let rounds = costs.len();
    daemon.until("what was removed", |daemon| daemon.count("articles") == ARTICLES as u64);
    // The first third is for what has to grow once: caches, pools of threads and connections, the allocator.
    let (first, last) = (&costs[..rounds / 3], &costs[rounds / 3..]);
    let most = |costs: &[Cost], of: fn(&Cost) -> u64| costs.iter().map(of).max().unwrap_or(0);
    eprintln!(
        "{rounds} rounds: memory {} KiB, then at most {}; log at most {} bytes",
        most(first, |cost| cost.memory),
        most(last, |cost| cost.memory),
        most(&costs, |cost| cost.log),
    );
    for (name, part) in [("first", &times[..rounds / 3]), ("last", &times[rounds - rounds / 3..])] {
        let mut part = part.to_vec();
        part.sort();
        let at = |share: usize| part[(part.len() - 1) * share / 1000];
        eprintln!("an edit in the {name} third: median {:?}, p99 {:?}, at most {:?}", at(500), at(990), at(1000));
    }
    let (before, after) = (most(first, |cost| cost.memory), most(last, |cost| cost.memory));
    assert!(after <= before + before / 4 + 8 * 1024, "memory grew from {before} to {after} KiB");
    let (before, after) = (most(first, |cost| cost.descriptors as u64), most(last, |cost| cost.descriptors as u64));
    assert!(after <= before + 8, "{before} file descriptors became {after}");
    let log = most(&costs, |cost| cost.log);
    assert!(log <= 16 << 20, "the catalog's log grew to {log} bytes");
}

#[test]
fn a_log_that_nobody_takes_does_no_harm() {
    // Closed from the start, and a pipe whose reader is gone.
    for shell in ["exec \"$@\" 2>&-", "exec \"$@\" 2> >(exec true)"] {
        let place = Place::new();
        place.rename_in("one.md", text(1, 0));
        let daemon = place.try_serve_by("", &["bash", "-c", shell, "bash"], &[("FEEDMILL_LOG", "debug")]);
        let daemon = daemon.unwrap_or_else(|output| panic!("it did not start: {output:?}"));
        daemon.until_titles("all", &["Number 1"]);
        place.rename_in("two.md", text(2, 0));
        daemon.until_titles("all", &["Number 2", "Number 1"]);
        assert!(daemon.stop().success(), "{shell}");
    }
}
