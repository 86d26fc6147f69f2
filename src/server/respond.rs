//! The public address: a request → an answer, with the renditions of the moment.
//!
//! What is rare is boxed, so that the common answer stays small. Order: is it a request at all, is there a state to show, what is asked for, does it exist, does the client have it
//! already, which coding does it take, the bytes. A document that was asked for before and has not changed is answered
//! without leaving this task.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use hyper::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode, Version};

use super::answer::{Answer, Asked, Freshness};
use super::condition::{Verdict, evaluate};
use super::negotiate::{Codings, Media, media};
use super::page::Problem;
use super::readership::Readership;
use super::route::{Route, relative, route};
use super::{Settings, State};
use crate::entry::{Document, Format, Key, Kind, key_path};
use crate::metrics::Class;
use crate::rendition::{self, Coding, Renditions, Status};

/// When to come again before the first state can be shown, and when too much waits to be rendered.
const SOON: u32 = 2;

/// When to come again after an error that mends itself.
const LATER: u32 = 30;

/// How often a failure is logged at most.
const FAILURES_APART: Duration = Duration::from_secs(10);

/// Answers requests on the public address.
#[derive(Debug)]
pub struct Responder {
    state: Arc<State>,
    formats: Vec<Format>,
    freshness: Freshness,
    readership: Arc<Readership>,
    failures: Throttle,
}

/// Lets one of many log lines through: what fails for one client fails for all of them.
#[derive(Debug, Default)]
struct Throttle(Mutex<Option<Instant>>);

impl Throttle {
    /// Whether none was let through for a while.
    fn admits(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let admits = last.is_none_or(|last| now >= last + FAILURES_APART);
        if admits {
            *last = Some(now);
        }
        admits
    }
}

/// An answer, and what was asked for as far as metrics tell it apart.
pub type Answered = (Class, Answer);

impl Responder {
    /// A responder over the state that the daemon keeps up to date.
    pub fn new(state: Arc<State>, settings: &Settings, readership: Arc<Readership>) -> Responder {
        let (formats, freshness) = (settings.formats.clone(), Freshness::new(settings));
        Responder { state, formats, freshness, readership, failures: Throttle::default() }
    }

    /// Answers a request.
    pub async fn answer(&self, request: &Parts) -> Answered {
        if let Some(detail) = malformed(request) {
            return (Class::None, problem(request, StatusCode::BAD_REQUEST, detail));
        }
        let renditions = self.state.renditions.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(renditions) = renditions else {
            let answer = problem(request, StatusCode::SERVICE_UNAVAILABLE, "the articles are being read");
            return (Class::None, answer.retry_after(SOON));
        };
        let desk = Desk { responder: self, request, renditions };
        match route(&request.method, &request.uri) {
            Route::Document(document) => desk.document(&document, &Asked::ByPath).await,
            Route::Negotiate(key) => Box::pin(desk.negotiate(key)).await,
            Route::Slash(document) => Box::pin(desk.slash(document)).await,
            Route::MethodNotAllowed if is_preflight(request) => (Class::None, Answer::preflight()),
            Route::MethodNotAllowed => {
                let answer = problem(request, StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
                (Class::None, answer.allowing())
            }
            Route::NotFound => (Class::None, problem(request, StatusCode::NOT_FOUND, "nothing has this address")),
            Route::BadRequest => {
                (Class::None, problem(request, StatusCode::BAD_REQUEST, "the target is not a path of this server"))
            }
            Route::TooLong => (Class::None, problem(request, StatusCode::URI_TOO_LONG, "the target is too long")),
        }
    }
}

/// One request, with the renditions of the moment.
struct Desk<'a> {
    responder: &'a Responder,
    request: &'a Parts,
    renditions: Arc<Renditions>,
}

