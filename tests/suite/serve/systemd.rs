//! What the service manager is told, heard by a stand-in for its notification socket (sd_notify(3)).

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::driver::{Daemon, PATIENCE, Place, article};

const DATE: &str = "Mon, 11 Apr 2022 13:01:53 GMT";

/// The socket of `NOTIFY_SOCKET`, and what came over it.
struct Manager {
    socket: UnixDatagram,
    path: String,
    heard: Vec<String>,
}

impl Manager {
    fn new(place: &Place) -> Manager {
        let path = place.path("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Manager { socket, path: path.display().to_string(), heard: Vec::new() }
    }

    /// Starts the daemon under it; the watchdog wants to hear of it in so many seconds.
    fn serve(&self, place: &Place, watchdog: u64, fail_points: &str) -> Daemon {
        let watchdog = (watchdog * 1_000_000).to_string();
        let environment =
            [("NOTIFY_SOCKET", self.path.as_str()), ("WATCHDOG_USEC", &watchdog), ("FAILPOINTS", fail_points)];
        place.try_serve_by("", &[], &environment).unwrap_or_else(|output| panic!("it did not start: {output:?}"))
    }

    /// The next message, if one comes within a time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).expect("a socket");
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).expect("text"))
    }

    /// Hears without heed: each part counts as alive for as long as the watchdog waits, so that only what comes later
    /// shows anything.
    fn hear_for(&self, seconds: u64) {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(seconds) {
            let _ = self.next(Duration::from_millis(100));
        }
    }

    /// What it was told before does not count.
    fn is_not_told_that_all_is_well(&mut self, seconds: u64, name: &str) {
        while self.next(Duration::from_millis(1)).is_some() {}
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(seconds) {
            let told = self.next(Duration::from_secs(1));
            assert!(
                !told.as_deref().unwrap_or_default().contains("WATCHDOG=1"),
                "the {name} hangs, and all is said to be well"
            );
        }
    }

    /// Hears until a message has a line that begins so; that message.
    fn until(&mut self, line: &str) -> String {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let Some(message) = self.next(Duration::from_secs(1)) else { continue };
            self.heard.push(message.clone());
            if message.lines().any(|found| found.starts_with(line)) {
                return message;
            }
        }
        panic!("never told: {line}; told: {:#?}", self.heard);
    }
}

#[test]
fn the_service_manager_hears_of_each_turn() {
    let place = Place::new();
    place.rename_in("one.md", article("One", DATE, &["news"], "<p>Text.</p>"));
    let mut manager = Manager::new(&place);
    let daemon = manager.serve(&place, 60, "");
    let ready = manager.until("READY=1");
    assert!(ready.contains("STATUS="), "{ready}");
    daemon.until("the article", |daemon| daemon.count("articles") == 1);
    manager.until("STATUS=1 article");
    manager.until("WATCHDOG=1");

    daemon.signal("HUP");
    let reloading = manager.until("RELOADING=1");
    let began = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("when it began");
    assert!(began.parse::<u64>().is_ok_and(|micros| micros > 0), "{reloading}");
    manager.until("READY=1");

    fs::write(place.path("feedmill.yaml"), "feeds: { items: many }\n").expect("a writable folder");
    daemon.signal("HUP");
    manager.until("RELOADING=1");
    let told = manager.until("READY=1");
    assert!(told.contains("the config is not valid"), "{told}");
    // It stays said while it is so, whatever else there is to say.
    place.rename_in("two.md", article("Two", DATE, &["news"], "<p>Other text.</p>"));
    let told = manager.until("STATUS=2 articles");
    assert!(told.contains("the config is not valid"), "{told}");

    fs::write(place.path("feedmill.yaml"), "").expect("a writable folder");
    daemon.signal("HUP");
    assert!(!manager.until("READY=1").contains("not valid"));
    assert!(daemon.stop().success());
    manager.until("STOPPING=1");
}

/// The watchdog is fed; then a part of the daemon hangs, and it is not.
fn hangs(fail_points: &str, name: &str, stir: impl Fn(&Place)) {
    const SECONDS: u64 = 4;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let daemon = manager.serve(&place, SECONDS, fail_points);
    manager.until("WATCHDOG=1");
    stir(&place);
    let begin = Instant::now();
    let mark = format!("the {name} has made no round");
    while !daemon.log.try_iter().any(|line| line.contains(&mark)) {
        assert!(begin.elapsed() < PATIENCE, "it was never found that the {name} hangs");
        // What was told before is heard, so that only what follows counts.
        let _ = manager.next(Duration::from_millis(50));
    }
    manager.is_not_told_that_all_is_well(SECONDS, name);
}

#[test]
fn a_scanner_that_hangs_is_not_hidden_from_the_watchdog() {
    hangs("scan.list=1*off->sleep(600000)", "scanner", |place| {
        fs::create_dir(place.inbox("folder")).expect("a writable folder");
    });
}

#[test]
fn a_writer_that_hangs_is_not_hidden_from_the_watchdog() {
    hangs("catalog.begin=sleep(600000)", "writer", |place| {
        place.rename_in("one.md", article("One", DATE, &["news"], "<p>Text.</p>"));
    });
}

#[test]
fn a_server_that_hangs_is_not_hidden_from_the_watchdog() {
    hangs("http.accept=2*off->sleep(600000)", "server", |_| ());
}

/// A daemon on a socket that was handed over and that nobody can connect to: a service without a network of its own
/// cannot ask itself by such an address.
struct Unreachable(Child);

impl Unreachable {
    fn start(place: &Place, manager: &Manager, watchdog: u64, fail_points: &str) -> Unreachable {
        let path = place.path("http.sock");
        let socket = OwnedFd::from(UnixListener::bind(&path).expect("a socket"));
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).expect("a flag");
        fs::remove_file(&path).expect("it is there");
        let mut command = place.command(&["serve", "--admin", "off", "--base-url", "https://feeds.example"]);
        command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", (watchdog * 1_000_000).to_string());
        command.env("FAILPOINTS", fail_points).stdout(Stdio::null()).stderr(Stdio::null());
        Unreachable(command.spawn().expect("the binary"))
    }
}

impl Drop for Unreachable {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_server_that_cannot_be_reached_from_inside_feeds_the_watchdog() {
    const SECONDS: u64 = 2;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let _daemon = Unreachable::start(&place, &manager, SECONDS, "");
    manager.hear_for(2 * SECONDS);
    manager.until("WATCHDOG=1");
}

#[test]
fn a_server_that_hangs_and_cannot_be_reached_is_not_hidden_from_the_watchdog() {
    const SECONDS: u64 = 2;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let _daemon = Unreachable::start(&place, &manager, SECONDS, "http.accept=sleep(600000)");
    manager.until("READY=1");
    manager.hear_for(2 * SECONDS);
    manager.is_not_told_that_all_is_well(2 * SECONDS, "server");
}
