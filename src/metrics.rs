//! The counters, gauges and the histogram that `/metrics` shows.
//!
//! One value, made at the start and handed to every layer that counts; nothing is global. Names and labels are part
//! of the contract with operators: their dashboards and alerts name them.

mod history;

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::history::{Event, History, Minute, Moved, Updates, What};
use crate::entry::{Document, Timestamp};

/// Upper bounds of `feedmill_update_seconds`, from a lone file to a burst that waits for its turn.
const UPDATE_SECONDS: [f64; 14] = [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// What a request asked for, as far as operators tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A live feed.
    Feed,
    /// An archive document.
    Archive,
    /// A page of a feed, or one that lists feeds.
    Page,
    /// An article's page.
    Article,
    /// The list of feeds.
    Opml,
    /// Style sheet, icon, robots.
    Asset,
    /// The admin address.
    Admin,
    /// Nothing that exists.
    None,
}

impl Class {
    const COUNT: usize = 8;

    /// The class of a document.
    pub fn of(document: &Document) -> Class {
        match document {
            Document::Feed(..) => Class::Feed,
            Document::Archive(..) => Class::Archive,
            Document::Index | Document::List(..) | Document::Page(_) => Class::Page,
            Document::Article(_) => Class::Article,
            Document::Opml => Class::Opml,
            Document::Style | Document::Icon | Document::Robots => Class::Asset,
        }
    }

    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Feed => "feed",
            Class::Archive => "archive",
            Class::Page => "page",
            Class::Article => "article",
            Class::Opml => "opml",
            Class::Asset => "asset",
            Class::Admin => "admin",
            Class::None => "none",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFormat {
    format: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEncoding {
    encoding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    class: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    class: &'static str,
}

/// Statuses whose counters are at hand; the others are looked up.
const COMMON: [u16; 4] = [200, 304, 404, 503];

/// Counters of the answers that are given all the time, so that counting takes no lock.
type AtHand = [[OnceLock<Counter>; COMMON.len()]; Class::COUNT];

type Seconds = Gauge<f64, AtomicU64>;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    articles: Gauge,
    feeds: Gauge,
    problems: Gauge,
    held: Gauge,
    excluded: Gauge,
    subscribers: Gauge,
    careless: Gauge,
    renders: Family<ByFormat, Counter>,
    encodes: Family<ByEncoding, Counter>,
    requests: Family<ByAnswer, Counter>,
    at_hand: AtHand,
    response_bytes: Family<ByClass, Counter>,
    bytes_at_hand: [OnceLock<Counter>; Class::COUNT],
    connections: Gauge,
    refused: Counter,
    cache_bytes: Gauge,
    hubs_told: Family<ByResult, Counter>,
    update_seconds: Histogram,
    overflows: Counter,
    last_success: Seconds,
    reload_ok: Gauge,
    history: History,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All of them at nought; the config that the process started with counts as taken.
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::default(),
            articles: Gauge::default(),
            feeds: Gauge::default(),
            problems: Gauge::default(),
            held: Gauge::default(),
            excluded: Gauge::default(),
            subscribers: Gauge::default(),
            careless: Gauge::default(),
            renders: Family::default(),
            encodes: Family::default(),
            requests: Family::default(),
            at_hand: AtHand::default(),
            response_bytes: Family::default(),
            bytes_at_hand: Default::default(),
            connections: Gauge::default(),
            refused: Counter::default(),
            cache_bytes: Gauge::default(),
            hubs_told: Family::default(),
            update_seconds: Histogram::new(UPDATE_SECONDS),
            overflows: Counter::default(),
            last_success: Seconds::default(),
            reload_ok: Gauge::default(),
            history: History::default(),
        };
        metrics.reload_ok.set(1);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("feedmill_articles", "Articles that are shown", self.articles.clone());
        registry.register("feedmill_feeds", "Feeds that answer", self.feeds.clone());
        registry.register("feedmill_problems", "Files with an open error or warning", self.problems.clone());
        registry.register("feedmill_files_held", "Files withheld as their authors asked", self.held.clone());
        registry.register("feedmill_files_excluded", "Files that inbox.exclude names", self.excluded.clone());
        registry.register(
            "feedmill_subscribers",
            "Subscribers of all feeds, as readers state them in User-Agent",
            self.subscribers.clone(),
        );
        registry.register(
            "feedmill_clients_without_validators",
            "Feed readers that asked more than once and never with a condition",
            self.careless.clone(),
        );
        registry.register("feedmill_renders", "Documents that were rendered", self.renders.clone());
        registry.register("feedmill_encodes", "Content codings that were made", self.encodes.clone());
        registry.register("feedmill_http_requests", "Requests that were answered", self.requests.clone());
        registry.register(
            "feedmill_http_response_bytes",
            "Bytes of bodies that were sent, headers not counted",
            self.response_bytes.clone(),
        );
        registry.register("feedmill_http_connections", "Connections that are open", self.connections.clone());
        registry.register("feedmill_http_connections_refused", "Connections beyond a limit", self.refused.clone());
        registry.register("feedmill_cache_bytes", "Bytes of documents in memory", self.cache_bytes.clone());
        registry.register("feedmill_hub_requests", "Times when a hub was told of changes", self.hubs_told.clone());
        registry.register(
            "feedmill_update_seconds",
            "From the close of a file until its feeds can be served",
            self.update_seconds.clone(),
        );
        registry.register(
            "feedmill_inbox_overflows",
            "Times when file events were lost and the inbox was scanned",
            self.overflows.clone(),
        );
        registry.register(
            "feedmill_last_success_timestamp_seconds",
            "When a change was last taken or a scan ended well",
            self.last_success.clone(),
        );
        registry.register(
            "feedmill_config_last_reload_successful",
            "Whether the last reload of the config was taken",
            self.reload_ok.clone(),
        );
    }

    /// What is shown now.
    pub fn set_counts(&self, articles: u64, feeds: u64, problems: u64) {
        for (gauge, count) in [(&self.articles, articles), (&self.feeds, feeds), (&self.problems, problems)] {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Files that are not published as somebody asked.
    pub fn set_withheld(&self, held: u64, excluded: u64) {
        self.held.set(i64::try_from(held).unwrap_or(i64::MAX));
        self.excluded.set(i64::try_from(excluded).unwrap_or(i64::MAX));
    }

    /// What readers say of themselves: their subscribers, and how many of them never send validators.
    pub fn set_readership(&self, subscribers: u64, careless: u64) {
        self.subscribers.set(i64::try_from(subscribers).unwrap_or(i64::MAX));
        self.careless.set(i64::try_from(careless).unwrap_or(i64::MAX));
    }

    /// A file was closed this long before its feeds could be served.
    pub fn updated(&self, after: Duration) {
        self.update_seconds.observe(after.as_secs_f64());
        self.history.updated(after);
    }

    /// How things stand now, for [`Metrics::history`].
    pub fn sample(&self, at: Timestamp, articles: u64) {
        let problems = u64::try_from(self.problems.get()).unwrap_or_default();
        self.history.sample(at, articles, problems);
    }

    /// The last day.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// File events were lost.
    pub fn overflowed(&self) {
        self.overflows.inc();
    }

    /// A change was taken or a scan ended well.
    pub fn succeeded(&self, at: Timestamp) {
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 285,000,000")]
        self.last_success.set(at.timestamp() as f64);
    }

    /// A reload of the config was taken, or not.
    pub fn reloaded(&self, taken: bool) {
        self.reload_ok.set(i64::from(taken));
    }

    /// A document was rendered.
    pub fn rendered(&self, document: &Document) {
        let format = match document {
            Document::Feed(_, format) | Document::Archive(_, _, format) => format.as_str(),
            Document::Index | Document::List(..) | Document::Page(_) | Document::Article(_) => "html",
            Document::Opml => "opml",
            Document::Style | Document::Icon | Document::Robots => return,
        };
        self.renders.get_or_create(&ByFormat { format }).inc();
    }

    /// A content coding was made.
    pub fn encoded(&self, encoding: &'static str) {
        self.encodes.get_or_create(&ByEncoding { encoding }).inc();
    }

    /// A hub was told of changes, and took them or not.
    pub fn hub_told(&self, taken: bool) {
        self.hubs_told.get_or_create(&ByResult { result: if taken { "ok" } else { "failed" } }).inc();
    }

    /// A request was answered.
    pub fn answered(&self, class: Class, status: u16, bytes: u64) {
        let name = class.as_str();
        let look_up = || self.requests.get_or_create_owned(&ByAnswer { class: name, status });
        match COMMON.iter().position(|&common| common == status) {
            Some(at) => self.at_hand[class as usize][at].get_or_init(look_up).inc(),
            None => look_up().inc(),
        };
        if bytes > 0 {
            let look_up = || self.response_bytes.get_or_create_owned(&ByClass { class: name });
            self.bytes_at_hand[class as usize].get_or_init(look_up).inc_by(bytes);
        }
    }

    /// So many connections are open.
    pub fn set_connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A connection beyond a limit was refused.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// So many bytes of documents are in memory.
    pub fn set_cache_bytes(&self, bytes: u64) {
        self.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// OpenMetrics 1.0.
    pub fn open_metrics(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        // A string takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// The text format of Prometheus, version 0.0.4: counters are called by their full name, and there is no end mark.
    pub fn prometheus(&self) -> String {
        let open = self.open_metrics();
        let counters: Vec<&str> =
            open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
        let mut text = String::with_capacity(open.len());
        for line in open.lines().filter(|line| *line != "# EOF") {
            let meta = ["# HELP ", "# TYPE "].into_iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
            let _ = match meta.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
                Some((mark, (name, rest))) if counters.contains(&name) => {
                    writeln!(text, "{mark}{name}_total {rest}")
                }
                _ => writeln!(text, "{line}"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Format, Key};

    fn filled() -> Metrics {
        let metrics = Metrics::new();
        metrics.set_counts(1, 8, 1);
        metrics.rendered(&Document::Feed(Key::all(), Format::Rss));
        metrics.rendered(&Document::Style);
        metrics.encoded("gzip");
        metrics.answered(Class::Feed, 200, 10);
        metrics.answered(Class::Feed, 304, 0);
        metrics.updated(Duration::from_millis(4));
        metrics.succeeded(Timestamp::from_timestamp(1_795_507_200, 0).expect("a time"));
        metrics
    }

    #[test]
    fn the_text_format_has_the_contracts_names() {
        let text = filled().prometheus();
        for line in [
            "# TYPE feedmill_articles gauge",
            "feedmill_articles 1",
            "feedmill_feeds 8",
            "feedmill_problems 1",
            "# TYPE feedmill_renders_total counter",
            "feedmill_renders_total{format=\"rss\"} 1",
            "# TYPE feedmill_encodes_total counter",
            "feedmill_encodes_total{encoding=\"gzip\"} 1",
            "# TYPE feedmill_http_requests_total counter",
            "feedmill_http_requests_total{class=\"feed\",status=\"200\"} 1",
            "feedmill_http_requests_total{class=\"feed\",status=\"304\"} 1",
            "# TYPE feedmill_update_seconds histogram",
            "feedmill_update_seconds_bucket{le=\"0.01\"} 1",
            "feedmill_update_seconds_bucket{le=\"+Inf\"} 1",
            "feedmill_update_seconds_sum 0.004",
            "feedmill_update_seconds_count 1",
            "feedmill_inbox_overflows_total 0",
            "feedmill_config_last_reload_successful 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
        let last = text.lines().find_map(|line| line.strip_prefix("feedmill_last_success_timestamp_seconds "));
        assert_eq!(last.and_then(|value| value.parse().ok()), Some(1_795_507_200.0));
        assert!(!text.contains("# EOF"));
        assert!(!text.contains("_total_total"));
    }

    #[test]
    fn open_metrics_ends_with_its_mark_and_names_families_without_total() {
        let text = filled().open_metrics();
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("# TYPE feedmill_renders counter\n"));
        assert!(text.contains("feedmill_renders_total{format=\"rss\"} 1\n"));
    }
}