impl Desk<'_> {
    async fn document(&self, document: &Document, asked: &Asked) -> Answered {
        let class = Class::of(document);
        match self.try_document(document, asked).await {
            Ok(Some(answer)) => {
                if class == Class::Feed {
                    self.responder.readership.note(self.request, document, answer.status);
                }
                (class, answer)
            }
            Ok(None) => Box::pin(self.missing(document, asked)).await,
            Err(error) => (class, self.failed(document, &error)),
        }
    }

    /// `None` where there is no such document.
    async fn try_document(&self, document: &Document, asked: &Asked) -> Result<Option<Answer>, rendition::Error> {
        let headers = &self.request.headers;
        let renditions = &self.renditions;
        let freshness = &self.responder.freshness;
        let validators = match renditions.status(document).await? {
            Status::Here(validators) => validators,
            Status::Gone => return Ok(Some(self.problem(StatusCode::GONE, "the article was withdrawn"))),
            Status::Never => return Ok(None),
        };
        let codings = Codings::of(headers);
        let choice = codings.choose(|coding| renditions.is_ready(&validators, coding));
        let verdict = evaluate(headers, &validators, &codings);
        if verdict == Verdict::Failed {
            let answer = self.problem(StatusCode::PRECONDITION_FAILED, "the document is another one by now");
            return Ok(Some(answer.varying_by_coding()));
        }
        let Some(coding) = choice else {
            let answer = self.problem(
                StatusCode::NOT_ACCEPTABLE,
                "the document is there as gzip, br, zstd and identity, and the client takes none of them",
            );
            return Ok(Some(answer.varying_by_coding()));
        };
        if let Verdict::NotModified(named) = verdict {
            let coding = named.unwrap_or(coding);
            let answer = Answer::not_modified(document, &validators, coding, asked, freshness, Utc::now());
            return Ok(Some(answer));
        }
        // The second to ask for a state shows that brotli is worth its time.
        let again = renditions.is_ready(&validators, coding);
        let rendition = if codings.accepts(Coding::Identity) {
            renditions.get(document, coding).await?
        } else {
            renditions.get_encoded(document, coding).await?
        };
        if again && coding != Coding::Brotli && codings.accepts(Coding::Brotli) {
            renditions.prepare(document, &validators, Coding::Brotli);
        }
        Ok(rendition.map(|rendition| Answer::document(document, rendition, asked, freshness, Utc::now())))
    }

    /// `/KEY`.
    async fn negotiate(&self, key: Key) -> Answered {
        let formats = &self.responder.formats;
        let Some(media) = media(&self.request.headers, formats) else {
            return Box::pin(self.not_acceptable(key)).await;
        };
        let document = match media {
            Media::Html => Document::Page(key),
            Media::Feed(format) => Document::Feed(key, format),
        };
        let reference = relative(self.request.uri.path(), &document.path());
        self.document(&document, &Asked::ByKey(reference)).await
    }

    /// 406 with the list, for a feed that exists.
    async fn not_acceptable(&self, key: Key) -> Answered {
        let page = Document::Page(key.clone());
        match self.renditions.status(&page).await {
            Ok(Status::Here(_)) => {}
            Ok(Status::Gone | Status::Never) => return self.missing(&page, &Asked::ByKey(String::new())).await,
            Err(error) => return (Class::Page, self.failed(&page, &error)),
        }
        let feeds = self.responder.formats.iter().map(|&format| Document::Feed(key.clone(), format));
        let links = feeds.chain([page]).map(|document| {
            let reference = relative(self.request.uri.path(), &document.path());
            (reference, document.media_type().to_owned())
        });
        let problem =
            Problem::new(StatusCode::NOT_ACCEPTABLE, "none of the types that the client takes is here").links(links);
        (Class::None, Answer::problem(&problem, &self.request.headers).varying_by_coding())
    }

    /// A page's address without its slash.
    async fn slash(&self, document: Document) -> Answered {
        let class = Class::of(&document);
        match self.renditions.status(&document).await {
            Ok(Status::Here(_)) => {
                let reference = relative(self.request.uri.path(), &document.path());
                let answer = self.problem(StatusCode::PERMANENT_REDIRECT, "the address of this page ends in a slash");
                (class, answer.located(&reference))
            }
            Ok(Status::Gone) => (class, self.problem(StatusCode::GONE, "the article was withdrawn")),
            Ok(Status::Never) => self.missing(&document, &Asked::ByPath).await,
            Err(error) => (class, self.failed(&document, &error)),
        }
    }

    /// 404 with near names; or 307 or 300 where `/category/NAME` is short for a path.
    async fn missing(&self, document: &Document, asked: &Asked) -> Answered {
        let answer = match document.key() {
            None => Ok(self.problem(StatusCode::NOT_FOUND, "there is no such page")),
            Some(key) => self.missing_feed(document, key, asked).await,
        };
        match answer {
            Ok(answer) => (Class::None, answer),
            Err(error) => (Class::of(document), self.failed(document, &error)),
        }
    }

    async fn missing_feed(&self, document: &Document, key: &Key, asked: &Asked) -> Result<Answer, rendition::Error> {
        let named = if is_short(key) { self.renditions.named(key).await? } else { Vec::new() };
        let (status, detail, keys) = match named.len() {
            0 => {
                let similar = self.renditions.similar(key).await?;
                let detail = if similar.is_empty() {
                    "there is no such feed"
                } else {
                    "there is no such feed; these have a similar name"
                };
                (StatusCode::NOT_FOUND, detail, similar)
            }
            1 => (StatusCode::TEMPORARY_REDIRECT, "this name is short for a category", named),
            _ => (StatusCode::MULTIPLE_CHOICES, "several categories have this name", named),
        };
        let path = self.request.uri.path();
        let links: Vec<(String, String)> = keys
            .into_iter()
            .map(|key| {
                let name = key.to_string();
                (relative(path, &alike(document, asked, key)), name)
            })
            .collect();
        let location = links.first().filter(|_| status == StatusCode::TEMPORARY_REDIRECT).map(|(to, _)| to.clone());
        let answer = Answer::problem(&Problem::new(status, detail).links(links), &self.request.headers);
        Ok(match location {
            Some(location) => answer.located(&location),
            None => answer,
        })
    }

    /// 503: what went wrong is told to the operator, not to the client.
    fn failed(&self, document: &Document, error: &rendition::Error) -> Answer {
        if matches!(error, rendition::Error::Busy) {
            return self.problem(StatusCode::SERVICE_UNAVAILABLE, "too many ask at once").retry_after(SOON);
        }
        // Damage is told when it is found, by whoever mends it; what else fails tends to fail for every client.
        if !error.is_damage() && self.responder.failures.admits(Instant::now()) {
            let error = error as &dyn std::error::Error;
            tracing::error!(error, path = document.path(), "a document was not served");
        } else {
            tracing::debug!(%error, path = document.path(), "a document was not served");
        }
        self.problem(StatusCode::SERVICE_UNAVAILABLE, "the document cannot be made now").retry_after(LATER)
    }

    fn problem(&self, status: StatusCode, detail: &str) -> Answer {
        problem(self.request, status, detail)
    }
}

