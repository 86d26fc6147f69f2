//! What answers cost: feedmill beside nginx, the same bytes to the same client in the same run. See `http.md`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::daemon::Daemon;
use crate::load::{self, Target};

const ROUNDS: usize = 5;
/// Keep-alive connections of the load.
const CONNECTIONS: usize = 64;
/// Requests of a round; at least a second of CPU time of either server.
const REQUESTS: usize = 64_000;
/// Connections that ask nothing, or read slowly. The default of `http.max_connections` is 4096.
const MANY: usize = 4000;
const PATH: &str = "/all.rss";

pub fn run() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).expect("a writable folder");
        path
    };
    let (inbox, state, root) = (folder("inbox"), folder("state"), folder("root"));
    write_articles(&inbox);
    // Files younger than two seconds are not read at once, because somebody may still write them.
    std::thread::sleep(Duration::from_secs(3));
    let daemon = Daemon::start(&inbox, &state);
    let plain = exchange(daemon.address(), &request("", ""));
    let packed = exchange(daemon.address(), &request("gzip", ""));
    println!("feed of {} KB, gzip-encoded {} KB", plain.body.len() / 1000, packed.body.len() / 1000);
    fs::write(root.join("all.rss"), &plain.body).expect("a writable folder");
    fs::write(root.join("all.rss.gz"), &packed.body).expect("a writable folder");

    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    match Nginx::start(dir.path(), &root) {
        Ok(nginx) => beside(&runtime, &daemon, &nginx),
        Err(error) => println!("SKIPPED: nginx cannot be run ({error}); Debian has it in the package nginx-light"),
    }
    many(&runtime, &daemon);
}

/// CPU time and latency beside nginx.
fn beside(runtime: &Runtime, daemon: &Daemon, nginx: &Nginx) {
    println!();
    println!(
        "CPU time of the server a request, {CONNECTIONS} keep-alive connections, median of {ROUNDS} rounds in turn"
    );
    let full = [target(daemon.address(), "gzip", false), target(&nginx.address, "gzip", false)];
    let same = [target(daemon.address(), "gzip", true), target(&nginx.address, "gzip", true)];
    let pids = [vec![daemon.pid()], nginx.workers()];
    for (name, targets) in [("200 gzip", &full), ("304", &same)] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let [ours, theirs] = [0, 1].map(|who| {
                let before = cpu_time(&pids[who]);
                let took = runtime.block_on(load::as_fast_as_it_goes(&targets[who], CONNECTIONS, REQUESTS));
                let cpu = cpu_time(&pids[who]) - before;
                (cpu.as_secs_f64() * 1e6 / REQUESTS as f64, REQUESTS as f64 / took.as_secs_f64())
            });
            rounds.push((ours.0 / theirs.0, ours, theirs));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, ours, theirs) = rounds[ROUNDS / 2];
        println!(
            "  {name:<9} feedmill {:5.1} µs ({:.0}/s)   nginx {:5.1} µs ({:.0}/s)   ratio {ratio:.2} ({:.2} to {:.2})",
            ours.0,
            ours.1,
            theirs.0,
            theirs.1,
            rounds[0].0,
            rounds[ROUNDS - 1].0,
        );
    }
    println!();
    let top = runtime.block_on(load::as_fast_as_it_goes(&full[1], CONNECTIONS, REQUESTS));
    let rate = REQUESTS as f64 / top.as_secs_f64() / 2.0;
    println!("latency of a 200 gzip at {rate:.0}/s, half of nginx's top rate, p99 of {ROUNDS} rounds in turn");
    let mut p99s = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for who in [0, 1] {
            let latencies = runtime.block_on(load::at_a_rate(&full[who], CONNECTIONS, rate, Duration::from_secs(2)));
            p99s[who].push(percentile(latencies, 99));
        }
    }
    let [ours, theirs] = p99s.map(|all| percentile(all, 50));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("  feedmill {:.2} ms   nginx {:.2} ms   ratio {ratio:.2}", millis(ours), millis(theirs));
}

/// What many connections cost that ask nothing, or read slowly.
fn many(runtime: &Runtime, daemon: &Daemon) {
    println!();
    println!("{MANY} connections");
    let same = target(daemon.address(), "gzip", true);
    let full = target(daemon.address(), "gzip", false);
    let before = daemon.memory("VmRSS");
    match runtime.block_on(load::idle(&same, MANY)) {
        Ok(idle) => {
            println!("  that asked once and are idle: memory {:+.1} MiB", daemon.memory("VmRSS") - before);
            drop(idle);
        }
        Err(error) => return println!("SKIPPED: {error}; `ulimit -n` must be above {}", 2 * MANY),
    }
    let p99 = || percentile(runtime.block_on(load::one_by_one(&full, 4000)), 99);
    let alone = p99();
    let before = daemon.memory("VmRSS");
    let slow = runtime.block_on(load::slow(&target(daemon.address(), "", false), MANY));
    match slow {
        Ok(_readers) => {
            let beside = p99();
            println!(
                "  that read slowly: p99 of a fast one {:.2} ms, alone {:.2} ms, ratio {:.2}; memory {:+.1} MiB",
                millis(beside),
                millis(alone),
                beside.as_secs_f64() / alone.as_secs_f64(),
                daemon.memory("VmRSS") - before,
            );
        }
        Err(error) => println!("SKIPPED: {error}"),
    }
}

