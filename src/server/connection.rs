//! One request on a connection: hands it to whoever answers on this address, counts it, and turns the answer into
//! what hyper sends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use tokio::sync::watch;
use tokio::time::Instant;

use super::accept::{Door, Phase};
use super::admin::Admin;
use super::answer::Answer;
use super::guard::Activity;
use super::respond::{Answered, Responder};
use crate::metrics::{Class, Metrics};

/// Requests that one connection may send; then it is closed and the client opens another.
const REQUESTS: u32 = 100_000;

/// How much of a body that nobody asked for is read, so that the connection can be used again.
const BODY: usize = 64 * 1024;

/// How long we wait for such a body.
const BODY_TIME: Duration = Duration::from_secs(1);

/// Who answers.
#[derive(Debug)]
pub enum Handler {
    /// The public address.
    Public(Responder, Tally),
    /// The admin address.
    Admin(Admin, Tally),
}

/// Where requests are counted and logged.
#[derive(Debug)]
pub struct Tally {
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// `http.access_log`.
    pub access_log: bool,
}

impl Handler {
    /// Whether it is the public address.
    pub fn is_public(&self) -> bool {
        matches!(self, Handler::Public(..))
    }

    async fn answer(&self, request: &Parts) -> Answered {
        match self {
            Handler::Public(responder, _) => responder.answer(request).await,
            Handler::Admin(admin, _) => (Class::Admin, Box::pin(admin.answer(request)).await),
        }
    }

    fn tally(&self) -> &Tally {
        match self {
            Handler::Public(_, tally) | Handler::Admin(_, tally) => tally,
        }
    }
}

/// The other end of a connection.
#[derive(Debug)]
pub struct Caller {
    address: Option<IpAddr>,
    activity: Arc<Activity>,
    phase: watch::Receiver<Phase>,
}

impl Caller {
    /// A caller at an address; none over a Unix socket.
    pub fn new(address: Option<IpAddr>, activity: Arc<Activity>, phase: watch::Receiver<Phase>) -> Caller {
        Caller { address, activity, phase }
    }

    /// Whether an HTTP/2 connection has had all requests that it may have, or none for too long; on HTTP/1 the last
    /// answer says so.
    pub fn is_worn_out(&self) -> bool {
        self.activity.is_http2() && (self.activity.begun() >= REQUESTS || self.activity.take_idle())
    }

    /// Whether an HTTP/1 connection has become idle, all answers sent.
    pub fn is_idle(&self) -> bool {
        !self.activity.is_http2() && self.activity.take_idle()
    }

    /// Whether we are about to stop.
    fn is_last_call(&self) -> bool {
        !matches!(self.phase.has_changed(), Ok(false))
    }
}

/// Answers a request.
pub async fn answer(door: &Door, caller: &Caller, parts: &Parts, body: Incoming) -> Response<Bytes> {
    let handler = door.handler();
    let tally = handler.tally();
    let began = tally.access_log.then(Instant::now);
    let (serving, number) = caller.activity.begin(parts.version == Version::HTTP_2);
    if !body.is_end_stream() {
        // A client that waits for leave to send its body is not given it.
        let whole = !parts.headers.contains_key(EXPECT)
            && Box::pin(tokio::time::timeout(BODY_TIME, drain(body))).await.unwrap_or(false);
        if !whole {
            caller.activity.cut();
        }
    }
    let (class, answer) = handler.answer(parts).await;
    let Answer { status, headers, body } = answer;
    let body = if parts.method == Method::HEAD { Bytes::new() } else { body };
    tally.metrics.answered(class, status.as_u16(), body.len() as u64);
    if let Some(began) = began {
        let client = door.proxies().client(&parts.headers, caller.address);
        log(parts, client, status, body.len(), began.elapsed());
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // Where a body of chunks ends is not watched.
    let last = number >= REQUESTS
        || caller.is_last_call()
        || status == StatusCode::BAD_REQUEST
        || parts.headers.contains_key(TRANSFER_ENCODING);
    if parts.version == Version::HTTP_2 {
        caller.activity.owe(response.body().len());
    } else if last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    drop(serving);
    response
}

/// Reads and forgets a body, up to a limit; whether that was all of it.
async fn drain(mut body: Incoming) -> bool {
    let mut left = BODY;
    loop {
        match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => match left.checked_sub(frame.data_ref().map_or(1, Bytes::len)) {
                None => return false,
                Some(rest) => left = rest,
            },
        }
    }
}

/// One line a request. The query string is left out: it means nothing here and may hold a reader's token.
fn log(request: &Parts, client: Option<IpAddr>, status: StatusCode, bytes: usize, took: Duration) {
    let client = client.map(tracing::field::display);
    let agent = request.headers.get(hyper::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    tracing::info!(
        target: "feedmill::access",
        method = request.method.as_str(),
        path = request.uri.path(),
        status = status.as_u16(),
        bytes,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        client,
        agent,
        "answered"
    );
}