fn problem(request: &Parts, status: StatusCode, detail: &str) -> Answer {
    Answer::problem(&Problem::new(status, detail), &request.headers)
}

/// The path of another feed in the shape in which one was asked for.
fn alike(document: &Document, asked: &Asked, key: Key) -> String {
    match (asked, document) {
        (Asked::ByKey(_), _) => key_path(&key),
        (Asked::ByPath, Document::Feed(_, format)) => Document::Feed(key, *format).path(),
        (Asked::ByPath, Document::Archive(_, number, format)) => Document::Archive(key, *number, *format).path(),
        (Asked::ByPath, _) => Document::Page(key).path(),
    }
}

/// Whether a key may be short for a longer one.
fn is_short(key: &Key) -> bool {
    key.kind() == Kind::Category && key.names().len() == 1
}

/// Whether a browser asks on behalf of a script of another site (the CORS protocol's preflight).
fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Why a request must be refused whatever it asks for (RFC 9112 sections 3.2 and 6.1); `None` for a sound one.
pub(super) fn malformed(request: &Parts) -> Option<&'static str> {
    if request.version == Version::HTTP_2 {
        return None;
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version == Version::HTTP_11 => return Some("the Host field is missing"),
        (Some(_), Some(_)) => return Some("there is more than one Host field"),
        (Some(host), None) if !is_host(host.as_bytes()) => return Some("the Host field is malformed"),
        _ => {}
    }
    // Anything but this one coding once is how requests are smuggled past a proxy.
    let mut codings = request.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => None,
        _ => Some("the Transfer-Encoding is not understood"),
    }
}

/// A host with an optional port (RFC 9110 section 7.2). It is never empty in an http address (section 4.2.1).
fn is_host(value: &[u8]) -> bool {
    if value.is_empty() {
        return false;
    }
    // Without a parser where it can be, because every request comes here.
    let (name, port) = match value.iter().rposition(|&byte| byte == b':') {
        Some(colon) => (&value[..colon], &value[colon + 1..]),
        None => (value, &[][..]),
    };
    let plain = !name.is_empty()
        && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        && port.iter().all(u8::is_ascii_digit);
    plain || (Authority::try_from(value).is_ok() && !value.contains(&b'@'))
}
