//! The real binary under measurement: started on a port of its own, read over HTTP, ended by dropping it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Daemon {
    child: Child,
    address: String,
    admin: String,
    stream: BufReader<TcpStream>,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
}

impl Daemon {
    pub fn start(inbox: &Path, state: &Path) -> Daemon {
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_feedmill"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--inbox"])
            .arg(inbox)
            .arg("--state")
            .arg(state)
            .current_dir(state)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        let ready_after = begin.elapsed();
        let mut addresses = line.split(['/', ' ']).filter(|part| part.contains("127.0.0.1:")).map(str::to_owned);
        let (address, admin) = (addresses.next().expect("a ready line"), addresses.next().expect("an admin address"));
        let stream = connect(&address);
        Daemon { child, address, admin, stream, ready_after }
    }

    /// Status and body of a path; the connection is kept.
    pub fn get(&mut self, path: &str, if_none_match: &str) -> (u16, String, Vec<u8>) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nIf-None-Match: {if_none_match}\r\n\r\n");
        let mut line = String::new();
        // A server ends a connection after so many requests: the next one goes over a new one.
        while self.stream.get_mut().write_all(request.as_bytes()).is_err()
            || !self.stream.read_line(&mut line).is_ok_and(|count| count > 0)
        {
            self.stream = connect(&self.address);
        }
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line");
        let (mut length, mut etag) = (0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("headers");
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a number"),
                "etag" => etag = value.to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; if status == 304 { 0 } else { length }];
        self.stream.read_exact(&mut body).expect("the body");
        (status, etag, body)
    }

    /// A metric, all its series added up.
    pub fn metric(&self, name: &str) -> u64 {
        let mut stream = connect(&self.admin);
        let request = b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        stream.get_mut().write_all(request).expect("it listens");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let values = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/PID/status` in MiB.
    pub fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let kib: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        kib / 1024.0
    }
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a TCP socket");
    BufReader::new(stream)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
