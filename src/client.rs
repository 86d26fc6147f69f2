//! A minimal HTTP/1.1 client, for `status` and `healthcheck` to ask the daemon on this machine.
//!
//! One request a connection, over TCP or a unix socket, with a limit on time and size. No redirects, no TLS.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::server::Address;

/// A daemon on the same machine answers at once or is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const LARGEST: usize = 16 << 20;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("{address} cannot be reached")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The answer is no HTTP, or ended early.
    #[error("{address} gives no proper answer")]
    Broken {
        /// Where.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("{address} does not answer within {PATIENCE:?}")]
    Slow {
        /// Where.
        address: String,
    },
}

/// Asks for a path.
///
/// # Errors
///
/// Where nobody answers, or not in time.
pub fn get(address: &Address, path: &str) -> Result<Answer, Error> {
    let name = || shown(address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Connect { address: name(), source })?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, ask(address, path)).await;
        asked.unwrap_or_else(|_| Err(Error::Slow { address: name() }))
    })
}

async fn ask(address: &Address, path: &str) -> Result<Answer, Error> {
    let connect = |source| Error::Connect { address: shown(address), source };
    match address {
        Address::Tcp(text) => {
            let stream = TcpStream::connect(reachable(text)).await.map_err(connect)?;
            exchange(stream, address, text, path).await
        }
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket).await.map_err(connect)?;
            exchange(stream, address, "localhost", path).await
        }
    }
}

/// An address as the config writes it.
pub fn shown(address: &Address) -> String {
    match address {
        Address::Tcp(text) => text.clone(),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Any address of this machine is reached by the loopback one.
fn reachable(text: &str) -> String {
    match text.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => text.to_owned(),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: &Address,
    host: &str,
    path: &str,
) -> Result<Answer, Error> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| Error::Broken { address: shown(address), source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(e.into()))?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, host)
        .header(hyper::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| broken(e.into()))?;
    let response = sender.send_request(request).await.map_err(|e| broken(e.into()))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LARGEST).collect().await.map_err(broken)?.to_bytes();
    driver.abort();
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn answer(mut stream: impl Read + Write, text: &str) -> String {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
            request.push(byte[0]);
        }
        stream.write_all(text.as_bytes()).expect("written");
        String::from_utf8(request).expect("a request")
    }

    #[test]
    fn tcp_and_unix_sockets_are_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = Address::Tcp(listener.local_addr().expect("an address").to_string());
        let server = std::thread::spawn(move || {
            answer(listener.accept().expect("a client").0, "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno")
        });
        let got = get(&address, "/readyz").expect("an answer");
        assert_eq!((got.status, &got.body[..]), (503, &b"no"[..]));
        assert!(server.join().expect("served").starts_with("GET /readyz HTTP/1.1\r\n"));

        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).expect("bound");
        let server = std::thread::spawn(move || {
            answer(listener.accept().expect("a client").0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny")
        });
        assert_eq!(get(&Address::Unix(path), "/").expect("an answer").status, 200);
        server.join().expect("served");
    }

    #[test]
    fn nobody_is_told_from_nonsense() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = Address::Tcp(listener.local_addr().expect("an address").to_string());
        let server = std::thread::spawn(move || {
            answer(listener.accept().expect("a client").0, "SSH-2.0-x\r\n\r\n");
        });
        assert!(matches!(get(&address, "/"), Err(Error::Broken { .. })));
        server.join().expect("served");
        assert!(matches!(get(&address, "/"), Err(Error::Connect { .. })));
        assert_eq!(reachable("0.0.0.0:80"), "127.0.0.1:80");
    }
}
