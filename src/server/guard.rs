//! A guarded stream: cuts clients that hold a connection and do not get on with it.
//!
//! hyper has one timer for the time to send headers and the time between requests, none before the first byte, and
//! none for a client that does not read. Here each has its own: the time to the end of the headers (408), the time
//! without a request (closed), and the least speed of reading. What [`Heads`] refuses is not handed on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::Heads;

/// Said to a client whose headers never end; the connection is not usable after that.
const TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The least speed of a client that reads, in bytes a second.
const LEAST_SPEED: u64 = 100;

/// How long and how much we read on from a client that was answered before it had said all.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 1024 * 1024);

/// After so long without a request, what was made for the connection may be put away.
const PARK: Duration = Duration::from_millis(100);

/// How much is looked at of what a client says first.
const FIRST: usize = 1024;

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request, or from the opening, to the end of its headers.
    pub header: Duration,
    /// Without a request.
    pub idle: Duration,
    /// Over which the speed of reading is measured.
    pub stall: Duration,
}

/// What the one who answers tells the stream of its connection.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Requests that were begun.
    begun: AtomicU32,
    /// Requests that are being answered.
    serving: AtomicU32,
    /// When the last answer was ready, in milliseconds since the opening.
    answered: AtomicU64,
    /// Whether the connection is HTTP/2, where bytes do not mean that a request has begun.
    http2: AtomicBool,
    /// Bytes of bodies that were answered over HTTP/2.
    owed: AtomicU64,
    /// Whether a body was answered without having been read to its end.
    cut: AtomicBool,
    /// One more than the requests that had begun when the connection was found idle for a while; 0 before.
    idle: AtomicU32,
}

impl Activity {
    /// Of a connection that opens now.
    pub fn new() -> Activity {
        Activity {
            opened: Instant::now(),
            begun: AtomicU32::new(0),
            serving: AtomicU32::new(0),
            answered: AtomicU64::new(0),
            http2: AtomicBool::new(false),
            owed: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            idle: AtomicU32::new(0),
        }
    }

    /// Whether a connection has become idle since this was asked last, and still is: a request may have begun right
    /// after it was found idle.
    pub fn take_idle(&self) -> bool {
        let found = self.idle.load(Ordering::Relaxed);
        if found == 0 {
            return false;
        }
        self.idle.store(0, Ordering::Relaxed);
        found == self.begun() + 1 && self.serving.load(Ordering::Relaxed) == 0
    }

    /// Notes that a body was not read to its end.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Notes that a request is being answered, until the result is dropped; and which number it has, from 1.
    pub fn begin(self: &Arc<Self>, http2: bool) -> (Serving, u32) {
        if http2 {
            self.http2.store(true, Ordering::Relaxed);
        }
        self.serving.fetch_add(1, Ordering::Relaxed);
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        (Serving(Arc::clone(self)), number)
    }

    /// Notes that a body of so many bytes was answered over HTTP/2.
    pub fn owe(&self, bytes: usize) {
        self.owed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many requests were begun.
    pub fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether the requests came over HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    fn answered(&self) -> Instant {
        self.opened + Duration::from_millis(self.answered.load(Ordering::Relaxed))
    }
}

/// A request is being answered.
#[derive(Debug)]
pub struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.answered.fetch_max(since, Ordering::Relaxed);
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the client is late with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    /// The end of the headers that it began.
    Headers,
    /// A request.
    Request,
}

/// A stream with limits.
#[derive(Debug)]
pub struct Guarded<S> {
    stream: S,
    activity: Arc<Activity>,
    limits: Limits,
    /// What was looked at ahead and not read yet.
    ahead: Vec<u8>,
    /// When the first byte came of a head that is not complete, and how many requests had begun then.
    heard: Option<(Instant, u32)>,
    /// Where in the client's requests its bytes are.
    heads: Heads,
    /// Whether nothing more is taken from the client.
    refused: bool,
    /// When bytes of an answer were last taken from us.
    wrote: Instant,
    /// Wakes for the limits of reading; armed for this time or earlier than needed, never later.
    alarm: Pin<Box<Sleep>>,
    /// The window in which the speed of reading is measured, while the client does not take all.
    window: Option<Window>,
    written: u64,
    /// When an HTTP/2 client that was told goodbye is closed; `None` before it was told.
    goodbye: Option<Instant>,
    /// How much may still be read before we close; `None` before closing began.
    linger: Option<usize>,
}

#[derive(Debug)]
struct Window {
    end: Pin<Box<Sleep>>,
    written: u64,
}

