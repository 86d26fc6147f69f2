//! The real binary under test: started on ports of its own with folders of its own, asked over plain sockets.
//!
//! Nothing here sleeps: [`Daemon::until`] asks again and again until a condition holds, and gives up loudly.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary: the one that was built with the tests, or the one that `FEEDMILL_TEST_BINARY` names (an optimised one,
/// which has no fail points).
pub fn feedmill() -> &'static str {
    static NAMED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let named = NAMED.get_or_init(|| std::env::var("FEEDMILL_TEST_BINARY").ok());
    named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_feedmill"))
}

/// `../shared` with the real articles, where it is there; says visibly that a test is skipped where it is not.
pub fn shared(below: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(below);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{below} is not beside the project"));
    None
}

/// How many times as much as by default.
pub fn scale() -> usize {
    std::env::var("FEEDMILL_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
}

/// Says visibly that a test is skipped.
#[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Folders of one test.
pub struct Place {
    pub dir: tempfile::TempDir,
    /// Words in front of the binary: another user, another clock.
    pub before: Vec<String>,
}

impl Place {
    pub fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().expect("a folder"), before: Vec::new() };
        for folder in ["inbox", "state", "spool"] {
            fs::create_dir(place.path(folder)).expect("a writable folder");
        }
        place
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn inbox(&self, below: &str) -> PathBuf {
        self.path("inbox").join(below)
    }

    /// Writes a file in place, as an editor or an exporter does.
    pub fn write(&self, below: &str, text: impl AsRef<[u8]>) {
        let path = self.inbox(below);
        fs::create_dir_all(path.parent().expect("below the inbox")).expect("a writable folder");
        fs::write(path, text).expect("a writable folder");
    }

    /// Renames a whole file into place.
    pub fn rename_in(&self, below: &str, text: impl AsRef<[u8]>) {
        let (from, to) = (self.path("spool/next"), self.inbox(below));
        fs::create_dir_all(to.parent().expect("below the inbox")).expect("a writable folder");
        fs::write(&from, text).expect("a writable folder");
        fs::rename(from, to).expect("one file system");
    }

    /// A command of the binary with this place's folders, no environment of ours, and stdout and stderr piped.
    pub fn command(&self, words: &[&str]) -> Command {
        self.command_by(&[], words)
    }

    fn command_by(&self, launcher: &[&str], words: &[&str]) -> Command {
        let before = self.before.iter().map(String::as_str);
        let all: Vec<&str> = before.chain(launcher.iter().chain(&[feedmill()]).chain(words).copied()).collect();
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .env_clear()
            .env("FEEDMILL_INBOX", self.path("inbox"))
            .env("FEEDMILL_STATE", self.path("state"))
            .env("NO_COLOR", "1")
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        let output = self.command(words).output().expect("the binary");
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Starts the daemon with a config; `\n`-separated YAML.
    pub fn serve(&self, config: &str) -> Daemon {
        self.try_serve(config).unwrap_or_else(|output| panic!("the daemon did not start: {output:?}"))
    }

    /// The catalog's files that were set aside as damaged.
    pub fn set_aside(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("state")).expect("listed").flatten().map(|entry| entry.path());
        files.filter(|path| path.display().to_string().contains(".damaged-")).collect()
    }

    /// Starts the daemon and waits for this many articles: it does not take files that are younger than two seconds at
    /// once, because somebody may still write them.
    pub fn serve_articles(&self, config: &str, count: u64) -> Daemon {
        let daemon = self.serve(config);
        daemon.until(&format!("{count} articles"), |daemon| daemon.count("articles") == count);
        daemon
    }

    /// Starts the daemon; what it said where it ended instead of getting ready.
    pub fn try_serve(&self, config: &str) -> Result<Daemon, Output> {
        self.try_serve_by(config, &[], &[])
    }

    /// The same by a program that starts it (its words come before the daemon's) and with more environment.
    pub fn try_serve_by(
        &self,
        config: &str,
        launcher: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Daemon, Output> {
        let file = self.path("feedmill.yaml");
        fs::write(&file, config).expect("a writable folder");
        let file = file.display().to_string();
        let words = ["serve", "--config", &file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = self.command_by(launcher, &words);
        let mut child = command.envs(environment.iter().copied()).spawn().expect("the binary");
        let (told, lines) = mpsc::channel();
        let stdout = child.stdout.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        let (log_told, log) = mpsc::channel();
        let stderr = child.stderr.take().expect("piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = log_told.send(line);
            }
        });
        let Ok(ready) = lines.recv_timeout(PATIENCE) else {
            let code = child.wait().expect("our child").code();
            return Err(Output { code, stdout: String::new(), stderr: log.iter().collect::<Vec<_>>().join("\n") });
        };
        let address = |word: &str| {
            let after = ready.split_once(word).map(|(_, after)| after).unwrap_or_default();
            after.split_once("http://").and_then(|(_, after)| after.split_once('/')).map(|(at, _)| at.to_owned())
        };
        let http = address("ready ").unwrap_or_else(|| panic!("no address in {ready:?}"));
        let admin = address(" admin ").unwrap_or_else(|| panic!("no admin address in {ready:?}"));
        Ok(Daemon { child, ready, http, admin, log })
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    pub ready: String,
    pub http: String,
    pub admin: String,
    pub log: mpsc::Receiver<String>,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself; how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our child")
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Stops all of its threads where they are, until `CONT`.
    pub fn freeze(&self) {
        self.signal("STOP");
        // The thread that takes the signal stops the others, once it gets a core.
        self.until("all threads are stopped", |daemon| {
            let mut threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs").flatten();
            threads.all(|task| {
                fs::read_to_string(task.path().join("status")).is_ok_and(|status| status.contains("State:\tT"))
            })
        });
    }

    /// Ends it as `systemctl stop` does.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("our child")
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("our child");
        self.child.wait().expect("our child");
    }

    /// GET on the public address.
    pub fn get(&self, path: &str) -> Answer {
        ask(&self.http, "GET", path, &[])
    }

    /// Any request on the public address.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&self.http, method, path, headers)
    }

    /// GET on the admin address.
    pub fn admin(&self, path: &str) -> Answer {
        ask(&self.admin, "GET", path, &[])
    }

    /// A JSON document of either address.
    pub fn json(&self, path: &str) -> serde_json::Value {
        let answer = if path.starts_with("/status") || path.starts_with("/problems") {
            self.admin(path)
        } else {
            self.get(path)
        };
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{path} is JSON: {e}"))
    }

    /// The items of a JSON feed by title, newest first.
    pub fn titles(&self, key: &str) -> Vec<String> {
        let feed = self.get(&format!("{}.json", address_of(key)));
        if feed.status != 200 {
            return Vec::new();
        }
        let feed: serde_json::Value = serde_json::from_slice(&feed.body).expect("JSON");
        let items = feed["items"].as_array().expect("items");
        items.iter().map(|item| item["title"].as_str().expect("a title").to_owned()).collect()
    }

    /// A number of `/status.json`.
    pub fn count(&self, name: &str) -> u64 {
        self.json("/status.json")[name].as_u64().unwrap_or_else(|| panic!("{name} is a number"))
    }

    /// Asks until a condition holds.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Daemon) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            assert!(begin.elapsed() < PATIENCE, "never: {what}; log: {:#?}", self.log.try_iter().collect::<Vec<_>>());
        }
    }

    /// Asks until a feed has just these titles.
    pub fn until_titles(&self, key: &str, titles: &[&str]) {
        self.until(&format!("{key} has {titles:?}, not {:?}", self.titles(key)), |daemon| daemon.titles(key) == titles);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key as addresses write it, with the leading slash.
pub fn address_of(key: &str) -> String {
    const KEY: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'/');
    format!("/{}", percent_encoding::utf8_percent_encode(key, KEY))
}

