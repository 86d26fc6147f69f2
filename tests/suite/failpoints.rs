//! Every fail point in the real binary, with a crash, two errors and a delay.
//!
//! Whatever fails: no answer ever lacks an article that was shown before, an error heals by itself, and after a crash
//! the next start has everything. A point that no run reaches fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use feedmill::failpoint::ALL;

use crate::driver::{Answer, Daemon, PATIENCE, Place, article, read_answer};

const CONFIG: &str = "site: { base_url: \"https://feeds.example\" }\ninbox: { rescan: 1s }\n";
/// Articles at the first start.
const FIRST: usize = 4;
/// Daemons at a time: most of a run is waiting.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Abort,
    Eio,
    Enospc,
    Delay,
}

impl Failing {
    const ALL: [Failing; 4] = [Failing::Abort, Failing::Eio, Failing::Enospc, Failing::Delay];

    fn action(self) -> &'static str {
        match self {
            Failing::Abort => "1*return(abort)",
            Failing::Eio => "2*return(EIO)",
            Failing::Enospc => "2*return(ENOSPC)",
            Failing::Delay => "3*delay(30)",
        }
    }

    /// In which of two starts it fails; a catalog is made at the first alone.
    fn starts(self, point: &str) -> [bool; 2] {
        match self {
            Failing::Enospc if point.starts_with("load.") => [true, false],
            Failing::Abort | Failing::Delay => [true, false],
            Failing::Eio => [true, true],
            Failing::Enospc => [false, true],
        }
    }
}

fn text(n: usize) -> String {
    article(&format!("Number {n}"), &format!("2022-04-{:02} 13:01:53", 1 + n), &["news"], &format!("<p>Body {n}.</p>"))
}

/// One answer, if the daemon gives one.
fn poll(address: &str, path: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| read_answer(&bytes))
}

fn ids(answer: &Answer) -> BTreeSet<String> {
    let feed: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    feed["items"].as_array().expect("items").iter().map(|item| item["id"].to_string()).collect()
}

/// What a run has seen.
#[derive(Default)]
pub struct Seen {
    shown: BTreeSet<String>,
    reached: bool,
}

