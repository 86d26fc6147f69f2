//! The admin address: what operators, their monitoring and authors ask. Never on the public address.
//!
//! `/healthz` says that the process answers, `/readyz` whether a state can be shown; the rest says what it is and
//! what is wrong with whose file.

use std::sync::{Arc, PoisonError};

use chrono::SecondsFormat;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use maud::html;
use serde::Serialize;

use super::answer::Answer;
use super::negotiate::wants_open_metrics;
use super::page::{Problem as Words, operators_page};
use super::problems;
use super::readership::Readership;
use super::respond::malformed;
use super::status::{self, Status};
use super::{Health, State};
use crate::entry::Timestamp;
use crate::rendition::{self, Counts, Problem, Renditions};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const ATOM: &str = "application/atom+xml; charset=utf-8";

/// When to ask again whether a state can be shown.
const SOON: u32 = 2;

/// Answers requests on the admin address.
#[derive(Debug)]
pub struct Admin {
    state: Arc<State>,
    addresses: Addresses,
    readership: Arc<Readership>,
}

/// Where the process listens.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// The public address.
    pub http: String,
    /// The admin address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

/// `/status.json`, in the order of the contract.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ready: bool,
    degraded: bool,
    why: &'a [String],
    version: &'static str,
    pid: u32,
    addresses: &'a Addresses,
    articles: u64,
    feeds: u64,
    problems: u64,
    excluded: u64,
    held: u64,
    last_success: Option<String>,
    reload_ok: bool,
}

impl Admin {
    /// An admin page over the state that the daemon keeps up to date.
    pub fn new(state: Arc<State>, addresses: Addresses, readership: Arc<Readership>) -> Admin {
        Admin { state, addresses, readership }
    }

    /// Answers a request.
    pub async fn answer(&self, request: &Parts) -> Answer {
        let words = |status, detail| Answer::problem(&Words::new(status, detail), &request.headers);
        if let Some(detail) = malformed(request) {
            return words(StatusCode::BAD_REQUEST, detail);
        }
        let path = request.uri.path();
        if !PATHS.contains(&path) {
            return words(StatusCode::NOT_FOUND, "nothing has this address");
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return words(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here").allowing();
        }
        let answer = match path {
            "/healthz" => Ok(Answer::admin(StatusCode::OK, TEXT, "ok\n".to_owned())),
            "/readyz" => Ok(ready(&self.health())),
            "/metrics" => Ok(self.metrics(request).await),
            "/status" => self.status_page().await,
            "/status.css" => Ok(ok("text/css; charset=utf-8", status::STYLE.to_owned())),
            "/status.js" => Ok(ok("text/javascript; charset=utf-8", status::SCRIPT.to_owned())),
            "/status.json" => self.status_json().await,
            "/problems" => self.problems().await.map(|open| ok(HTML, problems::html(&open))),
            "/problems.json" => self.problems().await.map(|open| ok(JSON, problems::json(&open))),
            "/problems.atom" => self.problems().await.map(|open| ok(ATOM, problems::atom(&open))),
            _ => Ok(ok(HTML, index())),
        };
        answer.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, path, "the catalog was not read");
            words(StatusCode::SERVICE_UNAVAILABLE, "the catalog cannot be read now").retry_after(SOON)
        })
    }

    fn health(&self) -> Health {
        self.state.health.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renditions(&self) -> Option<Arc<Renditions>> {
        self.state.renditions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn metrics(&self, request: &Parts) -> Answer {
        let metrics = &self.state.metrics;
        if let Some(renditions) = self.renditions() {
            metrics.set_cache_bytes(renditions.cached_bytes());
            // What cannot be counted now is shown as it was counted last.
            if let Ok(counts) = renditions.counts().await {
                metrics.set_counts(counts.articles, counts.feeds, counts.problems);
                metrics.set_withheld(counts.held, self.health().excluded);
            }
        }
        let subscribers = self.readership.subscribers().iter().fold(0, |sum: u64, (_, more)| sum.saturating_add(*more));
        metrics.set_readership(subscribers, self.readership.careless().len() as u64);
        if wants_open_metrics(&request.headers) {
            ok(OPEN_METRICS, metrics.open_metrics())
        } else {
            ok(PROMETHEUS, metrics.prometheus())
        }
    }

    async fn counts(&self) -> Result<Counts, rendition::Error> {
        match self.renditions() {
            Some(renditions) => renditions.counts().await,
            None => Ok(Counts::default()),
        }
    }

    async fn problems(&self) -> Result<Vec<Problem>, rendition::Error> {
        match self.renditions() {
            Some(renditions) => renditions.problems().await,
            None => Ok(Vec::new()),
        }
    }

    async fn status_json(&self) -> Result<Answer, rendition::Error> {
        let counts = self.counts().await?;
        let health = self.health();
        let report = self.report(&health, counts);
        // Strings and numbers always serialise.
        Ok(ok(JSON, serde_json::to_string(&report).unwrap_or_default()))
    }

    async fn status_page(&self) -> Result<Answer, rendition::Error> {
        let counts = self.counts().await?;
        let health = self.health();
        let report = self.report(&health, counts);
        let state = match (report.ready, report.degraded) {
            (false, _) => "starting",
            (true, false) => "ok",
            (true, true) => "degraded",
        };
        let mut why = health.why.clone();
        why.extend(health.progress.clone());
        if !report.reload_ok {
            why.push("the config is not valid: the old one stays in use".to_owned());
        }
        let history = self.state.metrics.history();
        let page = status::page(&Status {
            state,
            why,
            facts: vec![
                ("articles", report.articles.to_string()),
                ("feeds", report.feeds.to_string()),
                ("files with problems", report.problems.to_string()),
                ("files withheld as their authors asked", report.held.to_string()),
                ("files excluded by name", report.excluded.to_string()),
                ("last success", report.last_success.clone().unwrap_or_else(|| "none yet".to_owned())),
                ("catalog", status::size(health.catalog_bytes)),
                ("free on its disk", status::size(health.disk_free)),
                ("public address", report.addresses.http.clone()),
                ("version and process", format!("{}, {}", report.version, report.pid)),
            ],
            minutes: history.minutes(),
            updates: history.updates(),
            feeds: self.readership.feeds(),
            careless: self.readership.careless(),
            events: history.events(),
            problems: self.problems().await?,
        });
        Ok(ok(HTML, page).scripted())
    }

    fn report<'a>(&'a self, health: &'a Health, counts: Counts) -> Report<'a> {
        Report {
            ready: health.ready,
            degraded: !health.why.is_empty(),
            why: &health.why,
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            addresses: &self.addresses,
            articles: counts.articles,
            feeds: counts.feeds,
            problems: counts.problems,
            excluded: health.excluded,
            held: counts.held,
            last_success: health.last_success.map(rfc3339),
            reload_ok: health.reload_ok,
        }
    }
}

/// Every path of the admin address.
const PATHS: [&str; 11] = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/status",
    "/status.css",
    "/status.js",
    "/status.json",
    "/problems",
    "/problems.json",
    "/problems.atom",
];

