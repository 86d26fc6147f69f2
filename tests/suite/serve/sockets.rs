//! Sockets that a service manager holds and hands over (`systemd/feedmill.socket`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::driver::{Answer, PATIENCE, Place, article, ask, feedmill, read_answer, skipped};

fn place() -> Place {
    let place = Place::new();
    place.rename_in("one.md", article("One", "Mon, 11 Apr 2022 13:01:53 GMT", &["news"], "<p>Text.</p>"));
    place
}

/// A process that is killed when the test ends.
struct Running(Child);

impl Running {
    fn terminate(&mut self) {
        let sent = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        assert!(self.0.wait().expect("our child").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask_unix(socket: &Path, path: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("writable");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    read_answer(&bytes)
}

/// Asks until there is something to show.
fn until_shown(ask: impl Fn() -> Answer) -> Answer {
    let begin = Instant::now();
    loop {
        let answer = ask();
        if answer.status != 503 {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "{answer:?}");
    }
}

#[test]
fn sockets_of_a_service_manager_are_served_by_their_names() {
    let place = place();
    let (http, admin) = (place.path("http.sock"), place.path("admin.sock"));
    let config = "site: { base_url: \"https://feeds.example\" }\n";
    std::fs::write(place.path("feedmill.yaml"), config).expect("a writable folder");
    let mut command = Command::new("systemd-socket-activate");
    let inbox = format!("FEEDMILL_INBOX={}", place.path("inbox").display());
    let state = format!("FEEDMILL_STATE={}", place.path("state").display());
    command.arg("-l").arg(&http).arg("-l").arg(&admin).args(["--fdname=readers:admin", "-E", &inbox, "-E", &state]);
    command.arg(feedmill()).args(["serve", "--config", "feedmill.yaml", "--listen", "127.0.0.1:1", "--admin", "off"]);
    command.current_dir(place.dir.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = match command.spawn() {
        Ok(child) => Running(child),
        Err(error) => return skipped(&format!("systemd-socket-activate cannot be run: {error}")),
    };
    let begin = Instant::now();
    while !(http.exists() && admin.exists()) {
        assert!(begin.elapsed() < PATIENCE, "systemd-socket-activate does not listen");
    }
    // The first connection starts it.
    assert_eq!(until_shown(|| ask_unix(&http, "/all.rss")).status, 200);
    assert_eq!(ask_unix(&http, "/healthz").status, 404);
    assert_eq!(ask_unix(&admin, "/healthz").status, 200);
    let mut ready = String::new();
    BufReader::new(running.0.stdout.take().expect("piped")).read_line(&mut ready).expect("a line");
    let expected = format!("ready unix:{} admin unix:{} ", http.display(), admin.display());
    assert!(ready.starts_with(&expected), "{ready}");
    running.terminate();
    assert!(http.exists() && admin.exists(), "files that are not ours");
}

/// Starts the daemon with a socket that this process keeps, as systemd does.
fn start(place: &Place, socket: &OwnedFd) -> Running {
    let mut command = place.command(&["serve", "--admin", "off"]);
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", socket.as_raw_fd().to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("the binary"))
}

#[test]
fn a_restart_on_a_held_socket_loses_no_connection() {
    let place = place();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let socket = OwnedFd::from(listener);
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).expect("a flag");

    let mut first = start(&place, &socket);
    assert_eq!(until_shown(|| ask(&address, "GET", "/all.rss", &[])).status, 200);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = 0;
                    while !over.load(Ordering::Relaxed) {
                        let answer = ask(&address, "GET", "/all.rss", &[]);
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        first.terminate();
        // Nobody answers now, and the connection waits.
        let mut waiting = TcpStream::connect(&address).expect("it is held");
        write!(waiting, "GET /all.rss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("writable");
        let mut second = start(&place, &socket);
        waiting.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut bytes = Vec::new();
        waiting.read_to_end(&mut bytes).expect("an answer");
        assert_eq!(read_answer(&bytes).status, 200);
        over.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("no panic") > 0);
        }
        second.terminate();
    });
}
