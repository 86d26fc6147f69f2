//! An answer: status, headers and body, decided from values alone. Pure.
//!
//! Every answer says how it may be cached and what it varies by; a 304 repeats what the 200 would have said (RFC 9110
//! section 15.4.5). `Range` is not offered: feeds are small, and a part of one helps nobody.

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

use super::Settings;
use super::condition::last_modified;
use super::page::Problem;
use crate::entry::{Document, Timestamp};
use crate::rendition::{Coding, ETag, Rendition, Validators};

/// Archive pages change only by edits and withdrawals.
const ARCHIVE_MAX_AGE: u64 = 3600;

/// For how long a cache may show the last good answer while we do not answer.
const STALE_IF_ERROR: u64 = 86_400;

/// What pages may load: our own style sheet, and the pictures and recordings that articles show. No script at all.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src * data:; media-src *; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the operator's page may load: its own files, and itself anew.
const STATUS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                             base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Of pages of the admin address: their style sheet and nothing else.
const ADMIN_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What error pages may load.
pub(super) const BARE_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long answers may be cached, as header values.
#[derive(Clone, Debug)]
pub struct Freshness {
    live: HeaderValue,
    archive: HeaderValue,
}

impl Freshness {
    /// By `http.max_age`.
    pub fn new(settings: &Settings) -> Freshness {
        let control = |age: u64| {
            let text = format!("max-age={age}, stale-while-revalidate={age}, stale-if-error={STALE_IF_ERROR}");
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("no-cache"))
        };
        let live = settings.max_age.as_secs();
        Freshness { live: control(live), archive: control(live.max(ARCHIVE_MAX_AGE)) }
    }

    fn of(&self, document: &Document) -> HeaderValue {
        match document {
            Document::Archive(..) => self.archive.clone(),
            _ => self.live.clone(),
        }
    }
}

/// By which address a document was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its own.
    ByPath,
    /// `/KEY`; with the relative reference to its own.
    ByKey(String),
}

/// A response, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, all but `Date` and those of the connection.
    pub headers: HeaderMap,
    /// Its body, also where it answers HEAD.
    pub body: Bytes,
}

impl Answer {
    /// 200 with a document.
    pub fn document(
        document: &Document,
        rendition: Rendition,
        asked: &Asked,
        freshness: &Freshness,
        now: Timestamp,
    ) -> Answer {
        let Rendition { validators, coding, bytes } = rendition;
        let mut headers = HeaderMap::with_capacity(12);
        validate(&mut headers, document, &validators, coding, asked, freshness, now);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(document.media_type()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        if coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_page(document) {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
        }
        if is_open(document) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
        }
        Answer { status: StatusCode::OK, headers, body: Bytes::from_owner(bytes) }
    }

    /// 304 to a client that has the document.
    pub fn not_modified(
        document: &Document,
        validators: &Validators,
        coding: Coding,
        asked: &Asked,
        freshness: &Freshness,
        now: Timestamp,
    ) -> Answer {
        let mut headers = HeaderMap::with_capacity(6);
        validate(&mut headers, document, validators, coding, asked, freshness, now);
        Answer { status: StatusCode::NOT_MODIFIED, headers, body: Bytes::new() }
    }

    /// An error or another answer that says something in words, in the form that the client prefers.
    pub fn problem(problem: &Problem<'_>, request: &HeaderMap) -> Answer {
        let (media_type, body) = problem.write(request);
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(BARE_POLICY));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        Answer { status: problem.status, headers, body: body.into() }
    }

    /// An answer of the admin address: never kept by a cache.
    pub fn admin(status: StatusCode, media_type: &'static str, body: String) -> Answer {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ADMIN_POLICY));
        Answer { status, headers, body: body.into() }
    }

    /// The same for the operator's page, which has a script and a style sheet of its own.
    pub fn scripted(mut self) -> Answer {
        self.headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(STATUS_POLICY));
        self
    }

    /// 204 to a browser that asks whether a script of another site may send conditions with a GET.
    pub fn preflight() -> Answer {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ALLOW, HeaderValue::from_static(ALLOWED));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED));
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Accept, Cache-Control, If-Modified-Since, If-None-Match"),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        Answer { status: StatusCode::NO_CONTENT, headers, body: Bytes::new() }
    }

    /// The same with `Location`.
    pub fn located(mut self, reference: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(reference) {
            self.headers.insert(LOCATION, value);
        }
        self
    }

    /// The same with `Allow`.
    pub fn allowing(mut self) -> Answer {
        self.headers.insert(ALLOW, HeaderValue::from_static(ALLOWED));
        self
    }

    /// The same with `Retry-After`; nothing keeps it.
    pub fn retry_after(mut self, seconds: u32) -> Answer {
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self
    }

    /// The same, varying by the content codings too.
    pub fn varying_by_coding(mut self) -> Answer {
        self.headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        self
    }
}

/// The methods of every document.
const ALLOWED: &str = "GET, HEAD";

/// What 200 and 304 have in common.
fn validate(
    headers: &mut HeaderMap,
    document: &Document,
    validators: &Validators,
    coding: Coding,
    asked: &Asked,
    freshness: &Freshness,
    now: Timestamp,
) {
    if let Ok(tag) = HeaderValue::from_bytes(ETag::new(&validators.stamp, coding).as_bytes()) {
        headers.insert(ETAG, tag);
    }
    if let Some(modified) = last_modified(validators, now) {
        let modified = httpdate::fmt_http_date(modified.into());
        if let Ok(modified) = HeaderValue::from_maybe_shared(Bytes::from(modified)) {
            headers.insert(LAST_MODIFIED, modified);
        }
    }
    headers.insert(CACHE_CONTROL, freshness.of(document));
    match asked {
        Asked::ByPath => headers.insert(VARY, HeaderValue::from_static("Accept-Encoding")),
        Asked::ByKey(reference) => {
            if let Ok(reference) = HeaderValue::from_str(reference) {
                headers.insert(CONTENT_LOCATION, reference);
            }
            headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"))
        }
    };
    if is_open(document) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
}

/// Whether scripts of other sites may read a document: what feed readers in browsers need.
fn is_open(document: &Document) -> bool {
    matches!(document, Document::Feed(..) | Document::Archive(..) | Document::Opml)
}

fn is_page(document: &Document) -> bool {
    matches!(document, Document::Index | Document::List(..) | Document::Page(_) | Document::Article(_))
}