impl<S> Guarded<S> {
    /// Guards a stream.
    pub fn new(stream: S, activity: Arc<Activity>, limits: Limits) -> Guarded<S> {
        let opened = activity.opened;
        Guarded {
            stream,
            limits,
            ahead: Vec::new(),
            heard: None,
            heads: Heads::default(),
            refused: false,
            wrote: opened,
            alarm: Box::pin(sleep_until(opened + limits.header)),
            window: None,
            written: 0,
            goodbye: None,
            linger: None,
            activity,
        }
    }

    /// Until when the client has time, and for what; `None` while we are the ones who are working.
    fn deadline(&self) -> Option<(Instant, Late)> {
        let activity = &*self.activity;
        if activity.serving.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let begun = activity.begun();
        let http2 = activity.is_http2();
        if let Some(goodbye) = self.goodbye {
            return Some((goodbye, Late::Request));
        }
        match self.heard {
            Some((at, before)) if before == begun && !http2 => Some((at + self.limits.header, Late::Headers)),
            _ if begun == 0 => Some((activity.opened + self.limits.header, Late::Request)),
            _ => Some((activity.answered().max(self.wrote) + self.limits.idle, Late::Request)),
        }
    }

    /// When the connection will have been idle for a while; `None` where it is not idle, or has been told so.
    fn parks(&self) -> Option<Instant> {
        let activity = &*self.activity;
        let idle = self.window.is_none() && activity.begun() > 0 && !activity.is_http2() && !self.is_unheard();
        (idle && activity.idle.load(Ordering::Relaxed) == 0).then(|| activity.answered().max(self.wrote) + PARK)
    }