/// A response.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// One request on a connection of its own.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("writable");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    read_answer(&bytes)
}

/// Splits an answer with `Content-Length` or up to the end of the connection.
pub fn read_answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| panic!("no head in {bytes:?}"));
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    if let Some(length) = headers.get("content-length").filter(|_| !body.is_empty()) {
        assert_eq!(length.parse(), Ok(body.len()), "the body is whole");
    }
    Answer { status, headers, body }
}

/// An article in the shape that exporters write.
pub fn article(title: &str, date: &str, categories: &[&str], body: &str) -> String {
    let categories: String = categories.iter().map(|name| format!(" - {name}\n")).collect();
    format!(
        "\n---\ntitle: \"{title}\"\ncategories: \n{categories}author: 李明\ndate: {date}\n---\n\n<div>\n{body}\n</div>\n"
    )
}

/// Copies the files of a folder below the inbox, with their folders.
pub fn copy_tree(from: &Path, to: &Path) -> usize {
    let mut count = 0;
    for entry in walkdir::WalkDir::new(from).into_iter().flatten() {
        let target = to.join(entry.path().strip_prefix(from).expect("below it"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).expect("a writable folder");
        } else {
            // Not `fs::copy`: the source may be read-only, and an exporter's files are not.
            fs::write(target, fs::read(entry.path()).expect("readable")).expect("a writable folder");
            count += 1;
        }
    }
    count
}
