//! What no honest client sends: requests that could be read in two ways, requests without end. For each shape, what
//! nginx 1.22 answers was looked at, and this server is no more lenient.

use super::{Site, exchange};

/// Asked on the same connection after each of the others: it shows whether the connection was kept.
const LAST: &[u8] = b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The statuses of all answers, of which only the last body is long enough to hold none by accident.
async fn statuses(site: &Site, request: &[u8]) -> Vec<u16> {
    let bytes = exchange(&site.http, &[request, LAST].concat()).await;
    let mark = b"HTTP/1.";
    let heads = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(mark));
    heads.filter_map(|at| std::str::from_utf8(bytes.get(at + 9..at + 12)?).ok()?.parse().ok()).collect()
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let site = Site::with_all().await;
    let get = |fields: &str| format!("GET /all.rss HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let kept = &[200, 404][..];
    for (request, expected) in [
        // Two lengths.
        (get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", &[400][..]),
        (get("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n") + "0\r\n\r\n", &[400]),
        (get("Content-Length: 1\r\nContent-Length: 1\r\n") + "a", &[400]),
        (get("") + &get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", &[200]),
        (get("Content-Length: 3\r\n") + "abc", kept),
        (get("Content-Length: 1\r\nContent-Length: 2\r\n") + "ab", &[400]),
        (get("Content-Length: 1, 2\r\n") + "ab", &[400]),
        (get("Content-Length: +1\r\n") + "a", &[400]),
        (get("Content-Length: -1\r\n"), &[400]),
        (get("Content-Length: 0x1\r\n") + "a", &[400]),
        (get("Content-Length: 1 1\r\n") + "a", &[400]),
        (get("Content-Length: 99999999999999999999\r\n"), &[400]),
        (get("Content-Length:\r\n"), &[400]),
        // Other codings than chunked, once.
        (get("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n", &[400]),
        (get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", &[400]),
        (get("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", &[400]),
        (get("Transfer-Encoding: gzip\r\n"), &[400]),
        (get("Transfer-Encoding: identity\r\n"), &[400]),
        (get("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n", &[400]),
        (get("Transfer-Encoding: \u{b}chunked\r\n") + "0\r\n\r\n", &[400]),
        (get("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n", &[400]),
        ("GET /all.rss HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), &[400]),
        (get("Transfer-Encoding: ChUnKeD\r\n") + "1;x=y\r\na\r\n0\r\n\r\n", &[200]),
        // Chunks that are none end the connection.
        (get("Transfer-Encoding: chunked\r\n") + "0x1\r\na\r\n0\r\n\r\n", &[200]),
        (get("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\na\r\n0\r\n\r\n", &[200]),
        (get("Transfer-Encoding: chunked\r\n") + "1\na\n0\n\n", &[200]),
        // Lines.
        (get("X: a\r\n b\r\n"), &[400]),
        (get("X: a\rb\r\n"), &[400]),
        (get("X : a\r\n"), &[400]),
        (get("Content-Length\t: 1\r\n") + "a", &[400]),
        (get("Xabc\r\n"), &[400]),
        (get(": a\r\n"), &[400]),
        (get("X: a\0b\r\n"), &[400]),
        (get("X\0: a\r\n"), &[400]),
        ("GET /all.rss HTTP/1.1\r\n Host: a\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\rHost: a\r\r".into(), &[400]),
        ("GET /all.rss HTTP/1.1\nHost: a\n\n".into(), kept),
        ("\r\nGET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), kept),
        // Hosts.
        ("GET /all.rss HTTP/1.1\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost:\r\n\r\n".into(), &[400]),
        (get("Host: a\r\n"), &[400]),
        (get("Host: b\r\n"), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: a b\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: a, b\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: a/b\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: u@a\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: [::1\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/1.1\r\nHost: [::1]:80\r\n\r\n".into(), kept),
        ("GET http://evil.example/all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), kept),
        // Request lines.
        ("GET /all.rss\r\n\r\n".into(), &[400]),
        ("GET all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("GET /all rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("GET /all\0.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("GET\t/all.rss\tHTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        (" GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("G<T /all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("GET /all.rss HTTP/2.0\r\nHost: a\r\n\r\n".into(), &[505]),
        ("GET /all.rss HTTP/1.2\r\nHost: a\r\n\r\n".into(), kept),
        ("GET /all.rss HTTP/9.9\r\nHost: a\r\n\r\n".into(), &[505]),
        ("GET /all.rss http/1.1\r\nHost: a\r\n\r\n".into(), &[400]),
        ("get /all.rss HTTP/1.1\r\nHost: a\r\n\r\n".into(), &[405, 404]),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(), &[400]),
        // Nothing is switched to that is not spoken here.
        (get("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"), kept),
        (get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), kept),
    ] {
        assert_eq!(statuses(&site, request.as_bytes()).await, expected, "{request:?}");
    }
    // HTTP/1.0 needs no host, and closes.
    assert_eq!(statuses(&site, b"GET /all.rss HTTP/1.0\r\n\r\n").await, [200]);
    site.stop().await;
}

#[tokio::test]
async fn requests_beyond_a_limit_are_refused() {
    let site = Site::with_all().await;
    let get = |fields: &str| format!("GET /all.rss HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let fields = |count: usize| (0..count).map(|n| format!("X{n}: a\r\n")).collect::<String>();
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length));
    let post = |length: usize| format!("POST /all.rss HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    for (name, request, expected) in [
        ("a large field", get(&format!("X: {}\r\n", "x".repeat(40_000))), &[431][..]),
        ("a larger field", get(&format!("X: {}\r\n", "x".repeat(400_000))), &[431]),
        ("many fields", get(&fields(90)), &[200, 404]),
        ("too many fields", get(&fields(500)), &[431]),
        ("a long target", line(9000), &[414, 404]),
        ("a longer target", line(40_000), &[414]),
        ("a target without end", line(400_000), &[414]),
        ("a body", post(9) + "some text", &[405, 404]),
        ("a large body", post(500_000) + &"x".repeat(500_000), &[405]),
    ] {
        assert_eq!(statuses(&site, request.as_bytes()).await, expected, "{name}");
    }
    let pipelined = get("").repeat(100);
    let answers = statuses(&site, pipelined.as_bytes()).await;
    assert_eq!((answers.len(), answers[100]), (101, 404));
    assert!(answers[..100].iter().all(|&status| status == 200));
    site.stop().await;
}

/// Not HTTP at all, and clients that go away in the midst of things.
#[tokio::test]
async fn noise_does_no_harm() {
    let site = Site::with_all().await;
    let noise: Vec<u8> = (0..=255).collect();
    assert_eq!(statuses(&site, &noise).await, [400]);
    assert_eq!(statuses(&site, b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03\0\0\0").await, [400]);
    for part in ["", "G", "GET /all.rss HT", "GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let stream = std::net::TcpStream::connect(&site.http).expect("it listens");
        std::io::Write::write_all(&mut &stream, part.as_bytes()).expect("it takes bytes");
        drop(stream);
    }
    assert_eq!(site.get("/all.rss", &[]).await.status, 200);
    site.stop().await;
}