    /// What the client is late with, or `Pending` with the alarm set.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        loop {
            let Some((deadline, late)) = self.deadline() else { return Poll::Pending };
            let parks = self.parks();
            let next = parks.map_or(deadline, |parks| parks.min(deadline));
            if self.alarm.deadline() > next {
                self.alarm.as_mut().reset(next);
            }
            ready!(self.alarm.as_mut().poll(cx));
            let now = Instant::now();
            if now >= deadline && self.activity.is_http2() && self.goodbye.is_none() {
                // HTTP/2 has a word for it (RFC 9113 section 9.1): whoever drives the connection says it.
                self.goodbye = Some(now + self.limits.header);
                self.activity.idle.store(self.activity.begun() + 1, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                continue;
            }
            if now >= deadline {
                return Poll::Ready(late);
            }
            if parks.is_some_and(|parks| now >= parks) {
                self.activity.idle.store(self.activity.begun() + 1, Ordering::Relaxed);
                self.alarm.as_mut().reset(deadline);
            } else {
                self.alarm.as_mut().reset(next);
            }
        }
    }

    /// Whether the client was answered before it had said all.
    fn is_unheard(&self) -> bool {
        let activity = &*self.activity;
        let begun = activity.begun();
        let half = self.heard.is_some_and(|(_, before)| before == begun);
        !activity.is_http2() && (half || activity.cut.load(Ordering::Relaxed))
    }

    /// Notes how much of `wanted` bytes the client took.
    fn took(&mut self, written: usize, wanted: usize) {
        // What goes out over HTTP/2 beyond the answers acknowledges pings, and those ask for nothing.
        if !self.activity.is_http2() || self.written < self.activity.owed.load(Ordering::Relaxed) {
            self.wrote = Instant::now();
        }
        self.written += written as u64;
        if written >= wanted {
            self.window = None;
        }
    }

    /// Fails once the client has been too slow over a whole window.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let (written, stall) = (self.written, self.limits.stall);
        let window =
            self.window.get_or_insert_with(|| Window { end: Box::pin(sleep_until(Instant::now() + stall)), written });
        loop {
            ready!(window.end.as_mut().poll(cx));
            if (written - window.written) < LEAST_SPEED * stall.as_secs().max(1) {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly"));
            }
            window.written = written;
            window.end.as_mut().reset(Instant::now() + stall);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// What was looked at ahead.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Looks at more of what the client says without taking it; false where it says no more.
    pub fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut first = [0; FIRST];
        let mut first = ReadBuf::new(&mut first);
        let read = ready!(self.poll_stream(cx, &mut first));
        if read.is_err() {
            self.ahead.clear();
            return Poll::Ready(false);
        }
        self.ahead.extend_from_slice(first.filled());
        Poll::Ready(!first.filled().is_empty())
    }

    /// Takes back what was read of a request that is not complete; its time begins.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.ahead.extend_from_slice(bytes);
        self.heard = Some((Instant::now(), self.activity.begun()));
    }

    /// Says a last word to a client that cannot be served; it fits into the empty buffer of the socket.
    pub fn say(&mut self, cx: &mut Context<'_>, word: &[u8]) {
        let _ = Pin::new(&mut self.stream).poll_write(cx, word);
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            if buf.filled().len() > before {
                let begun = self.activity.begun();
                if self.heard.is_none_or(|(_, before)| before != begun) {
                    self.heard = Some((Instant::now(), begun));
                }
                if let Err((refusal, whole)) = self.heads.watch(&mut buf.filled_mut()[before..]) {
                    self.refused = true;
                    // A word must not come into the midst of an answer.
                    let serving = self.activity.serving.load(Ordering::Relaxed) > 0 || self.window.is_some();
                    if whole == 0 && !serving {
                        self.say(cx, refusal.word());
                    }
                    // As if the client had closed.
                    buf.set_filled(before + whole);
                }
            }
            return Poll::Ready(read);
        }
        match ready!(self.poll_late(cx)) {
            // As if the client had closed: nothing of a request is lost.
            Late::Request => Poll::Ready(Ok(())),
            Late::Headers => {
                self.say(cx, TIMEOUT);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the headers never ended")))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return this.poll_stream(cx, buf);
        }
        let taken = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..taken]);
        if taken == this.ahead.len() {
            this.ahead = Vec::new();
        } else {
            this.ahead.drain(..taken);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Ready(written) => {
                this.took(*written.as_ref().unwrap_or(&0), buf.len());
                Poll::Ready(written)
            }
            Poll::Pending => this.poll_stalled(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // An answer without a body is one piece, which the kernel takes for less by the simpler call.
        if let [whole] = bufs {
            return self.poll_write(cx, whole);
        }
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write_vectored(cx, bufs) {
            Poll::Ready(written) => {
                this.took(*written.as_ref().unwrap_or(&0), bufs.iter().map(|buf| buf.len()).sum());
                Poll::Ready(written)
            }
            Poll::Pending => this.poll_stalled(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Closes our side; then reads on for a moment where the client still speaks, because closing with bytes unread
    /// resets the connection and takes the answer from the client (RFC 9112 section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut left = match this.linger {
            Some(left) => left,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.is_unheard() {
                    return Poll::Ready(Ok(()));
                }
                this.alarm.as_mut().reset(Instant::now() + LINGER.0);
                LINGER.1
            }
        };
        loop {
            let mut scratch = [0; 4096];
            let mut scratch = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut scratch) {
                Poll::Ready(Ok(())) if !scratch.filled().is_empty() && scratch.filled().len() <= left => {
                    left -= scratch.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    this.linger = Some(left);
                    return this.alarm.as_mut().poll(cx).map(Ok);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const LIMITS: Limits =
        Limits { header: Duration::from_secs(3), idle: Duration::from_secs(60), stall: Duration::from_secs(60) };

    fn guarded() -> (DuplexStream, Guarded<DuplexStream>, Arc<Activity>) {
        let (client, ours) = duplex(1024);
        let activity = Arc::new(Activity::new());
        (client, Guarded::new(ours, Arc::clone(&activity), LIMITS), activity)
    }

    /// Serves a request and waits until the connection is found idle.
    async fn until_found_idle(client: &mut DuplexStream, io: &mut Guarded<DuplexStream>, activity: &Arc<Activity>) {
        let mut bytes = [0; 64];
        client.write_all(b"GET").await.expect("taken");
        assert_eq!(io.read(&mut bytes).await.expect("said"), 3);
        drop(activity.begin(false));
        tokio::select! {
            biased;
            _ = io.read(&mut bytes) => panic!("nothing was said"),
            () = tokio::time::sleep(PARK * 2) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_found_idle_once() {
        let (mut client, mut io, activity) = guarded();
        assert!(!activity.take_idle());
        until_found_idle(&mut client, &mut io, &activity).await;
        assert!(activity.take_idle());
        assert!(!activity.take_idle());
    }

    /// A connection that was put away with a request in it never answered.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_in_the_instant_in_which_its_connection_was_found_idle_keeps_it() {
        let (mut client, mut io, activity) = guarded();
        until_found_idle(&mut client, &mut io, &activity).await;
        let (serving, number) = activity.begin(false);
        assert_eq!(number, 2);
        assert!(!activity.take_idle(), "it is being answered");
        drop(serving);

        until_found_idle(&mut client, &mut io, &activity).await;
        drop(activity.begin(false));
        assert!(!activity.take_idle(), "its answer may not have been sent");
    }
}