/// Fifty articles of words that compress as text does.
fn write_articles(inbox: &Path) {
    let mut state = 1u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 33) % 20_000;
        // Frequent words are short.
        format!("{:x}{}", number, if number.is_multiple_of(7) { ", " } else { " " })
    };
    for article in 0..50 {
        let body: String =
            (0..6).map(|_| format!("<p>{}</p>\n", (0..75).map(|_| word()).collect::<String>())).collect();
        let text = format!(
            "---\ntitle: Article {article}\ndate: 2022-04-11 13:01:{article:02}\ncategories: [news]\n---\n{body}"
        );
        fs::write(inbox.join(format!("{article}.html")), text).expect("a writable folder");
    }
}

/// A request as the load sends it, and how long its answer is.
fn target(address: &str, codings: &str, conditional: bool) -> Target {
    let tag = if conditional { exchange(address, &request(codings, "")).etag } else { String::new() };
    let request = request(codings, &tag);
    let answer = exchange(address, &request);
    assert_eq!(answer.status, if conditional { 304 } else { 200 }, "{request}");
    Target { address: address.parse().expect("an address"), request: request.into_bytes(), length: answer.length }
}

fn request(codings: &str, tag: &str) -> String {
    let mut request = format!("GET {PATH} HTTP/1.1\r\nHost: feeds.example\r\nUser-Agent: FeedReader/1.0\r\n");
    for (name, value) in [("Accept-Encoding", codings), ("If-None-Match", tag)] {
        if !value.is_empty() {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    request + "Accept: */*\r\n\r\n"
}

struct Answer {
    status: u16,
    etag: String,
    body: Vec<u8>,
    /// Of head and body.
    length: usize,
}

/// One request on a connection of its own.
fn exchange(address: &str, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("writable");
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 65536];
        let count = stream.read(&mut part).expect("an answer");
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let field = |name: &str| {
            let mut fields = head.lines().filter_map(|line| line.split_once(": "));
            fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let wanted =
            if status == 304 { 0 } else { field("content-length").and_then(|n| n.parse().ok()).expect("a length") };
        if bytes.len() >= end + 4 + wanted {
            let etag = field("etag").expect("an ETag");
            return Answer { status, etag, body: bytes[end + 4..].to_vec(), length: bytes.len() };
        }
        assert!(count > 0, "closed early");
    }
}

/// nginx with as many workers as feedmill has threads that serve, and nothing to log.
struct Nginx {
    child: Child,
    address: String,
}

impl Nginx {
    fn start(dir: &Path, root: &Path) -> Result<Nginx, std::io::Error> {
        // Its workers may run as somebody else.
        for folder in [dir, root] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let (dir, root) = (dir.display(), root.display());
        let config = format!(
            "worker_processes 2; daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
             events {{ worker_connections 8192; }}
             http {{
               access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
               client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
               uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
               types {{ application/rss+xml rss; }} charset utf-8; charset_types application/rss+xml;
               server {{
                 listen {address}; root {root}; gzip_static on; gzip_vary on;
                 add_header Cache-Control \"max-age=60, stale-while-revalidate=60, stale-if-error=86400\";
                 add_header X-Content-Type-Options nosniff; add_header Access-Control-Allow-Origin *;
               }}
             }}"
        );
        let file = format!("{dir}/nginx.conf");
        fs::write(&file, config)?;
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.args(["-c", &file, "-e", "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(Stdio::null()).spawn()
        };
        let child = start("nginx").or_else(|_| start("/usr/sbin/nginx"))?;
        let mut nginx = Nginx { child, address };
        while TcpStream::connect(&nginx.address).is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                return Err(std::io::Error::other(format!("it ended at once: {status}")));
            }
        }
        Ok(nginx)
    }

    fn workers(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends the workers.
        let _ = Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// User and system time of processes, all threads.
fn cpu_time(pids: &[u32]) -> Duration {
    let ticks: u64 = pids
        .iter()
        .map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
            // The name, in parentheses, may hold anything; the fields are counted behind it (proc(5)).
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
        })
        .sum();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

fn percentile(mut all: Vec<Duration>, percent: usize) -> Duration {
    all.sort_unstable();
    all[(all.len() * percent / 100).min(all.len() - 1)]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
