//! Listening sockets and the streams they give, TCP or Unix; bound here, or handed over by a service manager. And one
//! without any address, for the daemon itself.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::{Address, Socket};

/// Connections that may wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: u32 = 4096;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// With the address that the system gave.
    Tcp(TcpListener, SocketAddr),
    /// With its name, and its file where we are the ones who made it.
    Unix { listener: UnixListener, name: String, _file: Option<SocketFile> },
    /// What [`Within`] connects to.
    Within(mpsc::Receiver<StdUnixStream>),
}

/// Connects this process to its own server where that has no address that can be reached from here.
#[derive(Debug)]
pub struct Within(mpsc::Sender<StdUnixStream>);

impl Within {
    /// The listener and the way to it.
    pub fn new() -> (Listener, Within) {
        let (connect, connected) = mpsc::channel(1);
        (Listener::Within(connected), Within(connect))
    }

    /// A connection; it does not block.
    ///
    /// # Errors
    ///
    /// Where the one before was not accepted yet, and those of the system.
    pub fn connect(&self) -> io::Result<StdUnixStream> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        self.0.try_send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

/// The file of a Unix socket of ours; removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that is gone already is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds an address.
    pub async fn bind(address: &Address) -> io::Result<Listener> {
        let bound = match address {
            Address::Tcp(text) => bind_tcp(text).await,
            Address::Unix(path) => bind_unix(path).await,
        };
        bound.map_err(|error| {
            let name = match address {
                Address::Tcp(text) => text.clone(),
                Address::Unix(path) => format!("unix:{}", path.display()),
            };
            io::Error::new(error.kind(), format!("cannot listen on {name}: {error}"))
        })
    }

    /// Takes a socket that was bound by somebody else, who also keeps it: nothing of it is removed at the end.
    pub fn take(socket: Socket) -> io::Result<Listener> {
        match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok(Listener::Tcp(TcpListener::from_std(listener)?, address))
            }
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                let name = match (address.as_pathname(), address.as_abstract_name()) {
                    (Some(path), _) => format!("unix:{}", path.display()),
                    (None, Some(name)) => format!("unix:@{}", String::from_utf8_lossy(name)),
                    (None, None) => "unix:".to_owned(),
                };
                Ok(Listener::Unix { listener: UnixListener::from_std(listener)?, name, _file: None })
            }
        }
    }

    /// The address as bound.
    pub fn address(&self) -> String {
        match self {
            Listener::Tcp(_, address) => address.to_string(),
            Listener::Unix { name, .. } => name.clone(),
            Listener::Within(_) => String::new(),
        }
    }

    /// The next connection, and the address it comes from.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Option<IpAddr>)>> {
        match self {
            Listener::Tcp(listener, _) => listener.poll_accept(cx).map_ok(|(stream, from)| {
                // Answers are written whole: nothing is gained by waiting for more.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(stream), Some(from.ip().to_canonical()))
            }),
            Listener::Unix { listener, .. } => {
                listener.poll_accept(cx).map_ok(|(stream, _)| (Stream::Unix(stream), None))
            }
            Listener::Within(connected) => match connected.poll_recv(cx) {
                Poll::Ready(Some(stream)) => {
                    Poll::Ready(UnixStream::from_std(stream).map(|stream| (Stream::Unix(stream), None)))
                }
                // Without anybody who could connect nobody will.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }
}

async fn bind_tcp(text: &str) -> io::Result<Listener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in tokio::net::lookup_host(text).await? {
        match listen_tcp(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart takes the port while old connections of it still end.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok(Listener::Tcp(listener, bound))
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    // A socket that nobody answers on was left by a crash.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let file = Some(SocketFile(path.to_owned()));
    Ok(Listener::Unix { listener, name: format!("unix:{}", path.display()), _file: file })
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
