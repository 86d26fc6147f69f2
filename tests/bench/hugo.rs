//! A cold start against a site generator: Hugo makes RSS feeds of 50 for the same categories of the same articles, and
//! renders no pages. Both are measured by turns.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::articles;
use crate::daemon::Daemon;

const ROUNDS: usize = 5;

const CONFIG: &str = r#"
baseURL = "https://feeds.example/"
title = "Feeds"
disableKinds = ["sitemap", "robotsTXT", "404"]
[taxonomies]
category = "categories"
[outputs]
home = ["RSS"]
section = []
taxonomy = []
term = ["RSS"]
[services.rss]
limit = 50
[[cascade]]
[cascade._build]
render = "never"
list = "always"
[cascade._target]
kind = "page"
[markup.goldmark.renderer]
unsafe = true
"#;

/// A time and the most memory that it took, in MiB.
type Cost = (Duration, f64);

pub fn run(count: usize) {
    println!("{count} articles to feeds, from nothing: feedmill's start until it is ready, and Hugo's build");
    if Command::new("hugo").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("  SKIPPED: there is no hugo (apt install hugo)");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (inbox, site) = (dir.path().join("inbox"), dir.path().join("site"));
    for folder in [&inbox, &site.join("content")] {
        fs::create_dir_all(folder).expect("a writable folder");
    }
    articles::write(&inbox, count as u64);
    // The same files, but for the line before the fence, which Hugo does not take.
    for number in 0..count as u64 {
        let path = site.join("content").join(format!("{number}.md"));
        fs::write(path, articles::text(number).trim_start()).expect("a writable folder");
    }
    fs::write(site.join("config.toml"), CONFIG).expect("a writable folder");
    // Files younger than two seconds are not read at once.
    std::thread::sleep(Duration::from_secs(3));
    let mut costs: [Vec<Cost>; 2] = Default::default();
    for round in 0..ROUNDS {
        costs[0].push(feedmill(&inbox, &dir.path().join(format!("state{round}"))));
        costs[1].push(hugo(&site, &dir.path().join(format!("public{round}"))));
    }
    let [ours, theirs] = costs.map(median);
    println!("  feedmill {:8.0} ms   peak {:6.0} MiB", ours.0.as_secs_f64() * 1000.0, ours.1);
    println!("  hugo     {:8.0} ms   peak {:6.0} MiB", theirs.0.as_secs_f64() * 1000.0, theirs.1);
    println!("  ratio    {:8.1}      {:11.1}", theirs.0.as_secs_f64() / ours.0.as_secs_f64(), theirs.1 / ours.1);
}

fn feedmill(inbox: &Path, state: &Path) -> Cost {
    fs::create_dir(state).expect("a writable folder");
    let daemon = Daemon::start(inbox, state);
    (daemon.ready_after, daemon.memory("VmHWM"))
}

fn hugo(site: &Path, public: &Path) -> Cost {
    let begin = Instant::now();
    let mut child = Command::new("hugo")
        .args(["--quiet", "--source"])
        .arg(site)
        .arg("--destination")
        .arg(public)
        .spawn()
        .expect("hugo");
    let mut peak = 0.0_f64;
    let status = loop {
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib = line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
        peak = peak.max(kib / 1024.0);
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = begin.elapsed();
    assert!(status.success(), "hugo failed");
    assert!(public.join("index.xml").exists(), "hugo wrote no feed");
    (took, peak)
}

fn median(mut costs: Vec<Cost>) -> Cost {
    let middle = costs.len() / 2;
    costs.sort_by_key(|cost| cost.0);
    let time = costs[middle].0;
    costs.sort_by(|a, b| a.1.total_cmp(&b.1));
    (time, costs[middle].1)
}
