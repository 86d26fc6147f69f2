//! The protocols of a connection: HTTP/1.1 or cleartext HTTP/2 by its first bytes, each by hyper.
//!
//! An HTTP/1 connection without a request is *parked*: hyper's buffers are given back and only the socket is kept,
//! so that thousands of idle readers cost next to nothing. The next request begins where a new connection would.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;

use super::accept::{Door, Phase};
use super::connection::{Caller, answer};
use super::guard::Guarded;
use super::listen::Stream;

/// The greatest size of a request's headers (RFC 6585 section 5).
const HEADERS: usize = 32 * 1024;

/// Requests that an HTTP/2 connection may have open at once.
const STREAMS: u32 = 128;

/// What an HTTP/2 client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// hyper as every connection is served with.
#[derive(Debug)]
pub struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    /// hyper with our settings.
    pub fn new() -> Protocols {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            // Ours tells a client that is late with its headers from one that has nothing to ask.
            .header_read_timeout(None)
            // A client may close its side and still wait for the answer.
            .half_close(true)
            .max_buf_size(HEADERS);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(HEADERS).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS);
        Protocols { http1, http2 }
    }

    /// Serves a connection until it ends, or until the phases of stopping end it.
    pub async fn serve(
        &self,
        mut io: Guarded<Stream>,
        caller: &Caller,
        phase: &watch::Receiver<Phase>,
        service: Answering,
    ) {
        let mut closing = Stage::new(phase, Phase::Closing);
        let version = poll_fn(|cx| match closing.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Version::None),
            Poll::Pending => poll_version(&mut io, cx),
        });
        let version = version.await;
        let mut progress = Progress { closing, told: false, phase };
        match version {
            Version::None => {}
            Version::Http2 => {
                let mut connection = self.http2.serve_connection(TokioIo::new(io), service);
                progress.drive(&mut connection, caller).await;
            }
            // One by one, so that nothing of an idle connection is kept.
            Version::Http1 => loop {
                let mut connection = self.http1.serve_connection(TokioIo::new(io), service.clone());
                if progress.drive(&mut connection, caller).await == End::Closed {
                    break;
                }
                let parts = connection.into_parts();
                io = parts.io.into_inner();
                // A part of the next request may have come with the last one.
                if !parts.read_buf.is_empty() {
                    io.put_back(&parts.read_buf);
                    continue;
                }
                let wakes = poll_fn(|cx| match progress.closing.poll(cx) {
                    Poll::Ready(()) => Poll::Ready(false),
                    Poll::Pending => io.poll_look(cx),
                });
                if !wakes.await {
                    break;
                }
            },
        }
    }
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
    /// Nothing, or nothing that can be served.
    None,
}

fn poll_version(io: &mut Guarded<Stream>, cx: &mut Context<'_>) -> Poll<Version> {
    loop {
        let more = ready!(io.poll_look(cx));
        let said = io.ahead();
        if said.starts_with(PREFACE) {
            return Poll::Ready(Version::Http2);
        }
        if more && PREFACE.starts_with(said) {
            continue;
        }
        if said.is_empty() {
            return Poll::Ready(Version::None);
        }
        return Poll::Ready(Version::Http1);
    }
}

/// How a connection came to its end for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// For good.
    Closed,
    /// It has nothing to do.
    Idle,
}

/// A connection of either protocol.
trait Connection: Future<Output = hyper::Result<()>> + Unpin {
    /// Finishes what was begun, and no more.
    fn finish(&mut self);
}

impl Connection for http1::Connection<TokioIo<Guarded<Stream>>, Answering> {
    fn finish(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

impl Connection for http2::Connection<TokioIo<Guarded<Stream>>, Answering, TokioExecutor> {
    fn finish(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

/// How far a connection is with stopping.
struct Progress<'a> {
    closing: Stage,
    /// Whether it knows that it closes; then `closing` is the end of all waiting.
    told: bool,
    phase: &'a watch::Receiver<Phase>,
}

impl Progress<'_> {
    async fn drive(&mut self, connection: &mut impl Connection, caller: &Caller) -> End {
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(cx) {
                    if let Err(error) = ended {
                        tracing::trace!(%error, "a connection ended early");
                    }
                    return Poll::Ready(End::Closed);
                }
                let closing = self.closing.poll(cx).is_ready();
                if closing && self.told {
                    return Poll::Ready(End::Closed);
                }
                if !self.told && (closing || caller.is_worn_out()) {
                    self.told = true;
                    self.closing = Stage::new(self.phase, Phase::Over);
                    connection.finish();
                    continue;
                }
                if !self.told && caller.is_idle() {
                    return Poll::Ready(End::Idle);
                }
                return Poll::Pending;
            }
        })
        .await
    }
}

/// Waits for a phase of stopping. A connection wakes for each request; this future is polled only when it was this
/// future that woke it.
struct Stage {
    reached: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Option<Arc<Bell>>,
}

/// Passes a wake on, and remembers it.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Stage {
    fn new(phase: &watch::Receiver<Phase>, stage: Phase) -> Stage {
        let mut phase = phase.clone();
        let reached = Box::pin(async move {
            // Without a sender nothing is left to wait for.
            let _ = phase.wait_for(|phase| *phase >= stage).await;
        });
        Stage { reached, bell: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bell = match &self.bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => bell,
            _ => self.bell.insert(Arc::new(Bell { rung: AtomicBool::new(true), task: cx.waker().clone() })),
        };
        if !bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(bell));
        self.reached.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub struct Answering {
    door: Arc<Door>,
    caller: Arc<Caller>,
}

impl Answering {
    /// Answers who came through a door.
    pub fn new(door: &Arc<Door>, caller: &Arc<Caller>) -> Answering {
        Answering { door: Arc::clone(door), caller: Arc::clone(caller) }
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    // Boxed, so that a connection without a request does not hold the room for one.
    type Future = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (door, caller) = (Arc::clone(&self.door), Arc::clone(&self.caller));
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            let response = answer(&door, &caller, &parts, body).await;
            Ok(response.map(Full::new))
        })
    }
}
