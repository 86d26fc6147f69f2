//! The real daemon from start to stop: ready line, status, exit codes of starts that fail, reload, SIGTERM.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Ran, Site, ran};

const ARTICLE: &str = "---\ntitle: One\ndate: 2022-04-11 08:00:00\ncategories: [news]\n---\n\nText.\n";

/// Waits are for what a busy machine may take, not for what is promised.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; killed when it is dropped.
struct Daemon {
    child: Child,
    ready: String,
}

impl Daemon {
    fn start(site: &Site, args: &[&str]) -> Daemon {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        all.extend(args);
        let mut child =
            site.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the daemon starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut ready = String::new();
        out.read_line(&mut ready).expect("a line");
        let mut daemon = Daemon { child, ready };
        if daemon.ready.is_empty() {
            let mut err = String::new();
            let _ = daemon.child.stderr.take().expect("a pipe").read_to_string(&mut err);
            panic!("the daemon did not get ready: {err}");
        }
        // Its log must not fill the pipe.
        let mut err = daemon.child.stderr.take().expect("a pipe");
        std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        daemon
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// The exit code once it has ended.
    fn ended(mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "the daemon does not stop");
            std::thread::yield_now();
        }
    }

    fn word(&self, at: usize) -> &str {
        self.ready.split_whitespace().nth(at).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a start that must fail.
fn refused(site: &Site, args: &[&str]) -> Ran {
    let started = Instant::now();
    let ran = ran(site.command(args).output().expect("it runs"));
    assert!(started.elapsed() < PATIENCE && ran.out.is_empty(), "{ran:?}");
    ran
}

#[test]
fn the_ready_line_is_as_in_the_contract_and_status_answers() {
    let site = Site::new();
    site.write("feeds/inbox/news/one.md", ARTICLE);
    // The first start takes what is older than two seconds at once and the rest when it is; the second one has it.
    let first = Daemon::start(&site, &[]);
    let began = Instant::now();
    while !site.run(&["status"]).out.contains("1 in 2 feeds") {
        assert!(began.elapsed() < PATIENCE);
    }
    first.signal("TERM");
    assert_eq!(first.ended(), Some(0));
    let daemon = Daemon::start(&site, &[]);
    let parts: Vec<&str> = daemon.ready.split_whitespace().collect();
    let [ready, http, admin, admin_url, articles, feeds, problems] = parts[..] else { panic!("{}", daemon.ready) };
    assert_eq!([ready, admin, articles, feeds, problems], ["ready", "admin", "articles=1", "feeds=2", "problems=0"]);
    assert!(http.starts_with("http://127.0.0.1:") && http.ends_with('/'), "{http}");
    assert!(admin_url.starts_with("http://127.0.0.1:") && admin_url.ends_with('/'), "{admin_url}");

    // The config names other ports; the lock file knows the real ones.
    let status = site.run(&["status", "--output", "json"]);
    assert_eq!(status.code, 0, "{}", status.err);
    let status: Value = serde_json::from_str(&status.out).expect("one object");
    assert_eq!((&status["ready"], &status["articles"], &status["feeds"]), (&true.into(), &1.into(), &2.into()));
    assert_eq!(format!("http://{}/", status["addresses"]["http"].as_str().unwrap_or_default()), http);
    assert!(site.run(&["status"]).out.contains("1 in 2 feeds"));
    assert_eq!(site.run(&["healthcheck"]).code, 0);

    daemon.signal("TERM");
    assert_eq!(daemon.ended(), Some(0));
    assert_eq!(site.run_with(&["healthcheck"], &[("FEEDMILL_ADMIN", "127.0.0.1:9")]).code, 1);
}

#[test]
fn a_second_daemon_on_the_same_state_is_4_and_names_the_first() {
    let site = Site::new();
    let daemon = Daemon::start(&site, &[]);
    let second = refused(&site, &["serve", "--listen", "127.0.0.1:0", "--admin", "off"]);
    assert_eq!(second.code, 4, "{}", second.err);
    assert!(second.err.contains(&daemon.child.id().to_string()) && second.err.contains("--state"), "{}", second.err);
}

#[test]
fn starts_that_fail_are_1_with_one_clear_sentence() {
    let site = Site::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken = listener.local_addr().expect("an address").to_string();
    let port = refused(&site, &["serve", "--listen", &taken, "--admin", "off"]);
    assert!(port.code == 1 && port.err.contains(&taken), "{port:?}");

    let free = ["--listen", "127.0.0.1:0", "--admin", "off"];
    let inbox = refused(&site, &[&["serve", "nowhere"], &free[..]].concat());
    assert!(inbox.code == 1 && inbox.err.contains("nowhere"), "{inbox:?}");

    site.write("file", "a file where a folder should be");
    let state = refused(&site, &[&["serve", "--state", "file/state"], &free[..]].concat());
    assert!(state.code == 1 && state.err.contains("file/state"), "{state:?}");
}

#[test]
fn a_broken_config_on_reload_keeps_the_old_one() {
    let site = Site::new();
    site.write(
        "config/feedmill.yaml",
        "site: { title: Before }\ninbox: { path: ../feeds/inbox }\nstate: { path: ../feeds/state }\n",
    );
    let daemon = Daemon::start(&site, &[]);
    let reload_ok = |expect: bool, code: i32| {
        let started = Instant::now();
        loop {
            let ran = site.run(&["status", "--output", "json"]);
            let status: Value = serde_json::from_str(&ran.out).unwrap_or_default();
            if status["reload_ok"] == Value::Bool(expect) {
                assert_eq!(ran.code, code);
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{}", ran.out);
        }
    };
    reload_ok(true, 0);
    let good = std::fs::read_to_string(site.at("config/feedmill.yaml")).expect("the config");
    // Only this command must see the broken file: `status` reads the config too.
    site.write("config/good.yaml", &good);
    site.write("config/feedmill.yaml", "site: { titel: After }\n");
    daemon.signal("HUP");
    let started = Instant::now();
    loop {
        let ran = site.run(&["--config", "config/good.yaml", "status", "--output", "json"]);
        let status: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        if status["reload_ok"] == Value::Bool(false) {
            assert_eq!(ran.code, 1);
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{}{}", ran.out, ran.err);
    }
    assert_eq!(site.run(&["--config", "config/good.yaml", "healthcheck"]).code, 0);
    site.write("config/feedmill.yaml", &good);
    daemon.signal("HUP");
    reload_ok(true, 0);
}

#[test]
fn flags_alone_serve_and_admin_may_be_off() {
    let site = Site::new();
    let mut child = site
        .command(&["--listen", "127.0.0.1:0", "--admin", "off"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the daemon starts");
    let mut ready = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut ready).expect("a line");
    let daemon = Daemon { child, ready };
    assert_eq!(format!("{} {}", daemon.word(2), daemon.word(3)), "admin off", "{}", daemon.ready);
    assert_eq!(site.run(&["healthcheck"]).code, 0);
}

#[test]
fn build_writes_documents_and_says_how_many() {
    let site = Site::new();
    site.write("feeds/inbox/news/one.md", ARTICLE);
    let ran = site.run_with(&["build"], &[("FEEDMILL_OUT", "public")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.is_empty() && ran.err.contains("1 article, 2 feeds"), "{}", ran.err);
    assert!(ran.err.contains("site.base_url is not set"), "{}", ran.err);
    let rss = std::fs::read_to_string(site.at("public/category/news.rss")).expect("a feed");
    assert!(rss.contains("<title>One</title>") && rss.contains("http://127.0.0.1:8080/category/news.rss"), "{rss}");
}
