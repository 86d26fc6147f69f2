//! The server over real sockets, with documents in memory.

mod abuse;
mod connections;
mod documents;
mod operators;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Address, Bound, Health, Inherited, Proxies, Settings, State};
use crate::entry::{Document, Format, Key};
use crate::metrics::Metrics;
use crate::rendition::memory::{Memory, renditions};

/// Waits are for what a busy machine may take, not for what is promised.
const PATIENCE: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings {
        listen: Address::Tcp("127.0.0.1:0".to_owned()),
        admin: Some(Address::Tcp("127.0.0.1:0".to_owned())),
        max_age: Duration::from_secs(60),
        max_connections: 1024,
        header_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        grace: PATIENCE,
        access_log: true,
        trusted_proxies: Proxies::default(),
        formats: vec![Format::Rss, Format::Atom],
    }
}

/// A server on ports of its own.
struct Site {
    memory: Arc<Memory>,
    state: Arc<State>,
    http: String,
    admin: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Site {
    async fn start(settings: Settings) -> Site {
        let bound = Bound::bind(&settings, Inherited::default()).await.expect("a port is free");
        let (http, admin) = (bound.http(), bound.admin().unwrap_or_default());
        let (memory, metrics) = (Memory::new(), Arc::<Metrics>::default());
        let renditions = Arc::new(renditions(&memory, &metrics));
        let health = Health { ready: true, reload_ok: true, ..Health::default() };
        let state = Arc::new(State { renditions: Some(renditions).into(), health: health.into(), metrics });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&state);
        let served = tokio::spawn(async move { bound.serve(serving, settings, async { drop(stopped.await) }).await });
        Site { memory, state, http, admin, stop, served }
    }

    /// One with `/all.rss` and its page.
    async fn with_all() -> Site {
        let site = Site::start(settings()).await;
        site.memory.put(Document::Feed(Key::all(), Format::Rss), &large("rss"));
        site.memory.put(Document::Feed(Key::all(), Format::Atom), &large("atom"));
        site.memory.put(Document::Page(Key::all()), &large("page"));
        site
    }

    /// GET on a connection of its own.
    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        ask(&self.http, "GET", path, fields).await
    }

    async fn get_admin(&self, path: &str) -> Reply {
        ask(&self.admin, "GET", path, &[]).await
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        timeout(PATIENCE, self.served).await.expect("it stops").expect("no panic");
    }
}

fn large(word: &str) -> String {
    format!("<item>{word}</item>\n").repeat(300)
}

/// What came back on a connection until it closed.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Reply { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

async fn ask(address: &str, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    Reply::parse(&exchange(address, request.as_bytes()).await)
}

/// Sends bytes and reads until the connection closes.
async fn exchange(address: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let (mut read, mut write) = stream.split();
    let mut bytes = Vec::new();
    // It may answer and close before it has taken all.
    let both = async { tokio::join!(write.write_all(request), read.read_to_end(&mut bytes)) };
    let _ = timeout(PATIENCE, both).await.expect("it closes");
    bytes
}

/// Reads until the connection closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset after the answer closes the connection too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it closes");
    bytes
}

/// Resolves once the condition holds.
async fn until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waited).await.expect("the condition never held");
}
