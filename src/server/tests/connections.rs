//! Connections: limits, stopping, Unix sockets, HTTP/2.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{PATIENCE, Reply, Site, large, rest, settings, until};
use crate::entry::{Document, Format, Key};
use crate::server::Address;

const SOON: Duration = Duration::from_millis(150);

async fn connect(site: &Site) -> TcpStream {
    TcpStream::connect(&site.http).await.expect("it listens")
}

/// Sends a request that keeps the connection, and reads its answer.
async fn keep(stream: &mut TcpStream, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes bytes");
    let mut bytes = Vec::new();
    loop {
        assert!(stream.read_buf(&mut bytes).await.expect("it answers") > 0, "closed early");
        if bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let reply = Reply::parse(&bytes);
            let length: usize = reply.field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
            if reply.body.len() >= length {
                return reply;
            }
        }
    }
}

#[tokio::test]
async fn headers_that_never_end_are_cut() {
    let site = Site::start(super::Settings { header_timeout: SOON, ..settings() }).await;
    let mut half = connect(&site).await;
    half.write_all(b"GET /all.rss HTTP/1.1\r\nHost: a\r\nX-Half: ").await.expect("it takes bytes");
    assert_eq!(Reply::parse(&rest(&mut half).await).status, 408);

    let mut silent = connect(&site).await;
    assert_eq!(rest(&mut silent).await, b"");

    // Drop by drop is no better.
    let mut slow = connect(&site).await;
    let (mut read, mut write) = slow.split();
    let drops = async {
        loop {
            tokio::time::sleep(SOON / 10).await;
            if write.write_all(b"G").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    // The last drop may cross with the answer, and take it back.
    let mut bytes = Vec::new();
    tokio::select! {
        () = drops => {}
        ended = timeout(PATIENCE, read.read_to_end(&mut bytes)) => drop(ended.expect("it closes")),
    }
    assert!(bytes.is_empty() || Reply::parse(&bytes).status == 408);

    // A later request on the same connection has the same limit.
    let mut second = connect(&site).await;
    keep(&mut second, "/nothing").await;
    second.write_all(b"GET /").await.expect("it takes bytes");
    assert_eq!(Reply::parse(&rest(&mut second).await).status, 408);
    site.stop().await;
}

#[tokio::test]
async fn idle_connections_are_closed_but_not_by_the_limit_of_headers() {
    let short = super::Settings { header_timeout: SOON, idle_timeout: SOON * 4, ..settings() };
    let site = Site::start(short).await;
    let mut stream = connect(&site).await;
    keep(&mut stream, "/nothing").await;
    let began = tokio::time::Instant::now();
    assert_eq!(rest(&mut stream).await, b"");
    assert!(began.elapsed() >= SOON * 3, "closed after {:?}", began.elapsed());
    site.stop().await;
}

#[tokio::test]
async fn pings_are_no_requests() {
    let short = super::Settings { header_timeout: SOON, idle_timeout: SOON * 2, ..settings() };
    let site = Site::start(short).await;
    let io = TokioIo::new(connect(&site).await);
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    client.timer(hyper_util::rt::TokioTimer::new()).keep_alive_interval(SOON / 10).keep_alive_while_idle(true);
    let (mut client, connection) = client.handshake(io).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = Request::get(format!("http://{}/nothing", site.http)).body(Empty::<Bytes>::new()).expect("a request");
    let response = client.send_request(request).await.expect("an answer");
    assert_eq!(response.status(), 404);
    drop(response.into_body().collect().await.expect("a body"));
    let ended = timeout(PATIENCE, connection).await.expect("it is closed though it is pinged");
    ended.expect("no panic").expect("it is closed in good order");
    site.stop().await;
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_serves_again() {
    let site = Site::with_all().await;
    let mut stream = connect(&site).await;
    for _ in 0..3 {
        assert_eq!(keep(&mut stream, "/all.rss").await.status, 200);
        tokio::time::sleep(SOON * 2).await;
    }
    // Two at once, the second one in pieces.
    let text = "GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHo";
    stream.write_all(text.as_bytes()).await.expect("it takes bytes");
    tokio::time::sleep(SOON * 2).await;
    stream.write_all(b"st: a\r\nConnection: close\r\n\r\n").await.expect("it takes bytes");
    let bytes = rest(&mut stream).await;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("HTTP/1.1 404 "), "{text:.100}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_ours_is_not_held_against_the_client() {
    let short = super::Settings { header_timeout: SOON, idle_timeout: SOON, ..settings() };
    let site = Site::start(short).await;
    site.memory.put(Document::Feed(Key::all(), Format::Rss), &large("rss"));
    site.memory.close_bytes();
    let mut stream = connect(&site).await;
    let answered = tokio::spawn(async move { keep(&mut stream, "/all.rss").await.status });
    until(|| site.memory.waiting().0 == 1).await;
    tokio::time::sleep(SOON * 2).await;
    site.memory.open();
    assert_eq!(answered.await.expect("no panic"), 200);
    site.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told() {
    let site = Site::start(super::Settings { max_connections: 2, ..settings() }).await;
    let (mut one, mut two) = (connect(&site).await, connect(&site).await);
    keep(&mut one, "/nothing").await;
    keep(&mut two, "/nothing").await;
    let refused = Reply::parse(&rest(&mut connect(&site).await).await);
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
    drop(one);
    // A place that was given up is taken again.
    loop {
        let reply = site.get("/nothing", &[]).await;
        if reply.status == 404 {
            break;
        }
        assert_eq!(reply.status, 503);
    }
    site.stop().await;
}

#[tokio::test]
async fn a_client_may_close_its_side_and_pipeline() {
    let site = Site::with_all().await;
    let mut stream = connect(&site).await;
    let two = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(two.as_bytes()).await.expect("it takes bytes");
    stream.shutdown().await.expect("it half-closes");
    let bytes = rest(&mut stream).await;
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("HTTP/1.1 200 OK\r\n"), "{text:.300}");
    assert!(text.ends_with(&large("rss")));
    site.stop().await;
}

#[tokio::test]
async fn another_version_is_refused_on_a_connection_in_use() {
    let site = Site::with_all().await;
    let mut stream = connect(&site).await;
    keep(&mut stream, "/all.rss").await;
    stream.write_all(b"GET /all.rss HTTP/2.0\r\nHost: a\r\n\r\n").await.expect("it takes bytes");
    assert_eq!(Reply::parse(&rest(&mut stream).await).status, 505);
    site.stop().await;
}

#[tokio::test]
async fn a_body_does_no_harm() {
    let site = Site::with_all().await;
    let mut stream = connect(&site).await;
    let request = "GET /all.rss HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome text";
    stream.write_all(request.as_bytes()).await.expect("it takes bytes");
    let again = keep(&mut stream, "/all.rss").await;
    assert_eq!(again.status, 200);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_no_answer_that_was_begun() {
    let site = Site::start(settings()).await;
    let text = large("rss").repeat(20);
    site.memory.put(Document::Feed(Key::all(), Format::Rss), &text);
    site.memory.close_bytes();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(&site).await;
        stream.write_all(b"GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it takes bytes");
        clients.push(stream);
    }
    let mut idle = connect(&site).await;
    until(|| site.memory.waiting().0 == 1).await;
    let (http, memory, state) = (site.http.clone(), site.memory.clone(), site.state.clone());
    let stopping = tokio::spawn(site.stop());
    while TcpStream::connect(&http).await.is_ok() {}
    memory.open();
    for mut client in clients {
        let reply = Reply::parse(&rest(&mut client).await);
        assert_eq!((reply.status, reply.field("connection")), (200, Some("close")));
        assert_eq!(reply.text(), text);
    }
    assert_eq!(rest(&mut idle).await, b"");
    stopping.await.expect("it stopped");
    drop(state);
}

/// The kernel connects clients before we accept them. On one thread nothing is accepted between the two steps here.
#[tokio::test(flavor = "current_thread")]
async fn a_stop_answers_clients_that_are_connected_and_not_accepted() {
    let site = Site::with_all().await;
    assert_eq!(site.get("/all.rss", &[]).await.status, 200);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&site.http).expect("it listens");
            std::io::Write::write_all(&mut stream, b"GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n")
                .expect("it takes bytes");
            stream
        })
        .collect();
    site.stop().await;
    for mut client in clients {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut client, &mut bytes).expect("no reset");
        assert_eq!(Reply::parse(&bytes).text(), large("rss"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_no_longer_than_its_grace() {
    let site = Site::start(super::Settings { grace: SOON, ..settings() }).await;
    site.memory.put(Document::Feed(Key::all(), Format::Rss), "feed");
    site.memory.close_bytes();
    let mut stream = connect(&site).await;
    stream.write_all(b"GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it takes bytes");
    until(|| site.memory.waiting().0 == 1).await;
    let memory = site.memory.clone();
    site.stop().await;
    assert_eq!(rest(&mut stream).await, b"");
    memory.open();
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let site = Site::start(settings()).await;
    let taken = super::Settings { listen: Address::Tcp(site.http.clone()), ..settings() };
    let error = super::Bound::bind(&taken, super::Inherited::default()).await.expect_err("it is taken");
    assert!(error.to_string().starts_with(&format!("cannot listen on {}: ", site.http)), "{error}");
    site.stop().await;
}

#[tokio::test]
async fn unix_sockets_are_served_and_tidied_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("feedmill.sock");
    // One that a crash left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let site = Site::start(super::Settings { listen: Address::Unix(path.clone()), ..settings() }).await;
    assert_eq!(site.http, format!("unix:{}", path.display()));
    site.memory.put(Document::Feed(Key::all(), Format::Rss), "feed");
    let mut stream = UnixStream::connect(&path).await.expect("it listens");
    let request = b"GET /all.rss HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it takes bytes");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("it closes");
    assert_eq!(Reply::parse(&bytes).text(), "feed");
    site.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn http2_is_spoken_on_the_same_port() {
    let site = Site::with_all().await;
    let io = TokioIo::new(connect(&site).await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    for (method, length) in [("GET", large("rss").len()), ("HEAD", 0)] {
        let request = Request::builder().method(method).uri(format!("http://{}/all.rss", site.http));
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let response = client.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], large("rss").len().to_string());
        assert!(!response.headers().contains_key("connection"));
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body.len(), length, "{method}");
    }
    drop(client);
    let _ = connection.await;
    site.stop().await;
}