impl Seen {
    /// Polls until so many articles are shown and all is well; false where the daemon ended before.
    pub fn watch(&mut self, daemon: &mut Daemon, articles: usize, must_reach: bool, what: &str) -> bool {
        let begun = Instant::now();
        loop {
            for line in daemon.log.try_iter() {
                self.reached |= line.contains("fail point");
            }
            if let Some(answer) = poll(&daemon.http, "/all.json").filter(|answer| answer.status == 200) {
                let now = ids(&answer);
                assert!(now.is_superset(&self.shown), "{what}: {now:?} lacks some of {:?}", self.shown);
                self.shown = now;
            }
            let well = self.shown.len() == articles
                && (self.reached || !must_reach)
                && poll(&daemon.admin, "/readyz").is_some_and(|answer| answer.text().contains("\"ok\""));
            if well {
                return true;
            }
            if daemon.ended().is_some() {
                self.reached |= daemon.log.iter().any(|line| line.contains("fail point"));
                return false;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: {} of {articles} articles, reached: {}, {:?}, {:#?}",
                self.shown.len(),
                self.reached,
                poll(&daemon.admin, "/readyz"),
                daemon.log.try_iter().collect::<Vec<_>>()
            );
        }
    }
}

fn serve(point: &str, failing: Failing, inbox: &Path) {
    let place = Place::new();
    fs::remove_dir(place.path("inbox")).expect("empty");
    fs::rename(inbox, place.path("inbox")).expect("one file system");
    let points = format!("{point}={}", failing.action());
    let mut seen = Seen::default();
    for (n, fails) in failing.starts(point).into_iter().enumerate() {
        let what = format!("{points}, start {n}");
        let environment = if fails { vec![("FAILPOINTS", points.as_str())] } else { Vec::new() };
        let started = place.try_serve_by(CONFIG, &[], &environment);
        place.rename_in(&format!("new{n}.md"), text(20 + n));
        match started {
            Err(output) => {
                assert!(fails && matches!(output.code, Some(1) | None), "{what}: {output:?}");
                seen.reached |= output.stderr.contains("fail point");
            }
            Ok(mut daemon) => {
                // Fails where it has ended already.
                let _ = std::process::Command::new("kill").args(["-s", "HUP", &daemon.pid().to_string()]).output();
                let must_reach = fails && failing != Failing::Delay && !seen.reached;
                let lives = seen.watch(&mut daemon, FIRST + n + 1, must_reach, &what);
                assert!(lives || failing == Failing::Abort, "{what}: it ended");
                if lives {
                    // The last line of one that is about to abort may be read before it is gone.
                    assert!(daemon.stop().success() || failing == Failing::Abort, "{what}");
                }
            }
        }
    }
    if seen.shown.len() < FIRST + 2 {
        // The last start was one that may fail.
        let mut daemon = place.serve(CONFIG);
        assert!(seen.watch(&mut daemon, FIRST + 2, false, &format!("{points}, at last")));
    }
    assert!(seen.reached || failing == Failing::Delay || failing == Failing::Enospc, "{points}: it was not reached");
}

fn build(point: &str, failing: Failing, inbox: &Path) {
    let place = Place::new();
    fs::remove_dir(place.path("inbox")).expect("empty");
    fs::rename(inbox, place.path("inbox")).expect("one file system");
    let out = place.path("out").display().to_string();
    let build = |points: &str| {
        let mut command = place.command(&["build", "--base-url", "https://feeds.example", "--out", &out]);
        command.env("FAILPOINTS", points).output().expect("the binary")
    };
    let failed = build(&format!("{point}={}", failing.action()));
    let said = String::from_utf8_lossy(&failed.stderr);
    match failing {
        Failing::Delay => assert!(failed.status.success(), "{point}: {said}"),
        Failing::Abort => assert_eq!(failed.status.code(), None, "{point}: {said}"),
        _ => assert_eq!(failed.status.code(), Some(1), "{point}: {said}"),
    }
    assert!(failing == Failing::Delay || said.contains("fail point"), "{point}: it was not reached: {said}");
    assert!(build("").status.success(), "{point}");
    let feed = fs::read(place.path("out/all.json")).expect("written");
    let feed: serde_json::Value = serde_json::from_slice(&feed).expect("JSON");
    assert_eq!(feed["items"].as_array().map(Vec::len), Some(FIRST), "{point}");
    for entry in walkdir::WalkDir::new(&out).into_iter().flatten() {
        assert!(!entry.file_name().to_string_lossy().ends_with(".tmp") || failing == Failing::Abort, "{entry:?}");
    }
}

#[test]
fn every_fail_point_is_survived() {
    let runs: Vec<(&str, Failing)> =
        ALL.iter().flat_map(|&point| Failing::ALL.map(|failing| (point, failing))).collect();
    // Made before, so that no file is too young to be taken at the first look.
    let prepared = tempfile::tempdir().expect("a folder");
    let inbox = |n: usize| -> PathBuf { prepared.path().join(n.to_string()) };
    for n in 0..runs.len() {
        fs::create_dir(inbox(n)).expect("made");
        for article in 0..FIRST {
            fs::write(inbox(n).join(format!("{article}.md")), text(article)).expect("written");
        }
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(point, failing)) = runs.get(n) else { return };
                    let run = if point.starts_with("publish.") { build } else { serve };
                    run(point, failing, &inbox(n));
                }
            });
        }
    });
}

/// A daemon whose writer is dead would look alive and take nothing.
#[test]
fn a_part_that_panics_ends_all_of_it_and_loses_nothing() {
    for point in ["catalog.commit", "catalog.change", "scan.list", "load.sync"] {
        let place = Place::new();
        place.write("0.md", text(0));
        let points = format!("{point}=panic(on purpose)");
        let status = match place.try_serve_by(CONFIG, &[], &[("FAILPOINTS", &points)]) {
            Err(output) => output.code,
            Ok(mut daemon) => {
                place.rename_in("1.md", text(1));
                let begin = Instant::now();
                loop {
                    if let Some(status) = daemon.ended() {
                        break status.code();
                    }
                    assert!(begin.elapsed() < PATIENCE, "{point}: it goes on");
                    std::thread::yield_now();
                }
            }
        };
        assert_eq!(status, Some(101), "{point}");
        place.rename_in("1.md", text(1));
        place.serve_articles(CONFIG, 2).until_titles("all", &["Number 1", "Number 0"]);
    }
}

#[test]
fn the_list_names_every_point_once() {
    let mut named: Vec<String> = Vec::new();
    for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).into_iter().flatten() {
        let Ok(source) = fs::read_to_string(entry.path()) else { continue };
        for call in ["failpoint::io(\"", "point(\""] {
            for (at, _) in source.match_indices(call) {
                let name = source[at + call.len()..].split('"').next().unwrap_or_default();
                named.push(name.to_owned());
            }
        }
    }
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(named, ALL.into_iter().collect::<BTreeSet<_>>());
    assert!(ALL.len() >= 25);
}