fn ok(media_type: &'static str, body: String) -> Answer {
    Answer::admin(StatusCode::OK, media_type, body)
}

fn index() -> String {
    operators_page(
        "feedmill",
        &html! {
            ul { @for path in PATHS[1..].iter().filter(|path| !path.starts_with("/status.") || path.ends_with("json")) { li { a href=(path.trim_start_matches('/')) { (path) } } } }
        },
    )
}

/// 503 until a state can be shown; then 200, also when something is not as it should be.
fn ready(health: &Health) -> Answer {
    let (status, word) = match (health.ready, health.why.is_empty()) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "degraded"),
    };
    let mut why = health.why.clone();
    if !health.ready {
        why.extend(health.progress.clone());
    }
    let answer = Answer::admin(status, JSON, serde_json::json!({ "status": word, "why": why }).to_string());
    if health.ready { answer } else { answer.retry_after(SOON) }
}

/// A time as every machine-readable output writes it.
pub(super) fn rfc3339(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(&answer.body).expect("UTF-8")
    }

    #[test]
    fn readiness_is_told_as_the_contract_says() {
        let mut health = Health { progress: Some("120 of 4000 files".to_owned()), ..Health::default() };
        let answer = ready(&health);
        assert_eq!(answer.status, 503);
        assert_eq!(text(&answer), r#"{"status":"starting","why":["120 of 4000 files"]}"#);
        health.ready = true;
        let answer = ready(&health);
        assert_eq!((answer.status, text(&answer)), (StatusCode::OK, r#"{"status":"ok","why":[]}"#));
        health.why.push("the inbox is missing".to_owned());
        let answer = ready(&health);
        assert_eq!(
            (answer.status, text(&answer)),
            (StatusCode::OK, r#"{"status":"degraded","why":["the inbox is missing"]}"#)
        );
    }

    #[test]
    fn the_report_is_the_contracts() {
        let health = Health {
            ready: true,
            excluded: 2,
            last_success: Timestamp::from_timestamp(1_795_507_200, 0),
            reload_ok: true,
            ..Health::default()
        };
        let state = State { renditions: None.into(), health: Health::default().into(), metrics: Arc::default() };
        let addresses = Addresses { http: "127.0.0.1:8080".into(), admin: Some("127.0.0.1:8081".into()) };
        let admin = Admin::new(Arc::new(state), addresses, Arc::default());
        let counts = Counts { articles: 1, feeds: 8, problems: 1, held: 1 };
        let mut report = admin.report(&health, counts);
        report.version = "0.1.0";
        report.pid = 4711;
        assert_eq!(
            serde_json::to_string(&report).expect("JSON"),
            r#"{"ready":true,"degraded":false,"why":[],"version":"0.1.0","pid":4711,"addresses":{"http":"127.0.0.1:8080","admin":"127.0.0.1:8081"},"articles":1,"feeds":8,"problems":1,"excluded":2,"held":1,"last_success":"2026-11-24T08:00:00Z","reload_ok":true}"#
        );
    }
}
