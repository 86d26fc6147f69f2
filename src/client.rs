//! A minimal HTTP/1.1 client: `status` and `healthcheck` ask the daemon on this machine, the daemon tells hubs.
//!
//! One request a connection, over TCP, TLS or a unix socket, with a limit on time and size. No redirects.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::server::{Address, Within};

/// A daemon on the same machine answers at once or is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// A hub may be far away.
const PATIENCE_AFAR: Duration = Duration::from_secs(10);

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
    #[error("{address} does not answer within {patience:?}")]
    Slow {
        /// Where.
        address: String,
        /// How long it had.
        patience: Duration,
    },
}

/// Asks for a path.
///
/// # Errors
///
/// Where nobody answers, or not in time.
pub fn get(address: &Address, path: &str) -> Result<Answer, Error> {
    within(PATIENCE, &shown(address), ask(address, path))
}

/// Asks this process's own server for a path.
///
/// # Errors
///
/// Where it does not answer, or not in time.
pub fn get_within(server: &Within, path: &str) -> Result<Answer, Error> {
    let address = || "the server".to_owned();
    within(PATIENCE, &address(), async {
        let stream = server.connect().and_then(UnixStream::from_std);
        let stream = stream.map_err(|source| Error::Connect { address: address(), source })?;
        let request = hyper::Request::get(path).header(hyper::header::HOST, "localhost");
        exchange(stream, address(), request, String::new()).await
    })
}

/// Sends a form to an http or https URL (HTML, "application/x-www-form-urlencoded"); the status of the answer.
///
/// # Errors
///
/// Where nobody answers, or not in time, or TLS does not trust who does.
pub fn post(url: &Url, form: String) -> Result<u16, Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    within(PATIENCE_AFAR, url.as_str(), send(url, form, roots)).map(|answer| answer.status)
}

/// Runs a request of its own.
fn within(
    patience: Duration,
    address: &str,
    request: impl Future<Output = Result<Answer, Error>>,
) -> Result<Answer, Error> {
    let address = || address.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Connect { address: address(), source })?;
    runtime.block_on(async {
        let asked = tokio::time::timeout(patience, request).await;
        asked.unwrap_or_else(|_| Err(Error::Slow { address: address(), patience }))
    })
}

async fn send(url: &Url, form: String, roots: RootCertStore) -> Result<Answer, Error> {
    let address = url.to_string();
    let connect = |source| Error::Connect { address: url.to_string(), source };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(connect(std::io::Error::other("no host")));
    };
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = hyper::Request::post(target)
        .header(hyper::header::HOST, authority)
        .header(hyper::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(hyper::header::USER_AGENT, concat!("feedmill/", env!("CARGO_PKG_VERSION")));
    let host = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, port)).await.map_err(connect)?;
    if url.scheme() != "https" {
        return exchange(stream, address, request, form).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| connect(std::io::Error::other(error)))?;
    let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(connect)?;
    exchange(stream, address, request, form).await
}

async fn ask(address: &Address, path: &str) -> Result<Answer, Error> {
    let connect = |source| Error::Connect { address: shown(address), source };
    let request = |host: &str| hyper::Request::get(path).header(hyper::header::HOST, host);
    match address {
        Address::Tcp(text) => {
            let stream = TcpStream::connect(reachable(text)).await.map_err(connect)?;
            exchange(stream, shown(address), request(text), String::new()).await
        }
        Address::Unix(socket) => {
            let stream = UnixStream::connect(socket).await.map_err(connect)?;
            exchange(stream, shown(address), request("localhost"), String::new()).await
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
    address: String,
    request: hyper::http::request::Builder,
    body: String,
) -> Result<Answer, Error> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| Error::Broken { address: address.clone(), source };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(e.into()))?;
    let driver = tokio::spawn(connection);
    let request = request
        .header(hyper::header::CONNECTION, "close")
        .body(Full::<Bytes>::from(body))
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

    use std::path::Path;

    use tokio_rustls::rustls;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
    fn forms_are_sent_to_whom_tls_trusts() {
        let read =
            |name| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)).expect("read");
        let certificate = CertificateDer::from_pem_slice(&read("localhost.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(&read("localhost.key")).expect("a key");
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("they belong together");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let next = || {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
                rustls::StreamOwned::new(connection, listener.accept().expect("a client").0)
            };
            let request = answer(next(), "HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n");
            let refused = next().read(&mut [0]).is_err();
            (request, refused)
        });
        let url = Url::parse(&format!("https://localhost:{port}/hub?a=b")).expect("a URL");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a root");
        let sent = within(PATIENCE, url.as_str(), send(&url, "a=1&b=2".to_owned(), roots));
        assert_eq!(sent.expect("an answer").status, 202);
        let error = post(&url, String::new()).expect_err("nobody vouches for it");
        assert!(
            matches!(&error, Error::Connect { source, .. } if source.to_string().contains("certificate")),
            "{error:?}"
        );
        let (request, refused) = server.join().expect("served");
        assert!(refused, "nothing is said to a server that is not trusted");
        assert!(request.starts_with("POST /hub?a=b HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: localhost:{port}\r\n")) && request.contains("content-length: 7\r\n"));
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
